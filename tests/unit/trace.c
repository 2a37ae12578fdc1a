/* An instrumented kernel's recorders: what they record, how they take turns, and what becomes of the books.
 */
#include "../tap.h"

#include "../../tracer/instrument/grosr_trace.h"
#include "../../tracer/session/ring.h"

#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

enum { ITEM, DEPTH, SLOT };
static const char *const names[] = {"item", "depth", "slot"};

static struct grosr_tracing *tracing;
static struct grosr_trace_handle handle;
static struct grosr_ring_reader reader;
static struct grosr_pair seen[256];
static uint32_t seen_count;

/* Device time goes 1 ms a look: every poll is due. */
static void open_tracing(uint32_t warps, uint32_t ring_events, enum grosr_level level)
{
    struct grosr_trace_options o = GROSR_TRACE_OPTIONS_DEFAULT;

    o.name = "unit";
    o.warps = warps;
    o.ring_events = ring_events;
    o.level = level;
    o.names = names;
    o.name_count = 3;
    if (grosr_trace_open(&tracing, &o)) {
        printf("Bail out! %s\n", grosr_error());
        exit(1);
    }
    handle = grosr_trace_handle(tracing);
    dev_clock_set_virtual(1000000000, 1000000);
}

/* The ring as a collector reads it. */
static uint32_t read_ring(uint32_t ring)
{
    uint64_t first;
    uint32_t n;

    grosr_ring_reader_open(&reader, grosr_trace_session(tracing), ring);
    seen_count = 0;
    while ((n = grosr_ring_read(&reader, seen + seen_count, 256 - seen_count, &first)))
        seen_count += n;
    return seen_count;
}

static bool saw(uint32_t i, uint32_t kind, uint64_t payload)
{
    bool same =
        i < seen_count && grosr_event_kind(seen[i]) == kind && grosr_event_payload(seen[i]) == payload;
    if (!same && i < seen_count)
        printf("# %u: kind %u, payload %llx\n", i, grosr_event_kind(seen[i]),
               (unsigned long long)grosr_event_payload(seen[i]));
    return same;
}

static struct grosr_pair state_of(uint32_t worker)
{
    return sys_load_pair_relaxed(&grosr_session_worker(grosr_trace_session(tracing), worker)->state);
}

/* written - read - dropped - overwritten of a ring. */
static int64_t unaccounted(uint32_t ring, struct grosr_ring_counts *c)
{
    grosr_ring_count(grosr_trace_session(tracing), ring, c);
    return (int64_t)(c->written - c->read - c->dropped - c->overwritten);
}

static void records(void)
{
    open_tracing(2, 64, GROSR_LEVEL_SPANS);
    GROSR_TRACE_WARP(t, handle, 1);
    grosr_begin(&t, ITEM);
    grosr_counter(&t, DEPTH, -3);
    grosr_instant(&t, ITEM, 1);
    grosr_wait_begin(&t, SLOT, 7);
    is(grosr_event_payload(state_of(1)), grosr_payload_resource(SLOT, 7), "the state word repeats the wait");
    grosr_wait_end(&t);
    grosr_hold(&t, SLOT, 7);
    grosr_release(&t, SLOT, 7);
    grosr_end(&t, ITEM, UINT64_MAX);
    ok(grosr_traces(&t, GROSR_LEVEL_SPANS) && !grosr_traces(&t, GROSR_LEVEL_FULL), "the level is spans");
    grosr_trace_end(&t);
    grosr_trace_end(&t);
    grosr_instant(&t, ITEM, 2);
    is(read_ring(1), 10, "each call is an event; after the end there are none");
    ok(saw(0, GROSR_EV_WORKER_START, 0), "begin");
    ok(saw(1, GROSR_EV_RANGE_BEGIN, grosr_payload_named(ITEM, 0)), "a range begins");
    ok(saw(2, GROSR_EV_COUNTER, grosr_payload_named(DEPTH, (uint64_t)-3)), "a counter");
    is(grosr_value_of(grosr_event_payload(seen[2])), -3, "of -3");
    ok(saw(3, GROSR_EV_INSTANT, grosr_payload_named(ITEM, 1)), "an instant");
    ok(saw(4, GROSR_EV_WAIT_BEGIN, grosr_payload_resource(SLOT, 7)), "a wait");
    ok(saw(5, GROSR_EV_WAIT_END, grosr_payload_resource(SLOT, 7)), "ends");
    ok(saw(6, GROSR_EV_HOLD, grosr_payload_resource(SLOT, 7)), "a hold");
    ok(saw(7, GROSR_EV_RELEASE, grosr_payload_resource(SLOT, 7)), "ends");
    ok(saw(8, GROSR_EV_RANGE_END, grosr_payload_named(ITEM, GROSR_VALUE_MASK)),
       "the range, with the greatest value");
    ok(saw(9, GROSR_EV_WORKER_STOP, 0), "end");
    is(grosr_trace_close(tracing), 0, "closed");
}

