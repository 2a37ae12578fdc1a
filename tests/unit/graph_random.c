/*
 * The wait-for graph's solution against the truth: 10,000 random programs of waits and holds, each played in
 * all possible orders of events (graph_program.h). An actor is stuck if no order of events starts it.
 *
 * Where a supply is used up (free units of a resource that is fed and not held), they are as many as all
 * could want: a graph has no notion of who gets the last one. Programs in which they are fewer are played as
 * well, and there nobody may be called stuck who could start.
 *
 * Who must be in which set follows from who is stuck, by the closure of a small matrix.
 */
#include "../graph_program.h"

enum { PROGRAMS = 10000 };

/* ---- the graph of a program ---- */

static struct grosr_graph *graph_of(const struct program *p)
{
    struct grosr_graph *graph;

    if (grosr_graph_create(&graph))
        abort();
    for (uint32_t a = 0; a < p->actors; a++)
        grosr_graph_set_state(graph, grosr_graph_actor(graph, GROSR_ACTOR_WORKER, a, ""), p->state[a], 0);
    for (uint32_t r = 0; r < p->resources; r++)
        grosr_graph_set_free(graph, grosr_graph_resource(graph, GROSR_WANTED_LOCK, r, ""), p->free[r]);
    for (uint32_t a = 0; a < p->actors; a++) {
        for (uint32_t i = 0; i < p->waits[a]; i++)
            grosr_graph_wait(graph, a, p->wait[a][i].resource, p->wait[a][i].units, p->wait[a][i].group,
                             p->since[a]);
        for (uint32_t r = 0; r < p->resources; r++) {
            if (p->held[a][r])
                grosr_graph_hold(graph, a, r, p->held[a][r], 1);
            if (p->feeds[a][r])
                grosr_graph_feed(graph, a, r);
        }
    }
    return graph;
}

/* What must come out: who is stuck, and the edges that are left among those who are. */
struct truth {
    const struct program *p;
    bool stuck[ACTORS], unseen[ACTORS]; /* stuck; not stuck only if those act who cannot be seen into */
    bool wait_left[ACTORS][RESOURCES];  /* of those who are stuck */
    bool wait_unseen[ACTORS][RESOURCES];
    uint32_t steps[NODES]
                  [NODES]; /* of a shortest way from one node to another, NODES * 2: none; actors first */
    bool behind[ACTORS][ACTORS]; /* by way of `wait_unseen`, the first waits, at last, for the second */
};

/* Whether the resource has that much once all these have acted. */
static bool enough(const struct program *p, const bool *acts, const struct wait *wait)
{
    uint32_t units = p->free[wait->resource];

    for (uint32_t a = 0; a < p->actors; a++) {
        if (acts[a] && p->feeds[a][wait->resource])
            return true;
        units += acts[a] ? p->held[a][wait->resource] : 0;
    }
    return units >= wait->units;
}

static bool group_satisfied(const struct program *p, const bool *acts, uint32_t a, uint32_t i)
{
    uint32_t group = p->wait[a][i].group;
    bool any = enough(p, acts, &p->wait[a][i]);

    for (uint32_t j = 0; group && j < p->waits[a]; j++)
        any = any || (p->wait[a][j].group == group && enough(p, acts, &p->wait[a][j]));
    return any;
}

static void find_edges(struct truth *t, const bool *acts, const bool *acts_seen)
{
    const struct program *p = t->p;

    for (uint32_t a = 0; a < p->actors; a++) {
        for (uint32_t i = 0; i < p->waits[a]; i++) {
            const struct wait *wait = &p->wait[a][i];
            t->wait_left[a][wait->resource] = t->stuck[a] && !group_satisfied(p, acts, a, i);
            t->wait_unseen[a][wait->resource] =
                t->unseen[a] && !group_satisfied(p, acts_seen, a, i) && enough(p, acts, wait);
        }
    }
}

static bool gives(const struct program *p, uint32_t a, uint32_t r)
{
    return p->held[a][r] || p->feeds[a][r];
}

