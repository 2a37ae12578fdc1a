/*
 * The small tables that stand with the counters of what a traced process is in (outstanding.h): how kernels
 * ran that have ended, what room they need, which streams wait for which events, what the threads of the
 * process do.
 */
#include "outstanding.h"

#include <inttypes.h>
#include <stdio.h>

#define PROBES 8u

static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

/* ---- how kernels ran ---- */

uint64_t grosr_ran_key(uint32_t name, const uint32_t *grid, const uint32_t *block)
{
    uint64_t key = name;

    if (!name)
        return 0;
    for (int i = 0; i < 3; i++)
        key = mix(key ^ ((uint64_t)grid[i] << 32 | block[i])) + (uint64_t)i;
    return key | 1;
}

/* The slot of a number; where there is none, and it is to be made, one that is free. NULL: all are taken. */
static struct grosr_ran_slot *ran_slot(struct grosr_outstanding *o, uint64_t key, bool make)
{
    for (uint32_t i = 0; key && i < PROBES; i++) {
        struct grosr_ran_slot *slot = &o->ran[(mix(key) + i) % GROSR_RAN_SLOTS];
        uint64_t found = dev_load_relaxed(&slot->key);
        if (!found && make)
            found = dev_cas_relaxed(&slot->key, 0, key);
        if (found == key || (!found && make))
            return slot;
        if (!found)
            break;
    }
    return NULL;
}

void grosr_ran_add(const struct grosr_session *s, uint64_t key, uint64_t ns)
{
    struct grosr_outstanding *o = grosr_session_outstanding(s);
    struct grosr_ran_slot *slot = o ? ran_slot(o, key, true) : NULL;

    if (!slot)
        return;
    uint64_t longest = dev_load_relaxed(&slot->longest_ns);
    while (longest < ns) {
        uint64_t found = dev_cas_relaxed(&slot->longest_ns, longest, ns);
        longest = found == longest ? ns : found;
    }
    dev_add_acq_rel(&slot->ended, 1); /* after the longest: pairs with grosr_ran_read() */
}

struct grosr_ran grosr_ran_read(const struct grosr_session *s, uint64_t key)
{
    struct grosr_outstanding *o = grosr_session_outstanding(s);
    const struct grosr_ran_slot *slot = o ? ran_slot(o, key, false) : NULL;
    struct grosr_ran ran = {0, 0};

    if (slot) {
        ran.ended = dev_load_acquire(&slot->ended); /* pairs with grosr_ran_add() */
        ran.longest_ns = dev_load_relaxed(&slot->longest_ns);
    }
    return ran;
}

/* ---- the room that kernels need ---- */

uint64_t grosr_room_key(uint32_t name, const uint32_t *block, uint32_t shared_bytes, uint32_t context)
{
    const uint32_t rest[3] = {shared_bytes, context, 0};

    return grosr_ran_key(name, rest, block);
}

uint64_t grosr_fitting_key(uint32_t name, const uint32_t *block)
{
    static const uint32_t any[3] = {0, 0, 0}; /* no grid has such */

    return grosr_ran_key(name, any, block);
}

void grosr_room_add(const struct grosr_session *s, uint64_t key, const struct grosr_room *room)
{
    struct grosr_outstanding *o = grosr_session_outstanding(s);
    uint64_t share = 0;

    for (int i = 0; i < GROSR_ROOM_PARTS; i++)
        share |= (uint64_t)room->share[i] << 16 * i;
    for (uint32_t i = 0; o && key && i < PROBES; i++) {
        struct grosr_room_slot *slot = &o->room[(mix(key) + i) % GROSR_ROOM_SLOTS];
        uint64_t found = dev_cas_relaxed(&slot->key, 0, key);
        if (found == key) /* another thread has asked too */
            return;
        if (found)
            continue;
        sys_store_relaxed(&slot->share, share);
        sys_store_relaxed(&slot->blocks, room->blocks);
        sys_store_release(&slot->sms, room->sms); /* pairs with grosr_room_read() */
        return;
    }
}

struct grosr_room grosr_room_read(const struct grosr_session *s, uint64_t key)
{
    struct grosr_outstanding *o = grosr_session_outstanding(s);
    struct grosr_room room = {0};

