/*
 * The allocator under many threads, in the release, ASan and TSan builds, with warps of 1, 4 and 32 lanes:
 * blocks of all sizes are allocated, resized, handed to other threads and freed at random, memory runs out
 * and is whole again. A shadow map has an owner for each 16 bytes of the arena, so that an overlap shows at
 * once, and each block has its own content, which is checked before it is freed.
 *
 *     build/release/tests/stress/heap [SECONDS]
 */
#include "../heap_fixture.h"

#include <sched.h>
#include <time.h>

enum { OWN = 64, CELLS = 32, WARPS = GROSR_HOST_LANES == 1 ? 4 : GROSR_HOST_LANES == 4 ? 2 : 1 };

struct owned {
    unsigned char *p;
    uint64_t size, tag;
};

/* Where a thread leaves a block for another one. */
struct cell {
    dev32 state;
    struct owned block;
};

enum { CELL_EMPTY, CELL_BUSY, CELL_FULL };

/* What the threads of a part do. */
struct part {
    const char *name;
    uint32_t chunks, flags;
    uint64_t size_max;  /* of most blocks */
    uint32_t large_one; /* in so many requests is up to twice a chunk, or, one in as many of them, half the
                           arena */
    bool held;          /* threads are held at test points */
    void (*run)(uint64_t *seed);
};

static struct heap_fixture f;
static const struct part *part;
static dev32 *shadow; /* owner's tag, for 16 bytes each */
static struct cell cells[CELLS];
static dev64 tags, trouble, refused, failures, blocks, filled, full;
static uint64_t ends_ns;
static const char *first_trouble;

static uint64_t now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void require(bool condition, const char *what)
{
    if (!condition && dev_add_relaxed(&trouble, 1) == 0)
        first_trouble = what;
}

/* Holds a thread now and then, for a random while. */
static void hold(const char *point)
{
    static _Thread_local dev64 seed; /* lanes may share their thread */
    uint64_t mine = dev_load_relaxed(&seed), x;

    (void)point;
    if (!mine)
        mine = now_ns() | 1;
    x = tap_random(&mine) >> 20;
    dev_store_relaxed(&seed, mine);
    if (x % 1024 == 0) {
        struct timespec t = {0, (long)(x >> 10) % 30000};
        nanosleep(&t, NULL);
    } else if (x % 32 == 0) {
        sched_yield();
    }
}

/* ---- blocks ---- */

static void mark(const struct owned *b, uint32_t from, uint32_t to)
{
    uint64_t first = (uint64_t)(b->p - f.heap.arena) / 16, units = (b->size + 15) / 16;

    for (uint64_t i = 0; i < units || i == 0; i++)
        if (dev_cas_relaxed(&shadow[first + i], from, to) != from) {
            require(false, "blocks overlap");
            return;
        }
}

/* Of a large block the ends and some of what is between are written and checked. */
static uint64_t step_of(uint64_t size)
{
    return size > 4096 ? 8 * (size / 4096 | 1) : 8;
}

static void fill(struct owned *b)
{
    for (uint64_t i = 0; i + 8 <= b->size; i += step_of(b->size))
        *(uint64_t *)(void *)(b->p + i) = b->tag * 0x9e3779b97f4a7c15u + i;
    for (uint64_t i = b->size < 8 ? 0 : b->size - 7; i < b->size; i++)
        b->p[i] = (unsigned char)(b->tag + i);
}

/* Whether the first `size` bytes are as fill() wrote them, for a block of b's size. */
static bool is_intact(const struct owned *b, uint64_t size)
{
    uint64_t tail = b->size < 8 ? 0 : b->size - 7;

    for (uint64_t i = 0; i + 8 <= size && i + 8 <= tail; i += step_of(b->size))
        if (*(const uint64_t *)(const void *)(b->p + i) != b->tag * 0x9e3779b97f4a7c15u + i)
            return false;
    for (uint64_t i = tail; i < size; i++)
        if (b->p[i] != (unsigned char)(b->tag + i))
            return false;
    return true;
}

/* A block is this thread's. */
static void adopt(struct owned *b, unsigned char *p, uint64_t size, uint64_t alignment)
{
    uint64_t offset = (uint64_t)(p - f.heap.arena);

    require((uintptr_t)p % alignment == 0, "a block is not aligned");
    require(offset < f.plan.arena_bytes && size <= f.plan.arena_bytes - offset, "a block outside the arena");
    require(grosr_heap_usable_size(f.me, p) >= size, "a block is too small");
    b->p = p;
    b->size = size;
    b->tag = dev_add_relaxed(&tags, 1) % UINT32_MAX + 1;
    mark(b, 0, (uint32_t)b->tag);
    fill(b);
    dev_count(&blocks, 1);
}

static uint64_t random_size(uint64_t x)
{
    if (part->large_one && x % part->large_one == 0)
        return 1 + (x >> 16) % (x / part->large_one % part->large_one ? 2 * GROSR_CHUNK_BYTES
                                                                      : f.plan.arena_bytes / 2);
    /* More small ones than large ones. */
    return (x >> 16) % (part->size_max >> (x >> 8) % 8 | 1);
}

