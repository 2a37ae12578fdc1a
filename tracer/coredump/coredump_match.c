/*
 * What the registers of a core dump point to (coredump.h).
 *
 * An address is in a pair of registers, an even one and the next, the lower half first. That an address is in
 * registers says no more than that; which of them a warp waits for is known only of one that stands in a loop
 * with a load that reads the same address each time (cubin.h): what that load reads.
 */
#include "coredump_parts.h"

#include "../base/error.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define LOW_MIN       (UINT64_C(1) << 16) /* smaller lower halves are more likely numbers */
#define RANGE_MAX     (UINT64_C(1) << 24) /* of registers that no load is seen to use */
#define MAX_LOADS     8u                  /* of a loop */
#define MAX_LOOPS     1024u               /* of a function */
#define MAX_NAMES     8u                  /* of one address */
#define MAX_STEPS     64u                 /* back through names that may reach to an address */
#define MAX_OF_A_WARP 256u
#define NOT_LOOKED_AT UINT32_MAX

struct place_loads {
    struct grosr_cubin_load load[MAX_LOADS];
    uint32_t loads; /* NOT_LOOKED_AT: not yet */
};

/* The loops of a function that warps stand in. */
struct function_loops {
    const struct core_image *image;
    uint64_t address;
    struct grosr_cubin_loop *loop;
    uint32_t loops;
};

struct matcher {
    struct core_reader *reader;
    struct grosr_core *core;
    uint64_t *reach;           /* of names, by address: the furthest end of it and of those before */
    uint32_t *warp_of;         /* by row */
    uint32_t *row_of;          /* the row of the first warp of each table */
    struct place_loads *loads; /* by place */
    struct function_loops *function;
    uint32_t functions, functions_room;
    uint32_t room;
    uint32_t of_warp, first; /* the warp whose matches are being added, from the first on */
};

/* The lane whose registers are read. */
struct lane {
    uint32_t warp, bits;
    uint64_t pc;
};

/* A load of a loop that lanes stand in. */
struct read {
    uint32_t place, bytes;
    uint64_t load;
};

/* ---- names of an address ---- */

static int by_address(const void *a, const void *b)
{
    const struct grosr_core_name *x = (const struct grosr_core_name *)a,
                                 *y = (const struct grosr_core_name *)b;

    if (x->address != y->address)
        return x->address < y->address ? -1 : 1;
    return x->kind != y->kind ? (x->kind < y->kind ? -1 : 1) : strcmp(x->text, y->text);
}

static bool is_meant(const struct grosr_core *core, const struct grosr_core_warp *w,
                     const struct grosr_core_name *n)
{
    if (n->grid != GROSR_CORE_NONE && n->grid != w->grid)
        return false;
    return n->device == GROSR_CORE_NONE ||
           (n->device == w->device && n->context == core->grid[w->grid].context);
}

static int add_match(struct matcher *m, const struct lane *lane, uint32_t name, uint64_t address,
                     const struct read *by)
{
    struct grosr_core *core = m->core;

    if (m->of_warp != lane->warp) {
        m->of_warp = lane->warp;
        m->first = core->matches;
    }
    for (uint32_t i = m->first; i < core->matches; i++) {
        struct grosr_core_match *of = &core->match[i];
        if (of->name == name && of->address == address && of->is_read == (by != NULL) &&
            (!by || (of->load == by->load && of->place == by->place))) {
            of->lanes |= lane->bits;
            return 0;
        }
    }
    if (core->matches - m->first >= MAX_OF_A_WARP)
        return 0;
    if (core->matches == m->room) {
        uint32_t room = m->room ? m->room * 2 : 1024;
        struct grosr_core_match *grown =
            room > m->room ? (struct grosr_core_match *)realloc(core->match, room * sizeof(*grown)) : NULL;
        if (!grown)
            return -ENOMEM;
        core->match = grown;
        m->room = room;
    }
    core->match[core->matches++] = (struct grosr_core_match){.warp = lane->warp,
                                                             .name = name,
                                                             .address = address,
                                                             .lanes = lane->bits,
                                                             .is_read = by != NULL,
                                                             .place = by ? by->place : GROSR_CORE_NONE,
                                                             .load = by ? by->load : 0,
                                                             .bytes = by ? by->bytes : 0};
    return 0;
}

