/*
 * What /proc tells of a process that may be stuck: whether it is stopped, and what its threads do. All of it
 * is evidence, never needed: what may not be read is left out.
 */
#ifndef GROSR_PROCESS_FACTS_H
#define GROSR_PROCESS_FACTS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The process's state, as in field 3 of /proc/PID/stat: 'R', 'S', 'D', 'T', 't', 'Z', ...; 0: not known. */
char grosr_process_state(uint32_t pid);

struct grosr_thread_fact {
    uint32_t tid;
    char name[24];
    char state;      /* as above */
    char wchan[40];  /* where in the host's kernel it sleeps; "" if it does not or this may not be read */
    long call;       /* the system call that it is in; -1: none, or not known */
    uint64_t ran_ns; /* on a CPU, ever; 0: not known */
    bool quiet;      /* it has SIGINT and SIGTERM blocked, as a library's own threads have */
    int fd;          /* that it reads from, writes to or polls; -1: none, or not known */
};

/* Fills in the threads; returns how many there are in `thread`, at most `max`. */
uint32_t grosr_process_threads(uint32_t pid, struct grosr_thread_fact *thread, uint32_t max);

/* A thread that could run at both times and had been given no CPU in between: its id; 0: there is none. */
uint32_t grosr_process_starved(const struct grosr_thread_fact *before, uint32_t befores,
                               const struct grosr_thread_fact *after, uint32_t afters);

/* "fd 7, a pipe", "fd 9, a FIFO: /tmp/x", "fd 3, a file: /data/y". Returns whether it is something that may
 * make one wait for another process: a pipe, a socket, a terminal. */
bool grosr_process_describe_fd(uint32_t pid, int fd, char *text, size_t size);

/* Whether the process has a file mapped whose path contains this. */
bool grosr_process_maps(uint32_t pid, const char *part);

#endif
