/*
 * The kernel of the built-in task functions and of those that make system calls: a fatbin inside the library
 * (built_in_calls.c).
 */
#include "functions.h"
#include "functions_syscall.h"

#define GROSR_TASKS(TASK)  GROSR_BUILT_IN_TASKS(TASK) GROSR_BUILT_IN_CALL_TASKS(TASK)
#define GROSR_KERNEL       extern "C" __global__
#define GROSR_KERNEL_WARPS 8
#include "../kernel/program.h"
