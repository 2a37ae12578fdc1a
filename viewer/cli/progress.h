/*
 * A progress bar on stderr, for one thread. The caller knows that stderr is a terminal.
 */
#ifndef GROSR_PROGRESS_H
#define GROSR_PROGRESS_H

#include <stdint.h>

/*
 * Draws the bar of `what` at done of all steps, over the one drawn before, if the percentage has changed. At
 * the end (done == all) the line is cleared. A `done` above `all` counts as all: the work may grow after it
 * was counted.
 */
void progress_show(const char *what, uint64_t done, uint64_t all);

#endif
