/*
 * Bounded waits of instrumented kernels: that they end when what they wait for is there, what the session
 * tells of those that last, and how they end otherwise.
 */
#include "../tap.h"

#include "../../tracer/instrument/grosr_trace.h"
#include "../../tracer/session/ring.h"
#include "../../tracer/session/wait_facts.h"
#include "../../tracer/session/worker_state.h"

#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WARPS   4u
#define MS      UINT64_C(1000000)
#define FOREVER (UINT64_MAX >> 2)

enum { WORD, LOCK, PHASE, STEP };
static const char *const names[] = {"word", "lock", "phase", "step"};

static struct grosr_tracing *tracing;
static struct grosr_trace_handle handle;
static struct dev_host_grid *grid;
static dev32 result[WARPS]; /* of the warps' calls, + 1 */

static struct {
    struct grosr_pair event[64];
    uint32_t count;
} seen[WARPS]; /* of each ring, as far as it has been read */

static uint32_t word32;
static uint64_t word64, mbarrier;
static struct grosr_lock lock;
static struct grosr_barrier barrier;

static void pause_ms(uint64_t ms)
{
    struct timespec t = {(time_t)(ms / 1000), (long)(ms % 1000 * MS)};
    nanosleep(&t, NULL);
}

static void open_tracing(enum grosr_level level, uint64_t report_ns)
{
    struct grosr_trace_options o = GROSR_TRACE_OPTIONS_DEFAULT;

    o.name = "waits";
    o.warps = WARPS;
    o.ring_events = 64;
    o.level = level;
    o.names = names;
    o.name_count = 4;
    o.wait_report_ns = report_ns;
    if (grosr_trace_open(&tracing, &o)) {
        printf("Bail out! %s\n", grosr_error());
        exit(1);
    }
    handle = grosr_trace_handle(tracing);
    memset(result, 0, sizeof(result));
    memset(seen, 0, sizeof(seen));
    memset(&barrier, 0, sizeof(barrier));
    dev_store_relaxed(&lock.word, UINT64_C(0));
    grosr_store32(&word32, 3);
    grosr_store64(&word64, 3);
    grosr_store64(&mbarrier, 0);
}

static void start(uint32_t warps, dev_warp_entry entry)
{
    if (dev_host_launch(&grid, warps, 1, entry, NULL)) {
        printf("Bail out! no threads\n");
        exit(1);
    }
}

static void join_and_close(void)
{
    dev_host_join(grid);
    is(grosr_trace_close(tracing), 0, "closed");
}

/* Until the worker's wait is reported, or for ten seconds. */
static bool await_facts(uint32_t worker, struct grosr_wait_facts *facts)
{
    for (int i = 0; i < 10000; i++, pause_ms(1))
        if (grosr_wait_facts_read(grosr_trace_session(tracing), worker, facts))
            return true;
    return false;
}

/* The ring's events of that kind, and the time of the latest. */
static uint32_t events(uint32_t ring, uint32_t kind, uint64_t payload, uint64_t *time)
{
    struct grosr_ring_reader reader;
    uint64_t first;
    uint32_t found = 0, n;

    grosr_ring_reader_open(&reader, grosr_trace_session(tracing), ring);
    while ((n = grosr_ring_read(&reader, seen[ring].event + seen[ring].count, 64 - seen[ring].count, &first)))
        seen[ring].count += n;
    for (uint32_t i = 0; i < seen[ring].count; i++)
        if (grosr_event_kind(seen[ring].event[i]) == kind &&
            grosr_event_payload(seen[ring].event[i]) == payload) {
            *time = grosr_event_time(seen[ring].event[i]);
            found++;
        }
    return found;
}

/* ---- words ---- */

static uint32_t which_word; /* what the warp waits for: 0 .. 7 */

