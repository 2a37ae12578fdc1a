/*
 * Events to rows (rows.h). For each ring: the spans that have begun, oldest first, and the position expected
 * next; for all: when which tasks were enqueued.
 */
#include "rows.h"

#include "error.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Spans of one ring that have begun. A warp has at most one task a lane, but a loss can hide ends. */
#define OPEN_MAX 256u

struct open_span {
    uint32_t kind; /* the begin event's */
    uint64_t payload;
    int64_t start;
};

struct ring_state {
    uint64_t expected; /* position of the next record */
    int64_t worker;    /* GROSR_NULL for the host's ring */
    int64_t start, end;
    int64_t sm;
    uint64_t told; /* drops told by markers */
    uint32_t open_count;
    struct open_span open[OPEN_MAX]; /* oldest first */
};

/* Tasks first .. first + count - 1 were enqueued at `time`. */
struct batch {
    uint64_t first;
    int64_t time;
    uint32_t count;
    uint32_t left; /* tasks of it that have had no row yet */
};

struct grosr_rows {
    const struct grosr_session *session;
    struct grosr_clock *clock;
    struct grosr_store *store;
    struct ring_state *ring;
    int64_t origin; /* host time of the timeline's 0 */

    /* Batches in order of `first`, a window [head, tail) that slides through the array. */
    struct batch *batch;
    size_t head, tail, room;
    size_t hint;
};

int grosr_rows_create(struct grosr_rows **out, const struct grosr_session *session, struct grosr_clock *clock,
                      struct grosr_store *store)
{
    struct grosr_rows *r = (struct grosr_rows *)calloc(1, sizeof(*r));
    uint32_t rings = session->header.rings;

    if (r)
        r->ring = (struct ring_state *)calloc(rings, sizeof(*r->ring));
    if (!r || !r->ring) {
        free(r);
        return grosr_fail(ENOMEM, "out of memory");
    }
    r->session = session;
    r->clock = clock;
    r->store = store;
    r->origin = (int64_t)session->header.start_mono_ns;
    for (uint32_t i = 0; i < rings; i++) {
        uint32_t worker = session->ring[i].worker;
        r->ring[i].worker = worker == GROSR_RING_HOST ? GROSR_NULL : (int64_t)worker;
        r->ring[i].start = r->ring[i].end = r->ring[i].sm = GROSR_NULL;
    }
    *out = r;
    return 0;
}

void grosr_rows_free(struct grosr_rows *r)
{
    if (!r)
        return;
    free(r->ring);
    free(r->batch);
    free(r);
}

int64_t grosr_rows_time(struct grosr_rows *r, uint64_t device_ns)
{
    uint64_t host;
    return grosr_clock_place(r->clock, device_ns, &host) ? (int64_t)host - r->origin : GROSR_NULL;
}

/* Forgets batches all of whose tasks have rows, and with 16 M batches the oldest: losses keep them from
 * filling up. */
static void prune_batches(struct grosr_rows *r)
{
    while (r->head < r->tail && (r->batch[r->head].left == 0 || r->tail - r->head > (1u << 24)))
        r->head++;
    if (r->head > 4096 && r->head > r->room / 2) {
        memmove(r->batch, r->batch + r->head, (r->tail - r->head) * sizeof(*r->batch));
        r->hint = r->hint > r->head ? r->hint - r->head : 0;
        r->tail -= r->head;
        r->head = 0;
    }
}

static int add_batch(struct grosr_rows *r, uint64_t first, uint32_t count, int64_t time)
{
    prune_batches(r);
    if (r->tail == r->room) {
        size_t room = r->room ? 2 * r->room : 1024;
        struct batch *more = (struct batch *)realloc(r->batch, room * sizeof(*r->batch));
        if (!more)
            return grosr_fail(ENOMEM, "out of memory for %zu batches", room);
        r->batch = more;
        r->room = room;
    }
    size_t at = r->tail++;
    while (at > r->head && r->batch[at - 1].first > first) { /* host threads interleave: nearly in order */
        r->batch[at] = r->batch[at - 1];
        at--;
    }
    r->batch[at] = (struct batch){first, time, count, count};
    return 0;
}

static bool batch_has(const struct batch *b, uint64_t task)
{
    return task >= b->first && task - b->first < b->count;
}

