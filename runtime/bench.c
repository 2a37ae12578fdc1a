/*
 * The experiments' GROSR series, and their statistics. The baselines are in bench_cuda.c and bench_host.c.
 */
#include "bench.h"

#include "../tracer/clock.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WARM_UP     3u
#define THREADS_MAX 4u

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

void grosr_bench_add(struct grosr_bench_report *report, const char *series, bool baseline, uint64_t tasks,
                     double *samples, uint32_t count)
{
    struct grosr_bench_row *row = &report->row[report->rows];

    if (report->rows == GROSR_BENCH_ROWS || count == 0)
        return;
    report->rows++;
    qsort(samples, count, sizeof(*samples), compare);
    snprintf(row->series, sizeof(row->series), "%s", series);
    row->baseline = baseline;
    row->tasks = tasks;
    row->samples = count;
    row->lowest_ns = samples[0];
    row->median_ns = samples[count / 2];
    row->p99_ns = samples[(uint64_t)(count - 1) * 99 / 100];
    row->highest_ns = samples[count - 1];
}

double *grosr_bench_samples(uint32_t count)
{
    double *samples = (double *)malloc((count + 1) * sizeof(*samples));

    if (!samples)
        grosr_fail(ENOMEM, "out of memory for %u samples", count);
    return samples;
}

static int open_runtime(const struct grosr_bench_options *o, struct grosr_bench_report *report, grosr **rt)
{
    struct grosr_options options = GROSR_OPTIONS_DEFAULT;

    options.device = report->device.device;
    options.program = "bench";
    options.workers = o->workers;
    options.level = GROSR_LEVEL_OFF; /* as the baselines: untraced */
    return grosr_open(rt, &options);
}

/* ---- dispatch ---- */

/* Threads that submit a share of the tasks each, from one barrier to the next. */
struct producers {
    grosr *rt;
    unsigned threads;
    uint64_t tasks; /* in all */
    struct grosr_task *task;
    struct grosr_result *result;
    pthread_barrier_t start, end;
    uint32_t rounds;
    int err[THREADS_MAX];
};

struct producer {
    struct producers *all;
    unsigned index;
};

static void submit_share(struct producers *p, unsigned index)
{
    uint64_t from = p->tasks * index / p->threads, to = p->tasks * (index + 1) / p->threads, first;
    int err = grosr_submit(p->rt, p->task + from, to - from, p->result + from, &first);

    if (!err)
        err = grosr_wait(p->rt, first + (to - from), GROSR_FOREVER);
    if (err)
        p->err[index] = err;
}

static void *producer_main(void *arg)
{
    struct producer *me = (struct producer *)arg;

    for (uint32_t i = 0; i < me->all->rounds; i++) {
        pthread_barrier_wait(&me->all->start);
        submit_share(me->all, me->index);
        pthread_barrier_wait(&me->all->end);
    }
    return NULL;
}

static int time_producers(const struct grosr_bench_options *o, struct grosr_bench_report *report,
                          struct producers *p, double *samples)
{
    struct producer arg[THREADS_MAX];
    pthread_t thread[THREADS_MAX];
    char series[64];

    memset(p->err, 0, sizeof(p->err));
    p->rounds = WARM_UP + o->repetitions;
    pthread_barrier_init(&p->start, NULL, p->threads);
    pthread_barrier_init(&p->end, NULL, p->threads);
    for (unsigned i = 1; i < p->threads; i++) {
        arg[i] = (struct producer){p, i};
        if (pthread_create(&thread[i], NULL, producer_main, &arg[i]))
            abort(); /* the others wait at a barrier for it */
    }
    for (uint32_t i = 0; i < p->rounds; i++) {
        memset(p->result, 0xff, p->tasks * sizeof(*p->result));
        pthread_barrier_wait(&p->start);
        uint64_t start = grosr_host_clock_ns();
        submit_share(p, 0);
        pthread_barrier_wait(&p->end);
        if (i >= WARM_UP)
            samples[i - WARM_UP] = (double)(grosr_host_clock_ns() - start);
        for (uint64_t k = 0; k < p->tasks; k++)
            report->errors += p->result[k].status != 0 || p->result[k].value != grosr_bench_result(k);
    }
    for (unsigned i = 1; i < p->threads; i++)
        pthread_join(thread[i], NULL);
    pthread_barrier_destroy(&p->start);
    pthread_barrier_destroy(&p->end);
    for (unsigned i = 0; i < p->threads; i++)
        if (p->err[i])
            return p->err[i];
    snprintf(series, sizeof(series), "GROSR, host-fed by %u thread%s", p->threads, p->threads > 1 ? "s" : "");
    grosr_bench_add(report, series, false, p->tasks, samples, o->repetitions);
    return 0;
}

