/*
 * Whether the times in a ring can be (rows_parts.h). A ring has one writer at a time, which stamps a record
 * and stores it at once, so times do not run backwards, but for
 *
 *   - two clocks of one ring: it goes from warp to warp, and those of two SMs may differ by CLOCK_SKEW_NS;
 *   - lanes that stamp each for itself, and threads of the host that do: by LANE_SKEW_NS. A time of garbage
 * is farther away: it is one of 2^48 ns, 78 hours;
 *   - a marker of lost events, which is stamped when recording resumes, after the record behind it;
 *   - task_spawn, which has the time at which its task began if others could take what was spawned before the
 *     task ended: it comes after whatever was recorded in between, but not before the begin of an open task;
 *   - the device's clock, which may be set back: then all records from there on are earlier.
 *
 * Any other record that is out of order is damaged: by a stray write, since a torn record has the wrong lap.
 * Which of two neighbours it is follows from those around them: the one without which the rest is in order.
 */
#include "rows_parts.h"

static bool goes_back(const struct ring_state *ring, uint64_t from_ns, uint64_t to_ns)
{
    return to_ns + ring->order_ns < from_ns;
}

static uint64_t time_of(struct grosr_pair e, uint64_t near_ns)
{
    return grosr_clock_extend(grosr_event_time(e), GROSR_KIND_SHIFT, near_ns);
}

static bool may_be_early(struct grosr_pair e)
{
    return grosr_event_kind(e) == GROSR_EV_LOST || grosr_event_kind(e) == GROSR_EV_TASK_SPAWN;
}

bool rows_in_order(const struct ring_state *ring, const struct grosr_pair *records, uint32_t count,
                   uint64_t near_ns)
{
    uint64_t before = count && !ring->ordered_ns ? time_of(records[0], near_ns) : ring->ordered_ns;
    bool back = false;

    for (uint32_t i = 0; i < count; i++) {
        uint64_t time = time_of(records[i], near_ns);
        back |= goes_back(ring, before, time);
        before = time;
    }
    return !back;
}

/* The next record from `i` on whose time follows those before it; `count`: none. */
static uint32_t next_of(const struct grosr_pair *records, uint32_t i, uint32_t count)
{
    while (i < count && may_be_early(records[i]))
        i++;
    return i;
}

/* Whether a task of the ring is open that began no later than the spawn; or none is, whose begin was lost. */
static bool spawn_may_be(const struct ring_state *ring, uint64_t spawn_ns)
{
    bool any = false;

    for (uint32_t i = 0; i < ring->open_count; i++) {
        const struct open_span *span = &ring->open[i];
        if (span->kind != GROSR_EV_TASK_BEGIN && span->kind != GROSR_EV_TASK_RESUME)
            continue;
        if (span->begin_ns <= spawn_ns + ring->order_ns)
            return true;
        any = true;
    }
    return !any;
}

bool rows_may_be(const struct ring_state *ring, const struct grosr_pair *records, uint32_t i, uint32_t count,
                 uint64_t near_ns, bool was_set_back)
{
    uint64_t last = ring->ordered_ns, time = time_of(records[i], near_ns);
    bool back = goes_back(ring, last, time);

    if (grosr_event_kind(records[i]) == GROSR_EV_TASK_SPAWN)
        return !back || spawn_may_be(ring, time);
    if (grosr_event_kind(records[i]) == GROSR_EV_LOST)
        return !back || was_set_back;
    uint32_t next = next_of(records, i + 1, count), second = next_of(records, next + 1, count);
    uint64_t next_ns = next < count ? time_of(records[next], near_ns) : time;
    bool both = second < count ? goes_back(ring, time, time_of(records[second], near_ns)) : last != 0;
    if (back) /* if the next one is as early, the clock was set back, or the last one was too late */
        return next < count ? goes_back(ring, last, next_ns) : was_set_back;
    if (!goes_back(ring, time, next_ns) || !both)
        return true;
    /* It is later than those that follow: they fit to the last one, or the clock was set back after it. */
    return last ? goes_back(ring, last, next_ns) : was_set_back;
}
