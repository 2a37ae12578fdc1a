/*
 * Core dumps on request (coredump_request.h).
 */
#include "coredump_request.h"

#include "../base/error.h"
#include "../base/host_clock.h"
#include "../base/process.h"
#include "coredump.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LOOK_NS   50000000u  /* between looks at the file */
#define STABLE_NS 300000000u /* that a file has not grown before it is looked into */

/* ---- what the process was started with ---- */

/* The value in a block of NAME=VALUE texts, each with its NUL; NULL: it is not there. */
static const char *find_variable(const char *block, size_t bytes, const char *name)
{
    size_t length = strlen(name);

    for (size_t at = 0; at < bytes; at += strlen(block + at) + 1)
        if (!strncmp(block + at, name, length) && block[at + length] == '=')
            return block + at + length + 1;
    return NULL;
}

/* The environment, with a NUL behind it; the caller's. */
static char *read_environment(uint32_t pid, size_t *bytes)
{
    char path[48], part[4096], *text = NULL;
    size_t n;

    snprintf(path, sizeof(path), "/proc/%" PRIu32 "/environ", pid);
    FILE *from = fopen(path, "re");
    if (!from) {
        int err = errno == ENOENT ? ESRCH : errno;
        errno =
            -grosr_fail(err, "the environment of process %" PRIu32 " cannot be read: %s", pid, strerror(err));
        return NULL;
    }
    FILE *to = open_memstream(&text, bytes);
    while (to && (n = fread(part, 1, sizeof(part), from)) > 0)
        fwrite(part, 1, n, to);
    fclose(from);
    if (!to || fputc(0, to) == EOF || fclose(to)) {
        errno = -grosr_fail(ENOMEM, "out of memory");
        return NULL;
    }
    return text;
}

/* The name as the driver makes it: %p is the process, %h the host; one that is not absolute is in its folder.
 */
static int expand(char path[4096], uint32_t pid, const char *name, const char *variable)
{
    char host[256] = "", folder[64], here[2048] = "";
    size_t at = 0;

    gethostname(host, sizeof(host) - 1);
    if (*name != '/') {
        snprintf(folder, sizeof(folder), "/proc/%" PRIu32 "/cwd", pid);
        ssize_t n = readlink(folder, here, sizeof(here) - 1);
        if (n < 0)
            return grosr_fail(errno, "the folder of process %" PRIu32 " cannot be read: %s", pid,
                              strerror(errno));
        here[n] = 0;
        at = (size_t)snprintf(path, 4096, "%s/", here);
    }
    for (const char *p = name; *p; p++) {
        char number[16], one[2] = {*p, 0};
        const char *text = one;
        if (*p == '%') {
            snprintf(number, sizeof(number), "%" PRIu32, pid);
            p++;
            text = *p == 'p' ? number : *p == 'h' ? host : *p == '%' ? "%" : NULL;
        }
        if (!text || at + strlen(text) >= 4096)
            return grosr_fail(ENOTSUP,
                              "%s of process %" PRIu32 " is '%s': only %%p and %%h are understood in it",
                              variable, pid, name);
        at += (size_t)snprintf(path + at, 4096 - at, "%s", text);
    }
    return 0;
}

int grosr_core_armed(struct grosr_core_arms *arms, uint32_t pid)
{
    size_t bytes = 0;
    char *block = read_environment(pid, &bytes);

    if (!block)
        return -errno;
    const char *on = find_variable(block, bytes, "CUDA_ENABLE_USER_TRIGGERED_COREDUMP");
    const char *pipe_name = find_variable(block, bytes, "CUDA_COREDUMP_PIPE");
    const char *file = find_variable(block, bytes, "CUDA_COREDUMP_FILE");
    int err;

    arms->pid = pid;
    if (!on || strcmp(on, "1") != 0)
        err = grosr_fail(ENOTSUP,
                         "process %" PRIu32
                         " is not armed for a core dump: start it as `grosr record --trace core -- CMD`",
                         pid);
    else if (!pipe_name || !*pipe_name || !file || !*file)
        err = grosr_fail(ENOTSUP,
                         "process %" PRIu32 " was started without CUDA_COREDUMP_PIPE and CUDA_COREDUMP_FILE",
                         pid);
    else if (!(err = expand(arms->pipe, pid, pipe_name, "CUDA_COREDUMP_PIPE")))
        err = expand(arms->file, pid, file, "CUDA_COREDUMP_FILE");
    free(block);
    return err;
}

