/*
 * The wait-for graph: who waits for what, who holds it, and who could supply it. A pure function turns it
 * into stuck sets; it knows nothing of sessions, traces or dumps, which are its sources (live.h, trace_db.h,
 * foreign.h, coredump.h).
 *
 * Two kinds of nodes. An ACTOR does something: a worker, a host thread, a kernel, a copy in a stream, a host
 * function, the system call proxy. A RESOURCE is what actors wait for. Edges:
 *
 *   - wait, from an actor to a resource: the actor does not continue before it has `units` of the resource.
 * All waits of an actor must be satisfied; of those with the same group other than 0, one is enough.
 *   - hold, from a resource to an actor: the actor has `units` of a resource that can be given back (a lock,
 * a port, a slab). Several holds of the same two nodes are added up.
 *   - feed, from a resource to an actor: the actor could supply the resource, in any number (a producer of
 * tasks, the proxy that replies, the kernel whose end a stream or a call waits for).
 *
 * Reduction (Holt, "Some Deadlock Properties of Computer Systems", ACM Computing Surveys 4(3), 1972, for
 * general resource systems with reusable and consumable resources): an actor that is able to run will in time
 * give back all that it holds and supply all that it feeds; so whoever waits for no more than that is able
 * too. Repeated until nothing changes, whoever is left can never continue, by what the graph knows. A
 * resource without units, holders and feeders that can still act satisfies nobody. Free units are not used up
 * by those who take them: nobody is called stuck who could continue in some order of events.
 *
 * Of the actors left, those of a strongly connected component with a cycle are DEADLOCKED; those whose waits
 * end at a resource that nobody left can supply are STARVED by it; all others that are left are BEHIND one of
 * these.
 *
 * The graph is built and solved by one thread. Times are CLOCK_MONOTONIC ns, or a trace's timeline for that
 * source: all of one graph are of one clock. Texts are copied.
 */
#ifndef GROSR_GRAPH_H
#define GROSR_GRAPH_H

#include <stdbool.h>
#include <stdint.h>

#define GROSR_GRAPH_NONE UINT32_MAX

enum grosr_actor_kind {
    GROSR_ACTOR_WORKER = 1, /* a persistent warp; id: its number */
    GROSR_ACTOR_WARP,       /* of another kernel; id: the source's */
    GROSR_ACTOR_TASK,       /* that waits in its frame; id: its number */
    GROSR_ACTOR_THREAD,     /* of a host process; id: the tid */
    GROSR_ACTOR_PROXY,      /* what answers system calls */
    GROSR_ACTOR_KERNEL,     /* a launch of one; id: the correlation */
    GROSR_ACTOR_COPY,       /* a copy or a fill in a stream */
    GROSR_ACTOR_GRAPH,      /* a launched CUDA graph */
    GROSR_ACTOR_HOST_FUNCTION,
    GROSR_ACTOR_PROCESS, /* id: the pid */
    GROSR_ACTOR_KINDS
};

enum grosr_actor_state {
    GROSR_ACTOR_ABLE,   /* runs, or will when it likes: it will give back and supply */
    GROSR_ACTOR_UNSEEN, /* runs, and what it does cannot be seen: it may wait for anything. Able, but findings
                           say so */
    GROSR_ACTOR_WAITING, /* for its waits; able if it has none */
    GROSR_ACTOR_GONE,    /* ended, dead or never started: gives nothing back, supplies nothing */
};

enum grosr_graph_resource {
    GROSR_WANTED_QUEUE_ROOM = 1, /* id: the queue */
    GROSR_WANTED_QUEUE_TASK,
    GROSR_WANTED_PORT,       /* a system call slot */
    GROSR_WANTED_REPLY,      /* of a system call; id: the port */
    GROSR_WANTED_MEMORY,     /* of the GPU's heap */
    GROSR_WANTED_LOCK,       /* id: the source's: address, or name << 32 | index */
    GROSR_WANTED_WORD,       /* a value in memory; id: its address */
    GROSR_WANTED_DEPENDENCY, /* the end of other tasks; id: the task that waits */
    GROSR_WANTED_BARRIER,
    GROSR_WANTED_SM_ROOM,      /* room for a kernel's blocks */
    GROSR_WANTED_STREAM_ORDER, /* the end of what is before it in its stream; id: the stream */
    GROSR_WANTED_EVENT,        /* a CUDA event */
    GROSR_WANTED_KERNEL_END,
    GROSR_WANTED_HOST_FUNCTION_END,
    GROSR_WANTED_MUTEX,        /* of the host */
    GROSR_WANTED_CALL,         /* the return of a call, or the driver's lock behind it */
    GROSR_WANTED_GRAPH_LAUNCH, /* that what a capture has recorded is launched */
    GROSR_WANTED_NAMED,        /* by the program; id: name << 32 | index */
    GROSR_WANTED_KINDS
};

/* The words of JSON and of the view findings: "worker", "queue_room", ... Never NULL. */
const char *grosr_actor_kind_name(enum grosr_actor_kind kind);
const char *grosr_graph_resource_name(enum grosr_graph_resource kind);

struct grosr_graph;

/* -ENOMEM. */
int grosr_graph_create(struct grosr_graph **graph);
void grosr_graph_free(struct grosr_graph *graph); /* NULL is allowed */

