/*
 * The device of the double (cupti_double.h): an account of what its streams were given and when that ends,
 * and the calls of the runtime that give it.
 */
#include "double_parts.h"

#include <stdlib.h>
#include <time.h>

pthread_mutex_t double_lock = PTHREAD_MUTEX_INITIALIZER;
struct stream double_streams[DOUBLE_STREAMS];

static uint32_t running_collected; /* kernels that run until double_stop() and are collected */
static uint64_t stopped_ns;        /* atomic: a signal handler sets it */
static uint32_t in_driver;         /* atomic: calls that wait in the driver and keep its lock */

void double_sleep_ms(uint32_t ms)
{
    const struct timespec t = {ms / 1000, (long)(ms % 1000) * 1000000};
    nanosleep(&t, NULL);
}

uint64_t double_time(uint32_t stream, uint64_t ns)
{
    uint64_t stopped = __atomic_load_n(&stopped_ns, __ATOMIC_ACQUIRE);
    uint64_t released =
        __atomic_load_n(&double_streams[stream % DOUBLE_STREAMS].released_ns, __ATOMIC_ACQUIRE);

    if (ns == HELD)
        return released ? released : RUNNING;
    return ns == RUNNING && stopped ? stopped : ns;
}

bool double_withholds(void)
{
    return running_collected && !__atomic_load_n(&stopped_ns, __ATOMIC_ACQUIRE);
}

/* With the lock. */
static bool is_over(uint32_t stream)
{
    const struct stream *s = &double_streams[stream];

    return !s->items || double_time(stream, s->latest.end_ns) <= double_now_ns();
}

bool double_is_idle(void)
{
    bool idle = true;

    pthread_mutex_lock(&double_lock);
    for (uint32_t i = 0; i < DOUBLE_STREAMS; i++)
        idle = idle && is_over(i);
    pthread_mutex_unlock(&double_lock);
    return idle;
}

bool double_stream_is_over(uint32_t stream)
{
    pthread_mutex_lock(&double_lock);
    bool over = is_over(stream);
    pthread_mutex_unlock(&double_lock);
    return over;
}

void double_wait_for_driver(void)
{
    while (double_has_fault("stuck") && __atomic_load_n(&in_driver, __ATOMIC_ACQUIRE))
        double_sleep_ms(1);
}

void double_stop(void)
{
    __atomic_store_n(&stopped_ns, double_now_ns(), __ATOMIC_RELEASE);
}

const char *double_running(uint32_t stream)
{
    const struct stream *s = &double_streams[stream];

    return !is_over(stream) && double_time(stream, s->latest.start_ns) <= double_now_ns() ? s->latest.name
                                                                                          : NULL;
}

/* ---- what streams are given ---- */

/* When something behind an item that ends then begins, at the earliest. With the lock. */
uint64_t double_behind(uint32_t stream, uint64_t now)
{
    const struct stream *s = &double_streams[stream];
    uint64_t end = s->items ? double_time(stream, s->latest.end_ns) : 0;

    return end == RUNNING ? s->latest.end_ns : end > now ? end : now;
}

/* The same of the default stream, which comes behind the others too. With the lock. */
static uint64_t behind_all(uint64_t now)
{
    for (uint32_t i = 0; i < DOUBLE_STREAMS; i++)
        if (!double_streams[i].non_blocking)
            now = double_behind(i, now) > now ? double_behind(i, now) : now;
    return now;
}

/* Puts something into a stream; when it starts and ends. With the lock. */
struct item double_put(uint32_t stream, uint64_t from, uint64_t takes_ns)
{
    struct stream *s = &double_streams[stream];
    bool waits = from == RUNNING || from == HELD;

    s->latest = (struct item){from,
                              waits                         ? from
                              : takes_ns == DOUBLE_FOR_EVER ? RUNNING
                                                            : from + takes_ns,
                              double_collects_kernels(), NULL};
    s->items++;
    return s->latest;
}

static const struct double_shape usual = {{2, 3, 4}, 32, 256};

