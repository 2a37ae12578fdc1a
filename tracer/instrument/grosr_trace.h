/*
 * Instrumenting a kernel of your own: what runs inside of it, while it runs.
 *
 *     enum { ITEM, SLOT_FULL, DEPTH };
 *     static const char *const names[] = {"item", "slot full", "depth"};
 *
 *     __global__ void consume(struct pipe *pipe GROSR_TRACED(struct grosr_trace_handle trace))
 *     {
 *         GROSR_TRACE_WARP(t, trace, GROSR_ANY_RING);
 *         for (uint32_t i = 0; !done(pipe); i++) {
 *             grosr_poll(&t);
 *             grosr_wait_begin(&t, SLOT_FULL, i);
 *             await(&pipe->slot[i]);
 *             grosr_wait_end(&t);
 *             grosr_begin(&t, ITEM);
 *             work_on(&pipe->slot[i]);
 *             grosr_end(&t, ITEM, i);
 *             grosr_counter(&t, DEPTH, depth(pipe));
 *         }
 *         grosr_trace_end(&t);
 *     }
 *
 *     struct grosr_tracing *tracing;
 *     struct grosr_trace_options options = GROSR_TRACE_OPTIONS_DEFAULT;
 *
 *     options.warps = 132 * 8;
 *     options.names = names;
 *     options.name_count = 3;
 *     if (grosr_trace_open(&tracing, &options))
 *         errx(1, "%s", grosr_error());
 *     consume<<<132, 256>>>(pipe GROSR_TRACED(grosr_trace_handle(tracing)));
 *     cudaDeviceSynchronize();
 *     grosr_trace_close(tracing);
 *
 * It is linked with libgrosr and recorded from outside, by `grosr record -- ./program` or `grosr record
 * --attach PID`, or from inside with options.file. Unrecorded, it keeps the latest events of each warp in its
 * session, which `grosr top` and `grosr record --attach` read, the latter also after its death.
 *
 * Kernels may be persistent or not, launched any number of times, by the runtime API or the driver API,
 * beside a runtime of grosr.h or without one. Compiled as C or C++ for the CPU, the same calls instrument
 * threads: each is a warp of one lane, and the trace says `host`.
 *
 *
 * Who records. A recorder writes one ring of events; it is declared in the function that uses it, and others
 * get its address (grosr_tracer below). There are two kinds, with the same calls:
 *
 *     GROSR_TRACE_WARP(t, trace, ring)     The warp's: all 32 lanes make each call together, converged, and
 *                                          what lane 0 passes is recorded. The cheapest, where a warp works
 * as one. A call that some lanes do not make is a fault that shows late: the warp hangs when its ring wraps.
 *     GROSR_TRACE_THREAD(t, trace, ring)   One thread's: that thread alone declares it and makes each call,
 *                                          whatever its neighbours do. For divergent code, for an elected
 * lane (the one that issues copies), or for one thread that tells of a whole block.
 *
 * `ring` is a number below options.warps, so that in the trace worker 5 is always the same of your warps, or
 * GROSR_ANY_RING: the next one that is free. A ring has one writer at a time, and warps may have it one after
 * the other, in one launch or in many: each continues where the one before ended. Beginning and ending cost a
 * few accesses to the L2 cache. A warp that finds its ring taken records nothing and is counted:
 * grosr_trace_close() tells. A warp that returns without grosr_trace_end() keeps its ring for ever.
 *
 * What it costs: an event is a clock read, a 16-byte store to host memory and a compare, 20 to 40 ns in a
 * loop of real work; at level `off` it is a compare. Levels: `off` nothing, `counters` the state words (who
 * waits for what, now), `spans` and `full` all of it. What only `full` should have goes behind `if
 * (grosr_traces(&t, GROSR_LEVEL_FULL))`.
 *
 *
 * grosr_poll(). A kernel's level is the one in force when its warps began, unless they poll: then a switch,
 * by grosr_trace_set_level() or by a recorder, reaches them within a fifth of a millisecond. Polling warps
 * also calibrate the GPU's clock against the host's. So a persistent kernel should call it wherever it goes
 * round, in its main loop and where it waits, best while no range is open. It reads the clock; every 20 us it
 * reads a word in device memory; and every 100 us one of all warps looks across PCIe, for which it is held up
 * some 2 us, and some 30 us ten times a second when the host asks it for the time. Warps that must not be
 * held up leave it to others: any one that polls is enough for the clock, but each hears of levels by itself.
 *
 * Without polls the host launches a tiny kernel in a stream of its own to calibrate the clock: when the
 * session is opened and closed, and ten times a second if there is room for it beside your kernel. If your
 * kernel fills the GPU, runs for long and does not poll, its times are extrapolated, and wrong by the clocks'
 * drift: 20 us for each second that it runs (measured on an H100).
 *
 *
 * Waits that know what they wait for. In place of a loop of your own between grosr_wait_begin() and
 * grosr_wait_end(), trace_wait_loops.h has waits for a word, an mbarrier, a lock and a barrier of the grid:
 *
 *             grosr_wait_word32(&t, GROSR_BY_WARP, SLOT_FULL, i, &pipe->slot[i].full, GROSR_EQUAL, 1);
 *
 * They cost what a poll costs, poll as grosr_poll() does, and are in the trace only if they last: then the
 * session says where they look, what they want and see, and who holds what they wait for, for whoever asks
 * why a kernel hangs. The host sets after how long; and whether a wait that lasts too long fails, or traps.
 *
 *
 * Compiled out. With GROSR_TRACE_DISABLED defined before this header, all of it vanishes: the machine code is
 * byte for byte that of a source which never had it, and the host's calls do nothing. Those in kernels are
 * macros then, whose arguments are not evaluated; of bounded waits the plain loops are left. What is a
 * parameter, an argument or a statement only for tracing's sake goes in GROSR_TRACED() and
 * GROSR_TRACE_ONLY().
 */
