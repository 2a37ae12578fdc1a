/*
 * The trace file: an SQLite database (schema/tables.sql).
 *
 * While it is written it is in WAL mode, so that other programs may read it at any time; rows are committed
 * twice a second. A proper close creates the indexes, sets GROSR_META.complete to 1 and leaves one plain file
 * without a journal. After the first write error (a full disk, for example) every later call
 * returns the same error; the database stays consistent as of the last commit, and gets the reason and, in
 * the end, the counters of what is missing (grosr_store_write_last()), for which room is kept.
 */
#ifndef GROSR_STORE_H
#define GROSR_STORE_H

#include "../clock/clock.h"
#include "pending.h"
#include "../session/ring.h"
#include "../session/session.h"
#include "checkpoint.h"

#include <sqlite3.h>

enum grosr_table {
    GROSR_TABLE_TASK,         /* task, function, worker, enqueue, start, end, status, next */
    GROSR_TABLE_WAIT,         /* worker, resource, index, start, end, session */
    GROSR_TABLE_IDLE,         /* worker, start, end */
    GROSR_TABLE_INSTANT,      /* worker, time, kind, payload, session */
    GROSR_TABLE_WORKER,       /* worker, sm, start, end, tasks, busy_ns, spawned, shared, session; replaces */
    GROSR_TABLE_RING,         /* ring, worker, capacity, written, read, dropped, overwritten, closed, session,
                                 unstored; replaces */
    GROSR_TABLE_STREAM,       /* stream, session, written, read, dropped, unstored; replaces */
    GROSR_TABLE_QUEUE_SAMPLE, /* time, queue, enqueued, dequeued, completed */
    /* device_ns, host, bound_ns, session, host_before, host_after, drift_ppb, used, jump */
    GROSR_TABLE_CLOCK,
    GROSR_TABLE_RANGE,   /* worker, name, start, end, value */
    GROSR_TABLE_COUNTER, /* time, name, worker, value */
    GROSR_TABLE_HOLD,    /* worker, resource, index, start, end */
    /* worker, task, slot, name, start, served, replied, end, bytes, result, handle, session */
    GROSR_TABLE_SYSCALL,
    /* time, session, kind, offset, bytes, class, worker, function, task */
    GROSR_TABLE_HEAP_EVENT,
    GROSR_TABLE_HEAP_ERROR, /* time, session, kind, value, worker, function, task */
    /* time, heap, free_chunks, empty_chunks, slab_chunks, large_chunks, used_bytes, requested_bytes,
     * largest_bytes, live, mallocs, frees, failures, bad_frees */
    GROSR_TABLE_HEAP_SAMPLE,
    GROSR_TABLE_HEAP_CLASS_SAMPLE, /* time, heap, class, slabs, used, mallocs, frees, failures */
    /* heap, session, time, arena_bytes, chunk_bytes, debug, chunks_max, large_live, large_mallocs,
     * large_frees, large_requested_bytes, large_failures, frees_foreign, frees_inner, frees_twice; replaces
     */
    GROSR_TABLE_HEAP,
    /* heap, class, slot_bytes, slots, slabs, slabs_max, used, mallocs, frees, requested_bytes, failures;
     * replaces */
    GROSR_TABLE_HEAP_CLASS,
    /* start, end, session, device, context, function, full name, offset, stall, samples, not_issued, memory,
     * file, line, inlined */
    GROSR_TABLE_PC_SAMPLE,
    /* start, end, session, device, context, function, full name, samples, low, high, loop, endless,
     * loop_samples, memory_samples, stall, stall_samples, file, first_line, last_line */
    GROSR_TABLE_PC_FUNCTION,
    GROSR_TABLE_PC_BIN, /* start, end, session, device, context, samples, dropped, other, full */
    GROSR_TABLES
};

struct grosr_store;

/*
 * A trace may hold several sessions, each with its own numbers from 0. In the file the workers, rings,
 * queues, functions and names of a session have these bases added to their numbers, so that they follow those
 * of the sessions before it. Times are ns since origin_ns (CLOCK_MONOTONIC), the start of session 1.
 */
