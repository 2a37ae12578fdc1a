/*
 * Making a session's segment (session.h has the layout).
 */
#include "outstanding.h"
#include "session_parts.h"

#include "heap_counters.h"

#include "../base/error.h"
#include "../base/host_clock.h"
#include "../base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static uint64_t align_up(uint64_t x, uint64_t to)
{
    return (x + to - 1) / to * to;
}

/* Takes `count` items of `size` bytes from the layout under construction; returns their offset. */
static uint64_t reserve(uint64_t *end, uint64_t count, uint64_t size)
{
    uint64_t at = align_up(*end, 128);
    *end = at + count * size;
    return at;
}

static uint32_t queue_chunks(const struct grosr_session_queue_options *q)
{
    return q->capacity / q->chunk + 2;
}

static uint32_t count_names(const struct grosr_session_options *o)
{
    uint32_t n = o->queue_count + o->names;
    for (uint32_t i = 0; i < o->function_count; i++)
        n += o->functions[i] != NULL;
    return n;
}

/* Lays the segment out: fills the header's counts and offsets and returns its size. */
static uint64_t lay_out(struct grosr_session_header *h, const struct grosr_session_options *o)
{
    uint64_t end = sizeof(*h);

    h->names = count_names(o);
    h->workers = o->workers;
    h->rings = o->workers + 1;
    h->queues = o->queue_count;
    h->snapshots = GROSR_SNAPSHOTS;
    h->streams = o->streams;
    h->heaps = o->heaps;
    h->call_slots = o->call_slots;
    h->launch_slots = o->launch_slots;
    h->cuda_streams = o->cuda_streams;
    h->text_bytes = o->text_bytes;
    h->names_at = reserve(&end, h->names, sizeof(struct grosr_name));
    h->workers_at = reserve(&end, h->workers, sizeof(struct grosr_worker_entry));
    h->waits_at = reserve(&end, h->workers, sizeof(struct grosr_wait_entry));
    h->rings_at = reserve(&end, h->rings, sizeof(struct grosr_ring));
    h->queues_at = reserve(&end, h->queues, sizeof(struct grosr_queue_entry));
    h->snapshots_at = reserve(&end, h->snapshots, sizeof(struct grosr_snapshot));
    h->outstanding_at = reserve(&end, h->launch_slots != 0, sizeof(struct grosr_outstanding));
    h->call_slots_at = reserve(&end, h->call_slots, sizeof(struct grosr_call_slot));
    h->launch_slots_at = reserve(&end, h->launch_slots, sizeof(struct grosr_launch_slot));
    h->cuda_streams_at = reserve(&end, h->cuda_streams, sizeof(struct grosr_cuda_stream));
    h->texts_at = reserve(&end, h->text_bytes, 1);
    h->streams_at = reserve(&end, h->streams, sizeof(struct grosr_stream));
    h->heaps_at = reserve(&end, h->heaps, sizeof(struct grosr_heap_entry));
    for (uint32_t i = 0; i < o->queue_count; i++) {
        reserve(&end, o->queues[i].ports, sizeof(struct grosr_queue_port));
        reserve(&end, queue_chunks(&o->queues[i]), sizeof(sys64));
    }
    for (uint32_t i = 0; i < h->rings; i++)
        reserve(&end, (i < o->workers ? o->ring_events : o->host_ring_events) + 1, sizeof(sys128));
    for (uint32_t i = 0; i < h->streams; i++)
        reserve(&end, o->stream_bytes, 1);
    h->mailbox_ports = o->mailbox_ports;
    h->mailbox_bytes = o->mailbox_bytes;
    h->mailbox_at = reserve(&end, o->mailbox_bytes, 1);
    return align_up(end, (uint64_t)sysconf(_SC_PAGESIZE));
}

