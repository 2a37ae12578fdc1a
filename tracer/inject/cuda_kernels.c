/*
 * Launches into the segment's table; persistent kernels (cuda_parts.h).
 *
 * Every launch of a kernel takes `launching` for reading while it is inside the driver, a persistent one for
 * writing, so that no other launch falls into the moment in which the activity is off. A launch may stay
 * inside the driver for as long as the queue behind a persistent kernel is full: so both wait for at most
 * GROSR_INJECT_LOCK_TIMEOUT_NS and then continue without the lock, at the price that a record may be missing,
 * which is noted.
 *
 * A persistent kernel is between two events in its stream: the first is over when it may start, the second
 * when it has ended. The housekeeping thread asks after them and never waits.
 */
#include "cuda_parts.h"

#include "../base/time_limits.h"
#include "../clock/clock.h"
#include "../session/outstanding.h"

#include <stdlib.h>
#include <string.h>

/* ---- launches ---- */

static dev32 crowded; /* launches made without the lock */
static pthread_rwlock_t launching = PTHREAD_RWLOCK_INITIALIZER;
/* The launch that this thread is in: whether it holds `launching`, has the activity off, is in the table
 * and its call has not returned; then whether it was made, and has ended by that. */
static __thread bool holds, off, counted, made, done;
static __thread bool asks; /* for its room, once it is made */
static __thread uint32_t slot;
static __thread struct grosr_launch current;

static bool no_kernels;     /* CUPTI is not to record them */
static bool no_copies;      /* ... nor copies and fills */
static bool graphs_whole;   /* it is to record them, and not their nodes */
static bool launches_block; /* CUDA_LAUNCH_BLOCKING: a launch returns when its kernel has ended */

/* As the process has these now, when the driver reads them: /proc has what it was started with. */
void kernels_start(void)
{
    struct grosr_outstanding *o = grosr_session_outstanding(inject_session());
    const char *blocking = getenv("CUDA_LAUNCH_BLOCKING"), *loading = getenv("CUDA_MODULE_LOADING"),
               *connections = getenv("CUDA_DEVICE_MAX_CONNECTIONS"), *trace = getenv("GROSR_CUDA_TRACE"),
               *graphs = getenv("GROSR_CUDA_GRAPH_TRACE");

    no_kernels = trace && *trace;
    no_copies = no_kernels && strstr(trace, "pc");
    graphs_whole = !no_kernels && graphs && !strcmp(graphs, "graph");
    launches_block = blocking && atoi(blocking) == 1;
    if (!o)
        return;
    sys_store_relaxed(&o->environment,
                      (launches_block ? GROSR_ENVIRONMENT_LAUNCH_BLOCKING : 0) |
                          (loading && !strcmp(loading, "EAGER") ? GROSR_ENVIRONMENT_EAGER : 0));
    sys_store_relaxed(&o->connections, connections ? (uint32_t)atoi(connections) : 0);
}

bool launch_has_record(uint32_t kind)
{
    return kind == GROSR_LAUNCH_KERNEL || kind == GROSR_LAUNCH_GRAPH    ? !no_kernels
           : kind == GROSR_LAUNCH_MEMCPY || kind == GROSR_LAUNCH_MEMSET ? !no_copies
                                                                        : true;
}

bool launch_graphs_whole(void)
{
    return graphs_whole;
}

/* Before the launch: its record may come before it returns. */
static void begin(const struct launch *l, uint32_t stream, bool lasting)
{
    struct inject_string *brief = l->name ? l->name->brief : l->other;

    launch_settle(l->start_ns); /* another one in the same call */
    current = (struct grosr_launch){
        .kind = l->kind,
        .correlation = l->correlation,
        .issued_ns = l->start_ns,
        .bytes = l->bytes,
        .kernels = l->kernels,
        .stream = stream,
        .tid = l->tid,
        .name = inject_text(brief),
        .full_name = l->name ? inject_text(l->name->full) : 0,
        .grid = {l->grid[0], l->grid[1], l->grid[2]},
        .block = {l->block[0], l->block[1], l->block[2]},
        .shared_bytes = l->shared_bytes,
        .flags = l->flags | (lasting ? GROSR_LAUNCH_PERSISTENT : 0) |
                 (l->kind == GROSR_LAUNCH_GRAPH && graphs_whole ? GROSR_LAUNCH_WHOLE : 0) |
                 (launch_has_record(l->kind) ? 0 : GROSR_LAUNCH_UNRECORDED),
    };
    counted = made = true;
    done = l->to_host || (launches_block && l->kind == GROSR_LAUNCH_KERNEL);
    slot = grosr_launch_begin(inject_session(), &current);
}

void launch_settle(uint64_t now_ns)
{
    if (!counted)
        return;
    counted = false;
    grosr_launch_returned(inject_session(), slot, &current, now_ns, made);
    if (made && done && current.flags & GROSR_LAUNCH_ORDERED)
        grosr_cuda_stream_waited(inject_session(), current.stream, current.place, now_ns);
}

