/*
 * Noticing stalls (stall.h).
 */
#include "stall.h"

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

/* What is to be said of a session's workers and tasks. */
struct view {
    uint64_t untaken;                                /* tasks that wait in queues */
    uint64_t uncompleted;                            /* submitted, and not completed and collected */
    uint32_t in_tasks, in_waits, elsewhere, seeking; /* workers; seeking: waiting for tasks */
    struct grosr_pair task, wait;                    /* the state of one of them */
    uint32_t task_worker, wait_worker;
    uint64_t counters;
    bool torn; /* a state word that could not be read: it is just being written */
};

static void mix(uint64_t *hash, uint64_t word)
{
    *hash = (*hash ^ word) * 0x9e3779b97f4a7c15u;
    *hash ^= *hash >> 29;
}

static void look_at_worker(const struct grosr_session *session, uint32_t worker, struct view *v)
{
    const struct grosr_worker_entry *entry = grosr_session_worker(session, worker);
    struct grosr_pair state = sys_load_pair_relaxed(&entry->state);
    struct grosr_pair counts = sys_load_pair_relaxed(&entry->counts);
    struct grosr_pair spawns = sys_load_pair_relaxed(&entry->spawns);

    mix(&v->counters, counts.lo);
    mix(&v->counters, spawns.lo);
    if (state.lo == 0)
        return;
    if (grosr_event_lap(state) < 0) {
        v->torn = true;
        return;
    }
    switch (grosr_event_kind(state)) {
    case GROSR_EV_WORKER_STOP:
        return;
    case GROSR_EV_IDLE_BEGIN:
    case GROSR_EV_IDLE_END:
        v->seeking++;
        return;
    case GROSR_EV_WAIT_BEGIN:
        if (is_waiting(state)) {
            v->seeking++;
            return;
        }
        if (v->in_waits++ == 0) {
            v->wait = state;
            v->wait_worker = worker;
        }
        break;
    case GROSR_EV_TASK_BEGIN:
    case GROSR_EV_TASK_RESUME:
        if (v->in_tasks++ == 0) {
            v->task = state;
            v->task_worker = worker;
        }
        break;
    case GROSR_EV_WAIT_END:
        if (is_waiting(state)) {
            v->seeking++;
            return;
        }
        v->elsewhere++;
        break;
    default:
        v->elsewhere++;
        break;
    }
    /* The words tell a second task, or a second wait, from the first. */
    mix(&v->counters, state.lo);
    mix(&v->counters, state.hi);
}

static struct view view_of(const struct grosr_session *session)
{
    struct view v = {.counters = 1};
    uint32_t level = sys_load_relaxed(&grosr_session_live(session)->level);

    for (uint32_t i = 0; i < session->header.queues; i++) {
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
    bool owes = v.untaken || v.uncompleted || v.in_tasks || v.in_waits || v.elsewhere;
    if (!owes || v.torn || stall->moved || v.counters != stall->counters || !stall->since_ns) {
        stall->since_ns = now_ns;
        stall->after_ns = stall->looked_ns ? stall->looked_ns : now_ns;
    }
    stall->looked_ns = now_ns;
    stall->counters = v.counters;
    stall->moved = false;
    return now_ns - stall->since_ns >= timeout_ns;
}

/* ---- telling ---- */

struct line {
    char *text;
    size_t size, used;
    uint32_t parts; /* said of the session */
};

__attribute__((format(printf, 2, 3))) static void say(struct line *l, const char *format, ...)
{
    va_list args;
    int n;

    va_start(args, format);
    n = l->used < l->size ? vsnprintf(l->text + l->used, l->size - l->used, format, args) : 0;
    va_end(args);
    l->used += n > 0 ? (size_t)n : 0;
}

static void say_name(struct line *l, const struct grosr_session *session, uint32_t space, uint32_t id)
{
    const char *name = grosr_session_name(session, space, id);
    char text[GROSR_NAME_BYTES];

    if (name) {
        grosr_session_copy_text(text, name, sizeof(text));
        say(l, "%s", text);
    } else {
        say(l, "%s %" PRIu32, space == GROSR_NAME_FUNCTION ? "function" : "resource", id);
    }
}

static void say_workers(struct line *l, uint32_t n, const char *one, const char *more)
{
    say(l, "%s%" PRIu32 " %s", l->parts++ ? "; " : "", n, n == 1 ? one : more);
}

void grosr_stall_tell(const struct grosr_stall *stall, const struct grosr_session *session, uint64_t now_ns,
                      char *text, size_t size)
{
    struct view v = view_of(session);
    struct line l = {text, size, 0, 0};

    if (size)
        *text = 0;
    say(&l, "nothing has moved for %.1f s in process %" PRIu32 ": ", (double)(now_ns - stall->since_ns) / 1e9,
        session->header.pid);
    if (session->header.queues) {
        say(&l, "%" PRIu64 " tasks wait in queues, %" PRIu64 " submitted ones are not completed", v.untaken,
            v.uncompleted);
        l.parts++;
    }
    if (v.in_tasks) {
        uint64_t payload = grosr_event_payload(v.task);
        say_workers(&l, v.in_tasks, "worker is in a task", "workers are in tasks");
        say(&l, ", worker %" PRIu32 " in %" PRIu64 " of ", v.task_worker, payload & GROSR_TASK_ID_MASK);
        say_name(&l, session, GROSR_NAME_FUNCTION, (uint32_t)(payload >> GROSR_TASK_ID_BITS));
    }
    if (v.in_waits) {
        uint64_t payload = grosr_event_payload(v.wait);
        uint64_t index = payload & ((UINT64_C(1) << GROSR_WAIT_RES_BITS) - 1);
        say_workers(&l, v.in_waits, "worker waits", "workers wait");
        say(&l, ", worker %" PRIu32 " for ", v.wait_worker);
        if (payload >> GROSR_WAIT_RES_BITS == GROSR_RES_NAMED) {
            say_name(&l, session, GROSR_NAME_USER, (uint32_t)(index >> 32));
            say(&l, " %" PRIu32, (uint32_t)index);
        } else {
            say(&l, "room in queue %" PRIu64, index);
        }
    }
    if (v.elsewhere)
        say_workers(&l, v.elsewhere, "worker is in code of its own", "workers are in code of their own");
    if (v.seeking)
        say_workers(&l, v.seeking, "worker waits for a task", "workers wait for tasks");
}
