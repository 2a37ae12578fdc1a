/*
 * grosr info: the devices and sessions of this machine; grosr info FILE: the contents of a trace and whether
 * it is complete.
 *
 * Facts are gathered into plain structs first and then shown as text or as JSON. A session that cannot be
 * opened (damaged, another user's) is part of the list, with the reason in words.
 */
#include "commands.h"
#include "../record/inject.h"
#include "../cli/output.h"
#include "../model/target.h"
#include "../show/query.h"
#include "../show/table.h"
#include "../cli/text.h"
#include "../../tracer/clock/clock.h"
#include "../../tracer/session/heap_counters.h"
#include "../../tracer/session/level.h"
#include "../../tracer/store/store.h"
#include "../../tracer/base/version.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define MAX_DEVICES 64u

static struct table_cell text_cell(const char *text)
{
    return (struct table_cell){.kind = TABLE_TEXT, .text = text};
}

static struct table_cell number_cell(uint64_t n)
{
    return (struct table_cell){.kind = TABLE_INTEGER, .integer = (int64_t)n};
}

/* Devices. */

static int print_devices(const struct grosr_device_info *device, uint32_t devices)
{
    static const char *const names[] = {"device", "name",    "SMs",    "warps/SM",
                                        "lanes",  "workers", "memory", "detail"};
    struct table *table;
    int err = table_begin(&table, stdout, GROSR_FORMAT_TABLE, 8, names);

    if (err)
        return err;
    for (uint32_t i = 0; i < devices && !err; i++) {
        const struct grosr_device_info *d = &device[i];
        char memory[16], device_name[32];
        snprintf(device_name, sizeof(device_name), strcmp(d->device, "cuda") ? "%s" : "%s:%u", d->device,
                 d->ordinal);
        text_count(memory, sizeof(memory), (double)d->memory_bytes);
        struct table_cell cells[] = {text_cell(device_name), text_cell(d->name),
                                     number_cell(d->sms),    number_cell(d->max_warps_per_sm),
                                     number_cell(d->lanes),  number_cell(d->default_workers),
                                     text_cell(memory),      text_cell(d->detail)};
        err = table_row(table, cells);
    }
    table_end(table);
    if (grosr_cuda_absent())
        printf("no CUDA device: %s\n", grosr_cuda_absent());
    return err;
}

static void write_devices(struct json *j, const struct grosr_device_info *device, uint32_t devices)
{
    json_array(j, "devices");
    for (uint32_t i = 0; i < devices; i++) {
        const struct grosr_device_info *d = &device[i];
        json_object(j, NULL);
        json_string(j, "device", d->device);
        json_string(j, "name", d->name);
        json_uint(j, "ordinal", d->ordinal);
        json_uint(j, "sms", d->sms);
        json_uint(j, "max_warps_per_sm", d->max_warps_per_sm);
        json_uint(j, "lanes", d->lanes);
        json_uint(j, "default_workers", d->default_workers);
        json_uint(j, "max_workers", d->max_workers);
        json_uint(j, "memory_bytes", d->memory_bytes);
        json_string(j, "detail", d->detail);
        json_close(j);
    }
    json_close(j);
    json_string(j, "cuda_absent", grosr_cuda_absent());
}

/* Sessions. */

struct session_facts {
    uint32_t pid, index;
    bool known; /* the rest is; otherwise `state` says why not */
    char state[512];
    char program[64], device[16], device_name[64];
    uint32_t workers, level, collector_pid;
    uint64_t uptime_ns;
    bool alive;
    bool has_heap; /* a GPU memory allocator, whose counters are known */
    struct grosr_heap_counters heap;
};

static void gather_session(struct session_facts *f, struct grosr_session_id id)
{
    struct grosr_session *session;

    memset(f, 0, sizeof(*f));
    f->pid = id.pid;
    f->index = id.index;
    if (grosr_session_open(&session, id.pid, id.index)) {
        snprintf(f->state, sizeof(f->state), "%s", grosr_error());
        return;
    }
    const struct grosr_session_header *h = &session->header, *live = grosr_session_live(session);
    uint64_t now = grosr_host_clock_ns();
    f->known = true;
    f->alive = grosr_session_alive(session);
    snprintf(f->program, sizeof(f->program), "%s", h->program);
    snprintf(f->device, sizeof(f->device), "%s", h->device);
    snprintf(f->device_name, sizeof(f->device_name), "%s", h->device_name);
    f->workers = h->workers;
    f->level = sys_load_relaxed(&live->level);
    f->collector_pid = sys_load_relaxed(&live->collector_pid);
    f->uptime_ns = now > h->start_mono_ns ? now - h->start_mono_ns : 0;
    f->has_heap = grosr_heap_read(session, 0, &f->heap);
    snprintf(f->state, sizeof(f->state), "%s", target_state(session));
    if (grosr_session_truncated(session)) {
        f->known = false;
        snprintf(f->state, sizeof(f->state), "process %u has truncated its session segment", id.pid);
    }
    grosr_session_close(session);
}