/* A node of a graph that is recorded as a whole has no record. Its times. */
static struct item add_kernel(uint32_t stream, const char *name, const struct double_shape *shape,
                              uint64_t takes_ns, uint32_t number, uint64_t node)
{
    union record r = {.kernel = {.kind = CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL}};

    r.kernel.registersPerThread = 16;
    r.kernel.gridX = (int32_t)shape->blocks[0];
    r.kernel.gridY = (int32_t)shape->blocks[1];
    r.kernel.gridZ = (int32_t)shape->blocks[2];
    r.kernel.blockX = (int32_t)shape->threads, r.kernel.blockY = 1, r.kernel.blockZ = 1;
    r.kernel.dynamicSharedMemory = (int32_t)shape->shared_bytes;
    r.kernel.contextId = 1;
    r.kernel.streamId = 7 + stream;
    r.kernel.correlationId = number;
    r.kernel.gridId = number;
    r.kernel.graphNodeId = node;
    r.kernel.name = name;
    pthread_mutex_lock(&double_lock);
    uint64_t now = double_now_ns();
    struct item item = double_put(stream, stream ? double_behind(stream, now) : behind_all(now), takes_ns);
    double_streams[stream].latest.name = name;
    r.kernel.start = item.start_ns;
    r.kernel.end = item.end_ns;
    running_collected += item.collected && item.end_ns == RUNNING;
    if (!node || !double_collects_graphs())
        double_add_record(&r);
    pthread_mutex_unlock(&double_lock);
    return item;
}

static void add_graph(uint32_t stream, uint64_t start_ns, uint64_t end_ns, uint32_t number)
{
    union record r = {.graph = {.kind = CUPTI_ACTIVITY_KIND_GRAPH_TRACE}};

    r.graph.correlationId = number;
    r.graph.start = start_ns;
    r.graph.end = end_ns;
    r.graph.graphId = 5;
    r.graph.contextId = r.graph.endContextId = 1;
    r.graph.streamId = 7 + stream;
    pthread_mutex_lock(&double_lock);
    double_add_record(&r);
    pthread_mutex_unlock(&double_lock);
}

enum { COOPERATIVE = 1, LAZILY = 2, FULL = 4, BY_DRIVER = 8 };

static void launch(uint32_t stream, const char *name, const struct double_shape *shape, uint64_t takes_ns,
                   CUresult result, unsigned how)
{
    const cudaLaunchKernel_v7000_params runtime = {
        .gridDim = {shape->blocks[0], shape->blocks[1], shape->blocks[2]},
        .blockDim = {shape->threads, 1, 1},
        .sharedMem = shape->shared_bytes,
        .stream = (cudaStream_t)handle_of(stream)};
    const cuLaunchKernel_params driver = {.f = double_function(name),
                                          .gridDimX = shape->blocks[0],
                                          .gridDimY = shape->blocks[1],
                                          .gridDimZ = shape->blocks[2],
                                          .blockDimX = shape->threads,
                                          .blockDimY = 1,
                                          .blockDimZ = 1,
                                          .sharedMemBytes = shape->shared_bytes,
                                          .hStream = handle_of(stream)};
    uint32_t number = double_correlation();
    const char *blocking = getenv("CUDA_LAUNCH_BLOCKING");
    struct call outer, inner;

    double_init();
    if (how & BY_DRIVER) {
        DRIVER(&inner, cuLaunchKernel, &driver, name, number);
    } else if (how & COOPERATIVE) { /* their parameters begin as those of the others, and these are all that
                                       is read */
        RUNTIME(&outer, cudaLaunchCooperativeKernel, v9000, &runtime, name, number);
        DRIVER(&inner, cuLaunchCooperativeKernel, &driver, name, number);
    } else {
        RUNTIME(&outer, cudaLaunchKernel, v7000, &runtime, name, number);
        DRIVER(&inner, cuLaunchKernel, &driver, name, number);
    }
    while ((how & LAZILY && !double_is_idle()) || (how & FULL && !double_stream_is_over(stream)))
        double_sleep_ms(1);
    if (result != CUDA_SUCCESS) {
        double_log_failure((int)result, "cuLaunchKernel");
    } else if (!double_is_captured(stream)) {
        add_kernel(stream, name, shape, takes_ns, number, 0);
        while (blocking && *blocking == '1' && !double_stream_is_over(stream))
            double_sleep_ms(1);
    }
    double_leave(&inner, (int)result);
    if (!(how & BY_DRIVER))
        double_leave(&outer, (int)result);
}

void double_launch_by_driver(uint32_t stream, const char *name, const struct double_shape *shape,
                             uint64_t takes_ns)
{
    launch(stream, name, shape, takes_ns, CUDA_SUCCESS, BY_DRIVER);
}

