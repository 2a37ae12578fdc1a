/*
 * Chrome's JSON trace format, which chrome://tracing, Perfetto, Speedscope and others read: an object whose
 * traceEvents are complete slices (X), begins of what has not ended (B), points in time (i), counters (C),
 * arrows (s, t, f) and names (M). One line an event.
 *
 * Its times are microseconds; ours are written with three decimals, so that no nanosecond is lost. It has
 * processes and threads and no other tracks: a track is a thread, with a number that no real thread has, and
 * its name is preceded by those of its groups.
 */
#include "export_writer.h"

#include "../base/utf8.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

#define TRACK_TID INT64_C(0x1000000) /* numbers of real threads are below 2^22 */

struct chrome {
    struct grosr_export_writer base;
    bool comma;
};

static struct chrome *of(struct grosr_export_writer *w)
{
    return (struct chrome *)w;
}

static void put(FILE *out, const char *text)
{
    fputs_unlocked(text, out);
}

static void put_integer(FILE *out, int64_t value)
{
    char digits[24], *at = digits + sizeof(digits);
    uint64_t rest = value < 0 ? -(uint64_t)value : (uint64_t)value;

    do
        *--at = (char)('0' + rest % 10);
    while (rest /= 10);
    if (value < 0)
        *--at = '-';
    fwrite_unlocked(at, 1, (size_t)(digits + sizeof(digits) - at), out);
}

static void put_us(FILE *out, int64_t ns)
{
    uint64_t n = ns < 0 ? -(uint64_t)ns : (uint64_t)ns;
    char decimals[] = {'.', (char)('0' + n / 100 % 10), (char)('0' + n / 10 % 10), (char)('0' + n % 10)};

    if (ns < 0)
        putc_unlocked('-', out);
    put_integer(out, (int64_t)(n / 1000));
    fwrite_unlocked(decimals, 1, sizeof(decimals), out);
}

/* The shorter form when it reads back as the same number. LC_NUMERIC is "C" in this program. */
static void put_real(FILE *out, double value)
{
    char text[40];

    if (!isfinite(value)) {
        put(out, "null");
        return;
    }
    snprintf(text, sizeof(text), "%.15g", value);
    if (strtod(text, NULL) < value || strtod(text, NULL) > value)
        snprintf(text, sizeof(text), "%.17g", value);
    put(out, text);
}

/* The inside of a JSON string. */
static void put_escaped(FILE *out, const char *text)
{
    size_t left = strlen(text);

    while (left) {
        uint32_t c;
        size_t length = grosr_utf8_decode(text, left, &c);
        if (c == '"' || c == '\\')
            putc_unlocked('\\', out);
        if (c == GROSR_UTF8_INVALID || c < 0x20 || (c >= 0x7f && c < 0xa0))
            fprintf(out, "\\u%04" PRIx32, c);
        else
            fwrite_unlocked(text, 1, length, out);
        text += length;
        left -= length;
    }
}

static void put_string(FILE *out, const char *text)
{
    putc_unlocked('"', out);
    put_escaped(out, text);
    putc_unlocked('"', out);
}

static int64_t tid(const struct grosr_export_track *track)
{
    return track->kind == GROSR_EXPORT_PROCESS  ? 0
           : track->kind == GROSR_EXPORT_THREAD ? track->tid
                                                : TRACK_TID + track->number;
}

/* {"ph":"X","pid":1,"tid":2 ... */
static FILE *event_begin(struct chrome *c, const char *phase, const struct grosr_export_track *track)
{
    FILE *out = c->base.out;

    put(out, c->comma ? ",\n{\"ph\":\"" : "\n{\"ph\":\"");
    c->comma = true;
    put(out, phase);
    put(out, "\",\"pid\":");
    put_integer(out, track->pid);
    put(out, ",\"tid\":");
    put_integer(out, tid(track));
    return out;
}

static void event_end(struct chrome *c, const char *closers)
{
    put(c->base.out, closers);
    if (!c->base.error && ferror_unlocked(c->base.out))
        c->base.error = errno ? errno : EIO;
}

static void put_time(FILE *out, int64_t time)
{
    put(out, ",\"ts\":");
    put_us(out, time);
}

static void write_head(struct grosr_export_writer *w, const struct grosr_export_head *head)
{
    FILE *out = w->out;

    put(out, "{\"displayTimeUnit\":\"ns\",\"otherData\":{\"grosr\":");
    put_string(out, head->version);
    put(out, ",\"health\":");
    put_string(out, head->health);
    put(out, ",\"start_mono_ns\":");
    put_integer(out, head->start_mono_ns);
    put(out, ",\"start_real_ns\":");
    put_integer(out, head->start_real_ns);
    put(out, "},\"traceEvents\":[");
}

/* The groups that it is in, outermost first, and its name. */
static void put_path(FILE *out, const struct grosr_export_track *track)
{
    if (track->parent && track->parent->kind == GROSR_EXPORT_GROUP) {
        put_path(out, track->parent);
        if (!track->parent->implied)
            put(out, ", ");
    }
    if (!track->implied)
        put_escaped(out, track->name);
}

