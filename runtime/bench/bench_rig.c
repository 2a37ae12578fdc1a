/*
 * A rig's session and its threads on the host device (bench_rig.h).
 */
#include "bench_rig.h"

#include "../../tracer/clock/clock.h"
#include "../../tracer/session/session.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

struct grosr_bench_rig {
    struct grosr_session *session;
    uint32_t capacity;
    struct grosr_bench_launch launch; /* `result` and `span_ns` where the kernel writes them */
    uint32_t *result;
    uint64_t *span_ns;

    /* CUDA */
    struct grosr_bench_rig_cuda *cuda; /* NULL: the host device */
    void *view, *copy;                 /* of the segment, as the device sees it; and in its own memory */

    /* Host */
    struct dev_host_grid *grid;
    enum grosr_bench_recorder recorder;
    enum grosr_bench_length length;
};

static int create_session(struct grosr_bench_rig *r, const struct grosr_bench_rig_options *o)
{
    const struct grosr_device_info *d = o->device;
    struct grosr_session_options s = {
        .device = d->device,
        .device_name = d->name,
        .program = "bench",
        .sms = d->sms,
        .max_warps_per_sm = d->max_warps_per_sm,
        .lanes = d->lanes,
        .device_clock_is_host = !strcmp(d->device, "host"),
        .workers = o->warps,
        .ring_events = o->ring_events,
        .host_ring_events = GROSR_RING_MIN,
        .overflow = o->overflow,
        .level = GROSR_LEVEL_SPANS,
    };
    struct statvfs shm;

    if (statvfs("/dev/shm", &shm) == 0)
        while (s.ring_events > GROSR_RING_MIN &&
               (uint64_t)s.ring_events * o->warps * sizeof(sys128) > (uint64_t)shm.f_bavail * shm.f_bsize / 2)
            s.ring_events /= 2;
    r->capacity = s.ring_events;
    return grosr_session_create(&r->session, &s);
}

int grosr_bench_rig_open(struct grosr_bench_rig **out, const struct grosr_bench_rig_options *o)
{
    struct grosr_bench_rig *r = (struct grosr_bench_rig *)calloc(1, sizeof(*r));
    int err = r ? create_session(r, o) : grosr_fail(ENOMEM, "out of memory");

    if (!err) {
        r->result = (uint32_t *)calloc((size_t)o->warps * o->device->lanes, sizeof(*r->result));
        r->span_ns = (uint64_t *)calloc(o->warps, sizeof(*r->span_ns));
        r->launch.result = r->result;
        r->launch.span_ns = r->span_ns;
        r->launch.peer_mask = r->capacity - 1;
        r->view = r->session->base;
        if (!r->result || !r->span_ns)
            err = grosr_fail(ENOMEM, "out of memory");
        else if (strcmp(o->device->device, "host"))
            err = grosr_bench_rig_cuda_open(&r->cuda, o->device->ordinal, r->session, o->warps, &r->launch,
                                            &r->view, &r->copy);
    }
    if (err)
        grosr_bench_rig_close(r);
    else
        *out = r;
    return err;
}

/* As when the session was made. The device sees what the host wrote before the launch. */
static void empty_rings(struct grosr_bench_rig *r, bool slots)
{
    for (uint32_t i = 0; i < r->session->header.workers; i++) {
        struct grosr_ring *ring = grosr_session_ring(r->session, i);
        sys64 *const words[] = {&ring->checked_to, &ring->dropped,     &ring->markers, &ring->closed_at,
                                &ring->read_to,    &ring->overwritten, &ring->read};
        for (uint32_t k = 0; k < sizeof(words) / sizeof(words[0]); k++)
            sys_store_relaxed(words[k], 0);
        if (slots)
            memset(r->session->base + r->session->ring[i].slots_at, 0, r->capacity * sizeof(sys128));
    }
}

/* The host's kernels: constants choose the recorder, as in bench.cu. */
static void warp_main(void *arg, uint32_t warp)
{
    const struct grosr_bench_rig *r = (const struct grosr_bench_rig *)arg;

#define KERNEL(name, which, steps)                      \
    if (r->recorder == (which) && r->length == (steps)) \
        grosr_bench_emit_run(&r->launch, which, steps, warp);
    GROSR_BENCH_EMIT_KERNELS(KERNEL)
#undef KERNEL
    if (r->recorder == GROSR_BENCH_FLOOD)
        grosr_bench_flood_run(&r->launch, warp);
}

int grosr_bench_rig_start(struct grosr_bench_rig *r, const struct grosr_bench_rig_run *run)
{
    struct grosr_session_header *h = grosr_session_live(r->session);

    empty_rings(r, run->clear);
    sys_store_relaxed(&h->level, run->level);
    r->launch.trace = grosr_session_trace(r->session, run->in_device_memory ? r->copy : r->view);
    r->launch.warps = run->blocks * run->warps_per_block;
    r->launch.steps = run->steps;
    if (r->cuda)
        return grosr_bench_rig_cuda_start(r->cuda, run, &r->launch);
    r->recorder = run->recorder;
    r->length = run->length;
    return dev_host_launch(&r->grid, r->launch.warps, run->warps_per_block, warp_main, r);
}

int grosr_bench_rig_wait(struct grosr_bench_rig *r, uint64_t timeout_ns)
{
    uint64_t start = grosr_host_clock_ns();
    uint32_t step = 0;

    if (r->cuda)
        return grosr_bench_rig_cuda_wait(r->cuda, timeout_ns, r->result, r->span_ns);
    while (dev_host_running(r->grid)) {
        if (grosr_host_clock_ns() - start > timeout_ns)
            return -ETIMEDOUT;
        dev_backoff(&step);
    }
    dev_host_join(r->grid);
    r->grid = NULL;
    return 0;
}

struct grosr_session *grosr_bench_rig_session(struct grosr_bench_rig *r)
{
    return r->session;
}

uint32_t grosr_bench_rig_capacity(const struct grosr_bench_rig *r)
{
    return r->capacity;
}

const uint32_t *grosr_bench_rig_results(const struct grosr_bench_rig *r)
{
    return r->result;
}

const uint64_t *grosr_bench_rig_spans(const struct grosr_bench_rig *r)
{
    return r->span_ns;
}

void grosr_bench_rig_close(struct grosr_bench_rig *r)
{
    if (!r)
        return;
    grosr_bench_rig_cuda_close(r->cuda);
    grosr_session_close(r->session);
    free(r->result);
    free(r->span_ns);
    free(r);
}
