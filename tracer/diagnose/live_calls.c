/*
 * System calls in the graph: who waits for a reply, and what the proxy does instead of giving it (live.h).
 *
 * The proxy is the process's threads. What they are in is read from /proc, so that a call that waits for
 * another process is told from a proxy that serves nobody. Where that may not be read, a call is only
 * remarked on.
 */
#include "live_parts.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>

static const char *call_name(uint32_t call)
{
    switch (call) {
#define GROSR_SYSCALL(id, NAME, name, text) \
    case id:                                \
        return #name;
#include "../../schema/events.def"
#undef GROSR_SYSCALL
    default:
        return "?";
    }
}

enum {
#define GROSR_SYSCALL(id, NAME, name, text) CALL_##NAME = id,
#include "../../schema/events.def"
#undef GROSR_SYSCALL
};

/* Where a call that is not answered is. */
enum place {
    PLACE_UNKNOWN,
    PLACE_DISK,    /* in the host's kernel, or in io_uring: it will come back */
    PLACE_SLEEPS,  /* a nanosleep whose time is not over */
    PLACE_OUTSIDE, /* waits for another process: `thread` and `text` say where */
    PLACE_NOWHERE, /* no thread of the process is in it */
};

static bool waits_otherwise(long call)
{
    return call == SYS_futex || call == SYS_nanosleep || call == SYS_clock_nanosleep || call == -1;
}

static bool moves_bytes(uint32_t call)
{
    return call == CALL_READ || call == CALL_WRITE || call == CALL_PREAD || call == CALL_PWRITE;
}

/* A thread that waits for another process is in one call: another one is preferred for the next call. */
static enum place place_of(struct live_graph *g, const struct grosr_live_call *c, uint64_t age,
                           const struct grosr_thread_fact **thread, char *text, size_t size)
{
    const struct grosr_live *live = g->live;
    bool seen = false, busy = false;

    if (c->call == CALL_NANOSLEEP && age < c->argument)
        return PLACE_SLEEPS;
    for (uint32_t i = 0; i < live->threads; i++) {
        const struct grosr_thread_fact *t = &live->thread[i];
        seen |= t->call >= 0;
        bool waits = t->quiet && t->fd >= 0 && moves_bytes(c->call) && (!*thread || !g->in_call[i]) &&
                     grosr_process_describe_fd(live->session->header.pid, t->fd, text, size);
        if (waits)
            *thread = t;
        if (waits && !g->in_call[i]) {
            g->in_call[i] = true;
            return PLACE_OUTSIDE;
        }
        /* poll() belongs to the case above; a thread without a system call runs. */
        busy |= t->state == 'D' || (t->quiet && !waits_otherwise(t->call));
    }
    if (*thread) {
        grosr_process_describe_fd(live->session->header.pid, (*thread)->fd, text, size);
        return PLACE_OUTSIDE;
    }
    if (busy)
        return PLACE_DISK;
    if (!seen || c->call == CALL_PREAD || c->call == CALL_PWRITE)
        return PLACE_UNKNOWN;
    return PLACE_NOWHERE;
}

/* A thread of the proxy: it has its name from the runtime. NULL: there is none. */
static const struct grosr_thread_fact *proxy_thread(const struct grosr_live *live)
{
    for (uint32_t i = 0; i < live->threads; i++)
        if (!strcmp(live->thread[i].name, GROSR_PROXY_THREAD))
            return &live->thread[i];
    return NULL;
}

/* Of a proxy that answers no more: whether it has ended or hangs, where, and when it last looked for calls.
 */