    for (uint32_t i = 0; o && key && i < PROBES; i++) {
        const struct grosr_room_slot *slot = &o->room[(mix(key) + i) % GROSR_ROOM_SLOTS];
        uint64_t found = dev_load_relaxed(&slot->key);
        if (!found)
            break;
        if (found != key)
            continue;
        room.sms = sys_load_acquire(&slot->sms); /* pairs with grosr_room_add() */
        room.blocks = sys_load_relaxed(&slot->blocks);
        for (int k = 0; k < GROSR_ROOM_PARTS; k++)
            room.share[k] = (uint16_t)(sys_load_relaxed(&slot->share) >> 16 * k);
        break;
    }
    return room.sms && room.blocks ? room : (struct grosr_room){0};
}

/* ---- words that streams wait for, and write ---- */

bool grosr_launch_word(const struct grosr_launch *l, struct grosr_word *word)
{
    *word = (struct grosr_word){.address = l->bytes,
                                .value = l->kernels,
                                .width = l->shared_bytes >> 8,
                                .condition = l->shared_bytes & 255};
    return (l->kind == GROSR_LAUNCH_WAIT || l->kind == GROSR_LAUNCH_WRITE) &&
           (!word->width || word->width == 4 || word->width == 8) && word->condition < GROSR_WORD_CONDITIONS;
}

void grosr_launch_set_word(struct grosr_launch *l, const struct grosr_word *word)
{
    l->bytes = word->address;
    l->kernels = word->width == 4 ? (uint32_t)word->value : word->value;
    l->shared_bytes = word->width << 8 | word->condition;
}

/* As cuda.h says of CU_STREAM_WAIT_VALUE_*. */
bool grosr_word_is_met(const struct grosr_word *wanted, uint64_t value)
{
    uint64_t mask = wanted->width == 4 ? UINT32_MAX : UINT64_MAX;
    uint64_t difference = (value - wanted->value) & mask;

    switch (wanted->condition) {
    case GROSR_WORD_AT_LEAST:
    case GROSR_WORD_SEMAPHORE:
        return difference <= mask >> 1;
    case GROSR_WORD_EQUAL:
        return !difference;
    case GROSR_WORD_AND:
        return (value & wanted->value & mask) != 0;
    default:
        return (~(value | wanted->value) & mask) != 0;
    }
}

const char *grosr_word_text(char *text, size_t size, const struct grosr_word *w, bool write)
{
    static const char *const conditions[] = {
        [GROSR_WORD_AT_LEAST] = "the word at 0x%" PRIx64 " is >= %" PRIu64,
        [GROSR_WORD_EQUAL] = "the word at 0x%" PRIx64 " is %" PRIu64,
        [GROSR_WORD_AND] = "the word at 0x%" PRIx64 " has a bit of 0x%" PRIx64,
        [GROSR_WORD_NOR] = "the word at 0x%" PRIx64 " and 0x%" PRIx64 " both lack a bit",
        [GROSR_WORD_SEMAPHORE] = "the external semaphore 0x%" PRIx64 " is signalled (value %" PRIu64 ")"};

    if (!w->width)
        snprintf(text, size, "%s", write ? "several words" : "several words are as they are to be");
    else if (write && w->condition == GROSR_WORD_SEMAPHORE)
        snprintf(text, size, "the external semaphore 0x%" PRIx64 " (value %" PRIu64 ")", w->address,
                 w->value);
    else if (write)
        snprintf(text, size, "%" PRIu64 " to the word at 0x%" PRIx64, w->value, w->address);
    else
        snprintf(text, size, conditions[w->condition < GROSR_WORD_CONDITIONS ? w->condition : 0], w->address,
                 w->value);
    return text;
}

/* ---- events ---- */

void grosr_event_wait_add(const struct grosr_session *s, const struct grosr_event_wait *w)
{
    struct grosr_outstanding *o = grosr_session_outstanding(s);

    if (!o)
        return;
    uint64_t number = dev_add_relaxed(&o->event_waits, 1) + 1;
    struct grosr_event_wait_slot *slot = &o->event_wait[number % GROSR_EVENT_WAITS];
    dev_store_relaxed(&slot->number, 0);
    /* As all of them: pairs with grosr_event_wait_read(), which sees the 0 if it sees a later word. */
    sys_store_release(&slot->place, w->place);       /* pairs with grosr_event_wait_read() */
    sys_store_release(&slot->on_place, w->on_place); /* pairs with grosr_event_wait_read() */
    sys_store_release(&slot->stream, w->stream);     /* pairs with grosr_event_wait_read() */
    sys_store_release(&slot->on, w->on);             /* pairs with grosr_event_wait_read() */
    dev_store_release(&slot->number, number);        /* pairs with grosr_event_wait_read() */
}

