/*
 * Opening trace files (store.h, store_read.h): what is read is only looked at, and files of older versions
 * are seen as today's through temporary tables and views of the connection.
 */
#include "store_read.h"

#include "error.h"
#include "store.h"
#include "../schema/schema.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int grosr_sqlite_errno(int code)
{
    switch (code & 0xff) {
    case SQLITE_FULL:
        return ENOSPC;
    case SQLITE_NOMEM:
        return ENOMEM;
    case SQLITE_CANTOPEN:
    case SQLITE_PERM:
    case SQLITE_READONLY:
        return EACCES;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return EBUSY;
    default:
        return EIO;
    }
}

int grosr_sqlite_open(const char *path, sqlite3 **db, int flags)
{
    int code = sqlite3_open_v2(path, db, flags, NULL);

    if (code == SQLITE_OK)
        sqlite3_busy_timeout(*db, 10000);
    return code;
}

static int read_pragma(sqlite3 *db, const char *sql, int *value)
{
    sqlite3_stmt *statement;
    int code = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);

    if (code != SQLITE_OK)
        return code;
    code = sqlite3_step(statement);
    if (code == SQLITE_ROW)
        *value = sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    return code == SQLITE_ROW ? SQLITE_OK : code;
}

/* A file in WAL mode whose folder cannot be written opens only as immutable. */
static int open_immutable(sqlite3 **db, const char *path)
{
    char *uri = sqlite3_mprintf("file:%s?immutable=1", path);
    sqlite3_close(*db);
    int code = grosr_sqlite_open(uri, db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI);
    sqlite3_free(uri);
    return code;
}

/*
 * Today's table `name`, which is in `today` with the statement `create`, for a connection to an older file:
 * nothing if the file has it so, an empty temporary table if it has none of that name, and if it only lacks
 * columns a temporary view that hides it and has them too, with their defaults. Versions only ever add.
 */
static int modernise_table(sqlite3 *db, sqlite3 *today, const char *name, const char *create)
{
    sqlite3_stmt *column = NULL;
    sqlite3_str *sql = sqlite3_str_new(db);
    int known = 0, added = 0, code;

    sqlite3_str_appendf(sql, "CREATE TEMP VIEW \"%w\" AS SELECT ", name);
    code = sqlite3_prepare_v2(today, "SELECT name, coalesce(dflt_value, 'NULL') FROM pragma_table_info(?)",
                              -1, &column, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_bind_text(column, 1, name, -1, SQLITE_STATIC);
    while (code == SQLITE_OK && sqlite3_step(column) == SQLITE_ROW) {
        const char *text = (const char *)sqlite3_column_text(column, 0);
        bool there =
            sqlite3_table_column_metadata(db, "main", name, text, NULL, NULL, NULL, NULL, NULL) == SQLITE_OK;
        if (known + added)
            sqlite3_str_appendall(sql, ", ");
        if (!there)
            sqlite3_str_appendf(sql, "%s AS ", (const char *)sqlite3_column_text(column, 1));
        sqlite3_str_appendf(sql, "\"%w\"", text);
        known += there;
        added += !there;
    }
    sqlite3_finalize(column);
    sqlite3_str_appendf(sql, " FROM main.\"%w\"", name);
    char *view = sqlite3_str_finish(sql);
    char *table = sqlite3_mprintf("CREATE TEMP %s", create + strlen("CREATE "));
    if (code == SQLITE_OK && (!view || !table))
        code = SQLITE_NOMEM;
    if (code == SQLITE_OK && added)
        code = sqlite3_exec(db, known ? view : table, NULL, NULL, NULL);
    sqlite3_free(view);
    sqlite3_free(table);
    return code;
}

/* Makes a file of an older version look like one of today's to this connection; the file stays as it is. */
static int modernise(sqlite3 *db)
{
    sqlite3 *today = NULL;
    sqlite3_stmt *table = NULL;
    int code = sqlite3_open(":memory:", &today);

    if (code == SQLITE_OK)
        code = sqlite3_exec(today, grosr_sql_tables, NULL, NULL, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_prepare_v2(today, "SELECT name, sql FROM sqlite_schema WHERE type = 'table'", -1,
                                  &table, NULL);
    while (code == SQLITE_OK && sqlite3_step(table) == SQLITE_ROW)
        code = modernise_table(db, today, (const char *)sqlite3_column_text(table, 0),
                               (const char *)sqlite3_column_text(table, 1));
    sqlite3_finalize(table);
    sqlite3_close(today);
    return code == SQLITE_OK ? sqlite3_exec(db, grosr_sql_temp_views, NULL, NULL, NULL) : code;
}

int grosr_store_open_read(sqlite3 **db, const char *path)
{
    int id = 0, version = 0, code;
    struct stat st;

    *db = NULL;
    if (access(path, R_OK))
        return grosr_fail(errno, "cannot open %s: %s", path, strerror(errno));
    if (stat(path, &st) == 0 && S_ISDIR(st.st_mode))
        return grosr_fail(EISDIR, "cannot open %s: %s", path, strerror(EISDIR));
    code = grosr_sqlite_open(path, db, SQLITE_OPEN_READONLY);
    if (code == SQLITE_OK)
        code = read_pragma(*db, "PRAGMA application_id", &id);
    if (code == SQLITE_CANTOPEN && open_immutable(db, path) == SQLITE_OK)
        code = read_pragma(*db, "PRAGMA application_id", &id);
    if (code == SQLITE_OK)
        code = read_pragma(*db, "PRAGMA user_version", &version);
    if (code == SQLITE_OK && id == GROSR_APPLICATION_ID && version >= 1 && version < GROSR_SCHEMA_VERSION)
        code = modernise(*db);
    if (code != SQLITE_OK || id != GROSR_APPLICATION_ID) {
        int err = code == SQLITE_OK || code == SQLITE_NOTADB
                      ? grosr_fail(EPROTO, "%s is not a GROSR trace", path)
                  : code == SQLITE_CORRUPT
                      ? grosr_fail(EPROTO, "%s is damaged: %s", path, sqlite3_errmsg(*db))
                      : grosr_fail(grosr_sqlite_errno(code), "cannot read %s: %s", path, sqlite3_errmsg(*db));
        sqlite3_close(*db);
        *db = NULL;
        return err;
    }
    if (version < 1 || version > GROSR_SCHEMA_VERSION) {
        sqlite3_close(*db);
        *db = NULL;
        return grosr_fail(EPROTO, "%s has schema version %d, this grosr reads versions 1 to %d; %s", path,
                          version, GROSR_SCHEMA_VERSION,
                          version > GROSR_SCHEMA_VERSION ? "use a newer grosr" : "record it again");
    }
    return 0;
}
