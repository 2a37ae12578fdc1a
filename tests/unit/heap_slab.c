/*
 * Below malloc: the maps of chunks; requests of several lanes, which on a GPU come from one warp and here
 * from calls of what a group's first lane calls; cursors; generations.
 */
#include "../heap_fixture.h"

static struct heap_fixture f;

/* ---- maps ---- */

static void maps(uint32_t chunks)
{
    struct grosr_chunk_map map;
    uint64_t *model, seed = chunks, wrong = 0, bits;
    uint32_t words = (chunks + 63) / 64, w, taken = 0, put = 0;

    heap_fixture_open(&f, chunks, 0);
    map = grosr_map(&f.heap, GROSR_MAP_CLASS + 3);
    model = (uint64_t *)calloc(words, sizeof(*model));
    wrong += !grosr_map_is_empty(&map) || grosr_map_take(&map, 0, 1, GROSR_MAP_SURELY, &w) != 0;
    for (int round = 0; round < 20; round++) {
        for (uint32_t i = 0; i < 500; i++) {
            uint32_t chunk = (uint32_t)(tap_random(&seed) >> 8) % chunks;
            bool clear = !(model[chunk / 64] >> chunk % 64 & 1);
            wrong += grosr_map_put(&map, chunk, NULL) != clear;
            model[chunk / 64] |= UINT64_C(1) << chunk % 64;
            put += clear;
        }
        for (uint32_t left = round % 3 ? 300 : UINT32_MAX; left--; taken += dev_popc64(bits)) {
            uint32_t max = 1 + left % 5;
            bits = grosr_map_take(&map, (uint32_t)tap_random(&seed), max, GROSR_MAP_SURELY, &w);
            if (!bits)
                break;
            wrong += w >= words || (model[w] & bits) != bits || dev_popc64(bits) > max;
            model[w] &= ~bits;
        }
        for (uint32_t i = 0; i < words; i++)
            wrong += model[i] != dev_load_relaxed(&map.word[i]);
        wrong += round % 3 == 0 && !grosr_map_is_empty(&map);
    }
    is(wrong, 0, "a map of %u chunks: %u were put into it, %u taken, none lost", chunks, put, taken);
    free(model);
    heap_fixture_close(&f);
}

/* ---- requests of n lanes ---- */

enum { TAKEN_MAX = 300000 };

struct word_of_slots {
    uint32_t at;
    uint64_t bits;
};

static struct word_of_slots taken[TAKEN_MAX];
static uint32_t taken_count;
static uint64_t *held; /* as the heap's bits, of slots that are taken */

/* As many of n slots as there are, by the way of grosr_slot_take_slow(). */
static uint32_t take(uint32_t size_class, uint32_t n, uint64_t *wrong)
{
    struct grosr_seeker s = grosr_seeker_of(&f.heap, size_class);
    struct grosr_claim claim = {};
    uint32_t done = 0, at;

    while (done < n && (claim.reserved || claim.new_chunks || grosr_slab_seek(f.me, s, n - done, &claim))) {
        uint64_t bits = grosr_slab_claim_bits(f.me, &s, &claim, &at);
        uint32_t count = dev_popc64(bits), last = at % GROSR_CHUNK_WORDS * 64 + dev_fls64(bits) - 1;
        *wrong += !bits || done + count > n || last >= s.slots || (held[at] & bits);
        held[at] |= bits;
        taken[taken_count].at = at;
        taken[taken_count++].bits = bits;
        done += count;
    }
    *wrong += claim.reserved || claim.new_chunks;
    dev_count(&grosr_heap_shard_of(&f.heap, size_class, 0)->mallocs, done);
    return done;
}

static void give(uint32_t i, uint64_t bits, uint64_t *wrong)
{
    uint32_t at = taken[i].at;

    *wrong += grosr_slab_return(f.me, f.heap.state[at / GROSR_CHUNK_WORDS].v, at, bits) != bits;
    *wrong += grosr_slab_return(f.me, f.heap.state[at / GROSR_CHUNK_WORDS].v, at, bits) != 0;
    held[at] &= ~bits;
    taken[i].bits &= ~bits;
    if (!taken[i].bits)
        taken[i] = taken[--taken_count];
}

