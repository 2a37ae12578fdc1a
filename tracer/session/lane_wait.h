/*
 * What single lanes of a worker record while its warp runs tasks: that a lane waits for something, or holds
 * it; in the worker's state word, so that a hung kernel can be read, and in its ring. Device code.
 *
 * A worker's ring and state word are the warp's together (recorder.h), whose lanes hold equal copies of where
 * the next record goes. So before a batch of tasks runs, the worker writes into memory that its lanes share
 * how many slots of the ring can be written without the slow path of emit.h, and lanes reserve them with an
 * atomic each. After the batch the worker continues behind them. Where no such slot is left, a lane that is
 * the whole warp takes the slow path itself. One of several cannot, since each has a copy of its state: the
 * record is kept beside the ring, and the worker moves it there after the batch, or counts it as dropped. So
 * what a batch that runs for long records ends with the ring's room; a hang still shows in the state word.
 *
 * A wait costs nothing until it has lasted GROSR_LANE_WAIT_NS: it is noted then, with the time at which it
 * began. Several lanes may wait at a time, and the state word has room for one: whichever of them wrote last.
 * When its wait ends, another one that still waits writes the word again.
 *
 * Who writes: the worker all of the site between batches; its lanes, during one, the words that are warp32,
 * by atomics alone, and the notes that they have reserved.
 */
#ifndef GROSR_LANE_WAIT_H
#define GROSR_LANE_WAIT_H

#include "recorder.h"

#define GROSR_LANE_WAIT_NS  100000u  /* waits that end sooner are not recorded */
#define GROSR_LANE_AGAIN_NS 1000000u /* between looks whether the state word still shows a wait */
#define GROSR_LANE_NOTES    8u

struct grosr_lane_note {
    uint64_t when; /* kind << GROSR_KIND_SHIFT | device time */
    uint64_t payload;
};

/* In the worker's memory that its lanes share. */
struct grosr_lane_site {
    struct grosr_worker_entry *entry;
    sys128 *next;                 /* the first slot for lanes */
    uint32_t room;                /* slots for lanes */
    uint32_t lap;                 /* of these, as in a cursor */
    sys128 *limit;                /* the cursor's */
    struct grosr_emit_ring *ring; /* a lane's that is the whole warp */
    uint32_t level;               /* OFF: nothing is recorded */
    warp32 sequence;              /* of the state word, as in a recorder */
    warp32 events;                /* recorded by lanes since the batch began, in whatever way */
    warp32 taken;                 /* places asked for: the slots, and then the notes */
    struct grosr_lane_note note[GROSR_LANE_NOTES];
};

/* ---- the worker's side ---- */

/* Before any batch, and when the level has changed. A collective. */
GROSR_DEVICE void grosr_lane_open(struct grosr_lane_site *site, const struct grosr_recorder *r)
{
    if (dev_lane() == 0) {
        site->entry = r->entry;
        site->level = r->emit.level;
        site->room = 0;
        warp_store(&site->events, 0);
        warp_store(&site->taken, 0);
    }
    dev_syncwarp();
}

/* Before a batch, at level COUNTERS or above. A collective. */
GROSR_DEVICE void grosr_lane_begin(struct grosr_lane_site *site, const struct grosr_recorder *r)
{
    if (dev_lane() == 0) {
        /* The last slot before the limit is left to the worker, whose slow path is then due. */
        site->room = (uint32_t)(r->emit.at.limit - r->emit.at.next) - 1;
        site->next = r->emit.at.next;
        site->lap = r->emit.at.lap;
        site->limit = r->emit.at.limit;
        site->ring = r->emit.ring;
        warp_store(&site->sequence, r->sequence);
    }
    dev_syncwarp();
}

/* Where the worker continues, behind what lanes have recorded, none of it later than `time_ns`. By value: a
 * recorder whose address is given away is kept in memory, also where nothing waits. */
