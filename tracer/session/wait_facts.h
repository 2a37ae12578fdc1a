/*
 * What a worker's bounded wait is for (grosr_trace.h), read from its session: the only reader there is, for
 * the live view and the diagnosis, of a running process or of the segment that it left.
 *
 * A wait is reported once it has lasted for the time that the host has set; until then it has no facts. While
 * it goes on they are brought up to date, some milliseconds after `seen` has changed, and otherwise about ten
 * times a second.
 *
 * Any thread may call these functions, in any process that has the session mapped.
 */
#ifndef GROSR_WAIT_FACTS_H
#define GROSR_WAIT_FACTS_H

#include "session.h"

#define GROSR_WAIT_NOBODY UINT32_MAX

struct grosr_wait_facts {
    enum grosr_wait_kind kind;
    uint32_t name, index; /* as in the state word */

    uint64_t address; /* on the device: of the word, lock or barrier; of an mbarrier, in shared memory */
    uint64_t seen;    /* the word's value; of a barrier: how many have arrived */
    uint64_t wanted;  /* of a barrier: how many are expected; of an mbarrier: the phase's parity */

    /* Of a word. */
    enum grosr_wait_until until; /* what `seen` has to be, compared with `wanted` */
    uint32_t bits;               /* 32, 64 */
    bool system;                 /* the CPU shares it */

    /* The worker that has the lock; of a barrier: one that has not arrived and did the time before, or, if
     * all workers are expected, any that has not. NOBODY: not known, or no worker. */
    uint32_t holder;
    bool held;             /* a lock is taken, by the holder or by somebody who is not recorded */
    uint64_t holder_since; /* of a lock: device time, low 48 bits */

    uint64_t since;   /* when the wait began: device time, all 64 bits */
    uint64_t updated; /* when `seen` was read */
};

/* What the worker waits for now. False: it does not wait, or not in a bounded wait that has been reported;
 * *facts is as it was. */
bool grosr_wait_facts_read(const struct grosr_session *session, uint32_t worker,
                           struct grosr_wait_facts *facts);

/*
 * Who may be missing at the barrier of which `facts` are: the workers that have started, have not stopped and
 * are not seen to wait there, in order, at most `room` of them. Returns how many there are. If there are
 * wanted - seen of them, it is they; if more, some have no part in the barrier or have just arrived; if
 * fewer, others have not begun, or are not recorded. It reads all workers: once for a barrier is enough.
 */
uint32_t grosr_wait_facts_missing(const struct grosr_session *session, const struct grosr_wait_facts *facts,
                                  uint32_t *workers, uint32_t room);

/* In words, NUL-terminated: "the word at 0x7f0012345678 is 3, and is to be 4", "the lock at 0x... is held by
 * worker 5", "3 of 4 have arrived at the barrier at 0x..., worker 5 has not". */
void grosr_wait_facts_describe(const struct grosr_wait_facts *facts, char *text, size_t bytes);

#endif
