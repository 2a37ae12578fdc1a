/*
 * In place of bench_cuda.c, bench_rig_cuda.c and bench_alloc_cuda.c in a build without the CUDA toolkit:
 * there is no CUDA device, so nobody asks.
 */
#include "bench.h"
#include "bench_alloc_rig.h"
#include "bench_rig.h"

#include <errno.h>

static int absent(void)
{
    return grosr_fail(ENODEV, "%s", grosr_cuda_absent());
}

int grosr_bench_dispatch_cuda(const struct grosr_bench_options *options, struct grosr_bench_report *report)
{
    (void)options;
    (void)report;
    return absent();
}

int grosr_bench_pingpong_cuda(const struct grosr_bench_options *options, struct grosr_bench_report *report)
{
    (void)options;
    (void)report;
    return absent();
}

int grosr_bench_spawn_cuda(const struct grosr_bench_options *options, struct grosr_bench_report *report)
{
    (void)options;
    (void)report;
    return absent();
}

int grosr_bench_scale_cuda(const struct grosr_bench_options *options, struct grosr_bench_report *report)
{
    (void)options;
    (void)report;
    return absent();
}

int grosr_bench_cuda_facts(const struct grosr_bench_report *report, char *pci, size_t size, uint32_t *version)
{
    (void)report;
    (void)pci;
    (void)size;
    (void)version;
    return absent();
}

int grosr_bench_beside_open(struct grosr_bench_beside **out, struct grosr_bench_report *report)
{
    (void)out;
    (void)report;
    return absent();
}

int grosr_bench_beside_run(struct grosr_bench_beside *beside, enum grosr_bench_kernel kernel, double *ns,
                           struct grosr_bench_report *report)
{
    (void)beside;
    (void)kernel;
    (void)ns;
    (void)report;
    return absent();
}

int grosr_bench_beside_end(struct grosr_bench_beside *beside)
{
    (void)beside;
    return absent();
}

void grosr_bench_beside_close(struct grosr_bench_beside *beside)
{
    (void)beside;
}

int grosr_bench_rig_cuda_open(struct grosr_bench_rig_cuda **cuda, uint32_t ordinal,
                              struct grosr_session *session, uint32_t warps, struct grosr_bench_launch *views,
                              void **view, void **copy)
{
    (void)cuda;
    (void)ordinal;
    (void)session;
    (void)warps;
    (void)views;
    (void)view;
    (void)copy;
    return absent();
}

int grosr_bench_rig_cuda_start(struct grosr_bench_rig_cuda *cuda, const struct grosr_bench_rig_run *run,
                               const struct grosr_bench_launch *launch)
{
    (void)cuda;
    (void)run;
    (void)launch;
    return absent();
}

int grosr_bench_rig_cuda_wait(struct grosr_bench_rig_cuda *cuda, uint64_t timeout_ns, uint32_t *result,
                              uint64_t *span_ns)
{
    (void)cuda;
    (void)timeout_ns;
    (void)result;
    (void)span_ns;
    return absent();
}

void grosr_bench_rig_cuda_close(struct grosr_bench_rig_cuda *cuda)
{
    (void)cuda;
}

static int open_absent(void **device, const struct grosr_device_info *info, uint64_t heap_bytes,
                       uint32_t workers)
{
    (void)device;
    (void)info;
    (void)heap_bytes;
    (void)workers;
    return absent();
}

static void close_absent(void *device)
{
    (void)device;
}

/* Nothing that was not opened is used. */
const struct grosr_bench_alloc_device grosr_bench_alloc_cuda = {.open = open_absent, .close = close_absent};
