/*
 * The table of what calls do (cuda_ops.h). A function that works on the default stream has a second number,
 * with _ptsz or _ptds behind its name, for programs whose default stream is the thread's.
 */
#include "cuda_ops.h"

/* cuda.h has later versions by these names. */
#undef cuMemcpyBatchAsync
#undef cuMemcpy3DBatchAsync
#undef cuStreamBeginCapture
#undef cuCtxSynchronize
#undef cuGraphInstantiate

#define CBIDS 2048u /* more than CUPTI has calls of an API */

#define AT(call, member) offsetof(call##_params, member)

#define R(call, ...) [CUPTI_RUNTIME_TRACE_CBID_##call] = {__VA_ARGS__}
#define D(call, ...) [CUPTI_DRIVER_TRACE_CBID_##call] = {__VA_ARGS__}

/* Calls of the runtime: with a stream; with a stream and bytes; that block. */
#define R_STREAM(what, call, version, other, stream)                              \
    R(call##_##version, what, OP_HAS_STREAM, AT(call##_##version, stream), 0, 0), \
        R(call##_##other, what, OP_HAS_STREAM | OP_PER_THREAD, AT(call##_##other, stream), 0, 0)
#define R_BYTES(what, call, version, other, bytes)                                                        \
    R(call##_##version, what, OP_HAS_STREAM | OP_HAS_BYTES, AT(call##_##version, stream),                 \
      AT(call##_##version, bytes), 0),                                                                    \
        R(call##_##other, what, OP_HAS_STREAM | OP_HAS_BYTES | OP_PER_THREAD, AT(call##_##other, stream), \
          AT(call##_##other, bytes), 0)
#define R_VALUE(what, call, version, other, value)                                                          \
    R(call##_##version, what, OP_HAS_STREAM, AT(call##_##version, stream), 0, AT(call##_##version, value)), \
        R(call##_##other, what, OP_HAS_STREAM | OP_PER_THREAD, AT(call##_##other, stream), 0,               \
          AT(call##_##other, value))
#define R_BLOCKING(what, call, version, other) \
    R(call##_##version, what, OP_BLOCKING), R(call##_##other, what, OP_BLOCKING | OP_PER_THREAD)
#define R_COPY(call, version, other)                                                             \
    R(call##_##version, OP_MEMCPY, OP_BLOCKING | OP_HAS_KIND, 0, 0, AT(call##_##version, kind)), \
        R(call##_##other, OP_MEMCPY, OP_BLOCKING | OP_HAS_KIND | OP_PER_THREAD, 0, 0,            \
          AT(call##_##other, kind))

/* With a stream, bytes and a kind of copy. */
#define R_KIND(call, version, other)                                                                         \
    R(call##_##version, OP_MEMCPY, OP_HAS_STREAM | OP_HAS_BYTES | OP_HAS_KIND, AT(call##_##version, stream), \
      AT(call##_##version, count), AT(call##_##version, kind)),                                              \
        R(call##_##other, OP_MEMCPY, OP_HAS_STREAM | OP_HAS_BYTES | OP_HAS_KIND | OP_PER_THREAD,             \
          AT(call##_##other, stream), AT(call##_##other, count), AT(call##_##other, kind))

/* The same of the driver. */
#define D_STREAM(what, call, suffix)                       \
    D(call, what, OP_HAS_STREAM, AT(call, hStream), 0, 0), \
        D(call##suffix, what, OP_HAS_STREAM | OP_PER_THREAD, AT(call##suffix, hStream), 0, 0)
#define D_BYTES(what, call, bytes, more)                                                         \
    D(call, what, OP_HAS_STREAM | OP_HAS_BYTES | (more), AT(call, hStream), AT(call, bytes), 0), \
        D(call##_ptsz, what, OP_HAS_STREAM | OP_HAS_BYTES | OP_PER_THREAD | (more),              \
          AT(call##_ptsz, hStream), AT(call##_ptsz, bytes), 0)
#define D_VALUE(what, call, value)                                                       \
    D(call, what, OP_HAS_STREAM, AT(call, hStream), 0, AT(call, value)),                 \
        D(call##_ptsz, what, OP_HAS_STREAM | OP_PER_THREAD, AT(call##_ptsz, hStream), 0, \
          AT(call##_ptsz, value))
#define D_BLOCKING(what, call, more) \
    D(call, what, OP_BLOCKING | (more)), D(call##_ptds, what, OP_BLOCKING | (more) | OP_PER_THREAD)

/* The first version of these calls, or another. */
#define D_WORDS(call, version)                                                                    \
    [CUPTI_DRIVER_TRACE_CBID_##call##version] = {OP_WORDS, OP_HAS_STREAM,                         \
                                                 offsetof(call##version##_params, stream), 0, 0}, \
    [CUPTI_DRIVER_TRACE_CBID_##call##version##_ptsz] = {OP_WORDS, OP_HAS_STREAM | OP_PER_THREAD,  \
                                                        offsetof(call##version##_ptsz_params, stream), 0, 0}

static const struct cuda_op runtime_ops[CBIDS] = {
    R(cudaMemcpy_v3020, OP_MEMCPY, OP_BLOCKING | OP_HAS_KIND | OP_HAS_BYTES, 0, AT(cudaMemcpy_v3020, count),
      AT(cudaMemcpy_v3020, kind)),
    R(cudaMemcpy_ptds_v7000, OP_MEMCPY, OP_BLOCKING | OP_HAS_KIND | OP_HAS_BYTES | OP_PER_THREAD, 0,
      AT(cudaMemcpy_ptds_v7000, count), AT(cudaMemcpy_ptds_v7000, kind)),
    R_COPY(cudaMemcpy2D, v3020, ptds_v7000),
    R_COPY(cudaMemcpy2DToArray, v3020, ptds_v7000),
    R_COPY(cudaMemcpy2DFromArray, v3020, ptds_v7000),
    R_COPY(cudaMemcpyToSymbol, v3020, ptds_v7000),
    R_COPY(cudaMemcpyFromSymbol, v3020, ptds_v7000),
    R_BLOCKING(OP_MEMCPY, cudaMemcpy3D, v3020, ptds_v7000),
    R_BLOCKING(OP_MEMCPY, cudaMemcpy2DArrayToArray, v3020, ptds_v7000),
    R_BLOCKING(OP_MEMCPY, cudaMemcpy3DPeer, v4000, ptds_v7000),
    R(cudaMemcpyPeer_v4000, OP_MEMCPY, OP_BLOCKING | OP_HAS_BYTES, 0, AT(cudaMemcpyPeer_v4000, count), 0),
    R_KIND(cudaMemcpyAsync, v3020, ptsz_v7000),
    R_KIND(cudaMemcpyToSymbolAsync, v3020, ptsz_v7000),
    R_KIND(cudaMemcpyFromSymbolAsync, v3020, ptsz_v7000),
    R_STREAM(OP_MEMCPY, cudaMemcpy2DAsync, v3020, ptsz_v7000, stream),
    R_STREAM(OP_MEMCPY, cudaMemcpy2DToArrayAsync, v3020, ptsz_v7000, stream),
    R_STREAM(OP_MEMCPY, cudaMemcpy2DFromArrayAsync, v3020, ptsz_v7000, stream),
    R_STREAM(OP_MEMCPY, cudaMemcpy3DAsync, v3020, ptsz_v7000, stream),
    R_STREAM(OP_MEMCPY, cudaMemcpy3DPeerAsync, v4000, ptsz_v7000, stream),
    R(cudaMemcpyPeerAsync_v4000, OP_MEMCPY, OP_HAS_STREAM | OP_HAS_BYTES,
      AT(cudaMemcpyPeerAsync_v4000, stream), AT(cudaMemcpyPeerAsync_v4000, count), 0),
    R_STREAM(OP_MEMCPY, cudaMemcpyBatchAsync, v13000, ptsz_v13000, stream),
    R_STREAM(OP_MEMCPY, cudaMemcpy3DBatchAsync, v13000, ptsz_v13000, stream),

    R(cudaMemset_v3020, OP_MEMSET, OP_HAS_BYTES, 0, AT(cudaMemset_v3020, count), 0),
    R(cudaMemset_ptds_v7000, OP_MEMSET, OP_HAS_BYTES | OP_PER_THREAD, 0, AT(cudaMemset_ptds_v7000, count), 0),
    R(cudaMemset2D_v3020, OP_MEMSET, 0),
    R(cudaMemset2D_ptds_v7000, OP_MEMSET, OP_PER_THREAD),
    R(cudaMemset3D_v3020, OP_MEMSET, 0),
    R(cudaMemset3D_ptds_v7000, OP_MEMSET, OP_PER_THREAD),
    R_BYTES(OP_MEMSET, cudaMemsetAsync, v3020, ptsz_v7000, count),
    R_STREAM(OP_MEMSET, cudaMemset2DAsync, v3020, ptsz_v7000, stream),
    R_STREAM(OP_MEMSET, cudaMemset3DAsync, v3020, ptsz_v7000, stream),

    R_VALUE(OP_HOST_FUNCTION, cudaLaunchHostFunc, v10000, ptsz_v10000, fn),
    R_VALUE(OP_HOST_FUNCTION, cudaStreamAddCallback, v5000, ptsz_v7000, callback),
    R_VALUE(OP_GRAPH, cudaGraphLaunch, v10000, ptsz_v10000, graphExec),

    R_STREAM(OP_SYNC_STREAM, cudaStreamSynchronize, v3020, ptsz_v7000, stream),
    R(cudaEventSynchronize_v3020, OP_SYNC_EVENT, 0, 0, 0, AT(cudaEventSynchronize_v3020, event)),
    R_VALUE(OP_EVENT_RECORD, cudaEventRecord, v3020, ptsz_v7000, event),
    R_VALUE(OP_EVENT_RECORD, cudaEventRecordWithFlags, v11010, ptsz_v11010, event),
    R(cudaEventDestroy_v3020, OP_EVENT_DESTROY, 0, 0, 0, AT(cudaEventDestroy_v3020, event)),
    R(cudaDeviceSynchronize_v3020, OP_SYNC_DEVICE),
    R(cudaThreadSynchronize_v3020, OP_SYNC_DEVICE),
    R(cudaFree_v3020, OP_FREE),
    R(cudaFreeHost_v3020, OP_FREE),
    R(cudaFreeArray_v3020, OP_FREE),
    R(cudaHostUnregister_v4000, OP_FREE),
    R(cudaDeviceReset_v3020, OP_FREE),

    R_VALUE(OP_WAIT_EVENT, cudaStreamWaitEvent, v3020, ptsz_v7000, event),
    R_STREAM(OP_CAPTURE_BEGIN, cudaStreamBeginCapture, v10000, ptsz_v10000, stream),
    R_STREAM(OP_CAPTURE_BEGIN, cudaStreamBeginCaptureToGraph, v12030, ptsz_v12030, stream),
    R_STREAM(OP_CAPTURE_END, cudaStreamEndCapture, v10000, ptsz_v10000, stream),
};

static const struct cuda_op driver_ops[CBIDS] = {
    D_BLOCKING(OP_MEMCPY, cuMemcpyDtoH_v2, OP_TO_HOST),
    D_BLOCKING(OP_MEMCPY, cuMemcpyHtoD_v2, OP_TO_DEVICE),
    D_BLOCKING(OP_MEMCPY, cuMemcpyDtoD_v2, 0),
    D_BLOCKING(OP_MEMCPY, cuMemcpyDtoA_v2, 0),
    D_BLOCKING(OP_MEMCPY, cuMemcpyAtoD_v2, 0),
    D_BLOCKING(OP_MEMCPY, cuMemcpyHtoA_v2, OP_TO_DEVICE),
    D_BLOCKING(OP_MEMCPY, cuMemcpyAtoH_v2, OP_TO_HOST),
    D_BLOCKING(OP_MEMCPY, cuMemcpyAtoA_v2, 0),
    D_BLOCKING(OP_MEMCPY, cuMemcpy2D_v2, 0),
    D_BLOCKING(OP_MEMCPY, cuMemcpy2DUnaligned_v2, 0),
    D_BLOCKING(OP_MEMCPY, cuMemcpy3D_v2, 0),
    D_BLOCKING(OP_MEMCPY, cuMemcpy, 0),
    D_BLOCKING(OP_MEMCPY, cuMemcpyPeer, 0),
    D_BLOCKING(OP_MEMCPY, cuMemcpy3DPeer, 0),
    D_BYTES(OP_MEMCPY, cuMemcpyAsync, ByteCount, 0),
    D_BYTES(OP_MEMCPY, cuMemcpyHtoDAsync_v2, ByteCount, OP_TO_DEVICE),
    D_BYTES(OP_MEMCPY, cuMemcpyDtoHAsync_v2, ByteCount, OP_TO_HOST),
    D_BYTES(OP_MEMCPY, cuMemcpyDtoDAsync_v2, ByteCount, 0),
    D_BYTES(OP_MEMCPY, cuMemcpyPeerAsync, ByteCount, 0),
    D_STREAM(OP_MEMCPY, cuMemcpy2DAsync_v2, _ptsz),
    D_STREAM(OP_MEMCPY, cuMemcpy3DAsync_v2, _ptsz),
    D_STREAM(OP_MEMCPY, cuMemcpy3DPeerAsync, _ptsz),
    D_STREAM(OP_MEMCPY, cuMemcpyBatchAsync, _ptsz),
    D_STREAM(OP_MEMCPY, cuMemcpyBatchAsync_v2, _ptsz),
    D_STREAM(OP_MEMCPY, cuMemcpy3DBatchAsync, _ptsz),
    D_STREAM(OP_MEMCPY, cuMemcpy3DBatchAsync_v2, _ptsz),

    D(cuMemsetD8_v2, OP_MEMSET, 0),
    D(cuMemsetD8_v2_ptds, OP_MEMSET, OP_PER_THREAD),
    D(cuMemsetD16_v2, OP_MEMSET, 0),
    D(cuMemsetD16_v2_ptds, OP_MEMSET, OP_PER_THREAD),
    D(cuMemsetD32_v2, OP_MEMSET, 0),
    D(cuMemsetD32_v2_ptds, OP_MEMSET, OP_PER_THREAD),
    D_STREAM(OP_MEMSET, cuMemsetD8Async, _ptsz),
    D_STREAM(OP_MEMSET, cuMemsetD16Async, _ptsz),
    D_STREAM(OP_MEMSET, cuMemsetD32Async, _ptsz),
    D_STREAM(OP_MEMSET, cuMemsetD2D8Async, _ptsz),
    D_STREAM(OP_MEMSET, cuMemsetD2D16Async, _ptsz),
    D_STREAM(OP_MEMSET, cuMemsetD2D32Async, _ptsz),

    D_VALUE(OP_HOST_FUNCTION, cuLaunchHostFunc, fn),
    D_VALUE(OP_HOST_FUNCTION, cuStreamAddCallback, callback),
    D(cuGraphLaunch, OP_GRAPH, OP_HAS_STREAM, AT(cuGraphLaunch, hStream), 0, AT(cuGraphLaunch, hGraph)),
    D(cuGraphLaunch_ptsz, OP_GRAPH, OP_HAS_STREAM | OP_PER_THREAD, AT(cuGraphLaunch_ptsz, hStream), 0,
      AT(cuGraphLaunch_ptsz, hGraphExec)),

    D_STREAM(OP_SYNC_STREAM, cuStreamSynchronize, _ptsz),
    D(cuEventSynchronize, OP_SYNC_EVENT, 0, 0, 0, AT(cuEventSynchronize, hEvent)),
    D_VALUE(OP_EVENT_RECORD, cuEventRecord, hEvent),
    D_VALUE(OP_EVENT_RECORD, cuEventRecordWithFlags, hEvent),
    D(cuEventDestroy_v2, OP_EVENT_DESTROY, 0, 0, 0, AT(cuEventDestroy_v2, hEvent)),
    D(cuGraphNodeSetEnabled, OP_GRAPH_CHANGE, 0, 0, 0, AT(cuGraphNodeSetEnabled, hGraphExec)),
    D(cuCtxSynchronize, OP_SYNC_DEVICE),
    D(cuCtxSynchronize_v2, OP_SYNC_DEVICE),
    D(cuMemFree_v2, OP_FREE),
    D(cuMemFreeHost, OP_FREE),
    D(cuMemHostUnregister, OP_FREE),

    D_VALUE(OP_WAIT_EVENT, cuStreamWaitEvent, hEvent),
    D_STREAM(OP_CAPTURE_BEGIN, cuStreamBeginCapture, _ptsz),
    D_STREAM(OP_CAPTURE_BEGIN, cuStreamBeginCapture_v2, _ptsz),
    D_STREAM(OP_CAPTURE_BEGIN, cuStreamBeginCaptureToGraph, _ptsz),
    D_STREAM(OP_CAPTURE_END, cuStreamEndCapture, _ptsz),
    D(cuGraphInstantiate, OP_INSTANTIATE),
    D(cuGraphInstantiate_v2, OP_INSTANTIATE),
    D(cuGraphInstantiateWithFlags, OP_INSTANTIATE),
    D(cuGraphInstantiateWithParams, OP_INSTANTIATE),
    D(cuGraphInstantiateWithParams_ptsz, OP_INSTANTIATE),

    D_WORDS(cuStreamWaitValue32, ),
    D_WORDS(cuStreamWaitValue32, _v2),
    D_WORDS(cuStreamWaitValue64, ),
    D_WORDS(cuStreamWaitValue64, _v2),
    D_WORDS(cuStreamWriteValue32, ),
    D_WORDS(cuStreamWriteValue32, _v2),
    D_WORDS(cuStreamWriteValue64, ),
    D_WORDS(cuStreamWriteValue64, _v2),
    D_WORDS(cuStreamBatchMemOp, ),
    D_WORDS(cuStreamBatchMemOp, _v2),
    D_WORDS(cuWaitExternalSemaphoresAsync, ),
    D_WORDS(cuSignalExternalSemaphoresAsync, ),
    D(cuIpcGetMemHandle, OP_SHARE),
    D(cuIpcOpenMemHandle, OP_SHARE),
    D(cuIpcOpenMemHandle_v2, OP_SHARE),
    D(cuMemExportToShareableHandle, OP_SHARE),
    D(cuMemImportFromShareableHandle, OP_SHARE),
    D(cuMemPoolExportPointer, OP_SHARE),
    D(cuMemPoolImportPointer, OP_SHARE),
    D(cuImportExternalMemory, OP_SHARE),
};

const struct cuda_op *cuda_op(CUpti_CallbackDomain domain, CUpti_CallbackId id)
{
    static const struct cuda_op other = {.what = OP_OTHER};

    if (id >= CBIDS)
        return &other;
    return domain == CUPTI_CB_DOMAIN_RUNTIME_API  ? &runtime_ops[id]
           : domain == CUPTI_CB_DOMAIN_DRIVER_API ? &driver_ops[id]
                                                  : &other;
}

static const void *parameter(const CUpti_CallbackData *d, uint16_t at)
{
    return (const char *)d->functionParams + at;
}

CUstream cuda_op_stream(const struct cuda_op *op, const CUpti_CallbackData *d)
{
    return op->has & OP_HAS_STREAM && d->functionParams ? *(const CUstream *)parameter(d, op->stream_at)
                                                        : NULL;
}

uint64_t cuda_op_bytes(const struct cuda_op *op, const CUpti_CallbackData *d)
{
    return op->has & OP_HAS_BYTES && d->functionParams ? *(const size_t *)parameter(d, op->bytes_at) : 0;
}

void *cuda_op_value(const struct cuda_op *op, const CUpti_CallbackData *d)
{
    return d->functionParams ? *(void *const *)parameter(d, op->value_at) : NULL;
}

unsigned cuda_op_direction(const struct cuda_op *op, const CUpti_CallbackData *d)
{
    if (!(op->has & OP_HAS_KIND) || !d->functionParams)
        return op->has & (OP_TO_HOST | OP_TO_DEVICE);
    enum cudaMemcpyKind kind = *(const enum cudaMemcpyKind *)parameter(d, op->value_at);
    return kind == cudaMemcpyDeviceToHost ? OP_TO_HOST : kind == cudaMemcpyHostToDevice ? OP_TO_DEVICE : 0;
}
