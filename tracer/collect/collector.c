/*
 * Draining sessions into a trace file (collector.h): the drainer, and the beginning and the end of a
 * recording. Between them the drainer alone reads rings and streams, and the writer (collector_writer.c)
 * alone uses the file.
 */
#include "collector_parts.h"

#include "../base/error.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define HANDOVER_NS 20000000u  /* a batch goes to the writer at this age, or half full */
#define SAMPLE_NS   1000000u   /* at most one sample of the queues a ms, and only when they changed */
#define WATCH_NS    10000000u  /* between checks for stalls */
#define BLIND_NS    200000000u /* after so long without a check, a stall before it cannot be seen */
#define POLL_NS     100000u    /* between polls of the rings while there are events, at first */
#define POLL_MAX_NS 1000000u   /* between polls that find all of them nearly empty */
#define BUSY_EVENTS 16384u     /* after a poll that finds so many, the next one follows at once */
#define EMPTY_NS    300000u    /* after an empty poll */
#define IDLE_NS     2000000u   /* after IDLE_POLLS of them, the idle poll interval */
#define IDLE_POLLS  64u

/* ---- the drainer ---- */

/* Hands a batch over; sources that were over before may then be finished. */
static void hand_over(struct collector *c, struct grosr_batch *b)
{
    collector_put_ready(c, b);
    collector_publish_over(c);
}

/*
 * Checks for stalls, with the events of the runs from `from` on. After a time without checks (the writer was
 * behind) every source counts as having moved, since nothing is known of that time.
 */
static void check_stalls(struct collector *c, const struct grosr_batch *b, uint32_t from, uint64_t now)
{
    bool blind = now - c->watched_ns > BLIND_NS;

    for (uint32_t i = from; i < b->runs; i++) {
        const struct grosr_run *run = &b->run[i];
        if (run->ring < run->source->session->header.rings)
            grosr_stall_see(&run->source->stall, b->event + run->at, run->count);
    }
    if (now - c->watched_ns < WATCH_NS)
        return;
    c->watched_ns = now;
    for (uint32_t i = 0; i < c->running && !c->stalled; i++) {
        struct grosr_source *s = c->draining[i];
        s->stall.moved |= blind;
        if (!grosr_stall_look(&s->stall, s->session, now, c->options->stall_ns))
            continue;
        c->stalled = s;
        c->result->stalled = true;
        grosr_stall_describe(&s->stall, s->session, now, c->result->stall, sizeof(c->result->stall));
    }
}

static bool should_stop(const struct collector *c)
{
    return *c->options->stop || c->stalled;
}

/* How full the fullest ring was that the runs from `from` on come from, in 1/64. */
static uint32_t fullest(const struct grosr_batch *b, uint32_t from)
{
    uint32_t max = 0;

    for (uint32_t i = from; i < b->runs; i++) {
        const struct grosr_run *run = &b->run[i];
        const struct grosr_session *s = run->source->session;
        /* What is left in a stream is not known: its next poll is not delayed. */
        uint64_t full =
            run->ring < s->header.rings ? UINT64_C(64) * run->count / s->ring[run->ring].capacity : 8;
        max = full > max ? (uint32_t)full : max;
    }
    return max;
}

static void drain(struct collector *c)
{
    struct grosr_batch *b = collector_get_free(c);
    uint64_t sampled_ns = 0;
    uint32_t empty_polls = 0, poll_ns = POLL_NS;
    bool end = false, more = c->options->follow != 0;

    while (!end) {
        uint64_t now = grosr_host_clock_ns();
        if (should_stop(c))
            more = false;
        if (more)
            more = collector_add_new(c, now);
        bool sampling = now - sampled_ns >= SAMPLE_NS;
        if (sampling)
            sampled_ns = now;
        uint32_t runs = b->runs, n = collector_drain_sources(c, b, sampling, should_stop(c)),
                 full = fullest(b, runs);
        b->drained_ns = grosr_host_clock_ns();
        if (c->options->stall_ns && !should_stop(c))
            check_stalls(c, b, runs, b->drained_ns);
        empty_polls = n ? 0 : empty_polls + 1;
        end = c->running == 0 && !more;
        if (end || b->events >= b->events_max / 2 || b->bytes >= b->bytes_max / 2 ||
            b->runs + c->rings > b->runs_max ||
            ((b->runs || b->samples || b->heaps) && b->drained_ns - b->opened_ns >= HANDOVER_NS)) {
            hand_over(c, b);
            b = end ? NULL : collector_get_free(c);
        }
        /* Rarer polls find longer runs, which cost less for each event; but no ring may fill in between. */
        poll_ns = full >= 8 ? POLL_NS : full < 4 && poll_ns < POLL_MAX_NS ? 2 * poll_ns : poll_ns;
        if (full < 16 && n < BUSY_EVENTS && !end) {
            uint32_t pause_ns = n ? poll_ns : empty_polls < IDLE_POLLS ? EMPTY_NS : IDLE_NS;
            if (more)
                grosr_finder_wait(&c->finder, pause_ns);
            else
                nanosleep(&(struct timespec){0, pause_ns}, NULL);
        }
    }
}

