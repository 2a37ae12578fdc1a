/*
 * Frames: tasks that wait. A frame counts what is missing (children that have not completed, signals that
 * have not come) and gathers the children's values; when nothing is missing any more, whoever brought the
 * last of it makes the task resume. No warp and no lane is held while a task waits (Blumofe et al., "Cilk",
 * PPoPP 1995: join counters and continuations).
 *
 * Counting without fences. A fence costs a GPU's warp a microsecond, and more the more warps fence, so that a
 * tree of tiny tasks would spend its time on ordering "value added" before "child counted". Instead the count
 * travels with the value, in one word: `low` gathers the low halves of the values and `high` the high halves,
 *
 *     63.....48 47...................................0
 *     count     sum of 32-bit halves
 *
 * and each child adds {1, half} to both. The parent, when its function has returned, adds {-n, 0} for its n
 * children; n < 2^16, so that no sum reaches the count. Only one addition to `low` makes its count 0 after
 * the parent's: before, it is the number of children that were quick, which is not 0, and after, minus what
 * is missing. Whoever makes it has the low sum; `high` is complete when its own count says so, at once or a
 * moment later. A child that has something to make visible besides its value (memory that it wrote, an errno
 * in `mark`) adds to `low` with release, and the one that completes the frame acquires.
 *
 * Wide frames, of ranges of more than GROSR_NARROW tasks, count in `pending` and add up in `sum`, in that
 * order, with release: so many tasks are added together that the fence does not matter. Signals count in
 * `pending` too. In a free frame all these words are 0.
 *
 * A frame's memory is never freed, only reused, and its words are read and written past the L1 caches, where
 * they could be stale.
 *
 * Frames are numbered from 1. Half of them are the workers' own, in equal parts, until they have been used
 * once: so each worker can run a tree depth first, whatever another has taken. The other half is for all.
 * Frames come free wherever a task happens to resume, so each worker keeps a small stack of free ones, most
 * of it in the warp's memory, and balances it against a shared ring that has room for all. What a worker
 * keeps is at most half of its part of all frames, and only a batch once it idles while few are left for
 * others (grosr_frames_give_back()). A worker that needs more takes from the ring, and from the common half.
 */
#ifndef GROSR_FRAME_H
#define GROSR_FRAME_H

#include "deque.h"
#include "share.h"

/* Device memory, zero at first. */
struct grosr_frame {
    alignas(64) dev64 low;
    dev64 high;
    dev64 sum;
    dev32 pending;
    dev32 mark; /* 0, GROSR_MARK_WROTE, or the status of the first child seen to have failed */
    dev64 next; /* function:16 << 32 | a:32: how the task resumes; GROSR_TASK_NOTHING << 32 | its status:32 */
    dev64 b;
    dev64 whose; /* parent:24 << 40 | number:40 */
    dev64 value; /* the task's own */
};

/*
 * A mark says that the task, or one under it, may have written to memory. A status implies that: what failed
 * is rare enough to be made visible in any case. So a mark has room for a status of 32 bits; the one that
 * looks like GROSR_MARK_WROTE, INT32_MIN, is no task's (grosr_worker_run_lanes()).
 */
#define GROSR_MARK_WROTE 0x80000000u

/* In an entry's `parent`: that frame is wide. */
#define GROSR_FRAME_WIDE 0x800000u
#define GROSR_FRAME_MAX  (GROSR_FRAME_WIDE - 1)

#define GROSR_NARROW      1024u
#define GROSR_RANGE_MAX   0x80000000u
#define GROSR_CHILDREN    0xffffu /* of one task; a wide range counts as one */
#define GROSR_COUNT_SHIFT 48

/* Completed children of one frame: how many, and the sums of the low and the high halves of their values. */
struct grosr_completions {
    uint32_t frame, count; /* frame: with GROSR_FRAME_WIDE */
    uint32_t mark;
    uint64_t low, high;
};

GROSR_DEVICE struct grosr_completions grosr_completions_one(uint32_t frame, uint64_t value, uint32_t mark)
{
    struct grosr_completions t;
    t.frame = frame;
    t.count = 1;
    t.mark = mark;
    t.low = value & 0xffffffffu;
    t.high = value >> 32;
    return t;
}

GROSR_DEVICE uint32_t grosr_mark_status(uint32_t mark)
{
    return mark == GROSR_MARK_WROTE ? 0 : mark;
}

GROSR_DEVICE uint32_t grosr_mark_of(int status, bool wrote)
{
    return status ? (uint32_t)status : wrote ? GROSR_MARK_WROTE : 0;
}

