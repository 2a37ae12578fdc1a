/*
 * Housekeeping: the session's housekeeper compares the device's clock with the host's and watches the device
 * for failure.
 *
 * The first failure is kept: whoever sees it writes `failure` and then, with release, `failed`.
 */
#include "internal.h"

#include "../../tracer/session/worker_state.h"

#include <stdio.h>
#include <string.h>

#define HOUSEKEEPING_NS 10000000u /* between clock snapshots */
#define SNAPSHOT_TRIPS  64u
#define HEAP_TICKS      10u /* of housekeeping, between looks at the heap */

/* ---- the device ---- */

void grosr_last_seen(const struct grosr_session *s, char *text, size_t size)
{
    size_t length = strlen(text);
    uint32_t level = sys_load_relaxed(&grosr_session_live(s)->level), running = 0, oldest = 0;
    struct grosr_worker_state task = {.since = UINT64_MAX}, state;
    char function[GROSR_NAME_BYTES + 2], others[48] = "", beside[48] = "", where[24] = "";

    text += length;
    size -= length;
    if (level == GROSR_LEVEL_OFF) {
        snprintf(text, size, "; what the workers did is not known at trace level off");
        return;
    }
    for (uint32_t i = 0; i < s->header.workers; i++) {
        if (!grosr_worker_read(s, i, &state, NULL) || state.activity != GROSR_IN_TASK)
            continue;
        running++;
        /* The one that failed went no further, while the others may have. */
        if (state.since < task.since) {
            task = state;
            oldest = i;
        }
    }
    if (!running) {
        snprintf(text, size, "; no worker was last seen in a task");
        return;
    }
    const char *name = grosr_session_name(s, GROSR_NAME_FUNCTION, task.function);
    uint32_t sm = grosr_worker_sm(s, oldest);
    if (name)
        snprintf(function, sizeof(function), "'%s'", name);
    else
        snprintf(function, sizeof(function), "function %u", task.function);
    if (s->header.lanes > 1) /* the state word is of the first lane */
        snprintf(beside, sizeof(beside), " or one of up to %u run with it", s->header.lanes - 1);
    if (running > 1)
        snprintf(others, sizeof(others), " (and %u other worker%s in tasks)", running - 1,
                 running > 2 ? "s" : "");
    if (sm != UINT32_MAX)
        snprintf(where, sizeof(where), " on SM %u", sm);
    snprintf(text, size, "; last seen: worker %u%s in %s, task %llu%s%s", oldest, where, function,
             (unsigned long long)task.task, beside, others);
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
