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
 * complete.c describes how results come back and who moves `retired`. Whoever reads `claimed` without the
 * lock sees a value of the past, which is a lower bound.
 */
#include "internal.h"
#include "marks.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* A submitter that found the queue full continues when there is this much room, or with what there is when no
 * more is coming. */
#define ROOM_WANTED 2048u

#define FINISHED "no tasks can be submitted to a runtime that has been finished"

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
    free(rt->cancelled);
}

/* ---- submission: under the lock ---- */

/* Gives `count` tasks their numbers. */
static int reserve(grosr *rt, uint64_t count, struct grosr_result *results, uint64_t *first)
{
    *first = dev_load_relaxed(&rt->reserved);
    if (count > GROSR_TASK_SPAWNED - *first)
        return grosr_fail(EOVERFLOW, "a runtime numbers at most 2^%d tasks", GROSR_TASK_ID_BITS - 1);
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
    /* Pairs with the loads in collect(), grosr_cancel_rest() and test(): the batch is in the list. */
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

/*
 * How many of the tasks first .. first + count - 1 are alike, from the first on: all cancelled before they
 * were claimed, or none. Forgets the spans before them: claims go in order.
 */
static uint64_t alike(grosr *rt, uint64_t first, uint64_t count, bool *cancelled)
{
    *cancelled = false;
    for (uint32_t i = 0; i < rt->cancelled_count;) {
        const struct span *s = &rt->cancelled[i];
        if (s->end <= first) {
            rt->cancelled[i] = rt->cancelled[--rt->cancelled_count];
            continue;
        }
        if (s->first <= first) {
            *cancelled = true;
            return grosr_min64(count, s->end - first);
        }
        count = grosr_min64(count, s->first - first);
        i++;
    }
    return count;
}

/* Tasks that have been claimed: tasks first .. first + count - 1 of a batch. */
struct claim {
    uint64_t count;
    bool cancelled; /* they are not to run */
};

/* Claims up to `count` slots for tasks `first` on, as there is room, if it is their turn. */
static struct claim claim(grosr *rt, uint64_t first, uint64_t count)
{
    uint64_t capacity = UINT64_C(1) << rt->capacity_log2;
    struct claim c = {0, false};

    if (dev_load_relaxed(&rt->claimed) != first || rt->ended)
        return c;
    c.count = grosr_min64(count, grosr_retired(rt) + capacity - first);
    if (c.count == 0)
        return c;
    c.count = alike(rt, first, c.count, &c.cancelled);
    uint64_t n = c.count;
    for (uint64_t done = 0; done < n; done += 0xffff)
        grosr_record_locked(rt, GROSR_EV_TASK_ENQUEUE,
                            grosr_payload_task((uint32_t)grosr_min64(n - done, 0xffff), first + done));
    dev_store_relaxed(&rt->claimed, first + n); /* a hint to who waits for its turn */
    /* Before the tasks themselves, so that no reader sees more taken than enqueued. Pairs with the loads in
     * grosr_session_queue_counts() and grosr_session_queue_oldest(). */
    sys_store_release(&grosr_session_queue(rt->session, 0)->enqueued, first + n);
    watch_depth(rt, first + n);
    return c;
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

/* What all slots of one lap have in common, with `bits` set in their functions. */
static struct grosr_pair slot_base(uint64_t lap, uint32_t bits)
{
    return (struct grosr_pair){lap | (uint64_t)bits << 32, lap};
}

static inline void write_slot(sys128 *slot, struct grosr_pair base, const struct grosr_task *task)
{
    struct grosr_pair p = grosr_queue_pack(0, task->function, task->a, task->b);
    /* Release: arguments by reference. Pairs with the acquire in grosr_queue_poll(). */
    sys_store_pair_release(slot, base.lo | p.lo, base.hi | p.hi);
}

/* Writes `count` slots of one lap, by lines of four as in deliver(). */
static void write_slots(sys128 *slot, struct grosr_pair base, const struct grosr_task *tasks, uint64_t count)
{
    uint64_t k = 0;

    for (; k + 4 <= count; k += 4) {
        write_slot(&slot[k], base, &tasks[k]);
        write_slot(&slot[k + 1], base, &tasks[k + 1]);
        write_slot(&slot[k + 2], base, &tasks[k + 2]);
        write_slot(&slot[k + 3], base, &tasks[k + 3]);
    }
    for (; k < count; k++)
        write_slot(&slot[k], base, &tasks[k]);
}

/* Whether a high-priority task may overtake its port, which skips it later: not by so many laps that an old
 * slot looks like a new one (grosr_queue_gone()). */
static bool may_overtake(const grosr *rt, uint64_t number)
{
    const struct grosr_queue_entry *queue = grosr_session_queue(rt->session, 0);
    const struct grosr_queue_port *port =
        (const struct grosr_queue_port *)(const void *)(rt->session->base + queue->ports_at);
    uint64_t chunk = number / GROSR_QUEUE_CHUNK;
    uint64_t position = chunk / rt->ports * GROSR_QUEUE_CHUNK + number % GROSR_QUEUE_CHUNK;

    return (position - sys_load_relaxed(&port[chunk % rt->ports].taken)) * rt->ports <=
           (uint64_t)GROSR_QUEUE_LAG << rt->capacity_log2;
}

/* Writes a slot whose task goes through the urgent ring, if that has room. */
static bool write_urgent(grosr *rt, uint64_t number, const struct grosr_task *task)
{
    uint64_t mask = (UINT64_C(1) << rt->capacity_log2) - 1, u;
    bool room;

    if (!may_overtake(rt, number))
        return false;
    pthread_mutex_lock(&rt->urgent_lock);
    u = rt->urgent_sent;
    /* Acquire: the device is done with the word. Pairs with the release in grosr_service_urgent(). */
    room = u - sys_load_acquire(&rt->words->urgent_taken) < GROSR_QUEUE_URGENT;
    if (room) {
        write_slot(&rt->tasks[number & mask],
                   slot_base(grosr_queue_lap(rt->capacity_log2, number), GROSR_SLOT_SKIP), task);
        /* After the slot. Pairs with the load in grosr_service_run(). */
        sys_store_release(&rt->words->urgent[u % GROSR_QUEUE_URGENT], grosr_urgent_word(u, number));
        rt->urgent_sent = u + 1;
    }
    pthread_mutex_unlock(&rt->urgent_lock);
    return room;
}

/* Writes tasks first .. first + c.count - 1, which have been claimed. */
static void publish(grosr *rt, const struct grosr_task *tasks, uint64_t first, struct claim c, bool urgent)
{
    uint64_t mask = (UINT64_C(1) << rt->capacity_log2) - 1, end = first + c.count;
    uint32_t bits = c.cancelled ? GROSR_FUNCTION_CANCELED : 0;

    stamp_chunks(rt, first, c.count);
    dev_point("submit.claimed");
    for (uint64_t n; first < end; first += n, tasks += n) {
        n = grosr_min64(end, (first | mask) + 1) - first; /* to the end of the lap */
        if (urgent)                                       /* one by one */
            n = 1;
        if (tasks->flags & GROSR_TASK_HIGH && urgent && !c.cancelled && write_urgent(rt, first, tasks))
            continue;
        write_slots(&rt->tasks[first & mask], slot_base(grosr_queue_lap(rt->capacity_log2, first), bits),
                    tasks, n);
    }
}

/*
 * Waits until it is the turn of tasks `first` on and there is room for `count` of them, or for fewer when no
 * more is coming, and claims it. Not 0: the runtime is ending.
 */
static int wait_for_room(grosr *rt, uint64_t first, uint64_t count, struct claim *c)
{
    const uint64_t capacity = UINT64_C(1) << rt->capacity_log2;
    const uint64_t not_full = grosr_payload_wait(GROSR_RES_QUEUE_NOT_FULL, 0);
    uint64_t wanted = grosr_min64(grosr_min64(count, ROOM_WANTED), (capacity + 3) / 4),
             seen = grosr_retired(rt);
    struct waiter w = {0, 0};
    bool waited = false;
    int err = 0;

    for (c->count = 0; !c->count && !err;) {
        grosr_try_collect(rt);
        uint64_t retired = grosr_retired(rt), progress = retired - seen;
        uint64_t room = dev_load_relaxed(&rt->claimed) == first ? retired + capacity - first : 0;
        seen = retired;
        if (room >= wanted || (room && !progress)) {
            pthread_mutex_lock(&rt->lock);
            *c = claim(rt, first, count);
            pthread_mutex_unlock(&rt->lock);
            if (!c->count) /* the end has come in between */
                err = grosr_ending(rt);
        } else if (progress) {
            w = (struct waiter){0, 0};
        } else if (!waited) {
            grosr_record(rt, GROSR_EV_WAIT_BEGIN, not_full);
            waited = true;
        } else if (!(err = grosr_ending(rt))) {
            grosr_wait_a_little(rt, &w);
        }
    }
    if (waited)
        grosr_record(rt, GROSR_EV_WAIT_END, not_full);
    return err;
}

/* 2^15 or more if the task has flags, or a function above GROSR_FUNCTION_MAX. */
static inline uint64_t above(const struct grosr_task *task)
{
    return (uint64_t)(task->function | (uint32_t)task->flags << 16) + 1;
}

static_assert(GROSR_FUNCTION_MAX + 2 == 1 << 15, "what above() is made for");

/* Whether the batch can be submitted; *urgent: it has high-priority tasks. */
static int check_tasks(const struct grosr_task *tasks, size_t count, bool *urgent)
{
    uint64_t odd = 0;
    size_t i = 0;

    *urgent = false;
    if (!tasks && count)
        return grosr_fail(EINVAL, "%zu tasks, but the array of tasks is NULL", count);
    for (; i + 4 <= count; i += 4) /* four at a time, as in deliver() */
        odd |= above(&tasks[i]) | above(&tasks[i + 1]) | above(&tasks[i + 2]) | above(&tasks[i + 3]);
    for (; i < count; i++)
        odd |= above(&tasks[i]);
    if (odd >> 15 == 0)
        return 0;
    for (i = 0; i < count; i++) {
        if (tasks[i].function > GROSR_FUNCTION_MAX)
            return grosr_fail(EINVAL, "task %zu of the batch: function %u is above the maximum, %u", i,
                              tasks[i].function, GROSR_FUNCTION_MAX);
        if (tasks[i].flags & ~GROSR_TASK_HIGH)
            return grosr_fail(EINVAL, "task %zu of the batch: unknown flags 0x%x", i, tasks[i].flags);
    }
    *urgent = true;
    return 0;
}

static int submit(grosr *rt, const struct grosr_task *tasks, size_t count, struct grosr_result *results,
                  uint64_t *first_out)
{
    uint64_t first = 0, done = 0;
    struct claim c = {0, false};
    bool urgent = false;
    int err;

    if (dev_load_relaxed(&rt->finishing)) /* the word that counts is the one under the lock */
        return grosr_refuse(rt, GROSR_CALL_SUBMIT, grosr_fail(ESHUTDOWN, FINISHED));
    if ((err = grosr_ending(rt)))
        return err;
    /* The array is not looked at if it cannot be that long. */
    if (count <= GROSR_TASK_SPAWNED && (err = check_tasks(tasks, count, &urgent)))
        return grosr_refuse(rt, GROSR_CALL_SUBMIT, err);
    pthread_mutex_lock(&rt->lock);
    err = dev_load_relaxed(&rt->finishing) ? grosr_fail(ESHUTDOWN, FINISHED)
                                           : reserve(rt, count, results, &first);
    if (!err)
        c = claim(rt, first, count);
    pthread_mutex_unlock(&rt->lock);
    if (err)
        return grosr_refuse(rt, GROSR_CALL_SUBMIT, err);
    if (first_out)
        *first_out = first;
    while (done < count) {
        if (c.count == 0 && (err = wait_for_room(rt, first + done, count - done, &c)))
            break;
        publish(rt, tasks + done, first + done, c, urgent);
        done += c.count;
        c.count = 0;
    }
    return err;
}

int grosr_submit(grosr *rt, const struct grosr_task *tasks, size_t count, struct grosr_result *results,
                 uint64_t *first)
{
    int err = grosr_enter(rt);

    if (err)
        return err;
    if (count > 1) /* a single task is not worth a range */
        grosr_phase_begin(GROSR_PHASE_SUBMIT, count);
    err = submit(rt, tasks, count, results, first);
    if (count > 1)
        grosr_phase_end();
    grosr_leave(rt);
    return err;
}

/* ---- cancellation ---- */

/*
 * Remembers that tasks `s`, which have not been claimed, are not to run; *fresh counts those that were not in
 * the list. Under the lock.
 */
static int add_cancelled(grosr *rt, struct span s, uint64_t *fresh)
{
    if (rt->cancelled_count == rt->cancelled_room) {
        uint32_t room = 2 * rt->cancelled_room + 4;
        struct span *more = (struct span *)realloc(rt->cancelled, room * sizeof(*more));
        if (!more)
            return grosr_fail(ENOMEM, "out of memory for %u cancelled ranges", room);
        rt->cancelled = more;
        rt->cancelled_room = room;
    }
    *fresh += s.end - s.first;
    for (uint32_t i = 0; i < rt->cancelled_count;) {
        struct span old = rt->cancelled[i];
        if (old.end < s.first || s.end < old.first) { /* they do not even touch */
            i++;
            continue;
        }
        uint64_t from = old.first > s.first ? old.first : s.first;
        *fresh -= grosr_min64(old.end, s.end) - from;
        s.first = grosr_min64(s.first, old.first);
        s.end = old.end > s.end ? old.end : s.end;
        rt->cancelled[i] = rt->cancelled[--rt->cancelled_count];
    }
    rt->cancelled[rt->cancelled_count++] = s;
    return 0;
}

/*
 * Marks task t, which has been claimed and not retired, unless it is done or marked. The caller is the
 * collector, so nobody reuses the slot while it is marked.
 */
static bool mark_cancelled(grosr *rt, uint64_t t)
{
    uint64_t slot = t & ((UINT64_C(1) << rt->capacity_log2) - 1), lap = grosr_queue_lap(rt->capacity_log2, t);
    const uint64_t mark = (uint64_t)GROSR_FUNCTION_CANCELED << 32;
    sys64 *word = (sys64 *)(void *)&rt->tasks[slot].lo;
    struct waiter w = {0, 0};
    uint64_t lo;

    /* Its submitter is about to store it. Acquire: pairs with write_slot(), whose hi goes with our lo. */
    while (((lo = sys_load_acquire(word)) ^ lap) >> 56)
        grosr_wait_a_little(rt, &w);
    if ((lo & mark) == mark || grosr_queue_holds(sys_load_pair_relaxed(&rt->results[slot]), lap))
        return false;
    sys_store_release(word, lo | mark); /* pairs with the acquire in grosr_queue_poll() */
    return true;
}

static int cancel(grosr *rt, uint64_t first, uint64_t count, uint64_t *marked)
{
    struct waiter w = {0, 0};
    uint64_t end, claimed;
    int err = 0;

    while (!grosr_become_collector(rt))
        grosr_wait_a_little(rt, &w);
    pthread_mutex_lock(&rt->lock);
    end =
        grosr_min64(count > UINT64_MAX - first ? UINT64_MAX : first + count, dev_load_relaxed(&rt->reserved));
    claimed = dev_load_relaxed(&rt->claimed);
    if (first < end && end > claimed)
        err = add_cancelled(rt, (struct span){first > claimed ? first : claimed, end}, marked);
    pthread_mutex_unlock(&rt->lock);
    first = first > grosr_retired(rt) ? first : grosr_retired(rt);
    if (!err && first < end) {
        rt->cancel_until = rt->cancel_until > end ? rt->cancel_until : end;
        sys_store_relaxed(&rt->words->cancelling, 1u);
    }
    for (uint64_t t = first; !err && t < grosr_min64(end, claimed); t++)
        *marked += mark_cancelled(rt, t);
    grosr_resign_collector(rt);
    return err ? grosr_refuse(rt, GROSR_CALL_CANCEL, err) : 0;
}

int grosr_cancel(grosr *rt, uint64_t first, uint64_t count, uint64_t *marked)
{
    int err = grosr_enter(rt);
    uint64_t n = 0;

    if (err)
        return err;
    err = cancel(rt, first, count, &n);
    if (marked)
        *marked = n;
    grosr_leave(rt);
    return err;
}