/* Two children's marks: the first status counts. */
GROSR_DEVICE uint32_t grosr_mark_merge(uint32_t first, uint32_t second)
{
    return grosr_mark_status(first) || !second ? first : second;
}

GROSR_DEVICE void grosr_frame_mark(struct grosr_frame *f, uint32_t mark)
{
    uint32_t old = dev_load_relaxed(&f->mark), wanted, seen;

    for (;;) {
        wanted = grosr_mark_merge(old, mark);
        if (wanted == old || (seen = dev_cas_relaxed(&f->mark, old, wanted)) == old)
            return;
        old = seen;
    }
}

/* Adds completions to their frame. True: nothing is missing any more. Called by any lanes. */
GROSR_DEVICE bool grosr_frame_add_completions(struct grosr_frame *frames, struct grosr_completions t)
{
    struct grosr_frame *f = &frames[t.frame & GROSR_FRAME_MAX];
    uint64_t count = (uint64_t)t.count << GROSR_COUNT_SHIFT, low = count + t.low, before;

    if (t.mark)
        grosr_frame_mark(f, t.mark);
    if (t.frame & GROSR_FRAME_WIDE) {
        dev_add_relaxed(&f->sum, t.low + (t.high << 32));
        /* Release: sum, mark, and what the children wrote. Acquire: what all others wrote. Pairs with itself,
         * grosr_frame_add_completions(), where others call it. */
        return dev_add_acq_rel(&f->pending, 0u - t.count) == t.count;
    }
    dev_add_relaxed(&f->high, count + t.high);
    /* Release: mark, and what the children wrote. Acquire: what all others, who call this too, wrote. */
    if (t.mark)
        before = dev_add_acq_rel(&f->low, low); /* pairs with grosr_frame_expect() */
    else
        before = dev_add_acquire(&f->low, low); /* pairs with grosr_frame_expect() */
    return (before + low) >> GROSR_COUNT_SHIFT == 0;
}

/* The parent's part: it has `children`. True: they have all been quick. */
GROSR_DEVICE bool grosr_frame_expect(struct grosr_frame *f, uint32_t children)
{
    uint64_t count = 0 - ((uint64_t)children << GROSR_COUNT_SHIFT);

    dev_add_relaxed(&f->high, count);
    /* Release: how the task resumes. Acquire: what the children wrote. Pairs with
     * grosr_frame_add_completions(). */
    return (dev_add_acq_rel(&f->low, count) + count) >> GROSR_COUNT_SHIFT == 0;
}

/* The parent's part when nobody can have seen a child yet: a child gets out only with the release of a shared
 * ring. */
GROSR_DEVICE void grosr_frame_expect_first(struct grosr_frame *f, uint32_t children)
{
    uint64_t count = 0 - ((uint64_t)children << GROSR_COUNT_SHIFT);

    dev_store_relaxed(&f->high, count);
    dev_store_relaxed(&f->low, count);
}

/* The sum of the children's values in a frame in which nothing is missing, which is made free. */
GROSR_DEVICE uint64_t grosr_frame_sum(struct grosr_frame *f)
{
    const uint64_t mask = (UINT64_C(1) << GROSR_COUNT_SHIFT) - 1;
    uint64_t low = dev_load_relaxed(&f->low), sum = dev_load_relaxed(&f->sum), high;
    uint32_t backoff = 0;

    while ((high = dev_load_relaxed(&f->high)) >> GROSR_COUNT_SHIFT)
        dev_backoff(&backoff); /* a child's addition to `high` is still on its way */
    dev_store_relaxed(&f->low, UINT64_C(0));
    dev_store_relaxed(&f->high, UINT64_C(0));
    dev_store_relaxed(&f->sum, UINT64_C(0));
    dev_store_relaxed(&f->mark, 0u);
    return (low & mask) + sum + (high << 32);
}

struct grosr_frames {
    struct grosr_frame *frame; /* frame[0] is not used */
    struct grosr_share free;   /* with room for all; entries name a frame in `parent` */
    dev32 *fresh;              /* frames of the common half that have been used once; above it: all have */
    uint32_t count;            /* of all */
    uint32_t own;       /* frames that each worker has for itself until it has used them once: the first */
    uint32_t common;    /* frames of no worker: the others */
    uint32_t near_room; /* free ones that a worker keeps in its warp's memory, between batches */
    uint32_t far_room;  /* and in device memory */
    uint32_t *far;      /* GROSR_FREE_FAR a worker */
};

