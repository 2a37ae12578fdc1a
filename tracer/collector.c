/*
 * The collector's two threads (collector.h). A batch belongs to one of them at a time:
 *
 *     free -> the drainer fills it -> ready, in order -> the writer stores it -> free
 */
#include "collector.h"

#include "clock.h"
#include "error.h"
#include "process.h"
#include "ring.h"
#include "rows.h"
#include "store.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define COMMIT_NS         500000000u
#define HAND_OVER_NS      20000000u  /* a batch goes to the writer at this age, or half full */
#define SAMPLE_NS         1000000u   /* at most one sample of the queues a ms, and only when they changed */
#define SAMPLES           64u        /* in a batch */
#define CHUNK_EVENTS      16384u     /* in one GROSR_CHUNK row */
#define CLOCK_PATIENCE_NS 200000000u /* how long rows wait for the clock snapshot behind them */

/* Consecutive records of one ring inside a batch. */
struct run {
    uint32_t ring, count;
    uint32_t at; /* index of the first in the batch's events */
    uint64_t first;
};

struct sample {
    int64_t values[5]; /* a row of GROSR_QUEUE_SAMPLE: time, queue, enqueued, dequeued, completed */
};

struct batch {
    struct batch *next;
    uint64_t opened_ns, drained_ns; /* host time before the first and after the last record was copied */
    uint32_t events, runs, samples;
    struct grosr_pair *event; /* GROSR_COLLECTOR_BATCH_EVENTS */
    struct run *run;          /* runs_max */
    struct sample sample[SAMPLES];
};

struct collector {
    struct grosr_session *session;
    struct grosr_store *store;
    struct grosr_bases bases;
    struct grosr_rows *rows;
    struct grosr_clock clock;
    struct grosr_ring_reader *reader;
    struct grosr_ring_counts *base;  /* the books when it began: what an earlier recording has */
    struct grosr_ring_counts *final; /* the books when the drainer ended */
    uint64_t end_ns;                 /* and when that was */
    struct sample *latest;           /* of each queue */
    uint32_t runs_max;               /* in a batch */
    const struct grosr_collect_options *options;
    struct grosr_collect_result *result;

    /* Between the threads, under `lock`. `ready` is oldest first. */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct batch *free, *ready, *ready_tail;
    uint32_t ready_count;
    bool drained; /* the drainer has ended */

    /* The writer's. */
    uint64_t spooled, built; /* events put aside; of those, turned into rows */
    uint64_t spooled_ns;     /* when the latest of them were drained */
    uint64_t committed_ns;
    int error;
    char error_text[512];

    struct batch batches[GROSR_COLLECTOR_BATCHES];
};

/* ---- the drainer ---- */

static void sample_queues(struct collector *c, struct batch *b, uint64_t now)
{
    for (uint32_t i = 0; i < c->session->header.queues && b->samples < SAMPLES; i++) {
        uint64_t enqueued, dequeued;
        /* First, so that no sample has more completed than taken. */
        uint64_t completed = sys_load_acquire(&grosr_session_queue(c->session, i)->completed);
        grosr_session_queue_counts(c->session, i, &enqueued, &dequeued);
        struct sample sample = {{(int64_t)(now - c->session->header.start_mono_ns), i, (int64_t)enqueued,
                                 (int64_t)dequeued, (int64_t)completed}};
        if (!memcmp(&sample.values[2], &c->latest[i].values[2], 3 * sizeof(int64_t)))
            continue;
        c->latest[i] = b->sample[b->samples++] = sample;
    }
}

/* Reads one ring into the batch, at most `max` records. */
static uint32_t drain_ring(struct collector *c, struct batch *b, uint32_t ring, uint32_t max)
{
    uint32_t room = GROSR_COLLECTOR_BATCH_EVENTS - b->events, n;
    uint64_t first;

    n = grosr_ring_read(&c->reader[ring], b->event + b->events, max < room ? max : room, &first);
    if (n) {
        b->run[b->runs++] = (struct run){ring, n, b->events, first};
        b->events += n;
    }
    return n;
}

/*
 * One look at every ring. The host's ring is read last and its run put first: a task event seen in a worker's
 * ring then has its enqueue event in this pass or an earlier one.
 */
