#include "commands.h"

#include "say.h"
#include "text.h"

#include <string.h>

const struct command_text command_texts[COMMANDS] = {
    [COMMAND_RUN] =
        {
            "run",
            "WORKLOAD",
            "run a workload on a persistent kernel, traced",
            "Runs a workload on a persistent kernel, checks every result and tells how long it\n"
            "took. With -o, every step the kernel takes is written to a trace file.",
            "  WORKLOAD   what to run; `grosr run --list` tells what there is\n",
            0,
            1,
            NULL,
        },
    [COMMAND_RECORD] =
        {
            "record",
            "-- CMD [ARG]...",
            "trace a program that uses GROSR",
            "Starts a program, or attaches to one, and writes what its persistent kernels do to a\n"
            "trace file until they end.",
            "  CMD        the program to start, with its arguments; not with --attach\n",
            0,
            -1,
            NULL,
        },
    [COMMAND_RECOVER] =
        {
            "recover",
            "SEGMENT",
            "make a trace of what a dead process left",
            "Writes what a dead process left in its session to a trace file: with the overwrite\n"
            "policy, in force when nobody records, the last events of every warp.",
            "  SEGMENT    a session's file, PID or PID.INDEX; `grosr info` lists those there are\n",
            1,
            1,
            "`grosr recover` needs a session: grosr recover SEGMENT",
        },
    [COMMAND_TOP] =
        {
            "top",
            "[PID]",
            "watch a persistent kernel while it runs",
            "Shows what a persistent kernel is doing now: queues, SMs, workers and the health of\n"
            "its trace. Keys: q quit, p pause, + and - interval, l trace level, ? help.",
            "  PID        the process to watch; may be left out when there is only one\n",
            0,
            1,
            NULL,
        },
    [COMMAND_QUERY] =
        {
            "query",
            "FILE [NAME|SQL]",
            "ask a trace file a question",
            "Runs a canned query or one SQL statement on a trace file. Without NAME or SQL, lists\n"
            "the canned queries, as --list does without a file. The file is opened for reading only.",
            "  FILE       a trace file\n"
            "  NAME|SQL   a canned query's name, or SQL; grosr-schema(5) has the tables\n",
            1,
            2,
            "`grosr query` needs a trace file: grosr query FILE [NAME|SQL]",
        },
    [COMMAND_INFO] =
        {
            "info",
            "[FILE]",
            "show devices and sessions, or what a trace file holds",
            "Shows the version, the devices and the sessions on this machine; with FILE, what a\n"
            "trace file holds and how far to trust it.",
            "  FILE       a trace file\n",
            0,
            1,
            NULL,
        },
    [COMMAND_BENCH] =
        {
            "bench",
            "EXPERIMENT",
            "measure GROSR beside its baselines",
            "Runs an experiment: the same work by GROSR and by each baseline, in one run on one\n"
            "device, every result checked. Times are from the first submission to the last result.",
            "  EXPERIMENT what to measure; `grosr bench --list` tells what there is\n",
            0,
            1,
            NULL,
        },
    [COMMAND_EXPORT] =
        {
            "export",
            "FILE",
            "write a trace in a format that other tools read",
            "Writes a trace as a timeline for Perfetto (ui.perfetto.dev) or for what reads Chrome's\n"
            "JSON traces, or one of its views as CSV. However large, it needs little memory.",
            "  FILE       a trace file\n",
            1,
            1,
            "`grosr export` needs a trace file: grosr export FILE --format perfetto|chrome|csv",
        },
    [COMMAND_HELP] =
        {
            "help",
            "[COMMAND]",
            "explain a command",
            "Lists the commands, or explains one.",
            "  COMMAND    one of the commands\n",
            0,
            1,
            NULL,
        },
};

enum command_id command_find(const char *name)
{
    for (int i = 0; i < COMMANDS; i++)
        if (strcmp(name, command_texts[i].name) == 0)
            return (enum command_id)i;
    return COMMAND_NONE;
}

int command_unknown(const char *name)
{
    const char *nearest = text_nearest(name, &command_texts[0].name, COMMANDS, sizeof(command_texts[0]));

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
    for (int i = 0; i < COMMANDS; i++) {
        const struct command_text *c = &command_texts[i];
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
