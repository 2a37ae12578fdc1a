/*
 * Building and reading a wait-for graph (graph.h). Nodes are found by kind and id; a wait stands with its
 * actor, a hold and a feed with their resource. An allocation that fails is remembered, for
 * grosr_graph_solve().
 */
#include "graph_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static const char *const actor_names[GROSR_ACTOR_KINDS] = {
    [GROSR_ACTOR_WORKER] = "worker",   [GROSR_ACTOR_WARP] = "warp",
    [GROSR_ACTOR_TASK] = "task",       [GROSR_ACTOR_THREAD] = "thread",
    [GROSR_ACTOR_PROXY] = "proxy",     [GROSR_ACTOR_KERNEL] = "kernel",
    [GROSR_ACTOR_COPY] = "copy",       [GROSR_ACTOR_GRAPH] = "graph",
    [GROSR_ACTOR_PROCESS] = "process", [GROSR_ACTOR_HOST_FUNCTION] = "host_function",
};

static const char *const resource_names[GROSR_WANTED_KINDS] = {
    [GROSR_WANTED_QUEUE_ROOM] = "queue_room",
    [GROSR_WANTED_QUEUE_TASK] = "queue_task",
    [GROSR_WANTED_PORT] = "port",
    [GROSR_WANTED_REPLY] = "reply",
    [GROSR_WANTED_MEMORY] = "memory",
    [GROSR_WANTED_LOCK] = "lock",
    [GROSR_WANTED_WORD] = "word",
    [GROSR_WANTED_DEPENDENCY] = "dependency",
    [GROSR_WANTED_BARRIER] = "barrier",
    [GROSR_WANTED_SM_ROOM] = "sm_room",
    [GROSR_WANTED_STREAM_ORDER] = "stream_order",
    [GROSR_WANTED_EVENT] = "event",
    [GROSR_WANTED_KERNEL_END] = "kernel_end",
    [GROSR_WANTED_HOST_FUNCTION_END] = "host_function_end",
    [GROSR_WANTED_MUTEX] = "mutex",
    [GROSR_WANTED_CALL] = "call",
    [GROSR_WANTED_GRAPH_LAUNCH] = "graph_launch",
    [GROSR_WANTED_NAMED] = "named",
};

const char *grosr_actor_kind_name(enum grosr_actor_kind kind)
{
    const char *name = (unsigned)kind < GROSR_ACTOR_KINDS ? actor_names[kind] : NULL;

    return name ? name : "unknown";
}

const char *grosr_graph_resource_name(enum grosr_graph_resource kind)
{
    const char *name = (unsigned)kind < GROSR_WANTED_KINDS ? resource_names[kind] : NULL;

    return name ? name : "unknown";
}

int grosr_graph_create(struct grosr_graph **graph)
{
    *graph = (struct grosr_graph *)calloc(1, sizeof(**graph));
    return *graph ? 0 : -ENOMEM;
}

void grosr_graph_free(struct grosr_graph *graph)
{
    if (!graph)
        return;
    for (uint32_t i = 0; i < graph->actors; i++) {
        free(graph->actor[i].text);
        free(graph->actor[i].facts);
        free(graph->actor[i].end);
        free(graph->actor[i].waits.edge);
    }
    for (uint32_t i = 0; i < graph->resources; i++) {
        free(graph->resource[i].text);
        free(graph->resource[i].facts);
        free(graph->resource[i].unknown);
        free(graph->resource[i].holds.edge);
        free(graph->resource[i].feeds.edge);
    }
    free(graph->actor);
    free(graph->resource);
    free(graph->actor_index.place);
    free(graph->resource_index.place);
    free(graph);
}

/* Room for one more element in a growing array. */
static bool grow(struct grosr_graph *graph, void **array, uint32_t count, uint32_t *size, size_t element)
{
    uint32_t larger = *size ? *size * 2 : 4;
    void *moved;

    if (count < *size)
        return true;
    /* The number NONE is no element's. */
    moved = larger > *size && larger < GROSR_GRAPH_NONE ? realloc(*array, larger * element) : NULL;
    if (!moved) {
        graph->error = -ENOMEM;
        return false;
    }
    *array = moved;
    *size = larger;
    return true;
}

/* ---- finding nodes ---- */

