/*
 * The wait-for graph of a CUDA program (foreign_parts.h): what no rule has explained. Threads wait for
 * launches, launches for those before them, a host function for a mutex or for another thread to wake it; a
 * kernel that runs is not seen into.
 *
 * Threads that are in no CUDA call are in the graph where one of them executes a host function that waits:
 * any that runs, or sleeps until a time, may still wake it.
 */
#include "foreign_parts.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define BEFORE_MAX 64u

struct building {
    struct foreign *f;
    struct grosr_graph *graph;
    uint32_t *actor, *end; /* of each launch that is in the graph; GROSR_GRAPH_NONE of others */
};

static bool is_in_call(const struct foreign *f, uint32_t tid)
{
    for (uint32_t i = 0; i < f->calls; i++)
        if (f->call[i].tid == tid)
            return true;
    return false;
}

/* ---- launches ---- */

static const struct grosr_host_thread *executor(const struct foreign *f, const struct foreign_launch *l)
{
    for (uint32_t i = 0; l->kind == GROSR_LAUNCH_HOST_FUNCTION && i < f->threads; i++)
        if (f->thread[i].function == l->correlation)
            return &f->thread[i];
    return NULL;
}

static uint32_t thread_actor(struct building *b, uint32_t tid)
{
    struct foreign_text t;

    for (uint32_t i = 0; i < b->f->calls; i++)
        if (b->f->call[i].tid == tid)
            return grosr_graph_actor(b->graph, GROSR_ACTOR_THREAD, tid,
                                     foreign_thread_text(&b->f->call[i]).at);
    snprintf(t.at, sizeof(t.at), "thread %" PRIu32, tid);
    return grosr_graph_actor(b->graph, GROSR_ACTOR_THREAD, tid, t.at);
}

/* What a thread of the host waits for, outside CUDA: a mutex of a known owner, or to be woken by any other.
 */
static void add_host_wait(struct building *b, const struct grosr_host_thread *t, uint32_t actor)
{
    struct foreign_text text;

    if (t->state == GROSR_HOST_THREAD_MUTEX) {
        snprintf(text.at, sizeof(text.at), "mutex 0x%" PRIx64, t->address);
        uint32_t mutex = grosr_graph_resource(b->graph, GROSR_WANTED_MUTEX, t->address, text.at);
        grosr_graph_hold(b->graph, thread_actor(b, t->owner), mutex, 1, 0);
        snprintf(text.at, sizeof(text.at),
                 "mutex 0x%" PRIx64 " is held by thread %" PRIu32 ", as its owner word says", t->address,
                 t->owner);
        grosr_graph_resource_fact(b->graph, mutex, text.at);
        grosr_graph_wait(b->graph, actor, mutex, 1, 0, t->since_ns);
        return;
    }
    if (t->state != GROSR_HOST_THREAD_FUTEX || b->f->threads_unknown)
        return;
    snprintf(text.at, sizeof(text.at), "a wake-up of thread %" PRIu32, t->tid);
    uint32_t wake = grosr_graph_resource(b->graph, GROSR_WANTED_WORD, (uint64_t)t->tid << 32 | 1, text.at);
    for (uint32_t i = 0; i < b->f->threads; i++)
        if (b->f->thread[i].tid != t->tid && !b->f->thread[i].of_driver)
            grosr_graph_feed(b->graph, thread_actor(b, b->f->thread[i].tid), wake);
    for (uint32_t i = 0; i < b->f->calls; i++)
        grosr_graph_feed(b->graph, thread_actor(b, b->f->call[i].tid), wake);
    grosr_graph_wait(b->graph, actor, wake, 1, 0, t->since_ns);
}

