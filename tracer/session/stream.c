/*
 * Streams (stream.h has the protocol).
 */
#include "stream.h"

#include <string.h>

static const unsigned char zeros[8] = {0};

void grosr_stream_writer_open(struct grosr_stream_writer *w, const struct grosr_session *s, uint32_t stream)
{
    pthread_mutex_init(&w->lock, NULL);
    w->stream = grosr_session_stream(s, stream);
    w->bytes = s->base + s->stream[stream].bytes_at;
    w->capacity = s->stream[stream].capacity;
}

/* Copies to the ring at `position`, around its end. */
static void put(struct grosr_stream_writer *w, uint64_t position, const void *from, size_t bytes)
{
    size_t at = (size_t)(position & (w->capacity - 1)), first = (size_t)w->capacity - at;

    if (first > bytes)
        first = bytes;
    memcpy(w->bytes + at, from, first);
    memcpy(w->bytes, (const unsigned char *)from + first, bytes - first);
}

static void increment(sys64 *counter)
{
    sys_store_relaxed(counter, sys_load_relaxed(counter) + 1);
}

static bool write_record(struct grosr_stream_writer *w, const struct grosr_piece *pieces, unsigned n,
                         bool may_drop)
{
    struct grosr_record head;
    size_t bytes = 0, padded;

    for (unsigned i = 0; i < n; i++)
        bytes += pieces[i].bytes;
    padded = (bytes + 7) / 8 * 8;
    memcpy(&head, pieces[0].at, sizeof(head));
    head.bytes = (uint32_t)padded;

    pthread_mutex_lock(&w->lock);
    uint64_t position = sys_load_relaxed(&w->stream->written_to);
    uint64_t used = position - sys_load_acquire(&w->stream->read_to); /* pairs with grosr_stream_read() */
    bool room = padded <= GROSR_RECORD_MAX && used <= w->capacity && w->capacity - used >= padded;
    if (room) {
        uint64_t at = position;
        put(w, at, &head, sizeof(head));
        at += sizeof(head);
        for (unsigned i = 0; i < n; i++) {
            size_t skip = i ? 0 : sizeof(head);
            put(w, at, (const unsigned char *)pieces[i].at + skip, pieces[i].bytes - skip);
            at += pieces[i].bytes - skip;
        }
        put(w, at, zeros, padded - bytes);
        /* Pairs with the load in grosr_stream_read(). */
        sys_store_release(&w->stream->written_to, position + padded);
    }
    if (room || may_drop)
        increment(room ? &w->stream->written : &w->stream->dropped);
    pthread_mutex_unlock(&w->lock);
    return room;
}

bool grosr_stream_write(struct grosr_stream_writer *w, const struct grosr_piece *pieces, unsigned n)
{
    return write_record(w, pieces, n, true);
}

bool grosr_stream_try_write(struct grosr_stream_writer *w, const struct grosr_piece *pieces, unsigned n)
{
    return write_record(w, pieces, n, false);
}

uint64_t grosr_stream_room(const struct grosr_stream_writer *w)
{
    uint64_t read_to = sys_load_relaxed(&w->stream->read_to);
    uint64_t used = sys_load_relaxed(&w->stream->written_to) - read_to;

    return used < w->capacity ? w->capacity - used : 0;
}

void grosr_stream_reader_open(struct grosr_stream_reader *r, const struct grosr_session *s, uint32_t stream)
{
    r->stream = grosr_session_stream(s, stream);
    r->bytes = s->base + s->stream[stream].bytes_at;
    r->capacity = s->stream[stream].capacity;
    r->position = sys_load_acquire(&r->stream->read_to); /* pairs with grosr_stream_read() */
    r->read = sys_load_relaxed(&r->stream->read);
    r->broken = false;
}

static void get(const struct grosr_stream_reader *r, uint64_t position, void *to, size_t bytes)
{
    size_t at = (size_t)(position & (r->capacity - 1)), first = (size_t)r->capacity - at;

    if (first > bytes)
        first = bytes;
    memcpy(to, r->bytes + at, first);
    memcpy((unsigned char *)to + first, r->bytes, bytes - first);
}

size_t grosr_stream_read(struct grosr_stream_reader *r, unsigned char *to, size_t room)
{
    uint64_t end = sys_load_acquire(&r->stream->written_to); /* pairs with grosr_stream_write() */
    size_t bytes = 0;
    uint64_t records = 0;

    if (end - r->position > r->capacity)
        r->broken = true;
    while (!r->broken && r->position + bytes < end) {
        struct grosr_record head;
        uint64_t at = r->position + bytes, left = end - at;
        if (left < sizeof(head)) {
            r->broken = true;
            break;
        }
        get(r, at, &head, sizeof(head));
        if (head.bytes < sizeof(head) || head.bytes % 8 || head.bytes > GROSR_RECORD_MAX ||
            head.bytes > left) {
            r->broken = true;
            break;
        }
        if (head.bytes > room - bytes)
            break;
        get(r, at, to + bytes, head.bytes);
        /* What was checked is what is handed on, should the bytes have changed in between. */
        memcpy(to + bytes, &head, sizeof(head));
        bytes += head.bytes;
        records++;
    }
    if (bytes) {
        r->position += bytes;
        r->read += records;
        sys_store_relaxed(&r->stream->read, r->read);
        /* Pairs with the load in grosr_stream_write(): the bytes before it may be reused. */
        sys_store_release(&r->stream->read_to, r->position);
    }
    return bytes;
}

bool grosr_stream_at_end(const struct grosr_stream_reader *r)
{
    /* Pairs with grosr_stream_write(). */
    return r->broken || sys_load_acquire(&r->stream->written_to) == r->position;
}
