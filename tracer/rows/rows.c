/*
 * Events to rows (rows.h). For each ring: the spans that have begun, oldest first; the position expected
 * next; when the tasks spawned by its worker were enqueued; and the rows of such tasks that wait for that
 * time.
 */
#include "rows_parts.h"

#include "../base/error.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Spawn numbers wrap (event.h): one is resolved to within this distance of the latest. */
#define SPAWN_REACH (UINT64_C(1) << (GROSR_TASK_SPAWN_BITS - 1))

int grosr_rows_create(struct grosr_rows **out, const struct grosr_session *session,
                      const struct grosr_bases *bases, struct grosr_clock *clock, struct grosr_store *store)
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
    r->base = *bases;
    r->spare = GROSR_ENQUEUE_TIMES_MAX;
    r->from = GROSR_NULL;
    for (uint32_t i = 0; i < rings; i++) {
        uint32_t worker = session->ring[i].worker;
        r->ring[i].worker = worker == GROSR_RING_HOST ? GROSR_NULL : bases->worker + worker;
        r->ring[i].start = r->ring[i].end = r->ring[i].sm = GROSR_NULL;
        rows_heap_lost(&r->ring[i]);
        r->ring[i].enqueued.spare = &r->spare;
        r->ring[i].order_ns =
            worker == GROSR_RING_HOST || session->header.lanes > 1 ? LANE_SKEW_NS : CLOCK_SKEW_NS;
        r->ring[i].enqueued.reach = worker == GROSR_RING_HOST ? UINT64_MAX : SPAWN_REACH;
    }
    *out = r;
    return 0;
}

void grosr_rows_free(struct grosr_rows *r)
{
    if (!r)
        return;
    for (uint32_t i = 0; i < r->session->header.rings; i++) {
        free(r->ring[i].enqueued.batch);
        free(r->ring[i].waiting);
    }
    free(r->ring);
    free(r);
}

int64_t grosr_rows_time(struct grosr_rows *r, uint64_t device_ns)
{
    uint64_t host, bound;
    return grosr_clock_place(r->clock, device_ns, &host, &bound) ? grosr_timeline(&r->base, host)
                                                                 : GROSR_NULL;
}

/* A time of a ring on the timeline: the host stamps its own ring with its own clock. */
static int64_t ring_time(struct grosr_rows *r, const struct ring_state *ring, uint64_t ns)
{
    return ring->worker == GROSR_NULL ? grosr_timeline(&r->base, ns) : grosr_rows_time(r, ns);
}

int64_t grosr_rows_latest(struct grosr_rows *r)
{
    int64_t latest = GROSR_NULL;

    for (uint32_t i = 0; i < r->session->header.rings; i++) {
        const struct ring_state *ring = &r->ring[i];
        int64_t time = ring->latest_ns ? ring_time(r, ring, ring->latest_ns) : GROSR_NULL;
        if (time > latest)
            latest = time;
    }
    return latest;
}

/* Whether what ended then is too old to be stored. GROSR_NULL, a time that is not known, is not. */
static bool is_cut(const struct grosr_rows *r, int64_t end)
{
    return end < r->from && end != GROSR_NULL;
}

/* The row of what ended at `end`, unless that is too old. */
static int put_row(struct grosr_rows *r, enum grosr_table table, int64_t end, const int64_t *values)
{
    return is_cut(r, end) ? 0 : grosr_store_row(r->store, table, values);
}

/* The worker has spawned `count` tasks from `task` on. */
static int add_spawns(struct ring_state *ring, uint64_t task, uint32_t count, int64_t time)
{
    uint64_t first = ring->spawns + ((task - ring->spawns) & GROSR_TASK_SPAWN_MASK);

    ring->spawns = first + count;
    return grosr_enqueue_times_add(&ring->enqueued, first, count, time);
}

/* When a task was enqueued, by the ring of whoever did it. */
static int64_t enqueue_time(struct ring_state *source, uint64_t task)
{
    if (grosr_task_is_spawned(task)) {
        uint64_t ahead = (task - source->spawns) & GROSR_TASK_SPAWN_MASK;
        if (ahead < SPAWN_REACH) /* not spawned yet, as far as the ring has been read */
            return GROSR_NULL;
        task = source->spawns + ahead - GROSR_TASK_SPAWN_MASK - 1;
    }
    return grosr_enqueue_times_take(&source->enqueued, task, GROSR_NULL);
}

