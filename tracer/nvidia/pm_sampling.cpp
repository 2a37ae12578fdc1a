/*
 * PM sampling through CUPTI (pm_sampling.h). C++ only because CUPTI's header of the profiler host is; it uses
 * nothing of C++'s library, which the command is not linked with.
 *
 * The order of calls: the chip and what it can count; a configuration of the metrics for it; sampling
 * enabled, configured and started; then, again and again, what has come is decoded into an image of fixed
 * size, each sample evaluated, and the image made empty. CUPTI's device is the number that CUDA gives it, and
 * needs the driver initialised, but no context.
 */
#include "cupti_find.h"
#include "pm_sampling.h"

#include <cupti.h>
#include <cupti_pmsampling.h>
#include <cupti_profiler_host.h>
#include <cupti_profiler_target.h>
#include <cupti_target.h>

#include <dlfcn.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BUFFER_BYTES (64u << 20) /* on the GPU's side, for what has not been decoded */
#define SAMPLES_MAX  4096u       /* decoded at once */

#define SYMBOLS(X)                                                                                           \
    X(result_string, "cuptiGetResultString", (CUptiResult, const char **))                                   \
    X(initialize, "cuptiProfilerInitialize", (CUpti_Profiler_Initialize_Params *))                           \
    X(chip_name, "cuptiDeviceGetChipName", (CUpti_Device_GetChipName_Params *))                              \
    X(availability, "cuptiPmSamplingGetCounterAvailability",                                                 \
      (CUpti_PmSampling_GetCounterAvailability_Params *))                                                    \
    X(host_initialize, "cuptiProfilerHostInitialize", (CUpti_Profiler_Host_Initialize_Params *))             \
    X(host_deinitialize, "cuptiProfilerHostDeinitialize", (CUpti_Profiler_Host_Deinitialize_Params *))       \
    X(add_metrics, "cuptiProfilerHostConfigAddMetrics", (CUpti_Profiler_Host_ConfigAddMetrics_Params *))     \
    X(config_size, "cuptiProfilerHostGetConfigImageSize", (CUpti_Profiler_Host_GetConfigImageSize_Params *)) \
    X(config, "cuptiProfilerHostGetConfigImage", (CUpti_Profiler_Host_GetConfigImage_Params *))              \
    X(evaluate, "cuptiProfilerHostEvaluateToGpuValues", (CUpti_Profiler_Host_EvaluateToGpuValues_Params *))  \
    X(enable, "cuptiPmSamplingEnable", (CUpti_PmSampling_Enable_Params *))                                   \
    X(set_config, "cuptiPmSamplingSetConfig", (CUpti_PmSampling_SetConfig_Params *))                         \
    X(image_size, "cuptiPmSamplingGetCounterDataSize", (CUpti_PmSampling_GetCounterDataSize_Params *))       \
    X(image_clear, "cuptiPmSamplingCounterDataImageInitialize",                                              \
      (CUpti_PmSampling_CounterDataImage_Initialize_Params *))                                               \
    X(start, "cuptiPmSamplingStart", (CUpti_PmSampling_Start_Params *))                                      \
    X(decode, "cuptiPmSamplingDecodeData", (CUpti_PmSampling_DecodeData_Params *))                           \
    X(image_info, "cuptiPmSamplingGetCounterDataInfo", (CUpti_PmSampling_GetCounterDataInfo_Params *))       \
    X(sample_info, "cuptiPmSamplingCounterDataGetSampleInfo",                                                \
      (CUpti_PmSampling_CounterData_GetSampleInfo_Params *))                                                 \
    X(stop, "cuptiPmSamplingStop", (CUpti_PmSampling_Stop_Params *))                                         \
    X(disable, "cuptiPmSamplingDisable", (CUpti_PmSampling_Disable_Params *))

static struct {
#define X(member, symbol, arguments) CUptiResult(CUPTIAPI *member) arguments;
    SYMBOLS(X)
#undef X
} cupti;

#define X(metric, unit) metric,
static const char *metrics[] = {GROSR_PM_METRICS(X)};
#undef X
static_assert(sizeof(metrics) / sizeof(metrics[0]) == GROSR_PM_METRICS_COUNT, "GROSR_PM_METRICS_COUNT");

struct grosr_pm {
    CUpti_Profiler_Host_Object *host;
    CUpti_PmSampling_Object *sampling;
    uint8_t *available, *config, *image;
    size_t config_bytes, image_bytes;
    const char *chip;
    bool started, first_is_dropped;
};

/* A parameter of CUPTI's calls, all zeros but for its size. */
#define PARAMETERS(type, name)      \
    type##_Params name;             \
    memset(&name, 0, sizeof(name)); \
    name.structSize = type##_Params_STRUCT_SIZE

