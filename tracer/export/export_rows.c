/*
 * Events of an export from the rows of each view of schema/export.sql.
 */
#include "export_walk.h"

#include <stdio.h>
#include <stdlib.h>

/* One event enqueues at most as many tasks as its 16-bit count can say. */
#define BATCH_MAX 65536

static struct grosr_export_argument *next_argument(struct grosr_export_event *e, const char *name)
{
    struct grosr_export_argument *a = &e->argument[e->arguments];

    if (e->arguments == GROSR_EXPORT_ARGUMENTS)
        return NULL;
    e->arguments++;
    a->name = name;
    return a;
}

static void add_integer(struct grosr_export_event *e, const char *name, int64_t value)
{
    struct grosr_export_argument *a = next_argument(e, name);

    if (a) {
        a->type = GROSR_ARGUMENT_INTEGER;
        a->integer = value;
    }
}

static void add_argument(struct grosr_export_event *e, const char *name, sqlite3_stmt *row, int i)
{
    struct grosr_export_argument *a;
    int type = sqlite3_column_type(row, i);
    const char *text = type == SQLITE_TEXT || type == SQLITE_BLOB ? grosr_column_text(row, i) : NULL;

    if (type == SQLITE_INTEGER) {
        add_integer(e, name, sqlite3_column_int64(row, i));
    } else if (type == SQLITE_FLOAT && (a = next_argument(e, name))) {
        a->type = GROSR_ARGUMENT_REAL;
        a->real = sqlite3_column_double(row, i);
    } else if (text && (a = next_argument(e, name))) {
        a->type = GROSR_ARGUMENT_TEXT;
        a->text = text;
    }
}

/* Arrows have a number for the whole trace: no two are the same, for pids below 2^22 and sessions below 2^21.
 */
static uint64_t flow_number(int64_t a, int64_t flow, bool launch)
{
    uint64_t x = launch ? (uint64_t)a << 33 ^ (uint64_t)flow : (uint64_t)a << 41 ^ (uint64_t)flow;

    return (x << 1 | launch) * UINT64_C(0x9e3779b97f4a7c15); /* odd, so one to one */
}

/* The event of a view's row, but for its track. */
static struct grosr_export_event *event_of(struct grosr_walk *w, struct grosr_export_view *s)
{
    struct grosr_export_event *e = &w->event;
    int64_t flow = grosr_column(s->rows, GROSR_COLUMN_FLOW);

    e->time = s->start;
    e->category = s->category;
    e->name = grosr_column_text(s->rows, GROSR_COLUMN_NAME);
    if (!e->name)
        e->name = "";
    e->arguments = 0;
    /* Masked: in a damaged trace the column may be anything. */
    e->role = (enum grosr_export_role)(sqlite3_column_int(s->rows, GROSR_COLUMN_ROLE) & GROSR_FLOW_TO);
    e->flows = 0;
    if (flow != GROSR_NULL && e->role != GROSR_FLOW_NONE) {
        w->flow = flow_number(grosr_column(s->rows, GROSR_COLUMN_A), flow,
                              s->what == GROSR_AT_STREAM || s->what == GROSR_AT_THREAD);
        e->flow = &w->flow;
        e->flows = 1;
    }
    return e;
}

static void add_arguments(struct grosr_export_view *s, struct grosr_export_event *e)
{
    for (int i = GROSR_COLUMNS; i < s->columns; i++)
        add_argument(e, s->argument[i - GROSR_COLUMNS], s->rows, i);
}

static void put_slice(struct grosr_walk *w, struct grosr_export_view *s, struct grosr_export_lanes *lanes)
{
    if (!lanes)
        return;
    struct grosr_export_event *e = event_of(w, s);
    add_arguments(s, e);
    int err = grosr_export_slice(w->tracks, lanes, e, s->end);
    if (err && !w->error)
        w->error = err;
}

static void put_instant(struct grosr_walk *w, struct grosr_export_lanes *lanes, struct grosr_export_event *e)
{
    if (!lanes)
        return;
    e->track = grosr_export_first_lane(lanes);
    w->writer->calls->instant(w->writer, e);
}

static int64_t session_of(struct grosr_export_view *s)
{
    int64_t session = grosr_column(s->rows, GROSR_COLUMN_A);
    return session == GROSR_NULL ? 1 : session;
}