static void add_gone(struct live_graph *g, uint32_t proxy)
{
    const struct grosr_live *live = g->live;
    const struct grosr_thread_fact *t = live->dead ? NULL : proxy_thread(live);
    uint64_t looked = live_age(live, live->mailbox.looked_ns);
    char text[LIVE_TEXT], age[32];

    grosr_graph_set_state(g->graph, proxy, GROSR_ACTOR_GONE, 0);
    if (live->dead)
        grosr_graph_set_end(g->graph, proxy,
                            looked > g->findings->threshold_ns ? "it hung, and its process has died"
                                                               : "its process has died");
    else if (t && !live->mailbox.closed)
        grosr_graph_set_end(g->graph, proxy,
                            looked > g->findings->threshold_ns ? "it hangs"
                                                               : "it looks for calls, and does not answer");
    /* Once, however many calls it has to answer. */
    if (!live->mailbox.looked_ns || strstr(grosr_graph_actor_view(g->graph, proxy).facts, "last looked"))
        return;
    snprintf(text, sizeof(text), "the proxy last looked for calls %s before",
             grosr_duration_text(age, sizeof(age), looked));
    grosr_graph_actor_fact(g->graph, proxy, text);
    if (!t)
        return;
    snprintf(text, sizeof(text), "thread %" PRIu32 " of the proxy is in state %c%s%s%s", t->tid, t->state,
             *t->wchan ? ", in " : "", t->wchan, *t->wchan ? " of the host's kernel" : "");
    grosr_graph_actor_fact(g->graph, proxy, text);
}

/* The actor that has to reply, in the state that it is found in. */
static void add_server(struct live_graph *g, const struct grosr_live_call *c, uint32_t reply, uint64_t since,
                       uint64_t age)
{
    struct grosr_live *live = g->live;
    const struct grosr_thread_fact *thread = NULL;
    char text[LIVE_TEXT] = "", name[LIVE_TEXT + 128], seconds[32];
    enum place place = PLACE_UNKNOWN;

    if (live->dead || live->mailbox.closed) {
        uint32_t proxy = grosr_graph_actor(g->graph, GROSR_ACTOR_PROXY, 0, "the proxy");
        /* It had its chance: what was young when the process died would have been answered. */
        if (g->still || live->mailbox.closed)
            add_gone(g, proxy);
        grosr_graph_feed(g->graph, proxy, reply);
        return;
    }
    if (age > g->findings->threshold_ns)
        place = place_of(g, c, age, &thread, text, sizeof(text));
    if (place == PLACE_NOWHERE && !g->still)
        place = PLACE_UNKNOWN;
    if (place == PLACE_OUTSIDE && g->still) {
        snprintf(name, sizeof(name), "thread %" PRIu32 " of the proxy", thread->tid);
        uint32_t actor = grosr_graph_actor(g->graph, GROSR_ACTOR_THREAD, thread->tid, name);
        snprintf(name, sizeof(name), "%s of %s", call_name(c->call), text);
        uint32_t call = grosr_graph_resource(g->graph, GROSR_WANTED_CALL, thread->tid, name);
        snprintf(name, sizeof(name), "thread %" PRIu32 " is in %s, where it waits for another process%s%s%s",
                 thread->tid, text, *thread->wchan ? " (" : "", thread->wchan, *thread->wchan ? ")" : "");
        grosr_graph_resource_fact(g->graph, call, name);
        grosr_graph_wait(g->graph, actor, call, 1, 0, since);
        grosr_graph_feed(g->graph, actor, reply);
        return;
    }
    uint32_t proxy =
        grosr_graph_actor(g->graph, GROSR_ACTOR_PROXY, place == PLACE_NOWHERE,
                          place == PLACE_NOWHERE ? "the proxy" : "the proxy, which serves a call");
    if (place == PLACE_NOWHERE) {
        snprintf(name, sizeof(name),
                 "none of the %" PRIu32 " threads of the process is in a system call that "
                 "could be this one",
                 live->threads);
        if (!*grosr_graph_actor_view(g->graph, proxy).facts)
            grosr_graph_actor_fact(g->graph, proxy, name);
        add_gone(g, proxy);
    }
    grosr_graph_feed(g->graph, proxy, reply);
    if (place == PLACE_NOWHERE || age <= g->findings->threshold_ns)
        return;
    snprintf(name, sizeof(name), "a system call of the device has not been answered for %s",
             grosr_duration_text(seconds, sizeof(seconds), age));
    struct grosr_finding *f = grosr_findings_add(
        g->findings, GROSR_VERDICT_HEALTHY, "syscall_pending", age, name,
        place == PLACE_SLEEPS ? "None: it sleeps for as long as its caller asked for." : NULL);
    grosr_finding_evidence(g->findings, f, "port %" PRIu32 ": %s of handle %" PRId32 ", task %" PRIu64 "%s%s",
                           c->port, call_name(c->call), c->handle, c->task, *text ? "; " : "", text);
}

