/*
 * Kernels of the CUDA baselines: the tiny task as a kernel of its own, all tasks as one static kernel, a bare
 * echo over mapped memory, and a step that tells the host. One block is one task.
 */
#include "../tracer/device.h"

GROSR_DEVICE uint64_t task_result(uint64_t i)
{
    return (i & 0xffffffffu) + 3 * i;
}

extern "C" __global__ void bench_task(uint64_t *result, uint64_t i)
{
    if (threadIdx.x == 0)
        result[i] = task_result(i);
}

extern "C" __global__ void bench_static(uint64_t *result)
{
    if (threadIdx.x == 0)
        result[blockIdx.x] = task_result(blockIdx.x);
}

/* Answers each new request until it has answered `last`. */
extern "C" __global__ void bench_echo(const sys32 *request, sys32 *response, uint32_t last)
{
    uint32_t seen = 0;

    while (seen != last) {
        uint32_t word = sys_load_relaxed(request);
        if (word != seen) {
            seen = word;
            sys_store_relaxed(response, seen);
        }
    }
}

extern "C" __global__ void bench_step(sys32 *flag, uint32_t value)
{
    sys_store_release(flag, value);
}
