/*
 * grosr diagnose: what is stuck, on what, held by whom, since when, and what to do. The sources are in
 * tracer/diagnose; this file finds out which of them the operand means, and repeats the diagnosis of a live
 * process (--watch).
 */
#include "commands.h"
#include "../cli/output.h"
#include "../cli/signals.h"
#include "../cli/text.h"
#include "../model/model_calls.h"
#include "../model/target.h"
#include "../show/findings.h"

#include "../../tracer/base/error.h"
#include "../../tracer/base/process.h"
#include "../../tracer/coredump/coredump.h"
#include "../../tracer/coredump/coredump_request.h"
#include "../../tracer/coredump/coredump_rows.h"
#include "../../tracer/foreign/foreign.h"
#include "../../tracer/process/process.h"
#include "../../tracer/process/process_facts.h"
#include "../../tracer/diagnose/trace_db.h"
#include "../../tracer/session/outstanding.h"
#include "../../tracer/store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define WATCH_NS     50000000 /* between diagnoses */
#define DUMP_SECONDS 60.0     /* that a core dump may take; a full H100 takes 6 */

static volatile sig_atomic_t stop;

static void on_stop(int signal_number)
{
    (void)signal_number;
    stop = 1;
}

static bool wants_color(const struct grosr_arguments *a)
{
    return a->color == GROSR_COLOR_ALWAYS || (a->color == GROSR_COLOR_AUTO && isatty(STDOUT_FILENO) == 1);
}

static bool is_stuck(const struct grosr_findings *f)
{
    return f->verdict == GROSR_VERDICT_STALLED || f->verdict == GROSR_VERDICT_DEADLOCK;
}

static void begin(struct grosr_findings *f, const struct grosr_arguments *a)
{
    grosr_findings_init(f, (uint64_t)(a->threshold * 1e9));
}

/* ---- sessions ---- */

/* What one session says: of its workers, or, of a traced process, of its calls. */
static int diagnose_session(const struct grosr_session *session, uint64_t threshold_ns,
                            struct grosr_findings *one)
{
    grosr_findings_init(one, threshold_ns);
    return grosr_session_outstanding(session) ? grosr_diagnose_calls(session, one)
                                              : grosr_diagnose_session(session, model_read_calls, one);
}

/* A session that is looked at while the others are: each may take as long as the threshold. */
struct looker {
    pthread_t thread;
    bool started;
    const struct grosr_session *session;
    uint64_t threshold_ns;
    struct grosr_findings findings;
    int error;
    char text[256]; /* the error's */
};

static void *look(void *arg)
{
    struct looker *l = (struct looker *)arg;

    l->error = diagnose_session(l->session, l->threshold_ns, &l->findings);
    if (l->error)
        snprintf(l->text, sizeof(l->text), "%s", grosr_error());
    return NULL;
}

/* Without a thread, if there can be none, it is looked at here. */
static void start_looking(struct looker *l, bool alone)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before); /* signals are for the command's own thread */
    l->started = !alone && pthread_create(&l->thread, NULL, look, l) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    if (!l->started)
        look(l);
}

static int diagnose_list(const struct target_list *list, const struct grosr_arguments *a,
                         struct grosr_findings *findings)
{
    struct looker *looker = (struct looker *)calloc(list->count + 1u, sizeof(*looker));
    int err = looker ? 0 : grosr_fail(ENOMEM, "out of memory");

    begin(findings, a);
    for (uint32_t i = 0; looker && i < list->count; i++) {
        looker[i].session = list->session[i];
        looker[i].threshold_ns = findings->threshold_ns;
        start_looking(&looker[i], list->count == 1);
    }
    for (uint32_t i = 0; looker && i < list->count; i++) {
        if (looker[i].started)
            pthread_join(looker[i].thread, NULL);
        if (!err && looker[i].error)
            err = grosr_fail(-looker[i].error, "%s", looker[i].text);
        if (!err)
            grosr_findings_merge(findings, &looker[i].findings);
        grosr_findings_free(&looker[i].findings);
    }
    free(looker);
    return err ? err : grosr_findings_settle(findings);
}

/* ---- what is shown ---- */

