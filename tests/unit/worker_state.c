/* What a worker's state word says: each state, decoded once and used alike by all who show it. */
#include "../fixture.h"

#include "../../runtime/host/internal.h"
#include "../../tracer/process/stall.h"
#include "../../tracer/session/worker_state.h"
#include "../../viewer/model/model.h"

#include <string.h>

#define LAP UINT64_C(9)

static const struct {
    const char *what;
    uint32_t kind;
    uint64_t payload;
    enum grosr_activity activity;
    enum model_worker_state shown;
    const char *stall; /* what the stall watch says of it; "": that nothing is owed */
    const char *last_seen;
} states[] = {
    {"a worker that starts", GROSR_EV_WORKER_START, 3, GROSR_RUNNING, MODEL_RUNNING,
     "1 worker is in code of its own", "no worker was last seen in a task"},
    {"a task's first run", GROSR_EV_TASK_BEGIN, UINT64_C(1) << GROSR_TASK_ID_BITS | 77, GROSR_IN_TASK,
     MODEL_RUNNING, "1 worker is in a task, worker 0 in 77 of beta", "worker 0 on SM 11 in 'beta', task 77"},
    {"a task that has resumed", GROSR_EV_TASK_RESUME, UINT64_C(1) << GROSR_TASK_ID_BITS | 78, GROSR_IN_TASK,
     MODEL_RUNNING, "1 worker is in a task, worker 0 in 78 of beta", "worker 0 on SM 11 in 'beta', task 78"},
    {"a wait for a task", GROSR_EV_WAIT_BEGIN, (uint64_t)GROSR_RES_QUEUE_NOT_EMPTY << GROSR_WAIT_RES_BITS,
     GROSR_SEEKING, MODEL_WAITING, "", "no worker was last seen in a task"},
    {"a wait for a task that has backed off", GROSR_EV_IDLE_BEGIN, 0, GROSR_IDLE, MODEL_IDLE, "",
     "no worker was last seen in a task"},
    {"the end of the longest sleep, inside the wait", GROSR_EV_IDLE_END, 0, GROSR_SEEKING, MODEL_WAITING, "",
     "no worker was last seen in a task"},
    {"the end of a wait for a task", GROSR_EV_WAIT_END,
     (uint64_t)GROSR_RES_QUEUE_NOT_EMPTY << GROSR_WAIT_RES_BITS, GROSR_RUNNING, MODEL_RUNNING,
     "1 worker is in code of its own", "no worker was last seen in a task"},
    {"a wait for room", GROSR_EV_WAIT_BEGIN, (uint64_t)GROSR_RES_QUEUE_NOT_FULL << GROSR_WAIT_RES_BITS | 4,
     GROSR_WAITING, MODEL_WAITING, "1 worker waits, worker 0 for room in queue 4",
     "no worker was last seen in a task"},
    {"a wait for what the program named", GROSR_EV_WAIT_BEGIN,
     (uint64_t)GROSR_RES_NAMED << GROSR_WAIT_RES_BITS | UINT64_C(2) << 32 | 5, GROSR_WAITING, MODEL_WAITING,
     "1 worker waits, worker 0 for the lock 5", "worker 0 on SM 11 in a task, which waited"},
    {"the end of such a wait", GROSR_EV_WAIT_END,
     (uint64_t)GROSR_RES_NAMED << GROSR_WAIT_RES_BITS | UINT64_C(2) << 32 | 5, GROSR_RUNNING, MODEL_RUNNING,
     "1 worker is in code of its own", "worker 0 on SM 11 in a task"},
    {"an event of the program's own", GROSR_EV_INSTANT, 1, GROSR_RUNNING, MODEL_RUNNING,
     "1 worker is in code of its own", "no worker was last seen in a task"},
    {"a worker that has stopped", GROSR_EV_WORKER_STOP, 8, GROSR_STOPPED, MODEL_STOPPED, "",
     "no worker was last seen in a task"},
};

static struct grosr_session *session;

static void put(uint32_t kind, uint64_t payload)
{
    struct grosr_pair w = grosr_event_pack(LAP << GROSR_LAP_SHIFT, kind, 4000, payload);
    sys_store_pair_relaxed(&grosr_session_worker(session, 0)->state, w.lo, w.hi);
}

