/*
 * The backlog of events (store.h): the rows of GROSR_CHUNK, each of them a packed run of one ring's records,
 * added at the end and taken from the beginning.
 */
#include "store_parts.h"

#include "chunk.h"
#include "../base/error.h"

#include <errno.h>
#include <stdlib.h>

int grosr_store_put_chunk(struct grosr_store *s, uint32_t ring, uint64_t first, uint64_t drained_ns,
                          const struct grosr_pair *records, uint32_t count)
{
    if (s->error)
        return -s->error;
    size_t bytes = records ? grosr_chunk_encode(records, count, s->room) : 0;
    sqlite3_bind_int64(s->put_chunk, 1, ring);
    sqlite3_bind_int64(s->put_chunk, 2, (int64_t)first);
    sqlite3_bind_int64(s->put_chunk, 3, count);
    sqlite3_bind_int64(s->put_chunk, 4, (int64_t)drained_ns);
    sqlite3_bind_blob(s->put_chunk, 5, s->room, (int)bytes, SQLITE_STATIC);
    s->chunk_events += records ? count : 0;
    s->chunk_bytes += bytes;
    return store_step(s, s->put_chunk);
}

/* The records of the row that first_chunk is at. */
static int unpack(struct grosr_store *s, struct grosr_pair **records, uint32_t *count)
{
    int64_t n = sqlite3_column_int64(s->first_chunk, 3);
    size_t size = (size_t)sqlite3_column_bytes(s->first_chunk, 5);
    const void *bytes = sqlite3_column_blob(s->first_chunk, 5);

    if (n < 1 || n > GROSR_CHUNK_EVENTS_MAX)
        return grosr_fail(EIO, "%s: a chunk has %lld events", s->path, (long long)n);
    *count = (uint32_t)n;
    if (size == 0)
        return 0;
    *records = (struct grosr_pair *)malloc(*count * sizeof(**records));
    if (!*records)
        return grosr_fail(ENOMEM, "out of memory for %u events", *count);
    if (!bytes || grosr_chunk_decode(bytes, size, *records, *count))
        return grosr_fail(EIO, "%s: chunk %lld is damaged", s->path,
                          (long long)sqlite3_column_int64(s->first_chunk, 0));
    return 0;
}

int grosr_store_take_chunk(struct grosr_store *s, uint32_t *ring, uint64_t *first, uint64_t *drained_ns,
                           struct grosr_pair **records, uint32_t *count)
{
    int code, err = 0;

    *count = 0;
    *records = NULL;
    if (s->error)
        return -s->error;
    code = sqlite3_step(s->first_chunk);
    if (code == SQLITE_ROW) {
        sqlite3_bind_int64(s->drop_chunk, 1, sqlite3_column_int64(s->first_chunk, 0));
        *ring = (uint32_t)sqlite3_column_int64(s->first_chunk, 1);
        *first = (uint64_t)sqlite3_column_int64(s->first_chunk, 2);
        *drained_ns = (uint64_t)sqlite3_column_int64(s->first_chunk, 4);
        err = unpack(s, records, count);
    } else if (code != SQLITE_DONE) {
        err = store_failed(s);
    }
    sqlite3_reset(s->first_chunk);
    if (!err && code == SQLITE_ROW)
        err = store_step(s, s->drop_chunk);
    if (err) {
        free(*records);
        *records = NULL;
        *count = 0;
    }
    return err;
}

int grosr_store_oldest_chunk(struct grosr_store *s, uint64_t *drained_ns)
{
    int code, err;

    if (s->error)
        return -s->error;
    code = sqlite3_step(s->oldest_chunk);
    *drained_ns = code == SQLITE_ROW ? (uint64_t)sqlite3_column_int64(s->oldest_chunk, 0) : UINT64_MAX;
    err = code == SQLITE_ROW || code == SQLITE_DONE ? 0 : store_failed(s);
    sqlite3_reset(s->oldest_chunk);
    return err;
}

int store_write_chunk_totals(struct grosr_store *s)
{
    static const char sql[] = "INSERT OR REPLACE INTO GROSR_META (key, value) VALUES ('chunk_events', ?1),"
                              " ('chunk_raw_bytes', ?2), ('chunk_bytes', ?3)";
    const uint64_t numbers[] = {s->chunk_events, s->chunk_events * sizeof(struct grosr_pair), s->chunk_bytes};
    struct grosr_value values[3];

    for (int i = 0; i < 3; i++)
        values[i] = (struct grosr_value){.type = GROSR_VALUE_INTEGER, .integer = (int64_t)numbers[i]};
    return grosr_store_execute(s, sql, values, 3, NULL);
}
