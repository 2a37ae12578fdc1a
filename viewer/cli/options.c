/*
 * Options: one table. getopt_long's list, --help and every check of a value are made from it, so that an
 * option is added in one place and cannot be documented wrongly.
 *
 * A command accepts the options that name it and no others: an option that does nothing is refused, by name.
 */
#include "options.h"

#include "commands.h"
#include "output.h"
#include "say.h"
#include "text.h"
#include "../../tracer/collect/sampler.h"
#include "../../tracer/session/level.h"
#include "../../tracer/base/version.h"

#include <getopt.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum {
    RUN = 1 << COMMAND_RUN,
    RECORD = 1 << COMMAND_RECORD,
    RECOVER = 1 << COMMAND_RECOVER,
    TOP = 1 << COMMAND_TOP,
    QUERY = 1 << COMMAND_QUERY,
    INFO = 1 << COMMAND_INFO,
    BENCH = 1 << COMMAND_BENCH,
    EXPORT = 1 << COMMAND_EXPORT,
    ALL = (1 << COMMANDS) - 1,
};

#define STALL_SECONDS 5 /* of --until stall; its help says so too */

enum kind {
    FLAG,    /* a bool becomes true */
    STRING,  /* const char *, not empty */
    DEVICE,  /* const char *, one of `words` */
    CHOICE,  /* an enum: `first_value` + the place in `words` */
    SET,     /* uint32_t: a bit for each of `words`, given with commas between; or none */
    NUMBER,  /* uint32_t or uint64_t, whole, least .. most */
    SECONDS, /* double, least .. most */
    STALL,   /* double: `stall`, or stall:SECONDS, least .. most */
    HELP,
    VERSION,
};

struct option_text {
    const char *name;
    char letter; /* 0: none */
    enum kind kind;
    unsigned commands; /* that take it */
    size_t at, bytes;  /* where its value goes in struct grosr_arguments */
    const char *value; /* what --help calls the value */
    const char *help;
    const char
        *fallback; /* what --help says of the value when the option is not given; NULL: `defaults` tells */
    double least, most;
    const char *const *words;
    int first_value;
};

#define AT(member) offsetof(struct grosr_arguments, member), sizeof(((struct grosr_arguments *)0)->member)

static const char *const devices[] = {"auto", "cuda", "cuda:N", "host", NULL};
static const char *const colors[] = {"auto", "always", "never", NULL};
static const char *const traces[] = {"nvtx", "cuda", NULL}; /* GROSR_TRACE_* */
static const char *const counters[] = {"nvml", "pm", NULL}; /* GROSR_COUNTERS_* */
static const char *const formats[] = {"table", "csv", "json", NULL};
static const char *const export_formats[] = {"perfetto", "chrome", "csv", NULL};

static const struct grosr_arguments defaults = {
    .device = "auto",
    .level = GROSR_LEVEL_SPANS,
    .ring = 0,
    .interval = 1,
    .since = -1,
    .counters = GROSR_COUNTERS_NVML | GROSR_COUNTERS_DEFAULT,
    .trace = GROSR_TRACE_NVTX | GROSR_TRACE_CUDA | GROSR_TRACE_DEFAULT,
};

