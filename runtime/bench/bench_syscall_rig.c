/*
 * What the experiment `syscall` has in common (bench_syscall.h).
 */
#include "bench_syscall.h"

#include "../../tracer/clock/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int grosr_bench_calls_open(struct grosr_bench_calls *c, const struct grosr_bench_options *o,
                           struct grosr_bench_report *report, const char *root, uint32_t ports,
                           uint32_t proxies, size_t bytes)
{
    struct grosr_options options = GROSR_OPTIONS_DEFAULT;
    struct grosr_syscalls syscalls = {.root = root, .writable = true, .ports = ports, .proxies = proxies};
    char device[32];
    void *host, *view, *own;

    memset(c, 0, sizeof(*c));
    c->report = report;
    snprintf(device, sizeof(device), grosr_bench_on_cuda(report) ? "cuda:%u" : "host",
             report->device.ordinal);
    options.device = device;
    options.name = "bench";
    options.workers = o->workers;
    options.level = GROSR_LEVEL_OFF;
    options.shared_bytes = c->shared_bytes = GROSR_BENCH_CALLS_SHARED;
    options.device_bytes = c->own_bytes = bytes;
    options.syscalls = &syscalls;
    int err = grosr_open(&c->rt, &options);
    if (!err)
        err = grosr_shared(c->rt, &host, &view);
    if (!err)
        err = grosr_device_memory(c->rt, &own);
    if (err)
        return err;
    c->shared = (unsigned char *)host;
    c->shared_at = (uint64_t)(uintptr_t)view;
    c->own_at = (uint64_t)(uintptr_t)own;
    c->workers = grosr_runtime_session(c->rt)->header.workers;
    return 0;
}

int grosr_bench_calls_close(struct grosr_bench_calls *c)
{
    int err = grosr_close(c->rt);
    c->rt = NULL;
    return err;
}

int grosr_bench_calls_run(struct grosr_bench_calls *c, uint32_t function, uint32_t tasks,
                          const struct grosr_call_loop *loop, double *ns)
{
    struct grosr_task *task = (struct grosr_task *)calloc(tasks, sizeof(*task));
    struct grosr_result *result = (struct grosr_result *)calloc(tasks, sizeof(*result));
    uint64_t first, start;
    int err = task && result ? 0 : grosr_fail(ENOMEM, "out of memory");

    memcpy(c->shared, loop, sizeof(*loop));
    for (uint32_t i = 0; !err && i < tasks; i++)
        task[i] = (struct grosr_task){.function = (uint16_t)function, .a = i, .b = c->shared_at};
    start = grosr_host_clock_ns();
    if (!err)
        err = grosr_submit(c->rt, task, tasks, result, &first);
    if (!err)
        err = grosr_bench_wait(c->rt, first + tasks, (uint64_t)tasks * loop->count * 10);
    *ns = (double)(grosr_host_clock_ns() - start);
    for (uint32_t i = 0; !err && i < tasks; i++)
        grosr_bench_check_result(c->report, i, 0, &result[i]);
    free(task);
    free(result);
    return err;
}

int64_t grosr_bench_calls_file(struct grosr_bench_calls *c, const char *name, int flags)
{
    struct grosr_call_record *r = (struct grosr_call_record *)(void *)(c->shared + 4096);
    struct grosr_task task = {.function = GROSR_FN_CALL, .b = c->shared_at + 4096};
    uint64_t first;

    memset(r, 0, sizeof(*r));
    r->call = GROSR_SYS_OPENAT;
    r->handle = GROSR_ROOT;
    r->flags = (uint32_t)flags;
    r->mode = 0600;
    snprintf(r->path, sizeof(r->path), "%s", name);
    int err = grosr_submit(c->rt, &task, 1, NULL, &first);
    if (!err)
        err = grosr_bench_wait(c->rt, first + 1, 1);
    if (!err && r->result < 0)
        err = grosr_fail((int)-r->result, "cannot open the file '%s': %s", name, strerror((int)-r->result));
    return err ? err : r->result;
}
