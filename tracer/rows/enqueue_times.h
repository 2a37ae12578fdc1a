/*
 * When tasks were enqueued: a window over batches of consecutively numbered tasks, one window for each source
 * of numbers (the host, each worker that spawns), searched by number.
 *
 * A batch is dropped once each of its tasks has been asked for. Lost events leave some that never are; so all
 * windows of a trace share a budget of GROSR_ENQUEUE_TIMES_MAX batches, in addition to
 * GROSR_ENQUEUE_TIMES_MIN for each, and a window that cannot grow any more drops its older half.
 */
#ifndef GROSR_ENQUEUE_TIMES_H
#define GROSR_ENQUEUE_TIMES_H

#include <stddef.h>
#include <stdint.h>

#define GROSR_ENQUEUE_TIMES_MAX ((size_t)1 << 24)
#define GROSR_ENQUEUE_TIMES_MIN 4096u

struct grosr_enqueue {
    uint64_t first; /* tasks first .. first + count - 1 ... */
    int64_t time;   /* ... were enqueued then */
    uint32_t count;
    uint32_t left; /* tasks of it that nobody has asked for yet */
};

/* Zero, but for what is set by its owner, is an empty window. */
struct grosr_enqueue_times {
    struct grosr_enqueue *batch; /* [count], in order of `first` */
    size_t count, room, hint;
    size_t *spare;  /* what is left of the budget; the owner's */
    uint64_t reach; /* batches so far behind the newest are not asked for any more; the owner's */
};

/* Numbers come nearly in order. 0 or -ENOMEM. */
int grosr_enqueue_times_add(struct grosr_enqueue_times *w, uint64_t first, uint32_t count, int64_t time);

/* When the task was enqueued; `unknown` if no batch has it. Each task asks once. */
int64_t grosr_enqueue_times_take(struct grosr_enqueue_times *w, uint64_t task, int64_t unknown);

#endif
