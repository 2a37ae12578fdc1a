/*
 * The wait-for graph (tracer/findings/graph.h): small graphs with names, and what graphs may hold that
 * programs never do. Random ones are judged in graph_random.c.
 */
#include "../../tracer/findings/graph.h"
#include "../tap.h"

#include <errno.h>

static struct grosr_graph *graph;
static struct grosr_solution solution;

static void begin(void)
{
    if (grosr_graph_create(&graph))
        abort();
}

static void end(void)
{
    grosr_solution_free(&solution);
    grosr_graph_free(graph);
    graph = NULL;
}

static int solve(void)
{
    grosr_solution_free(&solution);
    return grosr_graph_solve(graph, &solution);
}

static uint32_t worker(uint64_t id)
{
    char text[32];

    snprintf(text, sizeof(text), "worker %" PRIu64, id);
    return grosr_graph_actor(graph, GROSR_ACTOR_WORKER, id, text);
}

static uint32_t lock(uint64_t id)
{
    char text[32];

    snprintf(text, sizeof(text), "lock %" PRIu64, id);
    return grosr_graph_resource(graph, GROSR_WANTED_LOCK, id, text);
}

/* The worker waits for the lock since then. */
static void waits(uint64_t w, uint64_t l, uint64_t since)
{
    grosr_graph_wait(graph, worker(w), lock(l), 1, 0, since);
}

static void holds(uint64_t w, uint64_t l)
{
    grosr_graph_hold(graph, worker(w), lock(l), 1, 1);
}

static void feeds(uint64_t w, uint64_t l)
{
    grosr_graph_feed(graph, worker(w), lock(l));
}

/* Whether the list is these numbers, as text: "0 3 4". */
static bool are(const uint32_t *list, uint32_t count, const char *wanted)
{
    char text[256] = "";
    size_t used = 0;

    for (uint32_t i = 0; i < count && used < sizeof(text) - 16; i++)
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%" PRIu32, i ? " " : "", list[i]);
    if (strcmp(text, wanted))
        printf("# got \"%s\", want \"%s\"\n", text, wanted);
    return !strcmp(text, wanted);
}

/* Whether the set is of that kind, with these actors, resources, cycle and actors behind it. */
static bool set_is(uint32_t i, enum grosr_stuck_kind kind, const char *actors, const char *resources,
                   const char *cycle, const char *behind)
{
    const struct grosr_stuck_set *set = &solution.set[i];

    return i < solution.sets && set->kind == kind &&
           are(set->actor, set->actors, actors) & are(set->resource, set->resources, resources) &
               are(set->cycle, set->cycle_length, cycle) & are(set->behind, set->behinds, behind);
}

/* ---- each kind ---- */

static void test_nothing_stuck(void)
{
    begin();
    is(solve(), 0, "a graph without nodes has a solution");
    is(solution.sets, 0, "which is empty");
    waits(0, 0, 5);
    holds(1, 0);
    waits(1, 1, 6);
    feeds(2, 1);
    grosr_graph_set_state(graph, grosr_graph_actor(graph, GROSR_ACTOR_THREAD, 7, "idle"), GROSR_ACTOR_WAITING,
                          1);
    is(solve(), 0, "a chain of waits that ends at somebody who can act");
    is(solution.sets, 0, "is not stuck, and neither is an actor that waits for nothing");
    end();
}

