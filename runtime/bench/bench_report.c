/*
 * An experiment's report: rows, and the statistics of their samples.
 */
#include "bench.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

const char *const grosr_bench_unit_name[GROSR_BENCH_UNITS] = {
    [GROSR_BENCH_THROUGHPUT] = "tasks/s",
    [GROSR_BENCH_LATENCY] = "ns",
    [GROSR_BENCH_WATTS] = "W",
    [GROSR_BENCH_SLOWDOWN] = "ratio",
    [GROSR_BENCH_CPU] = "CPU s/s",
    [GROSR_BENCH_EVENTS] = "events/s",
    [GROSR_BENCH_ROWS] = "rows/s",
    [GROSR_BENCH_BYTES] = "B/event",
    [GROSR_BENCH_EVENT_COST] = "ns/event",
    [GROSR_BENCH_SHARE] = "share",
    [GROSR_BENCH_RATIO] = "B/B",
    [GROSR_BENCH_BANDWIDTH] = "B/s",
};

const char *const grosr_bench_unit_key[GROSR_BENCH_UNITS] = {
    [GROSR_BENCH_THROUGHPUT] = "ns",
    [GROSR_BENCH_LATENCY] = "ns",
    [GROSR_BENCH_WATTS] = "w",
    [GROSR_BENCH_SLOWDOWN] = "ratio",
    [GROSR_BENCH_CPU] = "cpu_share",
    [GROSR_BENCH_EVENTS] = "events_per_s",
    [GROSR_BENCH_ROWS] = "rows_per_s",
    [GROSR_BENCH_BYTES] = "bytes_per_event",
    [GROSR_BENCH_EVENT_COST] = "ns_per_event",
    [GROSR_BENCH_SHARE] = "share",
    [GROSR_BENCH_RATIO] = "bytes_per_byte",
    [GROSR_BENCH_BANDWIDTH] = "bytes_per_s",
};

const char *const grosr_bench_axis_name[GROSR_BENCH_AXES] = {
    [GROSR_BENCH_TASKS] = "tasks",     [GROSR_BENCH_SMS] = "sms",       [GROSR_BENCH_PRODUCERS] = "producers",
    [GROSR_BENCH_WORKERS] = "workers", [GROSR_BENCH_WARPS] = "warps",   [GROSR_BENCH_THREADS] = "threads",
    [GROSR_BENCH_SIZE] = "bytes",      [GROSR_BENCH_CYCLES] = "rounds", [GROSR_BENCH_PORTS] = "ports",
    [GROSR_BENCH_PROXIES] = "proxies",
};

const double grosr_bench_percentile[GROSR_BENCH_PERCENTILES] = {1, 5, 10, 25, 50, 75, 90, 95, 99, 99.9};

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

/* Of sorted samples, the smallest that p % of them do not exceed; NAN when less than a sample would lie
 * beyond it. */
static double percentile(const double *samples, uint32_t count, double p)
{
    double beyond = (p < 50 ? p : 100 - p) / 100 * count, rank = ceil(p / 100 * count - 1e-9);

    if (beyond < 1 - 1e-9 && p != 50)
        return NAN;
    return samples[rank < 1 ? 0 : (uint32_t)rank - 1];
}

/* A new row without values. NULL: out of memory, as report->err says. */
static struct grosr_bench_row *new_row(struct grosr_bench_report *report, const char *series, bool baseline,
                                       enum grosr_bench_unit unit)
{
    struct grosr_bench_row *row;

    if (report->rows == report->room) {
        uint32_t more = report->room ? 2 * report->room : 16;
        row = (struct grosr_bench_row *)realloc(report->row, more * sizeof(*row));
        if (!row) {
            report->err = grosr_fail(ENOMEM, "out of memory for %u series", more);
            return NULL;
        }
        report->row = row;
        report->room = more;
    }
    row = &report->row[report->rows++];
    memset(row, 0, sizeof(*row));
    snprintf(row->series, sizeof(row->series), "%s", series);
    row->baseline = baseline;
    row->unit = unit;
    row->pair = report->pair;
    row->x = row->lowest = row->highest = NAN;
    for (uint32_t i = 0; i < GROSR_BENCH_PERCENTILES; i++)
        row->percentile[i] = NAN;
    return row;
}

static struct grosr_bench_row *add(struct grosr_bench_report *report, const char *series, bool baseline,
                                   enum grosr_bench_unit unit, double *samples, uint32_t count)
{
    struct grosr_bench_row *row = new_row(report, series, baseline, unit);

    if (!row || count == 0)
        return row;
    qsort(samples, count, sizeof(*samples), compare);
    row->samples = count;
    row->lowest = samples[0];
    row->highest = samples[count - 1];
    for (uint32_t i = 0; i < GROSR_BENCH_PERCENTILES; i++)
        row->percentile[i] = percentile(samples, count, grosr_bench_percentile[i]);
    return row;
}

void grosr_bench_add(struct grosr_bench_report *report, const char *series, bool baseline, uint64_t tasks,
                     double *samples, uint32_t count)
{
    grosr_bench_add_at(report, series, baseline, GROSR_BENCH_NO_AXIS, NAN, tasks, samples, count);
}

void grosr_bench_add_at(struct grosr_bench_report *report, const char *series, bool baseline,
                        enum grosr_bench_axis axis, double x, uint64_t tasks, double *samples, uint32_t count)
{
    struct grosr_bench_row *row = add(report, series, baseline, report->unit, samples, count);

    if (!row)
        return;
    row->axis = axis;
    row->x = axis == GROSR_BENCH_NO_AXIS ? NAN : x;
    row->tasks = tasks;
}

void grosr_bench_add_value(struct grosr_bench_report *report, const char *series, bool baseline,
                           enum grosr_bench_unit unit, double *samples, uint32_t count)
{
    add(report, series, baseline, unit, samples, count);
}

void grosr_bench_add_unknown(struct grosr_bench_report *report, const char *series, bool baseline,
                             enum grosr_bench_unit unit, const char *why)
{
    struct grosr_bench_row *row = new_row(report, series, baseline, unit);

    if (row)
        snprintf(row->note, sizeof(row->note), "%s", why);
}

double *grosr_bench_samples(uint32_t count)
{
    double *samples = (double *)malloc((count + 1) * sizeof(*samples));

    if (!samples)
        grosr_fail(ENOMEM, "out of memory for %u samples", count);
    return samples;
}

void grosr_bench_free(struct grosr_bench_report *report)
{
    free(report->row);
    free(report->wrong);
    report->row = NULL;
    report->wrong = NULL;
    report->rows = report->room = report->wrongs = report->wrong_room = 0;
}
