/*
 * The porting layer on the host (device.h has the contracts): compiler atomics in place of PTX, pthreads in
 * place of warps. Host-side code that shares words with a device uses the same names from here.
 *
 * GROSR_HOST_LANES is 1 by default: a warp is one thread and collectives are identities. Test builds set 4
 * or 32: each lane is then a context of its own on the warp's thread, and a collective is a barrier among
 * them (device_host.c). A thread that is not part of a warp (the application's) counts as a warp of one lane.
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
#define GROSR_DEVICE_NO_UNROLL

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

#define GROSR_HOST_ATOMICS(type, word, order, success, failure)                         \
    GROSR_DEVICE word type##_cas_##order(type *p, word expected, word wanted)           \
    {                                                                                   \
        __atomic_compare_exchange_n(&p->v, &expected, wanted, false, success, failure); \
        return expected;                                                                \
    }                                                                                   \
    GROSR_DEVICE word type##_add_##order(type *p, word x)                               \
    {                                                                                   \
        return __atomic_fetch_add(&p->v, x, success);                                   \
    }

GROSR_HOST_ATOMICS(dev32, uint32_t, relaxed, __ATOMIC_RELAXED, __ATOMIC_RELAXED)
GROSR_HOST_ATOMICS(dev64, uint64_t, relaxed, __ATOMIC_RELAXED, __ATOMIC_RELAXED)
GROSR_HOST_ATOMICS(dev32, uint32_t, acquire, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)
GROSR_HOST_ATOMICS(dev64, uint64_t, acquire, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED)
GROSR_HOST_ATOMICS(dev32, uint32_t, acq_rel, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)
GROSR_HOST_ATOMICS(dev64, uint64_t, acq_rel, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)
GROSR_HOST_ATOMICS(dev32, uint32_t, release, __ATOMIC_RELEASE, __ATOMIC_RELAXED)
GROSR_HOST_ATOMICS(dev64, uint64_t, release, __ATOMIC_RELEASE, __ATOMIC_RELAXED)
#undef GROSR_HOST_ATOMICS

GROSR_DEVICE uint64_t dev_or_relaxed(dev64 *p, uint64_t x)
{
    return __atomic_fetch_or(&p->v, x, __ATOMIC_RELAXED);
}

GROSR_DEVICE uint64_t dev_and_relaxed(dev64 *p, uint64_t x)
{
    return __atomic_fetch_and(&p->v, x, __ATOMIC_RELAXED);
}

GROSR_DEVICE uint64_t dev_and_release(dev64 *p, uint64_t x)
{
    return __atomic_fetch_and(&p->v, x, __ATOMIC_ACQ_REL);
}

GROSR_DEVICE uint64_t dev_or_dependent(dev64 *p, uint64_t x)
{
    return __atomic_fetch_or(&p->v, x, __ATOMIC_ACQ_REL);
}

GROSR_DEVICE uint64_t dev_and_dependent(dev64 *p, uint64_t x)
{
    return __atomic_fetch_and(&p->v, x, __ATOMIC_ACQ_REL);
}

GROSR_DEVICE void dev_count(dev64 *p, uint64_t x)
{
    __atomic_fetch_add(&p->v, x, __ATOMIC_RELAXED);
}

GROSR_DEVICE uint64_t dev_or_acquire(dev64 *p, uint64_t x)
{
    return __atomic_fetch_or(&p->v, x, __ATOMIC_ACQUIRE);
}

#ifdef __cplusplus /* which has overloads in place of _Generic */

#define GROSR_HOST_OVERLOADS(family, type, word)              \
    GROSR_DEVICE word family##_load_relaxed(const type *p)    \
    {                                                         \
        return type##_load_relaxed(p);                        \
    }                                                         \
    GROSR_DEVICE word family##_load_acquire(const type *p)    \
    {                                                         \
        return type##_load_acquire(p);                        \
    }                                                         \
    GROSR_DEVICE void family##_store_relaxed(type *p, word x) \
    {                                                         \
        type##_store_relaxed(p, x);                           \
    }                                                         \
    GROSR_DEVICE void family##_store_release(type *p, word x) \
    {                                                         \
        type##_store_release(p, x);                           \
    }

