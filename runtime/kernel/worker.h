/*
 * A worker: what a persistent warp keeps while it runs, and what it records about itself in the trace. All
 * lanes hold equal copies, but for `frame` and `given`, which are a lane's own. Nobody else reads or writes
 * it.
 */
#ifndef GROSR_WORKER_H
#define GROSR_WORKER_H

#include "dispatch.h"

#include "../../tracer/session/recorder.h"

/* Between looks around (find.h): of a worker that has tasks to give, and of one that has none. */
#define GROSR_POLL_INTERVAL_NS      1000u
#define GROSR_IDLE_POLL_INTERVAL_NS 5000u

/* A worker keeps a port for this many looks before it sees whether another port needs it more. */
#define GROSR_PORT_LOOKS 8u

/* A worker that waits looks into the ready and overflow rings, which all share, only every so many looks. */
#define GROSR_DEEP_LOOKS 8u

/* A worker that waits loads the control word, which all share, only every so many looks. */
#define GROSR_CONTROL_LOOKS 4u

/* Slots of its inbox that a worker reads in a look, a line: the look is the fetch. */
#define GROSR_INBOX_PEEK (GROSR_LANES < 4 ? GROSR_LANES : 4u)

/* A worker that has just run something from its inbox waits for more there, this many looks, before it polls
 * the host's ports: an answer from across PCIe takes longer than most tasks that workers pass to each other.
 */
#define GROSR_INBOX_LOOKS 8u

/* A worker whose tasks all continue on other workers looks into its inbox this often before it looks at
 * anything else: some 8 us on an H100, in which a worker that has to wake up first answers too. From then on
 * both are awake, and a step from one to the other takes half the time. After GROSR_PASS_NS it looks around
 * in any case. */
#define GROSR_AWAIT_LOOKS 20u
#define GROSR_PASS_NS     20000u

/* A worker publishes how far it has emptied its inbox after this many entries, or when it has nothing else to
 * do. */
#define GROSR_INBOX_PUBLISH (1u << (GROSR_INBOX_CAPACITY_LOG2 - 2))

/* A batch that takes longer is worth the price of giving each task in it to another worker. */
#define GROSR_COARSE_NS 10000u

struct grosr_worker {
    const struct grosr_launch *launch;
    struct grosr_recorder recorder;
    struct grosr_deque deque;
    struct grosr_completions pending; /* not flushed: children of one frame that have completed */
    uint32_t index;
    uint32_t frame;         /* this lane's, for the children of its next task */
    uint32_t spawn_numbers; /* of local->numbers, those that TASK_SPAWN events have reported */
    uint64_t word;          /* the control word as last seen */
    uint64_t looked_ns;     /* when */
    bool more; /* the next search begins with a look around: there may be more, or there is nothing else */
    uint64_t stepped_ns;             /* when it last looked for a batch */
    bool coarse;                     /* the last one took long: tasks are worth sharing one by one */
    uint64_t inbox, inbox_published; /* taken from its inbox, and how much of that givers know of */
    uint32_t looks;                  /* with nothing of its own */
    uint32_t inbox_looks;            /* left of GROSR_INBOX_LOOKS */
    struct grosr_share_seen given;   /* this lane's, of the inbox that it last gave to */
    uint32_t port;
    uint64_t position; /* of the claimed port */
    uint32_t polls;    /* 0: no port is claimed; else 1 + the empty polls of it */
    bool again;        /* it has just left the port, at `position` */
    uint32_t backoff;
    bool hungry;         /* its bit has been set; a giver may have cleared it since */
    bool waiting, idle;  /* WAIT_BEGIN, IDLE_BEGIN have been recorded without their ends */
    uint32_t idle_waits; /* since IDLE_BEGIN */
};

/* Adds to one of the worker's counters, lane 0's. */
GROSR_DEVICE void grosr_count(uint64_t *counter, uint64_t n)
{
    if (dev_lane() == 0)
        *counter += n;
}

GROSR_DEVICE dev64 *grosr_worker_hungry_word(const struct grosr_worker *w)
{
    return &w->launch->control->hungry[w->index % GROSR_HUNGRY_WORDS];
}

GROSR_DEVICE uint64_t grosr_worker_hungry_bit(uint32_t worker)
{
    return UINT64_C(1) << worker / GROSR_HUNGRY_WORDS;
}

GROSR_DEVICE void grosr_worker_end_wait(struct grosr_worker *w)
{
    if (w->idle)
        grosr_record_state(&w->recorder, GROSR_EV_IDLE_END, 0, dev_clock_ns());
    if (w->waiting)
        grosr_record_state(&w->recorder, GROSR_EV_WAIT_END, grosr_payload_wait(GROSR_RES_QUEUE_NOT_EMPTY, 0),
                           dev_clock_ns());
    w->waiting = w->idle = false;
    w->backoff = 0;
    if (w->hungry && dev_lane() == 0)
        dev_and_relaxed(grosr_worker_hungry_word(w), ~grosr_worker_hungry_bit(w->index));
    w->hungry = false;
}

/*
 * An idle worker keeps no free frames that others may need. Not at once: while a tree runs, workers idle for
 * a moment again and again, and Fibonacci trees took a sixth longer when each looked at the pools then.
 */
#define GROSR_IDLE_WAITS 256u

