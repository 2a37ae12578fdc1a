/*
 * In place of device_cuda.c in a build without the CUDA toolkit.
 */
#include "device_ops.h"

#include <errno.h>

static const char absent[] = "this grosr was built without the CUDA toolkit";

uint32_t grosr_cuda_devices(struct grosr_device_info *devices, uint32_t first, uint32_t max, const char **why)
{
    (void)devices;
    (void)first;
    (void)max;
    *why = absent;
    return 0;
}

/* Never loaded. */
extern const unsigned char grosr_kernel_fatbin[];
const unsigned char grosr_kernel_fatbin[] = {0};
extern const unsigned char grosr_kernel_services_fatbin[];
const unsigned char grosr_kernel_services_fatbin[] = {0};
extern const unsigned char grosr_kernel_calls_fatbin[];
const unsigned char grosr_kernel_calls_fatbin[] = {0};
extern const unsigned char grosr_kernel_stalls_fatbin[];
const unsigned char grosr_kernel_stalls_fatbin[] = {0};

static int none_open(struct grosr_device **device, uint32_t ordinal, const struct grosr_program *program,
                     struct grosr_device_info *info)
{
    (void)program;
    (void)device;
    (void)ordinal;
    (void)info;
    return grosr_fail(ENODEV, "%s", absent);
}

const struct grosr_device_ops grosr_device_cuda = {.name = "cuda", .open = none_open};
