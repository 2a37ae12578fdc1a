/*
 * Streams, and what is known to have ended in them (cuda_parts.h; outstanding.h has the tables).
 *
 * A stream has an entry from the first launch into it, or wait for it, on. What has been launched in it has
 * ended when a call that waits for it has returned; for events, up to where they were recorded. The
 * housekeeping thread asks after streams in which something has not ended, which is of use (a record may be
 * withheld of what has) and never needed. One that was given nothing for a while and has not come to its end
 * is busy.
 *
 * To ask a stream that captures invalidates the capture, whatever the asking thread's mode, and a capture
 * spreads to other streams by events. So a stream is asked only if it does not capture, as the driver says,
 * and under a lock that whoever makes one capture takes before: `changing` counts the calls that are about
 * to. Nothing is asked of a stream that is about to be destroyed: it is forgotten under that lock too.
 */
#include "cuda_parts.h"

#include "../base/time_limits.h"
#include "../clock/clock.h"
#include "../session/outstanding.h"

#include <time.h>

#define EVENTS  16384u /* that are known at a time; a power of two */
#define ASK_NS  UINT64_C(100000000)
#define PER_ASK 64u /* streams that are asked in a row */

static pthread_mutex_t asking = PTHREAD_MUTEX_INITIALIZER;
static uint32_t changing;     /* under `asking` */
static dev32 captures;        /* that are under way */
static __thread bool joining; /* this thread's call is counted in `changing` */
static dev32 capture_stream;  /* the stream whose capture began last; + 1 */

/* By the numbers of entries: who they are. Written under `adding`, before the entry is. */
static pthread_mutex_t adding = PTHREAD_MUTEX_INITIALIZER;
static struct {
    CUcontext context;
    CUstream handle;
    uint64_t key;
    bool per_thread, listed;
} streams[GROSR_CUDA_STREAMS_MAX];
static uint32_t listed[GROSR_CUDA_STREAMS_MAX]; /* the entries that there are or were */
static dev32 listed_count;

/* By a hash of the handle: 16 bits of the hash, 12 of the stream, 36 of the place that it was recorded at. */
static dev64 events[EVENTS];

static_assert(GROSR_CUDA_STREAMS_MAX <= 4096, "a stream's number has 12 bits in events[]");

struct timespec cuda_until(uint64_t ns)
{
    struct timespec t;

