/*
 * The round trips that the map of the clocks is made from (clock.h): taken by the process that owns the
 * session, read by whoever places times.
 */
#include "clock.h"

#include <errno.h>
#include <time.h>

/* One round trip. 0, or -ETIMEDOUT. */
static int round_trip(const struct grosr_session *s, uint64_t ping, uint64_t deadline,
                      struct grosr_clock_trip *trip)
{
    struct grosr_session_header *h = grosr_session_live(s);
    uint32_t step = 0, spins = 0;
    struct grosr_pair pong;

    trip->before_ns = grosr_host_clock_ns();
    sys_store_release(&h->ping, ping); /* pairs with grosr_service_run() and grosr_trace_answer() */
    for (;;) {
        pong = sys_load_pair_acquire(&h->pong); /* pairs with grosr_clock_answer(): the epoch is there */
        if ((pong.hi & GROSR_PAYLOAD_MASK) == (ping & GROSR_PAYLOAD_MASK) && grosr_event_lap(pong) >= 0)
            break;
        if (++spins > 2000) {
            if (grosr_host_clock_ns() > deadline)
                return -ETIMEDOUT;
            dev_backoff(&step);
        }
    }
    trip->after_ns = grosr_host_clock_ns();
    trip->device_ns = grosr_clock_extend(pong.lo & GROSR_PAYLOAD_MASK, GROSR_LAP_SHIFT,
                                         sys_load_relaxed(&h->device_epoch_ns));
    return 0;
}

int grosr_clock_snapshot(const struct grosr_session *s, struct grosr_clock_pinger *pinger, unsigned trips,
                         uint64_t timeout_ns)
{
    struct grosr_session_header *h = grosr_session_live(s);
    uint64_t deadline = grosr_host_clock_ns() + timeout_ns, shortest = UINT64_MAX;
    struct grosr_clock_trip best = {0, 0, 0};

    for (unsigned i = 0; i < trips; i++) {
        struct grosr_clock_trip trip;
        int err = round_trip(s, ++pinger->sequence, deadline, &trip);
        if (err)
            return err;
        uint64_t length = trip.after_ns - trip.before_ns;
        if (pinger->best_ns == 0 || length < pinger->best_ns)
            pinger->best_ns = length;
        if (length < shortest) {
            shortest = length;
            best = trip;
        }
        if (i >= 4 && shortest <= pinger->best_ns + pinger->best_ns / 4)
            break;
    }
    uint64_t taken = sys_load_relaxed(&h->snapshots_taken);
    struct grosr_snapshot *snap = grosr_session_snapshot(s, taken);
    /* Release: a reader that sees one of these sees all that was taken before. Pairs with grosr_clock_read().
     */
    sys_store_release(&snap->host_before_ns, best.before_ns);
    sys_store_release(&snap->host_after_ns, best.after_ns);
    sys_store_release(&snap->device_ns, best.device_ns);
    sys_store_release(&h->snapshots_taken, taken + 1); /* pairs with grosr_clock_fetch() */
    return 0;
}

/* Whether there can be such a trip: a damaged one is left out, and not the trace that it is in. */
static bool is_possible(const struct grosr_session *s, const struct grosr_clock_trip *t)
{
    return t->before_ns <= t->after_ns && t->before_ns >= s->header.start_mono_ns &&
           t->after_ns < GROSR_CLOCK_END && t->device_ns < GROSR_CLOCK_END;
}

bool grosr_clock_read(const struct grosr_session *s, uint64_t number, struct grosr_clock_trip *trip)
{
    struct grosr_session_header *h = grosr_session_live(s);
    const struct grosr_snapshot *snap = grosr_session_snapshot(s, number);

    if (number >= sys_load_acquire(&h->snapshots_taken)) /* pairs with grosr_clock_snapshot() */
        return false;
    trip->before_ns = sys_load_acquire(&snap->host_before_ns); /* all pair with grosr_clock_snapshot() */
    trip->after_ns = sys_load_acquire(&snap->host_after_ns);
    trip->device_ns = sys_load_acquire(&snap->device_ns);
    /* The slot's next snapshot is written while `taken` is number + snapshots. */
    return sys_load_acquire(&h->snapshots_taken) - number < s->header.snapshots && is_possible(s, trip);
}

int grosr_clock_fetch(struct grosr_clock *c, const struct grosr_session *s)
{
    uint64_t taken =
        sys_load_acquire(&grosr_session_live(s)->snapshots_taken); /* pairs with the store above */
    uint64_t now = s->copy ? UINT64_MAX : grosr_host_clock_ns();   /* a copy may be of a boot before */
    int added = 0;

    if (taken < c->taken) /* nobody who takes snapshots does that */
        return 0;
    if (taken - c->taken > s->header.snapshots)
        c->taken = taken - s->header.snapshots;
    for (; c->taken < taken; c->taken++) {
        struct grosr_clock_trip trip;
        /* One that claims the future would keep all others out. */
        if (!grosr_clock_read(s, c->taken, &trip) || trip.after_ns > now)
            continue;
        int n = grosr_clock_add(c, &trip);
        if (n < 0)
            return n;
        added += n;
    }
    return added;
}
