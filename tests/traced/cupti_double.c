/*
 * The double of the driver and CUPTI (cupti_double.h).
 *
 * `lock` guards the device and the records, and is never held while somebody else's code is called. Activity
 * records are delivered by a thread of the double's own, and by whoever flushes.
 */
#include "cupti_double.h"

#include <cuda.h>
#include <cupti.h>

#include <dlfcn.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define RECORDS 65536u
#define KINDS   64u
#define IDS     2048u /* of callbacks in a domain */
#define RUNNING UINT64_MAX

union record {
    CUpti_Activity head;
    CUpti_ActivityKernel10 kernel;
    CUpti_ActivityMemcpy6 copy;
    CUpti_ActivityMemset4 fill;
    CUpti_ActivitySynchronization2 wait;
    CUpti_ActivityDevice5 device;
    CUpti_ActivityContext3 context;
};

struct CUevent_st {
    uint32_t stream;
    uint64_t kernels; /* of its stream that come before it */
    bool recorded;
};

struct kernel {
    uint64_t start_ns, end_ns; /* end: RUNNING until double_stop() */
    bool collected;
};

struct stream {
    uint64_t kernels;
    struct kernel latest;
};

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_once_t once = PTHREAD_ONCE_INIT;
static struct stream streams[DOUBLE_STREAMS];
static union record records[RECORDS];
static uint32_t record_count;
static uint32_t running_collected; /* kernels that run for ever and are collected */
static uint64_t stopped_ns;        /* atomic: a signal handler sets it */
static uint32_t correlation;       /* atomic */
static bool enabled[KINDS], deliverer_runs;
static bool callbacks[CUPTI_CB_DOMAIN_SIZE][IDS];
static size_t dropped;
static CUpti_CallbackFunc callback;
static void *callback_data;
static CUpti_BuffersCallbackRequestFunc request;
static CUpti_BuffersCallbackCompleteFunc complete;
static CUpti_TimestampCallbackFunc clock_of_tool;
static uint32_t period_ms = 1000;
static uint32_t capturing; /* the stream that is captured + 1; 0: none. With `lock`, as `broken` */
static bool broken;
static __thread CUstreamCaptureMode capture_mode = CU_STREAM_CAPTURE_MODE_GLOBAL; /* of the thread */

static CUcontext context_of(void)
{
    return (CUcontext)(uintptr_t)0x1000;
}

static CUstream handle_of(uint32_t stream)
{
    return (CUstream)(uintptr_t)(stream ? 0x2000 + stream : 0);
}

static uint32_t number_of(CUstream handle)
{
    return handle ? (uint32_t)((uintptr_t)handle - 0x2000) % DOUBLE_STREAMS : 0;
}

