/* When a session has stalled, and when it only looks so. */
#include "../fixture.h"

#include "../../tracer/process/stall.h"

#include <string.h>

#define MS      UINT64_C(1000000)
#define TIMEOUT (100 * MS)

static struct grosr_session *session;
static struct grosr_stall stall;
static uint64_t now;
static uint32_t laps;

/* A worker says what it is at. */
static void state(uint32_t worker, uint32_t kind, uint64_t payload)
{
    struct grosr_pair s = grosr_event_pack((uint64_t)++laps << GROSR_LAP_SHIFT, kind, now, payload);
    sys_store_pair_relaxed(&grosr_session_worker(session, worker)->state, s.lo, s.hi);
}

static void seeks(uint32_t worker)
{
    state(worker, GROSR_EV_WAIT_BEGIN, grosr_payload_wait(GROSR_RES_QUEUE_NOT_EMPTY, 0));
}

static struct grosr_queue_entry *queue(void)
{
    return grosr_session_queue(session, 0);
}

static bool look_after(uint64_t ns)
{
    now += ns;
    return grosr_stall_look(&stall, session, now, TIMEOUT);
}

/* Whether it stalls when nothing more happens, not before its time, and to the look. */
static bool stalls(void)
{
    look_after(1 * MS);
    for (int i = 0; i < 9; i++)
        if (look_after(10 * MS))
            return false;
    return look_after(10 * MS);
}

/* Whether it does, while something happens between all looks. */
static bool stalls_with(void (*happens)(void))
{
    bool any = false;

    look_after(1 * MS);
    for (int i = 0; i < 30; i++) {
        happens();
        any |= look_after(10 * MS);
    }
    return any;
}

static const char *told(void)
{
    static char text[512];

    grosr_stall_describe(&stall, session, now, text, sizeof(text));
    printf("# %s\n", text);
    return text;
}

static void begin(void)
{
    session = fixture_session_named(3, 64, GROSR_OVERFLOW_AUTO, 4);
    memset(&stall, 0, sizeof(stall));
    now = 1000 * MS;
}

static void enqueued(uint64_t n)
{
    sys_store_relaxed(&queue()->enqueued, n);
}

static struct grosr_queue_port *port(void)
{
    return (struct grosr_queue_port *)(void *)(session->base + session->queue[0].ports_at);
}

/* ---- what happens ---- */

static void a_task_is_taken(void)
{
    sys_store_relaxed(&port()->taken, sys_load_relaxed(&port()->taken) + 1);
}

static void a_result_comes(void)
{
    sys_store_relaxed(&queue()->completed, sys_load_relaxed(&queue()->completed) + 1);
}

static void more_is_submitted(void)
{
    enqueued(sys_load_relaxed(&queue()->enqueued) + 1);
}

static void a_task_is_run(void)
{
    struct grosr_pair counts = sys_load_pair_relaxed(&grosr_session_worker(session, 1)->counts);
    sys_store_pair_relaxed(&grosr_session_worker(session, 1)->counts, counts.lo + 1, counts.hi);
}

static void a_worker_looks_for_tasks(void)
{
    const uint64_t resource = grosr_payload_wait(GROSR_RES_QUEUE_NOT_EMPTY, 0);
    const struct grosr_pair events[] = {grosr_event_pack(0, GROSR_EV_IDLE_END, now, 0),
                                        grosr_event_pack(0, GROSR_EV_WAIT_END, now, resource),
                                        grosr_event_pack(0, GROSR_EV_WAIT_BEGIN, now, resource),
                                        grosr_event_pack(0, GROSR_EV_IDLE_BEGIN, now, 0)};

    grosr_stall_see(&stall, events, 4);
    seeks(2);
}

static void a_range_ends(void)
{
    a_worker_looks_for_tasks();
    const struct grosr_pair e = grosr_event_pack(0, GROSR_EV_RANGE_END, now, grosr_payload_named(1, 0));
    grosr_stall_see(&stall, &e, 1);
    a_worker_looks_for_tasks();
}

static void a_lock_is_had(void)
{
    const struct grosr_pair e = grosr_event_pack(0, GROSR_EV_WAIT_END, now, grosr_payload_resource(1, 0));
    grosr_stall_see(&stall, &e, 1);
}

/* ---- tests ---- */

static void idle(void)
{
    begin();
    ok(!stalls(), "a session that has not begun has nothing to do");
    for (uint32_t i = 0; i < 3; i++)
        seeks(i);
    ok(!stalls(), "nor one whose workers all look for tasks");
    state(0, GROSR_EV_IDLE_BEGIN, 0);
    state(1, GROSR_EV_IDLE_END, 0);
    state(2, GROSR_EV_WORKER_STOP, 0);
    ok(!stalls(), "or sleep, or have stopped");
    enqueued(5);
    sys_store_relaxed(&port()->taken, 5u);
    sys_store_relaxed(&queue()->completed, 5u);
    ok(!stalls(), "or have done all");
    grosr_session_close(session);
}

