/*
 * What is before what in a CUDA program (foreign_parts.h): the order within a stream, that between the legacy
 * default stream and those that are ordered with it, and stream-waits-event edges.
 *
 * A launch in the legacy default stream waits for all that was issued before it in the blocking streams of
 * its context; one in a blocking stream for all that was issued before it in the legacy default stream.
 */
#include "foreign_parts.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define BEFORE_MAX 64u
#define FEW_BLOCKS 16u /* they fill no GPU */
#define FAST       20u /* so many times as fast as it has run for now */

/* What a transfer takes at most, once it has begun: pageable memory moves at 1 GB/s and more. */
#define TRANSFER_NS          1000000000u
#define TRANSFER_NS_PER_BYTE 10u

static int compare_launches(const void *a, const void *b)
{
    const struct foreign_launch *x = (const struct foreign_launch *)a, *y = (const struct foreign_launch *)b;

    if (x->stream != y->stream)
        return x->stream < y->stream ? -1 : 1;
    if (x->place != y->place)
        return x->place < y->place ? -1 : 1;
    return x->issued_ns != y->issued_ns
               ? (x->issued_ns < y->issued_ns ? -1 : 1)
               : (x->correlation > y->correlation) - (x->correlation < y->correlation);
}

static void index_streams(struct foreign *f)
{
    for (uint32_t i = 0; i < f->streams; i++)
        f->stream[i].at = f->stream[i].count = 0;
    for (uint32_t i = 0; i < f->launches; i++) {
        if (f->launch[i].stream >= f->streams) {
            f->launch[i].stream = FOREIGN_NONE;
            continue;
        }
        struct foreign_stream *s = &f->stream[f->launch[i].stream];
        s->at = s->count++ ? s->at : i;
    }
}

/*
 * Whether a transfer must have ended, though it has no record, as CUPTI withholds it while a kernel behind it
 * runs: nothing is before it, the call that issued it has returned, and it has had more time than the slowest
 * takes. So must a write of a word, which takes no time, and a wait for one that has been written.
 */
static bool has_ended(const struct foreign *f, uint32_t launch)
{
    const struct foreign_launch *l = &f->launch[launch];
    uint64_t began = foreign_began(f, l), age = f->now_ns > began ? f->now_ns - began : 0;

    for (uint32_t i = 0; i < f->calls; i++)
        if (f->call[i].correlation == l->correlation) /* the host may have a part in it, and be late */
            return false;
    if (l->kind == GROSR_LAUNCH_WAIT)
        return foreign_is_written(f, l) && foreign_runs(f, launch);
    return (l->kind == GROSR_LAUNCH_MEMCPY || l->kind == GROSR_LAUNCH_MEMSET ||
            l->kind == GROSR_LAUNCH_WRITE) &&
           age / TRANSFER_NS_PER_BYTE > TRANSFER_NS / TRANSFER_NS_PER_BYTE + l->bytes &&
           foreign_runs(f, launch);
}

/*
 * Writes that have ended are kept for a while, not in the order in which they were made but with when they
 * were issued. So one proves nothing if another of the same word, that is not what is waited for, may have
 * come behind it: an earlier one did not if the word counts upwards, which one that is set to 0 does not.
 */
bool foreign_is_written(const struct foreign *f, const struct foreign_launch *wait)
{
    const struct foreign_stream *s = wait->stream == FOREIGN_NONE ? NULL : &f->stream[wait->stream];
    const struct grosr_word *wanted = &wait->word;
    uint64_t met_ns = 0, other_ns = 0;

    if (!wanted->width || wanted->condition == GROSR_WORD_SEMAPHORE ||
        (s && s->word_place == wait->place && s->word_flags & GROSR_WORD_NOT))
        return false;
    for (uint32_t i = 0; i < f->writtens; i++) {
        const struct foreign_written *w = &f->written[i];
        if (w->word.address != wanted->address || w->word.width != wanted->width)
            continue;
        if (grosr_word_is_met(wanted, w->word.value))
            met_ns = w->issued_ns > met_ns ? w->issued_ns : met_ns;
        else if (wanted->condition == GROSR_WORD_AT_LEAST && w->word.value)
            other_ns = w->issued_ns > other_ns ? w->issued_ns : other_ns;
        else
            return false;
    }
    return met_ns > other_ns;
}

