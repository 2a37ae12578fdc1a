/*
 * The graph of a session, as live.h explains it, and its findings.
 */
#include "live_parts.h"

#include "../base/error.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* ---- actors ---- */

/* A worker that is in something of which nothing can be seen from outside. */
static void add_busy(struct live_graph *g, uint32_t index)
{
    const struct live_worker *w = &g->live->worker[index];
    char text[LIVE_TEXT], age[32], function[GROSR_NAME_BYTES];
    uint64_t quiet = live_age(g->live, w->quiet_ns);

    if (quiet <= g->findings->threshold_ns) {
        grosr_graph_set_state(g->graph, g->worker[index], GROSR_ACTOR_ABLE, w->since_ns);
        return;
    }
    grosr_graph_set_state(g->graph, g->worker[index], GROSR_ACTOR_UNSEEN, w->since_ns);
    grosr_duration_text(age, sizeof(age), quiet);
    if (w->state.activity == GROSR_IN_TASK) {
        live_function(g->live, w->state.function, function, sizeof(function));
        snprintf(text, sizeof(text), "worker %" PRIu32 ": in task %" PRIu64 " of function %s for %s", index,
                 w->state.task, function, age);
    } else {
        snprintf(text, sizeof(text), "worker %" PRIu32 ": in code of its own, without an event for %s", index,
                 age);
    }
    grosr_graph_actor_fact(g->graph, g->worker[index], text);
}

static void add_worker(struct live_graph *g, uint32_t index)
{
    const struct live_worker *w = &g->live->worker[index];
    char text[32];

    snprintf(text, sizeof(text), "worker %" PRIu32, index);
    g->worker[index] = grosr_graph_actor(g->graph, GROSR_ACTOR_WORKER, index, text);
    switch (w->state.activity) {
    case GROSR_NOT_STARTED:
    case GROSR_STOPPED:
        grosr_graph_set_state(g->graph, g->worker[index], GROSR_ACTOR_GONE, w->since_ns);
        break;
    case GROSR_IN_TASK:
    case GROSR_RUNNING:
        add_busy(g, index);
        break;
    default: /* able, or made to wait below */
        break;
    }
}

/* Whoever else could supply what nobody is known to supply. */
static void add_rest(struct live_graph *g)
{
    const struct grosr_live *live = g->live;
    enum grosr_actor_state state = GROSR_ACTOR_ABLE;

    g->rest = grosr_graph_actor(g->graph, GROSR_ACTOR_PROCESS, live->session->header.pid,
                                "the rest of the program");
    if (g->still) {
        state = GROSR_ACTOR_GONE;
        for (uint32_t i = 0; i < live->session->header.workers; i++) {
            const struct live_worker *w = &live->worker[i];
            if (w->known && (w->state.activity == GROSR_IN_TASK || w->state.activity == GROSR_RUNNING))
                state = GROSR_ACTOR_UNSEEN;
        }
    }
    grosr_graph_set_state(g->graph, g->rest, state, live_still_since(live));
}

/* ---- the host and the heap ---- */

/* The host thread that waits for room in the queue: every worker that could take a task can make some. */
static void add_host(struct live_graph *g)
{
    const struct grosr_live *live = g->live;
    char text[LIVE_TEXT];

    if (!g->holds->host_waits_since)
        return;
    uint32_t thread = grosr_graph_actor(g->graph, GROSR_ACTOR_THREAD, 0, "the host thread that submits");
    uint32_t room = grosr_graph_resource(g->graph, GROSR_WANTED_QUEUE_ROOM, 0, "room in queue 0");
    for (uint32_t i = 0; i < live->session->header.workers; i++)
        if (live->worker[i].known && live->worker[i].state.activity != GROSR_STOPPED)
            grosr_graph_feed(g->graph, g->worker[i], room);
    grosr_graph_wait(g->graph, thread, room, 1, 0, g->holds->host_waits_since);
    snprintf(text, sizeof(text),
             "queue 0: %" PRIu64 " tasks queued, %" PRIu64 " submitted ones not completed", live->untaken,
             live->uncompleted);
    grosr_graph_resource_fact(g->graph, room, text);
}

/* Workers whose request for memory failed in the task that they are in, and who have asked again since, wait
 * for memory; so does each of them for what the others hold. */
