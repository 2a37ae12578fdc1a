/*
 * Giving tasks to workers that have none, the oldest first: they are the largest parts of a tree.
 *
 * A hungry worker has set its bit in struct grosr_control. Who clears the bit has the right and the duty to
 * give that worker one entry: so two givers never choose the same worker for one bit, and no entry is given
 * to a worker that has not asked. The entry goes into the worker's inbox (share.h), whose slot is filled with
 * release. The giver's deque is its own; it raises the bottom only after the entries below are in the rings.
 */
#ifndef GROSR_BALANCE_H
#define GROSR_BALANCE_H

#include "launch.h"

/* Chooses one hungry worker of those in a word, if there is one still, from worker `near` on. Called by any
 * lanes. */
GROSR_DEVICE bool grosr_hungry_choose(struct grosr_control *control, uint32_t word, uint32_t near,
                                      uint32_t *worker)
{
    dev64 *p = &control->hungry[word];
    uint64_t hungry = dev_load_relaxed(p);

    while (hungry) {
        uint64_t after = hungry & ~UINT64_C(0) << near % 64;
        uint32_t i = dev_ffs64(after ? after : hungry) - 1;
        uint64_t before = dev_and_relaxed(p, ~(UINT64_C(1) << i));
        if (before >> i & 1) {
            *worker = i * GROSR_HUNGRY_WORDS + word;
            return true;
        }
        hungry = before;
    }
    return false;
}

/*
 * Gives to the hungry, at most one entry to each: pieces of the range at the bottom of the deque, of `grain`
 * tasks at least, or the oldest entries, half of them at most, keeping `grain`. Returns how many tasks;
 * *first is the number of one of them. A collective.
 */
GROSR_DEVICE_COLD uint32_t grosr_worker_share(const struct grosr_launch *launch, struct grosr_deque deque,
                                              uint32_t index, uint32_t grain, uint64_t *first)
{
    uint32_t bottom = warp_load(&deque.local->bottom), size = grosr_deque_size(&deque), given = 0;

    for (uint32_t k = 0; k < GROSR_HUNGRY_WORDS; k += GROSR_LANES) {
        uint32_t word = (k + dev_lane()) % GROSR_HUNGRY_WORDS, worker = 0;
        uint32_t would = dev_ballot(dev_load_relaxed(&launch->control->hungry[word]) != 0), piece = 0, n;
        struct grosr_entry e = {}, oldest = {};

        if (!would || !size)
            continue;
        dev_syncwarp();
        oldest = grosr_deque_read(&deque, bottom);
        if (oldest.count > 1) {
            n = dev_popc32(would);
            n = n < oldest.count / grain - 1 ? n : oldest.count / grain - 1;
            n = oldest.count < 2 * grain ? 0 : n;
            piece = oldest.count / (n + 1);
        } else {
            n = size > grain ? size - grain : 0;
            n = n < size / 2 ? n : size / 2;
            n = n < dev_popc32(would) ? n : dev_popc32(would);
            /* Ranges further up wait for the next look. */
            bool range = dev_lane() < n && grosr_deque_read(&deque, bottom + dev_lane()).count > 1;
            uint32_t first_range = dev_ffs32(dev_ballot(range));
            n = first_range ? first_range - 1 : n;
        }
        /* The first n lanes that see a hungry worker try to choose one; each that has chosen gives one entry.
         */
        uint32_t rank = dev_popc32(would & ((1u << dev_lane()) - 1));
        bool chosen = would >> dev_lane() & 1 && rank < n &&
                      grosr_hungry_choose(launch->control, word, index / GROSR_HUNGRY_WORDS, &worker);
        uint32_t takers = dev_ballot(chosen), got = dev_popc32(takers);
        rank = dev_popc32(takers & ((1u << dev_lane()) - 1));
        if (chosen) {
            e = piece ? grosr_entry_at(oldest, oldest.count - (rank + 1) * piece, piece)
                      : grosr_deque_read(&deque, bottom + rank);
            struct grosr_share inbox = grosr_launch_inbox(launch, worker);
            /*
             * A hungry worker's inbox may be full by now, of grosr_spawn_on(). Then the entry goes into the
             * overflow ring; when that is full too, whichever has room first: a worker that runs looks into
             * its inbox soon. Once the runtime stops workers no longer look, and the task is among those that
             * the stop cancels.
             */
            struct grosr_share overflow = grosr_launch_overflow(launch);
            uint32_t backoff = 0;
            while (!grosr_share_put_lane(inbox, e) && !grosr_share_put_lane(overflow, e) &&
                   !(dev_load_relaxed(&launch->control->word) >> GROSR_CONTROL_SHIFT & GROSR_CONTROL_STOP))
                dev_backoff(&backoff);
        }
        if (got)
            *first = dev_shfl64(e.number, dev_ffs32(takers) - 1);
        dev_syncwarp();
        if (dev_lane() == 0 && piece)
            grosr_deque_write(&deque, bottom, grosr_entry_at(oldest, 0, oldest.count - got * piece));
        else if (dev_lane() == 0)
            grosr_deque_raise(&deque, bottom + got);
        dev_syncwarp();
        given += piece ? got * piece : got;
        bottom += piece ? 0 : got;
        size -= piece ? 0 : got;
    }
    return given;
}

/* Puts all it has into the one shared ring, as far as there is room (a baseline). A collective.
 */
GROSR_DEVICE_COLD uint32_t grosr_worker_give_all(struct grosr_share s, struct grosr_deque deque)
{
    uint32_t size, given, all = 0;

    do {
        struct grosr_entry e = {};
        uint32_t bottom = warp_load(&deque.local->bottom);
        size = grosr_deque_size(&deque);
        size = size < GROSR_LANES ? size : GROSR_LANES;
        dev_syncwarp();
        if (dev_lane() < size)
            e = grosr_deque_read(&deque, bottom + dev_lane());
        given = grosr_share_put(s, size, e);
        dev_syncwarp();
        if (dev_lane() == 0)
            grosr_deque_raise(&deque, bottom + given);
        dev_syncwarp();
        all += given;
    } while (given == GROSR_LANES);
    return all;
}

#endif
