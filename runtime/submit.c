/*
 * Submission and completion.
 *
 * One lock guards the queue's host side. Under it:
 *
 *     retired <= published <= reserved        task numbers, ever growing
 *
 * A submission reserves its numbers first, so that a batch is contiguous, then publishes as slots become
 * free: task t may be published once task t - capacity has been retired. Retiring goes in order: the result
 * of task `retired` is copied to where its batch wants it, and its slot is free. Whoever waits, for room or
 * for results, retires.
 */
#include "internal.h"

#include "../tracer/clock.h"

#include <errno.h>
#include <stdlib.h>

/* ---- waiting ---- */

struct waiter {
    uint32_t spins, step;
};

/* A little while, longer each time. */
static void wait_a_little(const grosr *rt, struct waiter *w)
{
    if (w->spins < rt->spins)
        w->spins++;
    else
        dev_backoff(&w->step);
}

/* ---- the queue's host side; all under the lock ---- */

static int push_batch(grosr *rt, uint64_t first, uint64_t count, struct grosr_result *results)
{
    if (rt->batch_count == rt->batch_room) {
        size_t room = rt->batch_room ? 2 * rt->batch_room : 64;
        struct batch *more = (struct batch *)malloc(room * sizeof(*more));
        if (!more)
            return grosr_fail(ENOMEM, "out of memory for %zu batches", room);
        for (size_t i = 0; i < rt->batch_count; i++)
            more[i] = rt->batch[(rt->batch_head + i) % rt->batch_room];
        free(rt->batch);
        rt->batch = more;
        rt->batch_head = 0;
        rt->batch_room = room;
    }
    rt->batch[(rt->batch_head + rt->batch_count++) % rt->batch_room] = (struct batch){first, count, results};
    return 0;
}

static void pop_batches(grosr *rt)
{
    while (rt->batch_count &&
           rt->retired >= rt->batch[rt->batch_head].first + rt->batch[rt->batch_head].count) {
        rt->batch_head = (rt->batch_head + 1) % rt->batch_room;
        rt->batch_count--;
    }
}

/* Hands over the results that are there, in order. Returns how many. */
static uint64_t retire(grosr *rt)
{
    uint64_t mask = (UINT64_C(1) << rt->capacity_log2) - 1, before = rt->retired;

    while (rt->retired < rt->published) {
        const struct batch *b = &rt->batch[rt->batch_head];
        uint64_t end = b->first + b->count < rt->published ? b->first + b->count : rt->published, t;
        for (t = rt->retired; t < end; t++) {
            /* Pairs with the release in grosr_worker_run_lanes(): what the task wrote is visible. */
            struct grosr_pair r = sys_load_pair_acquire(&rt->results[t & mask]);
            if (!grosr_queue_holds(r, grosr_queue_lap(rt->capacity_log2, t)))
                break;
            if (b->results) {
                b->results[t - b->first].value = grosr_queue_wide(r);
                b->results[t - b->first].status = -(int32_t)grosr_queue_middle16(r);
            }
        }
        bool stuck = t < end;
        rt->retired = t;
        pop_batches(rt);
        if (stuck)
            break;
    }
    if (rt->retired != before)
        sys_store_relaxed(&grosr_session_queue(rt->session, 0)->completed, rt->retired);
    return rt->retired - before;
}

static void record(grosr *rt, uint32_t kind, uint64_t payload)
{
    if (sys_load_relaxed(&rt->trace.header->level) >= GROSR_LEVEL_SPANS)
        grosr_emit_at(&rt->emit, kind, payload, grosr_host_clock_ns());
}

/* Publishes tasks as number `first` on. There is room. */
static void publish(grosr *rt, const struct grosr_task *tasks, uint64_t first, uint64_t count)
{
    struct grosr_queue_entry *queue = grosr_session_queue(rt->session, 0);
    sys64 *chunk_time = (sys64 *)(void *)(rt->session->base + queue->chunk_times_at);
    uint64_t mask = (UINT64_C(1) << rt->capacity_log2) - 1, now = grosr_host_clock_ns(), taken;

    for (uint64_t done = 0; done < count; done += 0xffff) {
        uint64_t n = count - done < 0xffff ? count - done : 0xffff;
        record(rt, GROSR_EV_TASK_ENQUEUE, grosr_payload_task((uint32_t)n, first + done));
    }
    /* Before the tasks themselves, so that no reader sees more taken than enqueued. */
    rt->published += count;
    sys_store_release(&queue->enqueued, rt->published);
    for (uint64_t i = 0; i < count; i++) {
        uint64_t t = first + i, lap = grosr_queue_lap(rt->capacity_log2, t);
        struct grosr_pair p = grosr_queue_pack(lap, tasks[i].function, tasks[i].a, tasks[i].b);
        if (t % GROSR_QUEUE_CHUNK == 0)
            sys_store_relaxed(&chunk_time[t / GROSR_QUEUE_CHUNK % queue->chunks], now);
        /* Release: arguments by reference. Pairs with the acquire in grosr_queue_poll(). */
        sys_store_pair_release(&rt->tasks[t & mask], p.lo, p.hi);
    }
    grosr_session_queue_counts(rt->session, 0, NULL, &taken);
    if (rt->published - taken > rt->max_depth && rt->published >= taken) {
        rt->max_depth = rt->published - taken;
        sys_store_relaxed(&queue->max_depth, rt->max_depth);
    }
}

