/*
 * What an instrumented kernel does on the device (grosr_trace.h is what its author reads): a recorder for
 * each warp, which takes a ring when it begins, and gives it back as it is when it ends.
 *
 * Between one warp and the next a ring's state lies in its slot, in device memory, where taking a ring costs
 * a few L2 accesses and none across PCIe. One writer a ring: `taken` is claimed with a compare-and-swap, so
 * that two warps that want the same ring at once, by mistake or because kernels overlap, do not both get it.
 * The second one records nothing, and is counted.
 *
 * Nobody here is a service warp. In its place any warp that polls looks at the session across PCIe when the
 * time of the last look is over: it puts the level, and what the host has set for bounded waits, where the
 * others find it, and answers clock pings. `word`
 * tells when the time is over, and is moved on by whoever looks, so that one at a time does.
 *
 * A recorder is several lanes' or one lane's, `alone` in what follows, which meets no collective. `lead` is
 * the lane that does what is done once.
 */
#ifndef GROSR_TRACE_DEVICE_H
#define GROSR_TRACE_DEVICE_H

#include "../clock/clock_answer.h"
#include "../session/emit.h"

#define GROSR_TRACE_POLL_NS   20000u  /* between a warp's looks at `word`, which cost an L2 access each */
#define GROSR_TRACE_LOOK_NS   100000u /* between looks at the session, by any of the warps */
#define GROSR_TRACE_ANSWER_NS 8000u   /* how long whoever answered a ping waits for the next one */
#define GROSR_TRACE_ANSWERS   32u     /* in a row */

/* Takes the first free ring from the next in turn on, instead of the one of a certain number. */
#define GROSR_ANY_RING UINT32_MAX
#define GROSR_NO_RING  UINT32_MAX

/* In `held_back`: the ring is full, and `at` is where recording resumes. */
#define GROSR_TRACE_FULL UINT32_MAX

/* In `lap`, of which every 256th is 0. */
#define GROSR_TRACE_WRITTEN 1u

/* In device memory; but for `word` and those of waits, zero at first. */
struct grosr_trace_control {
    alignas(64) dev64 word; /* device time of the next look at the session << 2 | level */
    dev64 answered;         /* the latest ping; whoever looks reads and writes it */
    dev64 turn;             /* of the rings, for GROSR_ANY_RING */
    dev64 recorders;        /* that have a ring or look for one */
    dev64 refused;          /* warps that got no ring */

    /* Of bounded waits, as in the session's header; whoever looks writes them. */
    dev64 wait_report_ns, wait_timeout;
    dev32 stop; /* 1: waits end */
};

/* Behind it, one a ring; but for `taken`, written by the warp that has the ring. */
struct grosr_trace_slot {
    alignas(64) dev32 taken; /* 1: a warp has the ring */
    dev32 at;                /* slot in the lap */
    dev32 held_back;         /* slots at the lap's end that the reader had not given free yet */
    dev32 lap;               /* as in a cursor, + GROSR_TRACE_WRITTEN; 0: the ring has not been written yet */
    dev32 sequence;          /* of the state word */
    dev64 lap_start, dropped, marked, markers;
};

/* What a kernel gets. By value. */
struct grosr_trace_handle {
    struct grosr_trace trace;
    struct grosr_trace_control *control; /* NULL: nothing is recorded */
    uint32_t rings;
};

/* The bounded wait under way, off its fast path, and how long one may last. The lead's is right. */
struct grosr_trace_wait {
    uint64_t since;
    uint64_t began;   /* as since, or when a level came into force after it */
    uint64_t looked;  /* for the level */
    uint64_t at;      /* time of the events that the latest look asks for */
    uint64_t stated;  /* time in the state word; 0: the wait has not been reported */
    uint64_t seen;    /* in the session, and */
    uint64_t updated; /* when it was written there */
    uint64_t timeout; /* as in the session's header; GROSR_WAIT_AS_HOST */
};

#define GROSR_WAIT_AS_HOST UINT64_MAX

