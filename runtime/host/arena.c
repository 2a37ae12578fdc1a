/*
 * The heap's arena: reserving it, looking at it while tasks use it, and what is left in it at the end.
 *
 * The housekeeping thread copies the heap's states and counters now and then (half a megabyte for an arena of
 * 4 GiB, on a GPU some 50 us in a stream of its own) and publishes what they say in the session, where it
 * stays when the process is killed. The kernel does not notice. What has not been used since is not looked
 * at.
 */
#include "internal.h"

#include "../alloc/debug.h"
#include "../alloc/heap_plan.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_DEFAULT_MAX (UINT64_C(4) << 30)
#define ARENA_SHARE       4u  /* of the free memory, one of so many parts */
#define LEAKS_MAX         16u /* lines of a report */

struct grosr_arena {
    struct grosr_heap heap, copy; /* copy: with the addresses of the copied memory */
    struct grosr_heap_plan plan;
    unsigned char *memory; /* the device's, that is copied */
    unsigned char *copied;
    uint64_t operations; /* mallocs, frees and failures, when last looked at */
    bool looked;
    struct grosr_heap_counters now;
    pthread_mutex_t lock; /* of copied and now */
};

/* ---- opening ---- */

static int place(grosr *rt, struct grosr_arena *a)
{
    void *arena, *memory;
    uint64_t *words = (uint64_t *)calloc(a->heap.map_words, sizeof(*words));
    int err;

    a->copied = (unsigned char *)calloc(1, a->plan.common_at + a->plan.common_bytes);
    if (!words || !a->copied)
        err = grosr_fail(ENOMEM, "out of memory");
    else if (!(err = rt->ops->reserve(rt->device, a->plan.arena_bytes, GROSR_CHUNK_BYTES, &arena)) &&
             !(err = rt->ops->alloc(rt->device, a->plan.bytes, &memory))) {
        grosr_heap_place(&a->heap, arena, memory);
        a->copy = a->heap;
        grosr_heap_place(&a->copy, arena, a->copied);
        a->memory = (unsigned char *)memory;
        grosr_heap_first_map(&a->heap, words);
        err = rt->ops->copy(rt->device, a->heap.maps, words, a->heap.map_words * sizeof(*words), true);
    }
    free(words);
    return err;
}

int grosr_arena_open(grosr *rt, const struct grosr_options *o, struct grosr_launch *launch)
{
    uint64_t bytes = o->heap_bytes;
    int err;

    if (o->heap_bytes == GROSR_HEAP_NONE)
        return 0;
    if (!bytes) {
        bytes = rt->ops->free_bytes(rt->device) / ARENA_SHARE;
        bytes = bytes < ARENA_DEFAULT_MAX ? bytes : ARENA_DEFAULT_MAX;
    }
    struct grosr_arena *a = (struct grosr_arena *)calloc(1, sizeof(*a));
    if (!a)
        return grosr_fail(ENOMEM, "out of memory");
    pthread_mutex_init(&a->lock, NULL);
    rt->arena = a;
    grosr_heap_make_plan(&a->heap, &a->plan, bytes, o->heap_flags);
    if ((err = place(rt, a)) ||
        (err = rt->ops->alloc(rt->device,
                              (size_t)o->workers * GROSR_HEAP_NOTES * sizeof(struct grosr_heap_note),
                              (void **)&launch->heap_notes)))
        return err;
    launch->heap = a->heap;
    return 0;
}

/* ---- looking ---- */

static int copy_part(grosr *rt, size_t at, size_t bytes)
{
    struct grosr_arena *a = rt->arena;

    return rt->ops->copy(rt->device, a->copied + at, a->memory + at, bytes, false);
}

/* What has been done so far, by the copied counters. */
static uint64_t operations_of(const struct grosr_arena *a)
{
    uint64_t n =
        dev_load_relaxed(&a->copy.common->large_mallocs) + dev_load_relaxed(&a->copy.common->large_frees) +
        dev_load_relaxed(&a->copy.common->large_failures) + dev_load_relaxed(&a->copy.common->mistakes);

    for (uint32_t i = 0; i < GROSR_CLASSES * GROSR_HEAP_SHARDS; i++)
        n += dev_load_relaxed(&a->copy.shard[i].mallocs) + dev_load_relaxed(&a->copy.shard[i].frees) +
             dev_load_relaxed(&a->copy.shard[i].failures);
    return n;
}