static void close_matrix(struct truth *t)
{
    const struct program *p = t->p;

    for (uint32_t x = 0; x < NODES; x++)
        for (uint32_t y = 0; y < NODES; y++)
            t->steps[x][y] = NODES * 2;
    for (uint32_t a = 0; a < p->actors; a++) {
        for (uint32_t r = 0; r < p->resources; r++) {
            if (t->wait_left[a][r])
                t->steps[a][ACTORS + r] = 1;
            if (t->stuck[a] && gives(p, a, r))
                t->steps[ACTORS + r][a] = 1;
            for (uint32_t b = 0; b < p->actors; b++)
                t->behind[a][b] |= t->wait_unseen[a][r] && gives(p, b, r);
        }
    }
    for (uint32_t via = 0; via < NODES; via++)
        for (uint32_t x = 0; x < NODES; x++)
            for (uint32_t y = 0; y < NODES; y++)
                if (t->steps[x][via] + t->steps[via][y] < t->steps[x][y])
                    t->steps[x][y] = t->steps[x][via] + t->steps[via][y];
    for (uint32_t via = 0; via < ACTORS; via++)
        for (uint32_t x = 0; x < ACTORS; x++)
            for (uint32_t y = 0; y < ACTORS; y++)
                t->behind[x][y] |= t->behind[x][via] && t->behind[via][y];
}

static struct truth truth_of(const struct program *p, const struct play *all, const struct play *known)
{
    struct truth t = {.p = p};
    bool acts[ACTORS], acts_seen[ACTORS];

    for (uint32_t a = 0; a < p->actors; a++) {
        bool waits = p->state[a] == GROSR_ACTOR_WAITING;
        t.stuck[a] = waits && !all->starts[a];
        t.unseen[a] = waits && all->starts[a] && !known->starts[a];
        acts[a] = p->state[a] != GROSR_ACTOR_GONE && !t.stuck[a];
        acts_seen[a] = p->state[a] == GROSR_ACTOR_ABLE || (waits && known->starts[a]);
    }
    find_edges(&t, acts, acts_seen);
    close_matrix(&t);
    return t;
}

/* ---- judging ---- */

/* A list of numbers in order, after the first `from` of them, as a set; ~0: it is not in order. */
static uint32_t bits(const uint32_t *list, uint32_t count, uint32_t from)
{
    uint32_t b = 0;

    for (uint32_t i = from; i < count; i++) {
        if (list[i] >= 32 || b >> list[i])
            return ~0u;
        b |= 1u << list[i];
    }
    return b;
}

static bool are_together(const struct truth *t, uint32_t x, uint32_t y)
{
    return t->steps[x][y] < NODES * 2 && t->steps[y][x] < NODES * 2;
}

static bool cycle_is_right(const struct truth *t, const struct grosr_stuck_set *set)
{
    uint32_t shortest = NODES * 2, used = 0;

    for (uint32_t i = 0; i < set->actors; i++)
        if (t->steps[set->actor[i]][set->actor[i]] < shortest)
            shortest = t->steps[set->actor[i]][set->actor[i]];
    for (uint32_t i = 0; i < set->cycle_length; i++) {
        uint32_t node = set->cycle[i] + (i % 2 ? ACTORS : 0), next = set->cycle[(i + 1) % set->cycle_length];
        if (t->steps[node][next + (i % 2 ? 0 : ACTORS)] != 1 || used >> node & 1)
            return false;
        used |= 1u << node;
    }
    return set->cycle_length == shortest && set->cycle_length % 2 == 0;
}