bool grosr_event_wait_read(const struct grosr_session *s, uint32_t i, struct grosr_event_wait *w)
{
    const struct grosr_outstanding *o = grosr_session_outstanding(s);
    struct grosr_cuda_stream_state on;

    if (!o || i >= GROSR_EVENT_WAITS)
        return false;
    const struct grosr_event_wait_slot *slot = &o->event_wait[i];
    uint64_t number = dev_load_acquire(&slot->number); /* pairs with grosr_event_wait_add() */
    if (!number)
        return false;
    w->place = sys_load_acquire(&slot->place);       /* pairs with grosr_event_wait_add() */
    w->on_place = sys_load_acquire(&slot->on_place); /* pairs with grosr_event_wait_add() */
    w->stream = sys_load_acquire(&slot->stream);     /* pairs with grosr_event_wait_add() */
    w->on = sys_load_acquire(&slot->on);             /* pairs with grosr_event_wait_add() */
    return dev_load_relaxed(&slot->number) == number && w->stream < s->header.cuda_streams &&
           grosr_cuda_stream_read(s, w->on, &on) && on.ended < w->on_place;
}

/* ---- threads of the host ---- */

static void set_thread(struct grosr_host_thread_slot *slot, const struct grosr_host_thread *t)
{
    uint64_t sequence = sys_load_relaxed(&slot->sequence);

    if (sequence & 1)
        sys_store_release(&slot->sequence, ++sequence); /* pairs with grosr_host_thread_read() */
    if (!t)
        return;
    sys_store_release(&slot->address, t->address);     /* pairs with grosr_host_thread_read() */
    sys_store_release(&slot->since_ns, t->since_ns);   /* pairs with grosr_host_thread_read() */
    sys_store_release(&slot->tid, t->tid);             /* pairs with grosr_host_thread_read() */
    sys_store_release(&slot->state, t->state);         /* pairs with grosr_host_thread_read() */
    sys_store_release(&slot->owner, t->owner);         /* pairs with grosr_host_thread_read() */
    sys_store_release(&slot->function, t->function);   /* pairs with grosr_host_thread_read() */
    sys_store_release(&slot->of_driver, t->of_driver); /* pairs with grosr_host_thread_read() */
    sys_store_release(&slot->sequence, sequence + 1);  /* pairs with grosr_host_thread_read() */
}

void grosr_host_threads_set(const struct grosr_session *s, const struct grosr_host_thread *threads,
                            uint32_t count)
{
    struct grosr_outstanding *o = grosr_session_outstanding(s);

    if (!o)
        return;
    sys_store_relaxed(&o->host_threads_full, count > GROSR_HOST_THREADS);
    for (uint32_t i = 0; i < GROSR_HOST_THREADS; i++)
        set_thread(&o->host_thread[i], i < count ? &threads[i] : NULL);
}

bool grosr_host_thread_read(const struct grosr_session *s, uint32_t i, struct grosr_host_thread *t)
{
    const struct grosr_outstanding *o = grosr_session_outstanding(s);

    if (!o || i >= GROSR_HOST_THREADS)
        return false;
    const struct grosr_host_thread_slot *slot = &o->host_thread[i];
    uint64_t sequence = sys_load_acquire(&slot->sequence); /* pairs with set_thread() */
    if (!(sequence & 1))
        return false;
    t->address = sys_load_acquire(&slot->address);     /* pairs with set_thread() */
    t->since_ns = sys_load_acquire(&slot->since_ns);   /* pairs with set_thread() */
    t->tid = sys_load_acquire(&slot->tid);             /* pairs with set_thread() */
    t->state = sys_load_acquire(&slot->state);         /* pairs with set_thread() */
    t->owner = sys_load_acquire(&slot->owner);         /* pairs with set_thread() */
    t->function = sys_load_acquire(&slot->function);   /* pairs with set_thread() */
    t->of_driver = sys_load_acquire(&slot->of_driver); /* pairs with set_thread() */
    return sys_load_relaxed(&slot->sequence) == sequence && t->state && t->state < GROSR_HOST_THREAD_STATES;
}

/* ---- PC samples ---- */

