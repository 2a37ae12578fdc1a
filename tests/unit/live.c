/* What the diagnosis says of sessions made by hand: each state of things that has a verdict of its own. */
#include "../live_session.h"

/* ---- the cases ---- */

static void idle(void)
{
    begin();
    uint64_t start = grosr_host_clock_ns();
    ok(looks(GROSR_VERDICT_IDLE, 1000), "workers that all look for tasks, and none: idle");
    is(findings.findings, 0, "without a finding");
    ok(grosr_host_clock_ns() - start < 800 * MS, "said before the threshold is over");
    end();

    begin();
    for (uint32_t i = 0; i < WORKERS; i++)
        state(i, 0, 0, 0);
    ok(looks(GROSR_VERDICT_IDLE, 100), "a session whose workers have not started is idle");
    end();
}

/* A bounded wait at a barrier: `seen` of 3 have arrived, and this one has not, which did the time before. */
static void waits_at_barrier(uint32_t worker, uint64_t seen, uint32_t missing, uint64_t ms)
{
    struct grosr_wait_entry *e = grosr_session_wait(session, worker);
    uint64_t began = ago(ms), payload = grosr_payload_resource(SIGNAL, worker);
    struct grosr_pair s =
        grosr_event_pack((uint64_t)++laps << GROSR_LAP_SHIFT, GROSR_EV_WAIT_BEGIN, began, payload);

    sys_store_relaxed(&e->stated,
                      (uint64_t)GROSR_WAIT_BARRIER << GROSR_WAIT_KIND_SHIFT | (began & GROSR_TIME_MASK));
    sys_store_relaxed(&e->resource,
                      (uint64_t)(missing + 1) << GROSR_WAIT_HOLDER_SHIFT | (uint64_t)SIGNAL << 32 | worker);
    sys_store_relaxed(&e->address, UINT64_C(0x7f0000001000));
    sys_store_relaxed(&e->wanted, UINT64_C(3));
    sys_store_relaxed(&e->seen, seen);
    sys_store_relaxed(&e->since, began);
    sys_store_relaxed(&e->updated, began);
    sys_store_relaxed(&e->sequence, UINT64_C(2));
    sys_store_pair_relaxed(&grosr_session_worker(session, worker)->state, s.lo, s.hi);
}

/* Worker 3 has no part in the barrier, so that two are not there of whom one is waited for. */
static void barriers(void)
{
    begin();
    holds(0, 0, 3200);
    waits_at_barrier(0, 2, 2, 3000);
    waits_at_barrier(1, 2, 2, 3000);
    waits(2, LOCK, 0, 3100);
    ok(looks(GROSR_VERDICT_DEADLOCK, 1000) && findings.finding[0].cycles == 4,
       "who has not arrived at a barrier waits for a lock of one who has: a deadlock");
    ok(names(&findings.finding[0], "worker 2 waits for lock 0, which worker 0 holds"), "with its cycle");
    end();

    begin();
    waits_at_barrier(0, 2, 2, 3000);
    waits_at_barrier(1, 2, 2, 3000);
    runs(2, 7, 10);
    runs(3, 8, 10);
    ok(looks_once(GROSR_VERDICT_HEALTHY, 1000) && findings.findings == 0,
       "who has not arrived and runs is no finding, whatever others do");
    end();
}

