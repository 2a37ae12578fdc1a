/*
 * The persistent kernel's entry on CUDA. Each block has one warp more than its share of workers; in block 0
 * it is the service warp, elsewhere it leaves at once. Workers are numbered across the blocks first, so that
 * any number of them spreads over the SMs.
 */
#include "scheduler.h"

extern "C" __global__ void __launch_bounds__(1024, 1)
    grosr_kernel(const __grid_constant__ struct grosr_launch launch)
{
    uint32_t warp = threadIdx.x / GROSR_LANES, last = blockDim.x / GROSR_LANES - 1;
    uint32_t worker = warp * gridDim.x + blockIdx.x;

    if (warp == last) {
        if (blockIdx.x == 0)
            grosr_service_run(&launch);
        return;
    }
    if (worker < launch.workers)
        grosr_worker_run(&launch, worker);
}
