/*
 * grosr_trace.h with GROSR_TRACE_DISABLED: nothing, but the loops of bounded waits. Arguments are not
 * evaluated; what is used in them alone still counts as used. A recorder is not even declared.
 */
#ifndef GROSR_TRACE_DISABLED_H
#define GROSR_TRACE_DISABLED_H

#include "trace_wait.h"

#define GROSR_TRACED(...)
#define GROSR_TRACE_ONLY(...)
#define GROSR_TRACE_WARP(t, trace, ring)   GROSR_TRACE_UNUSED(ring)
#define GROSR_TRACE_THREAD(t, trace, ring) GROSR_TRACE_UNUSED(ring)
#define GROSR_TRACE_UNUSED(x)              ((void)sizeof(x))
#define GROSR_ANY_RING                     UINT32_MAX

#define grosr_traces(t, level)           false
#define grosr_poll(t)                    ((void)0)
#define grosr_begin(t, name)             GROSR_TRACE_UNUSED(name)
#define grosr_end(t, name, value)        (GROSR_TRACE_UNUSED(name), GROSR_TRACE_UNUSED(value))
#define grosr_instant(t, name, value)    (GROSR_TRACE_UNUSED(name), GROSR_TRACE_UNUSED(value))
#define grosr_counter(t, name, value)    (GROSR_TRACE_UNUSED(name), GROSR_TRACE_UNUSED(value))
#define grosr_wait_begin(t, name, which) (GROSR_TRACE_UNUSED(name), GROSR_TRACE_UNUSED(which))
#define grosr_wait_end(t)                ((void)0)
#define grosr_hold(t, name, which)       (GROSR_TRACE_UNUSED(name), GROSR_TRACE_UNUSED(which))
#define grosr_release(t, name, which)    (GROSR_TRACE_UNUSED(name), GROSR_TRACE_UNUSED(which))
#define grosr_trace_end(t)               ((void)0)
#define grosr_wait_set_timeout(t, timeout_ns, action) \
    (GROSR_TRACE_UNUSED(timeout_ns), GROSR_TRACE_UNUSED(action))

/* What trace_wait_report.h has with tracing; `t` is NULL. */

GROSR_DEVICE int grosr_wait_step(struct grosr_tracer *t, uint32_t by, const struct grosr_wait_target *on,
                                 struct grosr_wait_loop *w, uint64_t seen)
{
    (void)t;
    (void)by;
    (void)seen;
    grosr_wait_pause(on, w);
    return 0;
}

GROSR_DEVICE int grosr_wait_over(struct grosr_tracer *t, uint32_t by, const struct grosr_wait_loop *w,
                                 int result)
{
    (void)t;
    (void)w;
    if (by == GROSR_BY_WARP)
        dev_syncwarp(); /* what the lead has acquired */
    return result;
}

GROSR_DEVICE uint64_t grosr_lock_mark(const struct grosr_tracer *t)
{
    (void)t;
    return (uint64_t)GROSR_LOCK_UNKNOWN << GROSR_LOCK_HOLDER_SHIFT;
}

GROSR_DEVICE void grosr_lock_held(struct grosr_tracer *t, uint32_t kind, uint32_t name, uint32_t which)
{
    (void)t;
    (void)kind;
    (void)name;
    (void)which;
}

GROSR_DEVICE void grosr_barrier_mark(const struct grosr_tracer *t, struct grosr_barrier *barrier,
                                     uint32_t phase)
{
    (void)t;
    (void)barrier;
    (void)phase;
}

static inline int grosr_trace_open(struct grosr_tracing **tracing, const struct grosr_trace_options *options)
{
    (void)options;
    *tracing = NULL;
    return 0;
}

static inline int grosr_trace_name(struct grosr_tracing *tracing, const char *text, const char *unit)
{
    (void)tracing;
    (void)text;
    (void)unit;
    return 0;
}

static inline int grosr_trace_set_level(struct grosr_tracing *tracing, enum grosr_level level)
{
    (void)tracing;
    (void)level;
    return 0;
}

static inline int grosr_trace_set_wait_report(struct grosr_tracing *tracing, uint64_t report_ns)
{
    (void)tracing;
    (void)report_ns;
    return 0;
}

static inline int grosr_trace_set_wait_timeout(struct grosr_tracing *tracing, uint64_t timeout_ns,
                                               enum grosr_wait_action action)
{
    (void)tracing;
    (void)timeout_ns;
    (void)action;
    return 0;
}

static inline int grosr_trace_stop_waits(struct grosr_tracing *tracing, bool stop)
{
    (void)tracing;
    (void)stop;
    return 0;
}

static inline const struct grosr_session *grosr_trace_session(const struct grosr_tracing *tracing)
{
    (void)tracing;
    return NULL;
}

static inline int grosr_trace_close(struct grosr_tracing *tracing)
{
    (void)tracing;
    return 0;
}

#endif