void double_launch(uint32_t stream, const char *name, uint64_t takes_ns)
{
    launch(stream, name, &usual, takes_ns, CUDA_SUCCESS, 0);
}

void double_launch_shape(uint32_t stream, const char *name, const struct double_shape *shape,
                         uint64_t takes_ns)
{
    launch(stream, name, shape, takes_ns, CUDA_SUCCESS, 0);
}

void double_launch_refused(const char *name)
{
    launch(0, name, &usual, 0, CUDA_ERROR_INVALID_VALUE, 0);
}

void double_launch_cooperative(uint32_t stream, const char *name, uint64_t takes_ns)
{
    launch(stream, name, &usual, takes_ns, CUDA_SUCCESS, COOPERATIVE);
}

void double_launch_lazily(uint32_t stream, const char *name, uint64_t takes_ns)
{
    launch(stream, name, &usual, takes_ns, CUDA_SUCCESS, LAZILY);
}

void double_launch_full(uint32_t stream, const char *name, uint64_t takes_ns)
{
    launch(stream, name, &usual, takes_ns, CUDA_SUCCESS, FULL);
}

void double_graph_launch(uint32_t stream, const char *const *names, uint32_t kernels, uint64_t takes_ns)
{
    static CUgraphExec exec = (CUgraphExec)(uintptr_t)0x3000;
    static struct CUgraph_st graph;
    const cuGraphInstantiateWithFlags_params instantiate = {.phGraphExec = &exec, .hGraph = &graph};
    const cudaGraphLaunch_v10000_params params = {.graphExec = (cudaGraphExec_t)exec,
                                                  .stream = (cudaStream_t)handle_of(stream)};
    uint32_t number = double_correlation();
    struct item item = {.end_ns = 0};
    uint64_t start_ns = 0;
    struct call c;

    double_init();
    graph.names = names;
    graph.kernels = kernels;
    DRIVER(&c, cuGraphInstantiateWithFlags, &instantiate, NULL, double_correlation());
    double_leave(&c, 0);
    RUNTIME(&c, cudaGraphLaunch, v10000, &params, NULL, number);
    for (uint32_t i = 0; i < kernels; i++) { /* the last takes so long */
        item = add_kernel(stream, names[i], &usual, i + 1 == kernels ? takes_ns : 1000, number, i + 1);
        start_ns = start_ns ? start_ns : item.start_ns;
    }
    add_graph(stream, double_has_fault("untimed") ? 0 : start_ns,
              double_has_fault("untimed") ? 0 : item.end_ns, number);
    double_leave(&c, 0);
}

/* ---- copies and fills ---- */

static void add_copy(uint32_t stream, uint64_t bytes, uint64_t start_ns, uint64_t end_ns, uint32_t number)
{
    union record r = {.copy = {.kind = CUPTI_ACTIVITY_KIND_MEMCPY}};

    r.copy.copyKind = CUPTI_ACTIVITY_MEMCPY_KIND_HTOD;
    r.copy.srcKind = CUPTI_ACTIVITY_MEMORY_KIND_PAGEABLE;
    r.copy.dstKind = CUPTI_ACTIVITY_MEMORY_KIND_DEVICE;
    r.copy.bytes = bytes;
    r.copy.contextId = 1;
    r.copy.streamId = 7 + stream;
    r.copy.correlationId = number;
    r.copy.start = start_ns;
    r.copy.end = end_ns;
    double_add_record(&r);
}

void double_non_blocking(uint32_t stream)
{
    double_streams[stream % DOUBLE_STREAMS].non_blocking = true;
}

/* Whether all that the default stream waits for has ended. */
static bool default_is_over(void)
{
    bool over = true;

    for (uint32_t i = 0; i < DOUBLE_STREAMS; i++)
        over = over && (double_streams[i].non_blocking || double_stream_is_over(i));
    return over;
}

/* The default stream waits for the others. */
void double_memcpy(uint64_t bytes)
{
    const cudaMemcpy_v3020_params params = {.count = bytes, .kind = cudaMemcpyHostToDevice};
    uint32_t number = double_correlation();
    struct call c;

    double_init();
    RUNTIME(&c, cudaMemcpy, v3020, &params, NULL, number);
    __atomic_add_fetch(&in_driver, 1, __ATOMIC_ACQ_REL);
    while (!default_is_over())
        double_sleep_ms(1);
    __atomic_sub_fetch(&in_driver, 1, __ATOMIC_ACQ_REL);
    uint64_t start = double_now_ns();
    double_sleep_ms(1);
    pthread_mutex_lock(&double_lock);
    add_copy(0, bytes, start, double_now_ns(), number);
    pthread_mutex_unlock(&double_lock);
    double_leave(&c, 0);
}

