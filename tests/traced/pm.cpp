/*
 * Stands in for CUPTI's PM sampling, and for the driver that it works through, as tests/cli/counters.t wants
 * them. The GPU's clock is CLOCK_MONOTONIC and AHEAD_NS more. The first sample spans the 10 s before; of each
 * 12.5 % of the warps are active, and of the cycles as many per cent as its start is ms into its tenth of a
 * second, by CLOCK_MONOTONIC. The environment says what goes wrong:
 *
 *     GROSR_PM_FAIL=CALL,CODE[,N]  that call fails, from its N-th on
 *     GROSR_PM_LOSE=N              what there is at decoding N found no room
 */
#include <cupti.h>
#include <cupti_pmsampling.h>
#include <cupti_profiler_host.h>
#include <cupti_profiler_target.h>
#include <cupti_target.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define AHEAD_NS 900000000000000000u
#define IMAGE    4096u /* bytes: nothing is in it */

static uint64_t interval_ns, begun_ns; /* of sampling, by the GPU's clock */
static uint64_t done, decoded;         /* samples before the image's, and in it */
static char object;
static bool enabled, image_is_empty;
static size_t room;

static uint64_t now_ns()
{
    timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec + AHEAD_NS;
}

/* What a call returns, unless it is wrong in itself. */
static CUptiResult result(const char *call, bool right = true)
{
    static unsigned calls;
    const char *text = getenv("GROSR_PM_FAIL");
    char name[32];
    unsigned code, when = 1;

    if (!right)
        return CUPTI_ERROR_INVALID_PARAMETER;
    if (!text || sscanf(text, "%31[^,],%u,%u", name, &code, &when) < 2 || strcmp(name, call))
        return CUPTI_SUCCESS;
    return ++calls >= when ? (CUptiResult)code : CUPTI_SUCCESS;
}

static uint64_t start_of(uint64_t sample)
{
    return sample == 0 ? begun_ns - 10000000000u : begun_ns + (sample - 1) * interval_ns;
}

