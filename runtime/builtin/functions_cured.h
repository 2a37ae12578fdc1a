/*
 * What the faults of functions_stall.h are with the advice of their findings (tracer/findings/findings.def),
 * for `grosr run stall:NAME --cured`: each does the same work as the fault does, follows that advice, and
 * comes to an end. A fault whose cure is the host's to apply has no function here.
 *
 * grosr_stall.spawned counts the tasks that are neither `stall_start` nor one of those that it starts.
 */
#ifndef GROSR_FUNCTIONS_CURED_H
#define GROSR_FUNCTIONS_CURED_H

#include "functions_stall.h"

#define GROSR_CURED_ROUNDS 50u
#define GROSR_CURED_BLOCKS                                                           \
    24u /* that a task needs: so many fit into the heap for two tasks, not for three \
         */
#define GROSR_CURED_CHAINS      128u /* of urgent tasks, at most: all can wait in their ring */
#define GROSR_CURED_GENERATIONS 4u

/* lock_cycle: the two locks are acquired in one order everywhere. */
GROSR_TASK(cured_locks)
{
    struct grosr_stall *s = grosr_stall_of(task);
    uint32_t n = grosr_stall_workers(task), mine = grosr_stall_worker(task), next = (mine + 1) % n;
    struct grosr_task_lock *first = &s->lock[mine < next ? mine : next];
    struct grosr_task_lock *second = &s->lock[mine < next ? next : mine];
    int err = grosr_stall_meet(task, n);

    for (uint32_t i = 0; !err && i < GROSR_CURED_ROUNDS; i++) {
        err = grosr_task_lock_acquire(task, first);
        if (!err)
            err = grosr_task_lock_acquire(task, second);
        if (!err)
            err = grosr_stall_work(task, 1000000);
        if (err)
            break;
        grosr_task_lock_release(task, second);
        grosr_task_lock_release(task, first);
    }
    return err;
}

/* Takes what is first in the ring, if the ring has at least so many, and runs it. Whether it did, or another
 * worker was faster. */
GROSR_DEVICE bool grosr_cured_take(const struct grosr_task_context *task, int64_t least, int *err)
{
    struct grosr_stall *s = grosr_stall_of(task);
    uint64_t head = dev_load_relaxed(&s->head);

    /* A tail that was read too early only makes the ring seem emptier. */
    if ((int64_t)(dev_load_relaxed(&s->tail) - head) < least)
        return false;
    if (dev_cas_dependent(&s->head, head, head + 1) == head)
        *err = grosr_stall_work(task, 100000);
    return true;
}

/* queue_full_cycle: a task that finds the ring full runs one of its tasks itself. */
GROSR_TASK(cured_ring)
{
    struct grosr_stall *s = grosr_stall_of(task);
    uint32_t put = 0;
    int err = 0;

    while (!err && put < 4 * GROSR_STALL_RING) {
        uint64_t tail = dev_load_relaxed(&s->tail);
        if ((int64_t)(tail - dev_load_relaxed(&s->head)) < (int64_t)GROSR_STALL_RING)
            put += dev_cas_dependent(&s->tail, tail, tail + 1) == tail;
        else
            grosr_cured_take(task, GROSR_STALL_RING, &err);
    }
    while (!err && grosr_cured_take(task, 1, &err))
        ;
    return err;
}

/* dependency_cycle: the task suspends until its child has ended, so that its worker can run it. */
GROSR_TASK(cured_child)
{
    uint32_t mine = grosr_stall_worker(task);
    int err = grosr_spawn(task, GROSR_FN_STALL_CHILD_RUNS, mine, task->b);

    return err ? err : grosr_then(task, GROSR_FN_CURED_CONTINUED, mine + 1, task->b);
}

/* What a task continues as. a - 1: the child that has ended; a is 0: it had none. */
GROSR_TASK(cured_continued)
{
    struct grosr_stall *s = grosr_stall_of(task);

    dev_add_relaxed(&s->continued, 1u);
    return task->a == 0 || dev_load_relaxed(&s->child[task->a - 1]) == 1 ? 0 : EIO;
}

/* All blocks that a task needs, chained; NULL: there are too few, and it has none. */
GROSR_DEVICE_COLD void **grosr_cured_blocks(const struct grosr_task_context *task)
{
    void **block, **all = NULL;
    uint32_t n = 0;

    for (; n < GROSR_CURED_BLOCKS && (block = (void **)grosr_malloc(task, GROSR_STALL_BLOCK)); n++) {
        *block = (void *)all;
        all = block;
    }
    for (; n < GROSR_CURED_BLOCKS && all; all = block) {
        block = (void **)*all;
        grosr_free(task, all);
    }
    return all;
}

