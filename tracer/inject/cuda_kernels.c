/*
 * Launches of which no record has come yet; persistent kernels (cuda_parts.h).
 *
 * Every launch takes `launching` for reading while it is inside the driver, a persistent one for writing, so
 * that no other launch falls into the moment in which the activity is off. A launch may stay inside the
 * driver for as long as the queue behind a persistent kernel is full: so both wait for at most
 * GROSR_INJECT_LOCK_TIMEOUT_NS and then continue without the lock, at the price that a record may be missing,
 * which is noted.
 *
 * A persistent kernel is between two events in its stream: the first is over when it may start, the second
 * when it has ended. The housekeeping thread asks after them and never waits.
 */
#include "cuda_parts.h"

#include "../clock/clock.h"
#include "../base/time_limits.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define MISSING     65536u /* launches without a record that are known at a time; a power of two */
#define WITHHELD_NS 2000000000u
#define LOOK_NS     500000000u

/* ---- launches ---- */

struct missing {
    dev64 what; /* correlation << 32 | 1: made, and no record has come; written by the launching thread */
    uint64_t since_ns;
    const struct kernel_name *name;
    CUcontext context;
    CUstream stream;
};

static struct missing missing[MISSING];
static dev32 missing_count, crowded; /* crowded: launches made without the lock */
static pthread_rwlock_t launching = PTHREAD_RWLOCK_INITIALIZER;
static dev64 noted;     /* the launch that was reported to withhold records */
static dev64 record_ns; /* when the latest record of a kernel came, CLOCK_MONOTONIC; 0: none has */
/* Of the launch that this thread is in: whether it holds `launching`, and has the activity off. */
static __thread bool holds, off;

static struct timespec until(uint64_t ns)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    uint64_t at = (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec + ns;
    return (struct timespec){(time_t)(at / 1000000000u), (long)(at % 1000000000u)};
}

static uint64_t mark_of(uint32_t correlation)
{
    return (uint64_t)correlation << 32 | 1;
}

/* Before the launch: its record may come before it returns. */
static void expect_record(const struct launch *l)
{
    struct missing *m = &missing[l->correlation % MISSING];

    if (dev_load_relaxed(&m->what)) /* an old one that never came: forgotten */
        return;
    m->since_ns = grosr_host_clock_ns();
    m->name = l->name;
    m->context = l->context;
    m->stream = l->stream;
    dev_add_relaxed(&missing_count, 1);
    dev_store_release(&m->what, mark_of(l->correlation)); /* pairs with the loads below */
}

static bool forget(uint32_t correlation)
{
    dev64 *what = &missing[correlation % MISSING].what;

    /* Both pair with expect_record(). */
    if (dev_load_acquire(what) != mark_of(correlation) ||
        dev_cas_acquire(what, mark_of(correlation), 0) != mark_of(correlation))
        return false;
    dev_add_relaxed(&missing_count, UINT32_MAX);
    return true;
}

void launch_recorded(uint32_t correlation)
{
    forget(correlation);
    dev_store_relaxed(&record_ns, grosr_host_clock_ns());
}

uint32_t launches_missing(void)
{
    return dev_load_relaxed(&missing_count);
}

/* ---- persistent kernels ---- */

struct persistent {
    struct persistent *next;
    uint64_t number;
    uint64_t start_ns; /* not before: the launch began then, or what was before it in its stream had ended */
    CUcontext context;
    CUevent before, after;
    uint32_t stream; /* of records, where its beginning was written: its end must follow it */
    bool started;
};

static pthread_mutex_t persistent_lock = PTHREAD_MUTEX_INITIALIZER;
static struct persistent *persistent;
static uint64_t persistent_count;
static __thread struct persistent *pending; /* of the launch that this thread is in */

static struct persistent *begin_persistent(const struct launch *l)
{
    struct persistent *p = (struct persistent *)calloc(1, sizeof(*p));

    if (!p)
        return NULL;
    p->context = l->context;
    p->start_ns = grosr_host_clock_ns();
    if (driver.event_create(&p->before, CU_EVENT_DEFAULT) != CUDA_SUCCESS)
        p->before = NULL;
    if (driver.event_create(&p->after, CU_EVENT_DEFAULT) != CUDA_SUCCESS)
        p->after = NULL;
    if (p->before && driver.event_record(p->before, l->stream) != CUDA_SUCCESS) {
        driver.event_destroy(p->before);
        p->before = NULL;
    }
    return p;
}

