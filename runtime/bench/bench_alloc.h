/*
 * Kernels of the experiment `alloc`: threads that allocate, write and free, from a heap of GROSR's or, as
 * baseline, by what the device has for malloc() and free(). One text for the device and for the host's
 * threads.
 *
 * The kernel and the allocator are constants where this is inlined, so that each kernel has the code of one
 * case alone. A thread i, 0 .. threads-1, writes to places i of the arrays; what one kernel has written is
 * read by the kernels after it.
 *
 * A block's contents: its first word and, if it has two, its last one tell the thread that wrote it, so that
 * of two blocks that overlap there one is found damaged. That whole blocks do not overlap is for the host to
 * see, from their addresses (bench_alloc_rig.c).
 */
#ifndef GROSR_BENCH_ALLOC_H
#define GROSR_BENCH_ALLOC_H

#include "../alloc/alloc.h"

#include <stdlib.h>

/* On a GPU, threads of a block. */
#define GROSR_BENCH_ALLOC_BLOCK 256u

enum grosr_bench_alloc_kernel {
    GROSR_BENCH_ALLOC_MALLOC,
    GROSR_BENCH_ALLOC_CHECK,
    GROSR_BENCH_ALLOC_FREE,
    GROSR_BENCH_ALLOC_ALONE,
    GROSR_BENCH_ALLOC_CHURN,
    GROSR_BENCH_ALLOC_FILL,
    GROSR_BENCH_ALLOC_DRAIN,
    GROSR_BENCH_ALLOC_GRAPH,
    GROSR_BENCH_ALLOC_GRAPH_CHECK,
    GROSR_BENCH_ALLOC_PRODUCE,
    GROSR_BENCH_ALLOC_CONSUME,
    GROSR_BENCH_ALLOC_KERNELS,
};

/*
 * Every kernel: its name, its number, and how many blocks each SM is to have room for. With 1 the compiler
 * may use all the registers that the slow paths want, some 160; with 4 it must make do with 64, with 8
 * with 32. Then more warps hide the time of each other's trips to memory; but where registers are spilled on
 * the way that all take, which is so of malloc with fewer than 64, that costs more.
 */
#define GROSR_BENCH_ALLOC_LIST(X)                    \
    X(malloc, GROSR_BENCH_ALLOC_MALLOC, 4)           \
    X(check, GROSR_BENCH_ALLOC_CHECK, 4)             \
    X(free, GROSR_BENCH_ALLOC_FREE, 8)               \
    X(alone, GROSR_BENCH_ALLOC_ALONE, 1)             \
    X(churn, GROSR_BENCH_ALLOC_CHURN, 4)             \
    X(fill, GROSR_BENCH_ALLOC_FILL, 4)               \
    X(drain, GROSR_BENCH_ALLOC_DRAIN, 4)             \
    X(graph, GROSR_BENCH_ALLOC_GRAPH, 4)             \
    X(graph_check, GROSR_BENCH_ALLOC_GRAPH_CHECK, 4) \
    X(produce, GROSR_BENCH_ALLOC_PRODUCE, 4)         \
    X(consume, GROSR_BENCH_ALLOC_CONSUME, 4)

/* What kernels count. */
enum grosr_bench_tally {
    GROSR_BENCH_FAILED,  /* requests that got NULL, where there was memory */
    GROSR_BENCH_REFUSED, /* frees */
    GROSR_BENCH_DAMAGED, /* blocks with other contents than were written, or misaligned */
    GROSR_BENCH_FILLED,  /* requests of the kernel `fill` that got memory */
    GROSR_BENCH_TALLIES,
};

/* A vertex's adjacency list. `sum`: of its edges. */
struct grosr_bench_edges {
    uint32_t *edge;
    uint32_t length, capacity;
    uint64_t sum;
};

