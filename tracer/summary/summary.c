/*
 * Summaries (summary.h): each table is read and its durations are counted (durations.h), which then become
 * the rows of GROSR_DURATION. Memory is bounded by what is told apart (functions, SMs, workers, time bins,
 * names), not by the number of rows.
 *
 * The order in which rows are asked for is that of the indexes that exist by then (schema/indexes.sql); a
 * trace without them is sorted by SQLite.
 */
#include "summary.h"

#include "../store/store.h"
#include "summary_parts.h"
#include "../../schema/schema.h"

#include <stdlib.h>
#include <string.h>

#define BINS_MAX   100   /* time bins, but for one more that rounding can take */
#define PLACES_MAX 16384 /* SMs; of more, which no machine has, all are as the last */
#define TIME_MAX   (INT64_C(1) << 60)

static const char *const summary_tables[] = {"GROSR_TIME_BIN",     "GROSR_DURATION",   "GROSR_SM_BUSY",
                                             "GROSR_TASK_SLOWEST", "GROSR_TASK_CHAIN", "GROSR_RANGE_TEXT"};
enum { SUMMARY_TABLES = sizeof(summary_tables) / sizeof(*summary_tables) };

/* Those that need no more than one query: what, which, duration, part. */
static const struct plain {
    const char *measure, *columns, *from;
} plain[] = {
    {"wait", "resource, \"index\", end - start, worker IS NULL", "GROSR_WAIT"},
    {"hold", "resource, \"index\", end - start, 0", "GROSR_HOLD"},
    {"range", "r.name, w.sm, r.end - r.start, 0", "GROSR_RANGE r LEFT JOIN GROSR_WORKER w USING (worker)"},
    {"api", "nameId, eventClass, end - start, coalesce(returnValue, 0) <> 0", "CUPTI_ACTIVITY_KIND_RUNTIME"},
    {"copy", "copyKind, globalPid | deviceId, end - start, bytes", "CUPTI_ACTIVITY_KIND_MEMCPY"},
    {"set", "coalesce(memKind, -1), globalPid | deviceId, end - start, bytes", "CUPTI_ACTIVITY_KIND_MEMSET"},
};

bool grosr_summary_table(const char *name)
{
    for (int i = 0; name && i < SUMMARY_TABLES; i++)
        if (strcmp(name, summary_tables[i]) == 0)
            return true;
    return false;
}

/* ---- small parts ---- */

bool summary_failed(struct summary *s, int code)
{
    if (!s->code && code != SQLITE_OK && code != SQLITE_ROW && code != SQLITE_DONE)
        s->code = code;
    return s->code != SQLITE_OK;
}

sqlite3_stmt *summary_prepare(struct summary *s, const char *sql)
{
    sqlite3_stmt *statement = NULL;

    if (!s->code)
        summary_failed(s, sqlite3_prepare_v2(s->db, sql, -1, &statement, NULL));
    return statement;
}

bool summary_row(struct summary *s, sqlite3_stmt *statement)
{
    if (s->code || !statement)
        return false;
    int code = sqlite3_step(statement);
    return !summary_failed(s, code) && code == SQLITE_ROW;
}

int64_t summary_cell(sqlite3_stmt *statement, int column)
{
    return sqlite3_column_type(statement, column) == SQLITE_NULL ? GROSR_NULL
                                                                 : sqlite3_column_int64(statement, column);
}

int64_t summary_near(int64_t time)
{
    if (time == GROSR_NULL)
        return time;
    return time < -TIME_MAX ? -TIME_MAX : time > TIME_MAX ? TIME_MAX : time;
}

int64_t summary_time(sqlite3_stmt *statement, int column)
{
    return summary_near(summary_cell(statement, column));
}

struct each {
    void (*row)(void *arg, const int64_t *cells);
    void *arg;
};

/* An aggregate function of SQL that calls back for each row. */
static void each_step(sqlite3_context *context, int n, sqlite3_value **value)
{
    const struct each *each = (const struct each *)sqlite3_user_data(context);
    int64_t cells[SUMMARY_COLUMNS];

    for (int i = 0; i < n && i < SUMMARY_COLUMNS; i++)
        cells[i] = sqlite3_value_type(value[i]) == SQLITE_NULL ? GROSR_NULL : sqlite3_value_int64(value[i]);
    each->row(each->arg, cells);
}

static void each_final(sqlite3_context *context)
{
    sqlite3_result_null(context);
}

void summary_each(struct summary *s, const char *columns, const char *from,
                  void (*row)(void *arg, const int64_t *cells), void *arg)
{
    struct each each = {row, arg};
    char *sql = sqlite3_mprintf("SELECT grosr_each(%s) FROM %s", columns, from);

    if (!sql)
        summary_failed(s, SQLITE_NOMEM);
    if (!s->code)
        summary_failed(s, sqlite3_create_function_v2(s->db, "grosr_each", -1, SQLITE_UTF8 | SQLITE_DIRECTONLY,
                                                     &each, NULL, each_step, each_final, NULL));
    if (!s->code)
        summary_failed(s, sqlite3_exec(s->db, sql, NULL, NULL, NULL));
    /* Whatever became of it: it must not be called once `each` is gone. */
    sqlite3_create_function_v2(s->db, "grosr_each", -1, SQLITE_UTF8 | SQLITE_DIRECTONLY, NULL, NULL, NULL,
                               NULL, NULL);
    sqlite3_free(sql);
}

