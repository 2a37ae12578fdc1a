/*
 * Blocks: requests of lanes that call together, by size class or as whole chunks, and their return. Blocks as
 * users have them are in alloc.h; here are no red zones and no zeroes.
 */
#ifndef GROSR_BLOCK_H
#define GROSR_BLOCK_H

#include "large.h"

#include <errno.h>

/* Counts what a group got, and what it did not; the lanes that got none note it. */
GROSR_DEVICE void grosr_block_count(struct grosr_heap_user u, struct grosr_group g,
                                    const struct grosr_seeker *s, uint32_t requested, uint32_t got)
{
    if (dev_group_leads(g)) {
        struct grosr_heap_shard *shard = grosr_heap_shard_of(u.heap, s->size_class, s->spread);
        dev_count(&shard->mallocs, got);
        dev_count(&shard->requested, requested);
        if (got < g.size)
            dev_count(&shard->failures, g.size - got);
    }
}

/* A slot's offset in the arena / 16; `at` is the word of its bit. */
GROSR_DEVICE uint64_t grosr_slot_place(const struct grosr_heap *h, uint32_t size_class, uint32_t at,
                                       uint32_t bit)
{
    return (uint64_t)(at / GROSR_CHUNK_WORDS) * (GROSR_CHUNK_BYTES / 16) +
           (at % GROSR_CHUNK_WORDS * 64 + bit) * h->units[size_class];
}

/* The way that always leads to slots, if there are any. `claim` and `bits`, slots of word `at`, are what the
 * leading lane has already. Returns this lane's place, or UINT64_MAX. */
GROSR_DEVICE_COLD uint64_t grosr_slot_take_slow(struct grosr_heap_user u, struct grosr_group g,
                                                struct grosr_seeker s, uint32_t size,
                                                struct grosr_claim claim, uint64_t bits, uint32_t at)
{
    uint64_t place = UINT64_MAX;
    uint32_t done = 0;

    while (done < g.size) {
        if (dev_group_leads(g) && !bits &&
            (claim.reserved || claim.new_chunks || grosr_slab_seek(u, s, g.size - done, &claim)))
            bits = grosr_slab_claim_bits(u, &s, &claim, &at);
        bits = dev_group_shfl64(g, bits);
        if (!bits)
            break;
        at = dev_group_shfl32(g, at);
        uint32_t n = dev_popc64(bits);
        if (g.rank >= done && g.rank < done + n)
            place = grosr_slot_place(u.heap, s.size_class, at, grosr_bit_select(bits, g.rank - done));
        done += n;
        bits = 0;
    }
    bool mine = place != UINT64_MAX;
    grosr_block_count(u, g, &s, dev_group_sum32(g, mine ? size : 0), done);
    if (!mine && grosr_heap_notes_at(u, GROSR_LEVEL_SPANS))
        grosr_heap_note_error(u, GROSR_HEAP_NO_MEMORY, size);
    return place;
}

/*
 * A slot for each lane of a group that asks for the same class; NULL in those for which there is none. The
 * quick way: where the cursor points, n slots are free, and they are the next ones of a word.
 */
GROSR_DEVICE void *grosr_slot_take(struct grosr_heap_user u, uint32_t size_class, uint32_t size)
{
    const struct grosr_heap *h = u.heap;
    struct grosr_group g = dev_group(size_class);
    struct grosr_seeker s = grosr_seeker_of(h, size_class);
    struct grosr_claim claim = {};
    uint64_t place = UINT64_MAX, bits = 0;
    uint32_t at = 0, seen = 0;

    if (dev_group_leads(g) && g.size < s.slots)
        seen = dev_load_relaxed(s.cursor);
    if (seen) {
        uint64_t old = dev_add_dependent(&h->state[seen - 1], grosr_chunk_slots(-(int64_t)g.size));
        int64_t free_slots = grosr_chunk_free_slots(old);
        uint32_t slot = s.slots - (uint32_t)free_slots;
        dev_point("slab.reserved");
        if (grosr_chunk_kind(old) != size_class + 1 || free_slots < g.size) {
            grosr_slab_settle(u, &s, seen - 1, old, g.size, &claim); /* and it is seen again below */
        } else if (slot % 64 + g.size > 64) {
            claim.chunk = seen - 1;
            claim.reserved = g.size;
            claim.at = slot;
        } else {
            uint64_t wish = grosr_bits_below(g.size) << slot % 64;
            at = (seen - 1) * GROSR_CHUNK_WORDS + slot / 64;
            bits = wish & ~dev_or_dependent(&h->bits[at], wish);
            if (bits == wish) {
                place = grosr_slot_place(h, size_class, at, slot % 64);
            } else {
                claim.chunk = seen - 1;
                claim.reserved = g.size - dev_popc64(bits);
                claim.at = slot;
            }
        }
    }
    place = dev_group_shfl64(g, place);
    if (place != UINT64_MAX) {
        place += g.rank * h->units[size_class];
        grosr_block_count(u, g, &s, dev_group_sum32(g, size), g.size);
    } else {
        place = grosr_slot_take_slow(u, g, s, size, claim, bits, at);
        if (place == UINT64_MAX)
            return NULL;
    }
    grosr_heap_note_block(u, GROSR_EV_MALLOC, size_class, size, place);
    return h->arena + place * 16;
}

