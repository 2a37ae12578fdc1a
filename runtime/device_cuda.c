/*
 * The CUDA device, through the driver API. libcuda is loaded with dlopen, so that one binary runs with and
 * without a driver; the kernel is a fatbin inside the binary, loaded eagerly (a module that loads lazily
 * behind a persistent kernel can wait for it for ever).
 *
 * Only non-blocking streams, cooperative launches and calls that do not synchronise are used while the kernel
 * runs.
 */
#include "device_ops.h"

#include <cuda.h>
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* The one table of driver symbols: member, symbol (as versioned in the library), prototype. */
#define CUDA_SYMBOLS(X)                                                                                      \
    X(init, "cuInit", (unsigned))                                                                            \
    X(driver_version, "cuDriverGetVersion", (int *))                                                         \
    X(error_name, "cuGetErrorName", (CUresult, const char **))                                               \
    X(error_string, "cuGetErrorString", (CUresult, const char **))                                           \
    X(device_count, "cuDeviceGetCount", (int *))                                                             \
    X(device_get, "cuDeviceGet", (CUdevice *, int))                                                          \
    X(device_name, "cuDeviceGetName", (char *, int, CUdevice))                                               \
    X(device_attribute, "cuDeviceGetAttribute", (int *, CUdevice_attribute, CUdevice))                       \
    X(device_memory, "cuDeviceTotalMem_v2", (size_t *, CUdevice))                                            \
    X(context_retain, "cuDevicePrimaryCtxRetain", (CUcontext *, CUdevice))                                   \
    X(context_release, "cuDevicePrimaryCtxRelease_v2", (CUdevice))                                           \
    X(context_set, "cuCtxSetCurrent", (CUcontext))                                                           \
    X(module_load, "cuModuleLoadData", (CUmodule *, const void *))                                           \
    X(module_unload, "cuModuleUnload", (CUmodule))                                                           \
    X(module_function, "cuModuleGetFunction", (CUfunction *, CUmodule, const char *))                        \
    X(occupancy, "cuOccupancyMaxActiveBlocksPerMultiprocessor", (int *, CUfunction, int, size_t))            \
    X(launch_cooperative, "cuLaunchCooperativeKernel",                                                       \
      (CUfunction, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, unsigned, CUstream, void **)) \
    X(stream_create, "cuStreamCreate", (CUstream *, unsigned))                                               \
    X(stream_destroy, "cuStreamDestroy_v2", (CUstream))                                                      \
    X(stream_query, "cuStreamQuery", (CUstream))                                                             \
    X(stream_synchronize, "cuStreamSynchronize", (CUstream))                                                 \
    X(memory_alloc, "cuMemAlloc_v2", (CUdeviceptr *, size_t))                                                \
    X(memory_free, "cuMemFree_v2", (CUdeviceptr))                                                            \
    X(memory_set, "cuMemsetD8Async", (CUdeviceptr, unsigned char, size_t, CUstream))                         \
    X(host_alloc, "cuMemHostAlloc", (void **, size_t, unsigned))                                             \
    X(host_free, "cuMemFreeHost", (void *))                                                                  \
    X(host_register, "cuMemHostRegister_v2", (void *, size_t, unsigned))                                     \
    X(host_unregister, "cuMemHostUnregister", (void *))                                                      \
    X(host_pointer, "cuMemHostGetDevicePointer_v2", (CUdeviceptr *, void *, unsigned))

static struct {
#define X(member, symbol, arguments) CUresult(*member) arguments;
    CUDA_SYMBOLS(X)
#undef X
    char absent[256]; /* why there is no CUDA, or "" */
    int version;
} cuda;

extern const unsigned char grosr_kernel_fatbin[]; /* kernel_fatbin.S */

enum { BLOCKS_MAX = 16 };

struct grosr_device {
    CUdevice id;
    CUcontext context;
    CUmodule module;
    CUfunction kernel;
    CUstream stream;
    bool launched;
    CUdeviceptr memory[BLOCKS_MAX];
    void *host[BLOCKS_MAX];
    void *shared[BLOCKS_MAX];
    unsigned memories, hosts, shares;
};

/* The boundary where CUDA's codes become errno. */
static int fail_cuda(CUresult code, const char *what)
{
    const char *name = "unknown error", *text = "";
    int err;

    cuda.error_name(code, &name);
    cuda.error_string(code, &text);
    switch (code) {
    case CUDA_ERROR_OUT_OF_MEMORY:
        err = ENOMEM;
        break;
    case CUDA_ERROR_NO_DEVICE:
    case CUDA_ERROR_INVALID_DEVICE:
        err = ENODEV;
        break;
    default:
        err = EIO;
    }
    return grosr_fail(err, "%s: %s (%s)", what, text, name);
}

