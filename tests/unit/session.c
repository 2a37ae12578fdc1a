/*
 * A session segment: private, found by pid, gone when closed; and a damaged one is refused, never followed.
 */
#include "../fixture.h"

#include "../../tracer/base/process.h"
#include "../../tracer/collect/collector.h"
#include "../../tracer/session/ring.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <signal.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static void life(void)
{
    struct grosr_session *s = fixture_session(3, 100, GROSR_OVERFLOW_AUTO), *second, *view;
    struct grosr_session_id *ids;
    struct stat st;
    char path[128];
    int n, mine = 0;

    snprintf(path, sizeof(path), "/dev/shm%s", s->name);
    ok(stat(path, &st) == 0 && (st.st_mode & 0777) == 0600, "the segment is readable by its owner only");
    ok(grosr_session_open(&view, (uint32_t)getpid(), 0) == 0, "it is found by pid");
    is(view->header.workers, 3, "with its workers");
    is(grosr_session_ring(view, 3)->worker, GROSR_RING_HOST, "and the host's ring last");
    ok(!strcmp(grosr_session_name(view, GROSR_NAME_FUNCTION, 1), "beta"), "and the names of its functions");
    ok(!grosr_session_name(view, GROSR_NAME_FUNCTION, 9), "an unknown name is NULL");
    ok(grosr_session_alive(view), "its process is alive");
    second = fixture_session(1, 8, GROSR_OVERFLOW_AUTO);
    is(second->header.index, 1, "a process may have several");
    n = grosr_session_list(&ids);
    for (int i = 0; i < n; i++)
        mine += ids[i].pid == (uint32_t)getpid();
    free(ids);
    is(mine, 2, "both are listed");
    is(sys_load_relaxed(&grosr_session_live(s)->overflow), GROSR_OVERFLOW_OVERWRITE,
       "without a collector: overwrite");
    grosr_session_set_collector(view, 1);
    is(sys_load_relaxed(&grosr_session_live(s)->overflow), GROSR_OVERFLOW_DROP, "with one: drop");
    grosr_session_close(view);
    ok(stat(path, &st) == 0, "a reader leaves it");
    grosr_session_close(second);
    grosr_session_close(s);
    ok(stat(path, &st) != 0, "its creator removes it");
    is(grosr_session_open(&view, (uint32_t)getpid(), 0), -ENOENT, "then it is not found");
    ok(strstr(grosr_error(), "hosts no GROSR session"), "in words: %s", grosr_error());
}

/* A killed process leaves its segment behind; the next one with its number is not the one it tells of. */
static void reused_pid(void)
{
    volatile sig_atomic_t give_up = 1;
    struct grosr_session *s = fixture_session(1, 8, GROSR_OVERFLOW_AUTO), *second, *found;
    uint32_t pid = (uint32_t)getpid();

    is(grosr_collector_find(&found, pid, &give_up), 0, "a recorder finds a process's session");
    grosr_session_close(found);
    grosr_session_live(s)->pid_start++;
    is(grosr_collector_find(&found, pid, &give_up), -EINTR,
       "not that of another process with the same number");
    second = fixture_session(1, 8, GROSR_OVERFLOW_AUTO);
    is(second->header.index, 0, "whose place the process takes");
    is(grosr_collector_find(&found, pid, &give_up), 0, "and then it is found");
    ok(grosr_session_alive(found), "alive");
    grosr_session_close(found);
    grosr_session_close(second);
    grosr_session_close(s);
}

/* When a process started: by the clock that counts from boot, and no other process's time. */
static void start_time(void)
{
    struct timespec boot;
    uint64_t start = 0, later = 0, per_s = (uint64_t)sysconf(_SC_CLK_TCK);
    uint32_t pid = (uint32_t)getpid();

    clock_gettime(CLOCK_BOOTTIME, &boot);
    uint64_t now = ((uint64_t)boot.tv_sec + 1) * per_s; /* rounded up */
    is(grosr_process_start_time(pid, &start), 0, "a process has a start time");
    ok(start > 0 && start <= now && now - start < 600 * per_s, "a moment ago: tick %llu of %llu",
       (unsigned long long)start, (unsigned long long)now);
    usleep(30000); /* three ticks */
    pid_t child = fork();
    if (child == 0) {
        pause();
        _exit(0);
    }
    is(grosr_process_start_time((uint32_t)child, &later), 0, "so has a child");
    ok(later > start, "which started later");
    ok(grosr_process_was((uint32_t)child, later), "it is the one that started then");
    ok(!grosr_process_was((uint32_t)child, start), "and no other with its number");
    kill(child, SIGKILL);
    waitpid(child, NULL, 0);
}

