/*
 * The trace file (store.h). One transaction is always open; the first write error is kept and ends all
 * writing.
 */
#include "store.h"

#include "chunk.h"
#include "error.h"
#include "intern.h"
#include "pending.h"
#include "store_read.h"
#include "summary.h"
#include "version.h"
#include "../schema/schema.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define STATEMENTS 32 /* of grosr_store_execute() */

/* Numbers kept for each session: its functions have 15 bits (GROSR_TASK_NOTHING aside), its names 16. */
#define FUNCTION_SPACE 65536
#define NAME_SPACE     65536

struct grosr_store {
    sqlite3 *db;
    char *path;
    struct grosr_pending table[GROSR_TABLES];
    sqlite3_stmt *loss, *put_chunk, *first_chunk, *drop_chunk;
    struct {
        const char *sql;
        sqlite3_stmt *statement;
    } kept[STATEMENTS];
    struct grosr_intern strings;
    uint8_t *room;                      /* where a chunk is packed */
    uint64_t chunk_events, chunk_bytes; /* put aside in all, and the bytes that they took */
    struct grosr_bases next;            /* of the next session */
    int error;                          /* sticky: the first write error */
};

static const struct {
    const char *name;
    int columns;
    bool replace;
} tables[GROSR_TABLES] = {
    [GROSR_TABLE_TASK] = {"GROSR_TASK", 8, false},
    [GROSR_TABLE_WAIT] = {"GROSR_WAIT", 6, false},
    [GROSR_TABLE_IDLE] = {"GROSR_IDLE", 3, false},
    [GROSR_TABLE_INSTANT] = {"GROSR_INSTANT", 5, false},
    [GROSR_TABLE_WORKER] = {"GROSR_WORKER", 9, true},
    [GROSR_TABLE_RING] = {"GROSR_RING", 9, true},
    [GROSR_TABLE_STREAM] = {"GROSR_STREAM", 5, true},
    [GROSR_TABLE_QUEUE_SAMPLE] = {"GROSR_QUEUE_SAMPLE", 5, false},
    [GROSR_TABLE_CLOCK] = {"GROSR_CLOCK", 9, false},
    [GROSR_TABLE_RANGE] = {"GROSR_RANGE", 5, false},
    [GROSR_TABLE_COUNTER] = {"GROSR_COUNTER", 4, false},
    [GROSR_TABLE_HOLD] = {"GROSR_HOLD", 5, false},
};

/* Notes the first failure and gives up writing: the transaction under way is rolled back. */
static int failed(struct grosr_store *s)
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

static int execute(struct grosr_store *s, const char *sql)
{
    if (s->error)
        return -s->error;
    return sqlite3_exec(s->db, sql, NULL, NULL, NULL) == SQLITE_OK ? 0 : failed(s);
}

static int step(struct grosr_store *s, sqlite3_stmt *statement)
{
    int code = sqlite3_step(statement);
    sqlite3_reset(statement);
    return code == SQLITE_DONE || code == SQLITE_ROW ? 0 : failed(s);
}

static int prepare(struct grosr_store *s, const char *sql, sqlite3_stmt **statement)
{
    if (s->error)
        return -s->error;
    return sqlite3_prepare_v3(s->db, sql, -1, SQLITE_PREPARE_PERSISTENT, statement, NULL) == SQLITE_OK
               ? 0
               : failed(s);
}

static void bind_int(sqlite3_stmt *statement, int column, int64_t value)
{
    if (value == GROSR_NULL)
        sqlite3_bind_null(statement, column);
    else
        sqlite3_bind_int64(statement, column, value);
}

/* Runs a statement once. Text arguments go to the columns after the integers. */
static int once(struct grosr_store *s, const char *sql, const int64_t *ints, int n_ints,
                const char *const *texts, int n_texts)
{
    sqlite3_stmt *statement;
    int err = prepare(s, sql, &statement);

    if (err)
        return err;
    for (int i = 0; i < n_ints; i++)
        bind_int(statement, i + 1, ints[i]);
    for (int i = 0; i < n_texts; i++)
        sqlite3_bind_text(statement, n_ints + i + 1, texts[i], -1, SQLITE_STATIC);
    err = step(s, statement);
    sqlite3_finalize(statement);
    return err;
}

