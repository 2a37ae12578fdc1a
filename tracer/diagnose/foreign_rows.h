/*
 * What is found in recorded CUDA programs (foreign.h), as rows of GROSR_FINDING: a trace has less of such a
 * process than its session had, so the session is judged when it ends, and the rows are what a trace says
 * later.
 */
#ifndef GROSR_FOREIGN_ROWS_H
#define GROSR_FOREIGN_ROWS_H

#include "../store/store.h"
#include "trace_db.h"

#include <sqlite3.h>

/* Judges the session of a process that has ended, and adds rows of the trace's session number `number` at
 * `time`. If it ended in order, only what it was stuck in counts. */
int grosr_diagnose_calls_store(const struct grosr_session *session, struct grosr_store *store, int64_t number,
                               int64_t time);

/*
 * Adds the findings that stand in a trace's rows, of sessions of processes that ended stuck, or not in order.
 * Those that have not ended have none yet: they are reached, or else remarked on.
 */
int grosr_diagnose_calls_rows(sqlite3 *db, struct grosr_findings *findings, grosr_trace_reach *reach);

/* Adds the remark that a session without an end, of process `pid`, cannot be reached. */
void grosr_diagnose_not_reached(struct grosr_findings *findings, int64_t pid);

#endif
