/*
 * Errors. Functions return 0 or a negative errno; what a person needs to know is kept as one line of text for
 * each thread, without a trailing full stop or newline.
 */
#ifndef GROSR_ERROR_H
#define GROSR_ERROR_H

#ifdef __cplusplus
extern "C" {
#endif

/* The text of this thread's latest failure; "" if none. Valid until the next failure. */
const char *grosr_error(void);

/* Sets the text and returns -err. */
int grosr_fail(int err, const char *format, ...) __attribute__((format(printf, 2, 3)));

#ifdef __cplusplus
}
#endif

#endif
