/*
 * Submission and cancellation.
 *
 *     retired <= claimed <= reserved,  claimed <= retired + capacity        task numbers, ever growing
 *
 * A submission reserves its numbers, so that a batch is contiguous, and claims slots for as many tasks as
 * there is room for; both happen under the lock, once a batch while there is room, and claims are made in the
 * order of the numbers. It then writes the claimed slots without the lock: several submitters write at once,
 * each its own slots, and a slot that is written late holds up the port that waits for it and nobody else.
 * Nothing makes a submitter give up between a claim and its last store.
 *
 * How results come back, and who moves `retired`, is told in complete.c. Whoever reads `claimed` without the
 * lock sees a value of the past, which is a lower bound.
 */
#include "internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A submitter that found the queue full goes on with this much room, or with what there is when no more is
 * coming. */
#define ROOM_WANTED 2048u

/* ---- opening and closing ---- */

int grosr_submission_open(grosr *rt)
{
    rt->batch_head = rt->batch_tail = (struct batch_block *)calloc(1, sizeof(*rt->batch_tail));
    return rt->batch_tail ? 0 : grosr_fail(ENOMEM, "out of memory");
}

void grosr_submission_close(grosr *rt)
{
    while (rt->batch_head) {
        struct batch_block *next = rt->batch_head->next;
        free(rt->batch_head);
        rt->batch_head = next;
    }
}

/* ---- submission: under the lock ---- */

static void record(grosr *rt, uint32_t kind, uint64_t payload)
{
    if (sys_load_relaxed(&rt->trace.header->level) >= GROSR_LEVEL_SPANS)
        grosr_emit_at(&rt->emit, kind, payload, grosr_host_clock_ns());
}

static void record_now(grosr *rt, uint32_t kind, uint64_t payload)
{
    pthread_mutex_lock(&rt->lock);
    record(rt, kind, payload);
    pthread_mutex_unlock(&rt->lock);
}

/* Gives `count` tasks their numbers. */
static int reserve(grosr *rt, uint64_t count, struct grosr_result *results, uint64_t *first)
{
    *first = dev_load_relaxed(&rt->reserved);
    if (count > GROSR_TASK_ID_MASK - *first)
        return grosr_fail(EOVERFLOW, "a runtime numbers at most 2^%d tasks", GROSR_TASK_ID_BITS);
    if (count == 0)
        return 0;
    if (rt->batch_tail_used == BATCHES_PER_BLOCK) {
        struct batch_block *more = (struct batch_block *)calloc(1, sizeof(*more));
        if (!more)
            return grosr_fail(ENOMEM, "out of memory for %u batches", BATCHES_PER_BLOCK);
        rt->batch_tail->next = more;
        rt->batch_tail = more;
        rt->batch_tail_used = 0;
    }
    rt->batch_tail->batch[rt->batch_tail_used++] = (struct batch){*first, count, results};
    /* Pairs with the loads of the collector. */
    dev_store_release(&rt->reserved, *first + count);
    return 0;
}

/* Keeps the session's greatest depth, to within a sixteenth: a look costs a cache miss a port. */
static void watch_depth(grosr *rt, uint64_t claimed)
{
    uint64_t taken, depth;

    if (claimed < rt->depth_due)
        return;
    grosr_session_queue_counts(rt->session, 0, NULL, &taken);
    depth = claimed > taken ? claimed - taken : 0;
    if (depth > rt->max_depth) {
        rt->max_depth = depth;
        sys_store_relaxed(&grosr_session_queue(rt->session, 0)->max_depth, depth);
    }
    /* The depth grows by what is claimed at most. */
    rt->depth_due = claimed + (rt->max_depth - depth) + rt->max_depth / 16 + 1;
}

/* Claims up to `count` slots for tasks `first` on, as there is room, if it is their turn; returns how many.
 */
static uint64_t claim(grosr *rt, uint64_t first, uint64_t count)
{
    uint64_t capacity = UINT64_C(1) << rt->capacity_log2;

    if (dev_load_relaxed(&rt->claimed) != first)
        return 0;
    uint64_t n = grosr_least(count, grosr_retired(rt) + capacity - first);
    if (n == 0)
        return 0;
    for (uint64_t done = 0; done < n; done += 0xffff)
        record(rt, GROSR_EV_TASK_ENQUEUE,
               grosr_payload_task((uint32_t)grosr_least(n - done, 0xffff), first + done));
    dev_store_relaxed(&rt->claimed, first + n); /* a hint to who waits for its turn */
    /* Before the tasks themselves, so that no reader sees more taken than enqueued. */
    sys_store_release(&grosr_session_queue(rt->session, 0)->enqueued, first + n);
    watch_depth(rt, first + n);
    return n;
}

/* ---- submission ---- */

