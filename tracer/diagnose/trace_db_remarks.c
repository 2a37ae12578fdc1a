/*
 * Findings of a trace that are no graph: tasks that had been running for long, that nobody took, or that
 * waited for others that were nowhere (trace_db.h).
 */
#include "trace_db_parts.h"

#include <inttypes.h>
#include <stdio.h>

#define SHOWN 4u /* of workers or tasks in the evidence */

static void remark_long_tasks(struct trace_session *s)
{
    struct grosr_finding *f = NULL;
    uint64_t oldest = 0;
    uint32_t n = 0;
    char text[32], age[32];

    for (uint32_t i = 0; i < s->workers; i++) {
        const struct trace_worker *w = &s->worker[i];
        uint64_t quiet = trace_age_of(s, w->latest);
        if (w->in_task && grosr_graph_actor_view(s->graph, w->actor).state == GROSR_ACTOR_UNSEEN &&
            quiet > oldest)
            oldest = quiet;
    }
    if (!oldest)
        return;
    f = grosr_findings_add(s->findings, GROSR_VERDICT_HEALTHY, "long_task", oldest,
                           "a task had been running for longer than the threshold without an event", NULL);
    for (uint32_t i = 0; i < s->workers; i++) {
        const struct trace_worker *w = &s->worker[i];
        if (!w->in_task || grosr_graph_actor_view(s->graph, w->actor).state != GROSR_ACTOR_UNSEEN)
            continue;
        snprintf(text, sizeof(text), "worker %" PRId64, w->worker);
        grosr_finding_worker(s->findings, f, text);
        if (n++ < SHOWN)
            grosr_finding_evidence(
                s->findings, f, "worker %" PRId64 ": in task %" PRId64 " of function %s for %s", w->worker,
                w->task, w->function, grosr_duration_text(age, sizeof(age), trace_age_of(s, w->latest)));
    }
    if (n > SHOWN)
        grosr_finding_evidence(s->findings, f, "and %" PRIu32 " more", n - SHOWN);
}

/* Tasks in a queue, workers that look for tasks, or none at all, and nobody had taken one. */
static void find_unserved(struct trace_session *s)
{
    uint32_t seekers = 0, started = 0;
    struct grosr_finding *f;

    for (uint32_t i = 0; i < s->workers; i++) {
        if (s->worker[i].silent)
            return;
        seekers += !s->worker[i].ended && s->worker[i].seeks;
        started += !s->worker[i].ended;
    }
    if (!s->still || s->untaken <= 0 || (started && !seekers))
        return;
    f = grosr_findings_add(s->findings, GROSR_VERDICT_STALLED, started ? "queue_not_served" : "no_worker",
                           trace_age_of(s, s->moved),
                           started ? "tasks wait in a queue, workers look for tasks, and nobody takes them"
                                   : "tasks wait in a queue, and no worker has started or all have stopped",
                           NULL);
    grosr_finding_evidence(s->findings, f, "%" PRId64 " tasks are in queues", s->untaken);
    grosr_finding_evidence(s->findings, f, "%" PRIu32 " of %" PRIu32 " workers look for tasks", seekers,
                           s->workers);
}

static void count_suspended(struct trace_session *s, sqlite3_stmt *row)
{
    s->suspended++;
    s->continues |= sqlite3_column_int(row, 1) >= 0;
}

static void describe_suspended(struct trace_session *s, sqlite3_stmt *row)
{
    struct grosr_finding *f = &s->findings->finding[s->findings->findings - 1];
    char age[32];

    if (s->suspended++ < SHOWN)
        grosr_finding_evidence(s->findings, f, "task %" PRId64 " was suspended %s before, and %s",
                               (int64_t)sqlite3_column_int64(row, 0),
                               grosr_duration_text(age, sizeof(age), trace_age_of(s, trace_time(row, 2))),
                               sqlite3_column_int(row, 1) < 0 ? "waits for its children" : "had not resumed");
}

/* Whether a suspended task can be told from one that is complete: a task that only waits for its children has
 * no event when it is. While it is recorded the counts are not of one time. */
static bool any_not_resumed(const struct trace_session *s)
{
    return s->suspended && (s->continues || (!s->recorded && s->run < s->tasks));
}

/* Submitted tasks that no queue has and no worker runs: they wait for others, or nobody has collected them.
 */
static void find_lost(struct trace_session *s)
{
    bool waits;
    struct grosr_finding *f;

    if (!s->still || s->untaken || s->uncompleted <= 0 || !s->workers || s->calls)
        return; /* a task may be suspended in a system call */
    for (uint32_t i = 0; i < s->workers; i++)
        if (s->worker[i].ended || s->worker[i].waits || !s->worker[i].seeks)
            return;
    trace_ask_then(s, "suspended", count_suspended);
    waits = any_not_resumed(s);
    if (!waits && s->at_stop) /* they were collected then, or were no longer wanted */
        return;
    if (waits)
        f = grosr_findings_add(
            s->findings, GROSR_VERDICT_STALLED, "dependency_never_met", trace_age_of(s, s->moved),
            "submitted tasks wait for other tasks, and none of those is queued or runs", NULL);
    else
        f = grosr_findings_add(s->findings, GROSR_VERDICT_HEALTHY, "results_not_collected",
                               trace_age_of(s, s->moved),
                               "tasks have ended, and the host has not collected their results", NULL);
    grosr_finding_evidence(s->findings, f,
                           "%" PRId64 " submitted tasks are not completed; no queue has one, and all %" PRIu32
                           " workers look for tasks",
                           s->uncompleted, s->workers);
    if (!f || !waits)
        return;
    s->suspended = 0;
    trace_ask_then(s, "suspended", describe_suspended);
    if (s->suspended > SHOWN)
        grosr_finding_evidence(s->findings, f, "%" PRIu32 " more tasks are suspended", s->suspended - SHOWN);
}

/* At the level `counters` the trace has no event of the workers: what they were in is not known. */
static void remark_silent(struct trace_session *s)
{
    struct grosr_finding *f;

    if (!s->still || !s->workers || (s->untaken <= 0 && s->uncompleted <= 0))
        return;
    for (uint32_t i = 0; i < s->workers; i++)
        if (!s->worker[i].silent)
            return;
    f = grosr_findings_add(s->findings, GROSR_VERDICT_HEALTHY, "not_reporting", trace_age_of(s, s->moved),
                           "no queue moved, and what the workers did is not in the trace", NULL);
    grosr_finding_evidence(s->findings, f,
                           "none of the %" PRIu32
                           " workers has an event: it was recorded below the trace level "
                           "`spans`",
                           s->workers);
    grosr_finding_evidence(s->findings, f,
                           "%" PRId64 " tasks were in queues, and %" PRId64 " submitted ones not completed",
                           s->untaken, s->uncompleted);
}

void trace_remarks(struct trace_session *s)
{
    remark_silent(s);
    remark_long_tasks(s);
    find_unserved(s);
    find_lost(s);
}
