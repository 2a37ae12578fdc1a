/*
 * Bounded waits: loops that know what they wait for. A part of grosr_trace.h.
 *
 *     struct pipe { struct grosr_lock lock; uint32_t full; ... };     zero at first, in device memory
 *
 *     grosr_lock_acquire(&t, GROSR_BY_WARP, LEDGER, 0, &pipe->lock);
 *     ...
 *     grosr_lock_release(&t, GROSR_BY_WARP, LEDGER, 0, &pipe->lock);
 *     grosr_wait_word32(&t, GROSR_BY_WARP, SLOT_FULL, i, &pipe->full, GROSR_EQUAL, turn);
 *
 * Each call is a loop around a load and a compare, which ends when what is waited for is there. While the
 * wait is short, that is all. When it has lasted for options.wait_report_ns (10 ms unless that is set), it is
 * reported, from level `counters` on: as by grosr_wait_begin(name, which), since its beginning, and with
 * where it looks, what it wants, what it sees, and who holds the lock or is missing at the barrier. So `grosr
 * top` and `grosr diagnose` tell of a kernel that hangs, and of a segment that it left, why. When it has
 * lasted for options.wait_timeout_ns, the kernel does what options.wait_action says: it waits on
 * (GROSR_WAIT_CONTINUE), the call returns GROSR_WAIT_TIMED_OUT (GROSR_WAIT_FAIL), or the kernel traps
 * (GROSR_WAIT_TRAP), after a report. These can be changed while it runs. The loops also do what grosr_poll()
 * does.
 *
 * `by` is GROSR_BY_WARP in code that a warp's lanes run together, with a recorder declared by
 * GROSR_TRACE_WARP: the warp waits as one, and one lane looks; or GROSR_BY_THREAD, with GROSR_TRACE_THREAD:
 * each thread for itself. `name` and `which` are those of grosr_wait_begin(). Times are right to some polls.
 *
 * The calls return GROSR_WAIT_DONE, which is 0; or GROSR_WAIT_TIMED_OUT or GROSR_WAIT_STOPPED, and then what
 * was waited for is not there: the lock is not held; the arrival at a barrier stays counted, so that the
 * barrier cannot be used any more. What was stored with release before it became so can be read afterwards,
 * by all lanes that waited.
 *
 * Compiled out (GROSR_TRACE_DISABLED) they are plain loops, and return GROSR_WAIT_DONE. `t`, `name` and
 * `which` are not evaluated then.
 */
#ifndef GROSR_TRACE_WAIT_LOOPS_H
#define GROSR_TRACE_WAIT_LOOPS_H

#include "trace_wait.h"

/* ---- one poll; by the lead, but for mbarriers ---- */

GROSR_DEVICE bool grosr_word_suits(uint32_t until, uint64_t seen, uint64_t wanted)
{
    return until == GROSR_EQUAL ? seen == wanted : until == GROSR_NOT_EQUAL ? seen != wanted : seen >= wanted;
}

GROSR_DEVICE uint64_t grosr_word_load(const struct grosr_wait_target *on)
{
    if (on->system && on->wide)
        return sys_load_acquire((const sys64 *)on->at); /* pairs with grosr_store_system64() */
    if (on->system)
        return sys_load_acquire((const sys32 *)on->at); /* pairs with grosr_store_system32() */
    if (on->wide)
        return dev_load_acquire((const dev64 *)on->at); /* pairs with grosr_store64() */
    return dev_load_acquire((const dev32 *)on->at);     /* pairs with grosr_store32() */
}

/* ---- the loops ---- */

GROSR_DEVICE int grosr_wait_word(struct grosr_tracer *t, uint32_t by, const struct grosr_wait_target *on)
{
    struct grosr_wait_loop w = {0, 0, false};

    for (;;) {
        uint64_t seen = 0;
        int result;
        if (grosr_wait_leads(by))
            seen = grosr_word_load(on);
        bool there = grosr_wait_leads(by) && grosr_word_suits(on->until, seen, on->wanted);
        if (by == GROSR_BY_THREAD ? there : dev_ballot(there) != 0)
            return grosr_wait_over(t, by, &w, GROSR_WAIT_DONE);
        if ((result = grosr_wait_step(t, by, on, &w, seen)))
            return grosr_wait_over(t, by, &w, result);
    }
}

/*
 * Until the word at p, in global memory, which the GPU's threads write, is what it has to be: GROSR_EQUAL to
 * `wanted`, GROSR_NOT_EQUAL to it, or GROSR_AT_LEAST that much, compared without sign. It should stay so
 * until whoever waited for it goes on. Whoever writes it does so with release: by grosr_store32(),
 * cuda::atomic_ref, ...
 */
