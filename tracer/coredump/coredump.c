/*
 * Reading core dumps of GPUs (coredump.h): the file, its devices and its grids.
 */
#include "coredump_parts.h"

#include "../base/error.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int read_meta(struct core_reader *reader)
{
    const struct core_list *list = &reader->list[CORE_META];
    struct core_table meta;
    int err;

    if (list->count == 0)
        return 0;
    if ((err = core_table(reader, list->section[0], CORE_META, &meta)))
        return err;
    if (meta.rows > 0) {
        const unsigned char *row = core_row(&meta, 0);
        reader->core.driver_major = core_u32(&meta, row, 8);
        reader->core.driver_minor = core_u32(&meta, row, 12);
        reader->core.timestamp = core_u32(&meta, row, 28);
    }
    return 0;
}

static int read_devices(struct core_reader *reader)
{
    struct grosr_core *core = &reader->core;
    const struct core_list *list = &reader->list[CORE_DEVICES];
    struct core_table devices;
    int err;

    if (list->count != 1)
        return grosr_fail(EINVAL, "it has %" PRIu32 " tables of devices, not one", list->count);
    if ((err = core_table(reader, list->section[0], CORE_DEVICES, &devices)))
        return err;
    core->device = (struct grosr_core_device *)calloc(devices.rows + 1, sizeof(*core->device));
    if (!core->device)
        return grosr_fail(ENOMEM, "out of memory");
    for (; core->devices < devices.rows; core->devices++) {
        const unsigned char *row = core_row(&devices, core->devices);
        core->device[core->devices] = (struct grosr_core_device){
            .name = grosr_elf_text(&reader->texts, core_u64(&devices, row, 0)),
            .sms = core_u32(&devices, row, 36),
            .warps_per_sm = core_u32(&devices, row, 40),
            .sm_major = core_u32(&devices, row, 56),
            .sm_minor = core_u32(&devices, row, 60),
        };
    }
    return 0;
}

/* ---- grids ---- */

static int read_grid_table(struct core_reader *reader, uint32_t section)
{
    struct grosr_core *core = &reader->core;
    struct core_table grids, devices;
    const unsigned char *row;
    int err = core_table(reader, section, CORE_GRIDS, &grids);

    if (err || (err = core_parent(reader, &grids.section, CORE_DEVICES, &devices, &row)))
        return err;
    struct grosr_core_grid *grown =
        (struct grosr_core_grid *)realloc(core->grid, (core->grids + grids.rows + 1) * sizeof(*core->grid));
    if (!grown)
        return grosr_fail(ENOMEM, "out of memory");
    core->grid = grown;
    for (uint64_t i = 0; i < grids.rows; i++) {
        row = core_row(&grids, i);
        struct grosr_core_grid *g = &core->grid[core->grids++];
        *g = (struct grosr_core_grid){
            .device = grids.section.info,
            .id = core_u64(&grids, row, 0),
            .context = core_u64(&grids, row, 8),
            .entry = core_u64(&grids, row, 24),
            .module = core_u64(&grids, row, 32),
        };
        for (unsigned k = 0; k < 3; k++) {
            g->grid[k] = core_u32(&grids, row, 72 + 4 * k);
            g->block[k] = core_u32(&grids, row, 84 + 4 * k);
        }
    }
    return 0;
}

/* The arguments of each grid are in a section of their own, which a light dump has too. */
static int name_grids(struct core_reader *reader)
{
    struct grosr_core *core = &reader->core;
    const struct core_list *list = &reader->list[CORE_PARAMETERS];
    struct core_table grids;
    const unsigned char *row;
    int err = 0;

    for (uint32_t i = 0; !err && i < list->count; i++) {
        struct grosr_elf_section s;
        err = grosr_elf_section(&reader->elf, list->section[i], &s);
        if (err || (err = core_parent(reader, &s, CORE_GRIDS, &grids, &row)))
            break;
        uint32_t g = core_find_grid(core, grids.section.info, core_u64(&grids, row, 0));
        if (g != GROSR_CORE_NONE && !core->grid[g].kernel)
            err = core_name_grid(reader, &core->grid[g], s.data, s.size);
    }
    for (uint32_t g = 0; !err && g < core->grids; g++)
        if (!core->grid[g].kernel)
            err = core_name_grid(reader, &core->grid[g], NULL, 0);
    return err;
}

/* Appends the grids that blocks name and no table has, each as often as it is named, behind the `core->grids`
 * that tables have. What is known of them is their number. */
static int append_unlisted(struct core_reader *reader, uint32_t section, uint32_t *more)
{
    struct grosr_core *core = &reader->core;
    struct core_table blocks, sms;
    const unsigned char *row;
    int err = core_table(reader, section, CORE_BLOCKS, &blocks);

    if (err || (err = core_parent(reader, &blocks.section, CORE_SMS, &sms, &row)))
        return err;
    for (uint64_t i = 0; i < blocks.rows; i++) {
        struct grosr_core_grid grid = {.device = sms.section.info,
                                       .id = core_u64(&blocks, core_row(&blocks, i), 0)};
        uint64_t at = (uint64_t)core->grids + *more;
        if (core_find_grid(core, grid.device, grid.id) != GROSR_CORE_NONE ||
            (*more && !core_compare_grids(&core->grid[at - 1], &grid)))
            continue;
        /* Room doubles where it is a power of two. */
        if ((at & (at - 1)) == 0 || *more == 0) {
            uint64_t room = 1;
            while (room <= at)
                room *= 2;
            struct grosr_core_grid *grown =
                (struct grosr_core_grid *)realloc(core->grid, room * sizeof(grid));
            if (!grown)
                return grosr_fail(ENOMEM, "out of memory");
            core->grid = grown;
        }
        core->grid[at] = grid;
        ++*more;
    }
    return 0;
}