static void wait_for_word(void *arg, uint32_t warp)
{
    int r = -1;

    (void)arg;
    GROSR_TRACE_WARP(t, handle, warp);
    switch (which_word) {
    case 0:
        r = grosr_wait_word32(&t, GROSR_BY_WARP, WORD, 7, &word32, GROSR_EQUAL, 4);
        break;
    case 1:
        r = grosr_wait_word32(&t, GROSR_BY_WARP, WORD, 7, &word32, GROSR_NOT_EQUAL, 3);
        break;
    case 2:
        r = grosr_wait_word32(&t, GROSR_BY_WARP, WORD, 7, &word32, GROSR_AT_LEAST, 4);
        break;
    case 3:
        r = grosr_wait_word64(&t, GROSR_BY_WARP, WORD, 7, &word64, GROSR_EQUAL, 4);
        break;
    case 4:
        r = grosr_wait_word64(&t, GROSR_BY_WARP, WORD, 7, &word64, GROSR_AT_LEAST, UINT64_C(1) << 40);
        break;
    case 5:
        r = grosr_wait_system32(&t, GROSR_BY_WARP, WORD, 7, &word32, GROSR_EQUAL, 4);
        break;
    case 6:
        r = grosr_wait_system64(&t, GROSR_BY_WARP, WORD, 7, &word64, GROSR_NOT_EQUAL, 3);
        break;
    }
    grosr_trace_end(&t);
    dev_store_release(&result[warp], (uint32_t)(r + 1)); /* pairs with dev_host_join() */
}

/* Compares 32-bit words, and those of the CPU, with what the facts have to say of them. */
static const struct {
    uint32_t until, bits;
    bool system;
    uint64_t wanted, then;
} of_words[] = {
    {GROSR_EQUAL, 32, false, 4, 4},
    {GROSR_NOT_EQUAL, 32, false, 3, 9},
    {GROSR_AT_LEAST, 32, false, 4, 4000000000},
    {GROSR_EQUAL, 64, false, 4, 4},
    {GROSR_AT_LEAST, 64, false, UINT64_C(1) << 40, (UINT64_C(1) << 40) + 1},
    {GROSR_EQUAL, 32, true, 4, 4},
    {GROSR_NOT_EQUAL, 64, true, 3, 0},
};

static void words(void)
{
    for (which_word = 0; which_word < sizeof(of_words) / sizeof(*of_words); which_word++) {
        bool wide = of_words[which_word].bits == 64;
        struct grosr_wait_facts f = {.bits = 0};
        struct grosr_worker_state state;
        uint64_t begin = 0, end = 0;

        open_tracing(GROSR_LEVEL_SPANS, 5 * MS);
        start(1, wait_for_word);
        ok(await_facts(0, &f), "a wait for a word of %u bits is reported", of_words[which_word].bits);
        ok(f.kind == GROSR_WAIT_WORD && f.name == WORD && f.index == 7 && f.seen == 3 &&
               f.until == of_words[which_word].until && f.bits == of_words[which_word].bits &&
               f.wanted == of_words[which_word].wanted && f.system == of_words[which_word].system,
           "with what it sees and wants");
        ok(f.address == (wide ? (uint64_t)(uintptr_t)&word64 : (uint64_t)(uintptr_t)&word32), "and where");
        ok(f.holder == GROSR_WAIT_NOBODY && f.updated >= f.since + 5 * MS, "after it has lasted");
        ok(grosr_worker_read(grosr_trace_session(tracing), 0, &state, NULL) &&
               state.since == (f.since & GROSR_TIME_MASK),
           "the state word has its beginning");
        is(dev_load_relaxed(&result[0]), 0, "it waits still");
        if (wide)
            grosr_store64(&word64, of_words[which_word].then);
        else
            grosr_store32(&word32, (uint32_t)of_words[which_word].then);
        dev_host_join(grid);
        is(dev_load_relaxed(&result[0]), 1 + GROSR_WAIT_DONE, "and is over when the word suits");
        ok(!grosr_wait_facts_read(grosr_trace_session(tracing), 0, &f), "there are no facts of it then");
        is(events(0, GROSR_EV_WAIT_BEGIN, grosr_payload_resource(WORD, 7), &begin), 1,
           "one wait in the ring");
        is(events(0, GROSR_EV_WAIT_END, grosr_payload_resource(WORD, 7), &end), 1, "with its end");
        ok(begin == (f.since & GROSR_TIME_MASK) && end >= begin + 5 * MS, "which lasted as long as it did");
        is(grosr_trace_close(tracing), 0, "closed");
    }
}

