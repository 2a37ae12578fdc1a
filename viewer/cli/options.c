/*
 * Options: one table. getopt_long's list, --help and every check of a value are made from it, so that no
 * two of them can disagree.
 *
 * A command accepts the options that its entry names (command/commands.c) and no others: an option that would
 * do nothing is refused, by name.
 */
#include "options.h"

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

#define STALL_SECONDS 5 /* default of --until stall, repeated in its help */

enum kind {
    FLAG,    /* a bool becomes true */
    STRING,  /* const char *, not empty */
    SESSION, /* const char *, PID or PID.INDEX */
    DEVICE,  /* const char *, one of `words` */
    CHOICE,  /* an enum: `first_value` + the place in `words` */
    SET,     /* uint32_t: a bit for each of `words`, given with commas between; or none */
    NUMBER,  /* uint32_t or uint64_t, whole, min .. max */
    SECONDS, /* double, min .. max */
    STALL,   /* double: `stall`, or stall:SECONDS, min .. max */
    HELP,
    VERSION,
};

struct option_text {
    const char *name;
    char letter; /* 0: none */
    enum kind kind;
    size_t at, bytes;  /* where its value goes in struct grosr_arguments */
    const char *value; /* what --help calls the value */
    const char *help;
    const char *fallback; /* what --help shows as the default; NULL: the value in `defaults` */
    double min, max;
    const char *const *words;
    int first_value;
};

#define AT(member) offsetof(struct grosr_arguments, member), sizeof(((struct grosr_arguments *)0)->member)

static const char *const devices[] = {"auto", "cuda", "cuda:N", "host", NULL};
static const char *const colors[] = {"auto", "always", "never", NULL};
static const char *const traces[] = {"nvtx", "cuda", "cuda=all", "core",
                                     "api",  "pc",   NULL}; /* GROSR_TRACE_* */
static const char *const counters[] = {"nvml", "pm", NULL}; /* GROSR_COUNTERS_* */
static const char *const graph_traces[] = {"node", "graph", NULL};
static const char *const formats[] = {"table", "csv", "json", NULL};
static const char *const export_formats[] = {"perfetto", "chrome", "csv", NULL};

static const struct grosr_arguments defaults = {
    .device = "auto",
    .level = GROSR_LEVEL_SPANS,
    .ring = 0,
    .interval = 1,
    .threshold = 1,
    .since = -1,
    .counters = GROSR_COUNTERS_NVML | GROSR_COUNTERS_DEFAULT,
    .trace = GROSR_TRACE_NVTX | GROSR_TRACE_CUDA | GROSR_TRACE_DEFAULT,
};

