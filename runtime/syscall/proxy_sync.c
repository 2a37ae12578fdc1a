/*
 * File I/O by the calling thread. Of a thread that must not block, a read comes from what the kernel has in
 * memory (RWF_NOWAIT), a write goes to a file system without a disk, and both are short; everything else is
 * left to others (CALL_BLOCKS).
 *
 * FIFOs are open without blocking, whatever the caller wanted, so that a thread that waits for one can be
 * interrupted; they are waited for here.
 */
#include "proxy_parts.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

#define INLINE_BYTES 16384u /* of a read or write that others may wait for: some 2 us */

unsigned char *proxy_memory(const struct grosr_proxy *p, const struct call *c)
{
    const struct grosr_request *r = &c->request;
    uint64_t room = r->flags & GROSR_REQUEST_SHARED ? p->m.shared_bytes : p->m.staging_bytes;
    unsigned char *base =
        r->flags & GROSR_REQUEST_SHARED ? p->m.shared : grosr_mailbox_staging(&p->m, c->port);

    return r->at <= room && r->length <= room - r->at ? base + r->at : NULL;
}

bool proxy_wait(const struct grosr_proxy *p, int timeout_ms)
{
    struct pollfd event = {.fd = p->stop_event, .events = POLLIN};

    return poll(&event, 1, timeout_ms) > 0;
}

/* ---- FIFOs ---- */

/* Waits until a FIFO may be ready. What poll() says of it, or -ECANCELED. */
static int wait_pipe(const struct grosr_proxy *p, int fd, short events)
{
    struct pollfd f[2] = {{.fd = fd, .events = events}, {.fd = p->stop_event, .events = POLLIN}};

    while (poll(f, 2, -1) < 0)
        if (errno != EINTR)
            return -errno;
    return f[1].revents ? -ECANCELED : f[0].revents;
}

/* Nothing: the FIFO has never had a writer, or is empty; 0: its writers have gone. */
static int64_t read_pipe(const struct grosr_proxy *p, const struct handle *h, unsigned char *to, size_t bytes,
                         bool may_block)
{
    for (;;) {
        ssize_t n = read(h->fd, to, bytes);
        if (n > 0 || bytes == 0)
            return n;
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno != EAGAIN)
            return -errno;
        if (h->nonblock)
            return n < 0 ? -EAGAIN : 0;
        struct pollfd f = {.fd = h->fd, .events = POLLIN};
        if (n == 0 && poll(&f, 1, 0) == 1 && f.revents & POLLHUP)
            return 0;
        if (!may_block)
            return CALL_BLOCKS;
        int events = wait_pipe(p, h->fd, POLLIN);
        if (events < 0)
            return events;
    }
}

/* All of it, as a write that blocks. */
static int64_t write_pipe(const struct grosr_proxy *p, const struct handle *h, const unsigned char *from,
                          size_t bytes, bool may_block)
{
    size_t done = 0;

    /* What is written in part goes on in the thread that began it. */
    if (!may_block && bytes > 4096)
        return CALL_BLOCKS;
    do {
        ssize_t n = write(h->fd, from + done, bytes - done);
        if (n >= 0) {
            done += (size_t)n;
            continue;
        }
        if (errno == EINTR)
            continue;
        if (errno != EAGAIN || h->nonblock)
            return done ? (int64_t)done : -errno;
        if (!may_block)
            return CALL_BLOCKS;
        int events = wait_pipe(p, h->fd, POLLOUT);
        if (events < 0)
            return done ? (int64_t)done : events;
    } while (done < bytes);
    return (int64_t)done;
}

/* ---- files ---- */

/* Of what is in memory; CALL_BLOCKS: not all of it is. */
static int64_t read_at_once(int fd, unsigned char *to, size_t bytes, int64_t offset)
{
    struct iovec v = {to, bytes};
    struct stat st;
    ssize_t n = preadv2(fd, &v, 1, offset, RWF_NOWAIT);

    if (n < 0)
        return errno == EAGAIN || errno == EOPNOTSUPP || errno == EINTR ? CALL_BLOCKS : -errno;
    /* Short: the end of the file, or of what is in memory. */
    if ((size_t)n < bytes && (fstat(fd, &st) || offset + n < st.st_size))
        return CALL_BLOCKS;
    return n;
}

