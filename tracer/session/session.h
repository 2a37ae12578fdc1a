/*
 * The session: one POSIX shared-memory segment, /dev/shm/grosr.PID.INDEX (mode 0600), for each runtime or
 * instrumented kernel of a process, and one for what a traced process tells of itself (its device is
 * "process": it has no workers, but streams). The device writes straight into it; it is the live view, the
 * collector's input, and what is left after a crash.
 *
 *     offset 0   struct grosr_session_header
 *     names_at      struct grosr_name[names]            what task functions, queues, ranges, ... are called
 *     workers_at    struct grosr_worker_entry[workers]  one a persistent warp
 *     waits_at      struct grosr_wait_entry[workers]    what a worker's bounded wait is for (wait_facts.h)
 *     rings_at      struct grosr_ring[rings]            ring directory; the last ring is the host's
 *     queues_at     struct grosr_queue_entry[queues]
 *     snapshots_at  struct grosr_snapshot[snapshots]    clock calibration, a ring of its own
 *     streams_at    struct grosr_stream[streams]        records of varying length (stream.h)
 *     heaps_at      struct grosr_heap_entry[heaps]      a GPU memory allocator's counters (heap_counters.h)
 *     outstanding_at, ...                               what a traced process is in (outstanding.h)
 *     mailbox_at    the table of system calls' ports (runtime/syscall/mailbox.h), of its own writers
 *     (by the entries' own offsets)  queue ports, queue chunk times, event slots, stream bytes
 *
 * Everything is an offset from the segment's start. A reader never trusts a segment: grosr_session_open()
 * checks every offset and count once against the segment's size and keeps its own copies of them.
 *
 * Who writes: each word has one writer, named beside it. Words that change while the kernel runs are sys
 * words; the rest is written before the segment gets its magic (last, with release) and constant from then
 * on.
 */
#ifndef GROSR_SESSION_H
#define GROSR_SESSION_H

#include "event.h"
#include "gpu.h"

#define GROSR_SESSION_MAGIC UINT64_C(0x00524753534f5247) /* "GROSSGR\0" in memory */
#define GROSR_SESSION_ABI   7u

#define GROSR_PROXY_THREAD "grosr-proxy" /* the name of the threads that answer system calls */
#define GROSR_MAX_WORKERS  4096u         /* a spawned task's number names its spawner in 12 bits */
#define GROSR_RING_MIN     8u
#define GROSR_RING_MAX     (1u << 20)
#define GROSR_NAME_BYTES   48u
#define GROSR_UNIT_BYTES   8u
#define GROSR_NAMES_MAX    65536u /* of GROSR_NAME_USER: an event has 16 bits for one */
#define GROSR_SNAPSHOTS    4096u
#define GROSR_STREAMS_MAX  64u
#define GROSR_HEAPS_MAX    16u
#define GROSR_QUEUES_MAX   1024u
#define GROSR_TABLE_MAX    (1u << 18) /* entries of the name table: of functions, queues and a program's own */

/* What happens to an event that finds its ring full. */
enum grosr_overflow {
    GROSR_OVERFLOW_AUTO,      /* drop while a collector is attached, overwrite otherwise */
    GROSR_OVERFLOW_DROP,      /* the event is counted and dropped; a LOST record marks the place */
    GROSR_OVERFLOW_OVERWRITE, /* the oldest record goes: a flight recorder */
    GROSR_OVERFLOW_BLOCK,     /* the writer waits for the collector; without one, as drop */
};

enum grosr_session_state {
    GROSR_SESSION_OPEN = 1, /* the device is or will be running */
    GROSR_SESSION_CLOSED,   /* the last event has been written */
};

enum grosr_name_space {
    GROSR_NAME_FUNCTION = 1,
    GROSR_NAME_QUEUE,
    GROSR_NAME_USER, /* of a program's ranges, instants, counters and resources (grosr_trace.h) */
};

/*
 * Entries are used from the first on. The process may add to them while readers look: `space` comes last,
 * with release.
 */
struct grosr_name {
    sys32 space; /* enum grosr_name_space; 0: unused, and so are all behind it */
    uint32_t id;
    char text[GROSR_NAME_BYTES]; /* NUL-terminated */
    char unit[GROSR_UNIT_BYTES]; /* of a counter's values, NUL-terminated; "": none */
};

