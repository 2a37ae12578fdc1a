/*
 * Task functions: device code that a worker runs, and what it may call.
 *
 *     GROSR_TASK(fib)
 *     {
 *         if (task->a < 2) {
 *             task->value = task->a;
 *             return 0;
 *         }
 *         int err = grosr_spawn(task, GROSR_FN_FIB, task->a - 1, 0);
 *         return err ? err : grosr_spawn(task, GROSR_FN_FIB, task->a - 2, 0);
 *     }
 *
 * A GROSR_TASK runs in one lane, beside other tasks, perhaps of other functions, in the other lanes of its
 * warp: it calls no collectives. A GROSR_WARP_TASK is run by all lanes of a warp together, each with an equal
 * copy of the context; what counts at its end are lane 0's value and return value, but any lane may spawn.
 * Both return 0 or a positive errno, the task's status: any other int that is not 0 is a failure too (of
 * INT_MIN the host sees INT_MAX, as if -INT_MAX had been returned).
 *
 * A task is complete when its function, the function that it continues as, and so on, have returned and all
 * the tasks that it has spawned are complete: the host sees the result of a tree when the tree is done. The
 * value of a task that does not continue is its own plus the sum of its children's, modulo 2^64. Its status
 * is its own, or else that of the first child seen to have failed.
 *
 * What a function of effects WRITES or WARP (tasks.h) wrote to memory is visible to the parent when that
 * continues after it, and to the host once it sees the result. A lane must not wait for memory that another
 * task of its warp writes: a task waits by continuing (grosr_then).
 *
 * The functions below return 0 or a positive errno. EINVAL: an argument out of range, a function's id above
 * GROSR_FUNCTION_MAX among them; nothing changes. (An id below it that no function has is seen when the task
 * runs: its status is ENOSYS.) ENOBUFS: there is no room, the memory of the queues is bounded. A task that
 * gets ENOBUFS does the work itself, continues later (grosr_then, which needs no room), or fails. Children
 * that were spawned before stay spawned. A context belongs to its task and lane until the function returns.
 */
#ifndef GROSR_TASK_H
#define GROSR_TASK_H

#include "launch.h"

#include "../syscall/syscall_device.h"
#include "../tasks.h"

#include <errno.h>

struct grosr_task_context {
    /* What the task is. */
    uint64_t number; /* as the trace has it */
    uint32_t function, a;
    uint64_t b;
    /* After its children: */
    uint64_t sum; /* of their values */
    int failed;   /* 0, or the errno of the first one seen to have failed */
    /* What it returns, besides its status: */
    uint64_t value; /* 0 unless set; of a task that continues, the last function's counts */

    /* The runtime's. */
    const struct grosr_launch *launch;
    struct grosr_deque deque;
    uint32_t worker, parent;
    uint32_t frame;         /* where its children count; 0: none is left */
    uint32_t children;      /* spawned by this lane */
    uint32_t children_left; /* how many more it may have */
    uint32_t escaped;       /* some of them where others may run them at once */
    uint32_t next, next_a, next_worker;
    uint64_t next_b;
};

#define GROSR_TASK(name)      GROSR_DEVICE int grosr_task_##name(struct grosr_task_context *task)
#define GROSR_WARP_TASK(name) GROSR_TASK(name)

GROSR_DEVICE struct grosr_entry grosr_task_child(struct grosr_task_context *task, uint32_t function,
                                                 uint32_t count, uint32_t a, uint64_t b)
{
    struct grosr_entry e;
    e.function = function;
    e.a = a;
    e.b = b;
    e.parent = task->frame;
    e.count = count;
    e.number = grosr_number_add(GROSR_TASK_SPAWNED | (uint64_t)task->worker << GROSR_TASK_SPAWN_BITS,
                                count == 1 ? warp_ticket(&task->deque.local->numbers)
                                           : warp_add(&task->deque.local->numbers, count));
    return e;
}

/* Before a child goes where others may run it at once: writes into the frame who its parent is, for
 * cancellation, and that the parent may have written to memory. */
GROSR_DEVICE void grosr_task_escapes(struct grosr_task_context *task)
{
    struct grosr_frame *f = &task->launch->frame[task->frame];

    if (!task->escaped) {
        dev_store_relaxed(&f->whose, (uint64_t)task->parent << GROSR_TASK_ID_BITS | task->number);
        dev_store_relaxed(&f->mark, GROSR_MARK_WROTE);
    }
    task->escaped = 1;
}

/* Counts `count` more children, if the task may have them. */
GROSR_DEVICE bool grosr_task_add_children(struct grosr_task_context *task, uint32_t count)
{
    if (!task->frame || task->children_left < count)
        return false;
    task->children_left -= count;
    task->children += count;
    return true;
}

/* Puts a child, already counted as `count`, into the deque, or into the overflow ring; uncounts it if there
 * is no room. */
