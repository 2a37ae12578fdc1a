/*
 * A GPU's core dump is not trusted, nor are the modules in it: whatever they are, a dump is read or refused
 * with words, and what was read is sound.
 */
#include "fuzz.h"

#include "../../tracer/base/error.h"
#include "../../tracer/diagnose/coredump.h"

#include <stdlib.h>
#include <string.h>

static void require(bool condition)
{
    if (!condition)
        abort();
}

static void check(const struct grosr_core *core)
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
    free(bytes);
    return 0;
}
