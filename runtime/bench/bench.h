/*
 * Experiments: what the runtime does beside the alternatives, measured in one run on one device.
 *
 * A report is rows, a series each; or, in a sweep, a point of one: rows of the same name and axis form a
 * curve over `x`. What a sample is, the row's unit says. Of THROUGHPUT it is the time from the first step of
 * `tasks` tasks to the last result in the host's hands. Results are checked outside the timed part. A
 * baseline too slow for the asked number of tasks runs fewer of them and says how many; compare by time per
 * task.
 *
 * What cannot be measured is a row all the same: without samples, its values NAN, and `note` says why.
 */
#ifndef GROSR_BENCH_H
#define GROSR_BENCH_H

#include "bench_work.h"
#include "../grosr.h"
#include "../../tracer/nvidia/nvml.h"

#include <signal.h>

enum grosr_bench_unit {
    GROSR_BENCH_THROUGHPUT, /* samples in ns, of `tasks` tasks; to be read as tasks/s */
    GROSR_BENCH_LATENCY,    /* ns, of `tasks` dependent steps */
    GROSR_BENCH_WATTS,      /* of the GPU's board */
    GROSR_BENCH_SLOWDOWN,   /* time beside something, divided by the median time alone */
    GROSR_BENCH_CPU,        /* CPU time that the process used, seconds a second */
    GROSR_BENCH_EVENTS,     /* trace events a second of CPU time */
    GROSR_BENCH_ROWS,       /* rows of a trace file, likewise */
    GROSR_BENCH_BYTES,      /* that a trace event takes */
    GROSR_BENCH_EVENT_COST, /* ns that a step takes longer with a trace event */
    GROSR_BENCH_SHARE,      /* of events, or of memory; from 0 to 1 */
    GROSR_BENCH_RATIO,      /* of two numbers of bytes */
    GROSR_BENCH_BANDWIDTH,  /* bytes a second */
    GROSR_BENCH_UNITS,
};

/* Words for people and machines: "tasks/s", "ns", ...; and what the values' keys end in: "ns", "w", ... */
extern const char *const grosr_bench_unit_name[GROSR_BENCH_UNITS],
    *const grosr_bench_unit_key[GROSR_BENCH_UNITS];

enum grosr_bench_axis {
    GROSR_BENCH_NO_AXIS,
    GROSR_BENCH_TASKS,
    GROSR_BENCH_SMS,
    GROSR_BENCH_PRODUCERS,
    GROSR_BENCH_WORKERS,
    GROSR_BENCH_WARPS, /* on each SM; on the host device, threads */
    GROSR_BENCH_THREADS,
    GROSR_BENCH_SIZE,   /* of a block of memory, bytes */
    GROSR_BENCH_CYCLES, /* rounds in which blocks were freed and others allocated */
    GROSR_BENCH_PORTS,  /* of system calls */
    GROSR_BENCH_PROXIES,
    GROSR_BENCH_AXES,
};

extern const char *const grosr_bench_axis_name[GROSR_BENCH_AXES]; /* NULL for NO_AXIS */

/* The percentiles that a row keeps, by nearest rank. One that fewer than one sample lies beyond is NAN: 15
 * samples have no p99. */
enum { GROSR_BENCH_P50 = 4, GROSR_BENCH_P99 = 8, GROSR_BENCH_PERCENTILES = 10 };
extern const double grosr_bench_percentile[GROSR_BENCH_PERCENTILES]; /* 1, 5, 10, 25, 50, ... 99.9 */

struct grosr_bench_options {
    const char *device;   /* "auto", "cuda", "host" */
    uint64_t tasks;       /* in a sample; `pingpong`: round trips; `scale`: the most; `trace`: a warp's steps;
                           * `alloc`: threads; 0: the experiment's */
    uint32_t repetitions; /* samples of each series; 0: the experiment's */
    uint32_t workers;     /* 0: the device's default */
    const volatile sig_atomic_t *stop; /* nonzero: give up */
};

