/*
 * How far back a recording reaches (collector.h): its window counts from the latest event, or from a stall,
 * and not from the present, so that the last activity of a program that has become idle is kept. Everything
 * here is the writer's.
 *
 * from_ns is the time before which nothing is kept. A source's rows get it before they get events, and ignore
 * one that is earlier than the one before.
 */
#include "collector_parts.h"

#define STALL_MARGIN_NS 500000000u /* how long after its time a stall is noticed, at most */

/* The host time before which nothing is kept, if `window` before `end` is; 0: everything is kept. */
static uint64_t keep_from(const struct collector *c, uint64_t end, uint64_t window)
{
    const struct grosr_collect_options *o = c->options;
    uint64_t since = o->since && c->begun_ns > o->since_ns ? c->begun_ns - o->since_ns : 0;
    uint64_t from = window && end > window ? end - window : 0;

    return since > from ? since : from;
}

uint64_t collector_window(const struct collector *c)
{
    const struct grosr_collect_options *o = c->options;

    return o->window_ns && o->stall_ns ? o->window_ns + o->stall_ns + STALL_MARGIN_NS : o->window_ns;
}

bool collector_is_idle(const struct collector *c, uint64_t now)
{
    return c->options->window_ns && now > c->latest_ns + collector_window(c);
}

void collector_note_latest(struct collector *c, const struct grosr_batch *b)
{
    for (uint32_t i = 0; i < b->runs; i++) {
        const struct grosr_run *run = &b->run[i];
        uint64_t time = b->drained_ns;
        if (run->ring < run->source->session->header.rings)
            time = grosr_source_event_time(run->source, run->ring, b->event[run->at + run->count - 1], time);
        c->latest_ns = time > c->latest_ns ? time : c->latest_ns;
    }
    c->events_came |= b->runs != 0;
    if ((b->samples || b->heaps) && !c->events_came)
        c->latest_ns = b->drained_ns;
}

void collector_move_window(struct collector *c)
{
    c->from_ns = keep_from(c, c->latest_ns, collector_window(c));
}

void collector_close_window(struct collector *c)
{
    uint64_t end = c->stalled ? c->stalled->stall.after_ns : c->latest_ns;

    c->from_ns = keep_from(c, end, c->options->window_ns);
}

void collector_apply_window(const struct collector *c, struct grosr_source *s)
{
    if (c->from_ns)
        grosr_rows_keep_from(s->rows, grosr_timeline(&s->bases, c->from_ns));
}
