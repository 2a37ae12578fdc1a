/*
 * Bounded waits with tracing: what happens between their polls (trace_wait_loops.h has the loops).
 *
 * Of every GROSR_WAIT_POLLS polls that found nothing, the last looks at the clock, and so the wait's first
 * microseconds cost nothing beside it. The lead alone looks; all that it knows of the wait is in the
 * recorder's memory, so that a loop keeps no more than two registers for it. What follows from a look, the
 * lanes do together: a level that has changed, the events of a wait that is reported, the wait's end.
 *
 * A report is the event and the state word wait_begin, as of grosr_wait_begin(), and the entry in the session
 * (session.h), which is written before that word. Each rewriting of an entry makes its sequence odd first and
 * even last, and stores what is between with release, so that whoever finds any of it finds the odd one too.
 */
#ifndef GROSR_TRACE_WAIT_REPORT_H
#define GROSR_TRACE_WAIT_REPORT_H

#include "trace_device.h"
#include "trace_wait.h"

#define GROSR_WAIT_POLLS 16u /* between looks at the clock */
/* Between updates of a reported wait's entry: at least, and at most. The latter also when nothing has
 * changed: it shows that the wait goes on, and who has just arrived at a barrier may not have been seen
 * there. */
#define GROSR_WAIT_UPDATE_NS  1000000u
#define GROSR_WAIT_REFRESH_NS 100000000u

/* What a look asks for: a level (2 bits), a report, and the wait's result. */
#define GROSR_WAIT_LOOK_LEVEL   3u
#define GROSR_WAIT_LOOK_REPORT  4u
#define GROSR_WAIT_LOOK_RESULT  3u /* its place */
#define GROSR_WAIT_RESULT_TRAPS 3u

/* One that has not arrived at a barrier in this phase: of those that did in the phase before, or, if all of
 * the session are expected, of all. The number + 1; 0: not known. */
GROSR_DEVICE uint64_t grosr_barrier_missing(const struct grosr_barrier *barrier, uint32_t phase,
                                            uint64_t expected, uint32_t rings)
{
    for (uint32_t i = 0; i < rings; i++) {
        uint32_t arrived = dev_load_relaxed(&barrier->arrived[i]);
        if (arrived != phase + 1 && (expected == rings || (phase && arrived == phase)))
            return i + 1;
    }
    return 0;
}

/* Replaces the entry. One lane. */
GROSR_DEVICE void grosr_wait_store(struct grosr_trace_memory *m, const struct grosr_wait_target *on,
                                   uint64_t seen, uint64_t now_ns)
{
    struct grosr_session_header *session = m->ring.session;
    struct grosr_wait_entry *e =
        (struct grosr_wait_entry *)(void *)((unsigned char *)session + session->waits_at) + m->index;
    uint64_t address = on->kind == GROSR_WAIT_MBARRIER ? dev_mbarrier_address((const uint64_t *)on->at)
                                                       : (uint64_t)(uintptr_t)on->at;
    uint64_t sequence = sys_load_relaxed(&e->sequence) | 1, holder = 0;

    if (on->kind == GROSR_WAIT_BARRIER) {
        holder = grosr_barrier_missing((const struct grosr_barrier *)on->at, on->phase, on->wanted,
                                       session->workers);
        seen &= UINT32_MAX;
    }
    sys_store_relaxed(&e->sequence, sequence);
    /* Each of them after the store of sequence. */
    sys_store_release(&e->stated,
                      (m->wait.stated & GROSR_TIME_MASK) | (uint64_t)on->kind << GROSR_WAIT_KIND_SHIFT |
                          (uint64_t)on->until << GROSR_WAIT_UNTIL_SHIFT | (on->wide ? GROSR_WAIT_WIDE : 0) |
                          (on->system ? GROSR_WAIT_SYSTEM : 0)); /* after the store of sequence */
    sys_store_release(&e->resource, holder << GROSR_WAIT_HOLDER_SHIFT |
                                        (uint64_t)grosr_payload_16(on->name) << 32 |
                                        on->which); /* after the store of sequence */
    sys_store_release(&e->address, address);        /* after the store of sequence */
    sys_store_release(&e->wanted, on->wanted);      /* after the store of sequence */
    sys_store_release(&e->seen, seen);              /* after the store of sequence */
    sys_store_release(&e->since, m->wait.since);    /* after the store of sequence */
    sys_store_release(&e->updated, now_ns);         /* after the store of sequence */
    sys_store_release(&e->sequence, sequence + 1);  /* pairs with load() */
}

