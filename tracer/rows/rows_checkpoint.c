/*
 * The part of a checkpoint that later rows depend on (rows.h). Lost events can leave many batches of which
 * some tasks were never asked for; the newest of them are stored, STORED_BATCHES of all rings together.
 */
#include "rows_parts.h"

#include "../base/error.h"

#include <errno.h>
#include <stdlib.h>

#define STORED_BATCHES 65536u
#define MIN_BATCHES    64u /* of each ring */

/* A ring's numbers, as they are stored. */
struct numbers {
    uint64_t expected, marked_drops, spawns, latest_ns;
    int64_t start, end, sm;
    uint64_t open;
    int64_t heap_function, heap_task;
};

static void save_enqueue_times(const struct grosr_enqueue_times *w, size_t max,
                               struct grosr_checkpoint *checkpoint)
{
    size_t first = w->count;
    uint64_t count = 0;

    while (first > 0 && count < max)
        count += w->batch[--first].left != 0;
    grosr_checkpoint_put(checkpoint, &count, sizeof(count));
    for (size_t i = first; i < w->count; i++)
        if (w->batch[i].left)
            grosr_checkpoint_put(checkpoint, &w->batch[i], sizeof(w->batch[i]));
}

static int load_enqueue_times(struct grosr_enqueue_times *w, struct grosr_checkpoint *checkpoint)
{
    struct grosr_enqueue b;
    int err = 0;

    for (uint64_t n = grosr_checkpoint_get_count(checkpoint, sizeof(b)); !err && n > 0; n--) {
        grosr_checkpoint_get(checkpoint, &b, sizeof(b));
        err = grosr_enqueue_times_add(w, b.first, b.count, b.time);
        if (!err && w->batch[w->count - 1].first == b.first)
            w->batch[w->count - 1].left = b.left;
    }
    return err;
}

void grosr_rows_save(const struct grosr_rows *r, struct grosr_checkpoint *checkpoint)
{
    uint32_t rings = r->session->header.rings;
    size_t share = STORED_BATCHES / rings > MIN_BATCHES ? STORED_BATCHES / rings : MIN_BATCHES;

    grosr_checkpoint_put(checkpoint, &r->from, sizeof(r->from));
    grosr_checkpoint_put(checkpoint, &r->cut, sizeof(r->cut));
    for (uint32_t i = 0; i < rings; i++) {
        const struct ring_state *ring = &r->ring[i];
        const struct numbers n = {ring->expected,      ring->marked_drops, ring->spawns, ring->latest_ns,
                                  ring->start,         ring->end,          ring->sm,     ring->open_count,
                                  ring->heap_function, ring->heap_task};
        uint64_t waiting = ring->waiting_count;
        grosr_checkpoint_put(checkpoint, &n, sizeof(n));
        grosr_checkpoint_put(checkpoint, ring->open, ring->open_count * sizeof(ring->open[0]));
        grosr_checkpoint_put(checkpoint, &waiting, sizeof(waiting));
        grosr_checkpoint_put(checkpoint, ring->waiting, ring->waiting_count * sizeof(*ring->waiting));
        save_enqueue_times(&ring->enqueued, share, checkpoint);
    }
}

static int load_waiting(struct grosr_rows *r, struct ring_state *ring, struct grosr_checkpoint *checkpoint)
{
    uint64_t count = grosr_checkpoint_get_count(checkpoint, sizeof(*ring->waiting));

    if (count == 0)
        return 0;
    ring->waiting = (struct waiting_row *)malloc(count * sizeof(*ring->waiting));
    if (!ring->waiting)
        return grosr_fail(ENOMEM, "out of memory for %llu rows", (unsigned long long)count);
    grosr_checkpoint_get(checkpoint, ring->waiting, count * sizeof(*ring->waiting));
    ring->waiting_count = ring->waiting_room = count;
    r->waiting += count;
    return 0;
}

int grosr_rows_load(struct grosr_rows *r, struct grosr_checkpoint *checkpoint)
{
    int err = 0;

    grosr_checkpoint_get(checkpoint, &r->from, sizeof(r->from));
    grosr_checkpoint_get(checkpoint, &r->cut, sizeof(r->cut));
    for (uint32_t i = 0; !err && !checkpoint->failed && i < r->session->header.rings; i++) {
        struct ring_state *ring = &r->ring[i];
        struct numbers n;
        grosr_checkpoint_get(checkpoint, &n, sizeof(n));
        if (n.open > OPEN_MAX) {
            checkpoint->failed = true;
            break;
        }
        ring->expected = n.expected;
        ring->marked_drops = n.marked_drops;
        ring->spawns = n.spawns;
        ring->latest_ns = ring->lost_ns = n.latest_ns; /* what follows may be missing */
        ring->start = n.start;
        ring->end = n.end;
        ring->sm = n.sm;
        ring->heap_function = n.heap_function;
        ring->heap_task = n.heap_task;
        ring->open_count = (uint32_t)n.open;
        grosr_checkpoint_get(checkpoint, ring->open, n.open * sizeof(ring->open[0]));
        err = load_waiting(r, ring, checkpoint);
        if (!err)
            err = load_enqueue_times(&ring->enqueued, checkpoint);
    }
    return err;
}
