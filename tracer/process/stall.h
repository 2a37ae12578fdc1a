/*
 * Noticing that a session has stalled, from what any onlooker can see of it: its counters, its workers' state
 * words and the events that come. One thread.
 *
 * A session moves while tasks are taken, run, spawned or completed, or while events come of anything but
 * waiting for tasks. It owes something while tasks wait in a queue or have been submitted and not been
 * completed and collected, or while a worker is in the middle of something: a task, or a wait for anything
 * but a task. It has stalled when it has owed something and not moved for a time. A task that runs as long as
 * that in silence is a stall as well.
 *
 * At level `off` only the queues are judged. A session without workers is not judged.
 */
#ifndef GROSR_STALL_H
#define GROSR_STALL_H

#include "../session/session.h"

struct grosr_stall {
    uint64_t counters; /* a hash of all that counts */
    uint64_t since_ns; /* when it was last seen to move, or to owe nothing; 0: not looked at yet */
    uint64_t after_ns; /* the look before: it moved after it, for the last time */
    uint64_t looked_ns;
    bool moved; /* events since the last look say so */
};

/* Events of the session that have been drained. */
void grosr_stall_see(struct grosr_stall *stall, const struct grosr_pair *events, uint32_t count);

/* A look at now_ns (CLOCK_MONOTONIC): whether the session has been stalled for timeout_ns. */
bool grosr_stall_look(struct grosr_stall *stall, const struct grosr_session *session, uint64_t now_ns,
                      uint64_t timeout_ns);

/* One line about a session that has stalled: for how long at now_ns, what it owes, and what its workers do.
 */
void grosr_stall_describe(const struct grosr_stall *stall, const struct grosr_session *session,
                          uint64_t now_ns, char *text, size_t size);

#endif
