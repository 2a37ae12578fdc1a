/*
 * Paths below a directory (paths.h).
 *
 * Calls that take no RESOLVE_BENEATH (unlinkat, mkdirat, renameat) are given the last component alone, and
 * the directory that the rest resolves to. They do not follow a link in it, and the kernel refuses "." and
 * ".." there.
 */
#include "paths.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define TRIES     100000 /* of openat2(), which gives up when `..` meets any rename on the machine */
#define PATH_ROOM 4096

int paths_open(int below, const char *path, int flags, uint32_t mode)
{
    struct open_how how = {
        .flags = (uint32_t)flags,
        .mode = flags & O_CREAT ? mode & 0777 : 0,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_MAGICLINKS,
    };

    for (int i = 0; i < TRIES; i++) {
        long fd = syscall(SYS_openat2, below, path, &how, sizeof(how));
        if (fd >= 0)
            return (int)fd;
        if (errno != EAGAIN && errno != EINTR)
            return -errno;
        if (errno == EAGAIN && i % 64 == 63)
            sched_yield();
    }
    return -EAGAIN;
}

/* The directory that a path's last component is in, and that component with what slashes follow it. */
static int open_parent(int below, const char *path, const char **last)
{
    char parent[PATH_ROOM];
    size_t n = strlen(path);

    if (n == 0)
        return -ENOENT;
    while (n > 0 && path[n - 1] == '/')
        n--;
    while (n > 0 && path[n - 1] != '/')
        n--;
    *last = path + n;
    if (**last == '/' || n >= sizeof(parent)) /* the path is of slashes alone */
        return **last == '/' ? -EXDEV : -ENAMETOOLONG;
    snprintf(parent, sizeof(parent), "%.*s", (int)n, n ? path : "");
    return paths_open(below, n ? parent : ".", O_PATH | O_DIRECTORY | O_CLOEXEC, 0);
}

int paths_unlink(int below, const char *path, bool directory)
{
    const char *last;
    int parent = open_parent(below, path, &last), err = 0;

    if (parent < 0)
        return parent;
    if (unlinkat(parent, last, directory ? AT_REMOVEDIR : 0))
        err = -errno;
    close(parent);
    return err;
}

int paths_mkdir(int below, const char *path, uint32_t mode)
{
    const char *last;
    int parent = open_parent(below, path, &last), err = 0;

    if (parent < 0)
        return parent;
    if (mkdirat(parent, last, mode & 0777))
        err = -errno;
    close(parent);
    return err;
}

int paths_rename(int below, const char *from, const char *to)
{
    const char *last_from, *last_to;
    int parent_from = open_parent(below, from, &last_from), parent_to, err = 0;

    if (parent_from < 0)
        return parent_from;
    parent_to = open_parent(below, to, &last_to);
    if (parent_to < 0) {
        close(parent_from);
        return parent_to;
    }
    if (renameat(parent_from, last_from, parent_to, last_to))
        err = -errno;
    close(parent_from);
    close(parent_to);
    return err;
}
