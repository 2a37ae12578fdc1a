/*
 * What bounded waits (trace_wait_loops.h) are made of, with tracing and without: the header's lock and
 * barrier, and what a wait is for.
 */
#ifndef GROSR_TRACE_WAIT_H
#define GROSR_TRACE_WAIT_H

#include "../session/session.h"

struct grosr_tracer;

/* Who waits, as who has the recorder: all lanes of a warp together, converged, or one thread by itself. */
enum grosr_wait_by {
    GROSR_BY_WARP,
    GROSR_BY_THREAD,
};

enum grosr_wait_result {
    GROSR_WAIT_DONE = 0,  /* it is there */
    GROSR_WAIT_TIMED_OUT, /* the wait's time was over, and it shall fail then */
    GROSR_WAIT_STOPPED,   /* by grosr_trace_stop_waits() */
};

/* A spin lock in device memory; all zero at first. Its holder and since when, in one word (session.h). */
struct grosr_lock {
    dev64 word;
};

/* A barrier in device memory; all zero at first. It is used again and again: in phases. */
struct grosr_barrier {
    alignas(64) dev64 word; /* phase << 32 | arrivals in it; written by those who arrive */
    alignas(
        64) dev32 arrived[GROSR_MAX_WORKERS]; /* by recorder: the phase after the one it last arrived in */
};

struct grosr_wait_target {
    uint32_t kind, until; /* enum grosr_wait_kind, grosr_wait_until */
    bool wide, system;    /* a word: of 64 bits; shared with the CPU */
    uint32_t name, which;
    void *at;
    uint64_t wanted; /* as in the session */
    uint32_t phase;  /* of a barrier: the one that is to end */
};

/* Of the loop around a wait; equal in all lanes of a warp. */
struct grosr_wait_loop {
    uint32_t polls, step;
    bool reported;
};

/* As the session's header has it. */
GROSR_DEVICE uint64_t grosr_wait_timeout_word(uint64_t timeout_ns, uint32_t action)
{
    const uint64_t most = UINT64_MAX >> GROSR_WAIT_ACTION_BITS;
    return (timeout_ns < most ? timeout_ns : most) << GROSR_WAIT_ACTION_BITS | action;
}

GROSR_DEVICE bool grosr_wait_leads(uint32_t by)
{
    return by == GROSR_BY_THREAD || dev_lane() == 0;
}

/* A pause that suits what is polled: loads across PCIe and mbarriers pace themselves. */
GROSR_DEVICE void grosr_wait_pause(const struct grosr_wait_target *on, struct grosr_wait_loop *w)
{
    if (on->kind == GROSR_WAIT_MBARRIER || on->system)
        dev_poll_pause(&w->step);
    else
        dev_backoff(&w->step);
}

#endif
