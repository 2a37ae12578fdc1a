/*
 * System calls, the warp's side: device code for tasks and for other kernels that were given the mailbox.
 *
 *     int file = grosr_open(grosr_task_sys(task), "input", O_RDONLY, 0);
 *     if (file < 0)
 *         return -file;
 *     int64_t n = grosr_pread(grosr_task_sys(task), file, buffer, sizeof(buffer), 0);
 *
 * The calls are those of POSIX, and so are the values of flags, modes and errnos (<fcntl.h>, <errno.h>): a
 * result is a count or a handle, or a negative errno. What differs:
 *
 *     Paths are resolved below the runtime's root directory (or below a directory's handle). One that leads
 * out of it, by "..", by a symbolic link or because it is absolute, fails with -EXDEV. A runtime that is not
 * opened as writable refuses what would change a file with -EROFS. -ENOSYS: the runtime was opened without
 * system calls. -EIO: nobody answers any more. -EMFILE: too many open handles. A handle is good in all warps.
 *     No call is interrupted; -EINTR is never returned.
 *     A FIFO that is opened for reading does not wait for a writer; the first read does.
 *
 * A read or a write of any length is one call: at a position that callers share (grosr_read, grosr_write) its
 * bytes are contiguous, and a write is whole or, where the disk is full, short. A long one that has its own
 * offset travels in pieces. A write at the handle's position, or one that appends, is collected on the host
 * before it is made, at most as many bytes as the runtime allows (-ENOBUFS). Memory that the host shares
 * (grosr_shared()) is read and written in place, without a copy.
 *
 * Lanes. Every lane calls for itself, diverged or not: lanes that are at the call together send one packet,
 * and each gets its own result. Lanes of a group continue together, when all of their calls are done.
 *
 * Calls block: the lane's warp backs off until the reply is there. A task that is to let others run meanwhile
 * begins the call with grosr_call_then() (kernel/task.h) and continues when it is done. grosr_call_begin()
 * starts one that is waited for later. While all ports are in use a call waits for one; with
 * GROSR_CALL_NOWAIT grosr_call_begin() returns -EAGAIN.
 *
 * Who writes what: mailbox.h. A lane's request is in its registers; nothing here keeps state between calls.
 */
#ifndef GROSR_SYSCALL_DEVICE_H
#define GROSR_SYSCALL_DEVICE_H

#include "../grosr.h"
#include "mailbox.h"

#include <errno.h>
#include <fcntl.h>

/* Who calls: the mailbox, and worker:16 << 40 | task:40 for the trace. Passed by value. */
struct grosr_sys {
    const struct grosr_mailbox *mailbox;
    uint64_t who;
};

/* For a kernel that is not the runtime's, whose argument is the mailbox (grosr_mailbox()). */
GROSR_DEVICE struct grosr_sys grosr_sys_of(const struct grosr_mailbox *mailbox)
{
    struct grosr_sys sys;
    sys.mailbox = mailbox;
    sys.who = (uint64_t)GROSR_NO_WORKER << GROSR_TASK_ID_BITS;
    return sys;
}

GROSR_DEVICE struct grosr_request grosr_request_of(struct grosr_sys sys, enum grosr_syscall call,
                                                   int32_t handle, uint64_t argument)
{
    struct grosr_request r;
    r.call = call;
    r.flags = r.length = r.at = 0;
    r.handle = handle;
    r.argument = argument;
    r.task = sys.who & GROSR_TASK_ID_MASK;
    return r;
}

/* ---- ports and packets ---- */

/*
 * Ports that asynchronous calls leave alone: an eighth, one at least. Their ports come free when somebody
 * waits for the call, who may himself wait for a warp that is in a call: that one must find a port.
 */
GROSR_DEVICE uint32_t grosr_mailbox_reserved(const struct grosr_mailbox *m)
{
    return m->ports / 8 ? m->ports / 8 : 1;
}

/*
 * Claims a port; `keeps`: for an asynchronous call. *sequence is that of its last packet. -EAGAIN: none is
 * free, and the caller does not wait; -ENOSYS; -EIO. One lane.
 */
GROSR_DEVICE int grosr_port_claim(struct grosr_sys sys, bool wait, bool keeps, uint64_t *sequence)
{
    const struct grosr_mailbox *m = sys.mailbox;
    uint32_t near = (uint32_t)(sys.who >> GROSR_TASK_ID_BITS), step = 0;

    if (m->ports == 0)
        return -ENOSYS;
    near = (near == GROSR_NO_WORKER ? dev_sm() : near) + 7 * dev_lane();
    uint32_t first = keeps ? grosr_mailbox_reserved(m) : 0, count = m->ports - first;
    for (;;) {
        for (uint32_t i = 0; i < count; i++) {
            uint32_t port = first + (near + i) % count;
            /* Acquire: the owner before has read the replies and the staging memory. Pairs with
             * grosr_port_free(). */
            uint64_t word = dev_or_acquire(&m->port[port], UINT64_C(1));
            dev_point("port.claimed");
            if (!(word & 1)) {
                *sequence = word >> 1;
                return (int)port;
            }
        }
        if (!wait)
            return -EAGAIN;
        if (dev_backoff_is_deep(step) && sys_load_relaxed(&m->words->closed))
            return -EIO;
        dev_backoff(&step);
    }
}

/* Notes that all replies of a packet have been read. One lane. */
GROSR_DEVICE void grosr_packet_resumed(const struct grosr_mailbox *m, uint32_t port, uint64_t sequence)
{
    uint64_t lap = grosr_packet_lap(sequence);

    sys_store_pair_relaxed(&m->resumed[port], lap, lap | (dev_clock_ns() & GROSR_TIME_MASK));
}

