/*
 * NVML, the GPU's management library: clocks, power, temperature, memory, the PCIe link. One table of
 * symbols, loaded with dlopen; the few prototypes are declared here, so that a build without the CUDA toolkit
 * has them too. It is never needed: what it does not tell is NAN or 0.
 */
#ifndef GROSR_NVML_H
#define GROSR_NVML_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct nvmlDevice_st *grosr_nvml_device; /* NULL: none */

struct grosr_nvml_reading {
    double sm_mhz, sm_mhz_max, power_w, temperature_c;
    uint32_t pcie_generation, pcie_width; /* of the link as it is now; 0: not known */
};

/* The GPU at an address on the PCI bus, "0000:1b:00.0"; NULL: there is none, and grosr_nvml_absent() says
 * why. Any thread. */
grosr_nvml_device grosr_nvml_find(const char *pci);

/* Why grosr_nvml_find() last gave this thread NULL. */
const char *grosr_nvml_absent(void);

/* NULL: nothing is known. */
struct grosr_nvml_reading grosr_nvml_read(grosr_nvml_device device);

/* What the board draws now, as the driver averages it (about a second on current GPUs). NAN: not known. */
double grosr_nvml_power_w(grosr_nvml_device device);

/* Values that a recording samples: member of the enum, the counter's name and its unit. */
#define GROSR_NVML_VALUES(X)                \
    X(POWER, "power", "W")                  \
    X(SM_CLOCK, "SM clock", "MHz")          \
    X(MEMORY_CLOCK, "memory clock", "MHz")  \
    X(TEMPERATURE, "temperature", "C")      \
    X(THROTTLE, "throttle reasons", "mask") \
    X(MEMORY, "memory used", "bytes")

enum grosr_nvml_value {
#define X(member, name, unit) GROSR_NVML_##member,
    GROSR_NVML_VALUES(X)
#undef X
        GROSR_NVML_VALUES_COUNT
};

/* How many GPUs NVML shows; -1: there is no NVML, and grosr_nvml_absent() says why. May hang, as all may that
 * calls the driver. */
int grosr_nvml_count(void);

/* GPU `index`, as nvidia-smi numbers them; NULL as above. */
grosr_nvml_device grosr_nvml_at(uint32_t index);

/*
 * The values as they are now, in the units of GROSR_NVML_VALUES; NAN: not known. Throttle reasons are the
 * bits of nvmlClocksEventReason*: 4 the power cap, 8 a hardware slowdown, 0x20 and 0x40 heat, ... 0, or
 * NVML's code when none is known.
 */
int grosr_nvml_sample(grosr_nvml_device device, double values[GROSR_NVML_VALUES_COUNT]);

/* "580.65.06", or "". */
void grosr_nvml_driver_version(char *to, size_t size);

#endif
