/*
 * The built-in task functions with those that use the heap, as a program of their own: what they add to the
 * kernel is not in that of the others.
 */
#include "built_in.h"

#include "functions_heap.h"

extern const unsigned char grosr_kernel_services_fatbin[]; /* fatbin.S, device_cuda_none.c */

#define GROSR_TASKS(TASK)    GROSR_BUILT_IN_TASKS(TASK) GROSR_BUILT_IN_HEAP_TASKS(TASK)
#define GROSR_PROGRAM_FATBIN grosr_kernel_services_fatbin
#include "../kernel/program.h"

const struct grosr_program *grosr_built_in_services(void)
{
    return &grosr_program;
}
