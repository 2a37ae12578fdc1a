/*
 * What rows to come depend on, stored and read back (rows.h). Of the batches whose tasks have not all been
 * asked for, which lost events can make many, the newest are stored: STORED_BATCHES of all rings together.
 */
#include "rows_parts.h"

#include "../base/error.h"

#include <errno.h>
#include <stdlib.h>

#define STORED_BATCHES 65536u
#define MIN_BATCHES    64u /* of each ring */

/* A ring's numbers, as they are stored. */
struct numbers {
    uint64_t expected, told, spawns, latest_ns;
    int64_t start, end, sm;
    uint64_t open;
};

static void save_enqueue_times(const struct grosr_enqueue_times *w, size_t most,
                               struct grosr_checkpoint *state)
{
    size_t first = w->count;
    uint64_t count = 0;

    while (first > 0 && count < most)
        count += w->batch[--first].left != 0;
    grosr_checkpoint_put(state, &count, sizeof(count));
    for (size_t i = first; i < w->count; i++)
        if (w->batch[i].left)
            grosr_checkpoint_put(state, &w->batch[i], sizeof(w->batch[i]));
}

static int load_enqueue_times(struct grosr_enqueue_times *w, struct grosr_checkpoint *state)
{
    struct grosr_enqueue b;
    int err = 0;

    for (uint64_t n = grosr_checkpoint_get_count(state, sizeof(b)); !err && n > 0; n--) {
        grosr_checkpoint_get(state, &b, sizeof(b));
        err = grosr_enqueue_times_add(w, b.first, b.count, b.time);
        if (!err && w->batch[w->count - 1].first == b.first)
            w->batch[w->count - 1].left = b.left;
    }
    return err;
}

void grosr_rows_save(const struct grosr_rows *r, struct grosr_checkpoint *state)
{
    uint32_t rings = r->session->header.rings;
    size_t share = STORED_BATCHES / rings > MIN_BATCHES ? STORED_BATCHES / rings : MIN_BATCHES;

    grosr_checkpoint_put(state, &r->from, sizeof(r->from));
    grosr_checkpoint_put(state, &r->cut, sizeof(r->cut));
    for (uint32_t i = 0; i < rings; i++) {
        const struct ring_state *ring = &r->ring[i];
        const struct numbers n = {ring->expected, ring->told, ring->spawns, ring->latest_ns,
                                  ring->start,    ring->end,  ring->sm,     ring->open_count};
        uint64_t waiting = ring->waiting_count;
        grosr_checkpoint_put(state, &n, sizeof(n));
        grosr_checkpoint_put(state, ring->open, ring->open_count * sizeof(ring->open[0]));
        grosr_checkpoint_put(state, &waiting, sizeof(waiting));
        grosr_checkpoint_put(state, ring->waiting, ring->waiting_count * sizeof(*ring->waiting));
        save_enqueue_times(&ring->enqueued, share, state);
    }
}

static int load_waiting(struct grosr_rows *r, struct ring_state *ring, struct grosr_checkpoint *state)
{
    uint64_t count = grosr_checkpoint_get_count(state, sizeof(*ring->waiting));

    if (count == 0)
        return 0;
    ring->waiting = (struct waiting_row *)malloc(count * sizeof(*ring->waiting));
    if (!ring->waiting)
        return grosr_fail(ENOMEM, "out of memory for %llu rows", (unsigned long long)count);
    grosr_checkpoint_get(state, ring->waiting, count * sizeof(*ring->waiting));
    ring->waiting_count = ring->waiting_room = count;
    r->waiting += count;
    return 0;
}

int grosr_rows_load(struct grosr_rows *r, struct grosr_checkpoint *state)
{
    int err = 0;

    grosr_checkpoint_get(state, &r->from, sizeof(r->from));
    grosr_checkpoint_get(state, &r->cut, sizeof(r->cut));
    for (uint32_t i = 0; !err && !state->failed && i < r->session->header.rings; i++) {
        struct ring_state *ring = &r->ring[i];
        struct numbers n;
        grosr_checkpoint_get(state, &n, sizeof(n));
        if (n.open > OPEN_MAX) {
            state->failed = true;
            break;
        }
        ring->expected = n.expected;
        ring->told = n.told;
        ring->spawns = n.spawns;
        ring->latest_ns = n.latest_ns;
        ring->start = n.start;
        ring->end = n.end;
        ring->sm = n.sm;
        ring->open_count = (uint32_t)n.open;
        grosr_checkpoint_get(state, ring->open, n.open * sizeof(ring->open[0]));
        err = load_waiting(r, ring, state);
        if (!err)
            err = load_enqueue_times(&ring->enqueued, state);
    }
    return err;
}
