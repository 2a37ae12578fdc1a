/*
 * Noticing stalls (stall.h).
 */
#include "stall.h"

#include "../session/worker_state.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>

/* Whether an event says no more than that a worker looks for tasks, or how it is recorded. */
static bool is_waiting(struct grosr_pair e)
{
    switch (grosr_event_kind(e)) {
    case GROSR_EV_WAIT_BEGIN:
    case GROSR_EV_WAIT_END:
        return grosr_event_payload(e) >> GROSR_WAIT_RES_BITS == GROSR_RES_QUEUE_NOT_EMPTY;
    case GROSR_EV_IDLE_BEGIN:
    case GROSR_EV_IDLE_END:
    case GROSR_EV_LEVEL:
    case GROSR_EV_LOST:
        return true;
    default:
        return false;
    }
}

void grosr_stall_see(struct grosr_stall *stall, const struct grosr_pair *events, uint32_t count)
{
    for (uint32_t i = 0; !stall->moved && i < count; i++)
        stall->moved = !is_waiting(events[i]);
}

/* What can be seen of a session's queues and workers. */
struct view {
    uint64_t untaken;                     /* tasks that wait in queues */
    uint64_t uncompleted;                 /* submitted, and not completed and collected */
    uint32_t workers[GROSR_ACTIVITIES];   /* how many do what */
    struct grosr_worker_state task, wait; /* of the first one IN_TASK, and the first one WAITING */
    uint32_t task_worker, wait_worker;    /* which these are */
    uint64_t counters;                    /* a hash of all that changes while the session moves */
    bool torn;                            /* a state word could not be read: it is just being written */
};

static void mix(uint64_t *hash, uint64_t word)
{
    *hash = (*hash ^ word) * 0x9e3779b97f4a7c15u;
    *hash ^= *hash >> 29;
}

static void look_at_worker(const struct grosr_session *session, uint32_t worker, struct view *v)
{
    struct grosr_worker_state state;
    struct grosr_worker_counts counts;

    if (!grosr_worker_read(session, worker, &state, &counts)) {
        v->torn = true;
        return;
    }
    mix(&v->counters, counts.tasks);
    mix(&v->counters, counts.spawned);
    uint32_t before = v->workers[state.activity]++;
    switch (state.activity) {
    case GROSR_IN_TASK:
        if (!before) {
            v->task = state;
            v->task_worker = worker;
        }
        break;
    case GROSR_WAITING:
        if (!before) {
            v->wait = state;
            v->wait_worker = worker;
        }
        break;
    case GROSR_RUNNING:
        break;
    default: /* owes nothing, and moves without progress: from SEEKING to IDLE and back */
        return;
    }
    /* A second task, or a second wait, differs from the first by its word. */
    mix(&v->counters, state.word.lo);
    mix(&v->counters, state.word.hi);
}

static struct view view_of(const struct grosr_session *session)
{
    struct view v = {.counters = 1};
    uint32_t level = sys_load_relaxed(&grosr_session_live(session)->level);

    for (uint32_t i = 0; i < session->header.queues; i++) {
        /* Before the loads of taken and enqueued: there is not more completed than taken. */
        uint64_t completed = sys_load_acquire(&grosr_session_queue(session, i)->completed), enqueued, taken;
        grosr_session_queue_counts(session, i, &enqueued, &taken);
        mix(&v.counters, completed);
        mix(&v.counters, taken);
        v.untaken += enqueued - taken;
        v.uncompleted += enqueued - completed;
    }
    for (uint32_t i = 0; level >= GROSR_LEVEL_COUNTERS && i < session->header.workers; i++)
        look_at_worker(session, i, &v);
    return v;
}