static int set_meta(struct grosr_store *s, const char *key, const char *value)
{
    const char *texts[] = {key, value};
    return once(s, "INSERT OR REPLACE INTO GROSR_META VALUES (?,?)", NULL, 0, texts, 2);
}

static int open_table(struct grosr_store *s, enum grosr_table table)
{
    int code = grosr_pending_open(&s->table[table], s->db, tables[table].name, tables[table].columns,
                                  tables[table].replace);

    if (code == SQLITE_NOMEM)
        return grosr_fail(ENOMEM, "out of memory");
    return code == SQLITE_OK ? 0 : failed(s);
}

/* Writes the rows that a table has pending. */
static int flush_table(struct grosr_store *s, enum grosr_table table)
{
    return grosr_pending_flush(&s->table[table]) == SQLITE_OK ? 0 : failed(s);
}

/* The lookup tables that come from schema/events.def. */
static int fill_kinds(struct grosr_store *s)
{
    static const struct {
        int id;
        const char *texts[4];
    } kinds[] = {
#define GROSR_EVENT(id, NAME, name, level, payload, text) {id, {#name, #level, payload, text}},
#include "../schema/events.def"
#undef GROSR_EVENT
    };
    static const struct {
        int id;
        const char *texts[2];
    } resources[] = {
#define GROSR_RESOURCE(id, NAME, name, text) {id, {#name, text}},
#include "../schema/events.def"
#undef GROSR_RESOURCE
    };
    int err = 0;

    for (size_t i = 0; !err && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        int64_t id = kinds[i].id;
        err = once(s, "INSERT INTO GROSR_EVENT_KIND VALUES (?,?,lower(?),?,?)", &id, 1, kinds[i].texts, 4);
    }
    for (size_t i = 0; !err && i < sizeof(resources) / sizeof(resources[0]); i++) {
        int64_t id = resources[i].id;
        err = once(s, "INSERT INTO GROSR_RESOURCE_KIND VALUES (?,?,?)", &id, 1, resources[i].texts, 2);
    }
    return err;
}

static int fill_session(struct grosr_store *s, const struct grosr_session *session,
                        const struct grosr_bases *bases)
{
    const struct grosr_session_header *h = &session->header;
    const struct grosr_name *name;
    int64_t ints[] = {bases->session,
                      h->pid,
                      h->sms,
                      h->max_warps_per_sm,
                      h->lanes,
                      (int64_t)h->start_mono_ns,
                      (int64_t)h->start_real_ns,
                      bases->worker};
    const char *texts[] = {h->program, h->device, h->device_name};
    char copy[GROSR_NAME_BYTES];
    const char *text = copy;
    int err =
        once(s,
             "INSERT INTO GROSR_SESSION (session, pid, sms, max_warps_per_sm, lanes, start_mono_ns,"
             " start_real_ns, first_worker, program, device, device_name) VALUES (?,?,?,?,?,?,?,?,?,?,?)",
             ints, 8, texts, 3);

    for (uint32_t i = 0; !err && (name = grosr_session_name_entry(session, i)); i++) {
        if (sys_load_relaxed(&name->space) != GROSR_NAME_FUNCTION || name->id >= FUNCTION_SPACE)
            continue;
        int64_t function[] = {bases->function + name->id % FUNCTION_SPACE, bases->session};
        grosr_session_copy_text(copy, name->text, sizeof(copy));
        err = once(s, "INSERT OR IGNORE INTO GROSR_FUNCTION (function, session, name) VALUES (?,?,?)",
                   function, 2, &text, 1);
    }
    for (uint32_t i = 0; !err && i < h->queues; i++) {
        const struct grosr_queue_layout *q = &session->queue[i];
        const char *queue_name = grosr_session_name(session, GROSR_NAME_QUEUE, i);
        int64_t queue[] = {bases->queue + i, q->capacity, q->ports, bases->session};
        *copy = 0;
        if (queue_name)
            grosr_session_copy_text(copy, queue_name, sizeof(copy));
        err = once(s, "INSERT INTO GROSR_QUEUE (queue, capacity, ports, session, name) VALUES (?,?,?,?,?)",
                   queue, 4, &text, 1);
    }
    return err;
}

