/*
 * Large blocks, against a model: a request is satisfied exactly if there is a run of free chunks for it, at
 * the upper end of the highest one, whatever words of the map it lies in and what it is aligned to.
 */
#include "../heap_fixture.h"

enum { CHUNKS_MAX = 9000, BLOCKS_MAX = 2000 };

static struct heap_fixture f;
static unsigned char taken[CHUNKS_MAX];
static struct {
    unsigned char *p;
    uint32_t first, chunks;
} block[BLOCKS_MAX];
static uint32_t blocks;

/* Where the model has a run of n free chunks whose address is a multiple of `step` chunks; -1: nowhere. A run
 * that is long enough, but not once its end is aligned, does not do. */
static int64_t place_of(uint32_t n, uint32_t step)
{
    uint32_t base = (uint32_t)((uintptr_t)f.heap.arena >> GROSR_CHUNK_SHIFT);

    for (int64_t end = f.heap.chunks, from; end > 0; end = from) {
        for (; end > 0 && taken[end - 1]; end--)
            ;
        for (from = end; from > 0 && !taken[from - 1]; from--)
            ;
        int64_t at = end - n;
        at -= ((int64_t)base + at) & (step - 1);
        if (at >= from)
            return at;
    }
    return -1;
}

static bool take(uint32_t n, uint32_t step, uint64_t less)
{
    int64_t want = place_of(n, step);
    uint64_t size = ((uint64_t)n << GROSR_CHUNK_SHIFT) - less;
    unsigned char *p =
        (unsigned char *)grosr_heap_aligned_alloc(f.me, (uint64_t)step << GROSR_CHUNK_SHIFT, size);

    if (!p)
        return want < 0;
    if (want < 0 || p != grosr_chunk_address(&f.heap, (uint32_t)want) ||
        grosr_heap_usable_size(f.me, p) != (uint64_t)n << GROSR_CHUNK_SHIFT)
        return false;
    memset(&taken[want], 1, n);
    block[blocks].p = p;
    block[blocks].first = (uint32_t)want;
    block[blocks++].chunks = n;
    return true;
}

static bool give(uint32_t i)
{
    memset(&taken[block[i].first], 0, block[i].chunks);
    int err = grosr_heap_free(f.me, block[i].p);
    block[i] = block[--blocks];
    return err == 0;
}

static const char *counted(void)
{
    uint64_t live[GROSR_CLASSES + 1] = {0}, used = 0, longest = 0, run = 0;
    struct grosr_heap_counters c = heap_fixture_counters(&f);

    live[GROSR_CLASS_LARGE] = blocks;
    for (uint32_t i = 0; i < f.heap.chunks; i++) {
        used += taken[i];
        run = taken[i] ? 0 : run + 1;
        longest = run > longest ? run : longest;
    }
    if (c.large_chunks != used || c.largest_bytes != longest << GROSR_CHUNK_SHIFT)
        return "chunks, or the largest request";
    return heap_fixture_unsound(&f, live);
}

static void random_runs(uint32_t chunks, uint32_t base, uint32_t longest)
{
    uint64_t seed = chunks * 64 + base, wrong = 0, full = 0;
    const char *what = NULL;

    memset(taken, 0, sizeof(taken));
    blocks = 0;
    heap_fixture_open_at(&f, chunks, 0, 64, base);
    for (uint32_t round = 0; round < 12 && !what; round++) {
        for (uint32_t i = 0; i < 400; i++) {
            uint64_t x = tap_random(&seed);
            /* More is taken than freed in even rounds, and less in the others. */
            if (blocks < BLOCKS_MAX && (round % 2 ? x % 4 == 0 : x % 4 != 0)) {
                uint32_t n = 1 + (uint32_t)(x >> 8) % (i % 5 ? longest : chunks), before = blocks;
                wrong += !take(n, i % 3 ? 1 : 1u << (x >> 40) % 7, (x >> 48) % (n > 1 ? 65536 : 32768));
                full += blocks == before;
            } else if (blocks) {
                wrong += !give((uint32_t)(x >> 8) % blocks);
            }
        }
        what = counted();
    }
    while (blocks)
        wrong += !give(blocks - 1);
    what = what ? what : counted();
    is(wrong, 0,
       "%u chunks, the first one is the %uth of 64: every run is where it should be, %d times there was none",
       chunks, base, (int)full);
    ok(!what, "and the counters are exact: %s", what ? what : "yes");
    heap_fixture_close(&f);
}

