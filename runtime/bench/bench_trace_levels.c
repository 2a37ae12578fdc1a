/*
 * Experiment `tracing`: what each trace level costs tasks of some length. Rings are overwritten, as without a
 * collector: what is measured is the workers' side. The runtime is kept small, so that the workers and not
 * the host's thread are the limit.
 */
#include "bench.h"

#include "../../tracer/clock/clock.h"
#include "../../tracer/session/level.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define WARM_UP    2u
#define LEVELS     4u
#define ROUNDS_MAX 64u /* tasks for each lane in a sample */

static int sample(grosr *rt, const struct grosr_task *tasks, struct grosr_result *results, uint64_t count,
                  uint64_t spin_ns, struct grosr_bench_report *report, double *ns)
{
    uint64_t first, start = grosr_host_clock_ns();
    int err = grosr_submit(rt, tasks, count, results, &first);

    if (!err)
        err = grosr_bench_wait(rt, first + count, count);
    *ns = (double)(grosr_host_clock_ns() - start);
    for (uint64_t i = 0; !err && i < count; i++)
        grosr_bench_check_spin(report, i, spin_ns, &results[i]);
    return err;
}

/* Times of `count` tasks of spin_ns at a level. */
static int time_level(const struct grosr_bench_options *o, struct grosr_bench_report *report, uint32_t level,
                      const struct grosr_task *tasks, struct grosr_result *results, uint64_t count,
                      uint64_t spin_ns, double *samples)
{
    bool cuda = grosr_bench_on_cuda(report);
    struct grosr_options options = GROSR_OPTIONS_DEFAULT;
    grosr *rt = NULL;
    int err;

    options.device = report->device.device;
    options.name = "bench";
    options.sms = cuda && report->device.sms > 8 ? 8 : 0;
    options.workers = o->workers ? o->workers
                      : cuda     ? 8 * (options.sms ? options.sms : report->device.sms)
                                 : 0;
    options.level = (enum grosr_level)level;
    options.overflow = GROSR_OVERFLOW_OVERWRITE;
    err = grosr_open(&rt, &options);
    for (uint32_t i = 0; !err && i < WARM_UP + o->repetitions; i++) {
        double ns;
        grosr_bench_round(report, i, WARM_UP);
        err = *o->stop ? -ECANCELED : sample(rt, tasks, results, count, spin_ns, report, &ns);
        if (!err && i >= WARM_UP)
            samples[i - WARM_UP] = ns;
    }
    int closed = grosr_close(rt); /* until then results are the runtime's to write */
    return err ? err : closed;
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* All levels, for tasks of one length; each level's times are divided by the median of `off`. */
static int time_length(const struct grosr_bench_options *o, struct grosr_bench_report *report,
                       uint64_t spin_ns, double *samples)
{
    uint64_t lanes = (uint64_t)report->device.lanes * (grosr_bench_on_cuda(report) ? 64 : 2);
    uint64_t count = lanes * ROUNDS_MAX < o->tasks ? lanes * ROUNDS_MAX : o->tasks;
    struct grosr_task *tasks = (struct grosr_task *)calloc(count, sizeof(*tasks));
    struct grosr_result *results = (struct grosr_result *)calloc(count, sizeof(*results));
    double off = 0;
    int err = tasks && results ? 0 : grosr_fail(ENOMEM, "out of memory");

    for (uint64_t i = 0; !err && i < count; i++)
        tasks[i] = (struct grosr_task){.function = GROSR_FN_SPIN, .b = spin_ns};
    for (uint32_t level = 0; !err && level < LEVELS; level++) {
        char series[80];
        snprintf(series, sizeof(series), "GROSR, tasks of %g us at `%s`, beside `off`",
                 (double)spin_ns * 1e-3, grosr_level_name(level));
        grosr_bench_begin(report, series, false);
        err = time_level(o, report, level, tasks, results, count, spin_ns, samples);
        if (err)
            break;
        if (level == 0) {
            qsort(samples, o->repetitions, sizeof(*samples), compare);
            off = samples[o->repetitions / 2];
        }
        for (uint32_t i = 0; i < o->repetitions; i++)
            samples[i] /= off;
        grosr_bench_add_value(report, series, level == 0, GROSR_BENCH_SLOWDOWN, samples, o->repetitions);
    }
    free(tasks);
    free(results);
    return err;
}

int grosr_bench_trace_levels(const struct grosr_bench_options *o, struct grosr_bench_report *report)
{
    static const uint64_t lengths_ns[] = {1000, 10000, 100000};
    double *samples = grosr_bench_samples(o->repetitions);
    int err = samples ? 0 : -ENOMEM;

    for (uint32_t i = 0; !err && i < sizeof(lengths_ns) / sizeof(lengths_ns[0]); i++)
        err = time_length(o, report, lengths_ns[i], samples);
    free(samples);
    return err;
}
