/*
 * Running the collector from a command: in a child process (`run -o`) or in this one (`record`).
 */
#ifndef GROSR_COLLECT_H
#define GROSR_COLLECT_H

#include "../../tracer/collect/collector.h"

#include <sys/types.h>

/*
 * Collects as the options say, whose callbacks are set here: it says what went wrong or was lost, with a
 * progress bar on a terminal. When writing fails it says so at once and sets *stop_on_failure, if that is not
 * NULL; otherwise it goes on draining and counting to the session's end. 0 or negative errno; -ESRCH and
 * -EINTR, not said: the followed process ended without a session.
 */
int collect_session(struct grosr_collect_options options, struct grosr_collect_result *result,
                    volatile sig_atomic_t *stop_on_failure);

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
