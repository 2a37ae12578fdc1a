/*
 * Who holds what, as the events say that are still in the rings: of each ring the latest are read in place,
 * in order, so that a HOLD without its RELEASE is left over. What was held before the oldest of them is not
 * known.
 */
#include "live_parts.h"

#include "../base/error.h"
#include "../session/ring.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define RECORDS_MAX  (1u << 22) /* of all rings together: 64 MiB */
#define HOST_RECORDS 4096u      /* of the host's ring, the latest */

/* Of one worker, or NULL. */
static struct live_hold *find(struct live_holds *h, uint64_t payload, uint32_t worker)
{
    for (uint32_t i = h->holds; i-- > 0;)
        if (h->hold[i].payload == payload && h->hold[i].worker == worker)
            return &h->hold[i];
    return NULL;
}

static struct live_hold *make(struct live_holds *h, uint64_t payload, uint32_t worker)
{
    struct live_hold *found = find(h, payload, worker);

    if (found)
        return found;
    if (h->holds == h->room) {
        uint32_t room = h->room ? 2 * h->room : 64;
        struct live_hold *grown = (struct live_hold *)realloc(h->hold, room * sizeof(*grown));
        if (!grown)
            return NULL;
        h->hold = grown;
        h->room = room;
    }
    h->hold[h->holds] = (struct live_hold){.payload = payload, .worker = worker};
    return &h->hold[h->holds++];
}

static bool is_waited_for(const struct grosr_live *live, uint64_t payload)
{
    for (uint32_t i = 0; i < live->session->header.workers; i++) {
        const struct grosr_worker_state *s = &live->worker[i].state;
        if (live->worker[i].known && s->activity == GROSR_WAITING &&
            grosr_payload_wait(s->resource, s->index) == payload)
            return true;
    }
    return false;
}

static int read_worker(struct grosr_live *live, struct live_holds *h, uint32_t worker,
                       const struct grosr_pair *e, uint32_t n)
{
    uint32_t ranges = 0;
    uint64_t last = 0; /* payload that was found to be waited for, or not to be */
    bool wanted = false;

    for (uint32_t i = 0; i < n; i++) {
        uint32_t kind = grosr_event_kind(e[i]);
        uint64_t payload = grosr_event_payload(e[i]);
        if (kind == GROSR_EV_RANGE_BEGIN)
            ranges++;
        else if (kind == GROSR_EV_RANGE_END)
            ranges -= ranges > 0;
        if (kind != GROSR_EV_HOLD && kind != GROSR_EV_RELEASE)
            continue;
        h->any_named = true;
        if (payload != last) {
            last = payload;
            wanted = is_waited_for(live, payload);
        }
        if (!wanted)
            continue;
        struct live_hold *hold = make(h, payload, worker);
        if (!hold)
            return grosr_fail(ENOMEM, "out of memory");
        if (kind == GROSR_EV_HOLD) {
            hold->since = hold->count ? hold->since : live_host_time(live, grosr_event_time(e[i]));
            hold->count++;
        } else {
            hold->count -= hold->count > 0;
        }
    }
    live->worker[worker].in_range = ranges > 0;
    return 0;
}

/* The host's ring: several threads write it, so only whether any of them waits is known. */
static void read_host(struct grosr_live *live, struct live_holds *h, uint32_t ring,
                      const struct grosr_pair *e, uint32_t n)
{
    const uint64_t room = grosr_payload_wait(GROSR_RES_QUEUE_NOT_FULL, 0);
    uint32_t waits = 0;
    uint64_t since = 0;

    for (uint32_t i = 0; i < n; i++) {
        if (grosr_event_payload(e[i]) != room)
            continue;
        if (grosr_event_kind(e[i]) == GROSR_EV_WAIT_BEGIN) {
            waits++;
            since = live_ring_time(live, ring, e[i]);
        } else if (grosr_event_kind(e[i]) == GROSR_EV_WAIT_END && waits) {
            waits--;
        }
    }
    if (waits)
        h->host_waits_since = since;
}

/* Whether it matters who holds what: reading all rings takes up to some 50 ms. */
static bool matters(const struct grosr_live *live, uint64_t threshold_ns)
{
    if (live->dead || live->hot.looks * 2 > live->looks)
        return true;
    for (uint32_t i = 0; i < live->session->header.workers; i++)
        if (live->worker[i].known && live->worker[i].state.activity == GROSR_WAITING &&
            live_age(live, live->worker[i].since_ns) >= threshold_ns)
            return true;
    return false;
}

int live_holds_read(struct grosr_live *live, uint64_t threshold_ns, struct live_holds *h)
{
    const struct grosr_session_header *header = &live->session->header;
    uint32_t most = header->rings ? RECORDS_MAX / header->rings : 0, largest = 0;
    bool all = matters(live, threshold_ns);
    int err = 0;

    memset(h, 0, sizeof(*h));
    for (uint32_t i = 0; i < header->rings; i++)
        if (live->session->ring[i].capacity > largest)
            largest = live->session->ring[i].capacity;
    if (largest > (all ? most : HOST_RECORDS))
        largest = all ? most : HOST_RECORDS;
    if (!largest)
        return 0;
    struct grosr_pair *e = (struct grosr_pair *)malloc(largest * sizeof(*e));
    if (!e)
        return grosr_fail(ENOMEM, "out of memory");
    for (uint32_t i = 0; !err && i < header->rings; i++) {
        uint32_t worker = live->session->ring[i].worker;
        uint64_t end;
        if (worker != GROSR_RING_HOST && (worker >= header->workers || !all))
            continue;
        uint32_t max = worker == GROSR_RING_HOST && largest > HOST_RECORDS ? HOST_RECORDS : largest;
        uint32_t n = grosr_ring_latest(live->session, i, 0, e, max, &end);
        if (worker == GROSR_RING_HOST)
            read_host(live, h, i, e, n);
        else
            err = read_worker(live, h, worker, e, n);
    }
    free(e);
    return err;
}

void live_holds_free(struct live_holds *h)
{
    free(h->hold);
}

bool live_holds_know(const struct live_holds *h, uint64_t payload)
{
    for (uint32_t i = 0; i < h->holds; i++)
        if (h->hold[i].payload == payload)
            return true;
    return false;
}
