/* An instrumented kernel's session on a GPU, by the driver API: contexts stay as they were, the clock is
 * told. */
#include "../tap.h"

#include "../../tracer/clock/clock.h"
#include "../../tracer/instrument/grosr_trace.h"

#include <dlfcn.h>
#include <errno.h>
#include <time.h>

static void *library;

/* A function of the driver, or one that fails. */
static int none(void)
{
    return -1;
}

static void *symbol(const char *name)
{
    void *found = dlsym(library, name);
    return found ? found : (void *)(uintptr_t)none;
}

static void *current_context(void)
{
    void *context = &context;
    int (*get)(void **);

    *(void **)(void *)&get = symbol("cuCtxGetCurrent");
    ok(get(&context) == 0, "the driver tells the current context");
    return context;
}

/* Opens, looks at the clock and closes, in this thread's context. */
static void session(void)
{
    struct grosr_trace_options o = GROSR_TRACE_OPTIONS_DEFAULT;
    struct grosr_tracing *tracing = NULL;
    void *before = current_context();
    struct grosr_clock clock;

    o.device = "cuda";
    o.warps = 4;
    is(grosr_trace_open(&tracing, &o), 0, "opened: %s", grosr_error());
    if (!tracing)
        return;
    const struct grosr_session *s = grosr_trace_session(tracing);
    struct grosr_session_header *h = grosr_session_live(s);
    ok(current_context() == before, "the thread's context is what it was");
    ok(!strcmp(s->header.device, "cuda") && s->header.lanes == 32 && s->header.sms > 0, "a session on %s",
       s->header.device_name);
    ok(grosr_trace_handle(tracing).control != NULL, "kernels get what is theirs");
    for (int i = 0; i < 5000 && sys_load_acquire(&h->snapshots_taken) < 4; i++) {
        struct timespec pause = {0, 2000000};
        nanosleep(&pause, NULL);
    }
    ok(sys_load_acquire(&h->snapshots_taken) >= 4, "with nobody to poll, the clock is told all the same");
    grosr_clock_init(&clock, s);
    ok(grosr_clock_fetch(&clock, s) >= 4, "more than once");
    ok(clock.count >= 2 && clock.best_bound_ns < 50000, "to %d ns at best", (int)clock.best_bound_ns);
    bool grows = true;
    for (uint32_t i = 1; i < clock.count; i++)
        grows = grows && clock.point[i].host_ns > clock.point[i - 1].host_ns;
    ok(grows, "and both clocks go on");
    grosr_clock_free(&clock);
    is(grosr_trace_close(tracing), 0, "closed: %s", grosr_error());
    ok(current_context() == before, "the thread's context is what it was");
}

int main(void)
{
    int (*init)(unsigned), (*count)(int *), (*retain)(void **, int), (*set)(void *);
    void *context = NULL;
    int devices = 0;

    library = dlopen("libcuda.so.1", RTLD_NOW | RTLD_LOCAL);
    if (!library)
        skip_all("no NVIDIA driver");
    *(void **)(void *)&init = symbol("cuInit");
    *(void **)(void *)&count = symbol("cuDeviceGetCount");
    *(void **)(void *)&retain = symbol("cuDevicePrimaryCtxRetain");
    *(void **)(void *)&set = symbol("cuCtxSetCurrent");
    if (init(0) || count(&devices) || devices == 0)
        skip_all("no CUDA device");
    session(); /* no context is current */
    ok(retain(&context, 0) == 0 && set(context) == 0, "a context of the program's own");
    session();
    session();
    return tap_done();
}