/* Below `spans`, or where the event is no longer there, nobody is said to have ended. */
static void holders_unknown(void)
{
    const uint64_t lock0 = grosr_payload_of_kind(GROSR_RES_LOCK, LOCK, 0),
                   lock1 = grosr_payload_of_kind(GROSR_RES_LOCK, LOCK, 1);

    begin();
    sys_store_relaxed(&grosr_session_live(session)->level, GROSR_LEVEL_COUNTERS);
    state(0, GROSR_EV_WAIT_BEGIN, lock1, 3000);
    state(1, GROSR_EV_WAIT_BEGIN, lock0, 3000);
    ok(looks(GROSR_VERDICT_STALLED, 300), "two locks at level `counters`: stalled");
    ok(findings.findings == 1 &&
           names(finding("holder_not_recorded"), "not recorded at trace level `counters`"),
       "since who has them is not recorded, nothing else is said");
    ok(strstr(finding("holder_not_recorded")->advice, "--level spans"), "but which level records it");
    end();

    begin();
    state(0, GROSR_EV_WAIT_BEGIN, lock1, 3000);
    ok(looks(GROSR_VERDICT_STALLED, 300) &&
           names(finding("holder_not_recorded"), "not in the events that the rings still have"),
       "nor is it said of a lock of which the rings have nothing");
    end();

    begin();
    event(1, GROSR_EV_HOLD, lock1, 3500);
    event(1, GROSR_EV_RELEASE, lock1, 3400);
    state(0, GROSR_EV_WAIT_BEGIN, lock1, 3000);
    ok(looks(GROSR_VERDICT_STALLED, 300) && names(finding("starved"), "nobody holds it: it was released"),
       "one that was released, and is waited for, is another case");
    end();
}

static void locks(void)
{
    begin();
    holds(0, 0, 3200);
    holds(1, 1, 3100);
    waits(0, LOCK, 1, 3000);
    waits(1, LOCK, 0, 2900);
    uint64_t start = grosr_host_clock_ns();
    ok(looks(GROSR_VERDICT_DEADLOCK, 1000), "two workers, two locks: a deadlock");
    ok(grosr_host_clock_ns() - start < 800 * MS, "at once, by the age of the waits");
    const struct grosr_finding *f = finding("lock_cycle");
    ok(f && f->workers == 2 && f->resources == 2 && f->cycles == 4, "of two workers, two locks, in a cycle");
    ok(names(f, "worker 0 waits for lock 1, which worker 1 holds"), "who waits for what, and who holds it");
    ok(f && f->since_ns >= 2800 * MS && f->since_ns < 3500 * MS, "since when");
    end();

    begin();
    holds(0, 0, 3200);
    event(0, GROSR_EV_RELEASE, grosr_payload_resource(LOCK, 0), 3150);
    runs(1, 7, 3150);
    holds(1, 1, 3100);
    event(1, GROSR_EV_COUNTER, grosr_payload_named(1, 1), 20);
    waits(0, LOCK, 1, 3000);
    waits(2, LOCK, 0, 10);
    ok(looks_once(GROSR_VERDICT_HEALTHY, 1000) && findings.findings == 0,
       "a lock whose holder tells of its progress is no finding, nor one that was released");
    end();

    begin();
    holds(1, 1, 3100);
    state(1, GROSR_EV_WORKER_STOP, 0, 3000);
    waits(0, LOCK, 1, 2500);
    ok(looks(GROSR_VERDICT_STALLED, 1000) && names(finding("lock_abandoned"), "worker 1"),
       "a lock that a worker has kept that stopped: stalled");
    end();

    begin();
    holds(1, 1, 9000);
    runs(1, 7, 8000);
    waits(0, LOCK, 1, 7000);
    ok(looks(GROSR_VERDICT_HEALTHY, 1000), "a lock whose holder is in a long task: nobody is blamed");
    ok(names(finding("long_task"), "task 7 of function beta for 8."), "but the task is remarked on");
    ok(finding("waits_for_unseen") != NULL, "and who waits for it");
    end();
}

static void signals(void)
{
    begin();
    submitted(1, 1);
    waits(2, SIGNAL, 5, 3000);
    ok(looks(GROSR_VERDICT_STALLED, 1000), "a wait for what nobody is left to supply: stalled");
    ok(names(finding("lost_wakeup"), "signal 5"), "it is named");
    end();
}

static void waiting_for_work(void)
{
    begin();
    for (uint32_t i = 0; i < WORKERS; i++)
        waits(i, SIGNAL, i, 9000);
    ok(looks(GROSR_VERDICT_IDLE, 1000) && findings.findings == 0,
       "workers that all wait for things of one name, with nothing begun: idle");
    event(1, GROSR_EV_RANGE_BEGIN, grosr_payload_named(1, 0), 9500);
    ok(looks(GROSR_VERDICT_STALLED, 1000), "stalled if one is in the middle of a range");
    event(1, GROSR_EV_RANGE_END, grosr_payload_named(1, 0), 9400);
    ok(looks(GROSR_VERDICT_IDLE, 1000), "which is over");
    waits(3, LOCK, 0, 9000);
    ok(looks(GROSR_VERDICT_STALLED, 1000), "and stalled if one waits for something else");
    end();
}