/* A slice of a worker; of the host, if there is none. */
static void emit_worker_slice(struct grosr_walk *w, struct grosr_export_view *s)
{
    int64_t worker = grosr_column(s->rows, GROSR_COLUMN_B);
    bool open = s->end == GROSR_EXPORT_OPEN;

    if (worker == GROSR_NULL)
        put_slice(w, s,
                  grosr_place_plain(w, open ? GROSR_AT_HOST_UNENDED : GROSR_AT_HOST_WAITS, session_of(s)));
    else if (s->what == GROSR_AT_HOLDS)
        put_slice(w, s, grosr_place_worker(w, GROSR_AT_HOLDS, worker));
    else if (open && !grosr_place_is_open(w, worker, s))
        put_slice(w, s, grosr_place_worker(w, GROSR_AT_UNENDED, worker));
    else
        put_slice(w, s, grosr_place_worker(w, GROSR_AT_WORKER, worker));
}

static struct grosr_export_lanes *worker_or_host(struct grosr_walk *w, int64_t session, int64_t worker)
{
    return worker == GROSR_NULL ? grosr_place_plain(w, GROSR_AT_HOST, session)
                                : grosr_place_worker(w, GROSR_AT_WORKER, worker);
}

static void emit_worker_instant(struct grosr_walk *w, struct grosr_export_view *s)
{
    struct grosr_export_event *e = event_of(w, s);

    add_arguments(s, e);
    put_instant(w, worker_or_host(w, session_of(s), grosr_column(s->rows, GROSR_COLUMN_B)), e);
}

/* Splits the payload into the fields of the event's kind: "count:16 task:40", the first in the top bits. */
static void emit_payload(struct grosr_walk *w, struct grosr_export_view *s)
{
    struct grosr_export_event *e = event_of(w, s);
    uint64_t payload = (uint64_t)grosr_column(s->rows, GROSR_COLUMNS);
    const char *fields = grosr_column_text(s->rows, GROSR_COLUMNS + 1);
    char names[8][32];
    int bits[8], count = 0, taken = 0, below = 0;

    while (fields && count < 8 && sscanf(fields, " %31[^: ]:%d%n", names[count], &bits[count], &taken) == 2 &&
           bits[count] > 0 && bits[count] < 64) {
        below += bits[count++];
        fields += taken;
    }
    if (below > 64) /* a damaged trace */
        count = 0;
    for (int i = 0; i < count; i++) {
        below -= bits[i];
        add_integer(e, names[i], (int64_t)(payload >> below & ((UINT64_C(1) << bits[i]) - 1)));
    }
    put_instant(w, worker_or_host(w, session_of(s), grosr_column(s->rows, GROSR_COLUMN_B)), e);
}

static void emit_note(struct grosr_walk *w, struct grosr_export_view *s)
{
    struct grosr_export_event *e = event_of(w, s);

    add_arguments(s, e);
    put_instant(w, grosr_place_plain(w, GROSR_AT_NOTES, session_of(s)), e);
}

/* One event for all tasks that were enqueued at once, with an arrow to each. */
void grosr_walk_flush_batch(struct grosr_walk *w)
{
    struct grosr_export_batch *b = &w->batch;
    struct grosr_export_event *e = &w->event;

    if (!b->tasks)
        return;
    e->time = b->time;
    e->category = "enqueue";
    e->name = b->worker == GROSR_NULL ? "submit" : "spawn";
    e->arguments = 0;
    add_integer(e, "tasks", (int64_t)b->tasks);
    add_integer(e, "first", b->first);
    e->role = GROSR_FLOW_FROM;
    e->flow = b->flow;
    e->flows = b->tasks;
    b->tasks = 0;
    put_instant(w, worker_or_host(w, b->session, b->worker), e);
}

static void emit_submit(struct grosr_walk *w, struct grosr_export_view *s)
{
    struct grosr_export_batch *b = &w->batch;
    int64_t spawner = grosr_column(s->rows, GROSR_COLUMN_B), task = grosr_column(s->rows, GROSR_COLUMN_FLOW),
            session = session_of(s);

    if (b->time != s->start || b->session != session || b->worker != spawner || b->tasks == BATCH_MAX)
        grosr_walk_flush_batch(w);
    if (b->tasks == b->room) {
        size_t room = b->room ? 2 * b->room : 64;
        uint64_t *more = (uint64_t *)realloc(b->flow, room * sizeof(*more));
        if (!more) {
            grosr_walk_no_memory(w);
            return;
        }
        b->flow = more;
        b->room = room;
    }
    if (!b->tasks) {
        b->time = s->start;
        b->session = session;
        b->worker = spawner;
        b->first = task;
    }
    if (task < b->first)
        b->first = task;
    b->flow[b->tasks++] = flow_number(session, task, false);
}

static void emit_counter(struct grosr_walk *w, struct grosr_export_view *s)
{
    struct grosr_export_lanes *lanes = grosr_place_counter(w, s, session_of(s));

    if (lanes)
        w->writer->calls->counter(w->writer, grosr_export_first_lane(lanes), s->start,
                                  sqlite3_column_double(s->rows, GROSR_COLUMNS));
}

