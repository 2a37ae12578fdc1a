/*
 * What is known of a GPU, for the trace's TARGET_INFO_GPU: in the session of a runtime or an instrumented
 * kernel (session.h), and in a record of a traced process (record.h). 0 or "": not known.
 */
#ifndef GROSR_GPU_H
#define GROSR_GPU_H

#include <assert.h>
#include <stdint.h>

struct grosr_gpu {
    uint64_t memory_bytes, memory_bytes_per_s;
    uint32_t id; /* CUDA's number of it in that process */
    uint32_t sms;
    uint32_t clock_khz;
    uint32_t l2_bytes, constant_bytes;
    uint32_t major, minor; /* compute capability */
    uint32_t lanes;
    uint32_t sm_warps, sm_blocks, sm_registers, sm_shared_bytes; /* at most, of an SM */
    uint32_t block_threads, block_registers, block_shared_bytes; /* at most, of a block */
    uint32_t copy_engines;
    unsigned char uuid[16];
    char bus[16]; /* on PCI, "0000:19:00.0", NUL-terminated */
};

static_assert(sizeof(struct grosr_gpu) == 112, "the same for all who write and read it");

#endif
