/*
 * Answering a request: the reply, the counters, and for a task that continues a notice to the service warp.
 */
#include "proxy_parts.h"

#include "../../tracer/base/host_clock.h"

void proxy_answer(struct grosr_proxy *p, struct call *c, int64_t result)
{
    struct port *port = &p->port[c->port];
    struct port_state *state = &p->state[c->port];
    uint64_t sequence = state->sequence;
    uint32_t frame = port->packet.frame, index = c->port, slot = c->slot;
    const struct grosr_mailbox *m = &p->m;

    c->result = result;
    c->done_ns = port->seen_ns ? grosr_host_clock_ns() : 0;
    dev_add_relaxed(&m->words->completed, UINT64_C(1));
    if (result < 0)
        dev_add_relaxed(&m->words->failed, UINT64_C(1));
    dev_store_relaxed(&c->state, (uint32_t)CALL_FREE);
    /* Before the reply: the device may use the port again at once. Release: the call's result. Pairs with the
     * load in serve_port(). */
    dev_add_acq_rel(&state->left, ~0u);
    grosr_port_reply(m, index, sequence, slot, result);
    if (!frame)
        return;
    uint64_t n = dev_claim(&p->notices, UINT64_C(1)), lap = grosr_notice_lap(m, n);
    /* Release: the reply. Pairs with the load in grosr_service_notices(). */
    sys_store_pair_release(&m->notice[n & ((UINT64_C(1) << m->notices_log2) - 1)],
                           lap | (uint64_t)frame << 32, lap | ((uint64_t)result & GROSR_LOW_56));
}
