/*
 * The tracks of an export: made on first use, found by a key, and each with one or more lanes.
 *
 * Viewers require the slices of a track to nest. Most do; those that overlap others in part (kernels on one
 * stream, waits of several host threads) go to a further lane, a track below the first: a slice is put on the
 * first lane whose innermost open slice ends no earlier than it does. Pending ends are one stack a lane,
 * which is all the memory that slices take.
 */
#ifndef GROSR_EXPORT_TRACKS_H
#define GROSR_EXPORT_TRACKS_H

#include "export_writer.h"

/* What a track shows; a, b, c and d identify it. */
enum grosr_export_what {
    GROSR_AT_PROCESS,      /* a: pid */
    GROSR_AT_SESSION,      /* a: session */
    GROSR_AT_SM,           /* a: session, b: SM */
    GROSR_AT_WORKER,       /* b: worker */
    GROSR_AT_UNENDED,      /* b: worker. Slices whose end was lost, so that later ones are not inside them */
    GROSR_AT_HOLDS,        /* b: worker */
    GROSR_AT_HOST,         /* a: session. What the host does at points in time */
    GROSR_AT_HOST_WAITS,   /* a: session */
    GROSR_AT_HOST_UNENDED, /* a: session */
    GROSR_AT_NOTES,        /* a: session */
    GROSR_AT_QUEUE,        /* a: session, b: queue */
    GROSR_AT_COUNTER,      /* a: session, b: name, c: worker */
    GROSR_AT_HEAP,         /* a: session, b: heap, c: which of its values */
    GROSR_AT_CLOCK,        /* a: session */
    GROSR_AT_SYSCALLS,     /* a: session, b: port */
    GROSR_AT_THREAD,       /* a: pid, b: thread */
    GROSR_AT_NVTX_RANGES,  /* a: pid */
    GROSR_AT_GPU,          /* a: pid, b: device */
    GROSR_AT_STREAM,       /* a: pid, b: device, c: context, d: stream */
    GROSR_AT_SYNCS,        /* a: pid, c: context */
};

struct grosr_export_key {
    enum grosr_export_what what;
    int64_t a, b, c, d;
};

struct grosr_export_lanes; /* a track and its further lanes */
struct grosr_export_tracks;

/* NULL when there is no memory. */
struct grosr_export_tracks *grosr_export_tracks_new(struct grosr_export_writer *writer);
void grosr_export_tracks_free(struct grosr_export_tracks *tracks);

/* NULL when there is none yet. */
struct grosr_export_lanes *grosr_export_find(struct grosr_export_tracks *tracks,
                                             const struct grosr_export_key *key);

/* Makes one and writes it. Texts are copied; parent, pid and rank are taken as they are. NULL: no memory. */
struct grosr_export_lanes *grosr_export_add(struct grosr_export_tracks *tracks,
                                            const struct grosr_export_key *key,
                                            const struct grosr_export_track *track);

/* The track itself. */
const struct grosr_export_track *grosr_export_first_lane(const struct grosr_export_lanes *lanes);

/*
 * Writes a slice to the lane that it fits on, after the ends that come before it there. Slices must come in
 * order of start, the longer one first. 0 or -ENOMEM.
 */
int grosr_export_slice(struct grosr_export_tracks *tracks, struct grosr_export_lanes *lanes,
                       struct grosr_export_event *event, int64_t end);

/* Writes the ends that are still to come on all tracks. */
void grosr_export_ends(struct grosr_export_tracks *tracks);

#endif
