/*
 * The CUDA device, through the driver API (cuda_driver.h). The kernel is loaded before anything runs: a
 * module that loads lazily behind a persistent kernel can wait for it for ever.
 *
 * Only non-blocking streams, cooperative launches and calls that do not synchronise are used while a kernel
 * runs. Freeing does, with every kernel on the GPU, and loading may: so what belongs to a device that is
 * closed while another's kernel runs on its GPU is freed by the one that closes last, and devices on one GPU
 * share a fatbin's module.
 *
 * Every function makes the device's context current for as long as it works, and restores the thread's own.
 */
#include "../../tracer/nvidia/cuda_driver.h"
#include "device_ops.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { BLOCKS_MAX = 40 };

struct grosr_device {
    struct grosr_device *next; /* in `devices` */
    const void *fatbin;        /* where the module is from */
    bool closed;               /* waits to be freed */
    CUdevice id;
    CUcontext context;
    CUmodule module;
    CUfunction kernel;
    CUstream stream, copies;
    bool launched;
    CUdeviceptr memory[BLOCKS_MAX];
    void *host[BLOCKS_MAX];
    struct {
        void *host;
        size_t bytes;
    } shared[BLOCKS_MAX]; /* mappings of our own */
    unsigned memories, hosts, shares;
};

/* All that have not been freed. The lock is held while one is launched or freed: neither may meet the other.
 */
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static struct grosr_device *devices;

static int attribute(CUdevice id, CUdevice_attribute which)
{
    int value = 0;
    grosr_cuda.device_attribute(&value, which, id);
    return value;
}

/* Workers a block: with the service warp, at most the 12 warps that the kernel is compiled for (kernel.cu).
 */
#define WORKERS_PER_SM_MAX     11u
#define WORKERS_PER_SM_DEFAULT 8u

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
    if (info->max_workers > GROSR_WORKERS_MAX) /* as many as can be hungry */
        info->max_workers = GROSR_WORKERS_MAX;
    info->memory_bytes = bytes;
    snprintf(info->detail, sizeof(info->detail), "compute capability %d.%d, driver CUDA %d.%d",
             attribute(id, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR),
             attribute(id, CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MINOR), grosr_cuda.version / 1000,
             grosr_cuda.version % 1000 / 10);
}

uint32_t grosr_cuda_devices(struct grosr_device_info *info, uint32_t first, uint32_t max, const char **why)
{
    int count = 0;

    if (!grosr_cuda_load()) {
        *why = grosr_cuda.absent;
        return 0;
    }
    grosr_cuda.device_count(&count);
    for (uint32_t i = 0; first < (uint32_t)count && i < (uint32_t)count - first && i < max; i++) {
        CUdevice id;
        grosr_cuda.device_get(&id, (int)(first + i));
        describe(id, first + i, &info[i]);
    }
    return (uint32_t)count;
}

/* ---- opening and closing; under the lock ---- */

static bool runs(struct grosr_device *d)
{
    bool busy;

    if (d->closed || !d->launched || grosr_cuda_enter(d->context) != CUDA_SUCCESS)
        return false;
    busy = grosr_cuda.stream_query(d->stream) == CUDA_ERROR_NOT_READY;
    grosr_cuda_leave();
    return busy;
}

static const struct grosr_device *other_with_module(const struct grosr_device *d, const void *fatbin)
{
    for (const struct grosr_device *e = devices; e; e = e->next)
        if (e != d && e->id == d->id && e->module && e->fatbin == fatbin)
            return e;
    return NULL;
}

/* One that is not in `devices` any more. */
static void free_device(struct grosr_device *d)
{
    if (d->context && grosr_cuda_enter(d->context) == CUDA_SUCCESS) {
        if (d->stream)
            grosr_cuda.stream_synchronize(d->stream);
        for (unsigned i = 0; i < d->memories; i++)
            grosr_cuda.memory_free(d->memory[i]);
        for (unsigned i = 0; i < d->hosts; i++)
            grosr_cuda.host_free(d->host[i]);
        for (unsigned i = 0; i < d->shares; i++) {
            grosr_cuda.host_unregister(d->shared[i].host);
            munmap(d->shared[i].host, d->shared[i].bytes);
        }
        if (d->stream)
            grosr_cuda.stream_destroy(d->stream);
        if (d->copies)
            grosr_cuda.stream_destroy(d->copies);
        if (d->module && !other_with_module(d, d->fatbin))
            grosr_cuda.module_unload(d->module);
        grosr_cuda_leave();
    }
    if (d->context)
        grosr_cuda.context_release(d->id);
    free(d);
}

