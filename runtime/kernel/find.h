/*
 * Finding the next batch. A worker takes from the first of these that has something for it:
 *
 *     1  the urgent ring      tasks of high priority; all workers take from it
 *     2  its inbox            what others gave it because it was hungry, or placed on it
 *     3  its port             of the host's queue, if it has claimed one and its deque is empty
 *     4  the ready ring       frames that found no room in a deque, and those of system calls that are done
 *     5  its deque            the newest first
 *     6  the overflow ring    tasks that found no room in a deque
 *
 * When all are empty, it claims a port, or moves to another one, and waits. Nobody else can run what is in 2
 * and 5. A deep deque would starve what comes before it in this list, and a full host queue 1 and 2. A ready
 * frame frees memory, and a system call that is done a port, for which the tasks in the deque may be waiting:
 * so it comes before them.
 *
 * Steps 1 to 3 are one look around. On a GPU it costs one L2 access: the lanes load the control word, the
 * ends of the shared rings, the hungry words and the first slots of the inbox at once, while the poll of the
 * port crosses PCIe. A worker with tasks of its own looks around only every GROSR_POLL_INTERVAL_NS if it has
 * tasks to give, every GROSR_IDLE_POLL_INTERVAL_NS if not, and gives to the hungry then (balance.h). A worker
 * without looks around each time, but loads the lines that all workers share only every few looks.
 *
 * What must be seen before what. The loads of a look are hints, relaxed: an old value costs one look. What is
 * taken because of them is read again with acquire by grosr_share_read(), as the release that filled the slot
 * asks for; the poll of the port acquires by itself.
 *
 * The urgent count is raised before the task is in the ring and lowered after it was taken. It is never too
 * low, and a worker may find the ring empty though the count is not 0.
 *
 * A worker sets its hungry bit when it waits, and looks into its inbox afterwards. A giver that has cleared
 * the bit gives even if the worker has found something else by then, so workers that run look into their
 * inboxes too.
 *
 * Pending completions are flushed when the deque is empty, before the worker waits (completion.h). The flush
 * may put a ready frame into the deque, which the next search takes.
 *
 * The invariant of ports: a worker holds at most one, polls it only while its deque is empty, so that there
 * is room for what it finds, and leaves it before it runs anything, so that no task waits behind a busy
 * holder. What a poll found stays in its slots until the worker leaves the port at a position behind it: a
 * worker that takes something else gives it up without loss.
 *
 * A worker writes its own structure and deque, the head of its inbox, the heads of the rings that all take
 * from by compare-and-swap, its hungry bit and those that it clears to give, the urgent count by adding, and
 * the word of a port that it has claimed.
 */
#ifndef GROSR_FIND_H
#define GROSR_FIND_H

#include "balance.h"
#include "run.h"

/*
 * Polls the worker's port, a few times: a worker that has nothing else to do waits for the host. If it has
 * just left the port to run what it found there, it polls the port again while the swap that claims it is
 * under way. A collective.
 */
GROSR_DEVICE void grosr_worker_poll(struct grosr_worker *w, struct grosr_take *take)
{
    const struct grosr_queue *q = &w->launch->queue;
    bool again = !w->polls && w->again, mine = false;

    if (again) {
        if (dev_lane() == 0)
            mine = grosr_queue_reclaim(q, w->port, w->position);
        grosr_queue_poll(q, w->port, w->position, take);
        w->again = false;
        w->polls = dev_shfl32(mine, 0);
        if (!w->polls)
            take->count = 0;
    }
    for (uint32_t i = again; w->polls && !take->count && i < GROSR_QUEUE_POLLS; i++)
        grosr_queue_poll(q, w->port, w->position, take);
}

/* What a worker sees in one look: the control word, how much the rings hold, and whether somebody is hungry.
 */
struct grosr_look {
    uint64_t word;
    uint32_t inbox, ready, overflow;
    bool hungry;
};

/*
 * All of it for one L2 access where a warp has lanes enough. A worker that has claimed a port polls it in the
 * middle, so that it waits for the answer from across PCIe while the other loads are under way. A collective.
 */