struct grosr_session_header {
    uint64_t magic;
    uint32_t abi;
    uint32_t header_bytes;
    uint64_t segment_bytes;
    uint32_t pid;
    uint32_t index;         /* which of the process's sessions */
    uint64_t pid_start;     /* field 22 of /proc/PID/stat: tells a reused pid */
    uint64_t start_mono_ns; /* CLOCK_MONOTONIC at creation: 0 on the trace's timeline */
    uint64_t start_real_ns; /* CLOCK_REALTIME at the same instant */
    char device[16];        /* "cuda", "host" or "process" */
    char device_name[64];
    char program[64];     /* what runs: the workload's or the program's name */
    struct grosr_gpu gpu; /* of the device "cuda"; else zero */
    uint32_t sms;
    uint32_t max_warps_per_sm;
    uint32_t lanes;
    uint32_t device_clock_is_host; /* 1: device time is CLOCK_MONOTONIC, no calibration needed */
    uint32_t overflow_requested;   /* enum grosr_overflow */
    uint32_t names, workers, rings, queues, snapshots;
    uint64_t names_at, workers_at, rings_at, queues_at, snapshots_at;
    uint64_t streams_at;
    uint32_t streams;
    uint32_t heaps;
    uint64_t heaps_at;
    uint32_t mailbox_ports; /* 0: the runtime has no system calls */
    uint64_t mailbox_at, mailbox_bytes;
    uint64_t waits_at;

    /* What a traced process is in (outstanding.h); none of it in other sessions. */
    uint32_t call_slots, launch_slots, cuda_streams;
    uint64_t outstanding_at, call_slots_at, launch_slots_at, cuda_streams_at;
    uint64_t texts_at, text_bytes;

    /* Control, written by the process and by tools (level), read by the device's service warp in one load. */
    alignas(128) sys32 stop; /* 1: workers finish the tasks in hand and return */
    sys32 level;             /* enum grosr_level */
    sys64 ping;              /* clock calibration request number */

    /* Of bounded waits of instrumented kernels (grosr_trace.h): written by the process. */
    sys64 wait_report_ns; /* after which a wait is reported */
    sys64 wait_timeout;   /* ns << GROSR_WAIT_ACTION_BITS | enum grosr_wait_action */

    /* Written by the device's service warp. */
    alignas(128) sys128 pong; /* lo: lap | device time, low 56 bits; hi: lap | the ping's number */
    sys64 device_epoch_ns;    /* the device clock when the kernel began, all 64 bits; 0: not begun */

    /* Written by the process. */
    alignas(128) sys32 state; /* enum grosr_session_state */
    sys64 snapshots_taken;    /* snapshots written so far; number n is at n % snapshots */
    sys64 heartbeat_ns; /* CLOCK_MONOTONIC when the housekeeper last ran: about when a killed one died */
    sys64 stopped_ns;   /* CLOCK_MONOTONIC when `stop` was first asked for, a traced CUDA program began to end
                           in order, or a session was closed whose kernel ran on; 0: it was not */

    /* Written by the collector; cleared by the process when it finds the collector dead. */
    alignas(128) sys32 collector_pid; /* 0: none attached */
    sys32 overflow;                   /* enum grosr_overflow in force: DROP, OVERWRITE or BLOCK */
};

struct grosr_worker_entry {
    /* Written by the worker, at level COUNTERS and above. */
    alignas(128) sys128 state; /* the latest event that changed the worker's state; lap: a sequence number */
    sys128 counts;             /* lo: tasks run; hi: ns spent in tasks */
    sys128 spawns;             /* lo: tasks spawned; hi: of its tasks, those given to the shared rings */
    sys32 sm;                  /* the SM it runs on + 1; 0: has not started */
};

enum grosr_wait_kind {
    GROSR_WAIT_WORD = 1,
    GROSR_WAIT_LOCK,     /* struct grosr_lock */
    GROSR_WAIT_MBARRIER, /* a phase of a barrier in shared memory */
    GROSR_WAIT_BARRIER,  /* struct grosr_barrier */
};

/* What a word has to be; all are unsigned comparisons. */
enum grosr_wait_until {
    GROSR_EQUAL = 1,
    GROSR_NOT_EQUAL,
    GROSR_AT_LEAST,
};