static void queues(void)
{
    begin();
    submitted(9, 4);
    ok(looks(GROSR_VERDICT_STALLED, 300) && names(finding("queue_not_served"), "5 tasks"),
       "tasks that nobody takes, though workers look for some: stalled");
    for (uint32_t i = 0; i < WORKERS; i++)
        state(i, GROSR_EV_WORKER_STOP, 1, 4000);
    ok(looks(GROSR_VERDICT_STALLED, 300) && names(finding("no_worker"), "5 tasks"),
       "tasks in a queue, and the workers have stopped: stalled");
    sys_store_relaxed(&grosr_session_live(session)->stop, 1u);
    ok(looks(GROSR_VERDICT_HEALTHY, 300) && findings.findings == 0, "not if they were told to");
    end();

    begin();
    for (uint32_t i = 0; i < WORKERS; i++)
        runs(i, i, 4000);
    submitted(64, 4);
    ok(looks(GROSR_VERDICT_HEALTHY, 1000) && finding("long_task"),
       "tasks that wait while all workers are in long ones: healthy");
    event(WORKERS, GROSR_EV_WAIT_BEGIN, grosr_payload_wait(GROSR_RES_QUEUE_NOT_FULL, 0), 3000);
    ok(looks(GROSR_VERDICT_HEALTHY, 1000), "so is a host that waits for room behind them");
    for (uint32_t i = 0; i < WORKERS; i++)
        state(i, GROSR_EV_WORKER_STOP, 0, 3000);
    ok(looks(GROSR_VERDICT_STALLED, 1000) && names(finding("stopped_consumer"), "room in queue 0"),
       "which is stalled when all workers have stopped");
    end();

    begin();
    submitted(4, 4);
    event(0, GROSR_EV_TASK_SUSPEND, grosr_payload_task(GROSR_TASK_NOTHING, 77), 6000);
    event(0, GROSR_EV_TASK_SUSPEND, grosr_payload_task(1, 78), 5900);
    event(1, GROSR_EV_TASK_RESUME, grosr_payload_task(1, 78), 5800);
    event(1, GROSR_EV_TASK_END, grosr_payload_task(0, 78), 5700);
    ok(looks(GROSR_VERDICT_STALLED, 1000) && names(finding("dependency_never_met"), "task 77 was suspended"),
       "a task that waits for children, and no task is left: stalled");
    ok(!names(finding("dependency_never_met"), "task 78"), "the one that has continued is not named");
    end();

    begin();
    submitted(4, 4);
    for (uint32_t i = 0; i < WORKERS; i++)
        sys_store_pair_relaxed(&grosr_session_worker(session, i)->counts, 1, 1);
    ok(looks(GROSR_VERDICT_HEALTHY, 1000) && finding("results_not_collected"),
       "results that the host does not collect are only remarked on");
    end();
}

/* 31 runs of the function in each worker's ring, a millisecond each, or ten for every so many. */
static void have_run(uint32_t long_every)
{
    uint64_t at = device_ago(30000);
    uint32_t n = 0;

    for (uint32_t ring = 0; ring < WORKERS; ring++)
        for (uint32_t i = 0; i < 31; i++, n++) {
            sys128 *slot = (sys128 *)(void *)(session->base + session->ring[ring].slots_at);
            uint64_t ns = MS * (long_every && n % long_every == 0 ? 10 : 1),
                     payload = grosr_payload_task(1, n);
            struct grosr_pair b =
                grosr_event_pack(UINT64_C(1) << GROSR_LAP_SHIFT, GROSR_EV_TASK_BEGIN, at, payload);
            struct grosr_pair e = grosr_event_pack(UINT64_C(1) << GROSR_LAP_SHIFT, GROSR_EV_TASK_END, at + ns,
                                                   grosr_payload_task(0, n));
            sys_store_pair_relaxed(slot + events[ring]++, b.lo, b.hi);
            sys_store_pair_relaxed(slot + events[ring]++, e.lo, e.hi);
            at += 20 * MS;
        }
    for (uint32_t i = 0; i < WORKERS; i++)
        seeks(i, 25000);
    submitted(130, 130);
}

