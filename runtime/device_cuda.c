/*
 * The CUDA device, through the driver API (cuda_driver.h). The kernel is a fatbin inside the binary, loaded
 * eagerly: a module that loads lazily behind a persistent kernel can wait for it for ever.
 *
 * Only non-blocking streams, cooperative launches and calls that do not synchronise are used while the kernel
 * runs.
 */
#include "cuda_driver.h"
#include "device_ops.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

extern const unsigned char grosr_kernel_fatbin[]; /* fatbin.S */

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

static int attribute(CUdevice id, CUdevice_attribute which)
{
    int value = 0;
    grosr_cuda.device_attribute(&value, which, id);
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
    grosr_cuda.device_name(info->name, sizeof(info->name), id);
    grosr_cuda.device_memory(&bytes, id);
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
             attribute(id, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR), grosr_cuda.version / 1000,
             grosr_cuda.version % 1000 / 10);
}

uint32_t grosr_cuda_devices(struct grosr_device_info *devices, uint32_t max, const char **why)
{
    int count = 0;

    if (!grosr_cuda_load()) {
        *why = grosr_cuda.absent;
        return 0;
    }
    grosr_cuda.device_count(&count);
    for (int i = 0; i < count && (uint32_t)i < max; i++) {
        CUdevice id;
        grosr_cuda.device_get(&id, i);
        describe(id, (uint32_t)i, &devices[i]);
    }
    return (uint32_t)count;
}

static void cuda_close(struct grosr_device *d)
{
    grosr_cuda.context_set(d->context);
    if (d->stream)
        grosr_cuda.stream_synchronize(d->stream);
    for (unsigned i = 0; i < d->memories; i++)
        grosr_cuda.memory_free(d->memory[i]);
    for (unsigned i = 0; i < d->hosts; i++)
        grosr_cuda.host_free(d->host[i]);
    for (unsigned i = 0; i < d->shares; i++)
        grosr_cuda.host_unregister(d->shared[i]);
    if (d->stream)
        grosr_cuda.stream_destroy(d->stream);
    if (d->module)
        grosr_cuda.module_unload(d->module);
    grosr_cuda.context_release(d->id);
    free(d);
}

static int cuda_open(struct grosr_device **out, uint32_t ordinal, struct grosr_device_info *info)
{
    struct grosr_device *d;
    CUresult code;

    if (!grosr_cuda_load())
        return grosr_fail(ENODEV, "no CUDA device: %s", grosr_cuda.absent);
    d = (struct grosr_device *)calloc(1, sizeof(*d));
    if (!d)
        return grosr_fail(ENOMEM, "out of memory");
    code = grosr_cuda.device_get(&d->id, (int)ordinal);
    if (code == CUDA_SUCCESS)
        code = grosr_cuda.context_retain(&d->context, d->id);
    if (code != CUDA_SUCCESS) {
        free(d);
        return grosr_cuda_fail(code, "cannot open the CUDA device");
    }
    describe(d->id, ordinal, info);
    code = grosr_cuda.context_set(d->context);
    if (code == CUDA_SUCCESS)
        code = grosr_cuda.module_load(&d->module, grosr_kernel_fatbin);
    if (code == CUDA_SUCCESS)
        code = grosr_cuda.module_function(&d->kernel, d->module, "grosr_kernel");
    if (code == CUDA_SUCCESS)
        code = grosr_cuda.stream_create(&d->stream, CU_STREAM_NON_BLOCKING);
    if (code != CUDA_SUCCESS) {
        int err = grosr_cuda_fail(code, "cannot load the persistent kernel");
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
    code = grosr_cuda.memory_alloc(&p, bytes);
    if (code != CUDA_SUCCESS)
        return grosr_cuda_fail(code, "cannot allocate device memory");
    d->memory[d->memories++] = p;
    code = grosr_cuda.memory_set(p, 0, bytes, d->stream); /* the kernel comes behind it in the stream */
    if (code != CUDA_SUCCESS)
        return grosr_cuda_fail(code, "cannot clear device memory");
    *memory = (void *)(uintptr_t)p;
    return 0;
}

static int device_view(void *host, void **view)
{
    CUdeviceptr p;
    CUresult code = grosr_cuda.host_pointer(&p, host, 0);

    if (code != CUDA_SUCCESS)
        return grosr_cuda_fail(code, "cannot map host memory on the device");
    *view = (void *)(uintptr_t)p;
    return 0;
}

static int cuda_alloc_shared(struct grosr_device *d, size_t bytes, void **host, void **view)
{
    CUresult code;

    assert(d->hosts < BLOCKS_MAX);
    code = grosr_cuda.host_alloc(host, bytes, CU_MEMHOSTALLOC_DEVICEMAP | CU_MEMHOSTALLOC_PORTABLE);
    if (code != CUDA_SUCCESS)
        return grosr_cuda_fail(code, "cannot allocate page-locked memory");
    d->host[d->hosts++] = *host;
    memset(*host, 0, bytes);
    return device_view(*host, view);
}

static int cuda_share(struct grosr_device *d, void *host, size_t bytes, void **view)
{
    CUresult code;

    assert(d->shares < BLOCKS_MAX);
    code = grosr_cuda.host_register(host, bytes, CU_MEMHOSTREGISTER_DEVICEMAP | CU_MEMHOSTREGISTER_PORTABLE);
    if (code != CUDA_SUCCESS)
        return grosr_cuda_fail(code, "cannot register the session segment with the device");
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
    CUresult code = grosr_cuda.occupancy(&resident, d->kernel, (int)threads, 0);

    if (code == CUDA_SUCCESS && resident < 1)
        return grosr_fail(EINVAL, "%u workers do not fit on %u SMs of this device", launch->workers, sms);
    /* Cooperative: the driver refuses a grid that is not co-resident, instead of leaving blocks that never
     * start. */
    if (code == CUDA_SUCCESS)
        code = grosr_cuda.launch_cooperative(d->kernel, blocks, 1, 1, threads, 1, 1, 0, d->stream, arguments);
    if (code != CUDA_SUCCESS)
        return grosr_cuda_fail(code, "cannot launch the persistent kernel");
    d->launched = true;
    return 0;
}

static int cuda_poll(struct grosr_device *d)
{
    CUresult code;

    if (!d->launched)
        return 0;
    grosr_cuda.context_set(d->context); /* the caller may be any thread */
    code = grosr_cuda.stream_query(d->stream);
    if (code == CUDA_SUCCESS)
        return 0;
    return code == CUDA_ERROR_NOT_READY ? 1 : grosr_cuda_fail(code, "the persistent kernel failed");
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
