/*
 * The text of the latest failure, one buffer a thread.
 */
#include "error.h"

#include <stdarg.h>
#include <stdio.h>

static _Thread_local char text[512];

const char *grosr_error(void)
{
    return text;
}

int grosr_fail(int err, const char *format, ...)
{
    char line[sizeof(text)]; /* the arguments may include grosr_error() */
    va_list args;

    va_start(args, format);
    vsnprintf(line, sizeof(line), format, args);
    va_end(args);
    snprintf(text, sizeof(text), "%s", line);
    return -err;
}