/* Gives the port back after packet `sequence`, all of whose replies have been read. `data`: and the staging
 * memory. One lane. */
GROSR_DEVICE void grosr_port_free(const struct grosr_mailbox *m, uint32_t port, uint64_t sequence, bool data)
{
    if (data) /* pairs with grosr_port_claim() */
        dev_store_release(&m->port[port], sequence << 1);
    else
        dev_store_relaxed(&m->port[port], sequence << 1);
}

/*
 * Sends a packet: the requests of the lanes of the group whose `used` is set, in slots 0 .. count - 1, each
 * in its lane's `slot`. `data`: some of it is in the staging memory. A collective of the group.
 */
GROSR_DEVICE void grosr_packet_post(struct grosr_sys sys, uint32_t mask, uint32_t port, uint64_t sequence,
                                    bool used, uint32_t slot, uint32_t count, struct grosr_request request,
                                    uint32_t frame, bool data)
{
    const struct grosr_mailbox *m = sys.mailbox;
    uint64_t lap = grosr_packet_lap(sequence);
    struct grosr_packet packet;

    packet.count = count;
    packet.worker = (uint32_t)(sys.who >> GROSR_TASK_ID_BITS);
    packet.frame = frame;
    packet.issued_ns = dev_clock_ns();
    if (used) {
        struct grosr_request_pairs x = grosr_request_pack(lap, request);
        sys128 *at = grosr_mailbox_request(m, port, slot);
        sys_store_pair_relaxed(at, x.first.lo, x.first.hi);
        sys_store_pair_relaxed(at + 1, x.second.lo, x.second.hi);
    }
    dev_mask_sync(mask);
    if (dev_lane() != dev_ffs32(mask) - 1)
        return;
    struct grosr_pair bell = grosr_doorbell_pack(lap, packet);
    if (data || count > 1) /* pairs with grosr_port_rung() */
        sys_store_pair_release(&m->doorbell[port], bell.lo, bell.hi);
    else
        sys_store_pair_relaxed(&m->doorbell[port], bell.lo, bell.hi);
}

/* Whether the reply in a slot is there. `data`: what came with it is to be read. */
GROSR_DEVICE bool grosr_packet_poll(const struct grosr_mailbox *m, uint32_t port, uint64_t sequence,
                                    uint32_t slot, bool data, int64_t *result)
{
    const sys128 *reply = grosr_mailbox_reply(m, port, slot);
    /* The acquire pairs with grosr_port_reply(). */
    struct grosr_pair x = data ? sys_load_pair_acquire(reply) : sys_load_pair_relaxed(reply);

    *result = grosr_reply_unpack(x);
    return grosr_pair_has_lap(x, grosr_packet_lap(sequence));
}

/* Waits until all lanes of the group whose `used` is set have their replies. *closed: nobody answers any
 * more, and the result of those that have none is -EIO. A collective of the group. */
GROSR_DEVICE int64_t grosr_packet_wait(const struct grosr_mailbox *m, uint32_t mask, uint32_t port,
                                       uint64_t sequence, bool used, uint32_t slot, bool data, bool *closed)
{
    int64_t result = 0;
    uint32_t step = 0;

    while (dev_mask_ballot(mask, used)) {
        if (used && grosr_packet_poll(m, port, sequence, slot, data, &result))
            used = false;
        if (used && dev_backoff_is_deep(step) && sys_load_relaxed(&m->words->closed)) {
            /* A last look: it may have been answered before. */
            if (!grosr_packet_poll(m, port, sequence, slot, data, &result)) {
                result = -EIO;
                *closed = true;
            }
            used = false;
        }
        if (dev_mask_ballot(mask, used))
            dev_backoff(&step);
    }
    return result;
}

/* A call without data, of the lanes of a group whose `has` is set. A collective of the group. */
GROSR_DEVICE_COLD int64_t grosr_call_plain(struct grosr_sys sys, uint32_t mask, bool has,
                                           struct grosr_request request)
{
    uint32_t callers = dev_mask_ballot(mask, has), leader = dev_ffs32(mask) - 1;
    uint32_t slot = dev_popc32(callers & ((1u << dev_lane()) - 1));
    uint64_t sequence = 0;
    int port = 0;
    bool closed = false;

    if (!callers)
        return 0;
    if (dev_lane() == leader)
        port = grosr_port_claim(sys, true, false, &sequence);
    port = (int)dev_mask_shfl64(mask, (uint64_t)(int64_t)port, leader);
    sequence = dev_mask_shfl64(mask, sequence, leader) + 1;
    if (port < 0)
        return port;
    grosr_packet_post(sys, mask, (uint32_t)port, sequence, has, slot, dev_popc32(callers), request, 0, false);
    int64_t result =
        grosr_packet_wait(sys.mailbox, mask, (uint32_t)port, sequence, has, slot, false, &closed);
    /* A port that is not answered is never used again: the host might still write to it. */
    if (!dev_mask_ballot(mask, closed) && dev_lane() == leader) {
        grosr_packet_resumed(sys.mailbox, (uint32_t)port, sequence);
        grosr_port_free(sys.mailbox, (uint32_t)port, sequence, false);
    }
    return result;
}

/* ---- data ---- */

/* The lanes of the group copy together what each of them has to copy: from `from` to its staging memory, or,
 * if that is NULL, from there to `to`. A collective of the group. */
