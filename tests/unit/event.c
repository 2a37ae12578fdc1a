/* An event record keeps its fields, and tells a torn one. */
#include "../tap.h"

#include "../../tracer/clock/clock.h"
#include "../../tracer/session/event.h"

int main(void)
{
    uint64_t lap = UINT64_C(0xab) << GROSR_LAP_SHIFT, time_ns = UINT64_C(0x123456789abc);
    uint64_t payload = grosr_payload_task(0xfffe, (UINT64_C(1) << 40) - 3);
    struct grosr_pair e = grosr_event_pack(lap, GROSR_EV_TASK_END, time_ns, payload), torn = e;

    is(grosr_event_lap(e), 0xab, "lap");
    is(grosr_event_kind(e), GROSR_EV_TASK_END, "kind");
    is(grosr_event_time(e), time_ns, "time");
    is(grosr_event_payload(e), payload, "payload");
    is(payload >> GROSR_TASK_ID_BITS, 0xfffe, "status, 16 bits");
    is(payload & GROSR_TASK_ID_MASK, (UINT64_C(1) << 40) - 3, "task, 40 bits");

    e = grosr_event_pack(lap, 255, UINT64_MAX, UINT64_MAX);
    is(grosr_event_lap(e), 0xab, "a time and a payload too large do not touch the lap");
    is(grosr_event_kind(e), 255, "nor the kind");

    torn.hi = grosr_event_pack(UINT64_C(0xac) << GROSR_LAP_SHIFT, 1, 0, 0).hi;
    is(grosr_event_lap(torn), -1, "words of two laps are no record");

    uint64_t task = GROSR_TASK_SPAWNED | UINT64_C(0xabc) << GROSR_TASK_SPAWN_BITS | GROSR_TASK_SPAWN_MASK;
    ok(grosr_task_is_spawned(task) && !grosr_task_is_spawned(GROSR_TASK_SPAWNED - 1),
       "a number tells who made it");
    is(grosr_task_spawner(task), 0xabc, "and which worker, 12 bits");
    is(grosr_payload_task(1, task) & GROSR_TASK_ID_MASK, task, "and fits in a payload");

    payload = grosr_payload_wait(GROSR_RES_QUEUE_NOT_FULL, 77);
    is(payload >> GROSR_WAIT_RES_BITS, GROSR_RES_QUEUE_NOT_FULL, "a wait names its resource");
    is(payload & 0xffffffffffff, 77, "and which one");

    uint64_t now = UINT64_C(0x17f3) << 48 | UINT64_C(0xfffffffffff0);
    is(grosr_clock_extend(0x10, 48, now), (UINT64_C(0x17f4) << 48) + 0x10, "48 bits that have just wrapped");
    is(grosr_clock_extend(UINT64_C(0xfffffffffff0), 48, (UINT64_C(0x17f4) << 48) + 5), now,
       "48 bits from just before a wrap");
    is(grosr_clock_extend(now & GROSR_TIME_MASK, 48, now), now, "48 bits, same time");

    dev_clock_set_virtual(1000, 10);
    ok(dev_clock_ns() == 1000 && dev_clock_ns() == 1010, "the host device's clock can be virtual");
    dev_clock_set_virtual(0, 0);
    ok(dev_clock_ns() > 1010, "and real again");
    return tap_done();
}
