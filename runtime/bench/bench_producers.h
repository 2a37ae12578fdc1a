/*
 * Tasks fed by the host: threads that submit a share of the tasks each, from one barrier to the next.
 */
#ifndef GROSR_BENCH_PRODUCERS_H
#define GROSR_BENCH_PRODUCERS_H

#include "bench.h"

#include <pthread.h>

#define GROSR_BENCH_PRODUCERS_MAX 8u

struct grosr_bench_producers {
    grosr *rt;
    unsigned threads;
    uint64_t tasks; /* in all */
    struct grosr_task *task;
    struct grosr_result *result;
    uint64_t spin_ns; /* 0: tiny tasks; else each task computes for so long */
    pthread_barrier_t start, end;
    bool go; /* after the start: another round, or the end. Written before it by the first thread. */
    int err[GROSR_BENCH_PRODUCERS_MAX];
    char failure[GROSR_BENCH_PRODUCERS_MAX][256];
};

/* Makes room for `tasks` tasks, the most that a measurement takes. */
int grosr_bench_producers_make(struct grosr_bench_producers *p, uint64_t tasks);

/* Takes options->repetitions samples of p->tasks tasks by p->threads threads, for the report's series. */
int grosr_bench_producers_time(const struct grosr_bench_options *options, struct grosr_bench_report *report,
                               struct grosr_bench_producers *p, double *samples);

/* Closes the runtime, NULL allowed, and frees the tasks. Returns `err`, or how the closing failed. */
int grosr_bench_producers_close(struct grosr_bench_producers *p, int err);

#endif
