/* What a trace says, for tests. */
#ifndef GROSR_ASK_H
#define GROSR_ASK_H

#include "../tracer/base/error.h"
#include "../tracer/store/store.h"

#include <stdio.h>

/* One integer of a query on the trace at `path`; NULL is -1, a failure INT64_MIN. */
static inline int64_t ask_trace(const char *path, const char *sql)
{
    sqlite3 *db;
    sqlite3_stmt *q;
    int64_t value = INT64_MIN;

    if (grosr_store_open_read(&db, path)) {
        printf("# %s\n", grosr_error());
        return value;
    }
    if (sqlite3_prepare_v2(db, sql, -1, &q, NULL) == SQLITE_OK && sqlite3_step(q) == SQLITE_ROW)
        value = sqlite3_column_type(q, 0) == SQLITE_NULL ? -1 : sqlite3_column_int64(q, 0);
    else
        printf("# %s\n", sqlite3_errmsg(db));
    sqlite3_finalize(q);
    sqlite3_close(db);
    return value;
}

#endif
