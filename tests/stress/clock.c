/*
 * The whole path of a time, on a device clock of which the truth is known: threads stand for the device and
 * answer pings, and record events whose payload is the host's time at the very instant of their stamp. The
 * collector places them while snapshots are taken. Whatever the machine's load does to the round trips, no
 * event may be further from its payload than is stated.
 */
#include "../fixture.h"

#include "../../tracer/clock/clock.h"
#include "../../tracer/collect/collector.h"
#include "../../tracer/clock/clock_answer.h"
#include "../../tracer/session/emit.h"
#include "../../tracer/store/store.h"

#include <pthread.h>
#include <time.h>
#include <unistd.h>

#define WORKERS   2u
#define SNAPSHOTS 40
#define EVENTS    16384u /* in a ring */

static struct grosr_session *session;
static dev32 over;
static char path[64];
static volatile sig_atomic_t stop;

static void pause_ns(long ns)
{
    struct timespec t = {0, ns};
    nanosleep(&t, NULL);
}

static void *answer_pings(void *arg)
{
    struct grosr_session_header *h = grosr_session_live(session);
    uint64_t answered = 0;
    uint32_t backoff = 0;

    (void)arg;
    sys_store_release(&h->device_epoch_ns, dev_clock_ns());
    while (!dev_load_acquire(&over)) { /* pairs with the store in pass() */
        uint64_t ping = sys_load_acquire(&h->ping);
        if (ping != answered) {
            grosr_clock_answer(h, ping);
            backoff = 0;
        }
        answered = ping;
        dev_backoff(&backoff);
    }
    return NULL;
}

static void *record_truth(void *arg)
{
    struct grosr_trace trace = grosr_session_trace(session, session->base);
    uint32_t worker = *(const uint32_t *)arg;
    struct grosr_emit_ring ring;
    struct grosr_emitter e;

    grosr_emit_open(&e, &ring, &trace, worker);
    while (!dev_load_acquire(&over)) { /* pairs with the store in pass() */
        uint64_t now = grosr_host_clock_ns();
        grosr_emit_at(&e, GROSR_EV_QUEUE_TAKE, now, dev_clock_at(now));
        pause_ns(30000);
    }
    grosr_emit_close(&e);
    return NULL;
}

static void *collect(void *arg)
{
    struct grosr_collect_options options = {.path = path, .level = -1, .stop = &stop};
    struct grosr_collect_result result;

    if (!grosr_session_open(&options.session, (uint32_t)getpid(), session->header.index)) {
        *(int *)arg = grosr_collect(&options, &result);
        grosr_session_close(options.session);
    }
    return NULL;
}

/* A session of so many snapshots, recorded. */
static void record(void)
{
    struct grosr_session_header *h = grosr_session_live(session);
    struct grosr_trace trace = grosr_session_trace(session, session->base);
    struct grosr_clock_pinger pinger = {0, 0};
    struct grosr_emit_ring ring;
    struct grosr_emitter host;
    pthread_t service, collector, worker[WORKERS];
    uint32_t number[WORKERS];
    int collected = -1, timeouts = 0;

    dev_store_relaxed(&over, 0u);
    pthread_create(&service, NULL, answer_pings, NULL);
    while (!sys_load_acquire(&h->device_epoch_ns)) /* pairs with the store in answer_pings() */
        pause_ns(10000);
    timeouts += grosr_clock_snapshot(session, &pinger, 64, UINT64_C(60000000000)) != 0;
    pthread_create(&collector, NULL, collect, &collected);
    while (!sys_load_acquire(&h->collector_pid)) /* pairs with grosr_session_set_collector() */
        pause_ns(100000);
    for (uint32_t i = 0; i < WORKERS; i++) {
        number[i] = i;
        pthread_create(&worker[i], NULL, record_truth, &number[i]);
    }
    for (int i = 0; i < SNAPSHOTS; i++) {
        pause_ns(5000000);
        timeouts += grosr_clock_snapshot(session, &pinger, 64, UINT64_C(60000000000)) != 0;
    }
    dev_store_release(&over, 1u); /* pairs with the loads in the threads */
    for (uint32_t i = 0; i < WORKERS; i++)
        pthread_join(worker[i], NULL);
    pthread_join(service, NULL);
    grosr_emit_open(&host, &ring, &trace, WORKERS);
    grosr_emit_close(&host);
    sys_store_release(&h->state, (uint32_t)GROSR_SESSION_CLOSED); /* pairs with the collector's load */
    pthread_join(collector, NULL);
    is(collected, 0, "recorded");
    is(timeouts, 0, "every snapshot was answered");
}

