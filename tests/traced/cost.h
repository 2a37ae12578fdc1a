/*
 * What a call costs: the median of batches with a pause between them, in which a collector can read.
 */
#ifndef GROSR_TESTS_TRACED_COST_H
#define GROSR_TESTS_TRACED_COST_H

#include <stdint.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

static uint64_t cost_now_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static int cost_compare(const void *a, const void *b)
{
    return *(const double *)a < *(const double *)b ? -1 : *(const double *)a > *(const double *)b;
}

/* In ns, of one of `calls` calls in a batch. */
static double cost_of(void (*call)(void), int calls)
{
    enum { BATCHES = 101 };
    double ns[BATCHES];

    for (int i = 0; i < BATCHES; i++) {
        uint64_t start = cost_now_ns();
        for (int k = 0; k < calls; k++)
            call();
        ns[i] = (double)(cost_now_ns() - start) / calls;
        usleep(5000);
    }
    qsort(ns, BATCHES, sizeof(ns[0]), cost_compare);
    return ns[BATCHES / 2];
}

#endif