static void queues(void)
{
    begin();
    for (uint32_t i = 0; i < 3; i++)
        seeks(i);
    enqueued(40);
    ok(stalls(), "tasks that nobody takes are a stall");
    ok(strstr(told(),
              "40 tasks wait in queues, 40 submitted ones are not completed; 3 workers wait for tasks") !=
           NULL,
       "which is told");
    is(now - stall.since_ns, 100 * MS, "since it had something to do");
    ok(look_after(500 * MS), "and goes on");
    ok(!stalls_with(a_task_is_taken), "not while some are taken");
    a_task_is_taken();
    look_after(7 * MS);
    ok(stalls(), "after the last of them");
    is(now - stall.since_ns, 101 * MS, "since then");
    is(stall.since_ns - stall.after_ns, 7 * MS, "or up to a look earlier");
    ok(stalls_with(more_is_submitted), "but while more are submitted");
    ok(stalls_with(a_worker_looks_for_tasks), "and while workers look for them");
    sys_store_relaxed(&port()->taken, sys_load_relaxed(&queue()->enqueued));
    ok(stalls(), "tasks that are taken and do not complete are one");
    ok(!stalls_with(a_result_comes), "not while results come");
    ok(!stalls_with(a_task_is_run), "or tasks are run, of whatever order");
    sys_store_relaxed(&grosr_session_live(session)->level, (uint32_t)GROSR_LEVEL_OFF);
    state(0, GROSR_EV_TASK_BEGIN, 1);
    ok(stalls(), "queues tell at level off");
    sys_store_relaxed(&queue()->completed, sys_load_relaxed(&queue()->enqueued));
    ok(!stalls(), "and workers do not");
    grosr_session_close(session);
}

static void workers(void)
{
    const uint64_t task = grosr_payload_task(1, 77);

    begin();
    grosr_session_add_name(session, GROSR_NAME_USER, 2, "the lock", NULL);
    for (uint32_t i = 0; i < 3; i++)
        seeks(i);
    state(1, GROSR_EV_TASK_BEGIN, task);
    ok(stalls(), "a task that does not end is a stall");
    ok(strstr(told(), "1 worker is in a task, worker 1 in 77 of beta; 2 workers wait for tasks") != NULL,
       "it is named");
    ok(stalls_with(a_worker_looks_for_tasks), "whatever workers without tasks do");
    ok(!stalls_with(a_range_ends), "not while it tells of something");
    ok(!stalls_with(a_lock_is_had), "or gets what it waits for");
    look_after(1 * MS);
    for (int i = 0; i < 8; i++)
        look_after(10 * MS);
    state(1, GROSR_EV_TASK_BEGIN, task);
    ok(!look_after(30 * MS), "the same task again is another run");
    state(1, GROSR_EV_WAIT_BEGIN, grosr_payload_resource(2, 5));
    ok(stalls(), "a wait for a resource is a stall");
    ok(strstr(told(), "1 worker waits, worker 1 for the lock 5; 2 workers wait for tasks") != NULL,
       "it is named");
    state(1, GROSR_EV_WORKER_START, 0);
    ok(stalls(), "and so is a warp that says nothing of what it does");
    ok(strstr(told(), "1 worker is in code of its own") != NULL, "as far as that goes");
    struct grosr_pair torn = grosr_event_pack(UINT64_C(5) << GROSR_LAP_SHIFT, GROSR_EV_TASK_BEGIN, now, task);
    sys_store_pair_relaxed(&grosr_session_worker(session, 1)->state, torn.lo, torn.hi ^ UINT64_C(1) << 60);
    ok(!stalls(), "a word that is just being written is no stall");
    grosr_session_close(session);
}

static void others(void)
{
    struct grosr_session_options o = {.device = "process",
                                      .device_name = "test",
                                      .program = "test",
                                      .device_clock_is_host = true,
                                      .host_ring_events = 8,
                                      .streams = 1,
                                      .stream_bytes = 4096};

    if (grosr_session_create(&session, &o)) {
        printf("Bail out! %s\n", grosr_error());
        exit(1);
    }
    memset(&stall, 0, sizeof(stall));
    ok(!stalls(), "a session without workers is not judged");
    grosr_session_close(session);
}

int main(void)
{
    idle();
    queues();
    workers();
    others();
    return tap_done();
}
