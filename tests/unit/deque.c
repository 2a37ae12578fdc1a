/* A worker's deque against a plain array: the newest comes first, the oldest is given away, ranges come in
 * pieces, and wherever the window lies no entry is lost or changed. */
#include "../launch_fixture.h"

#define ENTRIES (GROSR_DEQUE_CAPACITY + 300)

static struct grosr_entry plain[ENTRIES];
static uint32_t oldest, size;

static uint32_t compare(const struct grosr_deque *d)
{
    uint32_t bottom = warp_load(&d->local->bottom), bad = grosr_deque_size(d) != size;

    for (uint32_t i = 0; i < size; i++)
        bad += !fixture_same(grosr_deque_read(d, bottom + i), plain[oldest + i]);
    return bad;
}

static void pack(void)
{
    memmove(plain, plain + oldest, size * sizeof(plain[0]));
    oldest = 0;
}

/* As a warp does: its lanes push, some are refused, then it settles. */
static uint32_t push(const struct grosr_deque *d, uint32_t n, uint32_t ranges, uint64_t *seed,
                     uint64_t *number)
{
    uint32_t bad = 0;

    for (uint32_t i = 0; i < n; i++) {
        struct grosr_entry e = fixture_entry(*number & GROSR_TASK_ID_MASK);
        e.count = tap_random(seed) % 100 < ranges ? 2 + (uint32_t)(tap_random(seed) % 5) : 1;
        *number += e.count;
        bool pushed = grosr_deque_push(d, e);
        bad += pushed != (size < GROSR_DEQUE_CAPACITY);
        if (pushed)
            plain[oldest + size++] = e;
    }
    grosr_deque_settle(d);
    return bad;
}

static uint32_t pop(const struct grosr_deque *d)
{
    struct grosr_entry e, want = {};
    bool got = grosr_deque_pop(d, &e), wanted = size > 0;

    if (wanted) {
        struct grosr_entry *top = &plain[oldest + size - 1];
        want = grosr_entry_at(*top, 0, 1);
        if (top->count > 1)
            *top = grosr_entry_at(*top, 1, top->count - 1);
        else
            size--;
    }
    return got != wanted || (got && !fixture_same(e, want));
}

static void against_an_array(uint32_t start, uint32_t ranges)
{
    struct grosr_launch l = fixture_launch(1, 1);
    struct grosr_deque d = fixture_deque(&l, 0);
    uint64_t seed = start + ranges + 1, number = 1, bad = 0, full = 0, moves = 0;

    warp_store(&d.local->bottom, start); /* positions count modulo 2^32 */
    warp_store(&d.local->mid, start);
    warp_store(&d.local->top, start);
    oldest = size = 0;
    for (int round = 0; round < 3000; round++) {
        uint32_t mid = warp_load(&d.local->mid), n = (uint32_t)(tap_random(&seed) % 200);
        pack();
        switch (tap_random(&seed) % 8) {
        case 0:
        case 1:
        case 2:
            bad += push(&d, n, ranges, &seed, &number);
            break;
        case 3: /* to the brim, now and then */
            bad += push(&d, n == 0 ? GROSR_DEQUE_CAPACITY - size + 50 : 1, ranges, &seed, &number);
            full += size == GROSR_DEQUE_CAPACITY;
            break;
        case 4: /* the oldest are given away */
            n = n < size ? n : size;
            grosr_deque_raise(&d, warp_load(&d.local->bottom) + n);
            oldest += n;
            size -= n;
            break;
        default:
            for (uint32_t i = 0; i < n + 10; i++)
                bad += pop(&d);
        }
        moves += warp_load(&d.local->mid) != mid;
        if (round % 16 == 0)
            bad += compare(&d);
    }
    is(bad + compare(&d), 0,
       "from position %u on, %u %% ranges: as the array, %" PRIu64 " moves of the window", start, ranges,
       moves);
    ok(full > 0 && moves > 100, "full %" PRIu64 " times", full);
    free(d.local);
    fixture_launch_free(&l);
}

static void capacity(void)
{
    struct grosr_launch l = fixture_launch(1, 1);
    struct grosr_deque d = fixture_deque(&l, 0);
    struct grosr_entry e;
    uint32_t pushed = 0, bad = 0;

    for (uint32_t i = 0; i < 5000; i++)
        pushed += grosr_deque_push(&d, fixture_entry(i));
    is(pushed, GROSR_DEQUE_CAPACITY, "as many as there is room for, also when nobody settles meanwhile");
    grosr_deque_settle(&d);
    is(grosr_deque_size(&d), GROSR_DEQUE_CAPACITY, "refused ones leave nothing behind");
    for (uint32_t i = GROSR_DEQUE_CAPACITY; i-- > 0;)
        bad += !grosr_deque_pop(&d, &e) || !fixture_same(e, fixture_entry(i));
    is(bad, 0, "all come back, the newest first");
    ok(!grosr_deque_pop(&d, &e) && grosr_deque_size(&d) == 0, "and no more");
    free(d.local);
    fixture_launch_free(&l);
}

/* A range comes one by one, with arguments and numbers that follow each other past their wraps. */
static void range(void)
{
    struct grosr_launch l = fixture_launch(1, 1);
    struct grosr_deque d = fixture_deque(&l, 0);
    const uint64_t last = GROSR_TASK_SPAWNED | ((UINT64_C(1) << GROSR_TASK_SPAWN_BITS) - 2);
    struct grosr_entry r = fixture_entry(last), e;
    uint32_t bad = 0;

    r.a = UINT32_MAX - 1;
    r.count = 1000;
    grosr_deque_push(&d, r);
    grosr_deque_settle(&d);
    for (uint32_t i = 0; i < 1000; i++)
        bad += !grosr_deque_pop(&d, &e) || e.count != 1 || e.a != r.a + i ||
               e.number != (i < 2 ? last + i : GROSR_TASK_SPAWNED + i - 2) || e.b != r.b;
    ok(bad == 0 && !grosr_deque_pop(&d, &e), "a range of 1,000 is 1,000 tasks");
    free(d.local);
    fixture_launch_free(&l);
}

int main(void)
{
    capacity();
    range();
    against_an_array(0, 0);
    against_an_array(0, 20);
    against_an_array(UINT32_MAX - 3000, 5);
    return tap_done();
}
