/*
 * Experiment `syscall`: calls of tasks to the host and back. Beside them, in the same runtime, a bare word
 * that the host echoes, below which nothing can go, and a packet of 64 bytes that has a port to itself, as
 * LLVM's libc has it (libc/shared/rpc.h). Latencies are the device's, from before a call until after it.
 */
#include "bench_syscall.h"

#include "../../tracer/clock/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define OWN_BYTES   (64u << 20)
#define FILE_BYTES  (1u << 20)
#define SWEEP_CALLS 64u /* of a task, on the host device; on a GPU twice as many */

/* ---- latencies ---- */

/* Answers an echo of so many rounds. */
struct answerer {
    struct grosr_echo *echo;
    bool packets, yields;
    sys32 stopping; /* the task will ask no more */
    pthread_t thread;
};

static void *answer(void *arg)
{
    struct answerer *a = (struct answerer *)arg;
    unsigned char packet[64];

    for (uint32_t i = 1; i <= a->echo->count; i++) {
        /* Pairs with grosr_echo_run(). */
        while (sys_load_acquire(&a->echo->out) != i) {
            if (sys_load_relaxed(&a->stopping))
                return NULL;
            if (a->yields)
                sched_yield();
        }
        if (a->packets) {
            memcpy(packet, a->echo->packet, sizeof(packet));
            memcpy(a->echo->packet, packet, sizeof(packet));
        }
        sys_store_release(&a->echo->in, i); /* pairs with grosr_echo_run() */
    }
    return NULL;
}

/* Takes the times of `count` steps, which a task has left in device memory, as samples; the first tenth is
 * not counted. */
static int add_times(struct grosr_bench_calls *c, const char *series, bool baseline, uint32_t count)
{
    uint64_t *times = (uint64_t *)malloc(count * sizeof(*times));
    double *samples = grosr_bench_samples(count);
    uint32_t warm = count / 10;
    int err = times && samples ? grosr_device_read(c->rt, times, 0, count * sizeof(*times)) : -ENOMEM;

    for (uint32_t i = warm; !err && i < count; i++)
        samples[i - warm] = times[i] ? (double)times[i] : 1; /* less than the clock's step */
    if (!err)
        grosr_bench_add(c->report, series, baseline, 1, samples, count - warm);
    free(times);
    free(samples);
    return err;
}

static int time_echo(struct grosr_bench_calls *c, const char *series, bool packets, uint32_t count)
{
    struct grosr_echo *echo = (struct grosr_echo *)(void *)(c->shared + 8192);
    struct answerer a = {.echo = echo, .packets = packets, .yields = !grosr_bench_on_cuda(c->report)};
    struct grosr_task task = {.function = packets ? GROSR_FN_RPC : GROSR_FN_ECHO, .b = c->shared_at + 8192};
    struct grosr_result result = {0, -1};
    uint64_t first;

    grosr_bench_begin(c->report, series, true);
    memset(echo, 0, sizeof(*echo));
    echo->count = count;
    echo->times = c->own_at;
    echo->buffer = c->own_at + count * sizeof(uint64_t);
    int err = -pthread_create(&a.thread, NULL, answer, &a);
    if (err)
        return grosr_fail(-err, "cannot start a thread: %s", strerror(-err));
    err = grosr_submit(c->rt, &task, 1, &result, &first);
    if (!err)
        err = grosr_bench_wait(c->rt, first + 1, count);
    if (err)
        sys_store_relaxed(&a.stopping, 1);
    pthread_join(a.thread, NULL);
    if (err)
        return err;
    grosr_bench_check_result(c->report, 0, 0, &result);
    return add_times(c, series, true, count);
}

static int time_calls(struct grosr_bench_calls *c, const char *series, uint32_t call, int32_t handle,
                      uint64_t bytes, uint32_t count)
{
    struct grosr_call_loop loop = {.call = call,
                                   .handle = handle,
                                   .bytes = bytes,
                                   .span = FILE_BYTES / 2,
                                   .buffers = c->own_at + count * sizeof(uint64_t),
                                   .times = c->own_at,
                                   .count = count};
    double ns;

    grosr_bench_begin(c->report, series, false);
    int err = grosr_bench_calls_run(c, GROSR_FN_CALLS, 1, &loop, &ns);
    return err ? err : add_times(c, series, false, count);
}