static void put_metadata(struct chrome *c, const struct grosr_export_track *track, const char *what)
{
    FILE *out = event_begin(c, "M", track);

    put(out, ",\"name\":\"");
    put(out, what);
    put(out, "\",\"args\":{");
}

static void write_track(struct grosr_export_writer *w, const struct grosr_export_track *track)
{
    struct chrome *c = of(w);
    bool process = track->kind == GROSR_EXPORT_PROCESS;

    if (track->kind == GROSR_EXPORT_GROUP || track->kind == GROSR_EXPORT_COUNTER)
        return;
    put_metadata(c, track, process ? "process_name" : "thread_name");
    put(w->out, "\"name\":\"");
    put_path(w->out, track);
    event_end(c, "\"}}");
    put_metadata(c, track, process ? "process_sort_index" : "thread_sort_index");
    put(w->out, "\"sort_index\":");
    put_integer(w->out, track->number);
    event_end(c, "}}");
}

static void put_what(FILE *out, const struct grosr_export_event *e)
{
    put(out, ",\"cat\":\"");
    put(out, e->category);
    put(out, "\",\"name\":");
    put_string(out, e->name);
    if (!e->arguments)
        return;
    for (int i = 0; i < e->arguments; i++) {
        const struct grosr_export_argument *a = &e->argument[i];
        put(out, i ? "," : ",\"args\":{");
        put_string(out, a->name);
        putc_unlocked(':', out);
        if (a->type == GROSR_ARGUMENT_INTEGER)
            put_integer(out, a->integer);
        else if (a->type == GROSR_ARGUMENT_REAL)
            put_real(out, a->real);
        else
            put_string(out, a->text);
    }
    putc_unlocked('}', out);
}

/* An arrow is attached to the slice at its time, so it is written after it. */
static void put_flows(struct chrome *c, const struct grosr_export_event *e)
{
    static const char *const phases[] = {
        [GROSR_FLOW_FROM] = "s", [GROSR_FLOW_THROUGH] = "t", [GROSR_FLOW_TO] = "f"};

    for (size_t i = 0; e->role && i < e->flows; i++) {
        char id[32];
        FILE *out = event_begin(c, phases[e->role], e->track);
        put_time(out, e->time);
        snprintf(id, sizeof(id), "0x%" PRIx64, e->flow[i]);
        put(out, ",\"cat\":\"flow\",\"name\":\"flow\",\"id\":\"");
        put(out, id);
        event_end(c, e->role == GROSR_FLOW_FROM ? "\"}" : "\",\"bp\":\"e\"}");
    }
}

static void write_slice_begin(struct grosr_export_writer *w, const struct grosr_export_event *event,
                              int64_t end)
{
    struct chrome *c = of(w);
    FILE *out = event_begin(c, end == GROSR_EXPORT_OPEN ? "B" : "X", event->track);

    put_time(out, event->time);
    if (end != GROSR_EXPORT_OPEN) {
        put(out, ",\"dur\":");
        put_us(out, end - event->time);
    }
    put_what(out, event);
    event_end(c, "}");
    put_flows(c, event);
}

static void write_slice_end(struct grosr_export_writer *w, const struct grosr_export_track *track,
                            int64_t time)
{
    (void)w; /* slice_begin() wrote the duration */
    (void)track;
    (void)time;
}

static void write_instant(struct grosr_export_writer *w, const struct grosr_export_event *event)
{
    struct chrome *c = of(w);
    FILE *out = event_begin(c, "i", event->track);

    put_time(out, event->time);
    put(out, ",\"s\":\"t\"");
    put_what(out, event);
    event_end(c, "}");
    put_flows(c, event);
}

static void write_counter(struct grosr_export_writer *w, const struct grosr_export_track *track, int64_t time,
                          double value)
{
    struct chrome *c = of(w);
    FILE *out = event_begin(c, "C", track);

    put_time(out, time);
    put(out, ",\"name\":\"");
    put_path(out, track);
    put(out, "\",\"args\":{");
    put_string(out, track->unit && *track->unit ? track->unit : "value");
    putc_unlocked(':', out);
    put_real(out, value);
    event_end(c, "}}");
}

static void write_tail(struct grosr_export_writer *w)
{
    event_end(of(w), "\n]}\n");
}

static void free_chrome(struct grosr_export_writer *w)
{
    free(of(w));
}

struct grosr_export_writer *grosr_export_chrome(FILE *out)
{
    static const struct grosr_export_writer_calls calls = {
        .head = write_head,
        .track = write_track,
        .slice_begin = write_slice_begin,
        .slice_end = write_slice_end,
        .instant = write_instant,
        .counter = write_counter,
        .tail = write_tail,
        .free = free_chrome,
    };
    struct chrome *c = (struct chrome *)calloc(1, sizeof(*c));

    if (!c)
        return NULL;
    c->base.calls = &calls;
    c->base.out = out;
    return &c->base;
}
