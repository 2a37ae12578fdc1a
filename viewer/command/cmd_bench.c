/*
 * grosr bench EXPERIMENT: GROSR beside its baselines, in one run.
 */
#include "bench_print.h"
#include "commands.h"
#include "../cli/output.h"
#include "../cli/signals.h"
#include "../show/json.h"
#include "../show/plot.h"

#include "../../runtime/bench/bench.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#define TASKS_MAX 1000000000u

static volatile sig_atomic_t stop;

/* Ends the run in order, between two samples. */
static void on_signal(int signal_number)
{
    (void)signal_number;
    stop = 1;
}

static void list_benches(bool as_json)
{
    struct json j;

    if (!as_json) {
        for (const struct grosr_bench *b = grosr_benches; b->name; b++)
            printf("%-12s %s\n", b->name, b->description);
        return;
    }
    json_begin(&j, stdout);
    json_array(&j, NULL);
    for (const struct grosr_bench *b = grosr_benches; b->name; b++) {
        json_object(&j, NULL);
        json_string(&j, "name", b->name);
        json_string(&j, "description", b->description);
        json_close(&j);
    }
    json_close(&j);
    json_end(&j);
}

static const struct grosr_bench *find_bench(const char *name)
{
    for (const struct grosr_bench *b = grosr_benches; b->name; b++)
        if (!strcmp(b->name, name))
            return b;
    return NULL;
}

static int draw(const char *file, const struct grosr_bench *b, const struct grosr_bench_report *report)
{
    char *json = NULL;
    size_t bytes = 0;
    FILE *out = open_memstream(&json, &bytes);
    int err = out ? bench_print_json(out, b, report) : -ENOMEM;

    if (out && fclose(out) && !err)
        err = -ENOMEM;
    err = err ? grosr_fail(ENOMEM, "%s was not drawn: out of memory", file) : plot_write(file, json, bytes);
    free(json);
    return err;
}

/* ---- the command ---- */

/* Whether the options suit the experiment. 0, or the exit code after a line. */
static int check(const struct grosr_bench *b, const struct grosr_arguments *a)
{
    int err;

    if (a->tasks && !b->tasks_cuda)
        return grosr_say(GROSR_EXIT_USAGE, "the experiment '%s' takes no --tasks", b->name);
    if (a->repetitions && !b->repetitions)
        return grosr_say(GROSR_EXIT_USAGE, "the experiment '%s' takes no --repetitions", b->name);
    if (a->tasks > TASKS_MAX)
        return grosr_say(GROSR_EXIT_USAGE, "an experiment takes at most %u tasks", TASKS_MAX);
    if (a->plot && !plot_knows(a->plot))
        return grosr_say(GROSR_EXIT_USAGE, "--plot takes a file that ends in .svg or .png, not '%s'",
                         a->plot);
    err = a->plot ? plot_writable(a->plot) : 0;
    return err ? grosr_say(GROSR_EXIT_FAILURE, "cannot write %s: %s", a->plot, strerror(-err)) : 0;
}

/* "3 wrong results (GROSR: 3, baselines: 0); the first: ..." */
static int say_wrong(const struct grosr_bench_report *report)
{
    char first[512] = "";

    if (report->wrongs)
        grosr_bench_wrong_text(first, sizeof(first), &report->wrong[0]);
    return grosr_say(GROSR_EXIT_FAILURE,
                     "%" PRIu64 " wrong results (GROSR: %" PRIu64 ", baselines: %" PRIu64 "); the first: %s",
                     report->errors, grosr_bench_wrong_of(report, false), grosr_bench_wrong_of(report, true),
                     first);
}

/* What was measured; `err`: the error that ended the experiment, with grosr_error(), or 0. */
static int report_all(const struct grosr_bench *b, const struct grosr_bench_report *report,
                      const struct grosr_arguments *a, int err)
{
    int code = GROSR_EXIT_OK, wrong = 0;
    char failure[512];

    snprintf(failure, sizeof(failure), "%s", grosr_error()); /* what follows may fail, too */
    if (a->json)
        bench_print_json(stdout, b, report); /* output_end() tells whether it arrived */
    else if (bench_print_table(stdout, b, report))
        return grosr_say(GROSR_EXIT_FAILURE, "out of memory");
    fflush(stdout);
    if (err)
        code = grosr_say(grosr_exit_code(err), "%s", failure);
    else if (a->plot && draw(a->plot, b, report))
        code = grosr_say(GROSR_EXIT_FAILURE, "%s", grosr_error());
    if (report->errors)
        wrong = say_wrong(report);
    return code ? code : wrong;
}

int cmd_bench(const struct grosr_arguments *a)
{
    struct grosr_bench_report report;
    const struct grosr_bench *b;
    int code, err;

    output_begin();
    if (a->list) {
        list_benches(a->json);
        return output_end(GROSR_EXIT_OK);
    }
    if (a->operands != 1)
        return grosr_say(GROSR_EXIT_USAGE, "bench takes one experiment; `grosr bench --list` names them");
    b = find_bench(a->operand[0]);
    if (!b)
        return grosr_say(GROSR_EXIT_USAGE, "there is no experiment '%s'; `grosr bench --list` names them",
                         a->operand[0]);
    code = check(b, a);
    if (code)
        return code;
    struct grosr_bench_options options = {
        .device = a->device,
        .tasks = a->tasks,
        .repetitions = a->repetitions,
        .workers = a->workers,
        .stop = &stop,
    };
    signals_catch(on_signal);
    err = grosr_bench_run(b, &options, &report);
    if (err == -ECANCELED)
        code = grosr_say(GROSR_EXIT_FAILURE, "interrupted");
    else if (err && !report.failure[0])
        code = grosr_say(grosr_exit_code(err), "%s", grosr_error());
    else
        code = output_end(report_all(b, &report, a, err));
    grosr_bench_free(&report);
    return code;
}
