/*
 * Cases of the experiment `alloc` that resemble programs: memory that runs out, blocks that come and go, a
 * graph that changes, and work that one kernel makes for the next.
 */
#include "bench_alloc_cases.h"

#include <errno.h>
#include <stdlib.h>

/* ---- until there is no memory ---- */

#define FILL_SIZE   64u
#define FILL_SHARE  0.98 /* of the arena, that must be had */
#define FILL_BLOCKS 4u   /* on each SM */
#define FILL_ROUNDS 3u   /* samples at most */

static int slowest(struct grosr_bench_alloc_cases *c, double *ns)
{
    uint32_t n = c->rig.args.threads;
    uint64_t *note = (uint64_t *)malloc(n * sizeof(*note)), most = 1;
    int err = note ? 0 : grosr_fail(ENOMEM, "out of memory");

    if (!err)
        err = grosr_bench_alloc_read(&c->rig, note, c->rig.args.note, n * sizeof(*note));
    for (uint32_t i = 0; !err && i < n; i++)
        most = note[i] > most ? note[i] : most;
    *ns = (double)most;
    free(note);
    return err;
}

/* What one round has found. */
struct filling {
    uint64_t blocks;
    double ns, null_filling, null_alone, null_many;
};

/* Fills the heap, asks it for more, by one thread and by many, and frees everything. */
static int fill_once(struct grosr_bench_alloc_cases *c, uint32_t threads, uint32_t many, struct filling *f)
{
    struct grosr_bench_alloc *a = &c->rig.args;
    double ns;
    int err;

    grosr_bench_alloc_set(c, threads, FILL_SIZE);
    a->steps = UINT32_MAX;
    if ((err = grosr_bench_alloc_step(c, GROSR_BENCH_ALLOC_FILL, &f->ns)))
        return err;
    f->blocks = c->rig.tally[GROSR_BENCH_FILLED];
    if ((err = slowest(c, &f->null_filling)))
        return err;
    a->steps = 1;
    a->threads = 1;
    if ((err = grosr_bench_alloc_step(c, GROSR_BENCH_ALLOC_FILL, &ns)) || (err = slowest(c, &f->null_alone)))
        return err;
    a->threads = many;
    if ((err = grosr_bench_alloc_step(c, GROSR_BENCH_ALLOC_FILL, &ns)) || (err = slowest(c, &f->null_many)))
        return err;
    a->threads = many > threads ? many : threads;
    if ((err = grosr_bench_alloc_step(c, GROSR_BENCH_ALLOC_DRAIN, &ns)))
        return err;
    grosr_bench_check_min(c->report, "bytes of blocks until full", GROSR_BENCH_NO_INDEX,
                          (uint64_t)(FILL_SHARE * (double)c->rig.heap.plan.arena_bytes),
                          f->blocks * FILL_SIZE);
    return grosr_bench_alloc_check_empty(&c->rig);
}

static uint32_t at_most(uint64_t n, uint64_t most)
{
    return (uint32_t)(n < most ? n : most);
}

int grosr_bench_alloc_fill(struct grosr_bench_alloc_cases *c)
{
    uint64_t most = c->options->tasks;
    uint32_t threads = at_most((uint64_t)c->report->device.sms * FILL_BLOCKS * GROSR_BENCH_ALLOC_BLOCK, most);
    uint32_t rounds = at_most(c->rounds - GROSR_BENCH_ALLOC_WARM_UP, FILL_ROUNDS);
    double share[FILL_ROUNDS], taken[FILL_ROUNDS];
    double filling[FILL_ROUNDS], alone[FILL_ROUNDS], many[FILL_ROUNDS];
    struct filling f = {0, 0, 0, 0, 0};
    bool fresh;
    int err;

    if (c->plain) /* the device's own would take minutes, and the C library's the machine's memory */
        return 0;
    grosr_bench_alloc_begin(c, "64 B until full", GROSR_BENCH_NO_AXIS, 0);
    err = grosr_bench_alloc_renew(&c->rig, &fresh);
    if (!err)
        err = grosr_bench_alloc_forget(&c->rig);
    for (uint32_t i = 0; !err && i < rounds; i++) {
        grosr_bench_round(c->report, i, 0);
        err = fill_once(c, threads, (uint32_t)most, &f);
        share[i] = (double)(f.blocks * FILL_SIZE) / (double)c->rig.bytes;
        taken[i] = f.blocks ? f.ns / (double)f.blocks : 0;
        filling[i] = f.null_filling;
        alone[i] = f.null_alone;
        many[i] = f.null_many;
    }
    if (err)
        return err;
    grosr_bench_alloc_add(c, "share of the heap had, 64 B until full", GROSR_BENCH_NO_AXIS, 0,
                          GROSR_BENCH_SHARE, 0, share, rounds);
    grosr_bench_alloc_add(c, "malloc until full, 64 B", GROSR_BENCH_NO_AXIS, 0, GROSR_BENCH_THROUGHPUT, 1,
                          taken, rounds);
    grosr_bench_alloc_add(c, "first NULL of each thread, the slowest", GROSR_BENCH_NO_AXIS, 0,
                          GROSR_BENCH_THROUGHPUT, 1, filling, rounds);
    grosr_bench_alloc_add(c, "NULL when full, one thread", GROSR_BENCH_NO_AXIS, 0, GROSR_BENCH_THROUGHPUT, 1,
                          alone, rounds);
    grosr_bench_alloc_add(c, "NULL when full, slowest of many threads", GROSR_BENCH_NO_AXIS, 0,
                          GROSR_BENCH_THROUGHPUT, 1, many, rounds);
    return 0;
}

