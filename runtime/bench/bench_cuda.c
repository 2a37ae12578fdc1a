/*
 * Baselines on CUDA: what one would do without a persistent kernel, and one static kernel as the bound.
 */
#include "bench_cuda.h"

#include "../../tracer/clock/clock.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define WARM_UP     3u
#define GRAPH_NODES 1000u /* of the graph that is launched repeatedly */

extern const unsigned char grosr_bench_fatbin[]; /* fatbin.S */

int grosr_bench_cuda_facts(const struct grosr_bench_report *report, char *pci, size_t size, uint32_t *version)
{
    CUdevice id;

    if (!grosr_cuda_load())
        return grosr_fail(ENODEV, "no CUDA device: %s", grosr_cuda.absent);
    *version = (uint32_t)grosr_cuda.version;
    TRY(device_get(&id, (int)report->device.ordinal));
    TRY(device_pci(pci, (int)size, id));
    return 0;
}

int grosr_bench_cuda_open(struct grosr_bench_cuda *b, struct grosr_bench_report *report, uint64_t tasks)
{
    grosr_bench_begin(report, "CUDA", true);
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
    TRY(module_function(&b->hop, b->module, "bench_hop"));
    TRY(module_function(&b->step, b->module, "bench_step"));
    TRY(stream_create(&b->stream, CU_STREAM_NON_BLOCKING));
    TRY(memory_alloc(&b->result, tasks * sizeof(uint64_t)));
    TRY(host_alloc((void **)&b->copy, tasks * sizeof(uint64_t), 0));
    TRY(host_alloc((void **)&b->word, 4096, CU_MEMHOSTALLOC_DEVICEMAP));
    memset(b->word, 0, 4096);
    TRY(host_pointer(&b->word_view, b->word, 0));
    return 0;
}

int grosr_bench_cuda_wait(struct grosr_bench_cuda *b, uint64_t timeout_ns)
{
    uint64_t start = grosr_host_clock_ns();
    CUresult code;

    while ((code = grosr_cuda.stream_query(b->stream)) == CUDA_ERROR_NOT_READY)
        if (grosr_host_clock_ns() - start > timeout_ns)
            return grosr_fail(ETIMEDOUT, "a kernel did not end within %u s",
                              (unsigned)(timeout_ns / 1000000000u));
    return code == CUDA_SUCCESS ? 0 : grosr_cuda_fail(code, "a kernel failed");
}

