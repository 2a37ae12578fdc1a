/*
 * The allocator as a single thread sees it: every call of alloc.h, memory that runs out and is whole again
 * afterwards, pointers that must not be freed, and counters that are exact.
 */
#include "../heap_fixture.h"

enum { CHUNKS = 200 };

static struct heap_fixture f;

static bool all_are(const unsigned char *p, uint64_t bytes, unsigned char value)
{
    for (uint64_t i = 0; i < bytes; i++)
        if (p[i] != value)
            return false;
    return true;
}

static bool inside(const void *p, uint64_t bytes)
{
    uintptr_t at = (uintptr_t)p - (uintptr_t)f.heap.arena;
    return at < f.plan.arena_bytes && bytes <= f.plan.arena_bytes - at;
}

static void every_size(void)
{
    enum { N = 3000 };
    static unsigned char *block[N];
    static uint64_t size[N];
    uint64_t wrong = 0, damaged = 0, live[GROSR_CLASSES + 1] = {0};
    const char *what;

    for (uint32_t i = 0; i < N; i++) {
        size[i] = i < 600 ? i : i < 1000 ? (uint64_t)i * 8 : i < 1005 ? (uint64_t)i * 70 : i - 500;
        unsigned char *p = block[i] = (unsigned char *)grosr_heap_malloc(f.me, size[i]);
        uint64_t usable = grosr_heap_usable_size(f.me, p);
        if (!p || !inside(p, usable) || usable < size[i] || (uintptr_t)p % grosr_heap_alignment(size[i])) {
            wrong++;
            continue;
        }
        memset(p, (int)i & 255, usable);
        live[grosr_class_of(size[i])]++;
    }
    is(wrong, 0, "%d blocks of 0 to 70 KiB, inside the arena, large enough and aligned", N);
    heap_fixture_ok(&f, live, "while they are there");
    for (uint32_t i = 0; i < N; i++) {
        damaged += !all_are(block[i], grosr_heap_usable_size(f.me, block[i]), (unsigned char)(i & 255));
        wrong += grosr_heap_free(f.me, block[i]) != 0;
    }
    is(damaged, 0, "no two of them share a byte");
    is(wrong, 0, "all are freed");
    what = heap_fixture_unsound(&f, NULL);
    ok(!what, "and the counters are exact: %s", what ? what : "yes");
    is(grosr_heap_free(f.me, NULL), 0, "NULL may be freed");
    is(grosr_heap_usable_size(f.me, NULL), 0, "and has no room");
}

static void zeroes(void)
{
    unsigned char *p = (unsigned char *)grosr_heap_malloc(f.me, 5000);
    uint64_t failures;

    memset(p, 0xff, 5000);
    grosr_heap_free(f.me, p);
    p = (unsigned char *)grosr_heap_calloc(f.me, 50, 100);
    ok(p && all_are(p, 5000, 0), "calloc: zeroes where something else was");
    grosr_heap_free(f.me, p);
    ok(!grosr_heap_calloc(f.me, UINT64_MAX / 2, 3), "n * size that overflows: NULL");
    ok(!grosr_heap_calloc(f.me, (UINT64_C(1) << 33) + 1, UINT64_C(1) << 31),
       "one that would wrap to 2 GiB too");
    ok(!grosr_heap_calloc(f.me, (UINT64_C(1) << 60) + 1, 16), "and one that would wrap to 16");
    failures = heap_fixture_counters(&f).large.failures;
    ok(!grosr_heap_calloc(f.me, UINT64_MAX, 1), "2^64 - 1 bytes: NULL");
    is(heap_fixture_counters(&f).large.failures, failures + 1, "which counts as a failure");
    p = (unsigned char *)grosr_heap_calloc(f.me, 0, 16);
    ok(p && grosr_heap_free(f.me, p) == 0, "none of 16 bytes: a block");
    p = (unsigned char *)grosr_heap_calloc(f.me, UINT64_MAX, 0);
    ok(p && grosr_heap_free(f.me, p) == 0, "many of none: a block");
    heap_fixture_ok(&f, NULL, "after calloc");
}