#ifndef GROSR_TRACE_H
#define GROSR_TRACE_H

#include "../base/error.h"
#include "../session/session.h"

struct grosr_tracing; /* a session of instrumented kernels */

struct grosr_trace_options {
    const char *name;     /* in the trace, at most 63 bytes; NULL: the program's */
    const char *device;   /* "cuda", "host"; NULL: whichever this file is compiled for */
    uint32_t warps;       /* recorders at once, at most; 1 .. GROSR_MAX_WORKERS (4096) */
    uint32_t ring_events; /* for each of them, GROSR_RING_MIN .. GROSR_RING_MAX; 16 bytes an event */
    enum grosr_level level;
    enum grosr_overflow overflow;

    /* What events are called: names[i], at most 47 bytes, is number i; grosr_trace_name() gives more. Numbers
     * go up to 65535, which stands for all that are larger. */
    const char *const *names;
    uint32_t name_count;

    /* A trace to record into: grosr_trace_open() starts `grosr record --attach` for it, a process of its own,
     * which survives this one, and grosr_trace_close() waits for it. NULL, or the program runs under `grosr
     * record` already: none is started. */
    const char *file;
    const char *recorder; /* the grosr command; NULL: as PATH has it */

    /* Bounded waits (trace_wait_loops.h): reported after so long, and for how long they may last;
     * wait_timeout_ns counts with GROSR_WAIT_FAIL and GROSR_WAIT_TRAP. */
    uint64_t wait_report_ns, wait_timeout_ns;
    enum grosr_wait_action wait_action;
};

#define GROSR_TRACE_OPTIONS_DEFAULT                                                                     \
    {                                                                                                   \
        NULL, NULL, 64, 8192, GROSR_LEVEL_SPANS, GROSR_OVERFLOW_AUTO, NULL, 0, NULL, NULL, 10000000, 0, \
            GROSR_WAIT_CONTINUE                                                                         \
    }

/* Names that grosr_trace_name() can give beyond options.names. */
#define GROSR_TRACE_NAMES 1024u

#ifndef GROSR_TRACE_DISABLED

#include "trace_device.h"
#include "trace_wait_report.h"

/* ---- on the host ---- */

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Misuse. What is out of range, longer than it may be, or NULL where that is not allowed, is refused with
 * -EINVAL and changes nothing. A session is of the process that opened it: in a child that was forked since,
 * every call is refused with -EPERM, a handle is one that records nothing, and the parent's session is as it
 * was; the child may open one of its own (on the host device; CUDA does not survive a fork). Handles that
 * kernels were given before are not to be used in a child. After grosr_trace_close() calls are refused with
 * -ESHUTDOWN; some 300 bytes are kept for that until the process ends. Texts are in grosr_error().
 */

/*
 * Makes the session, on the GPU of the CUDA context that is current in this thread, or of the first GPU's
 * primary context (the runtime API's) if none is. Before the first launch: it allocates, registers and loads,
 * which waits for kernels that run. If it is the process's first use of CUDA, modules are loaded eagerly from
 * then on, unless CUDA_MODULE_LOADING says otherwise: one that is loaded when it is first launched waits for
 * a persistent kernel for ever. A program that `grosr record` started waits for its recorder a moment.
 *
 * 0, or -EINVAL: an option out of range, or compiled with headers of another version than the library;
 * -ENODEV: no such device; -ENOSPC, -ENOMEM: no room for the rings in /dev/shm; -ECHILD: the recorder ended;
 * -EIO. The text is in grosr_error().
 */
