/*
 * Warps of a core dump (coredump.h): from the tables of warps up to their block, SM, grid and device, and
 * down to their lanes.
 */
#include "coredump_parts.h"

#include "../base/error.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>

/* The row of a block, and of what it is in. */
struct block {
    uint32_t device, grid, sm, sm_exception;
    uint32_t index[3];
};

static int find_block(const struct core_reader *reader, const struct grosr_elf_section *warps,
                      struct block *block)
{
    struct core_table blocks, sms, devices;
    const unsigned char *row, *sm, *device;
    int err = core_parent(reader, warps, CORE_BLOCKS, &blocks, &row);

    if (err || (err = core_parent(reader, &blocks.section, CORE_SMS, &sms, &sm)) ||
        (err = core_parent(reader, &sms.section, CORE_DEVICES, &devices, &device)))
        return err;
    block->device = sms.section.info;
    block->grid = core_find_grid(&reader->core, block->device, core_u64(&blocks, row, 0));
    if (block->grid == GROSR_CORE_NONE)
        return grosr_fail(EINVAL, "a block in section %" PRIu32 " is of a grid that is not in it",
                          blocks.section.index);
    for (unsigned i = 0; i < 3; i++)
        block->index[i] = core_u32(&blocks, row, 8 + 4 * i);
    block->sm = core_u32(&sms, sm, 0);
    block->sm_exception = core_u32(&sms, sm, 8);
    return 0;
}

/* The hardware's own word of what a warp waits for (since r590): warp, warp group, block, cluster, kernel. */
static enum grosr_core_wait scope_wait(uint32_t scope)
{
    static const enum grosr_core_wait wait[] = {GROSR_CORE_WAIT_NONE,    GROSR_CORE_WAIT_WARP,
                                                GROSR_CORE_WAIT_WARP,    GROSR_CORE_WAIT_BLOCK,
                                                GROSR_CORE_WAIT_CLUSTER, GROSR_CORE_WAIT_GRID};

    return scope < sizeof(wait) / sizeof(wait[0]) ? wait[scope] : GROSR_CORE_WAIT_NONE;
}

static int read_block(struct core_reader *reader, const struct core_table *warps, uint64_t *error_pc)
{
    struct grosr_core *core = &reader->core;
    struct block block = {0};
    int err = find_block(reader, &warps->section, &block);

    if (err)
        return err;
    core->grid[block.grid].blocks++;
    for (uint64_t i = 0; i < warps->rows; i++) {
        const unsigned char *row = core_row(warps, i);
        struct grosr_core_warp *w = &core->warp[core->warps];
        *w = (struct grosr_core_warp){
            .device = block.device,
            .grid = block.grid,
            .sm = block.sm,
            .id = core_u32(warps, row, 8),
            .block = {block.index[0], block.index[1], block.index[2]},
            .warp = GROSR_CORE_NONE,
            .valid = core_u32(warps, row, 12),
            .active = core_u32(warps, row, 16),
            .place = GROSR_CORE_NONE,
            .other = GROSR_CORE_NONE,
            .wait = scope_wait(core_u32(warps, row, 64)),
            .row = core->warps,
        };
        bool failed = core_u32(warps, row, 24) != 0;
        error_pc[core->warps++] = failed ? core_u64(warps, row, 0) : 0;
        /* An SM's exception is that of the warp that failed, or of one that has left since. */
        if (failed && block.sm_exception)
            w->exception = block.sm_exception;
    }
    return 0;
}

/*
 * The first active lane says where the warp stands, the first that stands elsewhere where others do. A warp
 * that failed stands where it did.
 */
static int read_lanes(struct core_reader *reader, const struct core_table *lanes, uint32_t warp,
                      uint64_t error_pc)
{
    struct grosr_core_warp *w = &reader->core.warp[warp];
    const struct grosr_core_grid *grid = &reader->core.grid[w->grid];
    uint32_t first = w->active & w->valid ? w->active & w->valid : w->valid;

    for (unsigned pass = 0; pass < 2; pass++) {
        for (uint64_t i = 0; i < lanes->rows; i++) {
            const unsigned char *row = core_row(lanes, i);
            uint32_t lane = core_u32(lanes, row, 16), exception = core_u32(lanes, row, 32);
            uint64_t pc = core_u64(lanes, row, 0);
            if (lane >= 32 || !((pass ? w->valid : first) >> lane & 1) || pc == 0)
                continue;
            uint32_t place = core_place(reader, grid, w->device, exception && error_pc ? error_pc : pc);
            if (place == GROSR_CORE_NONE)
                return -ENOMEM;
            w->exception = exception ? exception : w->exception;
            if (w->place == GROSR_CORE_NONE) {
                uint64_t y = core_u32(lanes, row, 24) + (uint64_t)grid->block[1] * core_u32(lanes, row, 28);
                w->place = place;
                w->warp = (uint32_t)((core_u32(lanes, row, 20) + grid->block[0] * y) / 32);
            } else if (place != w->place && w->other == GROSR_CORE_NONE) {
                w->other = place;
            }
        }
    }
    if (w->exception && error_pc &&
        (w->place = core_place(reader, grid, w->device, error_pc)) == GROSR_CORE_NONE)
        return -ENOMEM;
    w->other = w->other == w->place ? GROSR_CORE_NONE : w->other;
    return 0;
}