static int64_t ask(sqlite3 *db, const char *sql)
{
    sqlite3_stmt *q = NULL;
    int64_t value = INT64_MIN;

    if (sqlite3_prepare_v2(db, sql, -1, &q, NULL) == SQLITE_OK && sqlite3_step(q) == SQLITE_ROW)
        value = sqlite3_column_int64(q, 0);
    sqlite3_finalize(q);
    return value;
}

/* Places what the events' payloads tell with the map as it is at the end. */
static void check_map(sqlite3 *db, const char *name)
{
    struct grosr_clock clock;
    sqlite3_stmt *q = NULL;
    uint64_t host, bound, placed = 0, broken = 0, most = 0;

    grosr_clock_init(&clock, session);
    is(grosr_clock_fetch(&clock, session), SNAPSHOTS + 1, "%s: all snapshots are true", name);
    sqlite3_prepare_v2(db, "SELECT payload FROM GROSR_INSTANT", -1, &q, NULL);
    while (sqlite3_step(q) == SQLITE_ROW) {
        uint64_t truth = (uint64_t)sqlite3_column_int64(q, 0);
        placed++;
        if (!grosr_clock_place(&clock, dev_clock_at(truth), &host, &bound) ||
            (uint64_t)llabs((int64_t)(host - truth)) > bound)
            broken++;
        if (bound > most)
            most = bound;
    }
    sqlite3_finalize(q);
    ok(placed > 1000 && broken == 0,
       "%s: %" PRIu64 " events, each within its bound, which is %" PRIu64 " ns at most", name, placed, most);
    grosr_clock_free(&clock);
}

static void pass(const char *name, const struct dev_clock_skew *skew)
{
    char sql[512];
    sqlite3 *db;

    dev_clock_set_skew(skew);
    session = fixture_session(WORKERS, EVENTS, GROSR_OVERFLOW_DROP);
    session->header.device_clock_is_host = 0;
    grosr_session_live(session)->device_clock_is_host = 0;
    record();
    if (grosr_store_open_read(&db, path)) {
        printf("Bail out! %s\n", grosr_error());
        exit(1);
    }
    check_map(db, name);
    is(ask(db, "SELECT count(*) FROM GROSR_CLOCK"), SNAPSHOTS + 1, "%s: the trace has every snapshot", name);
    ok(ask(db, "SELECT sum(used) FROM GROSR_CLOCK") >= 2 &&
           ask(db, "SELECT min(host_before <= host_after) FROM GROSR_CLOCK"),
       "some of them used");
    if (skew->jump_ns) {
        /* On a loaded machine the first snapshot may come too late for it. */
        struct grosr_clock_trip first = {0, 0, 0};
        grosr_clock_read(session, 0, &first);
        is(ask(db, "SELECT sum(jump) FROM clock_sync"), first.after_ns < skew->jump_at_ns,
           "%s: one tells of it", name);
    } else {
        /* The rows, as placed live: by the greatest of their bounds. */
        is(ask(db,
               "SELECT count(*) FROM GROSR_INSTANT, GROSR_SESSION"
               " WHERE abs(time + start_mono_ns - payload) > (SELECT max(clock_error_ns) FROM trace_health)"),
           0, "%s: every row is right to within clock_error_ns", name);
        /* What the device's clock showed is the truth, as the skew has it. */
        snprintf(sql, sizeof(sql),
                 "WITH c AS (SELECT *, (device_ns - %" PRId64 ") / (1 + %.9f) - start_mono_ns AS truth"
                 " FROM GROSR_CLOCK JOIN GROSR_SESSION USING (session))"
                 "SELECT count(*) FROM c WHERE abs(truth - host) > bound_ns OR truth < host_before - 1 OR"
                 " truth > host_after + 1",
                 skew->offset_ns, (double)skew->drift_ppb * 1e-9);
        is(ask(db, sql), 0, "%s: the map is right at every snapshot", name);
    }
    sqlite3_close(db);
    grosr_session_close(session);
    dev_clock_set_skew(NULL);
}

int main(void)
{
    struct dev_clock_skew h100 = {.offset_ns = 748000, .drift_ppb = 21000};
    struct dev_clock_skew worse = {.offset_ns = -3000000000, .drift_ppb = 500000};
    struct dev_clock_skew jump = {.offset_ns = 748000, .drift_ppb = -21000};

    snprintf(path, sizeof(path), "/tmp/grosr-clock-%d.db", (int)getpid());
    pass("748 us and 21 ppm", &h100);
    pass("-3 s and 500 ppm", &worse);
    jump.jump_at_ns = grosr_host_clock_ns() + 150000000;
    jump.jump_ns = 1000000000;
    pass("a second forth", &jump);
    jump.jump_at_ns = grosr_host_clock_ns() + 150000000;
    jump.jump_ns = -1000000000;
    pass("a second back", &jump);
    unlink(path);
    return tap_done();
}
