/*
 * Opening a runtime: the device, the options that it settles, the session, memory, and the persistent kernel.
 *
 * Everything is in place before the kernel is launched. What fails half way is undone by grosr_abandon().
 */
#include "internal.h"
#include "marks.h"

#include "../builtin/built_in.h"

#include "../../tracer/session/fork.h"

#include <errno.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#define HOST_RING_EVENTS   65536u
#define RINGS_BYTES        (64u << 20)
#define RING_EVENTS_MIN    256u
#define WORKERS_PER_PORT   4u /* of a GPU, at least: a worker that polls a port sees other work later */
#define FRAMES_PER_WORKER  2048u
#define FRAMES_MIN         (1u << 18) /* a few workers run the same trees as many */
#define CALL_STREAM_BYTES  (4u << 20) /* for records of system calls: about 50,000 packets */
#define NAME_BYTES         64u        /* of a program, as in the session's header */
#define SPINS_BEFORE_YIELD 20000u     /* on a GPU the answer is a few us away */

/* The options that mean the same on every device. */
static int check_options(const struct grosr_options *o)
{
    if (!o->device || !o->name)
        return grosr_fail(EINVAL, "the option %s is NULL", o->device ? "name" : "device");
    if (strnlen(o->name, NAME_BYTES) == NAME_BYTES)
        return grosr_fail(EINVAL, "the program's name is longer than %u bytes", NAME_BYTES - 1);
    if ((uint32_t)o->level > GROSR_LEVEL_FULL)
        return grosr_fail(EINVAL, "there is no trace level %d", (int)o->level);
    if ((uint32_t)o->overflow > GROSR_OVERFLOW_BLOCK)
        return grosr_fail(EINVAL, "there is no overflow policy %d", (int)o->overflow);
    if (o->heap_flags & ~GROSR_HEAP_DEBUG)
        return grosr_fail(EINVAL, "there are no heap flags %#x", o->heap_flags);
    if ((uint32_t)o->sharing > GROSR_SHARING_ONE_QUEUE)
        return grosr_fail(EINVAL, "there is no way of sharing %d", (int)o->sharing);
    if (o->name_count >= GROSR_NAMES_MAX)
        return grosr_fail(EINVAL, "%u names are more than %u", o->name_count, GROSR_NAMES_MAX - 1);
    if (o->name_count && !o->names)
        return grosr_fail(EINVAL, "%u names, but their array is NULL", o->name_count);
    for (uint32_t i = 0; i < o->name_count; i++)
        if (!o->names[i] || strnlen(o->names[i], GROSR_NAME_BYTES) == GROSR_NAME_BYTES)
            return grosr_fail(EINVAL, "name %u is %s", i, o->names[i] ? "longer than 47 bytes" : "NULL");
    return 0;
}

static int check_program(const struct grosr_program *p)
{
    if (p->launch_bytes != sizeof(struct grosr_launch) || p->local_bytes != sizeof(struct grosr_local))
        return grosr_fail(EINVAL,
                          "the program was compiled with the headers of another version of the library");
    if (p->functions && !p->function)
        return grosr_fail(EINVAL, "the program has %u task functions, but their array is NULL", p->functions);
    for (uint32_t i = 0; i < p->functions; i++) {
        const struct grosr_program_function *f = &p->function[i];
        if (f->id > GROSR_FUNCTION_MAX)
            return grosr_fail(EINVAL, "the id of a task function is 0 to %u, not %u", GROSR_FUNCTION_MAX,
                              f->id);
        if (!f->name || strnlen(f->name, GROSR_NAME_BYTES) == GROSR_NAME_BYTES)
            return grosr_fail(EINVAL, "the name of task function %u is %s", f->id,
                              f->name ? "longer than 47 bytes" : "NULL");
    }
    return 0;
}

