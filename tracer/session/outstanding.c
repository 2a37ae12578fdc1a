/*
 * What a traced process is in: its writers and its readers (outstanding.h has the layout and the protocol).
 */
#include "outstanding.h"

#include "../base/host_clock.h"

#include <string.h>

#define PROBES      16u /* places in a hash table where an entry may be */
#define NEAR_PROBES 8u  /* of a launch's, those beside the launch before it */

enum { FREE, BEING_MADE, ISSUED }; /* the lowest bits of a launch slot's `what` */

#define GONE UINT64_C(1) /* in the place of a stream's key */

static uint64_t what_of(const struct grosr_launch *l)
{
    return (uint64_t)l->correlation << 32 | l->part << 16 | l->kind << 8 | ISSUED;
}

static uint32_t kind_of(uint64_t what)
{
    return (uint32_t)what >> 8 & 0xff;
}

static uint64_t mix(uint64_t x)
{
    x *= 0x9e3779b97f4a7c15u;
    return x ^ x >> 32;
}

struct grosr_outstanding *grosr_session_outstanding(const struct grosr_session *s)
{
    return s->header.launch_slots ? (struct grosr_outstanding *)(void *)(s->base + s->header.outstanding_at)
                                  : NULL;
}

static struct grosr_call_slot *call_slot(const struct grosr_session *s, uint32_t i)
{
    return (struct grosr_call_slot *)(void *)(s->base + s->header.call_slots_at) + i;
}

static struct grosr_launch_slot *launch_slot(const struct grosr_session *s, uint32_t i)
{
    return (struct grosr_launch_slot *)(void *)(s->base + s->header.launch_slots_at) + i;
}

static struct grosr_cuda_stream *cuda_stream(const struct grosr_session *s, uint32_t i)
{
    return (struct grosr_cuda_stream *)(void *)(s->base + s->header.cuda_streams_at) + i;
}

/* ---- texts ---- */

uint32_t grosr_outstanding_add_text(const struct grosr_session *s, const char *text, size_t bytes)
{
    struct grosr_outstanding *o = grosr_session_outstanding(s);
    uint32_t length = (uint32_t)(bytes < GROSR_TEXT_KEPT_MAX ? bytes : GROSR_TEXT_KEPT_MAX);
    uint64_t room = ((uint64_t)length + sizeof(length) + 7) / 8 * 8;

    if (!o)
        return 0;
    /* The first 8 bytes stay unused, so that no text is at 0. What is taken is never given back. */
    uint64_t used = dev_load_relaxed(&o->texts_used);
    uint64_t at = used + room + 8 <= s->header.text_bytes ? dev_add_relaxed(&o->texts_used, room) + 8 : 0;
    if (!at || at + room > s->header.text_bytes) {
        dev_add_relaxed(&o->texts_full, 1);
        return 0;
    }
    memcpy(s->base + s->header.texts_at + at, &length, sizeof(length));
    memcpy(s->base + s->header.texts_at + at + sizeof(length), text, length);
    return (uint32_t)at;
}

size_t grosr_outstanding_text(const struct grosr_session *s, uint32_t text, char *to)
{
    const unsigned char *at = s->base + s->header.texts_at + text;
    uint64_t room = s->header.text_bytes;
    uint32_t length = 0;

    *to = 0;
    if (!text || text % 8 || text >= room || room - text < sizeof(length))
        return 0;
    memcpy(&length, at, sizeof(length));
    if (length > GROSR_TEXT_KEPT_MAX || length > room - text - sizeof(length))
        return 0;
    memcpy(to, at + sizeof(length), length);
    to[length] = 0;
    return length;
}

/* ---- calls ---- */

