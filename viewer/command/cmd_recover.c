/*
 * grosr recover: makes a trace of the session that a dead process left behind; with the overflow policy
 * `overwrite` a flight recorder.
 */
#include "commands.h"
#include "../record/collect.h"
#include "../cli/signals.h"
#include "../cli/text.h"

#include "../../tracer/base/process.h"
#include "../../tracer/store/store.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static volatile sig_atomic_t stop;

static void on_stop(int signal_number)
{
    (void)signal_number;
    stop = 1;
}

/* A segment's path: as it is, or of the session PID or PID.INDEX. */
static void segment_path(char *path, size_t size, const char *segment)
{
    const char *number = strncmp(segment, "grosr.", strlen("grosr.")) ? segment : segment + strlen("grosr.");
    uint32_t pid, index = 0;
    char extra;
    int n = sscanf(number, "%" SCNu32 ".%" SCNu32 "%c", &pid, &index, &extra);

    if (n == 1 && strspn(number, "0123456789") == strlen(number))
        snprintf(path, size, "/dev/shm/grosr.%" PRIu32 ".0", pid);
    else if (n == 2)
        snprintf(path, size, "/dev/shm/grosr.%" PRIu32 ".%" PRIu32, pid, index);
    else
        snprintf(path, size, "%s", segment);
}

int cmd_recover(const struct grosr_arguments *a)
{
    struct grosr_collect_options options = {.level = -1, .stop = &stop};
    struct grosr_collect_result result;
    struct grosr_session *session;
    char segment[4096];
    int code, err;

    const char *path = a->output ? a->output : GROSR_DEFAULT_TRACE;
    segment_path(segment, sizeof(segment), a->operand[0]);
    grosr_session_guard();
    err = grosr_session_open_copy(&session, segment);
    if (err)
        return grosr_say(GROSR_EXIT_FAILURE, "%s", grosr_error());
    /* A copy elsewhere may be recovered whether or not its process runs. */
    bool in_place = !strncmp(segment, "/dev/shm/", strlen("/dev/shm/"));
    uint64_t start;
    if (in_place && grosr_process_start_time(session->header.pid, &start) == 0 &&
        start == session->header.pid_start) {
        code = grosr_say(GROSR_EXIT_FAILURE, "process %u is running; `grosr record --attach %u` records it",
                         session->header.pid, session->header.pid);
        grosr_session_close(session);
        return code;
    }
    if (grosr_store_probe(path)) {
        grosr_session_close(session);
        return grosr_say(GROSR_EXIT_FAILURE, "%s", grosr_error());
    }
    signals_catch(on_stop);
    options.path = path;
    options.session = session;
    err = collect_session(options, &result, &stop);
    grosr_session_close(session);
    if (err || stop || result.truncated)
        return GROSR_EXIT_FAILURE;
    if (a->remove && unlink(segment))
        return grosr_say(GROSR_EXIT_FAILURE, "cannot remove %s: %s", segment, strerror(errno));
    return GROSR_EXIT_OK;
}