/* Copies and reads the heap, if it has been used since. With the lock held. */
static int look(grosr *rt, bool *changed)
{
    struct grosr_arena *a = rt->arena;
    struct grosr_heap_counters now;
    int err = copy_part(rt, a->plan.shards_at, a->plan.common_at + a->plan.common_bytes - a->plan.shards_at);
    uint64_t operations = operations_of(a);

    *changed = !a->looked || operations != a->operations;
    if (err || !*changed)
        return err;
    if ((err = copy_part(rt, 0, a->plan.shards_at)))
        return err;
    grosr_heap_read_counters(&a->copy, &now);
    now.time_ns = grosr_host_clock_ns();
    /* The most that was seen: a moment between two looks is missed. */
    uint64_t used = now.slab_chunks - now.empty_chunks + now.large_chunks;
    now.chunks_max = used > a->now.chunks_max ? used : a->now.chunks_max;
    for (uint64_t c = 0; c < now.classes; c++)
        now.class_[c].slabs_max = now.class_[c].slabs > a->now.class_[c].slabs_max
                                      ? now.class_[c].slabs
                                      : a->now.class_[c].slabs_max;
    a->now = now;
    a->operations = operations;
    a->looked = true;
    return 0;
}

void grosr_arena_publish(grosr *rt)
{
    struct grosr_arena *a = rt->arena;
    bool changed = false;

    if (!a)
        return;
    pthread_mutex_lock(&a->lock);
    if (!look(rt, &changed) && changed)
        grosr_heap_publish(rt->session, 0, &a->now);
    pthread_mutex_unlock(&a->lock);
}

int grosr_heap_now(grosr *rt, struct grosr_heap_counters *counters)
{
    bool changed;
    int err = grosr_enter(rt);

    if (err)
        return err;
    if (!counters) {
        err = grosr_fail(EINVAL, "there is no place for the counters: it is NULL");
    } else if (!rt->arena) {
        err = grosr_fail(ENOENT, "the runtime was opened without a heap");
    } else {
        pthread_mutex_lock(&rt->arena->lock);
        err = look(rt, &changed);
        *counters = rt->arena->now;
        pthread_mutex_unlock(&rt->arena->lock);
    }
    grosr_leave(rt);
    return err;
}

int grosr_heap(grosr *rt, struct grosr_heap *heap)
{
    int err = grosr_enter(rt);

    if (err)
        return err;
    if (!heap)
        err = grosr_fail(EINVAL, "there is no place for the heap: it is NULL");
    else if (!rt->arena)
        err = grosr_fail(ENOENT, "the runtime was opened without a heap");
    else
        *heap = rt->arena->heap;
    grosr_leave(rt);
    return err;
}

/* ---- what is left ---- */

struct leak {
    uint32_t function;
    uint64_t blocks, bytes, task, worker; /* the first one's */
};

struct leaks {
    struct leak leak[LEAKS_MAX];
    uint32_t functions;
    uint64_t blocks, bytes, damaged;
};

static void add_leak(struct leaks *l, const struct grosr_heap_guard *guard)
{
    uint64_t task = dev_load_relaxed(&guard->task), size = dev_load_relaxed(&guard->size);
    uint32_t function = (uint32_t)(task >> GROSR_TASK_ID_BITS) & 0xffffu, i = 0;

    if (dev_load_relaxed(&guard->mark) != GROSR_GUARD_IN_USE) {
        l->damaged++;
        return;
    }
    l->blocks++;
    l->bytes += size;
    while (i < l->functions && l->leak[i].function != function)
        i++;
    if (i == LEAKS_MAX)
        return;
    if (i == l->functions)
        l->leak[l->functions++] = (struct leak){.function = function,
                                                .task = task & GROSR_TASK_ID_MASK,
                                                .worker = dev_load_relaxed(&guard->worker)};
    l->leak[i].blocks++;
    l->leak[i].bytes += size;
}

