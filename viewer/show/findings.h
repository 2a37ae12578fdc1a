/* A diagnosis as text, a screen at most, and as JSON. */
#ifndef GROSR_SHOW_FINDINGS_H
#define GROSR_SHOW_FINDINGS_H

#include "json.h"

#include "../../tracer/findings/findings.h"

/* The verdict first, then each finding: what it is, its evidence, what to do; then what goes on besides. */
void findings_print(const struct grosr_findings *findings, FILE *out, bool color);

/* The same without a verdict: of what nothing is proven by. */
void findings_print_remarks(const struct grosr_findings *findings, FILE *out, bool color);

/* One object. */
void findings_write_json(const struct grosr_findings *findings, FILE *out);

#endif
