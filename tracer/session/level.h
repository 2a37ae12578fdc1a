/*
 * The names of trace levels and of overflow policies, as the command line, the views and reports have them.
 */
#ifndef GROSR_LEVEL_H
#define GROSR_LEVEL_H

#include <stdint.h>

/* By the values of enum grosr_level (event.h) and enum grosr_overflow (session.h); each list ends with NULL.
 */
extern const char *const grosr_level_names[], *const grosr_overflow_names[];

/* "?" for values that are none: they may come from another process. */
const char *grosr_level_name(uint32_t level);
const char *grosr_overflow_name(uint32_t overflow);

#endif
