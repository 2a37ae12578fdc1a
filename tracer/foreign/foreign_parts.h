/*
 * What the files of the diagnosis of a CUDA program share (foreign.h).
 *
 *     foreign_order.c    what is before what: streams, the legacy default stream, events; what runs
 *     foreign_pc.c       where the warps of kernels are, if that is sampled
 *     foreign_room.c     the room of kernels on the GPU
 *     foreign_text.c     how launches, threads and times are written
 *     foreign_rules.c    causes that have evidence of their own
 *     foreign_hoisted.c  of these, kernels in loops that do not end
 *     foreign_resident.c of these, kernels that have no room on the GPU
 *     foreign_words.c    of these, streams that wait for words in memory
 *     foreign_hidden.c   of these, calls that wait without saying so
 *     foreign_graph.c    the wait-for graph of all the rest
 *     foreign_judge.c    all of these, of one picture
 *     foreign.c          what a session's tables say, twice, into such a picture
 *
 * The picture says nothing of where it comes from: a session's tables, or the rows of a trace. Times are
 * CLOCK_MONOTONIC ns, or a trace's. Its arrays are sorted once (foreign_order()), and indexes refer to them
 * from then on.
 */
#ifndef GROSR_FOREIGN_PARTS_H
#define GROSR_FOREIGN_PARTS_H

#include "../base/thread_cpu.h"
#include "../session/outstanding.h"
#include "foreign.h"

#define FOREIGN_NONE UINT32_MAX

#define FOREIGN_NAME 96 /* bytes of a name in a text */

/* What a call is for, by its name. */
enum foreign_call_kind {
    FOREIGN_CALL_OTHER,
    FOREIGN_CALL_LAUNCH, /* of a kernel or a graph */
    FOREIGN_CALL_COPY,   /* that returns when it is done */
    FOREIGN_CALL_FREE,   /* as the next three: may wait for all that the device has been given */
    FOREIGN_CALL_ALLOCATE,
    FOREIGN_CALL_PIN,  /* memory of the host: allocated or registered */
    FOREIGN_CALL_LOAD, /* of code */
};

struct foreign_call {
    uint32_t tid, api, correlation, wait, context; /* of outstanding.h; context 0: not known */
    uint32_t stream;                               /* that it waits for; FOREIGN_NONE */
    uint64_t place;                                /* in it, up to which it waits; 0: to its end */
    uint64_t start_ns, handle;
    uint32_t kernels; /* that its thread has launched, ever; UINT32_MAX: not known */
    enum foreign_call_kind kind;
    enum grosr_thread_activity activity;
    bool stays; /* it was under way at the first look too */
    bool explained, judged;
    char name[FOREIGN_NAME];
};

struct foreign_launch {
    uint32_t kind, correlation, stream, tid; /* of outstanding.h; FOREIGN_NONE: the stream is not known */
    uint32_t grid[3], block[3], flags;
    uint64_t issued_ns, place, bytes, name_id, key; /* key: of its name, grid and block; 0: none */
    uint64_t kernels, recorded;                     /* of a graph */
    struct grosr_word word;                         /* of a wait or a write */
    uint32_t part;                                  /* of its call, which makes several */
    uint64_t ran, longest_ns;                 /* launches like it that have ended, and the longest of them */
    uint64_t fitting_ran, fitting_longest_ns; /* of those with any grid that fits on the GPU */
    struct grosr_room room;                   /* of a kernel */
    bool stays, first;                        /* at both looks: there; the first of its stream */
    bool explained;
    char name[FOREIGN_NAME];
};

struct foreign_stream {
    uint32_t id, context;
    uint32_t order;                /* enum grosr_stream_order */
    uint64_t rose_ns;              /* when something was last seen to end in it */
    uint64_t busy_ns;              /* when the driver last said that something had not */
    bool moved;                    /* launched into, or something has ended in it, between the looks */
    uint64_t capture_ns, captured; /* 0: it is not captured */
    uint32_t capture_tid;          /* 0: not known */
    enum grosr_thread_activity capture_activity;
    char captured_name[FOREIGN_NAME];
    uint64_t word_place;             /* of the wait whose word was looked at; 0: none */
    uint32_t word_flags, word_value; /* GROSR_WORD_* */
    uint32_t at, count;              /* its launches in `launch`, in their order; set by foreign_order() */
};

