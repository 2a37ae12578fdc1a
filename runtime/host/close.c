/*
 * The runtime's host side: opening, closing and housekeeping. Submission and completion are in submit.c.
 *
 * A housekeeping thread takes clock snapshots, watches the device for failure and the collector for its life.
 */
#include "internal.h"
#include "marks.h"

#include "../../tracer/clock/clock.h"
#include "../../tracer/base/process.h"
#include "../../tracer/session/worker_state.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <time.h>
#include <unistd.h>

#define HOST_RING_EVENTS  65536u
#define RINGS_BYTES       (64u << 20)
#define RING_EVENTS_MIN   256u
#define HOUSEKEEPING_NS   10000000u /* between clock snapshots */
#define SNAPSHOT_TRIPS    64u
#define SNAPSHOT_TIMEOUT  50000000u
#define COLLECTOR_WAIT_NS 10000000000u
/* `grosr record` takes a program's first session; a later one goes on alone after this. */
#define RECORDER_WAIT_NS   2000000000u
#define STOP_TIMEOUT_NS    10000000000u
#define WORKERS_PER_PORT   4u /* of a GPU, at least: whoever polls hears of other work later */
#define FRAMES_PER_WORKER  2048u
#define SPINS_BEFORE_YIELD 20000u /* on a GPU the answer is a few us away */

/* ---- calls ---- */

/*
 * Handles that have been closed: a call that comes late is told so. Reachable, so that it counts as no leak.
 */
static pthread_mutex_t closed_lock = PTHREAD_MUTEX_INITIALIZER;
static grosr *closed_list;

int grosr_enter(grosr *rt)
{
    /* One word says that we are inside and whether we may be. Pairs with the exchanges in shut() and
     * grosr_leave(). */
    if (!(dev_add_acq_rel(&rt->gate, 1) & GATE_CLOSED)) {
        dev_point("api.entered");
        return 0;
    }
    grosr_leave(rt);
    return grosr_fail(ESHUTDOWN, "the runtime has been closed");
}

void grosr_leave(grosr *rt)
{
    dev_add_acq_rel(&rt->gate, UINT32_MAX); /* release: what the call did, for shut() */
}

/* From now on no call enters; returns when the caller's is the only one inside. */
static void shut(grosr *rt)
{
    uint32_t step = 0;

    dev_add_acq_rel(&rt->gate, GATE_CLOSED);
    while (dev_load_acquire(&rt->gate) != (GATE_CLOSED | 1)) /* pairs with grosr_leave() */
        dev_backoff(&step);
}

int grosr_refuse(grosr *rt, enum grosr_call call, int err)
{
    grosr_record(rt, GROSR_EV_API_ERROR, grosr_payload_task((uint32_t)-err, call));
    return err;
}

static void stop(grosr *rt)
{
    sys_store_release(&rt->stopping, 1u); /* pairs with the load in grosr_ending() */
    sys_store_release(&rt->trace.header->stop, 1u);
}

void grosr_stop(grosr *rt)
{
    /* As grosr_enter(), without a text: a signal handler may call us. */
    if (!(dev_add_acq_rel(&rt->gate, 1) & GATE_CLOSED))
        stop(rt);
    grosr_leave(rt);
}

/* ---- a device that fails ---- */

void grosr_last_seen(const struct grosr_session *s, char *text, size_t size)
{
    size_t length = strlen(text);
    uint32_t level = sys_load_relaxed(&grosr_session_live(s)->level), running = 0, oldest = 0;
    struct grosr_worker_state task = {.since = UINT64_MAX}, state;
    char function[GROSR_NAME_BYTES + 2], others[48] = "", beside[48] = "", where[24] = "";

    text += length;
    size -= length;
    if (level == GROSR_LEVEL_OFF) {
        snprintf(text, size, "; what the workers did is not known at trace level off");
        return;
    }
    for (uint32_t i = 0; i < s->header.workers; i++) {
        if (!grosr_worker_read(s, i, &state, NULL) || state.activity != GROSR_IN_TASK)
            continue;
        running++;
        /* The one that failed went no further, while the others may have. */
        if (state.since < task.since) {
            task = state;
            oldest = i;
        }
    }
    if (!running) {
        snprintf(text, size, "; no worker was last seen in a task");
        return;
    }
    const char *name = grosr_session_name(s, GROSR_NAME_FUNCTION, task.function);
    uint32_t sm = grosr_worker_sm(s, oldest);
    if (name)
        snprintf(function, sizeof(function), "'%s'", name);
    else
        snprintf(function, sizeof(function), "function %u", task.function);
    if (s->header.lanes > 1) /* the state word is of the first lane */
        snprintf(beside, sizeof(beside), " or one of up to %u run with it", s->header.lanes - 1);
    if (running > 1)
        snprintf(others, sizeof(others), " (and %u other worker%s in tasks)", running - 1,
                 running > 2 ? "s" : "");
    if (sm != UINT32_MAX)
        snprintf(where, sizeof(where), " on SM %u", sm);
    snprintf(text, size, "; last seen: worker %u%s in %s, task %llu%s%s", oldest, where, function,
             (unsigned long long)task.task, beside, others);
}

