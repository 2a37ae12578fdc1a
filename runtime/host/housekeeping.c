/*
 * Housekeeping: the session's housekeeper compares the device's clock with the host's and watches the device
 * for failure.
 *
 * The first failure is kept: whoever sees it writes `failure` and then, with release, `failed`.
 */
#include "internal.h"

#include "../../tracer/session/ring.h"
#include "../../tracer/session/worker_state.h"

#include <stdio.h>
#include <string.h>

#define HOUSEKEEPING_NS 10000000u /* between clock snapshots */
#define SNAPSHOT_TRIPS  64u
#define HEAP_TICKS      10u  /* of housekeeping, between looks at the heap */
#define RING_LOOK       256u /* latest events of a ring in which a task's begin is looked for */

/* ---- the device ---- */

/* A worker in a task, as far as its state word and its ring say. */
struct seen_task {
    uint32_t worker, function;
    uint64_t task, since; /* device time at which it began, or that of its wait */
    bool known;           /* which task; else only that it is in one */
    bool waits;
};

/* Whether the state word is of a wait that only tasks have, or of the end of one: a lane's, whose task and
 * whose neighbours' tasks run on. */
static bool waits_in_task(const struct grosr_worker_state *state)
{
    uint32_t kind = grosr_event_kind(state->word);
    uint32_t resource = (uint32_t)(grosr_event_payload(state->word) >> GROSR_WAIT_RES_BITS);

    return (kind == GROSR_EV_WAIT_BEGIN || kind == GROSR_EV_WAIT_END) &&
           (resource == GROSR_RES_NAMED || resource == GROSR_RES_SYSCALL_PORT ||
            resource == GROSR_RES_SYSCALL_REPLY);
}

/* The latest task in the worker's ring that has begun or resumed and not ended. */
static void find_in_ring(const struct grosr_session *s, struct seen_task *t)
{
    struct grosr_pair e[RING_LOOK];
    uint64_t ended[RING_LOOK], end;
    uint32_t ends = 0;

    for (uint32_t i = grosr_ring_latest(s, t->worker, 0, e, RING_LOOK, &end); i-- > 0 && !t->known;) {
        uint32_t kind = grosr_event_kind(e[i]);
        uint64_t task = grosr_event_payload(e[i]) & GROSR_TASK_ID_MASK;
        if (kind == GROSR_EV_TASK_END || kind == GROSR_EV_TASK_SUSPEND)
            ended[ends++] = task;
        if (kind != GROSR_EV_TASK_BEGIN && kind != GROSR_EV_TASK_RESUME)
            continue;
        t->known = true;
        for (uint32_t k = 0; k < ends; k++)
            t->known = t->known && ended[k] != task;
        t->function = (uint32_t)(grosr_event_payload(e[i]) >> GROSR_TASK_ID_BITS);
        t->task = task;
        t->since = grosr_event_time(e[i]);
    }
}

/* False: the worker was not last seen in a task. */
static bool seen_in_task(const struct grosr_session *s, uint32_t worker, struct seen_task *t)
{
    struct grosr_worker_state state;

    if (!grosr_worker_read(s, worker, &state, NULL))
        return false;
    *t = (struct seen_task){.worker = worker, .since = state.since};
    if (state.activity == GROSR_IN_TASK) {
        t->function = state.function;
        t->task = state.task;
        t->known = true;
        return true;
    }
    if (!waits_in_task(&state))
        return false;
    t->waits = state.activity == GROSR_WAITING;
    find_in_ring(s, t);
    return true;
}

void grosr_last_seen(const struct grosr_session *s, char *text, size_t size)
{
    size_t length = strlen(text);
    uint32_t level = sys_load_relaxed(&grosr_session_live(s)->level), running = 0;
    struct seen_task task = {.since = UINT64_MAX}, t;
    char function[GROSR_NAME_BYTES + 32], others[48] = "", beside[48] = "", where[24] = "";

    text += length;
    size -= length;
    if (level == GROSR_LEVEL_OFF) {
        snprintf(text, size, "; what the workers did is not known at trace level off");
        return;
    }
    for (uint32_t i = 0; i < s->header.workers; i++) {
        if (!seen_in_task(s, i, &t))
            continue;
        running++;
        /* The one that failed went no further, while the others may have. */
        if (t.since < task.since)
            task = t;
    }
    if (!running) {
        snprintf(text, size, "; no worker was last seen in a task");
        return;
    }
    const char *name = grosr_session_name(s, GROSR_NAME_FUNCTION, task.function);
    uint32_t sm = grosr_worker_sm(s, task.worker);
    if (!task.known)
        snprintf(function, sizeof(function), "a task");
    else if (name)
        snprintf(function, sizeof(function), "'%s', task %llu", name, (unsigned long long)task.task);
    else
        snprintf(function, sizeof(function), "function %u, task %llu", task.function,
                 (unsigned long long)task.task);
    if (task.known && s->header.lanes > 1) /* the state word is of the first lane */
        snprintf(beside, sizeof(beside), " or one of up to %u run with it", s->header.lanes - 1);
    if (running > 1)
        snprintf(others, sizeof(others), " (and %u other worker%s in tasks)", running - 1,
                 running > 2 ? "s" : "");
    if (sm != UINT32_MAX)
        snprintf(where, sizeof(where), " on SM %u", sm);
    snprintf(text, size, "; last seen: worker %u%s in %s%s%s%s", task.worker, where, function, beside,
             task.waits ? ", which waited" : "", others);
}

int grosr_poll_device(grosr *rt)
{
    int state = rt->ops->poll(rt->device);

    if (state >= 0)
        return state;
    if (!sys_load_relaxed(&rt->failed)) {
        snprintf(rt->failure, sizeof(rt->failure), "%s", grosr_error());
        grosr_last_seen(rt->session, rt->failure, sizeof(rt->failure));
        sys_store_release(&rt->failed, (uint32_t)-state); /* pairs with the load in grosr_ending() */
    }
    return grosr_fail(-state, "%s", rt->failure);
}

int grosr_compare_clocks(grosr *rt, uint64_t timeout_ns)
{
    if (rt->session->header.device_clock_is_host)
        return 0;
    return grosr_clock_snapshot(rt->session, &rt->pinger, SNAPSHOT_TRIPS, timeout_ns);
}

static void tick(void *owner)
{
    grosr *rt = (grosr *)owner;

    if (grosr_poll_device(rt) == 1) {
        grosr_compare_clocks(rt, GROSR_CLOCK_TIMEOUT_NS);
        if (++rt->ticks % HEAP_TICKS == 0)
            grosr_arena_publish(rt);
    }
    grosr_syscalls_check(rt);
}

int grosr_start_housekeeping(grosr *rt)
{
    return grosr_housekeeper_start(&rt->housekeeper, rt->session, HOUSEKEEPING_NS, tick, rt);
}

void grosr_stop_housekeeping(grosr *rt)
{
    grosr_housekeeper_stop(&rt->housekeeper);
}
