/*
 * What a trace says of waits and tasks that the graph has no reason to call stuck (trace_db.h), as
 * live_slow.c does of a live session: a lock for which most workers wait, or which others get again and
 * again, or whose task does not run; and a task that has no end though all others of its function had one.
 */
#include "trace_db_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define OVERTAKEN_MIN 16  /* times, before that is called unfair */
#define ENDED_MIN     32  /* runs of a function, before one is called unusual */
#define LONGER        30u /* times as long as the longest of them */
#define HOT_SHARE     0.6 /* of the time, in which at least half of the workers wait for one lock */

static void name_worker(struct trace_session *s, struct grosr_finding *f, int64_t worker)
{
    char text[32];

    snprintf(text, sizeof(text), "worker %" PRId64, worker);
    grosr_finding_worker(s->findings, f, text);
}

static bool is_old(const struct trace_session *s, uint64_t since)
{
    return trace_age_of(s, since) > s->findings->threshold_ns;
}

static void find_hot(struct trace_session *s, sqlite3_stmt *row)
{
    const char *name = trace_text(row, 0);
    uint64_t hot_ns = trace_time(row, 1), window = s->findings->threshold_ns;
    char text[TRACE_TEXT];
    uint32_t workers = 0;

    for (uint32_t i = 0; i < s->workers; i++)
        workers += !s->worker[i].ended;
    if (workers < 2 || (double)hot_ns < HOT_SHARE * (double)window)
        return;
    snprintf(text, sizeof(text), "most workers waited for %s most of the time", name);
    struct grosr_finding *f =
        grosr_findings_add(s->findings, GROSR_VERDICT_SLOW, "hot_lock", window, text, NULL);
    grosr_finding_evidence(s->findings, f,
                           "for %.0f %% of the last %.1f s at least half of the %" PRIu32
                           " workers waited for it",
                           100 * (double)hot_ns / (double)window, (double)window / 1e9, workers);
    grosr_finding_resource(s->findings, f, name);
}

static void find_slow_wait(struct trace_session *s, sqlite3_stmt *row)
{
    int64_t worker = sqlite3_column_int64(row, 0), times = sqlite3_column_int64(row, 3);
    const char *name = trace_text(row, 1);
    uint64_t since = trace_time(row, 2);
    char text[TRACE_TEXT], age[32];

    if (times < OVERTAKEN_MIN || !is_old(s, since))
        return;
    snprintf(text, sizeof(text), "worker %" PRId64 " waits for %s, which others get again and again", worker,
             name);
    struct grosr_finding *f = grosr_findings_add(s->findings, GROSR_VERDICT_SLOW, "unfair_lock",
                                                 trace_age_of(s, since), text, NULL);
    grosr_finding_evidence(s->findings, f,
                           "worker %" PRId64 " has waited for %s; others have acquired it %" PRId64
                           " times since then",
                           worker, grosr_duration_text(age, sizeof(age), trace_age_of(s, since)), times);
    name_worker(s, f, worker);
    grosr_finding_resource(s->findings, f, name);
}

static void find_inversion(struct trace_session *s, sqlite3_stmt *row)
{
    int64_t worker = sqlite3_column_int64(row, 0), holder = sqlite3_column_int64(row, 3);
    const char *name = trace_text(row, 1);
    uint64_t since = trace_time(row, 2);
    char text[TRACE_TEXT], age[32];

    if (!is_old(s, since))
        return;
    snprintf(text, sizeof(text),
             "worker %" PRId64 " waits for %s, which a task of worker %" PRId64 " holds that does not run",
             worker, name, holder);
    struct grosr_finding *f = grosr_findings_add(s->findings, GROSR_VERDICT_SLOW, "priority_inversion",
                                                 trace_age_of(s, since), text, NULL);
    grosr_finding_evidence(
        s->findings, f, "worker %" PRId64 " acquired it %s before, and has begun other tasks since", holder,
        grosr_duration_text(age, sizeof(age), trace_age_of(s, trace_time(row, 4))));
    name_worker(s, f, worker);
    name_worker(s, f, holder);
    grosr_finding_resource(s->findings, f, name);
}

static struct grosr_finding *remark_of(const struct trace_session *s)
{
    for (uint32_t i = 0; i < s->findings->findings; i++)
        if (!strcmp(s->findings->finding[i].kind, "long_task"))
            return &s->findings->finding[i];
    return NULL;
}

static void find_endless(struct trace_session *s, sqlite3_stmt *row)
{
    const struct trace_worker *w = trace_find_worker(s, sqlite3_column_int64(row, 0));
    uint64_t ended = trace_time(row, 4), longest_ns = trace_time(row, 5),
             quiet = w ? trace_age_of(s, w->latest) : 0;
    bool even = trace_time(row, 6) && trace_time(row, 7) <= GROSR_ENDLESS_UNEVEN * trace_time(row, 6);
    const char *function = trace_text(row, 2);
    struct grosr_finding *f = remark_of(s);
    char text[TRACE_TEXT], age[32], longest[32];

    if (!w || w->waits || w->ended || quiet <= s->findings->threshold_ns || ended < ENDED_MIN ||
        quiet / LONGER <= longest_ns)
        return;
    if (grosr_is_endless(s->findings, ended, longest_ns, even, quiet)) {
        snprintf(text, sizeof(text), "a task of function %s does not end, and nothing else moves", function);
        f = grosr_findings_add(s->findings, GROSR_VERDICT_STALLED, "endless_task", quiet, text, NULL);
        name_worker(s, f, w->worker);
    }
    grosr_finding_evidence(s->findings, f,
                           "worker %" PRId64 ": task %" PRId64 " has been silent for %s; the %" PRIu64
                           " runs of %s that have ended took %s at most%s",
                           w->worker, (int64_t)sqlite3_column_int64(row, 1),
                           grosr_duration_text(age, sizeof(age), quiet), ended, function,
                           grosr_duration_text(longest, sizeof(longest), longest_ns),
                           even ? ", about as long as each other" : ", some much longer than others");
}

void trace_slow(struct trace_session *s)
{
    bool in_task = false;

    for (uint32_t i = 0; i < s->workers; i++)
        in_task |= s->worker[i].in_task && !s->worker[i].waits;
    if (s->still && in_task)
        trace_ask_then(s, "endless", find_endless);
    if (s->still)
        return;
    trace_ask_then(s, "hot_locks", find_hot);
    if (!s->waits)
        return;
    trace_ask_then(s, "slow_waits", find_slow_wait);
    trace_ask_then(s, "inversions", find_inversion);
}
