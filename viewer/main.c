/*
 * The `grosr` command: finds the command that the first word names, parses the rest and runs it.
 */
#include "cli/options.h"
#include "cli/output.h"
#include "command/commands.h"
#include "../tracer/base/version.h"

#include <locale.h>
#include <string.h>

static bool is_either(const char *word, const char *a, const char *b)
{
    return strcmp(word, a) == 0 || strcmp(word, b) == 0;
}

int main(int argc, char **argv)
{
    struct grosr_arguments arguments;

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

    const struct command *command = command_find(argv[1]);
    if (!command)
        return command_unknown(argv[1]);
    int code = grosr_parse(command, argc - 1, argv + 1, &arguments);
    return code >= 0 ? code : command->run(&arguments);
}
