/*
 * A heap's memory and what its counters say (heap_plan.h).
 */
#include "heap_plan.h"

#include <string.h>

#define LINE 128u

static size_t add_part(struct grosr_heap_plan *plan, size_t bytes)
{
    size_t at = plan->bytes;

    plan->bytes += (bytes + LINE - 1) / LINE * LINE;
    return at;
}

/* All parts in their places, the first at `memory`, NULL to learn their sizes. The states come first: they,
 * the maps, the shards and the common part are what is copied to look at the heap. */
static void lay_out(struct grosr_heap *h, struct grosr_heap_plan *plan, unsigned char *memory)
{
    plan->bytes = 0;
    plan->state_at = add_part(plan, (size_t)h->chunks * sizeof(*h->state));
    plan->maps_at = add_part(plan, (size_t)GROSR_MAPS * h->map_words * sizeof(*h->maps));
    plan->shards_at = add_part(plan, GROSR_CLASSES * GROSR_HEAP_SHARDS * sizeof(*h->shard));
    plan->common_bytes = sizeof(*h->common);
    plan->common_at = add_part(plan, plan->common_bytes);
    size_t cursors_at = add_part(plan, (size_t)GROSR_CLASSES * h->cursors * sizeof(*h->cursor));
    size_t open_at = add_part(plan, GROSR_CLASSES * (GROSR_CURSORS_MAX / 64) * sizeof(*h->open));
    size_t hints_at = add_part(plan, h->cursors * sizeof(*h->chunk_hint));
    size_t bits_at = add_part(plan, (size_t)h->chunks * GROSR_CHUNK_WORDS * sizeof(*h->bits));
    if (!memory)
        return;
    h->state = (dev64 *)(void *)(memory + plan->state_at);
    h->maps = (dev64 *)(void *)(memory + plan->maps_at);
    h->shard = (struct grosr_heap_shard *)(void *)(memory + plan->shards_at);
    h->common = (struct grosr_heap_common *)(void *)(memory + plan->common_at);
    h->cursor = (dev32 *)(void *)(memory + cursors_at);
    h->open = (dev64 *)(void *)(memory + open_at);
    h->chunk_hint = (dev32 *)(void *)(memory + hints_at);
    h->bits = (dev64 *)(void *)(memory + bits_at);
}

/* Cursors keep a slab each, of every class in use: in a small arena there must be fewer. */
static uint32_t cursors_for(uint32_t chunks)
{
    uint32_t cursors = 1;

    while (cursors < GROSR_CURSORS_MAX && cursors * 128 <= chunks)
        cursors *= 2;
    return cursors;
}

static uint32_t words_of(uint32_t bits)
{
    return (bits + 63) / 64;
}

void grosr_heap_make_plan(struct grosr_heap *heap, struct grosr_heap_plan *plan, uint64_t arena_bytes,
                          uint32_t flags)
{
    uint64_t chunks = arena_bytes >> GROSR_CHUNK_SHIFT;

    memset(heap, 0, sizeof(*heap));
    memset(plan, 0, sizeof(*plan));
    heap->chunks = chunks < 1 ? 1 : chunks < GROSR_CHUNKS_MAX ? (uint32_t)chunks : GROSR_CHUNKS_MAX;
    heap->cursors = cursors_for(heap->chunks);
    heap->flags = flags;
    uint32_t level0 = words_of(heap->chunks), level1 = words_of(level0);
    heap->map_level1 = level0;
    heap->map_level2 = level0 + level1;
    heap->map_roots = words_of(level1);
    heap->map_words = (level0 + level1 + heap->map_roots + LINE / 8 - 1) / (LINE / 8) * (LINE / 8);
    for (uint32_t c = 0; c < GROSR_CLASSES; c++) {
        heap->slots[c] = (uint16_t)grosr_class_slots(c);
        heap->units[c] = (uint16_t)(grosr_class_bytes(c) / 16);
        heap->inverse[c] = ((UINT32_C(1) << 31) + heap->units[c] - 1) / heap->units[c];
    }
    plan->arena_bytes = (uint64_t)heap->chunks << GROSR_CHUNK_SHIFT;
    lay_out(heap, plan, NULL);
}

void grosr_heap_place(struct grosr_heap *heap, void *arena, void *memory)
{
    struct grosr_heap_plan plan;

    heap->arena = (unsigned char *)arena;
    lay_out(heap, &plan, (unsigned char *)memory);
}

/* Sets the first n bits that begin at word `at`. */
static void set_first(uint64_t *words, uint32_t at, uint32_t n)
{
    for (uint32_t i = 0; i * 64 < n; i++)
        words[at + i] = n - i * 64 >= 64 ? ~UINT64_C(0) : (UINT64_C(1) << (n - i * 64)) - 1;
}

