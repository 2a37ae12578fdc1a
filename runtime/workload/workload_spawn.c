/*
 * Tasks that spawn tasks: Fibonacci trees (deep, uneven), regular trees, fans (wide ranges that are cut up as
 * they are shared) and sums over a whole warp, in an order and of sizes that a hash of their number gives. A
 * tree has at most TREE_MAX tasks, so that the frames that a runtime has by default are enough.
 *
 * The host works out what a tree gives and how many tasks it runs from its root alone. A last fan makes up
 * the number of tasks asked for.
 */
#include "workload.h"

#include "../builtin/functions.h"

#define BATCH    32u
#define WINDOW   16u
#define TREE_MAX 4096u

/* A regular tree's nodes, and in *leaves the lowest of them. */
static uint64_t nodes_of(uint32_t depth, uint64_t children, uint64_t *leaves)
{
    uint64_t nodes = 1;

    *leaves = 1;
    while (depth--) {
        *leaves *= children;
        nodes += *leaves;
    }
    return nodes;
}

static uint64_t fib(uint32_t n)
{
    uint64_t a = 0, b = 1;

    while (n--) {
        uint64_t next = a + b;
        a = b;
        b = next;
    }
    return a;
}

/* How many tasks a tree runs, its root included, and in *value what it gives. */
static uint64_t runs_of(const struct grosr_task *t, uint64_t *value)
{
    switch (t->function) {
    case GROSR_FN_FIB:
        *value = fib(t->a);
        return 2 * fib(t->a + 1) - 1;
    case GROSR_FN_TREE:
        return nodes_of(t->a, t->b, value);
    case GROSR_FN_FAN:
        *value = (t->b & 1 ? t->b * ((t->b - 1) / 2) : t->b / 2 * (t->b - 1)) * t->a;
        return t->b + 1;
    default: /* GROSR_FN_SPREAD */
        *value = 0;
        for (uint64_t i = t->a; i < t->a + t->b; i++)
            *value += i * i;
        return 1;
    }
}

static struct grosr_task make_tree(uint64_t i)
{
    uint64_t h = grosr_hash64(i), leaves;
    struct grosr_task t = {0};

    switch (h & 3) {
    case 0:
        t.function = GROSR_FN_FIB;
        t.a = 4 + (h >> 8) % 13; /* fib(16): 3,193 tasks */
        break;
    case 1:
        t.function = GROSR_FN_TREE;
        t.b = 2 + (h >> 8) % 7;
        while (nodes_of(t.a + 1, t.b, &leaves) <= TREE_MAX)
            t.a++;
        break;
    case 2:
        t.function = GROSR_FN_FAN;
        t.a = (uint32_t)(h >> 32);
        t.b = (h >> 8) % TREE_MAX;
        break;
    default:
        t.function = GROSR_FN_SPREAD;
        t.a = (uint32_t)(h >> 48);
        t.b = (h >> 8) % 256;
    }
    return t;
}

static void make(void *state, struct grosr_feed_batch *batch, uint64_t runs, struct grosr_workload_result *r)
{
    uint64_t value;

    (void)state;
    while (runs && batch->count < BATCH) {
        struct grosr_task *t = &batch->tasks[batch->count];
        *t = make_tree(batch->from + batch->count++);
        uint64_t n = runs_of(t, &value);
        if (n > runs) {
            *t = (struct grosr_task){.function = GROSR_FN_FAN, .a = 1, .b = runs - 1};
            n = runs;
        }
        runs -= n;
        r->tasks += n;
        r->spawned += n - 1;
    }
}

static void check(void *state, const struct grosr_feed_batch *batch, struct grosr_workload_result *r)
{
    (void)state;
    for (uint32_t k = 0; k < batch->count; k++) {
        uint64_t want, runs = runs_of(&batch->tasks[k], &want);
        grosr_feed_check(batch, k, runs, want, r);
    }
}

int grosr_run_spawn(grosr *rt, const struct grosr_workload_options *o, struct grosr_workload_result *r)
{
    static const struct grosr_feed feed = {BATCH, WINDOW, NULL, make, check};
    return grosr_feed(rt, o, &feed, r);
}
