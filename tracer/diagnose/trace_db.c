/*
 * The wait-for graph of each session of a trace (trace_db.h).
 */
#include "trace_db_parts.h"

#include "../base/error.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- workers ---- */

static void add_worker(struct trace_session *s, sqlite3_stmt *row)
{
    struct trace_worker w = {.worker = sqlite3_column_int64(row, 0),
                             .ended = sqlite3_column_type(row, 1) == SQLITE_NULL ||
                                      sqlite3_column_type(row, 2) != SQLITE_NULL,
                             .in_task = sqlite3_column_type(row, 3) != SQLITE_NULL,
                             .task = sqlite3_column_int64(row, 3),
                             .task_since = trace_time(row, 5),
                             .latest = trace_time(row, 6),
                             .in_range = sqlite3_column_int(row, 7) > 0,
                             .seeks = sqlite3_column_int(row, 8),
                             .silent = sqlite3_column_int(row, 9)};
    char text[32];

    if (!(s->workers & (s->workers - 1))) {
        size_t room = s->workers ? 2 * (size_t)s->workers : 1;
        struct trace_worker *more = (struct trace_worker *)realloc(s->worker, room * sizeof(*more));
        if (!more) {
            s->error = grosr_fail(ENOMEM, "out of memory");
            return;
        }
        s->worker = more;
    }
    snprintf(w.function, sizeof(w.function), "%s", trace_text(row, 4));
    snprintf(text, sizeof(text), "worker %" PRId64, w.worker);
    w.actor = grosr_graph_actor(s->graph, GROSR_ACTOR_WORKER, (uint64_t)w.worker, text);
    s->worker[s->workers++] = w;
    if (w.latest > s->as_of)
        s->as_of = w.latest;
    if (w.latest > s->moved)
        s->moved = w.latest;
}

/* A worker that was in something of which no event says anything. */
static void judge_busy(struct trace_session *s, const struct trace_worker *w)
{
    char text[TRACE_TEXT], age[32];

    if (w->seeks || trace_age_of(s, w->latest) <= s->findings->threshold_ns)
        return;
    grosr_graph_set_state(s->graph, w->actor, GROSR_ACTOR_UNSEEN, w->latest);
    grosr_duration_text(age, sizeof(age), trace_age_of(s, w->latest));
    if (w->in_task)
        snprintf(text, sizeof(text), "worker %" PRId64 ": in task %" PRId64 " of function %s for %s",
                 w->worker, w->task, w->function, age);
    else
        snprintf(text, sizeof(text), "worker %" PRId64 ": in code of its own, without an event for %s",
                 w->worker, age);
    grosr_graph_actor_fact(s->graph, w->actor, text);
}

static void judge_workers(struct trace_session *s)
{
    enum grosr_actor_state rest = s->still ? GROSR_ACTOR_GONE : GROSR_ACTOR_ABLE;

    for (uint32_t i = 0; i < s->workers; i++) {
        const struct trace_worker *w = &s->worker[i];
        if (w->ended) {
            grosr_graph_set_state(s->graph, w->actor, GROSR_ACTOR_GONE, w->latest);
        } else if (!w->waits) {
            judge_busy(s, w);
            if (s->still && !w->seeks)
                rest = GROSR_ACTOR_UNSEEN;
        }
    }
    grosr_graph_set_state(s->graph, s->rest, rest, s->moved);
}

/* ---- waits and holds ---- */

static void count_wait(struct trace_session *s, sqlite3_stmt *row)
{
    bool worker = sqlite3_column_type(row, 0) != SQLITE_NULL;
    struct trace_worker *w = worker ? trace_find_worker(s, sqlite3_column_int64(row, 0)) : NULL;
    const char *resource = trace_text(row, 1);
    bool named =
        strncmp(resource, "queue", strlen("queue")) && strncmp(resource, "syscall", strlen("syscall"));
    int64_t name = named ? sqlite3_column_int64(row, 2) >> 32 : -1;

    s->one_name = name >= 0 && (!s->waits || (s->one_name && name == s->name));
    s->name = name;
    s->waits++;
    if (w)
        w->waits++;
}