void grosr_heap_first_map(const struct grosr_heap *heap, uint64_t *words)
{
    memset(words, 0, heap->map_words * sizeof(*words));
    set_first(words, 0, heap->chunks);
    set_first(words, heap->map_level1, heap->map_level1);
    set_first(words, heap->map_level2, heap->map_level2 - heap->map_level1);
}

/* ---- counters ---- */

static uint64_t load(const dev64 *word)
{
    return dev_load_relaxed(word);
}

/* A counter that goes down too, of which a copy may have seen the second step and not the first. */
static uint64_t at_least_0(uint64_t n)
{
    return (int64_t)n < 0 ? 0 : n;
}

static void read_class(const struct grosr_heap *h, uint32_t size_class, struct grosr_heap_class *k)
{
    const struct grosr_heap_shard *shard = &h->shard[size_class * GROSR_HEAP_SHARDS];

    k->slot_bytes = h->units[size_class] * 16u;
    k->slots = h->slots[size_class];
    for (uint32_t i = 0; i < GROSR_HEAP_SHARDS; i++) {
        k->mallocs += load(&shard[i].mallocs);
        k->frees += load(&shard[i].frees);
        k->requested += load(&shard[i].requested);
        k->failures += load(&shard[i].failures);
    }
}

static void read_errors(const struct grosr_heap_common *common, struct grosr_heap_counters *out)
{
    uint64_t mistakes = load(&common->mistakes);

    out->bad.foreign = load(&common->errors[GROSR_HEAP_FREE_FOREIGN]);
    out->bad.inner = load(&common->errors[GROSR_HEAP_FREE_INNER]);
    out->bad.twice = load(&common->errors[GROSR_HEAP_FREE_TWICE]);
    out->bad.damaged = load(&common->errors[GROSR_HEAP_DAMAGED]);
    out->errors = mistakes;
    for (uint32_t i = 0; i < GROSR_HEAP_ERRORS_MAX && i < mistakes; i++) {
        const struct grosr_heap_mistake *m = &common->mistake[i];
        struct grosr_heap_error *e = &out->error[i];
        e->time_ns = load(&m->time_ns);
        e->worker = load(&m->worker);
        e->kind = load(&m->kind);
        e->task = load(&m->task) & GROSR_TASK_ID_MASK;
        e->at = load(&m->at);
    }
}

/* A slab's numbers, or that the chunk is free for anybody. */
static void read_slab(uint64_t state, struct grosr_heap_counters *out)
{
    struct grosr_heap_class *k = &out->class_[grosr_chunk_kind(state) - 1];
    int64_t used = (int64_t)k->slots - grosr_chunk_free_slots(state);

    used = used < 0 ? 0 : used > (int64_t)k->slots ? (int64_t)k->slots : used; /* reserved too much */
    k->slabs++;
    k->used += (uint64_t)used;
    out->slab_chunks++;
    out->empty_chunks += used == 0;
    if (used < (int64_t)k->slots && k->slot_bytes > out->largest_bytes)
        out->largest_bytes = k->slot_bytes;
}

void grosr_heap_read_counters(const struct grosr_heap *copy, struct grosr_heap_counters *out)
{
    const struct grosr_heap_common *common = copy->common;
    uint64_t run = 0, longest = 0;

    memset(out, 0, sizeof(*out));
    out->arena_bytes = (uint64_t)copy->chunks << GROSR_CHUNK_SHIFT;
    out->chunk_bytes = GROSR_CHUNK_BYTES;
    out->classes = GROSR_CLASSES;
    out->flags = copy->flags;
    for (uint32_t c = 0; c < GROSR_CLASSES; c++)
        read_class(copy, c, &out->class_[c]);
    for (uint32_t i = 0; i < copy->chunks; i++) {
        uint64_t state = load(&copy->state[i]);
        bool is_free = load(&copy->maps[i / 64]) >> i % 64 & 1;
        uint64_t empty = out->empty_chunks;
        if (is_free)
            out->free_chunks++;
        else if (grosr_chunk_is_slab(state) && grosr_chunk_kind(state) <= GROSR_CLASSES)
            read_slab(state, out);
        else
            out->large_chunks++;
        run = is_free || out->empty_chunks != empty ? run + 1 : 0;
        longest = run > longest ? run : longest;
    }
    if (longest << GROSR_CHUNK_SHIFT > out->largest_bytes)
        out->largest_bytes = longest << GROSR_CHUNK_SHIFT;
    out->large.live = at_least_0(load(&common->large_live));
    out->large.mallocs = load(&common->large_mallocs);
    out->large.frees = load(&common->large_frees);
    out->large.requested = at_least_0(load(&common->large_requested));
    out->large.failures = load(&common->large_failures);
    read_errors(common, out);
}