GROSR_DEVICE struct grosr_look grosr_worker_look(struct grosr_worker *w, struct grosr_take *take)
{
    enum { CONTROL, READY, OVERFLOW, ITEMS };
    const struct grosr_launch *launch = w->launch;
    struct grosr_share inbox = grosr_launch_inbox(launch, w->index);
    struct grosr_look look = {};
    struct grosr_quad slot = {};
    /* Those who wait load the lines that all workers share only every few looks. */
    bool has = grosr_deque_size(&w->deque), all = has || launch->one_queue;
    bool deep = all || w->looks % GROSR_DEEP_LOOKS == 0, control = all || w->looks % GROSR_CONTROL_LOOKS == 0;

    w->looks += !all;
    take->count = 0;
    if (w->inbox - w->inbox_published >= GROSR_INBOX_PUBLISH ||
        (w->inbox != w->inbox_published && dev_backoff_is_deep(w->backoff))) {
        grosr_share_taken(inbox, w->inbox);
        w->inbox_published = w->inbox;
    }
    for (uint32_t base = 0; base < ITEMS || base < GROSR_HUNGRY_WORDS; base += GROSR_LANES) {
        uint32_t i = base + dev_lane();
        const struct grosr_share_ends *ends =
            &launch->ends[i == READY ? (uint32_t)GROSR_SHARE_READY : (uint32_t)GROSR_SHARE_OVERFLOW];
        uint64_t x = 0, y = 0, hungry = 0;
        if (i == CONTROL && control) {
            x = dev_load_relaxed(&launch->control->word);
        } else if ((i == READY || i == OVERFLOW) && deep) {
            x = dev_load_relaxed(&ends->head);
            y = dev_load_relaxed(&ends->tail);
        }
        if (has)
            hungry = dev_load_relaxed(&launch->control->hungry[i % GROSR_HUNGRY_WORDS]);
        if (base == 0 && dev_lane() < GROSR_INBOX_PEEK)
            slot = dev_load_quad_relaxed(grosr_share_slot(inbox, w->inbox + dev_lane()));
        if (base == 0 && !has)
            grosr_worker_poll(w, take);
        uint32_t there = (uint32_t)(y - x);
        if (i % GROSR_HUNGRY_WORDS == w->index % GROSR_HUNGRY_WORDS)
            hungry &= ~grosr_worker_hungry_bit(w->index);
        if (dev_ballot(hungry != 0))
            look.hungry = true;
        for (uint32_t k = 0; k < GROSR_LANES && base + k < ITEMS; k++) {
            uint64_t word = dev_shfl64(x, k);
            uint32_t n = dev_shfl32(there, k);
            look.word = base + k == CONTROL ? word : look.word;
            look.ready = base + k == READY ? n : look.ready;
            look.overflow = base + k == OVERFLOW ? n : look.overflow;
        }
    }
    if (!control)
        look.word = w->word;
    look.inbox = grosr_share_filled(inbox, GROSR_INBOX_PEEK, w->inbox, slot);
    w->word = look.word;
    w->looked_ns = dev_clock_ns();
    w->more = false;
    return look;
}

/* Leaves the port that it polls, if any. A collective. */
GROSR_DEVICE void grosr_worker_leave_port(struct grosr_worker *w, uint32_t taken)
{
    if (!w->polls)
        return;
    w->position += taken;
    if (dev_lane() == 0)
        grosr_queue_leave(&w->launch->queue, w->port, w->position);
    w->again = !w->inbox_looks;
    w->polls = 0;
}

/* Makes a batch of what has been taken from a shared ring. Ranges go into the deque, to be taken from there.
 * A collective. */
