/*
 * A rig: a session whose rings are written by kernels that do nothing else (bench_emit.h), with no runtime.
 * The experiment `trace` times them, tests/cuda/flood.c floods rings with them. On the host device the
 * kernels are threads.
 *
 * The segment that the kernels write is the session's own, registered with the device; or, for rings in
 * device memory, a copy of it there, which is copied back when the kernel has ended.
 */
#ifndef GROSR_BENCH_RIG_H
#define GROSR_BENCH_RIG_H

#include "bench_emit.h"
#include "../grosr.h"

struct grosr_bench_rig;

struct grosr_bench_rig_options {
    const struct grosr_device_info *device;
    uint32_t warps;
    uint32_t ring_events; /* a power of two; halved until half of what /dev/shm has free holds the segment */
    enum grosr_overflow overflow;
};

struct grosr_bench_rig_run {
    enum grosr_bench_recorder recorder;
    enum grosr_bench_length length; /* of all but the flood */
    enum grosr_level level;
    bool in_device_memory;
    bool clear; /* the rings' slots too: needed where a reader is to find no records of the run before */
    uint32_t blocks, warps_per_block; /* blocks * warps_per_block <= the rig's warps */
    uint32_t steps;
};

int grosr_bench_rig_open(struct grosr_bench_rig **rig, const struct grosr_bench_rig_options *options);

/* All rings empty, the kernel started. */
int grosr_bench_rig_start(struct grosr_bench_rig *rig, const struct grosr_bench_rig_run *run);

/* Waits for the kernel and fetches what it left. -ETIMEDOUT: it runs still. */
int grosr_bench_rig_wait(struct grosr_bench_rig *rig, uint64_t timeout_ns);

struct grosr_session *grosr_bench_rig_session(struct grosr_bench_rig *rig);
uint32_t grosr_bench_rig_capacity(const struct grosr_bench_rig *rig); /* of a ring */

/* Of the latest run: a result for each lane, a time for each warp. */
const uint32_t *grosr_bench_rig_results(const struct grosr_bench_rig *rig);
const uint64_t *grosr_bench_rig_spans(const struct grosr_bench_rig *rig);

/* No kernel runs. NULL is allowed. */
void grosr_bench_rig_close(struct grosr_bench_rig *rig);

/*
 * The CUDA side (bench_rig_cuda.c). `view`: the session's segment as the device sees it; `copy`: room for it
 * in device memory, where results and spans are made too.
 */
struct grosr_bench_rig_cuda;

int grosr_bench_rig_cuda_open(struct grosr_bench_rig_cuda **cuda, uint32_t ordinal,
                              struct grosr_session *session, uint32_t warps, struct grosr_bench_launch *views,
                              void **view, void **copy);
int grosr_bench_rig_cuda_start(struct grosr_bench_rig_cuda *cuda, const struct grosr_bench_rig_run *run,
                               const struct grosr_bench_launch *launch);
int grosr_bench_rig_cuda_wait(struct grosr_bench_rig_cuda *cuda, uint64_t timeout_ns, uint32_t *result,
                              uint64_t *span_ns);
void grosr_bench_rig_cuda_close(struct grosr_bench_rig_cuda *cuda);

#endif
