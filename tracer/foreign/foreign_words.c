/*
 * Streams that wait for words in memory and for external semaphores (foreign_parts.h). What comes behind such
 * a wait has not begun, so it is not to blame; whether the wait is, depends on who could write the word.
 *
 * A write that is queued in a stream is seen. A kernel that runs, a thread of the host that can run, and
 * somebody outside the process may write any word: while there is one, a wait is a remark, however long it
 * lasts. Without any, and if a thread waits for the stream, it never ends: streams whose writes are queued
 * behind each other's waits are a deadlock, all else is a word that nobody writes.
 */
#include "foreign_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define HEADS_MAX   64u
#define REMARKS_MAX 4u
#define NAMES_MAX   3u

/* Waits that are the first of their streams and have not changed: who else may write is asked of all. */
struct heads {
    uint32_t at[HEADS_MAX]; /* launches */
    bool done[HEADS_MAX];
    uint32_t count;
    bool more;        /* not all are known */
    char writer[300]; /* who may write any word; "": nobody */
};

static const struct foreign_stream *stream_of(const struct foreign *f, const struct foreign_launch *l)
{
    return &f->stream[l->stream];
}

/* What was seen of the word of a wait: GROSR_WORD_*. */
static uint32_t seen_of(const struct foreign *f, const struct foreign_launch *wait)
{
    const struct foreign_stream *s = stream_of(f, wait);

    return s->word_place == wait->place ? s->word_flags : 0;
}

static bool is_word(const struct foreign_launch *l)
{
    return l->kind == GROSR_LAUNCH_WAIT || l->kind == GROSR_LAUNCH_WRITE;
}

/*
 * The wait in which a stream stands, and has stood at both looks, as far as is known; FOREIGN_NONE: it is in
 * none. Kernels before it that always ended fast have ended, where CUPTI has no records of them.
 */
static uint32_t wait_of(const struct foreign *f, uint32_t stream)
{
    uint32_t at = foreign_suspect(f, stream);
    const struct foreign_launch *l = at == FOREIGN_NONE ? NULL : &f->launch[at];

    return l && l->kind == GROSR_LAUNCH_WAIT && l->stays && !l->explained &&
                   !(seen_of(f, l) & GROSR_WORD_MET) && !foreign_is_written(f, l)
               ? at
               : FOREIGN_NONE;
}

/* Of the stream that a launch is in, which comes before the wait or is it; FOREIGN_NONE: of none. */
static uint32_t head_of(const struct foreign *f, const struct heads *h, uint32_t launch)
{
    for (uint32_t i = 0; i < h->count; i++)
        if (launch <= h->at[i] && launch >= stream_of(f, &f->launch[h->at[i]])->at)
            return i;
    return FOREIGN_NONE;
}

/* ---- who may write ---- */

static bool is_in_call(const struct foreign *f, uint32_t tid)
{
    for (uint32_t i = 0; i < f->calls; i++)
        if (f->call[i].tid == tid)
            return true;
    return false;
}

/* A thread in a call that does not wait for any of them; a thread that is in none and can run. */
static bool find_thread(const struct foreign *f, struct heads *h)
{
    for (uint32_t i = 0; i < f->calls; i++) {
        bool waits = false;
        for (uint32_t k = 0; k < h->count && f->call[i].stays; k++)
            waits = waits || foreign_waits_for(f, &f->call[i], h->at[k]);
        if (waits)
            continue;
        snprintf(h->writer, sizeof(h->writer), "%s", foreign_thread_text(&f->call[i]).at);
        return true;
    }
    for (uint32_t i = 0; i < f->threads; i++) {
        const struct grosr_host_thread *t = &f->thread[i];
        bool blocked = (t->state == GROSR_HOST_THREAD_FUTEX || t->state == GROSR_HOST_THREAD_MUTEX) &&
                       foreign_is_old(f, t->since_ns);
        if ((t->of_driver && !t->function) || blocked || is_in_call(f, t->tid))
            continue;
        snprintf(h->writer, sizeof(h->writer), "thread %" PRIu32 ", which %s", t->tid,
                 t->state == GROSR_HOST_THREAD_RUNS     ? "runs"
                 : t->state == GROSR_HOST_THREAD_SLEEPS ? "sleeps until a time, or for input"
                                                        : "has just begun to wait");
        return true;
    }
    return false;
}

