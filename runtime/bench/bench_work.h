/*
 * What the experiments' tasks and kernels compute: one text for the device and for the host that checks it.
 */
#ifndef GROSR_BENCH_WORK_H
#define GROSR_BENCH_WORK_H

#include "../../tracer/port/device.h"

/* Task i of every baseline, as GROSR_FN_ADD of (uint32_t)i and 3 * i. */
GROSR_DEVICE uint64_t grosr_bench_result(uint64_t i)
{
    return (i & 0xffffffffu) + 3 * i;
}

/* A chain of dependent steps that no compiler shortens (xor-shift and multiply do not compose). */
GROSR_DEVICE uint32_t grosr_bench_mix(uint32_t x, uint32_t rounds)
{
    for (uint32_t i = 0; i < rounds; i++) {
        x ^= x >> 15;
        x *= 0x2c1b3c6du;
    }
    return x;
}

/* The compute-bound kernel's threads start from this many values, so that each of its results is checked
 * at the price of these. */
#define GROSR_BENCH_SEEDS 64u

#endif
