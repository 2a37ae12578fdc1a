/*
 * Data on stdout either arrives or the command fails: a full disk is one line on stderr and exit 1, a reader
 * that left (`grosr query ... | head`) is exit 1 and silent.
 */
#ifndef GROSR_OUTPUT_H
#define GROSR_OUTPUT_H

#include <stdbool.h>

/* To be called before the first write: a broken pipe becomes an error in place of a signal. Not for commands
 * that start other programs, which would inherit that. */
void output_begin(void);

/* Whether writing has failed so far; a producer of many rows asks after each. */
bool output_failed(void);

/* Flushes. Returns `code`, or GROSR_EXIT_FAILURE after saying what went wrong. */
int output_end(int code);

#endif
