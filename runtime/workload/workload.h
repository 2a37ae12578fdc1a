/*
 * Workloads: what `grosr run` runs. Each checks its own results.
 */
#ifndef GROSR_WORKLOAD_H
#define GROSR_WORKLOAD_H

#include "../grosr.h"

#include <signal.h>

struct grosr_workload_options {
    uint64_t tasks;                    /* to run in all, spawned ones too */
    double seconds;                    /* repeat for so long; 0: once */
    const volatile sig_atomic_t *stop; /* nonzero: give up */
    const char *file;                  /* for `read`; NULL: one that it makes */
    uint64_t rate;                     /* tasks a second that are submitted at most; 0: as fast as they run */
    const char *name;                  /* the workload's */
    bool cured;                        /* a stall: with the advice of its finding applied */
};

/*
 * Tasks are counted as the trace has rows: a run each, of those submitted, of those that they spawned, and of
 * those that went on. A tree completes as a whole or not at all.
 */
struct grosr_workload_result {
    uint64_t tasks;        /* submitted, with what they are to spawn */
    uint64_t spawned;      /* of these, by tasks */
    uint64_t completed;    /* with status 0 */
    uint64_t errors;       /* wrong values, and statuses other than 0 */
    uint64_t elapsed_ns;   /* from the first submission to the last result */
    char first_error[160]; /* in words, or "" */
};

struct grosr_workload {
    const char *name;
    const char *description; /* one line */
    size_t shared_bytes;     /* the runtime's options that it needs */
    size_t device_bytes;
    size_t worker_bytes; /* more device memory, for each worker there can be */
    bool syscalls;       /* it makes system calls: below grosr_read_root() */
    bool calls; /* a CUDA program of its own, without the runtime: grosr_calls_start() in the place of all
                   below */
    const struct grosr_program *(*program)(void); /* NULL: the built-in one */

    /* Sets more of the options, before grosr_open(); NULL: nothing. */
    void (*prepare)(const char *name, const volatile sig_atomic_t *stop, struct grosr_options *options,
                    struct grosr_syscalls *syscalls);

    /* 0 when it ran to its end, right or wrong; -ECANCELED: stopped; or the runtime's error. */
    int (*run)(grosr *runtime, const struct grosr_workload_options *options,
               struct grosr_workload_result *result);
};

/* Ends with a NULL name. */
extern const struct grosr_workload grosr_workloads[];

/*
 * After grosr_finish() on a run that came to its end: whether the workers have counted the tasks that there
 * were. `level`: the session's before grosr_finish(); below GROSR_LEVEL_COUNTERS nothing is known.
 */
void grosr_workload_audit(const struct grosr_session *session, uint32_t level,
                          struct grosr_workload_result *result);

/* ---- for the workloads ---- */

/* Tasks submitted together. */
struct grosr_feed_batch {
    uint32_t place; /* in the window */
    uint32_t count; /* tasks submitted; 0: none under way */
    uint64_t from;  /* tasks of this workload submitted before */
    uint64_t first; /* the runtime's number of the first */
    struct grosr_task *tasks;
    struct grosr_result *results;
};

/*
 * Batches go round a window: while the oldest is checked, the others are under way.
 */
struct grosr_feed {
    uint32_t batch;  /* tasks in a batch, at most */
    uint32_t window; /* batches under way */
    void *state;     /* the workload's */

    /* Makes the next batch, of 1 .. `batch` tasks that run `runs` tasks in all at most; counts in r->tasks
     * and r->spawned what they run. */
    void (*make)(void *state, struct grosr_feed_batch *batch, uint64_t runs, struct grosr_workload_result *r);

    /* Checks the results of a batch, with grosr_feed_check(). */
    void (*check)(void *state, const struct grosr_feed_batch *batch, struct grosr_workload_result *r);
};

/* Feeds options->tasks tasks, again until options->seconds have passed. Returns as a workload's run. */
int grosr_feed(grosr *runtime, const struct grosr_workload_options *options, const struct grosr_feed *feed,
               struct grosr_workload_result *result);

/* Task k of the batch, which runs `runs` tasks in all, is to give `want`. Whether it did. */
bool grosr_feed_check(const struct grosr_feed_batch *batch, uint32_t k, uint64_t runs, uint64_t want,
                      struct grosr_workload_result *r);

