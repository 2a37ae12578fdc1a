/*
 * What passes between the collector's threads (collector_parts.h): full batches to the writer, oldest first,
 * empty ones back to the drainer, new sources, the drainer's end; and the first failure of writing.
 *
 * `lock` guards the queues, the list of sources and `drained`; `changed` is signalled with every change of
 * them. The drainer waits for an empty batch as long as it takes, the writer for a full one no longer than
 * EMPTY_POLL_NS, since it has work without one. `error` and `error_text` are the writer's until it has
 * ended.
 */
#include "collector_parts.h"

#include "../base/error.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#define EMPTY_POLL_NS 2000000
#define RUNS_MAX      (16u * (GROSR_MAX_WORKERS + 1)) /* in a batch */

/* ---- the drainer's side ---- */

int collector_add_batch(struct collector *c)
{
    struct grosr_batch *b = &c->batches[c->batches_allocated];

    b->events_max = GROSR_COLLECTOR_BATCH_EVENTS;
    b->bytes_max = GROSR_COLLECTOR_BATCH_BYTES;
    b->runs_max = RUNS_MAX;
    b->event = (struct grosr_pair *)malloc(b->events_max * sizeof(*b->event));
    b->run = (struct grosr_run *)malloc(b->runs_max * sizeof(*b->run));
    b->byte = (unsigned char *)malloc(b->bytes_max);
    if (!b->event || !b->run || !b->byte) {
        free(b->event);
        free(b->run);
        free(b->byte);
        return grosr_fail(ENOMEM, "out of memory for the collector's batches");
    }
    c->batches_allocated++;
    b->next = c->free;
    c->free = b;
    return 0;
}

/* Without memory for another batch those there are have to do. */
struct grosr_batch *collector_get_free(struct collector *c)
{
    pthread_mutex_lock(&c->lock);
    while (!c->free)
        if (c->batches_enough || c->batches_allocated == GROSR_COLLECTOR_BATCHES)
            pthread_cond_wait(&c->changed, &c->lock);
        else
            c->batches_enough = collector_add_batch(c) != 0;
    struct grosr_batch *b = c->free;
    c->free = b->next;
    pthread_mutex_unlock(&c->lock);
    b->next = NULL;
    b->opened_ns = grosr_host_clock_ns();
    b->events = b->runs = b->samples = b->heaps = b->bytes = 0;
    return b;
}

void collector_put_ready(struct collector *c, struct grosr_batch *b)
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

void collector_add_source(struct collector *c, struct grosr_source *s)
{
    pthread_mutex_lock(&c->lock);
    c->source[c->sources++] = s;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
}

void collector_end_batches(struct collector *c)
{
    pthread_mutex_lock(&c->lock);
    c->drained = true;
    pthread_cond_broadcast(&c->changed);
    pthread_mutex_unlock(&c->lock);
}

/* ---- the writer's side ---- */

struct writer_input collector_poll(struct collector *c)
{
    struct writer_input in;
    struct timespec until;

    clock_gettime(CLOCK_REALTIME, &until);
    until.tv_nsec += EMPTY_POLL_NS;
    if (until.tv_nsec >= 1000000000) {
        until.tv_nsec -= 1000000000;
        until.tv_sec++;
    }
    pthread_mutex_lock(&c->lock);
    if (!c->ready && !c->drained && (c->error || c->built == c->spooled))
        pthread_cond_timedwait(&c->changed, &c->lock, &until);
    in = (struct writer_input){c->ready, c->ready_count, c->sources, c->drained};
    pthread_mutex_unlock(&c->lock);
    return in;
}

void collector_release_ready(struct collector *c)
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

/* ---- failure ---- */

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