static const struct option_text options[] = {
    {"device", 0, DEVICE, RUN | BENCH, AT(device), "DEVICE",
     "where to run: auto (a GPU if there is one), cuda, cuda:N (the GPU after N others) or host", NULL, 0, 0,
     devices, 0},
    {"output", 'o', STRING, RUN, AT(output), "FILE", "record, and write the trace to FILE", "", 0, 0, NULL,
     0},
    {"output", 'o', STRING, RECORD | RECOVER, AT(output), "FILE", "write the trace to FILE",
     GROSR_DEFAULT_TRACE, 0, 0, NULL, 0},
    {"output", 'o', STRING, EXPORT, AT(output), "FILE", "write to FILE, once all of it is there",
     "standard output", 0, 0, NULL, 0},
    {"tasks", 0, NUMBER, RUN | BENCH, AT(tasks), "N", "tasks to run", "100000; bench: the experiment's", 1,
     1e12, NULL, 0},
    {"repetitions", 0, NUMBER, BENCH, AT(repetitions), "N", "samples of each series", "the experiment's", 1,
     100000, NULL, 0},
    {"plot", 0, STRING, BENCH, AT(plot), "FILE", "draw the result too, as SVG or PNG by FILE's ending", "", 0,
     0, NULL, 0},
    {"seconds", 0, SECONDS, RUN, AT(seconds), "S", "repeat the workload for S seconds", "once", 0.001, 86400,
     NULL, 0},
    {"workers", 0, NUMBER, RUN | BENCH, AT(workers), "N", "persistent warps", "the device's default", 1,
     GROSR_MAX_WORKERS, NULL, 0},
    {"sms", 0, NUMBER, RUN, AT(sms), "N", "SMs to run on", "all", 1, 4096, NULL, 0},
    {"level", 0, CHOICE, RUN | RECORD, AT(level), "LEVEL", "what is traced: off, counters, spans or full",
     NULL, 0, 0, grosr_level_names, 0},
    {"ring", 0, NUMBER, RUN, AT(ring), "N", "events in each warp's ring", "64 MiB in all", GROSR_RING_MIN,
     GROSR_RING_MAX, NULL, 0},
    {"overflow", 0, CHOICE, RUN, AT(overflow), "POLICY",
     "when a ring is full: drop events, overwrite old ones, or block", "drop when recorded, else overwrite",
     0, 0, grosr_overflow_names + GROSR_OVERFLOW_DROP, GROSR_OVERFLOW_DROP},
    {"list", 0, FLAG, RUN | BENCH | QUERY, AT(list), NULL,
     "list the workloads, experiments or canned queries", NULL, 0, 0, NULL, 0},
    {"attach", 0, NUMBER, RECORD, AT(attach), "PID", "trace a process that is running already", "", 1,
     INT32_MAX, NULL, 0},
    {"remove", 0, FLAG, RECOVER, AT(remove), NULL, "remove the session's file when all is in the trace", NULL,
     0, 0, NULL, 0},
    {"trace", 0, SET, RECORD, AT(trace), "PARTS", "what else the program tells: nvtx and cuda, or none",
     "nvtx,cuda", 0, 0, traces, 0},
    {"counters", 0, SET, RUN | RECORD, AT(counters), "LIST",
     "what the GPUs tell of themselves: nvml (power, clocks, ...), pm (SM activity), or none",
     "nvml, if there is a GPU", 0, 0, counters, 0},
    {"since", 0, SECONDS, RECORD, AT(since), "S",
     "with --attach, leave out what ended more than S seconds before the recording began",
     "all that the rings still hold", 0, 1e6, NULL, 0},
    {"window", 0, SECONDS, RECORD, AT(window), "S",
     "keep the last S seconds before the latest event only, however long it takes", "all", 0.001, 1e6, NULL,
     0},
    {"until", 0, STALL, RECORD, AT(until_stall), "stall[:S]",
     "stop when a session has stalled: when it has work and nothing has moved for S seconds, 5 if not said",
     "its end", 0.2, 1e6, NULL, 0},
    {"persistent", 0, STRING, RECORD, AT(persistent), "REGEX",
     "kernels that never end, beside GROSR's own: others' records are not to wait for theirs", "none", 0, 0,
     NULL, 0},
    {"once", 0, FLAG, TOP, AT(once), NULL, "print one sample and exit", NULL, 0, 0, NULL, 0},
    {"interval", 0, SECONDS, TOP, AT(interval), "S", "seconds between samples", NULL, 0.05, 3600, NULL, 0},
    {"format", 0, CHOICE, QUERY, AT(format), "FORMAT", "table, csv or json", NULL, 0, 0, formats, 0},
    {"format", 0, CHOICE, EXPORT, AT(export_format), "FORMAT", "perfetto, chrome or csv", NULL, 0, 0,
     export_formats, 0},
    {"table", 0, STRING, EXPORT, AT(table), "NAME", "the view or table that csv is to have", "tasks", 0, 0,
     NULL, 0},
    {"from", 0, NUMBER, EXPORT, AT(from), "NS", "leave out what ended before this time of the trace",
     "its start", 1, 1e18, NULL, 0},
    {"to", 0, NUMBER, EXPORT, AT(to), "NS", "leave out what began at this time or later", "its end", 1, 1e18,
     NULL, 0},
    {"json", 0, FLAG, RUN | TOP | QUERY | INFO | BENCH, AT(json), NULL, "print JSON", NULL, 0, 0, NULL, 0},
    {"color", 0, CHOICE, TOP, AT(color), "WHEN", "auto, always or never", NULL, 0, 0, colors, 0},
    {"help", 'h', HELP, ALL, 0, 0, NULL, "this help", NULL, 0, 0, NULL, 0},
    {"version", 'V', VERSION, ALL, 0, 0, NULL, "the version", NULL, 0, 0, NULL, 0},
};

