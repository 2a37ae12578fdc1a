/*
 * Emitting events: the writer's side of an event ring, device code.
 *
 * Each ring has one writer, a warp (or the host's threads under a lock). The writer keeps everything it needs
 * in registers and never publishes a head: the lap in each record (event.h) tells a reader how far it got.
 *
 * The invariant of the fast path: `next` is always a slot that may be written. So an event is a clock read,
 * two logic operations on the upper half of each word, one 16-byte store that is predicated and not branched
 * around, one compare of 32 bits, and a vote by which the compiler knows that the branch on it is the whole
 * warp's. Only when `next` reaches `limit` does the slow path run. It starts the next lap and looks how far
 * the reader is (one load across PCIe for each lap, not for each event). While the ring is full, `next`
 * stands on a scratch slot behind the ring, so that the fast path needs no second test: each event lands
 * there, and the slow path moves it into the ring if there is room by then, or counts it as dropped.
 *
 * Losses are exact: `dropped` is stored with every drop, and the first record after a loss is a LOST marker
 * with the number of events missing at that place.
 *
 * All lanes of a warp call these functions together and hold equal copies of the emitter. But for those that
 * take `alone`, a constant where they are inlined: true, and one lane calls them by itself, whatever the
 * others do, and no collective is met.
 */
#ifndef GROSR_EMIT_H
#define GROSR_EMIT_H

#include "session.h"

/* Where the next record goes: all that the fast path touches. It is passed by value, so that it stays in
 * registers. */
struct grosr_cursor {
    sys128 *next;  /* a slot that may be written */
    sys128 *limit; /* when next gets here, the slow path */
    uint32_t lap;  /* of *next, in its place in the upper half of a word */
};

#define GROSR_EMIT_LAP (UINT32_C(1) << (GROSR_LAP_SHIFT - 32)) /* one lap, in that place */

/* The slow path's part of an emitter, in memory. */
struct grosr_emit_ring {
    sys128 *slots;
    uint32_t capacity;
    sys128 *resume;     /* while the ring is full: where recording resumes; NULL otherwise */
    uint64_t lap_start; /* position of slots[0] in this lap */
    uint64_t dropped;   /* ever */
    uint64_t marked;    /* of those, counted by markers */
    uint64_t markers;   /* written */
    uint64_t read_to;   /* the reader's position, and */
    uint32_t policy; /* enum grosr_overflow, when last looked at; AUTO: not yet. Both are the first lane's */
    uint32_t looks;  /* that left `policy` as it was; the first lane's too */
    struct grosr_ring *entry;
    struct grosr_session_header *session;
};

struct grosr_emitter {
    struct grosr_cursor at;
    uint32_t level;
    /* The caller's, beside the emitter and not inside it: its address is taken. */
    struct grosr_emit_ring *ring;
};

/* Between looks at the reader while dropping: a look costs a PCIe round trip, a drop must not. */
#define GROSR_DROPS_PER_LOOK 16u

/* Between looks at the words of the session, which are the same for all warps, while the ring's own tell of
 * no change: reads of one address of the host's from many SMs are served one after the other (0.5 us each on
 * an H100, so that the 1,056 warps that ended a lap together waited half a millisecond). */
#define GROSR_LOOKS_PER_POLICY 64u

/* `ring` is memory for the slow path, which lives as long as the emitter. */
GROSR_DEVICE void grosr_emit_open(struct grosr_emitter *e, struct grosr_emit_ring *ring,
                                  const struct grosr_trace *trace, uint32_t index)
{
    ring->entry = &trace->rings[index];
    ring->session = trace->header;
    ring->slots = (sys128 *)(void *)(trace->base + ring->entry->slots_at);
    ring->capacity = ring->entry->capacity;
    ring->resume = NULL;
    ring->lap_start = 0;
    ring->dropped = ring->marked = ring->markers = 0;
    ring->read_to = 0;
    ring->policy = GROSR_OVERFLOW_AUTO;
    ring->looks = 0;
    e->ring = ring;
    e->level = GROSR_LEVEL_OFF;
    e->at.next = ring->slots;
    e->at.limit = ring->slots + ring->capacity;
    e->at.lap = GROSR_EMIT_LAP;
}

/* A record of the lap in which the cursor is. */
GROSR_DEVICE struct grosr_pair grosr_emit_pack(const struct grosr_cursor *c, uint32_t kind, uint64_t time_ns,
                                               uint64_t payload)
{
    return grosr_event_pack((uint64_t)c->lap << 32, kind, time_ns, payload);
}

/* Whether the slow path is due. A ring is smaller than 4 GiB: where it goes on, the addresses' lower halves
 * tell. */
GROSR_DEVICE bool grosr_emit_at_limit(const struct grosr_cursor *c)
{
    return (uint32_t)(uintptr_t)c->next == (uint32_t)(uintptr_t)c->limit;
}

