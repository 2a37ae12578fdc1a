/*
 * Records of system calls as rows: one for each call of a packet (record.h). The packet was issued and
 * resumed by the device's clock; what lies between them is the host's.
 */
#include "records_parts.h"

#include "../session/event.h"

#include <string.h>

static const char *name_of(uint32_t call)
{
    switch (call) {
#define GROSR_SYSCALL(id, NAME, name, text) \
    case id:                                \
        return #name;
#include "../../schema/events.def"
#undef GROSR_SYSCALL
    default: /* a request that was refused */
        return "unknown";
    }
}

static int find_name(struct grosr_records *r, uint32_t call, int64_t *id)
{
    const char *name = name_of(call);
    int64_t *known = &r->syscall_name[call % 256];
    int err = *known ? 0 : grosr_store_string(r->store, name, strlen(name), known);

    *id = *known;
    return err;
}

/* A time of the device's near one of the host's; GROSR_NULL: there was none, or the clock is not known. */
static int64_t place_device(struct grosr_records *r, uint64_t low_ns, uint64_t near_host_ns)
{
    uint64_t near_ns, host_ns, bound_ns;

    if (!low_ns || !grosr_clock_near(r->clock, near_host_ns, &near_ns) ||
        !grosr_clock_place(r->clock, grosr_clock_extend(low_ns, GROSR_KIND_SHIFT, near_ns), &host_ns,
                           &bound_ns))
        return GROSR_NULL;
    return grosr_records_place(r, host_ns).integer;
}

static bool moves_bytes(uint32_t call)
{
    static const char *const names[] = {"read", "write", "pread", "pwrite"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
        if (!strcmp(name_of(call), names[i]))
            return true;
    return false;
}

int grosr_records_add_syscalls(struct grosr_records *r, const unsigned char *at, uint32_t bytes)
{
    struct grosr_record_syscalls packet;
    int err = 0;

    if (!GROSR_FIXED(packet, at, bytes) ||
        !GROSR_HOLDS(packet, bytes, packet.count * (uint32_t)sizeof(struct grosr_record_syscall)) ||
        (packet.worker != GROSR_RECORD_NO_WORKER && packet.worker >= r->workers)) {
        r->damaged++;
        return 0;
    }
    bool of_worker = packet.worker != GROSR_RECORD_NO_WORKER;
    int64_t issued = place_device(r, packet.issued_ns, packet.seen_ns);
    int64_t seen = grosr_records_place(r, packet.seen_ns).integer;
    int64_t resumed = place_device(r, packet.resumed_ns, packet.seen_ns);
    for (uint32_t i = 0; !err && i < packet.count; i++) {
        struct grosr_record_syscall c;
        int64_t name;
        memcpy(&c, at + sizeof(packet) + i * sizeof(c), sizeof(c));
        if (!c.call) /* a lane that had no more to ask for */
            continue;
        if ((err = find_name(r, c.call, &name)))
            break;
        bool done = c.done_ns != 0;
        int64_t moved = !moves_bytes(c.call) ? GROSR_NULL : c.result > 0 ? c.result : 0;
        int64_t values[] = {of_worker ? r->bases.worker + packet.worker : GROSR_NULL,
                            of_worker ? (int64_t)c.task : GROSR_NULL,
                            packet.port,
                            name,
                            issued,
                            seen,
                            done ? grosr_records_place(r, c.done_ns).integer : GROSR_NULL,
                            done ? resumed : GROSR_NULL,
                            done ? moved : GROSR_NULL,
                            done ? c.result : GROSR_NULL,
                            c.handle,
                            r->bases.session};
        err = grosr_store_row(r->store, GROSR_TABLE_SYSCALL, values);
    }
    return err;
}
