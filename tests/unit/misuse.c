/*
 * The host API used wrongly, on the host device; and the host's side of instrumented kernels (grosr_trace.h)
 * in the same ways.
 */
#include "../forked.h"
#include "../misuse_suite.h"

#include "../../tracer/instrument/grosr_trace.h"

/* ---- instrumented kernels ---- */

static const char *const two_names[] = {"one", "two"};

static struct grosr_trace_options trace_options(void)
{
    struct grosr_trace_options o = GROSR_TRACE_OPTIONS_DEFAULT;

    o.warps = 2;
    o.ring_events = 64;
    o.names = two_names;
    o.name_count = 2;
    return o;
}

static void trace_arguments(void)
{
    static const char *const no_name[] = {"one", NULL};
    static const char *const long_name[] = {"one", "a name that is longer than the 47 bytes of a trace"};
    const struct grosr_trace_options good = trace_options();
    struct grosr_trace_options o = good;
    struct grosr_tracing *t = NULL;
    char name[65] = "";

    memset(name, 'x', 64);
#define refused_option(field, value)              \
    do {                                          \
        printf("# " #field " = " #value "\n");    \
        o = good;                                 \
        o.field = value;                          \
        misuse(EINVAL, grosr_trace_open(&t, &o)); \
        ok(t == NULL, "and there is no session"); \
    } while (0)
    refused_option(device, "");
    refused_option(device, "abacus");
    refused_option(name, name);
    refused_option(warps, 0);
    refused_option(warps, GROSR_MAX_WORKERS + 1);
    refused_option(warps, UINT32_MAX);
    refused_option(ring_events, 0);
    refused_option(ring_events, GROSR_RING_MAX + 1);
    refused_option(ring_events, UINT32_MAX);
    refused_option(level, (enum grosr_level)(GROSR_LEVEL_FULL + 1));
    refused_option(level, (enum grosr_level)(-1));
    refused_option(overflow, (enum grosr_overflow)(GROSR_OVERFLOW_BLOCK + 1));
    refused_option(overflow, (enum grosr_overflow)(-1));
    refused_option(wait_action, (enum grosr_wait_action)(GROSR_WAIT_TRAP + 1));
    refused_option(wait_action, (enum grosr_wait_action)(-1));
    refused_option(names, NULL);
    refused_option(names, no_name);
    refused_option(names, long_name);
    refused_option(name_count, UINT32_MAX);
    refused_option(name_count, GROSR_NAMES_MAX - GROSR_TRACE_NAMES + 1);
#undef refused_option
    misuse(EINVAL, grosr_trace_open(NULL, &good));
    misuse(EINVAL, grosr_trace_open(&t, NULL));
    misuse(EINVAL, grosr_trace_open_as(&t, &good, NULL, GROSR_SESSION_ABI));
    misuse(EINVAL, grosr_trace_name(NULL, "one", NULL));
    misuse(EINVAL, grosr_trace_set_level(NULL, GROSR_LEVEL_FULL));
    misuse(EINVAL, grosr_trace_set_wait_report(NULL, 1));
    misuse(EINVAL, grosr_trace_set_wait_timeout(NULL, 1, GROSR_WAIT_FAIL));
    misuse(EINVAL, grosr_trace_stop_waits(NULL, true));
    ok(grosr_trace_session(NULL) == NULL, "no session");
    ok(grosr_trace_handle(NULL).control == NULL, "and no handle that records");
}

static void trace_calls(void)
{
    struct grosr_trace_options o = trace_options();
    struct grosr_tracing *t = NULL;

    if (grosr_trace_open(&t, &o))
        printf("Bail out! %s\n", grosr_error());
    misuse(EINVAL, grosr_trace_name(t, NULL, NULL));
    misuse(EINVAL, grosr_trace_name(t, "a name that is longer than the 47 bytes of a trace", NULL));
    misuse(EINVAL, grosr_trace_name(t, "three", "12345678"));
    misuse(EINVAL, grosr_trace_set_level(t, (enum grosr_level)(GROSR_LEVEL_FULL + 1)));
    misuse(EINVAL, grosr_trace_set_level(t, (enum grosr_level)(-1)));
    is(sys_load_relaxed(&grosr_session_live(grosr_trace_session(t))->level), o.level,
       "the level is the same");
    const struct grosr_session_header *h = grosr_session_live(grosr_trace_session(t));
    misuse(EINVAL, grosr_trace_set_wait_timeout(t, 1, (enum grosr_wait_action)(GROSR_WAIT_TRAP + 1)));
    misuse(EINVAL, grosr_trace_set_wait_timeout(t, 1, (enum grosr_wait_action)(-1)));
    is(sys_load_relaxed(&h->wait_timeout), 0, "the timeout of waits is the same");
    is(grosr_trace_set_wait_timeout(t, UINT64_MAX, GROSR_WAIT_TRAP), 0, "the longest that there is");
    is(sys_load_relaxed(&h->wait_timeout), UINT64_MAX - 3 + GROSR_WAIT_TRAP, "is not cut to a short one");
    is(grosr_trace_name(t, "three", "1234567"), 2, "the next name has the next number");
    is(grosr_trace_set_level(t, GROSR_LEVEL_FULL), 0, "a level that there is");
    struct grosr_trace_handle handle = grosr_trace_handle(t);
    struct grosr_ring_reader reader;
    struct grosr_pair seen[8];
    uint64_t first;
    GROSR_TRACE_WARP(tracer, handle, 0);
    grosr_instant(&tracer, 0x10001, 1);
    grosr_hold(&tracer, 0x10001, 1);
    grosr_trace_end(&tracer);
    grosr_ring_reader_open(&reader, grosr_trace_session(t), 0);
    is(grosr_ring_read(&reader, seen, 8, &first), 4, "four events");
    is(grosr_event_payload(seen[1]), grosr_payload_named(0xffff, 1), "name 65537 is not name 1");
    is(grosr_event_payload(seen[2]), grosr_payload_resource(0xffff, 1), "nor of a resource");
    is(grosr_trace_close(t), 0, "closed");
    misuse(EALREADY, grosr_trace_close(t));
    misuse(ESHUTDOWN, grosr_trace_name(t, "three", NULL));
    misuse(ESHUTDOWN, grosr_trace_set_level(t, GROSR_LEVEL_OFF));
    misuse(ESHUTDOWN, grosr_trace_set_wait_report(t, 1));
    misuse(ESHUTDOWN, grosr_trace_set_wait_timeout(t, 1, GROSR_WAIT_FAIL));
    misuse(ESHUTDOWN, grosr_trace_stop_waits(t, true));
    ok(grosr_trace_session(t) == NULL && grosr_trace_handle(t).control == NULL, "nothing of it is left");
}

static int trace_in_child(struct grosr_tracing *t)
{
    struct grosr_trace_options o = trace_options();
    struct grosr_tracing *mine = NULL;
    int wrong = 0;

    wrong += grosr_trace_name(t, "one", NULL) != -EPERM || !misuse_has_text();
    wrong += grosr_trace_set_level(t, GROSR_LEVEL_OFF) != -EPERM;
    wrong += grosr_trace_set_wait_report(t, 1) != -EPERM || grosr_trace_stop_waits(t, true) != -EPERM;
    wrong += grosr_trace_session(t) != NULL || grosr_trace_handle(t).control != NULL;
    wrong += grosr_trace_close(t) != -EPERM;
    if (grosr_trace_open(&mine, &o))
        return wrong + 100;
    wrong += grosr_trace_name(mine, "two", NULL) != 1;
    wrong += grosr_trace_close(mine) != 0;
    return wrong;
}

static void trace_forks(void)
{
    struct grosr_trace_options o = trace_options();
    struct grosr_tracing *t = NULL;
    int status = 0;

    if (grosr_trace_open(&t, &o))
        printf("Bail out! %s\n", grosr_error());
    uint32_t index = grosr_trace_session(t)->header.index;
    pid_t pid = fork();
    if (pid == 0) {
        alarm(60);
        exit(trace_in_child(t));
    }
    ok(waitpid(pid, &status, 0) == pid && status == 0, "a child is refused the session, and has its own");
    if (status)
        printf("# status 0x%x\n", status);
    is(sys_load_relaxed(&grosr_session_live(grosr_trace_session(t))->level), o.level,
       "the level is the same");
    ok(misuse_segment_is_there(index), "the parent's segment is there");
    is(grosr_trace_name(t, "three", NULL), 2, "and it goes on with it");
    is(grosr_trace_close(t), 0, "and closes it");
    ok(!misuse_segment_is_there(index), "then it is gone");
}

int main(void)
{
    misuse_null("host");
    misuse_options("host");
    misuse_calls("host");
    misuse_forks("host");
    trace_arguments();
    trace_calls();
    trace_forks();
    return tap_done();
}
