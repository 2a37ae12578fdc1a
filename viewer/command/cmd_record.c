/*
 * grosr record: records a program that it starts, or a running process. This process is the collector.
 */
#include "commands.h"
#include "../cli/signals.h"
#include "../record/arm.h"
#include "../record/collect.h"
#include "../record/inject.h"
#include "../cli/text.h"
#include "../model/target.h"

#include "../../tracer/base/error.h"
#include "../../tracer/base/host_clock.h"
#include "../../tracer/base/process.h"
#include "../../tracer/store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <regex.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define BETWEEN_NS 300000000u /* how long a process may be without a session between two */

static volatile sig_atomic_t stop;
static volatile pid_t child;
static volatile sig_atomic_t early; /* the last signal, which may have come before `child` was known */

static void on_stop(int signal_number)
{
    (void)signal_number;
    stop = 1;
}

/*
 * SIGTERM and SIGHUP are passed on to the program, and the recording ends with it. The others come from a
 * terminal, which sends them to the program too.
 */
static void on_forward(int signal_number)
{
    int before = errno;

    early = signal_number;
    if (child > 0 && (signal_number == SIGTERM || signal_number == SIGHUP))
        kill(child, signal_number);
    errno = before;
}

static struct grosr_collect_options options_of(const struct grosr_arguments *a, const char *path)
{
    return (struct grosr_collect_options){.path = path,
                                          .level = (int)a->level,
                                          .sampling = {a->counters, 0},
                                          .stop = &stop,
                                          .window_ns = (uint64_t)(a->window * 1e9),
                                          .since = a->since >= 0,
                                          .since_ns = a->since >= 0 ? (uint64_t)(a->since * 1e9) : 0,
                                          .stall_ns = (uint64_t)(a->until_stall * 1e9)};
}

/* The recording has stopped; the program continues. */
static int say_stall(const struct grosr_collect_result *result, const char *path)
{
    return grosr_say(GROSR_EXIT_FINDING, "%s; %s ends there, the process continues", result->stall, path);
}

/*
 * What is to be attached to, opened: the session PID.INDEX, or the sessions of a process. One that is between
 * two sessions is given a moment. Without live ones: those that were left behind. 0 or an exit code.
 */
static int find_sessions(struct target_list *list, uint32_t pid, uint32_t index)
{
    uint64_t start = grosr_host_clock_ns();
    struct grosr_session *session;
    int err;

    for (;;) {
        err = target_list(list, pid, index, false);
        if (err || list->count || grosr_process_start_time(pid, NULL) ||
            grosr_host_clock_ns() - start > BETWEEN_NS)
            break;
        target_close(list);
        nanosleep(&(struct timespec){0, 2000000}, NULL);
    }
    if (!err && !list->count) {
        target_close(list);
        err = target_list(list, pid, index, true);
    }
    if (!err && list->count)
        return 0;
    target_close(list);
    if (!err && grosr_session_open(&session, pid, index == TARGET_ANY ? 0 : index) == 0) {
        grosr_session_close(session); /* it has just come, or gone */
        return grosr_say(GROSR_EXIT_FAILURE, "the sessions of process %u come and go; try again", pid);
    }
    return grosr_say(GROSR_EXIT_FAILURE, "%s", grosr_error());
}

static void say_left(const struct grosr_session *session)
{
    char text[128];

    grosr_say(0, "%s; recording what is left in its session", target_gone(text, sizeof(text), session));
}

static int attach(const struct grosr_arguments *a, const char *path)
{
    struct grosr_collect_options options = options_of(a, path);
    struct grosr_collect_result result;
    struct target_list list;
    uint32_t pid, index;
    int err, code;

    text_session(a->attach, &pid, &index);
    if ((code = find_sessions(&list, pid, index)))
        return code;
    bool left = !grosr_session_alive(list.session[0]);
    signals_catch(on_stop);
    if (left || index != TARGET_ANY) {
        /* The rings of a dead process are still worth reading; its segments are removed afterwards. */
        if (left)
            say_left(list.session[0]);
        options.session = list.session[0];
        options.others = list.session + 1;
        options.other_count = list.count - 1;
    } else { /* also those that it opens from now on */
        options.follow = pid;
        options.alone = true;
    }
    err = collect_session(options, &result, &stop);
    target_close(&list);
    if (err == -ESRCH || err == -EINTR)
        return grosr_say(GROSR_EXIT_FAILURE, "process %u %s: nothing was recorded", pid,
                         err == -ESRCH ? "ended before it could be attached to" : "has closed its sessions");
    code = result.stalled ? say_stall(&result, path) : GROSR_EXIT_OK;
    if (result.truncated)
        code = GROSR_EXIT_FAILURE;
    return err ? GROSR_EXIT_FAILURE : code;
}

