/*
 * The task functions of the workloads `stall:NAME` (workload_stall.c): textbook faults, each as a program
 * would have it, and honest work that looks like one.
 *
 * Each task runs on a worker of its own and knows it by its argument: a is workers << 16 | worker, b a struct
 * grosr_stall in device memory. What it waits for it waits for by name. Every wait ends when the runtime
 * stops: the task then returns ECANCELED, and what it has held it has held to the end.
 *
 * functions_cured.h has what they are once they are cured.
 *
 * Where this runtime cannot have a fault by design, it is built by hand: a task that spawns into full queues
 * is told so (ENOBUFS) and does not wait, so the full ring here is one in memory; the allocator never waits,
 * so the tasks do; and a proxy thread that dies is replaced, so a test point holds it (workload_stall.c).
 */
#ifndef GROSR_FUNCTIONS_STALL_H
#define GROSR_FUNCTIONS_STALL_H

#include "../grosr.h"
#include "../kernel/task_heap.h"

#define GROSR_STALL_WORKERS 16u /* at most */
#define GROSR_STALL_RING    64u
#define GROSR_STALL_BLOCK   65536u
#define GROSR_STALL_RESULTS 3000u /* that a task gives to the host */

/* What tasks wait for, hold and report (grosr_options.names). */
#define GROSR_STALL_NAMES(NAME) \
    NAME(LOCK, "lock")          \
    NAME(MEETING, "meeting")    \
    NAME(ROOM, "ring room")     \
    NAME(ITEM, "ring item")     \
    NAME(CHILD, "child")        \
    NAME(MEMORY, "heap memory") \
    NAME(WAKEUP, "wake-up")     \
    NAME(BARRIER, "barrier")    \
    NAME(RESULT, "result room") \
    NAME(TURN, "turn")          \
    NAME(STEPS, "steps")

enum {
#define GROSR_STALL_NAME(NAME, text) GROSR_STALL_##NAME,
    GROSR_STALL_NAMES(GROSR_STALL_NAME)
#undef GROSR_STALL_NAME
};

/* In device memory, zero at first, but for the locks' names and `shared`, which the host sets. */
struct grosr_stall {
    struct grosr_task_lock lock[GROSR_STALL_WORKERS];
    dev32 met, arrived, rung;
    dev32 child[GROSR_STALL_WORKERS];
    dev64 head, tail;                  /* of a ring of which only the counts matter */
    uint64_t shared;                   /* a struct grosr_stall_shared */
    dev32 tickets, spawned, continued; /* functions_cured.h */
};

/* In memory that the host shares. */
struct grosr_stall_shared {
    sys64 results, taken; /* written by the task and by the host */
    char path[256];       /* of a FIFO */
    sys64 opened;         /* 1: it has been opened, and its path is needed no more */
};

GROSR_DEVICE uint32_t grosr_stall_worker(const struct grosr_task_context *task)
{
    return task->a & 0xffffu;
}

GROSR_DEVICE uint32_t grosr_stall_workers(const struct grosr_task_context *task)
{
    return task->a >> 16;
}

GROSR_DEVICE struct grosr_stall *grosr_stall_of(const struct grosr_task_context *task)
{
    return (struct grosr_stall *)(uintptr_t)task->b;
}

GROSR_DEVICE struct grosr_stall_shared *grosr_stall_shared_of(const struct grosr_task_context *task)
{
    return (struct grosr_stall_shared *)(uintptr_t)grosr_stall_of(task)->shared;
}

/* Works for so long, without keeping a CPU busy. ECANCELED: the runtime stops. */
GROSR_DEVICE_COLD int grosr_stall_work(const struct grosr_task_context *task, uint64_t ns)
{
    uint64_t start = dev_clock_ns();
    uint32_t step = 0;

    while (dev_clock_ns() - start < ns) {
        if (grosr_task_stops(task))
            return ECANCELED;
        dev_backoff(&step);
    }
    return 0;
}

