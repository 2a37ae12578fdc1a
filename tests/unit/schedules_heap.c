/*
 * The allocator in all schedules (tests/explore.h): slots are taken and given back, slabs emptied, taken away
 * and made slabs of another class, cursors set and borrowed, runs claimed, while others are anywhere in
 * between. Heaps of a few chunks and classes of a few slots, so that they meet.
 *
 * After each run, when nothing is under way any more: no two blocks overlap, each request that there is room
 * for is satisfied, whoever asks, and when all is freed the arena is one block.
 */
#include "../explore.h"

#include "../heap_fixture.h"

enum { OPS_MAX = 8, BLOCKS = 160, THIRD = 21840, HALF = 32768, QUARTER = 16384, CHUNK = GROSR_CHUNK_BYTES };

/* What a thread does, one after the other. */
enum op_kind { END, MALLOC, MALLOC_ALL, GROUP, CHECK, FREE, FREE_AGAIN, FREE_FOUND };
struct op {
    enum op_kind kind;
    uint32_t block; /* its number, or of GROUP the first of `count` */
    uint32_t size, count;
};

static struct heap_fixture f;
static unsigned char *snapshot;
static struct {
    unsigned char *p;
    uint64_t bytes;
} block[BLOCKS], block_at_first[BLOCKS];
static struct grosr_block found_at_first[BLOCKS];
static const struct op *script[EXPLORE_THREADS];
static uint32_t probe_size;
static bool takes_all;  /* some thread, of the probe's class */
static bool may_refuse; /* some frees */
static uint32_t freed;  /* of those */
static bool in_arena;   /* the blocks' content is watched too */

/* ---- blocks ---- */

static dev64 *content_of(uint32_t i)
{
    return (dev64 *)(void *)block[i].p;
}

static void got(uint32_t i, void *p, uint64_t bytes)
{
    uint64_t offset = (uint64_t)((unsigned char *)p - f.heap.arena);

    if (!p)
        return;
    explore_require(offset < f.plan.arena_bytes && bytes <= f.plan.arena_bytes - offset,
                    "a block outside the arena");
    for (uint32_t k = 0; k < BLOCKS; k++)
        explore_require(!block[k].p || block[k].p + block[k].bytes <= (unsigned char *)p ||
                            block[k].p >= (unsigned char *)p + bytes,
                        "blocks overlap");
    block[i].p = (unsigned char *)p;
    block[i].bytes = bytes;
    dev_store_relaxed(content_of(i), (uint64_t)i + 1);
}

static void take(uint32_t i, uint32_t size)
{
    uint32_t size_class = grosr_class_of(size);
    uint64_t chunks = (size + CHUNK - 1) / CHUNK;

    got(i, grosr_heap_malloc(f.me, size),
        size_class < GROSR_CLASSES ? grosr_class_bytes(size_class) : chunks * CHUNK);
}

/* As many as it gets. */
static void take_all(uint32_t first, uint32_t size)
{
    takes_all = true;
    do
        take(first, size);
    while (block[first++].p);
}

/* What the first lane of a group does for all. */
static void take_group(uint32_t first, uint32_t size, uint32_t n)
{
    uint32_t size_class = grosr_class_of(size), done = 0, at;
    struct grosr_seeker s = grosr_seeker_of(&f.heap, size_class);
    struct grosr_claim claim = {};

    while (done < n && (claim.reserved || claim.new_chunks || grosr_slab_seek(f.me, s, n - done, &claim)))
        for (uint64_t bits = grosr_slab_claim_bits(f.me, &s, &claim, &at); bits; bits &= bits - 1)
            got(first + done++,
                f.heap.arena + grosr_slot_place(&f.heap, size_class, at, dev_ffs64(bits) - 1) * 16, size);
    explore_require(done <= n, "more slots than were asked for");
}

static void check(uint32_t i)
{
    explore_require(!block[i].p || dev_load_relaxed(content_of(i)) == i + 1, "a block's content changes");
}

/* Threads do not look at what they free, which would bring out their own stores. */
static int give(uint32_t i)
{
    unsigned char *p = block[i].p;

    if (!p)
        return 0;
    if (explore.running < 0)
        check(i);
    block[i].p = NULL;
    return grosr_heap_free(f.me, p);
}

