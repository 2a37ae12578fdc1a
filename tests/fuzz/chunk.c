/*
 * A chunk's bytes are not trusted: whatever they are, unpacking accesses nothing but its two arrays, and the
 * records it accepts pack and unpack to the same again. The input is the count that the caller expects,
 * little-endian in four bytes, and the chunk.
 */
#include "fuzz.h"

#include "../../tracer/store/chunk.h"

#include <stdlib.h>
#include <string.h>

static void *allocate(size_t bytes)
{
    void *room = malloc(bytes ? bytes : 1);

    if (!room)
        abort();
    return room;
}

/* Packing keeps all of a record, and what it makes is never longer than the records as they are. */
static void there_and_back(const struct grosr_pair *records, uint32_t count)
{
    uint8_t *room = (uint8_t *)allocate(GROSR_CHUNK_ROOM(count));
    size_t size = grosr_chunk_encode(records, count, room);
    uint8_t *bytes = (uint8_t *)allocate(size);
    struct grosr_pair *back = (struct grosr_pair *)allocate(count * sizeof(*back));

    memcpy(bytes, room, size);
    if (size > count * sizeof(*back) + 1 || grosr_chunk_decode(bytes, size, back, count) ||
        memcmp(back, records, count * sizeof(*back)) != 0)
        abort();
    free(back);
    free(bytes);
    free(room);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    uint32_t count;

    if (size < sizeof(count))
        return 0;
    memcpy(&count, data, sizeof(count));
    data += sizeof(count);
    size -= sizeof(count);
    /* As large as is said, so that ASan sees every byte beside them. */
    size_t most = count <= GROSR_CHUNK_EVENTS_MAX ? count : 1;
    uint8_t *bytes = (uint8_t *)allocate(size);
    struct grosr_pair *records = (struct grosr_pair *)allocate(most * sizeof(*records));

    memcpy(bytes, data, size);
    if (grosr_chunk_decode(bytes, size, records, count) == 0)
        there_and_back(records, count);
    free(records);
    free(bytes);
    return 0;
}
