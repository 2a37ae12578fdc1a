/*
 * NVML, the GPU's management library: clocks, power, temperature, the PCIe link. One table of symbols, loaded
 * with dlopen; the few prototypes are declared here, so that a build without the CUDA toolkit has them too.
 * It is never needed: what it does not tell is NAN or 0.
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

/* "580.65.06", or "". */
void grosr_nvml_driver_version(char *to, size_t size);

#endif
