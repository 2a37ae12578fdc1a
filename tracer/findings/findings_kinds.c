/*
 * Which kind of cause a stuck set is (findings.def), from what its actors wait for and who could have
 * supplied it; and what is enough evidence for a task without an end.
 */
#include "findings_parts.h"

#include <string.h>

static const struct grosr_finding_kind kinds[] = {
#define GROSR_FINDING(kind, verdict, text, advice) {kind, GROSR_VERDICT_##verdict, text, advice},
#include "findings.def"
#undef GROSR_FINDING
};

const struct grosr_finding_kind *grosr_finding_kinds(uint32_t *count)
{
    *count = sizeof(kinds) / sizeof(*kinds);
    return kinds;
}

const struct grosr_finding_kind *grosr_finding_kind_find(const char *kind, enum grosr_verdict verdict)
{
    const struct grosr_finding_kind *found = NULL;

    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++)
        if (!strcmp(kinds[i].kind, kind) && (!found || kinds[i].verdict == verdict))
            found = &kinds[i];
    return found;
}

bool grosr_is_endless(const struct grosr_findings *findings, uint64_t ended, uint64_t longest_ns, bool even,
                      uint64_t silent_ns)
{
    return even && ended >= GROSR_ENDLESS_RUNS && silent_ns / GROSR_ENDLESS_LONGER > longest_ns &&
           silent_ns / GROSR_ENDLESS_THRESHOLDS > findings->threshold_ns;
}

const char *grosr_deadlock_kind(const struct grosr_graph *graph, const struct grosr_stuck_set *set)
{
    /* The most particular first: what makes the cycle a cycle. */
    static const struct {
        enum grosr_graph_resource resource;
        const char *kind;
    } by_resource[] = {
        {GROSR_WANTED_GRAPH_LAUNCH, "capture_not_launched"},
        {GROSR_WANTED_SM_ROOM, "not_resident"},
        {GROSR_WANTED_HOST_FUNCTION_END, "host_function_stuck"},
        {GROSR_WANTED_CALL, "call_cycle"},
        {GROSR_WANTED_STREAM_ORDER, "stream_cycle"},
        {GROSR_WANTED_EVENT, "stream_cycle"},
        {GROSR_WANTED_KERNEL_END, "call_cycle"},
        {GROSR_WANTED_MEMORY, "memory_deadlock"},
        {GROSR_WANTED_PORT, "ports_exhausted"},
        {GROSR_WANTED_QUEUE_ROOM, "queue_full_cycle"},
        {GROSR_WANTED_DEPENDENCY, "dependency_cycle"},
        {GROSR_WANTED_BARRIER, "barrier_cycle"},
    };
    bool found[GROSR_WANTED_KINDS] = {false}, all_locks = true;

    for (uint32_t i = 1; i < set->cycle_length; i += 2) {
        struct grosr_resource_view resource = grosr_graph_resource_view(graph, set->cycle[i]);
        found[resource.kind] = true;
        all_locks = all_locks && (resource.kind == GROSR_WANTED_LOCK || resource.kind == GROSR_WANTED_MUTEX ||
                                  (resource.kind == GROSR_WANTED_NAMED && resource.holds));
    }
    for (size_t i = 0; i < sizeof(by_resource) / sizeof(*by_resource); i++)
        if (found[by_resource[i].resource])
            return by_resource[i].kind;
    return all_locks ? "lock_cycle" : "deadlock";
}

static bool has_gone(const struct grosr_graph *graph, const struct grosr_graph_edge *edge, uint32_t edges,
                     enum grosr_actor_kind kind)
{
    for (uint32_t i = 0; i < edges; i++) {
        struct grosr_actor_view actor = grosr_graph_actor_view(graph, edge[i].actor);
        if (actor.state == GROSR_ACTOR_GONE && (!kind || actor.kind == kind))
            return true;
    }
    return false;
}

const char *grosr_starved_kind(const struct grosr_graph *graph, uint32_t resource)
{
    struct grosr_resource_view r = grosr_graph_resource_view(graph, resource);
    const enum grosr_actor_kind any = (enum grosr_actor_kind)0;
    bool holder = has_gone(graph, r.hold, r.holds, any), feeder = has_gone(graph, r.feed, r.feeds, any);

    if (has_gone(graph, r.feed, r.feeds, GROSR_ACTOR_PROXY))
        return "dead_proxy";
    if (*r.unknown && !holder && !feeder)
        return "holder_not_recorded";
    switch (r.kind) {
    case GROSR_WANTED_LOCK:
    case GROSR_WANTED_MUTEX:
        return holder ? "lock_abandoned" : "starved";
    case GROSR_WANTED_NAMED:
    case GROSR_WANTED_WORD:
        return holder ? "lock_abandoned" : feeder ? "stopped_producer" : "lost_wakeup";
    case GROSR_WANTED_QUEUE_TASK:
        return "stopped_producer";
    case GROSR_WANTED_QUEUE_ROOM:
        return "stopped_consumer";
    case GROSR_WANTED_PORT:
        return "ports_exhausted";
    case GROSR_WANTED_MEMORY:
        return "memory_exhausted";
    case GROSR_WANTED_DEPENDENCY:
        return "dependency_never_met";
    case GROSR_WANTED_BARRIER:
        return "barrier_skipped";
    case GROSR_WANTED_SM_ROOM:
        return "not_resident";
    case GROSR_WANTED_EVENT:
        return "event_never_recorded";
    case GROSR_WANTED_GRAPH_LAUNCH:
        return "capture_not_launched";
    case GROSR_WANTED_HOST_FUNCTION_END:
        return "host_function_stuck";
    case GROSR_WANTED_CALL:
        return "call_blocked";
    case GROSR_WANTED_REPLY:
        return "call_not_answered";
    case GROSR_WANTED_STREAM_ORDER:
    case GROSR_WANTED_KERNEL_END:
    case GROSR_WANTED_KINDS:
        break;
    }
    return "starved";
}
