/*
 * The submission queue: tasks from the host to the workers, results back, across PCIe with loads and stores
 * only.
 *
 * Two rings of `capacity` (a power of two) 16-byte slots in host memory that the device maps. Task t lies in
 * slot t % capacity of both and belongs to lap t / capacity + 1. As in event records, the lap (8 bits) stands
 * in both words of a slot, since the other side of the bus may see a 16-byte store torn:
 *
 *     task     lo   lap:8 | b, high byte:8 | function:16 | a:32          written by the host
 *              hi   lap:8 | b, low 56 bits
 *     result   lo   lap:8 | value, high byte:8 | 0:16 | status:32        written by the worker that ran it
 *              hi   lap:8 | value, low 56 bits
 *
 * Functions have 15 bits. GROSR_FUNCTION_CANCELED stands for "do not run, answer ECANCELED": to cancel a task
 * the host stores word lo of its slot anew, with this function and all else as it was; a worker that has read
 * the slot before runs the task. With GROSR_SLOT_SKIP set, the task is a high-priority one that goes through
 * the urgent ring (struct grosr_queue_words): a worker that finds the slot at a port takes it and runs
 * nothing.
 *
 * A slot holds task t if and only if both laps are t's. The host writes task t only after it has consumed the
 * result of task t - capacity, so that no slot is reused under a reader, and a lap is never more than one
 * ahead of what a reader expects: there is no other back-pressure, and no word that both sides write.
 *
 * Workers find tasks through ports. Chunks of GROSR_QUEUE_CHUNK consecutive tasks are dealt to the ports in
 * turn; a port has a lock and a position in device memory. A worker that gets the lock reads the slots at the
 * port's position, all lanes at once: the poll is the fetch, one PCIe round trip from task to worker. It
 * takes what is there, releases the lock and runs the tasks while another worker polls.
 */
#ifndef GROSR_QUEUE_H
#define GROSR_QUEUE_H

#include "../../tracer/session/session.h"

#define GROSR_QUEUE_CHUNK     32u
#define GROSR_QUEUE_PORTS_MAX 32u

#define GROSR_FUNCTION_CANCELED 0x7fffu
#define GROSR_SLOT_SKIP         0x8000u

/* High-priority tasks under way at a time, and how many laps they may be ahead of a port. */
#define GROSR_QUEUE_URGENT 256u
#define GROSR_QUEUE_LAG    64u

/* Slots that a lane looks at in one poll. */
#define GROSR_QUEUE_DEPTH GROSR_LANE_DEPTH

/* A worker polls its port this many times in one look. */
#define GROSR_QUEUE_POLLS 2u

/* Device memory: the port's position (tasks taken through it) and its lock in one word, so that leaving it
 * takes no fence: everything that the next holder must see is in the word, or in the slots. */
struct grosr_port {
    alignas(128) dev64 word; /* position << 1 | 1: a worker polls this port */
};

/* Host memory that the device maps; what host and device write lies in lines of their own. */
struct grosr_queue_words {
    /*
     * High-priority tasks, numbered from 0 as they come: word u % GROSR_QUEUE_URGENT holds the lap
     * (u / GROSR_QUEUE_URGENT + 1, 8 bits) << 56 | the task's number, written by the host after the task's
     * slot. The host is never more than a lap ahead of `urgent_taken`.
     */
    alignas(128) sys64 urgent[GROSR_QUEUE_URGENT];
    sys32 cancelling; /* 1: some task that is under way has been marked GROSR_FUNCTION_CANCELED */

    alignas(128) sys64 urgent_taken; /* by the device */
};

/* The queue as the device sees it. */
struct grosr_queue {
    sys128 *tasks, *results;
    uint32_t capacity_log2;
    uint32_t ports;
    struct grosr_port *port;
    struct grosr_queue_port *taken; /* the session's copy of the positions, the service warp's */
    struct grosr_queue_words *words;
};

GROSR_DEVICE uint64_t grosr_urgent_word(uint64_t urgent, uint64_t task)
{
    return (urgent / GROSR_QUEUE_URGENT + 1) << 56 | task;
}

GROSR_DEVICE uint64_t grosr_queue_lap(uint32_t capacity_log2, uint64_t task)
{
    return ((task >> capacity_log2) + 1) << 56;
}

/* Whether a slot read as `p` holds something of the (shifted) lap. */
GROSR_DEVICE bool grosr_queue_holds(struct grosr_pair p, uint64_t lap)
{
    return (((p.lo ^ lap) | (p.hi ^ lap)) >> 56) == 0;
}

/*
 * Whether a slot belongs to a later lap, or is about to: its task was a high-priority one, done before
 * the port came to it. The host sees to it that a port is never more than GROSR_QUEUE_LAG laps behind.
 */
