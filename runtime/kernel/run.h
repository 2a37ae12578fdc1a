/*
 * Running a batch of tasks, and what follows from a task's end: a result for the host, or one child less that
 * its parent waits for, which may make that go on, or end too.
 *
 * Tasks of one parent that end in one worker one after the other are added up and told to the parent's frame
 * together (struct grosr_told), when the worker turns to anything else; everything else is told at the end of
 * its batch.
 */
#ifndef GROSR_RUN_H
#define GROSR_RUN_H

#include "worker.h"

/* ---- completion ---- */

/* Writes the result of a task of the host's. `wrote`: it, or a task under it, may have written to memory. */
GROSR_DEVICE void grosr_result_write(const struct grosr_queue *q, uint64_t number, uint64_t value, int status,
                                     bool wrote)
{
    struct grosr_pair r =
        grosr_queue_pack(grosr_queue_lap(q->capacity_log2, number), (uint32_t)status, 0, value);
    sys128 *result = &q->results[number & ((1u << q->capacity_log2) - 1)];

    dev_point("task.done");
    if (wrote) /* pairs with the load in peek() of complete.c */
        sys_store_pair_release(result, r.lo, r.hi);
    else
        sys_store_pair_relaxed(result, r.lo, r.hi);
}

/* Nothing is missing in `frame` any more: its task goes on, or is complete, and perhaps its parent with it.
 * Called by any lanes. */
GROSR_DEVICE_COLD void grosr_frame_go_on(const struct grosr_launch *launch, struct grosr_deque deque,
                                         uint32_t worker, uint32_t frame)
{
    struct grosr_frames frames = grosr_launch_frames(launch);

    for (;;) {
        uint32_t index = frame & GROSR_FRAME_MAX;
        struct grosr_frame *f = &frames.frame[index];
        uint64_t next = dev_load_relaxed(&f->next), whose = dev_load_relaxed(&f->whose);
        uint64_t value = dev_load_relaxed(&f->value);
        uint32_t mark = dev_load_relaxed(&f->mark), status = (uint32_t)(next >> 48);
        if ((next >> 32 & 0xffff) != GROSR_TASK_NOTHING) {
            grosr_frame_ready(launch, &deque, index);
            return;
        }
        value += grosr_frame_sum(f);
        grosr_frame_free(&frames, deque.local, worker, index);
        if (status)
            mark = (mark & GROSR_MARK_WROTE) | status;
        frame = (uint32_t)(whose >> GROSR_TASK_ID_BITS);
        if (!frame) {
            grosr_result_write(&launch->queue, whose & GROSR_TASK_ID_MASK, value, (int)(mark & 0xffffu),
                               mark & GROSR_MARK_WROTE);
            return;
        }
        if (!grosr_frame_tell(frames.frame, grosr_told_one(frame, value, mark)))
            return;
    }
}

/* Tells what has been added up. A collective. */
GROSR_DEVICE void grosr_worker_tell(struct grosr_worker *w)
{
    struct grosr_told t = w->told;

    if (!t.count)
        return;
    w->told.count = 0;
    if (dev_lane() == 0 && grosr_frame_tell(w->launch->frame, t))
        grosr_frame_go_on(w->launch, w->deque, w->index, t.frame);
    grosr_deque_settle(&w->deque);
}

/* Each lane whose `done` is set has completed a child of frame `parent`. A collective. */
GROSR_DEVICE void grosr_worker_complete(struct grosr_worker *w, bool done, uint32_t parent, uint64_t value,
                                        uint32_t mark)
{
    uint32_t mask = dev_ballot(done), marked;

    if (!mask)
        return;
    uint32_t first = dev_shfl32(parent, dev_ffs32(mask) - 1);
    if (dev_ballot(done && parent != first)) {
        if (done && grosr_frame_tell(w->launch->frame, grosr_told_one(parent, value, mark)))
            grosr_frame_go_on(w->launch, w->deque, w->index, parent);
        return;
    }
    if (w->told.frame != first || w->told.count > GROSR_CHILDREN - GROSR_LANES)
        grosr_worker_tell(w);
    if (!w->told.count)
        w->told = (struct grosr_told){first, 0, 0, 0, 0};
    w->told.count += dev_popc32(mask);
    w->told.low += dev_sum64(done ? value & 0xffffffffu : 0);
    w->told.high += dev_sum64(done ? value >> 32 : 0);
    for (marked = dev_ballot(done && mark); marked; marked &= marked - 1) {
        uint32_t m = dev_shfl32(mark, dev_ffs32(marked) - 1);
        w->told.mark |= (m & GROSR_MARK_WROTE) | ((w->told.mark & 0xffffu) ? 0 : m);
    }
}

