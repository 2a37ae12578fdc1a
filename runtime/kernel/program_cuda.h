/*
 * The persistent kernel's entry on CUDA (program.h). Each block has one warp more than its share of workers;
 * in block 0 it is the service warp, elsewhere it leaves at once. Workers are numbered across the blocks
 * first, so that any number of them spreads over the SMs.
 */
#ifndef GROSR_PROGRAM_CUDA_H
#define GROSR_PROGRAM_CUDA_H

/* Static, so that several sources of a program may have one; a fatbin's is found by its name. */
#ifndef GROSR_KERNEL
#define GROSR_KERNEL static __global__
#endif

/*
 * Warps of a block at most, the service warp among them: 12, for each of which there are 168 registers. A
 * program whose task functions need more, those that use the heap or make system calls among them, defines
 * 8: then there are 255.
 */
#ifndef GROSR_KERNEL_WARPS
#define GROSR_KERNEL_WARPS 12
#endif

GROSR_KERNEL void __launch_bounds__(32 * GROSR_KERNEL_WARPS, 1)
    grosr_kernel(const __grid_constant__ struct grosr_launch launch)
{
    extern __shared__ struct grosr_local locals[]; /* one a worker */
    uint32_t warp = threadIdx.x / GROSR_LANES, last = blockDim.x / GROSR_LANES - 1;
    uint32_t worker = warp * gridDim.x + blockIdx.x;

    if (warp == last) {
        if (blockIdx.x == 0)
            grosr_service_run(&launch);
        return;
    }
    if (worker < launch.workers)
        grosr_worker_run(&launch, worker, &locals[warp]);
}

/* In the current context, which is the device's primary one: the runtime API's too. */
static const char *grosr_program_kernel(void **function)
{
    cudaFunction_t kernel = NULL;
    cudaError_t err = cudaGetFuncBySymbol(&kernel, (const void *)grosr_kernel);

    *function = kernel;
    if (err == cudaSuccess)
        return NULL;
    cudaGetLastError(); /* reported here, and not to be seen again by the program */
    return cudaGetErrorString(err);
}

#define GROSR_PROGRAM_ENTRIES NULL, grosr_program_kernel, NULL

#endif
