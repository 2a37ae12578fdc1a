/*
 * Whether a trace's slowest tasks were much slower than its median ones, and by what: the answer of the
 * canned query tail-causes as a remark. It is no finding: a tail is not wrong in itself. It is asked only of
 * a trace with stored summaries, and if nothing in it was stuck.
 */
#include "trace_db_parts.h"

#include "../../schema/schema.h"
#include "../base/error.h"
#include "../base/sqlite_error.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define TIMES_MIN     10     /* as long as the median ones, before a tail is remarked */
#define TASKS_MIN     10     /* slow ones of a function: fewer are chance */
#define EXCESS_MIN    100000 /* ns */
#define FUNCTIONS_MAX 3u     /* shown */
#define SHARE_MIN     10.0

enum { FUNCTION, CAUSE, SHARE, EXCESS, SLOW, MEDIAN, TASKS, NOTE }; /* columns of tail-causes.sql */

/* 1, 0, or a negative SQLite code. */
static int has_summaries(sqlite3 *db)
{
    sqlite3_stmt *row;
    int code = sqlite3_prepare_v2(db, "SELECT 1 FROM GROSR_META WHERE key = 'summaries'", -1, &row, NULL);
    int step = code == SQLITE_OK ? sqlite3_step(row) : code;

    sqlite3_finalize(row);
    return step == SQLITE_ROW ? 1 : step == SQLITE_DONE ? 0 : -step;
}

struct tail {
    struct grosr_findings *findings;
    struct grosr_finding *finding;
    uint32_t functions;
    bool shown; /* the function of the rows that come */
};

static void begin_function(struct tail *t, sqlite3_stmt *row)
{
    int64_t slow = sqlite3_column_int64(row, SLOW), median = sqlite3_column_int64(row, MEDIAN);
    char text[TRACE_TEXT], taken[32], usual[32];

    t->shown = sqlite3_column_int64(row, TASKS) >= TASKS_MIN && median > 0 && slow / TIMES_MIN >= median &&
               sqlite3_column_int64(row, EXCESS) >= EXCESS_MIN && t->functions < FUNCTIONS_MAX;
    if (!t->shown)
        return;
    t->functions++;
    if (!t->finding) {
        snprintf(text, sizeof(text),
                 "the slowest 1 %% of the tasks of %s took %" PRId64 " times as long as its median ones",
                 trace_text(row, FUNCTION), slow / median);
        t->finding = grosr_findings_add(t->findings, GROSR_VERDICT_HEALTHY, "heavy_tail", 0, text, NULL);
    }
    grosr_finding_evidence(t->findings, t->finding,
                           "%s: %" PRId64
                           " tasks took %s on average, from submission to end, the median ones %s",
                           trace_text(row, FUNCTION), (int64_t)sqlite3_column_int64(row, TASKS),
                           grosr_duration_text(taken, sizeof(taken), (uint64_t)slow),
                           grosr_duration_text(usual, sizeof(usual), (uint64_t)median));
}

static void add_cause(struct tail *t, sqlite3_stmt *row)
{
    const char *note = trace_text(row, NOTE);

    if (!strcmp(trace_text(row, CAUSE), "total"))
        begin_function(t, row);
    else if (t->shown && sqlite3_column_double(row, SHARE) >= SHARE_MIN)
        grosr_finding_evidence(t->findings, t->finding, "%s: %.0f %% of the difference is %s%s%s",
                               trace_text(row, FUNCTION), sqlite3_column_double(row, SHARE),
                               trace_text(row, CAUSE), *note ? "; " : "", note);
}

int trace_tail(sqlite3 *db, struct grosr_findings *findings)
{
    const struct grosr_canned_query *q = grosr_canned_queries;
    struct tail tail = {.findings = findings};
    sqlite3_stmt *row = NULL;
    int code;

    for (uint32_t i = 0; i < findings->findings; i++)
        if (findings->finding[i].verdict >= GROSR_VERDICT_STALLED)
            return 0;
    int known = has_summaries(db);
    if (!known)
        return 0;
    while (strcmp(q->name, "tail-causes") != 0)
        q++;
    code = known < 0 ? -known : sqlite3_prepare_v2(db, q->sql, -1, &row, NULL);
    while (code == SQLITE_OK && (code = sqlite3_step(row)) == SQLITE_ROW) {
        add_cause(&tail, row);
        code = SQLITE_OK;
    }
    int err = 0;
    if (code != SQLITE_DONE)
        err = grosr_fail(grosr_sqlite_db_errno(db), "cannot read the trace's tasks: %s", sqlite3_errmsg(db));
    sqlite3_finalize(row);
    return err;
}
