/*
 * Perfetto's trace format: a stream of self-contained packets, except that strings are interned: written once
 * and then referred to by number. The messages and fields used are in the enumerations below; their numbers
 * are Perfetto's.
 *
 * There is one sequence of packets, so that interned strings are valid throughout. Of each kind of string as
 * many are interned as the table holds; others are written out each time, so that memory is bounded.
 *
 * Packets are stamped with a clock of ours that reads the trace's own times, and the first packet relates it
 * to the machine's clocks: a viewer shows the machine's times, and other traces of it can be merged. Perfetto
 * has no negative times; if something was before time 0, our clock is ahead by that much.
 */
#include "export_writer.h"

#include "protobuf.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { TRACE_PACKET = 1 };
enum {
    PACKET_CLOCK_SNAPSHOT = 6,
    PACKET_TIMESTAMP = 8,
    PACKET_SEQUENCE = 10,
    PACKET_TRACK_EVENT = 11,
    PACKET_INTERNED = 12,
    PACKET_FLAGS = 13,
    PACKET_DEFAULTS = 59,
    PACKET_TRACK = 60,
};
enum { FLAG_FIRST = 1, FLAG_NEEDS_STRINGS = 2 };
enum { DEFAULTS_CLOCK = 58 };
enum { SNAPSHOT_CLOCK = 1, SNAPSHOT_PRIMARY = 2 };
enum { CLOCK_ID = 1, CLOCK_TIME = 2 };
enum { CLOCK_REAL = 1, CLOCK_MONO = 3, CLOCK_OURS = 128 }; /* user-defined from 128 on */
enum {
    TRACK_UUID = 1,
    TRACK_NAME = 2,
    TRACK_PROCESS = 3,
    TRACK_THREAD = 4,
    TRACK_PARENT = 5,
    TRACK_COUNTER = 8,
    TRACK_CHILD_ORDER = 11,
    TRACK_RANK = 12,
    TRACK_ABOUT = 14,
};
enum { ORDER_EXPLICIT = 3 };
enum { PROCESS_PID = 1, PROCESS_NAME = 6 };
enum { THREAD_PID = 1, THREAD_TID = 2, THREAD_NAME = 5 };
enum { COUNTER_UNIT_NAME = 6 };
enum {
    EVENT_CATEGORY_NUMBER = 3,
    EVENT_ARGUMENT = 4,
    EVENT_TYPE = 9,
    EVENT_NAME_NUMBER = 10,
    EVENT_TRACK = 11,
    EVENT_CATEGORY = 22,
    EVENT_NAME = 23,
    EVENT_REAL_VALUE = 44,
    EVENT_FLOW = 47,
    EVENT_LAST_OF_FLOW = 48,
};
enum { TYPE_BEGIN = 1, TYPE_END = 2, TYPE_INSTANT = 3, TYPE_COUNTER = 4 };
enum {
    ARGUMENT_NAME_NUMBER = 1,
    ARGUMENT_INTEGER = 4,
    ARGUMENT_REAL = 5,
    ARGUMENT_TEXT = 6,
    ARGUMENT_NAME = 10,
    ARGUMENT_TEXT_NUMBER = 17,
};
enum { STRING_NUMBER = 1, STRING_TEXT = 2 };

/* Kinds of strings; the value is the field of the packet's strings. */
enum { CATEGORIES, NAMES, ARGUMENT_NAMES, TEXTS, STRINGS };
static const uint32_t string_field[STRINGS] = {1, 2, 3, 29};

#define STRING_SLOTS 4096u /* a power of 2; three quarters are used */
#define STRING_BYTES 1024u /* longer ones are not kept */

struct strings {
    uint32_t count;
    struct {
        char *text;
        uint32_t number; /* 0: free */
    } slot[STRING_SLOTS];
};

struct perfetto {
    struct grosr_export_writer base;
    struct grosr_protobuf packet;
    struct strings strings[STRINGS];
    size_t interned; /* the packet's open message of strings; 0: none */
    int64_t ahead;   /* our clock, at time 0 */
    uint64_t salt;
};

