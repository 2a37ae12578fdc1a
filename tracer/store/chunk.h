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

/* Bytes of working space for packing so many records; the result has at most 16 bytes a record, and one. */
#define GROSR_CHUNK_ROOM(count) ((size_t)2048 + (size_t)(count) * (sizeof(struct grosr_pair) + 3))

/*
 * Packs 1 .. GROSR_CHUNK_EVENTS_MAX records into the beginning of `room`, GROSR_CHUNK_ROOM(count) bytes.
 * Returns the size of the chunk in bytes. It has all of a record but its lap, which follows from its
 * position.
 */
size_t grosr_chunk_encode(const struct grosr_pair *records, uint32_t count, void *room);

/*
 * Unpacks `count` records, with lap 0. 0; -EINVAL: the bytes are no chunk of `count` records. The bytes are
 * not trusted: nothing outside of the two arrays is accessed. After an error `records` is indeterminate.
 */
int grosr_chunk_decode(const void *bytes, size_t size, struct grosr_pair *records, uint32_t count);

#endif
