/* The device's shared memory as tests need it, without a device: rings, frames, and workers' own memory. */
#ifndef GROSR_LAUNCH_FIXTURE_H
#define GROSR_LAUNCH_FIXTURE_H

#include "../runtime/kernel/task.h"
#include "tap.h"

/* Zeroed memory, aligned for anything. */
static inline void *fixture_memory(size_t bytes)
{
    size_t size = (bytes + 255) / 256 * 256;
    void *p = aligned_alloc(256, size);

    if (!p) {
        printf("Bail out! out of memory\n");
        exit(1);
    }
    return memset(p, 0, size);
}

static inline struct grosr_share fixture_share(uint32_t capacity_log2)
{
    struct grosr_share s;
    s.ends = (struct grosr_share_ends *)fixture_memory(sizeof(*s.ends));
    s.slots = (dev256 *)fixture_memory(sizeof(dev256) << capacity_log2);
    s.capacity_log2 = capacity_log2;
    return s;
}

static inline void fixture_share_free(struct grosr_share s)
{
    free(s.ends);
    free(s.slots);
}

/* What `workers` workers share, with this many frames each; without the session and the host's queue. */
static inline struct grosr_launch fixture_launch(uint32_t workers, uint32_t frames_per_worker)
{
    struct grosr_launch l;

    memset(&l, 0, sizeof(l));
    l.workers = workers;
    l.frames = workers * frames_per_worker;
    while (UINT32_C(1) << l.frames_log2 < workers * frames_per_worker)
        l.frames_log2++;
    l.control = (struct grosr_control *)fixture_memory(sizeof(*l.control));
    l.ends = (struct grosr_share_ends *)fixture_memory((GROSR_SHARE_INBOX + workers) * sizeof(*l.ends));
    l.overflow_slots = (dev256 *)fixture_memory(sizeof(dev256) << GROSR_OVERFLOW_CAPACITY_LOG2);
    l.urgent_slots = (dev256 *)fixture_memory(sizeof(dev256) << GROSR_URGENT_CAPACITY_LOG2);
    l.inbox_slots = (dev256 *)fixture_memory((workers * sizeof(dev256)) << GROSR_INBOX_CAPACITY_LOG2);
    l.free_slots = (dev256 *)fixture_memory(sizeof(dev256) << l.frames_log2);
    l.ready_slots = (dev256 *)fixture_memory(sizeof(dev256) << l.frames_log2);
    l.frame = (struct grosr_frame *)fixture_memory((workers * frames_per_worker + 1) * sizeof(*l.frame));
    l.free_far = (uint32_t *)fixture_memory((size_t)workers * GROSR_FREE_FAR * sizeof(*l.free_far));
    l.far = (struct grosr_slot *)fixture_memory((size_t)workers * GROSR_DEQUE_CAPACITY * sizeof(*l.far));
    return l;
}

static inline void fixture_launch_free(struct grosr_launch *l)
{
    void *all[] = {l->control,    l->ends,        l->overflow_slots, l->urgent_slots, l->inbox_slots,
                   l->free_slots, l->ready_slots, l->frame,          l->free_far,     l->far};

    for (size_t i = 0; i < sizeof(all) / sizeof(all[0]); i++)
        free(all[i]);
}

static inline struct grosr_deque fixture_deque(const struct grosr_launch *l, uint32_t worker)
{
    struct grosr_deque d;
    d.local = (struct grosr_local *)fixture_memory(sizeof(*d.local));
    d.far = l->far + (size_t)worker * GROSR_DEQUE_CAPACITY;
    grosr_local_open(d.local, grosr_launch_frames(l).own);
    return d;
}

/* An entry that is told from all others by its number. */
static inline struct grosr_entry fixture_entry(uint64_t number)
{
    uint64_t seed = (number + 1) * UINT64_C(0x9e3779b97f4a7c15);
    struct grosr_entry e;

    e.function = (uint32_t)(tap_random(&seed) & 0xffff);
    e.a = (uint32_t)tap_random(&seed);
    e.b = tap_random(&seed);
    e.parent = (uint32_t)(tap_random(&seed) & 0xffffff);
    e.count = 1;
    e.number = number;
    return e;
}

static inline bool fixture_same(struct grosr_entry x, struct grosr_entry y)
{
    return x.function == y.function && x.a == y.a && x.b == y.b && x.parent == y.parent &&
           x.count == y.count && x.number == y.number;
}

#endif
