/*
 * The map from the device's clock to the host's, and the round trips it is made from (clock.h). Points stay
 * in the order of their device times.
 */
#include "clock.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <time.h>

uint64_t grosr_host_clock_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

void grosr_clock_init(struct grosr_clock *c, const struct grosr_session *s)
{
    *c = (struct grosr_clock){.is_host = s->header.device_clock_is_host != 0};
}

void grosr_clock_free(struct grosr_clock *c)
{
    free(c->point);
    c->point = NULL;
    c->count = c->room = 0;
}

/*
 * The host time of t on the line through a and b. Differences first: a double has 53 bits, the clocks use 61.
 */
static uint64_t on_line(const struct grosr_clock_point *a, const struct grosr_clock_point *b, uint64_t t)
{
    double slope = (double)(b->host_ns - a->host_ns) / (double)(b->device_ns - a->device_ns);
    double ahead = (double)(int64_t)(t - a->device_ns) * slope;

    if (!(fabs(ahead) < 9e18)) /* snapshots that no clock took */
        return a->host_ns;
    return a->host_ns + (uint64_t)(int64_t)ahead;
}

/*
 * Drops the points before `p` that are much poorer than it, back to the last one that is not, if the line
 * between that one and p passes within the bounds of all of them. If it does not, the clock did something,
 * and they stay.
 */
static void drop_poorer(struct grosr_clock *c, const struct grosr_clock_point *p)
{
    uint32_t keep = c->count;

    while (keep && c->point[keep - 1].bound_ns > 2 * p->bound_ns)
        keep--;
    if (keep == 0)
        return;
    for (uint32_t i = keep; i < c->count; i++) {
        int64_t off = (int64_t)(on_line(&c->point[keep - 1], p, c->point[i].device_ns) - c->point[i].host_ns);
        if ((uint64_t)llabs(off) > c->point[i].bound_ns + 2 * p->bound_ns)
            return;
    }
    c->count = keep;
    c->hint = 0;
}

int grosr_clock_add(struct grosr_clock *c, const struct grosr_clock_point *p)
{
    if (c->count && p->device_ns <= c->point[c->count - 1].device_ns)
        return 0;
    if (c->best_bound_ns == 0 || p->bound_ns < c->best_bound_ns)
        c->best_bound_ns = p->bound_ns;
    drop_poorer(c, p);
    if (c->count == c->room) {
        uint32_t room = c->room ? 2 * c->room : 64;
        struct grosr_clock_point *more =
            (struct grosr_clock_point *)realloc(c->point, room * sizeof(*c->point));
        if (!more)
            return -ENOMEM;
        c->point = more;
        c->room = room;
    }
    c->point[c->count++] = *p;
    return 0;
}

int grosr_clock_fetch(struct grosr_clock *c, const struct grosr_session *s)
{
    uint64_t taken = sys_load_acquire(&grosr_session_live(s)->snapshots_taken); /* pairs with append() */
    int n = 0;

    if (taken - c->taken > s->header.snapshots) /* older ones have been written over */
        c->taken = taken - s->header.snapshots / 2;
    for (; c->taken < taken; c->taken++, n++) {
        const struct grosr_snapshot *snap = grosr_session_snapshot(s, c->taken);
        uint64_t before = sys_load_relaxed(&snap->host_before_ns);
        uint64_t after = sys_load_relaxed(&snap->host_after_ns);
        struct grosr_clock_point p = {
            .device_ns = sys_load_relaxed(&snap->device_ns),
            .host_ns = before + (after - before) / 2,
            .bound_ns = (after - before + 1) / 2,
        };
        if (grosr_clock_add(c, &p))
            return -ENOMEM;
    }
    return n;
}

/* The segment whose device times surround t: index i means point[i] .. point[i + 1]. */
static uint32_t find_segment(const struct grosr_clock *c, uint64_t t)
{
    uint32_t low = 0, high = c->count - 1;

    if (c->hint + 1 < c->count && c->point[c->hint].device_ns <= t && t < c->point[c->hint + 1].device_ns)
        return c->hint;
    while (high - low > 1) {
        uint32_t middle = low + (high - low) / 2;
        if (c->point[middle].device_ns <= t)
            low = middle;
        else
            high = middle;
    }
    return low;
}

