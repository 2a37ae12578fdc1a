/*
 * In place of proxy_uring.c in a build without liburing: file I/O is made by threads.
 */
#include "proxy_parts.h"

#include <errno.h>

int uring_open(struct uring **uring, uint32_t entries)
{
    (void)entries;
    *uring = NULL;
    return -ENOSYS;
}

void uring_close(struct uring *uring)
{
    (void)uring;
}

bool uring_add(struct uring *uring, struct call *call, unsigned char *memory)
{
    (void)uring;
    (void)call;
    (void)memory;
    return false;
}

void uring_submit(struct uring *uring)
{
    (void)uring;
}

struct call *uring_reap(struct uring *uring, int64_t *result)
{
    (void)uring;
    (void)result;
    return NULL;
}

uint32_t uring_pending(const struct uring *uring)
{
    (void)uring;
    return 0;
}