enum { OPTIONS = sizeof(options) / sizeof(*options) };
static_assert(sizeof(enum grosr_level) == sizeof(int) && sizeof(enum grosr_overflow) == sizeof(int) &&
                  sizeof(enum grosr_color) == sizeof(int) && sizeof(enum grosr_format) == sizeof(int) &&
                  sizeof(enum export_format) == sizeof(int),
              "CHOICE stores an int");

/* "off, counters, spans or full" */
static void join_words(char *to, size_t size, const char *const *words)
{
    size_t n = 0;

    to[0] = 0;
    for (; *words && n < size; words++)
        n += (size_t)snprintf(to + n, size - n, "%s%s", n == 0 ? "" : words[1] ? ", " : " or ", *words);
}

static int find_word(const char *const *words, const char *word)
{
    for (int i = 0; words[i]; i++)
        if (strcmp(words[i], word) == 0)
            return i;
    return -1;
}

/* `words` has "cuda:N" for any number N. */
static bool is_device(const char *const *words, const char *text)
{
    uint64_t number;

    if (!strncmp(text, "cuda:", strlen("cuda:")))
        return text_whole_number(text + strlen("cuda:"), &number);
    return find_word(words, text) >= 0;
}

/* "b,a" of the words a and b: 3. "none": 0. */
static bool parse_set(const char *const *words, const char *text, uint32_t *set)
{
    *set = 0;
    if (!strcmp(text, "none"))
        return true;
    for (;;) {
        size_t length = strcspn(text, ",");
        int place = 0;
        while (words[place] && (strncmp(words[place], text, length) || words[place][length]))
            place++;
        if (!words[place])
            return false;
        *set |= 1u << place;
        if (!text[length])
            return true;
        text += length + 1;
    }
}

/* Puts an option's value into its place. 0, or the exit code after a line that says what it takes. */
static int set_value(const struct option_text *o, const char *text, struct grosr_arguments *arguments)
{
    void *at = (char *)arguments + o->at;
    char words[128];
    uint64_t whole;
    double number;
    int place;

    switch (o->kind) {
    case FLAG:
        *(bool *)at = true;
        return 0;
    case STRING:
        if (!*text)
            return grosr_say(GROSR_EXIT_USAGE, "--%s takes a %s, not ''", o->name,
                             strcmp(o->value, "FILE") == 0 ? "file name" : "name");
        *(const char **)at = text;
        return 0;
    case DEVICE:
    case CHOICE:
        place = find_word(o->words, text);
        if (o->kind == DEVICE ? !is_device(o->words, text) : place < 0) {
            join_words(words, sizeof(words), o->words);
            return grosr_say(GROSR_EXIT_USAGE, "--%s takes %s, not '%s'", o->name, words, text);
        }
        if (o->kind == DEVICE)
            *(const char **)at = text;
        else
            *(int *)at = o->first_value + place;
        return 0;
    case SET:
        if (!parse_set(o->words, text, (uint32_t *)at)) {
            join_words(words, sizeof(words), o->words);
            return grosr_say(GROSR_EXIT_USAGE, "--%s takes %s or none, not '%s'", o->name, words, text);
        }
        return 0;
    case NUMBER:
        if (!text_whole_number(text, &whole) || whole < (uint64_t)o->least || whole > (uint64_t)o->most)
            return grosr_say(GROSR_EXIT_USAGE, "--%s takes a whole number from %.0f to %.0f, not '%s'",
                             o->name, o->least, o->most, text);
        if (o->bytes == sizeof(uint64_t))
            *(uint64_t *)at = whole;
        else
            *(uint32_t *)at = (uint32_t)whole;
        return 0;
    case SECONDS:
        if (!text_decimal(text, &number) || number < o->least || number > o->most)
            return grosr_say(GROSR_EXIT_USAGE, "--%s takes seconds from %g to %g, not '%s'", o->name,
                             o->least, o->most, text);
        *(double *)at = number;
        return 0;
    case STALL:
        number = STALL_SECONDS;
        if (strcmp(text, "stall") &&
            (strncmp(text, "stall:", strlen("stall:")) || !text_decimal(text + strlen("stall:"), &number) ||
             number < o->least || number > o->most))
            return grosr_say(GROSR_EXIT_USAGE,
                             "--%s takes stall, or stall: and seconds from %g to %g, not '%s'", o->name,
                             o->least, o->most, text);
        *(double *)at = number;
        return 0;
    case HELP:
    case VERSION:
        break;
    }
    return 0;
}

