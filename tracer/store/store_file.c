/* The trace's file: who writes it, by a lock that the kernel releases, and what lies under its name
 * (store_file.h). */
#include "store_file.h"

#include "../base/error.h"
#include "../base/process.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Far behind what SQLite locks, which is at 2^30. One byte for each number of a process follows the first. */
#define LOCK_AT     ((off_t)1 << 61)
#define PIDS_MAX    ((off_t)1 << 31)
#define LINKS_MAX   40
#define DYING_TRIES 1000 /* ms */
#define LONG_SUFFIX "-journal"

static const char *const suffixes[] = {"-wal", "-shm", "-journal"};

/* ---- names ---- */

static int name_failed(const char *name, int error)
{
    return grosr_fail(error, "cannot create %s: %s", name, strerror(error));
}

/* The folder of a path, as realpath() has it, and behind it the path's last part. */
static int join(const char *path, char out[PATH_MAX])
{
    const char *slash = strrchr(path, '/'), *last = slash ? slash + 1 : path;
    char folder[PATH_MAX], real[PATH_MAX];

    snprintf(folder, sizeof(folder), "%.*s", slash ? (int)(slash - path) + 1 : 1, slash ? path : ".");
    if (!realpath(folder, real))
        return -errno;
    if (!*last || !strcmp(last, ".") || !strcmp(last, ".."))
        return -EISDIR;
    if (strlen(last) + strlen(LONG_SUFFIX) > NAME_MAX)
        return -ENAMETOOLONG;
    return snprintf(out, PATH_MAX, "%s/%s", strcmp(real, "/") ? real : "", last) < PATH_MAX ? 0
                                                                                            : -ENAMETOOLONG;
}

static int wrong_kind(const char *name, const struct stat *st)
{
    const char *kind = S_ISDIR(st->st_mode)    ? "a folder"
                       : S_ISFIFO(st->st_mode) ? "a FIFO"
                       : S_ISSOCK(st->st_mode) ? "a socket"
                                               : "a device";

    return grosr_fail(EEXIST, "%s is %s and not a file; it is left alone, choose another name", name, kind);
}

/* Follows links to the file, also to one that does not exist yet. */
static int resolve(const char *name, char path[PATH_MAX])
{
    char target[PATH_MAX], at[PATH_MAX];
    struct stat st;
    int err = strlen(name) < PATH_MAX ? join(name, path) : -ENAMETOOLONG;

    if (stat(name, &st) == 0 && !S_ISREG(st.st_mode))
        return wrong_kind(name, &st);
    for (int i = 0; !err; i++) {
        ssize_t n = readlink(path, target, sizeof(target) - 1);
        if (n < 0) /* no link, or nothing is there */
            return 0;
        if (i == LINKS_MAX)
            return name_failed(name, ELOOP);
        target[n] = 0;
        if (*target == '/')
            snprintf(at, sizeof(at), "%s", target);
        else if (snprintf(at, sizeof(at), "%.*s/%s", (int)(strrchr(path, '/') - path), path, target) >=
                 PATH_MAX)
            return name_failed(name, ENAMETOOLONG);
        err = join(at, path);
    }
    if (err == -ENAMETOOLONG)
        return grosr_fail(ENAMETOOLONG,
                          "cannot create %s: its name and its journal's, which is %zu bytes "
                          "longer, must fit into %d bytes",
                          name, strlen(LONG_SUFFIX), NAME_MAX);
    return err == -EISDIR ? grosr_fail(EEXIST, "%s is a folder; choose the name of a file", name)
           : err          ? name_failed(name, -err)
                          : 0;
}

/* ---- locks ---- */

static struct flock range(off_t start, off_t bytes)
{
    return (struct flock){.l_type = F_WRLCK, .l_whence = SEEK_SET, .l_start = start, .l_len = bytes};
}

static void pause_briefly(void)
{
    struct timespec pause = {0, 1000000};
    nanosleep(&pause, NULL);
}

/* The writer's number, from the place of its second lock, which it takes right after the first; 0: not known.
 */
static long writer_of(int fd)
{
    for (int tries = 0; tries < 50; tries++) {
        struct flock mark = range(LOCK_AT + 1, PIDS_MAX);
        if (fcntl(fd, F_OFD_GETLK, &mark) == 0 && mark.l_type != F_UNLCK)
            return mark.l_start - LOCK_AT;
        pause_briefly();
    }
    return 0;
}

/*
 * Whether a writer has the file locked, with -EBUSY. One that is being killed may still have it for a moment
 * after its process seems to be gone.
 */
static int check_lock(int fd, const char *name)
{
    for (int tries = 0;; tries++) {
        struct flock all = range(LOCK_AT, 1);
        if (fcntl(fd, F_OFD_GETLK, &all) || all.l_type == F_UNLCK)
            return 0;
        long pid = writer_of(fd);
        if (!pid)
            return grosr_fail(EBUSY, "%s is being written by another process; choose another name", name);
        if (tries == DYING_TRIES || grosr_process_start_time((uint32_t)pid, NULL) == 0)
            return grosr_fail(EBUSY, "%s is being written by process %ld; choose another name", name, pid);
        pause_briefly();
    }
}

