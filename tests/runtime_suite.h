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
#include <sched.h>
#include <unistd.h>

static struct grosr_options suite_options(const char *device)
{
    struct grosr_options o = GROSR_OPTIONS_DEFAULT;
    o.device = device;
    o.name = "test";
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

static inline struct grosr_task suite_task(uint16_t function, uint32_t a, uint64_t b)
{
    return (struct grosr_task){.function = function, .a = a, .b = b};
}

static inline void suite_basics(const char *device)
{
    struct grosr_options o = suite_options(device);
    grosr *rt = suite_open(&o);
    struct grosr_task tasks[4] = {suite_task(GROSR_FN_ADD, 2, 3),
                                  suite_task(GROSR_FN_MUL, UINT32_MAX, UINT64_MAX), suite_task(999, 0, 0),
                                  suite_task(GROSR_FN_ADD, UINT32_MAX, UINT64_C(0xfedcba9876543210))};
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
    tasks[0] = suite_task(GROSR_FN_SPIN, 0, 200000000);
    grosr_submit(rt, tasks, 1, r, &first);
    is(grosr_wait(rt, first + 1, 1000000), -ETIMEDOUT, "a wait times out");
    is(grosr_wait(rt, UINT64_MAX, GROSR_FOREVER), 0, "and can be repeated");
    ok(r[0].value >= 200000000, "the task has not been disturbed");
    is(grosr_finish(rt), 0, "finished");
    is(sys_load_relaxed(&grosr_session_live(grosr_runtime_session(rt))->state), GROSR_SESSION_CLOSED,
       "the session is closed");
    is(grosr_finish(rt), 0, "finishing again is allowed");
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
        tasks[i] = suite_task(GROSR_FN_SPIN, 0, 100000);
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
            tasks[i] = suite_task(GROSR_FN_ADD, (uint32_t)tap_random(&p->seed), tap_random(&p->seed));
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

/* ---- bad input ---- */

/* Refused calls that the host's ring tells of: a bit for each enum grosr_call, of internal.h. */
static inline uint32_t suite_refusals_recorded(const struct grosr_session *s)
{
    struct grosr_ring_reader reader;
    struct grosr_pair records[256];
    uint64_t first;
    uint32_t seen = 0, n;

    grosr_ring_reader_open(&reader, s, s->header.rings - 1);
    while ((n = grosr_ring_read(&reader, records, 256, &first)) > 0)
        for (uint32_t i = 0; i < n; i++)
            if (grosr_event_kind(records[i]) == GROSR_EV_API_ERROR)
                seen |= 1u << (grosr_event_payload(records[i]) & 31);
    return seen;
}

static inline void suite_count_calls(void *arg, uint64_t first, uint64_t count)
{
    (void)first;
    *(uint64_t *)arg += count;
}

static inline void suite_bad_input(const char *device)
{
    struct grosr_options o = suite_options(device);
    grosr *rt = suite_open(&o);
    struct grosr_task bad[3] = {suite_task(GROSR_FN_ADD, 1, 1), suite_task(GROSR_FN_ADD, 2, 2),
                                suite_task(GROSR_FN_ADD, 3, 3)};
    struct grosr_result r[3] = {{7, 7}, {7, 7}, {7, 7}};
    uint64_t first = 99, told = 0, marked = 77;

    is(grosr_submit(rt, NULL, 0, NULL, &first), 0, "no tasks, and no array");
    is(first, 0, "have the next number");
    is(grosr_submit(rt, NULL, 3, r, &first), -EINVAL, "tasks without an array: %s", grosr_error());
    is(grosr_submit(rt, bad, SIZE_MAX, r, &first), -EOVERFLOW, "too many: %s", grosr_error());
    bad[2].function = GROSR_FUNCTION_MAX + 1;
    is(grosr_submit(rt, bad, 3, r, &first), -EINVAL, "the last function is too large: %s", grosr_error());
    bad[2].function = UINT16_MAX;
    is(grosr_submit(rt, bad, 3, r, &first), -EINVAL, "the largest: %s", grosr_error());
    bad[2].function = GROSR_FN_ADD;
    bad[1].flags = GROSR_TASK_HIGH | 2;
    is(grosr_submit(rt, bad, 3, r, &first), -EINVAL, "unknown flags: %s", grosr_error());
    is(grosr_test(rt, 0, r), -EINVAL, "a task that does not exist: %s", grosr_error());
    is(grosr_on_completion(rt, NULL, NULL), -EINVAL, "nobody to call: %s", grosr_error());
    ok(first == 0 && r[0].value == 7 && r[2].status == 7, "nothing was submitted");
    is(grosr_cancel(rt, 5, UINT64_MAX, &marked), 0, "nothing to cancel");
    is(marked, 0, "is no error");
    bad[1].flags = GROSR_TASK_HIGH;
    bad[2].function = GROSR_FUNCTION_MAX;
    is(grosr_submit(rt, bad, 3, r, &first), 0, "the runtime is as usable as before");
    is(grosr_wait(rt, 3, GROSR_FOREVER), 0, "and runs them");
    ok(first == 0 && r[0].value == 2 && r[1].value == 4 && r[2].status == -ENOSYS, "right, by their numbers");
    is(grosr_on_completion(rt, suite_count_calls, &told), 0, "completions can be called back");
    is(grosr_on_completion(rt, suite_count_calls, &told), -EALREADY, "to one: %s", grosr_error());
    is(suite_refusals_recorded(grosr_runtime_session(rt)), 1 << 1 | 1 << 4 | 1 << 5,
       "submit, test and on_completion tell of it in the trace");
    is(grosr_finish(rt), 0, "finished");
    is(told, 0, "what was handed over before is not told again");
    is(grosr_submit(rt, bad, 1, r, &first), -ESHUTDOWN, "a submission comes too late: %s", grosr_error());
    is(grosr_submit(rt, NULL, 0, NULL, &first), -ESHUTDOWN, "an empty one too");
    is(grosr_on_completion(rt, suite_count_calls, &told), -ESHUTDOWN, "completions too: %s", grosr_error());
    is(grosr_drain(rt, GROSR_FOREVER), 0, "waiting does not");
    is(grosr_test(rt, 1, r), 2, "nor asking");
    is(grosr_cancel(rt, 0, UINT64_MAX, &marked), 0, "nor cancelling");
    is(marked, 0, "nothing");
    is(grosr_close(rt), 0, "closed");
    is(grosr_close(rt), -EALREADY, "once: %s", grosr_error());
    is(grosr_submit(rt, bad, 1, r, &first), -ESHUTDOWN, "after that everything comes too late: %s",
       grosr_error());
    is(grosr_wait(rt, 1, 0), -ESHUTDOWN, "wait");
    is(grosr_test(rt, 1, r), -ESHUTDOWN, "test");
    is(grosr_cancel(rt, 0, 1, NULL), -ESHUTDOWN, "cancel");
    is(grosr_on_completion(rt, suite_count_calls, &told), -ESHUTDOWN, "on_completion");
    is(grosr_finish(rt), -ESHUTDOWN, "finish");
    grosr_stop(rt);
    ok(grosr_runtime_session(rt) == NULL, "and there is no session");
}

/* ---- a worker that is held ---- */

/*
 * The first worker that has run a task stays before it tells of it, until the gate opens: on the host device
 * by a test point, on a GPU by a task that takes a while.
 */
#define SUITE_HELD_NS 300000000u

static dev32 suite_gate; /* 1: it is closed, 2: and a worker stands before it; 0: open */

static inline void suite_hold(const char *point)
{
    if (!strcmp(point, "task.done") && dev_cas_acquire(&suite_gate, 1, 2) == 1)
        while (dev_load_acquire(&suite_gate) == 2)
            sched_yield();
}

/* Opens a runtime and submits `count` additions, i + b; the first task's worker is held. */
static inline grosr *suite_open_held(const struct grosr_options *o, struct grosr_task *tasks, uint64_t count,
                                     uint64_t submit, struct grosr_result *results)
{
    bool host = !strcmp(o->device, "host");
    grosr *rt;

    dev_store_relaxed(&suite_gate, host ? 1u : 0u);
    if (host)
        dev_point_hook_fn = suite_hold;
    rt = suite_open(o);
    for (uint64_t i = 0; i < count; i++) {
        tasks[i] = suite_task(GROSR_FN_ADD, (uint32_t)i, 1000);
        results[i] = (struct grosr_result){0, 12345};
    }
    if (!host)
        tasks[0] = suite_task(GROSR_FN_SPIN, 0, SUITE_HELD_NS);
    if (grosr_submit(rt, tasks, submit, results, NULL))
        printf("Bail out! %s\n", grosr_error());
    while (dev_load_acquire(&suite_gate) == 1)
        sched_yield();
    return rt;
}

static inline void suite_release(void)
{
    dev_store_release(&suite_gate, 0u);
}

/* How many were cancelled; the others' results must be right. */
static inline uint64_t suite_count_cancelled(const struct grosr_task *tasks,
                                             const struct grosr_result *results, uint64_t count,
                                             uint64_t *errors)
{
    uint64_t cancelled = 0;

    for (uint64_t i = 0; i < count; i++) {
        bool right = tasks[i].function == GROSR_FN_SPIN ? results[i].value >= tasks[i].b
                                                        : results[i].value == tasks[i].a + tasks[i].b;
        cancelled += results[i].status == -ECANCELED && results[i].value == 0;
        *errors += results[i].status != -ECANCELED && !(results[i].status == 0 && right);
    }
    return cancelled;
}

enum { SUITE_HELD = 1000, SUITE_FETCHED = 32 }; /* what a worker fetches at most */

static inline void suite_cancel(const char *device)
{
    static struct grosr_task tasks[SUITE_HELD];
    static struct grosr_result r[SUITE_HELD];
    struct grosr_options o = suite_options(device);
    uint64_t range = 0, again = 7, rest = 0, errors = 0, cancelled;

    o.workers = 1;
    grosr *rt = suite_open_held(&o, tasks, SUITE_HELD, SUITE_HELD, r);
    is(grosr_cancel(rt, 500, 100, &range), 0, "a range is cancelled");
    is(range, 100, "all of it: none had started");
    is(grosr_cancel(rt, 500, 100, &again), 0, "and once more");
    is(again, 0, "which changes nothing");
    is(grosr_cancel(rt, 0, UINT64_MAX, &rest), 0, "then everything");
    is(rest, SUITE_HELD - range, "all that is not done");
    suite_release();
    is(grosr_drain(rt, GROSR_FOREVER), 0, "and all complete");
    cancelled = suite_count_cancelled(tasks, r, SUITE_HELD, &errors);
    is(errors, 0, "cancelled, or with the right result");
    ok(cancelled >= SUITE_HELD - SUITE_FETCHED && cancelled < SUITE_HELD,
       "what had been fetched ran: %" PRIu64 " cancelled", cancelled);
    tasks[0] = suite_task(GROSR_FN_ADD, 1, 2);
    is(grosr_submit(rt, tasks, 1, r, NULL), 0, "tasks that come later");
    is(grosr_drain(rt, GROSR_FOREVER), 0, "are not meant");
    ok(r[0].status == 0 && r[0].value == 3, "they run");
    is(grosr_close(rt), 0, "closed");
}

struct suite_blocked {
    grosr *rt;
    struct grosr_task *tasks;
    struct grosr_result *results;
    uint64_t count;
    int err;
};

static inline void *suite_submit_blocked(void *arg)
{
    struct suite_blocked *b = (struct suite_blocked *)arg;

    b->err = grosr_submit(b->rt, b->tasks, b->count, b->results, NULL);
    return NULL;
}

/* A submission that waits for room is cancelled too. */
static inline void suite_cancel_blocked(const char *device)
{
    static struct grosr_task tasks[SUITE_HELD];
    static struct grosr_result r[SUITE_HELD];
    struct grosr_options o = suite_options(device);
    uint64_t part = 0, rest = 0, errors = 0, cancelled, enqueued;
    struct suite_blocked b;
    pthread_t thread;

    o.workers = 1;
    o.queue_capacity = 64;
    b = (struct suite_blocked){suite_open_held(&o, tasks, SUITE_HELD, 1, r), tasks + 1, r + 1, SUITE_HELD - 1,
                               1};
    pthread_create(&thread, NULL, suite_submit_blocked, &b);
    do
        grosr_session_queue_counts(grosr_runtime_session(b.rt), 0, &enqueued, NULL);
    while (enqueued < o.queue_capacity);
    is(grosr_cancel(b.rt, 10, 500, &part), 0, "tasks 10 to 509, most of which wait for room");
    is(part, 500, "all of them");
    is(grosr_cancel(b.rt, 400, 200, &rest), 0, "and another 200");
    is(rest, 90, "of which 110 had been");
    suite_release();
    pthread_join(thread, NULL);
    is(b.err, 0, "all are submitted");
    is(grosr_drain(b.rt, GROSR_FOREVER), 0, "and complete");
    cancelled = suite_count_cancelled(tasks, r, SUITE_HELD, &errors);
    is(errors, 0, "cancelled, or with the right result");
    ok(cancelled >= 590 - SUITE_FETCHED && cancelled <= 590 && r[9].status == 0 && r[600].status == 0 &&
           r[64].status == -ECANCELED && r[599].status == -ECANCELED,
       "those that were meant: %" PRIu64, cancelled);
    is(grosr_close(b.rt), 0, "closed");
}

/* Tasks behind one that takes long are known to be done. */
static inline void suite_test(const char *device)
{
    static struct grosr_task tasks[SUITE_HELD];
    static struct grosr_result r[SUITE_HELD];
    struct grosr_options o = suite_options(device);
    struct grosr_result one;
    uint64_t done, wrong = 0;

    o.workers = 4;
    grosr *rt = suite_open_held(&o, tasks, SUITE_HELD, SUITE_HELD, r);
    do {
        done = 0;
        for (uint64_t i = 0; i < SUITE_HELD; i++) {
            int state = grosr_test(rt, i, &one);
            done += state == 1;
            wrong += state < 0 || state > 1 ||
                     (state == 1 && (one.status != 0 || one.value != tasks[i].a + tasks[i].b));
        }
    } while (!wrong && done < SUITE_HELD - SUITE_FETCHED);
    is(wrong, 0, "results are there before their turn, and right");
    ok(done < SUITE_HELD && r[SUITE_HELD - 1].status == 12345, "without any having been handed over");
    suite_release();
    is(grosr_drain(rt, GROSR_FOREVER), 0, "drained");
    one = (struct grosr_result){3, 4};
    ok(grosr_test(rt, 0, &one) == 2 && grosr_test(rt, SUITE_HELD - 1, NULL) == 2 && one.value == 3 &&
           one.status == 4,
       "now they are where their batch wanted them");
    is(grosr_test(rt, SUITE_HELD, NULL), -EINVAL, "and the next has not been submitted");
    is(grosr_close(rt), 0, "closed");
}

/* ---- completions called back ---- */

struct suite_told {
    grosr *rt;
    struct grosr_task *tasks;
    struct grosr_result *results;
    uint64_t submitted, limit; /* by the callback */
    uint64_t next, errors;
};

static inline void suite_on_completion(void *arg, uint64_t first, uint64_t count)
{
    struct suite_told *t = (struct suite_told *)arg;

    t->errors += first != t->next || count == 0;
    for (uint64_t i = first; i < first + count; i++)
        t->errors += t->results[i].status == 12345;
    t->errors += grosr_finish(t->rt) != -EDEADLK || grosr_close(t->rt) != -EDEADLK;
    t->errors += grosr_wait(t->rt, first + count, 0) != 0;
    t->next = first + count;
    if (t->submitted == t->limit)
        return;
    uint64_t number = UINT64_MAX;
    int err = grosr_submit(t->rt, t->tasks + t->submitted, 10, t->results + t->submitted, &number);
    t->errors += err && err != -ECANCELED && err != -ESHUTDOWN;
    /* A stop that comes while it waits for room leaves the batch its numbers. */
    t->submitted += number == UINT64_MAX ? 0 : 10;
}

static inline void suite_callbacks(const char *device, bool stop)
{
    enum { N = 20000 };
    static struct grosr_task tasks[N];
    static struct grosr_result r[N];
    struct grosr_options o = suite_options(device);
    struct suite_told t = {NULL, tasks, r, N / 2, N, 0, 0};
    uint64_t errors = 0, cancelled;

    o.queue_capacity = 256;
    t.rt = suite_open(&o);
    for (uint64_t i = 0; i < N; i++) {
        tasks[i] = suite_task(GROSR_FN_ADD, (uint32_t)i, i);
        r[i].status = 12345;
    }
    is(grosr_on_completion(t.rt, suite_on_completion, &t), 0, "completions are called back");
    int err = grosr_submit(t.rt, tasks, N / 2, r, NULL);
    is(err, 0, "%d tasks, for which nobody waits", N / 2);
    if (stop)
        grosr_stop(t.rt);
    is(grosr_finish(t.rt), 0, "finished");
    is(t.errors, 0, "every result was in place when it was told, in order; what is not allowed was refused");
    is(t.next, t.submitted, "all tasks were told, %" PRIu64 " of them submitted meanwhile",
       t.submitted - N / 2);
    cancelled = suite_count_cancelled(tasks, r, t.next, &errors);
    ok(errors == 0 && (stop || cancelled == 0), "with their results, %" PRIu64 " cancelled", cancelled);
    is(grosr_close(t.rt), 0, "closed");
}

/* ---- everything at once ---- */

struct suite_chaos {
    grosr *rt;
    uint64_t seed, count, attempted, errors;
    uint32_t capacity;
    bool to_the_end; /* call until the runtime is closed: nothing may be freed under a call */
    int err;         /* the submission's that failed */
    struct grosr_task *tasks;
    struct grosr_result *results;
};

static inline void *suite_chaos_producer(void *arg)
{
    struct suite_chaos *c = (struct suite_chaos *)arg;
    struct grosr_result one;
    uint64_t first;

    while (!c->err && c->attempted < c->count) {
        uint64_t n = tap_random(&c->seed) % (tap_random(&c->seed) % 8 ? 40 : 3 * c->capacity + 2);
        uint64_t at = c->attempted;
        n = n < c->count - at ? n : c->count - at;
        c->attempted += n;
        c->err = grosr_submit(c->rt, c->tasks + at, n, c->results + at, &first);
        if (c->err || n == 0)
            continue;
        if (tap_random(&c->seed) % 4 == 0) {
            int err = grosr_wait(c->rt, first + n, GROSR_FOREVER);
            c->errors += err && err != -ECANCELED && err != -ESHUTDOWN;
        }
        int state = grosr_test(c->rt, first + n - 1, &one);
        c->errors += state == 1 && one.status != -ECANCELED &&
                     one.value != c->tasks[at + n - 1].a + c->tasks[at + n - 1].b;
    }
    while (c->to_the_end && grosr_test(c->rt, 0, &one) != -ESHUTDOWN)
        sched_yield();
    return NULL;
}

struct suite_closer {
    grosr *rt;
    int err;
};

static inline void *suite_close_thread(void *arg)
{
    struct suite_closer *c = (struct suite_closer *)arg;

    c->err = grosr_close(c->rt);
    return NULL;
}

enum suite_chaos_kind { SUITE_CANCEL = 1, SUITE_STOP = 2, SUITE_CLOSE = 4 };

/*
 * Producers with batches of 0 to three queues, among them high-priority tasks; beside them, by `kind`, random
 * ranges are cancelled, the runtime is stopped at a random moment, or two threads close it while all that
 * goes on. Every task of every batch ends exactly once: with its own result, or cancelled.
 */
static inline void suite_chaos(const char *device, uint32_t capacity, uint32_t workers, unsigned threads,
                               uint64_t tasks, unsigned kind, uint64_t seed)
{
    struct grosr_options o = suite_options(device);
    struct suite_chaos p[8];
    struct suite_closer closer[2];
    pthread_t thread[8], close_thread[2];
    uint64_t errors = 0, marked = 0, cancelled = 0, submitted = 0, n, enqueued, taken;

    o.queue_capacity = capacity;
    o.workers = workers;
    o.ring_events = 64;
    grosr *rt = suite_open(&o);
    for (unsigned i = 0; i < threads; i++) {
        p[i] = (struct suite_chaos){.rt = rt,
                                    .seed = seed * 1000 + i + 1,
                                    .count = tasks / threads,
                                    .capacity = capacity,
                                    .to_the_end = kind & SUITE_CLOSE};
        p[i].tasks = (struct grosr_task *)malloc(p[i].count * sizeof(*p[i].tasks));
        p[i].results = (struct grosr_result *)malloc(p[i].count * sizeof(*p[i].results));
        for (uint64_t k = 0; k < p[i].count; k++) {
            p[i].tasks[k] = suite_task(GROSR_FN_ADD, (uint32_t)tap_random(&seed), tap_random(&seed));
            p[i].tasks[k].flags = tap_random(&seed) % 16 ? 0 : GROSR_TASK_HIGH;
            p[i].results[k] = (struct grosr_result){1, 12345};
        }
        pthread_create(&thread[i], NULL, suite_chaos_producer, &p[i]);
    }
    for (unsigned round = 0; round < 40 && kind; round++) {
        grosr_session_queue_counts(grosr_runtime_session(rt), 0, &enqueued, &taken);
        errors += taken > enqueued;
        if (kind & SUITE_CANCEL) {
            uint64_t first = enqueued + tap_random(&seed) % (2 * capacity) - capacity;
            int err = grosr_cancel(rt, round == 20 ? 0 : first,
                                   round == 20 ? UINT64_MAX : tap_random(&seed) % 200, &n);
            errors += err != 0;
            marked += n;
        }
        if (round == 30 && kind & SUITE_STOP)
            grosr_stop(rt);
        usleep((useconds_t)(tap_random(&seed) % 300));
    }
    for (unsigned i = 0; i < 2 && kind & SUITE_CLOSE; i++) {
        closer[i] = (struct suite_closer){rt, 1};
        pthread_create(&close_thread[i], NULL, suite_close_thread, &closer[i]);
    }
    for (unsigned i = 0; i < threads; i++)
        pthread_join(thread[i], NULL);
    if (kind & SUITE_CLOSE) {
        pthread_join(close_thread[0], NULL);
        pthread_join(close_thread[1], NULL);
        ok((closer[0].err == 0 && closer[1].err == -EALREADY) ||
               (closer[1].err == 0 && closer[0].err == -EALREADY),
           "one thread closes it, the other is told so: %d and %d", closer[0].err, closer[1].err);
    } else {
        is(grosr_finish(rt), 0, "finished");
    }
    for (unsigned i = 0; i < threads; i++) {
        /* A batch that was refused as a whole is untouched. */
        uint64_t numbered = p[i].attempted;
        while (p[i].err && numbered && p[i].results[numbered - 1].status == 12345)
            numbered--;
        submitted += numbered;
        cancelled += suite_count_cancelled(p[i].tasks, p[i].results, numbered, &p[i].errors);
        for (uint64_t k = numbered; k < p[i].count; k++)
            p[i].errors += p[i].results[k].status != 12345 || p[i].results[k].value != 1;
        p[i].errors += p[i].err && !(p[i].err == -ECANCELED && kind & (SUITE_STOP | SUITE_CLOSE)) &&
                       !(p[i].err == -ESHUTDOWN && kind & SUITE_CLOSE);
        errors += p[i].errors;
        free(p[i].tasks);
        free(p[i].results);
    }
    is(errors, 0,
       "%u threads, a queue of %u, %u workers%s%s%s: every task ended once, %" PRIu64 " of %" PRIu64
       " cancelled",
       threads, capacity, workers, kind & SUITE_CANCEL ? ", cancelling" : "",
       kind & SUITE_STOP ? ", stopped" : "", kind & SUITE_CLOSE ? ", closed" : "", cancelled, submitted);
    if (!(kind & (SUITE_STOP | SUITE_CLOSE))) {
        grosr_session_queue_counts(grosr_runtime_session(rt), 0, &enqueued, &taken);
        ok(submitted == tasks / threads * threads && enqueued == submitted && taken == submitted &&
               cancelled <= marked,
           "all were submitted, and taken; %" PRIu64 " had been marked", marked);
    }
    if (!(kind & SUITE_CLOSE))
        grosr_close(rt);
}

static inline bool suite_adds(grosr *rt, uint32_t a)
{
    struct grosr_task tasks[1000];
    struct grosr_result r[1000];
    uint64_t first;

    for (uint32_t i = 0; i < 1000; i++)
        tasks[i] = suite_task(GROSR_FN_ADD, a, i);
    if (grosr_submit(rt, tasks, 1000, r, &first) || grosr_wait(rt, first + 1000, 30000000000u))
        return false;
    for (uint32_t i = 0; i < 1000; i++)
        if (r[i].status || r[i].value != a + i)
            return false;
    return true;
}

/* Two runtimes in one process, `sms` of each: each does its own tasks, and closing one leaves the other be.
 */
static inline void suite_several(const char *one, const char *two, uint32_t sms)
{
    struct grosr_options o = suite_options(one);
    grosr *a, *b;

    o.sms = sms;
    a = suite_open(&o);
    o.device = two;
    b = suite_open(&o);
    ok(suite_adds(a, 1) && suite_adds(b, 2) && suite_adds(a, 3), "two runtimes, on %s and %s, both run", one,
       two);
    is(grosr_close(a), 0, "one is closed");
    ok(suite_adds(b, 4), "the other runs on");
    o.device = one;
    a = suite_open(&o);
    ok(suite_adds(a, 5) && suite_adds(b, 6), "beside a new one");
    is(grosr_close(b), 0, "it is closed");
    ok(suite_adds(a, 7), "the new one runs on");
    is(grosr_close(a), 0, "and is closed");
}

/* Names of devices, and programs that do not go with the library. */
static inline void suite_programs(void)
{
    struct grosr_program p = {.launch_bytes = 1};
    struct grosr_options o = suite_options("host");
    struct grosr_device_info device;
    grosr *rt;

    o.program = &p;
    is(grosr_open(&rt, &o), -EINVAL, "a program of another version is refused: %s", grosr_error());
    is(grosr_find_device("host", &device), 0, "the host device is there");
    ok(!strcmp(device.device, "host"), "and is called that");
    is(grosr_find_device("auto", &device), 0, "some device always is");
    is(grosr_find_device("cuda:4294967296", &device), -ENODEV, "no such GPU: %s", grosr_error());
    static const char *const bad[] = {"", "cuda:", "cuda:x", "cuda:-1", "cuda1", "host:0", "gpu"};
    for (uint32_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        is(grosr_find_device(bad[i], &device), -EINVAL, "no name of a device: '%s'", bad[i]);
}

#endif
