#include "output.h"

#include "say.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

static int first_error; /* errno of the write that failed; later calls would overwrite it */

void output_begin(void)
{
    signal(SIGPIPE, SIG_IGN);
}

bool output_failed(void)
{
    if (!first_error && ferror(stdout))
        first_error = errno ? errno : EIO;
    return first_error != 0;
}

int output_end(int code)
{
    bool failed = output_failed();

    if (fflush(stdout) && !failed)
        first_error = errno ? errno : EIO;
    if (!first_error)
        return code;
    if (first_error == EPIPE)
        return GROSR_EXIT_FAILURE;
    return grosr_say(GROSR_EXIT_FAILURE, "cannot write the output: %s", strerror(first_error));
}
