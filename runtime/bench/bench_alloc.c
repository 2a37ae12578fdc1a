/*
 * Experiment `alloc`: GROSR's heap beside the device's own malloc, one after the other, in the same cases.
 */
#include "bench_alloc_cases.h"

#include <errno.h>
#include <stdlib.h>

#define ARENA_CUDA (UINT64_C(12) << 30) /* 2^20 blocks of 8 KiB, and half as much again */
#define ARENA_HOST (UINT64_C(64) << 20)
#define HEAP_CUDA  (UINT64_C(1) << 30) /* of CUDA's malloc */
#define TASKS_MIN  64u                 /* the arrays are for so many threads at least */

typedef int (*part)(struct grosr_bench_alloc_cases *c);

static const part parts[] = {
    grosr_bench_alloc_alone, grosr_bench_alloc_each,    grosr_bench_alloc_fill, grosr_bench_alloc_churn,
    grosr_bench_alloc_graph, grosr_bench_alloc_produce, grosr_bench_alloc_make,
};

static uint64_t lower(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static int run_cases(struct grosr_bench_alloc_cases *c)
{
    bool cuda = grosr_bench_on_cuda(c->report);
    uint64_t memory = c->report->device.memory_bytes, bytes;
    uint32_t threads = (uint32_t)(c->options->tasks > TASKS_MIN ? c->options->tasks : TASKS_MIN);
    int err;

    c->arena_bytes = cuda ? lower(ARENA_CUDA, memory / 3) : ARENA_HOST;
    c->allocator = !c->plain ? "GROSR" : cuda ? "CUDA malloc" : "C library";
    bytes = !c->plain ? c->arena_bytes : cuda ? lower(HEAP_CUDA, memory / 8) : 0;
    grosr_bench_begin(c->report, c->allocator, c->plain);
    err = grosr_bench_alloc_open(&c->rig, c->report, c->options->workers, c->plain, bytes, threads);
    for (uint32_t i = 0; !err && i < sizeof(parts) / sizeof(parts[0]); i++)
        err = parts[i](c);
    grosr_bench_alloc_close(&c->rig);
    return err;
}

int grosr_bench_alloc(const struct grosr_bench_options *o, struct grosr_bench_report *report)
{
    struct grosr_bench_alloc_cases c = {.options = o, .report = report};
    int err = 0;

    c.rounds = o->repetitions + GROSR_BENCH_ALLOC_WARM_UP;
    for (uint32_t i = 0; i < 3; i++)
        if (!(c.samples[i] = grosr_bench_samples(c.rounds)))
            err = -ENOMEM;
    for (int i = 0; !err && i < 2; i++) {
        c.plain = i == 0;
        err = run_cases(&c);
    }
    for (uint32_t i = 0; i < 3; i++)
        free(c.samples[i]);
    return err;
}
