/*
 * An experiment's report as text and as JSON.
 */
#include "bench_print.h"

#include "../cli/text.h"
#include "../show/json.h"
#include "../show/table.h"

#include "../../tracer/base/version.h"

#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <string.h>

/* ---- ratios ---- */

/* GROSR's first series, with which the others are compared; in a sweep the one at the same point, with which
 * the baselines are; and where rows are in pairs, a baseline's with its own. */
static const struct grosr_bench_row *own_row(const struct grosr_bench_report *report,
                                             const struct grosr_bench_row *r)
{
    if (!r->tasks || ((r->axis != GROSR_BENCH_NO_AXIS || r->pair) && !r->baseline))
        return NULL;
    for (uint32_t i = 0; i < report->rows; i++) {
        const struct grosr_bench_row *own = &report->row[i];
        bool same_place =
            own->axis == r->axis && (own->axis == GROSR_BENCH_NO_AXIS || fabs(own->x - r->x) < 0.5);
        if (!own->baseline && own->samples && own->tasks && same_place && own->pair == r->pair)
            return own;
    }
    return NULL;
}

/* How much longer a task takes than GROSR's; NAN: there is nothing to compare with. */
static double ratio_to_grosr(const struct grosr_bench_report *report, const struct grosr_bench_row *r)
{
    const struct grosr_bench_row *own = own_row(report, r);

    if (!own)
        return NAN;
    return r->percentile[GROSR_BENCH_P50] / (double)r->tasks /
           (own->percentile[GROSR_BENCH_P50] / (double)own->tasks);
}

/* ---- JSON ---- */

static void known_uint(struct json *j, const char *key, uint64_t value)
{
    if (value)
        json_uint(j, key, value);
    else
        json_null(j, key);
}

static void known_string(struct json *j, const char *key, const char *value)
{
    json_string(j, key, value[0] ? value : NULL);
}

static void print_machine(struct json *j, const struct grosr_bench_machine *m)
{
    char cuda[16] = "";

    if (m->cuda)
        snprintf(cuda, sizeof(cuda), "%u.%u", m->cuda / 1000, m->cuda % 1000 / 10);
    json_object(j, "machine");
    known_string(j, "cpu", m->cpu);
    known_uint(j, "cpus", m->cpus);
    known_string(j, "driver_version", m->driver);
    known_string(j, "cuda_version", cuda);
    known_uint(j, "pcie_generation", m->after.pcie_generation);
    known_uint(j, "pcie_width", m->after.pcie_width);
    json_number(j, "sm_mhz_max", m->after.sm_mhz_max);
    json_number(j, "sm_mhz_before", m->before.sm_mhz);
    json_number(j, "sm_mhz_after", m->after.sm_mhz);
    json_number(j, "power_w_before", m->before.power_w);
    json_number(j, "power_w_after", m->after.power_w);
    json_number(j, "temperature_c_before", m->before.temperature_c);
    json_number(j, "temperature_c_after", m->after.temperature_c);
    known_string(j, "nvml_absent", m->nvml_absent);
    json_close(j);
}

/* `name`_`unit` */
static void print_value(struct json *j, const char *name, const struct grosr_bench_row *r, double value)
{
    char key[48];

    snprintf(key, sizeof(key), "%s_%s", name, grosr_bench_unit_key[r->unit]);
    json_number(j, key, value);
}

static void print_where(struct json *j, const struct grosr_bench_where *w)
{
    json_string(j, "series", w->series);
    json_bool(j, "baseline", w->baseline);
    json_string(j, "axis", grosr_bench_axis_name[w->axis]);
    json_number(j, "x", w->x);
    json_bool(j, "warm_up", w->warm_up);
    known_uint(j, "round", w->round);
}

static void print_wrong(struct json *j, const struct grosr_bench_wrong *w)
{
    json_object(j, NULL);
    print_where(j, &w->where);
    json_uint(j, "count", w->count);
    json_string(j, "what", w->what);
    if (w->index == GROSR_BENCH_NO_INDEX)
        json_null(j, "index");
    else
        json_uint(j, "index", w->index);
    json_uint(j, "expected", w->expected);
    json_bool(j, "minimum", w->minimum);
    json_uint(j, "seen", w->seen);
    json_int(j, "status", w->status);
    json_close(j);
}

/* The error that ended the experiment. */
static void print_failure(struct json *j, const struct grosr_bench_report *report)
{
    if (!report->failure[0]) {
        json_null(j, "failure");
        return;
    }
    json_object(j, "failure");
    print_where(j, &report->failed);
    json_string(j, "error", report->failure);
    json_close(j);
}