static uint32_t drain_pass(struct collector *c, struct batch *b, uint32_t *next_ring)
{
    uint32_t workers = c->session->header.rings - 1;
    uint32_t limit = GROSR_COLLECTOR_BATCH_EVENTS / 4 * 3; /* the rest is for the host's ring */
    uint32_t share = limit / (workers < 16 ? workers : 16) + 1;
    uint32_t before = b->events, pass = b->runs;

    for (uint32_t i = 0; i < workers && b->events < limit; i++) {
        drain_ring(c, b, *next_ring, share < limit - b->events ? share : limit - b->events);
        *next_ring = (*next_ring + 1) % workers;
    }
    if (drain_ring(c, b, workers, UINT32_MAX)) {
        struct run host = b->run[b->runs - 1];
        memmove(b->run + pass + 1, b->run + pass, (b->runs - 1 - pass) * sizeof(host));
        b->run[pass] = host;
    }
    return b->events - before;
}

static bool all_read(const struct collector *c)
{
    for (uint32_t i = 0; i < c->session->header.rings; i++)
        if (!grosr_ring_at_end(&c->reader[i]))
            return false;
    return true;
}

static struct batch *get_free(struct collector *c)
{
    pthread_mutex_lock(&c->lock);
    while (!c->free)
        pthread_cond_wait(&c->changed, &c->lock);
    struct batch *b = c->free;
    c->free = b->next;
    pthread_mutex_unlock(&c->lock);
    b->next = NULL;
    b->opened_ns = grosr_host_clock_ns();
    b->events = b->runs = b->samples = 0;
    return b;
}

static void put_ready(struct collector *c, struct batch *b)
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
}

/* True when nothing more can come: closed and read out, dead, or told to stop. */
static bool finished(struct collector *c, uint32_t quiet, bool *last_pass)
{
    struct grosr_session_header *live = grosr_session_live(c->session);

    if (*c->options->stop) {
        c->result->detached = true;
        return true;
    }
    if (!quiet)
        return false;
    /* A device that failed never closes its rings; then a while without news is the end. */
    if (sys_load_acquire(&live->state) == GROSR_SESSION_CLOSED && (all_read(c) || quiet > 64))
        return true;
    if (*last_pass)
        return true;
    if (!grosr_session_alive(c->session)) {
        /* Its threads are gone, its context is destroyed: one more look for what was on its way. */
        c->result->died = sys_load_acquire(&live->state) != GROSR_SESSION_CLOSED;
        *last_pass = true;
    }
    return false;
}

static void drain(struct collector *c)
{
    struct batch *b = get_free(c);
    uint32_t next_ring = 0, quiet = 0;
    uint64_t sampled_ns = 0;
    bool last_pass = false, end = false;

    while (!end) {
        uint64_t now = grosr_host_clock_ns();
        if (now - sampled_ns >= SAMPLE_NS) {
            sample_queues(c, b, now);
            sampled_ns = now;
        }
        uint32_t n = drain_pass(c, b, &next_ring);
        b->drained_ns = grosr_host_clock_ns();
        quiet = n ? 0 : quiet + 1;
        /* Aliveness costs a read of /proc: not at every quiet pass. */
        if (quiet % 16 == 1 || *c->options->stop || last_pass ||
            sys_load_acquire(&grosr_session_live(c->session)->state) == GROSR_SESSION_CLOSED)
            end = finished(c, quiet, &last_pass);
        if (end)
            sample_queues(c, b, b->drained_ns);
        if (end || b->events >= GROSR_COLLECTOR_BATCH_EVENTS / 2 ||
            b->runs + c->session->header.rings > c->runs_max ||
            ((b->events || b->samples) && b->drained_ns - b->opened_ns >= HAND_OVER_NS)) {
            put_ready(c, b);
            b = end ? NULL : get_free(c);
        }
        if (n < 4096 && !end) {
            struct timespec pause = {0, n ? 100000 : quiet < 64 ? 300000 : 2000000};
            nanosleep(&pause, NULL);
        }
    }
}

/* A ring's books since this recording began. */
static void count_ring(const struct collector *c, uint32_t i, struct grosr_ring_counts *n)
{
    const struct grosr_ring_counts *base = &c->base[i];

    grosr_ring_count(c->session, i, n);
    n->read -= base->read;
    n->dropped -= base->dropped;
    n->overwritten = n->overwritten > base->overwritten ? n->overwritten - base->overwritten : 0;
    n->written -= base->read + base->dropped + base->overwritten;
}

