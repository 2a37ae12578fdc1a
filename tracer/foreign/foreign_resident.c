/*
 * Kernels that have no room on the GPU (foreign_parts.h). A grid of more blocks than fit at once ends when
 * its blocks do not wait for each other, as those of most kernels; and one that finds the GPU occupied begins
 * when what occupies it has ended. So neither is a finding without evidence beside it:
 *
 *   - Of a kernel that does not fit: grids of it that fit always ended fast, and it has run for so many times
 *     as long that neither work nor the number of its turns explains it. Or, by PC samples, all of its warps
 *     do nothing but wait.
 *   - Of one that has no room: what occupies the GPU is meant to run for ever (--persistent), only waits, by
 *     PC samples, or is itself overdue.
 *
 * Besides, a call waits for it. A remark names who has the room otherwise (foreign_graph.c).
 */
#include "foreign_parts.h"

#include <inttypes.h>
#include <stdio.h>

#define PROVEN 100u /* grids that fit and ended fast */
#define BEYOND 100u /* and so many times as long as these, for each turn */
#define LONG   10u  /* and so many thresholds */

/* ---- a kernel that has no room ---- */

static const char *const part_names[GROSR_ROOM_PARTS] = {"threads", "registers", "shared memory", "blocks"};

static const char crowd_advice[] = "Leave room for it: launch the kernel that runs with fewer blocks than "
                                   "fit, or let it end before the other one "
                                   "is waited for.";

struct sentence {
    char at[1024];
};

/* Why what runs is not expected to end; false: it is. */
static bool find_reason(const struct foreign *f, const struct foreign_launch *h, struct foreign_text *why)
{
    if (h->flags & GROSR_LAUNCH_PERSISTENT)
        snprintf(why->at, sizeof(why->at), "is meant to run for ever");
    else if (foreign_only_waits(f, h))
        snprintf(why->at, sizeof(why->at), "only waits, in the loop at %.160s",
                 foreign_samples_place(foreign_samples(f, h)).at);
    else if (foreign_is_fast(f, h) && foreign_is_proven(f, h))
        snprintf(why->at, sizeof(why->at), "has run for %s, and always ended after %s at most before",
                 foreign_since(f, foreign_began(f, h)).at, foreign_duration(h->longest_ns).at);
    else
        return false;
    return true;
}

static void judge_crowded(struct foreign *f, struct grosr_findings *findings, uint32_t at)
{
    struct foreign_launch *l = &f->launch[at];
    struct foreign_crowd crowd;
    struct foreign_text why;
    struct sentence s;

    if (l->explained || !foreign_is_old(f, l->issued_ns) || !foreign_has_no_room(f, at, &crowd))
        return;
    struct foreign_launch *h = &f->launch[crowd.kernel];
    const struct foreign_call *waiter = foreign_waiter(f, l, 0);
    if (!waiter || !find_reason(f, h, &why))
        return;
    /* Who waits is the one that would let it end; or both have always ended fast, as those that meet. */
    bool mutual = waiter->tid == h->tid || (foreign_is_fast(f, h) && foreign_is_fast(f, l));
    snprintf(
        s.at, sizeof(s.at),
        "%s cannot begin: %s, which %s, takes %u %% of the %s of every SM, and one block more takes %u %%%s",
        foreign_launch_text(f, l).at, foreign_launch_text(f, h).at, why.at, crowd.taken_pct,
        part_names[crowd.part], crowd.wanted_pct,
        !mutual                 ? ""
        : waiter->tid == h->tid ? "; the thread that launched both waits for the one that cannot begin"
                                : "; the one that runs most probably waits for the one that cannot begin");
    struct grosr_finding *finding =
        grosr_findings_add(findings, mutual ? GROSR_VERDICT_DEADLOCK : GROSR_VERDICT_STALLED, "not_resident",
                           f->now_ns - l->issued_ns, s.at, crowd_advice);
    l->explained = h->explained = true;
    if (!finding)
        return;
    grosr_finding_worker(findings, finding, foreign_launch_text(f, l).at);
    grosr_finding_worker(findings, finding, foreign_launch_text(f, h).at);
    grosr_finding_resource(findings, finding, "room on the GPU's SMs");
    foreign_tell_launch(f, findings, finding, h);
    grosr_finding_evidence(findings, finding, "%s: %" PRIu32 " of its blocks on each of %" PRIu32 " SMs",
                           foreign_launch_text(f, h).at, foreign_per_sm(h), h->room.sms);
    foreign_tell_launch(f, findings, finding, l);
    foreign_add_waiters(f, findings, finding, l);
}

/* ---- a kernel that does not fit ---- */

/* It ran often with grids that fit, and for each turn this one takes much longer than any of those. */
static bool is_beyond_turns(const struct foreign *f, const struct foreign_launch *l)
{
    uint64_t age = f->now_ns - foreign_began(f, l), fit = foreign_fitting(l);
    uint64_t turns = foreign_blocks(l) / fit + (foreign_blocks(l) % fit != 0);

    return !l->ran && l->fitting_ran >= PROVEN && age >= LONG * f->threshold_ns &&
           l->fitting_longest_ns <= age / BEYOND / turns && !foreign_may_be_crowded(f, l);
}

static void judge_too_large(struct foreign *f, struct grosr_findings *findings, uint32_t at)
{
    struct foreign_launch *l = &f->launch[at];
    struct sentence s;
    struct foreign_text why;

    if (!foreign_fitting(l) || foreign_blocks(l) <= foreign_fitting(l) || !l->stays || l->explained ||
        !foreign_is_old(f, foreign_began(f, l)) || !foreign_waiter(f, l, 0))
        return;
    if (foreign_only_waits(f, l))
        snprintf(why.at, sizeof(why.at), "all of its warps only wait, in the loop at %.140s",
                 foreign_samples_place(foreign_samples(f, l)).at);
    else if (!foreign_is_slow(f, l) && is_beyond_turns(f, l))
        snprintf(why.at, sizeof(why.at),
                 "with grids that fit it has ended %" PRIu64 " times before, after %s at most",
                 l->fitting_ran, foreign_duration(l->fitting_longest_ns).at);
    else
        return;
    snprintf(
        s.at, sizeof(s.at),
        "%s has run for %s; of its %" PRIu64 " blocks %" PRIu64
        " fit on the GPU at once, and %s: those that run most probably wait for blocks that cannot begin",
        foreign_launch_text(f, l).at, foreign_since(f, foreign_began(f, l)).at, foreign_blocks(l),
        foreign_fitting(l), why.at);
    struct grosr_finding *finding = grosr_findings_add(findings, GROSR_VERDICT_STALLED, "not_resident",
                                                       f->now_ns - foreign_began(f, l), s.at, NULL);
    l->explained = true;
    if (!finding)
        return;
    grosr_finding_worker(findings, finding, foreign_launch_text(f, l).at);
    grosr_finding_resource(findings, finding, "room on the GPU's SMs");
    foreign_tell_launch(f, findings, finding, l);
    foreign_add_waiters(f, findings, finding, l);
}

void foreign_resident(struct foreign *f, struct grosr_findings *findings)
{
    for (uint32_t s = 0; s < f->streams; s++) {
        uint32_t at = f->stream[s].at, runs = foreign_suspect(f, s);
        if (f->stream[s].count)
            judge_crowded(f, findings, at);
        if (runs != FOREIGN_NONE)
            judge_too_large(f, findings, runs);
    }
}