/* As CUPTI stamps: by the tool's clock, if it gave one. */
static uint64_t now_ns(void)
{
    struct timespec t;

    if (clock_of_tool)
        return clock_of_tool();
    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void sleep_ms(uint32_t ms)
{
    const struct timespec t = {ms / 1000, (long)(ms % 1000) * 1000000};
    nanosleep(&t, NULL);
}

static bool has_fault(const char *word)
{
    const char *set = getenv("CUPTI_DOUBLE");
    return set && strstr(set, word);
}

/* When it ends, or RUNNING. */
static uint64_t end_of(uint64_t end_ns)
{
    uint64_t stopped = __atomic_load_n(&stopped_ns, __ATOMIC_ACQUIRE);
    return end_ns == RUNNING && stopped ? stopped : end_ns;
}

/* ---- records ---- */

static size_t size_of(CUpti_ActivityKind kind)
{
    switch (kind) {
    case CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL:
        return sizeof(CUpti_ActivityKernel10);
    case CUPTI_ACTIVITY_KIND_MEMCPY:
        return sizeof(CUpti_ActivityMemcpy6);
    case CUPTI_ACTIVITY_KIND_MEMSET:
        return sizeof(CUpti_ActivityMemset4);
    case CUPTI_ACTIVITY_KIND_SYNCHRONIZATION:
        return sizeof(CUpti_ActivitySynchronization2);
    case CUPTI_ACTIVITY_KIND_DEVICE:
        return sizeof(CUpti_ActivityDevice5);
    default:
        return sizeof(CUpti_ActivityContext3);
    }
}

/* With `lock`. */
static void add(const union record *record)
{
    if (!enabled[record->head.kind])
        return;
    if (record_count == RECORDS) {
        dropped++;
        return;
    }
    records[record_count++] = *record;
}

/* Whether it goes out now; with `lock`. A forced flush takes it in any case, and spoils it if it has not
 * ended. */
static bool is_due(union record *r, uint64_t now, bool forced)
{
    if (r->head.kind != CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL)
        return true;
    uint64_t end = end_of(r->kernel.end);
    bool withheld = running_collected && !__atomic_load_n(&stopped_ns, __ATOMIC_ACQUIRE);
    if (end > now && forced) {
        r->kernel.start = r->kernel.end = 0;
        return true;
    }
    if (end > now || (withheld && !forced))
        return false;
    r->kernel.end = end;
    return true;
}

/* Takes what is due into a buffer; its bytes. With `lock`. */
static size_t fill_buffer(uint8_t *buffer, size_t size, bool forced)
{
    uint64_t now = now_ns();
    uint32_t kept = 0;
    size_t used = 0;

    for (uint32_t i = 0; i < record_count; i++) {
        size_t bytes = size_of(records[i].head.kind);
        if (used + bytes <= size && is_due(&records[i], now, forced)) {
            memcpy(buffer + used, &records[i], bytes);
            used += bytes;
        } else {
            records[kept++] = records[i];
        }
    }
    record_count = kept;
    return used;
}

static void deliver(bool forced)
{
    size_t used;

    do {
        uint8_t *buffer = NULL;
        size_t size = 0, count = 0;
        if (!complete)
            return;
        request(&buffer, &size, &count);
        if (!buffer || !size)
            return;
        pthread_mutex_lock(&lock);
        used = fill_buffer(buffer, size, forced);
        pthread_mutex_unlock(&lock);
        complete(context_of(), 0, buffer, size, used);
    } while (used);
}

static void *deliverer(void *unused)
{
    for (;;) {
        sleep_ms(__atomic_load_n(&period_ms, __ATOMIC_RELAXED));
        deliver(false);
    }
    return unused;
}

/* ---- calls ---- */

struct call {
    CUpti_CallbackDomain domain;
    CUpti_CallbackId id;
    CUpti_CallbackData data;
    uint64_t kept; /* between its two callbacks */
    int result;
};

static void tell(struct call *c, CUpti_ApiCallbackSite site)
{
    c->data.callbackSite = site;
    c->data.functionReturnValue = site == CUPTI_API_EXIT ? &c->result : NULL;
    if (callback && callbacks[c->domain][c->id])
        callback(callback_data, c->domain, c->id, &c->data);
}

static void enter(struct call *c, CUpti_CallbackDomain domain, CUpti_CallbackId id, const char *name,
                  const void *params, const char *symbol, uint32_t number)
{
    memset(c, 0, sizeof(*c));
    c->domain = domain;
    c->id = id;
    c->data.functionName = name;
    c->data.functionParams = params;
    c->data.symbolName = symbol;
    c->data.context = context_of();
    c->data.contextUid = 1;
    c->data.correlationData = &c->kept;
    c->data.correlationId = number;
    tell(c, CUPTI_API_ENTER);
}

static void leave(struct call *c, int result)
{
    c->result = result;
    tell(c, CUPTI_API_EXIT);
}

static uint32_t next_correlation(void)
{
    return __atomic_add_fetch(&correlation, 1, __ATOMIC_RELAXED);
}

/* The runtime's functions have a version in their number, not in their name. */
#define RUNTIME(c, function, version, params, symbol, number)                                         \
    enter(c, CUPTI_CB_DOMAIN_RUNTIME_API, CUPTI_RUNTIME_TRACE_CBID_##function##_##version, #function, \
          params, symbol, number)
#define DRIVER(c, function, params, symbol, number)                                                     \
    enter(c, CUPTI_CB_DOMAIN_DRIVER_API, CUPTI_DRIVER_TRACE_CBID_##function, #function, params, symbol, \
          number)

static void init(void)
{
    const char *path = getenv("CUDA_INJECTION64_PATH");
    union record device = {.device = {.kind = CUPTI_ACTIVITY_KIND_DEVICE}};
    union record context = {.context = {.kind = CUPTI_ACTIVITY_KIND_CONTEXT}};
    int (*initialize)(void) = NULL;

    void *tool = path && *path ? dlopen(path, RTLD_NOW) : NULL;
    if (tool)
        *(void **)(void *)&initialize = dlsym(tool, "InitializeInjection");
    if (initialize)
        initialize();
    device.device.name = "Double of a GPU";
    device.device.globalMemorySize = 80000000000u;
    device.device.globalMemoryBandwidth = 3352320000u; /* kB/s */
    device.device.coreClockRate = 1980000;             /* kHz */
    device.device.l2CacheSize = 52428800;
    device.device.maxWarpsPerMultiprocessor = 64;
    device.device.numThreadsPerWarp = 32;
    device.device.numMultiprocessors = 132;
    device.device.computeCapabilityMajor = 9;
    memset(&device.device.uuid, 0xab, sizeof(device.device.uuid));
    context.context.contextId = 1;
    context.context.nullStreamId = 7;
    pthread_mutex_lock(&lock);
    add(&device);
    add(&context);
    if (has_fault("dropped"))
        dropped = DOUBLE_DROPPED;
    pthread_mutex_unlock(&lock);
}

/* Whoever comes first initializes; the others wait, or they would use a clock that changes. */
void double_init(void)
{
    pthread_once(&once, init);
}

/* ---- captures ---- */

static bool is_captured(uint32_t stream)
{
    pthread_mutex_lock(&lock);
    bool is = capturing == stream + 1;
    pthread_mutex_unlock(&lock);
    return is;
}

/* Of a call that CUDA holds to be unsafe: whether it may be made now. */
static bool is_safe(void)
{
    pthread_mutex_lock(&lock);
    bool safe = !capturing || capture_mode == CU_STREAM_CAPTURE_MODE_RELAXED;
    broken |= !safe;
    pthread_mutex_unlock(&lock);
    return safe;
}

/* Of a question about a stream: if that stream captures, it breaks the capture, whoever asks. */
static bool breaks_capture(uint32_t stream)
{
    pthread_mutex_lock(&lock);
    bool breaks = capturing == stream + 1;
    broken |= breaks;
    pthread_mutex_unlock(&lock);
    return breaks;
}

void double_capture_begin(uint32_t stream)
{
    struct call c, inner;

    double_init();
    RUNTIME(&c, cudaStreamBeginCapture, v10000, NULL, NULL, next_correlation());
    DRIVER(&inner, cuStreamBeginCapture_v2, NULL, NULL, c.data.correlationId);
    pthread_mutex_lock(&lock);
    capturing = stream + 1;
    broken = false;
    pthread_mutex_unlock(&lock);
    leave(&inner, 0);
    leave(&c, 0);
}

int double_capture_end(void)
{
    struct call c, inner;

    RUNTIME(&c, cudaStreamEndCapture, v10000, NULL, NULL, next_correlation());
    DRIVER(&inner, cuStreamEndCapture, NULL, NULL, c.data.correlationId);
    pthread_mutex_lock(&lock);
    bool whole = !broken && capture_mode == CU_STREAM_CAPTURE_MODE_GLOBAL; /* the program's own */
    capturing = 0;
    pthread_mutex_unlock(&lock);
    leave(&inner, whole ? 0 : (int)CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
    leave(&c, whole ? 0 : (int)CUDA_ERROR_STREAM_CAPTURE_INVALIDATED);
    return whole;
}

CUresult CUDAAPI cuThreadExchangeStreamCaptureMode(CUstreamCaptureMode *mode)
{
    CUstreamCaptureMode before = capture_mode;
    struct call c;

    DRIVER(&c, cuThreadExchangeStreamCaptureMode, NULL, NULL, next_correlation());
    capture_mode = *mode;
    *mode = before;
    leave(&c, CUDA_SUCCESS);
    return CUDA_SUCCESS;
}

/* What the driver does in a launch. */
static void run_kernel(uint32_t stream, const char *name, uint64_t takes_ns, uint32_t number)
{
    union record r = {.kernel = {.kind = CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL}};
    struct stream *s = &streams[stream];
    uint64_t now = now_ns();

    r.kernel.registersPerThread = 16;
    r.kernel.gridX = 2, r.kernel.gridY = 3, r.kernel.gridZ = 4;
    r.kernel.blockX = 32, r.kernel.blockY = 1, r.kernel.blockZ = 1;
    r.kernel.dynamicSharedMemory = 256;
    r.kernel.contextId = 1;
    r.kernel.streamId = 7 + stream;
    r.kernel.correlationId = number;
    r.kernel.gridId = number;
    r.kernel.name = name;
    pthread_mutex_lock(&lock);
    uint64_t free_from = s->kernels ? end_of(s->latest.end_ns) : 0;
    r.kernel.start = free_from > now && free_from != RUNNING ? free_from : now;
    r.kernel.end = takes_ns == DOUBLE_FOR_EVER ? RUNNING : r.kernel.start + takes_ns;
    s->latest = (struct kernel){r.kernel.start, r.kernel.end, enabled[CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL]};
    s->kernels++;
    running_collected += s->latest.collected && r.kernel.end == RUNNING;
    add(&r);
    pthread_mutex_unlock(&lock);
}

static void launch(uint32_t stream, const char *name, uint64_t takes_ns, CUresult result)
{
    const cudaLaunchKernel_v7000_params runtime = {.gridDim = {2, 3, 4},
                                                   .blockDim = {32, 1, 1},
                                                   .sharedMem = 256,
                                                   .stream = (cudaStream_t)handle_of(stream)};
    const cuLaunchKernel_params driver = {.gridDimX = 2,
                                          .gridDimY = 3,
                                          .gridDimZ = 4,
                                          .blockDimX = 32,
                                          .blockDimY = 1,
                                          .blockDimZ = 1,
                                          .sharedMemBytes = 256,
                                          .hStream = handle_of(stream)};
    uint32_t number = next_correlation();
    struct call outer, inner;

    double_init();
    RUNTIME(&outer, cudaLaunchKernel, v7000, &runtime, name, number);
    DRIVER(&inner, cuLaunchKernel, &driver, name, number);
    if (result == CUDA_SUCCESS && !is_captured(stream))
        run_kernel(stream, name, takes_ns, number);
    leave(&inner, (int)result);
    leave(&outer, (int)result);
}

void double_launch(uint32_t stream, const char *name, uint64_t takes_ns)
{
    launch(stream, name, takes_ns, CUDA_SUCCESS);
}

void double_launch_refused(const char *name)
{
    launch(0, name, 0, CUDA_ERROR_INVALID_VALUE);
}

void double_memcpy(uint64_t bytes)
{
    union record r = {.copy = {.kind = CUPTI_ACTIVITY_KIND_MEMCPY}};
    uint32_t number = next_correlation();
    struct call c;

    double_init();
    RUNTIME(&c, cudaMemcpy, v3020, NULL, NULL, number);
    r.copy.copyKind = CUPTI_ACTIVITY_MEMCPY_KIND_HTOD;
    r.copy.srcKind = CUPTI_ACTIVITY_MEMORY_KIND_PAGEABLE;
    r.copy.dstKind = CUPTI_ACTIVITY_MEMORY_KIND_DEVICE;
    r.copy.bytes = bytes;
    r.copy.contextId = 1;
    r.copy.streamId = 7;
    r.copy.correlationId = number;
    r.copy.start = now_ns();
    sleep_ms(1);
    r.copy.end = now_ns();
    pthread_mutex_lock(&lock);
    add(&r);
    pthread_mutex_unlock(&lock);
    leave(&c, 0);
}

void double_memset(uint32_t value, uint64_t bytes)
{
    union record r = {.fill = {.kind = CUPTI_ACTIVITY_KIND_MEMSET}};
    uint32_t number = next_correlation();
    struct call c;

    double_init();
    RUNTIME(&c, cudaMemset, v3020, NULL, NULL, number);
    r.fill.value = value;
    r.fill.bytes = bytes;
    r.fill.memoryKind = CUPTI_ACTIVITY_MEMORY_KIND_DEVICE;
    r.fill.contextId = 1;
    r.fill.streamId = 7;
    r.fill.correlationId = number;
    r.fill.start = now_ns();
    r.fill.end = r.fill.start + 1000;
    pthread_mutex_lock(&lock);
    add(&r);
    pthread_mutex_unlock(&lock);
    leave(&c, 0);
}

static bool is_idle(void)
{
    uint64_t now = now_ns();
    bool idle = true;

    pthread_mutex_lock(&lock);
    for (uint32_t i = 0; i < DOUBLE_STREAMS; i++)
        idle = idle && (!streams[i].kernels || end_of(streams[i].latest.end_ns) <= now);
    pthread_mutex_unlock(&lock);
    return idle;
}

void double_synchronize(void)
{
    union record r = {.wait = {.kind = CUPTI_ACTIVITY_KIND_SYNCHRONIZATION}};
    uint32_t number = next_correlation();
    struct call c;

    double_init();
    RUNTIME(&c, cudaDeviceSynchronize, v3020, NULL, NULL, number);
    r.wait.type = CUPTI_ACTIVITY_SYNCHRONIZATION_TYPE_CONTEXT_SYNCHRONIZE;
    r.wait.contextId = 1;
    r.wait.streamId = r.wait.cudaEventId = UINT32_MAX;
    r.wait.correlationId = number;
    r.wait.start = now_ns();
    while (!is_idle())
        sleep_ms(1);
    r.wait.end = now_ns();
    pthread_mutex_lock(&lock);
    add(&r);
    pthread_mutex_unlock(&lock);
    leave(&c, 0);
}

void double_get_device(void)
{
    struct call c;

    double_init();
    RUNTIME(&c, cudaGetDevice, v3020, NULL, NULL, next_correlation());
    leave(&c, 0);
}

void double_driver_alloc(void)
{
    struct call c;

    double_init();
    DRIVER(&c, cuMemAlloc_v2, NULL, NULL, next_correlation());
    leave(&c, 0);
}

void double_stop(void)
{
    __atomic_store_n(&stopped_ns, now_ns(), __ATOMIC_RELEASE);
}

/* ---- the driver, as far as tracers call it; declared in cuda.h ---- */

CUresult CUDAAPI cuDeviceGetPCIBusId(char *bus, int size, CUdevice device)
{
    struct call c;

    DRIVER(&c, cuDeviceGetPCIBusId, NULL, NULL, next_correlation());
    snprintf(bus, (size_t)size, "0000:%02X:00.0", 0x19 + (unsigned)device);
    leave(&c, CUDA_SUCCESS);
    return CUDA_SUCCESS;
}

CUresult CUDAAPI cuEventCreate(CUevent *event, unsigned flags)
{
    struct call c;

    (void)flags;
    DRIVER(&c, cuEventCreate, NULL, NULL, next_correlation());
    *event = (CUevent)calloc(1, sizeof(**event));
    leave(&c, *event ? CUDA_SUCCESS : CUDA_ERROR_OUT_OF_MEMORY);
    return (CUresult)c.result;
}

CUresult CUDAAPI cuEventRecord(CUevent event, CUstream stream)
{
    struct call c;

    DRIVER(&c, cuEventRecord, NULL, NULL, next_correlation());
    pthread_mutex_lock(&lock);
    event->stream = number_of(stream);
    event->kernels = streams[event->stream].kernels;
    event->recorded = true;
    pthread_mutex_unlock(&lock);
    leave(&c, CUDA_SUCCESS);
    return CUDA_SUCCESS;
}

/* When all before it in its stream had ended, 0 if there was nothing; RUNNING: not yet. With `lock`. */
static uint64_t event_ns(const struct CUevent_st *event)
{
    const struct stream *s = &streams[event->stream];
    uint64_t end;

    if (!event->kernels)
        return 0;
    if (event->kernels <
        s->kernels) /* the one after it came when it was over: streams do not queue up here */
        return s->latest.start_ns;
    end = end_of(s->latest.end_ns);
    return end <= now_ns() ? end : RUNNING;
}

CUresult CUDAAPI cuEventQuery(CUevent event)
{
    struct call c;

    DRIVER(&c, cuEventQuery, NULL, NULL, next_correlation());
    if (!is_safe()) {
        leave(&c, CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
        return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    }
    pthread_mutex_lock(&lock);
    bool over = event->recorded && event_ns(event) != RUNNING;
    pthread_mutex_unlock(&lock);
    leave(&c, over ? CUDA_SUCCESS : CUDA_ERROR_NOT_READY);
    return (CUresult)c.result;
}

#undef cuEventElapsedTime /* cuda.h of 13.0 has its second version by that name; the first is there still */
CUresult CUDAAPI cuEventElapsedTime(float *ms, CUevent from, CUevent to);

CUresult CUDAAPI cuEventElapsedTime(float *ms, CUevent from, CUevent to)
{
    struct call c;

    DRIVER(&c, cuEventElapsedTime, NULL, NULL, next_correlation());
    pthread_mutex_lock(&lock);
    uint64_t a = event_ns(from), b = event_ns(to);
    if (!a) /* an empty stream: the kernel between them began at once */
        a = streams[from->stream].latest.start_ns;
    pthread_mutex_unlock(&lock);
    bool over = a != RUNNING && b != RUNNING;
    *ms = over && b > a ? (float)((double)(b - a) / 1e6) : 0;
    leave(&c, over ? CUDA_SUCCESS : CUDA_ERROR_NOT_READY);
    return (CUresult)c.result;
}

CUresult CUDAAPI cuEventDestroy_v2(CUevent event)
{
    struct call c;

    DRIVER(&c, cuEventDestroy_v2, NULL, NULL, next_correlation());
    free(event);
    leave(&c, CUDA_SUCCESS);
    return CUDA_SUCCESS;
}

CUresult CUDAAPI cuStreamIsCapturing(CUstream stream, CUstreamCaptureStatus *status)
{
    struct call c;

    DRIVER(&c, cuStreamIsCapturing, NULL, NULL, next_correlation());
    *status =
        is_captured(number_of(stream)) ? CU_STREAM_CAPTURE_STATUS_ACTIVE : CU_STREAM_CAPTURE_STATUS_NONE;
    leave(&c, CUDA_SUCCESS);
    return CUDA_SUCCESS;
}

CUresult CUDAAPI cuStreamQuery(CUstream stream)
{
    const struct stream *s = &streams[number_of(stream)];
    struct call c;

    DRIVER(&c, cuStreamQuery, NULL, NULL, next_correlation());
    if (!is_safe() || breaks_capture(number_of(stream))) {
        leave(&c, CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED);
        return CUDA_ERROR_STREAM_CAPTURE_UNSUPPORTED;
    }
    pthread_mutex_lock(&lock);
    bool over = !s->kernels || end_of(s->latest.end_ns) <= now_ns();
    pthread_mutex_unlock(&lock);
    leave(&c, over ? CUDA_SUCCESS : CUDA_ERROR_NOT_READY);
    return (CUresult)c.result;
}

CUresult CUDAAPI cuCtxPushCurrent_v2(CUcontext context)
{
    struct call c;

    DRIVER(&c, cuCtxPushCurrent_v2, NULL, NULL, next_correlation());
    leave(&c, context == context_of() ? CUDA_SUCCESS : CUDA_ERROR_INVALID_CONTEXT);
    return (CUresult)c.result;
}

CUresult CUDAAPI cuCtxPopCurrent_v2(CUcontext *context)
{
    struct call c;

    DRIVER(&c, cuCtxPopCurrent_v2, NULL, NULL, next_correlation());
    *context = context_of();
    leave(&c, CUDA_SUCCESS);
    return CUDA_SUCCESS;
}

/* ---- CUPTI; declared in its headers ---- */

CUptiResult CUPTIAPI cuptiGetVersion(uint32_t *version)
{
    *version = has_fault("version") ? 120800 : CUPTI_API_VERSION;
    return CUPTI_SUCCESS;
}

CUptiResult CUPTIAPI cuptiGetResultString(CUptiResult result, const char **text)
{
    *text = result == CUPTI_ERROR_MULTIPLE_SUBSCRIBERS_NOT_SUPPORTED
                ? "CUPTI_ERROR_MULTIPLE_SUBSCRIBERS_NOT_SUPPORTED"
                : "CUPTI_ERROR";
    return CUPTI_SUCCESS;
}

CUptiResult CUPTIAPI cuptiSubscribe(CUpti_SubscriberHandle *subscriber, CUpti_CallbackFunc function,
                                    void *data)
{
    if (callback || has_fault("subscriber"))
        return CUPTI_ERROR_MULTIPLE_SUBSCRIBERS_NOT_SUPPORTED;
    callback = function;
    callback_data = data;
    *subscriber = (CUpti_SubscriberHandle)(uintptr_t)1;
    return CUPTI_SUCCESS;
}

CUptiResult CUPTIAPI cuptiUnsubscribe(CUpti_SubscriberHandle subscriber)
{
    (void)subscriber;
    callback = NULL;
    return CUPTI_SUCCESS;
}

CUptiResult CUPTIAPI cuptiEnableDomain(uint32_t enable, CUpti_SubscriberHandle subscriber,
                                       CUpti_CallbackDomain domain)
{
    (void)subscriber;
    for (uint32_t id = 0; id < IDS; id++)
        callbacks[domain][id] = enable;
    return CUPTI_SUCCESS;
}

CUptiResult CUPTIAPI cuptiEnableCallback(uint32_t enable, CUpti_SubscriberHandle subscriber,
                                         CUpti_CallbackDomain domain, CUpti_CallbackId id)
{
    (void)subscriber;
    callbacks[domain][id] = enable;
    return CUPTI_SUCCESS;
}

CUptiResult CUPTIAPI cuptiActivityRegisterCallbacks(CUpti_BuffersCallbackRequestFunc asked,
                                                    CUpti_BuffersCallbackCompleteFunc completed)
{
    request = asked;
    complete = completed;
    return CUPTI_SUCCESS;
}

CUptiResult CUPTIAPI cuptiActivityRegisterTimestampCallback(CUpti_TimestampCallbackFunc function)
{
    clock_of_tool = function;
    return CUPTI_SUCCESS;
}

CUptiResult CUPTIAPI cuptiActivityEnable(CUpti_ActivityKind kind)
{
    pthread_mutex_lock(&lock);
    enabled[kind] = true;
    pthread_mutex_unlock(&lock);
    return CUPTI_SUCCESS;
}

CUptiResult CUPTIAPI cuptiActivityDisable(CUpti_ActivityKind kind)
{
    pthread_mutex_lock(&lock);
    enabled[kind] = false;
    pthread_mutex_unlock(&lock);
    return CUPTI_SUCCESS;
}

CUptiResult CUPTIAPI cuptiActivityGetNextRecord(uint8_t *buffer, size_t valid, CUpti_Activity **record)
{
    uint8_t *next = *record ? (uint8_t *)*record + size_of((*record)->kind) : buffer;

    if (next >= buffer + valid)
        return CUPTI_ERROR_MAX_LIMIT_REACHED;
    *record = (CUpti_Activity *)(void *)next;
    return CUPTI_SUCCESS;
}

CUptiResult CUPTIAPI cuptiActivityGetNumDroppedRecords(CUcontext context, uint32_t stream, size_t *count)
{
    (void)context, (void)stream;
    pthread_mutex_lock(&lock);
    *count = dropped;
    dropped = 0; /* since the last time it was asked */
    pthread_mutex_unlock(&lock);
    return CUPTI_SUCCESS;
}

CUptiResult CUPTIAPI cuptiActivityFlushAll(uint32_t flag)
{
    if (flag & CUPTI_ACTIVITY_FLAG_FLUSH_FORCED && !is_idle())
        fprintf(stderr, "double: flushed by force while a kernel runs\n");
    deliver(flag & CUPTI_ACTIVITY_FLAG_FLUSH_FORCED);
    return CUPTI_SUCCESS;
}

CUptiResult CUPTIAPI cuptiActivityFlushPeriod(uint32_t ms)
{
    pthread_t thread;

    __atomic_store_n(&period_ms, ms ? ms : 1000, __ATOMIC_RELAXED);
    if (!deliverer_runs && pthread_create(&thread, NULL, deliverer, NULL) == 0) {
        pthread_detach(thread);
        deliverer_runs = true;
    }
    return CUPTI_SUCCESS;
}

CUptiResult CUPTIAPI cuptiGetStreamIdEx(CUcontext context, CUstream stream, uint8_t per_thread, uint32_t *id)
{
    (void)context, (void)per_thread;
    *id = 7 + number_of(stream);
    return CUPTI_SUCCESS;
}

CUptiResult CUPTIAPI cuptiGetDeviceId(CUcontext context, uint32_t *id)
{
    (void)context;
    *id = 0;
    return CUPTI_SUCCESS;
}
