/*
 * The allocator's map of chunks in all schedules (tests/explore.h): bits that are put and taken, whose hints
 * above are cleared by those who find nothing below. The chunks' bits are in the same word, and in others
 * under the same and other words above.
 */
#include "../explore.h"

#include "../../runtime/alloc/chunk_map.h"

enum { MAP_LEVEL0 = 128, MAP_SAME = 1, MAP_NEAR = 64, MAP_FAR = 64 * 64 };

static dev64 map_words[MAP_LEVEL0 + 2 + 1];
static const struct grosr_chunk_map map = {map_words, MAP_LEVEL0, MAP_LEVEL0 + 2, 1};
static const uint32_t *to_put;
static uint32_t taken[8], taken_count;

static void map_begin(void)
{
    static const uint32_t words[] = {0,          MAP_NEAR / 64,  MAP_FAR / 64,
                                     MAP_LEVEL0, MAP_LEVEL0 + 1, MAP_LEVEL0 + 2};

    memset(map_words, 0, sizeof(map_words));
    taken_count = 0;
    grosr_map_put(&map, to_put[0], NULL); /* which is there at first */
    for (uint32_t i = 0; i < 6; i++)
        explore_watch(&map_words[words[i]], sizeof(dev64));
}

static void map_take(void)
{
    uint32_t w;
    uint64_t bits = grosr_map_take(&map, 0, 1, GROSR_MAP_SURELY, &w);

    if (bits && taken_count < 8)
        taken[taken_count++] = w * 64 + dev_ffs64(bits) - 1;
}

static void map_take_both(void)
{
    map_take();
    map_take();
}

static void map_put_one(void)
{
    explore_require(grosr_map_put(&map, to_put[1], NULL), "a bit is set already");
}

static void map_put_other(void)
{
    explore_require(grosr_map_put(&map, to_put[2], NULL), "a bit is set already");
}

static void map_end(void)
{
    for (uint32_t before = 8; before != taken_count;) {
        before = taken_count;
        map_take();
    }
    explore_require(taken_count == 3, "a bit is lost, or taken twice");
    for (uint32_t i = 0; i < 3; i++) {
        uint32_t found = 0;
        for (uint32_t k = 0; k < taken_count; k++)
            found += taken[k] == to_put[i];
        explore_require(found == 1, "a bit is not taken once");
    }
    explore_require(grosr_map_is_empty(&map), "the map is not empty");
}

static void maps(void)
{
    static const uint32_t chunks[][3] = {
        {0, MAP_SAME, MAP_NEAR}, {0, MAP_NEAR, MAP_FAR}, {MAP_FAR, 0, MAP_SAME}};
    static const char *const names[] = {"one word and its neighbour", "three words", "two and one far away"};

    for (uint32_t i = 0; i < 3; i++) {
        struct explore_scenario two = {
            names[i], map_begin, {map_take_both, map_put_one, map_put_other}, map_end, 3};
        struct explore_scenario three = {
            names[i], map_begin, {map_take, map_take, map_put_one, map_put_other}, map_end, 2};
        to_put = chunks[i];
        explore_all(&two);
        explore_all(&three);
    }
}

int main(void)
{
    maps();
    return tap_done();
}
