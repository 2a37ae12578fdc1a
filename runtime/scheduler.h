/*
 * The scheduler: what the persistent warps run. Device code.
 *
 * A worker takes tasks from the queue's ports, runs one a lane, writes the results to the host, and waits
 * with a back-off when there is nothing to take. It starts at the port of its own number and goes round, so
 * that any one worker that is free finds any task.
 *
 * The service warp runs no tasks. It is the device's only reader of the session's control words across PCIe:
 * it copies `stop` and `level` to device memory, where workers look at them for the price of an L2 access,
 * and answers clock pings. It stays responsive whatever the workers do.
 *
 * Every lane of a warp hears of `stop` through lane 0: a stop test that lanes answer differently would leave
 * some of them waiting at the next collective for ever.
 */
#ifndef GROSR_SCHEDULER_H
#define GROSR_SCHEDULER_H

#include "queue.h"
#include "task.h"

#include "../tracer/emit.h"

/* Device memory, zero at first; written by the service warp, read by the workers. */
struct grosr_control {
    alignas(128) dev32 command; /* GROSR_COMMAND_* | level; 0: the service warp has not started */
};

#define GROSR_COMMAND_STOP  0x80000000u
#define GROSR_COMMAND_LEVEL 0x40000000u /* the low bits hold the level */

/* The kernel's argument. */
struct grosr_launch {
    struct grosr_trace trace;
    struct grosr_queue queue;
    struct grosr_control *control;
    uint32_t workers;
};

struct grosr_worker {
    struct grosr_recorder recorder;
    uint64_t tasks, busy_ns;
    uint64_t spawned, shared; /* tasks; of its tasks, those given to the shared rings */
    uint32_t backoff;
    bool waiting, idle; /* WAIT_BEGIN, IDLE_BEGIN have been recorded without their ends */
};

GROSR_DEVICE void grosr_worker_end_wait(struct grosr_worker *w)
{
    if (w->idle)
        grosr_record_state(&w->recorder, GROSR_EV_IDLE_END, 0, dev_clock_ns());
    if (w->waiting)
        grosr_record_state(&w->recorder, GROSR_EV_WAIT_END, grosr_payload_wait(GROSR_RES_QUEUE_NOT_EMPTY, 0),
                           dev_clock_ns());
    w->waiting = w->idle = false;
    w->backoff = 0;
}

GROSR_DEVICE void grosr_worker_wait(struct grosr_worker *w)
{
    if (!w->waiting) {
        grosr_record_state(&w->recorder, GROSR_EV_WAIT_BEGIN,
                           grosr_payload_wait(GROSR_RES_QUEUE_NOT_EMPTY, 0), dev_clock_ns());
        w->waiting = true;
    }
    dev_backoff(&w->backoff);
    if (!w->idle && dev_backoff_is_deep(w->backoff)) {
        grosr_record_state(&w->recorder, GROSR_EV_IDLE_BEGIN, 0, dev_clock_ns());
        w->idle = true;
    }
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
}

/* Runs one task in each lane whose `has` is set, and writes the results. */
GROSR_DEVICE void grosr_worker_run_lanes(const struct grosr_launch *launch, struct grosr_worker *w, bool has,
                                         uint64_t number, struct grosr_pair slot)
{
    const struct grosr_queue *q = &launch->queue;
    struct grosr_emitter *emit = &w->recorder.emit;
    struct grosr_task_context task = {};
    uint64_t start = 0;
    int status = 0;

    task.number = number;
    task.function = grosr_queue_middle16(slot);
    task.a = (uint32_t)slot.lo;
    task.b = grosr_queue_wide(slot);
    if (emit->level >= GROSR_LEVEL_COUNTERS) {
        uint64_t payload = grosr_payload_task(task.function, number);
        start = dev_clock_ns();
        grosr_record_word(&w->recorder, GROSR_EV_TASK_BEGIN, payload, start);
        if (emit->level >= GROSR_LEVEL_SPANS)
            grosr_emit_lanes(emit, has, GROSR_EV_TASK_BEGIN, payload, start);
    }
    if (has)
        status = task.function == GROSR_FUNCTION_CANCELED ? ECANCELED : grosr_task_dispatch(&task);
    uint64_t end = emit->level >= GROSR_LEVEL_COUNTERS ? dev_clock_ns() : 0;
    if (has) {
        struct grosr_pair r =
            grosr_queue_pack(grosr_queue_lap(q->capacity_log2, number), (uint32_t)status, 0, task.value);
        dev_point("task.done");
        sys128 *result = &q->results[number & ((1u << q->capacity_log2) - 1)];
        if (grosr_task_is_pure(task.function))
            sys_store_pair_relaxed(result, r.lo, r.hi);
        else /* what the task wrote; pairs with the load in peek() of complete.c */
            sys_store_pair_release(result, r.lo, r.hi);
    }
    if (emit->level >= GROSR_LEVEL_SPANS)
        grosr_emit_lanes(emit, has, GROSR_EV_TASK_END, grosr_payload_task((uint32_t)status, number), end);
    w->busy_ns += end - start;
}

