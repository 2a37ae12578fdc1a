/*
 * The built-in task functions (tasks.h): small ones that show what the runtime does, for the workloads, the
 * experiments and the tests.
 */
#ifndef GROSR_FUNCTIONS_H
#define GROSR_FUNCTIONS_H

#include "../grosr.h"
#include "../kernel/task.h"

GROSR_TASK(nop)
{
    (void)task;
    return 0;
}

GROSR_TASK(add)
{
    task->value = task->a + task->b;
    return 0;
}

GROSR_TASK(mul)
{
    task->value = task->a * task->b;
    return 0;
}

GROSR_TASK(spin)
{
    uint64_t start = dev_clock_ns(), now;

    do
        now = dev_clock_ns();
    while (now - start < task->b);
    task->value = now - start;
    return 0;
}

GROSR_TASK(fib)
{
    if (task->a < 2) {
        task->value = task->a;
        return 0;
    }
    int err = grosr_spawn(task, GROSR_FN_FIB, task->a - 1, 0);
    return err ? err : grosr_spawn(task, GROSR_FN_FIB, task->a - 2, 0);
}

GROSR_TASK(tree)
{
    if (task->a == 0) {
        task->value = 1;
        return 0;
    }
    for (uint64_t i = 0; i < task->b; i++) {
        int err = grosr_spawn(task, GROSR_FN_TREE, task->a - 1, task->b);
        if (err)
            return err;
    }
    return 0;
}

GROSR_TASK(fan)
{
    return task->b > GROSR_RANGE_MAX ? EINVAL
                                     : grosr_spawn_range(task, GROSR_FN_MUL, (uint32_t)task->b, 0, task->a);
}

/*
 * The chains: what a dependent step costs. At b, memory of the device, for the time of each step. (In memory
 * across PCIe every fence that a step needs would wait for that store.)
 */
GROSR_DEVICE bool grosr_chain_step(struct grosr_task_context *task)
{
    uint32_t step = task->a >> 16;

    dev_store_relaxed((dev64 *)(uintptr_t)task->b + step, dev_clock_ns());
    task->value = step;
    return step < (task->a & 0xffff);
}

GROSR_TASK(hop)
{
    return grosr_chain_step(task) ? grosr_then(task, GROSR_FN_HOP, task->a + 0x10000u, task->b) : 0;
}

GROSR_TASK(relay)
{
    if (!grosr_chain_step(task))
        return 0;
    return grosr_then_on(task, ~task->a >> 16 & 1, GROSR_FN_RELAY, task->a + 0x10000u, task->b);
}

GROSR_TASK(link)
{
    grosr_waiting next;
    int err;

    if (!grosr_chain_step(task))
        return 0;
    err = grosr_spawn_waiting(task, GROSR_FN_LINK, task->a + 0x10000u, task->b, 1, &next);
    return err ? err : grosr_signal(task, next);
}

GROSR_TASK(poke)
{
    sys_store_relaxed((sys64 *)(uintptr_t)task->b, task->a);
    return 0;
}

GROSR_WARP_TASK(spread)
{
    uint64_t sum = 0;

    for (uint64_t i = dev_lane(); i < task->b; i += GROSR_LANES)
        sum += (task->a + i) * (task->a + i);
    task->value = dev_sum64(sum);
    return 0;
}

/* SplitMix64's finaliser (Steele, Lea, Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014).
 */