/* A worker's memory as it begins, whatever it held. A collective. */
GROSR_DEVICE void grosr_local_open(struct grosr_local *local, uint32_t frames)
{
    if (dev_lane() == 0) {
        warp_store(&local->bottom, 0);
        warp_store(&local->mid, 0);
        warp_store(&local->top, 0);
        warp_store(&local->numbers, 0);
        warp_store(&local->free_near, 0);
        warp_store(&local->free_far, 0);
        warp_store(&local->fresh_frames, frames);
        local->tasks = local->busy_ns = local->spawned = local->shared = 0;
    }
    dev_syncwarp();
}

GROSR_DEVICE_COLD void grosr_frame_free_shared(struct grosr_share ring, uint32_t frame)
{
    struct grosr_entry e = {};
    e.parent = frame;
    grosr_share_put_lane(ring, e); /* has room for all */
}

/* Gives a frame back; called by any lanes. */
GROSR_DEVICE void grosr_frame_free(const struct grosr_frames *f, struct grosr_local *local, uint32_t worker,
                                   uint32_t frame)
{
    uint32_t i = warp_ticket(&local->free_near);

    if (i < GROSR_FREE_NEAR) {
        local->free_frame[i] = frame;
        return;
    }
    i = warp_load(&local->free_far) + i - GROSR_FREE_NEAR;
    if (i < f->far_room)
        f->far[worker * GROSR_FREE_FAR + i] = frame;
    else
        grosr_frame_free_shared(f->free, frame);
}

/* Puts the last of `n` free frames into the shared ring, at most one a lane; returns how many. A collective.
 */
GROSR_DEVICE uint32_t grosr_frames_share(struct grosr_share ring, const uint32_t *frames, uint32_t n)
{
    struct grosr_entry e = {};
    uint32_t m = n < GROSR_LANES ? n : GROSR_LANES;

    dev_syncwarp();
    if (dev_lane() < m)
        e.parent = frames[n - 1 - dev_lane()];
    return grosr_share_put(ring, m, e);
}

/* Leaves at most `keep` free frames in the warp's memory and at most `far_keep` in the far part, which take
 * what they can of each other's; the rest goes into the ring. A collective. */
GROSR_DEVICE_COLD void grosr_frames_move(struct grosr_frames f, struct grosr_local *local, uint32_t worker,
                                         uint32_t keep, uint32_t far_keep)
{
    uint32_t *far = f.far + worker * GROSR_FREE_FAR;
    uint32_t near = warp_load(&local->free_near), n = warp_load(&local->free_far);

    if (near > GROSR_FREE_NEAR) { /* what is beyond lies in the far part, or in the shared ring */
        n += near - GROSR_FREE_NEAR;
        n = n < f.far_room ? n : f.far_room;
        near = GROSR_FREE_NEAR;
    }
    while (n && n + (near > keep ? near - keep : 0) > far_keep)
        n -= grosr_frames_share(f.free, far, n);
    while (near > keep && near - keep > far_keep - n)
        near -= grosr_frames_share(f.free, local->free_frame, near);
    uint32_t moved = near > keep ? near - keep : 0;
    dev_syncwarp();
    for (uint32_t i = dev_lane(); i < moved; i += GROSR_LANES)
        far[n + i] = local->free_frame[near - moved + i];
    dev_syncwarp();
    if (dev_lane() == 0) {
        warp_store(&local->free_near, near - moved);
        warp_store(&local->free_far, n + moved);
    }
    dev_syncwarp();
}

/* After lanes may have freed frames: makes room in the warp's memory, and in the far part. A collective. */
GROSR_DEVICE void grosr_frames_settle(const struct grosr_frames *f, struct grosr_local *local,
                                      uint32_t worker)
{
    dev_syncwarp();
    if (warp_load(&local->free_near) > f->near_room)
        grosr_frames_move(*f, local, worker, f->near_room / 2, f->far_room);
}

/* Of a worker that idles: where the pools are low, others need what it keeps, but for a batch. A collective.
 */
GROSR_DEVICE void grosr_frames_give_back(const struct grosr_frames *f, struct grosr_local *local,
                                         uint32_t worker)
{
    uint32_t keep = f->near_room < GROSR_LANES ? f->near_room : GROSR_LANES;
    bool fresh = dev_load_relaxed(f->fresh) < f->common;

    if (dev_shfl32(fresh || grosr_share_size(f->free) > f->count / 4, 0))
        return;
    dev_syncwarp();
    if (warp_load(&local->free_near) > keep || warp_load(&local->free_far))
        grosr_frames_move(*f, local, worker, keep, 0);
}

/* The number of the first of at most `max` frames of the common half that have never been used; *count: how
 * many, 0 when all have been. One lane. */