static void test_deadlocks(void)
{
    begin();
    holds(0, 0);
    holds(1, 1);
    waits(0, 1, 20);
    waits(1, 0, 30);
    waits(2, 0, 40);
    waits(3, 9, 50);
    holds(2, 9);
    solve();
    is(solution.sets, 1, "two locks in a cycle are one set");
    ok(set_is(0, GROSR_STUCK_DEADLOCKED, "0 1", "0 1", "0 1 1 0", "2 3"),
       "with both workers, both locks, the cycle, and those who wait behind it, one behind the other");
    is(solution.set[0].since, 30, "since the later of the two waits began, whoever came behind it then");
    end();

    begin();
    for (uint64_t i = 0; i < 5; i++) {
        holds(i, i);
        waits(i, (i + 1) % 5, 10 + i);
    }
    solve();
    ok(set_is(0, GROSR_STUCK_DEADLOCKED, "0 1 2 3 4", "0 1 2 3 4", "0 1 1 2 2 3 3 4 4 0", ""),
       "five philosophers");
    end();

    begin();
    waits(0, 0, 10);
    holds(0, 0);
    solve();
    ok(set_is(0, GROSR_STUCK_DEADLOCKED, "0", "0", "0 0", ""), "a lock that the worker holds already");
    end();

    begin();
    for (uint64_t i = 0; i < 4; i++) {
        waits(i, 0, 10 + i);
        feeds(i, 0);
    }
    solve();
    ok(set_is(0, GROSR_STUCK_DEADLOCKED, "0 1 2 3", "0", "0 0", ""),
       "room in a queue that only those who wait for it empty");
    is(solution.set[0].since, 13, "since the last of them came");
    feeds(4, 0);
    solve();
    is(solution.sets, 0, "one more who empties it frees them all");
    end();

    begin();
    /* 0 -> 1 -> 2 -> 0, and 1 -> 0 directly. */
    for (uint64_t i = 0; i < 3; i++) {
        holds(i, i);
        waits(i, (i + 1) % 3, 10);
    }
    waits(1, 0, 10);
    solve();
    ok(set_is(0, GROSR_STUCK_DEADLOCKED, "0 1 2", "0 1 2", "0 1 1 0", ""), "the shortest of several cycles");
    end();
}

static void test_starved(void)
{
    begin();
    waits(0, 0, 10);
    waits(1, 0, 20);
    holds(1, 1);
    waits(2, 1, 5);
    solve();
    is(solution.sets, 1, "a resource that nobody supplies is one set");
    ok(set_is(0, GROSR_STUCK_STARVED, "0 1", "0", "", "2"),
       "with all who wait for it, and those behind them");
    is(solution.set[0].since, 20, "since the last of those who wait for it came");
    end();

    begin();
    holds(0, 0);
    feeds(1, 0);
    grosr_graph_set_state(graph, worker(0), GROSR_ACTOR_GONE, 3);
    grosr_graph_set_state(graph, worker(1), GROSR_ACTOR_GONE, 3);
    waits(2, 0, 10);
    solve();
    ok(set_is(0, GROSR_STUCK_STARVED, "2", "0", "", ""),
       "those who have ended give nothing back and supply nothing");
    end();

    begin();
    holds(0, 0);
    waits(0, 1, 10);
    waits(0, 0, 10);
    waits(1, 1, 10);
    solve();
    is(solution.sets, 2, "an actor on a cycle that waits for what nobody supplies is in two sets");
    ok(set_is(0, GROSR_STUCK_DEADLOCKED, "0", "0", "0 0", "") &&
           set_is(1, GROSR_STUCK_STARVED, "0 1", "1", "", ""),
       "the cycle's, and that of the resource");
    end();
}

static void test_unseen(void)
{
    begin();
    grosr_graph_set_state(graph, worker(0), GROSR_ACTOR_UNSEEN, 1);
    feeds(0, 0);
    waits(1, 0, 10);
    holds(1, 1);
    waits(2, 1, 20);
    waits(3, 3, 30);
    solve();
    is(solution.sets, 2, "waits for an actor that cannot be seen into are a set, after the stuck ones");
    ok(set_is(0, GROSR_STUCK_STARVED, "3", "2", "", ""), "whatever their times");
    ok(set_is(1, GROSR_STUCK_UNSEEN, "0 1", "0", "", "2"),
       "with that actor first, and those who wait behind");
    feeds(4, 0);
    solve();
    is(solution.sets, 1, "where somebody else could act as well there is no such set");
    end();
}