GROSR_DEVICE bool grosr_queue_gone(struct grosr_pair p, uint64_t lap)
{
    return (int8_t)((p.lo >> 56) - (lap >> 56)) > 0 || (int8_t)((p.hi >> 56) - (lap >> 56)) > 0;
}

GROSR_DEVICE struct grosr_pair grosr_queue_pack(uint64_t lap, uint32_t middle16, uint32_t low32,
                                                uint64_t wide)
{
    struct grosr_pair p;
    p.lo = lap | (wide >> 56) << 48 | (uint64_t)(middle16 & 0xffffu) << 32 | low32;
    p.hi = lap | (wide & ((UINT64_C(1) << 56) - 1));
    return p;
}

GROSR_DEVICE uint32_t grosr_queue_middle16(struct grosr_pair p)
{
    return (uint32_t)(p.lo >> 32) & 0xffffu;
}

GROSR_DEVICE uint64_t grosr_queue_wide(struct grosr_pair p)
{
    return (p.lo >> 48 & 0xffu) << 56 | (p.hi & ((UINT64_C(1) << 56) - 1));
}

/* The number of the task at a port's position. */
GROSR_DEVICE uint64_t grosr_queue_task_at(const struct grosr_queue *q, uint32_t port, uint64_t position)
{
    return (position / GROSR_QUEUE_CHUNK * q->ports + port) * GROSR_QUEUE_CHUNK +
           position % GROSR_QUEUE_CHUNK;
}

/* What one poll brought. Entry d of lane l is valid when d * GROSR_LANES + l < count. */
struct grosr_take {
    uint32_t count;                            /* tasks taken by the warp */
    uint64_t task[GROSR_QUEUE_DEPTH];          /* this lane's task numbers */
    struct grosr_pair slot[GROSR_QUEUE_DEPTH]; /* and what their slots held */
};

/*
 * Reads the slots from a port's position on, with its lock held; leaves how many consecutive ones are filled.
 */
GROSR_DEVICE void grosr_queue_poll(const struct grosr_queue *q, uint32_t port, uint64_t position,
                                   struct grosr_take *take)
{
    uint32_t capacity = 1u << q->capacity_log2;

    take->count = 0;
    for (uint32_t d = 0; d < GROSR_QUEUE_DEPTH; d++) {
        uint32_t ahead = d * GROSR_LANES + dev_lane();
        uint64_t task = grosr_queue_task_at(q, port, position + ahead);
        /*
         * Acquire: the task's arguments by reference are visible. Pairs with the stores in write_slot() and
         * mark_cancelled() of submit.c.
         */
        take->task[d] = task;
        take->slot[d] = sys_load_pair_acquire(&q->tasks[task & (capacity - 1)]);
        uint64_t lap = grosr_queue_lap(q->capacity_log2, task);
        bool gone = grosr_queue_gone(take->slot[d], lap);
        bool filled = ahead < capacity && (gone || grosr_queue_holds(take->slot[d], lap));
        if (gone)
            take->slot[d].lo |= (uint64_t)GROSR_SLOT_SKIP << 32;
        uint32_t missing = ~dev_ballot(filled);
        uint32_t n = dev_ffs32(missing);
        n = n ? n - 1 : GROSR_LANES;
        take->count += n;
        if (n < GROSR_LANES)
            break;
    }
}

/* Claims a port for polling; *position is where it stands. False: another worker has it. A collective. */
GROSR_DEVICE bool grosr_queue_claim(const struct grosr_queue *q, uint32_t port, uint64_t *position)
{
    dev64 *word = &q->port[port].word;
    uint64_t old = 1;

    if (dev_lane() == 0) {
        /* Look before the exchange: waiting workers share the line instead of fighting for it. */
        old = dev_load_relaxed(word);
        if (!(old & 1) && dev_cas_relaxed(word, old, old | 1) != old)
            old = 1;
    }
    old = dev_shfl64(old, 0);
    *position = old >> 1;
    return !(old & 1);
}

/* Claims a port again that was left at `position`, if nobody has been there since. One lane; the result need
 * not be waited for. */
GROSR_DEVICE bool grosr_queue_reclaim(const struct grosr_queue *q, uint32_t port, uint64_t position)
{
    return dev_cas_relaxed(&q->port[port].word, position << 1, position << 1 | 1) == position << 1;
}

/* Leaves a claimed port at a position, from which on nothing has been taken. One lane. */
GROSR_DEVICE void grosr_queue_leave(const struct grosr_queue *q, uint32_t port, uint64_t position)
{
    dev_point("queue.taken");
    dev_store_relaxed(&q->port[port].word, position << 1);
}

#endif
