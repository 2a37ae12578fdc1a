/*
 * Workers, the SMs that they are on, and the time bins of a trace: GROSR_TIME_BIN and GROSR_SM_BUSY.
 */
#include "summary_parts.h"

#include <stdlib.h>

#define BINS_MAX   100   /* time bins, and one more by rounding */
#define PLACES_MAX 16384 /* SMs, more than any machine has; the rest counts as the last */

static int64_t number_of(int64_t value)
{
    return value == GROSR_NULL ? SUMMARY_UNKNOWN : value;
}

static int place_of(struct summary *s, int64_t session, int64_t sm)
{
    for (int i = s->n_places; i-- > 0;)
        if (s->places[i].sm == sm && s->places[i].session == session)
            return i;
    if (s->n_places == PLACES_MAX)
        return PLACES_MAX - 1;
    struct summary_place *more =
        (struct summary_place *)realloc(s->places, ((size_t)s->n_places + 1) * sizeof(*more));
    if (!more) {
        summary_failed(s, SQLITE_NOMEM);
        return 0;
    }
    s->places = more;
    more[s->n_places] = (struct summary_place){.session = session, .sm = sm};
    return s->n_places++;
}

void summary_read_workers(struct summary *s)
{
    sqlite3_stmt *q =
        summary_prepare(s, "SELECT worker, sm, w.start, coalesce(w.end, s.end), first_worker, session"
                           " FROM GROSR_WORKER w JOIN GROSR_SESSION s USING (session) ORDER BY worker");
    while (summary_row(s, q)) {
        struct summary_worker *more = s->workers;
        if ((s->n_workers & (s->n_workers - 1)) == 0)
            more = (struct summary_worker *)realloc(more, (s->n_workers ? 2 * (size_t)s->n_workers : 1) *
                                                              sizeof(*more));
        if (!more) {
            summary_failed(s, SQLITE_NOMEM);
            break;
        }
        s->workers = more;
        more[s->n_workers++] =
            (struct summary_worker){.worker = summary_cell(q, 0),
                                    .sm = number_of(summary_cell(q, 1)),
                                    .start = summary_time(q, 2),
                                    .end = summary_time(q, 3),
                                    .first_worker = summary_cell(q, 4),
                                    .place = place_of(s, summary_cell(q, 5), number_of(summary_cell(q, 1)))};
    }
    sqlite3_finalize(q);
}

/* Numbers mostly have no gaps. */
const struct summary_worker *summary_worker(const struct summary *s, int64_t worker)
{
    int low = 0, high = s->n_workers;

    if (worker >= 0 && worker < high && s->workers[worker].worker == worker)
        return &s->workers[worker];
    while (low < high) {
        int middle = low + (high - low) / 2;
        if (s->workers[middle].worker < worker)
            low = middle + 1;
        else
            high = middle;
    }
    return low < s->n_workers && s->workers[low].worker == worker ? &s->workers[low] : NULL;
}

void summary_make_bins(struct summary *s)
{
    static const int factors[] = {1, 2, 5};
    int64_t first = 0, last = 0, width = 1, unit = 1;
    sqlite3_stmt *q = summary_prepare(
        s, "WITH t AS (SELECT (SELECT min(start) FROM GROSR_TASK) AS first,"
           " (SELECT max(start) FROM GROSR_TASK) AS last"
           " UNION ALL SELECT min(start), max(coalesce(end, start)) FROM GROSR_WORKER"
           " UNION ALL SELECT NULL, max(end) FROM GROSR_SESSION)"
           " SELECT max(coalesce(min(first), 0), coalesce((SELECT CAST(value AS INTEGER)"
           " FROM GROSR_META WHERE key = 'kept_from'), coalesce(min(first), 0))), max(last) FROM t");
    bool some = summary_row(s, q) && summary_cell(q, 1) != GROSR_NULL;

    if (some) {
        first = summary_time(q, 0);
        last = summary_time(q, 1);
        if (first == GROSR_NULL) /* the time equals GROSR_NULL */
            first = -SUMMARY_TIME_MAX;
    }
    sqlite3_finalize(q);
    if (!some || last < first || s->code)
        return;
    for (int i = 0; (last - first) / width >= BINS_MAX; i++) {
        if (i % 3 == 0 && i)
            unit *= 10;
        width = factors[i % 3] * unit;
    }
    s->bin_ns = width;
    s->bins_start = (first >= 0 ? first : first - width + 1) / width * width;
    s->bins = (int)((last - s->bins_start) / width) + 1;
    sqlite3_stmt *out = summary_prepare(s, "INSERT INTO GROSR_TIME_BIN VALUES (?,?,?)");
    for (int i = 0; i < s->bins; i++) {
        int64_t start = s->bins_start + i * width;
        summary_insert(s, out, (const int64_t[]){i, start, start + width}, 3);
    }
    sqlite3_finalize(out);
    for (int i = 0; i < s->n_places; i++) {
        s->places[i].life_ns = (int64_t *)calloc((size_t)s->bins, 2 * sizeof(int64_t));
        if (!s->places[i].life_ns) {
            summary_failed(s, SQLITE_NOMEM);
            return;
        }
        s->places[i].busy_ns = s->places[i].life_ns + s->bins;
    }
}

int64_t summary_time_bin(const struct summary *s, int64_t time)
{
    if (time == GROSR_NULL || !s->bins || time < s->bins_start)
        return SUMMARY_UNKNOWN;
    int64_t bin = (time - s->bins_start) / s->bin_ns;
    return bin < s->bins ? bin : SUMMARY_UNKNOWN;
}

void summary_spread(const struct summary *s, int64_t *bins, int64_t start, int64_t end)
{
    if (!bins || start == GROSR_NULL || end == GROSR_NULL)
        return;
    if (start < s->bins_start)
        start = s->bins_start;
    for (int64_t bin = (start - s->bins_start) / s->bin_ns; start < end && bin < s->bins; bin++) {
        int64_t border = s->bins_start + (bin + 1) * s->bin_ns;
        int64_t until = end < border ? end : border;
        bins[bin] = durations_sum(bins[bin], until - start);
        start = until;
    }
}

void summary_write_busy(struct summary *s)
{
    sqlite3_stmt *out = summary_prepare(s, "INSERT INTO GROSR_SM_BUSY VALUES (?,?,?,?,?)");

    for (int i = 0; i < s->n_workers; i++)
        summary_spread(s, s->places[s->workers[i].place].life_ns, s->workers[i].start, s->workers[i].end);
    for (int bin = 0; bin < s->bins; bin++) {
        for (int i = 0; i < s->n_places && !s->code; i++) {
            const struct summary_place *p = &s->places[i];
            if (p->life_ns[bin] || p->busy_ns[bin])
                summary_insert(
                    s, out, (const int64_t[]){bin, p->session, p->sm, p->life_ns[bin], p->busy_ns[bin]}, 5);
        }
    }
    sqlite3_finalize(out);
}

void summary_free_bins(struct summary *s)
{
    for (int i = 0; i < s->n_places; i++)
        free(s->places[i].life_ns);
    free(s->places);
    free(s->workers);
}
