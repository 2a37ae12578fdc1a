/*
 * The warp's side of the mailbox (mailbox.h): claiming a port, sending a packet, waiting for its replies; and
 * calls with data, in as many packets as they need. Device code; syscall_device.h makes the calls of it.
 *
 * Groups. The lanes that call together are a group, which is known once and kept to (port/device.h): each of
 * them goes through every step here, whether or not it has a request, until the last collective of the group.
 * The first lane of the group is the one that claims the port, rings and frees it.
 *
 * What is where. A call's state is in its lane's memory (struct grosr_exchange), and the whole exchange is
 * one function that is not inlined: the registers of a persistent kernel are its scheduler's.
 */
#ifndef GROSR_EXCHANGE_H
#define GROSR_EXCHANGE_H

#include "mailbox.h"

#include "../../tracer/session/lane_wait.h"

#include <errno.h>

/* Who calls: the mailbox, and worker:16 << 40 | task:40 for the trace. Passed by value. */
struct grosr_sys {
    const struct grosr_mailbox *mailbox;
    uint64_t who;
    struct grosr_lane_site *lanes; /* where waits are recorded; NULL: nowhere */
};

/* For a kernel that is not the runtime's, whose argument is the mailbox (grosr_mailbox()). */
GROSR_DEVICE struct grosr_sys grosr_sys_of(const struct grosr_mailbox *mailbox)
{
    struct grosr_sys sys;
    sys.mailbox = mailbox;
    sys.who = (uint64_t)GROSR_NO_WORKER << GROSR_TASK_ID_BITS;
    sys.lanes = NULL;
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

/* How long a call still waits for a port when the runtime stops: the calls under way are answered. */
#define GROSR_PORT_STOPPING_NS 100000000u

/*
 * Ports that asynchronous calls leave alone: an eighth, one at least. Their ports come free when somebody
 * waits for the call, who may himself wait for a warp that is in a call: that one must find a port.
 */
GROSR_DEVICE uint32_t grosr_mailbox_reserved(const struct grosr_mailbox *m)
{
    return m->ports / 8 ? m->ports / 8 : 1;
}

/*
 * Claims a port; `keeps`: for an asynchronous call; `data`: its staging memory will be used. *sequence is
 * that of its last packet. -EAGAIN: none is free, and the caller does not wait; -ENOSYS; -EIO. One lane.
 */
GROSR_DEVICE int grosr_port_claim(struct grosr_sys sys, bool wait, bool keeps, bool data, uint64_t *sequence)
{
    const struct grosr_mailbox *m = sys.mailbox;
    uint32_t near = (uint32_t)(sys.who >> GROSR_TASK_ID_BITS), step = 0;
    struct grosr_lane_wait waits;
    uint64_t stopping_ns = 0;

    grosr_lane_wait_init(&waits, sys.lanes, grosr_payload_wait(GROSR_RES_SYSCALL_PORT, 0));
    if (m->ports == 0)
        return -ENOSYS;
    near = (near == GROSR_NO_WORKER ? dev_sm() : near) + 7 * dev_lane();
    uint32_t first = keeps ? grosr_mailbox_reserved(m) : 0, count = m->ports - first;
    for (;;) {
        for (uint32_t i = 0; i < count; i++) {
            uint32_t port = first + (near + i) % count;
            /* Acquire: the owner before has read the staging memory. Pairs with grosr_port_free(). What is
             * written of a packet without data depends on this word, and an acquire would empty the L1, in
             * which the mailbox's description is. */
            uint64_t word = data ? dev_or_acquire(&m->port[port], UINT64_C(1))
                                 : dev_or_dependent(&m->port[port], UINT64_C(1));
            dev_point("port.claimed");
            if (!(word & 1)) {
                *sequence = word >> 1;
                grosr_lane_wait_end(&waits);
                return (int)port;
            }
        }
        if (!wait)
            return -EAGAIN;
        if (dev_backoff_is_deep(step) && sys_load_relaxed(&m->words->closed))
            return -EIO;
        if (dev_backoff_is_deep(step) && sys_load_relaxed(&m->words->stopping)) {
            stopping_ns = stopping_ns ? stopping_ns : dev_clock_ns();
            if (dev_clock_ns() - stopping_ns > GROSR_PORT_STOPPING_NS)
                return -EIO;
        }
        grosr_lane_wait_lasts(&waits, dev_backoff_is_deep(step));
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
 * more, and the result of those that have none is -EIO. The first lane records the wait if it lasts, and,
 * with `holds`, that it has the port until then. A collective of the group. */
GROSR_DEVICE int64_t grosr_packet_wait(struct grosr_sys sys, uint32_t mask, uint32_t port, uint64_t sequence,
                                       bool used, uint32_t slot, bool data, bool holds, bool *closed)
{
    const struct grosr_mailbox *m = sys.mailbox;
    uint64_t held = grosr_payload_wait(GROSR_RES_SYSCALL_PORT, port);
    bool leads = dev_lane() == dev_ffs32(mask) - 1, noted = false;
    struct grosr_lane_wait waits;
    int64_t result = 0;
    uint32_t step = 0;

    grosr_lane_wait_init(&waits, leads ? sys.lanes : NULL, grosr_payload_wait(GROSR_RES_SYSCALL_REPLY, port));
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
        if (dev_mask_ballot(mask, used)) {
            if (grosr_lane_wait_lasts(&waits, dev_backoff_is_deep(step)) && holds) {
                grosr_lane_hold(sys.lanes, held);
                noted = true;
            }
            dev_backoff(&step);
        }
    }
    if (!*closed) {
        grosr_lane_wait_end(&waits);
        if (noted)
            grosr_lane_release(sys.lanes, held);
    }
    if (data) /* which lanes that have not waited help to copy */
        dev_mask_sync(mask);
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
        port = grosr_port_claim(sys, true, false, false, &sequence);
    port = (int)dev_mask_shfl64(mask, (uint64_t)(int64_t)port, leader);
    sequence = dev_mask_shfl64(mask, sequence, leader) + 1;
    if (port < 0)
        return port;
    grosr_packet_post(sys, mask, (uint32_t)port, sequence, has, slot, dev_popc32(callers), request, 0, false);
    int64_t result = grosr_packet_wait(sys, mask, (uint32_t)port, sequence, has, slot, false, true, &closed);
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
        port = grosr_port_claim(x->sys, !x->nowait, x->begins, true, &sequence);
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
    int64_t answer = grosr_packet_wait(x->sys, x->mask, (uint32_t)x->port, x->sequence, x->has, x->slot, true,
                                       !x->ends, &closed);
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

#endif
