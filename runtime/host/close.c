/*
 * Stopping, finishing and closing a runtime.
 *
 * It ends in this order: nothing more is submitted, the submitted tasks are done, the kernel has ended, the
 * tasks that did not run are cancelled, the last completions have been called back, the host's event ring is
 * closed, and the session says that it is closed. grosr_finish() does this, once. grosr_close() then frees
 * everything but the handle.
 */
#include "internal.h"
#include "marks.h"

#include "../../tracer/session/fork.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <time.h>

/*
 * Handles that have been closed: a late call is refused by its gate. They stay reachable, so that no tool
 * reports them as leaked.
 */
static dev64 closed_list; /* the address of the latest. No lock, which a child might inherit locked */

/* ---- stopping ---- */

/*
 * Whatever waits in the kernel is released by this, so a trace is judged as of the first stop (trace_db.h).
 * The clock is read before the look: of two who see no time yet, neither stores one behind the first stop.
 */
static void stop(grosr *rt)
{
    uint64_t now = grosr_host_clock_ns();

    if (!sys_load_relaxed(&rt->trace.header->stopped_ns))
        sys_store_relaxed(&rt->trace.header->stopped_ns, now);
    sys_store_release(&rt->stopping, 1u); /* pairs with the load in grosr_ending() */
    sys_store_release(&rt->trace.header->stop, 1u);
}

void grosr_stop(grosr *rt)
{
    /* As grosr_enter(), without a text: a signal handler may call this. */
    if (!rt || rt->process != grosr_fork_number())
        return;
    /* The addition as in grosr_enter(). */
    if (!(dev_add_acq_rel(&rt->gate, 1) & GATE_CLOSED))
        stop(rt);
    grosr_leave(rt);
}

/* ---- finishing ---- */

/* Waits for the kernel to end. */
static int join_kernel(grosr *rt)
{
    uint64_t start = grosr_host_clock_ns();
    int state;

    while ((state = grosr_poll_device(rt)) == 1) {
        struct timespec pause = {0, 100000};
        if (grosr_host_clock_ns() - start > GROSR_DEVICE_STOP_TIMEOUT_NS)
            return grosr_fail(EIO, "the persistent kernel did not stop within %d s; a task has not ended",
                              (int)(GROSR_DEVICE_STOP_TIMEOUT_NS / 1000000000u));
        nanosleep(&pause, NULL);
        grosr_syscalls_check(rt);
    }
    return state;
}

/* What the first of several calls does. */
static int finish_once(grosr *rt)
{
    int err = 0;

    pthread_mutex_lock(&rt->lock);
    dev_store_relaxed(&rt->finishing, 1u);
    pthread_mutex_unlock(&rt->lock);
    /* Pairs with stop(). */
    if (!sys_load_acquire(&rt->stopping)) {
        err = grosr_drain(rt, GROSR_FOREVER);
        if (err == -ECANCELED) /* grosr_stop() was called, which is not a failure */
            err = 0;
    }
    grosr_stop_housekeeping(rt);
    if (!err)
        grosr_compare_clocks(rt, GROSR_CLOCK_TIMEOUT_NS);
    stop(rt);
    grosr_syscalls_interrupt(rt);
    int joined = join_kernel(rt);
    grosr_syscalls_stop(rt);
    if (joined && !err)
        err = joined;
    pthread_mutex_lock(&rt->lock);
    rt->ended = true;
    pthread_mutex_unlock(&rt->lock);
    if (!joined)
        grosr_arena_publish(rt);
    if (rt->results)
        grosr_cancel_rest(rt);
    grosr_end_callbacks(rt);
    pthread_mutex_lock(&rt->lock);
    grosr_emit_close(&rt->emit);
    rt->emit_closed = true;
    pthread_mutex_unlock(&rt->lock);
    /* Pairs with the load in can_end() of source.c: all rings have been closed before, unless the device
     * failed. */
    sys_store_release(&rt->trace.header->state, (uint32_t)GROSR_SESSION_CLOSED);
    return err;
}

static int finish(grosr *rt)
{
    int err = 0;

    grosr_phase_begin(GROSR_PHASE_FINISH, 0);
    pthread_mutex_lock(&rt->finish_lock);
    if (!rt->finished)
        err = finish_once(rt);
    rt->finished = true;
    pthread_mutex_unlock(&rt->finish_lock);
    grosr_phase_end();
    return err;
}

static int in_callback(grosr *rt, enum grosr_call call)
{
    if (!grosr_in_callback(rt))
        return 0;
    return grosr_refuse(rt, call, grosr_fail(EDEADLK, "the completion function cannot end the runtime"));
}

int grosr_finish(grosr *rt)
{
    int err = grosr_enter(rt);

    if (err)
        return err;
    if (!(err = in_callback(rt, GROSR_CALL_FINISH)))
        err = finish(rt);
    grosr_leave(rt);
    return err;
}

/* ---- closing ---- */

/* Frees what the runtime holds, all but the handle. False: the kernel still runs, and nothing was freed. */
static bool destroy(grosr *rt)
{
    grosr_stop_housekeeping(rt);
    grosr_syscalls_stop(rt);
    if (rt->device && rt->ops->poll(rt->device) == 1) {
        /* Freeing would wait for the kernel for ever. The session's name is removed; the exit of the process
         * frees the rest. */
        grosr_session_unlink(rt->session);
        return false;
    }
    grosr_arena_close(rt);
    if (rt->device)
        rt->ops->close(rt->device);
    grosr_session_close(rt->session);
    grosr_submission_close(rt);
    pthread_mutex_destroy(&rt->lock);
    pthread_mutex_destroy(&rt->urgent_lock);
    pthread_mutex_destroy(&rt->finish_lock);
    return true;
}

void grosr_abandon(grosr *rt)
{
    if (rt->session)
        stop(rt);
    if (rt->trace.base)
        finish(rt);
    if (destroy(rt))
        free(rt);
}

static void keep_closed(grosr *rt)
{
    uint64_t latest = dev_load_relaxed(&closed_list), seen;

    for (;; latest = seen) {
        rt->next_closed = (grosr *)(uintptr_t)latest;
        seen = dev_cas_relaxed(&closed_list, latest, (uint64_t)(uintptr_t)rt);
        if (seen == latest)
            return;
    }
}

int grosr_close(grosr *rt)
{
    int err;

    if (!rt)
        return 0;
    err = grosr_enter(rt);
    if (err)
        return err == -ESHUTDOWN ? grosr_fail(EALREADY, "the runtime has been closed") : err;
    err = in_callback(rt, GROSR_CALL_CLOSE);
    if (!err && dev_cas_relaxed(&rt->closing, 0, 1))
        err =
            grosr_refuse(rt, GROSR_CALL_CLOSE, grosr_fail(EALREADY, "another thread is closing the runtime"));
    if (err) {
        grosr_leave(rt);
        return err;
    }
    grosr_phase_begin(GROSR_PHASE_CLOSE, 0);
    err = finish(rt);
    grosr_shut(rt);
    destroy(rt);
    grosr_phase_end();
    grosr_leave(rt);
    keep_closed(rt);
    return err;
}

const struct grosr_session *grosr_runtime_session(const grosr *rt)
{
    /* Pairs with grosr_shut(). */
    return grosr_check(rt) || dev_load_acquire(&rt->gate) & GATE_CLOSED ? NULL : rt->session;
}
