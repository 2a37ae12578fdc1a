/*
 * CUDA in a traced process, through CUPTI: what the files share.
 *
 *     cupti_library.c  CUPTI and the driver, loaded and called through tables of symbols
 *     cuda_ops.c       what the calls of the APIs do
 *     kernel_names.c   names of kernels, and which of them are persistent
 *     cuda_streams.c   streams, captures, and what is known to have ended in them
 *     cuda_graphs.c    what is in executable graphs
 *     cuda_host.c      what threads of the host wait for while a host function does not end
 *     cuda_room.c      the room that kernels need on a GPU
 *     cuda_words.c     words that streams wait for, and write
 *     cuda_kernels.c   launches into the segment's table; persistent kernels
 *     cuda_calls.c     which calls of CUDA's APIs have callbacks, and which are recorded
 *     cuda_errors.c    errors of calls that have no callback
 *     cuda_activity.c  CUPTI's activity records into ours
 *     cuda_pc_*.c      PC sampling: code, records (cuda_pc.h)
 *     cuda_pc.c        ... and its contexts
 *     cuda_launches.c  what is launched, as the callback of a call describes it
 *     cuda_callbacks.c callbacks of API calls
 *     cuda_threads.c   the threads of our own
 *     cuda.c           the driver loads us; the subscription; the end
 *
 * Each calls only those above it.
 *
 * What the program is in stands in the session's segment (outstanding.h), written in the callbacks of its
 * calls, so that the collector knows it whatever hangs here. No thread of our own has to run for that, and
 * what may block (a flush of CUPTI's, which waits for locks that a stuck call holds) is called by a thread
 * that nobody waits for.
 *
 * CUPTI delivers no kernel's record while one runs whose record it collects, and a forced flush spoils the
 * records of all that run. So launches of persistent kernels are left out of the activity (it is off while
 * such a launch is made, with other launches held off), their rows are made here, and nothing is ever flushed
 * by force.
 */
#ifndef GROSR_INJECT_CUDA_H
#define GROSR_INJECT_CUDA_H

#include "cuda_ops.h"
#include "cupti_library.h"
#include "inject.h"

#include <time.h>

/* ---- cuda_activity.c ---- */

/* Gives CUPTI its buffers and switches the kinds of activity on. */
CUptiResult activity_start(void);

/* Writes a record and waits for room, for a while: then it is counted as dropped. Not for the program's own
 * threads. */
void activity_write(struct inject_thread *t, const struct grosr_piece *pieces, unsigned count);

/* The number of records that CUPTI has dropped for want of buffers. */
uint64_t activity_dropped(void);

/* The number of launches of graphs whose times it did not know, which have no record of ours. */
uint64_t activity_untimed(void);

/* ---- cuda_errors.c ---- */

/*
 * The housekeeping thread, at every tick: registers for the driver's log, once the driver is initialized. Not
 * earlier, and on no thread of the program, which may hold the driver's locks.
 */
void errors_tick(void);

/* From here on nothing is written. */
void errors_end(void);

/* ---- kernel_names.c ---- */

/* A kernel by its name: kept until the process ends. */
struct kernel_name {
    struct kernel_name *next;
    struct inject_string *mangled, *full, *brief;
    bool persistent;
};

/* Reads GROSR_PERSISTENT: which kernels are persistent, beside GROSR's own. Once, before the first name. */
void kernel_names_start(void);

/* Any thread. NULL: no memory. */
const struct kernel_name *kernel_name(const char *mangled);

/* ---- cuda_streams.c ---- */

/* CLOCK_REALTIME so long from now, for timed locks. */
struct timespec cuda_until(uint64_t ns);

/*
 * The entry of a stream in the segment; GROSR_NO_STREAM: it has none. per_thread: a default stream is that of
 * the calling thread, `tid`. stream_entry() makes one if there is none, and may ask CUPTI for the stream's
 * number.
 */
uint32_t stream_find(CUcontext context, CUstream handle, bool per_thread, uint32_t tid);

/*
 * The context of a call of the runtime by a thread that has made none before: CUPTI does not know it yet. It
 * is that of the process, if there has been one only; else NULL. `id`: CUPTI's number of it; NULL is allowed.
 */