GROSR_DEVICE bool grosr_worker_took(struct grosr_worker *w, struct grosr_taken taken, struct grosr_entry *e)
{
    bool has = dev_lane() < taken.count;

    *e = taken.e;
    if (taken.count && w->recorder.emit.level >= GROSR_LEVEL_FULL)
        grosr_emit_at(&w->recorder.emit, GROSR_EV_SHARE_TAKE,
                      grosr_payload_task(taken.count, dev_shfl64(e->number, 0)), dev_clock_ns());
    if (!dev_ballot(has && e->count > 1))
        return has;
    if (has)
        grosr_deque_push(&w->deque, *e); /* has room: ranges are given to those whose deque is empty */
    grosr_deque_settle(&w->deque);
    return grosr_deque_pop(&w->deque, e);
}

/* Takes from a shared ring. A collective. */
GROSR_DEVICE bool grosr_worker_take(struct grosr_worker *w, struct grosr_share s, struct grosr_entry *e)
{
    return grosr_worker_took(w, grosr_share_take(s, GROSR_LANES), e);
}

/* Makes a batch of what a poll of the host's queue brought. A collective. */
GROSR_DEVICE bool grosr_worker_polled(struct grosr_worker *w, const struct grosr_take *take,
                                      struct grosr_entry *e)
{
    bool has = false;

    grosr_worker_leave_port(w, take->count);
    if (w->recorder.emit.level >= GROSR_LEVEL_FULL)
        grosr_emit_at(&w->recorder.emit, GROSR_EV_QUEUE_TAKE, grosr_payload_task(take->count, take->task[0]),
                      dev_clock_ns());
    for (uint32_t d = GROSR_QUEUE_DEPTH; d-- > 0;) {
        e->function = grosr_queue_middle16(take->slot[d]) & ~GROSR_SLOT_SKIP;
        e->a = (uint32_t)take->slot[d].lo;
        e->b = grosr_queue_wide(take->slot[d]);
        e->number = take->task[d];
        e->parent = 0;
        e->count = 1;
        has = d * GROSR_LANES + dev_lane() < take->count &&
              !(grosr_queue_middle16(take->slot[d]) & GROSR_SLOT_SKIP);
        if (d && has)
            grosr_deque_push(&w->deque, *e); /* has room: the port is polled only while it is empty */
    }
    grosr_deque_settle(&w->deque);
    return has;
}

/*
 * Claims a port to be polled with every look from now on, or sees to it that every port is polled by
 * somebody: after some empty polls the worker moves to the next port if nobody has that. Otherwise it stays
 * if it is one of the last workers, and leaves the port to them if it is not: a worker that waits for PCIe
 * sees other work later, and programs that place tasks do so on the first workers. A collective.
 */
GROSR_DEVICE void grosr_worker_watch_port(struct grosr_worker *w)
{
    const struct grosr_queue *q = &w->launch->queue;
    uint32_t next = w->port + 1 < q->ports ? w->port + 1 : 0;
    uint64_t position = 0;

    if (w->inbox_looks) {
        w->inbox_looks--;
        return;
    }
    if (w->polls && w->polls++ < GROSR_PORT_LOOKS)
        return;
    if (!w->polls)
        next = w->port;
    if (grosr_queue_claim(q, next, &position)) {
        grosr_worker_leave_port(w, 0);
        w->again = false;
        w->position = position;
        w->port = next;
        w->polls = 1;
    } else if (!w->polls) {
        w->port = w->port + 1 < q->ports ? w->port + 1 : 0;
    } else if (w->index + 2 * q->ports < w->launch->workers) {
        grosr_worker_leave_port(w, 0);
        w->again = false;
    } else {
        w->polls = 1;
    }
}

/* Tasks that a worker keeps for itself: a batch, or one if they take long. */
GROSR_DEVICE uint32_t grosr_worker_grain(const struct grosr_worker *w)
{
    return w->coarse ? 1 : GROSR_LANES;
}

/* Whether it has more, as far as can be seen at once. A collective. */
GROSR_DEVICE bool grosr_worker_has_surplus(const struct grosr_worker *w)
{
    uint32_t size = grosr_deque_size(&w->deque), bottom = warp_load(&w->deque.local->bottom);

    dev_syncwarp();
    return size > grosr_worker_grain(w) || (size && grosr_deque_read(&w->deque, bottom).count > 1);
}

