#include "table.h"

#include "../cli/text.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Cells wider than this do not widen their column for all other rows. */
#define WIDEST 90

/* Cells longer than this are shortened on a terminal, where one name may have a hundred thousand characters.
 */
#define LONGEST 240

struct table {
    FILE *out;
    enum grosr_format format;
    int columns;
    char **name;
    struct json json;
    bool to_terminal;

    /* The table format: rows held back until the widths are known. */
    char ***held; /* [rows][columns] */
    int held_rows;
    size_t held_bytes;
    bool measured;
    int *width;
    bool *is_number; /* the column: nothing but numbers so far */
};

static size_t text_bytes(const struct table_cell *cell)
{
    size_t n = strlen(cell->text);

    return cell->bytes > n ? cell->bytes : n;
}

/* The cell as text for that use, in memory of its own. */
static char *cell_text(const struct table_cell *cell, enum text_use use)
{
    char number[40], *text = NULL;

    switch (cell->kind) {
    case TABLE_NULL:
        return strdup("");
    case TABLE_INTEGER:
        snprintf(number, sizeof(number), "%" PRId64, cell->integer);
        return strdup(number);
    case TABLE_REAL:
        snprintf(number, sizeof(number), "%.15g", cell->real);
        if (!strpbrk(number, ".en")) /* still a real: as SQLite shows it */
            strcat(number, ".0");
        return strdup(number);
    case TABLE_TEXT:
        return text_escaped(cell->text, text_bytes(cell), use);
    case TABLE_BLOB:
        break;
    }
    text = (char *)malloc(2 * cell->bytes + 1);
    for (size_t i = 0; text && i < cell->bytes; i++)
        snprintf(text + 2 * i, 3, "%02x", (unsigned char)cell->text[i]);
    if (text && cell->bytes == 0)
        text[0] = 0;
    return text;
}

/* A cell as the table format shows it: a blob by its size, the rest made printable. */
static char *cell_shown(const struct table *t, const struct table_cell *cell)
{
    char size[48];

    if (cell->kind == TABLE_BLOB) {
        snprintf(size, sizeof(size), "<%zu bytes>", cell->bytes);
        return strdup(size);
    }
    char *shown = cell_text(cell, TEXT_TERMINAL);
    return shown && t->to_terminal ? text_shortened(shown, LONGEST) : shown;
}

static void write_csv_field(const struct table *t, const char *text, bool quote_empty)
{
    bool quote = strpbrk(text, ",\"\r\n") || (quote_empty && !*text);

    if (quote)
        putc('"', t->out);
    for (const char *s = text; *s; s++) {
        if (*s == '"')
            putc('"', t->out);
        putc(*s, t->out);
    }
    if (quote)
        putc('"', t->out);
}

static int write_csv_row(const struct table *t, const struct table_cell *cells)
{
    for (int i = 0; i < t->columns; i++) {
        char *text = cell_text(&cells[i], t->to_terminal ? TEXT_TERMINAL : TEXT_DATA);
        if (!text)
            return -ENOMEM;
        if (i)
            putc(',', t->out);
        write_csv_field(t, text, cells[i].kind != TABLE_NULL);
        free(text);
    }
    fputs("\r\n", t->out);
    return 0;
}

void table_cell_json(struct json *j, const char *key, const struct table_cell *cell)
{
    char *text;

    switch (cell->kind) {
    case TABLE_NULL:
        json_null(j, key);
        break;
    case TABLE_INTEGER:
        json_int(j, key, cell->integer);
        break;
    case TABLE_REAL:
        json_number(j, key, cell->real);
        break;
    case TABLE_TEXT:
        json_text(j, key, cell->text, text_bytes(cell));
        break;
    case TABLE_BLOB:
        text = cell_text(cell, TEXT_DATA);
        json_string(j, key, text);
        free(text);
        break;
    }
}

static void write_line(const struct table *t, char *const *text, const bool *right)
{
    int owed = 0; /* blanks not yet written: a line has none at its end */

    for (int i = 0; i < t->columns; i++) {
        int used = text_columns(text[i]), pad = t->width[i] > used ? t->width[i] - used : 0;
        if (right[i])
            owed += pad;
        if (used) {
            fprintf(t->out, "%*s%s", owed, "", text[i]);
            owed = 0;
        }
        owed += 2 + (right[i] ? 0 : pad);
    }
    putc('\n', t->out);
}

static void write_rule(const struct table *t)
{
    for (int i = 0; i < t->columns; i++) {
        if (i)
            fputs("  ", t->out);
        for (int n = 0; n < t->width[i]; n++)
            putc('-', t->out);
    }
    putc('\n', t->out);
}

static void free_row(const struct table *t, char **row)
{
    for (int i = 0; row && i < t->columns; i++)
        free(row[i]);
    free(row);
}