/* What another thread may have freed. `found`: it has been found before anything else happened. */
static void give_again(uint32_t i, bool found)
{
    block[i].p = NULL;
    if (found)
        freed += grosr_block_return(f.me, &found_at_first[i]) == 0;
    else
        freed += grosr_heap_free(f.me, block_at_first[i].p) == 0;
    explore_require(freed <= 1, "a block is freed twice");
    may_refuse = true;
}

static void run_script(uint32_t thread)
{
    for (const struct op *op = script[thread]; op->kind != END; op++)
        if (op->kind == MALLOC)
            take(op->block, op->size);
        else if (op->kind == MALLOC_ALL)
            take_all(op->block, op->size);
        else if (op->kind == GROUP)
            take_group(op->block, op->size, op->count);
        else if (op->kind == CHECK)
            check(op->block);
        else if (op->kind == FREE)
            explore_require(give(op->block) == 0, "a block cannot be freed");
        else
            give_again(op->block, op->kind == FREE_FOUND);
}

static void run_0(void)
{
    run_script(0);
}

static void run_1(void)
{
    run_script(1);
}

static void run_2(void)
{
    run_script(2);
}

/* ---- before and after ---- */

static size_t restored_at(void)
{
    return f.plan.common_at;
}

/* The counters of the classes are left out: there are many, and other tests have them. */
static void restore(bool back)
{
    size_t ends = f.plan.shards_at, at = restored_at();

    memcpy(back ? f.memory : snapshot, back ? snapshot : f.memory, ends);
    memcpy((back ? f.memory : snapshot) + at, (back ? snapshot : f.memory) + at, f.plan.bytes - at);
    memcpy(back ? block : block_at_first, back ? block_at_first : block, sizeof(block));
    for (uint32_t i = 0; i < BLOCKS; i++)
        if (block[i].p)
            content_of(i)->v = i + 1;
    takes_all = may_refuse = false;
    freed = 0;
}

static void begin(void)
{
    restore(true);
    explore_watch(f.heap.state, f.heap.chunks * sizeof(dev64));
    explore_watch(f.heap.bits, f.heap.chunks * GROSR_CHUNK_WORDS * sizeof(dev64));
    explore_watch(f.heap.maps, GROSR_MAPS * f.heap.map_words * sizeof(dev64));
    explore_watch(f.heap.cursor, GROSR_CLASSES * f.heap.cursors * sizeof(dev32));
    explore_watch(f.heap.open, GROSR_CLASSES * (GROSR_CURSORS_MAX / 64) * sizeof(dev64));
    explore_watch(f.heap.chunk_hint, f.heap.cursors * sizeof(dev32));
    explore_watch(f.heap.common->dry, 2 * sizeof(struct grosr_heap_dry)); /* of 32 */
    if (in_arena)
        explore_watch(f.heap.arena, f.plan.arena_bytes);
}

/* How many blocks of a class there is room for beside those that are allocated. */
static uint32_t room_for(uint32_t size_class)
{
    uint32_t n = 0, bytes = grosr_class_bytes(size_class);

    for (uint32_t i = 0; i < f.heap.chunks; i++) {
        unsigned char *chunk = grosr_chunk_address(&f.heap, i);
        uint32_t slots = grosr_class_slots(size_class);
        for (uint32_t k = 0; k < BLOCKS && slots; k++)
            if (block[k].p && block[k].p < chunk + CHUNK && block[k].p + block[k].bytes > chunk)
                slots = block[k].bytes == bytes ? slots - 1 : 0;
        n += slots;
    }
    return n;
}

static void end(void)
{
    uint32_t last = BLOCKS - 1, size_class = grosr_class_of(probe_size), room = room_for(size_class), n = 0;

    for (uint32_t i = 0; i < GROSR_HEAP_DRY; i++)
        for (uint32_t c = 0; c < GROSR_CLASSES; c++)
            explore_require(!(f.heap.common->dry[i].classes.v >> c & 1) || !room_for(c),
                            "a class is thought to have nothing");
    explore_require(f.heap.common->mistakes.v == 0 || may_refuse, "a free is refused");
    explore_require(freed || !may_refuse, "a block is not freed");
    explore_require(!takes_all || !room, "all were told that there is no more, and there is");
    for (; n <= room && last - n > 32; n++) {
        explore_spread[EXPLORE_THREADS] = EXPLORE_THREADS + n % 4; /* cursors that no thread has */
        take(last - n, probe_size);
        if (!block[last - n].p)
            break;
    }
    explore_require(n >= room, "a free slot is not found");
    explore_require(n <= room, "there are more slots than there is room for");
    for (uint32_t i = 0; i < BLOCKS; i++)
        explore_require(give(i) == 0, "a block cannot be freed at the end");
    take(0, (uint32_t)f.plan.arena_bytes);
    explore_require(block[0].p != NULL, "the arena is not whole again");
    explore_require(give(0) == 0, "and cannot be freed");
}