/* Adds what is known at the address, which a load reads or, without one, is in registers. */
static int match(struct matcher *m, const struct lane *lane, uint64_t address, const struct read *by)
{
    const struct grosr_core *core = m->core;
    uint32_t low = 0, high = core->names, found = 0;
    int err = 0;

    if (address < CORE_ADDRESS_MIN || address >= CORE_ADDRESS_END ||
        (!by && (address & UINT32_MAX) < LOW_MIN))
        return 0;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (core->name[middle].address <= address)
            low = middle + 1;
        else
            high = middle;
    }
    for (uint32_t i = low, steps = 0; !err && i-- > 0 && steps < MAX_STEPS && found < MAX_NAMES; steps++) {
        const struct grosr_core_name *n = &core->name[i];
        if (m->reach[i] <= address)
            break;
        if (address - n->address >= n->bytes || !is_meant(core, &core->warp[lane->warp], n) ||
            (!by && address != n->address && n->bytes > RANGE_MAX))
            continue;
        err = add_match(m, lane, i, address, by);
        found++;
    }
    return err;
}

/* ---- loads ---- */

/* The loops of a function, found once; NULL: out of memory. */
static const struct function_loops *loops_of(struct matcher *m, const struct core_image *image,
                                             const struct grosr_cubin_function *f)
{
    for (uint32_t i = m->functions; i-- > 0;)
        if (m->function[i].image == image && m->function[i].address == f->address)
            return &m->function[i];
    if (m->functions == m->functions_room) {
        uint32_t room = m->functions_room ? m->functions_room * 2 : 16;
        struct function_loops *grown =
            (struct function_loops *)realloc(m->function, room * sizeof(*m->function));
        if (!grown)
            return NULL;
        m->function = grown;
        m->functions_room = room;
    }
    struct grosr_cubin_loop *loop = (struct grosr_cubin_loop *)calloc(MAX_LOOPS, sizeof(*loop));
    if (!loop)
        return NULL;
    uint32_t loops = grosr_cubin_loops(image->cubin, f, loop, MAX_LOOPS);
    m->function[m->functions] = (struct function_loops){image, f->address, loop, loops};
    return &m->function[m->functions++];
}

static int find_loads(struct matcher *m, uint32_t place, const struct grosr_core_warp *w)
{
    struct place_loads *found = &m->loads[place];
    const struct grosr_core_place *p = &m->core->place[place];
    const struct core_image *image;
    struct grosr_cubin_function f;

    found->loads = 0;
    if (!core_code(m->reader, &m->core->grid[w->grid], w->device, p->address, &image, &f))
        return 0;
    const struct function_loops *of = loops_of(m, image, &f);
    if (of)
        found->loads =
            grosr_cubin_loads(image->cubin, &f, of->loop, of->loops, p->offset, found->load, MAX_LOADS);
    return of ? 0 : -ENOMEM;
}

/* The place where the lane stands, whose loads are there then; GROSR_CORE_NONE: neither of its warp's.
 * -ENOMEM. */
static int place_of(struct matcher *m, const struct lane *lane, uint32_t *place)
{
    const struct grosr_core_warp *w = &m->core->warp[lane->warp];

    *place = w->place;
    if (*place == GROSR_CORE_NONE || m->core->place[*place].address != lane->pc)
        *place = w->other;
    if (*place != GROSR_CORE_NONE && m->core->place[*place].address != lane->pc)
        *place = GROSR_CORE_NONE;
    return *place != GROSR_CORE_NONE && m->loads[*place].loads == NOT_LOOKED_AT ? find_loads(m, *place, w)
                                                                                : 0;
}

/* ---- registers ---- */

static uint64_t pair_of(const struct grosr_elf_section *registers, uint32_t low)
{
    return grosr_elf_u64(registers->data, registers->size, 4 * (uint64_t)low);
}

