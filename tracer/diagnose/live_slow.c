/*
 * What the rings say of waits and tasks that the graph has no reason to call stuck (live.h): who is overtaken
 * by others, who waits for a lock whose task does not run, and a task that has no end though all others of
 * its function had one. All of it is evidence that was recorded, none of it a matter of the threshold alone.
 */
#include "live_parts.h"

#include "../session/ring.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define RECORDS_MAX   (1u << 14) /* of a ring, the latest */
#define OVERTAKEN_MIN 16u        /* times, before that is called unfair */
#define ENDED_MIN     32u        /* runs of a function, before one is called unusual */
#define LONGER        30u        /* times as long as the longest of them */
#define OPEN_MAX      64u        /* runs at a time in a ring: lanes */
#define RUNS_MAX      1024u      /* whose lengths are compared */

/* ---- waits ---- */

static uint64_t payload_of(const struct live_worker *w)
{
    return grosr_payload_wait(w->state.resource, w->state.index);
}

static bool waits_long(const struct live_graph *g, uint32_t index)
{
    const struct live_worker *w = &g->live->worker[index];

    return w->known && w->state.activity == GROSR_WAITING && grosr_resource_has_name(w->state.resource) &&
           live_age(g->live, w->since_ns) > g->findings->threshold_ns;
}

/* How often others have acquired it since the wait began. */
static uint32_t overtaken(struct live_graph *g, uint32_t index, struct grosr_pair *e)
{
    const struct live_worker *w = &g->live->worker[index];
    uint64_t payload = payload_of(w), end;
    uint32_t times = 0;

    for (uint32_t i = 0; i < g->live->session->header.rings; i++) {
        uint32_t worker = g->live->session->ring[i].worker;
        if (worker == index || worker == GROSR_RING_HOST)
            continue;
        uint32_t n = grosr_ring_latest(g->live->session, i, 0, e, RECORDS_MAX, &end);
        for (uint32_t k = 0; k < n; k++)
            times += grosr_event_kind(e[k]) == GROSR_EV_HOLD && grosr_event_payload(e[k]) == payload &&
                     ((grosr_event_time(e[k]) - w->state.since) & GROSR_TIME_MASK) < GROSR_TIME_MASK / 2;
    }
    return times;
}

static void find_overtaken(struct live_graph *g, uint32_t index, struct grosr_pair *e)
{
    const struct live_worker *w = &g->live->worker[index];
    uint32_t times = live_holds_know(g->holds, payload_of(w)) ? overtaken(g, index, e) : 0;
    char name[LIVE_TEXT], text[LIVE_TEXT + 64], age[32];

    if (times < OVERTAKEN_MIN)
        return;
    live_resource(g->live, w->state.resource, w->state.index, name, sizeof(name));
    grosr_duration_text(age, sizeof(age), live_age(g->live, w->since_ns));
    snprintf(text, sizeof(text), "worker %" PRIu32 " waits for %s, which others get again and again", index,
             name);
    struct grosr_finding *f = grosr_findings_add(g->findings, GROSR_VERDICT_SLOW, "unfair_lock",
                                                 live_age(g->live, w->since_ns), text, NULL);
    grosr_finding_evidence(g->findings, f,
                           "worker %" PRIu32 " has waited for %s; others have acquired it %" PRIu32
                           " times since then",
                           index, age, times);
    live_describe_holds(g, f, payload_of(w));
    snprintf(text, sizeof(text), "worker %" PRIu32, index);
    grosr_finding_worker(g->findings, f, text);
    grosr_finding_resource(g->findings, f, name);
}

/* Whether the task that a worker was in when it last acquired the resource has ended or is suspended. */
static bool has_left(const struct live_graph *g, uint32_t worker, uint64_t payload, struct grosr_pair *e)
{
    bool left = false;
    uint64_t end;

    for (uint32_t i = 0; i < g->live->session->header.rings; i++) {
        if (g->live->session->ring[i].worker != worker)
            continue;
        uint32_t n = grosr_ring_latest(g->live->session, i, 0, e, RECORDS_MAX, &end);
        for (uint32_t k = 0; k < n; k++) {
            uint32_t kind = grosr_event_kind(e[k]);
            if (kind == GROSR_EV_HOLD && grosr_event_payload(e[k]) == payload)
                left = false;
            else if (kind == GROSR_EV_TASK_END || kind == GROSR_EV_TASK_SUSPEND)
                left = true;
        }
    }
    return left;
}

