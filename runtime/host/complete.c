/*
 * Completion: results come back in order.
 *
 * They are delivered by one collector at a time, the thread that got `collecting`: it copies the result of
 * task `retired` to its batch's `results`, then the next one. Whoever waits, for room or for results, becomes
 * the collector if none is at work and otherwise watches `retired` grow. A slot may be written again once its
 * task is retired; so whoever holds `collecting` knows that no slot from `retired` on changes hands.
 *
 * Whoever reads `retired` without being the collector sees a value of the past, which is a lower bound.
 */
#include "internal.h"
#include "marks.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

/* The collector publishes `retired` after COLLECT_STEP tasks, and lets another thread collect after
 * COLLECT_MAX. */
#define COLLECT_STEP 512u
#define COLLECT_MAX  8192u

/* Results this far ahead are fetched: a line that the device has written takes some 100 ns to come. */
#define FETCH_AHEAD 32u

void grosr_wait_a_little(const grosr *rt, struct waiter *w)
{
    if (w->spins < rt->spins)
        w->spins++;
    else
        dev_backoff(&w->step);
}

int grosr_ending(grosr *rt)
{
    int err = (int)sys_load_acquire(&rt->failed); /* pairs with grosr_poll_device(): the text */

    if (err)
        return grosr_fail(err, "%s", rt->failure);
    if (sys_load_acquire(&rt->stopping)) /* pairs with stop() */
        return grosr_fail(ECANCELED, "the runtime is stopping");
    return 0;
}

/* ---- the collector ---- */

/* A result slot against its lap: what is left is the result, with the top bytes zero if the slot holds it. */
static struct grosr_pair peek(const sys128 *slot, uint64_t lap)
{
    /* Pairs with the release in grosr_result_write(): what the task wrote is visible. */
    struct grosr_pair r = sys_load_pair_acquire(slot);
    return (struct grosr_pair){r.lo ^ lap, r.hi ^ lap};
}

static struct grosr_result result_of(struct grosr_pair bare)
{
    return (struct grosr_result){bare.lo >> 48 << 56 | bare.hi, -(int32_t)(uint32_t)bare.lo};
}

/*
 * Delivers the results in `count` slots of one lap, as far as they are there; returns how many. Lines of four
 * slots at a time, which takes a third less time (1.3 to 0.9 ns a result on an EPYC).
 */
static uint64_t deliver(const sys128 *slot, uint64_t lap, uint64_t count, struct grosr_result *results)
{
    uint64_t k = 0;

    for (; k + 4 <= count; k += 4) {
        struct grosr_pair r0 = peek(&slot[k], lap), r1 = peek(&slot[k + 1], lap);
        struct grosr_pair r2 = peek(&slot[k + 2], lap), r3 = peek(&slot[k + 3], lap);
        if ((r0.lo | r0.hi | r1.lo | r1.hi | r2.lo | r2.hi | r3.lo | r3.hi) >> 56)
            break;
        __builtin_prefetch(&slot[k + FETCH_AHEAD]);
        results[k] = result_of(r0);
        results[k + 1] = result_of(r1);
        results[k + 2] = result_of(r2);
        results[k + 3] = result_of(r3);
    }
    for (; k < count; k++) {
        struct grosr_pair r = peek(&slot[k], lap);
        if ((r.lo | r.hi) >> 56)
            break;
        results[k] = result_of(r);
    }
    return k;
}

/* As deliver(), for a batch that wants no results. */
static uint64_t count_done(const sys128 *slot, uint64_t lap, uint64_t count)
{
    uint64_t k = 0;

    /* Pairs with the release in grosr_result_write(). */
    while (k < count && grosr_queue_holds(sys_load_pair_acquire(&slot[k]), lap))
        k++;
    return k;
}

/* The batch of task `retired`, which has been reserved. By the collector. */
static const struct batch *front_batch(grosr *rt, uint64_t retired)
{
    const struct batch *b = &rt->batch_head->batch[rt->batch_at];

    if (retired < b->first + b->count)
        return b;
    if (++rt->batch_at == BATCHES_PER_BLOCK) {
        struct batch_block *next = rt->batch_head->next;
        free(rt->batch_head);
        rt->batch_head = next;
        rt->batch_at = 0;
    }
    return &rt->batch_head->batch[rt->batch_at];
}