static void emit_thread_slice(struct grosr_walk *w, struct grosr_export_view *s)
{
    put_slice(
        w, s,
        grosr_place_thread(w, grosr_column(s->rows, GROSR_COLUMN_A), grosr_column(s->rows, GROSR_COLUMN_B)));
}

static void emit_thread_instant(struct grosr_walk *w, struct grosr_export_view *s)
{
    struct grosr_export_event *e = event_of(w, s);

    add_arguments(s, e);
    put_instant(
        w,
        grosr_place_thread(w, grosr_column(s->rows, GROSR_COLUMN_A), grosr_column(s->rows, GROSR_COLUMN_B)),
        e);
}

static void emit_port_slice(struct grosr_walk *w, struct grosr_export_view *s)
{
    put_slice(w, s, grosr_place_port(w, session_of(s), grosr_column(s->rows, GROSR_COLUMN_B)));
}

static void emit_process_slice(struct grosr_walk *w, struct grosr_export_view *s)
{
    put_slice(w, s, grosr_place_plain(w, s->what, grosr_column(s->rows, GROSR_COLUMN_A)));
}

static void emit_gpu_slice(struct grosr_walk *w, struct grosr_export_view *s)
{
    struct grosr_export_key key = {
        s->what, grosr_column(s->rows, GROSR_COLUMN_A), grosr_column(s->rows, GROSR_COLUMN_B),
        grosr_column(s->rows, GROSR_COLUMN_C), grosr_column(s->rows, GROSR_COLUMN_D)};
    put_slice(w, s, grosr_place_gpu(w, &key));
}

const struct grosr_export_view grosr_export_views[GROSR_EXPORT_VIEWS] = {
    {.view = "nvtx_ranges", .category = "nvtx", .emit = emit_process_slice, .what = GROSR_AT_NVTX_RANGES},
    {.view = "nvtx", .category = "nvtx", .emit = emit_thread_slice, .what = GROSR_AT_THREAD},
    {.view = "nvtx_marks", .category = "nvtx", .emit = emit_thread_instant, .what = GROSR_AT_THREAD},
    {.view = "api", .category = "api", .emit = emit_thread_slice, .what = GROSR_AT_THREAD},
    {.view = "kernels", .category = "kernel", .emit = emit_gpu_slice, .what = GROSR_AT_STREAM},
    {.view = "copies", .category = "memory", .emit = emit_gpu_slice, .what = GROSR_AT_STREAM},
    {.view = "sets", .category = "memory", .emit = emit_gpu_slice, .what = GROSR_AT_STREAM},
    {.view = "graphs", .category = "graph", .emit = emit_gpu_slice, .what = GROSR_AT_STREAM},
    {.view = "syncs", .category = "synchronization", .emit = emit_gpu_slice, .what = GROSR_AT_SYNCS},
    {.view = "submits", .category = "enqueue", .emit = emit_submit, .what = GROSR_AT_HOST},
    {.view = "tasks", .category = "task", .emit = emit_worker_slice, .what = GROSR_AT_WORKER},
    {.view = "waits", .category = "wait", .emit = emit_worker_slice, .what = GROSR_AT_HOST_WAITS},
    {.view = "idle", .category = "idle", .emit = emit_worker_slice, .what = GROSR_AT_WORKER},
    {.view = "ranges", .category = "range", .emit = emit_worker_slice, .what = GROSR_AT_WORKER},
    {.view = "holds", .category = "hold", .emit = emit_worker_slice, .what = GROSR_AT_HOLDS},
    {.view = "syscalls", .category = "syscall", .emit = emit_port_slice, .what = GROSR_AT_SYSCALLS},
    {.view = "ends", .category = "end", .emit = emit_worker_instant, .what = GROSR_AT_WORKER},
    {.view = "instants", .category = "event", .emit = emit_payload, .what = GROSR_AT_WORKER},
    {.view = "heap_errors", .category = "memory", .emit = emit_worker_instant, .what = GROSR_AT_WORKER},
    {.view = "losses", .category = "loss", .emit = emit_worker_instant, .what = GROSR_AT_WORKER},
    {.view = "notes", .category = "note", .emit = emit_note, .what = GROSR_AT_NOTES},
    {.view = "queues", .category = "counter", .emit = emit_counter, .what = GROSR_AT_QUEUE},
    {.view = "counters", .category = "counter", .emit = emit_counter, .what = GROSR_AT_COUNTER},
    {.view = "heaps", .category = "counter", .emit = emit_counter, .what = GROSR_AT_HEAP},
    {.view = "clocks", .category = "counter", .emit = emit_counter, .what = GROSR_AT_CLOCK},
};
