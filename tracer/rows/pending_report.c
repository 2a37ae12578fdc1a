/*
 * What is reported of launches without a record (pending_rows.h): which withhold the records of kernels,
 * while they do, and at the end of which launches there is none.
 */
#include "pending_parts.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#define WITHHELD_NS UINT64_C(2000000000)
#define TAKEN_NS    UINT64_C(3000000000) /* records of kernels that have ended are late, but not by this */
#define LOOK_NS     UINT64_C(500000000)
#define BUSY_NS     UINT64_C(1000000000)
#define STREAMS_MAX 6u /* that a message names, and names of each */
#define NAMES_MAX   4u

struct text {
    char at[1024];
    size_t used;
};

__attribute__((format(printf, 2, 3))) static void say(struct text *t, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    int n = vsnprintf(t->at + t->used, sizeof(t->at) - t->used, format, args);
    va_end(args);
    t->used += n > 0 ? (size_t)n : 0;
    t->used = t->used < sizeof(t->at) ? t->used : sizeof(t->at) - 1;
}

static int report(struct grosr_pending_rows *p, const struct text *t, uint64_t time_ns)
{
    static const char topic[] = "cupti";
    char words[1200];

    snprintf(words, sizeof(words), "process %u: %s", p->session->header.pid, t->at);
    if (p->warned)
        p->warned(words);
    return grosr_store_note(p->store, grosr_timeline(&p->bases, time_ns), p->bases.session, topic,
                            strlen(topic), t->at, strlen(t->at));
}

/* A name for a message, where a long one would leave no room for others. */
static const char *name_of(const struct grosr_pending_rows *p, const struct grosr_launch *l, char *to)
{
    size_t n = grosr_outstanding_text(p->session, l->name, to);

    if (n > 80) {
        for (n = 77; n && ((unsigned char)to[n] & 0xc0) == 0x80;) /* whole characters */
            n--;
        memcpy(to + n, "...", sizeof("..."));
    }
    return n ? to : l->kind == GROSR_LAUNCH_GRAPH ? "a graph" : "a launch without a name";
}

static bool is_kernel(const struct grosr_launch *l)
{
    return l->kind == GROSR_LAUNCH_KERNEL || l->kind == GROSR_LAUNCH_GRAPH;
}

/* Whether the driver has said lately that the stream has not come to its end. */
static bool is_busy(const struct grosr_pending_rows *p, uint32_t stream, uint64_t now_ns)
{
    struct grosr_cuda_stream_state s;

    return stream != GROSR_NO_STREAM && grosr_cuda_stream_read(p->session, stream, &s) && s.busy_ns &&
           s.busy_ns + BUSY_NS > now_ns;
}

/* Whether it is the first of its stream, may keep records back, and has been that for so long. */
static bool may_withhold(const struct grosr_pending_rows *p, const struct found *f, uint64_t now_ns,
                         uint64_t for_ns)
{
    if (f->type != FOUND_LAUNCH || !f->first || f->launch.ended || !is_kernel(&f->launch) ||
        f->launch.flags & (GROSR_LAUNCH_PERSISTENT | GROSR_LAUNCH_UNRECORDED))
        return false;
    uint64_t since =
        f->stream < p->session->header.cuda_streams ? p->first[f->stream].since_ns : f->launch.issued_ns;
    return now_ns >= since && now_ns - since >= for_ns;
}

/*
 * The same; and of those, if the driver has said of any that its stream is busy, only they are: what a stream
 * was given that cannot be asked, because it captures, may have ended long ago.
 */
static bool is_stuck(const struct grosr_pending_rows *p, const struct found *f, uint64_t now_ns,
                     uint64_t for_ns)
{
    return may_withhold(p, f, now_ns, for_ns) && (!p->some_busy || is_busy(p, f->stream, now_ns));
}

static void find_busy(struct grosr_pending_rows *p, uint64_t now_ns, uint64_t for_ns)
{
    p->some_busy = false;
    for (uint32_t i = 0; i < p->count && !p->some_busy; i++)
        p->some_busy =
            may_withhold(p, &p->found[i], now_ns, for_ns) && is_busy(p, p->found[i].stream, now_ns);
}

/* "stream 8: spin, small (98 more)": the launches of the stream of `first`, in their order. */
static void say_stream(struct grosr_pending_rows *p, struct text *t, const struct found *first)
{
    char name[GROSR_TEXT_KEPT_MAX + 1];
    struct grosr_cuda_stream_state s = {.id = 0};
    uint64_t place = first->launch.place;
    uint32_t more = 0;

    if (first->stream < p->session->header.cuda_streams)
        grosr_cuda_stream_read(p->session, first->stream, &s);
    say(t, "stream %u: %s", s.id, name_of(p, &first->launch, name));
    for (uint32_t n = 1; n <= NAMES_MAX; n++) {
        const struct found *next = NULL;
        more = 0;
        for (uint32_t i = 0; i < p->count && first->stream != GROSR_NO_STREAM; i++) {
            const struct found *f = &p->found[i];
            if (f->type != FOUND_LAUNCH || f->stream != first->stream || f->launch.ended ||
                f->launch.place <= place)
                continue;
            more++;
            if (!next || f->launch.place < next->launch.place)
                next = f;
        }
        if (!next || n == NAMES_MAX)
            break;
        say(t, ", %s", name_of(p, &next->launch, name));
        place = next->launch.place;
        more--;
    }
    if (more)
        say(t, " and %u more", more);
}