/* ---- running ---- */

/* Whether the host's task above has been cancelled: its slot says so until the host has the result. */
GROSR_DEVICE bool grosr_task_is_cancelled(const struct grosr_launch *launch, uint32_t parent, uint64_t number)
{
    const struct grosr_queue *q = &launch->queue;

    while (parent) {
        uint64_t whose = dev_load_relaxed(&launch->frame[parent & GROSR_FRAME_MAX].whose);
        parent = (uint32_t)(whose >> GROSR_TASK_ID_BITS);
        number = whose & GROSR_TASK_ID_MASK;
    }
    struct grosr_pair slot = sys_load_pair_relaxed(&q->tasks[number & ((1u << q->capacity_log2) - 1)]);
    return (grosr_queue_middle16(slot) & 0x7fffu) == GROSR_FUNCTION_CANCELED;
}

/*
 * Waits a moment for something in the worker's inbox that can be run at once: at most one task a lane, none
 * for a whole warp, no range and nothing that waited in a frame. Whether this lane has got one. Anything else
 * stays where it is. A collective.
 */
GROSR_DEVICE bool grosr_worker_await(struct grosr_worker *w, struct grosr_entry *e)
{
    struct grosr_share inbox = grosr_launch_inbox(w->launch, w->index);
    struct grosr_taken taken = {};
    uint32_t pause = 0;

    if (w->inbox - w->inbox_told >= GROSR_INBOX_TELL) {
        grosr_share_taken(inbox, w->inbox);
        w->inbox_told = w->inbox;
    }
    for (uint32_t i = 0; !taken.count && i < GROSR_AWAIT_LOOKS; i++) {
        taken = grosr_share_read(inbox, GROSR_INBOX_PEEK, w->inbox);
        if (!taken.count)
            dev_poll_pause(&pause);
    }
    bool mine = dev_lane() < taken.count;
    bool other = mine && (taken.e.count != 1 || !w->frame ||
                          grosr_task_effects(taken.e.function & ~GROSR_ENTRY_RESUMED) == GROSR_EFFECTS_WARP);
    if (dev_ballot(other))
        return false;
    w->inbox += taken.count;
    w->inbox_looks = GROSR_INBOX_LOOKS;
    *e = mine ? taken.e : *e;
    return mine;
}

/*
 * Runs the tasks of the lanes whose `has` is set, or, together, the one task that all lanes were given and
 * that counts as lane 0's. sum and failed are the task's children's. A collective.
 */
GROSR_DEVICE bool grosr_worker_run_lanes(struct grosr_worker *w, bool has, bool together,
                                         struct grosr_entry e, uint64_t sum, int failed,
                                         struct grosr_entry *goes_on)
{
    const struct grosr_launch *launch = w->launch;
    struct grosr_emitter *emit = &w->recorder.emit;
    struct grosr_task_context task;
    uint64_t start = 0, end = 0, ran = 0;
    uint32_t mask = dev_ballot(has), resumed = e.function & GROSR_ENTRY_RESUMED;
    int status = 0;

