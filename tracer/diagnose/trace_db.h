/*
 * A trace as a source of the diagnosis: what was stuck in it when it ended, or when it was last written to.
 * The questions are SQL (schema/diagnose).
 *
 * A session that closed by itself has nothing that is stuck. Of one that was killed, detached from or that is
 * still being recorded, waits and holds without an end are judged as of the latest time that the file knows
 * of it. As in a live session (live.h), what nobody is known to supply may come from the rest of the program,
 * unless nothing in the session had moved for the threshold; a task that has been running for so long cannot
 * be seen into. A trace that lacks events may lack the end of a wait or a hold: where its worker began
 * something else since, or somebody else holds the thing, it is taken to have ended.
 */
#ifndef GROSR_TRACE_DB_H
#define GROSR_TRACE_DB_H

#include "findings.h"

#include <sqlite3.h>

/* Adds what is found, which is not settled. The database is one of grosr_store_open_read(), or being written.
 */
int grosr_diagnose_database(sqlite3 *db, struct grosr_findings *findings);

/*
 * Replaces the rows of GROSR_FINDING by what is found with the default threshold: when a trace is closed. It
 * is a part of the caller's transaction.
 */
int grosr_diagnose_store(sqlite3 *db);

#endif
