/*
 * Findings of a live session that are no graph: what is remarked on and changes no verdict, tasks that nobody
 * takes or ends, and what is slow.
 */
#include "live_parts.h"

#include <inttypes.h>
#include <stdio.h>

static uint32_t add_remark_workers(struct grosr_live *live, struct grosr_findings *findings,
                                   struct grosr_finding *f, enum grosr_activity a, uint64_t older_than)
{
    char text[LIVE_TEXT], age[32], function[GROSR_NAME_BYTES];
    uint32_t n = 0;

    for (uint32_t i = 0; i < live->session->header.workers; i++) {
        const struct live_worker *w = &live->worker[i];
        uint64_t quiet = live_age(live, w->quiet_ns);
        if (!w->known || w->state.activity != a || quiet <= older_than)
            continue;
        snprintf(text, sizeof(text), "worker %" PRIu32, i);
        grosr_finding_worker(findings, f, text);
        if (n++ >= 4)
            continue;
        live_function(live, w->state.function, function, sizeof(function));
        live_seconds(age, sizeof(age), quiet);
        if (a == GROSR_IN_TASK)
            grosr_finding_evidence(findings, f,
                                   "worker %" PRIu32 ": in task %" PRIu64 " of function %s for %s", i,
                                   w->state.task, function, age);
        else
            grosr_finding_evidence(findings, f, "worker %" PRIu32 ": the same state for %s", i, age);
    }
    if (n > 4)
        grosr_finding_evidence(findings, f, "and %" PRIu32 " more", n - 4);
    return n;
}

/* Tasks that have been running for long, of workers that the graph does not say more of. */
static void remark_long_tasks(struct live_graph *g)
{
    struct grosr_live *live = g->live;
    uint64_t oldest = 0;
    uint32_t n = 0;

    for (uint32_t i = 0; i < live->session->header.workers; i++) {
        const struct live_worker *w = &live->worker[i];
        uint64_t quiet = live_age(live, w->quiet_ns);
        if (!w->known || w->state.activity != GROSR_IN_TASK || quiet <= g->findings->threshold_ns ||
            grosr_graph_actor_view(g->graph, g->worker[i]).state != GROSR_ACTOR_UNSEEN)
            continue;
        oldest = quiet > oldest ? quiet : oldest;
        n++;
    }
    if (!n)
        return;
    struct grosr_finding *f = grosr_findings_add(
        g->findings, GROSR_VERDICT_HEALTHY, "long_task", oldest,
        n == 1 ? "a task has been running for longer than the threshold without a sign of life"
               : "tasks have been running for longer than the threshold without a sign of life",
        "if the task ought to have ended, record where it is: grosr_instant() in its loop, or a core dump of "
        "the GPU");
    add_remark_workers(live, g->findings, f, GROSR_IN_TASK, g->findings->threshold_ns);
}

void live_remark_stopped(struct live_graph *g)
{
    struct grosr_finding *f = grosr_findings_add(
        g->findings, GROSR_VERDICT_HEALTHY, "process_stopped", 0,
        g->live->process_state == 't' ? "the process is stopped by a debugger" : "the process is stopped",
        g->live->process_state == 't' ? "continue it in the debugger" : "send it SIGCONT: kill -CONT PID");

    grosr_finding_evidence(g->findings, f, "/proc/%" PRIu32 "/stat: state %c", g->live->session->header.pid,
                           g->live->process_state);
}

/* Workers that look for tasks, tasks in a queue, and nobody has taken one for longer than the threshold. */
static void find_unserved(struct live_graph *g)
{
    struct grosr_live *live = g->live;
    uint32_t seekers = 0, reporting = 0;
    uint64_t oldest = 0, since;

    if (!live->untaken || !g->still || live->untaken_looks != live->looks)
        return;
    for (uint32_t i = 0; i < live->session->header.workers; i++) {
        seekers += live->worker[i].idle_always;
        reporting += live->worker[i].known;
    }
    for (uint32_t i = 0; i < live->session->header.queues; i++) {
        since = grosr_session_queue_oldest(live->session, i);
        if (since && live_age(live, since) > oldest)
            oldest = live_age(live, since);
    }
    if (seekers == 0 && live->started)
        return; /* all are busy or wait: the graph says more */
    if (!reporting && sys_load_relaxed(&grosr_session_live(live->session)->level) < GROSR_LEVEL_COUNTERS)
        return;
    struct grosr_finding *f = grosr_findings_add(
        g->findings, GROSR_VERDICT_STALLED, live->started ? "queue_not_served" : "no_worker",
        oldest ? oldest : live->now_ns - live_still_since(live),
        live->started ? "tasks wait in a queue, workers look for tasks, and nobody takes them"
                      : "tasks wait in a queue, and no worker has started or all have stopped",
        live->started
            ? "the workers do not see what the host published: look for a host that writes past the "
              "runtime, or a kernel that was built with another version"
            : "see whether the kernel was launched and fits on the GPU beside what runs there");
    grosr_finding_evidence(g->findings, f, "%" PRIu64 " tasks are in the queue, the oldest for %.1f s",
                           live->untaken, (double)oldest / 1e9);
    grosr_finding_evidence(g->findings, f, "%" PRIu32 " of %" PRIu32 " workers look for tasks", seekers,
                           live->session->header.workers);
    grosr_finding_resource(g->findings, f, "a task in queue 0");
}

