/*
 * The `grosr` command: finds the command that the first word names, parses the rest and runs it.
 */
#include "cli/options.h"
#include "cli/output.h"
#include "command/commands.h"
#include "../tracer/base/version.h"

#include <errno.h>
#include <fcntl.h>
#include <locale.h>
#include <string.h>

static bool is_either(const char *word, const char *a, const char *b)
{
    return strcmp(word, a) == 0 || strcmp(word, b) == 0;
}

/*
 * A standard stream that the command was started without: no other file may take its number, or messages
 * would be written into a trace. The number is taken by a file that refuses what the stream is for, so that
 * it fails as before; programs that are started later do not get it.
 */
static void fill_standard_streams(void)
{
    for (int fd = 0; fd <= 2; fd++)
        if (fcntl(fd, F_GETFD) < 0 && errno == EBADF)
            open("/dev/null", (fd == 0 ? O_WRONLY : O_RDONLY) | O_CLOEXEC);
}

int main(int argc, char **argv)
{
    struct grosr_arguments arguments;

    fill_standard_streams();
    /* Characters as the terminal has them; numbers stay as machines read them. */
    setlocale(LC_CTYPE, "");

    if (argc < 2) {
        command_list(stderr);
        return GROSR_EXIT_USAGE;
    }
    if (is_either(argv[1], "--help", "-h") || is_either(argv[1], "--version", "-V")) {
        if (argc > 2)
            return grosr_say(GROSR_EXIT_USAGE, "unexpected operand '%s' after %s; try `grosr help COMMAND`",
                             argv[2], argv[1]);
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
