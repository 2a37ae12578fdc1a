/*
 * Experiment `syscall`: bandwidth of reads and writes of a file, in calls of 4 KiB to 16 MiB, all bytes of
 * TOTAL for a sample. Tasks move their own parts of the file to and from device memory; the CPU's own way is
 * pread() into memory of its own and a copy to the device, and the other way round.
 */
#include "bench_syscall.h"

#include "../../tracer/clock/clock.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TOTAL_CUDA (512u << 20)
#define TOTAL_HOST (16u << 20)

/* "GROSR, write, tmpfs, 64 KiB" */
static void name_series(char to[80], const char *who, bool writes, const char *folder, uint32_t bytes)
{
    if (bytes >= 1u << 20)
        snprintf(to, 80, "%s, %s, %s, %u MiB", who, writes ? "write" : "read", folder, bytes >> 20);
    else
        snprintf(to, 80, "%s, %s, %s, %u KiB", who, writes ? "write" : "read", folder, bytes >> 10);
}

static int time_grosr(const struct grosr_bench_options *o, struct grosr_bench_calls *c, int32_t handle,
                      bool writes, const char *folder, uint32_t bytes, uint64_t total, double *samples)
{
    uint32_t tasks = (uint32_t)(c->own_bytes / bytes), calls = (uint32_t)(total / bytes);
    char series[80];
    int err = 0;

    tasks = tasks > c->workers ? c->workers : tasks;
    tasks = tasks > calls ? calls : tasks;
    name_series(series, "GROSR", writes, folder, bytes);
    grosr_bench_begin(c->report, series, false);
    struct grosr_call_loop loop = {.call = writes ? GROSR_SYS_PWRITE : GROSR_SYS_PREAD,
                                   .handle = handle,
                                   .bytes = bytes,
                                   .span = total,
                                   .buffers = c->own_at,
                                   .count = calls / tasks};
    double moved = (double)tasks * (double)loop.count * bytes;
    for (uint32_t i = 0; !err && i < o->repetitions + 1; i++) {
        double ns = 0;
        grosr_bench_round(c->report, i, 1);
        err = grosr_bench_calls_run(c, GROSR_FN_CALLS, tasks, &loop, &ns);
        if (i)
            samples[i - 1] = moved / ns * 1e9;
        if (!err && *o->stop)
            err = -ECANCELED;
    }
    if (!err)
        grosr_bench_add_value(c->report, series, false, GROSR_BENCH_BANDWIDTH, samples, o->repetitions);
    return err;
}

static int time_cpu(const struct grosr_bench_options *o, struct grosr_bench_calls *c, int fd, bool writes,
                    const char *folder, uint32_t bytes, uint64_t total, double *samples)
{
    unsigned char *buffer = (unsigned char *)malloc(bytes);
    char series[80];
    int err = buffer ? 0 : grosr_fail(ENOMEM, "out of memory");

    name_series(series, writes ? "the CPU, copy and pwrite" : "the CPU, pread and copy", writes, folder,
                bytes);
    grosr_bench_begin(c->report, series, true);
    for (uint32_t i = 0; !err && i < o->repetitions + 1; i++) {
        uint64_t start = grosr_host_clock_ns();
        grosr_bench_round(c->report, i, 1);
        for (uint64_t at = 0; !err && at < total; at += bytes) {
            ssize_t n = bytes;
            if (writes)
                err = grosr_device_read(c->rt, buffer, at % c->own_bytes, bytes);
            if (!err)
                n = writes ? pwrite(fd, buffer, bytes, (off_t)at) : pread(fd, buffer, bytes, (off_t)at);
            if (!err && n != (ssize_t)bytes)
                err = grosr_fail(EIO, "the file could not be %s whole", writes ? "written" : "read");
            if (!err && !writes)
                err = grosr_device_write(c->rt, at % c->own_bytes, buffer, bytes);
        }
        if (i)
            samples[i - 1] = (double)total / (double)(grosr_host_clock_ns() - start) * 1e9;
        if (!err && *o->stop)
            err = -ECANCELED;
    }
    if (!err)
        grosr_bench_add_value(c->report, series, true, GROSR_BENCH_BANDWIDTH, samples, o->repetitions);
    free(buffer);
    return err;
}

int grosr_bench_bandwidth(const struct grosr_bench_options *o, struct grosr_bench_report *report,
                          const char *root, const char *folder)
{
    static const uint32_t sizes[] = {4u << 10, 64u << 10, 1u << 20, 16u << 20};
    uint64_t total = grosr_bench_on_cuda(report) ? TOTAL_CUDA : TOTAL_HOST;
    double *samples = grosr_bench_samples(o->repetitions);
    struct grosr_bench_calls c;
    char path[96];
    int64_t handle = -1;
    int fd = -1;
    int err = samples ? grosr_bench_calls_open(&c, o, report, root, 0, 4, total) : -ENOMEM;

    snprintf(path, sizeof(path), "%s/data", root);
    if (!err && ((fd = open(path, O_RDWR | O_CLOEXEC)) < 0 || ftruncate(fd, (off_t)total)))
        err = grosr_fail(errno, "cannot open %s: %s", path, strerror(errno));
    if (!err)
        err = (int)(handle = grosr_bench_calls_file(&c, "data", O_RDWR)) < 0 ? (int)handle : 0;
    for (uint32_t i = 0; !err && i < 2 * sizeof(sizes) / sizeof(sizes[0]); i++) {
        bool writes = i % 2 == 0;
        err = time_grosr(o, &c, (int32_t)handle, writes, folder, sizes[i / 2], total, samples);
        if (!err)
            err = time_cpu(o, &c, fd, writes, folder, sizes[i / 2], total, samples);
    }
    if (fd >= 0)
        close(fd);
    int closed = samples ? grosr_bench_calls_close(&c) : 0;
    free(samples);
    return err ? err : closed;
}
