/*
 * A worker's own tasks: a deque that nobody else touches, so that spawning and taking cost no fence and no
 * atomic that leaves the SM. The worker works at the top (depth first: memory grows with the depth of a tree
 * and not with its breadth) and gives the oldest, at the bottom, to others when they ask: "private deques"
 * (Acar, Charguéraud, Rainey, "Scheduling parallel programs by work stealing with private deques", PPoPP
 * 2013), here one for the lanes of a warp.
 *
 * Entries lie at positions [bottom, top), modulo 2^32. Position p is in the warp's memory (shared memory on a
 * GPU) at p % WINDOW when mid <= p < mid + WINDOW, and in the worker's part of device memory at p % capacity
 * otherwise. When the top outgrows the window, the window's entries move to device memory and it starts anew
 * at the top; when the top falls below it, it moves down. So it stays where the worker works.
 *
 * Lanes push by themselves while they run tasks, diverged, with a ticket for the position; everything else is
 * done by the warp together. A ticket beyond the capacity is a push refused; settling cuts `top` back, which
 * is right because tickets only grow: all those beyond were refused.
 */
#ifndef GROSR_DEQUE_H
#define GROSR_DEQUE_H

#include "entry.h"

#include "../alloc/heap_event.h"
#include "../../tracer/session/lane_wait.h"

#define GROSR_WINDOW         128u
#define GROSR_DEQUE_CAPACITY 2048u /* entries; a power of two, at least 2 * WINDOW */
#define GROSR_FREE_NEAR      128u  /* frames in a worker's stack of free ones: in the warp's memory */
#define GROSR_FREE_FAR       2048u /* and in device memory */

struct grosr_slot {
    uint64_t what; /* function:16 << 32 | a:32 */
    uint64_t b;
    uint64_t whose; /* parent:24 << 40 | number:40 */
    uint64_t count;
};

/* A worker's memory that only its lanes share. */
struct grosr_local {
    warp32 bottom, mid, top;
    warp32 numbers;               /* tasks spawned, modulo 2^32 */
    warp32 free_near;             /* entries of free_frame */
    warp32 free_far;              /* and of the worker's part of device memory */
    warp32 fresh_frames;          /* frames of the worker's own that have never been used; counts down */
    struct grosr_heap_site heap;  /* where the warp's heap events go */
    struct grosr_lane_site lanes; /* and what its lanes wait for and hold */
    uint64_t tasks, busy_ns, spawned, shared; /* the worker's counters; lane 0's */
    uint64_t what[GROSR_WINDOW], b[GROSR_WINDOW], whose[GROSR_WINDOW];
    uint32_t count[GROSR_WINDOW];
    uint32_t free_frame[GROSR_FREE_NEAR];
};

struct grosr_deque {
    struct grosr_local *local;
    struct grosr_slot *far; /* GROSR_DEQUE_CAPACITY entries of device memory */
};

GROSR_DEVICE void grosr_deque_write(const struct grosr_deque *d, uint32_t position, struct grosr_entry e)
{
    uint64_t what = (uint64_t)e.function << 32 | e.a;
    uint64_t whose = (uint64_t)e.parent << GROSR_TASK_ID_BITS | e.number;

    if (position - warp_load(&d->local->mid) < GROSR_WINDOW) {
        uint32_t i = position % GROSR_WINDOW;
        d->local->what[i] = what;
        d->local->b[i] = e.b;
        d->local->whose[i] = whose;
        d->local->count[i] = e.count;
    } else {
        struct grosr_slot *s = &d->far[position % GROSR_DEQUE_CAPACITY];
        s->what = what;
        s->b = e.b;
        s->whose = whose;
        s->count = e.count;
    }
}

GROSR_DEVICE struct grosr_entry grosr_deque_read(const struct grosr_deque *d, uint32_t position)
{
    struct grosr_entry e;
    uint64_t what, whose;

    if (position - warp_load(&d->local->mid) < GROSR_WINDOW) {
        uint32_t i = position % GROSR_WINDOW;
        what = d->local->what[i];
        whose = d->local->whose[i];
        e.b = d->local->b[i];
        e.count = d->local->count[i];
    } else {
        const struct grosr_slot *s = &d->far[position % GROSR_DEQUE_CAPACITY];
        what = s->what;
        whose = s->whose;
        e.b = s->b;
        e.count = (uint32_t)s->count;
    }
    e.function = (uint32_t)(what >> 32);
    e.a = (uint32_t)what;
    e.parent = (uint32_t)(whose >> GROSR_TASK_ID_BITS);
    e.number = whose & GROSR_TASK_ID_MASK;
    return e;
}

