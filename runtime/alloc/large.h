/*
 * Large blocks: runs of free chunks, looked for from the top of the arena down, while slabs take chunks from
 * below.
 *
 * A run is claimed word by word in the map of free chunks. Where another thread has taken a chunk of it in
 * between, what has been claimed is given back, and the search continues below. A search that has met others
 * is repeated, since what they gave back may be behind it; one that has not, and has found nothing, has the
 * answer: so it ends, and is not fair.
 */
#ifndef GROSR_LARGE_H
#define GROSR_LARGE_H

#include "slab.h"

#define GROSR_LARGE_ATTEMPTS 4u

/* The state of a search, of `need` chunks whose first is a multiple of `step`, counted from address 0. */
struct grosr_run_search {
    uint32_t need, step, base; /* base: the arena's first chunk, so counted */
    uint32_t from, end;        /* chunks from .. end - 1 are free, as far as has been seen */
    bool met;                  /* others have taken what had been seen as free */
};

/* The bits of word w that are in chunks first .. end - 1. */
GROSR_DEVICE uint64_t grosr_run_mask(uint32_t w, uint32_t first, uint32_t end)
{
    uint32_t low = first > w * 64 ? first - w * 64 : 0, high = end < w * 64 + 64 ? end - w * 64 : 64;

    return low < high ? grosr_bits_below(high) & ~grosr_bits_below(low) : 0;
}

/* Claims chunks first .. first + n - 1, or none. */
GROSR_DEVICE bool grosr_run_claim(struct grosr_heap_user u, uint32_t first, uint32_t n)
{
    struct grosr_chunk_map map = grosr_map(u.heap, GROSR_MAP_FREE);
    uint32_t w = first / 64;
    uint64_t last = 0, after;

    for (; w * 64 < first + n; w++) {
        uint64_t mask = grosr_run_mask(w, first, first + n), got;
        dev_point("run.claim");
        got = dev_and_dependent(&map.word[w], ~mask) & mask;
        if (got == mask)
            continue;
        if (got) {
            grosr_map_set(&map, w, got, &after);
            last += after;
        }
        for (; w > first / 64; w--) {
            got |= grosr_run_mask(w - 1, first, first + n);
            grosr_map_set(&map, w - 1, grosr_run_mask(w - 1, first, first + n), &after);
            last += after;
        }
        if (got) /* others may have found none meanwhile */
            grosr_heap_refilled(u.heap, GROSR_CLASSES, last);
        return false;
    }
    return true;
}

/* Whether the run that has been seen is long enough; if so, claims its upper end. */
GROSR_DEVICE bool grosr_run_try(struct grosr_heap_user u, struct grosr_run_search *s, uint32_t *first)
{
    if (s->end - s->from < s->need)
        return false;
    *first = s->end - s->need - (s->end - s->need + s->base) % s->step;
    if (*first < s->from || *first >= s->end) /* the step reaches below the run, or below 0 */
        return false;
    if (grosr_run_claim(u, *first, s->need))
        return true;
    s->met = true;
    s->end = s->from; /* it is not what it was */
    return false;
}

/* The runs inside one word, from the top down; the lowest may continue in the next one. */
GROSR_DEVICE bool grosr_run_in_word(struct grosr_heap_user u, struct grosr_run_search *s, uint32_t w,
                                    uint64_t bits, uint32_t *first)
{
    uint32_t top = 64; /* above which all has been seen */

    while (top) {
        uint64_t below = grosr_bits_below(top);
        uint32_t zero = dev_fls64(~bits & below); /* the highest chunk that is not free, + 1 */
        s->from = w * 64 + zero;
        if (grosr_run_try(u, s, first))
            return true;
        if (!zero)
            return false;
        top = dev_fls64(bits & grosr_bits_below(zero - 1));
        s->from = s->end = w * 64 + top;
    }
    return false;
}

GROSR_DEVICE bool grosr_run_find(struct grosr_heap_user u, struct grosr_run_search *s, uint32_t *first)
{
    struct grosr_chunk_map map = grosr_map(u.heap, GROSR_MAP_FREE);
    uint32_t w = (u.heap->chunks + 63) / 64;

    s->from = s->end = w * 64;
    while (w--) {
        if (s->from == s->end && w % 64 == 63 && !dev_load_relaxed(&map.word[map.level1 + w / 64])) {
            w -= 63; /* none of 64 words has a bit */
            s->from = s->end = w * 64;
            continue;
        }
        uint64_t bits = dev_load_relaxed(&map.word[w]);
        if (bits == 0) {
            s->from = s->end = w * 64;
        } else if (~bits == 0) {
            s->from = w * 64;
            if (grosr_run_try(u, s, first))
                return true;
        } else if (grosr_run_in_word(u, s, w, bits, first)) {
            return true;
        }
    }
    return false;
}

