/*
 * Calls that wait for what runs without saying so (foreign_parts.h): cudaFree, allocations, the loading of
 * code, the first launch of a kernel. Behind a kernel that waits for the program they never return; the
 * program did not ask for the wait, so that is a finding although what the kernel waits for cannot be seen.
 *
 * Healthy: while no kernel runs (the driver initializes itself, compiles, maps memory), a thread that works
 * in the system (it pins memory), one that compiles, and a launch whose queue is full.
 */
#include "foreign_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define QUEUE_FULL 512u /* launches in a stream; the driver holds about 1,000 */

static const char free_advice[] =
    "Do not call it while the kernel runs: allocate before the launch, free after its end, or use "
    "cudaMallocAsync()/cudaFreeAsync() in another non-blocking stream.";
static const char load_advice[] = "Load all code before the kernel is launched: set "
                                  "CUDA_MODULE_LOADING=EAGER, or call cudaFuncGetAttributes() for "
                                  "each kernel first.";

/* A kernel that runs, for long enough, since before the call; NULL: none, or all are known to be slow. */
static struct foreign_launch *running_kernel(const struct foreign *f, const struct foreign_call *c)
{
    struct foreign_launch *found = NULL;

    for (uint32_t s = 0; s < f->streams; s++) {
        uint32_t at = foreign_suspect(f, s);
        struct foreign_launch *l = at == FOREIGN_NONE ? NULL : &f->launch[at];
        if (!l || (l->kind != GROSR_LAUNCH_KERNEL && l->kind != GROSR_LAUNCH_GRAPH) || !l->stays ||
            l->correlation == c->correlation || l->issued_ns > c->start_ns || foreign_is_slow(f, l) ||
            (c->context && f->stream[s].context && f->stream[s].context != c->context))
            continue;
        if (!found || l->issued_ns < found->issued_ns)
            found = l;
    }
    return found;
}

/* Whether a kernel of its name has been launched before: then its code is loaded. */
static bool is_first_use(const struct foreign *f, uint32_t launch)
{
    const struct foreign_launch *l = &f->launch[launch];

    if (l->ran || l->kind != GROSR_LAUNCH_KERNEL)
        return false;
    for (uint32_t i = 0; i < f->launches; i++)
        if (i != launch && f->launch[i].name_id == l->name_id && f->launch[i].issued_ns < l->issued_ns)
            return false;
    return true;
}

static bool queue_is_full(const struct foreign *f, const struct foreign_launch *l)
{
    return l->stream != FOREIGN_NONE && f->stream[l->stream].count >= QUEUE_FULL;
}

static void add_remark(const struct foreign *f, struct grosr_findings *findings, struct foreign_call *c,
                       const char *kind, const char *text)
{
    char s[512];

    snprintf(s, sizeof(s), "%s for %s: %s", foreign_thread_text(c).at, foreign_since(f, c->start_ns).at,
             text);
    struct grosr_finding *finding =
        grosr_findings_add(findings, GROSR_VERDICT_HEALTHY, kind, f->now_ns - c->start_ns, s, "");
    c->explained = true;
    if (finding) {
        grosr_finding_worker(findings, finding, foreign_thread_text(c).at);
        foreign_tell_call(f, findings, finding, c);
    }
}

/* Other calls that wait for nothing that is known: the driver has locks. */
static void add_others(struct foreign *f, struct grosr_findings *findings, struct grosr_finding *finding)
{
    for (uint32_t i = 0; i < f->calls; i++) {
        struct foreign_call *c = &f->call[i];
        if (c->explained || !c->stays || c->wait != GROSR_CALL_WAITS_NOT || c->kind == FOREIGN_CALL_LAUNCH ||
            !foreign_is_old(f, c->start_ns))
            continue;
        c->explained = true;
        grosr_finding_worker(findings, finding, foreign_thread_text(c).at);
        foreign_tell_call(f, findings, finding, c);
        grosr_finding_evidence(findings, finding,
                               "thread %" PRIu32 " most probably wants a lock of the driver's that "
                               "the call above keeps",
                               c->tid);
    }
}

