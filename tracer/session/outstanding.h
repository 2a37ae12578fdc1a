/*
 * What a traced process is in: the call of a CUDA API that each thread has entered and not left; each launch
 * (of a kernel, a copy, a fill, a host function, a graph) that was issued and has not ended, with its place
 * in its stream; each stream that is captured; and how many launches there were and records of them. It
 * stands in the session's segment, written by the process in the callbacks of its calls, and read by the
 * collector whenever it likes: so it is known while the program hangs behind any lock, and after it was
 * killed.
 *
 *     outstanding_at    struct grosr_outstanding           counters, and the small tables in them; there if
 * there are launch slots call_slots_at     struct grosr_call_slot[call_slots]       one a thread: that thread
 * alone writes it launch_slots_at   struct grosr_launch_slot[launch_slots]   a hash table by correlation
 *     cuda_streams_at   struct grosr_cuda_stream[cuda_streams]   a hash table by context and handle
 *     texts_at          names: 4 bytes of length, the text, at multiples of 8; a reference is an offset in
 *                       them, and 0 is none
 *
 * A launch is in the table from before the call that makes it until its record comes. It may have ended
 * before: a stream's `ended` is the place up to which all that was launched in it is known to have ended,
 * because a record of what was behind it came, or a wait for the stream returned. It is only raised.
 *
 * Readers. A call slot is a sequence lock: the sequence is odd while the thread is in the call that the other
 * words describe. A launch slot's `what` names the launch, which no other has: the slot belongs to it as long
 * as `what` is the same before and after the other words were read. Writers store those words with release
 * and readers load them with acquire, so that a reader that sees a later one sees the later `what` too.
 *
 * All tables are bounded. A launch without a slot, a stream without an entry and a text without room are
 * counted. A reader trusts nothing here: indexes and references are checked by these functions.
 */
#ifndef GROSR_OUTSTANDING_H
#define GROSR_OUTSTANDING_H

#include "session.h"

#define GROSR_CALL_SLOTS_MAX   4096u
#define GROSR_LAUNCH_SLOTS_MAX 65536u
#define GROSR_CUDA_STREAMS_MAX 4096u
#define GROSR_TEXTS_MAX        (64u << 20)
#define GROSR_TEXT_KEPT_MAX    2047u      /* bytes of a name in the segment; a longer one is cut */
#define GROSR_NO_STREAM        UINT32_MAX /* in the place of a stream's index */
#define GROSR_RAN_SLOTS        1024u      /* names and grids of kernels that have ended; a power of two */
#define GROSR_ROOM_SLOTS       1024u      /* kernels with their blocks and shared memory; a power of two */
#define GROSR_EVENT_WAITS      512u       /* the latest; a power of two */
#define GROSR_HOST_THREADS     64u
#define GROSR_PC_SLOTS         32u /* functions that were sampled lately */

enum grosr_launch_kind {
    GROSR_LAUNCH_KERNEL = 1,
    GROSR_LAUNCH_MEMCPY,
    GROSR_LAUNCH_MEMSET,
    GROSR_LAUNCH_HOST_FUNCTION,
    GROSR_LAUNCH_GRAPH,
    GROSR_LAUNCH_WAIT, /* as the next: of a stream's own, for words in memory and external semaphores */
    GROSR_LAUNCH_WRITE,
    GROSR_LAUNCH_KINDS
};

enum { GROSR_LAUNCH_COUNTED = GROSR_LAUNCH_WAIT }; /* the kinds below are counted */

/* What a stream waits for. */
enum grosr_word_condition {
    GROSR_WORD_AT_LEAST, /* the difference is not negative, so that a counter may wrap around */
    GROSR_WORD_EQUAL,
    GROSR_WORD_AND,       /* a bit of the value is set in the word */
    GROSR_WORD_NOR,       /* some bit is set in neither */
    GROSR_WORD_SEMAPHORE, /* an external one, signalled; the value counts for some types of them */
    GROSR_WORD_CONDITIONS
};

/* Whose function a call is. */
enum grosr_call_api {
    GROSR_CALL_RUNTIME,
    GROSR_CALL_DRIVER,
    GROSR_CALL_TRACER, /* of CUPTI, by a thread of the tracer's own */
    GROSR_CALL_APIS
};