static void resized(void)
{
    static const uint64_t sizes[] = {1,    16,    17,    5000,   4000, 2600, 2000,       40000, 70000,
                                     9000, 65536, 65537, 300000, 100,  7,    UINT64_MAX, 0};
    unsigned char *p = (unsigned char *)grosr_heap_realloc(f.me, NULL, 10);
    uint64_t before = 10, wrong = 0;

    ok(p != NULL, "realloc of NULL allocates");
    memset(p, 1, 10);
    for (uint32_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        uint64_t kept = sizes[i] < before ? sizes[i] : before;
        unsigned char *now = (unsigned char *)grosr_heap_realloc(f.me, p, sizes[i]);
        if (sizes[i] == UINT64_MAX) {
            wrong += now != NULL || !all_are(p, before, (unsigned char)(i + 1));
            memset(p, (int)i + 2, before);
            continue;
        }
        p = now;
        wrong +=
            !p || !all_are(p, kept, (unsigned char)(i + 1)) || grosr_heap_usable_size(f.me, p) < sizes[i];
        memset(p, (int)i + 2, sizes[i]);
        before = sizes[i];
    }
    is(wrong, 0, "grown and shrunk, into and out of whole chunks: what is kept of the content is there");
    is(heap_fixture_counters(&f).class_[0].used, 1, "and the block shrinks to what is needed");
    ok(!grosr_heap_realloc(f.me, p + 1, 100), "realloc of an inner pointer is refused");
    is(grosr_heap_free(f.me, p), 0, "and frees nothing");
    heap_fixture_ok(&f, NULL, "after realloc");
    is(heap_fixture_counters(&f).bad.inner, 1, "which is counted");
    p = (unsigned char *)grosr_heap_malloc(f.me, 100);
    grosr_heap_free(f.me, p);
    is(grosr_heap_usable_size(f.me, p), 0, "a block that is freed has no room");
    ok(!grosr_heap_realloc(f.me, p, 100), "realloc of one in its place is refused");
    ok(!grosr_heap_realloc(f.me, p, 1000), "and one that moves it");
    is(heap_fixture_counters(&f).bad.twice, 2, "both are counted");
    heap_fixture_ok(&f, NULL, "after that");
    heap_fixture_reset(&f);
}

static void aligned_at(void)
{
    uint64_t wrong = 0, failed = 0;

    for (uint64_t alignment = 1; alignment <= UINT64_C(4) << 20; alignment *= 2)
        for (uint64_t size = 0; size < 200000; size = size * 3 / 2 + 1) {
            unsigned char *p = (unsigned char *)grosr_heap_aligned_alloc(f.me, alignment, size);
            wrong += !p || (uintptr_t)p % alignment || !inside(p, size) ||
                     grosr_heap_usable_size(f.me, p) < size || grosr_heap_free(f.me, p);
        }
    is(wrong, 0, "aligned blocks from 1 byte to 4 MiB");
    static const uint64_t none[] = {0, 3, 24, UINT64_MAX, (UINT64_C(1) << 40) + 1};
    for (uint32_t i = 0; i < sizeof(none) / sizeof(*none); i++)
        failed += grosr_heap_aligned_alloc(f.me, none[i], 10) != NULL;
    is(failed, 0, "no power of two: NULL");
    for (uint64_t alignment = UINT64_C(32) << 20; alignment; alignment *= 2)
        failed += grosr_heap_aligned_alloc(f.me, alignment, 10) != NULL && alignment > UINT64_C(64) << 20;
    for (uint64_t alignment = 1; alignment; alignment *= 2)
        for (uint64_t less = 0; less < 200000; less = less * 3 / 2 + 1)
            failed += grosr_heap_aligned_alloc(f.me, alignment, UINT64_MAX - less) != NULL;
    is(failed, 0, "what cannot be had at all: NULL, for every alignment and for sizes up to 2^64 - 1");
    heap_fixture_reset(&f);
    unsigned char *p = (unsigned char *)grosr_heap_aligned_alloc(f.me, UINT64_C(128) << 10, 0);
    unsigned char *q = (unsigned char *)grosr_heap_aligned_alloc(f.me, UINT64_C(128) << 10, 0);
    ok(p && q && p != q && !((uintptr_t)p & 131071), "0 bytes, aligned to 128 KiB, are a block of their own");
    ok(!grosr_heap_free(f.me, p) && !grosr_heap_free(f.me, q), "which are freed");
    heap_fixture_ok(&f, NULL, "after that");
}

