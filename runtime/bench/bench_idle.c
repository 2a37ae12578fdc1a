/*
 * What an idle persistent kernel costs: the power it draws and the CPU time its process uses while nothing is
 * submitted, and how much longer other kernels take beside it. Each runtime runs a task before and after, so
 * that what was measured was a runtime at work.
 */
#include "bench.h"

#include "../../tracer/clock/clock.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define SETTLE_NS       1500000000u /* NVML's power is an average over the last second */
#define POWER_NS        100000000u  /* between readings */
#define POWER_SAMPLES   25u
#define CPU_SETTLE_NS   100000000u
#define CPU_NS          200000000u /* a sample */
#define FEW_SMS_DIVISOR 16u
#define WARM_UP         2u

/* The most samples that one of these series takes. */
static uint32_t room(const struct grosr_bench_options *o)
{
    return o->repetitions > POWER_SAMPLES ? o->repetitions : POWER_SAMPLES;
}

struct idle {
    const struct grosr_bench_options *options;
    struct grosr_bench_report *report;
    struct grosr_bench_beside *beside; /* NULL on the host device */
    double *samples;
    double alone_ns[GROSR_BENCH_KERNELS]; /* medians */
};

static const char *const kernel_name[GROSR_BENCH_KERNELS] = {
    [GROSR_BENCH_COMPUTE] = "compute-bound kernel",
    [GROSR_BENCH_COPY] = "memory-bound copy",
};

static int measure_power(struct idle *s, const char *series, bool baseline)
{
    grosr_nvml_device gpu = s->report->machine.gpu;
    int err;

    grosr_bench_begin(s->report, series, baseline);
    if (isnan(grosr_nvml_power_w(gpu))) {
        grosr_bench_add_unknown(s->report, series, baseline, GROSR_BENCH_WATTS,
                                gpu ? "NVML does not tell this GPU's power" : s->report->machine.nvml_absent);
        return 0;
    }
    err = grosr_bench_sleep(s->options, SETTLE_NS);
    for (uint32_t i = 0; !err && i < POWER_SAMPLES; i++) {
        err = grosr_bench_sleep(s->options, POWER_NS);
        s->samples[i] = grosr_nvml_power_w(gpu);
        if (!err && isnan(s->samples[i]))
            err = grosr_fail(EIO, "NVML no longer tells the GPU's power");
    }
    if (!err)
        grosr_bench_add_value(s->report, series, baseline, GROSR_BENCH_WATTS, s->samples, POWER_SAMPLES);
    return err;
}

static uint64_t cpu_time_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int measure_cpu(struct idle *s, const char *series, bool baseline)
{
    int err = grosr_bench_sleep(s->options, CPU_SETTLE_NS);

    grosr_bench_begin(s->report, series, baseline);
    for (uint32_t i = 0; !err && i < s->options->repetitions; i++) {
        uint64_t start = grosr_host_clock_ns(), used = cpu_time_ns();
        err = grosr_bench_sleep(s->options, CPU_NS);
        s->samples[i] = (double)(cpu_time_ns() - used) / (double)(grosr_host_clock_ns() - start);
    }
    if (!err)
        grosr_bench_add_value(s->report, series, baseline, GROSR_BENCH_CPU, s->samples,
                              s->options->repetitions);
    return err;
}

/* Times of a kernel, in the order they were taken. */
static int time_kernel(struct idle *s, enum grosr_bench_kernel kernel)
{
    int err = 0;

    for (uint32_t i = 0; !err && i < WARM_UP + s->options->repetitions; i++) {
        double ns;
        grosr_bench_round(s->report, i, WARM_UP);
        err = grosr_bench_beside_run(s->beside, kernel, &ns, s->report);
        if (i >= WARM_UP)
            s->samples[i - WARM_UP] = ns;
        if (!err && *s->options->stop)
            err = -ECANCELED;
    }
    return err;
}

static int measure_alone(struct idle *s)
{
    char series[80];
    int err = 0;

    for (int k = 0; !err && k < GROSR_BENCH_KERNELS; k++) {
        snprintf(series, sizeof(series), "%s, alone", kernel_name[k]);
        grosr_bench_begin(s->report, series, true);
        err = time_kernel(s, (enum grosr_bench_kernel)k);
        if (err)
            break;
        grosr_bench_add_value(s->report, series, true, GROSR_BENCH_LATENCY, s->samples,
                              s->options->repetitions);
        s->alone_ns[k] = s->samples[s->options->repetitions / 2]; /* sorted by now */
    }
    return err;
}

