/*
 * Experiments: what the runtime does beside the alternatives, measured in one run on one device.
 *
 * Every series gives samples of the same kind: the time from the first step of `tasks` tasks to the last
 * result in the host's hands. Results are checked outside the timed part. A baseline too slow for the asked
 * number of tasks runs fewer of them and says how many; compare by time per task.
 */
#ifndef GROSR_BENCH_H
#define GROSR_BENCH_H

#include "grosr.h"

#include <signal.h>

#define GROSR_BENCH_ROWS 16u

struct grosr_bench_options {
    const char *device;                /* "auto", "cuda", "host" */
    uint64_t tasks;                    /* `dispatch`: tasks; `pingpong`: round trips */
    uint32_t repetitions;              /* `dispatch`: samples of each series */
    uint32_t workers;                  /* 0: the device's default */
    const volatile sig_atomic_t *stop; /* nonzero: give up */
};

struct grosr_bench_row {
    char series[64];
    bool baseline;  /* not GROSR */
    uint64_t tasks; /* in one sample */
    uint32_t samples;
    double median_ns, lowest_ns, highest_ns, p99_ns; /* of a sample */
};

struct grosr_bench_report {
    struct grosr_device_info device;
    struct grosr_bench_row row[GROSR_BENCH_ROWS];
    uint32_t rows;
    uint64_t errors; /* wrong results, all series */
};

struct grosr_bench {
    const char *name;
    const char *description; /* one line */
    uint64_t default_tasks;

    /* 0; -ECANCELED: stopped; or what went wrong. */
    int (*run)(const struct grosr_bench_options *options, struct grosr_bench_report *report);
};

/* Ends with a NULL name. */
extern const struct grosr_bench grosr_benches[];

/* ---- for the files that measure ---- */

/* Adds a series; sorts the samples. */
void grosr_bench_add(struct grosr_bench_report *report, const char *series, bool baseline, uint64_t tasks,
                     double *samples, uint32_t count);

/* Room for `count` samples, or NULL with grosr_error() set. */
double *grosr_bench_samples(uint32_t count);

/* What task i computes in every baseline, and its result. */
static inline uint64_t grosr_bench_result(uint64_t i)
{
    return (i & 0xffffffffu) + 3 * i;
}

/* The baselines of both experiments on each kind of device. */
int grosr_bench_dispatch_cuda(const struct grosr_bench_options *options, struct grosr_bench_report *report);
int grosr_bench_pingpong_cuda(const struct grosr_bench_options *options, struct grosr_bench_report *report);
int grosr_bench_dispatch_host(const struct grosr_bench_options *options, struct grosr_bench_report *report);
int grosr_bench_pingpong_host(const struct grosr_bench_options *options, struct grosr_bench_report *report);

#endif
