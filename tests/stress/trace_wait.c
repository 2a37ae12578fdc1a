/*
 * Bounded waits of many warps, and of lanes by themselves, while levels and settings switch and somebody
 * reads what they wait for: what a lock, a word or a barrier orders is in order (TSan looks on), and no
 * reader ever sees facts of two waits mixed.
 */
#include "../tap.h"

#include "../../tracer/instrument/grosr_trace.h"
#include "../../tracer/session/wait_facts.h"

#include <pthread.h>
#include <time.h>
#include <unistd.h>

#define WARPS  4u
#define ROUNDS 240u

enum { WORD, LOCK, PHASE };
static const char *const names[] = {"word", "lock", "phase"};

static struct grosr_tracing *tracing;
static struct grosr_trace_handle handle, nothing;
static dev32 wrong, mixed, looked, ended;

/* Plain memory, which the waits order. */
static struct grosr_lock lock;
static uint32_t entered, owner;
static uint64_t turn, passed_on[GROSR_HOST_LANES];
static struct grosr_barrier barrier;
static uint32_t share[2][WARPS];

static void check(bool right)
{
    if (!right)
        dev_add_relaxed(&wrong, 1u);
}

static void have_lock(struct grosr_tracer *t, uint32_t by, uint32_t warp)
{
    check(grosr_lock_acquire(t, by, LOCK, warp, &lock) == 0);
    if (by == GROSR_BY_THREAD || dev_lane() == 0) {
        check(owner == 0);
        owner = warp + 1;
        entered++;
        if (entered % 7 == 0) { /* long enough for others to be reported */
            struct timespec pause = {0, 300000};
            nanosleep(&pause, NULL);
        }
        check(owner == warp + 1);
        owner = 0;
    }
    grosr_lock_release(t, by, LOCK, warp, &lock);
}

/* The turn goes round: each warp has it once in a round, and each of its lanes counts on. */
static void have_turn(struct grosr_tracer *t, uint32_t warp, uint32_t round)
{
    uint64_t mine = round * WARPS + warp;

    check(grosr_wait_word64(t, GROSR_BY_WARP, WORD, (uint32_t)mine, &turn,
                            round % 2 ? GROSR_EQUAL : GROSR_AT_LEAST, mine) == 0);
    check(passed_on[dev_lane()] == mine);
    passed_on[dev_lane()]++;
    dev_syncwarp();
    if (dev_lane() == 0)
        grosr_store64(&turn, mine + 1);
}

/* Two phases of the barrier: what was written before the first is read before the second. */
static void meet(struct grosr_tracer *t, uint32_t warp, uint32_t round)
{
    uint32_t sum = 0;

    if (dev_lane() == GROSR_LANES - 1)
        share[round % 2][warp] = round + warp;
    check(grosr_barrier_wait(t, GROSR_BY_WARP, PHASE, round, &barrier, WARPS) == 0);
    for (uint32_t i = 0; i < WARPS; i++)
        sum += share[round % 2][i];
    check(sum == WARPS * round + WARPS * (WARPS - 1) / 2);
}

static void warp_main(void *arg, uint32_t warp)
{
    (void)arg;
    for (uint32_t round = 0; round < ROUNDS; round++) {
        if (round % 3 == 0) {
            GROSR_TRACE_WARP(t, handle, warp);
            have_lock(&t, GROSR_BY_WARP, warp);
            grosr_trace_end(&t);
        } else if (round % 3 == 1 && dev_lane() == warp % GROSR_LANES) {
            GROSR_TRACE_THREAD(t, handle, warp);
            have_lock(&t, GROSR_BY_THREAD, warp);
            grosr_trace_end(&t);
        } else if (round % 3 == 2) { /* every lane by itself, unrecorded */
            GROSR_TRACE_THREAD(t, nothing, 0);
            have_lock(&t, GROSR_BY_THREAD, warp);
            grosr_trace_end(&t);
        }
        dev_syncwarp();
        GROSR_TRACE_WARP(t, handle, warp);
        have_turn(&t, warp, round);
        meet(&t, warp, round);
        grosr_trace_end(&t);
        dev_syncwarp(); /* before a lane alone takes the ring */
    }
}

