/*
 * Names, template arguments and expressions of the demangler (demangle_parts.h). A pack of arguments is one
 * argument with a text for each element.
 */
#include "demangle_parts.h"

static struct str parse_args(struct parser *d, struct list *args);

static struct type parse_type(struct parser *d)
{
    return d->parse_type(d);
}

static struct str parse_encoding(struct parser *d, bool is_local)
{
    return d->parse_encoding(d, is_local);
}

/* ---- names ---- */

struct str demangle_source_name(struct parser *d)
{
    static const char global[] = "_GLOBAL_";
    size_t n = parse_number(d);

    if (d->failed || n == 0 || n > (size_t)(d->end - d->p))
        return give_up(d);
    struct str s = {d->p, n};
    d->p += n;
    if (n >= 10 && !memcmp(s.at, global, 8) && strchr("_.$", s.at[8]) && s.at[9] == 'N')
        s = str("(anonymous namespace)");
    while (accept(d, "B")) {
        struct str tag = demangle_source_name(d);
        s = JOIN(d, s, str("[abi:"), tag, str("]"));
    }
    return s;
}

static const struct {
    char code[3];
    unsigned char operands;
    const char *name;
} operators[] = {
    {"aN", 2, "&="}, {"aS", 2, "="},       {"aa", 2, "&&"},   {"ad", 1, "&"},      {"an", 2, "&"},
    {"cl", 0, "()"}, {"cm", 2, ","},       {"co", 1, "~"},    {"dV", 2, "/="},     {"da", 0, " delete[]"},
    {"de", 1, "*"},  {"dl", 0, " delete"}, {"dv", 2, "/"},    {"eO", 2, "^="},     {"eo", 2, "^"},
    {"eq", 2, "=="}, {"ge", 2, ">="},      {"gt", 2, ">"},    {"ix", 0, "[]"},     {"lS", 2, "<<="},
    {"le", 2, "<="}, {"ls", 2, "<<"},      {"lt", 2, "<"},    {"mI", 2, "-="},     {"mL", 2, "*="},
    {"mi", 2, "-"},  {"ml", 2, "*"},       {"mm", 0, "--"},   {"na", 0, " new[]"}, {"ne", 2, "!="},
    {"ng", 1, "-"},  {"nt", 1, "!"},       {"nw", 0, " new"}, {"oR", 2, "|="},     {"oo", 2, "||"},
    {"or", 2, "|"},  {"pL", 2, "+="},      {"pl", 2, "+"},    {"pm", 2, "->*"},    {"pp", 0, "++"},
    {"ps", 1, "+"},  {"pt", 0, "->"},      {"rM", 2, "%="},   {"rS", 2, ">>="},    {"rm", 2, "%"},
    {"rs", 2, ">>"}, {"ss", 2, "<=>"},
};

static const char *parse_operator(struct parser *d, unsigned *operands)
{
    for (size_t i = 0; i < sizeof(operators) / sizeof(operators[0]); i++)
        if (accept(d, operators[i].code)) {
            *operands = operators[i].operands;
            return operators[i].name;
        }
    return NULL;
}

/* "(int, float)": types up to `E`, or to the end of the encoding. */
struct str demangle_parameters(struct parser *d)
{
    struct list parts = {0};

    while (!d->failed && d->p < d->end && peek(d) != 'E' && peek(d) != '.') {
        struct str s = whole(d, parse_type(d));
        if (s.n && !(s.n == 4 && !memcmp(s.at, "void", 4)))
            push(d, &parts, (struct entry){.type = plain(s)});
        if (accept(d, "RE")) { /* a reference qualifier ends the function's type */
            d->p--;
            break;
        }
    }
    struct str *text = (struct str *)allocate(d, (2 * parts.n + 2) * sizeof(*text));
    if (!text)
        return str("");
    size_t n = 0;
    text[n++] = str("(");
    for (size_t i = 0; i < parts.n; i++) {
        if (i)
            text[n++] = str(", ");
        text[n++] = parts.at[i].type.left;
    }
    text[n++] = str(")");
    return join(d, text, n);
}

