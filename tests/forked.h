/*
 * For test programs whose child of fork() leaves by exit(). LeakSanitizer checks for leaks in such a child
 * too, and first takes every lock of ASan's allocator; the one that another thread of the parent held at
 * fork() is never released there (ASan of gcc 12 has no fork handlers), so that the child hangs. The
 * sanitizer asks this function before each check: leaks are looked for in the process that began, and not in
 * its children. Include it in one file of a program.
 */
#ifndef GROSR_TEST_FORKED_H
#define GROSR_TEST_FORKED_H

#ifdef __SANITIZE_ADDRESS__
#include <unistd.h>

static pid_t forked_from;

__attribute__((constructor)) static void forked_begin(void)
{
    forked_from = getpid();
}

int __lsan_is_turned_off(void);

int __lsan_is_turned_off(void)
{
    return getpid() != forked_from;
}
#endif

#endif
