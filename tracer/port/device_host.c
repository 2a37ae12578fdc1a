/*
 * The host device's warps: threads, their lanes' collectives, the clock and the test points (device_host.h).
 *
 * A warp of several lanes is several threads. Each collective is two barriers around a shared exchange array:
 * write own slot, meet, read the others', meet again before anybody may write the next one. The barrier is
 * central and generation-counted; waiting yields.
 */
#include "device.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <stdlib.h>
#include <time.h>

struct warp {
    dev32 arrived;
    dev32 generation;
    uint64_t exchange[GROSR_HOST_LANES];
};

struct lane {
    struct dev_host_grid *grid;
    struct warp *warp;
    uint32_t index, lane, sm;
    pthread_t thread;
};

struct dev_host_grid {
    dev_warp_entry entry;
    void *arg;
    uint32_t lanes; /* threads started */
    dev32 running;
    dev32 gate; /* 0: lanes wait at the start, GATE_RUN or GATE_ABORT */
    struct warp *warps;
    struct lane *lane;
};

enum { GATE_RUN = 1, GATE_ABORT = 2 };

static _Thread_local struct lane *self;

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

void dev_backoff(uint32_t *step)
{
    if (*step < 64) {
        sched_yield();
        ++*step;
        return;
    }
    uint32_t shift = *step - 64;
    struct timespec t = {0, 20000L << shift};
    nanosleep(&t, NULL);
    if (shift < 5)
        ++*step;
}

uint32_t dev_sm(void)
{
    return self ? self->sm : 0;
}

/* Any thread, not only those of warps: their number in the order in which they first ask. */
uint32_t dev_spread(void)
{
    static dev32 threads;
    static __thread uint32_t number; /* + 1 */

    if (!number)
        number = dev_add_relaxed(&threads, 1) + 1;
    return number - 1;
}

#if GROSR_HOST_LANES > 1
static void meet(struct warp *w)
{
    uint32_t generation = dev_load_relaxed(&w->generation);

    if (__atomic_add_fetch(&w->arrived.v, 1, __ATOMIC_ACQ_REL) == GROSR_LANES) {
        dev_store_relaxed(&w->arrived, 0u);
        dev_store_release(&w->generation, generation + 1); /* pairs with the load below */
        return;
    }
    while (dev_load_acquire(&w->generation) == generation)
        sched_yield();
}

uint32_t dev_lane(void)
{
    return self ? self->lane : 0;
}

uint32_t dev_ballot(bool flag)
{
    uint32_t mask = 0;

    if (!self)
        return flag;
    self->warp->exchange[self->lane] = flag;
    meet(self->warp);
    for (uint32_t i = 0; i < GROSR_LANES; i++)
        mask |= (uint32_t)self->warp->exchange[i] << i;
    meet(self->warp);
    return mask;
}

uint64_t dev_shfl64(uint64_t x, uint32_t lane)
{
    if (!self)
        return x;
    self->warp->exchange[self->lane] = x;
    meet(self->warp);
    x = self->warp->exchange[lane];
    meet(self->warp);
    return x;
}

uint64_t dev_sum64(uint64_t x)
{
    uint64_t sum = 0;

    if (!self)
        return x;
    self->warp->exchange[self->lane] = x;
    meet(self->warp);
    for (uint32_t i = 0; i < GROSR_LANES; i++)
        sum += self->warp->exchange[i];
    meet(self->warp);
    return sum;
}

void dev_syncwarp(void)
{
    if (self)
        meet(self->warp);
}
#endif

static void *lane_main(void *p)
{
    struct lane *lane = (struct lane *)p;
    uint32_t gate;

    self = lane;
    while (!(gate = dev_load_acquire(&lane->grid->gate)))
        sched_yield();
    if (gate == GATE_RUN)
        lane->grid->entry(lane->grid->arg, lane->index);
    __atomic_fetch_sub(&lane->grid->running.v, 1, __ATOMIC_RELEASE); /* pairs with dev_host_running() */
    return NULL;
}

int dev_host_launch(struct dev_host_grid **out, uint32_t warps, uint32_t warps_per_sm, dev_warp_entry entry,
                    void *arg)
{
    struct dev_host_grid *grid = (struct dev_host_grid *)calloc(1, sizeof(*grid));
    uint32_t lanes = warps * GROSR_LANES;
    pthread_attr_t attr;
    int err = 0;

    if (!grid)
        return -ENOMEM;
    grid->warps = (struct warp *)calloc(warps, sizeof(*grid->warps));
    grid->lane = (struct lane *)calloc(lanes, sizeof(*grid->lane));
    if (!grid->warps || !grid->lane) {
        err = ENOMEM;
        goto fail;
    }
    grid->entry = entry;
    grid->arg = arg;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, 256 * 1024);
    for (; grid->lanes < lanes; grid->lanes++) {
        struct lane *lane = &grid->lane[grid->lanes];
        lane->grid = grid;
        lane->index = grid->lanes / GROSR_LANES;
        lane->lane = grid->lanes % GROSR_LANES;
        lane->warp = &grid->warps[lane->index];
        lane->sm = lane->index / warps_per_sm;
        __atomic_fetch_add(&grid->running.v, 1, __ATOMIC_RELAXED);
        err = pthread_create(&lane->thread, &attr, lane_main, lane);
        if (err)
            break;
    }
    pthread_attr_destroy(&attr);
    dev_store_release(&grid->gate,
                      err ? (uint32_t)GATE_ABORT : (uint32_t)GATE_RUN); /* pairs with lane_main() */
    if (!err) {
        *out = grid;
        return 0;
    }
    dev_host_join(grid);
    return -err;
fail:
    free(grid->warps);
    free(grid->lane);
    free(grid);
    return -err;
}

uint32_t dev_host_running(struct dev_host_grid *grid)
{
    return dev_load_acquire(&grid->running);
}

void dev_host_join(struct dev_host_grid *grid)
{
    for (uint32_t i = 0; i < grid->lanes; i++)
        pthread_join(grid->lane[i].thread, NULL);
    free(grid->warps);
    free(grid->lane);
    free(grid);
}
