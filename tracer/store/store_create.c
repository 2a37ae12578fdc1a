/*
 * Creating a trace file (store.h): replacing what was there, the schema, lookup tables, and sessions.
 */
#include "store_parts.h"

#include "chunk.h"
#include "../base/error.h"
#include "../base/sqlite_error.h"
#include "store_read.h"
#include "../base/version.h"
#include "../../schema/schema.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

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
    [GROSR_TABLE_RING] = {"GROSR_RING", 10, true},
    [GROSR_TABLE_STREAM] = {"GROSR_STREAM", 6, true},
    [GROSR_TABLE_QUEUE_SAMPLE] = {"GROSR_QUEUE_SAMPLE", 5, false},
    [GROSR_TABLE_CLOCK] = {"GROSR_CLOCK", 9, false},
    [GROSR_TABLE_RANGE] = {"GROSR_RANGE", 5, false},
    [GROSR_TABLE_COUNTER] = {"GROSR_COUNTER", 4, false},
    [GROSR_TABLE_HOLD] = {"GROSR_HOLD", 5, false},
    [GROSR_TABLE_SYSCALL] = {"GROSR_SYSCALL", 12, false},
    [GROSR_TABLE_HEAP_EVENT] = {"GROSR_HEAP_EVENT", 9, false},
    [GROSR_TABLE_HEAP_ERROR] = {"GROSR_HEAP_ERROR", 7, false},
    [GROSR_TABLE_HEAP_SAMPLE] = {"GROSR_HEAP_SAMPLE", 14, false},
    [GROSR_TABLE_HEAP_CLASS_SAMPLE] = {"GROSR_HEAP_CLASS_SAMPLE", 8, false},
    [GROSR_TABLE_HEAP] = {"GROSR_HEAP", 15, true},
    [GROSR_TABLE_HEAP_CLASS] = {"GROSR_HEAP_CLASS", 11, true},
    [GROSR_TABLE_PC_SAMPLE] = {"GROSR_PC_SAMPLE", 15, false},
    [GROSR_TABLE_PC_FUNCTION] = {"GROSR_PC_FUNCTION", 19, false},
    [GROSR_TABLE_PC_BIN] = {"GROSR_PC_BIN", 9, false},
};

static int open_table(struct grosr_store *s, enum grosr_table table)
{
    return store_check(s, grosr_pending_open(&s->table[table], s->db, tables[table].name,
                                             tables[table].columns, tables[table].replace));
}