GROSR_DEVICE void grosr_worker_run(const struct grosr_launch *launch, uint32_t index)
{
    const struct grosr_queue *q = &launch->queue;
    struct grosr_worker w = {};
    struct grosr_emit_ring ring;
    struct grosr_take take;
    uint32_t port = index % q->ports;

    grosr_emit_open(&w.recorder.emit, &ring, &launch->trace, index);
    w.recorder.entry = &launch->trace.workers[index];
    w.recorder.emit.level = dev_shfl32(sys_load_relaxed(&launch->trace.header->level), 0);
    if (dev_lane() == 0)
        sys_store_relaxed(&w.recorder.entry->sm, dev_sm() + 1);
    grosr_record_state(&w.recorder, GROSR_EV_WORKER_START, dev_sm(), dev_clock_ns());

    for (;;) {
        uint32_t command = dev_shfl32(dev_load_relaxed(&launch->control->command), 0);
        if (command & GROSR_COMMAND_STOP)
            break;
        if (command && (command & ~GROSR_COMMAND_LEVEL) != w.recorder.emit.level)
            grosr_worker_set_level(&w, command & ~GROSR_COMMAND_LEVEL);

        grosr_queue_take(q, port, &take);
        if (!take.count) {
            grosr_worker_wait(&w);
            port = port + 1 < q->ports ? port + 1 : 0;
            continue;
        }
        grosr_worker_end_wait(&w);
        if (w.recorder.emit.level >= GROSR_LEVEL_FULL)
            grosr_emit_at(&w.recorder.emit, GROSR_EV_QUEUE_TAKE, grosr_payload_task(take.count, take.task[0]),
                          dev_clock_ns());
        for (uint32_t d = 0; d < GROSR_QUEUE_DEPTH && d * GROSR_LANES < take.count; d++)
            grosr_worker_run_lanes(launch, &w, d * GROSR_LANES + dev_lane() < take.count, take.task[d],
                                   take.slot[d]);
        w.tasks += take.count;
        grosr_record_counts(&w.recorder, w.tasks, w.busy_ns, w.spawned, w.shared);
    }
    grosr_worker_end_wait(&w);
    grosr_record_state(&w.recorder, GROSR_EV_WORKER_STOP, w.tasks, dev_clock_ns());
    grosr_emit_close(&w.recorder.emit);
}

GROSR_DEVICE void grosr_service_run(const struct grosr_launch *launch)
{
    struct grosr_session_header *session = launch->trace.header;
    uint32_t command = 0, backoff = 0;
    uint64_t answered = 0;

    if (dev_lane() != 0)
        return;
    sys_store_release(&session->device_epoch_ns, dev_clock_ns());
    for (;;) {
        uint32_t stop = sys_load_relaxed(&session->stop);
        uint32_t level = sys_load_relaxed(&session->level);
        uint64_t ping = sys_load_acquire(&session->ping); /* pairs with round_trip() */
        if (ping != answered) {
            grosr_clock_answer(session, ping);
            answered = ping;
            backoff = 0;
        }
        level = (stop ? GROSR_COMMAND_STOP : 0) | GROSR_COMMAND_LEVEL |
                (level <= GROSR_LEVEL_FULL ? level : GROSR_LEVEL_FULL);
        if (level != command)
            dev_store_relaxed(&launch->control->command, level);
        command = level;
        if (stop)
            return;
        dev_poll_pause(&backoff);
    }
}

#endif
