/*
 * The diagnosis of a session: of one that lives, and of the segment that a dead process left.
 *
 * A live session is looked at again and again (grosr_live_look()): it moves if stall.h says so, or if a
 * system call was answered or memory was allocated since the look before. What waits is read from the
 * workers' state words, the mailbox and the rings' recent events, all in place: nothing is written to the
 * segment. A segment that a process left cannot be looked at twice: its ages count up to the last sign of
 * life, the housekeeper's heartbeat or a later event.
 *
 * What the graph (graph.h) is made of, and why:
 *
 *     A worker in a task is able, unless it has given no sign of life for longer than the threshold while
 * nothing else moved: then it is UNSEEN, since a long calculation and a loop without an end look the same. A
 * worker that looks for tasks is able, one that has stopped is gone. A named resource is held by whom HOLD
 * events say so. If they say nothing of it, nobody knows who could supply it: any worker that runs, any that
 * waits for the host alone, and the host; these are one actor, the rest of the program, which is gone only
 * when nothing at all has moved for longer than the threshold. So a wait of that kind is a finding only if
 * everything stands still. A reply is fed by the proxy: gone with its process, or if none of the process's
 * threads is in such a call. A call that waits for a disk is able, one for another process (a pipe, a socket)
 * is a wait that nobody supplies, once nothing else moves.
 *
 * Times are CLOCK_MONOTONIC ns; the device's are placed by the session's clock (clock.h).
 */
#ifndef GROSR_LIVE_H
#define GROSR_LIVE_H

#include "../findings/findings.h"

#include "../session/session.h"

#define GROSR_LIVE_NO_WORKER UINT32_MAX

/* A system call's port that is in use: its packet is not answered, or nobody has collected the answer. */
struct grosr_live_call {
    uint32_t port;
    uint32_t worker;   /* that called, or GROSR_LIVE_NO_WORKER */
    uint32_t requests; /* that are not answered; 0: all are, and the answers have not been collected */
    uint32_t call;     /* of the first of them: schema/events.def */
    int32_t handle;
    uint64_t argument;
    bool suspended; /* the task waits in its frame, and holds no worker */
    uint64_t task;
    uint64_t issued; /* device time, low 48 bits */
};

struct grosr_live_mailbox {
    bool closed;        /* nobody answers any more */
    uint64_t completed; /* requests answered, ever */
    uint64_t
        looked_ns; /* when the proxy last looked for calls: the thread of it that did so least recently */
    uint32_t calls;
    struct grosr_live_call *call; /* room for header.mailbox_ports */
};

/* Reads the mailbox of a session that has one: its layout is the runtime's. Other members are zero before. */
typedef void grosr_live_reader(const struct grosr_session *session, struct grosr_live_mailbox *mailbox);

struct grosr_live;

/* `reader` NULL: system calls are not looked at. The session stays the caller's. -ENOMEM. */
int grosr_live_open(struct grosr_live **live, const struct grosr_session *session, grosr_live_reader *reader);
void grosr_live_close(struct grosr_live *live); /* NULL is allowed */

/* Looks at the session. */
void grosr_live_look(struct grosr_live *live);

/* Whether more looks would not change the verdict, until something happens. */
bool grosr_live_decided(const struct grosr_live *live, uint64_t threshold_ns);

/*
 * What the looks so far say, with findings->threshold_ns; findings is initialised, and not settled
 * afterwards. -ENOMEM.
 */
int grosr_live_diagnose(struct grosr_live *live, struct grosr_findings *findings);

/* Looks until it is decided, at most a little longer than the threshold, and diagnoses. -ENOMEM. */
int grosr_diagnose_session(const struct grosr_session *session, grosr_live_reader *reader,
                           struct grosr_findings *findings);

#endif