/* The ring with a task's enqueue event; NULL for a number that no worker gives. */
static struct ring_state *source_of(struct grosr_rows *r, uint64_t task)
{
    uint32_t workers = r->session->header.workers;

    if (!grosr_task_is_spawned(task))
        return &r->ring[workers];
    return grosr_task_spawner(task) < workers ? &r->ring[grosr_task_spawner(task)] : NULL;
}

static int add_waiting(struct grosr_rows *r, struct ring_state *source, uint64_t begin_ns,
                       const int64_t *values)
{
    if (source->waiting_count == source->waiting_room) {
        size_t room = source->waiting_room ? 2 * source->waiting_room : 64;
        struct waiting_row *more =
            (struct waiting_row *)realloc(source->waiting, room * sizeof(*source->waiting));
        if (!more)
            return grosr_fail(ENOMEM, "out of memory for %zu rows", room);
        source->waiting = more;
        source->waiting_room = room;
    }
    struct waiting_row *row = &source->waiting[source->waiting_count++];
    row->begin_ns = begin_ns;
    memcpy(row->values, values, sizeof(row->values));
    r->waiting++;
    return 0;
}

/*
 * Writes the rows that have waited for this ring and need not wait longer: a task_spawn event comes before
 * any event later than the task's start. At the end: all of them.
 */
static int write_waiting(struct grosr_rows *r, struct ring_state *source, bool at_end)
{
    size_t kept = 0;
    int err = 0;

    if (!source->waiting_count)
        return 0;
    for (size_t i = 0; !err && i < source->waiting_count; i++) {
        struct waiting_row *row = &source->waiting[i];
        row->values[ENQUEUE] = enqueue_time(source, (uint64_t)row->values[TASK]);
        if (row->values[ENQUEUE] == GROSR_NULL && !at_end &&
            source->latest_ns <= row->begin_ns + CLOCK_SKEW_NS)
            source->waiting[kept++] = *row;
        else
            err = put_row(r, GROSR_TABLE_TASK, row->values[END], row->values);
    }
    r->waiting -= source->waiting_count - kept;
    source->waiting_count = kept;
    if (kept == 0) {
        free(source->waiting);
        source->waiting = NULL;
        source->waiting_room = 0;
    }
    return err;
}

/* The kind of event that begins what an event of this kind ends. */
static uint32_t begin_of(uint32_t end_kind)
{
    return end_kind == GROSR_EV_TASK_SUSPEND ? (uint32_t)GROSR_EV_TASK_BEGIN : end_kind - 1;
}

static_assert(GROSR_EV_TASK_END == GROSR_EV_TASK_BEGIN + 1 && GROSR_EV_WAIT_END == GROSR_EV_WAIT_BEGIN + 1 &&
                  GROSR_EV_IDLE_END == GROSR_EV_IDLE_BEGIN + 1 &&
                  GROSR_EV_RANGE_END == GROSR_EV_RANGE_BEGIN + 1 && GROSR_EV_RELEASE == GROSR_EV_HOLD + 1,
              "an end event's kind follows its begin event's");

/* How a span ended; kind 0: it did not. */
struct span_end {
    uint32_t kind;
    uint64_t payload;
    int64_t time;
};

/* The row of a run. Only a task's first one has when it was enqueued. */
static int task_row(struct grosr_rows *r, struct ring_state *ring, const struct open_span *begin,
                    const struct span_end *end)
{
    uint64_t task = (begin ? begin->payload : end->payload) & GROSR_TASK_ID_MASK;
    int64_t argument = (int64_t)(end->payload >> GROSR_TASK_ID_BITS);
    int64_t values[TASK_COLUMNS] = {
        [TASK] = (int64_t)task,
        [FUNCTION] = begin ? r->base.function + (int64_t)(begin->payload >> GROSR_TASK_ID_BITS) : GROSR_NULL,
        [WORKER] = ring->worker,
        [ENQUEUE] = GROSR_NULL,
        [START] = begin ? begin->start : GROSR_NULL,
        [END] = end->time,
        [STATUS] = end->kind == GROSR_EV_TASK_END ? argument : GROSR_NULL,
        [NEXT] = end->kind != GROSR_EV_TASK_SUSPEND ? GROSR_NULL
                 : argument == GROSR_TASK_NOTHING   ? -1
                                                    : r->base.function + argument,
    };
    if (begin && begin->kind == GROSR_EV_TASK_BEGIN) {
        struct ring_state *source = source_of(r, task);
        if (source)
            values[ENQUEUE] = enqueue_time(source, task);
        if (source && values[ENQUEUE] == GROSR_NULL && grosr_task_is_spawned(task) && source != ring &&
            source->latest_ns <= begin->begin_ns + CLOCK_SKEW_NS && r->waiting < GROSR_ROWS_WAITING)
            return add_waiting(r, source, begin->begin_ns, values);
    }
    return put_row(r, GROSR_TABLE_TASK, end->time, values);
}