GROSR_DEVICE int grosr_task_push(struct grosr_task_context *task, struct grosr_entry child, uint32_t count)
{
    if (grosr_deque_push(&task->deque, child))
        return 0;
    grosr_task_escapes(task);
    if (grosr_share_put_lane(grosr_launch_overflow(task->launch), child))
        return 0;
    task->children_left += count;
    task->children -= count;
    return ENOBUFS;
}

/* Spawns a task with arguments a and b. ENOBUFS: no room, or the task has GROSR_CHILDREN children. */
GROSR_DEVICE int grosr_spawn(struct grosr_task_context *task, uint32_t function, uint32_t a, uint64_t b)
{
    if (function > GROSR_FUNCTION_MAX)
        return EINVAL;
    if (!grosr_task_add_children(task, 1))
        return ENOBUFS;
    return grosr_task_push(task, grosr_task_child(task, function, 1, a, b), 1);
}

/* Spawns `count` tasks, 0 .. 2^31, with arguments a, a + 1, ... and the same b. They take the room of one;
 * more than GROSR_NARROW count as one child. */
GROSR_DEVICE int grosr_spawn_range(struct grosr_task_context *task, uint32_t function, uint32_t count,
                                   uint32_t a, uint64_t b)
{
    struct grosr_frames frames = grosr_launch_frames(task->launch);
    uint32_t as = count > GROSR_NARROW ? 1 : count, wide = 0;

    if (function > GROSR_FUNCTION_MAX || count > GROSR_RANGE_MAX)
        return EINVAL;
    if (count == 0)
        return 0;
    if (!grosr_task_add_children(task, as))
        return ENOBUFS;
    struct grosr_entry range = grosr_task_child(task, function, count, a, b);
    if (count > GROSR_NARROW) {
        wide = grosr_frame_take(frames, task->deque.local, task->worker);
        if (!wide) {
            task->children_left++;
            task->children--;
            return ENOBUFS;
        }
        struct grosr_frame *f = &frames.frame[wide];
        dev_store_relaxed(&f->next, (uint64_t)GROSR_TASK_NOTHING << 32);
        dev_store_relaxed(&f->whose, (uint64_t)task->frame << GROSR_TASK_ID_BITS | range.number);
        dev_store_relaxed(&f->value, UINT64_C(0));
        dev_store_relaxed(&f->pending, count);
        range.parent = wide | GROSR_FRAME_WIDE;
    }
    int err = grosr_task_push(task, range, as);
    if (err && wide) {
        dev_store_relaxed(&frames.frame[wide].pending, 0u);
        grosr_frame_free_shared(frames.free, wide);
    }
    return err;
}

/* Spawns a task of high priority: it starts before all others that have not started. */
GROSR_DEVICE int grosr_spawn_urgent(struct grosr_task_context *task, uint32_t function, uint32_t a,
                                    uint64_t b)
{
    struct grosr_share urgent = grosr_launch_urgent(task->launch);
    dev64 *word = &task->launch->control->word;

    if (function > GROSR_FUNCTION_MAX)
        return EINVAL;
    if (!grosr_task_add_children(task, 1))
        return ENOBUFS;
    grosr_task_escapes(task);
    /* Counted before it is in the ring, or the count could fall below zero. */
    dev_add_relaxed(word, UINT64_C(1));
    if (grosr_share_put_lane(urgent, grosr_task_child(task, function, 1, a, b)))
        return 0;
    dev_add_relaxed(word, ~UINT64_C(0));
    task->children_left++;
    task->children--;
    return ENOBUFS;
}

/* Spawns a task that worker `worker` is to run. EINVAL: there is no such worker. */
GROSR_DEVICE int grosr_spawn_on(struct grosr_task_context *task, uint32_t worker, uint32_t function,
                                uint32_t a, uint64_t b)
{
    if (worker >= task->launch->workers || function > GROSR_FUNCTION_MAX)
        return EINVAL;
    if (!grosr_task_add_children(task, 1))
        return ENOBUFS;
    struct grosr_share inbox = grosr_launch_inbox(task->launch, worker);
    grosr_task_escapes(task);
    if (grosr_share_put_lane(inbox, grosr_task_child(task, function, 1, a, b)))
        return 0;
    task->children_left++;
    task->children--;
    return ENOBUFS;
}

/* The task continues as `function` with these arguments when its function has returned and all its children
 * are complete. The last call counts. What it returns, 0 or EINVAL, is for the task function to return. */
GROSR_DEVICE int grosr_then(struct grosr_task_context *task, uint32_t function, uint32_t a, uint64_t b)
{
    if (function > GROSR_FUNCTION_MAX)
        return EINVAL;
    task->next = function;
    task->next_a = a;
    task->next_b = b;
    return 0;
}

/* As grosr_then(), and continues on worker `worker` if the task has no children and that worker's inbox has
 * room. EINVAL: there is no such worker, and nothing changes. */
GROSR_DEVICE int grosr_then_on(struct grosr_task_context *task, uint32_t worker, uint32_t function,
                               uint32_t a, uint64_t b)
{
    if (worker >= task->launch->workers || function > GROSR_FUNCTION_MAX)
        return EINVAL;
    task->next_worker = worker + 1;
    return grosr_then(task, function, a, b);
}