static bool take(struct owned *b, uint64_t x)
{
    uint64_t size = random_size(x), alignment = 16;
    unsigned char *p;

    switch (x >> 58) {
    case 0:
        alignment = UINT64_C(1) << (x >> 40) % 13;
        p = (unsigned char *)grosr_heap_aligned_alloc(f.me, alignment, size);
        break;
    case 1:
        p = (unsigned char *)grosr_heap_calloc(f.me, size / 8, 8);
        size = size / 8 * 8;
        for (uint64_t i = 0; p && i < size; i += step_of(size))
            require(p[i] == 0, "calloc leaves something");
        break;
    default:
        alignment = grosr_heap_alignment(size);
        p = (unsigned char *)grosr_heap_malloc(f.me, size);
    }
    if (!p) {
        dev_count(&failures, 1);
        return false;
    }
    adopt(b, p, size, alignment);
    return true;
}

static void give(struct owned *b)
{
    require(is_intact(b, b->size), "a block's content changes");
    mark(b, (uint32_t)b->tag, 0);
    require(grosr_heap_free(f.me, b->p) == 0, "a block cannot be freed");
    b->p = NULL;
}

static void resize(struct owned *b, uint64_t x)
{
    uint64_t size = random_size(x), kept = size < b->size ? size : b->size;
    struct owned old = *b;

    require(is_intact(b, b->size), "a block's content changes");
    mark(b, (uint32_t)b->tag, 0);
    unsigned char *p = (unsigned char *)grosr_heap_realloc(f.me, b->p, size);
    if (!p) {
        dev_count(&failures, 1);
        mark(b, 0, (uint32_t)b->tag);
        return;
    }
    old.p = p;
    require(is_intact(&old, kept), "realloc does not keep the content");
    adopt(b, p, size, 16);
}

/* Leaves a block where another thread finds it, or takes one from there and frees it. */
static void exchange(struct owned *b, uint64_t x)
{
    struct cell *c = &cells[x % CELLS];
    uint32_t from = b->p ? CELL_EMPTY : CELL_FULL;

    /* Acquire: before the access to the cell. Pairs with the release below. */
    if (dev_cas_acquire(&c->state, from, (uint32_t)CELL_BUSY) != from)
        return;
    if (b->p) {
        c->block = *b;
        b->p = NULL;
    } else {
        *b = c->block;
    }
    dev_store_release(&c->state, from == CELL_EMPTY ? (uint32_t)CELL_FULL : (uint32_t)CELL_EMPTY);
    if (from == CELL_FULL)
        give(b);
}

/* Pointers that are nobody's to free. */
static void misuse(struct owned *b, uint64_t x)
{
    unsigned char *p = x % 3 ? b->p + 1 + (x >> 8) % (b->size + 1) : f.heap.arena - 1 - (x >> 8) % 1000;

    if (x % 3 && p >= b->p + b->size) /* may be the next block */
        return;
    require(grosr_heap_free(f.me, p) == EINVAL, "a wrong pointer is freed");
    dev_count(&refused, 1);
}

/* ---- parts ---- */

static void churn(uint64_t *seed)
{
    struct owned own[OWN] = {};

    for (uint64_t round = 0; round % 64 || now_ns() < ends_ns; round++) {
        uint64_t x = tap_random(seed);
        struct owned *b = &own[x % OWN];
        x = x >> 6 | x << 58;
        if (!b->p)
            (void)(x % 8 ? take(b, tap_random(seed)) : (exchange(b, x >> 8), false));
        else if (x % 8 == 0)
            resize(b, tap_random(seed));
        else if (x % 8 == 1)
            exchange(b, x >> 8);
        else if (x % 512 == 2)
            misuse(b, x >> 16);
        else if (x % 8 > 3)
            give(b);
    }
    for (uint32_t i = 0; i < OWN; i++)
        if (own[i].p)
            give(&own[i]);
}

/* Each thread allocates until there is no more, and frees what it has; again and again, while others do. */
static void exhaust(uint64_t *seed)
{
    enum { MOST = 4096 };
    struct owned *own =
        (struct owned *)calloc(MOST, sizeof(*own)); /* a lane's: lanes may share their thread */

    require(own != NULL, "out of memory");
    while (own && now_ns() < ends_ns) {
        uint64_t x = tap_random(seed);
        uint32_t n = 0, failed = 0;
        for (; n < MOST && failed < 3; n++)
            if (!take(&own[n], x % 4 ? tap_random(seed) : x)) {
                failed++;
                n--;
            }
        for (uint32_t i = n; i; i--) { /* in any order */
            uint32_t at = (uint32_t)(tap_random(seed) >> 8) % i;
            give(&own[at]);
            own[at] = own[i - 1];
        }
    }
    free(own);
}

