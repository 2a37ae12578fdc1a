/*
 * Chunks: a run of one ring's records, packed for the file (GROSR_CHUNK.events). The format is in chunk.c.
 *
 * Both functions are pure: they read and write nothing but their arguments' memory, and may be called by any
 * thread.
 */
#ifndef GROSR_CHUNK_H
#define GROSR_CHUNK_H

#include "../session/event.h"

#define GROSR_CHUNK_EVENTS_MAX 65536u

/* Bytes of room that packing so many records takes; what is made of them is never more than 16 a record and
 * one. */
#define GROSR_CHUNK_ROOM(count) ((size_t)2048 + (size_t)(count) * (sizeof(struct grosr_pair) + 3))

/*
 * Packs 1 .. GROSR_CHUNK_EVENTS_MAX records into the beginning of `room`, GROSR_CHUNK_ROOM(count) bytes.
 * Returns how many bytes the chunk has. All of a record is kept but its lap, which follows from its position.
 */
size_t grosr_chunk_encode(const struct grosr_pair *records, uint32_t count, void *room);

/*
 * Unpacks; `count` is what the caller expects. The records have lap 0. 0; -EINVAL: there are not `count`
 * records in these bytes, or this is no chunk. Bytes may come from anywhere: none are believed, nothing
 * outside of the two arrays is touched. After an error what `records` holds means nothing.
 */
int grosr_chunk_decode(const void *bytes, size_t size, struct grosr_pair *records, uint32_t count);

#endif
