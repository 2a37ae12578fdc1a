/*
 * grosr bench EXPERIMENT: GROSR beside its baselines, in one run.
 */
#include "json.h"
#include "options.h"
#include "output.h"
#include "table.h"
#include "text.h"

#include "../runtime/bench.h"
#include "../tracer/version.h"

#include <errno.h>
#include <inttypes.h>
#include <string.h>

static volatile sig_atomic_t stop;

/* The first signal ends the run properly, the second as signals do. */
static void on_signal(int signal_number)
{
    stop = 1;
    signal(signal_number, SIG_DFL);
}

static int list_benches(void)
{
    for (const struct grosr_bench *b = grosr_benches; b->name; b++)
        printf("%-12s %s\n", b->name, b->description);
    return GROSR_EXIT_OK;
}

static const struct grosr_bench *find_bench(const char *name)
{
    for (const struct grosr_bench *b = grosr_benches; b->name; b++)
        if (!strcmp(b->name, name))
            return b;
    return NULL;
}

static void print_json(const struct grosr_bench *b, const struct grosr_bench_report *report)
{
    struct json j;

    json_begin(&j, stdout);
    json_object(&j, NULL);
    json_string(&j, "bench", b->name);
    json_string(&j, "grosr_version", GROSR_VERSION);
    json_string(&j, "device", report->device.device);
    json_string(&j, "device_name", report->device.name);
    json_string(&j, "device_detail", report->device.detail);
    json_uint(&j, "errors", report->errors);
    json_array(&j, "series");
    for (uint32_t i = 0; i < report->rows; i++) {
        const struct grosr_bench_row *r = &report->row[i];
        json_object(&j, NULL);
        json_string(&j, "name", r->series);
        json_bool(&j, "baseline", r->baseline);
        json_uint(&j, "tasks", r->tasks);
        json_uint(&j, "samples", r->samples);
        json_number(&j, "median_ns", r->median_ns);
        json_number(&j, "lowest_ns", r->lowest_ns);
        json_number(&j, "p99_ns", r->p99_ns);
        json_number(&j, "highest_ns", r->highest_ns);
        json_number(&j, "median_ns_per_task", r->median_ns / (double)r->tasks);
        json_close(&j);
    }
    json_close(&j);
    json_close(&j);
    json_end(&j);
}

static struct table_cell duration_cell(char *text, size_t size, double ns)
{
    return (struct table_cell){.kind = TABLE_TEXT, .text = text_duration(text, size, ns)};
}

/* Times per task, and how each series compares with the first of GROSR's. */
static int print_table(const struct grosr_bench *b, const struct grosr_bench_report *report)
{
    static const char *const columns[] = {"series", "tasks", "samples",  "median",
                                          "lowest", "p99",   "per_task", "to_grosr"};
    const struct grosr_bench_row *own = NULL;
    struct table *t;
    int err;

    for (uint32_t i = report->rows; i-- > 0;)
        if (!report->row[i].baseline)
            own = &report->row[i];
    printf("%s on %s%s%s\n\n", b->name, report->device.name, report->device.detail[0] ? ", " : "",
           report->device.detail);
    err = table_begin(&t, stdout, GROSR_FORMAT_TABLE, 8, columns);
    for (uint32_t i = 0; !err && i < report->rows; i++) {
        const struct grosr_bench_row *r = &report->row[i];
        char median[16], lowest[16], p99[16], each[16], ratio[32];
        double per_task = r->median_ns / (double)r->tasks;
        snprintf(ratio, sizeof(ratio), "%.3gx", own ? per_task / (own->median_ns / (double)own->tasks) : 0);
        if (per_task < 1000)
            snprintf(each, sizeof(each), "%.3gns", per_task);
        else
            text_duration(each, sizeof(each), per_task);
        struct table_cell cells[] = {
            {.kind = TABLE_TEXT, .text = r->series},
            {.kind = TABLE_INTEGER, .integer = (int64_t)r->tasks},
            {.kind = TABLE_INTEGER, .integer = r->samples},
            duration_cell(median, sizeof(median), r->median_ns),
            duration_cell(lowest, sizeof(lowest), r->lowest_ns),
            duration_cell(p99, sizeof(p99), r->p99_ns),
            {.kind = TABLE_TEXT, .text = each},
            {.kind = TABLE_TEXT, .text = ratio},
        };
        err = table_row(t, cells);
    }
    if (!err)
        table_end(t);
    return err;
}

int cmd_bench(int argc, char **argv)
{
    struct grosr_bench_report report;
    struct grosr_arguments a;
    const struct grosr_bench *b;
    int code = grosr_parse(argc, argv, &a), err;

    if (code >= 0)
        return code;
    output_begin();
    if (a.list) {
        list_benches();
        return output_end(GROSR_EXIT_OK);
    }
    if (a.operands != 1)
        return grosr_say(GROSR_EXIT_USAGE, "bench takes one experiment; `grosr bench --list` names them");
    b = find_bench(a.operand[0]);
    if (!b)
        return grosr_say(GROSR_EXIT_USAGE, "there is no experiment '%s'; `grosr bench --list` names them",
                         a.operand[0]);
    if (a.tasks > 100000000)
        return grosr_say(GROSR_EXIT_USAGE, "an experiment takes at most 100000000 tasks");
    struct grosr_bench_options options = {
        .device = a.device,
        .tasks = a.tasks ? a.tasks : b->default_tasks,
        .repetitions = a.repetitions,
        .workers = a.workers,
        .stop = &stop,
    };
    signal(SIGINT, on_signal);
    signal(SIGTERM, on_signal);
    memset(&report, 0, sizeof(report));
    err = b->run(&options, &report);
    if (err == -ECANCELED)
        return grosr_say(GROSR_EXIT_FAILURE, "interrupted");
    if (err)
        return grosr_say(grosr_exit_code(err), "%s", grosr_error());
    if (a.json)
        print_json(b, &report);
    else if (print_table(b, &report))
        return grosr_say(GROSR_EXIT_FAILURE, "out of memory");
    code = report.errors ? grosr_say(GROSR_EXIT_FAILURE, "%" PRIu64 " wrong results", report.errors)
                         : GROSR_EXIT_OK;
    return output_end(code);
}
