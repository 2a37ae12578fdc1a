/*
 * The list of workloads.
 */
#include "workload.h"

#include "../builtin/functions.h"

const struct grosr_workload grosr_workloads[] = {
    {"arith",
     "Experiment 0: add and multiply tasks fed by the CPU to the running kernel, every result checked", 0,
     grosr_run_arith},
    {"spawn", "tasks that spawn trees of tasks, every tree's result checked", 0, grosr_run_spawn},
    {"pipeline", "dependent tasks: wavefronts over stages and items, every step's result checked",
     GROSR_PIPELINES_UNDER_WAY *GROSR_GRID_BYTES, grosr_run_pipeline},
    {NULL, NULL, 0, NULL},
};
