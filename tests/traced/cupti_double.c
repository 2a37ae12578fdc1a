/*
 * CUPTI's part of the double (cupti_double.h): callbacks, activity records and their delivery, by a thread of
 * the double's own and by whoever flushes.
 */
#include "double_parts.h"

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define RECORDS 65536u
#define KINDS   64u
#define IDS     2048u /* of callbacks in a domain */

static pthread_once_t once = PTHREAD_ONCE_INIT;
static union record records[RECORDS];
static uint32_t record_count;
static uint32_t correlation; /* atomic */
static bool enabled[KINDS], deliverer_runs;
static bool callbacks[CUPTI_CB_DOMAIN_SIZE][IDS];
static size_t dropped;
static CUpti_CallbackFunc callback;
static void *callback_data;
static CUpti_BuffersCallbackRequestFunc request;
static CUpti_BuffersCallbackCompleteFunc complete;
static CUpti_TimestampCallbackFunc clock_of_tool;
static uint32_t period_ms = 1000;

uint64_t double_now_ns(void)
{
    struct timespec t;

    if (clock_of_tool)
        return clock_of_tool();
    clock_gettime(CLOCK_REALTIME, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

bool double_has_fault(const char *word)
{
    const char *set = getenv("CUPTI_DOUBLE");
    return set && strstr(set, word);
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
    case CUPTI_ACTIVITY_KIND_GRAPH_TRACE:
        return sizeof(CUpti_ActivityGraphTrace2);
    case CUPTI_ACTIVITY_KIND_DEVICE:
        return sizeof(CUpti_ActivityDevice5);
    default:
        return sizeof(CUpti_ActivityContext3);
    }
}

void double_add_record(const union record *record)
{
    if (!enabled[record->head.kind])
        return;
    if (record_count == RECORDS) {
        dropped++;
        return;
    }
    records[record_count++] = *record;
}

bool double_collects_copies(void)
{
    return enabled[CUPTI_ACTIVITY_KIND_MEMCPY] || enabled[CUPTI_ACTIVITY_KIND_MEMSET];
}

bool double_collects_graphs(void)
{
    return enabled[CUPTI_ACTIVITY_KIND_GRAPH_TRACE];
}

bool double_collects_kernels(void)
{
    return enabled[CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL];
}

/* Whether it goes out now; with the lock. A forced flush takes a kernel's in any case, and spoils it if it
 * has not ended. */
static bool is_due(union record *r, uint64_t now, bool forced)
{
    bool copy = r->head.kind == CUPTI_ACTIVITY_KIND_MEMCPY;
    bool graph = r->head.kind == CUPTI_ACTIVITY_KIND_GRAPH_TRACE;
    bool kernel = r->head.kind == CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL || graph;

    if (!kernel && !copy)
        return true;
    uint32_t stream = (graph ? r->graph.streamId : kernel ? r->kernel.streamId : r->copy.streamId) - 7;
    uint64_t *from = graph ? &r->graph.start : kernel ? &r->kernel.start : &r->copy.start;
    uint64_t *to = graph ? &r->graph.end : kernel ? &r->kernel.end : &r->copy.end;
    uint64_t start = double_time(stream, *from), end = double_time(stream, *to);
    if (end > now && forced && kernel) {
        *from = *to = 0;
        return true;
    }
    if (end > now || (kernel && !forced && double_withholds()))
        return false;
    *from = start;
    *to = end;
    return true;
}

/* Takes what is due into a buffer; its bytes. With the lock. */
static size_t fill_buffer(uint8_t *buffer, size_t size, bool forced)
{
    uint64_t now = double_now_ns();
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
        pthread_mutex_lock(&double_lock);
        used = fill_buffer(buffer, size, forced);
        pthread_mutex_unlock(&double_lock);
        complete(context_of(), 0, buffer, size, used);
    } while (used);
}

static void *deliverer(void *unused)
{
    for (;;) {
        double_sleep_ms(__atomic_load_n(&period_ms, __ATOMIC_RELAXED));
        deliver(false);
    }
    return unused;
}