static struct perfetto *of(struct grosr_export_writer *w)
{
    return (struct perfetto *)w;
}

static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
    x = (x ^ x >> 27) * UINT64_C(0x94d049bb133111eb);
    return x ^ x >> 31;
}

/* Several traces can be merged, so their tracks must have different ids. */
static uint64_t uuid(const struct perfetto *p, const struct grosr_export_track *track)
{
    return mix(p->salt + track->number);
}

static size_t packet_begin(struct perfetto *p, uint32_t flags)
{
    size_t opened = grosr_protobuf_open(&p->packet, TRACE_PACKET);

    grosr_protobuf_varint(&p->packet, PACKET_SEQUENCE, 1);
    if (flags)
        grosr_protobuf_varint(&p->packet, PACKET_FLAGS, flags);
    p->interned = 0;
    return opened;
}

static void packet_end(struct perfetto *p, size_t opened)
{
    grosr_protobuf_close(&p->packet, opened);
    if (p->packet.failed)
        p->base.error = ENOMEM;
    else if (!p->base.error &&
             fwrite_unlocked(p->packet.bytes, 1, p->packet.used, p->base.out) < p->packet.used)
        p->base.error = errno ? errno : EIO;
    p->packet.used = 0;
}

/* The number of an interned string, defined in this packet if it is new; 0: it must be written out. */
static uint32_t number_of(struct perfetto *p, int kind, const char *text)
{
    struct strings *s = &p->strings[kind];
    size_t length = strlen(text), at;
    uint64_t h = 0;

    if (length > STRING_BYTES)
        return 0;
    for (size_t i = 0; i < length; i++)
        h = (h ^ (unsigned char)text[i]) * UINT64_C(0x100000001b3);
    for (at = mix(h) & (STRING_SLOTS - 1); s->slot[at].number; at = (at + 1) & (STRING_SLOTS - 1))
        if (!strcmp(s->slot[at].text, text))
            return s->slot[at].number;
    if (s->count == STRING_SLOTS / 4 * 3 || !(s->slot[at].text = strdup(text)))
        return 0;
    s->slot[at].number = ++s->count;
    if (!p->interned)
        p->interned = grosr_protobuf_open(&p->packet, PACKET_INTERNED);
    size_t opened = grosr_protobuf_open(&p->packet, string_field[kind]);
    grosr_protobuf_varint(&p->packet, STRING_NUMBER, s->count);
    grosr_protobuf_text(&p->packet, STRING_TEXT, text);
    grosr_protobuf_close(&p->packet, opened);
    return s->count;
}

static void put_clock(struct perfetto *p, uint32_t id, int64_t time)
{
    size_t opened = grosr_protobuf_open(&p->packet, SNAPSHOT_CLOCK);

    grosr_protobuf_varint(&p->packet, CLOCK_ID, id);
    grosr_protobuf_varint(&p->packet, CLOCK_TIME, (uint64_t)time);
    grosr_protobuf_close(&p->packet, opened);
}

static void write_head(struct grosr_export_writer *w, const struct grosr_export_head *head)
{
    struct perfetto *p = of(w);
    size_t packet = packet_begin(p, 0), opened;

    p->ahead = head->first < 0 ? -head->first : 0;
    p->salt = mix((uint64_t)head->start_mono_ns) + (uint64_t)head->start_real_ns;
    opened = grosr_protobuf_open(&p->packet, PACKET_CLOCK_SNAPSHOT);
    put_clock(p, CLOCK_OURS, p->ahead);
    put_clock(p, CLOCK_MONO, head->start_mono_ns);
    put_clock(p, CLOCK_REAL, head->start_real_ns);
    grosr_protobuf_varint(&p->packet, SNAPSHOT_PRIMARY, CLOCK_MONO);
    grosr_protobuf_close(&p->packet, opened);
    packet_end(p, packet);

    packet = packet_begin(p, FLAG_FIRST);
    opened = grosr_protobuf_open(&p->packet, PACKET_DEFAULTS);
    grosr_protobuf_varint(&p->packet, DEFAULTS_CLOCK, CLOCK_OURS);
    grosr_protobuf_close(&p->packet, opened);
    packet_end(p, packet);
}

