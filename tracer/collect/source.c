/*
 * One session of a recording (source.h): attaching to it, the drainer's part, the writer's part.
 */
#include "source.h"

#include "../base/error.h"
#include "../diagnose/foreign_rows.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define HOST_SHARE       4u          /* a fourth of a batch's events is kept for the host's ring */
#define TRUNCATED_POLLS  64u         /* until a truncated segment's process is not waited for */
#define CLOCK_SETTLED_NS 2000000000u /* how long a snapshot's row waits for those that follow */

static uint32_t rings_of(const struct grosr_source *s)
{
    return s->session->header.rings;
}

static int allocate(struct grosr_source *s)
{
    const struct grosr_session_header *h = &s->session->header;

    s->reader = (struct grosr_ring_reader *)calloc(h->rings, sizeof(*s->reader));
    s->base = (struct grosr_ring_counts *)calloc(h->rings, sizeof(*s->base));
    s->final = (struct grosr_ring_counts *)calloc(h->rings, sizeof(*s->final));
    s->latest = (struct grosr_queue_sample *)calloc(h->queues + 1, sizeof(*s->latest));
    s->stream = (struct grosr_stream_reader *)calloc(h->streams + 1, sizeof(*s->stream));
    s->stream_base = (uint64_t *)calloc(h->streams + 1, sizeof(*s->stream_base));
    s->heap_seen = (uint64_t *)calloc(h->heaps + 1, sizeof(*s->heap_seen));
    s->heap_stored = (struct grosr_heap_counters *)calloc(h->heaps + 1, sizeof(*s->heap_stored));
    s->run_of = (uint32_t *)calloc(h->rings, sizeof(*s->run_of));
    s->from = (struct grosr_stored *)calloc(h->rings, sizeof(*s->from));
    s->stored = (struct grosr_stored *)calloc(h->rings, sizeof(*s->stored));
    s->stream_stored = (struct grosr_stored *)calloc(h->streams + 1, sizeof(*s->stream_stored));
    return s->reader && s->base && s->final && s->latest && s->stream && s->stream_base && s->run_of &&
                   s->from && s->stored && s->stream_stored && s->heap_seen && s->heap_stored
               ? 0
               : grosr_fail(ENOMEM, "out of memory");
}

int grosr_source_open(struct grosr_source **out, struct grosr_session *session, bool owned, int level)
{
    struct grosr_session_header *live = grosr_session_live(session);
    uint32_t other = sys_load_acquire(&live->collector_pid); /* pairs with grosr_session_set_collector() */
    struct grosr_source *s;

    if (other && other != (uint32_t)getpid() && grosr_process_start_time(other, NULL) == 0)
        return grosr_fail(EBUSY, "process %u is already being recorded, by process %u", session->header.pid,
                          other);
    s = (struct grosr_source *)calloc(1, sizeof(*s));
    if (!s)
        return grosr_fail(ENOMEM, "out of memory");
    s->session = session;
    s->watch = -1;
    if (allocate(s)) {
        grosr_source_release(s);
        free(s);
        return -ENOMEM;
    }
    s->owned = owned;
    grosr_clock_init(&s->clock, session);
    for (uint32_t i = 0; i < session->header.rings; i++) {
        grosr_ring_reader_open(&s->reader[i], session, i);
        if (session->copy)
            grosr_ring_rewind(&s->reader[i], session, i);
        else if (s->reader[i].position) /* an earlier collector was here */
            grosr_ring_count(session, i, &s->base[i]);
        s->from[i].position = session->copy ? 0 : s->reader[i].position;
        s->stored[i] = s->from[i];
    }
    for (uint32_t i = 0; i < session->header.streams; i++) {
        grosr_stream_reader_open(&s->stream[i], session, i);
        s->stream_base[i] = s->stream[i].read;
    }
    s->level = level >= 0 ? (int)sys_load_relaxed(&live->level) : -1;
    grosr_session_set_collector(session, (uint32_t)getpid());
    if (level >= 0)
        sys_store_relaxed(&live->level, (uint32_t)level);
    *out = s;
    return 0;
}