/* ---- the request ---- */

/* What a file was when it was looked at. */
struct look {
    uint64_t inode, size, time_ns;
};

static struct look look_at(const char *path)
{
    struct stat st;

    if (stat(path, &st))
        return (struct look){0};
    return (struct look){st.st_ino, (uint64_t)st.st_size,
                         (uint64_t)st.st_mtim.tv_sec * 1000000000u + (uint64_t)st.st_mtim.tv_nsec};
}

static bool same(struct look a, struct look b)
{
    return a.inode == b.inode && a.size == b.size && a.time_ns == b.time_ns;
}

static int send_byte(const struct grosr_core_arms *arms)
{
    struct stat st, owner;
    char process[32];
    int fd = open(arms->pipe, O_WRONLY | O_NONBLOCK | O_CLOEXEC);

    if (fd < 0 && (errno == ENOENT || errno == ENXIO))
        return grosr_fail(
            ENOTCONN,
            "the driver does not listen at %s: process %" PRIu32
            " has not used CUDA yet, or the driver has refused (it does beside CUPTI and debuggers)",
            arms->pipe, arms->pid);
    if (fd < 0)
        return grosr_fail(errno, "cannot open %s: %s", arms->pipe, strerror(errno));
    snprintf(process, sizeof(process), "/proc/%" PRIu32, arms->pid);
    int err = 0;
    if (stat(process, &owner))
        err = grosr_fail(ESRCH, "process %" PRIu32 " has ended", arms->pid);
    else if (fstat(fd, &st) || !S_ISFIFO(st.st_mode) || st.st_uid != owner.st_uid)
        err = grosr_fail(EINVAL, "%s is no pipe of process %" PRIu32, arms->pipe, arms->pid);
    else if (write(fd, "1", 1) != 1)
        err = grosr_fail(errno, "cannot write to %s: %s", arms->pipe, strerror(errno));
    close(fd);
    return err;
}

/* Whether all of it is there: the driver writes parts of it for seconds. */
static bool is_complete(const char *path)
{
    struct grosr_core *core = NULL;
    bool complete = grosr_core_is(path) && !grosr_core_open(&core, path);

    grosr_core_free(core);
    return complete;
}

int grosr_core_request(const struct grosr_core_arms *arms, double timeout_s)
{
    const struct timespec pause = {0, LOOK_NS};
    struct look before = look_at(arms->file), last = before;
    uint64_t start = grosr_host_clock_ns(), end = start + (uint64_t)(timeout_s * 1e9), since = start,
             started_at = 0;
    bool looked = false;

    if (grosr_process_start_time(arms->pid, &started_at))
        return grosr_fail(ESRCH, "there is no process %" PRIu32, arms->pid);
    int err = send_byte(arms);
    if (err)
        return err;
    for (uint64_t now = start; now < end; now = grosr_host_clock_ns()) {
        struct look look = look_at(arms->file);
        if (!same(look, last)) {
            last = look;
            since = now;
            looked = false;
        } else if (!same(look, before) && !looked && now - since >= STABLE_NS) {
            if (is_complete(arms->file))
                return 0;
            looked = true;
        }
        if (!grosr_process_was(arms->pid, started_at) && now - since >= 2 * STABLE_NS)
            return grosr_fail(ESRCH, "process %" PRIu32 " has ended without a complete core dump", arms->pid);
        nanosleep(&pause, NULL);
    }
    return grosr_fail(ETIMEDOUT, "no core dump was complete within %.0f s; it would be %s", timeout_s,
                      arms->file);
}