static int latencies(const struct grosr_bench_options *o, struct grosr_bench_report *report, const char *root)
{
    uint32_t count = o->tasks < OWN_BYTES / 16 ? (uint32_t)o->tasks : OWN_BYTES / 16;
    struct grosr_bench_calls c;
    int64_t handle = -1;
    int err = grosr_bench_calls_open(&c, o, report, root, 0, 0, OWN_BYTES);

    count = count < 10 ? 10 : count;
    if (!err)
        err = time_echo(&c, "bare echo over mapped memory (the floor)", false, count);
    if (!err)
        err = time_calls(&c, "GROSR, no-op", GROSR_SYS_NOOP, 0, 0, count);
    if (!err)
        err = time_echo(&c, "one packet of 64 bytes a port, as LLVM's RPC, no-op", true, count);
    if (!err)
        err = (int)(handle = grosr_bench_calls_file(&c, "data", O_RDWR)) < 0 ? (int)handle : 0;
    if (!err)
        err = time_calls(&c, "GROSR, pread of 1 KiB", GROSR_SYS_PREAD, (int32_t)handle, 1024, count);
    int closed = grosr_bench_calls_close(&c);
    return err ? err : closed;
}

/* ---- rates ---- */

/* Calls of all workers, each lane for itself in a packet of its own, or the lanes of a warp together. */
static int rate(const struct grosr_bench_options *o, struct grosr_bench_report *report, const char *root,
                enum grosr_bench_axis axis, uint32_t x, bool together)
{
    uint32_t ports = axis == GROSR_BENCH_PORTS ? x : 0, proxies = axis == GROSR_BENCH_PROXIES ? x : 0;
    const char *series = together ? "GROSR, no-op, a warp's lanes together" : "GROSR, no-op, one in a packet";
    uint32_t each = grosr_bench_on_cuda(report) ? 2 * SWEEP_CALLS : SWEEP_CALLS;
    double *samples = grosr_bench_samples(o->repetitions);
    struct grosr_bench_calls c;
    int err = samples ? grosr_bench_calls_open(&c, o, report, root, ports, proxies, 4096) : -ENOMEM;

    grosr_bench_begin_at(report, series, false, axis, x);
    struct grosr_call_loop loop = {.call = GROSR_SYS_NOOP, .count = each};
    uint32_t lanes = together ? report->device.lanes : 1;
    for (uint32_t i = 0; !err && i < o->repetitions + 1; i++) {
        double ns = 0;
        grosr_bench_round(report, i, 1);
        err =
            grosr_bench_calls_run(&c, together ? GROSR_FN_CALLS_WARP : GROSR_FN_CALLS, c.workers, &loop, &ns);
        if (i)
            samples[i - 1] = ns;
        if (!err && *o->stop)
            err = -ECANCELED;
    }
    if (!err)
        grosr_bench_add_at(report, series, false, axis, x, (uint64_t)c.workers * each * lanes, samples,
                           o->repetitions);
    int closed = samples ? grosr_bench_calls_close(&c) : 0;
    free(samples);
    return err ? err : closed;
}

static int rates(const struct grosr_bench_options *o, struct grosr_bench_report *report, const char *root)
{
    static const uint32_t ports[] = {2, 8, 32, 128}, proxies[] = {1, 2, 4};
    int err = 0;

    for (int together = 0; together < 2; together++) {
        for (uint32_t i = 0; !err && i < sizeof(ports) / sizeof(ports[0]); i++)
            err = rate(o, report, root, GROSR_BENCH_PORTS, ports[i], together);
        for (uint32_t i = 0; !err && i < sizeof(proxies) / sizeof(proxies[0]); i++)
            err = rate(o, report, root, GROSR_BENCH_PROXIES, proxies[i], together);
    }
    return err;
}

/* ---- all ---- */

/* A scratch directory with a file `data` in it. */
static int make_root(char root[64], const char *folder)
{
    static char page[4096];
    char path[96];

    snprintf(root, 64, "%s/grosr-bench-XXXXXX", folder);
    if (!mkdtemp(root))
        return grosr_fail(errno, "cannot make a directory in %s: %s", folder, strerror(errno));
    snprintf(path, sizeof(path), "%s/data", root);
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    bool whole = fd >= 0;
    memset(page, 7, sizeof(page));
    for (uint32_t i = 0; whole && i < FILE_BYTES / sizeof(page); i++)
        whole = write(fd, page, sizeof(page)) == (ssize_t)sizeof(page);
    if (fd >= 0)
        close(fd);
    return whole ? 0 : grosr_fail(EIO, "cannot write %s", path);
}

static void remove_root(const char *root)
{
    char path[96];

    snprintf(path, sizeof(path), "%s/data", root);
    unlink(path);
    rmdir(root);
}

int grosr_bench_syscall(const struct grosr_bench_options *o, struct grosr_bench_report *report)
{
    char memory[64], disk[64];
    int err = make_root(memory, access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");

    if (err)
        return err;
    if (!err)
        err = latencies(o, report, memory);
    if (!err)
        err = rates(o, report, memory);
    if (!err)
        err = grosr_bench_bandwidth(o, report, memory, "tmpfs");
    remove_root(memory);
    if (err)
        return err;
    err = make_root(disk, "/var/tmp");
    if (!err)
        err = grosr_bench_bandwidth(o, report, disk, "disk");
    remove_root(disk);
    return err;
}