static void bad_options(void)
{
    struct grosr_session_options o = {.workers = 1, .ring_events = 4, .host_ring_events = 8};
    struct grosr_session *s;

    is(grosr_session_create(&s, &o), -EINVAL, "a ring of 4 is too small");
    o.ring_events = 8;
    o.workers = GROSR_MAX_WORKERS + 1;
    is(grosr_session_create(&s, &o), -EINVAL, "too many workers");
    o.workers = 1;
    o.names = GROSR_TABLE_MAX + 1;
    is(grosr_session_create(&s, &o), -EINVAL, "too many names");
}

/* A name whose owner takes its end away between the check and the copy. */
static void endless_name(void)
{
    char from[GROSR_NAME_BYTES], to[GROSR_NAME_BYTES];

    memset(from, 'x', sizeof(from));
    grosr_session_copy_text(to, from, sizeof(to));
    is(strnlen(to, sizeof(to)), GROSR_NAME_BYTES - 1, "a name without an end has one when it is copied");
}

/* Writes `bytes` over a copy of a good segment at `at`, and opens it. */
static int open_damaged(const unsigned char *good, size_t size, size_t at, const void *bytes, size_t n)
{
    struct grosr_session *view;
    char name[64];
    int err;

    snprintf(name, sizeof(name), "/grosr.%d.0", (int)getpid());
    int fd = shm_open(name, O_CREAT | O_TRUNC | O_RDWR, 0600);
    if (fd < 0 || ftruncate(fd, (off_t)size))
        return 1;
    unsigned char *copy = (unsigned char *)mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    memcpy(copy, good, size);
    memcpy(copy + at, bytes, n < size - at ? n : size - at);
    munmap(copy, size);
    close(fd);
    err = grosr_session_open(&view, (uint32_t)getpid(), 0);
    if (!err) { /* accepted: then everything in it can be followed */
        for (uint32_t i = 0; i < view->header.rings; i++) {
            struct grosr_ring_reader reader;
            struct grosr_ring_counts counts;
            struct grosr_pair records[16];
            uint64_t first;
            grosr_ring_reader_open(&reader, view, i);
            for (int k = 0; k < 100 && grosr_ring_read(&reader, records, 16, &first); k++)
                ;
            grosr_ring_count(view, i, &counts);
        }
        for (uint32_t i = 0; i < view->header.queues; i++) {
            uint64_t a, b;
            grosr_session_queue_counts(view, i, &a, &b);
            grosr_session_queue_oldest(view, i);
        }
        for (uint32_t i = 0; i < 4; i++)
            grosr_session_name(view, i, i);
        grosr_session_alive(view);
        grosr_session_close(view);
    }
    shm_unlink(name);
    return err;
}

static void damaged(void)
{
    struct grosr_session *s = fixture_session(2, 16, GROSR_OVERFLOW_AUTO);
    size_t size = s->bytes;
    unsigned char *good = (unsigned char *)malloc(size);
    uint64_t huge = UINT64_MAX - 63, seed = 11;
    uint32_t other = 99, accepted = 0, refused = 0;

    memcpy(good, s->base, size);
    grosr_session_close(s);
    is(open_damaged(good, size, 0, "GARBAGE!", 8), -EPROTO, "a wrong magic number is refused");
    ok(strstr(grosr_error(), "wrong magic"), "in words: %s", grosr_error());
    is(open_damaged(good, size, offsetof(struct grosr_session_header, abi), &other, 4), -EPROTO,
       "another version is refused");
    ok(strstr(grosr_error(), "session format 99"), "in words: %s", grosr_error());
    is(open_damaged(good, size, offsetof(struct grosr_session_header, rings_at), &huge, 8), -EPROTO,
       "an offset outside is refused");
    is(open_damaged(good, 100, 0, good, 100), -EPROTO, "a short segment is refused");
    is(open_damaged(good, size - 4096, 0, good, 8), -EPROTO, "a truncated one too");
    for (int i = 0; i < 3000; i++) {
        uint64_t bytes = i % 3 ? tap_random(&seed) : UINT64_C(1) << (tap_random(&seed) % 64);
        /* Headers and tables, behind the magic number. */
        size_t at = 8 + tap_random(&seed) % (sizeof(struct grosr_session_header) + 2048);
        if (i % 2)
            at = (size_t)(tap_random(&seed) % size) & ~(size_t)7;
        if (at < 8)
            at = 8;
        if (open_damaged(good, size, at, &bytes, 1 + tap_random(&seed) % 8))
            refused++;
        else
            accepted++;
    }
    ok(refused > 50 && accepted > 50, "3,000 damaged segments: %u refused, %u harmless, none followed astray",
       refused, accepted);
    free(good);
}