/* Pushes one entry; called by any lanes. False: full. */
GROSR_DEVICE bool grosr_deque_push(const struct grosr_deque *d, struct grosr_entry e)
{
    uint32_t position = warp_ticket(&d->local->top);

    if (position - warp_load(&d->local->bottom) >= GROSR_DEQUE_CAPACITY)
        return false;
    grosr_deque_write(d, position, e);
    return true;
}

/* Entries there are, once settled. */
GROSR_DEVICE uint32_t grosr_deque_size(const struct grosr_deque *d)
{
    return warp_load(&d->local->top) - warp_load(&d->local->bottom);
}

/* The rare part of settling. A collective. */
GROSR_DEVICE_COLD void grosr_deque_move(struct grosr_deque d, uint32_t bottom, uint32_t mid, uint32_t top)
{
    struct grosr_local *l = d.local;

    if (top - bottom > GROSR_DEQUE_CAPACITY)
        top = bottom + GROSR_DEQUE_CAPACITY;
    if (top - mid > GROSR_WINDOW) {
        for (uint32_t i = dev_lane(); i < GROSR_WINDOW; i += GROSR_LANES) {
            struct grosr_slot *s = &d.far[(mid + i) % GROSR_DEQUE_CAPACITY];
            uint32_t k = (mid + i) % GROSR_WINDOW;
            s->what = l->what[k];
            s->b = l->b[k];
            s->whose = l->whose[k];
            s->count = l->count[k];
        }
        mid = top;
    }
    dev_syncwarp();
    if (dev_lane() == 0) {
        warp_store(&l->mid, mid);
        warp_store(&l->top, top);
    }
    dev_syncwarp();
}

/* After lanes may have pushed: takes back refused tickets and puts the window where the top is. A collective.
 */
GROSR_DEVICE void grosr_deque_settle(const struct grosr_deque *d)
{
    const struct grosr_local *l = d->local;

    dev_syncwarp();
    uint32_t bottom = warp_load(&l->bottom), mid = warp_load(&l->mid), top = warp_load(&l->top);
    if (top - bottom > GROSR_DEQUE_CAPACITY || top - mid > GROSR_WINDOW)
        grosr_deque_move(*d, bottom, mid, top);
}

/* Lane 0's: sets the top, with the window below or at it. */
GROSR_DEVICE void grosr_deque_cut(const struct grosr_deque *d, uint32_t top)
{
    warp_store(&d->local->top, top);
    if ((int32_t)(top - warp_load(&d->local->mid)) < 0)
        warp_store(&d->local->mid, top);
}

/* Lane 0's: the entries below `bottom` are gone. The window follows, which moves nothing: settled, no entry
 * lies beyond it. */
GROSR_DEVICE void grosr_deque_raise(const struct grosr_deque *d, uint32_t bottom)
{
    warp_store(&d->local->bottom, bottom);
    if ((int32_t)(bottom - warp_load(&d->local->mid)) > 0)
        warp_store(&d->local->mid, bottom);
}

/* Takes the newest tasks, at most one a lane; whether this lane got one. A collective. */
GROSR_DEVICE bool grosr_deque_pop(const struct grosr_deque *d, struct grosr_entry *e)
{
    uint32_t top = warp_load(&d->local->top), size = top - warp_load(&d->local->bottom);
    uint32_t n = size < GROSR_LANES ? size : GROSR_LANES, first = 0;

    if (n == 0)
        return false;
    dev_syncwarp();
    if (dev_lane() < n)
        *e = grosr_deque_read(d, top - n + dev_lane());
    uint32_t last_range = dev_fls32(dev_ballot(dev_lane() < n && e->count > 1));
    if (last_range == n) { /* the newest is a range: as many of it as there are lanes */
        struct grosr_entry range = grosr_entry_shfl(*e, n - 1);
        uint32_t k = range.count < GROSR_LANES ? range.count : GROSR_LANES;
        *e = grosr_entry_at(range, dev_lane(), 1);
        if (dev_lane() == 0) {
            if (k == range.count)
                grosr_deque_cut(d, top - 1);
            else
                grosr_deque_write(d, top - 1, grosr_entry_at(range, k, range.count - k));
        }
        n = k;
    } else { /* those above the newest range */
        first = last_range;
        if (dev_lane() == 0)
            grosr_deque_cut(d, top - (n - first));
    }
    dev_syncwarp();
    return dev_lane() >= first && dev_lane() < n;
}

#endif