static void count_hold(struct trace_session *s, sqlite3_stmt *row)
{
    (void)row;
    s->holds++;
}

static enum grosr_graph_resource kind_of(const char *resource)
{
    static const struct {
        const char *resource;
        enum grosr_graph_resource kind;
    } kinds[] = {{"queue_not_full", GROSR_WANTED_QUEUE_ROOM},
                 {"syscall_port", GROSR_WANTED_PORT},
                 {"syscall_reply", GROSR_WANTED_REPLY},
                 {"lock", GROSR_WANTED_LOCK},
                 {"barrier", GROSR_WANTED_BARRIER},
                 {"dependency", GROSR_WANTED_DEPENDENCY},
                 {"memory", GROSR_WANTED_MEMORY},
                 {"room", GROSR_WANTED_QUEUE_ROOM},
                 {"item", GROSR_WANTED_QUEUE_TASK}};

    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
        if (!strcmp(resource, kinds[i].resource))
            return kinds[i].kind;
    return GROSR_WANTED_NAMED;
}

static bool is_queue(sqlite3_stmt *row)
{
    return !strncmp(trace_text(row, 1), "queue", strlen("queue"));
}

/* The node of a row of waits.sql or holds.sql. */
static uint32_t resource_of(struct trace_session *s, sqlite3_stmt *row)
{
    enum grosr_graph_resource kind = kind_of(trace_text(row, 1));
    uint64_t index = (uint64_t)sqlite3_column_int64(row, 2);
    char text[TRACE_TEXT];

    if (is_queue(row))
        snprintf(text, sizeof(text), "room in queue %s", trace_text(row, 3));
    else if (kind == GROSR_WANTED_REPLY)
        snprintf(text, sizeof(text), "the reply in port %" PRIu64, index);
    else if (kind == GROSR_WANTED_PORT)
        snprintf(text, sizeof(text), "a port for a system call");
    else
        snprintf(text, sizeof(text), "%s", trace_text(row, 3));
    /* A wait is for any port. What tasks name is apart from queues and the heap. */
    if (kind == GROSR_WANTED_PORT)
        index = 0;
    else if (kind != GROSR_WANTED_REPLY && kind != GROSR_WANTED_NAMED && !is_queue(row))
        index |= UINT64_C(1) << 63;
    return grosr_graph_resource(s->graph, kind, index, text);
}

/* A worker that looked for tasks while nothing moved: the task of it that took the resource had ended or
 * waited for others. */
static uint32_t holder(struct trace_session *s, const struct trace_worker *w)
{
    char text[64];

    if (!s->still || !w->seeks || w->in_task || w->waits)
        return w->actor;
    snprintf(text, sizeof(text), "a task that worker %" PRId64 " has run", w->worker);
    uint32_t task = grosr_graph_actor(s->graph, GROSR_ACTOR_TASK, UINT64_MAX - (uint64_t)w->worker, text);
    grosr_graph_set_state(s->graph, task, GROSR_ACTOR_GONE, w->latest);
    return task;
}

static void add_hold(struct trace_session *s, sqlite3_stmt *row)
{
    const struct trace_worker *w = trace_find_worker(s, sqlite3_column_int64(row, 0));

    if (w)
        grosr_graph_hold(s->graph, holder(s, w), resource_of(s, row), 1, trace_time(row, 4));
}