/* Warps one after the other have a ring, in as many launches as they like; also while it is full. */
static void turns(void)
{
    const uint32_t rounds = 40;
    struct grosr_ring_counts c;

    open_tracing(1, 16, GROSR_LEVEL_SPANS);
    grosr_session_set_collector((struct grosr_session *)(uintptr_t)grosr_trace_session(tracing),
                                (uint32_t)getpid());
    for (uint32_t i = 0; i < rounds; i++) {
        GROSR_TRACE_THREAD(t, handle, GROSR_ANY_RING);
        grosr_instant(&t, ITEM, i);
        grosr_trace_end(&t);
        if (i % 10 == 9)
            read_ring(0); /* 30 events since, for a ring of 16 */
    }
    is(unaccounted(0, &c), 0, "written = read + dropped over many warps");
    is(c.written, 3 * rounds, "%u events a warp", 3);
    ok(c.dropped > 0 && c.read > 0, "of which %d were dropped", (int)c.dropped);
    ok(!c.closed, "the ring is open");
    uint64_t latest = 0;
    bool holds = true;
    for (uint32_t i = 0; i < seen_count; i++) {
        if (grosr_event_kind(seen[i]) == GROSR_EV_LOST) /* stamped later than the record behind it */
            continue;
        holds = holds && latest <= grosr_event_time(seen[i]);
        latest = grosr_event_time(seen[i]);
    }
    ok(holds, "times go on");
    is(grosr_trace_close(tracing), 0, "closed");
}

static void contention(void)
{
    struct grosr_ring_counts c;

    open_tracing(2, 16, GROSR_LEVEL_SPANS);
    GROSR_TRACE_WARP(a, handle, 1);
    GROSR_TRACE_WARP(b, handle, GROSR_ANY_RING);
    GROSR_TRACE_WARP(late, handle, GROSR_ANY_RING);
    grosr_instant(&late, ITEM, 1);
    grosr_poll(&late);
    grosr_wait_begin(&late, SLOT, 0);
    grosr_wait_end(&late);
    ok(!grosr_traces(&late, GROSR_LEVEL_COUNTERS), "a third one with two rings records nothing");
    grosr_trace_end(&late);
    grosr_trace_end(&b);
    GROSR_TRACE_WARP(same, handle, 1);
    ok(!grosr_traces(&same, GROSR_LEVEL_COUNTERS), "nor one that wants a ring that is taken");
    GROSR_TRACE_WARP(beyond, handle, 2);
    ok(!grosr_traces(&beyond, GROSR_LEVEL_COUNTERS), "or one that is not there");
    GROSR_TRACE_WARP(other, handle, GROSR_ANY_RING);
    ok(grosr_traces(&other, GROSR_LEVEL_SPANS), "a free one is found");
    grosr_trace_end(&other);
    grosr_trace_end(&a);
    is(unaccounted(0, &c), c.written, "before they are read");
    is(c.written, 4, "two warps had ring 0");
    is(grosr_trace_close(tracing), -EUSERS, "which is told at the end");
    ok(strstr(grosr_error(), "3 times"), "%s", grosr_error());

    open_tracing(1, 16, GROSR_LEVEL_SPANS);
    GROSR_TRACE_WARP(forgets, handle, 0);
    is(grosr_trace_close(tracing), -EBUSY, "so is one that does not end");
    ok(strstr(grosr_error(), "1 of 1 recorders"), "%s", grosr_error());
    grosr_trace_end(&forgets); /* what it writes to is there still */
}

