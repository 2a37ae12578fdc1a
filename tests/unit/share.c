/* Shared rings: first in, first out, never more than there is room for, and a slot never passes for filled
 * when one of its words is of another lap. */
#include "../launch_fixture.h"

static void packing(void)
{
    uint64_t seed = 5, bad = 0;

    for (int i = 0; i < 10000; i++) {
        struct grosr_entry e = fixture_entry(tap_random(&seed) & GROSR_TASK_ID_MASK);
        uint64_t lap = tap_random(&seed) & UINT64_C(0xff) << 56;
        e.count = (uint32_t)tap_random(&seed);
        struct grosr_quad q = grosr_entry_pack(e, lap);
        bad += !grosr_entry_holds(q, lap) || !fixture_same(grosr_entry_unpack(q), e);
        for (int w = 0; w < 4; w++) {
            struct grosr_quad torn = q;
            torn.w[w] ^= UINT64_C(1) << (56 + tap_random(&seed) % 8);
            bad += grosr_entry_holds(torn, lap);
        }
    }
    is(bad, 0, "10,000 entries keep what they hold; each torn one is recognised");
}

/* Puts and takes at random, by warp and by lane, and counts both. */
static void laps(uint32_t log2, uint64_t entries)
{
    struct grosr_share s = fixture_share(log2);
    uint64_t seed = log2 + 1, put = 0, taken = 0, bad = 0, refused = 0, capacity = UINT64_C(1) << log2;

    while (taken < entries) {
        bool by_lane = tap_random(&seed) & 1;
        if (tap_random(&seed) & 1) {
            struct grosr_entry e = fixture_entry(put);
            bool done = by_lane ? grosr_share_put_lane(s, e) : grosr_share_put(s, 1, e) == 1;
            bad += done != (put - taken < capacity);
            refused += !done;
            put += done;
        } else {
            struct grosr_taken t = {};
            if (by_lane)
                t.count = grosr_share_take_lane(s, &t.e);
            else
                t = grosr_share_take(s, 1 + (uint32_t)(tap_random(&seed) % 2));
            bad += t.count != (put > taken);
            bad += t.count && !fixture_same(t.e, fixture_entry(taken));
            taken += t.count;
        }
        bad += grosr_share_size(s) != put - taken;
    }
    is(bad, 0, "a ring of %u: %" PRIu64 " entries in order, %" PRIu64 " times full", 1u << log2, taken,
       refused);
    ok(taken >> log2 > 256, "over more laps than a tag can count");
    fixture_share_free(s);
}

/* A slot that is half written, with words of this lap and of the last one. */
static void torn(void)
{
    struct grosr_share s = fixture_share(1);
    struct grosr_entry e;
    uint64_t first, bad = 0;

    for (uint64_t i = 0; i < 40; i++) {
        bad += grosr_share_reserve(s, 1, &first) != 1 || first != i;
        bad += grosr_share_take_lane(s, &e) || grosr_share_take(s, 1).count;
        struct grosr_quad q = grosr_entry_pack(fixture_entry(i), grosr_share_lap(s, i));
        for (int w = 0; w < 4; w++) {
            bad += grosr_share_take_lane(s, &e);
            grosr_share_slot(s, i)->w[(w + i) % 4] = q.w[(w + i) % 4];
        }
        bad += !grosr_share_take_lane(s, &e) || !fixture_same(e, fixture_entry(i));
    }
    is(bad, 0, "nothing is taken before all four words are there, whichever comes last");
    fixture_share_free(s);
}

/* Filled out of order, taken in order. */
static void order(void)
{
    struct grosr_share s = fixture_share(2);
    struct grosr_entry e;
    uint64_t first[4];
    bool refused, held = true, all = true;

    for (int i = 0; i < 4; i++)
        grosr_share_reserve(s, 1, &first[i]);
    refused = !grosr_share_put_lane(s, fixture_entry(9));
    for (uint64_t i = 4; i-- > 1;) {
        grosr_share_fill(s, first[i], fixture_entry(i));
        held = held && !grosr_share_take_lane(s, &e);
    }
    grosr_share_fill(s, first[0], fixture_entry(0));
    for (uint64_t i = 0; i < 4; i++)
        all = all && grosr_share_take_lane(s, &e) && fixture_same(e, fixture_entry(i));
    ok(refused, "reserved slots are taken, filled or not");
    ok(held, "those behind one that is not filled wait for it");
    ok(all && !grosr_share_take_lane(s, &e), "then all come, in the order of their places");
    is(grosr_share_reserve(s, 9, &first[0]), 4, "of a larger wish, as many places as there are");
    fixture_share_free(s);
}

int main(void)
{
    packing();
    laps(0, 1000);
    laps(1, 10000);
    laps(6, 200000);
    torn();
    order();
    return tap_done();
}
