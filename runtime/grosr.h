/*
 * GROSR's host API: a persistent kernel on a device, and the tasks that it runs.
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
 * Tasks are numbered in the order of submission, from 0, and their results are delivered in that order:
 * grosr_wait(rt, n) returns when tasks 0 .. n-1 are done and their results are in place.
 *
 * Errors. Functions that return int return 0 or a negative errno, with a line of text for the user in
 * grosr_error(), which is the calling thread's; grosr_test() also returns 1 or 2.
 *
 * Threads. Every function may be called by several threads at once, grosr_finish() and grosr_close()
 * included. A call at the wrong time is refused with an error and does no other harm. All times are in
 * nanoseconds.
 *
 * A call that is refused for its arguments (-EINVAL, -EOVERFLOW) or for its time (-ESHUTDOWN, -EALREADY,
 * -EDEADLK) changes nothing, the runtime stays usable, and an `api_error` event records it in the trace, at
 * level `spans` and above, until grosr_finish(). Every function that returns int returns -EINVAL for a NULL
 * that is not allowed where it stands, a runtime's among them.
 *
 * Forks. A runtime is of the process that opened it. In a child that was forked since, every call that is
 * given it returns -EPERM at once (grosr_stop() does nothing, grosr_runtime_session() returns NULL), and
 * nothing in the child touches the parent's session or device, its end included. The child may open runtimes
 * of its own, on the host device: CUDA does not survive a fork, so that a parent that used it leaves none to
 * its children (-ENODEV; "auto" is the host device there). A child that is forked in a task function of the
 * host device, or in a completion function, must not return from it.
 *
 * A handle stays valid after grosr_close(), so that a late call returns -ESHUTDOWN. The handle's memory,
 * about 1.5 KiB for each runtime that was opened, is kept until the process ends.
 *
 * A process may hold several runtimes, each with a session of its own, on one device or on several: they
 * share nothing but the CUDA driver. Two on one GPU run side by side as long as their `sms` together are no
 * more than the GPU has and no other kernel occupies the rest. Otherwise the driver starts the second when
 * all of it fits, and grosr_open() fails with -EIO if that takes more than 10 seconds. CUDA frees no memory
 * while a kernel runs, so the memory of a runtime that is closed while another one runs on the same GPU is
 * freed when that one is closed.
 *
 * On a GPU, runtimes use its primary context, which is also that of CUDA's runtime API. No call changes which
 * context is current in the calling thread. While a persistent kernel runs, calls that wait for the whole
 * device (cudaDeviceSynchronize, cudaFree, ...) wait until grosr_finish(); a kernel that is loaded or
 * launched for the first time may wait as long (program.h).
 */
#ifndef GROSR_H
#define GROSR_H

#include "tasks.h"

#include "../tracer/base/error.h"
#include "../tracer/session/heap_counters.h"
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
    GROSR_BUILT_IN_TASKS(GROSR_FUNCTION_ID) GROSR_BUILT_IN_CALL_TASKS(GROSR_FUNCTION_ID)
        GROSR_BUILT_IN_HEAP_TASKS(GROSR_FUNCTION_ID) GROSR_BUILT_IN_STALL_TASKS(GROSR_FUNCTION_ID)
#undef GROSR_FUNCTION_ID
};

/*
 * A task: a function and 96 bits of arguments; larger arguments are passed by reference. 16 bytes, copied at
 * submission. Initialise the fields by name (`{.function = GROSR_FN_ADD, .a = 2, .b = 3}`), so that flags are
 * 0.
 */
struct grosr_task {
    uint16_t function; /* 0 .. GROSR_FUNCTION_MAX */
    uint16_t flags;    /* GROSR_TASK_* */
    uint32_t a;
    uint64_t b;
};

/* High priority: the task starts before all tasks without this flag that have not started. At most 256 such
 * tasks may wait at a time; the flag of any more has no effect. Numbering and the order of completion are
 * those of other tasks. */
#define GROSR_TASK_HIGH 1u

struct grosr_result {
    uint64_t value;
    int32_t status; /* 0; -ENOSYS: no such function; -ECANCELED: not run; or the negated errno that the
                       function returned, all 32 bits of it (task.h). An event has 16 bits for it */
};

#define GROSR_FOREVER UINT64_MAX

/* How spawned tasks move between workers. */
enum grosr_sharing {
    GROSR_SHARING_ON_DEMAND, /* each keeps its own, and gives some to workers that have none */
    GROSR_SHARING_ONE_QUEUE, /* all pass through one shared ring: a baseline for measurements */
};

/*
 * System calls of device code (runtime/syscall/syscall_device.h; `#include <grosr/task.h>` has them): threads
 * of this process make them for it. A number that is 0 means its default.
 */
