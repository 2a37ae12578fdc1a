/*
 * The trace file (store.h): adding rows to it, committing, finishing and closing it; store_create.c makes it.
 * One transaction is always open.
 */
#include "store_parts.h"

#include "../base/error.h"
#include "../summary/summary.h"
#include "../../schema/schema.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Inserts the pending rows of a table. */
static int flush_table(struct grosr_store *s, enum grosr_table table)
{
    return store_check(s, grosr_pending_flush(&s->table[table]));
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

int grosr_store_commit(struct grosr_store *s)
{
    int err = s->error ? -s->error : store_write_chunk_totals(s);

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

int grosr_store_end_session(struct grosr_store *s, int64_t session, int64_t end, bool died, bool detached,
                            int64_t stopped)
{
    int64_t ints[] = {end, died, detached, stopped, session};
    int err = store_once(s, "DELETE FROM GROSR_CHECKPOINT WHERE session = ?", &session, 1, NULL, 0);

    if (err)
        return err;
    return store_once(
        s, "UPDATE GROSR_SESSION SET end = ?, died = ?, detached = ?, stopped = ? WHERE session = ?", ints, 5,
        NULL, 0);
}

/* Runs the statements of indexes.sql one by one; `more` steps of progress follow them. */
static int create_indexes(struct grosr_store *s, grosr_store_progress *progress, uint64_t more)
{
    const char *sql = grosr_sql_indexes;
    uint64_t done = 0, all = more;
    int err = 0;

    for (const char *at = sql; (at = strchr(at, ';')) != NULL; at++)
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

void grosr_store_set_last(struct grosr_store *s, grosr_store_last *last)
{
    s->write_last = last;
}

static int write_last(struct grosr_store *s)
{
    int err = s->write_last ? s->write_last(s->db) : 0;
    char why[sizeof(s->reason)];

    if (!err)
        return 0;
    snprintf(why, sizeof(why), "%s", grosr_error());
    return store_give_up(s, -err, why);
}

int grosr_store_finish(struct grosr_store *s, grosr_store_progress *progress)
{
    int err = grosr_store_commit(s);

    if (!err)
        err = create_indexes(s, progress, 1);
    if (!err)
        err = store_check(s, grosr_summary_store(s->db));
    if (!err)
        err = store_sql(s, "PRAGMA analysis_limit=1000; ANALYZE");
    if (progress)
        progress("making summaries", 1, 1);
    if (!err)
        err = store_sql(s, "INSERT OR REPLACE INTO GROSR_META VALUES ('complete', 1)");
    if (!err)
        err = write_last(s);
    if (!err)
        err = store_sql(s, "COMMIT");
    return err ? err : store_settle(s);
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
        sqlite3_finalize(s->cache[i].statement);
    grosr_intern_free(&s->strings);
    store_release_reserve(s);
    sqlite3_close(s->db);
    store_close_moved(s);
    store_file_close(&s->file);
    free(s->room);
    free(s->path);
    free(s);
}