extern "C" {

CUresult cuInit(unsigned flags)
{
    return flags || getenv("GROSR_PM_NO_DEVICE") ? CUDA_ERROR_NO_DEVICE : CUDA_SUCCESS;
}

CUresult cuDeviceGetCount(int *count)
{
    const char *text = getenv("GROSR_PM_DEVICES");

    *count = text ? atoi(text) : 1;
    return CUDA_SUCCESS;
}

CUptiResult cuptiGetVersion(uint32_t *version)
{
    *version = CUPTI_API_VERSION;
    return CUPTI_SUCCESS;
}

CUptiResult cuptiGetResultString(CUptiResult code, const char **text)
{
    *text = code == CUPTI_ERROR_NOT_SUPPORTED ? "CUPTI_ERROR_NOT_SUPPORTED" : "another";
    return CUPTI_SUCCESS;
}

CUptiResult cuptiProfilerInitialize(CUpti_Profiler_Initialize_Params *)
{
    return result("initialize");
}

CUptiResult cuptiDeviceGetChipName(CUpti_Device_GetChipName_Params *p)
{
    p->pChipName = "STANDIN";
    return result("chip", p->deviceIndex == 0);
}

CUptiResult cuptiPmSamplingGetCounterAvailability(CUpti_PmSampling_GetCounterAvailability_Params *p)
{
    p->counterAvailabilityImageSize = 16;
    return result("availability");
}

CUptiResult cuptiProfilerHostInitialize(CUpti_Profiler_Host_Initialize_Params *p)
{
    p->pHostObject = (CUpti_Profiler_Host_Object *)&object;
    return result("host", p->profilerType == CUPTI_PROFILER_TYPE_PM_SAMPLING &&
                              !strcmp(p->pChipName, "STANDIN") && p->pCounterAvailabilityImage);
}

CUptiResult cuptiProfilerHostDeinitialize(CUpti_Profiler_Host_Deinitialize_Params *)
{
    return result("host_end", !enabled);
}

CUptiResult cuptiProfilerHostConfigAddMetrics(CUpti_Profiler_Host_ConfigAddMetrics_Params *p)
{
    return result("metrics", p->numMetrics == 2 && !strncmp(p->ppMetricNames[0], "sm__warps_active.", 17) &&
                                 !strncmp(p->ppMetricNames[1], "sm__cycles_active.", 18));
}

CUptiResult cuptiProfilerHostGetConfigImageSize(CUpti_Profiler_Host_GetConfigImageSize_Params *p)
{
    p->configImageSize = IMAGE;
    return CUPTI_SUCCESS;
}

CUptiResult cuptiProfilerHostGetConfigImage(CUpti_Profiler_Host_GetConfigImage_Params *p)
{
    return result("config", p->configImageSize == IMAGE);
}

CUptiResult cuptiProfilerHostEvaluateToGpuValues(CUpti_Profiler_Host_EvaluateToGpuValues_Params *p)
{
    p->pMetricValues[0] = 12.5;
    p->pMetricValues[1] = (double)((start_of(done + p->rangeIndex) - AHEAD_NS) % 100000000) / 1e6;
    return result("evaluate", p->rangeIndex < decoded);
}

CUptiResult cuptiPmSamplingEnable(CUpti_PmSampling_Enable_Params *p)
{
    CUptiResult code = result("enable");

    p->pPmSamplingObject = (CUpti_PmSampling_Object *)&object;
    enabled = code == CUPTI_SUCCESS;
    return code;
}

CUptiResult cuptiPmSamplingSetConfig(CUpti_PmSampling_SetConfig_Params *p)
{
    interval_ns = p->samplingInterval;
    return result("set", p->configSize == IMAGE &&
                             p->triggerMode == CUPTI_PM_SAMPLING_TRIGGER_MODE_GPU_TIME_INTERVAL);
}

CUptiResult cuptiPmSamplingGetCounterDataSize(CUpti_PmSampling_GetCounterDataSize_Params *p)
{
    p->counterDataSize = IMAGE;
    room = p->maxSamples;
    return CUPTI_SUCCESS;
}

CUptiResult cuptiPmSamplingCounterDataImageInitialize(CUpti_PmSampling_CounterDataImage_Initialize_Params *p)
{
    done += decoded;
    decoded = 0;
    image_is_empty = true;
    return result("clear", p->counterDataSize == IMAGE && p->pCounterData);
}

CUptiResult cuptiPmSamplingStart(CUpti_PmSampling_Start_Params *)
{
    begun_ns = now_ns();
    return result("start", enabled);
}

CUptiResult cuptiPmSamplingDecodeData(CUpti_PmSampling_DecodeData_Params *p)
{
    static unsigned calls;
    const char *lose = getenv("GROSR_PM_LOSE");
    uint64_t all = 1 + (now_ns() - begun_ns) / interval_ns;

    decoded = all - done < room ? all - done : room;
    p->overflow = lose && ++calls == (unsigned)atoi(lose);
    bool right = image_is_empty;
    image_is_empty = false;
    return result("decode", right);
}

CUptiResult cuptiPmSamplingGetCounterDataInfo(CUpti_PmSampling_GetCounterDataInfo_Params *p)
{
    p->numTotalSamples = room;
    p->numPopulatedSamples = p->numCompletedSamples = decoded;
    return CUPTI_SUCCESS;
}

CUptiResult cuptiPmSamplingCounterDataGetSampleInfo(CUpti_PmSampling_CounterData_GetSampleInfo_Params *p)
{
    p->startTimestamp = start_of(done + p->sampleIndex);
    p->endTimestamp = start_of(done + p->sampleIndex + 1);
    return result("info", p->sampleIndex < decoded);
}

CUptiResult cuptiPmSamplingStop(CUpti_PmSampling_Stop_Params *)
{
    return result("stop", enabled);
}

CUptiResult cuptiPmSamplingDisable(CUpti_PmSampling_Disable_Params *)
{
    enabled = false;
    return result("disable");
}
}
