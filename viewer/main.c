/*
 * The `grosr` command: finds the command that the first word names and hands it the rest.
 */
#include "cli/commands.h"
#include "cli/options.h"
#include "cli/output.h"
#include "../tracer/base/version.h"

#include <locale.h>
#include <string.h>

static int cmd_help(int argc, char **argv)
{
    struct grosr_arguments arguments;
    int code = grosr_parse(argc, argv, &arguments);

    if (code >= 0)
        return code;
    output_begin();
    if (arguments.operands == 0) {
        command_list(stdout);
        return output_end(GROSR_EXIT_OK);
    }
    enum command_id id = command_find(arguments.operand[0]);
    if (id == COMMAND_NONE)
        return command_unknown(arguments.operand[0]);
    command_help(id);
    return output_end(GROSR_EXIT_OK);
}

static int (*const run_command[COMMANDS])(int argc, char **argv) = {
    [COMMAND_RUN] = cmd_run,     [COMMAND_RECORD] = cmd_record, [COMMAND_RECOVER] = cmd_recover,
    [COMMAND_TOP] = cmd_top,     [COMMAND_QUERY] = cmd_query,   [COMMAND_INFO] = cmd_info,
    [COMMAND_BENCH] = cmd_bench, [COMMAND_EXPORT] = cmd_export, [COMMAND_HELP] = cmd_help,
};

static bool is_either(const char *word, const char *a, const char *b)
{
    return strcmp(word, a) == 0 || strcmp(word, b) == 0;
}

int main(int argc, char **argv)
{
    /* Characters as the terminal has them; numbers stay as machines read them. */
    setlocale(LC_CTYPE, "");

    if (argc < 2) {
        command_list(stderr);
        return GROSR_EXIT_USAGE;
    }
    if (is_either(argv[1], "--help", "-h") || is_either(argv[1], "--version", "-V")) {
        output_begin();
        if (is_either(argv[1], "--help", "-h"))
            command_list(stdout);
        else
            puts("grosr " GROSR_VERSION);
        return output_end(GROSR_EXIT_OK);
    }
    if (argv[1][0] == '-')
        return grosr_say(GROSR_EXIT_USAGE, "no option '%s' here; options come after the command", argv[1]);

    enum command_id id = command_find(argv[1]);
    if (id == COMMAND_NONE)
        return command_unknown(argv[1]);
    return run_command[id](argc - 1, argv + 1);
}
