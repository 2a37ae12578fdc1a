/*
 * What most workers have waited for most of the time, by the waits in their rings: of a segment that its
 * process has left, which can be looked at only once. So the last second or so is looked at afterwards, at
 * many instants, as a live session is look by look. A wait that has not ended counts up to the last sign of
 * life. And who has what they wait for.
 */
#include "live_parts.h"

#include "../session/ring.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define RECORDS_MAX (1u << 16) /* of a ring, the latest */
#define KINDS_MAX   64u        /* things that are waited for; more are left out */
#define INSTANTS    2000u      /* in the window */

struct waited {
    uint64_t payload, ns;
    uint64_t since_ns; /* the first of the waits began */
    uint64_t held_ns;  /* when somebody has last acquired it: it is a lock, or like one; 0: nobody has */
    int32_t change[INSTANTS + 1]; /* how many more wait than at the instant before */
};

/* What has been read of the rings. */
struct hot {
    uint64_t begin_ns, window_ns;
    uint64_t known_ns; /* from when on all rings have all events: a ring may be full sooner */
    struct waited *list;
    uint32_t count;
};

/* The place of what has that payload; NULL: there is no room. */
static struct waited *find(struct hot *h, uint64_t payload)
{
    uint32_t i = 0;

    while (i < h->count && h->list[i].payload != payload)
        i++;
    if (i == KINDS_MAX)
        return NULL;
    if (i == h->count)
        h->list[h->count++].payload = payload;
    return &h->list[i];
}

/* The first instant that is not before that time. */
static uint32_t instant(const struct hot *h, uint64_t at)
{
    uint64_t i = at <= h->begin_ns ? 0 : ((at - h->begin_ns) * INSTANTS + h->window_ns - 1) / h->window_ns;

    return i < INSTANTS ? (uint32_t)i : INSTANTS;
}

static void add(struct hot *h, uint64_t payload, uint64_t from, uint64_t to)
{
    struct waited *w = from < to && to > h->begin_ns ? find(h, payload) : NULL;

    if (!w)
        return;
    if (!w->since_ns || from < w->since_ns)
        w->since_ns = from;
    w->ns += to - (from > h->begin_ns ? from : h->begin_ns);
    w->change[instant(h, from)]++;
    w->change[instant(h, to)]--;
}

/* The waits of one ring, and what its worker has held. `all`: no event has been overwritten. */
static void add_ring(struct grosr_live *live, struct hot *h, const struct grosr_pair *e, uint32_t n, bool all)
{
    uint64_t first = n ? live_host_time(live, grosr_event_time(e[0])) : 0, since = 0, payload = 0;

    if (!all && first > h->known_ns)
        h->known_ns = first;
    for (uint32_t i = 0; first && i <= n; i++) {
        uint32_t kind = i < n ? grosr_event_kind(e[i]) : (uint32_t)GROSR_EV_WAIT_END;
        struct waited *held = kind == GROSR_EV_HOLD ? find(h, grosr_event_payload(e[i])) : NULL;
        if (!held && kind != GROSR_EV_WAIT_BEGIN && kind != GROSR_EV_WAIT_END)
            continue;
        uint64_t at = i < n ? live_host_time(live, grosr_event_time(e[i])) : live->now_ns;
        if (held) {
            held->held_ns = at > held->held_ns ? at : held->held_ns;
            continue;
        }
        if (since)
            add(h, payload, since, at);
        since = kind == GROSR_EV_WAIT_BEGIN ? at : 0;
        payload = i < n ? grosr_event_payload(e[i]) : 0;
    }
}

/* Whether it has been held, and, if those who wait have not for as long as the window, acquired since they
 * do: what stands still is not slow. */
static bool is_lock(const struct hot *h, const struct waited *w)
{
    return w->since_ns && w->held_ns && (w->since_ns <= h->begin_ns || w->held_ns > w->since_ns);
}

/* The share of the instants from known_ns on at which so many waited for it. */
static double share_of(const struct hot *h, const struct waited *w, uint32_t workers)
{
    uint32_t hits = 0, from = instant(h, h->known_ns);
    int64_t waiters = 0;

    /* Too short a time says nothing. */
    if (from > INSTANTS - INSTANTS / 4)
        return 0;
    for (uint32_t i = 0; i < INSTANTS; i++) {
        waiters += w->change[i];
        hits += i >= from && waiters >= (int64_t)workers;
    }
    return (double)hits / (INSTANTS - from);
}

