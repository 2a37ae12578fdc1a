/*
 * The allocator on a GPU, in kernels that are handed a heap: blocks of random sizes in lanes that diverge,
 * checked for overlap by a shadow map and for their content, freed by other threads and other kernels; memory
 * that runs out and is whole again; frees that must be refused. tests/cuda/heap.t builds it.
 *
 *     heap [SECONDS]      of the long parts together
 */
#include "../../runtime/alloc/alloc.h"
#include "../heap_check.h"
#include "../tap.h"

#include <cuda_runtime.h>
#include <time.h>

#include <vector>

#define CHECK(call)                                                                  \
    do {                                                                             \
        cudaError_t error_ = (call);                                                 \
        if (error_ != cudaSuccess) {                                                 \
            printf("Bail out! line %d: %s\n", __LINE__, cudaGetErrorString(error_)); \
            exit(1);                                                                 \
        }                                                                            \
    } while (0)

enum { OWN = 4, CELLS = 4096, THREADS = 256 };

/* What kernels have found. */
struct findings {
    unsigned long long blocks, failures, overlaps, damaged, outside, unaligned, not_freed, refused,
        slowest_null_ns;
    unsigned long long count;
};

struct test_heap {
    struct grosr_heap heap;
    struct grosr_heap_plan plan;
    unsigned char *arena, *memory;
    uint32_t *shadow;          /* owner's tag, for 16 bytes each */
    unsigned long long *cells; /* blocks for whoever comes */
    struct findings *found;
};

/* A kernel's arguments. */
struct churn {
    uint32_t seed, rounds, size_max, large_one; /* in so many requests; 0: none */
    bool by_warp;                               /* the lanes of a warp ask for one size */
};

/* ---- in kernels ---- */

__device__ static uint32_t next_random(uint32_t *x)
{
    *x = *x * 747796405u + 2891336453u;
    uint32_t y = ((*x >> ((*x >> 28) + 4)) ^ *x) * 277803737u;
    return y >> 22 ^ y;
}

__device__ static void found(unsigned long long *what)
{
    atomicAdd(what, 1ull);
}

__device__ static uint32_t words_step(uint32_t size)
{
    return size > 4096 ? size / 2048 : 1;
}

/* The first words of a block are its tag and size; the others are made of the tag. */
__device__ static void fill(uint32_t *p, uint32_t size, uint32_t tag)
{
    p[0] = tag;
    p[1] = size;
    for (uint32_t i = 2; i < size / 4; i += words_step(size))
        p[i] = tag * 2654435761u + i;
}

__device__ static bool is_intact(const uint32_t *p, uint32_t size, uint32_t tag)
{
    if (p[0] != tag || p[1] != size)
        return false;
    for (uint32_t i = 2; i < size / 4; i += words_step(size))
        if (p[i] != tag * 2654435761u + i)
            return false;
    return true;
}

__device__ static void mark(const struct test_heap &t, const uint32_t *p, uint32_t size, uint32_t from,
                            uint32_t to)
{
    size_t first = ((const unsigned char *)p - t.arena) / 16;

    for (uint32_t i = 0; i<(size + 15) / 16; i += size> 2048 ? 8 : 1)
        if (atomicCAS(&t.shadow[first + i], from, to) != from) {
            found(&t.found->overlaps);
            return;
        }
}

__device__ static uint32_t *adopt(const struct test_heap &t, uint32_t *p, uint32_t size, uint32_t tag,
                                  bool resized = false)
{
    uint64_t offset = (uint64_t)((unsigned char *)p - t.arena);

    if (!p) {
        found(&t.found->failures);
        return NULL;
    }
    if (offset >= t.plan.arena_bytes || size > t.plan.arena_bytes - offset) {
        found(&t.found->outside);
        return NULL;
    }
    bool is_power = (size & (size - 1)) == 0;
    if ((uintptr_t)p % 16 || (is_power && !resized && (uintptr_t)p % (size < 65536 ? size : 65536)))
        found(&t.found->unaligned);
    mark(t, p, size, 0, tag);
    fill(p, size, tag);
    found(&t.found->blocks);
    return p;
}

