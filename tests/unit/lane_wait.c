/* What lanes record while a batch of tasks runs: in the ring at once, in the state word while a wait lasts,
 * and nothing of short ones. */
#include "../fixture.h"

#include "../../tracer/session/lane_wait.h"
#include "../../tracer/session/ring.h"
#include "../../tracer/session/worker_state.h"

#define LOCK 7u

static struct grosr_session *session;
static struct grosr_recorder recorder;
static struct grosr_emit_ring emit_ring;
static struct grosr_lane_site site;

static void open_worker(uint32_t ring_events, enum grosr_overflow overflow, uint32_t level)
{
    session = fixture_session(1, ring_events, overflow);
    struct grosr_trace trace = grosr_session_trace(session, session->base);
    memset(&recorder, 0, sizeof(recorder));
    grosr_emit_open(&recorder.emit, &emit_ring, &trace, 0);
    recorder.entry = &trace.workers[0];
    recorder.emit.level = level;
    grosr_lane_open(&site, &recorder);
}

static void begin_task(uint64_t time_ns)
{
    grosr_record_state(&recorder, GROSR_EV_TASK_BEGIN, grosr_payload_task(1, 42), time_ns);
    grosr_lane_begin(&site, &recorder);
}

static void end_task(void)
{
    if (grosr_lane_used(&site))
        recorder = grosr_lane_settle(&site, recorder, dev_clock_ns());
}

static struct grosr_worker_state state(void)
{
    struct grosr_worker_state s;

    memset(&s, 0, sizeof(s));
    ok(grosr_worker_read(session, 0, &s, NULL), "the state word is whole");
    return s;
}

/* Events of that kind in the ring. */
static uint32_t count(uint32_t kind)
{
    static struct grosr_pair e[256];
    uint64_t end;
    uint32_t n = grosr_ring_latest(session, 0, 0, e, 256, &end), found = 0;

    for (uint32_t i = 0; i < n; i++)
        found += grosr_event_kind(e[i]) == kind;
    return found;
}

static void a_wait(void)
{
    struct grosr_lane_wait w;
    uint64_t resource = grosr_payload_of_kind(GROSR_RES_LOCK, LOCK, 3);

    open_worker(64, GROSR_OVERFLOW_OVERWRITE, GROSR_LEVEL_SPANS);
    dev_clock_set_virtual(1000000, 1000);
    begin_task(dev_clock_ns());
    grosr_lane_wait_init(&w, &site, resource);
    ok(!grosr_lane_wait_lasts(&w, false) && !grosr_lane_wait_lasts(&w, true), "a wait that has just begun");
    uint64_t since = w.since_ns;
    is(state().activity, GROSR_IN_TASK, "does not show");
    dev_clock_set_virtual(since + GROSR_LANE_WAIT_NS, 1000);
    ok(grosr_lane_wait_lasts(&w, true), "it is noted when it has lasted");
    struct grosr_worker_state s = state();
    is(s.activity, GROSR_WAITING, "and shows");
    ok(s.resource == GROSR_RES_LOCK && s.index == ((uint64_t)LOCK << 32 | 3), "with what it is for");
    is(s.since, since, "and since when");
    is(count(GROSR_EV_WAIT_BEGIN), 1, "it is in the ring while it lasts");
    ok(!grosr_lane_wait_lasts(&w, true), "and noted once");
    grosr_lane_wait_end(&w);
    s = state();
    ok(s.activity == GROSR_IN_TASK && s.task == 42 && s.since == 1000000,
       "then the task shows again, as it was");
    is(count(GROSR_EV_WAIT_END), 1, "and the end is in the ring");
    end_task();
    grosr_record_state(&recorder, GROSR_EV_TASK_END, grosr_payload_task(0, 42), dev_clock_ns());
    is(count(GROSR_EV_TASK_END), 1, "the worker continues behind it");
    is(count(GROSR_EV_WAIT_BEGIN), 1, "and overwrites nothing");
    grosr_session_close(session);
}