static int open_device(grosr *rt, const char *name)
{
    const struct grosr_program *p = rt->program;
    bool automatic = !strcmp(name, "auto");
    int err;

    if ((err = check_program(p)))
        return err;
    if (automatic && !p->cuda_kernel && !p->cuda_fatbin)
        name = "host";
    else if (automatic && !p->host_warp)
        name = "cuda";
    if ((err = grosr_find_device(name, &rt->info)))
        return err;
    rt->ops = strcmp(rt->info.device, "host") ? &grosr_device_cuda : &grosr_device_host;
    return rt->ops->open(&rt->device, rt->info.ordinal, p, &rt->info);
}

/* Events in a ring when nobody asked: the rings together take 64 MiB, but no more than half of what /dev/shm
 * has free (containers often give it 64 MiB in all). */
static uint32_t default_ring(uint32_t workers)
{
    uint64_t bytes = RINGS_BYTES, events;
    struct statvfs shm;

    if (statvfs("/dev/shm", &shm) == 0 && (uint64_t)shm.f_bavail * shm.f_bsize / 2 < bytes)
        bytes = (uint64_t)shm.f_bavail * shm.f_bsize / 2;
    events = bytes / sizeof(sys128) / workers;
    return events < RING_EVENTS_MIN  ? RING_EVENTS_MIN
           : events > GROSR_RING_MAX ? GROSR_RING_MAX
                                     : (uint32_t)events;
}

/* Fills in the device's defaults and checks the ranges. */
static int settle_options(grosr *rt, struct grosr_options *o)
{
    bool host = rt->ops == &grosr_device_host;

    if (host && o->sms > rt->info.max_workers)
        return grosr_fail(EINVAL, "%s count as at most %u SMs, not %u", rt->info.name, rt->info.max_workers,
                          o->sms);
    if (o->sms == 0)
        o->sms = host && o->workers ? o->workers : rt->info.sms;
    else if (!host && o->sms > rt->info.sms)
        return grosr_fail(EINVAL, "%s has %u SMs, not %u", rt->info.name, rt->info.sms, o->sms);
    if (o->workers == 0)
        o->workers = host ? o->sms : rt->info.default_workers / rt->info.sms * o->sms;
    uint32_t max_workers = host ? rt->info.max_workers : rt->info.max_workers / rt->info.sms * o->sms;
    if (o->workers > max_workers && host)
        return grosr_fail(EINVAL, "%s are at most %u workers, not %u", rt->info.name, max_workers,
                          o->workers);
    if (o->workers > max_workers)
        return grosr_fail(EINVAL, "%s runs at most %u workers on %u SMs, not %u", rt->info.name, max_workers,
                          o->sms, o->workers);
    if (o->sms > o->workers)
        o->sms = o->workers;
    if (o->ring_events == 0)
        o->ring_events = default_ring(o->workers);
    if (o->queue_capacity < 2 || o->queue_capacity > 1u << 24 || o->queue_capacity & (o->queue_capacity - 1))
        return grosr_fail(EINVAL, "the queue's capacity is a power of two from 2 to 2^24, not %u",
                          o->queue_capacity);
    while (UINT32_C(1) << rt->capacity_log2 < o->queue_capacity)
        rt->capacity_log2++;
    if (o->frames == 0)
        o->frames = o->workers > FRAMES_MIN / FRAMES_PER_WORKER ? o->workers * FRAMES_PER_WORKER : FRAMES_MIN;
    if (o->frames > GROSR_FRAME_MAX)
        return grosr_fail(EINVAL, "at most %u frames, not %u", GROSR_FRAME_MAX, o->frames);
    if (o->frames < o->workers * rt->info.lanes)
        return grosr_fail(EINVAL, "at least %u frames for %u workers, not %u", o->workers * rt->info.lanes,
                          o->workers, o->frames);
    /* A port's next chunk is at most one lap ahead, so that laps modulo 256 are never ambiguous. */
    rt->ports = host ? o->workers : o->workers / WORKERS_PER_PORT + 1;
    if (rt->ports > GROSR_QUEUE_PORTS_MAX)
        rt->ports = GROSR_QUEUE_PORTS_MAX;
    while (rt->ports > 1 && rt->ports * GROSR_QUEUE_CHUNK > o->queue_capacity)
        rt->ports--;
    return 0;
}