/* Frees a block that this thread may not have allocated. */
__device__ static void give(const struct test_heap &t, struct grosr_heap_user u, uint32_t *p)
{
    uint32_t tag = p[0], size = p[1];
    uint64_t offset = (uint64_t)((unsigned char *)p - t.arena);

    if (size < 8 || size > t.plan.arena_bytes - offset || !is_intact(p, size, tag)) {
        found(&t.found->damaged);
        return;
    }
    mark(t, p, size, tag, 0);
    if (grosr_heap_free(u, p))
        found(&t.found->not_freed);
}

__device__ static uint32_t *resize(const struct test_heap &t, struct grosr_heap_user u, uint32_t *p,
                                   uint32_t size, uint32_t tag)
{
    uint32_t old_tag = p[0], old_size = p[1], kept = size < old_size ? size : old_size;

    mark(t, p, old_size, old_tag, 0);
    uint32_t *now = (uint32_t *)grosr_heap_realloc(u, p, size);
    if (!now) {
        mark(t, p, old_size, 0, old_tag);
        found(&t.found->failures);
        return p;
    }
    for (uint32_t i = 2; i < kept / 4; i += words_step(old_size))
        if (now[i] != old_tag * 2654435761u + i) {
            found(&t.found->damaged);
            break;
        }
    return adopt(t, now, size, tag, true);
}

__device__ static uint32_t size_of(const struct churn &c, uint32_t x, uint32_t warp_x)
{
    if (c.large_one && x % c.large_one == 0)
        return 65536 + x / 64 % (8u << 20) / 4 * 4;
    return 8 + (c.by_warp ? warp_x : x) / 64 % c.size_max;
}

__global__ void k_churn(const __grid_constant__ test_heap t, const __grid_constant__ churn c)
{
    struct grosr_heap_user u = grosr_heap_anyone(&t.heap);
    uint32_t i = blockIdx.x * blockDim.x + threadIdx.x, x = (i + 1) * 2654435761u ^ c.seed,
             w = i / 32 ^ c.seed;
    uint32_t *own[OWN] = {}, tag = c.seed * 31 + i * 1024;

    for (uint32_t round = 0; round < c.rounds; round++) {
        uint32_t r = next_random(&x), warp_r = next_random(&w), k = r % OWN, op = r / OWN % 16;
        tag = tag + 1 ? tag + 1 : 1;
        if (!own[k] && op < 14) {
            uint32_t size = size_of(c, next_random(&x), warp_r);
            own[k] = adopt(t, (uint32_t *)grosr_heap_malloc(u, size), size, tag);
        } else if (own[k] && op < 8) {
            give(t, u, own[k]);
            own[k] = NULL;
        } else if (own[k] && op < 10) {
            own[k] = resize(t, u, own[k], size_of(c, next_random(&x), warp_r), tag);
        } else if (op >= 13) { /* to another thread, and something from another one */
            __threadfence();
            own[k] = (uint32_t *)atomicExch(&t.cells[r / 64 % CELLS], (unsigned long long)own[k]);
            __threadfence();
        }
    }
    for (uint32_t k = 0; k < OWN; k++)
        if (own[k])
            give(t, u, own[k]);
}

__global__ void k_drain(const __grid_constant__ test_heap t)
{
    struct grosr_heap_user u = grosr_heap_anyone(&t.heap);

    for (uint32_t i = blockIdx.x * blockDim.x + threadIdx.x; i < CELLS; i += gridDim.x * blockDim.x) {
        uint32_t *p = (uint32_t *)t.cells[i];
        t.cells[i] = 0;
        if (p)
            give(t, u, p);
    }
}

/* One block a thread; lanes come with sizes of their own, or by a way of their own. */
__global__ void k_take(const __grid_constant__ test_heap t, uint32_t **blocks, uint32_t size, bool diverged)
{
    struct grosr_heap_user u = grosr_heap_anyone(&t.heap);
    uint32_t i = blockIdx.x * blockDim.x + threadIdx.x, mine = size ? size : 8 + i * 2654435761u / 64 % 8185;

    if (!diverged) {
        blocks[i] = adopt(t, (uint32_t *)grosr_heap_malloc(u, mine), mine, i + 1);
    } else if (i % 3 == 0) {
        blocks[i] = adopt(t, (uint32_t *)grosr_heap_malloc(u, mine), mine, i + 1);
    } else if (i % 3 == 1) {
        mine &= ~3u;
        blocks[i] = adopt(t, (uint32_t *)grosr_heap_calloc(u, mine / 4, 4), mine, i + 1);
    } else {
        uint32_t *p = (uint32_t *)grosr_heap_aligned_alloc(u, 64, mine); /* to 64, whatever the size */
        if ((uintptr_t)p % 64)
            found(&t.found->unaligned);
        blocks[i] = adopt(t, p, mine, i + 1, true);
    }
}