/* ---- blocks that come and go ---- */

#define CHURN_ROUNDS 32u

/* The calls of a round: a malloc and a free by those that have a block, a malloc by all in the first one. */
static uint64_t churn_calls(uint32_t threads, uint32_t round)
{
    uint64_t calls = 0;

    for (uint32_t i = 0; i < threads; i++)
        calls += 2u * grosr_bench_churns(i, round);
    return round == 1 ? threads : calls;
}

/* What the blocks occupy, after a round whose number is a power of two. */
static int add_churn(struct grosr_bench_alloc_cases *c, uint32_t round, double ns)
{
    struct grosr_heap_counters k;
    double range, requested, value;
    uint64_t calls = churn_calls(c->rig.args.threads, round);
    int err = grosr_bench_alloc_check_places(&c->rig, &range, &requested);

    if (err)
        return err;
    if (calls)
        grosr_bench_alloc_add(c, "call, blocks that come and go", GROSR_BENCH_CYCLES, round,
                              GROSR_BENCH_THROUGHPUT, calls, &ns, 1);
    value = requested > 0 ? range / requested : 0;
    grosr_bench_alloc_add(c, "address range / bytes asked for", GROSR_BENCH_CYCLES, round, GROSR_BENCH_RATIO,
                          0, &value, 1);
    if (c->plain)
        return 0;
    if ((err = grosr_bench_alloc_counters(&c->rig, &k)))
        return err;
    value = grosr_heap_internal_fragmentation(&k);
    grosr_bench_alloc_add(c, "internal fragmentation", GROSR_BENCH_CYCLES, round, GROSR_BENCH_SHARE, 0,
                          &value, 1);
    value = grosr_heap_external_fragmentation(&k);
    grosr_bench_alloc_add(c, "external fragmentation", GROSR_BENCH_CYCLES, round, GROSR_BENCH_SHARE, 0,
                          &value, 1);
    return 0;
}

int grosr_bench_alloc_churn(struct grosr_bench_alloc_cases *c)
{
    struct grosr_bench_alloc *a = &c->rig.args;
    double ns;
    bool fresh;
    int err = grosr_bench_alloc_renew(&c->rig, &fresh);

    if (!err)
        err = grosr_bench_alloc_forget(&c->rig);
    grosr_bench_alloc_set(c, grosr_bench_alloc_threads(c, GROSR_BENCH_SIZE_MAX / 2), 0);
    a->aged = 1;
    for (uint32_t round = 1; !err && round <= CHURN_ROUNDS; round++) {
        grosr_bench_alloc_begin(c, "blocks that come and go", GROSR_BENCH_CYCLES, round);
        a->seed = round;
        err = grosr_bench_alloc_step(c, GROSR_BENCH_ALLOC_CHURN, &ns);
        if (!err && (round & (round - 1)) == 0)
            err = add_churn(c, round, ns);
    }
    if (!err)
        err = grosr_bench_alloc_step(c, GROSR_BENCH_ALLOC_CHECK, &ns);
    if (!err)
        err = grosr_bench_alloc_step(c, GROSR_BENCH_ALLOC_FREE, &ns);
    return err ? err : grosr_bench_alloc_check_empty(&c->rig);
}

/* ---- a dynamic graph ---- */

