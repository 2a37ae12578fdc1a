/*
 * Finding sessions (finder.h).
 */
#include "finder.h"

#include "session_parts.h"

#include "../base/error.h"
#include "../base/host_clock.h"
#include "../base/process.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <sys/stat.h>
#include <unistd.h>

#define FIRST_POLL_NS   2000000u   /* between looks for the first session */
#define MAKING_POLL_NS  200000u    /* between looks at a session that is being made */
#define MAKING_NS       100000000u /* how long that takes, mostly; after that, and for what is damaged: */
#define DAMAGED_POLL_NS 5000000u

/* With the ends of names: two beginnings of one name, with nothing in between, would come as one. */
#define WATCHED (IN_CREATE | IN_MOVED_TO | IN_DELETE)

void grosr_finder_open(struct grosr_finder *f, uint32_t pid, bool alone)
{
    *f = (struct grosr_finder){.pid = pid, .alone = alone, .relist = true};
    f->watch = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
    f->opened_ns = grosr_host_clock_ns();
    if (f->watch >= 0 && inotify_add_watch(f->watch, SHM_DIR, WATCHED) < 0) {
        close(f->watch);
        f->watch = -1;
    }
}

void grosr_finder_free(struct grosr_finder *f)
{
    if (f->watch >= 0)
        close(f->watch);
    f->watch = -1;
    free(f->candidate);
    free(f->seen);
    f->candidate = NULL;
    f->seen = NULL;
    f->candidates = f->candidate_room = f->next = f->count = f->room = 0;
}

/* Makes room for one more; false: out of memory. */
static bool reserve(void **items, size_t count, size_t *room, size_t size)
{
    if (count < *room)
        return true;
    size_t more = *room ? 2 * *room : 64;
    void *larger = realloc(*items, more * size);
    if (!larger)
        return false;
    *items = larger;
    *room = more;
    return true;
}

/* ---- names ---- */

/* Without memory the name is found when the folder is listed the next time. */
static void add_candidate(struct grosr_finder *f, struct grosr_session_id id)
{
    for (size_t i = f->next; i < f->candidates; i++)
        if (f->candidate[i].pid == id.pid && f->candidate[i].index == id.index)
            return;
    if (!reserve((void **)&f->candidate, f->candidates, &f->candidate_room, sizeof(id)))
        f->relist = true;
    else
        f->candidate[f->candidates++] = id;
    f->added_ns = grosr_host_clock_ns();
}

static void note_name(struct grosr_finder *f, const char *name)
{
    struct grosr_session_id id;
    uint32_t collector;

    if (session_parse_name(name, &id)) {
        f->created += id.pid == f->pid;
        add_candidate(f, id);
    } else if (session_parse_unrecorded(name, &id, &collector) && collector == (uint32_t)getpid()) {
        f->reported++;
    }
}

static void read_watch(struct grosr_finder *f)
{
    alignas(struct inotify_event) char buffer[16384];
    ssize_t n;

    while (f->watch >= 0 && (n = read(f->watch, buffer, sizeof(buffer))) > 0) {
        for (char *at = buffer; at < buffer + n;) {
            const struct inotify_event *event = (const struct inotify_event *)(void *)at;
            if (event->mask & (IN_Q_OVERFLOW | IN_IGNORED))
                f->relist = true;
            else if (event->len && !(event->mask & IN_DELETE))
                note_name(f, event->name);
            at += sizeof(*event) + event->len;
        }
    }
}

/* Without a watch: whether the folder has changed since it was listed. */
static bool has_changed(struct grosr_finder *f)
{
    struct stat st;

    if (f->watch >= 0 || stat(SHM_DIR, &st))
        return false;
    bool changed = st.st_mtim.tv_sec != f->changed.tv_sec || st.st_mtim.tv_nsec != f->changed.tv_nsec;
    f->changed = st.st_mtim;
    return changed;
}

static void list(struct grosr_finder *f)
{
    struct grosr_session_id *ids;
    int n = grosr_session_list(&ids);

    f->relist = n < 0;
    for (int i = 0; i < n; i++)
        add_candidate(f, ids[i]);
    free(ids);
}

/* Between looks at the names. */
static uint64_t poll_ns(const struct grosr_finder *f, uint64_t now)
{
    return now - f->added_ns < MAKING_NS ? MAKING_POLL_NS : DAMAGED_POLL_NS;
}

