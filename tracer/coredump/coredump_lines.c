/*
 * What warps of a core dump have in registers of what is known by name, as lines (coredump.h):
 *
 *     1,055 of 1,055 warps (32 of 32 lanes) read lock journal 0 (0x7f12e4010040) in a loop, by the load at
 *         steps+0x1e0; held by worker 3 for 2.1 s
 *     32 of 32 lanes hold argument 2 of steps (0x7f12e4000200)
 */
#include "coredump_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* One name, in one way, in all the warps. */
struct line {
    const struct grosr_core_name *name;
    const struct grosr_core_match *first;
    bool same;      /* all have the same address */
    bool shown;     /* in a line before */
    uint32_t warps; /* that have it */
    uint32_t min_lanes, max_lanes, min_valid, max_valid;
};

struct lines {
    struct line *line;
    uint32_t count;
};

/* ---- counting ---- */

static int by_name(const void *a, const void *b, void *unused)
{
    const struct grosr_core_match *x = *(const struct grosr_core_match *const *)a,
                                  *y = *(const struct grosr_core_match *const *)b;

    (void)unused;
    if (x->is_read != y->is_read)
        return x->is_read ? -1 : 1;
    if (x->name != y->name)
        return x->name < y->name ? -1 : 1;
    return x->warp != y->warp ? (x->warp < y->warp ? -1 : 1) : x < y ? -1 : x > y;
}

/* What loads read first, then by kind, what most warps have before others. */
static int by_weight(const void *a, const void *b)
{
    const struct line *x = (const struct line *)a, *y = (const struct line *)b;

    if (x->first->is_read != y->first->is_read)
        return x->first->is_read ? -1 : 1;
    if (x->name->kind != y->name->kind)
        return x->name->kind < y->name->kind ? -1 : 1;
    if (x->warps != y->warps)
        return x->warps > y->warps ? -1 : 1;
    return x->first->name < y->first->name ? -1 : x->first->name > y->first->name;
}

/* Adds one warp's matches of one name. */
static void count_warp(struct line *line, const struct grosr_core *core,
                       const struct grosr_core_match *const *match, uint32_t matches)
{
    uint32_t bits = 0, valid = (uint32_t)__builtin_popcount(core->warp[match[0]->warp].valid);

    for (uint32_t i = 0; i < matches; i++) {
        line->same = line->same && match[i]->address == line->first->address;
        bits |= match[i]->lanes;
    }
    uint32_t lanes = (uint32_t)__builtin_popcount(bits);
    bool fresh = line->warps++ == 0;
    line->min_lanes = fresh || lanes < line->min_lanes ? lanes : line->min_lanes;
    line->max_lanes = fresh || lanes > line->max_lanes ? lanes : line->max_lanes;
    line->min_valid = fresh || valid < line->min_valid ? valid : line->min_valid;
    line->max_valid = fresh || valid > line->max_valid ? valid : line->max_valid;
}

static struct lines count(const struct grosr_core *core, const struct grosr_core_match **match,
                          uint32_t matches)
{
    struct lines l = {.line = (struct line *)calloc(matches, sizeof(*l.line))};

    if (!l.line)
        return l;
    qsort_r(match, matches, sizeof(*match), by_name, NULL);
    for (uint32_t i = 0, n; i < matches; i += n) {
        struct line *last = l.count ? &l.line[l.count - 1] : NULL;
        if (!last || last->first->is_read != match[i]->is_read || last->first->name != match[i]->name) {
            last = &l.line[l.count++];
            *last = (struct line){.name = &core->name[match[i]->name], .first = match[i], .same = true};
        }
        for (n = 1; i + n < matches && match[i + n]->is_read == match[i]->is_read &&
                    match[i + n]->name == match[i]->name && match[i + n]->warp == match[i]->warp;)
            n++;
        count_warp(last, core, match + i, n);
    }
    qsort(l.line, l.count, sizeof(*l.line), by_weight);
    return l;
}

/* ---- words ---- */

