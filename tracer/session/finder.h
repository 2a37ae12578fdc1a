/*
 * Finding the sessions that a process and its descendants make, as they make them.
 */
#ifndef GROSR_FINDER_H
#define GROSR_FINDER_H

#include "session.h"

#include <signal.h>
#include <time.h>

struct grosr_seen {
    uint32_t pid, index;
    uint64_t pid_start, start_mono_ns;
};

/* Zero-initialise. */
struct grosr_finder {
    struct timespec changed; /* of the sessions' folder, at the last look */
    bool again;              /* something was not ready: look again, changed or not */
    struct grosr_seen *seen;
    size_t count, room;
};

/* Whether there may be something new since the last call. */
bool grosr_finder_may_find(struct grosr_finder *finder);

/*
 * The next session that `pid` or a descendant of it has made and that has not been found before; false: none.
 * A killed process leaves its segment behind, and its number may be in use again: that one is not found.
 */
bool grosr_finder_next(struct grosr_finder *finder, uint32_t pid, struct grosr_session **session);

/* Waits for the first one. 0; -ESRCH: pid ended first; -EINTR: *stop. */
int grosr_finder_first(struct grosr_finder *finder, uint32_t pid, struct grosr_session **session,
                       const volatile sig_atomic_t *stop);

void grosr_finder_free(struct grosr_finder *finder);

#endif
