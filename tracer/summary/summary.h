/*
 * Summaries of a trace: distributions of durations, busy time by SM and time bin, and the longest tasks. The
 * canned queries read them instead of millions of rows (SQLite sorts to group, which costs a microsecond a
 * row or more). They are ordinary tables, GROSR_TIME_BIN and those after it in schema/tables.sql, made by one
 * pass over each table when the trace is closed.
 *
 * A trace that is still being written, was interrupted, or is of an older version has none: each reader makes
 * temporary ones.
 */
#ifndef GROSR_SUMMARY_H
#define GROSR_SUMMARY_H

#include <sqlite3.h>
#include <stdbool.h>

/* Fills the summary tables, which are empty, and notes that in GROSR_META. Returns an SQLite code. */
int grosr_summary_store(sqlite3 *db);

/*
 * Makes temporary summaries for a reader of a trace that has none; the views of grosr_store_open_read() read
 * these. Does nothing when the trace has its own, or when this was called before. Returns an SQLite code.
 */
int grosr_summary_provide(sqlite3 *db);

/* Whether a name is one of the summary tables. */
bool grosr_summary_table(const char *name);

#endif
