/*
 * What follows from a task's end: a result for the host, or one child less that its parent waits for, which
 * may make that one continue, or end too.
 *
 * Tasks of one parent that end in one worker one after the other are added up, and reach the parent's frame
 * together (struct grosr_completions): they are pending until the worker turns to anything else, which
 * flushes them. All other completions reach their frames at the end of their batch. A worker that finds
 * nothing to run has none pending, so no task waits for a worker that waits.
 */
#ifndef GROSR_COMPLETION_H
#define GROSR_COMPLETION_H

#include "worker.h"

/* Writes the result of a task of the host's. `wrote`: it, or a task under it, may have written to memory. */
GROSR_DEVICE void grosr_result_write(const struct grosr_queue *q, uint64_t number, uint64_t value, int status,
                                     bool wrote)
{
    struct grosr_pair r =
        grosr_queue_pack(grosr_queue_lap(q->capacity_log2, number), 0, (uint32_t)status, value);
    sys128 *result = &q->results[number & ((1u << q->capacity_log2) - 1)];

    dev_point("task.done");
    if (wrote) /* pairs with the load in peek() of complete.c */
        sys_store_pair_release(result, r.lo, r.hi);
    else
        sys_store_pair_relaxed(result, r.lo, r.hi);
}

/* Nothing is missing in `frame` any more: its task resumes, or is complete, and perhaps its parent with it.
 * Called by any lanes. */
GROSR_DEVICE_COLD void grosr_frame_resume(const struct grosr_launch *launch, struct grosr_deque deque,
                                          uint32_t worker, uint32_t frame)
{
    struct grosr_frames frames = grosr_launch_frames(launch);

    for (;;) {
        uint32_t index = frame & GROSR_FRAME_MAX;
        struct grosr_frame *f = &frames.frame[index];
        uint64_t next = dev_load_relaxed(&f->next), whose = dev_load_relaxed(&f->whose);
        uint64_t value = dev_load_relaxed(&f->value);
        uint32_t mark = dev_load_relaxed(&f->mark), status = (uint32_t)next;
        if (next >> 32 != GROSR_TASK_NOTHING) {
            grosr_frame_ready(launch, &deque, index);
            return;
        }
        value += grosr_frame_sum(f);
        grosr_frame_free(&frames, deque.local, worker, index);
        if (status)
            mark = status;
        frame = (uint32_t)(whose >> GROSR_TASK_ID_BITS);
        if (!frame) {
            grosr_result_write(&launch->queue, whose & GROSR_TASK_ID_MASK, value,
                               (int)grosr_mark_status(mark), mark != 0);
            return;
        }
        if (!grosr_frame_add_completions(frames.frame, grosr_completions_one(frame, value, mark)))
            return;
    }
}

/* Adds the pending completions to their frame. A collective. */
GROSR_DEVICE void grosr_worker_flush(struct grosr_worker *w)
{
    struct grosr_completions t = w->pending;

    if (!t.count)
        return;
    w->pending.count = 0;
    if (dev_lane() == 0 && grosr_frame_add_completions(w->launch->frame, t))
        grosr_frame_resume(w->launch, w->deque, w->index, t.frame);
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
        if (done && grosr_frame_add_completions(w->launch->frame, grosr_completions_one(parent, value, mark)))
            grosr_frame_resume(w->launch, w->deque, w->index, parent);
        return;
    }
    if (w->pending.frame != first || w->pending.count > GROSR_CHILDREN - GROSR_LANES)
        grosr_worker_flush(w);
    if (!w->pending.count)
        w->pending = (struct grosr_completions){first, 0, 0, 0, 0};
    w->pending.count += dev_popc32(mask);
    w->pending.low += dev_sum64(done ? value & 0xffffffffu : 0);
    w->pending.high += dev_sum64(done ? value >> 32 : 0);
    for (marked = dev_ballot(done && mark); marked; marked &= marked - 1) {
        uint32_t m = dev_shfl32(mark, dev_ffs32(marked) - 1);
        w->pending.mark = grosr_mark_merge(w->pending.mark, m);
    }
}

#endif
