/*
 * The porting layer on CUDA (device.h has the contracts). PTX memory-model instructions, sm_70 and later:
 * .gpu scope for dev words, .sys for sys words. Every statement is volatile with a memory clobber: a polling
 * load is never hoisted, and the compiler keeps program order around each access.
 */
#ifndef GROSR_DEVICE_CUDA_H
#define GROSR_DEVICE_CUDA_H

#define GROSR_DEVICE_IS_CUDA   1
#define GROSR_LANES            32u
#define GROSR_LANE_DEPTH       1u
#define GROSR_DEVICE           static __device__ __forceinline__
#define GROSR_DEVICE_COLD      static __device__ __noinline__
#define GROSR_DEVICE_NO_UNROLL _Pragma("unroll 1")

#define GROSR_PTX_WORD(family, type, word, bits, reg, scope)                                              \
    GROSR_DEVICE word family##_load_relaxed(const type *p)                                                \
    {                                                                                                     \
        word x;                                                                                           \
        asm volatile("ld.relaxed." scope ".global.u" bits " %0, [%1];" : "=" reg(x) : "l"(p) : "memory"); \
        return x;                                                                                         \
    }                                                                                                     \
    GROSR_DEVICE word family##_load_acquire(const type *p)                                                \
    {                                                                                                     \
        word x;                                                                                           \
        asm volatile("ld.acquire." scope ".global.u" bits " %0, [%1];" : "=" reg(x) : "l"(p) : "memory"); \
        return x;                                                                                         \
    }                                                                                                     \
    GROSR_DEVICE void family##_store_relaxed(type *p, word x)                                             \
    {                                                                                                     \
        asm volatile("st.relaxed." scope ".global.u" bits " [%0], %1;" ::"l"(p), reg(x) : "memory");      \
    }                                                                                                     \
    GROSR_DEVICE void family##_store_release(type *p, word x)                                             \
    {                                                                                                     \
        asm volatile("st.release." scope ".global.u" bits " [%0], %1;" ::"l"(p), reg(x) : "memory");      \
    }

GROSR_PTX_WORD(dev, dev32, uint32_t, "32", "r", "gpu")
GROSR_PTX_WORD(dev, dev64, uint64_t, "64", "l", "gpu")
GROSR_PTX_WORD(sys, sys32, uint32_t, "32", "r", "sys")
GROSR_PTX_WORD(sys, sys64, uint64_t, "64", "l", "sys")
#undef GROSR_PTX_WORD

#define GROSR_PTX_ATOMICS(type, word, bits, reg, order)                           \
    GROSR_DEVICE word dev_cas_##order(type *p, word expected, word wanted)        \
    {                                                                             \
        word old;                                                                 \
        asm volatile("atom." #order ".gpu.global.cas.b" bits " %0, [%1], %2, %3;" \
                     : "=" reg(old)                                               \
                     : "l"(p), reg(expected), reg(wanted)                         \
                     : "memory");                                                 \
        return old;                                                               \
    }                                                                             \
    GROSR_DEVICE word dev_add_##order(type *p, word x)                            \
    {                                                                             \
        word old;                                                                 \
        asm volatile("atom." #order ".gpu.global.add.u" bits " %0, [%1], %2;"     \
                     : "=" reg(old)                                               \
                     : "l"(p), reg(x)                                             \
                     : "memory");                                                 \
        return old;                                                               \
    }

GROSR_PTX_ATOMICS(dev32, uint32_t, "32", "r", relaxed)
GROSR_PTX_ATOMICS(dev64, uint64_t, "64", "l", relaxed)
GROSR_PTX_ATOMICS(dev32, uint32_t, "32", "r", acquire)
GROSR_PTX_ATOMICS(dev64, uint64_t, "64", "l", acquire)
GROSR_PTX_ATOMICS(dev32, uint32_t, "32", "r", acq_rel)
GROSR_PTX_ATOMICS(dev64, uint64_t, "64", "l", acq_rel)
GROSR_PTX_ATOMICS(dev32, uint32_t, "32", "r", release)
GROSR_PTX_ATOMICS(dev64, uint64_t, "64", "l", release)
#undef GROSR_PTX_ATOMICS

