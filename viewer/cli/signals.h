/*
 * The signals that ask a command to end: SIGINT, SIGTERM, SIGHUP and SIGQUIT.
 *
 * None of them has its default action while a command has a session, a trace or a program to look after: the
 * command ends in order, whichever come and however many. A second one shortens nothing: what is left to do
 * is bounded, and a trace that is not closed has no summaries.
 */
#ifndef GROSR_SIGNALS_H
#define GROSR_SIGNALS_H

#include <signal.h>

/*
 * From now on `handler` is called for each of them, one at a time. SIGHUP and SIGQUIT stay ignored if they
 * were (nohup). A write to a pipe without a reader becomes an error, and a file at its size limit too: both
 * would end the command before its work is done.
 */
void signals_catch(void (*handler)(int signal_number));

/* Ignores them instead, and SIGPIPE and SIGXFSZ: for a process that ends when another one does. */
void signals_ignore(void);

/* In a child, before it executes a program: puts back what signals_catch() found. */
void signals_restore(void);

#endif
