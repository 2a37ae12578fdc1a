/* Bounded waits where tracing is compiled out: they wait all the same, and evaluate nothing of the trace's.
 */
#define GROSR_TRACE_DISABLED
#include "../tap.h"

#include "../../tracer/instrument/grosr_trace.h"

#include <time.h>

#define WARPS  4u
#define ROUNDS 200u

enum { WORD, LOCK, PHASE };

static struct grosr_lock lock;
static struct grosr_barrier barrier;
static uint32_t entered, word32;
static uint64_t word64, mbarrier;
static dev32 wrong, evaluated;

static uint32_t evaluate(void)
{
    return dev_add_relaxed(&evaluated, 1u);
}

static void warp_main(void *arg, uint32_t warp)
{
    uint32_t bad = 0;

    (void)arg;
    GROSR_TRACE_WARP(t, handle, evaluate());
    grosr_wait_set_timeout(&t, evaluate(), GROSR_WAIT_TRAP);
    for (uint32_t round = 0; round < ROUNDS; round++) {
        uint32_t by = round % 2 ? GROSR_BY_WARP : GROSR_BY_THREAD;
        bad += grosr_lock_acquire(&t, by, evaluate(), evaluate(), &lock) != 0;
        entered++;
        grosr_lock_release(&t, by, LOCK, evaluate(), &lock);
        bad += grosr_wait_word32(&t, by, evaluate(), 0, &word32, GROSR_EQUAL, round * WARPS + warp) != 0;
        grosr_store32(&word32, round * WARPS + warp + 1);
        bad +=
            grosr_wait_system32(&t, by, WORD, evaluate(), &word32, GROSR_AT_LEAST, (round + 1) * WARPS) != 0;
        bad += entered != (round + 1) * WARPS;
        bad += grosr_barrier_wait(&t, by, evaluate(), 0, &barrier, WARPS) != 0;
    }
    bad += grosr_wait_word64(&t, GROSR_BY_THREAD, WORD, evaluate(), &word64, GROSR_NOT_EQUAL, 0) != 0;
    bad += grosr_wait_system64(&t, GROSR_BY_THREAD, evaluate(), 0, &word64, GROSR_EQUAL, 7) != 0;
    bad += grosr_wait_mbarrier(&t, GROSR_BY_WARP, evaluate(), 0, &mbarrier, 0) != 0;
    bad += grosr_wait_mbarrier(&t, GROSR_BY_WARP, PHASE, evaluate(), &mbarrier, 0) != 0;
    grosr_trace_end(&t);
    dev_add_relaxed(&wrong, bad);
}

int main(void)
{
    struct dev_host_grid *grid;
    struct timespec pause = {0, 20000000};

    is(grosr_trace_set_wait_report(NULL, 5), 0, "the host's calls do nothing");
    is(grosr_trace_set_wait_timeout(NULL, 5, GROSR_WAIT_FAIL), 0, "none of them");
    is(grosr_trace_stop_waits(NULL, true), 0, "not this one either");
    if (dev_host_launch(&grid, WARPS, 1, warp_main, NULL))
        return 1;
    nanosleep(&pause, NULL);
    is(dev_host_running(grid), WARPS, "they wait for the last words");
    grosr_store64(&word64, 7);
    nanosleep(&pause, NULL);
    is(dev_host_running(grid), WARPS, "and then for the mbarrier");
    grosr_store64(&mbarrier, 1);
    dev_host_join(grid);
    is(entered, WARPS * ROUNDS, "the lock has kept them apart");
    is(dev_load_relaxed(&wrong), 0, "what is waited for has been there each time");
    is(dev_load_relaxed(&lock.word), 0, "the lock is free");
    is(dev_load_relaxed(&evaluated), 0, "what is the trace's alone is not evaluated");
    return tap_done();
}