struct grosr_bench_row {
    char series[80];
    bool baseline; /* not GROSR */
    enum grosr_bench_unit unit;
    enum grosr_bench_axis axis;
    double x;       /* where on the axis */
    uint32_t pair;  /* a baseline's is compared with GROSR's of the same pair and place; 0: with its first */
    uint64_t tasks; /* in one sample; 0: none are counted */
    uint32_t samples;
    double lowest, highest, percentile[GROSR_BENCH_PERCENTILES]; /* of a sample */
    char note[160];                                              /* why there are no samples, or "" */
};

/* Where in an experiment something was seen. */
struct grosr_bench_where {
    char series[80]; /* "": before the first */
    bool baseline;   /* not GROSR */
    enum grosr_bench_axis axis;
    double x; /* where on the axis */
    bool warm_up;
    uint32_t round; /* from 1, of the repetitions or of the rounds before them; 0: none was begun */
};

#define GROSR_BENCH_NO_INDEX UINT64_MAX

/* Wrong results of one kind in a series, or in a point of a sweep. */
struct grosr_bench_wrong {
    uint64_t count;
    const char *what; /* which kind: "task", "thread", ...; static */
    /* The first of them: */
    struct grosr_bench_where where;
    uint64_t index; /* of the task, thread, ...; or GROSR_BENCH_NO_INDEX */
    uint64_t expected, seen;
    bool minimum;   /* more than `expected` is right too */
    int32_t status; /* of a task of GROSR's; 0 */
};

struct grosr_bench_machine {
    char cpu[96];
    uint32_t cpus;
    char date[24];   /* of the start, ISO 8601, UTC */
    uint32_t cuda;   /* version of the driver's CUDA, 1000 * major + 10 * minor; 0: no CUDA device */
    char driver[32]; /* version of the NVIDIA driver, or "" */
    grosr_nvml_device gpu;
    struct grosr_nvml_reading before, after; /* the GPU's state; NAN and 0 where it is not known */
    char nvml_absent[256];                   /* why the GPU's state is not known, or "" */
};

struct grosr_bench_report {
    struct grosr_device_info device;
    struct grosr_bench_machine machine;
    uint64_t tasks; /* options as they were settled; 0: the experiment has none such */
    uint32_t repetitions;
    uint32_t workers; /* as asked for; 0: the default */
    struct grosr_bench_row *row;
    uint32_t rows, room;
    uint64_t errors;                 /* wrong results, all series */
    struct grosr_bench_wrong *wrong; /* whose, in the order in which they were first seen */
    uint32_t wrongs, wrong_room;
    struct grosr_bench_where failed; /* where the error was seen that ended the experiment */
    char failure[512];               /* its text, or "" */

    /* For the files that measure. */
    struct grosr_bench_where where; /* what is being measured */
    enum grosr_bench_unit unit;     /* of grosr_bench_add() */
    uint32_t pair;                  /* of new rows */
    int err;                        /* rows are missing: out of memory */
};

struct grosr_bench {
    const char *name;
    const char *description; /* one line */
    enum grosr_bench_unit unit;
    uint64_t tasks_cuda, tasks_host; /* by default; 0: it has no number of tasks */
    uint32_t repetitions;            /* by default; 0: it has none */
    int (*run)(const struct grosr_bench_options *options, struct grosr_bench_report *report);
};

/* Ends with a NULL name. */
extern const struct grosr_bench grosr_benches[];

/* Fills the report. 0; -ECANCELED: stopped; or what went wrong, and where is in report->failed and in
 * grosr_error(); what was measured before stays. grosr_bench_free() in any case. */
int grosr_bench_run(const struct grosr_bench *bench, const struct grosr_bench_options *options,
                    struct grosr_bench_report *report);
void grosr_bench_free(struct grosr_bench_report *report);

/* "baseline 'mutex queue with threads' at tasks 500, repetition 3"; and with what was wrong there. */
void grosr_bench_where_text(char *to, size_t size, const struct grosr_bench_where *where);
void grosr_bench_wrong_text(char *to, size_t size, const struct grosr_bench_wrong *wrong);

