/*
 * Stuck sets (graph.h), made of what reduction leaves. Nodes here are actors and resources together, numbered
 * actors first. The edges that are left go from an actor to the resources of its unsatisfied waits, and from
 * a resource to those of its holders and feeders that are left. Every actor left has such a wait, so from
 * each one some path ends at a resource without edges, or goes round: in every case it is in a set, or behind
 * one.
 *
 * Components are Tarjan's ("Depth-First Search and Linear Graph Algorithms", SIAM Journal on Computing 1(2),
 * 1972), without recursion. As every edge joins an actor and a resource, a component with a cycle is one of
 * more than one node. Everything is in the order of the nodes' numbers, whatever the order of the edges.
 */
#include "graph_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Searches for shorter cycles in one component end after so many nodes, tenths of a second: a ring of tens of
   thousands of actors would take minutes, and its first cycle is as good. */
#define MAX_VISITS (UINT64_C(1) << 24)

struct list {
    uint32_t *at;
    uint32_t count, size;
};

struct solver {
    const struct grosr_graph *graph;
    struct graph_reduction r;
    uint32_t nodes;
    uint32_t *component; /* of a node; NONE: it is not left */
    uint32_t components;
    uint32_t *mark; /* of a node: the last search that came to it */
    uint32_t search;
    struct list queue; /* of a search */
    uint32_t *from;    /* of a node: where the search came from */
    struct grosr_solution *solution;
    uint32_t sets_size;
    int error;
};

static void push(struct solver *s, struct list *list, uint32_t value)
{
    if (list->count == list->size) {
        uint32_t larger = list->size ? list->size * 2 : 8;
        uint32_t *moved = (uint32_t *)realloc(list->at, larger * sizeof(*moved));
        if (!moved) {
            s->error = -ENOMEM;
            return;
        }
        list->at = moved;
        list->size = larger;
    }
    list->at[list->count++] = value;
}

static uint32_t *numbers(struct solver *s, size_t count)
{
    uint32_t *a = (uint32_t *)calloc(count + 1, sizeof(*a));

    if (!a)
        s->error = -ENOMEM;
    return a;
}

/* ---- the edges that are left ---- */

static bool is_left(const struct solver *s, uint32_t actor)
{
    return s->graph->actor[actor].state == GROSR_ACTOR_WAITING && s->r.stage_of_actor[actor] == GRAPH_NEVER;
}

/* The next successor of the node from *edge on, which moves behind it; NONE: no more. */
static uint32_t next_of(const struct solver *s, uint32_t node, uint32_t *edge)
{
    uint32_t actors = s->graph->actors;

    if (node < actors) {
        for (uint32_t i; (i = s->r.first_wait[node] + *edge) < s->r.first_wait[node + 1];) {
            const struct graph_wait *wait = &s->r.wait[i];
            ++*edge;
            if (s->r.stage_of_group[wait->group] == GRAPH_NEVER)
                return actors + wait->resource;
        }
        return GROSR_GRAPH_NONE;
    }
    const struct graph_edges *holds = &s->graph->resource[node - actors].holds;
    const struct graph_edges *feeds = &s->graph->resource[node - actors].feeds;
    while (*edge < holds->count + feeds->count) {
        uint32_t i = (*edge)++;
        uint32_t actor = i < holds->count ? holds->edge[i].actor : feeds->edge[i - holds->count].actor;
        if (is_left(s, actor))
            return actor;
    }
    return GROSR_GRAPH_NONE;
}

/* ---- components ---- */

struct tarjan {
    uint32_t *number, *low; /* of a node; number 0: not visited */
    uint32_t *edge;         /* of a node: its next edge */
    uint32_t visited;
    struct list path, open; /* nodes being visited; nodes without a component yet */
};

static void enter(struct solver *s, struct tarjan *t, uint32_t node)
{
    t->number[node] = t->low[node] = ++t->visited;
    push(s, &t->path, node);
    push(s, &t->open, node);
}

static void leave(struct solver *s, struct tarjan *t, uint32_t node)
{
    t->path.count--;
    if (t->path.count) {
        uint32_t before = t->path.at[t->path.count - 1];
        t->low[before] = t->low[before] < t->low[node] ? t->low[before] : t->low[node];
    }
    if (t->low[node] != t->number[node])
        return;
    for (uint32_t last = GROSR_GRAPH_NONE; last != node;) {
        last = t->open.at[--t->open.count];
        s->component[last] = s->components;
    }
    s->components++;
}

