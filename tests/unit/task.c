/* The errors of what a task function may call, and that a refused child leaves no trace. */
#include "../launch_fixture.h"

#define FUNCTION 7u

static struct grosr_launch launch;

/* A task that runs on worker 0 with frame 1, or with none. */
static struct grosr_task_context context(struct grosr_deque deque, uint32_t frame)
{
    struct grosr_task_context t;

    memset(&t, 0, sizeof(t));
    t.launch = &launch;
    t.deque = deque;
    t.frame = frame;
    t.number = 42;
    t.children_left = GROSR_CHILDREN;
    t.next = GROSR_TASK_NOTHING;
    return t;
}

static bool untouched(const struct grosr_task_context *t)
{
    return t->children == 0 && t->children_left == GROSR_CHILDREN && grosr_deque_size(&t->deque) == 0 &&
           dev_load_relaxed(&launch.control->word) == 0;
}

static void bad_arguments(struct grosr_deque d)
{
    struct grosr_task_context t = context(d, 1);
    grosr_waiting waiting = 99;

    is(grosr_spawn_on(&t, launch.workers, FUNCTION, 0, 0), EINVAL, "spawn_on: no such worker");
    is(grosr_spawn_on(&t, UINT32_MAX, FUNCTION, 0, 0), EINVAL, "nor the largest");
    is(grosr_then_on(&t, launch.workers, FUNCTION, 0, 0), EINVAL, "then_on: no such worker");
    is(t.next, GROSR_TASK_NOTHING, "and it does not continue");
    is(grosr_spawn_waiting(&t, FUNCTION, 0, 0, 0, &waiting), EINVAL, "spawn_waiting: for no signal");
    is(waiting, 99, "makes no handle");
    is(grosr_spawn_waiting(&t, FUNCTION, 0, 0, 0x80000001u, &waiting), EINVAL, "nor for more than 2^31");
    is(grosr_spawn_waiting(&t, FUNCTION, 0, 0, 1, NULL), EINVAL, "nor without a place for the handle");
    is(grosr_spawn_range(&t, FUNCTION, 0x80000001u, 0, 0), EINVAL, "a range of more than 2^31");
    is(grosr_spawn_range(&t, FUNCTION, 0, 0, 0), 0, "a range of none is no error");
    is(grosr_signal(&t, 0), EINVAL, "signal: no handle");
    is(grosr_signal(&t, ((uint64_t)launch.frames + 1) << GROSR_TASK_ID_BITS), EINVAL,
       "nor one past the last frame");
    is(grosr_signal(&t, UINT64_MAX), EINVAL, "nor the largest");
    is(grosr_signal(&t, (uint64_t)1 << GROSR_TASK_ID_BITS | 17), ESTALE, "a frame that is not that task's");
    ok(untouched(&t), "nothing was spawned by any of this");
}

/* Ids that are those of other functions, or of something else, in the bits that an entry has for them. */
static void bad_functions(struct grosr_deque d)
{
    static const uint32_t bad[] = {
        GROSR_FUNCTION_MAX + 1, 0x8000,     0x8000 | FUNCTION, GROSR_TASK_NOTHING, 0x10000,
        0x10000 | FUNCTION,     0x7fff0000, UINT32_MAX};
    struct grosr_task_context t = context(d, 1);
    grosr_waiting waiting = 99;

    for (uint32_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        uint32_t f = bad[i];
        ok(grosr_spawn(&t, f, 0, 0) == EINVAL && grosr_spawn_range(&t, f, 0, 0, 0) == EINVAL &&
               grosr_spawn_range(&t, f, 5, 0, 0) == EINVAL &&
               grosr_spawn_range(&t, f, 5000, 0, 0) == EINVAL && grosr_spawn_urgent(&t, f, 0, 0) == EINVAL &&
               grosr_spawn_on(&t, 1, f, 0, 0) == EINVAL &&
               grosr_spawn_waiting(&t, f, 0, 0, 1, &waiting) == EINVAL && grosr_then(&t, f, 0, 0) == EINVAL &&
               grosr_then_on(&t, 1, f, 0, 0) == EINVAL,
           "function 0x%x is refused by each", f);
    }
    ok(untouched(&t) && t.next == GROSR_TASK_NOTHING && t.next_worker == 0 && waiting == 99,
       "and nothing is spawned");
}

static void no_frame(struct grosr_deque d)
{
    struct grosr_task_context t = context(d, 0);
    grosr_waiting waiting;

    ok(grosr_spawn(&t, FUNCTION, 0, 0) == ENOBUFS && grosr_spawn_range(&t, FUNCTION, 5, 0, 0) == ENOBUFS &&
           grosr_spawn_range(&t, FUNCTION, 5000, 0, 0) == ENOBUFS &&
           grosr_spawn_urgent(&t, FUNCTION, 0, 0) == ENOBUFS &&
           grosr_spawn_on(&t, 1, FUNCTION, 0, 0) == ENOBUFS &&
           grosr_spawn_waiting(&t, FUNCTION, 0, 0, 1, &waiting) == ENOBUFS,
       "a task without a frame has no children of any kind");
    ok(untouched(&t), "not even in part");
    is(grosr_then(&t, FUNCTION, 1, 2), 0, "it can continue");
}

