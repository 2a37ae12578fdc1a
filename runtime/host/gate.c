/*
 * The gate of the host API: who may enter, and what is recorded of the calls.
 *
 * Every call of the API is inside the gate from grosr_enter() to grosr_leave(). One word counts the calls
 * inside and says whether the runtime is closed, so that grosr_close() can wait until it is alone and free
 * everything but the handle: a late call finds the gate closed and touches nothing else. A call in a child
 * that was forked after the runtime had been opened does not even reach the gate: the child has neither the
 * threads nor the device, and the session is the parent's.
 *
 * The host's event ring is written under the runtime's lock, by grosr_record() and grosr_record_locked()
 * alone.
 */
#include "internal.h"

#include "../../tracer/session/fork.h"

#include <errno.h>

int grosr_check(const grosr *rt)
{
    if (!rt)
        return grosr_fail(EINVAL, "the runtime is NULL");
    if (rt->process != grosr_fork_number())
        return grosr_fail(EPERM, "the runtime belongs to the process that this one was forked from");
    return 0;
}

int grosr_enter(grosr *rt)
{
    int err = grosr_check(rt);

    if (err)
        return err;
    /* The addition counts this call and shows whether the gate is closed. Pairs with the exchanges in
     * grosr_shut() and grosr_leave(). */
    if (!(dev_add_acq_rel(&rt->gate, 1) & GATE_CLOSED)) {
        dev_point("api.entered");
        return 0;
    }
    grosr_leave(rt);
    return grosr_fail(ESHUTDOWN, "the runtime has been closed");
}

void grosr_leave(grosr *rt)
{
    dev_add_acq_rel(&rt->gate, UINT32_MAX); /* release: what the call did. Pairs with grosr_shut(). */
}

void grosr_shut(grosr *rt)
{
    uint32_t step = 0;

    dev_add_acq_rel(&rt->gate, GATE_CLOSED);                 /* pairs with grosr_enter() */
    while (dev_load_acquire(&rt->gate) != (GATE_CLOSED | 1)) /* pairs with grosr_leave() */
        dev_backoff(&step);
}

void grosr_record_locked(grosr *rt, uint32_t kind, uint64_t payload)
{
    if (!rt->emit_closed && sys_load_relaxed(&rt->trace.header->level) >= GROSR_LEVEL_SPANS)
        grosr_emit_at(&rt->emit, kind, payload, grosr_host_clock_ns());
}

void grosr_record(grosr *rt, uint32_t kind, uint64_t payload)
{
    pthread_mutex_lock(&rt->lock);
    grosr_record_locked(rt, kind, payload);
    pthread_mutex_unlock(&rt->lock);
}

int grosr_refuse(grosr *rt, enum grosr_call call, int err)
{
    grosr_record(rt, GROSR_EV_API_ERROR, grosr_payload_task((uint32_t)-err, call));
    return err;
}
