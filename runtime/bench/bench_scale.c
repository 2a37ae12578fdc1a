/*
 * Experiment `scale`: the cost of a task over the number of tasks, of SMs (on the host device, workers) and
 * of host threads that submit.
 */
#include "bench_producers.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

/* Of the sweeps over SMs and producers. A task that computes shows how a runtime scales; with tiny ones the
 * host's thread is the limit. */
#define SWEEP_TASKS_CUDA 1000000u
#define SWEEP_TASKS_HOST 10000u
#define SPIN_TASKS_CUDA  100000u
#define SPIN_TASKS_HOST  2000u
#define SPIN_NS_CUDA     100000u
#define SPIN_NS_HOST     20000u

static uint64_t at_most(uint64_t tasks, uint64_t limit)
{
    return tasks < limit ? tasks : limit;
}

static int scale_tasks(const struct grosr_bench_options *o, struct grosr_bench_report *report,
                       double *samples)
{
    uint64_t count[GROSR_BENCH_SWEEP];
    uint32_t counts = grosr_bench_sweep(o->tasks, count);
    struct grosr_bench_producers p = {.threads = 1};
    const char *series = "GROSR, host-fed by 1 thread";
    int err;

    grosr_bench_begin(report, series, false);
    err = grosr_bench_producers_make(&p, o->tasks);
    if (!err)
        err = grosr_bench_open(report, o->workers, 0, &p.rt);
    for (uint32_t i = 0; !err && i < counts; i++) {
        p.tasks = count[i];
        grosr_bench_begin_at(report, series, false, GROSR_BENCH_TASKS, (double)p.tasks);
        err = grosr_bench_producers_time(o, report, &p, samples);
        if (!err)
            grosr_bench_add_at(report, series, false, GROSR_BENCH_TASKS, (double)p.tasks, p.tasks, samples,
                               o->repetitions);
    }
    for (uint32_t i = 0; !err && i < counts; i++)
        err = grosr_bench_device_fed(o, p.rt, report, GROSR_BENCH_TASKS, count[i], samples);
    return grosr_bench_producers_close(&p, err);
}

static int scale_producers(const struct grosr_bench_options *o, struct grosr_bench_report *report,
                           double *samples)
{
    bool cuda = grosr_bench_on_cuda(report);
    struct grosr_bench_producers p = {.tasks = at_most(o->tasks, cuda ? SWEEP_TASKS_CUDA : SWEEP_TASKS_HOST)};
    const char *series = "GROSR, host-fed";
    int err;

    grosr_bench_begin(report, series, false);
    err = grosr_bench_producers_make(&p, p.tasks);
    if (!err)
        err = grosr_bench_open(report, o->workers, 0, &p.rt);
    for (p.threads = 1; !err && p.threads <= GROSR_BENCH_PRODUCERS_MAX && p.threads <= p.tasks;
         p.threads *= 2) {
        grosr_bench_begin_at(report, series, false, GROSR_BENCH_PRODUCERS, p.threads);
        err = grosr_bench_producers_time(o, report, &p, samples);
        if (!err)
            grosr_bench_add_at(report, series, false, GROSR_BENCH_PRODUCERS, p.threads, p.tasks, samples,
                               o->repetitions);
    }
    return grosr_bench_producers_close(&p, err);
}

/* One runtime of `sms` SMs (on the host device, workers): tiny tasks, and tasks that compute. */
static int scale_sms_at(const struct grosr_bench_options *o, struct grosr_bench_report *report,
                        struct grosr_bench_producers *p, uint32_t sms, uint32_t per_sm, double *samples)
{
    bool cuda = grosr_bench_on_cuda(report);
    enum grosr_bench_axis axis = cuda ? GROSR_BENCH_SMS : GROSR_BENCH_WORKERS;
    uint64_t tiny = at_most(o->tasks, cuda ? SWEEP_TASKS_CUDA : SWEEP_TASKS_HOST),
             spin = at_most(o->tasks, cuda ? SPIN_TASKS_CUDA : SPIN_TASKS_HOST);
    char series[64] = "GROSR, tiny tasks";
    int err, closed;

    p->spin_ns = 0;
    p->tasks = tiny;
    grosr_bench_begin_at(report, series, false, axis, sms);
    err = grosr_bench_open(report, sms * per_sm, sms, &p->rt);
    if (!err && !(err = grosr_bench_producers_time(o, report, p, samples)))
        grosr_bench_add_at(report, series, false, axis, sms, tiny, samples, o->repetitions);
    p->spin_ns = cuda ? SPIN_NS_CUDA : SPIN_NS_HOST;
    p->tasks = spin;
    snprintf(series, sizeof(series), "GROSR, tasks of %u us", (unsigned)(p->spin_ns / 1000));
    if (!err)
        grosr_bench_begin_at(report, series, false, axis, sms);
    if (!err && !(err = grosr_bench_producers_time(o, report, p, samples)))
        grosr_bench_add_at(report, series, false, axis, sms, spin, samples, o->repetitions);
    closed = grosr_close(p->rt);
    p->rt = NULL;
    return err ? err : closed;
}

static int scale_sms(const struct grosr_bench_options *o, struct grosr_bench_report *report, double *samples)
{
    bool cuda = grosr_bench_on_cuda(report);
    uint32_t workers = o->workers ? o->workers : report->device.default_workers;
    uint32_t most = cuda && workers > report->device.sms ? report->device.sms : workers;
    struct grosr_bench_producers p = {.threads = 1};
    int err = grosr_bench_producers_make(&p, at_most(o->tasks, cuda ? SWEEP_TASKS_CUDA : SWEEP_TASKS_HOST));

    for (uint32_t sms = 1; !err && sms < most - most / 4; sms *= 2) /* 128 beside 132 would tell nothing */
        err = scale_sms_at(o, report, &p, sms, workers / most, samples);
    if (!err)
        err = scale_sms_at(o, report, &p, most, workers / most, samples);
    return grosr_bench_producers_close(&p, err);
}

int grosr_bench_scale(const struct grosr_bench_options *o, struct grosr_bench_report *report)
{
    double *samples = grosr_bench_samples(o->repetitions);
    int err = samples ? 0 : -ENOMEM;

    if (!err)
        err = grosr_bench_on_cuda(report) ? grosr_bench_scale_cuda(o, report)
                                          : grosr_bench_scale_host(o, report);
    if (!err)
        err = scale_tasks(o, report, samples);
    if (!err)
        err = scale_sms(o, report, samples);
    if (!err)
        err = scale_producers(o, report, samples);
    free(samples);
    return err;
}
