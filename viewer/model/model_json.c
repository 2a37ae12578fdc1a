/* The model as JSON, for `top --json` (model_json.h). */
#include "model_json.h"
#include "model_syscalls.h"

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

static double fraction(double x)
{
    return round(x * 10000) / 10000;
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

static void write_classes(struct json *j, const struct grosr_heap_counters *c)
{
    json_array(j, "classes");
    for (uint64_t i = 0; i < c->classes; i++) {
        const struct grosr_heap_class *k = &c->class_[i];
        json_object(j, NULL);
        json_uint(j, "size", k->slot_bytes);
        json_uint(j, "slots", k->slabs * k->slots);
        json_uint(j, "used", k->used);
        json_uint(j, "slabs", k->slabs);
        json_uint(j, "max_slabs", k->slabs_max);
        json_uint(j, "mallocs", k->mallocs);
        json_uint(j, "frees", k->frees);
        json_uint(j, "failures", k->failures);
        json_close(j);
    }
    json_close(j);
}

/* The latest errors, the newest first. */
static void write_heap_errors(struct json *j, const struct model_heap *m)
{
    const struct grosr_heap_counters *c = &m->count;

    json_array(j, "errors");
    for (uint64_t n = 0; n < c->errors && n < GROSR_HEAP_ERRORS_MAX; n++) {
        uint64_t i = (c->errors - 1 - n) % GROSR_HEAP_ERRORS_MAX;
        const struct grosr_heap_error *e = &c->error[i];
        json_object(j, NULL);
        json_string(j, "error", model_heap_error(e->kind));
        json_uint(j, "worker", e->worker);
        if (e->task == GROSR_HEAP_NO_TASK)
            json_null(j, "task");
        else
            json_uint(j, "task", e->task);
        json_uint(j,
                  e->kind == GROSR_HEAP_NO_MEMORY      ? "requested_bytes"
                  : e->kind == GROSR_HEAP_FREE_FOREIGN ? "address"
                                                       : "offset",
                  e->at);
        json_number(j, "age_ns", m->error_age_ns[i]);
        json_close(j);
    }
    json_close(j);
}

/* Zeros for a session without one. */
static void write_allocator(struct json *j, const struct model *m)
{
    const struct grosr_heap_counters *c = &m->heap.count;

    json_object(j, "allocator");
    json_uint(j, "arena_bytes", c->arena_bytes);
    json_uint(j, "reserved_bytes", grosr_heap_reserved_bytes(c));
    json_uint(j, "max_reserved_bytes", c->chunks_max * c->chunk_bytes);
    json_uint(j, "used_bytes", grosr_heap_used_bytes(c));
    json_uint(j, "requested_bytes", grosr_heap_requested_bytes(c));
    json_uint(j, "free_bytes", grosr_heap_free_bytes(c));
    json_uint(j, "largest_bytes", c->largest_bytes);
    json_uint(j, "live", grosr_heap_live(c));
    json_number(j, "internal_fragmentation", fraction(grosr_heap_internal_fragmentation(c)));
    json_number(j, "external_fragmentation", fraction(grosr_heap_external_fragmentation(c)));
    json_uint(j, "mallocs", grosr_heap_mallocs(c));
    json_uint(j, "frees", grosr_heap_frees(c));
    json_number(j, "mallocs_per_s", m->heap.known ? rounded(m->heap.mallocs_per_s) : 0);
    json_number(j, "frees_per_s", m->heap.known ? rounded(m->heap.frees_per_s) : 0);
    json_uint(j, "failures", grosr_heap_failures(c));
    json_uint(j, "bad_frees", grosr_heap_bad_frees(c));
    json_bool(j, "debug", c->flags & GROSR_HEAP_DEBUG);
    json_uint(j, "age_ns", m->heap.age_ns);
    json_object(j, "large");
    json_uint(j, "live", c->large.live);
    json_uint(j, "reserved_bytes", c->large_chunks * c->chunk_bytes);
    json_uint(j, "requested_bytes", c->large.requested);
    json_uint(j, "mallocs", c->large.mallocs);
    json_uint(j, "frees", c->large.frees);
    json_uint(j, "failures", c->large.failures);
    json_close(j);
    write_classes(j, c);
    write_heap_errors(j, &m->heap);
    json_close(j);
}

static void write_syscalls(struct json *j, const struct model_syscalls *s)
{
    if (!s->slots) {
        json_null(j, "syscalls"); /* the runtime has none */
        return;
    }
    json_object(j, "syscalls");
    json_uint(j, "slots", s->slots);
    json_uint(j, "pending", s->pending);
    json_uint(j, "completed", s->completed);
    json_uint(j, "failed", s->failed);
    json_uint(j, "refused", s->refused);
    json_number(j, "completed_per_s", rounded(s->completed_per_s));
    json_uint(j, "read_bytes", s->read_bytes);
    json_uint(j, "written_bytes", s->written_bytes);
    json_number(j, "bytes_per_s", rounded(s->bytes_per_s));
    json_uint(j, "handles", s->handles);
    json_number(j, "p50_ns", s->p50_ns);
    json_number(j, "p99_ns", s->p99_ns);
    if (s->pending) {
        json_object(j, "oldest");
        json_uint(j, "port", s->oldest.port);
        json_string(j, "call", model_syscall_name(s->oldest.call));
        json_int(j, "handle", s->oldest.handle);
        json_uint(j, "task", s->oldest.task);
        json_uint(j, "age_ns", s->oldest.age_ns);
        json_close(j);
    } else {
        json_null(j, "oldest");
    }
    json_close(j);
}

static void write_stalls(struct json *j, const struct model *m)
{
    json_array(j, "stalls");
    for (uint32_t i = 0; i < m->stalls; i++) {
        const struct model_stall *s = &m->stall[i];
        json_object(j, NULL);
        json_string(j, "kind", s->kind);
        if (s->worker == MODEL_NO_WORKER)
            json_null(j, "worker");
        else
            json_uint(j, "worker", s->worker);
        json_string(j, "resource", *s->resource ? s->resource : NULL);
        if (s->age_ns)
            json_uint(j, "age_ns", s->age_ns);
        else
            json_null(j, "age_ns");
        json_string(j, "text", s->text);
        json_close(j);
    }
    json_close(j);
}

static void write_pc(struct json *j, const struct model *m)
{
    json_array(j, "pc");
    for (uint32_t i = 0; i < m->pcs; i++) {
        const struct model_pc *p = &m->pc[i];
        json_object(j, NULL);
        json_string(j, "function", p->function);
        json_uint(j, "context", p->context);
        json_uint(j, "samples", p->samples);
        json_number(j, "pct", rounded(p->pct));
        json_string(j, "file", *p->file ? p->file : NULL);
        if (p->first_line)
            json_uint(j, "first_line", p->first_line);
        else
            json_null(j, "first_line");
        if (p->last_line)
            json_uint(j, "last_line", p->last_line);
        else
            json_null(j, "last_line");
        json_uint(j, "low", p->low);
        json_uint(j, "high", p->high);
        json_bool(j, "loop", p->loop);
        json_bool(j, "endless", p->endless);
        json_number(j, "loop_pct", rounded(p->loop_pct));
        json_number(j, "memory_pct", rounded(p->memory_pct));
        json_string(j, "stall", *p->stall ? p->stall : NULL);
        json_number(j, "stall_pct", rounded(p->stall_pct));
        json_uint(j, "since_ns", p->since_ns);
        json_close(j);
    }
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
    write_allocator(&j, m);
    write_syscalls(&j, &m->syscalls);
    json_object(&j, "trace");
    json_uint(&j, "written", m->trace.written);
    json_uint(&j, "read", m->trace.read);
    json_uint(&j, "dropped", m->trace.dropped);
    json_uint(&j, "overwritten", m->trace.overwritten);
    json_string(&j, "overflow", grosr_overflow_name(s->overflow));
    json_uint(&j, "collector_pid", s->collector_pid);
    json_close(&j);
    json_string(&j, "verdict", grosr_verdict_name(m->verdict));
    write_stalls(&j, m);
    write_pc(&j, m);
    json_close(&j);
    json_end(&j);
}
