/*
 * The kernel of the task functions of the workloads stall:NAME: a fatbin inside the library
 * (built_in_stalls.c).
 */
#include "functions_cured.h"

#define GROSR_TASKS        GROSR_BUILT_IN_STALL_TASKS
#define GROSR_KERNEL       extern "C" __global__
#define GROSR_KERNEL_WARPS 8
#include "../kernel/program.h"