static void max_children(struct grosr_deque d)
{
    struct grosr_task_context t = context(d, 1);

    t.children_left = 5;
    is(grosr_spawn_range(&t, FUNCTION, 6, 0, 0), ENOBUFS, "more children than it may still have");
    is(grosr_spawn_range(&t, FUNCTION, GROSR_NARROW, 0, 0), ENOBUFS, "many more");
    is(grosr_spawn_range(&t, FUNCTION, 3, 0, 0), 0, "fewer");
    is(grosr_spawn_range(&t, FUNCTION, 1u << 31, 0, 0), 0, "a wide range counts as one");
    ok(t.children == 4 && t.children_left == 1 && grosr_deque_size(&d) == 2, "the counters reconcile");
    grosr_deque_cut(&d, 0);
}

static uint32_t free_frames(struct grosr_deque d)
{
    return grosr_launch_frames(&launch).common - dev_load_relaxed(&launch.control->fresh_frames) +
           warp_load(&d.local->fresh_frames) + warp_load(&d.local->free_near) +
           (uint32_t)grosr_share_size(grosr_launch_frames(&launch).free);
}

static void full(struct grosr_deque d)
{
    struct grosr_task_context t = context(d, 1);
    uint32_t urgent = 0, inbox = 0, spawned = 0;

    while (grosr_spawn_urgent(&t, FUNCTION, 0, 0) == 0)
        urgent++;
    is(urgent, 1u << GROSR_URGENT_CAPACITY_LOG2, "urgent tasks: as many as the ring holds");
    is(dev_load_relaxed(&launch.control->word), urgent, "and as many are counted");
    while (grosr_spawn_on(&t, 1, FUNCTION, 0, 0) == 0)
        inbox++;
    is(inbox, 1u << GROSR_INBOX_CAPACITY_LOG2, "an inbox has room for this many");
    while (t.children < GROSR_CHILDREN && grosr_spawn(&t, FUNCTION, 0, 0) == 0)
        spawned++;
    is(spawned + urgent + inbox, GROSR_CHILDREN, "others go into the overflow ring when the deque is full");
    is(t.children, GROSR_CHILDREN, "until the task has as many as it may");
    t = context(d, 1);
    while (grosr_spawn(&t, FUNCTION, 0, 0) == 0)
        spawned++;
    is(spawned, GROSR_DEQUE_CAPACITY + (1u << GROSR_OVERFLOW_CAPACITY_LOG2), "until that is full too");
    is(grosr_spawn_range(&t, FUNCTION, 100, 0, 0), ENOBUFS, "a range gets ENOBUFS then");
    is(t.children + t.children_left, GROSR_CHILDREN, "and is not counted");
    uint32_t before = free_frames(d);
    is(grosr_spawn_range(&t, FUNCTION, 100000, 0, 0), ENOBUFS, "a wide range too");
    is(free_frames(d), before, "whose frame is free again");
}

/* A waiting task starts with the last signal and no earlier, whatever its frame was used for before. */
static void signals(struct grosr_deque d)
{
    struct grosr_task_context t = context(d, grosr_frame_take(grosr_launch_frames(&launch), d.local, 0));
    struct grosr_frames frames = grosr_launch_frames(&launch);
    uint32_t bad = 0, again = 0, seen[64] = {0};
    struct grosr_entry e = {};

    grosr_deque_cut(&d, 0);
    for (uint32_t round = 0; round < 200; round++) {
        uint32_t wanted = 1 + round % 3;
        grosr_waiting waiting;
        bad += grosr_spawn_waiting(&t, FUNCTION, round, 9, wanted, &waiting) != 0;
        for (uint32_t i = 0; i < wanted; i++) {
            bad += grosr_deque_size(&d) != 0;
            bad += grosr_signal(&t, waiting) != 0;
        }
        bad +=
            !grosr_deque_pop(&d, &e) || e.count != 0 || (uint32_t)(waiting >> GROSR_TASK_ID_BITS) != e.parent;
        again += e.parent < 64 && seen[e.parent]++ > 0;
        grosr_frame_sum(&frames.frame[e.parent]);
        grosr_frame_free(&frames, d.local, 0, e.parent);
        if (round % 2) { /* one too many: an error, or without effect */
            int err = grosr_signal(&t, waiting);
            bad += (err != 0 && err != ESTALE) || grosr_deque_size(&d) != 0;
        }
    }
    is(bad, 0, "200 waiting tasks start when they have been signalled as often as they want");
    ok(again > 100, "in frames that had been signalled too often before");
}

int main(void)
{
    struct grosr_deque d;

    launch = fixture_launch(2, 32);
    d = fixture_deque(&launch, 0);
    bad_arguments(d);
    bad_functions(d);
    no_frame(d);
    max_children(d);
    signals(d);
    full(d);
    free(d.local);
    fixture_launch_free(&launch);
    return tap_done();
}
