/*
 * Kernels in loops that do not end (foreign_parts.h), which PC samples show: a loop whose instructions change
 * nothing and read nothing is a poll whose load the compiler has moved out of it. That is proof, whatever the
 * kernel is and however long others like it took.
 */
#include "foreign_parts.h"

#include "../session/record.h"

#include <stdio.h>

#define LONG_NS UINT64_C(900000000) /* two time bins */

/* The kernel that is the first of a stream, and in a loop that does not end; NULL: it is not known to be. */
static struct foreign_launch *endless_kernel(const struct foreign *f, uint32_t stream,
                                             const struct foreign_pc **pc)
{
    uint32_t at = foreign_suspect(f, stream);
    struct foreign_launch *l = at == FOREIGN_NONE ? NULL : &f->launch[at];

    *pc = l && l->stays && !l->explained && foreign_is_old(f, foreign_began(f, l)) ? foreign_samples(f, l)
                                                                                   : NULL;
    if (!*pc)
        return NULL;
    const struct grosr_pc_function *s = &(*pc)->samples;
    return s->flags & GROSR_PC_ENDLESS && !s->memory_samples && s->end_ns >= s->since_ns + LONG_NS &&
                   s->end_ns >= foreign_began(f, l) + LONG_NS
               ? l
               : NULL;
}

/* Calls that wait for its end, or that the driver keeps until then; how many. */
static uint32_t add_waiters(struct foreign *f, struct grosr_findings *findings, struct grosr_finding *finding,
                            const struct foreign_launch *l)
{
    uint32_t n = 0;

    for (uint32_t i = 0; i < f->calls; i++) {
        struct foreign_call *c = &f->call[i];
        bool own = f->launch_blocking && c->correlation == l->correlation;
        if (c->explained || !c->stays || !foreign_is_old(f, c->start_ns) ||
            (!own && !foreign_waits_for(f, c, (uint32_t)(l - f->launch)) && c->kind != FOREIGN_CALL_FREE &&
             c->kind != FOREIGN_CALL_ALLOCATE && c->kind != FOREIGN_CALL_PIN))
            continue;
        n++;
        if (!finding)
            continue;
        c->explained = true;
        grosr_finding_worker(findings, finding, foreign_thread_text(c).at);
        foreign_tell_call(f, findings, finding, c);
    }
    return n;
}

void foreign_hoisted(struct foreign *f, struct grosr_findings *findings)
{
    const struct foreign_pc *p;
    char s[1024];

    for (uint32_t i = 0; i < f->streams; i++) {
        struct foreign_launch *l = endless_kernel(f, i, &p);
        if (!l)
            continue;
        bool behind = l + 1 < &f->launch[f->stream[i].at] + f->stream[i].count;
        bool waited = behind || add_waiters(f, findings, NULL, l);
        snprintf(
            s, sizeof(s),
            "%s has run for %s and does not end: its warps go round the loop at %s, in which nothing is read "
            "and nothing changes",
            foreign_launch_text(f, l).at, foreign_since(f, foreign_began(f, l)).at,
            foreign_samples_place(p).at);
        struct grosr_finding *finding =
            grosr_findings_add(findings, waited ? GROSR_VERDICT_STALLED : GROSR_VERDICT_HEALTHY,
                               "hoisted_poll", f->now_ns - foreign_began(f, l), s,
                               "Make what the loop polls volatile, or load it with an atomic "
                               "(cuda::atomic_ref, atomicAdd(p, 0), "
                               "ld.acquire): the compiler reads a plain variable once, before the loop.");
        l->explained = true;
        if (!finding)
            continue;
        grosr_finding_worker(findings, finding, foreign_launch_text(f, l).at);
        grosr_finding_resource(findings, finding, "the end of the kernel");
        foreign_tell_launch(f, findings, finding, l);
        add_waiters(f, findings, finding, l);
    }
}