/* A recorder's part off the fast path. Its address is taken: beside the tracer, not in it (emit.h). */
struct grosr_trace_memory {
    struct grosr_emit_ring ring;
    struct grosr_trace_control *control; /* NULL: there is no session */
    uint32_t index;                      /* of the ring; GROSR_NO_RING: none, the level stays OFF */
    struct grosr_trace_wait wait;
};

struct grosr_tracer {
    struct grosr_emitter emit;
    struct grosr_worker_entry *entry;
    struct grosr_trace_memory *memory;
    uint32_t sequence;  /* of the state word, as in grosr_recorder */
    uint64_t waiting;   /* the payload of the wait that has begun; 0: none */
    uint64_t polled_ns; /* when it last looked at `word` */
    bool alone;
};

GROSR_DEVICE struct grosr_trace_slot *grosr_trace_slots(struct grosr_trace_control *control)
{
    return (struct grosr_trace_slot *)(void *)(control + 1);
}

/* ---- in place of a service warp; one lane ---- */

/*
 * Answers pings until there was none for idle_ns, or `most` of them. Returns the latest one's number. The
 * host sends several in a row, of which the later ones find somebody waiting: theirs are the short round
 * trips.
 */
GROSR_DEVICE uint64_t grosr_trace_answer(struct grosr_session_header *session, uint64_t answered,
                                         uint64_t idle_ns, uint32_t most)
{
    uint64_t since = dev_clock_ns();
    uint32_t step = 0;

    for (uint32_t n = 0; n < most;) {
        uint64_t ping = sys_load_acquire(&session->ping); /* pairs with round_trip() */
        uint64_t now = dev_clock_ns();
        if (ping != answered) {
            grosr_clock_answer(session, ping);
            answered = ping;
            since = now;
            step = 0;
            n++;
        } else if (now - since > idle_ns) {
            break;
        } else {
            dev_poll_pause(&step);
        }
    }
    return answered;
}

/* The level in force; looks at the session if the time has come. Who looks is alone until it is over again.
 */
GROSR_DEVICE_COLD uint32_t grosr_trace_look(struct grosr_trace_control *control,
                                            struct grosr_session_header *session, uint64_t now_ns)
{
    uint64_t word = dev_load_relaxed(&control->word), next = now_ns + GROSR_TRACE_LOOK_NS;
    uint32_t level = (uint32_t)word & 3u;

    /* Pairs with the store below. */
    if (now_ns < word >> 2 || dev_cas_acquire(&control->word, word, next << 2 | level) != word)
        return level;
    uint64_t answered = dev_load_relaxed(&control->answered);
    level = sys_load_relaxed(&session->level);
    uint32_t stop = sys_load_relaxed(&session->stop);
    uint64_t report = sys_load_relaxed(&session->wait_report_ns);
    uint64_t timeout = sys_load_relaxed(&session->wait_timeout);
    dev_store_relaxed(&control->stop, stop);
    dev_store_relaxed(&control->wait_report_ns, report);
    dev_store_relaxed(&control->wait_timeout, timeout);
    level = level < GROSR_LEVEL_FULL ? level : (uint32_t)GROSR_LEVEL_FULL;
    if (sys_load_relaxed(&session->ping) != answered) {
        answered = grosr_trace_answer(session, answered, GROSR_TRACE_ANSWER_NS, GROSR_TRACE_ANSWERS);
        dev_store_relaxed(&control->answered, answered);
        next = dev_clock_ns() + GROSR_TRACE_LOOK_NS;
    }
    /* Pairs with the compare-and-swap above: who looks next finds `answered`. */
    dev_store_release(&control->word, next << 2 | level);
    return level;
}

/* ---- taking a ring and giving it back ---- */

