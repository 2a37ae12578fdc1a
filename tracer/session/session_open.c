/*
 * Finding, mapping and checking sessions' segments (session.h has the layout). A reader never trusts a
 * segment: what is constant is copied once and checked here, and only the copies are used afterwards.
 */
#include "outstanding.h"
#include "session_parts.h"

#include "heap_counters.h"

#include "../base/error.h"
#include "../base/process.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

/* Whether `count` items of `size` bytes at `at` lie inside a segment of `bytes`, aligned. */
static bool fits(uint64_t bytes, uint64_t at, uint64_t count, uint64_t size)
{
    return at % 128 == 0 && at <= bytes && count <= (bytes - at) / size;
}

/* Every offset and count of a copied header against the segment's size. */
static bool valid_header(const struct grosr_session_header *h, uint64_t bytes)
{
    if (h->header_bytes != sizeof(*h) || h->segment_bytes != bytes || (h->workers == 0 && h->streams == 0) ||
        h->workers > GROSR_MAX_WORKERS || h->rings != h->workers + 1 || h->snapshots == 0 ||
        h->streams > GROSR_STREAMS_MAX || h->launch_slots & (h->launch_slots - 1) ||
        h->launch_slots > GROSR_LAUNCH_SLOTS_MAX || h->call_slots > GROSR_CALL_SLOTS_MAX ||
        h->cuda_streams > GROSR_CUDA_STREAMS_MAX || h->text_bytes > GROSR_TEXTS_MAX ||
        h->queues > GROSR_QUEUES_MAX || h->names > GROSR_TABLE_MAX || h->heaps > GROSR_HEAPS_MAX ||
        !memchr(h->device, 0, sizeof(h->device)) || !memchr(h->device_name, 0, sizeof(h->device_name)) ||
        !memchr(h->program, 0, sizeof(h->program)) || !memchr(h->gpu.bus, 0, sizeof(h->gpu.bus)))
        return false;
    return fits(bytes, h->names_at, h->names, sizeof(struct grosr_name)) &&
           fits(bytes, h->workers_at, h->workers, sizeof(struct grosr_worker_entry)) &&
           fits(bytes, h->waits_at, h->workers, sizeof(struct grosr_wait_entry)) &&
           fits(bytes, h->rings_at, h->rings, sizeof(struct grosr_ring)) &&
           fits(bytes, h->queues_at, h->queues, sizeof(struct grosr_queue_entry)) &&
           fits(bytes, h->snapshots_at, h->snapshots, sizeof(struct grosr_snapshot)) &&
           fits(bytes, h->streams_at, h->streams, sizeof(struct grosr_stream)) &&
           fits(bytes, h->heaps_at, h->heaps, sizeof(struct grosr_heap_entry)) &&
           fits(bytes, h->outstanding_at, h->launch_slots != 0, sizeof(struct grosr_outstanding)) &&
           fits(bytes, h->call_slots_at, h->call_slots, sizeof(struct grosr_call_slot)) &&
           fits(bytes, h->launch_slots_at, h->launch_slots, sizeof(struct grosr_launch_slot)) &&
           fits(bytes, h->cuda_streams_at, h->cuda_streams, sizeof(struct grosr_cuda_stream)) &&
           fits(bytes, h->texts_at, h->text_bytes, 1) &&
           (h->launch_slots || (!h->call_slots && !h->cuda_streams && !h->text_bytes)) &&
           fits(bytes, h->mailbox_at, h->mailbox_bytes, 1);
}

/* And those of the copied rings and queues. */
static bool valid_layouts(const struct grosr_session *s)
{
    for (uint32_t i = 0; i < s->header.rings; i++) {
        const struct grosr_ring_layout *r = &s->ring[i];
        if (r->worker != (i < s->header.workers ? i : GROSR_RING_HOST) || r->capacity < GROSR_RING_MIN ||
            r->capacity > GROSR_RING_MAX ||
            !fits(s->bytes, r->slots_at, (uint64_t)r->capacity + 1, sizeof(sys128)))
            return false;
    }
    for (uint32_t i = 0; i < s->header.queues; i++) {
        const struct grosr_queue_layout *q = &s->queue[i];
        if (q->ports == 0 || q->chunk == 0 || q->chunks == 0 ||
            !fits(s->bytes, q->ports_at, q->ports, sizeof(struct grosr_queue_port)) ||
            !fits(s->bytes, q->chunk_times_at, q->chunks, sizeof(sys64)))
            return false;
    }
    for (uint32_t i = 0; i < s->header.streams; i++) {
        const struct grosr_stream_layout *t = &s->stream[i];
        if (t->capacity < 4096 || (t->capacity & (t->capacity - 1)) ||
            !fits(s->bytes, t->bytes_at, t->capacity, 1))
            return false;
    }
    return true;
}