/* What a stream has written, by an operation that has ended. */
struct foreign_written {
    struct grosr_word word;
    uint64_t issued_ns;
};

/* Samples of a function, as of the latest time bin that has some. */
struct foreign_pc {
    struct grosr_pc_function samples;
    char name[FOREIGN_NAME], stall[FOREIGN_NAME];
    char file[GROSR_TEXT_KEPT_MAX + 1];
};

struct foreign {
    uint32_t pid;
    bool alive;
    uint64_t now_ns, threshold_ns;
    uint64_t between_ns; /* from the first look to the second; 0: there was one */
    bool called;         /* a CUDA call was made between the looks */
    uint64_t called_ns;  /* when the latest one began that has returned; 0: not known */
    bool launch_blocking, eager;
    uint32_t connections; /* 0: not set */
    bool threads_unknown; /* not all of the process are in `thread` */

    struct foreign_call *call;
    struct foreign_launch *launch;
    struct foreign_stream *stream;
    struct grosr_event_wait *event_wait;
    struct grosr_host_thread *thread;
    struct foreign_pc *pc;
    struct foreign_written *written; /* of those that are known still */
    uint32_t calls, launches, streams, event_waits, threads, pcs, writtens;

    unsigned char *seen; /* [launches], as stack: foreign_order.c's */
    uint32_t *stack;
};

/* ---- foreign_order.c ---- */

/* Sorts the launches by stream and place. Before all below. 0 or -ENOMEM. */
int foreign_order(struct foreign *f);

/*
 * The launches that one waits for, those nearest to it: at most `max` of them, in before[]. Their number.
 */
uint32_t foreign_before(const struct foreign *f, uint32_t launch, uint32_t *before, uint32_t max);

/* Nothing is before it, as far as is known: it runs, or has ended and CUPTI keeps its record back. */
bool foreign_runs(const struct foreign *f, uint32_t launch);

/* What a launch waits for at last: itself, if it runs. FOREIGN_NONE: not known. */
uint32_t foreign_runner(const struct foreign *f, uint32_t launch);

uint32_t foreign_launch_of(const struct foreign *f, uint32_t correlation);

/* The last launch that a call waits for in its stream, or makes; FOREIGN_NONE: none is known. */
uint32_t foreign_waited(const struct foreign *f, const struct foreign_call *call);

/* Whether a call waits, by what its arguments say, for a launch. */
bool foreign_waits_for(const struct foreign *f, const struct foreign_call *call, uint32_t launch);

/*
 * What runs in a stream whose first launch has not changed between the looks: that, or the first behind it
 * that has not ended fast each time before. CUPTI may keep back the records of those before it. FOREIGN_NONE:
 * nothing, or the first has changed.
 */
uint32_t foreign_suspect(const struct foreign *f, uint32_t stream);

/* Since when a launch may have run: since it was issued, or what was before it in its stream ended. */
uint64_t foreign_began(const struct foreign *f, const struct foreign_launch *l);

/*
 * Whether kernels of other streams that run, and that may take long, can fill the device: then one that does
 * not end may not have begun.
 */
bool foreign_may_be_crowded(const struct foreign *f, const struct foreign_launch *l);

/* Launches like it have ended, and the slowest much faster; or it has run for as long before. */
bool foreign_is_fast(const struct foreign *f, const struct foreign_launch *l);
bool foreign_is_slow(const struct foreign *f, const struct foreign_launch *l);

/* Whether a write that has ended has made the word of a wait what it is to be, as far as is known. */
bool foreign_is_written(const struct foreign *f, const struct foreign_launch *wait);

/* ---- foreign_pc.c ---- */

/* Samples of a kernel that runs, or of a function that it calls; NULL: there are none. */
const struct foreign_pc *foreign_samples(const struct foreign *f, const struct foreign_launch *l);

/* What they say, in a line; false: there are none. And as evidence. */
bool foreign_samples_text(const struct foreign *f, const struct foreign_launch *l, char *to, size_t size);
void foreign_tell_samples(const struct foreign *f, struct grosr_findings *findings,
                          struct grosr_finding *finding, const struct foreign_launch *l);

/* Whether all warps of a kernel that runs do nothing but wait, for long: in loops that only look at a place
 * in memory, or at barriers. */