/* Who empties a queue, and who may supply what nobody holds. */
static void add_suppliers(struct trace_session *s, uint32_t resource, bool released)
{
    struct grosr_resource_view r = grosr_graph_resource_view(s->graph, resource);
    char text[TRACE_TEXT], age[32];

    if (r.kind == GROSR_WANTED_REPLY) { /* whose call has no row before it is answered */
        uint32_t proxy = grosr_graph_actor(s->graph, GROSR_ACTOR_PROXY, 1, "the proxy");
        if (s->still && s->died) {
            grosr_graph_resource_fact(
                s->graph, resource,
                "it was not answered before the process was killed, and nothing else moved; what "
                "the proxy was in is not in a trace");
            return;
        }
        grosr_graph_set_state(s->graph, proxy, GROSR_ACTOR_UNSEEN, 0);
        grosr_graph_feed(s->graph, proxy, resource);
        return;
    }
    if (r.kind == GROSR_WANTED_QUEUE_ROOM && !(r.id >> 63)) {
        for (uint32_t i = 0; i < s->workers; i++)
            grosr_graph_feed(s->graph, s->worker[i].actor, resource);
        return;
    }
    if (r.holds)
        return;
    if (!s->still || grosr_graph_actor_view(s->graph, s->rest).state != GROSR_ACTOR_GONE)
        grosr_graph_feed(s->graph, s->rest, resource);
    if (released)
        grosr_graph_resource_fact(s->graph, resource,
                                  "nobody holds it: it was released, and is still waited for");
    else if (r.kind == GROSR_WANTED_LOCK)
        grosr_graph_set_unknown(s->graph, resource, "who has it is not in the trace");
    if (!s->still)
        return;
    snprintf(text, sizeof(text), "nothing else in the session had moved for %s",
             grosr_duration_text(age, sizeof(age), trace_age_of(s, s->moved)));
    grosr_graph_resource_fact(s->graph, resource, text);
}

static void add_wait(struct trace_session *s, sqlite3_stmt *row)
{
    uint32_t before = grosr_graph_resources(s->graph), resource = resource_of(s, row), actor;

    if (resource == GROSR_GRAPH_NONE)
        return;
    if (grosr_graph_resources(s->graph) != before)
        add_suppliers(s, resource, sqlite3_column_int(row, 5));
    if (sqlite3_column_type(row, 0) == SQLITE_NULL) {
        actor = grosr_graph_actor(s->graph, GROSR_ACTOR_THREAD, 0, "the host thread that submits");
    } else {
        const struct trace_worker *w = trace_find_worker(s, sqlite3_column_int64(row, 0));
        actor = w && !w->ended ? w->actor : GROSR_GRAPH_NONE;
    }
    grosr_graph_wait(s->graph, actor, resource, 1, 0, trace_time(row, 4));
}

/* ---- system calls and memory ---- */

/* Whether it ended only because the session was stopped. What waits for a disk does not end then. */
static bool was_cut_off(sqlite3_stmt *row)
{
    const char *name = trace_text(row, 2);
    bool moves_bytes =
        !strcmp(name, "read") || !strcmp(name, "write") || !strcmp(name, "pread") || !strcmp(name, "pwrite");

    return moves_bytes && sqlite3_column_int64(row, 7) == -ECANCELED;
}

static void look_at_call(struct trace_session *s, sqlite3_stmt *row)
{
    bool served = sqlite3_column_type(row, 4) != SQLITE_NULL;

    s->calls = true;
    s->calls_in_service |= served;
    s->calls_lasted |= served && !was_cut_off(row);
}

/* The proxy's thread for a call that waits for another process. */
static uint32_t blocked_thread(struct trace_session *s, sqlite3_stmt *row, uint64_t port)
{
    char text[TRACE_TEXT];

    snprintf(text, sizeof(text), "the proxy's thread for port %" PRIu64, port);
    uint32_t thread = grosr_graph_actor(s->graph, GROSR_ACTOR_THREAD, 1 + port, text);
    snprintf(text, sizeof(text), "%s of handle %d", trace_text(row, 2), sqlite3_column_int(row, 5));
    uint32_t call = grosr_graph_resource(s->graph, GROSR_WANTED_CALL, port, text);
    grosr_graph_resource_fact(
        s->graph, call, "it was cut off when the session was stopped, as only a wait for another process is");
    grosr_graph_wait(s->graph, thread, call, 1, 0, trace_time(row, 4));
    return thread;
}