static int match_registers(struct matcher *m, const struct lane *lane, const struct grosr_elf_section *s)
{
    struct read read = {.place = GROSR_CORE_NONE};
    uint64_t before = 0;
    int err = lane->pc ? place_of(m, lane, &read.place) : 0;
    const struct place_loads *found = read.place == GROSR_CORE_NONE ? NULL : &m->loads[read.place];

    for (uint32_t i = 0; found && !err && i < found->loads; i++) {
        uint64_t base = pair_of(s, found->load[i].base);
        read.load = found->load[i].offset;
        read.bytes = found->load[i].bytes;
        if (base)
            err = match(m, lane, base + (uint64_t)found->load[i].displacement, &read);
    }
    for (uint64_t at = 0; !err && s->size >= 8 && at <= s->size - 8; at += 8) {
        uint64_t value = grosr_elf_u64(s->data, s->size, at);
        if (value != before) /* pairs are often repeated */
            err = match(m, lane, value, NULL);
        before = value;
    }
    return err;
}

/* The warp that a row of a table of warps is; GROSR_CORE_NONE: it is not followed. */
static uint32_t warp_at(const struct matcher *m, const struct core_table *warps, uint32_t row)
{
    const struct core_list *tables = &m->reader->list[CORE_WARPS];
    uint32_t low = 0, high = tables->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (tables->section[middle] < warps->section.index)
            low = middle + 1;
        else
            high = middle;
    }
    return low < tables->count && tables->section[low] == warps->section.index
               ? m->warp_of[m->row_of[low] + row]
               : GROSR_CORE_NONE;
}

static int match_lane(struct matcher *m, const struct grosr_elf_section *s)
{
    struct core_table lanes, warps;
    const unsigned char *row, *parent;

    if (core_parent(m->reader, s, CORE_LANES, &lanes, &row) ||
        core_parent(m->reader, &lanes.section, CORE_WARPS, &warps, &parent))
        return 0;
    uint32_t number = core_u32(&lanes, row, 16);
    struct lane lane = {.warp = warp_at(m, &warps, lanes.section.info), .pc = core_u64(&lanes, row, 0)};
    if (lane.warp == GROSR_CORE_NONE || number >= 32 || !(m->core->warp[lane.warp].valid >> number & 1))
        return 0;
    lane.bits = UINT32_C(1) << number;
    return match_registers(m, &lane, s);
}

static int match_uniform(struct matcher *m, const struct grosr_elf_section *s)
{
    struct core_table warps;
    const unsigned char *row;

    if (core_parent(m->reader, s, CORE_WARPS, &warps, &row))
        return 0;
    struct lane lane = {.warp = warp_at(m, &warps, s->info)};
    if (lane.warp == GROSR_CORE_NONE)
        return 0;
    lane.bits = m->core->warp[lane.warp].valid;
    return lane.bits ? match_registers(m, &lane, s) : 0;
}

static int match_all(struct matcher *m)
{
    const struct core_list *registers = &m->reader->list[CORE_REGISTERS],
                           *uniform = &m->reader->list[CORE_UNIFORM_REGISTERS];
    struct grosr_elf_section s;
    int err = 0;

    for (uint32_t i = 0; !err && i < registers->count; i++)
        if (!grosr_elf_section(&m->reader->elf, registers->section[i], &s))
            err = match_lane(m, &s);
    for (uint32_t i = 0; !err && i < uniform->count; i++)
        if (!grosr_elf_section(&m->reader->elf, uniform->section[i], &s))
            err = match_uniform(m, &s);
    return err;
}

/* ---- the order of matches ---- */

/* By warp; what loads read first, then the kinds that say most, exact addresses before others. */
static int by_warp(const void *a, const void *b, void *names)
{
    const struct grosr_core_match *x = (const struct grosr_core_match *)a,
                                  *y = (const struct grosr_core_match *)b;
    const struct grosr_core_name *p = (const struct grosr_core_name *)names + x->name,
                                 *q = (const struct grosr_core_name *)names + y->name;

    if (x->warp != y->warp)
        return x->warp < y->warp ? -1 : 1;
    if (x->is_read != y->is_read)
        return x->is_read ? -1 : 1;
    if (p->kind != q->kind)
        return p->kind < q->kind ? -1 : 1;
    if (x->name != y->name)
        return x->name < y->name ? -1 : 1;
    if (x->address != y->address)
        return x->address < y->address ? -1 : 1;
    if (x->place != y->place)
        return x->place < y->place ? -1 : 1;
    return x->load < y->load ? -1 : x->load > y->load;
}