/* How the wait is to end now; 0: not yet. One lane. */
GROSR_DEVICE uint32_t grosr_wait_result(const struct grosr_trace_memory *m, uint64_t waited_ns)
{
    uint64_t timeout = m->wait.timeout;

    if (dev_load_relaxed(&m->control->stop))
        return GROSR_WAIT_STOPPED;
    if (timeout == GROSR_WAIT_AS_HOST)
        timeout = dev_load_relaxed(&m->control->wait_timeout);
    uint32_t action = (uint32_t)timeout & ((1u << GROSR_WAIT_ACTION_BITS) - 1);
    if (action == GROSR_WAIT_CONTINUE || waited_ns < timeout >> GROSR_WAIT_ACTION_BITS)
        return 0;
    return action == GROSR_WAIT_FAIL ? (uint32_t)GROSR_WAIT_TIMED_OUT : GROSR_WAIT_RESULT_TRAPS;
}

/* The level in force, looked at as grosr_poll() does. One lane. */
GROSR_DEVICE uint32_t grosr_wait_level(struct grosr_trace_memory *m, uint32_t level, uint64_t now_ns)
{
    if (now_ns - m->wait.looked < GROSR_TRACE_POLL_NS)
        return level;
    m->wait.looked = now_ns;
    uint32_t found = grosr_trace_look(m->control, m->ring.session, now_ns);
    return m->index == GROSR_NO_RING ? level : found;
}

/*
 * A look at a wait that goes on, the first one or a later one. `open`: another wait of this recorder is
 * reported. Returns what it asks for; the time of the events is in m->wait.at. One lane.
 */
GROSR_DEVICE_COLD uint32_t grosr_wait_look(struct grosr_trace_memory *m, struct grosr_wait_target on,
                                           uint64_t seen, uint32_t level, bool first, bool open)
{
    struct grosr_trace_wait *w = &m->wait;
    uint64_t now = dev_clock_ns();

    if (first) {
        w->since = w->began = w->looked = w->updated = now;
        w->stated = 0;
        w->seen = seen;
    }
    if (!m->control)
        return level;
    uint32_t found = grosr_wait_level(m, level, now), result = grosr_wait_result(m, now - w->since);
    uint64_t report_ns = dev_load_relaxed(&m->control->wait_report_ns);
    uint64_t old_ns = now - w->updated;
    bool report = false;
    bool moved = w->stated && old_ns >= (w->seen == seen ? GROSR_WAIT_REFRESH_NS : GROSR_WAIT_UPDATE_NS);

    if (found != level)
        w->began = now;
    if (found >= GROSR_LEVEL_COUNTERS && !w->stated)
        report = now - w->since >= report_ns || result == GROSR_WAIT_TIMED_OUT ||
                 result == GROSR_WAIT_RESULT_TRAPS;
    w->at = w->began;
    if (report && open)
        w->at = now;
    if (report || (w->stated && found != level))
        w->stated = w->at;
    if (found >= GROSR_LEVEL_COUNTERS && (report || moved || (w->stated && (found != level || result)))) {
        w->seen = seen;
        w->updated = now;
        grosr_wait_store(m, &on, seen, now);
    }
    return found | (report ? GROSR_WAIT_LOOK_REPORT : 0) | result << GROSR_WAIT_LOOK_RESULT;
}

/* The state word has to be there before: a load across PCIe comes after the stores. */
GROSR_DEVICE void grosr_wait_trap(const struct grosr_worker_entry *entry)
{
    if (entry && sys_load_pair_relaxed(&entry->state).lo)
        dev_trap();
    dev_trap();
}

/* What a look changes: of the recorder, of the loop around the wait, and its result. */
struct grosr_wait_after {
    struct grosr_cursor at;
    uint32_t level, sequence;
    uint64_t waiting;
    uint32_t result;
    bool reported;
};

GROSR_DEVICE struct grosr_wait_after grosr_wait_changes(const struct grosr_tracer *t, bool reported,
                                                        uint32_t result)
{
    struct grosr_wait_after a = {t->emit.at, t->emit.level, t->sequence, t->waiting, result, reported};
    return a;
}

