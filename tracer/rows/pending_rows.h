/*
 * What a traced process is in (outstanding.h) into rows: GROSR_PENDING has what has not ended, as of the
 * latest look, if it began GROSR_PENDING_NS before; GROSR_LAUNCHES the counters. A row goes when what it is
 * of has ended. A call that has not returned has a row of CUPTI_ACTIVITY_KIND_RUNTIME too, which its record
 * completes.
 *
 * It also reports, once and again when it changes, which launches CUPTI withholds the records of kernels for,
 * and at the end of which launches there is no record, and why.
 */
#ifndef GROSR_PENDING_ROWS_H
#define GROSR_PENDING_ROWS_H

#include "records.h"

#define GROSR_PENDING_NS       UINT64_C(100000000)
#define GROSR_PENDING_ROWS_MAX 1024u /* launches of a session, while it is recorded; the oldest */

struct grosr_pending_rows;

/* For one session, whose records become rows in `records`. All calls from one thread; 0 or what the store
 * says. */
int grosr_pending_rows_create(struct grosr_pending_rows **pending, const struct grosr_session *session,
                              const struct grosr_bases *bases, struct grosr_store *store,
                              struct grosr_records *records);

/* `warned` gets what is reported; NULL: nobody does. */
void grosr_pending_rows_warn(struct grosr_pending_rows *pending, void (*warned)(const char *text));

/* The rows as of now_ns. *changed is set if they have changed, and left alone otherwise. */
int grosr_pending_rows_look(struct grosr_pending_rows *pending, uint64_t now_ns, bool *changed);

/* How the session ended. */
enum grosr_pending_end {
    GROSR_PENDING_CLOSED, /* the process ended in order */
    GROSR_PENDING_EXITED, /* it left by _exit(), or what is like it */
    GROSR_PENDING_DIED,
    GROSR_PENDING_DETACHED, /* it may run still */
};

/*
 * The rows as of the end, when its last record is a row. Of a process that did not end in order, all that it
 * was in counts, however short.
 */
int grosr_pending_rows_finish(struct grosr_pending_rows *pending, uint64_t end_ns,
                              enum grosr_pending_end end);

/* NULL is allowed. */
void grosr_pending_rows_free(struct grosr_pending_rows *pending);

#endif
