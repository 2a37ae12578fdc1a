/*
 * Baselines on the host device: what one would write with threads.
 */
#include "bench.h"

#include "../../tracer/clock/clock.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>

#define WARM_UP 3u
#define BATCH   1000u

/* A queue under a mutex, with condition variables: the textbook's. */
struct mutex_queue {
    pthread_mutex_t lock;
    pthread_cond_t not_empty, done;
    uint64_t next, end, finished; /* tasks below `end` may be taken; `finished` of them are done */
    bool stop;
    uint64_t *result;
};

static void *mutex_worker(void *arg)
{
    struct mutex_queue *q = (struct mutex_queue *)arg;

    pthread_mutex_lock(&q->lock);
    for (;;) {
        while (q->next == q->end && !q->stop)
            pthread_cond_wait(&q->not_empty, &q->lock);
        if (q->next == q->end)
            break;
        uint64_t i = q->next++;
        pthread_mutex_unlock(&q->lock);
        q->result[i] = grosr_bench_result(i);
        pthread_mutex_lock(&q->lock);
        if (++q->finished == q->end)
            pthread_cond_signal(&q->done);
    }
    pthread_mutex_unlock(&q->lock);
    return NULL;
}

static int start_queue(struct mutex_queue *q, pthread_t *thread, uint32_t threads, uint64_t tasks)
{
    memset(q, 0, sizeof(*q));
    pthread_mutex_init(&q->lock, NULL);
    pthread_cond_init(&q->not_empty, NULL);
    pthread_cond_init(&q->done, NULL);
    q->result = (uint64_t *)malloc(tasks * sizeof(*q->result));
    if (!q->result)
        return grosr_fail(ENOMEM, "out of memory");
    for (uint32_t i = 0; i < threads; i++)
        if (pthread_create(&thread[i], NULL, mutex_worker, q))
            abort();
    return 0;
}

static void stop_queue(struct mutex_queue *q, pthread_t *thread, uint32_t threads)
{
    pthread_mutex_lock(&q->lock);
    q->stop = true;
    pthread_cond_broadcast(&q->not_empty);
    pthread_mutex_unlock(&q->lock);
    for (uint32_t i = 0; q->result && i < threads; i++)
        pthread_join(thread[i], NULL);
    free(q->result);
    pthread_mutex_destroy(&q->lock);
    pthread_cond_destroy(&q->not_empty);
    pthread_cond_destroy(&q->done);
}

/* Tasks one by one into the queue, then the wait for the last. */
static void feed(struct mutex_queue *q, uint64_t count)
{
    for (uint64_t i = 0; i < count; i++) {
        pthread_mutex_lock(&q->lock);
        q->end++;
        pthread_cond_signal(&q->not_empty);
        pthread_mutex_unlock(&q->lock);
    }
    pthread_mutex_lock(&q->lock);
    while (q->finished < q->end)
        pthread_cond_wait(&q->done, &q->lock);
    pthread_mutex_unlock(&q->lock);
}

static void check_results(struct grosr_bench_report *report, const uint64_t *result, uint64_t tasks)
{
    for (uint64_t i = 0; i < tasks; i++)
        grosr_bench_check(report, "task", i, grosr_bench_result(i), result[i]);
}

/* o->repetitions samples of the mutex queue, at each number of tasks; `axis` says whether they are a sweep.
 */
static int time_mutex(const struct grosr_bench_options *o, struct grosr_bench_report *report,
                      enum grosr_bench_axis axis, const uint64_t *count, uint32_t counts, double *samples)
{
    uint32_t threads = o->workers ? o->workers : report->device.default_workers;
    pthread_t *thread = (pthread_t *)malloc(threads * sizeof(*thread));
    const char *series = "mutex queue with threads";
    struct mutex_queue q;
    int err;

    grosr_bench_begin(report, series, true);
    if (!thread)
        return grosr_fail(ENOMEM, "out of memory");
    err = start_queue(&q, thread, threads, o->tasks);
    for (uint32_t c = 0; !err && c < counts; c++) {
        grosr_bench_begin_at(report, series, true, axis, (double)count[c]);
        for (uint32_t i = 0; !err && i < WARM_UP + o->repetitions; i++) {
            grosr_bench_round(report, i, WARM_UP);
            pthread_mutex_lock(&q.lock);
            q.next = q.end = q.finished = 0;
            memset(q.result, 0xff, count[c] * sizeof(*q.result));
            pthread_mutex_unlock(&q.lock);
            uint64_t start = grosr_host_clock_ns();
            feed(&q, count[c]);
            if (i >= WARM_UP)
                samples[i - WARM_UP] = (double)(grosr_host_clock_ns() - start);
            check_results(report, q.result, count[c]);
            err = *o->stop ? -ECANCELED : 0;
        }
        if (!err)
            grosr_bench_add_at(report, series, true, axis, (double)count[c], count[c], samples,
                               o->repetitions);
    }
    stop_queue(&q, thread, threads);
    free(thread);
    return err;
}

struct share {
    uint64_t from, to, *result;
};

static void *run_share(void *arg)
{
    struct share *s = (struct share *)arg;

    for (uint64_t i = s->from; i < s->to; i++)
        s->result[i] = grosr_bench_result(i);
    return NULL;
}