/* Waits that do not last. */
static void short_waits(void)
{
    uint64_t time;

    open_tracing(GROSR_LEVEL_FULL, FOREVER);
    GROSR_TRACE_WARP(here, handle, 1);
    is(grosr_wait_word32(&here, GROSR_BY_WARP, WORD, 7, &word32, GROSR_EQUAL, 3), 0, "it is there already");
    is(grosr_wait_word32(&here, GROSR_BY_THREAD, WORD, 7, &word32, GROSR_AT_LEAST, 2), 0, "or more");
    grosr_trace_end(&here);
    is(events(1, GROSR_EV_WAIT_BEGIN, grosr_payload_resource(WORD, 7), &time), 0, "no wait is recorded");
    which_word = 0;
    start(1, wait_for_word);
    pause_ms(30);
    struct grosr_wait_facts f;
    ok(!grosr_wait_facts_read(grosr_trace_session(tracing), 0, &f),
       "nor one that lasts, before it is reported");
    grosr_store32(&word32, 4);
    dev_host_join(grid);
    is(events(0, GROSR_EV_WAIT_BEGIN, grosr_payload_resource(WORD, 7), &time), 0, "and does so no longer");
    is(grosr_trace_close(tracing), 0, "closed");
}

/* ---- levels and settings that change while it waits ---- */

static void switches(void)
{
    struct grosr_wait_facts f, first;
    struct grosr_worker_state state = {.since = 0};
    const struct grosr_session *session;
    uint64_t time;

    open_tracing(GROSR_LEVEL_OFF, FOREVER);
    session = grosr_trace_session(tracing);
    which_word = 0;
    start(1, wait_for_word);
    pause_ms(30);
    is(grosr_trace_set_wait_report(tracing, 2 * MS), 0, "the host wants it to be reported");
    pause_ms(30);
    ok(!grosr_wait_facts_read(session, 0, &f), "but at level off it is not");
    grosr_trace_set_level(tracing, GROSR_LEVEL_COUNTERS);
    ok(await_facts(0, &first), "from level counters on it is");
    ok(grosr_worker_read(session, 0, &state, NULL) && state.since > (first.since & GROSR_TIME_MASK) + 20 * MS,
       "the state word has the time of the level");
    is(events(0, GROSR_EV_WAIT_BEGIN, grosr_payload_resource(WORD, 7), &time), 0, "and the ring nothing");
    grosr_trace_set_level(tracing, GROSR_LEVEL_SPANS);
    for (int i = 0; i < 10000 && !events(0, GROSR_EV_WAIT_BEGIN, grosr_payload_resource(WORD, 7), &time); i++)
        pause_ms(1);
    ok(await_facts(0, &f), "at another level the facts are there again");
    ok(f.since == first.since && f.seen == 3 && f.wanted == 4, "of the same wait");
    grosr_store32(&word32, 2);
    for (int i = 0; i < 10000 && f.seen == 3; i++, pause_ms(1))
        grosr_wait_facts_read(session, 0, &f);
    is(f.seen, 2, "what it sees is brought up to date");
    ok(f.since == first.since && f.updated > first.updated, "in the same wait");
    for (int i = 0; i < 10000 && f.updated < first.updated + 200 * MS; i++, pause_ms(1))
        grosr_wait_facts_read(session, 0, &f);
    ok(f.seen == 2 && f.updated >= first.updated + 200 * MS, "and again when it has not changed");
    grosr_store32(&word32, 4);
    dev_host_join(grid);
    is(events(0, GROSR_EV_WAIT_END, grosr_payload_resource(WORD, 7), &time), 1, "its end is recorded");
    is(grosr_trace_close(tracing), 0, "closed");
}

