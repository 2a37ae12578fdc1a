/*
 * The thread that looks after a session (housekeeper.h).
 */
#include "housekeeper.h"

#include "../base/error.h"
#include "../base/host_clock.h"
#include "../base/process.h"

#include <signal.h>
#include <string.h>
#include <time.h>

#define COLLECTOR_NS 100000000u /* between looks at the collector: each opens a file in /proc */

/* Waits for a period, or for the end. Whether to continue. */
static bool pause_for_period(struct grosr_housekeeper *k)
{
    uint64_t until = grosr_host_clock_ns() + k->period_ns;
    const struct timespec at = {(time_t)(until / 1000000000u), (long)(until % 1000000000u)};

    pthread_mutex_lock(&k->lock);
    while (!k->stop && grosr_host_clock_ns() < until)
        pthread_cond_timedwait(&k->changed, &k->lock, &at);
    bool stop = k->stop;
    pthread_mutex_unlock(&k->lock);
    return !stop;
}

static void look_after_collector(struct grosr_session *session)
{
    uint32_t collector = sys_load_relaxed(&grosr_session_live(session)->collector_pid);

    if (collector && grosr_process_start_time(collector, NULL))
        grosr_session_set_collector(session, 0); /* it died */
}

static void *housekeeper_main(void *arg)
{
    struct grosr_housekeeper *k = (struct grosr_housekeeper *)arg;
    uint64_t looked_ns = grosr_host_clock_ns();

    while (pause_for_period(k)) {
        uint64_t now = grosr_host_clock_ns();
        sys_store_relaxed(&grosr_session_live(k->session)->heartbeat_ns, now);
        if (now - looked_ns >= COLLECTOR_NS) {
            looked_ns = now;
            look_after_collector(k->session);
        }
        k->tick(k->owner);
    }
    return NULL;
}

int grosr_housekeeper_start(struct grosr_housekeeper *k, struct grosr_session *session, uint64_t period_ns,
                            void (*tick)(void *owner), void *owner)
{
    pthread_condattr_t attributes;
    sigset_t all, before;

    *k = (struct grosr_housekeeper){.session = session, .period_ns = period_ns, .tick = tick, .owner = owner};
    pthread_mutex_init(&k->lock, NULL);
    pthread_condattr_init(&attributes);
    pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
    pthread_cond_init(&k->changed, &attributes);
    pthread_condattr_destroy(&attributes);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    int err = pthread_create(&k->thread, NULL, housekeeper_main, k);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    k->running = !err;
    if (err) {
        pthread_cond_destroy(&k->changed);
        pthread_mutex_destroy(&k->lock);
        return grosr_fail(err, "cannot start the thread that looks after the session: %s", strerror(err));
    }
    return 0;
}

void grosr_housekeeper_stop(struct grosr_housekeeper *k)
{
    if (!k->running)
        return;
    pthread_mutex_lock(&k->lock);
    k->stop = true;
    pthread_cond_broadcast(&k->changed);
    pthread_mutex_unlock(&k->lock);
    pthread_join(k->thread, NULL);
    pthread_cond_destroy(&k->changed);
    pthread_mutex_destroy(&k->lock);
    k->running = false;
}