#define GROSR_HOST_OVERLOADS_DEV(type, word, order)                        \
    GROSR_DEVICE word dev_cas_##order(type *p, word expected, word wanted) \
    {                                                                      \
        return type##_cas_##order(p, expected, wanted);                    \
    }                                                                      \
    GROSR_DEVICE word dev_add_##order(type *p, word x)                     \
    {                                                                      \
        return type##_add_##order(p, x);                                   \
    }

GROSR_HOST_OVERLOADS(dev, dev32, uint32_t)
GROSR_HOST_OVERLOADS(dev, dev64, uint64_t)
GROSR_HOST_OVERLOADS(sys, sys32, uint32_t)
GROSR_HOST_OVERLOADS(sys, sys64, uint64_t)
GROSR_HOST_OVERLOADS_DEV(dev32, uint32_t, relaxed)
GROSR_HOST_OVERLOADS_DEV(dev64, uint64_t, relaxed)
GROSR_HOST_OVERLOADS_DEV(dev32, uint32_t, acquire)
GROSR_HOST_OVERLOADS_DEV(dev64, uint64_t, acquire)
GROSR_HOST_OVERLOADS_DEV(dev32, uint32_t, acq_rel)
GROSR_HOST_OVERLOADS_DEV(dev64, uint64_t, acq_rel)
GROSR_HOST_OVERLOADS_DEV(dev32, uint32_t, release)
GROSR_HOST_OVERLOADS_DEV(dev64, uint64_t, release)
#undef GROSR_HOST_OVERLOADS
#undef GROSR_HOST_OVERLOADS_DEV

#else

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

#define GROSR_SELECT_DEV(op, p) _Generic((p), dev32 * : dev32_##op, dev64 * : dev64_##op)

#define dev_cas_relaxed(p, expected, wanted) GROSR_SELECT_DEV(cas_relaxed, p)(p, expected, wanted)
#define dev_cas_acquire(p, expected, wanted) GROSR_SELECT_DEV(cas_acquire, p)(p, expected, wanted)
#define dev_cas_acq_rel(p, expected, wanted) GROSR_SELECT_DEV(cas_acq_rel, p)(p, expected, wanted)
#define dev_add_relaxed(p, x)                GROSR_SELECT_DEV(add_relaxed, p)(p, x)
#define dev_add_acquire(p, x)                GROSR_SELECT_DEV(add_acquire, p)(p, x)
#define dev_add_acq_rel(p, x)                GROSR_SELECT_DEV(add_acq_rel, p)(p, x)
#define dev_add_release(p, x)                GROSR_SELECT_DEV(add_release, p)(p, x)

#endif

#define dev_add_dependent(p, x)                dev_add_acq_rel(p, x)
#define dev_cas_dependent(p, expected, wanted) dev_cas_acq_rel(p, expected, wanted)

GROSR_DEVICE struct grosr_quad dev_load_quad_relaxed(const dev256 *p)
{
    struct grosr_quad q;
    for (int i = 0; i < 4; i++)
        q.w[i] = __atomic_load_n(&p->w[i], __ATOMIC_RELAXED);
    return q;
}

/* w[0] first, with acquire: a reader that finds the new w[0] finds what was stored before it. */
GROSR_DEVICE struct grosr_quad dev_load_quad_acquire(const dev256 *p)
{
    struct grosr_quad q;
    q.w[0] = __atomic_load_n(&p->w[0], __ATOMIC_ACQUIRE);
    for (int i = 1; i < 4; i++)
        q.w[i] = __atomic_load_n(&p->w[i], __ATOMIC_RELAXED);
    return q;
}

GROSR_DEVICE void dev_store_quad_release(dev256 *p, struct grosr_quad q)
{
    for (int i = 1; i < 4; i++)
        __atomic_store_n(&p->w[i], q.w[i], __ATOMIC_RELAXED);
    __atomic_store_n(&p->w[0], q.w[0], __ATOMIC_RELEASE);
}

GROSR_DEVICE uint64_t dev_cas_ahead(dev64 *p, uint64_t expected, uint64_t wanted)
{
    return dev_cas_relaxed(p, expected, wanted);
}

GROSR_DEVICE void dev_store_quad_behind(dev256 *p, struct grosr_quad q)
{
    dev_store_quad_release(p, q);
}