static void load_cuda(void)
{
    void *library;
    CUresult code;
    int count = 0;

    setenv("CUDA_MODULE_LOADING", "EAGER", 0);
    library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!library) {
        snprintf(cuda.absent, sizeof(cuda.absent), "no NVIDIA driver: libcuda.so.1 cannot be loaded");
        return;
    }
#define X(member, symbol, arguments)                                                                      \
    *(void **)(void *)&cuda.member = dlsym(library, symbol);                                              \
    if (!cuda.member) {                                                                                   \
        snprintf(cuda.absent, sizeof(cuda.absent), "the NVIDIA driver is too old: it has no %s", symbol); \
        return;                                                                                           \
    }
    CUDA_SYMBOLS(X)
#undef X
    code = cuda.init(0);
    if (code == CUDA_SUCCESS)
        code = cuda.device_count(&count);
    if (code != CUDA_SUCCESS || count == 0) {
        const char *text = "no device";
        if (code != CUDA_SUCCESS)
            cuda.error_string(code, &text);
        snprintf(cuda.absent, sizeof(cuda.absent), "the NVIDIA driver finds no usable GPU: %s", text);
        return;
    }
    cuda.driver_version(&cuda.version);
}

/* Loads the driver once; whether there is a CUDA device. */
static bool have_cuda(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, load_cuda);
    return !cuda.absent[0];
}

static int attribute(CUdevice id, CUdevice_attribute which)
{
    int value = 0;
    cuda.device_attribute(&value, which, id);
    return value;
}

/* Workers a block: with the service warp, at most the 32 warps that the kernel is compiled for. */
#define WORKERS_PER_SM_MAX     31u
#define WORKERS_PER_SM_DEFAULT 4u

static void describe(CUdevice id, uint32_t ordinal, struct grosr_device_info *info)
{
    size_t bytes = 0;

    memset(info, 0, sizeof(*info));
    snprintf(info->device, sizeof(info->device), "cuda");
    cuda.device_name(info->name, sizeof(info->name), id);
    cuda.device_memory(&bytes, id);
    info->ordinal = ordinal;
    info->sms = (uint32_t)attribute(id, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT);
    info->lanes = (uint32_t)attribute(id, CU_DEVICE_ATTRIBUTE_WARP_SIZE);
    info->max_warps_per_sm =
        (uint32_t)attribute(id, CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR) / info->lanes;
    info->default_workers = info->sms * WORKERS_PER_SM_DEFAULT;
    info->max_workers = info->sms * WORKERS_PER_SM_MAX;
    info->memory_bytes = bytes;
    snprintf(info->detail, sizeof(info->detail), "compute capability %d.%d, driver CUDA %d.%d",
             attribute(id, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR),
             attribute(id, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR), cuda.version / 1000,
             cuda.version % 1000 / 10);
}

uint32_t grosr_cuda_devices(struct grosr_device_info *devices, uint32_t max, const char **why)
{
    int count = 0;

    if (!have_cuda()) {
        *why = cuda.absent;
        return 0;
    }
    cuda.device_count(&count);
    for (int i = 0; i < count && (uint32_t)i < max; i++) {
        CUdevice id;
        cuda.device_get(&id, i);
        describe(id, (uint32_t)i, &devices[i]);
    }
    return (uint32_t)count;
}

static void cuda_close(struct grosr_device *d)
{
    cuda.context_set(d->context);
    if (d->stream)
        cuda.stream_synchronize(d->stream);
    for (unsigned i = 0; i < d->memories; i++)
        cuda.memory_free(d->memory[i]);
    for (unsigned i = 0; i < d->hosts; i++)
        cuda.host_free(d->host[i]);
    for (unsigned i = 0; i < d->shares; i++)
        cuda.host_unregister(d->shared[i]);
    if (d->stream)
        cuda.stream_destroy(d->stream);
    if (d->module)
        cuda.module_unload(d->module);
    cuda.context_release(d->id);
    free(d);
}