static void print_what(FILE *out, const struct line *line)
{
    const struct grosr_core_name *n = line->name;
    uint64_t offset = line->first->address - n->address;
    bool is_read = line->first->is_read, is_argument = n->kind == GROSR_CORE_ARGUMENT;

    if (!is_read && !is_argument)
        fputs(!line->same                               ? "addresses in "
              : offset || n->kind == GROSR_CORE_SESSION ? "an address in "
                                                        : "the address of ",
              out);
    fprintf(out, is_read && is_argument ? "what %s points to" : "%s", n->text);
    if (line->same && offset)
        fprintf(out, is_argument && !is_read ? " + 0x%" PRIx64 : ", at +0x%" PRIx64, offset);
    else if (!line->same && (is_read || is_argument))
        fputs(", at several offsets", out);
}

/* The other names of the address, which are not shown by themselves then. */
static void print_address(FILE *out, struct lines *l, const struct line *line)
{
    uint32_t others = 0;

    if (!line->same)
        return;
    fprintf(out, " (0x%" PRIx64, line->first->address);
    for (uint32_t i = 0; i < l->count; i++) {
        struct line *other = &l->line[i];
        if (other == line || other->shown || !other->same || other->first->is_read != line->first->is_read ||
            other->first->address != line->first->address || other->warps != line->warps)
            continue;
        fputs(others++ ? " and " : ", also ", out);
        print_what(out, other);
        other->shown = true;
    }
    fputc(')', out);
}

/* Of the word that is read, if the dump has memory. */
static void print_value(FILE *out, const struct grosr_core *core, const struct line *line)
{
    const struct core_reader *reader = (const struct core_reader *)core;
    uint64_t value;

    if (line->same && line->first->bytes &&
        core_memory(reader, line->first->address, line->first->bytes, &value))
        fprintf(out, "; which was %" PRIu64 " in the dump", value);
}

static char *print(const struct grosr_core *core, struct lines *l, struct line *line, uint32_t warps)
{
    char of[32], all[32], lanes[64], *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);

    if (!out)
        return NULL;
    line->shown = true;
    if (line->min_lanes == line->max_lanes && line->min_valid == line->max_valid)
        snprintf(lanes, sizeof(lanes), "%" PRIu32 " of %" PRIu32 " lane%s", line->max_lanes, line->max_valid,
                 line->max_valid == 1 ? "" : "s");
    else
        snprintf(lanes, sizeof(lanes), "%" PRIu32 " to %" PRIu32 " lanes", line->min_lanes, line->max_lanes);
    const char *one = warps == 1 && line->max_lanes == 1 ? "s " : " ";
    if (warps > 1)
        fprintf(out, "%s of %s warps (%s)", core_count_text(of, line->warps), core_count_text(all, warps),
                lanes);
    else
        fputs(lanes, out);
    fprintf(out, " %s%s", line->first->is_read ? "read" : "hold", one);
    print_what(out, line);
    print_address(out, l, line);
    if (line->first->is_read)
        fprintf(out, " in a loop, by the load at %s+0x%" PRIx64, core->place[line->first->place].function,
                line->first->load);
    if (*line->name->fact)
        fprintf(out, "; %s", line->name->fact);
    else
        print_value(out, core, line);
    if (fclose(out)) {
        free(text);
        return NULL;
    }
    return text;
}

/* What is read is not shown as held. */
static void leave_out_held(struct lines *l)
{
    for (uint32_t i = 0; i < l->count && l->line[i].first->is_read; i++)
        for (uint32_t k = 0; k < l->count; k++)
            if (!l->line[k].first->is_read && l->line[k].name == l->line[i].name)
                l->line[k].shown = true;
}

uint32_t grosr_core_match_lines(const struct grosr_core *core, uint32_t first, uint32_t warps, char **text,
                                uint32_t room)
{
    uint32_t matches = 0, made = 0;

    for (uint32_t i = first; i < first + warps; i++)
        matches += core->warp[i].matches;
    const struct grosr_core_match **match =
        matches ? (const struct grosr_core_match **)calloc(matches, sizeof(struct grosr_core_match *)) : NULL;
    if (!match)
        return 0;
    matches = 0;
    for (uint32_t i = first; i < first + warps; i++)
        for (uint32_t k = 0; k < core->warp[i].matches; k++)
            match[matches++] = &core->match[core->warp[i].match + k];
    struct lines l = count(core, match, matches);
    leave_out_held(&l);
    for (uint32_t i = 0; i < l.count && made < room; i++) {
        if (l.line[i].shown)
            continue;
        text[made] = print(core, &l, &l.line[i], warps);
        if (text[made])
            made++;
    }
    free(l.line);
    free(match);
    return made;
}