/* What becomes of a wait when its time is over. */
enum grosr_wait_action {
    GROSR_WAIT_CONTINUE,
    GROSR_WAIT_FAIL, /* it returns GROSR_WAIT_TIMED_OUT */
    GROSR_WAIT_TRAP, /* the kernel ends with an error; the host device's process is aborted */
};

#define GROSR_WAIT_ACTION_BITS 2

/*
 * What a worker waits for, once a bounded wait of it has been reported. It belongs to the state word whose
 * time and index it repeats, so that nothing has to be cleared when the wait ends.
 *
 *     stated    63..60   59..56   55..48   47..0
 *               flags    until    kind     time in the state word
 *     resource  63..48       47..0
 *               holder + 1   index in the state word: name << 32 | which
 */
struct grosr_wait_entry {
    /* Written by the worker. */
    alignas(64) sys64 sequence; /* odd: the rest is being replaced; 0: there is nothing yet */
    sys64 stated, resource;
    sys64 address; /* of the word, lock or barrier; in shared memory: the offset in it */
    sys64 wanted;  /* of a barrier: arrivals expected; of an mbarrier: the phase's parity */
    sys64 seen;    /* the word, the lock's word, the arrivals; of an mbarrier: nothing */
    sys64 since;   /* device time when the wait began */
    sys64 updated; /* device time of `seen` */
};

#define GROSR_WAIT_KIND_SHIFT   48
#define GROSR_WAIT_UNTIL_SHIFT  56
#define GROSR_WAIT_WIDE         (UINT64_C(1) << 60) /* a word of 64 bits */
#define GROSR_WAIT_SYSTEM       (UINT64_C(1) << 61) /* in memory that the CPU shares */
#define GROSR_WAIT_HOLDER_SHIFT 48

/* The word of a struct grosr_lock: 0 while it is free, else its holder and the device time since when. */
#define GROSR_LOCK_HOLDER_SHIFT 48
#define GROSR_LOCK_UNKNOWN      0xffffu /* in the place of a holder's number + 1: one that is not recorded */

struct grosr_ring {
    /* Constant. */
    alignas(128) uint64_t slots_at; /* sys128[capacity + 1]; the last is the dropping writer's scratch */
    uint32_t capacity;              /* events */
    uint32_t worker;                /* owner; GROSR_RING_HOST for the host's ring */

    /* Written by the ring's writer. Positions count slots ever written, loss markers included. */
    alignas(64) sys64 checked_to; /* position at the last look at the reader: a lower bound */
    sys64 dropped;                /* events dropped, exact at any time */
    sys64 markers;                /* LOST records written */
    sys64 closed_at;              /* final position + 1, once the writer has stopped; 0 before */

    /* Written by the collector. */
    alignas(64) sys64 read_to; /* position up to which slots may be reused */
    sys64 overwritten;         /* records lost to overwriting before they were read */
    sys64 read;                /* events read, LOST markers not counted */
};

#define GROSR_RING_HOST UINT32_MAX

struct grosr_queue_port {
    alignas(64) sys64 taken; /* tasks taken through this port; written by the service warp, a moment late */
};

struct grosr_queue_entry {
    /* Constant. */
    alignas(128) uint64_t ports_at; /* struct grosr_queue_port[ports] */
    uint64_t chunk_times_at; /* sys64[chunks]: CLOCK_MONOTONIC ns when a chunk's first task was published */
    uint32_t capacity;       /* tasks */
    uint32_t ports;
    uint32_t chunk;  /* consecutive tasks that go to one port: task t to port t / chunk % ports */
    uint32_t chunks; /* chunk c's time is at c % chunks */

    /* Written by the process. */
    alignas(64) sys64 enqueued; /* tasks published, ever */
    sys64 completed;            /* tasks whose result has been handed over, in order */
    sys64 max_depth;
};

struct grosr_stream {
    /* Constant. */
    alignas(128) uint64_t bytes_at;
    uint64_t capacity; /* bytes, a power of two */

    /* Written by the process. Positions count bytes ever written. */
    alignas(64) sys64 written_to; /* whole records up to here can be read */
    sys64 written;                /* records there was room for */
    sys64 dropped;                /* records there was none for */

    /* Written by the collector. */
    alignas(64) sys64 read_to; /* bytes up to here may be reused */
    sys64 read;                /* records */
};

struct grosr_snapshot {
    sys64 host_before_ns, host_after_ns; /* CLOCK_MONOTONIC around the round trip */
    sys64 device_ns;                     /* the device clock at some instant between them */
    sys64 unused;
};

