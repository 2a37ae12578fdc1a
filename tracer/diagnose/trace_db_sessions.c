/*
 * Which sessions of a trace are judged, and as of when (trace_db.h).
 */
#include "trace_db_parts.h"

#include "../base/error.h"
#include "../base/sqlite_error.h"
#include "foreign_rows.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define DEFAULT_THRESHOLD_NS 1000000000u

static char *copy_of(sqlite3_stmt *row, int column)
{
    const char *text = (const char *)sqlite3_column_text(row, column);

    return strdup(text ? text : "");
}

static void note_may_be_stuck(struct trace_session *s, sqlite3_stmt *row)
{
    s->may_be_stuck = sqlite3_column_int(row, 0);
}

/* What was done, or moved, when it was stopped is not looked at further: that costs nearly nothing. */
static bool may_be_stuck(struct trace_session *s)
{
    if (!s->at_stop)
        return true;
    trace_ask(s, "at_stop", note_may_be_stuck);
    return s->may_be_stuck;
}

static void put(struct trace_session *all, struct trace_session *s)
{
    if (s->error || !all->insert)
        return;
    if (grosr_findings_settle(s->findings))
        s->error = grosr_fail(ENOMEM, "out of memory");
    else if (trace_put(all->insert, s->findings, (int64_t)s->as_of, s->session) != SQLITE_OK)
        s->error =
            grosr_fail(grosr_sqlite_db_errno(all->db), "cannot store findings: %s", sqlite3_errmsg(all->db));
}

static bool is_stuck(const struct grosr_findings *f)
{
    for (uint32_t i = 0; i < f->findings; i++)
        if (f->finding[i].verdict >= GROSR_VERDICT_STALLED &&
            (!f->finding[i].since_ns || f->finding[i].since_ns >= f->threshold_ns))
            return true;
    return false;
}

/* Judges one that has something to be judged. */
static void judge(struct trace_session *all, struct trace_session *s)
{
    if (!s->program || !s->device) {
        s->error = grosr_fail(ENOMEM, "out of memory");
        return;
    }
    if (!may_be_stuck(s) || s->error)
        return;
    trace_diagnose(s);
    if (s->recorded && all->reach)
        grosr_diagnose_not_reached(s->findings, s->pid);
    put(all, s);
    if (s->error)
        return;
    all->stuck = is_stuck(s->findings);
    grosr_findings_merge(all->findings, s->findings);
}

/* Called for each row of sessions.sql; `all` has the database and what is found of all sessions. Of one that
 * is judged twice the second time is left out if it was stuck at the first. */
static void add_session(struct trace_session *all, sqlite3_stmt *row)
{
    struct grosr_findings one;
    struct trace_session s = {.db = all->db,
                              .findings = &one,
                              .session = sqlite3_column_int64(row, 0),
                              .pid = sqlite3_column_int64(row, 1),
                              .program = copy_of(row, 2),
                              .device = copy_of(row, 3),
                              .died = sqlite3_column_int(row, 4),
                              .recorded = sqlite3_column_type(row, 5) == SQLITE_NULL,
                              .as_of = trace_time(row, 6),
                              .moved = trace_time(row, 7),
                              .untaken = sqlite3_column_int64(row, 8),
                              .uncompleted = sqlite3_column_int64(row, 9),
                              .at_stop = sqlite3_column_int(row, 10),
                              .tasks = sqlite3_column_int64(row, 13),
                              .run = sqlite3_column_int64(row, 14)};

    all->stuck = all->stuck && all->session == s.session;
    all->session = s.session;
    grosr_findings_init(&one, all->findings->threshold_ns);
    int reached = 0;
    if (s.recorded && all->reach)
        reached =
            all->reach(s.pid, sqlite3_column_int64(row, 11), sqlite3_column_int64(row, 12), all->findings);
    if (reached < 0)
        s.error = reached;
    else if (!reached && !all->stuck)
        judge(all, &s);
    all->error = s.error;
    grosr_findings_free(&one);
    free(s.program);
    free(s.device);
    free(s.worker);
}

int grosr_diagnose_store(sqlite3 *db)
{
    struct grosr_findings findings;
    struct trace_session all = {.db = db, .findings = &findings};

    grosr_findings_init(&findings, DEFAULT_THRESHOLD_NS);
    /* Those of recorded programs were made when their sessions ended (foreign_rows.h). */
    if (sqlite3_exec(db,
                     "DELETE FROM GROSR_FINDING WHERE session NOT IN (SELECT session FROM GROSR_SESSION "
                     "WHERE device = "
                     "'process')",
                     NULL, NULL, NULL) != SQLITE_OK ||
        sqlite3_prepare_v2(db, trace_insert_finding, -1, &all.insert, NULL) != SQLITE_OK)
        all.error = grosr_fail(grosr_sqlite_db_errno(db), "cannot store findings: %s", sqlite3_errmsg(db));
    trace_ask(&all, "sessions", add_session);
    sqlite3_finalize(all.insert);
    grosr_findings_free(&findings);
    return all.error;
}

int grosr_diagnose_database(sqlite3 *db, struct grosr_findings *findings, grosr_trace_reach *reach)
{
    struct trace_session all = {.db = db, .findings = findings, .reach = reach};

    trace_ask(&all, "sessions", add_session);
    if (!all.error)
        all.error = grosr_diagnose_calls_rows(db, findings, reach);
    if (!all.error)
        all.error = trace_tail(db, findings);
    if (!all.error && !findings->source) {
        findings->source = strdup("the trace");
        findings->state =
            strdup("every session in it with workers closed by itself, and none was stuck when it was "
                   "stopped; or it has none");
        if (!findings->source || !findings->state)
            return grosr_fail(ENOMEM, "out of memory");
    }
    return all.error;
}
