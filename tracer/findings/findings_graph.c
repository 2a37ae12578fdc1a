/*
 * Findings from a solved wait-for graph (findings.h): the sentences that say who waits for what, held by
 * whom, since when. Lists are bounded: a finding is one screen at most, whatever the number of actors.
 */
#include "findings_parts.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define MAX_HOPS  4 /* of a cycle in a sentence */
#define MAX_FACTS 4 /* actors, and resources, with lines of evidence */

/* ---- what a finding is about ---- */

/* An actor that waits for a resource. */
struct waiter {
    uint32_t actor, resource;
    uint64_t since;
};

struct nodes {
    uint32_t *at;
    uint32_t count;
};

/* One cause: who waits for what, and who else has to do with it. Each array has room for all there could be.
 */
struct cause {
    struct waiter *waiter; /* by actor */
    uint32_t waiters;
    struct nodes actors, resources; /* of the waiters, each once */
    struct nodes others; /* STARVED: who held or fed it and has ended; UNSEEN: who cannot be seen into */
    bool held;           /* the others held it */
    uint64_t oldest;     /* of the known begins; 0: none is known */
    struct nodes behind; /* who waits behind the waiters */
};

static void free_cause(struct cause *c)
{
    free(c->waiter);
    free(c->actors.at);
    free(c->resources.at);
    free(c->others.at);
    free(c->behind.at);
}

static bool has(const struct nodes *nodes, uint32_t node)
{
    for (uint32_t i = 0; i < nodes->count; i++)
        if (nodes->at[i] == node)
            return true;
    return false;
}

/* Appends to an array that grows by doubling at the powers of two. */
static void *append(const struct finding_writer *w, void *array, uint32_t *count, const void *element,
                    size_t size)
{
    if (!(*count & (*count - 1))) {
        void *larger = realloc(array, (*count ? *count * 2 : 1) * size);
        if (!larger) {
            w->findings->error = -ENOMEM;
            return array;
        }
        array = larger;
    }
    memcpy((char *)array + (*count)++ * size, element, size);
    return array;
}

static void add_node(const struct finding_writer *w, struct nodes *nodes, uint32_t node)
{
    nodes->at = (uint32_t *)append(w, nodes->at, &nodes->count, &node, sizeof(node));
}

/* Since when the actor has waited for the resource; 0: not known. */
static uint64_t wait_since(const struct finding_writer *w, uint32_t actor, uint32_t resource)
{
    struct grosr_actor_view a = grosr_graph_actor_view(w->graph, actor);
    uint64_t since = 0;

    for (uint32_t i = 0; i < a.waits; i++) {
        uint64_t begin = a.wait[i].since ? a.wait[i].since : a.since;
        if (a.wait[i].resource == resource && begin > since)
            since = begin;
    }
    return since;
}

static uint64_t age_of(const struct finding_writer *w, uint64_t since)
{
    return since && w->now > since ? w->now - since : 0;
}

static bool is_old(const struct finding_writer *w, uint64_t since)
{
    return !since || (w->now >= since && w->now - since >= w->findings->threshold_ns);
}

/* If it has waited long enough. */
static void add_waiter(const struct finding_writer *w, struct cause *c, uint32_t actor, uint32_t resource)
{
    struct waiter waiter = {actor, resource, wait_since(w, actor, resource)};

    if (!is_old(w, waiter.since))
        return;
    if (waiter.since && (!c->oldest || waiter.since < c->oldest))
        c->oldest = waiter.since;
    c->waiter = (struct waiter *)append(w, c->waiter, &c->waiters, &waiter, sizeof(waiter));
}

static int by_number(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;

    return x < y ? -1 : x > y;
}

static int by_actor(const void *a, const void *b)
{
    const struct waiter *x = (const struct waiter *)a, *y = (const struct waiter *)b;

    if (x->actor != y->actor)
        return x->actor < y->actor ? -1 : 1;
    return x->resource < y->resource ? -1 : x->resource > y->resource;
}

static int by_resource(const void *a, const void *b)
{
    const struct waiter *x = (const struct waiter *)a, *y = (const struct waiter *)b;

    if (x->resource != y->resource)
        return x->resource < y->resource ? -1 : 1;
    return x->actor < y->actor ? -1 : x->actor > y->actor;
}

static void list_waiters(const struct finding_writer *w, struct cause *c)
{
    uint32_t kept = 0;

    if (!c->waiters)
        return;
    qsort(c->waiter, c->waiters, sizeof(*c->waiter), by_resource);
    for (uint32_t i = 0; i < c->waiters; i++)
        if (!i || by_resource(&c->waiter[kept - 1], &c->waiter[i]))
            c->waiter[kept++] = c->waiter[i];
    c->waiters = kept;
    for (uint32_t i = 0; i < c->waiters; i++)
        if (!i || c->waiter[i].resource != c->waiter[i - 1].resource)
            add_node(w, &c->resources, c->waiter[i].resource);
    qsort(c->waiter, c->waiters, sizeof(*c->waiter), by_actor);
    for (uint32_t i = 0; i < c->waiters; i++)
        if (!i || c->waiter[i].actor != c->waiter[i - 1].actor)
            add_node(w, &c->actors, c->waiter[i].actor);
}

