/*
 * Draining sessions into a trace file (collector.h): the batches between the two threads, and what each of
 * them does with the sources (source.h).
 */
#include "collector.h"

#include "error.h"
#include "finder.h"
#include "process.h"
#include "source.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define COMMIT_NS         500000000u
#define HAND_OVER_NS      20000000u  /* a batch goes to the writer at this age, or half full */
#define SAMPLE_NS         1000000u   /* at most one sample of the queues a ms, and only when they changed */
#define LOOK_NS           5000000u   /* between looks for new sessions */
#define CHUNK_EVENTS      16384u     /* in one GROSR_CHUNK row */
#define PAUSE_NS          100000u    /* between looks at the rings while there are events, at first */
#define PAUSE_MOST_NS     1000000u   /* and when a look finds all of them nearly empty */
#define PAUSE_EVENTS      16384u     /* after a look that finds so many, none */
#define CLOCK_PATIENCE_NS 200000000u /* how long rows wait for the clock snapshot behind them */
#define RUNS_MAX          (16u * (GROSR_MAX_WORKERS + 1)) /* in a batch */

struct collector {
    struct grosr_store *store;
    const struct grosr_collect_options *options;
    struct grosr_collect_result *result;
    struct grosr_finder finder; /* the drainer's */
    uint32_t running;           /* sources that are not over; the drainer's */
    uint32_t rings;             /* of all sources and their streams; the drainer's */

    /* Between the threads, under `lock`. `ready` is oldest first. */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct grosr_batch *free, *ready, *ready_tail;
    uint32_t ready_count;
    bool drained;     /* the drainer has ended */
    uint32_t sources; /* known; appended by the drainer */
    struct grosr_source *source[GROSR_COLLECTOR_SESSIONS];

    /* The writer's. */
    uint32_t begun;                           /* of the sources */
    uint64_t spooled, built;                  /* events put aside; of those, turned into rows */
    uint64_t spooled_ns;                      /* when the latest of them were drained */
    struct grosr_pair gathered[CHUNK_EVENTS]; /* a ring's runs, joined */
    uint64_t committed_ns;
    struct grosr_ring_counts finished_books; /* of sources that are finished */
    int error;
    char error_text[512];

    struct grosr_batch batches[GROSR_COLLECTOR_BATCHES];
};

/* ---- the drainer ---- */

static struct grosr_batch *get_free(struct collector *c)
{
    pthread_mutex_lock(&c->lock);
    while (!c->free)
        pthread_cond_wait(&c->changed, &c->lock);
    struct grosr_batch *b = c->free;
    c->free = b->next;
    pthread_mutex_unlock(&c->lock);
    b->next = NULL;
    b->opened_ns = grosr_host_clock_ns();
    b->events = b->runs = b->samples = b->bytes = 0;
    return b;
}

static void put_ready(struct collector *c, struct grosr_batch *b)
{
    pthread_mutex_lock(&c->lock);
    if (c->ready)
        c->ready_tail->next = b;
    else
        c->ready = b;
    c->ready_tail = b;
    c->ready_count++;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
    dev_point("collector.ready");
}

/* Takes a session into the recording. The source owns it from now on, if `owned`; otherwise it is closed. */
static int add_source(struct collector *c, struct grosr_session *session, bool owned)
{
    struct grosr_source *s;
    int err = c->sources == GROSR_COLLECTOR_SESSIONS
                  ? grosr_fail(EMFILE, "a recording has at most %u sessions: process %u is not recorded",
                               GROSR_COLLECTOR_SESSIONS, session->header.pid)
                  : grosr_source_open(&s, session, owned, c->options->level);

    if (err) {
        if (owned)
            grosr_session_close(session);
        return err;
    }
    c->running++;
    c->rings += session->header.rings + session->header.streams;
    pthread_mutex_lock(&c->lock);
    c->source[c->sources++] = s;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
    return 0;
}

/*
 * Adds what the followed processes have made since the last look. Whether more may come: that is asked before
 * the look, so that the last session is not missed.
 */
static bool add_new_sources(struct collector *c)
{
    bool more = grosr_process_start_time(c->options->follow, NULL) == 0;
    struct grosr_session *session;

    if (more && !grosr_finder_may_find(&c->finder))
        return true;
    while (grosr_finder_next(&c->finder, c->options->follow, &session))
        if (add_source(c, session, true) && c->options->warned)
            c->options->warned(grosr_error());
    return more;
}