static inline int grosr_trace_open(struct grosr_tracing **tracing, const struct grosr_trace_options *options);

/*
 * The number of a name, for use in kernels that are launched later or read it from memory. The same text has
 * the same number again; options.names[i] has number i. `unit`, of a counter's values, may be NULL; at most
 * 47 and 7 bytes. Any thread. -ENOSPC: more than GROSR_TRACE_NAMES.
 */
int grosr_trace_name(struct grosr_tracing *tracing, const char *text, const char *unit);

/* What kernels get, by value. NULL is allowed: then they record nothing, and so they do when it is closed. */
struct grosr_trace_handle grosr_trace_handle(const struct grosr_tracing *tracing);

/* Any thread, also while kernels run. */
int grosr_trace_set_level(struct grosr_tracing *tracing, enum grosr_level level);

/*
 * Of bounded waits, from any thread, also while kernels run and wait: they hear of it within a millisecond.
 * After how long they are reported; how long they may last, and what becomes of them then; and that they all
 * end now, and those that begin later, with GROSR_WAIT_STOPPED, or, with false, no more. Stopped, recorders
 * do not wait for room in their rings either (GROSR_OVERFLOW_BLOCK).
 */
int grosr_trace_set_wait_report(struct grosr_tracing *tracing, uint64_t report_ns);
int grosr_trace_set_wait_timeout(struct grosr_tracing *tracing, uint64_t timeout_ns,
                                 enum grosr_wait_action action);
int grosr_trace_stop_waits(struct grosr_tracing *tracing, bool stop);

/* The session, valid until grosr_trace_close(); NULL after it. */
const struct grosr_session *grosr_trace_session(const struct grosr_tracing *tracing);

/*
 * Stores the rings' final counters, closes the session, waits for the recorder that grosr_trace_open()
 * started, and frees everything. After the kernels have ended. NULL is allowed. The session ends and the
 * recording is complete also on
 *
 *     -EBUSY    recorders did not end: the kernel runs, or it returned without grosr_trace_end(). Their rings
 *               are not closed, and what the kernel may still write to is not freed.
 *     -EUSERS   recorders found no free ring: they recorded nothing.
 *     -EIO      the recorder, or the device, failed.
 *
 * -EALREADY: it has been closed.
 */
int grosr_trace_close(struct grosr_tracing *tracing);

int grosr_trace_open_as(struct grosr_tracing **tracing, const struct grosr_trace_options *options,
                        const char *device, uint32_t abi);

static inline int grosr_trace_open(struct grosr_tracing **tracing, const struct grosr_trace_options *options)
{
    return grosr_trace_open_as(tracing, options, GROSR_DEVICE_IS_CUDA ? "cuda" : "host", GROSR_SESSION_ABI);
}

#ifdef __cplusplus
}
#endif

/* ---- in the kernel ---- */

/* One more parameter or argument, after others; and what is there for tracing alone. */
#define GROSR_TRACED(...)     , __VA_ARGS__
#define GROSR_TRACE_ONLY(...) __VA_ARGS__

