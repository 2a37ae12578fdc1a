/*
 * What the CUDA baselines share: a context, the kernels of bench.cu, a stream and memory for results, and
 * series whose tasks are launched by the CPU.
 */
#ifndef GROSR_BENCH_CUDA_H
#define GROSR_BENCH_CUDA_H

#include "bench.h"

#include "../../tracer/nvidia/cuda_driver.h"

struct grosr_bench_cuda {
    CUdevice id;
    CUcontext context;
    CUmodule module;
    CUstream stream;
    CUfunction task, all, echo, hop, step;
    CUdeviceptr result;
    uint64_t *copy; /* of the results, page-locked */
    sys32 *word;    /* two words a cache line apart, mapped */
    CUdeviceptr word_view;
};

/* Words of 4 bytes: the two of `word` that an echo uses do not share a line. */
#define GROSR_BENCH_WORD_STRIDE 64u

/* The longest that a kernel of a baseline is waited for. */
#define GROSR_BENCH_CUDA_TIMEOUT_NS 10000000000u

/* Kernels launched one by one in a sample, at most. */
#define GROSR_BENCH_LAUNCHES_MAX 10000u

/* Returns from the function when `call` fails, with its name in the error. */
#define TRY(call)                                              \
    do {                                                       \
        CUresult try_code = grosr_cuda.call;                   \
        if (try_code != CUDA_SUCCESS)                          \
            return grosr_cuda_fail(try_code, #call " failed"); \
    } while (0)

/* Room for `tasks` results. To be closed in any case. Begins the series "CUDA", a baseline. */
int grosr_bench_cuda_open(struct grosr_bench_cuda *b, struct grosr_bench_report *report, uint64_t tasks);

/* Waits for what is in the stream; -ETIMEDOUT: it has not ended, or not even begun. */
int grosr_bench_cuda_wait(struct grosr_bench_cuda *b, uint64_t timeout_ns);
void grosr_bench_cuda_close(struct grosr_bench_cuda *b);

/* How the tasks of one sample are launched; all of them are done when it returns. */
typedef int (*grosr_bench_launcher)(struct grosr_bench_cuda *b, uint64_t tasks, CUgraphExec graph);

int grosr_bench_launch_graph(struct grosr_bench_cuda *b, uint64_t tasks, CUgraphExec graph);

/* A chain of `nodes` kernels, captured from a stream. */
int grosr_bench_make_graph(struct grosr_bench_cuda *b, uint64_t nodes, CUgraphExec *exec);

/* Takes the samples of a series, or of a point of a sweep over tasks. `distinct`: how many results there are
 * to check. */
int grosr_bench_time_launcher(struct grosr_bench_cuda *b, const struct grosr_bench_options *options,
                              struct grosr_bench_report *report, const char *series,
                              enum grosr_bench_axis axis, grosr_bench_launcher launcher, uint64_t tasks,
                              uint64_t distinct, CUgraphExec graph);

#endif
