/*
 * Findings of recorded CUDA programs into rows and back (foreign_rows.h).
 */
#include "foreign_rows.h"

#include "../base/error.h"
#include "../base/sqlite_error.h"
#include "../foreign/foreign.h"
#include "trace_db_parts.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define THRESHOLD_NS UINT64_C(1000000000)

/* ---- into rows ---- */

static int add_row(struct grosr_store *store, const struct grosr_finding *f, int64_t number, int64_t time)
{
    struct trace_finding_row row;
    int err = trace_finding_row(&row, f, time, number)
                  ? grosr_store_execute(store, trace_insert_finding, row.value, TRACE_FINDING_VALUES, NULL)
                  : grosr_fail(ENOMEM, "out of memory");

    trace_finding_row_free(&row);
    return err;
}

int grosr_diagnose_calls_store(const struct grosr_session *session, struct grosr_store *store, int64_t number,
                               int64_t time)
{
    struct grosr_findings findings;

    grosr_findings_init(&findings, THRESHOLD_NS);
    int err = grosr_diagnose_calls(session, &findings);
    if (!err)
        err = grosr_findings_settle(&findings);
    if (err)
        err = grosr_fail(ENOMEM, "out of memory");
    /* A program that ended in order, and was not stuck, has nothing to be remarked on. */
    bool closed = sys_load_relaxed(&grosr_session_live(session)->state) == (uint32_t)GROSR_SESSION_CLOSED;
    bool stuck = findings.verdict >= GROSR_VERDICT_SLOW;
    for (uint32_t i = 0; !err && (stuck || !closed) && i < findings.findings; i++)
        err = add_row(store, &findings.finding[i], number, time);
    grosr_findings_free(&findings);
    return err;
}

/* ---- and back ---- */

static enum grosr_verdict verdict_of(const char *name)
{
    int v = GROSR_VERDICT_DEADLOCK;

    while (v > GROSR_VERDICT_HEALTHY && strcmp(grosr_verdict_name((enum grosr_verdict)v), name) != 0)
        v--;
    return (enum grosr_verdict)v;
}

