/*
 * What the parts of the summaries (summary*.c) share: the state while they are made, and reading and writing
 * with one sticky error (summary_sql.c), so that a part is a plain loop. Nobody else includes this.
 */
#ifndef GROSR_SUMMARY_PARTS_H
#define GROSR_SUMMARY_PARTS_H

#include "durations.h"
#include "../base/sql_null.h"

#include <sqlite3.h>
#include <stdbool.h>

#define SUMMARY_LONGEST 100 /* rows of GROSR_TASK_SLOWEST and GROSR_TASK_CHAIN */
#define SUMMARY_UNKNOWN GROSR_DURATION_UNKNOWN

/* Times are bounded to 36 years from time 0, so that no difference of two overflows. */
#define SUMMARY_TIME_MAX (INT64_C(1) << 60)

/* The workers that one SM has in one session. */
struct summary_place {
    int64_t session, sm;
    int64_t *life_ns, *busy_ns; /* by time bin; NULL: there are no bins */
};

struct summary_worker {
    int64_t worker, sm, start, end, first_worker;
    int place; /* in summary.places */
};

struct summary {
    sqlite3 *db;
    struct durations durations;
    struct summary_worker *workers; /* in order of their numbers */
    int n_workers;
    struct summary_place *places;
    int n_places, bins;
    int64_t bins_start, bin_ns;
    int code; /* sticky: the first failure, an SQLite code */
};

/* Keeps the first failure; returns whether there has been one. */
bool summary_failed(struct summary *s, int code);

/* NULL after a failure, which the functions below accept. */
sqlite3_stmt *summary_prepare(struct summary *s, const char *sql);

/* Steps to the next row; false: there is none, or a failure. */
bool summary_row(struct summary *s, sqlite3_stmt *statement);

/* An integer, or GROSR_NULL. */
int64_t summary_cell(sqlite3_stmt *statement, int column);

/* A time within SUMMARY_TIME_MAX of time 0, or GROSR_NULL. */
int64_t summary_time(sqlite3_stmt *statement, int column);

/* The same for a cell that has been read. */
int64_t summary_near(int64_t time);

/*
 * Calls `row` for each row of SELECT `columns` FROM `from`, at most SUMMARY_COLUMNS columns, in no order.
 * Faster than summary_row(), since the rows do not leave SQLite.
 */
#define SUMMARY_COLUMNS 8
void summary_each(struct summary *s, const char *columns, const char *from,
                  void (*row)(void *arg, const int64_t *cells), void *arg);

/* Runs a statement once, with integers bound. */
void summary_insert(struct summary *s, sqlite3_stmt *statement, const int64_t *values, int n);

/* durations_count(), with the sticky error. */
void summary_count(struct summary *s, const char *measure, int64_t what, int64_t which, int64_t ns,
                   int64_t part);

/* end - start; GROSR_NULL if one of them is GROSR_NULL. */
int64_t summary_difference(int64_t end, int64_t start);

/*
 * summary_bins.c, in the order of use. Reads the workers and their SMs; divides the time from the first to
 * the last event of workers and tasks into bins of 1, 2 or 5 times a power of ten, and writes these; writes
 * the busy times that have been counted, by SM and bin; frees all of that.
 */
void summary_read_workers(struct summary *s);
void summary_make_bins(struct summary *s);
void summary_write_busy(struct summary *s);
void summary_free_bins(struct summary *s);

/* NULL: there is no worker of that number. */
const struct summary_worker *summary_worker(const struct summary *s, int64_t worker);

/* The time bin of a time; SUMMARY_UNKNOWN outside of all. */
int64_t summary_time_bin(const struct summary *s, int64_t time);

/* Adds the time from start to end to the bins that it overlaps. */
void summary_spread(const struct summary *s, int64_t *bins, int64_t start, int64_t end);

/* summary_tasks.c: runs of tasks, the gaps between them, tasks that suspend. */
void summary_tasks(struct summary *s);

/* summary_heap.c: blocks and slabs of GPU memory. */
void summary_heap(struct summary *s);

/* summary_cuda.c: kernels, launches, NVTX ranges. */
void summary_cuda(struct summary *s);

#endif