/* ---- until there is no more, and afterwards ---- */

/* Allocates until there is none; each block has the one before in it. Returns how many. */
static uint64_t fill(uint64_t size, void **last)
{
    uint64_t n = 0;
    void **p;

    *last = NULL;
    while ((p = (void **)grosr_heap_malloc(f.me, size))) {
        *p = *last;
        *last = p;
        n++;
    }
    return n;
}

/* Frees them, every other one first. Returns how many. */
static uint64_t empty(void *last)
{
    uint64_t freed = 0;

    for (bool all = false;; all = true) {
        void **keep = NULL, **next;
        uint64_t i = 0;
        for (void **p = (void **)last; p; p = next, i++) {
            next = (void **)*p;
            if (all || i % 2 == 0) {
                freed += grosr_heap_free(f.me, p) == 0;
            } else {
                *p = keep;
                keep = p;
            }
        }
        last = keep;
        if (!keep)
            return freed;
    }
}

static void exhausted(void)
{
    uint64_t wrong = 0, whole = 0, n;
    void *last;

    for (uint32_t i = 0; i < 2 * GROSR_CLASSES; i++) {
        uint32_t c = i < GROSR_CLASSES ? i : 2 * GROSR_CLASSES - 1 - i;
        n = fill(grosr_class_bytes(c), &last);
        wrong += n != (uint64_t)CHUNKS * grosr_class_slots(c);
        wrong += grosr_heap_malloc(f.me, 1) != NULL; /* whatever the class */
        wrong += heap_fixture_counters(&f).class_[c].used != n;
        wrong += empty(last) != n;
        whole += heap_fixture_unsound(&f, NULL) != NULL;
        void *all = grosr_heap_malloc(f.me, f.plan.arena_bytes);
        whole += !all || (i % 2 && grosr_heap_free(f.me, all));
        if (all && i % 2 == 0) { /* or another class is the first to have it again */
            wrong += grosr_heap_malloc(f.me, 100) != NULL;
            grosr_heap_free(f.me, all);
        }
    }
    is(wrong, 0, "each class can have every slot of the arena, after every other class had it; then NULL");
    is(whole, 0, "and afterwards it is whole again");
    heap_fixture_reset(&f);
    n = fill(64, &last);
    ok((double)n * 64 >= 0.98 * (double)f.plan.arena_bytes, "64-byte blocks fill %.2f %% of the arena",
       100.0 * (double)n * 64 / (double)f.plan.arena_bytes);
    struct grosr_heap_counters c = heap_fixture_counters(&f);
    is(c.class_[3].failures, 1, "the failure is counted");
    is(c.largest_bytes, 0, "and nothing can be had");
    ok(grosr_heap_internal_fragmentation(&c) == 0 && grosr_heap_external_fragmentation(&c) == 0,
       "of a full heap of blocks without waste nothing is fragmented");
    empty(last);
}