GROSR_DEVICE void grosr_group_copy(uint32_t mask, unsigned char *staging, const unsigned char *from,
                                   unsigned char *to, uint32_t bytes)
{
    uint32_t part = dev_popc32(mask & ((1u << dev_lane()) - 1)), left = dev_mask_ballot(mask, bytes != 0);
    uint64_t mine = (uint64_t)(uintptr_t)(from ? from : to);

    for (; left; left &= left - 1) {
        uint32_t lane = dev_ffs32(left) - 1;
        void *at = (void *)(uintptr_t)dev_mask_shfl64(mask, (uint64_t)(uintptr_t)staging, lane);
        void *other = (void *)(uintptr_t)dev_mask_shfl64(mask, mine, lane);
        uint32_t n = (uint32_t)dev_mask_shfl64(mask, bytes, lane);
        if (dev_mask_shfl64(mask, from != NULL, lane))
            sys_copy_out(at, other, n, part, dev_popc32(mask));
        else if (other)
            sys_copy_in(other, at, n, part, dev_popc32(mask));
    }
    dev_mask_sync(mask);
}

/*
 * A call with data, as its lane sees it. It is kept in memory and its steps are functions that are not
 * inlined: the registers of a persistent kernel are its scheduler's.
 */
struct grosr_exchange {
    struct grosr_sys sys;
    struct grosr_request request; /* of the whole; pieces differ in length, place and offset */
    const unsigned char *from;    /* what goes to the host, and */
    unsigned char *to;            /* where what comes from it goes */
    uint64_t bytes, done, sent;
    uint64_t piece, sequence;
    int64_t result;
    uint32_t mask, slot, count, frame;
    int port;
    bool has;    /* this lane calls */
    bool more;   /* and has more to send */
    bool shared; /* its memory is the host's too */
    bool offset; /* the request's argument is an offset, and each piece has its own */
    bool whole;  /* a write of several pieces is made at once */
    bool closed;
    bool copied;        /* what is sent goes through the staging memory in any case */
    bool nowait;        /* the result is -EAGAIN if no port is free */
    bool begins, ends;  /* only the first half of the call, or only the second: an asynchronous one's */
    const char *second; /* sent behind what is at `from`, of one lane's call */
    uint32_t second_bytes;
};

/* A lane's by itself, or of the lanes of `mask`. */
GROSR_DEVICE void grosr_exchange_init(struct grosr_exchange *x, struct grosr_sys sys, uint32_t mask, bool has,
                                      struct grosr_request request, const void *from, void *to,
                                      uint64_t bytes)
{
    x->sys = sys;
    x->request = request;
    x->from = (const unsigned char *)from;
    x->to = (unsigned char *)to;
    x->bytes = bytes;
    x->done = x->sent = 0;
    x->result = 0;
    x->mask = mask;
    x->frame = 0;
    x->has = x->more = has;
    x->shared = x->offset = x->whole = x->closed = x->copied = x->nowait = x->begins = x->ends = false;
    x->second = NULL;
    x->second_bytes = 0;
}

/* Whether memory is the host's shared memory, and where in it. */
GROSR_DEVICE bool grosr_mailbox_shares(const struct grosr_mailbox *m, const void *memory, uint64_t bytes,
                                       uint32_t *at)
{
    uint64_t offset = (uint64_t)(uintptr_t)memory - (uint64_t)(uintptr_t)m->shared;

    *at = (uint32_t)offset;
    return offset < m->shared_bytes && bytes <= m->shared_bytes - offset;
}

/* Bytes that a packet of `count` requests moves for each of them. */
GROSR_DEVICE uint64_t grosr_mailbox_piece(const struct grosr_mailbox *m, uint32_t count)
{
    return m->staging_bytes / count & ~UINT32_C(63);
}

/* Claims a port. False: there is none, and the result says why. A collective of the group, some of whose
 * lanes call. */
GROSR_DEVICE bool grosr_exchange_open(struct grosr_exchange *x)
{
    const struct grosr_mailbox *m = x->sys.mailbox;
    uint32_t callers = dev_mask_ballot(x->mask, x->has), leader = dev_ffs32(x->mask) - 1, at;
    const void *memory = x->from ? (const void *)x->from : x->to;
    uint64_t sequence = 0;
    int port = 0;

    x->slot = dev_popc32(callers & ((1u << dev_lane()) - 1));
    x->count = dev_popc32(callers);
    if (dev_lane() == leader)
        port = grosr_port_claim(x->sys, !x->nowait, x->begins, &sequence);
    x->port = (int)dev_mask_shfl64(x->mask, (uint64_t)(int64_t)port, leader);
    x->sequence = dev_mask_shfl64(x->mask, sequence, leader);
    if (x->port < 0) {
        x->result = x->port;
        return false;
    }
    x->piece = grosr_mailbox_piece(m, x->count);
    x->request.at = (uint32_t)(x->slot * x->piece);
    if (x->has && x->bytes && !x->copied && grosr_mailbox_shares(m, memory, x->bytes, &at)) {
        x->shared = true;
        x->piece = GROSR_RW_MAX;
        x->request.flags |= GROSR_REQUEST_SHARED;
        x->request.at = at;
    }
    return true;
}

GROSR_DEVICE unsigned char *grosr_exchange_staging(const struct grosr_exchange *x)
{
    return grosr_mailbox_staging(x->sys.mailbox, (uint32_t)x->port) + (x->shared ? 0 : x->request.at);
}