GROSR_DEVICE uint64_t dev_or_relaxed(dev64 *p, uint64_t x)
{
    uint64_t old;
    asm volatile("atom.relaxed.gpu.global.or.b64 %0, [%1], %2;" : "=l"(old) : "l"(p), "l"(x) : "memory");
    return old;
}

GROSR_DEVICE uint64_t dev_and_relaxed(dev64 *p, uint64_t x)
{
    uint64_t old;
    asm volatile("atom.relaxed.gpu.global.and.b64 %0, [%1], %2;" : "=l"(old) : "l"(p), "l"(x) : "memory");
    return old;
}

GROSR_DEVICE uint64_t dev_and_release(dev64 *p, uint64_t x)
{
    uint64_t old;
    asm volatile("atom.release.gpu.global.and.b64 %0, [%1], %2;" : "=l"(old) : "l"(p), "l"(x) : "memory");
    return old;
}

#define dev_add_dependent(p, x)                dev_add_relaxed(p, x)
#define dev_cas_dependent(p, expected, wanted) dev_cas_relaxed(p, expected, wanted)
#define dev_or_dependent(p, x)                 dev_or_relaxed(p, x)
#define dev_and_dependent(p, x)                dev_and_relaxed(p, x)

GROSR_DEVICE void dev_count(dev64 *p, uint64_t x)
{
    asm volatile("red.relaxed.gpu.global.add.u64 [%0], %1;" ::"l"(p), "l"(x) : "memory");
}

GROSR_DEVICE uint64_t dev_or_acquire(dev64 *p, uint64_t x)
{
    uint64_t old;
    asm volatile("atom.acquire.gpu.global.or.b64 %0, [%1], %2;" : "=l"(old) : "l"(p), "l"(x) : "memory");
    return old;
}

GROSR_DEVICE struct grosr_quad dev_load_quad_relaxed(const dev256 *p)
{
    struct grosr_quad q;
    asm volatile("ld.relaxed.gpu.global.v2.u64 {%0, %1}, [%2];"
                 : "=l"(q.w[0]), "=l"(q.w[1])
                 : "l"(&p->w[0])
                 : "memory");
    asm volatile("ld.relaxed.gpu.global.v2.u64 {%0, %1}, [%2];"
                 : "=l"(q.w[2]), "=l"(q.w[3])
                 : "l"(&p->w[2])
                 : "memory");
    return q;
}

/* The upper half first, so that both loads are under way before the acquire waits. */
GROSR_DEVICE struct grosr_quad dev_load_quad_acquire(const dev256 *p)
{
    struct grosr_quad q;
    asm volatile("ld.relaxed.gpu.global.v2.u64 {%0, %1}, [%2];"
                 : "=l"(q.w[2]), "=l"(q.w[3])
                 : "l"(&p->w[2])
                 : "memory");
    asm volatile("ld.acquire.gpu.global.v2.u64 {%0, %1}, [%2];"
                 : "=l"(q.w[0]), "=l"(q.w[1])
                 : "l"(&p->w[0])
                 : "memory");
    return q;
}

GROSR_DEVICE void dev_store_quad_release(dev256 *p, struct grosr_quad q)
{
    asm volatile("st.relaxed.gpu.global.v2.u64 [%0], {%1, %2};" ::"l"(&p->w[2]), "l"(q.w[2]), "l"(q.w[3])
                 : "memory");
    asm volatile("st.release.gpu.global.v2.u64 [%0], {%1, %2};" ::"l"(&p->w[0]), "l"(q.w[0]), "l"(q.w[1])
                 : "memory");
}

/* The fence does not need the swap's answer, so it waits for the same time as that, and not for longer. */
GROSR_DEVICE uint64_t dev_cas_ahead(dev64 *p, uint64_t expected, uint64_t wanted)
{
    uint64_t old;
    asm volatile("atom.relaxed.gpu.global.cas.b64 %0, [%1], %2, %3;\n\tfence.acq_rel.gpu;"
                 : "=l"(old)
                 : "l"(p), "l"(expected), "l"(wanted)
                 : "memory");
    return old;
}

GROSR_DEVICE void dev_store_quad_behind(dev256 *p, struct grosr_quad q)
{
    asm volatile("st.relaxed.gpu.global.v2.u64 [%0], {%1, %2};" ::"l"(&p->w[2]), "l"(q.w[2]), "l"(q.w[3])
                 : "memory");
    asm volatile("st.relaxed.gpu.global.v2.u64 [%0], {%1, %2};" ::"l"(&p->w[0]), "l"(q.w[0]), "l"(q.w[1])
                 : "memory");
}