/* Whether an event is waited for before it, of which it is not known that it has come. */
static bool waits_for_event(const struct grosr_pending_rows *p, const struct found *first)
{
    struct grosr_event_wait w;

    for (uint32_t i = 0; i < GROSR_EVENT_WAITS; i++)
        if (grosr_event_wait_read(p->session, i, &w) && w.stream == first->stream && w.on != w.stream &&
            w.place < first->launch.place)
            return true;
    return false;
}

/* Whether what was launched before it in another stream comes first, by the legacy default stream's order. */
static bool waits_for_order(const struct grosr_pending_rows *p, const struct found *first)
{
    struct grosr_cuda_stream_state own, other;

    if (!grosr_cuda_stream_read(p->session, first->stream, &own))
        return false;
    for (uint32_t i = 0; i < p->count; i++) {
        const struct found *f = &p->found[i];
        if (f->type == FOUND_LAUNCH && f->first && !f->launch.ended && f->stream != first->stream &&
            f->launch.issued_ns < first->launch.issued_ns &&
            grosr_cuda_stream_read(p->session, f->stream, &other) && other.context == own.context &&
            grosr_streams_follow(own.order, other.order))
            return true;
    }
    return false;
}

/* Whether only launches of that kernel are in the stream of `first`: then that is what runs. */
static bool is_alone(const struct grosr_pending_rows *p, const struct found *first)
{
    if (first->stream == GROSR_NO_STREAM || first->launch.kind != GROSR_LAUNCH_KERNEL || !first->launch.name)
        return false;
    for (uint32_t i = 0; i < p->count; i++) {
        const struct found *f = &p->found[i];
        if (f->type == FOUND_LAUNCH && f->stream == first->stream && !f->launch.ended &&
            f->launch.name != first->launch.name)
            return false;
    }
    return true;
}

/* The regular expression that leaves these out of what CUPTI records, where it is known which they are. */
static void say_persistent(struct grosr_pending_rows *p, struct text *t, uint64_t now_ns, uint64_t for_ns)
{
    char name[GROSR_TEXT_KEPT_MAX + 1];
    const char *before = "; with --persistent '";
    uint32_t names = 0, seen[NAMES_MAX];

    for (uint32_t i = 0; i < p->count && names < NAMES_MAX; i++) {
        const struct found *f = &p->found[i];
        bool known = false;
        if (!is_stuck(p, f, now_ns, for_ns) || !is_alone(p, f) || waits_for_event(p, f) ||
            waits_for_order(p, f))
            continue;
        for (uint32_t k = 0; k < names; k++)
            known |= seen[k] == f->launch.name;
        if (known)
            continue;
        seen[names++] = f->launch.name;
        say(t, "%s%s", before, name_of(p, &f->launch, name));
        before = "|";
    }
    say(t, names ? "' the records of the others come at once"
                 : "; with --persistent and the name of the one that is to last, the records of the others "
                   "come at "
                   "once");
}

/* All that is stuck, stream by stream; how many streams. */
static uint32_t say_stuck(struct grosr_pending_rows *p, struct text *t, uint64_t now_ns, uint64_t for_ns)
{
    uint32_t streams = 0;

    for (uint32_t i = 0; i < p->count; i++) {
        if (!is_stuck(p, &p->found[i], now_ns, for_ns) || streams++ >= STREAMS_MAX)
            continue;
        say(t, "%s", streams > 1 ? "; " : "");
        say_stream(p, t, &p->found[i]);
    }
    if (streams > STREAMS_MAX)
        say(t, "; and %u more streams", streams - STREAMS_MAX);
    return streams;
}

/* A number for the set of launches that are stuck; 0: none is. */
static uint64_t stuck_set(const struct grosr_pending_rows *p, uint64_t now_ns)
{
    uint64_t set = 0;

    for (uint32_t i = 0; i < p->count; i++)
        if (is_stuck(p, &p->found[i], now_ns, WITHHELD_NS))
            set += (p->found[i].key[1] ^ p->found[i].key[0]) * 0x9e3779b97f4a7c15u | 1;
    return set;
}

static int report_withheld(struct grosr_pending_rows *p, uint64_t now_ns, uint64_t latest_ns)
{
    struct text t = {.used = 0};
    uint64_t set = stuck_set(p, now_ns), before = p->candidate;

    p->candidate = set;
    if (!set || set != before || set == p->reported)
        return 0;
    p->reported = set;
    say(&t,
        "no record of a kernel has come for %.1f s: CUPTI withholds all while a kernel runs. Launched and "
        "not ended, by stream, the first of each may be running: ",
        (double)(now_ns - latest_ns) / 1e9);
    say_stuck(p, &t, now_ns, WITHHELD_NS);
    say_persistent(p, &t, now_ns, WITHHELD_NS);
    return report(p, &t, now_ns);
}

