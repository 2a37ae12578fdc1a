/*
 * The counters of a heap in a session: what is read is one whole copy, whenever the process published, died
 * or wrote nonsense; and what is derived from them is what the issue of the allocator defines.
 */
#include "../fixture.h"

#include "../../tracer/session/heap_counters.h"

#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

#define KIB 1024u

static struct grosr_session *session_of(uint32_t heaps)
{
    struct grosr_session_options o = {.device = "host",
                                      .device_name = "test",
                                      .program = "test",
                                      .workers = 1,
                                      .ring_events = 8,
                                      .host_ring_events = 8,
                                      .heaps = heaps};
    struct grosr_session *s = NULL;

    if (grosr_session_create(&s, &o)) {
        printf("Bail out! %s\n", grosr_error());
        exit(1);
    }
    return s;
}

/* 16 chunks of 64 KiB: two slabs of 64 bytes, one of them empty, one of 1 KiB, a large block of three chunks.
 */
static struct grosr_heap_counters example(void)
{
    struct grosr_heap_counters c = {.arena_bytes = 1024 * KIB,
                                    .chunk_bytes = 64 * KIB,
                                    .classes = 2,
                                    .time_ns = 5,
                                    .free_chunks = 10,
                                    .empty_chunks = 1,
                                    .slab_chunks = 3,
                                    .large_chunks = 3,
                                    .chunks_max = 7,
                                    .largest_bytes = 512 * KIB};

    c.large.live = 1;
    c.large.mallocs = 2;
    c.large.frees = 1;
    c.large.requested = 160 * KIB;
    c.large.failures = 1;
    c.bad.foreign = 1;
    c.bad.twice = 2;
    c.errors = 4;
    c.class_[0] = (struct grosr_heap_class){64, 1024, 2, 3, 100, 400, 300, 400 * 48, 0};
    c.class_[1] = (struct grosr_heap_class){1024, 64, 1, 1, 10, 10, 0, 10 * 1000, 2};
    return c;
}

static void derived(void)
{
    struct grosr_heap_counters c = example(), none = {0};
    uint64_t used = 100 * 64 + 10 * 1024 + 3 * 64 * KIB, requested = 160 * KIB + 100 * 48 + 10 * 1000;
    uint64_t unused = 1024 * KIB - used;
    double internal = 1 - (double)requested / (double)used;
    double external = 1 - 512.0 * KIB / (double)unused;

    is(grosr_heap_reserved_bytes(&c), 5 * 64 * KIB, "reserved: the chunks that hold something");
    is(grosr_heap_live(&c), 111, "live: slots and large blocks");
    is(grosr_heap_used_bytes(&c), used, "used: the bytes of those blocks");
    is(grosr_heap_requested_bytes(&c), requested, "requested: by the mean of each class, exact for large");
    is(grosr_heap_free_bytes(&c), unused, "free: the rest of the arena");
    ok(grosr_heap_internal_fragmentation(&c) == internal, "internal: 1 - requested / used");
    ok(grosr_heap_external_fragmentation(&c) == external, "external: 1 - largest / free");
    is(grosr_heap_failures(&c), 3, "failures of every class and of large blocks");
    is(grosr_heap_bad_frees(&c), 3, "refused frees of every kind");
    ok(grosr_heap_internal_fragmentation(&none) == 0 && grosr_heap_external_fragmentation(&none) == 0,
       "an arena of nothing is not fragmented");
}

static void life(void)
{
    struct grosr_session *s = session_of(2), *view, *without = session_of(0);
    struct grosr_heap_counters c = example(), got;

    is(grosr_session_open(&view, (uint32_t)getpid(), 0), 0, "a session with two heaps");
    ok(!grosr_heap_read(view, 0, &got), "nothing was published yet");
    for (uint64_t i = 1; i <= 3; i++) {
        c.time_ns = i;
        is(grosr_heap_publish(s, 0, &c), 0, "copy %d", (int)i);
        ok(grosr_heap_read(view, 0, &got) && !memcmp(&c, &got, sizeof(c)), "is read");
    }
    ok(!grosr_heap_read(view, 1, &got), "of the other heap nothing was published");
    ok(!grosr_heap_read(view, 2, &got), "there is no third");
    is(grosr_heap_publish(s, 2, &c), -EINVAL, "and none is published");
    is(grosr_heap_publish(without, 0, &c), -EINVAL, "a session may have none at all");
    ok(!grosr_heap_read(without, 0, &got), "of which nothing is read");

    /* The process is killed while it writes the next copy. */
    struct grosr_heap_entry *entry = (struct grosr_heap_entry *)(void *)(s->base + s->header.heaps_at);
    memset(&entry->copy[0], 0x55, sizeof(entry->copy[0]));
    ok(grosr_heap_read(view, 0, &got) && !memcmp(&c, &got, sizeof(c)), "an unfinished copy is not read");
    grosr_session_close(view);
    grosr_session_close(without);
    grosr_session_close(s);
}

