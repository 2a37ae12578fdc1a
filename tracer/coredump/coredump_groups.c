/*
 * Equal warps of a core dump (coredump.h): of one grid, at the same line or, without lines, at the same
 * instruction, in the same wait, with the same exception.
 */
#include "coredump_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static int compare(uint64_t a, uint64_t b)
{
    return a < b ? -1 : a > b;
}

/* Instructions of one line are one spot; so are those that no line is known of, each by itself. */
static int by_spot(const void *a, const void *b, void *places)
{
    const struct grosr_core_place *x = (const struct grosr_core_place *)places + *(const uint32_t *)a,
                                  *y = (const struct grosr_core_place *)places + *(const uint32_t *)b;
    int order = compare(x->line, y->line);

    if (!order)
        order = compare(x->wait, y->wait);
    if (!order)
        order = strcmp(x->function, y->function);
    if (!order)
        order = strcmp(x->file, y->file);
    return order || x->line ? order : compare(x->address, y->address);
}

static int name_spots(struct grosr_core *core)
{
    uint32_t *order = (uint32_t *)calloc(core->places ? core->places : 1, sizeof(*order)), spot = 0;

    if (!order)
        return -ENOMEM;
    for (uint32_t i = 0; i < core->places; i++)
        order[i] = i;
    qsort_r(order, core->places, sizeof(*order), by_spot, core->place);
    for (uint32_t i = 0; i < core->places; i++) {
        if (i > 0 && by_spot(&order[i - 1], &order[i], core->place))
            spot++;
        core->place[order[i]].spot = spot;
    }
    free(order);
    return 0;
}

static uint32_t spot_of(const struct grosr_core *core, uint32_t place)
{
    return place == GROSR_CORE_NONE ? GROSR_CORE_NONE : core->place[place].spot;
}

/* Whether warps are equal, and in which order they are if not. */
static int by_group(const struct grosr_core *core, const struct grosr_core_warp *x,
                    const struct grosr_core_warp *y)
{
    int order = compare(x->grid, y->grid);

    if (!order)
        order = compare(x->exception, y->exception);
    if (!order)
        order = compare(x->wait, y->wait);
    if (!order)
        order = compare(spot_of(core, x->place), spot_of(core, y->place));
    return order ? order : compare(spot_of(core, x->other), spot_of(core, y->other));
}

static int by_block(const struct grosr_core_warp *x, const struct grosr_core_warp *y)
{
    int order = compare(x->block[2], y->block[2]);

    if (!order)
        order = compare(x->block[1], y->block[1]);
    return order ? order : compare(x->block[0], y->block[0]);
}

static int by_warp(const void *a, const void *b, void *core)
{
    const struct grosr_core_warp *x = (const struct grosr_core_warp *)a,
                                 *y = (const struct grosr_core_warp *)b;
    int order = by_group((const struct grosr_core *)core, x, y);

    if (!order)
        order = by_block(x, y);
    return order ? order : compare(x->warp, y->warp);
}

static int by_size(const void *a, const void *b)
{
    const struct grosr_core_group *x = (const struct grosr_core_group *)a,
                                  *y = (const struct grosr_core_group *)b;
    int order = compare(x->grid, y->grid);

    if (!order)
        order = compare(y->warps, x->warps);
    return order ? order : compare(x->first, y->first);
}

int core_group(struct grosr_core *core)
{
    if (name_spots(core))
        return -ENOMEM;
    for (uint32_t i = 0; i < core->warps; i++) {
        struct grosr_core_warp *w = &core->warp[i];
        if (w->wait == GROSR_CORE_WAIT_NONE && w->place != GROSR_CORE_NONE)
            w->wait = core->place[w->place].wait;
        for (int k = 0; k < 3; k++)
            core->grid[w->grid].misstated |= w->block[k] >= core->grid[w->grid].grid[k];
        core->grid[w->grid].warps++;
        core->grid[w->grid].exceptions += w->exception != 0;
    }
    qsort_r(core->warp, core->warps, sizeof(*core->warp), by_warp, core);
    core->group = (struct grosr_core_group *)calloc(core->warps ? core->warps : 1, sizeof(*core->group));
    if (!core->group)
        return -ENOMEM;
    for (uint32_t i = 0; i < core->warps; i++) {
        const struct grosr_core_warp *w = &core->warp[i];
        struct grosr_core_group *g = core->groups ? &core->group[core->groups - 1] : NULL;
        if (!g || by_group(core, &core->warp[g->first], w)) {
            g = &core->group[core->groups++];
            *g = (struct grosr_core_group){.grid = w->grid, .first = i};
        }
        g->blocks += g->warps == 0 || by_block(w - 1, w) != 0;
        g->warps++;
    }
    qsort(core->group, core->groups, sizeof(*core->group), by_size);
    return 0;
}