/* More memory than there is can never be had; asked for nevertheless, it might be given and then not be there
 * (overcommit), or its size might overflow. */
static int check_memory(const grosr *rt, const struct grosr_options *o)
{
    struct grosr_device_info host;

    grosr_host_device(&host);
    if (o->shared_bytes > host.memory_bytes)
        return grosr_fail(EINVAL, "%zu bytes of shared memory are more than this machine's %" PRIu64,
                          o->shared_bytes, host.memory_bytes);
    if (o->heap_bytes != GROSR_HEAP_NONE && o->heap_bytes > rt->info.memory_bytes)
        return grosr_fail(EINVAL, "a heap of %zu bytes is more than the %" PRIu64 " of %s", o->heap_bytes,
                          rt->info.memory_bytes, rt->info.name);
    if (o->device_bytes > rt->info.memory_bytes)
        return grosr_fail(EINVAL, "%zu bytes of device memory are more than the %" PRIu64 " of %s",
                          o->device_bytes, rt->info.memory_bytes, rt->info.name);
    return 0;
}

static int create_session(grosr *rt, const struct grosr_options *o, const struct grosr_syscalls *syscalls)
{
    const struct grosr_program *p = rt->program;
    const char **names;
    uint32_t ids = 0;
    int err;

    for (uint32_t i = 0; i < p->functions; i++)
        ids = ids <= p->function[i].id ? p->function[i].id + 1 : ids;
    names = (const char **)calloc(ids + 1, sizeof(*names));
    if (!names)
        return grosr_fail(ENOMEM, "out of memory");
    for (uint32_t i = 0; i < p->functions; i++)
        names[p->function[i].id] = p->function[i].name;
    struct grosr_gpu gpu;
    if (rt->ops->describe)
        rt->ops->describe(rt->device, &gpu);
    struct grosr_session_queue_options queue = {"submit", o->queue_capacity, rt->ports, GROSR_QUEUE_CHUNK};
    struct grosr_session_options s = {
        .device = rt->info.device,
        .device_name = rt->info.name,
        .gpu = rt->ops->describe ? &gpu : NULL,
        .program = o->name,
        .sms = o->sms,
        .max_warps_per_sm =
            rt->ops == &grosr_device_host ? (o->workers + o->sms - 1) / o->sms : rt->info.max_warps_per_sm,
        .lanes = rt->info.lanes,
        .device_clock_is_host = rt->ops->clock_is_host && !dev_clock_is_skewed(),
        .workers = o->workers,
        .ring_events = o->ring_events,
        .host_ring_events = HOST_RING_EVENTS,
        .overflow = o->overflow,
        .level = o->level,
        .functions = names,
        .function_count = ids,
        .names = o->name_count,
        .queues = &queue,
        .queue_count = 1,
        .heaps = o->heap_bytes != GROSR_HEAP_NONE,
        .mailbox_ports = syscalls->ports,
        .mailbox_bytes = syscalls->ports ? grosr_mailbox_table_bytes(syscalls->ports) : 0,
        .streams = syscalls->ports ? 1 : 0,
        .stream_bytes = CALL_STREAM_BYTES,
    };
    err = grosr_session_create(&rt->session, &s);
    free(names);
    for (uint32_t i = 0; !err && i < o->name_count; i++)
        err = grosr_session_add_name(rt->session, GROSR_NAME_USER, i, o->names[i], NULL);
    return err;
}

