/*
 * The task functions of the workloads stall:NAME, as a program of their own: nobody else's kernel has them.
 */
#include "built_in.h"

#include "functions_cured.h"

extern const unsigned char grosr_kernel_stalls_fatbin[]; /* fatbin.S, device_cuda_none.c */

#define GROSR_TASKS          GROSR_BUILT_IN_STALL_TASKS
#define GROSR_PROGRAM_FATBIN grosr_kernel_stalls_fatbin
#include "../kernel/program.h"

const struct grosr_program *grosr_built_in_stalls(void)
{
    return &grosr_program;
}
