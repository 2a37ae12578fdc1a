/*
 * The mailbox: how warps of the device ask the host for system calls. Both sides include this header.
 *
 * A warp's lanes that call together send one packet, of up to GROSR_PACKET_MAX requests, through one port.
 * A port carries one packet at a time; packets are numbered for each port from 1 on (the sequence), and the
 * low 8 bits of the number, the lap, stand in both words of every pair that crosses PCIe:
 *
 *     port p of the table:
 *       doorbell[p]       one pair     device writes   lap:8 | count:8 | worker:16 | frame:24 | 0:8
 *                                                      lap:8 | 0:8 | time of issue, ns:48
 *       request[p][i]     two pairs    device writes   lap:8 | call:8 | flags:8 | handle:32 | 0:8
 *                                                      lap:8 | task, high 24:24 | length:32
 *                                                      lap:8 | argument, low 56
 *                                                      lap:8 | argument, high 8 | at:32 | task, low 16
 *       reply[p][i]       one pair     host writes     lap:8 | result, low 56
 *                                                      lap:8 | result, high 8 | 0:48
 *       resumed[p]        one pair     device writes   lap:8 | 0:56      the device has all replies of that
 *                                                      lap:8 | 0:8 | time, ns:48                     packet
 *     staging[p]          bytes        device writes before the doorbell, host before the reply
 *
 *     idle --device: claims the port--> claimed --device: requests, doorbell--> rung
 *       ^                                                                         |
 *       +--device: resumed, frees the port-- answered <--host: all replies--------+
 *
 * The rules. Across PCIe there are loads and stores only, and each word has one writer. Which warp owns a
 * port is decided by atomics in device memory alone: port[p] there holds sequence << 1 | claimed; whoever
 * sets the low bit owns the port until it stores the next sequence with the bit clear. The owner may send
 * several packets, one after the other.
 *
 * What makes a word valid. A doorbell, and request[p][0] and reply[p][0], are written by every packet, so
 * theirs is the current lap or the one before: a pair is there when both of its words have the lap. So a
 * packet of one request without data needs no fence on the device, which would cost as much as the crossing
 * (a host that sees the doorbell first comes again for the request). A packet of several requests, or with
 * data in the staging memory, rings the doorbell with release: whoever acquires the doorbell has them all.
 * Replies with data are stored with release, and polled with acquire. Of request[p][i] and reply[p][i] with
 * i > 0, which packets of fewer requests leave alone, laps could come round after 256 packets: the host
 * rewrites the replies' laps every GROSR_REFRESH packets, before it answers, and does not look at the
 * requests' laps behind a doorbell that released them.
 *
 * The host trusts nothing that the device wrote: it copies a request once, then checks it (proxy.c).
 *
 * Tasks that continue when a call is done (kernel/task.h): the doorbell names the frame that counts the call
 * as a child, and the host, after the reply, appends a pair to the ring of notices, which the service warp
 * reads. There are never more notices under way than ports, so the ring has room for all.
 *
 *     notice[n % capacity]   host writes     lap:8 | frame:24 | 0:32       lap: n / capacity + 1
 *                                            lap:8 | result, low 56
 *
 * The log is a ring of its own, since nobody waits for it: records of GROSR_LOG_BYTES, reserved by an atomic
 * in device memory, filled, and released by their first pair. `log_taken`, the host's, says how far it has
 * read. A line that finds no room is counted, and the next one that finds some says how many are missing
 * before it.
 */
#ifndef GROSR_MAILBOX_H
#define GROSR_MAILBOX_H

#include "../../tracer/session/event.h"

#define GROSR_PACKET_MAX        32u
#define GROSR_PROXIES_MAX       16u
#define GROSR_PORTS_PER_LINE    8u /* doorbells: line n of the ports is that of thread n % threads */
#define GROSR_MAILBOX_PORTS_MAX 1024u
#define GROSR_REFRESH           128u
#define GROSR_STAGING_MIN       16384u /* bytes a port; a multiple of GROSR_STAGING_STEP */
#define GROSR_STAGING_STEP      4096u
#define GROSR_STAGING_MAX       (64u << 20)
#define GROSR_NO_WORKER         0xffffu     /* the caller is not a worker's task */
#define GROSR_ROOT              (-1)        /* in place of a directory's handle: the root directory */
#define GROSR_PATH_BYTES        4096u       /* of a path, with its NUL */
#define GROSR_RW_MAX            0x7ffff000u /* bytes that one read or write moves, as on Linux */

enum grosr_syscall {
#define GROSR_SYSCALL(id, NAME, name, text) GROSR_SYS_##NAME = id,
#include "../../schema/events.def"
#undef GROSR_SYSCALL
};