static int dispatch_threads(const struct grosr_bench_options *o, struct grosr_bench_report *report,
                            double *samples)
{
    uint64_t *result = (uint64_t *)malloc(o->tasks * sizeof(*result));
    const char *series = "a thread for every 1,000 tasks";
    int err = result ? 0 : grosr_fail(ENOMEM, "out of memory");

    grosr_bench_begin(report, series, true);
    for (uint32_t i = 0; !err && i < WARM_UP + o->repetitions; i++) {
        grosr_bench_round(report, i, WARM_UP);
        memset(result, 0xff, o->tasks * sizeof(*result));
        uint64_t start = grosr_host_clock_ns();
        for (uint64_t from = 0; !err && from < o->tasks; from += BATCH) {
            struct share s = {from, from + BATCH < o->tasks ? from + BATCH : o->tasks, result};
            pthread_t thread;
            err = -pthread_create(&thread, NULL, run_share, &s);
            if (!err)
                pthread_join(thread, NULL);
        }
        if (i >= WARM_UP)
            samples[i - WARM_UP] = (double)(grosr_host_clock_ns() - start);
        if (err) {
            grosr_fail(-err, "cannot start a thread: %s", strerror(-err));
            break;
        }
        check_results(report, result, o->tasks);
        err = *o->stop ? -ECANCELED : 0;
    }
    free(result);
    if (!err)
        grosr_bench_add(report, series, true, o->tasks, samples, o->repetitions);
    return err;
}

int grosr_bench_dispatch_host(const struct grosr_bench_options *o, struct grosr_bench_report *report)
{
    double *samples = grosr_bench_samples(o->repetitions);
    int err = samples ? time_mutex(o, report, GROSR_BENCH_NO_AXIS, &o->tasks, 1, samples) : -ENOMEM;

    if (!err)
        err = dispatch_threads(o, report, samples);
    free(samples);
    return err;
}

/* ---- scale ---- */

int grosr_bench_scale_host(const struct grosr_bench_options *o, struct grosr_bench_report *report)
{
    uint64_t count[GROSR_BENCH_SWEEP];
    uint32_t counts = grosr_bench_sweep(o->tasks, count);
    double *samples = grosr_bench_samples(o->repetitions);
    int err = samples ? time_mutex(o, report, GROSR_BENCH_TASKS, count, counts, samples) : -ENOMEM;

    free(samples);
    return err;
}

/* ---- pingpong ---- */

struct echo {
    sys32 request, response;
    uint32_t last;
};

static void *echo_main(void *arg)
{
    struct echo *e = (struct echo *)arg;
    uint32_t seen = 0, step = 0;

    while (seen != e->last) {
        uint32_t request = sys_load_acquire(&e->request); /* pairs with pingpong_echo() */
        if (request == seen) {
            dev_backoff(&step);
            continue;
        }
        step = 0;
        sys_store_release(&e->response, seen = request); /* pairs with pingpong_echo() */
    }
    return NULL;
}

/* Two words and two threads: the floor. */
static int pingpong_echo(const struct grosr_bench_options *o, struct grosr_bench_report *report,
                         double *samples)
{
    uint32_t trips = (uint32_t)o->tasks;
    struct echo e = {.last = trips};
    const char *series = "bare echo between two threads (the floor)";
    pthread_t thread;
    int err = -pthread_create(&thread, NULL, echo_main, &e);

    grosr_bench_begin(report, series, true);
    if (err)
        return grosr_fail(-err, "cannot start a thread: %s", strerror(-err));
    for (uint32_t i = 1; i <= trips; i++) {
        uint64_t start = grosr_host_clock_ns();
        uint32_t step = 0;
        sys_store_release(&e.request, i);          /* pairs with echo_main() */
        while (sys_load_acquire(&e.response) != i) /* pairs with echo_main() */
            dev_backoff(&step);
        samples[i - 1] = (double)(grosr_host_clock_ns() - start);
    }
    pthread_join(thread, NULL);
    grosr_bench_add(report, series, true, 1, samples, trips);
    return 0;
}

static int pingpong_mutex(const struct grosr_bench_options *o, struct grosr_bench_report *report,
                          double *samples)
{
    uint32_t trips = (uint32_t)o->tasks;
    const char *series = "mutex queue with one thread";
    struct mutex_queue q;
    pthread_t thread;
    int err;

    grosr_bench_begin(report, series, true);
    err = start_queue(&q, &thread, 1, trips);
    for (uint32_t i = 0; !err && i < trips; i++) {
        uint64_t start = grosr_host_clock_ns();
        feed(&q, 1);
        samples[i] = (double)(grosr_host_clock_ns() - start);
        err = *o->stop ? -ECANCELED : 0;
    }
    if (!err)
        check_results(report, q.result, trips);
    stop_queue(&q, &thread, 1);
    if (!err)
        grosr_bench_add(report, series, true, 1, samples, trips);
    return err;
}

int grosr_bench_pingpong_host(const struct grosr_bench_options *o, struct grosr_bench_report *report)
{
    double *samples = grosr_bench_samples((uint32_t)o->tasks);
    int err = samples ? pingpong_echo(o, report, samples) : -ENOMEM;

    if (!err)
        err = pingpong_mutex(o, report, samples);
    free(samples);
    return err;
}
