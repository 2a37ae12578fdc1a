/*
 * What the parts of the runtime's host side share. Each part of the structure names its writer. The parts
 * call each other downwards only:
 *
 *     open            opening
 *     close           stopping, finishing, closing
 *     submit          submission, cancellation
 *     complete        completion
 *     memory, arena, housekeeping
 *     syscalls        the mailbox and its proxy
 *     gate            who may enter; the host's events
 */
#ifndef GROSR_INTERNAL_H
#define GROSR_INTERNAL_H

#include "../device/device_ops.h"

#include "../../tracer/base/time_limits.h"
#include "../../tracer/clock/clock.h"
#include "../../tracer/session/emit.h"
#include "../../tracer/session/housekeeper.h"

#include <pthread.h>

struct grosr_proxy;

/* The calls that an API_ERROR event can name (schema/events.def). */
enum grosr_call {
    GROSR_CALL_SUBMIT = 1,
    GROSR_CALL_WAIT,
    GROSR_CALL_CANCEL,
    GROSR_CALL_TEST,
    GROSR_CALL_ON_COMPLETION,
    GROSR_CALL_FINISH,
    GROSR_CALL_CLOSE,
};

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

/* Tasks first .. end - 1. */
struct span {
    uint64_t first, end;
};

struct grosr {
    /*
     * Calls inside, and GATE_CLOSED. A call that finds the runtime closed touches nothing else, since it has
     * been freed. The rest of this line stays valid.
     */
    alignas(128) dev32 gate;
    dev32 closing;             /* 1: a thread is closing it, or has */
    struct grosr *next_closed; /* in the list of closed handles */

    /* Constant once open. */
    uint32_t process; /* grosr_fork_number() of the process that opened it; valid when it is closed, too */
    const struct grosr_program *program;
    const struct grosr_device_ops *ops;
    struct grosr_device *device;
    struct grosr_device_info info;
    struct grosr_session *session;
    struct grosr_trace trace; /* as the host sees it */
    sys128 *tasks, *results;  /* the two rings */
    struct grosr_queue_words *words;
    void *shared_host, *shared_device; /* grosr_shared() */
    size_t shared_bytes;
    unsigned char *memory; /* grosr_device_memory() */
    size_t memory_bytes;
    struct grosr_arena *arena; /* of the heap; NULL: none */
    uint32_t capacity_log2;
    uint32_t ports;
    uint32_t spins;
    struct grosr_mailbox mailbox, device_mailbox; /* as the host sees it, and the device */
    struct grosr_proxy *proxy;                    /* NULL: there are no system calls, or they have ended */

    /* Numbering: written under the lock, a short step a batch. */
    alignas(128) pthread_mutex_t lock;
    dev64 reserved, claimed;        /* read by anybody */
    struct batch_block *batch_tail; /* the block that takes the next batch */
    uint32_t batch_tail_used;       /* of its entries */
    uint64_t max_depth, depth_due;  /* do not look at the depth before `depth_due` tasks are claimed */
    struct grosr_emitter emit;      /* the host's event ring */
    struct grosr_emit_ring emit_ring;
    bool ended;             /* nothing is claimed any more */
    bool emit_closed;       /* nothing is recorded any more */
    dev32 finishing;        /* 1: nothing is submitted any more; read by anybody */
    struct span *cancelled; /* of tasks not yet claimed: disjoint */
    uint32_t cancelled_count, cancelled_room;
    bool calls_back; /* grosr_on_completion() was called */
    pthread_t completion_thread;

    /* High-priority tasks: written under their own lock. */
    alignas(128) pthread_mutex_t urgent_lock;
    uint64_t urgent_sent;

    /* Completion: written by the collector, whoever holds `collecting`. */
    alignas(128) dev32 collecting;
    dev64 retired;                  /* read by anybody */
    struct batch_block *batch_head; /* the batch that task `retired` is of, or the one before it */
    uint32_t batch_at;
    uint64_t cancel_until; /* some task below may be marked as cancelled; 0: none is */

    alignas(128) sys32 stopping; /* grosr_stop() was called */
    sys32 failed;                /* errno: the device failed; the text is in failure */
    char failure[512];           /* written before `failed` */

    pthread_mutex_t finish_lock; /* grosr_finish() */
    bool finished;

    void (*done)(void *arg, uint64_t first, uint64_t count);
    void *done_arg;
    uint64_t reported;    /* tasks below it have been reported; the completion thread's */
    dev32 completion_end; /* nothing is retired any more */

