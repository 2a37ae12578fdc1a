/*
 * The driver loads us (CUDA_INJECTION64_PATH), CUPTI calls us around each call of the APIs, a housekeeping
 * thread tells of what does not return, and the end of the process finds nothing lost (cuda_parts.h).
 *
 * Of calls inside calls, the outermost is told: a program that calls the runtime sees its own calls and not
 * those that the runtime makes of the driver. A call is told when it returns. One that takes longer than
 * TELL_AFTER_NS is told before that by the housekeeping thread, so that a program that hangs shows where:
 *
 *     NO_CALL -> CALL      its thread, entering
 *     CALL -> NO_CALL      its thread, returning: told whole
 *     CALL -> TELLING      the housekeeping thread
 *     TELLING -> TOLD      the same, when it has told
 *     TOLD -> NO_CALL      its thread, returning: told that it has ended
 */
#include "cuda_parts.h"

#include "../clock/clock.h"
#include "../base/time_limits.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TELL_AFTER_NS 100000000u
#define TICK_NS       50000000
#define FLUSH_TICKS   2u
#define CBIDS         2048u /* more than CUPTI has calls of an API */

__attribute__((visibility("default"))) int InitializeInjection(void);

static CUpti_SubscriberHandle subscriber;
static dev32 running; /* callbacks are to be told */
static pthread_t housekeeper;
static bool housekeeping;
static uint32_t started_pid;

/* ---- calls ---- */

static struct inject_string *call_name(CUpti_CallbackDomain domain, CUpti_CallbackId id, const char *name)
{
    static dev64 known[2][CBIDS]; /* struct inject_string * */
    dev64 *at = &known[domain == CUPTI_CB_DOMAIN_DRIVER_API][id % CBIDS];
    struct inject_string *s = (struct inject_string *)(uintptr_t)dev_load_acquire(at); /* pairs with below */

    if (!s || id >= CBIDS) {
        s = inject_string(name, strlen(name));
        if (id < CBIDS)
            dev_store_release(at, (uint64_t)(uintptr_t)s); /* pairs with the load above */
    }
    return s;
}

static void write_call(struct inject_thread *t, const struct inject_thread *whose, uint64_t end,
                       int32_t result, uint32_t flags)
{
    const struct inject_call *c = &whose->call;
    struct grosr_record_cuda_call r = {
        .head = {0, GROSR_RECORD_CUDA_CALL},
        .start = dev_load_relaxed(&c->start),
        .end = end,
        .tid = whose->tid,
        .correlation = c->correlation,
        .name = c->name ? inject_string_number(t, c->name) : 0,
        .result = result,
        .api = c->api,
        .flags = flags,
    };
    const struct grosr_piece piece = {&r, sizeof(r)};

    inject_write(t, &piece, 1);
}

static void enter_call(struct inject_thread *t, CUpti_CallbackDomain domain, CUpti_CallbackId id,
                       const CUpti_CallbackData *d)
{
    dev_store_relaxed(&t->call.start, grosr_host_clock_ns());
    t->call.correlation = d->correlationId;
    t->call.api = domain == CUPTI_CB_DOMAIN_DRIVER_API;
    t->call.name = call_name(domain, id, d->functionName ? d->functionName : "");
    dev_store_release(&t->call.state, INJECT_CALL); /* pairs with the exchange in tell_pending() */
}

static void leave_call(struct inject_thread *t, const CUpti_CallbackData *d)
{
    /* cudaError_t and CUresult are both an int; calls of other results are not subscribed to. */
    int32_t result = d->functionReturnValue ? *(const int32_t *)d->functionReturnValue : 0;
    uint64_t now = grosr_host_clock_ns();
    uint32_t step = 0, state = dev_cas_acquire(&t->call.state, INJECT_CALL, INJECT_NO_CALL);

    if (state == INJECT_NO_CALL) /* a fork's child returns from it */
        return;
    while (state == INJECT_CALL_TELLING) {
        dev_backoff(&step);
        state = dev_load_acquire(&t->call.state); /* pairs with tell_pending(): its record comes first */
    }
    write_call(t, t, now, result, state == INJECT_CALL_TOLD ? GROSR_CUDA_CALL_TOLD : 0);
    dev_store_relaxed(&t->call.state, INJECT_NO_CALL);
}

/* ---- launches ---- */

