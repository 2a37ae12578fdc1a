/*
 * Running the collector from a command: in a child process (`run -o`) or in this one (`record`).
 */
#ifndef GROSR_COLLECT_H
#define GROSR_COLLECT_H

#include "../../tracer/collect/collector.h"

#include <sys/types.h>

/*
 * Collects according to the options, whose callbacks are set here: failures and losses are reported on
 * stderr, with a progress bar on a terminal. A failure to write is reported at once and sets
 * *stop_on_failure; if that is NULL, draining and counting continue to the end of the session. 0 or negative
 * errno; -ESRCH and -EINTR, without a message: the followed process ended without a session.
 */
int collect_session(struct grosr_collect_options options, struct grosr_collect_result *result,
                    volatile sig_atomic_t *stop_on_failure);

/*
 * Starts a collector process for the session that this process is going to create. It ignores the terminal's
 * signals and ends with the session. The pid, or negative errno.
 */
pid_t collect_start(const char *path, struct grosr_sampling sampling);

/* Makes a collector give up, because its session will not exist, and removes what it has written. */
void collect_give_up(pid_t collector);

/* The recording ends, though the session does not. */
void collect_finish(pid_t collector);

/* Waits for a collector to end. 0, or -EIO when it failed, which it has reported. */
int collect_wait(pid_t collector);

#endif