void grosr_source_release(struct grosr_source *s)
{
    free(s->reader);
    free(s->base);
    free(s->final);
    free(s->latest);
    free(s->heap_seen);
    free(s->heap_stored);
    free(s->stream);
    free(s->stream_base);
    free(s->run_of);
    free(s->from);
    free(s->stored);
    free(s->stream_stored);
    grosr_pending_rows_free(s->pending);
    grosr_records_free(s->records);
    grosr_rows_free(s->rows);
    grosr_clock_free(&s->clock);
    if (s->owned)
        grosr_session_close(s->session);
    s->reader = NULL;
    s->base = s->final = NULL;
    s->latest = NULL;
    s->heap_seen = NULL;
    s->heap_stored = NULL;
    s->stream = NULL;
    s->stream_base = NULL;
    s->run_of = NULL;
    s->from = s->stored = s->stream_stored = NULL;
    s->pending = NULL;
    s->records = NULL;
    s->rows = NULL;
    s->owned = false;
}

void grosr_source_detach(struct grosr_source *s)
{
    if (s->level >= 0)
        sys_store_relaxed(&grosr_session_live(s->session)->level, (uint32_t)s->level);
    grosr_session_set_collector(s->session, 0);
}

/* ---- the drainer ---- */

void grosr_source_sample(struct grosr_source *s, struct grosr_batch *b, uint64_t now)
{
    for (uint32_t i = 0; i < s->session->header.queues && b->samples < GROSR_BATCH_SAMPLES; i++) {
        struct grosr_queue_sample sample = {.time = (int64_t)now, .source = s, .queue = i};
        /* Before the loads of taken and enqueued: no sample has more completed than taken. */
        sample.completed = sys_load_acquire(&grosr_session_queue(s->session, i)->completed);
        grosr_session_queue_counts(s->session, i, &sample.enqueued, &sample.dequeued);
        if (s->latest[i].enqueued == sample.enqueued && s->latest[i].dequeued == sample.dequeued &&
            s->latest[i].completed == sample.completed)
            continue;
        s->latest[i] = b->sample[b->samples++] = sample;
    }
    grosr_source_sample_heaps(s, b);
}

/* Reads one ring into the batch, at most `max` records. */
static uint32_t drain_ring(struct grosr_source *s, struct grosr_batch *b, uint32_t ring, uint32_t max)
{
    uint32_t room = b->events_max - b->events, n;
    uint64_t first;

    if (b->runs == b->runs_max || room == 0) {
        s->no_room = true;
        return 0;
    }
    n = grosr_ring_read(&s->reader[ring], b->event + b->events, max < room ? max : room, &first);
    if (n) {
        b->run[b->runs++] = (struct grosr_run){s, ring, n, b->events, first, 0};
        b->events += n;
    }
    return n;
}

static uint32_t drain_stream(struct grosr_source *s, struct grosr_batch *b, uint32_t stream)
{
    uint64_t before = s->stream[stream].read;
    size_t n;

    if (b->runs == b->runs_max || b->bytes_max - b->bytes < GROSR_RECORD_MAX) {
        s->no_room = true;
        return 0;
    }
    n = grosr_stream_read(&s->stream[stream], b->byte + b->bytes, b->bytes_max - b->bytes);
    if (n) {
        b->run[b->runs++] = (struct grosr_run){
            s, rings_of(s) + stream, (uint32_t)n, b->bytes, s->stream[stream].read - before, 0};
        b->bytes += (uint32_t)n;
    }
    return (uint32_t)(s->stream[stream].read - before);
}

/*
 * The host's ring is read last and its run put first: a task event seen in a worker's ring then has its
 * enqueue event in this poll or an earlier one.
 */