static uint32_t hash(uint32_t kind, uint64_t id)
{
    uint64_t h = (id ^ (uint64_t)kind << 56) * 0x9e3779b97f4a7c15u;

    return (uint32_t)(h >> 32);
}

struct key {
    uint32_t kind;
    uint64_t id;
};

static struct key actor_key(const struct grosr_graph *graph, uint32_t i)
{
    return (struct key){(uint32_t)graph->actor[i].kind, graph->actor[i].id};
}

static struct key resource_key(const struct grosr_graph *graph, uint32_t i)
{
    return (struct key){(uint32_t)graph->resource[i].kind, graph->resource[i].id};
}

typedef struct key key_of(const struct grosr_graph *graph, uint32_t i);

/* The place of the node with this key, or the empty one where it belongs. */
static uint32_t *place_of(const struct grosr_graph *graph, const struct graph_index *index, key_of *key,
                          struct key wanted)
{
    for (uint32_t i = hash(wanted.kind, wanted.id);; i++) {
        uint32_t *place = &index->place[i & (index->places - 1)];
        if (*place == GROSR_GRAPH_NONE)
            return place;
        struct key found = key(graph, *place);
        if (found.kind == wanted.kind && found.id == wanted.id)
            return place;
    }
}

/* At most half of the places are taken once `count` more than now are. */
static bool make_places(struct grosr_graph *graph, struct graph_index *index, key_of *key, uint32_t count)
{
    struct graph_index larger = {NULL, index->places ? index->places * 2 : 64};

    if (count < index->places / 2)
        return true;
    larger.place = (uint32_t *)malloc(larger.places * sizeof(*larger.place));
    if (!larger.place) {
        graph->error = -ENOMEM;
        return false;
    }
    memset(larger.place, 0xff, larger.places * sizeof(*larger.place));
    for (uint32_t i = 0; i < count; i++)
        *place_of(graph, &larger, key, key(graph, i)) = i;
    free(index->place);
    *index = larger;
    return true;
}

static char *copy_of(struct grosr_graph *graph, const char *text)
{
    char *copy = strdup(text ? text : "");

    if (!copy)
        graph->error = -ENOMEM;
    return copy;
}

uint32_t grosr_graph_actor(struct grosr_graph *graph, enum grosr_actor_kind kind, uint64_t id,
                           const char *text)
{
    uint32_t *place;
    char *copy;

    if (!make_places(graph, &graph->actor_index, actor_key, graph->actors) ||
        !grow(graph, (void **)&graph->actor, graph->actors, &graph->actors_size, sizeof(*graph->actor)))
        return GROSR_GRAPH_NONE;
    place = place_of(graph, &graph->actor_index, actor_key, (struct key){(uint32_t)kind, id});
    if (*place != GROSR_GRAPH_NONE)
        return *place;
    copy = copy_of(graph, text);
    if (!copy)
        return GROSR_GRAPH_NONE;
    graph->actor[graph->actors] = (struct graph_actor){.kind = kind, .id = id, .text = copy};
    return *place = graph->actors++;
}

uint32_t grosr_graph_resource(struct grosr_graph *graph, enum grosr_graph_resource kind, uint64_t id,
                              const char *text)
{
    uint32_t *place;
    char *copy;

    if (!make_places(graph, &graph->resource_index, resource_key, graph->resources) ||
        !grow(graph, (void **)&graph->resource, graph->resources, &graph->resources_size,
              sizeof(*graph->resource)))
        return GROSR_GRAPH_NONE;
    place = place_of(graph, &graph->resource_index, resource_key, (struct key){(uint32_t)kind, id});
    if (*place != GROSR_GRAPH_NONE)
        return *place;
    copy = copy_of(graph, text);
    if (!copy)
        return GROSR_GRAPH_NONE;
    graph->resource[graph->resources] = (struct graph_resource){.kind = kind, .id = id, .text = copy};
    return *place = graph->resources++;
}

/* ---- what is known of nodes ---- */

void grosr_graph_set_state(struct grosr_graph *graph, uint32_t actor, enum grosr_actor_state state,
                           uint64_t since)
{
    if (actor == GROSR_GRAPH_NONE)
        return;
    graph->actor[actor].state = state;
    graph->actor[actor].since = since;
}