/* The position of *slot in the current lap. */
GROSR_DEVICE uint64_t grosr_emit_position(const struct grosr_emit_ring *r, const sys128 *slot)
{
    return r->lap_start + (uint64_t)(slot - r->slots);
}

/*
 * Looks at the ring, and where needed at the session: at its policy when the ring is full, or when somebody
 * reads what may be overwritten, who then wants it to be dropped. Returns the room. One lane.
 *
 * So a new policy comes into force a little late: that a collector came, when it has begun to read; that it
 * went away, after some looks at a full ring. What is lost meanwhile is counted as any other loss.
 */
GROSR_DEVICE uint64_t grosr_emit_look(struct grosr_emit_ring *r, uint64_t position)
{
    /* Pairs with the release in grosr_ring_read(): the reader is done with the slots before read_to. */
    uint64_t read_to = sys_load_acquire(&r->entry->read_to), used = position - read_to;
    uint64_t room = used < r->capacity ? r->capacity - used : 0;
    bool moved = read_to != r->read_to, overwrite = r->policy == GROSR_OVERFLOW_OVERWRITE;

    r->read_to = read_to;
    if (r->policy == GROSR_OVERFLOW_AUTO || (overwrite && moved) ||
        ((overwrite || !room) && ++r->looks % GROSR_LOOKS_PER_POLICY == 0)) {
        r->policy = sys_load_relaxed(&r->session->overflow);
        if (r->policy == GROSR_OVERFLOW_BLOCK && sys_load_relaxed(&r->session->stop))
            r->policy = GROSR_OVERFLOW_DROP; /* nobody waits any more */
    }
    return r->policy == GROSR_OVERFLOW_OVERWRITE ? r->capacity : room;
}

/*
 * How many slots from `position` on may be written now. Asks the reader; waits for it if that is the policy.
 */
GROSR_DEVICE uint64_t grosr_emit_room(struct grosr_emit_ring *r, uint64_t position, bool may_wait, bool alone)
{
    uint64_t room = 0;
    uint32_t step = 0;

    if (alone || dev_lane() == 0) {
        for (;;) {
            room = grosr_emit_look(r, position);
            if (room || !may_wait || r->policy != GROSR_OVERFLOW_BLOCK)
                break;
            dev_backoff(&step);
        }
    }
    return alone ? room : dev_shfl64(room, 0);
}

/* Puts the cursor at `slot`, with room for `room` records from there on. */
GROSR_DEVICE void grosr_emit_go(const struct grosr_emit_ring *r, struct grosr_cursor *c, sys128 *slot,
                                uint64_t room)
{
    uint64_t left = (uint64_t)(r->slots + r->capacity - slot);
    c->next = slot;
    c->limit = slot + (room < left ? room : left);
}

/* Starts the next lap if `slot` is the end of the ring. */
GROSR_DEVICE sys128 *grosr_emit_wrap(struct grosr_emit_ring *r, struct grosr_cursor *c, sys128 *slot)
{
    if (slot != r->slots + r->capacity)
        return slot;
    r->lap_start += r->capacity;
    c->lap += GROSR_EMIT_LAP;
    return r->slots;
}

/* Resumes recording after a stay on the scratch slot: a marker if events were lost, then the record that
 * waits there. */
GROSR_DEVICE void grosr_emit_resume(struct grosr_emit_ring *r, struct grosr_cursor *c, uint64_t room,
                                    bool alone)
{
    const uint64_t lap_mask = ~GROSR_PAYLOAD_MASK;
    sys128 *slot = r->resume, *scratch = r->slots + r->capacity;

    if (r->dropped != r->marked) {
        struct grosr_pair m = grosr_emit_pack(c, GROSR_EV_LOST, dev_clock_ns(), r->dropped - r->marked);
        r->marked = r->dropped;
        r->markers++;
        if (alone || dev_lane() == 0) {
            sys_store_relaxed(&r->entry->markers, r->markers);
            sys_store_pair_relaxed(slot, m.lo, m.hi);
        }
        slot = grosr_emit_wrap(r, c, slot + 1);
        room--;
    }
    if (!alone)
        dev_syncwarp(); /* another lane may have written the record */
    if (alone || dev_lane() == 0) {
        struct grosr_pair record = sys_load_pair_relaxed(scratch);
        uint64_t lap = (uint64_t)c->lap << 32;
        sys_store_pair_relaxed(slot, (record.lo & ~lap_mask) | lap, (record.hi & ~lap_mask) | lap);
    }
    r->resume = NULL;
    grosr_emit_go(r, c, slot + 1, room - 1);
}

/* The slow path: a record has just been stored and the cursor has reached its limit. Returns where it goes
 * on. */