void double_memcpy_async(uint64_t bytes)
{
    const cudaMemcpyAsync_v3020_params params = {.count = bytes, .kind = cudaMemcpyHostToDevice};
    uint32_t number = double_correlation();
    struct call c;

    double_init();
    RUNTIME(&c, cudaMemcpyAsync, v3020, &params, NULL, number);
    pthread_mutex_lock(&double_lock);
    struct item item = double_put(0, behind_all(double_now_ns()), 1000);
    add_copy(0, bytes, item.start_ns, item.end_ns, number);
    pthread_mutex_unlock(&double_lock);
    double_leave(&c, 0);
}

void double_memset(uint32_t value, uint64_t bytes)
{
    const cudaMemset_v3020_params params = {.value = (int)value, .count = bytes};
    union record r = {.fill = {.kind = CUPTI_ACTIVITY_KIND_MEMSET}};
    uint32_t number = double_correlation();
    struct call c;

    double_init();
    RUNTIME(&c, cudaMemset, v3020, &params, NULL, number);
    r.fill.value = value;
    r.fill.bytes = bytes;
    r.fill.memoryKind = CUPTI_ACTIVITY_MEMORY_KIND_DEVICE;
    r.fill.contextId = 1;
    r.fill.streamId = 7;
    r.fill.correlationId = number;
    r.fill.start = double_now_ns();
    r.fill.end = r.fill.start + 1000;
    pthread_mutex_lock(&double_lock);
    double_add_record(&r);
    pthread_mutex_unlock(&double_lock);
    double_leave(&c, 0);
}

/* ---- host functions ---- */

struct host_function {
    uint32_t stream;
    void (*function)(void *);
    uint64_t from;
};

static void *host_function_main(void *arg)
{
    struct host_function *h = (struct host_function *)arg;

    while (double_time(h->stream, h->from) > double_now_ns())
        double_sleep_ms(1);
    h->function(NULL);
    __atomic_store_n(&double_streams[h->stream].released_ns, double_now_ns(), __ATOMIC_RELEASE);
    free(h);
    return NULL;
}

void double_host_function(uint32_t stream, void (*function)(void *))
{
    const cudaLaunchHostFunc_v10000_params params = {.stream = (cudaStream_t)handle_of(stream),
                                                     .fn = function};
    struct host_function *h = (struct host_function *)malloc(sizeof(*h));
    struct call c;

    double_init();
    RUNTIME(&c, cudaLaunchHostFunc, v10000, &params, NULL, double_correlation());
    if (!h)
        abort();
    pthread_mutex_lock(&double_lock);
    struct item item = double_put(stream, double_behind(stream, double_now_ns()), DOUBLE_FOR_EVER);
    double_streams[stream].latest.end_ns = HELD;
    __atomic_store_n(&double_streams[stream].released_ns, 0, __ATOMIC_RELEASE);
    pthread_mutex_unlock(&double_lock);
    *h = (struct host_function){stream, function, item.start_ns};
    start_detached(host_function_main, h);
    double_leave(&c, 0);
}

/* ---- waiting and asking ---- */

static void add_wait(uint64_t start_ns, uint32_t number)
{
    union record r = {.wait = {.kind = CUPTI_ACTIVITY_KIND_SYNCHRONIZATION}};

    r.wait.type = CUPTI_ACTIVITY_SYNCHRONIZATION_TYPE_CONTEXT_SYNCHRONIZE;
    r.wait.contextId = 1;
    r.wait.streamId = r.wait.cudaEventId = UINT32_MAX;
    r.wait.correlationId = number;
    r.wait.start = start_ns;
    r.wait.end = double_now_ns();
    pthread_mutex_lock(&double_lock);
    double_add_record(&r);
    pthread_mutex_unlock(&double_lock);
}

void double_synchronize(void)
{
    uint32_t number = double_correlation();
    struct call c;

    double_init();
    double_fail();
    RUNTIME(&c, cudaDeviceSynchronize, v3020, NULL, NULL, number);
    uint64_t start = double_now_ns();
    while (!double_is_idle())
        double_sleep_ms(1);
    add_wait(start, number);
    double_leave(&c, 0);
}

