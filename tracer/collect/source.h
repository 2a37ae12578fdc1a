/*
 * A session being recorded: what the collector keeps of each (collector.h).
 *
 * The drainer reads (rings, streams, queues, into batches) and decides when the session has ended; the writer
 * turns batches into rows. Each field below belongs to one of them; what both use is constant once the source
 * has been published to the writer, or is written by the drainer before it sets `ended`.
 */
#ifndef GROSR_SOURCE_H
#define GROSR_SOURCE_H

#include "batch.h"
#include "../base/process.h"
#include "../clock/clock.h"
#include "../rows/pending_rows.h"
#include "../rows/records.h"
#include "../session/ring.h"
#include "../rows/rows.h"
#include "../process/stall.h"
#include "../session/stream.h"

/*
 * How much of a ring is stored, as rows or in the backlog. What a killed collector had read and not stored is
 * counted as unstored by the one that continues: so a ring's read = stored + unstored, and no event is in the
 * file twice.
 */
struct grosr_stored {
    uint64_t position; /* what is before it is in the file, or in one of these counts */
    uint64_t read, overwritten;
    uint64_t unstored;
};

struct grosr_source {
    struct grosr_session *session;
    bool owned;                       /* the collector found it, and closes it */
    void (*warned)(const char *text); /* gets diagnostic messages; NULL: they are dropped */

    /* The drainer's. */
    struct grosr_ring_reader *reader;   /* header.rings */
    struct grosr_stream_reader *stream; /* header.streams */
    struct grosr_queue_sample *latest;  /* header.queues */
    uint64_t *heap_seen;                /* header.heaps; of each, the copy of the latest sample */
    struct grosr_ring_counts *base;     /* the counters when it began: what an earlier recording has */
    uint64_t *stream_base;              /* records read when it began */
    struct grosr_stored *from;          /* [header.rings] where it began reading; constant from then on */
    struct grosr_stall stall;
    uint32_t next_ring, empty_polls;
    bool no_room; /* the batch was full before all of the source had been polled */
    int level;    /* to put back; -1: it was left as it is */
    int watch;    /* of its process (grosr_process_watch()), which the collector closes; -1: none */
    struct grosr_source *next_over; /* among those that are over and not yet published as ended */
    bool last_pass;

    /* Written by the drainer before `ended`. */
    struct grosr_ring_counts *final; /* the counters at the end */
    uint64_t end_ns;
    bool unclosed;              /* its process has gone and did not close it */
    enum grosr_process_end end; /* then: how that ended, */
    int end_number;             /* with its exit code or signal */
    bool died, detached;        /* died: unclosed, and not known to have exited */
    bool truncated;             /* its segment has shrunk, and the reading stopped there */
    sys32 ended;

    /* The writer's. */
    struct grosr_bases bases;
    struct grosr_clock clock;
    uint64_t snapshots_written; /* of clock.taken */
    struct grosr_rows *rows;
    struct grosr_records *records;
    struct grosr_pending_rows *pending; /* with records */
    struct grosr_stored *stored,
        *stream_stored; /* [header.rings], [header.streams]; of streams without positions */
    struct grosr_heap_counters *heap_stored; /* header.heaps; the latest samples */
    uint64_t saved;                          /* a hash of the checkpoint that is in the file */
    uint32_t *run_of; /* [header.rings] the first run in the batch that is being spooled, from 1 */
    uint64_t backlog; /* its events in the backlog */
    bool seen_ended, finished;
};

/*
 * Attaches: registers this process as the session's collector, at `level` (-1: as it is). -EBUSY: it has
 * another one; -ENOMEM. The source takes the session only if it succeeds, and if `owned`.
 */
int grosr_source_open(struct grosr_source **source, struct grosr_session *session, bool owned, int level);

/* Frees what a source holds, but not the struct itself. May be repeated. */
void grosr_source_release(struct grosr_source *source);

/* Undoes the attaching, when nothing is going to be recorded. */
void grosr_source_detach(struct grosr_source *source);

