#include "text.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

size_t text_decode(const char *from, size_t bytes, uint32_t *code_point)
{
    return grosr_utf8_decode(from, bytes, code_point);
}

bool text_is_control(uint32_t c)
{
    return c < 0x20 || (c >= 0x7f && c < 0xa0) || c == 0x61c || (c >= 0x200e && c <= 0x200f) ||
           (c >= 0x2028 && c <= 0x202e) || (c >= 0x2066 && c <= 0x2069) || c == 0xfeff;
}

/* The next character of `from` as it may be written, in at most ESCAPED_MAX bytes. Returns how many it took.
 */
enum { ESCAPED_MAX = 8 };

static size_t escape_next(char *to, size_t *put, const char *from, size_t bytes, enum text_use use)
{
    uint32_t c;
    size_t length = text_decode(from, bytes, &c);
    bool invalid = c == TEXT_INVALID && length == 1;
    bool kept = use == TEXT_DATA && (c > 0x9f || c == '\n' || c == '\r' || c == '\t');

    if (!invalid && (kept || !text_is_control(c))) {
        memcpy(to, from, length);
        *put = length;
    } else if (!invalid && c > 0x7f) {
        *put = (size_t)snprintf(to, ESCAPED_MAX, "\\u%04x", (unsigned)c);
    } else if (c == '\n' || c == '\r' || c == '\t') {
        *put = (size_t)snprintf(to, ESCAPED_MAX, "\\%c", c == '\n' ? 'n' : c == '\r' ? 'r' : 't');
    } else {
        *put = (size_t)snprintf(to, ESCAPED_MAX, "\\x%02x", (unsigned)(unsigned char)*from);
    }
    return length;
}

char *text_printable(char *to, size_t size, const char *from)
{
    size_t left = strlen(from), n = 0;

    while (left) {
        char escaped[ESCAPED_MAX];
        size_t put, took = escape_next(escaped, &put, from, left, TEXT_TERMINAL);
        if (n + put >= size)
            break;
        memcpy(to + n, escaped, put);
        n += put;
        from += took;
        left -= took;
    }
    to[n] = 0;
    return to;
}

char *text_escaped(const char *from, size_t bytes, enum text_use use)
{
    /* An escape has 4 bytes for one of the text's, or 6 for at least two. */
    char *to = bytes < SIZE_MAX / 4 - ESCAPED_MAX ? (char *)malloc(4 * bytes + ESCAPED_MAX) : NULL;
    size_t n = 0;

    while (to && bytes) {
        size_t put, took = escape_next(to + n, &put, from, bytes, use);
        n += put;
        from += took;
        bytes -= took;
    }
    if (to)
        to[n] = 0;
    return to;
}

/* Bytes of the first or, with `last`, of the last `columns` columns of a text. */
static size_t bytes_of_columns(const char *text, size_t bytes, int columns, bool last)
{
    size_t at = 0;

    while (at < bytes) {
        size_t length = 1;
        uint32_t c;
        if (last)
            while (at + length < bytes && ((unsigned char)text[bytes - at - length] & 0xc0) == 0x80)
                length++;
        size_t took =
            text_decode(last ? text + bytes - at - length : text + at, last ? length : bytes - at, &c);
        columns -= text_columns_of(c);
        if (columns < 0)
            break;
        at += last ? length : took;
    }
    return at;
}

char *text_shortened(char *text, int columns)
{
    int all = text_columns(text), tail = columns / 3;
    size_t bytes = strlen(text);
    char mark[32];

    if (all <= columns)
        return text;
    int n = snprintf(mark, sizeof(mark), " [... %d ...] ", all - columns);
    size_t first = bytes_of_columns(text, bytes, columns - tail - n, false);
    size_t last = bytes_of_columns(text + first, bytes - first, tail, true);
    if (first + (size_t)n + last < bytes) {
        memcpy(text + first, mark, (size_t)n);
        memmove(text + first + n, text + bytes - last, last + 1);
    }
    return text;
}

/* The blocks that matter, after Markus Kuhn's wcwidth(): the C library's own needs a UTF-8 locale. */
int text_columns_of(uint32_t c)
{
    static const struct {
        uint32_t first, last;
        int columns;
    } range[] = {
        {0x0300, 0x036f, 0},   {0x0483, 0x0489, 0},   {0x0591, 0x05bd, 0},   {0x064b, 0x065f, 0},
        {0x1100, 0x115f, 2},   {0x1ab0, 0x1aff, 0},   {0x1dc0, 0x1dff, 0},   {0x200b, 0x200f, 0},
        {0x20d0, 0x20ff, 0},   {0x2e80, 0xa4cf, 2},   {0xac00, 0xd7a3, 2},   {0xf900, 0xfaff, 2},
        {0xfe00, 0xfe0f, 0},   {0xfe20, 0xfe2f, 0},   {0xfe30, 0xfe6f, 2},   {0xff00, 0xff60, 2},
        {0xffe0, 0xffe6, 2},   {0x1f300, 0x1f64f, 2}, {0x1f680, 0x1f6ff, 2}, {0x1f900, 0x1f9ff, 2},
        {0x20000, 0x3fffd, 2},
    };

    for (size_t i = 0; i < sizeof(range) / sizeof(*range); i++)
        if (c >= range[i].first && c <= range[i].last)
            return range[i].columns;
    return 1;
}

