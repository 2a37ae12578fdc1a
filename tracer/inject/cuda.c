/*
 * The driver loads us (CUDA_INJECTION64_PATH), CUPTI calls us around each call of the APIs, and the end of
 * the process finds nothing lost (cuda_parts.h).
 *
 * Of calls inside calls, the outermost is recorded: a program that calls the runtime sees its own calls and
 * not those that the runtime makes of the driver. It stands in the thread's slot of the segment while it
 * lasts (outstanding.h), and has a record when it has returned.
 *
 * Two threads of our own: the housekeeper asks the driver after kernels and streams; the flusher asks CUPTI
 * for records, which may take as long as some other call lasts. Neither is needed for what the program is in.
 */
#include "cuda_calls.h"
#include "cuda_ops.h"
#include "cuda_parts.h"

#include "../clock/clock.h"
#include "../base/time_limits.h"
#include "../session/outstanding.h"

#include <dlfcn.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define TICK_NS        50000000
#define FLUSH_NS       100000000
#define END_TICK_NS    5000000
#define THREADS_END_NS UINT64_C(1000000000)
#define STATE_REPORTS  8u    /* of CUPTI's, that become notes */
#define CBIDS          2048u /* more than CUPTI has calls of an API */

__attribute__((visibility("default"))) int InitializeInjection(void);

static CUpti_SubscriberHandle subscriber;
static dev32 running;        /* calls are recorded */
static dev32 ending;         /* at_end() waits for the latest records */
static dev32 flushes, ticks; /* that have returned, of CUPTI's; rounds of the housekeeper's */
static pthread_t housekeeper, flusher;
static bool housekeeping, flushing;
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

static void write_call(struct inject_thread *t, uint64_t end, int32_t result)
{
    const struct inject_call *c = &t->call;
    struct grosr_record_cuda_call r = {
        .head = {0, GROSR_RECORD_CUDA_CALL},
        .start = c->start,
        .end = end,
        .tid = t->tid,
        .correlation = c->correlation,
        .name = c->name ? inject_string_number(t, c->name) : 0,
        .result = result,
        .api = c->api,
    };
    const struct grosr_piece piece = {&r, sizeof(r)};

    inject_write(t, &piece, 1);
}

/* What a call waits for. */
static void find_wait(struct grosr_call *c, struct inject_thread *t, const struct cuda_op *op,
                      const CUpti_CallbackData *d)
{
    bool blocks = op->has & OP_BLOCKING;

    if (op->what == OP_SYNC_STREAM || blocks) {
        c->wait = GROSR_CALL_WAITS_STREAM;
        c->handle = (uintptr_t)cuda_op_stream(op, d);
        c->stream = stream_find(d->context, cuda_op_stream(op, d), op->has & OP_PER_THREAD, t->tid);
    } else if (op->what == OP_SYNC_EVENT) {
        c->wait = GROSR_CALL_WAITS_EVENT;
        c->handle = (uintptr_t)cuda_op_value(op, d);
        c->stream = event_place((CUevent)cuda_op_value(op, d), &t->call.place);
    } else if (op->what == OP_SYNC_DEVICE || op->what == OP_FREE) {
        c->wait = GROSR_CALL_WAITS_DEVICE;
    }
    t->call.stream = c->stream;
}

static void enter_call(struct inject_thread *t, CUpti_CallbackDomain domain, CUpti_CallbackId id,
                       const CUpti_CallbackData *d, const struct cuda_op *op)
{
    struct grosr_call c = {.start_ns = grosr_host_clock_ns(),
                           .api =
                               domain == CUPTI_CB_DOMAIN_DRIVER_API ? GROSR_CALL_DRIVER : GROSR_CALL_RUNTIME,
                           .tid = t->tid,
                           .correlation = d->correlationId,
                           .stream = GROSR_NO_STREAM};

    t->call = (struct inject_call){.known = true,
                                   .start = c.start_ns,
                                   .correlation = c.correlation,
                                   .api = domain == CUPTI_CB_DOMAIN_DRIVER_API,
                                   .name = call_name(domain, id, d->functionName ? d->functionName : ""),
                                   .stream = GROSR_NO_STREAM};
    c.name = inject_text(t->call.name);
    if (op->what != OP_OTHER)
        find_wait(&c, t, op, d);
    grosr_call_enter(inject_session(), inject_slot(t), &c);
}

