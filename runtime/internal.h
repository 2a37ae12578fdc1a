/*
 * What the parts of the runtime's host side share: runtime.c (opening, closing, housekeeping), submit.c
 * (submission, cancellation) and complete.c (completion). Each part of the structure names its writer.
 */
#ifndef GROSR_INTERNAL_H
#define GROSR_INTERNAL_H

#include "device_ops.h"

#include "../tracer/clock.h"
#include "../tracer/emit.h"

#include <pthread.h>

/* A batch that has not been retired: tasks first .. first + count - 1, and where their results go. */
struct batch {
    uint64_t first, count;
    struct grosr_result *results;
};

#define BATCHES_PER_BLOCK 170u /* 4 KiB */

/* Batches in the order of their numbers: a list of blocks, filled by submitters, emptied by the collector. */
struct batch_block {
    struct batch_block *next;
    struct batch batch[BATCHES_PER_BLOCK];
};

struct grosr {
    /* Constant once open. */
    const struct grosr_device_ops *ops;
    struct grosr_device *device;
    struct grosr_device_info info;
    struct grosr_session *session;
    struct grosr_trace trace; /* as the host sees it */
    sys128 *tasks, *results;  /* the two rings */
    uint32_t capacity_log2;
    uint32_t ports;
    uint32_t spins;

    /* Numbering: written under the lock, a short step a batch. */
    alignas(128) pthread_mutex_t lock;
    dev64 reserved, claimed;        /* read by anybody */
    struct batch_block *batch_tail; /* the block that takes the next batch */
    uint32_t batch_tail_used;       /* of its entries */
    uint64_t max_depth, depth_due;  /* do not look at the depth before `depth_due` tasks are claimed */
    struct grosr_emitter emit;      /* the host's event ring */
    struct grosr_emit_ring emit_ring;

    /* Completion: written by the collector, whoever holds `collecting`. */
    alignas(128) dev32 collecting;
    dev64 retired;                  /* read by anybody */
    struct batch_block *batch_head; /* the batch that task `retired` is of, or the one before it */
    uint32_t batch_at;

    alignas(128) sys32 stopping; /* grosr_stop() was called */
    sys32 failed;                /* errno: the device failed; the text is in failure */
    char failure[512];           /* written before `failed` */
    bool finished;

    pthread_t housekeeper;
    bool housekeeping;
    sys32 housekeeper_stop;
    struct grosr_clock_pinger pinger;
};

/* ---- submit.c ---- */

/* Makes the queue's host side ready, once the options are settled. -ENOMEM. */
int grosr_submission_open(grosr *rt);

void grosr_submission_close(grosr *rt);

/* ---- complete.c ---- */

struct waiter {
    uint32_t spins, step;
};

/* A little while, longer each time. */
void grosr_wait_a_little(const grosr *rt, struct waiter *w);

static inline uint64_t grosr_least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static inline uint64_t grosr_retired(const grosr *rt)
{
    return dev_load_acquire(&rt->retired); /* pairs with the store in collect() */
}

/* Whether the caller is the collector from now on. */
bool grosr_become_collector(grosr *rt);
void grosr_resign_collector(grosr *rt);

/* Collects, if there is something and nobody else does. Returns how many results were handed over. */
uint64_t grosr_try_collect(grosr *rt);

/* Why nothing more will complete, with its text: 0 while it may. */
int grosr_ending(grosr *rt);

/* After the kernel has ended early: results that are there are handed over, the other tasks are cancelled. */
void grosr_cancel_rest(grosr *rt);

#endif
