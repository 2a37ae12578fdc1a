/* Frames: whatever the order in which children and parent are added, exactly one of them sees that nothing is
 * missing, with the whole sum; and a free frame is given to one at a time and never lost. */
#include "../launch_fixture.h"

#define CHILDREN_MAX 7

/* ---- counting ---- */

struct part {
    uint32_t count; /* children added together; 0: the parent expects all */
    uint64_t value;
    uint32_t mark;
};

enum kind { NARROW, WIDE, PARENT_FIRST };

/* Adds them in this order. Exactly one sees completion: the last. */
static uint32_t add_all(struct grosr_frame *frames, const struct part *t, const int *order, int n,
                        uint32_t children, enum kind kind)
{
    uint64_t sum = 0;
    uint32_t bad = 0, errors = 0, mark = 0;

    if (kind == WIDE)
        dev_store_relaxed(&frames[1].pending, children);
    if (kind == PARENT_FIRST)
        grosr_frame_expect_first(&frames[1], children);
    for (int i = 0; i < n; i++) {
        const struct part *x = &t[order[i]];
        bool complete;
        if (x->count == 0) {
            complete = grosr_frame_expect(&frames[1], children);
        } else {
            struct grosr_completions c =
                grosr_completions_one(kind == WIDE ? 1 | GROSR_FRAME_WIDE : 1, x->value, x->mark);
            c.low *= x->count;
            c.high *= x->count;
            c.count = x->count;
            sum += x->value * x->count;
            mark |= x->mark;
            errors = errors ? errors : grosr_mark_status(x->mark);
            complete = grosr_frame_add_completions(frames, c);
        }
        bad += complete != (i == n - 1);
    }
    bad += dev_load_relaxed(&frames[1].mark) != (errors ? errors : mark);
    bad += grosr_frame_sum(&frames[1]) != sum;
    const dev64 *left[] = {&frames[1].low, &frames[1].high, &frames[1].sum};
    for (int i = 0; i < 3; i++)
        bad += dev_load_relaxed(left[i]) != 0;
    return bad + dev_load_relaxed(&frames[1].mark) + dev_load_relaxed(&frames[1].pending);
}

static bool next_permutation(int *p, int n)
{
    int i = n - 2, j = n - 1;

    while (i >= 0 && p[i] > p[i + 1])
        i--;
    if (i < 0)
        return false;
    while (p[j] < p[i])
        j--;
    int x = p[i];
    p[i] = p[j];
    p[j] = x;
    for (int a = i + 1, b = n - 1; a < b; a++, b--) {
        x = p[a];
        p[a] = p[b];
        p[b] = x;
    }
    return true;
}

static uint64_t any_value(uint64_t *seed)
{
    static const uint64_t edges[] = {0, 1, UINT32_MAX, UINT64_C(1) << 32, UINT64_MAX, UINT64_MAX << 32};
    uint64_t x = tap_random(seed);
    return x % 3 ? edges[x / 3 % 6] : tap_random(seed);
}

static void all_orders(enum kind kind, const char *name)
{
    struct grosr_frame *frames = (struct grosr_frame *)fixture_memory(2 * sizeof(*frames));
    uint64_t seed = kind + 1, bad = 0, orders = 0;
    static const uint32_t marks[] = {0,       0,          0,          GROSR_MARK_WROTE,    1,
                                     0x10000, 0x7fffffff, 0xffffffff, GROSR_MARK_WROTE + 1};

    for (int k = 1; k < CHILDREN_MAX; k++) {
        struct part t[CHILDREN_MAX];
        int n = k, order[CHILDREN_MAX];
        uint32_t children = 0;
        for (int i = 0; i < k; i++) {
            t[i].count = 1 + (uint32_t)(tap_random(&seed) % 3);
            t[i].value = any_value(&seed);
            t[i].mark = marks[tap_random(&seed) % (sizeof(marks) / sizeof(marks[0]))];
            children += t[i].count;
        }
        if (kind == NARROW)
            t[n++] = (struct part){0, 0, 0};
        for (int i = 0; i < n; i++)
            order[i] = i;
        do {
            bad += add_all(frames, t, order, n, children, kind);
            orders++;
        } while (next_permutation(order, n));
    }
    is(bad, 0, "%s: %" PRIu64 " orders, the last one added sees the sum", name, orders);
    free(frames);
}

/* As many children as there may be, with the largest values: no sum reaches the count. */
static void max_children(void)
{
    struct grosr_frame *frames = (struct grosr_frame *)fixture_memory(2 * sizeof(*frames));
    uint64_t bad = 0;
    int before[] = {0, 1, 2}, after[] = {1, 0, 2};
    struct part t[] = {{GROSR_CHILDREN - 1, UINT64_MAX, 0}, {0, 0, 0}, {1, UINT64_MAX, 0}};

    bad += add_all(frames, t, before, 3, GROSR_CHILDREN, NARROW);
    bad += add_all(frames, t, after, 3, GROSR_CHILDREN, NARROW);
    for (uint32_t i = 0; i < GROSR_CHILDREN; i++)
        bad += grosr_frame_add_completions(frames, grosr_completions_one(1, UINT64_MAX, 0));
    bad += !grosr_frame_expect(&frames[1], GROSR_CHILDREN);
    bad += grosr_frame_sum(&frames[1]) != (uint64_t)0 - GROSR_CHILDREN;
    is(bad, 0, "%u children with 2^64 - 1 each", GROSR_CHILDREN);
    free(frames);
}