/* Wrong results of the baselines, or of GROSR. */
uint64_t grosr_bench_wrong_of(const struct grosr_bench_report *report, bool baseline);

/* ---- for the files that measure ---- */

/* Begins a series, or a point of a sweep: what is wrong from here on, or fails, is its. */
void grosr_bench_begin(struct grosr_bench_report *report, const char *series, bool baseline);
void grosr_bench_begin_at(struct grosr_bench_report *report, const char *series, bool baseline,
                          enum grosr_bench_axis axis, double x);

/* Begins round i, from 0, of which the first `warm_up` are not samples. */
void grosr_bench_round(struct grosr_bench_report *report, uint32_t i, uint32_t warm_up);

/* Whether `seen` is right: as expected, or at least so much. A wrong one is counted. `what` names the kind of
 * result and is static. */
bool grosr_bench_check(struct grosr_bench_report *report, const char *what, uint64_t index, uint64_t expected,
                       uint64_t seen);
bool grosr_bench_check_min(struct grosr_bench_report *report, const char *what, uint64_t index,
                           uint64_t expected, uint64_t seen);

/* Whether a task ended with status 0 and the expected value; or, of GROSR_FN_SPIN, with so long a time. */
bool grosr_bench_check_result(struct grosr_bench_report *report, uint64_t task, uint64_t expected,
                              const struct grosr_result *result);
bool grosr_bench_check_spin(struct grosr_bench_report *report, uint64_t task, uint64_t spin_ns,
                            const struct grosr_result *result);

/* Notes the error that ended the experiment, with grosr_error(), which names the series from here on. */
void grosr_bench_fail(struct grosr_bench_report *report, int err);

/* Adds a series in the experiment's unit; sorts the samples. */
void grosr_bench_add(struct grosr_bench_report *report, const char *series, bool baseline, uint64_t tasks,
                     double *samples, uint32_t count);

/* Adds a point of a sweep. */
void grosr_bench_add_at(struct grosr_bench_report *report, const char *series, bool baseline,
                        enum grosr_bench_axis axis, double x, uint64_t tasks, double *samples,
                        uint32_t count);

/* Adds a series in another unit. */
void grosr_bench_add_value(struct grosr_bench_report *report, const char *series, bool baseline,
                           enum grosr_bench_unit unit, double *samples, uint32_t count);

/* Adds a series that could not be measured, and why. */
void grosr_bench_add_unknown(struct grosr_bench_report *report, const char *series, bool baseline,
                             enum grosr_bench_unit unit, const char *why);

/* Room for `count` samples, or NULL with grosr_error() set. */
double *grosr_bench_samples(uint32_t count);

/* Whether it is a GPU that is measured. */
bool grosr_bench_on_cuda(const struct grosr_bench_report *report);

/* Opens an untraced runtime on the report's device. */
int grosr_bench_open(const struct grosr_bench_report *report, uint32_t workers, uint32_t sms, grosr **rt);

/* grosr_wait(), bounded: when the tasks do not end, the runtime is stopped, so that it can be closed. */
int grosr_bench_wait(grosr *rt, uint64_t task, uint64_t tasks);

/* Points of a sweep over tasks: 1,000, 2,000, 5,000, ... and `most`; from `most` / 10 or less in any case.
 * Returns how many. */
#define GROSR_BENCH_SWEEP 32u
uint32_t grosr_bench_sweep(uint64_t most, uint64_t count[GROSR_BENCH_SWEEP]);

/* Facts of the machine; its state before and after. */
void grosr_bench_machine_begin(struct grosr_bench_report *report);
void grosr_bench_machine_end(struct grosr_bench_report *report);

/* Sleeps. -ECANCELED when told to stop. */
int grosr_bench_sleep(const struct grosr_bench_options *options, uint64_t ns);

/* Many tiny tasks (bench_dispatch.c); one dependent step after the other (bench_pingpong.c); curves
 * (bench_scale.c). */
