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
    uint64_t watched_ns;          /* when stalls were last looked for; the drainer's */
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
    uint64_t spooled, built; /* events put aside; of those, turned into rows */
    uint64_t spooled_ns;     /* when the latest of them were drained */
    uint64_t oldest_ns;      /* when the oldest were that are no rows yet; 0: to be asked */
    uint64_t begun_ns;       /* when the recording began */
    uint64_t latest_ns;      /* when the latest event was, or record drained; without any, sample */
    bool events_came;
    uint64_t from_ns;                         /* what ended before is left out, as of now; 0: nothing is */
    struct grosr_pair gathered[CHUNK_EVENTS]; /* a ring's runs, joined */
    uint64_t committed_ns;
    struct grosr_ring_counts finished_books; /* of sources that are finished */
    int64_t kept_from;                       /* of those, the latest; GROSR_NULL: nothing was left out */
    uint64_t cut;                            /* events left out, of those */
    struct grosr_sampler *sampler;           /* NULL: it has not been started */
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

/* What the writer finds when it looks. */
struct outlook {
    struct grosr_batch *batch; /* the oldest that is ready; NULL: none within a moment */
    uint32_t waiting;          /* how many are ready */
    uint32_t sources;
    bool end; /* the drainer has ended */
};

/* The writer: waits a moment for a batch, unless there is other work; gives the oldest back, empty. */
struct outlook collector_look(struct collector *c);
void collector_release_ready(struct collector *c);

/* Notes a failure (a negative err), the first one; whether there has been any. The writer's. */
bool collector_failed(struct collector *c, int err);

/* ---- the writer (collector_writer.c) ---- */

/* The writer's thread: turns batches into rows until the drainer has ended and none is left. */
void *collector_write(void *collector);

/* The writer: commits what has been added, if the last time was long ago. */
void collector_commit(struct collector *c, uint64_t now);

/* After both threads: builds what was put aside, finishes the sources and the file. */
void collector_finish(struct collector *c);

/* ---- the backlog: the writer's (collector_backlog.c) ---- */

/*
 * Whether events drained at drained_ns can be placed: a good snapshot was taken after them, so that they lie
 * between two and not beyond one, or none is coming.
 */
bool collector_clock_covers(const struct collector *c, uint64_t drained_ns, uint64_t now);

/* Rows of events of one ring, but of what is to be left out. */
void collector_build(struct collector *c, struct grosr_source *s, uint32_t ring, uint64_t first,
                     const struct grosr_pair *events, uint32_t count, uint64_t drained_ns);

/* Puts a batch's events aside: of each source the host's ring first, as rows want it. */
void collector_put_aside(struct collector *c, struct grosr_batch *b);

/*
 * Takes the oldest chunk, if it is time for it, or (take_oldest, at the end) in any case, and makes rows of
 * it, or no more of it than what is to be known of the time before the window.
 */
bool collector_take_due(struct collector *c, uint64_t now);
void collector_take_oldest(struct collector *c);

/* Drops chunks that are so old that there has been no time for them. */
void collector_pass_over(struct collector *c);

/* ---- the window: the writer's (collector_window.c) ---- */

/* What is kept while recording continues: longer than asked for, if the time before a stall is to be had. */
uint64_t collector_window(const struct collector *c);

/*
 * Finds out when the latest event of a batch was. Where rings are full, that is long before it was drained:
 * what came later was dropped.
 */
void collector_see_latest(struct collector *c, const struct grosr_batch *b);

/* Finds what is left out from now on, and at the end; and tells it to a source's rows. */
void collector_keep(struct collector *c);
void collector_keep_last(struct collector *c);
void collector_leave_out(const struct collector *c, struct grosr_source *s);

/* Whether nothing has come for longer than what is kept. */
bool collector_is_idle(const struct collector *c, uint64_t now);

#endif