static void write_track(struct grosr_export_writer *w, const struct grosr_export_track *track)
{
    struct perfetto *p = of(w);
    struct grosr_protobuf *out = &p->packet;
    size_t packet = packet_begin(p, 0), opened = grosr_protobuf_open(out, PACKET_TRACK), inner;

    grosr_protobuf_varint(out, TRACK_UUID, uuid(p, track));
    if (track->parent)
        grosr_protobuf_varint(out, TRACK_PARENT, uuid(p, track->parent));
    switch (track->kind) {
    case GROSR_EXPORT_PROCESS:
        inner = grosr_protobuf_open(out, TRACK_PROCESS);
        grosr_protobuf_varint(out, PROCESS_PID, (uint64_t)track->pid);
        grosr_protobuf_text(out, PROCESS_NAME, track->name);
        grosr_protobuf_close(out, inner);
        break;
    case GROSR_EXPORT_THREAD:
        inner = grosr_protobuf_open(out, TRACK_THREAD);
        grosr_protobuf_varint(out, THREAD_PID, (uint64_t)track->pid);
        grosr_protobuf_varint(out, THREAD_TID, (uint64_t)track->tid);
        grosr_protobuf_text(out, THREAD_NAME, track->name);
        grosr_protobuf_close(out, inner);
        break;
    case GROSR_EXPORT_COUNTER:
        inner = grosr_protobuf_open(out, TRACK_COUNTER);
        if (track->unit)
            grosr_protobuf_text(out, COUNTER_UNIT_NAME, track->unit);
        grosr_protobuf_close(out, inner);
        grosr_protobuf_text(out, TRACK_NAME, track->name);
        break;
    case GROSR_EXPORT_GROUP:
    case GROSR_EXPORT_TRACK:
        grosr_protobuf_text(out, TRACK_NAME, track->name);
        break;
    }
    grosr_protobuf_varint(out, TRACK_CHILD_ORDER, ORDER_EXPLICIT);
    grosr_protobuf_varint(out, TRACK_RANK, (uint64_t)track->rank);
    if (track->about)
        grosr_protobuf_text(out, TRACK_ABOUT, track->about);
    grosr_protobuf_close(out, opened);
    packet_end(p, packet);
}

/* Opens the message of an event and writes what all have. */
static size_t event_begin(struct perfetto *p, int type, const struct grosr_export_track *track)
{
    size_t opened = grosr_protobuf_open(&p->packet, PACKET_TRACK_EVENT);

    grosr_protobuf_varint(&p->packet, EVENT_TYPE, (uint64_t)type);
    grosr_protobuf_varint(&p->packet, EVENT_TRACK, uuid(p, track));
    return opened;
}

static size_t packet_at(struct perfetto *p, int64_t time)
{
    size_t packet = packet_begin(p, FLAG_NEEDS_STRINGS);

    grosr_protobuf_varint(&p->packet, PACKET_TIMESTAMP, (uint64_t)(time + p->ahead));
    return packet;
}

static void put_argument(struct grosr_protobuf *out, const struct grosr_export_argument *a,
                         uint32_t name_number, uint32_t text_number)
{
    size_t opened = grosr_protobuf_open(out, EVENT_ARGUMENT);

    if (name_number)
        grosr_protobuf_varint(out, ARGUMENT_NAME_NUMBER, name_number);
    else
        grosr_protobuf_text(out, ARGUMENT_NAME, a->name);
    if (a->type == GROSR_ARGUMENT_INTEGER)
        grosr_protobuf_varint(out, ARGUMENT_INTEGER, (uint64_t)a->integer);
    else if (a->type == GROSR_ARGUMENT_REAL)
        grosr_protobuf_double(out, ARGUMENT_REAL, a->real);
    else if (text_number)
        grosr_protobuf_varint(out, ARGUMENT_TEXT_NUMBER, text_number);
    else
        grosr_protobuf_text(out, ARGUMENT_TEXT, a->text);
    grosr_protobuf_close(out, opened);
}

