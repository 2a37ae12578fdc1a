/*
 * Causes with evidence of their own (foreign_parts.h). In each, a kernel has been the first of its stream at
 * both looks; what it waits for cannot be seen, but what would let it continue is queued behind it.
 *
 * A kernel of whose name and grid earlier ones took as long is left alone by all of them: it is slow.
 */
#include "foreign_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define USUAL  10u  /* launches that ended fast before one is unusual */
#define PROVEN 100u /* ... before it is called stuck */
#define BEYOND 100u /* and so many times as long as these */
#define LONG   10u  /* and so many thresholds */

struct sentence {
    char at[1024];
};

/* ---- what several rules ask ---- */

/* The kernel that runs in a stream, and may wait for something; NULL: none for long enough, or it is slow. */
static struct foreign_launch *stuck_kernel(const struct foreign *f, uint32_t stream)
{
    uint32_t at = foreign_suspect(f, stream);

    if (at == FOREIGN_NONE)
        return NULL;
    struct foreign_launch *l = &f->launch[at];
    bool kernel = l->kind == GROSR_LAUNCH_KERNEL || l->kind == GROSR_LAUNCH_GRAPH;
    return kernel && l->stays && !l->explained && foreign_is_old(f, foreign_began(f, l)) &&
                   !foreign_is_slow(f, l) && !foreign_may_be_crowded(f, l)
               ? l
               : NULL;
}

static bool may_feed(const struct foreign_launch *l)
{
    return (l->kind == GROSR_LAUNCH_MEMCPY || l->kind == GROSR_LAUNCH_MEMSET ||
            l->kind == GROSR_LAUNCH_WRITE) &&
           !(l->flags & GROSR_LAUNCH_FROM_DEVICE);
}

/* Whether a thread launches no kernels itself: it serves those that do. */
static bool is_server(const struct foreign *f, uint32_t tid)
{
    bool known = false;

    for (uint32_t i = 0; i < f->calls; i++)
        if (f->call[i].tid == tid) {
            known = f->call[i].kernels != UINT32_MAX;
            if (known && f->call[i].kernels)
                return false;
        }
    for (uint32_t i = 0; i < f->launches; i++)
        if (f->launch[i].tid == tid &&
            (f->launch[i].kind == GROSR_LAUNCH_KERNEL || f->launch[i].kind == GROSR_LAUNCH_GRAPH))
            return false;
    return true;
}

/* The call in which the thread that issued a launch waits for it; NULL: it does not. */
static struct foreign_call *call_of(const struct foreign *f, const struct foreign_launch *l)
{
    for (uint32_t i = 0; i < f->calls; i++)
        if (f->call[i].tid == l->tid && (f->call[i].correlation == l->correlation ||
                                         foreign_waits_for(f, &f->call[i], (uint32_t)(l - f->launch))))
            return &f->call[i];
    return NULL;
}

uint32_t foreign_add_waiters(struct foreign *f, struct grosr_findings *findings,
                             struct grosr_finding *finding, const struct foreign_launch *l)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < f->calls; i++) {
        struct foreign_call *c = &f->call[i];
        if (c->explained || !c->stays || !foreign_waits_for(f, c, (uint32_t)(l - f->launch)))
            continue;
        c->explained = true;
        grosr_finding_worker(findings, finding, foreign_thread_text(c).at);
        foreign_tell_call(f, findings, finding, c);
        n++;
    }
    return n;
}

struct foreign_call *foreign_waiter(const struct foreign *f, const struct foreign_launch *l, uint32_t not_tid)
{
    for (uint32_t i = 0; i < f->calls; i++) {
        struct foreign_call *c = &f->call[i];
        if (c->stays && !c->explained && c->tid != not_tid && foreign_is_old(f, c->start_ns) &&
            foreign_waits_for(f, c, (uint32_t)(l - f->launch)))
            return c;
    }
    return NULL;
}

static void tell_environment(const struct foreign *f, struct grosr_findings *findings,
                             struct grosr_finding *finding)
{
    if (f->connections && f->connections < f->streams)
        grosr_finding_evidence(
            findings, finding,
            "CUDA_DEVICE_MAX_CONNECTIONS=%" PRIu32 ": streams share their way to the device", f->connections);
}