/* Frees them, in another order of threads. */
__global__ void k_give(const __grid_constant__ test_heap t, uint32_t **blocks, uint32_t mix)
{
    uint32_t i = (blockIdx.x * blockDim.x + threadIdx.x) ^ mix;

    if (blocks[i])
        give(t, grosr_heap_anyone(&t.heap), blocks[i]);
}

/* Each thread allocates until there is no more; a block has the one before in it. */
__global__ void k_fill(const __grid_constant__ test_heap t, void **lists, uint32_t size)
{
    struct grosr_heap_user u = grosr_heap_anyone(&t.heap);
    void **last = NULL;
    unsigned long long n = 0;

    for (;;) {
        void **p = (void **)grosr_heap_malloc(u, size);
        if (!p)
            break;
        if ((unsigned char *)p < t.arena || (unsigned char *)p + size > t.arena + t.plan.arena_bytes) {
            found(&t.found->outside);
            break;
        }
        *p = (void *)last;
        last = p;
        n++;
    }
    lists[blockIdx.x * blockDim.x + threadIdx.x] = (void *)last;
    atomicAdd(&t.found->count, n);
}

__global__ void k_empty(const __grid_constant__ test_heap t, void **lists)
{
    struct grosr_heap_user u = grosr_heap_anyone(&t.heap);
    void **p = (void **)lists[blockIdx.x * blockDim.x + threadIdx.x];
    unsigned long long n = 0;

    for (void **next; p; p = next, n++) {
        next = (void **)*p;
        if (grosr_heap_free(u, p))
            found(&t.found->not_freed);
    }
    atomicAdd(&t.found->count, ~n + 1);
}

/* How long it takes to be told that there is nothing. */
__global__ void k_null(const __grid_constant__ test_heap t, uint32_t size, uint32_t rounds)
{
    struct grosr_heap_user u = grosr_heap_anyone(&t.heap);

    for (uint32_t i = 0; i < rounds; i++) {
        uint64_t began = dev_clock_ns();
        void *p = grosr_heap_malloc(u, size);
        uint64_t took = dev_clock_ns() - began;
        if (p)
            found(&t.found->overlaps);
        atomicMax(&t.found->slowest_null_ns, (unsigned long long)took);
    }
}

/* Threads i and i ^ mix free the same blocks at the same time. */
__global__ void k_twice(const __grid_constant__ test_heap t, uint32_t **blocks, uint32_t mix)
{
    uint32_t i = blockIdx.x * blockDim.x + threadIdx.x;
    struct grosr_heap_user u = grosr_heap_anyone(&t.heap);

    found(grosr_heap_free(u, blocks[i & ~mix]) ? &t.found->refused : &t.found->count);
}

/* Pointers that are nobody's to free. */
__global__ void k_misuse(const __grid_constant__ test_heap t, uint32_t **blocks)
{
    uint32_t i = blockIdx.x * blockDim.x + threadIdx.x, local;
    struct grosr_heap_user u = grosr_heap_anyone(&t.heap);
    void *wrong[] = {(char *)blocks[i] + 4, (char *)blocks[i] + 16, t.arena - 16,
                     t.arena + t.plan.arena_bytes, &local};

    for (int k = 0; k < 5; k++)
        if (grosr_heap_free(u, wrong[k]))
            found(&t.found->refused);
}

/* In debug mode: a byte before or behind each block is written, or none. */
__global__ void k_damage(const __grid_constant__ test_heap t, uint32_t **blocks)
{
    uint32_t i = blockIdx.x * blockDim.x + threadIdx.x;
    unsigned char *p = (unsigned char *)blocks[i];

    if (i % 3 == 1)
        p[blocks[i][1]] ^= 1;
    else if (i % 3 == 2)
        p[-1] ^= 1;
}

/* ---- on the host ---- */

