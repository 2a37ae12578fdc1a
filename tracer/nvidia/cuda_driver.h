/*
 * The CUDA driver: one table of symbols, loaded with dlopen, so that one binary runs with and without a
 * driver. Shared by the files that talk to it (trace_cuda.c; the runtime's device_cuda.c, bench_cuda.c).
 */
#ifndef GROSR_CUDA_DRIVER_H
#define GROSR_CUDA_DRIVER_H

#include "../session/gpu.h"

#include <cuda.h>
#include <stdbool.h>

/* The one table of driver symbols: member, symbol (as versioned in the library), prototype. */
#define GROSR_CUDA_SYMBOLS(X)                                                                                \
    X(init, "cuInit", (unsigned))                                                                            \
    X(driver_version, "cuDriverGetVersion", (int *))                                                         \
    X(error_name, "cuGetErrorName", (CUresult, const char **))                                               \
    X(error_string, "cuGetErrorString", (CUresult, const char **))                                           \
    X(device_count, "cuDeviceGetCount", (int *))                                                             \
    X(device_get, "cuDeviceGet", (CUdevice *, int))                                                          \
    X(device_name, "cuDeviceGetName", (char *, int, CUdevice))                                               \
    X(device_attribute, "cuDeviceGetAttribute", (int *, CUdevice_attribute, CUdevice))                       \
    X(device_memory, "cuDeviceTotalMem_v2", (size_t *, CUdevice))                                            \
    X(device_uuid, "cuDeviceGetUuid_v2", (CUuuid *, CUdevice))                                               \
    X(device_pci, "cuDeviceGetPCIBusId", (char *, int, CUdevice))                                            \
    X(context_retain, "cuDevicePrimaryCtxRetain", (CUcontext *, CUdevice))                                   \
    X(context_release, "cuDevicePrimaryCtxRelease_v2", (CUdevice))                                           \
    X(context_set, "cuCtxSetCurrent", (CUcontext))                                                           \
    X(context_push, "cuCtxPushCurrent_v2", (CUcontext))                                                      \
    X(context_pop, "cuCtxPopCurrent_v2", (CUcontext *))                                                      \
    X(context_current, "cuCtxGetCurrent", (CUcontext *))                                                     \
    X(context_device, "cuCtxGetDevice", (CUdevice *))                                                        \
    X(context_limit, "cuCtxSetLimit", (CUlimit, size_t))                                                     \
    X(capture_mode, "cuThreadExchangeStreamCaptureMode", (CUstreamCaptureMode *))                            \
    X(module_load, "cuModuleLoadData", (CUmodule *, const void *))                                           \
    X(module_unload, "cuModuleUnload", (CUmodule))                                                           \
    X(module_function, "cuModuleGetFunction", (CUfunction *, CUmodule, const char *))                        \
    X(function_get, "cuFuncGetAttribute", (int *, CUfunction_attribute, CUfunction))                         \
    X(function_set, "cuFuncSetAttribute", (CUfunction, CUfunction_attribute, int))                           \
    X(occupancy, "cuOccupancyMaxActiveBlocksPerMultiprocessor", (int *, CUfunction, int, size_t))            \
    X(launch_cooperative, "cuLaunchCooperativeKernel",                                                       \
      (CUfunction, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, CUstream, void **)) \
    X(stream_create, "cuStreamCreate", (CUstream *, unsigned))                                               \
    X(stream_destroy, "cuStreamDestroy_v2", (CUstream))                                                      \
    X(stream_query, "cuStreamQuery", (CUstream))                                                             \
    X(stream_synchronize, "cuStreamSynchronize", (CUstream))                                                 \
    X(memory_alloc, "cuMemAlloc_v2", (CUdeviceptr *, size_t))                                                \
    X(memory_info, "cuMemGetInfo_v2", (size_t *, size_t *))                                                  \
    X(memory_free, "cuMemFree_v2", (CUdeviceptr))                                                            \
    X(memory_set, "cuMemsetD8Async", (CUdeviceptr, unsigned char, size_t, CUstream))                         \
    X(host_alloc, "cuMemHostAlloc", (void **, size_t, unsigned))                                             \
    X(host_free, "cuMemFreeHost", (void *))                                                                  \
    X(host_register, "cuMemHostRegister_v2", (void *, size_t, unsigned))                                     \
    X(host_unregister, "cuMemHostUnregister", (void *))                                                      \
    X(host_pointer, "cuMemHostGetDevicePointer_v2", (CUdeviceptr *, void *, unsigned))                       \
    X(launch, "cuLaunchKernel",                                                                              \
      (CUfunction, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, CUstream, void **,  \
       void **))                                                                                             \
    X(copy_to_device, "cuMemcpyHtoDAsync_v2", (CUdeviceptr, const void *, size_t, CUstream))                 \
    X(copy_to_host, "cuMemcpyDtoHAsync_v2", (void *, CUdeviceptr, size_t, CUstream))                         \
    X(capture_begin, "cuStreamBeginCapture_v2", (CUstream, CUstreamCaptureMode))                             \
    X(capture_end, "cuStreamEndCapture", (CUstream, CUgraph *))                                              \
    X(graph_create, "cuGraphCreate", (CUgraph *, unsigned))                                                  \
    X(graph_add_kernel, "cuGraphAddKernelNode_v2",                                                           \
      (CUgraphNode *, CUgraph, const CUgraphNode *, size_t, const CUDA_KERNEL_NODE_PARAMS *))                \
    X(graph_instantiate, "cuGraphInstantiateWithFlags", (CUgraphExec *, CUgraph, unsigned long long))        \
    X(graph_launch, "cuGraphLaunch", (CUgraphExec, CUstream))                                                \
    X(graph_exec_destroy, "cuGraphExecDestroy", (CUgraphExec))                                               \
    X(graph_destroy, "cuGraphDestroy", (CUgraph))

struct grosr_cuda_driver {
#define X(member, symbol, arguments) CUresult(*member) arguments;
    GROSR_CUDA_SYMBOLS(X)
#undef X
    char absent[256]; /* why there is no CUDA, or "" */
    int version;      /* of the driver's CUDA, 1000 * major + 10 * minor */
};

/* Valid once grosr_cuda_load() has returned true. */
extern struct grosr_cuda_driver grosr_cuda;

/* Loads the driver, once; whether there is a CUDA device. Any thread. */
bool grosr_cuda_load(void);

/*
 * Around the driver calls of one job of ours, in whatever thread: makes the context current, and the thread's
 * capture mode relaxed. While any thread of the program captures a stream in the global mode, which is the
 * default, a call that CUDA holds to be unsafe (cuStreamQuery, cuMemAlloc) from a thread in another mode
 * invalidates the capture. Leaving gives the thread back what it had. Not nested.
 */
CUresult grosr_cuda_enter(CUcontext context);
void grosr_cuda_leave(void);

/* What the driver knows of a device; what it does not is 0. */
void grosr_cuda_describe(CUdevice id, struct grosr_gpu *gpu);

/* The boundary where CUDA's codes become errno: sets grosr_error() and returns the negative errno. */
int grosr_cuda_fail(CUresult code, const char *what);

#endif
