/*
 * What a format has to write (export_perfetto.c, export_chrome.c). export.c calls a writer: head first, each
 * track before anything on it and after its parent, events nearly in order of start, then tail.
 *
 * On one track slices nest: each ends no later than the one it began in, and one without an end is only
 * inside others without an end (export_tracks.h ensures it). slice_end() is called for each that has an end,
 * innermost first.
 */
#ifndef GROSR_EXPORT_WRITER_H
#define GROSR_EXPORT_WRITER_H

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#define GROSR_EXPORT_ARGUMENTS 20
#define GROSR_EXPORT_OPEN      INT64_MAX /* the end of what has not ended */

enum grosr_export_kind {
    GROSR_EXPORT_PROCESS,
    GROSR_EXPORT_GROUP, /* has tracks and no events of its own */
    GROSR_EXPORT_THREAD,
    GROSR_EXPORT_TRACK,
    GROSR_EXPORT_COUNTER,
};

struct grosr_export_track {
    const struct grosr_export_track *parent; /* NULL: a process */
    enum grosr_export_kind kind;
    const char *name;
    const char *unit;  /* of a counter; NULL: none */
    const char *about; /* a description; NULL: none */
    int64_t pid, tid;  /* tid: of a THREAD */
    uint32_t number;   /* from 1, as tracks are made */
    int32_t rank;      /* among its siblings */
    bool implied;      /* a group whose name may be left out where a format has no groups */
};

enum grosr_argument_type { GROSR_ARGUMENT_INTEGER, GROSR_ARGUMENT_REAL, GROSR_ARGUMENT_TEXT };

struct grosr_export_argument {
    const char *name;
    enum grosr_argument_type type;
    int64_t integer;
    double real;
    const char *text;
};

enum grosr_export_role { GROSR_FLOW_NONE, GROSR_FLOW_FROM, GROSR_FLOW_THROUGH, GROSR_FLOW_TO };

/* A slice's begin, or a point in time. All texts live until the call returns. */
struct grosr_export_event {
    const struct grosr_export_track *track;
    int64_t time;
    const char *category; /* a literal */
    const char *name;
    int arguments;
    struct grosr_export_argument argument[GROSR_EXPORT_ARGUMENTS];
    enum grosr_export_role role;
    size_t flows; /* the number of arrows at it, all with the same role */
    const uint64_t *flow;
};

struct grosr_export_head {
    int64_t start_mono_ns, start_real_ns; /* of time 0 */
    int64_t first;                        /* the earliest time; negative if something was before time 0 */
    const char *version, *health;
};

struct grosr_export_writer {
    const struct grosr_export_writer_calls *calls;
    FILE *out;
    int error; /* positive errno of the first failure; nothing is written any more */
};

struct grosr_export_writer_calls {
    void (*head)(struct grosr_export_writer *w, const struct grosr_export_head *head);
    void (*track)(struct grosr_export_writer *w, const struct grosr_export_track *track);
    void (*slice_begin)(struct grosr_export_writer *w, const struct grosr_export_event *event, int64_t end);
    void (*slice_end)(struct grosr_export_writer *w, const struct grosr_export_track *track, int64_t time);
    void (*instant)(struct grosr_export_writer *w, const struct grosr_export_event *event);
    void (*counter)(struct grosr_export_writer *w, const struct grosr_export_track *track, int64_t time,
                    double value);
    void (*tail)(struct grosr_export_writer *w);
    void (*free)(struct grosr_export_writer *w);
};

/* NULL when there is no memory. */
struct grosr_export_writer *grosr_export_perfetto(FILE *out);
struct grosr_export_writer *grosr_export_chrome(FILE *out);

#endif