void grosr_call_enter(const struct grosr_session *s, uint32_t i, const struct grosr_call *c)
{
    struct grosr_call_slot *slot = call_slot(s, i);

    if (i >= s->header.call_slots)
        return;
    uint32_t used = dev_load_relaxed(&grosr_session_outstanding(s)->calls_used);
    while (used <= i) {
        uint32_t found = dev_cas_relaxed(&grosr_session_outstanding(s)->calls_used, used, i + 1);
        used = found == used ? i + 1 : found;
    }
    uint64_t sequence = sys_load_relaxed(&slot->sequence) & ~UINT64_C(1);
    /* As all of them: pairs with grosr_call_read(), which sees a later sequence if it sees a later word. */
    sys_store_release(&slot->start_ns, c->start_ns);       /* pairs with grosr_call_read() */
    sys_store_release(&slot->handle, c->handle);           /* pairs with grosr_call_read() */
    sys_store_release(&slot->name, c->name);               /* pairs with grosr_call_read() */
    sys_store_release(&slot->api, c->api);                 /* pairs with grosr_call_read() */
    sys_store_release(&slot->tid, c->tid);                 /* pairs with grosr_call_read() */
    sys_store_release(&slot->correlation, c->correlation); /* pairs with grosr_call_read() */
    sys_store_release(&slot->wait, c->wait);               /* pairs with grosr_call_read() */
    sys_store_release(&slot->stream, c->stream);           /* pairs with grosr_call_read() */
    sys_store_release(&slot->place, c->place);             /* pairs with grosr_call_read() */
    sys_store_release(&slot->context, c->context);         /* pairs with grosr_call_read() */
    sys_store_release(&slot->kernels, c->kernels);         /* pairs with grosr_call_read() */
    sys_store_release(&slot->sequence, sequence + 1);      /* pairs with grosr_call_read() */
}

void grosr_call_leave(const struct grosr_session *s, uint32_t i)
{
    if (i >= s->header.call_slots)
        return;
    struct grosr_call_slot *slot = call_slot(s, i);
    uint64_t sequence = sys_load_relaxed(&slot->sequence);
    if (sequence & 1)
        sys_store_release(&slot->sequence, sequence + 1); /* pairs with grosr_call_read() */
}

/* A reader sees the one or the other: both are true. */
void grosr_call_set_stream(const struct grosr_session *s, uint32_t i, uint32_t stream)
{
    if (i < s->header.call_slots)
        sys_store_release(&call_slot(s, i)->stream, stream); /* pairs with grosr_call_read() */
}

uint32_t grosr_outstanding_calls(const struct grosr_session *s)
{
    const struct grosr_outstanding *o = grosr_session_outstanding(s);
    uint32_t used = o ? dev_load_relaxed(&o->calls_used) : 0;

    return used < s->header.call_slots ? used : s->header.call_slots;
}

bool grosr_call_read(const struct grosr_session *s, uint32_t i, struct grosr_call *c)
{
    const struct grosr_call_slot *slot = call_slot(s, i);
    uint64_t sequence = sys_load_acquire(&slot->sequence); /* pairs with grosr_call_enter() */

    if (!(sequence & 1))
        return false;
    c->start_ns = sys_load_acquire(&slot->start_ns);       /* pairs with grosr_call_enter() */
    c->handle = sys_load_acquire(&slot->handle);           /* pairs with grosr_call_enter() */
    c->name = sys_load_acquire(&slot->name);               /* pairs with grosr_call_enter() */
    c->api = sys_load_acquire(&slot->api);                 /* pairs with grosr_call_enter() */
    c->tid = sys_load_acquire(&slot->tid);                 /* pairs with grosr_call_enter() */
    c->correlation = sys_load_acquire(&slot->correlation); /* pairs with grosr_call_enter() */
    c->wait = sys_load_acquire(&slot->wait);               /* pairs with grosr_call_enter() */
    c->stream = sys_load_acquire(&slot->stream);           /* pairs with grosr_call_enter() */
    c->place = sys_load_acquire(&slot->place);             /* pairs with grosr_call_enter() */
    c->context = sys_load_acquire(&slot->context);         /* pairs with grosr_call_enter() */
    c->kernels = sys_load_acquire(&slot->kernels);         /* pairs with grosr_call_enter() */
    if (sys_load_relaxed(&slot->sequence) != sequence || c->api >= GROSR_CALL_APIS ||
        c->wait >= GROSR_CALL_WAITS)
        return false;
    c->stream = c->stream < s->header.cuda_streams ? c->stream : GROSR_NO_STREAM;
    return true;
}

