/*
 * A session's checkpoint, and continuing from it where a killed collector stopped (source.h). The checkpoint,
 * which is stored with every commit, says how far each ring is in the file; the session says how far the ring
 * has been read. What lies between, the killed collector had read and not committed: up to half a second's
 * events, and what waited for its writer. (If slots were freed only when their events are committed, nothing
 * would be lost, but rings would have to hold all of that: 64 MiB of them fill in less than a second at the
 * rates that collectors are for.)
 */
#include "source.h"

#include "../base/error.h"
#include "../../schema/schema.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* What must be the same for stored bytes to mean the same. */
struct head {
    uint32_t version, bytes_of_head, bytes_of_bases, bytes_of_stored, bytes_of_counts;
    uint32_t rings, streams;
    uint32_t unused;
};

static struct head head_of(const struct grosr_source *s)
{
    return (struct head){.version = GROSR_SCHEMA_VERSION,
                         .bytes_of_head = sizeof(struct head),
                         .bytes_of_bases = sizeof(s->bases),
                         .bytes_of_stored = sizeof(*s->stored),
                         .bytes_of_counts = sizeof(*s->base),
                         .rings = s->session->header.rings,
                         .streams = s->session->header.streams};
}

/* Takes 8 bytes at a time, then those that are left over. Never 0. */
static uint64_t hash_of(const unsigned char *bytes, size_t size)
{
    uint64_t hash = size + 1, word = 0;

    for (; size >= sizeof(word); size -= sizeof(word), bytes += sizeof(word)) {
        memcpy(&word, bytes, sizeof(word));
        hash = (hash ^ word) * 0x9e3779b97f4a7c15u;
        hash ^= hash >> 29;
    }
    word = 0;
    memcpy(&word, bytes, size);
    return (hash ^ word) * 0x9e3779b97f4a7c15u | 1;
}

int grosr_source_save(struct grosr_source *s, struct grosr_store *store)
{
    const struct grosr_session_header *h = &s->session->header;
    const struct head head = head_of(s);
    struct grosr_checkpoint checkpoint = {.bytes = NULL};
    int err = 0;

    grosr_checkpoint_put(&checkpoint, &head, sizeof(head));
    grosr_checkpoint_put(&checkpoint, &s->bases, sizeof(s->bases));
    grosr_checkpoint_put(&checkpoint, &s->snapshots_written, sizeof(s->snapshots_written));
    grosr_checkpoint_put(&checkpoint, s->base, h->rings * sizeof(*s->base));
    grosr_checkpoint_put(&checkpoint, s->stream_base, h->streams * sizeof(*s->stream_base));
    grosr_checkpoint_put(&checkpoint, s->stored, h->rings * sizeof(*s->stored));
    grosr_checkpoint_put(&checkpoint, s->stream_stored, h->streams * sizeof(*s->stream_stored));
    grosr_rows_save(s->rows, &checkpoint);
    if (s->records)
        grosr_records_save(s->records, &checkpoint);
    if (checkpoint.failed) {
        err = grosr_fail(ENOMEM, "out of memory");
    } else if (hash_of(checkpoint.bytes, checkpoint.size) != s->saved) {
        s->saved = hash_of(checkpoint.bytes, checkpoint.size);
        err = grosr_store_save_checkpoint(store, s->bases.session, &checkpoint);
    }
    grosr_checkpoint_free(&checkpoint);
    return err;
}

static int load(struct grosr_source *s, struct grosr_store *store, struct grosr_checkpoint *checkpoint)
{
    const struct grosr_session_header *h = &s->session->header;
    const struct head expected = head_of(s);
    struct head head;
    int err;

    grosr_checkpoint_get(checkpoint, &head, sizeof(head));
    if (memcmp(&head, &expected, sizeof(head))) {
        checkpoint->failed = true;
        return 0;
    }
    grosr_checkpoint_get(checkpoint, &s->bases, sizeof(s->bases));
    grosr_checkpoint_get(checkpoint, &s->snapshots_written, sizeof(s->snapshots_written));
    grosr_checkpoint_get(checkpoint, s->base, h->rings * sizeof(*s->base));
    grosr_checkpoint_get(checkpoint, s->stream_base, h->streams * sizeof(*s->stream_base));
    grosr_checkpoint_get(checkpoint, s->stored, h->rings * sizeof(*s->stored));
    grosr_checkpoint_get(checkpoint, s->stream_stored, h->streams * sizeof(*s->stream_stored));
    err = grosr_source_create_writers(s, store);
    if (!err)
        err = grosr_rows_load(s->rows, checkpoint);
    if (!err && s->records)
        err = grosr_records_load(s->records, checkpoint);
    return err;
}

/* `all` less what is known of it; 0 rather than less, `max` rather than more. */
static uint64_t remaining(uint64_t all, uint64_t known, uint64_t max)
{
    uint64_t more = all > known ? all - known : 0;
    return more < max ? more : max;
}

/*
 * Counts what was read of a ring and not stored, and makes rows resume behind it: at once, or when the chunks
 * before it have been replayed.
 */
static int count_unstored(struct grosr_source *s, struct grosr_store *store, uint32_t i, bool chunks)
{
    const struct grosr_ring_reader *reader = &s->reader[i];
    struct grosr_stored *stored = &s->stored[i];
    uint64_t gap = reader->position > stored->position ? reader->position - stored->position : 0;
    uint64_t overwritten = remaining(reader->overwritten, s->base[i].overwritten + stored->overwritten, gap);
    uint64_t unstored =
        remaining(reader->read, s->base[i].read + stored->read + stored->unstored, gap - overwritten);
    uint32_t ring = (uint32_t)s->bases.ring + i;
    int err = 0;

    if (unstored)
        err = grosr_store_loss(store, ring, stored->position, GROSR_NULL, unstored, "unstored");
    if (!err && overwritten)
        err = grosr_store_loss(store, ring, stored->position, GROSR_NULL, overwritten, "overwritten");
    if (!err && gap && chunks)
        err = grosr_store_put_chunk(store, ring, reader->position - 1, grosr_host_clock_ns(), NULL, 1);
    if (gap && !chunks)
        grosr_rows_resume(s->rows, i, reader->position);
    stored->position += gap;
    stored->overwritten += overwritten;
    stored->unstored += unstored;
    s->from[i] = *stored;
    return err;
}

int grosr_source_resume(struct grosr_source *s, struct grosr_store *store, int64_t number)
{
    struct grosr_checkpoint checkpoint = {.bytes = NULL};
    uint64_t chunks = 0;
    int err = grosr_store_load_checkpoint(store, number, &checkpoint);

    if (!err)
        err = load(s, store, &checkpoint);
    if (!err && (checkpoint.failed || checkpoint.at != checkpoint.size || s->bases.session != number))
        err =
            grosr_fail(EPROTO, "the trace's checkpoint was written by another version; choose another name");
    grosr_checkpoint_free(&checkpoint);
    if (!err)
        err = grosr_store_load_clock(store, &s->bases, &s->clock);
    s->clock.taken = s->snapshots_written;
    if (!err)
        err = grosr_store_count_chunks(store, &chunks, NULL);
    for (uint32_t i = 0; !err && i < s->session->header.rings; i++)
        err = count_unstored(s, store, i, chunks != 0);
    for (uint32_t i = 0; !err && i < s->session->header.streams; i++) {
        struct grosr_stored *stored = &s->stream_stored[i];
        stored->unstored +=
            remaining(s->stream[i].read, s->stream_base[i] + stored->read + stored->unstored, UINT64_MAX);
    }
    return err;
}