/* A resource's index in the file, where queues and names are numbered through all sessions. */
static int64_t file_index(const struct grosr_rows *r, uint64_t payload)
{
    int64_t index = (int64_t)(payload & ((UINT64_C(1) << GROSR_WAIT_RES_BITS) - 1));

    switch (payload >> GROSR_WAIT_RES_BITS) {
    case GROSR_RES_QUEUE_NOT_EMPTY:
    case GROSR_RES_QUEUE_NOT_FULL:
        return r->base.queue + index;
    default:
        return grosr_resource_has_name((uint32_t)(payload >> GROSR_WAIT_RES_BITS))
                   ? (r->base.name << 32) + index
                   : index;
    }
}

static int64_t file_name(const struct grosr_rows *r, uint64_t payload)
{
    return r->base.name + (int64_t)(payload >> GROSR_VALUE_BITS);
}

/* The row of a span that began with `begin`, or (NULL) is only known to have ended. */
static int span_row(struct grosr_rows *r, struct ring_state *ring, const struct open_span *begin,
                    const struct span_end *end)
{
    int64_t start = begin ? begin->start : GROSR_NULL;
    uint64_t payload = begin ? begin->payload : end->payload;

    switch (begin ? begin->kind : begin_of(end->kind)) {
    case GROSR_EV_TASK_BEGIN:
    case GROSR_EV_TASK_RESUME:
        return task_row(r, ring, begin, end);
    case GROSR_EV_WAIT_BEGIN: {
        int64_t resource = (int64_t)(payload >> GROSR_WAIT_RES_BITS);
        int64_t values[] = {ring->worker, resource,  file_index(r, payload),
                            start,        end->time, r->base.session};
        return put_row(r, GROSR_TABLE_WAIT, end->time, values);
    }
    case GROSR_EV_HOLD: {
        int64_t resource = (int64_t)(payload >> GROSR_WAIT_RES_BITS);
        int64_t values[] = {ring->worker, resource, file_index(r, payload), start, end->time};
        return put_row(r, GROSR_TABLE_HOLD, end->time, values);
    }
    case GROSR_EV_RANGE_BEGIN: {
        int64_t value = end->kind ? (int64_t)(end->payload & GROSR_VALUE_MASK) : GROSR_NULL;
        int64_t values[] = {ring->worker, file_name(r, payload), start, end->time, value};
        return put_row(r, GROSR_TABLE_RANGE, end->time, values);
    }
    default: {
        int64_t values[] = {ring->worker, start, end->time};
        return put_row(r, GROSR_TABLE_IDLE, end->time, values);
    }
    }
}

static const struct span_end no_end = {0, 0, GROSR_NULL};

static bool is_task(const struct open_span *span)
{
    return span->kind == GROSR_EV_TASK_BEGIN || span->kind == GROSR_EV_TASK_RESUME;
}

/*
 * Whether a span of a worker had ended when another began: a worker runs the tasks of its lanes together,
 * waits while it has none, and does one thing after the other.
 */
static bool ended_before(const struct open_span *span, const struct open_span *next)
{
    bool found_none = next->kind == GROSR_EV_WAIT_BEGIN &&
                      next->payload >> GROSR_WAIT_RES_BITS == GROSR_RES_QUEUE_NOT_EMPTY;

    if (span->begin_ns >= next->begin_ns)
        return false;
    if (is_task(span))
        return is_task(next) || found_none;
    if (span->kind == GROSR_EV_WAIT_BEGIN)
        return is_task(next) || next->kind == GROSR_EV_WAIT_BEGIN;
    if (span->kind == GROSR_EV_IDLE_BEGIN)
        return is_task(next) || next->kind == GROSR_EV_WAIT_BEGIN || next->kind == GROSR_EV_IDLE_BEGIN;
    if (span->kind == GROSR_EV_RANGE_BEGIN)
        return next->kind == span->kind && (span->payload ^ next->payload) >> GROSR_VALUE_BITS == 0;
    return next->kind == span->kind && next->payload == span->payload;
}