int grosr_bench_dispatch(const struct grosr_bench_options *options, struct grosr_bench_report *report);
int grosr_bench_pingpong(const struct grosr_bench_options *options, struct grosr_bench_report *report);
int grosr_bench_scale(const struct grosr_bench_options *options, struct grosr_bench_report *report);

/* The baselines on each kind of device. */
int grosr_bench_dispatch_cuda(const struct grosr_bench_options *options, struct grosr_bench_report *report);
int grosr_bench_pingpong_cuda(const struct grosr_bench_options *options, struct grosr_bench_report *report);
int grosr_bench_scale_cuda(const struct grosr_bench_options *options, struct grosr_bench_report *report);
int grosr_bench_spawn_cuda(const struct grosr_bench_options *options, struct grosr_bench_report *report);
int grosr_bench_dispatch_host(const struct grosr_bench_options *options, struct grosr_bench_report *report);
int grosr_bench_pingpong_host(const struct grosr_bench_options *options, struct grosr_bench_report *report);
int grosr_bench_scale_host(const struct grosr_bench_options *options, struct grosr_bench_report *report);

/* Tasks that tasks make (bench_spawn.c): trees; chains of dependent steps; and one series of another
 * experiment, a range of tasks spawned by one. */
int grosr_bench_spawn(const struct grosr_bench_options *options, struct grosr_bench_report *report);
int grosr_bench_chains(const struct grosr_bench_options *options, struct grosr_bench_report *report);
int grosr_bench_device_fed(const struct grosr_bench_options *options, grosr *rt,
                           struct grosr_bench_report *report, enum grosr_bench_axis axis, uint64_t tasks,
                           double *samples);

/* What each trace level costs (bench_trace_levels.c). */
int grosr_bench_trace_levels(const struct grosr_bench_options *options, struct grosr_bench_report *report);

/* What one trace event costs in situ (bench_event_cost.c). */
int grosr_bench_event_cost(const struct grosr_bench_options *options, struct grosr_bench_report *report);

/* GROSR's heap beside the device's own malloc (bench_alloc.c). */
int grosr_bench_alloc(const struct grosr_bench_options *options, struct grosr_bench_report *report);

/* System calls of tasks (bench_syscall.c): latencies, rates, bandwidths. */
int grosr_bench_syscall(const struct grosr_bench_options *options, struct grosr_bench_report *report);

/* What an idle persistent kernel costs (bench_idle.c). */
int grosr_bench_idle(const struct grosr_bench_options *options, struct grosr_bench_report *report);

/* What the collector's steps cost (bench_store.c). */
int grosr_bench_store(const struct grosr_bench_options *options, struct grosr_bench_report *report);

/* The CUDA device's address on the PCI bus, "0000:1b:00.0", and its driver's CUDA version. -ENODEV. */
int grosr_bench_cuda_facts(const struct grosr_bench_report *report, char *pci, size_t size,
                           uint32_t *version);

/*
 * Kernels that run beside the runtime, on a stream of their own: one is bound by arithmetic, one copies
 * memory. Opened before the runtime is: they allocate, and load.
 */
struct grosr_bench_beside;
enum grosr_bench_kernel { GROSR_BENCH_COMPUTE, GROSR_BENCH_COPY, GROSR_BENCH_KERNELS };

int grosr_bench_beside_open(struct grosr_bench_beside **out, struct grosr_bench_report *report);

/* Runs a kernel and checks what it made, for the report's series. -ETIMEDOUT: there is no room for it beside
 * the runtime; it starts once the runtime is closed, and is to be ended with grosr_bench_beside_end(). */
int grosr_bench_beside_run(struct grosr_bench_beside *beside, enum grosr_bench_kernel kernel, double *ns,
                           struct grosr_bench_report *report);
int grosr_bench_beside_end(struct grosr_bench_beside *beside);
void grosr_bench_beside_close(struct grosr_bench_beside *beside); /* NULL is allowed */

#endif
