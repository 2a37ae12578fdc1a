/*
 * Publishing and reading the counters of a heap (heap_counters.h).
 */
#include "heap_counters.h"

#include "../base/error.h"

#include <errno.h>
#include <string.h>

#define ARENA_MAX (UINT64_C(1) << 48)
#define COUNT_MAX ((uint64_t)INT64_MAX / 128)
#define TRIES     1000 /* a copy is overwritten under its reader only if two were published meanwhile */

static struct grosr_heap_entry *entry_of(const struct grosr_session *s, uint32_t heap)
{
    return (struct grosr_heap_entry *)(void *)(s->base + s->header.heaps_at) + heap;
}

int grosr_heap_publish(struct grosr_session *s, uint32_t heap, const struct grosr_heap_counters *c)
{
    uint64_t word[GROSR_HEAP_WORDS];

    if (heap >= s->header.heaps)
        return grosr_fail(EINVAL, "the session has %u heaps; there is no heap %u", s->header.heaps, heap);
    struct grosr_heap_entry *entry = entry_of(s, heap);
    uint64_t number = sys_load_relaxed(&entry->published) + 1;
    struct grosr_heap_copy *to = &entry->copy[number % 2];
    memcpy(word, c, sizeof(word));
    for (size_t i = 0; i < GROSR_HEAP_WORDS; i++)
        /* After the store of published before: who reads this word sees that its copy is being overwritten.
         * Pairs with read_copy(). */
        sys_store_release(&to->word[i], word[i]);
    sys_store_release(&entry->published, number); /* pairs with read_copy() */
    return 0;
}

/* Copies the latest copy. 1, 0 if there is none yet, or -EAGAIN if it was overwritten in the meantime. */
static int read_copy(const struct grosr_heap_entry *entry, struct grosr_heap_counters *out)
{
    uint64_t word[GROSR_HEAP_WORDS];
    uint64_t number = sys_load_acquire(&entry->published); /* pairs with grosr_heap_publish() */

    if (!number)
        return 0;
    for (size_t i = 0; i < GROSR_HEAP_WORDS; i++)
        /* Before the second load of published. Pairs with grosr_heap_publish(). */
        word[i] = sys_load_acquire(&entry->copy[number % 2].word[i]);
    if (sys_load_relaxed(&entry->published) != number)
        return -EAGAIN;
    memcpy(out, word, sizeof(*out));
    return 1;
}

static void limit(uint64_t *value, uint64_t max)
{
    if (*value > max)
        *value = max;
}

static void limit_class(struct grosr_heap_class *k, const struct grosr_heap_counters *c)
{
    limit(&k->slot_bytes, c->arena_bytes);
    limit(&k->used, k->slot_bytes ? c->arena_bytes / k->slot_bytes : 0);
    limit(&k->slots, k->slot_bytes ? c->chunk_bytes / k->slot_bytes : 0);
    limit(&k->slabs, c->slab_chunks);
    limit(&k->slabs_max, c->arena_bytes);
    limit(&k->mallocs, COUNT_MAX);
    limit(&k->frees, COUNT_MAX);
    limit(&k->requested, COUNT_MAX);
    limit(&k->failures, COUNT_MAX);
}

/* Brings everything into the ranges that the header promises. */
static void limit_all(struct grosr_heap_counters *c)
{
    limit(&c->arena_bytes, ARENA_MAX);
    limit(&c->chunk_bytes, c->arena_bytes);
    limit(&c->classes, GROSR_HEAP_CLASSES_MAX);
    limit(&c->time_ns, INT64_MAX);
    uint64_t chunks = c->chunk_bytes ? c->arena_bytes / c->chunk_bytes : 0;
    limit(&c->free_chunks, chunks);
    limit(&c->large_chunks, chunks);
    limit(&c->slab_chunks, chunks - c->large_chunks);
    limit(&c->empty_chunks, c->slab_chunks);
    limit(&c->chunks_max, chunks);
    limit(&c->largest_bytes, c->arena_bytes);
    limit(&c->large.live, c->large_chunks);
    limit(&c->large.mallocs, COUNT_MAX);
    limit(&c->large.frees, COUNT_MAX);
    limit(&c->large.requested, c->arena_bytes);
    limit(&c->large.failures, COUNT_MAX);
    limit(&c->bad.foreign, COUNT_MAX);
    limit(&c->bad.inner, COUNT_MAX);
    limit(&c->bad.twice, COUNT_MAX);
    limit(&c->bad.damaged, COUNT_MAX);
    limit(&c->errors, COUNT_MAX);
    for (uint32_t i = 0; i < c->classes; i++)
        limit_class(&c->class_[i], c);
    for (uint32_t i = 0; i < GROSR_HEAP_ERRORS_MAX; i++) {
        limit(&c->error[i].time_ns, INT64_MAX);
        limit(&c->error[i].worker, UINT32_MAX);
        limit(&c->error[i].kind, UINT8_MAX);
        c->error[i].task &= GROSR_TASK_ID_MASK;
        limit(&c->error[i].at, INT64_MAX);
    }
}

bool grosr_heap_read(const struct grosr_session *s, uint32_t heap, struct grosr_heap_counters *out)
{
    if (heap >= s->header.heaps)
        return false;
    for (int i = 0; i < TRIES; i++) {
        int got = read_copy(entry_of(s, heap), out);
        if (got >= 0) {
            limit_all(out);
            return got > 0;
        }
    }
    return false;
}

uint64_t grosr_heap_published(const struct grosr_session *s, uint32_t heap)
{
    return heap < s->header.heaps ? sys_load_relaxed(&entry_of(s, heap)->published) : 0;
}