/* Waits until a count is `n` at least. */
GROSR_DEVICE_COLD int grosr_stall_await(const struct grosr_task_context *task, enum grosr_resource resource,
                                        uint32_t name, uint32_t which, const dev32 *count, uint32_t n)
{
    struct grosr_await wait;
    int err = 0;

    grosr_await_begin(&wait, task, resource, name, which);
    while (!err && dev_load_acquire(count) < n) /* pairs with grosr_stall_meet() */
        err = grosr_await_more(&wait);
    if (!err)
        grosr_await_end(&wait);
    return err;
}

/* Waits until so many tasks have come here. */
GROSR_DEVICE int grosr_stall_meet(const struct grosr_task_context *task, uint32_t n)
{
    struct grosr_stall *s = grosr_stall_of(task);

    dev_add_acq_rel(&s->met, 1u); /* pairs with grosr_stall_await() */
    return grosr_stall_await(task, GROSR_RES_BARRIER, GROSR_STALL_MEETING, 0, &s->met, n);
}

/* Starts function a >> 16 on each of a & 0xffff workers. */
GROSR_TASK(stall_start)
{
    uint32_t workers = task->a & 0xffffu;

    for (uint32_t i = 0; i < workers; i++) {
        int err = grosr_spawn_on(task, i, task->a >> 16, workers << 16 | i, task->b);
        if (err)
            return err;
    }
    return 0;
}

/* ---- deadlocks ---- */

/* Holds its own lock and wants the next one's. */
GROSR_TASK(stall_locks)
{
    struct grosr_stall *s = grosr_stall_of(task);
    uint32_t mine = grosr_stall_worker(task), n = grosr_stall_workers(task);
    int err = grosr_task_lock_acquire(task, &s->lock[mine]);

    if (!err)
        err = grosr_stall_meet(task, n);
    if (!err)
        err = grosr_task_lock_acquire(task, &s->lock[(mine + 1) % n]);
    return err;
}

/* Puts tasks into a bounded ring. They would be run by those who put them there, who do not come to it. What
 * a task has put there it takes away itself: until then it has that room. */
GROSR_TASK(stall_ring)
{
    struct grosr_stall *s = grosr_stall_of(task);
    struct grosr_await wait;
    int err = 0;

    grosr_hold_begin(task, GROSR_RES_ROOM, GROSR_STALL_ROOM, 0);
    while (!err) {
        uint64_t tail = dev_load_relaxed(&s->tail);
        grosr_await_begin(&wait, task, GROSR_RES_ROOM, GROSR_STALL_ROOM, 0);
        while (!err && tail - dev_load_relaxed(&s->head) >= GROSR_STALL_RING) {
            err = grosr_await_more(&wait);
            tail = dev_load_relaxed(&s->tail);
        }
        if (!err && dev_cas_dependent(&s->tail, tail, tail + 1) == tail)
            grosr_await_end(&wait);
    }
    return err;
}

/* Waits in its lane for a child that nobody but its own worker can start. */
GROSR_TASK(stall_child)
{
    struct grosr_stall *s = grosr_stall_of(task);
    uint32_t mine = grosr_stall_worker(task);
    int err = grosr_spawn(task, GROSR_FN_STALL_CHILD_RUNS, mine, task->b);

    if (err)
        return err;
    grosr_hold_begin(task, GROSR_RES_DEPENDENCY, GROSR_STALL_CHILD, mine);
    return grosr_stall_await(task, GROSR_RES_DEPENDENCY, GROSR_STALL_CHILD, mine, &s->child[mine], 1);
}

GROSR_TASK(stall_child_runs)
{
    struct grosr_stall *s = grosr_stall_of(task);

    dev_add_relaxed(&s->spawned, 1u);
    dev_store_release(&s->child[task->a], 1u); /* pairs with grosr_stall_await() */
    return 0;
}

/* Begins a system call, which keeps its port, and then wants another port. */
GROSR_DEVICE_COLD int grosr_stall_two_ports(const struct grosr_task_context *task)
{
    struct grosr_sys sys = grosr_task_sys(task);
    grosr_pending call[2];
    int err = grosr_call_begin(sys, grosr_request_noop(sys), NULL, 0, &call[0]);

    if (!err)
        err = -grosr_stall_meet(task, grosr_stall_workers(task));
    if (!err)
        err = grosr_call_begin(sys, grosr_request_noop(sys), NULL, 0, &call[1]);
    for (uint32_t i = 0; !err && i < 2; i++)
        err = (int)grosr_call_end(sys, call[i], NULL, 0);
    return err == -EIO && grosr_task_stops(task) ? ECANCELED : -err;
}

