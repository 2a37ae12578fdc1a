/*
 * No PM sampling: CUPTI's headers were not there (pm_sampling.h).
 */
#include "pm_sampling.h"

#include <errno.h>
#include <stdio.h>

int grosr_pm_start(struct grosr_pm **pm, uint32_t gpu, uint64_t interval_ns, uint64_t *begun_ns, bool *only,
                   char *why, uint64_t why_bytes)
{
    (void)pm;
    (void)gpu;
    (void)interval_ns;
    (void)begun_ns;
    (void)only;
    snprintf(why, why_bytes, "this grosr was built without CUPTI");
    return -ENOTSUP;
}

int grosr_pm_read(struct grosr_pm *pm, struct grosr_pm_sample *samples, uint32_t most, uint32_t *count,
                  bool *lost, char *why, uint64_t why_bytes)
{
    (void)pm;
    (void)samples;
    (void)most;
    (void)count;
    (void)lost;
    snprintf(why, why_bytes, "this grosr was built without CUPTI");
    return -ENOTSUP;
}

void grosr_pm_stop(struct grosr_pm *pm)
{
    (void)pm;
}