/* Who answers a call: a proxy that serves it, or that has taken none up since. */
static uint32_t server_of(struct trace_session *s, sqlite3_stmt *row, uint64_t port, uint64_t since)
{
    uint32_t proxy;

    if (sqlite3_column_type(row, 4) == SQLITE_NULL) {
        proxy = grosr_graph_actor(s->graph, GROSR_ACTOR_PROXY, 1, "the proxy");
        grosr_graph_set_state(s->graph, proxy,
                              s->still && !s->calls_in_service ? GROSR_ACTOR_GONE : GROSR_ACTOR_ABLE, since);
        grosr_graph_set_end(s->graph, proxy, "it has not taken the call up");
        return proxy;
    }
    if (s->still && !s->calls_lasted)
        return blocked_thread(s, row, port);
    proxy = grosr_graph_actor(s->graph, GROSR_ACTOR_PROXY, 0, "the proxy, which serves a call");
    grosr_graph_set_state(s->graph, proxy, GROSR_ACTOR_UNSEEN, 0);
    return proxy;
}

/* A call that waits for its reply. */
static void add_call(struct trace_session *s, sqlite3_stmt *row)
{
    const struct trace_worker *w = trace_find_worker(s, sqlite3_column_int64(row, 0));
    uint64_t port = (uint64_t)sqlite3_column_int64(row, 1), since = trace_time(row, 3);
    bool served = sqlite3_column_type(row, 4) != SQLITE_NULL;
    char text[TRACE_TEXT], age[32];
    uint32_t reply;

    if (!w || w->ended)
        return;
    snprintf(text, sizeof(text), "the reply to %s in port %" PRIu64, trace_text(row, 2), port);
    reply = grosr_graph_resource(s->graph, GROSR_WANTED_REPLY, port, text);
    snprintf(text, sizeof(text), "port %" PRIu64 ": %s of handle %d, task %" PRId64 ", %s for %s", port,
             trace_text(row, 2), sqlite3_column_int(row, 5), (int64_t)sqlite3_column_int64(row, 6),
             served ? "with the proxy" : "not taken up by the proxy",
             grosr_duration_text(age, sizeof(age), trace_age_of(s, served ? trace_time(row, 4) : since)));
    grosr_graph_resource_fact(s->graph, reply, text);
    grosr_graph_feed(s->graph, server_of(s, row, port, since), reply);
    grosr_graph_wait(s->graph, w->actor, reply, 1, 0, since);
}

static void add_no_memory(struct trace_session *s, sqlite3_stmt *row)
{
    const struct trace_worker *w = trace_find_worker(s, sqlite3_column_int64(row, 0));
    char text[TRACE_TEXT];

    if (!w || !s->still)
        return;
    uint32_t memory = grosr_graph_resource(s->graph, GROSR_WANTED_MEMORY, 0, "memory of the GPU's heap");
    if (!grosr_graph_resource_view(s->graph, memory).holds)
        for (uint32_t i = 0; i < s->workers; i++)
            if (s->worker[i].in_task)
                grosr_graph_hold(s->graph, s->worker[i].actor, memory, 1, s->worker[i].task_since);
    grosr_graph_wait(s->graph, w->actor, memory, 1, 0, trace_time(row, 3));
    snprintf(text, sizeof(text),
             "worker %" PRId64 ": task %" PRId64 " asked for %" PRId64 " bytes and got none", w->worker,
             (int64_t)sqlite3_column_int64(row, 1), (int64_t)sqlite3_column_int64(row, 2));
    grosr_graph_actor_fact(s->graph, w->actor, text);
}

/* ---- a session ---- */