static void print_row(struct json *j, const struct grosr_bench_report *report,
                      const struct grosr_bench_row *r)
{
    double median = r->percentile[GROSR_BENCH_P50];
    char key[32];

    json_object(j, NULL);
    json_string(j, "name", r->series);
    json_bool(j, "baseline", r->baseline);
    json_string(j, "unit", grosr_bench_unit_name[r->unit]);
    json_string(j, "axis", grosr_bench_axis_name[r->axis]);
    json_number(j, "x", r->x);
    known_uint(j, "tasks", r->tasks);
    json_uint(j, "samples", r->samples);
    print_value(j, "median", r, median);
    print_value(j, "lowest", r, r->lowest);
    print_value(j, "p99", r, r->percentile[GROSR_BENCH_P99]);
    print_value(j, "highest", r, r->highest);
    snprintf(key, sizeof(key), "percentiles_%s", grosr_bench_unit_key[r->unit]);
    json_object(j, key);
    for (uint32_t i = 0; i < GROSR_BENCH_PERCENTILES; i++) {
        snprintf(key, sizeof(key), "p%g", grosr_bench_percentile[i]);
        json_number(j, key, r->percentile[i]);
    }
    json_close(j);
    if (r->tasks) {
        json_number(j, "median_ns_per_task", median / (double)r->tasks);
        if (r->unit == GROSR_BENCH_THROUGHPUT)
            json_number(j, "tasks_per_s", (double)r->tasks / median * 1e9);
        json_number(j, "to_grosr", ratio_to_grosr(report, r));
    }
    known_string(j, "note", r->note);
    json_close(j);
}

int bench_print_json(FILE *out, const struct grosr_bench *b, const struct grosr_bench_report *report)
{
    struct json j;

    json_begin(&j, out);
    json_object(&j, NULL);
    json_string(&j, "bench", b->name);
    json_string(&j, "description", b->description);
    json_string(&j, "grosr_version", GROSR_VERSION);
    json_string(&j, "date", report->machine.date);
    json_string(&j, "device", report->device.device);
    json_string(&j, "device_name", report->device.name);
    json_string(&j, "device_detail", report->device.detail);
    json_object(&j, "options");
    known_uint(&j, "tasks", report->tasks);
    known_uint(&j, "repetitions", report->repetitions);
    known_uint(&j, "workers", report->workers);
    json_close(&j);
    print_machine(&j, &report->machine);
    json_uint(&j, "errors", report->errors);
    json_array(&j, "wrong_results");
    for (uint32_t i = 0; i < report->wrongs; i++)
        print_wrong(&j, &report->wrong[i]);
    json_close(&j);
    print_failure(&j, report);
    json_array(&j, "series");
    for (uint32_t i = 0; i < report->rows; i++)
        print_row(&j, report, &report->row[i]);
    json_close(&j);
    json_close(&j);
    return json_end(&j);
}

/* ---- text ---- */

/* "1980", or "-". */
static const char *known(char *to, size_t size, double value)
{
    if (isnan(value))
        return "-";
    snprintf(to, size, "%.0f", value);
    return to;
}

static void print_head(FILE *out, const struct grosr_bench *b, const struct grosr_bench_report *report)
{
    const struct grosr_bench_machine *m = &report->machine;
    char text[6][24];

    fprintf(out, "%s on %s%s%s\n", b->name, report->device.name, report->device.detail[0] ? ", " : "",
            report->device.detail);
    fprintf(out, "%s, %u CPUs, %s, grosr " GROSR_VERSION "\n", m->cpu[0] ? m->cpu : "-", m->cpus, m->date);
    if (!strcmp(report->device.device, "cuda")) {
        const struct grosr_nvml_reading *s = &m->before, *e = &m->after;
        fprintf(out, "driver %s, PCIe generation %s x%s, SM clock %s MHz before and %s after, ",
                m->driver[0] ? m->driver : "-",
                known(text[0], sizeof(text[0]), e->pcie_generation ? e->pcie_generation : NAN),
                known(text[1], sizeof(text[1]), e->pcie_width ? e->pcie_width : NAN),
                known(text[2], sizeof(text[2]), s->sm_mhz), known(text[3], sizeof(text[3]), e->sm_mhz));
        fprintf(out, "%s W and %s W, ", known(text[0], sizeof(text[0]), s->power_w),
                known(text[1], sizeof(text[1]), e->power_w));
        fprintf(out, "%s C and %s C\n", known(text[0], sizeof(text[0]), s->temperature_c),
                known(text[1], sizeof(text[1]), e->temperature_c));
        if (m->nvml_absent[0])
            fprintf(out, "the GPU's state is not known: %s\n", m->nvml_absent);
    }
    if (report->tasks)
        fprintf(out, "tasks %" PRIu64 "  ", report->tasks);
    if (report->repetitions)
        fprintf(out, "repetitions %u  ", report->repetitions);
    if (report->workers)
        fprintf(out, "workers %u\n\n", report->workers);
    else
        fprintf(out, "workers: the default\n\n");
}

