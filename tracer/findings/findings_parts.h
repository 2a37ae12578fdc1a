/*
 * What the files that make findings of a graph share (findings.h).
 */
#ifndef GROSR_FINDINGS_PARTS_H
#define GROSR_FINDINGS_PARTS_H

#include "findings.h"

#include <stdio.h>

/* What findings are made of, and where they go. */
struct finding_writer {
    struct grosr_findings *findings;
    const struct grosr_graph *graph;
    const struct grosr_solution *solution;
    uint64_t now;
};

/* A text being written. */
struct finding_text {
    FILE *file;
    char *bytes;
    size_t length;
};

/* The kind of a deadlocked set, and of those who wait for a resource that nobody supplies. */
const char *grosr_deadlock_kind(const struct grosr_graph *graph, const struct grosr_stuck_set *set);
const char *grosr_starved_kind(const struct grosr_graph *graph, uint32_t resource);

/* How the graph names a node. */
typedef const char *node_text(const struct finding_writer *w, uint32_t node);
node_text grosr_text_actor, grosr_text_resource;

/* What is done to a resource to supply it: "which X could ..."; NULL: whoever waits for it is behind X. */
const char *grosr_supply_verb(enum grosr_graph_resource kind);
const char *grosr_hold_verb(enum grosr_graph_resource kind);

void grosr_finding_say(struct finding_text *t, const char *format, ...) __attribute__((format(printf, 2, 3)));
void grosr_finding_say_duration(struct finding_text *t, uint64_t ns);

/* "a", "a and b", "a, b and c", "a, b, c and 61 more". */
void grosr_finding_say_names(struct finding_text *t, const struct finding_writer *w, node_text *text,
                             const uint32_t *node, uint32_t nodes);

/* "worker 0 and worker 1", "64 workers (worker 0, worker 1, worker 2 and 61 more)". */
void grosr_finding_say_actors(struct finding_text *t, const struct finding_writer *w, const uint32_t *actor,
                              uint32_t actors);

/* Whether it is the end of an actor, who alone brings it about and is in its name: "the end of kernel k". */
bool grosr_is_end(enum grosr_graph_resource kind);

/* ", which worker 7 holds", ", which worker 7 could write", ", behind kernel k"; nothing of an end; `itself`:
 * of who waits. */
void grosr_finding_say_link(struct finding_text *t, const struct finding_writer *w, uint32_t resource,
                            uint32_t next, bool itself);

/* Adds the chain from those behind to the cause's actors as evidence. Returns how many of those behind it
 * has. */
uint32_t grosr_finding_chain(const struct finding_writer *w, struct grosr_finding *finding,
                             const uint32_t *root, uint32_t roots, const uint32_t *behind, uint32_t behinds);

/* The text, which is the caller's; NULL: out of memory, which is noted. */
char *grosr_text_finish(const struct finding_writer *w, struct finding_text *t);

#endif
