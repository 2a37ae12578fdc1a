/*
 * Experiments on tasks that tasks make: how fast a tree grows and is added up again (`spawn`), what feeding
 * from the device saves (`dispatch`, `scale`), and what a dependent step costs that never leaves it
 * (`pingpong`).
 */
#include "bench.h"

#include "../../tracer/clock/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#define WARM_UP     3u
#define CHAIN_STEPS 512u /* of one chain of dependent tasks; the first are not counted */
#define CHAIN_WARM  32u
#define CHAINS_MAX  200u
#define SERIAL_MAX  10000000u /* calls in a sample of the serial baseline */
#define QUEUE_MAX                                                                           \
    100000u /* tasks in a sample of the shared queue, where workers are in each other's way \
             */

/* A tree that one task makes. */
struct tree {
    const char *shape;
    uint32_t function, a;
    uint64_t b;
    uint64_t tasks; /* in all, the root with them */
    uint64_t value;
};

/* The largest Fibonacci tree of at most `most` tasks. */
static struct tree fibonacci_tree(uint64_t most)
{
    struct tree t = {"a Fibonacci tree", GROSR_FN_FIB, 1, 0, 1, 1};
    uint64_t tasks_before = 1, value_before = 0;

    while (t.tasks + tasks_before + 1 <= most) {
        uint64_t tasks = t.tasks + tasks_before + 1, value = t.value + value_before;
        tasks_before = t.tasks;
        value_before = t.value;
        t.tasks = tasks;
        t.value = value;
        t.a++;
    }
    return t;
}

/* The deepest tree of at most `most` tasks in which each has `children`. */
static struct tree regular_tree(const char *shape, uint64_t children, uint64_t most)
{
    struct tree t = {shape, GROSR_FN_TREE, 0, children, 1, 1};

    while (t.tasks + t.value * children <= most) {
        t.value *= children;
        t.tasks += t.value;
        t.a++;
    }
    return t;
}

/* One range of tasks under a root. Tasks of a range have 32-bit arguments. */
static struct tree range_tree(uint64_t most)
{
    uint64_t n = most > 1 ? most - 1 : 1;
    struct tree t = {"a range of tasks", GROSR_FN_FAN, 3, n, n + 1, 3 * (n * (n - 1) / 2)};
    return t;
}

/* Grows a tree once. Its root is the only task whose result the host sees. */
static int grow(grosr *rt, const struct tree *t, struct grosr_bench_report *report, double *ns)
{
    struct grosr_task root = {.function = (uint16_t)t->function, .a = t->a, .b = t->b};
    struct grosr_result result = {0, -1};
    uint64_t first, start = grosr_host_clock_ns();
    int err = grosr_submit(rt, &root, 1, &result, &first);

    if (!err)
        err = grosr_bench_wait(rt, first + 1, t->tasks);
    *ns = (double)(grosr_host_clock_ns() - start);
    if (!err)
        grosr_bench_check_result(report, first, t->value, &result);
    return err;
}

static int time_tree(const struct grosr_bench_options *o, grosr *rt, const struct tree *t,
                     struct grosr_bench_report *report, double *samples)
{
    int err = 0;

    for (uint32_t i = 0; !err && i < WARM_UP + o->repetitions; i++) {
        double ns;
        grosr_bench_round(report, i, WARM_UP);
        err = *o->stop ? -ECANCELED : grow(rt, t, report, &ns);
        if (!err && i >= WARM_UP)
            samples[i - WARM_UP] = ns;
    }
    return err;
}

int grosr_bench_device_fed(const struct grosr_bench_options *o, grosr *rt, struct grosr_bench_report *report,
                           enum grosr_bench_axis axis, uint64_t tasks, double *samples)
{
    const char *series = "GROSR, device-fed by one task";
    struct tree t = range_tree(tasks + 1);
    int err;

    grosr_bench_begin_at(report, series, false, axis, (double)tasks);
    err = time_tree(o, rt, &t, report, samples);
    if (!err)
        grosr_bench_add_at(report, series, false, axis, (double)tasks, tasks, samples, o->repetitions);
    return err;
}

/* ---- spawn ---- */

static int open_with(const struct grosr_bench_report *report, uint32_t workers, uint32_t sms,
                     size_t device_bytes, enum grosr_sharing sharing, grosr **rt)
{
    struct grosr_options options = GROSR_OPTIONS_DEFAULT;

    options.device = report->device.device;
    options.name = "bench";
    options.workers = workers;
    options.sms = sms;
    options.level = GROSR_LEVEL_OFF;
    options.device_bytes = device_bytes;
    options.sharing = sharing;
    if (sharing == GROSR_SHARING_ONE_QUEUE && !grosr_bench_on_cuda(report))
        options.frames = 2 * QUEUE_MAX; /* first in, first out is breadth first: many wait */
    return grosr_open(rt, &options);
}

static int time_trees(const struct grosr_bench_options *o, struct grosr_bench_report *report,
                      enum grosr_sharing sharing, double *samples)
{
    bool one_queue = sharing == GROSR_SHARING_ONE_QUEUE;
    uint64_t tasks = one_queue && o->tasks > QUEUE_MAX ? QUEUE_MAX : o->tasks;
    const struct tree trees[] = {
        fibonacci_tree(tasks),
        regular_tree("a binary tree", 2, tasks),
        regular_tree("a tree of 16 children each", 16, tasks),
        range_tree(tasks),
    };
    grosr *rt = NULL;
    int err;