/* Whether all workers wait for resources of one name, and nothing is unfinished: then they wait for work. */
static bool waits_for_work(const struct trace_session *s)
{
    if (s->untaken || s->uncompleted || s->holds || !s->waits || !s->one_name)
        return false;
    for (uint32_t i = 0; i < s->workers; i++)
        if (!s->worker[i].ended && (!s->worker[i].waits || s->worker[i].in_range || s->worker[i].in_task))
            return false;
    return true;
}

static void build(struct trace_session *s)
{
    trace_ask_then(s, "workers", add_worker);
    s->rest = grosr_graph_actor(s->graph, GROSR_ACTOR_PROCESS, (uint64_t)s->pid, "the rest of the program");
    s->still = trace_age_of(s, s->moved) > s->findings->threshold_ns;
    trace_ask_then(s, "waits", count_wait);
    trace_ask_then(s, "holds", count_hold);
    trace_ask_then(s, "syscalls", look_at_call);
    if (s->error)
        return;
    judge_workers(s);
    if (waits_for_work(s))
        return;
    trace_ask_then(s, "holds", add_hold);
    trace_ask_then(s, "syscalls", add_call); /* before waits for replies, which know less of the calls */
    trace_ask_then(s, "waits", add_wait);
    trace_ask_then(s, "no_memory", add_no_memory);
}

static void say_workers(FILE *out, uint32_t n, const char *one, const char *several)
{
    if (n)
        fprintf(out, "%s%" PRIu32 " %s", ftell(out) ? "; " : "", n, n == 1 ? one : several);
}

static void describe(struct trace_session *s)
{
    uint32_t in_task = 0, waiting = 0, seeking = 0, other = 0, ended = 0;
    size_t length;
    FILE *out = open_memstream(&s->findings->state, &length);

    for (uint32_t i = 0; i < s->workers; i++) {
        const struct trace_worker *w = &s->worker[i];
        if (w->ended)
            ended++;
        else if (w->waits)
            waiting++;
        else if (w->in_task)
            in_task++;
        else if (w->seeks)
            seeking++;
        else
            other++;
    }
    bool owes = s->untaken || s->uncompleted || in_task || other || (waiting && !waits_for_work(s));
    s->findings->otherwise = owes ? GROSR_VERDICT_HEALTHY : GROSR_VERDICT_IDLE;
    if (out) {
        say_workers(out, in_task, "worker was in a task", "workers were in tasks");
        say_workers(out, other, "worker was in code of its own", "workers were in code of their own");
        say_workers(out, waiting, "worker waited for something other than a task",
                    "workers waited for something other than a task");
        say_workers(out, seeking, "worker looked for a task", "workers looked for tasks");
        say_workers(out, ended, "worker had stopped or not started", "workers had stopped or not started");
        if (s->untaken || s->uncompleted)
            fprintf(out,
                    "; %" PRId64 " tasks waited in queues, %" PRId64 " submitted ones were not completed",
                    s->untaken, s->uncompleted);
    }
    if (!out || fclose(out) ||
        asprintf(&s->findings->source, "process %" PRId64 ", session %" PRId64 " of the trace (%s, %s), %s",
                 s->pid, s->session, s->device, s->program,
                 s->at_stop    ? "as of when it was stopped"
                 : s->recorded ? "as far as it has been recorded"
                 : s->died     ? "which has died"
                               : "as of the end of its recording") < 0)
        s->error = grosr_fail(ENOMEM, "out of memory");
}

void trace_diagnose(struct trace_session *s)
{
    struct grosr_solution solution;

    if (grosr_graph_create(&s->graph)) {
        s->error = grosr_fail(ENOMEM, "out of memory");
        return;
    }
    build(s);
    if (!s->error)
        describe(s);
    if (!s->error && grosr_graph_solve(s->graph, &solution))
        s->error = grosr_fail(ENOMEM, "out of memory");
    else if (!s->error) {
        grosr_findings_from_graph(s->findings, s->graph, &solution, s->as_of);
        grosr_solution_free(&solution);
        trace_remarks(s);
        trace_slow(s);
    }
    grosr_graph_free(s->graph);
}
