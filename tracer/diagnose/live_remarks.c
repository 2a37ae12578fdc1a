/*
 * Findings of a live session that are no graph: what is remarked on and changes no verdict, tasks that nobody
 * takes or ends, and what is slow.
 */
#include "live_parts.h"

#include <inttypes.h>
#include <stdio.h>

#define SHOWN_MAX 4u  /* of workers or tasks in one finding */
#define HOT_SHARE 0.6 /* of the looks, or of the time: at least half of the workers wait for one lock */

/* Whether the worker is in a task that nothing has been seen of for longer than the threshold, and not in a
 * wait that the graph knows. */
static bool is_long(const struct live_graph *g, uint32_t worker)
{
    const struct live_worker *w = &g->live->worker[worker];

    return w->known && w->state.activity == GROSR_IN_TASK &&
           live_age(g->live, w->quiet_ns) > g->findings->threshold_ns &&
           grosr_graph_actor_view(g->graph, g->worker[worker]).state == GROSR_ACTOR_UNSEEN;
}

static void remark_long_tasks(struct live_graph *g)
{
    struct grosr_live *live = g->live;
    char text[32], age[32], function[GROSR_NAME_BYTES];
    uint64_t oldest = 0;
    uint32_t n = 0;

    for (uint32_t i = 0; i < live->session->header.workers; i++) {
        uint64_t quiet = live_age(live, live->worker[i].quiet_ns);
        n += is_long(g, i);
        if (is_long(g, i) && quiet > oldest)
            oldest = quiet;
    }
    if (!n)
        return;
    struct grosr_finding *f =
        grosr_findings_add(g->findings, GROSR_VERDICT_HEALTHY, "long_task", oldest,
                           n == 1 ? "a task has been running for long without a sign of life"
                                  : "tasks have been running for long without a sign of life",
                           NULL);
    n = 0;
    for (uint32_t i = 0; i < live->session->header.workers; i++) {
        const struct live_worker *w = &live->worker[i];
        if (!is_long(g, i))
            continue;
        snprintf(text, sizeof(text), "worker %" PRIu32, i);
        grosr_finding_worker(g->findings, f, text);
        if (n++ >= SHOWN_MAX)
            continue;
        live_function(live, w->state.function, function, sizeof(function));
        grosr_finding_evidence(g->findings, f, "%s: in task %" PRIu64 " of function %s for %s", text,
                               w->state.task, function,
                               grosr_duration_text(age, sizeof(age), live_age(live, w->quiet_ns)));
    }
    if (n > SHOWN_MAX)
        grosr_finding_evidence(g->findings, f, "and %" PRIu32 " more", n - SHOWN_MAX);
}

void live_remark_stopped(struct live_graph *g)
{
    struct grosr_finding *f =
        grosr_findings_add(g->findings, GROSR_VERDICT_HEALTHY, "process_stopped", 0,
                           g->live->process_state == 't' ? "the process is stopped by a debugger"
                                                         : "the process is stopped by a signal",
                           NULL);

    grosr_finding_evidence(g->findings, f, "/proc/%" PRIu32 "/stat: state %c", g->live->session->header.pid,
                           g->live->process_state);
}

void live_remark_starved(struct live_graph *g, uint32_t tid)
{
    struct grosr_finding *f = grosr_findings_add(g->findings, GROSR_VERDICT_HEALTHY, "cpu_starved", 0,
                                                 "threads of the process wait for a CPU", NULL);

    grosr_finding_evidence(g->findings, f,
                           "thread %" PRIu32
                           " can run, and has been given no CPU since the first look (/proc/%" PRIu32
                           "/task/%" PRIu32 "/schedstat)",
                           tid, g->live->session->header.pid, tid);
}

/* At level `off` the workers write nothing, and a runtime that stands still may be in a long task. */
static void remark_silent(struct live_graph *g)
{
    struct grosr_finding *f;

    if (!g->still || (!g->live->untaken && !g->live->uncompleted) ||
        sys_load_relaxed(&grosr_session_live(g->live->session)->level) >= GROSR_LEVEL_COUNTERS)
        return;
    f = grosr_findings_add(g->findings, GROSR_VERDICT_HEALTHY, "not_reporting",
                           g->live->now_ns - live_still_since(g->live),
                           "no queue moves, and what the workers do is not known", NULL);
    grosr_finding_evidence(g->findings, f, "the trace level is `off`: the workers write no state");
    grosr_finding_evidence(g->findings, f,
                           "%" PRIu64 " tasks are in queues, and %" PRIu64 " submitted ones not completed",
                           g->live->untaken, g->live->uncompleted);
}