/* memory_deadlock: a task allocates all that it needs before it keeps any of it. Those that found too little
 * try again at different times. */
GROSR_TASK(cured_memory)
{
    struct grosr_await wait;
    void **block, **all = NULL;
    int err = grosr_stall_meet(task, grosr_stall_workers(task));

    grosr_await_begin(&wait, task, GROSR_RES_MEMORY, GROSR_STALL_MEMORY, 0);
    while (!err && !(all = grosr_cured_blocks(task))) {
        err = grosr_stall_work(task, UINT64_C(100000) * (grosr_stall_worker(task) + 1));
        if (!err)
            err = grosr_await_more(&wait);
    }
    if (err)
        return err;
    grosr_await_end(&wait);
    grosr_hold_begin(task, GROSR_RES_MEMORY, GROSR_STALL_MEMORY, 0);
    err = grosr_stall_work(task, 5000000);
    grosr_hold_end(task, GROSR_RES_MEMORY, GROSR_STALL_MEMORY, 0);
    for (; all; all = block) {
        block = (void **)*all;
        grosr_free(task, all);
    }
    return err;
}

/* lost_wakeup: the count that the wait compares with is read before anybody can ring. */
GROSR_TASK(cured_wakeup)
{
    struct grosr_stall *s = grosr_stall_of(task);
    uint32_t before = dev_load_relaxed(&s->rung);
    int err = grosr_stall_meet(task, grosr_stall_workers(task));

    if (err)
        return err;
    if (grosr_stall_worker(task) == 0)
        return grosr_stall_await(task, GROSR_RES_NAMED, GROSR_STALL_WAKEUP, 0, &s->rung, before + 1);
    dev_add_acq_rel(&s->rung, 1u); /* pairs with grosr_stall_await() */
    return 0;
}

/* dependency_never_met: the child waits for as many signals as there are. */
GROSR_TASK(cured_signal)
{
    grosr_waiting waiting;

    if (grosr_stall_worker(task) != 0)
        return 0;
    int err = grosr_spawn_waiting(task, GROSR_FN_STALL_CHILD_RUNS, 0, task->b, 1, &waiting);
    return err ? err : grosr_signal(task, waiting);
}

/* endless_task: the loop ends, and what is just long reports its progress. */
GROSR_TASK(cured_endless)
{
    int err = 0;

    for (int64_t i = 0; !err && grosr_stall_worker(task) == 0 && i < (int64_t)GROSR_CURED_ROUNDS; i++) {
        err = grosr_stall_work(task, 20000000);
        grosr_progress(task, GROSR_STALL_STEPS, i);
    }
    return err;
}

/* lock_abandoned: whoever acquires the lock releases it before it ends. */
GROSR_TASK(cured_abandoned)
{
    struct grosr_stall *s = grosr_stall_of(task);
    int err = 0;

    if (grosr_stall_worker(task) != 0)
        err = grosr_stall_await(task, GROSR_RES_BARRIER, GROSR_STALL_MEETING, 0, &s->rung, 1);
    if (!err)
        err = grosr_task_lock_acquire(task, &s->lock[0]);
    if (grosr_stall_worker(task) == 0)
        dev_add_acq_rel(&s->rung, 1u); /* pairs with grosr_stall_await() */
    if (!err)
        grosr_task_lock_release(task, &s->lock[0]);
    return err;
}

/* barrier_skipped: every worker comes to the barrier. */
GROSR_TASK(cured_barrier)
{
    struct grosr_stall *s = grosr_stall_of(task);

    dev_add_acq_rel(&s->arrived, 1u); /* pairs with grosr_stall_await() */
    return grosr_stall_await(task, GROSR_RES_BARRIER, GROSR_STALL_BARRIER, 0, &s->arrived,
                             grosr_stall_workers(task));
}

GROSR_DEVICE_COLD int grosr_cured_produce(const struct grosr_task_context *task)
{
    struct grosr_stall *s = grosr_stall_of(task);
    int err = 0;

    for (uint32_t i = 0; !err && i < GROSR_CURED_ROUNDS; i++) {
        dev_add_relaxed(&s->tail, UINT64_C(20));
        err = grosr_stall_work(task, 2000000);
    }
    dev_store_release(&s->rung, 1u); /* pairs with grosr_cured_consume() */
    return err;
}