/* A task that waits for signals; valid until it starts. */
typedef uint64_t grosr_waiting;

/*
 * Makes a child that starts when it has been signalled `signals` times, 1 .. 2^31, by any tasks. *waiting may
 * be passed to other tasks in arguments, or in memory with a release. A child that is never signalled never
 * completes, and so its parent does not.
 */
GROSR_DEVICE int grosr_spawn_waiting(struct grosr_task_context *task, uint32_t function, uint32_t a,
                                     uint64_t b, uint32_t signals, grosr_waiting *waiting)
{
    struct grosr_frames frames = grosr_launch_frames(task->launch);
    uint32_t index;

    if (function > GROSR_FUNCTION_MAX || signals == 0 || signals > GROSR_RANGE_MAX || !waiting)
        return EINVAL;
    if (!task->frame || !task->children_left ||
        !(index = grosr_frame_take(frames, task->deque.local, task->worker)))
        return ENOBUFS;
    grosr_task_add_children(task, 1);
    grosr_task_escapes(task);
    struct grosr_frame *f = &frames.frame[index];
    struct grosr_entry e = grosr_task_child(task, function, 1, a, b);
    dev_store_relaxed(&f->next, (uint64_t)function << 32 | a);
    dev_store_relaxed(&f->b, b);
    dev_store_relaxed(&f->whose, (uint64_t)task->frame << GROSR_TASK_ID_BITS | e.number);
    dev_store_relaxed(&f->value, UINT64_C(0));
    /* A store: signals too many, to a task that this frame was before, are forgotten. Visible to signallers
     * by the release that passes the handle to them. */
    dev_store_relaxed(&f->pending, signals);
    *waiting = (uint64_t)index << GROSR_TASK_ID_BITS | e.number;
    return 0;
}

/* Makes a ready frame's task resume: puts the frame into this worker's deque, or into the ready ring. Called
 * by any lanes. */
GROSR_DEVICE void grosr_frame_ready(const struct grosr_launch *launch, const struct grosr_deque *deque,
                                    uint32_t frame)
{
    struct grosr_entry e = {};

    e.parent = frame;
    e.number = dev_load_relaxed(&launch->frame[frame].whose) & GROSR_TASK_ID_MASK;
    dev_point("frame.ready");
    if (!grosr_deque_push(deque, e)) {
        struct grosr_share ready = grosr_launch_ready(launch);
        grosr_share_put_lane(ready, e); /* has room for all frames */
    }
}

/* Signals a waiting task. EINVAL: not a handle. ESTALE: the task has started, as far as can be detected. */
GROSR_DEVICE int grosr_signal(struct grosr_task_context *task, grosr_waiting waiting)
{
    const struct grosr_launch *launch = task->launch;
    uint64_t index = waiting >> GROSR_TASK_ID_BITS;

    if (index == 0 || index > launch->frames)
        return EINVAL;
    struct grosr_frame *f = &launch->frame[index];
    if ((dev_load_relaxed(&f->whose) & GROSR_TASK_ID_MASK) != (waiting & GROSR_TASK_ID_MASK))
        return ESTALE;
    /* Release: what the signalling task wrote. Acquire: what the others did. Pairs with itself,
     * grosr_signal(), where others call it. */
    if (dev_add_acq_rel(&f->pending, ~0u) == 1)
        grosr_frame_ready(launch, &task->deque, (uint32_t)index);
    return 0;
}

/* Who calls, for system calls of a task: grosr_read(grosr_task_sys(task), ...). Not a part of the context,
 * which would take registers in every kernel. */
GROSR_DEVICE struct grosr_sys grosr_task_sys(const struct grosr_task_context *task)
{
    struct grosr_sys sys;
    sys.mailbox = &task->launch->mailbox;
    sys.who = (uint64_t)task->worker << GROSR_TASK_ID_BITS | (task->number & GROSR_TASK_ID_MASK);
    sys.lanes = &task->deque.local->lanes;
    return sys;
}

/*
 * Begins a system call (syscall_device.h) as a child of the task, which then continues with grosr_then() when
 * the call is done; other tasks run meanwhile. There, task->sum is the call's result, or, if that was
 * negative, task->failed its errno; of several children, the sum and the first failure. The function that the
 * task continues as ends the call with grosr_call_end(), which has what was read, and to which *call is
 * passed, as its b. `from` and `flags` as in grosr_call_begin(). ENOBUFS: no room; EAGAIN, ENOSYS, EIO: the
 * call was not begun.
 */
GROSR_DEVICE int grosr_call_then(struct grosr_task_context *task, struct grosr_request request,
                                 const void *from, uint32_t flags, grosr_pending *call)
{
    if (!grosr_task_add_children(task, 1))
        return ENOBUFS;
    grosr_task_escapes(task);
    int err = grosr_call_post(grosr_task_sys(task), request, from, task->frame, flags, call);
    if (!err)
        return 0;
    task->children_left++;
    task->children--;
    return -err;
}

#endif