/* A task of which many others were short. */
static void endless(void)
{
    begin();
    have_run(0);
    runs(2, 999, 12000);
    ok(looks(GROSR_VERDICT_STALLED, 1000) &&
           names(finding("endless_task"), "worker 2: task 999 has been silent for 12 s"),
       "a task that is silent for ten thresholds, where 124 others took a millisecond: stalled");
    ok(names(finding("endless_task"),
             "the 124 runs of beta that have ended took 1.0 ms at most, about as long as each other"),
       "with what they took");
    end();

    begin();
    have_run(0);
    runs(2, 999, 8000);
    ok(looks(GROSR_VERDICT_HEALTHY, 1000) &&
           names(finding("long_task"), "the 124 runs of beta that have ended took 1.0 ms at most"),
       "for eight thresholds: work may be long, and what is unusual is remarked");
    ok(looks(GROSR_VERDICT_STALLED, 500), "the threshold is the user's");
    event(2, GROSR_EV_COUNTER, grosr_payload_named(1, 5), 100);
    ok(looks(GROSR_VERDICT_HEALTHY, 500) && !finding("endless_task"),
       "one that reports its progress is left alone");
    end();

    begin();
    have_run(6);
    runs(2, 999, 60000);
    ok(looks(GROSR_VERDICT_HEALTHY, 1000) && names(finding("long_task"), "some much longer than others"),
       "where some runs are ten times as long as others, the length of one proves nothing");
    end();

    begin();
    have_run(0);
    events[3] = 8;
    memset((void *)(session->base + session->ring[3].slots_at + 8 * 16), 0, 56 * 16);
    events[2] = 8;
    memset((void *)(session->base + session->ring[2].slots_at + 8 * 16), 0, 56 * 16);
    runs(2, 999, 60000);
    ok(looks(GROSR_VERDICT_HEALTHY, 1000) && finding("long_task"),
       "nor where fewer than a hundred are known");
    end();
}

static void tasks(void)
{
    begin();
    submitted(1, 1);
    runs(2, 99, 3000);
    ok(looks(GROSR_VERDICT_HEALTHY, 1000) && names(finding("long_task"), "task 99 of function beta for 3."),
       "one long task is healthy, and remarked on");
    event(2, GROSR_EV_COUNTER, grosr_payload_named(1, 5), 100);
    ok(looks_once(GROSR_VERDICT_HEALTHY, 1000) && !finding("long_task"),
       "not if it has told of its progress");
    end();
}

/* ---- system calls ---- */

static int ends[2];

static void *reads_pipe(void *arg)
{
    const int *from = arg ? (const int *)arg : ends;
    char c;
    return read(from[0], &c, 1) == 1 ? NULL : &ends;
}

static void *sleeps(void *arg)
{
    pthread_mutex_t *lock = (pthread_mutex_t *)arg;
    pthread_mutex_lock(lock);
    pthread_mutex_unlock(lock);
    return NULL;
}

static pthread_t quiet_thread(void *(*main)(void *), void *arg)
{
    sigset_t all, before;
    pthread_t thread;

    sigfillset(&all);
    pthread_sigmask(SIG_SETMASK, &all, &before);
    if (pthread_create(&thread, NULL, main, arg))
        exit(1);
    pthread_sigmask(SIG_SETMASK, &before, NULL);
    return thread;
}

static void a_call(uint32_t worker, uint32_t call)
{
    pending[pendings] = (struct grosr_live_call){.port = pendings,
                                                 .worker = worker,
                                                 .requests = 1,
                                                 .call = call,
                                                 .handle = 5,
                                                 .task = 40,
                                                 .issued = device_ago(3000) & GROSR_TIME_MASK};
    state(worker, GROSR_EV_WAIT_BEGIN, grosr_payload_wait(GROSR_RES_SYSCALL_REPLY, pendings++), 3000);
}