/* Levels reach whoever polls, and what is waited for then is told under the new one. */
static void levels(void)
{
    open_tracing(1, 64, GROSR_LEVEL_OFF);
    GROSR_TRACE_WARP(t, handle, 0);
    grosr_begin(&t, ITEM);
    grosr_wait_begin(&t, SLOT, 5);
    is(state_of(0).lo, 0, "level off: not even a state word");
    grosr_trace_set_level(tracing, GROSR_LEVEL_COUNTERS);
    is(state_of(0).lo, 0, "a level that nobody polled for");
    grosr_poll(&t);
    is(grosr_event_kind(state_of(0)), GROSR_EV_WAIT_BEGIN,
       "counters: the state word tells what it waits for");
    is(grosr_event_payload(state_of(0)), grosr_payload_resource(SLOT, 5), "since before the switch");
    is(read_ring(0), 0, "and the ring nothing");
    grosr_trace_set_level(tracing, GROSR_LEVEL_FULL);
    grosr_poll(&t);
    ok(grosr_traces(&t, GROSR_LEVEL_FULL), "level full");
    grosr_wait_end(&t);
    grosr_trace_set_level(tracing, GROSR_LEVEL_COUNTERS);
    grosr_poll(&t);
    grosr_instant(&t, ITEM, 0);
    grosr_trace_end(&t);
    is(read_ring(0), 4, "four events");
    ok(saw(0, GROSR_EV_LEVEL, GROSR_LEVEL_FULL), "the switch");
    ok(saw(1, GROSR_EV_WAIT_BEGIN, grosr_payload_resource(SLOT, 5)), "the wait, from then on");
    ok(saw(2, GROSR_EV_WAIT_END, grosr_payload_resource(SLOT, 5)), "its end");
    ok(saw(3, GROSR_EV_LEVEL, GROSR_LEVEL_COUNTERS), "and the switch back");
    GROSR_TRACE_WARP(next, handle, 0);
    ok(!grosr_traces(&next, GROSR_LEVEL_SPANS), "the next warp begins at the level in force");
    grosr_trace_end(&next);
    is(grosr_trace_close(tracing), 0, "closed");
}

/* A clock ping is answered by a poll, once. */
static void pings(void)
{
    open_tracing(1, 64, GROSR_LEVEL_OFF);
    struct grosr_session_header *h = grosr_session_live(grosr_trace_session(tracing));
    GROSR_TRACE_THREAD(t, handle, 0);
    sys_store_release(&h->ping, UINT64_C(300));
    grosr_poll(&t);
    struct grosr_pair pong = sys_load_pair_acquire(&h->pong);
    is(pong.hi & GROSR_PAYLOAD_MASK, 300, "a ping is answered");
    is(grosr_event_lap(pong), 300 % 256, "whole");
    ok((pong.lo & GROSR_PAYLOAD_MASK) > 1000000000, "with the device's time");
    grosr_poll(&t);
    is(sys_load_pair_acquire(&h->pong).lo, pong.lo, "once");
    grosr_trace_end(&t);
    is(grosr_trace_close(tracing), 0, "closed");
}

static void name_numbers(void)
{
    char text[64];
    int id = 0;

    open_tracing(1, 64, GROSR_LEVEL_OFF);
    is(grosr_trace_name(tracing, "depth", NULL), DEPTH, "a name given with the options has its number");
    is(grosr_trace_name(tracing, "late", "bytes"), 3, "a new one the next");
    is(grosr_trace_name(tracing, "late", NULL), 3, "and the same again");
    ok(!strcmp(grosr_session_name(grosr_trace_session(tracing), GROSR_NAME_USER, 3), "late"),
       "readers find it");
    is(grosr_trace_name(tracing, "name that has as many bytes as there may be: 47", NULL), 4, "the longest");
    is(grosr_trace_name(tracing, "name that has as many bytes as there may be: 47+", NULL), -EINVAL,
       "a longer one is not cut to it: %s", grosr_error());
    for (int i = 5; i < 3 + (int)GROSR_TRACE_NAMES; i++) {
        snprintf(text, sizeof(text), "name %d", i);
        id = grosr_trace_name(tracing, text, NULL);
    }
    is(id, 2 + (int)GROSR_TRACE_NAMES, "as many as there is room for");
    is(grosr_trace_name(tracing, "one more", NULL), -ENOSPC, "no more: %s", grosr_error());
    is(grosr_trace_close(tracing), 0, "closed");
}