/* ---- the recording ---- */

static void release(struct collector *c)
{
    for (uint32_t i = 0; i < c->sources; i++) {
        grosr_source_release(c->source[i]);
        free(c->source[i]);
    }
    for (uint32_t i = 0; i < c->batches_allocated; i++) {
        free(c->batches[i].event);
        free(c->batches[i].run);
        free(c->batches[i].byte);
    }
    grosr_sampler_free(c->sampler);
    collector_close_sessions(c);
    grosr_store_close(c->store);
    pthread_mutex_destroy(&c->lock);
    pthread_cond_destroy(&c->changed);
    free(c);
}

static void warn_continued(struct collector *c)
{
    const struct grosr_source *s = c->source[0];
    char text[512];
    uint64_t unstored = 0;

    for (uint32_t i = 0; i < s->session->header.rings; i++)
        unstored += s->from[i].unstored;
    snprintf(text, sizeof(text),
             "%s continues where its recording was cut off; %llu events had been read but not stored, and "
             "are lost",
             c->options->path, (unsigned long long)unstored);
    if (c->options->warned)
        c->options->warned(text);
}

/*
 * Opens the file with the first session in it: an unfinished recording of that session continues, anything
 * else begins. It is committed before the first poll of the rings, so that at any time the file says how far
 * they have been read.
 */
static int open_file(struct collector *c)
{
    int64_t number = 0;
    int err = 0;

    /* Whichever of the sessions the file is of becomes the first. */
    for (uint32_t i = 0; i < c->sources && err == 0 && !c->source[i]->session->copy; i++) {
        struct grosr_source *s = c->source[i];
        err = grosr_store_continue(&c->store, c->options->path, s->session, &number);
        if (err == 1) {
            c->source[i] = c->source[0];
            c->source[0] = s;
        }
    }
    struct grosr_source *s = c->source[0];
    if (err == 1) {
        err = grosr_source_resume(s, c->store, number);
        if (!err)
            err = grosr_store_count_chunks(c->store, &c->spooled, &c->spooled_ns);
        s->backlog = c->spooled;
        c->latest_ns = c->spooled_ns;
        if (!err)
            warn_continued(c);
    } else if (!err) {
        err = grosr_store_create(&c->store, c->options->path);
        if (!err)
            err = grosr_source_begin(s, c->store);
    }
    if (err)
        return err;
    c->unfinished[c->unfinished_count++] = s;
    c->begun = 1;
    c->begun_ns = grosr_host_clock_ns();
    collector_commit(c, c->begun_ns);
    return c->error;
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
    c->kept_from = GROSR_NULL;
    c->finder.watch = -1;
    pthread_mutex_init(&c->lock, NULL);
    pthread_cond_init(&c->changed, NULL);
    err = collector_add_batch(c);
    if (!err)
        err = collector_add_first(c);
    if (!err)
        err = open_file(c);
    if (!err && pthread_create(&writer, NULL, collector_write, c))
        err = grosr_fail(EAGAIN, "cannot start the collector's writer thread");
    if (err) {
        for (uint32_t i = 0; i < c->sources; i++)
            grosr_source_detach(c->source[i]);
        result->unrecorded = collector_unrecorded(c);
        release(c);
        return err;
    }
    drain(c);
    c->result->unrecorded = collector_unrecorded(c);
    collector_end_batches(c);
    pthread_join(writer, NULL);
    collector_finish(c);

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
    struct grosr_finder f;

    grosr_finder_open(&f, pid, false);
    int err = grosr_finder_first(&f, session, stop);
    grosr_finder_free(&f);
    return err;
}