void launch_recorded(uint32_t kind, uint32_t correlation)
{
    grosr_launch_recorded(inject_session(), kind, correlation, grosr_host_clock_ns());
}

uint64_t launches_missing(void)
{
    return grosr_outstanding_kernels(inject_session());
}

/* ---- persistent kernels ---- */

struct persistent {
    struct persistent *next;
    uint64_t number;
    uint32_t correlation;
    uint64_t start_ns; /* not before: the launch began then, or what was before it in its stream had ended */
    CUcontext context;
    CUevent before, after;
    uint32_t stream; /* of records, where its beginning was written: its end must follow it */
    bool started;
};

static pthread_mutex_t persistent_lock = PTHREAD_MUTEX_INITIALIZER;
static struct persistent *persistent;
static uint64_t persistent_count;
static __thread struct persistent *pending; /* of the launch that this thread is in */

static struct persistent *begin_persistent(const struct launch *l)
{
    struct persistent *p = (struct persistent *)calloc(1, sizeof(*p));

    if (!p)
        return NULL;
    p->context = l->context;
    p->correlation = l->correlation;
    p->start_ns = grosr_host_clock_ns();
    if (driver.event_create(&p->before, CU_EVENT_DEFAULT) != CUDA_SUCCESS)
        p->before = NULL;
    if (driver.event_create(&p->after, CU_EVENT_DEFAULT) != CUDA_SUCCESS)
        p->after = NULL;
    if (p->before && driver.event_record(p->before, l->stream) != CUDA_SUCCESS) {
        driver.event_destroy(p->before);
        p->before = NULL;
    }
    return p;
}

static void free_persistent(struct persistent *p)
{
    if (p->before)
        driver.event_destroy(p->before);
    if (p->after)
        driver.event_destroy(p->after);
    free(p);
}

static void write_persistent(const struct launch *l, struct persistent *p)
{
    struct grosr_record_cuda_kernel r = {
        .head = {0, GROSR_RECORD_CUDA_KERNEL},
        .start = p->start_ns,
        .context = l->context_id,
        .correlation = l->correlation,
        .grid = {l->grid[0], l->grid[1], l->grid[2]},
        .block = {l->block[0], l->block[1], l->block[2]},
        .dynamic_shared_bytes = l->shared_bytes,
        .state = GROSR_CUDA_KERNEL_STARTS,
        .persistent = p->number,
    };
    const struct grosr_piece piece = {&r, sizeof(r)};

    cupti.stream_id(l->context, l->stream, 0, &r.stream);
    cupti.device_id(l->context, &r.device);
    struct inject_thread *t = inject_enter();
    if (!t)
        return;
    r.mangled_name = inject_string_number(t, l->name->mangled);
    r.full_name = inject_string_number(t, l->name->full);
    r.name = inject_string_number(t, l->name->brief);
    inject_write(t, &piece, 1);
    p->stream = t->stream;
    inject_leave(t);
}

static void end_persistent(struct inject_thread *t, const struct persistent *p, uint64_t end_ns)
{
    struct grosr_record_cuda_kernel r = {
        .head = {0, GROSR_RECORD_CUDA_KERNEL},
        .start = p->start_ns,
        .end = end_ns,
        .state = GROSR_CUDA_KERNEL_ENDS,
        .persistent = p->number,
    };
    const struct grosr_piece piece = {&r, sizeof(r)};

    /* Streams are read one after the other: in another one it could come before the beginning. */
    uint32_t stream = t->stream;
    t->stream = p->stream;
    inject_write(t, &piece, 1);
    t->stream = stream;
}

/* ---- around launches ---- */

static void hold_launching(bool alone)
{
    struct timespec at;

    holds = !alone && pthread_rwlock_tryrdlock(&launching) == 0;
    if (holds)
        return;
    at = cuda_until(GROSR_INJECT_LOCK_TIMEOUT_NS);
    holds = (alone ? pthread_rwlock_timedwrlock(&launching, &at)
                   : pthread_rwlock_timedrdlock(&launching, &at)) == 0;
    if (!holds)
        dev_add_relaxed(&crowded, 1);
}

void launch_enter(const struct launch *l)
{
    bool lasting = l->name && l->name->persistent;
    uint32_t stream = stream_entry(l->context, l->context_id, l->stream, l->per_thread, l->tid);

    pending = NULL;
    holds = off = asks = false;
    if (stream_is_captured(l->stream)) { /* it goes into a graph: nothing is launched */
        stream_captured(stream, l->name ? l->name->brief : l->other);
        return;
    }
    if (l->kind == GROSR_LAUNCH_KERNEL)
        hold_launching(lasting);
    begin(l, stream, lasting);
    asks = l->kind == GROSR_LAUNCH_KERNEL;
    if (asks && launches_block) /* it returns when the kernel has ended */
        room_ask(l);
    if (l->function)
        host_function_issued(l->correlation, l->function);
    if (!lasting)
        return;
    CUstreamCaptureMode before = driver_relax();
    pending = begin_persistent(l);
    driver_restore(before);
    off = !no_kernels;
    if (off)
        cupti.disable(CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL);
}