/* Plain accesses: what another lane writes is read after a dev_syncwarp, which is a barrier for the compiler
 * too. */
GROSR_DEVICE uint32_t warp_load(const warp32 *p)
{
    return p->v;
}

GROSR_DEVICE void warp_store(warp32 *p, uint32_t x)
{
    p->v = x;
}

GROSR_DEVICE uint32_t warp_add(warp32 *p, uint32_t x)
{
    return atomicAdd_block(&p->v, x);
}

/* The lanes that are here together elect one that takes all their tickets. */
GROSR_DEVICE uint32_t warp_ticket(warp32 *p)
{
    uint32_t here = __activemask(), lane, first = 0;
    int leader = __ffs((int)here) - 1;

    asm("mov.u32 %0, %%laneid;" : "=r"(lane));
    if ((int)lane == leader)
        first = atomicAdd_block(&p->v, (uint32_t)__popc(here));
    return __shfl_sync(here, first, leader) + (uint32_t)__popc(here & ((1u << lane) - 1));
}

GROSR_DEVICE struct grosr_pair sys_load_pair_relaxed(const sys128 *p)
{
    struct grosr_pair x;
    asm volatile("ld.relaxed.sys.global.v2.u64 {%0, %1}, [%2];" : "=l"(x.lo), "=l"(x.hi) : "l"(p) : "memory");
    return x;
}

GROSR_DEVICE struct grosr_pair sys_load_pair_acquire(const sys128 *p)
{
    struct grosr_pair x;
    asm volatile("ld.acquire.sys.global.v2.u64 {%0, %1}, [%2];" : "=l"(x.lo), "=l"(x.hi) : "l"(p) : "memory");
    return x;
}

GROSR_DEVICE void sys_store_pair_relaxed(sys128 *p, uint64_t lo, uint64_t hi)
{
    asm volatile("st.relaxed.sys.global.v2.u64 [%0], {%1, %2};" ::"l"(p), "l"(lo), "l"(hi) : "memory");
}

GROSR_DEVICE void sys_store_pair_release(sys128 *p, uint64_t lo, uint64_t hi)
{
    asm volatile("st.release.sys.global.v2.u64 [%0], {%1, %2};" ::"l"(p), "l"(lo), "l"(hi) : "memory");
}

GROSR_DEVICE void sys_store_pair_if(sys128 *p, bool flag, uint64_t lo, uint64_t hi)
{
    asm volatile("{\n\t"
                 ".reg .pred q;\n\t"
                 "setp.ne.u32 q, %3, 0;\n\t"
                 "@q st.relaxed.sys.global.v2.u64 [%0], {%1, %2};\n\t"
                 "}" ::"l"(p),
                 "l"(lo), "l"(hi), "r"((uint32_t)flag)
                 : "memory");
}

GROSR_DEVICE void dev_store_if(dev64 *p, bool flag, uint64_t x)
{
    asm volatile("{\n\t"
                 ".reg .pred q;\n\t"
                 "setp.ne.u32 q, %2, 0;\n\t"
                 "@q st.relaxed.gpu.global.u64 [%0], %1;\n\t"
                 "}" ::"l"(p),
                 "l"(x), "r"((uint32_t)flag)
                 : "memory");
}

/* The address is advanced first, so that no copy of the old one has to be kept for the store. */
GROSR_DEVICE sys128 *sys_append_pair_if(sys128 *p, bool flag, uint64_t lo, uint64_t hi)
{
    sys128 *next;
    asm volatile("{\n\t"
                 ".reg .pred q;\n\t"
                 "setp.ne.u32 q, %4, 0;\n\t"
                 "add.u64 %0, %1, 16;\n\t"
                 "@q st.relaxed.sys.global.v2.u64 [%0+-16], {%2, %3};\n\t"
                 "}"
                 : "=l"(next)
                 : "l"(p), "l"(lo), "l"(hi), "r"((uint32_t)flag)
                 : "memory");
    return next;
}

GROSR_DEVICE uint32_t dev_lane(void)
{
    uint32_t lane;
    asm("mov.u32 %0, %%laneid;" : "=r"(lane));
    return lane;
}