static void measure(struct table *t, char *const *row)
{
    for (int i = 0; i < t->columns; i++) {
        int columns = text_columns(row[i]);
        if (columns > WIDEST)
            columns = WIDEST;
        if (columns > t->width[i])
            t->width[i] = columns;
    }
}

/* Writes the heading and the rows held so far; from now on rows go straight out. */
static void release(struct table *t)
{
    t->measured = true;
    write_line(t, t->name, t->is_number);
    write_rule(t);
    for (int i = 0; i < t->held_rows; i++) {
        write_line(t, t->held[i], t->is_number);
        free_row(t, t->held[i]);
    }
    t->held_rows = 0;
}

static int write_table_row(struct table *t, const struct table_cell *cells)
{
    char **row = (char **)calloc((size_t)t->columns, sizeof(*row));

    for (int i = 0; row && i < t->columns; i++) {
        row[i] = cell_shown(t, &cells[i]);
        if (!row[i]) {
            free_row(t, row);
            return -ENOMEM;
        }
        t->held_bytes += strlen(row[i]) + 32;
        if (!t->measured && cells[i].kind >= TABLE_TEXT)
            t->is_number[i] = false;
    }
    if (!row)
        return -ENOMEM;
    if (t->measured) {
        write_line(t, row, t->is_number);
        free_row(t, row);
        return 0;
    }
    measure(t, row);
    t->held[t->held_rows++] = row;
    if (t->held_rows == TABLE_MEASURED || t->held_bytes > TABLE_HELD_BYTES)
        release(t);
    return 0;
}

static void table_free(struct table *t)
{
    for (int i = 0; t->name && i < t->columns; i++)
        free(t->name[i]);
    for (int i = 0; t->held && i < t->held_rows; i++)
        free_row(t, t->held[i]);
    free(t->name);
    free(t->held);
    free(t->width);
    free(t->is_number);
    free(t);
}

/* A column's name as this format has it. JSON needs names that differ: a second `start` is `start:1`, as in
 * SQLite. */
static char *column_name(const struct table *t, const char *const *names, int column)
{
    int same = 0;
    char *name;

    if (!names[column]) /* SQLite was out of memory */
        return NULL;
    if (t->format != GROSR_FORMAT_JSON)
        return text_escaped(names[column], strlen(names[column]),
                            t->format == GROSR_FORMAT_TABLE || t->to_terminal ? TEXT_TERMINAL : TEXT_DATA);
    for (int i = 0; i < column; i++)
        same += strcmp(names[i], names[column]) == 0;
    if (same == 0)
        return strdup(names[column]);
    return asprintf(&name, "%s:%d", names[column], same) < 0 ? NULL : name;
}

static void write_heading(struct table *t)
{
    switch (t->format) {
    case GROSR_FORMAT_TABLE:
        measure(t, t->name);
        break;
    case GROSR_FORMAT_CSV:
        for (int i = 0; i < t->columns; i++) {
            if (i)
                putc(',', t->out);
            write_csv_field(t, t->name[i], true);
        }
        fputs("\r\n", t->out);
        break;
    case GROSR_FORMAT_JSON:
        json_begin(&t->json, t->out);
        json_array(&t->json, NULL);
        break;
    }
}

int table_begin(struct table **out, FILE *file, enum grosr_format format, int columns,
                const char *const *names)
{
    size_t n = columns > 0 ? (size_t)columns : 1;
    struct table *t = (struct table *)calloc(1, sizeof(*t));

    if (!t)
        return -ENOMEM;
    t->out = file;
    t->format = format;
    t->columns = columns;
    t->to_terminal = isatty(fileno(file)) == 1;
    t->name = (char **)calloc(n, sizeof(*t->name));
    t->held = (char ***)calloc(TABLE_MEASURED, sizeof(*t->held));
    t->width = (int *)calloc(n, sizeof(*t->width));
    t->is_number = (bool *)calloc(n, sizeof(*t->is_number));
    if (!t->name || !t->held || !t->width || !t->is_number)
        goto fail;
    for (int i = 0; i < columns; i++) {
        t->name[i] = column_name(t, names, i);
        if (!t->name[i])
            goto fail;
        t->is_number[i] = true;
    }
    write_heading(t);
    *out = t;
    return 0;
fail:
    table_free(t);
    return -ENOMEM;
}

int table_row(struct table *t, const struct table_cell *cells)
{
    if (t->format == GROSR_FORMAT_CSV)
        return write_csv_row(t, cells);
    if (t->format == GROSR_FORMAT_TABLE)
        return write_table_row(t, cells);
    json_object(&t->json, NULL);
    for (int i = 0; i < t->columns; i++)
        table_cell_json(&t->json, t->name[i], &cells[i]);
    json_close(&t->json);
    return 0;
}

void table_end(struct table *t)
{
    if (t->format == GROSR_FORMAT_TABLE && !t->measured)
        release(t);
    if (t->format == GROSR_FORMAT_JSON) {
        json_close(&t->json);
        json_end(&t->json);
    }
    table_free(t);
}
