/*
 * The events of a GPU memory allocator as rows (rows_parts.h). A block may be freed by another worker than
 * the one that allocated it, whose ring may be read earlier; so what begins and what ends a block are rows of
 * their own, GROSR_HEAP_EVENT, and are joined in the order of time when the trace is closed
 * (tracer/summary/summary_heap.c).
 */
#include "rows_parts.h"

#include "../session/heap_counters.h"

#define LARGE_UNIT  4096u           /* bytes that LARGE_MALLOC counts in */
#define CHUNK_BYTES UINT64_C(65536) /* until the allocator has published what it is */
#define NO_FUNCTION 0xffffu

void rows_heap_lost(struct ring_state *ring)
{
    ring->heap_function = ring->heap_task = GROSR_NULL;
}

static void set_task(struct grosr_rows *r, struct ring_state *ring, uint64_t payload)
{
    uint64_t function = payload >> GROSR_TASK_ID_BITS, task = payload & GROSR_TASK_ID_MASK;

    rows_heap_lost(ring);
    if (function != NO_FUNCTION)
        ring->heap_function = r->base.function + (int64_t)function;
    if (task != GROSR_HEAP_NO_TASK)
        ring->heap_task = (int64_t)task;
}

static int64_t chunk_bytes(struct grosr_rows *r)
{
    struct grosr_heap_counters c;

    if (!r->chunk_bytes && grosr_heap_read(r->session, 0, &c))
        r->chunk_bytes = c.chunk_bytes;
    return (int64_t)(r->chunk_bytes ? r->chunk_bytes : CHUNK_BYTES);
}

static int64_t chunk_offset(struct grosr_rows *r, uint64_t chunk)
{
    return (int64_t)chunk * chunk_bytes(r);
}

/* The fields of an event's payload (schema/events.def). */
static uint64_t field(uint64_t payload, int shift, int bits)
{
    return payload >> shift & ((UINT64_C(1) << bits) - 1);
}

bool rows_heap_event(struct grosr_rows *r, struct ring_state *ring, struct grosr_pair e, int64_t time,
                     bool cut, int *err)
{
    uint32_t kind = grosr_event_kind(e);
    uint64_t payload = grosr_event_payload(e);
    int64_t offset, bytes = GROSR_NULL, size_class = GROSR_NULL;

    switch (kind) {
    case GROSR_EV_HEAP_TASK:
        set_task(r, ring, payload);
        return true;
    case GROSR_EV_SLAB_ACQUIRE:
    case GROSR_EV_SLAB_RELEASE:
        size_class = (int64_t)field(payload, 48, 8);
        offset = chunk_offset(r, field(payload, 0, 28));
        break;
    case GROSR_EV_LARGE_MALLOC:
        bytes = (int64_t)field(payload, 28, 28) * LARGE_UNIT;
        offset = chunk_offset(r, field(payload, 0, 28));
        break;
    case GROSR_EV_LARGE_FREE:
        bytes = (int64_t)field(payload, 28, 28) * chunk_bytes(r);
        offset = chunk_offset(r, field(payload, 0, 28));
        break;
    case GROSR_EV_MALLOC:
        bytes = (int64_t)field(payload, 34, 16);
        size_class = (int64_t)field(payload, 50, 6);
        offset = 16 * (int64_t)field(payload, 0, 34);
        break;
    case GROSR_EV_FREE:
        size_class = (int64_t)field(payload, 50, 6);
        offset = 16 * (int64_t)field(payload, 0, 34);
        break;
    case GROSR_EV_HEAP_ERROR: {
        int64_t values[] = {time,
                            r->base.session,
                            (int64_t)field(payload, 48, 8),
                            (int64_t)field(payload, 0, 48),
                            ring->worker,
                            ring->heap_function,
                            ring->heap_task};
        *err = cut ? 0 : grosr_store_row(r->store, GROSR_TABLE_HEAP_ERROR, values);
        return true;
    }
    default:
        return false;
    }
    int64_t values[] = {time,         r->base.session,     kind,           offset, bytes, size_class,
                        ring->worker, ring->heap_function, ring->heap_task};
    *err = cut ? 0 : grosr_store_row(r->store, GROSR_TABLE_HEAP_EVENT, values);
    return true;
}
