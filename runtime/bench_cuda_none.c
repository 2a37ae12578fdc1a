/*
 * In place of bench_cuda.c in a build without the CUDA toolkit: there is no CUDA device, so nobody asks.
 */
#include "bench.h"

#include <errno.h>

int grosr_bench_dispatch_cuda(const struct grosr_bench_options *options, struct grosr_bench_report *report)
{
    (void)options;
    (void)report;
    return grosr_fail(ENODEV, "%s", grosr_cuda_absent());
}

int grosr_bench_pingpong_cuda(const struct grosr_bench_options *options, struct grosr_bench_report *report)
{
    return grosr_bench_dispatch_cuda(options, report);
}