/* Delivers the results that are there, in order, and returns how many. By the collector. */
static uint64_t collect(grosr *rt)
{
    uint64_t mask = (UINT64_C(1) << rt->capacity_log2) - 1;
    /* Pairs with the store in reserve(): the batches of these tasks are in the list. */
    uint64_t reserved = dev_load_acquire(&rt->reserved);
    uint64_t before = dev_load_relaxed(&rt->retired), retired = before;
    uint64_t limit = grosr_min64(reserved, before + COLLECT_MAX);

    while (retired < limit) {
        const struct batch *b = front_batch(rt, retired);
        uint64_t end = grosr_min64(b->first + b->count, (retired | mask) + 1); /* of the batch, of the lap */
        end = grosr_min64(end, grosr_min64(retired + COLLECT_STEP, limit));
        uint64_t lap = grosr_queue_lap(rt->capacity_log2, retired);
        const sys128 *slot = &rt->results[retired & mask];
        retired += b->results ? deliver(slot, lap, end - retired, b->results + (retired - b->first))
                              : count_done(slot, lap, end - retired);
        /* Pairs with the loads in grosr_retired(): results are in place, and slots are free. */
        dev_store_release(&rt->retired, retired);
        if (retired < end)
            break;
    }
    if (rt->cancel_until && retired >= rt->cancel_until) {
        rt->cancel_until = 0;
        sys_store_relaxed(&rt->words->cancelling, 0u);
    }
    if (retired != before)
        sys_store_relaxed(&grosr_session_queue(rt->session, 0)->completed, retired);
    return retired - before;
}

bool grosr_become_collector(grosr *rt)
{
    /* Load before the exchange: waiters share the line instead of taking it from each other. Pairs with
     * grosr_resign_collector(). */
    return !dev_load_relaxed(&rt->collecting) && !dev_cas_acquire(&rt->collecting, 0, 1);
}

void grosr_resign_collector(grosr *rt)
{
    dev_store_release(&rt->collecting, 0u); /* pairs with the exchange in grosr_become_collector() */
}

uint64_t grosr_try_collect(grosr *rt)
{
    uint64_t next = dev_load_relaxed(&rt->retired), mask = (UINT64_C(1) << rt->capacity_log2) - 1;

    if (!grosr_queue_holds(sys_load_pair_relaxed(&rt->results[next & mask]),
                           grosr_queue_lap(rt->capacity_log2, next)) ||
        !grosr_become_collector(rt))
        return 0;
    uint64_t n = collect(rt);
    grosr_resign_collector(rt);
    return n;
}

void grosr_cancel_rest(grosr *rt)
{
    uint64_t mask = (UINT64_C(1) << rt->capacity_log2) - 1, reserved, t;
    struct waiter w = {0, 0};

    while (!grosr_become_collector(rt))
        grosr_wait_a_little(rt, &w);
    reserved = dev_load_acquire(&rt->reserved); /* as in collect() */
    for (t = dev_load_relaxed(&rt->retired); t < reserved; t++) {
        const struct batch *b = front_batch(rt, t);
        struct grosr_pair r =
            sys_load_pair_acquire(&rt->results[t & mask]); /* pairs with grosr_result_write() */
        bool done = grosr_queue_holds(r, grosr_queue_lap(rt->capacity_log2, t));
        if (b->results) {
            b->results[t - b->first].value = done ? grosr_queue_wide(r) : 0;
            b->results[t - b->first].status = done ? -(int32_t)(uint32_t)r.lo : -ECANCELED;
        }
    }
    dev_store_release(&rt->retired, t); /* as in collect() */
    grosr_resign_collector(rt);
}

/* ---- waiting for results ---- */

static int wait_below(grosr *rt, uint64_t task, uint64_t timeout_ns)
{
    uint64_t start = timeout_ns == GROSR_FOREVER ? 0 : grosr_host_clock_ns(), seen = 0;
    struct waiter w = {0, 0};

    task = grosr_min64(task, dev_load_relaxed(&rt->reserved));
    for (;;) {
        uint64_t retired = grosr_retired(rt);
        if (retired < task && grosr_try_collect(rt))
            retired = grosr_retired(rt);
        if (retired >= task)
            return 0;
        int err = grosr_ending(rt);
        if (err)
            return err;
        if (timeout_ns != GROSR_FOREVER && grosr_host_clock_ns() - start >= timeout_ns)
            return grosr_fail(ETIMEDOUT, "tasks below %llu are not done after %.3f s",
                              (unsigned long long)task, (double)timeout_ns * 1e-9);
        if (retired != seen)
            w = (struct waiter){0, 0};
        else
            grosr_wait_a_little(rt, &w);
        seen = retired;
    }
}

