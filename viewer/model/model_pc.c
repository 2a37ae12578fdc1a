/* Where the warps of a program's kernels are, as `record --trace api,pc` samples them (model.h). */
#include "model_parts.h"

#include "../../tracer/session/outstanding.h"
#include "../../tracer/session/record.h"

#include <stdlib.h>
#include <string.h>

#define LATE_NS UINT64_C(2000000000) /* samples that are older are none of what runs */

static void copy_text(const struct grosr_session *s, uint32_t text, char *to, size_t size)
{
    char all[GROSR_TEXT_KEPT_MAX + 1];
    size_t n = grosr_outstanding_text(s, text, all);

    if (n >= size)
        for (n = size - 1; n && ((unsigned char)all[n] & 0xc0) == 0x80;) /* whole characters */
            n--;
    memcpy(to, all, n);
    to[n] = 0;
}

static double percent(uint64_t part, uint64_t whole)
{
    return !whole ? 0 : part < whole ? 100 * (double)part / (double)whole : 100;
}

static int by_samples(const void *a, const void *b)
{
    const struct model_pc *x = (const struct model_pc *)a, *y = (const struct model_pc *)b;

    return (x->samples < y->samples) - (x->samples > y->samples);
}

void model_sample_pc(struct model_source *source, uint64_t now)
{
    struct model *m = &source->model;
    uint64_t all = 0;

    m->pcs = 0;
    for (uint32_t i = 0; i < GROSR_PC_SLOTS; i++) {
        struct grosr_pc_function f;
        if (!grosr_pc_function_read(source->session, i, &f) || (f.end_ns < now && now - f.end_ns > LATE_NS))
            continue;
        struct model_pc *p = &m->pc[m->pcs++];
        *p = (struct model_pc){.context = f.context,
                               .samples = f.samples,
                               .low = f.low,
                               .high = f.high,
                               .first_line = f.first_line,
                               .last_line = f.last_line,
                               .loop = f.flags & GROSR_PC_LOOP,
                               .endless = f.flags & GROSR_PC_ENDLESS,
                               .loop_pct = percent(f.loop_samples, f.samples),
                               .memory_pct = percent(f.memory_samples, f.loop_samples),
                               .stall_pct = percent(f.stall_samples, f.loop_samples),
                               .since_ns = f.end_ns > f.since_ns ? f.end_ns - f.since_ns : 0};
        copy_text(source->session, f.name, p->function, sizeof(p->function));
        copy_text(source->session, f.file, p->file, sizeof(p->file));
        copy_text(source->session, f.stall, p->stall, sizeof(p->stall));
        all += f.samples;
    }
    qsort(m->pc, m->pcs, sizeof(m->pc[0]), by_samples);
    for (uint32_t i = 0; i < m->pcs; i++)
        m->pc[i].pct = percent(m->pc[i].samples, all);
}