static void free_persistent(struct persistent *p)
{
    if (p->before)
        driver.event_destroy(p->before);
    if (p->after)
        driver.event_destroy(p->after);
    free(p);
}

static void write_persistent(const struct launch *l, struct persistent *p)
{
    struct grosr_record_cuda_kernel r = {
        .head = {0, GROSR_RECORD_CUDA_KERNEL},
        .start = p->start_ns,
        .context = l->context_id,
        .correlation = l->correlation,
        .grid = {l->grid[0], l->grid[1], l->grid[2]},
        .block = {l->block[0], l->block[1], l->block[2]},
        .dynamic_shared_bytes = l->shared_bytes,
        .state = GROSR_CUDA_KERNEL_STARTS,
        .persistent = p->number,
    };
    const struct grosr_piece piece = {&r, sizeof(r)};

    cupti.stream_id(l->context, l->stream, 0, &r.stream);
    cupti.device_id(l->context, &r.device);
    struct inject_thread *t = inject_enter();
    if (!t)
        return;
    r.mangled_name = inject_string_number(t, l->name->mangled);
    r.full_name = inject_string_number(t, l->name->full);
    r.name = inject_string_number(t, l->name->brief);
    inject_write(t, &piece, 1);
    p->stream = t->stream;
    inject_leave(t);
}

static void end_persistent(struct inject_thread *t, const struct persistent *p, uint64_t end_ns)
{
    struct grosr_record_cuda_kernel r = {
        .head = {0, GROSR_RECORD_CUDA_KERNEL},
        .start = p->start_ns,
        .end = end_ns,
        .state = GROSR_CUDA_KERNEL_ENDS,
        .persistent = p->number,
    };
    const struct grosr_piece piece = {&r, sizeof(r)};

    /* Streams are read one after the other: in another one it could come before the beginning. */
    uint32_t stream = t->stream;
    t->stream = p->stream;
    inject_write(t, &piece, 1);
    t->stream = stream;
}

/* ---- around launches ---- */

void launch_enter(const struct launch *l)
{
    CUstreamCaptureStatus capturing = CU_STREAM_CAPTURE_STATUS_NONE;
    struct timespec at;

    pending = NULL;
    holds = off = false;
    if (driver.stream_capturing(l->stream, &capturing) != CUDA_SUCCESS ||
        capturing != CU_STREAM_CAPTURE_STATUS_NONE)
        return; /* it goes into a graph: nothing is launched */
    if (!l->name || !l->name->persistent) {
        holds = pthread_rwlock_tryrdlock(&launching) == 0;
        if (!holds) {
            at = until(GROSR_INJECT_LOCK_TIMEOUT_NS);
            holds = pthread_rwlock_timedrdlock(&launching, &at) == 0;
        }
        if (!holds)
            dev_add_relaxed(&crowded, 1);
        expect_record(l);
        return;
    }
    at = until(GROSR_INJECT_LOCK_TIMEOUT_NS);
    holds = pthread_rwlock_timedwrlock(&launching, &at) == 0;
    if (!holds)
        dev_add_relaxed(&crowded, 1);
    pending = begin_persistent(l);
    off = true;
    cupti.disable(CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL);
}

void launch_exit(const struct launch *l, bool succeeded)
{
    struct persistent *p = pending;

    if (off)
        cupti.enable(CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL);
    if (holds)
        pthread_rwlock_unlock(&launching);
    holds = off = false;
    pending = NULL;
    if (!p) {
        if (!succeeded)
            forget(l->correlation);
        return;
    }
    if (!succeeded) {
        free_persistent(p);
        return;
    }
    if (p->after && driver.event_record(p->after, l->stream) != CUDA_SUCCESS) {
        driver.event_destroy(p->after);
        p->after = NULL;
    }
    p->started = !p->before || driver.event_query(p->before) == CUDA_SUCCESS;
    pthread_mutex_lock(&persistent_lock);
    p->number = ++persistent_count;
    pthread_mutex_unlock(&persistent_lock);
    write_persistent(l, p);
    pthread_mutex_lock(&persistent_lock);
    p->next = persistent;
    persistent = p;
    pthread_mutex_unlock(&persistent_lock);
}

/* ---- streams and contexts that have gone ---- */

#define GONE 256u