static void visit(struct solver *s, struct tarjan *t, uint32_t root)
{
    enter(s, t, root);
    while (!s->error && t->path.count) {
        uint32_t node = t->path.at[t->path.count - 1], next = next_of(s, node, &t->edge[node]);
        if (next == GROSR_GRAPH_NONE)
            leave(s, t, node);
        else if (!t->number[next])
            enter(s, t, next);
        else if (s->component[next] == GROSR_GRAPH_NONE && t->number[next] < t->low[node])
            t->low[node] = t->number[next];
    }
}

static void find_components(struct solver *s)
{
    struct tarjan t = {
        .number = numbers(s, s->nodes), .low = numbers(s, s->nodes), .edge = numbers(s, s->nodes)};

    for (uint32_t i = 0; !s->error && i < s->graph->actors; i++)
        if (is_left(s, i) && !t.number[i])
            visit(s, &t, i);
    free(t.number);
    free(t.low);
    free(t.edge);
    free(t.path.at);
    free(t.open.at);
}

/* ---- sets ---- */

static struct grosr_stuck_set *add_set(struct solver *s, enum grosr_stuck_kind kind)
{
    if (s->solution->sets == s->sets_size) {
        uint32_t larger = s->sets_size ? s->sets_size * 2 : 8;
        struct grosr_stuck_set *moved =
            (struct grosr_stuck_set *)realloc(s->solution->set, larger * sizeof(*moved));
        if (!moved) {
            s->error = -ENOMEM;
            return NULL;
        }
        s->solution->set = moved;
        s->sets_size = larger;
    }
    struct grosr_stuck_set *set = &s->solution->set[s->solution->sets++];
    *set = (struct grosr_stuck_set){.kind = kind};
    return set;
}

