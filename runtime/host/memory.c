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
    if (!host || !device) {
        err = grosr_fail(EINVAL, "there is no place for the address of the shared memory: it is NULL");
    } else {
        if (!rt->shared_host)
            err = grosr_fail(ENOENT, "the runtime was opened without shared memory");
        *host = rt->shared_host;
        *device = rt->shared_device;
    }
    grosr_leave(rt);
    return err;
}

int grosr_device_memory(grosr *rt, void **device)
{
    int err = grosr_enter(rt);

    if (err)
        return err;
    if (!device) {
        err = grosr_fail(EINVAL, "there is no place for the address of the device memory: it is NULL");
    } else {
        if (!rt->memory)
            err = grosr_fail(ENOENT, "the runtime was opened without device memory");
        *device = rt->memory;
    }
    grosr_leave(rt);
    return err;
}

/* Reads to `to`, or writes from `from`: one of them is the host's memory, the other one NULL. */
static int copy_memory(grosr *rt, bool read, void *to, const void *from, size_t at, size_t bytes)
{
    int err = grosr_enter(rt);

    if (err)
        return err;
    if (!rt->memory)
        err = grosr_fail(ENOENT, "the runtime was opened without device memory");
    else if (at > rt->memory_bytes || bytes > rt->memory_bytes - at)
        err = grosr_fail(EINVAL, "%zu bytes from byte %zu on are not inside the %zu bytes of device memory",
                         bytes, at, rt->memory_bytes);
    else if (bytes && !(read ? to : from))
        err = grosr_fail(EINVAL, "%zu bytes %s NULL", bytes, read ? "to" : "from");
    else if (bytes && read)
        err = rt->ops->copy(rt->device, to, rt->memory + at, bytes, false);
    else if (bytes)
        err = rt->ops->copy(rt->device, rt->memory + at, from, bytes, true);
    grosr_leave(rt);
    return err;
}

int grosr_device_read(grosr *rt, void *to, size_t at, size_t bytes)
{
    return copy_memory(rt, true, to, NULL, at, bytes);
}

int grosr_device_write(grosr *rt, size_t at, const void *from, size_t bytes)
{
    return copy_memory(rt, false, NULL, from, at, bytes);
}