static double now(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static struct test_heap heap_open(uint64_t bytes, uint32_t flags)
{
    struct test_heap t;

    grosr_heap_make_plan(&t.heap, &t.plan, bytes, flags);
    CHECK(cudaMalloc(&t.arena, t.plan.arena_bytes));
    CHECK(cudaMalloc(&t.memory, t.plan.bytes));
    CHECK(cudaMalloc(&t.shadow, t.plan.arena_bytes / 16 * sizeof(*t.shadow)));
    CHECK(cudaMalloc(&t.cells, CELLS * sizeof(*t.cells)));
    CHECK(cudaMalloc(&t.found, sizeof(*t.found)));
    if ((uintptr_t)t.arena % GROSR_CHUNK_BYTES) {
        printf("Bail out! the arena is not aligned\n");
        exit(1);
    }
    grosr_heap_place(&t.heap, t.arena, t.memory);
    std::vector<uint64_t> map(t.heap.map_words);
    grosr_heap_first_map(&t.heap, map.data());
    CHECK(cudaMemset(t.memory, 0, t.plan.bytes));
    CHECK(cudaMemcpy(t.heap.maps, map.data(), map.size() * 8, cudaMemcpyHostToDevice));
    CHECK(cudaMemset(t.shadow, 0, t.plan.arena_bytes / 16 * sizeof(*t.shadow)));
    CHECK(cudaMemset(t.cells, 0, CELLS * sizeof(*t.cells)));
    CHECK(cudaMemset(t.found, 0, sizeof(*t.found)));
    return t;
}

static void heap_close(struct test_heap &t)
{
    CHECK(cudaFree(t.arena));
    CHECK(cudaFree(t.memory));
    CHECK(cudaFree(t.shadow));
    CHECK(cudaFree(t.cells));
    CHECK(cudaFree(t.found));
}

static struct findings findings_of(const struct test_heap &t)
{
    struct findings f;

    CHECK(cudaDeviceSynchronize());
    CHECK(cudaMemcpy(&f, t.found, sizeof(f), cudaMemcpyDeviceToHost));
    return f;
}

static struct grosr_heap_counters counters_of(const struct test_heap &t)
{
    static struct grosr_heap_counters c;
    unsigned char *copy = (unsigned char *)aligned_alloc(128, (t.plan.bytes + 127) / 128 * 128);
    struct grosr_heap h = t.heap;

    CHECK(cudaDeviceSynchronize());
    CHECK(cudaMemcpy(copy, t.memory, t.plan.bytes, cudaMemcpyDeviceToHost));
    grosr_heap_place(&h, t.arena, copy);
    grosr_heap_read_counters(&h, &c);
    free(copy);
    return c;
}

/* That nothing was found but what must be, and that the heap, without a block, is as it was at first. */
static void at_rest(const struct test_heap &t, const char *when)
{
    struct findings f = findings_of(t);
    struct grosr_heap_counters c = counters_of(t);
    const char *what = heap_check(&c, t.heap.chunks, NULL);
    uint32_t dry = 0;

    ok(f.overlaps + f.damaged + f.outside + f.unaligned + f.not_freed == 0,
       "%s: %llu blocks, %llu requests failed; %llu overlaps, %llu damaged, %llu outside, %llu not aligned, "
       "%llu not freed",
       when, f.blocks, f.failures, f.overlaps, f.damaged, f.outside, f.unaligned, f.not_freed);
    ok(!what && c.largest_bytes == t.plan.arena_bytes,
       "%s: the counters are exact and the arena is whole%s%s", when, what ? ": not " : "", what ? what : "");
    static struct grosr_heap_common common;
    CHECK(cudaMemcpy(&common, t.heap.common, sizeof(common), cudaMemcpyDeviceToHost));
    for (uint32_t i = 0; i < GROSR_HEAP_DRY; i++)
        dry += common.dry[i].classes.v != 0;
    is(dry, 0, "%s: no class stays dry", when);
}

/* Random work for so long, in two streams at once. */
static void churn_for(const char *name, double seconds, uint64_t bytes, uint32_t flags, uint32_t blocks,
                      struct churn c)
{
    struct test_heap t = heap_open(bytes, flags);
    cudaStream_t stream[2];
    uint32_t launches = 0;

    for (int i = 0; i < 2; i++)
        CHECK(cudaStreamCreate(&stream[i]));
    for (double end = now() + seconds; now() < end || !launches;) {
        for (int i = 0; i < 2; i++, launches++) {
            c.seed = launches * 40503 + 1;
            k_churn<<<blocks, THREADS, 0, stream[i]>>>(t, c);
        }
        CHECK(cudaDeviceSynchronize());
    }
    k_drain<<<8, THREADS>>>(t);
    at_rest(t, name);
    for (int i = 0; i < 2; i++)
        CHECK(cudaStreamDestroy(stream[i]));
    heap_close(t);
}

/* Allocated by one kernel, checked and freed by another one. */
static void across_kernels(void)
{
    enum { N = 1 << 17 };
    static const uint32_t sizes[] = {8, 64, 100, 512, 1000, 4096, 8192, 0};
    struct test_heap t = heap_open(UINT64_C(2) << 30, 0);
    uint32_t **blocks;

    CHECK(cudaMalloc(&blocks, N * sizeof(*blocks)));
    for (uint32_t size : sizes)
        for (int diverged = 0; diverged < 2; diverged++)
            for (uint32_t mix : {0u, 5u, 31u, 0x1f55u}) {
                k_take<<<N / THREADS, THREADS>>>(t, blocks, size, diverged);
                k_give<<<N / THREADS, THREADS>>>(t, blocks, mix);
            }
    struct findings f = findings_of(t);
    is(f.blocks, 8ull * 2 * 4 * N,
       "whole warps and diverged ones, one size and mixed: every lane gets a block");
    at_rest(t, "freed by other kernels");
    CHECK(cudaFree(blocks));
    heap_close(t);
}

static void exhausted(uint64_t bytes, bool timed)
{
    enum { THREADS_ALL = 64 * THREADS };
    struct test_heap t = heap_open(bytes, 0);
    double worst = 100;
    uint32_t wrong = 0;
    void **lists;

    CHECK(cudaMalloc(&lists, THREADS_ALL * sizeof(*lists)));
    for (uint32_t k = 0; k < 2 * GROSR_CLASSES; k++) {
        uint32_t c = k < GROSR_CLASSES ? k : 2 * GROSR_CLASSES - 1 - k;
        uint64_t all = (uint64_t)t.heap.slots[c] * t.heap.chunks;
        k_fill<<<64, THREADS>>>(t, lists, t.heap.units[c] * 16);
        struct findings f = findings_of(t);
        struct grosr_heap_counters n = counters_of(t);
        double part = 100.0 * (double)f.count / (double)all;
        if (f.count != all)
            printf("# class %u: %.3f %% of the slots\n", c, part);
        worst = part < worst ? part : worst;
        wrong += f.count > all || n.class_[c].used != f.count;
        if (k == 3) {
            ok((double)f.count * 64 >= 0.98 * (double)bytes, "64-byte blocks fill %.2f %% of %u MiB",
               100.0 * (double)f.count * 64 / (double)bytes, (unsigned)(bytes >> 20));
            k_null<<<1, 1>>>(t, 64, 1000);
            f = findings_of(t);
            ok(!timed || f.slowest_null_ns <= 10000, "then one thread gets NULL within %llu ns",
               f.slowest_null_ns);
            k_null<<<512, THREADS>>>(t, 64, 4);
            f = findings_of(t);
            ok(!timed || f.slowest_null_ns <= 5000000, "and of 131072 at once each one within %llu ns",
               f.slowest_null_ns);
        }
        k_empty<<<64, THREADS>>>(t, lists);
        wrong += findings_of(t).count != 0;
        n = counters_of(t);
        wrong += heap_check(&n, t.heap.chunks, NULL) != NULL;
    }
    ok(worst >= 98, "each class can have the arena after every other one had it (%.3f %% at least)", worst);
    is(wrong, 0, "and its counters are exact, full and empty");
    at_rest(t, "after that");
    CHECK(cudaFree(lists));
    heap_close(t);
}

static void refused(void)
{
    enum { N = 1 << 15 };
    struct test_heap t = heap_open(UINT64_C(512) << 20, 0);
    unsigned long long taken = 0, freed = 0, wrong = 0;
    uint32_t **blocks;

    CHECK(cudaMalloc(&blocks, N * sizeof(*blocks)));
    k_take<<<N / THREADS, THREADS>>>(t, blocks, 100, false);
    k_misuse<<<N / THREADS, THREADS>>>(t, blocks);
    struct findings f = findings_of(t);
    struct grosr_heap_counters c = counters_of(t);
    is(f.refused, 5ull * N, "inner and foreign pointers are refused");
    ok(c.bad.inner == 2ull * N && c.bad.foreign == 3ull * N && c.errors == 5ull * N, "and counted");
    k_give<<<N / THREADS, THREADS>>>(t, blocks, 0);
    CHECK(cudaMemset(t.shadow, 0, t.plan.arena_bytes / 16 * sizeof(*t.shadow)));
    for (uint32_t size : {8u, 100u, 1000u, 8192u, 0u})
        for (uint32_t mix : {1u, 16u, 32u, 0x400u}) { /* in one warp, and in two */
            k_take<<<N / THREADS, THREADS>>>(t, blocks, size, false);
            k_twice<<<N / THREADS, THREADS>>>(t, blocks, mix); /* half of the blocks */
            k_twice<<<N / THREADS, THREADS>>>(t, blocks, 0);   /* and the others, once */
            CHECK(cudaMemset(t.shadow, 0, t.plan.arena_bytes / 16 * sizeof(*t.shadow)));
            f = findings_of(t);
            taken += N;
            wrong += f.count - freed != N;
            freed = f.count;
        }
    c = counters_of(t);
    is(wrong, 0, "of two threads that free a block at once, one does");
    ok(c.bad.twice + c.bad.inner == taken + 2ull * N && f.refused == 5ull * N + taken,
       "and the other is refused and counted: %llu of %llu", (unsigned long long)c.bad.twice, taken);
    at_rest(t, "after all that was refused");
    CHECK(cudaFree(blocks));
    heap_close(t);
}

static void debug_mode(void)
{
    enum { N = 3 << 13 };
    struct test_heap t = heap_open(UINT64_C(1) << 30, GROSR_HEAP_DEBUG);
    uint32_t **blocks;

    CHECK(cudaMalloc(&blocks, N * sizeof(*blocks)));
    k_take<<<N / THREADS, THREADS>>>(t, blocks, 0, true);
    k_damage<<<N / THREADS, THREADS>>>(t, blocks);
    k_give<<<N / THREADS, THREADS>>>(t, blocks, 31);
    struct grosr_heap_counters c = counters_of(t);
    is(c.bad.damaged, N / 3 * 2, "debug mode: red zones that were written to are counted");
    at_rest(t, "debug mode");
    CHECK(cudaFree(blocks));
    heap_close(t);
}

int main(int argc, char **argv)
{
    double seconds = argc > 1 ? atof(argv[1]) : 5;
    bool timed = !getenv("GROSR_HEAP_UNTIMED"); /* under compute-sanitizer nothing is quick */

    across_kernels();
    refused();
    debug_mode();
    exhausted(UINT64_C(256) << 20, timed);
    exhausted(3 * GROSR_CHUNK_BYTES, false);
    churn_for("mixed sizes", seconds * 0.3, UINT64_C(2) << 30, 0, 264, {0, 200, 8185, 0, false});
    churn_for("a size for each warp", seconds * 0.1, UINT64_C(2) << 30, 0, 264, {0, 200, 8185, 0, true});
    churn_for("with large ones", seconds * 0.1, UINT64_C(1) << 30, 0, 132, {0, 100, 40000, 200, false});
    churn_for("small ones in little memory", seconds * 0.1, UINT64_C(4) << 20, 0, 132,
              {0, 100, 500, 0, false});
    churn_for("in little memory", seconds * 0.1, UINT64_C(64) << 20, 0, 132, {0, 100, 9000, 500, false});
    churn_for("in a few chunks", seconds * 0.1, 3 * GROSR_CHUNK_BYTES, 0, 16, {0, 100, 32000, 0, false});
    churn_for("in one chunk", seconds * 0.1, GROSR_CHUNK_BYTES, 0, 16, {0, 100, 20000, 0, false});
    churn_for("in debug mode", seconds * 0.1, UINT64_C(1) << 30, GROSR_HEAP_DEBUG, 66,
              {0, 50, 8185, 0, false});
    return tap_done();
}