/* The times of the chunks that begin among tasks first .. first + count - 1. */
static void stamp_chunks(grosr *rt, uint64_t first, uint64_t count)
{
    struct grosr_queue_entry *queue = grosr_session_queue(rt->session, 0);
    sys64 *chunk_time = (sys64 *)(void *)(rt->session->base + queue->chunk_times_at);
    uint64_t chunk = (first + GROSR_QUEUE_CHUNK - 1) / GROSR_QUEUE_CHUNK;
    uint64_t end = (first + count + GROSR_QUEUE_CHUNK - 1) / GROSR_QUEUE_CHUNK;

    if (chunk == end)
        return;
    uint64_t now = grosr_host_clock_ns(), chunks = rt->session->queue[0].chunks, at = chunk % chunks;
    for (; chunk < end; chunk++) {
        sys_store_relaxed(&chunk_time[at], now);
        at = at + 1 < chunks ? at + 1 : 0;
    }
}

static inline void write_slot(sys128 *slot, uint64_t lap, const struct grosr_task *task)
{
    struct grosr_pair p = grosr_queue_pack(lap, task->function, task->a, task->b);
    /* Release: arguments by reference. Pairs with the acquire in grosr_queue_poll(). */
    sys_store_pair_release(slot, p.lo, p.hi);
}

/* Writes `count` slots of one lap, by lines of four as in hand_over(). */
static void write_slots(sys128 *slot, uint64_t lap, const struct grosr_task *tasks, uint64_t count)
{
    uint64_t k = 0;

    for (; k + 4 <= count; k += 4) {
        write_slot(&slot[k], lap, &tasks[k]);
        write_slot(&slot[k + 1], lap, &tasks[k + 1]);
        write_slot(&slot[k + 2], lap, &tasks[k + 2]);
        write_slot(&slot[k + 3], lap, &tasks[k + 3]);
    }
    for (; k < count; k++)
        write_slot(&slot[k], lap, &tasks[k]);
}

/* Writes tasks first .. first + count - 1, which have been claimed. */
static void publish(grosr *rt, const struct grosr_task *tasks, uint64_t first, uint64_t count)
{
    uint64_t mask = (UINT64_C(1) << rt->capacity_log2) - 1;

    stamp_chunks(rt, first, count);
    dev_point("submit.claimed");
    while (count) {
        uint64_t n = grosr_least(count, (first | mask) + 1 - first); /* to the end of the lap */
        write_slots(&rt->tasks[first & mask], grosr_queue_lap(rt->capacity_log2, first), tasks, n);
        tasks += n;
        first += n;
        count -= n;
    }
}

/*
 * Waits until it is the turn of tasks `first` on and there is room for `count` of them, or for fewer when no
 * more is coming, and claims it; *n is how much. Not 0: the runtime is ending.
 */
static int wait_for_room(grosr *rt, uint64_t first, uint64_t count, uint64_t *n)
{
    const uint64_t capacity = UINT64_C(1) << rt->capacity_log2;
    const uint64_t not_full = grosr_payload_wait(GROSR_RES_QUEUE_NOT_FULL, 0);
    uint64_t wanted = grosr_least(grosr_least(count, ROOM_WANTED), (capacity + 3) / 4),
             seen = grosr_retired(rt);
    struct waiter w = {0, 0};
    bool waited = false;
    int err = 0;

    for (*n = 0; !*n && !err;) {
        grosr_try_collect(rt);
        uint64_t retired = grosr_retired(rt), progress = retired - seen;
        uint64_t room = dev_load_relaxed(&rt->claimed) == first ? retired + capacity - first : 0;
        seen = retired;
        if (room >= wanted || (room && !progress)) {
            pthread_mutex_lock(&rt->lock);
            *n = claim(rt, first, count);
            pthread_mutex_unlock(&rt->lock);
        } else if (progress) {
            w = (struct waiter){0, 0};
        } else if (!waited) {
            record_now(rt, GROSR_EV_WAIT_BEGIN, not_full);
            waited = true;
        } else if (!(err = grosr_ending(rt))) {
            grosr_wait_a_little(rt, &w);
        }
    }
    if (waited)
        record_now(rt, GROSR_EV_WAIT_END, not_full);
    return err;
}

int grosr_submit(grosr *rt, const struct grosr_task *tasks, size_t count, struct grosr_result *results,
                 uint64_t *first_out)
{
    uint64_t first, done = 0, n;
    int err = grosr_ending(rt);

    if (err)
        return err;
    pthread_mutex_lock(&rt->lock);
    err = reserve(rt, count, results, &first);
    n = err ? 0 : claim(rt, first, count);
    pthread_mutex_unlock(&rt->lock);
    if (!err && first_out)
        *first_out = first;
    while (!err && done < count) {
        if (n == 0 && (err = wait_for_room(rt, first + done, count - done, &n)))
            break;
        publish(rt, tasks + done, first + done, n);
        done += n;
        n = 0;
    }
    return err;
}
