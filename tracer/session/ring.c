/*
 * The reader's side of an event ring (ring.h has the protocol). Writes nothing but the reader's words of the
 * directory entry: read_to, read, overwritten.
 */
#include "ring.h"

#include <string.h>

/* How often a reader catches up with a writer before it comes back later; a damaged ring is given up so. */
#define TRIES 64

static const sys128 *slots_of(const struct grosr_session *s, uint32_t ring)
{
    return (const sys128 *)(const void *)(s->base + s->ring[ring].slots_at);
}

void grosr_ring_reader_open(struct grosr_ring_reader *r, const struct grosr_session *s, uint32_t index)
{
    memset(r, 0, sizeof(*r));
    r->ring = grosr_session_ring(s, index);
    r->slots = slots_of(s, index);
    r->capacity = s->ring[index].capacity;
    r->position = sys_load_acquire(&r->ring->read_to); /* pairs with grosr_ring_read() */
    r->read = sys_load_relaxed(&r->ring->read);
    r->overwritten = sys_load_relaxed(&r->ring->overwritten);
    /* A collector that was killed between its three stores had not given the slots free yet. */
    if (r->overwritten > r->position)
        r->overwritten = r->position;
    if (r->read > r->position - r->overwritten)
        r->read = r->position - r->overwritten;
    r->markers = r->position - r->read - r->overwritten;
}

/* How many laps the record in a slot is ahead of the expected one (negative: behind). Laps are known modulo
 * 256. */
static int laps_ahead(struct grosr_pair record, uint64_t expected)
{
    return (int8_t)(uint8_t)((uint64_t)grosr_event_lap(record) - expected);
}

static uint64_t lap_at(uint32_t capacity, uint64_t position)
{
    return position / capacity + 1;
}

static bool whole(struct grosr_pair record)
{
    return grosr_event_lap(record) >= 0 && grosr_event_kind(record) != 0;
}

static void skip_to(struct grosr_ring_reader *r, uint64_t position)
{
    r->overwritten += position - r->position;
    r->position = position;
}

/*
 * Copies records from the reader's position on while they are of the expected lap. Returns how many; *ahead:
 * by how many laps the slot after them is ahead (0: nothing there yet).
 */
static uint32_t copy(const struct grosr_ring_reader *r, struct grosr_pair *records, uint32_t max, int *ahead)
{
    uint32_t index = (uint32_t)(r->position % r->capacity), n = 0;
    uint64_t lap = lap_at(r->capacity, r->position);

    *ahead = 0;
    while (n < max) {
        /* Before the load of checked_to in grosr_ring_read(). */
        struct grosr_pair record = sys_load_pair_acquire(&r->slots[index]);
        int laps = whole(record) ? laps_ahead(record, lap) : -1;
        if (laps) {
            *ahead = laps > 0 ? laps : 0;
            break;
        }
        records[n++] = record;
        if (++index == r->capacity) {
            index = 0;
            lap++;
        }
    }
    return n;
}

/*
 * Laps are known modulo 256, so a reader that fell that far behind could take a record for one of 256 laps
 * ago. The writer's published position, read after the records, rules that out: they are at most a lap beyond
 * it.
 */
uint32_t grosr_ring_read(struct grosr_ring_reader *r, struct grosr_pair *records, uint32_t max,
                         uint64_t *first)
{
    const uint64_t start = UINT64_C(1) + r->capacity / 8; /* on a writer that goes on overwriting */
    uint64_t skipped = r->overwritten;
    uint32_t n = 0;

    for (int tries = 0; tries < TRIES; tries++) {
        uint64_t writer = sys_load_relaxed(&r->ring->checked_to);
        int ahead;
        if (writer > r->position + r->capacity)
            skip_to(r, writer - r->capacity + start);
        n = copy(r, records, max, &ahead);
        writer = sys_load_relaxed(&r->ring->checked_to);
        if (writer > r->position + UINT64_C(250) * r->capacity) {
            n = 0;
            continue;
        }
        if (n || !ahead)
            break;
        skip_to(r, r->position + start);
    }
    *first = r->position;
    r->position += n;
    for (uint32_t i = 0; i < n; i++)
        r->markers += grosr_event_kind(records[i]) == GROSR_EV_LOST;
    r->read = r->position - r->markers - r->overwritten;
    if (n || r->overwritten != skipped) {
        sys_store_relaxed(&r->ring->read, r->read);
        sys_store_relaxed(&r->ring->overwritten, r->overwritten);
        /* Pairs with the load in grosr_emit_room(): we are done with the slots before this position. */
        sys_store_release(&r->ring->read_to, r->position);
    }
    return n;
}

