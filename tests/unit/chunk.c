/*
 * Chunks: records survive packing and unpacking, however odd; regular ones become small; and arbitrary bytes
 * are accepted or refused without an access outside of the arrays (which ASan checks: they are allocated with
 * their exact sizes).
 */
#include "../../tracer/store/chunk.h"
#include "../tap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define LAP_MASK (UINT64_C(0xff) << GROSR_LAP_SHIFT)

static uint64_t seed = 1;

/* Packs and unpacks; the bytes it took, 0 when something is not as it was. */
static size_t there_and_back(const struct grosr_pair *records, uint32_t count)
{
    uint8_t *room = (uint8_t *)malloc(GROSR_CHUNK_ROOM(count));
    struct grosr_pair *back = (struct grosr_pair *)malloc(count * sizeof(*back));
    size_t size = grosr_chunk_encode(records, count, room);
    uint8_t *bytes = (uint8_t *)malloc(size);

    memcpy(bytes, room, size);
    int err = grosr_chunk_decode(bytes, size, back, count);
    for (uint32_t i = 0; !err && i < count; i++)
        err = back[i].lo != (records[i].lo & ~LAP_MASK) || back[i].hi != (records[i].hi & ~LAP_MASK);
    free(bytes);
    free(back);
    free(room);
    return err || size > count * sizeof(*records) + 1 ? 0 : size;
}

static struct grosr_pair event(uint32_t kind, uint32_t high, uint64_t low, uint64_t time)
{
    return grosr_event_pack(tap_random(&seed) & LAP_MASK, kind, time, grosr_payload_task(high, low));
}

/* What a warp records that takes 32 tasks at a time, on a GPU whose clock steps by 32 ns. */
static uint32_t warp(struct grosr_pair *records, uint32_t count)
{
    uint64_t task = 0, time = UINT64_C(0xfffffffff000) - 40 * UINT64_C(32); /* wraps soon */
    uint32_t n = 0;

    while (n + 68 <= count) {
        records[n++] = event(GROSR_EV_WAIT_END, GROSR_RES_QUEUE_NOT_EMPTY << 8, 0, time += 32 * 40);
        for (uint32_t i = 0; i < 32; i++)
            records[n++] = event(GROSR_EV_TASK_BEGIN, 1 + i % 2, task + i, time);
        time += 32 * (8 + tap_random(&seed) % 4);
        for (uint32_t i = 0; i < 32; i++)
            records[n++] = event(GROSR_EV_TASK_END, 0, task + i, time);
        records[n++] = event(GROSR_EV_WAIT_BEGIN, GROSR_RES_QUEUE_NOT_EMPTY << 8, 0, time += 32);
        task += 32 * (1 + tap_random(&seed) % 20);
    }
    return n;
}

/* What a host worker records: one task after the other, some of which spawn and suspend. */
static uint32_t worker(struct grosr_pair *records, uint32_t count)
{
    uint64_t task = GROSR_TASK_SPAWNED, time = 1000, spawned = GROSR_TASK_SPAWNED;
    uint32_t n = 0;

    while (n + 4 <= count) {
        bool parent = tap_random(&seed) % 3 == 0;
        records[n++] = event(GROSR_EV_TASK_BEGIN, 4, task, time += 100 + tap_random(&seed) % 8 * 10);
        if (parent) {
            records[n++] = event(GROSR_EV_TASK_SPAWN, 2, spawned, time += 50);
            spawned += 2;
        }
        records[n++] = event(parent ? GROSR_EV_TASK_SUSPEND : GROSR_EV_TASK_END,
                             parent ? GROSR_TASK_NOTHING : 0, task, time += 30 + tap_random(&seed) % 4 * 10);
        task = spawned - tap_random(&seed) % 40 % (spawned - GROSR_TASK_SPAWNED + 1);
    }
    return n;
}

static void regular(struct grosr_pair *records)
{
    uint32_t n = warp(records, 16384);
    size_t bytes = there_and_back(records, n);
    ok(bytes && bytes < n / 4, "%u events of a warp: %zu bytes, less than a quarter of a byte each", n,
       bytes);
    n = worker(records, 16384);
    bytes = there_and_back(records, n);
    ok(bytes && bytes < n * 3, "%u events of a host worker: %zu bytes, less than three each", n, bytes);
}