/* ---- a transfer to the device behind the kernel that may need it ---- */

/*
 * The transfer comes from a thread that launches no kernels, as a proxy's or a progress thread's does, or the
 * kernel has always ended fast: then it waits now for something that it had before.
 */
static bool is_feed_behind(const struct foreign *f, const struct foreign_launch *kernel, uint32_t at)
{
    const struct foreign_launch *l = &f->launch[at];
    const struct foreign_call *call = call_of(f, l);
    struct foreign_call behind = {.wait = GROSR_CALL_WAITS_NOT};

    if (!may_feed(l) || !l->stays || l->explained || l->stream == FOREIGN_NONE ||
        l->issued_ns <= kernel->issued_ns || !foreign_is_old(f, l->issued_ns) ||
        (l->stream == kernel->stream && !call)) /* most programs queue there what comes next */
        return false;
    behind.kind = FOREIGN_CALL_LAUNCH;
    behind.correlation = l->correlation;
    if (!foreign_waits_for(f, &behind, (uint32_t)(kernel - f->launch)))
        return false;
    if (foreign_is_fast(f, kernel))
        return true;
    return l->tid != kernel->tid && is_server(f, l->tid) &&
           (!call || foreign_waiter(f, kernel, l->tid)); /* a blocking copy alone may be an honest one */
}

static void add_feed(struct foreign *f, struct grosr_findings *findings, struct foreign_launch *kernel,
                     struct foreign_launch *feed)
{
    struct foreign_call *call = call_of(f, feed);
    bool legacy = f->stream[feed->stream].order == GROSR_STREAM_LEGACY ||
                  f->stream[kernel->stream].order == GROSR_STREAM_LEGACY;
    struct sentence s;

    snprintf(s.at, sizeof(s.at),
             "%s runs and waits; %s, issued by thread %" PRIu32
             " %s ago, is queued behind it%s and cannot start: what "
             "the kernel waits for most probably comes with it",
             foreign_launch_text(f, kernel).at, foreign_launch_text(f, feed).at, feed->tid,
             foreign_since(f, feed->issued_ns).at,
             legacy ? " by the order of the legacy default stream" : "");
    struct grosr_finding *finding = grosr_findings_add(
        findings, GROSR_VERDICT_DEADLOCK, call ? "copy_behind_kernel" : "default_stream_order",
        f->now_ns - feed->issued_ns, s.at,
        legacy ? "Transfer the data in a stream of its own made by cudaStreamCreateWithFlags(&stream, "
                 "cudaStreamNonBlocking), with cudaMemcpyAsync() and page-locked memory, or launch the "
                 "kernel in "
                 "such a stream; a blocking copy and the legacy default stream wait for the kernel."
               : "Transfer the data in a stream that does not wait for the kernel.");
    if (!finding)
        return;
    struct foreign_text a = foreign_launch_text(f, kernel), b = foreign_launch_text(f, feed);
    grosr_finding_worker(findings, finding, a.at);
    grosr_finding_worker(findings, finding, b.at);
    grosr_finding_resource(findings, finding, "the end of the kernel");
    foreign_tell_launch(f, findings, finding, kernel);
    foreign_tell_launch(f, findings, finding, feed);
    if (!foreign_add_waiters(f, findings, finding, kernel))
        grosr_finding_evidence(findings, finding,
                               "no call is pending: the program polls, or does something else");
    tell_environment(f, findings, finding);
    kernel->explained = feed->explained = true;
    if (call)
        call->explained = true;
}

static void find_feeds(struct foreign *f, struct grosr_findings *findings, struct foreign_launch *kernel)
{
    for (uint32_t i = 0; i < f->launches && !kernel->explained; i++)
        if (is_feed_behind(f, kernel, i))
            add_feed(f, findings, kernel, &f->launch[i]);
}

/* ---- the same kernels in another order ---- */