CUcontext stream_context(CUcontext context, uint32_t *id);
uint32_t stream_entry(CUcontext context, uint32_t context_id, CUstream handle, bool per_thread, uint32_t tid);

/* A stream or a context (the other is NULL) is about to go. On its thread, outside inject_enter(). */
void streams_forget(CUcontext context, CUstream stream);

/* A call that waited for a stream, or for all of a context's, from start_ns on has returned. */
void stream_ended(uint32_t stream, uint64_t start_ns);
void streams_ended(CUcontext context, uint64_t start_ns);

/* Whether something that was launched in any stream, by a call that has returned, is not known to have ended.
 */
bool streams_are_busy(void);

/* An event has been recorded (in GROSR_NO_STREAM: it is not known where); and where that was.
 * GROSR_NO_STREAM: not known. */
void event_recorded(CUevent event, uint32_t stream);
uint32_t event_place(CUevent event, uint64_t *place);

/* A stream waits for an event from here on. */
void event_waited(CUevent event, uint32_t stream);

/* Around the call that begins a capture, and after the one that ends it. */
void streams_capture_begins(void);
void streams_capture_begun(bool refused);
void streams_capture_ended(void);

/* Around a call that makes a stream wait for an event, by which it may join a capture. */
void streams_join_begins(void);
void streams_join_ended(void);

/* Whether what is launched into a stream goes into a graph. On the thread that launches it. */
bool stream_is_captured(CUstream handle);

/* A stream is in capture; records a launch; is no longer. */
void stream_capture(uint32_t stream, uint32_t tid);
void stream_captured(uint32_t stream, struct inject_string *name);
void stream_capture_end(uint32_t stream);

/* The stream whose capture began last and goes on; GROSR_NO_STREAM: none. */
uint32_t stream_in_capture(void);

/* The housekeeping thread: asks after streams in which something has not ended, now and then or at once. */
void streams_tick(uint64_t now_ns, bool at_once);

/* ---- cuda_graphs.c ---- */

/* On the thread that has instantiated it, outside inject_enter(). */
void graph_instantiated(CUgraphExec exec, CUgraph graph);

/* Some of its nodes are switched off, or on again: how many run is not known any more. */
void graph_changed(CUgraphExec exec);

/* What it is called, and how many kernels are in it; 0: not known. */
struct inject_string *graph_name(CUgraphExec exec, uint32_t *kernels);

/* A launch, and what was launched; NULL: not known. */
void graph_launched(uint32_t correlation, struct inject_string *name);
struct inject_string *graph_launch_name(uint32_t correlation);

/* ---- cuda_host.c ---- */

/* A host function has been issued. */
void host_function_issued(uint32_t correlation, void *function);

/* The calling thread is ours. */
void host_thread_is_ours(uint32_t tid);

/* The watcher: looks after the threads of the process while a host function has not ended, or a stream
 * `waits` for a word, and after the one that captures a stream. */
void host_tick(uint64_t now_ns, bool waits);

/* Reads memory of the process, which need not be there: the bytes that were read. The watcher. */
size_t host_read(uintptr_t at, void *to, size_t bytes);

/* ---- cuda_words.c ---- */

/* Around a call of OP_WORDS, on its thread, outside inject_enter() and inject_leave(). */
void words_enter(CUpti_CallbackId id, const CUpti_CallbackData *data, const struct cuda_op *op, uint32_t tid,
                 uint64_t start_ns);
void words_exit(bool succeeded, uint64_t now_ns);

/* Memory of the device is shared with somebody outside the process. */
void words_are_shared(void);

/* The watcher: looks at the words that streams wait for. Whether a stream has waited for a while. */
bool words_tick(uint64_t now_ns);

/* ---- cuda_kernels.c ---- */

