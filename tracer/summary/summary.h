/*
 * Summaries of a trace: how often what took how long, which SM was busy when, and the longest tasks. The
 * canned queries read them instead of millions of rows (SQLite sorts to group, at a microsecond a row and
 * more). They are tables like all others, GROSR_TIME_BIN and those behind it in schema/tables.sql, made by
 * one reading of each table when the trace is closed.
 *
 * A trace that is still being written, was cut off, or is of an older version has none: a reader makes them
 * for itself.
 */
#ifndef GROSR_SUMMARY_H
#define GROSR_SUMMARY_H

#include <sqlite3.h>
#include <stdbool.h>

/* Fills the summary tables, which are empty, and notes it in GROSR_META. An SQLite code; its text is in db.
 */
int grosr_summary_store(sqlite3 *db);

/*
 * Gives a reader of a trace that has no summaries temporary ones, which the views that
 * grosr_store_open_read() laid over the file's see. Nothing when the trace has its own, or when this was
 * called before. An SQLite code.
 */
int grosr_summary_provide(sqlite3 *db);

/* Whether a name is one of the summary tables. */
bool grosr_summary_table(const char *name);

#endif
