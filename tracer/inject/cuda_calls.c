/*
 * Which calls of CUDA's APIs have callbacks (cuda_calls.h): a table of the beginnings of their names, and the
 * calls of cuda_ops.c.
 */
#include "cuda_calls.h"
#include "cuda_ops.h"

#include <stdlib.h>
#include <string.h>

#define CALLS_MAX 4096u /* ids of an API that are asked for; CUPTI 13.0 has 807 and 523 */

/*
 * The beginnings of the names of calls that act, without "cuda" or "cu". Variants of a call have its name and
 * something behind it: Async, Batch, Ex, FromPool, _ptsz, _v2.
 */
static const char *const acting[] = {
    /* work for the device */
    "Launch",
    "GraphLaunch",
    "Memcpy",
    "Memset",
    "MemPrefetch",
    "MemDiscard",
    "MemAdvise",
    "MemBatchDecompress",
    /* memory: of the device, of the host, of pools, of graphs, mapped, registered, shared */
    "Malloc",
    "Free",
    "HostAlloc",
    "HostRegister",
    "HostUnregister",
    "MemAlloc",
    "MemFree",
    "MemHostAlloc",
    "MemHostRegister",
    "MemHostUnregister",
    "MemCreate",
    "MemRelease",
    "MemMap",
    "MemUnmap",
    "MemSetAccess",
    "MemAddress",
    "MemExport",
    "MemImport",
    "MemPoolCreate",
    "MemPoolDestroy",
    "MemPoolTrimTo",
    "MemPoolSetAccess",
    "MemPoolExport",
    "MemPoolImport",
    "ArrayCreate",
    "Array3DCreate",
    "ArrayDestroy",
    "MipmappedArrayCreate",
    "MipmappedArrayDestroy",
    "DeviceGraphMemTrim",
    "StreamAttachMem",
    "MulticastCreate",
    "MulticastAddDevice",
    "MulticastBind",
    "MulticastUnbind",
    /* waiting, and what is waited for */
    "DeviceSynchronize",
    "ThreadSynchronize",
    "CtxSynchronize",
    "StreamSynchronize",
    "EventSynchronize",
    "StreamWait",
    "StreamWrite",
    "StreamBatchMemOp",
    "EventCreate",
    "EventRecord",
    "EventDestroy",
    "CtxRecordEvent",
    "CtxWaitEvent",
    "DeviceFlush",
    "FlushGPU",
    /* streams, captures, graphs */
    "StreamCreate",
    "StreamDestroy",
    "StreamAddCallback",
    "StreamBegin",
    "StreamEndCapture",
    "GraphInstantiate",
    "GraphUpload",
    "GraphExecUpdate",
    "GraphExecDestroy",
    "GraphDestroy",
    /* code; a question about a symbol or a function may be what loads it */
    "ModuleLoad",
    "ModuleUnload",
    "ModuleGetFunction",
    "ModuleGetGlobal",
    "LibraryLoad",
    "LibraryUnload",
    "LibraryGetModule",
    "LibraryGetGlobal",
    "LibraryGetManaged",
    "LibraryGetUnified",
    "KernelGetFunction",
    "FuncLoad",
    "FuncGetAttributes",
    "GetFuncBySymbol",
    "GetSymbol",
    "InitModule",
    "Link",
    "CompilePtx",
    /* devices and contexts */
    "Init",
    "SetDevice",
    "DeviceReset",
    "ThreadExit",
    "CtxCreate",
    "CtxDestroy",
    "CtxAttach",
    "CtxDetach",
    "DevicePrimaryCtxRetain",
    "DevicePrimaryCtxRelease",
    "DevicePrimaryCtxReset",
    "GreenCtxCreate",
    "GreenCtxDestroy",
    "GreenCtxRecordEvent",
    "GreenCtxWaitEvent",
    "GreenCtxStreamCreate",
    "DeviceSetLimit",
    "CtxSetLimit",
    "ThreadSetLimit",
    "CtxResetPersisting",
    "CheckpointProcessLock",
    "CheckpointProcessCheckpoint",
    "CheckpointProcessRestore",
    "CheckpointProcessUnlock",
    "Profiler",
    /* other devices, processes and APIs */
    "DeviceEnablePeer",
    "DeviceDisablePeer",
    "CtxEnablePeer",
    "CtxDisablePeer",
    "PeerRegister",
    "PeerUnregister",
    "MemPeerRegister",
    "MemPeerUnregister",
    "Ipc",
    "ImportExternal",
    "DestroyExternal",
    "SignalExternal",
    "WaitExternal",
    "ExternalMemoryGetMapped",
    "GraphicsMap",
    "GraphicsUnmap",
    "GraphicsUnregister",
    "GraphicsGLRegister",
    "GraphicsEGLRegister",
    "GraphicsVDPAURegister",
    "GLMap",
    "GLUnmap",
    "GLRegister",
    "GLUnregister",
    "EGLStream",
};