static uint64_t own_timeout_ns; /* 0: the host's */
static enum grosr_wait_action own_action;

static void wait_with_own(void *arg, uint32_t warp)
{
    (void)arg;
    GROSR_TRACE_THREAD(t, handle, warp);
    if (own_timeout_ns)
        grosr_wait_set_timeout(&t, own_timeout_ns, own_action);
    int r = grosr_wait_word32(&t, GROSR_BY_THREAD, WORD, 7, &word32, GROSR_EQUAL, 4);
    grosr_trace_end(&t);
    dev_store_release(&result[warp], (uint32_t)(r + 1)); /* pairs with dev_host_join() */
}

static uint32_t await_result(void)
{
    for (int i = 0; i < 10000 && !dev_load_acquire(&result[0]); i++) /* pairs with wait_with_own() */
        pause_ms(1);
    return dev_load_relaxed(&result[0]);
}

static void timeouts(void)
{
    uint64_t time;

    open_tracing(GROSR_LEVEL_SPANS, FOREVER);
    own_timeout_ns = 0;
    start(1, wait_with_own);
    is(grosr_trace_set_wait_timeout(tracing, 5 * MS, GROSR_WAIT_CONTINUE), 0,
       "a timeout that does not count");
    pause_ms(40);
    is(dev_load_relaxed(&result[0]), 0, "it waits on");
    is(grosr_trace_set_wait_timeout(tracing, 5 * MS, GROSR_WAIT_FAIL), 0, "one that does");
    is(await_result(), 1 + GROSR_WAIT_TIMED_OUT, "the wait times out");
    is(events(0, GROSR_EV_WAIT_BEGIN, grosr_payload_resource(WORD, 7), &time), 1,
       "it has been reported then");
    is(events(0, GROSR_EV_WAIT_END, grosr_payload_resource(WORD, 7), &time), 1, "and has ended");
    join_and_close();

    open_tracing(GROSR_LEVEL_OFF, FOREVER);
    own_timeout_ns = 3 * MS;
    own_action = GROSR_WAIT_FAIL;
    start(1, wait_with_own);
    is(await_result(), 1 + GROSR_WAIT_TIMED_OUT, "a recorder's own timeout, at level off");
    join_and_close();

    open_tracing(GROSR_LEVEL_SPANS, FOREVER);
    own_action = GROSR_WAIT_CONTINUE;
    is(grosr_trace_set_wait_timeout(tracing, 0, GROSR_WAIT_FAIL), 0, "the host's is 0");
    start(1, wait_with_own);
    pause_ms(40);
    is(dev_load_relaxed(&result[0]), 0, "but the recorder's own counts");
    is(grosr_trace_stop_waits(tracing, true), 0, "the host stops waits");
    is(await_result(), 1 + GROSR_WAIT_STOPPED, "all of them");
    dev_host_join(grid);
    dev_store_relaxed(&result[0], 0u);
    is(grosr_trace_stop_waits(tracing, false), 0, "no more");
    pause_ms(1);
    start(1, wait_with_own);
    pause_ms(40);
    is(dev_load_relaxed(&result[0]), 0, "so a later one waits");
    grosr_store32(&word32, 4);
    is(await_result(), 1 + GROSR_WAIT_DONE, "until it is over");
    join_and_close();
}

