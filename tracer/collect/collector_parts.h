/*
 * What the collector's two threads share, and which of them uses what. Nobody else includes this.
 *
 *     collector.c           the drainer, the beginning and the end of a recording
 *     collector_sessions.c  the drainer: which sessions are recorded, and when they are over
 *     collector_writer.c    the writer: its loop, commits, the end of sources
 *     collector_backlog.c   the writer: events stored packed, to become rows later
 *     collector_window.c    the writer: what is too old to be kept
 *     collector_handoff.c   batches between the two, and the first failure
 *
 * Each of them calls only those below it.
 */
#ifndef GROSR_COLLECTOR_PARTS_H
#define GROSR_COLLECTOR_PARTS_H

#include "collector.h"
#include "source.h"

#include <pthread.h>

#define CHUNK_EVENTS 16384u /* in one GROSR_CHUNK row */

/* A process with sessions that are being recorded. */
struct watched_process {
    uint32_t pid;
    uint64_t start;
    int watch;        /* grosr_process_watch() */
    uint32_t sources; /* that are not over */
};

struct collector {
    struct grosr_store *store;
    const struct grosr_collect_options *options;
    struct grosr_collect_result *result;

    /* The drainer's. */
    struct grosr_finder finder;
    uint64_t searched_ns; /* when it last looked whether the followed process runs */
    uint32_t running;     /* sources that are not over */
    struct grosr_source *draining[GROSR_COLLECTOR_SESSIONS]; /* those */
    struct grosr_source *over;                               /* others, not yet published as ended */
    uint32_t rings;                                          /* of those that are draining, and streams */
    struct watched_process *process;
    uint32_t processes;
    uint32_t refused;             /* sessions that could not be recorded */
    uint64_t watched_ns;          /* when stalls were last checked for */
    struct grosr_source *stalled; /* the one that has; NULL: none */

    /* Between the threads, under `lock`. `ready` is oldest first. */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct grosr_batch *free, *ready, *ready_tail;
    uint32_t ready_count;
    bool drained;     /* the drainer has ended */
    uint32_t sources; /* known; appended by the drainer */
    struct grosr_source *source[GROSR_COLLECTOR_SESSIONS];

    /* The writer's. */
    uint32_t begun; /* of the sources; of those that are not finished: */
    struct grosr_source *unfinished[GROSR_COLLECTOR_SESSIONS];
    uint32_t unfinished_count;
    uint64_t spooled, built; /* events of the backlog, ever; of those, replayed */
    uint64_t spooled_ns;     /* when the latest chunk was drained */
    uint64_t oldest_ns;      /* when the oldest chunk was; 0: ask the store */
    uint64_t begun_ns;       /* when the recording began */
    uint64_t latest_ns;      /* when the latest event was, or record drained; without any, sample */
    bool events_came;
    uint64_t from_ns;                         /* what ended before is left out, as of now; 0: nothing is */
    struct grosr_pair gathered[CHUNK_EVENTS]; /* a ring's runs, joined */
    uint64_t committed_ns;
    bool commit_soon;   /* a session has begun since, or what a process is in has changed */
    uint64_t looked_ns; /* when that was last read */
    struct grosr_ring_counts finished_counts; /* of sources that are finished */
    int64_t kept_from;                        /* of those, the latest; GROSR_NULL: nothing was left out */
    uint64_t cut;                             /* events left out, of those */
    struct grosr_sampler *sampler;            /* NULL: it has not been started */
    bool sampler_failed;
    struct grosr_source *sampled; /* the source for which it was started */
    int error;
    char error_text[512];

    uint32_t batches_allocated; /* the drainer's, as they are needed */
    bool batches_enough;        /* there was no memory for more */
    struct grosr_batch batches[GROSR_COLLECTOR_BATCHES];
};

/* ---- between the threads (collector_handoff.c) ---- */

/* Adds an empty batch. 0 or negative errno. Before the threads begin, then the drainer's. */
int collector_add_batch(struct collector *c);