/* Submitted tasks that no queue has and no worker runs: each waits in its frame for others, or its result has
 * not been collected. */
static void find_lost(struct live_graph *g)
{
    struct grosr_live *live = g->live;
    const uint32_t *a = live->activity;
    uint64_t run = 0, spawned = 0;

    if (!g->still || live->untaken || !live->uncompleted || live->mailbox.calls || !live->started ||
        a[GROSR_IN_TASK] || a[GROSR_WAITING] || a[GROSR_RUNNING])
        return;
    for (uint32_t i = 0; i < live->session->header.workers; i++) {
        struct grosr_worker_state state;
        struct grosr_worker_counts counts = {0};
        grosr_worker_read(live->session, i, &state, &counts);
        run += counts.tasks;
        spawned += counts.spawned;
    }
    uint64_t enqueued = 0;
    for (uint32_t i = 0; i < live->session->header.queues; i++)
        enqueued += sys_load_relaxed(&grosr_session_queue(live->session, i)->enqueued);
    uint32_t suspended = live_suspended(live, NULL, 0);
    uint64_t age = live->now_ns - live_still_since(live);
    struct grosr_finding *f;
    if (suspended || run < enqueued) {
        f = grosr_findings_add(
            g->findings, GROSR_VERDICT_STALLED, "dependency_never_met", age,
            "submitted tasks wait for other tasks, and none of those is queued or runs",
            "look at what should have ended or signalled them: a task that was counted as a child and never "
            "spawned, or a counter that is one too high");
    } else {
        f = grosr_findings_add(
            g->findings, GROSR_VERDICT_HEALTHY, "results_not_collected", age,
            "tasks have ended, and the host has not collected their results",
            "the host calls grosr_wait(), grosr_drain() or grosr_submit() to collect them");
    }
    grosr_finding_evidence(g->findings, f,
                           "%" PRIu64 " submitted tasks are not completed; no queue has one, and all %" PRIu32
                           " workers look for tasks",
                           live->uncompleted, live->started);
    grosr_finding_evidence(
        g->findings, f, "%" PRIu64 " tasks were submitted and %" PRIu64 " spawned; workers have run %" PRIu64,
        enqueued, spawned, run);
    struct live_suspended_task task[4];
    uint32_t shown = live_suspended(live, task, 4);
    for (uint32_t i = 0; i < shown && i < 4; i++) {
        char function[GROSR_NAME_BYTES + 32] = "waits for its children", name[GROSR_NAME_BYTES], age_text[32];
        if (task[i].function != GROSR_TASK_NOTHING) {
            live_function(live, task[i].function, name, sizeof(name));
            snprintf(function, sizeof(function), "will continue as %s", name);
        }
        grosr_finding_evidence(g->findings, f, "task %" PRIu64 " was suspended %s ago and %s", task[i].task,
                               live_seconds(age_text, sizeof(age_text), live_age(live, task[i].since_ns)),
                               function);
    }
}

/* ---- slow ---- */

static void find_slow(struct live_graph *g)
{
    struct grosr_live *live = g->live;
    uint64_t watched = live->now_ns - live->first_ns;
    char text[LIVE_TEXT], summary[LIVE_TEXT + 64];
    uint32_t idle = 0;

    if (g->still || watched < g->findings->threshold_ns || live->looks < 10)
        return;
    if (live->hot.looks * 10 > live->looks * 6 && live_holds_know(g->holds, live->hot.payload)) {
        live_resource(live, (uint32_t)(live->hot.payload >> GROSR_WAIT_RES_BITS),
                      live->hot.payload & ((UINT64_C(1) << GROSR_WAIT_RES_BITS) - 1), text, sizeof(text));
        snprintf(summary, sizeof(summary), "most workers wait for %s most of the time", text);
        struct grosr_finding *f =
            grosr_findings_add(g->findings, GROSR_VERDICT_SLOW, "hot_lock", watched, summary,
                               "hold the lock for a shorter time, or split what it protects: a lock for each "
                               "part, or a copy for "
                               "each worker that is combined at the end");
        grosr_finding_evidence(g->findings, f,
                               "in %" PRIu32 " of %" PRIu32 " looks at least half of the %" PRIu32
                               " workers waited for it",
                               live->hot.looks, live->looks, live->started);
        grosr_finding_resource(g->findings, f, text);
    }
    if (live->untaken_looks != live->looks)
        return;
    for (uint32_t i = 0; i < live->session->header.workers; i++)
        idle += live->worker[i].idle_always;
    if (!idle || live->untaken < idle)
        return;
    struct grosr_finding *f =
        grosr_findings_add(g->findings, GROSR_VERDICT_SLOW, "unfair_queue", watched,
                           "workers find no task while others have tasks queued",
                           "spread the tasks: fewer that are placed on one worker, or smaller batches");
    grosr_finding_evidence(g->findings, f,
                           "%" PRIu32 " of %" PRIu32
                           " workers have looked for a task all the time, for %.1f s, "
                           "and the queue was never empty",
                           idle, live->started, (double)watched / 1e9);
    grosr_finding_resource(g->findings, f, "a task in queue 0");
}

void live_remarks(struct live_graph *g)
{
    remark_long_tasks(g);
    find_unserved(g);
    find_lost(g);
    find_slow(g);
    live_slow(g);
}