static void show(const struct grosr_findings *f, const struct grosr_arguments *a)
{
    if (a->json)
        findings_write_json(f, stdout);
    else
        findings_print(f, stdout, wants_color(a));
}

/* Shows the diagnosis, or why there is none; frees it. The exit code. */
static int finish(struct grosr_findings *f, int err, const struct grosr_arguments *a)
{
    int code = is_stuck(f) ? GROSR_EXIT_FINDING : GROSR_EXIT_OK;

    if (!err)
        show(f, a);
    else
        code = grosr_say(grosr_exit_code(err), "%s", grosr_error());
    grosr_findings_free(f);
    return output_end(code);
}

/* ---- watching ---- */

/* Runs the command that the user gave for a stall; what becomes of it is reported and changes nothing. */
static void run_command(const char *command, uint32_t pid, const struct grosr_findings *f)
{
    char number[16];
    int status = 0;

    snprintf(number, sizeof(number), "%" PRIu32, pid);
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        signals_restore();
        setenv("GROSR_PID", number, 1);
        setenv("GROSR_VERDICT", grosr_verdict_name(f->verdict), 1);
        execl("/bin/sh", "sh", "-c", command, (char *)NULL);
        _exit(127);
    }
    while (child > 0 && waitpid(child, &status, 0) < 0 && errno == EINTR)
        continue;
    if (child < 0)
        grosr_say(0, "cannot start the command of --on-stall: %s", strerror(errno));
    else if (status)
        grosr_say(0, "the command of --on-stall ended with %s %d", WIFEXITED(status) ? "exit code" : "signal",
                  WIFEXITED(status) ? WEXITSTATUS(status) : WTERMSIG(status));
}

static void show_change(const struct grosr_findings *f, const struct grosr_arguments *a)
{
    char when[16] = "", shown[1024];
    time_t now = time(NULL);
    struct tm local;

    if (a->json || is_stuck(f)) {
        show(f, a);
    } else {
        if (localtime_r(&now, &local))
            strftime(when, sizeof(when), "%H:%M:%S", &local);
        printf("%s %s: %s\n", when, grosr_verdict_name(f->verdict),
               text_printable(shown, sizeof(shown), f->findings ? f->finding[0].summary : f->state));
    }
    fflush(stdout);
}

static bool any_runs(const struct target_list *list)
{
    for (uint32_t i = 0; i < list->count; i++)
        if (grosr_session_alive(list->session[i]) &&
            sys_load_relaxed(&grosr_session_live(list->session[i])->state) == GROSR_SESSION_OPEN)
            return true;
    return false;
}

/* Until a stall is found, the sessions end, or a signal asks for the end. */
static int watch(const struct target_list *list, const struct grosr_arguments *a)
{
    const struct timespec pause = {0, WATCH_NS};
    int verdict = -1, err = 0, code = GROSR_EXIT_OK;

    signals_catch(on_stop);
    while (!stop && !err && code == GROSR_EXIT_OK && any_runs(list) && !output_failed()) {
        struct grosr_findings f;
        err = diagnose_list(list, a, &f);
        /* What was read while it ended is no diagnosis. */
        if (!err && any_runs(list)) {
            if ((int)f.verdict != verdict)
                show_change(&f, a);
            verdict = (int)f.verdict;
            if (is_stuck(&f)) {
                code = GROSR_EXIT_FINDING;
                if (a->on_stall)
                    run_command(a->on_stall, list->session[0]->header.pid, &f);
            }
        }
        grosr_findings_free(&f);
        if (code == GROSR_EXIT_OK)
            nanosleep(&pause, NULL);
    }
    if (err)
        return grosr_say(grosr_exit_code(err), "%s", grosr_error());
    return output_end(code);
}

/* ---- operands ---- */

