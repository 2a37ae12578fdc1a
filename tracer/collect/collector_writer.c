/*
 * The collector's writer (collector.h, collector_parts.h): batches into rows while it keeps up, else into the
 * backlog (collector_backlog.c); commits; the end of sources and of the file.
 *
 * After the first failure nothing is written any more. Batches are then given back unwritten, so that the
 * drainer keeps reading and counting, and sources are finished for their counters alone.
 */
#include "collector_parts.h"

#include "../base/error.h"
#include "../diagnose/trace_db.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#define COMMIT_NS      500000000u
#define COMMIT_SOON_NS 50000000u /* when readers of the file are to see a change soon */
#define LOOK_NS        50000000u /* between looks at what processes are in */

static void fetch_clocks(struct collector *c)
{
    for (uint32_t i = 0; i < c->unfinished_count; i++)
        collector_failed(c, grosr_clock_fetch(&c->unfinished[i]->clock, c->unfinished[i]->session));
}

static void write_samples(struct collector *c, const struct grosr_batch *b)
{
    for (uint32_t i = 0; i < b->samples && !c->error; i++) {
        const struct grosr_queue_sample *q = &b->sample[i];
        const struct grosr_bases *bases = &q->source->bases;
        int64_t values[] = {grosr_timeline(bases, (uint64_t)q->time), bases->queue + q->queue,
                            (int64_t)q->enqueued, (int64_t)q->dequeued, (int64_t)q->completed};
        collector_failed(c, grosr_store_row(c->store, GROSR_TABLE_QUEUE_SAMPLE, values));
    }
    for (uint32_t i = 0; i < b->heaps && !c->error; i++)
        collector_failed(c, grosr_source_write_heap(b->heap[i].source, c->store, &b->heap[i]));
}

/* Makes rows of a batch, or spools its events when the writer is behind. Records become rows in any case. */
static void write_batch(struct collector *c, struct grosr_batch *b, bool keeps_up)
{
    write_samples(c, b);
    if (c->options->window_ns)
        collector_note_latest(c, b);
    for (uint32_t i = 0; i < b->runs && !c->error; i++) {
        const struct grosr_run *run = &b->run[i];
        struct grosr_source *s = run->source;
        if (run->ring >= s->session->header.rings)
            collector_failed(c, grosr_records_add(s->records, run->ring - s->session->header.rings,
                                                  b->byte + run->at, run->count));
        else if (keeps_up)
            collector_build(c, s, run->ring, run->first, b->event + run->at, run->count, b->drained_ns);
        grosr_source_mark_stored(s, run, run->ring < s->session->header.rings ? b->event + run->at : NULL);
    }
    if (!keeps_up && !c->error)
        collector_spool(c, b);
}

/* Starts sampling with the first session of a GPU, or, if it was asked for, with the first session. */
static void start_sampler(struct collector *c)
{
    uint32_t what = c->options->sampling.what;

    for (uint32_t i = 0; i < c->unfinished_count && what && !c->sampler && !c->sampler_failed; i++) {
        struct grosr_source *s = c->unfinished[i];
        if (s->session->copy || (what & GROSR_COUNTERS_DEFAULT && !grosr_source_uses_gpu(s)))
            continue;
        c->sampled = s;
        c->sampler_failed = grosr_sampler_start(&c->sampler, c->options->sampling) != 0;
        if (c->sampler_failed && c->options->warned)
            c->options->warned(grosr_error());
    }
}

/* The clock by which times of the sampled GPU are placed; NULL: there is none. */
static struct grosr_clock *sampled_clock(const struct collector *c)
{
    struct grosr_source *own = c->sampled;

    if ((own->finished || own->clock.is_host) && grosr_sampler_has_only_gpu(c->sampler))
        for (uint32_t i = 0; i < c->unfinished_count; i++)
            if (!c->unfinished[i]->clock.is_host && c->unfinished[i]->clock.count)
                return &c->unfinished[i]->clock;
    return own->finished ? NULL : &own->clock;
}

/* A window that has no events any more has no counters either. */
static void write_counters(struct collector *c, uint64_t now)
{
    if (c->sampler && !c->error)
        collector_failed(c, grosr_sampler_write(c->sampler, c->store, &c->sampled->bases, sampled_clock(c),
                                                !collector_is_idle(c, now), c->options->warned));
}

static void look_at_processes(struct collector *c, uint64_t now)
{
    c->looked_ns = now;
    for (uint32_t i = 0; i < c->unfinished_count && !c->error; i++)
        collector_failed(c, grosr_source_look(c->unfinished[i], now, &c->commit_soon));
}

/*
 * Whether a commit was due. What processes are in is read right before it: a launch whose record has become a
 * row since the last look does not have two.
 */