struct grosr_bases {
    int64_t session; /* its number, from 1 */
    int64_t worker, ring, queue, function, name;
    int64_t origin_ns;
};

/* A host time on the trace's timeline. Wraps around: clocks of other processes are not trusted. */
static inline int64_t grosr_timeline(const struct grosr_bases *bases, uint64_t host_ns)
{
    return (int64_t)(host_ns - (uint64_t)bases->origin_ns);
}

/*
 * Creates an empty trace. An older GROSR trace of that name is replaced; any other file is left alone, with
 * -EEXIST. -EACCES, -ENOENT, -ENOSPC, -EIO: from the system.
 */
int grosr_store_create(struct grosr_store **store, const char *path);

/*
 * Opens a trace whose recording of this session was interrupted, to continue it: returns 1, and the session's
 * number in it. 0: there is no such trace at `path`. -EEXIST: the trace has other sessions whose recording
 * was interrupted too.
 */
int grosr_store_continue(struct grosr_store **store, const char *path, const struct grosr_session *session,
                         int64_t *number);

/* Stores the checkpoint of a session, and loads it into an empty one, which the caller frees. */
int grosr_store_save_checkpoint(struct grosr_store *store, int64_t session,
                                const struct grosr_checkpoint *checkpoint);
int grosr_store_load_checkpoint(struct grosr_store *store, int64_t session,
                                struct grosr_checkpoint *checkpoint);

/* Adds the snapshots that are in the file to a clock. */
int grosr_store_load_clock(struct grosr_store *store, const struct grosr_bases *bases,
                           struct grosr_clock *clock);

/* The number of events in the backlog, and when the latest of them were drained (may be NULL). */
int grosr_store_count_chunks(struct grosr_store *store, uint64_t *events, uint64_t *drained_ns);

/* Adds a session, with its functions and queues. */
int grosr_store_add_session(struct grosr_store *store, const struct grosr_session *session,
                            struct grosr_bases *bases);

/* Whether grosr_store_create() could write there; changes nothing. Errors as above. */
int grosr_store_probe(const char *path);

/* Adds a row. `values` as listed with the table, GROSR_NULL for NULL. */
int grosr_store_row(struct grosr_store *store, enum grosr_table table, const int64_t *values);

/* Adds a row of GROSR_LOSS. */
int grosr_store_loss(struct grosr_store *store, uint32_t ring, uint64_t position, int64_t time,
                     uint64_t count, const char *reason);

/* Adds a row of GROSR_NOTE. */
int grosr_store_note(struct grosr_store *store, int64_t time, int64_t session, const char *topic,
                     size_t topic_bytes, const char *text, size_t text_bytes);

/* Adds a row of GROSR_NAME; `unit` may be "". */
int grosr_store_name(struct grosr_store *store, int64_t name, int64_t session, const char *text,
                     const char *unit);

/*
 * The backlog. Appends events that were drained at drained_ns (CLOCK_MONOTONIC), at most
 * GROSR_CHUNK_EVENTS_MAX, packed (chunk.h); takes out the oldest, without their laps: *count is 0 when there
 * are none. The caller frees *records. -EIO: the chunk is damaged. `records` NULL, in both: no events, those
 * before position first + count are accounted for elsewhere.
 */
int grosr_store_put_chunk(struct grosr_store *store, uint32_t ring, uint64_t first, uint64_t drained_ns,
                          const struct grosr_pair *records, uint32_t count);
int grosr_store_take_chunk(struct grosr_store *store, uint32_t *ring, uint64_t *first, uint64_t *drained_ns,
                           struct grosr_pair **records, uint32_t *count);

/* When the oldest events of the backlog were drained; UINT64_MAX: it is empty. */
int grosr_store_oldest_chunk(struct grosr_store *store, uint64_t *drained_ns);