static void take_begin(struct grosr_stuck_set *set, uint64_t since)
{
    set->since = set->since > since ? set->since : since;
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

static void sort_list(struct list *list, uint32_t first)
{
    if (list->count > first + 1)
        qsort(list->at + first, list->count - first, sizeof(*list->at), by_number);
}

/* Whether the wait is one of the stage's, of an actor of that stage. */
static bool is_of_stage(const struct solver *s, const struct graph_wait *wait, enum graph_stage stage)
{
    return wait->stage == stage && s->r.stage_of_group[wait->group] == stage &&
           s->r.stage_of_actor[wait->actor] == stage;
}

static bool come_to(struct solver *s, uint32_t node)
{
    if (s->mark[node] == s->search)
        return false;
    s->mark[node] = s->search;
    return true;
}

/* Appends those who wait, in this stage, for what the actor gives, and to whom the search has not come. */
static void add_waiters(struct solver *s, struct list *list, uint32_t actor, enum graph_stage stage,
                        struct list *resources, struct grosr_stuck_set *set)
{
    for (uint32_t i = s->r.first_give[actor]; i < s->r.first_give[actor + 1]; i++) {
        uint32_t resource = s->r.give[i].resource;
        bool waited_for = false;
        if (!come_to(s, s->graph->actors + resource))
            continue;
        for (uint32_t j = s->r.first_waiter[resource]; j < s->r.first_waiter[resource + 1]; j++) {
            const struct graph_wait *wait = &s->r.wait[s->r.waiter[j]];
            if (!is_of_stage(s, wait, stage))
                continue;
            waited_for = true;
            if (set)
                take_begin(set, wait->since);
            if (come_to(s, wait->actor))
                push(s, list, wait->actor);
        }
        if (resources && waited_for)
            push(s, resources, resource);
    }
}

/* Fills the set's lists; those behind it are whoever waits for its actors, and so on. */
static void finish(struct solver *s, struct grosr_stuck_set *set, struct list actors, struct list resources,
                   enum graph_stage stage)
{
    struct list behind = {0};

    if (set->kind != GROSR_STUCK_UNSEEN)
        s->search++;
    for (uint32_t i = 0; i < actors.count; i++)
        s->mark[actors.at[i]] = s->search;
    for (uint32_t i = 0; i < actors.count; i++)
        add_waiters(s, &behind, actors.at[i], stage, NULL, NULL);
    for (uint32_t i = 0; i < behind.count; i++)
        add_waiters(s, &behind, behind.at[i], stage, NULL, NULL);
    sort_list(&behind, 0);
    set->actor = actors.at;
    set->actors = actors.count;
    set->resource = resources.at;
    set->resources = resources.count;
    set->behind = behind.at;
    set->behinds = behind.count;
}

/* ---- a shortest cycle ---- */

/* A shortest way from the node back to itself of at most `longest` nodes; 0: there is none. */
static uint32_t way_round(struct solver *s, uint32_t node, uint32_t longest)
{
    uint32_t level = 1, level_end;

    s->search++;
    s->queue.count = 0;
    push(s, &s->queue, node);
    level_end = 1;
    for (uint32_t i = 0; !s->error && i < s->queue.count && level <= longest; i++) {
        uint32_t at = s->queue.at[i];
        for (uint32_t edge = 0, next; (next = next_of(s, at, &edge)) != GROSR_GRAPH_NONE;) {
            if (s->component[next] != s->component[node] || !come_to(s, next))
                continue;
            s->from[next] = at;
            if (next == node)
                return level;
            push(s, &s->queue, next);
        }
        if (i + 1 == level_end) {
            level++;
            level_end = s->queue.count;
        }
    }
    return 0;
}

static void find_cycle(struct solver *s, struct grosr_stuck_set *set, const struct list *actors)
{
    uint32_t best = s->nodes, length;
    uint64_t visits = 0;

    for (uint32_t i = 0; !s->error && i < actors->count; i++) {
        /* No cycle is shorter than an actor and a resource. */
        if (set->cycle && (best == 2 || visits > MAX_VISITS))
            break;
        length = way_round(s, actors->at[i], set->cycle ? best - 1 : best);
        visits += s->queue.count;
        if (!length)
            continue;
        best = length;
        free(set->cycle);
        set->cycle = numbers(s, length);
        if (!set->cycle)
            return;
        uint32_t node = actors->at[i];
        for (uint32_t j = length; j > 0; j--) {
            node = s->from[node];
            set->cycle[j - 1] = node < s->graph->actors ? node : node - s->graph->actors;
        }
        set->cycle_length = length;
    }
}

/* ---- the three kinds of sets ---- */

static void add_deadlock(struct solver *s, const uint32_t *member, uint32_t members)
{
    struct grosr_stuck_set *set = add_set(s, GROSR_STUCK_DEADLOCKED);
    struct list actors = {0}, resources = {0};

    if (!set)
        return;
    for (uint32_t i = 0; i < members; i++) {
        uint32_t node = member[i];
        if (node >= s->graph->actors) {
            push(s, &resources, node - s->graph->actors);
            continue;
        }
        push(s, &actors, node);
        for (uint32_t j = s->r.first_wait[node]; j < s->r.first_wait[node + 1]; j++) {
            const struct graph_wait *wait = &s->r.wait[j];
            if (s->r.stage_of_group[wait->group] == GRAPH_NEVER &&
                s->component[s->graph->actors + wait->resource] == s->component[node])
                take_begin(set, wait->since);
        }
    }
    find_cycle(s, set, &actors);
    finish(s, set, actors, resources, GRAPH_NEVER);
}

static void add_deadlocks(struct solver *s)
{
    uint32_t *first = numbers(s, (size_t)s->components + 1), *member = numbers(s, s->nodes);

    if (!s->error) {
        for (uint32_t i = 0; i < s->nodes; i++)
            if (s->component[i] != GROSR_GRAPH_NONE)
                first[s->component[i] + 1]++;
        for (uint32_t i = 0; i < s->components; i++)
            first[i + 1] += first[i];
        for (uint32_t i = 0; i < s->nodes; i++)
            if (s->component[i] != GROSR_GRAPH_NONE)
                member[first[s->component[i]]++] = i;
        /* Each component's first is now the next one's. */
        for (uint32_t i = 0, begin = 0; !s->error && i < s->components; begin = first[i++])
            if (first[i] - begin > 1)
                add_deadlock(s, member + begin, first[i] - begin);
    }
    free(first);
    free(member);
}

/* A resource that is waited for, and that nobody left holds or feeds. */
static void add_starved(struct solver *s, uint32_t resource)
{
    struct list actors = {0}, resources = {0};
    struct grosr_stuck_set *set = add_set(s, GROSR_STUCK_STARVED);

    if (!set)
        return;
    s->search++;
    for (uint32_t i = s->r.first_waiter[resource]; i < s->r.first_waiter[resource + 1]; i++) {
        const struct graph_wait *wait = &s->r.wait[s->r.waiter[i]];
        if (s->r.stage_of_group[wait->group] != GRAPH_NEVER)
            continue;
        take_begin(set, wait->since);
        if (come_to(s, wait->actor))
            push(s, &actors, wait->actor);
    }
    push(s, &resources, resource);
    sort_list(&actors, 0);
    finish(s, set, actors, resources, GRAPH_NEVER);
}

static void add_all_starved(struct solver *s)
{
    for (uint32_t i = 0; !s->error && i < s->graph->resources; i++) {
        uint32_t node = s->graph->actors + i, edge = 0;
        /* A resource has a component if an unsatisfied wait led to it. */
        if (s->component[node] != GROSR_GRAPH_NONE && next_of(s, node, &edge) == GROSR_GRAPH_NONE)
            add_starved(s, i);
    }
}

static void add_unseen(struct solver *s, uint32_t actor)
{
    struct list actors = {0}, resources = {0};
    struct grosr_stuck_set *set = add_set(s, GROSR_STUCK_UNSEEN);

    if (!set)
        return;
    s->search++;
    come_to(s, actor);
    push(s, &actors, actor);
    add_waiters(s, &actors, actor, GRAPH_UNSEEN, &resources, set);
    sort_list(&actors, 1);
    sort_list(&resources, 0);
    if (actors.count > 1) {
        finish(s, set, actors, resources, GRAPH_UNSEEN);
        return;
    }
    s->solution->sets--;
    free(actors.at);
    free(resources.at);
}

static int by_standing(const void *a, const void *b)
{
    const struct grosr_stuck_set *x = (const struct grosr_stuck_set *)a;
    const struct grosr_stuck_set *y = (const struct grosr_stuck_set *)b;

    if ((x->kind == GROSR_STUCK_UNSEEN) != (y->kind == GROSR_STUCK_UNSEEN))
        return x->kind == GROSR_STUCK_UNSEEN ? 1 : -1;
    if (x->since != y->since) /* an unknown one, 0, comes after the known ones */
        return x->since - 1 < y->since - 1 ? -1 : 1;
    if (x->actor[0] != y->actor[0])
        return x->actor[0] < y->actor[0] ? -1 : 1;
    if (x->kind != y->kind)
        return x->kind < y->kind ? -1 : 1;
    return x->resource[0] < y->resource[0] ? -1 : x->resource[0] > y->resource[0];
}

static void make_sets(struct solver *s)
{
    find_components(s);
    if (!s->error)
        add_deadlocks(s);
    add_all_starved(s);
    for (uint32_t i = 0; !s->error && i < s->graph->actors; i++)
        if (s->graph->actor[i].state == GROSR_ACTOR_UNSEEN)
            add_unseen(s, i);
    if (!s->error && s->solution->sets > 1)
        qsort(s->solution->set, s->solution->sets, sizeof(*s->solution->set), by_standing);
}

int grosr_graph_solve(const struct grosr_graph *graph, struct grosr_solution *solution)
{
    struct solver s = {.graph = graph, .solution = solution, .nodes = graph->actors + graph->resources};

    *solution = (struct grosr_solution){0};
    if (graph->error)
        return graph->error;
    s.error = grosr_graph_reduce(graph, &s.r);
    s.component = numbers(&s, s.nodes);
    s.mark = numbers(&s, s.nodes);
    s.from = numbers(&s, s.nodes);
    if (!s.error) {
        memset(s.component, 0xff, s.nodes * sizeof(*s.component));
        make_sets(&s);
    }
    free(s.component);
    free(s.mark);
    free(s.from);
    free(s.queue.at);
    grosr_graph_reduction_free(&s.r);
    if (s.error)
        grosr_solution_free(solution);
    return s.error;
}

void grosr_solution_free(struct grosr_solution *solution)
{
    for (uint32_t i = 0; i < solution->sets; i++) {
        free(solution->set[i].actor);
        free(solution->set[i].resource);
        free(solution->set[i].cycle);
        free(solution->set[i].behind);
    }
    free(solution->set);
    *solution = (struct grosr_solution){0};
}