uint64_t grosr_call_latest(const struct grosr_session *s)
{
    uint64_t latest = 0;

    for (uint32_t i = 0, n = grosr_outstanding_calls(s); i < n; i++) {
        uint64_t start = sys_load_relaxed(&call_slot(s, i)->start_ns);
        bool ours = sys_load_relaxed(&call_slot(s, i)->api) == GROSR_CALL_TRACER;
        latest = !ours && start > latest ? start : latest;
    }
    return latest;
}

/* ---- streams ---- */

uint32_t grosr_cuda_stream_find(const struct grosr_session *s, uint64_t key)
{
    uint32_t n = s->header.cuda_streams, first = n ? (uint32_t)(mix(key) % n) : 0;

    for (uint32_t i = 0; i < PROBES && i < n; i++) {
        uint32_t at = (first + i) % n;
        uint64_t found = dev_load_acquire(&cuda_stream(s, at)->key); /* pairs with grosr_cuda_stream_add() */
        if (found == key)
            return at;
        if (!found)
            break;
    }
    return GROSR_NO_STREAM;
}

/* Whether all that was launched in a stream that is gone has ended: a later one's places would be mistaken.
 */
static bool is_over(const struct grosr_cuda_stream *stream)
{
    return dev_load_relaxed(&stream->ended) == dev_load_relaxed(&stream->issued);
}

uint32_t grosr_cuda_stream_add(const struct grosr_session *s, uint64_t key, uint64_t handle, uint32_t context,
                               uint32_t id)
{
    uint32_t n = s->header.cuda_streams, first = n ? (uint32_t)(mix(key) % n) : 0;

    for (uint32_t i = 0; i < PROBES && i < n; i++) {
        uint32_t at = (first + i) % n;
        struct grosr_cuda_stream *stream = cuda_stream(s, at);
        uint64_t found = dev_load_relaxed(&stream->key);
        if (found == key)
            return at;
        if (found > GONE || (found == GONE && !is_over(stream)))
            continue;
        sys_store_relaxed(&stream->handle, handle);
        sys_store_relaxed(&stream->context, context);
        sys_store_relaxed(&stream->id, id);
        sys_store_relaxed(&stream->returned_ns, 0);
        sys_store_relaxed(&stream->busy_ns, 0);
        sys_store_relaxed(&stream->capture_ns, 0);
        sys_store_relaxed(&stream->waited_ns, 0);
        sys_store_relaxed(&stream->rose_ns, 0);
        sys_store_relaxed(&stream->word_seen, 0);
        sys_store_relaxed(&stream->order, GROSR_STREAM_ORDER_UNKNOWN);
        sys_store_relaxed(&stream->priority, 0);
        /* Pairs with grosr_cuda_stream_find() and grosr_cuda_stream_read(). */
        dev_store_release(&stream->key, key);
        return at;
    }
    if (n)
        dev_add_relaxed(&grosr_session_outstanding(s)->streams_full, 1);
    return GROSR_NO_STREAM;
}

void grosr_cuda_stream_remove(const struct grosr_session *s, uint64_t key)
{
    uint32_t at = grosr_cuda_stream_find(s, key);

    if (at == GROSR_NO_STREAM)
        return;
    sys_store_relaxed(&cuda_stream(s, at)->capture_ns, 0);
    dev_store_relaxed(&cuda_stream(s, at)->key, GONE);
}

void grosr_cuda_stream_describe(const struct grosr_session *s, uint32_t at, enum grosr_stream_order order,
                                int32_t priority)
{
    if (at >= s->header.cuda_streams)
        return;
    sys_store_relaxed(&cuda_stream(s, at)->order, (uint32_t)order);
    sys_store_relaxed(&cuda_stream(s, at)->priority, (uint32_t)priority);
}