bool grosr_stall_look(struct grosr_stall *stall, const struct grosr_session *session, uint64_t now_ns,
                      uint64_t timeout_ns)
{
    struct view v;

    if (!session->header.workers)
        return false;
    v = view_of(session);
    bool owes = v.untaken || v.uncompleted || v.workers[GROSR_IN_TASK] || v.workers[GROSR_WAITING] ||
                v.workers[GROSR_RUNNING];
    if (!owes || v.torn || stall->moved || v.counters != stall->counters || !stall->since_ns) {
        stall->since_ns = now_ns;
        stall->after_ns = stall->looked_ns ? stall->looked_ns : now_ns;
    }
    stall->looked_ns = now_ns;
    stall->counters = v.counters;
    stall->moved = false;
    return now_ns - stall->since_ns >= timeout_ns;
}

/* ---- describing ---- */

struct line {
    char *text;
    size_t size, used;
    uint32_t parts; /* of the session's description so far */
};

__attribute__((format(printf, 2, 3))) static void add(struct line *l, const char *format, ...)
{
    va_list args;
    int n;

    va_start(args, format);
    n = l->used < l->size ? vsnprintf(l->text + l->used, l->size - l->used, format, args) : 0;
    va_end(args);
    l->used += n > 0 ? (size_t)n : 0;
}

static void add_name(struct line *l, const struct grosr_session *session, uint32_t space, uint32_t id)
{
    const char *name = grosr_session_name(session, space, id);
    char text[GROSR_NAME_BYTES];

    if (name) {
        grosr_session_copy_text(text, name, sizeof(text));
        add(l, "%s", text);
    } else {
        add(l, "%s %" PRIu32, space == GROSR_NAME_FUNCTION ? "function" : "resource", id);
    }
}

/* What a worker waits for that is no task. */
static void add_resource(struct line *l, const struct grosr_session *session,
                         const struct grosr_worker_state *wait)
{
    if (grosr_resource_has_name(wait->resource)) {
        add_name(l, session, GROSR_NAME_USER, (uint32_t)(wait->index >> 32));
        add(l, " %" PRIu32, (uint32_t)wait->index);
        return;
    }
    switch (wait->resource) {
    case GROSR_RES_SYSCALL_PORT:
        add(l, "a port for a system call");
        break;
    case GROSR_RES_SYSCALL_REPLY:
        add(l, "the reply to the system call in port %" PRIu64, wait->index);
        break;
    default:
        add(l, "room in queue %" PRIu64, wait->index);
        break;
    }
}

static void add_workers(struct line *l, uint32_t n, const char *one, const char *several)
{
    add(l, "%s%" PRIu32 " %s", l->parts++ ? "; " : "", n, n == 1 ? one : several);
}

void grosr_stall_describe(const struct grosr_stall *stall, const struct grosr_session *session,
                          uint64_t now_ns, char *text, size_t size)
{
    struct view v = view_of(session);
    struct line l = {text, size, 0, 0};
    uint32_t seeking = v.workers[GROSR_SEEKING] + v.workers[GROSR_IDLE];

    if (size)
        *text = 0;
    add(&l, "nothing has moved for %.1f s in process %" PRIu32 ": ", (double)(now_ns - stall->since_ns) / 1e9,
        session->header.pid);
    if (session->header.queues) {
        add(&l, "%" PRIu64 " tasks wait in queues, %" PRIu64 " submitted ones are not completed", v.untaken,
            v.uncompleted);
        l.parts++;
    }
    if (v.workers[GROSR_IN_TASK]) {
        add_workers(&l, v.workers[GROSR_IN_TASK], "worker is in a task", "workers are in tasks");
        add(&l, ", worker %" PRIu32 " in %" PRIu64 " of ", v.task_worker, v.task.task);
        add_name(&l, session, GROSR_NAME_FUNCTION, v.task.function);
    }
    if (v.workers[GROSR_WAITING]) {
        add_workers(&l, v.workers[GROSR_WAITING], "worker waits", "workers wait");
        add(&l, ", worker %" PRIu32 " for ", v.wait_worker);
        add_resource(&l, session, &v.wait);
    }
    if (v.workers[GROSR_RUNNING])
        add_workers(&l, v.workers[GROSR_RUNNING], "worker is in code of its own",
                    "workers are in code of their own");
    if (seeking)
        add_workers(&l, seeking, "worker waits for a task", "workers wait for tasks");
}
