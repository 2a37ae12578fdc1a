/*
 * Baselines on CUDA: what one would do without a persistent kernel, and the floors that nothing can go below.
 */
#include "bench.h"
#include "cuda_driver.h"

#include "../tracer/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WARM_UP         3u
#define LAUNCHES_MOST   10000u /* kernels launched one by one in a sample */
#define GRAPH_NODES     1000u  /* of the graph that is launched repeatedly */
#define GRAPH_STEPS     200u   /* samples of the graph as a chain of dependent steps */
#define ECHO_TIMEOUT_NS 5000000000u

extern const unsigned char grosr_bench_fatbin[]; /* fatbin.S */

struct cuda_bench {
    CUdevice id;
    CUcontext context;
    CUmodule module;
    CUstream stream;
    CUfunction task, all, echo, step;
    CUdeviceptr result;
    uint64_t *copy; /* of the results, page-locked */
    sys32 *word;    /* two words a cache line apart, mapped */
    CUdeviceptr word_view;
};

#define WORD_STRIDE 64u /* words of 4 bytes: the echo's two do not share a line */

/* `call` and its name in an error. */
#define TRY(call)                                                            \
    do {                                                                     \
        CUresult try_code = grosr_cuda.call;                                 \
        if (try_code != CUDA_SUCCESS)                                        \
            return grosr_cuda_fail(try_code, "the baseline failed: " #call); \
    } while (0)

static int open_bench(struct cuda_bench *b, const struct grosr_bench_report *report, uint64_t tasks)
{
    memset(b, 0, sizeof(*b));
    if (!grosr_cuda_load())
        return grosr_fail(ENODEV, "no CUDA device: %s", grosr_cuda.absent);
    TRY(device_get(&b->id, (int)report->device.ordinal));
    TRY(context_retain(&b->context, b->id));
    TRY(context_set(b->context));
    TRY(module_load(&b->module, grosr_bench_fatbin));
    TRY(module_function(&b->task, b->module, "bench_task"));
    TRY(module_function(&b->all, b->module, "bench_static"));
    TRY(module_function(&b->echo, b->module, "bench_echo"));
    TRY(module_function(&b->step, b->module, "bench_step"));
    TRY(stream_create(&b->stream, CU_STREAM_NON_BLOCKING));
    TRY(memory_alloc(&b->result, tasks * sizeof(uint64_t)));
    TRY(host_alloc((void **)&b->copy, tasks * sizeof(uint64_t), 0));
    TRY(host_alloc((void **)&b->word, 4096, CU_MEMHOSTALLOC_DEVICEMAP));
    memset(b->word, 0, 4096);
    TRY(host_pointer(&b->word_view, b->word, 0));
    return 0;
}

static void close_bench(struct cuda_bench *b)
{
    if (!b->context)
        return;
    if (b->stream) {
        grosr_cuda.stream_synchronize(b->stream);
        grosr_cuda.stream_destroy(b->stream);
    }
    if (b->result)
        grosr_cuda.memory_free(b->result);
    if (b->copy)
        grosr_cuda.host_free(b->copy);
    if (b->word)
        grosr_cuda.host_free(b->word);
    if (b->module)
        grosr_cuda.module_unload(b->module);
    grosr_cuda.context_release(b->id);
}

/* How the tasks of one sample are launched; all of them are done when it returns. */
typedef int (*launcher)(struct cuda_bench *b, uint64_t tasks, CUgraphExec graph);

static int launch_task(struct cuda_bench *b, uint64_t i)
{
    void *arguments[] = {&b->result, &i};

    TRY(launch(b->task, 1, 1, 1, 32, 1, 1, 0, b->stream, arguments, NULL));
    return 0;
}

static int launch_each(struct cuda_bench *b, uint64_t tasks, bool synchronize_each)
{
    for (uint64_t i = 0; i < tasks; i++) {
        int err = launch_task(b, i);
        if (err)
            return err;
        if (synchronize_each)
            TRY(stream_synchronize(b->stream));
    }
    TRY(stream_synchronize(b->stream));
    return 0;
}

static int launch_and_synchronize(struct cuda_bench *b, uint64_t tasks, CUgraphExec graph)
{
    (void)graph;
    return launch_each(b, tasks, true);
}

static int launch_async(struct cuda_bench *b, uint64_t tasks, CUgraphExec graph)
{
    (void)graph;
    return launch_each(b, tasks, false);
}

static int launch_graph(struct cuda_bench *b, uint64_t tasks, CUgraphExec graph)
{
    for (uint64_t done = 0; done < tasks; done += GRAPH_NODES)
        TRY(graph_launch(graph, b->stream));
    TRY(stream_synchronize(b->stream));
    return 0;
}

static int launch_whole_graph(struct cuda_bench *b, uint64_t tasks, CUgraphExec graph)
{
    (void)tasks;
    TRY(graph_launch(graph, b->stream));
    TRY(stream_synchronize(b->stream));
    return 0;
}

static int launch_static(struct cuda_bench *b, uint64_t tasks, CUgraphExec graph)
{
    void *arguments[] = {&b->result};

    (void)graph;
    TRY(launch(b->all, (unsigned)tasks, 1, 1, 32, 1, 1, 0, b->stream, arguments, NULL));
    TRY(stream_synchronize(b->stream));
    return 0;
}

/* A chain of `nodes` kernels, captured from a stream. */
static int make_graph(struct cuda_bench *b, uint64_t nodes, CUgraphExec *exec)
{
    CUgraph graph;
    int err = 0;

    TRY(capture_begin(b->stream, CU_STREAM_CAPTURE_MODE_THREAD_LOCAL));
    for (uint64_t i = 0; !err && i < nodes; i++)
        err = launch_task(b, i);
    TRY(capture_end(b->stream, &graph));
    if (err)
        return err;
    CUresult code = grosr_cuda.graph_instantiate(exec, graph, 0);
    grosr_cuda.graph_destroy(graph);
    return code == CUDA_SUCCESS ? 0 : grosr_cuda_fail(code, "cannot instantiate the graph");
}

/* Takes the samples of a series. `distinct`: how many results there are to check. */
static int time_launcher(struct cuda_bench *b, const struct grosr_bench_options *o,
                         struct grosr_bench_report *report, const char *series, launcher launch_all,
                         uint64_t tasks, uint64_t distinct, CUgraphExec graph)
{
    double *samples = grosr_bench_samples(o->repetitions);
    int err = samples ? 0 : -ENOMEM;

    for (uint32_t i = 0; !err && i < WARM_UP + o->repetitions; i++) {
        grosr_cuda.memory_set(b->result, 0xff, distinct * sizeof(uint64_t), b->stream);
        grosr_cuda.stream_synchronize(b->stream);
        uint64_t start = grosr_host_clock_ns();
        err = launch_all(b, tasks, graph);
        if (i >= WARM_UP)
            samples[i - WARM_UP] = (double)(grosr_host_clock_ns() - start);
        if (err)
            break;
        grosr_cuda.copy_to_host(b->copy, b->result, distinct * sizeof(uint64_t), b->stream);
        grosr_cuda.stream_synchronize(b->stream);
        for (uint64_t k = 0; k < distinct; k++)
            report->errors += b->copy[k] != grosr_bench_result(k);
        if (*o->stop)
            err = -ECANCELED;
    }
    if (!err)
        grosr_bench_add(report, series, true, tasks, samples, o->repetitions);
    free(samples);
    return err;
}

static int dispatch_series(struct cuda_bench *b, const struct grosr_bench_options *o,
                           struct grosr_bench_report *report)
{
    uint64_t few = o->tasks < LAUNCHES_MOST ? o->tasks : LAUNCHES_MOST;
    CUgraphExec graph = NULL;
    int err;

    if ((err = time_launcher(b, o, report, "launch and synchronize, each task", launch_and_synchronize, few,
                             few, NULL)) ||
        (err = time_launcher(b, o, report, "asynchronous launches, one synchronize", launch_async, few, few,
                             NULL)))
        return err;
    err = make_graph(b, few, &graph);
    if (!err)
        err = time_launcher(b, o, report, "CUDA graph of the chain", launch_whole_graph, few, few, graph);
    if (graph)
        grosr_cuda.graph_exec_destroy(graph);
    graph = NULL;
    if (!err && o->tasks >= GRAPH_NODES) {
        uint64_t tasks = o->tasks / GRAPH_NODES * GRAPH_NODES;
        err = make_graph(b, GRAPH_NODES, &graph);
        if (!err)
            err = time_launcher(b, o, report, "CUDA graph of 1,000, launched repeatedly", launch_graph, tasks,
                                GRAPH_NODES, graph);
        if (graph)
            grosr_cuda.graph_exec_destroy(graph);
    }
    if (!err)
        err = time_launcher(b, o, report, "one static kernel, a block a task (the bound)", launch_static,
                            o->tasks, o->tasks, NULL);
    return err;
}

int grosr_bench_dispatch_cuda(const struct grosr_bench_options *o, struct grosr_bench_report *report)
{
    struct cuda_bench b;
    int err = open_bench(&b, report, o->tasks);

    if (!err)
        err = dispatch_series(&b, o, report);
    close_bench(&b);
    return err;
}

/* ---- pingpong ---- */

/* Waits for the device to answer `value`. -EIO after a while: the kernel must not be waited for for ever. */
static int await(const sys32 *word, uint32_t value)
{
    uint64_t start = 0;

    for (uint32_t i = 0; sys_load_acquire(word) != value; i++) {
        if (i % 65536 != 65535)
            continue;
        uint64_t now = grosr_host_clock_ns();
        if (start == 0)
            start = now;
        if (now - start > ECHO_TIMEOUT_NS)
            return grosr_fail(EIO, "the baseline's kernel does not answer");
    }
    return 0;
}

static int time_echo(struct cuda_bench *b, const struct grosr_bench_options *o,
                     struct grosr_bench_report *report, double *samples)
{
    uint32_t trips = (uint32_t)o->tasks, warm = trips / 10 + 1, last = warm + trips;
    CUdeviceptr request = b->word_view, response = b->word_view + WORD_STRIDE * sizeof(sys32);
    void *arguments[] = {&request, &response, &last};
    int err = 0;

    TRY(launch(b->echo, 1, 1, 1, 1, 1, 1, 0, b->stream, arguments, NULL));
    for (uint32_t i = 1; !err && i <= last; i++) {
        uint64_t start = grosr_host_clock_ns();
        sys_store_release(&b->word[0], i);
        err = await(&b->word[WORD_STRIDE], i);
        if (i > warm)
            samples[i - warm - 1] = (double)(grosr_host_clock_ns() - start);
    }
    sys_store_release(&b->word[0], last); /* in any case */
    TRY(stream_synchronize(b->stream));
    if (!err)
        grosr_bench_add(report, "bare echo over mapped memory (the floor)", true, 1, samples, trips);
    return err;
}

/* Kernel 1 writes, the CPU reads, the CPU launches kernel 2. */
static int time_mediated(struct cuda_bench *b, const struct grosr_bench_options *o,
                         struct grosr_bench_report *report, double *samples)
{
    uint32_t trips = o->tasks < LAUNCHES_MOST ? (uint32_t)o->tasks : LAUNCHES_MOST, warm = trips / 10 + 1;

    for (uint32_t i = 1; i <= warm + trips; i++) {
        void *arguments[] = {&b->word_view, &i};
        uint64_t start = grosr_host_clock_ns();
        TRY(launch(b->step, 1, 1, 1, 1, 1, 1, 0, b->stream, arguments, NULL));
        int err = await(&b->word[0], i);
        if (err)
            return err;
        if (i > warm)
            samples[i - warm - 1] = (double)(grosr_host_clock_ns() - start);
    }
    TRY(stream_synchronize(b->stream));
    grosr_bench_add(report, "kernel, CPU, next kernel", true, 1, samples, trips);
    return 0;
}

int grosr_bench_pingpong_cuda(const struct grosr_bench_options *o, struct grosr_bench_report *report)
{
    struct grosr_bench_options steps = *o;
    double *samples = grosr_bench_samples((uint32_t)o->tasks);
    struct cuda_bench b;
    CUgraphExec graph = NULL;
    int err = samples ? open_bench(&b, report, GRAPH_NODES) : -ENOMEM;

    if (!samples)
        return err;
    if (!err)
        err = time_echo(&b, o, report, samples);
    if (!err)
        err = time_mediated(&b, o, report, samples);
    if (!err)
        err = make_graph(&b, GRAPH_NODES, &graph);
    steps.repetitions = GRAPH_STEPS;
    if (!err)
        err = time_launcher(&b, &steps, report, "CUDA graph, a chain of 1,000 steps", launch_whole_graph,
                            GRAPH_NODES, GRAPH_NODES, graph);
    if (graph)
        grosr_cuda.graph_exec_destroy(graph);
    close_bench(&b);
    free(samples);
    return err;
}