/* Sends the next piece. A collective of the group. */
GROSR_DEVICE void grosr_exchange_send(struct grosr_exchange *x)
{
    uint64_t left = x->bytes - x->done, n = left < x->piece ? left : x->piece;

    x->sequence++;
    x->sent = n;
    if (x->from || x->mask & (x->mask - 1))
        grosr_group_copy(x->mask, grosr_exchange_staging(x), x->from ? x->from + x->done : NULL, NULL,
                         x->more && x->from && !x->shared ? (uint32_t)n : 0);
    if (x->second)
        sys_copy_out(grosr_exchange_staging(x) + n, x->second, x->second_bytes, 0, 1);
    struct grosr_request r = x->request;
    r.call = x->more ? r.call : 0;
    r.length = (uint32_t)n + x->second_bytes;
    if (x->shared)
        r.at += (uint32_t)x->done;
    if (x->offset)
        r.argument += x->done;
    if (x->whole && !x->shared && x->bytes > x->piece)
        r.flags |= (left > n ? GROSR_REQUEST_MORE : GROSR_REQUEST_LAST) | (x->done ? 0 : GROSR_REQUEST_FIRST);
    grosr_packet_post(x->sys, x->mask, (uint32_t)x->port, x->sequence, x->has, x->slot, x->count, r, x->frame,
                      true);
}

/* Waits for the replies to a piece, and copies what came with them. A collective of the group. */
GROSR_DEVICE void grosr_exchange_receive(struct grosr_exchange *x)
{
    bool closed = false;
    int64_t answer = grosr_packet_wait(x->sys.mailbox, x->mask, (uint32_t)x->port, x->sequence, x->has,
                                       x->slot, true, &closed);
    uint64_t moved = answer < 0 ? 0 : (uint64_t)answer < x->sent ? (uint64_t)answer : x->sent;

    x->closed = closed;
    if (dev_lane() == dev_ffs32(x->mask) - 1)
        grosr_packet_resumed(x->sys.mailbox, (uint32_t)x->port, x->sequence);
    if (x->to || x->mask & (x->mask - 1))
        grosr_group_copy(x->mask, grosr_exchange_staging(x), NULL, x->to ? x->to + x->done : NULL,
                         x->more && x->to && !x->shared ? (uint32_t)moved : 0);
    if (!x->more)
        return;
    if (x->whole || answer < 0) { /* of a write that is whole, the last piece's answer counts */
        x->result = answer < 0 && x->done && !x->whole ? (int64_t)x->done : answer;
        x->done += x->sent;
        x->more = x->whole && !x->shared && x->done < x->bytes && answer == (int64_t)x->sent;
    } else {
        x->done += moved;
        x->result = (int64_t)x->done;
        x->more = x->offset && moved == x->sent && x->done < x->bytes;
    }
}

/*
 * The whole call, in as many packets as it needs, or one of its halves. The result is the number of bytes
 * that were moved, or what the host answered to the first piece. A collective of the group.
 */
GROSR_DEVICE_COLD int64_t grosr_exchange_run(struct grosr_exchange *x)
{
    if (!dev_mask_ballot(x->mask, x->has) || (!x->ends && !grosr_exchange_open(x)))
        return x->result;
    do {
        if (!x->ends)
            grosr_exchange_send(x);
        if (x->begins)
            return 0;
        grosr_exchange_receive(x);
        /* A port that is not answered is never used again: the host might still write to it. */
        if (dev_mask_ballot(x->mask, x->closed))
            return x->result;
    } while (dev_mask_ballot(x->mask, x->more));
    if (dev_lane() == dev_ffs32(x->mask) - 1)
        grosr_port_free(x->sys.mailbox, (uint32_t)x->port, x->sequence, true);
    return x->result;
}

/* ---- asynchronous calls: one lane's ---- */

#define GROSR_CALL_NOWAIT 1u

/* A call under way: sequence << 12 | port, never 0. Whoever begins one waits for it: it keeps its port. */
typedef uint64_t grosr_pending;

GROSR_DEVICE_COLD int grosr_call_post(struct grosr_sys sys, struct grosr_request request, const void *from,
                                      uint32_t frame, uint32_t flags, grosr_pending *call)
{
    struct grosr_exchange x;

    grosr_exchange_init(&x, sys, 1u << dev_lane(), true, request, from, NULL, request.length);
    x.frame = frame;
    x.begins = true;
    x.nowait = flags & GROSR_CALL_NOWAIT;
    int err = (int)grosr_exchange_run(&x);
    *call = x.sequence << 12 | (uint32_t)x.port;
    return err;
}

/* Begins a call; `from`: what a write takes its request's length of bytes from, which is in use until this
 * returns, or, shared with the host, until the call is done. A read or write that is longer than a port's
 * staging memory is short. 0, or -EAGAIN, -ENOSYS, -EIO. */
GROSR_DEVICE int grosr_call_begin(struct grosr_sys sys, struct grosr_request request, const void *from,
                                  uint32_t flags, grosr_pending *call)
{
    return grosr_call_post(sys, request, from, 0, flags, call);
}

/* Whether a call is done. */
GROSR_DEVICE bool grosr_call_done(struct grosr_sys sys, grosr_pending call)
{
    int64_t result;
    return grosr_packet_poll(sys.mailbox, (uint32_t)call & 0xfffu, call >> 12, 0, false, &result) ||
           sys_load_relaxed(&sys.mailbox->words->closed);
}

/* Waits for a call, copies what it read to `to`, at most `bytes` bytes, and ends it: its result. Once. */
GROSR_DEVICE_COLD int64_t grosr_call_end(struct grosr_sys sys, grosr_pending call, void *to, uint64_t bytes)
{
    struct grosr_exchange x;

    if (((uint32_t)call & 0xfffu) >= sys.mailbox->ports)
        return -EINVAL;
    grosr_exchange_init(&x, sys, 1u << dev_lane(), true, grosr_request_of(sys, GROSR_SYS_NOOP, 0, 0), NULL,
                        to, bytes);
    x.ends = true;
    x.port = (int)((uint32_t)call & 0xfffu);
    x.sequence = call >> 12;
    x.slot = 0;
    x.sent = bytes;
    x.whole = !to; /* the answer is that of a write, or no count */
    return grosr_exchange_run(&x);
}

