/*
 * Waits, locks and progress of tasks, by name, so that a hung or slow kernel can be read from outside: who
 * waits for what, who holds it, since when (`grosr diagnose`). <grosr/task.h> has them.
 *
 * A name is a number, and grosr_options.names says what it is called; `which` is one of several of that name.
 * The kind of the resource (GROSR_RES_NAMED, or from GROSR_RES_LOCK on, schema/events.def) lets a diagnosis
 * say what cures it.
 *
 *     struct grosr_await wait;                         struct grosr_task_lock *lock = &table->lock;
 *     int err = 0;                                     int err = grosr_task_lock_acquire(task, lock);
 *                                                      if (err)
 *     grosr_await_begin(&wait, task,                       return err;
 *                       GROSR_RES_ITEM, SLOT, i);
 *     while (!err && !dev_load_acquire(&slot->full))   table->n++;
 *         err = grosr_await_more(&wait);               grosr_task_lock_release(task, lock);
 *     if (err)
 *         return err;
 *     grosr_await_end(&wait);
 *
 * One lane calls; several lanes of a warp may wait at the same time. A lane must not wait for what another
 * lane of its warp does, unless that lane runs on (task.h): a lock is held for a short time, and no task ends
 * or continues while it has one. A wait costs no more than the polls until it has lasted 0.1 ms, from when on
 * the worker's state word shows it; a lock costs two events at level `spans`.
 *
 * Whoever waits is told when it is over for all: ECANCELED when the runtime stops, or when the task's tree
 * has been cancelled, for the task to return. Such a wait never ended, and has no end in the trace.
 */
#ifndef GROSR_TASK_WAIT_H
#define GROSR_TASK_WAIT_H

#include "task.h"

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

/* Whether the runtime stops, or the task has been cancelled: one load, which a spinning task does anyway. */
GROSR_DEVICE bool grosr_task_stops(const struct grosr_task_context *task)
{
    uint64_t command = dev_load_relaxed(&task->launch->control->word) >> GROSR_CONTROL_SHIFT;

    return command & GROSR_CONTROL_STOP ||
           (command & GROSR_CONTROL_CANCEL &&
            grosr_task_is_cancelled(task->launch, task->parent, task->number));
}

struct grosr_await {
    const struct grosr_task_context *task;
    uint32_t step;
    struct grosr_lane_wait wait;
};

GROSR_DEVICE void grosr_await_begin(struct grosr_await *w, const struct grosr_task_context *task,
                                    enum grosr_resource resource, uint32_t name, uint32_t which)
{
    w->task = task;
    w->step = 0;
    grosr_lane_wait_init(&w->wait, &task->deque.local->lanes, grosr_payload_of_kind(resource, name, which));
}

/* After a look in vain: pauses, longer each time. 0 or ECANCELED. */
GROSR_DEVICE_COLD int grosr_await_more(struct grosr_await *w)
{
    if (grosr_task_stops(w->task))
        return ECANCELED;
    grosr_lane_wait_lasts(&w->wait, dev_backoff_is_deep(w->step));
    dev_backoff(&w->step);
    return 0;
}

GROSR_DEVICE void grosr_await_end(struct grosr_await *w)
{
    grosr_lane_wait_end(&w->wait);
}

/* The task has, and no longer has, what others wait for by that name. */
GROSR_DEVICE void grosr_hold_begin(const struct grosr_task_context *task, enum grosr_resource resource,
                                   uint32_t name, uint32_t which)
{
    grosr_lane_hold(&task->deque.local->lanes, grosr_payload_of_kind(resource, name, which));
}

GROSR_DEVICE void grosr_hold_end(const struct grosr_task_context *task, enum grosr_resource resource,
                                 uint32_t name, uint32_t which)
{
    grosr_lane_release(&task->deque.local->lanes, grosr_payload_of_kind(resource, name, which));
}

/*
 * A spin lock in device memory. Its name and `which` are the program's to set before it is used; all the
 * rest is 0 at first. `owner` and `since_ns` are for debuggers and core dumps: the holder writes them.
 */
struct grosr_task_lock {
    dev32 taken; /* 1: somebody holds it */
    uint32_t name, which;
    uint32_t unused;
    dev64 owner;    /* worker:16 << 40 | task:40 of the latest holder */
    dev64 since_ns; /* device time at which that one acquired it */
};

/* 0 or ECANCELED. */
GROSR_DEVICE_COLD int grosr_task_lock_acquire(const struct grosr_task_context *task,
                                              struct grosr_task_lock *lock)
{
    struct grosr_await wait;

    grosr_await_begin(&wait, task, GROSR_RES_LOCK, lock->name, lock->which);
    /* Pairs with grosr_task_lock_release(). */
    while (dev_load_relaxed(&lock->taken) || dev_cas_acquire(&lock->taken, 0u, 1u) != 0) {
        int err = grosr_await_more(&wait);
        if (err)
            return err;
    }
    grosr_await_end(&wait);
    dev_store_relaxed(&lock->owner,
                      (uint64_t)task->worker << GROSR_TASK_ID_BITS | (task->number & GROSR_TASK_ID_MASK));
    dev_store_relaxed(&lock->since_ns, dev_clock_ns());
    grosr_hold_begin(task, GROSR_RES_LOCK, lock->name, lock->which);
    return 0;
}

GROSR_DEVICE_COLD void grosr_task_lock_release(const struct grosr_task_context *task,
                                               struct grosr_task_lock *lock)
{
    grosr_hold_end(task, GROSR_RES_LOCK, lock->name, lock->which);
    dev_store_release(&lock->taken, 0u); /* pairs with grosr_task_lock_acquire() */
}

/* A long task reports how far it is: the counter's new value, in the trace at level `spans`. */
GROSR_DEVICE void grosr_progress(const struct grosr_task_context *task, uint32_t name, int64_t value)
{
    struct grosr_lane_site *lanes = &task->deque.local->lanes;

    if (grosr_lane_records(lanes, GROSR_LEVEL_SPANS))
        grosr_lane_event(lanes, GROSR_EV_COUNTER, grosr_payload_named(name, grosr_value_signed(value)),
                         dev_clock_ns());
}

#endif