static_assert(sizeof(struct grosr_session_header) % 128 == 0, "header ends on a line");
static_assert(sizeof(struct grosr_name) == 64, "half a line");
static_assert(sizeof(struct grosr_worker_entry) == 128, "one worker, one line");
static_assert(sizeof(struct grosr_wait_entry) == 64, "half a line");
static_assert(GROSR_MAX_WORKERS < GROSR_LOCK_UNKNOWN, "a worker's number + 1 has 16 bits");
static_assert(GROSR_MAX_WORKERS <= 1u << GROSR_TASK_SPAWNER_BITS, "every worker may spawn");
static_assert(sizeof(struct grosr_ring) == 256, "constant, writer's and reader's parts");
static_assert(sizeof(struct grosr_queue_entry) == 128, "constant and host's parts");
static_assert(sizeof(struct grosr_snapshot) == 32, "snapshot");
static_assert(sizeof(struct grosr_stream) == 256, "constant, writer's and reader's parts");
static_assert(offsetof(struct grosr_session_header, ping) % 16 == 8, "control is one 16-byte load");

/* The segment as device code sees it: pointers valid on the device. */
struct grosr_trace {
    struct grosr_session_header *header;
    struct grosr_worker_entry *workers;
    struct grosr_ring *rings;
    struct grosr_queue_entry *queues;
    unsigned char *base;
};

/* ---- host side ---- */