static bool deadlock_is_right(const struct truth *t, const struct grosr_stuck_set *set)
{
    uint32_t actors = 0, resources = 0, behind = 0, first = set->actor[0];
    uint64_t since = 0;

    for (uint32_t a = 0; a < t->p->actors; a++) {
        if (are_together(t, a, first)) {
            actors |= 1u << a;
            since = t->p->since[a] > since ? t->p->since[a] : since;
        } else if (t->steps[a][first] < NODES * 2) {
            behind |= 1u << a;
        }
    }
    for (uint32_t r = 0; r < t->p->resources; r++)
        resources |= are_together(t, ACTORS + r, first) ? 1u << r : 0;
    return actors && actors == bits(set->actor, set->actors, 0) &&
           resources == bits(set->resource, set->resources, 0) &&
           behind == bits(set->behind, set->behinds, 0) && since == set->since && cycle_is_right(t, set);
}

static bool starved_is_right(const struct truth *t, const struct grosr_stuck_set *set)
{
    uint32_t actors = 0, behind = 0, resource = set->resource[0];
    uint64_t since = 0;

    for (uint32_t a = 0; a < t->p->actors; a++) {
        if (t->wait_left[a][resource]) {
            actors |= 1u << a;
            since = t->p->since[a] > since ? t->p->since[a] : since;
        } else if (t->steps[a][ACTORS + resource] < NODES * 2) {
            behind |= 1u << a;
        }
        if (t->steps[ACTORS + resource][a] < NODES * 2)
            return false;
    }
    return set->resources == 1 && !set->cycle && actors == bits(set->actor, set->actors, 0) &&
           behind == bits(set->behind, set->behinds, 0) && since == set->since;
}

static bool unseen_is_right(const struct truth *t, const struct grosr_stuck_set *set)
{
    uint32_t actors = 0, resources = 0, behind = 0, unseen = set->actor[0];
    uint64_t since = 0;

    for (uint32_t a = 0; a < t->p->actors; a++) {
        for (uint32_t r = 0; r < t->p->resources; r++) {
            if (!t->wait_unseen[a][r] || !gives(t->p, unseen, r))
                continue;
            actors |= 1u << a;
            resources |= 1u << r;
            since = t->p->since[a] > since ? t->p->since[a] : since;
        }
    }
    for (uint32_t a = 0; a < t->p->actors; a++)
        behind |= t->behind[a][unseen] && !(actors >> a & 1) ? 1u << a : 0;
    return t->p->state[unseen] == GROSR_ACTOR_UNSEEN && actors == bits(set->actor, set->actors, 1) &&
           resources == bits(set->resource, set->resources, 0) &&
           behind == bits(set->behind, set->behinds, 0) && since == set->since;
}

/* How many sets there must be. */
static uint32_t count_sets(const struct truth *t)
{
    uint32_t sets = 0;

    for (uint32_t a = 0; a < t->p->actors; a++) {
        bool first = t->steps[a][a] < NODES * 2, waited_for = false;
        for (uint32_t b = 0; b < a; b++)
            first = first && !are_together(t, a, b);
        for (uint32_t b = 0; b < t->p->actors; b++)
            for (uint32_t r = 0; r < t->p->resources; r++)
                waited_for = waited_for || (t->wait_unseen[b][r] && gives(t->p, a, r));
        sets += first + (waited_for && t->p->state[a] == GROSR_ACTOR_UNSEEN);
    }
    for (uint32_t r = 0; r < t->p->resources; r++) {
        bool wanted = false, supplied = false;
        for (uint32_t a = 0; a < t->p->actors; a++) {
            wanted = wanted || t->wait_left[a][r];
            supplied = supplied || (t->stuck[a] && gives(t->p, a, r));
        }
        sets += wanted && !supplied;
    }
    return sets;
}

static struct {
    uint32_t stuck, called_stuck, both; /* actors */
    uint32_t unseen, called_unseen, both_unseen;
    uint32_t deadlocks, starved, unseens, wrong_sets, wrong_counts, wrong_orders;
} judged;

/* Who is in the sets of a kind, or behind them. */
static uint32_t in_sets(const struct grosr_solution *s, bool unseen)
{
    uint32_t b = 0;

    for (uint32_t i = 0; i < s->sets; i++)
        if ((s->set[i].kind == GROSR_STUCK_UNSEEN) == unseen)
            b |= bits(s->set[i].actor, s->set[i].actors, unseen) |
                 bits(s->set[i].behind, s->set[i].behinds, 0);
    return b;
}