GROSR_DEVICE_COLD struct grosr_recorder grosr_lane_settle(struct grosr_lane_site *site,
                                                          struct grosr_recorder r, uint64_t time_ns)
{
    uint32_t taken = warp_load(&site->taken), room = site->room;
    uint32_t notes = taken > room ? taken - room : 0,
             kept = notes < GROSR_LANE_NOTES ? notes : GROSR_LANE_NOTES;

    r.sequence = warp_load(&site->sequence);
    r.emit.at.next = site->next + (taken < room ? taken : room);
    r.emit.at.limit = site->limit;
    r.emit.at.lap = site->lap;
    for (uint32_t i = 0; i < kept; i++)
        grosr_emit_at(&r.emit, (uint32_t)(site->note[i].when >> GROSR_KIND_SHIFT), site->note[i].payload,
                      site->note[i].when & GROSR_TIME_MASK);
    if (notes > kept)
        r.emit.at = grosr_emit_lose(r.emit.ring, r.emit.at, notes - kept, time_ns);
    dev_syncwarp();
    if (dev_lane() == 0) {
        warp_store(&site->events, 0);
        warp_store(&site->taken, 0);
    }
    dev_syncwarp();
    return r;
}

/* After a batch, at level COUNTERS or above: whether lanes have recorded anything. A collective. */
GROSR_DEVICE bool grosr_lane_used(const struct grosr_lane_site *site)
{
    dev_syncwarp();
    return dev_uniform(warp_load(&site->events));
}

/* ---- a lane's side ---- */

GROSR_DEVICE bool grosr_lane_records(const struct grosr_lane_site *site, uint32_t level)
{
    return site && site->level >= level;
}

/* The last slot before the limit: the whole warp's, of one lane. */
GROSR_DEVICE void grosr_lane_last(struct grosr_lane_site *site, struct grosr_pair e)
{
    struct grosr_cursor c;

    c.next = sys_append_pair_if(site->next + site->room, true, e.lo, e.hi);
    c.limit = site->limit;
    c.lap = site->lap;
    c = grosr_emit_next(site->ring, c, true);
    site->next = c.next;
    site->limit = c.limit;
    site->lap = c.lap;
    site->room = (uint32_t)(c.limit - c.next) - 1;
    warp_store(&site->taken, 0);
}

/* Records an event; the caller has asked whether it is wanted, at level SPANS. */
GROSR_DEVICE_COLD void grosr_lane_event(struct grosr_lane_site *site, uint32_t kind, uint64_t payload,
                                        uint64_t time_ns)
{
    struct grosr_pair e = grosr_event_pack((uint64_t)site->lap << 32, kind, time_ns, payload);
    uint32_t place = warp_add(&site->taken, 1);

    warp_add(&site->events, 1);
    if (place < site->room) {
        sys_store_pair_relaxed(site->next + place, e.lo, e.hi);
    } else if (GROSR_LANES == 1) {
        grosr_lane_last(site, e);
    } else if (place - site->room < GROSR_LANE_NOTES) {
        struct grosr_lane_note *note = &site->note[place - site->room];
        note->when = (uint64_t)kind << GROSR_KIND_SHIFT | (time_ns & GROSR_TIME_MASK);
        note->payload = payload;
    }
}

GROSR_DEVICE void grosr_lane_hold(struct grosr_lane_site *site, uint64_t resource)
{
    if (grosr_lane_records(site, GROSR_LEVEL_SPANS))
        grosr_lane_event(site, GROSR_EV_HOLD, resource, dev_clock_ns());
}

GROSR_DEVICE void grosr_lane_release(struct grosr_lane_site *site, uint64_t resource)
{
    if (grosr_lane_records(site, GROSR_LEVEL_SPANS))
        grosr_lane_event(site, GROSR_EV_RELEASE, resource, dev_clock_ns());
}

/* A wait of one lane, in its registers or its own memory. */
struct grosr_lane_wait {
    struct grosr_lane_site *site; /* NULL: nothing is recorded */
    uint64_t resource;            /* as the payload of a WAIT_BEGIN event */
    uint64_t since_ns;            /* 0: it has not lasted yet */
    uint64_t looked_ns;           /* when the state word was last written or looked at */
    uint32_t sequence;            /* of the state word that shows this wait */
    bool noted;
    struct grosr_pair before; /* the state word before */
};

