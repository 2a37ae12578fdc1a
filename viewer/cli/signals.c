/* The signals that end a command in order (signals.h). What was in force before is kept for the programs it
 * starts. */
#include "signals.h"

#include <stdbool.h>
#include <stddef.h>
#include <string.h>

static const int ends[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT};
static const int errors[] = {SIGPIPE, SIGXFSZ};
enum { ENDS = sizeof(ends) / sizeof(*ends), ERRORS = sizeof(errors) / sizeof(*errors) };

static struct sigaction before[ENDS + ERRORS];

static int number_at(size_t i)
{
    return i < ENDS ? ends[i] : errors[i - ENDS];
}

void signals_catch(void (*handler)(int signal_number))
{
    struct sigaction action, ignore;

    memset(&action, 0, sizeof(action));
    memset(&ignore, 0, sizeof(ignore));
    action.sa_handler = handler;
    action.sa_flags = SA_RESTART;
    ignore.sa_handler = SIG_IGN;
    sigemptyset(&action.sa_mask);
    for (size_t i = 0; i < ENDS; i++) /* one at a time */
        sigaddset(&action.sa_mask, ends[i]);
    for (size_t i = 0; i < ENDS + ERRORS; i++) {
        int number = number_at(i);
        sigaction(number, NULL, &before[i]);
        bool stays = before[i].sa_handler == SIG_IGN && (number == SIGHUP || number == SIGQUIT);
        if (!stays)
            sigaction(number, i < ENDS ? &action : &ignore, NULL);
    }
}

void signals_ignore(void)
{
    for (size_t i = 0; i < ENDS + ERRORS; i++)
        signal(number_at(i), SIG_IGN);
}

void signals_restore(void)
{
    for (size_t i = 0; i < ENDS + ERRORS; i++)
        sigaction(number_at(i), &before[i], NULL);
}
