/*
 * Pictures of recorded CUDA programs that are made by hand (foreign_parts.h), for the tests of their
 * diagnosis.
 */
#ifndef GROSR_FOREIGN_PICTURE_H
#define GROSR_FOREIGN_PICTURE_H

#include "fixture.h"

#include "../tracer/foreign/foreign_parts.h"

#define S UINT64_C(1000000000)

static struct grosr_findings findings;

static struct foreign picture(void)
{
    return (struct foreign){.pid = 1,
                            .alive = true,
                            .now_ns = 100 * S,
                            .threshold_ns = S,
                            .between_ns = S,
                            .call = (struct foreign_call *)calloc(8, sizeof(struct foreign_call)),
                            .launch = (struct foreign_launch *)calloc(8, sizeof(struct foreign_launch)),
                            .stream = (struct foreign_stream *)calloc(4, sizeof(struct foreign_stream)),
                            .event_wait =
                                (struct grosr_event_wait *)calloc(4, sizeof(struct grosr_event_wait)),
                            .thread = (struct grosr_host_thread *)calloc(8, sizeof(struct grosr_host_thread)),
                            .streams = 4};
}

/* What has been there for 10 s, at both looks. */
static struct foreign_launch *launch(struct foreign *f, uint32_t kind, uint32_t stream, uint32_t tid,
                                     const char *name)
{
    struct foreign_launch *l = &f->launch[f->launches++];

    *l = (struct foreign_launch){.kind = kind,
                                 .correlation = f->launches,
                                 .stream = stream,
                                 .tid = tid,
                                 .grid = {1, 1, 1},
                                 .block = {32, 1, 1},
                                 .issued_ns = 90 * S + f->launches,
                                 .place = f->launches,
                                 .name_id = (uint64_t)name[0],
                                 .stays = true,
                                 .first = true};
    snprintf(l->name, sizeof(l->name), "%s", name);
    return l;
}

static struct foreign_call *call(struct foreign *f, enum foreign_call_kind kind, uint32_t tid, uint32_t wait,
                                 const char *name)
{
    struct foreign_call *c = &f->call[f->calls++];

    *c = (struct foreign_call){.tid = tid,
                               .correlation = 100 + f->calls,
                               .wait = wait,
                               .stream = FOREIGN_NONE,
                               .start_ns = 91 * S,
                               .kernels = 0,
                               .kind = kind,
                               .activity = GROSR_THREAD_SLEEPS,
                               .stays = true};
    snprintf(c->name, sizeof(c->name), "%s", name);
    return c;
}

/* The kind of the worst finding, "healthy" or "idle"; the picture is freed. */
static const char *judge(struct foreign *f)
{
    static char kind[64];

    grosr_findings_free(&findings);
    grosr_findings_init(&findings, S);
    if (foreign_judge(f, &findings) || grosr_findings_settle(&findings))
        return "no memory";
    bool stuck = findings.verdict == GROSR_VERDICT_STALLED || findings.verdict == GROSR_VERDICT_DEADLOCK;
    snprintf(kind, sizeof(kind), "%s",
             stuck ? findings.finding[0].kind : grosr_verdict_name(findings.verdict));
    foreign_free(f);
    return kind;
}

/* Whether there is a finding or a remark of that kind. */
static bool says(const char *kind)
{
    for (uint32_t i = 0; i < findings.findings; i++)
        if (!strcmp(findings.finding[i].kind, kind))
            return true;
    return false;
}

static void is_kind(struct foreign f, const char *kind, const char *name)
{
    const char *found = judge(&f);

    ok(!strcmp(found, kind), "%s", name);
    if (strcmp(found, kind) != 0)
        printf("# found %s, wanted %s: %s\n", found, kind,
               findings.findings ? findings.finding[0].summary : "-");
}

static void is_said(const char *text, const char *name)
{
    bool found = false;

    for (uint32_t i = 0; i < findings.findings; i++)
        found |= strstr(findings.finding[i].summary, text) || strstr(findings.finding[i].evidence, text);
    ok(found, "%s", name);
    if (!found && findings.findings)
        printf("# %s: %s\n", findings.finding[0].summary, findings.finding[0].evidence);
}

#endif
