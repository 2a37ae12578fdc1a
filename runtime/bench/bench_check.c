/*
 * What was wrong in an experiment: whose result, in which round, what was expected and what was seen. Wrong
 * results are counted for each series and kind of result, and the first of each is kept whole.
 *
 * An experiment names the series and the round before it measures; an error that ends the experiment is
 * reported under the same name, so that a baseline's is never taken for GROSR's. All of it is called by the
 * thread that runs the experiment.
 */
#include "bench.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void grosr_bench_begin_at(struct grosr_bench_report *report, const char *series, bool baseline,
                          enum grosr_bench_axis axis, double x)
{
    struct grosr_bench_where *w = &report->where;

    memset(w, 0, sizeof(*w));
    snprintf(w->series, sizeof(w->series), "%s", series);
    w->baseline = baseline;
    w->axis = axis;
    w->x = axis == GROSR_BENCH_NO_AXIS ? NAN : x;
}

void grosr_bench_begin(struct grosr_bench_report *report, const char *series, bool baseline)
{
    grosr_bench_begin_at(report, series, baseline, GROSR_BENCH_NO_AXIS, NAN);
}

void grosr_bench_round(struct grosr_bench_report *report, uint32_t i, uint32_t warm_up)
{
    report->where.warm_up = i < warm_up;
    report->where.round = i < warm_up ? i + 1 : i - warm_up + 1;
}

static bool same_series(const struct grosr_bench_where *a, const struct grosr_bench_where *b)
{
    return !strcmp(a->series, b->series) && a->baseline == b->baseline && a->axis == b->axis &&
           (a->axis == GROSR_BENCH_NO_AXIS || fabs(a->x - b->x) < 0.5);
}

/* The series' entry; the latest is looked at first, since wrong results come in a row. NULL: out of memory.
 */
static struct grosr_bench_wrong *entry_of(struct grosr_bench_report *report, const char *what)
{
    struct grosr_bench_wrong *w;

    for (uint32_t i = report->wrongs; i-- > 0;)
        if (same_series(&report->wrong[i].where, &report->where) && !strcmp(report->wrong[i].what, what))
            return &report->wrong[i];
    if (report->wrongs == report->wrong_room) {
        uint32_t room = report->wrong_room ? 2 * report->wrong_room : 16;
        w = (struct grosr_bench_wrong *)realloc(report->wrong, room * sizeof(*w));
        if (!w) {
            report->err = grosr_fail(ENOMEM, "out of memory for wrong results of %u series", room);
            return NULL;
        }
        report->wrong = w;
        report->wrong_room = room;
    }
    w = &report->wrong[report->wrongs++];
    memset(w, 0, sizeof(*w));
    w->where = report->where;
    w->what = what;
    return w;
}

/* Counts a wrong result. NULL: it is not the first of its series and kind. */
static struct grosr_bench_wrong *count(struct grosr_bench_report *report, const char *what, uint64_t index,
                                       uint64_t expected, uint64_t seen)
{
    struct grosr_bench_wrong *w = entry_of(report, what);

    report->errors++;
    if (!w || w->count++)
        return NULL;
    w->index = index;
    w->expected = expected;
    w->seen = seen;
    return w;
}

bool grosr_bench_check(struct grosr_bench_report *report, const char *what, uint64_t index, uint64_t expected,
                       uint64_t seen)
{
    if (seen == expected)
        return true;
    count(report, what, index, expected, seen);
    return false;
}

bool grosr_bench_check_min(struct grosr_bench_report *report, const char *what, uint64_t index,
                           uint64_t expected, uint64_t seen)
{
    struct grosr_bench_wrong *w;

    if (seen >= expected)
        return true;
    if ((w = count(report, what, index, expected, seen)))
        w->minimum = true;
    return false;
}

/* A task's result, with its status. */
static bool check_task(struct grosr_bench_report *report, const char *what, uint64_t task, uint64_t expected,
                       bool minimum, const struct grosr_result *result)
{
    struct grosr_bench_wrong *w;

    if (result->status == 0 && (minimum ? result->value >= expected : result->value == expected))
        return true;
    if ((w = count(report, what, task, expected, result->value))) {
        w->minimum = minimum;
        w->status = result->status;
    }
    return false;
}

bool grosr_bench_check_result(struct grosr_bench_report *report, uint64_t task, uint64_t expected,
                              const struct grosr_result *result)
{
    return check_task(report, "task", task, expected, false, result);
}

bool grosr_bench_check_spin(struct grosr_bench_report *report, uint64_t task, uint64_t spin_ns,
                            const struct grosr_result *result)
{
    return check_task(report, "ns of task", task, spin_ns, true, result);
}

void grosr_bench_fail(struct grosr_bench_report *report, int err)
{
    char where[160];

    if (!report->where.series[0])
        return;
    report->failed = report->where;
    snprintf(report->failure, sizeof(report->failure), "%s", grosr_error());
    grosr_bench_where_text(where, sizeof(where), &report->failed);
    grosr_fail(-err, "%s: %s", where, report->failure);
}

void grosr_bench_where_text(char *to, size_t size, const struct grosr_bench_where *w)
{
    char at[48] = "", round[32] = "";

    if (w->axis != GROSR_BENCH_NO_AXIS)
        snprintf(at, sizeof(at), " at %s %.0f", grosr_bench_axis_name[w->axis], w->x);
    if (w->round)
        snprintf(round, sizeof(round), ", %s %u", w->warm_up ? "warm-up" : "repetition", w->round);
    snprintf(to, size, "%s '%s'%s%s", w->baseline ? "baseline" : "series", w->series, at, round);
}

void grosr_bench_wrong_text(char *to, size_t size, const struct grosr_bench_wrong *w)
{
    char where[160], index[24] = "", status[24] = "";

    grosr_bench_where_text(where, sizeof(where), &w->where);
    if (w->index != GROSR_BENCH_NO_INDEX)
        snprintf(index, sizeof(index), " %" PRIu64, w->index);
    if (w->status)
        snprintf(status, sizeof(status), ", status %d", (int)w->status);
    snprintf(to, size, "%s: %s%s: expected %s%" PRIu64 ", seen %" PRIu64 "%s", where, w->what, index,
             w->minimum ? "at least " : "", w->expected, w->seen, status);
}

uint64_t grosr_bench_wrong_of(const struct grosr_bench_report *report, bool baseline)
{
    uint64_t n = 0;

    for (uint32_t i = 0; i < report->wrongs; i++)
        n += report->wrong[i].where.baseline == baseline ? report->wrong[i].count : 0;
    return n;
}
