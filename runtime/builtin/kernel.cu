/*
 * The kernel of the built-in task functions: the fatbin inside the library (built_in.c).
 */
#include "functions.h"

#define GROSR_TASKS  GROSR_BUILT_IN_TASKS
#define GROSR_KERNEL extern "C" __global__
#include "../kernel/program.h"
