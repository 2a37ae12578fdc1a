/*
 * What system calls of device code refuse, and what goes wrong around them: paths that lead out, limits, a
 * FIFO without a writer, a disk that is full, names that change meanwhile. On whichever device: shared by
 * tests/stress/syscall.c (host) and tests/cuda/syscall.c. Each part works in a directory of its own.
 */
#ifndef GROSR_SYSCALL_REFUSAL_SUITE_H
#define GROSR_SYSCALL_REFUSAL_SUITE_H

#include "syscall_suite.h"

#include <pthread.h>
#include <sched.h>
#include <sys/mount.h>

/* ---- what the device may not do ---- */

static inline void suite_confined(const char *device)
{
    struct suite s = {.syscalls = {.writable = true, .handles = 8}};
    char outside[64], path[192];

    suite_directory(outside);
    suite_begin(&s, device, 2);
    snprintf(path, sizeof(path), "%s/escape", s.root);
    if (symlink(outside, path))
        printf("# no symbolic links here\n");
    snprintf(path, sizeof(path), "%s/in", s.root);
    is(mkdir(path, 0700), 0, "a directory");
    is(suite_open_file(&s, "/etc/passwd", O_RDONLY, 0), -EXDEV, "an absolute path is refused");
    is(suite_open_file(&s, "../x", O_RDWR | O_CREAT, 0600), -EXDEV, "one that goes up is");
    is(suite_open_file(&s, "in/../../x", O_RDWR | O_CREAT, 0600), -EXDEV, "and one that goes down first");
    is(suite_open_file(&s, "escape/x", O_RDWR | O_CREAT, 0600), -EXDEV, "a link that leads out");
    is(suite_open_file(&s, "escape", O_RDONLY | O_DIRECTORY, 0), -EXDEV, "by itself");
    is(suite_call(&s, suite_path(GROSR_SYS_MKDIR, "escape/x", 0, 0700)), -EXDEV, "mkdir through it");
    is(suite_call(&s, suite_path(GROSR_SYS_UNLINK, "../x", 0, 0)), -EXDEV, "unlink above");
    struct grosr_call_record move = suite_path(GROSR_SYS_RENAME, "in", 0, 0);
    snprintf(move.second, sizeof(move.second), "escape/in");
    is(suite_call(&s, move), -EXDEV, "rename to outside");
    ok(suite_open_file(&s, "in/../in", O_RDONLY | O_DIRECTORY, 0) >= 0, "`..` within is allowed");
    is(suite_open_file(&s, "", O_RDONLY, 0), -ENOENT, "an empty path");
    is(suite_open_file(&s, "x", 0x7fff0000, 0), -EINVAL, "unknown flags");
    int64_t last = 0;
    for (int i = 0; i < 7; i++)
        last = suite_open_file(&s, "in", O_RDONLY, 0);
    ok(last >= 0, "as many handles as there may be");
    is(suite_open_file(&s, "in", O_RDONLY, 0), -EMFILE, "one more is refused");
    is(suite_on(&s, GROSR_SYS_CLOSE, last, 0, 0, 0), 0, "one less");
    ok(suite_open_file(&s, "in", O_RDONLY, 0) >= 0, "makes room");
    is(suite_on(&s, GROSR_SYS_READ, 0, s.own_at, 10, 0), -EBADF, "a descriptor of the host's is no handle");
    is(suite_on(&s, GROSR_SYS_READ, -1, s.own_at, 10, 0), -EBADF, "nor is a negative number");
    suite_end(&s);

    memset(&s, 0, sizeof(s));
    suite_directory(s.root);
    snprintf(path, sizeof(path), "%s/here", s.root);
    close(open(path, O_CREAT | O_RDWR, 0600));
    suite_begin(&s, device, 1);
    is(suite_open_file(&s, "here", O_RDWR, 0), -EROFS,
       "a runtime that is not writable opens nothing for writing");
    is(suite_open_file(&s, "new", O_RDONLY | O_CREAT, 0600), -EROFS, "makes nothing");
    is(suite_call(&s, suite_path(GROSR_SYS_UNLINK, "here", 0, 0)), -EROFS, "removes nothing");
    int64_t h = suite_open_file(&s, "here", O_RDONLY, 0);
    is(suite_on(&s, GROSR_SYS_WRITE, h, s.own_at, 10, 0), -EBADF, "and writes nothing");
    suite_end(&s);
    suite_remove_tree(outside);
}

/* ---- a disk that is full, and names that change meanwhile ---- */