/* The actor and the end of a launch. */
static void add_launch(struct building *b, uint32_t at)
{
    static const enum grosr_actor_kind kinds[GROSR_LAUNCH_KINDS] =
        {GROSR_ACTOR_KERNEL, GROSR_ACTOR_KERNEL,        GROSR_ACTOR_COPY,
         GROSR_ACTOR_COPY,   GROSR_ACTOR_HOST_FUNCTION, GROSR_ACTOR_GRAPH,
         GROSR_ACTOR_COPY,   GROSR_ACTOR_COPY}; /* an operation of a stream, as a copy is */
    const struct foreign_launch *l = &b->f->launch[at];
    struct foreign_text text = foreign_launch_text(b->f, l);
    uint64_t id = (uint64_t)l->part << 32 | l->correlation;
    char end[256], samples[768];

    snprintf(end, sizeof(end), "the end of %s", text.at);
    b->actor[at] =
        grosr_graph_actor(b->graph, kinds[l->kind < GROSR_LAUNCH_KINDS ? l->kind : 0], id, text.at);
    b->end[at] = grosr_graph_resource(b->graph,
                                      l->kind == GROSR_LAUNCH_HOST_FUNCTION ? GROSR_WANTED_HOST_FUNCTION_END
                                                                            : GROSR_WANTED_KERNEL_END,
                                      id, end);
    grosr_graph_feed(b->graph, b->actor[at], b->end[at]);
    if (l->kind == GROSR_LAUNCH_KERNEL && foreign_is_slow(b->f, l))
        grosr_graph_actor_fact(b->graph, b->actor[at], "a kernel like it has taken as long before");
    if (foreign_room_text(l, samples, sizeof(samples)))
        grosr_graph_actor_fact(b->graph, b->actor[at], samples);
    if (foreign_samples_text(b->f, l, samples, sizeof(samples)))
        grosr_graph_actor_fact(b->graph, b->actor[at], samples);
}

/* The end of a launch, or of the nearest before it in its stream that is in the graph: the first is. */
static uint32_t end_of(const struct building *b, uint32_t at)
{
    while (b->end[at] == GROSR_GRAPH_NONE && at)
        at--;
    return b->end[at];
}

/* A kernel that cannot begin waits for the room of one that runs; false: it has room, as far as is known. */
static bool add_room(struct building *b, uint32_t at)
{
    const struct foreign_launch *l = &b->f->launch[at];
    struct foreign_crowd crowd;

    if (!foreign_has_no_room(b->f, at, &crowd))
        return false;
    uint32_t room =
        grosr_graph_resource(b->graph, GROSR_WANTED_SM_ROOM, l->correlation, "room on the GPU's SMs");
    grosr_graph_hold(b->graph, b->actor[crowd.kernel], room, 1, 0);
    grosr_graph_wait(b->graph, b->actor[at], room, 1, 0, l->issued_ns);
    return true;
}

static void add_order(struct building *b, uint32_t at)
{
    const struct foreign_launch *l = &b->f->launch[at];
    const struct grosr_host_thread *t = executor(b->f, l);
    uint32_t before[BEFORE_MAX], n = foreign_before(b->f, at, before, BEFORE_MAX);
    struct foreign_text fact;

    /* What is before a host function that executes has ended. */
    for (uint32_t i = 0; !t && i < n; i++)
        grosr_graph_wait(b->graph, b->actor[at], end_of(b, before[i]), 1, 0, l->issued_ns);
    if (t) {
        snprintf(fact.at, sizeof(fact.at), "thread %" PRIu32 " executes it%s", t->tid,
                 t->state == GROSR_HOST_THREAD_MUTEX   ? " and waits for a mutex"
                 : t->state == GROSR_HOST_THREAD_FUTEX ? " and waits to be woken"
                 : t->state == GROSR_HOST_THREAD_RUNS  ? " and runs"
                                                       : " and sleeps");
        grosr_graph_actor_fact(b->graph, b->actor[at], fact.at);
        add_host_wait(b, t, b->actor[at]);
    } else if (!n && !add_room(b, at) && l->first && l->stays &&
               !l->explained) { /* others move, or have been reported */
        grosr_graph_set_state(b->graph, b->actor[at], GROSR_ACTOR_UNSEEN, l->issued_ns);
    }
}