/* All allocate one size until there is no more, once. Each block has the one before in it. */
static void fill_all(uint64_t *seed)
{
    void **last = NULL, **p;
    uint64_t n = 0;
    uint32_t step = 0;

    (void)seed;
    while ((p = (void **)grosr_heap_malloc(f.me, part->size_max))) {
        *p = (void *)last;
        last = p;
        n++;
    }
    dev_count(&filled, n);
    dev_count(&full, 1);
    while (dev_load_relaxed(&full) % (WARPS * GROSR_LANES))
        dev_backoff(&step); /* other lanes of the warp run meanwhile */
    for (; last; last = p) {
        p = (void **)*last;
        require(grosr_heap_free(f.me, last) == 0, "a block cannot be freed");
    }
}

static void run_lane(void *arg, uint32_t warp)
{
    uint64_t seed = 1 + warp * 1000 + dev_lane() * 7 + *(const uint64_t *)arg;

    part->run(&seed);
}

/* Nobody has a block any more. */
static void at_rest(void)
{
    struct grosr_heap_counters c;
    const char *what = heap_fixture_unsound(&f, NULL);

    require(!what, what ? what : "");
    c = heap_fixture_counters(&f);
    require(c.largest_bytes == f.plan.arena_bytes, "the counters do not have the whole arena");
    require(c.bad.inner + c.bad.foreign == dev_load_relaxed(&refused) && c.bad.twice == 0,
            "frees that were refused");
    require(c.bad.damaged == 0, "damage");
    for (uint32_t i = 0; i < GROSR_HEAP_DRY; i++)
        require(!f.heap.common->dry[i].classes.v, "a class stays dry");
    void *all = grosr_block_take(f.me, f.plan.arena_bytes, 16);
    require(all == f.heap.arena, "the arena is not one block");
    if (all)
        require((f.heap.flags & GROSR_HEAP_DEBUG) || grosr_heap_free(f.me, all) == 0, "and cannot be freed");
}

static void run_part(const struct part *p, double seconds)
{
    uint64_t seed = 0, want = 0, fills = 0;
    struct dev_host_grid *grid;

    part = p;
    heap_fixture_open(&f, p->chunks, p->flags);
    shadow = (dev32 *)(void *)heap_fixture_map(f.plan.arena_bytes / 16 * sizeof(*shadow));
    memset(&trouble, 0, sizeof(trouble));
    memset(&refused, 0, sizeof(refused));
    memset(&failures, 0, sizeof(failures));
    memset(&blocks, 0, sizeof(blocks));
    memset(&filled, 0, sizeof(filled));
    memset(&full, 0, sizeof(full));
    first_trouble = "";
    dev_point_hook_fn = p->held ? hold : NULL;
    /* In a few turns, after each of which all is freed. */
    for (uint64_t end = now_ns() + (uint64_t)(seconds * 1e9); now_ns() < end || !seed; seed++) {
        ends_ns = now_ns() + (uint64_t)(seconds * 2e8);
        if (dev_host_launch(&grid, WARPS, 1, run_lane, &seed)) {
            printf("Bail out! no threads\n");
            exit(1);
        }
        dev_host_join(grid);
        for (uint32_t i = 0; i < CELLS; i++)
            if (cells[i].state.v == CELL_FULL) {
                give(&cells[i].block);
                cells[i].state.v = CELL_EMPTY;
            }
        if (p->run == fill_all)
            fills++;
        if (!(p->flags & GROSR_HEAP_DEBUG) || now_ns() >= end)
            at_rest();
    }
    dev_point_hook_fn = NULL;
    want = fills * p->chunks * grosr_class_slots(grosr_class_of(p->size_max));
    ok(!trouble.v, "%s: %" PRIu64 " blocks, %" PRIu64 " requests failed%s%s", p->name, blocks.v + filled.v,
       failures.v, trouble.v ? ": " : "", first_trouble);
    if (fills)
        is(filled.v, want, "%s: together the threads get every slot", p->name);
    munmap(shadow, f.plan.arena_bytes / 16 * sizeof(*shadow));
    heap_fixture_close(&f);
}

int main(int argc, char **argv)
{
    static const struct part parts[] = {
        {"all sizes", 400, 0, 9000, 64, false, churn},
        {"all sizes, in little memory", 20, 0, 40000, 16, false, churn},
        {"few slots in few chunks, threads held", 3, 0, 33000, 64, true, churn},
        {"small blocks, threads held", 2, 0, 2000, 0, true, churn},
        {"debug mode", 200, GROSR_HEAP_DEBUG, 9000, 64, false, churn},
        {"until there is no more", 40, 0, 20000, 40, false, exhaust},
        {"in one chunk, threads held", 1, 0, 9000, 0, true, exhaust},
        {"blocks of 64 bytes, until there are no more", 16, 0, 64, 0, false, fill_all},
        {"of 8 KiB, threads held", 40, 0, 8192, 0, true, fill_all},
        {"of 32 KiB, threads held", 9, 0, 32768, 0, true, fill_all},
    };
    double seconds = argc > 1 ? atof(argv[1]) : 3;
    uint32_t n = sizeof(parts) / sizeof(*parts);

    for (uint32_t i = 0; i < n; i++)
        run_part(&parts[i], seconds / n);
    return tap_done();
}