static struct {
    uint64_t at_ns;
    CUcontext context; /* gone, with all its streams; or NULL */
    CUstream stream;   /* gone; or NULL */
} gone[GONE];          /* the latest; under persistent_lock */
static uint32_t gone_count;

/* Of a launch. A handle may be given anew: what is launched later is asked after. */
static bool is_gone(const struct missing *m)
{
    for (uint32_t i = 0; i < GONE && i < gone_count; i++)
        if (gone[i].at_ns >= m->since_ns && ((gone[i].context && gone[i].context == m->context) ||
                                             (gone[i].stream && gone[i].stream == m->stream)))
            return true;
    return false;
}

static void look_after_persistent(uint64_t now_ns);

void kernels_forget(CUcontext context, CUstream stream)
{
    struct timespec at = until(GROSR_INJECT_LOCK_TIMEOUT_NS);

    if (context) /* the last chance to hear of what ran in it */
        look_after_persistent(grosr_host_clock_ns());
    /* Bounded: the driver may keep the housekeeping thread, which holds the lock, waiting for this call's
     * end. */
    if (pthread_mutex_timedlock(&persistent_lock, &at))
        return;
    gone[gone_count % GONE].at_ns = grosr_host_clock_ns();
    gone[gone_count % GONE].context = context;
    gone[gone_count % GONE].stream = stream;
    gone_count++;
    for (struct persistent **p = &persistent, *found; context && (found = *p);) {
        if (found->context == context) { /* its events go with it */
            *p = found->next;
            free(found);
        } else {
            p = &found->next;
        }
    }
    pthread_mutex_unlock(&persistent_lock);
}

/* ---- the housekeeping thread ---- */

/* Whether it has ended, and when. */
static bool has_ended(struct persistent *p, uint64_t now_ns, uint64_t *end_ns)
{
    CUcontext context;
    bool ended = false;
    float ms = 0;

    if (!p->after || driver.context_push(p->context) != CUDA_SUCCESS)
        return false;
    if (!p->started && driver.event_query(p->before) == CUDA_SUCCESS) {
        /* It waited for what was before it in its stream. */
        p->started = true;
        p->start_ns = now_ns;
    }
    if (driver.event_query(p->after) == CUDA_SUCCESS) {
        ended = true;
        *end_ns = now_ns;
        if (p->before && driver.event_elapsed(&ms, p->before, p->after) == CUDA_SUCCESS && ms >= 0 &&
            p->start_ns + (uint64_t)((double)ms * 1e6) < now_ns)
            *end_ns = p->start_ns + (uint64_t)((double)ms * 1e6);
    }
    driver.context_pop(&context);
    return ended;
}

static void look_after_persistent(uint64_t now_ns)
{
    struct persistent *ended = NULL;
    struct timespec at_most = until(GROSR_INJECT_LOCK_TIMEOUT_NS);

    if (pthread_mutex_timedlock(&persistent_lock, &at_most)) /* as in kernels_forget() */
        return;
    for (struct persistent **at = &persistent, *p; (p = *at);) {
        uint64_t end_ns = 0;
        if (!has_ended(p, now_ns, &end_ns)) {
            at = &p->next;
            continue;
        }
        struct inject_thread *t = inject_enter();
        if (t) {
            end_persistent(t, p, end_ns);
            inject_leave(t);
        }
        *at = p->next;
        p->next = ended;
        ended = p;
    }
    pthread_mutex_unlock(&persistent_lock);
    while (ended) {
        struct persistent *p = ended;
        ended = p->next;
        CUcontext context;
        if (driver.context_push(p->context) == CUDA_SUCCESS) {
            free_persistent(p);
            driver.context_pop(&context);
        }
    }
}

/* ---- captures ---- */

/*
 * To ask a stream that captures invalidates the capture, whatever the asking thread's mode, and a capture
 * spreads to other streams by events. So no stream is asked while any capture is under way: `captures` is
 * raised before one begins, under the lock under which streams are asked.
 */
static uint32_t captures;

void kernels_capture_begins(void)
{
    struct timespec at_most = until(GROSR_INJECT_LOCK_TIMEOUT_NS);

    if (pthread_mutex_timedlock(&persistent_lock, &at_most)) /* as in kernels_forget() */
        return;
    captures++;
    pthread_mutex_unlock(&persistent_lock);
}

