/* A row for each function in which warps were sampled: its share, the loop with most of its warps, and what
 * they wait for there (samples.h). */
#include "samples.h"

#include "../cli/text.h"

#include <math.h>
#include <stdio.h>
#include <string.h>

#define LABEL_COLUMNS 9

static void place_of(const struct model_pc *p, char *to, size_t size)
{
    const char *slash = strrchr(p->file, '/'), *file = slash ? slash + 1 : p->file;

    if (*file && p->first_line && p->first_line != p->last_line)
        snprintf(to, size, "%s:%u-%u", file, p->first_line, p->last_line);
    else if (*file && p->first_line)
        snprintf(to, size, "%s:%u", file, p->first_line);
    else
        snprintf(to, size, "+0x%llx to +0x%llx", (unsigned long long)p->low, (unsigned long long)p->high);
}

static void draw_function(struct frame *f, int row, const struct model_pc *p)
{
    struct cells_line l = {f, row, 1 + LABEL_COLUMNS, f->width, false};
    char place[300], age[16];

    place_of(p, place, sizeof(place));
    cells_add(&l, FRAME_STRONG, "%d%% %s", (int)lround(p->pct), *p->function ? p->function : "?");
    cells_add(&l, p->endless ? FRAME_BAD : FRAME_PLAIN, "%s%s",
              p->endless ? "endless loop "
              : p->loop  ? "loop "
                         : "",
              place);
    cells_add(&l, FRAME_PLAIN, "%s %d%%", *p->stall ? p->stall : "?", (int)lround(p->stall_pct));
    cells_add(&l, FRAME_PLAIN, "memory %d%%", (int)lround(p->memory_pct));
    cells_add(&l, FRAME_DIM, "for %s", text_duration(age, sizeof(age), (double)p->since_ns));
}

int samples_draw(struct frame *f, int row, int rows, const struct model *m)
{
    uint32_t n = 0;

    for (; n < m->pcs && (int)n < rows; n++, row++) {
        if (!n)
            cells_text(f, row, 1, FRAME_LABEL, "warps");
        draw_function(f, row, &m->pc[n]);
    }
    return row;
}