/* Frees the chunks of all spare slabs. Returns how many there were. */
GROSR_DEVICE uint32_t grosr_spare_free_all(struct grosr_heap_user u)
{
    const struct grosr_heap *h = u.heap;
    struct grosr_chunk_map spare = grosr_map(h, GROSR_MAP_SPARE);
    uint32_t w, n = 0;
    uint64_t bits;

    while ((bits = grosr_map_take(&spare, 0, 64, GROSR_MAP_SURELY, &w))) {
        for (; bits; bits &= bits - 1) {
            uint32_t chunk = w * 64 + dev_ffs64(bits) - 1;
            uint64_t state = dev_load_relaxed(&h->state[chunk]);
            if (grosr_chunk_is_slab(state) &&
                grosr_chunk_free_slots(state) == h->slots[grosr_chunk_kind(state) - 1] &&
                grosr_slab_take_away(u, chunk, state, false)) {
                grosr_chunk_put(h, GROSR_MAP_FREE, chunk);
                n++;
            }
        }
    }
    return n;
}

/* A block of whole chunks for `size` bytes, at least one chunk, whose address is a multiple of `alignment`, a
 * power of two. NULL: there is no such run of free chunks. */
GROSR_DEVICE_COLD void *grosr_large_take(struct grosr_heap_user u, uint64_t size, uint64_t alignment)
{
    const struct grosr_heap *h = u.heap;
    struct grosr_heap_common *c = h->common;
    uint64_t need = size ? ((size - 1) >> GROSR_CHUNK_SHIFT) + 1 : 1, step = alignment >> GROSR_CHUNK_SHIFT;
    struct grosr_run_search s;
    uint32_t first;
    bool found = false;

    s.need = (uint32_t)need;
    s.step = step ? (uint32_t)step : 1;
    s.base = (uint32_t)((uintptr_t)h->arena >> GROSR_CHUNK_SHIFT);
    for (uint32_t i = 0; !found && i < GROSR_LARGE_ATTEMPTS && need <= h->chunks && step <= UINT32_MAX; i++) {
        s.met = false;
        found = grosr_run_find(u, &s, &first);
        if (!found && !s.met && !grosr_spare_free_all(u))
            break;
    }
    if (!found) {
        dev_count(&c->large_failures, 1);
        return NULL;
    }
    dev_store_relaxed(&grosr_chunk_bits(h, first)[0], need);
    dev_store_relaxed(&grosr_chunk_bits(h, first)[1], size);
    dev_count(&c->large_mallocs, 1);
    dev_count(&c->large_live, 1);
    dev_count(&c->large_requested, size);
    /* Release: the two words. Pairs with grosr_large_return(). The block depends on it: it may be freed
     * elsewhere at once. */
    uint64_t old = dev_add_release(&h->state[first], grosr_chunk_of_class(GROSR_CHUNK_LARGE));
    if (grosr_chunk_kind(old) != 0)
        return NULL; /* never: free chunks are no slabs */
    if (grosr_heap_notes_at(u, GROSR_LEVEL_SPANS)) {
        uint64_t pages = (size + 4095) / 4096;
        grosr_heap_note(u, GROSR_EV_LARGE_MALLOC, pages << 28 | first);
    }
    return grosr_chunk_address(h, first);
}

/* Frees the block that begins with a chunk, seen in `state`. False: another thread has done so. */
GROSR_DEVICE_COLD bool grosr_large_return(struct grosr_heap_user u, uint32_t first, uint64_t state)
{
    const struct grosr_heap *h = u.heap;
    struct grosr_chunk_map map = grosr_map(h, GROSR_MAP_FREE);
    uint64_t need = dev_load_relaxed(&grosr_chunk_bits(h, first)[0]);
    uint64_t size = dev_load_relaxed(&grosr_chunk_bits(h, first)[1]);

    /* A cursor may come or go meanwhile. With another generation, who has seen this block's length in vain
     * does not free the next one that begins here. */
    for (;;) {
        uint64_t free_chunk = (state & ~GROSR_CHUNK_GENERATIONS) - grosr_chunk_of_class(GROSR_CHUNK_LARGE);
        free_chunk |= (state + 1) & GROSR_CHUNK_GENERATIONS;
        /* Release: what was written to the block. Acquire: the two words above were this block's. Pairs with
         * grosr_large_take(), and with whoever claims the chunks next, by what depends on that. */
        uint64_t old = dev_cas_acq_rel(&h->state[first], state, free_chunk);
        if (old == state)
            break;
        if (grosr_chunk_kind(old) != GROSR_CHUNK_LARGE || (old ^ state) & GROSR_CHUNK_GENERATIONS)
            return false;
        state = old;
    }
    dev_count(&h->common->large_frees, 1);
    dev_count(&h->common->large_live, ~UINT64_C(0));
    dev_count(&h->common->large_requested, ~size + 1);
    if (grosr_heap_notes_at(u, GROSR_LEVEL_SPANS))
        grosr_heap_note(u, GROSR_EV_LARGE_FREE, need << 28 | first);
    bool put = false;
    uint64_t last = 0, after;
    for (uint32_t w = first / 64; w * 64 < first + need; w++) {
        uint64_t mask = grosr_run_mask(w, first, first + (uint32_t)need);
        put |= !(grosr_map_set(&map, w, mask, &after) & mask);
        last += after;
    }
    if (put)
        grosr_heap_refilled(h, GROSR_CLASSES, last);
    return true;
}

#endif
