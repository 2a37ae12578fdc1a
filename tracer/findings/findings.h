/*
 * Findings: what a diagnosis says. Each names one cause with those concerned, since when, the evidence, and
 * what to do. They are made from a solved graph (graph.h), and by sources that see a cause which is no graph:
 * progress far below capacity, a slow lock, nothing to do.
 *
 * The verdict is the worst of the findings: deadlock, stalled, slow; without any, idle or healthy, as the
 * source says. A finding that is not older than the threshold is left out. Nobody is blamed without evidence:
 * a finding whose last link cannot be seen (GROSR_STUCK_UNSEEN) is a remark, which changes no verdict.
 */
#ifndef GROSR_FINDINGS_H
#define GROSR_FINDINGS_H

#include "graph.h"

#include <stddef.h>

enum grosr_verdict {
    GROSR_VERDICT_HEALTHY,
    GROSR_VERDICT_IDLE,
    GROSR_VERDICT_SLOW,
    GROSR_VERDICT_STALLED,
    GROSR_VERDICT_DEADLOCK,
};

/* "healthy", "idle", "slow", "stalled", "deadlock". */
const char *grosr_verdict_name(enum grosr_verdict verdict);

struct grosr_finding {
    enum grosr_verdict verdict; /* what it makes of the whole; HEALTHY: a remark */
    char *kind;        /* one word of the list in grosr-diagnose(1): "lock_cycle", "dead_proxy", ... */
    char *summary;     /* one sentence */
    char *evidence;    /* lines, each a fact that was read */
    char *advice;      /* what cures it; "" if nothing is known */
    uint64_t since_ns; /* for how long it had been so when it was looked at; 0: not known */

    /* Names, as the graph has them. */
    char **worker; /* all actors concerned, the word of JSON is `workers` */
    uint32_t workers;
    char **resource;
    uint32_t resources;
    char **cycle; /* actor, resource, actor, ...; empty if it is no cycle */
    uint32_t cycles;
};

struct grosr_findings {
    enum grosr_verdict verdict;
    struct grosr_finding *finding; /* the worst first, then the oldest */
    uint32_t findings;
    char *source; /* "process 4711, session 0 (host, arith)": what was looked at */
    uint64_t threshold_ns;
    enum grosr_verdict otherwise; /* HEALTHY or IDLE: the verdict if no finding decides it */
    char *state; /* one sentence of what goes on, whatever the verdict: "2 workers run tasks; ..." */
    int error;   /* the first failure, which grosr_findings_settle() reports */
};

/* The kinds of findings.def, which the manual explains. */
struct grosr_finding_kind {
    const char *kind;
    enum grosr_verdict verdict;
    const char *text; /* what it is, in one line */
    const char *advice;
};

const struct grosr_finding_kind *grosr_finding_kinds(uint32_t *count);

/* The kind with that verdict, or with any if it has no such entry; NULL: it is none of the list. */
const struct grosr_finding_kind *grosr_finding_kind_find(const char *kind, enum grosr_verdict verdict);

/*
 * Whether a task that gives no sign of life while nothing else moves is called endless, and not just long:
 * the runs of its function that have ended are many and about equally long (`even`), it has been silent for a
 * hundred times the longest of them, and for ten times the threshold. Work of which the first hundred pieces
 * are short and equal and the next one takes so long must report progress, or is blamed.
 */
#define GROSR_ENDLESS_RUNS       100u /* that have ended */
#define GROSR_ENDLESS_LONGER     100u /* times as long as the longest of them */
#define GROSR_ENDLESS_THRESHOLDS 10u  /* thresholds of silence */
#define GROSR_ENDLESS_UNEVEN     8u   /* even: nine tenths of them are at most so many times the median */

bool grosr_is_endless(const struct grosr_findings *findings, uint64_t ended, uint64_t longest_ns, bool even,
                      uint64_t silent_ns);

void grosr_findings_init(struct grosr_findings *findings, uint64_t threshold_ns);
void grosr_findings_free(struct grosr_findings *findings);

/*
 * Adds a finding with the texts, which are copied; lists are empty and can be filled by the functions below.
 * Advice NULL: what findings.def has for the kind. The result is valid until the next one is added. NULL: out
 * of memory, which grosr_findings_settle() reports; the functions below then do nothing.
 */
struct grosr_finding *grosr_findings_add(struct grosr_findings *findings, enum grosr_verdict verdict,
                                         const char *kind, uint64_t since_ns, const char *summary,
                                         const char *advice);
/* Appends a line. */
void grosr_finding_evidence(struct grosr_findings *findings, struct grosr_finding *finding,
                            const char *format, ...) __attribute__((format(printf, 3, 4)));
void grosr_finding_worker(struct grosr_findings *findings, struct grosr_finding *finding, const char *name);
void grosr_finding_resource(struct grosr_findings *findings, struct grosr_finding *finding, const char *name);
void grosr_finding_cycle(struct grosr_findings *findings, struct grosr_finding *finding, const char *name);

/* A time span for people: "12 s", "3.1 s", "250 ms", "4.2 ms", "8.0 us". Returns `text`. */
const char *grosr_duration_text(char *text, size_t size, uint64_t ns);

/*
 * Adds findings for the stuck sets of the graph that have stood at `now` for the threshold or longer, or for
 * an unknown time. Sets of one cause are one finding: actors starved each by a resource of its own, of the
 * same kind and name, or a resource that several actors feed who cannot be seen into. Of those who are
 * starved, each one counts that has waited that long, whoever came since.
 */
void grosr_findings_from_graph(struct grosr_findings *findings, const struct grosr_graph *graph,
                               const struct grosr_solution *solution, uint64_t now);

/* Takes over the findings of `from`, which is empty afterwards: several sessions make one diagnosis. */
void grosr_findings_merge(struct grosr_findings *findings, struct grosr_findings *from);

/* Leaves out those younger than the threshold, orders the others, and sets the verdict. -ENOMEM if a part of
   them could not be kept. */
int grosr_findings_settle(struct grosr_findings *findings);

#endif