/* The device's state as device_ops.h has it. A failure's text says what the workers did, and is kept. */
static int poll_device(grosr *rt)
{
    int state = rt->ops->poll(rt->device);

    if (state >= 0)
        return state;
    if (!sys_load_relaxed(&rt->failed)) {
        snprintf(rt->failure, sizeof(rt->failure), "%s", grosr_error());
        grosr_last_seen(rt->session, rt->failure, sizeof(rt->failure));
        sys_store_release(&rt->failed, (uint32_t)-state); /* pairs with grosr_ending() */
    }
    return grosr_fail(-state, "%s", rt->failure);
}

/* ---- housekeeping ---- */

static void *housekeeping_main(void *p)
{
    grosr *rt = (grosr *)p;
    struct grosr_session_header *h = rt->trace.header;
    uint32_t rounds = 0;

    while (!sys_load_acquire(&rt->housekeeper_stop)) {
        uint32_t collector = sys_load_relaxed(&h->collector_pid);
        int state = poll_device(rt);
        if (state == 1 && !rt->session->header.device_clock_is_host)
            grosr_clock_snapshot(rt->session, &rt->pinger, SNAPSHOT_TRIPS, SNAPSHOT_TIMEOUT);
        if (collector && rounds++ % 16 == 0 && grosr_process_start_time(collector, NULL))
            grosr_session_set_collector(rt->session, 0); /* it died */
        struct timespec pause = {0, HOUSEKEEPING_NS};
        nanosleep(&pause, NULL);
    }
    return NULL;
}

static void stop_housekeeping(grosr *rt)
{
    if (!rt->housekeeping)
        return;
    sys_store_release(&rt->housekeeper_stop, 1u);
    pthread_join(rt->housekeeper, NULL);
    rt->housekeeping = false;
}

/* ---- closing ---- */

/* Waits for the kernel to end. */
static int join_kernel(grosr *rt)
{
    uint64_t start = grosr_host_clock_ns();
    int state;

    while ((state = poll_device(rt)) == 1) {
        struct timespec pause = {0, 100000};
        if (grosr_host_clock_ns() - start > STOP_TIMEOUT_NS)
            return grosr_fail(EIO, "the persistent kernel did not stop within %d s; a task does not end",
                              (int)(STOP_TIMEOUT_NS / 1000000000u));
        nanosleep(&pause, NULL);
    }
    return state;
}

/* The first time. */
static int finish_once(grosr *rt)
{
    int err = 0;

    pthread_mutex_lock(&rt->lock);
    dev_store_relaxed(&rt->finishing, 1u);
    pthread_mutex_unlock(&rt->lock);
    if (!sys_load_acquire(&rt->stopping)) {
        err = grosr_drain(rt, GROSR_FOREVER);
        if (err == -ECANCELED) /* told to stop meanwhile, which is no failure */
            err = 0;
    }
    stop_housekeeping(rt);
    if (!err && !rt->session->header.device_clock_is_host)
        grosr_clock_snapshot(rt->session, &rt->pinger, SNAPSHOT_TRIPS, SNAPSHOT_TIMEOUT);
    stop(rt);
    int joined = join_kernel(rt);
    if (joined && !err)
        err = joined;
    pthread_mutex_lock(&rt->lock);
    rt->ended = true;
    pthread_mutex_unlock(&rt->lock);
    if (rt->results)
        grosr_cancel_rest(rt);
    grosr_end_callbacks(rt);
    pthread_mutex_lock(&rt->lock);
    grosr_emit_close(&rt->emit);
    rt->emit_closed = true;
    pthread_mutex_unlock(&rt->lock);
    /* Pairs with the load in can_end(): all rings have been closed before, unless the device failed. */
    sys_store_release(&rt->trace.header->state, (uint32_t)GROSR_SESSION_CLOSED);
    return err;
}

