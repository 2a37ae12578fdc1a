/*
 * What a live session is doing: plain facts, sampled from the segment. Drawing (screen/) and JSON
 * (model_json.h) both show this and nothing else.
 *
 * The segment belongs to another process and may contain anything. Counts and indices from it are bounded
 * here, shares are clamped to 0 .. 100, and offsets are followed only through session.h's accessors. Names
 * are copied unchecked: the code that shows them makes them printable.
 *
 * Rates and shares are over the time between the two latest samples; NAN: not known (the first sample, or
 * workers that do not report because the level is `off`).
 */
#ifndef GROSR_MODEL_H
#define GROSR_MODEL_H

#include "../../tracer/findings/findings.h"
#include "../../tracer/session/heap_counters.h"

#define MODEL_MAX_SMS    4096u
#define MODEL_MAX_QUEUES 1024u
#define MODEL_HISTORY    512u
#define MODEL_STALLS     8u
#define MODEL_NO_WORKER  UINT32_MAX
#define MODEL_PCS        32u

struct model_session {
    uint32_t pid, index;
    char device[16], device_name[64], program[64];
    uint32_t workers, max_warps_per_sm;
    uint64_t uptime_ns;
    uint32_t level;         /* enum grosr_level, or any other number */
    uint32_t overflow;      /* enum grosr_overflow in force, or any other number */
    uint32_t collector_pid; /* 0: none */
    bool finished;          /* the process has closed the session */
    bool alive;             /* the process runs */
};

struct model_queue {
    char name[GROSR_NAME_BYTES];
    uint64_t capacity, depth, max_depth; /* tasks */
    uint64_t enqueued, dequeued;         /* ever; depth = enqueued - dequeued */
    uint64_t oldest_wait_ns;             /* of the tasks in it; 0 when it is empty */
};

struct model_sm {
    uint32_t id;
    uint32_t workers;
    double busy_pct;      /* share of its workers' time spent in tasks */
    double occupancy_pct; /* workers, of the warps that fit */
};

struct model_trace {
    uint64_t written, read, dropped, overwritten; /* events, all rings */
};

struct model_tasks {
    uint64_t enqueued, completed; /* all queues */
    uint64_t run;                 /* by the workers' own counters, as are spawned and shared */
    uint64_t spawned, shared;     /* by tasks; given to other workers */
    uint64_t done;                /* run, or completed if that is more: the counters may be off, or behind */
    double per_s;                 /* done */
    double completed_per_s;
};

/* The GPU memory allocator: the session's first. Derived values are in heap_counters.h. */
struct model_heap {
    bool known;                                 /* it has published its counters; else all is 0 */
    struct grosr_heap_counters count;           /* as of count.time_ns */
    uint64_t age_ns;                            /* since then */
    double mallocs_per_s, frees_per_s;          /* between the two latest counters that differ in time */
    uint8_t order[GROSR_HEAP_CLASSES_MAX];      /* the classes, those whose slabs hold most bytes first */
    double error_age_ns[GROSR_HEAP_ERRORS_MAX]; /* of count.error[]; NAN: not known */
};

/* System calls of device code. slots 0: the runtime has none. */
struct model_syscalls {
    uint32_t slots;   /* ports: warps that can call at a time */
    uint32_t pending; /* requests that are not answered */
    uint64_t completed, failed, refused;
    uint64_t read_bytes, written_bytes, handles;
    double p50_ns, p99_ns; /* of packets, from issue to resumption, to 1/4 octave; NAN: not known */
    struct {
        uint32_t port, call;
        int32_t handle;
        uint64_t task, age_ns;
    } oldest;                            /* if any are pending */
    double completed_per_s, bytes_per_s; /* NAN: not known */
};

/* What holds the session up, as `grosr diagnose` finds it: the worst first. */
struct model_stall {
    enum grosr_verdict verdict;
    char kind[32];
    uint32_t worker; /* the first that is concerned, or MODEL_NO_WORKER */
    char resource[96];
    uint64_t age_ns; /* 0: not known */
    char text[256];  /* a sentence */
};

/* Where the warps of a program's kernels are, by function; as of the latest half second with samples of it.
 */
struct model_pc {
    char function[128], file[256], stall[48]; /* file "": no line is known */
    uint32_t context;
    uint64_t samples;
    double pct;         /* of all samples */
    uint64_t low, high; /* offsets of the loop with most of them; `loop` false: of all samples */
    uint32_t first_line, last_line;
    bool loop, endless; /* endless: nothing changes in it */
    double loop_pct;    /* of its samples, those in the loop; and of these: */
    double memory_pct, stall_pct;
    uint64_t since_ns; /* for how long it has been that loop */
};

enum model_worker_state {
    MODEL_NOT_STARTED,
    MODEL_RUNNING, /* in a task, or between two */
    MODEL_WAITING,
    MODEL_IDLE, /* waiting, and backed off */
    MODEL_STOPPED,
    MODEL_WORKER_STATES,
};

struct model {
    struct model_session session;
    struct model_queue *queue;
    uint32_t queues;
    struct model_sm *sm;
    uint32_t sms;
    struct model_trace trace;
    struct model_tasks tasks;
    struct model_heap heap;
    struct model_syscalls syscalls;
    enum grosr_verdict verdict;
    struct model_stall stall[MODEL_STALLS];
    uint32_t stalls;
    struct model_pc pc[MODEL_PCS]; /* most samples first */
    uint32_t pcs;
    uint32_t workers[MODEL_WORKER_STATES]; /* how many are in each state */
    double busy_pct;                       /* of all workers */
    uint64_t interval_ns;                  /* between the two latest samples; 0: there was one */
    double history[MODEL_HISTORY];         /* tasks.per_s, sample n at n % MODEL_HISTORY */
    uint64_t samples;                      /* in the history, ever */
};

/* What an error of the GPU memory allocator is, in the words of the view heap_errors. */
const char *model_heap_error(uint64_t kind);

struct model_source; /* a session under observation */

/* The session stays the caller's and outlives the source. -ENOMEM. */
int model_open(struct model_source **source, const struct grosr_session *session);

/* Takes a sample. The model belongs to the source and is valid until the next sample. */
const struct model *model_sample(struct model_source *source);

void model_close(struct model_source *source); /* NULL is allowed */

#endif
