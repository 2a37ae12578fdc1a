/*
 * The counters of a source whose recording failed (source.h): what is in the file stays as it is, and what
 * was read after that, or rolled back, is counted as not stored.
 */
#include "source.h"

static int execute(struct grosr_store *store, const char *sql, const int64_t *numbers, uint32_t count)
{
    struct grosr_value values[8];

    for (uint32_t i = 0; i < count; i++)
        values[i] = (struct grosr_value){.type = GROSR_VALUE_INTEGER, .integer = numbers[i]};
    return grosr_store_execute(store, sql, values, count, NULL);
}

/* A marker of drops takes a position too, and each has a row. */
static int write_ring(struct grosr_source *s, struct grosr_store *store, uint32_t i)
{
    static const char loss[] =
        "INSERT INTO GROSR_LOSS SELECT ring, read + overwritten + unstored + (SELECT count(*) FROM "
        "GROSR_LOSS l"
        " WHERE l.ring = ?1 AND l.reason = 'dropped'), NULL, ?2 - ?3 - ?4 - read - unstored, 'unstored'"
        " FROM GROSR_RING WHERE ring = ?1 AND ?2 - ?3 - ?4 - read - unstored > 0";
    static const char counters[] =
        "UPDATE GROSR_RING SET written = ?2, dropped = ?3, overwritten = ?4, closed = ?5,"
        " unstored = max(unstored, ?2 - ?3 - ?4 - read) WHERE ring = ?1";
    const struct grosr_ring_counts *n = &s->final[i];
    const int64_t values[] = {s->bases.ring + i, (int64_t)n->written, (int64_t)n->dropped,
                              (int64_t)n->overwritten, n->closed};
    int err = execute(store, loss, values, 4);

    return err ? err : execute(store, counters, values, 5);
}

static int write_stream(struct grosr_source *s, struct grosr_store *store, uint32_t i)
{
    static const char counters[] = "UPDATE GROSR_STREAM SET written = max(written, ?2 + ?3), dropped = ?3,"
                                   " unstored = max(unstored, ?2 - read) WHERE stream = ?1";
    const struct grosr_stream *stream = grosr_session_stream(s->session, i);
    const int64_t values[] = {(s->bases.session - 1) * (int64_t)GROSR_STREAMS_MAX + i,
                              (int64_t)(sys_load_relaxed(&stream->written) - s->stream_base[i]),
                              (int64_t)sys_load_relaxed(&stream->dropped)};

    return execute(store, counters, values, 3);
}

int grosr_source_write_lost(struct grosr_source *s, struct grosr_store *store)
{
    int err = 0;

    for (uint32_t i = 0; !err && s->session->header.workers && i < s->session->header.rings; i++)
        err = write_ring(s, store, i);
    for (uint32_t i = 0; !err && i < s->session->header.streams; i++)
        err = write_stream(s, store, i);
    return err ? err
               : grosr_store_end_session(store, s->bases.session, grosr_timeline(&s->bases, s->end_ns),
                                         s->died, s->detached, GROSR_NULL);
}
