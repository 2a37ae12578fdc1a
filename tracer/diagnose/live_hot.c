/*
 * What workers have waited for most of their time, by the waits in their rings: of a segment that its process
 * has left, which can be looked at only once. A wait that has not ended counts up to the last sign of life.
 * And who has what they wait for.
 */
#include "live_parts.h"

#include "../session/ring.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>

#define RECORDS_MAX (1u << 16) /* of a ring, the latest */
#define KINDS_MAX   64u        /* things that are waited for; more are left out */

struct waited {
    uint64_t payload, ns;
    bool held; /* somebody has held it: it is a lock, or like one, though it may just be free */
};

/* The place of what has that payload; NULL: there is no room. */
static struct waited *find(struct waited *list, uint32_t *count, uint64_t payload)
{
    uint32_t i = 0;

    while (i < *count && list[i].payload != payload)
        i++;
    if (i == KINDS_MAX)
        return NULL;
    if (i == *count)
        list[(*count)++] = (struct waited){payload, 0, false};
    return &list[i];
}

static void add(struct waited *list, uint32_t *count, uint64_t payload, uint64_t ns)
{
    struct waited *w = find(list, count, payload);

    if (w)
        w->ns += ns;
}

/* The waits, and what was held, of one ring within the time from `from` on. Returns how much of that time its
 * events cover: whoever has had the lock again and again has filled its ring soon. */
static uint64_t add_ring(struct grosr_live *live, const struct grosr_pair *e, uint32_t n, uint64_t from,
                         struct waited *list, uint32_t *count)
{
    uint64_t first = n ? live_host_time(live, grosr_event_time(e[0])) : 0, since = 0, payload = 0;

    if (!first || first >= live->now_ns)
        return 0;
    if (first > from)
        from = first;
    for (uint32_t i = 0; i <= n; i++) {
        uint32_t kind = i < n ? grosr_event_kind(e[i]) : (uint32_t)GROSR_EV_WAIT_END;
        struct waited *held = kind == GROSR_EV_HOLD ? find(list, count, grosr_event_payload(e[i])) : NULL;
        if (held)
            held->held = true;
        if (kind != GROSR_EV_WAIT_BEGIN && kind != GROSR_EV_WAIT_END)
            continue;
        uint64_t at = i < n ? live_host_time(live, grosr_event_time(e[i])) : live->now_ns;
        if (since && at > from && at > since)
            add(list, count, payload, at - (since > from ? since : from));
        since = kind == GROSR_EV_WAIT_BEGIN ? at : 0;
        payload = i < n ? grosr_event_payload(e[i]) : 0;
    }
    return live->now_ns - from;
}

uint64_t live_hot_in_rings(struct grosr_live *live, uint64_t window_ns, double *share)
{
    struct grosr_pair *e = (struct grosr_pair *)malloc(RECORDS_MAX * sizeof(*e));
    uint64_t from = live->now_ns > window_ns ? live->now_ns - window_ns : 0, end;
    uint64_t all = 0, covered = 0; /* of all workers' time */
    struct waited list[KINDS_MAX];
    uint32_t count = 0, best = 0;

    for (uint32_t i = 0; e && i < live->session->header.rings; i++) {
        uint32_t worker = live->session->ring[i].worker;
        if (worker >= live->session->header.workers || !live->worker[worker].known)
            continue;
        uint32_t n = grosr_ring_latest(live->session, i, 0, e, RECORDS_MAX, &end);
        covered += add_ring(live, e, n, from, list, &count);
        all += window_ns;
    }
    free(e);
    for (uint32_t i = 1; i < count; i++)
        if (list[i].held > list[best].held || (list[i].held == list[best].held && list[i].ns > list[best].ns))
            best = i;
    /* Too short a time says nothing. */
    *share = count && list[best].held && covered >= all / 4 ? (double)list[best].ns / (double)all : 0;
    return count ? list[best].payload : 0;
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
