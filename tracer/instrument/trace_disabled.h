/*
 * grosr_trace.h with GROSR_TRACE_DISABLED: nothing. Arguments are not evaluated; what is used in them alone
 * still counts as used. A recorder is not even declared.
 */
#ifndef GROSR_TRACE_DISABLED_H
#define GROSR_TRACE_DISABLED_H

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