/* ---- free frames ---- */

struct worker {
    struct grosr_local *local;
    uint32_t held[6000], holds;
};

/* Workers take and free at random, in the ways that the scheduler has; `taken` keeps account. */
static void free_frames(uint32_t workers, uint32_t per_worker, uint64_t steps)
{
    struct grosr_launch l = fixture_launch(workers, per_worker);
    struct grosr_frames f = grosr_launch_frames(&l);
    struct worker *w = (struct worker *)calloc(workers, sizeof(*w));
    uint32_t all = workers * per_worker, held = 0;
    uint8_t *taken = (uint8_t *)calloc(all + 1, 1);
    uint64_t seed = all, bad = 0, none = 0, early = 0;
    const uint32_t kept = workers * (GROSR_FREE_NEAR + f.far_room + f.own); /* by all of them, at most */

    for (uint32_t i = 0; i < workers; i++)
        w[i].local = fixture_deque(&l, i).local;
    for (uint64_t step = 0; step < steps; step++) {
        uint32_t i = (uint32_t)(tap_random(&seed) % workers), to = (uint32_t)(tap_random(&seed) % workers);
        uint32_t n = (uint32_t)(tap_random(&seed) % (step % 7 ? 40 : 3000)), frame;
        bool takes = tap_random(&seed) % 2;
        grosr_frames_settle(&f, w[i].local, i); /* as before each batch */
        grosr_frames_settle(&f, w[to].local, to);
        for (uint32_t k = 0; k < n; k++) {
            if (takes) {
                frame = 0;
                if (tap_random(&seed) % 4)
                    grosr_frames_refill(&f, w[i].local, i, true, &frame);
                else
                    frame = grosr_frame_take(f, w[i].local, i);
                none += !frame;
                early += !frame && held + kept < all;
                if (!frame)
                    break;
                bad += frame > all || taken[frame]++;
                w[i].held[w[i].holds++] = frame;
                held++;
            } else if (w[i].holds) { /* what one holds comes free at another */
                uint32_t k2 = (uint32_t)(tap_random(&seed) % w[i].holds);
                frame = w[i].held[k2];
                w[i].held[k2] = w[i].held[--w[i].holds];
                taken[frame] = 0;
                grosr_frame_free(&f, w[to].local, to, frame);
                held--;
            }
        }
    }
    is(bad, 0, "%u workers, %u frames: none given twice, %" PRIu64 " times none left", workers, all, none);
    is(early, 0, "and only when all are in use but what the others keep, %u of them", kept);
    for (uint32_t i = 0; i < workers; i++) {
        grosr_frames_settle(&f, w[i].local, i);
        for (uint32_t frame = 0;; held++, frame = 0) {
            grosr_frames_refill(&f, w[i].local, i, true, &frame);
            if (!frame)
                break;
            bad += frame > all || taken[frame]++;
        }
    }
    ok(bad == 0 && held == all, "and each is somewhere: %u", held);
    for (uint32_t i = 0; i < workers; i++)
        free(w[i].local);
    free(w);
    free(taken);
    fixture_launch_free(&l);
}

/* One worker takes all frames but what the others have for themselves, though they come free at another: when
 * that one idles. */
static void idle(uint32_t workers, uint32_t per_worker)
{
    struct grosr_launch l = fixture_launch(workers, per_worker);
    struct grosr_frames f = grosr_launch_frames(&l);
    struct grosr_local *busy = fixture_deque(&l, 0).local, *idle = fixture_deque(&l, 1).local;
    uint32_t all = workers * per_worker, taken = 0, again = 0, frame;
    uint32_t *held = (uint32_t *)calloc(all, sizeof(*held));

    while ((frame = grosr_frame_take(f, busy, 0)))
        held[taken++] = frame;
    is(taken, f.own + f.common, "one of %u workers has its own and the common half of %u frames", workers,
       all);
    for (uint32_t i = 0; i < taken; i++) {
        grosr_frames_settle(&f, idle, 1);
        grosr_frame_free(&f, idle, 1, held[i]);
    }
    grosr_frames_settle(&f, idle, 1);
    uint32_t shared = (uint32_t)grosr_share_size(f.free);
    ok(taken - shared <= GROSR_FREE_NEAR + f.far_room, "they come free at another, which keeps %u",
       taken - shared);
    while (shared > all / 8) { /* the pools are low */
        frame = grosr_frame_take(f, busy, 0);
        again += frame != 0;
        shared = (uint32_t)grosr_share_size(f.free);
    }
    grosr_frames_give_back(&f, idle, 1);
    while ((frame = grosr_frame_take(f, busy, 0)))
        again++;
    ok(again >= taken - GROSR_LANES, "when it idles, %u of %u can be had again", again, taken);
    free(held);
    free(busy);
    free(idle);
    fixture_launch_free(&l);
}

int main(void)
{
    all_orders(NARROW, "a parent that expects among its children");
    all_orders(PARENT_FIRST, "a parent that has expected before its children");
    all_orders(WIDE, "a wide frame");
    max_children();
    free_frames(1, 1, 1000);
    free_frames(1, 3000, 20000);
    free_frames(2, 3000, 20000);
    free_frames(3, 100, 20000);
    idle(2, 4096);
    idle(64, 2048);
    idle(3, 32);
    return tap_done();
}