    e.function &= ~GROSR_ENTRY_RESUMED;
    task.number = e.number;
    task.function = e.function;
    task.a = e.a;
    task.b = e.b;
    task.sum = sum;
    task.failed = failed;
    task.value = 0;
    task.launch = launch;
    task.deque = w->deque;
    task.worker = w->index;
    task.parent = e.parent;
    task.frame = together ? dev_shfl32(w->frame, 0) : w->frame;
    task.children = task.escaped = 0;
    task.children_left = together ? GROSR_CHILDREN / GROSR_LANES : GROSR_CHILDREN;
    task.next = GROSR_TASK_NOTHING;
    task.next_a = task.next_worker = 0;
    task.next_b = 0;
    if (emit->level >= GROSR_LEVEL_COUNTERS) {
        uint64_t payload = grosr_payload_task(e.function, e.number);
        start = dev_clock_ns();
        uint32_t kind = resumed ? GROSR_EV_TASK_RESUME : GROSR_EV_TASK_BEGIN, first = dev_ffs32(mask) - 1;
        grosr_record_word(&w->recorder, dev_shfl32(kind, first), dev_shfl64(payload, first), start);
        if (emit->level >= GROSR_LEVEL_SPANS)
            grosr_emit_lanes(emit, has, kind, payload, start);
    }
    for (;;) {
        if (together || has) {
            if (w->word >> GROSR_CONTROL_SHIFT & GROSR_CONTROL_CANCEL &&
                grosr_task_is_cancelled(launch, e.parent, e.number))
                status = ECANCELED;
            else
                status = grosr_task_dispatch(&task, together);
        }
        ran += dev_popc32(mask);
        /* The short way round for tasks that all go on at once, as chains do, when nobody watches. */
        bool on = !task.children && !status && task.next != GROSR_TASK_NOTHING &&
                  grosr_task_effects(task.next) != GROSR_EFFECTS_WARP;
        if (together || emit->level != GROSR_LEVEL_OFF || dev_ballot(has && !on))
            break;
        bool away = dev_ballot(has && task.next_worker);
        if (!dev_shfl32(dev_clock_ns() - w->looked_ns < (away ? GROSR_PASS_NS : GROSR_LOOK_SELDOM_NS), 0))
            break;
        resumed = GROSR_ENTRY_RESUMED;
        e.function = task.next;
        e.a = task.next_a;
        e.b = task.next_b;
        if (away) {
            /* Those that go on elsewhere; and what comes back from there, if all do and nothing else is here.
             */
            if (has && task.next_worker) {
                struct grosr_entry there = e;
                there.function |= GROSR_ENTRY_RESUMED;
                w->given =
                    grosr_share_put_again(grosr_launch_inbox(launch, task.next_worker - 1), there, w->given);
                has = !w->given.ends;
            }
            if (dev_ballot(has) || w->told.count || grosr_deque_size(&w->deque))
                break;
            has = grosr_worker_await(w, &e);
            resumed = e.function & GROSR_ENTRY_RESUMED;
            e.function &= ~GROSR_ENTRY_RESUMED;
            mask = dev_ballot(has);
            if (!mask)
                break;
            task.number = e.number;
            task.parent = e.parent;
        }
        task.function = e.function;
        task.a = e.a;
        task.b = e.b;
        task.sum = task.value = 0;
        task.failed = 0;
        task.next = GROSR_TASK_NOTHING;
        task.next_worker = 0;
    }
    if (together) {
        task.children = (uint32_t)dev_sum64(task.children);
        task.escaped = dev_ballot(task.escaped);
    }
    if (emit->level >= GROSR_LEVEL_COUNTERS)
        end = dev_clock_ns();
    if (status)
        task.next = GROSR_TASK_NOTHING; /* a task that fails does not go on */
    bool spawned = dev_ballot(has && task.children);
    bool again = has && !task.children && task.next != GROSR_TASK_NOTHING;
    if (spawned)
        grosr_worker_record_spawns(w, dev_ballot(task.escaped) ? start : end);
    if (emit->level >= GROSR_LEVEL_SPANS) {
        bool suspends = task.children || task.next != GROSR_TASK_NOTHING;
        grosr_emit_lanes(emit, has, suspends ? GROSR_EV_TASK_SUSPEND : GROSR_EV_TASK_END,
                         grosr_payload_task(suspends ? task.next : (uint32_t)status, e.number), end);
    }
    grosr_count(&w->deque.local->busy_ns, end - start);
    grosr_count(&w->deque.local->tasks, ran);

    bool done = has && !task.children && !again;
    bool wrote = resumed || grosr_task_effects(e.function) != GROSR_EFFECTS_PURE;
    if (spawned && has && task.children) {
        struct grosr_frame *f = &launch->frame[task.frame];
        dev_store_relaxed(&f->next, (uint64_t)(status & 0xffff) << 48 |
                                        (uint64_t)(task.next | GROSR_ENTRY_RESUMED) << 32 | task.next_a);
        dev_store_relaxed(&f->b, task.next_b);
        dev_store_relaxed(&f->whose, (uint64_t)e.parent << GROSR_TASK_ID_BITS | e.number);
        dev_store_relaxed(&f->value, task.value);
        w->frame = 0;
        if (!task.escaped) {
            if (wrote)
                dev_store_relaxed(&f->mark, GROSR_MARK_WROTE);
            grosr_frame_expect_first(f, task.children);
        } else if (grosr_frame_expect(f, task.children)) {
            grosr_frame_go_on(launch, w->deque, w->index, task.frame);
        }
    }
    *goes_on = e;
    goes_on->function = task.next | GROSR_ENTRY_RESUMED;
    goes_on->a = task.next_a;
    goes_on->b = task.next_b;
    if (again && task.next_worker) {
        struct grosr_share inbox = grosr_launch_inbox(launch, task.next_worker - 1);
        w->given = grosr_share_put_again(inbox, *goes_on, w->given);
        again = !w->given.ends;
    }
    if (done && !e.parent)
        grosr_result_write(&launch->queue, e.number, task.value, status, wrote);
    grosr_worker_complete(w, done && e.parent, e.parent, task.value,
                          (uint32_t)status | (wrote ? GROSR_MARK_WROTE : 0));
    return again;
}

