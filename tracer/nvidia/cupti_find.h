/* Finding CUPTI, for what is loaded into traced programs and for the collector. */
#ifndef GROSR_CUPTI_FIND_H
#define GROSR_CUPTI_FIND_H

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

/*
 * Opens the library of a major version: the one that GROSR_CUPTI names, or the loader's, or the toolkit's.
 * NULL: `why` says what is missing.
 */
void *grosr_cupti_open(int major, char *why, size_t size);

#ifdef __cplusplus
}
#endif

#endif
