/*
 * The collector's writer (collector.h, collector_parts.h): batches into rows while it keeps up, else into
 * packed chunks, which become rows in quiet moments and at the end.
 */
#include "collector_parts.h"

#include "error.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define COMMIT_NS         500000000u
#define CUT_MARGIN_NS     1000000u   /* events were before they were drained, but for the clocks' errors */
#define STALL_MARGIN_NS   500000000u /* how long after its time a stall is noticed, at most */
#define CLOCK_PATIENCE_NS 200000000u /* how long rows wait for the clock snapshot behind them */

bool collector_failed(struct collector *c, int err)
{
    if (err < 0 && !c->error) {
        c->error = err;
        snprintf(c->error_text, sizeof(c->error_text), "%s", grosr_error());
        if (c->options->failed)
            c->options->failed(c->error_text);
    }
    return c->error != 0;
}

/*
 * Whether events drained at drained_ns can be placed: a good snapshot was taken after them, so that they lie
 * between two and not beyond one, or none is coming.
 */
static bool clock_covers(const struct collector *c, uint64_t drained_ns, uint64_t now)
{
    if (now - drained_ns > CLOCK_PATIENCE_NS)
        return true;
    for (uint32_t i = 0; i < c->begun; i++)
        if (!c->source[i]->finished && !grosr_clock_covers(&c->source[i]->clock, drained_ns))
            return false;
    return true;
}

static void fetch_clocks(struct collector *c)
{
    for (uint32_t i = 0; i < c->begun; i++)
        if (!c->source[i]->finished)
            collector_failed(c, grosr_clock_fetch(&c->source[i]->clock, c->source[i]->session));
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
}

/*
 * What ended before this host time is left out when `window` before `end` is kept; 0: nothing is.
 */
static uint64_t keep_from(const struct collector *c, uint64_t end, uint64_t window)
{
    const struct grosr_collect_options *o = c->options;
    uint64_t since = o->since && c->begun_ns > o->since_ns ? c->begun_ns - o->since_ns : 0;
    uint64_t from = window && end > window ? end - window : 0;

    return since > from ? since : from;
}

/* What is kept while recording goes on: before a stall the whole window is to be had. */
static uint64_t window_of(const struct collector *c)
{
    const struct grosr_collect_options *o = c->options;

    return o->window_ns && o->stall_ns ? o->window_ns + o->stall_ns + STALL_MARGIN_NS : o->window_ns;
}

/* Whether nothing has come for longer than what is kept. */
static bool is_idle(const struct collector *c, uint64_t now)
{
    return c->options->window_ns && now > c->latest_ns + window_of(c);
}

static void keep_no_more(const struct collector *c, struct grosr_source *s)
{
    if (c->from_ns)
        grosr_rows_keep_from(s->rows, grosr_timeline(&s->bases, c->from_ns));
}

/* Rows of events of one ring, but of what is to be left out. */
static void build(struct collector *c, struct grosr_source *s, uint32_t ring, uint64_t first,
                  const struct grosr_pair *events, uint32_t count, uint64_t drained_ns)
{
    keep_no_more(c, s);
    collector_failed(c, grosr_source_build(s, ring, first, events, count, drained_ns));
}

static void put_aside(struct collector *c, const struct grosr_batch *b, struct grosr_source *s, uint32_t ring,
                      uint64_t first, uint32_t count)
{
    collector_failed(c, grosr_store_put_chunk(c->store, (uint32_t)s->bases.ring + ring, first, b->drained_ns,
                                              c->gathered, count));
    c->spooled += count;
    c->spooled_ns = b->drained_ns;
    s->aside += count;
}

/* Puts a ring's runs of the batch aside, joined: there may be many short ones. */
static void spool_ring(struct collector *c, const struct grosr_batch *b, struct grosr_source *s,
                       uint32_t index)
{
    uint64_t first = 0;
    uint32_t n = 0;

    for (uint32_t i = s->run_of[index]; i && !c->error; i = b->run[i - 1].next) {
        const struct grosr_run *run = &b->run[i - 1];
        for (uint32_t done = 0, part; done < run->count && !c->error; done += part) {
            if (n == CHUNK_EVENTS || (n && first + n != run->first + done)) {
                put_aside(c, b, s, index, first, n);
                n = 0;
            }
            if (n == 0)
                first = run->first + done;
            part = run->count - done < CHUNK_EVENTS - n ? run->count - done : CHUNK_EVENTS - n;
            memcpy(c->gathered + n, b->event + run->at + done, part * sizeof(*c->gathered));
            n += part;
        }
    }
    if (n && !c->error)
        put_aside(c, b, s, index, first, n);
    s->run_of[index] = 0;
}

