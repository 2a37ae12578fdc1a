/*
 * Built-in task functions that use the heap, for the workload churn.
 *
 * The table, at b, is device memory: a word with its capacity, a power of two, then a word for each place:
 * the address of a block, or 0. A task takes what is in a place by swapping, so that the block is its own: it
 * checks it, and frees it. So blocks are freed by other tasks than those that have allocated them, on other
 * workers, and live as long as their places are not met again.
 */
#ifndef GROSR_FUNCTIONS_HEAP_H
#define GROSR_FUNCTIONS_HEAP_H

#include "functions.h"

#include "../kernel/task_heap.h"

#define GROSR_CHURN_STEPS 8u

/* What churn's a means: what sizes its blocks have, and how many of the places it fills. */
enum grosr_churn_phase {
    GROSR_CHURN_SMALL, /* 16 to 256 bytes */
    GROSR_CHURN_THIN,  /* mostly none: the table empties */
    GROSR_CHURN_WIDE,  /* 512 bytes to 8 KiB */
    GROSR_CHURN_MIXED, /* 16 bytes to 256 KiB, many small ones */
    GROSR_CHURN_PHASES,
};

/* A block begins with its size and ends with the word below; it has 16 bytes at least. */
GROSR_DEVICE uint64_t grosr_churn_mark(const void *p, uint64_t size)
{
    return grosr_hash64((uint64_t)(uintptr_t)p ^ size);
}

GROSR_DEVICE uint64_t *grosr_churn_end(void *p, uint64_t size)
{
    return (uint64_t *)(void *)((unsigned char *)p + size / 8 * 8 - 8);
}

/* The size of the next block, 0 for none. */
GROSR_DEVICE uint64_t grosr_churn_size(uint32_t phase, uint64_t h)
{
    switch (phase) {
    case GROSR_CHURN_SMALL:
        return 16 + h % 241;
    case GROSR_CHURN_THIN:
        return h % 4 ? 0 : 16 + (h >> 8) % 241;
    case GROSR_CHURN_WIDE:
        return 512 + h % 7681;
    default:
        return (16 + (h >> 8) % 241) << (h % 8 ? h % 4 : h % 11);
    }
}

/* The block that was in a place is this task's now: EPROTO if it is not as it was written. */
GROSR_DEVICE int grosr_churn_drop(struct grosr_task_context *task, uint64_t address)
{
    uint64_t *p = (uint64_t *)(uintptr_t)address;

    if (!p)
        return 0;
    if (p[0] < 16 || *grosr_churn_end(p, p[0]) != grosr_churn_mark(p, p[0]))
        return EPROTO;
    return grosr_free(task, p) ? EPROTO : 0;
}

/* Swaps what is in a place. Release: the block is written. Acquire: so is the old one. Pairs with itself,
 * grosr_churn_swap(), in other tasks. */
GROSR_DEVICE uint64_t grosr_churn_swap(dev64 *place, uint64_t address)
{
    uint64_t old = dev_load_relaxed(place), seen;

    while ((seen = dev_cas_acq_rel(place, old, address)) != old)
        old = seen;
    return old;
}

GROSR_DEVICE_COLD int grosr_churn_steps(struct grosr_task_context *task)
{
    dev64 *table = (dev64 *)(uintptr_t)task->b;
    uint64_t places = dev_load_relaxed(table), failures = 0;
    uint32_t phase = task->a % GROSR_CHURN_PHASES;

    for (uint32_t i = 0; i < GROSR_CHURN_STEPS; i++) {
        uint64_t h = grosr_hash64((uint64_t)task->a * GROSR_CHURN_STEPS + i);
        uint64_t size = grosr_churn_size(phase, h >> 24), *p = NULL;
        if (size) {
            p = (uint64_t *)grosr_malloc(task, size);
            failures += !p;
        }
        if (p) {
            p[0] = size;
            *grosr_churn_end(p, size) = grosr_churn_mark(p, size);
        }
        int err = grosr_churn_drop(task, grosr_churn_swap(&table[1 + h % places], (uint64_t)(uintptr_t)p));
        if (err)
            return err;
    }
    task->value = failures << 32 | GROSR_CHURN_STEPS;
    return 0;
}