struct grosr_syscalls {
    const char *root;       /* the directory that all paths are resolved below */
    bool writable;          /* files and directories may be changed; else -EROFS */
    uint32_t ports;         /* warps that can call at a time, 2 to 1,024; 64 */
    uint32_t staging_bytes; /* of page-locked memory for each port: a multiple of 4,096 from 16,384 to 2^26;
                               262,144 */
    uint32_t handles;       /* open at a time, at most 4,096; 1,024 */
    uint32_t proxies;       /* threads that look for calls, at most 16; 1 */
    uint64_t collect_bytes; /* of writes that are longer than staging_bytes, in all; 2^28 */
    bool sandbox;           /* those threads can make no system calls but those that they need (seccomp) */
    bool without_uring;     /* file I/O by threads alone, and not by io_uring */
    /* Where lines of grosr_log() go, several at a time, by a thread of the runtime; NULL: to standard error.
     */
    void (*log)(void *arg, const char *lines, size_t bytes);
    void *log_arg;
};

struct grosr_options {
    const char *device;      /* "auto", "cuda", "cuda:N" or "host": see grosr_find_device() */
    const char *name;        /* of the program, in the trace; at most 63 bytes, "": none */
    uint32_t workers;        /* persistent warps; 0: the device's default */
    uint32_t sms;            /* SMs to run on, at most the device's; 0: all. See below */
    uint32_t queue_capacity; /* tasks in flight: a power of two, 2 .. 2^24 */
    enum grosr_level level;
    enum grosr_overflow overflow;
    uint32_t ring_events; /* events in a worker's ring, GROSR_RING_MIN .. GROSR_RING_MAX; 0: all rings
                             together take 64 MiB, or half of what is free in /dev/shm if that is less */

    /* The process ID of a collector to wait for before starting, at most 10 s; 0: none. Under `grosr record`,
       which sets GROSR_COLLECTOR, a runtime waits for up to 2 s without being asked. */
    uint32_t collector_pid;

    /* Bytes of memory that the host and the tasks share, for arguments by reference and for what tasks write:
       see grosr_shared(). 0: none. At most the machine's memory. */
    size_t shared_bytes;

    /* Bytes of device memory, for what tasks share among themselves: see grosr_device_memory(). 0: none. At
       most the device's memory. */
    size_t device_bytes;

    /* Frames, for tasks that wait for others, of all workers together: at least a frame for each lane of each
       worker, at most 2^23 - 1; 0: 2,048 for each worker, 2^18 at least. A frame takes 128 bytes of device
       memory with its places in the rings. Spawning fails with ENOBUFS when a worker finds none:
       each has half of its part for itself, the other half of all is for whoever needs more. */
    uint32_t frames;

    enum grosr_sharing sharing; /* GROSR_SHARING_ON_DEMAND, except for measurements */

    const struct grosr_program *program; /* the task functions; NULL: the built-in ones (tasks.h) */

    /* Bytes of the heap's arena, from which tasks allocate (grosr_malloc, task_heap.h). 0: a quarter of the
       device's free memory, 4 GiB at most; GROSR_HEAP_NONE: no heap. */
    size_t heap_bytes;
    uint32_t heap_flags; /* GROSR_HEAP_DEBUG: red zones, poison, and a report of what was not freed */
    const struct grosr_syscalls *syscalls; /* what device code may ask the host for; NULL: nothing */

    /* What tasks wait for, hold and report (task_wait.h): names[i], at most 47 bytes, is number i. */
    const char *const *names;
    uint32_t name_count; /* at most GROSR_NAMES_MAX - 1 */
};

#define GROSR_HEAP_NONE SIZE_MAX

#define GROSR_OPTIONS_DEFAULT                                                           \
    {                                                                                   \
        "auto", "", 0, 0, 65536, GROSR_LEVEL_SPANS, GROSR_OVERFLOW_AUTO, 0, 0, 0, 0, 0, \
            GROSR_SHARING_ON_DEMAND, NULL, 0, 0, NULL, NULL, 0                          \
    }

/*
 * `sms`: on a GPU the kernel has that many blocks (or as many as workers, if those are fewer), each with an
 * equal share of the workers. A block stays on one SM, so the other SMs are free for other kernels. The
 * hardware chooses the SMs, and puts two blocks on one SM only when others are busy. A block of 11 workers
 * takes all registers of its SM; beside fewer, small kernels fit. The trace records which SM each worker is
 * on.
 */