/* Ul ... E _: a closure; Ut _: a type without a name. */
static struct str parse_unnamed(struct parser *d)
{
    struct str parameters = str("");
    bool lambda = accept(d, "Ul");

    if (lambda) {
        bool before = d->is_generic;
        d->is_generic = true;
        parameters = demangle_parameters(d);
        d->is_generic = before;
        expect(d, "E");
    } else {
        expect(d, "Ut");
    }
    struct str number = decimal(d, parse_index(d, 10) + 1);
    return lambda ? JOIN(d, str("{lambda"), parameters, str("#"), number, str("}"))
                  : JOIN(d, str("{unnamed type#"), number, str("}"));
}

/* One component of a name, without template arguments. */
static struct str parse_unqualified(struct parser *d, struct name *n)
{
    unsigned operands;
    const char *op;
    char c = peek(d);

    accept(d, "L"); /* of internal linkage */
    if (isdigit((unsigned char)peek(d)))
        return demangle_source_name(d);
    if (c == 'U')
        return parse_unnamed(d);
    if ((c == 'C' || c == 'D') && isdigit((unsigned char)peek_next(d)) && n->last.n) {
        d->p += 2;
        n->no_return = true;
        return c == 'C' ? n->last : JOIN(d, str("~"), n->last);
    }
    if (accept(d, "cv")) {
        n->no_return = true;
        return JOIN(d, str("operator "), whole(d, parse_type(d)));
    }
    if (accept(d, "li"))
        return JOIN(d, str("operator\"\" "), demangle_source_name(d));
    op = parse_operator(d, &operands);
    return op ? JOIN(d, str("operator"), str(op)) : give_up(d);
}

static struct entry of_args(struct parser *d, size_t index)
{
    d->uses++;
    if (index < d->args.n)
        return d->args.at[index];
    d->failed = true;
    return (struct entry){.type = plain(str(""))};
}

/* An entry where it is named: the element of a pack that is being expanded, or the whole of it. */
static struct type use(struct parser *d, struct entry e)
{
    struct str all = str("");

    if (!e.is_pack)
        return e.type;
    if (d->element != NO_ELEMENT) {
        d->pack_size = d->pack_size < e.elements ? d->pack_size : e.elements;
        return d->element < e.elements ? e.element[d->element] : plain(str(""));
    }
    for (size_t i = 0; i < e.elements; i++)
        all = i ? JOIN(d, all, str(", "), whole(d, e.element[i])) : whole(d, e.element[i]);
    return plain(all);
}

struct type demangle_template_parameter(struct parser *d)
{
    expect(d, "T");
    size_t index = parse_index(d, 10);
    if (d->is_generic)
        return plain(JOIN(d, str("auto:"), decimal(d, index + 1)));
    return use(d, of_args(d, index));
}

/* S_, S0_ and so on, and the library's own; `St` alone is not for here. */
struct type demangle_substitution(struct parser *d, struct str *last)
{
    static const struct {
        char code[3];
        const char *text, *last;
    } known[] = {{"Sa", "std::allocator", "allocator"},   {"Sb", "std::basic_string", "basic_string"},
                 {"Ss", "std::string", "basic_string"},   {"Si", "std::istream", "basic_istream"},
                 {"So", "std::ostream", "basic_ostream"}, {"Sd", "std::iostream", "basic_iostream"}};

    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (accept(d, known[i].code)) {
            *last = str(known[i].last);
            return plain(str(known[i].text));
        }
    expect(d, "S");
    size_t index = parse_index(d, 36);
    if (index >= d->subs.n) {
        give_up(d);
        return plain(str(""));
    }
    struct entry e = d->subs.at[index];
    if (!e.from)
        return use(d, e);
    d->uses++;
    if (e.context == d->args.context)
        return use(d, e);
    /* T_ is another one's by now, as in a function that has a local type of another template as argument. */
    const char *here = d->p;
    bool kept = d->keeps_subs;
    d->p = e.from;
    d->keeps_subs = true;
    struct type t = parse_type(d);
    d->keeps_subs = kept;
    d->p = here;
    return t;
}