/*
 * The drainer: polls the source once, reading into the batch as far as it has room. Returns how many events
 * and records were read.
 */
uint32_t grosr_source_drain(struct grosr_source *source, struct grosr_batch *batch);

/* The drainer: a sample of each queue that has changed, and of each heap that has published one. */
void grosr_source_sample(struct grosr_source *source, struct grosr_batch *batch, uint64_t now);

/*
 * The drainer, after a poll: whether nothing more can come, because the session is closed and read out, its
 * process is dead, or `stop`. Then the final counters have been taken.
 */
bool grosr_source_is_over(struct grosr_source *source, bool stop);

/* The writer: what is needed before the first row. */
int grosr_source_begin(struct grosr_source *source, struct grosr_store *store);

/* What turns events and records into rows, for grosr_source_begin() and _resume(). The bases are known. */
int grosr_source_create_writers(struct grosr_source *source, struct grosr_store *store);

/*
 * Instead of grosr_source_begin(), before the drainer's first poll: continues session number `number` of the
 * file from its checkpoint. What the collector before had read and not stored is counted, and is in
 * GROSR_LOSS.
 */
int grosr_source_resume(struct grosr_source *source, struct grosr_store *store, int64_t number);

/* The writer, before each commit: stores the checkpoint from which another collector can continue. */
int grosr_source_save(struct grosr_source *source, struct grosr_store *store);

/* The writer: a run is in the file, or will be with the next commit. `events`: NULL for a run of a stream. */
void grosr_source_mark_stored(struct grosr_source *source, const struct grosr_run *run,
                              const struct grosr_pair *events);

/* The writer: whether it is a session of a CUDA device, or of a process that reports one. */
bool grosr_source_uses_gpu(const struct grosr_source *source);

/* The writer: rows of what the process is in, as of now. *changed is set if they have changed. */
int grosr_source_look(struct grosr_source *source, uint64_t now_ns, bool *changed);

/* The writer: rows of a run. */
int grosr_source_build(struct grosr_source *source, uint32_t ring, uint64_t first,
                       const struct grosr_pair *events, uint32_t count, uint64_t drained_ns);

/* Instead of grosr_source_build(), for events that have expired (grosr_rows_skip()). */
int grosr_source_skip(struct grosr_source *source, uint32_t ring, uint64_t first,
                      const struct grosr_pair *events, uint32_t count, uint64_t drained_ns);

/* The writer: when an event was, CLOCK_MONOTONIC; drained_ns if its clock is not known, and at the latest. */
uint64_t grosr_source_event_time(struct grosr_source *source, uint32_t ring, struct grosr_pair event,
                                 uint64_t drained_ns);

/*
 * The writer: the counters of every ring and stream as they are now, or at the end, into the file; the sums
 * are added to *sum.
 */
int grosr_source_write_counters(struct grosr_source *source, struct grosr_store *store, bool final,
                                struct grosr_ring_counts *sum);

/*
 * source_heap.c. The drainer: a sample of each heap that has published one. The writer: rows of a sample, and
 * of the latest counters as they stand.
 */
void grosr_source_sample_heaps(struct grosr_source *source, struct grosr_batch *batch);
int grosr_source_write_heap(struct grosr_source *source, struct grosr_store *store,
                            const struct grosr_heap_sample *sample);
int grosr_source_write_heaps(struct grosr_source *source, struct grosr_store *store);

/*
 * The writer: rows for the clock snapshots that were fetched, and the greatest bound of a placed time so far.
 * The latest snapshots wait until the end (final), since those that follow may change the map there.
 */
int grosr_source_write_clock(struct grosr_source *source, struct grosr_store *store, bool final);

/*
 * The writer, instead of grosr_source_finish(), when the source has ended and writing failed before: counts
 * what is not in the file.
 */
int grosr_source_write_lost(struct grosr_source *source, struct grosr_store *store);

/* The writer, once the source has ended and its last event is a row: what is left to write. */
int grosr_source_finish(struct grosr_source *source, struct grosr_store *store);

#endif