/*
 * Deletes what ended before `from`, a time of the trace, among the rows that are not made of events: the
 * first deletes a part of them at intervals, so that the file keeps its size while `from` follows `now`; the
 * second deletes all at the end and notes it in GROSR_META, with how many `events` date from before. Rows of
 * a device's events are not made in the first place (rows.h).
 */
int grosr_store_cut(struct grosr_store *store, int64_t from, int64_t now);
int grosr_store_cut_all(struct grosr_store *store, int64_t from, uint64_t events);

enum grosr_value_type {
    GROSR_VALUE_NULL,
    GROSR_VALUE_INTEGER,
    GROSR_VALUE_REAL,
    GROSR_VALUE_TEXT,
    GROSR_VALUE_BLOB
};

/* A value of a row of any table. */
struct grosr_value {
    enum grosr_value_type type;
    int64_t integer; /* of TEXT and BLOB: their bytes */
    double real;
    const char *text; /* of TEXT: UTF-8, which is not checked; not NUL-terminated */
};

/*
 * Runs `sql`, a statement that returns nothing, with its parameters bound to `values`. It is prepared once
 * and cached by the address of `sql`, which must stay valid. *row (may be NULL): the rowid of the row it
 * inserted.
 */
int grosr_store_execute(struct grosr_store *store, const char *sql, const struct grosr_value *values,
                        uint32_t count, int64_t *row);

/*
 * A GPU that a process uses, unless the trace has it: in TARGET_INFO_GPU once for all processes, by its UUID,
 * and in TARGET_INFO_CUDA_DEVICE once for each.
 */
int grosr_store_add_gpu(struct grosr_store *store, uint32_t pid, const struct grosr_gpu *gpu,
                        const char *name, size_t name_bytes);

/* The number of a string in StringIds, the same for the same text in all sessions; added if it is new. */
int grosr_store_string(struct grosr_store *store, const char *text, size_t bytes, int64_t *id);

/* Commits what has been added. */
int grosr_store_commit(struct grosr_store *store);

/* Notes the error bound of a converted time; GROSR_META keeps the maximum. */
int grosr_store_clock_error(struct grosr_store *store, uint64_t bound_ns);

/*
 * The session's end: its time, whether its process died, whether recording stopped before the kernel did, and
 * when the runtime was first told to stop (GROSR_NULL: never).
 */
int grosr_store_end_session(struct grosr_store *store, int64_t session, int64_t end, bool died, bool detached,
                            int64_t stopped);

/* Reports the progress of something long; may be NULL. */
typedef void grosr_store_progress(const char *what, uint64_t done, uint64_t all);

/*
 * Commits, creates the indexes and the summaries, and marks the trace complete. -ESTALE: that was done, but
 * the file had been moved or deleted while it was written: then the trace is where grosr_error() says. A
 * deleted one was written anew, under its name or, if another file has that, with the process's number
 * behind it.
 */
int grosr_store_finish(struct grosr_store *store, grosr_store_progress *progress);

/*
 * What else is written into a trace that has been marked complete, in the same transaction, by
 * grosr_store_finish(): 0, or a negative errno with its text.
 */
typedef int grosr_store_last(sqlite3 *db);
void grosr_store_set_last(struct grosr_store *store, grosr_store_last *last);

/*
 * After a failure, of the store or (`error`, for `reason`) of whoever uses it: runs `write`, which may add to
 * the file, in a transaction of its own, and again if that fails, with more room. 0: it is in the file, and
 * so is the reason.
 */
typedef int grosr_store_writer(struct grosr_store *store, void *context);
int grosr_store_write_last(struct grosr_store *store, int error, const char *reason,
                           grosr_store_writer *write, void *context);

/* Closes the file as it is. NULL is allowed. */
void grosr_store_close(struct grosr_store *store);

/*
 * Opens a trace for reading. Files of older schema versions look like current ones, by temporary views.
 * -ENOENT: no such file; -EPROTO: not a GROSR trace, or one of a schema version that this grosr does not
 * know. The text is in grosr_error(). The connection is one thread's at a time.
 */
int grosr_store_open_read(sqlite3 **db, const char *path);

#endif