/* Reserved and all bytes of the arena. */
static const char *heap_text(char *to, size_t size, const struct grosr_heap_counters *c)
{
    char reserved[16], arena[16];

    snprintf(to, size, "%s/%s", text_count(reserved, sizeof(reserved), (double)grosr_heap_reserved_bytes(c)),
             text_count(arena, sizeof(arena), (double)c->arena_bytes));
    return to;
}

static void write_heap(struct json *j, const struct session_facts *f)
{
    const struct grosr_heap_counters *c = &f->heap;

    if (!f->has_heap) {
        json_null(j, "allocator");
        return;
    }
    json_object(j, "allocator");
    json_uint(j, "arena_bytes", c->arena_bytes);
    json_uint(j, "reserved_bytes", grosr_heap_reserved_bytes(c));
    json_uint(j, "requested_bytes", grosr_heap_requested_bytes(c));
    json_uint(j, "live", grosr_heap_live(c));
    json_uint(j, "failures", grosr_heap_failures(c));
    json_uint(j, "bad_frees", grosr_heap_bad_frees(c));
    json_bool(j, "debug", c->flags & GROSR_HEAP_DEBUG);
    json_close(j);
}

static int print_sessions(const struct session_facts *facts, int sessions)
{
    static const char *const names[] = {"pid",   "index",  "program",   "device", "workers",
                                        "level", "uptime", "collector", "memory", "state"};
    struct table *table;
    int err;

    if (sessions == 0) {
        puts("none; `grosr run` starts one");
        return 0;
    }
    err = table_begin(&table, stdout, GROSR_FORMAT_TABLE, 10, names);
    if (err)
        return err;
    for (int i = 0; i < sessions && !err; i++) {
        const struct session_facts *f = &facts[i];
        char uptime[16], memory[40];
        struct table_cell cells[10] = {number_cell(f->pid), number_cell(f->index)};
        if (f->known) {
            cells[2] = text_cell(f->program);
            cells[3] = text_cell(f->device);
            cells[4] = number_cell(f->workers);
            cells[5] = text_cell(grosr_level_name(f->level));
        }
        if (f->alive)
            cells[6] = text_cell(text_duration(uptime, sizeof(uptime), (double)f->uptime_ns));
        if (f->collector_pid)
            cells[7] = number_cell(f->collector_pid);
        if (f->has_heap)
            cells[8] = text_cell(heap_text(memory, sizeof(memory), &f->heap));
        cells[9] = text_cell(f->state);
        err = table_row(table, cells);
    }
    table_end(table);
    return err;
}

static void write_sessions(struct json *j, const struct session_facts *facts, int sessions)
{
    json_array(j, "sessions");
    for (int i = 0; i < sessions; i++) {
        const struct session_facts *f = &facts[i];
        json_object(j, NULL);
        json_uint(j, "pid", f->pid);
        json_uint(j, "index", f->index);
        json_bool(j, "alive", f->alive);
        json_string(j, "state", f->state);
        if (f->known) {
            json_string(j, "program", f->program);
            json_string(j, "device", f->device);
            json_string(j, "device_name", f->device_name);
            json_uint(j, "workers", f->workers);
            json_string(j, "level", grosr_level_name(f->level));
            json_uint(j, "uptime_ns", f->uptime_ns);
            json_uint(j, "collector_pid", f->collector_pid);
            write_heap(j, f);
        }
        json_close(j);
    }
    json_close(j);
}

static int show_machine(bool as_json)
{
    struct grosr_device_info device[MAX_DEVICES];
    struct grosr_session_id *ids = NULL;
    grosr_session_guard();
    uint32_t devices = grosr_devices(device, MAX_DEVICES);
    int sessions = grosr_session_list(&ids), err = 0;

    if (devices > MAX_DEVICES)
        devices = MAX_DEVICES;
    if (sessions < 0)
        return grosr_say(GROSR_EXIT_FAILURE, "%s", grosr_error());
    struct session_facts *facts = (struct session_facts *)calloc((size_t)sessions + 1, sizeof(*facts));
    for (int i = 0; facts && i < sessions; i++)
        gather_session(&facts[i], ids[i]);
    free(ids);
    if (!facts)
        return grosr_say(GROSR_EXIT_FAILURE, "out of memory");

    const char *why, *library = inject_library(&why);
    if (as_json) {
        struct json j;
        json_begin(&j, stdout);
        json_object(&j, NULL);
        json_string(&j, "version", GROSR_VERSION);
        json_string(&j, "sqlite", sqlite3_libversion());
        json_string(&j, "inject_library", library);
        write_devices(&j, device, devices);
        write_sessions(&j, facts, sessions);
        json_close(&j);
        json_end(&j);
    } else {
        printf("grosr %s, SQLite %s\n\nDEVICES\n", GROSR_VERSION, sqlite3_libversion());
        err = print_devices(device, devices);
        if (library)
            printf("`record` injects %s\n", library);
        else
            printf("`record` does not record NVTX and CUDA calls: %s\n", why);
        printf("\nSESSIONS\n");
        if (!err)
            err = print_sessions(facts, sessions);
    }
    free(facts);
    return err ? grosr_say(GROSR_EXIT_FAILURE, "out of memory") : 0;
}

