/*
 * Tasks that use the heap: blocks of changing sizes in a table of places, which tasks fill and empty in four
 * phases, so that fragmentation rises and falls; and trees whose nodes are allocated and freed as they are
 * built and summed up. In the end the table is emptied, and the heap's counters must say that nothing is
 * left.
 */
#include "workload.h"

#include "../builtin/functions_heap.h"

#include <inttypes.h>

#define BATCH  256u
#define WINDOW 16u
#define PARTS  256u /* in which the table is emptied */

#define TREE_EVERY  64u /* of so many tasks of a batch one is a tree */
#define TREE_LEVELS 6u
#define TREE_NODES  ((1u << TREE_LEVELS) - 1)
#define TREE_RUNS   (2 * TREE_NODES) /* each node grows and folds */

struct churn {
    uint64_t table; /* as tasks see it */
    uint64_t tasks; /* in all, for the phases */
    uint64_t failures;
};

static bool is_tree(const struct grosr_task *t)
{
    return t->function == GROSR_FN_GROW;
}

static void make(void *state, struct grosr_feed_batch *batch, uint64_t runs, struct grosr_workload_result *r)
{
    struct churn *c = (struct churn *)state;

    while (runs && batch->count < BATCH) {
        struct grosr_task *t = &batch->tasks[batch->count];
        uint64_t number = batch->from + batch->count++, n = 1;
        uint32_t phase = (uint32_t)(r->tasks % c->tasks * GROSR_CHURN_PHASES / c->tasks);
        if (number % TREE_EVERY == 0 && runs >= TREE_RUNS) {
            *t = (struct grosr_task){.function = GROSR_FN_GROW, .a = TREE_LEVELS | GROSR_TREE_ROOT};
            n = TREE_RUNS;
            r->spawned += TREE_NODES - 1;
        } else {
            *t = (struct grosr_task){.function = GROSR_FN_CHURN,
                                     .a = (uint32_t)number * GROSR_CHURN_PHASES + phase,
                                     .b = c->table};
        }
        runs -= n;
        r->tasks += n;
    }
}

static void check(void *state, const struct grosr_feed_batch *batch, struct grosr_workload_result *r)
{
    struct churn *c = (struct churn *)state;

    for (uint32_t k = 0; k < batch->count; k++) {
        bool tree = is_tree(&batch->tasks[k]);
        uint64_t failures = tree ? 0 : batch->results[k].value >> 32;
        grosr_feed_check(batch, k, tree ? TREE_RUNS : 1,
                         tree ? TREE_NODES : failures << 32 | GROSR_CHURN_STEPS, r);
        c->failures += failures;
    }
}

/* Empties the table. */
static int drain(grosr *rt, const struct churn *c, struct grosr_workload_result *r)
{
    struct grosr_task tasks[PARTS];
    struct grosr_result results[PARTS] = {{.value = 0}};
    struct grosr_feed_batch all = {.count = PARTS, .tasks = tasks, .results = results};
    int err;

    for (uint32_t i = 0; i < PARTS; i++)
        tasks[i] = (struct grosr_task){.function = GROSR_FN_EMPTY, .a = PARTS << 16 | i, .b = c->table};
    if ((err = grosr_submit(rt, tasks, PARTS, results, &all.first)))
        return err;
    r->tasks += PARTS;
    if ((err = grosr_drain(rt, GROSR_FOREVER))) {
        grosr_finish(rt); /* which may still write to `results` */
        return err;
    }
    for (uint32_t k = 0; k < PARTS; k++)
        grosr_feed_check(&all, k, 1, GROSR_CHURN_PLACES / PARTS, r);
    return 0;
}

/* Nothing may be left, and the counters of each class must say the same. */
static int audit(grosr *rt, const struct churn *c, struct grosr_workload_result *r)
{
    static struct grosr_heap_counters now;
    int err = grosr_heap_now(rt, &now);

    if (err)
        return err;
    for (uint64_t i = 0; i < now.classes; i++)
        if (now.class_[i].used || now.class_[i].mallocs != now.class_[i].frees)
            grosr_workload_error(r,
                                 "blocks of %" PRIu64 " bytes: %" PRIu64 " allocated, %" PRIu64
                                 " freed, %" PRIu64 " in use at the end",
                                 now.class_[i].slot_bytes, now.class_[i].mallocs, now.class_[i].frees,
                                 now.class_[i].used);
    if (now.large.live || now.large.mallocs != now.large.frees)
        grosr_workload_error(r, "large blocks: %" PRIu64 " allocated, %" PRIu64 " freed, %" PRIu64 " left",
                             now.large.mallocs, now.large.frees, now.large.live);
    if (now.free_chunks + now.empty_chunks != now.arena_bytes / now.chunk_bytes)
        grosr_workload_error(r, "%" PRIu64 " of %" PRIu64 " chunks are free at the end",
                             now.free_chunks + now.empty_chunks, now.arena_bytes / now.chunk_bytes);
    if (grosr_heap_bad_frees(&now))
        grosr_workload_error(r, "%" PRIu64 " frees were refused", grosr_heap_bad_frees(&now));
    if (grosr_heap_failures(&now) != c->failures)
        grosr_workload_error(r, "tasks saw %" PRIu64 " allocations fail, the heap %" PRIu64, c->failures,
                             grosr_heap_failures(&now));
    return 0;
}

int grosr_run_churn(grosr *rt, const struct grosr_workload_options *o, struct grosr_workload_result *r)
{
    struct churn c = {.tasks = o->tasks ? o->tasks : 1};
    const struct grosr_feed feed = {BATCH, WINDOW, &c, make, check};
    uint64_t places = GROSR_CHURN_PLACES;
    void *table;
    int err;

    if ((err = grosr_device_memory(rt, &table)) || (err = grosr_device_write(rt, 0, &places, sizeof(places))))
        return err;
    c.table = (uint64_t)(uintptr_t)table;
    if ((err = grosr_feed(rt, o, &feed, r)) || (err = drain(rt, &c, r)))
        return err;
    return audit(rt, &c, r);
}
