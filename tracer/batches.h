/*
 * When tasks were enqueued: a window over batches of consecutively numbered tasks, one window for each source
 * of numbers (the host, each worker that spawns), searched by number.
 *
 * A batch goes once each of its tasks has been asked for. Lost events leave some that never are; so all
 * windows of a trace share a budget of GROSR_BATCHES_MOST batches, beside GROSR_BATCHES_LEAST for each, and a
 * window that cannot grow any more forgets its older half.
 */
#ifndef GROSR_BATCHES_H
#define GROSR_BATCHES_H

#include <stddef.h>
#include <stdint.h>

#define GROSR_BATCHES_MOST  ((size_t)1 << 24)
#define GROSR_BATCHES_LEAST 4096u

struct grosr_batch {
    uint64_t first; /* tasks first .. first + count - 1 ... */
    int64_t time;   /* ... were enqueued then */
    uint32_t count;
    uint32_t left; /* tasks of it that nobody has asked for yet */
};

/* Zero, but for what is set by its owner, is an empty window. */
struct grosr_batches {
    struct grosr_batch *batch; /* [count], in order of `first` */
    size_t count, room, hint;
    size_t *spare;  /* what is left of the budget; the owner's */
    uint64_t reach; /* batches so far behind the newest are not asked for any more; the owner's */
};

/* Numbers come nearly in order. 0 or -ENOMEM. */
int grosr_batches_add(struct grosr_batches *w, uint64_t first, uint32_t count, int64_t time);

/* When the task was enqueued; `unknown` if no batch tells. Each task asks once. */
int64_t grosr_batches_ask(struct grosr_batches *w, uint64_t task, int64_t unknown);

#endif