/* When the task was enqueued; GROSR_NULL if that event was lost. Each task asks once. */
static int64_t enqueue_time(struct grosr_rows *r, uint64_t task)
{
    size_t low = r->head, high = r->tail;

    if (r->hint < low || r->hint >= high || !batch_has(&r->batch[r->hint], task)) {
        while (low < high) { /* the last batch whose first <= task */
            size_t middle = low + (high - low) / 2;
            if (r->batch[middle].first <= task)
                low = middle + 1;
            else
                high = middle;
        }
        if (low == r->head || !batch_has(&r->batch[low - 1], task))
            return GROSR_NULL;
        r->hint = low - 1;
    }
    struct batch *b = &r->batch[r->hint];
    if (b->left)
        b->left--;
    return b->time;
}

static int task_row(struct grosr_rows *r, const struct ring_state *ring, uint64_t task, int64_t function,
                    int64_t start, int64_t end, int64_t status)
{
    int64_t values[] = {(int64_t)task, function, ring->worker, enqueue_time(r, task), start, end, status};
    return grosr_store_row(r->store, GROSR_TABLE_TASK, values);
}

/* The row of a span that began with `begin` (NULL: unknown) and ended (or GROSR_NULL) with `payload`. */
static int span_row(struct grosr_rows *r, const struct ring_state *ring, uint32_t begin_kind,
                    const struct open_span *begin, uint64_t payload, int64_t end)
{
    int64_t start = begin ? begin->start : GROSR_NULL;

    if (begin_kind == GROSR_EV_TASK_BEGIN)
        return task_row(r, ring, payload & GROSR_TASK_ID_MASK,
                        begin ? (int64_t)(begin->payload >> GROSR_TASK_ID_BITS) : GROSR_NULL, start, end,
                        end == GROSR_NULL ? GROSR_NULL : (int64_t)(payload >> GROSR_TASK_ID_BITS));
    if (begin_kind == GROSR_EV_WAIT_BEGIN) {
        int64_t values[] = {ring->worker, (int64_t)(payload >> GROSR_WAIT_RES_BITS),
                            (int64_t)(payload & ((UINT64_C(1) << GROSR_WAIT_RES_BITS) - 1)), start, end};
        return grosr_store_row(r->store, GROSR_TABLE_WAIT, values);
    }
    int64_t values[] = {ring->worker, start, end};
    return grosr_store_row(r->store, GROSR_TABLE_IDLE, values);
}

static int begin_span(struct grosr_rows *r, struct ring_state *ring, uint32_t kind, uint64_t payload,
                      int64_t time)
{
    int err = 0;

    if (ring->open_count == OPEN_MAX) { /* its end was lost long ago */
        err = span_row(r, ring, ring->open[0].kind, &ring->open[0], ring->open[0].payload, GROSR_NULL);
        memmove(&ring->open[0], &ring->open[1], (OPEN_MAX - 1) * sizeof(ring->open[0]));
        ring->open_count--;
    }
    ring->open[ring->open_count++] = (struct open_span){kind, payload, time};
    return err;
}

/* Whether an end event's payload closes this span: tasks by number, waits by resource, idle always. */
static bool closes(const struct open_span *span, uint32_t begin_kind, uint64_t payload)
{
    if (span->kind != begin_kind)
        return false;
    if (begin_kind == GROSR_EV_TASK_BEGIN)
        return ((span->payload ^ payload) & GROSR_TASK_ID_MASK) == 0;
    return span->payload == payload;
}

static int end_span(struct grosr_rows *r, struct ring_state *ring, uint32_t begin_kind, uint64_t payload,
                    int64_t time)
{
    for (uint32_t i = 0; i < ring->open_count; i++) {
        if (!closes(&ring->open[i], begin_kind, payload))
            continue;
        struct open_span span = ring->open[i];
        memmove(&ring->open[i], &ring->open[i + 1], (ring->open_count - i - 1) * sizeof(span));
        ring->open_count--;
        return span_row(r, ring, begin_kind, &span, payload, time);
    }
    return span_row(r, ring, begin_kind, NULL, payload, time);
}

