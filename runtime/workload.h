/*
 * Workloads: what `grosr run` runs. Each checks its own results.
 */
#ifndef GROSR_WORKLOAD_H
#define GROSR_WORKLOAD_H

#include "grosr.h"

#include <signal.h>

struct grosr_workload_options {
    uint64_t tasks;
    double seconds;                    /* repeat for so long; 0: once */
    const volatile sig_atomic_t *stop; /* nonzero: give up */
};

struct grosr_workload_result {
    uint64_t tasks;        /* submitted */
    uint64_t completed;    /* with status 0 */
    uint64_t errors;       /* wrong values, and statuses other than 0 */
    uint64_t elapsed_ns;   /* from the first submission to the last result */
    char first_error[160]; /* in words, or "" */
};

struct grosr_workload {
    const char *name;
    const char *description; /* one line */

    /* 0 when it ran to its end, right or wrong; -ECANCELED: stopped; or the runtime's error. */
    int (*run)(grosr *runtime, const struct grosr_workload_options *options,
               struct grosr_workload_result *result);
};

/* Ends with a NULL name. */
extern const struct grosr_workload grosr_workloads[];

int grosr_run_arith(grosr *runtime, const struct grosr_workload_options *options,
                    struct grosr_workload_result *result);

#endif
