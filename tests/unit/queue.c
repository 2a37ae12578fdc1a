/*
 * The submission queue's slots and ports: what goes in comes out, and a slot never passes for another lap's.
 */
#include "../tap.h"

#include "../../runtime/kernel/queue.h"

static void packing(void)
{
    uint64_t seed = 3, bad = 0;

    for (int i = 0; i < 10000; i++) {
        uint64_t wide = tap_random(&seed), lap = (tap_random(&seed) & 0xff) << 56;
        uint32_t middle = (uint32_t)tap_random(&seed) & 0xffff, low = (uint32_t)tap_random(&seed);
        struct grosr_pair p = grosr_queue_pack(lap, middle, low, wide);
        bad += !grosr_queue_holds(p, lap) || grosr_queue_middle16(p) != middle || (uint32_t)p.lo != low ||
               grosr_queue_wide(p) != wide;
        p.hi ^= UINT64_C(1) << (56 + i % 8);
        bad += grosr_queue_holds(p, lap);
    }
    is(bad, 0, "10,000 random slots keep function, arguments and lap, and a torn word is recognised");
}

/* Positions of all ports together are the task numbers, each once. */
static void dealing(uint32_t ports)
{
    struct grosr_queue q = {.ports = ports};
    static uint8_t seen[64 * 1024];
    uint32_t all = ports * GROSR_QUEUE_CHUNK * 50, bad = 0;

    memset(seen, 0, sizeof(seen));
    for (uint32_t port = 0; port < ports; port++)
        for (uint64_t position = 0; position < GROSR_QUEUE_CHUNK * 50; position++) {
            uint64_t task = grosr_queue_task_at(&q, port, position);
            bad += task >= all || seen[task]++;
            if (position)
                bad += task <= grosr_queue_task_at(&q, port, position - 1);
        }
    is(bad, 0, "%u ports cover every task once, in growing order", ports);
}

/*
 * A poll may look ahead at slots that hold older laps. For every capacity and number of ports that the
 * runtime allows, no slot that a port can look at holds a lap that equals the expected one modulo 256 without
 * being it.
 */
static void laps(void)
{
    uint64_t bad = 0, looks = 0;

    for (uint32_t log2 = 1; log2 <= 14; log2++) {
        uint64_t capacity = UINT64_C(1) << log2;
        for (uint32_t ports = 1; ports <= GROSR_QUEUE_PORTS_MAX; ports++) {
            if (ports > 1 && ports * GROSR_QUEUE_CHUNK > capacity)
                continue;
            /*
             * Published up to `tail`; a port may be at its first task at or after the oldest unretired one.
             */
            for (uint64_t tail = 0; tail < 3000; tail += 97) {
                uint64_t oldest = tail > capacity ? tail - capacity : 0;
                uint64_t last = tail + ports * GROSR_QUEUE_CHUNK + (capacity < 512 ? capacity : 512);
                for (uint64_t task = oldest; task < last; task += 7) {
                    uint64_t in_slot = UINT64_MAX; /* the task that the slot holds now */
                    if (tail > task % capacity)
                        in_slot = (tail - 1 - task % capacity) / capacity * capacity + task % capacity;
                    uint64_t held = in_slot == UINT64_MAX ? 0 : grosr_queue_lap(log2, in_slot);
                    bool looks_filled = held == grosr_queue_lap(log2, task), filled = in_slot == task;
                    bad += looks_filled != filled;
                    looks++;
                }
            }
        }
    }
    is(bad, 0, "%" PRIu64 " looks at slots of older laps, none mistaken", looks);
}

int main(void)
{
    packing();
    dealing(1);
    dealing(3);
    dealing(16);
    laps();
    return tap_done();
}