/* What runs on the device, or is about to. A kernel that has been found to be stuck writes nothing more. */
static bool find_runner(const struct foreign *f, struct heads *h)
{
    for (uint32_t i = 0; i < f->launches; i++) {
        const struct foreign_launch *l = &f->launch[i];
        if (!foreign_runs(f, i) || head_of(f, h, i) != FOREIGN_NONE || (!is_word(l) && l->explained))
            continue;
        if (l->kind == GROSR_LAUNCH_WAIT && l->stream != FOREIGN_NONE && stream_of(f, l)->count == 1)
            continue; /* nothing is behind it that could write */
        snprintf(h->writer, sizeof(h->writer), "%s", foreign_launch_text(f, l).at);
        return true;
    }
    return false;
}

static void find_writer(const struct foreign *f, struct heads *h)
{
    const char *why = f->called                       ? "the host, which makes CUDA calls"
                      : !f->threads                   ? "the host: what its threads do is not known"
                      : f->threads_unknown || h->more ? "the host: not all of its threads are known"
                                                      : NULL;

    for (uint32_t i = 0; i < f->streams && !why; i++)
        if (f->stream[i].moved)
            why = "streams that move";
    h->writer[0] = 0;
    if (why)
        snprintf(h->writer, sizeof(h->writer), "%s", why);
    else if (!find_thread(f, h))
        find_runner(f, h);
}

/* A write that is queued and is what a wait waits for, after `last`; FOREIGN_NONE: there is none. */
static uint32_t next_write(const struct foreign *f, const struct foreign_launch *wait, uint32_t last)
{
    for (uint32_t i = last == FOREIGN_NONE ? 0 : last + 1; i < f->launches; i++) {
        const struct foreign_launch *l = &f->launch[i];
        if (l->kind != GROSR_LAUNCH_WRITE)
            continue;
        bool same = l->word.address == wait->word.address && l->word.width == wait->word.width &&
                    grosr_word_is_met(&wait->word, l->word.value);
        if (same || !l->word.width || !wait->word.width)
            return i;
    }
    return FOREIGN_NONE;
}

/* ---- findings ---- */

static struct foreign_call *waiter_of(const struct foreign *f, uint32_t head)
{
    for (uint32_t i = 0; i < f->calls; i++)
        if (f->call[i].stays && !f->call[i].explained && foreign_is_old(f, f->call[i].start_ns) &&
            foreign_waits_for(f, &f->call[i], head))
            return &f->call[i];
    return NULL;
}

/* "2 launches are behind it: kernel work (stream 8, 1 ahead)" */
static void tell_behind(const struct foreign *f, struct grosr_findings *findings,
                        struct grosr_finding *finding, uint32_t head)
{
    const struct foreign_stream *s = stream_of(f, &f->launch[head]);
    char names[FOREIGN_NAME * 4] = "";
    size_t used = 0;

    for (uint32_t i = head + 1; i < s->at + s->count && i <= head + NAMES_MAX && used < sizeof(names); i++)
        used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s", used ? ", " : "",
                                 foreign_launch_text(f, &f->launch[i]).at);
    if (s->count > 1)
        grosr_finding_evidence(findings, finding, "%" PRIu32 " %s behind it and %s not begun: %s%s",
                               s->count - 1, s->count == 2 ? "launch is" : "launches are",
                               s->count == 2 ? "has" : "have", names,
                               s->count - 1 > NAMES_MAX ? " and more" : "");
}

static void tell_head(const struct foreign *f, struct grosr_findings *findings, struct grosr_finding *finding,
                      uint32_t head)
{
    const struct foreign_launch *l = &f->launch[head];
    uint32_t seen = seen_of(f, l);

    foreign_tell_launch(f, findings, finding, l);
    if (l->word.condition != GROSR_WORD_SEMAPHORE && l->word.width)
        grosr_finding_evidence(findings, finding, "the word at 0x%" PRIx64 " has %" PRIu32 " bytes%s",
                               l->word.address, l->word.width,
                               l->flags & GROSR_LAUNCH_HOST_WORD ? " of the host's memory"
                               : l->flags & GROSR_LAUNCH_DEVICE_WORD
                                   ? " of the device's memory, which is not read"
                                   : "");
    if (seen & GROSR_WORD_NOT && seen & GROSR_WORD_VALUE)
        grosr_finding_evidence(findings, finding, "it was %" PRIu32 " when it was read last",
                               stream_of(f, l)->word_value);
    tell_behind(f, findings, finding, head);
    for (uint32_t w = next_write(f, l, FOREIGN_NONE), n = 0; w != FOREIGN_NONE && n < NAMES_MAX;
         w = next_write(f, l, w), n++)
        foreign_tell_launch(f, findings, finding, &f->launch[w]);
}