static const struct option_text options[OPTIONS] = {
    [OPTION_DEVICE] =
        {"device", .kind = DEVICE, AT(device), .value = "DEVICE",
         .help = "where to run: auto (a GPU if there is one), cuda, cuda:N (the GPU after N others) or host",
         .words = devices},
    [OPTION_OUTPUT_OF_RUN] = {"output", .letter = 'o', .kind = STRING, AT(output), .value = "FILE",
                              .help = "record, and write the trace to FILE", .fallback = ""},
    [OPTION_OUTPUT_TRACE] = {"output", .letter = 'o', .kind = STRING, AT(output), .value = "FILE",
                             .help = "write the trace to FILE", .fallback = GROSR_DEFAULT_TRACE},
    [OPTION_OUTPUT_EXPORT] = {"output", .letter = 'o', .kind = STRING, AT(output), .value = "FILE",
                              .help = "write to FILE, which appears or is replaced when complete",
                              .fallback = "standard output"},
    [OPTION_OUTPUT_CORE] = {"output", .letter = 'o', .kind = STRING, AT(output), .value = "FILE",
                            .help = "of a core dump, also make a trace FILE with a row for each warp",
                            .fallback = ""},
    [OPTION_TASKS] = {"tasks", .kind = NUMBER, AT(tasks), .value = "N", .help = "tasks to run",
                      .fallback = "100000; bench: the experiment's", .min = 1, .max = 1e12},
    [OPTION_REPETITIONS] = {"repetitions", .kind = NUMBER, AT(repetitions), .value = "N",
                            .help = "samples of each series", .fallback = "the experiment's", .min = 1,
                            .max = 100000},
    [OPTION_PLOT] = {"plot", .kind = STRING, AT(plot), .value = "FILE",
                     .help = "also plot the result, as SVG or PNG by the suffix of FILE", .fallback = ""},
    [OPTION_SECONDS] = {"seconds", .kind = SECONDS, AT(seconds), .value = "S",
                        .help = "repeat the workload for S seconds", .fallback = "once", .min = 0.001,
                        .max = 86400},
    [OPTION_RATE] = {"rate", .kind = NUMBER, AT(rate), .value = "N",
                     .help = "submit N tasks a second at most, spawned ones counted",
                     .fallback = "as fast as they run", .min = 1, .max = 1e12},
    [OPTION_FILE] = {"file", .kind = STRING, AT(file), .value = "FILE",
                     .help = "what the workload `read` reads", .fallback = "a file of 32 MiB that it makes"},
    [OPTION_SANDBOX] = {"sandbox", .kind = FLAG, AT(sandbox),
                        .help = "`read`: put the threads that make system calls behind a seccomp filter"},
    [OPTION_CURED] = {"cured", .kind = FLAG, AT(cured),
                      .help = "`stall:NAME`: apply the advice that its finding gives, and run to the end"},
    [OPTION_WORKERS] = {"workers", .kind = NUMBER, AT(workers), .value = "N", .help = "persistent warps",
                        .fallback = "the device's default", .min = 1, .max = GROSR_MAX_WORKERS},
    [OPTION_SMS] = {"sms", .kind = NUMBER, AT(sms), .value = "N", .help = "SMs to run on", .fallback = "all",
                    .min = 1, .max = 4096},
    [OPTION_LEVEL] = {"level", .kind = CHOICE, AT(level), .value = "LEVEL",
                      .help = "what is traced: off, counters, spans or full", .words = grosr_level_names},
    [OPTION_RING] = {"ring", .kind = NUMBER, AT(ring), .value = "N", .help = "events in each warp's ring",
                     .fallback = "64 MiB in all", .min = GROSR_RING_MIN, .max = GROSR_RING_MAX},
    [OPTION_OVERFLOW] = {"overflow", .kind = CHOICE, AT(overflow), .value = "POLICY",
                         .help = "when a ring is full: drop events, overwrite old ones, or block",
                         .fallback = "drop when recorded, else overwrite",
                         .words = grosr_overflow_names + GROSR_OVERFLOW_DROP,
                         .first_value = GROSR_OVERFLOW_DROP},
    [OPTION_HEAP] = {"heap", .kind = NUMBER, AT(heap), .value = "MIB",
                     .help = "MiB of device memory for what tasks allocate",
                     .fallback = "a quarter of what is free, 4096 at most", .min = 1, .max = 1 << 18},
    [OPTION_HEAP_DEBUG] = {"heap-debug", .kind = FLAG, AT(heap_debug),
                           .help = "red zones around what tasks allocate, and a report of what they leave"},
    [OPTION_LIST] = {"list", .kind = FLAG, AT(list),
                     .help = "list the workloads, experiments or canned queries"},
    [OPTION_ATTACH] = {"attach", .kind = SESSION, AT(attach), .value = "PID[.INDEX]",
                       .help = "record the sessions of a running process, or one of them"},
    [OPTION_REMOVE] = {"remove", .kind = FLAG, AT(remove),
                       .help = "remove the session's file once all of it is in the trace"},
    [OPTION_TRACE] =
        {"trace", .kind = SET, AT(trace), .value = "PARTS",
         .help =
             "what else to record of the program: nvtx, cuda, cuda=all (every call), or none; api,pc: CUDA "
             "calls and where warps stand, without cuda; core: arm it for `diagnose --dump`, without cuda",
         .fallback = "nvtx,cuda", .words = traces},
    [OPTION_COUNTERS] = {"counters", .kind = SET, AT(counters), .value = "LIST",
                         .help =
                             "GPU counters to record: nvml (power, clocks, ...), pm (SM activity), or none",
                         .fallback = "nvml, if there is a GPU", .words = counters},
    [OPTION_SINCE] =
        {"since", .kind = SECONDS, AT(since), .value = "S",
         .help = "with --attach, leave out what ended more than S seconds before the recording began",
         .fallback = "everything still in the rings", .max = 1e6},
    [OPTION_WINDOW] = {"window", .kind = SECONDS, AT(window), .value = "S",
                       .help = "keep only the last S seconds before the latest event", .fallback = "all",
                       .min = 0.001, .max = 1e6},
    [OPTION_UNTIL] =
        {"until", .kind = STALL, AT(until_stall), .value = "stall[:S]",
         .help = "stop when a session has stalled: it has work, and nothing has moved for S seconds, "
                 "by default 5",
         .fallback = "its end", .min = 0.2, .max = 1e6},
    [OPTION_PERSISTENT] =
        {"persistent", .kind = STRING, AT(persistent), .value = "REGEX",
         .help =
             "kernels that never end, besides GROSR's own: records of other kernels do not wait for theirs",
         .fallback = "none"},
    [OPTION_CUDA_GRAPH_TRACE] = {"cuda-graph-trace", .kind = CHOICE, AT(graph_trace), .value = "WHAT",
                                 .help = "record each node of CUDA graphs, or each launch of a graph as a "
                                         "whole: node or graph",
                                 .words = graph_traces},
    [OPTION_WATCH] = {"watch", .kind = FLAG, AT(watch),
                      .help = "look again and again, until a stall is found or the process ends"},
    [OPTION_ON_STALL] = {"on-stall", .kind = STRING, AT(on_stall), .value = "CMD",
                         .help = "with --watch, run CMD by /bin/sh when a stall is found", .fallback = ""},
    [OPTION_DUMP] =
        {"dump", .kind = FLAG, AT(dump),
         .help = "have the driver dump the GPU of an armed process, whose kernels may not survive it"},
    [OPTION_THRESHOLD] = {"threshold", .kind = SECONDS, AT(threshold), .value = "S",
                          .help = "a wait is a stall when it is older than S seconds", .min = 0.05,
                          .max = 1e6},
    [OPTION_ONCE] = {"once", .kind = FLAG, AT(once), .help = "print one sample and exit"},
    [OPTION_INTERVAL] = {"interval", .kind = SECONDS, AT(interval), .value = "S",
                         .help = "seconds between samples", .min = 0.05, .max = 3600},
    [OPTION_FORMAT_ROWS] = {"format", .kind = CHOICE, AT(format), .value = "FORMAT",
                            .help = "table, csv or json", .words = formats},
    [OPTION_FORMAT_EXPORT] = {"format", .kind = CHOICE, AT(export_format), .value = "FORMAT",
                              .help = "perfetto, chrome or csv", .words = export_formats},
    [OPTION_TABLE] = {"table", .kind = STRING, AT(table), .value = "NAME",
                      .help = "the view or table to write as csv", .fallback = "tasks"},
    [OPTION_FROM] = {"from", .kind = NUMBER, AT(from), .value = "NS",
                     .help = "leave out what ended before this time of the trace", .fallback = "its start",
                     .min = 1, .max = 1e18},
    [OPTION_TO] = {"to", .kind = NUMBER, AT(to), .value = "NS",
                   .help = "leave out what began at this time or later", .fallback = "its end", .min = 1,
                   .max = 1e18},
    [OPTION_JSON] = {"json", .kind = FLAG, AT(json), .help = "print JSON"},
    [OPTION_COLOR] = {"color", .kind = CHOICE, AT(color), .value = "WHEN", .help = "auto, always or never",
                      .words = colors},
    [OPTION_HELP] = {"help", .letter = 'h', .kind = HELP, .help = "this help"},
    [OPTION_VERSION] = {"version", .letter = 'V', .kind = VERSION, .help = "the version"},
};