/* A process that has no session: what can be known of it, which is no verdict, and how to see more. */
static int say_unseen(uint32_t pid, const struct grosr_arguments *a)
{
    struct grosr_findings f;

    begin(&f, a);
    if (grosr_diagnose_process(pid, &f) || grosr_findings_settle(&f)) {
        grosr_findings_free(&f);
        return grosr_say(GROSR_EXIT_FAILURE, "%s, and it has left no session", grosr_error());
    }
    if (a->json)
        findings_write_json(&f, stdout);
    else
        findings_print_remarks(&f, stdout, wants_color(a));
    grosr_findings_free(&f);
    int code = output_end(GROSR_EXIT_FAILURE);
    grosr_say(0,
              "process %" PRIu32
              " has no GROSR session, so nothing can be seen of %s; start it as `grosr record "
              "-- CMD`, or with <grosr/trace.h> in its kernels",
              pid, grosr_process_maps(pid, "libcuda.so") ? "what it does with CUDA" : "its work");
    return code;
}

/* The sessions of a process: those that run, or those that it left. */
static int diagnose_process(uint32_t pid, uint32_t index, const struct grosr_arguments *a)
{
    struct target_list list;
    struct grosr_findings f;
    int code;

    if (target_list(&list, pid, index, false))
        return grosr_say(GROSR_EXIT_FAILURE, "%s", grosr_error());
    if (a->watch && list.count) {
        code = watch(&list, a);
        target_close(&list);
        return code;
    }
    if (!list.count && !a->watch) {
        target_close(&list);
        if (target_list(&list, pid, index, true))
            return grosr_say(GROSR_EXIT_FAILURE, "%s", grosr_error());
    }
    if (!list.count) {
        target_close(&list);
        return say_unseen(pid, a);
    }
    int err = diagnose_list(&list, a, &f);
    target_close(&list);
    return finish(&f, err, a);
}

/* The only process that has a live session. */
static int diagnose_only(const struct grosr_arguments *a)
{
    struct grosr_session *session;
    int code = target_open(&session, NULL);

    if (code)
        return code;
    uint32_t pid = session->header.pid;
    grosr_session_close(session);
    return diagnose_process(pid, TARGET_ANY, a);
}

static int diagnose_segment(const char *path, const struct grosr_arguments *a)
{
    struct grosr_session *session;
    struct grosr_findings f;

    if (grosr_session_open_copy(&session, path))
        return grosr_say(GROSR_EXIT_FAILURE, "%s", grosr_error());
    int err = diagnose_session(session, (uint64_t)(a->threshold * 1e9), &f);
    if (!err)
        err = grosr_findings_settle(&f);
    grosr_session_close(session);
    return finish(&f, err, a);
}

/* Whether it is the session of a trace, and not only of a process with the same number. One with workers that
 * is closed has all that it had in the trace. */
static bool is_of_trace(const struct grosr_session *s, int64_t start_mono_ns, int64_t start_real_ns)
{
    return s->header.start_mono_ns == (uint64_t)start_mono_ns &&
           s->header.start_real_ns == (uint64_t)start_real_ns &&
           (!s->header.workers || sys_load_relaxed(&grosr_session_live(s)->state) == GROSR_SESSION_OPEN);
}

/* A grosr_trace_reach(): of a process that lives, or has left its session. */
static int reach(int64_t pid, int64_t start_mono_ns, int64_t start_real_ns, struct grosr_findings *findings)
{
    int result = 0;

    for (int left = 0; pid > 0 && pid < UINT32_MAX && result == 0 && left < 2; left++) {
        struct target_list list;
        result = target_list(&list, (uint32_t)pid, TARGET_ANY, left);
        for (uint32_t i = 0; result == 0 && i < list.count; i++) {
            if (!is_of_trace(list.session[i], start_mono_ns, start_real_ns))
                continue;
            struct grosr_findings one;
            int err = diagnose_session(list.session[i], findings->threshold_ns, &one);
            if (!err)
                grosr_findings_merge(findings, &one);
            grosr_findings_free(&one);
            result = err ? err : 1;
        }
        target_close(&list);
    }
    return result;
}

static int diagnose_trace(const char *path, const struct grosr_arguments *a)
{
    struct grosr_findings f;
    sqlite3 *db;
    int err = grosr_store_open_read(&db, path);

    if (err)
        return grosr_say(GROSR_EXIT_FAILURE, "%s", grosr_error());
    begin(&f, a);
    err = grosr_diagnose_database(db, &f, reach);
    if (!err)
        err = grosr_findings_settle(&f);
    sqlite3_close(db);
    return finish(&f, err, a);
}