#define GRAPH_BYTES 2048u /* for a vertex's list, at the end of its growth */

/* The bounds of lengths, one after the other. */
static const uint32_t graph_bounds[] = {16, 32, 64, 128, 128, 64, 32, 16};
#define GRAPH_STEPS (sizeof(graph_bounds) / sizeof(graph_bounds[0]))

static int change_graph(struct grosr_bench_alloc_cases *c, uint32_t bound, uint32_t seed, double *ns)
{
    double ignored;
    int err;

    c->rig.args.steps = bound;
    c->rig.args.seed = seed;
    err = grosr_bench_alloc_step(c, GROSR_BENCH_ALLOC_GRAPH, ns);
    return err ? err : grosr_bench_alloc_step(c, GROSR_BENCH_ALLOC_GRAPH_CHECK, &ignored);
}

int grosr_bench_alloc_graph(struct grosr_bench_alloc_cases *c)
{
    uint32_t vertices = grosr_bench_alloc_threads(c, GRAPH_BYTES), count = 0;
    double *grown = c->samples[0], *shrunk = c->samples[1], ns;
    const char *growing = "graph grows, a list", *shrinking = "graph shrinks, a list";
    int err = grosr_bench_alloc_forget(&c->rig);

    grosr_bench_alloc_begin(c, "graph", GROSR_BENCH_NO_AXIS, 0);
    grosr_bench_alloc_set(c, vertices, 0);
    for (uint32_t i = 0; !err && i < c->rounds; i++) {
        grosr_bench_round(c->report, i, GROSR_BENCH_ALLOC_WARM_UP);
        grown[count] = shrunk[count] = 0;
        for (uint32_t k = 0; !err && k < GRAPH_STEPS; k++) {
            err = change_graph(c, graph_bounds[k], i * 100 + k, &ns);
            *(k < GRAPH_STEPS / 2 ? &grown[count] : &shrunk[count]) += ns;
        }
        if (!err)
            err = change_graph(c, 0, 0, &ns); /* all lists are empty again */
        count += i >= GROSR_BENCH_ALLOC_WARM_UP;
    }
    if (!err)
        err = grosr_bench_alloc_check_empty(&c->rig);
    if (err)
        return err;
    grosr_bench_alloc_add(c, growing, GROSR_BENCH_NO_AXIS, 0, GROSR_BENCH_THROUGHPUT,
                          vertices * (uint64_t)GRAPH_STEPS / 2, grown, count);
    grosr_bench_alloc_add(c, shrinking, GROSR_BENCH_NO_AXIS, 0, GROSR_BENCH_THROUGHPUT,
                          vertices * (uint64_t)GRAPH_STEPS / 2, shrunk, count);
    return 0;
}

/* ---- work for the next kernel ---- */

#define WORK_BYTES 2048u /* at most, of a thread's records */

int grosr_bench_alloc_produce(struct grosr_bench_alloc_cases *c)
{
    uint32_t threads = grosr_bench_alloc_threads(c, WORK_BYTES), count = 0;
    double *made = c->samples[0], *used = c->samples[1];
    uint64_t records = 0;
    int err = grosr_bench_alloc_forget(&c->rig);

    grosr_bench_alloc_begin(c, "work for the next kernel", GROSR_BENCH_NO_AXIS, 0);
    grosr_bench_alloc_set(c, threads, 0);
    for (uint32_t i = 0; i < threads; i++)
        records += grosr_bench_records(i, c->rig.args.seed);
    for (uint32_t i = 0; !err && i < c->rounds; i++) {
        grosr_bench_round(c->report, i, GROSR_BENCH_ALLOC_WARM_UP);
        err = grosr_bench_alloc_step(c, GROSR_BENCH_ALLOC_PRODUCE, &made[count]);
        if (!err)
            err = grosr_bench_alloc_step(c, GROSR_BENCH_ALLOC_CONSUME, &used[count]);
        count += i >= GROSR_BENCH_ALLOC_WARM_UP;
    }
    if (!err)
        err = grosr_bench_alloc_check_empty(&c->rig);
    if (err || !records)
        return err;
    grosr_bench_alloc_add(c, "record made for the next kernel", GROSR_BENCH_NO_AXIS, 0,
                          GROSR_BENCH_THROUGHPUT, records, made, count);
    grosr_bench_alloc_add(c, "record used and freed by it", GROSR_BENCH_NO_AXIS, 0, GROSR_BENCH_THROUGHPUT,
                          records, used, count);
    return 0;
}