/* On a copy: the address of a task's context keeps it out of registers. */
GROSR_TASK(churn)
{
    struct grosr_task_context copy = *task;
    int err = grosr_churn_steps(&copy);

    *task = copy;
    return err;
}

/* a: parts << 16 | part. */
GROSR_DEVICE_COLD int grosr_churn_empty(struct grosr_task_context *task)
{
    dev64 *table = (dev64 *)(uintptr_t)task->b;
    uint64_t places = dev_load_relaxed(table), parts = task->a >> 16, part = task->a & 0xffff;

    for (uint64_t i = part; i < places; i += parts) {
        int err = grosr_churn_drop(task, grosr_churn_swap(&table[1 + i], 0));
        if (err)
            return err;
        task->value++;
    }
    return 0;
}

GROSR_TASK(empty)
{
    struct grosr_task_context copy = *task;
    int err = copy.a >> 16 ? grosr_churn_empty(&copy) : EINVAL;

    *task = copy;
    return err;
}

/* ---- a tree in the heap ---- */

struct grosr_tree_node {
    struct grosr_tree_node *child[2];
    uint64_t nodes; /* of the tree below it, with itself */
    uint64_t levels;
};

#define GROSR_TREE_ROOT 0x80000000u /* in a: the node is freed, too, when it has been summed up */

/* Its children write their addresses into it; it sums up when they are complete. */
GROSR_DEVICE_COLD int grosr_tree_grow(struct grosr_task_context *task)
{
    uint32_t levels = task->a & ~GROSR_TREE_ROOT;
    struct grosr_tree_node *n = (struct grosr_tree_node *)grosr_calloc(task, 1, sizeof(*n));
    int err = 0;

    if (!n)
        return ENOMEM;
    n->levels = levels;
    if (task->b)
        *(struct grosr_tree_node **)(uintptr_t)task->b = n;
    for (uint32_t i = 0; i < 2 && levels > 1 && !err; i++)
        err = grosr_spawn(task, GROSR_FN_GROW, levels - 1, (uint64_t)(uintptr_t)&n->child[i]);
    if (err && !task->children) {
        if (task->b)
            *(struct grosr_tree_node **)(uintptr_t)task->b = NULL;
        grosr_free(task, n);
        return err;
    }
    return grosr_then(task, GROSR_FN_FOLD, (task->a & GROSR_TREE_ROOT) | (uint32_t)err,
                      (uint64_t)(uintptr_t)n);
}

GROSR_TASK(grow)
{
    struct grosr_task_context copy = *task;
    int err = grosr_tree_grow(&copy);

    *task = copy;
    return err;
}

/* Its value is the tree's nodes if it is the root, and else 0: a task's value is added to its parent's. */
GROSR_DEVICE_COLD int grosr_tree_fold(struct grosr_task_context *task)
{
    struct grosr_tree_node *n = (struct grosr_tree_node *)(uintptr_t)task->b;
    int err = task->failed ? task->failed : (int)(task->a & ~GROSR_TREE_ROOT);

    n->nodes = 1;
    for (uint32_t i = 0; i < 2; i++) {
        if (!n->child[i])
            continue;
        n->nodes += n->child[i]->nodes;
        if (n->child[i]->levels != n->levels - 1 || grosr_free(task, n->child[i]))
            err = err ? err : EPROTO;
    }
    if (task->a & GROSR_TREE_ROOT) {
        task->value = n->nodes;
        if (grosr_free(task, n))
            err = err ? err : EPROTO;
    }
    return err;
}

GROSR_TASK(fold)
{
    struct grosr_task_context copy = *task;
    int err = grosr_tree_fold(&copy);

    *task = copy;
    return err;
}

#endif
