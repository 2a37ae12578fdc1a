/*
 * Shared rings: bounded queues of entries that any worker may put into. The inboxes, from which their worker
 * alone takes, and the overflow, ready and urgent rings and the pool of free frames, from which all do, are
 * of this one kind.
 *
 * Two counters that only grow: `head` (taken) and `tail` (reserved), and slots whose words carry the lap, so
 * that a slot says by itself whether it is filled (Vyukov's bounded queue has a sequence number a slot; here
 * it is in every word).
 *
 *     put    reserves [tail, tail + n) by compare-and-swap, if head + capacity allows, then fills the slots.
 *     take   reads the slots from head on, and what is filled it takes by compare-and-swap of head. It
 *            reads before it takes: if the swap succeeds, head stood still and no slot was reused.
 *
 * A worker held between reserving and filling stalls takers at its slot; nobody else waits for it, and it
 * waits for nobody.
 */
#ifndef GROSR_SHARE_H
#define GROSR_SHARE_H

#include "entry.h"

/* Device memory, zero at first. */
struct grosr_share_ends {
    alignas(128) dev64 head;
    dev64 tail;
};

struct grosr_share {
    struct grosr_share_ends *ends;
    dev256 *slots;
    uint32_t capacity_log2;
};

GROSR_DEVICE uint64_t grosr_share_lap(struct grosr_share s, uint64_t position)
{
    return ((position >> s.capacity_log2) + 1) << 56;
}

GROSR_DEVICE dev256 *grosr_share_slot(struct grosr_share s, uint64_t position)
{
    return s.slots + (position & ((UINT64_C(1) << s.capacity_log2) - 1));
}

/* Entries that have been put or are being put. A hint: others come and go. */
GROSR_DEVICE uint64_t grosr_share_size(struct grosr_share s)
{
    uint64_t head = dev_load_relaxed(&s.ends->head);
    return dev_load_relaxed(&s.ends->tail) - head;
}

/* Reserves up to n positions from *first on; returns how many. One lane. */
GROSR_DEVICE uint32_t grosr_share_reserve(struct grosr_share s, uint32_t n, uint64_t *first)
{
    const uint64_t capacity = UINT64_C(1) << s.capacity_log2;

    for (;;) {
        uint64_t tail = dev_load_relaxed(&s.ends->tail);
        /* Pairs with the swaps in grosr_share_take() and grosr_share_take_lane() and the store in
         * grosr_share_taken(): whoever read the slots before head is done with them. */
        uint64_t used = tail - dev_load_acquire(&s.ends->head);
        if (used > capacity)
            continue; /* others have put and taken since */
        uint32_t m = capacity - used < n ? (uint32_t)(capacity - used) : n;
        *first = tail;
        if (m == 0 || dev_cas_relaxed(&s.ends->tail, tail, tail + m) == tail)
            return m;
    }
}

GROSR_DEVICE void grosr_share_fill(struct grosr_share s, uint64_t position, struct grosr_entry e)
{
    /* Release: the entry's frame, and what its spawner wrote. Pairs with the acquires in grosr_share_read()
     * and grosr_share_take_lane(). */
    dev_store_quad_release(grosr_share_slot(s, position), grosr_entry_pack(e, grosr_share_lap(s, position)));
}

/* Puts the entries of lanes 0 .. n-1, as many as there is room for; returns how many. A collective. */
GROSR_DEVICE_COLD uint32_t grosr_share_put(struct grosr_share s, uint32_t n, struct grosr_entry e)
{
    uint64_t first = 0;
    uint32_t m = 0;

    if (dev_lane() == 0)
        m = grosr_share_reserve(s, n, &first);
    m = dev_shfl32(m, 0);
    first = dev_shfl64(first, 0);
    dev_point("share.reserved");
    if (dev_lane() < m)
        grosr_share_fill(s, first + dev_lane(), e);
    return m;
}

/*
 * Where a lane that puts into the same ring again and again last saw its ends. It need not look at them: if
 * nobody else has put since, the swap succeeds at once, and head only grows. By value, so that it stays in
 * registers.
 */
struct grosr_share_seen {
    const struct grosr_share_ends *ends; /* NULL: none yet, or the ring was full */
    uint64_t head, tail;
};

/* Puts one entry, where the lane may have put before. Called by any lanes. `ends` NULL: full. */
GROSR_DEVICE struct grosr_share_seen grosr_share_put_again(struct grosr_share s, struct grosr_entry e,
                                                           struct grosr_share_seen seen)
{
    const uint64_t capacity = UINT64_C(1) << s.capacity_log2;
    uint64_t position = seen.tail;

