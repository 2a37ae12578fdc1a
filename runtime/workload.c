/*
 * The list of workloads.
 */
#include "workload.h"

const struct grosr_workload grosr_workloads[] = {
    {"arith",
     "Experiment 0: add and multiply tasks fed by the CPU to the running kernel, every result checked",
     grosr_run_arith},
    {NULL, NULL, NULL},
};
