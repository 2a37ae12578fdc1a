/*
 * Loads NVML's symbols, and turns its codes into "not known" (nvml.h).
 */
#include "nvml.h"

#include <dlfcn.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>

/* Values of NVML's enumerations (nvml.h of the CUDA toolkit). */
#define NVML_OK         0
#define NVML_CLOCK_SM   1
#define NVML_CLOCK_MEM  2
#define NVML_SENSOR_GPU 0
#define NVML_STRING_MAX 96

/* nvmlMemory_t */
struct nvml_memory {
    unsigned long long total, free, used;
};

/* The one table of symbols: member, symbol (as versioned in the library), prototype. */
#define NVML_SYMBOLS(X)                                                                                 \
    X(init, "nvmlInit_v2", (void))                                                                      \
    X(driver_version, "nvmlSystemGetDriverVersion", (char *, unsigned))                                 \
    X(by_pci, "nvmlDeviceGetHandleByPciBusId_v2", (const char *, grosr_nvml_device *))                  \
    X(count, "nvmlDeviceGetCount_v2", (unsigned *))                                                     \
    X(by_index, "nvmlDeviceGetHandleByIndex_v2", (unsigned, grosr_nvml_device *))                       \
    X(memory, "nvmlDeviceGetMemoryInfo", (grosr_nvml_device, struct nvml_memory *))                     \
    X(throttle, "nvmlDeviceGetCurrentClocksThrottleReasons", (grosr_nvml_device, unsigned long long *)) \
    X(clock, "nvmlDeviceGetClockInfo", (grosr_nvml_device, int, unsigned *))                            \
    X(clock_max, "nvmlDeviceGetMaxClockInfo", (grosr_nvml_device, int, unsigned *))                     \
    X(power, "nvmlDeviceGetPowerUsage", (grosr_nvml_device, unsigned *))                                \
    X(temperature, "nvmlDeviceGetTemperature", (grosr_nvml_device, int, unsigned *))                    \
    X(pcie_generation, "nvmlDeviceGetCurrPcieLinkGeneration", (grosr_nvml_device, unsigned *))          \
    X(pcie_width, "nvmlDeviceGetCurrPcieLinkWidth", (grosr_nvml_device, unsigned *))

static struct {
#define X(member, symbol, arguments) int(*member) arguments;
    NVML_SYMBOLS(X)
#undef X
    char absent[128]; /* why there is no NVML, or "" */
} nvml;

static _Thread_local char find_failure[256];

static void load_nvml(void)
{
    void *library = dlopen("libnvidia-ml.so.1", RTLD_NOW | RTLD_LOCAL);
    int code;

    if (!library) {
        snprintf(nvml.absent, sizeof(nvml.absent), "no NVML: libnvidia-ml.so.1 cannot be loaded");
        return;
    }
#define X(member, symbol, arguments)                                                                    \
    *(void **)(void *)&nvml.member = dlsym(library, symbol);                                            \
    if (!nvml.member) {                                                                                 \
        snprintf(nvml.absent, sizeof(nvml.absent), "this driver's NVML is too old: it has no " symbol); \
        return;                                                                                         \
    }
    NVML_SYMBOLS(X)
#undef X
    code = nvml.init();
    if (code != NVML_OK)
        snprintf(nvml.absent, sizeof(nvml.absent), "NVML cannot be used: its code %d", code);
}

static bool load(void)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;

    pthread_once(&once, load_nvml);
    return !nvml.absent[0];
}

grosr_nvml_device grosr_nvml_find(const char *pci)
{
    grosr_nvml_device device = NULL;
    int code;

    if (!load()) {
        snprintf(find_failure, sizeof(find_failure), "%s", nvml.absent);
        return NULL;
    }
    code = nvml.by_pci(pci, &device);
    if (code == NVML_OK)
        return device;
    snprintf(find_failure, sizeof(find_failure), "NVML does not know the GPU at %s: its code %d", pci, code);
    return NULL;
}