/* ---- requests, for asynchronous calls ---- */

GROSR_DEVICE struct grosr_request grosr_request_read(struct grosr_sys sys, int handle, uint32_t bytes)
{
    struct grosr_request r = grosr_request_of(sys, GROSR_SYS_READ, handle, 0);
    r.length = bytes;
    return r;
}

GROSR_DEVICE struct grosr_request grosr_request_pread(struct grosr_sys sys, int handle, uint32_t bytes,
                                                      int64_t offset)
{
    struct grosr_request r = grosr_request_of(sys, GROSR_SYS_PREAD, handle, (uint64_t)offset);
    r.length = bytes;
    return r;
}

GROSR_DEVICE struct grosr_request grosr_request_write(struct grosr_sys sys, int handle, uint32_t bytes)
{
    struct grosr_request r = grosr_request_of(sys, GROSR_SYS_WRITE, handle, 0);
    r.length = bytes;
    return r;
}

GROSR_DEVICE struct grosr_request grosr_request_pwrite(struct grosr_sys sys, int handle, uint32_t bytes,
                                                       int64_t offset)
{
    struct grosr_request r = grosr_request_of(sys, GROSR_SYS_PWRITE, handle, (uint64_t)offset);
    r.length = bytes;
    return r;
}

GROSR_DEVICE struct grosr_request grosr_request_fsync(struct grosr_sys sys, int handle)
{
    return grosr_request_of(sys, GROSR_SYS_FSYNC, handle, 0);
}

GROSR_DEVICE struct grosr_request grosr_request_nanosleep(struct grosr_sys sys, uint64_t ns)
{
    return grosr_request_of(sys, GROSR_SYS_NANOSLEEP, 0, ns);
}

GROSR_DEVICE struct grosr_request grosr_request_noop(struct grosr_sys sys)
{
    return grosr_request_of(sys, GROSR_SYS_NOOP, 0, 0);
}

/* ---- the calls ---- */

/* The length of a path with its NUL, or 0: it is too long. */
GROSR_DEVICE uint32_t grosr_path_length(const char *path)
{
    for (uint32_t n = 0; n < GROSR_PATH_BYTES; n++)
        if (!path[n])
            return n + 1;
    return 0;
}

/* A path, or two, of one lane by itself: paths are long, and files are opened seldom. */
GROSR_DEVICE_COLD int64_t grosr_call_path(struct grosr_sys sys, struct grosr_request request,
                                          const char *path, const char *second)
{
    uint32_t first = grosr_path_length(path), more = second ? grosr_path_length(second) : 0;
    struct grosr_exchange x;

    if (!first || (second && !more))
        return -ENAMETOOLONG;
    grosr_exchange_init(&x, sys, 1u << dev_lane(), true, request, path, NULL, first);
    x.whole = x.copied = true; /* the answer is no count */
    x.second = second;
    x.second_bytes = more;
    return grosr_exchange_run(&x);
}

/* `directory`: a handle, or GROSR_ROOT. */
GROSR_DEVICE_COLD int grosr_openat(struct grosr_sys sys, int directory, const char *path, int flags,
                                   uint32_t mode)
{
    return (int)grosr_call_path(
        sys, grosr_request_of(sys, GROSR_SYS_OPENAT, directory, (uint64_t)mode << 32 | (uint32_t)flags), path,
        NULL);
}

/* As grosr_open(sys, ...) in device code. */
GROSR_DEVICE int grosr_sys_open(struct grosr_sys sys, const char *path, int flags, uint32_t mode)
{
    return grosr_openat(sys, GROSR_ROOT, path, flags, mode);
}

GROSR_DEVICE int grosr_unlink(struct grosr_sys sys, const char *path)
{
    return (int)grosr_call_path(sys, grosr_request_of(sys, GROSR_SYS_UNLINK, GROSR_ROOT, 0), path, NULL);
}

GROSR_DEVICE int grosr_rmdir(struct grosr_sys sys, const char *path)
{
    return (int)grosr_call_path(sys, grosr_request_of(sys, GROSR_SYS_RMDIR, GROSR_ROOT, 0), path, NULL);
}

GROSR_DEVICE int grosr_mkdir(struct grosr_sys sys, const char *path, uint32_t mode)
{
    return (int)grosr_call_path(sys, grosr_request_of(sys, GROSR_SYS_MKDIR, GROSR_ROOT, mode), path, NULL);
}

GROSR_DEVICE_COLD int grosr_rename(struct grosr_sys sys, const char *from, const char *to)
{
    return (int)grosr_call_path(sys, grosr_request_of(sys, GROSR_SYS_RENAME, GROSR_ROOT, 0), from, to);
}

/* ... with three arguments, of a file that is there. */
GROSR_DEVICE int grosr_sys_open_existing(struct grosr_sys sys, const char *path, int flags)
{
    return grosr_openat(sys, GROSR_ROOT, path, flags, 0);
}

/* As grosr_close(sys, ...) in device code. */
GROSR_DEVICE int grosr_sys_close(struct grosr_sys sys, int handle)
{
    return (int)grosr_call_plain(sys, dev_mask(), true, grosr_request_of(sys, GROSR_SYS_CLOSE, handle, 0));
}

