/* A session as tests need it: n workers, small rings, one queue. */
#ifndef GROSR_FIXTURE_H
#define GROSR_FIXTURE_H

#include "../tracer/base/error.h"
#include "../tracer/session/session.h"
#include "tap.h"

/* With room for so many names that come later. */
static inline struct grosr_session *fixture_session_named(uint32_t workers, uint32_t ring_events,
                                                          enum grosr_overflow overflow, uint32_t names)
{
    static const char *const functions[] = {"alpha", "beta"};
    struct grosr_session_queue_options queue = {"submit", 64, 1, 32};
    struct grosr_session_options o = {
        .device = "host",
        .device_name = "test",
        .program = "test",
        .sms = workers,
        .max_warps_per_sm = 1,
        .lanes = 1,
        .device_clock_is_host = true,
        .workers = workers,
        .ring_events = ring_events,
        .host_ring_events = ring_events,
        .overflow = overflow,
        .level = GROSR_LEVEL_SPANS,
        .functions = functions,
        .function_count = 2,
        .queues = &queue,
        .queue_count = 1,
        .names = names,
    };
    struct grosr_session *s = NULL;

    if (grosr_session_create(&s, &o)) {
        printf("Bail out! %s\n", grosr_error());
        exit(1);
    }
    return s;
}

static inline struct grosr_session *fixture_session(uint32_t workers, uint32_t ring_events,
                                                    enum grosr_overflow overflow)
{
    return fixture_session_named(workers, ring_events, overflow, 0);
}

#endif