static bool find_launch(CUpti_CallbackId id, const CUpti_CallbackData *d, struct launch *l)
{
    switch (id) {
    case CUPTI_DRIVER_TRACE_CBID_cuLaunchKernel:
    case CUPTI_DRIVER_TRACE_CBID_cuLaunchKernel_ptsz: {
        const cuLaunchKernel_params *p = (const cuLaunchKernel_params *)d->functionParams;
        *l = (struct launch){.stream = p->hStream,
                             .grid = {p->gridDimX, p->gridDimY, p->gridDimZ},
                             .block = {p->blockDimX, p->blockDimY, p->blockDimZ},
                             .shared_bytes = p->sharedMemBytes};
        break;
    }
    case CUPTI_DRIVER_TRACE_CBID_cuLaunchCooperativeKernel:
    case CUPTI_DRIVER_TRACE_CBID_cuLaunchCooperativeKernel_ptsz: {
        const cuLaunchCooperativeKernel_params *p =
            (const cuLaunchCooperativeKernel_params *)d->functionParams;
        *l = (struct launch){.stream = p->hStream,
                             .grid = {p->gridDimX, p->gridDimY, p->gridDimZ},
                             .block = {p->blockDimX, p->blockDimY, p->blockDimZ},
                             .shared_bytes = p->sharedMemBytes};
        break;
    }
    case CUPTI_DRIVER_TRACE_CBID_cuLaunchKernelEx:
    case CUPTI_DRIVER_TRACE_CBID_cuLaunchKernelEx_ptsz: {
        const CUlaunchConfig *c = ((const cuLaunchKernelEx_params *)d->functionParams)->config;
        *l = (struct launch){.stream = c->hStream,
                             .grid = {c->gridDimX, c->gridDimY, c->gridDimZ},
                             .block = {c->blockDimX, c->blockDimY, c->blockDimZ},
                             .shared_bytes = c->sharedMemBytes};
        break;
    }
    default:
        return false;
    }
    /* A call for the per-thread default stream says so by its name alone. */
    if (!l->stream && (id == CUPTI_DRIVER_TRACE_CBID_cuLaunchKernel_ptsz ||
                       id == CUPTI_DRIVER_TRACE_CBID_cuLaunchCooperativeKernel_ptsz ||
                       id == CUPTI_DRIVER_TRACE_CBID_cuLaunchKernelEx_ptsz))
        l->stream = CU_STREAM_PER_THREAD;
    l->name = kernel_name(d->symbolName ? d->symbolName : "");
    l->context = d->context;
    l->context_id = d->contextUid;
    l->correlation = d->correlationId;
    return true;
}

/* ---- captures ---- */

/* Whether the call begins (1) or ends (-1) a capture; 0: neither. The runtime's calls count as well as those
 * of the driver in them, at both ends. */
static int find_capture(CUpti_CallbackDomain domain, CUpti_CallbackId id)
{
    if (domain == CUPTI_CB_DOMAIN_RUNTIME_API) {
        switch (id) {
        case CUPTI_RUNTIME_TRACE_CBID_cudaStreamBeginCapture_v10000:
        case CUPTI_RUNTIME_TRACE_CBID_cudaStreamBeginCapture_ptsz_v10000:
        case CUPTI_RUNTIME_TRACE_CBID_cudaStreamBeginCaptureToGraph_v12030:
        case CUPTI_RUNTIME_TRACE_CBID_cudaStreamBeginCaptureToGraph_ptsz_v12030:
            return 1;
        case CUPTI_RUNTIME_TRACE_CBID_cudaStreamEndCapture_v10000:
        case CUPTI_RUNTIME_TRACE_CBID_cudaStreamEndCapture_ptsz_v10000:
            return -1;
        default:
            return 0;
        }
    }
    switch (id) {
    case CUPTI_DRIVER_TRACE_CBID_cuStreamBeginCapture:
    case CUPTI_DRIVER_TRACE_CBID_cuStreamBeginCapture_ptsz:
    case CUPTI_DRIVER_TRACE_CBID_cuStreamBeginCapture_v2:
    case CUPTI_DRIVER_TRACE_CBID_cuStreamBeginCapture_v2_ptsz:
    case CUPTI_DRIVER_TRACE_CBID_cuStreamBeginCaptureToGraph:
    case CUPTI_DRIVER_TRACE_CBID_cuStreamBeginCaptureToGraph_ptsz:
        return 1;
    case CUPTI_DRIVER_TRACE_CBID_cuStreamEndCapture:
    case CUPTI_DRIVER_TRACE_CBID_cuStreamEndCapture_ptsz:
        return -1;
    default:
        return 0;
    }
}

