/*
 * Trees in trouble on the host device (tests/trouble_suite.h), and workers that are frozen at each of the
 * test points in turn: the others go on.
 */
#include "../trouble_suite.h"

static dev32 frozen; /* 1: whoever comes to `point` next stays there; 2: somebody stays; 0: nobody */
static const char *point;

static void freeze(const char *name)
{
    if (!strcmp(name, point) && dev_cas_acquire(&frozen, 1, 2) == 1)
        while (dev_load_acquire(&frozen) == 2)
            usleep(100);
}

/* One by one: who is frozen before it writes what it has claimed holds up one port. */
static void *submit_trees(void *arg)
{
    struct suite_blocked *b = (struct suite_blocked *)arg;

    b->err = 0;
    for (uint64_t i = 0; i < b->count; i++)
        b->err |= grosr_submit(b->rt, b->tasks + i, 1, b->results + i, NULL);
    return NULL;
}

/* Trees, some of which spread by themselves, until somebody is frozen; then other tasks, many of which end.
 */
static void others_go_on(const char *name)
{
    enum { TREES = GROSR_HOST_LANES == 1 ? 200 : 20, TASKS = GROSR_HOST_LANES == 1 ? 600 : 200 };
    struct grosr_options o = suite_options("host");
    uint64_t seed = 3, start = grosr_host_clock_ns(), done = 0, wrong = 0, first = 0;
    struct grosr_task task[TASKS];
    struct grosr_result result[TASKS], one;
    struct trouble_trees t = trouble_plant(TREES, 7, &seed);
    pthread_t thread;

    point = name;
    dev_store_relaxed(&frozen, 1u);
    dev_point_hook_fn = freeze;
    o.workers = 4;
    o.ring_events = 64;
    grosr *rt = suite_open(&o);
    struct suite_blocked b = {rt, t.task, t.result, TREES, 1};
    pthread_create(&thread, NULL, submit_trees, &b); /* it may be the one */
    while (dev_load_acquire(&frozen) == 1 && grosr_host_clock_ns() - start < TROUBLE_TIMEOUT_NS)
        usleep(100);
    is(dev_load_acquire(&frozen), 2, "%s: somebody is frozen", name);
    for (uint32_t i = 0; i < TASKS; i++)
        task[i] = suite_task(GROSR_FN_ADD, i, 7);
    wrong += grosr_submit(rt, task, TASKS, result, &first) != 0;
    /* What waits for the frozen one: what it has fetched, and its ports: two of four, when it changes. */
    start = grosr_host_clock_ns();
    do {
        done = 0;
        for (uint32_t i = 0; i < TASKS; i++)
            done += grosr_test(rt, first + i, &one) == 1;
        usleep(1000);
    } while (done < TASKS / 4 && grosr_host_clock_ns() - start < TROUBLE_TIMEOUT_NS);
    ok(done >= TASKS / 4, "the others go on: %" PRIu64 " tasks end", done);
    dev_store_release(&frozen, 0u);
    pthread_join(thread, NULL);
    is(grosr_drain(rt, TROUBLE_TIMEOUT_NS), 0, "and all, when it goes on");
    for (uint32_t i = 0; i < TASKS; i++)
        wrong += result[i].status != 0 || result[i].value != i + 7;
    grosr_close(rt);
    dev_point_hook_fn = NULL;
    trouble_judge(&t);
    is(wrong + t.wrong + t.cancelled + (b.err != 0), 0, "with the right results");
}

int main(void)
{
    static const char *const points[] = {"share.reserved", "share.read",     "frame.ready",
                                         "queue.taken",    "submit.claimed", "task.done"};
    trouble_poke("host", suite_amount("host", 20, 1));
    trouble_memory("host");
    trouble_urgent("host");
    trouble_few_frames("host", 1, suite_amount("host", 20, 1));
    trouble_few_frames("host", 3, suite_amount("host", 20, 1));
    trouble_no_frame_lost("host", suite_amount("host", 20, 1));
    for (uint32_t i = 0; i < suite_amount("host", 12, 3); i++)
        trouble_stop("host", 1 + i % 4, 100, i % 2 ? 256 : 2 << i % 5, i + 1);
    trouble_cancel("host", 1, suite_amount("host", 8, 2), suite_amount("host", 40, 8), 5);
    trouble_cancel("host", 4, suite_amount("host", 8, 2), suite_amount("host", 40, 8), 6);
    trouble_endless("host", 1);
    trouble_endless("host", 3);
    for (uint32_t i = 0; i < sizeof(points) / sizeof(points[0]); i++)
        others_go_on(points[i]);
    return tap_done();
}