/* The library, and the driver that it works through. *only: the driver shows one GPU. */
static bool load(bool *only, char *why, uint64_t size)
{
    void *library = grosr_cupti_open(CUPTI_API_VERSION / 10000, why, size);
    void *driver = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    int (*initialize_driver)(unsigned) = NULL;
    int (*count_devices)(int *) = NULL;
    int devices = 0;

    if (!library)
        return false;
#define X(member, symbol, arguments)                                                      \
    *(void **)(void *)&cupti.member = dlsym(library, symbol);                             \
    if (!cupti.member) {                                                                  \
        snprintf(why, size, "the CUPTI that was found is too old: it has no %s", symbol); \
        return false;                                                                     \
    }
    SYMBOLS(X)
#undef X
    if (driver) {
        *(void **)(void *)&initialize_driver = dlsym(driver, "cuInit");
        *(void **)(void *)&count_devices = dlsym(driver, "cuDeviceGetCount");
    }
    int code = initialize_driver ? initialize_driver(0) : -1;
    if (code)
        snprintf(why, size,
                 initialize_driver ? "there is no CUDA device: the driver's code %d"
                                   : "libcuda.so.1 cannot be loaded",
                 code);
    *only = code == 0 && count_devices && count_devices(&devices) == 0 && devices == 1;
    return code == 0;
}

/* Whether a call succeeded; else `why` says which did not. */
static bool good(CUptiResult code, const char *call, char *why, uint64_t size)
{
    const char *text = NULL;

    if (code == CUPTI_SUCCESS)
        return true;
    if (code == CUPTI_ERROR_INSUFFICIENT_PRIVILEGES ||
        code == CUPTI_ERROR_VIRTUALIZED_DEVICE_INSUFFICIENT_PRIVILEGES)
        snprintf(
            why, size,
            "the driver keeps performance counters to administrators (NVreg_RestrictProfilingToAdminUsers)");
    else if (cupti.result_string(code, &text) == CUPTI_SUCCESS && text)
        snprintf(why, size, "CUPTI, %s: %s", call, text);
    else
        snprintf(why, size, "CUPTI, %s: its code %d", call, (int)code);
    return false;
}

#define GOOD(call, parameters) good(cupti.call(&parameters), #call, why, size)

static bool describe_chip(struct grosr_pm *pm, uint32_t gpu, char *why, uint64_t size)
{
    PARAMETERS(CUpti_Profiler_Initialize, all);
    PARAMETERS(CUpti_Device_GetChipName, chip);
    PARAMETERS(CUpti_PmSampling_GetCounterAvailability, available);

    chip.deviceIndex = gpu;
    available.deviceIndex = gpu;
    if (!GOOD(initialize, all) || !GOOD(chip_name, chip) || !GOOD(availability, available))
        return false;
    pm->chip = chip.pChipName;
    pm->available = (uint8_t *)calloc(1, available.counterAvailabilityImageSize);
    available.pCounterAvailabilityImage = pm->available;
    return pm->available && GOOD(availability, available);
}

static bool configure(struct grosr_pm *pm, char *why, uint64_t size)
{
    PARAMETERS(CUpti_Profiler_Host_Initialize, host);
    PARAMETERS(CUpti_Profiler_Host_ConfigAddMetrics, add);
    PARAMETERS(CUpti_Profiler_Host_GetConfigImageSize, bytes);
    PARAMETERS(CUpti_Profiler_Host_GetConfigImage, image);

    host.profilerType = CUPTI_PROFILER_TYPE_PM_SAMPLING;
    host.pChipName = pm->chip;
    host.pCounterAvailabilityImage = pm->available;
    if (!GOOD(host_initialize, host))
        return false;
    add.pHostObject = bytes.pHostObject = image.pHostObject = pm->host = host.pHostObject;
    add.ppMetricNames = metrics;
    add.numMetrics = GROSR_PM_METRICS_COUNT;
    if (!GOOD(add_metrics, add) || !GOOD(config_size, bytes))
        return false;
    pm->config_bytes = bytes.configImageSize;
    pm->config = (uint8_t *)calloc(1, pm->config_bytes);
    image.configImageSize = pm->config_bytes;
    image.pConfigImage = pm->config;
    return pm->config && GOOD(config, image);
}

static bool clear_image(struct grosr_pm *pm, char *why, uint64_t size)
{
    PARAMETERS(CUpti_PmSampling_CounterDataImage_Initialize, clear);

    clear.pPmSamplingObject = pm->sampling;
    clear.counterDataSize = pm->image_bytes;
    clear.pCounterData = pm->image;
    return GOOD(image_clear, clear);
}

