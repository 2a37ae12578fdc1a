/*
 * The heap: an arena of device memory, cut into chunks, and what is known of each chunk. Everything that an
 * allocation changes is below; who may change it and when is in slab.h and large.h.
 *
 * A chunk is free, a slab of a size class, or in a run of chunks that one large block has. Its state is one
 * word, which is changed by adding, and by swaps where it must be as it was seen:
 *
 *     63............44 43........38 37........22 21..........0
 *     free slots       class + 1    cursors      generation
 *
 *     free slots   of a slab: those that nobody has reserved, in two's complement. Whoever reserves more than
 *                  there are gives the rest back, so that it may be too low, or negative, for a moment, by
 *                  one for each thread that runs at most. It stands at the top, where a borrow falls out of
 *                  the word.
 *     class + 1    0: no slab; GROSR_CHUNK_LARGE: the first chunk of a run
 *     cursors      that point to the chunk, whatever it is by now: all cursors of all classes can. An empty
 *                  slab to which one points stays a slab of its class, since it is about to be used; others
 *                  become free chunks.
 *     generation   of slabs and runs that it has been, modulo 2^22: tells a late free
 *
 * `bits` has GROSR_CHUNK_WORDS words for each chunk: of a slab, a bit is set for each slot that is allocated;
 * of a run, word 0 is its length in chunks and word 1 what was asked for. They lie apart from the arena, so
 * that a block that is written beyond its end does not reach them, and every slot is aligned by its size.
 *
 * Maps have a bit for each chunk (chunk_map.h): `free`, exactly the chunks that nobody has; `spare`, where
 * empty slabs may be found; and one for each class, where slabs with free slots may be found. Cursors are
 * where a warp looks first: for each class and each of some groups of warps, a chunk + 1, or 0.
 *
 * A slab that has free slots is pointed to by a cursor whose bit in `open` is set, or is in the map of its
 * class; but for a moment in which a thread is about to put it there. So nothing is lost to those who need
 * it.
 */
#ifndef GROSR_HEAP_H
#define GROSR_HEAP_H

#include "size_class.h"

#include "../../tracer/session/heap_counters.h"

#define GROSR_CURSORS_MAX 1024u
#define GROSR_CHUNKS_MAX  (1u << 22) /* 256 GiB */
#define GROSR_HEAP_SHARDS 128u

#define GROSR_CHUNK_GENERATIONS ((UINT64_C(1) << 22) - 1)
#define GROSR_CHUNK_CURSOR      (UINT64_C(1) << 22)
#define GROSR_CHUNK_CURSORS     UINT64_C(0xffff)
#define GROSR_CHUNK_CLASS_SHIFT 38
#define GROSR_CHUNK_CLASS_MASK  63u
#define GROSR_CHUNK_FREE_SHIFT  44
#define GROSR_CHUNK_LARGE       63u

static_assert(GROSR_CLASSES * GROSR_CURSORS_MAX + 16384 < GROSR_CHUNK_CURSORS,
              "room for all cursors, and one that each warp is about to set");

/* A class's counters, which warps share by their number. All only grow. */
struct grosr_heap_shard {
    alignas(32) dev64 mallocs;
    dev64 frees, requested, failures;
};

/* A free that was refused. `ticket` is written last: its number + 1. */
struct grosr_heap_mistake {
    dev64 ticket, time_ns, kind, at, task, worker;
    dev64 unused[2];
};

/* A bit for each class of which nothing was found (slab.h); copies, so that not all warps read one word. */
struct grosr_heap_dry {
    alignas(128) dev64 classes;
};

#define GROSR_HEAP_DRY 32u

struct grosr_heap_common {
    struct grosr_heap_dry dry[GROSR_HEAP_DRY];
    alignas(128) dev64 mistakes;
    dev64 errors[GROSR_HEAP_ERROR_KINDS]; /* by kind */
    dev64 large_live, large_mallocs, large_frees, large_requested, large_failures;
    alignas(64) struct grosr_heap_mistake mistake[GROSR_HEAP_ERRORS_MAX];
};

