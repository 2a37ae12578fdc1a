/*
 * What each command is called and for: one table, from which dispatch (main.c), help and the check of
 * operands (options.c) come.
 */
#ifndef GROSR_COMMANDS_H
#define GROSR_COMMANDS_H

#include <stdio.h>

enum command_id {
    COMMAND_RUN,
    COMMAND_RECORD,
    COMMAND_RECOVER,
    COMMAND_TOP,
    COMMAND_QUERY,
    COMMAND_INFO,
    COMMAND_BENCH,
    COMMAND_EXPORT,
    COMMAND_HELP,
    COMMANDS,
    COMMAND_NONE = -1,
};

struct command_text {
    const char *name;
    const char *usage;              /* operands, as in the usage line */
    const char *summary;            /* for the list of commands */
    const char *description;        /* for its own help, wrapped at 80 columns */
    const char *operands;           /* a line each, for its own help; "" if there is nothing to say */
    int min_operands, max_operands; /* most -1: any number */
    const char *missing;            /* what to say when there are fewer than the least */
};

extern const struct command_text command_texts[COMMANDS];

/* COMMAND_NONE when there is none of that name. */
enum command_id command_find(const char *name);

/* Says that there is no such command, and which one may have been meant. Returns GROSR_EXIT_USAGE. */
int command_unknown(const char *name);

/* Prints the list of commands. */
void command_list(FILE *out);

#endif
