/*
 * Workers' waits in the graph, and who could end them: the holders that HOLD events name, what a bounded wait
 * has noted of itself (wait_facts.h), or else the rest of the program (live.h).
 */
#include "live_parts.h"

#include "../session/level.h"
#include "../session/wait_facts.h"

#include <inttypes.h>
#include <stdio.h>

/* Whether it waits for what the host or its kernel gives, and so may yet supply something. */
static bool waits_outside(const struct live_worker *w)
{
    return w->known && w->state.activity == GROSR_WAITING && !grosr_resource_has_name(w->state.resource);
}

/* Nobody is known who could supply it. */
static void add_unknown(struct live_graph *g, uint32_t resource)
{
    const struct grosr_live *live = g->live;
    char text[LIVE_TEXT], age[32];

    for (uint32_t i = 0; i < live->session->header.workers; i++)
        if (waits_outside(&live->worker[i]))
            grosr_graph_feed(g->graph, g->worker[i], resource);
    if (grosr_graph_actor_view(g->graph, g->rest).state != GROSR_ACTOR_GONE) {
        grosr_graph_feed(g->graph, g->rest, resource);
        return;
    }
    grosr_duration_text(age, sizeof(age), live_age(live, live_still_since(live)));
    snprintf(text, sizeof(text), "nothing else in the session has moved for %s", age);
    grosr_graph_resource_fact(g->graph, resource, text);
}

/*
 * Who is to give it back: the worker; or, if that looks for tasks while nothing moves, the task of it that
 * took the resource, which has ended or waits for others, and so is gone.
 */
static uint32_t holder(struct live_graph *g, const struct live_hold *h)
{
    const struct live_worker *w = &g->live->worker[h->worker];
    bool idle = w->state.activity == GROSR_SEEKING || w->state.activity == GROSR_IDLE;
    char text[64];

    if (!g->still || !w->known || !idle)
        return g->worker[h->worker];
    snprintf(text, sizeof(text), "a task that worker %" PRIu32 " has run", h->worker);
    uint32_t task = grosr_graph_actor(g->graph, GROSR_ACTOR_TASK, UINT64_MAX - h->worker, text);
    grosr_graph_set_state(g->graph, task, GROSR_ACTOR_GONE, w->since_ns);
    return task;
}

/* Nobody is known to hold it, which need not mean that nobody does. */
static void add_unrecorded(struct live_graph *g, uint32_t resource)
{
    uint32_t level = sys_load_relaxed(&grosr_session_live(g->live->session)->level);
    char text[LIVE_TEXT];

    if (level < GROSR_LEVEL_SPANS)
        snprintf(text, sizeof(text), "who has it, or would supply it, is not recorded at trace level `%s`",
                 grosr_level_name(level));
    else if (grosr_graph_resource_view(g->graph, resource).kind == GROSR_WANTED_LOCK)
        snprintf(text, sizeof(text), "who has it is not in the events that the rings still have");
    else
        return;
    grosr_graph_set_unknown(g->graph, resource, text);
}

/* Who gives it back, or could supply it. */
static void add_suppliers(struct live_graph *g, uint32_t resource, uint64_t payload)
{
    bool held = false;

    for (uint32_t i = 0; i < g->holds->holds; i++) {
        const struct live_hold *h = &g->holds->hold[i];
        if (h->payload != payload || !h->count)
            continue;
        grosr_graph_hold(g->graph, holder(g, h), resource, 1, h->since);
        held = true;
    }
    if (held)
        return;
    if (live_holds_know(g->holds, payload))
        grosr_graph_resource_fact(g->graph, resource,
                                  "nobody holds it: it was released, and is still waited for");
    else
        add_unrecorded(g, resource);
    add_unknown(g, resource);
}

/* ---- bounded waits ---- */

static void add_lock(struct live_graph *g, const struct grosr_wait_facts *f, uint32_t resource)
{
    if (!f->held || f->holder == GROSR_WAIT_NOBODY)
        add_unknown(g, resource);
    else
        grosr_graph_hold(g->graph, g->worker[f->holder], resource, 1,
                         live_host_time(g->live, f->holder_since));
}

/* The worker waits for the arrival of another one at the barrier. */
static void add_arrival(struct live_graph *g, uint32_t worker, const struct grosr_wait_facts *f,
                        const char *name, uint32_t missing)
{
    char text[LIVE_TEXT + 64];

    snprintf(text, sizeof(text), "worker %" PRIu32 " at %s", missing, name);
    uint32_t resource =
        grosr_graph_resource(g->graph, GROSR_WANTED_BARRIER, f->address << 16 | (missing + 1), text);
    grosr_graph_feed(g->graph, g->worker[missing], resource);
    grosr_graph_wait(g->graph, g->worker[worker], resource, 1, 0, g->live->worker[worker].since_ns);
}

/* Whether the one that the wait has noted as missing has not arrived since. */
static bool is_missing(const struct live_graph *g, const struct grosr_wait_facts *f)
{
    struct grosr_wait_facts other;

    return f->holder != GROSR_WAIT_NOBODY &&
           !(grosr_wait_facts_read(g->live->session, f->holder, &other) && other.kind == GROSR_WAIT_BARRIER &&
             other.address == f->address);
}

/*
 * A barrier needs all who have not arrived, so the worker waits for the arrival of each. If some of those
 * that it waits for have left, nobody supplies theirs. If more are missing than it waits for, they cannot be
 * told from those that have no part in it, but for the one that the wait has noted, which was there the time
 * before.
 */
