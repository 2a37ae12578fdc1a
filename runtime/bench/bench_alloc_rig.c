/*
 * The heap of a rig, its arrays and its checks, on any device (bench_alloc_rig.h).
 */
#include "bench_alloc_rig.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Warps have an entry in start_ns and end_ns even where only a part of the last block is needed. */
#define WARPS_MORE 64u

/* ---- heaps ---- */

/* The arena is aligned by hand: a device may align to less than a chunk. */
static unsigned char *aligned(void *memory)
{
    uintptr_t up = GROSR_CHUNK_BYTES - 1;
    return (unsigned char *)(((uintptr_t)memory + up) & ~up);
}

static int first_state(struct grosr_bench_alloc_rig *rig, const struct grosr_bench_heap *h)
{
    size_t bytes = h->heap.map_words * sizeof(uint64_t);
    uint64_t *words = (uint64_t *)malloc(bytes);
    int err = words ? 0 : grosr_fail(ENOMEM, "out of memory");

    if (!err)
        err = rig->ops->clear(rig->device, h->memory, h->plan.bytes);
    if (!err) {
        grosr_heap_first_map(&h->heap, words);
        err = rig->ops->write(rig->device, h->heap.maps, words, bytes);
    }
    free(words);
    return err;
}

int grosr_bench_heap_make(struct grosr_bench_alloc_rig *rig, uint64_t bytes, struct grosr_bench_heap *h)
{
    int err;

    memset(h, 0, sizeof(*h));
    grosr_heap_make_plan(&h->heap, &h->plan, bytes, 0);
    err = rig->ops->allocate(rig->device, h->plan.arena_bytes + GROSR_CHUNK_BYTES, &h->arena);
    if (!err)
        err = rig->ops->allocate(rig->device, h->plan.bytes, &h->memory);
    if (err)
        return err;
    grosr_heap_place(&h->heap, aligned(h->arena), h->memory);
    return first_state(rig, h);
}

int grosr_bench_heap_free(struct grosr_bench_alloc_rig *rig, struct grosr_bench_heap *h)
{
    int err = h->arena ? rig->ops->release(rig->device, h->arena) : 0;

    if (!err && h->memory)
        err = rig->ops->release(rig->device, h->memory);
    memset(h, 0, sizeof(*h));
    return err;
}

/* ---- opening ---- */

static int lend(struct grosr_bench_alloc_rig *rig, size_t bytes, void **memory)
{
    int err = rig->ops->allocate(rig->device, bytes, memory);
    return err ? err : rig->ops->clear(rig->device, *memory, bytes);
}

static int prepare(struct grosr_bench_alloc_rig *rig)
{
    struct grosr_bench_alloc *a = &rig->args;
    size_t threads = rig->threads_max, warps = threads / rig->report->device.lanes + WARPS_MORE;
    int err = rig->ops->open(&rig->device, &rig->report->device, rig->plain ? rig->bytes : 0, rig->workers);

    memset(a, 0, sizeof(*a));
    if (!err && !rig->plain)
        err = grosr_bench_heap_make(rig, rig->bytes, &rig->heap);
    a->heap = rig->heap.heap;
    if (!err)
        err = lend(rig, threads * sizeof(*a->block), (void **)&a->block);
    if (!err)
        err = lend(rig, threads * sizeof(*a->born), (void **)&a->born);
    if (!err)
        err = lend(rig, threads * sizeof(*a->note), (void **)&a->note);
    if (!err)
        err = lend(rig, threads * sizeof(*a->list), (void **)&a->list);
    if (!err)
        err = lend(rig, GROSR_BENCH_TALLIES * sizeof(*a->tally), (void **)&a->tally);
    if (!err)
        err = lend(rig, warps * sizeof(*a->start_ns), (void **)&a->start_ns);
    if (!err)
        err = lend(rig, warps * sizeof(*a->end_ns), (void **)&a->end_ns);
    return err;
}

