/*
 * The host device: the persistent warps are threads of this process, all memory is shared.
 */
#include "device_ops.h"

#include "../../tracer/clock/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { BLOCK_ALIGNMENT = 256 }; /* as struct grosr_control */

struct block {
    struct block *next;
    size_t mapped;          /* bytes, of pages of its own; 0: the C library's */
    unsigned char memory[]; /* the device's, from the next multiple of its alignment on */
};

struct grosr_device {
    const struct grosr_program *program;
    struct dev_host_grid *grid;
    struct grosr_launch launch;
    struct grosr_local *locals; /* one a worker */
    struct block *blocks;
};

static void warp_main(void *arg, uint32_t warp)
{
    struct grosr_device *device = (struct grosr_device *)arg;

    device->program->host_warp(&device->launch, device->locals, warp);
}

void grosr_host_device(struct grosr_device_info *info)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN), pages = sysconf(_SC_PHYS_PAGES);

    memset(info, 0, sizeof(*info));
    snprintf(info->device, sizeof(info->device), "host");
    snprintf(info->name, sizeof(info->name), "host threads (%ld CPUs)", cpus);
    info->lanes = GROSR_LANES;
    info->default_workers = cpus < 2 ? 2 : cpus > 8 ? 8 : (uint32_t)cpus;
    info->max_workers = 256;
    info->sms = info->default_workers;
    info->max_warps_per_sm = 1;
    info->memory_bytes = (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/*
 * GROSR_HOST_CLOCK makes the clock one unlike the host's, so that calibration can be seen at work without a
 * GPU. What a test has set itself stays.
 */
static int skew_clock(void)
{
    const char *text = getenv("GROSR_HOST_CLOCK");
    struct dev_clock_skew skew = {0};
    double drift_ppm;
    int end = 0;

    if (!text || !*text || dev_clock_is_skewed())
        return 0;
    if (sscanf(text, "%" SCNd64 ",%lf%n", &skew.offset_ns, &drift_ppm, &end) != 2 || text[end] ||
        !(drift_ppm >= -500 && drift_ppm <= 500) || skew.offset_ns > INT64_C(1000000000000000000) ||
        skew.offset_ns < -(int64_t)(grosr_host_clock_ns() / 2))
        return grosr_fail(
            EINVAL,
            "GROSR_HOST_CLOCK is OFFSET_NS,DRIFT_PPM, the drift from -500 to 500 and the offset "
            "from minus half the host's clock to 10^18, not '%s'",
            text);
    skew.drift_ppb = (int64_t)(drift_ppm * 1000);
    dev_clock_set_skew(&skew);
    return 0;
}

static int host_open(struct grosr_device **device, uint32_t ordinal, const struct grosr_program *program,
                     struct grosr_device_info *info)
{
    (void)ordinal; /* there is one */
    if (!program->host_warp)
        return grosr_fail(ENODEV, "the program was built by nvcc, for CUDA devices: it has no host device");
    if (program->host_lanes != GROSR_LANES)
        return grosr_fail(EINVAL, "the program was compiled for warps of %u lanes, the library for %u",
                          program->host_lanes, GROSR_LANES);
    int err = skew_clock();
    if (err)
        return err;
    *device = (struct grosr_device *)calloc(1, sizeof(**device));
    if (!*device)
        return grosr_fail(ENOMEM, "out of memory");
    (*device)->program = program;
    grosr_host_device(info);
    return 0;
}

static void *put_block(struct grosr_device *device, struct block *b, size_t mapped, size_t alignment)
{
    b->mapped = mapped;
    b->next = device->blocks;
    device->blocks = b;
    return b->memory + (alignment - (uintptr_t)b->memory % alignment) % alignment;
}

/* Pages of its own, which take no room before they are written to. */
static int host_reserve(struct grosr_device *device, size_t bytes, size_t alignment, void **memory)
{
    size_t size = sizeof(struct block) + alignment + bytes;
    void *pages = size < bytes ? MAP_FAILED
                               : mmap(NULL, size, PROT_READ | PROT_WRITE,
                                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (pages == MAP_FAILED)
        return grosr_fail(ENOMEM, "out of memory: %zu bytes", bytes);
    *memory = put_block(device, (struct block *)pages, size, alignment);
    return 0;
}

/* Zeroed by calloc(), which leaves large blocks to the system: pages that are never used are never touched.
 */
static int host_alloc(struct grosr_device *device, size_t bytes, void **memory)
{
    size_t size = sizeof(struct block) + BLOCK_ALIGNMENT + bytes;
    struct block *b = size < bytes ? NULL : (struct block *)calloc(1, size);

    if (!b)
        return grosr_fail(ENOMEM, "out of memory: %zu bytes", bytes);
    *memory = put_block(device, b, 0, BLOCK_ALIGNMENT);
    return 0;
}

/* What the system could give to a new program without swapping, by its own estimate. */
static uint64_t host_free_bytes(struct grosr_device *device)
{
    unsigned long long kib = 0;
    char line[128];
    FILE *f = fopen("/proc/meminfo", "re");

    (void)device;
    while (f && fgets(line, sizeof(line), f) && sscanf(line, "MemAvailable: %llu kB", &kib) != 1)
        ;
    if (f)
        fclose(f);
    return kib * 1024;
}

static int host_copy(struct grosr_device *device, void *to, const void *from, size_t bytes, bool to_device)
{
    (void)device;
    (void)to_device;
    memcpy(to, from, bytes);
    return 0;
}

static int host_alloc_shared(struct grosr_device *device, size_t bytes, void **host, void **view)
{
    int err = host_alloc(device, bytes, host);
    *view = *host;
    return err;
}

static int host_share(struct grosr_device *device, void *host, size_t bytes, void **view)
{
    (void)device;
    (void)bytes;
    *view = host;
    return 0;
}

static int host_launch(struct grosr_device *device, const struct grosr_launch *launch, uint32_t sms)
{
    uint32_t per_sm = (launch->workers + sms - 1) / sms;
    void *locals;
    int err = host_alloc(device, launch->workers * sizeof(*device->locals), &locals);

    if (err)
        return err;
    device->locals = (struct grosr_local *)locals;
    device->launch = *launch;
    err = dev_host_launch(&device->grid, launch->workers + 1, per_sm, warp_main, device);
    if (err)
        return grosr_fail(-err, "cannot start %u worker threads: %s", launch->workers + 1, strerror(-err));
    return 0;
}

static int host_poll(struct grosr_device *device)
{
    if (!device->grid)
        return 0;
    if (dev_host_running(device->grid))
        return 1;
    dev_host_join(device->grid);
    device->grid = NULL;
    return 0;
}

static void host_close(struct grosr_device *device)
{
    while (device->blocks) {
        struct block *b = device->blocks;
        device->blocks = b->next;
        if (b->mapped)
            munmap(b, b->mapped);
        else
            free(b);
    }
    free(device);
}

const struct grosr_device_ops grosr_device_host = {
    .name = "host",
    .clock_is_host = true,
    .open = host_open,
    .alloc = host_alloc,
    .reserve = host_reserve,
    .free_bytes = host_free_bytes,
    .copy = host_copy,
    .alloc_shared = host_alloc_shared,
    .share = host_share,
    .launch = host_launch,
    .poll = host_poll,
    .close = host_close,
};