GROSR_DEVICE uint32_t dev_ballot(bool flag)
{
    return __ballot_sync(~0u, flag);
}

GROSR_DEVICE bool dev_uniform(bool flag)
{
    return __any_sync(~0u, flag) != 0;
}

GROSR_DEVICE uint32_t dev_shfl32(uint32_t x, uint32_t lane)
{
    return __shfl_sync(~0u, x, (int)lane);
}

GROSR_DEVICE uint64_t dev_shfl64(uint64_t x, uint32_t lane)
{
    return __shfl_sync(~0u, (unsigned long long)x, (int)lane);
}

GROSR_DEVICE uint64_t dev_sum64(uint64_t x)
{
    for (int d = 16; d; d >>= 1)
        x += __shfl_xor_sync(~0u, (unsigned long long)x, d);
    return x;
}

GROSR_DEVICE void dev_syncwarp(void)
{
    __syncwarp();
}

struct grosr_group {
    uint32_t lanes, leader, rank, size;
};

GROSR_DEVICE struct grosr_group dev_group(uint32_t key)
{
    struct grosr_group g;
    g.lanes = __match_any_sync(__activemask(), key);
    g.leader = (uint32_t)__ffs((int)g.lanes) - 1;
    g.rank = (uint32_t)__popc(g.lanes & ((1u << dev_lane()) - 1));
    g.size = (uint32_t)__popc(g.lanes);
    return g;
}

GROSR_DEVICE bool dev_group_leads(struct grosr_group g)
{
    return g.rank == 0;
}

GROSR_DEVICE uint32_t dev_group_shfl32(struct grosr_group g, uint32_t x)
{
    return g.size == 1 ? x : __shfl_sync(g.lanes, x, (int)g.leader);
}

/* Of a lane alone nothing has to be asked: with a mask that is not constant, a shuffle costs three times as
 * much as one of the whole warp. */
GROSR_DEVICE uint64_t dev_group_shfl64(struct grosr_group g, uint64_t x)
{
    if (g.size == 1)
        return x;
    return __shfl_sync(g.lanes, (unsigned long long)x, (int)g.leader);
}

#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ >= 800
GROSR_DEVICE uint32_t dev_group_sum32(struct grosr_group g, uint32_t x)
{
    return g.size == 1 ? x : __reduce_add_sync(g.lanes, x);
}

GROSR_DEVICE uint64_t dev_group_or64(struct grosr_group g, uint64_t x)
{
    if (g.size == 1)
        return x;
    return (uint64_t)__reduce_or_sync(g.lanes, (uint32_t)(x >> 32)) << 32 |
           __reduce_or_sync(g.lanes, (uint32_t)x);
}
#else
GROSR_DEVICE uint32_t dev_group_sum32(struct grosr_group g, uint32_t x)
{
    uint32_t sum = 0;
    for (uint32_t m = g.lanes; m; m &= m - 1)
        sum += __shfl_sync(g.lanes, x, __ffs((int)m) - 1);
    return sum;
}

GROSR_DEVICE uint64_t dev_group_or64(struct grosr_group g, uint64_t x)
{
    uint64_t all = 0;
    for (uint32_t m = g.lanes; m; m &= m - 1)
        all |= __shfl_sync(g.lanes, (unsigned long long)x, __ffs((int)m) - 1);
    return all;
}
#endif

GROSR_DEVICE void dev_group_meet(struct grosr_group g)
{
    __syncwarp(g.lanes);
}

GROSR_DEVICE uint32_t dev_popc64(uint64_t m)
{
    return (uint32_t)__popcll((long long)m);
}

GROSR_DEVICE uint32_t dev_fls64(uint64_t m)
{
    return 64u - (uint32_t)__clzll((long long)m);
}

#define GROSR_MASK_WARP ~0u

GROSR_DEVICE uint32_t dev_mask(void)
{
    return __activemask();
}

GROSR_DEVICE uint32_t dev_mask_ballot(uint32_t mask, bool flag)
{
    return __ballot_sync(mask, flag);
}

GROSR_DEVICE uint64_t dev_mask_shfl64(uint32_t mask, uint64_t x, uint32_t lane)
{
    return __shfl_sync(mask, (unsigned long long)x, (int)lane);
}