/* The drainer: waits for an empty batch; hands a filled one to the writer; publishes a source; ends. */
struct grosr_batch *collector_get_free(struct collector *c);
void collector_put_ready(struct collector *c, struct grosr_batch *b);
void collector_add_source(struct collector *c, struct grosr_source *s);
void collector_end_batches(struct collector *c);

/* What the writer finds when it polls. */
struct writer_input {
    struct grosr_batch *batch; /* the oldest that is ready; NULL: none within a moment */
    uint32_t waiting;          /* how many are ready */
    uint32_t sources;
    bool end; /* the drainer has ended */
};

/* The writer: waits a moment for a batch, unless there is other work; gives the oldest back, empty. */
struct writer_input collector_poll(struct collector *c);
void collector_release_ready(struct collector *c);

/* Notes a failure (a negative err), the first one; whether there has been any. The writer's. */
bool collector_failed(struct collector *c, int err);

/* ---- sessions: the drainer's (collector_sessions.c) ---- */

/*
 * The sessions that the recording begins with. They are attached before anything slow is done: their process
 * waits. Errors as grosr_collect().
 */
int collector_add_first(struct collector *c);

/* Adds the sessions that the followed process has made since the last call. Returns whether more may come. */
bool collector_add_new(struct collector *c, uint64_t now);

/* Polls every source. Returns how many events and records were read. */
uint32_t collector_drain_sources(struct collector *c, struct grosr_batch *b, bool sampling, bool stop);

/* Publishes to the writer that the sources that are over have ended: their last batch has been handed over.
 */
void collector_publish_over(struct collector *c);

/* How many sessions wanted to be recorded and were not. */
uint32_t collector_unrecorded(const struct collector *c);

/* Frees what these functions hold. */
void collector_close_sessions(struct collector *c);

/* ---- the writer (collector_writer.c) ---- */

/* The writer's thread: turns batches into rows until the drainer has ended and none is left. */
void *collector_write(void *collector);

/* The writer: commits what has been added, if the last time was long ago. */
void collector_commit(struct collector *c, uint64_t now);

/* After both threads: replays the backlog, finishes the sources and the file. */
void collector_finish(struct collector *c);

/* ---- the backlog: the writer's (collector_backlog.c) ---- */

/*
 * Whether events drained at drained_ns can be placed: a good snapshot was taken after them, so that they lie
 * between two and not beyond one, or none is coming.
 */
bool collector_clock_covers(const struct collector *c, uint64_t drained_ns, uint64_t now);

/* Makes rows of events of one ring, except of what is older than the window. */
void collector_build(struct collector *c, struct grosr_source *s, uint32_t ring, uint64_t first,
                     const struct grosr_pair *events, uint32_t count, uint64_t drained_ns);

/* Spools a batch's events: of each source the host's ring first, as rows.h requires. */
void collector_spool(struct collector *c, struct grosr_batch *b);

/*
 * Replays the oldest chunk, if it is due, or (_oldest, at the end) in any case. Of what is older than the
 * window no rows are made, but open spans and enqueue times are kept.
 */
bool collector_replay_due(struct collector *c, uint64_t now);
void collector_replay_oldest(struct collector *c);

/* Skips chunks that are far older than the window: there has been no time to replay them. */
void collector_skip_expired(struct collector *c);

/* ---- the window: the writer's (collector_window.c) ---- */

/* What is kept while recording: longer than asked for if stalls are watched, which are noticed late. */
uint64_t collector_window(const struct collector *c);

/*
 * Finds out when the latest event of a batch was. Where rings are full, that is long before it was drained:
 * what came later was dropped.
 */
void collector_note_latest(struct collector *c, const struct grosr_batch *b);

/*
 * Computes from_ns from the latest event, or (_close, at the end) from the stall that ended the recording;
 * and passes it to a source's rows.
 */
void collector_move_window(struct collector *c);
void collector_close_window(struct collector *c);
void collector_apply_window(const struct collector *c, struct grosr_source *s);

/* Whether nothing has come for longer than what is kept. */
bool collector_is_idle(const struct collector *c, uint64_t now);

#endif