/* Without a ring, or without a session, the wait itself is the same. */
static void unrecorded(void)
{
    struct grosr_trace_handle nothing = grosr_trace_handle(NULL);
    uint64_t time;

    open_tracing(GROSR_LEVEL_SPANS, 0);
    GROSR_TRACE_THREAD(first, handle, 0);
    GROSR_TRACE_THREAD(none, nothing, 0);
    is(grosr_wait_word32(&none, GROSR_BY_THREAD, WORD, 7, &word32, GROSR_EQUAL, 3), 0, "no session");
    is(grosr_lock_acquire(&none, GROSR_BY_THREAD, LOCK, 0, &lock), 0, "a lock");
    is(dev_load_relaxed(&lock.word) >> GROSR_LOCK_HOLDER_SHIFT, GROSR_LOCK_UNKNOWN, "held by nobody known");
    ok((dev_load_relaxed(&lock.word) & GROSR_TIME_MASK) > 0, "since a known time");
    own_timeout_ns = 2 * MS;
    own_action = GROSR_WAIT_FAIL;
    start(1, wait_with_own); /* it does not get ring 0 */
    is(await_result(), 1 + GROSR_WAIT_TIMED_OUT, "a recorder without a ring times out");
    dev_host_join(grid);
    is(events(0, GROSR_EV_WAIT_BEGIN, grosr_payload_resource(WORD, 7), &time), 0, "and is not recorded");
    grosr_lock_release(&none, GROSR_BY_THREAD, LOCK, 0, &lock);
    is(dev_load_relaxed(&lock.word), 0, "the lock is free");
    grosr_trace_end(&none);
    grosr_trace_end(&first);
    is(grosr_trace_close(tracing), -EUSERS, "one recorder found no ring");
}

/* A bounded wait inside another wait: whichever is reported later counts. */
static void nested(void)
{
    uint64_t outer = 0, inner = 0;

    open_tracing(GROSR_LEVEL_SPANS, 0);
    GROSR_TRACE_THREAD(t, handle, 0);
    grosr_wait_begin(&t, STEP, 1);
    grosr_wait_set_timeout(&t, 2 * MS, GROSR_WAIT_FAIL);
    is(grosr_wait_word32(&t, GROSR_BY_THREAD, WORD, 7, &word32, GROSR_EQUAL, 4), GROSR_WAIT_TIMED_OUT,
       "a bounded wait inside a wait");
    grosr_wait_end(&t);
    grosr_trace_end(&t);
    is(events(0, GROSR_EV_WAIT_END, grosr_payload_resource(STEP, 1), &outer), 1, "ends that one");
    is(events(0, GROSR_EV_WAIT_BEGIN, grosr_payload_resource(WORD, 7), &inner), 1, "and begins");
    ok(inner >= outer, "after it");
    is(events(0, GROSR_EV_WAIT_END, grosr_payload_resource(WORD, 7), &inner), 1, "and ends");
    is(grosr_trace_close(tracing), 0, "closed");
}

/* ---- locks ---- */

static dev32 let_go;

/* Worker 0 has the lock until it is let go; worker 1 wants it. */
static void wait_for_lock(void *arg, uint32_t warp)
{
    uint32_t step = 0;

    (void)arg;
    GROSR_TRACE_WARP(t, handle, warp);
    while (warp == 1 && !dev_load_relaxed(&lock.word))
        dev_backoff(&step);
    int r = grosr_lock_acquire(&t, GROSR_BY_WARP, LOCK, 5, &lock);
    while (warp == 0 && !dev_load_relaxed(&let_go))
        dev_backoff(&step);
    grosr_lock_release(&t, GROSR_BY_WARP, LOCK, 5, &lock);
    grosr_trace_end(&t);
    dev_store_release(&result[warp], (uint32_t)(r + 1)); /* pairs with dev_host_join() */
}

