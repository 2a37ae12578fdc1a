/* Events become the right rows, with and without losses, and chunks of the backlog are read back as they were
 * written. */
#include "../ask.h"
#include "../fixture.h"

#include "../../schema/schema.h"
#include "../../tracer/rows/rows.h"
#include "../../tracer/store/store.h"

#include <errno.h>
#include <unistd.h>

static char path[64];
static struct grosr_session *session;
static struct grosr_store *store;
static struct grosr_rows *rows;
static struct grosr_clock clock_map;
static uint64_t origin, position[3], dropped_in_all;

static void begin_with(uint32_t names)
{
    session = fixture_session_named(2, 64, GROSR_OVERFLOW_AUTO, names);
    origin = session->header.start_mono_ns;
    grosr_clock_init(&clock_map, session);
    struct grosr_bases bases;
    if (grosr_store_create(&store, path) || grosr_store_add_session(store, session, &bases) ||
        grosr_rows_create(&rows, session, &bases, &clock_map, store)) {
        printf("Bail out! %s\n", grosr_error());
        exit(1);
    }
    memset(position, 0, sizeof(position));
}

static void begin(void)
{
    begin_with(0);
}

static void event(uint32_t ring, uint32_t kind, uint64_t payload, uint64_t time)
{
    struct grosr_pair e = grosr_event_pack(0, kind, origin + time, payload);
    if (grosr_rows_add(rows, ring, position[ring]++, &e, 1, origin))
        printf("# %s\n", grosr_error());
}

static void end(void)
{
    struct grosr_ring_counts final[3] = {{.dropped = dropped_in_all}};
    is(grosr_rows_finish(rows, final), 0, "rows finished");
    is(grosr_store_end_session(store, 1, 1000, false, false, GROSR_NULL), 0, "session ended");
    is(grosr_store_finish(store, NULL), 0, "store finished");
    grosr_store_close(store);
    grosr_rows_free(rows);
    grosr_session_close(session);
}

static int64_t ask(const char *sql)
{
    return ask_trace(path, sql);
}

static void whole(void)
{
    begin();
    event(2, GROSR_EV_TASK_ENQUEUE, grosr_payload_task(3, 0), 100);
    event(2, GROSR_EV_TASK_ENQUEUE, grosr_payload_task(1, 3), 150);
    event(0, GROSR_EV_WORKER_START, 5, 50);
    event(0, GROSR_EV_WAIT_BEGIN, grosr_payload_wait(GROSR_RES_QUEUE_NOT_EMPTY, 0), 60);
    event(0, GROSR_EV_IDLE_BEGIN, 0, 70);
    event(0, GROSR_EV_IDLE_END, 0, 180);
    event(0, GROSR_EV_WAIT_END, grosr_payload_wait(GROSR_RES_QUEUE_NOT_EMPTY, 0), 190);
    event(0, GROSR_EV_TASK_BEGIN, grosr_payload_task(1, 0), 200); /* two lanes at once */
    event(0, GROSR_EV_TASK_BEGIN, grosr_payload_task(0, 2), 200);
    event(0, GROSR_EV_TASK_END, grosr_payload_task(0, 0), 210);
    event(0, GROSR_EV_TASK_END, grosr_payload_task(38, 2), 220);
    event(1, GROSR_EV_TASK_BEGIN, grosr_payload_task(1, 3), 300); /* does not end */
    event(0, GROSR_EV_WORKER_STOP, 2, 400);
    end();
    is(ask("SELECT count(*) FROM tasks"), 3, "three tasks ran");
    is(ask("SELECT enqueue FROM tasks WHERE task = 2"), 100, "a task has its batch's enqueue time");
    is(ask("SELECT enqueue FROM tasks WHERE task = 3"), 150, "and the next batch's");
    is(ask("SELECT run_ns FROM tasks WHERE task = 2"), 20, "its run time");
    is(ask("SELECT queued_ns FROM tasks WHERE task = 0"), 100, "its time in the queue");
    is(ask("SELECT status FROM tasks WHERE task = 2"), 38, "its status");
    is(ask("SELECT function = 'beta' FROM tasks WHERE task = 0"), 1, "its function's name");
    is(ask("SELECT end FROM tasks WHERE task = 3"), -1, "an unfinished task has no end");
    is(ask("SELECT status FROM tasks WHERE task = 3"), -1, "and no status");
    is(ask("SELECT wait_ns FROM waits WHERE resource = 'queue_not_empty' AND resource_name = 'submit'"), 130,
       "a wait");
    is(ask("SELECT end - start FROM GROSR_IDLE"), 110, "an idle time");
    is(ask("SELECT sm FROM workers WHERE worker = 0"), 5, "a worker's SM");
    is(ask("SELECT end - start FROM workers WHERE worker = 0"), 350, "a worker's life");
    is(ask("SELECT count(*) FROM GROSR_EVENT_KIND WHERE name = 'task_begin' AND kind = 4"), 1,
       "event kinds are there");
    for (const struct grosr_canned_query *q = grosr_canned_queries; q->name; q++) {
        sqlite3 *db;
        int code = grosr_store_open_read(&db, path) ? 1 : sqlite3_exec(db, q->sql, NULL, NULL, NULL);
        is(code, SQLITE_OK, "canned query %s runs", q->name);
        sqlite3_close(db);
    }
}

