/*
 * The command line: one table of options (options.c) from which parsing and --help come. A command names
 * those it takes; tests/lint/manual.t compares its help with the manual.
 */
#ifndef GROSR_OPTIONS_H
#define GROSR_OPTIONS_H

#include "say.h"
#include "../../runtime/grosr.h"

#include <stdbool.h>
#include <stdio.h>

#define GROSR_DEFAULT_TRACE "grosr.db" /* where `record` and `recover` write without -o */

enum grosr_color { GROSR_COLOR_AUTO, GROSR_COLOR_ALWAYS, GROSR_COLOR_NEVER };
enum grosr_format { GROSR_FORMAT_TABLE, GROSR_FORMAT_CSV, GROSR_FORMAT_JSON };
enum export_format { EXPORT_PERFETTO, EXPORT_CHROME, EXPORT_CSV };
enum graph_trace { GRAPH_TRACE_NODES, GRAPH_TRACE_WHOLE };

/* What `record` injects into a program; bits. GROSR_TRACE_CUDA_ALL: CUDA, and all its calls.
 * GROSR_TRACE_DEFAULT: not given, so what is possible. */
enum {
    GROSR_TRACE_NVTX = 1,
    GROSR_TRACE_CUDA = 2,
    GROSR_TRACE_CUDA_ALL = 4,
    GROSR_TRACE_CORE = 8, /* the GPU's core dump on request, which excludes CUPTI */
    GROSR_TRACE_API = 16, /* CUDA's calls, no kernels */
    GROSR_TRACE_PC = 32,  /* the same, and samples of PCs */
    GROSR_TRACE_DEFAULT = 1 << 16
};

/* The values of a command line; defaults where it gives none. */
struct grosr_arguments {
    const char *device;           /* --device auto|cuda|cuda:N|host */
    const char *output;           /* -o FILE; NULL: not given */
    bool json;                    /* --json */
    enum grosr_color color;       /* --color auto|always|never; NO_COLOR makes auto never */
    uint64_t tasks;               /* --tasks N, 1 .. 10^12; 0: not given */
    uint32_t repetitions;         /* --repetitions N; 0: not given */
    const char *plot;             /* --plot FILE; NULL: not given */
    uint32_t workers;             /* --workers N; 0: the device's default */
    uint32_t sms;                 /* --sms N; 0: all */
    enum grosr_level level;       /* --level off|counters|spans|full; default spans */
    uint32_t ring;                /* --ring N, events in a warp's ring; 0: not given, sized by the runtime */
    uint32_t heap;                /* --heap MIB; 0: not given, sized by the runtime */
    bool heap_debug;              /* --heap-debug */
    enum grosr_overflow overflow; /* --overflow drop|overwrite|block; default AUTO */
    const char *file;             /* --file FILE; NULL: not given */
    bool sandbox;                 /* --sandbox */
    bool cured;                   /* --cured */
    uint64_t rate;                /* --rate N, tasks a second; 0: not given */
    double seconds;               /* --seconds S: repeat the workload for S seconds; 0: once */
    bool list;                    /* --list */
    const char *attach;           /* --attach PID[.INDEX], checked; NULL: not given */
    bool remove;                  /* --remove */
    uint32_t trace;               /* --trace nvtx,cuda,cuda=all,core,api,pc|none: GROSR_TRACE_* */
    uint32_t counters;            /* --counters nvml,pm|none: GROSR_COUNTERS_* (tracer/collect/sampler.h) */
    double since;                 /* --since S; -1: not given */
    double window;                /* --window S; 0: not given */
    double until_stall;           /* --until stall[:S]; 0: not given */
    const char *persistent;       /* --persistent REGEX; NULL: not given */
    enum graph_trace graph_trace; /* --cuda-graph-trace node|graph; default node */
    bool watch;                   /* --watch */
    const char *on_stall;         /* --on-stall CMD; NULL: not given */
    bool dump;                    /* --dump */
    double threshold;             /* --threshold S; default 1 */
    bool once;                    /* --once */
    double interval;              /* --interval S, seconds between samples; default 1 */
    enum grosr_format format;     /* --format table|csv|json; --json implies json */
    enum export_format export_format; /* --format perfetto|chrome|csv, of `export` */
    const char *table;                /* --table NAME; NULL: not given */
    uint64_t from, to;                /* --from NS, --to NS, 1 .. 10^18; 0: not given */
    int operands;                     /* how many: operand[0 .. operands-1] */
    char **operand;                   /* for `record`, also everything after `--` */
};

/*
 * The options. Those with the same name but another help or meaning have an id each.
 */
enum option_id {
    OPTION_DEVICE,
    OPTION_OUTPUT_OF_RUN,
    OPTION_OUTPUT_TRACE,
    OPTION_OUTPUT_EXPORT,
    OPTION_OUTPUT_CORE,
    OPTION_TASKS,
    OPTION_REPETITIONS,
    OPTION_PLOT,
    OPTION_SECONDS,
    OPTION_RATE,
    OPTION_FILE,
    OPTION_SANDBOX,
    OPTION_CURED,
    OPTION_WORKERS,
    OPTION_SMS,
    OPTION_LEVEL,
    OPTION_RING,
    OPTION_OVERFLOW,
    OPTION_HEAP,
    OPTION_HEAP_DEBUG,
    OPTION_LIST,
    OPTION_ATTACH,
    OPTION_REMOVE,
    OPTION_TRACE,
    OPTION_COUNTERS,
    OPTION_SINCE,
    OPTION_WINDOW,
    OPTION_UNTIL,
    OPTION_PERSISTENT,
    OPTION_CUDA_GRAPH_TRACE,
    OPTION_WATCH,
    OPTION_ON_STALL,
    OPTION_DUMP,
    OPTION_THRESHOLD,
    OPTION_ONCE,
    OPTION_INTERVAL,
    OPTION_FORMAT_ROWS,
    OPTION_FORMAT_EXPORT,
    OPTION_TABLE,
    OPTION_FROM,
    OPTION_TO,
    OPTION_JSON,
    OPTION_COLOR,
    OPTION_HELP,
    OPTION_VERSION,
    OPTIONS,
};
#define TAKES(option) (UINT64_C(1) << OPTION_##option)

/* The facts of a command; the table is in command/commands.c. */
struct command {
    const char *name;
    const char *usage;              /* operands, as in the usage line */
    const char *summary;            /* for the list of commands */
    const char *description;        /* for its own help, wrapped at 80 columns */
    const char *operands;           /* for its own help, a line each; "" if there is nothing to explain */
    int min_operands, max_operands; /* max -1: a program's command line, where options end */
    const char *missing;            /* the message when there are fewer than min_operands */
    uint64_t options;               /* TAKES(...) of each; those that all commands take need not be named */
    int (*run)(const struct grosr_arguments *arguments); /* returns the exit code */
};

/* Parses the arguments of a command (argv[0] is its name). Returns -1 if it is to be run, or an exit code:
 * after --help or --version (0), or a usage error (2), whose one line has been printed. */
int grosr_parse(const struct command *command, int argc, char **argv, struct grosr_arguments *arguments);

/* Prints a command's help to stdout. */
void command_help(const struct command *command);

#endif
