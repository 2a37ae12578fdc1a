/*
 * What threads use of the CPU (thread_cpu.h), from /proc/PID/task/TID/stat and schedstat.
 */
#include "thread_cpu.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define TOO_SHORT_NS UINT64_C(50000000) /* for its parts to be told from each other: /proc counts ticks */

static bool read_line(uint32_t pid, uint32_t tid, const char *file, char *line, int size)
{
    char path[64];

    snprintf(path, sizeof(path), "/proc/%u/task/%u/%s", pid, tid, file);
    FILE *f = fopen(path, "re");
    bool read = f && fgets(line, size, f);
    if (f)
        fclose(f);
    return read;
}

struct grosr_thread_cpu grosr_thread_cpu(uint32_t pid, uint32_t tid)
{
    struct grosr_thread_cpu cpu = {.known = false};
    unsigned long long faults, user, system, ran, waited;
    long ticks = sysconf(_SC_CLK_TCK);
    char line[1024];

    if (!read_line(pid, tid, "stat", line, sizeof(line)))
        return cpu;
    const char *rest = strrchr(line, ')'); /* the command in field 2 may hold anything */
    if (!rest || ticks <= 0 ||
        sscanf(rest + 1, " %*c %*s %*s %*s %*s %*s %*s %llu %*s %*s %*s %llu %llu", /* 10, 14, 15 */
               &faults, &user, &system) != 3)
        return cpu;
    cpu.known = true;
    cpu.faults = faults;
    cpu.user_ns = user * (UINT64_C(1000000000) / (uint64_t)ticks);
    cpu.system_ns = system * (UINT64_C(1000000000) / (uint64_t)ticks);
    cpu.busy_ns = cpu.user_ns + cpu.system_ns;
    if (read_line(pid, tid, "schedstat", line, sizeof(line)) && sscanf(line, "%llu %llu", &ran, &waited) == 2)
        cpu.busy_ns = ran + waited;
    return cpu;
}

enum grosr_thread_activity grosr_thread_cpu_between(const struct grosr_thread_cpu *before,
                                                    const struct grosr_thread_cpu *after, uint64_t between_ns)
{
    if (!before->known || !after->known || !between_ns)
        return GROSR_THREAD_UNKNOWN;
    uint64_t user = after->user_ns - before->user_ns, system = after->system_ns - before->system_ns;
    if (after->busy_ns - before->busy_ns < between_ns / 3)
        return GROSR_THREAD_SLEEPS;
    if (user + system < TOO_SHORT_NS)
        return GROSR_THREAD_UNKNOWN;
    if (system > user)
        return GROSR_THREAD_SYSTEM;
    return system > user / 4 || after->faults - before->faults > 8 ? GROSR_THREAD_WORKS : GROSR_THREAD_SPINS;
}
