/*
 * Which sessions a command means: those of a process, one by its PID and index, or the only live one.
 */
#ifndef GROSR_TARGET_H
#define GROSR_TARGET_H

#include "../../tracer/session/session.h"

#define TARGET_ANY UINT32_MAX /* an index that was not named */

/* Sessions, in the order in which they began. */
struct target_list {
    struct grosr_session **session;
    uint32_t count;
};

/*
 * Opens the session `name`, PID or PID.INDEX. NULL: the only live one on this machine. Of a process that has
 * several it is the newest that is running, one with workers if there is any; which there are, and which was
 * chosen, is reported on stderr. 0, or an exit code after one line there. The caller closes the session.
 */
int target_open(struct grosr_session **session, const char *name);

/*
 * Opens the sessions of a process, or the one with this index: those of the process that has the number now,
 * or (`left`) those that processes left behind that had it before. 0 or negative errno; there may be none.
 */
int target_list(struct target_list *list, uint32_t pid, uint32_t index, bool left);

/* Closes all of them. */
void target_close(struct target_list *list);

/* One line on stderr about each. */
void target_say(const struct target_list *list);

/* "running", "finished", or that it was left behind. */
const char *target_state(const struct grosr_session *session);

/* The session's process has gone: which, in words, since another may have its number. Returns `text`. */
char *target_gone(char *text, size_t size, const struct grosr_session *session);

#endif
