/*
 * A task's status is the host's to see, whole: every int that a function may return, by each way that it
 * takes through frames and completions; and what a task cannot spawn or continue as is an error there, not
 * another function. Compiled by a C compiler it is the host device's (tests/stress/status.c), by nvcc a GPU's
 * (tests/cuda/status.cu).
 */
#ifndef GROSR_STATUS_SUITE_H
#define GROSR_STATUS_SUITE_H

#include "../runtime/grosr.h"
#include "../runtime/kernel/task.h"
#include "tap.h"

#include <errno.h>

#define STATUS_TASKS(TASK)                                                                \
    TASK(0, NONE, none, PURE, "does nothing")                                             \
    TASK(1, FAIL, fail, PURE, "its status is b")                                          \
    TASK(2, PARENT, parent, PURE, "spawns FAIL")                                          \
    TASK(3, OWN, own, PURE, "has a child, and a status of its own")                       \
    TASK(4, SEES, sees, PURE, "spawns FAIL, and continues as SAW")                        \
    TASK(5, SAW, saw, PURE, "its value is the child's status")                            \
    TASK(6, SOME, some, PURE, "spawns a range of which one fails")                        \
    TASK(7, ONE, one, PURE, "its status is b if a is 57, and else 0")                     \
    TASK(8, ALL, all, WARP, "its status is b, a whole warp's")                            \
    TASK(9, WRITER, writer, WRITES, "as FAIL")                                            \
    TASK(10, NEST, nest, PURE, "spawns itself a times, then FAIL")                        \
    TASK(11, SPAWN, spawn, PURE, "spawns or continues as function b, in the a-th way")    \
    TASK(12, WRONG, wrong, PURE, "its arguments are out of range, in the a-th way")       \
    TASK(13, FAILS, fails, PURE, "as PARENT, and fails with 5 when it continues as that") \
    TASK(14, FIVE, five, PURE, "its status is 5")
GROSR_TASK_IDS(STATUS_TASKS);

/* A range is wide from 1,025 tasks on. */
enum { SOME_NARROW = 100, SOME_WIDE = 1100, WAYS = 7, WRONGS = 5 };

GROSR_TASK(none)
{
    (void)task;
    return 0;
}

GROSR_TASK(fail)
{
    return (int)(uint32_t)task->b;
}

GROSR_TASK(parent)
{
    return grosr_spawn(task, FN_FAIL, 0, task->b);
}

GROSR_TASK(own)
{
    int err = grosr_spawn(task, FN_NONE, 0, 0);
    return err ? err : (int)(uint32_t)task->b;
}

GROSR_TASK(sees)
{
    int err = grosr_spawn(task, FN_WRITER, 0, task->b);
    return err ? err : grosr_then(task, FN_SAW, 0, 0);
}

GROSR_TASK(saw)
{
    task->value = (uint32_t)task->failed;
    return 0;
}

GROSR_TASK(some)
{
    return grosr_spawn_range(task, FN_ONE, task->a, 0, task->b);
}

GROSR_TASK(one)
{
    return task->a == 57 ? (int)(uint32_t)task->b : 0;
}

GROSR_WARP_TASK(all)
{
    return (int)(uint32_t)task->b;
}

GROSR_TASK(writer)
{
    return (int)(uint32_t)task->b;
}

GROSR_TASK(nest)
{
    return grosr_spawn(task, task->a ? (uint32_t)FN_NEST : (uint32_t)FN_FAIL, task->a - 1, task->b);
}

GROSR_TASK(spawn)
{
    uint32_t f = (uint32_t)task->b;
    grosr_waiting waiting;

    switch (task->a) {
    case 0:
        return grosr_spawn(task, f, 0, 0);
    case 1:
        return grosr_spawn_range(task, f, 3, 0, 0);
    case 2:
        return grosr_spawn_urgent(task, f, 0, 0);
    case 3:
        return grosr_spawn_on(task, 0, f, 0, 0);
    case 4:
        return grosr_then(task, f, 0, 0);
    case 5:
        return grosr_then_on(task, 0, f, 0, 0);
    default:
        return grosr_spawn_waiting(task, f, 0, 0, 1, &waiting) ? EINVAL : grosr_signal(task, waiting);
    }
}

GROSR_TASK(wrong)
{
    grosr_waiting waiting;

    switch (task->a) {
    case 0:
        return grosr_spawn_range(task, FN_NONE, 0x80000001u, 0, 0);
    case 1:
        return grosr_spawn_on(task, task->launch->workers, FN_NONE, 0, 0);
    case 2:
        return grosr_then_on(task, UINT32_MAX, FN_NONE, 0, 0);
    case 3:
        return grosr_spawn_waiting(task, FN_NONE, 0, 0, UINT32_MAX, &waiting);
    default:
        return grosr_signal(task, UINT64_MAX);
    }
}

