/*
 * The sampler: what NVML and PM sampling measure of GPUs while a session is recorded, as counters without a
 * worker.
 *
 * It has a thread of its own, which alone calls NVML: a call may take milliseconds, or never return. The
 * values go to the collector's writer through a queue of fixed size; what finds it full is dropped and
 * counted. Neither the drainer nor the writer ever waits for the thread, except for TIMEOUT_NS (sampler.c) at
 * the very end; a thread that has not returned by then is left behind with the memory it uses.
 *
 *     every GPU that NVML shows, every 100 ms   GROSR_NVML_VALUES (nvml.h), at the middle of the reading
 *     one GPU, every ms, read every 100 ms      GROSR_PM_METRICS (pm_sampling.h), when the interval began
 *
 * The GPU stamps PM samples with its own clock. The session's clock map converts these times where it has
 * one, or, where there is only one GPU, the map of any session; otherwise samples have the time at which they
 * were read, which is later. A note in the file says which, and the error.
 *
 * The names of the counters have negative numbers in the file, which no program's have, and belong to the
 * session for which sampling began.
 */
#ifndef GROSR_SAMPLER_H
#define GROSR_SAMPLER_H

#include "../store/store.h"

/* What is sampled; bits. GROSR_COUNTERS_DEFAULT: it was not asked for, so what is missing is only noted in
 * the file, without a diagnostic message. */
#define GROSR_COUNTERS_NVML    1u
#define GROSR_COUNTERS_PM      2u
#define GROSR_COUNTERS_DEFAULT 4u

struct grosr_sampling {
    uint32_t what; /* 0: nothing */
    uint32_t gpu;  /* for PM sampling, as CUDA numbers them */
};

#define GROSR_SAMPLER_PERIOD_NS 100000000u
#define GROSR_SAMPLER_PM_NS     1000000u

struct grosr_sampler;

/* Starts sampling. -ENOMEM, -EAGAIN. All calls are the writer's. */
int grosr_sampler_start(struct grosr_sampler **sampler, struct grosr_sampling sampling);

/*
 * Writes the rows of what has been sampled, and notes on what cannot be, which `warned` (may be NULL) gets
 * too if sampling was asked for. `clock` converts device times; NULL: there is none. Without `rows` what has
 * been sampled is discarded.
 */
int grosr_sampler_write(struct grosr_sampler *sampler, struct grosr_store *store,
                        const struct grosr_bases *bases, struct grosr_clock *clock, bool rows,
                        void (*warned)(const char *text));

/* Whether the SMs sampled are those of the only GPU that CUDA shows: then any session's GPU clock is its. */
bool grosr_sampler_has_only_gpu(struct grosr_sampler *sampler);

/* Ends sampling; what is left can still be written. Waits for the thread, with a timeout. NULL is allowed.
 */
void grosr_sampler_stop(struct grosr_sampler *sampler);

/* After it has been stopped. NULL is allowed. */
void grosr_sampler_free(struct grosr_sampler *sampler);

#endif
