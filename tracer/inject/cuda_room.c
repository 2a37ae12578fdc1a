/*
 * The room that kernels need on a GPU (cuda_parts.h): how many of a kernel's blocks fit on an SM at once, and
 * what part of it each of them takes. With that a diagnosis knows grids of which some blocks begin only when
 * others have ended, and kernels that cannot begin beside those that run.
 *
 * The driver is asked once for a kernel, a block and dynamic shared memory in a context, in the launch's own
 * thread, when the launch has returned: its code is loaded then, so that the question loads none. It is not
 * asked while another thread is in a call that may wait for the device inside the driver, as the thread would
 * then wait with it; the next such launch asks. Neither is it for what is captured, nor for clusters, whose
 * blocks are placed together.
 *
 * A launch that is like one before it costs a hash and a load.
 */
#include "cuda_parts.h"

#include "../session/outstanding.h"

#include <string.h>

#define ASKED 1024u /* a power of two */

/* By a hash of what was asked for: that hash. Those that share a place look the answer up in the segment. */
static dev64 asked[ASKED];

/* Whether a call of another thread may be kept in the driver, with locks. Launches of kernels and waits may
 * not. */
static bool may_keep_locks(const struct grosr_session *s, const struct grosr_call *c)
{
    char name[GROSR_TEXT_KEPT_MAX + 1];
    struct grosr_launch l;

    if (c->api == GROSR_CALL_TRACER)
        return false;
    if (grosr_launch_find(s, c->correlation, &l))
        return l.kind != GROSR_LAUNCH_KERNEL && l.kind != GROSR_LAUNCH_GRAPH;
    if (c->wait == GROSR_CALL_WAITS_STREAM || c->wait == GROSR_CALL_WAITS_EVENT)
        return false;
    grosr_outstanding_text(s, c->name, name);
    return !strstr(name, "Synchronize");
}

static bool others_may_keep_locks(const struct grosr_session *s, uint32_t tid)
{
    struct grosr_call c;

    for (uint32_t i = 0, n = grosr_outstanding_calls(s); i < n; i++)
        if (grosr_call_read(s, i, &c) && c.tid != tid && may_keep_locks(s, &c))
            return true;
    return false;
}

/* Rounded down; 0: one of them is not known. */
static uint16_t share(int64_t part, int64_t whole)
{
    if (part <= 0 || whole <= 0)
        return 0;
    return part < whole ? (uint16_t)(part * GROSR_ROOM_WHOLE / whole) : GROSR_ROOM_WHOLE;
}

static int64_t of_device(CUdevice device, CUdevice_attribute attribute)
{
    int value = 0;

    return driver.device_attribute(&value, attribute, device) == CUDA_SUCCESS ? value : 0;
}

static int64_t of_function(CUfunction function, CUfunction_attribute attribute)
{
    int value = 0;

    return driver.function_attribute && driver.function_attribute(&value, attribute, function) == CUDA_SUCCESS
               ? value
               : 0;
}

/* Registers are given to warps, at least those that its threads have. */
static bool ask(const struct launch *l, struct grosr_room *room)
{
    int64_t threads = (int64_t)l->block[0] * l->block[1] * l->block[2], warps = (threads + 31) / 32;
    CUdevice device;
    int blocks = 0;

    if (of_function(l->code, CU_FUNC_ATTRIBUTE_REQUIRED_CLUSTER_WIDTH) ||
        driver.context_device(&device) != CUDA_SUCCESS ||
        driver.occupancy(&blocks, l->code, (int)threads, l->shared_bytes) != CUDA_SUCCESS || blocks <= 0)
        return false;
    *room = (struct grosr_room){.sms = (uint32_t)of_device(device, CU_DEVICE_ATTRIBUTE_MULTIPROCESSOR_COUNT),
                                .blocks = (uint32_t)blocks};
    int64_t shared = l->shared_bytes + of_function(l->code, CU_FUNC_ATTRIBUTE_SHARED_SIZE_BYTES) +
                     of_device(device, CU_DEVICE_ATTRIBUTE_RESERVED_SHARED_MEMORY_PER_BLOCK);
    room->share[GROSR_ROOM_THREADS] =
        share(warps * 32, of_device(device, CU_DEVICE_ATTRIBUTE_MAX_THREADS_PER_MULTIPROCESSOR));
    room->share[GROSR_ROOM_REGISTERS] =
        share(of_function(l->code, CU_FUNC_ATTRIBUTE_NUM_REGS) * warps * 32,
              of_device(device, CU_DEVICE_ATTRIBUTE_MAX_REGISTERS_PER_MULTIPROCESSOR));
    room->share[GROSR_ROOM_SHARED] =
        share(shared, of_device(device, CU_DEVICE_ATTRIBUTE_MAX_SHARED_MEMORY_PER_MULTIPROCESSOR));
    room->share[GROSR_ROOM_BLOCKS] =
        share(1, of_device(device, CU_DEVICE_ATTRIBUTE_MAX_BLOCKS_PER_MULTIPROCESSOR));
    return room->sms != 0;
}

static uint64_t key_of(const struct kernel_name *name, const uint32_t *block, uint32_t shared_bytes,
                       uint32_t context_id)
{
    return name ? grosr_room_key(inject_text(name->full), block, shared_bytes, context_id) : 0;
}

static uint64_t hash_of(const struct launch *l)
{
    uint64_t block = (uint64_t)l->block[0] << 42 ^ (uint64_t)l->block[1] << 21 ^ l->block[2];
    uint64_t hash = ((uintptr_t)l->code ^ (uintptr_t)l->context << 16) * 0x9e3779b97f4a7c15u;

    hash = (hash ^ hash >> 32 ^ block) * 0xbf58476d1ce4e5b9u;
    hash = (hash ^ hash >> 32 ^ (uintptr_t)l->name ^ (uint64_t)l->shared_bytes << 40) * 0x94d049bb133111ebu;
    return hash ^ hash >> 32;
}

void room_ask(const struct launch *l)
{
    const struct grosr_session *s = inject_session();
    uint64_t hash = hash_of(l);
    struct grosr_room room;
    uint32_t context_id = l->context_id;

    if (!l->code || dev_load_relaxed(&asked[hash % ASKED]) == hash)
        return;
    stream_context(l->context, &context_id);
    uint64_t key = key_of(l->name, l->block, l->shared_bytes, context_id);
    if (!key || !driver.occupancy || !driver.context_device || !driver.device_attribute)
        return;
    if (!grosr_room_read(s, key).sms) {
        if (others_may_keep_locks(s, l->tid))
            return;
        CUstreamCaptureMode before = driver_relax();
        if (ask(l, &room))
            grosr_room_add(s, key, &room);
        driver_restore(before);
    }
    dev_store_relaxed(&asked[hash % ASKED], hash);
}

bool room_fits(const struct kernel_name *name, const uint32_t *grid, const uint32_t *block,
               uint32_t shared_bytes, uint32_t context_id)
{
    struct grosr_room room = grosr_room_read(inject_session(), key_of(name, block, shared_bytes, context_id));

    return room.sms && (uint64_t)grid[0] * grid[1] * grid[2] <= (uint64_t)room.sms * room.blocks;
}