/* A value in its row's unit; NULL cell: not known. `text` holds it. */
static struct table_cell value_cell(char *text, size_t size, enum grosr_bench_unit unit, double value)
{
    if (isnan(value))
        return (struct table_cell){.kind = TABLE_NULL};
    switch (unit) {
    case GROSR_BENCH_THROUGHPUT:
    case GROSR_BENCH_LATENCY:
        if (value < 1000)
            snprintf(text, size, "%.3gns", value);
        else
            text_duration(text, size, value);
        break;
    case GROSR_BENCH_WATTS:
        snprintf(text, size, "%.1fW", value);
        break;
    case GROSR_BENCH_EVENT_COST: /* of noise around 0, too */
        snprintf(text, size, "%.1fns", value);
        break;
    case GROSR_BENCH_SHARE:
        snprintf(text, size, "%.1f%%", 100 * value);
        break;
    case GROSR_BENCH_CPU:
        snprintf(text, size, "%.2f%%", 100 * value);
        break;
    case GROSR_BENCH_EVENTS:
    case GROSR_BENCH_ROWS:
        snprintf(text, size, "%.3g M %s", value * 1e-6, grosr_bench_unit_name[unit]);
        break;
    case GROSR_BENCH_BANDWIDTH:
        snprintf(text, size, "%.3g MB/s", value * 1e-6);
        break;
    case GROSR_BENCH_BYTES:
        snprintf(text, size, "%.3g B", value);
        break;
    default:
        snprintf(text, size, "%.3fx", value);
    }
    return (struct table_cell){.kind = TABLE_TEXT, .text = text};
}

enum { COLUMNS_MAX = 10 };

/* Only the columns that the report has something for: a sweep's coordinate, numbers of tasks. */
int bench_print_table(FILE *out, const struct grosr_bench *b, const struct grosr_bench_report *report)
{
    static const char *const names[COLUMNS_MAX] = {"series", "at",  "tasks",   "samples",  "lowest",
                                                   "median", "p99", "highest", "per_task", "to_grosr"};
    bool has[COLUMNS_MAX] = {true, false, false, true, true, true, true, true, false, false};
    const char *shown[COLUMNS_MAX];
    struct table *t;
    int columns = 0, err;

    for (uint32_t i = 0; i < report->rows; i++) {
        has[1] |= report->row[i].axis != GROSR_BENCH_NO_AXIS;
        has[2] |= report->row[i].tasks != 0;
    }
    has[8] = has[9] = has[2];
    for (int c = 0; c < COLUMNS_MAX; c++)
        if (has[c])
            shown[columns++] = names[c];
    print_head(out, b, report);
    err = table_begin(&t, out, GROSR_FORMAT_TABLE, columns, shown);
    for (uint32_t i = 0; !err && i < report->rows; i++) {
        const struct grosr_bench_row *r = &report->row[i];
        double median = r->percentile[GROSR_BENCH_P50], each = r->tasks ? median / (double)r->tasks : NAN;
        double ratio = ratio_to_grosr(report, r);
        char at[32] = "", text[6][32];
        struct table_cell all[COLUMNS_MAX] = {
            {.kind = TABLE_TEXT, .text = r->series},
            {.kind = r->axis == GROSR_BENCH_NO_AXIS ? TABLE_NULL : TABLE_TEXT, .text = at},
            {.kind = r->tasks ? TABLE_INTEGER : TABLE_NULL, .integer = (int64_t)r->tasks},
            {.kind = TABLE_INTEGER, .integer = r->samples},
            value_cell(text[0], sizeof(text[0]), r->unit, r->lowest),
            value_cell(text[1], sizeof(text[1]), r->unit, median),
            value_cell(text[2], sizeof(text[2]), r->unit, r->percentile[GROSR_BENCH_P99]),
            value_cell(text[3], sizeof(text[3]), r->unit, r->highest),
            value_cell(text[4], sizeof(text[4]), GROSR_BENCH_LATENCY, each),
            {.kind = isnan(ratio) ? TABLE_NULL : TABLE_TEXT, .text = text[5]},
        };
        struct table_cell cells[COLUMNS_MAX];
        if (r->axis != GROSR_BENCH_NO_AXIS)
            snprintf(at, sizeof(at), "%s %.0f", grosr_bench_axis_name[r->axis], r->x);
        if (!isnan(ratio))
            snprintf(text[5], sizeof(text[5]), "%.3gx", ratio);
        for (int c = 0, n = 0; c < COLUMNS_MAX; c++)
            if (has[c])
                cells[n++] = all[c];
        err = table_row(t, cells);
    }
    if (err)
        return err;
    table_end(t);
    for (uint32_t i = 0; i < report->rows; i++)
        if (report->row[i].note[0])
            fprintf(out, "not measured: %s: %s\n", report->row[i].series, report->row[i].note);
    for (uint32_t i = 0; i < report->wrongs; i++) {
        char text[512];
        grosr_bench_wrong_text(text, sizeof(text), &report->wrong[i]);
        fprintf(out, "wrong results: %" PRIu64 ", the first: %s\n", report->wrong[i].count, text);
    }
    return 0;
}
