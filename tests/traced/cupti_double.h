/*
 * A double of the NVIDIA driver and of CUPTI, for tests on machines without a GPU: what a program that is
 * traced calls. One library stands for both. Its soname is libcuda.so.1, so whoever asks the loader for the
 * driver gets it, and GROSR_CUPTI names it as CUPTI.
 *
 * Its device is an account of what streams were given: kernels, each of which takes as long as the program
 * says or runs until double_stop(), copies, host functions. What was measured of CUPTI 13.0 is kept:
 *
 * - While a kernel runs whose record is collected, no kernel's record is delivered. Whether it is collected
 * is decided while the launch is in the driver.
 * - A forced flush delivers what has not ended with start = end = 0. The double says on stderr that it
 * happened.
 * - While a stream is captured in the global mode, a call that CUDA holds to be unsafe then breaks the
 * capture and fails, whichever thread makes it, unless that thread's own capture mode is relaxed. A question
 * about the stream that captures breaks the capture in any mode.
 * - The subscriber is called back around calls of the driver whoever makes them, the subscriber itself too.
 * - There is one subscriber; whoever registers buffers last has the records.
 *
 * A runtime call and the driver's call in it have one correlation id. Of the first call that a thread makes,
 * CUPTI does not know the context when the call begins.
 *
 * CUPTI_DOUBLE has words, with blanks between, for what goes wrong: `version` (it is CUPTI 12), `subscriber`
 * (another tool has it), `dropped` (7 records were dropped), `fatal` (it fails in a wait), `stuck` (while a
 * blocking copy or cudaFree waits, CUPTI's flush and the push of a context wait too), `newer` (its APIs have
 * calls that its headers do not know: cuLaunchOfTomorrow_v2 and cudaGetOfTomorrow_v14000), `untimed` (it has
 * no times of graphs).
 *
 * PC sampling (double_pc.c): kernels of the names POLLS and HOISTED have code, each a loop of instructions 8
 * to 10 or of instruction 8 alone, and lines (image_lines() in ../coredump_writer.h: line 12); others are
 * sampled without. While it is switched on or off it waits for all that runs, it does not go with the
 * activity of kernels, and while there is activity of copies or fills it counts samples and has no
 * instructions. Words for CUPTI_DOUBLE: `pc-refused` (it is for administrators), `pc-context` (it answers
 * only where a context is current), `pc-parts` (an instruction at a time), `pc-loses` (DOUBLE_DROPPED samples
 * are lost in each fetch that has some), `pc-full` (the first fetch finds the hardware's buffer full),
 * `pc-attributes` (it does not know of sizes and times), `pc-other` (all samples are of others), `pc-rest`
 * (five samples come when it is switched off), `pc-shared` (most warps wait at a barrier, on a GPU that
 * several processes share), `pc-works` (most wait at a barrier, and one in two thousand does something).
 */
#ifndef GROSR_TESTS_CUPTI_DOUBLE_H
#define GROSR_TESTS_CUPTI_DOUBLE_H

#include <stdint.h>

#define DOUBLE_DROPPED  7u /* by the word `dropped` */
#define DOUBLE_STREAMS  4u /* 0: the default stream */
#define DOUBLE_FOR_EVER 0u /* how long a kernel takes that runs until double_stop() */

/* cuInit(): loads what CUDA_INJECTION64_PATH names and calls its InitializeInjection(). Once a process. */
void double_init(void);

/* Calls of the runtime that launch a kernel of 2x3x4 blocks of 32 threads, copy, fill, wait, and ask. A
 * kernel in the default stream is behind all that the others have been given. */
void double_launch(uint32_t stream, const char *mangled_name, uint64_t takes_ns);
void double_memcpy(uint64_t bytes);
void double_memset(uint32_t value, uint64_t bytes);
void double_synchronize(void);
void double_get_device(void);
/* Until the stream, or (_free) the device, has come to its end. */
void double_stream_synchronize(uint32_t stream);
void double_free(void);
/* A copy in the default stream, behind all that the others have been given. */
void double_memcpy_async(uint64_t bytes);
/* A function in a stream, which goes on when it returns; one at a time in a stream. */
void double_host_function(uint32_t stream, void (*function)(void *));
/* A graph of kernels of that name, the last of which takes so long, is instantiated and launched. */
void double_graph_launch(uint32_t stream, const char *const *mangled_names, uint32_t kernels,
                         uint64_t takes_ns);
/* A launch, and a question, that the driver refuses and logs. */
void double_launch_refused(const char *mangled_name);
void double_get_attribute_refused(void);

/*
 * A kernel with that grid, block and shared memory. The GPU has DOUBLE_SMS SMs, each with the room of an
 * H100's, and kernels have 16 registers a thread. That a kernel has no room is not simulated: it takes as
 * long as is said.
 */
#define DOUBLE_SMS 4u

struct double_shape {
    uint32_t blocks[3], threads, shared_bytes;
};

void double_launch_shape(uint32_t stream, const char *mangled_name, const struct double_shape *shape,
                         uint64_t takes_ns);

/* How often a tool has asked how many blocks of a kernel fit. */
uint32_t double_rooms_asked(void);

/* A call of the driver by the program itself. */
void double_driver_alloc(void);

/* A stream that does not wait for the default stream, from here on. */
void double_non_blocking(uint32_t stream);
/* A kernel whose blocks may wait for each other; one whose code is loaded first, when nothing runs; one into
 * a queue that is full until its stream has come to its end. */
void double_launch_cooperative(uint32_t stream, const char *mangled_name, uint64_t takes_ns);
void double_launch_lazily(uint32_t stream, const char *mangled_name, uint64_t takes_ns);
void double_launch_full(uint32_t stream, const char *mangled_name, uint64_t takes_ns);
/* An allocation, which waits until nothing runs. */
void double_malloc(void);
/* Code is loaded and compiled, which takes the CPU so long. */
void double_load(uint64_t takes_ns);
/* A copy out of the device, in a stream. */
void double_copy_out_async(uint32_t stream, uint64_t bytes);
/* What comes next in a stream waits for all that another has been given. */
void double_stream_wait_stream(uint32_t stream, uint32_t other);

/* A stream waits until a word is at least a value, writes one, or (in a batch) does both; a wait that the
 * driver refuses; a wait for an external semaphore that is never signalled. Words are in memory of the host,
 * but for the double's own, which the driver says to be in the device's. */
void double_wait_value(uint32_t stream, uint32_t *word, uint32_t value);
void double_write_value(uint32_t stream, uint32_t *word, uint32_t value);
void double_wait_and_write(uint32_t stream, uint32_t *waited, uint32_t value, uint32_t *written,
                           uint32_t written_value);
void double_wait_value_refused(uint32_t stream, uint32_t *word);
void double_wait_semaphore(uint32_t stream);
uint32_t *double_device_word(uint32_t i);

#define DOUBLE_POLLS   "_Z5pollsPVi"
#define DOUBLE_HOISTED "_Z7hoistedPi"

/* Another context is created, which is not told from the first; the context is about to be destroyed. */
void double_create_context(void);
void double_destroy_context(void);

/* Prints CUPTI's names of the calls of which the subscriber is told, one a line. */
void double_print_enabled(void);

/* Captures a stream in the global mode, from the calling thread; what is launched into it does not run. The
 * end says whether the capture is whole. One capture at a time. */
void double_capture_begin(uint32_t stream);
int double_capture_end(void);

/* How often a tool has asked the driver about captures, or changed a thread's mode. */
uint32_t double_asked(void);

/* Ends the kernels that run for ever. For a signal handler too. */
void double_stop(void);

#endif