/* Memory for what workers share with each other. */
static int allocate_shares(grosr *rt, struct grosr_launch *l)
{
    struct {
        void **memory;
        size_t bytes;
    } blocks[] = {
        {(void **)&l->control, sizeof(*l->control)},
        {(void **)&l->ends, (GROSR_SHARE_INBOX + l->workers) * sizeof(*l->ends)},
        {(void **)&l->overflow_slots, sizeof(dev256) << GROSR_OVERFLOW_CAPACITY_LOG2},
        {(void **)&l->urgent_slots, sizeof(dev256) << GROSR_URGENT_CAPACITY_LOG2},
        {(void **)&l->inbox_slots, (l->workers * sizeof(dev256)) << GROSR_INBOX_CAPACITY_LOG2},
        {(void **)&l->free_slots, sizeof(dev256) << l->frames_log2},
        {(void **)&l->ready_slots, sizeof(dev256) << l->frames_log2},
        {(void **)&l->frame, ((size_t)l->frames + 1) * sizeof(*l->frame)},
        {(void **)&l->free_far, (size_t)l->workers * GROSR_FREE_FAR * sizeof(*l->free_far)},
        {(void **)&l->far, (size_t)l->workers * GROSR_DEQUE_CAPACITY * sizeof(*l->far)},
    };
    int err = 0;

    for (size_t i = 0; !err && i < sizeof(blocks) / sizeof(blocks[0]); i++)
        err = rt->ops->alloc(rt->device, blocks[i].bytes, blocks[i].memory);
    return err;
}

/* Memory for the queue, and the kernel. */
static int launch(grosr *rt, const struct grosr_options *o, const struct grosr_syscalls *syscalls)
{
    size_t ring_bytes = sizeof(sys128) << rt->capacity_log2;
    struct grosr_launch l;
    void *tasks, *tasks_view, *results, *results_view, *words, *words_view, *ports, *segment_view;
    int err;

    if ((err = rt->ops->share(rt->device, rt->session->base, rt->session->bytes, &segment_view)) ||
        (err = rt->ops->alloc_shared(rt->device, ring_bytes, &tasks, &tasks_view)) ||
        (err = rt->ops->alloc_shared(rt->device, ring_bytes, &results, &results_view)) ||
        (err = rt->ops->alloc_shared(rt->device, sizeof(struct grosr_queue_words), &words, &words_view)) ||
        (err = rt->ops->alloc(rt->device, rt->ports * sizeof(struct grosr_port), &ports)))
        return err;
    rt->tasks = (sys128 *)tasks;
    rt->results = (sys128 *)results;
    rt->words = (struct grosr_queue_words *)words;
    memset(&l, 0, sizeof(l));
    l.trace = grosr_session_trace(rt->session, segment_view);
    l.queue.tasks = (sys128 *)tasks_view;
    l.queue.results = (sys128 *)results_view;
    l.queue.words = (struct grosr_queue_words *)words_view;
    l.queue.capacity_log2 = rt->capacity_log2;
    l.queue.ports = rt->ports;
    l.queue.port = (struct grosr_port *)ports;
    l.queue.taken =
        (struct grosr_queue_port *)(void *)(l.trace.base + grosr_session_queue(rt->session, 0)->ports_at);
    l.workers = o->workers;
    l.one_queue = o->sharing == GROSR_SHARING_ONE_QUEUE;
    l.frames = o->frames;
    while (UINT32_C(1) << l.frames_log2 < l.frames)
        l.frames_log2++;
    if ((err = allocate_shares(rt, &l)))
        return err;
    if (o->shared_bytes &&
        (err = rt->ops->alloc_shared(rt->device, o->shared_bytes, &rt->shared_host, &rt->shared_device)))
        return err;
    rt->shared_bytes = o->shared_bytes;
    if (o->device_bytes) {
        void *memory;
        if ((err = rt->ops->alloc(rt->device, o->device_bytes, &memory)))
            return err;
        rt->memory = (unsigned char *)memory;
        rt->memory_bytes = o->device_bytes;
    }
    if ((err = grosr_arena_open(rt, o, &l)))
        return err;
    grosr_arena_publish(rt);
    if (syscalls->ports && ((err = grosr_syscalls_allocate(rt, syscalls, segment_view)) ||
                            (err = grosr_syscalls_start(rt, syscalls))))
        return err;
    l.mailbox = rt->device_mailbox;
    return rt->ops->launch(rt->device, &l, o->sms);
}

