#include "json.h"

#include "../cli/text.h"

#include <assert.h>
#include <errno.h>
#include <inttypes.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static void write_escaped(struct json *j, const char *s, size_t left)
{
    putc('"', j->out);
    while (left) {
        uint32_t c;
        size_t length = text_decode(s, left, &c);
        if (c == '"' || c == '\\')
            fprintf(j->out, "\\%c", (int)c);
        else if (c == '\n')
            fputs("\\n", j->out);
        else if (c == TEXT_INVALID ||
                 text_is_control(c)) /* escapes are plain ASCII: safe on a terminal too */
            fprintf(j->out, "\\u%04x", (unsigned)c);
        else
            fwrite(s, 1, length, j->out);
        s += length;
        left -= length;
    }
    putc('"', j->out);
}

/* What stands before every value: the comma, and the key. Items of an outermost array get a line each. */
static void before_value(struct json *j, const char *key)
{
    if (j->comma)
        putc(',', j->out);
    if (j->depth == 1 && j->closer[0] == ']')
        putc('\n', j->out);
    else if (j->comma)
        putc(' ', j->out);
    if (key) {
        write_escaped(j, key, strlen(key));
        fputs(": ", j->out);
    }
    j->comma = true;
}

static void open_level(struct json *j, const char *key, char opener, char closer)
{
    assert(j->depth < (int)sizeof(j->closer));
    before_value(j, key);
    putc(opener, j->out);
    j->closer[j->depth++] = closer;
    j->comma = false;
}

void json_begin(struct json *j, FILE *out)
{
    memset(j, 0, sizeof(*j));
    j->out = out;
}

void json_object(struct json *j, const char *key)
{
    open_level(j, key, '{', '}');
}

void json_array(struct json *j, const char *key)
{
    open_level(j, key, '[', ']');
}

void json_close(struct json *j)
{
    assert(j->depth > 0);
    char closer = j->closer[--j->depth];
    if (j->depth == 0 && closer == ']' && j->comma)
        putc('\n', j->out);
    putc(closer, j->out);
    j->comma = true;
}

void json_string(struct json *j, const char *key, const char *value)
{
    if (!value) {
        json_null(j, key);
        return;
    }
    json_text(j, key, value, strlen(value));
}

void json_text(struct json *j, const char *key, const char *value, size_t bytes)
{
    before_value(j, key);
    write_escaped(j, value, bytes);
}

void json_uint(struct json *j, const char *key, uint64_t value)
{
    before_value(j, key);
    fprintf(j->out, "%" PRIu64, value);
}

void json_int(struct json *j, const char *key, int64_t value)
{
    before_value(j, key);
    fprintf(j->out, "%" PRId64, value);
}

void json_number(struct json *j, const char *key, double value)
{
    char text[32];

    if (!isfinite(value)) {
        json_null(j, key);
        return;
    }
    /* The shorter form when it reads back as the same number. LC_NUMERIC stays "C" in this program. */
    snprintf(text, sizeof(text), "%.15g", value);
    if (strtod(text, NULL) < value || strtod(text, NULL) > value)
        snprintf(text, sizeof(text), "%.17g", value);
    before_value(j, key);
    fputs(text, j->out);
}

void json_bool(struct json *j, const char *key, bool value)
{
    before_value(j, key);
    fputs(value ? "true" : "false", j->out);
}

void json_null(struct json *j, const char *key)
{
    before_value(j, key);
    fputs("null", j->out);
}

int json_end(struct json *j)
{
    assert(j->depth == 0);
    putc('\n', j->out);
    return fflush(j->out) || ferror(j->out) ? -EIO : 0;
}
