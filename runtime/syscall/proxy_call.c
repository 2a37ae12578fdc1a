/*
 * What each system call does, once its request has been copied. Everything in it is checked here: the device
 * may have written anything.
 */
#include "proxy_parts.h"

#include "paths.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statfs.h>
#include <time.h>
#include <unistd.h>

#define OPEN_FLAGS                                                                                     \
    (O_ACCMODE | O_CREAT | O_EXCL | O_TRUNC | O_APPEND | O_DIRECTORY | O_NOFOLLOW | O_SYNC | O_DSYNC | \
     O_CLOEXEC | O_NONBLOCK | O_NOCTTY)
#define FIFO_RETRY_MS 5 /* between looks whether a FIFO has a reader */
#define CLOCKS        12

/* A request that no correct caller makes. */
static int64_t refuse(const struct grosr_proxy *p, int err)
{
    dev_add_relaxed(&p->m.words->refused, UINT64_C(1));
    return -err;
}

void proxy_forget(struct grosr_proxy *p, struct call *c)
{
    struct collected *k = &c->collected;

    if (!k->room)
        return;
    free(k->bytes);
    dev_add_relaxed(&p->collected, 0 - (uint64_t)k->room);
    memset(k, 0, sizeof(*k));
}

/* ---- paths ---- */

struct path {
    char text[2 * GROSR_PATH_BYTES];
    const char *second; /* of a rename */
};

/* Copies the paths of a request, `count` of them, which the device might write over. 0 or a negative errno.
 */
static int64_t copy_path(const struct grosr_proxy *p, const struct call *c, uint32_t count, struct path *path)
{
    const unsigned char *from = proxy_memory(p, c);
    uint32_t bytes = c->request.length;

    if (!from || bytes == 0 || bytes > sizeof(path->text) || c->request.flags)
        return refuse(p, EINVAL);
    memcpy(path->text, from, bytes);
    size_t first = strnlen(path->text, bytes);
    if (first == bytes || (count == 1 && first + 1 != bytes))
        return refuse(p, EINVAL);
    path->second = path->text + first + 1;
    if (count == 2 &&
        (first + 1 == bytes || first + 1 + strnlen(path->second, bytes - first - 1) + 1 != bytes))
        return refuse(p, EINVAL);
    return 0;
}

/* The directory that a request's paths are below; *entry is in use if it is a handle's. */
static int directory_of(struct grosr_proxy *p, const struct call *c, struct handle **entry)
{
    *entry = NULL;
    if (c->request.handle == GROSR_ROOT)
        return p->root;
    *entry = handles_get(&p->handles, c->request.handle);
    if (!*entry)
        return -EBADF;
    if ((*entry)->kind == HANDLE_DIRECTORY)
        return (*entry)->fd;
    handles_release(&p->handles, *entry);
    *entry = NULL;
    return -ENOTDIR;
}

bool proxy_is_in_memory(int fd)
{
    struct statfs fs;

    return fstatfs(fd, &fs) == 0 &&
           (fs.f_type == TMPFS_MAGIC || fs.f_type == RAMFS_MAGIC || fs.f_type == HUGETLBFS_MAGIC);
}

/* What has been opened. Devices and sockets are not for the device. */
static int64_t look_at(struct handle *h)
{
    struct stat st;

    if (fstat(h->fd, &st))
        return -errno;
    if (!S_ISREG(st.st_mode) && !S_ISDIR(st.st_mode) && !S_ISFIFO(st.st_mode))
        return -EACCES;
    h->kind = S_ISREG(st.st_mode) ? HANDLE_FILE : S_ISDIR(st.st_mode) ? HANDLE_DIRECTORY : HANDLE_PIPE;
    h->in_memory = proxy_is_in_memory(h->fd);
    return 0;
}

static bool is_fifo(int below, const char *path)
{
    struct stat st;
    int fd = paths_open(below, path, O_PATH | O_CLOEXEC, 0);
    bool fifo = fd >= 0 && fstat(fd, &st) == 0 && S_ISFIFO(st.st_mode);

    if (fd >= 0)
        close(fd);
    return fifo;
}