static void write_event(struct perfetto *p, int type, const struct grosr_export_event *e)
{
    struct grosr_protobuf *out = &p->packet;
    size_t packet = packet_at(p, e->time);
    uint32_t category = number_of(p, CATEGORIES, e->category), name = number_of(p, NAMES, e->name);
    uint32_t names[GROSR_EXPORT_ARGUMENTS], texts[GROSR_EXPORT_ARGUMENTS];

    for (int i = 0; i < e->arguments; i++) {
        names[i] = number_of(p, ARGUMENT_NAMES, e->argument[i].name);
        texts[i] = e->argument[i].type == GROSR_ARGUMENT_TEXT ? number_of(p, TEXTS, e->argument[i].text) : 0;
    }
    if (p->interned)
        grosr_protobuf_close(out, p->interned);

    size_t opened = event_begin(p, type, e->track);
    if (category)
        grosr_protobuf_varint(out, EVENT_CATEGORY_NUMBER, category);
    else
        grosr_protobuf_text(out, EVENT_CATEGORY, e->category);
    if (name)
        grosr_protobuf_varint(out, EVENT_NAME_NUMBER, name);
    else
        grosr_protobuf_text(out, EVENT_NAME, e->name);
    for (int i = 0; i < e->arguments; i++)
        put_argument(out, &e->argument[i], names[i], texts[i]);
    for (size_t i = 0; e->role && i < e->flows; i++)
        grosr_protobuf_fixed64(out, e->role == GROSR_FLOW_TO ? EVENT_LAST_OF_FLOW : EVENT_FLOW, e->flow[i]);
    grosr_protobuf_close(out, opened);
    packet_end(p, packet);
}

static void write_slice_begin(struct grosr_export_writer *w, const struct grosr_export_event *event,
                              int64_t end)
{
    (void)end;
    write_event(of(w), TYPE_BEGIN, event);
}

static void write_slice_end(struct grosr_export_writer *w, const struct grosr_export_track *track,
                            int64_t time)
{
    struct perfetto *p = of(w);
    size_t packet = packet_at(p, time), opened = event_begin(p, TYPE_END, track);

    grosr_protobuf_close(&p->packet, opened);
    packet_end(p, packet);
}

static void write_instant(struct grosr_export_writer *w, const struct grosr_export_event *event)
{
    write_event(of(w), TYPE_INSTANT, event);
}

static void write_counter(struct grosr_export_writer *w, const struct grosr_export_track *track, int64_t time,
                          double value)
{
    struct perfetto *p = of(w);
    size_t packet = packet_at(p, time), opened = event_begin(p, TYPE_COUNTER, track);

    grosr_protobuf_double(&p->packet, EVENT_REAL_VALUE, value);
    grosr_protobuf_close(&p->packet, opened);
    packet_end(p, packet);
}

static void write_tail(struct grosr_export_writer *w)
{
    (void)w; /* a trace ends with its last packet */
}

static void free_perfetto(struct grosr_export_writer *w)
{
    struct perfetto *p = of(w);

    for (int kind = 0; kind < STRINGS; kind++)
        for (size_t i = 0; i < STRING_SLOTS; i++)
            free(p->strings[kind].slot[i].text);
    free(p->packet.bytes);
    free(p);
}

struct grosr_export_writer *grosr_export_perfetto(FILE *out)
{
    static const struct grosr_export_writer_calls calls = {
        .head = write_head,
        .track = write_track,
        .slice_begin = write_slice_begin,
        .slice_end = write_slice_end,
        .instant = write_instant,
        .counter = write_counter,
        .tail = write_tail,
        .free = free_perfetto,
    };
    struct perfetto *p = (struct perfetto *)calloc(1, sizeof(*p));

    if (!p)
        return NULL;
    p->base.calls = &calls;
    p->base.out = out;
    return &p->base;
}
