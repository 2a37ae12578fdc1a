/*
 * A GPU of a rig for the experiment `alloc` (bench_alloc_rig.h): its kernels are in bench.cu, and its own
 * malloc is the device malloc of CUDA, whose heap has its size from the context's limit at the time when the
 * module is loaded.
 */
#include "bench_alloc_rig.h"

#include "../../tracer/clock/clock.h"
#include "../../tracer/nvidia/cuda_driver.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MEMORIES_MAX 16u
#define TIMEOUT_NS \
    120000000000u /* for a kernel; that of the device malloc that fills its heap takes seconds */

extern const unsigned char grosr_bench_fatbin[]; /* fatbin.S */

static const char *const kernels[GROSR_BENCH_ALLOC_KERNELS][2] = {
#define KERNEL(name, number, residents) [number] = {"bench_alloc_" #name, "bench_alloc_" #name "_plain"},
    GROSR_BENCH_ALLOC_LIST(KERNEL)
#undef KERNEL
};

struct gpu {
    CUdevice id;
    CUcontext context;
    CUmodule module;
    CUstream stream;
    CUdeviceptr memory[MEMORIES_MAX]; /* 0: the place is free */
    bool stuck;                       /* a kernel has not ended */
};

/* Returns from the function when `call` fails, with its name in the error. */
#define TRY(call)                                              \
    do {                                                       \
        CUresult try_code = grosr_cuda.call;                   \
        if (try_code != CUDA_SUCCESS)                          \
            return grosr_cuda_fail(try_code, #call " failed"); \
    } while (0)

static int prepare(struct gpu *g, uint32_t ordinal, uint64_t heap_bytes)
{
    TRY(device_get(&g->id, (int)ordinal));
    TRY(context_retain(&g->context, g->id));
    TRY(context_set(g->context));
    if (heap_bytes)
        TRY(context_limit(CU_LIMIT_MALLOC_HEAP_SIZE, heap_bytes));
    TRY(module_load(&g->module, grosr_bench_fatbin));
    TRY(stream_create(&g->stream, CU_STREAM_NON_BLOCKING));
    return 0;
}

static int open_gpu(void **device, const struct grosr_device_info *info, uint64_t heap_bytes,
                    uint32_t workers)
{
    struct gpu *g;

    (void)workers;
    if (!grosr_cuda_load())
        return grosr_fail(ENODEV, "no CUDA device: %s", grosr_cuda.absent);
    if (!(g = (struct gpu *)calloc(1, sizeof(*g))))
        return grosr_fail(ENOMEM, "out of memory");
    *device = g;
    return prepare(g, info->ordinal, heap_bytes);
}

static int allocate(void *device, size_t bytes, void **memory)
{
    struct gpu *g = (struct gpu *)device;
    uint32_t i = 0;

    while (i < MEMORIES_MAX && g->memory[i])
        i++;
    if (i == MEMORIES_MAX)
        return grosr_fail(ENOBUFS, "more than %u allocations", MEMORIES_MAX);
    TRY(memory_alloc(&g->memory[i], bytes));
    *memory = (void *)(uintptr_t)g->memory[i];
    return 0;
}

static int release(void *device, void *memory)
{
    struct gpu *g = (struct gpu *)device;

    for (uint32_t i = 0; i < MEMORIES_MAX; i++)
        if (g->memory[i] == (uintptr_t)memory)
            g->memory[i] = 0;
    TRY(memory_free((uintptr_t)memory));
    return 0;
}

static int await(struct gpu *g)
{
    uint64_t start = grosr_host_clock_ns();
    CUresult code;

    while ((code = grosr_cuda.stream_query(g->stream)) == CUDA_ERROR_NOT_READY) {
        uint64_t passed = grosr_host_clock_ns() - start;
        struct timespec pause = {0, 1000000};
        if (passed > TIMEOUT_NS) {
            g->stuck = true;
            return grosr_fail(ETIMEDOUT, "a kernel did not end within %u s",
                              (unsigned)(TIMEOUT_NS / 1000000000u));
        }
        if (passed > 10000000u)
            nanosleep(&pause, NULL);
    }
    return code == CUDA_SUCCESS ? 0 : grosr_cuda_fail(code, "a kernel failed");
}

static int clear(void *device, void *memory, size_t bytes)
{
    struct gpu *g = (struct gpu *)device;

    TRY(memory_set((uintptr_t)memory, 0, bytes, g->stream));
    return await(g);
}

static int copy_in(void *device, void *memory, const void *from, size_t bytes)
{
    struct gpu *g = (struct gpu *)device;

    TRY(copy_to_device((uintptr_t)memory, from, bytes, g->stream));
    return await(g);
}

static int copy_out(void *device, void *to, const void *memory, size_t bytes)
{
    struct gpu *g = (struct gpu *)device;

    TRY(copy_to_host(to, (uintptr_t)memory, bytes, g->stream));
    return await(g);
}

static int run(void *device, enum grosr_bench_alloc_kernel kernel, bool plain,
               const struct grosr_bench_alloc *argument, uint32_t *warps)
{
    struct gpu *g = (struct gpu *)device;
    struct grosr_bench_alloc copy = *argument;
    void *arguments[] = {&copy};
    unsigned blocks = (copy.threads + GROSR_BENCH_ALLOC_BLOCK - 1) / GROSR_BENCH_ALLOC_BLOCK;
    CUfunction function;

    TRY(module_function(&function, g->module, kernels[kernel][plain]));
    TRY(launch(function, blocks, 1, 1, GROSR_BENCH_ALLOC_BLOCK, 1, 1, 0, g->stream, arguments, NULL));
    *warps = (copy.threads + 31) / 32; /* those of the last block that have work */
    return await(g);
}

static void close_gpu(void *device)
{
    struct gpu *g = (struct gpu *)device;

    if (g && g->stuck)
        return; /* freeing would wait for the kernel; the process's exit ends it */
    if (g && g->context) {
        for (uint32_t i = 0; i < MEMORIES_MAX; i++)
            if (g->memory[i])
                grosr_cuda.memory_free(g->memory[i]);
        if (g->stream)
            grosr_cuda.stream_destroy(g->stream);
        if (g->module)
            grosr_cuda.module_unload(g->module);
        grosr_cuda.context_release(g->id);
    }
    free(g);
}

const struct grosr_bench_alloc_device grosr_bench_alloc_cuda = {
    open_gpu, allocate, release, clear, copy_in, copy_out, run, close_gpu,
};