/* The name with its arguments; what `T_` means from here on is these, if it is a function's. */
struct str demangle_with_args(struct parser *d, struct str text, struct list *args)
{
    struct str list = parse_args(d, args);
    return ends_in(text, '<') ? JOIN(d, text, str(" "), list) : JOIN(d, text, list);
}

static struct name parse_nested(struct parser *d, struct list *args)
{
    struct name n = {.text = str(""), .last = str(""), .qualifiers = str("")};

    expect(d, "N");
    if (accept(d, "r"))
        n.qualifiers = JOIN(d, n.qualifiers, str(" restrict"));
    if (accept(d, "V"))
        n.qualifiers = JOIN(d, n.qualifiers, str(" volatile"));
    if (accept(d, "K"))
        n.qualifiers = JOIN(d, n.qualifiers, str(" const"));
    if (accept(d, "R"))
        n.qualifiers = JOIN(d, n.qualifiers, str(" &"));
    else if (accept(d, "O"))
        n.qualifiers = JOIN(d, n.qualifiers, str(" &&"));
    while (!d->failed && !accept(d, "E")) {
        bool is_sub = false;
        if (peek(d) == 'I') {
            n.text = demangle_with_args(d, n.text, args);
            n.has_args = true;
        } else {
            struct str part;
            n.has_args = false;
            if (peek(d) == 'S' && peek_next(d) == 't') {
                d->p += 2;
                part = str("std");
                is_sub = true; /* it has no number */
            } else if (peek(d) == 'S') {
                part = whole(d, demangle_substitution(d, &n.last));
                is_sub = true;
            } else if (peek(d) == 'T') {
                part = whole(d, demangle_template_parameter(d));
            } else if (peek(d) == 'D' && (peek_next(d) == 't' || peek_next(d) == 'T')) {
                part = whole(d, parse_type(d));
                is_sub = true; /* parse_type() has made it one */
            } else {
                part = n.last = parse_unqualified(d, &n);
            }
            n.text = n.text.n ? JOIN(d, n.text, str("::"), part) : part;
        }
        if (!is_sub && peek(d) != 'E')
            add_sub(d, plain(n.text));
    }
    return n;
}

/* Z encoding E name: what is inside a function. */
static struct name parse_local(struct parser *d, struct list *args)
{
    const struct list outer = d->args;
    const bool generic = d->is_generic;
    struct name n = {.text = str(""), .last = str(""), .qualifiers = str("")};

    expect(d, "Z");
    d->is_generic = false;
    struct str function = parse_encoding(d, true);
    d->is_generic = generic;
    expect(d, "E");
    if (accept(d, "s")) {
        n.text = JOIN(d, function, str("::string literal"));
    } else {
        if (accept(d, "d"))
            function =
                JOIN(d, function, str("::{default arg#"), decimal(d, parse_index(d, 10) + 1), str("}"));
        n = demangle_name(d);
        *args = d->args;
        n.text = JOIN(d, function, str("::"), n.text);
    }
    if (accept(d, "__")) {
        parse_number(d);
        expect(d, "_");
    } else if (peek(d) == '_' && isdigit((unsigned char)peek_next(d))) {
        d->p += 2;
    }
    d->args = outer;
    return n;
}

/* Its arguments become those that T_ means. */
struct name demangle_name(struct parser *d)
{
    struct name n = {.text = str(""), .last = str(""), .qualifiers = str("")};
    struct list args = {0};

