/*
 * Text for people: safe on a terminal, short, in human units.
 *
 * Names come from trace files and from the memory of other processes, so they reach a terminal only through
 * text_printable() or text_escaped(). The rule: what is printable stays as it is; a control character and a
 * byte that is no UTF-8 is written as \n, \r, \t, \xNN or \uNNNN. All functions that fill `to` terminate it
 * and return it.
 */
#ifndef GROSR_TEXT_H
#define GROSR_TEXT_H

#include "../../tracer/base/utf8.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define TEXT_INVALID GROSR_UTF8_INVALID /* what stands for bytes that are not UTF-8 */

/*
 * Decodes the first code point of `bytes` > 0 bytes. Returns how many it took; TEXT_INVALID takes one byte.
 */
size_t text_decode(const char *from, size_t bytes, uint32_t *code_point);

/* What must not be written to a terminal: controls, and the characters that reverse a line's direction. */
bool text_is_control(uint32_t code_point);

/* Where a text goes: data keeps its line ends and tabs, and what merely reverses a line's direction. */
enum text_use { TEXT_TERMINAL, TEXT_DATA };

/* `from`, escaped for a terminal. Cut at a whole character or escape. */
char *text_printable(char *to, size_t size, const char *from);

/* The whole of a text, which may have NULs, escaped and to be freed. NULL: no memory. */
char *text_escaped(const char *from, size_t bytes, enum text_use use);

/* Takes out of the middle of a printable text what is more than `columns` (at least 60), and says how much
 * that is. Returns the text. */
char *text_shortened(char *text, int columns);

/* Columns that one code point, or a printable text, takes on a terminal. */
int text_columns_of(uint32_t code_point);
int text_columns(const char *text);

/* "0", "999", "1.23k", "12.3M", "456G": at most 5 characters up to 10^18. */
char *text_count(char *to, size_t size, double n);

/* "0", "640ns", "1.23ms", "59.9s", "12m 07s", "3h 05m", "2d 04h": at most 7 characters up to 10 days. */
char *text_duration(char *to, size_t size, double ns);

/* A number of digits and nothing else, within range. */
bool text_whole_number(const char *from, uint64_t *n);

/* "PID" or "PID.INDEX"; without an index it is UINT32_MAX. */
bool text_session(const char *from, uint32_t *pid, uint32_t *index);

/* Digits with at most one decimal point, and nothing else. */
bool text_decimal(const char *from, double *x);

/* The one of `count` names closest to `word`, or NULL when none is close. names[i] is `stride` bytes after
 * names[i-1], so that the names can be the first members of structs. */
const char *text_nearest(const char *word, const char *const *names, size_t count, size_t stride);

#endif
