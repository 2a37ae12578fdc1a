/*
 * What a core dump itself knows by address (coredump.h): the variables of its modules and the arguments of
 * its kernels; and what its memory says of words that are named, if it was dumped.
 *
 * An argument is the address of something whose size is not known. Memory that is allocated begins at a
 * multiple of 256 bytes, so what lies before the next one is of the same allocation, and is counted as the
 * argument's.
 */
#include "coredump_parts.h"

#include "../base/error.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_ARGUMENTS    64u
#define MAX_WORDS        64u /* of one argument */
#define ALLOCATION_BYTES 256u

int core_add_name(struct grosr_core *core, struct grosr_core_name name)
{
    struct grosr_core_name *grown = core->name;

    if (name.text && name.fact && (core->names & (core->names - 1)) == 0) /* room doubles */
        grown = (struct grosr_core_name *)realloc(core->name, (core->names ? 2 * (size_t)core->names : 1) *
                                                                  sizeof(*grown));
    if (!name.text || !name.fact || !grown) {
        free(name.text);
        free(name.fact);
        return grosr_fail(ENOMEM, "out of memory");
    }
    core->name = grown;
    core->name[core->names++] = name;
    return 0;
}

bool core_memory(const struct core_reader *reader, uint64_t address, uint32_t bytes, uint64_t *value)
{
    static const unsigned types[] = {CORE_GLOBAL, CORE_MANAGED};

    for (unsigned t = 0; t < 2; t++) {
        const struct core_list *list = &reader->list[types[t]];
        for (uint32_t i = 0; i < list->count; i++) {
            struct grosr_elf_section s;
            if (grosr_elf_section(&reader->elf, list->section[i], &s) || address < s.address ||
                address - s.address > s.size || bytes > s.size - (address - s.address))
                continue;
            uint64_t at = address - s.address;
            *value = bytes == 8 ? grosr_elf_u64(s.data, s.size, at) : grosr_elf_u32(s.data, s.size, at);
            return true;
        }
    }
    return false;
}

/* ---- variables ---- */

static int add_variable(struct core_reader *reader, const struct core_image *image,
                        const struct grosr_cubin_variable *v)
{
    char *name = core_brief_name(v->name), *text = NULL, *fact = NULL;
    uint64_t value;

    if (name && asprintf(&text, "variable %s", name) < 0)
        text = NULL;
    free(name);
    if ((v->bytes == 4 || v->bytes == 8) && core_memory(reader, v->address, (uint32_t)v->bytes, &value)) {
        if (asprintf(&fact, "which was %" PRIu64 " in the dump", value) < 0)
            fact = NULL;
    } else {
        fact = strdup("");
    }
    return core_add_name(&reader->core, (struct grosr_core_name){.kind = GROSR_CORE_VARIABLE,
                                                                 .address = v->address,
                                                                 .bytes = v->bytes,
                                                                 .text = text,
                                                                 .fact = fact,
                                                                 .device = image->device,
                                                                 .grid = GROSR_CORE_NONE,
                                                                 .context = image->context});
}

/* Of one that belongs to a context: what has been unloaded has none. */
static int name_variables(struct core_reader *reader, const struct core_image *image)
{
    struct grosr_cubin_variable v;
    uint64_t at = 0;
    int err = 0;

    while (!err && image->device != GROSR_CORE_NONE && grosr_cubin_next_variable(image->cubin, &at, &v))
        if (v.address >= CORE_ADDRESS_MIN && v.address < CORE_ADDRESS_END)
            err = add_variable(reader, image, &v);
    return err;
}

/* ---- arguments ---- */

/* The word of 8 bytes at `within` of an argument. */
static int add_word(struct core_reader *reader, uint32_t grid, const struct grosr_cubin_argument *a,
                    uint32_t within, uint64_t value)
{
    const char *kernel = reader->core.grid[grid].kernel;
    char *text = NULL;
    int length = a->bytes > 8 ? asprintf(&text, "the pointer at +%" PRIu32 " of argument %" PRIu32 " of %s",
                                         within, a->index + 1, kernel)
                              : asprintf(&text, "argument %" PRIu32 " of %s", a->index + 1, kernel);

    return core_add_name(&reader->core,
                         (struct grosr_core_name){.kind = GROSR_CORE_ARGUMENT,
                                                  .address = value,
                                                  .bytes = ALLOCATION_BYTES - value % ALLOCATION_BYTES,
                                                  .text = length < 0 ? NULL : text,
                                                  .fact = strdup(""),
                                                  .device = GROSR_CORE_NONE,
                                                  .grid = grid});
}

static int name_arguments(struct core_reader *reader, uint32_t grid, const struct grosr_elf_section *data)
{
    struct grosr_cubin_argument argument[MAX_ARGUMENTS];
    struct grosr_cubin_function f;
    const struct grosr_core_grid *g = &reader->core.grid[grid];
    const struct core_image *image;
    int err = 0;

    if (!core_code(reader, g, g->device, g->entry, &image, &f))
        return 0;
    uint32_t count = grosr_cubin_arguments(image->cubin, f.name, argument, MAX_ARGUMENTS);
    for (uint32_t i = 0; !err && i < count; i++) {
        const struct grosr_cubin_argument *a = &argument[i];
        for (uint32_t at = 0; !err && a->offset % 8 == 0 && at + 8 <= a->bytes && at / 8 < MAX_WORDS;
             at += 8) {
            uint64_t value = grosr_elf_u64(data->data, data->size, (uint64_t)a->offset + at);
            if (value >= CORE_ADDRESS_MIN && value < CORE_ADDRESS_END)
                err = add_word(reader, grid, a, at, value);
        }
    }
    return err;
}

int core_name_own(struct core_reader *reader)
{
    const struct core_list *list = &reader->list[CORE_PARAMETERS];
    struct core_table grids;
    const unsigned char *row;
    int err = 0;

    for (uint32_t i = 0; !err && i < reader->images; i++)
        err = name_variables(reader, &reader->image[i]);
    for (uint32_t i = 0; !err && i < list->count; i++) {
        struct grosr_elf_section s;
        if (grosr_elf_section(&reader->elf, list->section[i], &s) ||
            core_parent(reader, &s, CORE_GRIDS, &grids, &row))
            continue; /* it has been read once: this does not happen */
        uint32_t grid = core_find_grid(&reader->core, grids.section.info, core_u64(&grids, row, 0));
        if (grid != GROSR_CORE_NONE)
            err = name_arguments(reader, grid, &s);
    }
    return err;
}
