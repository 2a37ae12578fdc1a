/*
 * What the experiment `syscall` has in common: a runtime with system calls over a scratch directory, and
 * tasks that make calls in a loop.
 */
#ifndef GROSR_BENCH_SYSCALL_H
#define GROSR_BENCH_SYSCALL_H

#include "bench.h"
#include "../builtin/functions_syscall.h"

struct grosr_bench_calls {
    grosr *rt;
    struct grosr_bench_report *report;
    unsigned char *shared; /* and as the device sees it: */
    uint64_t shared_at, own_at;
    size_t shared_bytes, own_bytes;
    uint32_t workers;
};

#define GROSR_BENCH_CALLS_SHARED (1u << 16)

/* Opens a runtime whose calls are made below `root`; 0 ports or proxies: the defaults. `bytes`: of device
 * memory. */
int grosr_bench_calls_open(struct grosr_bench_calls *c, const struct grosr_bench_options *options,
                           struct grosr_bench_report *report, const char *root, uint32_t ports,
                           uint32_t proxies, size_t bytes);
int grosr_bench_calls_close(struct grosr_bench_calls *c);

/* Runs `tasks` tasks of a function over the loop, and waits; *ns: how long that took. Checks that no call
 * went wrong. */
int grosr_bench_calls_run(struct grosr_bench_calls *c, uint32_t function, uint32_t tasks,
                          const struct grosr_call_loop *loop, double *ns);

/* A file's handle, by a call of the device's. Negative errno. */
int64_t grosr_bench_calls_file(struct grosr_bench_calls *c, const char *name, int flags);

/* How long a read or write of so many bytes at a time takes: GROSR's, and the CPU's own with a copy
 * (bench_syscall_bandwidth.c). `folder`: in words. */
int grosr_bench_bandwidth(const struct grosr_bench_options *options, struct grosr_bench_report *report,
                          const char *root, const char *folder);

#endif