/* Fills the tables of a mapped, zeroed segment. Takes the same offsets as lay_out(), in the same order. */
static void fill(unsigned char *base, const struct grosr_session_options *o)
{
    struct grosr_session_header *h = (struct grosr_session_header *)(void *)base;
    struct grosr_name *name = (struct grosr_name *)(void *)(base + h->names_at);
    struct grosr_queue_entry *queue = (struct grosr_queue_entry *)(void *)(base + h->queues_at);
    struct grosr_ring *ring = (struct grosr_ring *)(void *)(base + h->rings_at);
    struct grosr_stream *stream = (struct grosr_stream *)(void *)(base + h->streams_at);
    uint64_t end = h->heaps_at + h->heaps * sizeof(struct grosr_heap_entry);

    for (uint32_t i = 0; i < o->function_count; i++) {
        if (!o->functions[i])
            continue;
        session_set_name(name++, GROSR_NAME_FUNCTION, i, o->functions[i], NULL);
    }
    for (uint32_t i = 0; i < o->queue_count; i++) {
        const struct grosr_session_queue_options *q = &o->queues[i];
        session_set_name(name++, GROSR_NAME_QUEUE, i, q->name, NULL);
        queue[i].capacity = q->capacity;
        queue[i].ports = q->ports;
        queue[i].chunk = q->chunk;
        queue[i].chunks = queue_chunks(q);
        queue[i].ports_at = reserve(&end, q->ports, sizeof(struct grosr_queue_port));
        queue[i].chunk_times_at = reserve(&end, queue[i].chunks, sizeof(sys64));
    }
    for (uint32_t i = 0; i < h->rings; i++) {
        ring[i].worker = i < o->workers ? i : GROSR_RING_HOST;
        ring[i].capacity = i < o->workers ? o->ring_events : o->host_ring_events;
        ring[i].slots_at = reserve(&end, ring[i].capacity + 1, sizeof(sys128));
    }
    for (uint32_t i = 0; i < h->streams; i++) {
        stream[i].capacity = o->stream_bytes;
        stream[i].bytes_at = reserve(&end, o->stream_bytes, 1);
    }
    sys_store_relaxed(&h->level, (uint32_t)o->level);
    sys_store_relaxed(&h->state, (uint32_t)GROSR_SESSION_OPEN);
}

/* The first index of this process without a segment. Segments of a dead process with our reused pid are
 * removed. */
static int create_segment(char *name, size_t size, uint32_t *index)
{
    uint32_t pid = (uint32_t)getpid();

    for (*index = 0; *index < 1024; ++*index) {
        struct grosr_session *old;
        session_segment_name(name, size, pid, *index);
        int fd = shm_open(name, O_CREAT | O_EXCL | O_RDWR, 0600);
        if (fd >= 0)
            return fd;
        if (errno != EEXIST)
            return grosr_fail(errno, "cannot create the session segment " SHM_DIR "%s: %s", name,
                              strerror(errno));
        if (grosr_session_open(&old, pid, *index) == 0) {
            bool stale = !grosr_session_alive(old);
            if (stale)
                grosr_session_unlink(old);
            grosr_session_close(old);
            if (stale)
                --*index;
        }
    }
    return grosr_fail(EMFILE, "this process has 1024 sessions already");
}

/* Removes segments that were never finished because their process was killed while it made them: nobody else
 * can. */
static void remove_unborn(void)
{
    struct grosr_session_id *ids;
    int n = grosr_session_list(&ids);

    for (int i = 0; i < n; i++) {
        char name[64];
        uint64_t magic = 1;
        if (grosr_process_start_time(ids[i].pid, NULL) == 0)
            continue;
        session_segment_name(name, sizeof(name), ids[i].pid, ids[i].index);
        int fd = shm_open(name, O_RDONLY, 0);
        if (fd < 0)
            continue;
        ssize_t got = pread(fd, &magic, sizeof(magic), 0);
        close(fd);
        if (got == 0 || (got == (ssize_t)sizeof(magic) && magic == 0))
            shm_unlink(name);
    }
    free(ids);
}

