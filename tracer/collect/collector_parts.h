/*
 * What the collector's two threads share, and which of them uses what. Nobody else includes this.
 *
 *     collector.c           the drainer, the beginning and the end of a recording
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
#include "../session/finder.h"
#include "source.h"

#include <pthread.h>

#define CHUNK_EVENTS 16384u /* in one GROSR_CHUNK row */

struct collector {
    struct grosr_store *store;
    const struct grosr_collect_options *options;
    struct grosr_collect_result *result;
    struct grosr_finder finder;   /* the drainer's */
    uint32_t running;             /* sources that are not over; the drainer's */
    uint32_t rings;               /* of all sources and their streams; the drainer's */
    uint64_t watched_ns;          /* when stalls were last checked for; the drainer's */
    struct grosr_source *stalled; /* the one that has; NULL: none. The drainer's */

    /* Between the threads, under `lock`. `ready` is oldest first. */
    pthread_mutex_t lock;
    pthread_cond_t changed;
    struct grosr_batch *free, *ready, *ready_tail;
    uint32_t ready_count;
    bool drained;     /* the drainer has ended */
    uint32_t sources; /* known; appended by the drainer */
    struct grosr_source *source[GROSR_COLLECTOR_SESSIONS];

    /* The writer's. */
    uint32_t begun;          /* of the sources */
    uint64_t spooled, built; /* events of the backlog, ever; of those, replayed */
    uint64_t spooled_ns;     /* when the latest chunk was drained */
    uint64_t oldest_ns;      /* when the oldest chunk was; 0: ask the store */
    uint64_t begun_ns;       /* when the recording began */
    uint64_t latest_ns;      /* when the latest event was, or record drained; without any, sample */
    bool events_came;
    uint64_t from_ns;                         /* what ended before is left out, as of now; 0: nothing is */
    struct grosr_pair gathered[CHUNK_EVENTS]; /* a ring's runs, joined */
    uint64_t committed_ns;
    struct grosr_ring_counts finished_counts; /* of sources that are finished */
    int64_t kept_from;                        /* of those, the latest; GROSR_NULL: nothing was left out */
    uint64_t cut;                             /* events left out, of those */
    struct grosr_sampler *sampler;            /* NULL: it has not been started */
    bool sampler_failed;
    uint32_t sampled; /* the source for which it was started */
    int error;
    char error_text[512];

    struct grosr_batch batches[GROSR_COLLECTOR_BATCHES];
};

/* ---- between the threads (collector_handoff.c) ---- */

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
