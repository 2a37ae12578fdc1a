/*
 * A process with a GPU memory allocator that is made up: it hosts a session of two workers and publishes
 * counters and events that are known, a step further at each SIGUSR1:
 *
 *     0    nothing is published
 *     1    counters: two classes, one large block
 *     2    events of both workers; other counters, with failures and bad frees
 *     3    the session is closed, and the process ends
 *
 * "none" as argument: the session has no heap.
 */
#include "../../tracer/base/error.h"
#include "../../tracer/base/host_clock.h"
#include "../../tracer/session/emit.h"
#include "../../tracer/session/heap_counters.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

#define WORKERS 2
#define CHUNK   65536u

static struct grosr_session *session;
static struct grosr_emitter emitter[WORKERS + 1]; /* the last: the host's ring */
static struct grosr_emit_ring ring[WORKERS + 1];
static uint64_t now;

static int fail(void)
{
    fprintf(stderr, "heap: %s\n", grosr_error());
    return 1;
}

static int open_session(bool has_heap)
{
    static const char *const functions[] = {"build", "walk"};
    struct grosr_session_options o = {.device = "host",
                                      .device_name = "made up",
                                      .program = "heap",
                                      .sms = 1,
                                      .max_warps_per_sm = WORKERS,
                                      .lanes = 1,
                                      .device_clock_is_host = true,
                                      .workers = WORKERS,
                                      .ring_events = 256,
                                      .host_ring_events = 8,
                                      .level = GROSR_LEVEL_FULL,
                                      .functions = functions,
                                      .function_count = 2,
                                      .heaps = has_heap};
    if (grosr_session_create(&session, &o))
        return fail();
    struct grosr_trace trace = grosr_session_trace(session, session->base);
    for (uint32_t i = 0; i <= WORKERS; i++)
        grosr_emit_open(&emitter[i], &ring[i], &trace, i);
    return 0;
}

static void event(uint32_t worker, uint32_t kind, uint64_t payload)
{
    grosr_emit_at(&emitter[worker], kind, payload, now += 1000);
}

static uint64_t block(uint64_t class_, uint64_t bytes, uint64_t offset)
{
    return class_ << 50 | bytes << 34 | offset / 16;
}

static uint64_t field48(uint64_t high, uint64_t low)
{
    return high << 48 | low;
}

static struct grosr_heap_counters first_counters(void)
{
    struct grosr_heap_counters c = {.arena_bytes = 64 * CHUNK,
                                    .chunk_bytes = CHUNK,
                                    .classes = 2,
                                    .time_ns = grosr_host_clock_ns(),
                                    .free_chunks = 57,
                                    .empty_chunks = 1,
                                    .slab_chunks = 3,
                                    .large_chunks = 4,
                                    .chunks_max = 8,
                                    .largest_bytes = 32 * CHUNK};
    c.large.live = c.large.mallocs = 1;
    c.large.requested = 3 * CHUNK + 1;
    c.class_[0] = (struct grosr_heap_class){64, 1024, 2, 2, 1000, 1500, 500, 1500 * 48, 0};
    c.class_[1] = (struct grosr_heap_class){1024, 64, 1, 1, 20, 20, 0, 20 * 512, 0};
    return c;
}

static void publish(struct grosr_heap_counters c)
{
    grosr_heap_publish(session, 0, &c);
}

static void emit_all(void)
{
    event(0, GROSR_EV_WORKER_START, 0);
    event(1, GROSR_EV_WORKER_START, 0);
    event(0, GROSR_EV_HEAP_TASK, grosr_payload_task(0, 1));
    event(0, GROSR_EV_SLAB_ACQUIRE, field48(0, 5));
    event(0, GROSR_EV_MALLOC, block(0, 40, 5 * CHUNK));
    event(0, GROSR_EV_MALLOC, block(0, 60, 5 * CHUNK + 64));
    event(0, GROSR_EV_LARGE_MALLOC, (uint64_t)49 << 28 | 8); /* 3 chunks and a page of 4096 */
    event(1, GROSR_EV_HEAP_TASK, grosr_payload_task(1, 2));
    event(1, GROSR_EV_FREE, block(0, 0, 5 * CHUNK));
    event(1, GROSR_EV_HEAP_ERROR, field48(GROSR_HEAP_FREE_TWICE, 5 * CHUNK));
    event(1, GROSR_EV_HEAP_ERROR, field48(GROSR_HEAP_NO_MEMORY, 100 * CHUNK));
    event(0, GROSR_EV_WORKER_STOP, 0);
    event(1, GROSR_EV_WORKER_STOP, 0);
}

static void second_step(void)
{
    struct grosr_heap_counters c = first_counters();

    c.flags = GROSR_HEAP_DEBUG;
    c.large.failures = 1;
    c.class_[1].failures = 2;
    c.bad.twice = 1;
    c.errors = 2;
    c.error[0] = (struct grosr_heap_error){now, 1, GROSR_HEAP_FREE_TWICE, 2, 5 * CHUNK};
    c.error[1] = (struct grosr_heap_error){now, 1, GROSR_HEAP_NO_MEMORY, GROSR_HEAP_NO_TASK, 100 * CHUNK};
    c.largest_bytes = 8 * CHUNK;
    publish(c);
}

int main(int argc, char **argv)
{
    bool has_heap = argc < 2 || strcmp(argv[1], "none") != 0;
    sigset_t usr1;
    int number;

    sigemptyset(&usr1);
    sigaddset(&usr1, SIGUSR1);
    sigprocmask(SIG_BLOCK, &usr1, NULL);
    if (open_session(has_heap))
        return 1;
    now = grosr_host_clock_ns();
    puts("ready");
    fflush(stdout);
    sigwait(&usr1, &number);
    if (has_heap)
        publish(first_counters());
    sigwait(&usr1, &number);
    if (has_heap) {
        emit_all();
        second_step();
    }
    sigwait(&usr1, &number);
    for (int i = 0; i <= WORKERS; i++)
        grosr_emit_close(&emitter[i]);
    /* Pairs with the load in can_end(). */
    sys_store_release(&grosr_session_live(session)->state, (uint32_t)GROSR_SESSION_CLOSED);
    grosr_session_close(session);
    return 0;
}