static int read_grids(struct core_reader *reader)
{
    struct grosr_core *core = &reader->core;
    const struct core_list *list = &reader->list[CORE_GRIDS], *blocks = &reader->list[CORE_BLOCKS];
    uint32_t more = 0, kept = 0;
    int err = 0;

    for (uint32_t i = 0; !err && i < list->count; i++)
        err = read_grid_table(reader, list->section[i]);
    if (!err && core->grids)
        qsort(core->grid, core->grids, sizeof(*core->grid), core_compare_grids);
    for (uint32_t i = 0; !err && i < blocks->count; i++)
        err = append_unlisted(reader, blocks->section[i], &more);
    core->grids += more;
    if (!err && more)
        qsort(core->grid, core->grids, sizeof(*core->grid), core_compare_grids);
    for (uint32_t i = 0; !err && i < core->grids; i++)
        if (!kept || core_compare_grids(&core->grid[kept - 1], &core->grid[i]))
            core->grid[kept++] = core->grid[i];
    core->grids = err ? core->grids : kept;
    return err ? err : name_grids(reader);
}

/* ---- opening ---- */

static int read_all(struct core_reader *reader, const void *bytes, uint64_t size)
{
    int err = grosr_elf_open(&reader->elf, bytes, size);

    if (err)
        return err;
    if (reader->elf.type != ET_CORE)
        return grosr_fail(EINVAL, "it is machine code of a GPU, and no core dump");
    if ((err = core_list_sections(reader)) || (err = read_meta(reader)) || (err = read_devices(reader)) ||
        (err = core_read_images(reader)) || (err = read_grids(reader)) || (err = core_read_warps(reader)))
        return err;
    return core_group(&reader->core) ? grosr_fail(ENOMEM, "out of memory") : 0;
}

int grosr_core_read(struct grosr_core **core, const void *bytes, uint64_t size)
{
    struct core_reader *reader = (struct core_reader *)calloc(1, sizeof(*reader));

    if (!reader)
        return grosr_fail(ENOMEM, "out of memory");
    int err = read_all(reader, bytes, size);
    if (err) {
        grosr_core_free(&reader->core);
        return err;
    }
    *core = &reader->core;
    return 0;
}

int grosr_core_open(struct grosr_core **core, const char *path)
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), err = 0;

    if (fd < 0 || fstat(fd, &st))
        err = grosr_fail(errno, "cannot read %s: %s", path, strerror(errno));
    else if (!S_ISREG(st.st_mode) || st.st_size == 0)
        err = grosr_fail(EINVAL, "%s is no core dump of a GPU", path);
    void *map = err ? MAP_FAILED : mmap(NULL, (size_t)st.st_size, PROT_READ, MAP_PRIVATE, fd, 0);
    if (!err && map == MAP_FAILED)
        err = grosr_fail(errno, "cannot read %s: %s", path, strerror(errno));
    if (fd >= 0)
        close(fd);
    if (err)
        return err;
    err = grosr_core_read(core, map, (uint64_t)st.st_size);
    if (err) {
        char why[512];
        snprintf(why, sizeof(why), "%s", grosr_error());
        munmap(map, (size_t)st.st_size);
        return grosr_fail(-err, "the core dump %s cannot be read: %s", path, why);
    }
    ((struct core_reader *)*core)->map = map;
    ((struct core_reader *)*core)->map_bytes = (uint64_t)st.st_size;
    return 0;
}

bool grosr_core_is(const char *path)
{
    unsigned char head[20];
    uint16_t type;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t got = fd < 0 ? -1 : pread(fd, head, sizeof(head), 0);

    if (fd >= 0)
        close(fd);
    return got == sizeof(head) && grosr_elf_is_gpu(head, sizeof(head), &type) && type == ET_CORE;
}

void grosr_core_free(struct grosr_core *core)
{
    struct core_reader *reader = (struct core_reader *)core;

    if (!core)
        return;
    for (uint32_t i = 0; i < core->places; i++) {
        free(core->place[i].function);
        free(core->place[i].file);
        free(core->place[i].inlined);
    }
    for (uint32_t i = 0; i < core->grids; i++) {
        free(core->grid[i].kernel);
        free(core->grid[i].arguments);
    }
    for (uint32_t i = 0; i < core->names; i++) {
        free(core->name[i].text);
        free(core->name[i].fact);
    }
    for (uint32_t i = 0; i < reader->images; i++)
        grosr_cubin_free(reader->image[i].cubin);
    for (uint32_t i = 0; i < CORE_TYPES; i++)
        free(reader->list[i].section);
    free(core->device);
    free(core->grid);
    free(core->place);
    free(core->warp);
    free(core->group);
    free(core->fault);
    free(core->name);
    free(core->match);
    free(reader->image);
    free(reader->key);
    free(reader->slot);
    if (reader->map)
        munmap(reader->map, reader->map_bytes);
    free(reader);
}
