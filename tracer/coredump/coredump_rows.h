/* The warps of a core dump as rows of a trace. */
#ifndef GROSR_COREDUMP_ROWS_H
#define GROSR_COREDUMP_ROWS_H

struct grosr_core_sessions;

/* Makes a trace at `to` with a row of GROSR_WARP for each warp in the core dump `path`, and of
 * GROSR_WARP_ADDRESS for what it has in registers. `sessions` as for grosr_core_match(). Errors as those of
 * grosr_core_open(), grosr_store_create() and grosr_store_finish(). */
int grosr_core_store(const char *path, const struct grosr_core_sessions *sessions, const char *to);

#endif
