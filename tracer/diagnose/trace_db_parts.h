/*
 * What the files of a trace's diagnosis share (trace_db.h).
 */
#ifndef GROSR_TRACE_DB_PARTS_H
#define GROSR_TRACE_DB_PARTS_H

#include "../store/store.h"
#include "trace_db.h"

#define TRACE_TEXT 512 /* bytes of a line that is made up */

/* A worker, as workers.sql has it. */
struct trace_worker {
    int64_t worker, task;
    uint64_t task_since, latest;
    char function[128];
    uint32_t actor;
    bool ended, in_task, in_range, seeks;
    bool silent;    /* it has run, and its events were not recorded */
    uint32_t waits; /* for anything but a task */
};

/* A session of the trace, as of a time, and its graph. Times are the trace's. */
struct trace_session {
    sqlite3 *db;
    struct grosr_findings *findings;
    int64_t session, pid;
    char *program, *device;
    bool died, recorded; /* still being recorded */
    bool at_stop;        /* judged as of when it was stopped */
    bool may_be_stuck;   /* then (at_stop.sql) */
    uint64_t as_of, moved;
    int64_t untaken, uncompleted; /* tasks; 0 where there is no queue */
    int64_t tasks, run; /* that were submitted and spawned; that workers have run, by the time it ended */
    bool still;         /* nothing had moved for the threshold */
    struct trace_worker *worker;
    uint32_t workers;
    uint32_t waits, holds, suspended;
    bool continues;        /* a suspended task would continue as a function */
    bool calls;            /* a system call has no reply */
    bool calls_in_service; /* one is with the proxy */
    bool calls_lasted;     /* one of these was not cut off by the stop */
    struct grosr_graph *graph;
    uint32_t rest; /* who else could supply what nobody is known to */
    bool one_name; /* all that is waited for has one name */
    int64_t name;
    int error;

    /* Of the whole trace. */
    sqlite3_stmt *insert; /* of rows of GROSR_FINDING; NULL: they are not stored */
    grosr_trace_reach *reach;
    bool stuck; /* the session was, as of when it was stopped */
};

typedef void trace_row(struct trace_session *s, sqlite3_stmt *row);

/*
 * Calls the function for each row of the question (schema/diagnose). Its parameters: the session; the time
 * from which on something is old, and that as of which it is judged; how many tasks were not completed. Sets
 * the error. trace_ask_then() asks the tables as they were then (as_of.sql) if the session went on after it.
 */
void trace_ask(struct trace_session *s, const char *question, trace_row *function);
void trace_ask_then(struct trace_session *s, const char *question, trace_row *function);

/* A time of a row; 0: it is NULL, or before the trace. */
uint64_t trace_time(sqlite3_stmt *row, int column);

/* A text of a row, until the row's next step; "": it is NULL. */
const char *trace_text(sqlite3_stmt *row, int column);

struct trace_worker *trace_find_worker(struct trace_session *s, int64_t worker);

/* How long ago it was when the session is judged. */
uint64_t trace_age_of(const struct trace_session *s, uint64_t since);

/* Judges the session: its findings are to be settled. Sets the error. */
void trace_diagnose(struct trace_session *s);

/* Findings that are no graph: tasks that run for long, are not taken, or wait for others that are not there;
   what was slow, and tasks without an end. */
void trace_remarks(struct trace_session *s);
void trace_slow(struct trace_session *s);

/* Of all sessions: the remark that the slowest tasks were much slower than the median ones, and by what. 0,
 * or a negative errno. */
int trace_tail(sqlite3 *db, struct grosr_findings *findings);

/* A finding as a row of a session, judged at a time: the values of the statement trace_insert_finding. */
#define TRACE_FINDING_VALUES 11
struct trace_finding_row {
    struct grosr_value value[TRACE_FINDING_VALUES];
    char *names[3]; /* JSON arrays, which are the row's */
};
extern const char trace_insert_finding[];

/* The row refers to the texts of the finding. False: out of memory; to be freed all the same. */
bool trace_finding_row(struct trace_finding_row *row, const struct grosr_finding *finding, int64_t time,
                       int64_t session);
void trace_finding_row_free(struct trace_finding_row *row);

/* Adds the findings as rows of a session, by the prepared statement. An SQLite code. */
int trace_put(sqlite3_stmt *insert, const struct grosr_findings *findings, int64_t time, int64_t session);

#endif