/*
 * Closes the spans whose ends were lost: records are missing since they began, and `next` proves that they
 * have ended (NULL: all have, the warp is another one). Their rows have no end, and are too old when the
 * proof is, at `time`. The host's threads are many, and prove nothing.
 */
static int close_lost(struct grosr_rows *r, struct ring_state *ring, const struct open_span *next,
                      int64_t time)
{
    uint32_t kept = 0;
    int err = 0;

    if (!ring->lost_ns || ring->worker == GROSR_NULL)
        return 0;
    for (uint32_t i = 0; i < ring->open_count; i++) {
        struct open_span span = ring->open[i];
        if (span.begin_ns > ring->lost_ns || (next && !ended_before(&span, next)))
            ring->open[kept++] = span;
        else if (!err && !is_cut(r, time))
            err = span_row(r, ring, &span, &no_end);
    }
    ring->open_count = kept;
    return err;
}

static int begin_span(struct grosr_rows *r, struct ring_state *ring, const struct open_span *span)
{
    int err = close_lost(r, ring, span, span->start);

    if (ring->open_count == OPEN_MAX) { /* its end was lost long ago */
        if (!err && !is_cut(r, ring->open[0].start))
            err = span_row(r, ring, &ring->open[0], &no_end);
        memmove(&ring->open[0], &ring->open[1], (OPEN_MAX - 1) * sizeof(ring->open[0]));
        ring->open_count--;
    }
    ring->open[ring->open_count++] = *span;
    return err;
}

/* Whether an end closes this span: tasks by number, ranges by name, waits and holds by resource, idle always.
 */
static bool closes(const struct open_span *span, const struct span_end *end)
{
    uint32_t begin = begin_of(end->kind);

    if (begin == GROSR_EV_TASK_BEGIN)
        return (span->kind == GROSR_EV_TASK_BEGIN || span->kind == GROSR_EV_TASK_RESUME) &&
               ((span->payload ^ end->payload) & GROSR_TASK_ID_MASK) == 0;
    if (span->kind != begin)
        return false;
    if (begin == GROSR_EV_RANGE_BEGIN)
        return (span->payload ^ end->payload) >> GROSR_VALUE_BITS == 0;
    return span->payload == end->payload;
}

static int end_span(struct grosr_rows *r, struct ring_state *ring, const struct span_end *end)
{
    /* Waits of several host threads end as they began. Elsewhere the innermost one ends: a task that has
     * begun twice had its end lost. */
    bool oldest = begin_of(end->kind) == GROSR_EV_WAIT_BEGIN || begin_of(end->kind) == GROSR_EV_IDLE_BEGIN;

    for (uint32_t k = 0; k < ring->open_count; k++) {
        uint32_t i = oldest ? k : ring->open_count - 1 - k;
        if (!closes(&ring->open[i], end))
            continue;
        struct open_span span = ring->open[i];
        memmove(&ring->open[i], &ring->open[i + 1], (ring->open_count - i - 1) * sizeof(span));
        ring->open_count--;
        return span_row(r, ring, &span, end);
    }
    return span_row(r, ring, NULL, end);
}

/* The row of a loss before what happened at `until`. */
static int loss(struct grosr_rows *r, uint32_t ring, uint64_t position, int64_t until, int64_t time,
                uint64_t count, const char *reason)
{
    return is_cut(r, until)
               ? 0
               : grosr_store_loss(r->store, (uint32_t)r->base.ring + ring, position, time, count, reason);
}