static_assert(sizeof(enum grosr_level) == sizeof(int) && sizeof(enum grosr_overflow) == sizeof(int) &&
                  sizeof(enum grosr_color) == sizeof(int) && sizeof(enum grosr_format) == sizeof(int) &&
                  sizeof(enum export_format) == sizeof(int),
              "CHOICE stores an int");

/* "off, counters, spans or full"; `also` is one more, or NULL. */
static void join_words(char *to, size_t size, const char *const *words, const char *also)
{
    size_t n = 0;

    to[0] = 0;
    for (; *words && n < size; words++)
        n += (size_t)snprintf(to + n, size - n, "%s%s",
                              n == 0             ? ""
                              : words[1] || also ? ", "
                                                 : " or ",
                              *words);
    if (also && n < size)
        snprintf(to + n, size - n, " or %s", also);
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

/* Stores an option's value. 0, or the exit code after a message that names the values it takes. */
static int set_value(const struct option_text *o, const char *text, struct grosr_arguments *arguments)
{
    void *at = (char *)arguments + o->at;
    char words[128];
    uint64_t whole;
    uint32_t pid, index;
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
    case SESSION:
        if (!text_session(text, &pid, &index))
            return grosr_say(GROSR_EXIT_USAGE, "--%s takes a process id, or PID.INDEX, not '%s'", o->name,
                             text);
        *(const char **)at = text;
        return 0;
    case DEVICE:
    case CHOICE:
        place = find_word(o->words, text);
        if (o->kind == DEVICE ? !is_device(o->words, text) : place < 0) {
            join_words(words, sizeof(words), o->words, NULL);
            return grosr_say(GROSR_EXIT_USAGE, "--%s takes %s, not '%s'", o->name, words, text);
        }
        if (o->kind == DEVICE)
            *(const char **)at = text;
        else
            *(int *)at = o->first_value + place;
        return 0;
    case SET:
        if (!parse_set(o->words, text, (uint32_t *)at)) {
            join_words(words, sizeof(words), o->words, "none");
            return grosr_say(GROSR_EXIT_USAGE, "--%s takes %s, not '%s'", o->name, words, text);
        }
        return 0;
    case NUMBER:
        if (!text_whole_number(text, &whole) || whole < (uint64_t)o->min || whole > (uint64_t)o->max)
            return grosr_say(GROSR_EXIT_USAGE, "--%s takes a whole number from %.0f to %.0f, not '%s'",
                             o->name, o->min, o->max, text);
        if (o->bytes == sizeof(uint64_t))
            *(uint64_t *)at = whole;
        else
            *(uint32_t *)at = (uint32_t)whole;
        return 0;
    case SECONDS:
        if (!text_decimal(text, &number) || number < o->min || number > o->max)
            return grosr_say(GROSR_EXIT_USAGE, "--%s takes seconds from %g to %g, not '%s'", o->name, o->min,
                             o->max, text);
        *(double *)at = number;
        return 0;
    case STALL:
        number = STALL_SECONDS;
        if (strcmp(text, "stall") &&
            (strncmp(text, "stall:", strlen("stall:")) || !text_decimal(text + strlen("stall:"), &number) ||
             number < o->min || number > o->max))
            return grosr_say(GROSR_EXIT_USAGE,
                             "--%s takes stall, or stall: and seconds from %g to %g, not '%s'", o->name,
                             o->min, o->max, text);
        *(double *)at = number;
        return 0;
    case HELP:
    case VERSION:
        break;
    }
    return 0;
}

