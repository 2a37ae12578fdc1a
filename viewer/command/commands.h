/*
 * The commands, and finding one by its name.
 */
#ifndef GROSR_COMMANDS_H
#define GROSR_COMMANDS_H

#include "../cli/options.h"

#include <stdio.h>

/* NULL when there is none of that name. */
const struct command *command_find(const char *name);

/* Reports that there is no such command, and which one may have been meant. Returns GROSR_EXIT_USAGE. */
int command_unknown(const char *name);

/* Prints the list of commands. */
void command_list(FILE *out);

/* Each is in a file of its own, cmd_NAME.c. They return the exit code. */
int cmd_run(const struct grosr_arguments *arguments);
int cmd_record(const struct grosr_arguments *arguments);
int cmd_recover(const struct grosr_arguments *arguments);
int cmd_top(const struct grosr_arguments *arguments);
int cmd_diagnose(const struct grosr_arguments *arguments);
int cmd_query(const struct grosr_arguments *arguments);
int cmd_info(const struct grosr_arguments *arguments);
int cmd_bench(const struct grosr_arguments *arguments);
int cmd_export(const struct grosr_arguments *arguments);

#endif
