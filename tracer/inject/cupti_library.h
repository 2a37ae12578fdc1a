/*
 * CUPTI and the driver as tables of symbols, loaded at run time, so that the injected library needs neither
 * to be loaded itself.
 */
#ifndef GROSR_CUPTI_LIBRARY_H
#define GROSR_CUPTI_LIBRARY_H

#include <cuda.h>
#include <cupti.h>
#include <cupti_pcsampling.h>
#include <stdbool.h>
#include <stddef.h>

#define CUPTI_SYMBOLS(X)                                                                            \
    X(result_string, "cuptiGetResultString", (CUptiResult, const char **))                          \
    X(subscribe, "cuptiSubscribe", (CUpti_SubscriberHandle *, CUpti_CallbackFunc, void *))          \
    X(unsubscribe, "cuptiUnsubscribe", (CUpti_SubscriberHandle))                                    \
    X(enable_domain, "cuptiEnableDomain", (uint32_t, CUpti_SubscriberHandle, CUpti_CallbackDomain)) \
    X(enable_callback, "cuptiEnableCallback",                                                       \
      (uint32_t, CUpti_SubscriberHandle, CUpti_CallbackDomain, CUpti_CallbackId))                   \
    X(callback_name, "cuptiGetCallbackName", (CUpti_CallbackDomain, uint32_t, const char **))       \
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

/* Those of later versions; NULL where they are absent. */
#define CUPTI_OPTIONAL_SYMBOLS(X)        \
    X(subscribe_v2, "cuptiSubscribe_v2", \
      (CUpti_SubscriberHandle *, CUpti_CallbackFunc, void *, CUpti_SubscriberParams *))

/* PC sampling; NULL where they are absent. */
#define CUPTI_PC_SYMBOLS(X)                                                                                  \
    X(context_id, "cuptiGetContextId", (CUcontext, uint32_t *))                                              \
    X(pc_enable, "cuptiPCSamplingEnable", (CUpti_PCSamplingEnableParams *))                                  \
    X(pc_disable, "cuptiPCSamplingDisable", (CUpti_PCSamplingDisableParams *))                               \
    X(pc_configure, "cuptiPCSamplingSetConfigurationAttribute", (CUpti_PCSamplingConfigurationInfoParams *)) \
    X(pc_get, "cuptiPCSamplingGetData", (CUpti_PCSamplingGetDataParams *))                                   \
    X(pc_count_stalls, "cuptiPCSamplingGetNumStallReasons", (CUpti_PCSamplingGetNumStallReasonsParams *))    \
    X(pc_name_stalls, "cuptiPCSamplingGetStallReasons", (CUpti_PCSamplingGetStallReasonsParams *))           \
    X(cubin_crc, "cuptiGetCubinCrc", (CUpti_GetCubinCrcParams *))

struct cupti {
#define X(member, symbol, arguments) CUptiResult(CUPTIAPI *member) arguments;
    CUPTI_SYMBOLS(X)
    CUPTI_OPTIONAL_SYMBOLS(X)
    CUPTI_PC_SYMBOLS(X)
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
    X(capture_mode, "cuThreadExchangeStreamCaptureMode", (CUstreamCaptureMode *))   \
    X(device_pci, "cuDeviceGetPCIBusId", (char *, int, CUdevice))                   \
    X(context_push, "cuCtxPushCurrent_v2", (CUcontext))                             \
    X(context_pop, "cuCtxPopCurrent_v2", (CUcontext *))

/* What is in a graph, how a stream was made, the room that a kernel needs, and where memory is; NULL where
 * they are absent. */
#define DRIVER_OPTIONAL_SYMBOLS(X)                                                                 \
    X(graph_nodes, "cuGraphGetNodes", (CUgraph, CUgraphNode *, size_t *))                          \
    X(node_type, "cuGraphNodeGetType", (CUgraphNode, CUgraphNodeType *))                           \
    X(kernel_params, "cuGraphKernelNodeGetParams_v2", (CUgraphNode, CUDA_KERNEL_NODE_PARAMS_v2 *)) \
    X(child_graph, "cuGraphChildGraphNodeGetGraph", (CUgraphNode, CUgraph *))                      \
    X(function_name, "cuFuncGetName", (const char **, CUfunction))                                 \
    X(kernel_name, "cuKernelGetName", (const char **, CUkernel))                                   \
    X(stream_flags, "cuStreamGetFlags", (CUstream, unsigned *))                                    \
    X(stream_priority, "cuStreamGetPriority", (CUstream, int *))                                   \
    X(occupancy, "cuOccupancyMaxActiveBlocksPerMultiprocessor", (int *, CUfunction, int, size_t))  \
    X(function_attribute, "cuFuncGetAttribute", (int *, CUfunction_attribute, CUfunction))         \
    X(context_device, "cuCtxGetDevice", (CUdevice *))                                              \
    X(device_attribute, "cuDeviceGetAttribute", (int *, CUdevice_attribute, CUdevice))             \
    X(pointer_attributes, "cuPointerGetAttributes", (unsigned, CUpointer_attribute *, void **, CUdeviceptr))

struct driver {
#define X(member, symbol, arguments) CUresult(CUDAAPI *member) arguments;
    DRIVER_SYMBOLS(X)
    DRIVER_OPTIONAL_SYMBOLS(X)
#undef X
};

/* Valid once cupti_load() has returned true. */
extern struct cupti cupti;
extern struct driver driver;

/* Loads CUPTI and finds the driver; false: `why` says what is missing. Once. */
bool cupti_load(char *why, size_t size);

/* What a code of CUPTI's means. */
const char *cupti_text(CUptiResult code);

/*
 * While any thread captures a stream in the global mode, which is the default, calls that CUDA holds to be
 * unsafe (cuEventQuery and cuStreamQuery among them) invalidate the capture, whichever thread makes them,
 * unless the calling thread's own capture mode is relaxed. So every call of ours is made in that mode: in a
 * thread of our own from its start on, in a thread of the program between these two, which give it back the
 * mode that it had. Pairs may nest.
 */
CUstreamCaptureMode driver_relax(void);
void driver_restore(CUstreamCaptureMode before);

#endif