/* A read of the lanes of a group whose `has` is set: lanes that do not call help to copy. A collective of the
 * group, which may be the warp, GROSR_MASK_WARP, where all its lanes meet. */
GROSR_DEVICE_COLD int64_t grosr_pread_group(struct grosr_sys sys, uint32_t mask, bool has, int handle,
                                            void *to, uint64_t bytes, int64_t offset)
{
    struct grosr_exchange x;

    grosr_exchange_init(&x, sys, mask, has, grosr_request_of(sys, GROSR_SYS_PREAD, handle, (uint64_t)offset),
                        NULL, to, bytes);
    x.offset = true;
    return grosr_exchange_run(&x);
}

GROSR_DEVICE_COLD int64_t grosr_pwrite_group(struct grosr_sys sys, uint32_t mask, bool has, int handle,
                                             const void *from, uint64_t bytes, int64_t offset)
{
    struct grosr_exchange x;

    grosr_exchange_init(&x, sys, mask, has, grosr_request_of(sys, GROSR_SYS_PWRITE, handle, (uint64_t)offset),
                        from, NULL, bytes);
    /* Where the file is opened for appending, Linux appends, whatever the offset. */
    x.whole = handle >= 0 && (handle & GROSR_HANDLE_APPEND);
    x.offset = !x.whole;
    return grosr_exchange_run(&x);
}

GROSR_DEVICE int64_t grosr_pread(struct grosr_sys sys, int handle, void *to, uint64_t bytes, int64_t offset)
{
    return grosr_pread_group(sys, dev_mask(), true, handle, to, bytes, offset);
}

GROSR_DEVICE int64_t grosr_pwrite(struct grosr_sys sys, int handle, const void *from, uint64_t bytes,
                                  int64_t offset)
{
    return grosr_pwrite_group(sys, dev_mask(), true, handle, from, bytes, offset);
}

/* The other calls with data: one packet, but for a write. */
GROSR_DEVICE_COLD int64_t grosr_call_data(struct grosr_sys sys, uint32_t mask, enum grosr_syscall call,
                                          int handle, const void *from, void *to, uint64_t bytes)
{
    struct grosr_exchange x;

    grosr_exchange_init(&x, sys, mask, true, grosr_request_of(sys, call, handle, 0), from, to, bytes);
    x.whole = from != NULL;
    return grosr_exchange_run(&x);
}

GROSR_DEVICE int64_t grosr_write(struct grosr_sys sys, int handle, const void *from, uint64_t bytes)
{
    return grosr_call_data(sys, dev_mask(), GROSR_SYS_WRITE, handle, from, NULL, bytes);
}

/* Takes the bytes' place in the file first, so that what others read meanwhile is not among them. One lane.
 */
GROSR_DEVICE_COLD int64_t grosr_read_long(struct grosr_sys sys, int handle, void *to, uint64_t bytes)
{
    uint32_t mask = 1u << dev_lane();
    int64_t at = grosr_call_plain(sys, mask, true, grosr_request_of(sys, GROSR_SYS_ADVANCE, handle, bytes));

    if (at == -ESPIPE) /* which has no places: what is there */
        return grosr_call_data(sys, mask, GROSR_SYS_READ, handle, NULL, to, bytes);
    return at < 0 ? at : grosr_pread_group(sys, mask, true, handle, to, bytes, at);
}

GROSR_DEVICE int64_t grosr_read(struct grosr_sys sys, int handle, void *to, uint64_t bytes)
{
    uint32_t at;

    if (sys.mailbox->ports && bytes > grosr_mailbox_piece(sys.mailbox, GROSR_PACKET_MAX) &&
        !grosr_mailbox_shares(sys.mailbox, to, bytes, &at))
        return grosr_read_long(sys, handle, to, bytes);
    return grosr_call_data(sys, dev_mask(), GROSR_SYS_READ, handle, NULL, to, bytes);
}

GROSR_DEVICE int64_t grosr_lseek(struct grosr_sys sys, int handle, int64_t offset, int whence)
{
    struct grosr_request r = grosr_request_of(sys, GROSR_SYS_LSEEK, handle, (uint64_t)offset);
    r.length = (uint32_t)whence;
    return grosr_call_plain(sys, dev_mask(), true, r);
}

GROSR_DEVICE int grosr_fstat(struct grosr_sys sys, int handle, struct grosr_stat *stat)
{
    int64_t n = grosr_call_data(sys, dev_mask(), GROSR_SYS_FSTAT, handle, NULL, stat, sizeof(*stat));
    return n < 0 ? (int)n : 0;
}

GROSR_DEVICE int grosr_ftruncate(struct grosr_sys sys, int handle, int64_t bytes)
{
    return (int)grosr_call_plain(sys, dev_mask(), true,
                                 grosr_request_of(sys, GROSR_SYS_FTRUNCATE, handle, (uint64_t)bytes));
}

GROSR_DEVICE int grosr_fsync(struct grosr_sys sys, int handle)
{
    return (int)grosr_call_plain(sys, dev_mask(), true, grosr_request_fsync(sys, handle));
}

/* The next entry of a directory, "." and ".." too: 1; 0 at its end. */
GROSR_DEVICE int grosr_readdir(struct grosr_sys sys, int handle, struct grosr_dirent *entry)
{
    int64_t n = grosr_call_data(sys, dev_mask(), GROSR_SYS_READDIR, handle, NULL, entry, sizeof(*entry));
    return n < 0 ? (int)n : n > 0;
}

