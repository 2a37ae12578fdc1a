/*
 * What the host hands to the kernel, and the control words that all workers watch.
 */
#ifndef GROSR_LAUNCH_H
#define GROSR_LAUNCH_H

#include "frame.h"
#include "queue.h"

#include "../syscall/mailbox.h"

#define GROSR_OVERFLOW_CAPACITY_LOG2 16u
#define GROSR_URGENT_CAPACITY_LOG2   10u
#define GROSR_INBOX_CAPACITY_LOG2    6u

/* All shared rings have their ends in one array: */
enum {
    GROSR_SHARE_OVERFLOW, /* tasks that found no room in their worker's deque */
    GROSR_SHARE_READY,    /* frames that are ready and found none */
    GROSR_SHARE_URGENT,   /* tasks of high priority */
    GROSR_SHARE_FREE,     /* free frames */
    GROSR_SHARE_INBOX,    /* one for each worker: what others give to it */
};

/*
 * Device memory, zero at first. What workers look at: one word, changed by adding,
 *
 *     63....48 47.....40 39...........0
 *     0        command   urgent tasks
 *
 * and who is hungry: worker w sets bit w / GROSR_HUNGRY_WORDS of word w % GROSR_HUNGRY_WORDS when it has
 * nothing to do. Who clears it has the right and the duty to give it something; it clears it itself when it
 * has found something. A warp sees them all in one load, a word a lane.
 */
#define GROSR_HUNGRY_WORDS 32u

struct grosr_control {
    alignas(256) dev64 hungry[GROSR_HUNGRY_WORDS];
    dev64 word;
    dev32 left;                      /* workers that have stopped */
    alignas(128) dev32 fresh_frames; /* frames that have been used once */
};

#define GROSR_CONTROL_URGENT_MASK ((UINT64_C(1) << 40) - 1)
#define GROSR_CONTROL_SHIFT       40
#define GROSR_CONTROL_LEVEL       0x07u /* the trace level + 1; 0: the service warp has not started */
#define GROSR_CONTROL_STOP        0x08u
#define GROSR_CONTROL_CANCEL      0x10u /* some task that has started is to be cancelled */

#define GROSR_WORKERS_MAX (GROSR_HUNGRY_WORDS * 64)

/* The kernel's argument. */
struct grosr_launch {
    struct grosr_trace trace;
    struct grosr_queue queue;
    struct grosr_control *control;
    uint32_t workers;
    uint32_t one_queue; /* 1: all tasks go through the overflow ring (GROSR_SHARING_ONE_QUEUE) */
    struct grosr_share_ends *ends;
    dev256 *overflow_slots, *ready_slots, *urgent_slots, *free_slots, *inbox_slots;
    uint32_t frames_log2;      /* capacity of the rings that hold frames */
    struct grosr_frame *frame; /* frame[0] is not used */
    uint32_t frames;
    struct grosr_slot *far;             /* GROSR_DEQUE_CAPACITY a worker */
    uint32_t *free_far;                 /* GROSR_FREE_FAR a worker */
    struct grosr_heap heap;             /* heap.arena NULL: none */
    struct grosr_heap_note *heap_notes; /* GROSR_HEAP_NOTES a worker; NULL: none */
    struct grosr_mailbox mailbox;
};

GROSR_DEVICE struct grosr_share grosr_launch_share(struct grosr_share_ends *ends, dev256 *slots,
                                                   uint32_t log2)
{
    struct grosr_share s;
    s.ends = ends;
    s.slots = slots;
    s.capacity_log2 = log2;
    return s;
}

GROSR_DEVICE struct grosr_share grosr_launch_overflow(const struct grosr_launch *l)
{
    return grosr_launch_share(&l->ends[GROSR_SHARE_OVERFLOW], l->overflow_slots,
                              GROSR_OVERFLOW_CAPACITY_LOG2);
}

GROSR_DEVICE struct grosr_share grosr_launch_ready(const struct grosr_launch *l)
{
    return grosr_launch_share(&l->ends[GROSR_SHARE_READY], l->ready_slots, l->frames_log2);
}

GROSR_DEVICE struct grosr_share grosr_launch_urgent(const struct grosr_launch *l)
{
    return grosr_launch_share(&l->ends[GROSR_SHARE_URGENT], l->urgent_slots, GROSR_URGENT_CAPACITY_LOG2);
}

GROSR_DEVICE struct grosr_share grosr_launch_inbox(const struct grosr_launch *l, uint32_t worker)
{
    return grosr_launch_share(&l->ends[GROSR_SHARE_INBOX + worker],
                              l->inbox_slots + ((size_t)worker << GROSR_INBOX_CAPACITY_LOG2),
                              GROSR_INBOX_CAPACITY_LOG2);
}

GROSR_DEVICE struct grosr_frames grosr_launch_frames(const struct grosr_launch *l)
{
    uint32_t half = l->frames / l->workers / 2; /* of a worker's part */
    struct grosr_frames f;
    f.frame = l->frame;
    f.free = grosr_launch_share(&l->ends[GROSR_SHARE_FREE], l->free_slots, l->frames_log2);
    f.fresh = &l->control->fresh_frames;
    f.count = l->frames;
    f.own = half;
    f.common = l->frames - l->workers * half;
    /* Settling leaves room for a frame of each lane. */
    f.near_room = half < GROSR_FREE_NEAR - GROSR_LANES ? half : GROSR_FREE_NEAR - GROSR_LANES;
    f.far_room = half - f.near_room < GROSR_FREE_FAR ? half - f.near_room : GROSR_FREE_FAR;
    f.far = l->free_far;
    return f;
}

#endif