/* What the stall watch says of the only worker; "" if it sees nothing owed. */
static const char *stall_text(void)
{
    static char text[512];
    const uint64_t second = 1000000000u;
    struct grosr_stall stall = {0};

    for (uint64_t now = second; now <= 3 * second; now += second)
        if (grosr_stall_look(&stall, session, now, 2 * second)) {
            grosr_stall_describe(&stall, session, now, text, sizeof(text));
            return text;
        }
    return "";
}

static void each(void)
{
    struct model_source *source;

    if (model_open(&source, session)) {
        printf("Bail out! %s\n", grosr_error());
        return;
    }
    for (size_t i = 0; i < sizeof(states) / sizeof(*states); i++) {
        struct grosr_worker_state s = {.activity = GROSR_ACTIVITIES};
        char seen[256] = "";

        put(states[i].kind, states[i].payload);
        ok(grosr_worker_read(session, 0, &s, NULL), "%s can be read", states[i].what);
        is(s.activity, states[i].activity, "its activity");
        is(s.since, 4000, "since when");
        if (s.activity == GROSR_IN_TASK)
            is((uint64_t)s.function << GROSR_TASK_ID_BITS | s.task, states[i].payload, "which task");
        if (s.activity == GROSR_WAITING)
            is((uint64_t)s.resource << GROSR_WAIT_RES_BITS | s.index, states[i].payload, "for what");
        if (s.activity == GROSR_SEEKING || s.activity == GROSR_IDLE)
            is(s.resource, GROSR_RES_QUEUE_NOT_EMPTY, "for a task");
        is(model_sample(source)->workers[states[i].shown], 1, "the live view shows it");
        const char *text = stall_text();
        ok(*states[i].stall ? strstr(text, states[i].stall) != NULL : !*text, "the stall watch: '%s'", text);
        grosr_last_seen(session, seen, sizeof(seen));
        ok(strstr(seen, states[i].last_seen) != NULL, "a failure's text: '%s'", seen);
    }
    model_close(source);
}

static void unreadable(void)
{
    struct grosr_worker_state s = {.activity = GROSR_ACTIVITIES};
    struct grosr_worker_counts counts = {0};
    struct grosr_pair torn = grosr_event_pack(LAP << GROSR_LAP_SHIFT, GROSR_EV_TASK_BEGIN, 1, 1);

    torn.hi ^= UINT64_C(1) << GROSR_LAP_SHIFT;
    sys_store_pair_relaxed(&grosr_session_worker(session, 0)->state, torn.lo, torn.hi);
    sys_store_pair_relaxed(&grosr_session_worker(session, 0)->counts, 5u, 600u);
    sys_store_pair_relaxed(&grosr_session_worker(session, 0)->spawns, 7u, 8u);
    ok(!grosr_worker_read(session, 0, &s, &counts), "a torn word is not decoded");
    is(s.activity, GROSR_ACTIVITIES, "and the state stays as it was");
    ok(!grosr_worker_decode(torn, &s), "however it was read");
    put(GROSR_EV_TASK_BEGIN, 1);
    ok(grosr_worker_read(session, 0, &s, &counts), "once it is whole it is");
    ok(counts.tasks == 5 && counts.busy_ns == 600 && counts.spawned == 7 && counts.shared == 8,
       "with the worker's counts");
}

int main(void)
{
    struct grosr_worker_state s;

    session = fixture_session_named(1, 64, GROSR_OVERFLOW_OVERWRITE, 4);
    grosr_session_add_name(session, GROSR_NAME_USER, 2, "the lock", NULL);
    ok(grosr_worker_read(session, 0, &s, NULL) && s.activity == GROSR_NOT_STARTED,
       "a worker that was never seen");
    is(grosr_worker_sm(session, 0), UINT32_MAX, "is on no SM");
    sys_store_relaxed(&grosr_session_worker(session, 0)->sm, 12u);
    is(grosr_worker_sm(session, 0), 11, "until it has started");
    each();
    unreadable();
    grosr_session_close(session);
    return tap_done();
}
