/*
 * The scheduler: what the persistent warps run. Device code.
 *
 * A worker runs a batch of tasks at a time, one a lane (a task for the whole warp by itself). It looks for
 * the next batch as find.h says: urgent tasks, what others gave it, its own tasks, and the ports of the
 * host's queue, which it tries in turn from the one of its own number on, so that any one worker that is free
 * finds any task.
 *
 * A worker that finds nothing marks itself as hungry. Workers that see the mark when they look around give of
 * what they have, the oldest first, straight into its inbox: the hungry do not compete for what there is (of
 * several hundred thieves at one queue, most lose each time), they wait, each at a line of its own.
 *
 * The service warp runs no tasks. It is the device's only reader of the session's control words across PCIe:
 * it copies `stop` and `level` to device memory, where workers look at them for the price of an L2 access,
 * and answers clock pings. It stays responsive whatever the workers do.
 *
 * All lanes of a warp learn what was loaded from lane 0: a stop test that lanes answer differently
 * would leave some of them waiting at the next collective for ever.
 */
#ifndef GROSR_SCHEDULER_H
#define GROSR_SCHEDULER_H

#include "find.h"

#include "../../tracer/clock/clock_answer.h"

GROSR_DEVICE void grosr_worker_run(const struct grosr_launch *launch, uint32_t index,
                                   struct grosr_local *local)
{
    struct grosr_worker w = {};
    struct grosr_emit_ring ring;

    w.launch = launch;
    w.index = index;
    w.deque.local = local;
    w.deque.far = launch->far + (size_t)index * GROSR_DEQUE_CAPACITY;
    w.port = index % launch->queue.ports;
    grosr_local_open(local, grosr_launch_frames(launch).own);
    grosr_emit_open(&w.recorder.emit, &ring, &launch->trace, index);
    w.recorder.entry = &launch->trace.workers[index];
    w.recorder.emit.level = dev_shfl32(sys_load_relaxed(&launch->trace.header->level), 0);
    grosr_worker_open_notes(&w);
    if (dev_lane() == 0)
        sys_store_relaxed(&w.recorder.entry->sm, dev_sm() + 1);
    grosr_record_state(&w.recorder, GROSR_EV_WORKER_START, dev_sm(), dev_clock_ns());
    for (;;) {
        struct grosr_entry e = {};
        bool stop, has = grosr_worker_next(&w, &e, &stop);
        if (stop)
            break;
        if (!dev_ballot(has)) {
            grosr_worker_wait(&w);
            continue;
        }
        grosr_worker_leave_port(&w, 0);
        grosr_worker_end_wait(&w);
        grosr_worker_run_batch(&w, has, e);
    }
    dev_syncwarp(); /* the counters, lane 0's, are read below */
    grosr_worker_leave_port(&w, 0);
    grosr_worker_end_wait(&w);
    /* Again: the level may have been switched on since the last batch. */
    grosr_record_counts(&w.recorder, local->tasks, local->busy_ns, local->spawned, local->shared);
    grosr_record_state(&w.recorder, GROSR_EV_WORKER_STOP, local->tasks, dev_clock_ns());
    grosr_emit_close(&w.recorder.emit);
    if (dev_lane() == 0) /* release: the port's position. Pairs with the load in grosr_service_run() */
        dev_add_acq_rel(&launch->control->left, 1u);
}

/* ---- the service warp ---- */

/* Brings the host's next high-priority task to the workers: its number is in the urgent ring, and what it is
 * in its slot. Whether there was one. One lane. */
GROSR_DEVICE bool grosr_service_urgent(const struct grosr_launch *launch, uint64_t u, uint64_t word)
{
    const struct grosr_queue *q = &launch->queue;
    uint64_t number = word & GROSR_TASK_ID_MASK;
    struct grosr_share urgent = grosr_launch_urgent(launch);
    struct grosr_entry e = {};

    if (word != grosr_urgent_word(u, number))
        return false;
    /* Acquire: arguments by reference. Pairs with write_slot() in submit.c, which came before the word. */
    struct grosr_pair slot = sys_load_pair_acquire(&q->tasks[number & ((1u << q->capacity_log2) - 1)]);
    e.function = grosr_queue_middle16(slot) & ~GROSR_SLOT_SKIP;
    e.a = (uint32_t)slot.lo;
    e.b = grosr_queue_wide(slot);
    e.number = number;
    e.count = 1;
    dev_add_relaxed(&launch->control->word, UINT64_C(1)); /* before it is there: see grosr_spawn_urgent() */
    if (!grosr_share_put_lane(urgent, e)) {
        dev_add_relaxed(&launch->control->word, ~UINT64_C(0));
        return false;
    }
    /* Release: the word has been read. Pairs with the load in write_urgent() of submit.c. */
    sys_store_release(&q->words->urgent_taken, u + 1);
    return true;
}

/* Copies the ports' positions to where the host sees them; true: some have moved. A collective. */
GROSR_DEVICE bool grosr_service_ports(const struct grosr_queue *q, uint64_t seen[])
{
    bool moved = false;

    for (uint32_t i = 0; i * GROSR_LANES + dev_lane() < q->ports; i++) {
        uint32_t port = i * GROSR_LANES + dev_lane();
        uint64_t position = dev_load_relaxed(&q->port[port].word) >> 1;
        if (position == seen[i])
            continue;
        sys_store_relaxed(&q->taken[port].taken, position);
        seen[i] = position;
        moved = true;
    }
    return dev_ballot(moved);
}

