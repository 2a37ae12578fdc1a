/*
 * Lists of findings (findings.h): building, joining and ordering them.
 */
#include "findings.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *grosr_verdict_name(enum grosr_verdict verdict)
{
    static const char *const names[] = {[GROSR_VERDICT_HEALTHY] = "healthy",
                                        [GROSR_VERDICT_IDLE] = "idle",
                                        [GROSR_VERDICT_SLOW] = "slow",
                                        [GROSR_VERDICT_STALLED] = "stalled",
                                        [GROSR_VERDICT_DEADLOCK] = "deadlock"};

    return (unsigned)verdict < sizeof(names) / sizeof(*names) ? names[verdict] : "unknown";
}

void grosr_findings_init(struct grosr_findings *findings, uint64_t threshold_ns)
{
    *findings = (struct grosr_findings){.threshold_ns = threshold_ns};
}

static void free_names(char **name, uint32_t names)
{
    for (uint32_t i = 0; i < names; i++)
        free(name[i]);
    free(name);
}

static void free_finding(struct grosr_finding *finding)
{
    free(finding->kind);
    free(finding->summary);
    free(finding->evidence);
    free(finding->advice);
    free_names(finding->worker, finding->workers);
    free_names(finding->resource, finding->resources);
    free_names(finding->cycle, finding->cycles);
}

void grosr_findings_free(struct grosr_findings *findings)
{
    for (uint32_t i = 0; i < findings->findings; i++)
        free_finding(&findings->finding[i]);
    free(findings->finding);
    free(findings->source);
    free(findings->state);
    *findings = (struct grosr_findings){.threshold_ns = findings->threshold_ns};
}

static char *copy_of(struct grosr_findings *findings, const char *text)
{
    char *copy = strdup(text);

    if (!copy)
        findings->error = -ENOMEM;
    return copy;
}

/* Room for `more` elements behind the first `count`. The size is not kept: it is the power of two above. */
static bool make_room(struct grosr_findings *findings, void **array, uint32_t count, uint32_t more,
                      size_t element)
{
    size_t size = 4, wanted = (size_t)count + more;
    void *moved;

    while (size < wanted)
        size *= 2;
    if (count && wanted <= size && count > size / 2) /* it has that size */
        return true;
    moved = realloc(*array, size * element);
    if (!moved) {
        findings->error = -ENOMEM;
        return false;
    }
    *array = moved;
    return true;
}

struct grosr_finding *grosr_findings_add(struct grosr_findings *findings, enum grosr_verdict verdict,
                                         const char *kind, uint64_t since_ns, const char *summary,
                                         const char *advice)
{
    const struct grosr_finding_kind *known = grosr_finding_kind_find(kind, verdict);
    struct grosr_finding made = {.verdict = verdict, .since_ns = since_ns};

    if (!advice)
        advice = known ? known->advice : "";
    made.kind = copy_of(findings, kind);
    made.summary = copy_of(findings, summary);
    made.evidence = copy_of(findings, "");
    made.advice = copy_of(findings, advice);
    if (!made.kind || !made.summary || !made.evidence || !made.advice ||
        !make_room(findings, (void **)&findings->finding, findings->findings, 1, sizeof(made))) {
        free_finding(&made);
        return NULL;
    }
    findings->finding[findings->findings] = made;
    return &findings->finding[findings->findings++];
}

void grosr_finding_evidence(struct grosr_findings *findings, struct grosr_finding *finding,
                            const char *format, ...)
{
    va_list args;
    char *line = NULL, *longer;
    size_t before;
    int length;

    if (!finding)
        return;
    va_start(args, format);
    length = vasprintf(&line, format, args);
    va_end(args);
    before = strlen(finding->evidence);
    longer = length < 0 ? NULL : (char *)realloc(finding->evidence, before + (size_t)length + 2);
    if (!longer) {
        findings->error = -ENOMEM;
    } else {
        if (before)
            longer[before++] = '\n';
        memcpy(longer + before, line, (size_t)length + 1);
        finding->evidence = longer;
    }
    if (length >= 0)
        free(line);
}

static void add_name(struct grosr_findings *findings, char ***name, uint32_t *names, const char *text)
{
    char *copy = copy_of(findings, text);

    if (!copy)
        return;
    if (!make_room(findings, (void **)name, *names, 1, sizeof(**name))) {
        free(copy);
        return;
    }
    (*name)[(*names)++] = copy;
}

void grosr_finding_worker(struct grosr_findings *findings, struct grosr_finding *finding, const char *name)
{
    if (finding)
        add_name(findings, &finding->worker, &finding->workers, name);
}

void grosr_finding_resource(struct grosr_findings *findings, struct grosr_finding *finding, const char *name)
{
    if (finding)
        add_name(findings, &finding->resource, &finding->resources, name);
}

void grosr_finding_cycle(struct grosr_findings *findings, struct grosr_finding *finding, const char *name)
{
    if (finding)
        add_name(findings, &finding->cycle, &finding->cycles, name);
}

/* ---- joining ---- */

/* Appends the text, which is the caller's no more. */
static void join(struct grosr_findings *findings, char **text, char *more)
{
    char *both = NULL;

    if (!*text) {
        *text = more;
        return;
    }
    if (!more)
        return;
    if (asprintf(&both, "%s; %s", *text, more) < 0) {
        findings->error = -ENOMEM;
    } else {
        free(*text);
        *text = both;
    }
    free(more);
}

void grosr_findings_merge(struct grosr_findings *findings, struct grosr_findings *from)
{
    bool empty = !findings->source && !findings->state && !findings->findings;

    findings->error = findings->error ? findings->error : from->error;
    /* Idle only if all of them are. */
    if (empty)
        findings->otherwise = from->otherwise;
    else if (from->otherwise == GROSR_VERDICT_HEALTHY)
        findings->otherwise = GROSR_VERDICT_HEALTHY;
    join(findings, &findings->source, from->source);
    join(findings, &findings->state, from->state);
    from->source = from->state = NULL;
    if (from->findings && make_room(findings, (void **)&findings->finding, findings->findings, from->findings,
                                    sizeof(*findings->finding))) {
        memcpy(findings->finding + findings->findings, from->finding,
               from->findings * sizeof(*from->finding));
        findings->findings += from->findings;
        from->findings = 0;
    }
    from->error = 0;
    grosr_findings_free(from);
}

static int by_weight(const void *a, const void *b)
{
    const struct grosr_finding *x = (const struct grosr_finding *)a, *y = (const struct grosr_finding *)b;
    int order;

    if (x->verdict != y->verdict)
        return x->verdict > y->verdict ? -1 : 1;
    if (x->since_ns != y->since_ns)
        return x->since_ns > y->since_ns ? -1 : 1;
    order = strcmp(x->kind, y->kind);
    return order ? order : strcmp(x->summary, y->summary);
}

int grosr_findings_settle(struct grosr_findings *findings)
{
    uint32_t kept = 0;

    for (uint32_t i = 0; i < findings->findings; i++) {
        struct grosr_finding *finding = &findings->finding[i];
        if (finding->since_ns && finding->since_ns < findings->threshold_ns)
            free_finding(finding);
        else
            findings->finding[kept++] = *finding;
    }
    findings->findings = kept;
    if (kept > 1)
        qsort(findings->finding, kept, sizeof(*findings->finding), by_weight);
    findings->verdict = findings->otherwise;
    if (kept && findings->finding[0].verdict > GROSR_VERDICT_IDLE)
        findings->verdict = findings->finding[0].verdict;
    return findings->error;
}