void double_stream_synchronize(uint32_t stream)
{
    const cudaStreamSynchronize_v3020_params params = {.stream = (cudaStream_t)handle_of(stream)};
    struct call c;

    double_init();
    RUNTIME(&c, cudaStreamSynchronize, v3020, &params, NULL, double_correlation());
    while (!double_stream_is_over(stream))
        double_sleep_ms(1);
    double_leave(&c, 0);
}

void double_free(void)
{
    struct call c;

    double_init();
    RUNTIME(&c, cudaFree, v3020, NULL, NULL, double_correlation());
    __atomic_add_fetch(&in_driver, 1, __ATOMIC_ACQ_REL);
    while (!double_is_idle())
        double_sleep_ms(1);
    __atomic_sub_fetch(&in_driver, 1, __ATOMIC_ACQ_REL);
    double_leave(&c, 0);
}

void double_malloc(void)
{
    void *memory = NULL;
    const cudaMalloc_v3020_params params = {.devPtr = &memory, .size = 1 << 20};
    struct call c;

    double_init();
    RUNTIME(&c, cudaMalloc, v3020, &params, NULL, double_correlation());
    while (!double_is_idle())
        double_sleep_ms(1);
    double_leave(&c, 0);
}

void double_load(uint64_t takes_ns)
{
    struct call c;

    double_init();
    RUNTIME(&c, cudaLibraryLoadData, v12060, NULL, NULL, double_correlation());
    for (uint64_t end = double_now_ns() + takes_ns; double_now_ns() < end;)
        ;
    double_leave(&c, 0);
}

void double_copy_out_async(uint32_t stream, uint64_t bytes)
{
    const cudaMemcpyAsync_v3020_params params = {
        .count = bytes, .kind = cudaMemcpyDeviceToHost, .stream = (cudaStream_t)handle_of(stream)};
    uint32_t number = double_correlation();
    struct call c;

    double_init();
    RUNTIME(&c, cudaMemcpyAsync, v3020, &params, NULL, number);
    pthread_mutex_lock(&double_lock);
    struct item item = double_put(stream, double_behind(stream, double_now_ns()), 1000);
    add_copy(stream, bytes, item.start_ns, item.end_ns, number);
    pthread_mutex_unlock(&double_lock);
    double_leave(&c, 0);
}

void double_stream_wait_stream(uint32_t stream, uint32_t other)
{
    static struct CUevent_st event;
    const cudaEventRecord_v3020_params record = {.event = (cudaEvent_t)&event,
                                                 .stream = (cudaStream_t)handle_of(other)};
    const cudaStreamWaitEvent_v3020_params wait = {.stream = (cudaStream_t)handle_of(stream),
                                                   .event = (cudaEvent_t)&event};
    struct call c;

    double_init();
    RUNTIME(&c, cudaEventRecord, v3020, &record, NULL, double_correlation());
    double_leave(&c, 0);
    RUNTIME(&c, cudaStreamWaitEvent, v3020, &wait, NULL, double_correlation());
    pthread_mutex_lock(&double_lock);
    uint64_t own = double_behind(stream, double_now_ns()), from = double_behind(other, own);
    double_put(stream, from > own ? from : own, 1);
    pthread_mutex_unlock(&double_lock);
    double_leave(&c, 0);
}

void double_get_device(void)
{
    struct call c;

    double_init();
    RUNTIME(&c, cudaGetDevice, v3020, NULL, NULL, double_correlation());
    double_leave(&c, 0);
}

void double_get_attribute_refused(void)
{
    struct call outer, inner;

    double_init();
    RUNTIME(&outer, cudaDeviceGetAttribute, v5000, NULL, NULL, double_correlation());
    DRIVER(&inner, cuDeviceGetAttribute, NULL, NULL, outer.data.correlationId);
    double_log_failure(CUDA_ERROR_INVALID_DEVICE, "cuDeviceGetAttribute");
    double_leave(&inner, CUDA_ERROR_INVALID_DEVICE);
    double_leave(&outer, CUDA_ERROR_INVALID_DEVICE);
}

void double_driver_alloc(void)
{
    struct call c;

    double_init();
    DRIVER(&c, cuMemAlloc_v2, NULL, NULL, double_correlation());
    double_leave(&c, 0);
}
