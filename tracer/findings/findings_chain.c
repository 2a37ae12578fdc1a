/*
 * The chain from the symptom to the root, as evidence: who waits for what a cause's actors have or would have
 * to supply, who waits for those, and so on. A line for each resource; the farthest from the root first, so
 * that they read on to the cause's own waits.
 */
#include "findings_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LEVELS_MAX 4u
#define LINES_MAX  3u /* of a level */

/* Somebody behind, who waits for what an actor of the level before has. */
struct link {
    uint32_t resource, actor, from;
};

/* Of one cause. Levels: 1 the cause's actors, 2 who waits for them, ...; 0: none yet. */
struct chain {
    const struct finding_writer *w;
    const uint32_t *behind;
    uint32_t behinds;
    uint32_t *level; /* of actors */
    uint32_t
        *from; /* of resources, at this level: its supplier; 0: not looked for yet, 1: none, 2: actor 0 */
    struct link *link;
    uint32_t *actor; /* of one line */
    char *line[LEVELS_MAX][LINES_MAX];
    uint32_t shown; /* actors that are in lines */
};

/* An actor of the level that has the resource, or would have to supply it. */
static uint32_t supplier(struct chain *c, uint32_t resource, uint32_t level)
{
    struct grosr_resource_view r = grosr_graph_resource_view(c->w->graph, resource);
    uint32_t *from = &c->from[resource];

    if (*from)
        return *from == 1 ? GROSR_GRAPH_NONE : *from - 2;
    *from = 1;
    for (uint32_t i = 0; *from == 1 && i < r.holds; i++)
        if (c->level[r.hold[i].actor] == level)
            *from = r.hold[i].actor + 2;
    for (uint32_t i = 0; *from == 1 && i < r.feeds; i++)
        if (c->level[r.feed[i].actor] == level)
            *from = r.feed[i].actor + 2;
    return supplier(c, resource, level);
}

static int by_resource(const void *a, const void *b)
{
    const struct link *x = (const struct link *)a, *y = (const struct link *)b;

    if (x->resource != y->resource)
        return x->resource < y->resource ? -1 : 1;
    return x->actor < y->actor ? -1 : x->actor > y->actor;
}

/* Who of those behind waits for actors of the level; they are of the next one then. */
static uint32_t list_links(struct chain *c, uint32_t level)
{
    uint32_t n = 0;

    memset(c->from, 0, grosr_graph_resources(c->w->graph) * sizeof(*c->from));
    for (uint32_t i = 0; i < c->behinds; i++) {
        struct grosr_actor_view a = grosr_graph_actor_view(c->w->graph, c->behind[i]);
        for (uint32_t k = 0; k < a.waits && !c->level[c->behind[i]]; k++) {
            uint32_t from = supplier(c, a.wait[k].resource, level);
            if (from == GROSR_GRAPH_NONE)
                continue;
            c->level[c->behind[i]] = level + 1;
            c->link[n++] = (struct link){a.wait[k].resource, c->behind[i], from};
        }
    }
    qsort(c->link, n, sizeof(*c->link), by_resource);
    return n;
}

/* Those of `links` who wait for the same as the first of them, in a line. Returns how many. */
static uint32_t write_line(struct chain *c, const struct link *links, uint32_t n, char **line)
{
    struct grosr_resource_view r = grosr_graph_resource_view(c->w->graph, links->resource);
    struct finding_text t = {0};
    uint32_t same = 0;

    while (same < n && links[same].resource == links->resource) {
        c->actor[same] = links[same].actor;
        same++;
    }
    if (!line)
        return same;
    grosr_finding_say_actors(&t, c->w, c->actor, same);
    grosr_finding_say(&t, "%s for %s", same == 1 ? " waits" : " wait", r.text);
    grosr_finding_say_link(&t, c->w, links->resource, links->from, false);
    if (*r.facts)
        grosr_finding_say(&t, "\n%s", r.facts);
    *line = grosr_text_finish(c->w, &t);
    c->shown += same;
    return same;
}

/* Returns whether anybody waits for actors of the level. */
static bool add_level(struct chain *c, uint32_t level)
{
    uint32_t n = list_links(c, level), lines = 0;

    for (uint32_t i = 0; i < n; lines++)
        i += write_line(c, &c->link[i], n - i, lines < LINES_MAX ? &c->line[level - 1][lines] : NULL);
    return n > 0;
}

uint32_t grosr_finding_chain(const struct finding_writer *w, struct grosr_finding *f, const uint32_t *root,
                             uint32_t roots, const uint32_t *behind, uint32_t behinds)
{
    struct chain c = {.w = w, .behind = behind, .behinds = behinds};
    uint32_t levels = 0;

    c.level = (uint32_t *)calloc((size_t)grosr_graph_actors(w->graph) + 1, sizeof(*c.level));
    c.from = (uint32_t *)calloc((size_t)grosr_graph_resources(w->graph) + 1, sizeof(*c.from));
    c.link = (struct link *)calloc((size_t)behinds + 1, sizeof(*c.link));
    c.actor = (uint32_t *)calloc((size_t)behinds + 1, sizeof(*c.actor));
    if (c.level && c.from && c.link && c.actor) {
        for (uint32_t i = 0; i < roots; i++)
            c.level[root[i]] = 1;
        while (levels < LEVELS_MAX && add_level(&c, levels + 1))
            levels++;
    } else {
        w->findings->error = -ENOMEM;
    }
    for (uint32_t level = levels; level-- > 0;)
        for (uint32_t i = 0; i < LINES_MAX && c.line[level][i]; i++) {
            grosr_finding_evidence(w->findings, f, "%s", c.line[level][i]);
            free(c.line[level][i]);
        }
    free(c.level);
    free(c.from);
    free(c.link);
    free(c.actor);
    return c.shown;
}
