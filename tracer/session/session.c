/*
 * Session segments: creation, discovery, validation (session.h has the layout).
 */
#include "session.h"

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
#include <time.h>
#include <unistd.h>

#define SHM_DIR "/dev/shm"

static uint64_t clock_ns(clockid_t id)
{
    struct timespec t;
    clock_gettime(id, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

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

static void segment_name(char *name, size_t size, uint32_t pid, uint32_t index)
{
    snprintf(name, size, "/grosr.%u.%u", pid, index);
}

static uint32_t queue_chunks(const struct grosr_session_queue_options *q)
{
    return q->capacity / q->chunk + 2;
}

static void set_name(struct grosr_name *name, uint32_t space, uint32_t id, const char *text, const char *unit)
{
    name->id = id;
    snprintf(name->text, sizeof(name->text), "%s", text);
    snprintf(name->unit, sizeof(name->unit), "%s", unit ? unit : "");
    sys_store_release(&name->space, space); /* pairs with grosr_session_name_entry() */
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
    h->names_at = reserve(&end, h->names, sizeof(struct grosr_name));
    h->workers_at = reserve(&end, h->workers, sizeof(struct grosr_worker_entry));
    h->rings_at = reserve(&end, h->rings, sizeof(struct grosr_ring));
    h->queues_at = reserve(&end, h->queues, sizeof(struct grosr_queue_entry));
    h->snapshots_at = reserve(&end, h->snapshots, sizeof(struct grosr_snapshot));
    h->streams_at = reserve(&end, h->streams, sizeof(struct grosr_stream));
    for (uint32_t i = 0; i < o->queue_count; i++) {
        reserve(&end, o->queues[i].ports, sizeof(struct grosr_queue_port));
        reserve(&end, queue_chunks(&o->queues[i]), sizeof(sys64));
    }
    for (uint32_t i = 0; i < h->rings; i++)
        reserve(&end, (i < o->workers ? o->ring_events : o->host_ring_events) + 1, sizeof(sys128));
    for (uint32_t i = 0; i < h->streams; i++)
        reserve(&end, o->stream_bytes, 1);
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
    uint64_t end = h->streams_at + h->streams * sizeof(struct grosr_stream);

    for (uint32_t i = 0; i < o->function_count; i++) {
        if (!o->functions[i])
            continue;
        set_name(name++, GROSR_NAME_FUNCTION, i, o->functions[i], NULL);
    }
    for (uint32_t i = 0; i < o->queue_count; i++) {
        const struct grosr_session_queue_options *q = &o->queues[i];
        set_name(name++, GROSR_NAME_QUEUE, i, q->name, NULL);
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
        segment_name(name, size, pid, *index);
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

/* Copies the constant parts of the rings and queues. The header's copy is there and valid. */
static int copy_layouts(struct grosr_session *s)
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

static void free_session(struct grosr_session *s)
{
    free(s->ring);
    free(s->queue);
    free(s->stream);
    free(s);
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
        segment_name(name, sizeof(name), ids[i].pid, ids[i].index);
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
    if (o->queue_count > GROSR_QUEUES_MAX || count_names(o) > GROSR_TABLE_MAX)
        return grosr_fail(EINVAL, "a session has at most %u queues and %u names", GROSR_QUEUES_MAX,
                          GROSR_TABLE_MAX);
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
    layout.start_mono_ns = clock_ns(CLOCK_MONOTONIC);
    layout.start_real_ns = clock_ns(CLOCK_REALTIME);
    snprintf(layout.device, sizeof(layout.device), "%s", o->device);
    snprintf(layout.device_name, sizeof(layout.device_name), "%s", o->device_name);
    snprintf(layout.program, sizeof(layout.program), "%s", o->program);
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
    err = copy_layouts(s);
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
    free_session(s);
    return -err;
}

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
        h->streams > GROSR_STREAMS_MAX || h->queues > GROSR_QUEUES_MAX || h->names > GROSR_TABLE_MAX ||
        !memchr(h->device, 0, sizeof(h->device)) || !memchr(h->device_name, 0, sizeof(h->device_name)) ||
        !memchr(h->program, 0, sizeof(h->program)))
        return false;
    return fits(bytes, h->names_at, h->names, sizeof(struct grosr_name)) &&
           fits(bytes, h->workers_at, h->workers, sizeof(struct grosr_worker_entry)) &&
           fits(bytes, h->rings_at, h->rings, sizeof(struct grosr_ring)) &&
           fits(bytes, h->queues_at, h->queues, sizeof(struct grosr_queue_entry)) &&
           fits(bytes, h->snapshots_at, h->snapshots, sizeof(struct grosr_snapshot)) &&
           fits(bytes, h->streams_at, h->streams, sizeof(struct grosr_stream));
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

/*
 * Maps and checks the segment behind `fd`, which is closed; `what` is what messages call it. A copy is mapped
 * so that nothing written to it reaches the file.
 */
static int open_segment(struct grosr_session *s, int fd, const char *what, bool copy)
{
    struct stat st;

    s->copy = copy;
    if (fstat(fd, &st) || !S_ISREG(st.st_mode) || (size_t)st.st_size < sizeof(struct grosr_session_header)) {
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
    err = copy_layouts(s);
    if (!err && !valid_layouts(s))
        err = grosr_fail(EPROTO, "%s is a damaged GROSR session", what);
    return err;
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
    segment_name(s->name, sizeof(s->name), pid, index);
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
    fd = open(path, O_RDONLY | O_CLOEXEC);
    err = fd < 0 ? grosr_fail(errno, "cannot open %s: %s", path, strerror(errno))
                 : open_segment(s, fd, path, true);
    if (err) {
        grosr_session_close(s);
        return err;
    }
    *out = s;
    return 0;
}

void grosr_session_unlink(struct grosr_session *s)
{
    if (!s->copy)
        shm_unlink(s->name);
}

void grosr_session_close(struct grosr_session *s)
{
    if (!s)
        return;
    if (s->owner)
        shm_unlink(s->name);
    if (s->base)
        munmap(s->base, s->bytes);
    free_session(s);
}

bool grosr_session_alive(const struct grosr_session *s)
{
    uint64_t start;
    return !s->copy && grosr_process_start_time(s->header.pid, &start) == 0 && start == s->header.pid_start;
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
        char extra;
        if (sscanf(entry->d_name, "grosr.%u.%u%c", &id.pid, &id.index, &extra) != 2)
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

struct grosr_session_header *grosr_session_live(const struct grosr_session *s)
{
    return (struct grosr_session_header *)(void *)s->base;
}

struct grosr_worker_entry *grosr_session_worker(const struct grosr_session *s, uint32_t worker)
{
    return (struct grosr_worker_entry *)(void *)(s->base + s->header.workers_at) + worker;
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

    if (index >= s->header.names || !sys_load_acquire(&name->space) || /* pairs with set_name() */
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
    set_name(names_of(s) + i, space, id, text, unit);
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

int grosr_session_wait_collector(const struct grosr_session *s, uint32_t pid, uint64_t timeout_ns)
{
    uint64_t start = clock_ns(CLOCK_MONOTONIC);

    /* Pairs with the release in grosr_session_set_collector(). */
    while (!sys_load_acquire(&grosr_session_live(s)->collector_pid)) {
        struct timespec pause = {0, 1000000};
        if (grosr_process_start_time(pid, NULL))
            return grosr_fail(ECHILD, "the collector (process %u) ended before it attached", pid);
        if (clock_ns(CLOCK_MONOTONIC) - start > timeout_ns)
            return grosr_fail(ETIMEDOUT, "the collector (process %u) did not attach within %d s", pid,
                              (int)(timeout_ns / 1000000000u));
        nanosleep(&pause, NULL);
    }
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
        taken += sys_load_acquire(&port[i].taken); /* before `enqueued`: what was taken had been published */
    published = sys_load_acquire(&entry->enqueued);
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
        uint64_t taken = sys_load_acquire(&port[i].taken);
        uint64_t task = (taken / q->chunk * q->ports + i) * q->chunk + taken % q->chunk;
        if (task < oldest)
            oldest = task;
    }
    if (oldest >= sys_load_acquire(&grosr_session_queue(s, queue)->enqueued))
        return 0;
    return sys_load_relaxed(&time[oldest / q->chunk % q->chunks]);
}
