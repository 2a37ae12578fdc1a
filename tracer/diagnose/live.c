/*
 * Looking at a session (live.h), and what one look after the other says of its motion.
 */
#include "live_parts.h"

#include "../base/error.h"
#include "../base/host_clock.h"
#include "../session/ring.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define LOOK_NS       10000000u  /* between looks */
#define SETTLE_NS     150000000u /* a session is looked at for so long at least */
#define MOVES_NS      50000000u  /* it moves, if it has been seen to within this time */
#define IDLE_NS       50000000u
#define RECENT_EVENTS 64u

/* ---- opening ---- */

int grosr_live_open(struct grosr_live **out, const struct grosr_session *session, grosr_live_reader *reader)
{
    const struct grosr_session_header *h = &session->header;
    struct grosr_live *live = (struct grosr_live *)calloc(1, sizeof(*live));

    *out = NULL;
    if (!live)
        return grosr_fail(ENOMEM, "out of memory");
    live->session = session;
    live->reader = h->mailbox_ports ? reader : NULL;
    live->dead = !grosr_session_alive(session);
    grosr_clock_init(&live->clock, session);
    live->worker = (struct live_worker *)calloc(h->workers + 1, sizeof(*live->worker));
    live->ring_end = (uint64_t *)calloc(h->rings + 1, sizeof(*live->ring_end));
    live->mailbox.call = (struct grosr_live_call *)calloc(h->mailbox_ports + 1, sizeof(*live->mailbox.call));
    if (!live->worker || !live->ring_end || !live->mailbox.call) {
        grosr_live_close(live);
        return grosr_fail(ENOMEM, "out of memory");
    }
    *out = live;
    return 0;
}

void grosr_live_close(struct grosr_live *live)
{
    if (!live)
        return;
    grosr_clock_free(&live->clock);
    free(live->worker);
    free(live->ring_end);
    free(live->mailbox.call);
    free(live);
}

/* ---- a look ---- */

static bool is_search(struct grosr_pair e)
{
    struct grosr_stall s = {0};

    grosr_stall_see(&s, &e, 1);
    return !s.moved;
}

/* New events of a ring since the look before: for grosr_stall_see(), and for the worker's last sign of life.
 */
static void look_at_ring(struct grosr_live *live, uint32_t ring)
{
    struct grosr_pair e[RECENT_EVENTS];
    uint32_t worker = live->session->ring[ring].worker;
    uint64_t end;
    uint32_t n = grosr_ring_latest(live->session, ring, live->looks ? live->ring_end[ring] : 0, e,
                                   RECENT_EVENTS, &end);

    if (live->looks && end != live->ring_end[ring])
        grosr_stall_see(&live->stall, e, n);
    live->ring_end[ring] = end;
    while (n && is_search(e[n - 1]))
        n--;
    if (!n)
        return;
    uint64_t at = live_ring_time(live, ring, e[n - 1]);
    if (at > live->event_ns)
        live->event_ns = at;
    if (worker < live->session->header.workers && at > live->worker[worker].quiet_ns)
        live->worker[worker].quiet_ns = at;
}

static void look_at_worker(struct grosr_live *live, uint32_t index, uint32_t level)
{
    struct live_worker *w = &live->worker[index];
    struct grosr_worker_state state;

    if (!grosr_worker_read(live->session, index, &state, NULL))
        return; /* it is just being written: what was known of it stays, and the stall watch sees it move */
    bool same =
        live->looks && w->known && state.word.lo == w->state.word.lo && state.word.hi == w->state.word.hi;
    bool idle = state.activity == GROSR_SEEKING || state.activity == GROSR_IDLE;
    w->idle_always = idle && (!live->looks || (w->idle_always && same));
    w->known = state.activity != GROSR_NOT_STARTED;
    if (!same) {
        uint64_t at = live_host_time(live, state.since);
        w->state = state;
        w->since_ns = at ? at : live->now_ns;
        if (w->since_ns > w->quiet_ns)
            w->quiet_ns = w->since_ns;
        /* There may be no events that say more: it has done nothing since it began to look for tasks. */
        bool says_most = live->dead && level < GROSR_LEVEL_SPANS;
        if (at && (!idle || says_most) && w->known && at > live->event_ns)
            live->event_ns = at;
    }
    live->activity[state.activity]++;
    live->started += w->known && state.activity != GROSR_STOPPED;
}

static void look_at_queues(struct grosr_live *live)
{
    live->untaken = live->uncompleted = 0;
    for (uint32_t i = 0; i < live->session->header.queues; i++) {
        /* Before the loads of taken and enqueued: there is not more completed than taken. */
        uint64_t completed = sys_load_acquire(&grosr_session_queue(live->session, i)->completed), enqueued,
                 taken;
        grosr_session_queue_counts(live->session, i, &enqueued, &taken);
        live->untaken += enqueued - taken;
        live->uncompleted += enqueued > completed ? enqueued - completed : 0;
    }
    live->untaken_looks = live->untaken ? live->untaken_looks + 1 : 0;
}

