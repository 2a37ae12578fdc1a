/*
 * Experiment 0. Even tasks add, odd ones multiply; the operands are a hash of the task's number, so that a
 * result that went to the wrong task, came twice or came from an earlier lap is wrong.
 */
#include "workload.h"

#include "../builtin/functions.h"

#define BATCH  4096u
#define WINDOW 32u

static struct grosr_task make_task(uint64_t i)
{
    struct grosr_task t = {0};

    t.function = i & 1 ? GROSR_FN_MUL : GROSR_FN_ADD;
    t.b = grosr_hash64(i);
    t.a = (uint32_t)(t.b >> 17) ^ (uint32_t)i;
    return t;
}

static void make(void *state, struct grosr_feed_batch *batch, uint64_t runs, struct grosr_workload_result *r)
{
    (void)state;
    batch->count = runs < BATCH ? (uint32_t)runs : BATCH;
    for (uint32_t k = 0; k < batch->count; k++)
        batch->tasks[k] = make_task(batch->from + k);
    r->tasks += batch->count;
}

static void check(void *state, const struct grosr_feed_batch *batch, struct grosr_workload_result *r)
{
    (void)state;
    for (uint32_t k = 0; k < batch->count; k++) {
        struct grosr_task t = make_task(batch->from + k);
        grosr_feed_check(batch, k, 1, t.function == GROSR_FN_MUL ? t.a * t.b : t.a + t.b, r);
    }
}

int grosr_run_arith(grosr *rt, const struct grosr_workload_options *o, struct grosr_workload_result *r)
{
    static const struct grosr_feed feed = {BATCH, WINDOW, NULL, make, check};
    return grosr_feed(rt, o, &feed, r);
}
