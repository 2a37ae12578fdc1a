/*
 * A core dump of a running program's GPU, on request. The driver makes one when a byte comes through a pipe
 * that it has made, if the program was started with CUDA_ENABLE_USER_TRIGGERED_COREDUMP=1 (as `grosr record
 * --trace core` starts it). Names of pipe and file are in the program's environment: CUDA_COREDUMP_PIPE and
 * CUDA_COREDUMP_FILE.
 *
 * It takes seconds for a full GPU, and is not to be relied on afterwards: on an H100 with driver 580 one
 * kernel of three continued, one failed and one no longer answered.
 */
#ifndef GROSR_COREDUMP_REQUEST_H
#define GROSR_COREDUMP_REQUEST_H

#include <stdint.h>

struct grosr_core_arms {
    uint32_t pid;
    char pipe[4096], file[4096];
};

/* Where the process would leave a core dump. -ESRCH: there is no such process; -EACCES: its environment may
 * not be read; -ENOTSUP: it is not armed, or the file's name cannot be known. */
int grosr_core_armed(struct grosr_core_arms *arms, uint32_t pid);

/*
 * Requests a core dump and waits until it is complete. -ENOTCONN: the driver does not listen (yet); -ESRCH:
 * the process has ended; -ETIMEDOUT: none was complete within timeout_s; -errno of the pipe.
 */
int grosr_core_request(const struct grosr_core_arms *arms, double timeout_s);

#endif
