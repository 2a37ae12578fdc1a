/*
 * The event record: 16 bytes, written by one aligned 16-byte store, read without any lock.
 *
 *     word 0   63......56 55......48 47.................................0
 *              lap        kind       device time, ns, low 48 bits
 *     word 1   63......56 55............................................0
 *              lap        payload, fields by kind (schema/events.def)
 *
 * The lap is (number of times the ring's writer has started over at its first slot + 1) modulo 256. It stands
 * in both words because the other side of PCIe may see the store torn between them. A record is valid if and
 * only if both laps are the one the reader expects and the kind is not 0.
 *
 * Time wraps after 78 hours; readers extend it with the session's clock (tracer/clock/clock.h).
 */
#ifndef GROSR_EVENT_H
#define GROSR_EVENT_H

#include "../port/device.h"

#define GROSR_LAP_SHIFT     56
#define GROSR_KIND_SHIFT    48
#define GROSR_TIME_MASK     ((UINT64_C(1) << GROSR_KIND_SHIFT) - 1)
#define GROSR_PAYLOAD_MASK  ((UINT64_C(1) << GROSR_LAP_SHIFT) - 1)
#define GROSR_TASK_ID_BITS  40
#define GROSR_TASK_ID_MASK  ((UINT64_C(1) << GROSR_TASK_ID_BITS) - 1)
#define GROSR_WAIT_RES_BITS 48
#define GROSR_VALUE_BITS    40
#define GROSR_VALUE_MASK    ((UINT64_C(1) << GROSR_VALUE_BITS) - 1)

/*
 * Task numbers. What the host submits is numbered from 0, below GROSR_TASK_SPAWNED. What a task spawns is
 * numbered by the worker that ran it:
 *
 *     39   38...................27 26...................................0
 *     1    spawning worker         its spawns, modulo 2^27
 */
#define GROSR_TASK_SPAWN_BITS   27
#define GROSR_TASK_SPAWN_MASK   ((UINT64_C(1) << GROSR_TASK_SPAWN_BITS) - 1)
#define GROSR_TASK_SPAWNER_BITS 12
#define GROSR_TASK_SPAWNED      (UINT64_C(1) << 39)

/* A suspended task's next function, when it only waits for its children and then completes. */
#define GROSR_TASK_NOTHING 0xffffu

static_assert(GROSR_TASK_SPAWN_BITS + GROSR_TASK_SPAWNER_BITS == 39 && GROSR_TASK_ID_BITS == 40,
              "a spawned task's number fits in a payload and has no bit twice");

enum grosr_event_kind {
#define GROSR_EVENT(id, NAME, name, level, payload, text) GROSR_EV_##NAME = id,
#include "../../schema/events.def"
#undef GROSR_EVENT
};

enum grosr_resource {
#define GROSR_RESOURCE(id, NAME, name, text) GROSR_RES_##NAME = id,
#include "../../schema/events.def"
#undef GROSR_RESOURCE
};

/* What is recorded; each level includes the ones before it. */
enum grosr_level {
    GROSR_LEVEL_OFF,      /* nothing: no stores at all */
    GROSR_LEVEL_COUNTERS, /* state words and counters, no events */
    GROSR_LEVEL_SPANS,    /* tasks, waits, workers */
    GROSR_LEVEL_FULL,     /* and every step of the scheduler */
};

GROSR_DEVICE uint64_t grosr_payload_task(uint32_t high16, uint64_t task)
{
    return (uint64_t)(high16 & 0xffffu) << GROSR_TASK_ID_BITS | (task & GROSR_TASK_ID_MASK);
}

GROSR_DEVICE bool grosr_task_is_spawned(uint64_t task)
{
    return (task & GROSR_TASK_SPAWNED) != 0;
}

/* The worker that spawned it. */
GROSR_DEVICE uint32_t grosr_task_spawner(uint64_t task)
{
    return (uint32_t)(task >> GROSR_TASK_SPAWN_BITS) & ((1u << GROSR_TASK_SPAWNER_BITS) - 1);
}

