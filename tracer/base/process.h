/* What the tracer needs to know of processes: identity that survives a reused pid, and ancestry. */
#ifndef GROSR_PROCESS_H
#define GROSR_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

/* When the process started, in clock ticks since boot. 0, or -ESRCH when there is no such process. start may
 * be NULL. */
int grosr_process_start_time(uint32_t pid, uint64_t *start);

/* Whether the process `pid` that started at `start` is there, be it as a zombie; not another with its number.
 */
bool grosr_process_was(uint32_t pid, uint64_t start);

/* Whether the process that started at `start` has gone and another has its number. */
bool grosr_process_replaced(uint32_t pid, uint64_t start);

enum grosr_process_end {
    GROSR_PROCESS_UNKNOWN, /* it is not known how, or the process is there */
    GROSR_PROCESS_EXITED,
    GROSR_PROCESS_KILLED,
};

/* A descriptor by which the end of a process can be learnt after its parent has waited for it; -1: none. */
int grosr_process_watch(uint32_t pid);

/*
 * How a process that has gone ended, with its exit code or signal. It is known of one that nobody has waited
 * for yet, a child of this process above all, and from its `watch` (-1: none) if the kernel can tell.
 */
enum grosr_process_end grosr_process_how_ended(uint32_t pid, uint64_t start, int watch, int *number);

/* Whether `pid` is `ancestor` or descends from it. */
bool grosr_process_descends(uint32_t pid, uint32_t ancestor);

#endif