GROSR_DEVICE uint64_t grosr_hash64(uint64_t x)
{
    x += UINT64_C(0x9e3779b97f4a7c15);
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

/*
 * A tree that uses every way to spawn, as the seed has it. Its checksum, which tests compute again without
 * tasks (tests/random_tree.h): the task's hash, what the task summed up before it continued, and its
 * children's.
 */
enum { GROSR_RANDOM_URGENT, GROSR_RANDOM_ON, GROSR_RANDOM_WAITING, GROSR_RANDOM_RANGE, GROSR_RANDOM_THEN };

GROSR_DEVICE_COLD int grosr_random_grow(struct grosr_task_context *task)
{
    uint64_t h = grosr_hash64(task->b);
    uint32_t children = task->a ? h % 4 : 0, way = h >> 8 & 7;

    task->value = h + task->sum;
    if (task->failed)
        return task->failed;
    if (way == GROSR_RANDOM_RANGE)
        return grosr_spawn_range(task, GROSR_FN_MUL, children, 0, h);
    for (uint32_t i = 0; i < children; i++) {
        uint64_t seed = grosr_hash64(task->b + i);
        grosr_waiting waiting;
        int err;
        if (way == GROSR_RANDOM_URGENT) {
            err = grosr_spawn_urgent(task, GROSR_FN_RANDOM, task->a - 1, seed);
        } else if (way == GROSR_RANDOM_ON) {
            err = grosr_spawn_on(task, (uint32_t)(seed % task->launch->workers), GROSR_FN_RANDOM, task->a - 1,
                                 seed);
        } else if (way == GROSR_RANDOM_WAITING) {
            err = grosr_spawn_waiting(task, GROSR_FN_RANDOM, task->a - 1, seed, 2, &waiting);
            if (!err && !(err = grosr_signal(task, waiting)))
                err = grosr_signal(task, waiting);
        } else {
            err = grosr_spawn(task, GROSR_FN_RANDOM, task->a - 1, seed);
        }
        if (err)
            return err;
    }
    return way == GROSR_RANDOM_THEN && task->a ? grosr_then(task, GROSR_FN_RANDOM, task->a - 1, ~task->b) : 0;
}

/* On a copy: the address of a task's context keeps it out of registers. */
GROSR_TASK(random)
{
    struct grosr_task_context copy = *task;
    int err = grosr_random_grow(&copy);

    *task = copy;
    return err;
}

/*
 * The pipeline: a grid of stages and items. Each cell needs the cell of its item in the stage before, above
 * it, and the one before it in its stage, to its left: a wavefront. Cells are numbered row by row, a stage a
 * row. The grid's memory, at b, is the host's, which fills it:
 *
 *     word 0                      how many cells there are: the first ones
 *          grosr_grid_value_at()  their values, not 0 once computed; a row above and a column to the left
 *                                 hold the input
 *          grosr_grid_task_at()   their tasks while these wait; 0 before
 *
 * `pipeline` builds a window of cells as tasks that wait for the cells of the same window that they need,
 * then starts those that need none, and continues with the next window when all of it is done: a grid never
 * holds more than a window's frames. When it gets fewer, the window is shorter, since no cell needs one with
 * a higher number. When it gets none, it computes the rest of a row itself.
 *
 *     its a      31.....20 19.....10 9......0      its value      31.....16 15......0
 *                spawned   runs      next cell                    runs      spawned
 */
#define GROSR_GRID_ITEMS  16u
#define GROSR_GRID_STAGES 32u
#define GROSR_GRID_CELLS  (GROSR_GRID_ITEMS * GROSR_GRID_STAGES) /* less than 2^10 */
#define GROSR_GRID_ROW    (GROSR_GRID_ITEMS + 1)
#define GROSR_GRID_WINDOW 64u
#define GROSR_GRID_VALUES (1 + (GROSR_GRID_STAGES + 1) * GROSR_GRID_ROW) /* words before the tasks */
#define GROSR_GRID_BYTES  (((GROSR_GRID_VALUES + GROSR_GRID_CELLS) * 8 + 127) & ~127u) /* in lines */

GROSR_DEVICE uint32_t grosr_grid_value_at(uint32_t cell)
{
    return 2 + (cell / GROSR_GRID_ITEMS + 1) * GROSR_GRID_ROW + cell % GROSR_GRID_ITEMS;
}

GROSR_DEVICE uint32_t grosr_grid_task_at(uint32_t cell)
{
    return GROSR_GRID_VALUES + cell;
}

GROSR_DEVICE uint64_t grosr_grid_value(uint64_t up, uint64_t left)
{
    return grosr_hash64(up + 3 * left) | 1;
}

/* EPROTO: what the cell needs is not there. */
GROSR_DEVICE int grosr_grid_compute(sys64 *grid, uint32_t cell)
{
    sys64 *at = &grid[grosr_grid_value_at(cell)];
    uint64_t up = sys_load_relaxed(at - GROSR_GRID_ROW), left = sys_load_relaxed(at - 1);

    if (!up || !left)
        return EPROTO;
    sys_store_relaxed(at, grosr_grid_value(up, left));
    return 0;
}

GROSR_DEVICE_COLD int grosr_grid_build(struct grosr_task_context *task)
{
    sys64 *grid = (sys64 *)(uintptr_t)task->b;
    uint64_t cells = sys_load_relaxed(&grid[0]);
    uint32_t first = task->a & 0x3ff, runs = (task->a >> 10 & 0x3ff) + 1, spawned = task->a >> 20;
    uint32_t cell = first, end = first + GROSR_GRID_WINDOW;
    grosr_waiting waiting, start = 0, next_row = 0;
    int err = task->failed;

    cells = cells < GROSR_GRID_CELLS ? cells : GROSR_GRID_CELLS;
    end = end < cells ? end : (uint32_t)cells;
    for (; !err && cell < end; cell++) {
        uint32_t needs = (cell > first && cell % GROSR_GRID_ITEMS) + (cell >= first + GROSR_GRID_ITEMS);
        if (grosr_spawn_waiting(task, GROSR_FN_STAGE, cell, task->b, needs ? needs : 1, &waiting))
            break;
        sys_store_relaxed(&grid[grosr_grid_task_at(cell)], waiting);
        if (cell == first)
            start = waiting;
        else if (!needs) /* the window began within a row */
            next_row = waiting;
    }
    spawned += cell - first;
    if (start)
        err = grosr_signal(task, start);
    if (next_row && !err)
        err = grosr_signal(task, next_row);
    while (!start && !err && cell < end && (cell == first || cell % GROSR_GRID_ITEMS))
        err = grosr_grid_compute(grid, cell++);
    task->value = (uint64_t)runs << 16 | spawned;
    if (err || cell == cells)
        return err;
    return grosr_then(task, GROSR_FN_PIPELINE, spawned << 20 | runs << 10 | cell, task->b);
}

/* On a copy, as `random`. */
GROSR_TASK(pipeline)
{
    struct grosr_task_context copy = *task;
    int err = grosr_grid_build(&copy);

    *task = copy;
    return err;
}

GROSR_TASK(stage)
{
    sys64 *grid = (sys64 *)(uintptr_t)task->b;
    const sys64 *tasks = &grid[grosr_grid_task_at(task->a)];
    uint64_t right = 0, below = 0;
    int err = grosr_grid_compute(grid, task->a);

    /* Right or wrong, the cells that wait are signalled: otherwise the grid would never end. */
    if ((task->a + 1) % GROSR_GRID_ITEMS)
        right = sys_load_relaxed(&tasks[1]);
    if (task->a + GROSR_GRID_ITEMS < GROSR_GRID_CELLS)
        below = sys_load_relaxed(&tasks[GROSR_GRID_ITEMS]);
    if (right && grosr_signal(task, right))
        err = EPROTO;
    if (below && grosr_signal(task, below))
        err = EPROTO;
    return err;
}

#endif