/* What no mix of two waits would be. */
static bool makes_sense(uint32_t worker, const struct grosr_wait_facts *f)
{
    switch (f->kind) {
    case GROSR_WAIT_WORD:
        return f->name == WORD && f->address == (uint64_t)(uintptr_t)&turn && f->wanted == f->index &&
               f->wanted % WARPS == worker && f->bits == 64 &&
               f->until == (f->wanted / WARPS % 2 ? GROSR_EQUAL : GROSR_AT_LEAST) && f->seen < f->wanted;
    case GROSR_WAIT_LOCK:
        return f->name == LOCK && f->address == (uint64_t)(uintptr_t)&lock && f->index == worker &&
               f->wanted == 0 && f->holder != worker;
    case GROSR_WAIT_BARRIER:
        return f->name == PHASE && f->address == (uint64_t)(uintptr_t)&barrier && f->index < ROUNDS &&
               f->wanted == WARPS && f->seen < WARPS && f->holder != worker;
    case GROSR_WAIT_MBARRIER:
        break;
    }
    return false;
}

static void *look_main(void *p)
{
    struct timespec pause = {0, 50000};
    char text[160];

    (void)p;
    while (!dev_load_acquire(&ended)) { /* pairs with run() */
        for (uint32_t i = 0; i < WARPS; i++) {
            struct grosr_wait_facts f;
            if (!grosr_wait_facts_read(grosr_trace_session(tracing), i, &f))
                continue;
            dev_add_relaxed(&looked, 1u);
            if (!makes_sense(i, &f) || f.updated < f.since) {
                grosr_wait_facts_describe(&f, text, sizeof(text));
                printf("# worker %u, name %u %u: %s\n", i, f.name, f.index, text);
                dev_add_relaxed(&mixed, 1u);
            }
        }
        nanosleep(&pause, NULL);
    }
    return NULL;
}

static void run(bool switching, const char *name)
{
    struct grosr_trace_options o = GROSR_TRACE_OPTIONS_DEFAULT;
    struct dev_host_grid *grid;
    pthread_t thread;

    o.warps = WARPS;
    o.ring_events = 1024;
    o.names = names;
    o.name_count = 3;
    o.wait_report_ns = 0;
    is(grosr_trace_open(&tracing, &o), 0, "%s", name);
    handle = grosr_trace_handle(tracing);
    nothing = grosr_trace_handle(NULL);
    dev_store_relaxed(&ended, 0u);
    dev_store_relaxed(&looked, 0u);
    entered = 0;
    turn = 0;
    memset(passed_on, 0, sizeof(passed_on));
    memset(&barrier, 0, sizeof(barrier));
    pthread_create(&thread, NULL, look_main, NULL);
    if (dev_host_launch(&grid, WARPS, 1, warp_main, NULL))
        exit(1);
    for (uint32_t i = 0; dev_host_running(grid); i++) {
        struct timespec pause = {0, 300000};
        if (switching) {
            grosr_trace_set_level(tracing, (enum grosr_level)(i % (GROSR_LEVEL_FULL + 1)));
            grosr_trace_set_wait_report(tracing, i % 5 * 100000);
            grosr_trace_set_wait_timeout(tracing, i, GROSR_WAIT_CONTINUE);
        }
        nanosleep(&pause, NULL);
    }
    dev_host_join(grid);
    dev_store_release(&ended, 1u); /* pairs with look_main() */
    pthread_join(thread, NULL);
    is(dev_load_relaxed(&wrong), 0, "what is waited for has been there each time");
    is(entered, WARPS * ROUNDS / 3 * (2 + GROSR_LANES), "each has had the lock as often as it wanted");
    is(turn, WARPS * ROUNDS, "and its turns");
    is(dev_load_relaxed(&lock.word), 0, "the lock is free");
    is(dev_load_relaxed(&mixed), 0, "no facts of two waits were mixed");
    if (!switching)
        ok(dev_load_relaxed(&looked) > 0, "and there were facts (%u)", dev_load_relaxed(&looked));
    is(grosr_trace_close(tracing), 0, "closed");
}

int main(void)
{
    run(false, "warps that wait for each other");
    run(true, "while levels and settings switch");
    return tap_done();
}