static void add_memory(struct live_graph *g)
{
    struct grosr_live *live = g->live;
    const struct grosr_heap_counters *c = &live->heap;
    char text[LIVE_TEXT];
    bool any = false;

    if (!live->has_heap || !g->still || !live->heap_fails)
        return;
    uint32_t memory = grosr_graph_resource(g->graph, GROSR_WANTED_MEMORY, 0, "memory of the GPU's heap");
    for (uint64_t n = 0; n < c->errors && n < GROSR_HEAP_ERRORS_MAX; n++) {
        const struct grosr_heap_error *e = &c->error[(c->errors - 1 - n) % GROSR_HEAP_ERRORS_MAX];
        if (e->kind != GROSR_HEAP_NO_MEMORY || e->worker >= live->session->header.workers)
            continue;
        const struct live_worker *w = &live->worker[e->worker];
        if (!w->known || w->state.activity != GROSR_IN_TASK || w->state.task != e->task)
            continue;
        grosr_graph_wait(g->graph, g->worker[e->worker], memory, 1, 0, w->since_ns);
        snprintf(text, sizeof(text),
                 "worker %" PRIu64 ": task %" PRIu64 " asked for %" PRIu64 " bytes and got none", e->worker,
                 e->task, e->at);
        grosr_graph_actor_fact(g->graph, g->worker[e->worker], text);
        any = true;
    }
    for (uint32_t i = 0; any && i < live->session->header.workers; i++)
        if (live->worker[i].known && live->worker[i].state.activity == GROSR_IN_TASK)
            grosr_graph_hold(g->graph, g->worker[i], memory, 1, live->worker[i].since_ns);
    snprintf(text, sizeof(text),
             "%" PRIu64 " of %" PRIu64 " bytes of the heap are in use by %" PRIu64 " blocks; %" PRIu64
             " requests have failed",
             grosr_heap_used_bytes(c), c->arena_bytes, grosr_heap_live(c), grosr_heap_failures(c));
    grosr_graph_resource_fact(g->graph, memory, text);
}

/* ---- all of it ---- */

/* Whether every worker waits for resources of one name, and nothing is unfinished: then they wait for work.
 */
static bool waits_for_work(const struct live_graph *g)
{
    const struct grosr_live *live = g->live;
    uint64_t name = UINT64_MAX;

    if (live->untaken || live->uncompleted || live->mailbox.calls || g->holds->host_waits_since)
        return false;
    for (uint32_t i = 0; i < g->holds->holds; i++)
        if (g->holds->hold[i].count)
            return false;
    for (uint32_t i = 0; i < live->session->header.workers; i++) {
        const struct live_worker *w = &live->worker[i];
        if (!w->known || w->state.activity == GROSR_STOPPED)
            continue;
        if (w->state.activity != GROSR_WAITING || !grosr_resource_has_name(w->state.resource) ||
            w->in_range || (name != UINT64_MAX && name != w->state.index >> 32))
            return false;
        name = w->state.index >> 32;
    }
    return name != UINT64_MAX;
}

static int build(struct live_graph *g)
{
    const struct grosr_live *live = g->live;
    bool work = waits_for_work(g);

    for (uint32_t i = 0; i < live->session->header.workers; i++)
        add_worker(g, i);
    add_rest(g);
    if (work)
        g->findings->otherwise = GROSR_VERDICT_IDLE;
    live_graph_calls(g);
    for (uint32_t i = 0; !work && i < live->session->header.workers; i++)
        if (live->worker[i].known && live->worker[i].state.activity == GROSR_WAITING)
            live_graph_wait(g, i);
    add_host(g);
    add_memory(g);
    return 0;
}

int live_graph_findings(struct grosr_live *live, const struct live_holds *holds,
                        struct grosr_findings *findings)
{
    struct live_graph g = {.live = live, .holds = holds, .findings = findings};
    struct grosr_solution solution;
    int err = grosr_graph_create(&g.graph);

    if (err)
        return err;
    g.still = live_is_still(live, findings->threshold_ns);
    uint32_t starved = g.still ? grosr_process_starved(live->thread_before, live->threads_before,
                                                       live->thread, live->threads)
                               : 0;
    if (starved) { /* its threads have not looked yet at what is there for them: nothing follows from that */
        g.still = false;
        live_remark_starved(&g, starved);
    }
    g.worker = (uint32_t *)calloc(live->session->header.workers + 1, sizeof(*g.worker));
    if (!g.worker) {
        grosr_graph_free(g.graph);
        return grosr_fail(ENOMEM, "out of memory");
    }
    if (live_is_stopped(live)) {
        live_remark_stopped(&g);
    } else {
        build(&g);
        err = grosr_graph_solve(g.graph, &solution);
        if (!err) {
            grosr_findings_from_graph(findings, g.graph, &solution, live->now_ns);
            grosr_solution_free(&solution);
            live_remarks(&g);
        }
    }
    free(g.worker);
    grosr_graph_free(g.graph);
    return err;
}
