/*
 * Baselines on CUDA: what one would do without a persistent kernel, and the floors that nothing can go below.
 */
#include "bench.h"
#include "../../tracer/nvidia/cuda_driver.h"

#include "../../tracer/clock/clock.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define WARM_UP         3u
#define LAUNCHES_MAX    10000u /* kernels launched one by one in a sample */
#define GRAPH_NODES     1000u  /* of the graph that is launched repeatedly */
#define GRAPH_STEPS     200u   /* samples of the graph as a chain of dependent steps */
#define ECHO_TIMEOUT_NS 5000000000u
/* Beside the runtime. Both take milliseconds, long against what starting and watching them takes; the copied
 * words are more than any L2 holds. */
#define BESIDE_TIMEOUT_NS 10000000000u
#define BESIDE_BLOCKS     4u /* on each SM, of BESIDE_THREADS */
#define BESIDE_THREADS    256u
#define BESIDE_ROUNDS     (1u << 18)
#define BESIDE_WORDS      (UINT64_C(1) << 24)
#define BESIDE_COPIES     32u

extern const unsigned char grosr_bench_fatbin[]; /* fatbin.S */

struct cuda_bench {
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

/* Waits for what is in the stream; -ETIMEDOUT: it has not ended, or not even begun. */
static int wait_stream(struct cuda_bench *b, uint64_t timeout_ns)
{
    uint64_t start = grosr_host_clock_ns();
    CUresult code;

    while ((code = grosr_cuda.stream_query(b->stream)) == CUDA_ERROR_NOT_READY)
        if (grosr_host_clock_ns() - start > timeout_ns)
            return grosr_fail(ETIMEDOUT, "a kernel did not end within %u s",
                              (unsigned)(timeout_ns / 1000000000u));
    return code == CUDA_SUCCESS ? 0 : grosr_cuda_fail(code, "the baseline failed");
}

static void close_bench(struct cuda_bench *b)
{
    if (!b->context)
        return;
    if (b->stream) {
        /* Freeing would wait for a kernel that does not end; the process's exit ends it. */
        if (wait_stream(b, BESIDE_TIMEOUT_NS) == -ETIMEDOUT)
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

/* Takes the samples of a series, or of a point of a sweep over tasks. `distinct`: how many results there are
 * to check. */
static int time_launcher_at(struct cuda_bench *b, const struct grosr_bench_options *o,
                            struct grosr_bench_report *report, const char *series, enum grosr_bench_axis axis,
                            launcher launch_all, uint64_t tasks, uint64_t distinct, CUgraphExec graph)
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
        grosr_bench_add_at(report, series, true, axis, (double)tasks, tasks, samples, o->repetitions);
    free(samples);
    return err;
}

static int time_launcher(struct cuda_bench *b, const struct grosr_bench_options *o,
                         struct grosr_bench_report *report, const char *series, launcher launch_all,
                         uint64_t tasks, uint64_t distinct, CUgraphExec graph)
{
    return time_launcher_at(b, o, report, series, GROSR_BENCH_NO_AXIS, launch_all, tasks, distinct, graph);
}

static int dispatch_series(struct cuda_bench *b, const struct grosr_bench_options *o,
                           struct grosr_bench_report *report)
{
    uint64_t few = o->tasks < LAUNCHES_MAX ? o->tasks : LAUNCHES_MAX;
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

/* ---- scale ---- */

int grosr_bench_scale_cuda(const struct grosr_bench_options *o, struct grosr_bench_report *report)
{
    uint64_t count[GROSR_BENCH_SWEEP];
    uint32_t counts = grosr_bench_sweep(o->tasks, count);
    struct cuda_bench b;
    int err = open_bench(&b, report, o->tasks);

    for (uint32_t i = 0; !err && i < counts && count[i] <= LAUNCHES_MAX; i++)
        err = time_launcher_at(&b, o, report, "asynchronous launches, one synchronize", GROSR_BENCH_TASKS,
                               launch_async, count[i], count[i], NULL);
    for (uint32_t i = 0; !err && i < counts; i++)
        err = time_launcher_at(&b, o, report, "one static kernel, a block a task (the bound)",
                               GROSR_BENCH_TASKS, launch_static, count[i], count[i], NULL);
    close_bench(&b);
    return err;
}

/* ---- spawn ---- */

/* A binary tree of kernels as a graph: node i depends on node (i - 1) / 2. */
static int make_tree_graph(struct cuda_bench *b, uint64_t nodes, CUgraphExec *exec)
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
    uint64_t nodes = (o->tasks < LAUNCHES_MAX ? o->tasks : LAUNCHES_MAX);
    CUgraphExec graph = NULL;
    struct cuda_bench b;
    int err = open_bench(&b, report, nodes);

    if (!err)
        err = make_tree_graph(&b, nodes, &graph);
    if (!err)
        err = time_launcher(&b, o, report, "CUDA graph of a binary tree of kernels", launch_whole_graph,
                            nodes, nodes, graph);
    if (graph)
        grosr_cuda.graph_exec_destroy(graph);
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
    uint64_t timeout_ns = 2 * (uint64_t)ECHO_TIMEOUT_NS;
    void *arguments[] = {&request, &response, &last, &timeout_ns};
    int err = 0;

    TRY(launch(b->echo, 1, 1, 1, 1, 1, 1, 0, b->stream, arguments, NULL));
    for (uint32_t i = 1; !err && i <= last; i++) {
        uint64_t start = grosr_host_clock_ns();
        sys_store_release(&b->word[0], i);
        err = await(&b->word[WORD_STRIDE], i);
        if (i > warm)
            samples[i - warm - 1] = (double)(grosr_host_clock_ns() - start);
        if (!err && *o->stop)
            err = -ECANCELED;
    }
    sys_store_release(&b->word[0], last); /* in any case */
    if (!err)
        err = wait_stream(b, ECHO_TIMEOUT_NS);
    if (!err)
        grosr_bench_add(report, "bare echo over mapped memory (the floor)", true, 1, samples, trips);
    return err;
}

/* Kernel 1 writes, the CPU reads, the CPU launches kernel 2. */
static int time_mediated(struct cuda_bench *b, const struct grosr_bench_options *o,
                         struct grosr_bench_report *report, double *samples)
{
    uint32_t trips = o->tasks < LAUNCHES_MAX ? (uint32_t)o->tasks : LAUNCHES_MAX, warm = trips / 10 + 1;

    for (uint32_t i = 1; i <= warm + trips; i++) {
        void *arguments[] = {&b->word_view, &i};
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
    grosr_bench_add(report, "kernel, CPU, next kernel", true, 1, samples, trips);
    return 0;
}

/* A word handed from SM to SM and back: half a round trip is a hop. */
static int time_hop(struct cuda_bench *b, const struct grosr_bench_options *o,
                    struct grosr_bench_report *report, double *samples)
{
    uint32_t trips = o->tasks < LAUNCHES_MAX ? (uint32_t)o->tasks : LAUNCHES_MAX;
    CUdeviceptr word, time = b->result;
    void *arguments[] = {&word, &time, &trips};

    TRY(memory_alloc(&word, 4096));
    TRY(memory_set(word, 0, 4096, b->stream));
    /* Cooperative: both blocks are there, or neither. */
    TRY(launch_cooperative(b->hop, 2, 1, 1, 1, 1, 1, 0, b->stream, arguments));
    int err = wait_stream(b, ECHO_TIMEOUT_NS);
    if (err)
        return err;
    TRY(copy_to_host(b->copy, b->result, (trips + 1) * sizeof(uint64_t), b->stream));
    TRY(stream_synchronize(b->stream));
    grosr_cuda.memory_free(word);
    for (uint32_t i = 0; i < trips; i++)
        samples[i] = (double)(b->copy[i + 1] - b->copy[i]) / 2;
    grosr_bench_add(report, "bare hop between two SMs, release and acquire (a floor)", true, 1, samples,
                    trips);
    return 0;
}

int grosr_bench_pingpong_cuda(const struct grosr_bench_options *o, struct grosr_bench_report *report)
{
    struct grosr_bench_options steps = *o;
    double *samples = grosr_bench_samples((uint32_t)o->tasks);
    struct cuda_bench b;
    CUgraphExec graph = NULL;
    int err = samples ? open_bench(&b, report, LAUNCHES_MAX + 1) : -ENOMEM;

    if (!samples)
        return err;
    if (!err)
        err = time_echo(&b, o, report, samples);
    if (!err)
        err = time_hop(&b, o, report, samples);
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

/* ---- idle ---- */

struct grosr_bench_beside {
    struct cuda_bench bench; /* its `result` is where both kernels write */
    CUfunction compute, fill, copy;
    CUdeviceptr from;
    unsigned blocks;
    bool pending; /* a kernel did not end in time */
};

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

static int prepare_beside(struct grosr_bench_beside *s, const struct grosr_bench_report *report)
{
    struct cuda_bench *b = &s->bench;
    uint64_t words = BESIDE_WORDS;
    int err = open_bench(b, report, words);
    void *arguments[] = {&s->from, &words};

    if (err)
        return err;
    s->blocks = report->device.sms * BESIDE_BLOCKS;
    TRY(module_function(&s->compute, b->module, "bench_compute"));
    TRY(module_function(&s->fill, b->module, "bench_fill"));
    TRY(module_function(&s->copy, b->module, "bench_copy"));
    TRY(memory_alloc(&s->from, words * sizeof(uint64_t)));
    TRY(launch(s->fill, s->blocks, 1, 1, BESIDE_THREADS, 1, 1, 0, b->stream, arguments, NULL));
    return wait_stream(b, BESIDE_TIMEOUT_NS);
}

int grosr_bench_beside_open(struct grosr_bench_beside **out, const struct grosr_bench_report *report)
{
    struct grosr_bench_beside *s = (struct grosr_bench_beside *)calloc(1, sizeof(*s));
    int err = s ? prepare_beside(s, report) : grosr_fail(ENOMEM, "out of memory");

    if (err)
        grosr_bench_beside_close(s);
    else
        *out = s;
    return err;
}

static int launch_compute(struct grosr_bench_beside *s)
{
    uint32_t rounds = BESIDE_ROUNDS;
    void *arguments[] = {&s->bench.result, &rounds};

    TRY(launch(s->compute, s->blocks, 1, 1, BESIDE_THREADS, 1, 1, 0, s->bench.stream, arguments, NULL));
    return 0;
}

static int launch_copies(struct grosr_bench_beside *s)
{
    uint64_t pairs = BESIDE_WORDS / 2;
    void *arguments[] = {&s->bench.result, &s->from, &pairs};

    for (uint32_t i = 0; i < BESIDE_COPIES; i++)
        TRY(launch(s->copy, s->blocks, 1, 1, BESIDE_THREADS, 1, 1, 0, s->bench.stream, arguments, NULL));
    return 0;
}

static uint64_t wrong_mixes(const struct grosr_bench_beside *s)
{
    const uint32_t *got = (const uint32_t *)s->bench.copy;
    uint32_t want[GROSR_BENCH_SEEDS];
    uint64_t n = 0;

    for (uint32_t i = 0; i < GROSR_BENCH_SEEDS; i++)
        want[i] = grosr_bench_mix(i, BESIDE_ROUNDS);
    for (uint32_t i = 0; i < s->blocks * BESIDE_THREADS; i++)
        n += got[i] != want[i % GROSR_BENCH_SEEDS];
    return n;
}

int grosr_bench_beside_run(struct grosr_bench_beside *s, enum grosr_bench_kernel kernel, double *ns,
                           uint64_t *errors)
{
    struct cuda_bench *b = &s->bench;
    size_t bytes = kernel == GROSR_BENCH_COMPUTE ? s->blocks * BESIDE_THREADS * sizeof(uint32_t)
                                                 : BESIDE_WORDS * sizeof(uint64_t);
    int err;

    TRY(context_set(b->context));
    TRY(memory_set(b->result, 0xff, bytes, b->stream));
    if ((err = wait_stream(b, BESIDE_TIMEOUT_NS)))
        return err;
    uint64_t start = grosr_host_clock_ns();
    err = kernel == GROSR_BENCH_COMPUTE ? launch_compute(s) : launch_copies(s);
    if (!err)
        err = wait_stream(b, BESIDE_TIMEOUT_NS);
    *ns = (double)(grosr_host_clock_ns() - start);
    if (err) {
        s->pending = err == -ETIMEDOUT;
        return err == -ETIMEDOUT ? grosr_fail(ETIMEDOUT, "it found no room on the SMs within %u s",
                                              (unsigned)(BESIDE_TIMEOUT_NS / 1000000000u))
                                 : err;
    }
    TRY(copy_to_host(b->copy, b->result, bytes, b->stream));
    if ((err = wait_stream(b, BESIDE_TIMEOUT_NS)))
        return err;
    if (kernel == GROSR_BENCH_COMPUTE)
        *errors += wrong_mixes(s);
    for (uint64_t i = 0; kernel == GROSR_BENCH_COPY && i < BESIDE_WORDS; i++)
        *errors += b->copy[i] != grosr_bench_result(i);
    return 0;
}

int grosr_bench_beside_end(struct grosr_bench_beside *s)
{
    if (!s->pending)
        return 0;
    TRY(context_set(s->bench.context));
    s->pending = false;
    return wait_stream(&s->bench, BESIDE_TIMEOUT_NS);
}

void grosr_bench_beside_close(struct grosr_bench_beside *s)
{
    if (!s)
        return;
    if (s->bench.context) {
        grosr_cuda.context_set(s->bench.context);
        if (s->from && wait_stream(&s->bench, BESIDE_TIMEOUT_NS) != -ETIMEDOUT)
            grosr_cuda.memory_free(s->from);
        close_bench(&s->bench);
    }
    free(s);
}
