/*
 * The kernel of the task functions of the workloads stall:NAME: a fatbin inside the library
 * (built_in_stalls.c). And kernels for those of them that run without the runtime (workload_calls_cuda.c).
 */
#include "functions_cured.h"

#define GROSR_TASKS        GROSR_BUILT_IN_STALL_TASKS
#define GROSR_KERNEL       extern "C" __global__
#define GROSR_KERNEL_WARPS 8
#include "../kernel/program.h"

extern "C" __global__ void stall_server(const sys32 *stop)
{
    while (!sys_load_relaxed(stop))
        __nanosleep(500);
}

/* A barrier of the whole grid, as programs have it that do not launch cooperatively. */
extern "C" __global__ void stall_barrier(uint32_t *arrived, const sys32 *stop)
{
    if (threadIdx.x == 0) {
        atomicAdd(arrived, 1u);
        while (atomicAdd(arrived, 0u) < gridDim.x && !sys_load_relaxed(stop))
            __nanosleep(500);
    }
    __syncthreads();
}