struct extent {
    uint64_t at, end; /* bytes of the segment */
};

static int compare_extents(const void *a, const void *b)
{
    const struct extent *x = (const struct extent *)a, *y = (const struct extent *)b;
    return x->at < y->at ? -1 : x->at > y->at;
}

/*
 * Whether no two parts of a segment lie over each other: a reader frees the slots of one ring and would free
 * another's with them. Extents are known to lie inside the segment. 1, 0 or -ENOMEM.
 */
static int is_disjoint(const struct grosr_session *s)
{
    const struct grosr_session_header *h = &s->header;
    size_t room = 15 + h->rings + 2 * (size_t)h->queues + h->streams, n = 0;
    struct extent *e = (struct extent *)calloc(room, sizeof(*e));
    int disjoint = 1;

    if (!e)
        return grosr_fail(ENOMEM, "out of memory");
    const struct {
        uint64_t at, bytes;
    } tables[] = {
        {0, sizeof(*h)},
        {h->names_at, h->names * sizeof(struct grosr_name)},
        {h->workers_at, h->workers * sizeof(struct grosr_worker_entry)},
        {h->waits_at, h->workers * sizeof(struct grosr_wait_entry)},
        {h->rings_at, h->rings * sizeof(struct grosr_ring)},
        {h->queues_at, h->queues * sizeof(struct grosr_queue_entry)},
        {h->snapshots_at, h->snapshots * sizeof(struct grosr_snapshot)},
        {h->streams_at, h->streams * sizeof(struct grosr_stream)},
        {h->heaps_at, h->heaps * sizeof(struct grosr_heap_entry)},
        {h->outstanding_at, (h->launch_slots != 0) * sizeof(struct grosr_outstanding)},
        {h->call_slots_at, h->call_slots * sizeof(struct grosr_call_slot)},
        {h->launch_slots_at, h->launch_slots * sizeof(struct grosr_launch_slot)},
        {h->cuda_streams_at, h->cuda_streams * sizeof(struct grosr_cuda_stream)},
        {h->texts_at, h->text_bytes},
        {h->mailbox_at, h->mailbox_bytes},
    };
    for (size_t i = 0; i < sizeof(tables) / sizeof(*tables); i++)
        e[n++] = (struct extent){tables[i].at, tables[i].at + tables[i].bytes};
    for (uint32_t i = 0; i < h->rings; i++)
        e[n++] = (struct extent){s->ring[i].slots_at,
                                 s->ring[i].slots_at + (s->ring[i].capacity + 1) * sizeof(sys128)};
    for (uint32_t i = 0; i < h->queues; i++) {
        const struct grosr_queue_layout *q = &s->queue[i];
        e[n++] = (struct extent){q->ports_at, q->ports_at + q->ports * sizeof(struct grosr_queue_port)};
        e[n++] = (struct extent){q->chunk_times_at, q->chunk_times_at + q->chunks * sizeof(sys64)};
    }
    for (uint32_t i = 0; i < h->streams; i++)
        e[n++] = (struct extent){s->stream[i].bytes_at, s->stream[i].bytes_at + s->stream[i].capacity};
    qsort(e, n, sizeof(*e), compare_extents);
    uint64_t end = 0;
    for (size_t i = 0; i < n; i++) {
        if (e[i].at == e[i].end) /* an empty table may stand anywhere */
            continue;
        disjoint = disjoint && e[i].at >= end;
        end = e[i].end;
    }
    free(e);
    return disjoint;
}

/*
 * Maps and checks the segment behind `fd`, which is closed; `what` is what messages call it. A copy is mapped
 * so that nothing written to it reaches the file.
 */
