/*
 * The checksum of a `random` tree (runtime/builtin/functions.h), computed without tasks.
 */
#ifndef GROSR_RANDOM_TREE_H
#define GROSR_RANDOM_TREE_H

#include "../runtime/builtin/functions.h"

/* What `random` with these arguments gives; `sum`: what it summed up before it went on; *tasks counts the
 * runs of functions. */
static inline uint64_t grosr_random_tree(uint32_t a, uint64_t b, uint64_t sum, uint64_t *tasks)
{
    uint64_t h = grosr_hash64(b), total = 0;
    uint32_t children = a ? h % 4 : 0, way = h >> 8 & 7;

    ++*tasks;
    for (uint32_t i = 0; i < children; i++) {
        if (way == GROSR_RANDOM_RANGE) {
            total += i * h;
            ++*tasks;
        } else {
            total += grosr_random_tree(a - 1, grosr_hash64(b + i), 0, tasks);
        }
    }
    if (way == GROSR_RANDOM_THEN && a)
        return grosr_random_tree(a - 1, ~b, total, tasks);
    return h + sum + total;
}

#endif
