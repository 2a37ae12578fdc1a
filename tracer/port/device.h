/*
 * The porting layer: the only vocabulary in which device code is written.
 *
 * Logic that runs on a GPU (emit, scheduler, ...) is the common subset of C17 and C++17 and uses nothing but
 * the names below, so that one source compiles with nvcc for the CUDA device and with gcc or clang for the
 * host device. CUDA, PTX and compiler atomics appear in device_cuda.h and device_host.[hc] and nowhere else
 * (tests/lint/porting.t fails the build otherwise).
 *
 * Words. A word's type says who shares it, so that a wrong scope does not compile:
 *
 *   dev32  dev64    memory that only the device's warps share (GPU scope; loads, stores, atomics)
 *   dev256          four 64-bit words of such memory, 32-byte aligned, moved by two 16-byte accesses; may be
 *                   seen torn: whoever needs them whole puts a tag in each
 *   sys32  sys64    memory that the CPU shares across PCIe (system scope; loads and stores only: a
 *                   read-modify-write across PCIe is not atomic against the CPU, so none exists)
 *   sys128          two 64-bit words of such memory, 16-byte aligned, moved by one 16-byte access, which the
 *                   other side of the bus may see torn: again a tag in both words
 *   warp32          memory that only the lanes of one warp share
 *
 * Operations. The order is in the name; pointers select the width:
 *
 *   x = dev_load_relaxed(p)    x = dev_load_acquire(p)    dev_store_relaxed(p, x)    dev_store_release(p, x)
 *   old = dev_cas_acquire(p, expected, wanted)      old = dev_cas_acq_rel(p, expected, wanted)
 *   old = dev_add_relaxed(p, x)   old = dev_add_acquire(p, x)   old = dev_add_acq_rel(p, x)
 *   first = dev_claim(p, n)    takes n consecutive numbers from a counter: a relaxed add whose result counts
 *   old = dev_or_relaxed(p, bits)                   old = dev_and_relaxed(p, bits)       (64 bits)
 *   old = dev_or_acquire(p, bits)                   (64 bits)
 *   quad = dev_load_quad_acquire(p)                 dev_store_quad_release(p, quad)
 *   dev_store_if(p, flag, x)   (relaxed, 64 bits)
 *   x = sys_load_relaxed(p)    x = sys_load_acquire(p)    sys_store_relaxed(p, x)    sys_store_release(p, x)
 *   pair = sys_load_pair_relaxed(p)      pair = sys_load_pair_acquire(p)
 *   sys_store_pair_relaxed(p, lo, hi)    sys_store_pair_release(p, lo, hi)
 *   sys_store_pair_if(p, flag, lo, hi)   p + 1 = sys_append_pair_if(p, flag, lo, hi)     (relaxed)
 *   x = warp_load(p)           warp_store(p, x)     old = warp_add(p, x)     old = warp_ticket(p)
 *
 *   old = dev_cas_ahead(p, expected, x)   dev_store_quad_behind(p, q)
 *       A relaxed swap, and a store by the same lane that releases what came before that swap (as
 *       dev_store_quad_release would, which comes after it): where what the swap reserves is published
 *       at once, the fence is under way together with the swap.
 *
 *   old = dev_add_release(p, x)           old = dev_and_release(p, bits)     (64 bits)
 *   old = dev_add_dependent(p, x)         old = dev_cas_dependent(p, expected, wanted)
 *   old = dev_or_dependent(p, bits)       old = dev_and_dependent(p, bits)   (64 bits)
 *       Ordered by what depends on them: it comes after what its own operands, or a branch before it, depend
 *       on, and before what depends on its result. A GPU starts no store and no atomic before what it depends
 *       on has returned, so that there is no fence; on the host they acquire and release. Stores before it,
 *       on which nothing depends, are not ordered by it, unless a dev_..._release of the same lane came
 *       between.
 *   dev_count(p, x)                       a relaxed add without a result
 *
 * There are no stand-alone fences. A release orders everything the calling lane did before, and everything
 * other lanes of its warp did before a collective it met them at. sys_load_pair_acquire acquires when the
 * word `lo` holds what a sys_store_pair_release stored, dev_load_quad_acquire when w[0] holds what a
 * dev_store_quad_release stored. The stores that end in `_if` are those of the lanes that pass a true flag,
 * and no branch: for a store of one lane where all meet, a branch and the lanes' meeting after it cost more
 * than what there is to do.
 *
 * warp_add and warp_ticket (an add of 1) may be called by any lanes at any time, diverged or not; lanes that
 * happen to call warp_ticket together share one atomic. What lanes did before a dev_syncwarp is seen after
 * it.
 *
 * The unit of execution is the warp of GROSR_LANES lanes (32 on CUDA; 1 on the host, 4 or 32 in test builds).
 * Collectives are called where all lanes of the warp meet, and nowhere else:
 *
 *   dev_lane()                 this lane's index, 0 .. GROSR_LANES-1 (not a collective)
 *   dev_ballot(flag)           bit i set: lane i passed a true flag
 *   dev_shfl32(x, lane)        lane `lane`'s x, in every lane; dev_shfl64 likewise
 *   dev_sum64(x)               the sum of all lanes' x, in every lane
 *   dev_uniform(flag)          flag, which is the same in all lanes, and the compiler knows it: after a
 *                              branch on it the lanes need not meet again, which costs more than this
 *   dev_syncwarp()             what lanes wrote before is visible to the others after
 *   GROSR_LANE_DEPTH           how many items a lane should handle at a time to make a warp's batch worth a
 *                              lock: 1 with 32 lanes, 16 with 1
 *
 * Groups are for lanes that meet by chance. Any lanes may make one at any time, diverged or not, and only its
 * own lanes meet in what is done with it:
 *
 *   g = dev_group(key)         those of the lanes that happen to be here together whose 32-bit key is the
 *                              same; on the host always the one lane. g.size lanes, this one is g.rank
 *   dev_group_leads(g)         this lane is rank 0
 *   dev_group_shfl32(g, x)     rank 0's x, in every lane of the group; dev_group_shfl64 likewise
 *   dev_group_sum32(g, x)      the sum of the group's x, in every lane of it
 *   dev_group_or64(g, x)       all bits that are set in some x of the group
 *   dev_group_meet(g)          what lanes of the group wrote before is visible to its others after
 *
 * Mbarriers, the barriers of shared memory in phases (sm_80 and later; GROSR_DEVICE_HAS_MBARRIER). On the
 * host an mbarrier is a word that counts the phases which have been completed:
 *
 *   done = dev_mbarrier_try(p, parity)   whether the phase of that parity, the latest or the one under way,
 * has been completed, with acquire; on sm_90 and later it waits a microsecond dev_mbarrier_address(p) its
 * offset in shared memory; on the host its address
 *
 * Numbers:
 *
 *   dev_popc32(m)  dev_popc64(m)                      bits set
 *   dev_ffs32(m)   dev_ffs64(m)                       1 + index of the lowest set bit, 0 for none
 *   dev_fls32(m)   dev_fls64(m)                       1 + index of the highest, 0 for none
 *
 * Masks name the lanes of a group that stays together over many steps. Lanes that have diverged may meet
 * again at any time or never, so a mask is asked for once, at one place, and all of its lanes go the same way
 * from there to the last call that is given it. On the host, where each lane is a thread, it is of one lane;
 * GROSR_MASK_WARP, where all lanes of a warp meet, is of all of them.
 *
 *   mask = dev_mask()                  the lanes that are here together with this one
 *   dev_mask_ballot(mask, flag)   dev_mask_shfl64(mask, x, lane)   dev_mask_sync(mask)
 *
 * Bulk: memory that the CPU shares, copied by `parts` lanes together, each its `part` of it, in accesses of
 * 16 bytes across PCIe where `at`, in that memory, is aligned to 16. The order is that of relaxed accesses.
 *
 *   sys_copy_out(at, from, bytes, part, parts)      sys_copy_in(to, at, bytes, part, parts)
 *
 * Time and waiting:
 *
 *   dev_clock_ns()             the device clock: ns since an epoch of its own, monotonic; on Hopper it steps
 *                              by 32 ns
 *   dev_clock_low_ns()         its lower 32 bits, which are quicker to read
 *   dev_backoff(&step)         wait a little, longer with each call (the caller zeroes step when it got what
 *                              it waited for); on the host it yields first and sleeps later
 *   dev_backoff_is_deep(step)  whether it has reached its longest wait
 *   dev_poll_pause(&step)      between polls of words across PCIe: nothing on CUDA, a back-off on the host
 *   dev_trap()                 ends the kernel with an error; on the host, aborts the process
 *   dev_sm()                   the SM that the calling warp runs on
 *   dev_spread()               a number that differs between warps which run at the same time, as far as can
 *                              be: to spread them over counters or queues
 *   dev_point("name")          nothing on CUDA; on the host a place where a test may hold a thread
 *
 * Qualifiers: GROSR_DEVICE before a function that runs on the device, GROSR_DEVICE_COLD for one off the fast
 * path (never inlined, so that it costs the fast path no registers). GROSR_DEVICE_NO_UNROLL before a loop
 * that a GPU's compiler is to leave as it is.
 */
#ifndef GROSR_DEVICE_H
#define GROSR_DEVICE_H

#include <assert.h>
#include <stdalign.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

typedef struct {
    uint32_t v;
} dev32;
typedef struct {
    uint64_t v;
} dev64;
typedef struct {
    uint32_t v;
} sys32;
typedef struct {
    uint64_t v;
} sys64;
typedef struct {
    alignas(16) uint64_t lo;
    uint64_t hi;
} sys128;

typedef struct {
    alignas(32) uint64_t w[4];
} dev256;
typedef struct {
    uint32_t v;
} warp32;

struct grosr_pair {
    uint64_t lo, hi;
};

struct grosr_quad {
    uint64_t w[4];
};

#ifdef __CUDACC__
#include "device_cuda.h"
#else
#include "device_host.h"
#endif

/* Apart from other relaxed adds, whose result nobody uses: a test that holds those back needs to know. */
#define dev_claim(p, n) dev_add_relaxed(p, n)

#endif