static bool commit(struct collector *c, uint64_t now)
{
    struct grosr_ring_counts sum = {0};

    if (c->error || now - c->committed_ns < (c->commit_soon ? COMMIT_SOON_NS : COMMIT_NS))
        return false;
    look_at_processes(c, now);
    for (uint32_t i = 0; i < c->unfinished_count && !c->error; i++) {
        struct grosr_source *s = c->unfinished[i];
        bool ended = sys_load_acquire(&s->ended) != 0; /* pairs with hand_over() */
        collector_failed(c, grosr_source_write_counters(s, c->store, ended, &sum));
        if (!c->error && !collector_is_idle(c, now))
            collector_failed(c, grosr_source_write_clock(s, c->store, false));
        if (!c->error)
            collector_failed(c, grosr_rows_workers(s->rows));
        if (!c->error && s->records)
            collector_failed(c, grosr_records_tick(s->records, now));
        if (!c->error)
            collector_failed(c, grosr_source_save(s, c->store));
    }
    write_counters(c, now);
    if (!c->error)
        collector_failed(c, grosr_store_commit(c->store));
    c->committed_ns = now;
    c->commit_soon = false;
    return true;
}

void collector_commit(struct collector *c, uint64_t now)
{
    collector_move_window(c);
    if (now - c->looked_ns >= LOOK_NS)
        look_at_processes(c, now);
    if (!commit(c, now))
        return;
    if (!c->error && c->options->window_ns && c->from_ns)
        collector_failed(c, grosr_store_cut(c->store, grosr_timeline(&c->source[0]->bases, c->from_ns),
                                            grosr_timeline(&c->source[0]->bases, now)));
}

/*
 * Begins sources that have come, before the first of their batches is written. `known`: as of when that batch
 * was ready.
 */
static void begin_new_sources(struct collector *c, uint32_t known)
{
    for (; c->begun < known; c->begun++) {
        struct grosr_source *s = c->source[c->begun];
        if (!c->error)
            collector_failed(c, grosr_source_begin(s, c->store));
        c->unfinished[c->unfinished_count++] = s;
        c->commit_soon = true;
    }
}

/* A segment that was truncated is reported, and has a note in the trace. */
static int note_truncated(struct collector *c, const struct grosr_source *s)
{
    static const char topic[] = "truncated";
    char text[160];

    if (!s->truncated)
        return 0;
    snprintf(text, sizeof(text), "%s %u %s; what was read before is in the trace",
             s->session->copy ? "the saved session segment of process" : "process", s->session->header.pid,
             s->session->copy ? "was truncated while it was read" : "has truncated its session segment");
    if (c->options->warned)
        c->options->warned(text);
    return grosr_store_note(c->store, grosr_timeline(&s->bases, s->end_ns), s->bases.session, topic,
                            strlen(topic), text, strlen(text));
}

static int write_lost(struct grosr_store *store, void *source)
{
    return grosr_source_write_lost((struct grosr_source *)source, store);
}

/* The last rows of a source, committed while what was lost can still be counted. */
static void write_end(struct collector *c, struct grosr_source *s)
{
    int err = grosr_source_write_counters(s, c->store, true, &c->finished_counts);

    if (!err)
        err = grosr_source_finish(s, c->store);
    if (!err)
        err = note_truncated(c, s);
    if (!err)
        err = grosr_store_commit(c->store);
    collector_failed(c, err);
}

/* Finishes a source, all of whose events are rows; also after a failure, for its counters. */
static void finish_source(struct collector *c, struct grosr_source *s)
{
    if (s->rows) {
        collector_apply_window(c, s);
        int64_t from = grosr_rows_kept_from(s->rows);
        c->kept_from = from > c->kept_from ? from : c->kept_from;
        c->cut += grosr_rows_cut(s->rows);
    }
    if (!c->error) {
        write_end(c, s);
    } else {
        for (uint32_t i = 0; i < s->session->header.rings; i++) {
            c->finished_counts.read += s->final[i].read;
            c->finished_counts.dropped += s->final[i].dropped;
            c->finished_counts.overwritten += s->final[i].overwritten;
        }
    }
    if (c->error && s->rows)
        grosr_store_write_last(c->store, -c->error, c->error_text, write_lost, s);
    s->finished = true;
    s->seen_ended = false;
    grosr_source_release(s);
}

/*
 * Notes which sources have ended. If there is no batch to be found after that, theirs have all been written.
 * Returns whether there are any.
 */
static bool note_ended(struct collector *c)
{
    bool any = false;

    for (uint32_t i = 0; i < c->unfinished_count; i++) {
        struct grosr_source *s = c->unfinished[i];
        s->seen_ended = sys_load_acquire(&s->ended) != 0; /* pairs with collector_publish_over() */
        any |= s->seen_ended;
    }
    return any;
}