/* Workers that look for tasks, tasks in a queue, and nobody has taken one for longer than the threshold. */
static void find_unserved(struct live_graph *g)
{
    struct grosr_live *live = g->live;
    uint32_t seekers = 0;
    uint64_t oldest = 0, since;

    if (!live->untaken || !g->still || live->untaken_looks != live->looks)
        return;
    for (uint32_t i = 0; i < live->session->header.workers; i++)
        seekers += live->worker[i].idle_always;
    for (uint32_t i = 0; i < live->session->header.queues; i++) {
        since = grosr_session_queue_oldest(live->session, i);
        if (since && live_age(live, since) > oldest)
            oldest = live_age(live, since);
    }
    if (seekers == 0 && live->started)
        return; /* all are busy or wait: the graph says more */
    if (!live->started && sys_load_relaxed(&grosr_session_live(live->session)->level) < GROSR_LEVEL_COUNTERS)
        return;
    if (!live->started && sys_load_relaxed(&grosr_session_live(live->session)->stop))
        return; /* they have stopped as they were told to; the tasks are cancelled when the runtime is
                   finished */
    struct grosr_finding *f = grosr_findings_add(
        g->findings, GROSR_VERDICT_STALLED, live->started ? "queue_not_served" : "no_worker",
        oldest ? oldest : live->now_ns - live_still_since(live),
        live->started ? "tasks wait in a queue, workers look for tasks, and nobody takes them"
                      : "tasks wait in a queue, and no worker has started or all have stopped",
        NULL);
    grosr_finding_evidence(g->findings, f, "%" PRIu64 " tasks are in the queue, the oldest for %.1f s",
                           live->untaken, (double)oldest / 1e9);
    grosr_finding_evidence(g->findings, f, "%" PRIu32 " of %" PRIu32 " workers look for tasks", seekers,
                           live->session->header.workers);
    grosr_finding_resource(g->findings, f, "a task in queue 0");
}

/* Tasks that were submitted; spawned; and runs of tasks. */
static uint64_t count_tasks(const struct grosr_live *live, uint64_t *run, uint64_t *spawned)
{
    uint64_t enqueued = 0;

    for (uint32_t i = 0; i < live->session->header.workers; i++) {
        struct grosr_worker_state state;
        struct grosr_worker_counts counts = {0};
        grosr_worker_read(live->session, i, &state, &counts);
        *run += counts.tasks;
        *spawned += counts.spawned;
    }
    for (uint32_t i = 0; i < live->session->header.queues; i++)
        enqueued += sys_load_relaxed(&grosr_session_queue(live->session, i)->enqueued);
    return enqueued;
}

static void add_suspended(struct live_graph *g, struct grosr_finding *f, const struct live_suspended_task *t)
{
    char then[GROSR_NAME_BYTES + 32] = "waits for its children", name[GROSR_NAME_BYTES], age[32];

    if (t->function != GROSR_TASK_NOTHING) {
        live_function(g->live, t->function, name, sizeof(name));
        snprintf(then, sizeof(then), "will continue as %s", name);
    }
    grosr_finding_evidence(g->findings, f, "task %" PRIu64 " was suspended %s ago and %s", t->task,
                           grosr_duration_text(age, sizeof(age), live_age(g->live, t->since_ns)), then);
}

/* Submitted tasks that no queue has and no worker runs: each waits in its frame for others, or its result has
 * not been collected. */