/* The lookup tables that come from schema/events.def. */
static int fill_kinds(struct grosr_store *s)
{
    static const struct {
        int id;
        const char *texts[4];
    } kinds[] = {
#define GROSR_EVENT(id, NAME, name, level, payload, text) {id, {#name, #level, payload, text}},
#include "../../schema/events.def"
#undef GROSR_EVENT
    };
    static const struct {
        int id;
        const char *texts[2];
    } resources[] = {
#define GROSR_RESOURCE(id, NAME, name, text) {id, {#name, text}},
#include "../../schema/events.def"
#undef GROSR_RESOURCE
    };
    int err = 0;

    for (size_t i = 0; !err && i < sizeof(kinds) / sizeof(kinds[0]); i++) {
        int64_t id = kinds[i].id;
        err = store_once(s, "INSERT INTO GROSR_EVENT_KIND VALUES (?,?,lower(?),?,?)", &id, 1, kinds[i].texts,
                         4);
    }
    for (size_t i = 0; !err && i < sizeof(resources) / sizeof(resources[0]); i++) {
        int64_t id = resources[i].id;
        err = store_once(s, "INSERT INTO GROSR_RESOURCE_KIND VALUES (?,?,?)", &id, 1, resources[i].texts, 2);
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
    int err = store_once(
        s,
        "INSERT INTO GROSR_SESSION (session, pid, sms, max_warps_per_sm, lanes, start_mono_ns,"
        " start_real_ns, first_worker, program, device, device_name) VALUES (?,?,?,?,?,?,?,?,?,?,?)",
        ints, 8, texts, 3);

    if (!err)
        err = store_add_device(s, h);
    for (uint32_t i = 0; !err && (name = grosr_session_name_entry(session, i)); i++) {
        if (sys_load_relaxed(&name->space) != GROSR_NAME_FUNCTION || name->id >= FUNCTION_SPACE)
            continue;
        int64_t function[] = {bases->function + name->id % FUNCTION_SPACE, bases->session};
        grosr_session_copy_text(copy, name->text, sizeof(copy));
        err = store_once(s, "INSERT OR IGNORE INTO GROSR_FUNCTION (function, session, name) VALUES (?,?,?)",
                         function, 2, &text, 1);
    }
    for (uint32_t i = 0; !err && i < h->queues; i++) {
        const struct grosr_queue_layout *q = &session->queue[i];
        const char *queue_name = grosr_session_name(session, GROSR_NAME_QUEUE, i);
        int64_t queue[] = {bases->queue + i, q->capacity, q->ports, bases->session};
        *copy = 0;
        if (queue_name)
            grosr_session_copy_text(copy, queue_name, sizeof(copy));
        err = store_once(s,
                         "INSERT INTO GROSR_QUEUE (queue, capacity, ports, session, name) VALUES (?,?,?,?,?)",
                         queue, 4, &text, 1);
    }
    return err;
}

/* The first session's start is time 0. */
static int start_timeline(struct grosr_store *s, const struct grosr_session_header *h)
{
    int64_t real = (int64_t)h->start_real_ns;

    s->next.origin_ns = (int64_t)h->start_mono_ns;
    return store_once(
        s,
        "INSERT INTO TARGET_INFO_SESSION_START_TIME SELECT ?1, strftime('%Y-%m-%dT%H:%M:%S', t, 'unixepoch'),"
        " strftime('%Y-%m-%dT%H:%M:%S', t, 'unixepoch', 'localtime') FROM (SELECT ?1 / 1000000000 AS t)",
        &real, 1, NULL, 0);
}

/* Whether a file may be replaced by a trace: it is one, or an empty database, which a collector leaves that
 * is killed before its first commit. */
static bool may_be_replaced(const char *path)
{
    sqlite3 *db;
    sqlite3_stmt *statement = NULL;
    bool may = false;

    if (grosr_sqlite_open(path, &db, SQLITE_OPEN_READONLY) == SQLITE_OK &&
        sqlite3_prepare_v2(db,
                           "SELECT application_id = ?1 OR (application_id = 0 AND NOT EXISTS"
                           " (SELECT 1 FROM sqlite_master)) FROM pragma_application_id",
                           -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_bind_int(statement, 1, GROSR_APPLICATION_ID) == SQLITE_OK &&
        sqlite3_step(statement) == SQLITE_ROW)
        may = sqlite3_column_int(statement, 0) != 0;
    sqlite3_finalize(statement);
    sqlite3_close(db);
    return may;
}

static int not_ours(const char *path)
{
    return grosr_fail(EEXIST, "%s exists and is not a GROSR trace; it is left alone, choose another name",
                      path);
}

int grosr_store_probe(const char *path)
{
    off_t size;
    int err = store_file_probe(path, &size);

    return err || size <= 0 || may_be_replaced(path) ? err : not_ours(path);
}

/* Opens and locks an empty file in place of an old trace; anything else stays, with -EEXIST. */
static int open_empty(struct store_file *file, const char *path)
{
    off_t size;
    int err = store_file_probe(path, &size);

    if (!err)
        err = store_file_open(file, path, true);
    if (!err && lseek(file->fd, 0, SEEK_END) > 0 && !may_be_replaced(file->path))
        err = not_ours(path);
    return err ? err : store_file_replace(file, path);
}

int store_open(struct grosr_store **out, const char *path, struct store_file *file)
{
    struct grosr_store *s = (struct grosr_store *)calloc(1, sizeof(*s));
    int err;

    if (s) {
        s->file = *file;
        s->reserve = -1;
        s->path = strdup(path);
        s->room = (uint8_t *)malloc(GROSR_CHUNK_ROOM(GROSR_CHUNK_EVENTS_MAX));
    }
    if (!s)
        store_file_close(file);
    if (!s || !s->path || !s->room) {
        grosr_store_close(s);
        return grosr_fail(ENOMEM, "out of memory");
    }
    if (grosr_sqlite_open(s->file.path, &s->db, SQLITE_OPEN_READWRITE) != SQLITE_OK) {
        int error = grosr_sqlite_db_errno(s->db);
        err = grosr_fail(error, "cannot create %s: %s", path,
                         sqlite3_system_errno(s->db) ? strerror(error) : sqlite3_errmsg(s->db));
        grosr_store_close(s);
        return err;
    }
    *out = s;
    return store_sql(s, "PRAGMA page_size=8192; PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
                        "PRAGMA wal_autocheckpoint=4096; PRAGMA cache_size=-65536; PRAGMA secure_delete=OFF;"
                        "BEGIN");
}

int store_prepare_all(struct grosr_store *s)
{
    int err = 0;

    for (int i = 0; !err && i < GROSR_TABLES; i++)
        err = open_table(s, (enum grosr_table)i);
    if (!err)
        err = store_prepare(s, "INSERT INTO GROSR_LOSS VALUES (?,?,?,?,?)", &s->loss);
    if (!err)
        err = store_prepare(
            s, "INSERT INTO GROSR_CHUNK (ring, first_position, count, drained_ns, events) VALUES (?,?,?,?,?)",
            &s->put_chunk);
    if (!err)
        err = store_prepare(s,
                            "SELECT chunk, ring, first_position, count, drained_ns, events FROM GROSR_CHUNK"
                            " ORDER BY chunk LIMIT 1",
                            &s->first_chunk);
    if (!err)
        err = store_prepare(s, "SELECT drained_ns FROM GROSR_CHUNK ORDER BY chunk LIMIT 1", &s->oldest_chunk);
    return err ? err : store_prepare(s, "DELETE FROM GROSR_CHUNK WHERE chunk = ?", &s->drop_chunk);
}

int grosr_store_create(struct grosr_store **out, const char *path)
{
    struct store_file file = {.fd = -1};
    struct grosr_store *s = NULL;
    char pragmas[128];
    int err = open_empty(&file, path);

    if (err)
        store_file_close(&file);
    else
        err = store_open(&s, path, &file);
    if (!s)
        return err;
    /* All of the schema is one transaction: a reader finds all of it or none. */
    snprintf(pragmas, sizeof(pragmas), "PRAGMA application_id=%d; PRAGMA user_version=%d",
             GROSR_APPLICATION_ID, GROSR_SCHEMA_VERSION);
    if (!err)
        err = store_sql(s, pragmas);
    if (!err)
        err = store_sql(s, grosr_sql_tables);
    if (!err)
        err = store_sql(s, grosr_sql_nsight);
    if (!err)
        err = store_sql(s, grosr_sql_views);
    if (!err)
        err = store_set_meta(s, "grosr_version", GROSR_VERSION);
    if (!err)
        err = fill_kinds(s);
    if (!err)
        err = store_prepare_all(s);
    if (!err)
        err = grosr_store_commit(s);
    if (err) {
        store_file_remove(&s->file);
        grosr_store_close(s);
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
        err = store_reserve(s, h->rings);
    if (!err)
        err = fill_session(s, session, bases);
    s->next.worker += h->workers;
    s->next.ring += h->rings;
    s->next.queue += h->queues;
    s->next.function += FUNCTION_SPACE;
    s->next.name += NAME_SPACE;
    return err;
}
