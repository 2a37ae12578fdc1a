/*
 * The host device's warps: threads, their lanes' collectives, the clock and the test points (device_host.h).
 *
 * A warp of several lanes is one thread with a context for each lane. A lane runs until it waits for the
 * others: at a collective, in a back-off or, while a hook is set, at a test point. Then the next lane that
 * can run does. Only that thread touches its warp's lanes; what they share is atomic all the same where TSan,
 * which takes each lane for a thread, has to see their order.
 *
 * Each collective is two barriers around a shared exchange array: write own slot, meet, read the others',
 * meet again before anybody may write the next one. The barrier is central and generation-counted.
 */
#include "device.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>
#if GROSR_HOST_LANES > 1
#include <sys/mman.h>
#include <ucontext.h>
#endif
#ifdef __SANITIZE_THREAD__
#include <sanitizer/tsan_interface.h>
#endif

#if GROSR_HOST_LANES > 1
enum lane_state { LANE_RUNS, LANE_BACKS_OFF, LANE_MEETS, LANE_ENDED };

struct lane {
    uint32_t lane;
    dev32 state;
    ucontext_t context;
    void *fiber; /* TSan's, of the context */
};
#endif

struct warp {
    struct dev_host_grid *grid;
    uint32_t index, sm;
    pthread_t thread;
#if GROSR_HOST_LANES > 1
    struct lane lane[GROSR_HOST_LANES];
    struct lane outside; /* the thread itself, before and after the lanes */
    char *stacks;
    dev32 arrived;
    dev32 generation;
    uint64_t exchange[GROSR_HOST_LANES];
#endif
};

struct dev_host_grid {
    dev_warp_entry entry;
    void *arg;
    uint32_t warps; /* threads started */
    dev32 running;
    dev32 gate; /* 0: warps wait at the start, GATE_RUN or GATE_ABORT */
    struct warp *warp;
};

enum { GATE_RUN = 1, GATE_ABORT = 2, STACK_BYTES = 256 * 1024, GUARD_BYTES = 64 * 1024 };

/* Steps of dev_backoff(): yields; sleeps of 20 us, doubling to 640 us; 128 of these (80 ms); 2.56 ms. */
enum { BACKOFF_YIELDS = 64, BACKOFF_STEADY = BACKOFF_YIELDS + 5, BACKOFF_LONGEST = BACKOFF_STEADY + 128 };

static _Thread_local struct warp *self;

dev_point_hook dev_point_hook_fn;

static uint64_t virtual_step_ns;
static dev64 virtual_ns;
static struct dev_clock_skew skew;
static bool skewed;

uint64_t dev_clock_at(uint64_t host_ns)
{
    int64_t h = (int64_t)host_ns, second = 1000000000;

    if (!skewed)
        return host_ns;
    h += skew.offset_ns + h / second * skew.drift_ppb + h % second * skew.drift_ppb / second;
    return (uint64_t)(host_ns < skew.jump_at_ns ? h : h + skew.jump_ns);
}

