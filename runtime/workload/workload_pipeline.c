/*
 * Dependent tasks: grids of stages and items (functions.h, "The pipeline"), many at a time, each in a part of
 * its own of the memory that the host and the tasks share. A cell's value is a hash of the two that it needs,
 * down to the grid's border, which the host fills: a cell that ran too early, twice or for another grid is
 * wrong, and so is all that depends on it. The host computes every cell again.
 *
 * How many tasks a grid ran its builder says, since that depends on the frames that there were; the workers'
 * counters must agree.
 */
#include "workload.h"

#include "../builtin/functions.h"

#include <inttypes.h>
#include <string.h>

#define BATCH  32u
#define WINDOW (GROSR_PIPELINES_UNDER_WAY / BATCH)

struct pipelines {
    unsigned char *host;
    uint64_t device;
};

static uint64_t offset_of(const struct grosr_feed_batch *batch, uint32_t k)
{
    return (uint64_t)(batch->place * BATCH + k) * GROSR_GRID_BYTES;
}

/* Tasks that a grid of so many cells runs when there are frames enough. */
static uint64_t runs_of(uint64_t cells)
{
    return cells + (cells ? (cells + GROSR_GRID_WINDOW - 1) / GROSR_GRID_WINDOW : 1);
}

static void fill(sys64 *grid, uint64_t cells, uint64_t seed)
{
    for (uint32_t i = 0; i < GROSR_GRID_BYTES / sizeof(*grid); i++)
        sys_store_relaxed(&grid[i], UINT64_C(0));
    sys_store_relaxed(&grid[0], cells);
    for (uint32_t i = 0; i < GROSR_GRID_ITEMS; i++)
        sys_store_relaxed(&grid[grosr_grid_value_at(i) - GROSR_GRID_ROW], grosr_hash64(seed + i) | 1);
    for (uint32_t s = 0; s < GROSR_GRID_STAGES; s++)
        sys_store_relaxed(&grid[grosr_grid_value_at(s * GROSR_GRID_ITEMS) - 1], grosr_hash64(~seed - s) | 1);
}

static void make(void *state, struct grosr_feed_batch *batch, uint64_t runs, struct grosr_workload_result *r)
{
    const struct pipelines *p = (const struct pipelines *)state;

    for (; runs && batch->count < BATCH; batch->count++) {
        uint64_t cells = GROSR_GRID_CELLS, offset = offset_of(batch, batch->count);
        while (runs_of(cells) > runs)
            cells--;
        fill((sys64 *)(void *)(p->host + offset), cells, grosr_hash64(batch->from + batch->count));
        batch->tasks[batch->count] =
            (struct grosr_task){.function = GROSR_FN_PIPELINE, .b = p->device + offset};
        runs -= runs_of(cells);
        r->tasks += runs_of(cells);
        r->spawned += cells;
    }
}

/* Whether every cell's value follows from those before it. */
static bool grid_is_right(const sys64 *grid, uint64_t cells, uint32_t *wrong)
{
    for (*wrong = 0; *wrong < cells; ++*wrong) {
        const sys64 *at = &grid[grosr_grid_value_at(*wrong)];
        uint64_t up = sys_load_relaxed(at - GROSR_GRID_ROW), left = sys_load_relaxed(at - 1);
        if (sys_load_relaxed(at) != grosr_grid_value(up, left))
            return false;
    }
    return true;
}

static void check(void *state, const struct grosr_feed_batch *batch, struct grosr_workload_result *r)
{
    const struct pipelines *p = (const struct pipelines *)state;

    for (uint32_t k = 0; k < batch->count; k++) {
        const sys64 *grid = (const sys64 *)(const void *)(p->host + offset_of(batch, k));
        uint64_t cells = sys_load_relaxed(&grid[0]);
        uint64_t spawned = batch->results[k].value & 0xffff, builders = batch->results[k].value >> 16;
        uint32_t wrong;
        /* With too few frames a grid takes more windows, and its builder computes cells itself. */
        bool can_be = spawned <= cells && builders >= runs_of(cells) - cells && builders <= cells + !cells;
        uint64_t want = can_be ? batch->results[k].value : (runs_of(cells) - cells) << 16 | cells;
        if (!grosr_feed_check(batch, k, spawned + builders, want, r))
            continue;
        if (!grid_is_right(grid, cells, &wrong))
            grosr_workload_error(r, "task %" PRIu64 ": stage %u of item %u is wrong", batch->first + k,
                                 wrong / GROSR_GRID_ITEMS, wrong % GROSR_GRID_ITEMS);
        r->tasks += spawned + builders - runs_of(cells);
        r->spawned += spawned - cells;
    }
}

int grosr_run_pipeline(grosr *rt, const struct grosr_workload_options *o, struct grosr_workload_result *r)
{
    void *host, *device;
    int err = grosr_shared(rt, &host, &device);

    memset(r, 0, sizeof(*r));
    if (err)
        return err;
    struct pipelines p = {(unsigned char *)host, (uint64_t)(uintptr_t)device};
    const struct grosr_feed feed = {BATCH, WINDOW, &p, make, check};
    return grosr_feed(rt, o, &feed, r);
}
