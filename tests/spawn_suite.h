/*
 * Tasks that spawn tasks: what the host device's and the GPU's tests have in common.
 */
#ifndef GROSR_SPAWN_SUITE_H
#define GROSR_SPAWN_SUITE_H

#include "random_tree.h"
#include "runtime_suite.h"

/* Runs one task to its end. */
static inline struct grosr_result suite_run_one(grosr *rt, uint32_t function, uint32_t a, uint64_t b)
{
    struct grosr_task task = {.function = (uint16_t)function, .a = a, .b = b};
    struct grosr_result result = {0, -1};
    uint64_t first;

    if (grosr_submit(rt, &task, 1, &result, &first) || grosr_wait(rt, first + 1, UINT64_C(60000000000)))
        result.status = -EIO;
    return result;
}

#define gives(rt, function, a, b, want, ...)                                       \
    do {                                                                           \
        struct grosr_result given_ = suite_run_one(rt, GROSR_FN_##function, a, b); \
        is(given_.status, 0, __VA_ARGS__);                                         \
        is(given_.value, want, __VA_ARGS__);                                       \
    } while (0)

/* Every way to spawn, one tree at a time. */
static inline void suite_trees(const char *device, uint32_t workers)
{
    struct grosr_options o = suite_options(device);
    uint32_t large = suite_amount(device, 20, 12), wide = suite_amount(device, 100000, 5000);
    grosr *rt;

    o.workers = workers;
    rt = suite_open(&o);
    gives(rt, FIB, 1, 0, 1, "fib(1), %u workers", workers);
    gives(rt, FIB, 2, 0, 1, "fib(2), %u workers", workers);
    gives(rt, FIB, large, 0, large == 20 ? 6765 : 144, "fib(%u), %u workers", large, workers);
    gives(rt, TREE, 0, 5, 1, "a tree of depth 0");
    gives(rt, TREE, 3, 10, 1000, "a tree of depth 3, ten children each");
    gives(rt, FAN, 0, 0, 0, "a fan of none");
    gives(rt, FAN, 3, 1, 0, "a fan of one");
    gives(rt, FAN, 7, wide, UINT64_C(7) * (wide - 1) * (wide / 2), "a fan of %u", wide);
    gives(rt, SPREAD, 1, 100, 338350, "the squares of 1 to 100, by a warp");
    grosr_close(rt);
}

/* Random trees, many at a time; every checksum is right. */
static inline void suite_random_trees(const char *device, uint32_t workers, uint32_t trees, uint32_t levels,
                                      uint64_t seed)
{
    struct grosr_options o = suite_options(device);
    struct grosr_task *task = (struct grosr_task *)calloc(trees, sizeof(*task));
    struct grosr_result *result = (struct grosr_result *)calloc(trees, sizeof(*result));
    uint64_t first, wrong = 0, refused = 0, runs = 0, ran = 0;
    grosr *rt;

    o.workers = workers;
    o.queue_capacity = 256;
    rt = suite_open(&o);
    for (uint32_t i = 0; i < trees; i++)
        task[i] = (struct grosr_task){.function = GROSR_FN_RANDOM, .a = levels, .b = tap_random(&seed)};
    is(grosr_submit(rt, task, trees, result, &first), 0, "%u random trees, %u workers", trees, workers);
    is(grosr_wait(rt, first + trees, UINT64_C(120000000000)), 0, "all of them end");
    for (uint32_t i = 0; i < trees; i++) {
        uint64_t want = grosr_random_tree(levels, task[i].b, 0, &runs);
        refused += result[i].status == -ENOBUFS;
        wrong += result[i].status != -ENOBUFS && (result[i].status != 0 || result[i].value != want);
    }
    is(wrong, 0, "every checksum is right");
    grosr_finish(rt);
    const struct grosr_session *s = grosr_runtime_session(rt);
    for (uint32_t i = 0; i < s->header.workers; i++)
        ran += sys_load_pair_relaxed(&grosr_session_worker(s, i)->counts).lo;
    if (refused == 0)
        is(ran, runs, "each task ran once");
    else
        ok(ran < runs, "%" PRIu64 " trees were refused room", refused);
    grosr_close(rt);
    free(task);
    free(result);
}

#endif
