/*
 * The host device of a rig for the experiment `alloc` (bench_alloc_rig.h): its threads share a kernel's
 * threads among them, and its own malloc is the C library's.
 */
#include "bench_alloc_rig.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define MEMORIES_MAX 16u

struct host {
    uint32_t warps_max;
    void *memory[MEMORIES_MAX]; /* NULL: the place is free */
    /* Of the run: */
    uint32_t warps;
    enum grosr_bench_alloc_kernel kernel;
    bool plain;
    const struct grosr_bench_alloc *argument;
};

static int open_host(void **device, const struct grosr_device_info *info, uint64_t heap_bytes,
                     uint32_t workers)
{
    struct host *h = (struct host *)calloc(1, sizeof(*h));

    (void)heap_bytes;
    if (!h)
        return grosr_fail(ENOMEM, "out of memory");
    h->warps_max = workers ? workers : info->default_workers;
    *device = h;
    return 0;
}

static int allocate(void *device, size_t bytes, void **memory)
{
    struct host *h = (struct host *)device;

    for (uint32_t i = 0; i < MEMORIES_MAX; i++)
        if (!h->memory[i]) {
            h->memory[i] = *memory = aligned_alloc(4096, (bytes + 4095) / 4096 * 4096);
            return *memory ? 0 : grosr_fail(ENOMEM, "out of memory for %zu bytes", bytes);
        }
    return grosr_fail(ENOBUFS, "more than %u allocations", MEMORIES_MAX);
}

static int release(void *device, void *memory)
{
    struct host *h = (struct host *)device;

    for (uint32_t i = 0; i < MEMORIES_MAX; i++)
        if (h->memory[i] == memory)
            h->memory[i] = NULL;
    free(memory);
    return 0;
}

static int clear(void *device, void *memory, size_t bytes)
{
    (void)device;
    memset(memory, 0, bytes);
    return 0;
}

static int copy_in(void *device, void *memory, const void *from, size_t bytes)
{
    (void)device;
    memcpy(memory, from, bytes);
    return 0;
}

static int copy_out(void *device, void *to, const void *memory, size_t bytes)
{
    (void)device;
    memcpy(to, memory, bytes);
    return 0;
}

static void warp_main(void *arg, uint32_t warp)
{
    const struct host *h = (const struct host *)arg;
    const struct grosr_bench_alloc *a = h->argument;
    uint32_t first = warp * GROSR_LANES + dev_lane(), step = h->warps * GROSR_LANES;

    grosr_bench_alloc_stamp(a->start_ns, warp);
    for (uint32_t i = first; i < a->threads; i += step)
        grosr_bench_alloc_do(a, h->kernel, h->plain, i);
    grosr_bench_alloc_stamp(a->end_ns, warp);
}

static int run(void *device, enum grosr_bench_alloc_kernel kernel, bool plain,
               const struct grosr_bench_alloc *argument, uint32_t *warps)
{
    struct host *h = (struct host *)device;
    struct dev_host_grid *grid;
    int err;

    h->kernel = kernel;
    h->plain = plain;
    h->argument = argument;
    h->warps = (argument->threads + GROSR_LANES - 1) / GROSR_LANES;
    if (h->warps > h->warps_max)
        h->warps = h->warps_max;
    *warps = h->warps;
    if ((err = dev_host_launch(&grid, h->warps, 1, warp_main, h)))
        return grosr_fail(-err, "cannot start %u threads", h->warps);
    dev_host_join(grid);
    return 0;
}

static void close_host(void *device)
{
    struct host *h = (struct host *)device;

    for (uint32_t i = 0; h && i < MEMORIES_MAX; i++)
        free(h->memory[i]);
    free(h);
}

const struct grosr_bench_alloc_device grosr_bench_alloc_host = {
    open_host, allocate, release, clear, copy_in, copy_out, run, close_host,
};
