/*
 * The experiments' GROSR series. The baselines are in bench_cuda.c and bench_host.c, statistics in
 * bench_report.c, what an idle kernel costs in bench_idle.c, the collector's steps in bench_store.c, what an
 * event costs in bench_event_cost.c.
 */
#include "bench.h"

#include "../../tracer/clock/clock.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define WARM_UP     3u
#define THREADS_MAX 8u
/* For what must end in time. A task takes far less than TIMEOUT_TASK_NS on any device. */
#define TIMEOUT_NS      60000000000u
#define TIMEOUT_TASK_NS 100000u

bool grosr_bench_on_cuda(const struct grosr_bench_report *report)
{
    return !strcmp(report->device.device, "cuda");
}

int grosr_bench_open(const struct grosr_bench_report *report, uint32_t workers, uint32_t sms, grosr **rt)
{
    struct grosr_options options = GROSR_OPTIONS_DEFAULT;
    char device[32];

    snprintf(device, sizeof(device), grosr_bench_on_cuda(report) ? "cuda:%u" : "host",
             report->device.ordinal);
    options.device = device;
    options.name = "bench";
    options.workers = workers;
    options.sms = sms;
    options.level = GROSR_LEVEL_OFF; /* as the baselines: untraced */
    return grosr_open(rt, &options);
}

int grosr_bench_wait(grosr *rt, uint64_t task, uint64_t tasks)
{
    int err = grosr_wait(rt, task, TIMEOUT_NS + tasks * TIMEOUT_TASK_NS);

    if (err == -ETIMEDOUT)
        grosr_stop(rt);
    return err;
}

int grosr_bench_sleep(const struct grosr_bench_options *o, uint64_t ns)
{
    uint64_t start = grosr_host_clock_ns(), passed = 0;

    while (passed < ns) {
        uint64_t left = ns - passed < 50000000u ? ns - passed : 50000000u;
        struct timespec pause = {0, (long)left};
        if (*o->stop)
            return -ECANCELED;
        nanosleep(&pause, NULL);
        passed = grosr_host_clock_ns() - start;
    }
    return 0;
}

/* ---- tasks fed by the host ---- */

/* Threads that submit a share of the tasks each, from one barrier to the next. */
struct producers {
    grosr *rt;
    unsigned threads;
    uint64_t tasks; /* in all */
    struct grosr_task *task;
    struct grosr_result *result;
    uint64_t spin_ns; /* 0: tiny tasks; else each task computes for so long */
    pthread_barrier_t start, end;
    bool go; /* after the start: another round, or the end. Written before it by the first thread. */
    int err[THREADS_MAX];
    char failure[THREADS_MAX][256];
};

struct producer {
    struct producers *all;
    unsigned index;
};

/* Room for `tasks`. */
static int make_tasks(struct producers *p, uint64_t tasks)
{
    p->task = (struct grosr_task *)malloc(tasks * sizeof(*p->task));
    p->result = (struct grosr_result *)malloc(tasks * sizeof(*p->result));
    if (!p->task || !p->result)
        return grosr_fail(ENOMEM, "out of memory for %llu tasks", (unsigned long long)tasks);
    return 0;
}

static void fill_tasks(struct producers *p)
{
    for (uint64_t i = 0; i < p->tasks; i++)
        p->task[i] = p->spin_ns ? (struct grosr_task){.function = GROSR_FN_SPIN, .b = p->spin_ns}
                                : (struct grosr_task){.function = GROSR_FN_ADD, .a = (uint32_t)i, .b = 3 * i};
}

static uint64_t wrong_results(const struct producers *p)
{
    uint64_t n = 0;

    for (uint64_t i = 0; i < p->tasks; i++) {
        uint64_t value = p->result[i].value;
        bool right = p->spin_ns ? value >= p->spin_ns : value == grosr_bench_result(i);
        n += p->result[i].status != 0 || !right;
    }
    return n;
}

static void submit_share(struct producers *p, unsigned index)
{
    uint64_t from = p->tasks * index / p->threads, to = p->tasks * (index + 1) / p->threads, first;
    int err = grosr_submit(p->rt, p->task + from, to - from, p->result + from, &first);

    if (!err)
        err = grosr_bench_wait(p->rt, first + (to - from), p->tasks);
    if (err) {
        p->err[index] = err;
        snprintf(p->failure[index], sizeof(p->failure[index]), "%s", grosr_error());
    }
}