int grosr_wait(grosr *rt, uint64_t task, uint64_t timeout_ns)
{
    int err = grosr_enter(rt);

    if (err)
        return err;
    if (timeout_ns > INT64_MAX && timeout_ns != GROSR_FOREVER) {
        err = grosr_refuse(rt, GROSR_CALL_WAIT,
                           grosr_fail(EINVAL, "a timeout is 0 to 2^63 - 1 ns, or GROSR_FOREVER, not %" PRId64,
                                      (int64_t)timeout_ns));
    } else {
        grosr_phase_begin(GROSR_PHASE_WAIT, task);
        err = wait_below(rt, task, timeout_ns);
        grosr_phase_end();
    }
    grosr_leave(rt);
    return err;
}

int grosr_drain(grosr *rt, uint64_t timeout_ns)
{
    return grosr_wait(rt, UINT64_MAX, timeout_ns);
}

static int test(grosr *rt, uint64_t task, struct grosr_result *result)
{
    uint64_t lap = grosr_queue_lap(rt->capacity_log2, task);
    const sys128 *slot = &rt->results[task & ((UINT64_C(1) << rt->capacity_log2) - 1)];

    /* Acquire: as in collect(), so that a task that is in nobody's batch is refused. */
    if (task >= dev_load_acquire(&rt->reserved))
        return grosr_refuse(rt, GROSR_CALL_TEST,
                            grosr_fail(EINVAL, "task %llu has not been submitted", (unsigned long long)task));
    /*
     * Acquire both words, before the load of retired: a slot that changes hands while we look is one whose
     * task is retired.
     */
    struct grosr_pair r = peek(slot, lap);
    r.hi = sys_load_acquire((const sys64 *)(const void *)&slot->hi) ^ lap;
    if (task < grosr_retired(rt))
        return 2;
    if ((r.lo | r.hi) >> 56)
        return grosr_ending(rt);
    if (result)
        *result = result_of(r);
    return 1;
}

int grosr_test(grosr *rt, uint64_t task, struct grosr_result *result)
{
    int err = grosr_enter(rt);

    if (err)
        return err;
    err = test(rt, task, result);
    grosr_leave(rt);
    return err;
}

/* ---- completions called back ---- */

static void *completion_main(void *arg)
{
    grosr *rt = (grosr *)arg;
    struct waiter w = {0, 0};

    for (;;) {
        /* Before `retired`: pairs with grosr_end_callbacks(), after which nothing is retired. */
        bool end = dev_load_acquire(&rt->completion_end);
        grosr_try_collect(rt);
        uint64_t retired = grosr_retired(rt);
        if (retired > rt->reported) {
            rt->done(rt->done_arg, rt->reported, retired - rt->reported);
            rt->reported = retired;
            w = (struct waiter){0, 0};
        } else if (end) {
            return NULL;
        } else {
            grosr_wait_a_little(rt, &w);
        }
    }
}

int grosr_on_completion(grosr *rt, void (*done)(void *arg, uint64_t first, uint64_t count), void *arg)
{
    int err = grosr_enter(rt);

    if (err)
        return err;
    pthread_mutex_lock(&rt->lock);
    if (!done) {
        err = grosr_fail(EINVAL, "the completion function is NULL");
    } else if (dev_load_relaxed(&rt->finishing)) {
        err = grosr_fail(ESHUTDOWN, "a runtime that has been finished calls no completion function");
    } else if (rt->calls_back) {
        err = grosr_fail(EALREADY, "the runtime has a completion function already");
    } else {
        rt->done = done;
        rt->done_arg = arg;
        rt->reported = grosr_retired(rt);
        err = pthread_create(&rt->completion_thread, NULL, completion_main, rt);
        if (err)
            err = grosr_fail(err, "cannot start the completion thread: %s", strerror(err));
        rt->calls_back = !err;
    }
    pthread_mutex_unlock(&rt->lock);
    if (err)
        grosr_refuse(rt, GROSR_CALL_ON_COMPLETION, err);
    grosr_leave(rt);
    return err;
}

bool grosr_in_callback(grosr *rt)
{
    pthread_mutex_lock(&rt->lock);
    bool inside = rt->calls_back && pthread_equal(pthread_self(), rt->completion_thread);
    pthread_mutex_unlock(&rt->lock);
    return inside;
}

void grosr_end_callbacks(grosr *rt)
{
    if (!rt->calls_back) /* `finishing` is set: that stays so */
        return;
    dev_store_release(&rt->completion_end, 1u); /* pairs with the load in completion_main() */
    pthread_join(rt->completion_thread, NULL);
}
