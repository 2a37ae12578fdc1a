/*
 * Program counters of a core dump (coredump.h): which function and line, and what the instruction there waits
 * for. An address is looked up once.
 *
 * A warp that waits at a barrier stands at the instruction after it (seen on an H100): the barrier has been
 * issued, and has not let go of the warp. One that stands at the barrier is about to issue it. Both are taken
 * for waiting, at the barrier's line.
 */
#include "coredump_parts.h"

#include "../base/demangle.h"
#include "../base/error.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define MAX_INLINED   16u
#define MAX_ARGUMENTS 64u

/* ---- images ---- */

static int add_image(struct core_reader *reader, uint32_t section)
{
    struct core_image *image = &reader->image[reader->images];
    struct core_table modules, contexts, devices;
    struct grosr_elf_section s;
    const unsigned char *row;
    int err = grosr_elf_section(&reader->elf, section, &s);

    if (err)
        return err;
    image->device =
        GROSR_CORE_NONE; /* one whose module has been unloaded belongs to nobody, and may be any's */
    if (s.link) {
        if ((err = core_parent(reader, &s, CORE_MODULES, &modules, &row)))
            return err;
        image->module = core_u64(&modules, row, 0);
        if ((err = core_parent(reader, &modules.section, CORE_CONTEXTS, &contexts, &row)))
            return err;
        image->context = core_u64(&contexts, row, 0);
        if ((err = core_parent(reader, &contexts.section, CORE_DEVICES, &devices, &row)))
            return err;
        image->device = contexts.section.info;
    }
    /* What is no image names nothing; the rest of the dump is worth as much without it. */
    err = grosr_cubin_open(&image->cubin, s.data, s.size);
    reader->images += !err;
    return err == -ENOMEM ? err : 0;
}

int core_read_images(struct core_reader *reader)
{
    const struct core_list *list = &reader->list[CORE_IMAGE];
    int err = 0;

    reader->image = (struct core_image *)calloc(list->count ? list->count : 1, sizeof(*reader->image));
    if (!reader->image)
        return grosr_fail(ENOMEM, "out of memory");
    for (uint32_t i = 0; !err && i < list->count; i++)
        err = add_image(reader, list->section[i]);
    return err;
}

/* The image with code at the address: the grid's own, another of its context, or of the device. */
static const struct core_image *find_image(const struct core_reader *reader,
                                           const struct grosr_core_grid *grid, uint32_t device,
                                           uint64_t address, struct grosr_cubin_function *f)
{
    const struct core_image *best = NULL;
    int best_rank = 0;

    for (uint32_t i = 0; i < reader->images; i++) {
        const struct core_image *image = &reader->image[i];
        struct grosr_cubin_function found;
        int rank = image->device == GROSR_CORE_NONE          ? 1
                   : image->device != device                 ? 0
                   : grid && image->context != grid->context ? 1
                   : grid && image->module != grid->module   ? 2
                                                             : 3;
        if (rank > best_rank && grosr_cubin_at(image->cubin, address, &found)) {
            best = image;
            best_rank = rank;
            *f = found;
        }
    }
    return best;
}

bool core_code(const struct core_reader *reader, const struct grosr_core_grid *grid, uint32_t device,
               uint64_t address, const struct core_image **image, struct grosr_cubin_function *function)
{
    *image = find_image(reader, grid, device, address, function);
    return *image != NULL;
}

/* ---- names ---- */

/* A function that is called by one kernel has that kernel's name before its own. */
char *core_brief_name(const char *mangled)
{
    const char *last = strrchr(mangled, '$'), *at;
    const char *own = last && last[1] ? last + 1 : mangled;
    char *full = grosr_demangle(own);
    size_t bytes;

    grosr_demangled_brief(full ? full : own, &at, &bytes);
    char *name = strndup(at, bytes);
    free(full);
    return name;
}

static char *path_of(const struct grosr_cubin_line *line)
{
    char *path = NULL;
    bool whole = !*line->directory || *line->file == '/';

    if (asprintf(&path, "%s%s%s", whole ? "" : line->directory, whole ? "" : "/", line->file) < 0)
        return NULL;
    return path;
}

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

