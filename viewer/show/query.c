#include "query.h"

#include "../cli/output.h"
#include "table.h"
#include "../../tracer/summary/summary.h"

#include <stdlib.h>
#include <string.h>

const struct grosr_canned_query *query_canned(const char *name)
{
    for (const struct grosr_canned_query *q = grosr_canned_queries; q->name; q++)
        if (strcmp(q->name, name) == 0)
            return q;
    return NULL;
}

static int sql_failed(sqlite3 *db)
{
    return grosr_say(GROSR_EXIT_FAILURE, "SQL: %s", sqlite3_errmsg(db));
}

/* Notes whether a statement that is being prepared reads summaries. */
static int note_summaries(void *reads, int action, const char *table, const char *column, const char *schema,
                          const char *view)
{
    (void)column, (void)schema, (void)view;
    if (action == SQLITE_READ && grosr_summary_table(table))
        *(bool *)reads = true;
    return SQLITE_OK;
}

/* One statement. If it reads summaries and the trace has none, they are made first. */
static int prepare_one(sqlite3 *db, const char *sql, sqlite3_stmt **statement, const char **rest)
{
    bool reads = false;

    sqlite3_set_authorizer(db, note_summaries, &reads);
    int code = sqlite3_prepare_v2(db, sql, -1, statement, rest);
    sqlite3_set_authorizer(db, NULL, NULL);
    if (code != SQLITE_OK || !reads)
        return code;
    sqlite3_finalize(*statement);
    *statement = NULL;
    code = grosr_summary_provide(db);
    return code == SQLITE_OK ? sqlite3_prepare_v2(db, sql, -1, statement, rest) : code;
}

/* Nothing runs if a second statement follows: running one of two would be worse than running none. */
static int prepare(sqlite3 *db, const char *sql, sqlite3_stmt **statement)
{
    const char *rest = sql;
    sqlite3_stmt *next = NULL;

    /* Comments and empty statements are skipped. */
    for (*statement = NULL; !*statement && *rest;)
        if (prepare_one(db, rest, statement, &rest) != SQLITE_OK)
            return sql_failed(db);
    if (!*statement)
        return grosr_say(GROSR_EXIT_USAGE, "the query is empty");
    if (!sqlite3_stmt_readonly(*statement)) {
        sqlite3_finalize(*statement);
        *statement = NULL;
        return grosr_say(GROSR_EXIT_FAILURE, "this statement would write; `grosr query` only reads");
    }
    while (*rest) {
        bool broken = sqlite3_prepare_v2(db, rest, -1, &next, &rest) != SQLITE_OK;
        if (!broken && !next)
            continue;
        sqlite3_finalize(next);
        sqlite3_finalize(*statement);
        *statement = NULL;
        return grosr_say(GROSR_EXIT_USAGE, "only one statement at a time: there is text after the first ';'");
    }
    return 0;
}

static void get_cell(sqlite3_stmt *statement, int column, struct table_cell *cell)
{
    memset(cell, 0, sizeof(*cell));
    switch (sqlite3_column_type(statement, column)) {
    case SQLITE_INTEGER:
        cell->kind = TABLE_INTEGER;
        cell->integer = sqlite3_column_int64(statement, column);
        break;
    case SQLITE_FLOAT:
        cell->kind = TABLE_REAL;
        cell->real = sqlite3_column_double(statement, column);
        break;
    case SQLITE_TEXT:
        cell->kind = TABLE_TEXT;
        cell->text = (const char *)sqlite3_column_text(statement, column);
        cell->bytes = (size_t)sqlite3_column_bytes(statement, column); /* with any NULs in it */
        break;
    case SQLITE_BLOB:
        cell->kind = TABLE_BLOB;
        cell->text = (const char *)sqlite3_column_blob(statement, column);
        cell->bytes = (size_t)sqlite3_column_bytes(statement, column);
        break;
    default:
        break;
    }
    if (cell->kind == TABLE_TEXT && !cell->text) { /* out of memory */
        cell->text = "";
        cell->bytes = 0;
    }
}

static int print_rows(sqlite3_stmt *statement, struct table *table, int columns, void (*count)(void))
{
    struct table_cell *cells = (struct table_cell *)calloc((size_t)columns, sizeof(*cells));
    int step = SQLITE_NOMEM;

    while (cells && (step = sqlite3_step(statement)) == SQLITE_ROW && !output_failed()) {
        for (int i = 0; i < columns; i++)
            get_cell(statement, i, &cells[i]);
        if (table_row(table, cells)) {
            step = SQLITE_NOMEM;
            break;
        }
        if (count)
            count();
    }
    free(cells);
    return step == SQLITE_ROW ? SQLITE_DONE : step;
}

int query_print(sqlite3 *db, const char *sql, enum grosr_format format)
{
    return query_print_counted(db, sql, format, NULL);
}

int query_print_counted(sqlite3 *db, const char *sql, enum grosr_format format, void (*count)(void))
{
    sqlite3_stmt *statement;
    struct table *table = NULL;
    int code = prepare(db, sql, &statement), step = SQLITE_NOMEM;

    if (code)
        return code;
    int columns = sqlite3_column_count(statement);
    const char **names = (const char **)calloc((size_t)columns + 1, sizeof(*names));
    if (names) {
        for (int i = 0; i < columns; i++)
            names[i] = sqlite3_column_name(statement, i);
        if (table_begin(&table, stdout, format, columns, names) == 0) {
            step = print_rows(statement, table, columns, count);
            table_end(table);
        }
        free(names);
    }
    if (step == SQLITE_NOMEM)
        code = grosr_say(GROSR_EXIT_FAILURE, "out of memory");
    else if (step != SQLITE_DONE)
        code = sql_failed(db);
    sqlite3_finalize(statement);
    return code;
}

int query_json(sqlite3 *db, const char *sql, struct json *j, const char *key)
{
    sqlite3_stmt *statement;
    int code = prepare(db, sql, &statement), step;

    json_array(j, key);
    while (!code && (step = sqlite3_step(statement)) != SQLITE_DONE) {
        if (step != SQLITE_ROW) {
            code = sql_failed(db);
            break;
        }
        json_object(j, NULL);
        for (int i = 0; i < sqlite3_column_count(statement); i++) {
            struct table_cell cell;
            get_cell(statement, i, &cell);
            table_cell_json(j, sqlite3_column_name(statement, i), &cell);
        }
        json_close(j);
    }
    json_close(j);
    sqlite3_finalize(statement);
    return code;
}

int query_integer(sqlite3 *db, const char *sql, int64_t *value)
{
    sqlite3_stmt *statement;
    int code = prepare(db, sql, &statement);

    *value = 0;
    if (code)
        return code;
    int step = sqlite3_step(statement);
    if (step == SQLITE_ROW)
        *value = sqlite3_column_int64(statement, 0);
    else if (step != SQLITE_DONE)
        code = sql_failed(db);
    sqlite3_finalize(statement);
    return code;
}