/* One lane. GROSR_NO_RING: the one asked for is taken, or all are. */
GROSR_DEVICE_COLD uint32_t grosr_trace_take(struct grosr_trace_control *control, uint32_t rings,
                                            uint32_t ring)
{
    struct grosr_trace_slot *slot = grosr_trace_slots(control);
    bool any = ring == GROSR_ANY_RING;
    uint32_t step = 0;

    /* Whoever is counted has a ring or may have one: as long as there are no more of them than rings, each
     * that looks finds one, however fast the others change places. */
    if (dev_add_relaxed(&control->recorders, UINT64_C(1)) < rings) {
        uint32_t i = any ? (uint32_t)(dev_add_relaxed(&control->turn, UINT64_C(1)) % rings) : ring;
        uint32_t looks = 0;
        while (i < rings) {
            /* Pairs with the release in grosr_trace_end(): the state and the records of the warp before. */
            if (!dev_load_relaxed(&slot[i].taken) && dev_cas_acquire(&slot[i].taken, 0u, 1u) == 0)
                return i;
            if (!any)
                break;
            if (++looks % rings == 0)
                dev_backoff(&step);
            i = i + 1 < rings ? i + 1 : 0;
        }
    }
    dev_add_relaxed(&control->recorders, ~UINT64_C(0));
    dev_add_relaxed(&control->refused, UINT64_C(1));
    return GROSR_NO_RING;
}

/* Continues where the warp before on this ring ended. */
GROSR_DEVICE void grosr_trace_restore(struct grosr_emitter *e, struct grosr_emit_ring *r,
                                      const struct grosr_trace_slot *slot)
{
    uint32_t lap = dev_load_relaxed(&slot->lap);
    uint32_t held_back = dev_load_relaxed(&slot->held_back);

    if (lap == 0)
        return;
    r->lap_start = dev_load_relaxed(&slot->lap_start);
    r->dropped = dev_load_relaxed(&slot->dropped);
    r->marked = dev_load_relaxed(&slot->marked);
    r->markers = dev_load_relaxed(&slot->markers);
    e->at.lap = lap & ~GROSR_TRACE_WRITTEN;
    e->at.next = r->slots + dev_load_relaxed(&slot->at);
    e->at.limit = r->slots + r->capacity - held_back;
    if (held_back == GROSR_TRACE_FULL) {
        r->resume = e->at.next;
        e->at.next = r->slots + r->capacity; /* scratch */
        e->at.limit = e->at.next + 1;
    }
}

/* One lane. */
GROSR_DEVICE void grosr_trace_save(const struct grosr_emitter *e, const struct grosr_emit_ring *r,
                                   struct grosr_trace_slot *slot)
{
    const sys128 *at = r->resume ? r->resume : e->at.next;

    dev_store_relaxed(&slot->lap, e->at.lap | GROSR_TRACE_WRITTEN);
    dev_store_relaxed(&slot->at, (uint32_t)(at - r->slots));
    dev_store_relaxed(&slot->held_back,
                      r->resume ? GROSR_TRACE_FULL : (uint32_t)(r->slots + r->capacity - e->at.limit));
    dev_store_relaxed(&slot->lap_start, r->lap_start);
    dev_store_relaxed(&slot->dropped, r->dropped);
    dev_store_relaxed(&slot->marked, r->marked);
    dev_store_relaxed(&slot->markers, r->markers);
}

/* ---- recording ---- */

GROSR_DEVICE bool grosr_trace_lead(const struct grosr_tracer *t)
{
    return t->alone || dev_lane() == 0;
}

GROSR_DEVICE_COLD struct grosr_cursor grosr_emit_slow_alone(struct grosr_emit_ring *r, struct grosr_cursor c)
{
    return grosr_emit_next(r, c, true);
}

/* grosr_emit_at(), for a recorder of either kind. */
GROSR_DEVICE void grosr_trace_event(struct grosr_tracer *t, uint32_t kind, uint64_t payload, uint64_t time_ns)
{
    struct grosr_emitter *e = &t->emit;

    if (!t->alone) {
        grosr_emit_at(e, kind, payload, time_ns);
        return;
    }
    struct grosr_pair record = grosr_emit_pack(&e->at, kind, time_ns, payload);
    e->at.next = sys_append_pair_if(e->at.next, true, record.lo, record.hi);
    if (grosr_emit_at_limit(&e->at))
        e->at = grosr_emit_slow_alone(e->ring, e->at);
}