/* Puts a batch's events aside: of each source the host's ring first, as rows want it. */
static void spool_batch(struct collector *c, struct grosr_batch *b)
{
    for (uint32_t i = b->runs; i > 0; i--) {
        struct grosr_run *run = &b->run[i - 1];
        if (run->ring >= run->source->session->header.rings)
            continue;
        run->next = run->source->run_of[run->ring];
        run->source->run_of[run->ring] = i;
    }
    for (uint32_t i = 0; i < c->begun; i++) {
        struct grosr_source *s = c->source[i];
        for (uint32_t ring = s->finished ? 0 : s->session->header.rings; ring > 0; ring--)
            spool_ring(c, b, s, ring - 1);
    }
}

/* Rows of a batch, or, when the writer falls behind, its events put aside. Records become rows at once. */
static void write_batch(struct collector *c, struct grosr_batch *b, bool keeps_up)
{
    write_samples(c, b);
    c->events_came |= b->runs != 0;
    if (b->runs || (b->samples && !c->events_came))
        c->latest_ns = b->drained_ns;
    for (uint32_t i = 0; i < b->runs && !c->error; i++) {
        const struct grosr_run *run = &b->run[i];
        struct grosr_source *s = run->source;
        if (run->ring >= s->session->header.rings)
            collector_failed(c, grosr_records_add(s->records, run->ring - s->session->header.rings,
                                                  b->byte + run->at, run->count));
        else if (keeps_up)
            build(c, s, run->ring, run->first, b->event + run->at, run->count, b->drained_ns);
        grosr_source_stored(s, run, run->ring < s->session->header.rings ? b->event + run->at : NULL);
    }
    if (!keeps_up && !c->error)
        spool_batch(c, b);
}

/* The source of a ring by its number in the file; NULL: none. */
static struct grosr_source *source_of_ring(const struct collector *c, uint32_t ring)
{
    for (uint32_t i = 0; i < c->begun; i++)
        if (!c->source[i]->finished &&
            ring - (uint64_t)c->source[i]->bases.ring < c->source[i]->session->header.rings)
            return c->source[i];
    return NULL;
}

/* Turns the oldest chunk into rows; or, if it is too old to be kept and there is no time, passes it over. */
static void take_chunk(struct collector *c, bool in_time)
{
    struct grosr_pair *records;
    uint32_t ring, count;
    uint64_t first, drained_ns;

    if (collector_failed(c, grosr_store_take_chunk(c->store, &ring, &first, &drained_ns, &records, &count)))
        return;
    struct grosr_source *s = source_of_ring(c, ring);
    ring -= s ? (uint32_t)s->bases.ring : 0;
    if (s && !records) {
        grosr_rows_go_on(s->rows, ring, first + count);
    } else if (s && in_time) {
        build(c, s, ring, first, records, count, drained_ns);
    } else if (s) {
        keep_no_more(c, s);
        collector_failed(c, grosr_source_pass_over(s, ring, first, records, count, drained_ns));
    }
    if (s)
        s->aside -= count;
    free(records);
    c->built += count;
    c->oldest_ns = 0;
}

/* Whether what was put aside first was drained before `ns`. */
static bool oldest_is_before(struct collector *c, uint64_t ns)
{
    if (!c->error && c->built < c->spooled && !c->oldest_ns)
        collector_failed(c, grosr_store_oldest_chunk(c->store, &c->oldest_ns));
    return !c->error && c->built < c->spooled && c->oldest_ns < ns;
}

/*
 * Of a recording that keeps its latest part: chunks that have grown too old are turned into what is known of
 * the time before, in quiet moments. If there are none for half as long again, they are passed over.
 */
static void pass_over_oldest(struct collector *c)
{
    uint64_t late = window_of(c) + window_of(c) / 2;

    while (late && c->latest_ns > late && oldest_is_before(c, c->latest_ns - late))
        take_chunk(c, false);
}