void grosr_cuda_stream_capture(const struct grosr_session *s, uint32_t at, uint32_t tid, uint64_t now_ns)
{
    if (at >= s->header.cuda_streams)
        return;
    struct grosr_cuda_stream *stream = cuda_stream(s, at);
    sys_store_relaxed(&stream->capture_tid, tid);
    sys_store_relaxed(&stream->capturing, 0);
    dev_store_relaxed(&stream->captured, 0);
    sys_store_relaxed(&stream->captured_name, 0);
    sys_store_release(&stream->capture_ns, now_ns); /* pairs with grosr_cuda_stream_read() */
}

void grosr_cuda_stream_captured(const struct grosr_session *s, uint32_t at, uint32_t name)
{
    if (at >= s->header.cuda_streams)
        return;
    sys_store_relaxed(&cuda_stream(s, at)->captured_name, name);
    dev_add_relaxed(&cuda_stream(s, at)->captured, 1);
}

void grosr_cuda_stream_capturing(const struct grosr_session *s, uint32_t at, uint32_t activity)
{
    if (at < s->header.cuda_streams)
        sys_store_relaxed(&cuda_stream(s, at)->capturing, activity);
}

void grosr_cuda_stream_capture_end(const struct grosr_session *s, uint32_t at)
{
    if (at < s->header.cuda_streams)
        sys_store_relaxed(&cuda_stream(s, at)->capture_ns, 0);
}

uint64_t grosr_cuda_stream_covered(const struct grosr_session *s, uint32_t at, uint64_t before_ns)
{
    if (at >= s->header.cuda_streams)
        return 0;
    struct grosr_cuda_stream *stream = cuda_stream(s, at);
    uint64_t issued = dev_load_relaxed(&stream->issued);
    /* Pairs with grosr_launch_returned(): its time comes before its count. */
    uint64_t returned = dev_load_acquire(&stream->returned);
    return returned >= issued && sys_load_relaxed(&stream->returned_ns) < before_ns ? issued : 0;
}

/* The value first: a reader that sees a place sees its value, or that of a later look. */
void grosr_cuda_stream_saw(const struct grosr_session *s, uint32_t at, uint64_t place, uint32_t flags,
                           uint32_t value)
{
    if (at >= s->header.cuda_streams)
        return;
    sys_store_relaxed(&cuda_stream(s, at)->word_value, value);
    /* Pairs with grosr_cuda_stream_read(). */
    sys_store_release(&cuda_stream(s, at)->word_seen, place << 4 | (flags & 15));
}

void grosr_cuda_stream_busy(const struct grosr_session *s, uint32_t at, uint64_t now_ns)
{
    if (at < s->header.cuda_streams)
        sys_store_relaxed(&cuda_stream(s, at)->busy_ns, now_ns);
}

void grosr_cuda_stream_raise_ended(const struct grosr_session *s, uint32_t at, uint64_t place)
{
    if (at >= s->header.cuda_streams)
        return;
    dev64 *ended = &cuda_stream(s, at)->ended;
    uint64_t old = dev_load_relaxed(ended);
    while (old < place) {
        uint64_t found = dev_cas_relaxed(ended, old, place);
        if (found == old) {
            sys_store_relaxed(&cuda_stream(s, at)->rose_ns, grosr_host_clock_ns());
            return;
        }
        old = found;
    }
}

void grosr_cuda_stream_waited(const struct grosr_session *s, uint32_t at, uint64_t place, uint64_t now_ns)
{
    if (at >= s->header.cuda_streams || !place)
        return;
    sys_store_relaxed(&cuda_stream(s, at)->waited_ns, now_ns);
    grosr_cuda_stream_raise_ended(s, at, place);
}