/* ---- calls ---- */

static void call_back(struct call *c, CUpti_ApiCallbackSite site)
{
    c->data.callbackSite = site;
    c->data.functionReturnValue = site == CUPTI_API_EXIT ? &c->result : NULL;
    if (callback && callbacks[c->domain][c->id])
        callback(callback_data, c->domain, c->id, &c->data);
}

static __thread bool known; /* the thread has a context */

void double_enter(struct call *c, CUpti_CallbackDomain domain, CUpti_CallbackId id, const char *name,
                  const void *params, const char *symbol, uint32_t number)
{
    memset(c, 0, sizeof(*c));
    c->domain = domain;
    c->id = id;
    c->data.functionName = name;
    c->data.functionParams = params;
    c->data.symbolName = symbol;
    c->known = known || domain != CUPTI_CB_DOMAIN_RUNTIME_API;
    c->data.context = c->known ? context_of() : NULL;
    c->data.contextUid = c->known;
    known = true;
    c->data.correlationData = &c->kept;
    c->data.correlationId = number;
    call_back(c, CUPTI_API_ENTER);
}

void double_leave(struct call *c, int result)
{
    c->result = result;
    c->data.context = context_of();
    c->data.contextUid = 1;
    call_back(c, CUPTI_API_EXIT);
}

void double_fail(void)
{
    const CUpti_StateData state = {{{CUPTI_ERROR_UNKNOWN, "it ran out of patience"}}};

    if (double_has_fault("fatal") && callbacks[CUPTI_CB_DOMAIN_STATE][CUPTI_CBID_STATE_FATAL_ERROR])
        callback(callback_data, CUPTI_CB_DOMAIN_STATE, CUPTI_CBID_STATE_FATAL_ERROR, &state);
}

uint32_t double_correlation(void)
{
    return __atomic_add_fetch(&correlation, 1, __ATOMIC_RELAXED);
}

static bool initialized; /* atomic */

bool double_is_initialized(void)
{
    return __atomic_load_n(&initialized, __ATOMIC_ACQUIRE);
}

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
    if (double_has_fault("slow-init"))
        usleep(60000); /* the tool's threads have begun long before */
    __atomic_store_n(&initialized, true, __ATOMIC_RELEASE);
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
    pthread_mutex_lock(&double_lock);
    double_add_record(&device);
    double_add_record(&context);
    if (double_has_fault("dropped"))
        dropped = DOUBLE_DROPPED;
    pthread_mutex_unlock(&double_lock);
}

static void report_resource(CUpti_CallbackId id, void *descriptor)
{
    CUpti_ResourceData r = {.context = context_of(), .resourceDescriptor = descriptor};

    if (callback && callbacks[CUPTI_CB_DOMAIN_RESOURCE][id])
        callback(callback_data, CUPTI_CB_DOMAIN_RESOURCE, id, &r);
}

static void report_module(CUpti_ModuleResourceData *module)
{
    report_resource(CUPTI_CBID_RESOURCE_MODULE_LOADED, module);
}

static pthread_once_t context_once = PTHREAD_ONCE_INIT;

/* The process has one context, and its modules are loaded with it. */
static void create_context(void)
{
    report_resource(CUPTI_CBID_RESOURCE_CONTEXT_CREATED, NULL);
    double_load_modules(report_module);
}

void double_create_context(void)
{
    double_init();
    report_resource(CUPTI_CBID_RESOURCE_CONTEXT_CREATED, NULL);
}

void double_destroy_context(void)
{
    double_init();
    report_resource(CUPTI_CBID_RESOURCE_CONTEXT_DESTROY_STARTING, NULL);
}

/* Whoever comes first initializes; the others wait, or they would use a clock that changes. */
void double_init(void)
{
    pthread_once(&once, init);
    pthread_once(&context_once, create_context);
}

/* ---- CUPTI; declared in its headers ---- */