static void look_at_heap(struct grosr_live *live)
{
    live->has_heap = grosr_heap_read(live->session, 0, &live->heap);
    if (!live->has_heap)
        return;
    uint64_t operations = grosr_heap_mallocs(&live->heap) + grosr_heap_frees(&live->heap);
    uint64_t failures = grosr_heap_failures(&live->heap);
    if (live->looks && operations != live->heap_operations) {
        live->stall.moved = true;
        live->heap_fails = false;
    } else if (live->looks && failures != live->heap_failures) {
        live->heap_fails = true;
    }
    live->heap_operations = operations;
    live->heap_failures = failures;
}

static void look_at_mailbox(struct grosr_live *live)
{
    struct grosr_live_mailbox *m = &live->mailbox;
    uint64_t before = m->completed;

    if (!live->reader)
        return;
    *m = (struct grosr_live_mailbox){.call = m->call};
    live->reader(live->session, m);
    if (live->looks && m->completed != before)
        live->stall.moved = true;
}

/* Most workers wait for one and the same thing: which, by majority over the looks (Boyer and Moore, 1981). */
static void look_for_hot(struct grosr_live *live)
{
    uint64_t payload = 0;
    uint32_t votes = 0, waiters = 0;

    for (uint32_t i = 0; i < live->session->header.workers; i++) {
        const struct grosr_worker_state *s = &live->worker[i].state;
        if (!live->worker[i].known || s->activity != GROSR_WAITING)
            continue;
        uint64_t its = grosr_payload_wait(s->resource, s->index);
        if (votes == 0)
            payload = its;
        if (its == payload)
            votes++;
        else
            votes--;
    }
    for (uint32_t i = 0; i < live->session->header.workers; i++) {
        const struct grosr_worker_state *s = &live->worker[i].state;
        waiters += live->worker[i].known && s->activity == GROSR_WAITING &&
                   grosr_payload_wait(s->resource, s->index) == payload;
    }
    bool most = waiters >= 2 && 2 * waiters >= live->started;
    if (most && live->hot.looks == 0)
        live->hot.payload = payload;
    if (most && live->hot.payload == payload)
        live->hot.looks++;
    else if (live->hot.looks)
        live->hot.looks--;
}

/* Of a segment that its process has left: when that process last gave a sign of life. */
static uint64_t last_sign_of_life(struct grosr_live *live)
{
    const struct grosr_session_header *now = grosr_session_live(live->session);
    uint64_t last = sys_load_relaxed(&now->heartbeat_ns);
    /* Pairs with the release in grosr_clock_snapshot(): the snapshot is there. */
    uint64_t taken = sys_load_acquire(&now->snapshots_taken);
    struct grosr_clock_trip trip;

    if (taken && grosr_clock_read(live->session, taken - 1, &trip) && trip.after_ns > last)
        last = trip.after_ns;
    return last > live->session->header.start_mono_ns ? last : live->session->header.start_mono_ns;
}

void grosr_live_look(struct grosr_live *live)
{
    const struct grosr_session_header *h = &live->session->header;
    uint64_t moved_before = live->stall.since_ns;

    if (live->dead && live->looks)
        return;
    grosr_clock_fetch(&live->clock, live->session); /* out of memory: the map stays as it was */
    live->now_ns = live->dead ? last_sign_of_life(live) : grosr_host_clock_ns();
    live->process_state = live->dead ? 0 : grosr_process_state(h->pid);
    memset(live->activity, 0, sizeof(live->activity));
    live->started = 0;
    uint32_t level = sys_load_relaxed(&grosr_session_live(live->session)->level);
    for (uint32_t i = 0; level >= GROSR_LEVEL_COUNTERS && i < h->workers; i++)
        look_at_worker(live, i, level);
    for (uint32_t i = 0; i < h->rings; i++)
        look_at_ring(live, i);
    look_at_queues(live);
    look_at_heap(live);
    look_at_mailbox(live);
    look_for_hot(live);
    if (live->dead && live->event_ns > live->now_ns)
        live->now_ns = live->event_ns;
    grosr_stall_look(&live->stall, live->session, live->now_ns, 0);
    if (!live->looks) {
        live->first_ns = live->now_ns;
        live->threads_before =
            live->dead ? 0 : grosr_process_threads(h->pid, live->thread_before, LIVE_THREADS_MAX);
    } else if (live->stall.since_ns != moved_before) {
        live->moved_ns = live->now_ns;
    }
    live->looks++;
}

/* ---- motion ---- */

/* Whether it has anything to do, as in stall.h. */
static bool owes(const struct grosr_live *live)
{
    return live->untaken || live->uncompleted || live->mailbox.calls || live->activity[GROSR_IN_TASK] ||
           live->activity[GROSR_WAITING] || live->activity[GROSR_RUNNING];
}

