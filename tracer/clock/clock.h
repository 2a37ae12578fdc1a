/*
 * Placing the device's clock on the host's, with a bound on every placed time.
 *
 * The two clocks differ and drift (748 us and 21 ppm on one H100). A snapshot is a round trip: the host notes
 * its clock, sends a ping through mapped memory, the device answers with its own clock, the host notes its
 * clock again. The device's stamp was made between the two: whatever the delays were, that is certain. Of a
 * burst of round trips the shortest counts (Cristian, "Probabilistic clock synchronization", 1989).
 *
 * The map is piecewise linear. Its points are snapshots, each the interval that its bracket leaves for the
 * host's time; a line is drawn through the middles. What is assumed beyond the brackets is that the rate of
 * one clock against the other wanders slowly: between two points no instant's rate is further from their mean
 * rate than WANDER (1 ppm, and 0.1 ppm more for each second between them). So
 *
 *     between points i and j   bound = (a line from bound i to bound j) + 2 * wander * x * (T - x) / T,
 *                              x into an interval of length T: 16 ns in the middle of 32 ms, 0.55 us of 1 s
 *     outside                  bound = that of the last point + distance * (uncertainty of the rate + wander)
 *
 * and one step of the device's clock, which is what both stamps may be behind by.
 *
 * While a kernel fills the bus, round trips are long and their brackets wide. What the line through better
 * snapshots says of a poor one narrows it (intersection of intervals: Marzullo and Owicki, "Maintaining the
 * time in a distributed system", 1983), or makes it superfluous, if that line passes through its bracket.
 *
 * A snapshot that no clock of such a rate could have given after the last one is a jump: no line crosses it,
 * and times in the gap before it get a bound that covers both sides. If the device's clock has jumped back, a
 * new epoch begins; times that it may have shown in both are placed in the later one, with a bound that
 * reaches the other. What no bound can know of is a jump since the latest snapshot.
 *
 * Memory is bounded: GROSR_CLOCK_POINTS points. They are 64 ms apart or more; when there is no more room,
 * those of age a are thinned out to a / 8192, which holds a week.
 *
 * Host times are CLOCK_MONOTONIC ns. Of what a segment says nothing is believed: snapshots that cannot be are
 * left out.
 */
#ifndef GROSR_CLOCK_H
#define GROSR_CLOCK_H

#include "../base/host_clock.h"
#include "../session/session.h"

#define GROSR_CLOCK_POINTS 131072u
#define GROSR_CLOCK_EPOCHS 64u

/* No clock comes so far, ns: a time from here on is damage. The sum of two times below it fits in an int64_t.
 */
#define GROSR_CLOCK_END (UINT64_C(1) << 62)

/* A round trip: the device's clock showed device_ns at some instant from before_ns to after_ns. */
struct grosr_clock_trip {
    uint64_t before_ns, after_ns, device_ns;
};

struct grosr_clock_point {
    uint64_t device_ns, host_ns;
    double bound_ns; /* half the interval around host_ns */
    bool first;      /* of a piece: the clock has jumped since the point before, or there is none */
};

/* The map around one placed time: what it says for device times `from` <= t < `until`. */
struct grosr_clock_line {
    uint64_t from, until;
    uint64_t device_ns, host_ns; /* where x is 0 */
    double drift;                /* host ns a device ns, less 1 */
    double bound, slope, curve;  /* bound + x * (slope + (length - x) * curve) */
    double length;
};

/* The map, built from snapshots in the order they were taken. Zero-initialise. */
struct grosr_clock {
    struct grosr_clock_point *point; /* host times rise, device times within an epoch */
    uint32_t count, room;
    uint32_t
        epoch[GROSR_CLOCK_EPOCHS]; /* their first points; a new one begins when the device's time goes back */
    uint32_t epochs;
    uint32_t piece;       /* the first point since the clock last jumped */
    uint64_t shared_ns;   /* device times up to this may be of an earlier epoch than the last */
    uint64_t latest_ns;   /* when the latest snapshot was over */
    uint64_t divisor_ns;  /* of all differences of device stamps so far: the step, or a multiple; 0: none */
    double best_bound_ns; /* the shortest half round trip so far */
    uint64_t worst_ns;    /* the greatest bound that grosr_clock_place() has given */
    uint64_t taken;       /* snapshots fetched from the session so far */
    bool is_host;         /* device time is host time */
    struct grosr_clock_line line; /* of the latest placement */
};

/* A clock that needs no calibration when the session says so. */
void grosr_clock_init(struct grosr_clock *clock, const struct grosr_session *session);
void grosr_clock_free(struct grosr_clock *clock);

/* Adds a snapshot. 1; 0 if it cannot be (times that run backwards or out of order); or -ENOMEM. */
int grosr_clock_add(struct grosr_clock *clock, const struct grosr_clock_trip *trip);

/*
 * Fetches snapshots taken since the last call; those that the session has written over meanwhile (it keeps
 * 4096, 40 s) are passed by. The number that were added, or -ENOMEM.
 */
int grosr_clock_fetch(struct grosr_clock *clock, const struct grosr_session *session);

/* Snapshot `number` of a session. False if it has been written over, has not been taken, or cannot be. */
bool grosr_clock_read(const struct grosr_session *session, uint64_t number, struct grosr_clock_trip *trip);

/*
 * The host time of a full device time: the true one is within bound_ns of it. False when nothing is known of
 * the clock. 5 ns as long as the next time is near the last one, else 50.
 */
bool grosr_clock_place(struct grosr_clock *clock, uint64_t device_ns, uint64_t *host_ns, uint64_t *bound_ns);

/* What the map says at a snapshot. */
struct grosr_clock_fit {
    uint64_t host_ns, bound_ns; /* as grosr_clock_place() */
    int64_t drift_ppb; /* how much faster the device's clock goes, from there on; INT64_MIN: not known */
    bool used;         /* the map has a point there */
    bool jump;         /* and the clock had jumped before it */
};

/* False when nothing is known of the clock. */
bool grosr_clock_judge(const struct grosr_clock *clock, const struct grosr_clock_trip *trip,
                       struct grosr_clock_fit *fit);

/*
 * Whether times up to host_ns lie between snapshots of which the later one is good: placing them now is as
 * well as placing them later.
 */
bool grosr_clock_covers(const struct grosr_clock *clock, uint64_t host_ns);

/* About what the device's clock showed at a host time near the latest snapshots. False: nothing is known. */
bool grosr_clock_near(const struct grosr_clock *clock, uint64_t host_ns, uint64_t *device_ns);

/* The device time of which `low` are the low `bits`, less than 2^(bits-1) ns (48 bits: 39 hours) from
 * `near_ns`. */
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

#endif
