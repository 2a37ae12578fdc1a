/*
 * Debug mode (GROSR_HEAP_DEBUG): red zones around each block, poison in memory that is not in use, and who
 * allocated it.
 *
 *     | guard | red zone     | the user's bytes | red zone  |
 *     0       48             front              front+size  the block's end
 *
 * `front` is 64, or the alignment of the user's bytes if that is more, so that a block takes up to twice its
 * size and 80 bytes more. The guard's mark tells a block in use: one swap decides who frees it. At
 * grosr_close() the host reads the guards of the blocks that are left (runtime/host/arena.c).
 */
#ifndef GROSR_HEAP_DEBUG_H
#define GROSR_HEAP_DEBUG_H

#include "block.h"

#define GROSR_GUARD_BYTES  48u
#define GROSR_GUARD_FRONT  64u
#define GROSR_GUARD_IN_USE UINT64_C(0x6775617264a5a5a5)
#define GROSR_GUARD_FREED  UINT64_C(0x66726565645a5a5a)
#define GROSR_POISON_NEW   UINT64_C(0xcdcdcdcdcdcdcdcd)
#define GROSR_POISON_FREED UINT64_C(0xdddddddddddddddd)
#define GROSR_POISON_ZONE  0xfdu
#define GROSR_POISON_ZONES UINT64_C(0xfdfdfdfdfdfdfdfd)

struct grosr_heap_guard {
    dev64 mark, size, front, task, worker, time_ns;
};

static_assert(sizeof(struct grosr_heap_guard) == GROSR_GUARD_BYTES, "the guard's place");

GROSR_DEVICE void grosr_debug_fill(unsigned char *from, unsigned char *to, uint64_t word)
{
    for (; from < to && (uintptr_t)from % 8; from++)
        *from = (unsigned char)word;
    for (; from + 8 <= to; from += 8)
        *(uint64_t *)(void *)from = word;
    for (; from < to; from++)
        *from = (unsigned char)word;
}

GROSR_DEVICE bool grosr_debug_is_zone(const unsigned char *from, const unsigned char *to)
{
    for (; from < to; from++)
        if (*from != GROSR_POISON_ZONE)
            return false;
    return true;
}

GROSR_DEVICE_COLD void *grosr_debug_take(struct grosr_heap_user u, uint64_t size, uint64_t alignment)
{
    uint64_t front = alignment > GROSR_GUARD_FRONT ? alignment : GROSR_GUARD_FRONT, bytes;
    struct grosr_block b = {};
    unsigned char *start;

    size += size == 0; /* so that every block has a usable size */
    if (size > UINT64_MAX - front - 16 ||
        !(start = (unsigned char *)grosr_block_take(u, front + size + 16, alignment)))
        return NULL;
    grosr_block_find(u.heap, start, &b);
    bytes = grosr_block_bytes(u.heap, &b);
    struct grosr_heap_guard *guard = (struct grosr_heap_guard *)(void *)start;
    dev_store_relaxed(&guard->size, size);
    dev_store_relaxed(&guard->front, front);
    dev_store_relaxed(&guard->task, u.task);
    dev_store_relaxed(&guard->worker, u.site ? u.site->worker : UINT64_MAX);
    dev_store_relaxed(&guard->time_ns, dev_clock_ns());
    dev_store_relaxed(&guard->mark, GROSR_GUARD_IN_USE);
    grosr_debug_fill(start + GROSR_GUARD_BYTES, start + front, GROSR_POISON_ZONES);
    grosr_debug_fill(start + front, start + front + size, GROSR_POISON_NEW);
    grosr_debug_fill(start + front + size, start + bytes, GROSR_POISON_ZONES);
    return start + front;
}

/* grosr_block_find() has found that a pointer is no block's beginning, perhaps since it is in a later chunk
 * of a run: the user's bytes are, if they are aligned to a chunk or more. As that function. */
GROSR_DEVICE_COLD enum grosr_heap_error_kind grosr_debug_find(const struct grosr_heap *h,
                                                              struct grosr_block *b)
{
    uint32_t from = (uint32_t)(b->offset >> GROSR_CHUNK_SHIFT);

    for (uint32_t chunk = from; b->kind == 0 && chunk-- > 0;) {
        b->state = dev_load_relaxed(&h->state[chunk]);
        b->kind = grosr_chunk_kind(b->state);
        if (b->kind == GROSR_CHUNK_LARGE && dev_load_relaxed(&grosr_chunk_bits(h, chunk)[0]) > from - chunk) {
            b->offset = (uint64_t)chunk << GROSR_CHUNK_SHIFT;
            return (enum grosr_heap_error_kind)0;
        }
    }
    return GROSR_HEAP_FREE_INNER;
}

/* Frees the user's block at p, in `b`. 0, or the reason why it cannot be. */
GROSR_DEVICE_COLD enum grosr_heap_error_kind grosr_debug_return(struct grosr_heap_user u, void *p,
                                                                struct grosr_block b)
{
    unsigned char *start = u.heap->arena + b.offset, *user = (unsigned char *)p;
    struct grosr_heap_guard *guard = (struct grosr_heap_guard *)(void *)start;
    uint64_t front = dev_load_relaxed(&guard->front), size = dev_load_relaxed(&guard->size);
    uint64_t mark = dev_load_relaxed(&guard->mark), bytes = grosr_block_bytes(u.heap, &b);

    if (!grosr_block_is_live(u.heap, &b))
        return GROSR_HEAP_FREE_TWICE;
    if (mark != GROSR_GUARD_IN_USE && mark != GROSR_GUARD_FREED) {
        if (user < start + GROSR_GUARD_BYTES)
            return GROSR_HEAP_FREE_INNER;
        grosr_heap_mistake(u, GROSR_HEAP_DAMAGED, b.offset); /* and what it says cannot be used */
        return grosr_block_return(u, &b);
    }
    if (user != start + front)
        return GROSR_HEAP_FREE_INNER;
    if (dev_cas_dependent(&guard->mark, GROSR_GUARD_IN_USE, GROSR_GUARD_FREED) != GROSR_GUARD_IN_USE)
        return GROSR_HEAP_FREE_TWICE;
    bool fits = front <= bytes && size <= bytes - front;
    if (!fits || !grosr_debug_is_zone(start + GROSR_GUARD_BYTES, user) ||
        !grosr_debug_is_zone(user + size, start + bytes))
        grosr_heap_mistake(u, GROSR_HEAP_DAMAGED, b.offset + front);
    if (fits)
        grosr_debug_fill(user, user + size, GROSR_POISON_FREED);
    return grosr_block_return(u, &b);
}

#endif
