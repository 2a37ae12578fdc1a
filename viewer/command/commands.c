/*
 * The commands: one table, with all that is known of each. The list of commands, their help, the check of
 * operands and options, and dispatch (main.c) come from it.
 */
#include "commands.h"

#include "../cli/output.h"
#include "../cli/say.h"
#include "../cli/text.h"

#include <string.h>

static int cmd_help(const struct grosr_arguments *arguments);

static const struct command commands[] = {
    {
        .name = "run",
        .usage = "WORKLOAD",
        .summary = "run a workload on a persistent kernel, traced",
        .description = "Runs a workload on a persistent kernel, checks every result and tells how long it\n"
                       "took. With -o, every step the kernel takes is written to a trace file.",
        .operands = "  WORKLOAD   what to run; `grosr run --list` tells what there is\n",
        .max_operands = 1,
        .options = TAKES(DEVICE) | TAKES(OUTPUT_OF_RUN) | TAKES(TASKS) | TAKES(SECONDS) | TAKES(WORKERS) |
                   TAKES(SMS) | TAKES(LEVEL) | TAKES(RING) | TAKES(OVERFLOW) | TAKES(LIST) | TAKES(COUNTERS) |
                   TAKES(JSON),
        .run = cmd_run,
    },
    {
        .name = "record",
        .usage = "-- CMD [ARG]...",
        .summary = "trace a program that uses GROSR",
        .description =
            "Starts a program, or attaches to one, and writes what its persistent kernels do to a\n"
            "trace file until they end.",
        .operands = "  CMD        the program to start, with its arguments; not with --attach\n",
        .max_operands = -1,
        .options = TAKES(OUTPUT_TRACE) | TAKES(LEVEL) | TAKES(ATTACH) | TAKES(TRACE) | TAKES(COUNTERS) |
                   TAKES(SINCE) | TAKES(WINDOW) | TAKES(UNTIL) | TAKES(PERSISTENT),
        .run = cmd_record,
    },
    {
        .name = "recover",
        .usage = "SEGMENT",
        .summary = "make a trace of what a dead process left",
        .description = "Writes what a dead process left in its session to a trace file: with the overwrite\n"
                       "policy, in force when nobody records, the last events of every warp.",
        .operands = "  SEGMENT    a session's file, PID or PID.INDEX; `grosr info` lists those there are\n",
        .min_operands = 1,
        .max_operands = 1,
        .missing = "`grosr recover` needs a session: grosr recover SEGMENT",
        .options = TAKES(OUTPUT_TRACE) | TAKES(REMOVE),
        .run = cmd_recover,
    },
    {
        .name = "top",
        .usage = "[PID]",
        .summary = "watch a persistent kernel while it runs",
        .description = "Shows what a persistent kernel is doing now: queues, SMs, workers and the health of\n"
                       "its trace. Keys: q quit, p pause, + and - interval, l trace level, ? help.",
        .operands = "  PID        the process to watch; may be left out when there is only one\n",
        .max_operands = 1,
        .options = TAKES(ONCE) | TAKES(INTERVAL) | TAKES(JSON) | TAKES(COLOR),
        .run = cmd_top,
    },
    {
        .name = "query",
        .usage = "FILE [NAME|SQL]",
        .summary = "ask a trace file a question",
        .description =
            "Runs a canned query or one SQL statement on a trace file. Without NAME or SQL, lists\n"
            "the canned queries, as --list does without a file. The file is opened for reading only.",
        .operands = "  FILE       a trace file\n"
                    "  NAME|SQL   a canned query's name, or SQL; grosr-schema(5) has the tables\n",
        .min_operands = 1,
        .max_operands = 2,
        .missing = "`grosr query` needs a trace file: grosr query FILE [NAME|SQL]",
        .options = TAKES(LIST) | TAKES(FORMAT_ROWS) | TAKES(JSON),
        .run = cmd_query,
    },
    {
        .name = "info",
        .usage = "[FILE]",
        .summary = "show devices and sessions, or what a trace file holds",
        .description = "Shows the version, the devices and the sessions on this machine; with FILE, what a\n"
                       "trace file holds and how far to trust it.",
        .operands = "  FILE       a trace file\n",
        .max_operands = 1,
        .options = TAKES(JSON),
        .run = cmd_info,
    },
    {
        .name = "bench",
        .usage = "EXPERIMENT",
        .summary = "measure GROSR beside its baselines",
        .description =
            "Runs an experiment: the same work by GROSR and by each baseline, in one run on one\n"
            "device, every result checked. Times are from the first submission to the last result.",
        .operands = "  EXPERIMENT what to measure; `grosr bench --list` tells what there is\n",
        .max_operands = 1,
        .options = TAKES(DEVICE) | TAKES(TASKS) | TAKES(REPETITIONS) | TAKES(PLOT) | TAKES(WORKERS) |
                   TAKES(LIST) | TAKES(JSON),
        .run = cmd_bench,
    },
    {
        .name = "export",
        .usage = "FILE",
        .summary = "write a trace in a format that other tools read",
        .description =
            "Writes a trace as a timeline for Perfetto (ui.perfetto.dev) or for what reads Chrome's\n"
            "JSON traces, or one of its views as CSV. However large, it needs little memory.",
        .operands = "  FILE       a trace file\n",
        .min_operands = 1,
        .max_operands = 1,
        .missing = "`grosr export` needs a trace file: grosr export FILE --format perfetto|chrome|csv",
        .options = TAKES(OUTPUT_EXPORT) | TAKES(FORMAT_EXPORT) | TAKES(TABLE) | TAKES(FROM) | TAKES(TO),
        .run = cmd_export,
    },
    {
        .name = "help",
        .usage = "[COMMAND]",
        .summary = "explain a command",
        .description = "Lists the commands, or explains one.",
        .operands = "  COMMAND    one of the commands\n",
        .max_operands = 1,
        .run = cmd_help,
    },
};

