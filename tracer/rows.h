/*
 * Turning events into rows: begin and end become one row, times go from the device's clock to the trace's
 * timeline, gaps become rows of GROSR_LOSS. Events of one ring must come in order; the host's ring (its
 * task_enqueue events) before the workers' of the same time, so that a task finds when it was enqueued.
 */
#ifndef GROSR_ROWS_H
#define GROSR_ROWS_H

#include "store.h"

struct grosr_rows;

/* clock and store are borrowed. */
int grosr_rows_create(struct grosr_rows **rows, const struct grosr_session *session,
                      struct grosr_clock *clock, struct grosr_store *store);

/* `first` is the position of records[0] in the ring's stream; near_ns a device time within 39 hours of the
 * events'. */
int grosr_rows_add(struct grosr_rows *rows, uint32_t ring, uint64_t first, const struct grosr_pair *records,
                   uint32_t count, uint64_t near_ns);

/* Writes the worker table as it stands; may be repeated. */
int grosr_rows_workers(struct grosr_rows *rows);

/*
 * Rows for what has begun and not ended, and for drops that no marker tells because the ring was not written
 * again (final: the books of every ring). After it only grosr_rows_free().
 */
int grosr_rows_finish(struct grosr_rows *rows, const struct grosr_ring_counts *final);

/* A device time on the trace's timeline; GROSR_NULL when the clock is not known. */
int64_t grosr_rows_time(struct grosr_rows *rows, uint64_t device_ns);

void grosr_rows_free(struct grosr_rows *rows);

#endif
