/*
 * Windows of enqueue times (enqueue_times.h): an array in order of `first`, which grows at its end and is
 * compacted when it is full; the last hit is tried before searching.
 */
#include "enqueue_times.h"

#include "../base/error.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>

/* How many batches one may be late by: more than there are host threads. From a damaged ring they may come in
 * any order, and one that is later is dropped rather than sorted in. */
#define INTERLEAVED_MAX 4096u

/* Drops batches that will not be asked for. */
static void compact(struct grosr_enqueue_times *w)
{
    uint64_t newest = w->count ? w->batch[w->count - 1].first : 0;
    size_t kept = 0;

    for (size_t i = 0; i < w->count; i++)
        if (w->batch[i].left && newest - w->batch[i].first <= w->reach)
            w->batch[kept++] = w->batch[i];
    w->count = kept;
    w->hint = 0;
}

/* Makes room for one more: costs a constant for each batch added, since half of the window is free after it.
 */
static int make_room(struct grosr_enqueue_times *w)
{
    compact(w);
    if (w->room && w->count <= w->room / 2)
        return 0;
    size_t more = w->room ? w->room : 64;
    if (more > *w->spare && w->room >= GROSR_ENQUEUE_TIMES_MIN) {
        w->count -= w->room / 2;
        memmove(w->batch, w->batch + w->room / 2, w->count * sizeof(*w->batch));
        return 0;
    }
    struct grosr_enqueue *batch =
        (struct grosr_enqueue *)realloc(w->batch, (w->room + more) * sizeof(*w->batch));
    if (!batch)
        return grosr_fail(ENOMEM, "out of memory for %zu batches", w->room + more);
    w->batch = batch;
    w->room += more;
    *w->spare -= more < *w->spare ? more : *w->spare;
    return 0;
}

int grosr_enqueue_times_add(struct grosr_enqueue_times *w, uint64_t first, uint32_t count, int64_t time)
{
    int err = w->count == w->room ? make_room(w) : 0;

    if (err)
        return err;
    size_t at = w->count;
    for (; at && w->batch[at - 1].first > first; at--) /* host threads interleave */
        if (w->count - at == INTERLEAVED_MAX)
            return 0;
    memmove(&w->batch[at + 1], &w->batch[at], (w->count++ - at) * sizeof(*w->batch));
    w->batch[at] = (struct grosr_enqueue){first, time, count, count};
    return 0;
}

static bool has(const struct grosr_enqueue *b, uint64_t task)
{
    return task >= b->first && task - b->first < b->count;
}

int64_t grosr_enqueue_times_take(struct grosr_enqueue_times *w, uint64_t task, int64_t unknown)
{
    size_t low = 0, high = w->count;

    if (w->hint >= high || !has(&w->batch[w->hint], task)) {
        while (low < high) { /* the last batch whose first <= task */
            size_t middle = low + (high - low) / 2;
            if (w->batch[middle].first <= task)
                low = middle + 1;
            else
                high = middle;
        }
        if (low == 0 || !has(&w->batch[low - 1], task))
            return unknown;
        w->hint = low - 1;
    }
    struct grosr_enqueue *b = &w->batch[w->hint];
    if (b->left)
        b->left--;
    return b->time;
}
