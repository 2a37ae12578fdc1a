/*
 * What the calls of the CUDA APIs do that matters for what is outstanding: launch something into a stream,
 * wait for something, begin and end a capture. One table, by the numbers that CUPTI has for calls. All that
 * are in it have callbacks (cuda_calls.c), so no call is in it that a program makes in order to poll.
 * Launches of kernels are not in it: cuda_launches.c reads their parameters, at the driver's level.
 */
#ifndef GROSR_INJECT_CUDA_OPS_H
#define GROSR_INJECT_CUDA_OPS_H

#include "cupti_library.h"

#include <stdint.h>

enum cuda_op_what {
    OP_OTHER,
    OP_MEMCPY, /* as the next three: a launch */
    OP_MEMSET,
    OP_HOST_FUNCTION,
    OP_GRAPH,
    OP_SYNC_STREAM,
    OP_SYNC_EVENT,
    OP_SYNC_DEVICE,
    OP_EVENT_RECORD,
    OP_CAPTURE_BEGIN,
    OP_CAPTURE_END,
    OP_WAIT_EVENT,  /* of a stream: by that it may join a capture */
    OP_INSTANTIATE, /* a graph becomes executable */
    OP_EVENT_DESTROY,
    OP_GRAPH_CHANGE, /* an executable graph's nodes are switched on or off */
    OP_FREE,         /* waits for the device, or may */
    OP_WORDS,        /* a stream waits for words or writes them (cuda_words.c) */
    OP_SHARE,        /* memory of the device is shared with others */
};

enum cuda_op_has {
    OP_HAS_STREAM = 1,
    OP_HAS_BYTES = 2,
    OP_HAS_KIND = 4,   /* an enum cudaMemcpyKind */
    OP_PER_THREAD = 8, /* its default stream is the thread's */
    OP_BLOCKING = 16,  /* it returns when it is done, or nearly */
    OP_TO_HOST = 32,   /* a copy from the device: done, if it is blocking */
    OP_TO_DEVICE = 64, /* a copy from the host */
};

struct cuda_op {
    uint8_t what; /* enum cuda_op_what */
    uint8_t has;  /* enum cuda_op_has */
    /* Offsets in its parameters: the stream; the bytes; the kind, event, function or graph. */
    uint16_t stream_at, bytes_at, value_at;
};

/* Never NULL. */
const struct cuda_op *cuda_op(CUpti_CallbackDomain domain, CUpti_CallbackId id);

/* Of an operation's parameters; NULL and 0 where it has none. */
CUstream cuda_op_stream(const struct cuda_op *op, const CUpti_CallbackData *data);
uint64_t cuda_op_bytes(const struct cuda_op *op, const CUpti_CallbackData *data);
void *cuda_op_value(const struct cuda_op *op, const CUpti_CallbackData *data);

/* Where a copy goes, as far as its arguments say: OP_TO_HOST, OP_TO_DEVICE or 0. */
unsigned cuda_op_direction(const struct cuda_op *op, const CUpti_CallbackData *data);

#endif