/* Counts an error, and keeps its text if it is the first. */
void grosr_workload_error(struct grosr_workload_result *r, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

int grosr_run_arith(grosr *runtime, const struct grosr_workload_options *options,
                    struct grosr_workload_result *result);
int grosr_run_spawn(grosr *runtime, const struct grosr_workload_options *options,
                    struct grosr_workload_result *result);
int grosr_run_pipeline(grosr *runtime, const struct grosr_workload_options *options,
                       struct grosr_workload_result *result);

int grosr_run_churn(grosr *runtime, const struct grosr_workload_options *options,
                    struct grosr_workload_result *result);

int grosr_run_read(grosr *runtime, const struct grosr_workload_options *options,
                   struct grosr_workload_result *result);

/* The collection of stalls: STALL(name, verdict, text), the verdict being the one that `grosr diagnose` must
 * reach. */
#define GROSR_STALLS(STALL)                                                                              \
    STALL(ring, "deadlock", "every worker fills a bounded ring that only they would empty")              \
    STALL(child, "deadlock", "every worker waits in its lane for a child that only it can start")        \
    STALL(locks2, "deadlock", "two tasks hold a lock each and want the other's")                         \
    STALL(locks3, "deadlock", "three locks in a cycle")                                                  \
    STALL(ports, "deadlock", "every port for system calls is kept by a task that waits for another one") \
    STALL(memory, "deadlock", "the heap is exhausted by tasks that wait for each other's memory")        \
    STALL(proxy, "stalled", "system calls that the host's proxy does not answer")                        \
    STALL(pipe, "stalled", "a read from an empty pipe")                                                  \
    STALL(wakeup, "stalled", "a wake-up that came before the wait")                                      \
    STALL(dependency, "stalled", "a child that waits for a signal too many")                             \
    STALL(endless, "stalled", "a task that computes without an end and reports nothing for 10 s")        \
    STALL(barrier, "stalled", "a barrier that one worker skips")                                         \
    STALL(producer, "stalled", "consumers whose producer has ended")                                     \
    STALL(abandoned, "stalled", "a lock whose task has ended without releasing it")                      \
    STALL(consumer, "stalled", "results that the host no longer takes")                                  \
    STALL(unfair, "slow", "a queue behind a lock that one worker never gets")                            \
    STALL(hotlock, "slow", "all work is done under one lock")                                            \
    STALL(inversion, "slow", "urgent tasks keep the holder of a lock from running")                      \
    STALL(idle, "idle", "nothing to do")                                                                 \
    STALL(long, "healthy", "a long task that reports its progress")                                      \
    STALL(uneven, "healthy", "a long task without a report, of a function whose tasks differ in length") \
    STALL(burst, "healthy", "as many tasks as there can be")                                             \
    STALL(nearfull, "healthy", "a nearly full ring that moves")                                          \
    STALL(disk, "healthy", "reads from something slow")

/* Those that are CUDA programs without the runtime. */
#define GROSR_CALL_STALLS(STALL)                                                                            \
    STALL(cudafree, "stalled", "cudaFree behind a kernel that waits for the thread in it (CUDA only)")      \
    STALL(copy, "deadlock", "a blocking copy behind the kernel that waits for it (CUDA only)")              \
    STALL(order, "deadlock",                                                                                \
          "a copy behind the kernel that waits for it, by the default stream (CUDA only)")                  \
    STALL(blocking, "deadlock", "a launch that returns when its kernel has ended, which waits (CUDA only)") \
    STALL(resident, "stalled", "a barrier of a grid that does not fit on the GPU, for 10 s (CUDA only)")

/* Starts one of them on the device of that name, which `info` describes then, in threads of its own; GROSR
 * sees it as any program that the library of `grosr record` is injected into, which is the caller's to
 * arrange before. Once a process. 0 or negative errno. */
int grosr_calls_start(const char *workload, const char *device, struct grosr_device_info *info);

/* 0: it stalls, or is about to; or negative errno: it has ended by itself, or failed. */
int grosr_calls_check(void);

/* Ends it in order. */
void grosr_calls_end(void);

int grosr_run_stall(grosr *runtime, const struct grosr_workload_options *options,
                    struct grosr_workload_result *result);
void grosr_prepare_stall(const char *name, const volatile sig_atomic_t *stop, struct grosr_options *options,
                         struct grosr_syscalls *syscalls);

/* Whether `stall:NAME` can be cured: the negatives cannot. */
bool grosr_stall_is_fault(const char *name);

/* After grosr_prepare_stall(): sets the options that the cures need. */
void grosr_cure_stall(struct grosr_options *options, struct grosr_syscalls *syscalls);

/* The root directory of the workload `read`'s system calls: where its file is, or will be. Returns `root`. */
const char *grosr_read_root(const char *file, char *root, size_t size);

#define GROSR_PIPELINES_UNDER_WAY 128u
#define GROSR_CHURN_PLACES        (1u << 16)

#endif