void kernels_capture_ended(void)
{
    struct timespec at_most = until(GROSR_INJECT_LOCK_TIMEOUT_NS);

    if (pthread_mutex_timedlock(&persistent_lock, &at_most))
        return;
    captures -= captures > 0;
    pthread_mutex_unlock(&persistent_lock);
}

/* The oldest launch without a record, of those after `after_ns`; since_ns 0: there is none. */
static struct missing find_oldest(uint64_t after_ns)
{
    struct missing oldest = {.since_ns = 0};

    for (uint32_t i = 0; i < MISSING; i++) {
        const struct missing *m = &missing[i];
        uint64_t what = dev_load_acquire(&m->what), since_ns = m->since_ns; /* pairs with expect_record() */
        if (!what || since_ns <= after_ns || (oldest.since_ns && since_ns >= oldest.since_ns))
            continue;
        struct missing found = {
            .since_ns = since_ns, .name = m->name, .context = m->context, .stream = m->stream};
        dev_store_relaxed(&found.what, what);
        if (dev_load_acquire(&m->what) ==
            what) /* pairs with expect_record(): it has been that launch all the time */
            oldest = found;
    }
    return oldest;
}

/*
 * The launch that keeps the others' records: the oldest whose stream has not come to its end. The streams of
 * those before it have, and so have they. Streams that go are forgotten first (kernels_forget), under the
 * lock. None (since_ns 0) while streams may not be asked: nobody is named on a guess.
 */
static struct missing find_running(void)
{
    struct missing oldest = find_oldest(0), m = oldest;
    struct timespec at_most = until(GROSR_INJECT_LOCK_TIMEOUT_NS);
    CUcontext context;

    if (pthread_mutex_timedlock(&persistent_lock, &at_most)) /* as in kernels_forget() */
        return oldest;
    if (captures) {
        pthread_mutex_unlock(&persistent_lock);
        return (struct missing){.since_ns = 0};
    }
    for (uint32_t tries = 0; m.since_ns && tries < 64; tries++) {
        bool runs = false;
        if (m.context && !is_gone(&m) && driver.context_push(m.context) == CUDA_SUCCESS) {
            runs = driver.stream_query(m.stream) == CUDA_ERROR_NOT_READY;
            driver.context_pop(&context);
        }
        if (runs)
            break;
        m = find_oldest(m.since_ns);
    }
    pthread_mutex_unlock(&persistent_lock);
    return m.since_ns ? m : oldest;
}

static void look_after_records(uint64_t now_ns)
{
    static uint64_t looked_ns; /* all launches are looked at, so not at every tick */
    uint64_t latest = dev_load_relaxed(&record_ns);

    if (now_ns - looked_ns < LOOK_NS || !launches_missing() || (latest && now_ns - latest < WITHHELD_NS))
        return;
    looked_ns = now_ns;
    struct missing m = find_oldest(0);
    if (!m.since_ns || now_ns < m.since_ns + WITHHELD_NS)
        return;
    m = find_running();
    uint64_t what = dev_load_relaxed(&m.what);
    if (!m.since_ns || what == dev_load_relaxed(&noted))
        return;
    dev_store_relaxed(&noted, what);
    struct inject_thread *t = inject_enter();
    if (!t)
        return;
    inject_note(
        t, "cupti",
        "no record of a kernel has come for %.1f s; most probably %s, launched %.1f s ago, runs still, and "
        "CUPTI withholds all until it ends. With --persistent '%s' the others come at once",
        (double)(now_ns - (latest ? latest : m.since_ns)) / 1e9,
        m.name ? inject_string_text(m.name->brief) : "a kernel", (double)(now_ns - m.since_ns) / 1e9,
        m.name ? inject_string_text(m.name->brief) : "NAME");
    inject_leave(t);
}

void kernels_tick(uint64_t now_ns)
{
    look_after_persistent(now_ns);
    look_after_records(now_ns);
}

void kernels_end(void)
{
    uint32_t n = launches_missing(), without = dev_load_relaxed(&crowded);
    struct missing m;

    look_after_persistent(grosr_host_clock_ns());
    struct inject_thread *t = inject_enter();
    if (!t)
        return;
    if (n) {
        m = find_oldest(0);
        inject_note(t, "cupti",
                    "of %u launched kernels there is no record: they had not ended, %s among them", n,
                    m.name ? inject_string_text(m.name->brief) : "one without a name");
    }
    if (without)
        inject_note(t, "cupti", "%u launches could not wait for others: records of kernels may be missing",
                    without);
    inject_leave(t);
}
