/*
 * An experiment's report as text and as JSON (cmd_bench.c). Either has what was measured, whose results were
 * wrong and, if the experiment did not come to its end, whose error ended it; a baseline's is marked as such.
 */
#ifndef GROSR_BENCH_PRINT_H
#define GROSR_BENCH_PRINT_H

#include "../../runtime/bench/bench.h"

#include <stdio.h>

/* 0, or -EIO when it could not be written. */
int bench_print_json(FILE *out, const struct grosr_bench *bench, const struct grosr_bench_report *report);

/* 0, or -ENOMEM. Output errors are the caller's to look for (output.h). */
int bench_print_table(FILE *out, const struct grosr_bench *bench, const struct grosr_bench_report *report);

#endif