/* What a kernel gets. By value. */
struct grosr_bench_alloc {
    struct grosr_heap heap;
    void **block;                   /* [threads] */
    uint32_t *born;                 /* [threads]: the seed of the block's size, by the kernel `churn` */
    uint64_t *note;                 /* [threads]: times in ns */
    struct grosr_bench_edges *list; /* [threads] */
    dev64 *tally;                   /* [GROSR_BENCH_TALLIES] */
    uint64_t *start_ns, *end_ns;    /* of each warp's work */
    uint32_t threads;
    uint32_t skipped; /* of so many + 1 threads in a row, a power of two, the first one allocates */
    uint32_t size;    /* of a block; 0: random, 4 bytes to 8 KiB */
    uint32_t seed;    /* of what is random */
    uint32_t aged;    /* the sizes are those of `born` */
    uint32_t steps;   /* `alone`: calls; `fill`: requests of a thread; `graph`: the bound of lengths */
};

/* ---- what is random: known to the host too ---- */

/* The finaliser of MurmurHash3 (A. Appleby). */
GROSR_DEVICE uint32_t grosr_bench_hash(uint32_t x, uint32_t seed)
{
    x ^= seed * 0x9e3779b9u;
    x ^= x >> 16;
    x *= 0x85ebca6bu;
    x ^= x >> 13;
    x *= 0xc2b2ae35u;
    return x ^ x >> 16;
}

#define GROSR_BENCH_SIZE_MIN 4u
#define GROSR_BENCH_SIZE_MAX 8192u

GROSR_DEVICE uint32_t grosr_bench_random_size(uint32_t i, uint32_t seed)
{
    return GROSR_BENCH_SIZE_MIN +
           grosr_bench_hash(i, seed) % (GROSR_BENCH_SIZE_MAX - GROSR_BENCH_SIZE_MIN + 1);
}

GROSR_DEVICE uint32_t grosr_bench_size(const struct grosr_bench_alloc *a, uint32_t i)
{
    return a->size ? a->size : grosr_bench_random_size(i, a->aged ? a->born[i] : a->seed);
}

/* Whether `churn` frees the block that the thread has. */
GROSR_DEVICE bool grosr_bench_churns(uint32_t i, uint32_t seed)
{
    return grosr_bench_hash(~i, seed) & 1;
}

/* How long a list is to be: below `bound`, and in one of 32 lists eight times as much. */
GROSR_DEVICE uint32_t grosr_bench_length(uint32_t i, uint32_t seed, uint32_t bound)
{
    uint32_t h = grosr_bench_hash(i, seed);
    return bound ? h % bound * (h >> 27 ? 1 : 8) : 0;
}

/* How many records a thread makes, 0 to 7. */
GROSR_DEVICE uint32_t grosr_bench_records(uint32_t i, uint32_t seed)
{
    return grosr_bench_hash(i, seed) >> 29;
}

/* ---- the allocators ---- */

GROSR_DEVICE void *grosr_bench_take(const struct grosr_bench_alloc *a, bool plain, uint64_t size)
{
    return plain ? malloc(size) : grosr_heap_malloc(grosr_heap_anyone(&a->heap), size);
}

GROSR_DEVICE void grosr_bench_give(const struct grosr_bench_alloc *a, bool plain, void *p)
{
    if (plain)
        free(p);
    else if (grosr_heap_free(grosr_heap_anyone(&a->heap), p))
        dev_count(&a->tally[GROSR_BENCH_REFUSED], 1);
}

GROSR_DEVICE void grosr_bench_block_write(void *p, uint32_t size, uint32_t word)
{
    uint32_t *at = (uint32_t *)p;

    at[0] = word;
    if (size >= 8)
        at[size / 4 - 1] = ~word;
}

GROSR_DEVICE void grosr_bench_block_check(const struct grosr_bench_alloc *a, const void *p, uint32_t size,
                                          uint32_t word)
{
    const uint32_t *at = (const uint32_t *)p;

    if ((uintptr_t)p % 16 || at[0] != word || (size >= 8 && at[size / 4 - 1] != ~word))
        dev_count(&a->tally[GROSR_BENCH_DAMAGED], 1);
}

