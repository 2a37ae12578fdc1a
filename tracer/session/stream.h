/*
 * Streams: bytes in a session through which a process passes records of varying length (record.h) to the
 * collector.
 *
 * A stream is a ring of bytes with positions that only grow; byte p lies at p % capacity. Writers, threads of
 * the process that owns the session, take turns under a lock of their own. One copies its whole record behind
 * written_to and then moves written_to past it, with release: what a reader finds before written_to is whole
 * records, also when the process is killed in between. The reader moves read_to past what it has copied out,
 * with release; the writer reads that with acquire before it reuses the bytes. A record without room is
 * dropped and counted: written + dropped is what there was to tell.
 */
#ifndef GROSR_STREAM_H
#define GROSR_STREAM_H

#include "record.h"
#include "session.h"

#include <pthread.h>

struct grosr_stream_writer {
    pthread_mutex_t lock;
    struct grosr_stream *stream;
    unsigned char *bytes;
    uint64_t capacity;
};

/* One writer for each stream of the session's owner. The session outlives it. */
void grosr_stream_writer_open(struct grosr_stream_writer *writer, const struct grosr_session *session,
                              uint32_t stream);

/* A piece of a record. */
struct grosr_piece {
    const void *at;
    size_t bytes;
};

/*
 * Writes one record made of pieces, the first of which begins with its header; the header's `bytes` is set
 * here, padding added. False: it was dropped, for want of room or because it is longer than GROSR_RECORD_MAX.
 * Any thread; not from signal handlers.
 */
bool grosr_stream_write(struct grosr_stream_writer *writer, const struct grosr_piece *pieces, unsigned count);

/* The same, but a record for which there is no room is not dropped: the caller comes again. */
bool grosr_stream_try_write(struct grosr_stream_writer *writer, const struct grosr_piece *pieces,
                            unsigned count);

/* Bytes that are free at the moment; by the time of a write, other writers may have used them. */
uint64_t grosr_stream_room(const struct grosr_stream_writer *writer);

struct grosr_stream_reader {
    struct grosr_stream *stream;
    const unsigned char *bytes;
    uint64_t capacity;
    uint64_t position; /* next to read */
    uint64_t read;     /* records */
    bool broken;       /* it held what no writer writes: the rest is not read */
};

/* Continues where an earlier collector of this session stopped. */
void grosr_stream_reader_open(struct grosr_stream_reader *reader, const struct grosr_session *session,
                              uint32_t stream);

/*
 * Copies whole records into `to`, as many as there are and fit in `room` bytes (at least GROSR_RECORD_MAX),
 * and gives their bytes free. Returns how many bytes. One thread per reader.
 */
size_t grosr_stream_read(struct grosr_stream_reader *reader, unsigned char *to, size_t room);

/* All that was written has been read, or cannot be. */
bool grosr_stream_at_end(const struct grosr_stream_reader *reader);

#endif