/* One block in each slab keeps it. */
static void fragmented(void)
{
    enum { SLOTS = GROSR_CHUNK_BYTES / 1024 };
    static void *block[CHUNKS * SLOTS];
    uint64_t n = 0, live[GROSR_CLASSES + 1] = {0};
    uint32_t size_class = grosr_class_of(1000);
    struct grosr_heap_counters c;

    heap_fixture_reset(&f);
    while (n < CHUNKS * SLOTS && (block[n] = grosr_heap_malloc(f.me, 1000)))
        n++;
    is(n, CHUNKS * SLOTS, "the arena is full of blocks of 1000 bytes");
    for (uint64_t i = 0; i < n; i++)
        if ((uintptr_t)block[i] % GROSR_CHUNK_BYTES)
            grosr_heap_free(f.me, block[i]);
    live[size_class] = CHUNKS;
    heap_fixture_ok(&f, live, "when one is left in each slab");
    c = heap_fixture_counters(&f);
    is(c.largest_bytes, 1024, "the largest that can be had is another one of them");
    double internal = 1 - 1000.0 / 1024, external = 1 - 1024.0 / (double)(f.plan.arena_bytes - CHUNKS * 1024);
    ok(grosr_heap_internal_fragmentation(&c) > internal - 1e-6 &&
           grosr_heap_internal_fragmentation(&c) < internal + 1e-6,
       "internal: what of a slot nobody asked for");
    ok(grosr_heap_external_fragmentation(&c) == external, "external: what a larger request cannot have");
    is(grosr_heap_reserved_bytes(&c), f.plan.arena_bytes, "everything is reserved");
    ok(!grosr_heap_malloc(f.me, 1025) && !grosr_heap_malloc(f.me, 16), "no other size can be had");
    for (uint64_t i = 0; i < n; i++)
        if (block[i] == f.heap.arena || block[i] == f.heap.arena + GROSR_CHUNK_BYTES)
            grosr_heap_free(f.me, block[i]);
    is(heap_fixture_counters(&f).largest_bytes, 2 * GROSR_CHUNK_BYTES, "two neighbours are empty again");
    void *p = grosr_heap_malloc(f.me, 2 * GROSR_CHUNK_BYTES);
    ok(p == f.heap.arena, "and are one block");
    grosr_heap_free(f.me, p);
    for (uint64_t i = 0; i < n; i++)
        if ((uintptr_t)block[i] % GROSR_CHUNK_BYTES == 0 && block[i] != f.heap.arena &&
            block[i] != f.heap.arena + GROSR_CHUNK_BYTES)
            grosr_heap_free(f.me, block[i]);
    heap_fixture_ok(&f, NULL, "when all are freed");
    is(heap_fixture_counters(&f).largest_bytes, f.plan.arena_bytes, "and the whole arena can be had");
}

/* What the counters say could be had can be had, and no more, whatever is allocated. */
static void largest(void)
{
    enum { N = 700 };
    static void *block[N];
    uint64_t seed = 11, wrong = 0, full = 0, small = 0;

    heap_fixture_reset(&f);
    memset(block, 0, sizeof(block));
    for (uint32_t round = 0; round < 400; round++) {
        for (uint32_t i = 0; i < 60; i++) {
            uint64_t x = tap_random(&seed), at = (x >> 8) % N;
            if (block[at]) /* fewer and fewer in the first half of the rounds, then more and more */
                (void)((x >> 40) % 400 < (round < 200 ? 400 - round : round - 200)
                           ? (wrong += grosr_heap_free(f.me, block[at]) != 0, block[at] = NULL)
                           : NULL);
            else
                block[at] = grosr_heap_malloc(f.me, x >> 60 ? (x >> 20) % 33000 : (x >> 20) % 500000);
        }
        uint64_t most = heap_fixture_counters(&f).largest_bytes;
        void *p = most ? grosr_heap_malloc(f.me, most) : NULL;
        wrong += most && (!p || grosr_heap_free(f.me, p));
        wrong += most < GROSR_CHUNK_BYTES ? grosr_heap_malloc(f.me, most + 1) != NULL
                                          : grosr_heap_malloc(f.me, most + GROSR_CHUNK_BYTES) != NULL;
        wrong += heap_fixture_counters(&f).largest_bytes != most;
        full += most == 0;
        small += most && most < GROSR_CHUNK_BYTES;
    }
    is(wrong, 0,
       "the largest request that could be had can be, and none beyond (%d times a slot, %d times nothing)",
       (int)small, (int)full);
    for (uint32_t i = 0; i < N; i++)
        wrong += block[i] && grosr_heap_free(f.me, block[i]);
    heap_fixture_ok(&f, NULL, "after that");
}

/* ---- what must not be freed ---- */

