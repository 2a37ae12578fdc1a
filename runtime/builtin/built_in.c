/*
 * The program of the built-in task functions: for the host device from here, for CUDA from the fatbin that is
 * made of kernel.cu.
 */
#include "built_in.h"

#include "functions.h"

extern const unsigned char grosr_kernel_fatbin[]; /* fatbin.S, device_cuda_none.c */

#define GROSR_TASKS          GROSR_BUILT_IN_TASKS
#define GROSR_PROGRAM_FATBIN grosr_kernel_fatbin
#include "../kernel/program.h"

const struct grosr_program *grosr_built_in(void)
{
    return &grosr_program;
}