void grosr_pc_function_set(const struct grosr_session *s, uint32_t i, const struct grosr_pc_function *f)
{
    struct grosr_outstanding *o = grosr_session_outstanding(s);

    if (!o || i >= GROSR_PC_SLOTS)
        return;
    struct grosr_pc_slot *slot = &o->pc[i];
    uint64_t sequence = sys_load_relaxed(&slot->sequence) | 1;
    sys_store_relaxed(&slot->sequence, sequence);
    sys_store_release(&slot->start_ns, f->start_ns);             /* pairs with grosr_pc_function_read() */
    sys_store_release(&slot->end_ns, f->end_ns);                 /* pairs with grosr_pc_function_read() */
    sys_store_release(&slot->since_ns, f->since_ns);             /* pairs with grosr_pc_function_read() */
    sys_store_release(&slot->low, f->low);                       /* pairs with grosr_pc_function_read() */
    sys_store_release(&slot->high, f->high);                     /* pairs with grosr_pc_function_read() */
    sys_store_release(&slot->samples, f->samples);               /* pairs with grosr_pc_function_read() */
    sys_store_release(&slot->loop_samples, f->loop_samples);     /* pairs with grosr_pc_function_read() */
    sys_store_release(&slot->memory_samples, f->memory_samples); /* pairs with grosr_pc_function_read() */
    sys_store_release(&slot->stall_samples, f->stall_samples);   /* pairs with grosr_pc_function_read() */
    sys_store_release(&slot->stall, f->stall);                   /* pairs with grosr_pc_function_read() */
    sys_store_release(&slot->context, f->context);               /* pairs with grosr_pc_function_read() */
    sys_store_release(&slot->name, f->name);                     /* pairs with grosr_pc_function_read() */
    sys_store_release(&slot->full_name, f->full_name);           /* pairs with grosr_pc_function_read() */
    sys_store_release(&slot->file, f->file);                     /* pairs with grosr_pc_function_read() */
    sys_store_release(&slot->first_line, f->first_line);         /* pairs with grosr_pc_function_read() */
    sys_store_release(&slot->last_line, f->last_line);           /* pairs with grosr_pc_function_read() */
    sys_store_release(&slot->flags, f->flags);                   /* pairs with grosr_pc_function_read() */
    sys_store_release(&slot->sequence, sequence + 1);            /* pairs with grosr_pc_function_read() */
}

bool grosr_pc_function_read(const struct grosr_session *s, uint32_t i, struct grosr_pc_function *f)
{
    const struct grosr_outstanding *o = grosr_session_outstanding(s);

    if (!o || i >= GROSR_PC_SLOTS)
        return false;
    const struct grosr_pc_slot *slot = &o->pc[i];
    uint64_t sequence = sys_load_acquire(&slot->sequence); /* pairs with grosr_pc_function_set() */
    if (!sequence || sequence & 1)
        return false;
    f->start_ns = sys_load_acquire(&slot->start_ns);             /* pairs with grosr_pc_function_set() */
    f->end_ns = sys_load_acquire(&slot->end_ns);                 /* pairs with grosr_pc_function_set() */
    f->since_ns = sys_load_acquire(&slot->since_ns);             /* pairs with grosr_pc_function_set() */
    f->low = sys_load_acquire(&slot->low);                       /* pairs with grosr_pc_function_set() */
    f->high = sys_load_acquire(&slot->high);                     /* pairs with grosr_pc_function_set() */
    f->samples = sys_load_acquire(&slot->samples);               /* pairs with grosr_pc_function_set() */
    f->loop_samples = sys_load_acquire(&slot->loop_samples);     /* pairs with grosr_pc_function_set() */
    f->memory_samples = sys_load_acquire(&slot->memory_samples); /* pairs with grosr_pc_function_set() */
    f->stall_samples = sys_load_acquire(&slot->stall_samples);   /* pairs with grosr_pc_function_set() */
    f->stall = sys_load_acquire(&slot->stall);                   /* pairs with grosr_pc_function_set() */
    f->context = sys_load_acquire(&slot->context);               /* pairs with grosr_pc_function_set() */
    f->name = sys_load_acquire(&slot->name);                     /* pairs with grosr_pc_function_set() */
    f->full_name = sys_load_acquire(&slot->full_name);           /* pairs with grosr_pc_function_set() */
    f->file = sys_load_acquire(&slot->file);                     /* pairs with grosr_pc_function_set() */
    f->first_line = sys_load_acquire(&slot->first_line);         /* pairs with grosr_pc_function_set() */
    f->last_line = sys_load_acquire(&slot->last_line);           /* pairs with grosr_pc_function_set() */
    f->flags = sys_load_acquire(&slot->flags);                   /* pairs with grosr_pc_function_set() */
    return sys_load_relaxed(&slot->sequence) == sequence;
}