/* ---- one allocation each ---- */

GROSR_DEVICE void grosr_bench_do_malloc(const struct grosr_bench_alloc *a, bool plain, uint32_t i)
{
    if (i & a->skipped)
        return;
    uint32_t size = grosr_bench_size(a, i);
    void *p = grosr_bench_take(a, plain, size);
    a->block[i] = p;
    if (p)
        grosr_bench_block_write(p, size, i);
    else
        dev_count(&a->tally[GROSR_BENCH_FAILED], 1);
}

GROSR_DEVICE void grosr_bench_do_check(const struct grosr_bench_alloc *a, uint32_t i)
{
    if (!(i & a->skipped) && a->block[i])
        grosr_bench_block_check(a, a->block[i], grosr_bench_size(a, i), i);
}

GROSR_DEVICE void grosr_bench_do_free(const struct grosr_bench_alloc *a, bool plain, uint32_t i)
{
    if (!(i & a->skipped))
        grosr_bench_give(a, plain, a->block[i]);
}

/* One thread of the device: note[0] is the time of the first malloc, note[1] of so many, note[2] of their
 * frees. The first pass warms up. */
GROSR_DEVICE void grosr_bench_do_alone(const struct grosr_bench_alloc *a, bool plain)
{
    uint64_t start = dev_clock_ns();
    void *first = grosr_bench_take(a, plain, a->size);

    a->note[0] = dev_clock_ns() - start;
    grosr_bench_give(a, plain, first);
    GROSR_DEVICE_NO_UNROLL
    for (uint32_t pass = 0; pass < 2; pass++) {
        start = dev_clock_ns();
        GROSR_DEVICE_NO_UNROLL
        for (uint32_t k = 0; k < a->steps; k++)
            a->block[k] = grosr_bench_take(a, plain, a->size);
        a->note[1] = dev_clock_ns() - start;
        GROSR_DEVICE_NO_UNROLL
        for (uint32_t k = 0; k < a->steps; k++)
            if (a->block[k])
                grosr_bench_block_write(a->block[k], a->size, k);
            else
                dev_count(&a->tally[GROSR_BENCH_FAILED], 1);
        GROSR_DEVICE_NO_UNROLL
        for (uint32_t k = 0; k < a->steps; k++)
            if (a->block[k])
                grosr_bench_block_check(a, a->block[k], a->size, k);
        start = dev_clock_ns();
        GROSR_DEVICE_NO_UNROLL
        for (uint32_t k = 0; k < a->steps; k++)
            grosr_bench_give(a, plain, a->block[k]);
        a->note[2] = dev_clock_ns() - start;
    }
}

/* ---- rounds: about half of the threads free their blocks and get others, of other sizes ---- */

GROSR_DEVICE void grosr_bench_do_churn(const struct grosr_bench_alloc *a, bool plain, uint32_t i)
{
    void *p = a->block[i];

    if (p) {
        if (!grosr_bench_churns(i, a->seed))
            return;
        grosr_bench_block_check(a, p, grosr_bench_random_size(i, a->born[i]), i);
        grosr_bench_give(a, plain, p);
    }
    uint32_t size = grosr_bench_random_size(i, a->seed);
    p = grosr_bench_take(a, plain, size);
    a->block[i] = p;
    a->born[i] = a->seed;
    if (p)
        grosr_bench_block_write(p, size, i);
    else
        dev_count(&a->tally[GROSR_BENCH_FAILED], 1);
}

/* ---- until there is no memory: a thread's blocks form a list, so that they can be freed again ---- */

struct grosr_bench_link {
    struct grosr_bench_link *next;
    uint64_t word;
};

GROSR_DEVICE uint64_t grosr_bench_link_word(const struct grosr_bench_link *link, uint32_t i)
{
    return (uint64_t)(uintptr_t)link ^ (uint64_t)~i << 40;
}

