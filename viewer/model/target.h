/*
 * Which session a command means: one named by its process id, or the only live one.
 */
#ifndef GROSR_TARGET_H
#define GROSR_TARGET_H

#include "../../tracer/session/session.h"

/*
 * Opens the session of the process `name`, a number; of several, the first that is running. NULL: the only
 * live session on this machine. 0, or an exit code after one line on stderr. The caller closes the session.
 */
int target_open(struct grosr_session **session, const char *name);

#endif
