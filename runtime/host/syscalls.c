/*
 * System calls of a runtime: the mailbox's memory and the proxy that serves it, if they are asked for.
 *
 * The table of ports is in the session, so that observers see which calls are pending, also when the process
 * is gone. The staging memory, the log and the notices are page-locked memory of the device's; which port is
 * claimed is known in device memory alone (mailbox.h).
 */
#include "internal.h"

#include "../syscall/proxy.h"

#include <errno.h>

#define PORTS         64u
#define STAGING_BYTES (256u << 10)
#define HANDLES       1024u
#define COLLECT_BYTES (UINT64_C(1) << 28)
#define SPIN_NS       200000u /* on a GPU, whose next call is a few microseconds away */

int grosr_syscalls_settle(struct grosr_syscalls *s, const struct grosr_syscalls *options)
{
    *s = *options;
    if (!s->root)
        return grosr_fail(EINVAL, "the root directory of system calls is NULL");
    s->ports = s->ports ? s->ports : PORTS;
    s->staging_bytes = s->staging_bytes ? s->staging_bytes : STAGING_BYTES;
    s->handles = s->handles ? s->handles : HANDLES;
    s->proxies = s->proxies ? s->proxies : 1;
    s->collect_bytes = s->collect_bytes ? s->collect_bytes : COLLECT_BYTES;
    if (s->ports < 2 || s->ports > GROSR_MAILBOX_PORTS_MAX)
        return grosr_fail(EINVAL, "2 to %u ports of system calls, not %u", GROSR_MAILBOX_PORTS_MAX, s->ports);
    if (s->staging_bytes < GROSR_STAGING_MIN || s->staging_bytes > GROSR_STAGING_MAX ||
        s->staging_bytes % GROSR_STAGING_STEP)
        return grosr_fail(EINVAL, "a port's memory is a multiple of %u bytes from %u to %u, not %u",
                          GROSR_STAGING_STEP, GROSR_STAGING_MIN, GROSR_STAGING_MAX, s->staging_bytes);
    if (s->handles > GROSR_HANDLES_MAX)
        return grosr_fail(EINVAL, "at most %u handles, not %u", GROSR_HANDLES_MAX, s->handles);
    if (s->proxies > GROSR_PROXIES_MAX)
        return grosr_fail(EINVAL, "at most %u proxies, not %u", GROSR_PROXIES_MAX, s->proxies);
    return 0;
}

/* Both views of memory that both sides see, one behind the other. */
struct shared {
    unsigned char *host, *device;
    size_t at;
};

static void *take(struct shared *s, size_t bytes, void **device_view)
{
    void *host = s->host ? s->host + s->at : NULL;

    *device_view = s->device ? s->device + s->at : NULL;
    s->at += (bytes + 4095) / 4096 * 4096;
    return host;
}

/* The staging memory, the log and the notices. */
static void place_shared(struct grosr_mailbox *host, struct grosr_mailbox *device, struct shared *s)
{
    void *view;

    host->staging = (unsigned char *)take(s, (size_t)host->ports * host->staging_bytes, &view);
    device->staging = (unsigned char *)view;
    host->log = (struct grosr_log_record *)take(s, GROSR_LOG_CAPACITY * sizeof(*host->log), &view);
    device->log = (struct grosr_log_record *)view;
    host->notice = (sys128 *)take(s, sizeof(sys128) << host->notices_log2, &view);
    device->notice = (sys128 *)view;
}

int grosr_syscalls_allocate(grosr *rt, const struct grosr_syscalls *o, void *segment_view)
{
    struct grosr_mailbox *host = &rt->mailbox, *device = &rt->device_mailbox;
    uint64_t at = rt->session->header.mailbox_at;
    struct shared shared = {0};
    void *memory, *view, *ports, *log_state;
    int err;

    grosr_mailbox_place(host, rt->session->base + at, o->ports);
    grosr_mailbox_place(device, (unsigned char *)segment_view + at, o->ports);
    host->staging_bytes = device->staging_bytes = o->staging_bytes;
    while (UINT32_C(1) << host->notices_log2 < o->ports)
        host->notices_log2++;
    device->notices_log2 = host->notices_log2;
    place_shared(host, device, &shared);
    if ((err = rt->ops->alloc_shared(rt->device, shared.at, &memory, &view)) ||
        (err = rt->ops->alloc(rt->device, o->ports * sizeof(dev64), &ports)) ||
        (err = rt->ops->alloc(rt->device, sizeof(struct grosr_log_state), &log_state)))
        return err;
    shared = (struct shared){(unsigned char *)memory, (unsigned char *)view, 0};
    place_shared(host, device, &shared);
    device->port = (dev64 *)ports;
    device->log_state = (struct grosr_log_state *)log_state;
    if (rt->shared_bytes <= UINT32_MAX) {
        host->shared = (unsigned char *)rt->shared_host;
        device->shared = (unsigned char *)rt->shared_device;
        host->shared_bytes = device->shared_bytes = rt->shared_bytes;
    }
    return 0;
}

int grosr_syscalls_start(grosr *rt, const struct grosr_syscalls *o)
{
    struct grosr_proxy_options options = {
        .mailbox = rt->mailbox,
        .root = o->root,
        .writable = o->writable,
        .threads = o->proxies,
        .handles = o->handles,
        .collect_bytes = o->collect_bytes,
        .spin_ns = rt->ops == &grosr_device_host ? 0 : SPIN_NS,
        .sandbox = o->sandbox,
        .without_uring = o->without_uring,
        .log = o->log,
        .log_arg = o->log_arg,
        .session = rt->session,
    };

    return grosr_proxy_start(&rt->proxy, &options);
}

void grosr_syscalls_check(grosr *rt)
{
    if (rt->proxy)
        grosr_proxy_check(rt->proxy);
}

void grosr_syscalls_interrupt(grosr *rt)
{
    if (rt->proxy)
        grosr_proxy_interrupt(rt->proxy);
}

void grosr_syscalls_stop(grosr *rt)
{
    struct grosr_log_state state = {0};

    if (!rt->proxy)
        return;
    /* A device that has failed does not say how many log lines are missing. */
    if (rt->ops->poll(rt->device) != 0 ||
        rt->ops->copy(rt->device, &state, rt->device_mailbox.log_state, sizeof(state), false))
        dev_store_relaxed(&state.missing, UINT64_C(0));
    grosr_proxy_stop(rt->proxy, dev_load_relaxed(&state.missing));
    rt->proxy = NULL;
}

int grosr_mailbox(grosr *rt, struct grosr_mailbox *mailbox)
{
    int err = grosr_enter(rt);

    if (err)
        return err;
    if (!mailbox)
        err = grosr_fail(EINVAL, "there is no place for the mailbox: it is NULL");
    else if (!rt->device_mailbox.ports)
        err = grosr_fail(ENOENT, "the runtime was opened without system calls");
    else
        *mailbox = rt->device_mailbox;
    grosr_leave(rt);
    return err;
}
