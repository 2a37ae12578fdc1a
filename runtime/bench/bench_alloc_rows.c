/*
 * What the cases of the experiment `alloc` share: their rows, and how much they may ask for.
 */
#include "bench_alloc_cases.h"

#include <errno.h>
#include <stdio.h>

/* Of the baseline: more would take minutes. */
#define BOUNDED_THREADS_MAX (1u << 17)

static void name_of(const struct grosr_bench_alloc_cases *c, const char *what, char *to, size_t size)
{
    snprintf(to, size, "%s: %s", c->allocator, what);
}

/* A number for what is measured, the same with each allocator (FNV-1a). */
static uint32_t pair_of(const char *what)
{
    uint32_t h = 2166136261u;

    for (; *what; what++)
        h = (h ^ (unsigned char)*what) * 16777619u;
    return h | 1;
}

void grosr_bench_alloc_begin(struct grosr_bench_alloc_cases *c, const char *what, enum grosr_bench_axis axis,
                             double x)
{
    char name[80];

    name_of(c, what, name, sizeof(name));
    grosr_bench_begin_at(c->report, name, c->plain, axis, x);
}

void grosr_bench_alloc_add(struct grosr_bench_alloc_cases *c, const char *what, enum grosr_bench_axis axis,
                           double x, enum grosr_bench_unit unit, uint64_t calls, double *samples,
                           uint32_t count)
{
    struct grosr_bench_report *report = c->report;
    enum grosr_bench_unit before = report->unit;
    char name[80];

    name_of(c, what, name, sizeof(name));
    report->unit = unit;
    report->pair = pair_of(what);
    grosr_bench_add_at(report, name, c->plain, axis, x, calls, samples, count);
    report->unit = before;
    report->pair = 0;
}

/* Of a heap that is bounded by a limit of the device, a quarter is used: what its blocks cost is not known.
 */
uint32_t grosr_bench_alloc_threads(const struct grosr_bench_alloc_cases *c, uint64_t bytes)
{
    bool bounded = c->plain && c->rig.bytes;
    uint64_t room = bounded ? c->rig.bytes / 4 : c->arena_bytes / 4 * 3, n = c->options->tasks;

    if (bounded && n > BOUNDED_THREADS_MAX)
        n = BOUNDED_THREADS_MAX;
    if (n > room / bytes)
        n = room / bytes;
    return n ? (uint32_t)n : 1;
}

int grosr_bench_alloc_step(struct grosr_bench_alloc_cases *c, enum grosr_bench_alloc_kernel kernel,
                           double *ns)
{
    int err = grosr_bench_alloc_run(&c->rig, kernel, ns);
    return !err && *c->options->stop ? -ECANCELED : err;
}

void grosr_bench_alloc_set(struct grosr_bench_alloc_cases *c, uint32_t threads, uint32_t size)
{
    struct grosr_bench_alloc *a = &c->rig.args;

    a->threads = threads;
    a->size = size;
    a->skipped = 0;
    a->seed = 1;
    a->aged = 0;
    a->steps = 0;
}