GROSR_TASK(stall_ports)
{
    return grosr_stall_two_ports(task);
}

/* Allocates until nothing is left, and then waits for what the others have. */
GROSR_DEVICE_COLD int grosr_stall_allocate(const struct grosr_task_context *task)
{
    struct grosr_await wait;
    void **block, **all = NULL;
    int err = 0;

    grosr_hold_begin(task, GROSR_RES_MEMORY, GROSR_STALL_MEMORY, 0);
    for (uint32_t n = 0; !err; n++) {
        grosr_await_begin(&wait, task, GROSR_RES_MEMORY, GROSR_STALL_MEMORY, 0);
        while (!err && !(block = (void **)grosr_malloc(task, GROSR_STALL_BLOCK)))
            err = grosr_await_more(&wait);
        if (err)
            break;
        grosr_await_end(&wait);
        *block = (void *)all;
        all = block;
        if (n == 0) /* so that each has something */
            err = grosr_stall_meet(task, grosr_stall_workers(task));
    }
    for (; all; all = block) {
        block = (void **)*all;
        grosr_free(task, all);
    }
    return err;
}

GROSR_TASK(stall_memory)
{
    return grosr_stall_allocate(task);
}

/* ---- stalls ---- */

GROSR_DEVICE_COLD int64_t grosr_stall_make_call(const struct grosr_task_context *task)
{
    return grosr_noop(grosr_task_sys(task));
}

/* Makes a call that no proxy answers. */
GROSR_TASK(stall_call)
{
    int64_t err = grosr_stall_make_call(task);
    return err && grosr_task_stops(task) ? ECANCELED : (int)-err;
}

/* Reads from a FIFO, again and again. */
GROSR_DEVICE_COLD int64_t grosr_stall_read_fifo(const struct grosr_task_context *task)
{
    struct grosr_stall_shared *shared = grosr_stall_shared_of(task);
    struct grosr_sys sys = grosr_task_sys(task);
    int64_t n = grosr_openat(sys, GROSR_ROOT, shared->path, O_RDONLY, 0);
    int file = (int)n;
    char byte;

    if (n < 0)
        return n;
    sys_store_relaxed(&shared->opened, UINT64_C(1));
    do
        n = grosr_read(sys, file, &byte, 1);
    while (n == 1 && !grosr_task_stops(task));
    int64_t closed = grosr_task_stops(task) ? 0 : grosr_close(sys, file);
    return n < 0 ? n : closed;
}

GROSR_TASK(stall_read)
{
    int64_t err = grosr_stall_worker(task) == 0 ? grosr_stall_read_fifo(task) : 0;
    return grosr_task_stops(task) ? ECANCELED : (int)-err;
}

/* Rings once, before the other one waits, which looks for rings to come. */
GROSR_TASK(stall_wakeup)
{
    struct grosr_stall *s = grosr_stall_of(task);

    if (grosr_stall_worker(task) != 0) {
        dev_add_acq_rel(&s->rung, 1u); /* pairs with grosr_stall_await() */
        return 0;
    }
    int err = grosr_stall_await(task, GROSR_RES_BARRIER, GROSR_STALL_MEETING, 0, &s->rung,
                                grosr_stall_workers(task) - 1);
    if (err)
        return err;
    return grosr_stall_await(task, GROSR_RES_NAMED, GROSR_STALL_WAKEUP, 0, &s->rung,
                             dev_load_relaxed(&s->rung) + 1);
}

/* A child that waits for two signals and gets one. */
GROSR_TASK(stall_never)
{
    grosr_waiting waiting;

    if (grosr_stall_worker(task) != 0)
        return 0;
    int err = grosr_spawn_waiting(task, GROSR_FN_STALL_CHILD_RUNS, 0, task->b, 2, &waiting);
    return err ? err : grosr_signal(task, waiting);
}

/* Computes without an end, and says nothing; others of its kind, with no workers, are short: `worker` is how
 * short, in ms. */