/* Passed by value, in a kernel's argument: constant. All pointers are to device memory. */
struct grosr_heap {
    unsigned char *arena; /* aligned to GROSR_CHUNK_BYTES; NULL: there is no heap, and nothing to be had */
    dev64 *state;         /* a word a chunk */
    dev64 *bits;          /* GROSR_CHUNK_WORDS a chunk */
    dev64 *maps;          /* GROSR_MAPS, map_words each */
    dev32 *cursor;        /* cursors for each class */
    dev64 *open;          /* GROSR_CURSORS_MAX / 64 for each class */
    dev32 *chunk_hint;    /* for each group of warps: a word of the free map, + 1, that had chunks lately */
    struct grosr_heap_shard *shard; /* GROSR_HEAP_SHARDS for each class */
    struct grosr_heap_common *common;
    uint32_t chunks, cursors; /* cursors: a power of two */
    uint32_t map_words, map_level1, map_level2, map_roots;
    uint32_t flags;
    uint16_t slots[GROSR_CLASSES + 2], units[GROSR_CLASSES + 2]; /* of a slab; 16 bytes of a slot */
    uint32_t inverse[GROSR_CLASSES];                             /* of units: grosr_slot_of_unit() */
};

enum { GROSR_MAP_FREE, GROSR_MAP_SPARE, GROSR_MAP_CLASS, GROSR_MAPS = GROSR_MAP_CLASS + GROSR_CLASSES };

/* ---- a chunk's state ---- */

GROSR_DEVICE int64_t grosr_chunk_free_slots(uint64_t state)
{
    return (int64_t)state >> GROSR_CHUNK_FREE_SHIFT;
}

/* The class + 1. */
GROSR_DEVICE uint32_t grosr_chunk_kind(uint64_t state)
{
    return (uint32_t)(state >> GROSR_CHUNK_CLASS_SHIFT) & GROSR_CHUNK_CLASS_MASK;
}

GROSR_DEVICE uint32_t grosr_chunk_cursors(uint64_t state)
{
    return (uint32_t)(state / GROSR_CHUNK_CURSOR & GROSR_CHUNK_CURSORS);
}

GROSR_DEVICE bool grosr_chunk_is_slab(uint64_t state)
{
    uint32_t kind = grosr_chunk_kind(state);
    return kind != 0 && kind != GROSR_CHUNK_LARGE;
}

GROSR_DEVICE uint64_t grosr_chunk_slots(int64_t n)
{
    return (uint64_t)n << GROSR_CHUNK_FREE_SHIFT;
}

GROSR_DEVICE uint64_t grosr_chunk_of_class(uint32_t kind)
{
    return (uint64_t)kind << GROSR_CHUNK_CLASS_SHIFT;
}

GROSR_DEVICE dev64 *grosr_chunk_bits(const struct grosr_heap *h, uint32_t chunk)
{
    return h->bits + (size_t)chunk * GROSR_CHUNK_WORDS;
}

GROSR_DEVICE unsigned char *grosr_chunk_address(const struct grosr_heap *h, uint32_t chunk)
{
    return h->arena + ((size_t)chunk << GROSR_CHUNK_SHIFT);
}

GROSR_DEVICE struct grosr_heap_shard *grosr_heap_shard_of(const struct grosr_heap *h, uint32_t size_class,
                                                          uint32_t spread)
{
    return &h->shard[size_class * GROSR_HEAP_SHARDS + spread % GROSR_HEAP_SHARDS];
}

/* Which slot of a slab has its `unit`th 16 bytes, 0 .. 4095: unit / h->units, without a division. */
GROSR_DEVICE uint32_t grosr_slot_of_unit(const struct grosr_heap *h, uint32_t size_class, uint32_t unit)
{
    return (uint32_t)((uint64_t)unit * h->inverse[size_class] >> 31);
}

/* ---- words ---- */

/* The index of the set bit that has `rank` set bits below it; there is one. */
GROSR_DEVICE uint32_t grosr_bit_select(uint64_t bits, uint32_t rank)
{
    uint32_t at = 0;

    for (uint32_t half = 32; half; half /= 2) {
        uint32_t below = dev_popc64(bits >> at & ((UINT64_C(1) << half) - 1));
        if (rank >= below) {
            rank -= below;
            at += half;
        }
    }
    return at;
}

/* The lowest n bits, 0 .. 64. */
GROSR_DEVICE uint64_t grosr_bits_below(uint32_t n)
{
    return n < 64 ? (UINT64_C(1) << n) - 1 : ~UINT64_C(0);
}

/* The lowest `n` of the set bits, or all, if there are no more. */
GROSR_DEVICE uint64_t grosr_bits_lowest(uint64_t bits, uint32_t n)
{
    return dev_popc64(bits) <= n ? bits : bits & grosr_bits_below(grosr_bit_select(bits, n));
}

#endif
