/*
 * The trace file (store.h): adding rows to it and closing it; store_create.c makes it. One transaction is
 * always open; the first write error is kept and ends all writing.
 */
#include "store_parts.h"

#include "chunk.h"
#include "../base/error.h"
#include "store_read.h"
#include "../summary/summary.h"
#include "../../schema/schema.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

int store_failed(struct grosr_store *s)
{
    if (!s->error) {
        int code = sqlite3_extended_errcode(s->db), system = sqlite3_system_errno(s->db);
        /*
         * A file-size limit and a quota are, to the user, a full disk; SQLite does not always keep the errno.
         */
        if (code == SQLITE_IOERR_WRITE &&
            (system == 0 || system == EFBIG || system == ENOSPC || system == EDQUOT))
            code = SQLITE_FULL;
        s->error = grosr_sqlite_errno(code);
        grosr_fail(s->error, "cannot write %s: %s", s->path,
                   s->error == ENOSPC ? "the disk is full" : sqlite3_errmsg(s->db));
        sqlite3_exec(s->db, "ROLLBACK", NULL, NULL, NULL);
    }
    return -s->error;
}

int store_sql(struct grosr_store *s, const char *sql)
{
    if (s->error)
        return -s->error;
    return sqlite3_exec(s->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : store_failed(s);
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
    return sqlite3_prepare_v3(s->db, sql, -1, SQLITE_PREPARE_PERSISTENT, statement, NULL) == SQLITE_OK
               ? 0
               : store_failed(s);
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

/* Writes the rows that a table has pending. */
static int flush_table(struct grosr_store *s, enum grosr_table table)
{
    return grosr_pending_flush(&s->table[table]) == SQLITE_OK ? 0 : store_failed(s);
}

int grosr_store_row(struct grosr_store *s, enum grosr_table table, const int64_t *values)
{
    struct grosr_pending *t = &s->table[table];

    if (s->error)
        return -s->error;
    memcpy(&t->values[t->rows * t->columns], values, (size_t)t->columns * sizeof(*values));
    return ++t->rows == GROSR_PENDING_ROWS ? flush_table(s, table) : 0;
}

int grosr_store_loss(struct grosr_store *s, uint32_t ring, uint64_t position, int64_t time, uint64_t count,
                     const char *reason)
{
    if (s->error)
        return -s->error;
    sqlite3_bind_int64(s->loss, 1, ring);
    sqlite3_bind_int64(s->loss, 2, (int64_t)position);
    store_bind(s->loss, 3, time);
    sqlite3_bind_int64(s->loss, 4, (int64_t)count);
    sqlite3_bind_text(s->loss, 5, reason, -1, SQLITE_STATIC);
    return store_step(s, s->loss);
}

int grosr_store_note(struct grosr_store *s, int64_t time, int64_t session, const char *topic,
                     size_t topic_bytes, const char *text, size_t text_bytes)
{
    sqlite3_stmt *statement;
    int err =
        store_prepare(s, "INSERT INTO GROSR_NOTE (time, session, topic, text) VALUES (?,?,?,?)", &statement);

    if (err)
        return err;
    sqlite3_bind_int64(statement, 1, time);
    sqlite3_bind_int64(statement, 2, session);
    sqlite3_bind_text(statement, 3, topic, (int)topic_bytes, SQLITE_STATIC);
    sqlite3_bind_text(statement, 4, text, (int)text_bytes, SQLITE_STATIC);
    err = store_step(s, statement);
    sqlite3_finalize(statement);
    return err;
}

int grosr_store_name(struct grosr_store *s, int64_t name, int64_t session, const char *text, const char *unit)
{
    int64_t ints[] = {name, session};
    const char *texts[] = {text, unit};
    return store_once(
        s, "INSERT OR IGNORE INTO GROSR_NAME (name, session, text, unit) VALUES (?,?,?,nullif(?, ''))", ints,
        2, texts, 2);
}

int grosr_store_put_chunk(struct grosr_store *s, uint32_t ring, uint64_t first, uint64_t drained_ns,
                          const struct grosr_pair *records, uint32_t count)
{
    if (s->error)
        return -s->error;
    size_t bytes = records ? grosr_chunk_encode(records, count, s->room) : 0;
    sqlite3_bind_int64(s->put_chunk, 1, ring);
    sqlite3_bind_int64(s->put_chunk, 2, (int64_t)first);
    sqlite3_bind_int64(s->put_chunk, 3, count);
    sqlite3_bind_int64(s->put_chunk, 4, (int64_t)drained_ns);
    sqlite3_bind_blob(s->put_chunk, 5, s->room, (int)bytes, SQLITE_STATIC);
    s->chunk_events += records ? count : 0;
    s->chunk_bytes += bytes;
    return store_step(s, s->put_chunk);
}

/* The records of a row of first_chunk. */
static int unpack(struct grosr_store *s, struct grosr_pair **records, uint32_t *count)
{
    int64_t n = sqlite3_column_int64(s->first_chunk, 3);
    size_t size = (size_t)sqlite3_column_bytes(s->first_chunk, 5);
    const void *bytes = sqlite3_column_blob(s->first_chunk, 5);

    if (n < 1 || n > GROSR_CHUNK_EVENTS_MAX)
        return grosr_fail(EIO, "%s: a chunk has %lld events", s->path, (long long)n);
    *count = (uint32_t)n;
    if (size == 0)
        return 0;
    *records = (struct grosr_pair *)malloc(*count * sizeof(**records));
    if (!*records)
        return grosr_fail(ENOMEM, "out of memory for %u events", *count);
    if (!bytes || grosr_chunk_decode(bytes, size, *records, *count))
        return grosr_fail(EIO, "%s: chunk %lld is damaged", s->path,
                          (long long)sqlite3_column_int64(s->first_chunk, 0));
    return 0;
}

int grosr_store_take_chunk(struct grosr_store *s, uint32_t *ring, uint64_t *first, uint64_t *drained_ns,
                           struct grosr_pair **records, uint32_t *count)
{
    int code, err = 0;

    *count = 0;
    *records = NULL;
    if (s->error)
        return -s->error;
    code = sqlite3_step(s->first_chunk);
    if (code == SQLITE_ROW) {
        sqlite3_bind_int64(s->drop_chunk, 1, sqlite3_column_int64(s->first_chunk, 0));
        *ring = (uint32_t)sqlite3_column_int64(s->first_chunk, 1);
        *first = (uint64_t)sqlite3_column_int64(s->first_chunk, 2);
        *drained_ns = (uint64_t)sqlite3_column_int64(s->first_chunk, 4);
        err = unpack(s, records, count);
    } else if (code != SQLITE_DONE) {
        err = store_failed(s);
    }
    sqlite3_reset(s->first_chunk);
    if (!err && code == SQLITE_ROW)
        err = store_step(s, s->drop_chunk);
    if (err) {
        free(*records);
        *records = NULL;
        *count = 0;
    }
    return err;
}

int grosr_store_oldest_chunk(struct grosr_store *s, uint64_t *drained_ns)
{
    int code, err;

    if (s->error)
        return -s->error;
    code = sqlite3_step(s->oldest_chunk);
    *drained_ns = code == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(s->oldest_chunk, 0) : UINT64_MAX;
    err = code == SQLITE_ROW || code == SQLITE_DONE ? 0 : store_failed(s);
    sqlite3_reset(s->oldest_chunk);
    return err;
}

/* The statement kept for `sql`, by its address; prepared if there is none yet. */
static int keep(struct grosr_store *s, const char *sql, sqlite3_stmt **statement)
{
    for (int i = 0; i < STORE_STATEMENTS; i++) {
        if (!s->kept[i].sql) {
            int err = store_prepare(s, sql, &s->kept[i].statement);
            if (err)
                return err;
            s->kept[i].sql = sql;
        }
        if (s->kept[i].sql == sql) {
            *statement = s->kept[i].statement;
            return 0;
        }
    }
    return grosr_fail(ENOMEM, "more than %d kinds of statements", STORE_STATEMENTS);
}

int grosr_store_execute(struct grosr_store *s, const char *sql, const struct grosr_value *values,
                        uint32_t count, int64_t *row)
{
    sqlite3_stmt *statement = NULL;
    int err = s->error ? -s->error : keep(s, sql, &statement);

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

int grosr_store_string(struct grosr_store *s, const char *text, size_t bytes, int64_t *id)
{
    static const char sql[] = "INSERT INTO StringIds (id, value) VALUES (?, ?)";
    bool added;
    int err = grosr_intern(&s->strings, text, bytes, id, &added);

    if (err || !added)
        return err;
    const struct grosr_value values[] = {{.type = GROSR_VALUE_INTEGER, .integer = *id},
                                         {.type = GROSR_VALUE_TEXT, .integer = (int64_t)bytes, .text = text}};
    return grosr_store_execute(s, sql, values, 2, NULL);
}

/* What putting events aside has taken, so that a reader can tell how well they pack. */
static int write_chunk_books(struct grosr_store *s)
{
    static const char sql[] = "INSERT OR REPLACE INTO GROSR_META (key, value) VALUES ('chunk_events', ?1),"
                              " ('chunk_raw_bytes', ?2), ('chunk_bytes', ?3)";
    const uint64_t numbers[] = {s->chunk_events, s->chunk_events * sizeof(struct grosr_pair), s->chunk_bytes};
    struct grosr_value values[3];

    for (int i = 0; i < 3; i++)
        values[i] = (struct grosr_value){.type = GROSR_VALUE_INTEGER, .integer = (int64_t)numbers[i]};
    return grosr_store_execute(s, sql, values, 3, NULL);
}

int grosr_store_commit(struct grosr_store *s)
{
    int err = s->error ? -s->error : write_chunk_books(s);

    for (int i = 0; !err && i < GROSR_TABLES; i++)
        err = flush_table(s, (enum grosr_table)i);
    return err ? err : store_sql(s, "COMMIT; BEGIN");
}

int grosr_store_clock_error(struct grosr_store *s, uint64_t bound_ns)
{
    int64_t bound = (int64_t)bound_ns;
    return store_once(s,
                      "INSERT INTO GROSR_META VALUES ('clock_error_ns', ?)"
                      " ON CONFLICT (key) DO UPDATE SET value = max(value, excluded.value)",
                      &bound, 1, NULL, 0);
}

int grosr_store_end_session(struct grosr_store *s, int64_t session, int64_t end, bool died, bool detached)
{
    int64_t ints[] = {end, died, detached, session};
    int err = store_once(s, "DELETE FROM GROSR_CHECKPOINT WHERE session = ?", &session, 1, NULL, 0);

    if (err)
        return err;
    return store_once(s, "UPDATE GROSR_SESSION SET end = ?, died = ?, detached = ? WHERE session = ?", ints,
                      4, NULL, 0);
}

/* Runs the statements of indexes.sql, one by one; `more` steps come after them. */
static int make_indexes(struct grosr_store *s, grosr_store_progress *progress, uint64_t more)
{
    const char *sql = grosr_sql_indexes;
    uint64_t done = 0, all = more;
    int err = 0;

    for (const char *at = sql; (at = strstr(at, "CREATE INDEX")) != NULL; at++)
        all++;
    while (!err && *sql) {
        sqlite3_stmt *statement;
        if (sqlite3_prepare_v2(s->db, sql, -1, &statement, &sql) != SQLITE_OK)
            return store_failed(s);
        if (!statement) /* white space and comments, at the end */
            break;
        if (progress)
            progress("making indexes", done++, all);
        err = store_step(s, statement);
        sqlite3_finalize(statement);
    }
    if (!err && progress)
        progress("making summaries", done, all);
    return err;
}

int grosr_store_finish(struct grosr_store *s, grosr_store_progress *progress)
{
    int err = grosr_store_commit(s);

    if (!err)
        err = make_indexes(s, progress, 1);
    if (!err && grosr_summary_store(s->db) != SQLITE_OK)
        err = store_failed(s);
    if (!err)
        err = store_sql(s, "PRAGMA analysis_limit=1000; ANALYZE");
    if (progress)
        progress("making summaries", 1, 1);
    if (!err)
        err = store_sql(s, "INSERT OR REPLACE INTO GROSR_META VALUES ('complete', 1)");
    if (!err)
        err = store_sql(s, "COMMIT");
    /* One plain file. A reader that has it open now keeps it in WAL mode, which does no harm. */
    if (!err)
        sqlite3_exec(s->db, "PRAGMA journal_mode=DELETE", NULL, NULL, NULL);
    return err;
}

void grosr_store_close(struct grosr_store *s)
{
    if (!s)
        return;
    for (int i = 0; i < GROSR_TABLES; i++)
        grosr_pending_close(&s->table[i]);
    sqlite3_finalize(s->loss);
    sqlite3_finalize(s->put_chunk);
    sqlite3_finalize(s->first_chunk);
    sqlite3_finalize(s->drop_chunk);
    sqlite3_finalize(s->oldest_chunk);
    store_close_window(s);
    for (int i = 0; i < STORE_STATEMENTS; i++)
        sqlite3_finalize(s->kept[i].statement);
    grosr_intern_free(&s->strings);
    if (s->error) { /* leave a word, if there is room for one */
        char *sql = sqlite3_mprintf("INSERT OR REPLACE INTO GROSR_META VALUES ('collector_error', %Q)",
                                    grosr_error());
        sqlite3_exec(s->db, sql, NULL, NULL, NULL);
        sqlite3_free(sql);
    }
    sqlite3_close(s->db);
    free(s->room);
    free(s->path);
    free(s);
}
