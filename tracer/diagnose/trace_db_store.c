/*
 * Findings as rows of GROSR_FINDING (trace_db.h).
 */
#include "trace_db_parts.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

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

static char *names_array(char *const *name, uint32_t names)
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

const char trace_insert_finding[] = "INSERT INTO GROSR_FINDING (time, session, verdict, kind, workers, "
                                    "resources, cycle, since, evidence, advice, "
                                    "summary) VALUES (?,?,?,?,?,?,?,?,?,?,?)";

static struct grosr_value integer_value(int64_t n)
{
    return (struct grosr_value){.type = GROSR_VALUE_INTEGER, .integer = n};
}

/* NULL is SQL's. */
static struct grosr_value text_value(const char *text)
{
    return text ? (struct grosr_value){.type = GROSR_VALUE_TEXT,
                                       .integer = (int64_t)strlen(text),
                                       .text = text}
                : (struct grosr_value){.type = GROSR_VALUE_NULL};
}

bool trace_finding_row(struct trace_finding_row *row, const struct grosr_finding *f, int64_t time,
                       int64_t session)
{
    char *workers = names_array(f->worker, f->workers), *resources = names_array(f->resource, f->resources),
         *cycle = names_array(f->cycle, f->cycles);

    *row = (struct trace_finding_row){
        .value = {integer_value(time), integer_value(session), text_value(grosr_verdict_name(f->verdict)),
                  text_value(f->kind), text_value(workers), text_value(resources),
                  text_value(f->cycles ? cycle : NULL),
                  f->since_ns ? integer_value(time - (int64_t)f->since_ns) : text_value(NULL),
                  text_value(f->evidence), text_value(f->advice), text_value(f->summary)},
        .names = {workers, resources, cycle}};
    return workers && resources && cycle;
}

void trace_finding_row_free(struct trace_finding_row *row)
{
    for (int i = 0; i < 3; i++)
        free(row->names[i]);
}

/* An SQLite code. */
static int put_finding(sqlite3_stmt *insert, const struct grosr_finding *f, int64_t time, int64_t session)
{
    struct trace_finding_row row;
    int code = trace_finding_row(&row, f, time, session) ? SQLITE_OK : SQLITE_NOMEM;

    for (int i = 0; code == SQLITE_OK && i < TRACE_FINDING_VALUES; i++) {
        const struct grosr_value *v = &row.value[i];
        if (v->type == GROSR_VALUE_INTEGER)
            code = sqlite3_bind_int64(insert, i + 1, v->integer);
        else if (v->type == GROSR_VALUE_TEXT)
            code = sqlite3_bind_text(insert, i + 1, v->text, (int)v->integer, SQLITE_STATIC);
        else
            code = sqlite3_bind_null(insert, i + 1);
    }
    if (code == SQLITE_OK)
        code = sqlite3_step(insert);
    sqlite3_reset(insert);
    trace_finding_row_free(&row);
    return code == SQLITE_DONE ? SQLITE_OK : code;
}

int trace_put(sqlite3_stmt *insert, const struct grosr_findings *findings, int64_t time, int64_t session)
{
    int code = SQLITE_OK;

    for (uint32_t i = 0; code == SQLITE_OK && i < findings->findings; i++)
        code = put_finding(insert, &findings->finding[i], time, session);
    return code;
}
