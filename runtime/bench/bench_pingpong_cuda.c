/*
 * Baselines of `pingpong` on CUDA: steps that the CPU mediates or a graph makes, and the floors that nothing
 * can go below.
 */
#include "bench_cuda.h"

#include "../../tracer/clock/clock.h"

#include <errno.h>
#include <stdlib.h>

#define GRAPH_NODES     1000u /* of the graph as a chain of dependent steps */
#define GRAPH_STEPS     200u  /* its samples */
#define ECHO_TIMEOUT_NS 5000000000u

/* Waits for the device to answer `value`. -EIO after a while: the kernel must not be waited for for ever. */
static int await(const sys32 *word, uint32_t value)
{
    uint64_t start = 0;

    /* Pairs with bench_step(). */
    for (uint32_t i = 0; sys_load_acquire(word) != value; i++) {
        if (i % 65536 != 65535)
            continue;
        uint64_t now = grosr_host_clock_ns();
        if (start == 0)
            start = now;
        if (now - start > ECHO_TIMEOUT_NS)
            return grosr_fail(EIO, "the kernel does not answer");
    }
    return 0;
}

static int time_echo(struct grosr_bench_cuda *b, const struct grosr_bench_options *o,
                     struct grosr_bench_report *report, double *samples)
{
    uint32_t trips = (uint32_t)o->tasks, warm = trips / 10 + 1, last = warm + trips;
    CUdeviceptr request = b->word_view, response = b->word_view + GROSR_BENCH_WORD_STRIDE * sizeof(sys32);
    uint64_t timeout_ns = 2 * (uint64_t)ECHO_TIMEOUT_NS;
    void *arguments[] = {&request, &response, &last, &timeout_ns};
    const char *series = "bare echo over mapped memory (the floor)";
    int err = 0;

    grosr_bench_begin(report, series, true);
    TRY(launch(b->echo, 1, 1, 1, 1, 1, 1, 0, b->stream, arguments, NULL));
    for (uint32_t i = 1; !err && i <= last; i++) {
        grosr_bench_round(report, i - 1, warm);
        uint64_t start = grosr_host_clock_ns();
        sys_store_relaxed(&b->word[0], i);
        err = await(&b->word[GROSR_BENCH_WORD_STRIDE], i);
        if (i > warm)
            samples[i - warm - 1] = (double)(grosr_host_clock_ns() - start);
        if (!err && *o->stop)
            err = -ECANCELED;
    }
    sys_store_relaxed(&b->word[0], last); /* in any case */
    if (!err)
        err = grosr_bench_cuda_wait(b, ECHO_TIMEOUT_NS);
    if (!err)
        grosr_bench_add(report, series, true, 1, samples, trips);
    return err;
}

/* Kernel 1 writes, the CPU reads, the CPU launches kernel 2. */
static int time_mediated(struct grosr_bench_cuda *b, const struct grosr_bench_options *o,
                         struct grosr_bench_report *report, double *samples)
{
    uint32_t trips = o->tasks < GROSR_BENCH_LAUNCHES_MAX ? (uint32_t)o->tasks : GROSR_BENCH_LAUNCHES_MAX,
             warm = trips / 10 + 1;
    const char *series = "kernel, CPU, next kernel";

    grosr_bench_begin(report, series, true);
    for (uint32_t i = 1; i <= warm + trips; i++) {
        void *arguments[] = {&b->word_view, &i};
        grosr_bench_round(report, i - 1, warm);
        uint64_t start = grosr_host_clock_ns();
        TRY(launch(b->step, 1, 1, 1, 1, 1, 1, 0, b->stream, arguments, NULL));
        int err = await(&b->word[0], i);
        if (err)
            return err;
        if (i > warm)
            samples[i - warm - 1] = (double)(grosr_host_clock_ns() - start);
        if (*o->stop)
            return -ECANCELED;
    }
    TRY(stream_synchronize(b->stream));
    grosr_bench_add(report, series, true, 1, samples, trips);
    return 0;
}

/* A word handed from SM to SM and back: half a round trip is a hop. */
static int time_hop(struct grosr_bench_cuda *b, const struct grosr_bench_options *o,
                    struct grosr_bench_report *report, double *samples)
{
    uint32_t trips = o->tasks < GROSR_BENCH_LAUNCHES_MAX ? (uint32_t)o->tasks : GROSR_BENCH_LAUNCHES_MAX;
    CUdeviceptr word, time = b->result;
    void *arguments[] = {&word, &time, &trips};
    const char *series = "bare hop between two SMs, release and acquire (a floor)";

    grosr_bench_begin(report, series, true);
    TRY(memory_alloc(&word, 4096));
    TRY(memory_set(word, 0, 4096, b->stream));
    /* Cooperative: both blocks are there, or neither. */
    TRY(launch_cooperative(b->hop, 2, 1, 1, 1, 1, 1, 0, b->stream, arguments));
    int err = grosr_bench_cuda_wait(b, ECHO_TIMEOUT_NS);
    if (err)
        return err;
    TRY(copy_to_host(b->copy, b->result, (trips + 1) * sizeof(uint64_t), b->stream));
    TRY(stream_synchronize(b->stream));
    grosr_cuda.memory_free(word);
    for (uint32_t i = 0; i < trips; i++)
        samples[i] = (double)(b->copy[i + 1] - b->copy[i]) / 2;
    grosr_bench_add(report, series, true, 1, samples, trips);
    return 0;
}

int grosr_bench_pingpong_cuda(const struct grosr_bench_options *o, struct grosr_bench_report *report)
{
    struct grosr_bench_options steps = *o;
    double *samples = grosr_bench_samples((uint32_t)o->tasks);
    struct grosr_bench_cuda b;
    const char *chain = "CUDA graph, a chain of 1,000 steps";
    CUgraphExec graph = NULL;
    int err = samples ? grosr_bench_cuda_open(&b, report, GROSR_BENCH_LAUNCHES_MAX + 1) : -ENOMEM;

    if (!samples)
        return err;
    if (!err)
        err = time_echo(&b, o, report, samples);
    if (!err)
        err = time_hop(&b, o, report, samples);
    if (!err)
        err = time_mediated(&b, o, report, samples);
    if (!err)
        grosr_bench_begin(report, chain, true);
    if (!err)
        err = grosr_bench_make_graph(&b, GRAPH_NODES, &graph);
    steps.repetitions = GRAPH_STEPS;
    if (!err)
        err = grosr_bench_time_launcher(&b, &steps, report, chain, GROSR_BENCH_NO_AXIS,
                                        grosr_bench_launch_graph, GRAPH_NODES, GRAPH_NODES, graph);
    if (graph)
        grosr_cuda.graph_exec_destroy(graph);
    grosr_bench_cuda_close(&b);
    free(samples);
    return err;
}