CUptiResult CUPTIAPI cuptiGetVersion(uint32_t *version)
{
    *version = double_has_fault("version") ? 120800 : CUPTI_API_VERSION;
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
    if (callback || double_has_fault("subscriber"))
        return CUPTI_ERROR_MULTIPLE_SUBSCRIBERS_NOT_SUPPORTED;
    callback = function;
    callback_data = data;
    *subscriber = (CUpti_SubscriberHandle)(uintptr_t)1;
    return CUPTI_SUCCESS;
}

CUptiResult CUPTIAPI cuptiSubscribe_v2(CUpti_SubscriberHandle *subscriber, CUpti_CallbackFunc function,
                                       void *data, CUpti_SubscriberParams *params)
{
    CUptiResult code = cuptiSubscribe(subscriber, function, data);

    if (code != CUPTI_SUCCESS && params && params->oldSubscriberName)
        snprintf(params->oldSubscriberName, params->oldSubscriberSize, "CUPTI for %s",
                 callback ? "the first" : "somebody");
    return code;
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

static const char *call_name(CUpti_CallbackDomain domain, uint32_t id)
{
    static const char *const driver[IDS] = {
#include "driver_calls.h"
    };
    static const char *const runtime[IDS] = {
#include "runtime_calls.h"
    };
    bool newer = double_has_fault("newer");

    if (domain == CUPTI_CB_DOMAIN_DRIVER_API && newer && id == CUPTI_DRIVER_TRACE_CBID_SIZE)
        return "cuLaunchOfTomorrow_v2";
    if (domain == CUPTI_CB_DOMAIN_RUNTIME_API && newer && id == CUPTI_RUNTIME_TRACE_CBID_SIZE)
        return "cudaGetOfTomorrow_v14000";
    return id >= IDS                               ? NULL
           : domain == CUPTI_CB_DOMAIN_DRIVER_API  ? driver[id]
           : domain == CUPTI_CB_DOMAIN_RUNTIME_API ? runtime[id]
                                                   : NULL;
}

CUptiResult CUPTIAPI cuptiGetCallbackName(CUpti_CallbackDomain domain, uint32_t id, const char **name)
{
    *name = call_name(domain, id);
    return *name ? CUPTI_SUCCESS : CUPTI_ERROR_INVALID_PARAMETER;
}

void double_print_enabled(void)
{
    static const CUpti_CallbackDomain domains[] = {CUPTI_CB_DOMAIN_DRIVER_API, CUPTI_CB_DOMAIN_RUNTIME_API};

    double_init();
    for (size_t i = 0; i < sizeof(domains) / sizeof(domains[0]); i++)
        for (uint32_t id = 0; id < IDS; id++)
            if (callbacks[domains[i]][id] && call_name(domains[i], id))
                puts(call_name(domains[i], id));
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
    pthread_mutex_lock(&double_lock);
    enabled[kind] = true;
    pthread_mutex_unlock(&double_lock);
    return CUPTI_SUCCESS;
}

CUptiResult CUPTIAPI cuptiActivityDisable(CUpti_ActivityKind kind)
{
    pthread_mutex_lock(&double_lock);
    enabled[kind] = false;
    pthread_mutex_unlock(&double_lock);
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
    pthread_mutex_lock(&double_lock);
    *count = dropped;
    dropped = 0; /* since the last time it was asked */
    pthread_mutex_unlock(&double_lock);
    return CUPTI_SUCCESS;
}

CUptiResult CUPTIAPI cuptiActivityFlushAll(uint32_t flag)
{
    if (flag & CUPTI_ACTIVITY_FLAG_FLUSH_FORCED && !double_is_idle())
        fprintf(stderr, "double: flushed by force while a kernel runs\n");
    double_wait_for_driver();
    deliver(flag & CUPTI_ACTIVITY_FLAG_FLUSH_FORCED);
    return CUPTI_SUCCESS;
}

CUptiResult CUPTIAPI cuptiActivityFlushPeriod(uint32_t ms)
{
    __atomic_store_n(&period_ms, ms ? ms : 1000, __ATOMIC_RELAXED);
    deliverer_runs = deliverer_runs || start_detached(deliverer, NULL);
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
