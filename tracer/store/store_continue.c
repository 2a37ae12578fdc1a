/*
 * Continuing a trace whose collector was killed (store.h): what a new collector takes over from the file.
 */
#include "store_parts.h"

#include "../base/error.h"
#include "store_read.h"
#include "../../schema/schema.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Runs a query of one row and takes two numbers from it; a NULL becomes 0. */
static int ask(struct grosr_store *s, const char *sql, int64_t *row)
{
    sqlite3_stmt *q;
    int err = store_prepare(s, sql, &q);

    if (err)
        return err;
    if (sqlite3_step(q) != SQLITE_ROW)
        err = store_failed(s);
    for (int i = 0; i < 2; i++)
        row[i] = err ? 0 : sqlite3_column_int64(q, i);
    sqlite3_finalize(q);
    return err;
}

/* Strings keep their numbers: they are interned in that order. */
static int load_strings(struct grosr_store *s)
{
    sqlite3_stmt *q;
    int err = store_prepare(s, "SELECT id, value FROM StringIds ORDER BY id", &q), code = SQLITE_DONE;

    while (!err && (code = sqlite3_step(q)) == SQLITE_ROW) {
        int64_t id;
        bool added;
        const char *text = (const char *)sqlite3_column_text(q, 1);
        err = grosr_intern(&s->strings, text ? text : "", (size_t)sqlite3_column_bytes(q, 1), &id, &added);
        if (!err && id != sqlite3_column_int64(q, 0))
            err = grosr_fail(EPROTO, "%s: its strings are not numbered as they were", s->path);
    }
    if (!err && code != SQLITE_DONE)
        err = store_failed(s);
    sqlite3_finalize(q);
    return err;
}

/* Whether the file is a trace of the current version whose recording of this session was interrupted; its
 * number, and how many other sessions were interrupted too. */
static int find_session(const char *path, const struct grosr_session_header *h, int64_t *number,
                        int64_t *others)
{
    sqlite3 *db;
    sqlite3_stmt *q = NULL;
    bool found = false;

    if (grosr_sqlite_open(path, &db, SQLITE_OPEN_READWRITE) == SQLITE_OK &&
        sqlite3_prepare_v2(db,
                           "SELECT session, (SELECT count(*) FROM GROSR_SESSION o WHERE o.end IS NULL AND "
                           "o.session <> s.session)"
                           " FROM GROSR_SESSION s JOIN GROSR_CHECKPOINT USING (session)"
                           " WHERE pid = ? AND start_mono_ns = ? AND start_real_ns = ? AND end IS NULL"
                           " AND (SELECT application_id FROM pragma_application_id) = ?"
                           " AND (SELECT user_version FROM pragma_user_version) = ?"
                           " AND NOT EXISTS (SELECT 1 FROM GROSR_META WHERE key = 'complete')",
                           -1, &q, NULL) == SQLITE_OK) {
        sqlite3_bind_int64(q, 1, h->pid);
        sqlite3_bind_int64(q, 2, (int64_t)h->start_mono_ns);
        sqlite3_bind_int64(q, 3, (int64_t)h->start_real_ns);
        sqlite3_bind_int(q, 4, GROSR_APPLICATION_ID);
        sqlite3_bind_int(q, 5, GROSR_SCHEMA_VERSION);
        found = sqlite3_step(q) == SQLITE_ROW;
        if (found) {
            *number = sqlite3_column_int64(q, 0);
            *others = sqlite3_column_int64(q, 1);
        }
    }
    sqlite3_finalize(q);
    sqlite3_close(db);
    return found;
}

/* The totals that store_write_chunk_totals() wrote. */
static int load_chunk_totals(struct grosr_store *s)
{
    int64_t totals[2];
    int err = ask(s,
                  "SELECT (SELECT value FROM GROSR_META WHERE key = 'chunk_events'),"
                  " (SELECT value FROM GROSR_META WHERE key = 'chunk_bytes')",
                  totals);

    s->chunk_events = (uint64_t)totals[0];
    s->chunk_bytes = (uint64_t)totals[1];
    return err;
}

/* The bases of sessions that come after those in the file. */
static int load_bases(struct grosr_store *s, const struct grosr_session_header *h)
{
    int64_t sessions[2] = {0, 0}, workers[2] = {0, 0}, rings[2] = {0, 0};
    int err = ask(s,
                  "SELECT max(session), (SELECT start_mono_ns FROM GROSR_SESSION WHERE session = 1)"
                  " FROM GROSR_SESSION",
                  sessions);

    if (!err)
        err = ask(s, "SELECT (SELECT max(worker) FROM GROSR_WORKER), max(first_worker) FROM GROSR_SESSION",
                  workers);
    if (!err)
        err =
            ask(s, "SELECT (SELECT max(ring) FROM GROSR_RING), (SELECT max(queue) FROM GROSR_QUEUE)", rings);
    s->next = (struct grosr_bases){
        .session = sessions[0],
        .worker = workers[0] + 1 > workers[1] + h->workers ? workers[0] + 1 : workers[1] + h->workers,
        .ring = rings[0] + h->rings + 1,
        .queue = rings[1] + h->queues + 1,
        .function = sessions[0] * FUNCTION_SPACE,
        .name = sessions[0] * NAME_SPACE,
        .origin_ns = sessions[1]};
    return err;
}

