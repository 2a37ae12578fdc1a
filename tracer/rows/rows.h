/*
 * Turning events into rows: begin and end become one row, times go from the device's clock to the trace's
 * timeline, gaps become rows of GROSR_LOSS.
 *
 * Events of one ring must come in order, and the host's ring (its task_enqueue events) before the workers' of
 * the same time, so that a task finds when it was enqueued. Among the workers' rings no order is needed: a
 * task may have run, according to another worker's ring, before the ring of the worker that spawned it is
 * read. Its row then waits for that ring, until it shows the task_spawn event or an event later than the
 * task's start. (So a worker must record task_spawn before anybody else can take the tasks.) A later run of a
 * suspended task may be read before its first; task_resume distinguishes it. The enqueue time of a spawned
 * task is lost (NULL) if
 *
 *     its task_spawn event was lost, or dates from before the recording;
 *     GROSR_ROWS_WAITING rows were waiting already;
 *     it ran after its worker had spawned 2^26 more: numbers start over after 2^27 (event.h);
 *     lost events have filled the windows (enqueue_times.h);
 *     a collector was killed in between, and its checkpoint had no room for the batch.
 *
 * It is never another task's, as long as a worker spawns no 2^27 tasks unrecorded, trace level too low, in
 * between.
 */
#ifndef GROSR_ROWS_H
#define GROSR_ROWS_H

#include "../store/checkpoint.h"
#include "../store/store.h"

#define GROSR_ROWS_WAITING ((size_t)1 << 19) /* 36 MiB */

struct grosr_rows;

/* session, clock and store are borrowed; bases as grosr_store_add_session() gave them. */
int grosr_rows_create(struct grosr_rows **rows, const struct grosr_session *session,
                      const struct grosr_bases *bases, struct grosr_clock *clock, struct grosr_store *store);

/*
 * The next record of a ring is at `position`: what is before it, and has not been added, gets no row of a
 * loss here. At first 0.
 */
void grosr_rows_resume(struct grosr_rows *rows, uint32_t ring, uint64_t position);

/* `first` is the position of records[0] in the ring's stream; near_ns a device time within 39 hours of the
 * events'. */
int grosr_rows_add(struct grosr_rows *rows, uint32_t ring, uint64_t first, const struct grosr_pair *records,
                   uint32_t count, uint64_t near_ns);

/*
 * From now on no row is made of what ended before `from`, on the trace's timeline, nor of losses before it;
 * what is still open then has its row, with its start. An earlier `from` than before changes nothing.
 */
void grosr_rows_keep_from(struct grosr_rows *rows, int64_t from);

/* That time; GROSR_NULL: everything is kept. And how many events date from before. */
int64_t grosr_rows_kept_from(const struct grosr_rows *rows);
uint64_t grosr_rows_cut(const struct grosr_rows *rows);

/*
 * Instead of grosr_rows_add(), for records of before `from` that are not replayed for want of time: they are
 * counted as cut, and spans that had begun by then are forgotten.
 */
int grosr_rows_skip(struct grosr_rows *rows, uint32_t ring, uint64_t first, const struct grosr_pair *records,
                    uint32_t count, uint64_t near_ns);

/* Writes the worker table as it stands, and the program's names that are new; may be repeated. */
int grosr_rows_workers(struct grosr_rows *rows);

/*
 * Rows for what waits, for what has begun and not ended, and for drops without a marker, because the ring was
 * not written again (final: the counters of every ring). After it only grosr_rows_free().
 */
int grosr_rows_finish(struct grosr_rows *rows, const struct grosr_ring_counts *final);

/* A device time on the trace's timeline; GROSR_NULL when the clock is not known. */
int64_t grosr_rows_time(struct grosr_rows *rows, uint64_t device_ns);

/* When the latest event so far was, on the trace's timeline; GROSR_NULL: none, or the clock is not known. */
int64_t grosr_rows_latest(struct grosr_rows *rows);

/*
 * Writes all that later rows depend on into a checkpoint, and reads it back: what is read is what was
 * written, or `checkpoint` has failed. 0 or -ENOMEM.
 */
void grosr_rows_save(const struct grosr_rows *rows, struct grosr_checkpoint *checkpoint);
int grosr_rows_load(struct grosr_rows *rows, struct grosr_checkpoint *checkpoint);

void grosr_rows_free(struct grosr_rows *rows);

#endif
