/*
 * CUDA in a traced process, through CUPTI: what the files share.
 *
 *     cupti_library.c  CUPTI and the driver, loaded and called through tables of symbols
 *     kernel_names.c   names of kernels, and which of them are persistent
 *     cuda_kernels.c   launches of which no record has come, persistent kernels
 *     cuda_activity.c  CUPTI's activity records into ours
 *     cuda.c           the driver loads us; callbacks of API calls; the housekeeping thread; the end
 *
 * Each calls only those above it.
 *
 * CUPTI delivers no kernel's record while one runs whose record it collects, and a forced flush spoils the
 * records of all that run. So launches of persistent kernels are left out of the activity (it is off while
 * such a launch is made, with other launches held off), their rows are made here, and nothing is ever flushed
 * by force.
 */
#ifndef GROSR_INJECT_CUDA_H
#define GROSR_INJECT_CUDA_H

#include "cupti_library.h"
#include "inject.h"

/* ---- cuda_activity.c ---- */

/* Gives CUPTI its buffers and switches the kinds of activity on. */
CUptiResult activity_start(void);

/* The number of records that CUPTI has dropped for want of buffers. */
uint64_t activity_dropped(void);

/* ---- kernel_names.c ---- */

/* A kernel by its name: kept until the process ends. */
struct kernel_name {
    struct kernel_name *next;
    struct inject_string *mangled, *full, *brief;
    bool persistent;
};

/* Reads GROSR_PERSISTENT: which kernels are persistent, beside GROSR's own. Once, before the first name. */
void kernel_names_start(void);

/* Any thread. NULL: no memory. */
const struct kernel_name *kernel_name(const char *mangled);

/* ---- cuda_kernels.c ---- */

/* A launch, as its callback describes it. */
struct launch {
    const struct kernel_name *name;
    CUcontext context;
    CUstream stream;
    uint32_t context_id, correlation;
    uint32_t grid[3], block[3];
    uint32_t shared_bytes;
};

/* Around every launch of a kernel, on its thread, outside inject_enter() and inject_leave(). */
void launch_enter(const struct launch *launch);
void launch_exit(const struct launch *launch, bool succeeded);

/* A kernel's record has come, just now. */
void launch_recorded(uint32_t correlation);

/* Launches of which no record has come. */
uint32_t launches_missing(void);

/* A stream or a context (the other is NULL) is about to go. On its thread, outside inject_enter(). */
void kernels_forget(CUcontext context, CUstream stream);

/* Around a capture: before the call that begins it, and after the one that ends it, or could not begin it. */
void kernels_capture_begins(void);
void kernels_capture_ended(void);

/* The housekeeping thread: looks for persistent kernels that have ended, and for records that stay away. */
void kernels_tick(uint64_t now_ns);

/* At the end of the process, when the housekeeping thread has ended, or hangs: reports both for the last
 * time. */
void kernels_end(void);

#endif
