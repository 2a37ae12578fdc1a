/*
 * The collector: drains the rings and streams of sessions while their kernels run and writes the trace file.
 * It runs in a process of its own, so that whatever reached a session survives the application.
 *
 * Two threads, and one for counters of GPUs (sampler.h) while a session of a CUDA device is recorded, or a
 * process that has told of one, or they were asked for. The drainer copies records out of the rings into
 * batches and never touches the file: its only job is that rings do not fill. The writer turns batches into
 * rows; when it falls behind, it appends them to the file packed (GROSR_CHUNK, chunk.h) and turns them into
 * rows in quiet moments and at the end.
 *
 * Memory is bounded: GROSR_COLLECTOR_BATCHES batches of GROSR_COLLECTOR_BATCH_EVENTS events and
 * GROSR_COLLECTOR_BATCH_BYTES of streams, 288 MiB; when all are full the rings fill, and the sessions'
 * overflow policies decide. For each session what its rows wait for, at most 36 MiB (rows.h), and 512 MiB
 * when lost events leave the windows of enqueue times full (enqueue_times.h). SQLite's pages, and its sorting
 * for the indexes, 64 MiB each. While it commits, what another collector needs to go on (rows.h, records.h):
 * mostly some KiB, for each session that waits for so much as twice 36 MiB. With one session less than 1 GiB;
 * all of it is touched only as it fills.
 *
 * A recording can keep its latest part only (window_ns). Then all events are put aside, and those that have
 * grown too old go through what makes rows, which keeps what is still open and when tasks were enqueued, but
 * makes no rows of them: what goes on when recording ends has its start, however long ago that was. Other
 * rows are removed again. So the file holds the window and, while there is no quiet moment, half as much
 * more; rows of events are made at the end.
 *
 * A collector that is killed leaves a file that tells, as of the last commit, how far each ring is stored.
 * Another one that is given the same session and file goes on there; what the killed one had read and not
 * stored is counted.
 *
 * A recording is of one session, or of all that a process and its descendants make. It ends when they are
 * closed and read out or their processes are gone, and, when it follows a process, that one has ended.
 */
#ifndef GROSR_COLLECTOR_H
#define GROSR_COLLECTOR_H

#include "sampler.h"
#include "../session/session.h"

#include <signal.h>

#define GROSR_COLLECTOR_BATCHES      32u
#define GROSR_COLLECTOR_BATCH_EVENTS (512u * 1024)  /* 8 MiB each, touched as they fill */
#define GROSR_COLLECTOR_BATCH_BYTES  (1024u * 1024) /* likewise */
#define GROSR_COLLECTOR_SESSIONS     1024u          /* in one recording */

struct grosr_collect_result {
    uint64_t read, dropped, overwritten; /* events, all rings */
    uint32_t sessions;
    bool died;       /* a process ended without closing its session */
    bool detached;   /* stopped while a session went on */
    bool stalled;    /* stopped because one of them had stalled */
    char stall[512]; /* then: which, and what is known of it */
};

struct grosr_collect_options {
    const char *path;                  /* the trace file */
    struct grosr_session *session;     /* the one to record; NULL: those of `follow` */
    uint32_t follow;                   /* a process: its sessions, and its descendants', as they appear */
    struct grosr_sampling sampling;    /* what GPUs are to tell of themselves */
    int level;                         /* enum grosr_level to record at; -1: as it is. Put back at the end */
    const volatile sig_atomic_t *stop; /* nonzero: detach and finish the file */
    uint64_t window_ns;                /* keep so long before the last event, or before a stall; 0: all */
    bool since; /* leave out what ended more than since_ns before the recording began */
    uint64_t since_ns;
    uint64_t stall_ns; /* stop when a session has stalled for so long (stall.h); 0: do not look */

    /* Called when something is not as asked and recording goes on: what. On another thread. May be NULL. */
    void (*warned)(const char *text);

    /* Called once, on another thread, when writing fails: what went wrong. Draining goes on. May be NULL. */
    void (*failed)(const char *text);

    /* Called at the end, while rows, indexes and summaries are made. May be NULL. */
    void (*progress)(const char *what, uint64_t done, uint64_t all);
};

/*
 * Records until the end. 0: the file is complete. -EBUSY: the session has a collector already. -ESRCH: the
 * followed process ended without a session, -EINTR: *stop before it had one; then there is no file.
 * -ENOSPC, -EIO, ...: writing failed; the file is sound and holds what came before; the events went on being
 * drained and counted.
 */
int grosr_collect(const struct grosr_collect_options *options, struct grosr_collect_result *result);

/*
 * Waits until `pid`, or a process that descends from it, has a session, and opens the first. 0 and *session;
 * -ESRCH: pid ended first; -EINTR: *stop.
 */
int grosr_collector_find(struct grosr_session **session, uint32_t pid, const volatile sig_atomic_t *stop);

#endif
