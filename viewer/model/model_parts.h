/*
 * What the files of the model (model*.c) share: a session under observation. Nobody else includes this.
 */
#ifndef GROSR_MODEL_PARTS_H
#define GROSR_MODEL_PARTS_H

#include "model.h"

#include "../../tracer/clock/clock.h"
#include "../../tracer/foreign/foreign.h"
#include "../../tracer/diagnose/live.h"
#include "../../tracer/session/worker_state.h"

/* What is remembered of a worker from sample to sample. */
struct worker_memory {
    struct grosr_worker_state state;
    uint64_t busy_ns; /* ended tasks, and the one that runs up to the sample */
};

struct model_source {
    const struct grosr_session *session;
    struct grosr_clock clock;
    struct worker_memory *worker;
    uint64_t *sm_busy_ns;       /* by SM, in this interval */
    uint64_t sampled_ns;        /* when, host clock; 0: not yet */
    uint64_t done, completed;   /* tasks, at that time */
    uint64_t calls, call_bytes; /* of system calls, at that time */
    struct grosr_live *live;    /* NULL: no look yet */
    uint32_t looks;
    struct grosr_calls_look *calls_look; /* of a recorded program; NULL: none yet */
    struct model model;
};

/* model_heap.c: the GPU memory allocator. */
void model_sample_heap(struct model_source *source, uint64_t now);

/* model_pc.c: where the warps of a program's kernels are. */
void model_sample_pc(struct model_source *source, uint64_t now);

/* model_stalls.c: the verdict, and what holds the session up. */
void model_sample_stalls(struct model_source *source);

#endif