static int add_event(struct grosr_rows *r, uint32_t index, uint64_t position, struct grosr_pair e,
                     uint64_t near_ns)
{
    struct ring_state *ring = &r->ring[index];
    uint32_t kind = grosr_event_kind(e);
    uint64_t payload = grosr_event_payload(e);
    uint64_t device_ns = grosr_clock_extend(grosr_event_time(e), GROSR_KIND_SHIFT, near_ns);
    int64_t time = ring_time(r, ring, device_ns);

    r->cut += is_cut(r, time) && kind != GROSR_EV_LOST;
    if (kind != GROSR_EV_LOST) /* a marker is stamped later than the record behind it */
        ring->latest_ns = device_ns;
    switch (kind) {
    case GROSR_EV_WORKER_START: /* a ring may have several warps, one after the other */
        if (ring->start == GROSR_NULL)
            ring->start = time;
        ring->sm = (int64_t)payload;
        return close_lost(r, ring, NULL, time);
    case GROSR_EV_WORKER_STOP:
        ring->end = time;
        return close_lost(r, ring, NULL, time);
    case GROSR_EV_TASK_ENQUEUE:
        return grosr_enqueue_times_add(&r->ring[r->session->header.workers].enqueued,
                                       payload & GROSR_TASK_ID_MASK,
                                       (uint32_t)(payload >> GROSR_TASK_ID_BITS), time);
    case GROSR_EV_TASK_SPAWN:
        return add_spawns(ring, payload & GROSR_TASK_ID_MASK, (uint32_t)(payload >> GROSR_TASK_ID_BITS),
                          time);
    case GROSR_EV_TASK_BEGIN:
    case GROSR_EV_TASK_RESUME:
    case GROSR_EV_WAIT_BEGIN:
    case GROSR_EV_IDLE_BEGIN:
    case GROSR_EV_RANGE_BEGIN:
    case GROSR_EV_HOLD: {
        struct open_span span = {kind, payload, device_ns, time};
        return begin_span(r, ring, &span);
    }
    case GROSR_EV_TASK_SUSPEND:
    case GROSR_EV_TASK_END:
    case GROSR_EV_WAIT_END:
    case GROSR_EV_IDLE_END:
    case GROSR_EV_RANGE_END:
    case GROSR_EV_RELEASE: {
        struct span_end end = {kind, payload, time};
        return end_span(r, ring, &end);
    }
    case GROSR_EV_COUNTER: {
        int64_t values[] = {time, file_name(r, payload), ring->worker, grosr_value_of(payload)};
        return put_row(r, GROSR_TABLE_COUNTER, time, values);
    }
    case GROSR_EV_LOST:
        ring->marked_drops += payload;
        ring->lost_ns = ring->latest_ns;
        rows_heap_lost(ring);
        return loss(r, index, position, time, time, payload, "dropped");
    default: {
        int err = 0;
        if (rows_heap_event(r, ring, e, time, is_cut(r, time), &err))
            return err;
        int64_t values[] = {ring->worker, time, kind, (int64_t)payload, r->base.session};
        return put_row(r, GROSR_TABLE_INSTANT, time, values);
    }
    }
}

/* A record that is only counted, since it is too old. */
static int skip_event(struct grosr_rows *r, uint32_t ring, uint64_t position, struct grosr_pair e,
                      uint64_t near_ns)
{
    uint32_t kind = grosr_event_kind(e);

    if (kind == GROSR_EV_LOST) {
        r->ring[ring].marked_drops += grosr_event_payload(e);
        r->ring[ring].lost_ns = r->ring[ring].latest_ns;
        rows_heap_lost(&r->ring[ring]);
    } else if (kind == GROSR_EV_WORKER_START || kind == GROSR_EV_WORKER_STOP)
        return add_event(r, ring, position, e, near_ns);
    else {
        r->cut++;
        rows_heap_event(r, &r->ring[ring], e, GROSR_NULL, true, &(int){0});
    }
    return 0;
}

/* Adds or skips records. Damaged ones become rows of GROSR_LOSS, one for those that follow each other. */
static int add_events(struct grosr_rows *r, uint32_t index, uint64_t first, const struct grosr_pair *records,
                      uint32_t count, uint64_t near_ns, bool skip)
{
    struct ring_state *ring = &r->ring[index];
    bool in_order = rows_in_order(ring, records, count, near_ns), set_back = r->clock->epochs > 1;
    uint32_t damaged = 0;
    int err = 0;

    for (uint32_t i = 0; !err && i < count; i++) {
        uint32_t kind = grosr_event_kind(records[i]);
        if (!in_order && !rows_may_be(ring, records, i, count, near_ns, set_back)) {
            damaged++;
            rows_heap_lost(ring);
        } else {
            if (kind != GROSR_EV_LOST && kind != GROSR_EV_TASK_SPAWN)
                ring->ordered_ns =
                    grosr_clock_extend(grosr_event_time(records[i]), GROSR_KIND_SHIFT, near_ns);
            err = skip ? skip_event(r, index, first + i, records[i], near_ns)
                       : add_event(r, index, first + i, records[i], near_ns);
            if (damaged && !err)
                err = grosr_store_loss(r->store, (uint32_t)r->base.ring + index, first + i - damaged,
                                       GROSR_NULL, damaged, "damaged");
            damaged = 0;
        }
    }
    return err || !damaged ? err
                           : grosr_store_loss(r->store, (uint32_t)r->base.ring + index,
                                              first + count - damaged, GROSR_NULL, damaged, "damaged");
}