static void add_call(struct building *b, const struct foreign_call *c)
{
    uint32_t actor = thread_actor(b, c->tid);
    char fact[300];

    snprintf(fact, sizeof(fact), "%s for %s", foreign_thread_text(c).at, foreign_since(b->f, c->start_ns).at);
    grosr_graph_actor_fact(b->graph, actor, fact);
    uint32_t waited = foreign_waited(b->f, c);
    if (waited != FOREIGN_NONE) {
        uint32_t runner = foreign_runner(b->f, waited);
        grosr_graph_wait(b->graph, actor, end_of(b, waited), 1, 0, c->start_ns);
        if (runner != FOREIGN_NONE &&
            end_of(b, runner) != end_of(b, waited)) /* at last: it is named with that */
            grosr_graph_wait(b->graph, actor, end_of(b, runner), 1, 0, c->start_ns);
        return;
    }
    /* For a whole device: the last launch of each stream. */
    for (uint32_t s = 0; c->wait == GROSR_CALL_WAITS_DEVICE && s < b->f->streams; s++) {
        uint32_t last = b->f->stream[s].at + b->f->stream[s].count - 1;
        while (b->f->stream[s].count && last > b->f->stream[s].at && !foreign_waits_for(b->f, c, last))
            last--;
        if (b->f->stream[s].count && foreign_waits_for(b->f, c, last))
            grosr_graph_wait(b->graph, actor, end_of(b, last), 1, 0, c->start_ns);
    }
}

/*
 * Whether a launch is in the graph. A stream with many is a chain in which each says the same as that before
 * it: those are left out, but for the ones that have another reason to wait.
 */
static bool is_node(const struct foreign *f, uint32_t at)
{
    const struct foreign_launch *l = &f->launch[at];
    uint32_t before[2];

    if (l->stream == FOREIGN_NONE || at == f->stream[l->stream].at || l->kind == GROSR_LAUNCH_HOST_FUNCTION ||
        at + 1 == f->stream[l->stream].at + f->stream[l->stream].count)
        return true;
    return foreign_before(f, at, before, 2) > 1;
}

static bool build(struct building *b)
{
    struct foreign *f = b->f;
    bool waits = false, woken = false;

    for (uint32_t i = 0; i < f->launches; i++) {
        b->actor[i] = b->end[i] = GROSR_GRAPH_NONE;
        if (is_node(f, i))
            add_launch(b, i);
    }
    for (uint32_t i = 0; i < f->launches; i++)
        if (b->actor[i] != GROSR_GRAPH_NONE)
            add_order(b, i);
    for (uint32_t i = 0; i < f->calls; i++)
        if (!f->call[i].explained && f->call[i].stays) {
            add_call(b, &f->call[i]);
            waits = true;
        }
    for (uint32_t i = 0; i < f->threads; i++)
        woken |= f->thread[i].function && f->thread[i].state == GROSR_HOST_THREAD_FUTEX;
    for (uint32_t i = 0; i < f->threads; i++)
        if (!f->thread[i].function && !is_in_call(f, f->thread[i].tid) &&
            (woken || f->thread[i].state == GROSR_HOST_THREAD_MUTEX))
            add_host_wait(b, &f->thread[i], thread_actor(b, f->thread[i].tid));
    return waits;
}

int foreign_graph(struct foreign *f, struct grosr_findings *findings)
{
    struct building b = {.f = f};
    struct grosr_solution solution;
    int err = -ENOMEM;

    b.actor = (uint32_t *)malloc((f->launches + 1u) * sizeof(*b.actor));
    b.end = (uint32_t *)malloc((f->launches + 1u) * sizeof(*b.end));
    if (b.actor && b.end && grosr_graph_create(&b.graph) == 0) {
        err = 0;
        if (build(&b)) {
            err = grosr_graph_solve(b.graph, &solution);
            if (!err) {
                grosr_findings_from_graph(findings, b.graph, &solution, f->now_ns);
                grosr_solution_free(&solution);
            }
        }
        grosr_graph_free(b.graph);
    }
    free(b.actor);
    free(b.end);
    return err;
}