int grosr_session_create(struct grosr_session **out, const struct grosr_session_options *o)
{
    struct grosr_session_header layout;
    struct grosr_session *s;
    int fd, err;

    if (o->streams > GROSR_STREAMS_MAX ||
        (o->streams && (o->stream_bytes < 4096 || (o->stream_bytes & (o->stream_bytes - 1)))))
        return grosr_fail(EINVAL, "a session has at most %u streams of a power of two of bytes, 4096 or more",
                          GROSR_STREAMS_MAX);
    if ((o->workers == 0 && o->streams == 0) || o->workers > GROSR_MAX_WORKERS)
        return grosr_fail(EINVAL, "a session has 1 to %u workers, not %u", GROSR_MAX_WORKERS, o->workers);
    if (o->workers && (o->ring_events < GROSR_RING_MIN || o->ring_events > GROSR_RING_MAX))
        return grosr_fail(EINVAL, "a ring has %u to %u events, not %u", GROSR_RING_MIN, GROSR_RING_MAX,
                          o->ring_events);
    if (o->heaps > GROSR_HEAPS_MAX)
        return grosr_fail(EINVAL, "a session has at most %u heaps, not %u", GROSR_HEAPS_MAX, o->heaps);
    if (o->queue_count > GROSR_QUEUES_MAX || count_names(o) > GROSR_TABLE_MAX)
        return grosr_fail(EINVAL, "a session has at most %u queues and %u names", GROSR_QUEUES_MAX,
                          GROSR_TABLE_MAX);
    if (o->launch_slots & (o->launch_slots - 1) || o->launch_slots > GROSR_LAUNCH_SLOTS_MAX ||
        o->call_slots > GROSR_CALL_SLOTS_MAX || o->cuda_streams > GROSR_CUDA_STREAMS_MAX ||
        o->text_bytes > GROSR_TEXTS_MAX ||
        (!o->launch_slots && (o->call_slots || o->cuda_streams || o->text_bytes)))
        return grosr_fail(EINVAL, "a session cannot have %u calls, %u launches and %u CUDA streams",
                          o->call_slots, o->launch_slots, o->cuda_streams);
    remove_unborn();
    memset(&layout, 0, sizeof(layout));
    layout.segment_bytes = lay_out(&layout, o);

    s = (struct grosr_session *)calloc(1, sizeof(*s));
    if (!s)
        return grosr_fail(ENOMEM, "out of memory");
    fd = create_segment(s->name, sizeof(s->name), &layout.index);
    if (fd < 0) {
        free(s);
        return fd;
    }
    s->owner = true;
    s->bytes = layout.segment_bytes;
    err = posix_fallocate(fd, 0, (off_t)s->bytes);
    if (err) {
        grosr_fail(
            err, "no room for a session of %zu MiB in " SHM_DIR ": %s; use fewer workers or a smaller --ring",
            s->bytes >> 20, strerror(err));
        goto fail;
    }
    s->base = (unsigned char *)mmap(NULL, s->bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (s->base == MAP_FAILED) {
        err = errno;
        grosr_fail(err, "cannot map the session segment: %s", strerror(err));
        goto fail;
    }
    close(fd);

    layout.abi = GROSR_SESSION_ABI;
    layout.header_bytes = sizeof(layout);
    layout.pid = (uint32_t)getpid();
    grosr_process_start_time(layout.pid, &layout.pid_start);
    layout.start_mono_ns = grosr_host_clock_ns();
    layout.start_real_ns = grosr_host_real_ns();
    snprintf(layout.device, sizeof(layout.device), "%s", o->device);
    snprintf(layout.device_name, sizeof(layout.device_name), "%s", o->device_name);
    snprintf(layout.program, sizeof(layout.program), "%s", o->program);
    if (o->gpu)
        layout.gpu = *o->gpu;
    layout.sms = o->sms;
    layout.max_warps_per_sm = o->max_warps_per_sm;
    layout.lanes = o->lanes;
    layout.device_clock_is_host = o->device_clock_is_host;
    layout.overflow_requested = (uint32_t)o->overflow;

    struct grosr_session_header *h = (struct grosr_session_header *)(void *)s->base;
    memcpy(s->base, &layout, sizeof(layout));
    fill(s->base, o);
    s->header = *h;
    s->header.magic = GROSR_SESSION_MAGIC;
    err = session_copy_layouts(s);
    if (err) {
        grosr_session_close(s);
        return err;
    }
    grosr_session_set_collector(s, 0);
    /* Whoever finds the magic finds the rest. Pairs with the load in grosr_session_open(). */
    sys_store_release((sys64 *)(void *)s->base, GROSR_SESSION_MAGIC);
    *out = s;
    return 0;
fail:
    close(fd);
    shm_unlink(s->name);
    session_free(s);
    return -err;
}
