/*
 * CUPTI's activity records into ours (cuda_parts.h). CUPTI asks for buffers and gives them back filled, on
 * threads of its own or on the program's; small ones come back soon. Times are CLOCK_MONOTONIC: CUPTI reads
 * our clock.
 *
 * When the collector falls behind, its streams are full: then a buffer waits a while, which holds up CUPTI's
 * delivery and not the program.
 */
#include "cuda_parts.h"

#include "../clock/clock.h"
#include "../session/outstanding.h"
#include "../base/time_limits.h"

#include <stdlib.h>
#include <string.h>
#include <time.h>

#define BUFFER_BYTES (64u * 1024)

static dev64 dropped, untimed;

static void CUPTIAPI request(uint8_t **buffer, size_t *size, size_t *records)
{
    *buffer = (uint8_t *)aligned_alloc(8, BUFFER_BYTES);
    *size = *buffer ? BUFFER_BYTES : 0;
    *records = 0;
}

void activity_write(struct inject_thread *t, const struct grosr_piece *pieces, unsigned count)
{
    const struct timespec pause = {0, 200000};
    uint64_t since = 0;

    while (!inject_try_write(t, pieces, count)) {
        uint64_t now = grosr_host_clock_ns();
        since = since ? since : now;
        if (now - since > GROSR_STREAM_ROOM_TIMEOUT_NS) {
            inject_write(t, pieces, count); /* counts it as dropped */
            return;
        }
        nanosleep(&pause, NULL);
    }
}

static void write_one(struct inject_thread *t, const void *record, size_t bytes)
{
    const struct grosr_piece piece = {record, bytes};
    activity_write(t, &piece, 1);
}

static void add_kernel(struct inject_thread *t, const CUpti_ActivityKernel10 *k)
{
    const struct kernel_name *name = kernel_name(k->name ? k->name : "");
    struct grosr_record_cuda_kernel r = {
        .head = {0, GROSR_RECORD_CUDA_KERNEL},
        .start = k->start,
        .end = k->end,
        .device = k->deviceId,
        .context = k->contextId,
        .stream = k->streamId,
        .correlation = k->correlationId,
        .grid = {(uint32_t)k->gridX, (uint32_t)k->gridY, (uint32_t)k->gridZ},
        .block = {(uint32_t)k->blockX, (uint32_t)k->blockY, (uint32_t)k->blockZ},
        .registers_per_thread = k->registersPerThread,
        .static_shared_bytes = (uint32_t)k->staticSharedMemory,
        .dynamic_shared_bytes = (uint32_t)k->dynamicSharedMemory,
        .local_bytes = k->localMemoryPerThread,
        .grid_id = k->gridId,
        .graph_node = k->graphNodeId,
        .state = GROSR_CUDA_KERNEL_RAN,
    };

    if (!k->start) /* spoilt by somebody's forced flush: it has not ended, and gets no other */
        return;
    launch_recorded(GROSR_LAUNCH_KERNEL, k->correlationId);
    if (name && k->end > k->start) {
        uint32_t text = inject_text(name->full);
        grosr_ran_add(inject_session(), grosr_ran_key(text, r.grid, r.block), k->end - k->start);
        if (room_fits(name, r.grid, r.block, r.dynamic_shared_bytes, r.context))
            grosr_ran_add(inject_session(), grosr_fitting_key(text, r.block), k->end - k->start);
    }
    if (name) {
        r.mangled_name = inject_string_number(t, name->mangled);
        r.full_name = inject_string_number(t, name->full);
        r.name = inject_string_number(t, name->brief);
    }
    write_one(t, &r, sizeof(r));
}

/* What the records of copies and fills have in common. */
#define OP(a, record_kind)                                                                   \
    .head = {0, record_kind}, .start = (a)->start, .end = (a)->end, .device = (a)->deviceId, \
    .context = (a)->contextId, .stream = (a)->streamId, .correlation = (a)->correlationId,   \
    .bytes = (a)->bytes, .graph_node = (a)->graphNodeId

static void add_memcpy(struct inject_thread *t, const CUpti_ActivityMemcpy6 *m)
{
    const struct grosr_record_cuda_op r = {OP(m, GROSR_RECORD_CUDA_MEMCPY), .kind = m->copyKind,
                                           .from = m->srcKind, .to = m->dstKind};
    launch_recorded(GROSR_LAUNCH_MEMCPY, m->correlationId);
    write_one(t, &r, sizeof(r));
}