uint32_t grosr_source_drain(struct grosr_source *s, struct grosr_batch *b)
{
    uint32_t workers = s->session->header.workers;
    uint32_t limit = b->events_max - b->events_max / HOST_SHARE;
    uint32_t share = limit / (workers < 16 ? workers + 1 : 16) + 1;
    uint32_t before = b->events, first_run = b->runs, records = 0;

    s->no_room = workers && b->events >= limit;
    for (uint32_t i = 0; i < workers && b->events < limit; i++) {
        drain_ring(s, b, s->next_ring, share < limit - b->events ? share : limit - b->events);
        s->next_ring = (s->next_ring + 1) % workers;
    }
    if (drain_ring(s, b, workers, UINT32_MAX)) {
        struct grosr_run host = b->run[b->runs - 1];
        memmove(b->run + first_run + 1, b->run + first_run, (b->runs - 1 - first_run) * sizeof(host));
        b->run[first_run] = host;
    }
    for (uint32_t i = 0; i < s->session->header.streams; i++)
        records += drain_stream(s, b, i);
    records += b->events - before;
    /* A poll that a full batch cut short says nothing about the end. */
    s->empty_polls = records || s->no_room ? 0 : s->empty_polls + 1;
    return records;
}

static bool all_read(const struct grosr_source *s)
{
    for (uint32_t i = 0; i < rings_of(s); i++)
        if (!grosr_ring_at_end(&s->reader[i]))
            return false;
    for (uint32_t i = 0; i < s->session->header.streams; i++)
        if (!grosr_stream_at_end(&s->stream[i]))
            return false;
    return true;
}

/* A ring's counters since this recording began; `read` without what is not stored. */
static void count_ring(const struct grosr_source *s, uint32_t i, struct grosr_ring_counts *n)
{
    const struct grosr_ring_counts *base = &s->base[i];

    grosr_ring_count(s->session, i, n);
    n->read -= base->read + s->from[i].unstored;
    n->dropped -= base->dropped;
    n->overwritten = n->overwritten > base->overwritten ? n->overwritten - base->overwritten : 0;
    n->written -= base->read + base->dropped + base->overwritten;
}

/* The same when the ring's own counters are gone; what was dropped is not known. */
static void count_reader(const struct grosr_source *s, uint32_t i, struct grosr_ring_counts *n)
{
    const struct grosr_ring_reader *r = &s->reader[i];
    const struct grosr_ring_counts *base = &s->base[i];

    memset(n, 0, sizeof(*n));
    n->read = r->read - base->read - s->from[i].unstored;
    n->overwritten = r->overwritten > base->overwritten ? r->overwritten - base->overwritten : 0;
}

/*
 * The process has gone. One that left by _exit() has not closed its session, but did not die: all records of
 * its streams are complete. It may have closed it since that was last looked at.
 */
static void note_process_end(struct grosr_source *s)
{
    const struct grosr_session_header *h = &s->session->header;

    /* Pairs with the release in finish_once(). */
    s->unclosed = sys_load_acquire(&grosr_session_live(s->session)->state) != GROSR_SESSION_CLOSED;
    if (!s->unclosed)
        return;
    if (!s->session->copy)
        s->end = grosr_process_how_ended(h->pid, h->pid_start, s->watch, &s->end_number);
    s->died = s->end != GROSR_PROCESS_EXITED;
}

/* Whether nothing more can come: closed and read out, dead, truncated, or `stop`. */
static bool can_end(struct grosr_source *s, bool stop)
{
    struct grosr_session_header *live = grosr_session_live(s->session);
    /* Pairs with finish_once() and grosr_trace_close(): all rings have been closed before. */
    bool closed = sys_load_acquire(&live->state) == GROSR_SESSION_CLOSED;

    if (stop) {
        s->detached = true;
        return true;
    }
    if (!s->empty_polls)
        return false;
    /* Nothing more can be read. The process most likely dies of it, which takes a moment. */
    if (grosr_session_truncated(s->session) &&
        (s->empty_polls > TRUNCATED_POLLS || !grosr_session_alive(s->session))) {
        s->truncated = true;
        return true;
    }
    /* A device that failed never closes its rings; then a number of empty polls is the end. */
    if (s->last_pass || (closed && (all_read(s) || s->empty_polls > 64)))
        return true;
    /* Aliveness costs a read of /proc: not at every empty poll. */
    if ((closed || s->empty_polls % 16 == 1) && !grosr_session_alive(s->session)) {
        /* Its threads are gone, its context is destroyed: one more poll for what was on its way. */
        note_process_end(s);
        s->last_pass = true;
    }
    return false;
}

