/*
 * The kernel of the built-in task functions and of those that use the heap: a fatbin inside the library
 * (built_in_services.c).
 */
#include "functions_heap.h"

#define GROSR_TASKS(TASK)  GROSR_BUILT_IN_TASKS(TASK) GROSR_BUILT_IN_HEAP_TASKS(TASK)
#define GROSR_KERNEL       extern "C" __global__
#define GROSR_KERNEL_WARPS 8
#include "../kernel/program.h"
