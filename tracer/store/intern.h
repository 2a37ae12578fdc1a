/* Numbers for strings: from 1, the same for equal texts. One thread at a time. */
#ifndef GROSR_INTERN_H
#define GROSR_INTERN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct grosr_interned;

/* All zeros: empty. */
struct grosr_intern {
    struct grosr_interned **slot; /* a power of two; NULL: free */
    size_t slots, count;
};

/* The text's number; *added: it is new. 0, or -ENOMEM. */
int grosr_intern(struct grosr_intern *table, const char *text, size_t bytes, int64_t *number, bool *added);

void grosr_intern_free(struct grosr_intern *table);

#endif