/* ---- alternatives and units ---- */

static void test_groups(void)
{
    begin();
    holds(0, 0);
    waits(0, 9, 10);
    grosr_graph_wait(graph, worker(1), lock(0), 1, 7, 10);
    grosr_graph_wait(graph, worker(1), lock(1), 1, 7, 10);
    feeds(2, 1);
    solve();
    ok(set_is(0, GROSR_STUCK_STARVED, "0", "1", "", "") && solution.sets == 1,
       "one wait of a group is enough");
    grosr_graph_wait(graph, worker(1), lock(0), 1, 8, 10);
    solve();
    ok(set_is(0, GROSR_STUCK_STARVED, "0", "1", "", "1"), "each group needs one");
    end();

    begin();
    grosr_graph_wait(graph, worker(0), lock(0), 1, 0, 10);
    grosr_graph_wait(graph, worker(0), lock(1), 1, 0, 10);
    feeds(1, 1);
    solve();
    ok(set_is(0, GROSR_STUCK_STARVED, "0", "0", "", ""), "waits of group 0 must all be satisfied");
    end();
}

static void test_units(void)
{
    begin();
    grosr_graph_set_free(graph, lock(0), 2);
    grosr_graph_wait(graph, worker(0), lock(0), 2, 0, 10);
    grosr_graph_wait(graph, worker(1), lock(0), 2, 0, 10);
    solve();
    is(solution.sets, 0, "free units are enough for each who waits for so many");
    grosr_graph_wait(graph, worker(2), lock(0), 3, 0, 10);
    solve();
    ok(set_is(0, GROSR_STUCK_STARVED, "2", "0", "", ""), "who wants more than there are is starved");
    grosr_graph_hold(graph, worker(1), lock(0), 1, 1);
    solve();
    is(solution.sets, 0, "and is not once others give back the rest");
    grosr_graph_wait(graph, worker(3), lock(0), UINT64_MAX, 0, 10);
    grosr_graph_hold(graph, worker(0), lock(0), UINT64_MAX, 1);
    solve();
    is(solution.sets, 0, "sums do not overflow");
    end();

    begin();
    grosr_graph_wait(graph, worker(0), lock(0), 0, 0, 10);
    solve();
    is(solution.sets, 0, "a wait for no unit is satisfied");
    end();
}

/* ---- limits ---- */

static void test_arguments(void)
{
    begin();
    uint32_t w = worker(5), l = lock(6);
    is(worker(5), w, "the same kind and id is the same actor");
    is(grosr_graph_actor(graph, GROSR_ACTOR_WORKER, 5, "other"), w, "whatever the text");
    ok(!strcmp(grosr_graph_actor_view(graph, w).text, "worker 5"), "whose first text counts");
    ok(grosr_graph_actor(graph, GROSR_ACTOR_WARP, 5, NULL) != w, "another kind is another actor");
    ok(!*grosr_graph_actor_view(graph, 1).text, "no text is an empty one");

    grosr_graph_set_state(graph, GROSR_GRAPH_NONE, GROSR_ACTOR_GONE, 1);
    grosr_graph_set_free(graph, GROSR_GRAPH_NONE, 1);
    grosr_graph_actor_fact(graph, GROSR_GRAPH_NONE, "nothing");
    grosr_graph_resource_fact(graph, GROSR_GRAPH_NONE, "nothing");
    grosr_graph_wait(graph, w, GROSR_GRAPH_NONE, 1, 0, 1);
    grosr_graph_wait(graph, GROSR_GRAPH_NONE, l, 1, 0, 1);
    grosr_graph_hold(graph, w, GROSR_GRAPH_NONE, 1, 1);
    grosr_graph_feed(graph, GROSR_GRAPH_NONE, l);
    is(solve(), 0, "the number of no node does nothing");
    ok(solution.sets == 0 && grosr_graph_actors(graph) == 2 && grosr_graph_resources(graph) == 1, "at all");

    grosr_graph_actor_fact(graph, w, "one");
    grosr_graph_actor_fact(graph, w, "two");
    ok(!strcmp(grosr_graph_actor_view(graph, w).facts, "one\ntwo"), "facts are lines");
    ok(!*grosr_graph_resource_view(graph, l).facts, "or empty");

    grosr_graph_wait(graph, w, l, 1, 0, 7);
    grosr_graph_wait(graph, w, l, 1, 0, 8);
    grosr_graph_hold(graph, w, l, 1, 1);
    grosr_graph_hold(graph, w, l, 1, 2);
    grosr_graph_feed(graph, w, l);
    grosr_graph_feed(graph, w, l);
    solve();
    ok(set_is(0, GROSR_STUCK_DEADLOCKED, "0", "0", "0 0", "") && solution.sets == 1, "edges may stand twice");
    ok(grosr_graph_actor_view(graph, w).waits == 2 && grosr_graph_resource_view(graph, l).holds == 2 &&
           grosr_graph_resource_view(graph, l).feeds == 2,
       "and are read as they were made");
    grosr_graph_set_state(graph, w, GROSR_ACTOR_ABLE, 1);
    solve();
    is(solution.sets, 0, "a state that is set counts, whatever the waits");
    end();
    grosr_graph_free(NULL);
}