/*
 * Starts the program with the end of a pipe that closes at exec; an errno comes through it if there is none.
 */
static pid_t start(const struct grosr_arguments *a, const struct arming *arming)
{
    char **command = a->operand;
    char pid[16];
    int pipe_fds[2], failure = 0;
    pid_t p;

    if (pipe2(pipe_fds, O_CLOEXEC))
        return grosr_fail(errno, "cannot start %s: %s", command[0], strerror(errno));
    snprintf(pid, sizeof(pid), "%d", (int)getpid());
    p = fork();
    if (p == 0) {
        setenv("GROSR_COLLECTOR", pid, 1);
        inject_environment(a->trace, a->persistent, a->graph_trace == GRAPH_TRACE_WHOLE);
        arm_environment(arming);
        signals_restore();
        if (early) /* it came before the program could have it */
            raise(early);
        execvp(command[0], command);
        failure = errno;
        if (write(pipe_fds[1], &failure, sizeof(failure)) < 0)
            _exit(126);
        _exit(127);
    }
    close(pipe_fds[1]);
    if (p > 0 && read(pipe_fds[0], &failure, sizeof(failure)) == (ssize_t)sizeof(failure)) {
        waitpid(p, NULL, 0);
        p = -1;
        errno = failure;
    }
    int err = errno;
    close(pipe_fds[0]);
    return p < 0 ? grosr_fail(err, "cannot run %s: %s", command[0], strerror(err)) : p;
}

/* What is said of a program that is armed for a core dump. */
static void say_armed(void)
{
    grosr_say(
        0, "armed: `grosr diagnose %d --dump` makes a core dump of the GPU, which a kernel may not survive",
        (int)child);
}

static int record_command(const struct grosr_arguments *a, const char *path, const struct arming *arming)
{
    struct grosr_collect_options options = options_of(a, path);
    struct grosr_collect_result result;
    struct grosr_finder finder;
    int status, code = GROSR_EXIT_OK, err;

    /* How a process ended is known to who waits for it: for the program's orphans that is then us. */
    prctl(PR_SET_CHILD_SUBREAPER, 1);
    grosr_finder_open(&finder, 0, false);
    finder.orphans = true;
    child = start(a, arming);
    if (child < 0) {
        grosr_finder_free(&finder);
        return grosr_say(GROSR_EXIT_FAILURE, "%s", grosr_error());
    }
    if (*arming->folder)
        say_armed();
    options.finder = &finder;
    if (early == SIGTERM || early == SIGHUP)
        kill(child, early);
    options.follow = (uint32_t)child;
    err = collect_session(options, &result, NULL);
    if (err || result.truncated)
        code = GROSR_EXIT_FAILURE;
    if (result.stalled) { /* the program is not waited for */
        int said = say_stall(&result, path);
        return err ? code : said;
    }
    if (err == -ESRCH || err == -EINTR) {
        code = !result.unrecorded && *arming->folder ? GROSR_EXIT_OK
               : result.unrecorded
                   ? grosr_say(GROSR_EXIT_FAILURE, "the %u sessions of %s were not recorded: nothing was",
                               result.unrecorded, a->operand[0])
                   : grosr_say(GROSR_EXIT_FAILURE, "%s ended without a GROSR session: nothing was recorded",
                               a->operand[0]);
    }
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    if (WIFSIGNALED(status))
        return grosr_say(128 + WTERMSIG(status), "%s was killed by signal %d", a->operand[0],
                         WTERMSIG(status));
    if (WEXITSTATUS(status)) /* whoever starts the program sees the same with and without the recorder */
        return grosr_say(WEXITSTATUS(status), "%s ended with exit code %d", a->operand[0],
                         WEXITSTATUS(status));
    return code;
}

