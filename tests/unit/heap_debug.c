/*
 * The heap's debug mode: red zones, poison, guards that name the owner; and what is noted of a heap's use for
 * the trace.
 */
#include "../heap_fixture.h"

#include <pthread.h>
#include <sched.h>

static struct heap_fixture f;

static struct grosr_heap_guard *guard_of(const void *p)
{
    struct grosr_block b;

    if (grosr_block_find(&f.heap, p, &b))
        return NULL;
    return (struct grosr_heap_guard *)(void *)(f.heap.arena + b.offset);
}

static bool all_are(const unsigned char *p, uint64_t bytes, unsigned char value)
{
    for (uint64_t i = 0; i < bytes; i++)
        if (p[i] != value)
            return false;
    return true;
}

static uint64_t damaged(void)
{
    return heap_fixture_counters(&f).bad.damaged;
}

static void blocks(void)
{
    uint64_t wrong = 0, poison = 0;

    for (uint64_t size = 0; size < 300000; size += 1 + size / 8)
        for (uint64_t alignment = 1; alignment <= 262144; alignment *= 8) {
            unsigned char *p = (unsigned char *)grosr_heap_aligned_alloc(f.me, alignment, size);
            if (!p || (uintptr_t)p % alignment || (uintptr_t)p % 16 ||
                grosr_heap_usable_size(f.me, p) != (size ? size : 1)) {
                wrong++;
                continue;
            }
            poison += !all_are(p, size, 0xcd);
            memset(p, 7, size);
            wrong += grosr_heap_free(f.me, p) != 0;
            poison += !all_are(p, size, 0xdd);
        }
    is(wrong, 0, "blocks of 0 to 300 KB at every alignment, which have room for what was asked and no more");
    is(poison, 0, "new memory and freed memory is poisoned");
    for (uint64_t size = 1; size <= 65536; size *= 2) {
        unsigned char *p = (unsigned char *)grosr_heap_malloc(f.me, size);
        wrong += (uintptr_t)p % size || grosr_heap_free(f.me, p);
    }
    is(wrong, 0, "powers of two are aligned to themselves");
    ok(!grosr_heap_malloc(f.me, UINT64_MAX) && !grosr_heap_malloc(f.me, UINT64_MAX - 79) &&
           !grosr_heap_malloc(f.me, UINT64_MAX - 80) && !grosr_heap_aligned_alloc(f.me, UINT64_C(1) << 63, 1),
       "what cannot be had: NULL");
    unsigned char *z = (unsigned char *)grosr_heap_calloc(f.me, 3, 100);
    ok(all_are(z, 300, 0) && z[300] == 0xfd && !grosr_heap_free(f.me, z),
       "calloc: zeroes, and no more of them");
    heap_fixture_ok(&f, NULL, "after that");
    is(damaged(), 0, "nothing was damaged");
}

static void zones(void)
{
    static const uint64_t sizes[] = {0, 1, 15, 16, 17, 100, 4000, 40000, 100000};
    uint64_t wrong = 0, count = damaged();

    for (uint32_t i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
        uint64_t size = sizes[i], room = size ? size : 1;
        int64_t at[] = {-1, -16, (int64_t)room, (int64_t)room + 15};
        for (uint32_t k = 0; k < 4; k++) {
            unsigned char *p = (unsigned char *)grosr_heap_malloc(f.me, size);
            p[at[k]] ^= 1;
            wrong += grosr_heap_free(f.me, p) != 0 || damaged() != ++count;
            struct grosr_heap_counters c = heap_fixture_counters(&f);
            const struct grosr_heap_error *e = &c.error[(c.errors - 1) % GROSR_HEAP_ERRORS_MAX];
            wrong += e->kind != GROSR_HEAP_DAMAGED || e->at != (uint64_t)(p - f.heap.arena);
        }
    }
    is(wrong, 0,
       "a byte written before or behind a block is found when it is freed, and reported with its place");
    heap_fixture_ok(&f, NULL, "after that");

    unsigned char *p = (unsigned char *)grosr_heap_malloc(f.me, 100);
    memset(p - 64, 0x11, 64); /* the guard, too */
    is(grosr_heap_free(f.me, p), 0, "a block whose guard is overwritten is freed");
    is(damaged(), ++count, "and reported");
    p = (unsigned char *)grosr_heap_malloc(f.me, 100);
    dev_store_relaxed(&guard_of(p)->size, UINT64_MAX - 20);
    is(grosr_heap_free(f.me, p), 0, "one whose guard has another size, too");
    is(damaged(), ++count, "without reading what that would be");
    heap_fixture_ok(&f, NULL, "after that");
}