static void odd(struct grosr_pair *records)
{
    uint32_t wrong = 0;

    for (uint32_t i = 0; i < GROSR_CHUNK_EVENTS_MAX; i++)
        records[i] = (struct grosr_pair){tap_random(&seed), tap_random(&seed)};
    for (uint32_t count = 1; count < 70; count++)
        wrong += !there_and_back(records + count, count);
    is(wrong, 0, "random records, 1 to 69 of them");
    ok(there_and_back(records, GROSR_CHUNK_EVENTS_MAX), "and as many as there may be: raw, not longer");
    for (uint32_t i = 0; i < GROSR_CHUNK_EVENTS_MAX; i++) {
        unsigned bits = (unsigned)(tap_random(&seed) % 49); /* times and payloads of every width */
        uint64_t some = tap_random(&seed) & ((UINT64_C(1) << bits) - 1);
        records[i] = grosr_event_pack(0, 1 + i % 20, i % 7 ? some : UINT64_C(0) - some, some * 257);
    }
    ok(there_and_back(records, GROSR_CHUNK_EVENTS_MAX), "fields of every width, times that go back");
    for (uint32_t i = 0; i < 4096; i++) /* more kinds and high bits than the dictionary holds */
        records[i] = event(4 + i % 3, i % 300, i, 10 * i);
    size_t bytes = there_and_back(records, 4096);
    ok(bytes && bytes < 4096 * 16, "more different ones than there are tokens: %zu bytes for 4096", bytes);
    for (uint32_t i = 0; i < 1000; i++) /* ends in an order of their own, begins without ends, ends alone */
        records[i] = event(tap_random(&seed) % 3 ? GROSR_EV_TASK_BEGIN : GROSR_EV_TASK_END, 0,
                           tap_random(&seed) % 100, i);
    ok(there_and_back(records, 1000), "begins and ends in disorder");
}

/* Decodes bytes of which some are wrong; whether an array beside the records was touched. */
static bool strays(const uint8_t *bytes, size_t size, uint32_t count, uint32_t *taken)
{
    uint8_t *copy = (uint8_t *)malloc(size ? size : 1);
    struct grosr_pair *records = (struct grosr_pair *)malloc((count + 1) * sizeof(*records));
    const struct grosr_pair guard = {UINT64_C(0x5a5a5a5a5a5a5a5a), UINT64_C(0xa5a5a5a5a5a5a5a5)};

    memcpy(copy, bytes, size);
    records[count] = guard;
    int err = grosr_chunk_decode(copy, size, records, count);
    *taken += err == 0;
    bool stray = (err != 0 && err != -EINVAL) || memcmp(&records[count], &guard, sizeof(guard)) != 0;
    free(records);
    free(copy);
    return stray;
}

static void hostile(struct grosr_pair *records)
{
    static uint8_t room[GROSR_CHUNK_ROOM(1000)], bytes[sizeof(room)];
    uint32_t count = worker(records, 600), stray = 0, taken = 0;
    size_t size = grosr_chunk_encode(records, count, room);

    stray += strays(room, size, count, &taken);
    is(taken, 1, "a chunk as it should be is taken");
    for (size_t n = 0; n < size; n++)
        stray += strays(room, n, count, &taken);
    is(taken, 1, "no part of it is");
    stray += strays(room, size, count + 1, &taken);
    stray += strays(room, size, count - 1, &taken);
    stray += strays(room, size, 0, &taken);
    is(taken, 1, "nor is it for another number of events");
    for (uint32_t i = 0; i < 20000; i++) {
        memcpy(bytes, room, size);
        for (uint64_t k = tap_random(&seed) % 4; k != UINT64_MAX; k--)
            bytes[tap_random(&seed) % (i % 2 ? size : 40)] = (uint8_t)tap_random(&seed);
        stray += strays(bytes, size, count, &taken);
    }
    for (uint32_t i = 0; i < 20000; i++) {
        size_t n = tap_random(&seed) % 300;
        for (size_t k = 0; k < n; k++)
            bytes[k] = (uint8_t)tap_random(&seed);
        bytes[0] = (uint8_t)(i % 4);
        stray += strays(bytes, n, 1 + i % 50, &taken);
    }
    is(stray, 0, "40,000 damaged chunks: refused or taken, nothing outside is touched");
    memset(room, 0, sizeof(room)); /* raw */
    room[0] = 1;
    is(grosr_chunk_decode(room, 1 + 3 * 16, records, 3), 0, "a raw chunk is taken");
    is(grosr_chunk_decode(room, 3 * 16, records, 3), -EINVAL, "if its length is right");
}

int main(void)
{
    struct grosr_pair *records =
        (struct grosr_pair *)malloc(GROSR_CHUNK_EVENTS_MAX * sizeof(struct grosr_pair));

    regular(records);
    odd(records);
    hostile(records);
    free(records);
    return tap_done();
}
