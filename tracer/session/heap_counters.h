/*
 * The counters of a GPU memory allocator ("heap") in a session's segment: an arena is cut into chunks of one
 * size, and a chunk is free, the slab of a size class, or part of a large block. The process that hosts the
 * allocator publishes a whole copy of its counters now and then; anybody reads the latest one, beside a
 * running or hung kernel or after the process was killed.
 *
 * Copy number n is at n % 2. Only then does `published` become n, so the copy that a reader is sent to stays
 * as it is until the copy after the next is begun, and one that was never finished is never read. The words
 * of a copy are those of struct grosr_heap_counters.
 *
 * Who writes: the process that created the session, one thread at a time.
 */
#ifndef GROSR_HEAP_COUNTERS_H
#define GROSR_HEAP_COUNTERS_H

#include "session.h"

#define GROSR_HEAP_CLASSES_MAX 64u
#define GROSR_HEAP_ERRORS_MAX  16u /* of the latest are kept */

#define GROSR_HEAP_DEBUG 1u /* flag: red zones and poisoning are on */

/* What an error is: also the kinds of the event HEAP_ERROR. */
enum grosr_heap_error_kind {
    GROSR_HEAP_NO_MEMORY = 1, /* `at`: the bytes that were asked for */
    GROSR_HEAP_FREE_FOREIGN,  /* a pointer outside the arena; `at`: the address */
    GROSR_HEAP_FREE_INNER,    /* a pointer into a block; `at`: the offset in the arena */
    GROSR_HEAP_FREE_TWICE,    /* a block that is not allocated; `at`: the offset in the arena */
    GROSR_HEAP_DAMAGED, /* a red zone was written to (debug mode); `at`: the block's offset in the arena */
    GROSR_HEAP_ERROR_KINDS,
};

#define GROSR_HEAP_NO_TASK GROSR_TASK_ID_MASK /* in place of a task's number: not in a task */

struct grosr_heap_class {
    uint64_t slot_bytes;
    uint64_t slots;            /* in a slab */
    uint64_t slabs, slabs_max; /* now, and the most there were at a time */
    uint64_t used;             /* slots that are allocated now */
    uint64_t mallocs, frees;   /* ever */
    uint64_t requested;        /* bytes that those mallocs asked for, ever */
    uint64_t failures;         /* requests that found no memory */
};

struct grosr_heap_error {
    uint64_t time_ns; /* by the device's clock */
    uint64_t worker;
    uint64_t kind; /* enum grosr_heap_error_kind */
    uint64_t task; /* its number, or GROSR_HEAP_NO_TASK */
    uint64_t at;   /* as the kind says */
};

/* All counters at about one time. Every member is a uint64_t. */
struct grosr_heap_counters {
    uint64_t arena_bytes, chunk_bytes;
    uint64_t classes; /* of class_[] */
    uint64_t flags;   /* GROSR_HEAP_DEBUG */
    uint64_t time_ns; /* CLOCK_MONOTONIC when they were read from the device */
    uint64_t free_chunks;
    uint64_t empty_chunks; /* slabs without an allocated slot, which any request may have */
    uint64_t slab_chunks;  /* slabs, the empty ones included */
    uint64_t large_chunks;
    uint64_t chunks_max;    /* the most chunks that were slabs or large at a time */
    uint64_t largest_bytes; /* the largest request that could be satisfied */
    struct {
        uint64_t live;           /* large blocks that are allocated now */
        uint64_t mallocs, frees; /* ever */
        uint64_t requested;      /* bytes that the live ones were asked for with */
        uint64_t failures;       /* requests that found no memory */
    } large;
    struct {
        uint64_t foreign, inner, twice; /* frees refused, ever, by kind */
        uint64_t damaged;               /* blocks whose red zones had been written to, ever (debug mode) */
    } bad;
    uint64_t errors;                                      /* ever */
    struct grosr_heap_error error[GROSR_HEAP_ERRORS_MAX]; /* number n of the latest, from 0 on, at n % 16 */
    struct grosr_heap_class class_[GROSR_HEAP_CLASSES_MAX];
};

#define GROSR_HEAP_WORDS (sizeof(struct grosr_heap_counters) / sizeof(uint64_t))

struct grosr_heap_copy {
    sys64 word[GROSR_HEAP_WORDS];
};

struct grosr_heap_entry {
    alignas(128) sys64 published; /* number of the latest copy, from 1 on; 0: none yet */
    alignas(128) struct grosr_heap_copy copy[2];
};

static_assert(sizeof(struct grosr_heap_counters) ==
                  (21 + 5 * GROSR_HEAP_ERRORS_MAX + 9 * GROSR_HEAP_CLASSES_MAX) * sizeof(uint64_t),
              "counters are words without padding");

/* ---- derived values: the view fragmentation (schema/views.sql) has the same ---- */