    if (too_deep(d))
        return n;
    if (peek(d) == 'N') {
        n = parse_nested(d, &args);
    } else if (peek(d) == 'Z') {
        n = parse_local(d, &args);
        if (peek(d) == 'I') {
            add_sub(d, plain(n.text));
            n.text = demangle_with_args(d, n.text, &args);
            n.has_args = true;
        }
    } else {
        if (peek(d) == 'S' && peek_next(d) != 't') {
            n.text = whole(d, demangle_substitution(d, &n.last));
            n.is_sub = true;
        } else {
            bool std = accept(d, "St");
            n.last = parse_unqualified(d, &n);
            n.text = std ? JOIN(d, str("std::"), n.last) : n.last;
        }
        if (peek(d) == 'I') {
            if (!n.is_sub)
                add_sub(d, plain(n.text));
            n.is_sub = false;
            n.text = demangle_with_args(d, n.text, &args);
            n.has_args = true;
        }
    }
    if (n.has_args) {
        d->args = args;
        d->args.context = ++d->contexts;
    }
    return n;
}

/* ---- template arguments and expressions ---- */

/* The text of a literal of a builtin type: "5u". */
static struct str literal_of(struct parser *d, char type, struct str value)
{
    static const char suffixes[][2] = {{'i', 0}, {'j', 'u'}, {'l', 'l'}};

    for (size_t i = 0; i < sizeof(suffixes) / sizeof(suffixes[0]); i++)
        if (suffixes[i][0] == type)
            return suffixes[i][1] ? JOIN(d, value, {&suffixes[i][1], 1}) : value;
    switch (type) {
    case 'm':
        return JOIN(d, value, str("ul"));
    case 'x':
        return JOIN(d, value, str("ll"));
    case 'y':
        return JOIN(d, value, str("ull"));
    default:
        return str("");
    }
}

static struct str parse_literal(struct parser *d)
{
    expect(d, "L");
    if (accept(d, "_Z") || accept(d, "Z")) { /* of a function or a variable: its address */
        const struct list outer = d->args;
        struct str s = parse_encoding(d, false);
        d->args = outer;
        expect(d, "E");
        return s;
    }
    char builtin = peek(d);
    bool is_builtin = islower((unsigned char)builtin) && builtin != 'u';
    struct str type = whole(d, parse_type(d));
    bool negative = accept(d, "n");
    const char *from = d->p;
    while (peek(d) && peek(d) != 'E')
        d->p++;
    struct str digits = {from, (size_t)(d->p - from)};
    expect(d, "E");
    struct str value = negative ? JOIN(d, str("-"), digits) : digits;
    if (builtin == 'b' && digits.n == 1)
        return str(digits.at[0] == '1' ? "true" : "false");
    if (is_builtin && literal_of(d, builtin, value).n)
        return literal_of(d, builtin, value);
    if (is_builtin && strchr("fdeg", builtin))
        return JOIN(d, str("("), type, str(")["), value, str("]"));
    return JOIN(d, str("("), type, str(")"), value);
}

static struct str operand(struct parser *d)
{
    bool simple = peek(d) == 'T' || peek(d) == 'L' || isdigit((unsigned char)peek(d));
    struct str s = demangle_expression(d);

    simple = simple && !ends_in(s, ')'); /* a function's address */
    return simple ? s : JOIN(d, str("("), s, str(")"));
}

/* A name in an expression, with its arguments. */
static struct str parse_simple_name(struct parser *d)
{
    struct name n = {.last = str("")};
    struct list args;
    struct str s = parse_unqualified(d, &n);

    return peek(d) == 'I' ? demangle_with_args(d, s, &args) : s;
}

/* What follows sr: a member of a type, which may be written as names up to an E. */
static struct str parse_scope(struct parser *d)
{
    struct str scope = str("");
    bool levels = accept(d, "N");

    if (levels || !isdigit((unsigned char)peek(d)))
        scope = whole(d, parse_type(d));
    else
        levels = true;
    while (levels && !d->failed && !accept(d, "E")) {
        struct str level = parse_simple_name(d);
        scope = scope.n ? JOIN(d, scope, str("::"), level) : level;
    }
    return JOIN(d, scope, str("::"), parse_simple_name(d));
}

