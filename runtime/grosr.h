/*
 * GROSR's host API: a persistent kernel that runs tasks.
 *
 *     grosr *rt;
 *     struct grosr_options options = GROSR_OPTIONS_DEFAULT;
 *     struct grosr_task tasks[2] = {{.function = GROSR_FN_ADD, .a = 2, .b = 3},
 *                                   {.function = GROSR_FN_MUL, .a = 6, .b = 7}};
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
 * All functions return 0 or a negative errno, with a line of text in grosr_error(). All may be called by
 * several threads at once, grosr_finish and grosr_close too: no misuse of them is worse than an error.
 *
 * A call that is refused for its arguments (-EINVAL, -EOVERFLOW) or for its time (-ESHUTDOWN, -EALREADY,
 * -EDEADLK) changes nothing, the runtime stays usable, and an `api_error` event tells of it in the trace, as
 * long as that is recorded (level `spans`, up to grosr_finish).
 *
 * A handle stays valid after grosr_close(), so that a late call is told -ESHUTDOWN: some 1.5 KiB of memory
 * remain for each runtime that was opened, until the process ends.
 *
 * A process may hold several runtimes, each with a session of its own, on one device or on several: they
 * share nothing but the CUDA driver. Two on one GPU run side by side as long as their `sms` together are no
 * more than it has and no other kernel takes what is left. Beyond that the driver starts the second when
 * there is room for all of it, and grosr_open() gives it up after some seconds, with -EIO. The memory of a
 * runtime that is closed while another runs on its GPU is freed with the other's, since CUDA frees nothing
 * while a kernel runs.
 *
 * On a GPU, runtimes live in its primary context, as do programs that use CUDA's runtime API. No call changes
 * which context is current in the calling thread. While a kernel runs, calls that wait for the whole device
 * (cudaDeviceSynchronize, cudaFree, ...) wait for grosr_finish(), and a kernel that is loaded or launched for
 * the first time may (program.h).
 */
#ifndef GROSR_H
#define GROSR_H

#include "tasks.h"

#include "../tracer/base/error.h"
#include "../tracer/session/session.h"

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct grosr grosr;

/* The built-in task functions, by id. */
enum grosr_function {
#define GROSR_FUNCTION_ID(id, NAME, name, effects, text) GROSR_FN_##NAME = id,
    GROSR_BUILT_IN_TASKS(GROSR_FUNCTION_ID)
#undef GROSR_FUNCTION_ID
};

/*
 * What a task is: a function and 96 bits of arguments, larger ones by reference. 16 bytes, copied at
 * submission. Name the fields (`{.function = GROSR_FN_ADD, .a = 2, .b = 3}`), so that flags are 0.
 */
struct grosr_task {
    uint16_t function; /* 0 .. GROSR_FUNCTION_MAX */
    uint16_t flags;    /* GROSR_TASK_* */
    uint32_t a;
    uint64_t b;
};

#define GROSR_FUNCTION_MAX 0x7ffeu

/* Runs before all tasks without this flag that have not started, as long as no more than 256 such tasks wait;
 * beyond that it is a normal one. Numbers and the order of completion are as for others. */
#define GROSR_TASK_HIGH 1u

struct grosr_result {
    uint64_t value;
    int32_t status; /* 0; -ENOSYS: no such function; -ECANCELED: not run; or what the function returned */
};

#define GROSR_FOREVER UINT64_MAX

/* How spawned tasks get from worker to worker. */
enum grosr_sharing {
    GROSR_SHARING_ON_DEMAND, /* each keeps its own; it gives when another is hungry */
    GROSR_SHARING_ONE_QUEUE, /* all through one shared ring: what the above is measured against */
};

struct grosr_options {
    const char *device;      /* "auto", "cuda", "cuda:N" or "host": see grosr_find_device() */
    const char *name;        /* in the trace, at most 63 bytes */
    uint32_t workers;        /* persistent warps; 0: the device's default */
    uint32_t sms;            /* SMs to run on, at most; 0: all. See below */
    uint32_t queue_capacity; /* tasks in flight, 2 .. 2^24; a power of two */
    enum grosr_level level;
    enum grosr_overflow overflow;
    uint32_t ring_events; /* events in a warp's ring, GROSR_RING_MIN .. GROSR_RING_MAX; 0: as 64 MiB for all
                             rings together, or half of what /dev/shm has free, allow */

    /* Wait until this process has attached its collector before starting; 0: none. Under `grosr record`,
       which sets GROSR_COLLECTOR, a runtime waits a moment by itself. */
    uint32_t collector_pid;

