/*
 * Counting durations: how many of each measure, of what, and how long, in bins that are up to 1/16 wide. They
 * become the rows of GROSR_DURATION (schema/tables.sql).
 */
#ifndef GROSR_DURATIONS_H
#define GROSR_DURATIONS_H

#include <stddef.h>
#include <stdint.h>

#define GROSR_DURATION_UNKNOWN \
    (-1) /* in `what` and `which`, where GROSR_NULL was given; in `bin`: no duration */

struct duration {
    const char *measure; /* a literal; compared by address */
    int64_t what, which, bin;
    int64_t n, total_ns, max_ns, part;
};

/* A saturating sum; only a damaged trace overflows. */
static inline int64_t durations_sum(int64_t a, int64_t b)
{
    int64_t sum;

    return __builtin_add_overflow(a, b, &sum) ? (b < 0 ? -INT64_MAX : INT64_MAX) : sum;
}

/* All zero: empty. */
struct durations {
    struct duration *slots;
    size_t size, used; /* size: 0 or a power of two */
};

/* Counts one; `what`, `which`, `ns` and `part` may be GROSR_NULL. -ENOMEM. */
int durations_count(struct durations *d, const char *measure, int64_t what, int64_t which, int64_t ns,
                    int64_t part);

/* The one after `last`, or the first (NULL), in no order. NULL: there are no more. */
const struct duration *durations_next(const struct durations *d, const struct duration *last);

void durations_free(struct durations *d);

/*
 * The bin of a duration: 0 to 15 ns have one each, then every power of two has 16 of equal width. Bin 0 has
 * negative ones too, which occur when start and end are by different clocks.
 */
int durations_bin(int64_t ns);

#endif