static void *producer_main(void *arg)
{
    struct producer *me = (struct producer *)arg;

    for (;;) {
        pthread_barrier_wait(&me->all->start);
        if (!me->all->go)
            return NULL;
        submit_share(me->all, me->index);
        pthread_barrier_wait(&me->all->end);
    }
}

static int any_failure(const struct producers *p)
{
    for (unsigned i = 0; i < p->threads; i++)
        if (p->err[i])
            return grosr_fail(-p->err[i], "%s", p->failure[i]);
    return 0;
}

/* Takes o->repetitions samples. */
static int time_producers(const struct grosr_bench_options *o, struct grosr_bench_report *report,
                          struct producers *p, double *samples)
{
    struct producer arg[THREADS_MAX];
    pthread_t thread[THREADS_MAX];
    int err = 0;

    memset(p->err, 0, sizeof(p->err));
    fill_tasks(p);
    pthread_barrier_init(&p->start, NULL, p->threads);
    pthread_barrier_init(&p->end, NULL, p->threads);
    for (unsigned i = 1; i < p->threads; i++) {
        arg[i] = (struct producer){p, i};
        if (pthread_create(&thread[i], NULL, producer_main, &arg[i]))
            abort(); /* the others wait at a barrier for it */
    }
    for (uint32_t i = 0; !err && i < WARM_UP + o->repetitions; i++) {
        memset(p->result, 0xff, p->tasks * sizeof(*p->result));
        p->go = true;
        pthread_barrier_wait(&p->start);
        uint64_t start = grosr_host_clock_ns();
        submit_share(p, 0);
        pthread_barrier_wait(&p->end);
        if (i >= WARM_UP)
            samples[i - WARM_UP] = (double)(grosr_host_clock_ns() - start);
        err = any_failure(p);
        if (!err)
            report->errors += wrong_results(p);
        if (!err && *o->stop)
            err = -ECANCELED;
    }
    p->go = false;
    pthread_barrier_wait(&p->start);
    for (unsigned i = 1; i < p->threads; i++)
        pthread_join(thread[i], NULL);
    pthread_barrier_destroy(&p->start);
    pthread_barrier_destroy(&p->end);
    return err;
}

static void series_name(char *to, size_t size, unsigned threads)
{
    snprintf(to, size, "GROSR, host-fed by %u thread%s", threads, threads > 1 ? "s" : "");
}

static int close_producers(struct producers *p, int err)
{
    int closed = grosr_close(p->rt); /* until then results are the runtime's to write */

    free(p->task);
    free(p->result);
    return err ? err : closed;
}

/* ---- dispatch ---- */

static int dispatch_grosr(const struct grosr_bench_options *o, struct grosr_bench_report *report,
                          double *samples)
{
    struct producers p = {.tasks = o->tasks};
    char series[64];
    int err = make_tasks(&p, o->tasks);

    if (!err)
        err = grosr_bench_open(report, o->workers, 0, &p.rt);
    for (p.threads = 1; !err && p.threads <= 4 && p.threads <= o->tasks; p.threads *= 4) {
        err = time_producers(o, report, &p, samples);
        series_name(series, sizeof(series), p.threads);
        if (!err)
            grosr_bench_add(report, series, false, p.tasks, samples, o->repetitions);
    }
    if (!err)
        err = grosr_bench_device_fed(o, p.rt, report, GROSR_BENCH_NO_AXIS, o->tasks, samples);
    return close_producers(&p, err);
}

static int dispatch(const struct grosr_bench_options *o, struct grosr_bench_report *report)
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

/* ---- pingpong ---- */

static int pingpong_grosr(const struct grosr_bench_options *o, struct grosr_bench_report *report)
{
    uint32_t trips = (uint32_t)o->tasks, warm = trips / 10 + 1;
    double *samples = grosr_bench_samples(trips);
    grosr *rt = NULL;
    int err = samples ? grosr_bench_open(report, o->workers, 0, &rt) : -ENOMEM;

    for (uint32_t i = 0; !err && i < warm + trips; i++) {
        struct grosr_task task = {.function = GROSR_FN_ADD, .a = i, .b = 3 * (uint64_t)i};
        struct grosr_result result = {0, -1};
        uint64_t first, start = grosr_host_clock_ns();
        err = grosr_submit(rt, &task, 1, &result, &first);
        if (!err)
            err = grosr_bench_wait(rt, first + 1, 1);
        if (i >= warm)
            samples[i - warm] = (double)(grosr_host_clock_ns() - start);
        report->errors += !err && (result.status != 0 || result.value != grosr_bench_result(i));
        if (!err && *o->stop)
            err = -ECANCELED;
    }
    int closed = grosr_close(rt);
    err = err ? err : closed;
    if (!err)
        grosr_bench_add(report, "GROSR, host to task to host", false, 1, samples, trips);
    free(samples);
    return err;
}

