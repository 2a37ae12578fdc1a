/*
 * The mailbox's protocol in all schedules (tests/explore.h): two callers that share one port, or have one
 * each, and a host that answers. No answer is another's, and what came with it is there; laps come round.
 */
#include "../explore.h"

#include "../../runtime/syscall/syscall_device.h"

enum { PORTS = 2, CALLS = 2, STAGING = 1024 };

static struct grosr_mailbox box;
static struct grosr_mailbox_words words;
static sys128 doorbell[PORTS], resumed[PORTS], request[PORTS * GROSR_PACKET_MAX * 2],
    reply[PORTS * GROSR_PACKET_MAX];
static dev64 port[PORTS];
static alignas(64) unsigned char staging[PORTS * STAGING];
static uint32_t ports, answered, calls;
static uint64_t first_sequence, sequence[PORTS];

static void begin(void)
{
    memset(doorbell, 0, sizeof(doorbell));
    memset(request, 0, sizeof(request));
    memset(reply, 0, sizeof(reply));
    memset(staging, 0, sizeof(staging));
    box = (struct grosr_mailbox){.words = &words,
                                 .doorbell = doorbell,
                                 .resumed = resumed,
                                 .request = request,
                                 .reply = reply,
                                 .staging = staging,
                                 .ports = ports,
                                 .staging_bytes = STAGING,
                                 .port = port};
    for (uint32_t i = 0; i < PORTS; i++) {
        /* What the packet before has left. */
        uint64_t lap = grosr_packet_lap(first_sequence);
        port[i].v = first_sequence << 1;
        sequence[i] = first_sequence;
        doorbell[i].lo = doorbell[i].hi = reply[i * GROSR_PACKET_MAX].lo = reply[i * GROSR_PACKET_MAX].hi =
            lap;
        for (uint32_t k = 0; k < 2; k++)
            request[i * GROSR_PACKET_MAX * 2 + k].lo = request[i * GROSR_PACKET_MAX * 2 + k].hi = lap;
    }
    answered = 0;
    explore_watch(doorbell, sizeof(doorbell));
    explore_watch(port, sizeof(port));
    for (uint32_t i = 0; i < ports; i++) {
        explore_watch(&request[i * GROSR_PACKET_MAX * 2], 2 * sizeof(sys128));
        explore_watch(&reply[i * GROSR_PACKET_MAX], sizeof(sys128));
        explore_watch(&staging[i * STAGING], 16);
    }
}

/* ---- calls without data: the answer is the argument and one ---- */

static void caller(uint64_t who)
{
    struct grosr_sys sys = {&box, who << GROSR_TASK_ID_BITS, NULL};

    for (uint64_t i = 0; i < calls; i++) {
        uint64_t argument = who << 60 | i << 20 | 7;
        int64_t n =
            grosr_call_plain(sys, 1, true, grosr_request_of(sys, GROSR_SYS_NOOP, (int32_t)who, argument));
        explore_require(n == (int64_t)(argument + 1), "an answer is another's");
    }
}

static void first_caller(void)
{
    caller(0);
}

static void second_caller(void)
{
    caller(1);
}

/* ---- calls with data: what was sent comes back, one more ---- */

static void data_caller(uint64_t who)
{
    struct grosr_sys sys = {&box, who << GROSR_TASK_ID_BITS, NULL};

    for (uint64_t i = 0; i < calls; i++) {
        uint64_t sent[2] = {who << 60 | i, ~i}, got[2] = {0, 0};
        grosr_pending pending = 0;
        struct grosr_request r = grosr_request_pwrite(sys, (int)who, sizeof(sent), 0);
        explore_require(grosr_call_begin(sys, r, sent, 0, &pending) == 0, "a call could not begin");
        int64_t n = grosr_call_end(sys, pending, got, sizeof(got));
        explore_require(n == (int64_t)sizeof(got) && got[0] == sent[0] + 1 && got[1] == sent[1] + 1,
                        "data is another's, or old");
    }
}

static void first_data(void)
{
    data_caller(0);
}

static void second_data(void)
{
    data_caller(1);
}

static int64_t make(uint32_t i, struct grosr_request r)
{
    sys64 *memory = (sys64 *)(void *)&staging[i * STAGING + r.at];

    if (r.call == GROSR_SYS_NOOP)
        return (int64_t)(r.argument + 1);
    for (uint32_t k = 0; k < r.length / 8; k++)
        sys_store_relaxed(&memory[k], sys_load_relaxed(&memory[k]) + 1);
    return r.length;
}

static void host(void)
{
    uint32_t wanted = 2 * calls, step = 0;

    while (answered < wanted) {
        bool any = false;
        for (uint32_t i = 0; i < ports; i++) {
            struct grosr_packet packet;
            struct grosr_request r;
            if (!grosr_port_rung(&box, i, sequence[i] + 1, &packet) ||
                !grosr_port_request(&box, i, sequence[i] + 1, 0, &r))
                continue;
            explore_require(packet.count == 1 && (uint32_t)r.handle == packet.worker, "a packet is mixed up");
            sequence[i]++;
            answered++;
            any = true;
            grosr_port_refresh(&box, i, sequence[i]);
            grosr_port_reply(&box, i, sequence[i], 0, make(i, r));
        }
        if (!any)
            dev_backoff(&step);
    }
}

static void end(void)
{
    uint64_t sent = 0;

    for (uint32_t i = 0; i < ports; i++) {
        explore_require(!(port[i].v & 1), "a port is not free");
        sent += (port[i].v >> 1) - first_sequence;
    }
    explore_require(sent == 2 * calls && answered == 2 * calls, "a call was made twice, or not at all");
}

static void explore_from(uint32_t how_many, uint64_t from, uint32_t each, int bound)
{
    const struct explore_scenario plain = {
        "calls without data", begin, {first_caller, second_caller, host}, end, bound};
    const struct explore_scenario data = {
        "calls with data", begin, {first_data, second_data, host}, end, bound};

    ports = how_many;
    first_sequence = from;
    calls = each;
    printf("# %u ports, from packet %" PRIu64 "\n", ports, from);
    explore_all(&plain);
    if (ports > 1) /* asynchronous calls leave one alone: these two share the other */
        explore_all(&data);
}

int main(void)
{
    explore_from(1, 0, 2, 2);
    explore_from(1, 254, 2, 2);
    explore_from(2, 127, 1, 2);
    explore_from(2, 254, 2, 2);
    return tap_done();
}