GROSR_DEVICE uint64_t grosr_payload_wait(uint32_t resource, uint64_t index)
{
    return (uint64_t)(resource & 0xffu) << GROSR_WAIT_RES_BITS |
           (index & ((UINT64_C(1) << GROSR_WAIT_RES_BITS) - 1));
}

/* A number that a payload has 16 bits for, of a name or a status: 65535 stands for all that do not fit. */
GROSR_DEVICE uint32_t grosr_payload_16(uint32_t number)
{
    return number < 0xffffu ? number : 0xffffu;
}

/* An event of a program's own: the name's number, and a value of which 40 bits are kept. */
GROSR_DEVICE uint64_t grosr_payload_named(uint32_t name, uint64_t value)
{
    return (uint64_t)grosr_payload_16(name) << GROSR_VALUE_BITS | (value & GROSR_VALUE_MASK);
}

/* Number `which` of the resources of that name, of a kind whose index is a name. */
GROSR_DEVICE uint64_t grosr_payload_of_kind(uint32_t resource, uint32_t name, uint32_t which)
{
    return grosr_payload_wait(resource, (uint64_t)grosr_payload_16(name) << 32 | which);
}

GROSR_DEVICE uint64_t grosr_payload_resource(uint32_t name, uint32_t which)
{
    return grosr_payload_of_kind(GROSR_RES_NAMED, name, which);
}

/* Whether a resource's index is name << 32 | which. */
GROSR_DEVICE bool grosr_resource_has_name(uint32_t resource)
{
    return resource == GROSR_RES_NAMED || (resource >= GROSR_RES_LOCK && resource <= GROSR_RES_ITEM);
}

/* The nearest value that a payload holds: of a range or an instant, and of a counter. */
GROSR_DEVICE uint64_t grosr_value_unsigned(uint64_t value)
{
    return value < GROSR_VALUE_MASK ? value : GROSR_VALUE_MASK;
}

GROSR_DEVICE uint64_t grosr_value_signed(int64_t value)
{
    const int64_t most = (int64_t)(GROSR_VALUE_MASK >> 1);
    return (uint64_t)(value > most ? most : value < -most - 1 ? -most - 1 : value);
}

/* A counter's value again. */
GROSR_DEVICE int64_t grosr_value_of(uint64_t payload)
{
    return (int64_t)(payload << (64 - GROSR_VALUE_BITS)) >> (64 - GROSR_VALUE_BITS);
}

/* Both words of a record. `lap` is already shifted: lap number << GROSR_LAP_SHIFT. */
GROSR_DEVICE struct grosr_pair grosr_event_pack(uint64_t lap, uint32_t kind, uint64_t time_ns,
                                                uint64_t payload)
{
    struct grosr_pair e;
    e.lo = lap | (uint64_t)kind << GROSR_KIND_SHIFT | (time_ns & GROSR_TIME_MASK);
    e.hi = lap | (payload & GROSR_PAYLOAD_MASK);
    return e;
}

GROSR_DEVICE uint32_t grosr_event_kind(struct grosr_pair e)
{
    return (uint32_t)(e.lo >> GROSR_KIND_SHIFT) & 0xffu;
}

GROSR_DEVICE uint64_t grosr_event_time(struct grosr_pair e)
{
    return e.lo & GROSR_TIME_MASK;
}

GROSR_DEVICE uint64_t grosr_event_payload(struct grosr_pair e)
{
    return e.hi & GROSR_PAYLOAD_MASK;
}

/* The lap of a record seen whole, or -1 when its two words are of different laps. */
GROSR_DEVICE int grosr_event_lap(struct grosr_pair e)
{
    uint32_t lo = (uint32_t)(e.lo >> GROSR_LAP_SHIFT), hi = (uint32_t)(e.hi >> GROSR_LAP_SHIFT);
    return lo == hi ? (int)lo : -1;
}

#endif
