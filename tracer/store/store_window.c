/*
 * Deleting rows that are too old (store.h). Rows are added nearly in order of time, so those that ended
 * before a time are among the rows that existed at that time. Marks of the last rowids at a few times bound
 * the search to these.
 */
#include "store_parts.h"

#include "../base/error.h"

#include <errno.h>
#include <stdlib.h>

#define MARKS 66u

/* Tables whose rows are added while recording, and the time at which a row ended; NULL: it has not. */
static const struct {
    const char *table, *ended;
} cut[] = {
    {"GROSR_QUEUE_SAMPLE", "time"},
    {"GROSR_COUNTER", "time"},
    {"GROSR_HEAP_SAMPLE", "time"},
    {"GROSR_HEAP_CLASS_SAMPLE", "time"},
    {"GROSR_CLOCK", "host_after"},
    {"GROSR_SYSCALL", "coalesce(end, replied, served)"},
    {"GROSR_PC_SAMPLE", "end"},
    {"GROSR_PC_FUNCTION", "end"},
    {"GROSR_PC_BIN", "end"},
    {"NVTX_EVENTS", "CASE eventType WHEN 34 THEN start ELSE end END"}, /* 34: a mark */
    {"CUPTI_ACTIVITY_KIND_KERNEL", "end"},
    {"CUPTI_ACTIVITY_KIND_MEMCPY", "end"},
    {"CUPTI_ACTIVITY_KIND_MEMSET", "end"},
    {"CUPTI_ACTIVITY_KIND_GRAPH_TRACE", "end"},
    {"CUPTI_ACTIVITY_KIND_SYNCHRONIZATION", "end"},
    {"CUPTI_ACTIVITY_KIND_RUNTIME", "end"},
};

enum { CUT_TABLES = sizeof(cut) / sizeof(cut[0]) };

/* The last rowid of each table at a time. */
struct mark {
    int64_t time;
    int64_t row[CUT_TABLES];
};

struct grosr_store_window {
    struct mark mark[MARKS]; /* oldest first, from `first` on */
    uint32_t first, count;
    sqlite3_stmt *last[CUT_TABLES], *drop[CUT_TABLES];
};

static int prepare(struct grosr_store *s, const char *format, int table, sqlite3_stmt **statement)
{
    char *sql = sqlite3_mprintf(format, cut[table].table, cut[table].ended);
    int err = sql ? store_prepare(s, sql, statement) : grosr_fail(ENOMEM, "out of memory");

    sqlite3_free(sql);
    return err;
}

static int open_window(struct grosr_store *s)
{
    int err = 0;

    s->window = (struct grosr_store_window *)calloc(1, sizeof(*s->window));
    if (!s->window)
        return grosr_fail(ENOMEM, "out of memory");
    for (int i = 0; !err && i < CUT_TABLES; i++) {
        err = prepare(s, "SELECT max(rowid) FROM \"%w\"", i, &s->window->last[i]);
        if (!err)
            err = prepare(s, "DELETE FROM \"%w\" WHERE rowid <= ?1 AND %s < ?2", i, &s->window->drop[i]);
    }
    return err;
}

void store_close_window(struct grosr_store *s)
{
    for (int i = 0; s->window && i < CUT_TABLES; i++) {
        sqlite3_finalize(s->window->last[i]);
        sqlite3_finalize(s->window->drop[i]);
    }
    free(s->window);
}

static int add_mark(struct grosr_store *s, int64_t now)
{
    struct grosr_store_window *w = s->window;
    struct mark *mark = &w->mark[(w->first + w->count) % MARKS];
    int err = 0;

    mark->time = now;
    for (int i = 0; !err && i < CUT_TABLES; i++) {
        if (sqlite3_step(w->last[i]) == SQLITE_ROW)
            mark->row[i] = sqlite3_column_int64(w->last[i], 0);
        else
            err = store_failed(s);
        sqlite3_reset(w->last[i]);
    }
    w->count += !err;
    return err;
}

/* Deletes the rows that existed at the mark and had ended before `from`. */
static int drop(struct grosr_store *s, const struct mark *mark, int64_t from)
{
    int err = 0;

    for (int i = 0; !err && i < CUT_TABLES; i++) {
        sqlite3_bind_int64(s->window->drop[i], 1, mark->row[i]);
        sqlite3_bind_int64(s->window->drop[i], 2, from);
        err = store_step(s, s->window->drop[i]);
    }
    return err;
}

int grosr_store_cut(struct grosr_store *s, int64_t from, int64_t now)
{
    const struct mark *past = NULL;
    int err = s->error ? -s->error : s->window ? 0 : open_window(s);
    struct grosr_store_window *w = s->window;

    while (!err && w->count && w->mark[w->first].time < from) {
        past = &w->mark[w->first];
        w->first = (w->first + 1) % MARKS;
        w->count--;
    }
    if (past)
        err = drop(s, past, from);
    /* Marks divide the window that is kept into equal parts, so that there is always room for them. */
    if (!err && w->count < MARKS &&
        (!w->count || now - w->mark[(w->first + w->count - 1) % MARKS].time >= (now - from) / (MARKS - 2)))
        err = add_mark(s, now);
    return err;
}

int grosr_store_cut_all(struct grosr_store *s, int64_t from, uint64_t events)
{
    int64_t values[] = {from, (int64_t)events};
    struct mark every;
    int err = s->error ? -s->error : s->window ? 0 : open_window(s);

    for (int i = 0; i < CUT_TABLES; i++)
        every.row[i] = INT64_MAX;
    if (!err)
        err = drop(s, &every, from);
    return err ? err
               : store_once(s,
                            "INSERT OR REPLACE INTO GROSR_META VALUES ('kept_from', ?1), ('cut_events', ?2)",
                            values, 2, NULL, 0);
}