/* Whether it moves, and may be slow, which takes as long as the threshold to say. */
static bool may_be_slow(const struct grosr_live *live)
{
    if (live->hot.looks * 2 > live->looks)
        return true;
    for (uint32_t i = 0; live->untaken_looks == live->looks && i < live->session->header.workers; i++)
        if (live->worker[i].idle_always)
            return true;
    return false;
}

bool grosr_live_decided(const struct grosr_live *live, uint64_t threshold_ns)
{
    uint64_t watched = live->now_ns - live->first_ns;

    if (live->dead || live_is_stopped(live) || !live->session->header.workers)
        return live->looks > 0;
    if (watched > threshold_ns + SETTLE_NS)
        return true;
    if (!owes(live))
        return watched >= IDLE_NS;
    if (watched < SETTLE_NS)
        return false;
    if (live->moved_ns && live->now_ns - live->moved_ns < MOVES_NS)
        return !may_be_slow(live);
    return live_is_still(live, threshold_ns);
}

/* ---- the diagnosis ---- */

__attribute__((format(printf, 3, 4))) static void add(char *text, size_t size, const char *format, ...)
{
    size_t used = strlen(text);
    va_list args;

    va_start(args, format);
    vsnprintf(text + used, size - used, format, args);
    va_end(args);
}

static void add_workers(char *text, size_t size, uint32_t n, const char *one, const char *several)
{
    if (n)
        add(text, size, "%s%u %s", *text ? "; " : "", n, n == 1 ? one : several);
}

static char *state_of(const struct grosr_live *live)
{
    char text[512] = "", age[32];
    const uint32_t *a = live->activity;

    add_workers(text, sizeof(text), a[GROSR_IN_TASK], "worker is in a task", "workers are in tasks");
    add_workers(text, sizeof(text), a[GROSR_RUNNING], "worker is in code of its own",
                "workers are in code of their own");
    add_workers(text, sizeof(text), a[GROSR_WAITING], "worker waits for something other than a task",
                "workers wait for something other than a task");
    add_workers(text, sizeof(text), a[GROSR_SEEKING] + a[GROSR_IDLE], "worker looks for a task",
                "workers look for tasks");
    add_workers(text, sizeof(text), a[GROSR_STOPPED], "worker has stopped", "workers have stopped");
    if (!*text && live->session->header.workers)
        add(text, sizeof(text), "the workers do not report");
    if (live->session->header.queues)
        add(text, sizeof(text), "; tasks in queues: %llu, submitted and not completed: %llu",
            (unsigned long long)live->untaken, (unsigned long long)live->uncompleted);
    if (live->mailbox.calls)
        add(text, sizeof(text), "; system call ports in use: %u", live->mailbox.calls);
    if (owes(live) && live->now_ns - live_still_since(live) >= SETTLE_NS)
        add(text, sizeof(text), "; nothing has moved for %s",
            grosr_duration_text(age, sizeof(age), live->now_ns - live_still_since(live)));
    return strdup(text);
}

static char *source_of(const struct grosr_live *live)
{
    const struct grosr_session_header *h = &live->session->header;
    char text[256];

    snprintf(text, sizeof(text), "process %u, session %u (%s, %s)%s", h->pid, h->index, h->device, h->program,
             live->dead ? ", which has died" : "");
    return strdup(text);
}

int grosr_live_diagnose(struct grosr_live *live, struct grosr_findings *findings)
{
    struct live_holds holds;

    free(findings->source);
    free(findings->state);
    findings->source = source_of(live);
    findings->state = state_of(live);
    findings->otherwise = owes(live) ? GROSR_VERDICT_HEALTHY : GROSR_VERDICT_IDLE;
    if (!findings->source || !findings->state)
        return grosr_fail(ENOMEM, "out of memory");
    if (!live->session->header.workers)
        return 0;
    if (!live->dead && (live->mailbox.calls || live_is_still(live, findings->threshold_ns)))
        live->threads = grosr_process_threads(live->session->header.pid, live->thread, LIVE_THREADS_MAX);
    int err = live_holds_read(live, findings->threshold_ns, &holds);
    if (!err)
        err = live_graph_findings(live, &holds, findings);
    live_holds_free(&holds);
    return err;
}

int grosr_diagnose_session(const struct grosr_session *session, grosr_live_reader *reader,
                           struct grosr_findings *findings)
{
    const struct timespec pause = {0, LOOK_NS};
    struct grosr_live *live;
    int err = grosr_live_open(&live, session, reader);

    if (err)
        return err;
    grosr_live_look(live);
    while (!grosr_live_decided(live, findings->threshold_ns)) {
        nanosleep(&pause, NULL);
        grosr_live_look(live);
    }
    err = grosr_live_diagnose(live, findings);
    grosr_live_close(live);
    return err;
}
