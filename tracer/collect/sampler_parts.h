/*
 * What the sampler's files share (sampler.h). Nobody else includes this.
 *
 *     sampler.c           the thread: its beginning, its period, its end
 *     sampler_nvml.c      the thread: values of every GPU
 *     sampler_pm.c        the thread: PM samples of one GPU, and how far its clock is from the host's
 *     sampler_writer.c    the writer: rows, the counters' names, times, notes
 *     sampler_queue.c     values and reports on their way from the one to the other
 *
 * sampler.c calls the two below it; they and the writer call sampler_queue.c.
 */
#ifndef GROSR_SAMPLER_PARTS_H
#define GROSR_SAMPLER_PARTS_H

#include "sampler.h"
#include "../nvidia/nvml.h"
#include "../nvidia/pm_sampling.h"

#include <pthread.h>

#define GPUS_MAX     64u
#define QUEUE_VALUES 16384u /* the writer comes twice a second, for 2000 a second and some of NVML's */
#define PM_SAMPLES   1024u  /* taken at once */
#define REPORTS_MAX  4u     /* texts that wait for the writer */
#define REPORT_BYTES 256u

/* The counters' numbers: NVML's values of each GPU, then the metrics of PM sampling. */
#define SLOTS_PER_GPU 8u
#define PM_SLOT       (GPUS_MAX * SLOTS_PER_GPU)
#define SLOTS         (PM_SLOT + GROSR_PM_METRICS_COUNT)
static_assert(GROSR_NVML_VALUES_COUNT <= SLOTS_PER_GPU, "every value of a GPU has a slot");

struct sampler_value {
    uint64_t host_ns;   /* of one with a device time: as well as is known without a clock map */
    uint64_t device_ns; /* 0: none */
    uint32_t slot;
    double value;
};

struct grosr_sampler {
    struct grosr_sampling sampling; /* constant */

    /* Under `lock`, which is held for copying only. */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    uint32_t holders; /* the thread and the writer; the last one frees */
    bool stop, ended;
    bool only_gpu;         /* all GPU clocks that sessions have are the one of the samples */
    uint32_t first, count; /* of queue */
    uint64_t lost;         /* there was no room in it */
    uint32_t reports;
    char report[REPORTS_MAX][REPORT_BYTES];
    struct sampler_value queue[QUEUE_VALUES];

    /* The thread's. */
    grosr_nvml_device gpu[GPUS_MAX];
    uint32_t gpus;
    struct grosr_pm *pm; /* NULL: no PM sampling */
    bool pm_loss_reported;
    uint64_t read_ns;         /* when PM samples were last read; 0: not yet */
    uint64_t begun_ns;        /* no interval began before */
    int64_t late_ns;          /* the greatest difference of the next two so far; constant once `ended` */
    int64_t latest, earliest; /* host time less device time is not greater, and not less */
    struct grosr_pm_sample pm_sample[PM_SAMPLES];

    /* The writer's. */
    int64_t offset;             /* host time less device time, where the clock map last placed one */
    uint64_t placed, estimated; /* PM samples, by the map and without it */
    uint64_t worst_ns;          /* bound of the former */
    bool stopped;
    bool named[SLOTS]; /* is in the file */
    bool loss_reported, placing_noted;
};

/* ---- from the thread to the writer (sampler_queue.c) ---- */

/* The thread: a value; dropped and counted when the queue is full. */
void sampler_put(struct grosr_sampler *s, struct sampler_value value);

/* The thread: what cannot be sampled. The first REPORTS_MAX that wait are kept. */
void sampler_report(struct grosr_sampler *s, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The writer: takes values, or reports; how many. */
uint32_t sampler_take(struct grosr_sampler *s, struct sampler_value *to, uint32_t max);
uint32_t sampler_take_reports(struct grosr_sampler *s, char text[REPORTS_MAX][REPORT_BYTES]);

/* ---- the thread's sources ---- */

void sampler_find_gpus(struct grosr_sampler *s);
void sampler_read_gpus(struct grosr_sampler *s);

void sampler_start_pm(struct grosr_sampler *s);
void sampler_read_pm(struct grosr_sampler *s); /* not without s->pm, which is NULL after a failure */

#endif
