/*
 * PM sampling: a GPU's own performance monitors, read at a fixed interval by the GPU itself, whatever its
 * kernels do and whoever runs them. CUPTI has it, loaded when it is needed; where CUPTI's header was not
 * there when this was built, pm_sampling_none.c says so. The driver may keep it to administrators.
 *
 * One thread at a time. A call may take milliseconds.
 */
#ifndef GROSR_PM_SAMPLING_H
#define GROSR_PM_SAMPLING_H

#include <stdbool.h>
#include <stdint.h>

/* What is measured: metric and unit. Of all SMs, the mean over the interval. */
#define GROSR_PM_METRICS(X)                                     \
    X("sm__warps_active.avg.pct_of_peak_sustained_active", "%") \
    X("sm__cycles_active.avg.pct_of_peak_sustained_elapsed", "%")
#define GROSR_PM_METRICS_COUNT 2u

#ifdef __cplusplus
extern "C" {
#endif

struct grosr_pm;

/* Of an interval of the GPU's clock (globaltimer). */
struct grosr_pm_sample {
    uint64_t start_ns, end_ns;
    double value[GROSR_PM_METRICS_COUNT];
};

/*
 * Starts sampling of a GPU, as CUDA numbers them. Needs no context, and makes none. No sample that is given
 * begins before *begun_ns, CLOCK_MONOTONIC. *only: CUDA shows no other. -ENOTSUP: `why` says what is missing.
 */
int grosr_pm_start(struct grosr_pm **pm, uint32_t gpu, uint64_t interval_ns, uint64_t *begun_ns, bool *only,
                   char *why, uint64_t why_bytes);

/*
 * The samples that have come since the last call, oldest first, `most` at most: *count. *lost: some before
 * the next did not find room in the GPU's buffer. -EIO: `why` says what.
 */
int grosr_pm_read(struct grosr_pm *pm, struct grosr_pm_sample *samples, uint32_t most, uint32_t *count,
                  bool *lost, char *why, uint64_t why_bytes);

/* Ends sampling. NULL is allowed. */
void grosr_pm_stop(struct grosr_pm *pm);

#ifdef __cplusplus
}
#endif

#endif