/* A trace file. */

static const char session_sql[] =
    "SELECT session, pid, program, device, device_name, sms, lanes,"
    " end - (start_mono_ns - (SELECT start_mono_ns FROM GROSR_SESSION WHERE session = 1)) AS duration_ns, "
    "died,"
    " (SELECT sum(tasks) FROM GROSR_WORKER w WHERE w.session = s.session) AS tasks,"
    " (SELECT sum(spawned) FROM GROSR_WORKER w WHERE w.session = s.session) AS spawned"
    " FROM GROSR_SESSION s";

static const char notes_sql[] = "SELECT time, session, topic, text FROM GROSR_NOTE ORDER BY time";

/* The backlog: events that the collector stored in chunks before it built their rows. Older files lack this.
 */
static const char chunks_sql[] =
    "SELECT value AS events, raw_bytes, bytes, round(1.0 * raw_bytes / nullif(bytes, 0), 1) AS ratio,"
    " round(1.0 * bytes / nullif(value, 0), 2) AS bytes_per_event FROM GROSR_META,"
    " (SELECT value AS raw_bytes FROM GROSR_META WHERE key = 'chunk_raw_bytes'),"
    " (SELECT value AS bytes FROM GROSR_META WHERE key = 'chunk_bytes') WHERE key = 'chunk_events'";

/* The GPU memory allocators, as their counters stood at the end. */
static const char memory_sql[] =
    "SELECT h.session, h.arena_bytes, h.chunks_max * h.chunk_bytes AS max_reserved_bytes, f.reserved_bytes,"
    " f.requested_bytes, f.live, f.internal_fragmentation, f.external_fragmentation, f.mallocs, f.frees,"
    " f.failures, f.bad_frees, h.debug"
    " FROM GROSR_HEAP h LEFT JOIN fragmentation f ON f.heap = h.heap AND f.time ="
    " (SELECT max(time) FROM GROSR_HEAP_SAMPLE s WHERE s.heap = h.heap) ORDER BY h.heap";

static const struct {
    const char *name, *sql;
} row_counts[] = {
    {"tasks", "SELECT count(*) FROM GROSR_TASK"},
    {"waits", "SELECT count(*) FROM GROSR_WAIT"},
    {"idles", "SELECT count(*) FROM GROSR_IDLE"},
    {"instants", "SELECT count(*) FROM GROSR_INSTANT"},
    {"workers", "SELECT count(*) FROM GROSR_WORKER"},
    {"queue_samples", "SELECT count(*) FROM GROSR_QUEUE_SAMPLE"},
    {"clock_snapshots", "SELECT count(*) FROM GROSR_CLOCK"},
    {"losses", "SELECT count(*) FROM GROSR_LOSS"},
    {"heap_events", "SELECT count(*) FROM GROSR_HEAP_EVENT"},
    {"heap_errors", "SELECT count(*) FROM GROSR_HEAP_ERROR"},
    {"heap_samples", "SELECT count(*) FROM GROSR_HEAP_SAMPLE"},
    {"ranges", "SELECT count(*) FROM GROSR_RANGE"},
    {"counters", "SELECT count(*) FROM GROSR_COUNTER"},
    {"kernels", "SELECT count(*) FROM CUPTI_ACTIVITY_KIND_KERNEL"},
    {"memcpys", "SELECT count(*) FROM CUPTI_ACTIVITY_KIND_MEMCPY"},
    {"memsets", "SELECT count(*) FROM CUPTI_ACTIVITY_KIND_MEMSET"},
    {"graph_launches", "SELECT count(*) FROM CUPTI_ACTIVITY_KIND_GRAPH_TRACE"},
    {"api_calls", "SELECT count(*) FROM CUPTI_ACTIVITY_KIND_RUNTIME"},
    {"nvtx_events", "SELECT count(*) FROM NVTX_EVENTS"},
    {"pc_samples", "SELECT count(*) FROM GROSR_PC_SAMPLE"},
};