GROSR_DEVICE_COLD void grosr_worker_give_back(const struct grosr_launch *launch, struct grosr_local *local,
                                              uint32_t worker)
{
    struct grosr_frames frames = grosr_launch_frames(launch);

    grosr_frames_give_back(&frames, local, worker);
}

GROSR_DEVICE void grosr_worker_wait(struct grosr_worker *w)
{
    if (!w->hungry && dev_lane() == 0)
        dev_or_relaxed(grosr_worker_hungry_word(w), grosr_worker_hungry_bit(w->index));
    w->hungry = true;
    if (!w->waiting) {
        grosr_record_state(&w->recorder, GROSR_EV_WAIT_BEGIN,
                           grosr_payload_wait(GROSR_RES_QUEUE_NOT_EMPTY, 0), dev_clock_ns());
        w->waiting = true;
    }
    if (w->polls)
        dev_poll_pause(&w->backoff);
    else
        dev_backoff(&w->backoff);
    w->stepped_ns = dev_clock_ns();
    if (!w->idle && dev_backoff_is_deep(w->backoff)) {
        grosr_record_state(&w->recorder, GROSR_EV_IDLE_BEGIN, 0, dev_clock_ns());
        w->idle = true;
        w->idle_waits = 0;
    }
    if (w->idle && ++w->idle_waits == GROSR_IDLE_WAITS)
        grosr_worker_give_back(w->launch, w->deque.local, w->index);
}

/* Where the notes of the heap's users go, whose lanes do not write to the worker's ring themselves. */
GROSR_DEVICE void grosr_worker_open_notes(struct grosr_worker *w)
{
    struct grosr_heap_site *site = &w->deque.local->heap;

    if (dev_lane() == 0) {
        site->notes = w->launch->heap_notes + (size_t)w->index * GROSR_HEAP_NOTES;
        warp_store(&site->noted, 0);
        site->level = w->launch->heap_notes ? w->recorder.emit.level : (uint32_t)GROSR_LEVEL_OFF;
        site->worker = w->index;
    }
    grosr_lane_open(&w->deque.local->lanes, &w->recorder);
}

/*
 * Moves the notes into the worker's ring: none is before `time_ns`, and their times are put in order, since
 * lanes take a place and look at the clock one after the other. Notes that found no place count as events
 * that were dropped there. Returns where the emitter goes on.
 */
GROSR_DEVICE_COLD struct grosr_cursor grosr_worker_flush_notes(struct grosr_emitter e,
                                                               struct grosr_heap_site *site, uint64_t time_ns)
{
    uint32_t noted = warp_load(&site->noted), n = noted < GROSR_HEAP_NOTES ? noted : GROSR_HEAP_NOTES;
    uint64_t of = UINT64_MAX;

    for (uint32_t i = 0; i < n; i++) {
        struct grosr_heap_note *note = &site->notes[i];
        uint64_t when = dev_load_relaxed(&note->when), task = dev_load_relaxed(&note->task);
        uint64_t later = (when - time_ns) & GROSR_TIME_MASK;
        if (later <= GROSR_TIME_MASK / 2)
            time_ns += later;
        time_ns = dev_shfl64(time_ns, 0);
        if (dev_uniform(task != of))
            grosr_emit_at(&e, GROSR_EV_HEAP_TASK, task, time_ns);
        of = task;
        grosr_emit_at(&e, (uint32_t)(when >> GROSR_KIND_SHIFT), dev_load_relaxed(&note->payload), time_ns);
    }
    if (noted > n)
        e.at = grosr_emit_lose(e.ring, e.at, noted - n, time_ns);
    dev_syncwarp();
    if (dev_lane() == 0)
        warp_store(&site->noted, 0);
    dev_syncwarp();
    return e.at;
}

/* Switches the trace level: spans that are open end under the old one. */
GROSR_DEVICE void grosr_worker_set_level(struct grosr_worker *w, uint32_t level)
{
    grosr_worker_end_wait(w);
    if (w->recorder.emit.level < level)
        w->recorder.emit.level = level;
    if (w->recorder.emit.level >= GROSR_LEVEL_SPANS)
        grosr_emit_at(&w->recorder.emit, GROSR_EV_LEVEL, level, dev_clock_ns());
    w->recorder.emit.level = level;
    grosr_worker_open_notes(w);
}

/* Records which numbers have been spawned since the last time, at `time_ns`: none of them started before. */
GROSR_DEVICE void grosr_worker_record_spawns(struct grosr_worker *w, uint64_t time_ns)
{
    const uint32_t mask = (1u << GROSR_TASK_SPAWN_BITS) - 1;
    uint32_t numbers = warp_load(&w->deque.local->numbers), left = numbers - w->spawn_numbers;

    grosr_count(&w->deque.local->spawned, left);
    if (w->recorder.emit.level < GROSR_LEVEL_SPANS)
        w->spawn_numbers = numbers;
    while (w->spawn_numbers != numbers) {
        uint32_t to_wrap = mask + 1 - (w->spawn_numbers & mask);
        uint32_t n = left < 0xffff ? left : 0xffff;
        n = n < to_wrap ? n : to_wrap;
        grosr_emit_at(&w->recorder.emit, GROSR_EV_TASK_SPAWN,
                      grosr_payload_task(n, grosr_number_add(GROSR_TASK_SPAWNED |
                                                                 (uint64_t)w->index << GROSR_TASK_SPAWN_BITS,
                                                             w->spawn_numbers)),
                      time_ns);
        w->spawn_numbers += n;
        left -= n;
    }
}

#endif