/* What a call that has returned shows to have ended. */
static void note_ended(const struct inject_thread *t, const struct cuda_op *op, const CUpti_CallbackData *d)
{
    switch (op->what) {
    case OP_SYNC_STREAM:
        stream_ended(stream_find(d->context, cuda_op_stream(op, d), op->has & OP_PER_THREAD, t->tid),
                     t->call.start);
        break;
    case OP_SYNC_EVENT:
        if (t->call.stream != GROSR_NO_STREAM)
            grosr_cuda_stream_raise_ended(inject_session(), t->call.stream, t->call.place);
        break;
    case OP_SYNC_DEVICE:
        streams_ended(d->context, t->call.start);
        break;
    case OP_EVENT_RECORD:
        event_recorded((CUevent)cuda_op_value(op, d),
                       stream_find(d->context, cuda_op_stream(op, d), op->has & OP_PER_THREAD, t->tid));
        break;
    default:
        break;
    }
}

static void leave_call(struct inject_thread *t, const CUpti_CallbackData *d, const struct cuda_op *op)
{
    /* cudaError_t and CUresult are both an int; calls of other results are not subscribed to. */
    int32_t result = d->functionReturnValue ? *(const int32_t *)d->functionReturnValue : 0;
    uint64_t now = grosr_host_clock_ns();

    launch_settle(now);
    if (!t->call.known) /* it is not recorded, or a fork's child returns from it */
        return;
    if (!result && op->what != OP_OTHER)
        note_ended(t, op, d);
    /* Before its record: whoever finds that, does not find the call in its slot. */
    grosr_call_leave(inject_session(), inject_slot(t));
    write_call(t, now, result);
    t->call.known = false;
}

/* ---- launches ---- */

static bool find_kernel(CUpti_CallbackId id, const CUpti_CallbackData *d, struct launch *l)
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
    l->kind = GROSR_LAUNCH_KERNEL;
    l->per_thread = l->stream == CU_STREAM_PER_THREAD;
    l->name = kernel_name(d->symbolName ? d->symbolName : "");
    l->context = d->context;
    l->context_id = d->contextUid;
    l->correlation = d->correlationId;
    return true;
}

/* A host function has the name that the loader knows, or where it is: "program+0x1234". */
static struct inject_string *function_name(void *function)
{
    static dev64 known[256], names[256]; /* the function; struct inject_string * */
    uint32_t at = (uint32_t)(((uintptr_t)function >> 4) % 256);
    char text[512];
    Dl_info info;

    /* Pairs with the store below. */
    if (dev_load_acquire(&known[at]) == (uintptr_t)function)
        return (struct inject_string *)(uintptr_t)dev_load_relaxed(&names[at]);
    if (!dladdr(function, &info))
        snprintf(text, sizeof(text), "%p", function);
    else if (info.dli_sname && info.dli_saddr == function)
        snprintf(text, sizeof(text), "%s", info.dli_sname);
    else
        snprintf(text, sizeof(text), "%s+0x%zx",
                 strrchr(info.dli_fname, '/') ? strrchr(info.dli_fname, '/') + 1 : info.dli_fname,
                 (size_t)((uintptr_t)function - (uintptr_t)info.dli_fbase));
    const struct kernel_name *name = text[0] == '_' ? kernel_name(text) : NULL;
    struct inject_string *s = name ? name->brief : inject_string(text, strlen(text));
    if (dev_cas_relaxed(&known[at], 0, 1) == 0) { /* the first has it; others are looked up each time */
        dev_store_relaxed(&names[at], (uintptr_t)s);
        dev_store_release(&known[at], (uintptr_t)function); /* pairs with the load above */
    }
    return s;
}

