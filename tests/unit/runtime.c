/*
 * The runtime on the host device: results, statuses, time-outs, cancellation, completions, stop, bad input;
 * and the text about a device that has failed.
 */
#include "../disturbance_suite.h"

#include "../../runtime/host/internal.h"
#include "../fixture.h"

/* The text about the workers of a session that was left behind. */
static void last_seen(void)
{
    struct grosr_session *s = fixture_session(4, 64, GROSR_OVERFLOW_OVERWRITE);
    static const struct {
        uint32_t worker, kind, function;
        uint64_t task, time;
    } state[] = {
        {1, GROSR_EV_TASK_BEGIN, 0, 1200, 5000},
        {2, GROSR_EV_TASK_BEGIN, 1, 1234, 4000},
        {3, GROSR_EV_WAIT_BEGIN, 0, 0, 1000},
    };
    char text[512] = "it failed";

    grosr_last_seen(s, text, sizeof(text));
    is(strcmp(text, "it failed; no worker was last seen in a task"), 0, "%s", text);
    for (unsigned i = 0; i < 3; i++) {
        struct grosr_worker_entry *w = grosr_session_worker(s, state[i].worker);
        struct grosr_pair p = grosr_event_pack(UINT64_C(7) << GROSR_LAP_SHIFT, state[i].kind, state[i].time,
                                               grosr_payload_task(state[i].function, state[i].task));
        sys_store_pair_relaxed(&w->state, p.lo, p.hi);
        sys_store_relaxed(&w->sm, state[i].worker + 11);
    }
    strcpy(text, "it failed");
    grosr_last_seen(s, text, sizeof(text));
    is(strcmp(text,
              "it failed; last seen: worker 2 on SM 12 in 'beta', task 1234 (and 1 other worker in tasks)"),
       0, "%s", text);
    char small[24] = "it failed";
    grosr_last_seen(s, small, sizeof(small));
    is(strcmp(small, "it failed; last seen: w"), 0, "%s", small);
    sys_store_relaxed(&grosr_session_live(s)->level, (uint32_t)GROSR_LEVEL_OFF);
    strcpy(text, "it failed");
    grosr_last_seen(s, text, sizeof(text));
    is(strcmp(text, "it failed; what the workers did is not known at trace level off"), 0, "%s", text);
    grosr_session_close(s);
}

/* A task of which a lane waits, or has waited: the state word says nothing of the task, and the ring does. */
static void last_seen_waiting(void)
{
    struct grosr_session *s = fixture_session(2, 64, GROSR_OVERFLOW_OVERWRITE);
    const struct grosr_trace trace = grosr_session_trace(s, s->base);
    const uint64_t named = grosr_payload_resource(3, 1);
    const struct {
        uint32_t kind;
        uint64_t payload;
        const char *text;
    } steps[] = {
        {GROSR_EV_WORKER_START, 1, "it failed; no worker was last seen in a task"},
        {GROSR_EV_TASK_BEGIN, grosr_payload_task(0, 70),
         "it failed; last seen: worker 1 on SM 4 in 'alpha', task 70"},
        {GROSR_EV_WAIT_BEGIN, named,
         "it failed; last seen: worker 1 on SM 4 in 'alpha', task 70, which waited"},
        {GROSR_EV_WAIT_END, named, "it failed; last seen: worker 1 on SM 4 in 'alpha', task 70"},
        {GROSR_EV_TASK_SUSPEND, grosr_payload_task(1, 70), NULL},
        {GROSR_EV_TASK_BEGIN, grosr_payload_task(0, 71), NULL},
        {GROSR_EV_TASK_END, grosr_payload_task(0, 71), NULL},
        {GROSR_EV_TASK_RESUME, grosr_payload_task(1, 70),
         "it failed; last seen: worker 1 on SM 4 in 'beta', task 70"},
        {GROSR_EV_WAIT_BEGIN, grosr_payload_wait(GROSR_RES_SYSCALL_REPLY, 2),
         "it failed; last seen: worker 1 on SM 4 in 'beta', task 70, which waited"},
        {GROSR_EV_TASK_END, grosr_payload_task(0, 70), NULL},
        {GROSR_EV_WAIT_BEGIN, grosr_payload_wait(GROSR_RES_QUEUE_NOT_EMPTY, 0),
         "it failed; no worker was last seen in a task"},
        {GROSR_EV_WAIT_END, grosr_payload_wait(GROSR_RES_QUEUE_NOT_EMPTY, 0),
         "it failed; no worker was last seen in a task"},
        {GROSR_EV_WAIT_BEGIN, named, "it failed; last seen: worker 1 on SM 4 in a task, which waited"},
    };
    struct grosr_emit_ring ring;
    struct grosr_emitter emit;

    grosr_emit_open(&emit, &ring, &trace, 1);
    sys_store_relaxed(&grosr_session_worker(s, 1)->sm, 5u);
    for (unsigned i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
        char text[256] = "it failed";
        grosr_emit_at(&emit, steps[i].kind, steps[i].payload, 1000 + i);
        if (!steps[i].text)
            continue;
        struct grosr_pair w =
            grosr_event_pack(UINT64_C(7) << GROSR_LAP_SHIFT, steps[i].kind, 1000 + i, steps[i].payload);
        sys_store_pair_relaxed(&grosr_session_worker(s, 1)->state, w.lo, w.hi);
        grosr_last_seen(s, text, sizeof(text));
        ok(!strcmp(text, steps[i].text), "%s", text);
    }
    grosr_session_close(s);
}

int main(void)
{
    suite_basics("host");
    suite_bad_options("host");
    suite_bad_input("host");
    suite_stop("host");
    suite_cancel("host");
    suite_cancel_blocked("host");
    suite_test("host");
    suite_callbacks("host", false);
    suite_callbacks("host", true);
    suite_producers("host", 65536, 2, 1, 20000);
    suite_several("host", "host", 2);
    suite_programs();
    last_seen();
    last_seen_waiting();
    return tap_done();
}
