/*
 * Experiment `pingpong`: the latency of one dependent step after the other. The host submits a task when the
 * result of the one before it has arrived; steps between tasks are in bench_spawn.c.
 */
#include "bench.h"

#include "../../tracer/clock/clock.h"

#include <errno.h>
#include <stdlib.h>

static int pingpong_grosr(const struct grosr_bench_options *o, struct grosr_bench_report *report)
{
    uint32_t trips = (uint32_t)o->tasks, warm = trips / 10 + 1;
    const char *series = "GROSR, host to task to host";
    double *samples = grosr_bench_samples(trips);
    grosr *rt = NULL;
    int err;

    grosr_bench_begin(report, series, false);
    err = samples ? grosr_bench_open(report, o->workers, 0, &rt) : -ENOMEM;
    for (uint32_t i = 0; !err && i < warm + trips; i++) {
        struct grosr_task task = {.function = GROSR_FN_ADD, .a = i, .b = 3 * (uint64_t)i};
        struct grosr_result result = {0, -1};
        grosr_bench_round(report, i, warm);
        uint64_t first, start = grosr_host_clock_ns();
        err = grosr_submit(rt, &task, 1, &result, &first);
        if (!err)
            err = grosr_bench_wait(rt, first + 1, 1);
        if (i >= warm)
            samples[i - warm] = (double)(grosr_host_clock_ns() - start);
        if (!err)
            grosr_bench_check_result(report, i, grosr_bench_result(i), &result);
        if (!err && *o->stop)
            err = -ECANCELED;
    }
    int closed = grosr_close(rt);
    err = err ? err : closed;
    if (!err)
        grosr_bench_add(report, series, false, 1, samples, trips);
    free(samples);
    return err;
}

int grosr_bench_pingpong(const struct grosr_bench_options *o, struct grosr_bench_report *report)
{
    int err = grosr_bench_on_cuda(report) ? grosr_bench_pingpong_cuda(o, report)
                                          : grosr_bench_pingpong_host(o, report);

    if (!err)
        err = pingpong_grosr(o, report);
    return err ? err : grosr_bench_chains(o, report);
}
