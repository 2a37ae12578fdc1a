/*
 * Opening trace files for reading (store.h, store_read.h). The file is never changed; temporary tables and
 * views of the connection make a file of an older version look like one of the current version.
 *
 * A file may come from anybody, and a database brings SQL of its own. None of it runs unless the user asks
 * for it by name: temporary views hide those of the file, and what they read must be tables, with the current
 * version's keys and no computed columns. So the cost of a query of ours is bounded by the number of rows,
 * and a join by key finds one row at most. SQLite is configured to trust neither the schema nor the pages.
 */
#include "store_read.h"

#include "../base/error.h"
#include "../base/sqlite_error.h"
#include "store.h"
#include "../../schema/schema.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

int grosr_sqlite_open(const char *path, sqlite3 **db, int flags)
{
    int code = sqlite3_open_v2(path, db, flags | SQLITE_OPEN_NOMUTEX, NULL);

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

/* A path as a URI: what means something there is escaped. NULL: no memory. */
static char *immutable_uri(const char *path)
{
    sqlite3_str *uri = sqlite3_str_new(NULL);

    /* An authority comes before a path from the root: an empty one, or "//x" would be taken for it. */
    sqlite3_str_appendall(uri, *path == '/' ? "file://" : "file:");
    for (const char *c = path; *c; c++)
        sqlite3_str_appendf(uri, strchr("%?#", *c) ? "%%%02x" : "%c", *c);
    sqlite3_str_appendall(uri, "?immutable=1");
    return sqlite3_str_finish(uri);
}

/* A file in WAL mode whose folder cannot be written opens only as immutable. */
static int open_immutable(sqlite3 **db, const char *path)
{
    char *uri = immutable_uri(path);
    sqlite3_close(*db);
    *db = NULL;
    int code = uri ? grosr_sqlite_open(uri, db, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI) : SQLITE_NOMEM;
    sqlite3_free(uri);
    return code;
}

/* ---- files are not trusted ---- */

#define HEAP_MAX  (INT64_C(1) << 30) /* bytes of SQLite's heap in this process; sorting uses the disk */
#define VALUE_MAX (64 << 20)         /* bytes of a text, a blob or a row; chunks have 1 MiB at most */
#define STEPS_MAX (1 << 20)          /* of a statement's program; our longest has a few thousand */
#define KEY_BYTES 128

/* To be called before anything of the file is read. Returns an SQLite code. */
static int harden(sqlite3 *db)
{
    sqlite3_hard_heap_limit64(HEAP_MAX);
    sqlite3_limit(db, SQLITE_LIMIT_LENGTH, VALUE_MAX);
    sqlite3_limit(db, SQLITE_LIMIT_VDBE_OP, STEPS_MAX);
    sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 0);
    sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0, NULL);
    return sqlite3_exec(db, "PRAGMA cell_size_check = ON; PRAGMA mmap_size = 0", NULL, NULL, NULL);
}

/* Prepares a statement with a table's name in it: `sql` has one %w. */
static int prepare_about(sqlite3 *db, const char *sql, const char *table, sqlite3_stmt **statement)
{
    char *text = sqlite3_mprintf(sql, table);
    int code = text ? sqlite3_prepare_v2(db, text, -1, statement, NULL) : SQLITE_NOMEM;

    sqlite3_free(text);
    return code;
}

/*
 * The columns of a table's key, as text; "" for none. SQLITE_CORRUPT: it has computed columns. Read by
 * PRAGMA, since a table of the file may have the name of the table-valued function that returns the same.
 */
static int key_of(sqlite3 *db, const char *table, char key[KEY_BYTES])
{
    sqlite3_stmt *column = NULL;
    int code = prepare_about(db, "PRAGMA main.table_xinfo(\"%w\")", table, &column), step = SQLITE_DONE;
    size_t used = 0;

    *key = 0;
    while (code == SQLITE_OK && (step = sqlite3_step(column)) == SQLITE_ROW) {
        int place = sqlite3_column_int(column, 5);
        if (sqlite3_column_int(column, 6)) /* "hidden" */
            code = SQLITE_CORRUPT;
        else if (place && used < KEY_BYTES)
            used += (size_t)snprintf(key + used, KEY_BYTES - used, "%d %s\n", place,
                                     (const char *)sqlite3_column_text(column, 1));
    }
    sqlite3_finalize(column);
    return code == SQLITE_OK && step != SQLITE_DONE ? step : code;
}