/* A launch, as its callback describes it. */
struct launch {
    uint64_t start_ns;              /* when the outermost call was entered */
    uint32_t kind;                  /* enum grosr_launch_kind */
    const struct kernel_name *name; /* of a kernel */
    struct inject_string *other;    /* of what is none; NULL: it has no name */
    CUcontext context;
    CUstream stream;
    bool per_thread; /* the default stream is the thread's */
    bool to_host;    /* a blocking copy that is done when its call returns */
    uint32_t flags;  /* GROSR_LAUNCH_COOPERATIVE, _TO_DEVICE, _FROM_DEVICE */
    void *function;  /* a host function */
    CUfunction code; /* of a kernel */
    uint32_t context_id, correlation, tid;
    uint32_t grid[3], block[3];
    uint32_t shared_bytes;
    uint64_t bytes;
    uint32_t kernels; /* in a graph; 0: not known */
};

/* ---- cuda_room.c ---- */

/* On the thread of a launch, outside inject_enter(): the first time for such a kernel, asks the driver how
 * many of its blocks fit on the GPU. */
void room_ask(const struct launch *launch);

/* Of a kernel that has ended: whether its grid fits on the GPU, as far as that is known. */
bool room_fits(const struct kernel_name *name, const uint32_t *grid, const uint32_t *block,
               uint32_t shared_bytes, uint32_t context_id);

/* ---- cuda_kernels.c, continued ---- */

/* Before the first launch. */
void kernels_start(void);

/* Whether CUPTI is to have records of launches of that kind: with `--trace api` not of kernels, and with PC
 * sampling of nothing that a GPU does. */
bool launch_has_record(uint32_t kind);

/* Whether CUPTI is to record graphs as a whole, and not their nodes: GROSR_CUDA_GRAPH_TRACE. */
bool launch_graphs_whole(void);

/* Around every launch, on its thread, outside inject_enter() and inject_leave(). */
void launch_enter(const struct launch *launch);
void launch_exit(const struct launch *launch, bool succeeded);

/* At the end of the outermost call that it was made in. */
void launch_settle(uint64_t now_ns);

/* A record of that kind (enum grosr_launch_kind) of a launch has come, just now. */
void launch_recorded(uint32_t kind, uint32_t correlation);

/* Launches of kernels of which no record has come. */
uint64_t launches_missing(void);

/* A context is about to go. On its thread, outside inject_enter(). */
void kernels_forget(CUcontext context);

/* The housekeeping thread: looks for persistent kernels that have ended. */
void kernels_tick(uint64_t now_ns);

/* At the end of the process: the same for the last time, unless the housekeeping thread hangs in it (`ask`).
 */
void kernels_end(bool ask);

/* ---- cuda_pc.c ---- */

/* Reads GROSR_CUDA_TRACE: whether PCs are to be sampled. Once. False: they are, and CUPTI cannot. */
bool pc_start(void);
bool pc_is_wanted(void);

/* On the thread that has created a context, or is about to destroy it; a module has been loaded. */
void pc_context_created(CUcontext context);
void pc_context_ends(CUcontext context);
void pc_module_loaded(const void *image, size_t bytes);

/* The sampler: fetches and writes what there is, as a time bin; at the `last` one, sampling ends where
 * nothing runs. */
void pc_tick(bool last);
bool pc_is_sampling(void);

/* At the end of the process: what was lost. */
void pc_end(void);

/* ---- cuda_launches.c ---- */

/* Whether the call launches something, and what. */
bool launch_find(struct launch *launch, CUpti_CallbackDomain domain, CUpti_CallbackId id,
                 const CUpti_CallbackData *data, const struct cuda_op *op);

/* ---- cuda_callbacks.c ---- */

/* CUPTI's subscriber; nothing is recorded of what it is called for unless that is switched on. */
void CUPTIAPI callbacks_on_call(void *unused, CUpti_CallbackDomain domain, CUpti_CallbackId id,
                                const void *data);
void callbacks_record(bool on);

/* ---- cuda_threads.c ---- */

void threads_start(void);

/* Calls of the calling thread are ours from here on, and none of the program's. */
void threads_become_ours(void);

/* Waits, for a while, until the threads have made a whole round each and no record is missing. */
void threads_finish(void);

/* Ends the threads. False: the housekeeper hangs in the driver. */
bool threads_end(void);

#endif
