/*
 * What the runtime needs of a device, one table of functions for each kind: device_cuda.c (or
 * device_cuda_none.c in a build without the CUDA toolkit) and device_host.c. All functions return 0 or a
 * negative errno with a text in grosr_error(). A device is used by one thread at a time, different ones by
 * any threads.
 */
#ifndef GROSR_DEVICE_OPS_H
#define GROSR_DEVICE_OPS_H

#include "../grosr.h"
#include "../kernel/launch.h"
#include "../../tracer/session/gpu.h"

struct grosr_device;

struct grosr_device_ops {
    const char *name;
    bool clock_is_host; /* device time is CLOCK_MONOTONIC, unless dev_clock_is_skewed() */

    /* -ENODEV when there is no such device, or the program has nothing for it. `info` is filled. */
    int (*open)(struct grosr_device **device, uint32_t ordinal, const struct grosr_program *program,
                struct grosr_device_info *info);

    /* What the trace has of a GPU; NULL: the device is none. */
    void (*describe)(const struct grosr_device *device, struct grosr_gpu *gpu);

    /* Zeroed memory of the device. Freed by close. */
    int (*alloc)(struct grosr_device *device, size_t bytes, void **device_memory);

    /* Memory of the device that is not cleared, and on the host takes no room before it is used: for an
     * arena. `alignment`: a power of two. Freed by close. */
    int (*reserve)(struct grosr_device *device, size_t bytes, size_t alignment, void **device_memory);

    /* Bytes that the device has free now. */
    uint64_t (*free_bytes)(struct grosr_device *device);

    /* Copies to or from memory of the device, and waits until that is done, whether its kernel runs or not.
     * Any thread. */
    int (*copy)(struct grosr_device *device, void *to, const void *from, size_t bytes, bool to_device);

    /* Zeroed host memory that the device can reach, and where the device sees it. Freed by close. */
    int (*alloc_shared)(struct grosr_device *device, size_t bytes, void **host, void **device_view);

    /* Makes existing page-aligned host memory reachable. Undone by close, before which it must not be
     * unmapped. */
    int (*share)(struct grosr_device *device, void *host, size_t bytes, void **device_view);

    /* Starts the persistent kernel: launch->workers workers on `sms` SMs, and the service warp. Once. */
    int (*launch)(struct grosr_device *device, const struct grosr_launch *launch, uint32_t sms);

    /* 1: the kernel runs; 0: it has ended, or was never started; negative: the device failed. */
    int (*poll)(struct grosr_device *device);

    /* Frees everything. Not while the kernel runs: that would wait for ever. */
    void (*close)(struct grosr_device *device);
};

extern const struct grosr_device_ops grosr_device_cuda, grosr_device_host;

/* The CUDA devices in this machine: fills up to `max` entries, from number `first` on, and returns how many
 * there are, 0 with *why set when none. */
uint32_t grosr_cuda_devices(struct grosr_device_info *devices, uint32_t first, uint32_t max,
                            const char **why);

/* The host device. */
void grosr_host_device(struct grosr_device_info *info);

#endif
