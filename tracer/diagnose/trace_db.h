/*
 * A trace as a source of the diagnosis: what was stuck in it when it ended, or when it was last written to.
 * The questions are SQL (schema/diagnose).
 *
 * A session that was told to stop is judged as of then, since the stop releases whoever waits. Of one that
 * was killed, detached from or that is still being recorded, waits and holds without an end are judged as of
 * the latest time that the file knows of it. Any other has closed by itself and has nothing that is stuck. As
 * in a live session (live.h), what nobody is known to supply may come from the rest of the program, unless
 * nothing in the session had moved for the threshold; a task that has been running for so long cannot be seen
 * into. A trace that lacks events may lack the end of a wait or a hold: where its worker began something else
 * since, or somebody else holds the thing, it is taken to have ended.
 */
#ifndef GROSR_TRACE_DB_H
#define GROSR_TRACE_DB_H

#include "../findings/findings.h"

#include <sqlite3.h>

/*
 * Diagnoses a session that has not ended for the trace in its own segment, which knows more: of the process
 * `pid`, begun at these times (GROSR_SESSION). 1: it has added what it found; 0: it cannot be reached; or
 * negative errno.
 */
typedef int grosr_trace_reach(int64_t pid, int64_t start_mono_ns, int64_t start_real_ns,
                              struct grosr_findings *findings);

/*
 * Adds what is found, which is not settled. The database is one of grosr_store_open_read(), or being written.
 * `reach` may be NULL.
 */
int grosr_diagnose_database(sqlite3 *db, struct grosr_findings *findings, grosr_trace_reach *reach);

/*
 * Replaces the rows of GROSR_FINDING by what is found with the default threshold: when a trace is closed. It
 * is a part of the caller's transaction.
 */
int grosr_diagnose_store(sqlite3 *db);

#endif
