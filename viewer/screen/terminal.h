/*
 * Frames on a terminal, by ncurses, or as lines of text.
 *
 * screen_close() restores the terminal. SIGINT, SIGTERM, SIGHUP and SIGQUIT only set a flag, which
 * screen_wait() reports as SCREEN_QUIT, so that the terminal is restored on these too; ncurses does it when
 * the process is suspended.
 */
#ifndef GROSR_SCREEN_H
#define GROSR_SCREEN_H

#include "frame.h"

#include <stdio.h>

/* Whether the locale, and so the terminal, is not UTF-8. */
bool screen_is_ascii(void);

/* The frame as text: no blanks at the ends of lines, no empty lines at the end. */
void screen_print(const struct frame *frame, FILE *out, bool color);

/* Columns and rows of the terminal behind stdout; COLUMNS and LINES, or 80 x 24, when there is none. */
void screen_size(int *width, int *height);

enum screen_event {
    SCREEN_TIMEOUT,
    SCREEN_REDRAW, /* the size has changed, or the screen is not what was drawn */
    SCREEN_QUIT,
    SCREEN_PAUSE,
    SCREEN_SLOWER,
    SCREEN_FASTER,
    SCREEN_LEVEL,
    SCREEN_HELP,
    SCREEN_OTHER_KEY,
    SCREEN_SELECT, /* SCREEN_SELECT + n: show screen n (screens.h) */
};

/*
 * Before screen_open(), and before any other handler of these signals is set: a crash restores the terminal
 * and then ends the process as before.
 */
void screen_catch_crashes(void);

/* -ENOTTY: the terminal cannot do it; the text is in grosr_error(). */
int screen_open(bool color);
void screen_show(const struct frame *frame);

/* Waits for a key, or until the host clock reaches `until_ns`. */
enum screen_event screen_wait(uint64_t until_ns);
void screen_close(void);

/* The same without a screen: sleeps. Signals end it, once screen_catch_signals() was called (screen_open()
 * does). */
void screen_catch_signals(void);
enum screen_event screen_sleep(uint64_t until_ns);

#endif