/* What --help puts in brackets: the value without the option. "" for nothing. */
static const char *default_text(char *to, size_t size, const struct option_text *o)
{
    const void *at = (const char *)&defaults + o->at;

    if (o->fallback)
        return o->fallback;
    switch (o->kind) {
    case DEVICE:
        return *(const char *const *)at;
    case CHOICE:
        return o->words[*(const int *)at - o->first_value];
    case NUMBER:
        snprintf(to, size, "%" PRIu64,
                 o->bytes == sizeof(uint64_t) ? *(const uint64_t *)at : *(const uint32_t *)at);
        return to;
    case SECONDS:
        snprintf(to, size, "%g", *(const double *)at);
        return to;
    default:
        return "";
    }
}

void command_help(enum command_id id)
{
    const struct command_text *c = &command_texts[id];
    char text[64];

    printf("Usage: grosr %s [OPTION]... %s\n", c->name, c->usage);
    printf("\n%s\n\n%s\nOptions:\n", c->description, c->operands);
    for (const struct option_text *o = options; o < options + OPTIONS; o++) {
        if (!(o->commands & 1u << id))
            continue;
        char letter[8] = "    ";
        if (o->letter)
            snprintf(letter, sizeof(letter), "-%c, ", o->letter);
        int n = printf("  %s--%s%s%s", letter, o->name, o->value ? " " : "", o->value ? o->value : "");
        const char *fallback = default_text(text, sizeof(text), o);
        printf("%*s%s", n < 26 ? 26 - n : 1, "", o->help);
        printf(*fallback ? " [%s]\n" : "%s\n", fallback);
    }
}

/* getopt_long found something wrong with `word` (a long option) or `letter`. Says what. */
static int refuse(enum command_id id, int reason, const char *word, int letter)
{
    const char *command = command_texts[id].name;
    const struct option_text *known = NULL;
    bool is_long = word && strncmp(word, "--", 2) == 0;
    char name[64];

    snprintf(name, sizeof(name), "%.*s", is_long ? (int)strcspn(word + 2, "=") : 0, is_long ? word + 2 : "");
    for (const struct option_text *o = options; o < options + OPTIONS; o++)
        if ((!known || o->commands & 1u << id) &&
            (is_long ? strcmp(o->name, name) == 0 : letter && o->letter == letter))
            known = o;
    if (known && known->commands & 1u << id) {
        if (reason == ':')
            return grosr_say(GROSR_EXIT_USAGE, "--%s needs a value: --%s %s", known->name, known->name,
                             known->value);
        return grosr_say(GROSR_EXIT_USAGE, "--%s takes no value", known->name);
    }
    if (known)
        return grosr_say(GROSR_EXIT_USAGE,
                         "`grosr %s` has no option --%s; `grosr help %s` lists those it has", command,
                         known->name, command);
    if (!is_long)
        return grosr_say(GROSR_EXIT_USAGE, "`grosr %s` has no option -%c; `grosr help %s` lists those it has",
                         command, letter, command);
    const char *nearest = text_nearest(name, &options[0].name, OPTIONS, sizeof(options[0]));
    if (nearest)
        return grosr_say(GROSR_EXIT_USAGE, "no option --%s; did you mean --%s?", name, nearest);
    return grosr_say(GROSR_EXIT_USAGE, "no option --%s; `grosr help %s` lists those there are", name,
                     command);
}