    struct grosr_housekeeper housekeeper;
    uint32_t ticks; /* the housekeeper's */
    struct grosr_clock_pinger pinger;
};

#define GATE_CLOSED 0x80000000u

/* ---- gate.c ---- */

/* Whether a call can be this runtime's: -EINVAL, it is NULL; -EPERM, it belongs to a parent process. */
int grosr_check(const grosr *rt);

/* Begins an API call: 0; an error of grosr_check(); or -ESHUTDOWN when the runtime is closed. */
int grosr_enter(grosr *rt);
void grosr_leave(grosr *rt);

/* From now on no call enters. Returns when the caller's call is the only one inside. */
void grosr_shut(grosr *rt);

/* Records an event of the host: with the lock held, and taking it. */
void grosr_record_locked(grosr *rt, uint32_t kind, uint64_t payload);
void grosr_record(grosr *rt, uint32_t kind, uint64_t payload);

/* Records in the trace that a call was refused, and returns `err`. */
int grosr_refuse(grosr *rt, enum grosr_call call, int err);

/* ---- arena.c ---- */

/* Reserves the heap's memory, if one is wanted, and tells the kernel of it. */
int grosr_arena_open(grosr *rt, const struct grosr_options *options, struct grosr_launch *launch);

/* Publishes what the heap is like in the session, if it has been used since the last time. */
void grosr_arena_publish(grosr *rt);

/* In debug mode, prints what has not been freed. The kernel has ended; the device is still open. */
void grosr_arena_close(grosr *rt);

/* ---- housekeeping.c ---- */

/* Appends to `text` which workers the session last saw in tasks, for a device that has failed. */
void grosr_last_seen(const struct grosr_session *session, char *text, size_t size);

/* The device's state as device_ops.h has it. The text of a failure includes what the workers did, and is
 * kept. */
int grosr_poll_device(grosr *rt);

/* Takes a clock snapshot, unless device time is host time. -ETIMEDOUT: the kernel does not answer. */
int grosr_compare_clocks(grosr *rt, uint64_t timeout_ns);

int grosr_start_housekeeping(grosr *rt);
void grosr_stop_housekeeping(grosr *rt); /* which need not run */

/* ---- syscalls.c ---- */

/* Checks the options, and fills in the defaults. */
int grosr_syscalls_settle(struct grosr_syscalls *settled, const struct grosr_syscalls *options);

/* Allocates the mailbox; its table is in the session, which the device sees at segment_view, and the shared
 * memory is there. */
int grosr_syscalls_allocate(grosr *rt, const struct grosr_syscalls *options, void *segment_view);

/* Starts the proxy. */
int grosr_syscalls_start(grosr *rt, const struct grosr_syscalls *options);

/* Looks after the proxy's threads. */
void grosr_syscalls_check(grosr *rt);

/* Ends calls that wait for something that may never happen. */
void grosr_syscalls_interrupt(grosr *rt);

/* Ends the proxy. */
void grosr_syscalls_stop(grosr *rt);

/* ---- close.c ---- */

/* Undoes an opening that failed: ends what has been started, and frees the handle too. */
void grosr_abandon(grosr *rt);

/* ---- submit.c ---- */

/* Allocates the queue's host side, once the options are settled. -ENOMEM. */
int grosr_submission_open(grosr *rt);

void grosr_submission_close(grosr *rt);

/* ---- complete.c ---- */

struct waiter {
    uint32_t spins, step;
};

/* Waits a little while, longer each time. */
void grosr_wait_a_little(const grosr *rt, struct waiter *w);

static inline uint64_t grosr_min64(uint64_t a, uint64_t b)
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

/* Collects, if there is something to collect and nobody else does. Returns how many results were delivered.
 */
uint64_t grosr_try_collect(grosr *rt);

/* 0 while tasks may still complete; otherwise the reason why none will, with its text. */
int grosr_ending(grosr *rt);

/* Ends the completion thread, if there is one, once it has reported everything. The caller makes sure that
 * nothing more is retired. */
void grosr_end_callbacks(grosr *rt);

/* Whether the calling thread is the completion thread. */
bool grosr_in_callback(grosr *rt);

/* After the kernel has ended early: results that are there are delivered, the other tasks are cancelled. */
void grosr_cancel_rest(grosr *rt);

#endif