static int dispatch_grosr(const struct grosr_bench_options *o, struct grosr_bench_report *report)
{
    struct producers p = {.tasks = o->tasks};
    double *samples = grosr_bench_samples(o->repetitions);
    int err = samples ? open_runtime(o, report, &p.rt) : -ENOMEM;

    p.task = (struct grosr_task *)malloc(o->tasks * sizeof(*p.task));
    p.result = (struct grosr_result *)malloc(o->tasks * sizeof(*p.result));
    if (!err && (!p.task || !p.result))
        err = grosr_fail(ENOMEM, "out of memory for %llu tasks", (unsigned long long)o->tasks);
    for (uint64_t i = 0; !err && i < o->tasks; i++)
        p.task[i] = (struct grosr_task){.function = GROSR_FN_ADD, .a = (uint32_t)i, .b = 3 * i};
    for (p.threads = 1; !err && p.threads <= THREADS_MAX && p.threads <= o->tasks; p.threads *= 4)
        err = *o->stop ? -ECANCELED : time_producers(o, report, &p, samples);
    if (p.rt) {
        int closed = grosr_close(p.rt);
        err = err ? err : closed;
    }
    free(p.task);
    free(p.result);
    free(samples);
    return err;
}

/* ---- pingpong ---- */

static int pingpong_grosr(const struct grosr_bench_options *o, struct grosr_bench_report *report)
{
    uint32_t trips = (uint32_t)o->tasks, warm = trips / 10 + 1;
    double *samples = grosr_bench_samples(trips);
    grosr *rt = NULL;
    int err = samples ? open_runtime(o, report, &rt) : -ENOMEM;

    for (uint32_t i = 0; !err && i < warm + trips; i++) {
        struct grosr_task task = {.function = GROSR_FN_ADD, .a = i, .b = 3 * (uint64_t)i};
        struct grosr_result result = {0, -1};
        uint64_t first, start = grosr_host_clock_ns();
        err = grosr_submit(rt, &task, 1, &result, &first);
        if (!err)
            err = grosr_wait(rt, first + 1, GROSR_FOREVER);
        if (i >= warm)
            samples[i - warm] = (double)(grosr_host_clock_ns() - start);
        report->errors += !err && (result.status != 0 || result.value != grosr_bench_result(i));
        if (*o->stop)
            err = -ECANCELED;
    }
    if (rt) {
        int closed = grosr_close(rt);
        err = err ? err : closed;
    }
    if (!err)
        grosr_bench_add(report, "GROSR, host to task to host", false, 1, samples, trips);
    free(samples);
    return err;
}

/* ---- both ---- */

/* The device that "auto" and the names stand for. */
static int find_device(const char *name, struct grosr_device_info *device)
{
    struct grosr_device_info all[16];
    uint32_t n = grosr_devices(all, 16);

    for (uint32_t i = 0; i < n && i < 16; i++)
        if (!strcmp(name, "auto") || !strcmp(name, all[i].device)) {
            *device = all[i];
            return 0;
        }
    return grosr_fail(ENODEV, "no CUDA device: %s", grosr_cuda_absent());
}

static int dispatch(const struct grosr_bench_options *o, struct grosr_bench_report *report)
{
    int err = find_device(o->device, &report->device);

    if (!err)
        err = !strcmp(report->device.device, "cuda") ? grosr_bench_dispatch_cuda(o, report)
                                                     : grosr_bench_dispatch_host(o, report);
    return err ? err : dispatch_grosr(o, report);
}

static int pingpong(const struct grosr_bench_options *o, struct grosr_bench_report *report)
{
    int err = find_device(o->device, &report->device);

    if (!err)
        err = !strcmp(report->device.device, "cuda") ? grosr_bench_pingpong_cuda(o, report)
                                                     : grosr_bench_pingpong_host(o, report);
    return err ? err : pingpong_grosr(o, report);
}

const struct grosr_bench grosr_benches[] = {
    {"dispatch", "many tiny tasks, from the first submission to the last result (Experiments 0 and B)", 10000,
     dispatch},
    {"pingpong", "one dependent step after the other: the latency of a round trip (Experiment A)", 20000,
     pingpong},
    {NULL, NULL, 0, NULL},
};
