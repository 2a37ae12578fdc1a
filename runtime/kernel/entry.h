/*
 * A task on the device that has not started: what queues hold.
 *
 *     count  0    the frame `parent` (frame.h) is ready: its task resumes as the frame says
 *            1    one task
 *            n    a range: n tasks with arguments a, a+1, ... and consecutive numbers; a
 *                 worker that runs it takes as many as it has lanes, one that gives cuts it in pieces (lazy
 *                 splitting: Tzannes, Caragea, Barua, Vishkin, "Lazy binary-splitting", PPoPP 2010)
 *
 * In a shared ring an entry is four words, each with the 8-bit lap of its slot, since 32 bytes are not moved
 * at once:
 *
 *     w[0]   lap:8 | b, high byte:8 | function:16 | a:32
 *     w[1]   lap:8 | b, low 56
 *     w[2]   lap:8 | parent:24 | count, high 16:16 | 0:16
 *     w[3]   lap:8 | count, low 16:16 | number:40
 */
#ifndef GROSR_ENTRY_H
#define GROSR_ENTRY_H

#include "../../tracer/session/event.h"

/* In `function`, whose ids have 15 bits: not the task's first. */
#define GROSR_ENTRY_RESUMED 0x8000u

struct grosr_entry {
    uint32_t function, a;
    uint64_t b;
    uint64_t number;
    uint32_t parent, count;
};

/* The number of a range's i-th task: spawned numbers count modulo 2^27 in their spawner's share (event.h). */
GROSR_DEVICE uint64_t grosr_number_add(uint64_t number, uint32_t i)
{
    const uint64_t mask = (UINT64_C(1) << GROSR_TASK_SPAWN_BITS) - 1;
    return (number & ~mask) | ((number + i) & mask);
}

/* The i-th task of a range, or with count > 1 what follows it. */
GROSR_DEVICE struct grosr_entry grosr_entry_at(struct grosr_entry range, uint32_t i, uint32_t count)
{
    range.a += i;
    range.number = grosr_number_add(range.number, i);
    range.count = count;
    return range;
}

/* `lap` is shifted into place: lap << 56. */
GROSR_DEVICE struct grosr_quad grosr_entry_pack(struct grosr_entry e, uint64_t lap)
{
    const uint64_t low56 = (UINT64_C(1) << 56) - 1;
    struct grosr_quad q;
    q.w[0] = lap | e.b >> 56 << 48 | (uint64_t)(e.function & 0xffffu) << 32 | e.a;
    q.w[1] = lap | (e.b & low56);
    q.w[2] = lap | (uint64_t)e.parent << 32 | (uint64_t)(e.count >> 16) << 16;
    q.w[3] = lap | (uint64_t)(e.count & 0xffffu) << 40 | (e.number & GROSR_TASK_ID_MASK);
    return q;
}

GROSR_DEVICE struct grosr_entry grosr_entry_unpack(struct grosr_quad q)
{
    const uint64_t low56 = (UINT64_C(1) << 56) - 1;
    struct grosr_entry e;
    e.function = (uint32_t)(q.w[0] >> 32) & 0xffffu;
    e.a = (uint32_t)q.w[0];
    e.b = (q.w[0] >> 48 & 0xffu) << 56 | (q.w[1] & low56);
    e.parent = (uint32_t)(q.w[2] >> 32) & 0xffffffu;
    e.count = ((uint32_t)(q.w[2] >> 16) & 0xffffu) << 16 | ((uint32_t)(q.w[3] >> 40) & 0xffffu);
    e.number = q.w[3] & GROSR_TASK_ID_MASK;
    return e;
}

/* Whether all four words are of the (shifted) lap. */
GROSR_DEVICE bool grosr_entry_holds(struct grosr_quad q, uint64_t lap)
{
    return (((q.w[0] ^ lap) | (q.w[1] ^ lap) | (q.w[2] ^ lap) | (q.w[3] ^ lap)) >> 56) == 0;
}

GROSR_DEVICE struct grosr_entry grosr_entry_shfl(struct grosr_entry e, uint32_t lane)
{
    struct grosr_entry x;
    x.function = dev_shfl32(e.function, lane);
    x.a = dev_shfl32(e.a, lane);
    x.b = dev_shfl64(e.b, lane);
    x.number = dev_shfl64(e.number, lane);
    x.parent = dev_shfl32(e.parent, lane);
    x.count = dev_shfl32(e.count, lane);
    return x;
}

#endif