GROSR_TASK(fails)
{
    int err = grosr_spawn(task, FN_FAIL, 0, task->b);
    return err ? err : grosr_then(task, FN_FIVE, 0, 0);
}

GROSR_TASK(five)
{
    (void)task;
    return 5;
}

#define GROSR_TASKS STATUS_TASKS
#include "../runtime/kernel/program.h"

static const int32_t statuses[] = {
    1,  22,      255,      0x7fff,    0x8000,        0xffff,  0x10000,    0x10001,   0x7f0000, 0x40000000,
    -1, -EINVAL, -0x10000, INT32_MAX, INT32_MAX - 1, -0x8000, -INT32_MAX, INT32_MIN, 0};
enum { STATUSES = sizeof(statuses) / sizeof(statuses[0]) };

static struct grosr_result status_run(grosr *rt, uint32_t function, uint32_t a, uint64_t b)
{
    struct grosr_task task = {(uint16_t)function, 0, a, b};
    struct grosr_result result = {0, 12345};
    uint64_t first;

    if (grosr_submit(rt, &task, 1, &result, &first) || grosr_wait(rt, first + 1, UINT64_C(60000000000)))
        printf("# %s\n", grosr_error());
    return result;
}

/* What the host sees of what a function returned. */
static int32_t status_seen(int32_t status)
{
    return status == INT32_MIN ? INT32_MAX : -status;
}

static void status_all_ways(grosr *rt, uint32_t workers)
{
    static const struct {
        const char *text;
        uint32_t function, a;
    } way[] = {
        {"its own", FN_FAIL, 0},
        {"a warp's", FN_ALL, 0},
        {"a writing one's", FN_WRITER, 0},
        {"its child's", FN_PARENT, 0},
        {"its own, with a child", FN_OWN, 0},
        {"of one in a range", FN_SOME, SOME_NARROW},
        {"of one in a wide range", FN_SOME, SOME_WIDE},
        {"from far below", FN_NEST, 20},
    };

    for (uint32_t w = 0; w < sizeof(way) / sizeof(way[0]); w++) {
        uint32_t wrong = 0;
        for (uint32_t i = 0; i < STATUSES; i++) {
            struct grosr_result r = status_run(rt, way[w].function, way[w].a, (uint32_t)statuses[i]);
            wrong += r.status != status_seen(statuses[i]);
            if (r.status != status_seen(statuses[i]))
                printf("# returned %d, seen %d\n", statuses[i], r.status);
        }
        is(wrong, 0, "%u workers: every status arrives: %s", workers, way[w].text);
    }
    uint32_t wrong = 0;
    for (uint32_t i = 0; i < STATUSES; i++) {
        struct grosr_result r = status_run(rt, FN_SEES, 0, (uint32_t)statuses[i]);
        int32_t want = statuses[i] == INT32_MIN ? -INT32_MAX : statuses[i];
        wrong += r.status != 0 || r.value != (uint32_t)want;
        wrong += status_run(rt, FN_FAILS, 0, (uint32_t)statuses[i]).status != -5;
    }
    is(wrong, 0, "and is what the parent finds as `failed`, and need not pass on");
}

static void status_functions(grosr *rt)
{
    static const uint32_t bad[] = {GROSR_FUNCTION_MAX + 1,
                                   0x8000,
                                   0x8001,
                                   GROSR_TASK_NOTHING,
                                   0x10000,
                                   0x10001,
                                   0x7fff0001u,
                                   UINT32_MAX};
    uint32_t wrong = 0;

    for (uint32_t way = 0; way < WAYS; way++) {
        for (uint32_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
            wrong += status_run(rt, FN_SPAWN, way, bad[i]).status != -EINVAL;
        wrong += status_run(rt, FN_SPAWN, way, 12345).status != -ENOSYS;
        wrong += status_run(rt, FN_SPAWN, way, GROSR_FUNCTION_MAX).status != -ENOSYS;
        wrong += status_run(rt, FN_SPAWN, way, FN_NONE).status != 0;
        wrong += status_run(rt, FN_SPAWN, way, FN_FIVE).status != -5;
    }
    is(wrong, 0, "functions that cannot be are EINVAL, those that are not ENOSYS, however they are spawned");
    for (uint32_t way = 0; way < WRONGS; way++)
        wrong += status_run(rt, FN_WRONG, way, 0).status != -EINVAL;
    is(wrong, 0, "so are other arguments out of range");
}

static void status_suite(const char *device, uint32_t workers)
{
    struct grosr_options o = GROSR_OPTIONS_DEFAULT;
    grosr *rt;

    o.device = device;
    o.name = "status";
    o.program = &grosr_program;
    o.workers = workers;
    if (grosr_open(&rt, &o)) {
        printf("Bail out! %s\n", grosr_error());
        exit(1);
    }
    status_all_ways(rt, workers);
    status_functions(rt);
    is(grosr_close(rt), 0, "closed");
}

#endif