static void add_peer_memcpy(struct inject_thread *t, const CUpti_ActivityMemcpyPtoP4 *m)
{
    const struct grosr_record_cuda_op r = {OP(m, GROSR_RECORD_CUDA_MEMCPY), .kind = m->copyKind,
                                           .from = m->srcKind, .to = m->dstKind};
    launch_recorded(GROSR_LAUNCH_MEMCPY, m->correlationId);
    write_one(t, &r, sizeof(r));
}

static void add_memset(struct inject_thread *t, const CUpti_ActivityMemset4 *m)
{
    const struct grosr_record_cuda_op r = {OP(m, GROSR_RECORD_CUDA_MEMSET), .to = m->memoryKind,
                                           .value = m->value};
    launch_recorded(GROSR_LAUNCH_MEMSET, m->correlationId);
    write_one(t, &r, sizeof(r));
}

/* Its record stands for those of its kernels (GROSR_LAUNCH_WHOLE). */
static void add_graph(struct inject_thread *t, const CUpti_ActivityGraphTrace2 *g)
{
    struct inject_string *name = graph_launch_name(g->correlationId);
    const struct grosr_record_cuda_graph r = {.head = {0, GROSR_RECORD_CUDA_GRAPH},
                                              .start = g->start,
                                              .end = g->end,
                                              .device = g->deviceId,
                                              .context = g->contextId,
                                              .stream = g->streamId,
                                              .correlation = g->correlationId,
                                              .graph = g->graphId,
                                              .name = name ? inject_string_number(t, name) : 0};

    launch_recorded(GROSR_LAUNCH_KERNEL, g->correlationId);
    if (g->start)
        write_one(t, &r, sizeof(r));
    else
        dev_add_relaxed(&untimed, 1);
}

static void add_sync(struct inject_thread *t, const CUpti_ActivitySynchronization2 *s)
{
    const struct grosr_record_cuda_op r = {
        .head = {0, GROSR_RECORD_CUDA_SYNC},
        .start = s->start,
        .end = s->end,
        .context = s->contextId,
        .stream = s->streamId,
        .correlation = s->correlationId,
        .kind = (uint32_t)s->type,
        .value = s->cudaEventId,
    };
    write_one(t, &r, sizeof(r));
}

/* CUPTI does not give a device's place on PCI. The driver looks it up without a context or a lock of one. */
static void find_bus(struct inject_thread *t, struct grosr_gpu *gpu)
{
    CUstreamCaptureMode mode = driver_relax();
    bool ours = t->ours;

    t->ours = true;
    if (driver.device_pci(gpu->bus, (int)sizeof(gpu->bus), (CUdevice)gpu->id) != CUDA_SUCCESS)
        memset(gpu->bus, 0, sizeof(gpu->bus));
    t->ours = ours;
    driver_restore(mode);
}

static void add_device(struct inject_thread *t, const CUpti_ActivityDevice5 *d)
{
    const char *name = d->name ? d->name : "";
    struct grosr_record_cuda_device r = {
        .head = {0, GROSR_RECORD_CUDA_DEVICE},
        .gpu = {.memory_bytes = d->globalMemorySize,
                .memory_bytes_per_s = d->globalMemoryBandwidth * 1000,
                .id = d->id,
                .sms = d->numMultiprocessors,
                .clock_khz = d->coreClockRate,
                .l2_bytes = d->l2CacheSize,
                .constant_bytes = d->constantMemorySize,
                .major = d->computeCapabilityMajor,
                .minor = d->computeCapabilityMinor,
                .lanes = d->numThreadsPerWarp,
                .sm_warps = d->maxWarpsPerMultiprocessor,
                .sm_blocks = d->maxBlocksPerMultiprocessor,
                .sm_registers = d->maxRegistersPerMultiprocessor,
                .sm_shared_bytes = d->maxSharedMemoryPerMultiprocessor,
                .block_threads = d->maxThreadsPerBlock,
                .block_registers = d->maxRegistersPerBlock,
                .block_shared_bytes = d->maxSharedMemoryPerBlock,
                .copy_engines = d->numMemcpyEngines},
        .text_bytes = (uint32_t)strnlen(name, GROSR_RECORD_TEXT_MAX),
    };
    memcpy(r.gpu.uuid, &d->uuid, sizeof(r.gpu.uuid));
    find_bus(t, &r.gpu);
    const struct grosr_piece pieces[] = {{&r, sizeof(r)}, {name, r.text_bytes}};
    activity_write(t, pieces, 2);
}

