/*
 * Finding the sessions that a process, and if asked for its descendants, make, as they make them.
 *
 * The kernel reports each new name in /dev/shm (inotify), so a session is found within a fraction of a
 * millisecond, and one that opens in the place of another is not mistaken for it. Where there is no inotify
 * the folder is listed when its time stamp changes.
 *
 * A session that waited for this process to record it, in vain, reports that with a name too
 * (grosr_session_wait_collector()). Those of a process `alone` wait for nobody: there the names that came are
 * counted, and the sessions that were found.
 *
 * A finder is used by one thread at a time.
 */
#ifndef GROSR_FINDER_H
#define GROSR_FINDER_H

#include "session.h"

#include <signal.h>
#include <time.h>

/* The latest session found with a name: one process's sessions may have it one after the other. */
struct grosr_seen {
    uint32_t pid, index;
    uint64_t pid_start, start_mono_ns;
};

struct grosr_finder {
    uint32_t pid;
    bool alone;              /* without its descendants */
    bool orphans;            /* with descendants of this process, which adopts those of `pid` */
    int watch;               /* reports new names; -1: there is no inotify */
    bool relist;             /* names may have been missed: list them all */
    struct timespec changed; /* without a watch: of the sessions' folder, when it was last listed */
    uint64_t opened_ns;
    uint32_t reported;       /* sessions that waited for this process and were closed unrecorded */
    uint32_t created, found; /* sessions of `pid` since opened_ns */

    /* Names to look at: new ones, and those of sessions that are being made. */
    struct grosr_session_id *candidate;
    size_t candidates, candidate_room;
    size_t next;                  /* the next one to look at */
    uint64_t added_ns, looked_ns; /* when the latest was added; when they were last looked at */

    struct grosr_seen *seen;
    size_t count, room;
};

/*
 * Begins: names from now on are reported, and those that are there are found too. `pid` may be set later, up
 * to the first of the calls below: a process that is started in between has no session that is missed.
 */
void grosr_finder_open(struct grosr_finder *finder, uint32_t pid, bool alone);

/* Whether there may be something new since the last call. */
bool grosr_finder_may_find(struct grosr_finder *finder);

/*
 * The next session that `pid`, or unless `alone` a descendant of it, has made and that has not been found
 * before; false: none. A killed process leaves its segment behind, and its number may be in use again: that
 * one is not found.
 */
bool grosr_finder_next(struct grosr_finder *finder, struct grosr_session **session);

/* Waits until there may be something new, at most so long (less than a second). */
void grosr_finder_wait(const struct grosr_finder *finder, uint64_t timeout_ns);

/* Waits for the first one. 0; -ESRCH: pid ended first; -EINTR: *stop. */
int grosr_finder_first(struct grosr_finder *finder, struct grosr_session **session,
                       const volatile sig_atomic_t *stop);

/* How many sessions have been missed that were to be recorded: they were closed before they were found. */
uint32_t grosr_finder_missed(const struct grosr_finder *finder);

/* May be repeated. */
void grosr_finder_free(struct grosr_finder *finder);

#endif
