/*
 * The verdict on the session under observation, from the looks of the latest samples
 * (tracer/diagnose/live.h, for recorded programs foreign.h). The looks begin afresh now and then: what is
 * slow is said of the last minute or so, not of hours.
 */
#include "model_parts.h"

#include "../../tracer/foreign/foreign.h"
#include "../../tracer/session/outstanding.h"
#include "model_calls.h"

#include <stdio.h>
#include <string.h>

#define THRESHOLD_NS 1000000000u
#define LOOKS        64u
#define FIRST_NS     100000000u /* between the first two looks at a recorded program */

static void copy_text(char *to, size_t size, const char *from)
{
    snprintf(to, size, "%s", from);
}

static void add_stall(struct model *m, const struct grosr_finding *f)
{
    struct model_stall *s = &m->stall[m->stalls];
    unsigned worker;

    if (m->stalls == MODEL_STALLS)
        return;
    m->stalls++;
    s->verdict = f->verdict;
    copy_text(s->kind, sizeof(s->kind), f->kind);
    copy_text(s->resource, sizeof(s->resource), f->resources ? f->resource[0] : "");
    copy_text(s->text, sizeof(s->text), f->summary);
    s->worker = f->workers && sscanf(f->worker[0], "worker %u", &worker) == 1 ? worker : MODEL_NO_WORKER;
    s->age_ns = f->since_ns;
}

/* Of findings of which none was lost for want of memory. */
static void take(struct model *m, struct grosr_findings *findings)
{
    if (grosr_findings_settle(findings))
        return;
    m->verdict = findings->verdict;
    m->stalls = 0;
    for (uint32_t i = 0; i < findings->findings; i++)
        if (findings->finding[i].verdict >= GROSR_VERDICT_SLOW)
            add_stall(m, &findings->finding[i]);
}

/* A recorded program: two looks that lie a second apart, but for the first two. */
static void sample_calls(struct model_source *s)
{
    struct grosr_findings findings;

    if (s->calls_look && grosr_calls_look_age_ns(s->calls_look) < (s->looks ? THRESHOLD_NS : FIRST_NS))
        return;
    grosr_findings_init(&findings, THRESHOLD_NS);
    if (s->calls_look && !grosr_diagnose_calls_since(s->session, s->calls_look, &findings)) {
        s->looks++;
        take(&s->model, &findings);
    }
    grosr_findings_free(&findings);
    grosr_calls_look_free(s->calls_look);
    s->calls_look = NULL;
    if (grosr_calls_look(s->session, &s->calls_look))
        s->calls_look = NULL; /* out of memory: the next sample tries again */
}

void model_sample_stalls(struct model_source *s)
{
    struct grosr_findings findings;

    if (grosr_session_outstanding(s->session)) {
        sample_calls(s);
        return;
    }
    if (s->live && s->looks++ % LOOKS == 0) {
        grosr_live_close(s->live);
        s->live = NULL;
    }
    if (!s->live && grosr_live_open(&s->live, s->session, model_read_calls))
        return; /* out of memory: what was known stays */
    grosr_live_look(s->live);
    grosr_findings_init(&findings, THRESHOLD_NS);
    if (!grosr_live_diagnose(s->live, &findings))
        take(&s->model, &findings);
    grosr_findings_free(&findings);
}
