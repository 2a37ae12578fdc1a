/*
 * Session segments: what is in them, by accessors, and their end (session.h has the layout).
 */
#include "session_parts.h"

#include "../base/error.h"
#include "../base/host_clock.h"
#include "../base/process.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

/* Waiting for a collector: mostly it attaches within a millisecond. */
#define SOON_NS       10000000u
#define SOON_POLL_NS  50000u
#define POLL_NS       1000000u
#define ALIVE_POLL_NS 10000000u /* each opens a file in /proc */

void session_segment_name(char *name, size_t size, uint32_t pid, uint32_t index)
{
    snprintf(name, size, "/grosr.%u.%u", pid, index);
}

bool session_parse_name(const char *name, struct grosr_session_id *id)
{
    char extra;

    return sscanf(name, "grosr.%u.%u%c", &id->pid, &id->index, &extra) == 2;
}

bool session_parse_unrecorded(const char *name, struct grosr_session_id *id, uint32_t *collector)
{
    char extra;

    return sscanf(name, "grosr.%u.%u.unrecorded.%u%c", &id->pid, &id->index, collector, &extra) == 3;
}

int session_copy_layouts(struct grosr_session *s)
{
    s->ring = (struct grosr_ring_layout *)calloc(s->header.rings, sizeof(*s->ring));
    s->queue = (struct grosr_queue_layout *)calloc(s->header.queues + 1, sizeof(*s->queue));
    s->stream = (struct grosr_stream_layout *)calloc(s->header.streams + 1, sizeof(*s->stream));
    if (!s->ring || !s->queue || !s->stream)
        return grosr_fail(ENOMEM, "out of memory");
    for (uint32_t i = 0; i < s->header.rings; i++) {
        const struct grosr_ring *r = grosr_session_ring(s, i);
        s->ring[i] = (struct grosr_ring_layout){r->slots_at, r->capacity, r->worker};
    }
    for (uint32_t i = 0; i < s->header.queues; i++) {
        const struct grosr_queue_entry *q = grosr_session_queue(s, i);
        s->queue[i] = (struct grosr_queue_layout){q->ports_at, q->chunk_times_at, q->capacity,
                                                  q->ports,    q->chunk,          q->chunks};
    }
    for (uint32_t i = 0; i < s->header.streams; i++) {
        const struct grosr_stream *t = grosr_session_stream(s, i);
        s->stream[i] = (struct grosr_stream_layout){t->bytes_at, t->capacity};
    }
    return 0;
}

void session_free(struct grosr_session *s)
{
    free(s->ring);
    free(s->queue);
    free(s->stream);
    free(s);
}

void session_set_name(struct grosr_name *name, uint32_t space, uint32_t id, const char *text,
                      const char *unit)
{
    name->id = id;
    snprintf(name->text, sizeof(name->text), "%s", text);
    snprintf(name->unit, sizeof(name->unit), "%s", unit ? unit : "");
    sys_store_release(&name->space, space); /* pairs with grosr_session_name_entry() */
}

/*
 * The collector that was waited for in vain may be behind only: it learns of this session when it reads the
 * names that have come, whether or not it finds the segment.
 */
static void report_unrecorded(const struct grosr_session *s)
{
    char from[sizeof(s->name) + sizeof(SHM_DIR)], to[sizeof(from) + 32];

    snprintf(from, sizeof(from), SHM_DIR "%s", s->name);
    snprintf(to, sizeof(to), "%s.unrecorded.%u", from, s->awaited);
    if (rename(from, to) == 0)
        unlink(to);
}

void grosr_session_unlink(struct grosr_session *s)
{
    if (s->copy)
        return;
    /* Pairs with the release in grosr_session_set_collector(). */
    if (s->awaited && s->base && !sys_load_acquire(&grosr_session_live(s)->collector_pid))
        report_unrecorded(s);
    shm_unlink(s->name);
}

