/*
 * Running a batch of tasks, one in each lane or one for the whole warp, and what each becomes: it is complete
 * (completion.h), waits in its frame for its children, or continues as another function, here or at another
 * worker.
 */
#ifndef GROSR_RUN_H
#define GROSR_RUN_H

#include "completion.h"
#include "task_wait.h"

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

    if (w->inbox - w->inbox_published >= GROSR_INBOX_PUBLISH) {
        grosr_share_taken(inbox, w->inbox);
        w->inbox_published = w->inbox;
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

/* ---- one task in each lane, or one in all ---- */

/* A task as its function first sees it. A collective. */
GROSR_DEVICE struct grosr_task_context grosr_worker_context(const struct grosr_worker *w, bool together,
                                                            struct grosr_entry e, uint64_t sum, int failed)
{
    struct grosr_task_context task;

    task.number = e.number;
    task.function = e.function;
    task.a = e.a;
    task.b = e.b;
    task.sum = sum;
    task.failed = failed;
    task.value = 0;
    task.launch = w->launch;
    task.deque = w->deque;
    task.worker = w->index;
    task.parent = e.parent;
    task.frame = together ? dev_shfl32(w->frame, 0) : w->frame;
    task.children = task.escaped = 0;
    task.children_left = together ? GROSR_CHILDREN / GROSR_LANES : GROSR_CHILDREN;
    task.next = GROSR_TASK_NOTHING;
    task.next_a = task.next_worker = 0;
    task.next_b = 0;
    return task;
}

/* Records that the tasks of the lanes in `mask` begin or resume; returns the time, 0 at level off. A
 * collective. */
GROSR_DEVICE uint64_t grosr_worker_record_begin(struct grosr_worker *w, uint32_t mask, bool has,
                                                struct grosr_entry e, uint32_t resumed)
{
    struct grosr_emitter *emit = &w->recorder.emit;

    if (emit->level < GROSR_LEVEL_COUNTERS)
        return 0;
    uint64_t payload = grosr_payload_task(e.function, e.number), start = dev_clock_ns();
    uint32_t kind = resumed ? GROSR_EV_TASK_RESUME : GROSR_EV_TASK_BEGIN, first = dev_ffs32(mask) - 1;
    grosr_record_word(&w->recorder, dev_shfl32(kind, first), dev_shfl64(payload, first), start);
    if (emit->level >= GROSR_LEVEL_SPANS)
        grosr_emit_lanes(emit, has, kind, payload, start);
    grosr_lane_begin(&w->deque.local->lanes, &w->recorder);
    return start;
}

/* Runs the function of a task that has not been cancelled. Returns the status. */
GROSR_DEVICE int grosr_worker_call(const struct grosr_worker *w, struct grosr_task_context *task,
                                   bool together, struct grosr_entry e)
{
    if (w->word >> GROSR_CONTROL_SHIFT & GROSR_CONTROL_CANCEL &&
        grosr_task_is_cancelled(w->launch, e.parent, e.number))
        return ECANCELED;
    return grosr_task_dispatch(task, together);
}

/* Whether a task continues without waiting for anything, as a function for one lane. */
GROSR_DEVICE bool grosr_task_continues_in_lane(const struct grosr_task_context *task, int status)
{
    return !task->children && !status && task->next != GROSR_TASK_NOTHING &&
           grosr_task_effects(task->next) != GROSR_EFFECTS_WARP;
}

/* What a task continues as. */
GROSR_DEVICE struct grosr_entry grosr_task_continuation(const struct grosr_task_context *task,
                                                        struct grosr_entry e)
{
    e.function = task->next;
    e.a = task->next_a;
    e.b = task->next_b;
    return e;
}

/* Makes a task that has no children run again, as its next function. */
GROSR_DEVICE void grosr_task_restart(struct grosr_task_context *task, struct grosr_entry e)
{
    task->function = e.function;
    task->a = e.a;
    task->b = e.b;
    task->sum = task->value = 0;
    task->failed = 0;
    task->next = GROSR_TASK_NOTHING;
    task->next_worker = 0;
}

/* Gives a task that continues on another worker to that one. False: its inbox is full. Called by any lanes.
 */
GROSR_DEVICE bool grosr_worker_pass(struct grosr_worker *w, struct grosr_entry e, uint32_t next_worker)
{
    struct grosr_share inbox = grosr_launch_inbox(w->launch, next_worker - 1);

    w->given = grosr_share_put_again(inbox, e, w->given);
    return w->given.ends;
}

/* Records what became of the tasks, and counts them: `ran`, from `start` to `end`. A collective. */
GROSR_DEVICE void grosr_worker_record_end(struct grosr_worker *w, bool has, bool spawned,
                                          const struct grosr_task_context *task, struct grosr_entry e,
                                          int status, uint64_t start, uint64_t end, uint64_t ran)
{
    struct grosr_emitter *emit = &w->recorder.emit;
    struct grosr_heap_site *notes = &w->deque.local->heap;
    bool escaped = spawned && dev_ballot(task->escaped), waited = false;

    if (emit->level >= GROSR_LEVEL_COUNTERS && (waited = grosr_lane_used(&w->deque.local->lanes)))
        w->recorder = grosr_lane_settle(&w->deque.local->lanes, w->recorder, end);
    if (escaped)
        grosr_worker_record_spawns(w, start);
    if (emit->level >= GROSR_LEVEL_SPANS && dev_uniform(warp_load(&notes->noted)))
        emit->at = grosr_worker_flush_notes(*emit, notes, waited ? end : start);
    if (spawned && !escaped)
        grosr_worker_record_spawns(w, end);
    if (emit->level >= GROSR_LEVEL_SPANS) {
        bool suspends = task->children || task->next != GROSR_TASK_NOTHING;
        grosr_emit_lanes(
            emit, has, suspends ? GROSR_EV_TASK_SUSPEND : GROSR_EV_TASK_END,
            grosr_payload_task(suspends ? task->next : grosr_payload_16((uint32_t)status), e.number), end);
    }
    grosr_count(&w->deque.local->busy_ns, end - start);
    grosr_count(&w->deque.local->tasks, ran);
}

/* Writes into a task's frame how it continues when its children are complete. Called by any lanes. */
GROSR_DEVICE void grosr_frame_write(struct grosr_frame *f, const struct grosr_task_context *task,
                                    struct grosr_entry e, int status)
{
    dev_store_relaxed(&f->next, (uint64_t)(task->next | GROSR_ENTRY_RESUMED) << 32 |
                                    (task->next == GROSR_TASK_NOTHING ? (uint32_t)status : task->next_a));
    dev_store_relaxed(&f->b, task->next_b);
    dev_store_relaxed(&f->whose, (uint64_t)e.parent << GROSR_TASK_ID_BITS | e.number);
    dev_store_relaxed(&f->value, task->value);
}

/*
 * Runs the tasks of the lanes whose `has` is set, or, together, the one task that all lanes were given and
 * that counts as lane 0's. sum and failed are those of the task's children. Whether this lane's task
 * continues here, as *next. A collective.
 */
GROSR_DEVICE bool grosr_worker_run_lanes(struct grosr_worker *w, bool has, bool together,
                                         struct grosr_entry e, uint64_t sum, int failed,
                                         struct grosr_entry *next)
{
    uint32_t mask = dev_ballot(has), resumed = e.function & GROSR_ENTRY_RESUMED;
    uint64_t ran = 0;
    int status = 0;

    e.function &= ~GROSR_ENTRY_RESUMED;
    struct grosr_task_context task = grosr_worker_context(w, together, e, sum, failed);
    uint64_t start = grosr_worker_record_begin(w, mask, has, e, resumed);
    for (;;) {
        if (together || has)
            status = grosr_worker_call(w, &task, together, e);
        ran += dev_popc32(mask);
        /*
         * The short way round for tasks that all continue at once, as chains do, when nothing is recorded:
         * their next functions run in the same lanes without the deque, until the worker is to look around.
         */
        bool on = grosr_task_continues_in_lane(&task, status);
        if (together || w->recorder.emit.level != GROSR_LEVEL_OFF || dev_ballot(has && !on))
            break;
        bool elsewhere = dev_ballot(has && task.next_worker);
        if (!dev_shfl32(
                dev_clock_ns() - w->looked_ns < (elsewhere ? GROSR_PASS_NS : GROSR_IDLE_POLL_INTERVAL_NS), 0))
            break;
        resumed = GROSR_ENTRY_RESUMED;
        e = grosr_task_continuation(&task, e);
        if (elsewhere) {
            /* When that leaves the worker with nothing at all, it waits a moment for what comes back. */
            if (has && task.next_worker) {
                struct grosr_entry there = e;
                there.function |= GROSR_ENTRY_RESUMED;
                has = !grosr_worker_pass(w, there, task.next_worker);
            }
            if (dev_ballot(has) || w->pending.count || grosr_deque_size(&w->deque))
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
        grosr_task_restart(&task, e);
    }
    if (together) {
        task.children = (uint32_t)dev_sum64(task.children);
        task.escaped = dev_ballot(task.escaped);
    }
    uint64_t end = w->recorder.emit.level >= GROSR_LEVEL_COUNTERS ? dev_clock_ns() : 0;
    if (status) {
        task.next = GROSR_TASK_NOTHING;                        /* a task that fails does not continue */
        status = status == INT32_MIN ? INT32_MIN + 1 : status; /* it has no negative, and looks like a mark */
    }
    bool spawned = dev_ballot(has && task.children);
    bool continues = has && !task.children && task.next != GROSR_TASK_NOTHING;
    grosr_worker_record_end(w, has, spawned, &task, e, status, start, end, ran);

    bool done = has && !task.children && !continues;
    bool wrote = resumed || grosr_task_effects(e.function) != GROSR_EFFECTS_PURE;
    if (spawned && has && task.children) {
        struct grosr_frame *f = &w->launch->frame[task.frame];
        grosr_frame_write(f, &task, e, status);
        w->frame = 0;
        if (!task.escaped) {
            if (wrote)
                dev_store_relaxed(&f->mark, GROSR_MARK_WROTE);
            grosr_frame_expect_first(f, task.children);
        } else if (grosr_frame_expect(f, task.children)) {
            grosr_frame_resume(w->launch, w->deque, w->index, task.frame);
        }
    }
    *next = grosr_task_continuation(&task, e);
    next->function |= GROSR_ENTRY_RESUMED;
    if (continues && task.next_worker)
        continues = !grosr_worker_pass(w, *next, task.next_worker);
    if (done && !e.parent)
        grosr_result_write(&w->launch->queue, e.number, task.value, status, wrote);
    grosr_worker_complete(w, done && e.parent, e.parent, task.value, grosr_mark_of(status, wrote));
    return continues;
}

/* ---- a batch ---- */

/* Puts a task that continues into the deque; or, if that is full, into the overflow ring. False: no room
 * there either. Called by any lanes. */
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

/* The task of a frame in which nothing is missing. The lane keeps the frame for the task's next children, if
 * it has none, or frees it. Called by any lanes. */
GROSR_DEVICE struct grosr_entry grosr_worker_resume(struct grosr_worker *w, const struct grosr_frames *frames,
                                                    uint32_t frame, uint64_t *sum, int *failed)
{
    struct grosr_frame *f = &frames->frame[frame];
    uint64_t next = dev_load_relaxed(&f->next), whose = dev_load_relaxed(&f->whose);
    struct grosr_entry e;

    e.function = (uint32_t)(next >> 32) & 0xffffu;
    e.count = 1;
    e.a = (uint32_t)next;
    e.b = dev_load_relaxed(&f->b);
    *failed = (int)grosr_mark_status(dev_load_relaxed(&f->mark));
    *sum = grosr_frame_sum(f);
    if (w->frame)
        grosr_frame_free(frames, w->deque.local, w->index, frame);
    else
        w->frame = frame;
    e.parent = (uint32_t)(whose >> GROSR_TASK_ID_BITS);
    e.number = whose & GROSR_TASK_ID_MASK;
    return e;
}

/* Runs the tasks in the lanes whose `has` is set. A collective. */
GROSR_DEVICE void grosr_worker_run_batch(struct grosr_worker *w, bool has, struct grosr_entry e)
{
    const struct grosr_launch *launch = w->launch;
    struct grosr_frames frames = grosr_launch_frames(launch);
    uint64_t sum = 0, now_sum = 0;
    int failed = 0, now_failed = 0;

    /* Pending completions are one parent's. They are flushed before anything else runs, which might take
     * long. */
    if (w->pending.count && dev_ballot(has && e.parent != w->pending.frame))
        grosr_worker_flush(w);
    if (has && e.count == 0)
        e = grosr_worker_resume(w, &frames, e.parent, &sum, &failed);
    /*
     * First those that run one in each lane, again and again as long as they continue; then, one after the
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
        /* Frames that have been freed since the last tasks ran are put in order before tasks may take any. */
        grosr_frames_settle(&frames, w->deque.local, w->index);
        grosr_frames_refill(&frames, w->deque.local, w->index, has, &w->frame);
        has = grosr_worker_run_lanes(w, has, together, now, together ? now_sum : sum,
                                     together ? now_failed : failed, &next);
        bool stays = !together && !left && !dev_ballot(has && grosr_entry_is_alone(next)) &&
                     dev_shfl32(dev_clock_ns() - w->looked_ns < GROSR_IDLE_POLL_INTERVAL_NS, 0);
        /* Where there is no room for a task that continues, it stays in its lane, and one of a whole warp
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
            if (w->pending.count && dev_ballot(has && e.parent != w->pending.frame))
                grosr_worker_flush(w);
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