bool call_acts(const char *name)
{
    while (*name == '_')
        name++;
    if (strncmp(name, "cu", 2) != 0)
        return false;
    name += strncmp(name, "cuda", 4) && strncmp(name, "cu64", 4) ? 2 : 4;
    for (size_t i = 0; i < sizeof(acting) / sizeof(acting[0]); i++)
        if (*name == *acting[i] && !strncmp(name, acting[i], strlen(acting[i])))
            return true;
    return false;
}

/* Of each id of an API: that it has a callback but is not recorded; what it does to captures. */
static bool evidence[2][CALLS_MAX];
static signed char captures[2][CALLS_MAX];

bool call_is_recorded(CUpti_CallbackDomain domain, CUpti_CallbackId id)
{
    return id >= CALLS_MAX || !evidence[domain == CUPTI_CB_DOMAIN_DRIVER_API][id];
}

int call_capture(CUpti_CallbackDomain domain, CUpti_CallbackId id)
{
    return id < CALLS_MAX ? captures[domain == CUPTI_CB_DOMAIN_DRIVER_API][id] : 0;
}

static signed char find_capture(const char *name)
{
    return strstr(name, "StreamBegin") ? 1 : strstr(name, "StreamEndCapture") ? -1 : 0;
}

static CUptiResult enable_api(CUpti_SubscriberHandle subscriber, CUpti_CallbackDomain domain, bool all)
{
    CUptiResult code = all ? cupti.enable_domain(1, subscriber, domain) : CUPTI_SUCCESS;

    for (uint32_t id = 1; code == CUPTI_SUCCESS && id < CALLS_MAX; id++) {
        const char *name = NULL;
        if (cupti.callback_name(domain, id, &name) != CUPTI_SUCCESS || !name)
            continue;
        captures[domain == CUPTI_CB_DOMAIN_DRIVER_API][id] = find_capture(name);
        bool acts = call_acts(name);
        if (all || (!acts && cuda_op(domain, id)->what == OP_OTHER))
            continue;
        evidence[domain == CUPTI_CB_DOMAIN_DRIVER_API][id] = !acts;
        code = cupti.enable_callback(1, subscriber, domain, id);
    }
    return code;
}

CUptiResult calls_enable(CUpti_SubscriberHandle subscriber, bool sampled)
{
    /* CUPTI itself makes the first two, for the names of kernels that it reports. */
    const struct {
        CUpti_CallbackDomain domain;
        CUpti_CallbackId id;
        bool on;
    } more[] = {
        {CUPTI_CB_DOMAIN_DRIVER_API, CUPTI_DRIVER_TRACE_CBID_cuKernelGetName, false},
        {CUPTI_CB_DOMAIN_DRIVER_API, CUPTI_DRIVER_TRACE_CBID_cuFuncGetName, false},
        {CUPTI_CB_DOMAIN_RESOURCE, CUPTI_CBID_RESOURCE_STREAM_DESTROY_STARTING, true},
        {CUPTI_CB_DOMAIN_RESOURCE, CUPTI_CBID_RESOURCE_CONTEXT_DESTROY_STARTING, true},
        {CUPTI_CB_DOMAIN_RESOURCE, CUPTI_CBID_RESOURCE_CONTEXT_CREATED, sampled},
        {CUPTI_CB_DOMAIN_RESOURCE, CUPTI_CBID_RESOURCE_MODULE_LOADED, sampled},
    };
    const char *calls = getenv("GROSR_CUDA_CALLS");
    bool all = calls && !strcmp(calls, "all");
    CUptiResult code = enable_api(subscriber, CUPTI_CB_DOMAIN_RUNTIME_API, all);

    if (code == CUPTI_SUCCESS)
        code = enable_api(subscriber, CUPTI_CB_DOMAIN_DRIVER_API, all);
    for (size_t i = 0; code == CUPTI_SUCCESS && i < sizeof(more) / sizeof(more[0]); i++)
        code = cupti.enable_callback(more[i].on, subscriber, more[i].domain, more[i].id);
    if (code == CUPTI_SUCCESS) { /* some versions refuse them: then CUPTI's own failures are not reported */
        cupti.enable_callback(1, subscriber, CUPTI_CB_DOMAIN_STATE, CUPTI_CBID_STATE_FATAL_ERROR);
        cupti.enable_callback(1, subscriber, CUPTI_CB_DOMAIN_STATE, CUPTI_CBID_STATE_ERROR);
    }
    return code;
}
