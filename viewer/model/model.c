#include "model_parts.h"
#include "model_syscalls.h"

#include "../../tracer/base/error.h"
#include "../../tracer/session/ring.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int model_open(struct model_source **out, const struct grosr_session *session)
{
    const struct grosr_session_header *h = &session->header;
    struct model_source *s = (struct model_source *)calloc(1, sizeof(*s));

    if (!s)
        return grosr_fail(ENOMEM, "out of memory");
    s->session = session;
    grosr_clock_init(&s->clock, session);
    s->model.queues = h->queues < MODEL_MAX_QUEUES ? h->queues : MODEL_MAX_QUEUES;
    s->model.queue = (struct model_queue *)calloc(s->model.queues + 1, sizeof(*s->model.queue));
    s->model.sm = (struct model_sm *)calloc(MODEL_MAX_SMS, sizeof(*s->model.sm));
    s->sm_busy_ns = (uint64_t *)calloc(MODEL_MAX_SMS, sizeof(*s->sm_busy_ns));
    s->worker = (struct worker_memory *)calloc(h->workers + 1, sizeof(*s->worker));
    if (!s->model.queue || !s->model.sm || !s->sm_busy_ns || !s->worker) {
        model_close(s);
        return grosr_fail(ENOMEM, "out of memory");
    }
    *out = s;
    return 0;
}

void model_close(struct model_source *s)
{
    if (!s)
        return;
    grosr_clock_free(&s->clock);
    grosr_live_close(s->live);
    grosr_calls_look_free(s->calls_look);
    free(s->model.queue);
    free(s->model.sm);
    free(s->sm_busy_ns);
    free(s->worker);
    free(s);
}

static uint64_t since(uint64_t then, uint64_t now)
{
    return now > then ? now - then : 0;
}

static void sample_session(struct model_source *s, uint64_t now)
{
    const struct grosr_session_header *h = &s->session->header, *live = grosr_session_live(s->session);
    struct model_session *m = &s->model.session;

    m->pid = h->pid;
    m->index = h->index;
    snprintf(m->device, sizeof(m->device), "%s", h->device);
    snprintf(m->device_name, sizeof(m->device_name), "%s", h->device_name);
    snprintf(m->program, sizeof(m->program), "%s", h->program);
    m->workers = h->workers;
    m->max_warps_per_sm = h->max_warps_per_sm;
    m->uptime_ns = since(h->start_mono_ns, now);
    m->level = sys_load_relaxed(&live->level);
    m->overflow = sys_load_relaxed(&live->overflow);
    m->collector_pid = sys_load_relaxed(&live->collector_pid);
    m->finished = sys_load_relaxed(&live->state) != GROSR_SESSION_OPEN;
    m->alive = grosr_session_alive(s->session);
}

static void sample_queues(struct model_source *s, uint64_t now)
{
    struct model *m = &s->model;

    m->tasks.enqueued = m->tasks.completed = 0;
    for (uint32_t i = 0; i < m->queues; i++) {
        const struct grosr_queue_entry *entry = grosr_session_queue(s->session, i);
        const char *name = grosr_session_name(s->session, GROSR_NAME_QUEUE, i);
        struct model_queue *q = &m->queue[i];
        uint64_t oldest = grosr_session_queue_oldest(s->session, i);

        if (name)
            grosr_session_copy_text(q->name, name, GROSR_NAME_BYTES);
        else
            snprintf(q->name, sizeof(q->name), "queue %u", i);
        grosr_session_queue_counts(s->session, i, &q->enqueued, &q->dequeued);
        q->capacity = s->session->queue[i].capacity;
        q->depth = since(q->dequeued, q->enqueued);
        q->max_depth = sys_load_relaxed(&entry->max_depth);
        q->oldest_wait_ns = q->depth && oldest ? since(oldest, now) : 0;
        if (q->oldest_wait_ns > m->session.uptime_ns) /* no task is older than its session */
            q->oldest_wait_ns = m->session.uptime_ns;
        m->tasks.enqueued += q->enqueued;
        m->tasks.completed += sys_load_relaxed(&entry->completed);
    }
}

static void sample_trace(struct model_source *s)
{
    struct model_trace *t = &s->model.trace;

    memset(t, 0, sizeof(*t));
    for (uint32_t i = 0; i < s->session->header.rings; i++) {
        struct grosr_ring_counts c;
        grosr_ring_count(s->session, i, &c);
        t->written += c.written;
        t->read += c.read;
        t->dropped += c.dropped;
        t->overwritten += c.overwritten;
    }
}

/* How long the task that the worker is in has been running. */
static uint64_t running_ns(struct model_source *s, const struct grosr_worker_state *state,
                           const struct worker_memory *before, uint64_t now)
{
    uint64_t near_ns, begin, bound;

    if (state->activity != GROSR_IN_TASK)
        return 0;
    if (grosr_clock_near(&s->clock, now, &near_ns) &&
        grosr_clock_place(&s->clock, grosr_clock_extend(state->since, GROSR_KIND_SHIFT, near_ns), &begin,
                          &bound))
        return since(begin, now);
    /* Without a clock: the same task as at the last sample has run all the time since. */
    return state->word.lo == before->state.word.lo ? now - s->sampled_ns : 0;
}