/* note[i]: how long the request took that got NULL. */
GROSR_DEVICE void grosr_bench_do_fill(const struct grosr_bench_alloc *a, bool plain, uint32_t i)
{
    struct grosr_bench_link *head = (struct grosr_bench_link *)a->block[i];
    uint32_t got = 0;

    a->note[i] = 0;
    GROSR_DEVICE_NO_UNROLL
    while (got < a->steps) {
        uint64_t start = dev_clock_ns();
        struct grosr_bench_link *link = (struct grosr_bench_link *)grosr_bench_take(a, plain, a->size);
        if (!link) {
            a->note[i] = dev_clock_ns() - start;
            break;
        }
        link->next = head;
        link->word = grosr_bench_link_word(link, i);
        head = link;
        got++;
    }
    a->block[i] = head;
    dev_count(&a->tally[GROSR_BENCH_FILLED], got);
}

GROSR_DEVICE void grosr_bench_do_drain(const struct grosr_bench_alloc *a, bool plain, uint32_t i)
{
    struct grosr_bench_link *link = (struct grosr_bench_link *)a->block[i];

    GROSR_DEVICE_NO_UNROLL
    while (link) {
        struct grosr_bench_link *next = link->next;
        if (link->word != grosr_bench_link_word(link, i)) { /* and where the next one is, nobody knows */
            dev_count(&a->tally[GROSR_BENCH_DAMAGED], 1);
            break;
        }
        grosr_bench_give(a, plain, link);
        link = next;
    }
    a->block[i] = NULL;
}

/* ---- a dynamic graph: adjacency lists that grow and shrink to random lengths ---- */

/* The capacity of a list that shall have `length` edges: a power of two from 4 on, which is kept until a
 * quarter would do. */
GROSR_DEVICE uint32_t grosr_bench_capacity(uint32_t length, uint32_t now)
{
    if (length <= now && length > now / 4)
        return now;
    return length == 0 ? 0 : length <= 4 ? 4 : 1u << dev_fls32(length - 1);
}

GROSR_DEVICE bool grosr_bench_resize(const struct grosr_bench_alloc *a, bool plain,
                                     struct grosr_bench_edges *l, uint32_t capacity)
{
    uint32_t *now = NULL;

    if (capacity && !(now = (uint32_t *)grosr_bench_take(a, plain, capacity * sizeof(uint32_t)))) {
        dev_count(&a->tally[GROSR_BENCH_FAILED], 1);
        return false;
    }
    GROSR_DEVICE_NO_UNROLL
    for (uint32_t k = 0; k < l->length; k++)
        now[k] = l->edge[k];
    grosr_bench_give(a, plain, l->edge);
    l->edge = now;
    l->capacity = capacity;
    return true;
}

GROSR_DEVICE void grosr_bench_do_graph(const struct grosr_bench_alloc *a, bool plain, uint32_t i)
{
    struct grosr_bench_edges l = a->list[i];
    uint32_t length = grosr_bench_length(i, a->seed, a->steps);
    uint32_t capacity = grosr_bench_capacity(length, l.capacity);

    GROSR_DEVICE_NO_UNROLL
    while (l.length > length)
        l.sum -= l.edge[--l.length];
    if (capacity != l.capacity && !grosr_bench_resize(a, plain, &l, capacity) && length > l.capacity)
        length = l.capacity;
    GROSR_DEVICE_NO_UNROLL
    for (; l.length < length; l.length++) {
        l.edge[l.length] = grosr_bench_hash(i + l.length, a->seed);
        l.sum += l.edge[l.length];
    }
    a->list[i] = l;
}