/* Bytes of chunks that hold something. */
GROSR_DEVICE uint64_t grosr_heap_reserved_bytes(const struct grosr_heap_counters *c)
{
    return (c->slab_chunks - c->empty_chunks + c->large_chunks) * c->chunk_bytes;
}

/* Blocks that are allocated. */
GROSR_DEVICE uint64_t grosr_heap_live(const struct grosr_heap_counters *c)
{
    uint64_t live = c->large.live;

    for (uint64_t i = 0; i < c->classes; i++)
        live += c->class_[i].used;
    return live;
}

/* Bytes of those blocks: of the slots and chunks they occupy. */
GROSR_DEVICE uint64_t grosr_heap_used_bytes(const struct grosr_heap_counters *c)
{
    uint64_t used = c->large_chunks * c->chunk_bytes;

    for (uint64_t i = 0; i < c->classes; i++)
        used += c->class_[i].used * c->class_[i].slot_bytes;
    return used < c->arena_bytes ? used : c->arena_bytes;
}

/*
 * The bytes that the slots in use of a class were asked for with: as many times the mean request of the
 * class, an estimate that is exact where all requests of the class are equal.
 */
GROSR_DEVICE double grosr_heap_class_requested(const struct grosr_heap_class *k)
{
    return k->mallocs ? (double)k->used * ((double)k->requested / (double)k->mallocs) : 0;
}

/* The bytes that the live blocks were asked for with; exact for large ones, see above for the others. */
GROSR_DEVICE uint64_t grosr_heap_requested_bytes(const struct grosr_heap_counters *c)
{
    double requested = (double)c->large.requested, used = (double)grosr_heap_used_bytes(c);

    for (uint64_t i = 0; i < c->classes; i++)
        requested += grosr_heap_class_requested(&c->class_[i]);
    return (uint64_t)((requested < used ? requested : used) + 0.5);
}

GROSR_DEVICE uint64_t grosr_heap_free_bytes(const struct grosr_heap_counters *c)
{
    return c->arena_bytes - grosr_heap_used_bytes(c);
}

/* What of the blocks nobody asked for, 0 to 1. */
GROSR_DEVICE double grosr_heap_internal_fragmentation(const struct grosr_heap_counters *c)
{
    uint64_t used = grosr_heap_used_bytes(c);
    return used ? 1 - (double)grosr_heap_requested_bytes(c) / (double)used : 0;
}

/* What of the free bytes the largest request that could be satisfied cannot have, 0 to 1. */
GROSR_DEVICE double grosr_heap_external_fragmentation(const struct grosr_heap_counters *c)
{
    uint64_t unused = grosr_heap_free_bytes(c);
    return c->largest_bytes < unused ? 1 - (double)c->largest_bytes / (double)unused : 0;
}

/* Blocks that were ever allocated, and that were ever freed. */
GROSR_DEVICE uint64_t grosr_heap_mallocs(const struct grosr_heap_counters *c)
{
    uint64_t mallocs = c->large.mallocs;

    for (uint64_t i = 0; i < c->classes; i++)
        mallocs += c->class_[i].mallocs;
    return mallocs;
}

GROSR_DEVICE uint64_t grosr_heap_frees(const struct grosr_heap_counters *c)
{
    uint64_t frees = c->large.frees;

    for (uint64_t i = 0; i < c->classes; i++)
        frees += c->class_[i].frees;
    return frees;
}

/* Requests that found no memory, ever. */
GROSR_DEVICE uint64_t grosr_heap_failures(const struct grosr_heap_counters *c)
{
    uint64_t failures = c->large.failures;

    for (uint64_t i = 0; i < c->classes; i++)
        failures += c->class_[i].failures;
    return failures;
}

/* Frees that were refused, ever. */
GROSR_DEVICE uint64_t grosr_heap_bad_frees(const struct grosr_heap_counters *c)
{
    return c->bad.foreign + c->bad.inner + c->bad.twice;
}

/* ---- host side ---- */

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Publishes a copy of the counters of heap number `heap`. By the session's owner, one thread at a time.
 * -EINVAL: the session has no such heap (struct grosr_session_options).
 */
int grosr_heap_publish(struct grosr_session *session, uint32_t heap,
                       const struct grosr_heap_counters *counters);

/*
 * The latest copy. Whatever the segment says, what is returned keeps to its ranges: at most
 * GROSR_HEAP_CLASSES_MAX classes, no part larger than the arena, the arena at most 2^48 bytes, every count at
 * most INT64_MAX / 128, so that sums over the classes stay below 2^63. False: there is no such heap, or
 * nothing was published yet.
 */
bool grosr_heap_read(const struct grosr_session *session, uint32_t heap, struct grosr_heap_counters *out);

/* How many copies were published; it changes when there is another one to read. 0: none, or no such heap. */
uint64_t grosr_heap_published(const struct grosr_session *session, uint32_t heap);

#ifdef __cplusplus
}
#endif

#endif