enum { ROW_COUNTS = sizeof(row_counts) / sizeof(*row_counts) };

static int count_rows(sqlite3 *db, int64_t *counts)
{
    int code = 0;

    for (int i = 0; i < ROW_COUNTS && !code; i++)
        code = query_integer(db, row_counts[i].sql, &counts[i]);
    return code;
}

/* The canned queries are the one place that defines a trace's health and the totals of its functions. */
static const char *canned_sql(const char *name)
{
    const struct grosr_canned_query *q = query_canned(name);
    return q ? q->sql : "SELECT 1 WHERE 0";
}

/* Diagnostic messages of the tracer; most traces have none. */
static int print_notes(sqlite3 *db)
{
    int64_t notes = 0;
    int code = query_integer(db, "SELECT count(*) FROM GROSR_NOTE", &notes);

    if (code || !notes)
        return code;
    printf("\nNOTES\n");
    return query_print(db, notes_sql, GROSR_FORMAT_TABLE);
}

/* Most traces have none. */
static int print_memory(sqlite3 *db)
{
    int64_t heaps = 0;
    int code = query_integer(db, "SELECT count(*) FROM GROSR_HEAP", &heaps);

    if (code || !heaps)
        return code;
    printf("\nGPU MEMORY\n");
    return query_print(db, memory_sql, GROSR_FORMAT_TABLE);
}

static int print_trace(sqlite3 *db, const char *path, const int64_t *counts)
{
    static const char *const names[] = {"rows", "count"};
    struct table *table;
    int code, err;

    printf("%s\n\nSESSIONS\n", path);
    code = query_print(db, session_sql, GROSR_FORMAT_TABLE);
    if (!code)
        code = print_notes(db);
    printf("\nHEALTH\n");
    if (!code)
        code = query_print(db, canned_sql("health"), GROSR_FORMAT_TABLE);
    printf("\nFUNCTIONS\n");
    if (!code)
        code = query_print(db, canned_sql("functions"), GROSR_FORMAT_TABLE);
    if (!code)
        code = print_memory(db);
    printf("\nBACKLOG, IN CHUNKS\n");
    if (!code)
        code = query_print(db, chunks_sql, GROSR_FORMAT_TABLE);
    printf("\nROWS\n");
    if (code || table_begin(&table, stdout, GROSR_FORMAT_TABLE, 2, names))
        return code ? code : grosr_say(GROSR_EXIT_FAILURE, "out of memory");
    err = 0;
    for (int i = 0; i < ROW_COUNTS && !err; i++) {
        struct table_cell cells[2] = {text_cell(row_counts[i].name), number_cell((uint64_t)counts[i])};
        err = table_row(table, cells);
    }
    table_end(table);
    return err ? grosr_say(GROSR_EXIT_FAILURE, "out of memory") : 0;
}

static int write_trace(sqlite3 *db, const char *path, const int64_t *counts)
{
    struct json j;
    int code;

    json_begin(&j, stdout);
    json_object(&j, NULL);
    json_string(&j, "file", path);
    code = query_json(db, session_sql, &j, "sessions");
    if (!code)
        code = query_json(db, canned_sql("health"), &j, "health");
    if (!code)
        code = query_json(db, canned_sql("functions"), &j, "functions");
    if (!code)
        code = query_json(db, chunks_sql, &j, "chunks");
    if (!code)
        code = query_json(db, "SELECT key, value FROM GROSR_META ORDER BY key", &j, "meta");
    if (!code)
        code = query_json(db, notes_sql, &j, "notes");
    if (!code)
        code = query_json(db, memory_sql, &j, "allocators");
    json_object(&j, "rows");
    for (int i = 0; i < ROW_COUNTS; i++)
        json_int(&j, row_counts[i].name, counts[i]);
    json_close(&j);
    json_close(&j);
    json_end(&j);
    return code;
}

static int show_trace(const char *path, bool as_json)
{
    int64_t counts[ROW_COUNTS];
    char printable[4096];
    sqlite3 *db;
    int err = grosr_store_open_read(&db, path);

    if (err)
        return grosr_say(grosr_exit_code(err), "%s", grosr_error());
    int code = count_rows(db, counts);
    if (!code && as_json)
        code = write_trace(db, path, counts);
    else if (!code)
        code = print_trace(db, text_printable(printable, sizeof(printable), path), counts);
    sqlite3_close(db);
    return code;
}

int cmd_info(const struct grosr_arguments *arguments)
{
    output_begin();
    if (arguments->operands)
        return output_end(show_trace(arguments->operand[0], arguments->json));
    return output_end(show_machine(arguments->json));
}