/* What fits is written and counted; then ENOSPC, which others do not feel, until something is removed. */
static inline void suite_disk_full(const char *device)
{
    struct suite s = {.syscalls = {.writable = true}};
    const int64_t all = SUITE_BUFFER;

    suite_directory(s.root);
    /* In a mount namespace of this thread's, which those that the runtime starts inherit. */
    if (unshare(CLONE_NEWNS) || mount("none", "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
        mount("tmpfs", s.root, "tmpfs", 0, "size=256k")) {
        ok(true, "a full disk # SKIP no file system can be mounted: %s", strerror(errno));
        suite_remove_tree(s.root);
        return;
    }
    suite_begin(&s, device, 2);
    suite_fill(s.shared, SUITE_BUFFER, 7);
    int64_t h = suite_open_file(&s, "full", O_RDWR | O_CREAT, 0600);
    int64_t fit = suite_on(&s, GROSR_SYS_PWRITE, h, s.shared_at, (uint64_t)all, 0);
    ok(fit > 0 && fit < all, "a write of 1 MiB into 256 KiB: %lld bytes were written", (long long)fit);
    is(suite_on(&s, GROSR_SYS_PWRITE, h, s.shared_at, 65536, fit), -ENOSPC, "then the disk is full");
    is(suite_on(&s, GROSR_SYS_WRITE, h, s.shared_at, 16, 0), 16, "what is there can be replaced");
    is(suite_on(&s, GROSR_SYS_PREAD, h, s.own_at, (uint64_t)all, 0), fit, "and read, all of it");
    static unsigned char back[SUITE_BUFFER];
    grosr_device_read(s.rt, back, 0, sizeof(back));
    ok(fit > 0 && !memcmp(back, s.shared, (size_t)fit), "with the right bytes");
    is(suite_on(&s, GROSR_SYS_FTRUNCATE, h, 0, 0, 1000), 0, "it becomes shorter");
    is(suite_on(&s, GROSR_SYS_PWRITE, h, s.shared_at, 65536, 0), 65536, "and there is room again");
    is(suite_on(&s, GROSR_SYS_CLOSE, h, 0, 0, 0), 0, "it is closed");
    is(grosr_close(s.rt), 0, "the runtime is closed");
    is(umount2(s.root, MNT_DETACH), 0, "the file system goes");
    suite_remove_tree(s.root);
}

struct suite_renames {
    const char *root;
    dev32 stop;
};

static inline void *suite_rename(void *arg)
{
    struct suite_renames *r = (struct suite_renames *)arg;
    char from[96], to[96];

    snprintf(from, sizeof(from), "%s/moving", r->root);
    snprintf(to, sizeof(to), "%s/moved", r->root);
    while (!dev_load_relaxed(&r->stop)) {
        rename(from, to);
        rename(to, from);
    }
    return NULL;
}

/* `..` in a path makes openat2 give up with EAGAIN when anything on the machine is renamed: it is tried
 * again. */
static inline void suite_renames(const char *device)
{
    struct suite s = {.syscalls = {.writable = true}};
    struct suite_renames r = {.root = s.root};
    pthread_t thread;
    char path[96];
    uint32_t wrong = 0;

    suite_begin(&s, device, 2);
    snprintf(path, sizeof(path), "%s/in", s.root);
    mkdir(path, 0700);
    snprintf(path, sizeof(path), "%s/moving", s.root);
    mkdir(path, 0700);
    is(pthread_create(&thread, NULL, suite_rename, &r), 0, "a thread that renames");
    for (uint32_t i = 0; i < suite_amount(device, 1000, 30); i++) {
        int64_t h = suite_open_file(&s, "in/../in/../in", O_RDONLY | O_DIRECTORY, 0);
        wrong += h < 0 || suite_on(&s, GROSR_SYS_CLOSE, h, 0, 0, 0) != 0;
    }
    dev_store_relaxed(&r.stop, 1u);
    pthread_join(thread, NULL);
    is(wrong, 0, "every open with `..` succeeds meanwhile");
    suite_end(&s);
}

/* A noop, while a task before it has not ended, so that results are not delivered: whether it is done in
 * time. */
static inline bool suite_noop_beside(struct suite *s)
{
    struct grosr_task task = suite_task(GROSR_FN_CALL, 0, s->record_at);
    struct grosr_result r = {0, -1};
    uint64_t first, start = grosr_host_clock_ns();

    s->record[0] = (struct grosr_call_record){.call = GROSR_SYS_NOOP};
    if (grosr_submit(s->rt, &task, 1, NULL, &first))
        return false;
    while (grosr_test(s->rt, first, &r) == 0)
        if (grosr_host_clock_ns() - start > UINT64_C(20000000000))
            return false;
        else
            sched_yield();
    return r.status == 0;
}

/* A FIFO that blocks does not hold up other calls. */
static inline void suite_fifo(const char *device)
{
    struct suite s = {.syscalls = {.writable = true}};
    struct grosr_task task;
    struct grosr_result blocked;
    char path[128];
    uint64_t first;

    suite_begin(&s, device, 4);
    snprintf(path, sizeof(path), "%s/fifo", s.root);
    is(mkfifo(path, 0600), 0, "a FIFO");
    int64_t h = suite_open_file(&s, "fifo", O_RDONLY, 0);
    ok(h >= 0, "is opened without waiting for a writer");
    s.record[1] = (struct grosr_call_record){
        .call = GROSR_SYS_READ, .handle = (int32_t)h, .bytes = 100, .buffer = s.own_at};
    task = suite_task(GROSR_FN_CALL, 1, s.record_at);
    grosr_submit(s.rt, &task, 1, &blocked, &first);
    /* Until a worker has it: what a worker takes together with a task that blocks has to wait for that. */
    struct timespec moment = {0, 200000000};
    nanosleep(&moment, NULL);
    uint32_t wrong = 0;
    for (uint32_t i = 0; i < suite_amount(device, 200, 10); i++)
        wrong += !suite_noop_beside(&s);
    is(wrong, 0, "others go on while its reader waits");
    int fd = open(path, O_WRONLY);
    is(write(fd, "hello", 5), 5, "a writer comes");
    is(grosr_wait(s.rt, first + 1, UINT64_C(30000000000)), 0, "the reader is done");
    is(s.record[1].result, 5, "with what there was");
    close(fd);
    is(suite_on(&s, GROSR_SYS_READ, h, s.own_at, 100, 0), 0, "then comes the end");
    /* One that waits for ever ends with the runtime. */
    h = suite_open_file(&s, "fifo", O_RDONLY, 0);
    s.record[1].handle = (int32_t)h;
    grosr_submit(s.rt, &task, 1, NULL, &first);
    nanosleep(&moment, NULL);
    ok(suite_noop_beside(&s), "a reader waits for ever, and others go on");
    grosr_stop(s.rt);
    suite_end(&s);
}

#endif