/* Calls that wait for it are explained by it, if it is to blame. */
static void tell_waiters(struct foreign *f, struct grosr_findings *findings, struct grosr_finding *finding,
                         uint32_t head, bool blamed)
{
    for (uint32_t i = 0; i < f->calls; i++) {
        struct foreign_call *c = &f->call[i];
        if (!c->stays || c->explained || !foreign_waits_for(f, c, head))
            continue;
        c->explained = blamed;
        if (blamed)
            grosr_finding_worker(findings, finding, foreign_thread_text(c).at);
        foreign_tell_call(f, findings, finding, c);
    }
}

static void name_head(const struct foreign *f, struct grosr_findings *findings, struct grosr_finding *finding,
                      const struct foreign_launch *l)
{
    char text[GROSR_WORD_TEXT];

    grosr_finding_worker(findings, finding, foreign_launch_text(f, l).at);
    grosr_finding_resource(findings, finding, grosr_word_text(text, sizeof(text), &l->word, false));
}

/* "stream 8 waits until the word at 0x7f10 is >= 5, for 3.1 s" */
static void head_text(const struct foreign *f, const struct foreign_launch *l, char *to, size_t size)
{
    snprintf(to, size, "stream %" PRIu32 " has waited for %s until %s", stream_of(f, l)->id,
             foreign_since(f, foreign_began(f, l)).at, l->name);
}

static void add_remark(struct foreign *f, struct grosr_findings *findings, uint32_t head, const char *who)
{
    struct foreign_launch *l = &f->launch[head];
    uint32_t w = next_write(f, l, FOREIGN_NONE);
    char wait[256], text[1024];

    head_text(f, l, wait, sizeof(wait));
    if (w != FOREIGN_NONE)
        snprintf(text, sizeof(text), "%s; %s, which has not ended, would do that", wait,
                 foreign_launch_text(f, &f->launch[w]).at);
    else
        snprintf(text, sizeof(text), "%s; no stream is to write that", wait);
    struct grosr_finding *finding = grosr_findings_add(findings, GROSR_VERDICT_HEALTHY, "waits_for_value",
                                                       f->now_ns - foreign_began(f, l), text, "");
    l->explained = true; /* what is behind it waits for that, and for nothing unseen */
    if (!finding)
        return;
    name_head(f, findings, finding, l);
    tell_head(f, findings, finding, head);
    if (*who)
        grosr_finding_evidence(findings, finding, "may write it: %s", who);
    tell_waiters(f, findings, finding, head, false);
}

static void add_never(struct foreign *f, struct grosr_findings *findings, uint32_t head)
{
    struct foreign_launch *l = &f->launch[head];
    char wait[256], text[1024];

    head_text(f, l, wait, sizeof(wait));
    snprintf(text, sizeof(text),
             "%s; no stream is to write that, no kernel runs, and every thread of the process "
             "waits: %s",
             wait, foreign_thread_text(waiter_of(f, head)).at);
    struct grosr_finding *finding = grosr_findings_add(findings, GROSR_VERDICT_STALLED, "value_never_written",
                                                       f->now_ns - foreign_began(f, l), text, NULL);
    l->explained = true;
    if (!finding)
        return;
    name_head(f, findings, finding, l);
    tell_head(f, findings, finding, head);
    tell_waiters(f, findings, finding, head, true);
}

/* ---- streams that wait for each other ---- */

/* The wait behind which the first write stands that a wait needs; its number. */
static uint32_t behind(const struct foreign *f, const struct heads *h, uint32_t head, uint32_t *write)
{
    *write = next_write(f, &f->launch[h->at[head]], FOREIGN_NONE);
    return *write == FOREIGN_NONE ? FOREIGN_NONE : head_of(f, h, foreign_runner(f, *write));
}

static uint32_t id_of(const struct foreign *f, const struct heads *h, uint32_t head)
{
    return stream_of(f, &f->launch[h->at[head]])->id;
}

/* A cycle that a wait leads to: its length, and its waits; 0: there is none. */
static uint32_t find_cycle(const struct foreign *f, const struct heads *h, uint32_t from, uint32_t *cycle)
{
    uint32_t at = from, write, n = 0;

    for (uint32_t i = 0; i < h->count && at != FOREIGN_NONE; i++)
        at = behind(f, h, at, &write);
    /* It is on the cycle now; which is told from the stream with the lowest number. */
    uint32_t first = at;
    for (uint32_t i = 0; i < h->count && at != FOREIGN_NONE; i++) {
        at = behind(f, h, at, &write);
        if (at != FOREIGN_NONE && id_of(f, h, at) < id_of(f, h, first))
            first = at;
    }
    for (at = first; at != FOREIGN_NONE && !(n && at == first); at = behind(f, h, at, &write))
        cycle[n++] = at;
    return n;
}

