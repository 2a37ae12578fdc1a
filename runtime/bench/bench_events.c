/*
 * Made-up events for the experiment `store` (bench_events.h). A small generator with a fixed seed makes the
 * same events in every run.
 */
#include "bench_events.h"

#include "../../tracer/base/error.h"
#include "../../tracer/session/event.h"
#include "../../tracer/session/ring.h"

#include <errno.h>
#include <stdlib.h>

static uint64_t seed = 1;

static uint64_t below(uint64_t n)
{
    seed = seed * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (seed >> 33) % n;
}

static int put(struct grosr_bench_events *e, uint32_t ring, uint32_t kind, uint64_t payload, uint64_t time_ns)
{
    struct grosr_bench_ring_events *r = &e->ring[ring];

    if (r->count == r->room) {
        uint64_t room = r->room ? 2 * r->room : 4096;
        struct grosr_pair *more = (struct grosr_pair *)realloc(r->event, room * sizeof(*more));
        if (!more)
            return grosr_fail(ENOMEM, "out of memory for %llu events", (unsigned long long)room);
        r->event = more;
        r->room = room;
    }
    r->event[r->count++] = grosr_event_pack(0, kind, time_ns, payload);
    e->events++;
    return 0;
}

/* A worker's group of tasks, first .. first + n - 1. */
static int put_group(struct grosr_bench_events *e, uint32_t ring, uint64_t first, uint32_t n,
                     uint64_t *time_ns)
{
    const uint64_t wait = grosr_payload_wait(GROSR_RES_QUEUE_NOT_EMPTY, 0);
    uint64_t step = e->warps ? 32 : 10, run_ns;
    int err = put(e, ring, GROSR_EV_WAIT_BEGIN, wait, *time_ns += 8 * step);

    *time_ns += step * (100 + below(200));
    if (!err)
        err = put(e, ring, GROSR_EV_WAIT_END, wait, *time_ns);
    for (uint32_t i = 0; i < n && !err; i++) {
        *time_ns += e->warps ? 0 : step * (10 + below(4) + (below(64) ? 0 : below(300)));
        err = put(e, ring, GROSR_EV_TASK_BEGIN, grosr_payload_task(1 + i % 2, first + i), *time_ns);
        if (!e->warps) {
            *time_ns += run_ns = step * (3 + below(3));
            e->run_ns += run_ns;
            if (!err)
                err = put(e, ring, GROSR_EV_TASK_END, grosr_payload_task(0, first + i), *time_ns);
        }
    }
    if (e->warps) {
        *time_ns += run_ns = step * (8 + below(4));
        e->run_ns += n * run_ns;
    }
    for (uint32_t i = 0; i < n && !err && e->warps; i++)
        err = put(e, ring, GROSR_EV_TASK_END, grosr_payload_task(0, first + i), *time_ns);
    e->waits++;
    return err;
}

/* Tasks go to the workers in turn; each group is enqueued just before. */
int grosr_bench_events_make(struct grosr_bench_events *e)
{
    uint32_t workers = e->rings - 1;
    uint64_t *time_ns = (uint64_t *)malloc(workers * sizeof(*time_ns));
    uint64_t start = (e->session->header.start_mono_ns + 1000000) & ~UINT64_C(31), n;
    int err;

    e->ring = (struct grosr_bench_ring_events *)calloc(e->rings, sizeof(*e->ring));
    err = time_ns && e->ring ? 0 : grosr_fail(ENOMEM, "out of memory");
    for (uint32_t i = 0; i < workers && !err; i++)
        time_ns[i] = start;
    for (uint64_t first = 0, group = 0; first < e->tasks && !err; first += n, group++) {
        uint32_t worker = (uint32_t)(group % workers);
        n = e->tasks - first < GROSR_BENCH_GROUP ? e->tasks - first : GROSR_BENCH_GROUP;
        err = put(e, workers, GROSR_EV_TASK_ENQUEUE, grosr_payload_task((uint32_t)n, first),
                  time_ns[worker] - below(900));
        if (!err)
            err = put_group(e, worker, first, (uint32_t)n, &time_ns[worker]);
    }
    e->near_ns = start;
    free(time_ns);
    return err;
}

void grosr_bench_events_write(struct grosr_bench_events *e, uint32_t index)
{
    const struct grosr_ring_layout *layout = &e->session->ring[index];
    sys128 *slots = (sys128 *)(void *)(e->session->base + layout->slots_at);
    struct grosr_bench_ring_events *r = &e->ring[index];

    for (uint32_t i = 0; i < layout->capacity && r->written < r->count; i++, r->written++) {
        uint64_t position = r->base + r->written;
        uint64_t lap = (position / layout->capacity + 1) << GROSR_LAP_SHIFT;
        struct grosr_pair event = r->event[r->written];
        sys_store_pair_relaxed(&slots[position % layout->capacity], event.lo | lap, event.hi | lap);
    }
    sys_store_relaxed(&grosr_session_ring(e->session, index)->checked_to, r->base + r->written);
}

void grosr_bench_events_free(struct grosr_bench_events *e)
{
    for (uint32_t i = 0; e->ring && i < e->rings; i++)
        free(e->ring[i].event);
    free(e->ring);
    e->ring = NULL;
}
