/*
 * Rows for people and for machines: an aligned table, CSV (RFC 4180) or JSON, row by row.
 *
 * Memory is bounded whatever the number of rows: a table's widths are measured on the first TABLE_MEASURED
 * rows (or TABLE_HELD_BYTES of them); wider cells in later rows break the alignment. Nothing is truncated,
 * but on a terminal, where the middle of a very long cell is left out and the cell says so.
 *
 * NULL is an empty cell; in CSV an empty text is "", to distinguish the two. Column names and cells may
 * contain any bytes, which are escaped by the rule in text.h: as for a terminal in tables, as data in CSV.
 * JSON has escapes of its own.
 */
#ifndef GROSR_TABLE_H
#define GROSR_TABLE_H

#include "json.h"
#include "../cli/options.h"

#define TABLE_MEASURED   1000
#define TABLE_HELD_BYTES (4u << 20)

enum table_kind { TABLE_NULL, TABLE_INTEGER, TABLE_REAL, TABLE_TEXT, TABLE_BLOB };

struct table_cell {
    enum table_kind kind;
    int64_t integer;
    double real;
    const char *text; /* TEXT: up to its NUL, or `bytes` bytes if those are more; BLOB: `bytes` bytes */
    size_t bytes;
};

struct table; /* one being written */

/* Column names are copied. -ENOMEM. */
int table_begin(struct table **out, FILE *file, enum grosr_format format, int columns,
                const char *const *names);

/* As many cells as columns. -ENOMEM. */
int table_row(struct table *table, const struct table_cell *cells);

/* Writes what is still held and frees. Output errors are the caller's to look for (output.h). */
void table_end(struct table *table);

/* A cell as a JSON value: numbers are numbers, blobs hexadecimal strings. */
void table_cell_json(struct json *j, const char *key, const struct table_cell *cell);

#endif