void grosr_session_close(struct grosr_session *s)
{
    if (!s)
        return;
    if (s->owner)
        grosr_session_unlink(s);
    if (s->base) {
        session_guard_remove(s);
        munmap(s->base, s->bytes);
    }
    session_free(s);
}

bool grosr_session_alive(const struct grosr_session *s)
{
    uint64_t start;
    return !s->copy && grosr_process_start_time(s->header.pid, &start) == 0 && start == s->header.pid_start;
}

struct grosr_session_header *grosr_session_live(const struct grosr_session *s)
{
    return (struct grosr_session_header *)(void *)s->base;
}

struct grosr_worker_entry *grosr_session_worker(const struct grosr_session *s, uint32_t worker)
{
    return (struct grosr_worker_entry *)(void *)(s->base + s->header.workers_at) + worker;
}

struct grosr_wait_entry *grosr_session_wait(const struct grosr_session *s, uint32_t worker)
{
    return (struct grosr_wait_entry *)(void *)(s->base + s->header.waits_at) + worker;
}

struct grosr_ring *grosr_session_ring(const struct grosr_session *s, uint32_t ring)
{
    return (struct grosr_ring *)(void *)(s->base + s->header.rings_at) + ring;
}

struct grosr_queue_entry *grosr_session_queue(const struct grosr_session *s, uint32_t queue)
{
    return (struct grosr_queue_entry *)(void *)(s->base + s->header.queues_at) + queue;
}

struct grosr_stream *grosr_session_stream(const struct grosr_session *s, uint32_t stream)
{
    return (struct grosr_stream *)(void *)(s->base + s->header.streams_at) + stream;
}

struct grosr_snapshot *grosr_session_snapshot(const struct grosr_session *s, uint64_t number)
{
    return (struct grosr_snapshot *)(void *)(s->base + s->header.snapshots_at) + number % s->header.snapshots;
}

static struct grosr_name *names_of(const struct grosr_session *s)
{
    return (struct grosr_name *)(void *)(s->base + s->header.names_at);
}

const struct grosr_name *grosr_session_name_entry(const struct grosr_session *s, uint32_t index)
{
    const struct grosr_name *name = names_of(s) + index;

    if (index >= s->header.names || !sys_load_acquire(&name->space) || /* pairs with session_set_name() */
        !memchr(name->text, 0, sizeof(name->text)) || !memchr(name->unit, 0, sizeof(name->unit)))
        return NULL;
    return name;
}

const char *grosr_session_name(const struct grosr_session *s, uint32_t space, uint32_t id)
{
    const struct grosr_name *name;

    for (uint32_t i = 0; (name = grosr_session_name_entry(s, i)); i++)
        if (sys_load_relaxed(&name->space) == space && name->id == id)
            return name->text;
    return NULL;
}

void grosr_session_copy_text(char *to, const char *from, size_t bytes)
{
    memcpy(to, from, bytes);
    to[bytes - 1] = 0;
}

int grosr_session_add_name(struct grosr_session *s, uint32_t space, uint32_t id, const char *text,
                           const char *unit)
{
    uint32_t i = 0;

    while (grosr_session_name_entry(s, i))
        i++;
    if (i == s->header.names)
        return grosr_fail(ENOSPC, "the session has room for %u names only", i);
    session_set_name(names_of(s) + i, space, id, text, unit);
    return 0;
}

void grosr_session_set_collector(struct grosr_session *s, uint32_t pid)
{
    struct grosr_session_header *h = grosr_session_live(s);
    uint32_t overflow = s->header.overflow_requested;

    if (overflow == GROSR_OVERFLOW_AUTO)
        overflow = pid ? GROSR_OVERFLOW_DROP : GROSR_OVERFLOW_OVERWRITE;
    if (overflow == GROSR_OVERFLOW_BLOCK && !pid)
        overflow = GROSR_OVERFLOW_DROP;
    sys_store_relaxed(&h->overflow, overflow);
    sys_store_release(&h->collector_pid, pid); /* pairs with grosr_session_wait_collector() */
}

