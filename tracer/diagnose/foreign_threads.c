/*
 * What threads of a live process use of the CPU, as /proc says (foreign_parts.h). Anybody may read it.
 */
#include "foreign_parts.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

struct foreign_cpu foreign_cpu(uint32_t pid, uint32_t tid)
{
    struct foreign_cpu cpu = {.known = false};
    unsigned long long faults, user, system;
    long ticks = sysconf(_SC_CLK_TCK);
    char path[64], line[1024];

    snprintf(path, sizeof(path), "/proc/%u/task/%u/stat", pid, tid);
    FILE *f = fopen(path, "re");
    if (!f)
        return cpu;
    size_t n = fread(line, 1, sizeof(line) - 1, f);
    fclose(f);
    line[n] = 0;
    const char *rest = strrchr(line, ')'); /* the command in field 2 may hold anything */
    if (!rest || ticks <= 0 ||
        sscanf(rest + 1, " %c %*s %*s %*s %*s %*s %*s %llu %*s %*s %*s %llu %llu", /* 3, 10, 14, 15 */
               &cpu.state, &faults, &user, &system) != 4)
        return cpu;
    cpu.known = true;
    cpu.faults = faults;
    cpu.user_ns = user * (UINT64_C(1000000000) / (uint64_t)ticks);
    cpu.system_ns = system * (UINT64_C(1000000000) / (uint64_t)ticks);
    return cpu;
}

enum foreign_activity foreign_activity(const struct foreign_cpu *before, const struct foreign_cpu *after,
                                       uint64_t between_ns)
{
    if (!before->known || !after->known || !between_ns)
        return FOREIGN_ACTIVITY_UNKNOWN;
    uint64_t user = after->user_ns - before->user_ns, system = after->system_ns - before->system_ns;
    /* It may have to share its core with others: a third of the time is enough. */
    if (user + system < between_ns / 3)
        return FOREIGN_ACTIVITY_SLEEPS;
    if (system > user)
        return FOREIGN_ACTIVITY_SYSTEM;
    return system > user / 20 || after->faults - before->faults > 8 ? FOREIGN_ACTIVITY_WORKS
                                                                    : FOREIGN_ACTIVITY_SPINS;
}
