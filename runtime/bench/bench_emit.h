/*
 * Warps that record events, as experiments and tests launch them (bench_rig.h). One text for the device and
 * for the host's threads.
 *
 * A step is some work, whose result is checked, and then one event. What records it and how much work there
 * is are constants where this is inlined: each kernel has the code of one recorder alone, as a program has,
 * and the work is the same instructions in all of them (with a number of rounds that is looked up, how the
 * compiler places its loop made more difference than the event).
 *
 * The peer is what one writes who needs no more: 32 bits of time and a tag of 32, without a bound, into a
 * buffer of the warp's own that wraps by a mask. It lies where the warp's ring does, so that both write to
 * the same memory.
 */
#ifndef GROSR_BENCH_EMIT_H
#define GROSR_BENCH_EMIT_H

#include "../../tracer/session/recorder.h"
#include "bench_work.h"

enum grosr_bench_recorder {
    GROSR_BENCH_NOTHING, /* the work alone */
    GROSR_BENCH_PEER,
    GROSR_BENCH_EVENT, /* from level `spans` on */
    GROSR_BENCH_STATE, /* the state word from `counters` on, an event from `spans` on, a second at `full` */
    GROSR_BENCH_FLOOD, /* no work: an event that tells of itself, after another, until told to stop */
};

enum grosr_bench_length { GROSR_BENCH_SHORT, GROSR_BENCH_LONG, GROSR_BENCH_LENGTHS };

/* Of work in a step, each some 14 cycles when a warp is by itself. */
#define GROSR_BENCH_ROUNDS(length) ((length) == GROSR_BENCH_SHORT ? 16u : 128u)

/* Every kernel but the flood: what it is called, its recorder, the length of its steps. */
#define GROSR_BENCH_EMIT_KERNELS(X)                          \
    X(nothing_short, GROSR_BENCH_NOTHING, GROSR_BENCH_SHORT) \
    X(nothing_long, GROSR_BENCH_NOTHING, GROSR_BENCH_LONG)   \
    X(peer_short, GROSR_BENCH_PEER, GROSR_BENCH_SHORT)       \
    X(peer_long, GROSR_BENCH_PEER, GROSR_BENCH_LONG)         \
    X(event_short, GROSR_BENCH_EVENT, GROSR_BENCH_SHORT)     \
    X(event_long, GROSR_BENCH_EVENT, GROSR_BENCH_LONG)       \
    X(state_short, GROSR_BENCH_STATE, GROSR_BENCH_SHORT)     \
    X(state_long, GROSR_BENCH_STATE, GROSR_BENCH_LONG)

/* What a kernel gets. By value. */
struct grosr_bench_launch {
    struct grosr_trace trace;
    uint32_t warps;
    uint32_t steps;     /* of each warp, that are timed */
    uint32_t peer_mask; /* slots in the peer's buffer - 1 */
    uint32_t *result;   /* [warps * GROSR_LANES] */
    uint64_t *span_ns;  /* [warps]: how long a warp's timed steps took, until what they stored had arrived */
};

/* Between a flooding warp's looks at the session's `stop`, which cross PCIe. */
#define GROSR_BENCH_STEPS_PER_LOOK 65536u

/* A thread's work starts here. */
GROSR_DEVICE uint32_t grosr_bench_seed(uint32_t warp)
{
    return (warp * GROSR_LANES + dev_lane()) % GROSR_BENCH_SEEDS;
}

/* The payload of a flooding ring's event number `number`: 56 bits in which every bit of both counts (the
 * finaliser of MurmurHash3, A. Appleby). */
GROSR_DEVICE uint64_t grosr_bench_flood_payload(uint32_t ring, uint64_t number)
{
    uint64_t x = (uint64_t)ring << 40 ^ number;

    x ^= x >> 33;
    x *= UINT64_C(0xff51afd7ed558ccd);
    x ^= x >> 33;
    x *= UINT64_C(0xc4ceb9fe1a85ec53);
    return (x ^ x >> 33) & GROSR_PAYLOAD_MASK;
}

