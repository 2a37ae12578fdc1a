/*
 * Asking a trace (trace_db_parts.h), and times.
 */
#include "trace_db_parts.h"

#include "../../schema/schema.h"
#include "../base/error.h"
#include "../base/sqlite_error.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

static const char *question_of(const char *name)
{
    const struct grosr_canned_query *q = grosr_diagnose_queries;

    while (strcmp(q->name, name) != 0)
        q++;
    return q->sql;
}

/* Appends a view of views.sql as a table expression, which reads the expressions that are there. */
static void append_view(sqlite3_str *sql, const char *name)
{
    char create[64];

    snprintf(create, sizeof(create), "CREATE VIEW %s AS\n", name);
    const char *view = strstr(grosr_sql_views, create) + strlen(create);
    sqlite3_str_appendf(sql, ",\n%s AS NOT MATERIALIZED (", name);
    sqlite3_str_append(sql, view, (int)strcspn(view, ";"));
    sqlite3_str_appendall(sql, ")");
}

static const char *behind_comments(const char *sql)
{
    while (!strncmp(sql, "--", 2))
        sql += strcspn(sql, "\n") + 1;
    return sql;
}

/*
 * The question about the tables as they were: names that are given in the statement hide the tables and
 * views. They are no subqueries of their own for SQLite, which uses the tables' indexes. NULL: no memory.
 */
static char *about_then(const char *question)
{
    sqlite3_str *sql = sqlite3_str_new(NULL);

    sqlite3_str_appendf(sql, "WITH\n%s", question_of("as_of"));
    append_view(sql, "tasks");
    append_view(sql, "waits");
    append_view(sql, "holds");
    const char *rest = behind_comments(question_of(question));
    if (!strncmp(rest, "WITH\n", strlen("WITH\n"))) { /* it has names of its own */
        sqlite3_str_appendall(sql, ",");
        rest += strlen("WITH");
    }
    sqlite3_str_appendf(sql, "\n%s", rest);
    return sqlite3_str_finish(sql);
}

static void ask(struct trace_session *s, const char *question, const char *sql, trace_row *function)
{
    sqlite3_stmt *row = NULL;
    int code;

    code = sql ? sqlite3_prepare_v2(s->db, sql, -1, &row, NULL) : SQLITE_NOMEM;
    if (code == SQLITE_OK && sqlite3_bind_parameter_count(row))
        code = sqlite3_bind_int64(row, 1, s->session);
    if (code == SQLITE_OK && sqlite3_bind_parameter_count(row) > 1) {
        sqlite3_bind_int64(row, 2, (int64_t)s->as_of - (int64_t)s->findings->threshold_ns);
        code = sqlite3_bind_int64(row, 3, (int64_t)s->as_of);
    }
    if (code == SQLITE_OK && sqlite3_bind_parameter_count(row) > 3)
        code = sqlite3_bind_int64(row, 4, s->uncompleted);
    while (code == SQLITE_OK && !s->error && (code = sqlite3_step(row)) == SQLITE_ROW) {
        function(s, row);
        code = SQLITE_OK;
    }
    if (!s->error && code != SQLITE_OK && code != SQLITE_DONE)
        s->error = grosr_fail(grosr_sqlite_db_errno(s->db), "cannot read the trace's %s: %s", question,
                              sqlite3_errmsg(s->db));
    sqlite3_finalize(row);
}

void trace_ask(struct trace_session *s, const char *question, trace_row *function)
{
    if (!s->error)
        ask(s, question, question_of(question), function);
}

void trace_ask_then(struct trace_session *s, const char *question, trace_row *function)
{
    char *sql = NULL;

    if (!s->at_stop || s->error) {
        trace_ask(s, question, function);
        return;
    }
    sql = about_then(question);
    ask(s, question, sql, function);
    sqlite3_free(sql);
}

uint64_t trace_time(sqlite3_stmt *row, int column)
{
    int64_t time = sqlite3_column_int64(row, column);

    return time > 0 ? (uint64_t)time : 0;
}

const char *trace_text(sqlite3_stmt *row, int column)
{
    const char *text = (const char *)sqlite3_column_text(row, column);

    return text ? text : "";
}

uint64_t trace_age_of(const struct trace_session *s, uint64_t since)
{
    return since < s->as_of ? s->as_of - since : 0;
}

/* Rows are ordered by worker. NULL: it has no row. */
struct trace_worker *trace_find_worker(struct trace_session *s, int64_t worker)
{
    uint32_t low = 0, high = s->workers;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (s->worker[middle].worker < worker)
            low = middle + 1;
        else
            high = middle;
    }
    return low < s->workers && s->worker[low].worker == worker ? &s->worker[low] : NULL;
}