/* It was launched, and `p` is found by the housekeeping thread from here on. */
static void add_persistent(const struct launch *l, struct persistent *p)
{
    if (p->after && driver.event_record(p->after, l->stream) != CUDA_SUCCESS) {
        driver.event_destroy(p->after);
        p->after = NULL;
    }
    p->started = !p->before || driver.event_query(p->before) == CUDA_SUCCESS;
    pthread_mutex_lock(&persistent_lock);
    p->number = ++persistent_count;
    pthread_mutex_unlock(&persistent_lock);
    write_persistent(l, p);
    pthread_mutex_lock(&persistent_lock);
    p->next = persistent;
    persistent = p;
    pthread_mutex_unlock(&persistent_lock);
}

void launch_exit(const struct launch *l, bool succeeded)
{
    struct persistent *p = pending;

    if (off)
        cupti.enable(CUPTI_ACTIVITY_KIND_CONCURRENT_KERNEL);
    if (holds)
        pthread_rwlock_unlock(&launching);
    holds = off = false;
    pending = NULL;
    made = succeeded;
    if (asks && succeeded)
        room_ask(l);
    if (!p)
        return;
    CUstreamCaptureMode before = driver_relax();
    if (succeeded)
        add_persistent(l, p);
    else
        free_persistent(p);
    driver_restore(before);
}

static void look_after_persistent(uint64_t now_ns);

void kernels_forget(CUcontext context)
{
    struct timespec at = cuda_until(GROSR_INJECT_LOCK_TIMEOUT_NS);

    look_after_persistent(grosr_host_clock_ns()); /* the last chance to learn of what ran in it */
    /* Bounded: the driver may keep the housekeeping thread, which holds the lock, waiting for this call's
     * end. */
    if (pthread_mutex_timedlock(&persistent_lock, &at))
        return;
    for (struct persistent **p = &persistent, *found; (found = *p);) {
        if (found->context == context) { /* its events go with it */
            *p = found->next;
            free(found);
        } else {
            p = &found->next;
        }
    }
    pthread_mutex_unlock(&persistent_lock);
}

/* ---- the housekeeping thread ---- */

/* Whether it has ended, and when. */
static bool has_ended(struct persistent *p, uint64_t now_ns, uint64_t *end_ns)
{
    CUcontext context;
    bool ended = false;
    float ms = 0;

    if (!p->after || driver.context_push(p->context) != CUDA_SUCCESS)
        return false;
    if (!p->started && driver.event_query(p->before) == CUDA_SUCCESS) {
        /* It waited for what was before it in its stream. */
        p->started = true;
        p->start_ns = now_ns;
    }
    if (driver.event_query(p->after) == CUDA_SUCCESS) {
        ended = true;
        *end_ns = now_ns;
        if (p->before && driver.event_elapsed(&ms, p->before, p->after) == CUDA_SUCCESS && ms >= 0 &&
            p->start_ns + (uint64_t)((double)ms * 1e6) < now_ns)
            *end_ns = p->start_ns + (uint64_t)((double)ms * 1e6);
    }
    driver.context_pop(&context);
    return ended;
}

static void look_after_persistent(uint64_t now_ns)
{
    struct persistent *ended = NULL;
    struct timespec at_most = cuda_until(GROSR_INJECT_LOCK_TIMEOUT_NS);

    if (pthread_mutex_timedlock(&persistent_lock, &at_most)) /* as in kernels_forget() */
        return;
    for (struct persistent **at = &persistent, *p; (p = *at);) {
        uint64_t end_ns = 0;
        if (!has_ended(p, now_ns, &end_ns)) {
            at = &p->next;
            continue;
        }
        grosr_launch_over(inject_session(), p->correlation);
        struct inject_thread *t = inject_enter();
        if (t) {
            end_persistent(t, p, end_ns);
            inject_leave(t);
        }
        *at = p->next;
        p->next = ended;
        ended = p;
    }
    pthread_mutex_unlock(&persistent_lock);
    while (ended) {
        struct persistent *p = ended;
        ended = p->next;
        CUcontext context;
        if (driver.context_push(p->context) == CUDA_SUCCESS) {
            free_persistent(p);
            driver.context_pop(&context);
        }
    }
}

void kernels_tick(uint64_t now_ns)
{
    look_after_persistent(now_ns);
}

void kernels_end(bool ask)
{
    uint32_t without = dev_load_relaxed(&crowded);

    if (ask)
        look_after_persistent(grosr_host_clock_ns());
    struct inject_thread *t = without ? inject_enter() : NULL;
    if (!t)
        return;
    inject_note(t, "cupti", "%u launches could not wait for others: records of kernels may be missing",
                without);
    inject_leave(t);
}