static void calls(void)
{
    pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
    pthread_t sleeper, reader;
    void *failed;

    pthread_mutex_lock(&lock);
    sleeper = quiet_thread(sleeps, &lock);
    begin();
    a_call(1, 4 /* read */);
    ok(looks(GROSR_VERDICT_STALLED, 1000), "a call that no thread of the process is in: stalled");
    ok(names(finding("dead_proxy"), "worker 1") && names(finding("dead_proxy"), "read"), "by a dead proxy");
    end();

    begin();
    a_call(1, 19 /* nanosleep */);
    pending[0].argument = 60000 * MS;
    ok(looks(GROSR_VERDICT_HEALTHY, 1000) && names(finding("syscall_pending"), "nanosleep of handle 5"),
       "one that sleeps for as long as it was asked to is only remarked on");
    end();

    if (pipe(ends))
        exit(1);
    reader = quiet_thread(reads_pipe, NULL);
    nanosleep(&(struct timespec){0, 100000000}, NULL);
    begin();
    a_call(1, 4 /* read */);
    waits(2, SIGNAL, 0, 2900);
    submitted(2, 2);
    ok(looks(GROSR_VERDICT_STALLED, 1000) && findings.findings &&
           strstr(findings.finding[0].evidence, "a pipe"),
       "a call that waits for another process, with everything waiting for it: stalled, and the pipe is "
       "named");
    ok(names(&findings.finding[0], "worker 1") || findings.finding[0].workers, "and who waits");
    runs(3, 8, 10);
    state(0, GROSR_EV_TASK_BEGIN, grosr_payload_task(1, 5), 0);
    end();

    int other[2];
    if (pipe(other))
        exit(1);
    pthread_t second = quiet_thread(reads_pipe, other);
    nanosleep(&(struct timespec){0, 100000000}, NULL);
    begin();
    a_call(1, 4 /* read */);
    a_call(2, 4 /* read */);
    submitted(2, 2);
    char first[32], next[32];
    snprintf(first, sizeof(first), "fd %d, a pipe", ends[0]);
    snprintf(next, sizeof(next), "fd %d, a pipe", other[0]);
    ok(looks(GROSR_VERDICT_STALLED, 1000) && findings.findings == 2 && names(&findings.finding[0], first) &&
           names(&findings.finding[1], next),
       "two calls that wait for other processes: each of their pipes is named");
    ok(names(&findings.finding[0], "worker 1 waits for the reply to read in port 0, which thread ") &&
           names(&findings.finding[1], "worker 2 waits for the reply to read in port 1, which thread "),
       "and who waits for each");
    end();
    ok(write(ends[1], "", 1) == 1 && write(other[1], "", 1) == 1, "the pipes get their bytes");
    pthread_join(second, NULL);
    pthread_join(reader, &failed);
    pthread_mutex_unlock(&lock);
    pthread_join(sleeper, NULL);

    begin();
    for (uint32_t i = 0; i < PORTS; i++) {
        pending[i] = (struct grosr_live_call){
            .port = i, .worker = i, .task = i, .call = 4, .issued = device_ago(4000) & GROSR_TIME_MASK};
        state(i, GROSR_EV_WAIT_BEGIN, grosr_payload_wait(GROSR_RES_SYSCALL_PORT, 0), 3000);
    }
    pendings = PORTS;
    ok(looks(GROSR_VERDICT_DEADLOCK, 1000) && names(finding("ports_exhausted"), "4 of 4 ports are in use"),
       "workers that have all ports and want another one: a deadlock");
    end();
}

int main(void)
{
    /* A GPU's clock shows the time of day, the host's that since the machine's start. */
    const uint64_t clocks[] = {0, UINT64_C(1800000000000000000)};

    for (uint32_t i = 0; i < 2; i++) {
        ahead = clocks[i];
        idle();
        locks();
        holders_unknown();
        barriers();
        signals();
        waiting_for_work();
        queues();
        tasks();
        endless();
        calls();
    }
    return tap_done();
}