/* Every run that begins and ends anywhere, with a block below and one above that stay. */
static void every_place(void)
{
    enum { CHUNKS = 200 };
    uint64_t wrong = 0;

    memset(taken, 0, sizeof(taken));
    blocks = 0;
    heap_fixture_open(&f, CHUNKS, 0);
    for (uint32_t top = 1; top < CHUNKS; top += 1 + top % 5) {
        wrong += !take(top, 1, 0);
        for (uint32_t n = 1; n < CHUNKS - top; n += 1 + n % 7) {
            wrong += !take(n, 1, 1);
            if (CHUNKS - top - n > 0)
                wrong += !take(CHUNKS - top - n, 1, 0); /* what is left, exactly */
            wrong += !take(1, 1, 0);                    /* and no more */
            wrong += !give(1);
            wrong += !take(n, 1, 0); /* in between */
            while (blocks > 1)
                wrong += !give(blocks - 1);
        }
        wrong += !give(0);
    }
    is(wrong, 0, "runs that begin and end anywhere");
    ok(!counted(), "and the counters are exact");
    heap_fixture_close(&f);
}

/* Slabs that are empty, but kept since a cursor points to them, are in the way of no large block. */
static void over_slabs(void)
{
    uint64_t wrong = 0;

    heap_fixture_open(&f, 130, 0);
    for (uint32_t round = 0; round < 3; round++) {
        void *small[GROSR_CLASSES];
        for (uint32_t c = 0; c < GROSR_CLASSES; c++)
            small[c] = grosr_heap_malloc(f.me, grosr_class_bytes(c));
        is(heap_fixture_counters(&f).slab_chunks, GROSR_CLASSES, "a slab of each class");
        wrong +=
            grosr_heap_malloc(f.me, f.plan.arena_bytes - ((GROSR_CLASSES - 1) << GROSR_CHUNK_SHIFT)) != NULL;
        void *rest = grosr_heap_malloc(f.me, f.plan.arena_bytes - (GROSR_CLASSES << GROSR_CHUNK_SHIFT));
        wrong += !rest || grosr_heap_free(f.me, rest);
        for (uint32_t c = 0; c < GROSR_CLASSES; c++)
            wrong += grosr_heap_free(f.me, small[c]) != 0;
        struct grosr_heap_counters counters = heap_fixture_counters(&f);
        wrong +=
            counters.empty_chunks != counters.slab_chunks || counters.largest_bytes != f.plan.arena_bytes;
        void *all = grosr_heap_malloc(f.me, f.plan.arena_bytes);
        wrong += !all || grosr_heap_free(f.me, all) || heap_fixture_unsound(&f, NULL) != NULL;
        is(heap_fixture_counters(&f).free_chunks, 130, "and none when they were needed");
    }
    is(wrong, 0, "all the arena is one block while cursors point to empty slabs of every class");
    heap_fixture_close(&f);
}

/* Two threads free a block; between what the slower one has seen of it and its swap, the block is freed and
 * the next one begins at the same chunk, and is shorter. */
static void late_free(void)
{
    uint64_t seen;

    heap_fixture_open(&f, 10, 0);
    unsigned char *p = (unsigned char *)grosr_heap_malloc(f.me, f.plan.arena_bytes);
    seen = dev_load_relaxed(&f.heap.state[0]);
    is(grosr_heap_free(f.me, p), 0, "a block is freed");
    void *rest = grosr_heap_malloc(f.me, 9 * GROSR_CHUNK_BYTES);
    void *first = grosr_heap_malloc(f.me, GROSR_CHUNK_BYTES);
    ok(first == p && rest, "and another one begins where it did");
    ok(!grosr_large_return(f.me, 0, seen), "who has seen the first one cannot free the second");
    is(heap_fixture_counters(&f).free_chunks, 0, "so that no chunk of others is freed");
    grosr_heap_free(f.me, first);
    grosr_heap_free(f.me, rest);
    heap_fixture_ok(&f, NULL, "after that");
    heap_fixture_close(&f);
}

int main(void)
{
    every_place();
    random_runs(1, 0, 1);
    random_runs(2, 63, 2);
    random_runs(63, 1, 9);
    random_runs(64, 0, 9);
    random_runs(65, 7, 9);
    random_runs(300, 33, 20);
    random_runs(4097, 0, 90);
    random_runs(8333, 50, 300);
    over_slabs();
    late_free();
    return tap_done();
}