/* Time in tasks since the last sample: at most the interval. */
static uint64_t busy_in_interval(struct model_source *s, struct worker_memory *memory,
                                 const struct grosr_worker_state *state,
                                 const struct grosr_worker_counts *counts, uint64_t now)
{
    uint64_t interval = now - s->sampled_ns;
    bool clock_known = grosr_clock_near(&s->clock, now, &(uint64_t){0});
    uint64_t running = running_ns(s, state, memory, now);
    uint64_t total = counts->busy_ns + (clock_known ? running : 0);
    uint64_t busy = since(memory->busy_ns, total) + (clock_known ? 0 : running);

    memory->busy_ns = total;
    memory->state = *state;
    return busy < interval ? busy : interval;
}

/* Per cent; NAN of nothing. */
static double share(double part, double whole)
{
    if (!(whole > 0))
        return NAN;
    return part < whole ? 100 * part / whole : 100;
}

static void sample_workers(struct model_source *s, uint64_t now)
{
    static const enum model_worker_state shown_as[GROSR_ACTIVITIES] = {
        [GROSR_NOT_STARTED] = MODEL_NOT_STARTED, [GROSR_RUNNING] = MODEL_RUNNING,
        [GROSR_IN_TASK] = MODEL_RUNNING,         [GROSR_WAITING] = MODEL_WAITING,
        [GROSR_SEEKING] = MODEL_WAITING,         [GROSR_IDLE] = MODEL_IDLE,
        [GROSR_STOPPED] = MODEL_STOPPED,
    };
    struct model *m = &s->model;
    uint64_t all_busy_ns = 0;

    m->tasks.run = m->tasks.spawned = m->tasks.shared = 0;
    memset(m->workers, 0, sizeof(m->workers));
    memset(s->sm_busy_ns, 0, MODEL_MAX_SMS * sizeof(*s->sm_busy_ns));
    memset(m->sm, 0, MODEL_MAX_SMS * sizeof(*m->sm));
    m->sms = s->session->header.sms < MODEL_MAX_SMS ? s->session->header.sms : MODEL_MAX_SMS;
    for (uint32_t i = 0; i < s->session->header.workers; i++) {
        uint32_t sm = grosr_worker_sm(s->session, i);
        struct grosr_worker_state state = s->worker[i].state; /* stays when it cannot be read */
        struct grosr_worker_counts counts;

        grosr_worker_read(s->session, i, &state, &counts);
        uint64_t busy_ns = busy_in_interval(s, &s->worker[i], &state, &counts, now);
        m->tasks.run += counts.tasks;
        m->tasks.spawned += counts.spawned;
        m->tasks.shared += counts.shared;
        m->workers[shown_as[state.activity]]++;
        if (sm >= MODEL_MAX_SMS)
            continue;
        if (sm >= m->sms)
            m->sms = sm + 1;
        m->sm[sm].workers++;
        s->sm_busy_ns[sm] += busy_ns;
        all_busy_ns += busy_ns;
    }

    bool known = m->interval_ns && m->session.level != GROSR_LEVEL_OFF;
    uint32_t workers = 0;
    for (uint32_t i = 0; i < m->sms; i++) {
        struct model_sm *sm = &m->sm[i];
        double room_ns = (double)m->interval_ns * sm->workers;
        sm->id = i;
        sm->busy_pct = !known ? NAN : sm->workers ? share((double)s->sm_busy_ns[i], room_ns) : 0;
        sm->occupancy_pct = share(sm->workers, m->session.max_warps_per_sm);
        workers += sm->workers;
    }
    m->busy_pct = known ? share((double)all_busy_ns, (double)m->interval_ns * workers) : NAN;
}

static void sample_call_rates(struct model_source *s)
{
    struct model_syscalls *c = &s->model.syscalls;
    uint64_t bytes = c->read_bytes + c->written_bytes;
    double to_rate = s->model.interval_ns ? 1e9 / (double)s->model.interval_ns : NAN;

    c->completed_per_s = (double)since(s->calls, c->completed) * to_rate;
    c->bytes_per_s = (double)since(s->call_bytes, bytes) * to_rate;
    s->calls = c->completed;
    s->call_bytes = bytes;
}

const struct model *model_sample(struct model_source *s)
{
    struct model *m = &s->model;
    uint64_t now = grosr_host_clock_ns();

    m->interval_ns = s->sampled_ns ? now - s->sampled_ns : 0;
    grosr_clock_fetch(&s->clock, s->session); /* out of memory: the map stays as it was */
    sample_session(s, now);
    sample_queues(s, now);
    sample_trace(s);
    sample_workers(s, now);
    model_sample_heap(s, now);
    model_sample_syscalls(&m->syscalls, s->session, &s->clock, now);
    sample_call_rates(s);
    model_sample_pc(s, now);
    model_sample_stalls(s);
    m->tasks.done = m->tasks.run > m->tasks.completed ? m->tasks.run : m->tasks.completed;
    m->tasks.per_s = m->tasks.completed_per_s = NAN;
    if (m->interval_ns) {
        double to_rate = 1e9 / (double)m->interval_ns;
        m->tasks.per_s = (double)since(s->done, m->tasks.done) * to_rate;
        m->tasks.completed_per_s = (double)since(s->completed, m->tasks.completed) * to_rate;
        m->history[m->samples++ % MODEL_HISTORY] = m->tasks.per_s;
    }
    s->done = m->tasks.done;
    s->completed = m->tasks.completed;
    s->sampled_ns = now;
    return m;
}
