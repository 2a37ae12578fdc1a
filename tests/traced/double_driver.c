/*
 * The driver's part of the double (cupti_double.h), as far as tracers call it, and captures. Declared in
 * cuda.h.
 */
#include "double_parts.h"

#include <stdio.h>
#include <stdlib.h>

static uint32_t capturing; /* the stream that is captured + 1; 0: none. With `double_lock`, as `broken` */
static bool broken;
static __thread CUstreamCaptureMode capture_mode = CU_STREAM_CAPTURE_MODE_GLOBAL; /* of the thread */

/* ---- captures ---- */

bool double_is_captured(uint32_t stream)
{
    pthread_mutex_lock(&double_lock);
    bool is = capturing == stream + 1;
    pthread_mutex_unlock(&double_lock);
    return is;
}

/* Of a call that CUDA holds to be unsafe: whether it may be made now. */
static bool is_safe(void)
{
    pthread_mutex_lock(&double_lock);
    bool safe = !capturing || capture_mode == CU_STREAM_CAPTURE_MODE_RELAXED;
    broken |= !safe;
    pthread_mutex_unlock(&double_lock);
    return safe;
}

/* Of a question about a stream: if that stream captures, it breaks the capture, whoever asks. */
static bool breaks_capture(uint32_t stream)
{
    pthread_mutex_lock(&double_lock);
    bool breaks = capturing == stream + 1;
    broken |= breaks;
    pthread_mutex_unlock(&double_lock);
    return breaks;
}

void double_capture_begin(uint32_t stream)
{
    struct call c, inner;
    const cudaStreamBeginCapture_v10000_params runtime = {.stream = (cudaStream_t)handle_of(stream)};
    const cuStreamBeginCapture_v2_params driver = {.hStream = handle_of(stream)};

    double_init();
    RUNTIME(&c, cudaStreamBeginCapture, v10000, &runtime, NULL, double_correlation());
    DRIVER(&inner, cuStreamBeginCapture_v2, &driver, NULL, c.data.correlationId);
    pthread_mutex_lock(&double_lock);
    capturing = stream + 1;
    broken = false;
    pthread_mutex_unlock(&double_lock);
    double_leave(&inner, 0);
    double_leave(&c, 0);
}