#ifdef __cplusplus
extern "C" {
#endif

/* The constant part of a ring's and a queue's entry. */
struct grosr_ring_layout {
    uint64_t slots_at;
    uint32_t capacity, worker;
};

struct grosr_queue_layout {
    uint64_t ports_at, chunk_times_at;
    uint32_t capacity, ports, chunk, chunks;
};

struct grosr_stream_layout {
    uint64_t bytes_at, capacity;
};

struct grosr_session {
    unsigned char *base; /* the mapping */
    size_t bytes;
    bool owner; /* created it, and unlinks it */
    bool copy;  /* a copy of a segment: its process counts as dead, and nothing written here reaches it */
    char name[64];
    uint32_t awaited; /* the collector that its owner waited for in vain; 0: none */
    sys32 truncated;  /* the segment has shrunk under its mapping (grosr_session_guard()) */

    /* Copies of everything constant, made and checked once: the segment may change under us, these do not. */
    struct grosr_session_header header;
    struct grosr_ring_layout *ring;     /* header.rings */
    struct grosr_queue_layout *queue;   /* header.queues */
    struct grosr_stream_layout *stream; /* header.streams */
};

struct grosr_session_queue_options {
    const char *name;
    uint32_t capacity, ports, chunk;
};

struct grosr_session_options {
    const char *device, *device_name, *program;
    const struct grosr_gpu *gpu; /* NULL: the device is none */
    uint32_t sms, max_warps_per_sm, lanes;
    bool device_clock_is_host;
    uint32_t workers;          /* 0: a session of streams alone */
    uint32_t ring_events;      /* events in a worker's ring */
    uint32_t host_ring_events; /* events in the host's ring */
    enum grosr_overflow overflow;
    enum grosr_level level;
    const char *const *functions; /* names of task functions, by id; NULL entries are skipped */
    uint32_t function_count;
    const struct grosr_session_queue_options *queues;
    uint32_t queue_count;
    uint32_t names;        /* room for so many names that come later */
    uint32_t streams;      /* at most GROSR_STREAMS_MAX */
    uint64_t stream_bytes; /* of each; a power of two, at least 4096 */
    uint32_t heaps;        /* whose counters are published here; at most GROSR_HEAPS_MAX */

    /* Of the tables of outstanding.h; launch_slots a power of two, or 0 as all of them. */
    uint32_t call_slots, launch_slots, cuda_streams;
    uint64_t text_bytes;
    uint32_t mailbox_ports;
    uint64_t mailbox_bytes;
};

/*
 * Creates the calling process's next session. The segment is created exclusively, zeroed and sized (blocks
 * allocated, so that a full /dev/shm is an error here and not a SIGBUS later). 0, or -ENOSPC, -ENOMEM,
 * -EACCES.
 */
int grosr_session_create(struct grosr_session **session, const struct grosr_session_options *options);

/*
 * Maps an existing session for reading and for the collector's words. -ENOENT: no such session; -EACCES:
 * another user's; -EPROTO: not a session, damaged, or of another version. The text is in grosr_error().
 */
int grosr_session_open(struct grosr_session **session, uint32_t pid, uint32_t index);

/*
 * Opens a segment by its path for reading what is in it, be it in /dev/shm or saved elsewhere. The file is
 * not written. Errors as above.
 */
int grosr_session_open_copy(struct grosr_session **session, const char *path);

/* Unmaps; the creator also removes the segment. NULL is allowed. */
void grosr_session_close(struct grosr_session *session);

/* Removes the segment's name: for the session's owner, and for the collector of a dead process. */
void grosr_session_unlink(struct grosr_session *session);

/*
 * For a process that reads others' sessions, once, before it opens the first: a segment that is truncated
 * while it is mapped then reads as zeros from there on, instead of ending the process with SIGBUS. Sets that
 * signal's handler; what is not a session's is passed on to the one before.
 */
void grosr_session_guard(void);

/* Whether that has happened to this session: what was read from it lately may be zeros. */
bool grosr_session_truncated(const struct grosr_session *session);

/* Whether the process that created it still runs. */
bool grosr_session_alive(const struct grosr_session *session);

struct grosr_session_id {
    uint32_t pid, index;
};

/* All sessions in /dev/shm, ordered by pid and index, live or dead. The caller frees *ids. Count or negative
 * errno. */
int grosr_session_list(struct grosr_session_id **ids);

/* The live header in the mapping, for the words that change. */
struct grosr_session_header *grosr_session_live(const struct grosr_session *session);
struct grosr_worker_entry *grosr_session_worker(const struct grosr_session *session, uint32_t worker);
struct grosr_wait_entry *grosr_session_wait(const struct grosr_session *session, uint32_t worker);
struct grosr_ring *grosr_session_ring(const struct grosr_session *session, uint32_t ring);
struct grosr_queue_entry *grosr_session_queue(const struct grosr_session *session, uint32_t queue);
struct grosr_stream *grosr_session_stream(const struct grosr_session *session, uint32_t stream);
struct grosr_snapshot *grosr_session_snapshot(const struct grosr_session *session, uint64_t number);

/* The name, or NULL. Valid while the session is mapped; of another process's, to be copied (below). */
const char *grosr_session_name(const struct grosr_session *session, uint32_t space, uint32_t id);

/*
 * Entry number `index` of the name table, its texts checked; NULL: it is not used yet, or the table ends
 * there.
 */
const struct grosr_name *grosr_session_name_entry(const struct grosr_session *session, uint32_t index);

/*
 * Copies a name's text or unit, `bytes` long in the segment, NUL-terminated whatever its owner makes of it
 * meanwhile.
 */
void grosr_session_copy_text(char *to, const char *from, size_t bytes);

/*
 * Adds a name while readers may look; one thread of the session's owner at a time. Longer texts are cut; unit
 * may be NULL. -ENOSPC: the table is full.
 */
int grosr_session_add_name(struct grosr_session *session, uint32_t space, uint32_t id, const char *text,
                           const char *unit);

/* Registers (pid) or removes (0) the collector and puts the overflow policy in force that follows from it. */
void grosr_session_set_collector(struct grosr_session *session, uint32_t pid);

/*
 * Waits until a collector is attached, as long as the process `pid`, which is going to be it, runs. -ECHILD:
 * it ended first; -ETIMEDOUT: it did not attach in time. It may do so later; if it has not when the session
 * is closed, it is told so and counts the session as unrecorded.
 */
int grosr_session_wait_collector(struct grosr_session *session, uint32_t pid, uint64_t timeout_ns);

/* What the device gets, when it sees the segment at `device_base`. */
struct grosr_trace grosr_session_trace(const struct grosr_session *session, void *device_base);

/* Tasks published and taken, read so that taken <= published; NULL for what is not wanted. */
void grosr_session_queue_counts(const struct grosr_session *session, uint32_t queue, uint64_t *enqueued,
                                uint64_t *dequeued);

/*
 * CLOCK_MONOTONIC ns at which the oldest task that is still in the queue was published; 0 when it is empty.
 */
uint64_t grosr_session_queue_oldest(const struct grosr_session *session, uint32_t queue);

#ifdef __cplusplus
}
#endif

#endif