static void groups(uint32_t chunks, uint32_t n_max)
{
    static const uint32_t classes[] = {0, 3, 7, 13, 25, 31, 32, 33, 34, 35, 36, 37};
    uint64_t seed = chunks + n_max, wrong = 0, most = 0, live[GROSR_CLASSES + 1];
    const char *what = NULL;

    heap_fixture_open(&f, chunks, 0);
    held = (uint64_t *)calloc((size_t)chunks * GROSR_CHUNK_WORDS, sizeof(*held));
    for (uint32_t i = 0; i < sizeof(classes) / sizeof(*classes); i++) {
        uint32_t c = classes[i], slots = grosr_class_slots(c);
        uint64_t total = 0, all = (uint64_t)chunks * slots;
        for (int round = 0; round < 3; round++) {
            for (uint32_t n = 0, got;; total += got) { /* until there are no more */
                n = n_max > 1 ? 1 + (uint32_t)(tap_random(&seed) >> 8) % n_max : 1;
                got = take(c, n, &wrong);
                if (got < n) {
                    total += got;
                    break;
                }
            }
            wrong += total != all || take(c, 1, &wrong) != 0;
            most = taken_count > most ? taken_count : most;
            memset(live, 0, sizeof(live));
            live[c] = total;
            what = what ? what : heap_fixture_unsound(&f, live);
            /* Some are returned, in parts. */
            for (uint64_t k = total / (round + 1); k && taken_count; k--) {
                uint64_t x = tap_random(&seed), bits;
                uint32_t at = (uint32_t)(x >> 8) % taken_count;
                bits = round == 2 || x % 2 ? taken[at].bits : grosr_bits_lowest(taken[at].bits, 1);
                total -= dev_popc64(bits);
                give(at, bits, &wrong);
            }
            live[c] = total;
            what = what ? what : heap_fixture_unsound(&f, live);
        }
        while (taken_count)
            give(0, taken[0].bits, &wrong);
        what = what ? what : heap_fixture_unsound(&f, NULL);
    }
    is(wrong, 0, "%u chunks, up to %u lanes a request: every slot once, until there are none (%d words)",
       chunks, n_max, (int)most);
    ok(!what, "and the counters are exact: %s", what ? what : "yes");
    free(held);
    heap_fixture_close(&f);
}

/* ---- cursors ---- */

/* What warp number i of `cursors` does to get a slot of the class. The slot's place; UINT64_MAX: there was
 * none. */
static uint64_t slot_of_warp(uint32_t size_class, uint32_t i)
{
    struct grosr_seeker s = grosr_seeker_of(&f.heap, size_class);
    struct grosr_claim claim = {};
    uint32_t at;

    s.spread = i;
    s.cursor = &f.heap.cursor[size_class * f.heap.cursors + i];
    if (!grosr_slab_seek(f.me, s, 1, &claim))
        return UINT64_MAX;
    uint64_t bits = grosr_slab_claim_bits(f.me, &s, &claim, &at);
    dev_count(&grosr_heap_shard_of(&f.heap, size_class, 0)->mallocs, 1);
    return grosr_slot_place(&f.heap, size_class, at, dev_ffs64(bits) - 1);
}

