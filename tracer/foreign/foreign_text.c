/*
 * How a diagnosis of a CUDA program writes launches, threads and times (foreign_parts.h).
 */
#include "foreign_parts.h"

#include <inttypes.h>
#include <stdio.h>

static const char *const kinds[GROSR_LAUNCH_KINDS] = {"launch",        "kernel", "copy",       "fill",
                                                      "host function", "graph",  "wait until", "write of"};

struct foreign_time foreign_duration(uint64_t ns)
{
    struct foreign_time t = {""};

    grosr_duration_text(t.at, sizeof(t.at), ns);
    return t;
}

struct foreign_time foreign_since(const struct foreign *f, uint64_t then_ns)
{
    return foreign_duration(f->now_ns > then_ns ? f->now_ns - then_ns : 0);
}

struct foreign_text foreign_launch_text(const struct foreign *f, const struct foreign_launch *l)
{
    const char *kind = kinds[l->kind < GROSR_LAUNCH_KINDS ? l->kind : 0];
    struct foreign_text t;
    char place[64] = "";

    if (l->stream < f->streams) {
        const struct foreign_stream *s = &f->stream[l->stream];
        uint32_t ahead = (uint32_t)(l - f->launch) - s->at;
        int n = snprintf(place, sizeof(place), " (%s %" PRIu32,
                         s->order == GROSR_STREAM_LEGACY ? "legacy default stream" : "stream", s->id);
        if (ahead) /* those of one name are told apart */
            snprintf(place + n, sizeof(place) - (size_t)n, ", %" PRIu32 " ahead)", ahead);
        else
            snprintf(place + n, sizeof(place) - (size_t)n, ")");
    }
    if (l->kind == GROSR_LAUNCH_MEMCPY || l->kind == GROSR_LAUNCH_MEMSET)
        snprintf(t.at, sizeof(t.at), "%s%s of %" PRIu64 " bytes%s%s", kind,
                 l->flags & GROSR_LAUNCH_TO_DEVICE ? " to the device" : "", l->bytes, place,
                 l->bytes ? "" : " (size unknown)");
    else if (l->kind == GROSR_LAUNCH_GRAPH)
        snprintf(t.at, sizeof(t.at), "%s%s", l->name[0] ? l->name : kind, place);
    else
        snprintf(t.at, sizeof(t.at), "%s %s%s", kind, l->name[0] ? l->name : "without a name", place);
    return t;
}

struct foreign_text foreign_thread_text(const struct foreign_call *c)
{
    struct foreign_text t;

    snprintf(t.at, sizeof(t.at), "thread %" PRIu32 " in %s", c->tid, c->name[0] ? c->name : "a CUDA call");
    return t;
}

bool foreign_is_old(const struct foreign *f, uint64_t since_ns)
{
    return f->now_ns >= since_ns && f->now_ns - since_ns >= f->threshold_ns;
}

void foreign_tell_launch(const struct foreign *f, struct grosr_findings *findings,
                         struct grosr_finding *finding, const struct foreign_launch *l)
{
    uint32_t at = (uint32_t)(l - f->launch), behind = 0;
    struct foreign_crowd crowd;
    char text[256];

    if (l->stream < f->streams)
        behind = f->stream[l->stream].at + f->stream[l->stream].count - at - 1;
    if (l->kind == GROSR_LAUNCH_KERNEL)
        grosr_finding_evidence(
            findings, finding,
            "%s: %" PRIu32 "x%" PRIu32 "x%" PRIu32 " blocks of %" PRIu32 "x%" PRIu32 "x%" PRIu32
            " threads%s, launched %s ago by thread %" PRIu32 "; %s; %" PRIu32 " behind it in its stream",
            foreign_launch_text(f, l).at, l->grid[0], l->grid[1], l->grid[2], l->block[0], l->block[1],
            l->block[2], l->flags & GROSR_LAUNCH_COOPERATIVE ? " (cooperative launch)" : "",
            foreign_since(f, l->issued_ns).at, l->tid,
            !foreign_runs(f, at)                 ? "it has not started"
            : foreign_has_no_room(f, at, &crowd) ? "nothing is before it, and there is no room for it"
                                                 : "nothing is before it: it runs",
            behind);
    else
        grosr_finding_evidence(findings, finding, "%s: issued %s ago by thread %" PRIu32 "; %s",
                               foreign_launch_text(f, l).at, foreign_since(f, l->issued_ns).at, l->tid,
                               foreign_runs(f, at) ? "nothing is before it" : "it has not started");
    if (l->ran)
        grosr_finding_evidence(findings, finding,
                               "%s has ended %" PRIu64 " time%s before with the same grid, after %s at most",
                               l->name, l->ran, l->ran == 1 ? "" : "s", foreign_duration(l->longest_ns).at);
    if (foreign_room_text(l, text, sizeof(text)))
        grosr_finding_evidence(findings, finding, "%s: %s", foreign_launch_text(f, l).at, text);
    foreign_tell_samples(f, findings, finding, l);
}

void foreign_tell_call(const struct foreign *f, struct grosr_findings *findings,
                       struct grosr_finding *finding, const struct foreign_call *c)
{
    static const char *const activities[] = {"", ", asleep", ", spinning", ", using the CPU",
                                             ", busy in the kernel"};

    grosr_finding_evidence(findings, finding, "%s for %s%s", foreign_thread_text(c).at,
                           foreign_since(f, c->start_ns).at, activities[c->activity]);
}