static void find_lost(struct live_graph *g)
{
    struct grosr_live *live = g->live;
    const uint32_t *a = live->activity;
    struct live_suspended_task task[SHOWN_MAX];
    uint64_t run = 0, spawned = 0, enqueued;
    bool continues = false;
    uint32_t shown;

    for (uint32_t i = 0; i < live->mailbox.calls; i++)
        if (live->mailbox.call[i].requests)
            return;
    if (!g->still || live->untaken || !live->uncompleted || !live->started || a[GROSR_IN_TASK] ||
        a[GROSR_WAITING] || a[GROSR_RUNNING])
        return;
    enqueued = count_tasks(live, &run, &spawned);
    shown = live_suspended(live, task, SHOWN_MAX);
    /* A task that only waits for its children has no event when it is complete. */
    for (uint32_t i = 0; i < shown && i < SHOWN_MAX; i++)
        continues |= task[i].function != GROSR_TASK_NOTHING;
    bool waits = continues || run < enqueued + spawned;
    struct grosr_finding *f = grosr_findings_add(
        g->findings, waits ? GROSR_VERDICT_STALLED : GROSR_VERDICT_HEALTHY,
        waits ? "dependency_never_met" : "results_not_collected", live->now_ns - live_still_since(live),
        waits ? "submitted tasks wait for other tasks, and none of those is queued or runs"
              : "tasks have ended, and the host has not collected their results",
        NULL);
    grosr_finding_evidence(g->findings, f,
                           "%" PRIu64 " submitted tasks are not completed; no queue has one, and all %" PRIu32
                           " workers look for tasks",
                           live->uncompleted, live->started);
    grosr_finding_evidence(
        g->findings, f, "%" PRIu64 " tasks were submitted and %" PRIu64 " spawned; workers have run %" PRIu64,
        enqueued, spawned, run);
    for (uint32_t i = 0; i < shown && i < SHOWN_MAX; i++)
        add_suspended(g, f, &task[i]);
}

/* ---- slow ---- */

/* Of a live session by looks; of a dead one by its rings. */
static void find_hot_lock(struct live_graph *g, uint64_t watched)
{
    struct grosr_live *live = g->live;
    double share = live->looks ? (double)live->hot.looks / live->looks : 0;
    uint64_t payload = live->hot.payload;
    char text[LIVE_TEXT], summary[LIVE_TEXT + 64];

    if (live->dead)
        payload = live_hot_in_rings(live, watched, &share);
    if (share < HOT_SHARE || !payload || (!live->dead && !live_holds_know(g->holds, payload)))
        return;
    live_resource(live, (uint32_t)(payload >> GROSR_WAIT_RES_BITS),
                  payload & ((UINT64_C(1) << GROSR_WAIT_RES_BITS) - 1), text, sizeof(text));
    snprintf(summary, sizeof(summary), "most workers wait for %s most of the time", text);
    struct grosr_finding *f =
        grosr_findings_add(g->findings, GROSR_VERDICT_SLOW, "hot_lock", watched, summary, NULL);
    if (live->dead)
        grosr_finding_evidence(g->findings, f,
                               "for %.0f %% of the last %.1f s at least half of the %" PRIu32
                               " workers waited for it",
                               100 * share, (double)watched / 1e9, live->started);
    else
        grosr_finding_evidence(g->findings, f,
                               "in %" PRIu32 " of %" PRIu32 " looks at least half of the %" PRIu32
                               " workers waited for it",
                               live->hot.looks, live->looks, live->started);
    live_describe_holds(g, f, payload);
    grosr_finding_resource(g->findings, f, text);
}

static void find_unfair_queue(struct live_graph *g, uint64_t watched)
{
    struct grosr_live *live = g->live;
    uint32_t idle = 0;

    for (uint32_t i = 0; i < live->session->header.workers; i++)
        idle += live->worker[i].idle_always;
    if (live->untaken_looks != live->looks || !idle || live->untaken < idle)
        return;
    struct grosr_finding *f = grosr_findings_add(g->findings, GROSR_VERDICT_SLOW, "unfair_queue", watched,
                                                 "workers find no task while others have tasks queued", NULL);
    grosr_finding_evidence(
        g->findings, f,
        "%" PRIu32 " of %" PRIu32
        " workers have looked for a task all the time, for %.1f s, and the queue was never "
        "empty",
        idle, live->started, (double)watched / 1e9);
    grosr_finding_resource(g->findings, f, "a task in queue 0");
}

/* What is seen for as long as the threshold in a session that moves. */
static void find_slow(struct live_graph *g)
{
    uint64_t watched = g->live->now_ns - g->live->first_ns;

    if (g->still)
        return;
    if (g->live->dead)
        find_hot_lock(g, g->findings->threshold_ns);
    if (watched < g->findings->threshold_ns || g->live->looks < 10)
        return;
    find_hot_lock(g, watched);
    find_unfair_queue(g, watched);
}

void live_remarks(struct live_graph *g)
{
    remark_long_tasks(g);
    remark_silent(g);
    find_unserved(g);
    find_lost(g);
    find_slow(g);
    live_slow(g);
}