enum { COMMANDS = sizeof(commands) / sizeof(*commands) };

const struct command *command_find(const char *name)
{
    for (const struct command *c = commands; c < commands + COMMANDS; c++)
        if (strcmp(name, c->name) == 0)
            return c;
    return NULL;
}

int command_unknown(const char *name)
{
    const char *nearest = text_nearest(name, &commands[0].name, COMMANDS, sizeof(commands[0]));

    if (nearest)
        return grosr_say(GROSR_EXIT_USAGE, "no command '%s'; did you mean `grosr %s`?", name, nearest);
    return grosr_say(GROSR_EXIT_USAGE, "no command '%s'; `grosr help` lists them", name);
}

void command_list(FILE *out)
{
    fputs("Usage: grosr COMMAND [OPTION]... [OPERAND]...\n"
          "\n"
          "Runs persistent GPU kernels, and shows what they do while they do it.\n"
          "\n"
          "Commands:\n",
          out);
    for (const struct command *c = commands; c < commands + COMMANDS; c++) {
        int width = (int)(strlen(c->name) + 1 + strlen(c->usage));
        fprintf(out, "  %s %s%*s  %s\n", c->name, c->usage, width < 24 ? 24 - width : 0, "", c->summary);
    }
    fputs("\n"
          "Options:\n"
          "  -h, --help      this list; after a command, its options\n"
          "  -V, --version   the version\n"
          "\n"
          "Exit: 0 done, 1 failure, 2 wrong usage, 4 no such device. grosr(1) has the rest.\n",
          out);
}

static int cmd_help(const struct grosr_arguments *arguments)
{
    const struct command *c = arguments->operands ? command_find(arguments->operand[0]) : NULL;

    if (arguments->operands && !c)
        return command_unknown(arguments->operand[0]);
    output_begin();
    if (c)
        command_help(c);
    else
        command_list(stdout);
    return output_end(GROSR_EXIT_OK);
}
