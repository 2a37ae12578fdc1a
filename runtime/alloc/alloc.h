/*
 * Dynamic memory for device code: malloc and free in an arena that the host has reserved.
 *
 *     struct grosr_heap_user me = grosr_heap_anyone(&heap);
 *     void *p = grosr_heap_malloc(me, bytes);
 *     ...
 *     grosr_heap_free(me, p);
 *
 * In a task of GROSR's, whose runtime has a heap unless it was opened without: grosr_malloc(task, bytes) and
 * so on (task_heap.h). In any other kernel that is handed a `struct grosr_heap`, by value: the functions
 * here.
 *
 * Any lanes may call them at any time, diverged or not; those that call together share the work. A block may
 * be freed by any thread of any kernel that can reach the heap, after what orders the two as for any other
 * memory. Nothing waits for another thread: no lock is held, and a thread that is stopped anywhere keeps none
 * of the others from memory that is free.
 *
 * Sizes are in bytes. Up to 32 KiB a block is a slot of a size class (size_class.h); a larger one is whole
 * chunks of 64 KiB, up to the longest run that is free. Blocks are aligned to 16 bytes, and to their size
 * where that is a power of two, up to 64 KiB. A request of 0 bytes gets the smallest block. Memory is as its
 * last owner left it, unless zeroes are asked for.
 *
 * Where there is no memory, NULL is returned; that is counted. A pointer that cannot be freed is refused with
 * EINVAL, counted, and kept among the heap's latest errors: one that is not in the arena, that is inside a
 * block, or whose block is not allocated. A block that was freed and has become another's since cannot be
 * told from that one.
 */
#ifndef GROSR_ALLOC_H
#define GROSR_ALLOC_H

#include "debug.h"

/* What malloc aligns a block of `size` bytes to. */
GROSR_DEVICE uint64_t grosr_heap_alignment(uint64_t size)
{
    uint64_t power = size > 16 && (size & (size - 1)) == 0 ? size : 16;
    return power < GROSR_CHUNK_BYTES ? power : GROSR_CHUNK_BYTES;
}

/* `alignment`: a power of two; others get NULL. */
GROSR_DEVICE void *grosr_heap_aligned_alloc(struct grosr_heap_user u, uint64_t alignment, uint64_t size)
{
    if (alignment == 0 || (alignment & (alignment - 1)))
        return NULL;
    if (u.heap->flags & GROSR_HEAP_DEBUG)
        return grosr_debug_take(u, size, alignment);
    return grosr_block_take(u, size, alignment);
}

GROSR_DEVICE void *grosr_heap_malloc(struct grosr_heap_user u, uint64_t size)
{
    if (u.heap->flags & GROSR_HEAP_DEBUG)
        return grosr_debug_take(u, size, grosr_heap_alignment(size));
    return grosr_block_take(u, size, 16); /* the classes of powers of two are aligned to them */
}

/* Finds the block at p, in debug mode the one whose user's bytes they may be. 0, or why there is none. */
GROSR_DEVICE enum grosr_heap_error_kind grosr_heap_find(struct grosr_heap_user u, const void *p,
                                                        struct grosr_block *b)
{
    enum grosr_heap_error_kind error = grosr_block_find(u.heap, p, b);

    if (error == GROSR_HEAP_FREE_INNER && u.heap->flags & GROSR_HEAP_DEBUG)
        error = grosr_debug_find(u.heap, b);
    return error;
}

/* Counts and keeps a pointer that cannot be freed; 0 where there is no reason why not. */
GROSR_DEVICE int grosr_heap_refuse(struct grosr_heap_user u, const void *p, enum grosr_heap_error_kind error)
{
    uint64_t address = (uint64_t)(uintptr_t)p, offset = address - (uint64_t)(uintptr_t)u.heap->arena;

    if (!error)
        return 0;
    grosr_heap_mistake(u, error, error == GROSR_HEAP_FREE_FOREIGN ? address : offset);
    return EINVAL;
}

/* grosr_heap_free() in debug mode. */
GROSR_DEVICE_COLD int grosr_debug_free(struct grosr_heap_user u, void *p)
{
    struct grosr_block b;
    enum grosr_heap_error_kind error = grosr_heap_find(u, p, &b);

    return grosr_heap_refuse(u, p, error ? error : grosr_debug_return(u, p, b));
}

/* 0 for NULL; EINVAL: it is no block of this heap's. */
GROSR_DEVICE int grosr_heap_free(struct grosr_heap_user u, void *p)
{
    struct grosr_block b; /* in registers: no function that is called gets its address */

    if (!p)
        return 0;
    if (u.heap->flags & GROSR_HEAP_DEBUG)
        return grosr_debug_free(u, p);
    enum grosr_heap_error_kind error = grosr_block_find(u.heap, p, &b);
    if (!error && u.heap->arena + b.offset != (unsigned char *)p)
        error = GROSR_HEAP_FREE_INNER;
    return grosr_heap_refuse(u, p, error ? error : grosr_block_return(u, &b));
}

/* The bytes that the block at p has room for; 0: it is none of this heap's. */
GROSR_DEVICE uint64_t grosr_heap_usable_size(struct grosr_heap_user u, const void *p)
{
    struct grosr_block b;

    if (!p || grosr_heap_find(u, p, &b) || !grosr_block_is_live(u.heap, &b))
        return 0;
    struct grosr_heap_guard *guard = (struct grosr_heap_guard *)(void *)(u.heap->arena + b.offset);
    uint64_t inside = (uint64_t)((const unsigned char *)p - (const unsigned char *)guard);
    if (u.heap->flags & GROSR_HEAP_DEBUG)
        return inside == dev_load_relaxed(&guard->front) ? dev_load_relaxed(&guard->size) : 0;
    return inside ? 0 : grosr_block_bytes(u.heap, &b);
}

GROSR_DEVICE void grosr_heap_copy(unsigned char *to, const unsigned char *from, uint64_t bytes)
{
    uint64_t i = 0;

    for (; i + 8 <= bytes; i += 8) /* both are aligned to 16 */
        *(uint64_t *)(void *)(to + i) = *(const uint64_t *)(const void *)(from + i);
    for (; i < bytes; i++)
        to[i] = from[i];
}

/* A block of zeroes for n elements of `size` bytes; NULL also if that is more than 2^64 - 1 bytes. */
GROSR_DEVICE void *grosr_heap_calloc(struct grosr_heap_user u, uint64_t n, uint64_t size)
{
    if (size && n > UINT64_MAX / size)
        return NULL;
    unsigned char *p = (unsigned char *)grosr_heap_malloc(u, n * size);
    if (p)
        grosr_debug_fill(p, p + n * size, 0);
    return p;
}

/*
 * The block at p with `size` bytes, perhaps elsewhere; as malloc for NULL. NULL: there is no memory, or p is
 * no block, and nothing has changed. A size of 0 is as any other: free() frees.
 */
GROSR_DEVICE void *grosr_heap_realloc(struct grosr_heap_user u, void *p, uint64_t size)
{
    uint64_t old = grosr_heap_usable_size(u, p);
    void *now;

    if (p && !old) {
        grosr_heap_free(u, p); /* refused, and reported */
        return NULL;
    }
    /* Where it stays it keeps at most twice what it needs. */
    if (p && size <= old && size > old / 2 && !(u.heap->flags & GROSR_HEAP_DEBUG))
        return p;
    now = grosr_heap_malloc(u, size);
    if (!now || !p)
        return now;
    grosr_heap_copy((unsigned char *)now, (const unsigned char *)p, size < old ? size : old);
    grosr_heap_free(u, p);
    return now;
}

#endif
