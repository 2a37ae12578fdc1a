/*
 * Writer and reader at full speed on one ring, under each overflow policy: no record twice, none out of
 * order, none torn, and what is missing is exactly what the books say.
 */
#include "../fixture.h"

#include "../../tracer/session/emit.h"
#include "../../tracer/session/ring.h"

#include <pthread.h>
#include <sched.h>
#include <unistd.h>

static struct grosr_session *session;
static uint64_t events;

/* The payload's low half is the number, the high half a checksum of it. */
static uint64_t payload_of(uint64_t number)
{
    return (number & 0xfffffff) | ((number * 2654435761u) & 0xfffffff) << 28;
}

static void *write_events(void *arg)
{
    struct grosr_trace trace = grosr_session_trace(session, session->base);
    struct grosr_emit_ring ring;
    struct grosr_emitter e;

    (void)arg;
    grosr_emit_open(&e, &ring, &trace, 0);
    for (uint64_t i = 0; i < events; i++) {
        grosr_emit_at(&e, GROSR_EV_LEVEL, payload_of(i), i);
        if (i % 64 == 0)
            sched_yield();
    }
    grosr_emit_close(&e);
    return NULL;
}

static void race(uint32_t capacity, enum grosr_overflow overflow, const char *name)
{
    struct grosr_ring_reader reader;
    struct grosr_ring_counts n;
    struct grosr_pair r[128];
    uint64_t first = 0, expected = 0, bad = 0, read = 0, missing = 0, position = 0;
    pthread_t writer;

    session = fixture_session(1, capacity, overflow);
    grosr_session_set_collector(session, (uint32_t)getpid());
    grosr_ring_reader_open(&reader, session, 0);
    pthread_create(&writer, NULL, write_events, NULL);
    while (!grosr_ring_at_end(&reader)) {
        uint32_t count = grosr_ring_read(&reader, r, 128, &first);
        if (!count) {
            sched_yield();
            continue;
        }
        missing += first - position;
        expected += first - position;
        for (uint32_t i = 0; i < count; i++) {
            if (grosr_event_kind(r[i]) == GROSR_EV_LOST) {
                missing += grosr_event_payload(r[i]);
                expected += grosr_event_payload(r[i]);
                continue;
            }
            bad += grosr_event_payload(r[i]) != payload_of(expected) || grosr_event_time(r[i]) != expected;
            expected++;
            read++;
        }
        position = first + count;
    }
    pthread_join(writer, NULL);
    grosr_ring_count(session, 0, &n);
    is(bad, 0, "%s, ring of %u: every record whole and in order", name, capacity);
    ok(n.closed && n.written == events && n.read == read && n.written == n.read + n.dropped + n.overwritten,
       "%s: %" PRIu64 " written = %" PRIu64 " read + %" PRIu64 " dropped + %" PRIu64 " overwritten", name,
       n.written, n.read, n.dropped, n.overwritten);
    ok(missing <= n.dropped + n.overwritten && expected <= events,
       "%s: the gaps seen are among the losses counted", name);
    if (overflow == GROSR_OVERFLOW_BLOCK)
        is(missing + n.dropped + n.overwritten, 0, "%s: nothing is lost", name);
    grosr_session_close(session);
}

int main(void)
{
    events = 2000000;
    race(64, GROSR_OVERFLOW_DROP, "drop");
    race(8, GROSR_OVERFLOW_DROP, "drop");
    race(1000, GROSR_OVERFLOW_OVERWRITE, "overwrite");
    race(16, GROSR_OVERFLOW_OVERWRITE, "overwrite");
    events = 200000;
    race(8, GROSR_OVERFLOW_BLOCK, "block");
    race(100, GROSR_OVERFLOW_BLOCK, "block");
    return tap_done();
}
