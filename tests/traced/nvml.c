/*
 * Stands in for NVIDIA's libnvidia-ml.so.1, as tests/cli/counters.t wants it. There are two GPUs; readings of
 * the second are 1000 more, and it has no throttle reasons to tell. The environment says what goes wrong:
 *
 *     GROSR_NVML_INIT=CODE    nvmlInit fails
 *     GROSR_NVML_GPUS=N       so many GPUs
 *     GROSR_NVML_HANG=S,N     reading N of the power takes S seconds
 *     GROSR_NVML_FAIL=CODE,N  from reading N of the power on, everything that is read fails
 *
 * It names nothing of NVML's header, so that a build without the CUDA toolkit has it too.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define NOT_SUPPORTED 3

int nvmlInit_v2(void);
int nvmlSystemGetDriverVersion(char *to, unsigned size);
int nvmlDeviceGetCount_v2(unsigned *count);
int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device);
int nvmlDeviceGetHandleByPciBusId_v2(const char *pci, void **device);
int nvmlDeviceGetClockInfo(void *device, int which, unsigned *mhz);
int nvmlDeviceGetMaxClockInfo(void *device, int which, unsigned *mhz);
int nvmlDeviceGetPowerUsage(void *device, unsigned *mw);
int nvmlDeviceGetTemperature(void *device, int sensor, unsigned *celsius);
int nvmlDeviceGetMemoryInfo(void *device, unsigned long long *total_free_used);
int nvmlDeviceGetCurrentClocksThrottleReasons(void *device, unsigned long long *reasons);
int nvmlDeviceGetCurrPcieLinkGeneration(void *device, unsigned *generation);
int nvmlDeviceGetCurrPcieLinkWidth(void *device, unsigned *width);

static int gpus[64]; /* a handle is the address of one */
static unsigned readings;

/* "2,5": the two numbers of a variable; 0 and 0 if it is not set. */
static void ask(const char *name, int *what, unsigned *when)
{
    const char *text = getenv(name);

    *what = 0;
    *when = 0;
    if (text)
        sscanf(text, "%d,%u", what, when);
}

static int failure(void)
{
    int code;
    unsigned when;

    ask("GROSR_NVML_FAIL", &code, &when);
    return readings >= when ? code : 0;
}

static unsigned number_of(const void *device)
{
    return (unsigned)((const int *)device - gpus);
}

static int give(const void *device, unsigned *to, unsigned value)
{
    *to = value + 1000 * number_of(device);
    return failure();
}

int nvmlInit_v2(void)
{
    int code;
    unsigned unused;

    ask("GROSR_NVML_INIT", &code, &unused);
    return code;
}

int nvmlSystemGetDriverVersion(char *to, unsigned size)
{
    snprintf(to, size, "1.2.3");
    return 0;
}

int nvmlDeviceGetCount_v2(unsigned *count)
{
    const char *text = getenv("GROSR_NVML_GPUS");

    *count = text ? (unsigned)atoi(text) : 2;
    return 0;
}

int nvmlDeviceGetHandleByIndex_v2(unsigned index, void **device)
{
    *device = &gpus[index];
    return 0;
}

int nvmlDeviceGetHandleByPciBusId_v2(const char *pci, void **device)
{
    *device = gpus;
    return strcmp(pci, "0000:01:00.0") ? 6 : 0; /* NVML_ERROR_NOT_FOUND */
}

int nvmlDeviceGetClockInfo(void *device, int which, unsigned *mhz)
{
    return give(device, mhz, which == 2 ? 2619 : 1980);
}

int nvmlDeviceGetMaxClockInfo(void *device, int which, unsigned *mhz)
{
    return give(device, mhz, which == 2 ? 2619 : 1980);
}

int nvmlDeviceGetPowerUsage(void *device, unsigned *mw)
{
    int seconds;
    unsigned when;

    readings++;
    ask("GROSR_NVML_HANG", &seconds, &when);
    if (seconds && readings == when) {
        struct timespec pause = {seconds, 0};
        nanosleep(&pause, NULL);
    }
    return give(device, mw, 123456);
}

int nvmlDeviceGetTemperature(void *device, int sensor, unsigned *celsius)
{
    return sensor ? NOT_SUPPORTED : give(device, celsius, 41);
}

int nvmlDeviceGetMemoryInfo(void *device, unsigned long long *total_free_used)
{
    total_free_used[0] = 80ull << 30;
    total_free_used[2] = 3ull << 30;
    total_free_used[1] = total_free_used[0] - total_free_used[2];
    return number_of(device) < 64 ? failure() : NOT_SUPPORTED;
}

int nvmlDeviceGetCurrentClocksThrottleReasons(void *device, unsigned long long *reasons)
{
    *reasons = 0x24;
    return number_of(device) ? NOT_SUPPORTED : failure();
}

int nvmlDeviceGetCurrPcieLinkGeneration(void *device, unsigned *generation)
{
    return give(device, generation, 5);
}

int nvmlDeviceGetCurrPcieLinkWidth(void *device, unsigned *width)
{
    return give(device, width, 16);
}
