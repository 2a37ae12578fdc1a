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

/* Whether `pid` is a child of this process that has exited, rather than been killed; it is not waited for. */
bool grosr_process_exited(uint32_t pid);

/* Whether `pid` is `ancestor` or descends from it. */
bool grosr_process_descends(uint32_t pid, uint32_t ancestor);

#endif