GROSR_DEVICE void grosr_bench_emit_step(struct grosr_recorder *r, enum grosr_bench_recorder which,
                                        uint32_t step)
{
    struct grosr_emitter *e = &r->emit;

    if (which == GROSR_BENCH_EVENT && e->level >= GROSR_LEVEL_SPANS)
        grosr_emit_at(e, GROSR_EV_INSTANT, step, dev_clock_ns());
    if (which == GROSR_BENCH_STATE && e->level >= GROSR_LEVEL_COUNTERS) {
        uint64_t now = dev_clock_ns();
        grosr_record_state(r, GROSR_EV_INSTANT, step, now);
        if (e->level >= GROSR_LEVEL_FULL)
            grosr_emit_at(e, GROSR_EV_INSTANT, step, now);
    }
}

/* A lap of steps that are not timed, with the ring's first look at its reader, and those that are. A
 * collective; `which` and `length` are constants. */
GROSR_DEVICE void grosr_bench_emit_run(const struct grosr_bench_launch *l, enum grosr_bench_recorder which,
                                       enum grosr_bench_length length, uint32_t warp)
{
    const bool peer = which == GROSR_BENCH_PEER, emits = !peer && which != GROSR_BENCH_NOTHING;
    dev64 *buffer = (dev64 *)(void *)(l->trace.base + l->trace.rings[warp].slots_at);
    struct grosr_recorder r = {};
    struct grosr_emit_ring ring;
    uint32_t steps = dev_shfl32(l->steps, 0), mask = dev_shfl32(l->peer_mask, 0); /* in registers */
    uint32_t x = grosr_bench_seed(warp), step = 0, end = mask + 1;
    uint64_t start;

    if (emits) {
        grosr_emit_open(&r.emit, &ring, &l->trace, warp);
        r.entry = &l->trace.workers[warp];
        r.emit.level = dev_shfl32(sys_load_relaxed(&l->trace.header->level), 0);
    }
    GROSR_DEVICE_NO_UNROLL
    for (uint32_t part = 0; part < 2; part++) { /* the second is timed */
        start = dev_clock_ns();
        GROSR_DEVICE_NO_UNROLL
        for (; step < end; step++) {
            x = grosr_bench_mix(x, GROSR_BENCH_ROUNDS(length));
            if (peer)
                dev_store_if(&buffer[step & mask], dev_lane() == 0,
                             (uint64_t)dev_clock_low_ns() << 32 | step);
            else if (emits)
                grosr_bench_emit_step(&r, which, step);
        }
        end += steps;
        dev_syncwarp();
        if (dev_lane() == 0) {
            sys_store_release(&l->trace.workers[warp].sm,
                              dev_sm() + 1); /* after the store of buffer, which has arrived */
            l->span_ns[warp] = dev_clock_ns() - start;
        }
    }
    if (emits)
        grosr_emit_close(&r.emit);
    l->result[warp * GROSR_LANES + dev_lane()] = x;
}

/* Events at full rate, each telling its ring and number. A collective. */
GROSR_DEVICE void grosr_bench_flood_run(const struct grosr_bench_launch *l, uint32_t warp)
{
    struct grosr_emit_ring ring;
    struct grosr_emitter e;
    uint32_t step = 0;

    grosr_emit_open(&e, &ring, &l->trace, warp);
    while (step < l->steps) {
        if (step % GROSR_BENCH_STEPS_PER_LOOK == 0 && dev_shfl32(sys_load_relaxed(&l->trace.header->stop), 0))
            break;
        grosr_emit_at(&e, GROSR_EV_INSTANT, grosr_bench_flood_payload(warp, step), dev_clock_ns());
        step++;
    }
    grosr_emit_close(&e);
    if (dev_lane() == 0)
        l->result[warp * GROSR_LANES] = step;
}

#endif