static void add_context(struct inject_thread *t, const CUpti_ActivityContext3 *c)
{
    const struct grosr_record_cuda_context r = {.head = {0, GROSR_RECORD_CUDA_CONTEXT},
                                                .context = c->contextId,
                                                .device = c->deviceId,
                                                .null_stream = c->nullStreamId};
    write_one(t, &r, sizeof(r));
}

static void add(struct inject_thread *t, const CUpti_Activity *a)
{
    const void *record = a;

    switch (a->kind) {
    case CUPTI_ACTIVITY_KIND_KERNEL:
    case CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL:
        add_kernel(t, (const CUpti_ActivityKernel10 *)record);
        break;
    case CUPTI_ACTIVITY_KIND_MEMCPY:
        add_memcpy(t, (const CUpti_ActivityMemcpy6 *)record);
        break;
    case CUPTI_ACTIVITY_KIND_MEMCPY2:
        add_peer_memcpy(t, (const CUpti_ActivityMemcpyPtoP4 *)record);
        break;
    case CUPTI_ACTIVITY_KIND_MEMSET:
        add_memset(t, (const CUpti_ActivityMemset4 *)record);
        break;
    case CUPTI_ACTIVITY_KIND_GRAPH_TRACE:
        add_graph(t, (const CUpti_ActivityGraphTrace2 *)record);
        break;
    case CUPTI_ACTIVITY_KIND_SYNCHRONIZATION:
        add_sync(t, (const CUpti_ActivitySynchronization2 *)record);
        break;
    case CUPTI_ACTIVITY_KIND_DEVICE:
        add_device(t, (const CUpti_ActivityDevice5 *)record);
        break;
    case CUPTI_ACTIVITY_KIND_CONTEXT:
        add_context(t, (const CUpti_ActivityContext3 *)record);
        break;
    default:
        break;
    }
}

static void CUPTIAPI complete(CUcontext context, uint32_t stream, uint8_t *buffer, size_t size, size_t valid)
{
    struct inject_thread *t = inject_enter();
    CUpti_Activity *a = NULL;
    size_t lost = 0;

    (void)size;
    while (t && cupti.next_record(buffer, valid, &a) == CUPTI_SUCCESS)
        add(t, a);
    if (cupti.dropped(context, stream, &lost) == CUPTI_SUCCESS && lost)
        dev_add_relaxed(&dropped, lost);
    if (t)
        inject_leave(t);
    free(buffer);
}

static uint64_t CUPTIAPI clock_ns(void)
{
    return grosr_host_clock_ns();
}

CUptiResult activity_start(void)
{
    /* The launch that a record is of; 0: of none. Synchronization is with copies: neither goes with samples.
     */
    static const struct {
        CUpti_ActivityKind kind;
        uint32_t launch;
    } kinds[] = {
        {CUPTI_ACTIVITY_KIND_DEVICE, 0},
        {CUPTI_ACTIVITY_KIND_CONTEXT, 0},
        {CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL, GROSR_LAUNCH_KERNEL},
        {CUPTI_ACTIVITY_KIND_MEMCPY, GROSR_LAUNCH_MEMCPY},
        {CUPTI_ACTIVITY_KIND_MEMCPY2, GROSR_LAUNCH_MEMCPY},
        {CUPTI_ACTIVITY_KIND_MEMSET, GROSR_LAUNCH_MEMSET},
        {CUPTI_ACTIVITY_KIND_SYNCHRONIZATION, GROSR_LAUNCH_MEMCPY},
    };
    CUptiResult code = cupti.register_callbacks(request, complete);

    if (code == CUPTI_SUCCESS)
        code = cupti.register_clock(clock_ns);
    for (size_t i = 0; code == CUPTI_SUCCESS && i < sizeof(kinds) / sizeof(kinds[0]); i++)
        if (!kinds[i].launch || launch_has_record(kinds[i].launch))
            code = cupti.enable(kinds[i].kind);
    if (code == CUPTI_SUCCESS && launch_graphs_whole())
        code = cupti.enable(CUPTI_ACTIVITY_KIND_GRAPH_TRACE);
    if (code == CUPTI_SUCCESS)
        code = cupti.flush_period(50);
    return code;
}

uint64_t activity_dropped(void)
{
    return dev_load_relaxed(&dropped);
}

uint64_t activity_untimed(void)
{
    return dev_load_relaxed(&untimed);
}