/* Finishes the sources noted as ended, so that what they hold is free again; not those with a backlog. */
static void finish_ended(struct collector *c)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < c->unfinished_count; i++) {
        struct grosr_source *s = c->unfinished[i];
        if (s->seen_ended && (c->error || !s->backlog))
            finish_source(c, s);
        else
            c->unfinished[kept++] = s;
    }
    c->unfinished_count = kept;
}

static void pause_briefly(void)
{
    struct timespec pause = {0, 1000000};
    nanosleep(&pause, NULL);
}

/* When there is no batch: replays the backlog, or finishes sources. */
static void work_when_idle(struct collector *c, bool ended, uint64_t now)
{
    if (collector_replay_due(c, now))
        return;
    if (ended)
        finish_ended(c);
    if (!c->error && c->built < c->spooled)
        pause_briefly();
}

/*
 * The writer's rule: it makes rows at once while it keeps up. When batches pile up it spools them, and from
 * then on every batch, until it has been idle for long enough to replay the whole backlog. (Chunks are
 * replayed in order, so a clock snapshot that covers the latest covers them all.) A recording with a window
 * spools everything, and most of it never becomes rows.
 */
void *collector_write(void *p)
{
    struct collector *c = (struct collector *)p;

    for (;;) {
        dev_point("collector.write");
        bool ended = note_ended(c); /* before the poll */
        struct writer_input in = collector_poll(c);
        uint64_t now = grosr_host_clock_ns();
        begin_new_sources(c, in.sources);
        if (!in.batch && in.end)
            return NULL;
        fetch_clocks(c);
        start_sampler(c);
        collector_commit(c, now);
        if (!in.batch) {
            work_when_idle(c, ended, now);
            continue;
        }
        bool keeps_up =
            !c->options->window_ns && in.waiting <= GROSR_COLLECTOR_BATCHES / 2 && c->built == c->spooled;
        if (keeps_up && !in.end && !collector_clock_covers(c, in.batch->drained_ns, now)) {
            pause_briefly();
            continue;
        }
        if (!c->error)
            write_batch(c, in.batch, keeps_up);
        collector_release_ready(c);
        collector_skip_expired(c);
    }
}

/* A stall that ended the recording has a note in the trace. */
static void note_stall(struct collector *c)
{
    const struct grosr_source *s = c->stalled;
    static const char topic[] = "stall";

    if (s && !c->error)
        collector_failed(c,
                         grosr_store_note(c->store, grosr_timeline(&s->bases, s->end_ns), s->bases.session,
                                          topic, strlen(topic), c->result->stall, strlen(c->result->stall)));
}

/* Sessions that are missing in the trace: the verdict counts them (schema/views.sql). */
static void note_unrecorded(struct collector *c)
{
    static const char topic[] = "sessions",
                      sql[] = "INSERT OR REPLACE INTO GROSR_META VALUES ('unrecorded_sessions', ?)";
    const struct grosr_source *s = c->source[0];
    const struct grosr_value count = {.type = GROSR_VALUE_INTEGER, .integer = c->result->unrecorded};
    char text[128];

    if (!c->result->unrecorded || c->error)
        return;
    snprintf(text, sizeof(text), "%u session%s not recorded: the recorder did not attach in time",
             c->result->unrecorded, c->result->unrecorded > 1 ? "s were" : " was");
    collector_failed(c, grosr_store_execute(c->store, sql, &count, 1, NULL));
    collector_failed(c, grosr_store_note(c->store, grosr_timeline(&s->bases, grosr_host_clock_ns()),
                                         s->bases.session, topic, strlen(topic), text, strlen(text)));
}

void collector_finish(struct collector *c)
{
    uint64_t reported = 0;

    grosr_sampler_stop(c->sampler);
    write_counters(c, grosr_host_clock_ns());
    fetch_clocks(c);
    collector_close_window(c);
    while (!c->error && c->built < c->spooled) {
        collector_replay_oldest(c);
        if (c->options->progress && (c->built - reported >= 65536 || c->built == c->spooled)) {
            c->options->progress("building rows", c->built, c->spooled);
            reported = c->built;
        }
        commit(c, grosr_host_clock_ns());
    }
    for (uint32_t i = 0; i < c->unfinished_count; i++)
        finish_source(c, c->unfinished[i]);
    c->unfinished_count = 0;
    note_stall(c);
    note_unrecorded(c);
    if (!c->error && c->kept_from > 0)
        collector_failed(c, grosr_store_cut_all(c->store, c->kept_from, c->cut));
    c->result->read = c->finished_counts.read;
    c->result->dropped = c->finished_counts.dropped;
    c->result->overwritten = c->finished_counts.overwritten;
    c->result->sessions = c->sources;
    if (c->store)
        grosr_store_set_last(c->store, grosr_diagnose_store);
    if (!c->error)
        collector_failed(c, grosr_store_finish(c->store, c->options->progress));
}