bool grosr_cuda_stream_read(const struct grosr_session *s, uint32_t at, struct grosr_cuda_stream_state *state)
{
    const struct grosr_cuda_stream *stream = cuda_stream(s, at);

    /* A stream that is gone is there still: what was launched in it may not have ended. */
    if (at >= s->header.cuda_streams ||
        !dev_load_acquire(&stream->key)) /* pairs with grosr_cuda_stream_add() */
        return false;
    state->capture_ns = sys_load_acquire(&stream->capture_ns); /* pairs with grosr_cuda_stream_capture() */
    state->captured = dev_load_relaxed(&stream->captured);
    state->captured_name = sys_load_relaxed(&stream->captured_name);
    state->handle = sys_load_relaxed(&stream->handle);
    state->context = sys_load_relaxed(&stream->context);
    state->id = sys_load_relaxed(&stream->id);
    state->issued = dev_load_relaxed(&stream->issued);
    state->returned = dev_load_relaxed(&stream->returned);
    state->returned_ns = sys_load_relaxed(&stream->returned_ns);
    state->ended = dev_load_relaxed(&stream->ended);
    state->busy_ns = sys_load_relaxed(&stream->busy_ns);
    state->waited_ns = sys_load_relaxed(&stream->waited_ns);
    state->rose_ns = sys_load_relaxed(&stream->rose_ns);
    state->capture_tid = sys_load_relaxed(&stream->capture_tid);
    state->capturing = sys_load_relaxed(&stream->capturing);
    uint64_t seen = sys_load_acquire(&stream->word_seen); /* pairs with grosr_cuda_stream_saw() */
    state->word_place = seen >> 4;
    state->word_flags = seen & 15;
    state->word_value = sys_load_relaxed(&stream->word_value);
    state->order = sys_load_relaxed(&stream->order);
    state->order = state->order < GROSR_STREAM_ORDERS ? state->order : GROSR_STREAM_ORDER_UNKNOWN;
    state->priority = (int32_t)sys_load_relaxed(&stream->priority);
    return true;
}

/* ---- launches ---- */

/* Whether the launch in a slot is known to have ended, so that another may have the slot. */
static bool has_ended(const struct grosr_session *s, const struct grosr_launch_slot *slot)
{
    uint32_t stream = sys_load_relaxed(&slot->stream);
    uint64_t place = sys_load_relaxed(&slot->place);

    return stream < s->header.cuda_streams && place &&
           place <= dev_load_relaxed(&cuda_stream(s, stream)->ended);
}

/*
 * Where a launch's slot may be: beside that of the launch before it, as their numbers are, so that the slots
 * are touched in order and come into the caches before they are needed; or else anywhere.
 */
static struct grosr_launch_slot *slot_at(const struct grosr_session *s, uint32_t correlation, uint32_t probe,
                                         uint32_t *at)
{
    uint32_t first = probe < NEAR_PROBES ? correlation : (uint32_t)mix(correlation);

    *at = (first + probe) & (s->header.launch_slots - 1);
    return launch_slot(s, *at);
}

static bool is_unrecorded(const struct grosr_launch_slot *slot)
{
    return sys_load_relaxed(&slot->flags) & GROSR_LAUNCH_UNRECORDED;
}

/* Where the slot of a launch is looked for: parts of a call do not lie beside the launches that come next. */
static uint32_t number_of(const struct grosr_launch *l)
{
    return l->correlation + l->part * 0x9e3779b9u;
}

/* Takes a free slot, or one whose launch has ended: of one that is to have a record only if none is free. */
static uint32_t take_slot(const struct grosr_session *s, uint32_t number)
{
    uint32_t at;

    for (int pass = 0; pass < 2; pass++)
        for (uint32_t i = 0; i < PROBES; i++) {
            struct grosr_launch_slot *slot = slot_at(s, number, i, &at);
            uint64_t what = dev_load_relaxed(&slot->what);
            if (what && ((what & 0xff) != ISSUED || (!pass && !is_unrecorded(slot)) || !has_ended(s, slot)))
                continue;
            bool counts = what && kind_of(what) == GROSR_LAUNCH_KERNEL && !is_unrecorded(slot);
            /* Before the store of issued_ns in grosr_launch_begin(), and of all that is in the slot. */
            if (dev_cas_acquire(&slot->what, what, BEING_MADE) != what)
                continue;
            if (counts)
                dev_add_relaxed(&grosr_session_outstanding(s)->unslotted, 1);
            return at;
        }
    return GROSR_NO_SLOT;
}

