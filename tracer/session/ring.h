/*
 * Reading an event ring while its writer runs: no lock, no shared head (emit.h has the writer's side).
 *
 * The reader walks positions. Position p lies in slot p % capacity and belongs to lap p / capacity + 1. What
 * the slot holds tells everything:
 *
 *     both laps are the expected one, kind not 0    the record is whole: take it
 *     an older lap, or two different laps           not written yet (or being written): nothing more for now
 *     a newer lap                                   the writer has lapped us (overwrite policy only): skip to
 * the oldest record that can still be there, count what was lost
 *
 * For every ring, once its writer has closed it and the reader has read it out:
 *     written = read + dropped + overwritten        (LOST markers counted on neither side)
 */
#ifndef GROSR_RING_H
#define GROSR_RING_H

#include "session.h"

struct grosr_ring_reader {
    struct grosr_ring *ring;
    const sys128 *slots;
    uint32_t capacity;
    uint64_t position;    /* next to read */
    uint64_t read;        /* records taken, markers not counted */
    uint64_t markers;     /* LOST markers taken */
    uint64_t overwritten; /* records lost before they were read */
};

struct grosr_ring_counts {
    uint64_t written, read, dropped, overwritten, markers;
    bool closed; /* the writer has published its final counts: `written` is its own count, not derived */
};

/* Continues where an earlier collector of this session stopped. */
void grosr_ring_reader_open(struct grosr_ring_reader *reader, const struct grosr_session *session,
                            uint32_t ring);

/*
 * Goes back to the oldest record that is still in the ring of a dead process, whoever has read it before.
 * What is older counts as overwritten.
 */
void grosr_ring_rewind(struct grosr_ring_reader *reader, const struct grosr_session *session, uint32_t ring);

/*
 * Takes up to `max` records, in order; the first stands at position *first. Publishes to the writer that the
 * slots are free. Returns the number taken; 0: nothing new. One thread per reader.
 */
uint32_t grosr_ring_read(struct grosr_ring_reader *reader, struct grosr_pair *records, uint32_t max,
                         uint64_t *first);

/* All that was written has been read. Only meaningful once the writer has closed the ring. */
bool grosr_ring_at_end(const struct grosr_ring_reader *reader);

/*
 * Copies the latest records that are in the ring, at most `max`, the oldest first, those from position `from`
 * on. Nothing is written, so that a collector is not disturbed. Returns how many; *end: the position after
 * the newest record. Fewer than there are, if the writer overwrites them meanwhile.
 */
uint32_t grosr_ring_latest(const struct grosr_session *session, uint32_t ring, uint64_t from,
                           struct grosr_pair *records, uint32_t max, uint64_t *end);

/*
 * The counters of a ring, from the segment alone: usable by any process at any time. While the writer runs,
 * `written` counts what a reader could find now.
 */
void grosr_ring_count(const struct grosr_session *session, uint32_t ring, struct grosr_ring_counts *counts);

#endif
