/*
 * Events made up after what the runtime's workloads record, and a writer that puts them into a session's
 * rings as workers would: `one by one` after a worker of the host device, `by warps` after a GPU's, whose 32
 * lanes begin and end together on a clock that steps by 32 ns.
 */
#ifndef GROSR_BENCH_EVENTS_H
#define GROSR_BENCH_EVENTS_H

#include "../../tracer/session/session.h"

#include <stdbool.h>

#define GROSR_BENCH_GROUP 32u /* tasks that a worker takes at a time */

struct grosr_bench_ring_events {
    struct grosr_pair *event; /* [count], all that its writer writes in a pass, lap 0 */
    uint64_t count, room;
    uint64_t written; /* of them, in this pass */
    uint64_t base;    /* position of the first of them in this pass */
};

struct grosr_bench_events {
    struct grosr_session *session;
    uint64_t tasks;
    bool warps;
    uint32_t rings;
    struct grosr_bench_ring_events *ring; /* [rings], the host's last */
    uint64_t events, waits, run_ns;       /* in all; of all tasks */
    uint64_t near_ns;                     /* the first is near this time */
};

/* Makes all events. The caller has set `session`, `tasks`, `warps`, `rings` and `ring`, whose fields are 0.
 */
int grosr_bench_events_make(struct grosr_bench_events *e);

/* Writes what there is room for in a ring that has been read out. */
void grosr_bench_events_write(struct grosr_bench_events *e, uint32_t ring);

void grosr_bench_events_free(struct grosr_bench_events *e);

#endif