static int measure_beside(struct idle *s, const char *runtime)
{
    int err = 0;

    for (int k = 0; s->beside && !err && k < GROSR_BENCH_KERNELS; k++) {
        char series[128];
        snprintf(series, sizeof(series), "%s beside %s", kernel_name[k], runtime);
        grosr_bench_begin(s->report, series, false);
        err = time_kernel(s, (enum grosr_bench_kernel)k);
        if (err == -ETIMEDOUT) {
            grosr_bench_add_unknown(s->report, series, false, GROSR_BENCH_SLOWDOWN, grosr_error());
            return 0; /* nor would the next one start: it is behind this one */
        }
        for (uint32_t i = 0; !err && i < s->options->repetitions; i++)
            s->samples[i] /= s->alone_ns[k];
        if (!err)
            grosr_bench_add_value(s->report, series, false, GROSR_BENCH_SLOWDOWN, s->samples,
                                  s->options->repetitions);
    }
    return err;
}

/* One task, checked. */
static int try_runtime(struct idle *s, grosr *rt, const char *series)
{
    struct grosr_task task = {.function = GROSR_FN_ADD, .a = 7, .b = 21};
    struct grosr_result result = {0, -1};
    uint64_t first;
    int err;

    grosr_bench_begin(s->report, series, false);
    err = grosr_submit(rt, &task, 1, &result, &first);
    if (!err)
        err = grosr_bench_wait(rt, first + 1, 1);
    if (!err)
        grosr_bench_check_result(s->report, first, grosr_bench_result(7), &result);
    return err;
}

static int measure_runtime(struct idle *s, uint32_t workers, uint32_t sms)
{
    char name[64], series[80], beside[80];
    grosr *rt = NULL;
    int err, ended;

    if (s->beside)
        snprintf(name, sizeof(name), "%u worker%s on %u SM%s", workers, workers > 1 ? "s" : "", sms,
                 sms > 1 ? "s" : "");
    else
        snprintf(name, sizeof(name), "%u worker%s", workers, workers > 1 ? "s" : "");
    snprintf(series, sizeof(series), "GROSR, idle, %s", name);
    snprintf(beside, sizeof(beside), "idle GROSR, %s", name);
    grosr_bench_begin(s->report, series, false);
    if ((err = grosr_bench_open(s->report, workers, sms, &rt)))
        return err;
    if (!(err = try_runtime(s, rt, series)) && s->beside)
        err = measure_power(s, series, false);
    if (!err)
        err = measure_cpu(s, series, false);
    if (!err)
        err = measure_beside(s, beside);
    if (!err)
        err = try_runtime(s, rt, series);
    ended = grosr_close(rt);
    err = err ? err : ended;
    if (s->beside) { /* what found no room beside the runtime runs now */
        ended = grosr_bench_beside_end(s->beside);
        err = err ? err : ended;
    }
    return err;
}

int grosr_bench_idle(const struct grosr_bench_options *o, struct grosr_bench_report *report)
{
    bool cuda = grosr_bench_on_cuda(report);
    uint32_t all = cuda ? report->device.sms : 0, few = all / FEW_SMS_DIVISOR ? all / FEW_SMS_DIVISOR : 1;
    uint32_t workers = o->workers ? o->workers : report->device.default_workers;
    struct idle s = {.options = o, .report = report, .samples = grosr_bench_samples(room(o))};
    int err = s.samples ? 0 : -ENOMEM;

    grosr_bench_begin(report, "kernels beside the runtime", true);
    if (!err && cuda)
        err = grosr_bench_beside_open(&s.beside, report);
    if (!err && cuda)
        err = measure_power(&s, "no kernel", true);
    if (!err)
        err = measure_cpu(&s, cuda ? "no kernel" : "no runtime", true);
    if (!err && cuda)
        err = measure_alone(&s);
    if (!err)
        err = measure_runtime(&s, workers, cuda && workers > all ? all : workers);
    if (!err && cuda && workers != all)
        err = measure_runtime(&s, all, all); /* one on each SM */
    if (!err && cuda && few < all) {
        uint32_t per_sm = workers / all ? workers / all : 1;
        err = measure_runtime(&s, few * per_sm, few);
    }
    if (!err && !cuda && workers > 1)
        err = measure_runtime(&s, 1, 1);
    grosr_bench_beside_close(s.beside);
    free(s.samples);
    return err;
}
