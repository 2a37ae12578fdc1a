/*
 * The porting layer on the host (device.h has the contracts): compiler atomics in place of PTX, pthreads in
 * place of warps. Host-side code that shares words with a device uses the same names from here.
 *
 * GROSR_HOST_LANES is 1 by default: a warp is one thread and collectives are identities. Test builds set 4
 * or 32: each lane is then a thread of its own, and a collective is a barrier among a warp's lanes
 * (device_host.c). A thread that is not part of a warp (the application's) counts as a warp of one lane.
 */
#ifndef GROSR_DEVICE_HOST_H
#define GROSR_DEVICE_HOST_H

#define GROSR_DEVICE_IS_CUDA 0
#ifndef GROSR_HOST_LANES
#define GROSR_HOST_LANES 1
#endif
#define GROSR_LANES       ((uint32_t)GROSR_HOST_LANES)
#define GROSR_LANE_DEPTH  (GROSR_HOST_LANES == 1 ? 16u : 1u)
#define GROSR_DEVICE      static inline __attribute__((unused))
#define GROSR_DEVICE_COLD static __attribute__((noinline, unused))

#define GROSR_HOST_WORD(type, word)                         \
    GROSR_DEVICE word type##_load_relaxed(const type *p)    \
    {                                                       \
        return __atomic_load_n(&p->v, __ATOMIC_RELAXED);    \
    }                                                       \
    GROSR_DEVICE word type##_load_acquire(const type *p)    \
    {                                                       \
        return __atomic_load_n(&p->v, __ATOMIC_ACQUIRE);    \
    }                                                       \
    GROSR_DEVICE void type##_store_relaxed(type *p, word x) \
    {                                                       \
        __atomic_store_n(&p->v, x, __ATOMIC_RELAXED);       \
    }                                                       \
    GROSR_DEVICE void type##_store_release(type *p, word x) \
    {                                                       \
        __atomic_store_n(&p->v, x, __ATOMIC_RELEASE);       \
    }

GROSR_HOST_WORD(dev32, uint32_t)
GROSR_HOST_WORD(dev64, uint64_t)
GROSR_HOST_WORD(sys32, uint32_t)
GROSR_HOST_WORD(sys64, uint64_t)
#undef GROSR_HOST_WORD

