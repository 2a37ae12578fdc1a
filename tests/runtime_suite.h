/* The runtime's promises, on whichever device: shared by tests/unit/runtime.c (host) and
 * tests/cuda/runtime.c. */
#ifndef GROSR_RUNTIME_SUITE_H
#define GROSR_RUNTIME_SUITE_H

#include "../runtime/grosr.h"
#include "../tracer/clock/clock.h"
#include "../tracer/session/ring.h"
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

/* A random number, in any thread and lane. */
static inline uint64_t suite_random(void)
{
    static dev64 calls;
    uint64_t state = grosr_host_clock_ns() + dev_add_relaxed(&calls, UINT64_C(0x9e3779b97f4a7c15));

    state += !state;
    return tap_random(&state);
}

/*
 * How much of something a test does. The host's lanes take turns at every step of a warp, which is tens of
 * times as slow as a warp of one lane: they do the few.
 */
static inline uint32_t suite_amount(const char *device, uint32_t many, uint32_t few)
{
    return GROSR_HOST_LANES > 1 && !strcmp(device, "host") ? few : many;
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
    is(r[2].status, -ENOSYS, "a function that does not exist is reported in the status");
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

/* Refused calls that the host's ring records: a bit for each enum grosr_call, of internal.h. */
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
    uint64_t first = 99, reported = 0, marked = 77;

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
    is(grosr_on_completion(rt, suite_count_calls, &reported), 0, "completions can be called back");
    is(grosr_on_completion(rt, suite_count_calls, &reported), -EALREADY, "to one: %s", grosr_error());
    is(suite_refusals_recorded(grosr_runtime_session(rt)), 1 << 1 | 1 << 4 | 1 << 5,
       "submit, test and on_completion record it in the trace");
    is(grosr_finish(rt), 0, "finished");
    is(reported, 0, "what was delivered before is not reported again");
    is(grosr_submit(rt, bad, 1, r, &first), -ESHUTDOWN, "a submission comes too late: %s", grosr_error());
    is(grosr_submit(rt, NULL, 0, NULL, &first), -ESHUTDOWN, "an empty one too");
    is(grosr_on_completion(rt, suite_count_calls, &reported), -ESHUTDOWN, "completions too: %s",
       grosr_error());
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
    is(grosr_on_completion(rt, suite_count_calls, &reported), -ESHUTDOWN, "on_completion");
    is(grosr_finish(rt), -ESHUTDOWN, "finish");
    grosr_stop(rt);
    ok(grosr_runtime_session(rt) == NULL, "and there is no session");
}

/* ---- a worker that is held ---- */

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