    clock_gettime(CLOCK_REALTIME, &t);
    uint64_t at = (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec + ns;
    return (struct timespec){(time_t)(at / 1000000000u), (long)(at % 1000000000u)};
}

static bool lock(pthread_mutex_t *mutex)
{
    /* Bounded: its holder may be kept waiting by the driver for the end of the very call that wants it. */
    struct timespec at = cuda_until(GROSR_INJECT_LOCK_TIMEOUT_NS);

    return pthread_mutex_trylock(mutex) == 0 || pthread_mutex_timedlock(mutex, &at) == 0;
}

static uint64_t mix(uint64_t x)
{
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

/* ---- entries ---- */

/* The default stream has several names. */
static CUstream plain(CUstream handle, bool per_thread)
{
    if (handle == CU_STREAM_LEGACY)
        return NULL;
    return !handle && per_thread ? CU_STREAM_PER_THREAD : handle;
}

static uint64_t key_of(CUcontext context, CUstream handle, uint32_t tid)
{
    uint64_t key = mix((uintptr_t)context) ^ (uintptr_t)handle;

    if (handle == CU_STREAM_PER_THREAD)
        key ^= (uint64_t)tid << 40;
    return mix(key) | 2;
}

/* The first context that a stream was found in, and whether there was another. */
static dev64 first_context;
static dev32 first_context_id, several_contexts;

static void note_context(CUcontext context, uint32_t id)
{
    uint64_t first = dev_cas_relaxed(&first_context, 0, (uintptr_t)context);

    if (!first)
        dev_store_relaxed(&first_context_id, id);
    else if (first != (uintptr_t)context)
        dev_store_relaxed(&several_contexts, 1);
}

CUcontext stream_context(CUcontext context, uint32_t *id)
{
    if (context || dev_load_relaxed(&several_contexts))
        return context;
    if (id)
        *id = dev_load_relaxed(&first_context_id);
    return (CUcontext)(uintptr_t)dev_load_relaxed(&first_context);
}

uint32_t stream_find(CUcontext context, CUstream handle, bool per_thread, uint32_t tid)
{
    context = stream_context(context, NULL);
    return grosr_cuda_stream_find(inject_session(), key_of(context, plain(handle, per_thread), tid));
}

/* How a stream is ordered with the legacy default stream, and its priority. */
static void describe(uint32_t at, CUstream handle)
{
    unsigned flags = 0;
    int priority = 0;
    enum grosr_stream_order order = !handle                          ? GROSR_STREAM_LEGACY
                                    : handle == CU_STREAM_PER_THREAD ? GROSR_STREAM_BLOCKING
                                                                     : GROSR_STREAM_ORDER_UNKNOWN;

    if (order == GROSR_STREAM_ORDER_UNKNOWN && driver.stream_flags &&
        driver.stream_flags(handle, &flags) == CUDA_SUCCESS)
        order = flags & CU_STREAM_NON_BLOCKING ? GROSR_STREAM_NON_BLOCKING : GROSR_STREAM_BLOCKING;
    if (driver.stream_priority && driver.stream_priority(handle, &priority) != CUDA_SUCCESS)
        priority = 0;
    grosr_cuda_stream_describe(inject_session(), at, order, priority);
}

uint32_t stream_entry(CUcontext context, uint32_t context_id, CUstream handle, bool per_thread, uint32_t tid)
{
    const struct grosr_session *s = inject_session();
    context = stream_context(context, &context_id);
    handle = plain(handle, per_thread);
    uint64_t key = key_of(context, handle, tid);
    uint32_t at = grosr_cuda_stream_find(s, key), id = 0;

    if (at != GROSR_NO_STREAM || !context || !lock(&adding))
        return at;
    per_thread = handle == CU_STREAM_PER_THREAD;
    CUstreamCaptureMode before = driver_relax();
    cupti.stream_id(context, per_thread ? NULL : handle, per_thread, &id);
    at = grosr_cuda_stream_add(s, key, (uintptr_t)handle, context_id, id);
    if (at != GROSR_NO_STREAM)
        describe(at, handle);
    driver_restore(before);
    if (at != GROSR_NO_STREAM) {
        note_context(context, context_id);
        streams[at].context = context;
        streams[at].handle = handle;
        streams[at].key = key;
        streams[at].per_thread = per_thread;
        uint32_t n = dev_load_relaxed(&listed_count);
        if (!streams[at].listed && n < GROSR_CUDA_STREAMS_MAX) {
            streams[at].listed = true;
            listed[n] = at;
            dev_store_release(&listed_count, n + 1); /* pairs with streams_ended() and streams_tick() */
        }
    }
    pthread_mutex_unlock(&adding);
    return at;
}

void streams_forget(CUcontext context, CUstream stream)
{
    const struct grosr_session *s = inject_session();

    if (!lock(&asking))
        return;
    if (stream)
        grosr_cuda_stream_remove(s, key_of(context, stream, 0));
    for (uint32_t i = 0, n = dev_load_acquire(&listed_count); !stream && i < n;
         i++) /* pairs with stream_entry() */
        if (streams[listed[i]].context == context)
            grosr_cuda_stream_remove(s, streams[listed[i]].key);
    if (!stream) /* another may be made in its place */
        dev_cas_relaxed(&first_context, (uintptr_t)context, 0);
    pthread_mutex_unlock(&asking);
}

/* ---- what has ended ---- */

void stream_ended(uint32_t stream, uint64_t start_ns)
{
    const struct grosr_session *s = inject_session();

    grosr_cuda_stream_waited(s, stream, grosr_cuda_stream_covered(s, stream, start_ns),
                             grosr_host_clock_ns());
}

void streams_ended(CUcontext context, uint64_t start_ns)
{
    for (uint32_t i = 0, n = dev_load_acquire(&listed_count); i < n; i++) /* pairs with stream_entry() */
        if (streams[listed[i]].context == context)
            stream_ended(listed[i], start_ns);
}

bool streams_are_busy(void)
{
    struct grosr_cuda_stream_state s;

    for (uint32_t i = 0, n = dev_load_acquire(&listed_count); i < n; i++) /* pairs with stream_entry() */
        if (grosr_cuda_stream_read(inject_session(), listed[i], &s) && s.ended < s.returned)
            return true;
    return false;
}

static dev64 *event_at(CUevent event, uint64_t *tag)
{
    uint64_t hash = mix((uintptr_t)event);

    *tag = hash >> 48 << 48;
    return &events[hash % EVENTS];
}

void event_recorded(CUevent event, uint32_t stream)
{
    const struct grosr_session *s = inject_session();
    uint64_t tag, place = grosr_cuda_stream_covered(s, stream, UINT64_MAX);
    dev64 *at = event_at(event, &tag);

    /* In a capture it is recorded in the graph. */
    if (dev_load_relaxed(&captures) || stream >= GROSR_CUDA_STREAMS_MAX || place >> 36)
        place = 0;
    dev_store_relaxed(at, place ? tag | (uint64_t)stream << 36 | place : 0);
}

uint32_t event_place(CUevent event, uint64_t *place)
{
    uint64_t tag, known = dev_load_relaxed(event_at(event, &tag));

    *place = known & ((UINT64_C(1) << 36) - 1);
    if (!known || known >> 48 << 48 != tag)
        return GROSR_NO_STREAM;
    return (uint32_t)(known >> 36 & 0xfff);
}

void event_waited(CUevent event, uint32_t stream)
{
    const struct grosr_session *s = inject_session();
    struct grosr_cuda_stream_state state;
    struct grosr_event_wait w = {.stream = stream};

    w.on = event_place(event, &w.on_place);
    if (w.on == GROSR_NO_STREAM || w.on == stream || dev_load_relaxed(&captures) ||
        !grosr_cuda_stream_read(s, w.on, &state) || state.ended >= w.on_place ||
        !grosr_cuda_stream_read(s, stream, &state))
        return;
    w.place = state.issued;
    grosr_event_wait_add(s, &w);
}

/* ---- captures ---- */

static void change(uint32_t by)
{
    if (!lock(&asking))
        return;
    changing = by == 1 || changing ? changing + by : 0;
    pthread_mutex_unlock(&asking);
}

void streams_capture_begins(void)
{
    change(1);
    dev_add_relaxed(&captures, 1);
}

void streams_capture_begun(bool refused)
{
    change(UINT32_MAX);
    if (refused)
        streams_capture_ended();
}

void streams_capture_ended(void)
{
    uint32_t n = dev_load_relaxed(&captures);

    while (n) {
        uint32_t found = dev_cas_relaxed(&captures, n, n - 1);
        n = found == n ? 0 : found;
    }
}

/* While nothing captures, a launch makes no call of the driver's. */
bool stream_is_captured(CUstream handle)
{
    CUstreamCaptureStatus capturing = CU_STREAM_CAPTURE_STATUS_NONE;

    if (!dev_load_relaxed(&captures))
        return false;
    CUstreamCaptureMode before = driver_relax();
    CUresult code = driver.stream_capturing(handle, &capturing);
    driver_restore(before);
    return code != CUDA_SUCCESS || capturing != CU_STREAM_CAPTURE_STATUS_NONE;
}

void streams_join_begins(void)
{
    joining = dev_load_relaxed(&captures) != 0;
    if (joining)
        change(1);
}

void streams_join_ended(void)
{
    if (joining)
        change(UINT32_MAX);
    joining = false;
}

void stream_capture(uint32_t stream, uint32_t tid)
{
    grosr_cuda_stream_capture(inject_session(), stream, tid, grosr_host_clock_ns());
    dev_store_relaxed(&capture_stream, stream + 1);
}

void stream_capture_end(uint32_t stream)
{
    grosr_cuda_stream_capture_end(inject_session(), stream);
}

void stream_captured(uint32_t stream, struct inject_string *name)
{
    const struct grosr_session *s = inject_session();
    struct grosr_cuda_stream_state state;

    /* A stream that has joined the capture of another: it counts for the latest, which is it mostly. */
    if (stream == GROSR_NO_STREAM || !grosr_cuda_stream_read(s, stream, &state) || !state.capture_ns)
        stream = dev_load_relaxed(&capture_stream) - 1;
    grosr_cuda_stream_captured(s, stream, inject_text(name));
}

uint32_t stream_in_capture(void)
{
    return dev_load_relaxed(&captures) ? dev_load_relaxed(&capture_stream) - 1 : GROSR_NO_STREAM;
}

/* ---- the housekeeping thread ---- */

/* Asks a stream whether it has come to its end, unless it captures. With `asking`. */
static void ask(const struct grosr_session *s, uint32_t stream, CUcontext context, CUstream handle,
                uint64_t place, uint64_t now_ns)
{
    CUstreamCaptureStatus capturing = CU_STREAM_CAPTURE_STATUS_NONE;

    if (driver.context_push(context) != CUDA_SUCCESS)
        return;
    if (driver.stream_capturing(handle, &capturing) == CUDA_SUCCESS &&
        capturing == CU_STREAM_CAPTURE_STATUS_NONE) {
        CUresult code = driver.stream_query(handle);
        if (code == CUDA_SUCCESS)
            grosr_cuda_stream_raise_ended(s, stream, place);
        else if (code == CUDA_ERROR_NOT_READY && grosr_cuda_stream_covered(s, stream, now_ns - ASK_NS))
            grosr_cuda_stream_busy(s, stream, now_ns);
    }
    driver.context_pop(&context);
}

void streams_tick(uint64_t now_ns, bool at_once)
{
    const struct grosr_session *s = inject_session();
    static uint64_t looked_ns;
    static uint32_t next;
    uint32_t n = dev_load_acquire(&listed_count), asked = 0; /* pairs with stream_entry() */

    if (!at_once && now_ns - looked_ns < ASK_NS)
        return;
    looked_ns = now_ns;
    for (uint32_t i = 0; i < n && asked < PER_ASK; i++) {
        uint32_t at = listed[next++ % n];
        struct grosr_cuda_stream_state state;
        if (!grosr_cuda_stream_read(s, at, &state) || state.ended >= state.issued ||
            state.returned < state.issued || streams[at].per_thread || !lock(&asking))
            continue;
        uint64_t place = grosr_cuda_stream_covered(s, at, UINT64_MAX);
        CUcontext context = streams[at].context;
        CUstream handle = streams[at].handle;
        /* It may have been forgotten, and the entry be another's by now. */
        if (!changing && stream_find(context, handle, false, 0) == at && place) {
            asked++;
            ask(s, at, context, handle, place, now_ns);
        }
        pthread_mutex_unlock(&asking);
    }
}
