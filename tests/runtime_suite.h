/* The runtime's promises, on whichever device: shared by tests/unit/runtime.c (host) and
 * tests/cuda/runtime.c. */
#ifndef GROSR_RUNTIME_SUITE_H
#define GROSR_RUNTIME_SUITE_H

#include "../runtime/grosr.h"
#include "../tracer/clock.h"
#include "../tracer/ring.h"
#include "tap.h"

#include <errno.h>
#include <pthread.h>
#include <unistd.h>

static struct grosr_options suite_options(const char *device)
{
    struct grosr_options o = GROSR_OPTIONS_DEFAULT;
    o.device = device;
    o.program = "test";
    return o;
}

static inline grosr *suite_open(const struct grosr_options *o)
{
    grosr *rt;
    if (grosr_open(&rt, o)) {
        printf("Bail out! %s\n", grosr_error());
        exit(1);
    }
    return rt;
}

static inline void suite_basics(const char *device)
{
    struct grosr_options o = suite_options(device);
    grosr *rt = suite_open(&o);
    struct grosr_task tasks[4] = {{GROSR_FN_ADD, 2, 3},
                                  {GROSR_FN_MUL, UINT32_MAX, UINT64_MAX},
                                  {999, 0, 0},
                                  {GROSR_FN_ADD, UINT32_MAX, UINT64_C(0xfedcba9876543210)}};
    struct grosr_result r[4];
    uint64_t first;

    is(grosr_wait(rt, 0, 0), 0, "waiting for nothing returns at once");
    is(grosr_submit(rt, tasks, 0, NULL, &first), 0, "an empty batch");
    is(first, 0, "takes no number");
    is(grosr_submit(rt, tasks, 4, r, &first), 0, "four tasks");
    is(grosr_wait(rt, first + 4, 30000000000u), 0, "run");
    is(r[0].value, 5, "2 + 3");
    ok(r[1].value == (uint64_t)UINT32_MAX * UINT64_MAX && r[1].status == 0, "all 64 bits of a product");
    is(r[2].status, -ENOSYS, "a function that does not exist is told in the status");
    ok(r[3].value == UINT64_C(0xfedcba9876543210) + UINT32_MAX, "all 96 bits of arguments");
    is(grosr_submit(rt, tasks, 2, NULL, NULL), 0, "results and number may go unasked");
    is(grosr_drain(rt, 30000000000u), 0, "drained");
    tasks[0] = (struct grosr_task){GROSR_FN_SPIN, 0, 200000000};
    grosr_submit(rt, tasks, 1, r, &first);
    is(grosr_wait(rt, first + 1, 1000000), -ETIMEDOUT, "a wait times out");
    is(grosr_wait(rt, UINT64_MAX, GROSR_FOREVER), 0, "and can be repeated");
    ok(r[0].value >= 200000000, "the task has not been disturbed");
    is(grosr_finish(rt), 0, "finished");
    is(sys_load_relaxed(&grosr_session_live(grosr_runtime_session(rt))->state), GROSR_SESSION_CLOSED,
       "the session is closed");
    is(grosr_close(rt), 0, "closed");
    is(grosr_close(NULL), 0, "closing nothing is allowed");
}

static inline void suite_bad_options(const char *device)
{
    struct grosr_options o = suite_options(device);
    grosr *rt;

    o.workers = GROSR_MAX_WORKERS + 1;
    is(grosr_open(&rt, &o), -EINVAL, "too many workers: %s", grosr_error());
    o = suite_options(device);
    o.queue_capacity = 3;
    is(grosr_open(&rt, &o), -EINVAL, "a queue of 3: %s", grosr_error());
    o = suite_options("toaster");
    is(grosr_open(&rt, &o), -EINVAL, "an unknown device: %s", grosr_error());
    o = suite_options(device);
    o.ring_events = 1;
    is(grosr_open(&rt, &o), -EINVAL, "a ring of 1: %s", grosr_error());
    o = suite_options(device);
    o.collector_pid = 0x7ffffff0;
    is(grosr_open(&rt, &o), -ECHILD, "a collector that does not exist: %s", grosr_error());
}

