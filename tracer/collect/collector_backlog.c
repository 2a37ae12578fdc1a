/*
 * The collector's backlog (collector_parts.h): events that the writer spools, packed into chunks of the file,
 * and replays, oldest first. A ring's events are replayed in the order in which they were read, and rows are
 * made directly only while there is no backlog. Everything here is the writer's.
 *
 * Of the `spooled` events `built` have been replayed or skipped; a source is not finished before its own have
 * been (`backlog` in source.h).
 */
#include "collector_parts.h"
#include "../base/time_limits.h"

#include <stdlib.h>
#include <string.h>

#define CUT_MARGIN_NS 1000000u /* by how much the clocks' errors may date an event after it was drained */

/* ---- spooling ---- */

static void spool_chunk(struct collector *c, const struct grosr_batch *b, struct grosr_source *s,
                        uint32_t ring, uint64_t first, uint32_t count)
{
    collector_failed(c, grosr_store_put_chunk(c->store, (uint32_t)s->bases.ring + ring, first, b->drained_ns,
                                              c->gathered, count));
    c->spooled += count;
    c->spooled_ns = b->drained_ns;
    s->backlog += count;
}

/* Spools a ring's runs of the batch, joined: there may be many short ones. */
static void spool_ring(struct collector *c, const struct grosr_batch *b, struct grosr_source *s,
                       uint32_t index)
{
    uint64_t first = 0;
    uint32_t n = 0;

    for (uint32_t i = s->run_of[index]; i && !c->error; i = b->run[i - 1].next) {
        const struct grosr_run *run = &b->run[i - 1];
        for (uint32_t done = 0, part; done < run->count && !c->error; done += part) {
            if (n == CHUNK_EVENTS || (n && first + n != run->first + done)) {
                spool_chunk(c, b, s, index, first, n);
                n = 0;
            }
            if (n == 0)
                first = run->first + done;
            part = run->count - done < CHUNK_EVENTS - n ? run->count - done : CHUNK_EVENTS - n;
            memcpy(c->gathered + n, b->event + run->at + done, part * sizeof(*c->gathered));
            n += part;
        }
    }
    if (n && !c->error)
        spool_chunk(c, b, s, index, first, n);
    s->run_of[index] = 0;
}

void collector_spool(struct collector *c, struct grosr_batch *b)
{
    for (uint32_t i = b->runs; i > 0; i--) {
        struct grosr_run *run = &b->run[i - 1];
        if (run->ring >= run->source->session->header.rings)
            continue;
        run->next = run->source->run_of[run->ring];
        run->source->run_of[run->ring] = i;
    }
    for (uint32_t i = 0; i < c->unfinished_count; i++) {
        struct grosr_source *s = c->unfinished[i];
        for (uint32_t ring = s->session->header.rings; ring > 0; ring--)
            spool_ring(c, b, s, ring - 1);
    }
}

/* ---- replaying ---- */

bool collector_clock_covers(const struct collector *c, uint64_t drained_ns, uint64_t now)
{
    if (now - drained_ns > GROSR_ROWS_CLOCK_TIMEOUT_NS)
        return true;
    for (uint32_t i = 0; i < c->unfinished_count; i++)
        if (!grosr_clock_covers(&c->unfinished[i]->clock, drained_ns))
            return false;
    return true;
}

void collector_build(struct collector *c, struct grosr_source *s, uint32_t ring, uint64_t first,
                     const struct grosr_pair *events, uint32_t count, uint64_t drained_ns)
{
    collector_apply_window(c, s);
    collector_failed(c, grosr_source_build(s, ring, first, events, count, drained_ns));
}

/* The source of a ring by its number in the file; NULL: none. */
static struct grosr_source *source_of_ring(const struct collector *c, uint32_t ring)
{
    for (uint32_t i = 0; i < c->unfinished_count; i++)
        if (ring - (uint64_t)c->unfinished[i]->bases.ring < c->unfinished[i]->session->header.rings)
            return c->unfinished[i];
    return NULL;
}

/*
 * Replays the oldest chunk, or skips it if it has expired. One without records is a gap: what a killed
 * collector had read and not stored.
 */
static void replay_chunk(struct collector *c, bool expired)
{
    struct grosr_pair *records;
    uint32_t ring, count;
    uint64_t first, drained_ns;

    if (collector_failed(c, grosr_store_take_chunk(c->store, &ring, &first, &drained_ns, &records, &count)))
        return;
    struct grosr_source *s = source_of_ring(c, ring);
    ring -= s ? (uint32_t)s->bases.ring : 0;
    if (s && !records) {
        grosr_rows_resume(s->rows, ring, first + count);
    } else if (s && !expired) {
        collector_build(c, s, ring, first, records, count, drained_ns);
    } else if (s) {
        collector_apply_window(c, s);
        collector_failed(c, grosr_source_skip(s, ring, first, records, count, drained_ns));
    }
    if (s)
        s->backlog -= count;
    free(records);
    c->built += count;
    c->oldest_ns = 0;
}

/* Whether the oldest chunk was drained before `ns`. */
static bool oldest_is_before(struct collector *c, uint64_t ns)
{
    if (!c->error && c->built < c->spooled && !c->oldest_ns)
        collector_failed(c, grosr_store_oldest_chunk(c->store, &c->oldest_ns));
    return !c->error && c->built < c->spooled && c->oldest_ns < ns;
}

/*
 * A recording with a window replays chunks that are older than it when the writer is idle. If it has not been
 * for half as long again, they are skipped.
 */
void collector_skip_expired(struct collector *c)
{
    uint64_t late = collector_window(c) + collector_window(c) / 2;

    while (late && c->latest_ns > late && oldest_is_before(c, c->latest_ns - late))
        replay_chunk(c, true);
}

/*
 * Whether the oldest chunk is due: without a window as soon as the clock covers the whole backlog, with one
 * as soon as the chunk is older than the window.
 */
static bool chunk_is_due(struct collector *c, uint64_t now)
{
    if (c->error || c->built == c->spooled)
        return false;
    if (!c->options->window_ns)
        return collector_clock_covers(c, c->spooled_ns, now);
    return c->from_ns > CUT_MARGIN_NS && oldest_is_before(c, c->from_ns - CUT_MARGIN_NS);
}

bool collector_replay_due(struct collector *c, uint64_t now)
{
    bool due = chunk_is_due(c, now);

    if (due)
        replay_chunk(c, false);
    return due;
}

void collector_replay_oldest(struct collector *c)
{
    replay_chunk(c, false);
}
