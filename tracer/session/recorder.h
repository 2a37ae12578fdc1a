/*
 * A worker's recorder, device code: its events (emit.h), its state word and its counters in the worker table
 * (session.h). The worker alone writes all of them; all lanes of its warp call these functions together.
 */
#ifndef GROSR_RECORDER_H
#define GROSR_RECORDER_H

#include "emit.h"

struct grosr_recorder {
    struct grosr_emitter emit;
    struct grosr_worker_entry *entry;
    uint32_t sequence; /* lap of the state word, in its place as in a cursor */
};

/* Puts an event that changes the worker's state into the state word. */
GROSR_DEVICE void grosr_record_word(struct grosr_recorder *r, uint32_t kind, uint64_t payload,
                                    uint64_t time_ns)
{
    if (r->emit.level < GROSR_LEVEL_COUNTERS)
        return;
    r->sequence += GROSR_EMIT_LAP;
    struct grosr_pair s = grosr_event_pack((uint64_t)r->sequence << 32, kind, time_ns, payload);
    sys_store_pair_if(&r->entry->state, dev_lane() == 0, s.lo, s.hi);
}

/* Records an event that changes the worker's state: into the state word, and into the ring at SPANS. */
GROSR_DEVICE void grosr_record_state(struct grosr_recorder *r, uint32_t kind, uint64_t payload,
                                     uint64_t time_ns)
{
    grosr_record_word(r, kind, payload, time_ns);
    if (r->emit.level >= GROSR_LEVEL_SPANS)
        grosr_emit_at(&r->emit, kind, payload, time_ns);
}

/* Publishes the worker's counters. A worker that never spawned saves the second store across PCIe. */
GROSR_DEVICE void grosr_record_counts(struct grosr_recorder *r, uint64_t tasks, uint64_t busy_ns,
                                      uint64_t spawned, uint64_t shared)
{
    if (r->emit.level < GROSR_LEVEL_COUNTERS || dev_lane() != 0)
        return;
    sys_store_pair_relaxed(&r->entry->counts, tasks, busy_ns);
    if (spawned | shared)
        sys_store_pair_relaxed(&r->entry->spawns, spawned, shared);
}

#endif
