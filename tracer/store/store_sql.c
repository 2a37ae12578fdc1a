/*
 * Running the store's statements with one sticky error (store_parts.h): after the first failure the
 * transaction under way has been rolled back, and every later call returns the same error.
 */
#include "store_parts.h"

#include "../base/error.h"
#include "../base/sqlite_error.h"

#include <errno.h>
#include <stdio.h>

int store_give_up(struct grosr_store *s, int error, const char *why)
{
    if (s->error)
        return -s->error;
    s->error = error;
    if (s->last) {
        sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
        return -error;
    }
    grosr_fail(error, "cannot write %s: %s", s->path, why);
    snprintf(s->reason, sizeof(s->reason), "%s", grosr_error());
    sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    store_put_reason(s);
    return -error;
}

int store_failed(struct grosr_store *s)
{
    int error = grosr_sqlite_db_errno(s->db);
    bool full = sqlite3_errcode(s->db) == SQLITE_FULL;

    return store_give_up(s, error,
                         error != ENOSPC ? sqlite3_errmsg(s->db)
                         : full          ? "the disk is full"
                                         : "the disk is full, or a quota or a limit on the size of files is"
                                           " reached");
}

int store_check(struct grosr_store *s, int code)
{
    if (code == SQLITE_OK)
        return 0;
    if (code == SQLITE_NOMEM)
        return store_give_up(s, grosr_sqlite_errno(code), sqlite3_errstr(code));
    return store_failed(s);
}

int store_sql(struct grosr_store *s, const char *sql)
{
    if (s->error)
        return -s->error;
    return store_check(s, sqlite3_exec(s->db, sql, NULL, NULL, NULL));
}

int store_step(struct grosr_store *s, sqlite3_stmt *statement)
{
    int code = sqlite3_step(statement);
    sqlite3_reset(statement);
    return code == SQLITE_DONE || code == SQLITE_ROW ? 0 : store_failed(s);
}

int store_prepare(struct grosr_store *s, const char *sql, sqlite3_stmt **statement)
{
    if (s->error)
        return -s->error;
    return store_check(s, sqlite3_prepare_v3(s->db, sql, -1, SQLITE_PREPARE_PERSISTENT, statement, NULL));
}

void store_bind(sqlite3_stmt *statement, int column, int64_t value)
{
    if (value == GROSR_NULL)
        sqlite3_bind_null(statement, column);
    else
        sqlite3_bind_int64(statement, column, value);
}

int store_once(struct grosr_store *s, const char *sql, const int64_t *ints, int n_ints,
               const char *const *texts, int n_texts)
{
    sqlite3_stmt *statement;
    int err = store_prepare(s, sql, &statement);

    if (err)
        return err;
    for (int i = 0; i < n_ints; i++)
        store_bind(statement, i + 1, ints[i]);
    for (int i = 0; i < n_texts; i++)
        sqlite3_bind_text(statement, n_ints + i + 1, texts[i], -1, SQLITE_STATIC);
    err = store_step(s, statement);
    sqlite3_finalize(statement);
    return err;
}

int store_set_meta(struct grosr_store *s, const char *key, const char *value)
{
    const char *texts[] = {key, value};
    return store_once(s, "INSERT OR REPLACE INTO GROSR_META VALUES (?,?)", NULL, 0, texts, 2);
}

/* The cached statement of `sql`, by its address; prepared at the first use. */
static int cached(struct grosr_store *s, const char *sql, sqlite3_stmt **statement)
{
    for (int i = 0; i < STORE_STATEMENTS; i++) {
        if (!s->cache[i].sql) {
            int err = store_prepare(s, sql, &s->cache[i].statement);
            if (err)
                return err;
            s->cache[i].sql = sql;
        }
        if (s->cache[i].sql == sql) {
            *statement = s->cache[i].statement;
            return 0;
        }
    }
    return grosr_fail(ENOMEM, "more than %d kinds of statements", STORE_STATEMENTS);
}

int grosr_store_execute(struct grosr_store *s, const char *sql, const struct grosr_value *values,
                        uint32_t count, int64_t *row)
{
    sqlite3_stmt *statement = NULL;
    int err = s->error ? -s->error : cached(s, sql, &statement);

    if (err)
        return err;
    for (uint32_t i = 0; i < count; i++) {
        const struct grosr_value *v = &values[i];
        int column = (int)i + 1;
        if (v->type == GROSR_VALUE_INTEGER)
            sqlite3_bind_int64(statement, column, v->integer);
        else if (v->type == GROSR_VALUE_REAL)
            sqlite3_bind_double(statement, column, v->real);
        else if (v->type == GROSR_VALUE_TEXT)
            sqlite3_bind_text(statement, column, v->text, (int)v->integer, SQLITE_STATIC);
        else if (v->type == GROSR_VALUE_BLOB)
            sqlite3_bind_blob(statement, column, v->text, (int)v->integer, SQLITE_STATIC);
        else
            sqlite3_bind_null(statement, column);
    }
    err = store_step(s, statement);
    if (!err && row)
        *row = sqlite3_last_insert_rowid(s->db);
    return err;
}
