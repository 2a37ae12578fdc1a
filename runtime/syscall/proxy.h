/*
 * The host's side of system calls: threads that take the packets of a mailbox, do what they ask for and
 * answer.
 *
 * The device is not trusted. A request is copied once and checked; whatever is in it, it gets an errno and
 * harms nobody else. No thread here makes a CUDA call: one might wait for the kernel that waits for it.
 *
 * A call that may block (a FIFO, a disk) is made by a thread of its own or by io_uring, so that it holds up
 * no other. A thread that dies is replaced, and what it had in hand is answered with -EIO
 * (grosr_proxy_check()).
 */
#ifndef GROSR_PROXY_H
#define GROSR_PROXY_H

#include "mailbox.h"

#include "../../tracer/session/session.h"

#include <stdbool.h>
#include <stddef.h>

struct grosr_proxy;

struct grosr_proxy_options {
    struct grosr_mailbox mailbox; /* as the host sees it */
    const char *root;             /* the directory that paths are resolved below */
    bool writable;
    uint32_t threads;       /* that take packets */
    uint32_t handles;       /* open at a time, at most GROSR_HANDLES_MAX */
    uint64_t collect_bytes; /* of writes in pieces that are collected at a time */
    uint64_t spin_ns;   /* a thread that finds nothing looks again at once for so long, before it sleeps */
    bool sandbox;       /* seccomp: the threads can make no system calls but those that they need */
    bool without_uring; /* do not use io_uring */
    /* Where a log line goes, with its newline; any one thread at a time. NULL: to standard error. */
    void (*log)(void *arg, const char *line, size_t bytes);
    void *log_arg;
    /* Whose first stream gets a record of each packet, when it is traced. NULL: none. */
    const struct grosr_session *session;
};

/* -ENOENT, ...: the root directory cannot be opened; -ENOSYS: the kernel has no openat2(); -ENOTSUP: no
 * sandbox was built in; -ENOMEM; -EAGAIN: a thread could not be created. */
int grosr_proxy_start(struct grosr_proxy **proxy, const struct grosr_proxy_options *options);

/* Replaces threads that have died. To be called every few milliseconds, by one thread at a time. */
void grosr_proxy_check(struct grosr_proxy *proxy);

/* Calls that wait for something that may never happen (a FIFO, a time) end with -ECANCELED from now on. */
void grosr_proxy_interrupt(struct grosr_proxy *proxy);

/* Ends the threads, when the device makes no more calls: what is still asked ends with -EIO. `missing`: log
 * lines that found no room, ever. NULL is allowed for the proxy. */
void grosr_proxy_stop(struct grosr_proxy *proxy, uint64_t missing);

/* Whether reads and writes go through io_uring. */
bool grosr_proxy_has_uring(const struct grosr_proxy *proxy);

#endif