/* When it detaches from an open session, the counters are those of where the reading stopped. */
static void take_final_counters(struct grosr_source *s)
{
    for (uint32_t i = 0; i < rings_of(s); i++) {
        struct grosr_ring_counts *n = &s->final[i];
        if (s->truncated)
            count_reader(s, i, n);
        else
            count_ring(s, i, n);
        if (s->detached)
            n->written = n->read + n->dropped + n->overwritten + s->from[i].unstored;
    }
}

bool grosr_source_is_over(struct grosr_source *s, bool stop)
{
    if (!can_end(s, stop))
        return false;
    s->end_ns = grosr_host_clock_ns();
    take_final_counters(s);
    if (grosr_session_truncated(s->session)) { /* perhaps while they were taken */
        s->truncated = s->detached = true;
        take_final_counters(s);
    }
    if (s->detached)
        grosr_source_detach(s);
    else if (s->level >= 0)
        sys_store_relaxed(&grosr_session_live(s->session)->level, (uint32_t)s->level);
    if (s->truncated ? !grosr_session_alive(s->session)
                     : !s->detached &&
                           sys_load_relaxed(&grosr_session_live(s->session)->state) != GROSR_SESSION_CLOSED)
        grosr_session_unlink(s->session);
    return true;
}

/* ---- the writer ---- */

int grosr_source_create_writers(struct grosr_source *s, struct grosr_store *store)
{
    int err = grosr_rows_create(&s->rows, s->session, &s->bases, &s->clock, store);

    if (!err && s->session->header.streams)
        err = grosr_records_create(&s->records, s->session, &s->bases, &s->clock, store);
    if (!err && s->records) {
        grosr_records_warn(s->records, s->warned);
        err = grosr_pending_rows_create(&s->pending, s->session, &s->bases, store, s->records);
    }
    if (!err && s->pending)
        grosr_pending_rows_warn(s->pending, s->warned);
    return err;
}

int grosr_source_look(struct grosr_source *s, uint64_t now_ns, bool *changed)
{
    return s->pending ? grosr_pending_rows_look(s->pending, now_ns, changed) : 0;
}

int grosr_source_begin(struct grosr_source *s, struct grosr_store *store)
{
    int err = grosr_store_add_session(store, s->session, &s->bases);

    if (!err)
        err = grosr_source_create_writers(s, store);
    for (uint32_t i = 0; !err && i < rings_of(s); i++)
        grosr_rows_resume(s->rows, i, s->from[i].position);
    return err;
}

void grosr_source_mark_stored(struct grosr_source *s, const struct grosr_run *run,
                              const struct grosr_pair *events)
{
    if (!events) {
        s->stream_stored[run->ring - rings_of(s)].read += run->first;
        return;
    }
    struct grosr_stored *stored = &s->stored[run->ring];
    stored->overwritten += run->first - stored->position;
    stored->position = run->first + run->count;
    stored->read += run->count;
    for (uint32_t i = 0; i < run->count; i++)
        stored->read -= grosr_event_kind(events[i]) == GROSR_EV_LOST;
}

bool grosr_source_uses_gpu(const struct grosr_source *s)
{
    return !strcmp(s->session->header.device, "cuda") ||
           (s->records && grosr_records_reports_gpu(s->records));
}

/* A time of the ring's own clock near events drained at drained_ns. The host's ring is stamped with the
 * host's clock. */
static uint64_t near_time(const struct grosr_source *s, uint32_t ring, uint64_t drained_ns)
{
    uint64_t near_ns;

    if (ring == rings_of(s) - 1)
        return drained_ns;
    return grosr_clock_near(&s->clock, drained_ns, &near_ns)
               ? near_ns
               : sys_load_relaxed(&grosr_session_live(s->session)->device_epoch_ns);
}

int grosr_source_build(struct grosr_source *s, uint32_t ring, uint64_t first, const struct grosr_pair *events,
                       uint32_t count, uint64_t drained_ns)
{
    return grosr_rows_add(s->rows, ring, first, events, count, near_time(s, ring, drained_ns));
}