bool grosr_finder_may_find(struct grosr_finder *f)
{
    uint64_t now = grosr_host_clock_ns();

    read_watch(f);
    f->relist |= has_changed(f);
    return f->relist || (f->candidates && (f->added_ns >= now || now - f->looked_ns >= poll_ns(f, now)));
}

/* ---- sessions ---- */

/* A process that opens sessions one after another gives them the same index: their start tells them apart.
 * False: it has been seen, or there is no memory. */
static bool note_seen(struct grosr_finder *f, const struct grosr_session_header *h)
{
    const struct grosr_seen latest = {h->pid, h->index, h->pid_start, h->start_mono_ns};

    for (size_t i = 0; i < f->count; i++) {
        struct grosr_seen *s = &f->seen[i];
        if (s->pid != h->pid || s->index != h->index)
            continue;
        bool same = s->pid_start == h->pid_start && s->start_mono_ns == h->start_mono_ns;
        *s = latest;
        return !same;
    }
    if (!reserve((void **)&f->seen, f->count, &f->room, sizeof(latest)))
        return false;
    f->seen[f->count++] = latest;
    return true;
}

static bool is_followed(const struct grosr_finder *f, uint32_t pid)
{
    if (f->alone)
        return pid == f->pid;
    return grosr_process_descends(pid, f->pid) ||
           (f->orphans && grosr_process_descends(pid, (uint32_t)getpid()));
}

/*
 * Opens the session with a name. 1: it is new, and one of those that are looked for; 0: it is not; -EAGAIN:
 * it cannot be opened yet, or ever.
 */
static int look_at(struct grosr_finder *f, struct grosr_session_id id, struct grosr_session **session)
{
    if (!is_followed(f, id.pid))
        return 0;
    int err = grosr_session_open(session, id.pid, id.index);
    if (err)
        return err == -ENOENT || err == -EACCES ? 0 : -EAGAIN;
    const struct grosr_session_header *h = &(*session)->header;
    if (grosr_process_was(h->pid, h->pid_start) && note_seen(f, h)) {
        f->found += h->pid == f->pid && h->start_mono_ns >= f->opened_ns;
        return 1;
    }
    grosr_session_close(*session);
    return 0;
}

bool grosr_finder_next(struct grosr_finder *f, struct grosr_session **session)
{
    size_t kept = 0;
    int found = 0;

    read_watch(f);
    f->relist |= has_changed(f);
    if (f->relist)
        list(f);
    f->looked_ns = grosr_host_clock_ns();
    while (f->next < f->candidates && found != 1) {
        struct grosr_session_id id = f->candidate[f->next++];
        found = look_at(f, id, session);
        if (found < 0) /* to be looked at again, from the front */
            f->candidate[kept++] = id;
    }
    size_t left = f->candidates - f->next;
    if (f->next != kept)
        memmove(f->candidate + kept, f->candidate + f->next, left * sizeof(*f->candidate));
    f->candidates = kept + left;
    f->next = 0;
    return found == 1;
}

uint32_t grosr_finder_missed(const struct grosr_finder *f)
{
    return !f->alone ? f->reported : f->created > f->found ? f->created - f->found : 0;
}

void grosr_finder_wait(const struct grosr_finder *f, uint64_t timeout_ns)
{
    struct pollfd watch = {.fd = f->watch, .events = POLLIN}; /* -1 is left out */
    uint64_t ns = timeout_ns;

    if (f->candidates && ns > poll_ns(f, grosr_host_clock_ns()))
        ns = poll_ns(f, grosr_host_clock_ns());
    ppoll(&watch, 1, &(struct timespec){0, (long)ns}, NULL);
}

int grosr_finder_first(struct grosr_finder *f, struct grosr_session **session,
                       const volatile sig_atomic_t *stop)
{
    for (;;) {
        bool alive = grosr_process_start_time(f->pid, NULL) == 0;
        if (grosr_finder_next(f, session))
            return 0;
        if (!alive)
            return grosr_fail(ESRCH, "process %u ended without a GROSR session", f->pid);
        if (*stop)
            return grosr_fail(EINTR, "interrupted");
        grosr_finder_wait(f, FIRST_POLL_NS);
    }
}
