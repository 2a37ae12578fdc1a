/*
 * Memory that the program asked for when it opened the runtime: shared by the host and the tasks, or the
 * device's own.
 */
#include "internal.h"

#include <errno.h>

int grosr_shared(grosr *rt, void **host, void **device)
{
    int err = grosr_enter(rt);

    if (err)
        return err;
    if (!rt->shared_host)
        err = grosr_fail(ENOENT, "the runtime was opened without shared memory");
    *host = rt->shared_host;
    *device = rt->shared_device;
    grosr_leave(rt);
    return err;
}

int grosr_device_memory(grosr *rt, void **device)
{
    int err = grosr_enter(rt);

    if (err)
        return err;
    if (!rt->memory)
        err = grosr_fail(ENOENT, "the runtime was opened without device memory");
    *device = rt->memory;
    grosr_leave(rt);
    return err;
}

static int copy_memory(grosr *rt, void *to, const void *from, size_t at, size_t bytes)
{
    int err = grosr_enter(rt);

    if (err)
        return err;
    if (!rt->memory)
        err = grosr_fail(ENOENT, "the runtime was opened without device memory");
    else if (at > rt->memory_bytes || bytes > rt->memory_bytes - at)
        err = grosr_fail(EINVAL, "bytes %zu to %zu are not inside the %zu bytes of device memory", at,
                         at + bytes, rt->memory_bytes);
    else if (bytes)
        err = rt->ops->copy(rt->device, to ? to : rt->memory + at, to ? rt->memory + at : from, bytes, !to);
    grosr_leave(rt);
    return err;
}

int grosr_device_read(grosr *rt, void *to, size_t at, size_t bytes)
{
    return copy_memory(rt, to, NULL, at, bytes);
}

int grosr_device_write(grosr *rt, size_t at, const void *from, size_t bytes)
{
    return copy_memory(rt, NULL, from, at, bytes);
}