/*
 * The actor or resource of that kind and id, made if it is new; `text` names it for people ("worker 3",
 * "kernel server") and counts when it is made. GROSR_GRAPH_NONE: out of memory, which grosr_graph_solve()
 * reports; it is allowed as an argument below, and does nothing.
 */
uint32_t grosr_graph_actor(struct grosr_graph *graph, enum grosr_actor_kind kind, uint64_t id,
                           const char *text);
uint32_t grosr_graph_resource(struct grosr_graph *graph, enum grosr_graph_resource kind, uint64_t id,
                              const char *text);

/* Replaces the state; ABLE is what a new actor has. `since`: when this state began; 0: not known. */
void grosr_graph_set_state(struct grosr_graph *graph, uint32_t actor, enum grosr_actor_state state,
                           uint64_t since);

/* What findings say of an actor that is GONE, in place of "it has ended": "it hangs". */
void grosr_graph_set_end(struct grosr_graph *graph, uint32_t actor, const char *text);

/* Units that anybody could have now; 0 is what a new resource has. */
void grosr_graph_set_free(struct grosr_graph *graph, uint32_t resource, uint64_t units);

/* Why it is not known who has the resource, or would have to supply it: findings then say so, in place of
 * that nobody is left who could. */
void grosr_graph_set_unknown(struct grosr_graph *graph, uint32_t resource, const char *text);

/* A line of evidence about a node, as findings print it: "queue 0: 64 of 64 tasks, none taken for 3.1 s". */
void grosr_graph_actor_fact(struct grosr_graph *graph, uint32_t actor, const char *text);
void grosr_graph_resource_fact(struct grosr_graph *graph, uint32_t resource, const char *text);

/* Makes the actor WAITING. */
void grosr_graph_wait(struct grosr_graph *graph, uint32_t actor, uint32_t resource, uint64_t units,
                      uint32_t group, uint64_t since);
void grosr_graph_hold(struct grosr_graph *graph, uint32_t actor, uint32_t resource, uint64_t units,
                      uint64_t since);
void grosr_graph_feed(struct grosr_graph *graph, uint32_t actor, uint32_t resource);

/* ---- the solution ---- */

enum grosr_stuck_kind {
    GROSR_STUCK_NOT,
    GROSR_STUCK_DEADLOCKED, /* on a cycle of those that can never continue */
    GROSR_STUCK_STARVED,    /* waits for a resource that nobody can supply any more */
    GROSR_STUCK_BEHIND,     /* waits for one of these */
    GROSR_STUCK_UNSEEN, /* not stuck by what is known; waits, at last, for an actor that cannot be seen into
                         */
};

/* One cause: a deadlocked component, or a resource that nobody supplies, with those who wait for it. */
struct grosr_stuck_set {
    enum grosr_stuck_kind kind; /* DEADLOCKED, STARVED or UNSEEN */
    uint32_t *actor; /* of the component; those that wait for the resource; UNSEEN: the one not seen into,
                        first, then those that wait for it */
    uint32_t actors;
    uint32_t *resource; /* that they wait for; STARVED: the one that nobody supplies, first */
    uint32_t resources;
    uint32_t *cycle; /* DEADLOCKED: a shortest cycle (of the first found, in a component of many thousands),
                        actor, resource, actor, ..., without the first again; else NULL */
    uint32_t cycle_length;
    uint32_t *behind; /* actors that wait for these, at last */
    uint32_t behinds;
    uint64_t since; /* the earliest time from which on all of them had waited: the latest begin of their waits
                       for these resources (of the actor's state, where the wait's own is not known), of those
                       that are known; 0: none is */
};

struct grosr_solution {
    struct grosr_stuck_set *set; /* those of the longest standing first; UNSEEN ones last */
    uint32_t sets;
};

/* -ENOMEM, also if a part of the graph could not be made. The solution is the caller's to free. */
int grosr_graph_solve(const struct grosr_graph *graph, struct grosr_solution *solution);
void grosr_solution_free(struct grosr_solution *solution);

/* ---- reading the graph, for findings ---- */

struct grosr_graph_edge {
    uint32_t actor, resource;
    uint64_t units, since;
    uint32_t group;
};

struct grosr_actor_view {
    enum grosr_actor_kind kind;
    enum grosr_actor_state state;
    uint64_t id, since;
    const char *text;
    const char *facts; /* lines; "" if there are none */
    const char *end;   /* "" if it has ended, as those do that are GONE */
    const struct grosr_graph_edge *wait;
    uint32_t waits;
};

struct grosr_resource_view {
    enum grosr_graph_resource kind;
    uint64_t id, free;
    const char *text, *facts;
    const char *unknown; /* "" if nothing has been said of it */
    const struct grosr_graph_edge *hold, *feed;
    uint32_t holds, feeds;
};

/* Valid until the graph changes. */
uint32_t grosr_graph_actors(const struct grosr_graph *graph);
uint32_t grosr_graph_resources(const struct grosr_graph *graph);
struct grosr_actor_view grosr_graph_actor_view(const struct grosr_graph *graph, uint32_t actor);
struct grosr_resource_view grosr_graph_resource_view(const struct grosr_graph *graph, uint32_t resource);

#endif
