#include "terminal.h"

#include "screens.h"
#include "../../tracer/clock/clock.h"
#include "../../tracer/base/error.h"

#include <curses.h>
#include <errno.h>
#include <langinfo.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <term.h>
#include <termios.h>
#include <unistd.h>

#define CONTROL_L 0x0c

/* What a meaning looks like: a colour of the terminal's own palette (-1: its default) and attributes. */
static const struct {
    short foreground, background;
    attr_t attributes;
    const char *escape; /* the same for screen_print() */
} look[FRAME_COLORS] = {
    [FRAME_PLAIN] = {-1, -1, A_NORMAL, ""},
    [FRAME_TITLE] = {-1, -1, A_REVERSE, "7"},
    [FRAME_LABEL] = {COLOR_CYAN, -1, A_NORMAL, "36"},
    [FRAME_DIM] = {-1, -1, A_DIM, "2"},
    [FRAME_STRONG] = {-1, -1, A_BOLD, "1"},
    [FRAME_GOOD] = {COLOR_GREEN, -1, A_NORMAL, "32"},
    [FRAME_WARN] = {COLOR_YELLOW, -1, A_NORMAL, "33"},
    [FRAME_BAD] = {COLOR_RED, -1, A_BOLD, "1;31"},
    [FRAME_LOAD_NONE] = {-1, -1, A_DIM, "2"},
    [FRAME_LOAD_LOW] = {COLOR_BLUE, -1, A_NORMAL, "34"},
    [FRAME_LOAD_MIDDLE] = {COLOR_CYAN, -1, A_NORMAL, "36"},
    [FRAME_LOAD_HIGH] = {COLOR_GREEN, -1, A_NORMAL, "32"},
    [FRAME_LOAD_FULL] = {COLOR_GREEN, -1, A_BOLD, "1;32"},
};

static SCREEN *screen;
static bool colored;
static volatile sig_atomic_t asked_to_end, continued;

bool screen_is_ascii(void)
{
    return strcmp(nl_langinfo(CODESET), "UTF-8") != 0;
}

void screen_print(const struct frame *f, FILE *out, bool color)
{
    int rows = frame_used_rows(f);

    for (int row = 0; row < rows; row++) {
        const struct frame_cell *cell = &f->cell[row * f->width];
        int end = f->width;
        unsigned char now = FRAME_PLAIN;
        while (end > 0 && strcmp(cell[end - 1].utf8, " ") == 0 &&
               !(color && cell[end - 1].color == FRAME_TITLE))
            end--;
        for (int i = 0; i < end; i++) {
            if (color && cell[i].color != now)
                fprintf(out, "\033[0%s%sm", *look[cell[i].color].escape ? ";" : "",
                        look[cell[i].color].escape);
            now = cell[i].color;
            fputs(cell[i].utf8, out);
        }
        fputs(color && now != FRAME_PLAIN ? "\033[0m\n" : "\n", out);
    }
}

static int from_environment(const char *name, int otherwise)
{
    const char *text = getenv(name);
    long n = text ? strtol(text, NULL, 10) : 0;
    return n >= 1 && n <= 1000 ? (int)n : otherwise;
}

void screen_size(int *width, int *height)
{
    struct winsize size;

    if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col && size.ws_row) {
        *width = size.ws_col;
        *height = size.ws_row;
        return;
    }
    *width = from_environment("COLUMNS", 80);
    *height = from_environment("LINES", 24);
}