static uint32_t add_caller(struct live_graph *g, const struct grosr_live_call *c)
{
    char text[64];

    if (c->suspended) {
        snprintf(text, sizeof(text), "task %" PRIu64, c->task);
        return grosr_graph_actor(g->graph, GROSR_ACTOR_TASK, c->task, text);
    }
    if (c->worker < g->live->session->header.workers)
        return g->worker[c->worker];
    snprintf(text, sizeof(text), "a warp of another kernel, in port %" PRIu32, c->port);
    return grosr_graph_actor(g->graph, GROSR_ACTOR_WARP, c->port, text);
}

/* Whether the caller waits: a worker's state word says so (live_waits.c); it may also have begun a call that
 * it will ask for later. */
static bool waits_in_frame(const struct live_graph *g, const struct grosr_live_call *c)
{
    return c->suspended || c->worker >= g->live->session->header.workers;
}

static void add_call(struct live_graph *g, const struct grosr_live_call *c)
{
    uint64_t since = live_host_time(g->live, c->issued);
    uint64_t age = since && since < g->live->now_ns ? g->live->now_ns - since : 0;
    char text[LIVE_TEXT];

    if (!since) /* without a clock: nothing has moved at least since then */
        age = g->still ? g->live->now_ns - live_still_since(g->live) : 0;
    snprintf(text, sizeof(text), "the reply to %s in port %" PRIu32, call_name(c->call), c->port);
    uint32_t reply = grosr_graph_resource(g->graph, GROSR_WANTED_REPLY, c->port, text);
    snprintf(text, sizeof(text),
             "port %" PRIu32 ": %s of handle %" PRId32 ", task %" PRIu64 ", %" PRIu32
             " request%s not answered",
             c->port, call_name(c->call), c->handle, c->task, c->requests, c->requests == 1 ? "" : "s");
    grosr_graph_resource_fact(g->graph, reply, text);
    add_server(g, c, reply, since, age);
    if (waits_in_frame(g, c))
        grosr_graph_wait(g->graph, add_caller(g, c), reply, 1, 0, since);
}

static bool any_waits_for_port(const struct grosr_live *live)
{
    for (uint32_t i = 0; i < live->session->header.workers; i++) {
        const struct live_worker *w = &live->worker[i];
        if (w->known && w->state.activity == GROSR_WAITING && w->state.resource == GROSR_RES_SYSCALL_PORT)
            return true;
    }
    return false;
}

/* Who has the ports that others wait for: those whose calls are not answered, or who have not collected the
 * answers. */
static void add_ports(struct live_graph *g)
{
    const struct grosr_live_mailbox *m = &g->live->mailbox;
    uint32_t answered = 0;
    char text[LIVE_TEXT];

    if (!any_waits_for_port(g->live))
        return;
    uint32_t port = grosr_graph_resource(g->graph, GROSR_WANTED_PORT, 0, "a port for a system call");
    for (uint32_t i = 0; i < m->calls; i++) {
        const struct grosr_live_call *c = &m->call[i];
        answered += c->requests == 0;
        grosr_graph_hold(g->graph, add_caller(g, c), port, 1, live_host_time(g->live, c->issued));
    }
    if (!m->calls)
        grosr_graph_feed(g->graph, g->rest, port);
    snprintf(text, sizeof(text),
             "%" PRIu32 " of %" PRIu32 " ports are in use, %" PRIu32
             " of them by calls that were answered and whose answers nobody has collected",
             m->calls, g->live->session->header.mailbox_ports, answered);
    grosr_graph_resource_fact(g->graph, port, text);
}

void live_graph_calls(struct live_graph *g)
{
    const struct grosr_live_mailbox *m = &g->live->mailbox;

    for (uint32_t i = 0; i < m->calls; i++)
        if (m->call[i].requests)
            add_call(g, &m->call[i]);
    add_ports(g);
}