/* ---- scenarios ---- */

/* From now on a heap of so many chunks. */
static void heap_of(uint32_t chunks, uint32_t cursors)
{
    if (f.memory) {
        heap_fixture_close(&f);
        free(snapshot);
    }
    heap_fixture_open(&f, chunks, 0);
    size_t room = f.plan.bytes + GROSR_CLASSES * (size_t)cursors * 8;
    munmap(f.memory, f.plan.bytes);
    f.memory = heap_fixture_map(room);
    f.plan.bytes = room;
    f.heap.cursors = cursors;
    grosr_heap_place(&f.heap, f.heap.arena, f.memory);
    heap_fixture_reset(&f);
    snapshot = (unsigned char *)calloc(1, room);
    memset(block, 0, sizeof(block));
}

/* A block of the state at first, allocated by the warp that thread `spread` is. */
static void has(uint32_t i, uint32_t size, uint32_t spread)
{
    explore_spread[EXPLORE_THREADS] = spread;
    take(i, size);
    explore_require(block[i].p != NULL, "a block at first");
}

static void explore_heap(const char *name, const struct op *first, const struct op *second,
                         const struct op *third, uint32_t probe, int bound)
{
    struct explore_scenario s = {name, begin, {run_0, run_1, third ? run_2 : NULL}, end, bound};

    script[0] = first;
    script[1] = second;
    script[2] = third;
    probe_size = probe;
    restore(false);
    for (uint32_t i = 0; i < BLOCKS; i++)
        if (block[i].p)
            grosr_block_find(&f.heap, block[i].p, &found_at_first[i]);
    explore_all(&s);
    restore(true);
}

#define OPS(...) ((const struct op[]){__VA_ARGS__, {END, 0, 0, 0}})

static struct op takes(uint32_t i, uint32_t size)
{
    return (struct op){MALLOC, i, size, 1};
}

static struct op takes_until_none(uint32_t first, uint32_t size)
{
    return (struct op){MALLOC_ALL, first, size, 1};
}

static struct op takes_group(uint32_t first, uint32_t size, uint32_t n)
{
    return (struct op){GROUP, first, size, n};
}

static struct op checks(uint32_t i)
{
    return (struct op){CHECK, i, 0, 0};
}

static struct op frees(uint32_t i)
{
    return (struct op){FREE, i, 0, 0};
}

static struct op frees_again(uint32_t i)
{
    return (struct op){FREE_AGAIN, i, 0, 0};
}

static struct op frees_found(uint32_t i)
{
    return (struct op){FREE_FOUND, i, 0, 0};
}

static void slots(void)
{
    heap_of(1, 8);
    has(0, HALF, 0);
    explore_heap("two take the last slot", OPS(takes(1, HALF)), OPS(takes(2, HALF)), NULL, HALF, 3);
    explore_heap("one takes it, one gives one back", OPS(takes(1, HALF), frees(1)),
                 OPS(frees(0), takes(2, HALF)), NULL, HALF, 3);
    has(1, HALF, 0);
    explore_heap("both slots are given back", OPS(frees(0)), OPS(frees(1)), NULL, THIRD, 3);
    explore_heap("and another class takes the chunk", OPS(frees(0), takes(2, HALF)), OPS(frees(1)),
                 OPS(takes(3, THIRD)), THIRD, 2);
    explore_heap("a slot changes hands", OPS(frees(0)), OPS(takes(2, HALF), frees(2)),
                 OPS(takes(3, HALF), frees(3)), HALF, 2);

    heap_of(1, 8);
    explore_heap("two take from nothing", OPS(takes(0, THIRD), frees(0)),
                 OPS(takes(1, THIRD), takes(2, THIRD)), NULL, HALF, 3);
    explore_heap("two classes take from nothing", OPS(takes(0, THIRD), frees(0)),
                 OPS(takes(1, HALF), frees(1)), NULL, HALF, 3);
    heap_of(2, 1); /* all have the same cursors */
    explore_heap("and have one cursor", OPS(takes(0, THIRD), frees(0)), OPS(takes(1, THIRD), takes(2, THIRD)),
                 NULL, HALF, 3);
    has(0, HALF, 0);
    explore_heap("a slab changes class under a cursor", OPS(frees(0), takes(1, THIRD)),
                 OPS(takes(2, HALF), frees(2)), OPS(takes(3, THIRD)), THIRD, 2);
    heap_of(1, 1);
    has(0, HALF, 0);
    explore_heap("the only one does", OPS(frees(0), takes(1, THIRD), frees(1)), OPS(takes(2, HALF), frees(2)),
                 NULL, HALF, 3);
}

