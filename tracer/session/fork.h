/*
 * Which of the processes that fork into each other this one is. What belongs to a process (a session, a
 * device, threads) keeps the number of the process that made it; a child has another one, so that it can see
 * what it has only inherited.
 */
#ifndef GROSR_FORK_H
#define GROSR_FORK_H

#include <stdint.h>

/* Never 0. Any thread. A few ns. */
uint32_t grosr_fork_number(void);

#endif