int64_t summary_difference(int64_t end, int64_t start)
{
    return end == GROSR_NULL || start == GROSR_NULL ? GROSR_NULL : (int64_t)((uint64_t)end - (uint64_t)start);
}

static int64_t number_of(int64_t value)
{
    return value == GROSR_NULL ? SUMMARY_UNKNOWN : value;
}

void summary_count(struct summary *s, const char *measure, int64_t what, int64_t which, int64_t ns,
                   int64_t part)
{
    if (!s->code && durations_count(&s->durations, measure, what, which, ns, part))
        s->code = SQLITE_NOMEM;
}

void summary_insert(struct summary *s, sqlite3_stmt *statement, const int64_t *values, int n)
{
    if (s->code || !statement)
        return;
    for (int i = 0; i < n; i++) {
        if (values[i] == GROSR_NULL)
            sqlite3_bind_null(statement, i + 1);
        else
            sqlite3_bind_int64(statement, i + 1, values[i]);
    }
    summary_failed(s, sqlite3_step(statement));
    sqlite3_reset(statement);
}

/* ---- workers and time bins ---- */

static int place_of(struct summary *s, int64_t session, int64_t sm)
{
    for (int i = s->n_places; i-- > 0;)
        if (s->places[i].sm == sm && s->places[i].session == session)
            return i;
    if (s->n_places == PLACES_MAX)
        return PLACES_MAX - 1;
    struct summary_place *more =
        (struct summary_place *)realloc(s->places, ((size_t)s->n_places + 1) * sizeof(*more));
    if (!more) {
        summary_failed(s, SQLITE_NOMEM);
        return 0;
    }
    s->places = more;
    more[s->n_places] = (struct summary_place){.session = session, .sm = sm};
    return s->n_places++;
}

static void read_workers(struct summary *s)
{
    sqlite3_stmt *q =
        summary_prepare(s, "SELECT worker, sm, w.start, coalesce(w.end, s.end), first_worker, session"
                           " FROM GROSR_WORKER w JOIN GROSR_SESSION s USING (session) ORDER BY worker");
    while (summary_row(s, q)) {
        struct summary_worker *more = s->workers;
        if ((s->n_workers & (s->n_workers - 1)) == 0)
            more = (struct summary_worker *)realloc(more, (s->n_workers ? 2 * (size_t)s->n_workers : 1) *
                                                              sizeof(*more));
        if (!more) {
            summary_failed(s, SQLITE_NOMEM);
            break;
        }
        s->workers = more;
        more[s->n_workers++] =
            (struct summary_worker){.worker = summary_cell(q, 0),
                                    .sm = number_of(summary_cell(q, 1)),
                                    .start = summary_time(q, 2),
                                    .end = summary_time(q, 3),
                                    .first_worker = summary_cell(q, 4),
                                    .place = place_of(s, summary_cell(q, 5), number_of(summary_cell(q, 1)))};
    }
    sqlite3_finalize(q);
}

/* They are mostly numbered without holes. */
const struct summary_worker *summary_worker(const struct summary *s, int64_t worker)
{
    int low = 0, high = s->n_workers;

    if (worker >= 0 && worker < high && s->workers[worker].worker == worker)
        return &s->workers[worker];
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (s->workers[middle].worker < worker)
            low = middle + 1;
        else
            high = middle;
    }
    return low < s->n_workers && s->workers[low].worker == worker ? &s->workers[low] : NULL;
}

/* From the first to the last that is known of workers and tasks, in steps of 1, 2 or 5 times a power of ten.
 */