static void two_waits(void)
{
    struct grosr_lane_wait a, b;

    open_worker(64, GROSR_OVERFLOW_OVERWRITE, GROSR_LEVEL_COUNTERS);
    dev_clock_set_virtual(1000000, 1000);
    begin_task(dev_clock_ns());
    grosr_lane_wait_init(&a, &site, grosr_payload_of_kind(GROSR_RES_LOCK, LOCK, 1));
    grosr_lane_wait_init(&b, &site, grosr_payload_of_kind(GROSR_RES_LOCK, LOCK, 2));
    grosr_lane_wait_lasts(&a, false);
    grosr_lane_wait_lasts(&b, false);
    dev_clock_set_virtual(2000000, 1000);
    ok(grosr_lane_wait_lasts(&a, true) && grosr_lane_wait_lasts(&b, true), "two lanes wait");
    is((uint32_t)state().index, 2, "the latest is shown");
    grosr_lane_wait_end(&a);
    is(state().activity, GROSR_IN_TASK, "when any has ended, none is");
    dev_clock_set_virtual(2000000 + 2 * GROSR_LANE_AGAIN_NS, 1000);
    grosr_lane_wait_lasts(&b, true);
    struct grosr_worker_state s = state();
    ok(s.activity == GROSR_WAITING && (uint32_t)s.index == 2, "until the one that still waits sees that");
    is(s.since, b.since_ns, "it has waited since it began");
    grosr_lane_wait_end(&b);
    is(count(GROSR_EV_WAIT_BEGIN), 0, "at level counters nothing is in the ring");
    grosr_session_close(session);
}

static void nothing_at_off(void)
{
    struct grosr_lane_wait w;

    open_worker(64, GROSR_OVERFLOW_OVERWRITE, GROSR_LEVEL_OFF);
    grosr_lane_wait_init(&w, &site, grosr_payload_of_kind(GROSR_RES_LOCK, LOCK, 0));
    dev_clock_set_virtual(1000000, GROSR_LANE_WAIT_NS);
    for (int i = 0; i < 10; i++)
        ok(!grosr_lane_wait_lasts(&w, true), "at level off a wait is not noted");
    is(w.since_ns, 0, "nor timed");
    grosr_lane_hold(&site, grosr_payload_of_kind(GROSR_RES_LOCK, LOCK, 0));
    is(state().activity, GROSR_NOT_STARTED, "the state word is untouched");
    grosr_lane_wait_init(&w, NULL, 0);
    ok(!grosr_lane_wait_lasts(&w, true), "nor is one that nobody records");
    grosr_session_close(session);
}

/* More events than the ring has room for, in one batch and in many. */
static void full_ring(enum grosr_overflow overflow, const char *name)
{
    struct grosr_ring_reader reader;
    struct grosr_ring_counts c;
    struct grosr_pair e[64];
    uint64_t first;

    open_worker(16, overflow, GROSR_LEVEL_SPANS);
    dev_clock_set_virtual(1000000, 1000);
    grosr_ring_reader_open(&reader, session, 0);
    for (uint32_t task = 0; task < 5; task++) {
        begin_task(dev_clock_ns());
        for (uint32_t i = 0; i < 10 * task; i++)
            grosr_lane_hold(&site, grosr_payload_of_kind(GROSR_RES_LOCK, LOCK, i));
        end_task();
    }
    grosr_emit_close(&recorder.emit);
    while (grosr_ring_read(&reader, e, 64, &first))
        continue;
    grosr_ring_count(session, 0, &c);
    is(c.written, 5 + 100, "%s: every event is counted", name);
    is(c.read + c.dropped + c.overwritten, c.written, "%s: the counters reconcile", name);
    ok(c.read >= 16, "%s: a ring's worth of them is read", name);
    grosr_session_close(session);
}

int main(void)
{
    a_wait();
    two_waits();
    nothing_at_off();
    full_ring(GROSR_OVERFLOW_OVERWRITE, "overwrite");
    full_ring(GROSR_OVERFLOW_DROP, "drop");
    dev_clock_set_virtual(0, 0);
    return tap_done();
}