/* Kernels that meet others of their name: they ended fast before, or are NCCL's. */
static bool may_meet(const struct foreign *f, const struct foreign_launch *l)
{
    return l->name_id && l->kind == GROSR_LAUNCH_KERNEL &&
           (foreign_is_fast(f, l) || !strncmp(l->name, "nccl", 4));
}

/* The kernel of that name that is queued behind what runs in a stream; NULL: none is. */
static struct foreign_launch *queued(const struct foreign *f, uint32_t stream, uint64_t name_id)
{
    const struct foreign_stream *s = &f->stream[stream];

    for (uint32_t i = s->at + 1; i < s->at + s->count; i++)
        if (f->launch[i].kind == GROSR_LAUNCH_KERNEL && f->launch[i].name_id == name_id && f->launch[i].stays)
            return &f->launch[i];
    return NULL;
}

/* The first of a stream, if it may wait for another of its name. */
static struct foreign_launch *meets(const struct foreign *f, uint32_t stream)
{
    const struct foreign_stream *s = &f->stream[stream];
    struct foreign_launch *l = s->count ? &f->launch[s->at] : NULL;

    return l && l->first && l->stays && !l->explained && may_meet(f, l) && !foreign_may_be_crowded(f, l) &&
                   foreign_is_old(f, foreign_began(f, l)) && foreign_runs(f, s->at)
               ? l
               : NULL;
}

#define CYCLE_MAX 16u

/* A cycle of streams in which each one's first kernel is queued in the next. Its length; 0: none. */
static uint32_t find_cycle(const struct foreign *f, uint32_t *cycle, uint32_t length)
{
    uint32_t last = cycle[length - 1];
    const struct foreign_launch *first = meets(f, last);

    for (uint32_t s = cycle[0]; first && s < f->streams; s++) {
        bool known = false;
        for (uint32_t i = 1; i < length; i++)
            known |= cycle[i] == s;
        if (known || s == last || !meets(f, s) || !queued(f, s, first->name_id) ||
            meets(f, s)->name_id == first->name_id)
            continue;
        if (s == cycle[0])
            return length;
        if (length == CYCLE_MAX)
            return 0;
        cycle[length] = s;
        uint32_t found = find_cycle(f, cycle, length + 1);
        if (found)
            return found;
    }
    return 0;
}

static void add_cycle(struct foreign *f, struct grosr_findings *findings, const uint32_t *cycle,
                      uint32_t length)
{
    struct sentence s;
    size_t used = 0;
    uint64_t since = 0;

    used += (size_t)snprintf(s.at, sizeof(s.at), "%" PRIu32 " streams wait for each other: ", length);
    for (uint32_t i = 0; i < length && used < sizeof(s.at); i++) {
        const struct foreign_launch *runs = meets(f, cycle[i]),
                                    *next = meets(f, cycle[(i + length - 1) % length]);
        const struct foreign_launch *behind = queued(f, cycle[i], next->name_id);
        since = runs->issued_ns > since ? runs->issued_ns : since;
        used += (size_t)snprintf(s.at + used, sizeof(s.at) - used,
                                 "%s%s runs in stream %" PRIu32 " with %s behind it", i ? "; " : "",
                                 runs->name, f->stream[cycle[i]].id, behind->name);
    }
    struct grosr_finding *finding =
        grosr_findings_add(findings, GROSR_VERDICT_DEADLOCK, "stream_order_cycle", f->now_ns - since, s.at,
                           "Launch kernels that wait for each other (collectives, exchanges between ranks) "
                           "in the same order in every "
                           "stream and on every rank.");
    for (uint32_t i = 0; finding && i < length; i++) {
        const struct foreign_launch *runs = meets(f, cycle[i]),
                                    *next = meets(f, cycle[(i + length - 1) % length]);
        const struct foreign_launch *behind = queued(f, cycle[i], next->name_id);
        grosr_finding_worker(findings, finding, foreign_launch_text(f, runs).at);
        grosr_finding_worker(findings, finding, foreign_launch_text(f, behind).at);
        foreign_tell_launch(f, findings, finding, runs);
        foreign_tell_launch(f, findings, finding, behind);
    }
    for (uint32_t i = 0; finding && i < length; i++)
        foreign_add_waiters(f, findings, finding, &f->launch[f->stream[cycle[i]].at]);
    for (uint32_t i = 0; i < length; i++)
        f->launch[f->stream[cycle[i]].at].explained = true;
}

