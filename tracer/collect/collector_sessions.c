/*
 * Which sessions are recorded (collector_parts.h): those that the recording begins with, those that come
 * later, and when nothing more can come of one. Everything here is the drainer's.
 *
 * `draining` has the sources that are not over; one that is over stays in
 * `over` until the batch with its last records has been handed over. Sources of one process share a
 * descriptor by which its end is learnt (grosr_process_watch()).
 */
#include "collector_parts.h"

#include "../base/error.h"
#include "../base/process.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ALIVE_NS 5000000u /* between looks at whether the followed process still runs */

/* ---- processes ---- */

static int watch_process(struct collector *c, const struct grosr_session *session)
{
    const struct grosr_session_header *h = &session->header;
    uint32_t i = 0;

    if (session->copy || !grosr_process_was(h->pid, h->pid_start))
        return -1;
    while (i < c->processes && (c->process[i].pid != h->pid || c->process[i].start != h->pid_start))
        i++;
    if (i == c->processes) {
        struct watched_process *more =
            (struct watched_process *)realloc(c->process, (i + 1) * sizeof(*c->process));
        if (!more)
            return -1;
        c->process = more;
        c->process[i] = (struct watched_process){h->pid, h->pid_start, grosr_process_watch(h->pid), 0};
        if (c->process[i].watch < 0)
            return -1;
        c->processes++;
    }
    c->process[i].sources++;
    return c->process[i].watch;
}

static void unwatch_process(struct collector *c, int watch)
{
    for (uint32_t i = 0; watch >= 0 && i < c->processes; i++) {
        struct watched_process *p = &c->process[i];
        if (p->watch != watch || --p->sources)
            continue;
        close(watch);
        *p = c->process[--c->processes];
        return;
    }
}

/* ---- sources that come ---- */

/* Takes a session into the recording. The source owns it from now on, if `owned`; otherwise it is closed. */
static int add_source(struct collector *c, struct grosr_session *session, bool owned)
{
    struct grosr_source *s;
    int err = c->sources == GROSR_COLLECTOR_SESSIONS
                  ? grosr_fail(EMFILE, "a recording has at most %u sessions: process %u is not recorded",
                               GROSR_COLLECTOR_SESSIONS, session->header.pid)
                  : grosr_source_open(&s, session, owned, c->options->level);

    if (err) {
        c->refused += err != -EBUSY; /* then it is in another recording */
        if (owned)
            grosr_session_close(session);
        return err;
    }
    s->warned = c->options->warned;
    s->watch = watch_process(c, session);
    c->draining[c->running++] = s;
    c->rings += session->header.rings + session->header.streams;
    collector_add_source(c, s);
    return 0;
}

static void warn(const struct collector *c)
{
    if (c->options->warned)
        c->options->warned(grosr_error());
}

static void add_found(struct collector *c)
{
    struct grosr_session *session;

    while (grosr_finder_next(&c->finder, &session))
        if (add_source(c, session, true))
            warn(c);
}

bool collector_add_new(struct collector *c, uint64_t now)
{
    bool more = true, look = now - c->searched_ns >= ALIVE_NS;

    /* Asked before the search, so that the last session is not missed. */
    if (look) {
        c->searched_ns = now;
        more = grosr_process_start_time(c->options->follow, NULL) == 0;
    }
    if (!more || grosr_finder_may_find(&c->finder))
        add_found(c);
    return more;
}

/* Those of `session` and `others`. */
static int add_given(struct collector *c)
{
    const struct grosr_collect_options *o = c->options;
    int err = add_source(c, o->session, false);

    for (uint32_t i = 0; !err && i < o->other_count; i++)
        err = add_source(c, o->others[i], false);
    return err;
}

int collector_add_first(struct collector *c)
{
    const struct grosr_collect_options *o = c->options;
    struct grosr_session *session;
    int err;

    if (o->session)
        return add_given(c);
    if (o->finder) {
        c->finder = *o->finder;
        c->finder.pid = o->follow;
    } else {
        grosr_finder_open(&c->finder, o->follow, o->alone);
    }
    err = grosr_finder_first(&c->finder, &session, o->stop);
    if (err)
        return err;
    err = add_source(c, session, true);
    if (err && !o->alone)
        return err;
    /* Of a process that has several, one may be in another recording. */
    while (c->running == 0 && grosr_finder_next(&c->finder, &session))
        if (add_source(c, session, true) == 0)
            warn(c);
    if (c->running && o->alone)
        add_found(c);
    return c->running ? 0 : err;
}

/* ---- sources that are over ---- */

uint32_t collector_drain_sources(struct collector *c, struct grosr_batch *b, bool sampling, bool stop)
{
    uint32_t records = 0, kept = 0;
    bool full = false;

    for (uint32_t i = 0; i < c->running; i++) {
        struct grosr_source *s = c->draining[i];
        if (sampling)
            grosr_source_sample(s, b, grosr_host_clock_ns());
        records += grosr_source_drain(s, b);
        full |= s->no_room;
        if (!grosr_source_is_over(s, stop)) {
            c->draining[kept++] = s;
            continue;
        }
        grosr_source_sample(s, b, s->end_ns);
        c->result->died |= s->unclosed && s->end == GROSR_PROCESS_KILLED;
        c->result->unclosed |=
            s->unclosed && (s->end == GROSR_PROCESS_UNKNOWN ||
                            (s->end == GROSR_PROCESS_EXITED && s->session->header.workers));
        c->result->detached |= s->detached;
        c->result->truncated |= s->truncated;
        c->rings -= s->session->header.rings + s->session->header.streams;
        unwatch_process(c, s->watch);
        s->watch = -1;
        s->next_over = c->over;
        c->over = s;
    }
    c->running = kept;
    if (full && kept) { /* so that one that fills batches does not keep the others waiting */
        struct grosr_source *first = c->draining[0];
        memmove(c->draining, c->draining + 1, (kept - 1) * sizeof(struct grosr_source *));
        c->draining[kept - 1] = first;
    }
    return records;
}

void collector_publish_over(struct collector *c)
{
    for (struct grosr_source *s = c->over, *next; s; s = next) {
        next = s->next_over;             /* the writer may use `s` from then on */
        sys_store_release(&s->ended, 1); /* pairs with the load in note_ended() */
    }
    c->over = NULL;
}

void collector_close_sessions(struct collector *c)
{
    for (uint32_t i = 0; i < c->processes; i++)
        close(c->process[i].watch);
    free(c->process);
    grosr_finder_free(&c->finder);
}

uint32_t collector_unrecorded(const struct collector *c)
{
    /* One that was refused reports itself when it is closed, unless the recording has ended before. */
    uint32_t missed = grosr_finder_missed(&c->finder);

    return missed > c->refused ? missed : c->refused;
}
