/*
 * Tasks that are suspended, from the events that are still in the rings: a suspension after which no event of
 * that task is later. Its resumption may be in another worker's ring, so all rings are read, and the latest
 * event of each task counts.
 */
#include "live_parts.h"

#include "../session/ring.h"

#include <stdlib.h>

#define RECORDS_MAX (1u << 21) /* of all rings together */

/* The latest event of a task: an open-addressed table. */
struct latest {
    uint64_t key; /* task + 1; 0: unused */
    uint64_t time;
    uint32_t kind, function;
};

static void note(struct latest *table, uint64_t mask, struct grosr_pair e)
{
    uint64_t payload = grosr_event_payload(e), task = payload & GROSR_TASK_ID_MASK;
    uint64_t time = grosr_event_time(e), i = (task * 0x9e3779b97f4a7c15u >> 20) & mask;

    while (table[i].key && table[i].key != task + 1)
        i = (i + 1) & mask;
    /* Modulo 2^48: the difference is small. */
    if (table[i].key && ((time - table[i].time) & GROSR_TIME_MASK) > GROSR_TIME_MASK / 2)
        return;
    table[i] =
        (struct latest){task + 1, time, grosr_event_kind(e), (uint32_t)(payload >> GROSR_TASK_ID_BITS)};
}

static bool is_of_task(uint32_t kind)
{
    return kind == GROSR_EV_TASK_BEGIN || kind == GROSR_EV_TASK_END || kind == GROSR_EV_TASK_SUSPEND ||
           kind == GROSR_EV_TASK_RESUME;
}

/* Reads the rings into a table that has room for all there can be. NULL: no memory, which is no evidence. */
static struct latest *read_rings(const struct grosr_live *live, uint64_t *mask)
{
    const struct grosr_session_header *h = &live->session->header;
    uint32_t most = h->rings ? RECORDS_MAX / h->rings : 0;
    uint64_t all = 0, size = 64;

    for (uint32_t i = 0; i < h->rings; i++)
        all += live->session->ring[i].capacity < most ? live->session->ring[i].capacity : most;
    while (size < 2 * all)
        size *= 2;
    struct latest *table = (struct latest *)calloc(size, sizeof(*table));
    struct grosr_pair *e = (struct grosr_pair *)malloc((most ? most : 1) * sizeof(*e));
    for (uint32_t i = 0; table && e && i < h->rings; i++) {
        uint64_t end;
        uint32_t n = live->session->ring[i].worker == GROSR_RING_HOST
                         ? 0
                         : grosr_ring_latest(live->session, i, 0, e, most, &end);
        for (uint32_t k = 0; k < n; k++)
            if (is_of_task(grosr_event_kind(e[k])))
                note(table, size - 1, e[k]);
    }
    if (!e) {
        free(table);
        table = NULL;
    }
    free(e);
    *mask = size - 1;
    return table;
}

uint32_t live_suspended(struct grosr_live *live, struct live_suspended_task *task, uint32_t max)
{
    uint64_t mask;
    struct latest *table = read_rings(live, &mask);
    uint32_t found = 0;

    for (uint64_t i = 0; table && i <= mask; i++) {
        if (!table[i].key || table[i].kind != GROSR_EV_TASK_SUSPEND)
            continue;
        struct live_suspended_task t = {table[i].key - 1, live_host_time(live, table[i].time),
                                        table[i].function};
        uint32_t at = found < max ? found : max;
        for (; at > 0 && task[at - 1].since_ns > t.since_ns; at--)
            if (at < max)
                task[at] = task[at - 1];
        if (at < max)
            task[at] = t;
        found++;
    }
    free(table);
    return found;
}
