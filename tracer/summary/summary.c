/*
 * Summaries (summary.h): each table is read and its durations are counted (durations.h); the counts become
 * the rows of GROSR_DURATION. Memory is bounded by the number of functions, SMs, workers, time bins and
 * names, not by the number of rows.
 *
 * Rows are read in the order of the indexes that exist by then (schema/indexes.sql); without them SQLite
 * sorts.
 */
#include "summary.h"

#include "summary_parts.h"

#include "../../schema/schema.h"

#include <string.h>

static const char *const summary_tables[] = {"GROSR_TIME_BIN",     "GROSR_DURATION",   "GROSR_SM_BUSY",
                                             "GROSR_TASK_SLOWEST", "GROSR_TASK_CHAIN", "GROSR_RANGE_TEXT",
                                             "GROSR_ALLOCATION",   "GROSR_SLAB"};
enum { SUMMARY_TABLES = sizeof(summary_tables) / sizeof(*summary_tables) };

/* The measures that one query gives: what, which, duration, part. */
static const struct plain {
    const char *measure, *columns, *from;
} plain[] = {
    {"wait", "resource, \"index\", end - start, worker IS NULL", "GROSR_WAIT"},
    {"hold", "resource, \"index\", end - start, 0", "GROSR_HOLD"},
    {"range", "r.name, w.sm, r.end - r.start, 0", "GROSR_RANGE r LEFT JOIN GROSR_WORKER w USING (worker)"},
    {"api", "nameId, eventClass, end - start, coalesce(returnValue, 0) <> 0", "CUPTI_ACTIVITY_KIND_RUNTIME"},
    {"copy", "copyKind, globalPid | deviceId, end - start, bytes", "CUPTI_ACTIVITY_KIND_MEMCPY"},
    {"set", "coalesce(memKind, -1), globalPid | deviceId, end - start, bytes", "CUPTI_ACTIVITY_KIND_MEMSET"},
    {"graph", "coalesce(nameId, 0), globalPid | coalesce(deviceId, 0xffffff), end - start, 0",
     "CUPTI_ACTIVITY_KIND_GRAPH_TRACE"},
};

bool grosr_summary_table(const char *name)
{
    for (int i = 0; name && i < SUMMARY_TABLES; i++)
        if (strcmp(name, summary_tables[i]) == 0)
            return true;
    return false;
}

struct count {
    struct summary *summary;
    const char *measure;
};

static void count_row(void *arg, const int64_t *cells)
{
    const struct count *c = (const struct count *)arg;

    summary_count(c->summary, c->measure, cells[0], cells[1], cells[2], cells[3]);
}

static void count_plain(struct summary *s)
{
    for (const struct plain *p = plain; p < plain + sizeof(plain) / sizeof(*plain); p++)
        summary_each(s, p->columns, p->from, count_row, &(struct count){s, p->measure});
}

static void write_durations(struct summary *s)
{
    sqlite3_stmt *out = summary_prepare(s, "INSERT INTO GROSR_DURATION VALUES (?8,?1,?2,?3,?4,?5,?6,?7)");
    const struct duration *d = NULL;

    while (out && (d = durations_next(&s->durations, d)) != NULL && !s->code) {
        sqlite3_bind_text(out, 8, d->measure, -1, SQLITE_STATIC);
        summary_insert(
            s, out, (const int64_t[]){d->what, d->which, d->bin, d->n, d->total_ns, d->max_ns, d->part}, 7);
    }
    sqlite3_finalize(out);
}

static int make(sqlite3 *db)
{
    struct summary s = {.db = db};

    summary_read_workers(&s);
    summary_make_bins(&s);
    summary_tasks(&s);
    summary_cuda(&s);
    summary_heap(&s);
    count_plain(&s);
    write_durations(&s);
    summary_write_busy(&s);
    summary_free_bins(&s);
    durations_free(&s.durations);
    return s.code;
}

int grosr_summary_store(sqlite3 *db)
{
    int code = make(db);
    return code ? code
                : sqlite3_exec(db, "INSERT OR REPLACE INTO GROSR_META VALUES ('summaries', 1)", NULL, NULL,
                               NULL);
}

/* Whether the trace has summaries, or this connection has made temporary ones. */
static int has_summaries(sqlite3 *db, bool *has)
{
    sqlite3_stmt *q;
    int code = sqlite3_prepare_v2(db,
                                  "SELECT 1 FROM GROSR_META WHERE key = 'summaries' UNION ALL"
                                  " SELECT 1 FROM temp.sqlite_schema WHERE name = 'GROSR_SUMMARIES_MADE'",
                                  -1, &q, NULL);
    if (code != SQLITE_OK)
        return code;
    code = sqlite3_step(q);
    *has = code == SQLITE_ROW;
    sqlite3_finalize(q);
    return code == SQLITE_ROW || code == SQLITE_DONE ? SQLITE_OK : code;
}

/*
 * An empty temporary table as the current version has it. For a trace of an older version store_read.c may
 * have made one, or a view that adapts the trace's.
 */
static int make_table(sqlite3 *db, sqlite3 *current, const char *name)
{
    sqlite3_stmt *q = NULL;
    char *drop = sqlite3_mprintf("DROP VIEW IF EXISTS temp.\"%w\"", name), *create = NULL;
    int code = sqlite3_prepare_v2(current, "SELECT sql FROM sqlite_schema WHERE name = ?", -1, &q, NULL);

    if (code == SQLITE_OK)
        code = sqlite3_bind_text(q, 1, name, -1, SQLITE_STATIC);
    if (code == SQLITE_OK && sqlite3_step(q) == SQLITE_ROW)
        create = sqlite3_mprintf("CREATE TEMP TABLE IF NOT EXISTS %s",
                                 (const char *)sqlite3_column_text(q, 0) + strlen("CREATE TABLE "));
    sqlite3_finalize(q);
    if (code == SQLITE_OK && (!drop || !create))
        code = SQLITE_NOMEM;
    if (code == SQLITE_OK &&
        sqlite3_table_column_metadata(db, "temp", name, NULL, NULL, NULL, NULL, NULL, NULL) != SQLITE_OK)
        code = sqlite3_exec(db, drop, NULL, NULL, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_exec(db, create, NULL, NULL, NULL);
    sqlite3_free(drop);
    sqlite3_free(create);
    return code;
}

static int make_tables(sqlite3 *db)
{
    sqlite3 *current = NULL;
    int code = sqlite3_open(":memory:", &current);

    if (code == SQLITE_OK)
        code = sqlite3_exec(current, grosr_sql_tables, NULL, NULL, NULL);
    for (int i = 0; i < SUMMARY_TABLES && code == SQLITE_OK; i++)
        code = make_table(db, current, summary_tables[i]);
    sqlite3_close(current);
    return code;
}

int grosr_summary_provide(sqlite3 *db)
{
    bool has = false;
    int code = has_summaries(db, &has);

    if (code != SQLITE_OK || has)
        return code;
    code = sqlite3_exec(db, "BEGIN; CREATE TEMP TABLE GROSR_SUMMARIES_MADE (x)", NULL, NULL, NULL);
    if (code == SQLITE_OK)
        code = make_tables(db);
    if (code == SQLITE_OK)
        code = make(db);
    if (code == SQLITE_OK)
        return sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
    sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    return code;
}