GROSR_DEVICE uint32_t warp_load(const warp32 *p)
{
    return __atomic_load_n(&p->v, __ATOMIC_RELAXED);
}

GROSR_DEVICE void warp_store(warp32 *p, uint32_t x)
{
    __atomic_store_n(&p->v, x, __ATOMIC_RELAXED);
}

GROSR_DEVICE uint32_t warp_add(warp32 *p, uint32_t x)
{
    return __atomic_fetch_add(&p->v, x, __ATOMIC_RELAXED);
}

GROSR_DEVICE uint32_t warp_ticket(warp32 *p)
{
    return warp_add(p, 1);
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

GROSR_DEVICE void sys_store_pair_if(sys128 *p, bool flag, uint64_t lo, uint64_t hi)
{
    if (flag)
        sys_store_pair_relaxed(p, lo, hi);
}

GROSR_DEVICE void dev_store_if(dev64 *p, bool flag, uint64_t x)
{
    if (flag)
        dev64_store_relaxed(p, x);
}

GROSR_DEVICE sys128 *sys_append_pair_if(sys128 *p, bool flag, uint64_t lo, uint64_t hi)
{
    sys_store_pair_if(p, flag, lo, hi);
    return p + 1;
}

#ifdef __cplusplus
extern "C" {
#endif

#if GROSR_HOST_LANES > 1
uint32_t dev_lane(void);
uint32_t dev_ballot(bool flag);
uint64_t dev_shfl64(uint64_t x, uint32_t lane);
uint64_t dev_sum64(uint64_t x);
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

GROSR_DEVICE uint64_t dev_sum64(uint64_t x)
{
    return x;
}

GROSR_DEVICE void dev_syncwarp(void)
{
}
#endif

GROSR_DEVICE bool dev_uniform(bool flag)
{
    return flag;
}

GROSR_DEVICE uint32_t dev_shfl32(uint32_t x, uint32_t lane)
{
    return (uint32_t)dev_shfl64(x, lane);
}

struct grosr_group {
    uint32_t rank, size;
};

/* Of one lane. Lanes that are threads of their own do not happen to be anywhere together. */
GROSR_DEVICE struct grosr_group dev_group(uint32_t key)
{
    struct grosr_group g = {0, 1};
    (void)key;
    return g;
}

GROSR_DEVICE bool dev_group_leads(struct grosr_group g)
{
    return g.rank == 0;
}

GROSR_DEVICE uint32_t dev_group_shfl32(struct grosr_group g, uint32_t x)
{
    (void)g;
    return x;
}

GROSR_DEVICE uint64_t dev_group_shfl64(struct grosr_group g, uint64_t x)
{
    (void)g;
    return x;
}

GROSR_DEVICE uint32_t dev_group_sum32(struct grosr_group g, uint32_t x)
{
    (void)g;
    return x;
}

GROSR_DEVICE uint64_t dev_group_or64(struct grosr_group g, uint64_t x)
{
    (void)g;
    return x;
}

GROSR_DEVICE void dev_group_meet(struct grosr_group g)
{
    (void)g;
}

GROSR_DEVICE uint32_t dev_popc64(uint64_t m)
{
    return (uint32_t)__builtin_popcountll(m);
}

GROSR_DEVICE uint32_t dev_fls64(uint64_t m)
{
    return m ? 64u - (uint32_t)__builtin_clzll(m) : 0;
}

#define GROSR_MASK_WARP ((uint32_t)((UINT64_C(1) << GROSR_LANES) - 1))

GROSR_DEVICE uint32_t dev_mask(void)
{
    return 1u << dev_lane();
}

/* A mask is of one lane, or of the warp. */
GROSR_DEVICE uint32_t dev_mask_ballot(uint32_t mask, bool flag)
{
    return mask & (mask - 1) ? dev_ballot(flag) : flag ? mask : 0;
}

GROSR_DEVICE uint64_t dev_mask_shfl64(uint32_t mask, uint64_t x, uint32_t lane)
{
    return mask & (mask - 1) ? dev_shfl64(x, lane) : x;
}

GROSR_DEVICE void dev_mask_sync(uint32_t mask)
{
    if (mask & (mask - 1))
        dev_syncwarp();
}

GROSR_DEVICE void dev_copy_part(void *to, const void *from, uint64_t bytes, uint32_t part, uint32_t parts)
{
    uint64_t each = bytes / parts, first = each * part;

    memcpy((unsigned char *)to + first, (const unsigned char *)from + first,
           part + 1 == parts ? bytes - first : each);
}

GROSR_DEVICE void sys_copy_out(void *at, const void *from, uint32_t bytes, uint32_t part, uint32_t parts)
{
    dev_copy_part(at, from, bytes, part, parts);
}

GROSR_DEVICE void sys_copy_in(void *to, const void *at, uint32_t bytes, uint32_t part, uint32_t parts)
{
    dev_copy_part(to, at, bytes, part, parts);
}

GROSR_DEVICE uint32_t dev_popc32(uint32_t m)
{
    return (uint32_t)__builtin_popcount(m);
}

GROSR_DEVICE uint32_t dev_ffs32(uint32_t m)
{
    return (uint32_t)__builtin_ffs((int)m);
}

GROSR_DEVICE uint32_t dev_ffs64(uint64_t m)
{
    return (uint32_t)__builtin_ffsll((long long)m);
}

GROSR_DEVICE uint32_t dev_fls32(uint32_t m)
{
    return m ? 32u - (uint32_t)__builtin_clz(m) : 0;
}

/*
 * The host device's clock: CLOCK_MONOTONIC, or what a skew makes of it, or a seeded counter while a virtual
 * clock is set (golden traces).
 */
uint64_t dev_clock_ns(void);

GROSR_DEVICE uint32_t dev_clock_low_ns(void)
{
    return (uint32_t)dev_clock_ns();
}

/*
 * A device clock unlike the host's, of which the truth is known: at host time h (CLOCK_MONOTONIC, ns) it
 * shows
 *
 *     h + offset_ns + h * drift_ppb / 10^9, and jump_ns more from h = jump_at_ns on
 *
 * rounded, which for h > 0 never goes back if drift_ppb > -10^9. A session opened while a skew is set is
 * calibrated as on a GPU.
 */
struct dev_clock_skew {
    int64_t offset_ns, drift_ppb;
    uint64_t jump_at_ns;
    int64_t jump_ns;
};

/* From now on the host device's clock is skewed so; NULL: not. Not while warps run. */
void dev_clock_set_skew(const struct dev_clock_skew *skew);
bool dev_clock_is_skewed(void);

/* What the host device's clock shows at a host time, virtual clocks aside. */
uint64_t dev_clock_at(uint64_t host_ns);

/* From now on dev_clock_ns() returns start_ns, start_ns + step_ns, ... in the order of its calls; step_ns 0
 * returns to the real clock. For tests; not while warps run. */
void dev_clock_set_virtual(uint64_t start_ns, uint64_t step_ns);

/* Yields 64 times, then sleeps 20 us, doubling to 640 us, and 2.56 ms once it has waited for 80 ms: idle
 * workers of many sessions share few cores. Spinning with `pause` was measured 1,800 times slower on two
 * cores. */
void dev_backoff(uint32_t *step);

GROSR_DEVICE void dev_poll_pause(uint32_t *step)
{
    dev_backoff(step);
}

GROSR_DEVICE bool dev_backoff_is_deep(uint32_t step)
{
    return step >= 64;
}

void dev_trap(void) __attribute__((noreturn));

#define GROSR_DEVICE_HAS_MBARRIER 1

GROSR_DEVICE bool dev_mbarrier_try(const uint64_t *p, uint32_t parity)
{
    return (__atomic_load_n(p, __ATOMIC_ACQUIRE) & 1) != parity;
}

GROSR_DEVICE uint64_t dev_mbarrier_address(const uint64_t *p)
{
    return (uint64_t)(uintptr_t)p;
}

/* The SM that the calling warp stands for; set at its start. */
uint32_t dev_sm(void);

uint32_t dev_spread(void);

/* Test points. The hook runs on the thread that reaches the point and may hold it there. NULL: none. Set it
 * while no warp runs. */
typedef void (*dev_point_hook)(const char *name);
extern dev_point_hook dev_point_hook_fn;
void dev_point_reach(const char *name);

GROSR_DEVICE void dev_point(const char *name)
{
    if (__builtin_expect(dev_point_hook_fn != NULL, 0))
        dev_point_reach(name);
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

#ifdef __cplusplus
}
#endif

#endif