GROSR_DEVICE int grosr_wait_word32(struct grosr_tracer *t, uint32_t by, uint32_t name, uint32_t which,
                                   const uint32_t *p, uint32_t until, uint32_t wanted)
{
    struct grosr_wait_target on = {GROSR_WAIT_WORD,      until,  false, false, name, which,
                                   (void *)(uintptr_t)p, wanted, 0};
    return grosr_wait_word(t, by, &on);
}

GROSR_DEVICE int grosr_wait_word64(struct grosr_tracer *t, uint32_t by, uint32_t name, uint32_t which,
                                   const uint64_t *p, uint32_t until, uint64_t wanted)
{
    struct grosr_wait_target on = {GROSR_WAIT_WORD,      until,  true, false, name, which,
                                   (void *)(uintptr_t)p, wanted, 0};
    return grosr_wait_word(t, by, &on);
}

/* Of a word that the CPU, or another GPU, writes. */
GROSR_DEVICE int grosr_wait_system32(struct grosr_tracer *t, uint32_t by, uint32_t name, uint32_t which,
                                     const uint32_t *p, uint32_t until, uint32_t wanted)
{
    struct grosr_wait_target on = {GROSR_WAIT_WORD,      until,  false, true, name, which,
                                   (void *)(uintptr_t)p, wanted, 0};
    return grosr_wait_word(t, by, &on);
}

GROSR_DEVICE int grosr_wait_system64(struct grosr_tracer *t, uint32_t by, uint32_t name, uint32_t which,
                                     const uint64_t *p, uint32_t until, uint64_t wanted)
{
    struct grosr_wait_target on = {GROSR_WAIT_WORD,      until,  true, true, name, which,
                                   (void *)(uintptr_t)p, wanted, 0};
    return grosr_wait_word(t, by, &on);
}

/* The other half, with release: by one thread, of what it did before, or of what its warp did before it met.
 */
GROSR_DEVICE void grosr_store32(uint32_t *at, uint32_t x)
{
    dev_store_release((dev32 *)at, x); /* pairs with grosr_word_load() */
}

GROSR_DEVICE void grosr_store64(uint64_t *at, uint64_t x)
{
    dev_store_release((dev64 *)at, x); /* pairs with grosr_word_load() */
}

GROSR_DEVICE void grosr_store_system32(uint32_t *at, uint32_t x)
{
    sys_store_release((sys32 *)at, x); /* pairs with grosr_word_load() */
}

GROSR_DEVICE void grosr_store_system64(uint64_t *at, uint64_t x)
{
    sys_store_release((sys64 *)at, x); /* pairs with grosr_word_load() */
}

#if GROSR_DEVICE_HAS_MBARRIER
/* Until the mbarrier, in shared memory, has completed its phase of that parity, as by
 * mbarrier.try_wait.parity. All lanes of a warp look. On the host device it is a word that counts completed
 * phases. */
GROSR_DEVICE int grosr_wait_mbarrier(struct grosr_tracer *t, uint32_t by, uint32_t name, uint32_t which,
                                     const uint64_t *mbarrier, uint32_t parity)
{
    struct grosr_wait_target on = {GROSR_WAIT_MBARRIER,         0,      false, false, name, which,
                                   (void *)(uintptr_t)mbarrier, parity, 0};
    struct grosr_wait_loop w = {0, 0, false};

    for (;;) {
        bool there = dev_mbarrier_try(mbarrier, parity);
        int result;
        if (by == GROSR_BY_THREAD ? there : dev_ballot(!there) == 0)
            return grosr_wait_over(t, by, &w, GROSR_WAIT_DONE);
        if ((result = grosr_wait_step(t, by, &on, &w, 0)))
            return grosr_wait_over(t, by, &w, result);
    }
}
#endif

/* Takes the lock; the trace has a hold of it then. */
GROSR_DEVICE int grosr_lock_acquire(struct grosr_tracer *t, uint32_t by, uint32_t name, uint32_t which,
                                    struct grosr_lock *lock)
{
    struct grosr_wait_target on = {GROSR_WAIT_LOCK, 0, true, false, name, which, lock, 0, 0};
    struct grosr_wait_loop w = {0, 0, false};

