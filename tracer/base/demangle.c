/*
 * A demangler without limits on the name's length (demangle.h). It parses by recursive descent and builds
 * text as it goes: a type is the text before and the text behind what it declares ("void (*" and ")(int)"),
 * and a substitution is a type that was parsed. All text is in one arena, which is freed at the end. The
 * recursion ends, and the name is given up, when half of what the calling thread has left of its stack is
 * used.
 *
 * A pattern of a pack expansion is parsed once for each element of the pack, and what it adds to the
 * substitutions then is one entry with a text for each element.
 */
#include "demangle.h"

#include "demangle_parts.h"

#include <pthread.h>

static struct type parse_type(struct parser *d);

/* ---- types ---- */

static const char *parse_builtin(struct parser *d)
{
    static const struct {
        char code[6];
        const char *name;
    } builtins[] = {
        {"v", "void"},
        {"w", "wchar_t"},
        {"b", "bool"},
        {"c", "char"},
        {"a", "signed char"},
        {"h", "unsigned char"},
        {"s", "short"},
        {"t", "unsigned short"},
        {"i", "int"},
        {"j", "unsigned int"},
        {"l", "long"},
        {"m", "unsigned long"},
        {"x", "long long"},
        {"y", "unsigned long long"},
        {"n", "__int128"},
        {"o", "unsigned __int128"},
        {"f", "float"},
        {"d", "double"},
        {"e", "long double"},
        {"g", "__float128"},
        {"z", "..."},
        {"Dn", "decltype(nullptr)"},
        {"Di", "char32_t"},
        {"Ds", "char16_t"},
        {"Du", "char8_t"},
        {"Da", "auto"},
        {"Dc", "decltype(auto)"},
        {"DF16_", "_Float16"},
        {"DF16b", "std::bfloat16_t"},
        {"Dh", "half"},
    };

    for (size_t i = 0; i < sizeof(builtins) / sizeof(builtins[0]); i++)
        if (accept(d, builtins[i].code))
            return builtins[i].name;
    return NULL;
}

/* A pointer or reference to it: `mark` is "*", "&" or "&&". */
static struct type point(struct parser *d, struct type t, const char *mark)
{
    if (*mark == '&' && ends_in(t.left, '&')) { /* references to references collapse */
        bool to_rvalue = t.left.n > 1 && t.left.at[t.left.n - 2] == '&';
        if (mark[1] || !to_rvalue)
            return t;
        t.left.n--;
        return t;
    }
    if (t.declarator == PLAIN) {
        t.left = JOIN(d, t.left, str(mark));
        return t;
    }
    t.left = JOIN(d, t.left, str(t.declarator == ARRAY ? " (" : "("), str(mark));
    t.right = JOIN(d, str(")"), t.right);
    t.declarator = PLAIN;
    return t;
}

static struct type parse_function(struct parser *d, struct str qualifiers)
{
    expect(d, "F");
    accept(d, "Y");
    struct str result = whole(d, parse_type(d)), parameters = demangle_parameters(d);
    if (accept(d, "RE"))
        qualifiers = JOIN(d, qualifiers, str(" &"));
    else if (accept(d, "OE"))
        qualifiers = JOIN(d, qualifiers, str(" &&"));
    else
        expect(d, "E");
    return (struct type){
        .left = JOIN(d, result, str(" ")), .right = JOIN(d, parameters, qualifiers), .declarator = FUNCTION};
}

static struct type parse_array(struct parser *d)
{
    struct str size = str("");

    expect(d, "A");
    if (isdigit((unsigned char)peek(d)))
        size = decimal(d, parse_number(d));
    else if (peek(d) != '_')
        size = demangle_expression(d);
    expect(d, "_");
    struct type t = parse_type(d);
    t.right = JOIN(d, str(t.declarator == ARRAY ? "[" : " ["), size, str("]"), str(""), t.right);
    if (t.declarator == ARRAY) /* of arrays: one blank before them all */
        t.right = JOIN(d, str(" ["), size, str("]"), {t.right.at + size.n + 3, t.right.n - size.n - 3});
    t.declarator = ARRAY;
    return t;
}

static struct type parse_member_pointer(struct parser *d)
{
    expect(d, "M");
    struct str owner = whole(d, parse_type(d));
    struct type t = parse_type(d);
    if (t.declarator == PLAIN) {
        t.left = JOIN(d, t.left, str(" "), owner, str("::*"));
    } else {
        t.left = JOIN(d, t.left, str(t.declarator == ARRAY ? " (" : "("), owner, str("::*"));
        t.right = JOIN(d, str(")"), t.right);
        t.declarator = PLAIN;
    }
    return t;
}