/* What a call waits for, as far as its arguments say. */
enum grosr_call_wait {
    GROSR_CALL_WAITS_NOT,
    GROSR_CALL_WAITS_STREAM,
    GROSR_CALL_WAITS_EVENT,
    GROSR_CALL_WAITS_DEVICE, /* for all that its context has been given */
    GROSR_CALL_WAITS
};

#define GROSR_LAUNCH_PERSISTENT  1u /* it has no record of CUPTI's, and is not counted */
#define GROSR_LAUNCH_ORDERED     2u /* all launches before its place had returned when it began */
#define GROSR_LAUNCH_COOPERATIVE 4u /* its blocks may wait for each other */
#define GROSR_LAUNCH_TO_DEVICE   8u /* a copy; neither: its arguments do not say */
#define GROSR_LAUNCH_FROM_DEVICE 16u
#define GROSR_LAUNCH_UNRECORDED  32u /* CUPTI is not to have a record of it; it is not counted */
#define GROSR_LAUNCH_HOST_WORD   64u /* of a wait or a write: the word is in page-locked memory of the host */
#define GROSR_LAUNCH_DEVICE_WORD 128u
#define GROSR_LAUNCH_WHOLE       256u /* a graph: CUPTI has one record of it, which counts as a kernel's */

/* What the tracer has seen of the word for which a stream waits first. */
#define GROSR_WORD_MET    1u /* it has been as it is to be */
#define GROSR_WORD_NOT    2u /* it has not; neither: the host cannot read it */
#define GROSR_WORD_VALUE  4u /* `word_value` is what was in it */
#define GROSR_WORD_SHARED 8u /* somebody outside the process may write it */

/* How a stream is ordered with the legacy default stream, whose handle is 0. */
enum grosr_stream_order {
    GROSR_STREAM_ORDER_UNKNOWN,
    GROSR_STREAM_LEGACY,
    GROSR_STREAM_BLOCKING,
    GROSR_STREAM_NON_BLOCKING,
    GROSR_STREAM_ORDERS
};

/* Whether launches of two streams of a context, of these orders, come one after the other as they were made.
 */
static inline bool grosr_streams_follow(uint32_t a, uint32_t b)
{
    return (a == GROSR_STREAM_LEGACY && b == GROSR_STREAM_BLOCKING) ||
           (a == GROSR_STREAM_BLOCKING && b == GROSR_STREAM_LEGACY);
}

/* What a thread that is in no call of CUDA's does, as the kernel says. */
enum grosr_host_thread_state {
    GROSR_HOST_THREAD_RUNS = 1,
    GROSR_HOST_THREAD_SLEEPS, /* until a time, for input, or for what cannot be told */
    GROSR_HOST_THREAD_FUTEX,  /* until another thread wakes it */
    GROSR_HOST_THREAD_MUTEX,  /* until the owner of a mutex releases it */
    GROSR_HOST_THREAD_STATES
};

#define GROSR_ENVIRONMENT_LAUNCH_BLOCKING 1u /* CUDA_LAUNCH_BLOCKING */
#define GROSR_ENVIRONMENT_EAGER           2u /* CUDA_MODULE_LOADING=EAGER */

/* Kernels of a name, a grid and a block whose records have come: written by whoever brings a record. */
struct grosr_ran_slot {
    dev64 key; /* of these three; 0: unused */
    dev64 ended;
    dev64 longest_ns;
};

/* What each block of a kernel takes of an SM, in the order of the shares below. */
enum grosr_room_part {
    GROSR_ROOM_THREADS,
    GROSR_ROOM_REGISTERS,
    GROSR_ROOM_SHARED,
    GROSR_ROOM_BLOCKS, /* of those that an SM can have */
    GROSR_ROOM_PARTS
};

#define GROSR_ROOM_WHOLE 32768u /* the share that is all of an SM's */

/* Kernels of a name, a block, dynamic shared memory and a context: written by the first thread that has
 * asked, `sms` last. */
struct grosr_room_slot {
    dev64 key;   /* of these four; 0: unused */
    sys64 share; /* 16 bits for each part, the first lowest */
    sys32 sms, blocks;
};