/* Flags of a request. */
enum {
    GROSR_REQUEST_SHARED = 1, /* `at` counts from the start of the runtime's shared memory (grosr_shared()) */
    GROSR_REQUEST_MORE = 2,   /* of a write: the piece is kept until the last one has come */
    GROSR_REQUEST_LAST = 4,   /* of a write: the last piece; all are written at once */
    GROSR_REQUEST_FIRST = 8,  /* of a write: the first piece; what was kept before is forgotten */
};

struct grosr_request {
    uint32_t call; /* enum grosr_syscall; 0: none, the slot is not used */
    uint32_t flags;
    int32_t handle;
    uint32_t length; /* bytes at `at` */
    uint32_t at;     /* in the port's staging memory */
    uint64_t argument;
    uint64_t task; /* 40 bits, for the trace */
};

/* What a doorbell says. */
struct grosr_packet {
    uint32_t count, worker, frame;
    uint64_t issued_ns; /* low 48 bits */
};

/*
 * A handle, GROSR's own: never a descriptor of the host's. The generation differs for each opening, so that a
 * handle that was closed is refused.
 *
 *     31   30       29..........12 11.......0
 *     0    append   generation     index
 */
#define GROSR_HANDLE_INDEX_BITS 12
#define GROSR_HANDLE_APPEND     (1 << 30)
#define GROSR_HANDLES_MAX       (1u << GROSR_HANDLE_INDEX_BITS)

/* What grosr_fstat() fills. */
struct grosr_stat {
    uint64_t size, blocks; /* bytes; units of 512 bytes */
    uint64_t inode, links;
    uint64_t modified_ns, changed_ns; /* since 1970 */
    uint32_t mode;                    /* as st_mode */
    uint32_t block_bytes;
};

/* An entry of a directory. */
struct grosr_dirent {
    uint64_t inode;
    uint32_t type; /* as d_type */
    char name[256];
    uint32_t unused;
};

/*
 * In front of the table; written by the host. The counters are added to by the host's threads alone, with
 * atomics among themselves. A latency is from a packet's issue to its resumption, on the device's clock;
 * those of 2^k * (4 + j) / 4 ns and more are counted in latency[4 * k + j].
 */
#define GROSR_LATENCIES 160u

struct grosr_mailbox_words {
    alignas(128) sys32 closed;    /* 1: nobody answers any more, every call ends with -EIO */
    sys32 stopping;               /* 1: the runtime stops; who waits for a port gives up after a while */
    sys64 log_taken;              /* log records read */
    alignas(128) dev64 completed; /* requests answered */
    dev64 failed;                 /* of these, with an errno */
    dev64 refused;                /* of these, requests that no correct caller makes */
    dev64 read_bytes, written_bytes;
    dev64 handles;              /* open now */
    dev64 lines, missing_lines; /* of the log: written, and reported as missing */
    alignas(128) dev64 latency[GROSR_LATENCIES];
    /* When each of the proxy's threads last looked for calls, CLOCK_MONOTONIC; 0: there is no such thread. A
     * line of ports is looked at by one of them (GROSR_PORTS_PER_LINE). */
    alignas(128) sys64 looked_ns[GROSR_PROXIES_MAX];
};

#define GROSR_LOG_BYTES     512u
#define GROSR_LOG_CAPACITY  1024u /* records */
#define GROSR_LOG_ARGUMENTS 8u

/* A log record's first pair: lap:8 | arguments:8 | text bytes:16 | 0:32, and lap:8 | time:48; the lap is that
 * of the ring, position / capacity + 1. */
struct grosr_log_record {
    sys128 head;
    uint64_t missing; /* lines that found no room, ever, when this one was kept */
    uint64_t worker;
    uint64_t argument[GROSR_LOG_ARGUMENTS];
    char text[GROSR_LOG_BYTES - 96]; /* the format, NUL, and the strings of its %s, each with its NUL */
};

/* Device memory, zero at first. */
struct grosr_log_state {
    dev64 tail;       /* records reserved */
    dev64 seen_taken; /* log_taken as a lane last saw it */
    dev64 missing;    /* lines that found no room */
};

/* The mailbox as one side sees it: the pointers are valid there. */
struct grosr_mailbox {
    struct grosr_mailbox_words *words;
    sys128 *doorbell, *resumed;   /* [ports] */
    sys128 *request;              /* [ports][GROSR_PACKET_MAX][2] */
    sys128 *reply;                /* [ports][GROSR_PACKET_MAX] */
    sys128 *notice;               /* [1 << notices_log2] */
    struct grosr_log_record *log; /* [GROSR_LOG_CAPACITY] */
    unsigned char *staging;       /* [ports][staging_bytes] */
    unsigned char *shared;        /* the runtime's shared memory */
    uint64_t shared_bytes;        /* 0: there is none, or it is too large for `at` */
    uint32_t ports;               /* 0: the runtime has no system calls */
    uint32_t staging_bytes;       /* of a port */
    uint32_t notices_log2;
    /* Device memory; NULL on the host. */
    dev64 *port; /* [ports]: sequence << 1 | claimed */
    struct grosr_log_state *log_state;
};

