/*
 * Statuses and functions that are not there, on the host device (tests/status_suite.h), and what events have
 * of them.
 */
#include "../status_suite.h"

#include "../runtime_suite.h"

/* What an event has no room for is its largest value, not 0. */
static void events(void)
{
    struct grosr_options o = suite_options("host");
    struct grosr_ring_reader reader;
    struct grosr_pair records[256];
    uint32_t got = 0, wrong = 0, n;
    uint64_t first;

    o.program = &grosr_program;
    o.workers = 1;
    o.ring_events = 256;
    grosr *rt = suite_open(&o);
    for (uint32_t i = 0; i < STATUSES; i++)
        status_run(rt, FN_FAIL, 0, (uint32_t)statuses[i]);
    is(grosr_finish(rt), 0, "finished");
    grosr_ring_reader_open(&reader, grosr_runtime_session(rt), 0);
    while ((n = grosr_ring_read(&reader, records, 256, &first)) > 0)
        for (uint32_t i = 0; i < n; i++)
            if (grosr_event_kind(records[i]) == GROSR_EV_TASK_END && got < STATUSES) {
                uint32_t status = (uint32_t)(grosr_event_payload(records[i]) >> GROSR_TASK_ID_BITS);
                uint32_t whole = (uint32_t)statuses[got++];
                wrong += status != (whole < 0xffff ? whole : 0xffff);
            }
    is(got, STATUSES, "each task's end is recorded");
    is(wrong, 0, "with its status, or 65535 in place of one that does not fit");
    is(grosr_close(rt), 0, "closed");
}

int main(void)
{
    status_suite("host", 1);
    status_suite("host", 3);
    events();
    return tap_done();
}