/* Opens a file; one that is a FIFO without a reader as soon as it has one. */
static int open_file(const struct grosr_proxy *p, int below, const char *path, int flags, uint32_t mode,
                     bool may_block, bool *blocks)
{
    for (;;) {
        int fd = paths_open(below, path, flags | O_NONBLOCK | O_NOCTTY | O_CLOEXEC, mode);
        if (fd != -ENXIO || flags & O_NONBLOCK || !is_fifo(below, path))
            return fd;
        *blocks = !may_block;
        if (*blocks)
            return fd;
        if (proxy_wait(p, FIFO_RETRY_MS))
            return -ECANCELED;
    }
}

static int64_t call_openat(struct grosr_proxy *p, struct call *c, bool may_block)
{
    int flags = (int)(uint32_t)c->request.argument;
    uint32_t mode = (uint32_t)(c->request.argument >> 32);
    struct handle what = {.append = flags & O_APPEND, .nonblock = flags & O_NONBLOCK}, *entry;
    struct path path;
    bool blocks = false;
    int64_t err = copy_path(p, c, 1, &path);

    if (err)
        return err;
    if (flags & ~OPEN_FLAGS)
        return -EINVAL;
    if (!p->options.writable && ((flags & O_ACCMODE) != O_RDONLY || flags & (O_CREAT | O_TRUNC)))
        return -EROFS;
    int below = directory_of(p, c, &entry), place = below < 0 ? below : handles_reserve(&p->handles);
    err = place < 0 ? place : 0;
    if (!err) {
        what.fd = open_file(p, below, path.text, flags, mode, may_block, &blocks);
        err = what.fd < 0 ? what.fd : look_at(&what);
        if (err && what.fd >= 0)
            close(what.fd);
        if (err)
            handles_cancel(&p->handles, place);
    }
    if (entry)
        handles_release(&p->handles, entry);
    if (blocks)
        return CALL_BLOCKS;
    return err ? err : handles_put(&p->handles, place, &what);
}

static int64_t call_change(struct grosr_proxy *p, struct call *c)
{
    struct path path;
    struct handle *entry;
    int64_t err = copy_path(p, c, c->request.call == GROSR_SYS_RENAME ? 2 : 1, &path);

    if (err)
        return err;
    if (!p->options.writable)
        return -EROFS;
    int below = directory_of(p, c, &entry);
    if (below < 0)
        return below;
    switch (c->request.call) {
    case GROSR_SYS_RENAME:
        err = paths_rename(below, path.text, path.second);
        break;
    case GROSR_SYS_MKDIR:
        err = paths_mkdir(below, path.text, (uint32_t)c->request.argument);
        break;
    default:
        err = paths_unlink(below, path.text, c->request.call == GROSR_SYS_RMDIR);
    }
    if (entry)
        handles_release(&p->handles, entry);
    return err;
}

/* ---- handles ---- */

static int64_t call_lseek(const struct call *c, struct handle *h, bool may_block)
{
    int whence = (int)c->request.length;
    int64_t offset = (int64_t)c->request.argument;

    if (whence != SEEK_SET && whence != SEEK_CUR && whence != SEEK_END && whence != SEEK_DATA &&
        whence != SEEK_HOLE)
        return -EINVAL;
    if (h->kind == HANDLE_DIRECTORY && (offset || whence != SEEK_SET))
        return -EINVAL;
    if (!may_block && !h->in_memory && (whence == SEEK_DATA || whence == SEEK_HOLE))
        return CALL_BLOCKS;
    if (may_block)
        pthread_mutex_lock(&h->lock);
    else if (pthread_mutex_trylock(&h->lock))
        return CALL_BLOCKS;
    if (h->directory)
        rewinddir(h->directory);
    else if ((offset = lseek(h->fd, offset, whence)) < 0)
        offset = -errno;
    pthread_mutex_unlock(&h->lock);
    return offset;
}

