/* The GPU memory allocator of a live session (model.h). */
#include "model_parts.h"

#include <math.h>
#include <stdlib.h>

static double per_s(uint64_t before, uint64_t now, uint64_t interval_ns)
{
    return now > before ? (double)(now - before) * 1e9 / (double)interval_ns : 0;
}

/* Rates are between two copies of the counters; the same copy again says nothing new. */
static void rate(struct model_heap *m, const struct grosr_heap_counters *before)
{
    const struct grosr_heap_counters *c = &m->count;

    if (c->time_ns <= before->time_ns)
        return;
    m->mallocs_per_s = per_s(grosr_heap_mallocs(before), grosr_heap_mallocs(c), c->time_ns - before->time_ns);
    m->frees_per_s = per_s(grosr_heap_frees(before), grosr_heap_frees(c), c->time_ns - before->time_ns);
}

static uint64_t held(const struct grosr_heap_class *k)
{
    return k->slabs * k->slots * k->slot_bytes;
}

/* By insertion: the order hardly changes from sample to sample. */
static void sort_classes(struct model_heap *m)
{
    for (uint32_t i = 0; i < GROSR_HEAP_CLASSES_MAX; i++)
        m->order[i] = (uint8_t)i;
    for (uint32_t i = 1; i < m->count.classes; i++) {
        uint8_t moved = m->order[i];
        uint32_t at = i;
        for (; at > 0 && held(&m->count.class_[m->order[at - 1]]) < held(&m->count.class_[moved]); at--)
            m->order[at] = m->order[at - 1];
        m->order[at] = moved;
    }
}

/* Errors have the device's time. */
static void age_errors(struct model_source *s, uint64_t now)
{
    struct model_heap *m = &s->model.heap;
    uint64_t host_ns, bound_ns;

    for (uint32_t i = 0; i < GROSR_HEAP_ERRORS_MAX; i++) {
        m->error_age_ns[i] = NAN;
        if (i < m->count.errors &&
            grosr_clock_place(&s->clock, m->count.error[i].time_ns, &host_ns, &bound_ns))
            m->error_age_ns[i] = now > host_ns ? (double)(now - host_ns) : 0;
    }
}

void model_sample_heap(struct model_source *s, uint64_t now)
{
    struct model_heap *m = &s->model.heap;
    struct grosr_heap_counters before = m->count;
    bool was_known = m->known;

    m->known = grosr_heap_read(s->session, 0, &m->count);
    if (!was_known || !m->known)
        m->mallocs_per_s = m->frees_per_s = NAN;
    if (!m->known) {
        m->count = (struct grosr_heap_counters){0};
        m->age_ns = 0;
        return;
    }
    m->age_ns = now > m->count.time_ns ? now - m->count.time_ns : 0;
    if (was_known)
        rate(m, &before);
    sort_classes(m);
    age_errors(s, now);
}

const char *model_heap_error(uint64_t kind)
{
    switch (kind) {
    case GROSR_HEAP_NO_MEMORY:
        return "no memory";
    case GROSR_HEAP_FREE_FOREIGN:
        return "free of a foreign pointer";
    case GROSR_HEAP_FREE_INNER:
        return "free inside a block";
    case GROSR_HEAP_FREE_TWICE:
        return "free of what is not allocated";
    default:
        return "unknown error";
    }
}