static void cuda_close(struct grosr_device *d)
{
    CUdevice id = d->id;
    bool busy = false;

    pthread_mutex_lock(&lock);
    d->closed = true;
    for (struct grosr_device *e = devices; e && !busy; e = e->next)
        busy = e->id == id && runs(e);
    for (struct grosr_device **p = &devices; *p && !busy;) {
        struct grosr_device *e = *p;
        if (e->closed && e->id == id) {
            *p = e->next;
            free_device(e);
        } else {
            p = &e->next;
        }
    }
    pthread_mutex_unlock(&lock);
}

/* A kernel of blocks of at most so many threads, one of whose warps is the service warp, has fewer workers.
 */
static void limit_workers(struct grosr_device_info *info, uint32_t threads)
{
    uint32_t per_sm = threads / info->lanes - 1;

    if (info->max_workers > info->sms * per_sm)
        info->max_workers = info->sms * per_sm;
    if (info->default_workers > info->max_workers)
        info->default_workers = info->max_workers;
}

/* In the device's context. */
static int load_kernel(struct grosr_device *d, const struct grosr_program *program,
                       struct grosr_device_info *info)
{
    const struct grosr_device *other;
    CUresult code = CUDA_SUCCESS;
    int threads = 0;

    if (program->cuda_kernel) {
        void *function;
        const char *why = program->cuda_kernel(&function);
        if (why)
            return grosr_fail(EIO, "cannot load the program's kernel: %s", why);
        d->kernel = (CUfunction)function;
    } else {
        d->fatbin = program->cuda_fatbin;
        if ((other = other_with_module(d, d->fatbin)))
            d->module = other->module;
        else
            code = grosr_cuda.module_load(&d->module, d->fatbin);
        if (code == CUDA_SUCCESS)
            code = grosr_cuda.module_function(&d->kernel, d->module, "grosr_kernel");
    }
    if (code == CUDA_SUCCESS) /* loads it now, were it to be loaded lazily */
        code = grosr_cuda.function_get(&threads, CU_FUNC_ATTRIBUTE_MAX_THREADS_PER_BLOCK, d->kernel);
    if (code == CUDA_SUCCESS && (uint32_t)threads >= 2 * info->lanes)
        limit_workers(info, (uint32_t)threads);
    if (code == CUDA_SUCCESS)
        code = grosr_cuda.stream_create(&d->stream, CU_STREAM_NON_BLOCKING);
    if (code == CUDA_SUCCESS)
        code = grosr_cuda.stream_create(&d->copies, CU_STREAM_NON_BLOCKING);
    return code == CUDA_SUCCESS ? 0 : grosr_cuda_fail(code, "cannot load the persistent kernel");
}

static int cuda_open(struct grosr_device **out, uint32_t ordinal, const struct grosr_program *program,
                     struct grosr_device_info *info)
{
    struct grosr_device *d;
    CUresult code;
    int err;

    if (!grosr_cuda_load())
        return grosr_fail(ENODEV, "no CUDA device: %s", grosr_cuda.absent);
    if (!program->cuda_kernel && !program->cuda_fatbin)
        return grosr_fail(ENODEV, "the program was not built by nvcc: it has no kernel for CUDA devices");
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
    pthread_mutex_lock(&lock);
    d->next = devices;
    devices = d;
    code = grosr_cuda_enter(d->context);
    if (code == CUDA_SUCCESS) {
        err = load_kernel(d, program, info);
        grosr_cuda_leave();
    } else {
        err = grosr_cuda_fail(code, "cannot open the CUDA device");
    }
    pthread_mutex_unlock(&lock);
    if (err)
        cuda_close(d);
    else
        *out = d;
    return err;
}

static void cuda_describe(const struct grosr_device *d, struct grosr_gpu *gpu)
{
    grosr_cuda_describe(d->id, gpu);
}

