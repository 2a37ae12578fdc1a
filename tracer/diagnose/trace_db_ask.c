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

void trace_ask(struct trace_session *s, const char *question, trace_row *function)
{
    sqlite3_stmt *row = NULL;
    int code;

    if (s->error)
        return;
    code = sqlite3_prepare_v2(s->db, question_of(question), -1, &row, NULL);
    if (code == SQLITE_OK && sqlite3_bind_parameter_count(row))
        code = sqlite3_bind_int64(row, 1, s->session);
    if (code == SQLITE_OK && sqlite3_bind_parameter_count(row) > 1) {
        sqlite3_bind_int64(row, 2, (int64_t)s->as_of - (int64_t)s->findings->threshold_ns);
        code = sqlite3_bind_int64(row, 3, (int64_t)s->as_of);
    }
    while (code == SQLITE_OK && !s->error && (code = sqlite3_step(row)) == SQLITE_ROW) {
        function(s, row);
        code = SQLITE_OK;
    }
    if (!s->error && code != SQLITE_OK && code != SQLITE_DONE)
        s->error = grosr_fail(grosr_sqlite_db_errno(s->db), "cannot read the trace's %s: %s", question,
                              sqlite3_errmsg(s->db));
    sqlite3_finalize(row);
}

uint64_t trace_time(sqlite3_stmt *row, int column)
{
    int64_t time = sqlite3_column_int64(row, column);

    return time > 0 ? (uint64_t)time : 0;
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
