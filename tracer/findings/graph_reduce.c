/*
 * Reduction of the wait-for graph (graph.h): who can still act. It takes time linear in the nodes and edges,
 * but for sorting the waits of a resource by their units, and those of an actor by their groups.
 *
 * An actor that acts gives back what it holds and supplies what it feeds. Each wait is looked at once, when
 * its resource first has enough for it: the waits of a resource are in the order of their units, and `passed`
 * counts those that it satisfies. Units are not used up: whoever takes some gives them back when it acts, and
 * of a supply that is used up for good (tasks in a queue, say), each waiter may be the one who gets it. So
 * nobody is called stuck who could continue in some order of events.
 *
 * Two stages: first, actors that cannot be seen into do nothing; then they act as well.
 */
#include "graph_parts.h"

#include <errno.h>
#include <stdlib.h>

/* What only reduction itself needs. */
struct work {
    uint64_t *units;        /* of a resource: what anybody can have */
    bool *fed;              /* of a resource: any number of units */
    uint32_t *passed;       /* of a resource: the place in its waiters up to which all are satisfied */
    uint32_t *groups;       /* of an actor: unsatisfied groups */
    uint32_t *able, ables;  /* the work list: able actors that have not acted */
    enum graph_stage stage; /* now */
};

/* A zeroed array, which is never NULL for want of elements. */
static void *array(size_t count, size_t element, int *error)
{
    void *a = calloc(count + 1, element);

    if (!a)
        *error = -ENOMEM;
    return a;
}

static bool is_waiting(const struct grosr_graph *graph, uint32_t actor)
{
    return graph->actor[actor].state == GROSR_ACTOR_WAITING;
}

/* ---- lists by actor and by resource ---- */

static int by_group(const void *a, const void *b)
{
    const struct graph_wait *x = (const struct graph_wait *)a, *y = (const struct graph_wait *)b;

    if (x->group != y->group)
        return x->group < y->group ? -1 : 1;
    return x->resource < y->resource ? -1 : x->resource > y->resource;
}

/* The actor's waits with their groups numbered on from `groups`; group 0 is a group for each wait. */
static uint32_t number_groups(struct graph_wait *wait, uint32_t count, uint32_t groups)
{
    uint32_t before = 0;

    if (count > 1)
        qsort(wait, count, sizeof(*wait), by_group);
    for (uint32_t i = 0; i < count; i++) {
        bool is_new = !i || !wait[i].group || wait[i].group != before;
        before = wait[i].group;
        groups += is_new;
        wait[i].group = groups - 1;
    }
    return groups;
}

static void list_waits(struct graph_reduction *r, struct work *w)
{
    uint32_t waits = 0, groups = 0;

    for (uint32_t i = 0; i < r->graph->actors; i++) {
        const struct graph_edges *edges = &r->graph->actor[i].waits;
        uint32_t count = is_waiting(r->graph, i) ? edges->count : 0, before = groups;
        r->first_wait[i] = waits;
        for (uint32_t j = 0; j < count; j++) {
            const struct grosr_graph_edge *e = &edges->edge[j];
            uint64_t since = e->since ? e->since : r->graph->actor[i].since;
            r->wait[waits + j] = (struct graph_wait){i, e->resource, e->units, since, e->group, GRAPH_NEVER};
        }
        groups = number_groups(&r->wait[waits], count, groups);
        w->groups[i] = groups - before;
        waits += count;
    }
    r->first_wait[r->graph->actors] = waits;
}

/* Turns how many there are of each node, in first[node + 1], into where each one's list begins. */
static void sum_up(uint32_t *first, uint32_t nodes)
{
    for (uint32_t i = 0; i < nodes; i++)
        first[i + 1] += first[i];
}

/* After the lists have been filled from first[node] on, each has moved to where the next one begins. */
static void move_back(uint32_t *first, uint32_t nodes)
{
    for (uint32_t i = nodes; i > 0; i--)
        first[i] = first[i - 1];
    first[0] = 0;
}

static int by_units(const void *a, const void *b, void *context)
{
    const struct graph_wait *wait = (const struct graph_wait *)context;
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    if (wait[x].units != wait[y].units)
        return wait[x].units < wait[y].units ? -1 : 1;
    return x < y ? -1 : x > y;
}

static void list_waiters(struct graph_reduction *r)
{
    uint32_t resources = r->graph->resources, waits = r->first_wait[r->graph->actors];

    for (uint32_t i = 0; i < waits; i++)
        r->first_waiter[r->wait[i].resource + 1]++;
    sum_up(r->first_waiter, resources);
    for (uint32_t i = 0; i < waits; i++)
        r->waiter[r->first_waiter[r->wait[i].resource]++] = i;
    move_back(r->first_waiter, resources);
    for (uint32_t i = 0; i < resources; i++) {
        uint32_t *list = &r->waiter[r->first_waiter[i]], count = r->first_waiter[i + 1] - r->first_waiter[i];
        bool sorted = true;
        for (uint32_t j = 1; sorted && j < count; j++)
            sorted = by_units(&list[j - 1], &list[j], r->wait) < 0;
        if (!sorted)
            qsort_r(list, count, sizeof(*list), by_units, r->wait);
    }
}

