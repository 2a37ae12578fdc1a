/*
 * Findings as rows of GROSR_FINDING (trace_db.h).
 */
#include "trace_db_parts.h"

#include <stdio.h>
#include <stdlib.h>

static void write_string(FILE *out, const char *text)
{
    fputc('"', out);
    for (; *text; text++) {
        unsigned char c = (unsigned char)*text;
        if (c < 0x20)
            fprintf(out, "\\u%04x", c);
        else
            fprintf(out, c == '"' || c == '\\' ? "\\%c" : "%c", c);
    }
    fputc('"', out);
}

char *trace_names(char *const *name, uint32_t names)
{
    char *text = NULL;
    size_t length = 0;
    FILE *out = open_memstream(&text, &length);

    if (!out)
        return NULL;
    for (uint32_t i = 0; i < names; i++) {
        fputc(i ? ',' : '[', out);
        write_string(out, name[i]);
    }
    fputs(names ? "]" : "[]", out);
    if (fclose(out) == 0)
        return text;
    free(text);
    return NULL;
}

/* Binds the names as a JSON array; NULL if there are none and `nullable`. An SQLite code. */
static int bind_names(sqlite3_stmt *insert, int parameter, char *const *name, uint32_t names, bool nullable)
{
    if (!names && nullable)
        return sqlite3_bind_null(insert, parameter);
    char *text = trace_names(name, names);
    return text ? sqlite3_bind_text(insert, parameter, text, -1, free) : SQLITE_NOMEM;
}

static int bind_text(sqlite3_stmt *insert, int parameter, const char *text)
{
    return sqlite3_bind_text(insert, parameter, text, -1, SQLITE_STATIC);
}

/* An SQLite code. */
static int put_finding(sqlite3_stmt *insert, const struct grosr_finding *f, int64_t time, int64_t session)
{
    int code = sqlite3_bind_int64(insert, 1, time);

    if (code == SQLITE_OK)
        code = sqlite3_bind_int64(insert, 2, session);
    if (code == SQLITE_OK)
        code = bind_text(insert, 3, grosr_verdict_name(f->verdict));
    if (code == SQLITE_OK)
        code = bind_text(insert, 4, f->kind);
    if (code == SQLITE_OK)
        code = bind_names(insert, 5, f->worker, f->workers, false);
    if (code == SQLITE_OK)
        code = bind_names(insert, 6, f->resource, f->resources, false);
    if (code == SQLITE_OK)
        code = bind_names(insert, 7, f->cycle, f->cycles, true);
    if (code == SQLITE_OK)
        code = f->since_ns ? sqlite3_bind_int64(insert, 8, time - (int64_t)f->since_ns)
                           : sqlite3_bind_null(insert, 8);
    if (code == SQLITE_OK)
        code = bind_text(insert, 9, f->evidence);
    if (code == SQLITE_OK)
        code = bind_text(insert, 10, f->advice);
    if (code == SQLITE_OK)
        code = bind_text(insert, 11, f->summary);
    if (code == SQLITE_OK)
        code = sqlite3_step(insert);
    sqlite3_reset(insert);
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

int trace_put(sqlite3_stmt *insert, const struct grosr_findings *findings, int64_t time, int64_t session)
{
    int code = SQLITE_OK;

    for (uint32_t i = 0; code == SQLITE_OK && i < findings->findings; i++)
        code = put_finding(insert, &findings->finding[i], time, session);
    return code;
}
