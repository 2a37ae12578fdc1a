/*
 * The library that NVTX and the CUDA driver load into programs started by `grosr record` (tracer/inject).
 */
#ifndef GROSR_VIEWER_INJECT_H
#define GROSR_VIEWER_INJECT_H

#include "../cli/options.h"

/*
 * In the child, before it executes the program: names the library in the environment, for the parts in
 * `trace` (GROSR_TRACE_*), and the kernels that are persistent (a regular expression; NULL: none). What
 * cannot be recorded is reported; the program runs all the same.
 */
void inject_environment(uint32_t trace, const char *persistent, bool whole_graphs);

/* The library's path, or NULL and why there is none. */
const char *inject_library(const char **why);

#endif
