/* What must be true of the counters of a heap at rest, on whatever device. */
#ifndef GROSR_HEAP_CHECK_H
#define GROSR_HEAP_CHECK_H

#include "../runtime/alloc/heap_plan.h"

/*
 * What is wrong with the counters of a heap of so many chunks in which nothing is under way, and which has
 * `live` blocks of each class (NULL: none), the last of them large. NULL: nothing.
 */
static inline const char *heap_check(const struct grosr_heap_counters *c, uint64_t chunks,
                                     const uint64_t *live)
{
    uint64_t used = 0, slabs = 0, large = live ? live[GROSR_CLASS_LARGE] : 0;

    if (c->classes != GROSR_CLASSES || c->arena_bytes != chunks << GROSR_CHUNK_SHIFT)
        return "what the counters are of";
    for (uint32_t i = 0; i < GROSR_CLASSES; i++) {
        const struct grosr_heap_class *k = &c->class_[i];
        uint64_t want = live ? live[i] : 0;
        if (k->mallocs - k->frees != want || k->used != want)
            return "a class's live blocks";
        if (k->slabs * k->slots < k->used)
            return "a class's slabs";
        used += k->used;
        slabs += k->slabs;
    }
    if (c->large.live != large || c->large.mallocs - c->large.frees != large)
        return "live large blocks";
    if (c->free_chunks + c->slab_chunks + c->large_chunks != chunks || c->slab_chunks != slabs)
        return "the sum of chunks";
    if (c->empty_chunks > c->slab_chunks || (used == 0 && c->empty_chunks != c->slab_chunks))
        return "empty chunks";
    if (!large && (c->large_chunks || c->large.requested))
        return "chunks of large blocks";
    return NULL;
}

#endif