/* Starts sampling when there is a session of a GPU to do it for, or at the first if it was asked for. */
static void start_sampler(struct collector *c)
{
    uint32_t what = c->options->sampling.what;

    for (uint32_t i = 0; i < c->begun && what && !c->sampler && !c->sampler_failed; i++) {
        const struct grosr_source *s = c->source[i];
        if (s->finished || s->session->copy || (what & GROSR_COUNTERS_DEFAULT && !grosr_source_uses_gpu(s)))
            continue;
        c->sampled = i;
        c->sampler_failed = grosr_sampler_start(&c->sampler, c->options->sampling) != 0;
        if (c->sampler_failed && c->options->warned)
            c->options->warned(grosr_error());
    }
}

/* Counters are kept beside what happens: of a time without events there is no window. */
static void write_counters(struct collector *c, uint64_t now)
{
    struct grosr_source *s = c->source[c->sampled];

    if (c->sampler && !c->error)
        collector_failed(c,
                         grosr_sampler_write(c->sampler, c->store, &s->bases, s->finished ? NULL : &s->clock,
                                             !is_idle(c, now), c->options->warned));
}

/* Whether it was time for it. */
static bool commit(struct collector *c, uint64_t now)
{
    struct grosr_ring_counts sum = {0};

    if (c->error || now - c->committed_ns < COMMIT_NS)
        return false;
    for (uint32_t i = 0; i < c->begun && !c->error; i++) {
        struct grosr_source *s = c->source[i];
        if (s->finished)
            continue;
        collector_failed(c, grosr_source_books(s, c->store, sys_load_acquire(&s->ended) != 0, &sum));
        if (!c->error && !is_idle(c, now))
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
    return true;
}

void collector_commit(struct collector *c, uint64_t now)
{
    c->from_ns = keep_from(c, c->latest_ns, window_of(c));
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
static void begin_new(struct collector *c, uint32_t known)
{
    for (; c->begun < known; c->begun++) {
        if (!c->error)
            collector_failed(c, grosr_source_begin(c->source[c->begun], c->store));
        c->committed_ns = 0; /* so that it is seen */
    }
}

/* Finishes a source, all of whose events are rows; also after a failure, for the sums. */
static void finish_source(struct collector *c, struct grosr_source *s)
{
    int err = 0;

    if (s->rows) {
        keep_no_more(c, s);
        int64_t from = grosr_rows_kept_from(s->rows);
        c->kept_from = from > c->kept_from ? from : c->kept_from;
        c->cut += grosr_rows_cut(s->rows);
    }
    if (c->error) {
        for (uint32_t i = 0; i < s->session->header.rings; i++) {
            c->finished_books.read += s->final[i].read;
            c->finished_books.dropped += s->final[i].dropped;
            c->finished_books.overwritten += s->final[i].overwritten;
        }
    } else {
        err = grosr_source_books(s, c->store, true, &c->finished_books);
        if (!err)
            err = grosr_source_finish(s, c->store);
        collector_failed(c, err);
    }
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

    for (uint32_t i = 0; i < c->begun; i++) {
        struct grosr_source *s = c->source[i];
        s->seen_ended = !s->finished && sys_load_acquire(&s->ended); /* pairs with hand_over() */
        any |= s->seen_ended;
    }
    return any;
}

/* Finishes the sources noted as ended, so that what they hold is free again; not those with events aside. */
static void finish_ended(struct collector *c)
{
    for (uint32_t i = 0; i < c->begun; i++)
        if (c->source[i]->seen_ended && (c->error || !c->source[i]->aside))
            finish_source(c, c->source[i]);
}

/* What the writer finds when it looks. */
struct outlook {
    struct grosr_batch *batch; /* the oldest that is ready; NULL: none within a moment */
    uint32_t waiting;          /* how many are ready */
    uint32_t sources;
    bool end; /* the drainer has ended */
};

static struct outlook look(struct collector *c)
{
    struct outlook o;
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += 2000000;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    pthread_mutex_lock(&c->lock);
    if (!c->ready && !c->drained && (c->error || c->built == c->spooled))
        pthread_cond_timedwait(&c->changed, &c->lock, &until);
    o = (struct outlook){c->ready, c->ready_count, c->sources, c->drained};
    pthread_mutex_unlock(&c->lock);
    return o;
}

static void rest(void)
{
    struct timespec pause = {0, 1000000};
    nanosleep(&pause, NULL);
}

static void release_ready(struct collector *c)
{
    pthread_mutex_lock(&c->lock);
    struct grosr_batch *b = c->ready;
    c->ready = b->next;
    c->ready_count--;
    b->next = c->free;
    c->free = b;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
}

/* Whether the oldest chunk is to become rows now: as soon as it can be placed well, or as late as it can. */
static bool chunk_is_due(struct collector *c, uint64_t now)
{
    if (c->error || c->built == c->spooled)
        return false;
    if (!c->options->window_ns)
        return clock_covers(c, c->spooled_ns, now);
    return c->from_ns > CUT_MARGIN_NS && oldest_is_before(c, c->from_ns - CUT_MARGIN_NS);
}

/* In a quiet moment: turns what was put aside into rows, or finishes sources. */
static void work_off(struct collector *c, bool ended, uint64_t now)
{
    if (chunk_is_due(c, now)) {
        take_chunk(c, true);
        return;
    }
    if (ended)
        finish_ended(c);
    if (!c->error && c->built < c->spooled)
        rest();
}

/*
 * The writer's rule: rows at once while it keeps up; when batches pile up they are put aside, and from then
 * on every batch is, until the chunks have been worked off in quiet moments. (Chunks are built in order, so
 * the latest one's clock snapshot covers them all.) A recording that keeps its latest part puts all aside,
 * and most of it never becomes rows.
 */
void *collector_write(void *p)
{
    struct collector *c = (struct collector *)p;

    for (;;) {
        dev_point("collector.write");
        bool ended = note_ended(c); /* before the look */
        struct outlook o = look(c);
        uint64_t now = grosr_host_clock_ns();
        begin_new(c, o.sources);
        if (!o.batch && o.end)
            return NULL;
        fetch_clocks(c);
        start_sampler(c);
        collector_commit(c, now);
        if (!o.batch) {
            work_off(c, ended, now);
            continue;
        }
        bool keeps_up =
            !c->options->window_ns && o.waiting <= GROSR_COLLECTOR_BATCHES / 2 && c->built == c->spooled;
        if (keeps_up && !o.end && !clock_covers(c, o.batch->drained_ns, now)) {
            rest();
            continue;
        }
        if (!c->error)
            write_batch(c, o.batch, keeps_up);
        release_ready(c);
        pass_over_oldest(c);
    }
}

/* When the last of the sources was over. */
static uint64_t end_of_all(const struct collector *c)
{
    uint64_t end = 0;

    for (uint32_t i = 0; i < c->sources; i++)
        end = c->source[i]->end_ns > end ? c->source[i]->end_ns : end;
    return end;
}

/* What the window of the whole recording comes before: its latest event, or the moment of the stall. */
static uint64_t window_end(const struct collector *c)
{
    uint64_t end = end_of_all(c);

    if (c->stalled)
        return c->stalled->stall.since_ns;
    return c->latest_ns < end ? c->latest_ns : end;
}

/* A stall that ended the recording is told in the trace. */
static void note_stall(struct collector *c)
{
    const struct grosr_source *s = c->stalled;
    static const char topic[] = "stall";

    if (s && !c->error)
        collector_failed(c,
                         grosr_store_note(c->store, grosr_timeline(&s->bases, s->end_ns), s->bases.session,
                                          topic, strlen(topic), c->result->stall, strlen(c->result->stall)));
}

void collector_finish(struct collector *c)
{
    uint64_t told = 0;

    grosr_sampler_stop(c->sampler);
    write_counters(c, end_of_all(c));
    fetch_clocks(c);
    c->from_ns = keep_from(c, window_end(c), c->options->window_ns);
    while (!c->error && c->built < c->spooled) {
        take_chunk(c, true);
        if (c->options->progress && (c->built - told >= 65536 || c->built == c->spooled)) {
            c->options->progress("building rows", c->built, c->spooled);
            told = c->built;
        }
        commit(c, grosr_host_clock_ns());
    }
    for (uint32_t i = 0; i < c->sources; i++)
        if (!c->source[i]->finished)
            finish_source(c, c->source[i]);
    note_stall(c);
    if (!c->error && c->kept_from > 0)
        collector_failed(c, grosr_store_cut_all(c->store, c->kept_from, c->cut));
    c->result->read = c->finished_books.read;
    c->result->dropped = c->finished_books.dropped;
    c->result->overwritten = c->finished_books.overwritten;
    c->result->sessions = c->sources;
    if (!c->error)
        collector_failed(c, grosr_store_finish(c->store, c->options->progress));
}
