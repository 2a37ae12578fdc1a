/*
 * The mailbox belongs to another process, and a GPU writes into it: what is read is bounded here. A request
 * is pending when its doorbell has been rung and its reply has not the same lap.
 */
#include "model_syscalls.h"

#include "../../runtime/syscall/mailbox.h"

#include <math.h>
#include <string.h>

const char *model_syscall_name(uint32_t call)
{
    switch (call) {
#define GROSR_SYSCALL(id, NAME, name, text) \
    case id:                                \
        return #name;
#include "../../schema/events.def"
#undef GROSR_SYSCALL
    default:
        return "?";
    }
}

/* The lowest latency that is counted in a bucket. */
static double bucket_ns(uint32_t bucket)
{
    return bucket < 4 ? bucket : (double)((uint64_t)(4 + bucket % 4) << (bucket / 4 - 1));
}

/* The latency that so many per cent of the packets do not exceed, to a quarter of an octave; NAN: there is
 * none. */
static double percentile(const uint64_t counts[GROSR_LATENCIES], double p)
{
    double all = 0, seen = 0;

    for (uint32_t i = 0; i < GROSR_LATENCIES; i++)
        all += (double)counts[i];
    for (uint32_t i = 0; i < GROSR_LATENCIES && all > 0; i++) {
        seen += (double)counts[i];
        if (seen >= all * p / 100)
            return bucket_ns(i + 1);
    }
    return NAN;
}

/* How long ago a packet was issued, as far as the clocks are known. */
static uint64_t age_of(struct grosr_clock *clock, uint64_t issued_ns, uint64_t now)
{
    uint64_t near_ns, at, bound;

    if (!grosr_clock_near(clock, now, &near_ns) ||
        !grosr_clock_place(clock, grosr_clock_extend(issued_ns, GROSR_KIND_SHIFT, near_ns), &at, &bound))
        return 0;
    return now > at ? now - at : 0;
}

static void sample_port(struct model_syscalls *s, const struct grosr_mailbox *m, uint32_t port,
                        struct grosr_clock *clock, uint64_t now)
{
    struct grosr_pair bell = sys_load_pair_relaxed(&m->doorbell[port]);
    uint64_t lap = bell.lo & ~GROSR_LOW_56;
    struct grosr_packet packet = grosr_doorbell_unpack(bell);
    uint64_t age = 0;

    if (!grosr_pair_has_lap(bell, lap))
        return; /* it is being written */
    for (uint32_t i = 0; i < packet.count && i < GROSR_PACKET_MAX; i++) {
        const sys128 *at = grosr_mailbox_request(m, port, i);
        if (grosr_pair_has_lap(sys_load_pair_relaxed(grosr_mailbox_reply(m, port, i)), lap))
            continue;
        struct grosr_request_pairs x = {sys_load_pair_relaxed(at), sys_load_pair_relaxed(at + 1)};
        struct grosr_request r = grosr_request_unpack(x);
        if (r.call == 0)
            continue;
        age = age ? age : age_of(clock, packet.issued_ns, now);
        s->pending++;
        if (s->pending > 1 && age <= s->oldest.age_ns)
            continue;
        s->oldest.port = port;
        s->oldest.call = r.call;
        s->oldest.handle = r.handle;
        s->oldest.task = r.task;
        s->oldest.age_ns = age;
    }
}

void model_sample_syscalls(struct model_syscalls *s, const struct grosr_session *session,
                           struct grosr_clock *clock, uint64_t now)
{
    const struct grosr_session_header *h = &session->header;
    struct grosr_mailbox m = {0};
    uint64_t latency[GROSR_LATENCIES];

    memset(s, 0, sizeof(*s));
    s->p50_ns = s->p99_ns = NAN;
    if (!h->mailbox_ports || h->mailbox_ports > GROSR_MAILBOX_PORTS_MAX ||
        h->mailbox_bytes < grosr_mailbox_table_bytes(h->mailbox_ports))
        return;
    grosr_mailbox_place(&m, session->base + h->mailbox_at, h->mailbox_ports);
    s->slots = h->mailbox_ports;
    for (uint32_t i = 0; i < s->slots; i++)
        sample_port(s, &m, i, clock, now);
    s->completed = dev_load_relaxed(&m.words->completed);
    s->failed = dev_load_relaxed(&m.words->failed);
    s->refused = dev_load_relaxed(&m.words->refused);
    s->read_bytes = dev_load_relaxed(&m.words->read_bytes);
    s->written_bytes = dev_load_relaxed(&m.words->written_bytes);
    s->handles = dev_load_relaxed(&m.words->handles);
    for (uint32_t i = 0; i < GROSR_LATENCIES; i++)
        latency[i] = dev_load_relaxed(&m.words->latency[i]);
    s->p50_ns = percentile(latency, 50);
    s->p99_ns = percentile(latency, 99);
}
