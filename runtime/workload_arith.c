/*
 * Experiment 0. Even tasks add, odd ones multiply; the operands are a hash of the task's number, so that a
 * result that went to the wrong task, came twice or came from an earlier lap is wrong.
 *
 * Batches go round a window of result arrays: while the oldest is checked, the others are under way.
 */
#include "workload.h"

#include "../tracer/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define BATCH  4096u
#define WINDOW 32u /* batches under way */

struct slot {
    uint64_t from, count; /* task indexes of this workload */
    uint64_t first;       /* the runtime's number of the first */
    struct grosr_result results[BATCH];
};

/* Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014: the finaliser of
 * SplitMix64. */
static uint64_t hash(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

static struct grosr_task make_task(uint64_t i)
{
    struct grosr_task t = {0};

    t.function = i & 1 ? GROSR_FN_MUL : GROSR_FN_ADD;
    t.b = hash(i);
    t.a = (uint32_t)(t.b >> 17) ^ (uint32_t)i;
    return t;
}

static void check(const struct slot *s, struct grosr_workload_result *r)
{
    for (uint64_t k = 0; k < s->count; k++) {
        struct grosr_task t = make_task(s->from + k);
        uint64_t want = t.function == GROSR_FN_MUL ? t.a * t.b : t.a + t.b;
        if (s->results[k].status == 0)
            r->completed++;
        if (s->results[k].status == 0 && s->results[k].value == want)
            continue;
        r->errors++;
        if (!r->first_error[0])
            snprintf(r->first_error, sizeof(r->first_error),
                     "task %llu: value %llu, expected %llu; status %d", (unsigned long long)(s->first + k),
                     (unsigned long long)s->results[k].value, (unsigned long long)want, s->results[k].status);
    }
}

/* Waits for a batch and checks it. */
static int collect(grosr *rt, const struct slot *s, struct grosr_workload_result *r)
{
    int err = s->count ? grosr_wait(rt, s->first + s->count, GROSR_FOREVER) : 0;

    if (!err)
        check(s, r);
    return err;
}

static int round_of(grosr *rt, const struct grosr_workload_options *o, struct slot *window,
                    struct grosr_workload_result *r)
{
    struct grosr_task tasks[BATCH];
    uint64_t done = 0, turn = 0;
    int err = 0;

    for (uint32_t i = 0; i < WINDOW; i++)
        window[i].count = 0;
    while (!err && done < o->tasks) {
        struct slot *s = &window[turn++ % WINDOW];
        if ((err = collect(rt, s, r)))
            break;
        s->count = 0;
        if (*o->stop)
            return -ECANCELED;
        s->from = r->tasks;
        uint64_t n = o->tasks - done < BATCH ? o->tasks - done : BATCH;
        for (uint64_t k = 0; k < n; k++)
            tasks[k] = make_task(s->from + k);
        if ((err = grosr_submit(rt, tasks, n, s->results, &s->first)))
            break;
        s->count = n;
        done += n;
        r->tasks += n;
    }
    for (uint32_t i = 0; !err && i < WINDOW; i++)
        err = collect(rt, &window[(turn + i) % WINDOW], r);
    return err;
}

int grosr_run_arith(grosr *rt, const struct grosr_workload_options *o, struct grosr_workload_result *r)
{
    struct slot *window = (struct slot *)malloc(WINDOW * sizeof(*window));
    uint64_t start = grosr_host_clock_ns();
    int err;

    memset(r, 0, sizeof(*r));
    if (!window)
        return grosr_fail(ENOMEM, "out of memory");
    do {
        err = round_of(rt, o, window, r);
        r->elapsed_ns = grosr_host_clock_ns() - start;
    } while (!err && (double)r->elapsed_ns < o->seconds * 1e9);
    if (err) /* the runtime may still write into the window */
        grosr_finish(rt);
    free(window);
    return err;
}