static_assert(sizeof(struct grosr_log_record) == GROSR_LOG_BYTES, "a log record has no holes");
static_assert(sizeof(struct grosr_dirent) == 272 && sizeof(struct grosr_stat) == 56, "both sides agree");
static_assert(sizeof(struct grosr_dirent) <= GROSR_STAGING_MIN / GROSR_PACKET_MAX &&
                  2 * GROSR_PATH_BYTES <= GROSR_STAGING_MIN,
              "an entry fits into a lane's part of the staging memory, two paths into a port's");

/* ---- the table: a part of the session's segment ---- */

/* Bytes that it takes: the words, doorbells, resumed, replies, requests. */
GROSR_DEVICE uint64_t grosr_mailbox_table_bytes(uint32_t ports)
{
    return sizeof(struct grosr_mailbox_words) +
           (uint64_t)ports * sizeof(sys128) * (2 + GROSR_PACKET_MAX + 2 * GROSR_PACKET_MAX);
}

/* Sets the pointers into the table that is at `base`. */
GROSR_DEVICE void grosr_mailbox_place(struct grosr_mailbox *m, unsigned char *base, uint32_t ports)
{
    m->ports = ports;
    m->words = (struct grosr_mailbox_words *)(void *)base;
    m->doorbell = (sys128 *)(void *)(base + sizeof(struct grosr_mailbox_words));
    m->resumed = m->doorbell + ports;
    m->reply = m->resumed + ports;
    m->request = m->reply + (size_t)ports * GROSR_PACKET_MAX;
}

GROSR_DEVICE sys128 *grosr_mailbox_request(const struct grosr_mailbox *m, uint32_t port, uint32_t i)
{
    return m->request + ((size_t)port * GROSR_PACKET_MAX + i) * 2;
}

GROSR_DEVICE sys128 *grosr_mailbox_reply(const struct grosr_mailbox *m, uint32_t port, uint32_t i)
{
    return m->reply + (size_t)port * GROSR_PACKET_MAX + i;
}

GROSR_DEVICE unsigned char *grosr_mailbox_staging(const struct grosr_mailbox *m, uint32_t port)
{
    return m->staging + (size_t)port * m->staging_bytes;
}

/* ---- pairs ---- */

#define GROSR_LOW_56 ((UINT64_C(1) << 56) - 1)

/* The lap of a packet, shifted into its place. */
GROSR_DEVICE uint64_t grosr_packet_lap(uint64_t sequence)
{
    return sequence << GROSR_LAP_SHIFT;
}

GROSR_DEVICE bool grosr_pair_has_lap(struct grosr_pair x, uint64_t lap)
{
    return (((x.lo ^ lap) | (x.hi ^ lap)) >> GROSR_LAP_SHIFT) == 0;
}

GROSR_DEVICE struct grosr_pair grosr_doorbell_pack(uint64_t lap, struct grosr_packet p)
{
    struct grosr_pair x;
    x.lo = lap | (uint64_t)p.count << 48 | (uint64_t)(p.worker & 0xffffu) << 32 | (uint64_t)p.frame << 8;
    x.hi = lap | (p.issued_ns & GROSR_TIME_MASK);
    return x;
}

GROSR_DEVICE struct grosr_packet grosr_doorbell_unpack(struct grosr_pair x)
{
    struct grosr_packet p;
    p.count = (uint32_t)(x.lo >> 48) & 0xffu;
    p.worker = (uint32_t)(x.lo >> 32) & 0xffffu;
    p.frame = (uint32_t)(x.lo >> 8) & 0xffffffu;
    p.issued_ns = x.hi & GROSR_TIME_MASK;
    return p;
}

/* The two pairs of a request. */
struct grosr_request_pairs {
    struct grosr_pair first, second;
};

GROSR_DEVICE struct grosr_request_pairs grosr_request_pack(uint64_t lap, struct grosr_request r)
{
    struct grosr_request_pairs x;
    x.first.lo = lap | (uint64_t)(r.call & 0xffu) << 48 | (uint64_t)(r.flags & 0xffu) << 40 |
                 (uint64_t)(uint32_t)r.handle << 8;
    x.first.hi = lap | (r.task >> 16 & 0xffffffu) << 32 | r.length;
    x.second.lo = lap | (r.argument & GROSR_LOW_56);
    x.second.hi = lap | r.argument >> 56 << 48 | (uint64_t)r.at << 16 | (r.task & 0xffffu);
    return x;
}