void grosr_rows_resume(struct grosr_rows *r, uint32_t ring, uint64_t position)
{
    r->ring[ring].expected = position;
    rows_heap_lost(&r->ring[ring]);
}

void grosr_rows_keep_from(struct grosr_rows *r, int64_t from)
{
    if (from > r->from)
        r->from = from;
}

int64_t grosr_rows_kept_from(const struct grosr_rows *r)
{
    return r->from;
}

uint64_t grosr_rows_cut(const struct grosr_rows *r)
{
    return r->cut;
}

int grosr_rows_add(struct grosr_rows *r, uint32_t ring, uint64_t first, const struct grosr_pair *records,
                   uint32_t count, uint64_t near_ns)
{
    uint64_t expected = r->ring[ring].expected;
    int err = 0;

    if (first > expected && count) {
        uint64_t until = grosr_clock_extend(grosr_event_time(records[0]), GROSR_KIND_SHIFT, near_ns);
        err = loss(r, ring, expected, ring_time(r, &r->ring[ring], until), GROSR_NULL, first - expected,
                   "overwritten");
        r->ring[ring].lost_ns = r->ring[ring].latest_ns;
        rows_heap_lost(&r->ring[ring]);
    }
    err = err ? err : add_events(r, ring, first, records, count, near_ns, false);
    r->ring[ring].expected = first + count;
    return err ? err : write_waiting(r, &r->ring[ring], false);
}

int grosr_rows_skip(struct grosr_rows *r, uint32_t ring, uint64_t first, const struct grosr_pair *records,
                    uint32_t count, uint64_t near_ns)
{
    struct ring_state *state = &r->ring[ring];
    int err = add_events(r, ring, first, records, count, near_ns, true);

    if (count)
        state->latest_ns =
            grosr_clock_extend(grosr_event_time(records[count - 1]), GROSR_KIND_SHIFT, near_ns);
    state->open_count = 0; /* their ends may have been among these */
    state->expected = first + count;
    return err ? err : write_waiting(r, state, false);
}

/* The program's names, which it may give at any time. */
static int write_names(struct grosr_rows *r)
{
    const struct grosr_name *name;
    char text[GROSR_NAME_BYTES], unit[GROSR_UNIT_BYTES];
    int err = 0;

    for (; !err && (name = grosr_session_name_entry(r->session, r->names_written)); r->names_written++) {
        if (sys_load_relaxed(&name->space) != GROSR_NAME_USER)
            continue;
        grosr_session_copy_text(text, name->text, sizeof(text));
        grosr_session_copy_text(unit, name->unit, sizeof(unit));
        err = grosr_store_name(r->store, r->base.name + name->id % GROSR_NAMES_MAX, r->base.session, text,
                               unit);
    }
    return err;
}

int grosr_rows_workers(struct grosr_rows *r)
{
    int err = write_names(r);

    for (uint32_t i = 0; !err && i < r->session->header.rings; i++) {
        const struct ring_state *ring = &r->ring[i];
        if (ring->worker == GROSR_NULL)
            continue;
        struct grosr_worker_entry *entry = grosr_session_worker(r->session, i);
        struct grosr_pair counts = sys_load_pair_relaxed(&entry->counts);
        struct grosr_pair spawns = sys_load_pair_relaxed(&entry->spawns);
        uint32_t sm = sys_load_relaxed(&entry->sm);
        int64_t values[] = {ring->worker,       sm ? (int64_t)sm - 1 : ring->sm,
                            ring->start,        ring->end,
                            (int64_t)counts.lo, (int64_t)counts.hi,
                            (int64_t)spawns.lo, (int64_t)spawns.hi,
                            r->base.session};
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
            err = span_row(r, ring, &ring->open[k], &no_end);
        ring->open_count = 0;
        if (!err && final[i].dropped > ring->marked_drops)
            err = loss(r, i, ring->expected, GROSR_NULL, GROSR_NULL, final[i].dropped - ring->marked_drops,
                       "dropped");
    }
    for (uint32_t i = 0; !err && i < r->session->header.rings; i++)
        err = write_waiting(r, &r->ring[i], true);
    return err ? err : grosr_rows_workers(r);
}
