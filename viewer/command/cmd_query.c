/*
 * grosr query: canned queries and SQL on a trace file, which is opened read-only.
 */
#include "commands.h"
#include "../cli/output.h"
#include "../show/query.h"
#include "../show/table.h"
#include "../cli/text.h"
#include "../../tracer/store/store.h"

#include <string.h>

/* A word such as a canned query's name is not SQL; anything else is. */
static bool is_word(const char *text)
{
    static const char letters[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-";
    return *text && strspn(text, letters) == strlen(text);
}

static int list_canned(enum grosr_format format)
{
    static const char *const names[] = {"name", "description"};
    struct table *table;
    int err = table_begin(&table, stdout, format, 2, names);

    if (err)
        return grosr_say(GROSR_EXIT_FAILURE, "out of memory");
    for (const struct grosr_canned_query *q = grosr_canned_queries; q->name && !err; q++) {
        struct table_cell cells[2] = {{.kind = TABLE_TEXT, .text = q->name},
                                      {.kind = TABLE_TEXT, .text = q->description}};
        err = table_row(table, cells);
    }
    table_end(table);
    return err ? grosr_say(GROSR_EXIT_FAILURE, "out of memory") : 0;
}

static bool is_table(sqlite3 *db, const char *word)
{
    sqlite3_stmt *statement;
    bool found = false;

    if (sqlite3_prepare_v2(db,
                           "SELECT 1 FROM sqlite_schema WHERE name = ?1 COLLATE NOCASE AND type <> 'index'",
                           -1, &statement, NULL) == SQLITE_OK &&
        sqlite3_bind_text(statement, 1, word, -1, SQLITE_STATIC) == SQLITE_OK)
        found = sqlite3_step(statement) == SQLITE_ROW;
    sqlite3_finalize(statement);
    return found;
}

static int unknown_word(sqlite3 *db, const char *file, const char *word)
{
    size_t count = 0;
    while (grosr_canned_queries[count].name)
        count++;

    if (is_table(db, word))
        return grosr_say(GROSR_EXIT_USAGE,
                         "no canned query '%s'; to see the table: grosr query %s 'SELECT * FROM %s'", word,
                         file, word);
    const char *nearest =
        text_nearest(word, &grosr_canned_queries[0].name, count, sizeof(grosr_canned_queries[0]));
    if (nearest)
        return grosr_say(GROSR_EXIT_USAGE, "no canned query '%s'; did you mean '%s'?", word, nearest);
    return grosr_say(GROSR_EXIT_USAGE, "no canned query '%s'; `grosr query %s` lists them", word, file);
}

static int answer(sqlite3 *db, const struct grosr_arguments *arguments)
{
    if (arguments->operands < 2)
        return list_canned(arguments->format);

    const char *question = arguments->operand[1];
    const struct grosr_canned_query *canned = query_canned(question);
    if (canned)
        return query_print(db, canned->sql, arguments->format);
    if (is_word(question))
        return unknown_word(db, arguments->operand[0], question);
    return query_print(db, question, arguments->format);
}

int cmd_query(const struct grosr_arguments *arguments)
{
    sqlite3 *db;
    int code;

    if (arguments->list) {
        output_begin();
        return output_end(list_canned(arguments->format));
    }
    int err = grosr_store_open_read(&db, arguments->operand[0]);
    if (err)
        return grosr_say(grosr_exit_code(err), "%s", grosr_error());
    output_begin();
    code = output_end(answer(db, arguments));
    sqlite3_close(db);
    return code;
}