int grosr_store_continue(struct grosr_store **out, const char *path, const struct grosr_session *session,
                         int64_t *number)
{
    struct store_file file;
    struct grosr_store *s = NULL;
    int64_t others = 0;
    bool found;
    int err = store_file_open(&file, path, false);

    if (err)
        return err == -EBUSY ? err : 0; /* it is created, and that reports what is wrong */
    found = find_session(file.path, &session->header, number, &others);
    if (!found || others)
        store_file_close(&file);
    if (!found)
        return 0;
    if (others)
        return grosr_fail(EEXIST,
                          "%s holds %lld other sessions whose recording was cut off; it is left alone, choose"
                          " another name",
                          path, (long long)others);
    err = store_open(&s, path, &file);
    if (!s)
        return err;
    if (!err)
        err = store_reserve(s, session->header.rings);
    if (!err)
        err = store_prepare_all(s);
    if (!err)
        err = load_bases(s, &session->header);
    if (!err)
        err = load_strings(s);
    if (!err)
        err = load_chunk_totals(s);
    if (!err)
        err = store_sql(s, "DELETE FROM GROSR_META WHERE key = 'collector_error'");
    if (err) {
        grosr_store_close(s);
        return err;
    }
    *out = s;
    return 1;
}

int grosr_store_save_checkpoint(struct grosr_store *s, int64_t session,
                                const struct grosr_checkpoint *checkpoint)
{
    static const char sql[] = "INSERT OR REPLACE INTO GROSR_CHECKPOINT (session, state) VALUES (?, ?)";
    const struct grosr_value values[] = {{.type = GROSR_VALUE_INTEGER, .integer = session},
                                         {.type = GROSR_VALUE_BLOB,
                                          .integer = (int64_t)checkpoint->size,
                                          .text = (const char *)checkpoint->bytes}};

    return grosr_store_execute(s, sql, values, 2, NULL);
}

int grosr_store_load_checkpoint(struct grosr_store *s, int64_t session, struct grosr_checkpoint *checkpoint)
{
    sqlite3_stmt *q;
    int err = store_prepare(s, "SELECT state FROM GROSR_CHECKPOINT WHERE session = ?", &q);

    if (err)
        return err;
    sqlite3_bind_int64(q, 1, session);
    if (sqlite3_step(q) == SQLITE_ROW)
        grosr_checkpoint_put(checkpoint, sqlite3_column_blob(q, 0), (size_t)sqlite3_column_bytes(q, 0));
    sqlite3_finalize(q);
    return 0;
}

int grosr_store_load_clock(struct grosr_store *s, const struct grosr_bases *bases, struct grosr_clock *clock)
{
    sqlite3_stmt *q;
    int err = store_prepare(s,
                            "SELECT device_ns, host_before, host_after FROM GROSR_CLOCK WHERE session = ?"
                            " ORDER BY rowid",
                            &q),
        code = SQLITE_DONE;

    if (err)
        return err;
    sqlite3_bind_int64(q, 1, bases->session);
    while (!err && (code = sqlite3_step(q)) == SQLITE_ROW) {
        uint64_t origin = (uint64_t)bases->origin_ns;
        const struct grosr_clock_trip trip = {.device_ns = (uint64_t)sqlite3_column_int64(q, 0),
                                              .before_ns = origin + (uint64_t)sqlite3_column_int64(q, 1),
                                              .after_ns = origin + (uint64_t)sqlite3_column_int64(q, 2)};
        if (grosr_clock_add(clock, &trip) < 0)
            err = grosr_fail(ENOMEM, "out of memory");
    }
    if (!err && code != SQLITE_DONE)
        err = store_failed(s);
    sqlite3_finalize(q);
    return err;
}

int grosr_store_count_chunks(struct grosr_store *s, uint64_t *events, uint64_t *drained_ns)
{
    int64_t row[2];
    int err = ask(s, "SELECT sum(count), max(drained_ns) FROM GROSR_CHUNK", row);

    *events = (uint64_t)row[0];
    if (drained_ns)
        *drained_ns = (uint64_t)row[1];
    return err;
}
