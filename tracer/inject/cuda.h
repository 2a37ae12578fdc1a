/*
 * CUDA in a traced process, through CUPTI: what the files share.
 *
 *     cupti_library.c  CUPTI and the driver, loaded and called through tables of symbols
 *     cuda.c           the driver loads us; callbacks of API calls; the housekeeping thread; the end
 *     cuda_activity.c  CUPTI's activity records into ours
 *     cuda_kernels.c   names of kernels, launches of which no record has come, persistent kernels
 *
 * CUPTI delivers no kernel's record while one runs whose record it collects, and a forced flush spoils the
 * records of all that run. So launches of persistent kernels are left out of the activity (it is off while
 * such a launch is made, with other launches held off), their rows are made here, and nothing is ever flushed
 * by force.
 */
#ifndef GROSR_INJECT_CUDA_H
#define GROSR_INJECT_CUDA_H

#include "inject.h"

#include <cuda.h>
#include <cupti.h>

#define CUPTI_SYMBOLS(X)                                                                            \
    X(result_string, "cuptiGetResultString", (CUptiResult, const char **))                          \
    X(subscribe, "cuptiSubscribe", (CUpti_SubscriberHandle *, CUpti_CallbackFunc, void *))          \
    X(unsubscribe, "cuptiUnsubscribe", (CUpti_SubscriberHandle))                                    \
    X(enable_domain, "cuptiEnableDomain", (uint32_t, CUpti_SubscriberHandle, CUpti_CallbackDomain)) \
    X(enable_callback, "cuptiEnableCallback",                                                       \
      (uint32_t, CUpti_SubscriberHandle, CUpti_CallbackDomain, CUpti_CallbackId))                   \
    X(register_callbacks, "cuptiActivityRegisterCallbacks",                                         \
      (CUpti_BuffersCallbackRequestFunc, CUpti_BuffersCallbackCompleteFunc))                        \
    X(register_clock, "cuptiActivityRegisterTimestampCallback", (CUpti_TimestampCallbackFunc))      \
    X(enable, "cuptiActivityEnable", (CUpti_ActivityKind))                                          \
    X(disable, "cuptiActivityDisable", (CUpti_ActivityKind))                                        \
    X(next_record, "cuptiActivityGetNextRecord", (uint8_t *, size_t, CUpti_Activity **))            \
    X(dropped, "cuptiActivityGetNumDroppedRecords", (CUcontext, uint32_t, size_t *))                \
    X(flush, "cuptiActivityFlushAll", (uint32_t))                                                   \
    X(flush_period, "cuptiActivityFlushPeriod", (uint32_t))                                         \
    X(stream_id, "cuptiGetStreamIdEx", (CUcontext, CUstream, uint8_t, uint32_t *))                  \
    X(device_id, "cuptiGetDeviceId", (CUcontext, uint32_t *))

struct cupti {
#define X(member, symbol, arguments) CUptiResult(CUPTIAPI *member) arguments;
    CUPTI_SYMBOLS(X)
#undef X
};

/* The driver that has loaded us; through it we ask after persistent kernels. */
#define DRIVER_SYMBOLS(X)                                                           \
    X(event_create, "cuEventCreate", (CUevent *, unsigned))                         \
    X(event_record, "cuEventRecord", (CUevent, CUstream))                           \
    X(event_query, "cuEventQuery", (CUevent))                                       \
    X(event_elapsed, "cuEventElapsedTime", (float *, CUevent, CUevent))             \
    X(event_destroy, "cuEventDestroy_v2", (CUevent))                                \
    X(stream_capturing, "cuStreamIsCapturing", (CUstream, CUstreamCaptureStatus *)) \
    X(stream_query, "cuStreamQuery", (CUstream))                                    \
    X(context_push, "cuCtxPushCurrent_v2", (CUcontext))                             \
    X(context_pop, "cuCtxPopCurrent_v2", (CUcontext *))

struct driver {
#define X(member, symbol, arguments) CUresult(CUDAAPI *member) arguments;
    DRIVER_SYMBOLS(X)
#undef X
};

/* Valid once cupti_load() has returned true. */
extern struct cupti cupti;
extern struct driver driver;

/* Loads CUPTI and finds the driver; false: `why` says what is missing. Once. */
bool cupti_load(char *why, size_t size);

/* What a code of CUPTI's means. */
const char *cupti_text(CUptiResult code);

/* ---- cuda_activity.c ---- */

/* Gives CUPTI its buffers and switches the kinds of activity on. */
CUptiResult activity_start(void);

/* The number of records that CUPTI has dropped for want of buffers. */
uint64_t activity_dropped(void);

/* When the latest record of a kernel came (CLOCK_MONOTONIC); 0: none has. */
uint64_t activity_kernel_ns(void);

/* ---- cuda_kernels.c ---- */

/* A kernel by its name: kept for ever. */
struct kernel_name {
    struct kernel_name *next;
    struct inject_string *mangled, *full, *brief;
    bool persistent;
};

/* NULL: no memory. */
const struct kernel_name *kernel_name(const char *mangled);

/* Reads GROSR_PERSISTENT: which kernels are persistent, beside GROSR's own. */
void kernels_start(void);

/* A launch, as its callback tells of it. */
struct launch {
    const struct kernel_name *name;
    CUcontext context;
    CUstream stream;
    uint32_t context_id, correlation;
    uint32_t grid[3], block[3];
    uint32_t shared_bytes;
};

/* Around every launch of a kernel, on its thread, outside inject_enter() and inject_leave(). */
void launch_enter(const struct launch *launch);
void launch_exit(const struct launch *launch, bool succeeded);

/* A kernel's record has come. */
void launch_recorded(uint32_t correlation);

/* Launches of which no record has come. */
uint32_t launches_missing(void);

/* A stream or a context (the other is NULL) is about to go. On its thread, outside inject_enter(). */
void kernels_forget(CUcontext context, CUstream stream);

/* The housekeeping thread's: persistent kernels that have ended, and records that stay away. */
void kernels_tick(uint64_t now_ns);

/* At the end of the process, when the housekeeping thread has ended, or hangs: the last word on both. */
void kernels_end(void);

#endif