/*
 * The books as they are when the drainer ends. Detached from a session that goes on, they close where the
 * reading stopped.
 */
static void take_final_books(struct collector *c)
{
    c->end_ns = grosr_host_clock_ns();
    for (uint32_t i = 0; i < c->session->header.rings; i++) {
        struct grosr_ring_counts *n = &c->final[i];
        count_ring(c, i, n);
        if (c->result->detached)
            n->written = n->read + n->dropped + n->overwritten;
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

/* A time of the ring's own clock near events drained at drained_ns. The host's ring is stamped with the
 * host's clock. */
static uint64_t near_time(const struct collector *c, uint32_t ring, uint64_t drained_ns)
{
    if (c->clock.is_host || ring == c->session->header.rings - 1)
        return drained_ns;
    if (c->clock.count)
        return c->clock.point[c->clock.count - 1].device_ns;
    return sys_load_relaxed(&grosr_session_live(c->session)->device_epoch_ns);
}

/* The points that the times were placed by. */
static void write_clock(struct collector *c)
{
    for (uint32_t i = 0; i < c->clock.count; i++) {
        const struct grosr_clock_point *p = &c->clock.point[i];
        int64_t values[] = {(int64_t)p->device_ns, (int64_t)(p->host_ns - c->session->header.start_mono_ns),
                            (int64_t)p->bound_ns, c->bases.session};
        if (failed(c, grosr_store_row(c->store, GROSR_TABLE_CLOCK, values)))
            return;
    }
}

/*
 * Whether events drained at drained_ns can be placed: a good snapshot was taken after them, so that they lie
 * between two and not beyond one, or none is coming.
 */
static bool clock_covers(const struct collector *c, uint64_t drained_ns, uint64_t now)
{
    return grosr_clock_covers(&c->clock, drained_ns) || now - drained_ns > CLOCK_PATIENCE_NS;
}

static void write_samples(struct collector *c, const struct batch *b)
{
    for (uint32_t i = 0; i < b->samples; i++)
        if (failed(c, grosr_store_row(c->store, GROSR_TABLE_QUEUE_SAMPLE, b->sample[i].values)))
            return;
}

static void build_batch(struct collector *c, const struct batch *b)
{
    for (uint32_t i = 0; i < b->runs; i++) {
        const struct run *run = &b->run[i];
        if (failed(c, grosr_rows_add(c->rows, run->ring, run->first, b->event + run->at, run->count,
                                     near_time(c, run->ring, b->drained_ns))))
            return;
    }
}

static void spool_batch(struct collector *c, const struct batch *b)
{
    for (uint32_t i = 0; i < b->runs; i++) {
        const struct run *run = &b->run[i];
        for (uint32_t done = 0; done < run->count; done += CHUNK_EVENTS) {
            uint32_t n = run->count - done < CHUNK_EVENTS ? run->count - done : CHUNK_EVENTS;
            if (failed(c, grosr_store_put_chunk(c->store, run->ring, run->first + done, b->drained_ns,
                                                b->event + run->at + done, n)))
                return;
        }
    }
    c->spooled += b->events;
    c->spooled_ns = b->drained_ns;
}

/* Turns the oldest chunk into rows. */
static void build_chunk(struct collector *c)
{
    struct grosr_pair *records;
    uint32_t ring, count;
    uint64_t first, drained_ns;

    if (failed(c, grosr_store_take_chunk(c->store, &ring, &first, &drained_ns, &records, &count)))
        return;
    failed(c, grosr_rows_add(c->rows, ring, first, records, count, near_time(c, ring, drained_ns)));
    free(records);
    c->built += count;
}

/* Writes the books of every ring, and adds them up. */
static void write_books(struct collector *c, const struct grosr_ring_counts *final)
{
    struct grosr_collect_result *sum = c->result;

    sum->read = sum->dropped = sum->overwritten = 0;
    for (uint32_t i = 0; i < c->session->header.rings; i++) {
        const struct grosr_ring_layout *ring = &c->session->ring[i];
        struct grosr_ring_counts n;
        if (final)
            n = final[i];
        else
            count_ring(c, i, &n);
        int64_t values[] = {c->bases.ring + i,
                            ring->worker == GROSR_RING_HOST ? GROSR_NULL : c->bases.worker + ring->worker,
                            ring->capacity,
                            (int64_t)n.written,
                            (int64_t)n.read,
                            (int64_t)n.dropped,
                            (int64_t)n.overwritten,
                            n.closed,
                            c->bases.session};
        sum->read += n.read;
        sum->dropped += n.dropped;
        sum->overwritten += n.overwritten;
        if (!c->error)
            failed(c, grosr_store_row(c->store, GROSR_TABLE_RING, values));
    }
}

static void commit(struct collector *c, const struct grosr_ring_counts *final, uint64_t now)
{
    if (c->error || now - c->committed_ns < COMMIT_NS)
        return;
    write_books(c, final);
    if (!c->error)
        failed(c, grosr_rows_workers(c->rows));
    if (!c->error)
        failed(c, grosr_store_commit(c->store));
    c->committed_ns = now;
}

/* The oldest ready batch, or NULL when there is none within a moment. *waiting: how many are ready. */
static struct batch *peek_ready(struct collector *c, uint32_t *waiting, bool *end)
{
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
    struct batch *b = c->ready;
    *waiting = c->ready_count;
    *end = c->drained;
    pthread_mutex_unlock(&c->lock);
    return b;
}

static void rest(void)
{
    struct timespec pause = {0, 1000000};
    nanosleep(&pause, NULL);
}

static void release_ready(struct collector *c)
{
    pthread_mutex_lock(&c->lock);
    struct batch *b = c->ready;
    c->ready = b->next;
    c->ready_count--;
    b->next = c->free;
    c->free = b;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
}

/*
 * The writer's rule: rows at once while it keeps up; when batches pile up they are put aside, and from then
 * on every batch is, until the chunks have been worked off in quiet moments. (Chunks are built in order, so
 * the latest one's clock snapshot covers them all.)
 */
static void *write_main(void *p)
{
    struct collector *c = (struct collector *)p;
    uint32_t waiting;
    bool end;

    for (;;) {
        struct batch *b = peek_ready(c, &waiting, &end);
        uint64_t now = grosr_host_clock_ns();
        if (!b && end)
            return NULL;
        failed(c, grosr_clock_fetch(&c->clock, c->session));
        commit(c, NULL, now);
        bool keeps_up = waiting <= GROSR_COLLECTOR_BATCHES / 2 && c->built == c->spooled;
        if (b && keeps_up && !end && !clock_covers(c, b->drained_ns, now)) {
            rest();
            continue;
        }
        if (!b) {
            if (c->error || c->built == c->spooled)
                continue;
            if (clock_covers(c, c->spooled_ns, now))
                build_chunk(c);
            else
                rest();
            continue;
        }
        if (!c->error)
            write_samples(c, b);
        if (!c->error && b->events) {
            if (keeps_up)
                build_batch(c, b);
            else
                spool_batch(c, b);
        }
        release_ready(c);
    }
}

static void finish(struct collector *c)
{
    uint64_t told = 0;

    failed(c, grosr_clock_fetch(&c->clock, c->session));
    while (!c->error && c->built < c->spooled) {
        build_chunk(c);
        if (c->options->progress && (c->built - told >= 65536 || c->built == c->spooled)) {
            c->options->progress(c->built, c->spooled);
            told = c->built;
        }
        commit(c, c->final, grosr_host_clock_ns());
    }
    write_books(c, c->final);
    if (!c->error)
        write_clock(c);
    if (!c->error)
        failed(c, grosr_rows_finish(c->rows, c->final));
    if (!c->error)
        failed(c, grosr_store_end_session(c->store, c->bases.session,
                                          (int64_t)(c->end_ns - c->session->header.start_mono_ns),
                                          c->result->died, c->result->detached));
    if (!c->error)
        failed(c, grosr_store_finish(c->store, NULL));
}

static int allocate(struct collector *c)
{
    uint32_t rings = c->session->header.rings, queues = c->session->header.queues;

    c->reader = (struct grosr_ring_reader *)calloc(rings, sizeof(*c->reader));
    c->base = (struct grosr_ring_counts *)calloc(rings, sizeof(*c->base));
    c->final = (struct grosr_ring_counts *)calloc(rings, sizeof(*c->final));
    c->latest = (struct sample *)calloc(queues + 1, sizeof(*c->latest));
    c->runs_max = 16 * rings;
    if (!c->reader || !c->base || !c->final || !c->latest)
        return grosr_fail(ENOMEM, "out of memory");
    for (uint32_t i = 0; i < GROSR_COLLECTOR_BATCHES; i++) {
        struct batch *b = &c->batches[i];
        b->event = (struct grosr_pair *)malloc(GROSR_COLLECTOR_BATCH_EVENTS * sizeof(*b->event));
        b->run = (struct run *)malloc(c->runs_max * sizeof(*b->run));
        if (!b->event || !b->run)
            return grosr_fail(ENOMEM, "out of memory for the collector's batches");
        b->next = c->free;
        c->free = b;
    }
    return 0;
}

static void release(struct collector *c)
{
    for (uint32_t i = 0; i < GROSR_COLLECTOR_BATCHES; i++) {
        free(c->batches[i].event);
        free(c->batches[i].run);
    }
    free(c->reader);
    free(c->base);
    free(c->final);
    free(c->latest);
    grosr_rows_free(c->rows);
    grosr_store_close(c->store);
    grosr_clock_free(&c->clock);
    pthread_mutex_destroy(&c->lock);
    pthread_cond_destroy(&c->changed);
    free(c);
}

int grosr_collect(struct grosr_session *session, const struct grosr_collect_options *options,
                  struct grosr_collect_result *result)
{
    struct grosr_session_header *live = grosr_session_live(session);
    struct collector *c = (struct collector *)calloc(1, sizeof(*c));
    pthread_t writer;
    int err;

    memset(result, 0, sizeof(*result));
    uint32_t other = sys_load_acquire(&live->collector_pid);
    if (other && other != (uint32_t)getpid() && grosr_process_start_time(other, NULL) == 0) {
        free(c);
        return grosr_fail(EBUSY, "process %u is being recorded already, by process %u", session->header.pid,
                          other);
    }
    if (!c)
        return grosr_fail(ENOMEM, "out of memory");
    c->session = session;
    c->options = options;
    c->result = result;
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->changed, NULL);
    grosr_clock_init(&c->clock, session);
    err = allocate(c);
    if (!err)
        err = grosr_store_create(&c->store, options->path);
    if (!err)
        err = grosr_store_add_session(c->store, session, &c->bases);
    if (!err)
        err = grosr_rows_create(&c->rows, session, &c->bases, &c->clock, c->store);
    if (!err && pthread_create(&writer, NULL, write_main, c))
        err = grosr_fail(EAGAIN, "cannot start the collector's writer thread");
    if (err) {
        release(c);
        return err;
    }
    for (uint32_t i = 0; i < session->header.rings; i++) {
        grosr_ring_reader_open(&c->reader[i], session, i);
        if (c->reader[i].position) /* an earlier collector was here */
            grosr_ring_count(session, i, &c->base[i]);
    }
    uint32_t level = sys_load_relaxed(&live->level);
    grosr_session_set_collector(session, (uint32_t)getpid());
    if (options->level >= 0)
        sys_store_relaxed(&live->level, (uint32_t)options->level);

    drain(c);
    take_final_books(c);
    if (options->level >= 0)
        sys_store_relaxed(&live->level, level);
    pthread_mutex_lock(&c->lock);
    c->drained = true;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
    if (result->detached)
        grosr_session_set_collector(session, 0);
    pthread_join(writer, NULL);
    finish(c);

    err = c->error;
    if (err) {
        c->error = 0;
        grosr_fail(-err, "%s", c->error_text);
    }
    if (result->died)
        grosr_session_unlink(session);
    release(c);
    return err;
}

int grosr_collector_find(struct grosr_session **session, uint32_t pid, const volatile sig_atomic_t *stop)
{
    for (;;) {
        struct grosr_session_id *ids;
        bool alive = grosr_process_start_time(pid, NULL) == 0;
        int n = grosr_session_list(&ids);
        for (int i = 0; i < n; i++) {
            if (!grosr_process_descends(ids[i].pid, pid) ||
                grosr_session_open(session, ids[i].pid, ids[i].index))
                continue;
            /* A killed process leaves its segment behind, and its number may be in use again. */
            if (grosr_process_was(ids[i].pid, (*session)->header.pid_start)) {
                free(ids);
                return 0;
            }
            grosr_session_close(*session);
        }
        free(ids);
        if (!alive)
            return grosr_fail(ESRCH, "process %u ended without a GROSR session", pid);
        if (*stop)
            return grosr_fail(EINTR, "interrupted");
        struct timespec pause = {0, 2000000};
        nanosleep(&pause, NULL);
    }
}