/* Adds a run of records of ring 0 at once: kind, payload, time. */
static void run(const struct grosr_pair *records, uint32_t count)
{
    is(grosr_rows_add(rows, 0, position[0], records, count, origin), 0, "a run of %u records", count);
    position[0] += count;
}

#define AT(kind, function, task, time) \
    grosr_event_pack(0, GROSR_EV_TASK_##kind, origin + (time), grosr_payload_task(function, task))

static void damaged(void)
{
    begin();
    const struct grosr_pair records[] = {
        AT(BEGIN, 0, 0, 1000000),      AT(END, 0, 0, 2000000),
        AT(BEGIN, 0, 9, 1000000000),                          /* far too late */
        AT(BEGIN, 0, 1, 3000000),      AT(END, 0, 9, 500000), /* too early */
        AT(END, 0, 1, 4000000),        AT(BEGIN, 0, 2, 5000000),
        AT(END, 0, 2, 5000000 - 9000), /* the clocks of two SMs */
    };
    run(records, 4);
    run(records + 4, 1);
    run(records + 5, 3);
    event(0, GROSR_EV_TASK_BEGIN, grosr_payload_task(0, 3), 6000000);
    event(0, GROSR_EV_TASK_SPAWN, grosr_payload_task(2, GROSR_TASK_SPAWNED), 4000000); /* before its task */
    event(0, GROSR_EV_INSTANT, 0, 8000000);
    event(0, GROSR_EV_TASK_SPAWN, grosr_payload_task(2, GROSR_TASK_SPAWNED + 2), 6000000);
    event(0, GROSR_EV_TASK_END, grosr_payload_task(0, 3), 9000000);
    event(0, GROSR_EV_LOST, 5, 20000000); /* stamped after the record behind it */
    event(0, GROSR_EV_TASK_BEGIN, grosr_payload_task(0, 4), 10000000);
    event(0, GROSR_EV_TASK_END, grosr_payload_task(0, 4), 11000000);
    end();
    is(ask("SELECT count(*) FROM GROSR_TASK"), 5, "the tasks of records in order");
    is(ask("SELECT count(*) FROM GROSR_TASK WHERE end IS NULL OR start > end + 10000 OR end > 20000000 OR "
           "start IS NULL"),
       0, "have their times");
    is(ask("SELECT sum(count) FROM GROSR_LOSS WHERE reason = 'damaged'"), 3, "damaged records are counted");
    is(ask("SELECT position FROM GROSR_LOSS WHERE reason = 'damaged' ORDER BY rowid LIMIT 1"), 2,
       "where they were");
    is(ask("SELECT verdict = '3 damaged events were left out' FROM trace_health WHERE ring IS NULL"), 1,
       "and the verdict has them");

    begin();
    const struct grosr_pair back[] = {
        AT(BEGIN, 0, 0, 7200000000000), AT(END, 0, 0, 7200001000000), AT(BEGIN, 0, 1, 1000000),
        AT(END, 0, 1, 2000000),         AT(BEGIN, 0, 2, 3000000),     AT(END, 0, 2, 4000000),
    };
    run(back, 6);
    end();
    is(ask("SELECT count(*) FROM GROSR_TASK WHERE start < end"), 3,
       "a clock that was set back damages nothing");
    is(ask("SELECT count(*) FROM GROSR_LOSS"), 0, "and loses nothing");

    begin();
    const struct grosr_pair first[] = {AT(BEGIN, 0, 9, 7200000000000), AT(BEGIN, 0, 0, 1000000),
                                       AT(END, 0, 0, 2000000)};
    run(first, 3);
    end();
    is(ask("SELECT count(*) FROM GROSR_TASK"), 1, "a first record that is damaged");
    is(ask("SELECT count FROM GROSR_LOSS WHERE position = 0"), 1, "is counted");
}

/* What is known of an end that was lost: that it was before the worker began something else. */
static void lost_ends(bool window)
{
    begin();
    dropped_in_all = 9;
    event(0, GROSR_EV_TASK_BEGIN, grosr_payload_task(0, 1), 1000);
    event(0, GROSR_EV_TASK_BEGIN, grosr_payload_task(0, 2), 1000); /* of another lane */
    event(0, GROSR_EV_LOST, 5, 3000);
    event(0, GROSR_EV_TASK_END, grosr_payload_task(0, 2), 2000);
    event(1, GROSR_EV_WAIT_BEGIN, grosr_payload_wait(GROSR_RES_QUEUE_NOT_EMPTY, 0), 1000);
    event(1, GROSR_EV_LOST, 4, 2000);
    if (window)
        grosr_rows_keep_from(rows, 50000);
    event(0, GROSR_EV_TASK_BEGIN, grosr_payload_task(0, 3), 4000);
    event(0, GROSR_EV_TASK_END, grosr_payload_task(0, 3), 60000);
    event(1, GROSR_EV_TASK_BEGIN, grosr_payload_task(0, 4), 4000); /* does not end */
    event(1, GROSR_EV_RANGE_BEGIN, grosr_payload_named(1, 0), 5000);
    end();
    dropped_in_all = 0;
    is(ask("SELECT count(*) FROM tasks WHERE task = 1"), !window, "the run whose end was lost");
    is(ask("SELECT count(*) FROM tasks WHERE task = 1 AND state = 'end lost'"), !window, "is not open");
    is(ask("SELECT count(*) FROM tasks WHERE task = 3 AND state = 'ended'"), 1,
       "one that ended in the window");
    is(ask("SELECT count(*) FROM tasks WHERE task = 4 AND state = 'open'"), 1, "what began last is open");
    is(ask("SELECT count(*) FROM waits"), !window, "a wait before a run");
    is(ask("SELECT count(*) FROM waits WHERE state = 'open'"), 0, "is not open either");
    is(ask("SELECT count(*) FROM GROSR_RANGE WHERE end IS NULL"), 1, "a range that nothing follows is open");
}

static void losses(void)
{
    begin();
    dropped_in_all = 45;
    event(0, GROSR_EV_TASK_BEGIN, grosr_payload_task(1, 7), 10);
    event(0, GROSR_EV_LOST, 40, 20);
    event(0, GROSR_EV_TASK_END, grosr_payload_task(0, 20), 30); /* its begin is among the lost */
    position[0] += 100;                                         /* overwritten */
    for (int i = 0; i < 1000; i++)                              /* ends that never come */
        event(0, GROSR_EV_TASK_BEGIN, grosr_payload_task(1, 1000 + (uint64_t)i), 40);
    end();
    dropped_in_all = 0;
    is(ask("SELECT position FROM GROSR_LOSS WHERE count = 40"), 1,
       "a marker becomes a row of losses, at its place");
    is(ask("SELECT time FROM GROSR_LOSS WHERE count = 5 AND reason = 'dropped'"), -1,
       "drops without a marker are at the end");
    is(ask("SELECT count FROM GROSR_LOSS WHERE reason = 'overwritten'"), 100, "a jump too");
    is(ask("SELECT start FROM tasks WHERE task = 20"), -1, "an end without a begin has no start");
    is(ask("SELECT count(*) FROM tasks WHERE end IS NULL"), 1001, "every begin without an end has its row");
    is(ask("SELECT enqueue FROM tasks WHERE task = 7"), -1, "an enqueue time that is not known is NULL");
}

/* The worker's n-th spawn. */
static uint64_t spawn(uint32_t worker, uint64_t n)
{
    return GROSR_TASK_SPAWNED | (uint64_t)worker << GROSR_TASK_SPAWN_BITS | (n & GROSR_TASK_SPAWN_MASK);
}

static void run_task(uint32_t ring, uint64_t task, uint64_t start, uint64_t end_time)
{
    event(ring, GROSR_EV_TASK_BEGIN, grosr_payload_task(1, task), start);
    event(ring, GROSR_EV_TASK_END, grosr_payload_task(0, task), end_time);
}

/* The one row of worker's n-th spawn that starts at `start`: its enqueue time. */
static int64_t enqueue_of(uint32_t worker, uint64_t n, int start)
{
    char sql[128];
    snprintf(sql, sizeof(sql), "SELECT enqueue FROM tasks WHERE task = %" PRIu64 " AND start = %d",
             spawn(worker, n), start);
    return ask(sql);
}

static int64_t rows_so_far(void)
{
    grosr_store_commit(store);
    return ask("SELECT count(*) FROM tasks");
}

static void spawned(void)
{
    begin();
    event(2, GROSR_EV_TASK_ENQUEUE, grosr_payload_task(1, 0), 50);
    event(0, GROSR_EV_TASK_BEGIN, grosr_payload_task(0, 0), 60);
    event(0, GROSR_EV_TASK_SPAWN, grosr_payload_task(3, spawn(0, 0)), 100);
    event(0, GROSR_EV_TASK_SPAWN, grosr_payload_task(2, spawn(0, 3)), 120);
    event(0, GROSR_EV_TASK_END, grosr_payload_task(0, 0), 130);
    run_task(0, spawn(0, 2), 140, 150);
    run_task(1, spawn(0, 3), 145, 155);
    is(rows_so_far(), 3, "rows of tasks whose spawn has been read do not wait");

    /* Worker 1 spawns, and its ring is read after that of worker 0, which ran the tasks. */
    run_task(0, spawn(1, 0), 210, 220);
    run_task(0, spawn(1, 2), 230, 240);
    event(0, GROSR_EV_TASK_BEGIN, grosr_payload_task(1, spawn(1, 3)), 250); /* does not end */
    is(rows_so_far(), 3, "rows of tasks whose spawn has not been read wait");
    event(1, GROSR_EV_LOST, 7, 1000000); /* stamped late: the records behind it are older */
    is(rows_so_far(), 3, "and a loss marker does not release them");
    event(1, GROSR_EV_TASK_SPAWN, grosr_payload_task(1, spawn(1, 0)), 200);
    is(rows_so_far(), 4, "a spawn lets its tasks' rows go");
    event(1, GROSR_EV_TASK_SPAWN, grosr_payload_task(3, spawn(1, 1)), 205);
    is(rows_so_far(), 5, "and only its tasks'");

    /* A spawn that is lost. */
    run_task(0, spawn(1, 4), 300, 310);
    event(1, GROSR_EV_WAIT_BEGIN, grosr_payload_wait(GROSR_RES_QUEUE_NOT_EMPTY, 0), 305);
    is(rows_so_far(), 5, "clocks may differ a little");
    event(1, GROSR_EV_WAIT_END, grosr_payload_wait(GROSR_RES_QUEUE_NOT_EMPTY, 0), 50000);
    is(rows_so_far(), 6, "an event of after a task's start means that its spawn is lost");
    run_task(0, spawn(1, 5), 60000, 60010); /* nothing more of worker 1 is read */
    run_task(0, spawn(77, 0), 60020, 60030);
    end();
    is(enqueue_of(0, 2, 140), 100, "a spawned task has its batch's time");
    is(enqueue_of(0, 3, 145), 120, "on another worker, too");
    is(enqueue_of(1, 0, 210), 200, "and if its event comes late");
    is(enqueue_of(1, 2, 230), 205, "in whichever order");
    is(enqueue_of(1, 3, 250), 205, "even if it does not end");
    is(enqueue_of(1, 4, 300), -1, "without its spawn it has none");
    is(enqueue_of(1, 5, 60000), -1, "nor if the trace ends first");
    is(enqueue_of(77, 0, 60020), -1, "nor from a worker that there is not");
    is(ask("SELECT count(*) FROM tasks WHERE spawned"), 8, "the view knows the spawned ones");
    is(ask("SELECT enqueue FROM tasks WHERE NOT spawned"), 50, "beside the host's");
}

static void suspended(void)
{
    uint64_t child = spawn(0, 0), parent = 5;

    begin();
    event(2, GROSR_EV_TASK_ENQUEUE, grosr_payload_task(1, parent), 10);
    /* Ring 1 is read first: the later run comes before the earlier one. */
    event(1, GROSR_EV_TASK_RESUME, grosr_payload_task(1, parent), 60);
    event(1, GROSR_EV_TASK_END, grosr_payload_task(38, parent), 70);
    event(1, GROSR_EV_TASK_BEGIN, grosr_payload_task(1, child), 40);
    event(1, GROSR_EV_TASK_SUSPEND, grosr_payload_task(GROSR_TASK_NOTHING, child), 50);
    event(0, GROSR_EV_TASK_BEGIN, grosr_payload_task(0, parent), 20);
    event(0, GROSR_EV_TASK_SPAWN, grosr_payload_task(1, child), 25);
    event(0, GROSR_EV_TASK_SUSPEND, grosr_payload_task(1, parent), 30);
    /* A run whose end is lost, another of the same task on the same worker, and an end whose begin is lost.
     */
    event(0, GROSR_EV_TASK_BEGIN, grosr_payload_task(0, 6), 80);
    event(0, GROSR_EV_TASK_RESUME, grosr_payload_task(1, 6), 90);
    event(0, GROSR_EV_TASK_SUSPEND, grosr_payload_task(9, 6), 95);
    event(0, GROSR_EV_TASK_SUSPEND, grosr_payload_task(0, 7), 99);
    end();
    is(ask("SELECT count(*) FROM tasks WHERE task = 5"), 2, "a task that suspends has a row for each run");
    is(ask("SELECT start = 20 AND end = 30 AND status IS NULL AND next = 'beta' AND queued_ns = 10"
           " FROM tasks WHERE task = 5 AND function = 'alpha'"),
       1, "the first has when it was enqueued and what it continues as, and no status");
    is(ask("SELECT start = 60 AND end = 70 AND status = 38 AND next IS NULL AND worker = 1 AND enqueue IS "
           "NULL"
           " FROM tasks WHERE task = 5 AND function = 'beta'"),
       1, "the last has the status, and was not enqueued");
    is(ask("SELECT enqueue = 25 AND next = '(nothing)' AND status IS NULL FROM tasks WHERE spawned"), 1,
       "one that only waits for its children continues as nothing");
    is(ask("SELECT next FROM GROSR_TASK WHERE start = 40"), -1, "-1 in the table");
    is(ask("SELECT end FROM tasks WHERE start = 80"), -1, "a run whose end is lost has none");
    is(ask("SELECT end = 95 AND next = '(9)' FROM tasks WHERE start = 90"), 1,
       "the run after it has its own, and a function without a name its number");
    is(ask("SELECT start IS NULL AND function IS NULL AND next = 'alpha' FROM tasks WHERE task = 7"), 1,
       "a run whose begin is lost");
    is(ask("SELECT count(*) FROM tasks WHERE status IS NOT NULL"), 1, "no other run has a status");
}

static void wrapped(void)
{
    const uint64_t lap = UINT64_C(1) << GROSR_TASK_SPAWN_BITS;

    begin();
    event(0, GROSR_EV_TASK_SPAWN, grosr_payload_task(2, spawn(0, 7)), 10); /* they never run */
    event(0, GROSR_EV_TASK_SPAWN, grosr_payload_task(1, spawn(0, lap / 2)), 20);
    event(0, GROSR_EV_TASK_SPAWN, grosr_payload_task(2, spawn(0, lap - 2)), 30);
    run_task(1, spawn(0, 3), 35, 36); /* of the next lap, whose spawns have not been read */
    is(rows_so_far(), 0, "a number not reached yet waits");
    event(0, GROSR_EV_TASK_SPAWN, grosr_payload_task(5, spawn(0, lap)), 34);
    run_task(1, spawn(0, lap - 1), 40, 41);
    run_task(1, spawn(0, 0), 42, 43);
    event(0, GROSR_EV_TASK_SPAWN, grosr_payload_task(1, spawn(0, 5)), 50);
    /* 6 and 7 are lost */
    event(0, GROSR_EV_TASK_SPAWN, grosr_payload_task(1, spawn(0, 8)), 60);
    run_task(1, spawn(0, 7), 70, 71);
    run_task(1, spawn(0, 8), 72, 73);
    end();
    is(enqueue_of(0, lap - 1, 40), 30, "before numbers start over");
    is(enqueue_of(0, 0, 42), 34, "and after");
    is(enqueue_of(0, 3, 35), 34, "and for one that waited across it");
    is(enqueue_of(0, 8, 72), 60, "a number used again has its new time");
    is(enqueue_of(0, 7, 70), -1, "and none rather than its old one");
}

/* However many spawns are missing, memory is bounded. */
static void too_many_wait(void)
{
    begin();
    for (uint64_t i = 0; i < GROSR_ROWS_WAITING + 5; i++)
        run_task(0, spawn(1, i), 10 + i, 11 + i);
    is(rows_so_far(), 5, "%zu rows wait, those after them do not", GROSR_ROWS_WAITING);
    event(1, GROSR_EV_TASK_SPAWN, grosr_payload_task(65535, spawn(1, 0)), 5);
    is(rows_so_far(), 65535 + 5, "what they waited for lets them go");
    end();
    is(ask("SELECT count(*) FROM tasks"), GROSR_ROWS_WAITING + 5, "in the end every run has its row");
    is(ask("SELECT count(*) FROM tasks WHERE enqueue = 5"), 65535, "and the time that is known");
}

static void chunks(void)
{
    struct grosr_pair records[100], *back;
    uint32_t ring, count;
    uint64_t first, drained, seed = 5;

    begin();
    for (int i = 0; i < 100; i++)
        records[i] =
            grosr_event_pack(0, (uint32_t)tap_random(&seed) & 0xff, tap_random(&seed), tap_random(&seed));
    is(grosr_store_put_chunk(store, 1, 77, 1234, records, 100), 0, "a chunk is stored");
    is(grosr_store_put_chunk(store, 0, 1, 1, records, 1), 0, "and another");
    is(grosr_store_take_chunk(store, &ring, &first, &drained, &back, &count), 0, "the oldest comes back");
    ok(ring == 1 && first == 77 && drained == 1234 && count == 100 && !memcmp(back, records, sizeof(records)),
       "as it was");
    free(back);
    is(grosr_store_commit(store), 0, "committed");
    is(ask("SELECT sum(count) FROM GROSR_CHUNK"), 1,
       "one is left, and visible to a reader beside the writer");
    is(ask("SELECT verdict LIKE 'being recorded%' FROM trace_health WHERE ring IS NULL"), 1,
       "the health of a trace under way says so");
    grosr_store_take_chunk(store, &ring, &first, &drained, &back, &count);
    free(back);
    is(grosr_store_take_chunk(store, &ring, &first, &drained, &back, &count), 0, "no more is no error");
    is(count, 0, "but a count of 0");
    end();
}

/* What a program names: ranges nest, holds and waits are of a resource's number, names come whenever they
 * come. */
static void named(void)
{
    const uint32_t lock = 1, item = 2, depth = 3;
    const uint64_t one = grosr_payload_resource(lock, 1), nine = grosr_payload_resource(lock, 9);

    begin_with(3);
    is(grosr_session_add_name(session, GROSR_NAME_USER, lock, "lock", NULL), 0, "a name");
    is(grosr_session_add_name(session, GROSR_NAME_USER, item, "item", NULL), 0, "another");
    event(0, GROSR_EV_WORKER_START, 0, 1);
    event(0, GROSR_EV_RANGE_BEGIN, grosr_payload_named(item, 0), 10);
    event(0, GROSR_EV_RANGE_BEGIN, grosr_payload_named(item, 0), 20); /* inside */
    event(0, GROSR_EV_WAIT_BEGIN, nine, 30);
    event(0, GROSR_EV_WAIT_END, nine, 35);
    event(0, GROSR_EV_HOLD, nine, 36);
    event(0, GROSR_EV_HOLD, one, 37); /* of that name too */
    event(0, GROSR_EV_RELEASE, nine, 38);
    event(0, GROSR_EV_RANGE_END, grosr_payload_named(item, 7), 40);
    event(0, GROSR_EV_RANGE_END, grosr_payload_named(item, grosr_value_unsigned(UINT64_MAX)), 60);
    event(0, GROSR_EV_RANGE_END, grosr_payload_named(depth, 5), 70); /* its begin is not known */
    event(0, GROSR_EV_RANGE_BEGIN, grosr_payload_named(depth, 0), 80);
    is(grosr_rows_workers(rows), 0, "names are written while the trace is");
    is(grosr_session_add_name(session, GROSR_NAME_USER, depth, "depth of the queue", "items"), 0,
       "a name that comes late");
    is(grosr_session_add_name(session, GROSR_NAME_USER, 4, "", ""), -ENOSPC,
       "more names than there is room for");
    event(0, GROSR_EV_COUNTER, grosr_payload_named(depth, grosr_value_signed(-5)), 90);
    event(0, GROSR_EV_COUNTER, grosr_payload_named(depth, grosr_value_signed(INT64_MAX)), 91);
    event(0, GROSR_EV_COUNTER, grosr_payload_named(depth, grosr_value_signed(INT64_MIN)), 92);
    event(0, GROSR_EV_INSTANT, grosr_payload_named(item, 3), 95);
    event(0, GROSR_EV_WORKER_STOP, 0, 98);
    event(0, GROSR_EV_WORKER_START, 1, 100); /* the next warp on this ring */
    event(0, GROSR_EV_WORKER_STOP, 0, 110);
    end();
    is(ask("SELECT count(*) FROM GROSR_RANGE"), 4, "four ranges");
    is(ask("SELECT start FROM GROSR_RANGE WHERE value = 7"), 20, "an end closes the innermost of its name");
    is(ask("SELECT value FROM GROSR_RANGE WHERE start = 10 AND end = 60"), (INT64_C(1) << 40) - 1,
       "and then the outer one, whose value is the greatest there is");
    is(ask("SELECT start FROM GROSR_RANGE WHERE value = 5"), -1, "an end alone has no start");
    is(ask("SELECT end IS NULL AND value IS NULL FROM GROSR_RANGE WHERE start = 80"), 1,
       "nor a begin alone an end");
    is(ask("SELECT end - start FROM GROSR_HOLD WHERE resource = 3 AND \"index\" >> 32 = 1 AND \"index\" & "
           "0xffffffff = 9"),
       2, "a hold of number 9");
    is(ask("SELECT start FROM GROSR_HOLD WHERE end IS NULL AND \"index\" & 0xffffffff = 1"), 37,
       "one that did not end");
    is(ask("SELECT end - start FROM GROSR_WAIT w JOIN GROSR_NAME n ON n.name = w.\"index\" >> 32"
           " WHERE n.text = 'lock' AND w.resource = 3"),
       5, "a wait for what has a name");
    is(ask("SELECT count(*) FROM GROSR_NAME"), 3, "three names");
    is(ask("SELECT unit = 'items' FROM GROSR_NAME WHERE text = 'depth of the queue'"), 1, "one with a unit");
    is(ask("SELECT unit IS NULL FROM GROSR_NAME WHERE text = 'lock'"), 1, "one without");
    is(ask("SELECT value FROM GROSR_COUNTER WHERE time = 90"), -5, "a counter below 0");
    is(ask("SELECT max(value) FROM GROSR_COUNTER"), (INT64_C(1) << 39) - 1, "the greatest");
    is(ask("SELECT min(value) FROM GROSR_COUNTER"), -(INT64_C(1) << 39), "the least");
    is(ask("SELECT i.payload & 0xffffffffff FROM GROSR_INSTANT i JOIN GROSR_EVENT_KIND k USING (kind)"
           " WHERE k.name = 'instant' AND i.payload >> 40 = 2"),
       3, "an instant");
    is(ask("SELECT start FROM GROSR_WORKER WHERE worker = 0"), 1, "a ring's life begins with its first warp");
    is(ask("SELECT end FROM GROSR_WORKER WHERE worker = 0"), 110, "and ends with its last");
}

static void refusals(void)
{
    sqlite3 *db;
    char text[128];

    snprintf(text, sizeof(text), "%s.txt", path);
    FILE *f = fopen(text, "w");
    fputs("this is no database, and it is not ours\n", f);
    fclose(f);
    is(grosr_store_open_read(&db, text), -EPROTO, "a text file is no trace");
    is(grosr_store_probe(text), -EEXIST, "and is not written over");
    unlink(text);
    is(grosr_store_open_read(&db, text), -ENOENT, "a file that is not there");
    is(grosr_store_probe("/nowhere/t.db"), -ENOENT, "a folder that is not there");
    is(grosr_store_probe("/"), -EEXIST, "a folder is no file");
    sqlite3_open(path, &db);
    sqlite3_exec(db, "PRAGMA user_version = 0", NULL, NULL, NULL);
    sqlite3_close(db);
    is(grosr_store_open_read(&db, path), -EPROTO, "an old schema is refused");
    ok(strstr(grosr_error(), "schema version 0"), "in words: %s", grosr_error());
    is(grosr_store_probe(path), 0, "but may be replaced");
    sqlite3_open(path, &db);
    sqlite3_exec(db, "PRAGMA user_version = 1000000", NULL, NULL, NULL);
    sqlite3_close(db);
    is(grosr_store_open_read(&db, path), -EPROTO, "one of the future too");
    ok(strstr(grosr_error(), "use a newer grosr"), "in words: %s", grosr_error());
}

/* What is too old has no rows, but is not forgotten. */
static void cut(void)
{
    const struct grosr_pair passed[] = {
        grosr_event_pack(0, GROSR_EV_LOST, origin, 4),
        grosr_event_pack(0, GROSR_EV_TASK_BEGIN, 0, grosr_payload_task(0, 9)),
    };
    struct grosr_pair late[2];

    begin();
    for (int i = 0; i < 2; i++) {
        late[i] = passed[i];
        late[i].lo = (late[i].lo & ~GROSR_TIME_MASK) | ((origin + 150) & GROSR_TIME_MASK);
    }
    dropped_in_all = 7;
    is(grosr_rows_kept_from(rows), GROSR_NULL, "at first everything is kept");
    grosr_rows_keep_from(rows, 100);
    grosr_rows_keep_from(rows, 50);
    is(grosr_rows_kept_from(rows), 100, "the time does not go back");
    event(2, GROSR_EV_TASK_ENQUEUE, grosr_payload_task(10, 0), 1);
    event(0, GROSR_EV_WORKER_START, 5, 2);
    event(0, GROSR_EV_TASK_BEGIN, grosr_payload_task(1, 0), 10);
    event(0, GROSR_EV_TASK_END, grosr_payload_task(0, 0), 99); /* too old */
    event(0, GROSR_EV_TASK_BEGIN, grosr_payload_task(1, 1), 20);
    event(0, GROSR_EV_LOST, 3, 25); /* too old */
    position[0] += 100;             /* overwritten, before what is too old */
    event(0, GROSR_EV_API_ERROR, 1, 30);
    event(0, GROSR_EV_TASK_END, grosr_payload_task(0, 1),
          100); /* not too old, and known from its beginning */
    event(0, GROSR_EV_WAIT_BEGIN, 1, 110);
    is(grosr_rows_cut(rows), 6, "events of before are counted");
    event(1, GROSR_EV_TASK_BEGIN, grosr_payload_task(1, 2), 30);
    is(grosr_rows_skip(rows, 1, position[1], late, 2, origin), 0, "some are skipped");
    position[1] += 2;
    is(grosr_rows_cut(rows), 8, "and counted, but for markers");
    event(1, GROSR_EV_TASK_END, grosr_payload_task(0, 2), 160);
    end();
    dropped_in_all = 0;
    is(ask("SELECT count(*) FROM tasks"), 2, "what ended before has no row");
    is(ask("SELECT start FROM tasks WHERE task = 1"), 20, "what ended later has its start");
    is(ask("SELECT enqueue FROM tasks WHERE task = 1"), 1, "and its enqueue time, of before");
    is(ask("SELECT count(*) FROM tasks WHERE task = 2 AND start IS NULL AND end = 160"), 1,
       "but not what began before events were skipped");
    is(ask("SELECT start FROM workers WHERE worker = 0"), 2, "a worker's life is known");
    is(ask("SELECT count(*) FROM GROSR_INSTANT"), 0, "an instant of before is none");
    is(ask("SELECT count(*) FROM GROSR_WAIT WHERE start = 110 AND end IS NULL"), 1,
       "what is still open is there");
    is(ask("SELECT count(*) FROM GROSR_LOSS WHERE reason = 'overwritten' OR count = 3"), 0,
       "losses of before have no rows");
    is(ask("SELECT sum(count) FROM GROSR_LOSS WHERE ring = 0"), 4, "those without a marker have one");
}

int main(void)
{
    snprintf(path, sizeof(path), "/tmp/grosr-rows-%d.db", (int)getpid());
    whole();
    damaged();
    lost_ends(false);
    lost_ends(true);
    losses();
    spawned();
    suspended();
    wrapped();
    too_many_wait();
    chunks();
    named();
    cut();
    refusals();
    unlink(path);
    return tap_done();
}