static void list_gives(struct graph_reduction *r)
{
    const struct grosr_graph *graph = r->graph;

    for (uint32_t i = 0; i < graph->resources; i++) {
        const struct graph_edges *of[2] = {&graph->resource[i].holds, &graph->resource[i].feeds};
        for (uint32_t feeds = 0; feeds < 2; feeds++)
            for (uint32_t j = 0; j < of[feeds]->count; j++)
                r->first_give[of[feeds]->edge[j].actor + 1]++;
    }
    sum_up(r->first_give, graph->actors);
    for (uint32_t i = 0; i < graph->resources; i++) {
        const struct graph_edges *of[2] = {&graph->resource[i].holds, &graph->resource[i].feeds};
        for (uint32_t feeds = 0; feeds < 2; feeds++)
            for (uint32_t j = 0; j < of[feeds]->count; j++)
                r->give[r->first_give[of[feeds]->edge[j].actor]++] =
                    (struct graph_give){i, feeds, of[feeds]->edge[j].units};
    }
    move_back(r->first_give, graph->actors);
}

/* ---- reduction ---- */

static void become_able(struct graph_reduction *r, struct work *w, uint32_t actor)
{
    if (r->stage_of_actor[actor] != GRAPH_NEVER)
        return;
    r->stage_of_actor[actor] = w->stage;
    w->able[w->ables++] = actor;
}

static void satisfy(struct graph_reduction *r, struct work *w, struct graph_wait *wait)
{
    wait->stage = w->stage;
    if (r->stage_of_group[wait->group] != GRAPH_NEVER)
        return;
    r->stage_of_group[wait->group] = w->stage;
    if (!--w->groups[wait->actor])
        become_able(r, w, wait->actor);
}

/* Satisfies the waits for which the resource has enough now. */
static void look_at(struct graph_reduction *r, struct work *w, uint32_t resource)
{
    while (w->passed[resource] < r->first_waiter[resource + 1]) {
        struct graph_wait *wait = &r->wait[r->waiter[w->passed[resource]]];
        if (!w->fed[resource] && wait->units > w->units[resource])
            return;
        w->passed[resource]++;
        satisfy(r, w, wait);
    }
}

static void act(struct graph_reduction *r, struct work *w)
{
    while (w->ables) {
        uint32_t actor = w->able[--w->ables];
        for (uint32_t i = r->first_give[actor]; i < r->first_give[actor + 1]; i++) {
            const struct graph_give *give = &r->give[i];
            uint64_t *units = &w->units[give->resource];
            *units = *units + give->units < *units ? UINT64_MAX : *units + give->units;
            w->fed[give->resource] |= give->feeds;
            look_at(r, w, give->resource);
        }
    }
}

static void reduce(struct graph_reduction *r, struct work *w)
{
    const struct grosr_graph *graph = r->graph;

    w->stage = GRAPH_SEEN;
    for (uint32_t i = 0; i < graph->actors; i++)
        if (graph->actor[i].state == GROSR_ACTOR_ABLE || (is_waiting(graph, i) && !w->groups[i]))
            become_able(r, w, i);
    for (uint32_t i = 0; i < graph->resources; i++) {
        w->units[i] = graph->resource[i].free;
        w->passed[i] = r->first_waiter[i];
    }
    for (uint32_t i = 0; i < graph->resources; i++)
        look_at(r, w, i);
    act(r, w);
    w->stage = GRAPH_UNSEEN;
    for (uint32_t i = 0; i < graph->actors; i++)
        if (graph->actor[i].state == GROSR_ACTOR_UNSEEN)
            become_able(r, w, i);
    act(r, w);
}

int grosr_graph_reduce(const struct grosr_graph *graph, struct graph_reduction *r)
{
    size_t waits = 0, gives = 0, actors = graph->actors, resources = graph->resources;
    int error = 0;

    for (uint32_t i = 0; i < actors; i++)
        waits += graph->actor[i].waits.count;
    for (uint32_t i = 0; i < resources; i++)
        gives += (size_t)graph->resource[i].holds.count + graph->resource[i].feeds.count;
    *r = (struct graph_reduction){.graph = graph};
    if (waits >= GROSR_GRAPH_NONE || gives >= GROSR_GRAPH_NONE)
        return -ENOMEM;
    r->wait = (struct graph_wait *)array(waits, sizeof(*r->wait), &error);
    r->first_wait = (uint32_t *)array(actors, sizeof(uint32_t), &error);
    r->waiter = (uint32_t *)array(waits, sizeof(uint32_t), &error);
    r->first_waiter = (uint32_t *)array(resources, sizeof(uint32_t), &error);
    r->give = (struct graph_give *)array(gives, sizeof(*r->give), &error);
    r->first_give = (uint32_t *)array(actors, sizeof(uint32_t), &error);
    r->stage_of_group = (enum graph_stage *)array(waits, sizeof(enum graph_stage), &error);
    r->stage_of_actor = (enum graph_stage *)array(actors, sizeof(enum graph_stage), &error);

    struct work w = {.units = (uint64_t *)array(resources, sizeof(uint64_t), &error),
                     .fed = (bool *)array(resources, sizeof(bool), &error),
                     .passed = (uint32_t *)array(resources, sizeof(uint32_t), &error),
                     .groups = (uint32_t *)array(actors, sizeof(uint32_t), &error),
                     .able = (uint32_t *)array(actors, sizeof(uint32_t), &error)};
    if (!error) {
        list_waits(r, &w);
        list_waiters(r);
        list_gives(r);
        reduce(r, &w);
    }
    free(w.units);
    free(w.fed);
    free(w.passed);
    free(w.groups);
    free(w.able);
    return error;
}

void grosr_graph_reduction_free(struct graph_reduction *r)
{
    free(r->wait);
    free(r->first_wait);
    free(r->waiter);
    free(r->first_waiter);
    free(r->give);
    free(r->first_give);
    free(r->stage_of_group);
    free(r->stage_of_actor);
}
