/*
 * The list of experiments, and running one. An experiment is a file of its own; what they share is in
 * bench_harness.c, the report in bench_report.c, the baselines in bench_host.c and bench_*cuda.c.
 */
#include "bench.h"

#include <errno.h>
#include <string.h>

int grosr_bench_run(const struct grosr_bench *b, const struct grosr_bench_options *options,
                    struct grosr_bench_report *report)
{
    struct grosr_bench_options o = *options;
    int err;

    memset(report, 0, sizeof(*report));
    if ((err = grosr_find_device(o.device, &report->device)))
        return err;
    if (o.workers > report->device.max_workers)
        return grosr_fail(EINVAL, "%s runs at most %u workers, not %u", report->device.name,
                          report->device.max_workers, o.workers);
    if (o.tasks == 0)
        o.tasks = grosr_bench_on_cuda(report) ? b->tasks_cuda : b->tasks_host;
    if (o.repetitions == 0)
        o.repetitions = b->repetitions;
    report->tasks = o.tasks;
    report->repetitions = o.repetitions;
    report->workers = o.workers;
    report->unit = b->unit;
    grosr_bench_machine_begin(report);
    err = b->run(&o, report);
    grosr_bench_machine_end(report);
    if (err && err != -ECANCELED)
        grosr_bench_fail(report, err);
    return err ? err : report->err;
}

const struct grosr_bench grosr_benches[] = {
    {"dispatch", "many tiny tasks, from the first submission to the last result (Experiments 0 and B)",
     GROSR_BENCH_THROUGHPUT, 10000, 10000, 15, grosr_bench_dispatch},
    {"pingpong", "one dependent step after the other: the latency of a round trip (Experiment A)",
     GROSR_BENCH_LATENCY, 20000, 20000, 0, grosr_bench_pingpong},
    {"spawn", "trees of tasks that tasks make, grown and added up again, against one shared queue and graphs",
     GROSR_BENCH_THROUGHPUT, 100000000, 300000, 15, grosr_bench_spawn},
    {"scale", "the cost of a task with more tasks, more SMs and more producers, as curves",
     GROSR_BENCH_THROUGHPUT, 10000000, 100000, 15, grosr_bench_scale},
    {"tracing", "what each trace level costs tasks of 1 us, 10 us and 100 us", GROSR_BENCH_SLOWDOWN, 1000000,
     20000, 15, grosr_bench_trace_levels},
    {"trace", "what one trace event costs in situ, at each level, beside an unbounded recorder of 8 bytes",
     GROSR_BENCH_EVENT_COST, 4096, 4096, 15, grosr_bench_event_cost},
    {"alloc", "GROSR's heap beside the device's own malloc: blocks of every size, and programs that use them",
     GROSR_BENCH_THROUGHPUT, 1048576, 4096, 9, grosr_bench_alloc},
    {"syscall",
     "system calls of tasks: latency, calls a second, bandwidth, beside a bare echo and the CPU's own",
     GROSR_BENCH_LATENCY, 20000, 2000, 5, grosr_bench_syscall},
    {"idle", "what an idle persistent kernel costs: power, CPU time, and other kernels' speed beside it",
     GROSR_BENCH_WATTS, 0, 0, 15, grosr_bench_idle},
    {"store", "what the collector's steps cost one core: events packed and stored, rows built, indexes made",
     GROSR_BENCH_EVENTS, 1000000, 1000000, 9, grosr_bench_store},
    {NULL, NULL, GROSR_BENCH_THROUGHPUT, 0, 0, 0, NULL},
};