/* getopt_long's list for one command. Returned values: the place in `options`. */
static void make_lists(enum command_id id, struct option *list, char *letters)
{
    /* ':' tells a missing value apart; '+' leaves everything from record's CMD on alone. */
    letters += sprintf(letters, id == COMMAND_RECORD ? "+:" : ":");
    for (int i = 0; i < OPTIONS; i++) {
        const struct option_text *o = &options[i];
        if (!(o->commands & 1u << id))
            continue;
        *list++ = (struct option){o->name, o->value ? required_argument : no_argument, NULL, i + 256};
        if (o->letter)
            letters += sprintf(letters, "%c%s", o->letter, o->value ? ":" : "");
    }
    memset(list, 0, sizeof(*list));
}

static const struct option_text *find_option(enum command_id id, int found)
{
    if (found >= 256)
        return &options[found - 256];
    for (const struct option_text *o = options; o < options + OPTIONS; o++)
        if (o->letter == found && o->commands & 1u << id)
            return o;
    return NULL;
}

/* What the options mean together. */
static int settle(const struct command_text *c, struct grosr_arguments *a, bool format_given)
{
    const char *no_color = getenv("NO_COLOR");

    if (a->color == GROSR_COLOR_AUTO && no_color && *no_color)
        a->color = GROSR_COLOR_NEVER;
    if (a->json && format_given && a->format != GROSR_FORMAT_JSON)
        return grosr_say(GROSR_EXIT_USAGE, "--json and --format %s exclude each other", formats[a->format]);
    if (a->json)
        a->format = GROSR_FORMAT_JSON;
    if (a->table && a->export_format != EXPORT_CSV)
        return grosr_say(GROSR_EXIT_USAGE, "--table is for --format csv; a timeline has all of a trace");
    if ((a->from || a->to) && a->export_format == EXPORT_CSV)
        return grosr_say(GROSR_EXIT_USAGE, "--from and --to are for timelines; `grosr query` selects rows");
    if (a->to && a->from >= a->to)
        return grosr_say(GROSR_EXIT_USAGE, "--from must be less than --to");
    if (a->operands < c->min_operands && !a->list)
        return grosr_say(GROSR_EXIT_USAGE, "%s", c->missing);
    if (c->max_operands >= 0 && a->operands > c->max_operands)
        return grosr_say(GROSR_EXIT_USAGE, "'%s' is one operand too many: grosr %s [OPTION]... %s",
                         a->operand[c->max_operands], c->name, c->usage);
    return -1;
}

int grosr_parse(int argc, char **argv, struct grosr_arguments *arguments)
{
    enum command_id id = command_find(argv[0]);
    struct option list[OPTIONS + 1];
    char letters[2 * OPTIONS + 4];
    bool format_given = false;
    int found, code;

    if (id == COMMAND_NONE)
        return command_unknown(argv[0]);
    make_lists(id, list, letters);
    *arguments = defaults;
    opterr = 0;
    optind = 0; /* GNU: start afresh */
    while ((found = getopt_long(argc, argv, letters, list, NULL)) != -1) {
        if (found == '?' || found == ':') {
            const struct option_text *o = optopt >= 256 ? &options[optopt - 256] : NULL;
            char full[64];
            if (!o)
                return refuse(id, found, optopt ? NULL : argv[optind - 1], optopt);
            snprintf(full, sizeof(full), "--%s", o->name); /* it may have been abbreviated */
            return refuse(id, found, full, 0);
        }
        const struct option_text *o = find_option(id, found);
        if (o->kind == HELP || o->kind == VERSION) {
            output_begin();
            if (o->kind == HELP)
                command_help(id);
            else
                puts("grosr " GROSR_VERSION);
            return output_end(GROSR_EXIT_OK);
        }
        code = set_value(o, optarg, arguments);
        if (code)
            return code;
        format_given |= o->at == offsetof(struct grosr_arguments, format);
    }
    arguments->operands = argc - optind;
    arguments->operand = argv + optind;
    return settle(&command_texts[id], arguments, format_given);
}
