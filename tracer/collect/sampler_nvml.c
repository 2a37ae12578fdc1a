/*
 * The sampler's thread: NVML's values of every GPU (sampler_parts.h). A GPU that fails once is not asked
 * again.
 */
#include "sampler_parts.h"

#include <math.h>

void sampler_find_gpus(struct grosr_sampler *s)
{
    int count = grosr_nvml_count();

    if (count <= 0)
        sampler_report(s, "no counters of GPUs are recorded: %s",
                       count ? grosr_nvml_absent() : "NVML shows none");
    for (uint32_t i = 0; (int)i < count && i < GPUS_MAX; i++) {
        s->gpu[i] = grosr_nvml_at(i);
        s->gpus = i + 1;
        if (!s->gpu[i])
            sampler_report(s, "no counters of GPU %u are recorded: %s", i, grosr_nvml_absent());
    }
}

void sampler_read_gpus(struct grosr_sampler *s)
{
    double value[GROSR_NVML_VALUES_COUNT];

    for (uint32_t i = 0; i < s->gpus; i++) {
        if (!s->gpu[i])
            continue;
        uint64_t before = grosr_host_clock_ns();
        int code = grosr_nvml_sample(s->gpu[i], value);
        uint64_t time = before + (grosr_host_clock_ns() - before) / 2;
        if (code) {
            sampler_report(s, "GPU %u is no longer sampled: NVML error %d", i, code);
            s->gpu[i] = NULL;
        }
        for (uint32_t k = 0; k < GROSR_NVML_VALUES_COUNT; k++)
            if (!isnan(value[k]))
                sampler_put(s, (struct sampler_value){time, 0, i * SLOTS_PER_GPU + k, value[k]});
    }
}