/* Of a graph. */
static uint64_t kernel_records(uint32_t flags, uint64_t kernels)
{
    return flags & GROSR_LAUNCH_WHOLE ? 1 : kernels;
}

static void count_issued(struct grosr_outstanding *o, const struct grosr_launch *l, uint64_t n)
{
    if (l->flags & (GROSR_LAUNCH_PERSISTENT | GROSR_LAUNCH_UNRECORDED) || !l->kind ||
        l->kind >= GROSR_LAUNCH_COUNTED)
        return;
    dev_add_relaxed(&o->issued[l->kind], n);
    if (l->kind == GROSR_LAUNCH_GRAPH)
        dev_add_relaxed(&o->issued[GROSR_LAUNCH_KERNEL], n * kernel_records(l->flags, l->kernels));
}

uint32_t grosr_launch_begin(const struct grosr_session *s, struct grosr_launch *l)
{
    struct grosr_outstanding *o = grosr_session_outstanding(s);

    l->place = 0;
    if (!o)
        return GROSR_NO_SLOT;
    if (l->stream < s->header.cuda_streams) {
        struct grosr_cuda_stream *stream = cuda_stream(s, l->stream);
        uint64_t before = dev_add_relaxed(&stream->issued, 1);
        l->place = before + 1;
        /* Pairs with grosr_launch_returned(). */
        l->flags |= dev_load_acquire(&stream->returned) >= before ? GROSR_LAUNCH_ORDERED : 0;
    }
    count_issued(o, l, 1);
    uint32_t at = take_slot(s, number_of(l));
    if (at == GROSR_NO_SLOT) {
        if (!(l->flags & GROSR_LAUNCH_UNRECORDED))
            dev_add_relaxed(&o->unslotted, l->kind == GROSR_LAUNCH_GRAPH
                                               ? kernel_records(l->flags, l->kernels)
                                               : l->kind == GROSR_LAUNCH_KERNEL);
        return at;
    }
    struct grosr_launch_slot *slot = launch_slot(s, at);
    sys_store_release(&slot->issued_ns, l->issued_ns); /* pairs with grosr_launch_read() */
    sys_store_release(&slot->place, l->place);         /* pairs with grosr_launch_read() */
    sys_store_release(&slot->bytes, l->bytes);         /* pairs with grosr_launch_read() */
    sys_store_release(&slot->kernels, l->kernels);     /* pairs with grosr_launch_read() */
    dev_store_release(&slot->recorded, 0);             /* pairs with grosr_launch_read() */
    sys_store_release(&slot->stream, l->stream);       /* pairs with grosr_launch_read() */
    sys_store_release(&slot->tid, l->tid);             /* pairs with grosr_launch_read() */
    sys_store_release(&slot->name, l->name);           /* pairs with grosr_launch_read() */
    sys_store_release(&slot->full_name, l->full_name); /* pairs with grosr_launch_read() */
    for (int i = 0; i < 3; i++) {
        sys_store_release(&slot->grid[i], l->grid[i]);   /* pairs with grosr_launch_read() */
        sys_store_release(&slot->block[i], l->block[i]); /* pairs with grosr_launch_read() */
    }
    sys_store_release(&slot->shared_bytes, l->shared_bytes); /* pairs with grosr_launch_read() */
    sys_store_release(&slot->flags, l->flags);               /* pairs with grosr_launch_read() */
    /* Pairs with grosr_launch_read() and grosr_launch_recorded(). */
    dev_store_release(&slot->what, what_of(l));
    return at;
}