GROSR_DEVICE void dev_mask_sync(uint32_t mask)
{
    __syncwarp(mask);
}

/* Loads across PCIe that are under way at once, for each lane. */
#define GROSR_COPY_DEPTH 4u

/* In units of 16 bytes. These are functions that take few registers, since what calls them has few left. */
GROSR_DEVICE void dev_copy_units_out(sys128 *at, const unsigned char *from, uint32_t units, uint32_t step)
{
    bool aligned = ((uintptr_t)from & 15) == 0;

    for (uint32_t i = 0; i < units; i += step) {
        uint64_t x[2];
        if (aligned)
            *(ulonglong2 *)x = *(const ulonglong2 *)(const void *)(from + (uint64_t)i * 16);
        else
            memcpy(x, from + (uint64_t)i * 16, sizeof(x));
        sys_store_pair_relaxed(at + i, x[0], x[1]);
    }
}

/* To memory that is not aligned to 16. */
GROSR_DEVICE void dev_copy_units_apart(unsigned char *to, const sys128 *at, uint32_t units, uint32_t step)
{
    for (uint32_t i = 0; i < units; i += step) {
        struct grosr_pair x = sys_load_pair_relaxed(at + i);
#pragma unroll 1
        for (uint32_t k = 0; k < 8; k++) {
            to[(uint64_t)i * 16 + k] = (unsigned char)(x.lo >> 8 * k);
            to[(uint64_t)i * 16 + 8 + k] = (unsigned char)(x.hi >> 8 * k);
        }
    }
}

GROSR_DEVICE void dev_copy_units_in(ulonglong2 *to, const sys128 *at, uint32_t units, uint32_t step)
{
    uint32_t i = 0;

#pragma unroll 1
    for (; i + (GROSR_COPY_DEPTH - 1) * step < units; i += GROSR_COPY_DEPTH * step) {
        struct grosr_pair x[GROSR_COPY_DEPTH];
#pragma unroll
        for (uint32_t k = 0; k < GROSR_COPY_DEPTH; k++)
            x[k] = sys_load_pair_relaxed(at + i + k * step);
#pragma unroll
        for (uint32_t k = 0; k < GROSR_COPY_DEPTH; k++)
            to[i + k * step] = make_ulonglong2(x[k].lo, x[k].hi);
    }
#pragma unroll 1
    for (; i < units; i += step) {
        struct grosr_pair x = sys_load_pair_relaxed(at + i);
        to[i] = make_ulonglong2(x.lo, x.hi);
    }
}

/* What of `units` units a part has from its first one on. */
GROSR_DEVICE uint32_t dev_copy_left(uint32_t units, uint32_t part)
{
    return units > part ? units - part : 0;
}

GROSR_DEVICE void sys_copy_out(void *at, const void *from, uint32_t bytes, uint32_t part, uint32_t parts)
{
    const unsigned char *f = (const unsigned char *)from;
    uint32_t units = ((uintptr_t)at & 15) == 0 ? bytes / 16 : 0;

    dev_copy_units_out((sys128 *)at + part, f + (uint64_t)part * 16, dev_copy_left(units, part), parts);
    for (uint32_t i = units * 16 + part; i < bytes; i += parts)
        asm volatile("st.relaxed.sys.global.u8 [%0], %1;" ::"l"((unsigned char *)at + i), "r"((uint32_t)f[i])
                     : "memory");
}

GROSR_DEVICE void sys_copy_in(void *to, const void *at, uint32_t bytes, uint32_t part, uint32_t parts)
{
    unsigned char *t = (unsigned char *)to;
    uint32_t units = ((uintptr_t)at & 15) == 0 ? bytes / 16 : 0;

    if (((uintptr_t)t & 15) == 0)
        dev_copy_units_in((ulonglong2 *)(void *)t + part, (const sys128 *)at + part,
                          dev_copy_left(units, part), parts);
    else
        dev_copy_units_apart(t + (uint64_t)part * 16, (const sys128 *)at + part, dev_copy_left(units, part),
                             parts);
    for (uint32_t i = units * 16 + part; i < bytes; i += parts) {
        uint32_t x;
        asm volatile("ld.relaxed.sys.global.u8 %0, [%1];"
                     : "=r"(x)
                     : "l"((const unsigned char *)at + i)
                     : "memory");
        t[i] = (unsigned char)x;
    }
}