/* The position, which is moved behind as many of `argument` bytes as the file has. */
static int64_t call_advance(const struct call *c, struct handle *h, bool may_block)
{
    uint64_t bytes = c->request.argument;
    struct stat st;
    int64_t at;

    if (h->kind != HANDLE_FILE)
        return h->kind == HANDLE_DIRECTORY ? -EISDIR : -ESPIPE;
    int access = fcntl(h->fd, F_GETFL);
    if (access < 0 || (access & O_ACCMODE) == O_WRONLY)
        return -EBADF;
    if (may_block)
        pthread_mutex_lock(&h->lock);
    else if (pthread_mutex_trylock(&h->lock))
        return CALL_BLOCKS;
    at = lseek(h->fd, 0, SEEK_CUR);
    if (at < 0 || fstat(h->fd, &st)) {
        at = -errno;
    } else if (at < st.st_size) {
        uint64_t n = (uint64_t)(st.st_size - at) < bytes ? (uint64_t)(st.st_size - at) : bytes;
        if (lseek(h->fd, at + (int64_t)n, SEEK_SET) < 0)
            at = -errno;
    }
    pthread_mutex_unlock(&h->lock);
    return at;
}

static int64_t call_fstat(const struct grosr_proxy *p, const struct call *c, const struct handle *h)
{
    unsigned char *to = proxy_memory(p, c);
    struct grosr_stat out = {0};
    struct stat st;

    if (c->request.length != sizeof(out))
        return refuse(p, EINVAL);
    if (fstat(h->fd, &st))
        return -errno;
    out.size = (uint64_t)st.st_size;
    out.blocks = (uint64_t)st.st_blocks;
    out.inode = st.st_ino;
    out.links = st.st_nlink;
    out.modified_ns = (uint64_t)st.st_mtim.tv_sec * 1000000000u + (uint64_t)st.st_mtim.tv_nsec;
    out.changed_ns = (uint64_t)st.st_ctim.tv_sec * 1000000000u + (uint64_t)st.st_ctim.tv_nsec;
    out.mode = st.st_mode;
    out.block_bytes = (uint32_t)st.st_blksize;
    memcpy(to, &out, sizeof(out));
    return sizeof(out);
}

/* With the handle's lock. */
static int64_t next_entry(struct handle *h, unsigned char *to)
{
    struct grosr_dirent out = {0};

    if (!h->directory && !(h->directory = fdopendir(h->fd)))
        return -errno;
    errno = 0;
    const struct dirent *d = readdir(h->directory);
    if (!d)
        return -errno;
    out.inode = d->d_ino;
    out.type = d->d_type;
    memcpy(out.name, d->d_name, strnlen(d->d_name, sizeof(out.name) - 1));
    memcpy(to, &out, sizeof(out));
    return sizeof(out);
}

static int64_t call_readdir(const struct grosr_proxy *p, const struct call *c, struct handle *h,
                            bool may_block)
{
    int64_t n;

    if (c->request.length != sizeof(struct grosr_dirent))
        return refuse(p, EINVAL);
    if (h->kind != HANDLE_DIRECTORY)
        return -ENOTDIR;
    if (!may_block && !h->in_memory)
        return CALL_BLOCKS;
    if (may_block)
        pthread_mutex_lock(&h->lock);
    else if (pthread_mutex_trylock(&h->lock))
        return CALL_BLOCKS;
    n = next_entry(h, proxy_memory(p, c));
    pthread_mutex_unlock(&h->lock);
    return n;
}

/* A call that takes an open handle, in use. */
static int64_t call_on(struct grosr_proxy *p, struct call *c, struct handle *h, bool may_block)
{
    int err;

    switch (c->request.call) {
    case GROSR_SYS_LSEEK:
        return call_lseek(c, h, may_block);
    case GROSR_SYS_ADVANCE:
        return call_advance(c, h, may_block);
    case GROSR_SYS_FSTAT:
        return call_fstat(p, c, h);
    case GROSR_SYS_READDIR:
        return call_readdir(p, c, h, may_block);
    case GROSR_SYS_FTRUNCATE:
    case GROSR_SYS_FSYNC:
        if (!may_block && !h->in_memory)
            return CALL_BLOCKS;
        do
            err = c->request.call == GROSR_SYS_FSYNC ? fsync(h->fd)
                                                     : ftruncate(h->fd, (int64_t)c->request.argument);
        while (err && errno == EINTR);
        return err ? -errno : 0;
    default:
        return proxy_sync(p, c, h, may_block);
    }
}