uint64_t dev_clock_ns(void)
{
    struct timespec t;

    if (virtual_step_ns)
        return __atomic_fetch_add(&virtual_ns.v, virtual_step_ns, __ATOMIC_RELAXED);
    clock_gettime(CLOCK_MONOTONIC, &t);
    return dev_clock_at((uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec);
}

void dev_clock_set_skew(const struct dev_clock_skew *to)
{
    skewed = to != NULL;
    if (to)
        skew = *to;
}

bool dev_clock_is_skewed(void)
{
    return skewed;
}

void dev_clock_set_virtual(uint64_t start_ns, uint64_t step_ns)
{
    virtual_step_ns = step_ns;
    dev_store_relaxed(&virtual_ns, start_ns);
}

static void wait_a_little(uint32_t step)
{
    long us = 2560;

    if (step < BACKOFF_YIELDS) {
        sched_yield();
        return;
    }
    if (step < BACKOFF_LONGEST)
        us = step < BACKOFF_STEADY ? 20L << (step - BACKOFF_YIELDS) : 640;
    struct timespec t = {0, us * 1000};
    nanosleep(&t, NULL);
}

static uint32_t longer(uint32_t step)
{
    return step < BACKOFF_LONGEST ? step + 1 : step;
}

void dev_trap(void)
{
    abort();
}

uint32_t dev_sm(void)
{
    return self ? self->sm : 0;
}

/* Any thread, not only those of warps: their number in the order in which they first ask. The lanes of a warp
 * share it, which are contexts of one thread. */
uint32_t dev_spread(void)
{
    static dev32 threads;
    static _Thread_local dev32 number; /* + 1 */

    if (!dev_load_relaxed(&number))
        dev_store_relaxed(&number, dev_add_relaxed(&threads, 1) + 1);
    return dev_load_relaxed(&number) - 1;
}

#if GROSR_HOST_LANES == 1
void dev_backoff(uint32_t *step)
{
    wait_a_little(*step);
    *step = longer(*step);
}

void dev_point_reach(const char *name)
{
    dev_point_hook_fn(name);
}

static int open_lanes(struct warp *w)
{
    (void)w;
    return 0;
}

static void close_lanes(struct warp *w)
{
    (void)w;
}

static void run_lanes(struct warp *w)
{
    w->grid->entry(w->grid->arg, w->index);
}
#else

/* ---- lanes ---- */

static _Thread_local struct lane *current_lane;

static struct lane *current(void)
{
    return __atomic_load_n(&current_lane, __ATOMIC_RELAXED);
}

static void set_current(struct lane *lane)
{
    __atomic_store_n(&current_lane, lane, __ATOMIC_RELAXED);
}

/* In order: what has happened is seen there. Between lanes it is not, for they run at once on a device. */
static void change_to(struct lane *lane, bool in_order)
{
    struct lane *from = current();

    set_current(lane);
#ifdef __SANITIZE_THREAD__
    __tsan_switch_to_fiber(lane->fiber, in_order ? 0 : __tsan_switch_to_fiber_no_sync);
#else
    (void)in_order;
#endif
    swapcontext(&from->context, &lane->context);
}

/* The next lane after the current one in that state, or NULL. */
static struct lane *next_in(enum lane_state state)
{
    uint32_t first = current()->lane;

    for (uint32_t i = 1; i < GROSR_LANES; i++) {
        struct lane *lane = &self->lane[(first + i) % GROSR_LANES];
        if (dev_load_relaxed(&lane->state) == (uint32_t)state)
            return lane;
    }
    return NULL;
}

/* Lets others run. The current lane runs again once its state is LANE_RUNS, or when only those that back off
 * are left. */
static void let_run(enum lane_state as)
{
    struct lane *lane;

    dev_store_relaxed(&current()->state, (uint32_t)as);
    lane = next_in(LANE_RUNS);
    if (!lane && as != LANE_BACKS_OFF)
        lane = next_in(LANE_BACKS_OFF);
    if (lane) {
        dev_store_relaxed(&lane->state, (uint32_t)LANE_RUNS);
        change_to(lane, false);
    }
}

/* The lane that backs off when all others wait, too, waits for all of them. */
void dev_backoff(uint32_t *step)
{
    struct lane *lane;

    if (self && next_in(LANE_RUNS)) {
        let_run(LANE_BACKS_OFF);
    } else {
        wait_a_little(*step);
        while (self && (lane = next_in(LANE_BACKS_OFF)))
            dev_store_relaxed(&lane->state, (uint32_t)LANE_RUNS);
    }
    *step = longer(*step);
}

void dev_point_reach(const char *name)
{
    dev_point_hook_fn(name);
    if (self)
        let_run(LANE_RUNS);
}

static void meet(void)
{
    struct warp *w = self;
    uint32_t generation = dev_load_relaxed(&w->generation);

    if (__atomic_add_fetch(&w->arrived.v, 1, __ATOMIC_ACQ_REL) == GROSR_LANES) {
        dev_store_relaxed(&w->arrived, 0u);
        for (uint32_t i = 0; i < GROSR_LANES; i++)
            dev_store_relaxed(&w->lane[i].state, (uint32_t)LANE_RUNS);
        dev_store_release(&w->generation, generation + 1); /* pairs with the load below */
        return;
    }
    let_run(LANE_MEETS);
    if (dev_load_acquire(&w->generation) == generation)
        abort(); /* lanes have ended that the others wait for */
}

uint32_t dev_lane(void)
{
    return self ? current()->lane : 0;
}

uint32_t dev_ballot(bool flag)
{
    uint32_t mask = 0;

    if (!self)
        return flag;
    self->exchange[current()->lane] = flag;
    meet();
    for (uint32_t i = 0; i < GROSR_LANES; i++)
        mask |= (uint32_t)self->exchange[i] << i;
    meet();
    return mask;
}

uint64_t dev_shfl64(uint64_t x, uint32_t lane)
{
    if (!self)
        return x;
    self->exchange[current()->lane] = x;
    meet();
    x = self->exchange[lane];
    meet();
    return x;
}

uint64_t dev_sum64(uint64_t x)
{
    uint64_t sum = 0;

    if (!self)
        return x;
    self->exchange[current()->lane] = x;
    meet();
    for (uint32_t i = 0; i < GROSR_LANES; i++)
        sum += self->exchange[i];
    meet();
    return sum;
}

void dev_syncwarp(void)
{
    if (self)
        meet();
}

static void lane_main(void)
{
    change_to(&self->outside, false);
    self->grid->entry(self->grid->arg, self->index);
    let_run(LANE_ENDED); /* to which only the last one comes back by itself */
    for (;;)
        change_to(&self->outside, true);
}

/* Lets each lane come this far: to its beginning, after all that was before it, or to its end. */
static void visit_lanes(struct warp *w)
{
    for (uint32_t i = 0; i < GROSR_LANES; i++)
        change_to(&w->lane[i], true);
}

/* A stack for each lane, with a guard page below. 0 or errno. */
static int open_lanes(struct warp *w)
{
    void *stacks =
        mmap(NULL, GROSR_LANES * STACK_BYTES, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (stacks == MAP_FAILED)
        return errno;
    w->stacks = (char *)stacks;
    for (uint32_t i = 0; i < GROSR_LANES; i++)
        if (mprotect(w->stacks + i * STACK_BYTES, GUARD_BYTES, PROT_NONE))
            return errno;
    return 0;
}

static void close_lanes(struct warp *w)
{
    if (w->stacks)
        munmap(w->stacks, GROSR_LANES * STACK_BYTES);
}

/* From the beginning of all lanes to their ends. */
static void run_lanes(struct warp *w)
{
    for (uint32_t i = 0; i < GROSR_LANES; i++) {
        struct lane *lane = &w->lane[i];
        lane->lane = i;
        getcontext(&lane->context);
        lane->context.uc_stack.ss_sp = w->stacks + i * STACK_BYTES + GUARD_BYTES;
        lane->context.uc_stack.ss_size = STACK_BYTES - GUARD_BYTES;
        makecontext(&lane->context, lane_main, 0);
#ifdef __SANITIZE_THREAD__
        lane->fiber = __tsan_create_fiber(0);
#endif
    }
#ifdef __SANITIZE_THREAD__
    w->outside.fiber = __tsan_get_current_fiber();
#endif
    set_current(&w->outside);
    visit_lanes(w);
    change_to(&w->lane[0], false);
    visit_lanes(w);
    set_current(NULL);
#ifdef __SANITIZE_THREAD__
    for (uint32_t i = 0; i < GROSR_LANES; i++)
        __tsan_destroy_fiber(w->lane[i].fiber);
#endif
}
#endif

/* ---- warps ---- */

static void *warp_main(void *p)
{
    struct warp *warp = (struct warp *)p;
    uint32_t gate;

    self = warp;
    while (!(gate = dev_load_acquire(&warp->grid->gate)))
        sched_yield();
    if (gate == GATE_RUN)
        run_lanes(warp);
    __atomic_fetch_sub(&warp->grid->running.v, 1, __ATOMIC_RELEASE); /* pairs with dev_host_running() */
    return NULL;
}

int dev_host_launch(struct dev_host_grid **out, uint32_t warps, uint32_t warps_per_sm, dev_warp_entry entry,
                    void *arg)
{
    struct dev_host_grid *grid = (struct dev_host_grid *)calloc(1, sizeof(*grid));
    pthread_attr_t attr;
    int err = 0;

    if (!grid)
        return -ENOMEM;
    grid->warp = (struct warp *)calloc(warps, sizeof(*grid->warp));
    if (!grid->warp) {
        free(grid);
        return -ENOMEM;
    }
    grid->entry = entry;
    grid->arg = arg;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK_BYTES);
    for (; grid->warps < warps; grid->warps++) {
        struct warp *warp = &grid->warp[grid->warps];
        warp->grid = grid;
        warp->index = grid->warps;
        warp->sm = warp->index / warps_per_sm;
        __atomic_fetch_add(&grid->running.v, 1, __ATOMIC_RELAXED);
        err = open_lanes(warp);
        if (!err)
            err = pthread_create(&warp->thread, &attr, warp_main, warp);
        if (err) {
            close_lanes(warp);
            break;
        }
    }
    pthread_attr_destroy(&attr);
    dev_store_release(&grid->gate,
                      err ? (uint32_t)GATE_ABORT : (uint32_t)GATE_RUN); /* pairs with warp_main() */
    if (!err) {
        *out = grid;
        return 0;
    }
    dev_host_join(grid);
    return -err;
}

uint32_t dev_host_running(struct dev_host_grid *grid)
{
    return dev_load_acquire(&grid->running);
}

void dev_host_join(struct dev_host_grid *grid)
{
    for (uint32_t i = 0; i < grid->warps; i++)
        pthread_join(grid->warp[i].thread, NULL);
    for (uint32_t i = 0; i < grid->warps; i++)
        close_lanes(&grid->warp[i]);
    free(grid->warp);
    free(grid);
}