/* Hands a batch over; sources that were over before may then be finished. */
static void hand_over(struct collector *c, struct grosr_batch *b)
{
    put_ready(c, b);
    for (uint32_t i = 0; i < c->sources; i++)
        if (c->source[i]->end_ns)
            sys_store_release(&c->source[i]->ended, 1); /* pairs with the load in note_ended() */
}

/* One look at every source that is not over. Returns how many events and records. */
static uint32_t drain_pass(struct collector *c, struct grosr_batch *b, bool sampling)
{
    uint32_t records = 0;

    for (uint32_t i = 0; i < c->sources; i++) {
        struct grosr_source *s = c->source[i];
        if (s->end_ns)
            continue;
        if (sampling)
            grosr_source_sample(s, b, grosr_host_clock_ns());
        records += grosr_source_drain(s, b);
        if (grosr_source_is_over(s, *c->options->stop != 0)) {
            grosr_source_sample(s, b, s->end_ns);
            c->result->died |= s->died;
            c->result->detached |= s->detached;
            c->running--;
        }
    }
    return records;
}

/* How full the fullest ring was that the runs from `from` on come from, in 1/64. */
static uint32_t fullest(const struct grosr_batch *b, uint32_t from)
{
    uint32_t most = 0;

    for (uint32_t i = from; i < b->runs; i++) {
        const struct grosr_run *run = &b->run[i];
        const struct grosr_session *s = run->source->session;
        /* What is left in a stream is not known: its next look is not put off. */
        uint64_t full =
            run->ring < s->header.rings ? UINT64_C(64) * run->count / s->ring[run->ring].capacity : 8;
        most = full > most ? (uint32_t)full : most;
    }
    return most;
}

static void drain(struct collector *c)
{
    struct grosr_batch *b = get_free(c);
    uint64_t sampled_ns = 0, looked_ns = 0;
    uint32_t quiet = 0, pause_ns = PAUSE_NS;
    bool end = false, more = c->options->follow != 0;

    while (!end) {
        uint64_t now = grosr_host_clock_ns();
        if (*c->options->stop)
            more = false;
        if (more && now - looked_ns >= LOOK_NS) {
            more = add_new_sources(c);
            looked_ns = now;
        }
        bool sampling = now - sampled_ns >= SAMPLE_NS;
        if (sampling)
            sampled_ns = now;
        uint32_t runs = b->runs, n = drain_pass(c, b, sampling), full = fullest(b, runs);
        b->drained_ns = grosr_host_clock_ns();
        quiet = n ? 0 : quiet + 1;
        end = c->running == 0 && !more;
        if (end || b->events >= b->events_max / 2 || b->bytes >= b->bytes_max / 2 ||
            b->runs + c->rings > b->runs_max ||
            ((b->runs || b->samples) && b->drained_ns - b->opened_ns >= HAND_OVER_NS)) {
            hand_over(c, b);
            b = end ? NULL : get_free(c);
        }
        /* Rarer looks find longer runs, which cost less an event; but no ring is to fill in between. */
        pause_ns = full >= 8 ? PAUSE_NS : full < 4 && pause_ns < PAUSE_MOST_NS ? 2 * pause_ns : pause_ns;
        if (full < 16 && n < PAUSE_EVENTS && !end) {
            struct timespec pause = {0, n ? pause_ns : quiet < 64 ? 300000 : 2000000};
            nanosleep(&pause, NULL);
        }
    }
}

/* ---- the writer ---- */

/* Notes a failure (a negative err), the first one; whether there has been any. */
static bool failed(struct collector *c, int err)
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
            failed(c, grosr_clock_fetch(&c->source[i]->clock, c->source[i]->session));
}

static void write_samples(struct collector *c, const struct grosr_batch *b)
{
    for (uint32_t i = 0; i < b->samples && !c->error; i++) {
        const struct grosr_queue_sample *q = &b->sample[i];
        const struct grosr_bases *bases = &q->source->bases;
        int64_t values[] = {grosr_timeline(bases, (uint64_t)q->time), bases->queue + q->queue,
                            (int64_t)q->enqueued, (int64_t)q->dequeued, (int64_t)q->completed};
        failed(c, grosr_store_row(c->store, GROSR_TABLE_QUEUE_SAMPLE, values));
    }
}

