/*
 * Reading the ports of a mailbox that belongs to another process, in which a GPU writes. A port is in use if
 * its doorbell has been rung and the device has not noted of that packet that it has all replies.
 */
#include "model_calls.h"

#include "../../runtime/syscall/mailbox.h"

static bool read_port(const struct grosr_mailbox *m, uint32_t port, struct grosr_live_call *c)
{
    struct grosr_pair bell = sys_load_pair_relaxed(&m->doorbell[port]);
    uint64_t lap = bell.lo & ~GROSR_LOW_56;
    struct grosr_packet packet = grosr_doorbell_unpack(bell);

    if (!grosr_pair_has_lap(bell, lap) || packet.count == 0 || packet.count > GROSR_PACKET_MAX ||
        grosr_pair_has_lap(sys_load_pair_relaxed(&m->resumed[port]), lap))
        return false;
    *c = (struct grosr_live_call){
        .port = port,
        .worker = packet.worker == GROSR_NO_WORKER ? GROSR_LIVE_NO_WORKER : packet.worker,
        .suspended = packet.frame != 0,
        .issued = packet.issued_ns,
    };
    for (uint32_t i = 0; i < packet.count; i++) {
        const sys128 *at = grosr_mailbox_request(m, port, i);
        struct grosr_request_pairs x = {sys_load_pair_relaxed(at), sys_load_pair_relaxed(at + 1)};
        struct grosr_request r = grosr_request_unpack(x);
        bool answered = grosr_pair_has_lap(sys_load_pair_relaxed(grosr_mailbox_reply(m, port, i)), lap);
        if (r.call == 0)
            continue;
        if (i == 0 || (!answered && c->requests == 0)) {
            c->call = r.call;
            c->handle = r.handle;
            c->argument = r.argument;
            c->task = r.task;
        }
        c->requests += !answered;
    }
    /* What a suspended task has been told needs no port any more: the service warp frees it. */
    return c->requests || !c->suspended;
}

void model_read_calls(const struct grosr_session *session, struct grosr_live_mailbox *mailbox)
{
    const struct grosr_session_header *h = &session->header;
    struct grosr_mailbox m = {0};

    if (!h->mailbox_ports || h->mailbox_ports > GROSR_MAILBOX_PORTS_MAX ||
        h->mailbox_bytes < grosr_mailbox_table_bytes(h->mailbox_ports))
        return;
    grosr_mailbox_place(&m, session->base + h->mailbox_at, h->mailbox_ports);
    mailbox->closed = sys_load_relaxed(&m.words->closed);
    mailbox->completed = dev_load_relaxed(&m.words->completed);
    for (uint32_t i = 0; i < GROSR_PROXIES_MAX; i++) {
        uint64_t looked = sys_load_relaxed(&m.words->looked_ns[i]);
        if (looked && (!mailbox->looked_ns || looked < mailbox->looked_ns))
            mailbox->looked_ns = looked;
    }
    for (uint32_t i = 0; i < h->mailbox_ports; i++)
        mailbox->calls += read_port(&m, i, &mailbox->call[mailbox->calls]);
}