/* The holder's worker has done something else since, in this moment perhaps nothing: its next task is due. */
static const struct live_hold *suspended_holder(const struct live_graph *g, uint64_t payload,
                                                struct grosr_pair *e)
{
    for (uint32_t i = 0; i < g->holds->holds; i++) {
        const struct live_hold *h = &g->holds->hold[i];
        const struct live_worker *w = &g->live->worker[h->worker];
        if (h->payload == payload && h->count && w->known && w->state.activity != GROSR_STOPPED &&
            live_age(g->live, h->since) > g->findings->threshold_ns && w->since_ns > h->since &&
            has_left(g, h->worker, payload, e))
            return h;
    }
    return NULL;
}

static void find_inversion(struct live_graph *g, uint32_t index, struct grosr_pair *e)
{
    const struct live_worker *w = &g->live->worker[index];
    const struct live_hold *h = suspended_holder(g, payload_of(w), e);
    char name[LIVE_TEXT], text[LIVE_TEXT + 128], age[32], function[GROSR_NAME_BYTES];

    if (!h)
        return;
    const struct live_worker *holder = &g->live->worker[h->worker];
    live_resource(g->live, w->state.resource, w->state.index, name, sizeof(name));
    snprintf(text, sizeof(text),
             "worker %" PRIu32 " waits for %s, which a task of worker %" PRIu32 " holds that does not run",
             index, name, h->worker);
    struct grosr_finding *f = grosr_findings_add(g->findings, GROSR_VERDICT_SLOW, "priority_inversion",
                                                 live_age(g->live, w->since_ns), text, NULL);
    grosr_duration_text(age, sizeof(age), live_age(g->live, h->since));
    live_function(g->live, holder->state.function, function, sizeof(function));
    if (holder->state.activity == GROSR_IN_TASK)
        snprintf(text, sizeof(text), "is in task %" PRIu64 " of function %s, which began later",
                 holder->state.task, function);
    else
        snprintf(text, sizeof(text), "has left that task since");
    grosr_finding_evidence(g->findings, f, "worker %" PRIu32 " acquired it %s ago, and %s", h->worker, age,
                           text);
    snprintf(text, sizeof(text), "worker %" PRIu32, index);
    grosr_finding_worker(g->findings, f, text);
    snprintf(text, sizeof(text), "worker %" PRIu32, h->worker);
    grosr_finding_worker(g->findings, f, text);
    grosr_finding_resource(g->findings, f, name);
}

/* ---- tasks ---- */

struct runs {
    uint32_t ended;
    uint64_t longest_ns;
    uint64_t ns[RUNS_MAX]; /* of the first of them */
};

static bool begins(struct grosr_pair e)
{
    return grosr_event_kind(e) == GROSR_EV_TASK_BEGIN || grosr_event_kind(e) == GROSR_EV_TASK_RESUME;
}

/* Runs of a function that have ended in a ring's records. */
static void add_runs(struct runs *r, uint32_t function, const struct grosr_pair *e, uint32_t n)
{
    struct grosr_pair open[OPEN_MAX];
    uint32_t opens = 0;

    for (uint32_t i = 0; i < n; i++) {
        uint64_t payload = grosr_event_payload(e[i]);
        uint32_t kind = grosr_event_kind(e[i]);
        if (begins(e[i]) && payload >> GROSR_TASK_ID_BITS == function)
            open[opens < OPEN_MAX ? opens++ : OPEN_MAX - 1] = e[i];
        if (kind != GROSR_EV_TASK_END && kind != GROSR_EV_TASK_SUSPEND)
            continue;
        for (uint32_t k = 0; k < opens; k++) {
            if ((grosr_event_payload(open[k]) ^ payload) & GROSR_TASK_ID_MASK)
                continue;
            uint64_t ns = (grosr_event_time(e[i]) - grosr_event_time(open[k])) & GROSR_TIME_MASK;
            r->longest_ns = ns > r->longest_ns ? ns : r->longest_ns;
            if (r->ended < RUNS_MAX)
                r->ns[r->ended] = ns;
            r->ended++;
            open[k] = open[--opens];
            break;
        }
    }
}

