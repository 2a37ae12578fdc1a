/*
 * Experiment `dispatch`: many tiny tasks, from the first submission to the last result, fed by host threads
 * and by one task.
 */
#include "bench_producers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

static void series_name(char *to, size_t size, unsigned threads)
{
    snprintf(to, size, "GROSR, host-fed by %u thread%s", threads, threads > 1 ? "s" : "");
}

static int dispatch_grosr(const struct grosr_bench_options *o, struct grosr_bench_report *report,
                          double *samples)
{
    struct grosr_bench_producers p = {.tasks = o->tasks};
    char series[64];
    int err;

    grosr_bench_begin(report, "GROSR", false);
    err = grosr_bench_producers_make(&p, o->tasks);
    if (!err)
        err = grosr_bench_open(report, o->workers, 0, &p.rt);
    for (p.threads = 1; !err && p.threads <= 4 && p.threads <= o->tasks; p.threads *= 4) {
        series_name(series, sizeof(series), p.threads);
        grosr_bench_begin(report, series, false);
        err = grosr_bench_producers_time(o, report, &p, samples);
        if (!err)
            grosr_bench_add(report, series, false, p.tasks, samples, o->repetitions);
    }
    if (!err)
        err = grosr_bench_device_fed(o, p.rt, report, GROSR_BENCH_NO_AXIS, o->tasks, samples);
    return grosr_bench_producers_close(&p, err);
}

int grosr_bench_dispatch(const struct grosr_bench_options *o, struct grosr_bench_report *report)
{
    double *samples = grosr_bench_samples(o->repetitions);
    int err = samples ? 0 : -ENOMEM;

    if (!err)
        err = grosr_bench_on_cuda(report) ? grosr_bench_dispatch_cuda(o, report)
                                          : grosr_bench_dispatch_host(o, report);
    if (!err)
        err = dispatch_grosr(o, report, samples);
    free(samples);
    return err;
}