/* Of clock CLOCK_REALTIME, CLOCK_MONOTONIC, ..., in nanoseconds. */
GROSR_DEVICE int64_t grosr_clock_gettime(struct grosr_sys sys, int clock)
{
    return grosr_call_plain(sys, dev_mask(), true, grosr_request_of(sys, GROSR_SYS_CLOCK_GETTIME, clock, 0));
}

GROSR_DEVICE int grosr_nanosleep(struct grosr_sys sys, uint64_t ns)
{
    return (int)grosr_call_plain(sys, dev_mask(), true, grosr_request_nanosleep(sys, ns));
}

GROSR_DEVICE int grosr_getpid(struct grosr_sys sys)
{
    return (int)grosr_call_plain(sys, dev_mask(), true, grosr_request_of(sys, GROSR_SYS_GETPID, 0, 0));
}

GROSR_DEVICE int grosr_noop(struct grosr_sys sys)
{
    return (int)grosr_call_plain(sys, dev_mask(), true, grosr_request_noop(sys));
}

/* ---- the log ---- */

/* Reserves a record; false: there is no room. One lane. */
GROSR_DEVICE bool grosr_log_reserve(const struct grosr_mailbox *m, uint64_t *position)
{
    struct grosr_log_state *s = m->log_state;
    uint64_t tail = dev_load_relaxed(&s->tail), taken = dev_load_relaxed(&s->seen_taken), seen;

    for (;;) {
        if (tail - taken >= GROSR_LOG_CAPACITY) {
            /* Acquire: the host has read the records before. Pairs with grosr_log_drain(). */
            taken = sys_load_acquire(&m->words->log_taken);
            dev_store_relaxed(&s->seen_taken, taken);
            tail = dev_load_relaxed(&s->tail);
            if (tail - taken >= GROSR_LOG_CAPACITY)
                return false;
        }
        seen = dev_cas_acquire(&s->tail, tail, tail + 1); /* before the stores of head in grosr_log_line() */
        if (seen == tail) {
            *position = tail;
            return true;
        }
        tail = seen;
    }
}

/* The format and the strings of its %s, into a record's text. How many bytes, or -EMSGSIZE. */
GROSR_DEVICE int grosr_log_text(char *text, uint32_t room, const char *format, uint32_t arguments,
                                const uint64_t *argument)
{
    uint32_t n = 0, which = 0;

    for (const char *f = format;; f++) {
        if (n == room)
            return -EMSGSIZE;
        text[n++] = *f;
        if (!*f)
            break;
    }
    for (const char *f = format; *f; f++) {
        if (*f != '%')
            continue;
        if (f[1] == '%') {
            f++;
            continue;
        }
        while (*++f &&
               !((*f >= 'a' && *f <= 'z' && *f != 'l' && *f != 'h' && *f != 'z' && *f != 'j' && *f != 't') ||
                 (*f >= 'A' && *f <= 'Z')))
            which += *f == '*';
        if (!*f)
            break;
        if (*f == 's' && which < arguments) {
            const char *string = (const char *)(uintptr_t)argument[which];
            do {
                if (n == room)
                    return -EMSGSIZE;
                text[n++] = string ? *string : 0;
            } while (string && *string++);
        }
        which++;
    }
    return (int)n;
}

/*
 * Logs a line: 0; -EAGAIN: there was no room, the line is not kept, is counted, and the next one that is kept
 * says how many are missing before it; -EMSGSIZE: it is too long. Never waits: a caller for whom no line may
 * be lost calls again until it has room.
 */
GROSR_DEVICE_COLD int grosr_log_line(struct grosr_sys sys, const char *format, uint32_t arguments,
                                     const uint64_t *argument)
{
    const struct grosr_mailbox *m = sys.mailbox;
    char text[sizeof(((struct grosr_log_record *)0)->text)];
    uint64_t position, words[2 + GROSR_LOG_ARGUMENTS];

    if (m->ports == 0)
        return -ENOSYS;
    int n = grosr_log_text(text, sizeof(text), format, arguments, argument);
    if (n < 0)
        return n;
    if (!grosr_log_reserve(m, &position)) {
        dev_add_relaxed(&m->log_state->missing, UINT64_C(1));
        return -EAGAIN;
    }
    struct grosr_log_record *record = &m->log[position % GROSR_LOG_CAPACITY];
    words[0] = dev_load_relaxed(&m->log_state->missing);
    words[1] = sys.who;
    for (uint32_t i = 0; i < GROSR_LOG_ARGUMENTS; i++)
        words[2 + i] = i < arguments ? argument[i] : 0;
    sys_copy_out(&record->missing, words, sizeof(words), 0, 1);
    sys_copy_out(record->text, text, (uint64_t)n, 0, 1);
    uint64_t lap = grosr_log_lap(position);
    /* Release: the record. Pairs with grosr_log_drain(). */
    sys_store_pair_release(&record->head, lap | (uint64_t)arguments << 48 | (uint64_t)n << 32,
                           lap | (dev_clock_ns() & GROSR_TIME_MASK));
    return 0;
}

GROSR_DEVICE int grosr_log_values(struct grosr_sys sys, const char *format, uint32_t arguments, uint64_t a,
                                  uint64_t b, uint64_t c, uint64_t d, uint64_t e, uint64_t f, uint64_t g,
                                  uint64_t h)
{
    uint64_t argument[GROSR_LOG_ARGUMENTS];

    argument[0] = a;
    argument[1] = b;
    argument[2] = c;
    argument[3] = d;
    argument[4] = e;
    argument[5] = f;
    argument[6] = g;
    argument[7] = h;
    return grosr_log_line(sys, format, arguments, argument);
}