GROSR_DEVICE uint32_t dev_popc32(uint32_t m)
{
    return (uint32_t)__popc(m);
}

GROSR_DEVICE uint32_t dev_ffs32(uint32_t m)
{
    return (uint32_t)__ffs((int)m);
}

GROSR_DEVICE uint32_t dev_ffs64(uint64_t m)
{
    return (uint32_t)__ffsll((long long)m);
}

GROSR_DEVICE uint32_t dev_fls32(uint32_t m)
{
    return 32u - (uint32_t)__clz((int)m);
}

GROSR_DEVICE uint64_t dev_clock_ns(void)
{
    uint64_t t;
    asm volatile("mov.u64 %0, %%globaltimer;" : "=l"(t)::"memory");
    return t;
}

GROSR_DEVICE uint32_t dev_clock_low_ns(void)
{
    uint32_t t;
    asm volatile("mov.u32 %0, %%globaltimer_lo;" : "=r"(t)::"memory");
    return t;
}

/*
 * At first no sleep: what is waited for is often there within microseconds, and a warp that sleeps half as
 * long as it has waited doubles the time of every step of a chain. Then 64 ns, doubling to 4 us: a warp
 * asleep for longer would answer late, one that never sleeps takes issue slots from the warps that work.
 */
#define GROSR_BACKOFF_AWAKE 8u
#define GROSR_BACKOFF_DEEP  (GROSR_BACKOFF_AWAKE + 6)

GROSR_DEVICE void dev_backoff(uint32_t *step)
{
    if (*step >= GROSR_BACKOFF_AWAKE)
        asm volatile("nanosleep.u32 %0;" ::"r"(64u << (*step - GROSR_BACKOFF_AWAKE)));
    if (*step < GROSR_BACKOFF_DEEP)
        ++*step;
}

/* A load across PCIe paces itself. */
GROSR_DEVICE void dev_poll_pause(uint32_t *step)
{
    (void)step;
}

/* True once dev_backoff has reached its longest wait. */
GROSR_DEVICE bool dev_backoff_is_deep(uint32_t step)
{
    return step >= GROSR_BACKOFF_DEEP;
}

GROSR_DEVICE void dev_trap(void)
{
    asm volatile("trap;");
}

/* The threads that an SM has room for, of those that code of this architecture runs on; at most. */
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 800
#define GROSR_DEVICE_SM_THREADS 1024
#else
#define GROSR_DEVICE_SM_THREADS 2048
#endif

#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
#define GROSR_DEVICE_HAS_MBARRIER 1

GROSR_DEVICE bool dev_mbarrier_try(const uint64_t *p, uint32_t parity)
{
    uint32_t done;
#if defined(__CUDA_ARCH__) && __CUDA_ARCH__ < 900
#define GROSR_MBARRIER "mbarrier.test_wait.parity.shared.b64 q, [%1], %2;\n\t"
#else
#define GROSR_MBARRIER "mbarrier.try_wait.parity.shared.b64 q, [%1], %2, 1000;\n\t"
#endif
    asm volatile("{\n\t"
                 ".reg .pred q;\n\t" GROSR_MBARRIER "selp.u32 %0, 1, 0, q;\n\t"
                 "}"
                 : "=r"(done)
                 : "r"((uint32_t)__cvta_generic_to_shared(p)), "r"(parity)
                 : "memory");
#undef GROSR_MBARRIER
    return done != 0;
}
#else
#define GROSR_DEVICE_HAS_MBARRIER 0
#endif

/* What an onlooker knows an mbarrier by: its offset in shared memory. */
GROSR_DEVICE uint64_t dev_mbarrier_address(const uint64_t *p)
{
    return (uint64_t)__cvta_generic_to_shared(p);
}

GROSR_DEVICE uint32_t dev_sm(void)
{
    uint32_t sm;
    asm volatile("mov.u32 %0, %%smid;" : "=r"(sm));
    return sm;
}

/* Eight of the warps of an SM. Volatile: a warp may move. */
GROSR_DEVICE uint32_t dev_spread(void)
{
    uint32_t warp;
    asm volatile("mov.u32 %0, %%warpid;" : "=r"(warp));
    return dev_sm() * 8 + (warp & 7);
}

#define dev_point(name) ((void)0)

#endif