/* Where one chunk is all that is left, the cursors of every warp and class come to point to it. */
static void many_cursors(void)
{
    uint64_t wrong = 0, place[8];

    heap_fixture_open(&f, 65536, 0);
    is(f.heap.cursors, GROSR_CURSORS_MAX, "a heap with %u cursors for each class", f.heap.cursors);
    void *rest = grosr_heap_malloc(f.me, f.plan.arena_bytes - GROSR_CHUNK_BYTES);
    for (uint32_t c = GROSR_CLASSES - 1; c >= GROSR_CLASSES - 6; c--)
        for (uint32_t i = 0; i < f.heap.cursors; i++) {
            uint32_t n = 0;
            while (n < 8 && (place[n] = slot_of_warp(c, i)) != UINT64_MAX)
                n++;
            wrong += n != grosr_class_slots(c);
            while (n--)
                wrong += grosr_heap_free(f.me, f.heap.arena + place[n] * 16) != 0;
            wrong += grosr_chunk_kind(f.heap.state[0].v) != c + 1;
        }
    is(wrong, 0, "one chunk for all of them, of one class after the other");
    is(grosr_chunk_cursors(f.heap.state[0].v), 6 * f.heap.cursors, "it counts the cursors that point to it");
    wrong += grosr_heap_free(f.me, rest) != 0;
    rest = grosr_heap_malloc(f.me, f.plan.arena_bytes);
    ok(rest && !grosr_heap_free(f.me, rest) && !wrong, "and can be had by others nevertheless");
    heap_fixture_ok(&f, NULL, "after that");
    for (uint32_t c = 0; c < GROSR_CLASSES; c++)
        for (uint32_t i = 0; i < f.heap.cursors; i += c < GROSR_CLASSES - 6 ? 97 : 1)
            wrong += grosr_heap_free(f.me, f.heap.arena + slot_of_warp(c, i) * 16) != 0;
    ok(!wrong && grosr_chunk_cursors(f.heap.state[0].v) <= f.heap.cursors * 6, "and the cursors move on");
    heap_fixture_ok(&f, NULL, "after that");
    heap_fixture_close(&f);
}

/* ---- generations ---- */

static void generations(void)
{
    uint64_t wrong = 0;

    heap_fixture_open(&f, 3, 0);
    for (uint32_t i = 0; i < 3; i++)
        f.heap.state[i].v = GROSR_CHUNK_GENERATIONS - i;
    for (uint32_t round = 0; round < 20; round++) {
        void *small[3], *large;
        for (uint32_t i = 0; i < 3; i++)
            wrong += !(small[i] = grosr_heap_malloc(f.me, 32768 >> (round + i) % 3));
        for (uint32_t i = 0; i < 3; i++)
            wrong += grosr_heap_free(f.me, small[i]) != 0;
        wrong += !(large = grosr_heap_malloc(f.me, f.plan.arena_bytes)) || grosr_heap_free(f.me, large);
        wrong += heap_fixture_unsound(&f, NULL) != NULL;
    }
    is(wrong, 0, "the generations of chunks wrap, and nothing else changes");

    /* A thread that has seen a slab, and stood still until the chunk was another one, of the same class and
     * another. */
    for (uint32_t size = 8192; size <= 16384; size *= 2) {
        struct grosr_block b;
        uint64_t live[GROSR_CLASSES + 1] = {0};
        heap_fixture_reset(&f);
        void *p = grosr_heap_malloc(f.me, 8192), *all;
        wrong += grosr_block_find(&f.heap, p, &b) || grosr_heap_free(f.me, p);
        all = grosr_heap_malloc(f.me, f.plan.arena_bytes);
        wrong += !all || grosr_heap_free(f.me, all);
        unsigned char *q = (unsigned char *)grosr_heap_malloc(f.me, size);
        ok(q == p && grosr_slab_return(f.me, b.state, b.at, UINT64_C(1) << b.bit) == 0,
           "a late free of a slab of %u bytes' chunk is none", size);
        live[grosr_class_of(size)] = 1;
        heap_fixture_ok(&f, live, "and the block there is as it was");
        wrong += grosr_heap_free(f.me, q) != 0;
    }
    is(wrong, 0, "which is freed by its owner");
    heap_fixture_ok(&f, NULL, "after that");
    heap_fixture_close(&f);
}

int main(void)
{
    maps(1);
    maps(64);
    maps(65);
    maps(4097);
    maps(300000); /* two words at the top */
    groups(1, 1);
    groups(1, 64);
    groups(2, 32);
    groups(40, 32);
    groups(65, 64);
    groups(70, 1);
    many_cursors();
    generations();
    return tap_done();
}