static void find_cycles(struct foreign *f, struct grosr_findings *findings)
{
    uint32_t cycle[CYCLE_MAX];

    for (uint32_t s = 0; s < f->streams; s++) {
        cycle[0] = s;
        uint32_t length = meets(f, s) ? find_cycle(f, cycle, 1) : 0;
        if (length)
            add_cycle(f, findings, cycle, length);
    }
}

/* ---- a launch that blocks by request ---- */

static void find_blocking_launches(struct foreign *f, struct grosr_findings *findings)
{
    struct sentence s;

    for (uint32_t i = 0; i < f->calls; i++) {
        struct foreign_call *c = &f->call[i];
        uint32_t at = c->kind == FOREIGN_CALL_LAUNCH ? foreign_launch_of(f, c->correlation) : FOREIGN_NONE;
        if (!f->launch_blocking || !c->stays || c->explained || !foreign_is_old(f, c->start_ns) ||
            at == FOREIGN_NONE)
            continue;
        struct foreign_launch *l = &f->launch[at];
        if (!foreign_is_fast(f, l) || !foreign_runs(f, at) || foreign_may_be_crowded(f, l))
            continue;
        snprintf(s.at, sizeof(s.at),
                 "%s waits for the end of %s (CUDA_LAUNCH_BLOCKING=1), which runs for %s and has always "
                 "ended fast: it "
                 "most probably waits for what this thread would launch or write next",
                 foreign_thread_text(c).at, foreign_launch_text(f, l).at,
                 foreign_since(f, foreign_began(f, l)).at);
        struct grosr_finding *finding = grosr_findings_add(
            findings, GROSR_VERDICT_DEADLOCK, "launch_blocking", f->now_ns - c->start_ns, s.at,
            "Unset CUDA_LAUNCH_BLOCKING: with it a launch returns only when its kernel has ended, so kernels "
            "that wait "
            "for each other cannot be launched by one thread.");
        c->explained = l->explained = true;
        if (!finding)
            continue;
        grosr_finding_worker(findings, finding, foreign_thread_text(c).at);
        grosr_finding_worker(findings, finding, foreign_launch_text(f, l).at);
        grosr_finding_resource(findings, finding, "the end of the kernel");
        foreign_tell_call(f, findings, finding, c);
        foreign_tell_launch(f, findings, finding, l);
    }
}

/* ---- a kernel that is overdue ---- */

/*
 * That a kernel has been fast proves little: its input may have been small, as in a warm-up. One that runs
 * many times as long is remarked on; it is called stuck if that is beyond what work explains. The kernel of a
 * cooperative launch has a known reason to hang, so that of it less is asked.
 */
bool foreign_is_proven(const struct foreign *f, const struct foreign_launch *l)
{
    uint64_t age = f->now_ns - foreign_began(f, l);
    bool beyond = l->longest_ns <= age / BEYOND;

    if (l->flags & GROSR_LAUNCH_COOPERATIVE)
        return beyond || l->ran >= USUAL;
    return beyond && l->ran >= PROVEN && age >= LONG * f->threshold_ns;
}

