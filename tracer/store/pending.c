/*
 * The virtual table behind pending.h: eponymous, so that no CREATE puts it into the file, one module a table,
 * read from its first row to its last.
 */
#include "pending.h"

#include "../base/sql_null.h"

#include <stdio.h>
#include <stdlib.h>

struct table {
    sqlite3_vtab base; /* SQLite's, first */
    const struct grosr_pending *pending;
};

struct cursor {
    sqlite3_vtab_cursor base; /* SQLite's, first */
    const int64_t *row, *end;
    int columns;
};

static int connect(sqlite3 *db, void *pending, int argc, const char *const *argv, sqlite3_vtab **out,
                   char **error)
{
    static const char names[] = "CREATE TABLE x(a,b,c,d,e,f,g,h,i,j,k,l,m,n,o,p,q,r,s,t";
    struct table *t = (struct table *)sqlite3_malloc(sizeof(*t));
    char sql[sizeof(names) + 1];

    (void)argc, (void)argv, (void)error;
    if (!t)
        return SQLITE_NOMEM;
    *t = (struct table){.pending = (const struct grosr_pending *)pending};
    *out = &t->base;
    snprintf(sql, sizeof(sql), "%.*s)", (int)sizeof("CREATE TABLE x(") - 2 + 2 * t->pending->columns, names);
    return sqlite3_declare_vtab(db, sql);
}

static int disconnect(sqlite3_vtab *t)
{
    sqlite3_free(t);
    return SQLITE_OK;
}

static int best_index(sqlite3_vtab *t, sqlite3_index_info *info)
{
    (void)t;
    info->estimatedCost = GROSR_PENDING_ROWS;
    return SQLITE_OK;
}

static int open_cursor(sqlite3_vtab *t, sqlite3_vtab_cursor **out)
{
    struct cursor *c = (struct cursor *)sqlite3_malloc(sizeof(*c));

    (void)t;
    if (!c)
        return SQLITE_NOMEM;
    *c = (struct cursor){.row = NULL};
    *out = &c->base;
    return SQLITE_OK;
}

static int close_cursor(sqlite3_vtab_cursor *c)
{
    sqlite3_free(c);
    return SQLITE_OK;
}

static int filter(sqlite3_vtab_cursor *base, int plan, const char *text, int argc, sqlite3_value **argv)
{
    const struct grosr_pending *p = ((struct table *)base->pVtab)->pending;
    struct cursor *c = (struct cursor *)base;

    (void)plan, (void)text, (void)argc, (void)argv;
    c->columns = p->columns;
    c->row = p->values;
    c->end = p->values + (size_t)p->rows * (size_t)p->columns;
    return SQLITE_OK;
}

static int next(sqlite3_vtab_cursor *base)
{
    struct cursor *c = (struct cursor *)base;
    c->row += c->columns;
    return SQLITE_OK;
}

static int at_end(sqlite3_vtab_cursor *base)
{
    const struct cursor *c = (const struct cursor *)base;
    return c->row == c->end;
}

static int column(sqlite3_vtab_cursor *base, sqlite3_context *to, int index)
{
    int64_t value = ((const struct cursor *)base)->row[index];

    if (value != GROSR_NULL) /* a column without a result is NULL */
        sqlite3_result_int64(to, value);
    return SQLITE_OK;
}

static int rowid(sqlite3_vtab_cursor *base, sqlite3_int64 *id)
{
    const struct cursor *c = (const struct cursor *)base;
    *id = c->end - c->row;
    return SQLITE_OK;
}

static const sqlite3_module module = {
    .xConnect = connect,
    .xBestIndex = best_index,
    .xDisconnect = disconnect,
    .xOpen = open_cursor,
    .xClose = close_cursor,
    .xFilter = filter,
    .xNext = next,
    .xEof = at_end,
    .xColumn = column,
    .xRowid = rowid,
};

int grosr_pending_open(struct grosr_pending *p, sqlite3 *db, const char *table, int columns, bool replace)
{
    char name[64], sql[256];
    int code;

    p->columns = columns;
    p->rows = 0;
    p->values = (int64_t *)malloc(GROSR_PENDING_ROWS * (size_t)columns * sizeof(*p->values));
    if (!p->values)
        return SQLITE_NOMEM;
    snprintf(name, sizeof(name), "pending_%s", table);
    code = sqlite3_create_module(db, name, &module, p);
    if (code != SQLITE_OK)
        return code;
    /* Any error rolls the transaction back, so the statement needs no journal of its own. */
    snprintf(sql, sizeof(sql), "INSERT OR %s INTO %s SELECT * FROM %s", replace ? "REPLACE" : "ROLLBACK",
             table, name);
    return sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, &p->insert, NULL);
}

int grosr_pending_flush(struct grosr_pending *p)
{
    int code;

    if (p->rows == 0)
        return SQLITE_OK;
    code = sqlite3_step(p->insert);
    sqlite3_reset(p->insert);
    p->rows = 0;
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

void grosr_pending_close(struct grosr_pending *p)
{
    sqlite3_finalize(p->insert);
    free(p->values);
    *p = (struct grosr_pending){.values = NULL};
}