uint64_t grosr_source_event_time(struct grosr_source *s, uint32_t ring, struct grosr_pair event,
                                 uint64_t drained_ns)
{
    uint64_t ns =
        grosr_clock_extend(grosr_event_time(event), GROSR_KIND_SHIFT, near_time(s, ring, drained_ns));
    uint64_t host_ns = ns, bound_ns, worst_ns = s->clock.worst_ns;

    if (ring != rings_of(s) - 1 && !grosr_clock_place(&s->clock, ns, &host_ns, &bound_ns))
        return drained_ns;
    s->clock.worst_ns = worst_ns; /* that one is of times in the file */
    return host_ns < drained_ns ? host_ns : drained_ns;
}

int grosr_source_skip(struct grosr_source *s, uint32_t ring, uint64_t first, const struct grosr_pair *events,
                      uint32_t count, uint64_t drained_ns)
{
    return grosr_rows_skip(s->rows, ring, first, events, count, near_time(s, ring, drained_ns));
}

/* As in grosr_source_is_over(), after detaching the counters are those of where the reading stopped. */
static int write_stream_counters(struct grosr_source *s, struct grosr_store *store, uint32_t i, bool final)
{
    const struct grosr_stream *stream = grosr_session_stream(s->session, i);
    const struct grosr_stored *stored = &s->stream_stored[i];
    uint64_t dropped = sys_load_relaxed(&stream->dropped);
    uint64_t had_room = final && s->detached ? stored->read + stored->unstored
                                             : sys_load_relaxed(&stream->written) - s->stream_base[i];
    int64_t values[] = {(s->bases.session - 1) * (int64_t)GROSR_STREAMS_MAX + i,
                        s->bases.session,
                        (int64_t)(had_room + dropped),
                        (int64_t)stored->read,
                        (int64_t)dropped,
                        (int64_t)stored->unstored};

    return grosr_store_row(store, GROSR_TABLE_STREAM, values);
}

int grosr_source_write_counters(struct grosr_source *s, struct grosr_store *store, bool final,
                                struct grosr_ring_counts *sum)
{
    int err = 0;

    for (uint32_t i = 0; i < rings_of(s); i++) {
        const struct grosr_ring_layout *ring = &s->session->ring[i];
        struct grosr_ring_counts n;
        if (final)
            n = s->final[i];
        else
            count_ring(s, i, &n);
        sum->read += n.read;
        sum->dropped += n.dropped;
        sum->overwritten += n.overwritten;
        if (s->session->header.workers == 0) /* then the host's ring is not used */
            continue;
        int64_t values[] = {s->bases.ring + i,
                            ring->worker == GROSR_RING_HOST ? GROSR_NULL : s->bases.worker + ring->worker,
                            ring->capacity,
                            (int64_t)n.written,
                            (int64_t)s->stored[i].read,
                            (int64_t)n.dropped,
                            (int64_t)n.overwritten,
                            n.closed,
                            s->bases.session,
                            (int64_t)s->from[i].unstored};
        if (!err)
            err = grosr_store_row(store, GROSR_TABLE_RING, values);
    }
    for (uint32_t i = 0; !err && i < s->session->header.streams; i++)
        err = write_stream_counters(s, store, i, final);
    return err ? err : grosr_source_write_heaps(s, store);
}

