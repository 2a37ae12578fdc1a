/*
 * A GPU's core dump is not trusted, nor are the modules in it: whatever they are, a dump is read or refused
 * with words, and what was read is sound.
 */
#include "fuzz.h"

#include "../../tracer/base/error.h"
#include "../../tracer/coredump/coredump.h"
#include "../../tracer/nvidia/cubin.h"

#include <stdlib.h>
#include <string.h>

static void require(bool condition)
{
    if (!condition)
        abort();
}

/* What is in registers, of the dump's own names; groups' lines of it. */
static void check_registers(struct grosr_core *core)
{
    char *line[8];

    require(!grosr_core_match(core, NULL, NULL));
    for (uint32_t i = 0; i < core->matches; i++) {
        const struct grosr_core_match *m = &core->match[i];
        require(m->warp < core->warps && m->name < core->names && m->lanes);
        const struct grosr_core_name *n = &core->name[m->name];
        require(m->address - n->address < n->bytes && m->address >> 32);
        require(!(m->lanes & ~core->warp[m->warp].valid));
        require(!m->is_read || m->place < core->places);
    }
    for (uint32_t i = 0; i < core->groups; i++) {
        uint32_t lines = grosr_core_match_lines(core, core->group[i].first, core->group[i].warps, line, 8);
        require(lines <= 8);
        while (lines > 0) {
            require(strlen(line[--lines]) > 0);
            free(line[lines]);
        }
    }
}

static void check(struct grosr_core *core)
{
    char text[256];
    uint32_t grouped = 0;

    for (uint32_t i = 0; i < core->groups; i++) {
        require(core->group[i].first < core->warps && core->group[i].warps > 0);
        grouped += core->group[i].warps;
    }
    require(grouped == core->warps);
    for (uint32_t i = 0; i < core->warps; i++) {
        const struct grosr_core_warp *w = &core->warp[i];
        require(w->grid < core->grids && w->device < core->devices);
        require(w->place == GROSR_CORE_NONE || w->place < core->places);
        require(w->other == GROSR_CORE_NONE || w->other < core->places);
        grosr_core_place_text(core, w->place, w->wait, text, sizeof(text));
        require(strlen(text) < sizeof(text) && *grosr_core_exception_name(w->exception));
    }
    for (uint32_t i = 0; i < core->faults; i++)
        require(core->fault[i].place == GROSR_CORE_NONE || core->fault[i].place < core->places);
    check_registers(core);
}

/* An image of a module, as CUPTI shows it: its functions' loops and lines. */
static void check_image(const unsigned char *bytes, size_t size)
{
    struct grosr_cubin_loop loop[64];
    struct grosr_cubin_line line[8];
    struct grosr_cubin_load load[8];
    struct grosr_cubin_variable variable;
    struct grosr_cubin_function f;
    struct grosr_cubin *cubin;

    if (grosr_cubin_open(&cubin, bytes, size))
        return;
    for (uint64_t address = 0; address < 4096; address += 16) {
        if (!grosr_cubin_at(cubin, address, &f))
            continue;
        require(grosr_cubin_lines(cubin, &f, address, line, 8) <= 8);
        uint32_t n = address == f.address ? grosr_cubin_loops(cubin, &f, loop, 64) : 0;
        for (uint32_t i = 0; i < n; i++) {
            require(loop[i].low <= loop[i].high && loop[i].high < f.bytes);
            for (uint32_t k = grosr_cubin_loads(cubin, &f, loop, n, loop[i].low, load, 8); k > 0; k--)
                require(load[k - 1].offset < f.bytes && load[k - 1].base < 255);
        }
    }
    for (uint64_t at = 0; grosr_cubin_next_variable(cubin, &at, &variable);)
        require(*variable.name && variable.bytes && variable.address + variable.bytes > variable.address);
    grosr_cubin_free(cubin);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct grosr_core *core = NULL;
    unsigned char *bytes = (unsigned char *)malloc(size ? size : 1);

    require(bytes != NULL);
    memcpy(bytes, data, size);
    if (grosr_core_read(&core, bytes, size)) {
        require(*grosr_error());
    } else {
        check(core);
        grosr_core_free(core);
    }
    check_image(bytes, size);
    free(bytes);
    return 0;
}