static int pingpong(const struct grosr_bench_options *o, struct grosr_bench_report *report)
{
    int err = grosr_bench_on_cuda(report) ? grosr_bench_pingpong_cuda(o, report)
                                          : grosr_bench_pingpong_host(o, report);

    if (!err)
        err = pingpong_grosr(o, report);
    return err ? err : grosr_bench_chains(o, report);
}

/* ---- scale ---- */

/* Of the sweeps over SMs and producers. A task that computes shows how a runtime scales; with tiny ones the
 * host's thread is the limit. */
#define SWEEP_TASKS_CUDA 1000000u
#define SWEEP_TASKS_HOST 10000u
#define SPIN_TASKS_CUDA  100000u
#define SPIN_TASKS_HOST  2000u
#define SPIN_NS_CUDA     100000u
#define SPIN_NS_HOST     20000u

uint32_t grosr_bench_sweep(uint64_t most, uint64_t count[GROSR_BENCH_SWEEP])
{
    static const uint64_t steps[] = {1, 2, 5};
    uint64_t decade = 1000;
    uint32_t n = 0;

    while (decade > 1 && decade > most / 10)
        decade /= 10;
    for (uint32_t i = 0; decade * steps[i % 3] < most && n < GROSR_BENCH_SWEEP - 1; i++) {
        count[n++] = decade * steps[i % 3];
        if (i % 3 == 2)
            decade *= 10;
    }
    count[n++] = most;
    return n;
}

static uint64_t at_most(uint64_t tasks, uint64_t limit)
{
    return tasks < limit ? tasks : limit;
}

static int scale_tasks(const struct grosr_bench_options *o, struct grosr_bench_report *report,
                       double *samples)
{
    uint64_t count[GROSR_BENCH_SWEEP];
    uint32_t counts = grosr_bench_sweep(o->tasks, count);
    struct producers p = {.threads = 1};
    int err = make_tasks(&p, o->tasks);

    if (!err)
        err = grosr_bench_open(report, o->workers, 0, &p.rt);
    for (uint32_t i = 0; !err && i < counts; i++) {
        p.tasks = count[i];
        err = time_producers(o, report, &p, samples);
        if (!err)
            grosr_bench_add_at(report, "GROSR, host-fed by 1 thread", false, GROSR_BENCH_TASKS,
                               (double)p.tasks, p.tasks, samples, o->repetitions);
    }
    for (uint32_t i = 0; !err && i < counts; i++)
        err = grosr_bench_device_fed(o, p.rt, report, GROSR_BENCH_TASKS, count[i], samples);
    return close_producers(&p, err);
}

static int scale_producers(const struct grosr_bench_options *o, struct grosr_bench_report *report,
                           double *samples)
{
    bool cuda = grosr_bench_on_cuda(report);
    struct producers p = {.tasks = at_most(o->tasks, cuda ? SWEEP_TASKS_CUDA : SWEEP_TASKS_HOST)};
    int err = make_tasks(&p, p.tasks);

    if (!err)
        err = grosr_bench_open(report, o->workers, 0, &p.rt);
    for (p.threads = 1; !err && p.threads <= THREADS_MAX && p.threads <= p.tasks; p.threads *= 2) {
        err = time_producers(o, report, &p, samples);
        if (!err)
            grosr_bench_add_at(report, "GROSR, host-fed", false, GROSR_BENCH_PRODUCERS, p.threads, p.tasks,
                               samples, o->repetitions);
    }
    return close_producers(&p, err);
}