/* Declares the recorder `t`, a struct grosr_tracer, and begins. `trace`: a struct grosr_trace_handle. */
#define GROSR_TRACE_WARP(t, trace, ring)   GROSR_TRACE_DECLARE(t, trace, ring, false)
#define GROSR_TRACE_THREAD(t, trace, ring) GROSR_TRACE_DECLARE(t, trace, ring, true)
#define GROSR_TRACE_DECLARE(t, trace, ring, alone) \
    struct grosr_trace_memory t##_memory;          \
    struct grosr_tracer t;                         \
    grosr_trace_begin(&t, &t##_memory, &(trace), ring, alone)

/* Whether what belongs to this level is recorded. */
GROSR_DEVICE bool grosr_traces(const struct grosr_tracer *t, enum grosr_level level)
{
    return t->emit.level >= (uint32_t)level;
}

/* See above. */
GROSR_DEVICE void grosr_poll(struct grosr_tracer *t)
{
    uint64_t now = dev_clock_ns();
    bool due = now - t->polled_ns >= GROSR_TRACE_POLL_NS;
    uint32_t level = GROSR_LEVEL_OFF;

    if (!(t->alone ? due : dev_ballot(due) != 0)) /* lanes may have read different times */
        return;
    t->polled_ns = now;
    if (t->memory->index == GROSR_NO_RING)
        return;
    if (grosr_trace_lead(t))
        level = grosr_trace_look(t->memory->control, t->memory->ring.session, now);
    if (!t->alone)
        level = dev_shfl32(level, 0);
    if (level != t->emit.level)
        grosr_trace_set(t, level, dev_clock_ns());
}

/* A range of that name begins, and the innermost one of it ends. Ranges of one recorder may nest. `value` is
 * what you like: bytes, an item's number; up to 2^40 - 1, which larger ones are recorded as. */
GROSR_DEVICE void grosr_begin(struct grosr_tracer *t, uint32_t name)
{
    if (t->emit.level >= GROSR_LEVEL_SPANS)
        grosr_trace_event(t, GROSR_EV_RANGE_BEGIN, grosr_payload_named(name, 0), dev_clock_ns());
}

GROSR_DEVICE void grosr_end(struct grosr_tracer *t, uint32_t name, uint64_t value)
{
    if (t->emit.level >= GROSR_LEVEL_SPANS)
        grosr_trace_event(t, GROSR_EV_RANGE_END, grosr_payload_named(name, grosr_value_unsigned(value)),
                          dev_clock_ns());
}

/* Something happened; `value` as above. */
GROSR_DEVICE void grosr_instant(struct grosr_tracer *t, uint32_t name, uint64_t value)
{
    if (t->emit.level >= GROSR_LEVEL_SPANS)
        grosr_trace_event(t, GROSR_EV_INSTANT, grosr_payload_named(name, grosr_value_unsigned(value)),
                          dev_clock_ns());
}

/* A counter's value from now on, of this recorder; -2^39 .. 2^39 - 1, the nearest of which is recorded. */
GROSR_DEVICE void grosr_counter(struct grosr_tracer *t, uint32_t name, int64_t value)
{
    if (t->emit.level >= GROSR_LEVEL_SPANS)
        grosr_trace_event(t, GROSR_EV_COUNTER, grosr_payload_named(name, grosr_value_signed(value)),
                          dev_clock_ns());
}

/* Waits for number `which` of the resources of that name; a recorder for one at a time. From level `counters`
 * on, its state word says so. */
GROSR_DEVICE void grosr_wait_begin(struct grosr_tracer *t, uint32_t name, uint32_t which)
{
    t->waiting = grosr_payload_resource(name, which);
    grosr_trace_state(t, GROSR_EV_WAIT_BEGIN, t->waiting);
}

GROSR_DEVICE void grosr_wait_end(struct grosr_tracer *t)
{
    if (t->waiting)
        grosr_trace_state(t, GROSR_EV_WAIT_END, t->waiting);
    t->waiting = 0;
}

/* Holds it from now on, any number at once; and no longer. A cycle of who waits for what and who holds it is
 * a deadlock. */
GROSR_DEVICE void grosr_hold(struct grosr_tracer *t, uint32_t name, uint32_t which)
{
    if (t->emit.level >= GROSR_LEVEL_SPANS)
        grosr_trace_event(t, GROSR_EV_HOLD, grosr_payload_resource(name, which), dev_clock_ns());
}

GROSR_DEVICE void grosr_release(struct grosr_tracer *t, uint32_t name, uint32_t which)
{
    if (t->emit.level >= GROSR_LEVEL_SPANS)
        grosr_trace_event(t, GROSR_EV_RELEASE, grosr_payload_resource(name, which), dev_clock_ns());
}

/* How long this recorder's bounded waits may last, and what becomes of them then, whatever the host sets. */
GROSR_DEVICE void grosr_wait_set_timeout(struct grosr_tracer *t, uint64_t timeout_ns,
                                         enum grosr_wait_action action)
{
    t->memory->wait.timeout = grosr_wait_timeout_word(timeout_ns, (uint32_t)action);
}

/* Gives the ring back. Nothing is recorded afterwards. */
GROSR_DEVICE void grosr_trace_end(struct grosr_tracer *t)
{
    struct grosr_trace_memory *m = t->memory;

    if (m->index == GROSR_NO_RING)
        return;
    grosr_wait_end(t);
    grosr_trace_state(t, GROSR_EV_WORKER_STOP, 0);
    t->emit.level = GROSR_LEVEL_OFF;
    if (!t->alone)
        dev_syncwarp();
    if (grosr_trace_lead(t)) {
        struct grosr_trace_slot *slot = grosr_trace_slots(m->control) + m->index;
        grosr_trace_save(&t->emit, &m->ring, slot);
        dev_store_relaxed(&slot->sequence, t->sequence);
        /* The ring's state and its records are there for who takes it next. Pairs with grosr_trace_take(). */
        dev_store_release(&slot->taken, 0u);
        dev_add_relaxed(&m->control->recorders, ~UINT64_C(0)); /* late is no harm */
    }
    m->index = GROSR_NO_RING;
}

#else

#include "trace_disabled.h"

#endif

#include "trace_wait_loops.h"

#endif