/* While nobody frees, who is told that there is nothing may be told so too early, since another one is about
 * to put something where it is found; but then that one gets it. */
static void all_slots(void)
{
    for (uint32_t cursors = 1; cursors <= 8; cursors *= 8) {
        heap_of(1, cursors);
        explore_heap("two take all from nothing", OPS(takes_until_none(0, THIRD)),
                     OPS(takes_until_none(10, THIRD)), NULL, THIRD, 2);
        has(0, HALF, 0);
        give(0);
        take(0, CHUNK); /* the cursor stays where it was */
        give(0);
        explore_heap("two with an old cursor", OPS(takes_until_none(0, HALF)),
                     OPS(takes_until_none(10, HALF)), NULL, HALF, 2);
        explore_heap("three do", OPS(takes_until_none(0, HALF)), OPS(takes_until_none(10, HALF)),
                     OPS(takes_until_none(20, HALF)), HALF, 2);
    }
}

/* Several slots at once, so that who takes the last ones takes more than there are. */
static void groups(void)
{
    heap_of(2, 1);
    has(0, THIRD, 0);
    explore_heap("groups take more than there is", OPS(takes_group(1, THIRD, 3)),
                 OPS(takes_group(4, THIRD, 2)), OPS(frees(0)), THIRD, 2);
    has(1, THIRD, 0);
    has(2, THIRD, 0);
    explore_heap("and more while slots come back", OPS(takes_group(3, THIRD, 2)), OPS(frees(0), frees(1)),
                 OPS(frees(2), takes(6, HALF)), HALF, 2);
    heap_of(3, 8);
    explore_heap("whole slabs", OPS(takes_group(0, HALF, 5)), OPS(takes_group(8, HALF, 2), frees(8)), NULL,
                 HALF, 2);
    has(0, QUARTER, 0);
    explore_heap("whole slabs beside a part of one", OPS(takes_group(1, QUARTER, 6)),
                 OPS(takes_group(10, QUARTER, 4), frees(0)), NULL, HALF, 2);
    in_arena = true;
    heap_of(1, 8);
    has(0, THIRD, 0);
    has(1, THIRD, 0);
    explore_heap("what was written to a block comes before its next owner",
                 OPS(frees(0), takes(2, THIRD), checks(2)), OPS(takes(4, THIRD), frees(4)),
                 OPS(frees(1), takes(3, THIRD), checks(3)), HALF, 2);
    explore_heap("also where the slab is another one by then", OPS(frees(0), takes(2, HALF), checks(2)),
                 OPS(takes(4, THIRD), frees(4), frees(1)), NULL, HALF, 3);
    in_arena = false;
}