int double_capture_end(void)
{
    struct call c, inner;
    const cudaStreamEndCapture_v10000_params runtime = {.stream = (cudaStream_t)handle_of(capturing - 1)};
    const cuStreamEndCapture_params driver = {.hStream = handle_of(capturing - 1)};

    RUNTIME(&c, cudaStreamEndCapture, v10000, &runtime, NULL, double_correlation());
    DRIVER(&inner, cuStreamEndCapture, &driver, NULL, c.data.correlationId);
    pthread_mutex_lock(&double_lock);
    bool whole = !broken && capture_mode == CU_STREAM_CAPTURE_MODE_GLOBAL; /* the program's own */
    capturing = 0;
    pthread_mutex_unlock(&double_lock);
    double_leave(&inner, whole ? 0 : (int)CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
    double_leave(&c, whole ? 0 : (int)CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
    return whole;
}

static uint32_t questions; /* atomic */

uint32_t double_asked(void)
{
    return __atomic_load_n(&questions, __ATOMIC_RELAXED);
}

CUresult CUDAAPI cuThreadExchangeStreamCaptureMode(CUstreamCaptureMode *mode)
{
    CUstreamCaptureMode before = capture_mode;
    struct call c;

    if (!double_is_initialized()) /* it is inside cuInit() */
        return CUDA_ERROR_NOT_INITIALIZED;
    __atomic_add_fetch(&questions, 1, __ATOMIC_RELAXED);
    DRIVER(&c, cuThreadExchangeStreamCaptureMode, NULL, NULL, double_correlation());
    capture_mode = *mode;
    *mode = before;
    double_leave(&c, CUDA_SUCCESS);
    return CUDA_SUCCESS;
}

/* ---- the driver's log ---- */

static CUlogsCallback logs; /* atomic */

CUresult CUDAAPI cuLogsRegisterCallback(CUlogsCallback function, void *data, CUlogsCallbackHandle *handle)
{
    (void)data;
    *handle = NULL;
    __atomic_store_n(&logs, function, __ATOMIC_RELEASE);
    return CUDA_SUCCESS;
}

void double_log_failure(int result, const char *call)
{
    CUlogsCallback function = __atomic_load_n(&logs, __ATOMIC_ACQUIRE);
    char line[200];
    int length =
        snprintf(line, sizeof(line), "[12:46:23.854][137216133754880][CUDA][E] Returning %d (NAME) from %s",
                 result, call);

    if (function) {
        char why[] = "[12:46:23.854][137216133754880][CUDA][E] device must be one of 0 to 0";
        function(NULL, CU_LOG_LEVEL_ERROR, why, strlen(why));
        function(NULL, CU_LOG_LEVEL_ERROR, line, (size_t)length);
    }
}

/* ---- the driver, as far as tracers call it; declared in cuda.h ---- */

CUresult CUDAAPI cuDeviceGetPCIBusId(char *bus, int size, CUdevice device)
{
    struct call c;

    DRIVER(&c, cuDeviceGetPCIBusId, NULL, NULL, double_correlation());
    snprintf(bus, (size_t)size, "0000:%02X:00.0", 0x19 + (unsigned)device);
    double_leave(&c, CUDA_SUCCESS);
    return CUDA_SUCCESS;
}

static struct CUevent_st *events; /* all of them, with `double_lock` */

CUresult CUDAAPI cuEventCreate(CUevent *event, unsigned flags)
{
    struct call c;

    (void)flags;
    DRIVER(&c, cuEventCreate, NULL, NULL, double_correlation());
    *event = (CUevent)calloc(1, sizeof(**event));
    pthread_mutex_lock(&double_lock);
    if (*event) {
        **event = (struct CUevent_st){.next = events, .from = &events};
        if (events)
            events->from = &(*event)->next;
        events = *event;
    }
    pthread_mutex_unlock(&double_lock);
    double_leave(&c, *event ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY);
    return (CUresult)c.result;
}

CUresult CUDAAPI cuEventRecord(CUevent event, CUstream stream)
{
    const cuEventRecord_params params = {.hEvent = event, .hStream = stream};
    struct call c;

    DRIVER(&c, cuEventRecord, &params, NULL, double_correlation());
    pthread_mutex_lock(&double_lock);
    event->stream = number_of(stream);
    event->items = double_streams[event->stream].items;
    event->recorded = true;
    pthread_mutex_unlock(&double_lock);
    double_leave(&c, CUDA_SUCCESS);
    return CUDA_SUCCESS;
}

/* When all before it in its stream had ended, 0 if there was nothing; RUNNING: not yet. With `lock`. */
static uint64_t event_ns(const struct CUevent_st *event)
{
    const struct stream *s = &double_streams[event->stream];
    uint64_t end;

    if (!event->items)
        return 0;
    /* The one after it began when it was over, as far as this account goes. */
    end = double_time(event->stream, event->items < s->items ? s->latest.start_ns : s->latest.end_ns);
    return end <= double_now_ns() ? end : RUNNING;
}

CUresult CUDAAPI cuEventQuery(CUevent event)
{
    const cuEventQuery_params params = {.hEvent = event};
    struct call c;

    DRIVER(&c, cuEventQuery, &params, NULL, double_correlation());
    if (!is_safe()) {
        double_leave(&c, CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
        return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    }
    pthread_mutex_lock(&double_lock);
    bool over = event->recorded && event_ns(event) != RUNNING;
    pthread_mutex_unlock(&double_lock);
    double_leave(&c, over ? CUDA_SUCCESS : CUDA_ERROR_NOT_READY);
    return (CUresult)c.result;
}

#undef cuEventElapsedTime /* cuda.h of 13.0 has its second version by that name; the first is there still */
CUresult CUDAAPI cuEventElapsedTime(float *ms, CUevent from, CUevent to);

CUresult CUDAAPI cuEventElapsedTime(float *ms, CUevent from, CUevent to)
{
    struct call c;

    DRIVER(&c, cuEventElapsedTime, NULL, NULL, double_correlation());
    pthread_mutex_lock(&double_lock);
    uint64_t a = event_ns(from), b = event_ns(to);
    if (!a) /* an empty stream: the kernel between them began at once */
        a = double_streams[from->stream].latest.start_ns;
    pthread_mutex_unlock(&double_lock);
    bool over = a != RUNNING && b != RUNNING;
    *ms = over && b > a ? (float)((double)(b - a) / 1e6) : 0;
    double_leave(&c, over ? CUDA_SUCCESS : CUDA_ERROR_NOT_READY);
    return (CUresult)c.result;
}

CUresult CUDAAPI cuEventDestroy_v2(CUevent event)
{
    struct call c;

    DRIVER(&c, cuEventDestroy_v2, NULL, NULL, double_correlation());
    pthread_mutex_lock(&double_lock);
    *event->from = event->next;
    if (event->next)
        event->next->from = event->from;
    pthread_mutex_unlock(&double_lock);
    free(event);
    double_leave(&c, CUDA_SUCCESS);
    return CUDA_SUCCESS;
}

CUresult CUDAAPI cuStreamIsCapturing(CUstream stream, CUstreamCaptureStatus *status)
{
    struct call c;

    __atomic_add_fetch(&questions, 1, __ATOMIC_RELAXED);
    DRIVER(&c, cuStreamIsCapturing, NULL, NULL, double_correlation());
    *status = double_is_captured(number_of(stream)) ? CU_STREAM_CAPTURE_STATUS_ACTIVE
                                                    : CU_STREAM_CAPTURE_STATUS_NONE;
    double_leave(&c, CUDA_SUCCESS);
    return CUDA_SUCCESS;
}

CUresult CUDAAPI cuStreamQuery(CUstream stream)
{
    const struct stream *s = &double_streams[number_of(stream)];
    const cuStreamQuery_params params = {.hStream = stream};
    struct call c;

    DRIVER(&c, cuStreamQuery, &params, NULL, double_correlation());
    if (!is_safe() || breaks_capture(number_of(stream))) {
        double_leave(&c, CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
        return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    }
    pthread_mutex_lock(&double_lock);
    bool over = !s->items || double_time(number_of(stream), s->latest.end_ns) <= double_now_ns();
    pthread_mutex_unlock(&double_lock);
    double_leave(&c, over ? CUDA_SUCCESS : CUDA_ERROR_NOT_READY);
    return (CUresult)c.result;
}

CUresult CUDAAPI cuStreamGetFlags(CUstream stream, unsigned *flags)
{
    struct call c;

    DRIVER(&c, cuStreamGetFlags, NULL, NULL, double_correlation());
    *flags = double_streams[number_of(stream)].non_blocking ? CU_STREAM_NON_BLOCKING : CU_STREAM_DEFAULT;
    double_leave(&c, CUDA_SUCCESS);
    return CUDA_SUCCESS;
}

CUresult CUDAAPI cuStreamGetPriority(CUstream stream, int *priority)
{
    struct call c;

    (void)stream;
    DRIVER(&c, cuStreamGetPriority, NULL, NULL, double_correlation());
    *priority = 0;
    double_leave(&c, CUDA_SUCCESS);
    return CUDA_SUCCESS;
}

static __thread unsigned pushed; /* contexts */

bool double_has_context(void)
{
    return pushed != 0;
}

CUresult CUDAAPI cuCtxPushCurrent_v2(CUcontext context)
{
    struct call c;

    DRIVER(&c, cuCtxPushCurrent_v2, NULL, NULL, double_correlation());
    double_wait_for_driver();
    pushed += context == context_of();
    double_leave(&c, context == context_of() ? CUDA_SUCCESS : CUDA_ERROR_INVALID_CONTEXT);
    return (CUresult)c.result;
}

CUresult CUDAAPI cuCtxPopCurrent_v2(CUcontext *context)
{
    struct call c;

    DRIVER(&c, cuCtxPopCurrent_v2, NULL, NULL, double_correlation());
    *context = context_of();
    pushed--;
    double_leave(&c, CUDA_SUCCESS);
    return CUDA_SUCCESS;
}

/* ---- the room of kernels ---- */

#define THREADS   2048 /* of an SM */
#define REGISTERS 65536
#define SHARED    233472
#define BLOCKS    32
#define RESERVED  1024 /* of shared memory, for each block */
#define OF_THREAD 16   /* registers */

static uint32_t rooms; /* atomic */

CUfunction double_function(const char *name)
{
    return (CUfunction)(uintptr_t)name;
}

uint32_t double_rooms_asked(void)
{
    return __atomic_load_n(&rooms, __ATOMIC_RELAXED);
}

CUresult CUDAAPI cuOccupancyMaxActiveBlocksPerMultiprocessor(int *blocks, CUfunction function, int threads,
                                                             size_t shared)
{
    int most = BLOCKS;
    struct call c;

    DRIVER(&c, cuOccupancyMaxActiveBlocksPerMultiprocessor, NULL, NULL, double_correlation());
    __atomic_add_fetch(&rooms, 1, __ATOMIC_RELAXED);
    double_wait_for_driver();
    most = THREADS / threads < most ? THREADS / threads : most;
    most = REGISTERS / (threads * OF_THREAD) < most ? REGISTERS / (threads * OF_THREAD) : most;
    most = SHARED / (int)(shared + RESERVED) < most ? SHARED / (int)(shared + RESERVED) : most;
    *blocks = most;
    double_leave(&c, function ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE);
    return (CUresult)c.result;
}

CUresult CUDAAPI cuFuncGetAttribute(int *value, CUfunction_attribute attribute, CUfunction function)
{
    *value = attribute == CU_FUNC_ATTRIBUTE_NUM_REGS ? OF_THREAD : 0;
    return function ? CUDA_SUCCESS : CUDA_ERROR_INVALID_HANDLE;
}

CUresult CUDAAPI cuCtxGetDevice(CUdevice *device)
{
    *device = 0;
    return CUDA_SUCCESS;
}

CUresult CUDAAPI cuDeviceGetAttribute(int *value, CUdevice_attribute attribute, CUdevice device)
{
    (void)device;
    *value = attribute == CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT                   ? (int)DOUBLE_SMS
             : attribute == CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR       ? THREADS
             : attribute == CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_MULTIPROCESSOR     ? REGISTERS
             : attribute == CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR ? SHARED
             : attribute == CU_DEVICE_ATTRIBUTE_MAX_BLOCKS_PER_MULTIPROCESSOR        ? BLOCKS
             : attribute == CU_DEVICE_ATTRIBUTE_RESERVED_SHARED_MEMORY_PER_BLOCK     ? RESERVED
             : attribute == CU_DEVICE_ATTRIBUTE_COMPUTE_CAPABILITY_MAJOR             ? 9
             : attribute == CU_DEVICE_ATTRIBUTE_WARP_SIZE                            ? 32
                                                                                     : 0;
    return CUDA_SUCCESS;
}

/* ---- graphs ---- */

CUresult CUDAAPI cuGraphGetNodes(CUgraph graph, CUgraphNode *nodes, size_t *count)
{
    for (size_t i = 0; nodes && i < *count && i < graph->kernels; i++)
        nodes[i] = (CUgraphNode)(uintptr_t)&graph->names[i];
    *count = graph->kernels;
    return CUDA_SUCCESS;
}

CUresult CUDAAPI cuGraphNodeGetType(CUgraphNode node, CUgraphNodeType *type)
{
    (void)node;
    *type = CU_GRAPH_NODE_TYPE_KERNEL;
    return CUDA_SUCCESS;
}

#undef cuGraphKernelNodeGetParams
CUresult CUDAAPI cuGraphKernelNodeGetParams_v2(CUgraphNode node, CUDA_KERNEL_NODE_PARAMS *params)
{
    memset(params, 0, sizeof(*params));
    params->func = (CUfunction)(void *)node;
    return CUDA_SUCCESS;
}

CUresult CUDAAPI cuGraphChildGraphNodeGetGraph(CUgraphNode node, CUgraph *graph)
{
    (void)node, (void)graph;
    return CUDA_ERROR_INVALID_VALUE;
}

CUresult CUDAAPI cuFuncGetName(const char **name, CUfunction function)
{
    *name = *(const char *const *)(const void *)function;
    return CUDA_SUCCESS;
}

CUresult CUDAAPI cuKernelGetName(const char **name, CUkernel kernel)
{
    (void)name, (void)kernel;
    return CUDA_ERROR_INVALID_VALUE;
}
