/*
 * The library's own program: the built-in task functions (tasks.h).
 */
#ifndef GROSR_BUILT_IN_H
#define GROSR_BUILT_IN_H

#include "../grosr.h"

/* The program that a runtime runs when grosr_open() is given none. */
const struct grosr_program *grosr_built_in(void);

/* The same, with the functions that use the heap (GROSR_BUILT_IN_HEAP_TASKS). */
const struct grosr_program *grosr_built_in_services(void);

/* The same for runtimes with system calls: with the functions that make them (GROSR_BUILT_IN_CALL_TASKS). */
const struct grosr_program *grosr_built_in_calls(void);

/* Those of the workloads stall:NAME alone (GROSR_BUILT_IN_STALL_TASKS). */
const struct grosr_program *grosr_built_in_stalls(void);

#endif