int grosr_ending(grosr *rt)
{
    int err = (int)sys_load_acquire(&rt->failed);

    if (err)
        return grosr_fail(err, "%s", rt->failure);
    if (sys_load_acquire(&rt->stopping))
        return grosr_fail(ECANCELED, "the runtime is stopping");
    return 0;
}

int grosr_submit(grosr *rt, const struct grosr_task *tasks, size_t count, struct grosr_result *results,
                 uint64_t *first_out)
{
    uint64_t capacity = UINT64_C(1) << rt->capacity_log2, first, done = 0;
    struct waiter w = {0, 0};
    bool waited = false;
    int err = grosr_ending(rt);

    if (err)
        return err;
    pthread_mutex_lock(&rt->lock);
    first = rt->reserved;
    if (count > GROSR_TASK_ID_MASK - first)
        err = grosr_fail(EOVERFLOW, "a runtime numbers at most 2^%d tasks", GROSR_TASK_ID_BITS);
    if (!err && count)
        err = push_batch(rt, first, count, results);
    if (err) {
        pthread_mutex_unlock(&rt->lock);
        return err;
    }
    rt->reserved += count;
    if (first_out)
        *first_out = first;
    while (done < count) {
        /* Earlier batches first: slots are published in the order of their numbers. */
        uint64_t room = rt->published == first + done ? rt->retired + capacity - rt->published : 0;
        if (room == 0) {
            if (retire(rt))
                continue;
            if (!waited) {
                record(rt, GROSR_EV_WAIT_BEGIN, grosr_payload_wait(GROSR_RES_QUEUE_NOT_FULL, 0));
                waited = true;
            }
            pthread_mutex_unlock(&rt->lock);
            err = grosr_ending(rt);
            if (!err)
                wait_a_little(rt, &w);
            pthread_mutex_lock(&rt->lock);
            if (err)
                break;
            continue;
        }
        uint64_t n = count - done < room ? count - done : room;
        publish(rt, tasks + done, first + done, n);
        done += n;
        w = (struct waiter){0, 0};
    }
    if (waited)
        record(rt, GROSR_EV_WAIT_END, grosr_payload_wait(GROSR_RES_QUEUE_NOT_FULL, 0));
    for (; results && done < count; done++)
        results[done] = (struct grosr_result){0, -ECANCELED};
    pthread_mutex_unlock(&rt->lock);
    return err;
}

int grosr_wait(grosr *rt, uint64_t task, uint64_t timeout_ns)
{
    uint64_t start = timeout_ns == GROSR_FOREVER ? 0 : grosr_host_clock_ns();
    struct waiter w = {0, 0};

    for (;;) {
        pthread_mutex_lock(&rt->lock);
        if (task > rt->reserved)
            task = rt->reserved;
        uint64_t progress = retire(rt);
        bool done = rt->retired >= task;
        pthread_mutex_unlock(&rt->lock);
        if (done)
            return 0;
        int err = grosr_ending(rt);
        if (err)
            return err;
        if (timeout_ns != GROSR_FOREVER && grosr_host_clock_ns() - start >= timeout_ns)
            return grosr_fail(ETIMEDOUT, "tasks below %llu are not done after %.3f s",
                              (unsigned long long)task, (double)timeout_ns * 1e-9);
        if (progress)
            w = (struct waiter){0, 0};
        else
            wait_a_little(rt, &w);
    }
}

int grosr_drain(grosr *rt, uint64_t timeout_ns)
{
    return grosr_wait(rt, UINT64_MAX, timeout_ns);
}

void grosr_cancel_rest(grosr *rt)
{
    uint64_t mask = (UINT64_C(1) << rt->capacity_log2) - 1;

    pthread_mutex_lock(&rt->lock);
    retire(rt);
    for (uint64_t t = rt->retired; t < rt->published; t++) {
        const struct batch *b = &rt->batch[rt->batch_head];
        struct grosr_pair r = sys_load_pair_acquire(&rt->results[t & mask]);
        bool done = grosr_queue_holds(r, grosr_queue_lap(rt->capacity_log2, t));
        if (b->results) {
            b->results[t - b->first].value = done ? grosr_queue_wide(r) : 0;
            b->results[t - b->first].status = done ? -(int32_t)grosr_queue_middle16(r) : -ECANCELED;
        }
        rt->retired = t + 1;
        pop_batches(rt);
    }
    pthread_mutex_unlock(&rt->lock);
}