static int lock(int fd, const char *name)
{
    struct flock all = range(LOCK_AT, 1), mark = range(LOCK_AT + getpid(), 1);
    int err = check_lock(fd, name);

    if (err)
        return err;
    if (fcntl(fd, F_OFD_SETLK, &all) == 0 && fcntl(fd, F_OFD_SETLK, &mark) == 0)
        return 0;
    if ((errno == EAGAIN || errno == EACCES) && (err = check_lock(fd, name)) != 0) /* it was faster */
        return err;
    return grosr_fail(errno, "cannot lock %s: %s", name, strerror(errno));
}

/* ---- files ---- */

static bool is_at(const struct stat *st, const char *path)
{
    struct stat there;

    return stat(path, &there) == 0 && there.st_dev == st->st_dev && there.st_ino == st->st_ino;
}

/* Opens and locks what is at `path`. -ESTALE: that was replaced meanwhile. */
static int open_at(struct store_file *file, const char *name, const char *path, int flags)
{
    struct stat st;
    int err;

    file->fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOCTTY | O_NOFOLLOW | flags, 0666);
    if (file->fd < 0)
        return -errno;
    err = fstat(file->fd, &st) ? -errno : !S_ISREG(st.st_mode) ? wrong_kind(name, &st) : lock(file->fd, name);
    if (!err && !is_at(&st, path))
        err = -ESTALE;
    file->device = st.st_dev;
    file->inode = st.st_ino;
    file->path = err ? NULL : strdup(path);
    if (!err && !file->path)
        err = grosr_fail(ENOMEM, "out of memory");
    if (err)
        store_file_close(file);
    return err;
}

int store_file_open(struct store_file *file, const char *name, bool create)
{
    char path[PATH_MAX];
    int err = resolve(name, path);

    *file = (struct store_file){.fd = -1};
    if (err)
        return err;
    do
        err = open_at(file, name, path, create ? O_CREAT : 0);
    while (err == -ESTALE);
    if (err == -EBUSY || err == -EEXIST || (err == -ENOENT && !create))
        return err;
    return err ? grosr_fail(-err, "cannot create %s: %s", name, strerror(-err)) : 0;
}

int store_file_probe(const char *name, off_t *size)
{
    char path[PATH_MAX];
    struct stat st;
    int err = resolve(name, path), fd;

    *size = -1;
    if (err)
        return err;
    if (lstat(path, &st) == 0) {
        *size = st.st_size;
        fd = open(path, O_RDWR | O_CLOEXEC | O_NONBLOCK | O_NOFOLLOW);
        if (fd < 0)
            return grosr_fail(errno, "cannot write %s: %s", name, strerror(errno));
        err = check_lock(fd, name);
        close(fd);
        if (err)
            return err;
    }
    *strrchr(path, '/') = 0; /* journals come beside it */
    return access(*path ? path : "/", W_OK | X_OK) ? name_failed(name, errno) : 0;
}

static void remove_journals(const char *path)
{
    char *name = (char *)malloc(strlen(path) + sizeof(LONG_SUFFIX));

    for (size_t i = 0; name && i < sizeof(suffixes) / sizeof(suffixes[0]); i++) {
        sprintf(name, "%s%s", path, suffixes[i]);
        unlink(name);
    }
    free(name);
}

int store_file_replace(struct store_file *file, const char *name)
{
    struct store_file old = *file;
    struct stat st;
    int err;

    remove_journals(old.path);
    if (fstat(old.fd, &st) == 0 && st.st_size == 0)
        return 0;
    if (unlink(old.path))
        return grosr_fail(errno, "cannot replace %s: %s", name, strerror(errno));
    err = open_at(file, name, old.path, O_CREAT | O_EXCL);
    if (err == -EEXIST || err == -ESTALE)
        err = grosr_fail(EBUSY, "%s is being written by another process; choose another name", name);
    else if (err && err != -EBUSY)
        err = name_failed(name, -err);
    store_file_close(&old);
    return err;
}

void store_file_remove_journals(const struct store_file *file)
{
    remove_journals(file->path);
}

void store_file_remove(const struct store_file *file)
{
    bool taken;

    if (store_file_place(file, &taken) != STORE_IN_PLACE)
        return;
    remove_journals(file->path);
    unlink(file->path);
}

enum store_place store_file_place(const struct store_file *file, bool *taken)
{
    struct stat own, there;

    *taken = lstat(file->path, &there) == 0;
    if (*taken && there.st_dev == file->device && there.st_ino == file->inode)
        return STORE_IN_PLACE;
    return fstat(file->fd, &own) || own.st_nlink == 0 ? STORE_DELETED : STORE_MOVED;
}

bool store_file_name(const struct store_file *file, char *name, size_t bytes)
{
    char link[64];
    struct stat own;
    ssize_t n;

    snprintf(link, sizeof(link), "/proc/self/fd/%d", file->fd);
    n = readlink(link, name, bytes - 1);
    name[n > 0 ? n : 0] = 0;
    return n > 0 && fstat(file->fd, &own) == 0 && is_at(&own, name);
}

void store_file_close(struct store_file *file)
{
    if (file->fd >= 0)
        close(file->fd);
    free(file->path);
    *file = (struct store_file){.fd = -1};
}
