/*
 * What the proxy's files share. They call each other downwards only:
 *
 *     proxy           threads, ports, packets
 *     proxy_pool      threads for calls that may block
 *     proxy_call      what each call does
 *     proxy_uring     file I/O by io_uring; or proxy_uring_none
 *     proxy_sync      file I/O by the calling thread
 *     proxy_answer    answering a request
 *     proxy_trace     packets into the trace
 *     proxy_log, sandbox
 *     handles, paths
 *
 * Who writes: a port's packet is copied by the thread that serves the port, before it hands out any request
 * of it; each request is answered once, by whoever has it then. `left` says how many are not answered: its
 * last decrement makes the port its thread's again.
 */
#ifndef GROSR_PROXY_PARTS_H
#define GROSR_PROXY_PARTS_H

#include "handles.h"
#include "proxy.h"

#include "../../tracer/session/stream.h"

#include <pthread.h>

/* Who has a request. */
enum { CALL_FREE, CALL_TAKEN, CALL_HANDED };

/* A write that comes in pieces. */
struct collected {
    unsigned char *bytes;
    size_t used, room;
};

struct call {
    struct grosr_request request;
    int64_t result;
    uint64_t done_ns; /* when it was answered, if the packet is traced; 0: it was not */
    uint32_t port, slot;
    dev32 state;                /* CALL_*; read by the thread that replaces a dead one */
    struct collected collected; /* of the packets so far: of the port's owner on the device */
    struct handle *handle;      /* in use, while I/O is under way */
    struct call *next;          /* in the pool's queue */
};

struct port {
    struct grosr_packet packet;
    uint64_t seen_ns; /* when it was taken, if it is traced; 0: it is not */
    struct call call[GROSR_PACKET_MAX];
};

/* What a round of all ports looks at, close together. */
struct port_state {
    uint64_t sequence; /* of the packet in hand, or of the one before */
    dev32 left;        /* requests not answered */
    bool unnoted;      /* the packet's latency is not counted yet, and it is not in the trace */
};

struct pool_thread {
    struct grosr_proxy *proxy;
    pthread_t thread;
    bool started;
    dev64 call; /* the address of the call in hand, or 0 */
};

#define POOL_THREADS_MAX 64u

struct pool {
    pthread_mutex_t lock;
    pthread_cond_t wake;
    struct call *first, **last;
    uint32_t waiting, idle, threads; /* calls; threads */
    struct pool_thread thread[POOL_THREADS_MAX];
};

struct uring; /* proxy_uring.c */

struct sleeper {
    struct call *call;
    uint64_t until_ns; /* CLOCK_MONOTONIC */
};

struct server {
    struct grosr_proxy *proxy;
    uint32_t index;
    pthread_t thread;
    bool started;
    struct uring *uring; /* NULL: none */
    struct sleeper *sleeper;
    uint32_t sleepers;
};

struct log;

struct grosr_proxy {
    struct grosr_proxy_options options;
    struct grosr_mailbox m;
    int root;
    bool root_in_memory; /* its file system has no disk */
    int stop_event;      /* readable: calls that wait end */
    dev32 interrupted, stopping;
    dev64 notices;   /* written */
    dev64 collected; /* bytes */
    struct handles handles;
    struct port *port;        /* and, by the same index, */
    struct port_state *state; /* what changes with each packet */
    struct server *server;
    struct pool pool;
    struct log *log;
    struct grosr_stream_writer trace; /* if options.session has a stream */
};

/* In place of a result: the call may block, and is to be made by the pool. */
#define CALL_BLOCKS INT64_MIN
/* ... it sleeps: until argument ns later. */
#define CALL_SLEEPS (INT64_MIN + 1)

/* ---- proxy_answer.c ---- */

/* Answers a request. The call must not be touched afterwards. */
void proxy_answer(struct grosr_proxy *proxy, struct call *call, int64_t result);

/* ---- proxy_trace.c ---- */

void trace_open(struct grosr_proxy *proxy);

/* Whether packets are recorded now: somebody collects them, at a level that has spans. */
bool trace_wanted(const struct grosr_proxy *proxy);

/* Records the port's packet, whose seen_ns is set; resumed_ns 0: when its caller resumed is not known. */
void trace_packet(struct grosr_proxy *proxy, uint32_t index, const struct port *port, uint64_t resumed_ns);

/* ---- proxy_sync.c ---- */

/* Bytes of a call's in memory that the device may name, or NULL if it may not. */
unsigned char *proxy_memory(const struct grosr_proxy *proxy, const struct call *call);

/* A read or write by the calling thread; CALL_BLOCKS: it might wait, and may not. */
int64_t proxy_sync(struct grosr_proxy *proxy, struct call *call, struct handle *handle, bool may_block);

/* ---- proxy_uring.c, proxy_uring_none.c ---- */

/* -ENOSYS: there is none. */
int uring_open(struct uring **uring, uint32_t entries);
void uring_close(struct uring *uring);

/* Begins a read or write at an offset, of a file; the call keeps its handle. False: the ring is full. */
bool uring_add(struct uring *uring, struct call *call, unsigned char *memory);

/* Submits what was added. */
void uring_submit(struct uring *uring);

/* A call that is done, with its result, or NULL. */
struct call *uring_reap(struct uring *uring, int64_t *result);

/* Calls under way. */
uint32_t uring_pending(const struct uring *uring);

/* ---- proxy_call.c ---- */

/* Makes a call: its result, or CALL_BLOCKS or CALL_SLEEPS if it must not block. */
int64_t proxy_call(struct grosr_proxy *proxy, struct call *call, bool may_block);

/* Whether a file is on a file system without a disk. */
bool proxy_is_in_memory(int fd);

/* Forgets the pieces of a write that was not completed. */
void proxy_forget(struct grosr_proxy *proxy, struct call *call);

/* Sleeps until the event that ends all calls that wait, at most so long, or forever (-1). Whether it came. */
bool proxy_wait(const struct grosr_proxy *proxy, int timeout_ms);

/* ---- proxy_pool.c ---- */

int pool_open(struct grosr_proxy *proxy);
void pool_add(struct grosr_proxy *proxy, struct call *call);
void pool_check(struct grosr_proxy *proxy);
void pool_close(struct grosr_proxy *proxy);

/* ---- proxy_log.c ---- */

int log_open(struct grosr_proxy *proxy);
void log_close(struct grosr_proxy *proxy, uint64_t missing);

/* ---- sandbox_seccomp.c, sandbox_none.c ---- */

/* Whether a sandbox can be had: 0 or -ENOTSUP. */
int sandbox_check(void);

/* The calling thread's, from now on. 0 or a negative errno. */
int sandbox_enter(void);

#endif