/* What follows cl: a function and its arguments, up to an E. */
static struct str parse_call(struct parser *d)
{
    struct str s = JOIN(d, demangle_expression(d), str("("));

    for (bool first = true; !d->failed && !accept(d, "E"); first = false)
        s = JOIN(d, s, str(first ? "" : ", "), demangle_expression(d));
    return JOIN(d, s, str(")"));
}

struct str demangle_expression(struct parser *d)
{
    unsigned operands;
    const char *op;

    if (too_deep(d))
        return str("");
    if (peek(d) == 'L')
        return parse_literal(d);
    if (peek(d) == 'T')
        return whole(d, demangle_template_parameter(d));
    if (accept(d, "sr"))
        return parse_scope(d);
    if (accept(d, "st")) {
        struct str type = whole(d, parse_type(d));
        return JOIN(d, str("sizeof ("), type, str(")"));
    }
    if (accept(d, "sZ")) { /* of a pack: its size, which is known */
        expect(d, "T");
        struct entry e = of_args(d, parse_index(d, 10));
        return decimal(d, e.is_pack ? e.elements : 1);
    }
    if (accept(d, "cl"))
        return parse_call(d);
    if (isdigit((unsigned char)peek(d)))
        return parse_simple_name(d);
    op = parse_operator(d, &operands);
    if (!op || !operands)
        return give_up(d);
    struct str a = operand(d);
    if (operands == 1)
        return JOIN(d, str(op), a);
    struct str b = operand(d);
    /* As the ABI's demanglers do: a '>' must not look like the list's end. */
    return !strcmp(op, ">") ? JOIN(d, str("("), a, str(">"), b, str(")")) : JOIN(d, a, str(op), b);
}

/* One template argument; what is not a type has its text as one. */
static struct type parse_arg(struct parser *d)
{
    if (peek(d) == 'L')
        return plain(parse_literal(d));
    if (accept(d, "X")) {
        struct str s = demangle_expression(d);
        expect(d, "E");
        return plain(s);
    }
    return parse_type(d);
}

static void push_pack(struct parser *d, struct list *args, const struct list *of)
{
    struct entry e = {.type = plain(str("")), .elements = of->n, .is_pack = true};

    e.element = (struct type *)allocate(d, (of->n + 1) * sizeof(*e.element));
    for (size_t i = 0; e.element && i < of->n; i++)
        e.element[i] = of->at[i].type;
    push(d, args, e);
}

/* A J list's arguments become one pack; all of them become text. */
static struct str parse_args(struct parser *d, struct list *args)
{
    struct list parts = {0}, pack = {0}, all = {0};
    bool in_pack = false;

    *args = (struct list){0};
    expect(d, "I");
    while (!too_deep(d) && (in_pack || peek(d) != 'E')) {
        if (!in_pack && accept(d, "J")) {
            in_pack = true;
            pack = (struct list){0};
            continue;
        }
        if (in_pack && accept(d, "E")) {
            push_pack(d, &all, &pack);
            in_pack = false;
            continue;
        }
        struct type t = parse_arg(d);
        push(d, in_pack ? &pack : &all, (struct entry){.type = t});
        struct str s = whole(d, t);
        if (s.n)
            push(d, &parts, (struct entry){.type = plain(s)});
    }
    expect(d, "E");
    struct str *text = (struct str *)allocate(d, (2 * parts.n + 3) * sizeof(*text));
    if (!text || d->failed)
        return give_up(d);
    size_t n = 0;
    text[n++] = str("<");
    for (size_t i = 0; i < parts.n; i++) {
        if (i)
            text[n++] = str(", ");
        text[n++] = parts.at[i].type.left;
    }
    text[n] = str(ends_in(text[n - 1], '>') ? " >" : ">");
    n++;
    *args = all;
    return join(d, text, n);
}