static int by_length(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

    return x < y ? -1 : x > y;
}

/* Whether the function's runs are about equally long: what its input makes long or short may just be long. */
static bool are_even(struct runs *r)
{
    uint32_t n = r->ended < RUNS_MAX ? r->ended : RUNS_MAX;

    qsort(r->ns, n, sizeof(*r->ns), by_length);
    return n && r->ns[n - 1 - n / 10] <= GROSR_ENDLESS_UNEVEN * r->ns[n / 2];
}

/* The remark that says that the task has been running for long; NULL: there is none. */
static struct grosr_finding *remark_of(const struct live_graph *g)
{
    for (uint32_t i = 0; i < g->findings->findings; i++)
        if (!strcmp(g->findings->finding[i].kind, "long_task"))
            return &g->findings->finding[i];
    return NULL;
}

/* A task that is much longer than all others of its function. With less evidence than is in findings.h that
 * is only remarked: work may be long. */
static void find_endless(struct live_graph *g, uint32_t index, struct grosr_pair *e, struct runs *runs)
{
    const struct live_worker *w = &g->live->worker[index];
    uint64_t quiet = live_age(g->live, w->quiet_ns), end;
    char text[LIVE_TEXT + 64], function[GROSR_NAME_BYTES], age[32], longest[32];
    struct grosr_finding *f = remark_of(g);

    runs->ended = 0;
    runs->longest_ns = 0;
    for (uint32_t i = 0; i < g->live->session->header.rings; i++)
        if (g->live->session->ring[i].worker != GROSR_RING_HOST)
            add_runs(runs, w->state.function, e,
                     grosr_ring_latest(g->live->session, i, 0, e, RECORDS_MAX, &end));
    if (runs->ended < ENDED_MIN || quiet / LONGER <= runs->longest_ns)
        return;
    bool even = are_even(runs);
    live_function(g->live, w->state.function, function, sizeof(function));
    if (grosr_is_endless(g->findings, runs->ended, runs->longest_ns, even, quiet)) {
        snprintf(text, sizeof(text), "a task of function %s does not end, and nothing else moves", function);
        f = grosr_findings_add(g->findings, GROSR_VERDICT_STALLED, "endless_task", quiet, text, NULL);
        snprintf(text, sizeof(text), "worker %" PRIu32, index);
        grosr_finding_worker(g->findings, f, text);
    }
    grosr_finding_evidence(g->findings, f,
                           "worker %" PRIu32 ": task %" PRIu64 " has been silent for %s; the %" PRIu32
                           " runs of %s that have ended took %s at most%s",
                           index, w->state.task, grosr_duration_text(age, sizeof(age), quiet), runs->ended,
                           function, grosr_duration_text(longest, sizeof(longest), runs->longest_ns),
                           even ? ", about as long as each other" : ", some much longer than others");
}

void live_slow(struct live_graph *g)
{
    struct grosr_pair *e = (struct grosr_pair *)malloc(RECORDS_MAX * sizeof(*e));
    struct runs *runs = (struct runs *)malloc(sizeof(*runs));

    for (uint32_t i = 0; e && runs && i < g->live->session->header.workers; i++) {
        const struct live_worker *w = &g->live->worker[i];
        if (!g->still && waits_long(g, i)) {
            find_overtaken(g, i, e);
            find_inversion(g, i, e);
        }
        if (g->still && w->known && w->state.activity == GROSR_IN_TASK &&
            live_age(g->live, w->quiet_ns) > g->findings->threshold_ns)
            find_endless(g, i, e, runs);
    }
    free(runs);
    free(e);
}
