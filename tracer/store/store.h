/*
 * The trace file: an SQLite database (schema/tables.sql).
 *
 * While it is written it is in WAL mode, so that other programs may read it at any time; rows are committed
 * twice a second. At a proper close indexes are made, GROSR_META.complete becomes 1 and the journal goes back
 * to one plain file. After the first write error (a full disk, say) nothing more is written; the database
 * stays as of the last commit, sound, and every later call returns the same error.
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
    GROSR_TABLES
};

struct grosr_store;

/*
 * A trace may hold several sessions, each with its own numbers from 0. In the file a session's workers,
 * rings, queues, functions and names are numbered behind those of the sessions before it: by these, plus the
 * own number. Times are ns since origin_ns (CLOCK_MONOTONIC), the start of session 1.
 */
struct grosr_bases {
    int64_t session; /* its number, from 1 */
    int64_t worker, ring, queue, function, name;
    int64_t origin_ns;
};

/* A host time on the trace's timeline. Wraps, as clocks that are not trusted may. */
static inline int64_t grosr_timeline(const struct grosr_bases *bases, uint64_t host_ns)
{
    return (int64_t)(host_ns - (uint64_t)bases->origin_ns);
}

/*
 * Creates an empty trace. An older GROSR trace of that name is replaced; any other file is left alone:
 * -EEXIST. -EACCES, -ENOENT, -ENOSPC, -EIO as the system says.
 */
int grosr_store_create(struct grosr_store **store, const char *path);

/*
 * Opens a trace whose recording of this session was cut off, to go on with it: 1, and the session's number in
 * it. 0: there is none at `path`, to be replaced or not. -EEXIST: it was being recorded with others that are
 * not done.
 */
int grosr_store_continue(struct grosr_store **store, const char *path, const struct grosr_session *session,
                         int64_t *number);

/* Stores where the collector stands with a session, and reads it: state is to be freed. */
int grosr_store_save_state(struct grosr_store *store, int64_t session, const struct grosr_checkpoint *state);
int grosr_store_load_state(struct grosr_store *store, int64_t session, struct grosr_checkpoint *state);

/* Adds the snapshots that are in the file to a clock. */
int grosr_store_load_clock(struct grosr_store *store, const struct grosr_bases *bases,
                           struct grosr_clock *clock);

/* The events that are put aside, and when the latest of them were drained (may be NULL). */
int grosr_store_count_chunks(struct grosr_store *store, uint64_t *events, uint64_t *drained_ns);

/* Adds a session, and what is known of it at once. */
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
 * Puts events aside that were drained at drained_ns (CLOCK_MONOTONIC), at most GROSR_CHUNK_EVENTS_MAX,
 * packed (chunk.h), and takes the oldest back, without their laps: *count 0 when there are none. The caller
 * frees *records. -EIO: what comes back is damaged. `records` NULL, here and there: there are none to be had,
 * but what is before first + count is told elsewhere.
 */
int grosr_store_put_chunk(struct grosr_store *store, uint32_t ring, uint64_t first, uint64_t drained_ns,
                          const struct grosr_pair *records, uint32_t count);
int grosr_store_take_chunk(struct grosr_store *store, uint32_t *ring, uint64_t *first, uint64_t *drained_ns,
                           struct grosr_pair **records, uint32_t *count);

/* When the oldest events that are put aside were drained; UINT64_MAX: there are none. */
int grosr_store_oldest_chunk(struct grosr_store *store, uint64_t *drained_ns);

/*
 * Leaves out what ended before `from`, a time of the trace: of the rows that are not made of events, a part
 * of them now and then, so that the file keeps its size while `from` goes along with `now`, and all at the
 * end; GROSR_META then tells of it, and how many `events` date from before. The rows of a device's events are
 * left out where they would be made (rows.h).
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
    const char *text; /* of TEXT: UTF-8, if need be not quite; not NUL-terminated */
};

/*
 * Runs a statement that returns nothing, `sql`, with its parameters bound to `values`. It is prepared once
 * and kept: `sql` must be a string that stays, the same one each time. *row (may be NULL) is the rowid of a
 * row it inserted.
 */
int grosr_store_execute(struct grosr_store *store, const char *sql, const struct grosr_value *values,
                        uint32_t count, int64_t *row);

/* The number of a string in StringIds, the same for the same text in all sessions; added if it is new. */
int grosr_store_string(struct grosr_store *store, const char *text, size_t bytes, int64_t *id);

/* Commits what has been added. */
int grosr_store_commit(struct grosr_store *store);

/* Notes the bound of a placed time; the trace tells the greatest. */
int grosr_store_clock_error(struct grosr_store *store, uint64_t bound_ns);

/*
 * The session's end: its time, whether its process died, and whether recording stopped before the kernel did.
 */
int grosr_store_end_session(struct grosr_store *store, int64_t session, int64_t end, bool died,
                            bool detached);

/* Tells how far something long is; NULL: nobody wants to know. */
typedef void grosr_store_progress(const char *what, uint64_t done, uint64_t all);

/* Makes the indexes and the summaries, marks the trace complete. */
int grosr_store_finish(struct grosr_store *store, grosr_store_progress *progress);

/* Closes the file as it is. NULL is allowed. */
void grosr_store_close(struct grosr_store *store);

/*
 * Opens a trace for reading. Files of older schema versions look like today's, through temporary views.
 * -ENOENT: no such file; -EPROTO: not a GROSR trace, or one of a schema version that this grosr does not
 * know. The text is in grosr_error(). The connection is one thread's at a time.
 */
int grosr_store_open_read(sqlite3 **db, const char *path);

#endif
