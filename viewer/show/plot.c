#include "plot.h"

#include "../../tracer/base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

bool plot_knows(const char *file)
{
    size_t n = strlen(file);

    return n > 4 && (!strcmp(file + n - 4, ".svg") || !strcmp(file + n - 4, ".png"));
}

int plot_writable(const char *file)
{
    char *copy;
    int err;

    if (access(file, F_OK) == 0)
        return access(file, W_OK) ? -errno : 0;
    copy = strdup(file);
    if (!copy)
        return -ENOMEM;
    err = access(dirname(copy), W_OK | X_OK) ? -errno : 0;
    free(copy);
    return err;
}

/* Starts `python` on the script. *in: its standard input, *words: its standard error. */
static int start(const char *python, const char *file, pid_t *pid, int *in, int *words)
{
    const char *const arguments[] = {python, "-c", grosr_plot_script, "-o", file, NULL};
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t pipe_signal;
    int to[2], from[2], err;

    if (pipe2(to, O_CLOEXEC))
        return errno;
    if (pipe2(from, O_CLOEXEC)) {
        err = errno;
        close(to[0]);
        close(to[1]);
        return err;
    }
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, to[0], STDIN_FILENO);
    posix_spawn_file_actions_addopen(&actions, STDOUT_FILENO, "/dev/null", O_WRONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, from[1], STDERR_FILENO);
    /* This program ignores SIGPIPE, which a child would inherit. */
    sigemptyset(&pipe_signal);
    sigaddset(&pipe_signal, SIGPIPE);
    posix_spawnattr_init(&attributes);
    posix_spawnattr_setsigdefault(&attributes, &pipe_signal);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
    err = posix_spawnp(pid, python, &actions, &attributes, (char *const *)arguments, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    close(to[0]);
    close(from[1]);
    *in = to[1];
    *words = from[0];
    if (err) {
        close(*in);
        close(*words);
    }
    return err;
}

/* All of it, or as much as the child wanted: its exit code tells. */
static void feed(int to, const char *text, size_t bytes)
{
    while (bytes) {
        ssize_t n = write(to, text, bytes);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return;
        text += n;
        bytes -= (size_t)n;
    }
}

/* The last line that is not empty. */
static void last_line(int from, char *to, size_t size)
{
    FILE *file = fdopen(from, "r");
    char *line = NULL;
    size_t room = 0;

    to[0] = 0;
    while (file && getline(&line, &room, file) >= 0) {
        line[strcspn(line, "\n")] = 0;
        if (line[0])
            snprintf(to, size, "%s", line);
    }
    free(line);
    if (file)
        fclose(file);
    else
        close(from);
}

/* The script's exit code, 128 + a signal, or -errno: `python` cannot be started. */
static int draw(const char *python, const char *file, const char *json, size_t bytes, char *words,
                size_t size)
{
    pid_t pid;
    int in = -1, from = -1, status, err = start(python, file, &pid, &in, &from);

    if (err)
        return -err;
    feed(in, json, bytes);
    close(in);
    last_line(from, words, size); /* to its end: nothing is left that could block the child */
    while (waitpid(pid, &status, 0) < 0)
        if (errno != EINTR)
            return -errno;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

int plot_write(const char *file, const char *json, size_t bytes)
{
    /* The distribution's packages are for its own python3, which need not be the first on the PATH. */
    static const char *const pythons[] = {"python3", "/usr/bin/python3"};
    char words[512] = "";
    bool no_matplotlib = false;

    for (unsigned i = 0; i < sizeof(pythons) / sizeof(*pythons); i++) {
        int code = draw(pythons[i], file, json, bytes, words, sizeof(words));
        if (code == 0)
            return 0;
        if (code == PLOT_EXIT_NO_MATPLOTLIB)
            no_matplotlib = true;
        else if (code != -ENOENT && code != 127)
            return grosr_fail(EIO, "%s was not drawn: %s", file,
                              words[0]   ? words
                              : code < 0 ? strerror(-code)
                                         : "python3 failed without a word");
    }
    return grosr_fail(ENOENT, "%s was not drawn: %s is not installed (Debian: python3-matplotlib)", file,
                      no_matplotlib ? "matplotlib" : "python3");
}