int grosr_bench_alloc_open(struct grosr_bench_alloc_rig *rig, struct grosr_bench_report *report,
                           uint32_t workers, bool plain, uint64_t bytes, uint32_t threads_max)
{
    memset(rig, 0, sizeof(*rig));
    rig->ops = grosr_bench_on_cuda(report) ? &grosr_bench_alloc_cuda : &grosr_bench_alloc_host;
    rig->report = report;
    rig->workers = workers;
    rig->plain = plain;
    rig->bytes = bytes;
    rig->threads_max = threads_max;
    return prepare(rig);
}

void grosr_bench_alloc_close(struct grosr_bench_alloc_rig *rig)
{
    if (rig->ops)
        rig->ops->close(rig->device);
    rig->device = NULL;
}

int grosr_bench_alloc_renew(struct grosr_bench_alloc_rig *rig, bool *fresh)
{
    *fresh = !rig->plain || rig->bytes;
    if (!rig->plain)
        return first_state(rig, &rig->heap);
    if (!*fresh)
        return 0;
    const struct grosr_bench_alloc asked = rig->args;
    grosr_bench_alloc_close(rig);
    int err = prepare(rig);
    /* What the case had set, in the new memory. */
    rig->args.threads = asked.threads;
    rig->args.skipped = asked.skipped;
    rig->args.size = asked.size;
    rig->args.seed = asked.seed;
    rig->args.aged = asked.aged;
    rig->args.steps = asked.steps;
    return err;
}

int grosr_bench_alloc_forget(struct grosr_bench_alloc_rig *rig)
{
    size_t threads = rig->threads_max;
    int err = rig->ops->clear(rig->device, rig->args.block, threads * sizeof(*rig->args.block));

    return err ? err : rig->ops->clear(rig->device, rig->args.list, threads * sizeof(*rig->args.list));
}

/* ---- running ---- */

int grosr_bench_alloc_read(struct grosr_bench_alloc_rig *rig, void *to, const void *memory, size_t bytes)
{
    return rig->ops->read(rig->device, to, memory, bytes);
}

static int read_span(struct grosr_bench_alloc_rig *rig, uint32_t warps, double *ns)
{
    uint64_t *at = (uint64_t *)malloc(2 * (size_t)warps * sizeof(*at)), first, last;
    int err = at ? 0 : grosr_fail(ENOMEM, "out of memory");

    if (!err)
        err = grosr_bench_alloc_read(rig, at, rig->args.start_ns, warps * sizeof(*at));
    if (!err)
        err = grosr_bench_alloc_read(rig, at + warps, rig->args.end_ns, warps * sizeof(*at));
    if (!err) {
        first = at[0];
        last = at[warps];
        for (uint32_t i = 1; i < warps; i++) {
            first = at[i] < first ? at[i] : first;
            last = at[warps + i] > last ? at[warps + i] : last;
        }
        *ns = last > first ? (double)(last - first) : 1; /* less than the clock's step */
    }
    free(at);
    return err;
}

int grosr_bench_alloc_run(struct grosr_bench_alloc_rig *rig, enum grosr_bench_alloc_kernel kernel, double *ns)
{
    uint32_t warps = 0;
    int err = rig->ops->clear(rig->device, rig->args.tally, sizeof(rig->tally));

    if (!err)
        err = rig->ops->run(rig->device, kernel, rig->plain, &rig->args, &warps);
    if (!err)
        err = grosr_bench_alloc_read(rig, rig->tally, rig->args.tally, sizeof(rig->tally));
    if (!err)
        err = read_span(rig, warps, ns);
    if (err)
        return err;
    grosr_bench_check(rig->report, "requests without memory", GROSR_BENCH_NO_INDEX, 0,
                      rig->tally[GROSR_BENCH_FAILED]);
    grosr_bench_check(rig->report, "refused frees", GROSR_BENCH_NO_INDEX, 0, rig->tally[GROSR_BENCH_REFUSED]);
    grosr_bench_check(rig->report, "damaged blocks", GROSR_BENCH_NO_INDEX, 0,
                      rig->tally[GROSR_BENCH_DAMAGED]);
    return 0;
}

/* ---- checks by the host ---- */

struct place {
    uint64_t from, end; /* addresses */
    uint32_t thread;
};

static int by_address(const void *a, const void *b)
{
    const struct place *x = (const struct place *)a, *y = (const struct place *)b;
    return x->from < y->from ? -1 : x->from > y->from;
}

