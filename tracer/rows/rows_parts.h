/*
 * What rows.c and the files below it share: the state of each ring. rows_checkpoint.c only writes and reads
 * it. Nobody else includes this.
 */
#ifndef GROSR_ROWS_PARTS_H
#define GROSR_ROWS_PARTS_H

#include "enqueue_times.h"
#include "rows.h"

/* The clocks of two SMs may differ, but not by this. */
#define CLOCK_SKEW_NS 10000u

/* Lanes of a warp stamp each for itself, and are recorded in the order of the lanes; so do threads of the
 * host, in the order in which they get the ring's lock. Each may have been held up for about so long. */
#define LANE_SKEW_NS UINT64_C(1000000000)

/* Spans of one ring that have begun. A warp has at most one task a lane, but a loss can hide ends. */
#define OPEN_MAX 256u

struct open_span {
    uint32_t kind; /* the begin event's */
    uint64_t payload;
    uint64_t begin_ns; /* device time */
    int64_t start;
};

/* A row of GROSR_TASK. */
enum { TASK, FUNCTION, WORKER, ENQUEUE, START, END, STATUS, NEXT, TASK_COLUMNS };

struct waiting_row {
    uint64_t begin_ns; /* device time */
    int64_t values[TASK_COLUMNS];
};

struct ring_state {
    uint64_t expected; /* position of the next record */
    int64_t worker;    /* the file's number; GROSR_NULL for the host's ring */
    int64_t start, end;
    int64_t sm;
    uint64_t lost_ns;      /* device time of the latest record before the latest loss; 0: nothing was lost */
    uint64_t ordered_ns;   /* device time of the latest record that was in order; 0: none */
    uint64_t order_ns;     /* by how much a record may be earlier than the one before it (rows_order.c) */
    uint64_t marked_drops; /* drops counted by the ring's markers */
    int64_t heap_function, heap_task; /* whose memory events follow; GROSR_NULL: nobody's, or not known */

    /* Tasks whose enqueue events are in this ring; a worker's spawns are counted from 0, without wrapping. */
    struct grosr_enqueue_times enqueued;
    uint64_t spawns;    /* the number after the latest batch's last */
    uint64_t latest_ns; /* device time of the latest event */
    struct waiting_row *waiting;
    size_t waiting_count, waiting_room;

    uint32_t open_count;
    struct open_span open[OPEN_MAX]; /* oldest first */
};

struct grosr_rows {
    const struct grosr_session *session;
    struct grosr_clock *clock;
    struct grosr_store *store;
    struct ring_state *ring; /* worker i's is ring i, the host's the last */
    struct grosr_bases base;
    int64_t from;           /* what ended before is not stored; GROSR_NULL: all is */
    uint64_t cut;           /* events of before */
    size_t spare;           /* the windows' budget */
    size_t waiting;         /* rows, all rings */
    uint32_t names_written; /* entries of the name table */
    uint64_t chunk_bytes;   /* of the session's heap; 0: not known yet */
};

/*
 * rows_heap.c: the row of a memory event, unless it is `cut`, too old. False: the event is of another kind.
 * Then what is to be done when records before the next one are missing.
 */
bool rows_heap_event(struct grosr_rows *r, struct ring_state *ring, struct grosr_pair e, int64_t time,
                     bool cut, int *err);
void rows_heap_lost(struct ring_state *ring);

/*
 * Whether records that follow those before can all be, by their times alone; and if not, whether record `i`
 * can. `was_set_back`: the device's clock has been, at some time (rows_order.c).
 */
bool rows_in_order(const struct ring_state *ring, const struct grosr_pair *records, uint32_t count,
                   uint64_t near_ns);
bool rows_may_be(const struct ring_state *ring, const struct grosr_pair *records, uint32_t i, uint32_t count,
                 uint64_t near_ns, bool was_set_back);

#endif
