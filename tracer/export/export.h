/*
 * A trace as a timeline for other viewers: Perfetto's protobuf or Chrome's JSON.
 *
 * Its contents: each recorded process; in it its GROSR sessions, their SMs and on these the workers, with
 * task runs, waits, idle times and ranges nested, holds and events beside them; the host's submissions and
 * waits; counters; GPU streams, API calls and NVTX by thread; arrows from where a task was enqueued to its
 * runs, and from an API call to its work on a stream. A slice without an end has none there either.
 *
 * Times are those of the tables. Memory does not grow with the trace: rows come from SQLite in order of time,
 * what must be sorted is sorted in temporary files (SQLITE_TMPDIR, TMPDIR), and only tracks are kept.
 */
#ifndef GROSR_EXPORT_H
#define GROSR_EXPORT_H

#include <sqlite3.h>
#include <stdint.h>
#include <stdio.h>

enum grosr_export_format { GROSR_EXPORT_PERFETTO, GROSR_EXPORT_CHROME };

struct grosr_export_options {
    enum grosr_export_format format;
    int64_t from, to; /* what overlaps [from, to), as a whole; INT64_MIN and INT64_MAX for everything */
    void (*progress)(uint64_t done, uint64_t all); /* rows; NULL: none are counted */
};

/*
 * Writes the trace that grosr_store_open_read() opened to `out`, and flushes. 0 or negative errno: that of
 * the write that failed (-EPIPE: the reader is gone), -ENOMEM, -ENOSPC where SQLite's temporary files are, or
 * -EIO for a damaged trace, with grosr_error().
 */
int grosr_export(sqlite3 *db, FILE *out, const struct grosr_export_options *options);

#endif
