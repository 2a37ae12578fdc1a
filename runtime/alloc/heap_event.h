/*
 * Who uses the heap, and what is noted about it for the trace.
 *
 * A worker's ring is written by the whole warp together, tasks allocate in single lanes. So they put their
 * notes into a buffer of the worker's, in any order of lanes, and the worker moves them into its ring when
 * the batch of tasks has run (grosr_heap_notes_flush() in worker_heap.h). Notes that find the buffer full are
 * counted as events that were dropped. Other kernels have no buffer: their uses are in the heap's counters
 * only.
 */
#ifndef GROSR_HEAP_EVENT_H
#define GROSR_HEAP_EVENT_H

#include "heap.h"

#define GROSR_HEAP_NOTES 1024u /* in a worker's buffer */

struct grosr_heap_note {
    alignas(32) dev64 when; /* kind << GROSR_KIND_SHIFT | device time */
    dev64 payload;
    dev64 task; /* as the payload of a HEAP_TASK event */
    dev64 unused;
};

/* Where the notes of a warp go; constant while its lanes run. */
struct grosr_heap_site {
    struct grosr_heap_note *notes; /* GROSR_HEAP_NOTES */
    warp32 noted;                  /* how many have asked for a place in it */
    uint32_t level, worker;
};

/* One user of a heap: passed by value, a lane's own. */
struct grosr_heap_user {
    const struct grosr_heap *heap;
    struct grosr_heap_site *site; /* NULL: nothing is noted */
    uint64_t task;                /* as the payload of a HEAP_TASK event: function and number */
};

/* A user that is no task. */
GROSR_DEVICE struct grosr_heap_user grosr_heap_anyone(const struct grosr_heap *heap)
{
    struct grosr_heap_user u;
    u.heap = heap;
    u.site = NULL;
    u.task = grosr_payload_task(0xffff, GROSR_HEAP_NO_TASK);
    return u;
}

GROSR_DEVICE bool grosr_heap_notes_at(struct grosr_heap_user u, uint32_t level)
{
    return u.site && u.site->level >= level;
}

/* The caller has asked whether it is wanted. Called by any lanes. */
GROSR_DEVICE_COLD void grosr_heap_note(struct grosr_heap_user u, uint32_t kind, uint64_t payload)
{
    /* Each lane by itself: they come here from anywhere, and must not wait for each other. */
    uint32_t i = warp_add(&u.site->noted, 1);
    struct grosr_heap_note *note = &u.site->notes[i];

    if (i >= GROSR_HEAP_NOTES)
        return;
    dev_store_relaxed(&note->when, (uint64_t)kind << GROSR_KIND_SHIFT | (dev_clock_ns() & GROSR_TIME_MASK));
    dev_store_relaxed(&note->payload, payload);
    dev_store_relaxed(&note->task, u.task);
}

GROSR_DEVICE void grosr_heap_note_slab(struct grosr_heap_user u, uint32_t kind, uint32_t size_class,
                                       uint32_t chunk)
{
    if (grosr_heap_notes_at(u, GROSR_LEVEL_SPANS))
        grosr_heap_note(u, kind, (uint64_t)size_class << 48 | chunk);
}

/* A block of a slab; `place` is its offset in the arena / 16, `size` what was asked for. */
GROSR_DEVICE void grosr_heap_note_block(struct grosr_heap_user u, uint32_t kind, uint32_t size_class,
                                        uint32_t size, uint64_t place)
{
    if (grosr_heap_notes_at(u, GROSR_LEVEL_FULL))
        grosr_heap_note(u, kind, (uint64_t)size_class << 50 | (uint64_t)(size & 0xffffu) << 34 | place);
}

/* The caller has asked whether it is wanted. */
GROSR_DEVICE void grosr_heap_note_error(struct grosr_heap_user u, uint32_t kind, uint64_t value)
{
    grosr_heap_note(u, GROSR_EV_HEAP_ERROR, (uint64_t)kind << 48 | (value & ((UINT64_C(1) << 48) - 1)));
}

/* What must not be done: counted, kept among the latest, and in the trace. */
GROSR_DEVICE_COLD void grosr_heap_mistake(struct grosr_heap_user u, uint32_t kind, uint64_t value)
{
    struct grosr_heap_common *c = u.heap->common;
    uint64_t ticket;

    if (c) {
        dev_count(&c->errors[kind], 1);
        ticket = dev_claim(&c->mistakes, UINT64_C(1));
        struct grosr_heap_mistake *m = &c->mistake[ticket % GROSR_HEAP_ERRORS_MAX];
        dev_store_relaxed(&m->time_ns, dev_clock_ns());
        dev_store_relaxed(&m->kind, kind);
        dev_store_relaxed(&m->at, value);
        dev_store_relaxed(&m->task, u.task);
        dev_store_relaxed(&m->worker, u.site ? u.site->worker : UINT64_MAX);
        dev_store_relaxed(&m->ticket, ticket + 1);
    }
    if (grosr_heap_notes_at(u, GROSR_LEVEL_SPANS))
        grosr_heap_note_error(u, kind, value);
}

#endif
