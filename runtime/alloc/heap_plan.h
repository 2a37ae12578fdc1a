/*
 * The host's side of a heap: what memory it needs, where its parts are, and what its counters say. Pure
 * functions: whoever has the memory, on whatever device, copies it to and fro (runtime/host/arena.c).
 */
#ifndef GROSR_HEAP_PLAN_H
#define GROSR_HEAP_PLAN_H

#include "heap.h"

#include "../../tracer/session/heap_counters.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What a heap consists of, beside the arena: one block of zeroed device memory. */
struct grosr_heap_plan {
    uint64_t arena_bytes; /* a multiple of GROSR_CHUNK_BYTES */
    size_t bytes;         /* of that memory */
    /* In it: where parts begin that are read to tell what the heap is like. */
    size_t state_at, maps_at, shards_at, common_at, common_bytes;
};

/* Plans a heap with an arena of about that many bytes: rounded down to whole chunks, at least one, at most
 * GROSR_CHUNKS_MAX. `flags`: enum grosr_heap_flags. */
void grosr_heap_make_plan(struct grosr_heap *heap, struct grosr_heap_plan *plan, uint64_t arena_bytes,
                          uint32_t flags);

/* Where the arena, aligned to GROSR_CHUNK_BYTES, and the other memory are. */
void grosr_heap_place(struct grosr_heap *heap, void *arena, void *memory);

/* The words of the map of free chunks as they are at first: heap->map_words, for heap->maps. */
void grosr_heap_first_map(const struct grosr_heap *heap, uint64_t *words);

/*
 * What a heap is like, from a copy of its memory that may have been made while it was used: numbers that
 * belong together may be a little apart then. `copy` has the pointers of grosr_heap_place() into the copy, of
 * which `bits` needs to be valid for no chunk: the length of a run is found in the map and the states.
 * `largest_bytes` counts empty slabs as free.
 */
void grosr_heap_read_counters(const struct grosr_heap *copy, struct grosr_heap_counters *out);

#ifdef __cplusplus
}
#endif

#endif