/* Kernels that have ended and have no record, and the first of them. */
static uint32_t count_ended(const struct grosr_pending_rows *p, uint64_t *first_ns)
{
    uint32_t n = 0;

    *first_ns = UINT64_MAX;
    for (uint32_t i = 0; i < p->count; i++) {
        const struct found *f = &p->found[i];
        if (f->type != FOUND_LAUNCH || !f->launch.ended)
            continue;
        n++;
        *first_ns = f->launch.issued_ns < *first_ns ? f->launch.issued_ns : *first_ns;
    }
    return n;
}

static void say_taken(struct grosr_pending_rows *p, struct text *t, uint64_t since_ns)
{
    say(t,
        "launched from %.3f s on; nothing runs that would withhold them, so another user of CUPTI in the "
        "process (a profiler of its own, say) has most probably taken its records over: CUPTI has one at a "
        "time",
        (double)grosr_timeline(&p->bases, since_ns) / 1e9);
}

static int report_taken(struct grosr_pending_rows *p, uint64_t now_ns, uint64_t latest_ns)
{
    struct text t = {.used = 0};
    uint64_t first_ns;
    uint32_t n = count_ended(p, &first_ns);

    if (p->taken_over || p->kernels || !n || now_ns < first_ns + TAKEN_NS || now_ns < latest_ns + TAKEN_NS)
        return 0;
    p->taken_over = true;
    say(&t, "no record has come of %u kernels that have ended, ", n);
    say_taken(p, &t, first_ns);
    return report(p, &t, now_ns);
}

int pending_report(struct grosr_pending_rows *p, uint64_t now_ns)
{
    const struct grosr_outstanding *o = grosr_session_outstanding(p->session);
    uint64_t latest_ns = sys_load_relaxed(&o->record_ns);

    if (now_ns - p->looked_ns < LOOK_NS)
        return 0;
    p->looked_ns = now_ns;
    for (uint32_t i = 0; !latest_ns && i < p->count; i++)
        latest_ns = p->found[i].type == FOUND_LAUNCH ? p->found[i].launch.issued_ns : 0;
    if (!grosr_outstanding_kernels(p->session) || !latest_ns || now_ns < latest_ns + WITHHELD_NS) {
        p->candidate = 0;
        return 0;
    }
    find_busy(p, now_ns, WITHHELD_NS);
    int err = report_withheld(p, now_ns, latest_ns);
    return err ? err : report_taken(p, now_ns, latest_ns);
}

/* What the tables had no room for. */
static int note_limits(struct grosr_pending_rows *p, uint64_t end_ns)
{
    static const char topic[] = "pending";
    const struct grosr_outstanding *o = grosr_session_outstanding(p->session);
    unsigned long long launches = dev_load_relaxed(&o->unslotted);
    uint32_t streams = dev_load_relaxed(&o->streams_full), texts = dev_load_relaxed(&o->texts_full);
    struct text t = {.used = 0};

    if (!launches && !streams && !texts)
        return 0;
    say(&t,
        "the session's tables were full: %llu kernels, %u streams and %u names were not in them, and what "
        "had "
        "not ended of these is not known; that they were launched is counted",
        launches, streams, texts);
    return grosr_store_note(p->store, grosr_timeline(&p->bases, end_ns), p->bases.session, topic,
                            strlen(topic), t.at, strlen(t.at));
}

int pending_report_end(struct grosr_pending_rows *p, uint64_t end_ns, enum grosr_pending_end end)
{
    uint64_t lost = grosr_outstanding_kernels(p->session), first_ns;
    uint32_t ended = count_ended(p, &first_ns);
    struct text t = {.used = 0};
    int err = note_limits(p, end_ns);

    if (err || !lost || end == GROSR_PENDING_DETACHED)
        return err;
    find_busy(p, end_ns, 0);
    say(&t, "of %llu launched kernels there is no record: ", (unsigned long long)lost);
    if (p->kernels) {
        say(&t,
            "%s, and CUPTI withholds all while a kernel runs. By stream, the first of each may be running: ",
            end == GROSR_PENDING_CLOSED ? "some had not ended" : "some had not ended when the process did");
        if (!say_stuck(p, &t, end_ns, 0))
            say(&t, "they are behind copies or host functions");
    } else if (end == GROSR_PENDING_EXITED) {
        say(&t,
            "the process left by _exit(), or otherwise without its destructors, before CUPTI had delivered "
            "them");
    } else if (end == GROSR_PENDING_DIED) {
        say(&t, "the process was killed, or died, before CUPTI had delivered them");
    } else if (ended) {
        say(&t, "they were ");
        say_taken(p, &t, first_ns);
    } else {
        say(&t, "CUPTI has not delivered them");
    }
    return report(p, &t, end_ns);
}
