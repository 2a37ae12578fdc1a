/*
 * UTF-8, for whoever writes text that others must be able to read: names in a trace come from the memory of
 * other processes and may hold anything.
 */
#ifndef GROSR_UTF8_H
#define GROSR_UTF8_H

#include <stddef.h>
#include <stdint.h>

#define GROSR_UTF8_INVALID     UINT32_C(0xfffd) /* U+FFFD, what stands for bytes that are not UTF-8 */
#define GROSR_UTF8_REPLACEMENT "\xef\xbf\xbd"   /* the same, as text */

/* Decodes the first code point of `bytes` > 0 bytes. Returns how many it took; GROSR_UTF8_INVALID takes one
 * byte, unless it stood there as such. */
size_t grosr_utf8_decode(const char *from, size_t bytes, uint32_t *code_point);

#endif