/* Steps 1 to 3 of the search, and giving. *stop: the runtime stops. A
 * collective. */
GROSR_DEVICE bool grosr_worker_look_around(struct grosr_worker *w, struct grosr_look *look,
                                           struct grosr_entry *e, bool *stop)
{
    const struct grosr_launch *launch = w->launch;
    struct grosr_take take = {};
    bool has = false;

    *look = grosr_worker_look(w, &take);
    uint32_t command = (uint32_t)(look->word >> GROSR_CONTROL_SHIFT), level = command & GROSR_CONTROL_LEVEL;
    *stop = command & GROSR_CONTROL_STOP;
    if (level && level != w->recorder.emit.level + 1)
        grosr_worker_set_level(w, level - 1);
    if (look->word & GROSR_CONTROL_URGENT_MASK) {
        struct grosr_share urgent = grosr_launch_urgent(launch);
        has = grosr_worker_take(w, urgent, e);
        uint64_t n = dev_popc32(dev_ballot(has));
        if (n && dev_lane() == 0)
            dev_add_relaxed(&launch->control->word, 0 - n);
        if (n)
            return has;
    }
    if (look->inbox) {
        struct grosr_taken taken =
            grosr_share_read(grosr_launch_inbox(launch, w->index), GROSR_LANES, w->inbox);
        w->inbox += taken.count;
        w->inbox_looks = GROSR_INBOX_LOOKS;
        has = grosr_worker_took(w, taken, e);
        if (dev_ballot(has))
            return has;
    }
    /* After these, which leave what the poll found in its slots: a full queue would starve them. */
    if (take.count)
        return grosr_worker_polled(w, &take, e);
    if (look->hungry && grosr_worker_has_surplus(w)) {
        uint64_t first = 0;
        uint32_t given = grosr_worker_share(launch, w->deque, w->index, w->coarse ? 1 : GROSR_LANES, &first);
        grosr_count(&w->deque.local->shared, given);
        if (given && w->recorder.emit.level >= GROSR_LEVEL_FULL)
            grosr_emit_at(&w->recorder.emit, GROSR_EV_TASK_SHARE, grosr_payload_task(given, first),
                          dev_clock_ns());
    }
    return has;
}

/* Finds the next batch; whether this lane has a task. *stop: the runtime stops, and there is none. A
 * collective. */
GROSR_DEVICE bool grosr_worker_next(struct grosr_worker *w, struct grosr_entry *e, bool *stop)
{
    const struct grosr_launch *launch = w->launch;
    struct grosr_look look = {};
    bool has = false;

    *stop = false;
    if (launch->one_queue)
        grosr_count(&w->deque.local->shared, grosr_worker_give_all(grosr_launch_overflow(launch), w->deque));
    uint64_t now = dev_shfl64(dev_clock_ns(), 0);
    w->coarse = now - w->stepped_ns > GROSR_COARSE_NS;
    w->stepped_ns = now;
    if (w->more ||
        now - w->looked_ns >= (grosr_deque_size(&w->deque) > GROSR_LANES ? GROSR_POLL_INTERVAL_NS
                                                                         : GROSR_IDLE_POLL_INTERVAL_NS)) {
        has = grosr_worker_look_around(w, &look, e, stop);
        if (*stop)
            return false;
        if (dev_ballot(has)) {
            w->more = true;
            return has;
        }
    }
    if (look.ready) {
        struct grosr_share ready = grosr_launch_ready(launch);
        has = grosr_worker_take(w, ready, e);
        if (dev_ballot(has))
            return has;
    }
    has = grosr_deque_pop(&w->deque, e);
    if (dev_ballot(has))
        return has;
    grosr_worker_flush(w);
    w->more = true;
    if (look.overflow) {
        struct grosr_share overflow = grosr_launch_overflow(launch);
        has = grosr_worker_take(w, overflow, e);
        if (dev_ballot(has))
            return has;
    }
    grosr_worker_watch_port(w);
    return false;
}

#endif