int grosr_session_wait_collector(struct grosr_session *s, uint32_t pid, uint64_t timeout_ns)
{
    uint64_t start = grosr_host_clock_ns(), looked_ns = 0;

    s->awaited = pid;
    /* Pairs with the release in grosr_session_set_collector(). */
    while (!sys_load_acquire(&grosr_session_live(s)->collector_pid)) {
        uint64_t now = grosr_host_clock_ns(), pause_ns = now - start < SOON_NS ? SOON_POLL_NS : POLL_NS;
        if (now - looked_ns >= ALIVE_POLL_NS) {
            looked_ns = now;
            if (grosr_process_start_time(pid, NULL))
                return grosr_fail(ECHILD, "the collector (process %u) ended before it attached", pid);
        }
        if (now - start > timeout_ns)
            return grosr_fail(ETIMEDOUT, "the collector (process %u) did not attach within %g s", pid,
                              (double)timeout_ns * 1e-9);
        nanosleep(&(struct timespec){0, (long)pause_ns}, NULL);
    }
    s->awaited = 0;
    return 0;
}

struct grosr_trace grosr_session_trace(const struct grosr_session *s, void *device_base)
{
    unsigned char *base = (unsigned char *)device_base;
    struct grosr_trace t;

    t.base = base;
    t.header = (struct grosr_session_header *)(void *)base;
    t.workers = (struct grosr_worker_entry *)(void *)(base + s->header.workers_at);
    t.rings = (struct grosr_ring *)(void *)(base + s->header.rings_at);
    t.queues = (struct grosr_queue_entry *)(void *)(base + s->header.queues_at);
    return t;
}

void grosr_session_queue_counts(const struct grosr_session *s, uint32_t queue, uint64_t *enqueued,
                                uint64_t *dequeued)
{
    const struct grosr_queue_layout *q = &s->queue[queue];
    const struct grosr_queue_port *port =
        (const struct grosr_queue_port *)(const void *)(s->base + q->ports_at);
    const struct grosr_queue_entry *entry = grosr_session_queue(s, queue);
    uint64_t taken = 0, completed = sys_load_relaxed(&entry->completed), published;

    for (uint32_t i = 0; i < q->ports; i++)
        /* Before the load of enqueued: what was taken had been published. */
        taken += sys_load_acquire(&port[i].taken);
    published = sys_load_acquire(&entry->enqueued); /* pairs with claim() */
    /* The service warp tells of the ports now and then. What is completed had been taken, and a task is
     * published when the one a capacity before it is completed. */
    taken = taken > completed ? taken : completed;
    if (published > q->capacity && taken < published - q->capacity)
        taken = published - q->capacity;
    if (dequeued)
        *dequeued = taken;
    if (enqueued)
        *enqueued = published;
}

uint64_t grosr_session_queue_oldest(const struct grosr_session *s, uint32_t queue)
{
    const struct grosr_queue_layout *q = &s->queue[queue];
    const struct grosr_queue_port *port =
        (const struct grosr_queue_port *)(const void *)(s->base + q->ports_at);
    const sys64 *time = (const sys64 *)(const void *)(s->base + q->chunk_times_at);
    uint64_t oldest = UINT64_MAX;

    for (uint32_t i = 0; i < q->ports; i++) {
        uint64_t taken = sys_load_acquire(&port[i].taken); /* before the load of enqueued */
        uint64_t task = (taken / q->chunk * q->ports + i) * q->chunk + taken % q->chunk;
        if (task < oldest)
            oldest = task;
    }
    if (oldest >= sys_load_acquire(&grosr_session_queue(s, queue)->enqueued)) /* pairs with claim() */
        return 0;
    return sys_load_relaxed(&time[oldest / q->chunk % q->chunks]);
}