static int64_t transfer(const struct call *c, int fd, unsigned char *memory, size_t bytes)
{
    int64_t offset = (int64_t)c->request.argument;
    ssize_t n;

    do {
        switch (c->request.call) {
        case GROSR_SYS_READ:
            n = read(fd, memory, bytes);
            break;
        case GROSR_SYS_WRITE:
            n = write(fd, memory, bytes);
            break;
        case GROSR_SYS_PREAD:
            n = pread(fd, memory, bytes, offset);
            break;
        default: /* GROSR_SYS_PWRITE */
            n = pwrite(fd, memory, bytes, offset);
        }
    } while (n < 0 && errno == EINTR);
    return n < 0 ? -errno : n;
}

/* Of a file whose position is locked, if it counts. */
static int64_t file_at_once(const struct call *c, const struct handle *h, unsigned char *memory, size_t bytes)
{
    bool reads = c->request.call == GROSR_SYS_READ || c->request.call == GROSR_SYS_PREAD;
    int64_t offset = (int64_t)c->request.argument, n;

    if (h->in_memory || h->kind == HANDLE_DIRECTORY)
        return transfer(c, h->fd, memory, bytes);
    if (!reads)
        return CALL_BLOCKS;
    if (c->request.call == GROSR_SYS_READ && (offset = lseek(h->fd, 0, SEEK_CUR)) < 0)
        return -errno;
    n = read_at_once(h->fd, memory, bytes, offset);
    if (n > 0 && c->request.call == GROSR_SYS_READ && lseek(h->fd, offset + n, SEEK_SET) < 0)
        return -errno;
    return n;
}

static int64_t file(const struct call *c, struct handle *h, unsigned char *memory, size_t bytes,
                    bool may_block)
{
    bool position = c->request.call == GROSR_SYS_READ || c->request.call == GROSR_SYS_WRITE;
    int64_t n;

    if (!may_block && bytes > INLINE_BYTES)
        return CALL_BLOCKS;
    if (position && may_block)
        pthread_mutex_lock(&h->lock);
    else if (position && pthread_mutex_trylock(&h->lock))
        return CALL_BLOCKS;
    n = may_block ? transfer(c, h->fd, memory, bytes) : file_at_once(c, h, memory, bytes);
    if (position)
        pthread_mutex_unlock(&h->lock);
    return n;
}

/* ---- writes in pieces ---- */

/* Keeps a piece; its length, or why not. */
static int64_t collect(struct grosr_proxy *p, struct call *c, const unsigned char *from, size_t bytes)
{
    struct collected *k = &c->collected;
    size_t room = k->room ? k->room : 1 << 20;

    while (room - k->used < bytes)
        room *= 2;
    if (room != k->room) {
        size_t more = room - k->room;
        unsigned char *grown;
        if (dev_claim(&p->collected, (uint64_t)more) + more > p->options.collect_bytes ||
            !(grown = (unsigned char *)realloc(k->bytes, room))) {
            dev_add_relaxed(&p->collected, 0 - (uint64_t)more);
            return -ENOBUFS;
        }
        k->bytes = grown;
        k->room = room;
    }
    memcpy(k->bytes + k->used, from, bytes);
    k->used += bytes;
    return (int64_t)bytes;
}

static int64_t transfer_any(struct grosr_proxy *p, struct call *c, struct handle *h, unsigned char *memory,
                            size_t bytes, bool may_block)
{
    if (h->kind == HANDLE_PIPE && c->request.call == GROSR_SYS_READ)
        return read_pipe(p, h, memory, bytes, may_block);
    if (h->kind == HANDLE_PIPE && c->request.call == GROSR_SYS_WRITE)
        return write_pipe(p, h, memory, bytes, may_block);
    return file(c, h, memory, bytes, may_block);
}

int64_t proxy_sync(struct grosr_proxy *p, struct call *c, struct handle *h, bool may_block)
{
    unsigned char *memory = proxy_memory(p, c);
    size_t bytes = c->request.length;
    bool writes = c->request.call == GROSR_SYS_WRITE || c->request.call == GROSR_SYS_PWRITE;

    if (writes && c->request.flags & GROSR_REQUEST_MORE) {
        int64_t n = collect(p, c, memory, bytes);
        return n;
    }
    if (!writes || !(c->request.flags & GROSR_REQUEST_LAST))
        return transfer_any(p, c, h, memory, bytes, may_block);
    if (!may_block)
        return CALL_BLOCKS;
    int64_t n = collect(p, c, memory, bytes);
    return n < 0 ? n : transfer_any(p, c, h, c->collected.bytes, c->collected.used, true);
}