/* Leaves out the transfers at the beginning of streams that have ended, if something comes behind them. */
static void drop_ended(struct foreign *f)
{
    uint32_t kept = 0;
    bool dropped;

    do { /* what was behind them in other streams may have nothing before it now */
        dropped = false;
        for (uint32_t i = 0; i < f->streams; i++)
            while (f->stream[i].count > 1 && has_ended(f, f->stream[i].at)) {
                struct foreign_launch *l = &f->launch[f->stream[i].at++];
                if (l->kind == GROSR_LAUNCH_WRITE)
                    f->written[f->writtens++] = (struct foreign_written){l->word, l->issued_ns};
                l[1].first = l[0].first && l[1].stays;
                f->stream[i].count--;
                dropped = true;
            }
    } while (dropped);
    for (uint32_t i = 0; i < f->launches; i++) {
        const struct foreign_launch *l = &f->launch[i];
        if (l->stream == FOREIGN_NONE || i >= f->stream[l->stream].at)
            f->launch[kept++] = *l;
    }
    f->launches = kept;
    index_streams(f);
}

/* For the writes that are found to have ended. */
static bool make_room(struct foreign *f)
{
    void *more = realloc(f->written, ((size_t)f->writtens + f->launches + 1u) * sizeof(*f->written));

    if (!more)
        return false;
    f->written = (struct foreign_written *)more;
    return true;
}

int foreign_order(struct foreign *f)
{
    f->seen = (unsigned char *)malloc(f->launches + 1u);
    f->stack = (uint32_t *)malloc((f->launches + 1u) * sizeof(*f->stack));
    if (!f->seen || !f->stack || !make_room(f))
        return -ENOMEM;
    if (f->launches)
        qsort(f->launch, f->launches, sizeof(*f->launch), compare_launches);
    index_streams(f);
    drop_ended(f);
    return 0;
}

/* The last launch of a stream up to a place, or issued before a time. */
static uint32_t last_up_to(const struct foreign *f, uint32_t stream, uint64_t place, uint64_t before_ns)
{
    const struct foreign_stream *s = &f->stream[stream];
    uint32_t low = s->at, high = s->at + s->count;

    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        const struct foreign_launch *l = &f->launch[middle];
        if (l->place <= place && l->issued_ns < before_ns)
            low = middle + 1;
        else
            high = middle;
    }
    return low > s->at ? low - 1 : FOREIGN_NONE;
}

/* Whether launches of one stream wait for those before them in the other because of the legacy default
 * stream. */
static bool is_ordered(const struct foreign_stream *a, const struct foreign_stream *b)
{
    return a->context == b->context && grosr_streams_follow(a->order, b->order);
}

static uint32_t add(uint32_t *before, uint32_t n, uint32_t max, uint32_t launch)
{
    if (launch == FOREIGN_NONE || n == max)
        return n;
    before[n] = launch;
    return n + 1;
}

uint32_t foreign_before(const struct foreign *f, uint32_t launch, uint32_t *before, uint32_t max)
{
    const struct foreign_launch *l = &f->launch[launch];
    uint32_t n = 0;

    if (l->stream == FOREIGN_NONE)
        return 0;
    if (launch > f->stream[l->stream].at)
        n = add(before, n, max, launch - 1);
    uint32_t order = f->stream[l->stream].order;
    for (uint32_t s = 0; s < f->streams && (order == GROSR_STREAM_LEGACY || order == GROSR_STREAM_BLOCKING);
         s++)
        if (f->stream[s].count && is_ordered(&f->stream[l->stream], &f->stream[s]))
            n = add(before, n, max, last_up_to(f, s, UINT64_MAX, l->issued_ns));
    for (uint32_t i = 0; i < f->event_waits; i++) {
        const struct grosr_event_wait *w = &f->event_wait[i];
        if (w->stream == l->stream && w->place < l->place && w->on < f->streams && w->on != w->stream)
            n = add(before, n, max, last_up_to(f, w->on, w->on_place, UINT64_MAX));
    }
    return n;
}

bool foreign_runs(const struct foreign *f, uint32_t launch)
{
    uint32_t before;

    return foreign_before(f, launch, &before, 1) == 0;
}

/* Walks back from a launch until `wanted` is found; or, FOREIGN_NONE, what has nothing before it. */
static uint32_t walk(const struct foreign *f, uint32_t from, uint32_t wanted)
{
    uint32_t before[BEFORE_MAX], pending = 1;

    if (from == FOREIGN_NONE)
        return FOREIGN_NONE;
    memset(f->seen, 0, f->launches);
    f->stack[0] = from;
    f->seen[from] = 1;
    while (pending) {
        uint32_t at = f->stack[--pending], n = foreign_before(f, at, before, BEFORE_MAX);
        if (at == wanted || (wanted == FOREIGN_NONE && !n))
            return at;
        for (uint32_t i = 0; i < n; i++)
            if (!f->seen[before[i]]) {
                f->seen[before[i]] = 1;
                f->stack[pending++] = before[i];
            }
    }
    return FOREIGN_NONE;
}