/*
 * Under `grosr record`: waits for it. It reports in the trace that a session is missing there; where it has
 * ended nobody would, so that a line is printed, one for each process.
 */
static void wait_for_recorder(struct grosr_session *session)
{
    static dev32 late, reported; /* whether the latest wait was in vain; whether that has been printed */
    const char *pid = getenv("GROSR_COLLECTOR");

    if (!pid)
        return;
    uint64_t timeout_ns =
        dev_load_relaxed(&late) ? GROSR_COLLECTOR_LATE_TIMEOUT_NS : GROSR_COLLECTOR_FIND_TIMEOUT_NS;
    int err = grosr_session_wait_collector(session, (uint32_t)strtoul(pid, NULL, 10), timeout_ns);
    dev_store_relaxed(&late, (uint32_t)(err != 0));
    if (err && dev_add_relaxed(&reported, 1) == 0)
        fprintf(stderr, "grosr: process %u is not recorded: %s\n", session->header.pid, grosr_error());
}

static int open_runtime(grosr **out, const struct grosr_options *options)
{
    struct grosr_options o = *options;
    struct grosr_syscalls syscalls = {0};
    int err = check_options(&o);

    if (!err && o.syscalls)
        err = grosr_syscalls_settle(&syscalls, o.syscalls);
    if (err)
        return err;
    grosr *rt = (grosr *)aligned_alloc(alignof(grosr), sizeof(*rt));
    if (!rt)
        return grosr_fail(ENOMEM, "out of memory");
    memset(rt, 0, sizeof(*rt));
    rt->process = grosr_fork_number();
    rt->program = o.program ? o.program : o.syscalls ? grosr_built_in_calls() : grosr_built_in();
    pthread_mutex_init(&rt->lock, NULL);
    pthread_mutex_init(&rt->urgent_lock, NULL);
    pthread_mutex_init(&rt->finish_lock, NULL);
    if ((err = open_device(rt, o.device)) || (err = settle_options(rt, &o)) || (err = check_memory(rt, &o)) ||
        (err = create_session(rt, &o, &syscalls)) || (err = grosr_submission_open(rt)))
        goto fail;
    rt->trace = grosr_session_trace(rt->session, rt->session->base);
    rt->spins = rt->ops == &grosr_device_host ? 0 : SPINS_BEFORE_YIELD;
    grosr_emit_open(&rt->emit, &rt->emit_ring, &rt->trace, o.workers); /* the last ring is the host's */
    if (o.collector_pid &&
        (err = grosr_session_wait_collector(rt->session, o.collector_pid, GROSR_COLLECTOR_START_TIMEOUT_NS)))
        goto fail;
    if (!o.collector_pid)
        wait_for_recorder(rt->session);
    if ((err = launch(rt, &o, &syscalls)))
        goto fail;
    /* The first snapshot comes before anything is traced; the housekeeping thread takes the others. */
    if ((err = grosr_compare_clocks(rt, GROSR_DEVICE_START_TIMEOUT_NS))) {
        err = grosr_poll_device(rt);
        if (err >= 0)
            err = grosr_fail(EIO, "the persistent kernel was launched and does not answer");
        goto fail;
    }
    if ((err = grosr_start_housekeeping(rt)))
        goto fail;
    *out = rt;
    return 0;
fail:
    grosr_abandon(rt);
    return err;
}

int grosr_open(grosr **out, const struct grosr_options *options)
{
    if (out)
        *out = NULL;
    if (!out || !options)
        return grosr_fail(EINVAL, "%s NULL", out ? "the options are" : "the place for the runtime is");
    grosr_phase_begin(GROSR_PHASE_OPEN, 0);
    int err = open_runtime(out, options);
    grosr_phase_end();
    return err;
}
