/*
 * What PC samples say of a CUDA program's kernels (foreign_parts.h; `record --trace api,pc`): the loop in
 * which the warps of one that runs are, and whether they wait for memory there.
 */
#include "foreign_parts.h"

#include "../session/record.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#define LATE_NS UINT64_C(2000000000) /* samples that are older say nothing of what runs */
#define LONG_NS UINT64_C(900000000)  /* two time bins */

static const char *base_name(const char *path)
{
    const char *slash = strrchr(path, '/');

    return slash ? slash + 1 : path;
}

/* Samples of a time bin in which the launch may have run, and not long ago. */
static bool is_of(const struct foreign *f, const struct foreign_pc *p, const struct foreign_launch *l)
{
    uint64_t end = p->samples.end_ns;

    return (l->stream == FOREIGN_NONE || f->stream[l->stream].context == p->samples.context) &&
           end > foreign_began(f, l) && (end > f->now_ns || f->now_ns - end < LATE_NS);
}

/* The only kernel that runs in its context: what is sampled there belongs to it. */
static bool is_alone(const struct foreign *f, const struct foreign_launch *l)
{
    for (uint32_t i = 0; i < f->launches; i++)
        if (&f->launch[i] != l && f->launch[i].kind == GROSR_LAUNCH_KERNEL && foreign_runs(f, i) &&
            (l->stream == FOREIGN_NONE || f->launch[i].stream == FOREIGN_NONE ||
             f->stream[l->stream].context == f->stream[f->launch[i].stream].context))
            return false;
    return true;
}

const struct foreign_pc *foreign_samples(const struct foreign *f, const struct foreign_launch *l)
{
    const struct foreign_pc *most = NULL;

    if (l->kind != GROSR_LAUNCH_KERNEL || !foreign_runs(f, (uint32_t)(l - f->launch)))
        return NULL;
    for (uint32_t i = 0; i < f->pcs; i++) {
        const struct foreign_pc *p = &f->pc[i];
        if (!is_of(f, p, l))
            continue;
        if (p->samples.full_name == l->name_id || !strcmp(p->name, l->name))
            return p;
        most = !most || p->samples.samples > most->samples.samples ? p : most;
    }
    return most && is_alone(f, l) ? most : NULL; /* a function that it calls */
}

/* None of the functions that were sampled in its context lately does anything else, whoever called them. */
bool foreign_only_waits(const struct foreign *f, const struct foreign_launch *l)
{
    const struct foreign_pc *p = foreign_samples(f, l);

    if (!p || !(p->samples.flags & GROSR_PC_LOOP) || p->samples.end_ns < p->samples.since_ns + LONG_NS ||
        p->samples.end_ns < foreign_began(f, l) + LONG_NS)
        return false;
    for (uint32_t i = 0; i < f->pcs; i++)
        if (is_of(f, &f->pc[i], l) && f->pc[i].samples.end_ns >= p->samples.end_ns &&
            !(f->pc[i].samples.flags & GROSR_PC_WAITS))
            return false;
    return true;
}

struct foreign_text foreign_samples_place(const struct foreign_pc *p)
{
    const struct grosr_pc_function *s = &p->samples;
    struct foreign_text t;

    if (*p->file && s->first_line && s->first_line != s->last_line)
        snprintf(t.at, sizeof(t.at), "%.80s:%" PRIu32 "-%" PRIu32 " in %.80s", base_name(p->file),
                 s->first_line, s->last_line, p->name);
    else if (*p->file && s->first_line)
        snprintf(t.at, sizeof(t.at), "%.80s:%" PRIu32 " in %.80s", base_name(p->file), s->first_line,
                 p->name);
    else
        snprintf(t.at, sizeof(t.at), "+0x%" PRIx64 " to +0x%" PRIx64 " of %.80s", s->low, s->high, p->name);
    return t;
}

static unsigned percent(uint64_t part, uint64_t whole)
{
    return whole ? (unsigned)((part < whole ? part : whole) * 100 / whole) : 0;
}

bool foreign_samples_text(const struct foreign *f, const struct foreign_launch *l, char *to, size_t size)
{
    const struct foreign_pc *p = foreign_samples(f, l);
    struct foreign_text wait = {"none of them waits for memory"};

    if (!p)
        return false;
    const struct grosr_pc_function *s = &p->samples;
    if (s->memory_samples)
        snprintf(wait.at, sizeof(wait.at), "%u %% of these wait for memory",
                 percent(s->memory_samples, s->loop_samples));
    snprintf(to, size, "PC samples: %u %% of %" PRIu64 " in the %s at %s%s; %s; most frequent: %s (%u %%)",
             percent(s->loop_samples, s->samples), s->samples, s->flags & GROSR_PC_LOOP ? "loop" : "code",
             foreign_samples_place(p).at,
             s->flags & GROSR_PC_ENDLESS ? ", of which no instruction reads memory or changes anything" : "",
             wait.at, *p->stall ? p->stall : "no reason", percent(s->stall_samples, s->loop_samples));
    return true;
}

void foreign_tell_samples(const struct foreign *f, struct grosr_findings *findings,
                          struct grosr_finding *finding, const struct foreign_launch *l)
{
    char text[768];

    if (foreign_samples_text(f, l, text, sizeof(text)))
        grosr_finding_evidence(findings, finding, "%s", text);
}
