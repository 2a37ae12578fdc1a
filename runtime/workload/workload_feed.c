/*
 * What the workloads share: feeding batches round a window, checking results, and comparing what ran with the
 * workers' counters.
 */
#include "workload.h"

#include "../../tracer/clock/clock.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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
                    struct grosr_feed_batch *window, uint64_t *submitted, struct grosr_workload_result *r)
{
    uint64_t end = r->tasks + o->tasks, turn = 0;
    int err = 0;

    for (uint32_t i = 0; i < feed->window; i++)
        window[i].count = 0;
    while (!err && r->tasks < end) {
        struct grosr_feed_batch *b = &window[turn++ % feed->window];
        if ((err = collect(rt, feed, b, r)))
            break;
        b->count = 0;
        if (*o->stop)
            return -ECANCELED;
        if (r->tasks >= end) /* what has been collected had run more tasks than it was to */
            break;
        b->from = *submitted;
        feed->make(feed->state, b, end - r->tasks, r);
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
        err = round_of(rt, o, feed, window, &submitted, r);
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
