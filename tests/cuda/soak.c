/*
 * Everything at once, at full rate, for as many seconds as the argument says (default 10): host-fed tasks
 * from two threads, trees of tasks from a third, high-priority tasks and cancellations among them. Each
 * task's value is checked, or that it was cancelled. The second argument is the device (default cuda).
 */
#include "../spawn_suite.h"

#include <stdlib.h>

#define BATCH 4096u
#define DEPTH 8u /* batches of a thread that are under way */

struct feeder {
    grosr *rt;
    uint64_t seed, until_ns;
    uint64_t tasks, cancelled, wrong;
    struct {
        struct grosr_task task[BATCH];
        struct grosr_result result[BATCH];
        uint64_t first, count;
    } batch[DEPTH];
};

static void suite_bail(void)
{
    printf("Bail out! %s\n", grosr_error());
    exit(1);
}

static void check(struct feeder *f, uint32_t slot)
{
    if (f->batch[slot].count &&
        grosr_wait(f->rt, f->batch[slot].first + f->batch[slot].count, UINT64_C(60000000000)))
        suite_bail();
    for (uint64_t i = 0; i < f->batch[slot].count; i++) {
        const struct grosr_task *t = &f->batch[slot].task[i];
        const struct grosr_result *r = &f->batch[slot].result[i];
        f->cancelled += r->status == -ECANCELED;
        f->wrong += r->status != -ECANCELED && (r->status != 0 || r->value != t->a + t->b);
    }
    f->tasks += f->batch[slot].count;
    f->batch[slot].count = 0;
}

static void *feed(void *p)
{
    struct feeder *f = (struct feeder *)p;
    uint32_t slot = 0;

    for (uint64_t turn = 0; grosr_host_clock_ns() < f->until_ns; turn++, slot = (slot + 1) % DEPTH) {
        uint64_t n = turn % 64 == 0 ? 1 + tap_random(&f->seed) % BATCH : BATCH;
        check(f, slot);
        memset(f->batch[slot].result, 0xee, n * sizeof(struct grosr_result));
        for (uint64_t i = 0; i < n; i++)
            f->batch[slot].task[i] =
                (struct grosr_task){.function = GROSR_FN_ADD,
                                    .flags = turn % 256 == 7 && i < 64 ? GROSR_TASK_HIGH : 0,
                                    .a = (uint32_t)(turn + i),
                                    .b = f->seed + i};
        if (grosr_submit(f->rt, f->batch[slot].task, n, f->batch[slot].result, &f->batch[slot].first))
            suite_bail();
        f->batch[slot].count = n;
        if (turn % 1024 == 5) { /* some of them will have run */
            uint64_t marked;
            grosr_cancel(f->rt, f->batch[slot].first + n / 2, n / 2, &marked);
        }
    }
    for (uint32_t i = 0; i < DEPTH; i++)
        check(f, (slot + i) % DEPTH);
    return NULL;
}

struct grower {
    grosr *rt;
    uint64_t seed, until_ns;
    uint64_t trees, tasks, refused, wrong;
};

static void *grow(void *p)
{
    struct grower *g = (struct grower *)p;

    while (grosr_host_clock_ns() < g->until_ns) {
        enum { TREES = 64 };
        struct grosr_task task[TREES];
        struct grosr_result result[TREES];
        uint64_t first;
        for (uint32_t i = 0; i < TREES; i++)
            task[i] =
                i % 16 ? (struct grosr_task){.function = GROSR_FN_RANDOM, .a = 9, .b = tap_random(&g->seed)}
                       : (struct grosr_task){.function = GROSR_FN_FIB, .a = 22};
        if (grosr_submit(g->rt, task, TREES, result, &first) ||
            grosr_wait(g->rt, first + TREES, UINT64_C(60000000000)))
            suite_bail();
        for (uint32_t i = 0; i < TREES; i++) {
            uint64_t want = 17711, tasks = 57313; /* of fib(22) */
            if (i % 16) {
                tasks = 0;
                want = grosr_random_tree(task[i].a, task[i].b, 0, &tasks);
            }
            g->refused += result[i].status == -ENOBUFS;
            g->wrong += result[i].status != -ENOBUFS && (result[i].status != 0 || result[i].value != want);
            g->tasks += tasks;
        }
        g->trees += TREES;
    }
    return NULL;
}

int main(int argc, char **argv)
{
    double seconds = argc > 1 ? atof(argv[1]) : 10;
    struct grosr_options o = suite_options(argc > 2 ? argv[2] : "cuda");
    struct feeder *f = (struct feeder *)calloc(2, sizeof(*f));
    struct grower g = {.seed = 5};
    pthread_t thread[3];

    if (!strcmp(o.device, "cuda") && grosr_cuda_absent())
        skip_all(grosr_cuda_absent());
    o.level = GROSR_LEVEL_OFF;
    grosr *rt = suite_open(&o);
    uint64_t start = grosr_host_clock_ns(), until = start + (uint64_t)(seconds * 1e9);
    for (unsigned i = 0; i < 2; i++) {
        f[i].rt = rt;
        f[i].seed = 77 + i;
        f[i].until_ns = until;
        pthread_create(&thread[i], NULL, feed, &f[i]);
    }
    g.rt = rt;
    g.until_ns = until;
    pthread_create(&thread[2], NULL, grow, &g);
    for (unsigned i = 0; i < 3; i++)
        pthread_join(thread[i], NULL);
    double took = (double)(grosr_host_clock_ns() - start) * 1e-9;
    printf("# %.0f s: %" PRIu64 " host-fed tasks, %" PRIu64 " of them cancelled; %" PRIu64
           " trees of %" PRIu64 " tasks, %" PRIu64 " refused room; %.1f M tasks/s\n",
           took, f[0].tasks + f[1].tasks, f[0].cancelled + f[1].cancelled, g.trees, g.tasks, g.refused,
           (double)(f[0].tasks + f[1].tasks + g.tasks) / took * 1e-6);
    is(f[0].wrong + f[1].wrong, 0, "every host-fed task gave its value, or was cancelled");
    is(g.wrong, 0, "every tree gave its checksum");
    ok(f[0].tasks && f[1].tasks && g.trees, "all of them ran");
    is(grosr_finish(rt), 0, "finished");
    const struct grosr_session *s = grosr_runtime_session(rt);
    uint64_t enqueued, dequeued;
    grosr_session_queue_counts(s, 0, &enqueued, &dequeued);
    is(enqueued, f[0].tasks + f[1].tasks + g.trees, "the queue counted as many");
    is(dequeued, enqueued, "and all were taken");
    grosr_close(rt);
    free(f);
    return tap_done();
}