/* A cursor is seen, is set to other slabs and back, and is replaced or closed then. */
static void cursors(void)
{
    heap_of(3, 1);
    for (uint32_t i = 0; i < 9; i++)
        has(i, THIRD, 0);
    for (uint32_t i = 3; i < 9; i++)
        if (i % 3)
            give(i);
    f.heap.cursor[grosr_class_of(THIRD)].v = 1; /* chunk 0 is full, the others are in the map */
    f.heap.state[0].v += GROSR_CHUNK_CURSOR;
    f.heap.state[2].v -= GROSR_CHUNK_CURSOR;
    explore_heap("a cursor leaves a slab and comes back to it while it is replaced", OPS(takes(10, THIRD)),
                 OPS(takes(11, THIRD), frees(0), frees(1), frees(2), takes(12, THIRD), takes(13, THIRD)),
                 NULL, THIRD, 2);

    heap_of(2, 8);
    for (uint32_t i = 0; i < 4; i++)
        has(i, QUARTER, 2);
    for (uint32_t i = 4; i < 8; i++)
        has(i, QUARTER, 1);
    explore_heap("a slab is borrowed from a cursor that leaves it and comes back", OPS(takes(10, QUARTER)),
                 OPS(frees(0), frees(1), takes(11, QUARTER), frees(4), frees(5), frees(6), takes(12, QUARTER),
                     takes(13, QUARTER)),
                 NULL, QUARTER, 2);
    explore_heap("or to another slab in its place", OPS(takes(10, QUARTER)),
                 OPS(frees(0), frees(1), takes(11, QUARTER), frees(4), frees(5), frees(6), frees(7),
                     takes(12, QUARTER), takes(13, QUARTER)),
                 NULL, QUARTER, 2);
    explore_heap("two borrow while it moves", OPS(takes(10, QUARTER)),
                 OPS(frees(0), frees(1), takes(11, QUARTER)), OPS(takes(12, QUARTER)), QUARTER, 2);
}

/* A class of which nothing was found is not searched, until there is something again. */
static void dry(void)
{
    heap_of(1, 2 * GROSR_HEAP_DRY);
    has(0, HALF, 0);
    has(1, HALF, 0);
    explore_spread[0] = GROSR_HEAP_DRY; /* they have a copy of that in common, and no cursor */
    explore_spread[1] = 0;
    explore_heap("a class runs dry while a slot comes back", OPS(takes(2, HALF), frees(2)), OPS(frees(0)),
                 NULL, HALF, 3);
    explore_heap("and both do", OPS(takes(2, HALF), frees(2)), OPS(frees(0), frees(1)), NULL, HALF, 3);
    explore_spread[0] = 0;
    explore_spread[1] = 1;
    explore_heap("and another one is taken", OPS(takes(2, HALF), frees(2)), OPS(frees(0), takes(3, HALF)),
                 OPS(frees(1)), HALF, 2);
    explore_heap("another class gets the chunk", OPS(takes(2, THIRD), frees(2)), OPS(frees(0), frees(1)),
                 OPS(takes(3, HALF)), HALF, 2);
}

static void runs(void)
{
    heap_of(2, 8);
    has(0, HALF, 0);
    explore_heap("a slab empties and a run needs its chunk", OPS(frees(0)),
                 OPS(takes(1, 2 * CHUNK), frees(1)), OPS(takes(2, HALF)), HALF, 2);
    heap_of(2, 8);
    explore_heap("two runs and a slab", OPS(takes(0, 2 * CHUNK), frees(0)), OPS(takes(1, CHUNK), frees(1)),
                 OPS(takes(2, HALF), frees(2)), THIRD, 2);
    heap_of(3, 8);
    has(0, 3 * CHUNK, 0);
    explore_heap("a run is freed twice, and is two others by then", OPS(frees_found(0)),
                 OPS(frees_again(0), takes(1, 2 * CHUNK), takes(2, CHUNK)), NULL, HALF, 3);
    heap_of(1, 8);
    has(0, HALF, 0);
    explore_heap("a slot is freed twice", OPS(frees_again(0)), OPS(frees_again(0)), NULL, THIRD, 3);
    explore_heap("and its chunk is of another class by then", OPS(frees_found(0)),
                 OPS(frees_again(0), takes(1, THIRD)), NULL, THIRD, 2);
    heap_of(67, 1);
    has(0, 2 * CHUNK, 0);
    has(1, 2 * CHUNK, 0);
    has(2, 63 * CHUNK, 0);
    give(1);
    explore_heap("a run over two words fails while others find nothing", OPS(takes(3, 2 * CHUNK)),
                 OPS(takes(4, HALF)), OPS(takes(5, THIRD)), QUARTER, 2);
}

int main(void)
{
    slots();
    all_slots();
    groups();
    cursors();
    dry();
    runs();
    heap_fixture_close(&f);
    free(snapshot);
    return tap_done();
}