static void add_cycle(struct foreign *f, struct grosr_findings *findings, struct heads *h,
                      const uint32_t *cycle, uint32_t n)
{
    uint64_t since = 0;
    char text[1024];
    size_t used = 0;
    uint32_t write;

    for (uint32_t i = 0; i < n; i++) {
        const struct foreign_launch *l = &f->launch[h->at[cycle[i]]];
        uint64_t began = foreign_began(f, l);
        since = began > since ? began : since;
        behind(f, h, cycle[i], &write);
        if (used < sizeof(text))
            used +=
                (size_t)snprintf(text + used, sizeof(text) - used,
                                 "%sstream %" PRIu32 " waits until %s, which is written behind what stream "
                                 "%" PRIu32 " waits for",
                                 i ? "; " : "", stream_of(f, l)->id, l->name,
                                 f->stream[f->launch[h->at[cycle[(i + 1) % n]]].stream].id);
    }
    struct grosr_finding *finding =
        grosr_findings_add(findings, GROSR_VERDICT_DEADLOCK, "stream_cycle", f->now_ns - since, text,
                           "Queue the write that another stream waits for before this stream's own wait, or "
                           "write the first value "
                           "from the host.");
    for (uint32_t i = 0; i < n; i++) {
        struct foreign_launch *l = &f->launch[h->at[cycle[i]]];
        char word[GROSR_WORD_TEXT];
        l->explained = h->done[cycle[i]] = true;
        if (!finding)
            continue;
        name_head(f, findings, finding, l);
        grosr_finding_cycle(findings, finding, foreign_launch_text(f, l).at);
        grosr_finding_cycle(findings, finding, grosr_word_text(word, sizeof(word), &l->word, false));
        tell_head(f, findings, finding, h->at[cycle[i]]);
    }
    for (uint32_t i = 0; finding && i < n; i++)
        tell_waiters(f, findings, finding, h->at[cycle[i]], true);
}

/* ---- all of them ---- */

static void find_heads(const struct foreign *f, struct heads *h)
{
    for (uint32_t s = 0; s < f->streams; s++) {
        uint32_t at = wait_of(f, s);
        if (at == FOREIGN_NONE)
            continue;
        if (h->count == HEADS_MAX)
            h->more = true;
        else
            h->at[h->count++] = at;
    }
}

/* Nobody else can write: cycles first; a wait that leads to one, or to a word that nobody writes, is behind.
 */
static void blame(struct foreign *f, struct grosr_findings *findings, struct heads *h)
{
    uint32_t cycle[HEADS_MAX], write;

    for (uint32_t i = 0; i < h->count; i++) {
        uint32_t n = h->done[i] ? 0 : find_cycle(f, h, i, cycle);
        bool waited = false, known = true;
        for (uint32_t k = 0; k < n; k++) {
            waited = waited || waiter_of(f, h->at[cycle[k]]);
            known = known && !h->done[cycle[k]] &&
                    foreign_is_old(f, foreign_began(f, &f->launch[h->at[cycle[k]]]));
        }
        if (n && known && waited)
            add_cycle(f, findings, h, cycle, n);
        if (n)
            h->done[i] = true;
    }
    for (uint32_t i = 0; i < h->count; i++)
        if (!h->done[i] && behind(f, h, i, &write) == FOREIGN_NONE && write == FOREIGN_NONE &&
            waiter_of(f, h->at[i]) && foreign_is_old(f, foreign_began(f, &f->launch[h->at[i]]))) {
            h->done[i] = true;
            add_never(f, findings, h->at[i]);
        }
}

/* Whether somebody outside the process may write one of the words: if it was not looked at, too. */
static bool is_shared(const struct foreign *f, const struct heads *h)
{
    for (uint32_t i = 0; i < h->count; i++) {
        const struct foreign_launch *l = &f->launch[h->at[i]];
        if (stream_of(f, l)->word_place != l->place || seen_of(f, l) & GROSR_WORD_SHARED)
            return true;
    }
    return false;
}

void foreign_words(struct foreign *f, struct grosr_findings *findings)
{
    struct heads h = {.count = 0};
    uint32_t remarks = 0;

    find_heads(f, &h);
    if (!h.count)
        return;
    find_writer(f, &h);
    if (!h.writer[0] && is_shared(f, &h))
        snprintf(h.writer, sizeof(h.writer), "somebody outside the process");
    if (!h.writer[0])
        blame(f, findings, &h);
    for (uint32_t i = 0; i < h.count; i++) {
        struct foreign_launch *l = &f->launch[h.at[i]];
        if (!l->explained && foreign_is_old(f, foreign_began(f, l)) && remarks++ < REMARKS_MAX)
            add_remark(f, findings, h.at[i], h.writer);
        l->explained = true;
    }
}