/* Of what is not a kernel. Copies of nothing are not made, as far as CUPTI is concerned. */
static bool find_other(const struct cuda_op *op, const CUpti_CallbackData *d, struct launch *l)
{
    static const uint32_t kinds[] = {[OP_MEMCPY] = GROSR_LAUNCH_MEMCPY,
                                     [OP_MEMSET] = GROSR_LAUNCH_MEMSET,
                                     [OP_HOST_FUNCTION] = GROSR_LAUNCH_HOST_FUNCTION,
                                     [OP_GRAPH] = GROSR_LAUNCH_GRAPH};

    if (op->what < OP_MEMCPY || op->what > OP_GRAPH)
        return false;
    *l = (struct launch){.kind = kinds[op->what],
                         .context = d->context,
                         .stream = cuda_op_stream(op, d),
                         .per_thread = op->has & OP_PER_THREAD,
                         .to_host = cuda_op_copied_to_host(op, d),
                         .context_id = d->contextUid,
                         .correlation = d->correlationId,
                         .bytes = cuda_op_bytes(op, d)};
    if (!l->stream && l->per_thread)
        l->stream = CU_STREAM_PER_THREAD;
    if (op->has & OP_HAS_BYTES && !l->bytes)
        return false;
    if (op->what == OP_HOST_FUNCTION)
        l->other = function_name(cuda_op_value(op, d));
    else if (op->what == OP_GRAPH)
        l->other = graph_name((CUgraphExec)cuda_op_value(op, d), &l->kernels);
    else
        l->other = inject_string(op->what == OP_MEMCPY ? "copy" : "fill", 4);
    return true;
}

/* ---- captures and graphs ---- */

/* Around a call that may begin or end a capture (`capture`: call_capture()), let a stream join one, or change
 * what is known. Which stream it is, is not known of a call that is new. */
static void begin_capture_call(int capture, const struct cuda_op *op, const CUpti_CallbackData *d)
{
    if (capture > 0)
        streams_capture_begins();
    else if (op->what == OP_WAIT_EVENT)
        streams_join_begins();
    else if (op->what == OP_EVENT_DESTROY) /* another event may have its handle */
        event_recorded((CUevent)cuda_op_value(op, d), GROSR_NO_STREAM);
    else if (op->what == OP_GRAPH_CHANGE)
        graph_changed((CUgraphExec)cuda_op_value(op, d));
}

static void end_capture_call(int capture, uint32_t tid, const struct cuda_op *op, const CUpti_CallbackData *d,
                             bool refused)
{
    CUstream stream = cuda_op_stream(op, d);
    bool per_thread = op->has & OP_PER_THREAD;

    if (capture > 0) {
        streams_capture_begun(refused);
        if (!refused && op->what == OP_CAPTURE_BEGIN)
            stream_capture(stream_entry(d->context, d->contextUid, stream, per_thread, tid));
    } else {
        streams_capture_ended();
        if (op->what == OP_CAPTURE_END)
            stream_capture_end(stream_find(d->context, stream, per_thread, tid));
    }
}