/* The blocks of one chunk. `memory` and `bits` have room for a chunk and its bits. */
static int find_leaks(grosr *rt, uint32_t chunk, unsigned char *memory, uint64_t *bits, struct leaks *l)
{
    const struct grosr_arena *a = rt->arena;
    uint64_t state = dev_load_relaxed(&a->copy.state[chunk]);
    unsigned char *at = grosr_chunk_address(&a->heap, chunk);
    int err;

    if (grosr_chunk_kind(state) == GROSR_CHUNK_LARGE) {
        if (!(err = rt->ops->copy(rt->device, memory, at, sizeof(struct grosr_heap_guard), false)))
            add_leak(l, (const struct grosr_heap_guard *)(const void *)memory);
        return err;
    }
    if (!grosr_chunk_is_slab(state) || grosr_chunk_kind(state) > GROSR_CLASSES)
        return 0;
    uint32_t slots = a->heap.slots[grosr_chunk_kind(state) - 1];
    uint32_t bytes = a->heap.units[grosr_chunk_kind(state) - 1] * 16u;
    if (grosr_chunk_free_slots(state) == slots)
        return 0;
    if ((err = rt->ops->copy(rt->device, bits, grosr_chunk_bits(&a->heap, chunk),
                             GROSR_CHUNK_WORDS * sizeof(*bits), false)) ||
        (err = rt->ops->copy(rt->device, memory, at, GROSR_CHUNK_BYTES, false)))
        return err;
    for (uint32_t i = 0; i < slots; i++)
        if (bits[i / 64] >> i % 64 & 1)
            add_leak(l, (const struct grosr_heap_guard *)(const void *)(memory + (size_t)i * bytes));
    return 0;
}

static void print_leaks(const grosr *rt, const struct leaks *l)
{
    if (l->blocks)
        fprintf(stderr, "grosr: %" PRIu64 " blocks of %" PRIu64 " bytes in all were not freed\n", l->blocks,
                l->bytes);
    for (uint32_t i = 0; i < l->functions; i++) {
        const struct leak *k = &l->leak[i];
        const char *name = grosr_session_name(rt->session, GROSR_NAME_FUNCTION, k->function);
        char number[16];
        snprintf(number, sizeof(number), "%u", k->function);
        if (k->function == 0xffffu)
            fprintf(stderr, "grosr:   %" PRIu64 " blocks, %" PRIu64 " bytes: allocated by no task\n",
                    k->blocks, k->bytes);
        else
            fprintf(stderr,
                    "grosr:   %" PRIu64 " blocks, %" PRIu64 " bytes: allocated by the task function %s, "
                    "such as task %" PRIu64 " on worker %" PRIu64 "\n",
                    k->blocks, k->bytes, name ? name : number, k->task, k->worker);
    }
    if (l->damaged)
        fprintf(stderr, "grosr: of %" PRIu64 " blocks more, the guards in front were written to\n",
                l->damaged);
}

static void report_leaks(grosr *rt)
{
    unsigned char *memory = (unsigned char *)aligned_alloc(16, GROSR_CHUNK_BYTES);
    uint64_t *bits = (uint64_t *)calloc(GROSR_CHUNK_WORDS, sizeof(*bits));
    struct leaks l = {.functions = 0};
    int err =
        memory && bits ? copy_part(rt, 0, rt->arena->plan.shards_at) : grosr_fail(ENOMEM, "out of memory");

    for (uint32_t i = 0; !err && i < rt->arena->heap.chunks; i++)
        err = find_leaks(rt, i, memory, bits, &l);
    if (err)
        fprintf(stderr, "grosr: what was not freed is not known: %s\n", grosr_error());
    else
        print_leaks(rt, &l);
    free(memory);
    free(bits);
}

void grosr_arena_close(grosr *rt)
{
    struct grosr_arena *a = rt->arena;

    if (!a)
        return;
    if (a->looked && a->heap.flags & GROSR_HEAP_DEBUG)
        report_leaks(rt);
    rt->arena = NULL;
    pthread_mutex_destroy(&a->lock);
    free(a->copied);
    free(a);
}