/* The names of a JSON array. An SQLite code. */
static int add_names(sqlite3 *db, struct grosr_findings *findings, struct grosr_finding *finding,
                     const char *array,
                     void (*add)(struct grosr_findings *, struct grosr_finding *, const char *))
{
    sqlite3_stmt *names = NULL;
    int code =
        sqlite3_prepare_v2(db, "SELECT value FROM json_each(?1) WHERE json_valid(?1)", -1, &names, NULL);

    if (code == SQLITE_OK)
        code = sqlite3_bind_text(names, 1, *array ? array : "[]", -1, SQLITE_TRANSIENT);
    while (code == SQLITE_OK && (code = sqlite3_step(names)) == SQLITE_ROW) {
        add(findings, finding, trace_text(names, 0));
        code = SQLITE_OK;
    }
    sqlite3_finalize(names);
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

static int add_finding(sqlite3 *db, struct grosr_findings *findings, sqlite3_stmt *row)
{
    char *evidence = strdup(trace_text(row, 7)), *rest = NULL;
    struct grosr_finding *f =
        grosr_findings_add(findings, verdict_of(trace_text(row, 0)), trace_text(row, 1),
                           (uint64_t)sqlite3_column_int64(row, 5), trace_text(row, 6), trace_text(row, 8));

    for (char *line = evidence ? strtok_r(evidence, "\n", &rest) : NULL; line;
         line = strtok_r(NULL, "\n", &rest))
        grosr_finding_evidence(findings, f, "%s", line);
    free(evidence);
    int code = add_names(db, findings, f, trace_text(row, 2), grosr_finding_worker);
    if (code == SQLITE_OK)
        code = add_names(db, findings, f, trace_text(row, 3), grosr_finding_resource);
    if (code == SQLITE_OK)
        code = add_names(db, findings, f, trace_text(row, 4), grosr_finding_cycle);
    return code;
}

/* A session and its rows. An SQLite code. */
static int add_session(sqlite3 *db, sqlite3_stmt *rows, sqlite3_stmt *session, struct grosr_findings *all)
{
    struct grosr_findings one;
    char text[256];
    int code;

    grosr_findings_init(&one, all->threshold_ns);
    snprintf(text, sizeof(text), "process %" PRId64 ", recorded (%s)",
             (int64_t)sqlite3_column_int64(session, 1), trace_text(session, 2));
    one.source = strdup(text);
    one.state = strdup(sqlite3_column_int(session, 3)
                           ? "its recording ended before it did; what it was in then has been judged"
                           : "what it was in when it ended has been judged");
    one.otherwise = GROSR_VERDICT_HEALTHY;
    one.error = one.source && one.state ? 0 : -ENOMEM;
    sqlite3_bind_int64(rows, 1, sqlite3_column_int64(session, 0));
    while ((code = sqlite3_step(rows)) == SQLITE_ROW && (code = add_finding(db, &one, rows)) == SQLITE_OK)
        ;
    sqlite3_reset(rows);
    grosr_findings_merge(all, &one);
    grosr_findings_free(&one);
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

void grosr_diagnose_not_reached(struct grosr_findings *findings, int64_t pid)
{
    char text[128];

    snprintf(text, sizeof(text), "it is not known what process %" PRId64 " is in now", pid);
    struct grosr_finding *f =
        grosr_findings_add(findings, GROSR_VERDICT_HEALTHY, "not_reached", 0, text, NULL);
    grosr_finding_evidence(
        findings, f, "its session has no end in the trace, and the session itself is not on this machine");
}

/* Of a session that has not ended and cannot be reached nothing is known, which is no verdict. */
static void add_unknown(sqlite3_stmt *session, struct grosr_findings *all)
{
    struct grosr_findings one;
    char text[256];
    int64_t pid = sqlite3_column_int64(session, 1);

    grosr_findings_init(&one, all->threshold_ns);
    snprintf(text, sizeof(text), "process %" PRId64 ", not recorded to its end (%s)", pid,
             trace_text(session, 2));
    one.source = strdup(text);
    one.state = strdup("what it is in is judged when its recording ends, and has not been");
    one.otherwise = GROSR_VERDICT_HEALTHY;
    one.error = one.source && one.state ? 0 : -ENOMEM;
    grosr_diagnose_not_reached(&one, pid);
    grosr_findings_merge(all, &one);
    grosr_findings_free(&one);
}

/* What the sessions of processes that are being recorded are in. 0 or negative errno. */
static int add_running(sqlite3 *db, struct grosr_findings *findings, grosr_trace_reach *reach)
{
    static const char running[] =
        "SELECT session, pid, program, start_mono_ns, start_real_ns FROM GROSR_SESSION "
        "WHERE device = 'process' AND end IS NULL ORDER BY session";
    sqlite3_stmt *session = NULL;
    int code = sqlite3_prepare_v2(db, running, -1, &session, NULL), reached = 0;

    while (code == SQLITE_OK && reached >= 0 && (code = sqlite3_step(session)) == SQLITE_ROW) {
        reached = reach ? reach(sqlite3_column_int64(session, 1), sqlite3_column_int64(session, 3),
                                sqlite3_column_int64(session, 4), findings)
                        : 0;
        if (!reached)
            add_unknown(session, findings);
        code = SQLITE_OK;
    }
    sqlite3_finalize(session);
    if (reached < 0)
        return reached;
    return code == SQLITE_DONE || code == SQLITE_OK
               ? 0
               : grosr_fail(grosr_sqlite_db_errno(db), "cannot read sessions: %s", sqlite3_errmsg(db));
}

int grosr_diagnose_calls_rows(sqlite3 *db, struct grosr_findings *findings, grosr_trace_reach *reach)
{
    static const char of_session[] = "SELECT verdict, kind, workers, resources, cycle, coalesce(max(time - "
                                     "since, 0), 0), coalesce(summary, ''), "
                                     "evidence, advice FROM GROSR_FINDING WHERE session = ?1 ORDER BY rowid";
    static const char ended[] =
        "SELECT session, pid, program, detached FROM GROSR_SESSION WHERE device = 'process' AND "
        "(died OR session IN (SELECT session FROM GROSR_FINDING)) ORDER BY session";
    sqlite3_stmt *sessions = NULL, *rows = NULL;
    int code = sqlite3_prepare_v2(db, ended, -1, &sessions, NULL);

    if (code == SQLITE_OK)
        code = sqlite3_prepare_v2(db, of_session, -1, &rows, NULL);
    while (code == SQLITE_OK && (code = sqlite3_step(sessions)) == SQLITE_ROW)
        code = add_session(db, rows, sessions, findings);
    sqlite3_finalize(sessions);
    sqlite3_finalize(rows);
    return code == SQLITE_DONE || code == SQLITE_OK
               ? add_running(db, findings, reach)
               : grosr_fail(grosr_sqlite_db_errno(db), "cannot read findings: %s", sqlite3_errmsg(db));
}