/* Who waits behind a set. Several sets of one cause may have some in common. */
static void add_behind(const struct finding_writer *w, struct cause *c, const struct grosr_stuck_set *set)
{
    uint32_t known = c->behind.count;

    for (uint32_t i = 0; i < set->behinds; i++)
        if (!known || !bsearch(&set->behind[i], c->behind.at, known, sizeof(uint32_t), by_number))
            add_node(w, &c->behind, set->behind[i]);
    if (known)
        qsort(c->behind.at, c->behind.count, sizeof(uint32_t), by_number);
}

/* Those who have ended and held, or fed, what is waited for. */
static void list_gone(const struct finding_writer *w, struct cause *c)
{
    for (uint32_t feeds = 0; feeds < 2 && !c->others.count; feeds++) {
        for (uint32_t i = 0; i < c->resources.count; i++) {
            struct grosr_resource_view r = grosr_graph_resource_view(w->graph, c->resources.at[i]);
            const struct grosr_graph_edge *edge = feeds ? r.feed : r.hold;
            for (uint32_t j = 0; j < (feeds ? r.feeds : r.holds); j++)
                if (grosr_graph_actor_view(w->graph, edge[j].actor).state == GROSR_ACTOR_GONE &&
                    !has(&c->others, edge[j].actor))
                    add_node(w, &c->others, edge[j].actor);
        }
        c->held = !feeds;
    }
}

/* ---- findings ---- */

static void say_wait(struct finding_text *t, const struct finding_writer *w, const struct cause *c)
{
    grosr_finding_say_actors(t, w, c->actors.at, c->actors.count);
    grosr_finding_say(t, c->actors.count == 1 ? " waits for " : " wait for ");
    grosr_finding_say_names(t, w, grosr_text_resource, c->resources.at, c->resources.count);
}

/* The evidence about a node: what it reads, and the facts that were noted of it. */
static void add_facts(const struct finding_writer *w, struct grosr_finding *f, const char *facts)
{
    if (*facts)
        grosr_finding_evidence(w->findings, f, "%s", facts);
}

static void add_since(const struct finding_writer *w, struct grosr_finding *f, uint32_t actor,
                      const char *verb, uint32_t resource, uint64_t since)
{
    struct finding_text t = {0};
    char *line;

    if (!since)
        return;
    grosr_finding_say(&t, "%s has %s %s for ", grosr_text_actor(w, actor), verb,
                      grosr_text_resource(w, resource));
    grosr_finding_say_duration(&t, age_of(w, since));
    line = grosr_text_finish(w, &t);
    if (line)
        grosr_finding_evidence(w->findings, f, "%s", line);
    free(line);
}

/* Names, since when each waits and holds, and facts, of a finding that has been added. */
static void describe(const struct finding_writer *w, struct grosr_finding *f, const struct cause *c)
{
    uint32_t shown = 0;

    for (uint32_t i = 0; i < c->actors.count; i++)
        grosr_finding_worker(w->findings, f, grosr_text_actor(w, c->actors.at[i]));
    for (uint32_t i = 0; i < c->others.count; i++)
        if (!has(&c->actors, c->others.at[i]))
            grosr_finding_worker(w->findings, f, grosr_text_actor(w, c->others.at[i]));
    for (uint32_t i = 0; i < c->resources.count; i++)
        grosr_finding_resource(w->findings, f, grosr_text_resource(w, c->resources.at[i]));
    if (f && c->behind.count)
        shown = grosr_finding_chain(w, f, c->actors.at, c->actors.count, c->behind.at, c->behind.count);
    for (uint32_t i = 0; i < c->waiters && i < MAX_FACTS; i++)
        add_since(w, f, c->waiter[i].actor, "waited for", c->waiter[i].resource, c->waiter[i].since);
    if (c->waiters > MAX_FACTS)
        grosr_finding_evidence(w->findings, f, "%" PRIu32 " more wait like these", c->waiters - MAX_FACTS);
    for (uint32_t i = 0; i < c->resources.count && i < MAX_FACTS; i++) {
        struct grosr_resource_view r = grosr_graph_resource_view(w->graph, c->resources.at[i]);
        for (uint32_t j = 0; j < r.holds && j < MAX_FACTS; j++)
            add_since(w, f, r.hold[j].actor, "held", c->resources.at[i], r.hold[j].since);
        add_facts(w, f, r.facts);
    }
    for (uint32_t i = 0; i < c->actors.count && i < MAX_FACTS; i++)
        add_facts(w, f, grosr_graph_actor_view(w->graph, c->actors.at[i]).facts);
    for (uint32_t i = 0; i < c->others.count && i < MAX_FACTS; i++)
        add_facts(w, f, grosr_graph_actor_view(w->graph, c->others.at[i]).facts);
    if (c->behind.count > shown)
        grosr_finding_evidence(w->findings, f, "%" PRIu32 " %s behind %s", c->behind.count - shown,
                               c->behind.count - shown == 1 ? "more waits" : "more wait",
                               c->waiters == 1 ? "it" : "these");
}