bool grosr_clock_place(struct grosr_clock *c, uint64_t t, uint64_t *host_ns)
{
    if (c->is_host) {
        *host_ns = t;
        return true;
    }
    if (c->count == 0)
        return false;
    if (c->count == 1) {
        *host_ns = c->point[0].host_ns + (t - c->point[0].device_ns);
        return true;
    }
    c->hint = find_segment(c, t);
    *host_ns = on_line(&c->point[c->hint], &c->point[c->hint + 1], t);
    return true;
}

bool grosr_clock_covers(const struct grosr_clock *c, uint64_t host_ns)
{
    if (c->is_host)
        return true;
    for (uint32_t i = c->count; i-- > 0 && c->point[i].host_ns >= host_ns;)
        if (c->point[i].bound_ns <= 2 * c->best_bound_ns)
            return true;
    return false;
}

uint64_t grosr_clock_extend(uint64_t low, unsigned bits, uint64_t near_ns)
{
    unsigned shift = 64 - bits;
    int64_t difference = (int64_t)((low - near_ns) << shift) >> shift;
    return near_ns + (uint64_t)difference;
}

/* One round trip. 0, or -ETIMEDOUT. */
static int round_trip(const struct grosr_session *s, uint64_t ping, uint64_t deadline,
                      struct grosr_clock_point *p, uint64_t *before, uint64_t *after)
{
    struct grosr_session_header *h = grosr_session_live(s);
    uint32_t step = 0, spins = 0;
    struct grosr_pair pong;

    *before = grosr_host_clock_ns();
    sys_store_release(&h->ping, ping);
    for (;;) {
        pong = sys_load_pair_acquire(&h->pong);
        if ((pong.hi & GROSR_PAYLOAD_MASK) == (ping & GROSR_PAYLOAD_MASK) && grosr_event_lap(pong) >= 0)
            break;
        if (++spins > 2000) {
            if (grosr_host_clock_ns() > deadline)
                return -ETIMEDOUT;
            dev_backoff(&step);
        }
    }
    *after = grosr_host_clock_ns();
    p->device_ns = grosr_clock_extend(pong.lo & GROSR_PAYLOAD_MASK, GROSR_LAP_SHIFT,
                                      sys_load_relaxed(&h->device_epoch_ns));
    return 0;
}

int grosr_clock_snapshot(const struct grosr_session *s, struct grosr_clock_pinger *pinger, unsigned trips,
                         uint64_t timeout_ns)
{
    struct grosr_session_header *h = grosr_session_live(s);
    uint64_t deadline = grosr_host_clock_ns() + timeout_ns;
    uint64_t best_before = 0, best_after = UINT64_MAX, best_device = 0;

    for (unsigned i = 0; i < trips; i++) {
        struct grosr_clock_point p;
        uint64_t before, after;
        int err = round_trip(s, ++pinger->sequence, deadline, &p, &before, &after);
        if (err)
            return err;
        if (pinger->best_ns == 0 || after - before < pinger->best_ns)
            pinger->best_ns = after - before;
        if (after - before < best_after - best_before) {
            best_before = before;
            best_after = after;
            best_device = p.device_ns;
        }
        if (i >= 4 && best_after - best_before <= pinger->best_ns + pinger->best_ns / 4)
            break;
    }
    uint64_t taken = sys_load_relaxed(&h->snapshots_taken);
    struct grosr_snapshot *snap = grosr_session_snapshot(s, taken);
    sys_store_relaxed(&snap->host_before_ns, best_before);
    sys_store_relaxed(&snap->host_after_ns, best_after);
    sys_store_relaxed(&snap->device_ns, best_device);
    sys_store_release(&h->snapshots_taken, taken + 1); /* pairs with grosr_clock_fetch() */
    return 0;
}