static void refused(void)
{
    uint64_t wrong = 0, live[GROSR_CLASSES + 1] = {0}, n = 0;
    int local;
    struct grosr_heap_counters c;

    heap_fixture_reset(&f);
    unsigned char *p = (unsigned char *)grosr_heap_malloc(f.me, 100);
    unsigned char *odd = (unsigned char *)grosr_heap_malloc(f.me, 9300); /* 7 in a chunk, and a rest */
    unsigned char *large = (unsigned char *)grosr_heap_malloc(f.me, 200000);
    unsigned char *foreign[] = {(unsigned char *)&local,           f.heap.arena - 1,
                                f.heap.arena + f.plan.arena_bytes, (unsigned char *)(uintptr_t)8,
                                (unsigned char *)UINTPTR_MAX,      f.memory};
    unsigned char *inner[] = {p + 1,         p + 8,      p + 16,
                              p + 111,       odd + 16,   f.heap.arena,
                              large + 1,     large + 16, large + GROSR_CHUNK_BYTES,
                              large + 199999};

    inner[5] = odd - (uintptr_t)odd % GROSR_CHUNK_BYTES + 65520; /* behind the last slot */
    for (uint32_t i = 0; i < sizeof(foreign) / sizeof(*foreign); i++)
        wrong +=
            grosr_heap_free(f.me, foreign[i]) != EINVAL || heap_fixture_counters(&f).bad.foreign != i + 1;
    is(wrong, 0, "pointers outside the arena are refused and counted");
    for (uint32_t i = 0; i < sizeof(inner) / sizeof(*inner); i++) {
        wrong += grosr_heap_free(f.me, inner[i]) != EINVAL || heap_fixture_counters(&f).bad.inner != i + 1;
        wrong += grosr_heap_usable_size(f.me, inner[i]) != 0;
        wrong += grosr_heap_realloc(f.me, NULL, 0) == NULL;
    }
    is(wrong, 0,
       "pointers into blocks too, behind the last slot of a slab and into the second chunk of a run");
    live[grosr_class_of(100)] = live[grosr_class_of(9300)] = live[GROSR_CLASS_LARGE] = 1;
    live[0] = sizeof(inner) / sizeof(*inner);
    heap_fixture_ok(&f, live, "after that");
    unsigned char *twice[] = {p, large, odd, p + 112};
    for (uint32_t i = 0; i < 3; i++)
        wrong += grosr_heap_free(f.me, twice[i]) != 0;
    for (uint32_t i = 0; i < 4; i++)
        wrong += grosr_heap_free(f.me, twice[i]) != EINVAL || heap_fixture_counters(&f).bad.twice != i + 1;
    is(wrong, 0, "blocks that are not allocated too");
    c = heap_fixture_counters(&f);
    is(c.errors, 20, "all are errors");
    for (uint32_t i = 4; i < 20; i++)
        n += c.error[i % GROSR_HEAP_ERRORS_MAX].kind == (i < 6    ? GROSR_HEAP_FREE_FOREIGN
                                                         : i < 16 ? GROSR_HEAP_FREE_INNER
                                                                  : GROSR_HEAP_FREE_TWICE) &&
             c.error[i % GROSR_HEAP_ERRORS_MAX].task == GROSR_HEAP_NO_TASK &&
             c.error[i % GROSR_HEAP_ERRORS_MAX].time_ns > 0;
    is(n, GROSR_HEAP_ERRORS_MAX, "the latest ones are kept, with their kinds and times");
    is(c.error[16 % 16].at, p - f.heap.arena, "and where: an offset in the arena");
    is(c.error[5].at, (uintptr_t)f.memory, "or, outside of it, an address");
}

