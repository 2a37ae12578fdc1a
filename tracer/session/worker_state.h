/*
 * What a worker is doing, decoded from its state word (session.h): the only decoder there is, for the live
 * view, the stall watch and the text of a failure.
 *
 * The word holds the latest event that changed the worker's state. It is written at level `counters` and
 * above; at level `off` it is whatever was true when the level was lowered. The end of a task does not change
 * it: a worker that has finished one task and has not yet begun the next, or to wait, still counts as in it.
 *
 *     word                                        activity
 *     never written                               NOT_STARTED
 *     worker_start, wait_end, any other event     RUNNING      in code of its own, or in the scheduler
 *     task_begin, task_resume                     IN_TASK      function, task
 *     wait_begin of queue_not_empty, idle_end     SEEKING      waits for a task, polling
 *     idle_begin                                  IDLE         the same, backed off to its longest sleep
 *     wait_begin of any other resource            WAITING      resource, index
 *     worker_stop                                 STOPPED
 *
 * Any thread may call these functions, in any process that has the session mapped.
 */
#ifndef GROSR_WORKER_STATE_H
#define GROSR_WORKER_STATE_H

#include "session.h"

enum grosr_activity {
    GROSR_NOT_STARTED,
    GROSR_RUNNING,
    GROSR_IN_TASK,
    GROSR_WAITING,
    GROSR_SEEKING,
    GROSR_IDLE,
    GROSR_STOPPED,
    GROSR_ACTIVITIES
};

struct grosr_worker_state {
    enum grosr_activity activity;
    uint64_t since;         /* device time of the event, low 48 bits (GROSR_TIME_MASK) */
    struct grosr_pair word; /* as it was read: two readings with equal words are of one and the same event */

    /* IN_TASK. */
    uint32_t function;
    uint64_t task;

    /* WAITING, SEEKING, IDLE. */
    uint32_t resource; /* enum grosr_resource */
    uint64_t index;    /* 48 bits, as the resource's list says (schema/events.def) */
};

/* What a worker has counted, at level `counters` and above. */
struct grosr_worker_counts {
    uint64_t tasks, busy_ns; /* tasks run, and the time spent in those that have ended */
    uint64_t spawned, shared;
};

/*
 * Decodes a state word. False: the word is torn (its two halves are of different events, because the writer
 * is just replacing it), and *state is as it was.
 */
bool grosr_worker_decode(struct grosr_pair word, struct grosr_worker_state *state);

/*
 * Reads a worker's state, and its counts if `counts` is not NULL, so that they belong together: again when
 * the worker moves on meanwhile, a few times. False: each time the word was torn; *state is as it was.
 */
bool grosr_worker_read(const struct grosr_session *session, uint32_t worker, struct grosr_worker_state *state,
                       struct grosr_worker_counts *counts);

/* The SM that the worker runs on, or UINT32_MAX while it has not started. */
uint32_t grosr_worker_sm(const struct grosr_session *session, uint32_t worker);

#endif