static int finish(grosr *rt)
{
    int err = 0;

    grosr_phase_begin(GROSR_PHASE_FINISH, 0);
    pthread_mutex_lock(&rt->finish_lock);
    if (!rt->finished)
        err = finish_once(rt);
    rt->finished = true;
    pthread_mutex_unlock(&rt->finish_lock);
    grosr_phase_end();
    return err;
}

/* Frees what the runtime holds, all but the handle. False: the kernel still runs, and nothing was freed. */
static bool destroy(grosr *rt)
{
    stop_housekeeping(rt);
    if (rt->device && rt->ops->poll(rt->device) == 1) {
        /* Freeing would wait for the kernel for ever. The session's name goes; the process's exit ends the
         * rest. */
        grosr_session_unlink(rt->session);
        return false;
    }
    if (rt->device)
        rt->ops->close(rt->device);
    grosr_session_close(rt->session);
    grosr_submission_close(rt);
    pthread_mutex_destroy(&rt->lock);
    pthread_mutex_destroy(&rt->urgent_lock);
    pthread_mutex_destroy(&rt->finish_lock);
    return true;
}

static int in_callback(grosr *rt, enum grosr_call call)
{
    if (!grosr_in_callback(rt))
        return 0;
    return grosr_refuse(rt, call, grosr_fail(EDEADLK, "a completion's function cannot end the runtime"));
}

int grosr_finish(grosr *rt)
{
    int err = grosr_enter(rt);

    if (err)
        return err;
    if (!(err = in_callback(rt, GROSR_CALL_FINISH)))
        err = finish(rt);
    grosr_leave(rt);
    return err;
}

int grosr_close(grosr *rt)
{
    int err;

    if (!rt)
        return 0;
    if (grosr_enter(rt))
        return grosr_fail(EALREADY, "the runtime has been closed");
    err = in_callback(rt, GROSR_CALL_CLOSE);
    if (!err && dev_cas_acquire(&rt->closing, 0, 1))
        err =
            grosr_refuse(rt, GROSR_CALL_CLOSE, grosr_fail(EALREADY, "another thread is closing the runtime"));
    if (err) {
        grosr_leave(rt);
        return err;
    }
    grosr_phase_begin(GROSR_PHASE_CLOSE, 0);
    err = finish(rt);
    shut(rt);
    destroy(rt);
    grosr_phase_end();
    grosr_leave(rt);
    pthread_mutex_lock(&closed_lock);
    rt->next_closed = closed_list;
    closed_list = rt;
    pthread_mutex_unlock(&closed_lock);
    return err;
}

int grosr_shared(grosr *rt, void **host, void **device)
{
    int err = grosr_enter(rt);

    if (err)
        return err;
    if (!rt->shared_host)
        err = grosr_fail(ENOENT, "the runtime was opened without shared memory");
    *host = rt->shared_host;
    *device = rt->shared_device;
    grosr_leave(rt);
    return err;
}

int grosr_device_memory(grosr *rt, void **device)
{
    int err = grosr_enter(rt);

    if (err)
        return err;
    if (!rt->memory)
        err = grosr_fail(ENOENT, "the runtime was opened without device memory");
    *device = rt->memory;
    grosr_leave(rt);
    return err;
}

static int copy_memory(grosr *rt, void *to, const void *from, size_t at, size_t bytes)
{
    int err = grosr_enter(rt);

    if (err)
        return err;
    if (!rt->memory)
        err = grosr_fail(ENOENT, "the runtime was opened without device memory");
    else if (at > rt->memory_bytes || bytes > rt->memory_bytes - at)
        err = grosr_fail(EINVAL, "bytes %zu to %zu are not inside the %zu bytes of device memory", at,
                         at + bytes, rt->memory_bytes);
    else if (bytes)
        err = rt->ops->copy(rt->device, to ? to : rt->memory + at, to ? rt->memory + at : from, bytes, !to);
    grosr_leave(rt);
    return err;
}