    grosr_bench_begin(report, one_queue ? "one shared queue" : "GROSR", one_queue);
    err = open_with(report, o->workers, 0, 0, sharing, &rt);
    for (uint32_t i = 0; !err && i < sizeof(trees) / sizeof(trees[0]); i++) {
        char series[80];
        snprintf(series, sizeof(series), "%s%s", one_queue ? "one shared queue, " : "GROSR, ",
                 trees[i].shape);
        grosr_bench_begin(report, series, one_queue);
        err = time_tree(o, rt, &trees[i], report, samples);
        if (!err)
            grosr_bench_add(report, series, one_queue, trees[i].tasks, samples, o->repetitions);
    }
    int closed = grosr_close(rt);
    return err ? err : closed;
}

/* The same tree as calls of one CPU thread; through a table, as tasks are, so that no call is compiled away.
 */
typedef uint64_t (*serial_function)(const void *table, uint32_t n);

static uint64_t call_fibonacci(const void *table, uint32_t n)
{
    const serial_function *f = (const serial_function *)table;
    return n < 2 ? n : f[0](table, n - 1) + f[0](table, n - 2);
}

static void time_calls(const struct grosr_bench_options *o, struct grosr_bench_report *report,
                       double *samples)
{
    struct tree t = fibonacci_tree(o->tasks < SERIAL_MAX ? o->tasks : SERIAL_MAX);
    const char *series = "calls of one CPU thread, a Fibonacci tree";
    serial_function table[] = {call_fibonacci};

    grosr_bench_begin(report, series, true);
    for (uint32_t i = 0; i < o->repetitions; i++) {
        uint64_t start = grosr_host_clock_ns(), value = table[0](table, t.a);
        samples[i] = (double)(grosr_host_clock_ns() - start);
        grosr_bench_round(report, i, 0);
        grosr_bench_check(report, "call", t.a, t.value, value);
    }
    grosr_bench_add(report, series, true, t.tasks, samples, o->repetitions);
}

int grosr_bench_spawn(const struct grosr_bench_options *o, struct grosr_bench_report *report)
{
    double *samples = grosr_bench_samples(o->repetitions);
    int err = samples ? 0 : -ENOMEM;

    if (!err && grosr_bench_on_cuda(report))
        err = grosr_bench_spawn_cuda(o, report);
    if (!err)
        time_calls(o, report, samples);
    if (!err)
        err = time_trees(o, report, GROSR_SHARING_ONE_QUEUE, samples);
    if (!err)
        err = time_trees(o, report, GROSR_SHARING_ON_DEMAND, samples);
    free(samples);
    return err;
}

/* ---- pingpong ---- */

/* Runs chains of tasks, each of which is made by the one before it, until there are `count` steps. */
static int run_chains(const struct grosr_bench_options *o, grosr *rt, uint32_t function,
                      struct grosr_bench_report *report, double *samples, uint32_t count)
{
    static uint64_t time[CHAIN_STEPS];
    void *device;
    uint32_t n = 0, chain = 0;
    int err = grosr_device_memory(rt, &device);

    while (!err && n < count) {
        struct grosr_task task = {
            .function = (uint16_t)function, .a = CHAIN_STEPS - 1, .b = (uint64_t)(uintptr_t)device};
        struct grosr_result result = {0, -1};
        uint64_t first;
        grosr_bench_round(report, chain++, 0);
        err = grosr_submit(rt, &task, 1, &result, &first);
        if (!err)
            err = grosr_bench_wait(rt, first + 1, CHAIN_STEPS);
        if (!err)
            grosr_bench_check(report, "status of task", first, 0, (uint64_t)result.status);
        err = err ? err : grosr_device_read(rt, time, 0, sizeof(time));
        for (uint32_t i = CHAIN_WARM; !err && i + 1 < CHAIN_STEPS && n < count; i++) {
            grosr_bench_check_min(report, "time in ns of step", i + 1, time[i], time[i + 1]);
            samples[n++] = (double)(time[i + 1] - time[i]);
        }
        if (!err && *o->stop)
            err = -ECANCELED;
    }
    return err;
}

int grosr_bench_chains(const struct grosr_bench_options *o, struct grosr_bench_report *report)
{
    static const struct {
        const char *series;
        uint32_t function, workers, sms; /* 0: as asked for */
    } chains[] = {
        {"GROSR, task to task, as a continuation", GROSR_FN_HOP, 0, 0},
        {"GROSR, task to task, by a dependency", GROSR_FN_LINK, 0, 0},
        {"GROSR, task to task, another worker of the SM", GROSR_FN_RELAY, 8, 1},
        {"GROSR, task to task, a worker of another SM", GROSR_FN_RELAY, 0, 0},
    };
    uint32_t most = CHAINS_MAX * (CHAIN_STEPS - CHAIN_WARM - 1);
    uint32_t count = o->tasks < most ? (uint32_t)o->tasks : most;
    double *samples = grosr_bench_samples(count);
    int err = samples ? 0 : -ENOMEM;

    for (uint32_t i = 0; !err && i < sizeof(chains) / sizeof(chains[0]); i++) {
        grosr *rt = NULL;
        if (chains[i].function == GROSR_FN_RELAY && !chains[i].workers && o->workers == 1)
            continue; /* there is no other */
        grosr_bench_begin(report, chains[i].series, false);
        err = open_with(report, chains[i].workers ? chains[i].workers : o->workers, chains[i].sms,
                        CHAIN_STEPS * sizeof(uint64_t), GROSR_SHARING_ON_DEMAND, &rt);
        if (!err)
            err = run_chains(o, rt, chains[i].function, report, samples, count);
        int closed = grosr_close(rt);
        err = err ? err : closed;
        if (!err)
            grosr_bench_add(report, chains[i].series, false, 1, samples, count);
    }
    free(samples);
    return err;
}