static void end_instantiation(CUpti_CallbackId id, const CUpti_CallbackData *d)
{
    CUgraphExec *exec = NULL;
    CUgraph graph = NULL;

#define INSTANTIATED(call)                                              \
    case CUPTI_DRIVER_TRACE_CBID_##call:                                \
        exec = ((const call##_params *)d->functionParams)->phGraphExec; \
        graph = ((const call##_params *)d->functionParams)->hGraph;     \
        break;
    switch (id) {
        INSTANTIATED(cuGraphInstantiate)
        INSTANTIATED(cuGraphInstantiate_v2)
        INSTANTIATED(cuGraphInstantiateWithFlags)
        INSTANTIATED(cuGraphInstantiateWithParams)
        INSTANTIATED(cuGraphInstantiateWithParams_ptsz)
    default:
        break;
    }
#undef INSTANTIATED
    if (!exec)
        return;
    CUstreamCaptureMode before = driver_relax();
    graph_instantiated(*exec, graph);
    driver_restore(before);
}

/* Streams and contexts that go: nothing is asked of them from then on. */
static void on_resource(CUpti_CallbackId id, const CUpti_ResourceData *d)
{
    CUstreamCaptureMode before = driver_relax();

    if (id == CUPTI_CBID_RESOURCE_STREAM_DESTROY_STARTING) {
        streams_forget(d->context, d->resourceHandle.stream);
    } else if (id == CUPTI_CBID_RESOURCE_CONTEXT_DESTROY_STARTING) {
        kernels_forget(d->context);
        streams_forget(d->context, NULL);
    }
    driver_restore(before);
}

static __thread struct launch launch; /* the one that this thread is in */

static void on_enter(struct inject_thread *t, CUpti_CallbackDomain domain, CUpti_CallbackId id,
                     const CUpti_CallbackData *d, const struct cuda_op *op)
{
    begin_capture_call(call_capture(domain, id), op, d);
    if (t->calls++ == 0 && call_is_recorded(domain, id))
        enter_call(t, domain, id, d, op);
    bool launches =
        !t->launches_at &&
        ((domain == CUPTI_CB_DOMAIN_DRIVER_API && find_kernel(id, d, &launch)) || find_other(op, d, &launch));
    if (launches) {
        launch.tid = t->tid;
        launch.start_ns = t->call.known ? t->call.start : grosr_host_clock_ns();
        t->launches_at = t->calls;
    }
    inject_leave(t);
    /* What it calls of the driver comes back here, and is inside a call. */
    if (launches) {
        launch_enter(&launch);
        if (op->has & OP_BLOCKING && t->call.stream == GROSR_NO_STREAM)
            grosr_call_set_stream(inject_session(), inject_slot(t),
                                  stream_find(launch.context, launch.stream, launch.per_thread, launch.tid));
    }
}

static void on_exit_of(struct inject_thread *t, CUpti_CallbackDomain domain, CUpti_CallbackId id,
                       const CUpti_CallbackData *d, const struct cuda_op *op)
{
    bool refused = d->functionReturnValue && *(const int32_t *)d->functionReturnValue;
    bool launched = t->launches_at && t->launches_at == t->calls;
    bool instantiated = op->what == OP_INSTANTIATE && !refused;
    int capture = call_capture(domain, id);

    if (op->what == OP_WAIT_EVENT)
        streams_join_ended();
    if (launched || instantiated || capture) {
        inject_leave(t);
        if (capture)
            end_capture_call(capture, t->tid, op, d, refused);
        if (instantiated)
            end_instantiation(id, d);
        if (launched) {
            launch_exit(&launch, !refused);
            t->launches_at = 0;
        }
        t = inject_enter();
        if (!t)
            return;
    }
    /* One that began before we were there has no beginning. */
    if (t->calls && --t->calls == 0)
        leave_call(t, d, op);
    inject_leave(t);
}

/* What CUPTI reports of itself. It stops itself when it has failed. */
static void on_state(CUpti_CallbackId id, const CUpti_StateData *d)
{
    static dev32 reports;

    if ((id != CUPTI_CBID_STATE_FATAL_ERROR && id != CUPTI_CBID_STATE_ERROR) ||
        dev_add_relaxed(&reports, 1) >= STATE_REPORTS)
        return;
    struct inject_thread *t = inject_enter();
    if (!t)
        return;
    inject_note(t, "cupti", "CUPTI %s: %s%s%s",
                id == CUPTI_CBID_STATE_FATAL_ERROR ? "has failed and records nothing from here on"
                                                   : "reports an error",
                cupti_text(d->notification.result), d->notification.message ? ": " : "",
                d->notification.message ? d->notification.message : "");
    inject_leave(t);
}

static void CUPTIAPI on_call(void *unused, CUpti_CallbackDomain domain, CUpti_CallbackId id, const void *data)
{
    struct inject_thread *t = dev_load_relaxed(&running) ? inject_enter() : NULL;

    (void)unused;
    if (!t)
        return;
    if (domain == CUPTI_CB_DOMAIN_RESOURCE || domain == CUPTI_CB_DOMAIN_STATE || t->ours) {
        inject_leave(t);
        if (domain == CUPTI_CB_DOMAIN_RESOURCE)
            on_resource(id, (const CUpti_ResourceData *)data);
        else if (domain == CUPTI_CB_DOMAIN_STATE)
            on_state(id, (const CUpti_StateData *)data);
        return;
    }
    const CUpti_CallbackData *d = (const CUpti_CallbackData *)data;
    const struct cuda_op *op = cuda_op(domain, id);
    if (d->callbackSite == CUPTI_API_ENTER)
        on_enter(t, domain, id, d, op);
    else
        on_exit_of(t, domain, id, d, op);
}

/* ---- threads of our own ---- */

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

/* Between the rounds of a thread of ours; at_end() ends the pause. */
static pthread_mutex_t pause_lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t woken = PTHREAD_COND_INITIALIZER;

static void pause_for(uint64_t ns)
{
    struct timespec at = cuda_until(ns), end_tick = {0, END_TICK_NS};

    if (dev_load_relaxed(&ending)) {
        nanosleep(&end_tick, NULL);
        return;
    }
    pthread_mutex_lock(&pause_lock);
    while (!dev_load_relaxed(&ending) && pthread_cond_timedwait(&woken, &pause_lock, &at) == 0)
        ;
    pthread_mutex_unlock(&pause_lock);
}

static void *housekeeping_main(void *unused)
{
    (void)unused;
    become_ours();
    while (dev_load_relaxed(&running)) {
        errors_tick();
        bool all = dev_load_relaxed(&ending);
        kernels_tick(grosr_host_clock_ns());
        streams_tick(grosr_host_clock_ns(), all);
        dev_add_relaxed(&ticks, all);
        pause_for(TICK_NS);
    }
    return NULL;
}

/*
 * Not by force: what is complete. CUPTI's own period leaves the latest buffer until it is full. That it is
 * under way stands in a slot as the program's calls do: it may wait for a lock that a stuck call holds.
 */
static void flush(void)
{
    static const char name[] = "cuptiActivityFlushAll";
    struct inject_thread *t = inject_enter();

    if (t) {
        const struct grosr_call c = {.start_ns = grosr_host_clock_ns(),
                                     .name = inject_text(inject_string(name, sizeof(name) - 1)),
                                     .api = GROSR_CALL_TRACER,
                                     .tid = t->tid,
                                     .stream = GROSR_NO_STREAM};
        grosr_call_enter(inject_session(), inject_slot(t), &c);
        inject_leave(t);
    }
    cupti.flush(0);
    if (t)
        grosr_call_leave(inject_session(), inject_slot(t));
    dev_add_relaxed(&flushes, 1);
}

static void *flusher_main(void *unused)
{
    (void)unused;
    become_ours();
    while (dev_load_relaxed(&running)) {
        if (launches_missing() || dev_load_relaxed(&ending))
            flush();
        pause_for(FLUSH_NS);
    }
    return NULL;
}

static void start_threads(void)
{
    sigset_t all, before;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    housekeeping = pthread_create(&housekeeper, NULL, housekeeping_main, NULL) == 0;
    flushing = pthread_create(&flusher, NULL, flusher_main, NULL) == 0;
    pthread_sigmask(SIG_SETMASK, &before, NULL);
}

/* ---- the beginning and the end ---- */

/* Waits, for a while, until the threads have made a whole round each and no record is missing. */
static void wait_for_records(void)
{
    uint64_t until = grosr_host_clock_ns() + GROSR_INJECT_END_TIMEOUT_NS;
    const struct timespec pause = {0, END_TICK_NS};

    pthread_mutex_lock(&pause_lock);
    uint32_t flushed = dev_load_relaxed(&flushes), ticked = dev_load_relaxed(&ticks);
    dev_store_relaxed(&ending, 1);
    pthread_cond_broadcast(&woken);
    pthread_mutex_unlock(&pause_lock);
    while (grosr_host_clock_ns() < until &&
           ((flushing && dev_load_relaxed(&flushes) - flushed < 2) ||
            (housekeeping && dev_load_relaxed(&ticks) - ticked < 2) || launches_missing()))
        nanosleep(&pause, NULL);
    if (!flushing)
        cupti.flush(0);
}

/*
 * What has run is recorded before the process ends. What still runs is not waited for: a kernel may never
 * end, and its record is not worth those of all others. Nothing is called here that may block: the threads
 * of our own do that.
 */
static void at_end(void)
{
    if (started_pid != (uint32_t)getpid() || !dev_load_relaxed(&running))
        return;
    become_ours(); /* the thread that ends the process captures nothing any more */
    wait_for_records();
    errors_end();
    dev_store_relaxed(&running,
                      0); /* from here on no call is recorded, nor those that CUDA's own end makes */
    struct timespec at = cuda_until(THREADS_END_NS);
    bool ended = !housekeeping || pthread_timedjoin_np(housekeeper, NULL, &at) == 0;
    if (flushing)
        pthread_timedjoin_np(flusher, NULL, &at);
    kernels_end(ended);
    struct inject_thread *t = inject_enter();
    if (!t)
        return;
    if (activity_dropped())
        inject_note(t, "cupti", "CUPTI dropped %llu records for want of buffers",
                    (unsigned long long)activity_dropped());
    inject_leave(t);
}

static void say_absent(const char *why)
{
    struct inject_thread *t = inject_enter();

    if (!t)
        return;
    inject_note(t, "cupti", "CUDA is not recorded: %s", why);
    inject_leave(t);
}

/* Variables that change what calls wait for. */
static void note_environment(void)
{
    static const char *const names[] = {"CUDA_LAUNCH_BLOCKING", "CUDA_DEVICE_MAX_CONNECTIONS"};

    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        const char *value = getenv(names[i]);
        struct inject_thread *t = value && *value ? inject_enter() : NULL;
        if (!t)
            continue;
        inject_note(t, "environment", "%s=%s", names[i], value);
        inject_leave(t);
    }
}

/* Takes CUPTI's subscription. 0, or why not. */
static const char *subscribe(char *why, size_t size)
{
    char other[CUPTI_OLD_SUBSCRIBER_NAME_MIN_LEN] = "";
    CUpti_SubscriberParams params = {.structSize = CUpti_SubscriberParams_STRUCT_SIZE,
                                     .subscriberName = "GROSR",
                                     .oldSubscriberName = other,
                                     .oldSubscriberSize = sizeof(other)};
    CUptiResult code = cupti.subscribe_v2
                           ? cupti.subscribe_v2(&subscriber, (CUpti_CallbackFunc)on_call, NULL, &params)
                           : cupti.subscribe(&subscriber, (CUpti_CallbackFunc)on_call, NULL);

    if (code == CUPTI_SUCCESS)
        return NULL;
    other[sizeof(other) - 1] = 0;
    snprintf(why, size, "%s%s%s%s%s",
             code == CUPTI_ERROR_MULTIPLE_SUBSCRIBERS_NOT_SUPPORTED ? "another profiler has CUPTI: " : "",
             cupti_text(code), *other ? " (" : "", other, *other ? ")" : "");
    return why;
}

int InitializeInjection(void)
{
    char why[512];
    CUptiResult code;

    if (started_pid == (uint32_t)getpid() || !inject_begin())
        return 1;
    started_pid = (uint32_t)getpid();
    if (!cupti_load(why, sizeof(why)) || subscribe(why, sizeof(why))) {
        say_absent(why);
        return 1;
    }
    kernel_names_start();
    kernels_start();
    note_environment();
    code = activity_start();
    if (code == CUPTI_SUCCESS)
        code = calls_enable(subscriber);
    if (code != CUPTI_SUCCESS) {
        cupti.unsubscribe(subscriber);
        say_absent(cupti_text(code));
        return 1;
    }
    dev_store_relaxed(&running, 1);
    start_threads();
    atexit(at_end);
    return 1;
}
