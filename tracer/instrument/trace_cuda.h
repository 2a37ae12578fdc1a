/*
 * What grosr_trace_open() needs of a GPU (trace_cuda.c; trace_cuda_none.c in a build without the toolkit).
 * Functions return 0 or a negative errno, and leave the calling thread the context that it had.
 */
#ifndef GROSR_TRACE_CUDA_H
#define GROSR_TRACE_CUDA_H

#include "../session/gpu.h"
#include "trace_device.h"

struct grosr_trace_cuda;

struct grosr_trace_facts {
    char device_name[64];
    uint32_t sms, lanes, max_warps_per_sm;
    struct grosr_gpu gpu;
};

/* The GPU of the thread's current context, or the first one's primary context. */
int grosr_trace_cuda_open(struct grosr_trace_cuda **cuda, struct grosr_trace_facts *facts);

/* Shows `bytes` at `base` to the device, at *view. */
int grosr_trace_cuda_share(struct grosr_trace_cuda *cuda, void *base, size_t bytes, void **view);

/* Allocates `bytes` of device memory, zero but for the control block, which is as `first` says. */
int grosr_trace_cuda_control(struct grosr_trace_cuda *cuda, const struct grosr_trace_control *first,
                             size_t bytes, struct grosr_trace_control **control);

/* Copies it back. */
int grosr_trace_cuda_read(struct grosr_trace_cuda *cuda, void *to, size_t bytes);

/* Has a kernel answer the pings after number `answered`. -EAGAIN: one that was launched before has not ended,
 * since there was no room for it. */
int grosr_trace_cuda_clock(struct grosr_trace_cuda *cuda, struct grosr_session_header *session,
                           uint64_t answered);

/* Frees everything, which waits for kernels that run. NULL is allowed. */
void grosr_trace_cuda_close(struct grosr_trace_cuda *cuda);

#endif