/* The first session's start is time 0. */
static int start_timeline(struct grosr_store *s, const struct grosr_session_header *h)
{
    int64_t real = (int64_t)h->start_real_ns;

    s->next.origin_ns = (int64_t)h->start_mono_ns;
    return once(
        s,
        "INSERT INTO TARGET_INFO_SESSION_START_TIME SELECT ?1, strftime('%Y-%m-%dT%H:%M:%S', t, 'unixepoch'),"
        " strftime('%Y-%m-%dT%H:%M:%S', t, 'unixepoch', 'localtime') FROM (SELECT ?1 / 1000000000 AS t)",
        &real, 1, NULL, 0);
}

/* An SQLite file's application_id; 0 for a file that is no database or has none. */
static int application_id(const char *path)
{
    sqlite3 *db;
    sqlite3_stmt *statement = NULL;
    int id = 0;

    if (grosr_sqlite_open(path, &db, SQLITE_OPEN_READONLY) == SQLITE_OK &&
        sqlite3_prepare_v2(db, "PRAGMA application_id", -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW)
        id = sqlite3_column_int(statement, 0);
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return id;
}

int grosr_store_probe(const char *path)
{
    struct stat st;

    if (stat(path, &st) == 0) {
        if (!S_ISREG(st.st_mode) || (st.st_size && application_id(path) != GROSR_APPLICATION_ID))
            return grosr_fail(
                EEXIST, "%s exists and is not a GROSR trace; it is left alone, choose another name", path);
        if (access(path, W_OK))
            return grosr_fail(errno, "cannot write %s: %s", path, strerror(errno));
        return 0;
    }
    int fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0666);
    if (fd < 0)
        return grosr_fail(errno, "cannot create %s: %s", path, strerror(errno));
    close(fd);
    unlink(path);
    return 0;
}

/* Makes way for a new trace: an old trace goes, an empty file too, anything else stays. */
static int make_way(const char *path)
{
    static const char *const suffixes[] = {"", "-wal", "-shm", "-journal"};
    int err = grosr_store_probe(path);

    if (err)
        return err;
    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
        char name[4096];
        snprintf(name, sizeof(name), "%s%s", path, suffixes[i]);
        if (unlink(name) && errno != ENOENT)
            return grosr_fail(errno, "cannot replace %s: %s", name, strerror(errno));
    }
    return 0;
}

int grosr_store_create(struct grosr_store **out, const char *path)
{
    const int flags =
        SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX; /* one thread at a time */
    struct grosr_store *s;
    char pragmas[256];
    int err = make_way(path);

    if (err)
        return err;
    s = (struct grosr_store *)calloc(1, sizeof(*s));
    if (s) {
        s->path = strdup(path);
        s->room = (uint8_t *)malloc(GROSR_CHUNK_ROOM(GROSR_CHUNK_EVENTS_MOST));
    }
    if (!s || !s->path || !s->room) {
        grosr_store_close(s);
        return grosr_fail(ENOMEM, "out of memory");
    }
    if (grosr_sqlite_open(path, &s->db, flags) != SQLITE_OK) {
        int system = s->db ? sqlite3_system_errno(s->db) : 0;
        err = grosr_fail(system ? system : EACCES, "cannot create %s: %s", path,
                         system ? strerror(system) : sqlite3_errmsg(s->db));
        grosr_store_close(s);
        return err;
    }
    /* What makes it a trace comes in one transaction: a reader finds all of it or none. */
    snprintf(pragmas, sizeof(pragmas),
             "PRAGMA page_size=8192; PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
             "PRAGMA wal_autocheckpoint=4096; PRAGMA cache_size=-65536; PRAGMA secure_delete=OFF;"
             "BEGIN; PRAGMA application_id=%d; PRAGMA user_version=%d",
             GROSR_APPLICATION_ID, GROSR_SCHEMA_VERSION);
    err = execute(s, pragmas);
    if (!err)
        err = execute(s, grosr_sql_tables);
    if (!err)
        err = execute(s, grosr_sql_views);
    if (!err)
        err = set_meta(s, "grosr_version", GROSR_VERSION);
    if (!err)
        err = fill_kinds(s);
    for (int i = 0; !err && i < GROSR_TABLES; i++)
        err = open_table(s, (enum grosr_table)i);
    if (!err)
        err = prepare(s, "INSERT INTO GROSR_LOSS VALUES (?,?,?,?,?)", &s->loss);
    if (!err)
        err = prepare(
            s, "INSERT INTO GROSR_CHUNK (ring, first_position, count, drained_ns, events) VALUES (?,?,?,?,?)",
            &s->put_chunk);
    if (!err)
        err = prepare(s,
                      "SELECT chunk, ring, first_position, count, drained_ns, events FROM GROSR_CHUNK"
                      " ORDER BY chunk LIMIT 1",
                      &s->first_chunk);
    if (!err)
        err = prepare(s, "DELETE FROM GROSR_CHUNK WHERE chunk = ?", &s->drop_chunk);
    if (!err)
        err = grosr_store_commit(s);
    if (err) {
        grosr_store_close(s);
        unlink(path);
        return err;
    }
    *out = s;
    return 0;
}