/* Opens a copy in which a part has been moved over another. */
static int open_moved(const unsigned char *good, size_t size, uint64_t at, uint64_t to)
{
    return open_damaged(good, size, at, &to, 8);
}

static void overlaps(void)
{
    struct grosr_session *s = fixture_session(2, 16, GROSR_OVERFLOW_AUTO);
    size_t size = s->bytes;
    unsigned char *good = (unsigned char *)malloc(size);
    const struct grosr_session_header *h = &s->header;
    uint64_t ring = h->rings_at + offsetof(struct grosr_ring, slots_at);
    uint64_t queue = h->queues_at + offsetof(struct grosr_queue_entry, ports_at);
    uint64_t first = s->ring[0].slots_at;

    memcpy(good, s->base, size);
    is(open_moved(good, size, ring, first), 0, "a segment as it was made is accepted");
    is(open_moved(good, size, ring + sizeof(struct grosr_ring), first), -EPROTO,
       "not two rings in one place");
    is(open_moved(good, size, ring + sizeof(struct grosr_ring), first + 128), -EPROTO,
       "or one over another's end");
    is(open_moved(good, size, ring, h->workers_at), -EPROTO, "nor a ring over the workers");
    is(open_moved(good, size, ring, 0), -EPROTO, "or over the header");
    is(open_moved(good, size, ring, h->waits_at), -EPROTO, "or over their waits");
    is(open_moved(good, size, queue, first), -EPROTO, "nor a queue's ports over a ring");
    is(open_moved(good, size, offsetof(struct grosr_session_header, snapshots_at), h->names_at), -EPROTO,
       "nor a table over another");
    free(good);
    grosr_session_close(s);
}

static void program_bus_error(int number)
{
    (void)number;
    _exit(42);
}

/* Its owner truncates it while it is read. */
static void truncated(void)
{
    struct grosr_session *s = fixture_session(2, 512, GROSR_OVERFLOW_AUTO), *view;
    struct grosr_ring_reader reader;
    struct grosr_pair records[16];
    uint64_t first;
    char path[96];

    signal(SIGBUS, program_bus_error);
    grosr_session_guard();
    snprintf(path, sizeof(path), "/dev/shm%s", s->name);
    is(grosr_session_open(&view, (uint32_t)getpid(), 0), 0, "a session is read");
    ok(!grosr_session_truncated(view), "which is whole");
    is(truncate(path, 0), 0, "its owner truncates it");
    grosr_ring_reader_open(&reader, view, 1);
    is(grosr_ring_read(&reader, records, 16, &first), 0, "what is read from it is nothing");
    ok(grosr_session_truncated(view), "and it is known why");
    for (uint32_t i = 0; i < view->header.workers; i++)
        sys_load_relaxed(&grosr_session_worker(view, i)->sm);
    grosr_session_set_collector(view, 1);
    ok(true, "every other part can be read, and written");
    grosr_session_close(view);
    pid_t child = fork();
    if (child == 0) {
        raise(SIGBUS);
        _exit(0);
    }
    int status = 0;
    waitpid(child, &status, 0);
    ok(child > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 42,
       "a bus error of any other kind goes to the handler before");
    grosr_session_close(s);
}

static void dead(void)
{
    struct grosr_session *view = NULL;
    int status;
    pid_t child = fork();

    if (child == 0) {
        fixture_session(1, 8, GROSR_OVERFLOW_AUTO);
        _exit(0); /* without closing */
    }
    waitpid(child, &status, 0);
    ok(grosr_session_open(&view, (uint32_t)child, 0) == 0 && !grosr_session_alive(view),
       "what a dead process left can be opened and is known to be dead");
    if (view) {
        grosr_session_unlink(view);
        grosr_session_close(view);
    }
    is(grosr_session_open(&view, (uint32_t)child, 0), -ENOENT, "a dead process without a segment");
    char name[64];
    snprintf(name, sizeof(name), "/grosr.%d.0", (int)child);
    int fd = shm_open(name, O_CREAT | O_RDWR, 0600);
    ok(fd >= 0 && ftruncate(fd, 8192) == 0, "a segment whose maker was killed before it was done");
    close(fd);
    grosr_session_close(fixture_session(1, 8, GROSR_OVERFLOW_AUTO));
    ok(shm_open(name, O_RDWR, 0) < 0 && errno == ENOENT, "goes when the next session is made");
    is(grosr_session_open(&view, (uint32_t)child, 0), -ENOENT, "so that it is not found");
    ok(strstr(grosr_error(), "there is no process"), "in words: %s", grosr_error());
}

int main(void)
{
    life();
    reused_pid();
    start_time();
    bad_options();
    endless_name();
    damaged();
    overlaps();
    truncated();
    dead();
    return tap_done();
}
