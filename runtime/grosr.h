/*
 * GROSR's host API: a persistent kernel that runs tasks.
 *
 *     grosr *rt;
 *     struct grosr_options options = GROSR_OPTIONS_DEFAULT;
 *     struct grosr_task tasks[2] = {{GROSR_FN_ADD, 2, 3}, {GROSR_FN_MUL, 6, 7}};
 *     struct grosr_result results[2];
 *     uint64_t first;
 *
 *     if (grosr_open(&rt, &options) ||
 *         grosr_submit(rt, tasks, 2, results, &first) ||
 *         grosr_wait(rt, first + 2, GROSR_FOREVER))
 *         errx(1, "%s", grosr_error());
 *     grosr_close(rt);
 *
 * Tasks are numbered in the order of submission, from 0. Completion is told in that order too: grosr_wait(rt,
 * n) returns when tasks 0 .. n-1 are done and their results are in place.
 *
 * All functions return 0 or a negative errno, with a line of text in grosr_error(). Several threads may call
 * grosr_submit, grosr_wait, grosr_drain and grosr_stop at once; grosr_finish and grosr_close are called by
 * one, after the others have returned.
 */
#ifndef GROSR_H
#define GROSR_H

#include "../tracer/error.h"
#include "../tracer/session.h"

#include <stddef.h>
#include <stdint.h>

typedef struct grosr grosr;

/* The built-in task functions, by id (tasks.def). */
enum grosr_function {
#define GROSR_TASK_FUNCTION(id, NAME, name, effects, text) GROSR_FN_##NAME = id,
#include "tasks.def"
#undef GROSR_TASK_FUNCTION
};

/* What a task is: a function and 96 bits of arguments, larger ones by reference. */
struct grosr_task {
    uint16_t function;
    uint32_t a;
    uint64_t b;
};

struct grosr_result {
    uint64_t value;
    int32_t status; /* 0; -ENOSYS: no such function; -ECANCELED: not run; or what the function returned */
};

#define GROSR_FOREVER UINT64_MAX

struct grosr_options {
    const char *device;      /* "auto" (a GPU if there is one), "cuda", "host" */
    const char *program;     /* name in the trace, at most 63 bytes */
    uint32_t workers;        /* persistent warps; 0: the device's default */
    uint32_t sms;            /* SMs to run on; 0: all */
    uint32_t queue_capacity; /* tasks in flight, 2 .. 2^24; a power of two */
    enum grosr_level level;
    enum grosr_overflow overflow;
    uint32_t ring_events; /* events in a warp's ring, GROSR_RING_MIN .. GROSR_RING_MAX; 0: as 64 MiB for all
                             rings together, or half of what /dev/shm has free, allow */

    /* Wait until this process has attached its collector before starting; 0: none. Under `grosr record`,
       which sets GROSR_COLLECTOR, a runtime waits a moment by itself. */
    uint32_t collector_pid;
};

#define GROSR_OPTIONS_DEFAULT                                                 \
    {                                                                         \
        "auto", "", 0, 0, 65536, GROSR_LEVEL_SPANS, GROSR_OVERFLOW_AUTO, 0, 0 \
    }

/*
 * Opens the device, creates the session and starts the persistent kernel. -ENODEV: no such device; -EINVAL:
 * an option out of range; -ECHILD: the collector ended before it attached; -ENOMEM, -ENOSPC, -EIO.
 */
int grosr_open(grosr **runtime, const struct grosr_options *options);

/*
 * Submits `count` tasks as one batch; *first (may be NULL) is the number of the first. The tasks are copied;
 * results (may be NULL) belong to the runtime until a wait has covered them. Blocks while the queue is full.
 * -ECANCELED: the runtime is stopping; -EIO: the device failed. Tasks not submitted for such a reason count
 * as completed, with the status -ECANCELED.
 */
int grosr_submit(grosr *runtime, const struct grosr_task *tasks, size_t count, struct grosr_result *results,
                 uint64_t *first);

/* Waits until all tasks below `task` are done. -ETIMEDOUT; -EIO: the device failed. */
int grosr_wait(grosr *runtime, uint64_t task, uint64_t timeout_ns);

/* Waits for everything submitted so far. */
int grosr_drain(grosr *runtime, uint64_t timeout_ns);

/*
 * Asks the kernel to stop: tasks that have started end, the others are cancelled. Returns at once;
 * async-signal-safe.
 */
void grosr_stop(grosr *runtime);

/*
 * Ends the kernel: waits for all submitted tasks (after grosr_stop(): for those that have started), stops the
 * workers and marks the session closed. The session stays, for its counts. -EIO: the device failed or did not
 * stop.
 */
int grosr_finish(grosr *runtime);

/* grosr_finish() unless done, then frees everything and removes the session. NULL is allowed. */
int grosr_close(grosr *runtime);

/* The runtime's session; valid until grosr_close(). */
const struct grosr_session *grosr_runtime_session(const grosr *runtime);

/* A device as `grosr info` lists it. */
struct grosr_device_info {
    char device[16]; /* "cuda" or "host" */
    char name[64];
    uint32_t ordinal;
    uint32_t sms, max_warps_per_sm, lanes;
    uint32_t default_workers, max_workers;
    uint64_t memory_bytes;
    char detail[64]; /* compute capability and driver, or "" */
};

/* Fills up to `max` entries; returns how many devices there are. Never fails: the host device is always
 * there. */
uint32_t grosr_devices(struct grosr_device_info *devices, uint32_t max);

/* Why there is no CUDA device, in words; NULL when there is one. */
const char *grosr_cuda_absent(void);

#endif