GROSR_DEVICE_COLD int grosr_cured_consume(const struct grosr_task_context *task)
{
    struct grosr_stall *s = grosr_stall_of(task);
    struct grosr_await wait;
    bool ended = false;
    int err = 0;

    while (!err && !ended) {
        uint64_t head;
        int64_t left;
        grosr_await_begin(&wait, task, GROSR_RES_ITEM, GROSR_STALL_ITEM, 0);
        do {
            ended = dev_load_acquire(&s->rung) != 0; /* pairs with grosr_cured_produce() */
            head = dev_load_relaxed(&s->head);
            left = (int64_t)(dev_load_relaxed(&s->tail) - head);
        } while (left <= 0 && !ended && !(err = grosr_await_more(&wait)));
        if (err)
            break;
        grosr_await_end(&wait);
        if (left > 0) {
            dev_cas_dependent(&s->head, head, head + 1);
            ended = false;
        }
    }
    return err;
}

/* stopped_producer: the producer runs to its end, and then reports that nothing more comes. */
GROSR_TASK(cured_items)
{
    return grosr_stall_worker(task) == 0 ? grosr_cured_produce(task) : grosr_cured_consume(task);
}

/* unfair_lock: those who wait are served in their order, by a ticket. */
GROSR_TASK(cured_unfair)
{
    struct grosr_stall *s = grosr_stall_of(task);
    int err = 0;

    for (uint32_t i = 0; !err && i < 4 * GROSR_CURED_ROUNDS; i++) {
        uint32_t ticket = dev_add_relaxed(&s->tickets, 1u);
        err = grosr_stall_await(task, GROSR_RES_LOCK, GROSR_STALL_TURN, 0, &s->rung, ticket);
        if (err)
            break;
        grosr_hold_begin(task, GROSR_RES_LOCK, GROSR_STALL_TURN, 0);
        dev_add_relaxed(&s->head, UINT64_C(1));
        grosr_hold_end(task, GROSR_RES_LOCK, GROSR_STALL_TURN, 0);
        dev_add_acq_rel(&s->rung, 1u); /* pairs with grosr_stall_await() */
        err = grosr_stall_work(task, 2000000);
    }
    return err;
}

/* hot_lock: what the lock protects is split, a part and a lock for each worker. */
GROSR_TASK(cured_hot)
{
    struct grosr_task_lock *lock = &grosr_stall_of(task)->lock[grosr_stall_worker(task)];
    int err = 0;

    for (uint32_t i = 0; !err && i < 2 * GROSR_CURED_ROUNDS; i++) {
        err = grosr_task_lock_acquire(task, lock);
        if (!err)
            err = grosr_stall_work(task, 5000000);
        if (err)
            break;
        grosr_task_lock_release(task, lock);
        err = grosr_stall_work(task, 2000000);
    }
    return err;
}

/* priority_inversion: worker 0 releases the lock before it continues behind the urgent tasks. */
GROSR_TASK(cured_inversion)
{
    struct grosr_stall *s = grosr_stall_of(task);
    uint32_t mine = grosr_stall_worker(task), chains = 2 * GROSR_LANES * grosr_stall_workers(task);
    int err;

    if (mine > 2)
        return 0;
    err = mine == 0 ? grosr_task_lock_acquire(task, &s->lock[0]) : 0;
    if (!err)
        err = grosr_stall_meet(task, 3);
    if (!err && mine == 1)
        err = grosr_task_lock_acquire(task, &s->lock[0]);
    for (uint32_t i = 0; !err && mine == 2 && i < chains && i < GROSR_CURED_CHAINS; i++)
        err = grosr_spawn_urgent(task, GROSR_FN_CURED_URGENT, 1, task->b);
    if (mine == 2)
        dev_add_acq_rel(&s->rung, 1u); /* pairs with grosr_stall_await() */
    else if (!err && mine == 0)
        err = grosr_stall_await(task, GROSR_RES_BARRIER, GROSR_STALL_MEETING, 0, &s->rung, 1);
    if (err || mine == 2)
        return err;
    grosr_task_lock_release(task, &s->lock[0]);
    return mine == 0 ? grosr_then(task, GROSR_FN_CURED_CONTINUED, 0, task->b) : 0;
}

/* Task a of a chain of urgent ones, each of which spawns the next one before it works. */
GROSR_TASK(cured_urgent)
{
    int err = grosr_task_stops(task) ? ECANCELED : 0;

    dev_add_relaxed(&grosr_stall_of(task)->spawned, 1u);
    if (!err && task->a < GROSR_CURED_GENERATIONS)
        err = grosr_spawn_urgent(task, GROSR_FN_CURED_URGENT, task->a + 1, task->b);
    return err ? err : grosr_stall_work(task, 100000000);
}

#endif