int text_columns(const char *text)
{
    size_t left = strlen(text);
    int columns = 0;

    while (left) {
        uint32_t c;
        size_t length = text_decode(text, left, &c);
        columns += text_columns_of(c);
        text += length;
        left -= length;
    }
    return columns;
}

/* Three significant digits: x is below 999.5. */
static char *three_digits(char *to, size_t size, double x, const char *unit)
{
    snprintf(to, size, "%.*f%s", x < 9.995 ? 2 : x < 99.95 ? 1 : 0, x, unit);
    return to;
}

char *text_count(char *to, size_t size, double n)
{
    static const char *const unit[] = {"", "k", "M", "G", "T", "P", "E"};
    size_t i = 0;

    if (!(n >= 0)) {
        snprintf(to, size, "?");
        return to;
    }
    if (n < 999.5) {
        snprintf(to, size, "%.0f", n);
        return to;
    }
    for (; n >= 999.5 && i + 1 < sizeof(unit) / sizeof(*unit); i++)
        n /= 1000;
    return three_digits(to, size, n, unit[i]);
}

char *text_duration(char *to, size_t size, double ns)
{
    static const char *const unit[] = {"ns", "us", "ms", "s"};
    size_t i = 0;

    if (!(ns >= 0)) {
        snprintf(to, size, "?");
        return to;
    }
    if (ns < 999.5) {
        snprintf(to, size, ns < 0.5 ? "0" : "%.0fns", ns);
        return to;
    }
    if (ns < 59.95e9) {
        for (; ns >= 999.5 && i < 3; i++)
            ns /= 1000;
        return three_digits(to, size, ns, unit[i]);
    }
    int64_t s = (int64_t)(ns / 1e9 + 0.5);
    if (s < 3600)
        snprintf(to, size, "%dm %02ds", (int)(s / 60), (int)(s % 60));
    else if (s < 86400)
        snprintf(to, size, "%dh %02dm", (int)(s / 3600), (int)(s / 60 % 60));
    else
        snprintf(to, size, "%dd %02dh", (int)(s / 86400), (int)(s / 3600 % 24));
    return to;
}

bool text_whole_number(const char *from, uint64_t *n)
{
    char *end;

    if (!isdigit((unsigned char)*from))
        return false;
    errno = 0;
    *n = strtoull(from, &end, 10);
    return !errno && !*end;
}

bool text_session(const char *from, uint32_t *pid, uint32_t *index)
{
    char number[16];
    const char *dot = strchrnul(from, '.');
    uint64_t p, i = UINT32_MAX;

    if ((size_t)(dot - from) >= sizeof(number))
        return false;
    snprintf(number, sizeof(number), "%.*s", (int)(dot - from), from);
    if (!text_whole_number(number, &p) || p < 1 || p > INT32_MAX)
        return false;
    if (*dot && (!text_whole_number(dot + 1, &i) || i >= UINT32_MAX))
        return false;
    *pid = (uint32_t)p;
    *index = (uint32_t)i;
    return true;
}

bool text_decimal(const char *from, double *x)
{
    size_t whole = strspn(from, "0123456789");
    const char *rest = from + whole + (from[whole] == '.');
    size_t fraction = strspn(rest, "0123456789");

    if (whole + fraction == 0 || rest[fraction])
        return false;
    *x = strtod(from, NULL);
    return true;
}

/*
 * Levenshtein's distance, by one row of the table; letters' case does not count. Long words are far from all.
 */
static size_t distance(const char *a, const char *b)
{
    size_t row[33], n = strlen(b);

    if (strlen(a) > 32 || n > 32)
        return 99;
    for (size_t j = 0; j <= n; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1]; i++) {
        size_t diagonal = row[0];
        row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            size_t above = row[j], best = above < row[j - 1] ? above + 1 : row[j - 1] + 1;
            bool same = tolower((unsigned char)a[i - 1]) == tolower((unsigned char)b[j - 1]);
            row[j] = diagonal + !same < best ? diagonal + !same : best;
            diagonal = above;
        }
    }
    return row[n];
}

const char *text_nearest(const char *word, const char *const *names, size_t count, size_t stride)
{
    size_t length = strlen(word), limit = length / 3 + 2;
    const char *nearest = NULL;

    for (size_t i = 0; i < count; i++) {
        const char *name =
            *(const char *const *)(const void *)((const char *)(const void *)names + i * stride);
        bool begins = length >= 2 && strncasecmp(word, name, length) == 0;
        size_t d = begins ? 1 : distance(word, name);
        if (d < limit && d < strlen(name)) {
            limit = d;
            nearest = name;
        }
    }
    return nearest;
}
