/*
 * Data on stdout is either written or the command fails: a full disk is one line on stderr and exit code 1; a
 * reader that has closed its end (`grosr query ... | head`) is exit code 1 without a message.
 */
#ifndef GROSR_OUTPUT_H
#define GROSR_OUTPUT_H

#include <stdbool.h>

/* Call before the first write: a broken pipe becomes an error instead of a signal. Not for commands that
 * start other programs, which would inherit the setting. */
void output_begin(void);

/* Whether writing has failed so far; a producer of many rows checks after each. */
bool output_failed(void);

/* Flushes. Returns `code`, or GROSR_EXIT_FAILURE after a message. */
int output_end(int code);

#endif
