/*
 * grosr export: a trace as Perfetto's protobuf, Chrome's JSON, or CSV.
 *
 * With -o, everything is written to a temporary file beside the one named, which is renamed when complete: a
 * full disk or a Ctrl-C leaves the old file as it was. The temporary file replaces standard output, so that
 * all formats are written in the same way.
 */
#include "commands.h"
#include "../cli/output.h"
#include "../cli/progress.h"
#include "../show/query.h"
#include "../../tracer/export/export.h"
#include "../../tracer/store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* The temporary file; "" when there is none. */
static char unfinished[PATH_MAX];

static void on_signal(int signal_number)
{
    if (*unfinished)
        unlink(unfinished);
    signal(signal_number, SIG_DFL);
    raise(signal_number);
}

static void remove_unfinished_on_signals(void)
{
    static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};

    for (size_t i = 0; i < sizeof(signals) / sizeof(*signals); i++) {
        struct sigaction action = {.sa_handler = on_signal}, before;
        if (sigaction(signals[i], NULL, &before) == 0 && before.sa_handler != SIG_IGN)
            sigaction(signals[i], &action, NULL);
    }
    signal(SIGXFSZ, SIG_IGN); /* a file-size limit is an error to report, not a death */
}

static int cannot_write(const char *path)
{
    return grosr_say(GROSR_EXIT_FAILURE, "cannot write %s: %s", path, strerror(errno));
}

/* Whether both paths are the same file. */
static bool same_file(const char *x, const struct stat *y)
{
    struct stat st;

    return stat(x, &st) == 0 && st.st_dev == y->st_dev && st.st_ino == y->st_ino;
}

/* Makes standard output the file that will be `path`. 0, or an exit code after a message. */
static int open_output(const char *path, const char *trace)
{
    struct stat st;
    bool there = stat(path, &st) == 0;
    int fd;

    if (there && same_file(trace, &st))
        return grosr_say(GROSR_EXIT_USAGE, "%s is the trace itself; choose another name", path);
    if (there && !S_ISREG(st.st_mode)) {
        fd = open(path, O_WRONLY | O_CLOEXEC); /* a device or a pipe is written to, not replaced */
    } else if (there && access(path, W_OK)) {
        return cannot_write(path);
    } else {
        mode_t mask = umask(0);
        umask(mask);
        if (snprintf(unfinished, sizeof(unfinished), "%s.XXXXXX", path) >= (int)sizeof(unfinished)) {
            *unfinished = 0;
            errno = ENAMETOOLONG;
            return cannot_write(path);
        }
        remove_unfinished_on_signals();
        fd = mkostemp(unfinished, O_CLOEXEC);
        if (fd < 0)
            *unfinished = 0;
        else
            fchmod(fd, there ? st.st_mode & 07777 : 0666 & ~mask);
    }
    if (fd < 0)
        return cannot_write(path);
    if (dup2(fd, STDOUT_FILENO) < 0) {
        int code = cannot_write(path);
        close(fd);
        return code;
    }
    close(fd);
    return 0;
}

/* Renames the temporary file if `code` is 0, else removes it. */
static int close_output(const char *path, int code)
{
    if (!*unfinished)
        return code;
    if (code == 0 && rename(unfinished, path))
        code = cannot_write(path);
    if (code)
        unlink(unfinished);
    *unfinished = 0;
    return code;
}

static void show_progress(uint64_t done, uint64_t all)
{
    progress_show("exporting", done, all);
}

/* For count_row(), a callback without an argument for its caller. */
static uint64_t rows_done, rows_all;

static void count_row(void)
{
    if (++rows_done % 8192 == 0)
        show_progress(rows_done < rows_all ? rows_done : rows_all - 1, rows_all);
}

static int export_csv(sqlite3 *db, const struct grosr_arguments *arguments, bool progress)
{
    const char *table = arguments->table ? arguments->table : "tasks";
    sqlite3_stmt *probe = NULL;
    char sql[512], count[512];
    int64_t rows = 0;

    sqlite3_snprintf(sizeof(sql), sql, "SELECT * FROM \"%w\"", table);
    sqlite3_snprintf(sizeof(count), count, "SELECT count(*) FROM \"%w\"", table);
    int known = sqlite3_prepare_v2(db, sql, -1, &probe, NULL);
    sqlite3_finalize(probe);
    if (known == SQLITE_ERROR)
        return grosr_say(GROSR_EXIT_USAGE, "%s has no view or table '%s'; grosr-schema(5) lists them",
                         arguments->operand[0], table);
    int code = progress ? query_integer(db, count, &rows) : 0;
    if (code)
        return code;
    rows_all = rows > 0 ? (uint64_t)rows : 1;
    code = query_print_counted(db, sql, GROSR_FORMAT_CSV, progress ? count_row : NULL);
    if (progress)
        show_progress(rows_all, rows_all);
    return output_end(code);
}

static int export_timeline(sqlite3 *db, const struct grosr_arguments *arguments, bool progress)
{
    struct grosr_export_options options = {
        .format = arguments->export_format == EXPORT_CHROME ? GROSR_EXPORT_CHROME : GROSR_EXPORT_PERFETTO,
        .from = arguments->from ? (int64_t)arguments->from : INT64_MIN,
        .to = arguments->to ? (int64_t)arguments->to : INT64_MAX,
        .progress = progress ? show_progress : NULL,
    };
    int err = grosr_export(db, stdout, &options);

    if (err == -EPIPE) /* the reader has closed its end: no message */
        return GROSR_EXIT_FAILURE;
    return err ? grosr_say(GROSR_EXIT_FAILURE, "%s", grosr_error()) : 0;
}

int cmd_export(const struct grosr_arguments *arguments)
{
    bool progress = isatty(STDERR_FILENO);
    sqlite3 *db;
    int code;

    if (!arguments->output && arguments->export_format == EXPORT_PERFETTO && isatty(STDOUT_FILENO))
        return grosr_say(GROSR_EXIT_USAGE, "a Perfetto trace is binary, not for a terminal; use -o FILE");
    int err = grosr_store_open_read(&db, arguments->operand[0]);
    if (err)
        return grosr_say(grosr_exit_code(err), "%s", grosr_error());
    output_begin();
    if (arguments->output)
        code = open_output(arguments->output, arguments->operand[0]);
    else
        code = 0;
    if (!code) {
        bool csv = arguments->export_format == EXPORT_CSV;
        code = csv ? export_csv(db, arguments, progress) : export_timeline(db, arguments, progress);
        code = close_output(arguments->output, code);
    }
    sqlite3_close(db);
    return code;
}