GROSR_TASK(stall_endless)
{
    if (grosr_stall_workers(task) == 0)
        return grosr_stall_work(task, UINT64_C(1000000) * grosr_stall_worker(task));
    return grosr_stall_worker(task) == 0 ? grosr_stall_work(task, UINT64_MAX) : 0;
}

/* Worker 0 ends with a lock that the others want. */
GROSR_TASK(stall_abandoned)
{
    struct grosr_stall *s = grosr_stall_of(task);
    int err = 0;

    if (grosr_stall_worker(task) != 0)
        err = grosr_stall_await(task, GROSR_RES_BARRIER, GROSR_STALL_MEETING, 0, &s->rung, 1);
    if (!err)
        err = grosr_task_lock_acquire(task, &s->lock[0]);
    if (grosr_stall_worker(task) == 0)
        dev_add_acq_rel(&s->rung, 1u); /* pairs with grosr_stall_await() */
    return err;
}

/* A barrier of all workers, which the last one leaves out. */
GROSR_TASK(stall_barrier)
{
    struct grosr_stall *s = grosr_stall_of(task);
    uint32_t n = grosr_stall_workers(task);

    if (grosr_stall_worker(task) == n - 1)
        return 0;
    dev_add_acq_rel(&s->arrived, 1u); /* pairs with grosr_stall_await() */
    return grosr_stall_await(task, GROSR_RES_BARRIER, GROSR_STALL_BARRIER, 0, &s->arrived, n);
}

/* Worker 0 puts some items into a ring and ends; the others take them. */
GROSR_TASK(stall_items)
{
    struct grosr_stall *s = grosr_stall_of(task);
    struct grosr_await wait;
    int err = 0;

    if (grosr_stall_worker(task) == 0) {
        dev_add_relaxed(&s->tail, UINT64_C(1000));
        return 0;
    }
    while (!err) {
        uint64_t head = dev_load_relaxed(&s->head);
        grosr_await_begin(&wait, task, GROSR_RES_ITEM, GROSR_STALL_ITEM, 0);
        while (!err && head >= dev_load_relaxed(&s->tail)) {
            err = grosr_await_more(&wait);
            head = dev_load_relaxed(&s->head);
        }
        if (!err && dev_cas_dependent(&s->head, head, head + 1) == head)
            grosr_await_end(&wait);
    }
    return err;
}

/* Gives results to the host, which takes them. */
GROSR_TASK(stall_results)
{
    struct grosr_stall_shared *shared = grosr_stall_shared_of(task);
    struct grosr_await wait;
    int err = 0;

    if (grosr_stall_worker(task) != 0)
        return 0;
    for (uint64_t n = 0; !err && n < GROSR_STALL_RESULTS; n++) {
        grosr_await_begin(&wait, task, GROSR_RES_ROOM, GROSR_STALL_RESULT, 0);
        while (!err && n - sys_load_relaxed(&shared->taken) >= GROSR_STALL_RING)
            err = grosr_await_more(&wait);
        if (err)
            break;
        grosr_await_end(&wait);
        sys_store_relaxed(&shared->results, n + 1);
    }
    return err;
}

/* ---- slow ---- */

/* Most of the work is done under one lock. */
GROSR_TASK(stall_hot)
{
    struct grosr_stall *s = grosr_stall_of(task);
    int err = 0;

    while (!err) {
        err = grosr_task_lock_acquire(task, &s->lock[0]);
        if (!err)
            err = grosr_stall_work(task, 5000000);
        if (!err) {
            grosr_task_lock_release(task, &s->lock[0]);
            err = grosr_stall_work(task, 2000000); /* others get it meanwhile */
        }
    }
    return err;
}

/* A queue behind a lock that worker 0 loses to the others, each time. */
GROSR_TASK(stall_unfair)
{
    struct grosr_stall *s = grosr_stall_of(task);
    struct grosr_await wait;
    int err = 0;

    if (grosr_stall_worker(task) == 0) {
        grosr_await_begin(&wait, task, GROSR_RES_LOCK, GROSR_STALL_LOCK, 0);
        while (!err)
            err = grosr_await_more(&wait);
    }
    while (!err) {
        err = grosr_task_lock_acquire(task, &s->lock[0]);
        if (err)
            break;
        dev_add_relaxed(&s->head, UINT64_C(1));
        grosr_task_lock_release(task, &s->lock[0]);
        err = grosr_stall_work(task, 2000000);
    }
    return err;
}

