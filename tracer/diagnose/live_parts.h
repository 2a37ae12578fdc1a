/*
 * What the files of the live diagnosis (live*.c) share. Nobody else includes this.
 */
#ifndef GROSR_LIVE_PARTS_H
#define GROSR_LIVE_PARTS_H

#include "live.h"
#include "../process/process_facts.h"
#include "../process/stall.h"

#include "../clock/clock.h"
#include "../session/heap_counters.h"
#include "../session/worker_state.h"

#define LIVE_THREADS_MAX 256u
#define LIVE_TEXT        256u

struct live_worker {
    struct grosr_worker_state state;
    uint64_t
        since_ns; /* when this state began, host time; when it was first seen if the clock is not known */
    uint64_t quiet_ns; /* its last sign of life: the state's begin, or a later event of its ring */
    bool known;        /* the word could be read, and the worker has started */
    bool idle_always;  /* in every look the same wait for a task */
    bool in_range;     /* a range that it began has not ended, as far as its ring's recent events say */
};

/* A resource that a worker waits for for a part of the time, and most of the others too. */
struct live_hot {
    uint64_t payload; /* of WAIT_BEGIN; 0: none */
    uint32_t looks;   /* in which that was so, less those in which it was another one */
};

struct grosr_live {
    const struct grosr_session *session;
    grosr_live_reader *reader;
    struct grosr_clock clock;
    struct grosr_stall stall;
    bool dead; /* the process has died: there is one look */
    char process_state;
    uint64_t now_ns,
        first_ns; /* of the latest look, and of the first; of a dead one, its last sign of life */
    uint32_t looks;
    uint64_t
        moved_ns; /* it was last seen to move at this time or a little before; 0: not since the first look */
    uint64_t event_ns; /* the time of the latest event that is more than waiting for tasks; 0: not known */
    struct live_worker *worker;
    uint64_t *ring_end; /* positions, at the latest look */
    struct grosr_live_mailbox mailbox;
    bool has_heap;
    struct grosr_heap_counters heap;
    uint64_t heap_operations, heap_failures; /* at the look before */
    bool heap_fails; /* requests for memory failed between the looks, and nothing was freed */
    uint64_t untaken, uncompleted;
    uint32_t untaken_looks; /* in a row */
    uint32_t activity[GROSR_ACTIVITIES];
    uint32_t started;
    struct live_hot hot;
    uint32_t threads, threads_before; /* of the process: at the diagnosis, and at the first look */
    struct grosr_thread_fact thread[LIVE_THREADS_MAX], thread_before[LIVE_THREADS_MAX];
};

/* The host time of a device time's low 48 bits; 0: the clock is not known. */
uint64_t live_host_time(struct grosr_live *live, uint64_t low48);

/* The host time of an event in a ring: the host's ring has times of the host's clock, the others the
 * device's. */
uint64_t live_ring_time(struct grosr_live *live, uint32_t ring, struct grosr_pair event);

/* How long ago it was; 0: not known. */
uint64_t live_age(const struct grosr_live *live, uint64_t since);

/* Whether the process is stopped, by a signal or a debugger. */
bool live_is_stopped(const struct grosr_live *live);

/* Since when nothing has moved, and whether that is longer than the threshold. */
uint64_t live_still_since(const struct grosr_live *live);
bool live_is_still(const struct grosr_live *live, uint64_t threshold_ns);

/* Names for people: "beta", "function 7"; "the lock 5". */
void live_function(const struct grosr_live *live, uint32_t function, char *text, size_t size);
void live_resource(const struct grosr_live *live, uint32_t resource, uint64_t index, char *text, size_t size);

/* live_holds.c: adds who holds what, of the resources that are waited for, by the rings' events. */
struct live_hold {
    uint64_t payload; /* of HOLD */
    uint32_t worker;
    uint32_t count;
    uint64_t since; /* host time; 0: not known */
};
struct live_holds {
    struct live_hold *hold;
    uint32_t holds, room;
    uint64_t host_waits_since; /* a host thread waits for room in the queue since then; 0: none does */
    bool any_named;            /* there were HOLD events of a named resource */
};
/* -ENOMEM. Of a session in which nobody waits for long, the host's ring alone is read. */
int live_holds_read(struct grosr_live *live, uint64_t threshold_ns, struct live_holds *holds);
void live_holds_free(struct live_holds *holds);
/* Whether anybody has been seen to hold the resource, now or before. */
bool live_holds_know(const struct live_holds *holds, uint64_t payload);

/* A task that waits in its frame, as its ring's recent events say. */
struct live_suspended_task {
    uint64_t task, since_ns; /* host time; 0: not known */
    uint32_t function;       /* that it continues as; GROSR_TASK_NOTHING: it only waits for its children */
};
/* live_suspended.c: fills in the longest suspended, at most `max`; returns how many there are. */
uint32_t live_suspended(struct grosr_live *live, struct live_suspended_task *task, uint32_t max);

/* live_hot.c: the payload of what workers waited for most in the last so many ns, and for which share of
 * that time at least half of them did. 0: nothing that anybody has held. */
uint64_t live_hot_in_rings(struct grosr_live *live, uint64_t window_ns, double *share);

/* live_graph.c: -ENOMEM. */
int live_graph_findings(struct grosr_live *live, const struct live_holds *holds,
                        struct grosr_findings *findings);

/* live_calls.c: the mailbox's part of the graph. */
struct live_graph {
    struct grosr_live *live;
    const struct live_holds *holds;
    struct grosr_findings *findings;
    struct grosr_graph *graph;
    uint32_t *worker; /* the actors */
    uint32_t rest;    /* the rest of the program */
    bool still;
    bool in_call[LIVE_THREADS_MAX]; /* threads of the process that calls have been found in */
};
void live_graph_calls(struct live_graph *g);

/* live_waits.c: what a WAITING worker waits for, after the calls. */
void live_graph_wait(struct live_graph *g, uint32_t worker);

/* live_hot.c: adds for how long the resource is held, and what its holder does, as evidence. */
void live_describe_holds(struct live_graph *g, struct grosr_finding *finding, uint64_t payload);

/* live_remarks.c: what is no graph, once the graph has been built. */
void live_remarks(struct live_graph *g);
void live_remark_stopped(struct live_graph *g);
void live_remark_starved(struct live_graph *g, uint32_t tid);

/* live_slow.c: who is overtaken, what waits for a task that does not run, and tasks without an end. */
void live_slow(struct live_graph *g);

#endif