/* One runtime of `sms` SMs (on the host device, workers): tiny tasks, and tasks that compute. */
static int scale_sms_at(const struct grosr_bench_options *o, struct grosr_bench_report *report,
                        struct producers *p, uint32_t sms, uint32_t per_sm, double *samples)
{
    bool cuda = grosr_bench_on_cuda(report);
    enum grosr_bench_axis axis = cuda ? GROSR_BENCH_SMS : GROSR_BENCH_WORKERS;
    uint64_t tiny = at_most(o->tasks, cuda ? SWEEP_TASKS_CUDA : SWEEP_TASKS_HOST),
             spin = at_most(o->tasks, cuda ? SPIN_TASKS_CUDA : SPIN_TASKS_HOST);
    char series[64];
    int err = grosr_bench_open(report, sms * per_sm, sms, &p->rt), closed;

    p->spin_ns = 0;
    p->tasks = tiny;
    if (!err && !(err = time_producers(o, report, p, samples)))
        grosr_bench_add_at(report, "GROSR, tiny tasks", false, axis, sms, tiny, samples, o->repetitions);
    p->spin_ns = cuda ? SPIN_NS_CUDA : SPIN_NS_HOST;
    p->tasks = spin;
    snprintf(series, sizeof(series), "GROSR, tasks of %u us", (unsigned)(p->spin_ns / 1000));
    if (!err && !(err = time_producers(o, report, p, samples)))
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
    struct producers p = {.threads = 1};
    int err = make_tasks(&p, at_most(o->tasks, cuda ? SWEEP_TASKS_CUDA : SWEEP_TASKS_HOST));

    for (uint32_t sms = 1; !err && sms < most - most / 4; sms *= 2) /* 128 beside 132 would tell nothing */
        err = scale_sms_at(o, report, &p, sms, workers / most, samples);
    if (!err)
        err = scale_sms_at(o, report, &p, most, workers / most, samples);
    return close_producers(&p, err);
}

static int scale(const struct grosr_bench_options *o, struct grosr_bench_report *report)
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

/* ---- all ---- */

int grosr_bench_run(const struct grosr_bench *b, const struct grosr_bench_options *options,
                    struct grosr_bench_report *report)
{
    struct grosr_bench_options o = *options;
    int err;

    memset(report, 0, sizeof(*report));
    if ((err = grosr_find_device(o.device, &report->device)))
        return err;
    if (o.workers > report->device.max_workers)
        return grosr_fail(EINVAL, "%s runs at most %u workers, not %u", report->device.name,
                          report->device.max_workers, o.workers);
    if (o.tasks == 0)
        o.tasks = grosr_bench_on_cuda(report) ? b->tasks_cuda : b->tasks_host;
    if (o.repetitions == 0)
        o.repetitions = b->repetitions;
    report->tasks = o.tasks;
    report->repetitions = o.repetitions;
    report->workers = o.workers;
    report->unit = b->unit;
    grosr_bench_machine_begin(report);
    err = b->run(&o, report);
    grosr_bench_machine_end(report);
    return err ? err : report->err;
}

const struct grosr_bench grosr_benches[] = {
    {"dispatch", "many tiny tasks, from the first submission to the last result (Experiments 0 and B)",
     GROSR_BENCH_THROUGHPUT, 10000, 10000, 15, dispatch},
    {"pingpong", "one dependent step after the other: the latency of a round trip (Experiment A)",
     GROSR_BENCH_LATENCY, 20000, 20000, 0, pingpong},
    {"spawn", "trees of tasks that tasks make, grown and added up again, against one shared queue and graphs",
     GROSR_BENCH_THROUGHPUT, 100000000, 300000, 15, grosr_bench_spawn},
    {"scale", "the cost of a task with more tasks, more SMs and more producers, as curves",
     GROSR_BENCH_THROUGHPUT, 10000000, 100000, 15, scale},
    {"tracing", "what each trace level costs tasks of 1 us, 10 us and 100 us", GROSR_BENCH_SLOWDOWN, 1000000,
     20000, 15, grosr_bench_trace_levels},
    {"trace", "what one trace event costs in situ, at each level, beside an unbounded recorder of 8 bytes",
     GROSR_BENCH_EVENT_COST, 4096, 4096, 15, grosr_bench_event_cost},
    {"idle", "what an idle persistent kernel costs: power, CPU time, and other kernels' speed beside it",
     GROSR_BENCH_WATTS, 0, 0, 15, grosr_bench_idle},
    {"store", "what the collector's steps cost one core: events packed and stored, rows built, indexes made",
     GROSR_BENCH_EVENTS, 1000000, 1000000, 9, grosr_bench_store},
    {NULL, NULL, GROSR_BENCH_THROUGHPUT, 0, 0, 0, NULL},
};
