/*
 * The heaps of a session being recorded (source.h): samples of their counters over time, and the counters as
 * they stand. Of the classes, a sample has rows for those that have changed since the one before.
 */
#include "source.h"

static int64_t heap_number(const struct grosr_source *s, uint32_t heap)
{
    return (s->bases.session - 1) * (int64_t)GROSR_HEAPS_MAX + heap;
}

void grosr_source_sample_heaps(struct grosr_source *s, struct grosr_batch *b)
{
    for (uint32_t i = 0; i < s->session->header.heaps && b->heaps < GROSR_BATCH_HEAPS; i++) {
        struct grosr_heap_sample *sample = &b->heap[b->heaps];
        uint64_t number = grosr_heap_published(s->session, i);

        if (number == s->heap_seen[i] || !grosr_heap_read(s->session, i, &sample->counters))
            continue;
        s->heap_seen[i] = number;
        sample->source = s;
        sample->heap = i;
        b->heaps++;
    }
}

static bool is_same(const struct grosr_heap_class *a, const struct grosr_heap_class *b)
{
    return a->slabs == b->slabs && a->used == b->used && a->mallocs == b->mallocs && a->frees == b->frees &&
           a->failures == b->failures;
}

int grosr_source_write_heap(struct grosr_source *s, struct grosr_store *store,
                            const struct grosr_heap_sample *sample)
{
    const struct grosr_heap_counters *c = &sample->counters;
    struct grosr_heap_counters *before = &s->heap_stored[sample->heap];
    int64_t time = grosr_timeline(&s->bases, c->time_ns), heap = heap_number(s, sample->heap);
    int64_t values[] = {time,
                        heap,
                        (int64_t)c->free_chunks,
                        (int64_t)c->empty_chunks,
                        (int64_t)c->slab_chunks,
                        (int64_t)c->large_chunks,
                        (int64_t)grosr_heap_used_bytes(c),
                        (int64_t)grosr_heap_requested_bytes(c),
                        (int64_t)c->largest_bytes,
                        (int64_t)grosr_heap_live(c),
                        (int64_t)grosr_heap_mallocs(c),
                        (int64_t)grosr_heap_frees(c),
                        (int64_t)grosr_heap_failures(c),
                        (int64_t)grosr_heap_bad_frees(c)};
    int err = grosr_store_row(store, GROSR_TABLE_HEAP_SAMPLE, values);

    for (uint64_t i = 0; !err && i < c->classes; i++) {
        const struct grosr_heap_class *k = &c->class_[i];
        int64_t row[] = {time,
                         heap,
                         (int64_t)i,
                         (int64_t)k->slabs,
                         (int64_t)k->used,
                         (int64_t)k->mallocs,
                         (int64_t)k->frees,
                         (int64_t)k->failures};
        if (!is_same(k, &before->class_[i]))
            err = grosr_store_row(store, GROSR_TABLE_HEAP_CLASS_SAMPLE, row);
    }
    *before = *c;
    return err;
}

static int write_counters(struct grosr_store *store, int64_t heap, int64_t session, int64_t time,
                          const struct grosr_heap_counters *c)
{
    int64_t values[] = {heap,
                        session,
                        time,
                        (int64_t)c->arena_bytes,
                        (int64_t)c->chunk_bytes,
                        (c->flags & GROSR_HEAP_DEBUG) != 0,
                        (int64_t)c->chunks_max,
                        (int64_t)c->large.live,
                        (int64_t)c->large.mallocs,
                        (int64_t)c->large.frees,
                        (int64_t)c->large.requested,
                        (int64_t)c->large.failures,
                        (int64_t)c->bad.foreign,
                        (int64_t)c->bad.inner,
                        (int64_t)c->bad.twice};
    int err = grosr_store_row(store, GROSR_TABLE_HEAP, values);

    for (uint64_t i = 0; !err && i < c->classes; i++) {
        const struct grosr_heap_class *k = &c->class_[i];
        int64_t row[] = {heap,
                         (int64_t)i,
                         (int64_t)k->slot_bytes,
                         (int64_t)k->slots,
                         (int64_t)k->slabs,
                         (int64_t)k->slabs_max,
                         (int64_t)k->used,
                         (int64_t)k->mallocs,
                         (int64_t)k->frees,
                         (int64_t)k->requested,
                         (int64_t)k->failures};
        err = grosr_store_row(store, GROSR_TABLE_HEAP_CLASS, row);
    }
    return err;
}

int grosr_source_write_heaps(struct grosr_source *s, struct grosr_store *store)
{
    struct grosr_heap_counters c;
    int err = 0;

    for (uint32_t i = 0; !err && i < s->session->header.heaps; i++)
        if (grosr_heap_read(s->session, i, &c))
            err = write_counters(store, heap_number(s, i), s->bases.session,
                                 grosr_timeline(&s->bases, c.time_ns), &c);
    return err;
}