/* Orders them; those of a warp whose sections are not beside each other become one. */
static void settle(struct grosr_core *core)
{
    uint32_t kept = 0;

    qsort_r(core->match, core->matches, sizeof(*core->match), by_warp, core->name);
    for (uint32_t i = 0; i < core->matches; i++) {
        if (kept && !by_warp(&core->match[kept - 1], &core->match[i], core->name)) {
            core->match[kept - 1].lanes |= core->match[i].lanes;
            continue;
        }
        core->match[kept] = core->match[i];
        struct grosr_core_warp *w = &core->warp[core->match[kept].warp];
        w->match = w->matches ? w->match : kept;
        w->matches++;
        kept++;
    }
    core->matches = kept;
}

/* ---- the whole ---- */

static int prepare(struct matcher *m)
{
    struct grosr_core *core = m->core;
    const struct core_list *tables = &m->reader->list[CORE_WARPS];
    struct core_table table;
    uint32_t row = 0;

    m->reach = (uint64_t *)calloc(core->names + 1u, sizeof(*m->reach));
    m->warp_of = (uint32_t *)calloc(core->warps + 1u, sizeof(*m->warp_of));
    m->row_of = (uint32_t *)calloc(tables->count + 1u, sizeof(*m->row_of));
    m->loads = (struct place_loads *)calloc(core->places + 1u, sizeof(*m->loads));
    if (!m->reach || !m->warp_of || !m->row_of || !m->loads)
        return -ENOMEM;
    qsort(core->name, core->names, sizeof(*core->name), by_address);
    for (uint32_t i = 0; i < core->names; i++) {
        uint64_t end = core->name[i].address + core->name[i].bytes;
        m->reach[i] = i && m->reach[i - 1] > end ? m->reach[i - 1] : end;
    }
    for (uint32_t i = 0; i < core->warps; i++)
        m->warp_of[core->warp[i].row] = i;
    for (uint32_t i = 0; i < tables->count; i++) {
        m->row_of[i] = row;
        if (core_table(m->reader, tables->section[i], CORE_WARPS, &table))
            return -EINVAL;
        row += (uint32_t)table.rows;
    }
    for (uint32_t i = 0; i < core->places; i++)
        m->loads[i].loads = NOT_LOOKED_AT;
    m->of_warp = GROSR_CORE_NONE;
    return 0;
}

/* The process whose dump it is, as the driver was told to name it; 0: not known. */
static uint32_t process_of(const char *path)
{
    const char *name = strrchr(path, '/') ? strrchr(path, '/') + 1 : path;
    uint32_t pid = 0;
    int at = 0;

    return sscanf(name, "core.%9" SCNu32 ".nvcudmp%n", &pid, &at) == 1 && at && !name[at] ? pid : 0;
}

static int name_all(struct core_reader *reader, const struct grosr_core_sessions *sessions, const char *path)
{
    struct grosr_core_sessions *found = NULL;
    uint32_t pid = sessions || !path ? 0 : process_of(path);
    int err = core_name_own(reader);

    if (!err && sessions)
        err = core_name_sessions(reader, sessions, true);
    if (!err && pid && !(err = grosr_core_sessions_of(&found, pid)))
        err = core_name_sessions(reader, found, false);
    grosr_core_sessions_free(found);
    return err;
}

int grosr_core_match(struct grosr_core *core, const struct grosr_core_sessions *sessions, const char *path)
{
    struct matcher m = {.reader = (struct core_reader *)core, .core = core};
    int err = name_all(m.reader, sessions, path);

    if (!err && core->names) {
        err = prepare(&m);
        if (!err)
            err = match_all(&m);
        if (!err && core->matches)
            settle(core);
        free(m.reach);
        free(m.warp_of);
        free(m.row_of);
        free(m.loads);
        for (uint32_t i = 0; i < m.functions; i++)
            free(m.function[i].loop);
        free(m.function);
    }
    return err == -ENOMEM ? grosr_fail(ENOMEM, "out of memory") : err;
}