/*
 * Dp pattern. The substitutions that the pattern made for the first element stand for all: the others' texts
 * are noted with them.
 */
static struct type parse_expansion(struct parser *d)
{
    const size_t outer = d->element, outer_size = d->pack_size, subs = d->subs.n;
    const char *from;
    size_t added = 0, size = 1;
    struct str all = str("");

    expect(d, "Dp");
    from = d->p;
    for (size_t i = 0; !d->failed && i < (size ? size : 1); i++) {
        d->p = from;
        d->element = i;
        d->pack_size = NO_ELEMENT;
        struct list first = d->subs;
        d->subs.n = subs;
        if (i) /* the first element's entries are kept: this pass makes a list of its own */
            d->subs.room = subs;
        struct str s = whole(d, parse_type(d));
        if (i == 0) {
            size = d->pack_size == NO_ELEMENT ? 1 : d->pack_size;
            added = d->subs.n - subs;
            for (size_t k = subs; k < d->subs.n && d->pack_size != NO_ELEMENT; k++) {
                struct entry *e = &d->subs.at[k];
                e->is_pack = true;
                e->elements = size;
                e->element = (struct type *)allocate(d, (size + 1) * sizeof(*e->element));
                if (e->element && size)
                    e->element[0] = e->type;
            }
        } else {
            for (size_t k = 0; k < added && k < d->subs.n - subs && first.at[subs + k].element; k++)
                first.at[subs + k].element[i] = d->subs.at[subs + k].type;
            d->subs = first;
        }
        if (i < size && s.n)
            all = all.n ? JOIN(d, all, str(", "), s) : s;
    }
    d->element = outer;
    d->pack_size = outer_size;
    return plain(all);
}

static struct type parse_qualified(struct parser *d)
{
    struct str q = str("");

    if (accept(d, "r"))
        q = JOIN(d, str(" __restrict"), q);
    if (accept(d, "V"))
        q = JOIN(d, str(" volatile"), q);
    if (accept(d, "K"))
        q = JOIN(d, str(" const"), q);
    if (peek(d) == 'F')
        return parse_function(d, q);
    struct type t = parse_type(d);
    if (t.declarator == FUNCTION)
        t.right = JOIN(d, t.right, q);
    else if (t.left.n < q.n || memcmp(t.left.at + t.left.n - q.n, q.at, q.n))
        t.left = JOIN(d, t.left, q);
    return t;
}

/* A class, an enumeration, or a template of one. */
static struct type parse_class(struct parser *d, bool *is_sub)
{
    const struct list args = d->args; /* those of a class are not what T_ means */
    struct name n = demangle_name(d);

    d->args = args;
    *is_sub = n.is_sub;
    return plain(n.text);
}

/* T_, which may be a template with arguments. */
static struct type parse_parameter_type(struct parser *d)
{
    struct type t = demangle_template_parameter(d);

    if (peek(d) == 'I') {
        struct list args;
        add_sub(d, t);
        t = plain(demangle_with_args(d, whole(d, t), &args));
    }
    return t;
}

static struct type parse_vector(struct parser *d)
{
    expect(d, "Dv");
    struct str size = decimal(d, parse_number(d));
    expect(d, "_");
    struct str of = whole(d, parse_type(d));
    return plain(JOIN(d, of, str(" __vector("), size, str(")")));
}

static struct type parse_decltype(struct parser *d)
{
    d->p += 2;
    struct str e = demangle_expression(d);
    expect(d, "E");
    return plain(JOIN(d, str("decltype ("), e, str(")")));
}

static struct type parse_type(struct parser *d)
{
    bool is_sub = false;
    const char *builtin;
    struct type t = plain(str(""));

    if (too_deep(d))
        return t;
    const char *from = d->p;
    const size_t uses = d->uses;
    char c = peek(d), next = peek_next(d);
    if (c == 'D' && next == 'p')
        return parse_expansion(d);
    if ((builtin = parse_builtin(d)))
        return plain(str(builtin));
    if (strchr("rVK", c) && c)
        t = parse_qualified(d);
    else if (accept(d, "P"))
        t = point(d, parse_type(d), "*");
    else if (accept(d, "R"))
        t = point(d, parse_type(d), "&");
    else if (accept(d, "O"))
        t = point(d, parse_type(d), "&&");
    else if (c == 'F')
        t = parse_function(d, str(""));
    else if (c == 'A')
        t = parse_array(d);
    else if (c == 'M')
        t = parse_member_pointer(d);
    else if (c == 'T')
        t = parse_parameter_type(d);
    else if (accept(d, "u"))
        t = plain(demangle_source_name(d));
    else if (c == 'D' && next == 'v')
        t = parse_vector(d);
    else if (c == 'D' && (next == 't' || next == 'T'))
        t = parse_decltype(d);
    else if (c == 'S' && next != 't') {
        struct str last = str("");
        t = demangle_substitution(d, &last);
        is_sub = true;
        if (peek(d) == 'I') {
            struct list args;
            t = plain(demangle_with_args(d, whole(d, t), &args));
            is_sub = false;
        }
    } else {
        t = parse_class(d, &is_sub);
    }
    if (!is_sub && !d->keeps_subs)
        push(d, &d->subs,
             (struct entry){.type = t, .from = d->uses > uses ? from : NULL, .context = d->args.context});
    return t;
}