/* The slot of a launch; NULL: it has none. */
static struct grosr_launch_slot *find_slot(const struct grosr_session *s, uint32_t correlation,
                                           uint64_t *what)
{
    uint32_t at;

    for (uint32_t i = 0; i < PROBES; i++) {
        struct grosr_launch_slot *slot = slot_at(s, correlation, i, &at);
        *what = dev_load_acquire(&slot->what); /* pairs with grosr_launch_begin() */
        if ((*what & 0xff) == ISSUED && *what >> 32 == correlation)
            return slot;
    }
    return NULL;
}

void grosr_launch_returned(const struct grosr_session *s, uint32_t at, const struct grosr_launch *l,
                           uint64_t now_ns, bool made)
{
    struct grosr_outstanding *o = grosr_session_outstanding(s);

    if (!o)
        return;
    if (l->stream < s->header.cuda_streams) {
        struct grosr_cuda_stream *stream = cuda_stream(s, l->stream);
        sys_store_relaxed(&stream->returned_ns, now_ns);
        dev_add_acq_rel(&stream->returned, 1); /* pairs with grosr_cuda_stream_covered() */
    }
    if (made)
        return;
    count_issued(o, l, UINT64_MAX);
    if (at == GROSR_NO_SLOT)
        dev_add_relaxed(&o->unslotted, l->kind == GROSR_LAUNCH_KERNEL && !(l->flags & GROSR_LAUNCH_UNRECORDED)
                                           ? UINT64_MAX
                                           : 0);
    else
        dev_cas_relaxed(&launch_slot(s, at)->what, what_of(l), FREE);
}

/* A record of a graph or its node. Whether all of its kernels' have come. */
static bool count_node(struct grosr_outstanding *o, struct grosr_launch_slot *slot)
{
    uint64_t kernels = kernel_records(sys_load_relaxed(&slot->flags), sys_load_relaxed(&slot->kernels));
    uint64_t recorded = dev_add_relaxed(&slot->recorded, 1) + 1;

    if (recorded <= kernels)
        dev_add_relaxed(&o->recorded[GROSR_LAUNCH_KERNEL], 1);
    return kernels && recorded >= kernels;
}

void grosr_launch_recorded(const struct grosr_session *s, uint32_t record, uint32_t correlation,
                           uint64_t now_ns)
{
    struct grosr_outstanding *o = grosr_session_outstanding(s);
    uint64_t what;

    if (!o)
        return;
    struct grosr_launch_slot *slot = find_slot(s, correlation, &what);
    uint32_t kind = slot ? kind_of(what) : 0;
    if (record == GROSR_LAUNCH_KERNEL)
        sys_store_relaxed(&o->record_ns, now_ns);
    if (!slot || (kind != record && (kind != GROSR_LAUNCH_GRAPH || record != GROSR_LAUNCH_KERNEL))) {
        dev_add_relaxed(&o->unmatched, !slot && record == GROSR_LAUNCH_KERNEL);
        return;
    }
    uint32_t stream = sys_load_relaxed(&slot->stream);
    uint64_t place = sys_load_relaxed(&slot->place);
    bool ordered = sys_load_relaxed(&slot->flags) & GROSR_LAUNCH_ORDERED;
    bool over = kind != GROSR_LAUNCH_GRAPH || count_node(o, slot);
    /* One of several records of a copy, or of two threads, comes second. */
    if (over && dev_cas_relaxed(&slot->what, what, FREE) == what)
        dev_add_relaxed(&o->recorded[kind], 1);
    if (ordered && place)
        grosr_cuda_stream_raise_ended(s, stream, over && kind != GROSR_LAUNCH_MEMCPY ? place : place - 1);
}