static void judge_actors(const struct truth *t, const struct grosr_solution *s)
{
    uint32_t stuck = in_sets(s, false), unseen = in_sets(s, true);

    for (uint32_t a = 0; a < t->p->actors; a++) {
        judged.stuck += t->stuck[a];
        judged.called_stuck += stuck >> a & 1;
        judged.both += t->stuck[a] && stuck >> a & 1;
        judged.unseen += t->unseen[a];
        judged.called_unseen += unseen >> a & 1;
        judged.both_unseen += t->unseen[a] && unseen >> a & 1;
    }
}

static void judge_sets(const struct truth *t, const struct grosr_solution *s)
{
    for (uint32_t i = 0; i < s->sets; i++) {
        const struct grosr_stuck_set *set = &s->set[i];
        bool right = false;
        if (set->kind == GROSR_STUCK_DEADLOCKED)
            right = deadlock_is_right(t, set), judged.deadlocks++;
        else if (set->kind == GROSR_STUCK_STARVED)
            right = starved_is_right(t, set), judged.starved++;
        else
            right = unseen_is_right(t, set), judged.unseens++;
        judged.wrong_sets += !right;
        if (i && (set[-1].kind == GROSR_STUCK_UNSEEN) > (set->kind == GROSR_STUCK_UNSEEN))
            judged.wrong_orders++;
        else if (i && (set[-1].kind == GROSR_STUCK_UNSEEN) == (set->kind == GROSR_STUCK_UNSEEN))
            judged.wrong_orders += set[-1].since > set->since;
    }
    judged.wrong_counts += s->sets != count_sets(t);
}

int main(void)
{
    static struct play all, known;
    uint32_t scarce = 0, falsely = 0;

    for (uint32_t programs = 0; programs < PROGRAMS;) {
        bool is_scarce = scarce < PROGRAMS / 4 && below(5) == 0;
        struct program p = make_program(is_scarce);
        struct grosr_solution solution;
        if (!play_all(&all, &p, true) || !play_all(&known, &p, false))
            continue;
        struct grosr_graph *graph = graph_of(&p);
        if (grosr_graph_solve(graph, &solution))
            abort();
        if (is_scarce) {
            for (uint32_t a = 0; a < p.actors; a++)
                falsely += all.starts[a] && in_sets(&solution, false) >> a & 1;
            scarce++;
        } else {
            struct truth t = truth_of(&p, &all, &known);
            judge_actors(&t, &solution);
            judge_sets(&t, &solution);
            programs++;
        }
        grosr_solution_free(&solution);
        grosr_graph_free(graph);
    }
    printf("# %" PRIu32 " actors stuck, %" PRIu32 " by those who cannot be seen into; %" PRIu32
           " deadlocks, %" PRIu32 " resources that nobody supplies, %" PRIu32 " unseen\n",
           judged.stuck, judged.unseen, judged.deadlocks, judged.starved, judged.unseens);
    ok(judged.stuck > PROGRAMS / 2 && judged.unseen > PROGRAMS / 20 && judged.deadlocks > PROGRAMS / 20 &&
           judged.starved > PROGRAMS / 4,
       "the programs have all kinds");
    is(judged.both, judged.stuck, "whoever is stuck is called so");
    is(judged.both, judged.called_stuck, "and nobody else");
    is(judged.both_unseen, judged.unseen,
       "whoever depends on an actor that cannot be seen into is called so");
    is(judged.both_unseen, judged.called_unseen, "and nobody else");
    is(judged.wrong_sets, 0, "every set holds whom it should, since when, and its cycle is a shortest one");
    is(judged.wrong_counts, 0, "no set is missing or too many");
    is(judged.wrong_orders, 0, "the longest standing come first");
    ok(scarce > PROGRAMS / 8, "programs in which a supply is used up");
    is(falsely, 0, "nobody is called stuck who could start in them");
    return tap_done();
}
