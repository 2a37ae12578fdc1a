/*
 * The device's protocols in all schedules (tests/explore.h): shared rings, frames, and workers that give to
 * the hungry.
 */
#include "../explore.h"

#include "../../runtime/builtin/functions.h"

#define GROSR_TASKS GROSR_BUILT_IN_TASKS
#include "../../runtime/kernel/scheduler.h"

#include "../launch_fixture.h"

/* ---- a shared ring of two slots ---- */

enum { TASKS_MAX = 8 };

static struct grosr_share ring;
static uint32_t takers, each, taken[TASKS_MAX], taken_count, wanted;

static struct grosr_entry entry_of(uint32_t putter, uint32_t i)
{
    return fixture_entry(putter * 16 + i + 1);
}

static void ring_begin(void)
{
    memset(ring.ends, 0, sizeof(*ring.ends));
    memset(ring.slots, 0, sizeof(dev256) << ring.capacity_log2);
    explore_watch(ring.ends, sizeof(*ring.ends));
    explore_watch(ring.slots, sizeof(dev256) << ring.capacity_log2);
    taken_count = 0;
}

static void put(uint32_t putter, uint32_t n)
{
    uint32_t step = 0;

    for (uint32_t i = 0; i < n; i++)
        while (!(putter ? grosr_share_put_lane(ring, entry_of(putter, i))
                        : grosr_share_put(ring, 1, entry_of(putter, i)) == 1))
            dev_backoff(&step);
}

static void put_first(void)
{
    put(0, each);
}

static void put_second(void)
{
    put(1, each);
}

static void take(bool by_lane)
{
    uint32_t step = 0;

    while (taken_count < wanted) {
        struct grosr_taken t = {};
        if (by_lane)
            t.count = grosr_share_take_lane(ring, &t.e);
        else
            t = grosr_share_take(ring, 1);
        if (!t.count) {
            dev_backoff(&step);
            continue;
        }
        uint32_t putter = (uint32_t)(t.e.number - 1) / 16, i = (uint32_t)(t.e.number - 1) % 16;
        explore_require(putter < 2 && i < each && fixture_same(t.e, entry_of(putter, i)), "an entry is torn");
        if (taken_count < TASKS_MAX)
            taken[taken_count++] = (uint32_t)t.e.number;
    }
}

static void take_by_warp(void)
{
    take(false);
}

static void take_by_lane(void)
{
    take(true);
}

static void ring_end(void)
{
    struct grosr_entry e;
    uint64_t seen = 0;
    uint32_t last[2] = {0, 0};

    explore_require(taken_count == wanted && !grosr_share_take_lane(ring, &e), "too many are taken");
    for (uint32_t i = 0; i < taken_count; i++) {
        uint32_t putter = (taken[i] - 1) / 16;
        explore_require(!(seen >> taken[i] & 1), "an entry is taken twice");
        /* Of several takers, who took first need not be who counts first. */
        explore_require(takers > 1 || taken[i] > last[putter], "out of order");
        last[putter] = taken[i];
        seen |= UINT64_C(1) << taken[i];
    }
}

static void rings(void)
{
    const struct explore_scenario two_put = {
        "two put, one takes", ring_begin, {put_first, put_second, take_by_warp}, ring_end, 3};
    const struct explore_scenario two_take = {
        "one puts, two take", ring_begin, {put_first, take_by_warp, take_by_lane}, ring_end, 3};
    const struct explore_scenario all = {
        "two put, two take", ring_begin, {put_first, put_second, take_by_warp, take_by_lane}, ring_end, 2};
    const struct explore_scenario pair = {
        "one puts, one takes, over three laps", ring_begin, {put_first, take_by_lane}, ring_end, 4};

    ring = fixture_share(1);
    takers = 1;
    each = 2;
    wanted = 4;
    explore_all(&two_put);
    takers = 2;
    explore_all(&all);
    each = wanted = 3;
    explore_all(&two_take);
    takers = 1;
    each = wanted = 5;
    explore_all(&pair);
    fixture_share_free(ring);
}

/* ---- a frame ---- */

static const uint64_t values[3] = {UINT64_C(0xffffffffffffffff), UINT64_C(0xfffffffe00000003),
                                   UINT64_C(0x80000001ffffffff)};

static struct {
    struct grosr_frame frame[2];
    dev64 memory[2]; /* what the children write */
    dev32 started;
} waiting;

static bool is_wide, marks;
static uint32_t completions;
static uint64_t sum;

static void frame_begin(void)
{
    memset(&waiting, 0, sizeof(waiting));
    explore_watch(&waiting, sizeof(waiting));
    completions = 0;
    sum = 0;
    if (is_wide)
        waiting.frame[1].pending.v = 2;
}

static void completed(void)
{
    struct grosr_frame *f = &waiting.frame[1];

    completions++;
    explore_require(is_wide || dev_load_relaxed(&f->value) == values[2], "how it goes on is not visible");
    if (marks) {
        explore_require(dev_load_relaxed(&waiting.memory[0]) == 1 &&
                            dev_load_relaxed(&waiting.memory[1]) == 1,
                        "what children wrote is not visible");
        explore_require(dev_load_relaxed(&f->mark) >> 31, "nor that they did");
    }
    sum = grosr_frame_sum(f);
}

static void child(uint32_t i)
{
    if (marks)
        dev_store_relaxed(&waiting.memory[i], UINT64_C(1));
    if (grosr_frame_add_completions(waiting.frame,
                                    grosr_completions_one(is_wide ? 1 | GROSR_FRAME_WIDE : 1, values[i],
                                                          marks ? GROSR_MARK_WROTE | i : 0)))
        completed();
}

static void first_child(void)
{
    child(0);
}

static void second_child(void)
{
    child(1);
}