int grosr_device_read(grosr *rt, void *to, size_t at, size_t bytes)
{
    return copy_memory(rt, to, NULL, at, bytes);
}

int grosr_device_write(grosr *rt, size_t at, const void *from, size_t bytes)
{
    return copy_memory(rt, NULL, from, at, bytes);
}

const struct grosr_session *grosr_runtime_session(const grosr *rt)
{
    return dev_load_acquire(&rt->gate) & GATE_CLOSED ? NULL : rt->session;
}

/* ---- opening ---- */

/* What a device's name says: whether a GPU, and which. */
static int parse_device(const char *name, bool *cuda, uint32_t *ordinal)
{
    const char *digits = name + strlen("cuda:");

    *ordinal = 0;
    *cuda = !strncmp(name, "cuda", strlen("cuda"));
    if (!strcmp(name, "cuda") || !strcmp(name, "host"))
        return 0;
    if (strncmp(name, "cuda:", strlen("cuda:")) || !*digits || digits[strspn(digits, "0123456789")])
        return grosr_fail(EINVAL, "there is no kind of device called '%s': auto, cuda, cuda:N or host", name);
    unsigned long n = strtoul(digits, NULL, 10);
    *ordinal = n < UINT32_MAX ? (uint32_t)n : UINT32_MAX;
    return 0;
}

/* The GPU's number, -ENODEV with its text where there is none. */
static int find_cuda(uint32_t ordinal, struct grosr_device_info *device)
{
    const char *why;
    uint32_t n = grosr_cuda_devices(device, ordinal, 1, &why);

    if (!n)
        return grosr_fail(ENODEV, "no CUDA device: %s", why);
    if (ordinal >= n)
        return grosr_fail(ENODEV, "there is no CUDA device %u: the last is number %u", ordinal, n - 1);
    return 0;
}

int grosr_find_device(const char *name, struct grosr_device_info *device)
{
    bool automatic = !strcmp(name, "auto"), cuda;
    uint32_t ordinal;
    int err = parse_device(automatic ? "cuda" : name, &cuda, &ordinal);

    if (!err && cuda)
        err = find_cuda(ordinal, device);
    if ((!err && !cuda) || (automatic && err == -ENODEV)) {
        grosr_host_device(device);
        err = 0;
    }
    return err;
}

static int open_device(grosr *rt, const char *name)
{
    const struct grosr_program *p = rt->program;
    bool automatic = !strcmp(name, "auto");
    int err;

    if (p->launch_bytes != sizeof(struct grosr_launch) || p->local_bytes != sizeof(struct grosr_local))
        return grosr_fail(EINVAL,
                          "the program was compiled with the headers of another version of the library");
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

    if (o->sms == 0)
        o->sms = host && o->workers ? o->workers : rt->info.sms;
    else if (!host && o->sms > rt->info.sms)
        return grosr_fail(EINVAL, "%s has %u SMs, not %u", rt->info.name, rt->info.sms, o->sms);
    if (o->workers == 0)
        o->workers = host ? o->sms : rt->info.default_workers / rt->info.sms * o->sms;
    uint32_t most = host ? rt->info.max_workers : rt->info.max_workers / rt->info.sms * o->sms;
    if (o->workers > most)
        return grosr_fail(EINVAL, "%s runs at most %u workers on %u SMs, not %u", rt->info.name, most, o->sms,
                          o->workers);
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
        o->frames = o->workers * FRAMES_PER_WORKER;
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

static int create_session(grosr *rt, const struct grosr_options *o)
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
    struct grosr_session_queue_options queue = {"submit", o->queue_capacity, rt->ports, GROSR_QUEUE_CHUNK};
    struct grosr_session_options s = {
        .device = rt->info.device,
        .device_name = rt->info.name,
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
        .queues = &queue,
        .queue_count = 1,
    };
    err = grosr_session_create(&rt->session, &s);
    free(names);
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
        {(void **)&l->frame, (l->workers * l->frames_per_worker + 1) * sizeof(*l->frame)},
        {(void **)&l->free_far, (size_t)l->workers * GROSR_FREE_FAR * sizeof(*l->free_far)},
        {(void **)&l->far, (size_t)l->workers * GROSR_DEQUE_CAPACITY * sizeof(*l->far)},
    };
    int err = 0;

    for (size_t i = 0; !err && i < sizeof(blocks) / sizeof(blocks[0]); i++)
        err = rt->ops->alloc(rt->device, blocks[i].bytes, blocks[i].memory);
    return err;
}