static void locks(void)
{
    struct grosr_wait_facts f = {.bits = 0};
    uint64_t held = 0, released = 0, begin, waited = 0;

    open_tracing(GROSR_LEVEL_SPANS, 2 * MS);
    start(2, wait_for_lock);
    ok(await_facts(1, &f), "a wait for a lock");
    ok(f.kind == GROSR_WAIT_LOCK && f.held && f.holder == 0 && f.address == (uint64_t)(uintptr_t)&lock,
       "which worker 0 holds");
    is(f.holder_since, dev_load_relaxed(&lock.word) & GROSR_TIME_MASK, "since when");
    ok(f.holder_since <= (f.since & GROSR_TIME_MASK), "before it was waited for");
    ok(!grosr_wait_facts_read(grosr_trace_session(tracing), 0, &f), "the holder waits for nothing");
    dev_store_relaxed(&let_go, 1u);
    dev_host_join(grid);
    ok(dev_load_relaxed(&result[0]) == 1 && dev_load_relaxed(&result[1]) == 1, "both have had it");
    is(dev_load_relaxed(&lock.word), 0, "and it is free");
    is(events(0, GROSR_EV_HOLD, grosr_payload_resource(LOCK, 5), &begin), 1, "a hold in the trace");
    is(events(0, GROSR_EV_RELEASE, grosr_payload_resource(LOCK, 5), &released), 1, "with its end");
    is(events(1, GROSR_EV_HOLD, grosr_payload_resource(LOCK, 5), &held), 1, "then the other's");
    is(events(1, GROSR_EV_WAIT_END, grosr_payload_resource(LOCK, 5), &waited), 1, "after its wait");
    ok(released <= held && waited <= held, "one after the other");
    is(grosr_trace_close(tracing), 0, "closed");
}

/* ---- barriers ---- */

#define PHASES 3u

static dev32 absent; /* the worker that does not come to the last phase, + 1 */
static dev32 passed[WARPS];

static void phases(void *arg, uint32_t warp)
{
    uint32_t step = 0;

    (void)arg;
    GROSR_TRACE_WARP(t, handle, warp);
    for (uint32_t i = 0; i < PHASES; i++) {
        while (i + 1 == PHASES && dev_load_relaxed(&absent) == warp + 1)
            dev_backoff(&step);
        grosr_barrier_wait(&t, GROSR_BY_WARP, PHASE, i, &barrier, WARPS - 1);
        dev_add_relaxed(&passed[warp], 1u);
    }
    grosr_trace_end(&t);
}

/* Worker 3 has a recorder, and no part in the barrier. */
static void barriers(void)
{
    struct grosr_wait_facts f = {.bits = 0};
    uint32_t missing[WARPS];
    char text[128];

    open_tracing(GROSR_LEVEL_COUNTERS, 2 * MS);
    const struct grosr_session *session = grosr_trace_session(tracing);
    GROSR_TRACE_WARP(t, handle, WARPS - 1);
    memset(passed, 0, sizeof(passed));
    dev_store_relaxed(&absent, 1u + 1);
    start(WARPS - 1, phases);
    ok(await_facts(2, &f), "a wait at a barrier");
    for (int i = 0; i < 10000 && f.seen < 2; i++, pause_ms(1))
        grosr_wait_facts_read(session, 2, &f);
    ok(f.kind == GROSR_WAIT_BARRIER && f.index == PHASES - 1 && f.wanted == WARPS - 1 && f.seen == 2,
       "two of three have arrived");
    is(f.holder, 1, "worker 1 has not, which did before");
    grosr_wait_facts_describe(&f, text, sizeof(text));
    ok(strstr(text, "2 of 3 have arrived at the barrier at 0x") && strstr(text, ", worker 1 has not"), "%s",
       text);
    is(f.address, (uint64_t)(uintptr_t)&barrier, "where the barrier is");
    ok(await_facts(0, &f) && f.holder == 1, "as the other sees it");
    is(grosr_wait_facts_missing(session, &f, missing, WARPS), 2, "two do not wait at it");
    ok(missing[0] == 1 && missing[1] == 3, "of whom one has no part in it");
    dev_store_relaxed(&absent, 0u);
    dev_host_join(grid);
    ok(dev_load_relaxed(&passed[0]) == PHASES && dev_load_relaxed(&passed[1]) == PHASES &&
           dev_load_relaxed(&passed[2]) == PHASES,
       "all have passed all phases");
    grosr_trace_end(&t);
    is(grosr_trace_close(tracing), 0, "closed");
}

