/*
 * The table of handles: what device code knows of the files that are open for it (mailbox.h has a handle's
 * bits). A handle is never a descriptor: it names an entry and the opening of it, so that one that is made
 * up, or was closed, is refused.
 *
 * Any thread. An entry that is in use (handles_get()) stays until the last user has released it; a handle
 * that was closed is refused at once.
 */
#ifndef GROSR_HANDLES_H
#define GROSR_HANDLES_H

#include "mailbox.h"

#include <dirent.h>
#include <pthread.h>

enum handle_kind { HANDLE_FILE, HANDLE_DIRECTORY, HANDLE_PIPE };

struct handle {
    int fd; /* -1: the entry is free or reserved */
    enum handle_kind kind;
    bool append;
    bool in_memory; /* the file system has no disk: reads and writes do not wait */
    bool nonblock;  /* a FIFO's caller does not want to wait */
    bool closed;    /* and still in use */
    uint32_t uses;
    uint32_t generation;
    DIR *directory;       /* once it has been read */
    pthread_mutex_t lock; /* of the position and of `directory` */
};

struct handles {
    pthread_mutex_t lock; /* of all but what handle.lock is of */
    struct handle *entry;
    uint32_t *free; /* a queue, so that an entry is used again as late as can be */
    uint32_t max, free_head, free_count;
    dev64 *open; /* how many there are, for observers */
};

int handles_open(struct handles *handles, uint32_t max, dev64 *open);

/* Closes all that are open. */
void handles_end(struct handles *handles);

/* Takes a free entry, before the file is opened: what cannot be entered is not opened. -EMFILE. */
int handles_reserve(struct handles *handles);
void handles_cancel(struct handles *handles, int entry);

/* Enters what has been opened: fd, which is the table's from now on, kind, append, in_memory, nonblock. The
 * handle. */
int handles_put(struct handles *handles, int entry, const struct handle *what);

/* The entry of a handle, in use until it is released; NULL: there is none such. */
struct handle *handles_get(struct handles *handles, int32_t handle);
void handles_release(struct handles *handles, struct handle *entry);

/* 0, -EBADF, or the error of closing the file. */
int handles_close(struct handles *handles, int32_t handle);

#endif