GROSR_DEVICE void grosr_wait_change(struct grosr_tracer *t, const struct grosr_wait_after *a)
{
    t->emit.at = a->at;
    t->emit.level = a->level;
    t->sequence = a->sequence;
    t->waiting = a->waiting;
}

/* A look and what follows from it. It is done here, so that a wait takes no more code where it stands than a
 * call; and the recorder goes through by value, so that it stays in registers otherwise. */
GROSR_DEVICE_COLD struct grosr_wait_after grosr_wait_slow(struct grosr_tracer t, uint32_t by,
                                                          struct grosr_wait_target on, uint64_t seen,
                                                          bool first, bool reported)
{
    struct grosr_trace_memory *m = t.memory;
    uint32_t look = 0;

    if (grosr_wait_leads(by))
        look = grosr_wait_look(m, on, seen, t.emit.level, first, t.waiting && !reported);
    if (by == GROSR_BY_WARP)
        look = dev_shfl32(look, 0);
    if ((look & GROSR_WAIT_LOOK_LEVEL) != t.emit.level)
        grosr_trace_set(&t, look & GROSR_WAIT_LOOK_LEVEL, m->wait.at);
    if (look & GROSR_WAIT_LOOK_REPORT) {
        if (t.waiting)
            grosr_trace_state_at(&t, GROSR_EV_WAIT_END, t.waiting, m->wait.at);
        t.waiting = grosr_payload_resource(on.name, on.which);
        grosr_trace_state_at(&t, GROSR_EV_WAIT_BEGIN, t.waiting, m->wait.at);
        reported = true;
    }
    if (look >> GROSR_WAIT_LOOK_RESULT == GROSR_WAIT_RESULT_TRAPS)
        grosr_wait_trap(t.entry);
    return grosr_wait_changes(&t, reported, look >> GROSR_WAIT_LOOK_RESULT);
}

GROSR_DEVICE_COLD struct grosr_wait_after grosr_wait_ended(struct grosr_tracer t)
{
    grosr_trace_state(&t, GROSR_EV_WAIT_END, t.waiting);
    t.waiting = 0;
    return grosr_wait_changes(&t, false, 0);
}

/* After each poll that found nothing, `seen` there. 0: polling continues; else the wait's result. */
GROSR_DEVICE int grosr_wait_step(struct grosr_tracer *t, uint32_t by, const struct grosr_wait_target *on,
                                 struct grosr_wait_loop *w, uint64_t seen)
{
    grosr_wait_pause(on, w);
    if (++w->polls % GROSR_WAIT_POLLS)
        return 0;
    struct grosr_wait_after a = grosr_wait_slow(*t, by, *on, seen, w->polls == GROSR_WAIT_POLLS, w->reported);
    grosr_wait_change(t, &a);
    w->polls = GROSR_WAIT_POLLS;
    w->reported = a.reported;
    return (int)a.result;
}

GROSR_DEVICE int grosr_wait_over(struct grosr_tracer *t, uint32_t by, const struct grosr_wait_loop *w,
                                 int result)
{
    if (w->reported) {
        struct grosr_wait_after a = grosr_wait_ended(*t);
        grosr_wait_change(t, &a);
    }
    if (by == GROSR_BY_WARP)
        dev_syncwarp(); /* what the lead has acquired */
    return result;
}

/* A lock's word while this recorder has it. */
GROSR_DEVICE uint64_t grosr_lock_mark(const struct grosr_tracer *t)
{
    uint32_t ring = t->memory->index;
    uint64_t holder = ring == GROSR_NO_RING ? GROSR_LOCK_UNKNOWN : ring + 1;
    return holder << GROSR_LOCK_HOLDER_SHIFT | (dev_clock_ns() & GROSR_TIME_MASK);
}

GROSR_DEVICE void grosr_lock_held(struct grosr_tracer *t, uint32_t kind, uint32_t name, uint32_t which)
{
    if (t->emit.level >= GROSR_LEVEL_SPANS)
        grosr_trace_event(t, kind, grosr_payload_resource(name, which), dev_clock_ns());
}

GROSR_DEVICE void grosr_barrier_mark(const struct grosr_tracer *t, struct grosr_barrier *barrier,
                                     uint32_t phase)
{
    if (t->memory->index != GROSR_NO_RING)
        dev_store_relaxed(&barrier->arrived[t->memory->index], phase + 1);
}

#endif
