/*
 * Processes, as /proc tells of them.
 */
#include "process.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>

/*
 * Fields 3 (state), 4 (parent) and 22 (start time) of /proc/PID/stat, counted behind the last parenthesis:
 * the command in field 2 may hold anything.
 */
static int read_stat(uint32_t pid, char *state, uint32_t *parent, uint64_t *start)
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
    const char *rest = strrchr(line, ')');
    if (!rest || sscanf(rest + 1,
                        " %c %u"                               /* 3, 4 */
                        " %*s %*s %*s %*s %*s %*s %*s %*s"     /* 5 to 12 */
                        " %*s %*s %*s %*s %*s %*s %*s %*s %*s" /* 13 to 21 */
                        " %llu",
                        state, parent, &ticks) != 3)
        return -ESRCH;
    *start = ticks;
    return 0;
}

int grosr_process_start_time(uint32_t pid, uint64_t *start)
{
    uint64_t ticks;
    uint32_t parent;
    char state;

    if (read_stat(pid, &state, &parent, &ticks) || state == 'Z' || state == 'X')
        return -ESRCH;
    if (start)
        *start = ticks;
    return 0;
}

bool grosr_process_was(uint32_t pid, uint64_t start)
{
    uint64_t ticks;
    uint32_t parent;
    char state;

    return read_stat(pid, &state, &parent, &ticks) == 0 && ticks == start;
}

bool grosr_process_exited(uint32_t pid)
{
    siginfo_t info = {.si_pid = 0};

    return waitid(P_PID, pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == (pid_t)pid &&
           info.si_code == CLD_EXITED;
}

bool grosr_process_descends(uint32_t pid, uint32_t ancestor)
{
    for (int depth = 0; pid > 1 && depth < 64; depth++) {
        uint64_t start;
        uint32_t parent;
        char state;
        if (pid == ancestor)
            return true;
        if (read_stat(pid, &state, &parent, &start))
            return false;
        pid = parent;
    }
    return pid == ancestor;
}
