/*
 * What the files of the demangler share (demangle.h): text in an arena, and the characters of the name.
 * Nobody else includes this.
 */
#ifndef GROSR_DEMANGLE_PARTS_H
#define GROSR_DEMANGLE_PARTS_H

#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#define ARENA_MAX   (64u << 20)
#define BLOCK_BYTES (64u << 10)
#define NO_ELEMENT  SIZE_MAX

struct str {
    const char *at;
    size_t n;
};

enum declarator { PLAIN, FUNCTION, ARRAY }; /* whether a pointer to it needs parentheses, and its blank */

struct type {
    struct str left, right;
    enum declarator declarator;
};

struct entry { /* a substitution, or a template argument */
    struct type type;
    struct type *element; /* of a pack */
    size_t elements;
    bool is_pack;
    const char *from; /* of a substitution that names template parameters: where it stands; else NULL */
    unsigned context; /* whose parameters those were */
};

struct list {
    struct entry *at;
    size_t n, room;
    unsigned context; /* of template arguments: the name that has them */
};

struct block {
    struct block *next;
};

/* A type and a whole function are parsed in demangle.c, what they are made of in demangle_names.c. */
struct parser {
    struct type (*parse_type)(struct parser *d);
    struct str (*parse_encoding)(struct parser *d, bool is_local);
    const char *p, *end;
    const char *stack_end;
    struct block *blocks;
    char *free_at;
    size_t free_bytes, used;
    bool failed;
    struct list subs;
    struct list args;  /* of the template whose signature is parsed */
    unsigned contexts; /* lists of arguments so far */
    size_t uses;       /* of template parameters so far */
    bool keeps_subs;   /* a substitution is parsed again: it adds none */
    bool is_generic;   /* inside a lambda's parameters: T_ is auto */
    size_t element;    /* which one of a pack is being expanded; NO_ELEMENT: none is */
    size_t pack_size;  /* of the pack that the pattern names; NO_ELEMENT: it has named none */
};

struct name {
    struct str text, last; /* last: the last component without its arguments, for constructors */
    struct str qualifiers; /* of a member function */
    bool has_args;         /* it ends in template arguments */
    bool no_return;        /* a constructor, destructor or conversion */
    bool is_sub;           /* it is a substitution as it stands */
};

/* ---- text ---- */

static inline void *allocate(struct parser *d, size_t bytes)
{
    bytes = (bytes + 15) / 16 * 16;
    if (d->failed || bytes > ARENA_MAX - d->used) {
        d->failed = true;
        return NULL;
    }
    if (bytes > d->free_bytes) {
        size_t room = bytes > BLOCK_BYTES ? bytes : BLOCK_BYTES;
        struct block *b = (struct block *)malloc(16 + room);
        if (!b) {
            d->failed = true;
            return NULL;
        }
        b->next = d->blocks;
        d->blocks = b;
        d->free_at = (char *)b + 16;
        d->free_bytes = room;
    }
    void *at = d->free_at;
    d->free_at += bytes;
    d->free_bytes -= bytes;
    d->used += bytes;
    return at;
}

static inline struct str str(const char *text)
{
    return (struct str){text, strlen(text)};
}

/* The texts one behind the other; the list ends in NULL. */
static inline struct str join(struct parser *d, const struct str *part, size_t parts)
{
    size_t n = 0;

    for (size_t i = 0; i < parts; i++)
        n += part[i].n;
    char *to = (char *)allocate(d, n + 1);
    if (!to)
        return str("");
    for (size_t i = 0, at = 0; i < parts; at += part[i++].n)
        if (part[i].n)
            memcpy(to + at, part[i].at, part[i].n);
    return (struct str){to, n};
}

#define JOIN(d, ...) \
    join(d, (const struct str[]){__VA_ARGS__}, sizeof((const struct str[]){__VA_ARGS__}) / sizeof(struct str))

static inline bool ends_in(struct str s, char c)
{
    return s.n && s.at[s.n - 1] == c;
}

static inline struct type plain(struct str s)
{
    return (struct type){.left = s, .right = str("")};
}

static inline struct str whole(struct parser *d, struct type t)
{
    return t.right.n ? JOIN(d, t.left, t.right) : t.left;
}

static inline void push(struct parser *d, struct list *l, struct entry e)
{
    if (l->n == l->room) {
        size_t room = l->room ? 2 * l->room : 16;
        struct entry *more = (struct entry *)allocate(d, room * sizeof(*more));
        if (!more)
            return;
        if (l->n)
            memcpy(more, l->at, l->n * sizeof(*more));
        l->at = more;
        l->room = room;
    }
    l->at[l->n++] = e;
}

static inline void add_sub(struct parser *d, struct type t)
{
    if (!d->keeps_subs)
        push(d, &d->subs, (struct entry){.type = t});
}

/* ---- characters ---- */

static inline struct str give_up(struct parser *d)
{
    d->failed = true;
    return str("");
}

static inline bool too_deep(struct parser *d)
{
    if ((const char *)__builtin_frame_address(0) < d->stack_end)
        d->failed = true;
    return d->failed;
}

static inline char peek(const struct parser *d)
{
    return d->p < d->end ? *d->p : 0;
}

static inline char peek_next(const struct parser *d)
{
    return d->p + 1 < d->end ? d->p[1] : 0;
}

static inline bool accept(struct parser *d, const char *text)
{
    size_t n = strlen(text);

    if (d->failed || (size_t)(d->end - d->p) < n || memcmp(d->p, text, n))
        return false;
    d->p += n;
    return true;
}

static inline void expect(struct parser *d, const char *text)
{
    if (!accept(d, text))
        d->failed = true;
}

static inline size_t parse_number(struct parser *d)
{
    size_t n = 0;

    if (!isdigit((unsigned char)peek(d)))
        d->failed = true;
    for (; isdigit((unsigned char)peek(d)) && n < SIZE_MAX / 100; d->p++)
        n = 10 * n + (size_t)(*d->p - '0');
    return n;
}

/* "_": 0; "0_": 1; and so on, to the base 10 or 36. */
static inline size_t parse_index(struct parser *d, unsigned base)
{
    size_t n = 0;

    if (accept(d, "_"))
        return 0;
    for (; peek(d) && peek(d) != '_' && n < SIZE_MAX / 100; d->p++) {
        char c = *d->p;
        size_t digit = isdigit((unsigned char)c) ? (size_t)(c - '0')
                       : c >= 'A' && c <= 'Z'    ? (size_t)(c - 'A') + 10
                                                 : 99;
        if (digit >= base) {
            d->failed = true;
            return 0;
        }
        n = n * base + digit;
    }
    expect(d, "_");
    return n + 1;
}

static inline struct str decimal(struct parser *d, size_t n)
{
    char digits[24], *at = digits + sizeof(digits);

    do
        *--at = (char)('0' + n % 10);
    while (n /= 10);
    return JOIN(d, {at, (size_t)(digits + sizeof(digits) - at)});
}

/* ---- demangle_names.c ---- */

/* A name; its template arguments become those that T_ means. */
struct name demangle_name(struct parser *d);

/* The name with its arguments, which are in *args then. */
struct str demangle_with_args(struct parser *d, struct str text, struct list *args);

/* "(int, float)": types up to an E, or to the end of the encoding. */
struct str demangle_parameters(struct parser *d);

/* An identifier with its length before it. */
struct str demangle_source_name(struct parser *d);

/* T_; and S_, of which *last is the last component, if it has one. */
struct type demangle_template_parameter(struct parser *d);
struct type demangle_substitution(struct parser *d, struct str *last);

struct str demangle_expression(struct parser *d);

#endif
