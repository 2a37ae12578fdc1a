/*
 * Reading and writing for the summaries with one sticky error (summary_parts.h): after a failure statements
 * are NULL, there are no more rows, and nothing is written.
 */
#include "summary_parts.h"

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
    return time < -SUMMARY_TIME_MAX ? -SUMMARY_TIME_MAX : time > SUMMARY_TIME_MAX ? SUMMARY_TIME_MAX : time;
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
    /* Unregistered in any case: it must not be called once `each` is out of scope. */
    sqlite3_create_function_v2(s->db, "grosr_each", -1, SQLITE_UTF8 | SQLITE_DIRECTONLY, NULL, NULL, NULL,
                               NULL, NULL);
    sqlite3_free(sql);
}

int64_t summary_difference(int64_t end, int64_t start)
{
    return end == GROSR_NULL || start == GROSR_NULL ? GROSR_NULL : (int64_t)((uint64_t)end - (uint64_t)start);
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
