/* The model as JSON, for `top --json` (model_json.h). */
#include "model_json.h"

#include "../show/json.h"
#include "../../tracer/session/level.h"

#include <math.h>

static void write_queues(struct json *j, const struct model *m)
{
    json_array(j, "queues");
    for (uint32_t i = 0; i < m->queues; i++) {
        const struct model_queue *q = &m->queue[i];
        json_object(j, NULL);
        json_string(j, "name", q->name);
        json_uint(j, "capacity", q->capacity);
        json_uint(j, "depth", q->depth);
        json_uint(j, "max_depth", q->max_depth);
        json_uint(j, "enqueued", q->enqueued);
        json_uint(j, "dequeued", q->dequeued);
        json_uint(j, "oldest_wait_ns", q->oldest_wait_ns);
        json_close(j);
    }
    json_close(j);
}

/* A hundredth of a per cent is finer than what is measured. */
static double rounded(double x)
{
    return round(x * 100) / 100;
}

static void write_sms(struct json *j, const struct model *m)
{
    json_array(j, "sms");
    for (uint32_t i = 0; i < m->sms; i++) {
        const struct model_sm *sm = &m->sm[i];
        json_object(j, NULL);
        json_uint(j, "id", sm->id);
        json_uint(j, "workers", sm->workers);
        json_number(j, "busy_pct", rounded(sm->busy_pct));
        json_number(j, "occupancy_pct", rounded(sm->occupancy_pct));
        json_close(j);
    }
    json_close(j);
}

static void write_workers(struct json *j, const struct model *m)
{
    static const char *const names[MODEL_WORKER_STATES] = {"not_started", "running", "waiting", "idle",
                                                           "stopped"};

    if (m->session.level == GROSR_LEVEL_OFF) {
        json_null(j, "workers"); /* they do not report */
        return;
    }
    json_object(j, "workers");
    for (int i = 0; i < MODEL_WORKER_STATES; i++)
        json_uint(j, names[i], m->workers[i]);
    json_close(j);
}

void model_write_json(const struct model *m, FILE *out)
{
    const struct model_session *s = &m->session;
    struct json j;

    json_begin(&j, out);
    json_object(&j, NULL);
    json_object(&j, "session");
    json_uint(&j, "pid", s->pid);
    json_string(&j, "program", s->program);
    json_string(&j, "device", s->device);
    json_string(&j, "device_name", s->device_name);
    json_uint(&j, "uptime_ns", s->uptime_ns);
    json_string(&j, "level", grosr_level_name(s->level));
    json_uint(&j, "workers", s->workers);
    json_uint(&j, "interval_ns", m->interval_ns);
    json_close(&j);
    json_object(&j, "tasks");
    json_uint(&j, "enqueued", m->tasks.enqueued);
    json_uint(&j, "completed", m->tasks.completed);
    json_uint(&j, "run", m->tasks.run);
    json_uint(&j, "spawned", m->tasks.spawned);
    json_uint(&j, "shared", m->tasks.shared);
    json_uint(&j, "done", m->tasks.done);
    json_number(&j, "done_per_s", rounded(m->tasks.per_s));
    json_number(&j, "completed_per_s", rounded(m->tasks.completed_per_s));
    json_close(&j);
    write_queues(&j, m);
    write_workers(&j, m);
    write_sms(&j, m);
    json_null(&j, "allocator");
    json_null(&j, "syscalls");
    json_object(&j, "trace");
    json_uint(&j, "written", m->trace.written);
    json_uint(&j, "read", m->trace.read);
    json_uint(&j, "dropped", m->trace.dropped);
    json_uint(&j, "overwritten", m->trace.overwritten);
    json_string(&j, "overflow", grosr_overflow_name(s->overflow));
    json_uint(&j, "collector_pid", s->collector_pid);
    json_close(&j);
    json_null(&j, "stalls"); /* the model does not look for them */
    json_close(&j);
    json_end(&j);
}
