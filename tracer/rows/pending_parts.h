/*
 * What pending_rows.c and pending_report.c share: what a session's process is in, as of one look.
 * pending_rows.c makes rows of it and calls pending_report.c. Nobody else includes this.
 */
#ifndef GROSR_PENDING_PARTS_H
#define GROSR_PENDING_PARTS_H

#include "../session/outstanding.h"
#include "pending_rows.h"

/* What has not ended, or (`launch.ended`) has and has no record. */
enum found_type { FOUND_CALL = 1, FOUND_LAUNCH, FOUND_CAPTURE };

struct found {
    uint64_t key[2]; /* names it: no two have the same */
    enum found_type type;
    uint32_t stream; /* index, of LAUNCH and CAPTURE */
    bool first;      /* a launch: none of its stream that has not ended comes before it */
    union {
        struct grosr_call call;
        struct grosr_launch launch;
        struct grosr_cuda_stream_state capture;
    };
};

/* A row of GROSR_PENDING. */
struct held {
    uint64_t key[2];
    int64_t row;
    uint32_t tid; /* of a call with a row of its own, else 0 */
    uint64_t start_ns;
};

/* The first launch of a stream that has not ended. */
struct first {
    uint64_t place;
    uint64_t since_ns; /* when it was first seen to be that */
    uint64_t key;
};

struct grosr_pending_rows {
    const struct grosr_session *session;
    struct grosr_bases bases;
    struct grosr_store *store;
    struct grosr_records *records;
    void (*warned)(const char *text);
    bool begun;

    struct found *found; /* as of the latest look */
    uint32_t count, room;
    uint32_t kernels;    /* of these, launches of kernels and graphs that have not ended */
    struct first *first; /* [header.cuda_streams] */

    struct held *held; /* sorted by key */
    uint32_t held_count;
    struct held *returned; /* calls whose record has not come yet */
    uint32_t returned_count, returned_room;
    uint64_t counters; /* a hash of those in the file */

    /* pending_report.c's. */
    uint64_t looked_ns;
    bool some_busy;               /* the driver has said of a stream that it is */
    uint64_t candidate, reported; /* hashes of what withholds records: as of the last look; as reported */
    bool taken_over;
};

/* Reports what withholds records, or that they no longer come; after a look. */
int pending_report(struct grosr_pending_rows *p, uint64_t now_ns);

/* The same at the end: which launches have no record, and why. */
int pending_report_end(struct grosr_pending_rows *p, uint64_t end_ns, enum grosr_pending_end end);

#endif