static void test_times(void)
{
    begin();
    waits(0, 0, 50);
    waits(1, 1, 40);
    waits(2, 2, 0);
    grosr_graph_set_state(graph, worker(3), GROSR_ACTOR_WAITING, 45);
    waits(3, 3, 0);
    solve();
    ok(solution.set[0].since == 40 && solution.set[1].since == 45 && solution.set[2].since == 50,
       "the longest standing comes first; where a wait's time is not known, that of the actor's state "
       "counts");
    ok(solution.set[3].since == 0 && solution.set[3].actor[0] == 2, "and unknown times last");
    end();
}

static void test_names(void)
{
    bool named = true;

    for (int i = 1; i < GROSR_ACTOR_KINDS; i++)
        named = named && strcmp(grosr_actor_kind_name((enum grosr_actor_kind)i), "unknown");
    for (int i = 1; i < GROSR_WANTED_KINDS; i++)
        named = named && strcmp(grosr_graph_resource_name((enum grosr_graph_resource)i), "unknown");
    ok(named, "every kind has a name");
    ok(!strcmp(grosr_actor_kind_name((enum grosr_actor_kind)0), "unknown") &&
           !strcmp(grosr_graph_resource_name(GROSR_WANTED_KINDS), "unknown"),
       "and others are unknown");
}

/* ---- size ---- */

static void test_large(void)
{
    enum { N = 20000 };

    begin();
    for (uint64_t i = 0; i < N; i++) {
        holds(i, i);
        if (i)
            waits(i, i - 1, 10);
        if (i > 9)
            waits(i, N + i % 10, 10);
        feeds(i % 10, N + i % 10);
    }
    is(solve(), 0, "a large graph");
    is(solution.sets, 0, "of which nobody is stuck: the first one waits for what others feed");
    end();

    begin();
    for (uint64_t i = 0; i < N; i++) {
        holds(i, i);
        waits(i, i ? i - 1 : N, 10);
    }
    solve();
    ok(solution.sets == 1 && solution.set[0].actors == 1 && solution.set[0].behinds == N - 1,
       "a chain of twenty thousand that ends at what nobody supplies");
    waits(0, N - 1, 10);
    solve();
    ok(solution.sets == 2 && solution.set[0].kind == GROSR_STUCK_DEADLOCKED &&
           solution.set[0].cycle_length == 2 * N,
       "and that goes round as well");
    end();
}

int main(void)
{
    test_nothing_stuck();
    test_deadlocks();
    test_starved();
    test_unseen();
    test_groups();
    test_units();
    test_arguments();
    test_times();
    test_names();
    test_large();
    return tap_done();
}