    for (;;) {
        uint64_t seen = 0;
        bool mine = false;
        int result;
        if (grosr_wait_leads(by)) {
            seen = dev_load_relaxed(&lock->word);
            /* Pairs with grosr_lock_release(). */
            mine = !seen && !(seen = dev_cas_acquire(&lock->word, UINT64_C(0), grosr_lock_mark(t)));
        }
        if (by == GROSR_BY_THREAD ? mine : dev_ballot(mine) != 0) {
            result = grosr_wait_over(t, by, &w, GROSR_WAIT_DONE);
            grosr_lock_held(t, GROSR_EV_HOLD, name, which);
            return result;
        }
        if ((result = grosr_wait_step(t, by, &on, &w, seen)))
            return grosr_wait_over(t, by, &w, result);
    }
}

GROSR_DEVICE void grosr_lock_release(struct grosr_tracer *t, uint32_t by, uint32_t name, uint32_t which,
                                     struct grosr_lock *lock)
{
    grosr_lock_held(t, GROSR_EV_RELEASE, name, which);
    if (by == GROSR_BY_WARP)
        dev_syncwarp(); /* what all lanes did under it */
    if (grosr_wait_leads(by))
        dev_store_release(&lock->word, UINT64_C(0)); /* pairs with grosr_lock_acquire() */
}

/*
 * Arrives at the barrier and waits until `expected` have: as many warps, or threads, as call this, each once
 * in a phase. All of them have to be on the GPU at once. What any did before, all can read afterwards.
 */
GROSR_DEVICE int grosr_barrier_wait(struct grosr_tracer *t, uint32_t by, uint32_t name, uint32_t which,
                                    struct grosr_barrier *barrier, uint32_t expected)
{
    struct grosr_wait_target on = {GROSR_WAIT_BARRIER, 0, true, false, name, which, barrier, expected, 0};
    struct grosr_wait_loop w = {0, 0, false};

    if (by == GROSR_BY_WARP)
        dev_syncwarp(); /* what all lanes did before */
    if (grosr_wait_leads(by)) {
        uint64_t word = dev_add_acq_rel(&barrier->word, UINT64_C(1)); /* pairs with grosr_barrier_wait() */
        on.phase = (uint32_t)(word >> 32);
        grosr_barrier_mark(t, barrier, on.phase);
        if ((uint32_t)word + 1 >= expected)
            dev_store_release(&barrier->word, (uint64_t)(on.phase + 1) << 32); /* pairs with the load below */
    }
    for (;;) {
        uint64_t seen = 0;
        bool over = false;
        int result;
        if (grosr_wait_leads(by)) {
            seen = dev_load_acquire(&barrier->word); /* pairs with the store above */
            over = (uint32_t)(seen >> 32) != on.phase;
        }
        if (by == GROSR_BY_THREAD ? over : dev_ballot(over) != 0)
            return grosr_wait_over(t, by, &w, GROSR_WAIT_DONE);
        if ((result = grosr_wait_step(t, by, &on, &w, seen)))
            return grosr_wait_over(t, by, &w, result);
    }
}

#ifdef GROSR_TRACE_DISABLED
#define GROSR_WAIT_UNTRACED(name, which) ((void)sizeof(name), (void)sizeof(which))
#define grosr_wait_word32(t, by, name, which, p, until, wanted) \
    (GROSR_WAIT_UNTRACED(name, which), grosr_wait_word32(NULL, by, 0, 0, p, until, wanted))
#define grosr_wait_word64(t, by, name, which, p, until, wanted) \
    (GROSR_WAIT_UNTRACED(name, which), grosr_wait_word64(NULL, by, 0, 0, p, until, wanted))
#define grosr_wait_system32(t, by, name, which, p, until, wanted) \
    (GROSR_WAIT_UNTRACED(name, which), grosr_wait_system32(NULL, by, 0, 0, p, until, wanted))
#define grosr_wait_system64(t, by, name, which, p, until, wanted) \
    (GROSR_WAIT_UNTRACED(name, which), grosr_wait_system64(NULL, by, 0, 0, p, until, wanted))
#define grosr_wait_mbarrier(t, by, name, which, mbarrier, parity) \
    (GROSR_WAIT_UNTRACED(name, which), grosr_wait_mbarrier(NULL, by, 0, 0, mbarrier, parity))
#define grosr_lock_acquire(t, by, name, which, lock) \
    (GROSR_WAIT_UNTRACED(name, which), grosr_lock_acquire(NULL, by, 0, 0, lock))
#define grosr_lock_release(t, by, name, which, lock) \
    (GROSR_WAIT_UNTRACED(name, which), grosr_lock_release(NULL, by, 0, 0, lock))
#define grosr_barrier_wait(t, by, name, which, barrier, expected) \
    (GROSR_WAIT_UNTRACED(name, which), grosr_barrier_wait(NULL, by, 0, 0, barrier, expected))
#endif

#endif
