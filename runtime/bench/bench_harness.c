/*
 * What the experiments share: opening a runtime on the report's device, waits that end, the points of a
 * sweep.
 */
#include "bench.h"

#include "../../tracer/clock/clock.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/* For what must end in time. A task takes far less than TIMEOUT_TASK_NS on any device. */
#define TIMEOUT_NS      60000000000u
#define TIMEOUT_TASK_NS 100000u

bool grosr_bench_on_cuda(const struct grosr_bench_report *report)
{
    return !strcmp(report->device.device, "cuda");
}

int grosr_bench_open(const struct grosr_bench_report *report, uint32_t workers, uint32_t sms, grosr **rt)
{
    struct grosr_options options = GROSR_OPTIONS_DEFAULT;
    char device[32];

    snprintf(device, sizeof(device), grosr_bench_on_cuda(report) ? "cuda:%u" : "host",
             report->device.ordinal);
    options.device = device;
    options.name = "bench";
    options.workers = workers;
    options.sms = sms;
    options.level = GROSR_LEVEL_OFF; /* as the baselines: untraced */
    return grosr_open(rt, &options);
}

int grosr_bench_wait(grosr *rt, uint64_t task, uint64_t tasks)
{
    int err = grosr_wait(rt, task, TIMEOUT_NS + tasks * TIMEOUT_TASK_NS);

    if (err == -ETIMEDOUT)
        grosr_stop(rt);
    return err;
}

int grosr_bench_sleep(const struct grosr_bench_options *o, uint64_t ns)
{
    uint64_t start = grosr_host_clock_ns(), passed = 0;

    while (passed < ns) {
        uint64_t left = ns - passed < 50000000u ? ns - passed : 50000000u;
        struct timespec pause = {0, (long)left};
        if (*o->stop)
            return -ECANCELED;
        nanosleep(&pause, NULL);
        passed = grosr_host_clock_ns() - start;
    }
    return 0;
}

uint32_t grosr_bench_sweep(uint64_t most, uint64_t count[GROSR_BENCH_SWEEP])
{
    static const uint64_t steps[] = {1, 2, 5};
    uint64_t decade = 1000;
    uint32_t n = 0;

    while (decade > 1 && decade > most / 10)
        decade /= 10;
    for (uint32_t i = 0; decade * steps[i % 3] < most && n < GROSR_BENCH_SWEEP - 1; i++) {
        count[n++] = decade * steps[i % 3];
        if (i % 3 == 2)
            decade *= 10;
    }
    count[n++] = most;
    return n;
}