int grosr_nvml_count(void)
{
    unsigned count = 0;
    int code;

    if (!load()) {
        snprintf(find_failure, sizeof(find_failure), "%s", nvml.absent);
        return -1;
    }
    code = nvml.count(&count);
    if (code == NVML_OK)
        return (int)count;
    snprintf(find_failure, sizeof(find_failure), "NVML cannot count the GPUs: its code %d", code);
    return -1;
}

grosr_nvml_device grosr_nvml_at(uint32_t index)
{
    grosr_nvml_device device = NULL;
    int code = load() ? nvml.by_index(index, &device) : NVML_OK;

    if (device)
        return device;
    snprintf(find_failure, sizeof(find_failure), "NVML does not give GPU %u: its code %d", index, code);
    return NULL;
}

const char *grosr_nvml_absent(void)
{
    return find_failure;
}

double grosr_nvml_power_w(grosr_nvml_device device)
{
    unsigned mw;

    return device && nvml.power(device, &mw) == NVML_OK ? mw / 1000.0 : NAN;
}

struct grosr_nvml_reading grosr_nvml_read(grosr_nvml_device device)
{
    struct grosr_nvml_reading r = {NAN, NAN, NAN, NAN, 0, 0};
    unsigned n;

    if (!device)
        return r;
    r.power_w = grosr_nvml_power_w(device);
    if (nvml.clock(device, NVML_CLOCK_SM, &n) == NVML_OK)
        r.sm_mhz = n;
    if (nvml.clock_max(device, NVML_CLOCK_SM, &n) == NVML_OK)
        r.sm_mhz_max = n;
    if (nvml.temperature(device, NVML_SENSOR_GPU, &n) == NVML_OK)
        r.temperature_c = n;
    if (nvml.pcie_generation(device, &n) == NVML_OK)
        r.pcie_generation = n;
    if (nvml.pcie_width(device, &n) == NVML_OK)
        r.pcie_width = n;
    return r;
}

int grosr_nvml_sample(grosr_nvml_device device, double values[GROSR_NVML_VALUES_COUNT])
{
    unsigned n[GROSR_NVML_VALUES_COUNT];
    unsigned long long reasons;
    struct nvml_memory memory;
    int code[GROSR_NVML_VALUES_COUNT] = {
        [GROSR_NVML_POWER] = nvml.power(device, &n[GROSR_NVML_POWER]),
        [GROSR_NVML_SM_CLOCK] = nvml.clock(device, NVML_CLOCK_SM, &n[GROSR_NVML_SM_CLOCK]),
        [GROSR_NVML_MEMORY_CLOCK] = nvml.clock(device, NVML_CLOCK_MEM, &n[GROSR_NVML_MEMORY_CLOCK]),
        [GROSR_NVML_TEMPERATURE] = nvml.temperature(device, NVML_SENSOR_GPU, &n[GROSR_NVML_TEMPERATURE]),
        [GROSR_NVML_THROTTLE] = nvml.throttle(device, &reasons),
        [GROSR_NVML_MEMORY] = nvml.memory(device, &memory),
    };
    int known = 0;

    for (int i = 0; i < GROSR_NVML_VALUES_COUNT; i++) {
        known += code[i] == NVML_OK;
        if (code[i] != NVML_OK)
            values[i] = NAN;
        else if (i == GROSR_NVML_POWER)
            values[i] = n[i] / 1000.0;
        else if (i == GROSR_NVML_THROTTLE)
            values[i] = (double)reasons;
        else if (i == GROSR_NVML_MEMORY)
            values[i] = (double)memory.used;
        else
            values[i] = n[i];
    }
    return known ? 0 : code[0];
}

void grosr_nvml_driver_version(char *to, size_t size)
{
    char text[NVML_STRING_MAX] = "";

    if (!load() || nvml.driver_version(text, sizeof(text)) != NVML_OK)
        text[0] = 0;
    snprintf(to, size, "%s", text);
}
