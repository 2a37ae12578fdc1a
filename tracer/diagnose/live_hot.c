/*
 * What workers have waited for most of their time, by the waits in their rings: of a segment that its process
 * has left, which can be looked at only once. A wait that has not ended counts up to the last sign of life.
 */
#include "live_parts.h"

#include "../session/ring.h"

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