/* ---- a whole name ---- */

/* A function with its parameters, or a variable. A local one is shown without what it returns. */
static struct str parse_encoding(struct parser *d, bool is_local)
{
    struct type result = plain(str(""));

    if (peek(d) == 'T' || peek(d) == 'G') /* tables, guards, thunks: no kernel has such a name */
        return give_up(d);
    struct name n = demangle_name(d);
    if (d->failed || d->p == d->end || peek(d) == 'E' || peek(d) == '.')
        return n.text;
    if (n.has_args && !n.no_return) {
        result = parse_type(d);
        if (result.declarator == PLAIN && !result.right.n)
            result.left = JOIN(d, result.left, str(" "));
    }
    struct str parameters = demangle_parameters(d);
    if (is_local)
        return JOIN(d, n.text, parameters, n.qualifiers);
    return JOIN(d, result.left, n.text, parameters, n.qualifiers, result.right);
}

/* Where the recursion must stop: half of the stack that is left. */
static const char *stack_end(void)
{
    const char *here = (const char *)__builtin_frame_address(0);
    pthread_attr_t attributes;
    void *lowest = NULL;
    size_t bytes = 0;

    if (pthread_getattr_np(pthread_self(), &attributes) == 0) {
        if (pthread_attr_getstack(&attributes, &lowest, &bytes))
            lowest = NULL;
        pthread_attr_destroy(&attributes);
    }
    if (!lowest || here <= (const char *)lowest || here > (const char *)lowest + bytes)
        return here - 16384; /* a stack of the program's own making: little is taken of it */
    return here - (here - (const char *)lowest) / 2;
}

char *grosr_demangle(const char *mangled)
{
    struct parser d = {.parse_type = parse_type,
                       .parse_encoding = parse_encoding,
                       .p = mangled,
                       .end = mangled + strlen(mangled),
                       .stack_end = stack_end(),
                       .element = NO_ELEMENT,
                       .pack_size = NO_ELEMENT};
    char *text = NULL;

    expect(&d, "_Z");
    struct str s = d.failed ? str("") : parse_encoding(&d, false);
    if (!d.failed && peek(&d) == '.') /* what a compiler has added: ".constprop.0" */
        s = JOIN(&d, s, str(" [clone "), {d.p, (size_t)(d.end - d.p)}, str("]"));
    else if (d.p != d.end)
        d.failed = true;
    if (!d.failed)
        text = strndup(s.at, s.n);
    for (struct block *b = d.blocks, *next; b; b = next) {
        next = b->next;
        free(b);
    }
    return text;
}

void grosr_demangled_brief(const char *full, const char **at, size_t *bytes)
{
    static const char anonymous[] = "(anonymous namespace)", call[] = "operator()";
    const char *start = full, *end = NULL;
    int depth = 0;

    for (const char *p = full; *p && !end; p++) {
        if (!strncmp(p, anonymous, sizeof(anonymous) - 1)) {
            p += sizeof(anonymous) - 2;
        } else if (!depth && p == start && !strncmp(p, call, sizeof(call) - 1)) {
            p += sizeof(call) - 2; /* its parameters come behind these */
        } else if (*p == '<') {
            if (!depth++ && p > start)
                end = strstr(p, "(") ? end : p; /* "name<...>" without parameters */
        } else if (*p == '>') {
            depth -= depth > 0;
        } else if (!depth && *p == '(') {
            end = p;
        } else if (!depth && (*p == ':' || *p == ' ')) {
            start = p + 1;
        }
    }
    end = end ? end : full + strlen(full);
    const char *arguments = (const char *)memchr(start, '<', (size_t)(end - start));
    end = arguments && arguments > start ? arguments : end;
    *at = end > start ? start : full;
    *bytes = end > start ? (size_t)(end - start) : strlen(full);
}