GROSR_DEVICE struct grosr_cursor grosr_emit_next(struct grosr_emit_ring *r, struct grosr_cursor c, bool alone)
{
    if (r->resume) { /* the record is on the scratch slot */
        uint64_t lost = r->dropped - r->marked, room = 0;
        if (lost % GROSR_DROPS_PER_LOOK == 0)
            room = grosr_emit_room(r, grosr_emit_position(r, r->resume), true, alone);
        /* After a loss only with a quarter of the ring free: a marker for every few events would be noise. */
        if (room > (lost ? r->capacity / 4 : 0)) {
            grosr_emit_resume(r, &c, room, alone);
        } else {
            r->dropped++;
            if (alone || dev_lane() == 0)
                sys_store_relaxed(&r->entry->dropped, r->dropped);
        }
    }
    if (!r->resume && c.next == c.limit) { /* the end of the room known of, or of the lap */
        sys128 *slot = grosr_emit_wrap(r, &c, c.next);
        if (alone || dev_lane() == 0)
            sys_store_relaxed(&r->entry->checked_to, grosr_emit_position(r, slot));
        dev_point("emit.full");
        uint64_t room = grosr_emit_room(r, grosr_emit_position(r, slot), false, alone);
        if (room)
            grosr_emit_go(r, &c, slot, room);
        else
            r->resume = slot;
    }
    if (r->resume) {
        c.next = r->slots + r->capacity; /* scratch */
        c.limit = c.next + 1;
    }
    return c;
}

GROSR_DEVICE_COLD struct grosr_cursor grosr_emit_slow(struct grosr_emit_ring *r, struct grosr_cursor c)
{
    return grosr_emit_next(r, c, false);
}

/* Records one event of the warp, at time_ns. */
GROSR_DEVICE void grosr_emit_at(struct grosr_emitter *e, uint32_t kind, uint64_t payload, uint64_t time_ns)
{
    struct grosr_pair record = grosr_emit_pack(&e->at, kind, time_ns, payload);

    e->at.next = sys_append_pair_if(e->at.next, dev_lane() == 0, record.lo, record.hi);
    if (dev_uniform(grosr_emit_at_limit(&e->at)))
        e->at = grosr_emit_slow(e->ring, e->at);
}

/* Records one event of each lane whose `has` is set, in the order of the lanes. A collective. */
GROSR_DEVICE void grosr_emit_lanes(struct grosr_emitter *e, bool has, uint32_t kind, uint64_t payload,
                                   uint64_t time_ns)
{
    uint32_t mask = dev_ballot(has);
    uint32_t rank = dev_popc32(mask & ((1u << dev_lane()) - 1)), left = dev_popc32(mask), done = 0;

    while (left) {
        uint64_t fits = (uint64_t)(e->at.limit - e->at.next);
        uint32_t n = left < fits ? left : (uint32_t)fits;
        if (has && rank >= done && rank < done + n) {
            struct grosr_pair record = grosr_emit_pack(&e->at, kind, time_ns, payload);
            sys_store_pair_relaxed(e->at.next + (rank - done), record.lo, record.hi);
        }
        e->at.next += n;
        done += n;
        left -= n;
        if (grosr_emit_at_limit(&e->at))
            e->at = grosr_emit_slow(e->ring, e->at);
    }
}

/* Counts n events of the warp that could not even be brought here as dropped, at time_ns. Returns where
 * recording goes on. */
GROSR_DEVICE struct grosr_cursor grosr_emit_lose(struct grosr_emit_ring *r, struct grosr_cursor c, uint64_t n,
                                                 uint64_t time_ns)
{
    r->dropped += n;
    if (dev_lane() == 0)
        sys_store_relaxed(&r->entry->dropped, r->dropped);
    if (r->resume) /* the next marker counts them too */
        return c;
    struct grosr_pair m = grosr_emit_pack(&c, GROSR_EV_LOST, time_ns, r->dropped - r->marked);
    r->marked = r->dropped;
    r->markers++;
    if (dev_lane() == 0)
        sys_store_relaxed(&r->entry->markers, r->markers);
    c.next = sys_append_pair_if(c.next, dev_lane() == 0, m.lo, m.hi);
    return grosr_emit_at_limit(&c) ? grosr_emit_slow(r, c) : c;
}

/* Publishes the final counts. Nothing is recorded afterwards. */
GROSR_DEVICE void grosr_emit_close(struct grosr_emitter *e)
{
    struct grosr_emit_ring *r = e->ring;
    const sys128 *slot = r->resume ? r->resume : e->at.next;

    dev_syncwarp();
    if (dev_lane() == 0) {
        sys_store_relaxed(&r->entry->markers, r->markers);
        sys_store_relaxed(&r->entry->dropped, r->dropped);
        /* Pairs with the load in grosr_ring_at_end(): all records, and the counts above, before the end. */
        sys_store_release(&r->entry->closed_at, grosr_emit_position(r, slot) + 1);
    }
}

#endif
