/*
 * Cases of the experiment `alloc` in which each thread has one block: all at once, of one size or of many,
 * and one thread alone.
 */
#include "bench_alloc_cases.h"

#include "../../tracer/clock/clock.h"

#include <stdio.h>

#define SWEPT_SIZE  64u
#define ALONE_CALLS 64u
#define INIT_BYTES  (UINT64_C(8) << 30)

/* ---- one block each ---- */

/* Blocks for all threads, checked, and freed again. `places`: by the host, too. */
static int take_and_free(struct grosr_bench_alloc_cases *c, bool places, double *taken, double *freed)
{
    double ns;
    int err = grosr_bench_alloc_step(c, GROSR_BENCH_ALLOC_MALLOC, taken);

    if (!err)
        err = grosr_bench_alloc_step(c, GROSR_BENCH_ALLOC_CHECK, &ns);
    if (!err && places)
        err = grosr_bench_alloc_check_places(&c->rig, NULL, NULL);
    return err ? err : grosr_bench_alloc_step(c, GROSR_BENCH_ALLOC_FREE, freed);
}

/* Where a series is; with cold ones, its first mallocs are timed, too, on a heap that nobody has used. */
struct series {
    const char *what;
    enum grosr_bench_axis axis;
    double x;
    bool cold;
};

static void add_series(struct grosr_bench_alloc_cases *c, const struct series *s, const char *kind,
                       double *samples, uint32_t count)
{
    const struct grosr_bench_alloc *a = &c->rig.args;
    uint64_t calls = (a->threads + a->skipped) / (a->skipped + 1);
    char name[64];

    snprintf(name, sizeof(name), "%s%s", kind, s->what);
    if (count)
        grosr_bench_alloc_add(c, name, s->axis, s->x, GROSR_BENCH_THROUGHPUT, calls, samples, count);
}

/* A heap that can be new for the first round only has one cold sample, others have one a round. */
static int time_series(struct grosr_bench_alloc_cases *c, const struct series *s)
{
    double *cold = c->samples[0], *warm = c->samples[1], *freed = c->samples[2], taken = 0, ignored;
    uint32_t colds = 0, warms = 0;
    int err = 0;

    grosr_bench_alloc_begin(c, s->what, s->axis, s->x);
    for (uint32_t i = 0; !err && i < c->rounds; i++) {
        bool fresh = false, sampled = i >= GROSR_BENCH_ALLOC_WARM_UP;
        grosr_bench_round(c->report, i, GROSR_BENCH_ALLOC_WARM_UP);
        if (s->cold && (!c->plain || i == 0))
            err = grosr_bench_alloc_renew(&c->rig, &fresh);
        if (!err && fresh)
            err = take_and_free(c, false, &taken, &ignored);
        if (fresh && (sampled || c->plain))
            cold[colds++] = taken;
        if (!err)
            err = take_and_free(c, i == 0, &warm[warms], &freed[warms]);
        warms += sampled;
    }
    if (!err)
        err = grosr_bench_alloc_check_empty(&c->rig);
    if (err)
        return err;
    add_series(c, s, "malloc, cold", cold, colds);
    add_series(c, s, s->cold ? "malloc, warm" : "malloc", warm, warms);
    add_series(c, s, "free", freed, warms);
    return 0;
}

static int over_threads(struct grosr_bench_alloc_cases *c)
{
    struct series s = {" over threads, 64 B", GROSR_BENCH_THREADS, 1, false};
    uint32_t max = grosr_bench_alloc_threads(c, SWEPT_SIZE);
    bool all = max == c->options->tasks;
    int err = 0;

    /* Powers of 4, and all threads, unless they are too many for this allocator. */
    for (uint64_t n = 1; !err && n <= max; n = all && n < max && n * 4 > max ? max : n * 4) {
        s.x = (double)n;
        grosr_bench_alloc_set(c, (uint32_t)n, SWEPT_SIZE);
        err = time_series(c, &s);
    }
    return err;
}

/* One lane of each warp, for the others. */
static int warp_wide(struct grosr_bench_alloc_cases *c)
{
    const struct series s = {" by one lane of a warp, 512 B", GROSR_BENCH_NO_AXIS, 0, false};
    uint32_t lanes = c->report->device.lanes;

    grosr_bench_alloc_set(c, grosr_bench_alloc_threads(c, 512), 512);
    c->rig.args.skipped = lanes - 1;
    return lanes > 1 ? time_series(c, &s) : 0;
}