static void add_hidden(struct foreign *f, struct grosr_findings *findings, struct foreign_call *c,
                       const struct foreign_launch *kernel, const char *kind, const char *why,
                       const char *advice)
{
    char s[1024];

    snprintf(s, sizeof(s), "%s for %s, %s %s, which has run for %s", foreign_thread_text(c).at,
             foreign_since(f, c->start_ns).at, why, foreign_launch_text(f, kernel).at,
             foreign_since(f, foreign_began(f, kernel)).at);
    struct grosr_finding *finding =
        grosr_findings_add(findings, GROSR_VERDICT_STALLED, kind, f->now_ns - c->start_ns, s, advice);
    c->explained = true;
    if (!finding)
        return;
    grosr_finding_worker(findings, finding, foreign_thread_text(c).at);
    grosr_finding_worker(findings, finding, foreign_launch_text(f, kernel).at);
    grosr_finding_resource(findings, finding, "the end of the kernel");
    foreign_tell_call(f, findings, finding, c);
    foreign_tell_launch(f, findings, finding, kernel);
    add_others(f, findings, finding);
}

static void judge_launch(struct foreign *f, struct grosr_findings *findings, struct foreign_call *c,
                         const struct foreign_launch *kernel)
{
    uint32_t at = foreign_launch_of(f, c->correlation);

    if (at == FOREIGN_NONE || f->launch_blocking) /* its own end is what a blocking launch waits for */
        return;
    if (queue_is_full(f, &f->launch[at]))
        add_remark(f, findings, c, "queue_full",
                   "its stream's queue is full, and moves when what is before it ends");
    else if (!kernel)
        add_remark(f, findings, c, "first_use", "no kernel runs; the driver loads or compiles code");
    else if (is_first_use(f, at) && !f->eager)
        add_hidden(f, findings, c, kernel, "lazy_load",
                   "the first launch of its kernel: code is loaded lazily, which waits for", load_advice);
    else
        add_hidden(f, findings, c, kernel, "launch_waits",
                   "although its queue is not full: the driver waits for", load_advice);
}

static void judge(struct foreign *f, struct grosr_findings *findings, struct foreign_call *c)
{
    struct foreign_launch *kernel = running_kernel(f, c);
    bool system = c->activity == GROSR_THREAD_SYSTEM;
    bool busy = system || c->activity == GROSR_THREAD_WORKS || c->activity == GROSR_THREAD_SPINS;

    switch (c->kind) {
    case FOREIGN_CALL_LAUNCH:
        judge_launch(f, findings, c, kernel);
        break;
    case FOREIGN_CALL_FREE:
        if (kernel)
            add_hidden(f, findings, c, kernel, "hidden_wait",
                       "which waits for all that the device has been given: for", free_advice);
        break;
    case FOREIGN_CALL_ALLOCATE:
    case FOREIGN_CALL_PIN:
        if (!kernel || system)
            add_remark(f, findings, c, "allocation", "the driver maps memory or initializes itself");
        else
            add_hidden(f, findings, c, kernel, "hidden_wait", "which waits, though it does not say so, for",
                       free_advice);
        break;
    case FOREIGN_CALL_LOAD:
        if (!kernel || busy)
            add_remark(f, findings, c, "module_load",
                       busy ? "it uses the CPU all the time: code is loaded or compiled" : "code is loaded");
        else
            add_hidden(f, findings, c, kernel, "lazy_load", "which loads code and waits for", load_advice);
        break;
    default:
        break;
    }
}

/* The oldest first: it is the one that keeps the driver's locks. */
void foreign_hidden(struct foreign *f, struct grosr_findings *findings)
{
    for (;;) {
        struct foreign_call *oldest = NULL;
        for (uint32_t i = 0; i < f->calls; i++) {
            struct foreign_call *c = &f->call[i];
            if (c->explained || c->judged || !c->stays || !foreign_is_old(f, c->start_ns))
                continue;
            if (!oldest || c->start_ns < oldest->start_ns)
                oldest = c;
        }
        if (!oldest)
            return;
        oldest->judged = true;
        judge(f, findings, oldest);
    }
}