static void refused(void)
{
    struct grosr_heap_counters c;
    uint64_t count = damaged();
    unsigned char *p = (unsigned char *)grosr_heap_malloc(f.me, 1000), *q;
    unsigned char *large = (unsigned char *)grosr_heap_malloc(f.me, 200000);

    ok(grosr_heap_free(f.me, p + 16) == EINVAL && grosr_heap_free(f.me, p - 64) == EINVAL &&
           grosr_heap_free(f.me, p + 1) == EINVAL && grosr_heap_free(f.me, p + 1000) == EINVAL &&
           grosr_heap_free(f.me, large + 65536) == EINVAL,
       "inner pointers are refused");
    ok(!grosr_heap_usable_size(f.me, p + 16) && !grosr_heap_usable_size(f.me, p - 64), "and are no blocks");
    is(grosr_heap_free(f.me, p), 0, "the block is freed");
    is(grosr_heap_usable_size(f.me, p), 0, "and is none");
    ok(grosr_heap_free(f.me, p) == EINVAL && grosr_heap_free(f.me, p + 2048) == EINVAL, "twice: refused");
    is(grosr_heap_free(f.me, large), 0, "the large one as well");
    is(grosr_heap_free(f.me, large), EINVAL, "once");
    is(grosr_heap_free(f.me, &c), EINVAL, "a foreign pointer is refused");
    c = heap_fixture_counters(&f);
    is(c.bad.inner, 5, "five inner ones");
    is(c.bad.twice, 3, "three that are not allocated");
    is(c.bad.foreign, 1, "one foreign one");
    is(damaged(), count, "nothing is taken for damage");

    p = (unsigned char *)grosr_heap_malloc(f.me, 0);
    q = (unsigned char *)grosr_heap_realloc(f.me, p, 50);
    ok(q != NULL, "realloc of a block of 0 bytes");
    memset(q, 3, 50);
    p = (unsigned char *)grosr_heap_realloc(f.me, q, 60);
    ok(p && p != q && all_are(p, 50, 3) && all_are(p + 50, 10, 0xcd),
       "every realloc moves, with the content");
    q = (unsigned char *)grosr_heap_realloc(f.me, p, 10);
    ok(q && all_are(q, 10, 3) && q[10] == 0xfd, "also one that shrinks");
    ok(!grosr_heap_realloc(f.me, p, 10), "the block that was freed by it is refused");
    is(grosr_heap_free(f.me, q), 0, "and the other one freed");
    heap_fixture_ok(&f, NULL, "after that");
}

/* ---- a block that two threads free ---- */

static unsigned char *shared[20000];
static dev64 at, done[3];

static void *free_all(void *arg)
{
    for (uint64_t i = 0; i < sizeof(shared) / sizeof(*shared); i++) {
        dev_count(&at, 1);
        while (dev_load_relaxed(&at) < 2 * i + 1)
            sched_yield();
        dev_count(&done[grosr_heap_free(f.me, shared[i]) ? 1 : 0], 1);
    }
    return arg;
}

static void twice_at_once(const char *mode)
{
    pthread_t thread;
    uint64_t n = sizeof(shared) / sizeof(*shared);

    memset(done, 0, sizeof(done));
    memset(&at, 0, sizeof(at));
    for (uint64_t i = 0; i < n; i++)
        shared[i] = (unsigned char *)grosr_heap_malloc(f.me, i % 100 ? 1 + i % 3000 : 70000);
    pthread_create(&thread, NULL, free_all, NULL);
    free_all(NULL);
    pthread_join(thread, NULL);
    is(done[0].v, n, "two threads free the same blocks%s: each is freed once", mode);
    is(done[1].v, n, "and refused once");
    heap_fixture_ok(&f, NULL, "after that");
}

/* ---- notes ---- */

static struct grosr_heap_note notes[GROSR_HEAP_NOTES + 1];
static struct grosr_heap_site site;

static struct grosr_heap_user user_at(uint32_t level)
{
    struct grosr_heap_user u = f.me;

    memset(notes, 0, sizeof(notes));
    memset(&site, 0, sizeof(site));
    site.notes = notes;
    site.level = level;
    site.worker = 5;
    u.site = &site;
    u.task = grosr_payload_task(3, 77);
    return u;
}

/* Whether note i is of that kind; its payload's bits below `shift`, and those from there on. */
static bool noted(uint32_t i, uint32_t kind, uint32_t shift, uint64_t upper, uint64_t lower)
{
    uint64_t payload = notes[i].payload.v;

    return notes[i].when.v >> GROSR_KIND_SHIFT == kind && payload >> shift == upper &&
           (payload & ((UINT64_C(1) << shift) - 1)) == lower && notes[i].task.v == grosr_payload_task(3, 77);
}