int grosr_bench_alloc_each(struct grosr_bench_alloc_cases *c)
{
    static const uint32_t sizes[] = {16, 64, 512, 1024, 4096, 8192};
    const struct series mixed = {", 4 B to 8 KiB", GROSR_BENCH_NO_AXIS, 0, true};
    int err = 0;

    for (uint32_t i = 0; !err && i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        const struct series s = {"", GROSR_BENCH_SIZE, sizes[i], true};
        grosr_bench_alloc_set(c, grosr_bench_alloc_threads(c, sizes[i]), sizes[i]);
        err = time_series(c, &s);
    }
    grosr_bench_alloc_set(c, grosr_bench_alloc_threads(c, GROSR_BENCH_SIZE_MAX / 2), 0);
    if (!err)
        err = time_series(c, &mixed);
    if (!err)
        err = over_threads(c);
    return err ? err : warp_wide(c);
}

/* ---- one thread alone ---- */

static int alone(struct grosr_bench_alloc_cases *c, uint32_t size)
{
    double *first = c->samples[0], *taken = c->samples[1], *freed = c->samples[2], ns;
    uint32_t firsts = 0, count = 0;
    int err = 0;

    grosr_bench_alloc_begin(c, "one thread", GROSR_BENCH_SIZE, size);
    grosr_bench_alloc_set(c, 1, size);
    c->rig.args.steps = ALONE_CALLS;
    for (uint32_t i = 0; !err && i < c->rounds; i++) {
        bool fresh = false, sampled = i >= GROSR_BENCH_ALLOC_WARM_UP;
        uint64_t note[3] = {0, 0, 0};
        grosr_bench_round(c->report, i, GROSR_BENCH_ALLOC_WARM_UP);
        if (!c->plain || i == 0)
            err = grosr_bench_alloc_renew(&c->rig, &fresh);
        if (!err)
            err = grosr_bench_alloc_step(c, GROSR_BENCH_ALLOC_ALONE, &ns);
        if (!err)
            err = grosr_bench_alloc_read(&c->rig, note, c->rig.args.note, sizeof(note));
        if (fresh && (sampled || c->plain))
            first[firsts++] = (double)(note[0] ? note[0] : 1); /* less than the clock's step */
        taken[count] = (double)(note[1] ? note[1] : 1);
        freed[count] = (double)(note[2] ? note[2] : 1);
        count += sampled;
    }
    if (!err)
        err = grosr_bench_alloc_check_empty(&c->rig);
    if (err)
        return err;
    if (firsts)
        grosr_bench_alloc_add(c, "first malloc of a new heap, one thread", GROSR_BENCH_SIZE, size,
                              GROSR_BENCH_THROUGHPUT, 1, first, firsts);
    grosr_bench_alloc_add(c, "malloc, one thread", GROSR_BENCH_SIZE, size, GROSR_BENCH_THROUGHPUT,
                          ALONE_CALLS, taken, count);
    grosr_bench_alloc_add(c, "free, one thread", GROSR_BENCH_SIZE, size, GROSR_BENCH_THROUGHPUT, ALONE_CALLS,
                          freed, count);
    return 0;
}

int grosr_bench_alloc_alone(struct grosr_bench_alloc_cases *c)
{
    static const uint32_t sizes[] = {16, 64, 4096};
    int err = 0;

    for (uint32_t i = 0; !err && i < sizeof(sizes) / sizeof(sizes[0]); i++)
        err = alone(c, sizes[i]);
    return err;
}

/* ---- making a heap ---- */

/* By the host's clock: it is the host that does it. */
int grosr_bench_alloc_make(struct grosr_bench_alloc_cases *c)
{
    uint64_t bytes = c->arena_bytes < INIT_BYTES ? c->arena_bytes : INIT_BYTES;
    double *samples = c->samples[0];
    uint32_t count = 0;
    char what[48];
    int err = 0;

    if (c->plain)
        return 0; /* its heap is made with the context, or with the process */
    snprintf(what, sizeof(what), "heap of %llu MiB made", (unsigned long long)bytes >> 20);
    grosr_bench_alloc_begin(c, what, GROSR_BENCH_NO_AXIS, 0);
    for (uint32_t i = 0; !err && i < c->rounds; i++) {
        struct grosr_bench_heap heap;
        grosr_bench_round(c->report, i, GROSR_BENCH_ALLOC_WARM_UP);
        uint64_t start = grosr_host_clock_ns();
        err = grosr_bench_heap_make(&c->rig, bytes, &heap);
        samples[count] = (double)(grosr_host_clock_ns() - start);
        count += i >= GROSR_BENCH_ALLOC_WARM_UP;
        if (!err)
            err = grosr_bench_heap_free(&c->rig, &heap);
    }
    if (!err)
        grosr_bench_alloc_add(c, what, GROSR_BENCH_NO_AXIS, 0, GROSR_BENCH_THROUGHPUT, 1, samples, count);
    return err;
}
