/*
 * What disturbs tasks that are under way, on any device: cancellation, stops, several threads at once, and
 * callbacks. Each task ends once, with its result or as cancelled.
 */
#ifndef GROSR_DISTURBANCE_SUITE_H
#define GROSR_DISTURBANCE_SUITE_H

#include "runtime_suite.h"

/*
 * The first worker that has run a task is held before it writes the result, until the gate opens: on the host
 * device by a test point, on a GPU by a task that takes a while.
 */
#define SUITE_HELD_NS 300000000u

static dev32 suite_gate; /* 1: it is closed, 2: and a worker stands before it; 0: open */

static inline void suite_hold(const char *point)
{
    if (!strcmp(point, "task.done") && dev_cas_acquire(&suite_gate, 1, 2) == 1)
        while (dev_load_acquire(&suite_gate) == 2)
            usleep(100);
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
        usleep(100);
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
    ok(done < SUITE_HELD && r[SUITE_HELD - 1].status == 12345, "without any having been delivered");
    suite_release();
    is(grosr_drain(rt, GROSR_FOREVER), 0, "drained");
    one = (struct grosr_result){3, 4};
    ok(grosr_test(rt, 0, &one) == 2 && grosr_test(rt, SUITE_HELD - 1, NULL) == 2 && one.value == 3 &&
           one.status == 4,
       "now they are in their batch's results");
    is(grosr_test(rt, SUITE_HELD, NULL), -EINVAL, "and the next has not been submitted");
    is(grosr_close(rt), 0, "closed");
}

/* ---- completions called back ---- */

struct suite_reported {
    grosr *rt;
    struct grosr_task *tasks;
    struct grosr_result *results;
    uint64_t submitted, limit; /* by the callback */
    uint64_t next, errors;
};

static inline void suite_on_completion(void *arg, uint64_t first, uint64_t count)
{
    struct suite_reported *t = (struct suite_reported *)arg;

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
    enum { MAX = 20000 };
    static struct grosr_task tasks[MAX];
    static struct grosr_result r[MAX];
    const uint32_t n = suite_amount(device, MAX, 1000);
    struct grosr_options o = suite_options(device);
    struct suite_reported t = {NULL, tasks, r, n / 2, n, 0, 0};
    uint64_t errors = 0, cancelled;

    o.queue_capacity = 256;
    t.rt = suite_open(&o);
    for (uint64_t i = 0; i < n; i++) {
        tasks[i] = suite_task(GROSR_FN_ADD, (uint32_t)i, i);
        r[i].status = 12345;
    }
    is(grosr_on_completion(t.rt, suite_on_completion, &t), 0, "completions are called back");
    int err = grosr_submit(t.rt, tasks, n / 2, r, NULL);
    is(err, 0, "%u tasks, for which nobody waits", n / 2);
    if (stop)
        grosr_stop(t.rt);
    is(grosr_finish(t.rt), 0, "finished");
    is(t.errors, 0, "every result was in place when it was reported, in order; forbidden calls were refused");
    is(t.next, t.submitted, "all tasks were reported, %" PRIu64 " of them submitted by the callback",
       t.submitted - n / 2);
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
 * ranges are cancelled, the runtime is stopped at a random moment, or two threads close it at the same
 * time. Every task of every batch ends exactly once: with its own result, or cancelled.
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
           "one thread closes it, the other is refused: %d and %d", closer[0].err, closer[1].err);
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

#endif