void grosr_launch_over(const struct grosr_session *s, uint32_t correlation)
{
    uint64_t what;
    struct grosr_launch_slot *slot = s->header.launch_slots ? find_slot(s, correlation, &what) : NULL;

    if (!slot)
        return;
    uint32_t stream = sys_load_relaxed(&slot->stream);
    uint64_t place = sys_load_relaxed(&slot->place);
    bool ordered = sys_load_relaxed(&slot->flags) & GROSR_LAUNCH_ORDERED;
    dev_cas_relaxed(&slot->what, what, FREE);
    if (ordered)
        grosr_cuda_stream_raise_ended(s, stream, place);
}

bool grosr_launch_read(const struct grosr_session *s, uint32_t i, struct grosr_launch *l)
{
    const struct grosr_launch_slot *slot = launch_slot(s, i);
    uint64_t what = dev_load_acquire(&slot->what); /* pairs with grosr_launch_begin() */

    if ((what & 0xff) != ISSUED || !kind_of(what) || kind_of(what) >= GROSR_LAUNCH_KINDS)
        return false;
    l->kind = kind_of(what);
    l->correlation = (uint32_t)(what >> 32);
    l->part = (uint32_t)what >> 16;
    l->issued_ns = sys_load_acquire(&slot->issued_ns); /* pairs with grosr_launch_begin() */
    l->place = sys_load_acquire(&slot->place);         /* pairs with grosr_launch_begin() */
    l->bytes = sys_load_acquire(&slot->bytes);         /* pairs with grosr_launch_begin() */
    l->kernels = sys_load_acquire(&slot->kernels);     /* pairs with grosr_launch_begin() */
    l->recorded = dev_load_acquire(&slot->recorded);   /* pairs with grosr_launch_begin() */
    l->stream = sys_load_acquire(&slot->stream);       /* pairs with grosr_launch_begin() */
    l->tid = sys_load_acquire(&slot->tid);             /* pairs with grosr_launch_begin() */
    l->name = sys_load_acquire(&slot->name);           /* pairs with grosr_launch_begin() */
    l->full_name = sys_load_acquire(&slot->full_name); /* pairs with grosr_launch_begin() */
    for (int k = 0; k < 3; k++) {
        l->grid[k] = sys_load_acquire(&slot->grid[k]);   /* pairs with grosr_launch_begin() */
        l->block[k] = sys_load_acquire(&slot->block[k]); /* pairs with grosr_launch_begin() */
    }
    l->shared_bytes = sys_load_acquire(&slot->shared_bytes); /* pairs with grosr_launch_begin() */
    l->flags = sys_load_acquire(&slot->flags);               /* pairs with grosr_launch_begin() */
    if (dev_load_relaxed(&slot->what) != what)
        return false;
    l->stream = l->stream < s->header.cuda_streams ? l->stream : GROSR_NO_STREAM;
    l->ended = l->stream != GROSR_NO_STREAM && l->place &&
               l->place <= dev_load_relaxed(&cuda_stream(s, l->stream)->ended);
    return true;
}

bool grosr_launch_find(const struct grosr_session *s, uint32_t correlation, struct grosr_launch *l)
{
    uint32_t at;

    for (uint32_t i = 0; s->header.launch_slots && i < PROBES; i++) {
        slot_at(s, correlation, i, &at);
        if (grosr_launch_read(s, at, l) && l->correlation == correlation)
            return true;
    }
    return false;
}

uint64_t grosr_outstanding_kernels(const struct grosr_session *s)
{
    const struct grosr_outstanding *o = grosr_session_outstanding(s);

    if (!o)
        return 0;
    /* Records first: a launch that comes in between counts as outstanding, not the other way round. */
    uint64_t recorded = dev_load_acquire(&o->recorded[GROSR_LAUNCH_KERNEL]); /* before the load of issued */
    uint64_t unmatched = dev_load_acquire(&o->unmatched);                    /* before the load of issued */
    uint64_t issued = dev_load_relaxed(&o->issued[GROSR_LAUNCH_KERNEL]);
    uint64_t unslotted = dev_load_relaxed(&o->unslotted);
    recorded += unmatched < unslotted ? unmatched : unslotted;
    return issued > recorded ? issued - recorded : 0;
}