static void parent(void)
{
    dev_store_relaxed(&waiting.frame[1].value, values[2]);
    if (grosr_frame_expect(&waiting.frame[1], 2))
        completed();
}

/* A parent whose children start when it is done with the frame. */
static void parent_first(void)
{
    dev_store_relaxed(&waiting.frame[1].value, values[2]);
    grosr_frame_expect_first(&waiting.frame[1], 2);
    dev_store_release(&waiting.started, 1u);
}

static void wait_for_start(void)
{
    uint32_t step = 0;

    while (!dev_load_acquire(&waiting.started))
        dev_backoff(&step);
}

static void first_child_later(void)
{
    wait_for_start();
    child(0);
}

static void second_child_later(void)
{
    wait_for_start();
    child(1);
}

static void frame_end(void)
{
    struct grosr_frame *f = &waiting.frame[1];

    explore_require(completions == 1, "completion is seen once");
    explore_require(sum == values[0] + values[1], "the sum is wrong");
    explore_require(!(f->low.v | f->high.v | f->sum.v | f->mark.v | f->pending.v), "a free frame is zero");
}

static void frames(void)
{
    enum { ALL = 1000 };
    const struct explore_scenario meanwhile = {"children complete while the parent expects",
                                               frame_begin,
                                               {parent, first_child, second_child},
                                               frame_end,
                                               ALL};
    const struct explore_scenario with_marks = {
        "children that have written complete while the parent expects",
        frame_begin,
        {parent, first_child, second_child},
        frame_end,
        5};
    const struct explore_scenario before = {"the parent expects first",
                                            frame_begin,
                                            {parent_first, first_child_later, second_child_later},
                                            frame_end,
                                            6};
    const struct explore_scenario wide = {
        "a wide frame", frame_begin, {first_child, second_child}, frame_end, ALL};

    is_wide = marks = false;
    explore_all(&meanwhile);
    explore_all(&before);
    marks = true;
    explore_all(&with_marks);
    is_wide = true;
    explore_all(&wide);
    marks = false;
    explore_all(&wide);
}

/* ---- giving to the hungry ---- */

enum { GIVERS = 2, HAS = 3 };

static struct grosr_launch launch;
static struct grosr_deque deque[1 + GIVERS];
static struct grosr_worker hungry;
static struct grosr_worker_entry hungry_entry;
static uint32_t got[32], got_count;

static void hungry_begin(void)
{
    memset(launch.control, 0, sizeof(*launch.control));
    memset(launch.ends, 0, (GROSR_SHARE_INBOX + launch.workers) * sizeof(*launch.ends));
    memset(launch.inbox_slots, 0, (launch.workers * sizeof(dev256)) << GROSR_INBOX_CAPACITY_LOG2);
    memset(&hungry, 0, sizeof(hungry));
    hungry.launch = &launch;
    hungry.deque = deque[0];
    hungry.recorder.entry = &hungry_entry;
    for (uint32_t i = 1; i <= GIVERS; i++) {
        grosr_local_open(deque[i].local, grosr_launch_frames(&launch).own);
        for (uint32_t k = 0; k < HAS; k++)
            grosr_deque_push(&deque[i], fixture_entry(i * 8 + k));
    }
    got_count = 0;
    explore_watch(&launch.control->hungry[0], sizeof(dev64));
    explore_watch(&launch.ends[GROSR_SHARE_INBOX], sizeof(*launch.ends));
    explore_watch(launch.inbox_slots, 4 * sizeof(dev256));
}

static void give(uint32_t i)
{
    uint64_t first;

    grosr_worker_share(&launch, deque[i], i, 1, &first);
}

static void give_first(void)
{
    give(1);
}

static void give_second(void)
{
    give(2);
    give(2);
}

static bool look_into_inbox(void)
{
    struct grosr_taken t = grosr_share_take(grosr_launch_inbox(&launch, 0), 1);

    if (t.count)
        got[got_count++] = (uint32_t)t.e.number;
    return t.count;
}

/* Says that it is hungry and waits a little; finds something, or something else, and says so. Twice. */
static void be_hungry(void)
{
    for (int i = 0; i < 2; i++) {
        grosr_worker_wait(&hungry);
        look_into_inbox();
        grosr_worker_end_wait(&hungry);
    }
}

static void hungry_end(void)
{
    uint32_t seen[32] = {0}, all = 0;

    while (look_into_inbox())
        ;
    for (uint32_t i = 0; i < got_count; i++)
        seen[got[i]]++;
    for (uint32_t i = 1; i <= GIVERS; i++) {
        uint32_t bottom = warp_load(&deque[i].local->bottom);
        for (uint32_t k = 0; k < grosr_deque_size(&deque[i]); k++)
            seen[grosr_deque_read(&deque[i], bottom + k).number]++;
        for (uint32_t k = 0; k < HAS; k++)
            all += seen[i * 8 + k] == 1;
    }
    explore_require(all == GIVERS * HAS, "an entry is lost, or there twice");
    explore_require(launch.ends[GROSR_SHARE_INBOX].tail.v <= 2, "given more often than it was hungry");
    explore_require(!launch.control->hungry[0].v, "hungry without being so");
}

static void giving(void)
{
    const struct explore_scenario scenario = {"two give while one is hungry, and no more",
                                              hungry_begin,
                                              {be_hungry, give_first, give_second},
                                              hungry_end,
                                              3};

    launch = fixture_launch(1 + GIVERS, 4);
    for (uint32_t i = 0; i <= GIVERS; i++)
        deque[i] = fixture_deque(&launch, i);
    explore_all(&scenario);
    for (uint32_t i = 0; i <= GIVERS; i++)
        free(deque[i].local);
    fixture_launch_free(&launch);
}

int main(void)
{
    rings();
    frames();
    giving();
    return tap_done();
}
