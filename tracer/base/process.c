/*
 * Processes, as /proc tells of them.
 */
#include "process.h"

#include <assert.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* As in <linux/pidfd.h>, which is newer than the systems that this is built on. */
#ifndef PIDFD_GET_INFO
#define PIDFD_GET_INFO 0xc040ff0b /* _IOWR(0xFF, 11, 64 bytes) */
#endif
#ifndef PIDFD_INFO_EXIT
#define PIDFD_INFO_EXIT (1u << 3)
#endif

/* Fields of /proc/PID/stat. */
struct stat_fields {
    char state;      /* 3 */
    uint32_t parent; /* 4 */
    int threads;     /* 20 */
    uint64_t start;  /* 22 */
    int status;      /* 52, the last: as from wait(); 0 where we may not know */
};

/* They are counted behind the last parenthesis: the command in field 2 may hold anything. */
static int read_stat(uint32_t pid, struct stat_fields *s)
{
    char path[32], line[1024];
    unsigned long long ticks;

    snprintf(path, sizeof(path), "/proc/%u/stat", pid);
    FILE *f = fopen(path, "re");
    if (!f)
        return -ESRCH;
    size_t n = fread(line, 1, sizeof(line) - 1, f);
    fclose(f);
    line[n] = 0;
    const char *rest = strrchr(line, ')'), *last = strrchr(line, ' ');
    if (!rest || sscanf(rest + 1,
                        " %c %u"                           /* 3, 4 */
                        " %*s %*s %*s %*s %*s %*s %*s %*s" /* 5 to 12 */
                        " %*s %*s %*s %*s %*s %*s %*s"     /* 13 to 19 */
                        " %d %*s %llu",                    /* 20 to 22 */
                        &s->state, &s->parent, &s->threads, &ticks) != 4)
        return -ESRCH;
    s->start = ticks;
    if (sscanf(last, "%d", &s->status) != 1)
        s->status = 0;
    return 0;
}

/* A process whose first thread has ended is shown as a zombie while others run. */
static bool has_ended(const struct stat_fields *s)
{
    return s->state == 'X' || (s->state == 'Z' && s->threads <= 1);
}

int grosr_process_start_time(uint32_t pid, uint64_t *start)
{
    struct stat_fields s;

    if (read_stat(pid, &s) || has_ended(&s))
        return -ESRCH;
    if (start)
        *start = s.start;
    return 0;
}

bool grosr_process_was(uint32_t pid, uint64_t start)
{
    struct stat_fields s;

    return read_stat(pid, &s) == 0 && s.start == start;
}

bool grosr_process_replaced(uint32_t pid, uint64_t start)
{
    uint64_t ticks;

    return grosr_process_start_time(pid, &ticks) == 0 && ticks != start;
}

/* ---- how a process ended ---- */

int grosr_process_watch(uint32_t pid)
{
    return (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);
}

static enum grosr_process_end decode(int status, int *number)
{
    *number = WIFSIGNALED(status) ? WTERMSIG(status) : WEXITSTATUS(status);
    return WIFSIGNALED(status) ? GROSR_PROCESS_KILLED : GROSR_PROCESS_EXITED;
}

/* From a process that its parent has not waited for: by waiting without taking it if that is us. */
static bool status_of_zombie(uint32_t pid, uint64_t start, int *status)
{
    siginfo_t info = {.si_pid = 0};
    struct stat_fields s;

    if (read_stat(pid, &s) || s.start != start || !has_ended(&s))
        return false;
    *status = s.status;
    if (waitid(P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == (pid_t)pid)
        *status = info.si_code == CLD_EXITED ? info.si_status << 8 : info.si_status;
    return true;
}

/* From the kernel's memory of a process that has been waited for by its parent: Linux 6.15 and later. */
static bool status_of_watched(int watch, int *status)
{
    struct {
        uint64_t mask, cgroup;
        uint32_t pid, tgid, ppid, ids[8];
        int32_t exit_code;
    } info = {.mask = PIDFD_INFO_EXIT};

    static_assert(sizeof(info) == 64, "struct pidfd_info, its first version");
    if (watch < 0 || ioctl(watch, PIDFD_GET_INFO, &info) || !(info.mask & PIDFD_INFO_EXIT))
        return false;
    *status = info.exit_code;
    return true;
}

enum grosr_process_end grosr_process_how_ended(uint32_t pid, uint64_t start, int watch, int *number)
{
    int status;

    *number = 0;
    if (status_of_zombie(pid, start, &status) || status_of_watched(watch, &status))
        return decode(status, number);
    return GROSR_PROCESS_UNKNOWN;
}

bool grosr_process_descends(uint32_t pid, uint32_t ancestor)
{
    for (int depth = 0; pid > 1 && depth < 64; depth++) {
        struct stat_fields s;
        if (pid == ancestor)
            return true;
        if (read_stat(pid, &s))
            return false;
        pid = s.parent;
    }
    return pid == ancestor;
}