bool foreign_only_waits(const struct foreign *f, const struct foreign_launch *l);

/* The loop: "steps.cu:12-14 in poll", or "+0x80 to +0xa0 of poll". */
struct foreign_text foreign_samples_place(const struct foreign_pc *samples);

/* ---- foreign_text.c ---- */

struct foreign_text {
    char at[224];
};

struct foreign_time {
    char at[24];
};

/* "kernel server (stream 9)", "thread 4711 in cudaFree", "3.1 s"; for how long a time ago was. */
struct foreign_text foreign_launch_text(const struct foreign *f, const struct foreign_launch *l);
struct foreign_text foreign_thread_text(const struct foreign_call *c);
struct foreign_time foreign_duration(uint64_t ns);
struct foreign_time foreign_since(const struct foreign *f, uint64_t then_ns);

/* Lines of evidence: a launch with what is behind it and how it ran before; a call. */
void foreign_tell_launch(const struct foreign *f, struct grosr_findings *findings,
                         struct grosr_finding *finding, const struct foreign_launch *l);
void foreign_tell_call(const struct foreign *f, struct grosr_findings *findings,
                       struct grosr_finding *finding, const struct foreign_call *c);

bool foreign_is_old(const struct foreign *f, uint64_t since_ns);

/* ---- foreign_rules.c ---- */

/* A call of another thread than that (0: of any) that has waited for a launch for long; NULL: there is none.
 */
struct foreign_call *foreign_waiter(const struct foreign *f, const struct foreign_launch *l,
                                    uint32_t not_tid);

/* Calls that wait for a launch: their names and evidence; they are explained by it. How many. */
uint32_t foreign_add_waiters(struct foreign *f, struct grosr_findings *findings,
                             struct grosr_finding *finding, const struct foreign_launch *l);

/* That a kernel which has always ended fast runs so long is beyond what work explains. */
bool foreign_is_proven(const struct foreign *f, const struct foreign_launch *l);

/* ---- foreign_room.c ---- */

/* Blocks of a kernel, and how many of them fit on the GPU at once, if nothing else runs; 0: it is not known.
 */
uint64_t foreign_blocks(const struct foreign_launch *l);
uint64_t foreign_fitting(const struct foreign_launch *l);

/* Of the blocks of a kernel whose room is known, those on each SM. */
uint32_t foreign_per_sm(const struct foreign_launch *l);

/* Why a kernel that is the first of its stream cannot begin. */
struct foreign_crowd {
    uint32_t kernel; /* that runs and takes most of what is missing; an index of `launch` */
    enum grosr_room_part part;
    unsigned taken_pct, wanted_pct; /* of each SM: by kernels that run; by a block of this one */
};

/*
 * Whether there is no room for a single block of a kernel, as those that are known to run since before its
 * launch take too much of every SM. Their blocks are taken to be spread evenly.
 */
bool foreign_has_no_room(const struct foreign *f, uint32_t launch, struct foreign_crowd *crowd);

/* "it has 400 blocks, of which 264 fit ..."; false: they fit, or it is not known. */
bool foreign_room_text(const struct foreign_launch *l, char *to, size_t size);

/* ---- foreign_hoisted.c, foreign_resident.c, foreign_words.c, foreign_hidden.c, foreign_rules.c,
 * foreign_graph.c ---- */

/*
 * Each adds its findings and marks what they explain, which those behind it leave alone. foreign_graph() can
 * run out of memory: -ENOMEM.
 */
void foreign_hoisted(struct foreign *f, struct grosr_findings *findings);
void foreign_resident(struct foreign *f, struct grosr_findings *findings);
void foreign_rules(struct foreign *f, struct grosr_findings *findings);
void foreign_words(struct foreign *f, struct grosr_findings *findings);
void foreign_hidden(struct foreign *f, struct grosr_findings *findings);
int foreign_graph(struct foreign *f, struct grosr_findings *findings);

/* ---- foreign_judge.c ---- */

/* All of it, of a picture that is complete but for the order; what the program does, and the verdict if
 * nothing is found. */
int foreign_judge(struct foreign *f, struct grosr_findings *findings);

/* Frees what the picture has. */
void foreign_free(struct foreign *f);

#endif
