/* A heap on the host device as tests need it: of so many chunks, in memory of its own. */
#ifndef GROSR_HEAP_FIXTURE_H
#define GROSR_HEAP_FIXTURE_H

#include "../runtime/alloc/alloc.h"
#include "heap_check.h"
#include "tap.h"

#include <sys/mman.h>

struct heap_fixture {
    struct grosr_heap heap;
    struct grosr_heap_plan plan;
    struct grosr_heap_user me;
    unsigned char *arena_map, *memory;
    size_t arena_map_bytes;
};

static inline unsigned char *heap_fixture_map(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (p == MAP_FAILED) {
        printf("Bail out! no memory for a heap\n");
        exit(1);
    }
    return (unsigned char *)p;
}

/* As it was at first. What is in the arena stays. */
static inline void heap_fixture_reset(struct heap_fixture *f)
{
    uint64_t *map = (uint64_t *)calloc(f->heap.map_words, sizeof(*map));

    memset(f->memory, 0, f->plan.bytes);
    grosr_heap_first_map(&f->heap, map);
    memcpy(f->heap.maps, map, f->heap.map_words * sizeof(*map));
    free(map);
}

/* The arena's first chunk is chunk number `base` of `modulus` ones, a power of two, counted from address 0.
 */
static inline void heap_fixture_open_at(struct heap_fixture *f, uint32_t chunks, uint32_t flags,
                                        uint32_t modulus, uint32_t base)
{
    uint64_t step = (uint64_t)modulus << GROSR_CHUNK_SHIFT;

    grosr_heap_make_plan(&f->heap, &f->plan, (uint64_t)chunks << GROSR_CHUNK_SHIFT, flags);
    f->arena_map_bytes = f->plan.arena_bytes + 2 * step;
    f->arena_map = heap_fixture_map(f->arena_map_bytes);
    f->memory = heap_fixture_map(f->plan.bytes);
    uint64_t to_step = -(uint64_t)(uintptr_t)f->arena_map & (step - 1);
    grosr_heap_place(&f->heap, f->arena_map + to_step + ((uint64_t)base << GROSR_CHUNK_SHIFT), f->memory);
    f->me = grosr_heap_anyone(&f->heap);
    heap_fixture_reset(f);
}

static inline void heap_fixture_open(struct heap_fixture *f, uint32_t chunks, uint32_t flags)
{
    heap_fixture_open_at(f, chunks, flags, 1, 0);
}

static inline void heap_fixture_close(struct heap_fixture *f)
{
    munmap(f->arena_map, f->arena_map_bytes);
    munmap(f->memory, f->plan.bytes);
}

static inline struct grosr_heap_counters heap_fixture_counters(const struct heap_fixture *f)
{
    static struct grosr_heap_counters c;

    grosr_heap_read_counters(&f->heap, &c);
    return c;
}

/* heap_check() of this heap. */
static inline const char *heap_fixture_unsound(const struct heap_fixture *f, const uint64_t *live)
{
    struct grosr_heap_counters c = heap_fixture_counters(f);

    return heap_check(&c, f->heap.chunks, live);
}

/* That, as a test. */
static inline void heap_fixture_ok(const struct heap_fixture *f, const uint64_t *live, const char *when)
{
    const char *what = heap_fixture_unsound(f, live);
    ok(!what, "the counters are exact %s%s%s", when, what ? ": not " : "", what ? what : "");
}

#endif