/* The blocks that threads have. Returns how many. */
static uint32_t find_places(const struct grosr_bench_alloc *a, void *const *block, const uint32_t *born,
                            struct place *place)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < a->threads; i++) {
        uint32_t size = a->size ? a->size : grosr_bench_random_size(i, a->aged ? born[i] : a->seed);
        if (i & a->skipped || !block[i])
            continue;
        place[n].from = (uint64_t)(uintptr_t)block[i];
        place[n].end = place[n].from + size;
        place[n++].thread = i;
    }
    return n;
}

static void check_places(struct grosr_bench_alloc_rig *rig, const struct place *place, uint32_t n)
{
    uint64_t arena = (uint64_t)(uintptr_t)rig->heap.heap.arena;

    for (uint32_t i = 1; i < n; i++)
        if (place[i].from < place[i - 1].end)
            grosr_bench_check(rig->report, "overlapping block of thread", place[i].thread, place[i - 1].end,
                              place[i].from);
    for (uint32_t i = 0; i < n && !rig->plain; i++)
        if (place[i].from < arena || place[i].end > arena + rig->heap.plan.arena_bytes)
            grosr_bench_check(rig->report, "block outside the arena, of thread", place[i].thread, arena,
                              place[i].from);
}

int grosr_bench_alloc_check_places(struct grosr_bench_alloc_rig *rig, double *range, double *requested)
{
    const struct grosr_bench_alloc *a = &rig->args;
    void **block = (void **)malloc(a->threads * sizeof(*block));
    uint32_t *born = (uint32_t *)malloc(a->threads * sizeof(*born)), n = 0;
    struct place *place = (struct place *)malloc(a->threads * sizeof(*place));
    int err = block && born && place ? 0 : grosr_fail(ENOMEM, "out of memory");

    if (!err)
        err = grosr_bench_alloc_read(rig, block, a->block, a->threads * sizeof(*block));
    if (!err)
        err = grosr_bench_alloc_read(rig, born, a->born, a->threads * sizeof(*born));
    if (!err) {
        n = find_places(a, block, born, place);
        qsort(place, n, sizeof(*place), by_address);
        check_places(rig, place, n);
    }
    if (!err && range && requested) {
        *requested = 0;
        for (uint32_t i = 0; i < n; i++)
            *requested += (double)(place[i].end - place[i].from);
        *range = n ? (double)(place[n - 1].end - place[0].from) : 0;
    }
    free(block);
    free(born);
    free(place);
    return err;
}

int grosr_bench_alloc_counters(struct grosr_bench_alloc_rig *rig, struct grosr_heap_counters *out)
{
    struct grosr_heap copy = rig->heap.heap;
    void *memory = aligned_alloc(4096, (rig->heap.plan.bytes + 4095) / 4096 * 4096);
    int err = memory ? grosr_bench_alloc_read(rig, memory, rig->heap.memory, rig->heap.plan.bytes)
                     : grosr_fail(ENOMEM, "out of memory");

    if (!err) {
        grosr_heap_place(&copy, copy.arena, memory);
        grosr_heap_read_counters(&copy, out);
    }
    free(memory);
    return err;
}

int grosr_bench_alloc_check_empty(struct grosr_bench_alloc_rig *rig)
{
    struct grosr_heap_counters c;
    int err = rig->plain ? 0 : grosr_bench_alloc_counters(rig, &c);

    if (err || rig->plain)
        return err;
    grosr_bench_check(rig->report, "blocks that are left", GROSR_BENCH_NO_INDEX, 0, grosr_heap_live(&c));
    grosr_bench_check(rig->report, "errors of the heap", GROSR_BENCH_NO_INDEX, 0, c.errors);
    for (uint64_t i = 0; i < c.classes; i++)
        grosr_bench_check(rig->report, "frees of class", i, c.class_[i].mallocs, c.class_[i].frees);
    grosr_bench_check(rig->report, "chunks that are free or empty", GROSR_BENCH_NO_INDEX,
                      c.arena_bytes / c.chunk_bytes, c.free_chunks + c.empty_chunks);
    return 0;
}