static void put_aside(struct collector *c, const struct grosr_batch *b, uint32_t ring, uint64_t first,
                      uint32_t count)
{
    failed(c, grosr_store_put_chunk(c->store, ring, first, b->drained_ns, c->gathered, count));
    c->spooled += count;
    c->spooled_ns = b->drained_ns;
}

/* Puts a ring's runs of the batch aside, joined: there may be many short ones. */
static void spool_ring(struct collector *c, const struct grosr_batch *b, struct grosr_source *s,
                       uint32_t index)
{
    uint32_t ring = (uint32_t)s->bases.ring + index, n = 0;
    uint64_t first = 0;

    for (uint32_t i = s->run_of[index]; i && !c->error; i = b->run[i - 1].next) {
        const struct grosr_run *run = &b->run[i - 1];
        for (uint32_t done = 0, part; done < run->count && !c->error; done += part) {
            if (n == CHUNK_EVENTS || (n && first + n != run->first + done)) {
                put_aside(c, b, ring, first, n);
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
        put_aside(c, b, ring, first, n);
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
    for (uint32_t i = 0; i < b->runs && !c->error; i++) {
        const struct grosr_run *run = &b->run[i];
        struct grosr_source *s = run->source;
        if (run->ring >= s->session->header.rings)
            failed(c, grosr_records_add(s->records, run->ring - s->session->header.rings, b->byte + run->at,
                                        run->count));
        else if (keeps_up)
            failed(c, grosr_source_build(s, run->ring, run->first, b->event + run->at, run->count,
                                         b->drained_ns));
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

/* Turns the oldest chunk into rows. */
static void build_chunk(struct collector *c)
{
    struct grosr_pair *records;
    uint32_t ring, count;
    uint64_t first, drained_ns;

    if (failed(c, grosr_store_take_chunk(c->store, &ring, &first, &drained_ns, &records, &count)))
        return;
    struct grosr_source *s = source_of_ring(c, ring);
    if (s)
        failed(c, grosr_source_build(s, ring - (uint32_t)s->bases.ring, first, records, count, drained_ns));
    free(records);
    c->built += count;
}

static void commit(struct collector *c, uint64_t now)
{
    struct grosr_ring_counts sum = {0};

    if (c->error || now - c->committed_ns < COMMIT_NS)
        return;
    for (uint32_t i = 0; i < c->begun && !c->error; i++) {
        struct grosr_source *s = c->source[i];
        if (s->finished)
            continue;
        failed(c, grosr_source_books(s, c->store, sys_load_acquire(&s->ended) != 0, &sum));
        if (!c->error)
            failed(c, grosr_source_write_clock(s, c->store, false));
        if (!c->error)
            failed(c, grosr_rows_workers(s->rows));
        if (!c->error && s->records)
            failed(c, grosr_records_tick(s->records, now));
    }
    if (!c->error)
        failed(c, grosr_store_commit(c->store));
    c->committed_ns = now;
}

/*
 * Begins sources that have come, before the first of their batches is written. `known`: as of when that batch
 * was ready.
 */
static void begin_new(struct collector *c, uint32_t known)
{
    for (; c->begun < known; c->begun++)
        if (!c->error)
            failed(c, grosr_source_begin(c->source[c->begun], c->store, c->options->warned));
}

/* Finishes a source, all of whose events are rows; also after a failure, for the sums. */
static void finish_source(struct collector *c, struct grosr_source *s)
{
    int err = 0;

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
        failed(c, err);
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

/* Finishes the sources noted as ended, so that what they hold is free again. */
static void finish_ended(struct collector *c)
{
    for (uint32_t i = 0; i < c->begun; i++)
        if (c->source[i]->seen_ended)
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

/* In a quiet moment: turns what was put aside into rows, or finishes sources. */
static void work_off(struct collector *c, bool ended, uint64_t now)
{
    if (!c->error && c->built < c->spooled) {
        if (clock_covers(c, c->spooled_ns, now))
            build_chunk(c);
        else
            rest();
    } else if (ended) {
        finish_ended(c);
    }
}

/*
 * The writer's rule: rows at once while it keeps up; when batches pile up they are put aside, and from then
 * on every batch is, until the chunks have been worked off in quiet moments. (Chunks are built in order, so
 * the latest one's clock snapshot covers them all.)
 */
static void *write_main(void *p)
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
        commit(c, now);
        if (!o.batch) {
            work_off(c, ended, now);
            continue;
        }
        bool keeps_up = o.waiting <= GROSR_COLLECTOR_BATCHES / 2 && c->built == c->spooled;
        if (keeps_up && !o.end && !clock_covers(c, o.batch->drained_ns, now)) {
            rest();
            continue;
        }
        if (!c->error)
            write_batch(c, o.batch, keeps_up);
        release_ready(c);
    }
}

static void finish(struct collector *c)
{
    uint64_t told = 0;

    fetch_clocks(c);
    while (!c->error && c->built < c->spooled) {
        build_chunk(c);
        if (c->options->progress && (c->built - told >= 65536 || c->built == c->spooled)) {
            c->options->progress(c->built, c->spooled);
            told = c->built;
        }
        commit(c, grosr_host_clock_ns());
    }
    for (uint32_t i = 0; i < c->sources; i++)
        if (!c->source[i]->finished)
            finish_source(c, c->source[i]);
    c->result->read = c->finished_books.read;
    c->result->dropped = c->finished_books.dropped;
    c->result->overwritten = c->finished_books.overwritten;
    c->result->sessions = c->sources;
    if (!c->error)
        failed(c, grosr_store_finish(c->store, NULL));
}

/* ---- both ---- */

static int allocate(struct collector *c)
{
    for (uint32_t i = 0; i < GROSR_COLLECTOR_BATCHES; i++) {
        struct grosr_batch *b = &c->batches[i];
        b->events_max = GROSR_COLLECTOR_BATCH_EVENTS;
        b->bytes_max = GROSR_COLLECTOR_BATCH_BYTES;
        b->runs_max = RUNS_MAX;
        b->event = (struct grosr_pair *)malloc(b->events_max * sizeof(*b->event));
        b->run = (struct grosr_run *)malloc(b->runs_max * sizeof(*b->run));
        b->byte = (unsigned char *)malloc(b->bytes_max);
        if (!b->event || !b->run || !b->byte)
            return grosr_fail(ENOMEM, "out of memory for the collector's batches");
        b->next = c->free;
        c->free = b;
    }
    return 0;
}

static void release(struct collector *c)
{
    for (uint32_t i = 0; i < c->sources; i++) {
        grosr_source_release(c->source[i]);
        free(c->source[i]);
    }
    for (uint32_t i = 0; i < GROSR_COLLECTOR_BATCHES; i++) {
        free(c->batches[i].event);
        free(c->batches[i].run);
        free(c->batches[i].byte);
    }
    grosr_finder_free(&c->finder);
    grosr_store_close(c->store);
    pthread_mutex_destroy(&c->lock);
    pthread_cond_destroy(&c->changed);
    free(c);
}

/* The session that the recording begins with. Attached before anything slow is done: its process waits. */
static int add_first(struct collector *c)
{
    struct grosr_session *session;
    int err;

    if (c->options->session)
        return add_source(c, c->options->session, false);
    err = grosr_finder_first(&c->finder, c->options->follow, &session, c->options->stop);
    return err ? err : add_source(c, session, true);
}

int grosr_collect(const struct grosr_collect_options *options, struct grosr_collect_result *result)
{
    struct collector *c = (struct collector *)calloc(1, sizeof(*c));
    pthread_t writer;
    int err;

    memset(result, 0, sizeof(*result));
    if (!c)
        return grosr_fail(ENOMEM, "out of memory");
    c->options = options;
    c->result = result;
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->changed, NULL);
    err = allocate(c);
    if (!err)
        err = add_first(c);
    if (!err)
        err = grosr_store_create(&c->store, options->path);
    if (!err && pthread_create(&writer, NULL, write_main, c))
        err = grosr_fail(EAGAIN, "cannot start the collector's writer thread");
    if (err) {
        if (c->sources)
            grosr_source_detach(c->source[0]);
        release(c);
        return err;
    }
    drain(c);
    pthread_mutex_lock(&c->lock);
    c->drained = true;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
    pthread_join(writer, NULL);
    finish(c);

    err = c->error;
    if (err) {
        c->error = 0;
        grosr_fail(-err, "%s", c->error_text);
    }
    release(c);
    return err;
}

int grosr_collector_find(struct grosr_session **session, uint32_t pid, const volatile sig_atomic_t *stop)
{
    struct grosr_finder f = {.count = 0};
    int err = grosr_finder_first(&f, pid, session, stop);

    grosr_finder_free(&f);
    return err;
}