/* Streams and contexts that go: nothing is asked of them from then on. */
static void on_resource(CUpti_CallbackId id, const CUpti_ResourceData *d)
{
    CUstreamCaptureMode before = driver_relax();

    if (id == CUPTI_CBID_RESOURCE_STREAM_DESTROY_STARTING)
        kernels_forget(NULL, d->resourceHandle.stream);
    else if (id == CUPTI_CBID_RESOURCE_CONTEXT_DESTROY_STARTING)
        kernels_forget(d->context, NULL);
    driver_restore(before);
}

static void CUPTIAPI on_call(void *unused, CUpti_CallbackDomain domain, CUpti_CallbackId id, const void *data)
{
    const CUpti_CallbackData *d = (const CUpti_CallbackData *)data;
    struct inject_thread *t = dev_load_relaxed(&running) ? inject_enter() : NULL;
    struct launch launch;
    bool launches = false;

    (void)unused;
    if (!t)
        return;
    if (domain == CUPTI_CB_DOMAIN_RESOURCE) {
        inject_leave(t);
        on_resource(id, (const CUpti_ResourceData *)data);
        return;
    }
    if (t->ours) {
        inject_leave(t);
        return;
    }
    int capture = find_capture(domain, id);
    if (d->callbackSite == CUPTI_API_ENTER) {
        if (capture > 0)
            kernels_capture_begins();
        if (t->calls++ == 0)
            enter_call(t, domain, id, d);
        if (!t->launches_at && domain == CUPTI_CB_DOMAIN_DRIVER_API) {
            launches = find_launch(id, d, &launch);
            t->launches_at = launches ? t->calls : 0;
        }
        inject_leave(t);
        /* What it calls of the driver comes back here, and is inside a call. */
        if (launches) {
            CUstreamCaptureMode before = driver_relax();
            launch_enter(&launch);
            driver_restore(before);
        }
        return;
    }
    bool refused = d->functionReturnValue && *(const int32_t *)d->functionReturnValue;
    if (capture < 0 || (capture > 0 && refused))
        kernels_capture_ended();
    if (t->launches_at && t->launches_at == t->calls && find_launch(id, d, &launch)) {
        bool succeeded = !d->functionReturnValue || *(const CUresult *)d->functionReturnValue == CUDA_SUCCESS;
        inject_leave(t);
        CUstreamCaptureMode before = driver_relax();
        launch_exit(&launch, succeeded);
        driver_restore(before);
        t->launches_at = 0;
        t = inject_enter();
        if (!t)
            return;
    }
    /* One that began before we were there has no beginning. */
    if (t->calls && --t->calls == 0)
        leave_call(t, d);
    inject_leave(t);
}

/* ---- housekeeping ---- */

static void tell_pending(struct inject_thread *t, uint64_t now)
{
    struct inject_thread *whose;

    for (uint32_t i = 0; (whose = inject_thread_at(i)); i++) {
        if (dev_load_acquire(&whose->call.state) != INJECT_CALL) /* pairs with enter_call() */
            continue;
        uint64_t start = dev_load_relaxed(&whose->call.start);
        if (start > now || now - start < TELL_AFTER_NS ||
            dev_cas_acquire(&whose->call.state, INJECT_CALL, INJECT_CALL_TELLING) != INJECT_CALL)
            continue;
        if (dev_load_relaxed(&whose->call.start) == start) {
            /* Into the stream of the thread that is in it: its end is to come behind this. */
            uint32_t stream = t->stream;
            t->stream = whose->stream;
            write_call(t, whose, 0, 0, 0);
            t->stream = stream;
            dev_store_release(&whose->call.state, INJECT_CALL_TOLD); /* pairs with leave_call() */
        } else {
            dev_store_release(&whose->call.state, INJECT_CALL); /* a later call */
        }
    }
}

/* Calls of this thread are ours from here on, and none of the program's. */
static void become_ours(void)
{
    struct inject_thread *t = inject_enter();

    if (t) {
        t->ours = true;
        inject_leave(t);
    }
    driver_relax();
}

static void *housekeeping_main(void *unused)
{
    const struct timespec tick = {0, TICK_NS};
    uint32_t ticks = 0;

    (void)unused;
    become_ours();
    while (dev_load_relaxed(&running)) {
        struct inject_thread *t = inject_enter();
        if (t) {
            tell_pending(t, grosr_host_clock_ns());
            inject_leave(t);
            /* Not by force: what is complete. CUPTI's own period leaves the latest buffer until it is full.
             */
            if (launches_missing() && ++ticks % FLUSH_TICKS == 0)
                cupti.flush(0);
            kernels_tick(grosr_host_clock_ns());
        }
        nanosleep(&tick, NULL);
    }
    return NULL;
}