int grosr_source_write_clock(struct grosr_source *s, struct grosr_store *store, bool final)
{
    uint64_t now = grosr_host_clock_ns(), kept = s->session->header.snapshots;
    struct grosr_clock_trip t;
    struct grosr_clock_fit f;
    int err = 0;

    if (s->clock.taken - s->snapshots_written > kept)
        s->snapshots_written = s->clock.taken - kept;
    for (; !err && s->snapshots_written < s->clock.taken; s->snapshots_written++) {
        if (!grosr_clock_read(s->session, s->snapshots_written, &t))
            continue;
        if (!final && t.after_ns + CLOCK_SETTLED_NS > now)
            break;
        bool known = grosr_clock_judge(&s->clock, &t, &f);
        int64_t values[] = {(int64_t)t.device_ns,
                            known ? grosr_timeline(&s->bases, f.host_ns) : GROSR_NULL,
                            known ? (int64_t)f.bound_ns : GROSR_NULL,
                            s->bases.session,
                            grosr_timeline(&s->bases, t.before_ns),
                            grosr_timeline(&s->bases, t.after_ns),
                            known && f.drift_ppb != INT64_MIN ? f.drift_ppb : GROSR_NULL,
                            known && f.used,
                            known && f.jump};
        err = grosr_store_row(store, GROSR_TABLE_CLOCK, values);
    }
    return err ? err : grosr_store_clock_error(store, s->clock.worst_ns);
}

/* How a process ended that left its session open; "end unknown" has a part in the verdict (views.sql). */
static int note_end(const struct grosr_source *s, struct grosr_store *store, int64_t end)
{
    const char *topic = s->end == GROSR_PROCESS_UNKNOWN ? "end unknown" : "end";
    char text[128];

    if (!s->unclosed || (!s->died && s->session->header.workers == 0))
        return 0;
    if (s->end == GROSR_PROCESS_KILLED)
        snprintf(text, sizeof(text), "process %u was killed by signal %d", s->session->header.pid,
                 s->end_number);
    else if (s->end == GROSR_PROCESS_EXITED)
        snprintf(text, sizeof(text), "process %u ended with exit code %d without closing its session",
                 s->session->header.pid, s->end_number);
    else
        snprintf(text, sizeof(text), "process %u ended without closing its session; how is not known",
                 s->session->header.pid);
    return grosr_store_note(store, end, s->bases.session, topic, strlen(topic), text, strlen(text));
}

static int finish_pending(struct grosr_source *s)
{
    enum grosr_pending_end end = s->detached                      ? GROSR_PENDING_DETACHED
                                 : !s->unclosed                   ? GROSR_PENDING_CLOSED
                                 : s->end == GROSR_PROCESS_EXITED ? GROSR_PENDING_EXITED
                                                                  : GROSR_PENDING_DIED;

    return s->pending ? grosr_pending_rows_finish(s->pending, s->end_ns, end) : 0;
}

/* When the runtime was first told to stop, or the process began to end, if that was while it was recorded. */
static int64_t stopped_at(const struct grosr_source *s, int64_t end)
{
    uint64_t stopped = sys_load_relaxed(&grosr_session_live(s->session)->stopped_ns);

    return stopped > s->session->header.start_mono_ns && grosr_timeline(&s->bases, stopped) <= end
               ? grosr_timeline(&s->bases, stopped)
               : GROSR_NULL;
}

int grosr_source_finish(struct grosr_source *s, struct grosr_store *store)
{
    int64_t end = grosr_timeline(&s->bases, s->end_ns);
    int err = grosr_source_write_clock(s, store, true);

    /* The session of a copy ended earlier: with its last event, or with the last sign of life of its process,
     * which says for how long there was none. */
    if (s->session->copy) {
        uint64_t alive = sys_load_relaxed(&grosr_session_live(s->session)->heartbeat_ns);
        int64_t latest = grosr_rows_latest(s->rows);
        end = alive > s->session->header.start_mono_ns && grosr_timeline(&s->bases, alive) < end
                  ? grosr_timeline(&s->bases, alive)
                  : latest;
        end = end > latest ? end : latest;
    }
    if (!err)
        err = grosr_rows_finish(s->rows, s->final);
    if (!err && s->records)
        err = grosr_records_finish(s->records);
    if (!err)
        err = finish_pending(s);
    int64_t stopped = stopped_at(s, end);
    if (!err && s->pending && !s->truncated) /* what it was in at the end */
        err = grosr_diagnose_calls_store(s->session, store, s->bases.session,
                                         stopped == GROSR_NULL ? end : stopped);
    if (!err)
        err = note_end(s, store, end);
    return err ? err : grosr_store_end_session(store, s->bases.session, end, s->died, s->detached, stopped);
}
