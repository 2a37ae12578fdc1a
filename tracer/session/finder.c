/*
 * Finding sessions (finder.h).
 */
#include "finder.h"

#include "../base/error.h"
#include "../base/process.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/stat.h>

void grosr_finder_free(struct grosr_finder *f)
{
    free(f->seen);
    f->seen = NULL;
    f->count = f->room = 0;
}

/* A process that opens sessions one after another gives them the same index: their start tells them apart. */
static bool has_seen(const struct grosr_finder *f, const struct grosr_session_header *h)
{
    for (size_t i = 0; i < f->count; i++)
        if (f->seen[i].pid == h->pid && f->seen[i].index == h->index &&
            f->seen[i].pid_start == h->pid_start && f->seen[i].start_mono_ns == h->start_mono_ns)
            return true;
    return false;
}

static int note_seen(struct grosr_finder *f, const struct grosr_session_header *h)
{
    if (f->count == f->room) {
        size_t room = f->room ? 2 * f->room : 64;
        struct grosr_seen *more = (struct grosr_seen *)realloc(f->seen, room * sizeof(*more));
        if (!more)
            return grosr_fail(ENOMEM, "out of memory");
        f->seen = more;
        f->room = room;
    }
    f->seen[f->count++] = (struct grosr_seen){h->pid, h->index, h->pid_start, h->start_mono_ns};
    return 0;
}

bool grosr_finder_next(struct grosr_finder *f, uint32_t pid, struct grosr_session **session)
{
    struct grosr_session_id *ids;
    int n = grosr_session_list(&ids);
    bool found = false;

    f->again = false;
    for (int i = 0; i < n && !found; i++) {
        if (!grosr_process_descends(ids[i].pid, pid))
            continue;
        if (grosr_session_open(session, ids[i].pid, ids[i].index)) {
            f->again = true; /* being made, or nothing of ours */
            continue;
        }
        const struct grosr_session_header *h = &(*session)->header;
        found = grosr_process_was(h->pid, h->pid_start) && !has_seen(f, h) && note_seen(f, h) == 0;
        if (!found)
            grosr_session_close(*session);
    }
    free(ids);
    return found;
}

bool grosr_finder_may_find(struct grosr_finder *f)
{
    struct stat st;

    if (stat("/dev/shm", &st))
        return false;
    bool changed = st.st_mtim.tv_sec != f->changed.tv_sec || st.st_mtim.tv_nsec != f->changed.tv_nsec;
    f->changed = st.st_mtim;
    return changed || f->again;
}

int grosr_finder_first(struct grosr_finder *f, uint32_t pid, struct grosr_session **session,
                       const volatile sig_atomic_t *stop)
{
    for (;;) {
        bool alive = grosr_process_start_time(pid, NULL) == 0;
        if (grosr_finder_next(f, pid, session))
            return 0;
        if (!alive)
            return grosr_fail(ESRCH, "process %u ended without a GROSR session", pid);
        if (*stop)
            return grosr_fail(EINTR, "interrupted");
        nanosleep(&(struct timespec){0, 2000000}, NULL);
    }
}