static void make_bins(struct summary *s)
{
    static const int factors[] = {1, 2, 5};
    int64_t first = 0, last = 0, width = 1, unit = 1;
    sqlite3_stmt *q = summary_prepare(
        s, "WITH t AS (SELECT (SELECT min(start) FROM GROSR_TASK) AS first,"
           " (SELECT max(start) FROM GROSR_TASK) AS last"
           " UNION ALL SELECT min(start), max(coalesce(end, start)) FROM GROSR_WORKER"
           " UNION ALL SELECT NULL, max(end) FROM GROSR_SESSION)"
           " SELECT max(coalesce(min(first), 0), coalesce((SELECT CAST(value AS INTEGER)"
           " FROM GROSR_META WHERE key = 'kept_from'), coalesce(min(first), 0))), max(last) FROM t");
    bool some = summary_row(s, q) && summary_cell(q, 1) != GROSR_NULL;

    if (some) {
        first = summary_time(q, 0);
        last = summary_time(q, 1);
        if (first == GROSR_NULL) /* it is not NULL: a time that looks like it */
            first = -TIME_MAX;
    }
    sqlite3_finalize(q);
    if (!some || last < first || s->code)
        return;
    for (int i = 0; (last - first) / width >= BINS_MAX; i++) {
        if (i % 3 == 0 && i)
            unit *= 10;
        width = factors[i % 3] * unit;
    }
    s->bin_ns = width;
    s->bins_start = (first >= 0 ? first : first - width + 1) / width * width;
    s->bins = (int)((last - s->bins_start) / width) + 1;
    sqlite3_stmt *out = summary_prepare(s, "INSERT INTO GROSR_TIME_BIN VALUES (?,?,?)");
    for (int i = 0; i < s->bins; i++) {
        int64_t start = s->bins_start + i * width;
        summary_insert(s, out, (const int64_t[]){i, start, start + width}, 3);
    }
    sqlite3_finalize(out);
    for (int i = 0; i < s->n_places; i++) {
        s->places[i].life_ns = (int64_t *)calloc((size_t)s->bins, 2 * sizeof(int64_t));
        if (!s->places[i].life_ns) {
            summary_failed(s, SQLITE_NOMEM);
            return;
        }
        s->places[i].busy_ns = s->places[i].life_ns + s->bins;
    }
}

int64_t summary_time_bin(const struct summary *s, int64_t time)
{
    if (time == GROSR_NULL || !s->bins || time < s->bins_start)
        return SUMMARY_UNKNOWN;
    int64_t bin = (time - s->bins_start) / s->bin_ns;
    return bin < s->bins ? bin : SUMMARY_UNKNOWN;
}

void summary_spread(const struct summary *s, int64_t *bins, int64_t start, int64_t end)
{
    if (!bins || start == GROSR_NULL || end == GROSR_NULL)
        return;
    if (start < s->bins_start)
        start = s->bins_start;
    for (int64_t bin = (start - s->bins_start) / s->bin_ns; start < end && bin < s->bins; bin++) {
        int64_t border = s->bins_start + (bin + 1) * s->bin_ns;
        int64_t until = end < border ? end : border;
        bins[bin] = durations_sum(bins[bin], until - start);
        start = until;
    }
}

static void write_busy(struct summary *s)
{
    sqlite3_stmt *out = summary_prepare(s, "INSERT INTO GROSR_SM_BUSY VALUES (?,?,?,?,?)");

    for (int i = 0; i < s->n_workers; i++)
        summary_spread(s, s->places[s->workers[i].place].life_ns, s->workers[i].start, s->workers[i].end);
    for (int bin = 0; bin < s->bins; bin++) {
        for (int i = 0; i < s->n_places && !s->code; i++) {
            const struct summary_place *p = &s->places[i];
            if (p->life_ns[bin] || p->busy_ns[bin])
                summary_insert(
                    s, out, (const int64_t[]){bin, p->session, p->sm, p->life_ns[bin], p->busy_ns[bin]}, 5);
        }
    }
    sqlite3_finalize(out);
}

/* ---- all of it ---- */

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

    read_workers(&s);
    make_bins(&s);
    summary_tasks(&s);
    summary_cuda(&s);
    count_plain(&s);
    write_durations(&s);
    write_busy(&s);
    for (int i = 0; i < s.n_places; i++)
        free(s.places[i].life_ns);
    free(s.places);
    free(s.workers);
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

/* Whether the trace has summaries, or this connection has made some: a table of them is a temporary one then.
 */
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

/* An empty temporary table like the trace's, unless the trace is of a version without it and so has one
 * (store.c). */
static int make_table(sqlite3 *db, const char *name)
{
    sqlite3_stmt *q;
    char *sql = NULL;
    int code = sqlite3_prepare_v2(db, "SELECT sql FROM main.sqlite_schema WHERE name = ?", -1, &q, NULL);

    if (code != SQLITE_OK)
        return code;
    sqlite3_bind_text(q, 1, name, -1, SQLITE_STATIC);
    code = sqlite3_step(q);
    if (code == SQLITE_ROW) {
        sql = sqlite3_mprintf("CREATE TEMP %s", (const char *)sqlite3_column_text(q, 0) + strlen("CREATE "));
        code = sql ? SQLITE_DONE : SQLITE_NOMEM;
    }
    sqlite3_finalize(q);
    if (code != SQLITE_DONE)
        return code;
    code = sql ? sqlite3_exec(db, sql, NULL, NULL, NULL) : SQLITE_OK;
    sqlite3_free(sql);
    return code;
}

int grosr_summary_provide(sqlite3 *db)
{
    bool has = false;
    int code = has_summaries(db, &has);

    if (code != SQLITE_OK || has)
        return code;
    code = sqlite3_exec(db, "BEGIN; CREATE TEMP TABLE GROSR_SUMMARIES_MADE (x)", NULL, NULL, NULL);
    for (int i = 0; i < SUMMARY_TABLES && code == SQLITE_OK; i++)
        code = make_table(db, summary_tables[i]);
    if (code == SQLITE_OK)
        code = make(db);
    if (code == SQLITE_OK)
        return sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
    sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
    return code;
}