int grosr_store_add_session(struct grosr_store *s, const struct grosr_session *session,
                            struct grosr_bases *bases)
{
    const struct grosr_session_header *h = &session->header;
    int err;

    if (s->next.session++ == 0)
        err = start_timeline(s, h);
    else
        err = s->error ? -s->error : 0;
    *bases = s->next;
    if (!err)
        err = fill_session(s, session, bases);
    s->next.worker += h->workers;
    s->next.ring += h->rings;
    s->next.queue += h->queues;
    s->next.function += FUNCTION_SPACE;
    s->next.name += NAME_SPACE;
    return err ? err : grosr_store_commit(s);
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
    bind_int(s->loss, 3, time);
    sqlite3_bind_int64(s->loss, 4, (int64_t)count);
    sqlite3_bind_text(s->loss, 5, reason, -1, SQLITE_STATIC);
    return step(s, s->loss);
}

int grosr_store_note(struct grosr_store *s, int64_t time, int64_t session, const char *topic,
                     size_t topic_bytes, const char *text, size_t text_bytes)
{
    sqlite3_stmt *statement;
    int err = prepare(s, "INSERT INTO GROSR_NOTE (time, session, topic, text) VALUES (?,?,?,?)", &statement);

    if (err)
        return err;
    sqlite3_bind_int64(statement, 1, time);
    sqlite3_bind_int64(statement, 2, session);
    sqlite3_bind_text(statement, 3, topic, (int)topic_bytes, SQLITE_STATIC);
    sqlite3_bind_text(statement, 4, text, (int)text_bytes, SQLITE_STATIC);
    err = step(s, statement);
    sqlite3_finalize(statement);
    return err;
}

int grosr_store_name(struct grosr_store *s, int64_t name, int64_t session, const char *text, const char *unit)
{
    int64_t ints[] = {name, session};
    const char *texts[] = {text, unit};
    return once(s,
                "INSERT OR IGNORE INTO GROSR_NAME (name, session, text, unit) VALUES (?,?,?,nullif(?, ''))",
                ints, 2, texts, 2);
}

int grosr_store_put_chunk(struct grosr_store *s, uint32_t ring, uint64_t first, uint64_t drained_ns,
                          const struct grosr_pair *records, uint32_t count)
{
    if (s->error)
        return -s->error;
    size_t bytes = grosr_chunk_encode(records, count, s->room);
    sqlite3_bind_int64(s->put_chunk, 1, ring);
    sqlite3_bind_int64(s->put_chunk, 2, (int64_t)first);
    sqlite3_bind_int64(s->put_chunk, 3, count);
    sqlite3_bind_int64(s->put_chunk, 4, (int64_t)drained_ns);
    sqlite3_bind_blob(s->put_chunk, 5, s->room, (int)bytes, SQLITE_STATIC);
    s->chunk_events += count;
    s->chunk_bytes += bytes;
    return step(s, s->put_chunk);
}