void grosr_graph_set_end(struct grosr_graph *graph, uint32_t actor, const char *text)
{
    if (actor == GROSR_GRAPH_NONE)
        return;
    free(graph->actor[actor].end);
    graph->actor[actor].end = copy_of(graph, text);
}

void grosr_graph_set_free(struct grosr_graph *graph, uint32_t resource, uint64_t units)
{
    if (resource != GROSR_GRAPH_NONE)
        graph->resource[resource].free = units;
}

void grosr_graph_set_unknown(struct grosr_graph *graph, uint32_t resource, const char *text)
{
    if (resource == GROSR_GRAPH_NONE)
        return;
    free(graph->resource[resource].unknown);
    graph->resource[resource].unknown = copy_of(graph, text);
}

static void add_fact(struct grosr_graph *graph, char **facts, const char *text)
{
    size_t before = *facts ? strlen(*facts) : 0, length = strlen(text);
    char *longer = (char *)realloc(*facts, before + length + 2);

    if (!longer) {
        graph->error = -ENOMEM;
        return;
    }
    *facts = longer;
    if (before)
        longer[before++] = '\n';
    memcpy(longer + before, text, length + 1);
}

void grosr_graph_actor_fact(struct grosr_graph *graph, uint32_t actor, const char *text)
{
    if (actor != GROSR_GRAPH_NONE)
        add_fact(graph, &graph->actor[actor].facts, text);
}

void grosr_graph_resource_fact(struct grosr_graph *graph, uint32_t resource, const char *text)
{
    if (resource != GROSR_GRAPH_NONE)
        add_fact(graph, &graph->resource[resource].facts, text);
}

/* ---- edges ---- */

static void add_edge(struct grosr_graph *graph, struct graph_edges *edges, struct grosr_graph_edge edge)
{
    if (grow(graph, (void **)&edges->edge, edges->count, &edges->size, sizeof(*edges->edge)))
        edges->edge[edges->count++] = edge;
}

void grosr_graph_wait(struct grosr_graph *graph, uint32_t actor, uint32_t resource, uint64_t units,
                      uint32_t group, uint64_t since)
{
    if (actor == GROSR_GRAPH_NONE || resource == GROSR_GRAPH_NONE)
        return;
    graph->actor[actor].state = GROSR_ACTOR_WAITING;
    add_edge(graph, &graph->actor[actor].waits,
             (struct grosr_graph_edge){actor, resource, units, since, group});
}

void grosr_graph_hold(struct grosr_graph *graph, uint32_t actor, uint32_t resource, uint64_t units,
                      uint64_t since)
{
    if (actor != GROSR_GRAPH_NONE && resource != GROSR_GRAPH_NONE)
        add_edge(graph, &graph->resource[resource].holds,
                 (struct grosr_graph_edge){actor, resource, units, since, 0});
}

void grosr_graph_feed(struct grosr_graph *graph, uint32_t actor, uint32_t resource)
{
    if (actor != GROSR_GRAPH_NONE && resource != GROSR_GRAPH_NONE)
        add_edge(graph, &graph->resource[resource].feeds,
                 (struct grosr_graph_edge){actor, resource, 0, 0, 0});
}

/* ---- reading ---- */

uint32_t grosr_graph_actors(const struct grosr_graph *graph)
{
    return graph->actors;
}

uint32_t grosr_graph_resources(const struct grosr_graph *graph)
{
    return graph->resources;
}

struct grosr_actor_view grosr_graph_actor_view(const struct grosr_graph *graph, uint32_t actor)
{
    const struct graph_actor *a = &graph->actor[actor];

    return (struct grosr_actor_view){a->kind,
                                     a->state,
                                     a->id,
                                     a->since,
                                     a->text,
                                     a->facts ? a->facts : "",
                                     a->end ? a->end : "",
                                     a->waits.edge,
                                     a->waits.count};
}

struct grosr_resource_view grosr_graph_resource_view(const struct grosr_graph *graph, uint32_t resource)
{
    const struct graph_resource *r = &graph->resource[resource];

    return (struct grosr_resource_view){r->kind,
                                        r->id,
                                        r->free,
                                        r->text,
                                        r->facts ? r->facts : "",
                                        r->unknown ? r->unknown : "",
                                        r->holds.edge,
                                        r->feeds.edge,
                                        r->holds.count,
                                        r->feeds.count};
}