static inline void suite_stop(const char *device)
{
    struct grosr_options o = suite_options(device);
    enum { N = 20000 };
    static struct grosr_task tasks[N];
    static struct grosr_result r[N];
    grosr *rt;
    uint64_t done = 0, cancelled = 0, other = 0;

    o.workers = 2;
    rt = suite_open(&o);
    for (int i = 0; i < N; i++) {
        tasks[i] = (struct grosr_task){GROSR_FN_SPIN, 0, 100000};
        r[i].status = 12345;
    }
    is(grosr_submit(rt, tasks, N, r, NULL), 0, "more work than there is time for");
    grosr_wait(rt, 1, GROSR_FOREVER);
    grosr_stop(rt);
    is(grosr_drain(rt, GROSR_FOREVER), -ECANCELED, "after a stop a wait does not wait");
    is(grosr_submit(rt, tasks, 1, NULL, NULL), -ECANCELED, "nor is anything submitted");
    is(grosr_finish(rt), 0, "finished");
    for (int i = 0; i < N; i++) {
        done += r[i].status == 0 && r[i].value >= 100000;
        cancelled += r[i].status == -ECANCELED;
        other += r[i].status == 12345;
    }
    ok(done >= 1 && cancelled >= 1 && done + cancelled == N && other == 0,
       "every task ran or was cancelled: %" PRIu64 " and %" PRIu64, done, cancelled);
    grosr_close(rt);
}

struct suite_producer {
    grosr *rt;
    uint64_t seed, tasks, errors;
};

static inline void *suite_produce(void *arg)
{
    struct suite_producer *p = (struct suite_producer *)arg;
    struct grosr_task tasks[300];
    struct grosr_result results[300];
    uint64_t first, done = 0;

    while (done < p->tasks) {
        uint64_t n = 1 + tap_random(&p->seed) % 300;
        if (n > p->tasks - done)
            n = p->tasks - done;
        for (uint64_t i = 0; i < n; i++)
            tasks[i] =
                (struct grosr_task){GROSR_FN_ADD, (uint32_t)tap_random(&p->seed), tap_random(&p->seed)};
        memset(results, 0xee, sizeof(results));
        if (grosr_submit(p->rt, tasks, n, results, &first) || grosr_wait(p->rt, first + n, GROSR_FOREVER)) {
            p->errors++;
            break;
        }
        for (uint64_t i = 0; i < n; i++)
            p->errors += results[i].status != 0 || results[i].value != tasks[i].a + tasks[i].b;
        done += n;
    }
    return NULL;
}

/* Several threads, a queue of the given capacity, rings too small: every task once, with its own result. */
static inline void suite_producers(const char *device, uint32_t capacity, uint32_t workers, unsigned threads,
                                   uint64_t tasks)
{
    struct grosr_options o = suite_options(device);
    struct suite_producer p[8];
    struct grosr_ring_counts n;
    pthread_t thread[8];
    uint64_t errors = 0, unbalanced = 0;
    grosr *rt;

    o.queue_capacity = capacity;
    o.workers = workers;
    o.ring_events = 64;
    rt = suite_open(&o);
    for (unsigned i = 0; i < threads; i++) {
        p[i] = (struct suite_producer){rt, i * 77 + capacity, tasks / threads, 0};
        pthread_create(&thread[i], NULL, suite_produce, &p[i]);
    }
    for (unsigned i = 0; i < threads; i++) {
        pthread_join(thread[i], NULL);
        errors += p[i].errors;
    }
    is(errors, 0, "%u threads, a queue of %u, %u workers: every result right", threads, capacity, workers);
    is(grosr_finish(rt), 0, "finished");
    const struct grosr_session *s = grosr_runtime_session(rt);
    uint64_t enqueued, dequeued, ran = 0;
    grosr_session_queue_counts(s, 0, &enqueued, &dequeued);
    for (uint32_t i = 0; i < s->header.workers; i++)
        ran += sys_load_pair_relaxed(&grosr_session_worker(s, i)->counts).lo;
    ok(enqueued == tasks / threads * threads && dequeued == enqueued && ran == enqueued,
       "the counters agree: %" PRIu64 " enqueued, taken and run", enqueued);
    for (uint32_t i = 0; i < s->header.rings; i++) {
        grosr_ring_count(s, i, &n);
        unbalanced += !n.closed || n.written < n.read + n.dropped + n.overwritten;
    }
    is(unbalanced, 0, "every ring was closed");
    grosr_close(rt);
}

#endif
