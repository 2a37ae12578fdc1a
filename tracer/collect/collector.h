/*
 * The collector: drains the rings and streams of sessions while their kernels run and writes the trace file.
 * It runs in a process of its own, so that whatever reached a session survives the application.
 *
 * Two threads do this. The drainer copies records out of the rings into batches and never touches the file:
 * its only job is that rings do not fill. The writer turns batches into rows; when it falls behind, it spools
 * their events: it appends them to the file packed (GROSR_CHUNK, chunk.h), and replays this backlog, chunk by
 * chunk, when it is idle and at the end. A third thread samples GPUs (sampler.h) if that was asked for, or
 * while a session of a CUDA device is recorded or a process that reports one.
 *
 * Memory is bounded: GROSR_COLLECTOR_BATCHES batches of GROSR_COLLECTOR_BATCH_EVENTS events and
 * GROSR_COLLECTOR_BATCH_BYTES of streams, 288 MiB, allocated as they are needed; when all are full the rings
 * fill, and the sessions' overflow policies decide. Each session has rows that wait, at most 36 MiB (rows.h),
 * and 512 MiB of enqueue times when lost events leave their windows full (enqueue_times.h). SQLite has 64 MiB
 * of pages, and 64 MiB to sort in for the indexes. A commit builds a checkpoint (rows.h, records.h): mostly
 * some KiB, and twice 36 MiB for a session that has so many rows waiting. With one session that is less than
 * 1 GiB in all, and memory is touched only as it fills.
 *
 * A recording can keep its latest part only (window_ns). Then all events are spooled, and those that are
 * older than the window are replayed without making rows of them: spans that are still open and enqueue times
 * are kept, so whatever is open when the recording ends has its start, however long ago that was. Rows that
 * are older are deleted. So the file holds the window and, while the writer is never idle, half as much more;
 * rows of events are made at the end.
 *
 * With each commit the file gets a checkpoint: how far each ring is stored. A collector that is given the
 * session and the file of one that was killed continues from there; what the killed one had read and not
 * stored is counted.
 *
 * A recording is of given sessions, or of all that a process, or it and its descendants, make. It ends when
 * they are closed and read out or their processes are gone, and, when it follows a process, that one has
 * ended. What a session holds in the collector, its mapping above all, is freed when its last row is written.
 */
#ifndef GROSR_COLLECTOR_H
#define GROSR_COLLECTOR_H

#include "sampler.h"
#include "../session/finder.h"

#include <signal.h>

#define GROSR_COLLECTOR_BATCHES      32u
#define GROSR_COLLECTOR_BATCH_EVENTS (512u * 1024)  /* 8 MiB each, touched as they fill */
#define GROSR_COLLECTOR_BATCH_BYTES  (1024u * 1024) /* of streams, touched as they fill */
#define GROSR_COLLECTOR_SESSIONS     65536u         /* in one recording */

struct grosr_collect_result {
    uint64_t read, dropped, overwritten; /* events, all rings */
    uint32_t sessions;
    uint32_t unrecorded; /* sessions that waited to be recorded and were not */
    bool died;           /* a process was killed before it closed its session */
    bool unclosed;       /* a process ended without closing its session, of itself or for unknown reasons */
    bool truncated;      /* a segment was truncated: the trace has what was read before */
    bool detached;       /* stopped while a session was still open */
    bool stalled;        /* stopped because one of them had stalled */
    char stall[512];     /* then: which, and what is known of it */
};

struct grosr_collect_options {
    const char *path;                    /* the trace file */
    struct grosr_session *session;       /* the one to record; NULL: those of `follow` */
    struct grosr_session *const *others; /* with `session`: other_count more */
    uint32_t other_count;
    uint32_t follow; /* a process: its sessions, and its descendants', as they appear */
    bool alone;      /* its own sessions only */

    /* Opened before that process was started; NULL: none. It is the collector's from then on, in any case. */
    struct grosr_finder *finder;

    struct grosr_sampling sampling;    /* which counters of GPUs are recorded */
    int level;                         /* enum grosr_level to record at; -1: as it is. Put back at the end */
    const volatile sig_atomic_t *stop; /* nonzero: detach and finish the file */
    uint64_t window_ns;                /* keep so long before the last event, or before a stall; 0: all */
    bool since; /* leave out what ended more than since_ns before the recording began */
    uint64_t since_ns;
    uint64_t stall_ns; /* stop when a session has stalled for so long (stall.h); 0: never */

    /* Called with a diagnostic message when something is not as asked and recording continues. On another
     * thread. May be NULL. */
    void (*warned)(const char *text);

    /* Called once, on another thread, when writing fails: what went wrong. Draining continues. May be NULL.
     */
    void (*failed)(const char *text);

    /* Called at the end, while rows, indexes and summaries are made. May be NULL. */
    void (*progress)(const char *what, uint64_t done, uint64_t all);
};

/*
 * Records until the end. 0: the file is complete. -EBUSY: the session has a collector already. -ESRCH: the
 * followed process ended without a session, -EINTR: *stop before it had one; then there is no file.
 * -ENOSPC, -EIO, ...: writing failed; the file is sound and holds what came before; later events were drained
 * and counted.
 */
int grosr_collect(const struct grosr_collect_options *options, struct grosr_collect_result *result);

/*
 * Waits until `pid`, or a process that descends from it, has a session, and opens the first. 0 and *session;
 * -ESRCH: pid ended first; -EINTR: *stop.
 */
int grosr_collector_find(struct grosr_session **session, uint32_t pid, const volatile sig_atomic_t *stop);

#endif