/* A stream waits for an event: what comes after `place` in it, for `on` up to `on_place`. */
struct grosr_event_wait_slot {
    dev64 number; /* of the wait, from 1; 0: being made */
    sys64 place, on_place;
    sys32 stream, on; /* indexes */
};

/* Written by a thread of the tracer's, while a host function has not ended for a while. */
struct grosr_host_thread_slot {
    alignas(64) sys64 sequence; /* as a call slot's: odd while there is a thread */
    sys64 address;              /* of the mutex, or of the futex */
    sys64 since_ns;
    sys32 tid, state;
    sys32 owner;    /* of the mutex: a thread */
    sys32 function; /* the correlation of the host function that it executes; 0: none that is known */
    sys32 of_driver;
};

/* Written by the sampler of PCs: a function of a context, as of the latest time bin in which it was sampled.
 */
struct grosr_pc_slot {
    alignas(128) sys64 sequence; /* odd while it is written; 0: it never was */
    sys64 start_ns, end_ns;      /* of the bin */
    sys64 since_ns;              /* from when on, bin by bin, the same loop has had most samples */
    sys64 low, high;             /* offsets of the first and last instruction of the loop */
    sys64 samples, loop_samples, memory_samples;
    sys32 stall_samples, stall;  /* the most frequent reason in the loop: a text */
    sys32 context;               /* CUPTI's number */
    sys32 name, full_name, file; /* texts */
    sys32 first_line, last_line;
    sys32 flags; /* GROSR_PC_* of record.h */
};

/*
 * Counters, each raised by any thread of the process. Those of launches and those of records, which come on
 * other threads, lie on lines of their own, as in a stream's entry.
 */
struct grosr_outstanding {
    alignas(128) dev64 texts_used; /* bytes */
    dev32 texts_full, streams_full;
    dev32 calls_used; /* call slots that have been in use, from the first on */

    alignas(128) dev64 issued[GROSR_LAUNCH_COUNTED];
    dev64 unslotted; /* kernels that have no slot: there was none, or it was given to another */

    alignas(128) dev64 recorded[GROSR_LAUNCH_COUNTED]; /* of those issued, the ones whose record has come */
    dev64 unmatched;                                   /* records of kernels that have no slot */
    sys64 record_ns; /* when the latest record of a kernel came; 0: none has */

    alignas(128) sys64 alive_ns; /* when it was last seen to be there; 0: never */
    sys32 environment;           /* GROSR_ENVIRONMENT_*, as it was when CUDA was initialized */
    sys32 connections;           /* CUDA_DEVICE_MAX_CONNECTIONS; 0: not set */
    dev64 event_waits;           /* ever */
    sys32 host_threads_full;     /* there are more threads than slots */
    alignas(128) struct grosr_host_thread_slot host_thread[GROSR_HOST_THREADS];
    struct grosr_pc_slot pc[GROSR_PC_SLOTS];
    struct grosr_event_wait_slot event_wait[GROSR_EVENT_WAITS];
    struct grosr_ran_slot ran[GROSR_RAN_SLOTS];
    struct grosr_room_slot room[GROSR_ROOM_SLOTS];
};

struct grosr_call_slot {
    alignas(64) sys64 sequence;
    sys64 start_ns;
    sys64 handle; /* of the stream or the event that it waits for */
    sys32 name;   /* a text */
    sys32 api;    /* enum grosr_call_api */
    sys32 tid;
    sys32 correlation;
    sys32 wait;   /* enum grosr_call_wait */
    sys32 stream; /* index, of STREAM; of EVENT: where it was recorded, with its place */
    sys64 place;
    sys32 context; /* CUPTI's number; 0: not known */
    sys32 kernels; /* that the thread has launched before, ever */
};

struct grosr_launch_slot {
    /* correlation << 32 | part << 16 | kind << 8 | 2; lowest bits 1: being made; 0: free */
    alignas(128) dev64 what;
    sys64 issued_ns;
    sys64 place;    /* in its stream, from 1; 0: not known */
    sys64 bytes;    /* of a copy or a fill; of a wait or a write: the address */
    sys64 kernels;  /* in a graph; 0: not known; of a wait or a write: the value */
    dev64 recorded; /* of these, whose records have come */
    sys32 stream;   /* index */
    sys32 tid;
    sys32 name, full_name; /* texts */
    sys32 grid[3], block[3];
    sys32 shared_bytes; /* of a wait or a write: width of the word << 8 | condition */
    sys32 flags;        /* GROSR_LAUNCH_* */
};