static void hostile(void)
{
    struct grosr_session *s = session_of(1);
    struct grosr_heap_counters c, got;
    uint64_t seed = 3, wrong = 0;

    for (int i = 0; i < 2000; i++) {
        uint64_t *word = (uint64_t *)&c;
        for (size_t k = 0; k < GROSR_HEAP_WORDS; k++)
            word[k] = i == 0 ? UINT64_MAX : tap_random(&seed) >> tap_random(&seed) % 64;
        grosr_heap_publish(s, 0, &c);
        if (!grosr_heap_read(s, 0, &got))
            wrong++;
        double internal = grosr_heap_internal_fragmentation(&got);
        double external = grosr_heap_external_fragmentation(&got);
        wrong += got.classes > GROSR_HEAP_CLASSES_MAX || got.arena_bytes > UINT64_C(1) << 48;
        wrong += grosr_heap_reserved_bytes(&got) > got.arena_bytes;
        wrong += grosr_heap_used_bytes(&got) > got.arena_bytes;
        wrong += grosr_heap_requested_bytes(&got) > got.arena_bytes;
        wrong += !(internal >= 0 && internal <= 1) || !(external >= 0 && external <= 1);
        wrong += grosr_heap_live(&got) > INT64_MAX || grosr_heap_failures(&got) > INT64_MAX;
        wrong += grosr_heap_bad_frees(&got) > INT64_MAX;
    }
    is(wrong, 0, "whatever was published, what is read keeps to its ranges");
    grosr_session_close(s);
}

static void *publish_all(void *arg)
{
    struct grosr_session *s = (struct grosr_session *)arg;
    struct grosr_heap_counters c = {.arena_bytes = UINT64_C(1) << 40, .chunk_bytes = 1, .classes = 64};

    for (uint64_t i = 1; i <= 20000; i++) {
        c.time_ns = i;
        for (uint32_t k = 0; k < 64; k++)
            c.class_[k].mallocs = i;
        grosr_heap_publish(s, 0, &c);
    }
    return NULL;
}

static void concurrent(void)
{
    struct grosr_session *s = session_of(1);
    struct grosr_heap_counters got = {0};
    uint64_t torn = 0, back = 0, latest = 0;
    pthread_t writer;

    pthread_create(&writer, NULL, publish_all, s);
    while (latest < 20000) {
        if (!grosr_heap_read(s, 0, &got))
            continue;
        for (uint32_t k = 0; k < 64; k++)
            torn += got.class_[k].mallocs != got.time_ns;
        back += got.time_ns < latest;
        latest = got.time_ns;
    }
    pthread_join(writer, NULL);
    is(torn, 0, "a reader beside a writer sees whole copies");
    is(back, 0, "in their order");
    grosr_session_close(s);
}

/* A segment of another's making, whose heaps lie outside or over another part. */
static void damaged(void)
{
    struct grosr_session *s = session_of(1), *view;
    struct grosr_session_header *h = grosr_session_live(s);
    uint64_t at = h->heaps_at;
    const struct {
        uint64_t at;
        uint32_t heaps;
        const char *what;
    } cases[] = {{s->bytes - 128, 1, "a heap over the segment's end"},
                 {UINT64_MAX - 127, 1, "one far outside"},
                 {at + 8, 1, "one that is not aligned"},
                 {h->rings_at, 1, "one over the rings"},
                 {at, 2, "one more than there is room for"},
                 {at, GROSR_HEAPS_MAX + 1, "more than there can be"},
                 {at, UINT32_MAX, "very many"}};

    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        h->heaps_at = cases[i].at;
        h->heaps = cases[i].heaps;
        is(grosr_session_open(&view, (uint32_t)getpid(), 0), -EPROTO, "%s is refused", cases[i].what);
    }
    h->heaps_at = at;
    h->heaps = 1;
    is(grosr_session_open(&view, (uint32_t)getpid(), 0), 0, "as it was made it is accepted");
    grosr_session_close(view);
    grosr_session_close(s);

    struct grosr_session_options o = {.workers = 1, .ring_events = 8, .heaps = GROSR_HEAPS_MAX + 1};
    is(grosr_session_create(&s, &o), -EINVAL, "a session with too many heaps is not made");
}

int main(void)
{
    derived();
    life();
    hostile();
    concurrent();
    damaged();
    return tap_done();
}
