/*
 * The built-in task functions with those that make system calls, as a program of their own: its kernel has
 * more registers for fewer workers (kernel_calls.cu).
 */
#include "built_in.h"

#include "functions.h"
#include "functions_syscall.h"

extern const unsigned char grosr_kernel_calls_fatbin[]; /* fatbin.S, device_cuda_none.c */

#define GROSR_TASKS(TASK)    GROSR_BUILT_IN_TASKS(TASK) GROSR_BUILT_IN_CALL_TASKS(TASK)
#define GROSR_PROGRAM_FATBIN grosr_kernel_calls_fatbin
#include "../kernel/program.h"

const struct grosr_program *grosr_built_in_calls(void)
{
    return &grosr_program;
}