struct grosr_cuda_stream {
    alignas(128) dev64 key; /* 0: unused; 1: the stream is gone */
    sys64 handle;
    sys32 context, id; /* CUPTI's numbers */
    dev64 issued;      /* launches into it: places that were given */
    dev64 returned;    /* of these, those whose call has returned */
    sys64 returned_ns; /* the latest of them */
    sys64 waited_ns;   /* when a wait last showed what had ended */
    sys64 word_seen;   /* place of the wait << 4 | GROSR_WORD_*; 0: none has been looked at */

    alignas(64) dev64 ended;
    sys64 busy_ns;    /* when the driver last said that it had not come to its end; 0: it has not */
    sys64 capture_ns; /* since when it is captured; 0: it is not */
    dev64 captured;   /* launches recorded in that capture */
    sys32 captured_name;
    sys32 capture_tid; /* the thread that began it */
    sys32 order;       /* enum grosr_stream_order */
    sys32 priority;    /* an int: lower is more urgent */
    sys32 capturing;   /* what that thread does: enum grosr_thread_activity */
    sys32 word_value;  /* of the word of `word_seen` */
    sys64 rose_ns;     /* when `ended` was last raised */
};

static_assert(sizeof(struct grosr_host_thread_slot) == 64, "a thread, a line");
static_assert(offsetof(struct grosr_outstanding, alive_ns) == 384, "counters");
static_assert(sizeof(struct grosr_call_slot) == 64, "a thread, a line");
static_assert(sizeof(struct grosr_launch_slot) == 128, "launch");
static_assert(sizeof(struct grosr_cuda_stream) == 128, "stream");
static_assert(offsetof(struct grosr_cuda_stream, ended) == 64 &&
                  offsetof(struct grosr_cuda_stream, rose_ns) == 120,
              "what stands of words is in what was padding");

/* ---- copies of what stands there ---- */

struct grosr_call {
    uint64_t start_ns, handle, place;
    uint32_t name, api, tid, correlation, wait, stream, context, kernels;
};

struct grosr_launch {
    uint32_t kind, correlation;
    uint64_t issued_ns, place, bytes, kernels, recorded;
    uint32_t stream, tid, name, full_name;
    uint32_t grid[3], block[3], shared_bytes, flags;
    uint32_t part; /* of a call that makes several */
    bool ended;    /* known to have; its record has not come */
};

/* A word of a wait or a write; width 0: several that are not known. */
struct grosr_word {
    uint64_t address, value;   /* of a semaphore: its handle */
    uint32_t width, condition; /* 4 or 8 bytes; enum grosr_word_condition, of a wait */
};

struct grosr_cuda_stream_state {
    uint64_t handle, issued, returned, returned_ns, ended, waited_ns, rose_ns, busy_ns, capture_ns, captured;
    uint64_t word_place; /* of the wait that was looked at; 0: none */
    uint32_t context, id, captured_name, capture_tid, capturing, order, word_flags, word_value;
    int32_t priority;
};

struct grosr_event_wait {
    uint64_t place, on_place;
    uint32_t stream, on;
};

struct grosr_host_thread {
    uint64_t address, since_ns;
    uint32_t tid, state, owner, function;
    bool of_driver;
};

/* Samples of a function in a time bin, and of the loop that has most of them (record.h). */
struct grosr_pc_function {
    uint64_t start_ns, end_ns, since_ns, low, high, samples, loop_samples, memory_samples;
    uint32_t stall_samples, stall, context, name, full_name, file, first_line, last_line, flags;
};

/* The room that the blocks of a kernel need. */
struct grosr_room {
    uint32_t sms;                     /* of the GPU; 0: nothing is known */
    uint32_t blocks;                  /* that fit on an SM at once, if nothing else is on it */
    uint16_t share[GROSR_ROOM_PARTS]; /* of an SM, that a block takes at least, of GROSR_ROOM_WHOLE; 0: not
                                         known */
};