/* An event that changes the worker's state, at time_ns: into the state word, and into the ring at SPANS. */
GROSR_DEVICE void grosr_trace_state_at(struct grosr_tracer *t, uint32_t kind, uint64_t payload,
                                       uint64_t time_ns)
{
    if (t->emit.level < GROSR_LEVEL_COUNTERS)
        return;
    t->sequence += GROSR_EMIT_LAP;
    struct grosr_pair s = grosr_event_pack((uint64_t)t->sequence << 32, kind, time_ns, payload);
    sys_store_pair_if(&t->entry->state, grosr_trace_lead(t), s.lo, s.hi);
    if (t->emit.level >= GROSR_LEVEL_SPANS)
        grosr_trace_event(t, kind, payload, time_ns);
}

GROSR_DEVICE void grosr_trace_state(struct grosr_tracer *t, uint32_t kind, uint64_t payload)
{
    if (t->emit.level >= GROSR_LEVEL_COUNTERS)
        grosr_trace_state_at(t, kind, payload, dev_clock_ns());
}

/* A wait that continues ends under the old level and begins again under the new one, which may be the first
 * to tell of it. */
GROSR_DEVICE void grosr_trace_set(struct grosr_tracer *t, uint32_t level, uint64_t time_ns)
{
    if (t->waiting)
        grosr_trace_state_at(t, GROSR_EV_WAIT_END, t->waiting, time_ns);
    if (t->emit.level < level)
        t->emit.level = level;
    if (t->emit.level >= GROSR_LEVEL_SPANS)
        grosr_trace_event(t, GROSR_EV_LEVEL, level, time_ns);
    t->emit.level = level;
    if (t->waiting)
        grosr_trace_state_at(t, GROSR_EV_WAIT_BEGIN, t->waiting, time_ns);
}

/* `memory` lives as long as the tracer. A collective, unless `alone`. */
GROSR_DEVICE void grosr_trace_begin(struct grosr_tracer *t, struct grosr_trace_memory *memory,
                                    const struct grosr_trace_handle *handle, uint32_t ring, bool alone)
{
    uint32_t index = GROSR_NO_RING, level = GROSR_LEVEL_OFF;

    t->emit.level = GROSR_LEVEL_OFF;
    t->emit.ring = &memory->ring;
    t->emit.at.next = t->emit.at.limit = NULL;
    t->emit.at.lap = 0;
    t->entry = NULL;
    t->memory = memory;
    t->sequence = 0;
    t->waiting = 0;
    t->alone = alone;
    memory->index = GROSR_NO_RING;
    memory->control = handle->control;
    memory->ring.session = handle->trace.header;
    memory->wait.timeout = GROSR_WAIT_AS_HOST;
    t->polled_ns = dev_clock_ns();
    if (!handle->control)
        return;
    if (grosr_trace_lead(t)) {
        index = grosr_trace_take(handle->control, handle->rings, ring);
        level = grosr_trace_look(handle->control, handle->trace.header, t->polled_ns);
    }
    if (!alone) {
        index = dev_shfl32(index, 0);
        level = dev_shfl32(level, 0);
        dev_syncwarp(); /* what the lead has acquired */
    }
    if (index == GROSR_NO_RING)
        return;
    memory->index = index;
    grosr_emit_open(&t->emit, &memory->ring, &handle->trace, index);
    grosr_trace_restore(&t->emit, &memory->ring, grosr_trace_slots(handle->control) + index);
    t->sequence = dev_load_relaxed(&grosr_trace_slots(handle->control)[index].sequence);
    t->entry = &handle->trace.workers[index];
    t->emit.level = level;
    if (grosr_trace_lead(t))
        sys_store_relaxed(&t->entry->sm, dev_sm() + 1);
    grosr_trace_state(t, GROSR_EV_WORKER_START, dev_sm());
}

#endif
