/*
 * Diagnostic messages on stderr, and the exit codes that go with them.
 */
#ifndef GROSR_SAY_H
#define GROSR_SAY_H

enum grosr_exit {
    GROSR_EXIT_OK = 0,
    GROSR_EXIT_FAILURE = 1,
    GROSR_EXIT_USAGE = 2,
    GROSR_EXIT_FINDING = 3, /* `record --until stall` or `diagnose` found a stall */
    GROSR_EXIT_NO_DEVICE = 4,
};

/* One line on stderr, "grosr: ..."; returns `code`. */
int grosr_say(int code, const char *format, ...) __attribute__((format(printf, 2, 3)));

/* The exit code for a negative errno of the libraries: -ENODEV is NO_DEVICE, -EINVAL is USAGE, the rest
 * FAILURE. */
int grosr_exit_code(int err);

#endif
