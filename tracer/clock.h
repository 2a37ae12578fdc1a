/*
 * Placing the device's clock on the host's.
 *
 * The device clock and the host's differ and drift (748 us and 21 ppm on one H100). A snapshot is a round
 * trip: the host notes its clock, sends a ping through mapped memory, the device answers with its own clock,
 * the host notes its clock again. The device's stamp was made between the two, so the middle is right to
 * within half the round trip: that is the snapshot's error bound. Of a burst of round trips the shortest
 * counts (Cristian, "Probabilistic clock synchronization", 1989). Between snapshots the map is linear,
 * outside them it follows the nearest pair. While the kernel fills the bus, round trips are long and their
 * snapshots poor: once a good one comes, the poor ones behind it that do not contradict it are dropped.
 *
 * Host times are CLOCK_MONOTONIC ns.
 */
#ifndef GROSR_CLOCK_H
#define GROSR_CLOCK_H

#include "session.h"

struct grosr_clock_point {
    uint64_t device_ns, host_ns;
    uint64_t bound_ns; /* the true host time is within this of host_ns */
};

/* The map, built from snapshots in the order they were taken. Zero-initialise. */
struct grosr_clock {
    struct grosr_clock_point *point;
    uint32_t count, room;
    uint32_t hint;  /* the segment the latest placement fell into */
    uint64_t taken; /* snapshots fetched from the session so far */
    uint64_t best_bound_ns;
    bool is_host; /* device time is host time */
};

/* A clock that needs no calibration when the session says so. */
void grosr_clock_init(struct grosr_clock *clock, const struct grosr_session *session);
void grosr_clock_free(struct grosr_clock *clock);

/*
 * Whether times up to host_ns lie between snapshots of which the later one is good: placing them now is as
 * well as placing them later.
 */
bool grosr_clock_covers(const struct grosr_clock *clock, uint64_t host_ns);

/* Fetches snapshots taken since the last call. Their number, or -ENOMEM. */
int grosr_clock_fetch(struct grosr_clock *clock, const struct grosr_session *session);

/* Appends one point (device time later than the last one's, or it is ignored). 0 or -ENOMEM. */
int grosr_clock_add(struct grosr_clock *clock, const struct grosr_clock_point *point);

/* The host time of a full device time. False when nothing is known of the clock. */
bool grosr_clock_place(struct grosr_clock *clock, uint64_t device_ns, uint64_t *host_ns);

/* The device time of which `low` are the low `bits`, nearest to `near_ns`. */
uint64_t grosr_clock_extend(uint64_t low, unsigned bits, uint64_t near_ns);

/* What the one thread that takes a session's snapshots keeps. Zero-initialise. */
struct grosr_clock_pinger {
    uint64_t sequence; /* of pings */
    uint64_t best_ns;  /* the shortest round trip so far */
};

/*
 * Takes a snapshot: round trips until one is nearly as short as the best so far, at most `trips`, the
 * shortest of which is appended to the session. To be called by one thread of the process that owns the
 * session, while the device answers. 0, or -ETIMEDOUT when no answer came within timeout_ns.
 */
int grosr_clock_snapshot(const struct grosr_session *session, struct grosr_clock_pinger *pinger,
                         unsigned trips, uint64_t timeout_ns);

/* CLOCK_MONOTONIC, ns. */
uint64_t grosr_host_clock_ns(void);

#endif
