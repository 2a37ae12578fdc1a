/*
 * Sessions made by hand, as runtimes leave them in shared memory, for the tests of what the diagnosis says of
 * them (tracer/diagnose/live.h): what the session says, and then what is said of it. Times are ms ago.
 */
#ifndef GROSR_LIVE_SESSION_H
#define GROSR_LIVE_SESSION_H

#include "fixture.h"

#include "../tracer/base/host_clock.h"
#include "../tracer/diagnose/live.h"

#include <pthread.h>
#include <signal.h>
#include <stdarg.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define MS      UINT64_C(1000000)
#define WORKERS 4u
#define PORTS   4u

enum { LOCK = 2, SIGNAL = 3 };

static struct grosr_session *session;
static struct grosr_findings findings;
static uint32_t laps, events[WORKERS + 1];
static uint64_t ahead; /* of the host's clock: the device's */

/* ---- what the session says ---- */

static inline uint64_t ago(uint64_t ms)
{
    return grosr_host_clock_ns() - ms * MS;
}

static inline uint64_t device_ago(uint64_t ms)
{
    return ago(ms) + ahead;
}

/* The device's clock, as two looks at it have found it. */
static inline void compare_clocks(void)
{
    session->header.device_clock_is_host = !ahead;
    for (uint64_t i = 0; ahead && i < 2; i++) {
        struct grosr_snapshot *snap = grosr_session_snapshot(session, i);
        uint64_t at = ago(6000 - 1000 * i);
        sys_store_relaxed(&snap->host_before_ns, at);
        sys_store_relaxed(&snap->host_after_ns, at + 2000);
        sys_store_relaxed(&snap->device_ns, at + 1000 + ahead);
        sys_store_release(&grosr_session_live(session)->snapshots_taken, i + 1);
    }
}

static inline void state(uint32_t worker, uint32_t kind, uint64_t payload, uint64_t ms)
{
    struct grosr_pair s =
        grosr_event_pack((uint64_t)++laps << GROSR_LAP_SHIFT, kind, device_ago(ms), payload);
    sys_store_pair_relaxed(&grosr_session_worker(session, worker)->state, s.lo, s.hi);
}

static inline void waits(uint32_t worker, uint32_t name, uint32_t which, uint64_t ms)
{
    state(worker, GROSR_EV_WAIT_BEGIN, grosr_payload_resource(name, which), ms);
}

static inline void seeks(uint32_t worker, uint64_t ms)
{
    state(worker, GROSR_EV_WAIT_BEGIN, grosr_payload_wait(GROSR_RES_QUEUE_NOT_EMPTY, 0), ms);
}

static inline void runs(uint32_t worker, uint64_t task, uint64_t ms)
{
    state(worker, GROSR_EV_TASK_BEGIN, grosr_payload_task(1, task), ms);
}

/* An event in the ring of a worker, or in the host's. */
static inline void event(uint32_t ring, uint32_t kind, uint64_t payload, uint64_t ms)
{
    sys128 *slot = (sys128 *)(void *)(session->base + session->ring[ring].slots_at);
    uint64_t at = session->ring[ring].worker == GROSR_RING_HOST ? ago(ms) : device_ago(ms);
    struct grosr_pair e = grosr_event_pack(UINT64_C(1) << GROSR_LAP_SHIFT, kind, at, payload);

    sys_store_pair_relaxed(slot + events[ring]++, e.lo, e.hi);
}

static inline void holds(uint32_t worker, uint32_t which, uint64_t ms)
{
    event(worker, GROSR_EV_HOLD, grosr_payload_resource(LOCK, which), ms);
}

static inline void submitted(uint64_t tasks, uint64_t taken)
{
    struct grosr_queue_port *port =
        (struct grosr_queue_port *)(void *)(session->base + session->queue[0].ports_at);

    sys_store_relaxed(&grosr_session_queue(session, 0)->enqueued, tasks);
    sys_store_relaxed(&port->taken, taken);
}

static inline void begin(void)
{
    session = fixture_session_named(WORKERS, 64, GROSR_OVERFLOW_AUTO, 8);
    session->header.mailbox_ports = PORTS; /* the reader below needs no table */
    grosr_session_add_name(session, GROSR_NAME_USER, LOCK, "lock", NULL);
    grosr_session_add_name(session, GROSR_NAME_USER, SIGNAL, "signal", NULL);
    memset(events, 0, sizeof(events));
    session->header.start_mono_ns = ago(9000);
    grosr_session_live(session)->start_mono_ns = ago(9000);
    compare_clocks();
    for (uint32_t i = 0; i < WORKERS; i++)
        seeks(i, 5000);
}

/* ---- what is said of it ---- */

static struct grosr_live_call pending[PORTS];
static uint32_t pendings;

static inline void read_calls(const struct grosr_session *s, struct grosr_live_mailbox *mailbox)
{
    (void)s;
    mailbox->calls = pendings;
    memcpy(mailbox->call, pending, pendings * sizeof(*pending));
}

static inline void print(void)
{
    printf("# %s: %s\n", grosr_verdict_name(findings.verdict), findings.state);
    for (uint32_t i = 0; i < findings.findings; i++)
        printf("#   %s: %s\n", findings.finding[i].kind, findings.finding[i].summary);
}

static inline bool looks(enum grosr_verdict verdict, uint64_t threshold_ms)
{
    grosr_findings_free(&findings);
    grosr_findings_init(&findings, threshold_ms * MS);
    if (grosr_diagnose_session(session, read_calls, &findings) || grosr_findings_settle(&findings)) {
        printf("Bail out! %s\n", grosr_error());
        exit(1);
    }
    print();
    return findings.verdict == verdict;
}

/* The same by one look: the ages are those that the session says. */
static inline bool looks_once(enum grosr_verdict verdict, uint64_t threshold_ms)
{
    struct grosr_live *live;

    grosr_findings_free(&findings);
    grosr_findings_init(&findings, threshold_ms * MS);
    if (grosr_live_open(&live, session, read_calls))
        return false;
    grosr_live_look(live);
    bool good = !grosr_live_diagnose(live, &findings) && !grosr_findings_settle(&findings);
    grosr_live_close(live);
    print();
    return good && findings.verdict == verdict;
}

static inline const struct grosr_finding *finding(const char *kind)
{
    for (uint32_t i = 0; i < findings.findings; i++)
        if (!strcmp(findings.finding[i].kind, kind))
            return &findings.finding[i];
    return NULL;
}

static inline bool names(const struct grosr_finding *f, const char *text)
{
    return f && (strstr(f->summary, text) || strstr(f->evidence, text));
}

static inline void end(void)
{
    grosr_findings_free(&findings);
    grosr_findings_init(&findings, 0);
    grosr_session_close(session);
    pendings = 0;
}

#endif
