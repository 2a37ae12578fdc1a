/*
 * Records into rows: what the injected library records of a process (record.h) becomes the tables that an
 * export of Nsight Systems has, and what a runtime's proxy records, GROSR_SYSCALL (schema/tables.sql).
 *
 * A range that has ended is a row at once; one that is still open becomes a row, with `end` NULL, when it has
 * been open for a second, and that row is completed when it ends. So a file that is being written shows what
 * takes long, and short ranges cost one insertion.
 *
 * Records are not trusted: one that is too short for its kind, or whose strings do not fit in it, is skipped
 * and counted, and the file says so.
 */
#ifndef GROSR_RECORDS_H
#define GROSR_RECORDS_H

#include "../clock/clock.h"
#include "../store/store.h"

struct grosr_records;

/* For the records of one session. `clock`: of its device, as long as the records. All calls from one thread;
 * 0 or what the store says. */
int grosr_records_create(struct grosr_records **records, const struct grosr_session *session,
                         const struct grosr_bases *bases, struct grosr_clock *clock,
                         struct grosr_store *store);

/* `warned` gets notes on limits of the tracing as diagnostic messages, on the caller's thread. */
void grosr_records_warn(struct grosr_records *records, void (*warned)(const char *text));

/* Whether the process has reported a CUDA device. */
bool grosr_records_reports_gpu(const struct grosr_records *records);

/* Adds whole records of a stream, as grosr_stream_read() gives them. */
int grosr_records_add(struct grosr_records *records, uint32_t stream, const unsigned char *bytes,
                      size_t count);

/* Writes the rows of what has been open for a second at now_ns (CLOCK_MONOTONIC). Before a commit. */
int grosr_records_tick(struct grosr_records *records, uint64_t now_ns);

/* Writes the rows of what has begun and not ended. */
int grosr_records_finish(struct grosr_records *records);

/*
 * Writes what later records depend on into a checkpoint, and reads it back: the streams' strings, and what
 * has begun and not ended. What is read is what was written, or `checkpoint` has failed. 0 or -ENOMEM.
 */
void grosr_records_save(const struct grosr_records *records, struct grosr_checkpoint *checkpoint);
int grosr_records_load(struct grosr_records *records, struct grosr_checkpoint *checkpoint);

/* NULL is allowed. */
void grosr_records_free(struct grosr_records *records);

#endif
