/* The windows of enqueue times: complete within their bounds, and never wrong. */
#include "../tap.h"

#include "../../tracer/rows/enqueue_times.h"

enum { UNKNOWN = -1 };

static size_t spare;

static struct grosr_enqueue_times window(size_t budget)
{
    spare = budget;
    return (struct grosr_enqueue_times){.spare = &spare, .reach = UINT64_MAX};
}

static int64_t ask(struct grosr_enqueue_times *w, uint64_t task)
{
    return grosr_enqueue_times_take(w, task, UNKNOWN);
}

static void answers(void)
{
    struct grosr_enqueue_times w = window(GROSR_ENQUEUE_TIMES_MAX);

    is(ask(&w, 0), UNKNOWN, "an empty window knows nothing");
    grosr_enqueue_times_add(&w, 10, 5, 100);
    grosr_enqueue_times_add(&w, 20, 1, 200);
    grosr_enqueue_times_add(&w, 15, 2, 150); /* not in order */
    is(ask(&w, 9), UNKNOWN, "before the first");
    is(ask(&w, 10), 100, "a batch's first");
    is(ask(&w, 14), 100, "and last");
    is(ask(&w, 15), 150, "one that came late");
    is(ask(&w, 17), UNKNOWN, "between two");
    is(ask(&w, 20), 200, "the newest");
    is(ask(&w, 21), UNKNOWN, "behind it");
    free(w.batch);
}

/* Adds n batches of one task, each asked for at once but for every `missing`-th. */
static void flow(struct grosr_enqueue_times *w, uint64_t n, uint64_t missing)
{
    uint64_t wrong = 0;

    for (uint64_t i = 0; i < n; i++) {
        grosr_enqueue_times_add(w, i, 1, (int64_t)i);
        if (i % missing)
            wrong += ask(w, i) != (int64_t)i;
    }
    is(wrong, 0, "all of %" PRIu64 " are right", n);
}

static void bounds(void)
{
    struct grosr_enqueue_times w = window(GROSR_ENQUEUE_TIMES_MAX);
    const uint64_t n = 1000000;

    flow(&w, n, n);
    ok(w.room <= 128, "what has been asked for takes no room: %zu batches", w.room);
    free(w.batch);

    w = window(GROSR_ENQUEUE_TIMES_MAX);
    flow(&w, n, 100);
    ok(w.room <= 4 * n / 100, "what has not, no more than it must: %zu batches", w.room);
    is(ask(&w, 500), 500, "and is still known");
    is(spare + w.room, GROSR_ENQUEUE_TIMES_MAX, "the budget is kept");
    free(w.batch);

    w = window(0);
    flow(&w, n, 2);
    ok(w.room <= 2 * GROSR_ENQUEUE_TIMES_MIN, "without a budget, %zu batches", w.room);
    is(ask(&w, 500), UNKNOWN, "the oldest are forgotten");
    is(ask(&w, n - 2), n - 2, "the newest are known");
    free(w.batch);

    w = window(GROSR_ENQUEUE_TIMES_MAX);
    w.reach = 1000;
    flow(&w, n, 2);
    ok(w.room <= 4096, "those out of reach go: %zu batches", w.room);
    free(w.batch);
}

/* Whatever the order, adding one takes a bounded number of steps. */
static void backwards(void)
{
    struct grosr_enqueue_times w = window(GROSR_ENQUEUE_TIMES_MAX);

    for (uint64_t i = 0; i < 6000; i++)
        grosr_enqueue_times_add(&w, 10000 - i, 1, (int64_t)i);
    is(ask(&w, 10000), 0, "batches that come from the last to the first: the first to come is known");
    is(ask(&w, 10000 - 4000), 4000, "and one that 4,000 came before");
    is(ask(&w, 10000 - 5000), UNKNOWN, "one that belongs before 5,000 is left out");
    free(w.batch);
}

int main(void)
{
    answers();
    backwards();
    bounds();
    return tap_done();
}
