/* System calls of device code, on whichever device: shared by tests/stress/syscall.c (host) and
 * tests/cuda/syscall.c. Each part works in a directory of its own under a temporary one. */
#ifndef GROSR_SYSCALL_SUITE_H
#define GROSR_SYSCALL_SUITE_H

#include "runtime_suite.h"

#include "../runtime/builtin/functions_syscall.h"

#include <dirent.h>
#include <fcntl.h>
#include <ftw.h>
#include <sys/stat.h>
#include <time.h>

#define SUITE_RECORDS 256u
#define SUITE_BUFFER  (1u << 20)

/* A runtime with system calls, records in memory that it shares, and two buffers: one of the device's own,
 * one shared. */
struct suite {
    grosr *rt;
    struct grosr_call_record *record;
    uint64_t record_at; /* as the device sees it */
    unsigned char *shared;
    uint64_t shared_at, own_at;
    char root[64];
    struct grosr_syscalls syscalls;
};

static inline int suite_remove_one(const char *path, const struct stat *st, int flag, struct FTW *ftw)
{
    (void)st;
    (void)flag;
    (void)ftw;
    return remove(path);
}

static inline void suite_remove_tree(const char *path)
{
    nftw(path, suite_remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

/* A fresh directory. */
static inline void suite_directory(char path[64])
{
    snprintf(path, 64, "%s/grosr-syscall-XXXXXX", access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm");
    if (!mkdtemp(path)) {
        printf("Bail out! mkdtemp: %s\n", strerror(errno));
        exit(1);
    }
}

static inline void suite_begin(struct suite *s, const char *device, uint32_t workers)
{
    struct grosr_options o = suite_options(device);
    void *host, *view, *own;

    if (!s->root[0])
        suite_directory(s->root);
    s->syscalls.root = s->root;
    o.workers = workers;
    o.shared_bytes = SUITE_RECORDS * sizeof(*s->record) + SUITE_BUFFER;
    o.device_bytes = SUITE_BUFFER;
    o.syscalls = &s->syscalls;
    s->rt = suite_open(&o);
    grosr_shared(s->rt, &host, &view);
    grosr_device_memory(s->rt, &own);
    s->record = (struct grosr_call_record *)host;
    s->record_at = (uint64_t)(uintptr_t)view;
    s->shared = (unsigned char *)host + SUITE_RECORDS * sizeof(*s->record);
    s->shared_at = s->record_at + SUITE_RECORDS * sizeof(*s->record);
    s->own_at = (uint64_t)(uintptr_t)own;
}

static inline void suite_end(struct suite *s)
{
    is(grosr_close(s->rt), 0, "the runtime is closed");
    suite_remove_tree(s->root);
    s->root[0] = 0;
}

/* Runs the records 0 .. count - 1, as tasks of their own or as one task. */
static inline int suite_run(struct suite *s, uint32_t function, uint32_t count)
{
    struct grosr_task tasks[SUITE_RECORDS];
    struct grosr_result results[SUITE_RECORDS];
    bool apart = function == GROSR_FN_CALL || function == GROSR_FN_CALL_THEN;
    uint32_t n = apart ? count : 1;
    uint64_t first;

    for (uint32_t i = 0; i < n; i++)
        tasks[i] = suite_task((uint16_t)function, apart ? i : count, s->record_at);
    int err = grosr_submit(s->rt, tasks, n, results, &first);
    if (!err)
        err = grosr_wait(s->rt, first + n, UINT64_C(120000000000));
    if (err == -ETIMEDOUT) { /* the tasks still use what the test would go on with */
        printf("Bail out! calls of function %u do not end\n", function);
        exit(1);
    }
    for (uint32_t i = 0; !err && i < n; i++)
        err = results[i].status;
    return err;
}

/* One call; the record keeps what it is. */
static inline int64_t suite_call(struct suite *s, struct grosr_call_record r)
{
    s->record[0] = r;
    int err = suite_run(s, GROSR_FN_CALL, 1);
    return err ? -100000 + err : s->record[0].result;
}

static inline struct grosr_call_record suite_path(uint32_t call, const char *path, int flags, uint32_t mode)
{
    struct grosr_call_record r = {.call = call, .handle = GROSR_ROOT, .flags = (uint32_t)flags, .mode = mode};

    snprintf(r.path, sizeof(r.path), "%s", path);
    return r;
}

static inline int64_t suite_open_file(struct suite *s, const char *path, int flags, uint32_t mode)
{
    return suite_call(s, suite_path(GROSR_SYS_OPENAT, path, flags, mode));
}

static inline int64_t suite_on(struct suite *s, uint32_t call, int64_t handle, uint64_t buffer,
                               uint64_t bytes, int64_t offset)
{
    return suite_call(
        s, (struct grosr_call_record){
               .call = call, .handle = (int32_t)handle, .buffer = buffer, .bytes = bytes, .offset = offset});
}

static inline void suite_fill(unsigned char *to, size_t bytes, uint64_t seed)
{
    for (size_t i = 0; i < bytes; i++)
        to[i] = (unsigned char)(tap_random(&seed) >> 32);
}

/* ---- opening ---- */

static inline void suite_refused(const char *device, struct grosr_syscalls syscalls, int err,
                                 const char *what)
{
    struct grosr_options o = suite_options(device);
    grosr *rt;

    o.workers = 1;
    o.syscalls = &syscalls;
    is(grosr_open(&rt, &o), -err, "%s: %s", what, grosr_error());
    ok(rt == NULL, "no runtime");
    grosr_close(rt);
}

static inline void suite_bad_syscalls(const char *device)
{
    struct grosr_options o = suite_options(device);
    struct grosr_mailbox mailbox;
    grosr *rt;

    suite_refused(device, (struct grosr_syscalls){.root = NULL}, EINVAL, "no root directory");
    suite_refused(device, (struct grosr_syscalls){.root = "/dev/shm/none"}, ENOENT, "one that is not there");
    suite_refused(device, (struct grosr_syscalls){.root = "/dev/null"}, ENOTDIR, "one that is none");
    suite_refused(device, (struct grosr_syscalls){.root = "/", .ports = 1}, EINVAL, "one port");
    suite_refused(device, (struct grosr_syscalls){.root = "/", .ports = 1025}, EINVAL, "too many");
    suite_refused(device, (struct grosr_syscalls){.root = "/", .staging_bytes = 20000}, EINVAL, "odd memory");
    suite_refused(device, (struct grosr_syscalls){.root = "/", .handles = 4097}, EINVAL, "too many handles");
    suite_refused(device, (struct grosr_syscalls){.root = "/", .proxies = 17}, EINVAL, "too many proxies");
    o.workers = 1;
    rt = suite_open(&o);
    is(grosr_mailbox(rt, &mailbox), -ENOENT, "a runtime without system calls has no mailbox");
    grosr_close(rt);
    struct grosr_syscalls some = {.root = "/"};
    o.syscalls = &some;
    rt = suite_open(&o);
    is(grosr_mailbox(rt, NULL), -EINVAL, "one that has needs a place for it");
    is(grosr_mailbox(rt, &mailbox), 0, "which is filled");
    ok(mailbox.ports == 64 && mailbox.staging_bytes == 262144, "with the defaults");
    grosr_close(rt);
}

/* ---- one of each ---- */

static inline void suite_each_call(const char *device)
{
    struct suite s = {.syscalls = {.writable = true}};
    static unsigned char bytes[300000], back[300000];
    struct grosr_stat st;
    struct grosr_dirent entry;

    suite_begin(&s, device, 2);
    suite_fill(bytes, sizeof(bytes), 7);
    is(suite_call(&s, (struct grosr_call_record){.call = GROSR_SYS_NOOP}), 0, "noop");
    is(suite_call(&s, (struct grosr_call_record){.call = GROSR_SYS_GETPID}), getpid(), "getpid");
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    int64_t t = suite_call(&s, (struct grosr_call_record){.call = GROSR_SYS_CLOCK_GETTIME});
    ok(t >= (int64_t)now.tv_sec * 1000000000 && t < (int64_t)(now.tv_sec + 60) * 1000000000, "clock_gettime");
    uint64_t before = grosr_host_clock_ns();
    is(suite_on(&s, GROSR_SYS_NANOSLEEP, 0, 0, 0, 30000000), 0, "nanosleep");
    ok(grosr_host_clock_ns() - before >= 30000000, "waits as long as it should");

    int64_t h = suite_open_file(&s, "file", O_RDWR | O_CREAT | O_EXCL, 0640);
    ok(h >= 0, "a file is made");
    is(suite_open_file(&s, "file", O_RDWR | O_CREAT | O_EXCL, 0640), -EEXIST, "once");
    grosr_device_write(s.rt, 0, bytes, sizeof(bytes));
    is(suite_on(&s, GROSR_SYS_WRITE, h, s.own_at, sizeof(bytes), 0), sizeof(bytes),
       "a write longer than a piece");
    is(suite_on(&s, GROSR_SYS_LSEEK, h, 0, 0, 100), 100, "lseek");
    is(suite_on(&s, GROSR_SYS_READ, h, s.own_at, SUITE_BUFFER, 0), sizeof(bytes) - 100,
       "a long read ends at the end");
    grosr_device_read(s.rt, back, 0, sizeof(bytes) - 100);
    ok(!memcmp(back, bytes + 100, sizeof(bytes) - 100), "and has the bytes");
    is(suite_on(&s, GROSR_SYS_PREAD, h, s.shared_at + 3, 5000, 11), 5000,
       "a read into memory that is shared");
    ok(!memcmp(s.shared + 3, bytes + 11, 5000), "has the bytes, at an odd place");
    is(suite_on(&s, GROSR_SYS_PREAD, h, s.own_at + 5, 70001, 13), 70001, "a read to an odd address");
    grosr_device_read(s.rt, back, 5, 70001);
    ok(!memcmp(back, bytes + 13, 70001), "has the bytes");
    memcpy(s.shared, "shared", 6);
    is(suite_on(&s, GROSR_SYS_PWRITE, h, s.shared_at, 6, 299990), 6, "a write from memory that is shared");
    is(suite_on(&s, GROSR_SYS_FTRUNCATE, h, 0, 0, 299998), 0, "ftruncate");
    is(suite_on(&s, GROSR_SYS_FSYNC, h, 0, 0, 0), 0, "fsync");
    is(suite_on(&s, GROSR_SYS_FSTAT, h, s.own_at, 0, 0), 0, "fstat");
    grosr_device_read(s.rt, &st, 0, sizeof(st));
    ok(st.size == 299998 && S_ISREG(st.mode) && (st.mode & 0777) == 0640, "says what the file is");
    is(suite_on(&s, GROSR_SYS_CLOSE, h, 0, 0, 0), 0, "close");
    is(suite_on(&s, GROSR_SYS_CLOSE, h, 0, 0, 0), -EBADF, "once");
    is(suite_on(&s, GROSR_SYS_PREAD, h, s.own_at, 10, 0), -EBADF, "a closed handle is refused");

    is(suite_call(&s, suite_path(GROSR_SYS_MKDIR, "dir", 0, 0755)), 0, "mkdir");
    struct grosr_call_record move = suite_path(GROSR_SYS_RENAME, "file", 0, 0);
    snprintf(move.second, sizeof(move.second), "dir/moved");
    is(suite_call(&s, move), 0, "rename");
    h = suite_open_file(&s, "dir", O_RDONLY | O_DIRECTORY, 0);
    int entries = 0, found = 0;
    while (suite_on(&s, GROSR_SYS_READDIR, h, s.own_at, 0, 0) == 1) {
        grosr_device_read(s.rt, &entry, 0, sizeof(entry));
        entries++;
        found += !strcmp(entry.name, "moved");
    }
    ok(entries == 3 && found == 1, "readdir has the entries");
    struct grosr_call_record below = suite_path(GROSR_SYS_OPENAT, "moved", O_RDONLY, 0);
    below.handle = (int32_t)h;
    int64_t inner = suite_call(&s, below);
    ok(inner >= 0, "openat of a directory's handle");
    is(suite_call(&s, suite_path(GROSR_SYS_RMDIR, "dir", 0, 0)), -ENOTEMPTY, "rmdir of what is not empty");
    is(suite_call(&s, suite_path(GROSR_SYS_UNLINK, "dir/moved", 0, 0)), 0, "unlink");
    is(suite_call(&s, suite_path(GROSR_SYS_RMDIR, "dir", 0, 0)), 0, "rmdir");
    is(suite_on(&s, GROSR_SYS_PREAD, inner, s.own_at, 10, 0), 10, "an open file outlives its name");
    suite_end(&s);
}

/* ---- the same calls through GROSR and directly ---- */

enum { PAIRS = 6, PAIR_BYTES = 60000 };

struct pair {
    int64_t handle;
    int fd;
};

/* A name that may be there or not, in directories that may be too. */
static inline void suite_name(char name[64], uint64_t r)
{
    static const char *const names[] = {"a", "b", "c", "d/a", "d/b", "e/a", "d", "e", "a/x", "d/"};

    snprintf(name, 64, "%s", names[r % 10]);
}

static inline int64_t direct(int64_t result)
{
    return result < 0 ? -errno : result;
}

static inline bool suite_same_tree(const char *a, const char *b)
{
    char command[256];

    snprintf(command, sizeof(command), "diff -r %s %s", a, b);
    return system(command) == 0;
}

/* A random call on both sides. What differed, or NULL. */
static inline const char *suite_step(struct suite *s, int dir, struct pair *p, uint64_t *seed)
{
    static unsigned char out[PAIR_BYTES], back[PAIR_BYTES], want[PAIR_BYTES];
    uint64_t r = tap_random(seed),
             n = tap_random(seed) % 4 ? tap_random(seed) % 300 : tap_random(seed) % PAIR_BYTES;
    int64_t offset = (int64_t)(tap_random(seed) % 100000), got, wanted;
    bool use_shared = tap_random(seed) % 3 == 0;
    uint64_t buffer = use_shared ? s->shared_at : s->own_at;
    struct pair *f = &p[r >> 40 & 0xff] - (r >> 40 & 0xff) + (r >> 40 & 0xff) % PAIRS;
    char name[64], second[64];

    suite_name(name, tap_random(seed));
    suite_name(second, tap_random(seed));
    suite_fill(out, n, r | 1);
    switch (r % 16) {
    case 0:
    case 1: {
        static const int flags[] = {O_RDONLY,
                                    O_WRONLY,
                                    O_RDWR,
                                    O_RDWR | O_CREAT,
                                    O_RDWR | O_CREAT | O_EXCL,
                                    O_WRONLY | O_CREAT | O_TRUNC,
                                    O_RDWR | O_CREAT | O_APPEND,
                                    O_RDONLY | O_DIRECTORY};
        int flag = flags[r >> 8 & 7];
        if (f->handle >= 0) {
            if (suite_on(s, GROSR_SYS_CLOSE, f->handle, 0, 0, 0) != direct(close(f->fd)))
                return "close";
        }
        f->fd = openat(dir, name, flag, 0600);
        wanted = direct(f->fd);
        f->handle = suite_open_file(s, name, flag, 0600);
        return (f->handle >= 0) == (f->fd >= 0) && (f->handle >= 0 || f->handle == wanted) ? NULL : "open";
    }
    case 2:
    case 3:
    case 4:
    case 5: {
        bool at = r >> 9 & 1;
        if (r % 16 < 4) {
            if (use_shared)
                memcpy(s->shared, out, n);
            else
                grosr_device_write(s->rt, 0, out, n);
            got = suite_on(s, at ? GROSR_SYS_PWRITE : GROSR_SYS_WRITE, f->handle, buffer, n, offset);
            wanted = direct(at ? pwrite(f->fd, out, n, offset) : write(f->fd, out, n));
            return got == wanted ? NULL : "write";
        }
        got = suite_on(s, at ? GROSR_SYS_PREAD : GROSR_SYS_READ, f->handle, buffer, n, offset);
        wanted = direct(at ? pread(f->fd, want, n, offset) : read(f->fd, want, n));
        if (got != wanted)
            return "read";
        if (got > 0 && use_shared)
            memcpy(back, s->shared, (size_t)got);
        else if (got > 0)
            grosr_device_read(s->rt, back, 0, (size_t)got);
        return got > 0 && memcmp(back, want, (size_t)got) ? "what was read" : NULL;
    }
    case 6:
    case 7: {
        static const int whence[] = {SEEK_SET, SEEK_CUR, SEEK_END, 17};
        struct stat st;
        int w = whence[r >> 10 & 3];
        if (f->fd >= 0 && fstat(f->fd, &st) == 0 && S_ISDIR(st.st_mode))
            return NULL; /* a directory's positions are the file system's own */
        offset -= 50000;
        got = suite_call(s, (struct grosr_call_record){.call = GROSR_SYS_LSEEK,
                                                       .handle = (int32_t)f->handle,
                                                       .offset = offset,
                                                       .flags = (uint32_t)w});
        return got == direct(lseek(f->fd, offset, w)) ? NULL : "lseek";
    }
    case 8:
        got = suite_on(s, GROSR_SYS_FTRUNCATE, f->handle, 0, 0, offset - 10000);
        return got == direct(ftruncate(f->fd, offset - 10000)) ? NULL : "ftruncate";
    case 9: {
        struct stat st;
        struct grosr_stat mine;
        got = suite_on(s, GROSR_SYS_FSTAT, f->handle, s->own_at, 0, 0);
        wanted = direct(fstat(f->fd, &st));
        if (got == 0)
            grosr_device_read(s->rt, &mine, 0, sizeof(mine));
        return got != wanted ? "fstat"
               : got == 0 && (mine.mode != st.st_mode || mine.links != st.st_nlink ||
                              (S_ISREG(st.st_mode) && mine.size != (uint64_t)st.st_size))
                   ? "what fstat says"
                   : NULL;
    }
    case 10:
        got = suite_on(s, GROSR_SYS_FSYNC, f->handle, 0, 0, 0);
        return got == direct(fsync(f->fd)) ? NULL : "fsync";
    case 11:
        got = suite_call(s, suite_path(GROSR_SYS_UNLINK, name, 0, 0));
        return got == direct(unlinkat(dir, name, 0)) ? NULL : "unlink";
    case 12: {
        struct grosr_call_record move = suite_path(GROSR_SYS_RENAME, name, 0, 0);
        memcpy(move.second, second, sizeof(second));
        got = suite_call(s, move);
        return got == direct(renameat(dir, name, dir, second)) ? NULL : "rename";
    }
    case 13:
        got = suite_call(s, suite_path(GROSR_SYS_RMDIR, name, 0, 0));
        return got == direct(unlinkat(dir, name, AT_REMOVEDIR)) ? NULL : "rmdir";
    default:
        got = suite_call(s, suite_path(GROSR_SYS_MKDIR, name, 0, 0700));
        return got == direct(mkdirat(dir, name, 0700)) ? NULL : "mkdir";
    }
}

static inline void suite_posix(const char *device, uint32_t steps, uint64_t seed)
{
    struct suite s = {.syscalls = {.writable = true, .staging_bytes = 16384, .without_uring = seed & 1}};
    struct pair p[PAIRS];
    char other[64];
    const char *differs = NULL;
    uint64_t state = seed * 77 + 1;
    uint32_t i;

    suite_directory(other);
    int dir = open(other, O_RDONLY | O_DIRECTORY);
    suite_begin(&s, device, 2);
    for (i = 0; i < PAIRS; i++)
        p[i] = (struct pair){-1, -1};
    for (i = 0; i < steps && !differs; i++)
        differs = suite_step(&s, dir, p, &state);
    ok(!differs, "%u calls have the same results as direct ones, seed %" PRIu64 " (step %u: %s)", steps, seed,
       i, differs ? differs : "all");
    ok(suite_same_tree(s.root, other), "and make the same files");
    for (i = 0; i < PAIRS; i++)
        if (p[i].fd >= 0)
            close(p[i].fd);
    close(dir);
    suite_remove_tree(other);
    suite_end(&s);
}

/* ---- many at once ---- */

/* More callers than ports; every kind of caller; each reads its own place. */
static inline void suite_crowd(const char *device, uint32_t ports, uint32_t proxies, uint32_t rounds)
{
    struct suite s = {.syscalls = {.writable = true, .ports = ports, .proxies = proxies}};
    static const uint32_t functions[] = {GROSR_FN_CALL, GROSR_FN_CALL_WARP, GROSR_FN_CALL_GROUP,
                                         GROSR_FN_CALL_THEN};
    static unsigned char bytes[SUITE_RECORDS * 1024];
    uint32_t wrong = 0, failed = 0;

    suite_begin(&s, device, strcmp(device, "host") ? 0 : 4);
    suite_fill(bytes, sizeof(bytes), 99);
    int64_t h = suite_open_file(&s, "crowd", O_RDWR | O_CREAT, 0600);
    for (uint32_t round = 0; round < rounds; round++) {
        uint32_t function = functions[round % 4], n = suite_amount(device, SUITE_RECORDS, 24);
        for (uint32_t i = 0; i < n; i++) {
            memcpy(s.shared + i * 1024, bytes + (i * 37 + round) % SUITE_RECORDS * 1024, 1024);
            s.record[i] = (struct grosr_call_record){.call = GROSR_SYS_PWRITE,
                                                     .handle = (int32_t)h,
                                                     .bytes = 1024,
                                                     .offset = i * 1024,
                                                     .buffer = s.shared_at + i * 1024};
        }
        failed += suite_run(&s, function, n) != 0;
        for (uint32_t i = 0; i < n; i++) {
            wrong += s.record[i].result != 1024;
            s.record[i] = (struct grosr_call_record){.call = GROSR_SYS_PREAD,
                                                     .handle = (int32_t)h,
                                                     .bytes = 1024,
                                                     .offset = i * 1024,
                                                     .buffer = s.own_at + i * 1024};
        }
        failed += suite_run(&s, functions[(round + 1) % 4], n) != 0;
        static unsigned char back[SUITE_RECORDS * 1024];
        grosr_device_read(s.rt, back, 0, sizeof(back));
        for (uint32_t i = 0; i < n; i++)
            wrong += s.record[i].result != 1024 ||
                     memcmp(back + i * 1024, bytes + (i * 37 + round) % SUITE_RECORDS * 1024, 1024) != 0;
    }
    is(failed, 0, "%u ports, %u proxies: all tasks ended well", ports, proxies);
    is(wrong, 0, "and every call moved the right bytes");
    suite_end(&s);
}

/* Appends of every length from many callers: each is whole. */
static inline void suite_appends(const char *device, uint32_t rounds)
{
    struct suite s = {.syscalls = {.writable = true, .staging_bytes = 16384, .ports = 4}};
    enum { WRITERS = 24, LONGEST = 40000 };
    uint32_t failed = 0, torn = 0, total = 0, writers = suite_amount(device, WRITERS, 6);
    uint64_t seed = 5;

    suite_begin(&s, device, 4);
    int64_t h = suite_open_file(&s, "log", O_WRONLY | O_CREAT | O_APPEND, 0600);
    static unsigned char bytes[WRITERS * LONGEST];
    for (uint32_t round = 0; round < rounds; round++) {
        for (uint32_t i = 0; i < writers; i++) {
            uint32_t n = 8 + (uint32_t)(tap_random(&seed) % (LONGEST - 8));
            memset(bytes + i * LONGEST, 'a' + (int)i, n);
            memcpy(bytes + i * LONGEST, &n, 4);
            s.record[i] = (struct grosr_call_record){.call = i % 2 ? GROSR_SYS_WRITE : GROSR_SYS_PWRITE,
                                                     .handle = (int32_t)h,
                                                     .bytes = n,
                                                     .buffer = s.own_at + i * LONGEST};
        }
        grosr_device_write(s.rt, 0, bytes, sizeof(bytes));
        failed += suite_run(&s, GROSR_FN_CALL, writers) != 0;
        for (uint32_t i = 0; i < writers; i++)
            failed += s.record[i].result != (int64_t)s.record[i].bytes;
    }
    char path[128];
    snprintf(path, sizeof(path), "%s/log", s.root);
    FILE *f = fopen(path, "r");
    uint32_t n;
    static unsigned char one[LONGEST];
    while (f && fread(&n, 4, 1, f) == 1) {
        if (n < 8 || n > LONGEST || fread(one + 4, n - 4, 1, f) != 1) {
            torn++;
            break;
        }
        for (uint32_t k = 5; k < n; k++)
            torn += one[k] != one[4];
        total++;
    }
    if (f)
        fclose(f);
    is(failed, 0, "appends of up to %u bytes by %u callers", LONGEST, writers);
    is(torn, 0, "none is torn");
    is(total, rounds * writers, "and all are there");
    suite_end(&s);
}

#endif
