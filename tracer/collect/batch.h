/*
 * A batch: what the drainer has read and the writer turns into rows (collector.h). Whichever thread has taken
 * a batch out of a queue (collector_handoff.c) owns it; the drainer fills it, after that only the
 * links between batches and between runs change.
 *
 * Events and bytes of all sources lie one behind the other in `event` and `byte`, in the order in which they
 * were read; a run says whose a part of them is. Times are CLOCK_MONOTONIC.
 */
#ifndef GROSR_BATCH_H
#define GROSR_BATCH_H

#include "../session/heap_counters.h"

#define GROSR_BATCH_SAMPLES 64u
#define GROSR_BATCH_HEAPS   8u

struct grosr_source;

/* Consecutive records of one ring, or a piece of a stream, inside a batch. */
struct grosr_run {
    struct grosr_source *source;
    uint32_t ring;  /* of the source's; from header.rings on: its streams */
    uint32_t count; /* events, or bytes of a stream */
    uint32_t at;    /* index of the first in the batch's events, or in its bytes */
    uint64_t first; /* position in the ring; of a stream: how many records */
    uint32_t next;  /* the writer's: the ring's next run in the batch, counted from 1; 0: none */
};

struct grosr_queue_sample {
    int64_t time; /* CLOCK_MONOTONIC */
    struct grosr_source *source;
    uint32_t queue;
    uint64_t enqueued, dequeued, completed;
};

struct grosr_heap_sample {
    struct grosr_source *source;
    uint32_t heap;
    struct grosr_heap_counters counters;
};

/* What the drainer hands to the writer. */
struct grosr_batch {
    struct grosr_batch *next;
    uint64_t opened_ns, drained_ns; /* host time before the first and after the last record was copied */
    uint32_t events, runs, samples, heaps, bytes;
    uint32_t runs_max, bytes_max, events_max;
    struct grosr_pair *event;
    struct grosr_run *run;
    unsigned char *byte; /* of streams */
    struct grosr_queue_sample sample[GROSR_BATCH_SAMPLES];
    struct grosr_heap_sample heap[GROSR_BATCH_HEAPS];
};

#endif
