/*
 * File I/O through io_uring: reads and writes at an offset that came together are submitted together, and
 * those that have to wait for a disk wait in the kernel. A ring belongs to one thread. Many containers refuse
 * io_uring: uring_open() then fails, and the calling thread and the pool do the work.
 */
#include "proxy_parts.h"

#include <errno.h>
#include <liburing.h>
#include <stdlib.h>

struct uring {
    struct io_uring ring;
    uint32_t pending, added;
};

int uring_open(struct uring **out, uint32_t entries)
{
    struct uring *u = (struct uring *)calloc(1, sizeof(*u));
    int err = u ? io_uring_queue_init(entries, &u->ring, 0) : -ENOMEM;

    *out = err ? NULL : u;
    if (err)
        free(u);
    return err;
}

void uring_close(struct uring *u)
{
    if (!u)
        return;
    io_uring_queue_exit(&u->ring);
    free(u);
}

bool uring_add(struct uring *u, struct call *c, unsigned char *memory)
{
    const struct grosr_request *r = &c->request;
    struct io_uring_sqe *sqe = io_uring_get_sqe(&u->ring);

    if (!sqe)
        return false;
    if (r->call == GROSR_SYS_PREAD)
        io_uring_prep_read(sqe, c->handle->fd, memory, r->length, r->argument);
    else
        io_uring_prep_write(sqe, c->handle->fd, memory, r->length, r->argument);
    io_uring_sqe_set_data(sqe, c);
    dev_store_relaxed(&c->state, (uint32_t)CALL_HANDED);
    u->pending++;
    u->added++;
    return true;
}

void uring_submit(struct uring *u)
{
    while (u->added) {
        int n = io_uring_submit(&u->ring);
        if (n > 0)
            u->added -= (uint32_t)n < u->added ? (uint32_t)n : u->added;
        else if (n != -EINTR && n != -EAGAIN && n != -EBUSY)
            break; /* it stays in the ring, for the next time */
    }
}

struct call *uring_reap(struct uring *u, int64_t *result)
{
    struct io_uring_cqe *cqe;

    if (!u->pending || io_uring_peek_cqe(&u->ring, &cqe))
        return NULL;
    struct call *c = (struct call *)io_uring_cqe_get_data(cqe);
    *result = cqe->res;
    io_uring_cqe_seen(&u->ring, cqe);
    u->pending--;
    return c;
}

uint32_t uring_pending(const struct uring *u)
{
    return u->pending;
}
