/*
 * A double of the NVIDIA driver and of CUPTI, for tests on machines without a GPU: what a program that is
 * traced calls. One library stands for both. Its soname is libcuda.so.1, so whoever asks the loader for the
 * driver gets it, and GROSR_CUPTI names it as CUPTI.
 *
 * Its device is an account of kernels by stream, each of which takes as long as the program says or runs
 * until double_stop(). What was measured of CUPTI 13.0 is kept:
 *
 * - While a kernel runs whose record is collected, no kernel's record is delivered. Whether it is collected
 * is decided while the launch is in the driver.
 * - A forced flush delivers what has not ended with start = end = 0. The double says on stderr that it
 * happened.
 * - While a stream is captured in the global mode, a call that CUDA holds to be unsafe then breaks the
 * capture and fails, whichever thread makes it, unless that thread's own capture mode is relaxed. A question
 * about the stream that captures breaks the capture in any mode.
 * - Calls of the driver are told of to the subscriber whoever makes them, the subscriber itself too.
 *
 * A runtime call and the driver's call in it have one correlation id.
 *
 * CUPTI_DOUBLE has words, with blanks between, for what goes wrong: `version` (it is CUPTI 12), `subscriber`
 * (another tool has it), `dropped` (7 records were dropped).
 */
#ifndef GROSR_TESTS_CUPTI_DOUBLE_H
#define GROSR_TESTS_CUPTI_DOUBLE_H

#include <stdint.h>

#define DOUBLE_DROPPED  7u /* by the word `dropped` */
#define DOUBLE_STREAMS  4u /* 0: the default stream */
#define DOUBLE_FOR_EVER 0u /* how long a kernel takes that runs until double_stop() */

/* cuInit(): loads what CUDA_INJECTION64_PATH names and calls its InitializeInjection(). Once a process. */
void double_init(void);

/* Calls of the runtime that launch a kernel of 2x3x4 blocks of 32 threads, copy, fill, wait, and ask. */
void double_launch(uint32_t stream, const char *mangled_name, uint64_t takes_ns);
void double_memcpy(uint64_t bytes);
void double_memset(uint32_t value, uint64_t bytes);
void double_synchronize(void);
void double_get_device(void);
/* A launch that the driver refuses. */
void double_launch_refused(const char *mangled_name);

/* A call of the driver by the program itself. */
void double_driver_alloc(void);

/* Captures a stream in the global mode, from the calling thread; what is launched into it does not run. The
 * end says whether the capture is whole. One capture at a time. */
void double_capture_begin(uint32_t stream);
int double_capture_end(void);

/* Ends the kernels that run for ever. For a signal handler too. */
void double_stop(void);

#endif
