/*
 * The tables of a core dump (coredump.h), and the way from a section to the row it belongs to.
 */
#include "coredump_parts.h"

#include "../base/error.h"

#include <elf.h>
#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* The first driver's rows (r346); metadata came later, and their rows' size is not given. */
static const struct {
    const char *name;
    uint32_t min_bytes;
} tables[CORE_TYPES] = {
    [CORE_DEVICES] = {"devices", 72}, [CORE_CONTEXTS] = {"contexts", 40}, [CORE_SMS] = {"SMs", 8},
    [CORE_GRIDS] = {"grids", 104},    [CORE_BLOCKS] = {"blocks", 24},     [CORE_WARPS] = {"warps", 32},
    [CORE_LANES] = {"lanes", 48},     [CORE_MODULES] = {"modules", 8},    [CORE_META] = {"metadata", 32},
};

static int append(struct core_list *list, uint32_t section)
{
    if (list->count == list->room) {
        uint32_t room = list->room ? list->room * 2 : 64;
        uint32_t *grown = (uint32_t *)realloc(list->section, room * sizeof(*grown));
        if (!grown)
            return grosr_fail(ENOMEM, "out of memory");
        list->section = grown;
        list->room = room;
    }
    list->section[list->count++] = section;
    return 0;
}

/* Sections that are no tables. */
static bool is_contents(uint32_t type)
{
    return type == CORE_IMAGE || type == CORE_PARAMETERS || type == CORE_MANAGED || type == CORE_GLOBAL ||
           type == CORE_REGISTERS || type == CORE_UNIFORM_REGISTERS;
}

int core_list_sections(struct core_reader *reader)
{
    struct grosr_elf_section s, names = {0};

    if (reader->elf.names && grosr_elf_section(&reader->elf, reader->elf.names, &names))
        return -EINVAL;
    reader->texts = names;
    for (uint32_t i = 1; i < reader->elf.sections; i++) {
        int err = grosr_elf_section(&reader->elf, i, &s);
        if (err)
            return err;
        if (s.type == SHT_STRTAB && !strcmp(grosr_elf_text(&names, s.name), ".strtab"))
            reader->texts = s;
        uint32_t type = s.type - CORE_TYPE_BASE;
        if (type < CORE_TYPES && (tables[type].name || is_contents(type)) &&
            (err = append(&reader->list[type], i)))
            return err;
    }
    return 0;
}

int core_table(const struct core_reader *reader, uint32_t section, uint32_t type, struct core_table *table)
{
    int err = grosr_elf_section(&reader->elf, section, &table->section);

    if (err)
        return err;
    if (table->section.type != CORE_TYPE_BASE + type)
        return grosr_fail(EINVAL, "section %" PRIu32 " is no table of %s, which another takes it for",
                          section, tables[type].name);
    table->row_bytes = table->section.row_bytes ? table->section.row_bytes
                       : type == CORE_META      ? tables[type].min_bytes
                                                : 0;
    if (table->row_bytes < tables[type].min_bytes)
        return grosr_fail(
            EINVAL, "the table of %s in section %" PRIu32 " has rows of %" PRIu64 " bytes, not of %" PRIu32,
            tables[type].name, section, table->row_bytes, tables[type].min_bytes);
    table->rows = table->section.size / table->row_bytes;
    return 0;
}

int core_parent(const struct core_reader *reader, const struct grosr_elf_section *child, uint32_t type,
                struct core_table *table, const unsigned char **row)
{
    int err = core_table(reader, child->link, type, table);

    if (err)
        return err;
    if (child->info >= table->rows)
        return grosr_fail(EINVAL,
                          "section %" PRIu32 " belongs to row %" PRIu32 " of a table of %s that has %" PRIu64,
                          child->index, child->info, tables[type].name, table->rows);
    *row = core_row(table, child->info);
    return 0;
}

int core_compare_grids(const void *a, const void *b)
{
    const struct grosr_core_grid *x = (const struct grosr_core_grid *)a,
                                 *y = (const struct grosr_core_grid *)b;

    if (x->device != y->device)
        return x->device < y->device ? -1 : 1;
    return x->id < y->id ? -1 : x->id > y->id;
}

uint32_t core_find_grid(const struct grosr_core *core, uint32_t device, uint64_t id)
{
    struct grosr_core_grid key = {.device = device, .id = id};
    const struct grosr_core_grid *found = NULL;

    if (core->grids)
        found = (const struct grosr_core_grid *)bsearch(&key, core->grid, core->grids, sizeof(key),
                                                        core_compare_grids);
    return found ? (uint32_t)(found - core->grid) : GROSR_CORE_NONE;
}
