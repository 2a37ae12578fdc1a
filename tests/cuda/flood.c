/*
 * Events at full rate through the rings of many warps, from a kernel that does nothing else, and readers that
 * know what each event must say: its payload is a hash of its ring and number (bench_emit.h). Under `block`
 * nothing is lost; under `drop` what is lost is counted, and its place marked, to the event.
 *
 *     flood [EVENTS [DEVICE]]        by default 20,000,000 on a GPU
 *
 * SIGINT and SIGTERM stop the kernel through the session's `stop`; what was written until then is checked all
 * the same.
 */
#include "../tap.h"

#include "../../runtime/bench/bench_rig.h"
#include "../../tracer/clock/clock.h"
#include "../../tracer/session/ring.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#define WARPS_PER_SM 8u
#define RING_EVENTS  4096u
#define READERS_MAX  64u
#define AT_ONCE      512u
#define LOOK_NS      100000000u /* between looks at a signal */
#define TIMEOUT_NS   (UINT64_C(20) * 1000000000u)

static volatile sig_atomic_t stopped;

static void on_signal(int number)
{
    (void)number;
    stopped = 1;
}

/* What a ring's reader has come to. */
struct ring_check {
    struct grosr_ring_reader reader;
    uint64_t next; /* number of the event that comes next */
    uint64_t lost; /* as markers tell */
    uint64_t time; /* of the latest event */
    bool ended;
};

struct checker {
    struct grosr_session *session;
    struct ring_check *ring; /* [rings], those of its turn are its own */
    uint32_t rings, index, step;
    uint64_t wrong, disorder;
    const sys32 *give_up;
    pthread_t thread;
};

static uint32_t check_ring(struct checker *c, uint32_t index)
{
    struct ring_check *r = &c->ring[index];
    struct grosr_pair record[AT_ONCE];
    uint64_t first;
    uint32_t n = grosr_ring_read(&r->reader, record, AT_ONCE, &first);

    for (uint32_t i = 0; i < n; i++) {
        uint64_t payload = grosr_event_payload(record[i]), time = grosr_event_time(record[i]);
        if (grosr_event_kind(record[i]) == GROSR_EV_LOST) { /* stamped later than the event behind it */
            r->lost += payload;
            r->next += payload;
            continue;
        }
        c->wrong += payload != grosr_bench_flood_payload(index, r->next) ||
                    grosr_event_kind(record[i]) != GROSR_EV_INSTANT;
        c->disorder += time < r->time;
        r->time = time;
        r->next++;
    }
    if (n == 0)
        r->ended = grosr_ring_at_end(&r->reader);
    return n;
}

/* Rings index, index + step, ... to their ends. */
static void *check_rings(void *arg)
{
    struct checker *c = (struct checker *)arg;

    for (bool left = true; left && !sys_load_relaxed(c->give_up);) {
        uint32_t n = 0;
        left = false;
        for (uint32_t i = c->index; i < c->rings; i += c->step) {
            if (c->ring[i].ended)
                continue;
            n += check_ring(c, i);
            left = true;
        }
        if (!n)
            sched_yield();
    }
    return NULL;
}

/* Waits for the kernel; a signal stops it, and so does a kernel that takes too long. */
static int await(struct grosr_bench_rig *rig, uint64_t timeout_ns)
{
    struct grosr_session_header *h = grosr_session_live(grosr_bench_rig_session(rig));
    uint64_t start = grosr_host_clock_ns();
    int err;

    while ((err = grosr_bench_rig_wait(rig, LOOK_NS)) == -ETIMEDOUT) {
        uint64_t passed = grosr_host_clock_ns() - start;
        if (stopped || passed > timeout_ns)
            sys_store_relaxed(&h->stop, 1);
        if (passed > timeout_ns + TIMEOUT_NS)
            return err;
    }
    return err;
}