/* Puts a task that goes on into the deque; or, if that is full, where all look. False: no room there either.
 * Called by any lanes. */
GROSR_DEVICE_COLD bool grosr_task_requeue(const struct grosr_launch *launch, struct grosr_deque deque,
                                          struct grosr_entry e)
{
    return grosr_deque_push(&deque, e) || grosr_share_put_lane(grosr_launch_overflow(launch), e);
}

/* Whether a task is for a whole warp. */
GROSR_DEVICE bool grosr_entry_is_alone(struct grosr_entry e)
{
    return grosr_task_effects(e.function & ~GROSR_ENTRY_RESUMED) == GROSR_EFFECTS_WARP;
}

/* Runs the tasks in the lanes whose `has` is set. A collective. */
GROSR_DEVICE void grosr_worker_run_batch(struct grosr_worker *w, bool has, struct grosr_entry e)
{
    const struct grosr_launch *launch = w->launch;
    struct grosr_frames frames = grosr_launch_frames(launch);
    uint64_t sum = 0, now_sum = 0;
    int failed = 0, now_failed = 0;

    /* What has been added up is for one parent: told before anything else runs, which might take long. */
    if (w->told.count && dev_ballot(has && e.parent != w->told.frame))
        grosr_worker_tell(w);
    if (has && e.count == 0) { /* a frame that goes on */
        struct grosr_frame *f = &frames.frame[e.parent];
        uint64_t next = dev_load_relaxed(&f->next), whose = dev_load_relaxed(&f->whose);
        e.function = (uint32_t)(next >> 32) & 0xffffu;
        e.count = 1;
        e.a = (uint32_t)next;
        e.b = dev_load_relaxed(&f->b);
        failed = (int)(dev_load_relaxed(&f->mark) & 0xffffu);
        sum = grosr_frame_sum(f);
        if (w->frame)
            grosr_frame_free(&frames, w->deque.local, w->index, e.parent);
        else
            w->frame = e.parent;
        e.parent = (uint32_t)(whose >> GROSR_TASK_ID_BITS);
        e.number = whose & GROSR_TASK_ID_MASK;
    }
    /*
     * First those that run one in each lane, again and again as long as they go on; then, one after the
     * other, those for the whole warp.
     */
    bool alone = has && grosr_entry_is_alone(e);
    uint32_t left = dev_ballot(alone);
    bool together = !dev_ballot(has && !alone);
    has = has && !alone;
    for (;;) {
        struct grosr_entry now = e, next;
        if (together) {
            uint32_t lane = dev_ffs32(left) - 1;
            left &= left - 1;
            now = grosr_entry_shfl(e, lane);
            now_sum = dev_shfl64(sum, lane);
            now_failed = (int)dev_shfl32((uint32_t)failed, lane);
            has = dev_lane() == 0;
        }
        /* What has been freed since the last tasks ran is put in order before tasks may take from it. */
        grosr_frames_settle(&frames, w->deque.local, w->index);
        grosr_frames_refill(&frames, w->deque.local, w->index, has, &w->frame);
        has = grosr_worker_run_lanes(w, has, together, now, together ? now_sum : sum,
                                     together ? now_failed : failed, &next);
        bool stays = !together && !left && !dev_ballot(has && grosr_entry_is_alone(next)) &&
                     dev_shfl32(dev_clock_ns() - w->looked_ns < GROSR_LOOK_SELDOM_NS, 0);
        /* Where there is no room for a task that goes on, it stays in its lane, and one of a whole warp
         * waits. */
        for (uint32_t backoff = 0; !stays && dev_ballot(has); dev_backoff(&backoff)) {
            if (has && grosr_task_requeue(launch, w->deque, next))
                has = false;
            grosr_deque_settle(&w->deque);
            stays = !together && !dev_ballot(has && grosr_entry_is_alone(next));
            if (dev_load_relaxed(&launch->control->word) >> GROSR_CONTROL_SHIFT & GROSR_CONTROL_STOP)
                has = false;
        }
        if (stays && dev_ballot(has)) {
            e = has ? next : e;
            sum = has ? 0 : sum;
            failed = has ? 0 : failed;
            if (w->told.count && dev_ballot(has && e.parent != w->told.frame))
                grosr_worker_tell(w);
            continue;
        }
        if (!left)
            break;
        together = true;
    }
    grosr_deque_settle(&w->deque);
    const struct grosr_local *l = w->deque.local;
    grosr_record_counts(&w->recorder, l->tasks, l->busy_ns, l->spawned, l->shared);
}

#endif