/* `sessions` NULL: those of the process that the file's name names. */
static int diagnose_core(const char *path, const struct grosr_core_sessions *sessions,
                         const struct grosr_arguments *a)
{
    struct grosr_findings f;

    begin(&f, a);
    if (grosr_diagnose_core(path, sessions, &f) ||
        (a->output && grosr_core_store(path, sessions, a->output))) {
        grosr_findings_free(&f);
        return grosr_say(GROSR_EXIT_FAILURE, "%s", grosr_error());
    }
    return finish(&f, grosr_findings_settle(&f), a);
}

/* Has the driver dump the GPU of a process that is armed for it, and shows the dump. */
static int dump_process(uint32_t pid, const struct grosr_arguments *a)
{
    struct grosr_core_sessions *sessions;
    struct grosr_core_arms arms;
    int code;

    if (grosr_core_armed(&arms, pid) || grosr_core_sessions_of(&sessions, pid))
        return grosr_say(GROSR_EXIT_FAILURE, "%s", grosr_error());
    grosr_say(0, "asking process %" PRIu32 " for a core dump of its GPU, which its kernels may not survive",
              pid);
    if (grosr_core_request(&arms, DUMP_SECONDS))
        code = grosr_say(GROSR_EXIT_FAILURE, "%s", grosr_error());
    else
        code = diagnose_core(arms.file, sessions, a);
    grosr_core_sessions_free(sessions);
    return code;
}

/* What a regular file begins with; others are not waited for. 0, with errno: it cannot be read. */
static size_t read_magic(const char *path, char magic[16])
{
    struct stat st;
    int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
    ssize_t n = fd >= 0 && !fstat(fd, &st) && S_ISREG(st.st_mode) ? read(fd, magic, 16) : 0;
    int err = fd < 0 || n < 0 ? errno : 0;

    if (fd >= 0)
        close(fd);
    errno = err;
    return n > 0 ? (size_t)n : 0;
}

static int diagnose_file(const char *path, const struct grosr_arguments *a)
{
    static const char folder[] = "/dev/shm/grosr.";
    uint32_t pid, index;
    char magic[16];

    /* A segment in its place is its process's, which may still run. */
    if (!strncmp(path, folder, strlen(folder)) && text_session(path + strlen(folder), &pid, &index))
        return diagnose_process(pid, index, a);
    if (a->watch)
        return grosr_say(GROSR_EXIT_USAGE, "--watch needs a process, and '%s' is not its number", path);
    errno = 0;
    size_t n = read_magic(path, magic);
    if (!n && errno)
        return grosr_say(GROSR_EXIT_FAILURE, "cannot read %s: %s", path, strerror(errno));
    if (n == sizeof(magic) && !memcmp(magic, "SQLite format 3", sizeof(magic)))
        return diagnose_trace(path, a);
    if (grosr_core_is(path))
        return diagnose_core(path, NULL, a);
    if (a->output)
        return grosr_say(GROSR_EXIT_USAGE, "--output is for core dumps of a GPU, and '%s' is none", path);
    return diagnose_segment(path, a);
}

int cmd_diagnose(const struct grosr_arguments *a)
{
    const char *operand = a->operands ? a->operand[0] : NULL;
    uint32_t pid, index;

    if (a->on_stall && !a->watch)
        return grosr_say(GROSR_EXIT_USAGE, "--on-stall is for --watch");
    grosr_session_guard();
    output_begin();
    bool is_process = operand && text_session(operand, &pid, &index);
    if (a->dump && (!is_process || a->watch))
        return grosr_say(GROSR_EXIT_USAGE, "--dump needs the PID of a process, and excludes --watch");
    if (a->dump)
        return dump_process(pid, a);
    if (a->output && (!operand || is_process))
        return grosr_say(GROSR_EXIT_USAGE, "--output is for core dumps of a GPU");
    if (!operand)
        return diagnose_only(a);
    return is_process ? diagnose_process(pid, index, a) : diagnose_file(operand, a);
}
