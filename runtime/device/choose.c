/*
 * Which devices there are, and which of them a name stands for: "auto", "cuda", "cuda:N" or "host".
 */
#include "device_ops.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Whether a name is that of a GPU, and the number of which. -EINVAL: it is no device's name. */
static int parse_device(const char *name, bool *cuda, uint32_t *ordinal)
{
    const char *digits = name + strlen("cuda:");

    *ordinal = 0;
    *cuda = !strncmp(name, "cuda", strlen("cuda"));
    if (!strcmp(name, "cuda") || !strcmp(name, "host"))
        return 0;
    if (strncmp(name, "cuda:", strlen("cuda:")) || !*digits || digits[strspn(digits, "0123456789")])
        return grosr_fail(EINVAL, "there is no kind of device called '%s': auto, cuda, cuda:N or host", name);
    unsigned long n = strtoul(digits, NULL, 10);
    *ordinal = n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
    return 0;
}

/* Describes GPU `ordinal`. -ENODEV: there is none. */
static int find_cuda(uint32_t ordinal, struct grosr_device_info *device)
{
    const char *why;
    uint32_t n = grosr_cuda_devices(device, ordinal, 1, &why);

    if (!n)
        return grosr_fail(ENODEV, "no CUDA device: %s", why);
    if (ordinal >= n)
        return grosr_fail(ENODEV, "there is no CUDA device %u: the last is number %u", ordinal, n - 1);
    return 0;
}

int grosr_find_device(const char *name, struct grosr_device_info *device)
{
    bool automatic, cuda;
    uint32_t ordinal;
    int err;

    if (!name || !device)
        return grosr_fail(EINVAL, "%s NULL", name ? "the place for the device is" : "the device's name is");
    automatic = !strcmp(name, "auto");
    err = parse_device(automatic ? "cuda" : name, &cuda, &ordinal);
    if (!err && cuda)
        err = find_cuda(ordinal, device);
    if ((!err && !cuda) || (automatic && err == -ENODEV)) {
        grosr_host_device(device);
        err = 0;
    }
    return err;
}

uint32_t grosr_devices(struct grosr_device_info *devices, uint32_t max)
{
    const char *why;
    uint32_t n;

    max = devices ? max : 0;
    n = grosr_cuda_devices(devices, 0, max, &why);
    if (n < max)
        grosr_host_device(&devices[n]);
    return n + 1;
}

const char *grosr_cuda_absent(void)
{
    const char *why = NULL;
    struct grosr_device_info device;

    return grosr_cuda_devices(&device, 0, 1, &why) ? NULL : why;
}