/* ---- memory ---- */

static int cuda_alloc(struct grosr_device *d, size_t bytes, void **memory)
{
    CUdeviceptr p = 0;
    CUresult code = grosr_cuda_enter(d->context);

    assert(d->memories < BLOCKS_MAX);
    if (code != CUDA_SUCCESS)
        return grosr_cuda_fail(code, "cannot allocate device memory");
    code = grosr_cuda.memory_alloc(&p, bytes);
    if (code == CUDA_SUCCESS) {
        d->memory[d->memories++] = p;
        code = grosr_cuda.memory_set(p, 0, bytes, d->stream); /* the kernel comes behind it in the stream */
    }
    grosr_cuda_leave();
    *memory = (void *)(uintptr_t)p;
    return code == CUDA_SUCCESS ? 0 : grosr_cuda_fail(code, "cannot allocate and clear device memory");
}

static int cuda_reserve(struct grosr_device *d, size_t bytes, size_t alignment, void **memory)
{
    CUdeviceptr p = 0;
    CUresult code = grosr_cuda_enter(d->context);

    assert(d->memories < BLOCKS_MAX);
    if (code == CUDA_SUCCESS) {
        code = grosr_cuda.memory_alloc(&p, bytes + alignment);
        if (code == CUDA_SUCCESS)
            d->memory[d->memories++] = p;
        grosr_cuda_leave();
    }
    *memory = (void *)(uintptr_t)((p + alignment - 1) / alignment * alignment);
    return code == CUDA_SUCCESS ? 0 : grosr_cuda_fail(code, "cannot reserve device memory");
}

static uint64_t cuda_free_bytes(struct grosr_device *d)
{
    size_t unused = 0, all = 0;

    if (grosr_cuda_enter(d->context) != CUDA_SUCCESS)
        return 0;
    if (grosr_cuda.memory_info(&unused, &all) != CUDA_SUCCESS)
        unused = 0;
    grosr_cuda_leave();
    return unused;
}

/* In a stream of its own: nothing in it ever waits for the kernel. */
static int cuda_copy(struct grosr_device *d, void *to, const void *from, size_t bytes, bool to_device)
{
    CUresult code = grosr_cuda_enter(d->context);
    bool entered = code == CUDA_SUCCESS;

    if (entered && !d->launched) /* what clears memory is in that stream */
        code = grosr_cuda.stream_synchronize(d->stream);
    if (code == CUDA_SUCCESS)
        code = to_device ? grosr_cuda.copy_to_device((CUdeviceptr)(uintptr_t)to, from, bytes, d->copies)
                         : grosr_cuda.copy_to_host(to, (CUdeviceptr)(uintptr_t)from, bytes, d->copies);
    if (code == CUDA_SUCCESS)
        code = grosr_cuda.stream_synchronize(d->copies);
    if (entered)
        grosr_cuda_leave();
    return code == CUDA_SUCCESS ? 0
                                : grosr_cuda_fail(code, to_device ? "cannot write device memory"
                                                                  : "cannot read device memory");
}

static int cuda_alloc_shared(struct grosr_device *d, size_t bytes, void **host, void **view)
{
    CUdeviceptr p = 0;
    CUresult code = grosr_cuda_enter(d->context);

    assert(d->hosts < BLOCKS_MAX);
    if (code != CUDA_SUCCESS)
        return grosr_cuda_fail(code, "cannot allocate page-locked memory");
    code = grosr_cuda.host_alloc(host, bytes, CU_MEMHOSTALLOC_DEVICEMAP | CU_MEMHOSTALLOC_PORTABLE);
    if (code == CUDA_SUCCESS) {
        d->host[d->hosts++] = *host;
        memset(*host, 0, bytes);
        code = grosr_cuda.host_pointer(&p, *host, 0);
    }
    grosr_cuda_leave();
    *view = (void *)(uintptr_t)p;
    return code == CUDA_SUCCESS ? 0 : grosr_cuda_fail(code, "cannot allocate page-locked memory");
}

