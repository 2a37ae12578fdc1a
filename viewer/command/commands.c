/*
 * The commands: one table with the facts of each. The list of commands, their help, the checks of operands
 * and options, and dispatch (main.c) are derived from it.
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
        .description = "Runs a workload on a persistent kernel, checks every result and reports how long it\n"
                       "took. With -o, every step of the kernel is recorded in a trace file.",
        .operands = "  WORKLOAD   what to run; `grosr run --list` lists the workloads\n",
        .max_operands = 1,
        .options = TAKES(DEVICE) | TAKES(OUTPUT_OF_RUN) | TAKES(TASKS) | TAKES(SECONDS) | TAKES(WORKERS) |
                   TAKES(RATE) | TAKES(FILE) | TAKES(SANDBOX) | TAKES(CURED) | TAKES(SMS) | TAKES(LEVEL) |
                   TAKES(RING) | TAKES(OVERFLOW) | TAKES(HEAP) | TAKES(HEAP_DEBUG) | TAKES(LIST) |
                   TAKES(COUNTERS) | TAKES(JSON),
        .run = cmd_run,
    },
    {
        .name = "record",
        .usage = "-- CMD [ARG]...",
        .summary = "record a program, or a running process",
        .description =
            "Starts a program, or attaches to one, and records its persistent kernels, and what it\n"
            "does through CUDA and NVTX, in a trace file.",
        .operands = "  CMD        the program to start, with its arguments; not with --attach\n",
        .max_operands = -1,
        .options = TAKES(OUTPUT_TRACE) | TAKES(LEVEL) | TAKES(ATTACH) | TAKES(TRACE) | TAKES(COUNTERS) |
                   TAKES(SINCE) | TAKES(WINDOW) | TAKES(UNTIL) | TAKES(PERSISTENT) | TAKES(CUDA_GRAPH_TRACE),
        .run = cmd_record,
    },
    {
        .name = "recover",
        .usage = "SEGMENT",
        .summary = "make a trace of a dead process's sessions",
        .description =
            "Writes the events in the sessions of a dead process to a trace file. Without a recorder\n"
            "rings are overwritten, so these are the latest events of every warp.",
        .operands = "  SEGMENT    a session's file, PID (all of its sessions) or PID.INDEX\n",
        .min_operands = 1,
        .max_operands = 1,
        .missing = "`grosr recover` needs a session: grosr recover SEGMENT",
        .options = TAKES(OUTPUT_TRACE) | TAKES(REMOVE),
        .run = cmd_recover,
    },
    {
        .name = "top",
        .usage = "[PID[.INDEX]]",
        .summary = "watch a persistent kernel while it runs",
        .description = "Shows what a persistent kernel is doing now: queues, SMs, workers and the health of\n"
                       "its trace. Keys: q quit, p pause, + and - interval, l trace level, ? help.",
        .operands = "  PID        the process to watch; not needed if only one has a session\n"
                    "  INDEX      which of its sessions, otherwise the newest\n",
        .max_operands = 1,
        .options = TAKES(ONCE) | TAKES(INTERVAL) | TAKES(JSON) | TAKES(COLOR),
        .run = cmd_top,
    },
    {
        .name = "diagnose",
        .usage = "[PID[.INDEX]|FILE]",
        .summary = "name what is stuck, on what, and why",
        .description =
            "Says whether a process is healthy, idle, slow, stalled or deadlocked, what holds it up,\n"
            "since when, and what to do. Exit code 3: a stall or a deadlock was found.",
        .operands = "  PID        the process to look at; not needed if only one has a session\n"
                    "  INDEX      which of its sessions, otherwise all\n"
                    "  FILE       a trace, a session's file that a dead process left, or a GPU's core dump\n",
        .max_operands = 1,
        .options = TAKES(OUTPUT_CORE) | TAKES(THRESHOLD) | TAKES(WATCH) | TAKES(ON_STALL) | TAKES(DUMP) |
                   TAKES(JSON) | TAKES(COLOR),
        .run = cmd_diagnose,
    },
    {
        .name = "query",
        .usage = "FILE [NAME|SQL]",
        .summary = "run a canned query or SQL on a trace",
        .description =
            "Runs a canned query or one SQL statement on a trace file. Without NAME or SQL, lists the\n"
            "canned queries, as --list does without a file. The file is opened read-only.",
        .operands = "  FILE       a trace file\n"
                    "  NAME|SQL   a canned query's name, or SQL; grosr-schema(5) describes the tables\n",
        .min_operands = 1,
        .max_operands = 2,
        .missing = "`grosr query` needs a trace file: grosr query FILE [NAME|SQL]",
        .options = TAKES(LIST) | TAKES(FORMAT_ROWS) | TAKES(JSON),
        .run = cmd_query,
    },
    {
        .name = "info",
        .usage = "[FILE]",
        .summary = "show devices and sessions, or the contents of a trace",
        .description = "Shows the version, the devices and the sessions on this machine; with FILE, the\n"
                       "contents of a trace file and whether it is complete.",
        .operands = "  FILE       a trace file\n",
        .max_operands = 1,
        .options = TAKES(JSON),
        .run = cmd_info,
    },
    {
        .name = "bench",
        .usage = "EXPERIMENT",
        .summary = "compare GROSR with its baselines",
        .description =
            "Runs an experiment: the same work on GROSR and on each baseline, in one run on one\n"
            "device, every result checked. Times are from the first submission to the last result.",
        .operands = "  EXPERIMENT what to measure; `grosr bench --list` lists the experiments\n",
        .max_operands = 1,
        .options = TAKES(DEVICE) | TAKES(TASKS) | TAKES(REPETITIONS) | TAKES(PLOT) | TAKES(WORKERS) |
                   TAKES(LIST) | TAKES(JSON),
        .run = cmd_bench,
    },
    {
        .name = "export",
        .usage = "FILE",
        .summary = "convert a trace for other tools",
        .description =
            "Writes a trace as a timeline for Perfetto (ui.perfetto.dev) or in Chrome's JSON format,\n"
            "or one of its views as CSV. Memory use does not grow with the trace.",
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
        .summary = "show help for a command",
        .description = "Lists the commands, or shows the help of one.",
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
          "Runs persistent GPU kernels and observes them while they run.\n"
          "\n"
          "Commands:\n",
          out);
    for (const struct command *c = commands; c < commands + COMMANDS; c++) {
        int width = (int)(strlen(c->name) + 1 + strlen(c->usage));
        fprintf(out, "  %s %s%*s  %s\n", c->name, c->usage, width < 24 ? 24 - width : 0, "", c->summary);
    }
    fputs("\n"
          "Options:\n"
          "  -h, --help      this help; after a command, its help\n"
          "  -V, --version   the version\n"
          "\n"
          "Exit code: 0 success, 1 failure, 2 wrong usage, 3 a stall was found, 4 no such device. See "
          "grosr(1).\n",
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
