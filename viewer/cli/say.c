/* Messages on stderr, and the exit code of an error (say.h). */
#include "say.h"

#include "text.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

int grosr_say(int code, const char *format, ...)
{
    char line[8192], printable[4 * sizeof(line)];
    va_list args;

    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    fprintf(stderr, "grosr: %s\n", text_printable(printable, sizeof(printable), line));
    return code;
}

int grosr_exit_code(int err)
{
    switch (err) {
    case 0:
        return GROSR_EXIT_OK;
    case -ENODEV:
        return GROSR_EXIT_NO_DEVICE;
    case -EINVAL:
        return GROSR_EXIT_USAGE;
    default:
        return GROSR_EXIT_FAILURE;
    }
}
