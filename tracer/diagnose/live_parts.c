/*
 * Times, names and motion of a session under observation (live_parts.h).
 */
#include "live_parts.h"

#include <stdio.h>

/* ---- times and names ---- */

uint64_t live_host_time(struct grosr_live *live, uint64_t low)
{
    uint64_t near_ns, at, bound;

    if (!grosr_clock_near(&live->clock, live->now_ns, &near_ns) ||
        !grosr_clock_place(&live->clock, grosr_clock_extend(low, GROSR_KIND_SHIFT, near_ns), &at, &bound))
        return 0;
    return at < live->now_ns || live->dead ? at : live->now_ns;
}

uint64_t live_ring_time(struct grosr_live *live, uint32_t ring, struct grosr_pair event)
{
    if (live->session->ring[ring].worker == GROSR_RING_HOST)
        return grosr_clock_extend(grosr_event_time(event), GROSR_KIND_SHIFT, live->now_ns);
    return live_host_time(live, grosr_event_time(event));
}

uint64_t live_age(const struct grosr_live *live, uint64_t since)
{
    return since && since < live->now_ns ? live->now_ns - since : 0;
}

void live_function(const struct grosr_live *live, uint32_t function, char *text, size_t size)
{
    const char *name = grosr_session_name(live->session, GROSR_NAME_FUNCTION, function);
    char copy[GROSR_NAME_BYTES];

    if (name) {
        grosr_session_copy_text(copy, name, sizeof(copy));
        snprintf(text, size, "%s", copy);
    } else {
        snprintf(text, size, "function %u", function);
    }
}

void live_resource(const struct grosr_live *live, uint32_t resource, uint64_t index, char *text, size_t size)
{
    const char *name;
    char copy[GROSR_NAME_BYTES];

    switch (resource) {
    case GROSR_RES_QUEUE_NOT_EMPTY:
        snprintf(text, size, "a task in queue %llu", (unsigned long long)index);
        return;
    case GROSR_RES_QUEUE_NOT_FULL:
        snprintf(text, size, "room in queue %llu", (unsigned long long)index);
        return;
    case GROSR_RES_SYSCALL_PORT:
        snprintf(text, size, "a port for a system call");
        return;
    case GROSR_RES_SYSCALL_REPLY:
        snprintf(text, size, "the reply to the system call in port %llu", (unsigned long long)index);
        return;
    default:
        break;
    }
    if (grosr_resource_has_name(resource)) {
        name = grosr_session_name(live->session, GROSR_NAME_USER, (uint32_t)(index >> 32));
        if (name)
            grosr_session_copy_text(copy, name, sizeof(copy));
        else
            snprintf(copy, sizeof(copy), "resource %llu", (unsigned long long)(index >> 32));
        snprintf(text, size, "%s %u", copy, (uint32_t)index);
    } else {
        snprintf(text, size, "resource kind %u, %llu", resource, (unsigned long long)index);
    }
}

/* ---- motion ---- */

bool live_is_stopped(const struct grosr_live *live)
{
    return live->process_state == 'T' || live->process_state == 't';
}

uint64_t live_still_since(const struct grosr_live *live)
{
    if (live->moved_ns)
        return live->moved_ns;
    return live->event_ns && live->event_ns < live->first_ns ? live->event_ns : live->first_ns;
}

bool live_is_still(const struct grosr_live *live, uint64_t threshold_ns)
{
    return !live_is_stopped(live) && live->now_ns - live_still_since(live) > threshold_ns;
}