static int add_event(struct grosr_rows *r, uint32_t index, uint64_t position, struct grosr_pair e,
                     uint64_t near_ns)
{
    struct ring_state *ring = &r->ring[index];
    uint32_t kind = grosr_event_kind(e);
    uint64_t payload = grosr_event_payload(e);
    uint64_t device_ns = grosr_clock_extend(grosr_event_time(e), GROSR_KIND_SHIFT, near_ns);
    int64_t time;

    /* The host stamps its own ring with its own clock. */
    time = ring->worker == GROSR_NULL ? (int64_t)device_ns - r->origin : grosr_rows_time(r, device_ns);
    switch (kind) {
    case GROSR_EV_WORKER_START:
        ring->start = time;
        ring->sm = (int64_t)payload;
        return 0;
    case GROSR_EV_WORKER_STOP:
        ring->end = time;
        return 0;
    case GROSR_EV_TASK_ENQUEUE:
        return add_batch(r, payload & GROSR_TASK_ID_MASK, (uint32_t)(payload >> GROSR_TASK_ID_BITS), time);
    case GROSR_EV_TASK_BEGIN:
    case GROSR_EV_WAIT_BEGIN:
    case GROSR_EV_IDLE_BEGIN:
        return begin_span(r, ring, kind, payload, time);
    case GROSR_EV_TASK_END:
    case GROSR_EV_WAIT_END:
    case GROSR_EV_IDLE_END:
        return end_span(r, ring, kind - 1, payload, time);
    case GROSR_EV_LOST:
        ring->told += payload;
        return grosr_store_loss(r->store, index, position, time, payload, "dropped");
    default: {
        int64_t values[] = {ring->worker, time, kind, (int64_t)payload};
        return grosr_store_row(r->store, GROSR_TABLE_INSTANT, values);
    }
    }
}

static_assert(GROSR_EV_TASK_END == GROSR_EV_TASK_BEGIN + 1 && GROSR_EV_WAIT_END == GROSR_EV_WAIT_BEGIN + 1 &&
                  GROSR_EV_IDLE_END == GROSR_EV_IDLE_BEGIN + 1,
              "an end event's kind follows its begin event's");

int grosr_rows_add(struct grosr_rows *r, uint32_t ring, uint64_t first, const struct grosr_pair *records,
                   uint32_t count, uint64_t near_ns)
{
    int err = 0;

    if (first > r->ring[ring].expected)
        err = grosr_store_loss(r->store, ring, r->ring[ring].expected, GROSR_NULL,
                               first - r->ring[ring].expected, "overwritten");
    for (uint32_t i = 0; !err && i < count; i++)
        err = add_event(r, ring, first + i, records[i], near_ns);
    r->ring[ring].expected = first + count;
    return err;
}

int grosr_rows_workers(struct grosr_rows *r)
{
    int err = 0;

    for (uint32_t i = 0; !err && i < r->session->header.rings; i++) {
        const struct ring_state *ring = &r->ring[i];
        if (ring->worker == GROSR_NULL)
            continue;
        struct grosr_worker_entry *entry = grosr_session_worker(r->session, (uint32_t)ring->worker);
        struct grosr_pair counts = sys_load_pair_relaxed(&entry->counts);
        uint32_t sm = sys_load_relaxed(&entry->sm);
        int64_t values[] = {ring->worker,       sm ? (int64_t)sm - 1 : ring->sm,
                            ring->start,        ring->end,
                            (int64_t)counts.lo, (int64_t)counts.hi};
        err = grosr_store_row(r->store, GROSR_TABLE_WORKER, values);
    }
    return err;
}

int grosr_rows_finish(struct grosr_rows *r, const struct grosr_ring_counts *final)
{
    int err = 0;

    for (uint32_t i = 0; !err && i < r->session->header.rings; i++) {
        struct ring_state *ring = &r->ring[i];
        for (uint32_t k = 0; !err && k < ring->open_count; k++)
            err = span_row(r, ring, ring->open[k].kind, &ring->open[k], ring->open[k].payload, GROSR_NULL);
        ring->open_count = 0;
        if (!err && final[i].dropped > ring->told)
            err = grosr_store_loss(r->store, i, ring->expected, GROSR_NULL, final[i].dropped - ring->told,
                                   "dropped");
    }
    return err ? err : grosr_rows_workers(r);
}
