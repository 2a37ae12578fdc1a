/*
 * The table of handles (handles.h).
 */
#include "handles.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#define INDEX_MASK ((1 << GROSR_HANDLE_INDEX_BITS) - 1)
#define GENERATION_MASK \
    ((UINT32_C(1) << (30 - GROSR_HANDLE_INDEX_BITS)) - 1) /* below GROSR_HANDLE_APPEND, above the index */

int handles_open(struct handles *h, uint32_t max, dev64 *open)
{
    h->entry = (struct handle *)calloc(max, sizeof(*h->entry));
    h->free = (uint32_t *)calloc(max, sizeof(*h->free));
    if (!h->entry || !h->free) {
        free(h->entry);
        free(h->free);
        h->entry = NULL;
        return -ENOMEM;
    }
    pthread_mutex_init(&h->lock, NULL);
    h->max = h->free_count = max;
    h->open = open;
    for (uint32_t i = 0; i < max; i++) {
        h->free[i] = i;
        h->entry[i].fd = -1;
        pthread_mutex_init(&h->entry[i].lock, NULL);
    }
    return 0;
}

/* Closes what an entry has open. Nobody uses it, and nobody can find it. */
static int close_entry(const struct handle *e)
{
    int err = (e->directory ? closedir(e->directory) : close(e->fd)) ? -errno : 0;

    return err == -EINTR ? 0 : err; /* Linux has closed it */
}

void handles_end(struct handles *h)
{
    if (!h->entry)
        return;
    for (uint32_t i = 0; i < h->max; i++) {
        if (h->entry[i].fd >= 0)
            close_entry(&h->entry[i]);
        pthread_mutex_destroy(&h->entry[i].lock);
    }
    pthread_mutex_destroy(&h->lock);
    free(h->entry);
    free(h->free);
    h->entry = NULL;
}

/* With the lock held. */
static void give_back(struct handles *h, uint32_t entry)
{
    h->free[(h->free_head + h->free_count++) % h->max] = entry;
}

int handles_reserve(struct handles *h)
{
    int entry = -EMFILE;

    pthread_mutex_lock(&h->lock);
    if (h->free_count) {
        entry = (int)h->free[h->free_head];
        h->free_head = (h->free_head + 1) % h->max;
        h->free_count--;
    }
    pthread_mutex_unlock(&h->lock);
    return entry;
}

void handles_cancel(struct handles *h, int entry)
{
    pthread_mutex_lock(&h->lock);
    give_back(h, (uint32_t)entry);
    pthread_mutex_unlock(&h->lock);
}

/* Closes an entry that is closed for all and not in use, and makes it free. */
static int retire(struct handles *h, struct handle *e)
{
    int err = close_entry(e);

    pthread_mutex_lock(&h->lock);
    e->directory = NULL;
    e->fd = -1;
    give_back(h, (uint32_t)(e - h->entry));
    pthread_mutex_unlock(&h->lock);
    return err;
}

int handles_put(struct handles *h, int entry, const struct handle *what)
{
    struct handle *e = &h->entry[entry];

    pthread_mutex_lock(&h->lock);
    e->fd = what->fd;
    e->kind = what->kind;
    e->append = what->append;
    e->in_memory = what->in_memory;
    e->nonblock = what->nonblock;
    e->closed = false;
    e->generation = (e->generation + 1) & GENERATION_MASK;
    int handle =
        (int)(e->generation << GROSR_HANDLE_INDEX_BITS) | entry | (what->append ? GROSR_HANDLE_APPEND : 0);
    pthread_mutex_unlock(&h->lock);
    dev_add_relaxed(h->open, UINT64_C(1));
    return handle;
}

/* With the lock held. */
static struct handle *find(struct handles *h, int32_t handle)
{
    uint32_t i = (uint32_t)handle & INDEX_MASK;

    if (handle < 0 || i >= h->max)
        return NULL;
    struct handle *e = &h->entry[i];
    if (e->fd < 0 || e->closed || e->append != !!(handle & GROSR_HANDLE_APPEND) ||
        e->generation != ((uint32_t)handle >> GROSR_HANDLE_INDEX_BITS & GENERATION_MASK))
        return NULL;
    return e;
}

struct handle *handles_get(struct handles *h, int32_t handle)
{
    pthread_mutex_lock(&h->lock);
    struct handle *e = find(h, handle);
    if (e)
        e->uses++;
    pthread_mutex_unlock(&h->lock);
    return e;
}

void handles_release(struct handles *h, struct handle *e)
{
    bool last;

    pthread_mutex_lock(&h->lock);
    last = --e->uses == 0 && e->closed;
    pthread_mutex_unlock(&h->lock);
    if (last)
        retire(h, e);
}

int handles_close(struct handles *h, int32_t handle)
{
    int err = -EBADF;
    bool last = false;

    pthread_mutex_lock(&h->lock);
    struct handle *e = find(h, handle);
    if (e) {
        e->closed = true;
        last = e->uses == 0;
        err = 0;
    }
    pthread_mutex_unlock(&h->lock);
    if (err)
        return err;
    dev_add_relaxed(h->open, ~UINT64_C(0));
    return last ? retire(h, e) : 0;
}
