/*
 * Random programs of waits and holds, and which of their actors can ever start, by playing each program in
 * all possible orders of events.
 *
 * Whoever waits starts when the units it wants are there: for each of its waits, one alternative where there
 * are several. It takes them, and ends at any later time; then it gives back what it took and what it held,
 * and supplies any number of what it feeds.
 */
#ifndef GROSR_GRAPH_PROGRAM_H
#define GROSR_GRAPH_PROGRAM_H

#include "../tracer/findings/graph.h"
#include "tap.h"

enum { ACTORS = 7, RESOURCES = 6, WAITS = 4, NODES = ACTORS + RESOURCES, STATES = 1 << 20 };

struct wait {
    uint32_t resource, units, group;
};

struct program {
    uint32_t actors, resources;
    enum grosr_actor_state state[ACTORS];
    struct wait wait[ACTORS][WAITS];
    uint32_t waits[ACTORS];
    uint64_t since[ACTORS];
    uint32_t held[ACTORS][RESOURCES], free[RESOURCES];
    bool feeds[ACTORS][RESOURCES], used_up[RESOURCES]; /* what is taken of it does not come back */
};

static uint64_t seed = 20261128;

static uint32_t below(uint32_t n)
{
    return (uint32_t)(tap_random(&seed) >> 33) % n;
}

/* ---- making programs ---- */

static void make_actor(struct program *p, uint32_t a)
{
    static const enum grosr_actor_state others[] = {GROSR_ACTOR_ABLE, GROSR_ACTOR_UNSEEN, GROSR_ACTOR_GONE};
    bool used[RESOURCES] = {false};
    uint32_t group = 1 + below(3);

    p->state[a] = below(4) ? GROSR_ACTOR_WAITING : others[below(3)];
    p->since[a] = 1 + below(1000);
    if (p->state[a] != GROSR_ACTOR_WAITING)
        return;
    p->waits[a] = 1 + below(below(3) ? 2 : WAITS);
    for (uint32_t i = 0; i < p->waits[a]; i++) {
        uint32_t r;
        do
            r = below(p->resources);
        while (used[r]);
        used[r] = true;
        p->wait[a][i] = (struct wait){r, below(4) ? 1 : 1 + below(3),
                                      below(2)   ? 0
                                      : below(4) ? group
                                                 : group + 1};
    }
}

static void make_resource(struct program *p, uint32_t r, bool scarce)
{
    bool held = below(3), fed = !held || !below(4);
    uint32_t wanted = 0;

    for (uint32_t a = 0; a < p->actors; a++) {
        p->held[a][r] = held && !below(p->actors - 1) ? 1 + (!below(4)) : 0;
        p->feeds[a][r] = fed && !below(p->actors - 1);
        for (uint32_t i = 0; i < p->waits[a]; i++)
            wanted += p->wait[a][i].resource == r ? p->wait[a][i].units : 0;
    }
    p->used_up[r] = !held;
    if (held)
        p->free[r] = below(3) ? 0 : below(3);
    else if (!below(4))
        p->free[r] = scarce ? below(3) : wanted;
}

static struct program make_program(bool scarce)
{
    struct program p = {.actors = 2 + below(ACTORS - 1), .resources = 4 + below(RESOURCES - 3)};

    for (uint32_t a = 0; a < p.actors; a++)
        make_actor(&p, a);
    for (uint32_t r = 0; r < p.resources; r++)
        make_resource(&p, r, scarce);
    return p;
}

/* ---- playing them ---- */

/* The ways in which an actor can choose among its alternatives, as resources and units. */
struct ways {
    uint32_t units[1 << WAITS][RESOURCES];
    uint32_t count;
};

static struct ways ways_of(const struct program *p, uint32_t a)
{
    struct ways w = {.count = 0};

