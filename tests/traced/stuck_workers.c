/*
 * A program with a session of its own making: two workers that run tasks for as many milliseconds as its
 * argument says, or for ever without one, and then wait for each other's lock until the program is killed.
 */
#include "../../tracer/base/error.h"
#include "../../tracer/base/host_clock.h"
#include "../../tracer/session/housekeeper.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#define STEP_NS 10000000

static struct grosr_session *session;
static uint32_t sequence;

static void state(uint32_t worker, uint32_t kind, uint64_t payload)
{
    struct grosr_pair s =
        grosr_event_pack((uint64_t)++sequence << GROSR_LAP_SHIFT, kind, grosr_host_clock_ns(), payload);
    sys_store_pair_relaxed(&grosr_session_worker(session, worker)->state, s.lo, s.hi);
}

/* The first event of a worker's ring. */
static void hold(uint32_t worker)
{
    sys128 *slot = (sys128 *)(void *)(session->base + session->ring[worker].slots_at);
    struct grosr_pair e = grosr_event_pack(UINT64_C(1) << GROSR_LAP_SHIFT, GROSR_EV_HOLD,
                                           grosr_host_clock_ns(), grosr_payload_resource(0, worker));
    sys_store_pair_relaxed(slot, e.lo, e.hi);
}

static void nothing(void *owner)
{
    (void)owner;
}

int main(int argc, char **argv)
{
    static const char *const functions[] = {"step"};
    const struct timespec step = {0, STEP_NS};
    struct grosr_session_options o = {.device = "host",
                                      .device_name = "test",
                                      .program = "stuck",
                                      .sms = 1,
                                      .max_warps_per_sm = 2,
                                      .lanes = 1,
                                      .device_clock_is_host = true,
                                      .workers = 2,
                                      .ring_events = 64,
                                      .host_ring_events = 64,
                                      .level = GROSR_LEVEL_SPANS,
                                      .functions = functions,
                                      .function_count = 1,
                                      .names = 1};
    long steps = argc > 1 ? strtol(argv[1], NULL, 10) * 1000000 / STEP_NS : -1;
    static struct grosr_housekeeper housekeeper;

    if (grosr_session_create(&session, &o) ||
        grosr_session_add_name(session, GROSR_NAME_USER, 0, "lock", NULL) ||
        grosr_housekeeper_start(&housekeeper, session, STEP_NS, nothing, NULL)) {
        fprintf(stderr, "%s\n", grosr_error());
        return 1;
    }
    for (long i = 0; i != steps; i++) {
        state((uint32_t)i % 2, GROSR_EV_TASK_BEGIN, grosr_payload_task(0, (uint64_t)i));
        nanosleep(&step, NULL);
    }
    hold(0);
    hold(1);
    state(0, GROSR_EV_WAIT_BEGIN, grosr_payload_resource(0, 1));
    state(1, GROSR_EV_WAIT_BEGIN, grosr_payload_resource(0, 0));
    for (;;)
        pause();
}
