/*
 * Walks a trace for an export (export.h): a merge of the views of schema/export.sql, each read in order of
 * start. One pass, with one row of each view in memory.
 *
 * Of slices with the same start the longer comes first, since it contains the others; of the same length,
 * that of the view listed first.
 */
#include "export.h"

#include "../base/error.h"
#include "export_walk.h"
#include "../base/version.h"
#include "../../schema/schema.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define PROGRESS_ROWS 8192
#define TIME_MAX      (INT64_C(1) << 60)

/* Only a damaged trace has times beyond 36 years; sums of these do not overflow. */
static int64_t bounded(int64_t time)
{
    return time < -TIME_MAX ? -TIME_MAX : time > TIME_MAX ? TIME_MAX : time;
}

static void advance(struct grosr_walk *w, struct grosr_export_view *s)
{
    int step = sqlite3_step(s->rows);

    s->more = step == SQLITE_ROW;
    if (!s->more) {
        if (step != SQLITE_DONE)
            grosr_walk_sql_failed(w);
        return;
    }
    int64_t end = grosr_column(s->rows, GROSR_COLUMN_END);
    s->start = bounded(sqlite3_column_int64(s->rows, GROSR_COLUMN_START));
    s->end = end == GROSR_NULL ? GROSR_EXPORT_OPEN : bounded(end) < s->start ? s->start : bounded(end);
}

/* A view's rows in the time range of the export. */
#define ROWS_OF " FROM export_%s WHERE start < ?2 AND (end IS NULL OR end >= ?1)"

static void open_view(struct grosr_walk *w, struct grosr_export_view *s,
                      const struct grosr_export_options *options)
{
    char sql[256];

    snprintf(sql, sizeof(sql), "SELECT *" ROWS_OF " ORDER BY start, coalesce(end, 9223372036854775807) DESC",
             s->view);
    if (sqlite3_prepare_v2(w->db, sql, -1, &s->rows, NULL) != SQLITE_OK ||
        sqlite3_bind_int64(s->rows, 1, options->from) != SQLITE_OK ||
        sqlite3_bind_int64(s->rows, 2, options->to) != SQLITE_OK) {
        grosr_walk_sql_failed(w);
        return;
    }
    s->columns = sqlite3_column_count(s->rows);
    if (s->columns > GROSR_COLUMNS + GROSR_EXPORT_ARGUMENTS)
        s->columns = GROSR_COLUMNS + GROSR_EXPORT_ARGUMENTS;
    for (int i = GROSR_COLUMNS; i < s->columns; i++) {
        s->argument[i - GROSR_COLUMNS] = sqlite3_column_name(s->rows, i);
        if (!s->argument[i - GROSR_COLUMNS]) {
            grosr_walk_no_memory(w);
            return;
        }
    }
    advance(w, s);
}

static struct grosr_export_view *earliest(struct grosr_export_view *views)
{
    struct grosr_export_view *first = NULL;

    for (struct grosr_export_view *s = views; s < views + GROSR_EXPORT_VIEWS; s++)
        if (s->more &&
            (!first || s->start < first->start || (s->start == first->start && s->end > first->end)))
            first = s;
    return first;
}

static uint64_t count_rows(struct grosr_walk *w, const struct grosr_export_options *options)
{
    uint64_t all = 0;
    char sql[256];

    for (int i = 0; i < GROSR_EXPORT_VIEWS && !w->error; i++) {
        snprintf(sql, sizeof(sql), "SELECT count(*)" ROWS_OF, grosr_export_views[i].view);
        sqlite3_stmt *row = grosr_walk_ask(w, sql, options->from, options->to);
        all += row ? (uint64_t)sqlite3_column_int64(row, 0) : 0;
        sqlite3_finalize(row);
    }
    return all;
}

