/*
 * The driver as `grosr run stall:NAME` calls it (cupti_double.h): its kernels run until the word that they
 * are given says otherwise, or end at once. What else the driver's table of symbols has does nothing. Memory
 * of the host is what the GPU sees.
 */
#include "double_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#undef cuMemAlloc
#undef cuMemFree
#undef cuMemHostGetDevicePointer

int double_nothing(void);

int double_nothing(void)
{
    return CUDA_SUCCESS;
}

#define NOTHING(symbol) __asm__(".globl " #symbol "\n.set " #symbol ", double_nothing");

NOTHING(cuCtxGetCurrent)
NOTHING(cuCtxSetCurrent)
NOTHING(cuCtxSetLimit)
NOTHING(cuDeviceGetUuid_v2)
NOTHING(cuDevicePrimaryCtxRelease_v2)
NOTHING(cuDeviceTotalMem_v2)
NOTHING(cuFuncSetAttribute)
NOTHING(cuGraphAddKernelNode_v2)
NOTHING(cuGraphCreate)
NOTHING(cuGraphDestroy)
NOTHING(cuGraphExecDestroy)
NOTHING(cuGraphInstantiateWithFlags)
NOTHING(cuGraphLaunch)
NOTHING(cuLaunchCooperativeKernel)
NOTHING(cuMemFreeHost)
NOTHING(cuMemGetInfo_v2)
NOTHING(cuMemHostRegister_v2)
NOTHING(cuMemHostUnregister)
NOTHING(cuMemcpyDtoHAsync_v2)
NOTHING(cuModuleLoadData)
NOTHING(cuModuleUnload)
NOTHING(cuStreamBeginCapture_v2)
NOTHING(cuStreamDestroy_v2)
NOTHING(cuStreamEndCapture)

CUresult CUDAAPI cuInit(unsigned flags)
{
    (void)flags;
    double_init();
    return CUDA_SUCCESS;
}

CUresult CUDAAPI cuDriverGetVersion(int *version)
{
    *version = 13000;
    return CUDA_SUCCESS;
}

CUresult CUDAAPI cuGetErrorName(CUresult code, const char **name)
{
    (void)code;
    *name = "CUDA_ERROR";
    return CUDA_SUCCESS;
}

CUresult CUDAAPI cuGetErrorString(CUresult code, const char **text)
{
    (void)code;
    *text = "an error of the double's";
    return CUDA_SUCCESS;
}

CUresult CUDAAPI cuDeviceGetCount(int *count)
{
    *count = 1;
    return CUDA_SUCCESS;
}

CUresult CUDAAPI cuDeviceGet(CUdevice *device, int ordinal)
{
    *device = ordinal;
    return ordinal ? CUDA_ERROR_INVALID_DEVICE : CUDA_SUCCESS;
}

CUresult CUDAAPI cuDeviceGetName(char *name, int size, CUdevice device)
{
    (void)device;
    snprintf(name, (size_t)size, "double");
    return CUDA_SUCCESS;
}

CUresult CUDAAPI cuDevicePrimaryCtxRetain(CUcontext *context, CUdevice device)
{
    (void)device;
    *context = context_of();
    return CUDA_SUCCESS;
}

CUresult CUDAAPI cuModuleGetFunction(CUfunction *function, CUmodule module, const char *name)
{
    (void)module;
    *function = double_function(name);
    return CUDA_SUCCESS;
}

/* Streams from 1 on: the first may wait for the default stream. */
CUresult CUDAAPI cuStreamCreate(CUstream *stream, unsigned flags)
{
    static uint32_t streams;

    *stream = handle_of(++streams);
    if (flags & CU_STREAM_NON_BLOCKING)
        double_non_blocking(streams);
    return CUDA_SUCCESS;
}

CUresult CUDAAPI cuMemAlloc_v2(CUdeviceptr *memory, size_t bytes)
{
    *memory = (CUdeviceptr)(uintptr_t)calloc(1, bytes);
    return *memory ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

CUresult CUDAAPI cuMemHostAlloc(void **memory, size_t bytes, unsigned flags)
{
    (void)flags;
    *memory = calloc(1, bytes);
    return *memory ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY;
}

CUresult CUDAAPI cuMemHostGetDevicePointer_v2(CUdeviceptr *pointer, void *host, unsigned flags)
{
    (void)flags;
    *pointer = (CUdeviceptr)(uintptr_t)host;
    return CUDA_SUCCESS;
}

CUresult CUDAAPI cuMemsetD8Async(CUdeviceptr to, unsigned char value, size_t bytes, CUstream stream)
{
    (void)to, (void)value, (void)bytes, (void)stream;
    return CUDA_SUCCESS;
}

/* ---- kernels ---- */

static void *stop_main(void *word)
{
    while (!*(volatile uint32_t *)word)
        usleep(1000);
    double_stop();
    return NULL;
}

CUresult CUDAAPI cuLaunchKernel(CUfunction function, unsigned x, unsigned y, unsigned z, unsigned threads,
                                unsigned block_y, unsigned block_z, unsigned shared, CUstream stream,
                                void **arguments, void **extra)
{
    const char *name = (const char *)(uintptr_t)function;
    const struct double_shape shape = {{x, y, z}, threads, shared};
    bool barrier = !strcmp(name, "stall_barrier");
    uint32_t *stop = (uint32_t *)(uintptr_t) * (CUdeviceptr *)arguments[barrier];
    bool waits = !*stop && (!barrier || x > DOUBLE_SMS * 2);

    (void)block_y, (void)block_z, (void)extra;
    if (waits)
        start_detached(stop_main, stop);
    double_launch_by_driver(number_of(stream), name, &shape, waits ? DOUBLE_FOR_EVER : 1000);
    return CUDA_SUCCESS;
}

/* ---- calls that wait ---- */

CUresult CUDAAPI cuMemFree_v2(CUdeviceptr memory)
{
    const cuMemFree_v2_params params = {.dptr = memory};
    struct call c;

    DRIVER(&c, cuMemFree_v2, &params, NULL, double_correlation());
    while (!double_is_idle())
        double_sleep_ms(1);
    double_leave(&c, 0);
    return CUDA_SUCCESS;
}

CUresult CUDAAPI cuStreamSynchronize(CUstream stream)
{
    double_stream_synchronize(number_of(stream));
    return CUDA_SUCCESS;
}

CUresult CUDAAPI double_synchronize_all(void) __asm__("cuCtxSynchronize");

CUresult CUDAAPI double_synchronize_all(void)
{
    double_synchronize();
    return CUDA_SUCCESS;
}

CUresult CUDAAPI cuMemcpyHtoD_v2(CUdeviceptr to, const void *from, size_t bytes)
{
    (void)to, (void)from;
    double_memcpy(bytes);
    return CUDA_SUCCESS;
}

CUresult CUDAAPI cuMemcpyHtoDAsync_v2(CUdeviceptr to, const void *from, size_t bytes, CUstream stream)
{
    (void)to, (void)from, (void)stream; /* the default stream */
    double_memcpy_async(bytes);
    return CUDA_SUCCESS;
}
