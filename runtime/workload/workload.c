/*
 * The list of workloads.
 */
#include "workload.h"

#include "../builtin/built_in.h"
#include "../builtin/functions.h"
#include "../builtin/functions_stall.h"
#include "../builtin/functions_syscall.h"

/* A stall, described by its verdict and what it is. */
#define STALL(stall, verdict, text)                     \
    {.name = "stall:" #stall,                           \
     .description = verdict ": " text,                  \
     .shared_bytes = sizeof(struct grosr_stall_shared), \
     .device_bytes = sizeof(struct grosr_stall),        \
     .syscalls = true,                                  \
     .program = grosr_built_in_stalls,                  \
     .prepare = grosr_prepare_stall,                    \
     .run = grosr_run_stall},

#define CALL_STALL(stall, verdict, text) \
    {.name = "stall:" #stall, .description = verdict ": " text, .calls = true},

const struct grosr_workload grosr_workloads[] = {
    {.name = "arith",
     .description =
         "Experiment 0: add and multiply tasks fed by the CPU to the running kernel, every result checked",
     .run = grosr_run_arith},
    {.name = "spawn",
     .description = "tasks that spawn trees of tasks, every tree's result checked",
     .run = grosr_run_spawn},
    {.name = "pipeline",
     .description = "dependent tasks: wavefronts over stages and items, every step's result checked",
     .shared_bytes = GROSR_PIPELINES_UNDER_WAY * GROSR_GRID_BYTES,
     .run = grosr_run_pipeline},
    {.name = "churn",
     .description = "tasks that allocate and free device memory of changing sizes, every block checked",
     .device_bytes = (GROSR_CHURN_PLACES + 1) * sizeof(uint64_t),
     .program = grosr_built_in_services,
     .run = grosr_run_churn},
    {.name = "read",
     .description = "Experiment 1: tasks read a file through system calls, every chunk's checksum checked",
     .shared_bytes = 128 + sizeof(struct grosr_call_record),
     .worker_bytes = GROSR_READ_CHUNK,
     .syscalls = true,
     .run = grosr_run_read},
    GROSR_STALLS(STALL) GROSR_CALL_STALLS(CALL_STALL){.name = NULL},
};
