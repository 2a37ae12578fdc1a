/* What a thread uses of the CPU, as /proc says of any process: whether it waits, spins or works. */
#ifndef GROSR_THREAD_CPU_H
#define GROSR_THREAD_CPU_H

#include <stdbool.h>
#include <stdint.h>

struct grosr_thread_cpu {
    bool known;                  /* false: it is gone, or may not be asked */
    uint64_t user_ns, system_ns; /* since it began */
    uint64_t busy_ns;            /* that it ran or was ready to: others may have had its processor */
    uint64_t faults;             /* of pages */
};

struct grosr_thread_cpu grosr_thread_cpu(uint32_t pid, uint32_t tid);

enum grosr_thread_activity {
    GROSR_THREAD_UNKNOWN,
    GROSR_THREAD_SLEEPS,
    GROSR_THREAD_SPINS,  /* in its own code all the time, and nothing else */
    GROSR_THREAD_WORKS,  /* in its own code, with page faults or calls of the system */
    GROSR_THREAD_SYSTEM, /* mostly in the system */
    GROSR_THREAD_ACTIVITIES
};

/* What it did between two of these. */
enum grosr_thread_activity grosr_thread_cpu_between(const struct grosr_thread_cpu *before,
                                                    const struct grosr_thread_cpu *after,
                                                    uint64_t between_ns);

#endif