    /* Memory that the host and the tasks share, for arguments by reference and for what tasks write: see
       grosr_shared(). Bytes; 0: none. */
    size_t shared_bytes;

    /* Memory of the device, for what tasks share among themselves: see grosr_device_memory(). Bytes; 0: none.
     */
    size_t device_bytes;

    /* Frames for tasks that wait for others, in all; 0: the default, 2,048 a worker; at most 2^23 - 1. A task
       that finds none left is told ENOBUFS when it spawns. */
    uint32_t frames;

    enum grosr_sharing sharing; /* GROSR_SHARING_ON_DEMAND, but for measurements */

    const struct grosr_program *program; /* the task functions; NULL: the built-in ones (tasks.h) */
};

#define GROSR_OPTIONS_DEFAULT                                                           \
    {                                                                                   \
        "auto", "", 0, 0, 65536, GROSR_LEVEL_SPANS, GROSR_OVERFLOW_AUTO, 0, 0, 0, 0, 0, \
            GROSR_SHARING_ON_DEMAND, NULL                                               \
    }

/*
 * `sms`: on a GPU the kernel has that many blocks (or one a worker, if those are fewer), each with an equal
 * share of the workers, and a block is on one SM: so the other SMs stay free for other kernels. The hardware
 * chooses which, and puts two blocks on one SM only when others are busy. A block of 11 workers takes all
 * registers of its SM; next to fewer, small kernels find room. The trace says which SM each worker is on.
 */

/*
 * Task functions in the form that a runtime runs them. program.h makes one from a list of functions.
 */
struct grosr_launch;
struct grosr_local;

struct grosr_program_function {
    uint32_t id;
    const char *name; /* in the trace, at most 47 bytes */
};

struct grosr_program {
    /* Of the headers that it was compiled with; they must be the library's. */
    uint32_t launch_bytes, local_bytes, host_lanes;

    uint32_t functions;
    const struct grosr_program_function *function;

    /* Runs one of the host device's warps. NULL: it was compiled by nvcc and has none. */
    void (*host_warp)(const struct grosr_launch *launch, struct grosr_local *locals, uint32_t warp);

    /* Gives the kernel of the CUDA device whose context is current, a CUfunction; or returns why there is
     * none. */
    const char *(*cuda_kernel)(void **function);

    /* Where that is NULL: a fatbin that holds the kernel under the name grosr_kernel. NULL: no CUDA device.
     */
    const void *cuda_fatbin;
};

/*
 * Opens the device, creates the session and starts the persistent kernel. -ENODEV: no such device, or the
 * program was not built for it; -EINVAL: an option out of range, or a program that was compiled with other
 * headers than the library; -ECHILD: the collector ended before it attached; -ENOMEM, -ENOSPC, -EIO.
 */
int grosr_open(grosr **runtime, const struct grosr_options *options);

/*
 * Submits `count` tasks as one batch; *first (may be NULL) is the number of the first. The tasks are copied;
 * results (may be NULL) belong to the runtime until a wait has covered them or grosr_finish() has returned.
 * Blocks while the queue is full. 0 tasks are a batch too: *first is the next task's number.
 *
 * Nothing is submitted on -EINVAL: a function above GROSR_FUNCTION_MAX, unknown flags, no tasks where count
 * is not 0; -EOVERFLOW: more tasks than the 2^40 numbers of a runtime have left; -ENOMEM; -ESHUTDOWN: after
 * grosr_finish() or grosr_close() has begun. -ECANCELED: the runtime is stopping; -EIO: the device failed: if
 * that happened while the call waited for room, the batch has its numbers, *first is set, and those of its
 * tasks that do not run get the status -ECANCELED in grosr_finish(). A function that is not registered is no
 * error here but the task's own, -ENOSYS.
 */
int grosr_submit(grosr *runtime, const struct grosr_task *tasks, size_t count, struct grosr_result *results,
                 uint64_t *first);

/*
 * Waits until all tasks below `task` are done and their results in place; of tasks that have not been
 * submitted, it does not wait. -ETIMEDOUT; -ECANCELED: the runtime is stopping; -EIO: the device failed;
 * -ESHUTDOWN: it was closed.
 */
int grosr_wait(grosr *runtime, uint64_t task, uint64_t timeout_ns);

/* Waits for everything submitted so far. */
int grosr_drain(grosr *runtime, uint64_t timeout_ns);