/*
 * Checks that what the file has under a table's name is a table, with the current version's key.
 * SQLITE_CORRUPT: it is not.
 */
static int check_table(sqlite3 *db, sqlite3 *current, const char *table)
{
    char key[KEY_BYTES], wanted[KEY_BYTES];
    sqlite3_stmt *it = NULL;
    bool there = false;
    int code = sqlite3_prepare_v2(db,
                                  "SELECT type = 'table' AND rootpage > 0 FROM main.sqlite_schema"
                                  " WHERE name = ? COLLATE NOCASE AND type IN ('table', 'view')",
                                  -1, &it, NULL);

    if (code == SQLITE_OK)
        code = sqlite3_bind_text(it, 1, table, -1, SQLITE_STATIC);
    while (code == SQLITE_OK && (code = sqlite3_step(it)) == SQLITE_ROW) {
        there = true;
        code = sqlite3_column_int(it, 0) ? SQLITE_OK : SQLITE_CORRUPT; /* a view, or a virtual table */
    }
    sqlite3_finalize(it);
    if (code != SQLITE_DONE || !there)
        return code == SQLITE_DONE ? SQLITE_OK : code;
    code = key_of(db, table, key);
    if (code == SQLITE_OK)
        code = key_of(current, table, wanted);
    return code == SQLITE_OK && strcmp(key, wanted) != 0 ? SQLITE_CORRUPT : code;
}

/* ---- older versions ---- */

/* Columns whose numbers had another meaning before a version. */
static const struct {
    const char *table, *column, *now;
    int before;
} changed[] = {
    /* They were CUPTI's numbers (ENUM_CUDA_MEM_KIND in nsight.sql). */
    {"CUPTI_ACTIVITY_KIND_MEMCPY", "srcKind", "(srcKind + 7) % 8", 5},
    {"CUPTI_ACTIVITY_KIND_MEMCPY", "dstKind", "(dstKind + 7) % 8", 5},
    {"CUPTI_ACTIVITY_KIND_MEMSET", "memKind", "(memKind + 7) % 8", 5},
};

/* What a column of a file of `version` has now; NULL: what it had. */
static const char *changed_to(const char *table, const char *column, int version)
{
    for (size_t i = 0; i < sizeof(changed) / sizeof(changed[0]); i++)
        if (version < changed[i].before && !strcmp(table, changed[i].table) &&
            !strcmp(column, changed[i].column))
            return changed[i].now;
    return NULL;
}

/* Before version 5 a process's devices were rows of TARGET_INFO_GPU; an SQLite code. */
static int adapt_devices(sqlite3 *db)
{
    if (sqlite3_table_column_metadata(db, "main", "TARGET_INFO_GPU", "globalPid", NULL, NULL, NULL, NULL,
                                      NULL) != SQLITE_OK ||
        sqlite3_table_column_metadata(db, "main", "TARGET_INFO_CUDA_DEVICE", NULL, NULL, NULL, NULL, NULL,
                                      NULL) == SQLITE_OK)
        return SQLITE_OK;
    return sqlite3_exec(
        db,
        "INSERT INTO temp.TARGET_INFO_CUDA_DEVICE SELECT id, id, globalPid >> 24, uuid, smCount"
        " FROM main.TARGET_INFO_GPU WHERE id IS NOT NULL AND globalPid IS NOT NULL",
        NULL, NULL, NULL);
}

/*
 * Makes the table `name` of an older file look like the current version's, which `create` creates in
 * `current`. If the file does not have it, by an empty temporary table; if it lacks columns, by a temporary
 * view that hides it and adds them with their defaults. Versions only ever add, but for `changed`, and for
 * columns that nobody reads any more.
 */