void grosr_bench_cuda_close(struct grosr_bench_cuda *b)
{
    if (!b->context)
        return;
    if (b->stream) {
        /* Freeing would wait for a kernel that does not end; the process's exit ends it. */
        if (grosr_bench_cuda_wait(b, GROSR_BENCH_CUDA_TIMEOUT_NS) == -ETIMEDOUT)
            return;
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

static int launch_task(struct grosr_bench_cuda *b, uint64_t i)
{
    void *arguments[] = {&b->result, &i};

    TRY(launch(b->task, 1, 1, 1, 32, 1, 1, 0, b->stream, arguments, NULL));
    return 0;
}

static int launch_each(struct grosr_bench_cuda *b, uint64_t tasks, bool synchronize_each)
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

static int launch_and_synchronize(struct grosr_bench_cuda *b, uint64_t tasks, CUgraphExec graph)
{
    (void)graph;
    return launch_each(b, tasks, true);
}

static int launch_async(struct grosr_bench_cuda *b, uint64_t tasks, CUgraphExec graph)
{
    (void)graph;
    return launch_each(b, tasks, false);
}

static int launch_graph(struct grosr_bench_cuda *b, uint64_t tasks, CUgraphExec graph)
{
    for (uint64_t done = 0; done < tasks; done += GRAPH_NODES)
        TRY(graph_launch(graph, b->stream));
    TRY(stream_synchronize(b->stream));
    return 0;
}

int grosr_bench_launch_graph(struct grosr_bench_cuda *b, uint64_t tasks, CUgraphExec graph)
{
    (void)tasks;
    TRY(graph_launch(graph, b->stream));
    TRY(stream_synchronize(b->stream));
    return 0;
}

static int launch_static(struct grosr_bench_cuda *b, uint64_t tasks, CUgraphExec graph)
{
    void *arguments[] = {&b->result};

    (void)graph;
    TRY(launch(b->all, (unsigned)tasks, 1, 1, 32, 1, 1, 0, b->stream, arguments, NULL));
    TRY(stream_synchronize(b->stream));
    return 0;
}

int grosr_bench_make_graph(struct grosr_bench_cuda *b, uint64_t nodes, CUgraphExec *exec)
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

int grosr_bench_time_launcher(struct grosr_bench_cuda *b, const struct grosr_bench_options *o,
                              struct grosr_bench_report *report, const char *series,
                              enum grosr_bench_axis axis, grosr_bench_launcher launch_all, uint64_t tasks,
                              uint64_t distinct, CUgraphExec graph)
{
    double *samples = grosr_bench_samples(o->repetitions);
    int err = samples ? 0 : -ENOMEM;

    grosr_bench_begin_at(report, series, true, axis, (double)tasks);
    for (uint32_t i = 0; !err && i < WARM_UP + o->repetitions; i++) {
        grosr_bench_round(report, i, WARM_UP);
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
            grosr_bench_check(report, "task", k, grosr_bench_result(k), b->copy[k]);
        if (*o->stop)
            err = -ECANCELED;
    }
    if (!err)
        grosr_bench_add_at(report, series, true, axis, (double)tasks, tasks, samples, o->repetitions);
    free(samples);
    return err;
}

/* ---- dispatch ---- */

static int dispatch_series(struct grosr_bench_cuda *b, const struct grosr_bench_options *o,
                           struct grosr_bench_report *report)
{
    uint64_t few = o->tasks < GROSR_BENCH_LAUNCHES_MAX ? o->tasks : GROSR_BENCH_LAUNCHES_MAX;
    const char *chain = "CUDA graph of the chain", *repeated = "CUDA graph of 1,000, launched repeatedly";
    CUgraphExec graph = NULL;
    int err;

    if ((err = grosr_bench_time_launcher(b, o, report, "launch and synchronize, each task",
                                         GROSR_BENCH_NO_AXIS, launch_and_synchronize, few, few, NULL)) ||
        (err = grosr_bench_time_launcher(b, o, report, "asynchronous launches, one synchronize",
                                         GROSR_BENCH_NO_AXIS, launch_async, few, few, NULL)))
        return err;
    grosr_bench_begin(report, chain, true);
    err = grosr_bench_make_graph(b, few, &graph);
    if (!err)
        err = grosr_bench_time_launcher(b, o, report, chain, GROSR_BENCH_NO_AXIS, grosr_bench_launch_graph,
                                        few, few, graph);
    if (graph)
        grosr_cuda.graph_exec_destroy(graph);
    graph = NULL;
    if (!err && o->tasks >= GRAPH_NODES) {
        uint64_t tasks = o->tasks / GRAPH_NODES * GRAPH_NODES;
        grosr_bench_begin(report, repeated, true);
        err = grosr_bench_make_graph(b, GRAPH_NODES, &graph);
        if (!err)
            err = grosr_bench_time_launcher(b, o, report, repeated, GROSR_BENCH_NO_AXIS, launch_graph, tasks,
                                            GRAPH_NODES, graph);
        if (graph)
            grosr_cuda.graph_exec_destroy(graph);
    }
    if (!err)
        err = grosr_bench_time_launcher(b, o, report, "one static kernel, a block a task (the bound)",
                                        GROSR_BENCH_NO_AXIS, launch_static, o->tasks, o->tasks, NULL);
    return err;
}

int grosr_bench_dispatch_cuda(const struct grosr_bench_options *o, struct grosr_bench_report *report)
{
    struct grosr_bench_cuda b;
    int err = grosr_bench_cuda_open(&b, report, o->tasks);

    if (!err)
        err = dispatch_series(&b, o, report);
    grosr_bench_cuda_close(&b);
    return err;
}

/* ---- scale ---- */

int grosr_bench_scale_cuda(const struct grosr_bench_options *o, struct grosr_bench_report *report)
{
    uint64_t count[GROSR_BENCH_SWEEP];
    uint32_t counts = grosr_bench_sweep(o->tasks, count);
    struct grosr_bench_cuda b;
    int err = grosr_bench_cuda_open(&b, report, o->tasks);

    for (uint32_t i = 0; !err && i < counts && count[i] <= GROSR_BENCH_LAUNCHES_MAX; i++)
        err = grosr_bench_time_launcher(&b, o, report, "asynchronous launches, one synchronize",
                                        GROSR_BENCH_TASKS, launch_async, count[i], count[i], NULL);
    for (uint32_t i = 0; !err && i < counts; i++)
        err = grosr_bench_time_launcher(&b, o, report, "one static kernel, a block a task (the bound)",
                                        GROSR_BENCH_TASKS, launch_static, count[i], count[i], NULL);
    grosr_bench_cuda_close(&b);
    return err;
}

/* ---- spawn ---- */

/* A binary tree of kernels as a graph: node i depends on node (i - 1) / 2. */
static int make_tree_graph(struct grosr_bench_cuda *b, uint64_t nodes, CUgraphExec *exec)
{
    CUgraphNode *node = (CUgraphNode *)malloc(nodes * sizeof(CUgraphNode));
    CUgraph graph;
    CUresult code;

    if (!node)
        return grosr_fail(ENOMEM, "out of memory for a graph of %llu nodes", (unsigned long long)nodes);
    code = grosr_cuda.graph_create(&graph, 0);
    for (uint64_t i = 0; code == CUDA_SUCCESS && i < nodes; i++) {
        void *arguments[] = {&b->result, &i};
        CUDA_KERNEL_NODE_PARAMS kernel;
        memset(&kernel, 0, sizeof(kernel));
        kernel.func = b->task;
        kernel.gridDimX = kernel.gridDimY = kernel.gridDimZ = 1;
        kernel.blockDimX = 32;
        kernel.blockDimY = kernel.blockDimZ = 1;
        kernel.kernelParams = arguments;
        code =
            grosr_cuda.graph_add_kernel(&node[i], graph, i ? &node[(i - 1) / 2] : NULL, i ? 1 : 0, &kernel);
    }
    if (code == CUDA_SUCCESS)
        code = grosr_cuda.graph_instantiate(exec, graph, 0);
    free(node);
    if (code != CUDA_SUCCESS)
        return grosr_cuda_fail(code, "cannot make a graph of a tree");
    grosr_cuda.graph_destroy(graph);
    return 0;
}

int grosr_bench_spawn_cuda(const struct grosr_bench_options *o, struct grosr_bench_report *report)
{
    uint64_t nodes = (o->tasks < GROSR_BENCH_LAUNCHES_MAX ? o->tasks : GROSR_BENCH_LAUNCHES_MAX);
    const char *series = "CUDA graph of a binary tree of kernels";
    CUgraphExec graph = NULL;
    struct grosr_bench_cuda b;
    int err = grosr_bench_cuda_open(&b, report, nodes);

    grosr_bench_begin(report, series, true);
    if (!err)
        err = make_tree_graph(&b, nodes, &graph);
    if (!err)
        err = grosr_bench_time_launcher(&b, o, report, series, GROSR_BENCH_NO_AXIS, grosr_bench_launch_graph,
                                        nodes, nodes, graph);
    if (graph)
        grosr_cuda.graph_exec_destroy(graph);
    grosr_bench_cuda_close(&b);
    return err;
}