/* What --help shows in brackets: the default. "" for none. */
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

static bool takes(const struct command *c, const struct option_text *o)
{
    return (c->options | TAKES(HELP) | TAKES(VERSION)) >> (o - options) & 1;
}

void command_help(const struct command *c)
{
    char text[64];

    printf("Usage: grosr %s [OPTION]... %s\n", c->name, c->usage);
    printf("\n%s\n\n%s\nOptions:\n", c->description, c->operands);
    for (const struct option_text *o = options; o < options + OPTIONS; o++) {
        if (!takes(c, o))
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

/* getopt_long found something wrong with `word` (a long option) or `letter`. Reports what. */
static int refuse(const struct command *c, int reason, const char *word, int letter)
{
    const struct option_text *known = NULL;
    bool is_long = word && strncmp(word, "--", 2) == 0;
    char name[64];

    snprintf(name, sizeof(name), "%.*s", is_long ? (int)strcspn(word + 2, "=") : 0, is_long ? word + 2 : "");
    for (const struct option_text *o = options; o < options + OPTIONS; o++)
        if ((!known || takes(c, o)) && (is_long ? strcmp(o->name, name) == 0 : letter && o->letter == letter))
            known = o;
    if (known && takes(c, known)) {
        if (reason == ':')
            return grosr_say(GROSR_EXIT_USAGE, "--%s needs a value: --%s %s", known->name, known->name,
                             known->value);
        return grosr_say(GROSR_EXIT_USAGE, "--%s takes no value", known->name);
    }
    if (known)
        return grosr_say(GROSR_EXIT_USAGE,
                         "`grosr %s` has no option --%s; `grosr help %s` lists those it has", c->name,
                         known->name, c->name);
    if (!is_long)
        return grosr_say(GROSR_EXIT_USAGE, "`grosr %s` has no option -%c; `grosr help %s` lists those it has",
                         c->name, letter, c->name);
    const char *nearest = text_nearest(name, &options[0].name, OPTIONS, sizeof(options[0]));
    if (nearest)
        return grosr_say(GROSR_EXIT_USAGE, "no option --%s; did you mean --%s?", name, nearest);
    return grosr_say(GROSR_EXIT_USAGE, "no option --%s; `grosr help %s` lists those there are", name,
                     c->name);
}

/* getopt_long's list for one command. Returned values: the place in `options`. */
static void make_lists(const struct command *c, struct option *list, char *letters)
{
    /* ':' distinguishes a missing value; '+' ends the options at the first operand, a program to run. */
    letters += sprintf(letters, c->max_operands < 0 ? "+:" : ":");
    for (int i = 0; i < OPTIONS; i++) {
        const struct option_text *o = &options[i];
        if (!takes(c, o))
            continue;
        *list++ = (struct option){o->name, o->value ? required_argument : no_argument, NULL, i + 256};
        if (o->letter)
            letters += sprintf(letters, "%c%s", o->letter, o->value ? ":" : "");
    }
    memset(list, 0, sizeof(*list));
}

static const struct option_text *find_option(const struct command *c, int found)
{
    if (found >= 256)
        return &options[found - 256];
    for (const struct option_text *o = options; o < options + OPTIONS; o++)
        if (o->letter == found && takes(c, o))
            return o;
    return NULL;
}

/* Checks the options against each other. */
static int settle(const struct command *c, struct grosr_arguments *a, bool format_given)
{
    const char *no_color = getenv("NO_COLOR");

    if (a->color == GROSR_COLOR_AUTO && no_color && *no_color)
        a->color = GROSR_COLOR_NEVER;
    if (a->json && format_given && a->format != GROSR_FORMAT_JSON)
        return grosr_say(GROSR_EXIT_USAGE, "--json and --format %s exclude each other", formats[a->format]);
    if (a->json)
        a->format = GROSR_FORMAT_JSON;
    if (a->table && a->export_format != EXPORT_CSV)
        return grosr_say(GROSR_EXIT_USAGE,
                         "--table is for --format csv; a timeline contains the whole trace");
    if ((a->from || a->to) && a->export_format == EXPORT_CSV)
        return grosr_say(GROSR_EXIT_USAGE, "--from and --to are for timelines; `grosr query` selects rows");
    if (a->to && a->from >= a->to)
        return grosr_say(GROSR_EXIT_USAGE, "--from must be less than --to");
    if (a->operands < c->min_operands && !a->list)
        return grosr_say(GROSR_EXIT_USAGE, "%s", c->missing);
    if (a->operands && !*a->operand[0])
        return grosr_say(GROSR_EXIT_USAGE, "'' is no operand: grosr %s [OPTION]... %s", c->name, c->usage);
    if (c->max_operands >= 0 && a->operands > c->max_operands)
        return grosr_say(GROSR_EXIT_USAGE, "unexpected operand '%s': grosr %s [OPTION]... %s",
                         a->operand[c->max_operands], c->name, c->usage);
    return -1;
}

int grosr_parse(const struct command *command, int argc, char **argv, struct grosr_arguments *arguments)
{
    struct option list[OPTIONS + 1];
    char letters[2 * OPTIONS + 4];
    bool format_given = false;
    int found, code;

    make_lists(command, list, letters);
    *arguments = defaults;
    opterr = 0;
    optind = 0; /* GNU: start afresh */
    while ((found = getopt_long(argc, argv, letters, list, NULL)) != -1) {
        if (found == '?' || found == ':') {
            const struct option_text *o = optopt >= 256 ? &options[optopt - 256] : NULL;
            char full[64];
            if (!o)
                return refuse(command, found, optopt ? NULL : argv[optind - 1], optopt);
            snprintf(full, sizeof(full), "--%s", o->name); /* it may have been abbreviated */
            return refuse(command, found, full, 0);
        }
        const struct option_text *o = find_option(command, found);
        if (o->kind == HELP || o->kind == VERSION) {
            output_begin();
            if (o->kind == HELP)
                command_help(command);
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
    return settle(command, arguments, format_given);
}
