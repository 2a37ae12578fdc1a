/*
 * The words of findings: names of nodes in lists of bounded length, what is done to a resource, times.
 */
#include "findings_parts.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>

#define MAX_NAMES 3 /* of a list */

const char *grosr_text_actor(const struct finding_writer *w, uint32_t actor)
{
    return grosr_graph_actor_view(w->graph, actor).text;
}

const char *grosr_text_resource(const struct finding_writer *w, uint32_t resource)
{
    return grosr_graph_resource_view(w->graph, resource).text;
}

static const char *plural(enum grosr_actor_kind kind)
{
    static const char *const plurals[GROSR_ACTOR_KINDS] = {
        [GROSR_ACTOR_WORKER] = "workers",    [GROSR_ACTOR_WARP] = "warps",
        [GROSR_ACTOR_TASK] = "tasks",        [GROSR_ACTOR_THREAD] = "threads",
        [GROSR_ACTOR_PROXY] = "proxies",     [GROSR_ACTOR_KERNEL] = "kernels",
        [GROSR_ACTOR_COPY] = "copies",       [GROSR_ACTOR_GRAPH] = "graphs",
        [GROSR_ACTOR_PROCESS] = "processes", [GROSR_ACTOR_HOST_FUNCTION] = "host functions",
    };

    return (unsigned)kind < GROSR_ACTOR_KINDS && plurals[kind] ? plurals[kind] : "actors";
}

/* What is done to a resource to supply it: "which X could ..."; NULL: whoever waits for it is behind X. */
const char *grosr_supply_verb(enum grosr_graph_resource kind)
{
    switch (kind) {
    case GROSR_WANTED_QUEUE_ROOM:
        return "make";
    case GROSR_WANTED_QUEUE_TASK:
        return "put there";
    case GROSR_WANTED_REPLY:
        return "give";
    case GROSR_WANTED_WORD:
        return "write";
    case GROSR_WANTED_DEPENDENCY:
        return "bring about";
    case GROSR_WANTED_GRAPH_LAUNCH:
        return "launch";
    case GROSR_WANTED_LOCK:
    case GROSR_WANTED_MUTEX:
    case GROSR_WANTED_PORT:
    case GROSR_WANTED_MEMORY:
    case GROSR_WANTED_SM_ROOM:
        return "give back";
    case GROSR_WANTED_BARRIER:
        return "reach";
    case GROSR_WANTED_STREAM_ORDER:
    case GROSR_WANTED_EVENT:
    case GROSR_WANTED_KERNEL_END:
    case GROSR_WANTED_HOST_FUNCTION_END:
    case GROSR_WANTED_CALL:
        return NULL;
    case GROSR_WANTED_NAMED:
    case GROSR_WANTED_KINDS:
        break;
    }
    return "supply";
}

bool grosr_is_end(enum grosr_graph_resource kind)
{
    return kind == GROSR_WANTED_KERNEL_END || kind == GROSR_WANTED_HOST_FUNCTION_END;
}

const char *grosr_hold_verb(enum grosr_graph_resource kind)
{
    return kind == GROSR_WANTED_SM_ROOM || kind == GROSR_WANTED_PORT ? "occupies" : "holds";
}

void grosr_finding_say(struct finding_text *t, const char *format, ...)
{
    va_list args;

    if (!t->file)
        t->file = open_memstream(&t->bytes, &t->length);
    if (!t->file)
        return;
    va_start(args, format);
    vfprintf(t->file, format, args);
    va_end(args);
}

/* The text, which is the caller's; NULL: out of memory, which is noted. */
char *grosr_text_finish(const struct finding_writer *w, struct finding_text *t)
{
    if (!t->file || fclose(t->file))
        w->findings->error = -ENOMEM;
    return t->bytes;
}

const char *grosr_duration_text(char *text, size_t size, uint64_t ns)
{
    double seconds = (double)ns / 1e9;

    if (ns >= UINT64_C(10000000000))
        snprintf(text, size, "%.0f s", seconds);
    else if (ns >= 1000000000 || ns == 0)
        snprintf(text, size, "%.1f s", seconds);
    else if (ns >= 10000000)
        snprintf(text, size, "%.0f ms", seconds * 1e3);
    else if (ns >= 100000)
        snprintf(text, size, "%.1f ms", seconds * 1e3);
    else
        snprintf(text, size, "%.1f us", seconds * 1e6);
    return text;
}

void grosr_finding_say_duration(struct finding_text *t, uint64_t ns)
{
    char text[24];

    grosr_finding_say(t, "%s", grosr_duration_text(text, sizeof(text), ns));
}

/* "a", "a and b", "a, b and c", "a, b, c and 61 more". */
void grosr_finding_say_names(struct finding_text *t, const struct finding_writer *w, node_text *text,
                             const uint32_t *node, uint32_t nodes)
{
    uint32_t shown = nodes > MAX_NAMES ? MAX_NAMES : nodes;

    for (uint32_t i = 0; i < shown; i++)
        grosr_finding_say(t, "%s%s", !i ? "" : i + 1 == nodes ? " and " : ", ", text(w, node[i]));
    if (nodes > shown)
        grosr_finding_say(t, " and %" PRIu32 " more", nodes - shown);
}

/* "64 workers (worker 0, worker 1, worker 2 and 61 more)". */
void grosr_finding_say_actors(struct finding_text *t, const struct finding_writer *w, const uint32_t *actor,
                              uint32_t actors)
{
    enum grosr_actor_kind kind = grosr_graph_actor_view(w->graph, actor[0]).kind;
    bool counted = actors > MAX_NAMES, same = true;

    for (uint32_t i = 1; same && i < actors; i++)
        same = grosr_graph_actor_view(w->graph, actor[i]).kind == kind;
    if (counted)
        grosr_finding_say(t, "%" PRIu32 " %s (", actors, same ? plural(kind) : "actors");
    grosr_finding_say_names(t, w, grosr_text_actor, actor, actors);
    grosr_finding_say(t, "%s", counted ? ")" : "");
}

void grosr_finding_say_link(struct finding_text *t, const struct finding_writer *w, uint32_t resource,
                            uint32_t next, bool itself)
{
    struct grosr_resource_view r = grosr_graph_resource_view(w->graph, resource);
    const char *name = itself ? "it" : grosr_text_actor(w, next), *verb = grosr_supply_verb(r.kind);
    bool holds = false;

    for (uint32_t i = 0; !holds && i < r.holds; i++)
        holds = r.hold[i].actor == next;
    if (holds)
        grosr_finding_say(t, ", which %s %s%s", name, grosr_hold_verb(r.kind), itself ? " itself" : "");
    else if (verb)
        grosr_finding_say(t, ", which %s%s could %s", itself ? "only " : "", name, verb);
    else if (itself || !grosr_is_end(r.kind))
        grosr_finding_say(t, ", behind %s", itself ? "itself" : name);
}