/* Memory for the queue, and the kernel. */
static int launch(grosr *rt, const struct grosr_options *o)
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
    l.frames_per_worker = o->frames / o->workers;
    while (UINT32_C(1) << l.frames_log2 < l.workers * l.frames_per_worker)
        l.frames_log2++;
    if ((err = allocate_shares(rt, &l)))
        return err;
    if (o->shared_bytes &&
        (err = rt->ops->alloc_shared(rt->device, o->shared_bytes, &rt->shared_host, &rt->shared_device)))
        return err;
    if (o->device_bytes) {
        void *memory;
        if ((err = rt->ops->alloc(rt->device, o->device_bytes, &memory)))
            return err;
        rt->memory = (unsigned char *)memory;
        rt->memory_bytes = o->device_bytes;
    }
    return rt->ops->launch(rt->device, &l, o->sms);
}

static int open_runtime(grosr **out, const struct grosr_options *options)
{
    struct grosr_options o = *options;
    grosr *rt = (grosr *)aligned_alloc(alignof(grosr), sizeof(*rt));
    int err;

    if (!rt)
        return grosr_fail(ENOMEM, "out of memory");
    memset(rt, 0, sizeof(*rt));
    rt->program = o.program ? o.program : grosr_built_in();
    pthread_mutex_init(&rt->lock, NULL);
    pthread_mutex_init(&rt->urgent_lock, NULL);
    pthread_mutex_init(&rt->finish_lock, NULL);
    if ((err = open_device(rt, o.device)) || (err = settle_options(rt, &o)) ||
        (err = create_session(rt, &o)) || (err = grosr_submission_open(rt)))
        goto fail;
    rt->trace = grosr_session_trace(rt->session, rt->session->base);
    rt->spins = rt->ops == &grosr_device_host ? 0 : SPINS_BEFORE_YIELD;
    grosr_emit_open(&rt->emit, &rt->emit_ring, &rt->trace, o.workers); /* the last ring is the host's */
    if (o.collector_pid &&
        (err = grosr_session_wait_collector(rt->session, o.collector_pid, COLLECTOR_WAIT_NS)))
        goto fail;
    if (!o.collector_pid && getenv("GROSR_COLLECTOR"))
        grosr_session_wait_collector(rt->session, (uint32_t)strtoul(getenv("GROSR_COLLECTOR"), NULL, 10),
                                     RECORDER_WAIT_NS);
    if ((err = launch(rt, &o)))
        goto fail;
    /* The first snapshot before anything is traced; the housekeeper goes on from there. */
    if (!rt->session->header.device_clock_is_host &&
        (err = grosr_clock_snapshot(rt->session, &rt->pinger, SNAPSHOT_TRIPS, STOP_TIMEOUT_NS))) {
        err = poll_device(rt);
        if (err >= 0)
            err = grosr_fail(EIO, "the persistent kernel was launched and does not answer");
        goto fail;
    }
    err = pthread_create(&rt->housekeeper, NULL, housekeeping_main, rt);
    if (err) {
        err = grosr_fail(err, "cannot start the housekeeping thread: %s", strerror(err));
        goto fail;
    }
    rt->housekeeping = true;
    *out = rt;
    return 0;
fail:
    if (rt->session)
        stop(rt);
    if (rt->trace.base)
        finish(rt);
    if (destroy(rt))
        free(rt);
    return err;
}

int grosr_open(grosr **out, const struct grosr_options *options)
{
    grosr_phase_begin(GROSR_PHASE_OPEN, 0);
    int err = open_runtime(out, options);
    grosr_phase_end();
    return err;
}

uint32_t grosr_devices(struct grosr_device_info *devices, uint32_t max)
{
    const char *why;
    uint32_t n = grosr_cuda_devices(devices, 0, max, &why);

    if (n < max)
        grosr_host_device(&devices[n]);
    return n + 1;
}

const char *grosr_cuda_absent(void)
{
    const char *why = NULL;
    struct grosr_device_info device;

    return grosr_cuda_devices(&device, 0, 1, &why) ? NULL : why;
}