GROSR_DEVICE uint32_t grosr_frames_fresh(const struct grosr_frames *f, uint32_t max, uint32_t *count)
{
    const uint32_t first = f->count - f->common, all = f->common;
    uint32_t used = dev_load_relaxed(f->fresh);

    /* Looked at first, so that the counter does not run on: it passes `all` once a worker, at most. */
    if (used < all)
        used = dev_claim(f->fresh, max);
    *count = used >= all ? 0 : all - used < max ? all - used : max;
    return first + used + 1;
}

/* Fills an empty stack in the warp's memory: from the far part, from the shared ring, or with fresh frames.
 * False: there are none. A collective. */
GROSR_DEVICE_COLD bool grosr_frames_fetch(struct grosr_frames f, struct grosr_local *local, uint32_t worker)
{
    const uint32_t half = GROSR_FREE_NEAR / 2;
    uint32_t n = warp_load(&local->free_far), got, backoff = 0;

    got = n < half ? n : half;
    dev_syncwarp();
    for (uint32_t i = dev_lane(); i < got; i += GROSR_LANES)
        local->free_frame[i] = f.far[worker * GROSR_FREE_FAR + n - got + i];
    n -= got;
    while (!got) {
        bool ring = dev_shfl64(grosr_share_size(f.free), 0) != 0;
        if (ring) {
            struct grosr_taken t = grosr_share_take(f.free, GROSR_LANES);
            got = t.count;
            if (dev_lane() < got)
                local->free_frame[dev_lane()] = t.e.parent;
        }
        if (!got) { /* also when somebody is about to fill the ring's first slot: who may be held up */
            uint32_t first = 0;
            if (dev_lane() == 0)
                first = grosr_frames_fresh(&f, GROSR_LANES, &got);
            first = dev_shfl32(first, 0);
            got = dev_shfl32(got, 0);
            if (dev_lane() < got)
                local->free_frame[dev_lane()] = first + dev_lane();
        }
        if (!got && !ring)
            return false;
        if (!got)
            dev_backoff(&backoff);
    }
    dev_syncwarp();
    if (dev_lane() == 0) {
        warp_store(&local->free_near, got);
        warp_store(&local->free_far, n);
    }
    dev_syncwarp();
    return true;
}

/* A frame for each lane that has none and wants one; 0 when there is none left. A collective. */
GROSR_DEVICE void grosr_frames_refill(const struct grosr_frames *f, struct grosr_local *local,
                                      uint32_t worker, bool wants, uint32_t *frame)
{
    uint32_t want;

    while ((want = dev_ballot(wants && !*frame)) != 0) {
        uint32_t stack = warp_load(&local->free_near);
        uint32_t fresh = warp_load(&local->fresh_frames);
        uint32_t rank = dev_popc32(want & ((1u << dev_lane()) - 1)), n = dev_popc32(want);
        bool mine = want >> dev_lane() & 1;
        uint32_t from_stack = n < stack ? n : stack;
        uint32_t from_fresh = n - from_stack < fresh ? n - from_stack : fresh;
        dev_syncwarp();
        if (mine && rank < from_stack)
            *frame = local->free_frame[stack - 1 - rank];
        else if (mine && rank < from_stack + from_fresh)
            *frame = worker * f->own + fresh - (rank - from_stack);
        dev_syncwarp();
        if (dev_lane() == 0) {
            warp_store(&local->free_near, stack - from_stack);
            warp_store(&local->fresh_frames, fresh - from_fresh);
        }
        dev_syncwarp();
        if (from_stack + from_fresh < n && !grosr_frames_fetch(*f, local, worker))
            return;
    }
}

/* One frame; called by any lanes while none free any. 0: none left. */
GROSR_DEVICE_COLD uint32_t grosr_frame_take(struct grosr_frames f, struct grosr_local *local, uint32_t worker)
{
    struct grosr_entry e = {};
    uint32_t n = warp_add(&local->free_near, ~0u), got, backoff = 0;

    if ((int32_t)n > 0)
        return local->free_frame[n - 1];
    warp_add(&local->free_near, 1);
    n = warp_add(&local->fresh_frames, ~0u);
    if ((int32_t)n > 0)
        return worker * f.own + n;
    warp_add(&local->fresh_frames, 1);
    n = warp_add(&local->free_far, ~0u);
    if ((int32_t)n > 0)
        return f.far[worker * GROSR_FREE_FAR + n - 1];
    warp_add(&local->free_far, 1);
    while (!grosr_share_take_lane(f.free, &e)) {
        bool ring = grosr_share_size(f.free) != 0;
        n = grosr_frames_fresh(&f, 1, &got);
        if (got)
            return n;
        if (!ring)
            return 0;
        dev_backoff(&backoff);
    }
    return e.parent;
}

#endif
