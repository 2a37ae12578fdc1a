/*
 * Memory for tasks: the runtime's heap (alloc.h), as any lane of any task function uses it. What one task has
 * allocated another one may free, on any worker, once it has been passed on as any other memory is (task.h).
 *
 *     struct node *n = (struct node *)grosr_malloc(task, sizeof(*n));
 *     if (!n)
 *         return ENOMEM;
 *
 * There is no memory (NULL) also in a runtime that was opened without a heap.
 */
#ifndef GROSR_TASK_HEAP_H
#define GROSR_TASK_HEAP_H

#include "task.h"
#include "task_wait.h"

#include "../alloc/alloc.h"

GROSR_DEVICE struct grosr_heap_user grosr_task_heap(const struct grosr_task_context *task)
{
    struct grosr_heap_user u;
    u.heap = &task->launch->heap;
    u.site = &task->deque.local->heap;
    u.task = grosr_payload_task(task->function, task->number);
    return u;
}

/* A block of at least `size` bytes, aligned to 16 and, where `size` is a power of two, to that, up to 64 KiB.
 * NULL: there is no memory. */
GROSR_DEVICE void *grosr_malloc(const struct grosr_task_context *task, size_t size)
{
    return grosr_heap_malloc(grosr_task_heap(task), size);
}

/* As grosr_malloc(), n elements of `size` bytes, all zero. NULL also if n * size overflows. */
GROSR_DEVICE void *grosr_calloc(const struct grosr_task_context *task, size_t n, size_t size)
{
    return grosr_heap_calloc(grosr_task_heap(task), n, size);
}

/* The block with a new size, perhaps elsewhere; as grosr_malloc() for NULL. NULL: nothing has changed. */
GROSR_DEVICE void *grosr_realloc(const struct grosr_task_context *task, void *p, size_t size)
{
    return grosr_heap_realloc(grosr_task_heap(task), p, size);
}

/* `alignment`: a power of two, at most the arena's size; NULL for any other. */
GROSR_DEVICE void *grosr_aligned_alloc(const struct grosr_task_context *task, size_t alignment, size_t size)
{
    return grosr_heap_aligned_alloc(grosr_task_heap(task), alignment, size);
}

/* 0, also for NULL. EINVAL: it is no block of this heap, or has been freed; that is reported, and nothing
 * else happens. */
GROSR_DEVICE int grosr_free(const struct grosr_task_context *task, void *p)
{
    return grosr_heap_free(grosr_task_heap(task), p);
}

/* The bytes that a block has room for; 0: it is none of this heap's. */
GROSR_DEVICE size_t grosr_usable_size(const struct grosr_task_context *task, const void *p)
{
    return grosr_heap_usable_size(grosr_task_heap(task), p);
}

#endif