    if (seen.ends == s.ends && position - seen.head < capacity &&
        dev_cas_ahead(&s.ends->tail, position, position + 1) == position) {
        dev_point("share.reserved");
        /* Release, as in grosr_share_fill(). */
        dev_store_quad_behind(grosr_share_slot(s, position),
                              grosr_entry_pack(e, grosr_share_lap(s, position)));
        seen.tail++;
        return seen;
    }
    seen.head = dev_load_acquire(&s.ends->head); /* as in grosr_share_reserve() */
    seen.ends = grosr_share_reserve(s, 1, &position) ? s.ends : NULL;
    if (seen.ends) {
        seen.tail = position + 1;
        dev_point("share.reserved");
        grosr_share_fill(s, position, e);
    }
    return seen;
}

/* Puts one entry; called by any lanes. False: full. */
GROSR_DEVICE_COLD bool grosr_share_put_lane(struct grosr_share s, struct grosr_entry e)
{
    uint64_t position;

    if (!grosr_share_reserve(s, 1, &position))
        return false;
    dev_point("share.reserved");
    grosr_share_fill(s, position, e);
    return true;
}

/* What a warp took: entries in lanes 0 .. count - 1. */
struct grosr_taken {
    struct grosr_entry e;
    uint32_t count;
};

/* How many of the first slots from `head` on, one a lane that has loaded its own into `q`, are filled, one
 * after the other. A collective. */
GROSR_DEVICE uint32_t grosr_share_filled(struct grosr_share s, uint32_t want, uint64_t head,
                                         struct grosr_quad q)
{
    bool filled = dev_lane() < want && grosr_entry_holds(q, grosr_share_lap(s, head + dev_lane()));
    uint32_t first_missing = dev_ffs32(~dev_ballot(filled));

    return first_missing ? first_missing - 1 : GROSR_LANES;
}

/* Reads up to `want` slots from `head` on. A collective. */
GROSR_DEVICE struct grosr_taken grosr_share_read(struct grosr_share s, uint32_t want, uint64_t head)
{
    struct grosr_taken taken;
    struct grosr_quad q = {};

    if (dev_lane() < want)
        q = dev_load_quad_acquire(grosr_share_slot(s, head + dev_lane())); /* pairs with grosr_share_fill() */
    taken.e = grosr_entry_unpack(q);
    taken.count = grosr_share_filled(s, want, head, q);
    return taken;
}

/* Takes up to `want` entries. None: nothing there, or others were quicker. A collective. */
GROSR_DEVICE_COLD struct grosr_taken grosr_share_take(struct grosr_share s, uint32_t want)
{
    struct grosr_taken taken = {};
    uint64_t head = 0;
    uint32_t n = 0, won = 0;

    if (dev_lane() == 0) {
        head = dev_load_relaxed(&s.ends->head);
        uint64_t there = dev_load_relaxed(&s.ends->tail) - head;
        n = there < want ? (uint32_t)there : want;
    }
    n = dev_shfl32(n, 0);
    if (n == 0)
        return taken;
    head = dev_shfl64(head, 0);
    taken = grosr_share_read(s, n, head);
    dev_point("share.read");
    dev_syncwarp();
    if (dev_lane() == 0 &&
        taken.count) /* release: all lanes' reads. Pairs with the load in grosr_share_reserve(). */
        won = dev_cas_acq_rel(&s.ends->head, head, head + taken.count) == head;
    if (!dev_shfl32(won, 0))
        taken.count = 0;
    return taken;
}

/*
 * A ring that only one warp takes from: it knows the head itself, takes by grosr_share_read(), and publishes
 * the head later, when nothing waits for it: everything before `head` has been taken. A collective.
 */
GROSR_DEVICE void grosr_share_taken(struct grosr_share s, uint64_t head)
{
    dev_syncwarp();
    if (dev_lane() == 0) /* release: all lanes' reads. Pairs with the load in grosr_share_reserve(). */
        dev_store_release(&s.ends->head, head);
}

/* Takes one entry; called by any lanes. */
GROSR_DEVICE bool grosr_share_take_lane(struct grosr_share s, struct grosr_entry *e)
{
    uint64_t head = dev_load_relaxed(&s.ends->head);

    if (dev_load_relaxed(&s.ends->tail) == head)
        return false;
    struct grosr_quad q =
        dev_load_quad_acquire(grosr_share_slot(s, head)); /* pairs with grosr_share_fill() */
    if (!grosr_entry_holds(q, grosr_share_lap(s, head)))
        return false;
    *e = grosr_entry_unpack(q);
    return dev_cas_acq_rel(&s.ends->head, head, head + 1) == head; /* as in grosr_share_take() */
}

#endif
