/*
 * The cases of the experiment `alloc`, which are run with one allocator after the other. Rows of both that
 * have the same name but for the allocator are compared.
 */
#ifndef GROSR_BENCH_ALLOC_CASES_H
#define GROSR_BENCH_ALLOC_CASES_H

#include "bench_alloc_rig.h"

#define GROSR_BENCH_ALLOC_WARM_UP 1u

struct grosr_bench_alloc_cases {
    const struct grosr_bench_options *options;
    struct grosr_bench_report *report;
    struct grosr_bench_alloc_rig rig;
    const char *allocator;
    bool plain; /* the baseline */
    uint64_t arena_bytes;
    uint32_t rounds; /* GROSR_BENCH_ALLOC_WARM_UP and the samples of a series */
    double *samples[3];
};

/* A point of a series of the allocator's begins; or the series, with GROSR_BENCH_NO_AXIS. */
void grosr_bench_alloc_begin(struct grosr_bench_alloc_cases *c, const char *what, enum grosr_bench_axis axis,
                             double x);

/* And has these samples: of the time of so many calls in ns, or in another unit. */
void grosr_bench_alloc_add(struct grosr_bench_alloc_cases *c, const char *what, enum grosr_bench_axis axis,
                           double x, enum grosr_bench_unit unit, uint64_t calls, double *samples,
                           uint32_t count);

/* How many threads may have a block each that takes at most, or on average, so many bytes. */
uint32_t grosr_bench_alloc_threads(const struct grosr_bench_alloc_cases *c, uint64_t bytes);

/* Runs a kernel. -ECANCELED: the experiment has been stopped. */
int grosr_bench_alloc_step(struct grosr_bench_alloc_cases *c, enum grosr_bench_alloc_kernel kernel,
                           double *ns);

/* The arguments of the kernels that come: so many threads with blocks of one size. */
void grosr_bench_alloc_set(struct grosr_bench_alloc_cases *c, uint32_t threads, uint32_t size);

/* One allocation each, of one size or of mixed ones; over the number of threads; by one lane of a warp; by
 * one thread alone, on a heap that nobody has used and later. What making a heap takes. (bench_alloc_each.c)
 */
int grosr_bench_alloc_each(struct grosr_bench_alloc_cases *c);
int grosr_bench_alloc_alone(struct grosr_bench_alloc_cases *c);
int grosr_bench_alloc_make(struct grosr_bench_alloc_cases *c);

/* Until there is no memory; rounds in which blocks are freed and others allocated; a dynamic graph; records
 * for the next kernel. (bench_alloc_work.c) */
int grosr_bench_alloc_fill(struct grosr_bench_alloc_cases *c);
int grosr_bench_alloc_churn(struct grosr_bench_alloc_cases *c);
int grosr_bench_alloc_graph(struct grosr_bench_alloc_cases *c);
int grosr_bench_alloc_produce(struct grosr_bench_alloc_cases *c);

#endif