/* A block of at least `size` bytes, aligned to `alignment`, a power of two. */
GROSR_DEVICE void *grosr_block_take(struct grosr_heap_user u, uint64_t size, uint64_t alignment)
{
    uint32_t size_class = GROSR_CLASS_LARGE;

    if (!u.heap->arena)
        return NULL;
    if (alignment <= GROSR_SLOT_MAX)
        size_class = grosr_class_aligned(size, (uint32_t)alignment);
    if (size_class != GROSR_CLASS_LARGE)
        return grosr_slot_take(u, size_class, (uint32_t)size);
    void *p = grosr_large_take(u, size, alignment);
    if (!p && grosr_heap_notes_at(u, GROSR_LEVEL_SPANS))
        grosr_heap_note_error(u, GROSR_HEAP_NO_MEMORY, size);
    return p;
}

/* Where a block is. */
struct grosr_block {
    uint64_t offset; /* in the arena, of its first byte */
    uint64_t state;  /* its chunk's */
    uint32_t at;     /* of a slot: the word of its bit in `bits` */
    uint32_t bit;    /* and the bit's index */
    uint32_t kind;   /* the class + 1, or GROSR_CHUNK_LARGE */
};

/* Finds the block that a pointer is in, as far as its chunk tells. 0, or the reason why it is in none: then
 * *b is not to be used. */
GROSR_DEVICE enum grosr_heap_error_kind grosr_block_find(const struct grosr_heap *h, const void *p,
                                                         struct grosr_block *b)
{
    uint64_t offset = (uint64_t)((uintptr_t)p - (uintptr_t)h->arena);
    uint32_t chunk = (uint32_t)(offset >> GROSR_CHUNK_SHIFT),
             unit = (uint32_t)offset % GROSR_CHUNK_BYTES / 16;

    b->offset = b->state = 0;
    b->at = b->bit = b->kind = 0;
    if (!h->arena || offset >> GROSR_CHUNK_SHIFT >= h->chunks)
        return GROSR_HEAP_FREE_FOREIGN;
    b->state = dev_load_relaxed(&h->state[chunk]);
    b->kind = grosr_chunk_kind(b->state);
    b->offset = (uint64_t)chunk << GROSR_CHUNK_SHIFT;
    if (b->kind == GROSR_CHUNK_LARGE)
        return (enum grosr_heap_error_kind)0;
    if (b->kind == 0) { /* nobody's; or a later one of a run, or on its way between two owners */
        uint64_t free_chunks = dev_load_relaxed(&grosr_map(h, GROSR_MAP_FREE).word[chunk / 64]);
        return free_chunks >> chunk % 64 & 1 ? GROSR_HEAP_FREE_TWICE : GROSR_HEAP_FREE_INNER;
    }
    uint32_t slot = grosr_slot_of_unit(h, b->kind - 1, unit);
    if (slot >= h->slots[b->kind - 1])
        return GROSR_HEAP_FREE_INNER;
    b->offset += slot * h->units[b->kind - 1] * 16;
    b->at = chunk * GROSR_CHUNK_WORDS + slot / 64;
    b->bit = slot % 64;
    return (enum grosr_heap_error_kind)0;
}

/* Whether a block that has been found is allocated. */
GROSR_DEVICE bool grosr_block_is_live(const struct grosr_heap *h, const struct grosr_block *b)
{
    return b->kind == GROSR_CHUNK_LARGE || (dev_load_relaxed(&h->bits[b->at]) >> b->bit & 1);
}

/* Returns a slot. Lanes that return slots of one word do so together. Whether it was allocated. */
GROSR_DEVICE bool grosr_slot_return(struct grosr_heap_user u, const struct grosr_block *b)
{
    struct grosr_group g = dev_group(b->at);
    uint64_t bit = UINT64_C(1) << b->bit, mask = dev_group_or64(g, bit), had = 0;
    bool together = dev_popc64(mask) == g.size; /* or two lanes free one block: each by itself */

    if (together)
        dev_group_meet(g); /* the lane that returns the slots releases what all wrote to them */
    if (!together || dev_group_leads(g))
        had = grosr_slab_return(u, b->state, b->at, together ? mask : bit);
    if (together)
        had = dev_group_shfl64(g, had);
    return (had & bit) != 0;
}

/* Frees a block that grosr_block_find() has found. 0, or the reason why it cannot be. */
GROSR_DEVICE enum grosr_heap_error_kind grosr_block_return(struct grosr_heap_user u,
                                                           const struct grosr_block *b)
{
    bool done = b->kind == GROSR_CHUNK_LARGE
                    ? grosr_large_return(u, (uint32_t)(b->offset >> GROSR_CHUNK_SHIFT), b->state)
                    : grosr_slot_return(u, b);

    if (!done)
        return GROSR_HEAP_FREE_TWICE;
    if (b->kind != GROSR_CHUNK_LARGE)
        grosr_heap_note_block(u, GROSR_EV_FREE, b->kind - 1, 0, b->offset / 16);
    return (enum grosr_heap_error_kind)0;
}

/* The bytes that a block has room for. */
GROSR_DEVICE uint64_t grosr_block_bytes(const struct grosr_heap *h, const struct grosr_block *b)
{
    if (b->kind != GROSR_CHUNK_LARGE)
        return (uint64_t)h->units[b->kind - 1] * 16;
    return dev_load_relaxed(&grosr_chunk_bits(h, (uint32_t)(b->offset >> GROSR_CHUNK_SHIFT))[0])
           << GROSR_CHUNK_SHIFT;
}

#endif
