/*
 * The sampler's thread: PM samples of one GPU (sampler_parts.h), whose times are its own clock's. Reading
 * them bounds the difference of that clock to the host's; where no session's clock map is to be had, the
 * writer places values by this bound.
 */
#include "sampler_parts.h"

#include <math.h>

#define DRIFT_PPM 100u /* by which two clocks are taken to differ at most */

void sampler_start_pm(struct grosr_sampler *s)
{
    char why[192];
    bool only = false;

    if (grosr_pm_start(&s->pm, s->sampling.gpu, GROSR_SAMPLER_PM_NS, &s->begun_ns, &only, why, sizeof(why)))
        sampler_report(s, "the SMs of GPU %u are not sampled: %s", s->sampling.gpu, why);
    pthread_mutex_lock(&s->lock);
    s->only_gpu = s->pm && only;
    pthread_mutex_unlock(&s->lock);
}

/*
 * A read that was over at after_ns had a sample that ended at device_ns by the GPU's clock, which was
 * therefore earlier than after_ns: an upper bound for the clocks' difference. The least bound of all reads is
 * kept, and widened by what the clocks may have drifted apart since. The lower bound is that no interval
 * began before sampling did.
 */
static void compare_clocks(struct grosr_sampler *s, uint64_t after_ns, uint64_t device_ns)
{
    int64_t latest = (int64_t)(after_ns - device_ns);

    if (s->read_ns) {
        int64_t drift = (int64_t)((after_ns - s->read_ns) / 1000000 * DRIFT_PPM);
        s->latest = latest < s->latest + drift ? latest : s->latest + drift;
        s->earliest -= drift;
    } else {
        s->latest = latest;
        s->earliest = (int64_t)(s->begun_ns - s->pm_sample[0].start_ns);
    }
    s->read_ns = after_ns;
    s->late_ns = s->latest - s->earliest > s->late_ns ? s->latest - s->earliest : s->late_ns;
}

void sampler_read_pm(struct grosr_sampler *s)
{
    char why[192];
    uint32_t count;
    bool lost;

    if (grosr_pm_read(s->pm, s->pm_sample, PM_SAMPLES, &count, &lost, why, sizeof(why))) {
        sampler_report(s, "the SMs of GPU %u are no longer sampled: %s", s->sampling.gpu, why);
        grosr_pm_stop(s->pm);
        s->pm = NULL;
        return;
    }
    if (lost && !s->pm_loss_reported)
        sampler_report(s, "samples of GPU %u's SMs were lost: they were not read in time", s->sampling.gpu);
    s->pm_loss_reported |= lost;
    if (count)
        compare_clocks(s, grosr_host_clock_ns(), s->pm_sample[count - 1].end_ns);
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t k = 0; k < GROSR_PM_METRICS_COUNT; k++) {
            const struct grosr_pm_sample *p = &s->pm_sample[i];
            if (!isnan(p->value[k]))
                sampler_put(s, (struct sampler_value){p->start_ns + (uint64_t)s->latest, p->start_ns,
                                                      PM_SLOT + k, p->value[k]});
        }
}
