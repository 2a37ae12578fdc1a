/*
 * Threads that call, launch and record at full speed, and a reader beside them: no call and no launch that it
 * reads is made of two, and in the end every launch has been counted once.
 */
#include "../fixture.h"

#include "../../tracer/session/outstanding.h"

#include <pthread.h>
#include <sched.h>

#define THREADS 3u
#define AHEAD   8u /* launches whose record comes later */

static struct grosr_session *session;
static uint32_t rounds;

static uint32_t correlation_of(uint32_t thread, uint32_t i)
{
    return i * THREADS + thread + 1;
}

/* All words follow from the number. */
static struct grosr_launch launch_of(uint32_t correlation, uint32_t stream)
{
    return (struct grosr_launch){.kind = GROSR_LAUNCH_KERNEL,
                                 .correlation = correlation,
                                 .issued_ns = correlation,
                                 .bytes = correlation * 3u,
                                 .stream = stream,
                                 .tid = correlation * 5u,
                                 .name = correlation * 7u,
                                 .shared_bytes = correlation * 11u};
}

static void *program(void *arg)
{
    uint32_t thread = *(uint32_t *)arg;

    for (uint32_t i = 0; i < rounds; i++) {
        uint32_t n = correlation_of(thread, i);
        const struct grosr_call c = {
            .start_ns = n, .handle = n * 3u, .name = n * 5u, .tid = n * 7u, .correlation = n * 11u};
        struct grosr_launch l = launch_of(n, thread % 2);
        grosr_call_enter(session, thread, &c);
        uint32_t slot = grosr_launch_begin(session, &l);
        grosr_launch_returned(session, slot, &l, n, i % 7 != 0);
        grosr_call_leave(session, thread);
        if (i >= AHEAD && (i - AHEAD) % 7 != 0)
            grosr_launch_recorded(session, GROSR_LAUNCH_KERNEL, correlation_of(thread, i - AHEAD), n);
        if (i % 64 == 0)
            sched_yield();
    }
    for (uint32_t i = rounds - AHEAD; i < rounds; i++)
        if (i % 7 != 0)
            grosr_launch_recorded(session, GROSR_LAUNCH_KERNEL, correlation_of(thread, i), 1);
    return NULL;
}

static void look(uint64_t *read, uint64_t *torn)
{
    struct grosr_call c;
    struct grosr_launch l;

    for (uint32_t i = 0; i < grosr_outstanding_calls(session); i++) {
        if (!grosr_call_read(session, i, &c))
            continue;
        uint32_t n = (uint32_t)c.start_ns;
        ++*read;
        *torn += c.handle != n * 3u || c.name != n * 5u || c.tid != n * 7u || c.correlation != n * 11u;
    }
    for (uint32_t i = 0; i < session->header.launch_slots; i++) {
        if (!grosr_launch_read(session, i, &l))
            continue;
        uint32_t n = l.correlation;
        ++*read;
        *torn += l.issued_ns != n || l.bytes != n * 3u || l.tid != n * 5u || l.name != n * 7u ||
                 l.shared_bytes != n * 11u;
    }
}

int main(void)
{
    struct grosr_session_options o = {.device = "process",
                                      .device_name = "test",
                                      .program = "test",
                                      .lanes = 1,
                                      .host_ring_events = 8,
                                      .streams = 1,
                                      .stream_bytes = 4096,
                                      .call_slots = THREADS,
                                      .launch_slots = 128,
                                      .cuda_streams = 4,
                                      .text_bytes = 64};
    pthread_t thread[THREADS];
    uint32_t number[THREADS];
    uint64_t read = 0, torn = 0;

    if (grosr_session_create(&session, &o)) {
        printf("Bail out! %s\n", grosr_error());
        return 1;
    }
    rounds = 100000;
    grosr_cuda_stream_add(session, 100, 1, 1, 1);
    grosr_cuda_stream_add(session, 101, 2, 1, 2);
    for (uint32_t i = 0; i < THREADS; i++) {
        number[i] = i;
        pthread_create(&thread[i], NULL, program, &number[i]);
    }
    struct grosr_outstanding *counters = grosr_session_outstanding(session);
    while (dev_load_relaxed(&counters->issued[GROSR_LAUNCH_KERNEL]) < rounds) {
        look(&read, &torn);
        sched_yield();
    }
    for (uint32_t i = 0; i < THREADS; i++)
        pthread_join(thread[i], NULL);
    look(&read, &torn);
    ok(read > 0, "read beside the writers: %llu calls and launches", (unsigned long long)read);
    is(torn, 0, "none of them of two");
    is(grosr_outstanding_kernels(session), 0, "every launch has been recorded");
    is(dev_load_relaxed(&counters->unmatched), dev_load_relaxed(&counters->unslotted),
       "those without a slot as often as they were counted");
    grosr_session_close(session);
    return tap_done();
}