bool grosr_ring_at_end(const struct grosr_ring_reader *r)
{
    uint64_t closed = sys_load_acquire(&r->ring->closed_at); /* pairs with grosr_emit_close() */
    return closed && r->position >= closed - 1;
}

/*
 * The position after the newest record, by bisection: slots of the current lap, then slots of the lap before.
 */
static uint64_t find_end(const struct grosr_session *s, uint32_t index)
{
    const struct grosr_ring *ring = grosr_session_ring(s, index);
    const sys128 *slots = slots_of(s, index);
    uint32_t capacity = s->ring[index].capacity;
    uint64_t bound = sys_load_relaxed(&ring->checked_to), read_to = sys_load_relaxed(&ring->read_to);
    uint64_t start = (bound > read_to ? bound : read_to) / capacity * capacity;
    uint32_t low = 0, high = capacity; /* slots below `low` are of this lap or newer, from `high` on older */

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        struct grosr_pair record = sys_load_pair_relaxed(&slots[middle]);
        if (whole(record) && laps_ahead(record, lap_at(capacity, start)) >= 0)
            low = middle + 1;
        else
            high = middle;
    }
    return start + low;
}

void grosr_ring_rewind(struct grosr_ring_reader *r, const struct grosr_session *s, uint32_t index)
{
    uint64_t closed = sys_load_acquire(&r->ring->closed_at); /* pairs with grosr_emit_close() */
    uint64_t end = closed ? closed - 1 : find_end(s, index);

    r->position = end > r->capacity ? end - r->capacity : 0;
    r->overwritten = r->position;
    r->read = r->markers = 0;
    sys_store_relaxed(&r->ring->read, 0);
    sys_store_relaxed(&r->ring->overwritten, r->overwritten);
    sys_store_relaxed(&r->ring->read_to, r->position);
}

uint32_t grosr_ring_latest(const struct grosr_session *s, uint32_t index, uint64_t from,
                           struct grosr_pair *records, uint32_t max, uint64_t *end)
{
    uint64_t closed =
        sys_load_acquire(&grosr_session_ring(s, index)->closed_at); /* as in grosr_ring_at_end() */
    uint64_t last = closed ? closed - 1 : find_end(s, index);
    struct grosr_ring_reader r = {.slots = slots_of(s, index), .capacity = s->ring[index].capacity};
    int ahead;

    *end = last;
    if (max > r.capacity)
        max = r.capacity;
    r.position = last > max ? last - max : 0;
    if (r.position < from)
        r.position = from;
    if (r.position >= last)
        return 0;
    max = (uint32_t)(last - r.position);
    uint32_t n = copy(&r, records, max, &ahead);
    for (int tries = 0; n < max && ahead && tries < TRIES; tries++) {
        /* Overwritten meanwhile: those after the gap. */
        r.position += n + 1;
        max -= n + 1;
        n = copy(&r, records, max, &ahead);
    }
    return n;
}

void grosr_ring_count(const struct grosr_session *s, uint32_t index, struct grosr_ring_counts *c)
{
    const struct grosr_ring *ring = grosr_session_ring(s, index);
    uint64_t closed = sys_load_acquire(&ring->closed_at), end; /* pairs with grosr_emit_close() */

    c->closed = closed != 0;
    uint64_t read_to = sys_load_acquire(&ring->read_to); /* pairs with grosr_ring_read() */

    c->read = sys_load_relaxed(&ring->read);
    c->overwritten = sys_load_relaxed(&ring->overwritten);
    end = closed ? closed - 1 : find_end(s, index);
    c->markers = sys_load_relaxed(&ring->markers);
    /* Markers that were overwritten (drop and overwrite policy in one session) are no events. */
    uint64_t seen = read_to - c->read - c->overwritten;
    if (read_to >= end && c->markers > seen)
        c->overwritten -= c->markers - seen;
    c->dropped = sys_load_relaxed(&ring->dropped);
    c->written = end >= c->markers ? end - c->markers + c->dropped : c->dropped;
}
