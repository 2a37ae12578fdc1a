/*
 * Failures of a walk, and small queries (export_walk.h).
 */
#include "export_walk.h"

#include "../base/error.h"
#include "../base/sqlite_error.h"

#include <errno.h>

void grosr_walk_no_memory(struct grosr_walk *w)
{
    if (!w->error)
        w->error = grosr_fail(ENOMEM, "out of memory");
}

void grosr_walk_sql_failed(struct grosr_walk *w)
{
    if (!w->error)
        w->error =
            grosr_fail(grosr_sqlite_db_errno(w->db), "cannot read the trace: %s", sqlite3_errmsg(w->db));
}

sqlite3_stmt *grosr_walk_ask(struct grosr_walk *w, const char *sql, int64_t x, int64_t y)
{
    sqlite3_stmt *statement = NULL;
    int step = SQLITE_ERROR;

    if (sqlite3_prepare_v2(w->db, sql, -1, &statement, NULL) == SQLITE_OK) {
        if (sqlite3_bind_parameter_count(statement) > 0)
            sqlite3_bind_int64(statement, 1, x);
        if (sqlite3_bind_parameter_count(statement) > 1)
            sqlite3_bind_int64(statement, 2, y);
        step = sqlite3_step(statement);
    }
    if (step == SQLITE_ROW)
        return statement;
    if (step != SQLITE_DONE)
        grosr_walk_sql_failed(w);
    sqlite3_finalize(statement);
    return NULL;
}