static int command(const struct grosr_arguments *a, const char *path)
{
    struct arming arming = {0};

    if (a->trace & GROSR_TRACE_CORE && arm_prepare(&arming))
        return grosr_say(GROSR_EXIT_FAILURE, "%s", grosr_error());
    int code = record_command(a, path, &arming);
    arm_clean(&arming);
    return code;
}

static int check_regex(const char *text)
{
    regex_t regex;
    char why[128];
    int code = regcomp(&regex, text, REG_EXTENDED | REG_NOSUB);

    if (!code) {
        regfree(&regex);
        return GROSR_EXIT_OK;
    }
    regerror(code, &regex, why, sizeof(why));
    return grosr_say(GROSR_EXIT_USAGE, "--persistent '%s' is not a regular expression: %s", text, why);
}

/* What excludes each other. */
static int check_trace(const struct grosr_arguments *a)
{
    const uint32_t kernels = GROSR_TRACE_CUDA | GROSR_TRACE_CUDA_ALL,
                   calls = GROSR_TRACE_API | GROSR_TRACE_PC;

    if (a->trace & GROSR_TRACE_CORE && a->trace & (kernels | calls))
        return grosr_say(GROSR_EXIT_USAGE,
                         "--trace core excludes %s: the driver makes no core dump beside CUPTI",
                         a->trace & kernels          ? "cuda"
                         : a->trace & GROSR_TRACE_PC ? "pc"
                                                     : "api");
    if (a->trace & GROSR_TRACE_PC && a->trace & kernels)
        return grosr_say(GROSR_EXIT_USAGE,
                         "--trace pc excludes cuda: CUPTI samples where warps stand, or records "
                         "kernels; with api,pc calls are recorded too");
    if (a->trace & GROSR_TRACE_API && a->trace & kernels)
        return grosr_say(
            GROSR_EXIT_USAGE,
            "--trace api excludes cuda, which records calls and kernels; api records calls only");
    if (a->trace & GROSR_TRACE_PC && a->counters & GROSR_COUNTERS_PM)
        return grosr_say(GROSR_EXIT_USAGE,
                         "--trace pc excludes --counters pm: both need the GPU's performance monitors");
    if (a->graph_trace == GRAPH_TRACE_WHOLE && !(a->trace & kernels))
        return grosr_say(GROSR_EXIT_USAGE, "--cuda-graph-trace graph needs --trace cuda");
    return GROSR_EXIT_OK;
}

int cmd_record(const struct grosr_arguments *a)
{
    int code;
    const char *path;

    if (!a->attach == !a->operands)
        return grosr_say(GROSR_EXIT_USAGE, "record takes either -- COMMAND or --attach PID");
    if (a->attach && a->persistent)
        return grosr_say(GROSR_EXIT_USAGE,
                         "--persistent is for a program that record starts, not for --attach");
    if (a->attach && a->graph_trace == GRAPH_TRACE_WHOLE)
        return grosr_say(GROSR_EXIT_USAGE,
                         "--cuda-graph-trace is for a program that record starts, not for --attach");
    if (!a->attach && a->since >= 0)
        return grosr_say(GROSR_EXIT_USAGE,
                         "--since is for --attach: a program that record starts has no earlier events");
    if (a->attach && !(a->trace & GROSR_TRACE_DEFAULT))
        return grosr_say(GROSR_EXIT_USAGE, "--trace is for a program that record starts, not for --attach");
    if ((code = check_trace(a)) != GROSR_EXIT_OK)
        return code;
    if (a->persistent && (code = check_regex(a->persistent)) != GROSR_EXIT_OK)
        return code;
    path = a->output ? a->output : GROSR_DEFAULT_TRACE;
    grosr_session_guard();
    signals_catch(a->attach ? on_stop : on_forward);
    if (grosr_store_probe(path))
        return grosr_say(GROSR_EXIT_FAILURE, "%s", grosr_error());
    return a->attach ? attach(a, path) : command(a, path);
}
