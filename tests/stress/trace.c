/*
 * Many warps, and lanes by themselves, take turns at a few rings while they are read and the level switches:
 * none is refused that there is a ring for, no event comes twice, and every ring's books balance.
 */
#include "../tap.h"

#include "../../tracer/instrument/grosr_trace.h"
#include "../../tracer/session/ring.h"

#include <pthread.h>
#include <time.h>
#include <unistd.h>

#define WARPS  8u
#define TURNS  60u /* of each */
#define EVENTS 50u /* in each */

enum { STEP };
static const char *const names[] = {"step"};

static struct grosr_tracing *tracing;
static struct grosr_trace_handle handle;
static dev32 turned_away; /* recorders that got no ring, but at level off */
static dev32 seen[WARPS * TURNS * EVENTS];
static dev32 read_events, twice, stop_reading;

static void steps(struct grosr_tracer *t, uint32_t first)
{
    for (uint32_t i = 0; i < EVENTS; i++) {
        grosr_poll(t);
        grosr_instant(t, STEP, first + i);
    }
}

/* Every other turn is one lane's alone, that of the warp's number. */
static void warp_main(void *arg, uint32_t warp)
{
    (void)arg;
    for (uint32_t turn = 0; turn < TURNS; turn++) {
        uint32_t first = (warp * TURNS + turn) * EVENTS;
        if (turn % 2 == 0) {
            GROSR_TRACE_WARP(t, handle, GROSR_ANY_RING);
            if (t_memory.index == GROSR_NO_RING)
                dev_add_relaxed(&turned_away, 1u);
            steps(&t, first);
            grosr_trace_end(&t);
        } else if (dev_lane() == warp % GROSR_LANES) {
            GROSR_TRACE_THREAD(t, handle, GROSR_ANY_RING);
            if (t_memory.index == GROSR_NO_RING)
                dev_add_relaxed(&turned_away, 1u);
            steps(&t, first);
            grosr_trace_end(&t);
        }
        dev_syncwarp(); /* or lanes that go ahead would have a ring beside the one that is alone */
    }
}

static void *read_main(void *p)
{
    static struct grosr_ring_reader reader[WARPS];
    struct grosr_pair records[64];
    bool last = false;

    (void)p;
    for (uint32_t i = 0; i < WARPS; i++)
        grosr_ring_reader_open(&reader[i], grosr_trace_session(tracing), i);
    while (!last) {
        last = dev_load_acquire(&stop_reading) != 0;
        for (uint32_t i = 0; i < WARPS; i++) {
            uint64_t first;
            uint32_t n = grosr_ring_read(&reader[i], records, 64, &first);
            last = last && n == 0;
            for (uint32_t k = 0; k < n; k++) {
                if (grosr_event_kind(records[k]) != GROSR_EV_INSTANT)
                    continue;
                uint64_t step = grosr_event_payload(records[k]) & GROSR_VALUE_MASK;
                if (step >= WARPS * TURNS * EVENTS || dev_add_relaxed(&seen[step], 1u))
                    dev_add_relaxed(&twice, 1u);
                dev_add_relaxed(&read_events, 1u);
            }
        }
        sched_yield();
    }
    return NULL;
}

static void run(uint32_t ring_events, enum grosr_overflow overflow, bool switching, const char *name)
{
    struct grosr_trace_options o = GROSR_TRACE_OPTIONS_DEFAULT;
    uint64_t written = 0, read = 0, dropped = 0, overwritten = 0;
    struct dev_host_grid *grid;
    pthread_t thread;

    o.warps = WARPS;
    o.ring_events = ring_events;
    o.overflow = overflow;
    o.names = names;
    o.name_count = 1;
    memset(seen, 0, sizeof(seen));
    dev_store_relaxed(&stop_reading, 0u);
    dev_store_relaxed(&read_events, 0u);
    is(grosr_trace_open(&tracing, &o), 0, "%s", name);
    handle = grosr_trace_handle(tracing);
    grosr_session_set_collector((struct grosr_session *)(uintptr_t)grosr_trace_session(tracing),
                                (uint32_t)getpid());
    pthread_create(&thread, NULL, read_main, NULL);
    if (dev_host_launch(&grid, WARPS, 1, warp_main, NULL))
        exit(1);
    for (uint32_t i = 0; dev_host_running(grid); i++) {
        struct timespec pause = {0, 300000};
        if (switching)
            grosr_trace_set_level(tracing, i % 2 ? GROSR_LEVEL_FULL : GROSR_LEVEL_OFF);
        nanosleep(&pause, NULL);
    }
    dev_host_join(grid);
    dev_store_release(&stop_reading, 1u); /* pairs with read_main() */
    pthread_join(thread, NULL);
    for (uint32_t i = 0; i < WARPS; i++) {
        struct grosr_ring_counts c;
        grosr_ring_count(grosr_trace_session(tracing), i, &c);
        written += c.written;
        read += c.read;
        dropped += c.dropped;
        overwritten += c.overwritten;
        if (c.written != c.read + c.dropped + c.overwritten)
            printf("# ring %u is out of balance\n", i);
    }
    is(written, read + dropped + overwritten, "the books balance: %d written, %d dropped, %d overwritten",
       (int)written, (int)dropped, (int)overwritten);
    if (!switching)
        is(written, WARPS * TURNS * (EVENTS + 2), "nothing is missing in them");
    if (!switching && overflow == GROSR_OVERFLOW_BLOCK)
        is(dev_load_relaxed(&read_events), WARPS * TURNS * EVENTS, "and nothing was lost");
    is(dev_load_relaxed(&twice), 0, "no event came twice");
    is(dev_load_relaxed(&turned_away), 0, "as many rings as warps are enough");
    is(grosr_trace_close(tracing), 0, "closed");
}

int main(void)
{
    run(64, GROSR_OVERFLOW_BLOCK, false, "rings that block");
    run(16, GROSR_OVERFLOW_DROP, false, "rings that drop");
    run(16, GROSR_OVERFLOW_OVERWRITE, false, "rings that are written over");
    run(64, GROSR_OVERFLOW_DROP, true, "while levels switch");
    return tap_done();
}
