/*
 * The records of a traced process are not trusted: whatever its streams contain, records become rows or are
 * skipped. The first byte of the input is the first stream's share of the rest, in 256ths; the second has the
 * remainder.
 */
#include "fuzz.h"
#include "scratch.h"

#include "../../tracer/rows/records.h"

#include <string.h>

#define STREAMS 2u

/* As it comes from a stream: an array of its own. */
static void add(struct grosr_records *records, uint32_t stream, const uint8_t *data, size_t size)
{
    unsigned char *bytes = (unsigned char *)malloc(size ? size : 1);

    if (!bytes)
        abort();
    memcpy(bytes, data, size);
    grosr_records_add(records, stream, bytes, size);
    free(bytes);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static _Alignas(128) unsigned char segment[sizeof(struct grosr_session_header)]; /* nothing is in it */
    struct grosr_store *store = scratch_store();
    struct grosr_session session;
    struct grosr_records *records;
    struct grosr_bases bases;
    struct grosr_clock clock = {.is_host = true};

    if (size == 0)
        return 0;
    size_t first = (size - 1) * data[0] / 256;
    memset(&session, 0, sizeof(session));
    session.base = segment;
    session.bytes = sizeof(segment);
    session.header.pid = 1;
    session.header.workers = 1;
    session.header.rings = 2;
    session.header.streams = STREAMS;
    session.header.start_mono_ns = 1000;
    if (grosr_store_add_session(store, &session, &bases) ||
        grosr_records_create(&records, &session, &bases, &clock, store))
        abort();
    add(records, 0, data + 1, first);
    grosr_records_tick(records, 5000000000u);
    add(records, 1, data + 1 + first, size - 1 - first);
    grosr_records_finish(records);
    grosr_records_free(records);
    /* The store is sound, whatever came. */
    if (grosr_store_commit(store))
        abort();
    return 0;
}
