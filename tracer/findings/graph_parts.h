/*
 * What the files of the wait-for graph share (graph.h): the graph itself (graph.c), its reduction
 * (graph_reduce.c), and the sets that are made of what is left (graph_solve.c).
 */
#ifndef GROSR_GRAPH_PARTS_H
#define GROSR_GRAPH_PARTS_H

#include "graph.h"

#include <stddef.h>

struct graph_edges {
    struct grosr_graph_edge *edge;
    uint32_t count, size;
};

struct graph_actor {
    enum grosr_actor_kind kind;
    enum grosr_actor_state state;
    uint64_t id, since;
    char *text, *facts, *end;
    struct graph_edges waits;
};

struct graph_resource {
    enum grosr_graph_resource kind;
    uint64_t id, free;
    char *text, *facts, *unknown;
    struct graph_edges holds, feeds;
};

/* Finds nodes by kind and id: open addressing, a power of two of places, each a node's number or NONE. */
struct graph_index {
    uint32_t *place;
    uint32_t places;
};

struct grosr_graph {
    struct graph_actor *actor;
    uint32_t actors, actors_size;
    struct graph_resource *resource;
    uint32_t resources, resources_size;
    struct graph_index actor_index, resource_index;
    int error; /* the first failure, for grosr_graph_solve() */
};

/* When an actor became able, or a wait or a group satisfied. */
enum graph_stage {
    GRAPH_NEVER,
    GRAPH_SEEN,   /* by what is known */
    GRAPH_UNSEEN, /* only since the actors that cannot be seen into are assumed to act */
};

/* A wait of the graph, with what reduction knows of it. */
struct graph_wait {
    uint32_t actor, resource;
    uint64_t units, since;
    uint32_t group; /* index in stage_of_group */
    enum graph_stage stage;
};

/* What an actor gives when it acts: units that it holds, or any number. */
struct graph_give {
    uint32_t resource;
    bool feeds;
    uint64_t units;
};

/* A reduced graph. Lists of a node are slices of one array: from first[node] to first[node + 1]. */
struct graph_reduction {
    const struct grosr_graph *graph;
    struct graph_wait *wait; /* by actor */
    uint32_t *first_wait;    /* of an actor */
    uint32_t *waiter;        /* waits, by resource and units */
    uint32_t *first_waiter;  /* of a resource */
    struct graph_give *give; /* by actor */
    uint32_t *first_give;    /* of an actor */
    enum graph_stage *stage_of_group;
    enum graph_stage *stage_of_actor;
};

/* -ENOMEM. The reduction is to be freed in either case. */
int grosr_graph_reduce(const struct grosr_graph *graph, struct graph_reduction *reduction);
void grosr_graph_reduction_free(struct graph_reduction *reduction);

#endif
