/*
 * Packets into the trace: a record each, in the session's stream, when the caller has resumed (record.h). The
 * thread that serves the port writes it, or, at the end, the one that has ended all others.
 */
#include "proxy_parts.h"

void trace_open(struct grosr_proxy *p)
{
    if (p->options.session && p->options.session->header.streams)
        grosr_stream_writer_open(&p->trace, p->options.session, 0);
}

bool trace_wanted(const struct grosr_proxy *p)
{
    const struct grosr_session_header *live;

    if (!p->trace.stream)
        return false;
    live = grosr_session_live(p->options.session);
    return sys_load_relaxed(&live->collector_pid) && sys_load_relaxed(&live->level) >= GROSR_LEVEL_SPANS;
}

void trace_packet(struct grosr_proxy *p, uint32_t index, const struct port *port, uint64_t resumed_ns)
{
    struct grosr_record_syscall calls[GROSR_PACKET_MAX];
    struct grosr_record_syscalls packet = {.head = {0, GROSR_RECORD_SYSCALLS},
                                           .issued_ns = port->packet.issued_ns,
                                           .resumed_ns = resumed_ns,
                                           .seen_ns = port->seen_ns,
                                           .port = index,
                                           .worker = (uint16_t)port->packet.worker,
                                           .count = (uint16_t)port->packet.count};
    const struct grosr_piece pieces[] = {{&packet, sizeof(packet)}, {calls, packet.count * sizeof(calls[0])}};

    if (packet.worker != GROSR_NO_WORKER && packet.worker >= p->options.session->header.workers)
        return; /* what no warp of ours writes */
    for (uint32_t i = 0; i < packet.count; i++) {
        const struct call *c = &port->call[i];
        calls[i].task = c->request.task;
        calls[i].done_ns = c->done_ns;
        calls[i].result = c->result;
        calls[i].handle = c->request.handle;
        calls[i].call = c->request.call;
    }
    grosr_stream_write(&p->trace, pieces, 2);
}
