/*
 * What the parts of an export share: the walk (export.c), its failures and small queries (export_walk.c), the
 * places of things on tracks (export_places.c), and the views that are read, with what becomes of their rows
 * (export_rows.c).
 *
 * The first failure is kept in `error`; calls after it have no effect on the output, and a track that is NULL
 * means that there was a failure.
 */
#ifndef GROSR_EXPORT_WALK_H
#define GROSR_EXPORT_WALK_H

#include "export_tracks.h"
#include "../base/sql_null.h"

#include <sqlite3.h>

/* The columns that all views have; what follows are arguments, or a counter's value and unit. */
enum grosr_export_column {
    GROSR_COLUMN_START,
    GROSR_COLUMN_END,
    GROSR_COLUMN_NAME,
    GROSR_COLUMN_A,
    GROSR_COLUMN_B,
    GROSR_COLUMN_C,
    GROSR_COLUMN_D,
    GROSR_COLUMN_FLOW,
    GROSR_COLUMN_ROLE,
    GROSR_COLUMNS
};

#define GROSR_EXPORT_VIEWS 25

struct grosr_walk;

/* One view of schema/export.sql, and its current row. */
struct grosr_export_view {
    const char *view, *category;
    void (*emit)(struct grosr_walk *w, struct grosr_export_view *s); /* makes an event of the row */
    enum grosr_export_what what;                                     /* where its events go */

    sqlite3_stmt *rows;
    bool more;
    int64_t start, end; /* end GROSR_EXPORT_OPEN: none */
    int columns;
    const char *argument[GROSR_EXPORT_ARGUMENTS]; /* names of the columns from GROSR_COLUMNS on */
};

/* In the order in which slices of the same times nest, outermost first. */
extern const struct grosr_export_view grosr_export_views[GROSR_EXPORT_VIEWS];

struct grosr_export_worker {
    int64_t session, sm;          /* sm GROSR_NULL: not known */
    int64_t last_task, last_wait; /* the latest starts of any; GROSR_NULL: none */
};

/* Tasks enqueued by the same event. */
struct grosr_export_batch {
    int64_t time, session, worker, first;
    size_t tasks, room;
    uint64_t *flow;
};

struct grosr_walk {
    sqlite3 *db;
    struct grosr_export_writer *writer;
    struct grosr_export_tracks *tracks;
    struct grosr_export_worker *worker;
    size_t workers;
    int64_t sessions;
    struct grosr_export_batch batch;
    struct grosr_export_event event;
    uint64_t flow;
    int error; /* negative errno */
};

/* Keep the first failure: no memory; the latest failure of the connection. */
void grosr_walk_no_memory(struct grosr_walk *w);
void grosr_walk_sql_failed(struct grosr_walk *w);

/* The first row of a query with at most two integers bound; NULL if there is none. The caller finalizes it.
 */
sqlite3_stmt *grosr_walk_ask(struct grosr_walk *w, const char *sql, int64_t x, int64_t y);

static inline int64_t grosr_column(sqlite3_stmt *row, int i)
{
    return sqlite3_column_type(row, i) == SQLITE_NULL ? GROSR_NULL : sqlite3_column_int64(row, i);
}

static inline const char *grosr_column_text(sqlite3_stmt *row, int i)
{
    return (const char *)sqlite3_column_text(row, i);
}

/* Emits the tasks that were enqueued by one event (export_rows.c). */
void grosr_walk_flush_batch(struct grosr_walk *w);

/* Reads the workers and makes their tracks, SM by SM, so that workers without events have one too. */
void grosr_place_workers(struct grosr_walk *w);

/*
 * Find or make a track: a worker's own or one below it; one of a session or a process that has no more than a
 * name; a thread's; a GPU's; a counter's, which the view's row describes.
 */
struct grosr_export_lanes *grosr_place_worker(struct grosr_walk *w, enum grosr_export_what what,
                                              int64_t worker);
struct grosr_export_lanes *grosr_place_plain(struct grosr_walk *w, enum grosr_export_what what, int64_t a);
struct grosr_export_lanes *grosr_place_port(struct grosr_walk *w, int64_t session, int64_t port);
struct grosr_export_lanes *grosr_place_thread(struct grosr_walk *w, int64_t pid, int64_t thread);
struct grosr_export_lanes *grosr_place_gpu(struct grosr_walk *w, const struct grosr_export_key *key);
struct grosr_export_lanes *grosr_place_counter(struct grosr_walk *w, const struct grosr_export_view *s,
                                               int64_t session);

/*
 * Whether a slice of a worker that has no end is still open: nothing came after it that could not have begun
 * inside it. Otherwise its end was lost, and everything after it would seem to be inside.
 */
bool grosr_place_is_open(const struct grosr_walk *w, int64_t worker, const struct grosr_export_view *s);

#endif
