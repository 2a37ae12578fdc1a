/*
 * What the workloads share: feeding batches round a window, checking results, and comparing what ran with the
 * workers' counters.
 */
#include "workload.h"

#include "../../tracer/base/time_limits.h"
#include "../../tracer/clock/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

void grosr_workload_error(struct grosr_workload_result *r, const char *format, ...)
{
    va_list list;

    if (r->errors++)
        return;
    va_start(list, format);
    vsnprintf(r->first_error, sizeof(r->first_error), format, list);
    va_end(list);
}

bool grosr_feed_check(const struct grosr_feed_batch *batch, uint32_t k, uint64_t runs, uint64_t want,
                      struct grosr_workload_result *r)
{
    const struct grosr_result *result = &batch->results[k];

    if (result->status == 0)
        r->completed += runs;
    if (result->status == 0 && result->value == want)
        return true;
    grosr_workload_error(r, "task %" PRIu64 ": value %" PRIu64 ", expected %" PRIu64 "; status %d",
                         batch->first + k, result->value, want, result->status);
    return false;
}

#define PACE_BATCHES  50u /* a second, of a workload whose rate is limited */
#define PACE_SLICE_NS (20 * GROSR_MS)

/*
 * Waits until the tasks so far are due at the rate that is asked for, while their results are delivered.
 * -ETIMEDOUT: the workload's seconds are over; -ECANCELED: it is to stop.
 */
static int pace(grosr *rt, const struct grosr_workload_options *o, uint64_t start_ns,
                const struct grosr_workload_result *r)
{
    uint64_t due_ns = start_ns + (uint64_t)((double)r->tasks * 1e9 / (double)o->rate), now_ns;
    uint64_t end_ns = o->seconds > 0 ? start_ns + (uint64_t)(o->seconds * 1e9) : UINT64_MAX;

    while ((now_ns = grosr_host_clock_ns()) < due_ns && now_ns < end_ns) {
        uint64_t left_ns = (due_ns < end_ns ? due_ns : end_ns) - now_ns;
        struct timespec slice = {0, (long)(left_ns < PACE_SLICE_NS ? left_ns : PACE_SLICE_NS)};
        int err = grosr_drain(rt, 0);
        if (*o->stop)
            return -ECANCELED;
        if (err && err != -ETIMEDOUT)
            return err;
        nanosleep(&slice, NULL);
    }
    return now_ns < end_ns ? 0 : -ETIMEDOUT;
}

/* Waits for a batch and checks it. */
static int collect(grosr *rt, const struct grosr_feed *feed, const struct grosr_feed_batch *batch,
                   struct grosr_workload_result *r)
{
    int err = batch->count ? grosr_wait(rt, batch->first + batch->count, GROSR_FOREVER) : 0;

    if (!err && batch->count)
        feed->check(feed->state, batch, r);
    return err;
}

static int round_of(grosr *rt, const struct grosr_workload_options *o, const struct grosr_feed *feed,
                    struct grosr_feed_batch *window, uint64_t start_ns, uint64_t *submitted,
                    struct grosr_workload_result *r)
{
    uint64_t end = r->tasks + o->tasks, turn = 0;
    uint64_t at_once = !o->rate ? UINT64_MAX : o->rate < PACE_BATCHES ? 1 : o->rate / PACE_BATCHES;
    int err = 0;

    for (uint32_t i = 0; i < feed->window; i++)
        window[i].count = 0;
    while (!err && r->tasks < end) {
        struct grosr_feed_batch *b = &window[turn++ % feed->window];
        if ((err = collect(rt, feed, b, r)))
            break;
        b->count = 0;
        if (o->rate && (err = pace(rt, o, start_ns, r))) {
            err = err == -ETIMEDOUT ? 0 : err;
            break;
        }
        if (*o->stop)
            return -ECANCELED;
        if (r->tasks >= end) /* what has been collected had run more tasks than it was to */
            break;
        b->from = *submitted;
        feed->make(feed->state, b, end - r->tasks < at_once ? end - r->tasks : at_once, r);
        if ((err = grosr_submit(rt, b->tasks, b->count, b->results, &b->first)))
            break;
        *submitted += b->count;
    }
    for (uint32_t i = 0; !err && i < feed->window; i++)
        err = collect(rt, feed, &window[(turn + i) % feed->window], r);
    return err;
}

int grosr_feed(grosr *rt, const struct grosr_workload_options *o, const struct grosr_feed *feed,
               struct grosr_workload_result *r)
{
    size_t tasks = (size_t)feed->window * feed->batch;
    struct grosr_feed_batch *window = (struct grosr_feed_batch *)calloc(feed->window, sizeof(*window));
    struct grosr_task *task = (struct grosr_task *)calloc(tasks, sizeof(*task));
    struct grosr_result *result = (struct grosr_result *)calloc(tasks, sizeof(*result));
    uint64_t start = grosr_host_clock_ns(), submitted = 0;
    int err = 0;

    memset(r, 0, sizeof(*r));
    if (!window || !task || !result)
        err = grosr_fail(ENOMEM, "out of memory");
    for (uint32_t i = 0; !err && i < feed->window; i++) {
        window[i].place = i;
        window[i].tasks = task + (size_t)i * feed->batch;
        window[i].results = result + (size_t)i * feed->batch;
    }
    while (!err) {
        err = round_of(rt, o, feed, window, start, &submitted, r);
        r->elapsed_ns = grosr_host_clock_ns() - start;
        if ((double)r->elapsed_ns >= o->seconds * 1e9)
            break;
    }
    if (err) /* the runtime may still write into the window */
        grosr_finish(rt);
    free(window);
    free(task);
    free(result);
    return err;
}

void grosr_workload_audit(const struct grosr_session *session, uint32_t level,
                          struct grosr_workload_result *r)
{
    uint64_t tasks = 0, spawned = 0;

    if (level < GROSR_LEVEL_COUNTERS ||
        sys_load_relaxed(&grosr_session_live(session)->level) < GROSR_LEVEL_COUNTERS)
        return;
    for (uint32_t i = 0; i < session->header.workers; i++) {
        const struct grosr_worker_entry *w = grosr_session_worker(session, i);
        tasks += sys_load_pair_relaxed(&w->counts).lo;
        spawned += sys_load_pair_relaxed(&w->spawns).lo;
    }
    if (r->errors == 0 && (tasks != r->tasks || spawned != r->spawned))
        grosr_workload_error(r,
                             "the workers have counted %" PRIu64 " tasks, %" PRIu64
                             " spawned; there were %" PRIu64 ", %" PRIu64 " spawned",
                             tasks, spawned, r->tasks, r->spawned);
}