/* How kernels of a name, a grid and a block ran that have ended. */
struct grosr_ran {
    uint64_t ended, longest_ns;
};

#ifdef __cplusplus
extern "C" {
#endif

/* ---- readers: any process; false: there is none, or it changes at the moment ---- */

/* The number of call slots that may be in use. */
uint32_t grosr_outstanding_calls(const struct grosr_session *session);
bool grosr_call_read(const struct grosr_session *session, uint32_t slot, struct grosr_call *call);
bool grosr_launch_read(const struct grosr_session *session, uint32_t slot, struct grosr_launch *launch);
bool grosr_launch_find(const struct grosr_session *session, uint32_t correlation,
                       struct grosr_launch *launch);
/* false, too, if what is waited for is known to have ended. */
bool grosr_event_wait_read(const struct grosr_session *session, uint32_t slot, struct grosr_event_wait *wait);
bool grosr_host_thread_read(const struct grosr_session *session, uint32_t slot,
                            struct grosr_host_thread *thread);
bool grosr_pc_function_read(const struct grosr_session *session, uint32_t slot,
                            struct grosr_pc_function *function);
bool grosr_cuda_stream_read(const struct grosr_session *session, uint32_t stream,
                            struct grosr_cuda_stream_state *state);

/* The word of a wait or a write; false: it is neither. And whether a value is what is waited for. */
bool grosr_launch_word(const struct grosr_launch *launch, struct grosr_word *word);
bool grosr_word_is_met(const struct grosr_word *wanted, uint64_t value);

/* "the word at 0x7f10 is >= 5"; of a write, "5 to the word at 0x7f10". */
#define GROSR_WORD_TEXT 112
const char *grosr_word_text(char *text, size_t size, const struct grosr_word *word, bool write);

/* When the latest call began, be it under way or not; 0: there has been none. */
uint64_t grosr_call_latest(const struct grosr_session *session);

/* A name (a text), a grid and a block as one number; and how kernels of that number ran. */
uint64_t grosr_ran_key(uint32_t name, const uint32_t *grid, const uint32_t *block);
struct grosr_ran grosr_ran_read(const struct grosr_session *session, uint64_t key);

/* A name (a text), a block, dynamic shared memory and a context as one number; and the room of that number.
 */
uint64_t grosr_room_key(uint32_t name, const uint32_t *block, uint32_t shared_bytes, uint32_t context);
struct grosr_room grosr_room_read(const struct grosr_session *session, uint64_t key);

/* All grids of that kernel that fit on the GPU, as one number for grosr_ran_read(). */
uint64_t grosr_fitting_key(uint32_t name, const uint32_t *block);

/* Copies a text, NUL-terminated; its length. 0: there is none. `to` has GROSR_TEXT_KEPT_MAX + 1 bytes. */
size_t grosr_outstanding_text(const struct grosr_session *session, uint32_t text, char *to);

/* Kernels that were launched and whose record has not come. */
uint64_t grosr_outstanding_kernels(const struct grosr_session *session);

/* The counters in the mapping; NULL: the session has none. */
struct grosr_outstanding *grosr_session_outstanding(const struct grosr_session *session);

/* ---- the process, in callbacks; no call of these waits ---- */

/* Adds a text of at most GROSR_TEXT_KEPT_MAX bytes. 0: there was no room, which is counted. */
uint32_t grosr_outstanding_add_text(const struct grosr_session *session, const char *text, size_t bytes);

/* The thread of the slot enters and leaves its outermost call. A slot beyond the table is left alone. */
void grosr_call_enter(const struct grosr_session *session, uint32_t slot, const struct grosr_call *call);
void grosr_call_leave(const struct grosr_session *session, uint32_t slot);

/* The stream that it waits for has an entry now. */
void grosr_call_set_stream(const struct grosr_session *session, uint32_t slot, uint32_t stream);

/* The entry of a stream, by a key above 1; GROSR_NO_STREAM: it has none. */
uint32_t grosr_cuda_stream_find(const struct grosr_session *session, uint64_t key);

/* Makes one; one thread at a time. GROSR_NO_STREAM: there is no room, which is counted. */
uint32_t grosr_cuda_stream_add(const struct grosr_session *session, uint64_t key, uint64_t handle,
                               uint32_t context, uint32_t id);

/* How it is ordered, and its priority; once, when it has been made. */
void grosr_cuda_stream_describe(const struct grosr_session *session, uint32_t stream,
                                enum grosr_stream_order order, int32_t priority);

/* The stream is gone; its entry becomes another's once all that was launched in it has ended. */
void grosr_cuda_stream_remove(const struct grosr_session *session, uint64_t key);

/* The capture of a stream begins (at now_ns, by a thread), records a launch, ends. */
void grosr_cuda_stream_capture(const struct grosr_session *session, uint32_t stream, uint32_t tid,
                               uint64_t now_ns);
void grosr_cuda_stream_captured(const struct grosr_session *session, uint32_t stream, uint32_t name);
void grosr_cuda_stream_capture_end(const struct grosr_session *session, uint32_t stream);

/*
 * The place of the latest launch into a stream, if all those so far have returned and did so before
 * `before_ns`; else 0. What waits for the stream from before_ns on waits for all of them.
 */
uint64_t grosr_cuda_stream_covered(const struct grosr_session *session, uint32_t stream, uint64_t before_ns);

/* The driver says that the stream has not come to its end. */
void grosr_cuda_stream_busy(const struct grosr_session *session, uint32_t stream, uint64_t now_ns);

/* What the thread does that captures it, lately: enum grosr_thread_activity. */
void grosr_cuda_stream_capturing(const struct grosr_session *session, uint32_t stream, uint32_t activity);

/* All launches of a stream up to a place have ended; _waited: as a wait that ends now_ns shows. */
void grosr_cuda_stream_raise_ended(const struct grosr_session *session, uint32_t stream, uint64_t place);
void grosr_cuda_stream_waited(const struct grosr_session *session, uint32_t stream, uint64_t place,
                              uint64_t now_ns);

/* What has been seen of the word for which the stream waits at a place: GROSR_WORD_*. */
void grosr_cuda_stream_saw(const struct grosr_session *session, uint32_t stream, uint64_t place,
                           uint32_t flags, uint32_t value);

/* A stream waits for what `on` has been given up to a place. */
void grosr_event_wait_add(const struct grosr_session *session, const struct grosr_event_wait *wait);

/* A kernel of that number (grosr_ran_key()) has ended, and took so long. */
void grosr_ran_add(const struct grosr_session *session, uint64_t key, uint64_t ns);

/* The room of a number, once it has been asked for. */
void grosr_room_add(const struct grosr_session *session, uint64_t key, const struct grosr_room *room);

/* One thread at a time: what a slot below GROSR_PC_SLOTS says. */
void grosr_pc_function_set(const struct grosr_session *session, uint32_t slot,
                           const struct grosr_pc_function *function);

/* One thread alone: the threads of the process, of which only so many have a slot. */
void grosr_host_threads_set(const struct grosr_session *session, const struct grosr_host_thread *threads,
                            uint32_t count);

/* Makes a launch of kind WAIT or WRITE one of that word. */
void grosr_launch_set_word(struct grosr_launch *launch, const struct grosr_word *word);

/*
 * A launch is about to be made, or (_returned) has been made or refused. The slot's number, which _returned
 * takes; GROSR_NO_SLOT: it has none. `place` and ORDERED of *launch are set here.
 */
#define GROSR_NO_SLOT UINT32_MAX
uint32_t grosr_launch_begin(const struct grosr_session *session, struct grosr_launch *launch);
void grosr_launch_returned(const struct grosr_session *session, uint32_t slot,
                           const struct grosr_launch *launch, uint64_t now_ns, bool made);

/*
 * A record of that kind (KERNEL, MEMCPY or MEMSET) of a launch has come, at now_ns. A graph's are those of
 * its nodes, of which the kernels are counted.
 */
void grosr_launch_recorded(const struct grosr_session *session, uint32_t kind, uint32_t correlation,
                           uint64_t now_ns);

/* A launch that has no record of CUPTI's has ended. */
void grosr_launch_over(const struct grosr_session *session, uint32_t correlation);

#ifdef __cplusplus
}
#endif

#endif