/* Urgent tasks without an end: each spawns the next one before it works. There are more of them than all
 * lanes can run, so that some always wait; each takes a frame, of which there are enough for some minutes. */
GROSR_TASK(stall_urgent)
{
    int err =
        grosr_task_stops(task) ? ECANCELED : grosr_spawn_urgent(task, GROSR_FN_STALL_URGENT, 0, task->b);
    return err ? err : grosr_stall_work(task, 100000000);
}

#define GROSR_STALL_RUNS 100000

/* Worker 0 takes a lock and continues with it, step by step, behind the urgent tasks that worker 2 spawns
 * meanwhile, and so hardly ever; worker 1 wants the lock. */
GROSR_TASK(stall_inversion)
{
    struct grosr_stall *s = grosr_stall_of(task);
    uint32_t mine = grosr_stall_worker(task);
    int err;

    if (mine > 2)
        return 0;
    err = mine == 0 ? grosr_task_lock_acquire(task, &s->lock[0]) : 0;
    if (!err)
        err = grosr_stall_meet(task, 3);
    if (err)
        return err;
    if (mine == 1)
        return grosr_task_lock_acquire(task, &s->lock[0]);
    for (uint32_t i = 0; !err && mine == 2 && i < 2 * GROSR_LANES * grosr_stall_workers(task); i++)
        err = grosr_spawn_urgent(task, GROSR_FN_STALL_URGENT, 0, task->b);
    if (mine == 2)
        dev_add_acq_rel(&s->rung, 1u); /* pairs with grosr_stall_await() */
    else
        err = grosr_stall_await(task, GROSR_RES_BARRIER, GROSR_STALL_MEETING, 0, &s->rung, 1);
    return err || mine == 2 ? err : grosr_then(task, GROSR_FN_STALL_RELEASE, 0, task->b);
}

/* A step comes before the urgent ones now and then, if their ring is just being written. */
GROSR_TASK(stall_release)
{
    if (task->a < GROSR_STALL_RUNS && !grosr_task_stops(task))
        return grosr_then(task, GROSR_FN_STALL_RELEASE, task->a + 1, task->b);
    grosr_task_lock_release(task, &grosr_stall_of(task)->lock[0]);
    return 0;
}

/* A piece of work of b ns, of any kind. */
GROSR_TASK(stall_piece)
{
    return grosr_stall_work(task, task->b);
}

/* ---- nothing wrong ---- */

/* Works on, and reports how far it is. */
GROSR_TASK(stall_long)
{
    int err = 0;

    if (grosr_stall_worker(task) != 0)
        return 0;
    for (int64_t i = 0; !err; i++) {
        err = grosr_stall_work(task, 20000000);
        grosr_progress(task, GROSR_STALL_STEPS, i);
    }
    return err;
}

/* Worker 0 fills a ring, and the others empty it: it is nearly full all the time. */
GROSR_TASK(stall_busy)
{
    struct grosr_stall *s = grosr_stall_of(task);
    bool fills = grosr_stall_worker(task) == 0;
    struct grosr_await wait;
    int err = 0;

    while (!err) {
        uint64_t tail = dev_load_relaxed(&s->tail), head = dev_load_relaxed(&s->head);
        grosr_await_begin(&wait, task, fills ? GROSR_RES_ROOM : GROSR_RES_ITEM,
                          fills ? GROSR_STALL_ROOM : GROSR_STALL_ITEM, 0);
        while (!err && (fills ? tail - head >= GROSR_STALL_RING - 2 : tail - head < GROSR_STALL_RING - 6)) {
            err = grosr_await_more(&wait);
            tail = dev_load_relaxed(&s->tail);
            head = dev_load_relaxed(&s->head);
        }
        if (err)
            break;
        grosr_await_end(&wait);
        dev_add_relaxed(fills ? &s->tail : &s->head, UINT64_C(1));
        err = grosr_stall_work(task, 1000000);
    }
    return err;
}

#endif
