/*
 * The sampler's thread (sampler.h): its beginning, its period and its end. The thread is detached: whichever
 * of it and the writer lets go last frees what both use, so that the writer need not wait for a call of
 * NVML's that never returns.
 */
#include "sampler_parts.h"

#include "../base/error.h"
#include "../base/time_limits.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

static void let_go(struct grosr_sampler *s)
{
    pthread_mutex_lock(&s->lock);
    bool last = --s->holders == 0;
    pthread_mutex_unlock(&s->lock);
    if (!last)
        return;
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->changed);
    free(s);
}

/* ---- the thread ---- */

/* Waits for a time of the host's clock; false: it is to stop. */
static bool wait_until(struct grosr_sampler *s, uint64_t until_ns)
{
    struct timespec until = {(time_t)(until_ns / 1000000000u), (long)(until_ns % 1000000000u)};

    pthread_mutex_lock(&s->lock);
    while (!s->stop && pthread_cond_timedwait(&s->changed, &s->lock, &until) != ETIMEDOUT)
        ;
    bool more = !s->stop;
    pthread_mutex_unlock(&s->lock);
    return more;
}

static void *sample_main(void *p)
{
    struct grosr_sampler *s = (struct grosr_sampler *)p;
    uint64_t next = grosr_host_clock_ns();

    if (s->sampling.what & GROSR_COUNTERS_PM)
        sampler_start_pm(s);
    if (s->sampling.what & GROSR_COUNTERS_NVML)
        sampler_find_gpus(s);
    do {
        if (s->pm)
            sampler_read_pm(s);
        sampler_read_gpus(s);
        /* What was missed while a call took long is not made up for. */
        uint64_t now = grosr_host_clock_ns();
        next += (now - next) / GROSR_SAMPLER_PERIOD_NS * GROSR_SAMPLER_PERIOD_NS + GROSR_SAMPLER_PERIOD_NS;
    } while (wait_until(s, next));
    if (s->pm)
        sampler_read_pm(s);
    grosr_pm_stop(s->pm);
    pthread_mutex_lock(&s->lock);
    s->ended = true;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    let_go(s);
    return NULL;
}

/* ---- the writer ---- */

int grosr_sampler_start(struct grosr_sampler **sampler, struct grosr_sampling sampling)
{
    struct grosr_sampler *s = (struct grosr_sampler *)calloc(1, sizeof(*s));
    pthread_condattr_t monotonic;
    pthread_attr_t detached;
    pthread_t thread;

    if (!s)
        return grosr_fail(ENOMEM, "out of memory for counters of GPUs");
    s->sampling = sampling;
    s->holders = 2;
    pthread_mutex_init(&s->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&s->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    int err = pthread_create(&thread, &detached, sample_main, s);
    pthread_attr_destroy(&detached);
    if (err) {
        s->holders = 1;
        let_go(s);
        return grosr_fail(EAGAIN, "cannot start the thread that samples GPUs");
    }
    *sampler = s;
    return 0;
}

void grosr_sampler_stop(struct grosr_sampler *s)
{
    uint64_t until_ns = grosr_host_clock_ns() + GROSR_SAMPLER_END_TIMEOUT_NS;
    struct timespec until = {(time_t)(until_ns / 1000000000u), (long)(until_ns % 1000000000u)};

    if (!s)
        return;
    pthread_mutex_lock(&s->lock);
    s->stop = s->stopped = true;
    pthread_cond_broadcast(&s->changed);
    while (!s->ended && pthread_cond_timedwait(&s->changed, &s->lock, &until) != ETIMEDOUT)
        ;
    pthread_mutex_unlock(&s->lock);
}

void grosr_sampler_free(struct grosr_sampler *s)
{
    if (s)
        let_go(s);
}