/* Lap numbers come round every 256th: a ring is taken over there as anywhere else. */
static void many_laps(void)
{
    const uint32_t recorders = 3000;
    struct grosr_ring_counts c;

    open_tracing(1, 8, GROSR_LEVEL_SPANS);
    for (uint32_t i = 0; i < recorders; i++) {
        GROSR_TRACE_WARP(t, handle, 0);
        grosr_instant(&t, ITEM, i);
        grosr_trace_end(&t);
    }
    read_ring(0);
    is(reader.position, 3 * recorders, "1,125 laps, 3,000 warps: the reader is where the last one ended");
    is(unaccounted(0, &c), 0, "and every event is read or overwritten");
    ok(saw(seen_count - 1, GROSR_EV_WORKER_STOP, 0), "the last of them read");
    is(grosr_trace_close(tracing), 0, "closed");
}

static void refusals(void)
{
    struct grosr_trace_options o = GROSR_TRACE_OPTIONS_DEFAULT;
    struct grosr_tracing *none = NULL;
    struct grosr_trace_handle nothing = grosr_trace_handle(NULL);

    GROSR_TRACE_WARP(t, nothing, 0);
    grosr_poll(&t);
    grosr_begin(&t, ITEM);
    grosr_wait_begin(&t, SLOT, 1);
    grosr_wait_end(&t);
    grosr_trace_end(&t);
    ok(!grosr_traces(&t, GROSR_LEVEL_COUNTERS), "without a session nothing is recorded");
    is(grosr_trace_close(NULL), 0, "nor closed");
    is(grosr_trace_open_as(&none, &o, "host", GROSR_SESSION_ABI + 1), -EINVAL, "other headers: %s",
       grosr_error());
    o.warps = 0;
    is(grosr_trace_open(&none, &o), -EINVAL, "no warps: %s", grosr_error());
    o.warps = GROSR_MAX_WORKERS + 1;
    is(grosr_trace_open(&none, &o), -EINVAL, "too many: %s", grosr_error());
    o.warps = 1;
    o.ring_events = 1;
    is(grosr_trace_open(&none, &o), -EINVAL, "too small a ring: %s", grosr_error());
    o.ring_events = 64;
    o.device = "abacus";
    is(grosr_trace_open(&none, &o), -EINVAL, "no such device: %s", grosr_error());
    o.device = "host";
    o.level = (enum grosr_level)7;
    is(grosr_trace_open(&none, &o), -EINVAL, "no such level: %s", grosr_error());
    o.level = GROSR_LEVEL_SPANS;
    o.file = "/nowhere/t.db";
    o.recorder = "/nowhere/grosr";
    is(grosr_trace_open(&none, &o), -ENOENT, "no such recorder: %s", grosr_error());
    o.recorder = "false";
    is(grosr_trace_open(&none, &o), -ECHILD, "one that ends at once: %s", grosr_error());
    ok(strstr(grosr_error(), "did not attach"), "says what failed first");
    ok(none == NULL, "and no session is left");
}

/* What a recorder is told: ours writes it down. */
static void recorder(void)
{
    char script[64], text[256] = "", wanted[256];
    struct grosr_trace_options o = GROSR_TRACE_OPTIONS_DEFAULT;
    struct grosr_tracing *none = NULL;
    FILE *f;

    snprintf(script, sizeof(script), "/tmp/grosr-trace-%d.sh", (int)getpid());
    f = fopen(script, "w");
    fputs("#!/bin/sh\necho \"$@\" >\"$0.said\"\n", f);
    fclose(f);
    chmod(script, 0700);
    o.warps = 1;
    o.level = GROSR_LEVEL_FULL;
    o.file = "some.db";
    o.recorder = script;
    is(grosr_trace_open(&none, &o), -ECHILD, "a recorder that does not record: %s", grosr_error());
    strcat(script, ".said");
    f = fopen(script, "r");
    if (!f || !fgets(text, sizeof(text), f))
        printf("# no %s\n", script);
    if (f)
        fclose(f);
    snprintf(wanted, sizeof(wanted), "record --attach %d.0 --level full -o some.db\n", (int)getpid());
    ok(!strcmp(text, wanted), "was told what to do: %s", strtok(text, "\n"));
    unlink(script);
    *strrchr(script, '.') = 0;
    unlink(script);
}

int main(void)
{
    char first[64];

    snprintf(first, sizeof(first), "/dev/shm/grosr.%d.0", (int)getpid());
    records();
    turns();
    many_laps();
    contention();
    levels();
    pings();
    name_numbers();
    refusals();
    recorder();
    ok(access(first, F_OK) != 0, "no segment is left");
    return tap_done();
}