GROSR_DEVICE void grosr_lane_wait_init(struct grosr_lane_wait *w, struct grosr_lane_site *site,
                                       uint64_t resource)
{
    w->site = site;
    w->resource = resource;
    w->since_ns = 0;
    w->noted = false;
}

GROSR_DEVICE void grosr_lane_wait_word(struct grosr_lane_wait *w, uint32_t kind, uint64_t payload,
                                       uint64_t time_ns)
{
    w->sequence = warp_add(&w->site->sequence, GROSR_EMIT_LAP) + GROSR_EMIT_LAP;
    warp_add(&w->site->events, 1);
    struct grosr_pair s = grosr_event_pack((uint64_t)w->sequence << 32, kind, time_ns, payload);
    sys_store_pair_relaxed(&w->site->entry->state, s.lo, s.hi);
}

/* The wait has lasted: notes it, and sees to it from time to time that the state word shows it, or another
 * lane's. True: it has just been noted. */
GROSR_DEVICE_COLD bool grosr_lane_wait_note(struct grosr_lane_wait *w)
{
    uint64_t now = dev_clock_ns();
    bool first = !w->noted;

    if (now - (first ? w->since_ns : w->looked_ns) < (first ? GROSR_LANE_WAIT_NS : GROSR_LANE_AGAIN_NS))
        return false;
    w->looked_ns = now;
    if (!first && warp_add(&w->site->sequence, 0) == w->sequence)
        return false;
    struct grosr_pair word = sys_load_pair_relaxed(&w->site->entry->state);
    bool shows_wait = grosr_event_kind(word) == GROSR_EV_WAIT_BEGIN;
    if (first)
        w->before = word;
    if (first || !shows_wait)
        grosr_lane_wait_word(w, GROSR_EV_WAIT_BEGIN, w->resource, w->since_ns);
    w->noted = true;
    /* In the ring it is not before what other lanes have put there since the wait began. */
    if (first && grosr_lane_records(w->site, GROSR_LEVEL_SPANS))
        grosr_lane_event(w->site, GROSR_EV_WAIT_BEGIN, w->resource,
                         warp_add(&w->site->taken, 0) ? now : w->since_ns);
    return first;
}

/* A look was in vain; `deep`: the lane has backed off to its longest sleep (dev_backoff_is_deep()). True: the
 * wait has just been noted. */
GROSR_DEVICE bool grosr_lane_wait_lasts(struct grosr_lane_wait *w, bool deep)
{
    if (!w->site || w->site->level < GROSR_LEVEL_COUNTERS)
        return false;
    if (!w->since_ns)
        w->since_ns = dev_clock_ns();
    return deep && grosr_lane_wait_note(w);
}

GROSR_DEVICE_COLD void grosr_lane_wait_ended(struct grosr_lane_wait *w)
{
    uint32_t kind = grosr_event_kind(w->before);
    uint64_t now = dev_clock_ns();

    /* What the worker did before, which may be another lane's wait that has ended since. */
    if (kind == GROSR_EV_TASK_BEGIN || kind == GROSR_EV_TASK_RESUME)
        grosr_lane_wait_word(w, kind, grosr_event_payload(w->before), grosr_event_time(w->before));
    else
        grosr_lane_wait_word(w, GROSR_EV_WAIT_END, w->resource, now);
    if (grosr_lane_records(w->site, GROSR_LEVEL_SPANS))
        grosr_lane_event(w->site, GROSR_EV_WAIT_END, w->resource, now);
}

/* What was waited for is there. A wait that is given up has no end in the trace. */
GROSR_DEVICE void grosr_lane_wait_end(struct grosr_lane_wait *w)
{
    if (w->noted)
        grosr_lane_wait_ended(w);
    w->noted = false;
}

#endif