/* All of the session are expected, in the first phase. */
static void first_phase(void *arg, uint32_t warp)
{
    (void)arg;
    GROSR_TRACE_THREAD(t, handle, warp);
    int r = grosr_barrier_wait(&t, GROSR_BY_THREAD, PHASE, 0, &barrier, WARPS);
    grosr_trace_end(&t);
    dev_store_release(&result[warp], (uint32_t)(r + 1)); /* pairs with dev_host_join() */
}

static void incomplete(void)
{
    struct grosr_wait_facts f = {.bits = 0};

    open_tracing(GROSR_LEVEL_COUNTERS, 2 * MS);
    start(WARPS - 1, first_phase);
    ok(await_facts(0, &f), "a barrier for four");
    for (int i = 0; i < 10000 && f.seen < WARPS - 1; i++, pause_ms(1))
        grosr_wait_facts_read(grosr_trace_session(tracing), 0, &f);
    ok(f.seen == 3 && f.wanted == 4, "at which there are three");
    is(f.holder, 3, "the fourth has not even begun");
    grosr_trace_stop_waits(tracing, true);
    dev_host_join(grid);
    ok(dev_load_relaxed(&result[0]) == 1 + GROSR_WAIT_STOPPED &&
           dev_load_relaxed(&result[1]) == 1 + GROSR_WAIT_STOPPED &&
           dev_load_relaxed(&result[2]) == 1 + GROSR_WAIT_STOPPED,
       "the others give up when they are told to");
    is(grosr_trace_close(tracing), 0, "closed");
}

static void wait_for_phase(void *arg, uint32_t warp)
{
    (void)arg;
    GROSR_TRACE_WARP(t, handle, warp);
    int r = grosr_wait_mbarrier(&t, GROSR_BY_WARP, PHASE, 2, &mbarrier, 1);
    if (r == 0)
        r = grosr_wait_mbarrier(&t, GROSR_BY_WARP, PHASE, 2, &mbarrier, 0);
    grosr_trace_end(&t);
    dev_store_release(&result[warp], (uint32_t)(r + 1)); /* pairs with dev_host_join() */
}

static void mbarriers(void)
{
    struct grosr_wait_facts f = {.bits = 0};

    open_tracing(GROSR_LEVEL_SPANS, 2 * MS);
    start(1, wait_for_phase);
    ok(await_facts(0, &f), "a wait for an mbarrier, of which the phase before the first counts as completed");
    ok(f.kind == GROSR_WAIT_MBARRIER && f.wanted == 0 && f.index == 2, "for its first phase");
    grosr_store64(&mbarrier, 1);
    dev_host_join(grid);
    is(dev_load_relaxed(&result[0]), 1 + GROSR_WAIT_DONE, "which is over when it has been completed");
    is(grosr_trace_close(tracing), 0, "closed");
}

/* ---- what a trap leaves ---- */

static void trap_in_child(void)
{
    open_tracing(GROSR_LEVEL_SPANS, FOREVER);
    grosr_trace_set_wait_timeout(tracing, 5 * MS, GROSR_WAIT_TRAP);
    which_word = 0;
    start(1, wait_for_word);
    dev_host_join(grid);
    _exit(0);
}

static void traps(void)
{
    struct grosr_wait_facts f = {.bits = 0};
    struct grosr_session *s = NULL;
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        alarm(60);
        trap_in_child();
    }
    ok(waitpid(pid, &status, 0) == pid && WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT,
       "a wait that lasts too long traps");
    is(grosr_session_open(&s, (uint32_t)pid, 0), 0, "its segment is left");
    if (!s)
        return;
    ok(grosr_wait_facts_read(s, 0, &f), "and says that it waited");
    ok(f.kind == GROSR_WAIT_WORD && f.index == 7 && f.seen == 3 && f.wanted == 4, "for what");
    grosr_session_unlink(s);
    grosr_session_close(s);
}

int main(void)
{
    words();
    short_waits();
    switches();
    timeouts();
    unrecorded();
    nested();
    locks();
    barriers();
    incomplete();
    mbarriers();
    traps();
    return tap_done();
}
