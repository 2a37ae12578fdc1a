/*
 * The submission queue in all schedules (tests/explore.h), both sides of it: submission, completion and
 * cancellation as the host does them, and ports, the urgent ring and results as the device does. A queue of
 * two slots, so that slots are used again under everybody's eyes.
 */
#include "../explore.h"

#include <pthread.h>

/* A thread that waits for a lock lets the others run. */
static inline int explore_lock(pthread_mutex_t *mutex)
{
    dev32 *word = (dev32 *)(void *)mutex;
    uint32_t step = 0;

    while (dev_cas_acquire(word, 0u, 1u))
        dev_backoff(&step);
    return 0;
}

static inline int explore_unlock(pthread_mutex_t *mutex)
{
    dev_store_release((dev32 *)(void *)mutex, 0u);
    return 0;
}

#define pthread_mutex_lock(mutex)   explore_lock(mutex)
#define pthread_mutex_unlock(mutex) explore_unlock(mutex)

#include "../../runtime/host/gate.c"
#include "../../runtime/host/complete.c"
#include "../../runtime/host/submit.c"

#include "../../runtime/builtin/functions.h"

#define GROSR_TASKS GROSR_BUILT_IN_TASKS
#include "../../runtime/kernel/scheduler.h"

#include "../fixture.h"
#include "../launch_fixture.h"

enum { CAPACITY_LOG2 = 1, TASKS_MAX = 6 };

static grosr *rt;
static struct grosr_launch launch;
static struct grosr_task tasks[TASKS_MAX];
static struct grosr_result results[TASKS_MAX];
static uint64_t first_number; /* of the runs' first task: laps wrap */
static uint32_t count, runs[TASKS_MAX];
static uint64_t marked;
static bool batched, cancels;

static void begin(void)
{
    struct grosr_queue_entry *queue = grosr_session_queue(rt->session, 0);
    struct grosr_pair old = {grosr_queue_lap(CAPACITY_LOG2, first_number) - (UINT64_C(1) << 56), 0};

    grosr_submission_close(rt);
    grosr_submission_open(rt);
    rt->batch_tail_used = rt->batch_at = rt->cancelled_count = rt->cancelled_room = 0;
    rt->cancelled = NULL;
    /* As if everything before had been done. */
    rt->batch_head->batch[0] = (struct batch){first_number, 0, NULL};
    rt->batch_tail_used = 1;
    rt->reserved.v = rt->claimed.v = rt->retired.v = first_number;
    rt->collecting.v = 0;
    rt->cancel_until = rt->urgent_sent = rt->max_depth = rt->depth_due = 0;
    memset(&rt->lock, 0, sizeof(rt->lock));
    memset(&rt->urgent_lock, 0, sizeof(rt->urgent_lock));
    memset(rt->words, 0, sizeof(*rt->words));
    for (int i = 0; i < 1 << CAPACITY_LOG2; i++)
        rt->tasks[i] = rt->results[i] = (sys128){old.lo, old.lo};
    queue->enqueued.v = queue->completed.v = first_number;
    launch.queue.port[0].word.v = first_number << 1; /* of one port, positions are numbers */
    launch.queue.taken[0].taken.v = first_number;
    memset(launch.control, 0, sizeof(*launch.control));
    memset(launch.ends, 0, (GROSR_SHARE_INBOX + 1) * sizeof(*launch.ends));
    memset(launch.urgent_slots, 0, TASKS_MAX * sizeof(dev256));
    memset(runs, 0, sizeof(runs));
    memset(results, 0xee, sizeof(results));
    marked = 0;

    explore_watch(rt->tasks, sizeof(sys128) << CAPACITY_LOG2);
    explore_watch(rt->results, sizeof(sys128) << CAPACITY_LOG2);
    explore_watch(&rt->retired, sizeof(rt->retired));
    explore_watch(&rt->claimed, sizeof(rt->claimed));
    explore_watch(&rt->collecting, sizeof(rt->collecting));
    explore_watch(rt->words->urgent, TASKS_MAX * sizeof(sys64));
    explore_watch(&rt->words->urgent_taken, sizeof(sys64));
    explore_watch(&rt->urgent_lock, sizeof(dev32)); /* to be interrupted before it is let go */
    explore_watch(&launch.queue.port[0], sizeof(dev64));
}

/* ---- the host ---- */

static void submit_all(void)
{
    uint64_t first;

    for (uint32_t i = 0; i < count; i += batched ? count : 1) {
        uint32_t n = batched ? count : 1;
        explore_require(submit(rt, &tasks[i], n, &results[i], &first) == 0, "a submission fails");
        explore_require(first == first_number + i, "a wrong number");
    }
    explore_require(wait_below(rt, UINT64_MAX, GROSR_FOREVER) == 0, "a wait fails");
}

static void cancel_all(void)
{
    explore_require(cancel(rt, 0, UINT64_MAX, &marked) == 0, "a cancellation fails");
}

/* ---- the device ---- */

static void run(struct grosr_entry e)
{
    uint64_t i = e.number - first_number;

    explore_require(i < count, "a task that does not exist");
    if (i >= count)
        return;
    runs[i]++;
    bool cancelled = e.function == GROSR_FUNCTION_CANCELED;
    explore_require(cancelled || (e.function == tasks[i].function && e.a == tasks[i].a && e.b == tasks[i].b),
                    "a task is torn");
    grosr_result_write(&launch.queue, e.number, cancelled ? 0 : e.a + e.b, cancelled ? ECANCELED : 0, i & 1);
}