uint32_t foreign_runner(const struct foreign *f, uint32_t launch)
{
    return walk(f, launch, FOREIGN_NONE);
}

uint32_t foreign_launch_of(const struct foreign *f, uint32_t correlation)
{
    for (uint32_t i = 0; i < f->launches; i++)
        if (f->launch[i].correlation == correlation)
            return i;
    return FOREIGN_NONE;
}

uint32_t foreign_waited(const struct foreign *f, const struct foreign_call *c)
{
    if (c->kind == FOREIGN_CALL_LAUNCH || c->kind == FOREIGN_CALL_COPY) {
        uint32_t own = foreign_launch_of(f, c->correlation);
        if (own != FOREIGN_NONE || c->kind == FOREIGN_CALL_LAUNCH)
            return own;
    }
    if (c->stream >= f->streams || (c->wait != GROSR_CALL_WAITS_STREAM && c->wait != GROSR_CALL_WAITS_EVENT))
        return FOREIGN_NONE;
    return last_up_to(f, c->stream, c->place ? c->place : UINT64_MAX, c->start_ns);
}

bool foreign_waits_for(const struct foreign *f, const struct foreign_call *c, uint32_t launch)
{
    const struct foreign_launch *l = &f->launch[launch];

    if (c->wait == GROSR_CALL_WAITS_DEVICE)
        return l->issued_ns < c->start_ns &&
               (!c->context || l->stream == FOREIGN_NONE || f->stream[l->stream].context == c->context);
    uint32_t waited = foreign_waited(f, c);
    return waited != FOREIGN_NONE && walk(f, waited, launch) == launch;
}

/* ---- what runs ---- */

uint64_t foreign_began(const struct foreign *f, const struct foreign_launch *l)
{
    const struct foreign_stream *s = l->stream == FOREIGN_NONE ? NULL : &f->stream[l->stream];

    return s && s->rose_ns > l->issued_ns && l == &f->launch[s->at] ? s->rose_ns : l->issued_ns;
}

static uint64_t age_of(const struct foreign *f, const struct foreign_launch *l)
{
    uint64_t began = foreign_began(f, l);

    return f->now_ns > began ? f->now_ns - began : 0;
}

/*
 * Those behind it in its stream have to be fast as well, all together: while CUPTI keeps records back, the
 * one that runs may be any of them.
 */
bool foreign_is_fast(const struct foreign *f, const struct foreign_launch *l)
{
    const struct foreign_stream *s = l->stream == FOREIGN_NONE ? NULL : &f->stream[l->stream];
    uint64_t age = age_of(f, l), all = l->longest_ns;

    if (!l->ran || l->longest_ns >= age / FAST)
        return false;
    for (const struct foreign_launch *b = l + 1; s && b < &f->launch[s->at] + s->count; b++) {
        all += b->kind == GROSR_LAUNCH_KERNEL ? b->longest_ns : 0;
        if (all >= age / 2)
            return false;
    }
    return true;
}

bool foreign_may_be_crowded(const struct foreign *f, const struct foreign_launch *l)
{
    for (uint32_t i = 0; i < f->streams; i++) {
        const struct foreign_launch *o = f->stream[i].count ? &f->launch[f->stream[i].at] : NULL;
        if (!o || i == l->stream || o->kind == GROSR_LAUNCH_HOST_FUNCTION || o->kind == GROSR_LAUNCH_MEMCPY ||
            o->kind == GROSR_LAUNCH_MEMSET || !foreign_runs(f, f->stream[i].at) || foreign_is_fast(f, o))
            continue;
        uint64_t blocks = (uint64_t)o->grid[0] * o->grid[1] * o->grid[2];
        if (o->kind == GROSR_LAUNCH_GRAPH || blocks > FEW_BLOCKS)
            return true;
    }
    return false;
}

bool foreign_is_slow(const struct foreign *f, const struct foreign_launch *l)
{
    return l->ran && l->longest_ns >= age_of(f, l) / 2;
}

uint32_t foreign_suspect(const struct foreign *f, uint32_t stream)
{
    const struct foreign_stream *s = &f->stream[stream];
    uint32_t end = s->at + s->count, found = s->at;

    if (!s->count || !f->launch[s->at].first || !foreign_runs(f, s->at))
        return FOREIGN_NONE;
    while (found < end && f->launch[found].kind == GROSR_LAUNCH_KERNEL &&
           foreign_is_fast(f, &f->launch[found]))
        found++;
    return found < end ? found : s->at;
}