uint64_t live_hot_in_rings(struct grosr_live *live, uint64_t window_ns, double *share)
{
    struct grosr_pair *e = (struct grosr_pair *)malloc(RECORDS_MAX * sizeof(*e));
    struct hot h = {.window_ns = window_ns < live->now_ns ? window_ns : live->now_ns};
    const struct waited *best = NULL;
    uint64_t payload = 0, end;

    *share = 0;
    h.begin_ns = h.known_ns = live->now_ns - h.window_ns;
    h.list = (struct waited *)calloc(KINDS_MAX, sizeof(*h.list));
    for (uint32_t i = 0; e && h.list && h.window_ns && i < live->session->header.rings; i++) {
        uint32_t worker = live->session->ring[i].worker;
        if (worker >= live->session->header.workers || !live->worker[worker].known)
            continue;
        uint32_t n = grosr_ring_latest(live->session, i, 0, e, RECORDS_MAX, &end);
        add_ring(live, &h, e, n, n >= end);
    }
    for (uint32_t i = 0; i < h.count; i++)
        if (is_lock(&h, &h.list[i]) && (!best || h.list[i].ns > best->ns))
            best = &h.list[i];
    if (best) {
        payload = best->payload;
        *share = share_of(&h, best, live->started > 4 ? (live->started + 1) / 2 : 2);
    }
    free(h.list);
    free(e);
    return payload;
}

/* ---- who has it ---- */

struct held {
    uint64_t times, total_ns, longest_ns;
};

/* The holds of the resource that have begun and ended in a ring's records. */
static void add_holds(struct held *h, uint64_t payload, const struct grosr_pair *e, uint32_t n)
{
    uint64_t since = 0;

    for (uint32_t i = 0; i < n; i++) {
        uint32_t kind = grosr_event_kind(e[i]);
        if ((kind != GROSR_EV_HOLD && kind != GROSR_EV_RELEASE) || grosr_event_payload(e[i]) != payload)
            continue;
        if (kind == GROSR_EV_RELEASE && since) {
            uint64_t ns = (grosr_event_time(e[i]) - since) & GROSR_TIME_MASK;
            h->times++;
            h->total_ns += ns;
            h->longest_ns = ns > h->longest_ns ? ns : h->longest_ns;
        }
        since = kind == GROSR_EV_HOLD ? grosr_event_time(e[i]) : 0;
    }
}

/* What a worker does, in words. */
static void say_activity(const struct grosr_live *live, uint32_t worker, char *text, size_t size)
{
    const struct live_worker *w = &live->worker[worker];
    char name[LIVE_TEXT];

    if (w->known && w->state.activity == GROSR_IN_TASK) {
        live_function(live, w->state.function, name, sizeof(name));
        snprintf(text, size, "is in task %" PRIu64 " of function %s", w->state.task, name);
    } else if (w->known && w->state.activity == GROSR_WAITING) {
        live_resource(live, w->state.resource, w->state.index, name, sizeof(name));
        snprintf(text, size, "waits for %s", name);
    } else {
        snprintf(text, size, "%s", "does something else");
    }
}

void live_describe_holds(struct live_graph *g, struct grosr_finding *f, uint64_t payload)
{
    struct grosr_live *live = g->live;
    struct grosr_pair *e = (struct grosr_pair *)malloc(RECORDS_MAX * sizeof(*e));
    char text[LIVE_TEXT + 64], mean[32], longest[32];
    struct held held = {0, 0, 0};
    uint64_t end;

    for (uint32_t i = 0; e && i < live->session->header.rings; i++)
        if (live->session->ring[i].worker < live->session->header.workers)
            add_holds(&held, payload, e, grosr_ring_latest(live->session, i, 0, e, RECORDS_MAX, &end));
    free(e);
    if (held.times)
        grosr_finding_evidence(
            g->findings, f, "it was held %" PRIu64 " times lately, for %s on average and %s at most",
            held.times, grosr_duration_text(mean, sizeof(mean), held.total_ns / held.times),
            grosr_duration_text(longest, sizeof(longest), held.longest_ns));
    for (uint32_t i = 0; i < g->holds->holds; i++) {
        const struct live_hold *h = &g->holds->hold[i];
        if (h->payload != payload || !h->count)
            continue;
        say_activity(live, h->worker, text, sizeof(text));
        grosr_finding_evidence(g->findings, f, "worker %" PRIu32 " has it now, and %s", h->worker, text);
        return;
    }
}