static bool start(struct grosr_pm *pm, uint32_t gpu, uint64_t interval_ns, uint64_t *begun_ns, char *why,
                  uint64_t size)
{
    PARAMETERS(CUpti_PmSampling_Enable, enable);
    PARAMETERS(CUpti_PmSampling_SetConfig, set);
    PARAMETERS(CUpti_PmSampling_GetCounterDataSize, bytes);
    PARAMETERS(CUpti_PmSampling_Start, go);

    enable.deviceIndex = gpu;
    if (!GOOD(enable, enable))
        return false;
    set.pPmSamplingObject = bytes.pPmSamplingObject = go.pPmSamplingObject = pm->sampling =
        enable.pPmSamplingObject;
    set.configSize = pm->config_bytes;
    set.pConfig = pm->config;
    set.hardwareBufferSize = BUFFER_BYTES;
    set.samplingInterval = interval_ns;
    set.triggerMode = CUPTI_PM_SAMPLING_TRIGGER_MODE_GPU_TIME_INTERVAL;
    bytes.pMetricNames = metrics;
    bytes.numMetrics = GROSR_PM_METRICS_COUNT;
    bytes.maxSamples = SAMPLES_MAX;
    if (!GOOD(set_config, set) || !GOOD(image_size, bytes))
        return false;
    pm->image_bytes = bytes.counterDataSize;
    pm->image = (uint8_t *)calloc(1, pm->image_bytes);
    if (!pm->image || !clear_image(pm, why, size))
        return false;
    timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    *begun_ns = (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
    pm->started = GOOD(start, go);
    return pm->started;
}

int grosr_pm_start(struct grosr_pm **out, uint32_t gpu, uint64_t interval_ns, uint64_t *begun_ns, bool *only,
                   char *why, uint64_t size)
{
    struct grosr_pm *pm = (struct grosr_pm *)calloc(1, sizeof(*pm));

    snprintf(why, size, "out of memory");
    if (pm && load(only, why, size) && describe_chip(pm, gpu, why, size) && configure(pm, why, size) &&
        start(pm, gpu, interval_ns, begun_ns, why, size)) {
        *out = pm;
        return 0;
    }
    grosr_pm_stop(pm);
    return -ENOTSUP;
}

/* Sample `index` of the image. */
static bool read_sample(struct grosr_pm *pm, size_t index, struct grosr_pm_sample *to, char *why,
                        uint64_t size)
{
    PARAMETERS(CUpti_PmSampling_CounterData_GetSampleInfo, info);
    PARAMETERS(CUpti_Profiler_Host_EvaluateToGpuValues, values);

    info.pPmSamplingObject = pm->sampling;
    info.pCounterDataImage = values.pCounterDataImage = pm->image;
    info.counterDataImageSize = values.counterDataImageSize = pm->image_bytes;
    info.sampleIndex = values.rangeIndex = index;
    values.pHostObject = pm->host;
    values.ppMetricNames = metrics;
    values.numMetrics = GROSR_PM_METRICS_COUNT;
    values.pMetricValues = to->value;
    if (!GOOD(sample_info, info) || !GOOD(evaluate, values))
        return false;
    to->start_ns = info.startTimestamp;
    to->end_ns = info.endTimestamp;
    return true;
}

int grosr_pm_read(struct grosr_pm *pm, struct grosr_pm_sample *samples, uint32_t most, uint32_t *count,
                  bool *lost, char *why, uint64_t size)
{
    PARAMETERS(CUpti_PmSampling_DecodeData, decode);
    PARAMETERS(CUpti_PmSampling_GetCounterDataInfo, info);

    *count = 0;
    decode.pPmSamplingObject = pm->sampling;
    decode.pCounterDataImage = pm->image;
    decode.counterDataImageSize = info.counterDataImageSize = pm->image_bytes;
    info.pCounterDataImage = pm->image;
    if (!GOOD(decode, decode) || !GOOD(image_info, info))
        return -EIO;
    *lost = decode.overflow != 0;
    for (size_t i = 0; i < info.numCompletedSamples && *count < most; i++) {
        if (!read_sample(pm, i, &samples[*count], why, size))
            return -EIO;
        /* The first one spans all the time since the GPU was last sampled. */
        if (pm->first_is_dropped)
            ++*count;
        pm->first_is_dropped = true;
    }
    return clear_image(pm, why, size) ? 0 : -EIO;
}

void grosr_pm_stop(struct grosr_pm *pm)
{
    PARAMETERS(CUpti_PmSampling_Stop, stop);
    PARAMETERS(CUpti_PmSampling_Disable, disable);
    PARAMETERS(CUpti_Profiler_Host_Deinitialize, host);

    if (!pm)
        return;
    stop.pPmSamplingObject = disable.pPmSamplingObject = pm->sampling;
    host.pHostObject = pm->host;
    if (pm->started)
        cupti.stop(&stop);
    if (pm->sampling)
        cupti.disable(&disable);
    if (pm->host)
        cupti.host_deinitialize(&host);
    free(pm->available);
    free(pm->config);
    free(pm->image);
    free(pm);
}