/* ---- what an instruction waits for ---- */

static bool is_grid_sync(const char *mangled)
{
    return strstr(mangled, "cooperative_groups") &&
           (strstr(mangled, "10grid_group4sync") || strstr(mangled, "4grid4sync") ||
            strstr(mangled, "sync_grids_"));
}

static enum grosr_core_wait instruction_wait(const uint64_t word[2])
{
    uint32_t opcode = word[0] & 0xfff;

    if ((opcode & 0x1ff) == 0x11d) /* BAR; BAR.ARV does not wait */
        return word[1] & 0x2000 ? GROSR_CORE_WAIT_NONE : GROSR_CORE_WAIT_BLOCK;
    if (opcode == 0xdc7) /* UCGABAR_WAIT */
        return GROSR_CORE_WAIT_CLUSTER;
    if (opcode == 0x5a7) /* SYNCS.PHASECHK */
        return GROSR_CORE_WAIT_MBARRIER;
    if ((opcode & 0x1ff) == 0x148) /* WARPSYNC */
        return GROSR_CORE_WAIT_WARP;
    return GROSR_CORE_WAIT_NONE;
}

/* *address becomes that of the instruction that waits. */
static enum grosr_core_wait find_wait(const struct grosr_cubin *cubin, const struct grosr_cubin_function *f,
                                      uint64_t *address)
{
    enum grosr_core_wait wait = GROSR_CORE_WAIT_NONE;
    uint64_t word[2];

    if (grosr_cubin_instruction(cubin, f, *address, word))
        wait = instruction_wait(word);
    if (wait != GROSR_CORE_WAIT_NONE || *address < 16 ||
        !grosr_cubin_instruction(cubin, f, *address - 16, word))
        return wait;
    wait = instruction_wait(word);
    if (wait != GROSR_CORE_WAIT_BLOCK && wait != GROSR_CORE_WAIT_CLUSTER)
        return GROSR_CORE_WAIT_NONE;
    *address -= 16;
    return wait;
}

/* ---- places ---- */

static int fill_place(struct core_reader *reader, const struct grosr_core_grid *grid, uint32_t device,
                      struct grosr_core_place *place)
{
    struct grosr_cubin_line line[MAX_INLINED];
    struct grosr_cubin_function f;
    const struct core_image *image = find_image(reader, grid, device, place->address, &f);
    uint64_t waiting = place->address; /* the line is that of the barrier, not of what comes after it */
    uint32_t lines = 0;

    if (image) {
        place->function = core_brief_name(f.name);
        place->offset = place->address - f.address;
        place->wait = find_wait(image->cubin, &f, &waiting);
        lines = grosr_cubin_lines(image->cubin, &f, waiting, line, MAX_INLINED);
        if (is_grid_sync(f.name))
            place->wait = GROSR_CORE_WAIT_GRID;
    } else {
        place->function = strdup("");
    }
    for (uint32_t i = 0; i < lines; i++)
        if (is_grid_sync(line[i].function))
            place->wait = GROSR_CORE_WAIT_GRID;
    place->file = lines ? path_of(&line[lines - 1]) : strdup("");
    place->line = lines ? line[lines - 1].line : 0;
    if (lines > 1) {
        char *name = core_brief_name(line[0].function);
        if (!name ||
            asprintf(&place->inlined, "%s (%s:%" PRIu32 ")", name, base_name(line[0].file), line[0].line) < 0)
            place->inlined = NULL;
        free(name);
    } else {
        place->inlined = strdup("");
    }
    return place->function && place->file && place->inlined ? 0 : -ENOMEM;
}

static uint64_t hash_of(uint32_t device, uint64_t context, uint64_t address)
{
    uint64_t h = (address ^ context * 0x9e3779b97f4a7c15u ^ device) * 0x9e3779b97f4a7c15u;

    return h ^ h >> 32;
}