/* The warps of each table, and their tables in order. */
static int read_tables(struct core_reader *reader, uint32_t *first, uint64_t *error_pc)
{
    const struct core_list *tables = &reader->list[CORE_WARPS], *lanes = &reader->list[CORE_LANES];
    struct core_table table, warps;
    const unsigned char *row;
    int err = 0;

    for (uint32_t i = 0; !err && i < tables->count; i++) {
        first[i] = reader->core.warps;
        err = core_table(reader, tables->section[i], CORE_WARPS, &table);
        if (!err)
            err = read_block(reader, &table, error_pc);
    }
    for (uint32_t i = 0; !err && i < lanes->count; i++) {
        err = core_table(reader, lanes->section[i], CORE_LANES, &table);
        if (err || (err = core_parent(reader, &table.section, CORE_WARPS, &warps, &row)))
            break;
        uint32_t low = 0, high = tables->count;
        while (low < high) {
            uint32_t middle = low + (high - low) / 2;
            if (tables->section[middle] < warps.section.index)
                low = middle + 1;
            else
                high = middle;
        }
        uint32_t warp = first[low] + table.section.info;
        err = read_lanes(reader, &table, warp, error_pc[warp]);
    }
    return err;
}

/* Failures that SMs report and no warp that is still there: those that failed have left. */
static int read_faults(struct core_reader *reader)
{
    struct grosr_core *core = &reader->core;
    const struct core_list *tables = &reader->list[CORE_SMS];
    int err = 0;

    for (uint32_t i = 0; !err && i < tables->count; i++) {
        struct core_table sms, devices;
        const unsigned char *row;
        err = core_table(reader, tables->section[i], CORE_SMS, &sms);
        if (err || (err = core_parent(reader, &sms.section, CORE_DEVICES, &devices, &row)))
            break;
        struct grosr_core_fault *grown = (struct grosr_core_fault *)realloc(
            core->fault, (core->faults + sms.rows + 1) * sizeof(*core->fault));
        if (!grown)
            return -ENOMEM;
        core->fault = grown;
        for (uint64_t k = 0; !err && k < sms.rows; k++) {
            row = core_row(&sms, k);
            struct grosr_core_fault fault = {.device = sms.section.info,
                                             .sm = core_u32(&sms, row, 0),
                                             .exception = core_u32(&sms, row, 8),
                                             .place = GROSR_CORE_NONE};
            bool seen = fault.exception == 0;
            for (uint32_t w = 0; !seen && w < core->warps; w++)
                seen = core->warp[w].exception && core->warp[w].sm == fault.sm &&
                       core->warp[w].device == fault.device;
            if (!seen && core_u32(&sms, row, 12) &&
                (fault.place = core_place(reader, NULL, fault.device, core_u64(&sms, row, 16))) ==
                    GROSR_CORE_NONE)
                err = -ENOMEM;
            if (!seen)
                core->fault[core->faults++] = fault;
        }
    }
    return err;
}

int core_read_warps(struct core_reader *reader)
{
    struct grosr_core *core = &reader->core;
    const struct core_list *tables = &reader->list[CORE_WARPS];
    struct core_table table;
    uint64_t count = 0;
    int err = 0;

    for (uint32_t i = 0; !err && i < tables->count; i++) {
        err = core_table(reader, tables->section[i], CORE_WARPS, &table);
        count += err ? 0 : table.rows;
    }
    if (!err && count >= GROSR_CORE_NONE)
        err = grosr_fail(EINVAL, "it is said to have %" PRIu64 " warps", count);
    if (err)
        return err;
    uint32_t *first = (uint32_t *)calloc(tables->count + 1, sizeof(*first)); /* warp of each table */
    uint64_t *error_pc = (uint64_t *)calloc(count + 1, sizeof(*error_pc));
    core->warp = (struct grosr_core_warp *)calloc(count + 1, sizeof(*core->warp));
    err = first && error_pc && core->warp ? read_tables(reader, first, error_pc) : -ENOMEM;
    if (!err)
        err = read_faults(reader);
    free(first);
    free(error_pc);
    return err == -ENOMEM ? grosr_fail(ENOMEM, "out of memory") : err;
}
