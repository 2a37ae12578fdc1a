/* Bins of durations are in order and narrow, and everything is counted, however many distinct keys there
 * are. */
#include "../../tracer/summary/durations.h"

#include "../tap.h"

#include "../../tracer/base/sql_null.h"

static void bins(void)
{
    bool ordered = true, narrow = true;
    int64_t first = 0; /* of the bin that `ns` is in */

    for (int64_t ns = 1; ns < 1 << 20; ns++) {
        int bin = durations_bin(ns), before = durations_bin(ns - 1);
        ordered &= bin == before || bin == before + 1;
        if (bin != before)
            first = ns;
        narrow &= (ns - first) * 16 < ns || ns == first;
    }
    ok(ordered, "a longer duration is in the same bin or the next");
    ok(narrow, "durations of a bin differ by less than 1/16");
    is(durations_bin(0), 0, "0 ns");
    is(durations_bin(15), 15, "15 ns has a bin of its own");
    is(durations_bin(-5), 0, "a negative one is with 0");
    is(durations_bin(INT64_MAX), 59 * 16 + 15, "the longest there can be");
}

static void counts(void)
{
    static const char one[] = "one", two[] = "two";
    struct durations d = {0};
    int64_t n = 0, total = 0, part = 0, max = 0, unknown = 0;
    int entries = 0;

    ok(!durations_next(&d, NULL), "nothing at first");
    for (int round = 0; round < 3; round++)
        for (int64_t what = 0; what < 20000; what++)
            if (durations_count(&d, what & 1 ? one : two, what, what % 7, 1000 + round, 2))
                printf("# no memory\n");
    durations_count(&d, one, GROSR_NULL, GROSR_NULL, GROSR_NULL, GROSR_NULL);
    for (const struct duration *e = durations_next(&d, NULL); e; e = durations_next(&d, e)) {
        entries++;
        n += e->n;
        total += e->total_ns;
        part += e->part;
        max = e->max_ns > max ? e->max_ns : max;
        unknown += e->bin == GROSR_DURATION_UNKNOWN && e->what == GROSR_DURATION_UNKNOWN && e->which == -1;
    }
    is(entries, 20001, "as many entries as there are different things");
    is(n, 60001, "everything is counted");
    is(total, 20000 * (1000 + 1001 + 1002), "with its duration");
    is(part, 120000, "and its part");
    is(max, 1002, "the longest is known");
    is(unknown, 1, "what is not known is counted apart");
    durations_free(&d);
    ok(!durations_next(&d, NULL), "nothing after free");
}

int main(void)
{
    bins();
    counts();
    return tap_done();
}