/*
 * Task functions in the form in which a runtime runs them. program.h makes one from a list of functions. A
 * program must stay in memory, unchanged, until grosr_close().
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

    /* Sets *function to the kernel, a CUfunction, for the CUDA device whose context is current, and returns
       NULL; or returns the reason why there is none. */
    const char *(*cuda_kernel)(void **function);

    /* If cuda_kernel is NULL: a fatbin that holds the kernel under the name grosr_kernel. If both are NULL,
       the program does not run on CUDA devices. */
    const void *cuda_fatbin;
};

/*
 * Opens the device, creates the session and starts the persistent kernel. The options are copied; *runtime is
 * set on success, NULL otherwise, and belongs to the caller until grosr_close(). -ENODEV: no such device, or
 * the program was not built for it; -EINVAL: an option out of range, longer than it may be or NULL, a program
 * whose functions are, or one that was compiled with other headers than the library; -ECHILD: the collector
 * ended before it attached; -ETIMEDOUT: it did not attach in time; -ENOMEM; -ENOSPC: /dev/shm is full; for
 * system calls -ENOENT and others, the root directory cannot be opened, -ENOSYS, the kernel has no openat2(),
 * -ENOTSUP, there is no sandbox; -EIO:
 * the device failed or does not start the kernel.
 */
int grosr_open(grosr **runtime, const struct grosr_options *options);

/*
 * Submits `count` tasks as one batch; *first (may be NULL) is the number of the first. The tasks are copied.
 * The array `results` (may be NULL) must stay in place until a wait has covered these tasks or grosr_finish()
 * has returned. The call blocks while the queue is full. A batch may be empty: *first is then the next task's
 * number.
 *
 * Nothing is submitted on -EINVAL: a function above GROSR_FUNCTION_MAX, unknown flags, or tasks NULL with a
 * count that is not 0; -EOVERFLOW: the runtime would number more than 2^39 tasks; -ENOMEM; -ESHUTDOWN:
 * grosr_finish() or grosr_close() has begun. -ECANCELED: the runtime is stopping; -EIO: the device failed. If
 * one of these two happens while the call waits for room, the batch has its numbers, *first is set, and those
 * of its tasks that do not run get the status -ECANCELED in grosr_finish(). A function that the program does
 * not have is not an error of this call: the task gets the status -ENOSYS.
 */
int grosr_submit(grosr *runtime, const struct grosr_task *tasks, size_t count, struct grosr_result *results,
                 uint64_t *first);

/*
 * Waits until all tasks below `task` that have been submitted are done and their results in place, for
 * `timeout_ns` nanoseconds at most, 0 to 2^63 - 1, or GROSR_FOREVER. -EINVAL: a timeout beyond, which was
 * negative; -ETIMEDOUT; -ECANCELED: the runtime is stopping; -EIO:
 * the device failed; -ESHUTDOWN: the runtime has been closed.
 */
int grosr_wait(grosr *runtime, uint64_t task, uint64_t timeout_ns);

/* Waits for all tasks submitted so far; the errors are those of grosr_wait(). */
int grosr_drain(grosr *runtime, uint64_t timeout_ns);

/*
 * Whether one task is done, whether or not those before it are. Does not wait.
 *
 *     0   it is not
 *     1   it is, and *result is its result
 *     2   it is, and its result has been delivered to its batch's `results`; *result is untouched
 *
 * Results are delivered, in order, while some thread waits in grosr_wait(), grosr_drain() or grosr_submit(),
 * or if grosr_on_completion() has been called. `result` may be NULL. -EINVAL: no such task has been
 * submitted; -ECANCELED, -EIO: it is not done and may never be, as in grosr_wait(); -ESHUTDOWN.
 */
int grosr_test(grosr *runtime, uint64_t task, struct grosr_result *result);

/*
 * From now on a thread of the runtime calls done(arg, first, count) for tasks first .. first + count - 1 when
 * they are done and their results in place: in order, each task once, any number of tasks at a time, from the
 * first task on whose result has not been delivered (grosr_test). Cancelled tasks count as done. The last
 * call ends before grosr_finish() returns; `arg` must be valid until then.
 *
 * Within `done` everything may be called except grosr_finish() and grosr_close(), which return -EDEADLK; once
 * one of these has begun, grosr_submit() returns -ESHUTDOWN there too. -EINVAL: `done` is NULL; -EALREADY:
 * the runtime has a completion function already; -ESHUTDOWN: grosr_finish() has begun; -EAGAIN: the thread
 * could not be created.
 */
int grosr_on_completion(grosr *runtime, void (*done)(void *arg, uint64_t first, uint64_t count), void *arg);