/* A call is done that was the last child missing in `frame`: its task resumes, or is complete, as in
 * grosr_frame_resume(); but the service warp has no deque. One lane. */
GROSR_DEVICE_COLD void grosr_service_resume(const struct grosr_launch *launch, uint32_t frame)
{
    struct grosr_frames frames = grosr_launch_frames(launch);

    for (;;) {
        uint32_t index = frame & GROSR_FRAME_MAX;
        struct grosr_frame *f = &frames.frame[index];
        uint64_t next = dev_load_relaxed(&f->next), whose = dev_load_relaxed(&f->whose);
        uint64_t value = dev_load_relaxed(&f->value);
        uint32_t mark = dev_load_relaxed(&f->mark), status = (uint32_t)next;
        if (next >> 32 != GROSR_TASK_NOTHING) {
            struct grosr_entry e = {};
            e.parent = index;
            e.number = whose & GROSR_TASK_ID_MASK;
            grosr_share_put_lane(grosr_launch_ready(launch), e); /* has room for all frames */
            return;
        }
        value += grosr_frame_sum(f);
        grosr_frame_free_shared(frames.free, index);
        if (status)
            mark = status;
        frame = (uint32_t)(whose >> GROSR_TASK_ID_BITS);
        if (!frame) {
            grosr_result_write(&launch->queue, whose & GROSR_TASK_ID_MASK, value,
                               (int)grosr_mark_status(mark), mark != 0);
            return;
        }
        if (!grosr_frame_add_completions(frames.frame, grosr_completions_one(frame, value, mark)))
            return;
    }
}

/* Counts system calls that are done as children of the tasks that wait for them (mailbox.h); from *position
 * on. True: there were some. A collective. */
GROSR_DEVICE bool grosr_service_notices(const struct grosr_launch *launch, uint64_t *position)
{
    const struct grosr_mailbox *m = &launch->mailbox;
    uint64_t n = *position + dev_lane();
    bool there = false;

    if (m->ports == 0)
        return false;
    /* Pairs with proxy_answer(): the call's reply, for the task that continues. */
    struct grosr_pair x = sys_load_pair_acquire(&m->notice[n & ((UINT64_C(1) << m->notices_log2) - 1)]);
    there = grosr_pair_has_lap(x, grosr_notice_lap(m, n));
    uint32_t missing = dev_ffs32(~dev_ballot(there)), count = missing ? missing - 1 : GROSR_LANES;
    if (dev_lane() < count) {
        uint32_t frame = (uint32_t)(x.lo >> 32) & GROSR_FRAME_MAX;
        int64_t result = (int64_t)(x.hi << 8) >> 8;
        struct grosr_completions t = grosr_completions_one(
            frame, result < 0 ? 0 : (uint64_t)result, grosr_mark_of(result < 0 ? (int)-result : 0, true));
        if (grosr_frame_add_completions(launch->frame, t))
            grosr_service_resume(launch, frame);
    }
    *position += count;
    return count != 0;
}

GROSR_DEVICE void grosr_service_run(const struct grosr_launch *launch)
{
    struct grosr_session_header *session = launch->trace.header;
    struct grosr_queue_words *words = launch->queue.words;
    uint32_t command = 0, backoff = 0;
    uint64_t answered = 0, urgent = 0, notices = 0, seen[GROSR_QUEUE_PORTS_MAX / GROSR_LANES + 1] = {};

    if (dev_lane() == 0)
        sys_store_relaxed(&session->device_epoch_ns, dev_clock_ns()); /* grosr_clock_answer() releases it */
    for (;;) {
        /* Last of all, so that the positions are final. Pairs with grosr_worker_run(). */
        uint32_t left = dev_shfl32(dev_load_acquire(&launch->control->left), 0);
        bool moved = grosr_service_ports(&launch->queue, seen);
        if (left == launch->workers)
            return;
        if (grosr_service_notices(launch, &notices))
            moved = true;
        if (dev_lane() == 0) {
            uint32_t stop = sys_load_relaxed(&session->stop);
            uint32_t level = sys_load_relaxed(&session->level);
            uint32_t cancelling = sys_load_relaxed(&words->cancelling);
            /* Pairs with write_urgent() in submit.c: the task's slot. */
            uint64_t word = sys_load_acquire(&words->urgent[urgent % GROSR_QUEUE_URGENT]);
            uint64_t ping = sys_load_acquire(&session->ping); /* pairs with round_trip() */
            if (ping != answered) {
                grosr_clock_answer(session, ping);
                answered = ping;
                moved = true;
            }
            if (grosr_service_urgent(launch, urgent, word)) {
                urgent++;
                moved = true;
            }
            uint32_t now = (level <= GROSR_LEVEL_FULL ? level : (uint32_t)GROSR_LEVEL_FULL) + 1;
            now |= (stop ? GROSR_CONTROL_STOP : 0) | (cancelling ? GROSR_CONTROL_CANCEL : 0);
            if (now != command)
                dev_add_relaxed(&launch->control->word, ((uint64_t)now << GROSR_CONTROL_SHIFT) -
                                                            ((uint64_t)command << GROSR_CONTROL_SHIFT));
            command = now;
        }
        if (dev_ballot(moved))
            backoff = 0;
        dev_poll_pause(&backoff);
    }
}

#endif
