#include "collect.h"

#include "../cli/progress.h"
#include "../cli/say.h"
#include "../cli/signals.h"
#include "../../tracer/base/error.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t give_up, finish; /* finish: give_up is set too */

static void on_give_up(int signal)
{
    (void)signal;
    give_up = 1;
}

static void on_finish(int signal)
{
    (void)signal;
    finish = give_up = 1;
}

/* For say_failed(), a callback without an argument for its caller. */
static struct {
    const char *path;
    volatile sig_atomic_t *stop; /* to set; NULL: draining continues, so that the program is not blocked */
    bool said;
} current;

static void say_failed(const char *text)
{
    grosr_say(0, "recording into %s failed: %s", current.path, text);
    current.said = true;
    if (current.stop)
        *current.stop = 1;
}

static void say_warning(const char *text)
{
    grosr_say(0, "%s", text);
}

int collect_session(struct grosr_collect_options options, struct grosr_collect_result *result,
                    volatile sig_atomic_t *stop_on_failure)
{
    const struct grosr_session *session = options.session;
    int err;

    options.warned = say_warning;
    options.failed = say_failed;
    options.progress = isatty(STDERR_FILENO) ? progress_show : NULL;
    current.path = options.path;
    current.stop = stop_on_failure;
    current.said = false;
    err = grosr_collect(&options, result);
    if (err == -ESRCH || err == -EINTR)
        return err;
    if (err && !current.said)
        say_failed(grosr_error());
    if (session && session->copy) {
        if (!err)
            grosr_say(0, "%s: %" PRIu64 " events of process %u; %" PRIu64 " older ones had been overwritten",
                      options.path, result->read, session->header.pid, result->overwritten);
        return err;
    }
    const char *which = result->sessions > 1 ? "a recorded process" : "the recorded process";
    if (!err && result->died)
        grosr_say(0, "%s died; %s holds what reached its session", which, options.path);
    if (!err && result->unclosed)
        grosr_say(0, "%s ended without closing its session; %s holds what reached it", which, options.path);
    if (!err && result->unrecorded)
        grosr_say(0,
                  "%" PRIu32 " of %" PRIu32 " sessions %s not recorded: the recorder did not attach in time",
                  result->unrecorded, result->unrecorded + result->sessions,
                  result->unrecorded > 1 ? "were" : "was");
    if (result->dropped + result->overwritten)
        grosr_say(
            0, "%" PRIu64 " of %" PRIu64 " events were lost; a larger --ring or --overflow block keeps them",
            result->dropped + result->overwritten, result->read + result->dropped + result->overwritten);
    return err;
}

static int collector_main(uint32_t parent, const char *path, struct grosr_sampling sampling)
{
    struct grosr_collect_options options = {
        .path = path, .level = -1, .sampling = sampling, .stop = &give_up};
    struct grosr_collect_result result;
    grosr_session_guard();
    int err = grosr_collector_find(&options.session, parent, &give_up);

    if (err) /* the parent has reported why there is no session */
        return GROSR_EXIT_FAILURE;
    err = collect_session(options, &result, NULL);
    grosr_session_close(options.session);
    if (!err && give_up && !finish)
        unlink(path);
    return err ? GROSR_EXIT_FAILURE : GROSR_EXIT_OK;
}

pid_t collect_start(const char *path, struct grosr_sampling sampling)
{
    uint32_t parent = (uint32_t)getpid();
    sigset_t ours, before;
    pid_t child;

    /* Blocked until the child has its handlers: the parent may give up at once. */
    sigemptyset(&ours);
    sigaddset(&ours, SIGUSR1);
    sigaddset(&ours, SIGUSR2);
    sigprocmask(SIG_BLOCK, &ours, &before);
    fflush(NULL);
    child = fork();
    if (child) {
        int err = errno;
        sigprocmask(SIG_SETMASK, &before, NULL);
        return child < 0 ? grosr_fail(err, "cannot start the collector: %s", strerror(err)) : child;
    }
    signals_ignore();
    signal(SIGUSR1, on_give_up);
    signal(SIGUSR2, on_finish);
    sigprocmask(SIG_SETMASK, &before, NULL);
    _exit(collector_main(parent, path, sampling));
}

int collect_wait(pid_t collector)
{
    int status;

    while (waitpid(collector, &status, 0) < 0)
        if (errno != EINTR)
            return -EIO;
    if (WIFSIGNALED(status)) {
        grosr_say(0, "the collector was killed by signal %d; the trace is incomplete", WTERMSIG(status));
        return -EIO;
    }
    return WEXITSTATUS(status) ? -EIO : 0;
}

void collect_give_up(pid_t collector)
{
    kill(collector, SIGUSR1);
    collect_wait(collector);
}

void collect_finish(pid_t collector)
{
    kill(collector, SIGUSR2);
}