static void noted_uses(void)
{
    struct grosr_heap_user u = user_at(GROSR_LEVEL_FULL);
    uint32_t c = grosr_class_of(500);
    unsigned char *p = (unsigned char *)grosr_heap_malloc(u, 500), *q;
    uint64_t chunk = (uint64_t)(p - f.heap.arena) / GROSR_CHUNK_BYTES,
             place = (uint64_t)(p - f.heap.arena) / 16;

    is(site.noted.v, 2, "the first block of a class notes two things");
    ok(noted(0, GROSR_EV_SLAB_ACQUIRE, 48, c, chunk), "the slab: class and chunk");
    ok(noted(1, GROSR_EV_MALLOC, 50, c, UINT64_C(500) << 34 | place), "the block: class, size and place");
    q = (unsigned char *)grosr_heap_malloc(u, 5 * GROSR_CHUNK_BYTES - 5000);
    uint64_t pages = (5 * GROSR_CHUNK_BYTES - 5000 + 4095) / 4096;
    uint64_t first = (uint64_t)(q - f.heap.arena) / GROSR_CHUNK_BYTES;
    ok(noted(2, GROSR_EV_LARGE_MALLOC, 28, pages, first), "a large block: pages and first chunk");
    grosr_heap_free(u, q);
    ok(noted(3, GROSR_EV_LARGE_FREE, 28, 5, first), "its end: chunks and first chunk");
    grosr_heap_free(u, p);
    ok(noted(4, GROSR_EV_FREE, 50, c, place), "the end of a block: class and place");
    void *all = grosr_heap_malloc(u, f.plan.arena_bytes);
    ok(noted(5, GROSR_EV_SLAB_RELEASE, 48, c, chunk), "the slab is taken away for a block that needs all");
    ok(noted(6, GROSR_EV_LARGE_MALLOC, 28, f.plan.arena_bytes / 4096, 0), "which is noted");
    grosr_heap_malloc(u, 4000);
    ok(noted(7, GROSR_EV_HEAP_ERROR, 48, GROSR_HEAP_NO_MEMORY, 4000),
       "no memory, and how much was asked for");
    grosr_heap_malloc(u, 100000);
    ok(noted(8, GROSR_EV_HEAP_ERROR, 48, GROSR_HEAP_NO_MEMORY, 100000), "a large one, too");
    grosr_heap_free(u, (char *)all + 16);
    ok(noted(9, GROSR_EV_HEAP_ERROR, 48, GROSR_HEAP_FREE_INNER, 16),
       "a free that is refused: kind and place");
    struct grosr_heap_counters k = heap_fixture_counters(&f);
    ok(k.error[0].worker == 5 && k.error[0].task == 77 && k.errors == 1,
       "which the counters have with its owner");
    is(site.noted.v, 10, "and no more");

    u = user_at(GROSR_LEVEL_SPANS);
    grosr_heap_free(u, all);
    p = (unsigned char *)grosr_heap_malloc(u, 500);
    grosr_heap_free(u, p);
    grosr_heap_free(u, p);
    is(site.noted.v, 3, "at `spans`: no block");
    ok(noted(0, GROSR_EV_LARGE_FREE, 28, f.heap.chunks, 0) && noted(1, GROSR_EV_SLAB_ACQUIRE, 48, c, 0) &&
           noted(2, GROSR_EV_HEAP_ERROR, 48, GROSR_HEAP_FREE_TWICE, 0),
       "but large ones, slabs and errors");
    u = user_at(GROSR_LEVEL_COUNTERS);
    p = (unsigned char *)grosr_heap_malloc(u, 70000);
    grosr_heap_free(u, p);
    grosr_heap_free(u, p);
    is(site.noted.v, 0, "below: nothing");

    u = user_at(GROSR_LEVEL_FULL);
    for (uint32_t i = 0; i < GROSR_HEAP_NOTES; i++)
        grosr_heap_free(u, grosr_heap_malloc(u, 500));
    is(site.noted.v, 2 * GROSR_HEAP_NOTES, "notes beyond the buffer are counted");
    ok(notes[GROSR_HEAP_NOTES - 1].task.v && !notes[GROSR_HEAP_NOTES].task.v, "and not written");
}

static void owned(void)
{
    struct grosr_heap_user u = user_at(GROSR_LEVEL_OFF);
    unsigned char *p = (unsigned char *)grosr_heap_malloc(u, 123),
                  *q = (unsigned char *)grosr_heap_malloc(f.me, 5);
    const struct grosr_heap_guard *g = guard_of(p), *h = guard_of(q);

    ok(g->mark.v == GROSR_GUARD_IN_USE && g->size.v == 123 && g->task.v == u.task && g->worker.v == 5 &&
           g->time_ns.v,
       "a guard tells size, task, worker and time");
    ok(h->mark.v == GROSR_GUARD_IN_USE && (h->task.v & GROSR_TASK_ID_MASK) == GROSR_HEAP_NO_TASK &&
           h->worker.v == UINT64_MAX,
       "or that it was no task");
    grosr_heap_free(f.me, p);
    is(g->mark.v, GROSR_GUARD_FREED, "and that the block is freed");
    grosr_heap_free(f.me, q);
}

int main(void)
{
    heap_fixture_open(&f, 300, GROSR_HEAP_DEBUG);
    blocks();
    zones();
    refused();
    owned();
    heap_fixture_close(&f);
    heap_fixture_open(&f, 3000, GROSR_HEAP_DEBUG);
    twice_at_once(" in debug mode");
    heap_fixture_close(&f);
    heap_fixture_open(&f, 3000, 0);
    twice_at_once("");
    heap_fixture_close(&f);
    heap_fixture_open(&f, 50, 0);
    noted_uses();
    heap_fixture_close(&f);
    return tap_done();
}