static uint32_t *find_slot(const struct core_reader *reader, const struct core_key *key, uint64_t address)
{
    uint32_t mask = reader->places_room * 2 - 1, at = (uint32_t)key->hash & mask;

    for (uint32_t p; (p = reader->slot[at]); at = (at + 1) & mask)
        if (reader->key[p - 1].device == key->device && reader->key[p - 1].context == key->context &&
            reader->core.place[p - 1].address == address)
            break;
    return &reader->slot[at];
}

static int grow_places(struct core_reader *reader)
{
    struct grosr_core *core = &reader->core;
    uint32_t room = reader->places_room ? reader->places_room * 2 : 256;
    struct grosr_core_place *place = (struct grosr_core_place *)realloc(core->place, room * sizeof(*place));
    if (place)
        core->place = place;
    struct core_key *key = (struct core_key *)realloc(reader->key, room * sizeof(*key));
    if (key)
        reader->key = key;
    uint32_t *slot = (uint32_t *)calloc((size_t)room * 2, sizeof(*slot));

    if (!place || !key || !slot) {
        free(slot);
        return grosr_fail(ENOMEM, "out of memory");
    }
    free(reader->slot);
    reader->slot = slot;
    reader->places_room = room;
    for (uint32_t i = 0; i < core->places; i++)
        *find_slot(reader, &key[i], place[i].address) = i + 1;
    return 0;
}

uint32_t core_place(struct core_reader *reader, const struct grosr_core_grid *grid, uint32_t device,
                    uint64_t address)
{
    struct grosr_core *core = &reader->core;
    struct core_key key = {.context = grid ? grid->context : 0, .device = device};

    key.hash = hash_of(device, key.context, address);
    if (core->places == reader->places_room && grow_places(reader))
        return GROSR_CORE_NONE;
    uint32_t *slot = find_slot(reader, &key, address);
    if (*slot)
        return *slot - 1;
    struct grosr_core_place *place = &core->place[core->places];
    *place = (struct grosr_core_place){.address = address};
    reader->key[core->places] = key;
    *slot = ++core->places;
    return fill_place(reader, grid, device, place) ? GROSR_CORE_NONE : core->places - 1;
}

/* ---- the grid's kernel ---- */

/* Each argument by its size: numbers up to eight bytes, others as how many bytes they have. */
static char *print_arguments(const struct grosr_cubin *cubin, const char *kernel, const unsigned char *data,
                             uint64_t bytes)
{
    struct grosr_cubin_argument argument[MAX_ARGUMENTS];
    uint32_t count = data ? grosr_cubin_arguments(cubin, kernel, argument, MAX_ARGUMENTS) : 0;
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    if (!out)
        return NULL;
    for (uint32_t i = 0; i < count; i++) {
        const struct grosr_cubin_argument *a = &argument[i];
        uint64_t value = 0;
        if (a->offset > bytes || a->bytes > bytes - a->offset)
            break;
        fputs(i ? ", " : "", out);
        memcpy(&value, data + a->offset, a->bytes <= 8 ? a->bytes : 0);
        if (a->bytes > 8)
            fprintf(out, "(%" PRIu32 " bytes)", a->bytes);
        else
            fprintf(out, value > 9 ? "0x%" PRIx64 : "%" PRIu64, value);
    }
    if (fclose(out)) {
        free(text);
        return NULL;
    }
    return text;
}

int core_name_grid(struct core_reader *reader, struct grosr_core_grid *grid, const unsigned char *arguments,
                   uint64_t bytes)
{
    struct grosr_cubin_function f;
    const struct core_image *image = find_image(reader, grid, grid->device, grid->entry, &f);

    if (image) {
        grid->kernel = core_brief_name(f.name);
        grid->arguments = print_arguments(image->cubin, f.name, arguments, bytes);
    } else {
        grid->arguments = strdup("");
        if (asprintf(&grid->kernel, "kernel at 0x%" PRIx64, grid->entry) < 0)
            grid->kernel = NULL;
    }
    return grid->kernel && grid->arguments ? 0 : grosr_fail(ENOMEM, "out of memory");
}