static int cuda_open(struct grosr_device **out, uint32_t ordinal, struct grosr_device_info *info)
{
    struct grosr_device *d;
    CUresult code;

    if (!have_cuda())
        return grosr_fail(ENODEV, "no CUDA device: %s", cuda.absent);
    d = (struct grosr_device *)calloc(1, sizeof(*d));
    if (!d)
        return grosr_fail(ENOMEM, "out of memory");
    code = cuda.device_get(&d->id, (int)ordinal);
    if (code == CUDA_SUCCESS)
        code = cuda.context_retain(&d->context, d->id);
    if (code != CUDA_SUCCESS) {
        free(d);
        return fail_cuda(code, "cannot open the CUDA device");
    }
    describe(d->id, ordinal, info);
    code = cuda.context_set(d->context);
    if (code == CUDA_SUCCESS)
        code = cuda.module_load(&d->module, grosr_kernel_fatbin);
    if (code == CUDA_SUCCESS)
        code = cuda.module_function(&d->kernel, d->module, "grosr_kernel");
    if (code == CUDA_SUCCESS)
        code = cuda.stream_create(&d->stream, CU_STREAM_NON_BLOCKING);
    if (code != CUDA_SUCCESS) {
        int err = fail_cuda(code, "cannot load the persistent kernel");
        cuda_close(d);
        return err;
    }
    *out = d;
    return 0;
}

static int cuda_alloc(struct grosr_device *d, size_t bytes, void **memory)
{
    CUdeviceptr p;
    CUresult code;

    assert(d->memories < BLOCKS_MAX);
    code = cuda.memory_alloc(&p, bytes);
    if (code != CUDA_SUCCESS)
        return fail_cuda(code, "cannot allocate device memory");
    d->memory[d->memories++] = p;
    code = cuda.memory_set(p, 0, bytes, d->stream); /* the kernel comes behind it in the stream */
    if (code != CUDA_SUCCESS)
        return fail_cuda(code, "cannot clear device memory");
    *memory = (void *)(uintptr_t)p;
    return 0;
}

static int device_view(void *host, void **view)
{
    CUdeviceptr p;
    CUresult code = cuda.host_pointer(&p, host, 0);

    if (code != CUDA_SUCCESS)
        return fail_cuda(code, "cannot map host memory on the device");
    *view = (void *)(uintptr_t)p;
    return 0;
}

static int cuda_alloc_shared(struct grosr_device *d, size_t bytes, void **host, void **view)
{
    CUresult code;

    assert(d->hosts < BLOCKS_MAX);
    code = cuda.host_alloc(host, bytes, CU_MEMHOSTALLOC_DEVICEMAP | CU_MEMHOSTALLOC_PORTABLE);
    if (code != CUDA_SUCCESS)
        return fail_cuda(code, "cannot allocate page-locked memory");
    d->host[d->hosts++] = *host;
    memset(*host, 0, bytes);
    return device_view(*host, view);
}

static int cuda_share(struct grosr_device *d, void *host, size_t bytes, void **view)
{
    CUresult code;

    assert(d->shares < BLOCKS_MAX);
    code = cuda.host_register(host, bytes, CU_MEMHOSTREGISTER_DEVICEMAP | CU_MEMHOSTREGISTER_PORTABLE);
    if (code != CUDA_SUCCESS)
        return fail_cuda(code, "cannot register the session segment with the device");
    d->shared[d->shares++] = host;
    return device_view(host, view);
}

static int cuda_launch(struct grosr_device *d, const struct grosr_launch *launch, uint32_t sms)
{
    struct grosr_launch argument = *launch;
    void *arguments[] = {&argument};
    unsigned blocks = launch->workers < sms ? launch->workers : sms;
    unsigned threads = ((launch->workers + blocks - 1) / blocks + 1) * 32;
    int resident = 0;
    CUresult code = cuda.occupancy(&resident, d->kernel, (int)threads, 0);

    if (code == CUDA_SUCCESS && resident < 1)
        return grosr_fail(EINVAL, "%u workers do not fit on %u SMs of this device", launch->workers, sms);
    /* Cooperative: the driver refuses a grid that is not co-resident, instead of leaving blocks that never
     * start. */
    if (code == CUDA_SUCCESS)
        code = cuda.launch_cooperative(d->kernel, blocks, 1, 1, threads, 1, 1, 0, d->stream, arguments);
    if (code != CUDA_SUCCESS)
        return fail_cuda(code, "cannot launch the persistent kernel");
    d->launched = true;
    return 0;
}

static int cuda_poll(struct grosr_device *d)
{
    CUresult code;

    if (!d->launched)
        return 0;
    cuda.context_set(d->context); /* the caller may be any thread */
    code = cuda.stream_query(d->stream);
    if (code == CUDA_SUCCESS)
        return 0;
    return code == CUDA_ERROR_NOT_READY ? 1 : fail_cuda(code, "the persistent kernel failed");
}

const struct grosr_device_ops grosr_device_cuda = {
    .name = "cuda",
    .clock_is_host = false,
    .open = cuda_open,
    .alloc = cuda_alloc,
    .alloc_shared = cuda_alloc_shared,
    .share = cuda_share,
    .launch = cuda_launch,
    .poll = cuda_poll,
    .close = cuda_close,
};