/*
 * Marks tasks first .. first + count - 1 as cancelled. Those that no worker has fetched complete with the
 * status -ECANCELED; the others run. Numbers that no task has are ignored, so that (0, UINT64_MAX) means
 * everything submitted so far, including the tasks of a grosr_submit() that is waiting for room. *marked (may
 * be NULL) is how many tasks were marked that had neither completed nor been marked before. At most that many
 * end with -ECANCELED; fewer if some had just been fetched. Returns before the tasks complete. -ENOMEM;
 * -ESHUTDOWN.
 */
int grosr_cancel(grosr *runtime, uint64_t first, uint64_t count, uint64_t *marked);

/*
 * Asks the kernel to stop: tasks that have started run to their end, the others are cancelled. Returns at
 * once; async-signal-safe.
 */
void grosr_stop(grosr *runtime);

/*
 * Ends the kernel: waits for all submitted tasks (after grosr_stop(): for those that have started), stops the
 * workers and marks the session closed. The session stays, and its counters can be read. Nothing can be
 * submitted once the call has begun. A second call waits for the first and returns 0. -EIO: the device
 * failed, or did not stop within 10 s; -ESHUTDOWN: the runtime has been closed; -EDEADLK: called in the
 * completion function.
 */
int grosr_finish(grosr *runtime);

/*
 * Calls grosr_finish() unless that was done, waits for the calls of other threads to return, frees everything
 * but the handle and removes the session. NULL is allowed. -EALREADY: another thread is closing the runtime,
 * or it has been closed; -EDEADLK as above; otherwise what grosr_finish() returned, and the runtime is closed
 * even if that is an error.
 */
int grosr_close(grosr *runtime);

/*
 * The memory of the option shared_bytes: its address on the host, and its address for tasks (to pass in a
 * task's b). Zero at first, aligned to 128 bytes, freed by grosr_close(). What the host wrote before it
 * submitted a task is visible to the task; what a task of effects WRITES (tasks.h) wrote is visible to the
 * host once it has the result. On a GPU it is host memory, which tasks access across PCIe. -ENOENT: the
 * option is 0.
 */
int grosr_shared(grosr *runtime, void **host, void **device);

/*
 * The memory of the option device_bytes: its address for tasks. Zero at first, aligned to 256 bytes, freed by
 * grosr_close(). On a GPU it is the device's own memory, which the host cannot access by address. -ENOENT:
 * the option is 0.
 */
int grosr_device_memory(grosr *runtime, void **device);

/*
 * Copies `bytes` bytes from and to that memory, beginning at its byte `at`, while tasks run; returns when the
 * copy is complete. What a task of effects WRITES wrote there is read once the task's result is there; what
 * is written is visible to tasks submitted afterwards. -EINVAL: the range is not inside the memory; -ENOENT
 * as above; -EIO: the copy failed.
 */
int grosr_device_read(grosr *runtime, void *to, size_t at, size_t bytes);
int grosr_device_write(grosr *runtime, size_t at, const void *from, size_t bytes);

/*
 * The mailbox of the runtime's system calls as the device sees it, to be passed to other kernels of the
 * program by value (grosr_sys_of()). They must have ended before grosr_finish(). -ENOENT: the option
 * `syscalls` is NULL.
 */
struct grosr_mailbox;
int grosr_mailbox(grosr *runtime, struct grosr_mailbox *mailbox);

/*
 * The runtime's heap, for other kernels of the program: to be passed to them by value (alloc.h). They must
 * have ended before grosr_finish(). -ENOENT: the runtime was opened without a heap.
 */
struct grosr_heap;
int grosr_heap(grosr *runtime, struct grosr_heap *heap);

/*
 * What the heap is like now, while tasks use it: counters that belong together may be a little apart then,
 * and are exact when nothing runs. Until grosr_close(). -ENOENT as above; -EIO: the copy failed.
 */
int grosr_heap_now(grosr *runtime, struct grosr_heap_counters *counters);

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

/* Fills up to `max` entries, none if `devices` is NULL, and returns how many devices there are, at least 1:
 * the host device is always there. */
uint32_t grosr_devices(struct grosr_device_info *devices, uint32_t max);

/*
 * The device that a name stands for: "cuda" and "cuda:0" are the first GPU, "cuda:N" is GPU N, "host" is the
 * host device, "auto" is the first GPU if there is one and the host device otherwise. (In grosr_open(),
 * "auto" is a device that the program was built for.) -ENODEV: there is no such device; -EINVAL: the name has
 * none of these forms.
 */
int grosr_find_device(const char *name, struct grosr_device_info *device);

/* The reason why there is no CUDA device, as text that is never freed; NULL when there is one. */
const char *grosr_cuda_absent(void);

#ifdef __cplusplus
}
#endif

#endif
