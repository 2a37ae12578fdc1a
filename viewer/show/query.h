/*
 * Running SQL on an open trace, for the commands that show the result.
 */
#ifndef GROSR_QUERY_H
#define GROSR_QUERY_H

#include "json.h"
#include "../cli/options.h"
#include "../../schema/schema.h"

#include <sqlite3.h>

/* NULL when there is none of that name. */
const struct grosr_canned_query *query_canned(const char *name);

/* Runs one statement that only reads and prints its rows to stdout. 0, or an exit code after one line on
 * stderr. */
int query_print(sqlite3 *db, const char *sql, enum grosr_format format);

/* The same; count() is called after each row. */
int query_print_counted(sqlite3 *db, const char *sql, enum grosr_format format, void (*count)(void));

/* The same rows as an array of objects, a member `key` of what `j` has open. */
int query_json(sqlite3 *db, const char *sql, struct json *j, const char *key);

/* The first cell of the first row as an integer; 0 if there is none. */
int query_integer(sqlite3 *db, const char *sql, int64_t *value);

#endif