/*
 * Whether one task is done, whatever became of those before it; does not wait.
 *
 *     0   it is not
 *     1   it is, and *result is its result
 *     2   it is, and its result has been handed over to where its batch wanted it; *result is untouched
 *
 * A result is handed over, in order, while some thread waits in grosr_wait(), grosr_drain() or grosr_submit()
 * or gets completions called back. `result` may be NULL. -EINVAL: no such task has been submitted;
 * -ECANCELED, -EIO: it is not and may never be, as in grosr_wait(); -ESHUTDOWN.
 */
int grosr_test(grosr *runtime, uint64_t task, struct grosr_result *result);

/*
 * From now on a thread of the runtime calls done(arg, first, count) for tasks first .. first + count - 1 when
 * they are done and their results in place: in order, each once, any number of tasks at a time, from the
 * first task on that has not been handed over (grosr_test). Tasks that were cancelled are done too. The calls
 * end before grosr_finish() returns.
 *
 * Within `done` everything may be called but grosr_finish() and grosr_close() (-EDEADLK); once those have
 * begun, grosr_submit() there is told -ESHUTDOWN. -EALREADY: a runtime has one such function; -ESHUTDOWN: it
 * is finished; -EAGAIN: no thread could be made.
 */
int grosr_on_completion(grosr *runtime, void (*done)(void *arg, uint64_t first, uint64_t count), void *arg);

/*
 * Asks that tasks first .. first + count - 1 do not run. Those that no worker has fetched complete with the
 * status -ECANCELED; the others run. Numbers that have not been given to a task are left out, so that (0,
 * UINT64_MAX) is everything submitted so far. Tasks of a grosr_submit() that is waiting for room are covered.
 * *marked (may be NULL) is how many tasks were asked that had neither completed nor been asked before: as
 * many as that may end with -ECANCELED, fewer if some had just been fetched. Returns before the tasks
 * complete. -ENOMEM; -ESHUTDOWN.
 */
int grosr_cancel(grosr *runtime, uint64_t first, uint64_t count, uint64_t *marked);

/*
 * Asks the kernel to stop: tasks that have started end, the others are cancelled. Returns at once;
 * async-signal-safe.
 */
void grosr_stop(grosr *runtime);

/*
 * Ends the kernel: waits for all submitted tasks (after grosr_stop(): for those that have started), stops the
 * workers and marks the session closed. The session stays, for its counts. Nothing can be submitted from when
 * it begins. A second call waits for the first and returns 0. -EIO: the device failed or did not stop;
 * -ESHUTDOWN: closed; -EDEADLK: called in a completion's function.
 */
int grosr_finish(grosr *runtime);

/*
 * grosr_finish() unless done, then waits for the calls of other threads to return, frees everything and
 * removes the session. NULL is allowed. -EALREADY: another thread is doing so, or did; -EDEADLK as above;
 * otherwise what grosr_finish() said.
 */
int grosr_close(grosr *runtime);

/*
 * The memory asked for with shared_bytes: where the host sees it, and where tasks do (an address to hand on
 * in a task's b). Zero at first, 128-byte aligned, freed by grosr_close(). What the host wrote before it
 * submitted a task is visible to the task; what a task of effects WRITES (tasks.h) wrote is visible to the
 * host once it has the result. On a GPU it is host memory, across PCIe. -ENOENT: none was asked for.
 */
int grosr_shared(grosr *runtime, void **host, void **device);

/*
 * The memory asked for with device_bytes, where tasks see it. Zero at first, 256-byte aligned, freed by
 * grosr_close(). On a GPU it is the device's own memory, which the host does not see. -ENOENT: none was asked
 * for.
 */
int grosr_device_memory(grosr *runtime, void **device);

/*
 * Copies from and to that memory, from byte `at` of it on, beside the running tasks; returns when it is done.
 * What a task of effects WRITES wrote there is read once its result is there; what is written is visible to
 * tasks submitted afterwards. -EINVAL: not all of it lies inside; -ENOENT as above; -EIO. Any thread.
 */
int grosr_device_read(grosr *runtime, void *to, size_t at, size_t bytes);
int grosr_device_write(grosr *runtime, size_t at, const void *from, size_t bytes);

/* The runtime's session, valid until grosr_close(); NULL after it. */
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

/*
 * The device that a name stands for: "cuda" and "cuda:0" the first GPU, "cuda:N" the one after N others,
 * "host" the host device, "auto" the first GPU if there is one and the host device otherwise. (In
 * grosr_open(), "auto" is a device that the program was built for.) -ENODEV: there is no such device;
 * -EINVAL: it is no such name.
 */
int grosr_find_device(const char *name, struct grosr_device_info *device);

/* Why there is no CUDA device, in words; NULL when there is one. */
const char *grosr_cuda_absent(void);

#ifdef __cplusplus
}
#endif

#endif