GROSR_DEVICE void grosr_bench_do_graph_check(const struct grosr_bench_alloc *a, uint32_t i)
{
    struct grosr_bench_edges l = a->list[i];
    uint64_t sum = 0;

    GROSR_DEVICE_NO_UNROLL
    for (uint32_t k = 0; k < l.length; k++)
        sum += l.edge[k];
    if (sum != l.sum || l.length != grosr_bench_length(i, a->seed, a->steps))
        dev_count(&a->tally[GROSR_BENCH_DAMAGED], 1);
}

/* ---- work for the next kernel: a list of records, which another thread takes over ---- */

GROSR_DEVICE void grosr_bench_do_produce(const struct grosr_bench_alloc *a, bool plain, uint32_t i)
{
    uint32_t n = grosr_bench_records(i, a->seed);
    struct grosr_bench_link *head = NULL;

    GROSR_DEVICE_NO_UNROLL
    for (uint32_t k = 0; k < n; k++) {
        uint32_t h = grosr_bench_hash(i * 8 + k, a->seed);
        struct grosr_bench_link *record =
            (struct grosr_bench_link *)grosr_bench_take(a, plain, sizeof(*record) + h % 240);
        if (!record) {
            dev_count(&a->tally[GROSR_BENCH_FAILED], 1);
            break;
        }
        record->next = head;
        record->word = h;
        head = record;
    }
    a->block[i] = head;
}

GROSR_DEVICE void grosr_bench_do_consume(const struct grosr_bench_alloc *a, bool plain, uint32_t j)
{
    uint32_t i = a->threads - 1 - j, k = grosr_bench_records(i, a->seed);
    struct grosr_bench_link *record = (struct grosr_bench_link *)a->block[i];
    bool right = true;

    GROSR_DEVICE_NO_UNROLL
    while (record && right) {
        struct grosr_bench_link *next = record->next;
        right = k > 0 && record->word == grosr_bench_hash(i * 8 + --k, a->seed);
        grosr_bench_give(a, plain, record);
        record = next;
    }
    if (!right || k)
        dev_count(&a->tally[GROSR_BENCH_DAMAGED], 1);
}

/* ---- a thread ---- */

/* `kernel` and `plain`, whether it is the baseline, are constants. */
GROSR_DEVICE void grosr_bench_alloc_do(const struct grosr_bench_alloc *a,
                                       enum grosr_bench_alloc_kernel kernel, bool plain, uint32_t i)
{
    switch (kernel) {
    case GROSR_BENCH_ALLOC_MALLOC:
        grosr_bench_do_malloc(a, plain, i);
        break;
    case GROSR_BENCH_ALLOC_CHECK:
        grosr_bench_do_check(a, i);
        break;
    case GROSR_BENCH_ALLOC_FREE:
        grosr_bench_do_free(a, plain, i);
        break;
    case GROSR_BENCH_ALLOC_ALONE:
        grosr_bench_do_alone(a, plain);
        break;
    case GROSR_BENCH_ALLOC_CHURN:
        grosr_bench_do_churn(a, plain, i);
        break;
    case GROSR_BENCH_ALLOC_FILL:
        grosr_bench_do_fill(a, plain, i);
        break;
    case GROSR_BENCH_ALLOC_DRAIN:
        grosr_bench_do_drain(a, plain, i);
        break;
    case GROSR_BENCH_ALLOC_GRAPH:
        grosr_bench_do_graph(a, plain, i);
        break;
    case GROSR_BENCH_ALLOC_GRAPH_CHECK:
        grosr_bench_do_graph_check(a, i);
        break;
    case GROSR_BENCH_ALLOC_PRODUCE:
        grosr_bench_do_produce(a, plain, i);
        break;
    case GROSR_BENCH_ALLOC_CONSUME:
        grosr_bench_do_consume(a, plain, i);
        break;
    default:
        break;
    }
}

/* A collective, before and after a warp's work: the time, at start_ns or end_ns. */
GROSR_DEVICE void grosr_bench_alloc_stamp(uint64_t *at, uint32_t warp)
{
    dev_syncwarp();
    if (dev_lane() == 0)
        at[warp] = dev_clock_ns();
}

#endif