static void find_overdue(struct foreign *f, struct grosr_findings *findings, struct foreign_launch *l)
{
    bool together = l->flags & GROSR_LAUNCH_COOPERATIVE;
    struct sentence s;

    if (!foreign_is_fast(f, l) || (!together && l->ran < USUAL) || !foreign_waiter(f, l, 0))
        return;
    bool proven = foreign_is_proven(f, l), barrier = together && proven;
    snprintf(s.at, sizeof(s.at),
             "%s runs for %s, and has ended after %s at most the %" PRIu64 " time%s before%s",
             foreign_launch_text(f, l).at, foreign_since(f, foreign_began(f, l)).at,
             foreign_duration(l->longest_ns).at, l->ran, l->ran == 1 ? "" : "s",
             barrier   ? ": its blocks most probably wait in a barrier of the grid that some never reach"
             : !proven ? "; it may have more to do this time"
                       : "");
    struct grosr_finding *finding = grosr_findings_add(
        findings,
        barrier  ? GROSR_VERDICT_DEADLOCK
        : proven ? GROSR_VERDICT_STALLED
                 : GROSR_VERDICT_HEALTHY,
        barrier ? "grid_barrier" : "kernel_overdue", f->now_ns - foreign_began(f, l), s.at,
        barrier ? "Let every block make the same number of grid.sync() calls: none may leave the kernel, or "
                  "the loop, "
                  "before the others. `grosr record --trace core` shows which block waits where."
                : "See where it is: with `grosr record --trace api,pc` this names the loop; with `--trace "
                  "core` and "
                  "`grosr diagnose PID --dump` every warp, with function and line.");
    l->explained = proven;
    if (!finding)
        return;
    grosr_finding_worker(findings, finding, foreign_launch_text(f, l).at);
    foreign_tell_launch(f, findings, finding, l);
    if (proven) /* what waits is explained by it, and no other rule's */
        foreign_add_waiters(f, findings, finding, l);
    tell_environment(f, findings, finding);
}

/* ---- captures ---- */

/* What the thread that captures does tells whether it waits: a compiler that works on the host is honest. */
static bool may_wait(const struct foreign_stream *s)
{
    return s->capture_activity == GROSR_THREAD_SPINS || s->capture_activity == GROSR_THREAD_SLEEPS;
}

static void find_captures(struct foreign *f, struct grosr_findings *findings)
{
    struct sentence s;

    for (uint32_t i = 0; i < f->streams; i++) {
        const struct foreign_stream *c = &f->stream[i];
        uint64_t last = f->called_ns > c->capture_ns ? f->called_ns : c->capture_ns;
        if (!c->capture_ns || !c->captured || f->called || f->calls || !foreign_is_old(f, last) ||
            !may_wait(c))
            continue;
        snprintf(s.at, sizeof(s.at),
                 "stream %" PRIu32 " has been in capture for %s with %" PRIu64
                 " launch%s recorded, the last of them "
                 "%s, and no CUDA call is made any more: the host waits, and what was captured does not run "
                 "before the "
                 "graph is launched",
                 c->id, foreign_since(f, c->capture_ns).at, c->captured, c->captured == 1 ? "" : "es",
                 c->captured_name[0] ? c->captured_name : "without a name");
        struct grosr_finding *finding = grosr_findings_add(
            findings, GROSR_VERDICT_STALLED, "capture_not_launched", f->now_ns - last, s.at,
            "Do not wait on the host for a kernel that is being captured: end the capture, instantiate the "
            "graph and "
            "launch it first.");
        if (!finding)
            continue;
        struct foreign_text who = {""};
        snprintf(who.at, sizeof(who.at), "thread %" PRIu32, c->capture_tid);
        if (c->capture_tid)
            grosr_finding_worker(findings, finding, who.at);
        snprintf(who.at, sizeof(who.at), "the launch of what stream %" PRIu32 " captures", c->id);
        grosr_finding_resource(findings, finding, who.at);
        grosr_finding_evidence(findings, finding, "the latest CUDA call was made %s ago; none is pending",
                               foreign_since(f, last).at);
        if (c->capture_tid)
            grosr_finding_evidence(findings, finding, "thread %" PRIu32 ", which began the capture, %s",
                                   c->capture_tid,
                                   c->capture_activity == GROSR_THREAD_SPINS
                                       ? "spins in its own code, without a call of the system"
                                       : "sleeps");
    }
}

void foreign_rules(struct foreign *f, struct grosr_findings *findings)
{
    find_cycles(f, findings);
    find_blocking_launches(f, findings);
    for (uint32_t s = 0; s < f->streams; s++) {
        struct foreign_launch *l = stuck_kernel(f, s);
        if (l)
            find_feeds(f, findings, l);
        if (l && !l->explained)
            find_overdue(f, findings, l);
    }
    find_captures(f, findings);
}