    for (uint32_t taken = 0; taken < 1u << p->waits[a]; taken++) {
        bool fits = true;
        for (uint32_t i = 0; i < p->waits[a]; i++) {
            uint32_t of_group = 0;
            for (uint32_t j = 0; j < p->waits[a]; j++)
                if (j == i || (p->wait[a][i].group && p->wait[a][j].group == p->wait[a][i].group))
                    of_group += taken >> j & 1;
            fits = fits && of_group == 1;
        }
        if (!fits)
            continue;
        memset(w.units[w.count], 0, sizeof(w.units[0]));
        for (uint32_t i = 0; i < p->waits[a]; i++)
            if (taken >> i & 1)
                w.units[w.count][p->wait[a][i].resource] = p->wait[a][i].units;
        w.count++;
    }
    return w;
}

/* An actor's state: 0, it has not started; 2 w + 1, it runs in way w; 2 w + 2, it has ended. */
struct play {
    const struct program *p;
    struct ways ways[ACTORS];
    uint32_t radix[ACTORS]; /* states of an actor */
    bool unseen_act;
    bool starts[ACTORS];
};

static uint8_t seen[STATES / 8];
static uint32_t stack[STATES];

static void read_state(const struct play *play, uint32_t state, uint32_t *of)
{
    for (uint32_t a = 0; a < play->p->actors; a++) {
        of[a] = state % play->radix[a];
        state /= play->radix[a];
    }
}

static uint32_t write_state(const struct play *play, const uint32_t *of)
{
    uint32_t state = 0;

    for (uint32_t a = play->p->actors; a > 0; a--)
        state = state * play->radix[a - 1] + of[a - 1];
    return state;
}

/* What can be had of the resource in this state. */
static uint32_t available(const struct play *play, const uint32_t *of, uint32_t r)
{
    uint32_t units = play->p->free[r], taken = 0;

    for (uint32_t a = 0; a < play->p->actors; a++) {
        bool ended = of[a] && of[a] % 2 == 0;
        if (ended && play->p->feeds[a][r])
            return UINT32_MAX;
        units += ended ? play->p->held[a][r] : 0;
        if (of[a] && (!ended || play->p->used_up[r]))
            taken += play->ways[a].units[(of[a] - 1) / 2][r];
    }
    /* It was fed when they were taken, and is not any more: that does not happen. */
    return units > taken ? units - taken : 0;
}

static uint32_t push(uint32_t depth, uint32_t state)
{
    if (seen[state / 8] >> state % 8 & 1)
        return depth;
    seen[state / 8] |= (uint8_t)(1 << state % 8);
    stack[depth] = state;
    return depth + 1;
}

/* The states after this one in which one actor has taken a step. */
static uint32_t push_steps(struct play *play, uint32_t depth, uint32_t *of)
{
    uint32_t units[RESOURCES];

    for (uint32_t r = 0; r < play->p->resources; r++)
        units[r] = available(play, of, r);
    for (uint32_t a = 0; a < play->p->actors; a++) {
        enum grosr_actor_state state = play->p->state[a];
        uint32_t before = of[a];
        if (state == GROSR_ACTOR_GONE || (state == GROSR_ACTOR_UNSEEN && !play->unseen_act))
            continue;
        if (before % 2) {
            of[a]++;
            depth = push(depth, write_state(play, of));
        }
        for (uint32_t w = 0; !before && w < play->ways[a].count; w++) {
            bool enough = true;
            for (uint32_t r = 0; r < play->p->resources; r++)
                enough = enough && units[r] >= play->ways[a].units[w][r];
            if (!enough)
                continue;
            play->starts[a] = true;
            of[a] = 2 * w + 1;
            depth = push(depth, write_state(play, of));
        }
        of[a] = before;
    }
    return depth;
}

/* False: the program has too many states. */
static bool play_all(struct play *play, const struct program *p, bool unseen_act)
{
    uint64_t states = 1;
    uint32_t depth, of[ACTORS] = {0};

    *play = (struct play){.p = p, .unseen_act = unseen_act};
    for (uint32_t a = 0; a < p->actors; a++) {
        play->ways[a] = ways_of(p, a);
        play->radix[a] = 1 + 2 * play->ways[a].count;
        states *= play->radix[a];
    }
    if (states > STATES)
        return false;
    memset(seen, 0, (size_t)states / 8 + 1);
    depth = push(0, 0);
    while (depth) {
        read_state(play, stack[--depth], of);
        depth = push_steps(play, depth, of);
    }
    return true;
}

#endif