GROSR_DEVICE struct grosr_request grosr_request_unpack(struct grosr_request_pairs x)
{
    struct grosr_request r;
    r.call = (uint32_t)(x.first.lo >> 48) & 0xffu;
    r.flags = (uint32_t)(x.first.lo >> 40) & 0xffu;
    r.handle = (int32_t)(uint32_t)(x.first.lo >> 8);
    r.length = (uint32_t)x.first.hi;
    r.at = (uint32_t)(x.second.hi >> 16);
    r.argument = (x.second.lo & GROSR_LOW_56) | (x.second.hi >> 48 & 0xffu) << 56;
    r.task = (x.first.hi >> 32 & 0xffffffu) << 16 | (x.second.hi & 0xffffu);
    return r;
}

GROSR_DEVICE struct grosr_pair grosr_reply_pack(uint64_t lap, int64_t result)
{
    struct grosr_pair x;
    x.lo = lap | ((uint64_t)result & GROSR_LOW_56);
    x.hi = lap | (uint64_t)result >> 56 << 48;
    return x;
}

GROSR_DEVICE int64_t grosr_reply_unpack(struct grosr_pair x)
{
    return (int64_t)((x.lo & GROSR_LOW_56) | (x.hi >> 48 & 0xffu) << 56);
}

/* The lap of notice n, shifted. */
GROSR_DEVICE uint64_t grosr_notice_lap(const struct grosr_mailbox *m, uint64_t n)
{
    return ((n >> m->notices_log2) + 1) << GROSR_LAP_SHIFT;
}

/* The lap of log record n, shifted. */
GROSR_DEVICE uint64_t grosr_log_lap(uint64_t n)
{
    return (n / GROSR_LOG_CAPACITY + 1) << GROSR_LAP_SHIFT;
}

/* ---- the host's side of a port ---- */

/* Whether packet `sequence` has been rung; what it is. */
GROSR_DEVICE bool grosr_port_rung(const struct grosr_mailbox *m, uint32_t port, uint64_t sequence,
                                  struct grosr_packet *packet)
{
    /* Pairs with grosr_packet_post(): several requests, and what is in the staging memory. */
    struct grosr_pair x = sys_load_pair_acquire(&m->doorbell[port]);

    if (!grosr_pair_has_lap(x, grosr_packet_lap(sequence)))
        return false;
    *packet = grosr_doorbell_unpack(x);
    return true;
}

/* Reads request i of a packet that has been rung. False: it is on its way. */
GROSR_DEVICE bool grosr_port_request(const struct grosr_mailbox *m, uint32_t port, uint64_t sequence,
                                     uint32_t i, struct grosr_request *request)
{
    const sys128 *at = grosr_mailbox_request(m, port, i);
    uint64_t lap = grosr_packet_lap(sequence);
    struct grosr_request_pairs x;

    x.first = sys_load_pair_relaxed(at);
    x.second = sys_load_pair_relaxed(at + 1);
    if (i == 0 && !(grosr_pair_has_lap(x.first, lap) && grosr_pair_has_lap(x.second, lap)))
        return false;
    *request = grosr_request_unpack(x);
    return true;
}

/* Answers request i. The port may be the device's again at once if it was the last. */
GROSR_DEVICE void grosr_port_reply(const struct grosr_mailbox *m, uint32_t port, uint64_t sequence,
                                   uint32_t i, int64_t result)
{
    struct grosr_pair x = grosr_reply_pack(grosr_packet_lap(sequence), result);

    /* Release: what the call put into the staging or the shared memory. Pairs with grosr_packet_poll(). */
    sys_store_pair_release(grosr_mailbox_reply(m, port, i), x.lo, x.hi);
}

/* Before the first reply to every GROSR_REFRESH-th packet: the replies that it does not use get the lap
 * before its own, lest one from 256 packets ago looks like a new one. */
GROSR_DEVICE void grosr_port_refresh(const struct grosr_mailbox *m, uint32_t port, uint64_t sequence)
{
    struct grosr_pair x = grosr_reply_pack(grosr_packet_lap(sequence - 1), 0);

    for (uint32_t i = 0; sequence % GROSR_REFRESH == 0 && i < GROSR_PACKET_MAX; i++)
        sys_store_pair_relaxed(grosr_mailbox_reply(m, port, i), x.lo, x.hi);
}

/* The low 48 bits of the time when the device had all replies of packet `sequence`; false: it has not. */
GROSR_DEVICE bool grosr_port_resumed(const struct grosr_mailbox *m, uint32_t port, uint64_t sequence,
                                     uint64_t *time_ns)
{
    struct grosr_pair x = sys_load_pair_relaxed(&m->resumed[port]);

    *time_ns = x.hi & GROSR_TIME_MASK;
    return grosr_pair_has_lap(x, grosr_packet_lap(sequence));
}

#endif
