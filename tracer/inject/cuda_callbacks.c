/*
 * CUPTI calls us around each call of the APIs that cuda_calls.c has enabled (cuda_parts.h).
 *
 * Of calls inside calls, the outermost is recorded: a program that calls the runtime sees its own calls and
 * not those that the runtime makes of the driver. It stands in the thread's slot of the segment while it
 * lasts (outstanding.h), and has a record when it has returned.
 */
#include "cuda_calls.h"
#include "cuda_parts.h"

#include "../clock/clock.h"
#include "../session/outstanding.h"

#include <string.h>

#define STATE_REPORTS 8u    /* of CUPTI's, that become notes */
#define CBIDS         2048u /* more than CUPTI has calls of an API */

static dev32 recording;

void callbacks_record(bool on)
{
    dev_store_relaxed(&recording, on);
}

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
        c->place = t->call.place;
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
                           .stream = GROSR_NO_STREAM,
                           .context = d->contextUid,
                           .kernels = t->kernels};

    stream_context(d->context, &c.context);
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
            grosr_cuda_stream_waited(inject_session(), t->call.stream, t->call.place, grosr_host_clock_ns());
        break;
    case OP_SYNC_DEVICE:
        streams_ended(stream_context(d->context, NULL), t->call.start);
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
            stream_capture(stream_entry(d->context, d->contextUid, stream, per_thread, tid), tid);
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

/* ---- callbacks ---- */

/* Streams and contexts that go: nothing is asked of them from then on. What comes is for PC sampling. */
static void on_resource(CUpti_CallbackId id, const CUpti_ResourceData *d)
{
    CUstreamCaptureMode before = driver_relax();

    if (id == CUPTI_CBID_RESOURCE_CONTEXT_CREATED) {
        pc_context_created(d->context);
    } else if (id == CUPTI_CBID_RESOURCE_MODULE_LOADED && d->resourceDescriptor) {
        const CUpti_ModuleResourceData *m = (const CUpti_ModuleResourceData *)d->resourceDescriptor;
        pc_module_loaded(m->pCubin, m->cubinSize);
    } else if (id == CUPTI_CBID_RESOURCE_STREAM_DESTROY_STARTING) {
        streams_forget(d->context, d->resourceHandle.stream);
    } else if (id == CUPTI_CBID_RESOURCE_CONTEXT_DESTROY_STARTING) {
        pc_context_ends(d->context);
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
    bool launches = !t->launches_at && launch_find(&launch, domain, id, d, op);
    if (launches) {
        launch.tid = t->tid;
        launch.start_ns = t->call.known ? t->call.start : grosr_host_clock_ns();
        t->launches_at = t->calls;
        t->kernels += launch.kind == GROSR_LAUNCH_KERNEL || launch.kind == GROSR_LAUNCH_GRAPH;
    }
    bool words = op->what == OP_WORDS && !t->launches_at;
    if (words)
        t->launches_at = t->calls;
    uint64_t start = t->call.known ? t->call.start : 0;
    inject_leave(t);
    /* What it calls of the driver comes back here, and is inside a call. */
    if (words)
        words_enter(id, d, op, t->tid, start ? start : grosr_host_clock_ns());
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
    bool waits = op->what == OP_WAIT_EVENT && !refused && t->calls == 1;
    int capture = call_capture(domain, id);

    if (op->what == OP_WAIT_EVENT)
        streams_join_ended();
    else if (op->what == OP_SHARE && !refused)
        words_are_shared();
    if (launched || instantiated || capture || waits) {
        inject_leave(t);
        if (waits)
            event_waited((CUevent)cuda_op_value(op, d),
                         stream_entry(d->context, d->contextUid, cuda_op_stream(op, d),
                                      op->has & OP_PER_THREAD, t->tid));
        if (capture)
            end_capture_call(capture, t->tid, op, d, refused);
        if (instantiated)
            end_instantiation(id, d);
        if (launched) {
            if (op->what == OP_WORDS)
                words_exit(!refused, grosr_host_clock_ns());
            else
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

void CUPTIAPI callbacks_on_call(void *unused, CUpti_CallbackDomain domain, CUpti_CallbackId id,
                                const void *data)
{
    struct inject_thread *t = dev_load_relaxed(&recording) ? inject_enter() : NULL;

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
