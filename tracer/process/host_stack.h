/*
 * Stacks of another process's threads, by libdw (elfutils) where the build has it. A thread is stopped for
 * the time that its stack is read (ptrace): about a millisecond, in which a system call may end with EINTR as
 * after SIGSTOP and SIGCONT. Symbols are those of the files themselves: nothing is downloaded.
 */
#ifndef GROSR_HOST_STACK_H
#define GROSR_HOST_STACK_H

#include <stdint.h>

struct grosr_host_frame {
    char function[160]; /* as the linker has it; "": not known */
    char module[64];    /* the file that it is in, without its folder; "" */
    char file[160];     /* "foo.cu:57"; "": not known */
};

struct grosr_host_stacks;

/* -ENOTSUP: the build is without libdw; -errno: the process cannot be read. */
int grosr_host_stacks_open(struct grosr_host_stacks **stacks, uint32_t pid);

/* The frames of a thread, innermost first, at most `max`; how many. 0: its stack cannot be read. Must be
 * called by the thread that opened them, and never for one whose state is 'D', which does not stop. */
uint32_t grosr_host_stack(struct grosr_host_stacks *stacks, uint32_t tid, struct grosr_host_frame *frame,
                          uint32_t max);

void grosr_host_stacks_close(struct grosr_host_stacks *stacks); /* NULL is allowed */

#endif