static int open_segment(struct grosr_session *s, int fd, const char *what, bool copy)
{
    struct stat st;

    s->copy = copy;
    if (fstat(fd, &st) || !S_ISREG(st.st_mode)) {
        close(fd);
        return grosr_fail(EPROTO, "%s is not a GROSR session: it is no regular file", what);
    }
    if ((size_t)st.st_size < sizeof(struct grosr_session_header)) {
        close(fd);
        return grosr_fail(EPROTO, "%s is not a GROSR session: too short", what);
    }
    s->bytes = (size_t)st.st_size;
    void *base = mmap(NULL, s->bytes, PROT_READ | PROT_WRITE, copy ? MAP_PRIVATE : MAP_SHARED, fd, 0);
    int err = errno;
    close(fd);
    if (base == MAP_FAILED)
        return grosr_fail(err, "cannot map %s: %s", what, strerror(err));
    s->base = (unsigned char *)base;
    session_guard_add(s);
    /* Pairs with the release in grosr_session_create(). */
    if (sys_load_acquire((sys64 *)(void *)s->base) != GROSR_SESSION_MAGIC)
        return grosr_fail(EPROTO, "%s is not a GROSR session: wrong magic number", what);
    memcpy(&s->header, s->base, sizeof(s->header));
    if (s->header.abi != GROSR_SESSION_ABI)
        return grosr_fail(EPROTO,
                          "%s has session format %u, this grosr reads %u; use the grosr it was made with",
                          what, s->header.abi, GROSR_SESSION_ABI);
    if (!valid_header(&s->header, s->bytes))
        return grosr_fail(EPROTO, "%s is a damaged GROSR session", what);
    if ((err = session_copy_layouts(s)))
        return err;
    err = valid_layouts(s) ? is_disjoint(s) : 0;
    return err == 0 ? grosr_fail(EPROTO, "%s is a damaged GROSR session", what) : err < 0 ? err : 0;
}

/* Why the segment of a process cannot be opened. */
static int tell_missing(uint32_t pid, const char *what, int err)
{
    if (err == EACCES)
        return grosr_fail(err, "process %u belongs to another user; run grosr as that user", pid);
    if (err == ENOENT && !grosr_process_start_time(pid, NULL))
        return grosr_fail(err, "process %u hosts no GROSR session; `grosr info` lists those that do", pid);
    if (err == ENOENT)
        return grosr_fail(err, "there is no process %u; `grosr info` lists the sessions", pid);
    return grosr_fail(err, "cannot open %s: %s", what, strerror(err));
}

int grosr_session_open(struct grosr_session **out, uint32_t pid, uint32_t index)
{
    struct grosr_session *s = (struct grosr_session *)calloc(1, sizeof(*s));
    char what[sizeof(s->name) + sizeof(SHM_DIR)];
    int fd, err;

    if (!s)
        return grosr_fail(ENOMEM, "out of memory");
    session_segment_name(s->name, sizeof(s->name), pid, index);
    snprintf(what, sizeof(what), SHM_DIR "%s", s->name);
    fd = shm_open(s->name, O_RDWR, 0);
    err = fd < 0 ? tell_missing(pid, what, errno) : open_segment(s, fd, what, false);
    if (!err && s->header.pid != pid)
        err = grosr_fail(EPROTO, "%s is a damaged GROSR session", what);
    if (err) {
        grosr_session_close(s);
        return err;
    }
    *out = s;
    return 0;
}

int grosr_session_open_copy(struct grosr_session **out, const char *path)
{
    struct grosr_session *s = (struct grosr_session *)calloc(1, sizeof(*s));
    int fd, err;

    if (!s)
        return grosr_fail(ENOMEM, "out of memory");
    fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK); /* of a FIFO, nobody is waited for */
    err = fd < 0 ? grosr_fail(errno, "cannot open %s: %s", path, strerror(errno))
                 : open_segment(s, fd, path, true);
    if (err) {
        grosr_session_close(s);
        return err;
    }
    *out = s;
    return 0;
}

static int compare_ids(const void *a, const void *b)
{
    const struct grosr_session_id *x = (const struct grosr_session_id *)a;
    const struct grosr_session_id *y = (const struct grosr_session_id *)b;
    if (x->pid != y->pid)
        return x->pid < y->pid ? -1 : 1;
    return x->index < y->index ? -1 : x->index > y->index;
}

int grosr_session_list(struct grosr_session_id **ids)
{
    DIR *dir = opendir(SHM_DIR);
    struct dirent *entry;
    int n = 0, room = 0;

    *ids = NULL;
    if (!dir)
        return grosr_fail(errno, "cannot read " SHM_DIR ": %s", strerror(errno));
    while ((entry = readdir(dir))) {
        struct grosr_session_id id;
        if (!session_parse_name(entry->d_name, &id))
            continue;
        if (n == room) {
            room = room ? 2 * room : 16;
            struct grosr_session_id *more =
                (struct grosr_session_id *)realloc(*ids, (size_t)room * sizeof(**ids));
            if (!more) {
                closedir(dir);
                free(*ids);
                *ids = NULL;
                return grosr_fail(ENOMEM, "out of memory");
            }
            *ids = more;
        }
        (*ids)[n++] = id;
    }
    closedir(dir);
    if (n)
        qsort(*ids, (size_t)n, sizeof(**ids), compare_ids);
    return n;
}