static void flood(const struct grosr_device_info *device, enum grosr_overflow overflow, const char *name,
                  uint64_t events)
{
    uint32_t per_sm = strcmp(device->device, "host") ? WARPS_PER_SM : 1;
    struct grosr_bench_rig_options o = {device, device->sms * per_sm, RING_EVENTS, overflow};
    struct grosr_bench_rig_run run = {
        .recorder = GROSR_BENCH_FLOOD,
        .level = GROSR_LEVEL_SPANS,
        .blocks = device->sms,
        .warps_per_block = per_sm,
        .steps = (uint32_t)((events + o.warps - 1) / o.warps),
    };
    struct grosr_bench_rig *rig = NULL;
    struct ring_check *ring = (struct ring_check *)calloc(o.warps, sizeof(*ring));
    struct checker checker[READERS_MAX];
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);
    uint32_t readers = cpus > (long)READERS_MAX ? READERS_MAX : cpus > 1 ? (uint32_t)cpus : 1;
    uint64_t wrong = 0, disorder = 0, written = 0, read = 0, dropped = 0, overwritten = 0, unbalanced = 0;
    uint64_t untold = 0, uncounted = 0, start;
    sys32 give_up = {0};

    if (!ring || grosr_bench_rig_open(&rig, &o)) {
        printf("Bail out! %s\n", ring ? grosr_error() : "out of memory");
        exit(1);
    }
    struct grosr_session *s = grosr_bench_rig_session(rig);
    grosr_session_set_collector(s, (uint32_t)getpid());
    start = grosr_host_clock_ns();
    if (grosr_bench_rig_start(rig, &run)) {
        printf("Bail out! %s\n", grosr_error());
        exit(1);
    }
    readers = readers < o.warps ? readers : o.warps;
    for (uint32_t i = 0; i < o.warps; i++)
        grosr_ring_reader_open(&ring[i].reader, s, i);
    for (uint32_t i = 0; i < readers; i++) {
        checker[i] = (struct checker){s, ring, o.warps, i, readers, 0, 0, &give_up, 0};
        if (pthread_create(&checker[i].thread, NULL, check_rings, &checker[i])) {
            sys_store_relaxed(&grosr_session_live(s)->stop, 1); /* or the kernel waits for ever */
            printf("Bail out! cannot start a thread\n");
            exit(1);
        }
    }
    /* 2 M events a second is slower than anything that was seen. */
    int err = await(rig, TIMEOUT_NS + events * 500);
    sys_store_relaxed(&give_up, err != 0);
    for (uint32_t i = 0; i < readers; i++) {
        pthread_join(checker[i].thread, NULL);
        wrong += checker[i].wrong;
        disorder += checker[i].disorder;
    }
    double seconds = (double)(grosr_host_clock_ns() - start) * 1e-9;
    is(err, 0, "%s: the kernel has ended", name);
    for (uint32_t i = 0; i < o.warps; i++) {
        struct grosr_ring_counts c;
        grosr_ring_count(s, i, &c);
        written += c.written;
        read += c.read;
        dropped += c.dropped;
        overwritten += c.overwritten;
        unbalanced += !c.closed || c.written != c.read + c.dropped + c.overwritten ||
                      c.read + ring[i].lost != ring[i].next || ring[i].lost > c.dropped;
        /* What was dropped at the very end no marker tells. */
        untold += c.written - ring[i].next;
        uncounted += c.written != grosr_bench_rig_results(rig)[i * device->lanes];
    }
    printf("# %s: %" PRIu64 " events of %u warps in %.3f s, %.1f M/s: %" PRIu64
           " read (%.1f M/s, %u readers), %" PRIu64 " dropped, %" PRIu64
           " of them behind the last one read\n",
           name, written, o.warps, seconds, (double)written / seconds * 1e-6, read,
           (double)read / seconds * 1e-6, readers, dropped, untold);
    is(wrong, 0, "%s: every event read says what it must, and is where it must be", name);
    is(disorder, 0, "%s: no ring's time goes back", name);
    is(unbalanced, 0, "%s: every ring's books balance, and its markers tell of as many as are missing", name);
    is(uncounted, 0, "%s: and are of all that its warp has emitted", name);
    is(written, read + dropped, "%s: %" PRIu64 " written = %" PRIu64 " read + %" PRIu64 " dropped", name,
       written, read, dropped);
    is(overwritten, 0, "%s: nothing is overwritten", name);
    if (overflow == GROSR_OVERFLOW_BLOCK && !stopped)
        is(dropped, 0, "%s: nothing is lost", name);
    if (!stopped)
        ok(written >= events, "%s: all were emitted", name);
    grosr_bench_rig_close(rig);
    free(ring);
}

int main(int argc, char **argv)
{
    uint64_t events = argc > 1 ? strtoull(argv[1], NULL, 10) : 20000000;
    const char *name = argc > 2 ? argv[2] : "cuda";
    struct grosr_device_info device;
    struct sigaction action = {.sa_handler = on_signal};

    if (!strcmp(name, "cuda") && grosr_cuda_absent())
        skip_all(grosr_cuda_absent());
    if (grosr_find_device(name, &device)) {
        printf("Bail out! %s\n", grosr_error());
        return 1;
    }
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    flood(&device, GROSR_OVERFLOW_BLOCK, "block", events);
    if (!stopped)
        flood(&device, GROSR_OVERFLOW_DROP, "drop", events);
    return tap_done();
}