#define GROSR_SELECT(family, op, p)                \
    _Generic((p), family##32 *                     \
             : family##32_##op, const family##32 * \
             : family##32_##op, family##64 *       \
             : family##64_##op, const family##64 * \
             : family##64_##op)

#define dev_load_relaxed(p)     GROSR_SELECT(dev, load_relaxed, p)(p)
#define dev_load_acquire(p)     GROSR_SELECT(dev, load_acquire, p)(p)
#define dev_store_relaxed(p, x) GROSR_SELECT(dev, store_relaxed, p)(p, x)
#define dev_store_release(p, x) GROSR_SELECT(dev, store_release, p)(p, x)
#define sys_load_relaxed(p)     GROSR_SELECT(sys, load_relaxed, p)(p)
#define sys_load_acquire(p)     GROSR_SELECT(sys, load_acquire, p)(p)
#define sys_store_relaxed(p, x) GROSR_SELECT(sys, store_relaxed, p)(p, x)
#define sys_store_release(p, x) GROSR_SELECT(sys, store_release, p)(p, x)

GROSR_DEVICE uint32_t dev_cas_acquire(dev32 *p, uint32_t expected, uint32_t wanted)
{
    __atomic_compare_exchange_n(&p->v, &expected, wanted, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
    return expected;
}

/* For the host's own threads. */
GROSR_DEVICE uint32_t dev_add_acq_rel(dev32 *p, uint32_t x)
{
    return __atomic_fetch_add(&p->v, x, __ATOMIC_ACQ_REL);
}

GROSR_DEVICE struct grosr_pair sys_load_pair_relaxed(const sys128 *p)
{
    struct grosr_pair x;
    x.lo = __atomic_load_n(&p->lo, __ATOMIC_RELAXED);
    x.hi = __atomic_load_n(&p->hi, __ATOMIC_RELAXED);
    return x;
}

/* lo first, with acquire: a reader that finds the new lo finds the hi that was stored before it. */
GROSR_DEVICE struct grosr_pair sys_load_pair_acquire(const sys128 *p)
{
    struct grosr_pair x;
    x.lo = __atomic_load_n(&p->lo, __ATOMIC_ACQUIRE);
    x.hi = __atomic_load_n(&p->hi, __ATOMIC_RELAXED);
    return x;
}

GROSR_DEVICE void sys_store_pair_relaxed(sys128 *p, uint64_t lo, uint64_t hi)
{
    __atomic_store_n(&p->hi, hi, __ATOMIC_RELAXED);
    __atomic_store_n(&p->lo, lo, __ATOMIC_RELAXED);
}

GROSR_DEVICE void sys_store_pair_release(sys128 *p, uint64_t lo, uint64_t hi)
{
    __atomic_store_n(&p->hi, hi, __ATOMIC_RELAXED);
    __atomic_store_n(&p->lo, lo, __ATOMIC_RELEASE);
}

#if GROSR_HOST_LANES > 1
uint32_t dev_lane(void);
uint32_t dev_ballot(bool flag);
uint64_t dev_shfl64(uint64_t x, uint32_t lane);
void dev_syncwarp(void);
#else
GROSR_DEVICE uint32_t dev_lane(void)
{
    return 0;
}

GROSR_DEVICE uint32_t dev_ballot(bool flag)
{
    return flag;
}

GROSR_DEVICE uint64_t dev_shfl64(uint64_t x, uint32_t lane)
{
    (void)lane;
    return x;
}

GROSR_DEVICE void dev_syncwarp(void)
{
}
#endif

GROSR_DEVICE uint32_t dev_shfl32(uint32_t x, uint32_t lane)
{
    return (uint32_t)dev_shfl64(x, lane);
}

GROSR_DEVICE uint32_t dev_popc32(uint32_t m)
{
    return (uint32_t)__builtin_popcount(m);
}

GROSR_DEVICE uint32_t dev_ffs32(uint32_t m)
{
    return (uint32_t)__builtin_ffs((int)m);
}

/*
 * The host device's clock: CLOCK_MONOTONIC, or a seeded counter while a virtual clock is set (golden traces).
 */
uint64_t dev_clock_ns(void);

/* From now on dev_clock_ns() returns start_ns, start_ns + step_ns, ... in the order of its calls; step_ns 0
 * returns to the real clock. For tests; not while warps run. */
void dev_clock_set_virtual(uint64_t start_ns, uint64_t step_ns);

/* Yields 64 times, then sleeps 20 us, doubling to 640 us. Spinning with `pause` was measured 1,800 times
 * slower on two cores. */
void dev_backoff(uint32_t *step);

GROSR_DEVICE void dev_poll_pause(uint32_t *step)
{
    dev_backoff(step);
}

GROSR_DEVICE bool dev_backoff_is_deep(uint32_t step)
{
    return step >= 64;
}

/* The SM that the calling warp stands for; set at its start. */
uint32_t dev_sm(void);

/* Test points. The hook runs on the thread that reaches the point and may hold it there. NULL: none. Set it
 * while no warp runs. */
typedef void (*dev_point_hook)(const char *name);
extern dev_point_hook dev_point_hook_fn;

GROSR_DEVICE void dev_point(const char *name)
{
    if (__builtin_expect(dev_point_hook_fn != NULL, 0))
        dev_point_hook_fn(name);
}

/*
 * Runs warps as threads. entry(arg, warp) runs once in every lane of every warp, 0 .. warps-1, all at once.
 */
typedef void (*dev_warp_entry)(void *arg, uint32_t warp);
struct dev_host_grid;

/*
 * Starts `warps` warps, warp w standing for SM w / warps_per_sm. 0 or negative errno; on failure none runs.
 */
int dev_host_launch(struct dev_host_grid **grid, uint32_t warps, uint32_t warps_per_sm, dev_warp_entry entry,
                    void *arg);

/* Lanes still running; 0 when the whole grid has returned. Any thread. */
uint32_t dev_host_running(struct dev_host_grid *grid);

/* Waits for every lane and frees the grid. */
void dev_host_join(struct dev_host_grid *grid);

#endif