static void write_head(struct grosr_walk *w, const struct grosr_export_view *first)
{
    struct grosr_export_head head = {
        .first = first ? first->start : 0, .version = GROSR_VERSION, .health = ""};
    sqlite3_stmt *start = grosr_walk_ask(
        w, "SELECT start_mono_ns, start_real_ns FROM GROSR_SESSION ORDER BY session LIMIT 1", 0, 0);
    sqlite3_stmt *health = grosr_walk_ask(w, "SELECT verdict FROM trace_health WHERE ring IS NULL", 0, 0);
    sqlite3_stmt *sessions = grosr_walk_ask(w, "SELECT count(*) FROM GROSR_SESSION", 0, 0);

    if (start) {
        head.start_mono_ns = sqlite3_column_int64(start, 0);
        head.start_real_ns = sqlite3_column_int64(start, 1);
    }
    if (health && grosr_column_text(health, 0))
        head.health = grosr_column_text(health, 0);
    w->sessions = sessions ? sqlite3_column_int64(sessions, 0) : 0;
    if (!w->error)
        w->writer->calls->head(w->writer, &head);
    sqlite3_finalize(start);
    sqlite3_finalize(health);
    sqlite3_finalize(sessions);
}

static void walk_all(struct grosr_walk *w, struct grosr_export_view *views,
                     const struct grosr_export_options *options)
{
    uint64_t all = options->progress ? count_rows(w, options) : 0, done = 0;

    for (int i = 0; i < GROSR_EXPORT_VIEWS && !w->error; i++)
        open_view(w, &views[i], options);
    struct grosr_export_view *next = earliest(views);
    if (w->error)
        return;
    write_head(w, next);
    if (!w->error)
        grosr_place_workers(w);
    for (; next && !w->error && !w->writer->error; next = earliest(views)) {
        if (w->batch.tasks && w->batch.time < next->start)
            grosr_walk_flush_batch(w);
        next->emit(w, next);
        advance(w, next);
        if (options->progress && ++done % PROGRESS_ROWS == 0)
            options->progress(done, all);
    }
    if (w->error || w->writer->error)
        return;
    grosr_walk_flush_batch(w);
    grosr_export_ends(w->tracks);
    w->writer->calls->tail(w->writer);
    if (options->progress)
        options->progress(all, all);
}

/*
 * export_resource(resource, resource_name) of schema/export.sql. It is a function because one view over
 * `waits` and `holds` would be sorted as a whole instead of read by their indexes.
 */
static void resource_name(sqlite3_context *to, int n, sqlite3_value **value)
{
    const char *kind = (const char *)sqlite3_value_text(value[0]);
    bool has_name = sqlite3_value_type(value[1]) != SQLITE_NULL;
    bool of_program = kind && strncmp(kind, "queue", 5) && strncmp(kind, "syscall", 7);

    (void)n;
    sqlite3_result_value(to, value[has_name && of_program]);
}

/* Makes the views of schema/export.sql; an SQLite code. */
static int make_views(sqlite3 *db)
{
    int code = sqlite3_create_function_v2(db, "export_resource", 2, SQLITE_UTF8 | SQLITE_DETERMINISTIC, NULL,
                                          resource_name, NULL, NULL, NULL);

    return code == SQLITE_OK ? sqlite3_exec(db, grosr_sql_export, NULL, NULL, NULL) : code;
}

int grosr_export(sqlite3 *db, FILE *out, const struct grosr_export_options *options)
{
    struct grosr_export_view views[GROSR_EXPORT_VIEWS];
    struct grosr_walk w = {.db = db};

    memcpy(views, grosr_export_views, sizeof(views));
    w.writer = options->format == GROSR_EXPORT_CHROME ? grosr_export_chrome(out) : grosr_export_perfetto(out);
    w.tracks = w.writer ? grosr_export_tracks_new(w.writer) : NULL;
    if (!w.tracks)
        grosr_walk_no_memory(&w);
    /* One transaction: a trace that is still being written is read as it is now. */
    if (!w.error && (make_views(db) != SQLITE_OK || sqlite3_exec(db, "BEGIN", NULL, NULL, NULL) != SQLITE_OK))
        grosr_walk_sql_failed(&w);
    if (!w.error)
        walk_all(&w, views, options);
    if (!w.error && !w.writer->error && fflush(out))
        w.writer->error = errno ? errno : EIO;
    if (!w.error && w.writer->error)
        w.error = grosr_fail(w.writer->error, "cannot write the output: %s", strerror(w.writer->error));
    for (int i = 0; i < GROSR_EXPORT_VIEWS; i++)
        sqlite3_finalize(views[i].rows);
    sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    grosr_export_tracks_free(w.tracks);
    if (w.writer)
        w.writer->calls->free(w.writer);
    free(w.batch.flow);
    free(w.worker);
    return w.error;
}