static void add_barrier(struct live_graph *g, uint32_t worker, const struct grosr_wait_facts *f,
                        const char *name, const char *fact)
{
    uint32_t missing[64], n = grosr_wait_facts_missing(g->live->session, f, missing, 64), resource;
    uint64_t wanted = f->wanted > f->seen ? f->wanted - f->seen : 0;
    bool noted = n > wanted && is_missing(g, f);

    for (uint32_t i = 0; n <= wanted && i < n && i < 64; i++)
        add_arrival(g, worker, f, name, missing[i]);
    if (noted)
        add_arrival(g, worker, f, name, f->holder);
    if ((n == wanted && n) || (noted && wanted == 1))
        return;
    uint32_t before = grosr_graph_resources(g->graph);
    resource = grosr_graph_resource(g->graph, GROSR_WANTED_BARRIER, f->address << 16, name);
    if (grosr_graph_resources(g->graph) != before) {
        grosr_graph_resource_fact(g->graph, resource, fact);
        if (n > wanted)
            add_unknown(g, resource);
        else
            grosr_graph_resource_fact(g->graph, resource, "the others have stopped, or have not begun");
    }
    grosr_graph_wait(g->graph, g->worker[worker], resource, 1, 0, g->live->worker[worker].since_ns);
}

/* What a bounded wait is for. False: this is none. */
static bool add_bounded(struct live_graph *g, uint32_t worker, const char *name)
{
    static const enum grosr_graph_resource kinds[] = {
        [GROSR_WAIT_WORD] = GROSR_WANTED_WORD,
        [GROSR_WAIT_LOCK] = GROSR_WANTED_LOCK,
        [GROSR_WAIT_MBARRIER] = GROSR_WANTED_BARRIER,
    };
    struct grosr_wait_facts f;
    char fact[LIVE_TEXT];

    if (!grosr_wait_facts_read(g->live->session, worker, &f))
        return false;
    grosr_wait_facts_describe(&f, fact, sizeof(fact));
    if (f.kind == GROSR_WAIT_BARRIER) {
        add_barrier(g, worker, &f, name, fact);
        return true;
    }
    /* An address in shared memory is another one in each block: the worker's number tells them apart. */
    uint64_t id = f.kind == GROSR_WAIT_MBARRIER ? (uint64_t)worker << 48 | f.address << 16 : f.address;
    uint32_t before = grosr_graph_resources(g->graph);
    uint32_t resource = grosr_graph_resource(g->graph, kinds[f.kind], id, name);
    if (grosr_graph_resources(g->graph) != before) {
        grosr_graph_resource_fact(g->graph, resource, fact);
        if (f.kind == GROSR_WAIT_LOCK)
            add_lock(g, &f, resource);
        else
            add_unknown(g, resource);
    }
    grosr_graph_wait(g->graph, g->worker[worker], resource, 1, 0, g->live->worker[worker].since_ns);
    return true;
}

/* ---- all waits ---- */

static enum grosr_graph_resource wanted(uint32_t resource)
{
    switch (resource) {
    case GROSR_RES_QUEUE_NOT_FULL:
        return GROSR_WANTED_QUEUE_ROOM;
    case GROSR_RES_SYSCALL_PORT:
        return GROSR_WANTED_PORT;
    case GROSR_RES_SYSCALL_REPLY:
        return GROSR_WANTED_REPLY;
    case GROSR_RES_LOCK:
        return GROSR_WANTED_LOCK;
    case GROSR_RES_BARRIER:
        return GROSR_WANTED_BARRIER;
    case GROSR_RES_DEPENDENCY:
        return GROSR_WANTED_DEPENDENCY;
    case GROSR_RES_MEMORY:
        return GROSR_WANTED_MEMORY;
    case GROSR_RES_ROOM:
        return GROSR_WANTED_QUEUE_ROOM;
    case GROSR_RES_ITEM:
        return GROSR_WANTED_QUEUE_TASK;
    default:
        return GROSR_WANTED_NAMED;
    }
}

void live_graph_wait(struct live_graph *g, uint32_t index)
{
    const struct live_worker *w = &g->live->worker[index];
    enum grosr_graph_resource kind = wanted(w->state.resource);
    char name[LIVE_TEXT];

    live_resource(g->live, w->state.resource, w->state.index, name, sizeof(name));
    if (kind == GROSR_WANTED_NAMED && add_bounded(g, index, name))
        return;
    uint32_t before = grosr_graph_resources(g->graph);
    bool named = grosr_resource_has_name(w->state.resource);
    /* Apart from a queue's number and an address. */
    uint64_t id = kind == GROSR_WANTED_NAMED || !named ? w->state.index : w->state.index | UINT64_C(1) << 63;
    uint32_t resource = grosr_graph_resource(g->graph, kind, id, name);
    if (grosr_graph_resources(g->graph) == before) {
        /* Who supplies it has been said. */
    } else if (w->state.resource == GROSR_RES_QUEUE_NOT_FULL) {
        for (uint32_t i = 0; i < g->live->session->header.workers; i++)
            if (g->live->worker[i].known && g->live->worker[i].state.activity != GROSR_STOPPED)
                grosr_graph_feed(g->graph, g->worker[i], resource);
    } else if (named) {
        add_suppliers(g, resource, grosr_payload_wait(w->state.resource, w->state.index));
    } else {
        grosr_graph_feed(g->graph, g->rest, resource); /* it has just been answered, or given back */
    }
    grosr_graph_wait(g->graph, g->worker[index], resource, 1, 0, w->since_ns);
}
