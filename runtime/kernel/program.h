/*
 * A program's own task functions, as a runtime runs them. Included once, by the source file that has the
 * list:
 *
 *     #include <grosr/grosr.h>
 *     #include <grosr/task.h>
 *
 *     #define MY_TASKS(TASK)                                        \
 *         TASK(0, COUNT, count, PURE, "counts something")           \
 *         TASK(1, SUM_UP, sum_up, WARP, "sums up, by a whole warp")
 *
 *     GROSR_TASK_IDS(MY_TASKS);               FN_COUNT, FN_SUM_UP
 *
 *     GROSR_TASK(count) { ... }
 *     GROSR_WARP_TASK(sum_up) { ... }
 *
 *     #define GROSR_TASKS MY_TASKS
 *     #include <grosr/program.h>
 *
 * after which `options.program = &grosr_program` opens a runtime with these functions. tasks.h has the list's
 * columns, task.h what functions may do. The library's own functions are made in the same way (built_in.c,
 * kernel.cu).
 *
 * Compiled by nvcc, the program has the kernel for CUDA devices and none for the host device. Compiled by a C
 * or C++ compiler, it has the host device's and none for CUDA, unless GROSR_PROGRAM_FATBIN names a fatbin
 * that nvcc made from such a file with GROSR_KERNEL defined as `extern "C" __global__`, linked or read in by
 * any means: then it has both.
 *
 * Other kernels of the program. One that is loaded, or launched for the first time, while a persistent kernel
 * runs may wait for it for ever: the driver may have to wait until the device is idle. grosr_open() has the
 * persistent kernel loaded before it launches it, and asks for eager loading (CUDA_MODULE_LOADING=EAGER),
 * which holds if it is the process's first use of CUDA. A program that uses CUDA before grosr_open() sets
 * that variable itself, or launches each of its kernels once before it opens a runtime. Kernels that need
 * more local memory than any before them must be launched once in any case.
 */
#ifndef GROSR_PROGRAM_H
#define GROSR_PROGRAM_H

#include "../grosr.h"
#include "scheduler.h"

#define GROSR_PROGRAM_FUNCTION(id, NAME, name, effects, text) {id, #name},
static const struct grosr_program_function grosr_program_functions[] = {GROSR_TASKS(GROSR_PROGRAM_FUNCTION)};
#undef GROSR_PROGRAM_FUNCTION

#define GROSR_PROGRAM_ID(id, NAME, name, effects, text)                                                  \
    static_assert((id) >= 0 && (id) <= GROSR_FUNCTION_MAX, "the ids of task functions are 0 .. 0x7ffe"); \
    static_assert(sizeof(#name) <= 48, "the name of a task function has at most 47 bytes");
GROSR_TASKS(GROSR_PROGRAM_ID)
#undef GROSR_PROGRAM_ID

#if GROSR_DEVICE_IS_CUDA
#include "program_cuda.h"
#else
#include "program_host.h"
#endif

static const struct grosr_program grosr_program __attribute__((unused)) = {
    sizeof(struct grosr_launch),
    sizeof(struct grosr_local),
    GROSR_LANES,
    sizeof(grosr_program_functions) / sizeof(grosr_program_functions[0]),
    grosr_program_functions,
    GROSR_PROGRAM_ENTRIES,
};

#endif