/* A slot that was freed, and whose chunk is of another class by now. */
static void stale(void)
{
    void *last;
    unsigned char *old[64];
    uint64_t n, bad, wrong = 0;

    heap_fixture_reset(&f);
    for (uint32_t i = 0; i < 64; i++)
        old[i] = (unsigned char *)grosr_heap_malloc(f.me, 112);
    for (uint32_t i = 0; i < 64; i++)
        wrong += grosr_heap_free(f.me, old[i]) != 0;
    n = fill(1024, &last);
    is(n, (uint64_t)CHUNKS * 64, "slots of 112 bytes are freed, and their chunk is of a class of 1 KiB");
    for (uint32_t i = 1; i < 64; i++) /* the first is a block again */
        wrong += grosr_heap_free(f.me, old[i]) != ((uintptr_t)old[i] % 1024 ? EINVAL : 0);
    bad = heap_fixture_counters(&f).bad.inner;
    is(wrong, 0, "freed once more they are refused, where no block begins there");
    is(bad, 63, "and counted");
    is(empty(last), n, "all others are freed");
    heap_fixture_ok(&f, NULL, "after that");
    for (uint32_t i = 0; i < 64; i++)
        wrong += grosr_heap_free(f.me, old[i]) != EINVAL;
    is(wrong, 0, "in a chunk that is free or empty they are refused as well");
    is(fill(112, &last), (uint64_t)CHUNKS * grosr_class_slots(6), "and the heap is sound");
    empty(last);
}

/* ---- arenas of every size ---- */

static void arenas(void)
{
    static const uint32_t chunks[] = {1, 2, 3, 63, 64, 65, 127, 128, 129, 4095, 4097};
    struct heap_fixture of_test = f;
    uint64_t wrong = 0;
    void *last;

    for (uint32_t i = 0; i < sizeof(chunks) / sizeof(*chunks); i++) {
        heap_fixture_open(&f, chunks[i], 0);
        for (uint32_t round = 0; round < 2; round++) {
            static const uint32_t sizes[] = {32768, 9000, 16384, 2048};
            for (uint32_t k = 0; k < (chunks[i] > 1000 ? 2 : 4); k++) {
                uint64_t n = fill(sizes[k], &last);
                wrong += n != (uint64_t)chunks[i] * grosr_class_slots(grosr_class_of(sizes[k]));
                wrong += empty(last) != n || heap_fixture_unsound(&f, NULL) != NULL;
            }
            void *p = grosr_heap_malloc(f.me, f.plan.arena_bytes);
            wrong += p != f.heap.arena || grosr_heap_malloc(f.me, 1) || grosr_heap_free(f.me, p);
            wrong += grosr_heap_malloc(f.me, f.plan.arena_bytes + 1) != NULL;
            wrong += heap_fixture_unsound(&f, NULL) != NULL;
        }
        heap_fixture_close(&f);
    }
    is(wrong, 0, "arenas of 1 to 4097 chunks: full, empty, whole");
    struct grosr_heap h;
    struct grosr_heap_plan plan;
    grosr_heap_make_plan(&h, &plan, 0, 0);
    is(plan.arena_bytes, GROSR_CHUNK_BYTES, "one of 0 bytes has a chunk");
    grosr_heap_make_plan(&h, &plan, UINT64_MAX, 0);
    is(plan.arena_bytes, (uint64_t)GROSR_CHUNKS_MAX << GROSR_CHUNK_SHIFT, "one of 2^64 - 1 bytes 256 GiB");
    grosr_heap_make_plan(&h, &plan, 2 * GROSR_CHUNK_BYTES - 1, 0);
    is(plan.arena_bytes, GROSR_CHUNK_BYTES, "a part of a chunk is none");
    f = of_test;
    struct grosr_heap none = {0};
    struct grosr_heap_user nobody = grosr_heap_anyone(&none);
    ok(!grosr_heap_malloc(nobody, 1) && !grosr_heap_malloc(nobody, 1 << 20) &&
           !grosr_heap_aligned_alloc(nobody, 1 << 20, 0) && !grosr_heap_realloc(nobody, NULL, 1),
       "without a heap: NULL");
    is(grosr_heap_free(nobody, &none), EINVAL, "and nothing to be freed");
}

int main(void)
{
    heap_fixture_open(&f, CHUNKS, 0);
    every_size();
    zeroes();
    resized();
    aligned_at();
    exhausted();
    fragmented();
    largest();
    refused();
    stale();
    arenas();
    heap_fixture_close(&f);
    return tap_done();
}