/* A worker: the port, then urgent tasks. */
static void work(void)
{
    uint64_t position, end = first_number + count;
    uint32_t step = 0, ran = 0;

    for (uint64_t at = first_number; at < end || ran < count;) {
        struct grosr_take take;
        struct grosr_entry e;
        bool found = false;
        take.count = 0;
        if (at < end && grosr_queue_claim(&launch.queue, 0, &position)) {
            grosr_queue_poll(&launch.queue, 0, position, &take);
            grosr_queue_leave(&launch.queue, 0, position + take.count);
            sys_store_relaxed(&launch.queue.taken[0].taken, position + take.count);
        }
        if (take.count) {
            at = take.task[0] + 1;
            found = true;
            if (!(grosr_queue_middle16(take.slot[0]) & GROSR_SLOT_SKIP)) {
                e.function = grosr_queue_middle16(take.slot[0]);
                e.a = (uint32_t)take.slot[0].lo;
                e.b = grosr_queue_wide(take.slot[0]);
                e.number = take.task[0];
                run(e);
                ran++;
            }
        }
        if (grosr_share_take_lane(grosr_launch_urgent(&launch), &e)) {
            run(e);
            ran++;
            found = true;
        }
        if (!found)
            dev_backoff(&step);
    }
}

/* The service warp, for as many urgent tasks as come. */
static void serve(void)
{
    uint64_t urgent = 0;
    uint32_t step = 0;

    while (rt->retired.v < first_number + count) {
        uint64_t word = sys_load_acquire(&rt->words->urgent[urgent % GROSR_QUEUE_URGENT]);
        if (grosr_service_urgent(&launch, urgent, word))
            urgent++;
        else
            dev_backoff(&step);
    }
}

static void end(void)
{
    uint64_t cancelled = 0;

    for (uint32_t i = 0; i < count; i++) {
        explore_require(runs[i] == 1, "a task does not run once");
        bool right = results[i].status == 0 && results[i].value == tasks[i].a + tasks[i].b;
        bool not_run = results[i].status == -ECANCELED && results[i].value == 0;
        explore_require(right || (cancels && not_run), "a wrong result");
        cancelled += not_run;
    }
    explore_require(cancelled <= marked, "more cancelled than were asked");
}

static void make_tasks(uint32_t n, uint32_t high)
{
    uint64_t seed = 77;

    count = n;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t a = (uint32_t)tap_random(&seed);
        tasks[i] = (struct grosr_task){.function = (uint16_t)(1 + i),
                                       .flags = high >> i & 1 ? GROSR_TASK_HIGH : 0,
                                       .a = a,
                                       .b = tap_random(&seed)};
    }
}

static void explore_queue(const char *name, uint32_t n, uint32_t high, bool one_batch, int bound,
                          bool cancelling)
{
    struct explore_scenario s = {name, begin, {submit_all, work}, end, bound};

    make_tasks(n, high);
    batched = one_batch;
    cancels = cancelling;
    if (high)
        s.thread[2] = serve;
    if (cancelling)
        s.thread[high ? 3 : 2] = cancel_all;
    explore_all(&s);
}

int main(void)
{
    static struct grosr_port port;
    struct grosr_session *session = fixture_session(1, 64, GROSR_OVERFLOW_DROP);

    rt = (grosr *)fixture_memory(sizeof(*rt));
    rt->session = session;
    rt->trace = grosr_session_trace(session, session->base);
    rt->capacity_log2 = CAPACITY_LOG2;
    rt->ports = 1;
    sys_store_relaxed(&rt->trace.header->level, (uint32_t)GROSR_LEVEL_OFF);
    rt->tasks = (sys128 *)fixture_memory(sizeof(sys128) << CAPACITY_LOG2);
    rt->results = (sys128 *)fixture_memory(sizeof(sys128) << CAPACITY_LOG2);
    rt->words = (struct grosr_queue_words *)fixture_memory(sizeof(*rt->words));
    grosr_submission_open(rt);
    launch = fixture_launch(1, 4);
    launch.trace = rt->trace;
    launch.queue = (struct grosr_queue){
        rt->tasks,
        rt->results,
        CAPACITY_LOG2,
        1,
        &port,
        (struct grosr_queue_port *)(void *)(rt->trace.base + grosr_session_queue(session, 0)->ports_at),
        rt->words};

    explore_queue("one by one", 4, 0, false, 3, false);
    explore_queue("a batch of two laps and a half", 5, 0, true, 3, false);
    explore_queue("cancelled at any time", 3, 0, true, 3, true);
    explore_queue("urgent ones overtake their port", 4, 2 | 4, false, 2, false);
    explore_queue("all are urgent", 3, 7, true, 2, false);
    explore_queue("urgent, and cancelled at any time", 3, 2, true, 2, true);
    first_number = 2 * 255 + 1; /* the lap's tag wraps */
    explore_queue("over the wrap of the laps", 4, 2, false, 2, false);

    grosr_submission_close(rt);
    fixture_launch_free(&launch);
    free(rt->tasks);
    free(rt->results);
    free(rt->words);
    free(rt);
    grosr_session_close(session);
    return tap_done();
}