/* An argument's 64 bits. */
GROSR_DEVICE uint64_t grosr_log_double(double x)
{
    uint64_t bits;
    memcpy(&bits, &x, sizeof(bits));
    return bits;
}

#ifdef __cplusplus

GROSR_DEVICE uint64_t grosr_log_value(double x)
{
    return grosr_log_double(x);
}

GROSR_DEVICE uint64_t grosr_log_value(float x)
{
    return grosr_log_double(x);
}

template <typename T> GROSR_DEVICE uint64_t grosr_log_value(T *x)
{
    return (uint64_t)(uintptr_t)x;
}

template <typename T> GROSR_DEVICE uint64_t grosr_log_value(T x)
{
    return (uint64_t)x;
}

GROSR_DEVICE int grosr_open(struct grosr_sys sys, const char *path, int flags, uint32_t mode = 0)
{
    return grosr_sys_open(sys, path, flags, mode);
}

GROSR_DEVICE int grosr_close(struct grosr_sys sys, int handle)
{
    return grosr_sys_close(sys, handle);
}

#else

GROSR_DEVICE uint64_t grosr_log_pointer(const void *x)
{
    return (uint64_t)(uintptr_t)x;
}

GROSR_DEVICE uint64_t grosr_log_integer(uint64_t x)
{
    return x;
}

#define grosr_log_value(x) \
    _Generic((x), double                        \
             : grosr_log_double, float          \
             : grosr_log_double, const char *   \
             : grosr_log_pointer, char *        \
             : grosr_log_pointer, const void *  \
             : grosr_log_pointer, void *        \
             : grosr_log_pointer, default       \
             : grosr_log_integer)(x)

/* Which of the two is meant, the number of arguments tells: the host API opens and closes runtimes. */
#define grosr_open(...) \
    GROSR_PICK_OPEN(__VA_ARGS__, grosr_sys_open, grosr_sys_open_existing, (grosr_open), )(__VA_ARGS__)
#define GROSR_PICK_OPEN(a, b, c, d, name, ...) name
#define grosr_close(...)                       GROSR_PICK_CLOSE(__VA_ARGS__, grosr_sys_close, (grosr_close), )(__VA_ARGS__)
#define GROSR_PICK_CLOSE(a, b, name, ...)      name

#endif

/*
 * grosr_log(sys, "worker %u: %s, %.3f ms", 3u, "done", 1.5): a line in the form of printf, with up to eight
 * arguments, which the host formats and writes. Conversions are those of printf without `n`; an integer has
 * 64 bits, whatever its length modifier.
 */
#define grosr_log(...)                                                                           \
    GROSR_PICK_LOG(__VA_ARGS__, GROSR_LOG_8, GROSR_LOG_7, GROSR_LOG_6, GROSR_LOG_5, GROSR_LOG_4, \
                   GROSR_LOG_3, GROSR_LOG_2, GROSR_LOG_1, GROSR_LOG_0, )                         \
    (__VA_ARGS__)
#define GROSR_PICK_LOG(sys, format, a, b, c, d, e, f, g, h, name, ...) name
#define GROSR_LOG_V(x)                                                 grosr_log_value(x)
#define GROSR_LOG_0(s, t)                                              grosr_log_values(s, t, 0, 0, 0, 0, 0, 0, 0, 0, 0)
#define GROSR_LOG_1(s, t, a)                                           grosr_log_values(s, t, 1, GROSR_LOG_V(a), 0, 0, 0, 0, 0, 0, 0)
#define GROSR_LOG_2(s, t, a, b)                                        grosr_log_values(s, t, 2, GROSR_LOG_V(a), GROSR_LOG_V(b), 0, 0, 0, 0, 0, 0)
#define GROSR_LOG_3(s, t, a, b, c) \
    grosr_log_values(s, t, 3, GROSR_LOG_V(a), GROSR_LOG_V(b), GROSR_LOG_V(c), 0, 0, 0, 0, 0)
#define GROSR_LOG_4(s, t, a, b, c, d) \
    grosr_log_values(s, t, 4, GROSR_LOG_V(a), GROSR_LOG_V(b), GROSR_LOG_V(c), GROSR_LOG_V(d), 0, 0, 0, 0)
#define GROSR_LOG_5(s, t, a, b, c, d, e)                                                      \
    grosr_log_values(s, t, 5, GROSR_LOG_V(a), GROSR_LOG_V(b), GROSR_LOG_V(c), GROSR_LOG_V(d), \
                     GROSR_LOG_V(e), 0, 0, 0)
#define GROSR_LOG_6(s, t, a, b, c, d, e, f)                                                   \
    grosr_log_values(s, t, 6, GROSR_LOG_V(a), GROSR_LOG_V(b), GROSR_LOG_V(c), GROSR_LOG_V(d), \
                     GROSR_LOG_V(e), GROSR_LOG_V(f), 0, 0)
#define GROSR_LOG_7(s, t, a, b, c, d, e, f, g)                                                \
    grosr_log_values(s, t, 7, GROSR_LOG_V(a), GROSR_LOG_V(b), GROSR_LOG_V(c), GROSR_LOG_V(d), \
                     GROSR_LOG_V(e), GROSR_LOG_V(f), GROSR_LOG_V(g), 0)
#define GROSR_LOG_8(s, t, a, b, c, d, e, f, g, h)                                             \
    grosr_log_values(s, t, 8, GROSR_LOG_V(a), GROSR_LOG_V(b), GROSR_LOG_V(c), GROSR_LOG_V(d), \
                     GROSR_LOG_V(e), GROSR_LOG_V(f), GROSR_LOG_V(g), GROSR_LOG_V(h))

#endif
