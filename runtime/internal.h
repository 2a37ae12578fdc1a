/*
 * What the parts of the runtime's host side share: runtime.c (opening, closing, housekeeping) and submit.c
 * (submission, completion).
 */
#ifndef GROSR_INTERNAL_H
#define GROSR_INTERNAL_H

#include "device_ops.h"

#include "../tracer/clock.h"
#include "../tracer/emit.h"

#include <pthread.h>

struct batch {
    uint64_t first, count;
    struct grosr_result *results;
};

struct grosr {
    const struct grosr_device_ops *ops;
    struct grosr_device *device;
    struct grosr_device_info info;
    struct grosr_session *session;
    struct grosr_trace trace; /* as the host sees it */
    sys128 *tasks, *results;  /* the two rings */
    uint32_t capacity_log2;
    uint32_t ports;
    uint32_t spins;

    pthread_mutex_t lock;
    uint64_t reserved, published, retired;
    uint64_t max_depth;
    struct batch *batch; /* unretired batches, a ring: front at batch_head */
    size_t batch_head, batch_count, batch_room;
    struct grosr_emitter emit; /* the host's event ring */
    struct grosr_emit_ring emit_ring;

    sys32 stopping;    /* grosr_stop() was called */
    sys32 failed;      /* errno: the device failed; the text is in failure */
    char failure[512]; /* written before `failed` */
    bool finished;

    pthread_t housekeeper;
    bool housekeeping;
    sys32 housekeeper_stop;
    struct grosr_clock_pinger pinger;
};

/* Why nothing more will complete, with its text: 0 while it may. */
int grosr_ending(grosr *rt);

/* After the kernel has ended early: results that are there are handed over, the other tasks are cancelled. */
void grosr_cancel_rest(grosr *rt);

#endif