static int adapt_table(sqlite3 *db, sqlite3 *current, const char *name, const char *create, int version)
{
    sqlite3_stmt *column = NULL;
    sqlite3_str *sql = sqlite3_str_new(db);
    int known = 0, added = 0, code; /* `added`: changed ones too */

    sqlite3_str_appendf(sql, "CREATE TEMP VIEW \"%w\" AS SELECT ", name);
    code = sqlite3_prepare_v2(current, "SELECT name, coalesce(dflt_value, 'NULL') FROM pragma_table_info(?)",
                              -1, &column, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_bind_text(column, 1, name, -1, SQLITE_STATIC);
    while (code == SQLITE_OK && sqlite3_step(column) == SQLITE_ROW) {
        const char *text = (const char *)sqlite3_column_text(column, 0);
        bool there =
            sqlite3_table_column_metadata(db, "main", name, text, NULL, NULL, NULL, NULL, NULL) == SQLITE_OK;
        if (known + added)
            sqlite3_str_appendall(sql, ", ");
        const char *value =
            there ? changed_to(name, text, version) : (const char *)sqlite3_column_text(column, 1);
        if (value)
            sqlite3_str_appendf(sql, "%s AS ", value);
        sqlite3_str_appendf(sql, "\"%w\"", text);
        known += there;
        added += value != NULL;
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

/*
 * Checks the tables, adapts those that an older grosr made, and hides the file's views by the current ones.
 * `damaged`: which table is not what it should be.
 */
static int check_schema(sqlite3 *db, int version, char damaged[KEY_BYTES])
{
    sqlite3 *current = NULL;
    sqlite3_stmt *table = NULL;
    int code = sqlite3_open(":memory:", &current);

    if (code == SQLITE_OK)
        code = sqlite3_exec(current, grosr_sql_tables, NULL, NULL, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_prepare_v2(current, "SELECT name, sql FROM sqlite_schema WHERE type = 'table'", -1,
                                  &table, NULL);
    while (code == SQLITE_OK && sqlite3_step(table) == SQLITE_ROW) {
        const char *name = (const char *)sqlite3_column_text(table, 0);
        code = check_table(db, current, name);
        if (code == SQLITE_CORRUPT && sqlite3_errcode(db) != SQLITE_CORRUPT)
            snprintf(damaged, KEY_BYTES, "%s is not a table as it should be", name);
        if (code == SQLITE_OK) /* the current version's tables grow until it is released, too */
            code = adapt_table(db, current, name, (const char *)sqlite3_column_text(table, 1), version);
    }
    sqlite3_finalize(table);
    sqlite3_close(current);
    if (code == SQLITE_OK && version < 5)
        code = adapt_devices(db);
    return code == SQLITE_OK ? sqlite3_exec(db, grosr_sql_temp_views, NULL, NULL, NULL) : code;
}

int grosr_store_open_read(sqlite3 **db, const char *path)
{
    char damaged[KEY_BYTES] = "";
    int id = 0, version = 0, code;
    struct stat st;

    *db = NULL;
    if (access(path, R_OK) || stat(path, &st))
        return grosr_fail(errno, "cannot open %s: %s", path, strerror(errno));
    if (S_ISDIR(st.st_mode))
        return grosr_fail(EISDIR, "cannot open %s: %s", path, strerror(EISDIR));
    if (!S_ISREG(st.st_mode)) /* to open a FIFO, or read a terminal, would wait for somebody else */
        return grosr_fail(EPROTO, "%s is not a GROSR trace: it is no regular file", path);
    code = grosr_sqlite_open(path, db, SQLITE_OPEN_READONLY);
    if (code == SQLITE_OK)
        code = harden(*db);
    if (code == SQLITE_OK)
        code = read_pragma(*db, "PRAGMA application_id", &id);
    if (code == SQLITE_CANTOPEN ||
        code == SQLITE_READONLY) { /* a folder that is read only: SQLite returns either */
        code = open_immutable(db, path);
        if (code == SQLITE_OK)
            code = harden(*db);
        if (code == SQLITE_OK)
            code = read_pragma(*db, "PRAGMA application_id", &id);
    }
    if (code == SQLITE_OK)
        code = read_pragma(*db, "PRAGMA user_version", &version);
    if (code == SQLITE_OK && id == GROSR_APPLICATION_ID && version >= 1 && version <= GROSR_SCHEMA_VERSION)
        code = check_schema(*db, version, damaged);
    if (code != SQLITE_OK || id != GROSR_APPLICATION_ID) {
        int err =
            code == SQLITE_OK || code == SQLITE_NOTADB ? grosr_fail(EPROTO, "%s is not a GROSR trace", path)
            : (code & 0xff) == SQLITE_CORRUPT
                ? grosr_fail(EPROTO, "%s is damaged: %s", path, *damaged ? damaged : sqlite3_errmsg(*db))
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
