/* What the diagnosis says of sessions made by hand: of one that a dead process has left, and of one in
 * motion. */
#include "../live_session.h"

/* ---- the segment of a dead process ---- */

/* The segment as a process left it that gave a last sign of life two seconds ago. */
static struct grosr_session *left_behind(void)
{
    struct grosr_session *mine = session;
    char path[96];

    snprintf(path, sizeof(path), "/dev/shm/%s", session->name[0] == '/' ? session->name + 1 : session->name);
    grosr_session_live(session)->device_clock_is_host = session->header.device_clock_is_host;
    sys_store_relaxed(&grosr_session_live(session)->heartbeat_ns, ago(2000));
    ok(!grosr_session_open_copy(&session, path), "the segment as a process left it");
    return mine;
}

static void dead(void)
{
    struct grosr_session *mine;

    begin();
    submitted(1, 1);
    event(WORKERS, GROSR_EV_TASK_ENQUEUE, grosr_payload_task(1, 0), 3300);
    holds(0, 0, 3200);
    holds(1, 1, 3100);
    waits(0, LOCK, 1, 3000);
    waits(1, LOCK, 0, 2900);
    mine = left_behind();
    ok(looks(GROSR_VERDICT_HEALTHY, 5000), "waits are as old as they were when it died");
    ok(looks(GROSR_VERDICT_DEADLOCK, 500), "and the deadlock is found in it");
    ok(finding("lock_cycle") && finding("lock_cycle")->since_ns < 1300 * MS, "since when it died");
    ok(strstr(findings.source, "which has died") != NULL, "which is said");
    grosr_session_close(session);
    session = mine;
    end();

    begin();
    submitted(1, 1);
    event(WORKERS, GROSR_EV_TASK_ENQUEUE, grosr_payload_task(1, 0), 3300);
    waits(0, SIGNAL, 1, 3000);
    mine = left_behind();
    ok(looks(GROSR_VERDICT_HEALTHY, 1500), "nothing had moved for a second when it died");
    ok(looks(GROSR_VERDICT_STALLED, 500) && finding("lost_wakeup"),
       "which is a stall for one who waits that long");
    grosr_session_close(session);
    session = mine;
    end();
}

/* What is slow has only one look, and the events before it. */
static void dead_and_slow(void)
{
    const uint64_t lock = grosr_payload_resource(LOCK, 0);
    struct grosr_session *mine;

    begin();
    submitted(1, 1);
    for (uint32_t i = 0; i < 16; i++) /* each 50 ms other two of the four wait */
        for (uint32_t w = i % WORKERS, n = 0; n < 2; n++, w = (w + 1) % WORKERS) {
            event(w, GROSR_EV_WAIT_BEGIN, lock, 2800 - 50 * i);
            event(w, GROSR_EV_WAIT_END, lock, 2751 - 50 * i);
        }
    holds(3, 0, 2001);
    mine = left_behind();
    ok(looks(GROSR_VERDICT_SLOW, 800) && names(finding("hot_lock"), "at least half of the 4 workers"),
       "half of the workers waited for a lock until it died, for half of their time: slow");
    ok(looks(GROSR_VERDICT_HEALTHY, 4000), "not if that was for a fifth of the time");
    grosr_session_close(session);
    session = mine;
    end();

    begin();
    submitted(1, 1);
    holds(3, 0, 3000);
    for (uint32_t w = 0; w < 3; w++) {
        event(w, GROSR_EV_WAIT_BEGIN, lock, 2950);
        waits(w, LOCK, 0, 2950);
    }
    mine = left_behind();
    ok(looks(GROSR_VERDICT_HEALTHY, 1400), "what stood still for less than the threshold was not slow");
    grosr_session_close(session);
    session = mine;
    end();

    begin();
    submitted(1, 1);
    event(1, GROSR_EV_TASK_BEGIN, grosr_payload_task(1, 7), 4700);
    holds(1, 0, 4600);
    event(1, GROSR_EV_TASK_SUSPEND, grosr_payload_task(1, 7), 4550);
    waits(0, LOCK, 0, 4500);
    seeks(1, 2050);
    event(2, GROSR_EV_TASK_BEGIN, grosr_payload_task(1, 8), 2010);
    mine = left_behind();
    ok(looks(GROSR_VERDICT_SLOW, 1000) &&
           names(finding("priority_inversion"), "worker 1 acquired it 2.6 s ago"),
       "a lock whose task was suspended: also if its worker was between two tasks when it died");
    ok(looks(GROSR_VERDICT_HEALTHY, 2700), "not for so short a time");
    grosr_session_close(session);
    session = mine;
    end();

    /* Without events there is only when the workers began to look for tasks. */
    begin();
    sys_store_relaxed(&grosr_session_live(session)->level, (uint32_t)GROSR_LEVEL_COUNTERS);
    submitted(2, 2);
    seeks(2, 3500);
    mine = left_behind();
    ok(looks(GROSR_VERDICT_HEALTHY, 1800), "level counters: a worker had run something lately");
    ok(looks(GROSR_VERDICT_STALLED, 1000) && finding("dependency_never_met"),
       "submitted tasks that nobody had or took since, in a dead process's segment");
    grosr_session_close(session);
    session = mine;
    end();
}

/* ---- motion ---- */

static sys32 over;

static void *lock_by_turns(void *arg)
{
    (void)arg;
    for (uint32_t i = 0; !sys_load_relaxed(&over); i++) {
        for (uint32_t w = 0; w < WORKERS; w++)
            if (w == i % WORKERS)
                runs(w, i, 0);
            else
                waits(w, LOCK, 0, 0);
        nanosleep(&(struct timespec){0, 5000000}, NULL);
    }
    return NULL;
}

static void motion(void)
{
    pthread_t thread;

    begin();
    submitted(100, 50);
    holds(0, 0, 5000);
    event(0, GROSR_EV_RELEASE, grosr_payload_resource(LOCK, 0), 4900);
    sys_store_relaxed(&over, 0u);
    pthread_create(&thread, NULL, lock_by_turns, NULL);
    ok(looks(GROSR_VERDICT_SLOW, 400) && names(finding("hot_lock"), "lock 0"),
       "workers that wait for one lock most of the time: slow");
    sys_store_relaxed(&over, 1u);
    pthread_join(thread, NULL);
    end();
}

int main(void)
{
    /* A GPU's clock shows the time of day, the host's that since the machine's start. */
    const uint64_t clocks[] = {0, UINT64_C(1800000000000000000)};

    for (uint32_t i = 0; i < 2; i++) {
        ahead = clocks[i];
        dead();
        dead_and_slow();
        motion();
    }
    return tap_done();
}