/* The records of a row of first_chunk. */
static int unpack(struct grosr_store *s, struct grosr_pair **records, uint32_t *count)
{
    int64_t n = sqlite3_column_int64(s->first_chunk, 3);
    size_t size = (size_t)sqlite3_column_bytes(s->first_chunk, 5);
    const void *bytes = sqlite3_column_blob(s->first_chunk, 5);

    if (n < 1 || n > GROSR_CHUNK_EVENTS_MOST)
        return grosr_fail(EIO, "%s: a chunk has %lld events", s->path, (long long)n);
    *count = (uint32_t)n;
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
        err = failed(s);
    }
    sqlite3_reset(s->first_chunk);
    if (!err && code == SQLITE_ROW)
        err = step(s, s->drop_chunk);
    if (err) {
        free(*records);
        *records = NULL;
        *count = 0;
    }
    return err;
}

/* The statement kept for `sql`, by its address; prepared if there is none yet. */
static int keep(struct grosr_store *s, const char *sql, sqlite3_stmt **statement)
{
    for (int i = 0; i < STATEMENTS; i++) {
        if (!s->kept[i].sql) {
            int err = prepare(s, sql, &s->kept[i].statement);
            if (err)
                return err;
            s->kept[i].sql = sql;
        }
        if (s->kept[i].sql == sql) {
            *statement = s->kept[i].statement;
            return 0;
        }
    }
    return grosr_fail(ENOMEM, "more than %d kinds of statements", STATEMENTS);
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
        else
            sqlite3_bind_null(statement, column);
    }
    err = step(s, statement);
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

int grosr_store_commit(struct grosr_store *s)
{
    int err = s->error ? -s->error : 0;

    for (int i = 0; !err && i < GROSR_TABLES; i++)
        err = flush_table(s, (enum grosr_table)i);
    return err ? err : execute(s, "COMMIT; BEGIN");
}

int grosr_store_clock_error(struct grosr_store *s, uint64_t bound_ns)
{
    int64_t bound = (int64_t)bound_ns;
    return once(s,
                "INSERT INTO GROSR_META VALUES ('clock_error_ns', ?)"
                " ON CONFLICT (key) DO UPDATE SET value = max(value, excluded.value)",
                &bound, 1, NULL, 0);
}

int grosr_store_end_session(struct grosr_store *s, int64_t session, int64_t end, bool died, bool detached)
{
    int64_t ints[] = {end, died, detached, session};
    return once(s, "UPDATE GROSR_SESSION SET end = ?, died = ?, detached = ? WHERE session = ?", ints, 4,
                NULL, 0);
}

/* What putting events aside has taken, so that a reader can tell how well they pack. */
static int write_chunk_books(struct grosr_store *s)
{
    const struct {
        const char *key;
        uint64_t value;
    } books[] = {
        {"chunk_events", s->chunk_events},
        {"chunk_raw_bytes", s->chunk_events * sizeof(struct grosr_pair)},
        {"chunk_bytes", s->chunk_bytes},
    };
    int err = 0;

    for (size_t i = 0; !err && i < sizeof(books) / sizeof(books[0]); i++) {
        int64_t value = (int64_t)books[i].value;
        err = once(s, "INSERT OR REPLACE INTO GROSR_META (value, key) VALUES (?,?)", &value, 1, &books[i].key,
                   1);
    }
    return err;
}

int grosr_store_finish(struct grosr_store *s, const char *error)
{
    int err = grosr_store_commit(s);

    if (!err)
        err = execute(s, grosr_sql_indexes);
    if (!err && grosr_summary_store(s->db) != SQLITE_OK)
        err = failed(s);
    if (!err)
        err = execute(s, "PRAGMA analysis_limit=1000; ANALYZE");
    if (!err)
        err = write_chunk_books(s);
    if (!err)
        err = execute(s, "INSERT OR REPLACE INTO GROSR_META VALUES ('complete', 1)");
    if (!err && error)
        err = set_meta(s, "collector_error", error);
    if (!err)
        err = execute(s, "COMMIT");
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
    for (int i = 0; i < STATEMENTS; i++)
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