/* Through a second mapping of the same pages, since the first may go before ours can be freed. */
static int cuda_share(struct grosr_device *d, void *host, size_t bytes, void **view)
{
    void *again = mremap(host, 0, bytes, MREMAP_MAYMOVE);
    CUdeviceptr p = 0;
    CUresult code;

    assert(d->shares < BLOCKS_MAX);
    if (again == MAP_FAILED)
        return grosr_fail(errno, "cannot map the session segment again: %s", strerror(errno));
    code = grosr_cuda_enter(d->context);
    if (code == CUDA_SUCCESS) {
        code = grosr_cuda.host_register(again, bytes,
                                        CU_MEMHOSTREGISTER_DEVICEMAP | CU_MEMHOSTREGISTER_PORTABLE);
        if (code == CUDA_SUCCESS) {
            d->shared[d->shares].host = again;
            d->shared[d->shares++].bytes = bytes;
            again = NULL;
            code = grosr_cuda.host_pointer(&p, d->shared[d->shares - 1].host, 0);
        }
        grosr_cuda_leave();
    }
    if (again)
        munmap(again, bytes);
    *view = (void *)(uintptr_t)p;
    return code == CUDA_SUCCESS
               ? 0
               : grosr_cuda_fail(code, "cannot register the session segment with the device");
}

/* ---- running ---- */

/* In the device's context. */
static int launch_kernel(struct grosr_device *d, const struct grosr_launch *launch, uint32_t sms)
{
    struct grosr_launch argument = *launch;
    void *arguments[] = {&argument};
    unsigned blocks = launch->workers < sms ? launch->workers : sms;
    unsigned per_block = (launch->workers + blocks - 1) / blocks, threads = (per_block + 1) * 32;
    unsigned bytes = per_block * (unsigned)sizeof(struct grosr_local);
    int resident = 0;
    CUresult code =
        grosr_cuda.function_set(d->kernel, CU_FUNC_ATTRIBUTE_MAX_DYNAMIC_SHARED_SIZE_BYTES, (int)bytes);

    if (code == CUDA_SUCCESS)
        code = grosr_cuda.occupancy(&resident, d->kernel, (int)threads, bytes);
    if (code == CUDA_SUCCESS && resident < 1)
        return grosr_fail(EINVAL, "%u workers do not fit on %u SMs of this device", launch->workers, sms);
    /* Cooperative: the driver refuses a grid that is not co-resident, instead of leaving blocks that never
     * start. */
    if (code == CUDA_SUCCESS)
        code = grosr_cuda.launch_cooperative(d->kernel, blocks, 1, 1, threads, 1, 1, bytes, d->stream,
                                             arguments);
    if (code != CUDA_SUCCESS)
        return grosr_cuda_fail(code, "cannot launch the persistent kernel");
    d->launched = true;
    return 0;
}

static int cuda_launch(struct grosr_device *d, const struct grosr_launch *launch, uint32_t sms)
{
    CUresult code;
    int err;

    pthread_mutex_lock(&lock);
    code = grosr_cuda_enter(d->context);
    if (code == CUDA_SUCCESS) {
        err = launch_kernel(d, launch, sms);
        grosr_cuda_leave();
    } else {
        err = grosr_cuda_fail(code, "cannot launch the persistent kernel");
    }
    pthread_mutex_unlock(&lock);
    return err;
}

static int cuda_poll(struct grosr_device *d)
{
    CUresult code;

    if (!d->launched)
        return 0;
    code = grosr_cuda_enter(d->context);
    if (code == CUDA_SUCCESS) {
        code = grosr_cuda.stream_query(d->stream);
        grosr_cuda_leave();
    }
    if (code == CUDA_SUCCESS)
        return 0;
    return code == CUDA_ERROR_NOT_READY ? 1 : grosr_cuda_fail(code, "the persistent kernel failed");
}

const struct grosr_device_ops grosr_device_cuda = {
    .name = "cuda",
    .clock_is_host = false,
    .open = cuda_open,
    .describe = cuda_describe,
    .alloc = cuda_alloc,
    .reserve = cuda_reserve,
    .free_bytes = cuda_free_bytes,
    .copy = cuda_copy,
    .alloc_shared = cuda_alloc_shared,
    .share = cuda_share,
    .launch = cuda_launch,
    .poll = cuda_poll,
    .close = cuda_close,
};