static struct grosr_finding *add(const struct finding_writer *w, enum grosr_verdict verdict, const char *kind,
                                 uint64_t since, struct finding_text *t, const struct cause *c)
{
    char *summary = grosr_text_finish(w, t);
    struct grosr_finding *f = NULL;

    if (summary)
        f = grosr_findings_add(w->findings, verdict, kind, age_of(w, since), summary, NULL);
    free(summary);
    if (f)
        describe(w, f, c);
    return f;
}

static void say_cycle(struct finding_text *t, const struct finding_writer *w,
                      const struct grosr_stuck_set *set)
{
    for (uint32_t i = 0; i < set->cycle_length; i += 2) {
        uint32_t actor = set->cycle[i], next = set->cycle[(i + 2) % set->cycle_length];
        if (i == 2 * MAX_HOPS) {
            grosr_finding_say(t, "; and so on through %" PRIu32 " more, back to %s",
                              (set->cycle_length - i) / 2, grosr_text_actor(w, set->cycle[0]));
            return;
        }
        grosr_finding_say(t, "%s%s waits for %s", i ? "; " : "", grosr_text_actor(w, actor),
                          grosr_text_resource(w, set->cycle[i + 1]));
        grosr_finding_say_link(t, w, set->cycle[i + 1], next, actor == next);
    }
}

/* Several who wait for one thing that they themselves have. */
static void say_knot(struct finding_text *t, const struct finding_writer *w, const struct cause *c)
{
    struct grosr_resource_view r = grosr_graph_resource_view(w->graph, c->resources.at[0]);
    const char *verb = grosr_supply_verb(r.kind);

    say_wait(t, w, c);
    if (r.holds && r.kind != GROSR_WANTED_QUEUE_ROOM)
        grosr_finding_say(t, ", which only they %s",
                          r.kind == GROSR_WANTED_SM_ROOM || r.kind == GROSR_WANTED_PORT ? "occupy" : "hold");
    else if (verb)
        grosr_finding_say(t, ", which only they could %s", verb);
    else
        grosr_finding_say(t, ", behind each other");
}

/* The waits of the set's actors for its resources, from one of its actors on, of whatever age. */
static void add_members(const struct finding_writer *w, struct cause *c, const struct grosr_stuck_set *set,
                        uint32_t first)
{
    for (uint32_t i = first; i < set->actors; i++) {
        struct grosr_actor_view a = grosr_graph_actor_view(w->graph, set->actor[i]);
        for (uint32_t j = 0; j < a.waits; j++)
            if (bsearch(&a.wait[j].resource, set->resource, set->resources, sizeof(uint32_t), by_number))
                add_waiter(w, c, set->actor[i], a.wait[j].resource);
    }
}

static void add_deadlock(const struct finding_writer *w, const struct grosr_stuck_set *set)
{
    struct cause c = {0};
    struct finding_text t = {0};
    struct grosr_finding *f;

    if (!is_old(w, set->since))
        return;
    add_members(w, &c, set, 0);
    add_behind(w, &c, set);
    list_waiters(w, &c);
    if (w->findings->error) {
        free_cause(&c);
        return;
    }
    if (set->resources == 1 && c.actors.count > 1)
        say_knot(&t, w, &c);
    else
        say_cycle(&t, w, set);
    f = add(w, GROSR_VERDICT_DEADLOCK, grosr_deadlock_kind(w->graph, set), set->since, &t, &c);
    for (uint32_t i = 0; i < set->cycle_length; i++)
        grosr_finding_cycle(w->findings, f,
                            (i % 2 ? grosr_text_resource : grosr_text_actor)(w, set->cycle[i]));
    free_cause(&c);
}

/* The length of a resource's text without the number at its end: "`flag` 3" and "`flag` 4" have one stem. */
static size_t stem(const char *text)
{
    size_t length = strlen(text), end = length;

    while (end && strchr("0123456789abcdefx", text[end - 1]))
        end--;
    return end && end < length && text[end - 1] == ' ' && strchr("0123456789", text[end]) ? end : length;
}

