/*
 * Kernels of the CUDA baselines: the tiny task as a kernel of its own, all tasks as one static kernel, a bare
 * echo over mapped memory, a bare hop between two SMs, and a step that tells the host; one block is one task.
 * And the kernels that run beside an idle runtime, of any grid: one is bound by arithmetic, one by memory.
 * And warps that record events, one kernel a recorder (bench_emit.h). And threads that allocate, one kernel a
 * case and allocator (bench_alloc.h).
 */
#include "bench_alloc.h"
#include "bench_emit.h"
#include "bench_work.h"

extern "C" __global__ void bench_task(uint64_t *result, uint64_t i)
{
    if (threadIdx.x == 0)
        result[i] = grosr_bench_result(i);
}

extern "C" __global__ void bench_static(uint64_t *result)
{
    if (threadIdx.x == 0)
        result[blockIdx.x] = grosr_bench_result(blockIdx.x);
}

/* Answers each new request until it has answered `last`; without one for `timeout_ns` it ends by itself. */
extern "C" __global__ void bench_echo(const sys32 *request, sys32 *response, uint32_t last,
                                      uint64_t timeout_ns)
{
    uint32_t seen = 0, polls = 0; /* since the latest request */
    uint64_t since = 0;

    while (seen != last) {
        uint32_t word = sys_load_relaxed(request);
        if (word != seen) {
            seen = word;
            polls = 0;
            sys_store_relaxed(response, seen);
        } else if (++polls % 65536 == 0) {
            if (polls == 65536)
                since = dev_clock_ns();
            else if (dev_clock_ns() - since > timeout_ns)
                return;
        }
    }
}

/* Two blocks, on two SMs, that hand a word to and fro; block 0 notes the time of each round trip. */
extern "C" __global__ void bench_hop(dev32 *word, uint64_t *time, uint32_t trips)
{
    const uint32_t far = 64; /* words: not in the same line */

    for (uint32_t i = 1; i <= trips; i++) {
        if (blockIdx.x == 0) {
            time[i - 1] = dev_clock_ns();
            dev_store_release(&word[0], i);           /* pairs with the load below */
            while (dev_load_acquire(&word[far]) != i) /* pairs with the store below */
                continue;
        } else {
            while (dev_load_acquire(&word[0]) != i) /* pairs with the store above */
                continue;
            dev_store_release(&word[far], i); /* pairs with the load above */
        }
    }
    if (blockIdx.x == 0)
        time[trips] = dev_clock_ns();
}

extern "C" __global__ void bench_step(sys32 *word, uint32_t value)
{
    sys_store_release(word, value); /* pairs with await() */
}

extern "C" __global__ void __launch_bounds__(256) bench_compute(uint32_t *result, uint32_t rounds)
{
    uint32_t thread = blockIdx.x * blockDim.x + threadIdx.x;

    result[thread] = grosr_bench_mix(thread % GROSR_BENCH_SEEDS, rounds);
}

extern "C" __global__ void bench_fill(uint64_t *to, uint64_t words)
{
    for (uint64_t i = blockIdx.x * (uint64_t)blockDim.x + threadIdx.x; i < words;
         i += (uint64_t)gridDim.x * blockDim.x)
        to[i] = grosr_bench_result(i);
}

/* 16 bytes a thread and step. */
extern "C" __global__ void __launch_bounds__(256)
    bench_copy(ulonglong2 *__restrict__ to, const ulonglong2 *__restrict__ from, uint64_t pairs)
{
    uint64_t step = (uint64_t)gridDim.x * blockDim.x;

#pragma unroll 4
    for (uint64_t i = blockIdx.x * (uint64_t)blockDim.x + threadIdx.x; i < pairs; i += step)
        to[i] = from[i];
}

/* Warps are numbered across the blocks first, as workers are. */
GROSR_DEVICE uint32_t bench_warp(void)
{
    return threadIdx.x / GROSR_LANES * gridDim.x + blockIdx.x;
}

#define BENCH_EMIT(name, recorder, length)                         \
    extern "C" __global__ void __launch_bounds__(1024, 1)          \
        bench_##name(const __grid_constant__ grosr_bench_launch l) \
    {                                                              \
        grosr_bench_emit_run(&l, recorder, length, bench_warp());  \
    }

GROSR_BENCH_EMIT_KERNELS(BENCH_EMIT)

extern "C" __global__ void __launch_bounds__(1024, 1)
    bench_flood(const __grid_constant__ grosr_bench_launch l)
{
    grosr_bench_flood_run(&l, bench_warp());
}

/* No more blocks than there can be. */
#define BENCH_ROOM         (GROSR_DEVICE_SM_THREADS / GROSR_BENCH_ALLOC_BLOCK)
#define BENCH_RESIDENTS(n) ((n) < BENCH_ROOM ? (n) : BENCH_ROOM)

#define BENCH_ALLOC_OF(name, number, residents, plain)                                                \
    extern "C" __global__ void __launch_bounds__(GROSR_BENCH_ALLOC_BLOCK, BENCH_RESIDENTS(residents)) \
        bench_alloc_##name(const __grid_constant__ grosr_bench_alloc a)                               \
    {                                                                                                 \
        uint32_t i = blockIdx.x * blockDim.x + threadIdx.x;                                           \
        grosr_bench_alloc_stamp(a.start_ns, i / GROSR_LANES);                                         \
        if (i < a.threads)                                                                            \
            grosr_bench_alloc_do(&a, number, plain, i);                                               \
        grosr_bench_alloc_stamp(a.end_ns, i / GROSR_LANES);                                           \
    }
#define BENCH_ALLOC(name, number, residents)       \
    BENCH_ALLOC_OF(name, number, residents, false) \
    BENCH_ALLOC_OF(name##_plain, number, residents, true)

GROSR_BENCH_ALLOC_LIST(BENCH_ALLOC)