static void start_housekeeping(void)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    housekeeping = pthread_create(&housekeeper, NULL, housekeeping_main, NULL) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* ---- the beginning and the end ---- */

/*
 * What has run is told before the process ends. What still runs is not waited for: a kernel may never end,
 * and its record is not worth those of all others.
 */
static void at_end(void)
{
    const struct timespec pause = {0, 5000000};
    uint64_t until = grosr_host_clock_ns() + GROSR_INJECT_END_TIMEOUT_NS;

    if (started_pid != (uint32_t)getpid() || !dev_load_relaxed(&running))
        return;
    become_ours(); /* the thread that ends the process captures nothing any more */
    cupti.flush(0);
    while (launches_missing() && grosr_host_clock_ns() < until) {
        nanosleep(&pause, NULL);
        cupti.flush(0);
    }
    dev_store_relaxed(&running, 0); /* from here on no call is told, nor those that CUDA's own end makes */
    if (housekeeping) {
        struct timespec at;
        clock_gettime(CLOCK_REALTIME, &at);
        at.tv_sec += 1;
        pthread_timedjoin_np(housekeeper, NULL, &at); /* it may be inside a driver that hangs */
    }
    kernels_end();
    struct inject_thread *t = inject_enter();
    if (!t)
        return;
    if (activity_dropped())
        inject_note(t, "cupti", "CUPTI dropped %llu records for want of buffers",
                    (unsigned long long)activity_dropped());
    inject_leave(t);
}

static CUptiResult subscribe_to_calls(void)
{
    /* CUPTI itself makes these, for the names of kernels that it tells us; and streams and contexts that go.
     */
    static const struct {
        uint32_t on;
        CUpti_CallbackDomain domain;
        CUpti_CallbackId id;
    } callbacks[] = {
        {0, CUPTI_CB_DOMAIN_DRIVER_API, CUPTI_DRIVER_TRACE_CBID_cuKernelGetName},
        {0, CUPTI_CB_DOMAIN_DRIVER_API, CUPTI_DRIVER_TRACE_CBID_cuFuncGetName},
        {1, CUPTI_CB_DOMAIN_RESOURCE, CUPTI_CBID_RESOURCE_STREAM_DESTROY_STARTING},
        {1, CUPTI_CB_DOMAIN_RESOURCE, CUPTI_CBID_RESOURCE_CONTEXT_DESTROY_STARTING},
    };
    CUptiResult code = cupti.enable_domain(1, subscriber, CUPTI_CB_DOMAIN_RUNTIME_API);

    if (code == CUPTI_SUCCESS)
        code = cupti.enable_domain(1, subscriber, CUPTI_CB_DOMAIN_DRIVER_API);
    for (size_t i = 0; code == CUPTI_SUCCESS && i < sizeof(callbacks) / sizeof(callbacks[0]); i++)
        code = cupti.enable_callback(callbacks[i].on, subscriber, callbacks[i].domain, callbacks[i].id);
    return code;
}

static void say_absent(const char *why)
{
    struct inject_thread *t = inject_enter();

    if (!t)
        return;
    inject_note(t, "cupti", "CUDA is not recorded: %s", why);
    inject_leave(t);
}

int InitializeInjection(void)
{
    char why[512];
    CUptiResult code;

    if (started_pid == (uint32_t)getpid() || !inject_begin())
        return 1;
    started_pid = (uint32_t)getpid();
    if (!cupti_load(why, sizeof(why))) {
        say_absent(why);
        return 1;
    }
    code = cupti.subscribe(&subscriber, (CUpti_CallbackFunc)on_call, NULL);
    if (code != CUPTI_SUCCESS) {
        snprintf(why, sizeof(why), "%s%s",
                 code == CUPTI_ERROR_MULTIPLE_SUBSCRIBERS_NOT_SUPPORTED ? "another profiler has CUPTI: " : "",
                 cupti_text(code));
        say_absent(why);
        return 1;
    }
    kernel_names_start();
    code = activity_start();
    if (code == CUPTI_SUCCESS)
        code = subscribe_to_calls();
    if (code != CUPTI_SUCCESS) {
        cupti.unsubscribe(subscriber);
        say_absent(cupti_text(code));
        return 1;
    }
    dev_store_relaxed(&running, 1);
    start_housekeeping();
    atexit(at_end);
    return 1;
}
