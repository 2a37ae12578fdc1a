/*
 * Running the collector from a command: in a child process (`run -o`) or in this one (`record`).
 */
#ifndef GROSR_COLLECT_H
#define GROSR_COLLECT_H

#include "../tracer/collector.h"

#include <sys/types.h>

#define GROSR_DEFAULT_TRACE "grosr.db"

/*
 * Collects a session, or (NULL) those of the process `follow` and its descendants, into `path` at `level`
 * (-1: as it is), with `sampling` of GPUs and a progress bar on a terminal, and says what went
 * wrong or was lost. When writing fails it says so at once and, if stop_on_failure, detaches; otherwise it
 * goes on draining and counting to the session's end. 0 or negative errno; -ESRCH, not said: the process
 * ended without a session.
 */
int collect_session(struct grosr_session *session, uint32_t follow, const char *path, int level,
                    struct grosr_sampling sampling, volatile sig_atomic_t *stop, bool stop_on_failure);

/*
 * Starts a collector process for the session that this process is going to create. It ignores the terminal's
 * signals and ends with the session. The pid, or negative errno.
 */
pid_t collect_start(const char *path, struct grosr_sampling sampling);

/* Tells a collector whose session is not going to be to give up, and removes what it has written. */
void collect_give_up(pid_t collector);

/* Waits for a collector to end. 0, or -EIO when it failed, which has been said. */
int collect_wait(pid_t collector);

#endif
