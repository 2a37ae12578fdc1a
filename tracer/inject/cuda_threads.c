/*
 * The threads of our own (cuda_parts.h): the housekeeper asks the driver after kernels and streams; the
 * flusher asks CUPTI for records; the sampler, where there is one, asks it for PC samples. All three may take
 * as long as some other call lasts. The watcher calls neither:
 * it looks after the program's threads, and shows until when the process was there. None is needed for what
 * the program is in.
 */
#include "cuda_parts.h"

#include "../base/time_limits.h"
#include "../clock/clock.h"
#include "../session/outstanding.h"

#include <signal.h>
#include <time.h>

#define TICK_NS        50000000
#define FLUSH_NS       100000000
#define WATCH_NS       100000000
#define SAMPLE_NS      500000000 /* a time bin */
#define DECODED_NS     60000000  /* after which CUPTI has what the hardware has sampled */
#define END_TICK_NS    5000000
#define THREADS_END_NS UINT64_C(1000000000)

static dev32 running;        /* the threads go on */
static dev32 ending;         /* threads_finish() waits for the latest records */
static dev32 flushes, ticks; /* that have returned, of CUPTI's; rounds of the housekeeper's */
static dev32 last_samples;   /* rounds of the sampler's that began when the end was near */
static pthread_t housekeeper, flusher, watcher, sampler;
static bool housekeeping, flushing, watching, sampling;

void threads_become_ours(void)
{
    struct inject_thread *t = inject_enter();

    if (t) {
        t->ours = true;
        host_thread_is_ours(t->tid);
        inject_leave(t);
    }
}

/*
 * Whether this thread may ask the driver: its calls leave captures of others alone, from here on. The threads
 * begin inside cuInit(), and until that is done the driver refuses to be asked this; so it is asked in each
 * round.
 */
static bool thread_is_relaxed(void)
{
    CUstreamCaptureMode mode = CU_STREAM_CAPTURE_MODE_RELAXED;

    return driver.capture_mode(&mode) == CUDA_SUCCESS;
}

/* Between the rounds of a thread of ours; threads_finish() ends the pause. */
static pthread_mutex_t pause_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t woken = PTHREAD_COND_INITIALIZER;

static void pause_for(uint64_t ns)
{
    struct timespec at = cuda_until(ns), end_tick = {0, END_TICK_NS};

    if (dev_load_relaxed(&ending)) {
        nanosleep(&end_tick, NULL);
        return;
    }
    pthread_mutex_lock(&pause_lock);
    while (!dev_load_relaxed(&ending) && pthread_cond_timedwait(&woken, &pause_lock, &at) == 0)
        ;
    pthread_mutex_unlock(&pause_lock);
}

static void *housekeeping_main(void *unused)
{
    (void)unused;
    threads_become_ours();
    while (dev_load_relaxed(&running)) {
        bool all = dev_load_relaxed(&ending);
        if (thread_is_relaxed()) {
            errors_tick();
            kernels_tick(grosr_host_clock_ns());
            streams_tick(grosr_host_clock_ns(), all);
        }
        dev_add_relaxed(&ticks, all);
        pause_for(TICK_NS);
    }
    return NULL;
}

static void *watching_main(void *unused)
{
    (void)unused;
    threads_become_ours();
    while (dev_load_relaxed(&running)) {
        bool waits = words_tick(grosr_host_clock_ns());
        host_tick(grosr_host_clock_ns(), waits);
        pause_for(WATCH_NS);
    }
    return NULL;
}

/*
 * Not by force: what is complete. CUPTI's own period leaves the latest buffer until it is full. That it is
 * under way stands in a slot as the program's calls do: it may wait for a lock that a stuck call holds.
 */
static void flush_completed(void)
{
    static const char name[] = "cuptiActivityFlushAll";
    struct inject_thread *t = inject_enter();

    if (t) {
        const struct grosr_call c = {.start_ns = grosr_host_clock_ns(),
                                     .name = inject_text(inject_string(name, sizeof(name) - 1)),
                                     .api = GROSR_CALL_TRACER,
                                     .tid = t->tid,
                                     .stream = GROSR_NO_STREAM};
        grosr_call_enter(inject_session(), inject_slot(t), &c);
        inject_leave(t);
    }
    cupti.flush(0);
    if (t)
        grosr_call_leave(inject_session(), inject_slot(t));
}

static void *flusher_main(void *unused)
{
    (void)unused;
    threads_become_ours();
    while (dev_load_relaxed(&running)) {
        if (launches_missing() || dev_load_relaxed(&ending)) {
            if (thread_is_relaxed())
                flush_completed();
            dev_add_relaxed(&flushes, 1);
        }
        pause_for(FLUSH_NS);
    }
    return NULL;
}

static void *sampling_main(void *unused)
{
    const struct timespec decoded = {0, DECODED_NS};

    (void)unused;
    threads_become_ours();
    while (dev_load_relaxed(&running)) {
        bool last = dev_load_relaxed(&ending);
        if (last && pc_is_sampling())
            nanosleep(&decoded, NULL);
        if (thread_is_relaxed())
            pc_tick(last);
        dev_add_relaxed(&last_samples, last);
        pause_for(SAMPLE_NS);
    }
    return NULL;
}

void threads_start(void)
{
    sigset_t all, before;

    dev_store_relaxed(&running, 1);
    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    housekeeping = pthread_create(&housekeeper, NULL, housekeeping_main, NULL) == 0;
    flushing = pthread_create(&flusher, NULL, flusher_main, NULL) == 0;
    watching = pthread_create(&watcher, NULL, watching_main, NULL) == 0;
    sampling = pc_is_wanted() && pthread_create(&sampler, NULL, sampling_main, NULL) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

void threads_finish(void)
{
    uint64_t until = grosr_host_clock_ns() + GROSR_INJECT_END_TIMEOUT_NS;
    const struct timespec pause = {0, END_TICK_NS};

    pthread_mutex_lock(&pause_lock);
    uint32_t flushed = dev_load_relaxed(&flushes), ticked = dev_load_relaxed(&ticks);
    dev_store_relaxed(&ending, 1);
    pthread_cond_broadcast(&woken);
    pthread_mutex_unlock(&pause_lock);
    while (grosr_host_clock_ns() < until &&
           ((flushing && dev_load_relaxed(&flushes) - flushed < 2) ||
            (housekeeping && dev_load_relaxed(&ticks) - ticked < 2) ||
            (sampling && !dev_load_relaxed(&last_samples)) || launches_missing()))
        nanosleep(&pause, NULL);
    if (!flushing)
        cupti.flush(0);
}

bool threads_end(void)
{
    struct timespec at = cuda_until(THREADS_END_NS);

    dev_store_relaxed(&running, 0);
    bool ended = !housekeeping || pthread_timedjoin_np(housekeeper, NULL, &at) == 0;
    if (flushing)
        pthread_timedjoin_np(flusher, NULL, &at);
    if (watching)
        pthread_timedjoin_np(watcher, NULL, &at);
    if (sampling)
        pthread_timedjoin_np(sampler, NULL, &at);
    return ended;
}