static bool are_alike(const struct finding_writer *w, uint32_t a, uint32_t b)
{
    struct grosr_resource_view x = grosr_graph_resource_view(w->graph, a);
    struct grosr_resource_view y = grosr_graph_resource_view(w->graph, b);
    size_t length = stem(x.text);

    return x.kind == y.kind && length == stem(y.text) && !memcmp(x.text, y.text, length) &&
           !strcmp(grosr_starved_kind(w->graph, a), grosr_starved_kind(w->graph, b));
}

static void say_starved(struct finding_text *t, const struct finding_writer *w, const struct cause *c)
{
    struct grosr_resource_view r = grosr_graph_resource_view(w->graph, c->resources.at[0]);
    const char *verb = grosr_supply_verb(r.kind);

    say_wait(t, w, c);
    if (!c->others.count && *r.unknown) {
        grosr_finding_say(t, "; %s", r.unknown);
        return;
    }
    if (!c->others.count) {
        grosr_finding_say(t, ", which nobody is left to %s", verb ? verb : "bring about");
        return;
    }
    grosr_finding_say(t, c->held || verb ? ", which " : ", behind ");
    grosr_finding_say_names(t, w, grosr_text_actor, c->others.at, c->others.count);
    if (!c->held && verb)
        grosr_finding_say(t, " would have to %s", verb);
    grosr_finding_say(t, c->held ? " held and did not give back; " : "; ");
    const char *end = grosr_graph_actor_view(w->graph, c->others.at[0]).end;
    if (c->others.count == 1 && *end)
        grosr_finding_say(t, "%s", end);
    else
        grosr_finding_say(t, c->others.count == 1 ? "it has ended" : "they have ended");
}

/* The set, and those after it that are like it, which are done then. */
static void add_starved(const struct finding_writer *w, uint32_t first, bool *done)
{
    const struct grosr_stuck_set *set = w->solution->set;
    struct cause c = {0};
    struct finding_text t = {0};

    for (uint32_t i = first; i < w->solution->sets; i++) {
        if (done[i] || set[i].kind != GROSR_STUCK_STARVED ||
            !are_alike(w, set[first].resource[0], set[i].resource[0]))
            continue;
        done[i] = true;
        for (uint32_t j = 0; j < set[i].actors; j++)
            add_waiter(w, &c, set[i].actor[j], set[i].resource[0]);
        add_behind(w, &c, &set[i]);
    }
    list_waiters(w, &c);
    list_gone(w, &c);
    if (c.waiters && !w->findings->error) {
        say_starved(&t, w, &c);
        add(w, GROSR_VERDICT_STALLED, grosr_starved_kind(w->graph, set[first].resource[0]), c.oldest, &t, &c);
    }
    free_cause(&c);
}

/* The set, and those after it of others who feed or hold the same resource. */
static void add_unseen(const struct finding_writer *w, uint32_t first, bool *done)
{
    const struct grosr_stuck_set *set = w->solution->set;
    uint32_t resource = set[first].resource[0];
    struct cause c = {0};
    struct finding_text t = {0};

    for (uint32_t i = first; i < w->solution->sets; i++) {
        if (done[i] || set[i].kind != GROSR_STUCK_UNSEEN || set[i].resource[0] != resource)
            continue;
        done[i] = true;
        add_node(w, &c.others, set[i].actor[0]);
        add_members(w, &c, &set[i], 1);
    }
    add_behind(w, &c, &set[first]);
    list_waiters(w, &c);
    if (c.waiters && !w->findings->error) {
        say_wait(&t, w, &c);
        grosr_finding_say_link(&t, w, resource, c.others.at[0], false);
        grosr_finding_say(&t, "; what ");
        if (grosr_is_end(grosr_graph_resource_view(w->graph, resource).kind))
            grosr_finding_say(&t, "that");
        else
            grosr_finding_say_names(&t, w, grosr_text_actor, c.others.at, c.others.count);
        grosr_finding_say(&t, c.others.count == 1 ? " does cannot be seen" : " do cannot be seen");
        add(w, GROSR_VERDICT_HEALTHY, "waits_for_unseen", c.oldest, &t, &c);
    }
    free_cause(&c);
}

void grosr_findings_from_graph(struct grosr_findings *findings, const struct grosr_graph *graph,
                               const struct grosr_solution *solution, uint64_t now)
{
    struct finding_writer w = {findings, graph, solution, now};
    bool *done = (bool *)calloc((size_t)solution->sets + 1, sizeof(*done));

    if (!done) {
        findings->error = -ENOMEM;
        return;
    }
    for (uint32_t i = 0; i < solution->sets; i++) {
        if (done[i])
            continue;
        if (solution->set[i].kind == GROSR_STUCK_DEADLOCKED)
            add_deadlock(&w, &solution->set[i]);
        else if (solution->set[i].kind == GROSR_STUCK_STARVED)
            add_starved(&w, i, done);
        else
            add_unseen(&w, i, done);
    }
    free(done);
}