static int64_t call_handle(struct grosr_proxy *p, struct call *c, bool may_block)
{
    const struct grosr_request *r = &c->request;
    bool names_memory = r->call != GROSR_SYS_LSEEK && r->call != GROSR_SYS_ADVANCE &&
                        r->call != GROSR_SYS_FTRUNCATE && r->call != GROSR_SYS_FSYNC;

    if (r->call == GROSR_SYS_FTRUNCATE && r->argument > INT64_MAX)
        return -EINVAL;
    if (names_memory && (r->length > GROSR_RW_MAX || !proxy_memory(p, c)))
        return refuse(p, EFAULT);
    struct handle *h = handles_get(&p->handles, r->handle);
    if (!h)
        return -EBADF;
    int64_t result = call_on(p, c, h, may_block);
    handles_release(&p->handles, h);
    if (r->flags & GROSR_REQUEST_LAST && result != CALL_BLOCKS)
        proxy_forget(p, c);
    if (result > 0 && (r->call == GROSR_SYS_READ || r->call == GROSR_SYS_PREAD))
        dev_add_relaxed(&p->m.words->read_bytes, (uint64_t)result);
    if (result > 0 && (r->call == GROSR_SYS_WRITE || r->call == GROSR_SYS_PWRITE) &&
        !(r->flags & GROSR_REQUEST_MORE))
        dev_add_relaxed(&p->m.words->written_bytes, (uint64_t)result);
    return result;
}

/* ---- all ---- */

static int64_t call_clock(const struct grosr_request *r)
{
    struct timespec t;

    /* Not a clock of another process or of a descriptor, whose numbers are negative. */
    if (r->handle < 0 || r->handle >= CLOCKS || clock_gettime(r->handle, &t))
        return -EINVAL;
    return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

int64_t proxy_call(struct grosr_proxy *p, struct call *c, bool may_block)
{
    const struct grosr_request *r = &c->request;

    if (r->flags & GROSR_REQUEST_FIRST || !(r->flags & (GROSR_REQUEST_MORE | GROSR_REQUEST_LAST)))
        proxy_forget(p, c);
    switch (r->call) {
    case 0: /* a slot that its packet does not use */
    case GROSR_SYS_NOOP:
        return 0;
    case GROSR_SYS_GETPID:
        return getpid();
    case GROSR_SYS_CLOCK_GETTIME:
        return call_clock(r);
    case GROSR_SYS_NANOSLEEP:
        return r->argument > INT64_MAX ? -EINVAL : CALL_SLEEPS;
    case GROSR_SYS_OPENAT:
        return may_block || p->root_in_memory ? call_openat(p, c, may_block) : CALL_BLOCKS;
    case GROSR_SYS_UNLINK:
    case GROSR_SYS_RMDIR:
    case GROSR_SYS_RENAME:
    case GROSR_SYS_MKDIR:
        return may_block || p->root_in_memory ? call_change(p, c) : CALL_BLOCKS;
    case GROSR_SYS_CLOSE:
        return handles_close(&p->handles, r->handle);
    case GROSR_SYS_READ:
    case GROSR_SYS_WRITE:
    case GROSR_SYS_PREAD:
    case GROSR_SYS_PWRITE:
    case GROSR_SYS_ADVANCE:
    case GROSR_SYS_LSEEK:
    case GROSR_SYS_FSTAT:
    case GROSR_SYS_FTRUNCATE:
    case GROSR_SYS_FSYNC:
    case GROSR_SYS_READDIR:
        return call_handle(p, c, may_block);
    default:
        return refuse(p, ENOSYS);
    }
}