static const int ends[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
static const int crashes[] = {SIGSEGV, SIGBUS, SIGABRT, SIGFPE, SIGILL};
enum { ENDS = sizeof(ends) / sizeof(*ends), CRASHES = sizeof(crashes) / sizeof(*crashes) };

static struct sigaction before_crash[CRASHES];
static struct termios shell_modes; /* the terminal's modes before newterm() */
static char restoring[256];        /* what restores the rest of it; "": no screen is open */

static void on_signal(int number)
{
    if (number == SIGCONT)
        continued = 1;
    else
        asked_to_end = 1;
}

static void catch_signal(int number)
{
    struct sigaction action;

    memset(&action, 0, sizeof(action));
    action.sa_handler = on_signal; /* no SA_RESTART: a wait must end */
    sigaction(number, &action, NULL);
}

void screen_catch_signals(void)
{
    for (size_t i = 0; i < ENDS; i++)
        catch_signal(ends[i]);
}

/*
 * Gives the terminal back with what is allowed in a signal handler, which endwin() is not. The fault then
 * happens again, or what was sent is sent again, and has the effect that it had before.
 */
static void on_crash(int number, siginfo_t *info, void *context)
{
    (void)context;
    if (*restoring) {
        tcsetattr(STDOUT_FILENO, TCSANOW, &shell_modes);
        if (write(STDOUT_FILENO, restoring, strlen(restoring)) < 0)
            *restoring = 0; /* nothing to be done about it */
    }
    for (size_t i = 0; i < CRASHES; i++)
        if (crashes[i] == number)
            sigaction(number, &before_crash[i], NULL);
    if (info->si_code <= 0)
        raise(number);
}

void screen_catch_crashes(void)
{
    struct sigaction action;

    memset(&action, 0, sizeof(action));
    action.sa_sigaction = on_crash;
    action.sa_flags = SA_SIGINFO;
    for (size_t i = 0; i < CRASHES; i++)
        sigaction(crashes[i], &action, &before_crash[i]);
}

/* For on_crash(): the capabilities that end what the screen has begun, without their padding. */
static void note_restoring(void)
{
    static const char *const names[] = {"sgr0", "cnorm", "rmkx", "rmcup"};
    size_t n = 0;

    for (size_t i = 0; i < sizeof(names) / sizeof(*names); i++) {
        const char *text = tigetstr(names[i]);
        if (!text || text == (const char *)-1)
            continue;
        while (*text && n + 1 < sizeof(restoring)) {
            if (text[0] == '$' && text[1] == '<' && strchr(text, '>'))
                text = strchr(text, '>') + 1;
            else
                restoring[n++] = *text++;
        }
    }
    restoring[n] = 0;
}

int screen_open(bool color)
{
    tcgetattr(STDOUT_FILENO, &shell_modes);
    screen = newterm(NULL, stdout, stdin);
    if (screen && !tigetstr("cup")) /* cannot place the cursor */
        screen_close();
    if (!screen)
        return grosr_fail(ENOTTY, "this terminal (TERM=%s) cannot show a live view; try `grosr top --once`",
                          getenv("TERM") ? getenv("TERM") : "");
    note_restoring();
    screen_catch_signals();
    catch_signal(SIGCONT);
    colored = color && has_colors();
    if (colored) {
        start_color();
        use_default_colors();
        for (short i = 0; i < FRAME_COLORS; i++)
            init_pair((short)(i + 1), look[i].foreground, look[i].background);
    }
    cbreak();
    noecho();
    curs_set(0);
    keypad(stdscr, TRUE);
    nodelay(stdscr, TRUE);
    set_escdelay(25);
    return 0;
}

void screen_show(const struct frame *f)
{
    for (int row = 0; row < f->height && row < LINES; row++) {
        move(row, 0);
        for (int i = 0; i < f->width && i < COLS; i++) {
            const struct frame_cell *cell = &f->cell[row * f->width + i];
            attr_set(look[cell->color].attributes, (short)(colored ? cell->color + 1 : 0), NULL);
            addstr(cell->utf8);
        }
    }
    attr_set(A_NORMAL, 0, NULL);
    refresh();
}

static enum screen_event event_of(int key)
{
    int selected = screen_of_key(key);

    if (selected >= 0)
        return (enum screen_event)(SCREEN_SELECT + selected);
    switch (key) {
    case CONTROL_L:
        clearok(curscr, TRUE); /* whatever else has written there goes */
        return SCREEN_REDRAW;
    case KEY_RESIZE:
        return SCREEN_REDRAW;
    case 'q':
    case 'Q':
        return SCREEN_QUIT;
    case 'p':
    case ' ':
        return SCREEN_PAUSE;
    case '+':
        return SCREEN_SLOWER;
    case '-':
        return SCREEN_FASTER;
    case 'l':
        return SCREEN_LEVEL;
    case 'h':
    case '?':
        return SCREEN_HELP;
    default:
        return SCREEN_OTHER_KEY;
    }
}

/* Waits for input on stdin if `keys`, else for time only. Signals stay blocked except inside the wait, so
 * that one that comes just before it is not slept through. */
static int wait_input(uint64_t until_ns, bool keys)
{
    struct pollfd input = {.fd = keys ? STDIN_FILENO : -1, .events = POLLIN};
    uint64_t now = grosr_host_clock_ns(), left = until_ns > now ? until_ns - now : 0;
    struct timespec timeout = {.tv_sec = (time_t)(left / 1000000000u), .tv_nsec = (long)(left % 1000000000u)};
    sigset_t blocked, before;
    int n = -1;

    sigemptyset(&blocked);
    for (size_t i = 0; i < ENDS; i++)
        sigaddset(&blocked, ends[i]);
    sigaddset(&blocked, SIGCONT);
    sigprocmask(SIG_BLOCK, &blocked, &before);
    if (!asked_to_end && !continued)
        n = ppoll(&input, 1, &timeout, &before);
    sigprocmask(SIG_SETMASK, &before, NULL);
    if (n > 0 && !(input.revents & POLLIN)) /* the terminal is gone */
        asked_to_end = 1;
    return n;
}

enum screen_event screen_sleep(uint64_t until_ns)
{
    while (!asked_to_end && grosr_host_clock_ns() < until_ns)
        wait_input(until_ns, false);
    return asked_to_end ? SCREEN_QUIT : SCREEN_TIMEOUT;
}

enum screen_event screen_wait(uint64_t until_ns)
{
    bool keys = isatty(STDIN_FILENO) == 1;

    for (;;) {
        int key = getch();
        if (asked_to_end)
            return SCREEN_QUIT;
        if (continued) { /* after SIGSTOP, the shell has had the terminal without our giving it back */
            continued = 0;
            endwin();
            clearok(curscr, TRUE);
            return SCREEN_REDRAW; /* whose refresh() takes the terminal again */
        }
        if (key != ERR)
            return event_of(key);
        if (grosr_host_clock_ns() >= until_ns)
            return SCREEN_TIMEOUT;
        wait_input(until_ns, keys);
    }
}

void screen_close(void)
{
    if (!screen)
        return;
    *restoring = 0;
    endwin();
    delscreen(screen);
    screen = NULL;
}
