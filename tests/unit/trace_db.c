/*
 * A trace as a source of the diagnosis (tracer/diagnose/trace_db.h): what is found in sessions that were
 * stopped, killed, detached from or are being recorded, and what is not.
 */
#include "../../schema/schema.h"
#include "../../tracer/base/error.h"
#include "../../tracer/diagnose/trace_db.h"
#include "../tap.h"

static sqlite3 *db;
static struct grosr_findings findings;

static void run(const char *sql)
{
    char *error = NULL;

    if (sqlite3_exec(db, sql, NULL, NULL, &error) == SQLITE_OK)
        return;
    printf("# %s: %s\n", sql, error);
    abort();
}

/* A trace with one session, 1, whose process was killed at 10 s: four workers, queue 0, locks 7 and the
 * word 8. */
static void begin(void)
{
    if (sqlite3_open(":memory:", &db) != SQLITE_OK)
        abort();
    run(grosr_sql_tables);
    run(grosr_sql_views);
    run("INSERT INTO GROSR_META VALUES ('complete', 1);"
        "INSERT INTO GROSR_RESOURCE_KIND VALUES (1, 'queue_not_empty', ''), (2, 'queue_not_full', ''),"
        " (3, 'named', ''), (4, 'syscall_port', ''), (5, 'syscall_reply', '');"
        "INSERT INTO GROSR_SESSION (session, pid, program, device, device_name, sms, max_warps_per_sm, lanes,"
        " start_mono_ns, start_real_ns, end, died) VALUES (1, 100, 'prog', 'host', 'cpu', 1, 4, 1, 0, 0,"
        " 10000000000, 1);"
        "INSERT INTO GROSR_FUNCTION (function, name) VALUES (0, 'step');"
        "INSERT INTO GROSR_QUEUE VALUES (0, 'submit', 64, 1, 1);"
        "INSERT INTO GROSR_NAME VALUES (7, 'lock', NULL, 1), (8, 'word', NULL, 1);"
        "INSERT INTO GROSR_WORKER (worker, sm, start) VALUES (0, 0, 10), (1, 0, 10), (2, 0, 10), (3, 0, 10);"
        "INSERT INTO StringIds VALUES (50, 'read')");
}

static void end(void)
{
    sqlite3_close(db);
    db = NULL;
}

static void diagnose(uint64_t threshold_ns)
{
    grosr_findings_free(&findings);
    grosr_findings_init(&findings, threshold_ns);
    if (grosr_diagnose_database(db, &findings, NULL)) {
        printf("# %s\n", grosr_error());
        abort();
    }
    if (grosr_findings_settle(&findings))
        abort();
    printf("# %s: %s\n", grosr_verdict_name(findings.verdict), findings.state);
    for (uint32_t i = 0; i < findings.findings; i++)
        printf("# %s: %s\n", findings.finding[i].kind, findings.finding[i].summary);
}

/* The first column of the first row. */
static const char *ask(const char *sql)
{
    static char text[1024];
    sqlite3_stmt *row;

    *text = 0;
    if (sqlite3_prepare_v2(db, sql, -1, &row, NULL) == SQLITE_OK && sqlite3_step(row) == SQLITE_ROW &&
        sqlite3_column_text(row, 0))
        snprintf(text, sizeof(text), "%s", (const char *)sqlite3_column_text(row, 0));
    sqlite3_finalize(row);
    return text;
}

/* Whether the verdict is this, and the worst finding, if it is not NULL, of that kind and summary. */
static bool found(enum grosr_verdict verdict, const char *kind, const char *summary)
{
    const struct grosr_finding *f = findings.finding;

    if (findings.verdict != verdict || (kind != NULL) != (findings.findings > 0))
        return false;
    return !kind ||
           (f->verdict == verdict && !strcmp(f->kind, kind) && (!summary || !strcmp(f->summary, summary)));
}

/* Named resources: the name in the upper 32 bits. */
#define LOCK(n) "(7 << 32) + " #n
#define WORD(n) "(8 << 32) + " #n

static void add_cycle(void)
{
    run("INSERT INTO GROSR_HOLD VALUES (0, 3, " LOCK(
        0) ", 1000000000, NULL),"
           " (1, 3, " LOCK(1) ", 1000000000, NULL), (2, 3, " LOCK(
               0) ", 10, 20);"
                  "INSERT INTO GROSR_WAIT VALUES (0, 3, " LOCK(
                      1) ", 2000000000, NULL, 1),"
                         " (1, 3, " LOCK(0) ", 3000000000, NULL, 1), (2, 3, " LOCK(
                             0) ", 3100000000, NULL, 1),"
                                " (3, 1, 0, 3100000000, NULL, 1)");
}

static const char cycle_text[] =
    "worker 0 waits for lock 1, which worker 1 holds; worker 1 waits for lock 0, which "
    "worker 0 holds";

static void test_cycle(void)
{
    begin();
    add_cycle();
    diagnose(1000000000);
    ok(found(GROSR_VERDICT_DEADLOCK, "lock_cycle", cycle_text), "two locks in a cycle");
    is(findings.findings, 1, "and nothing else: a worker behind them, and one without work, are no findings");
    is(findings.finding->since_ns, 7000000000, "it had stood for 7 s when the process was killed");
    ok(strstr(findings.source, "process 100, session 1") && strstr(findings.source, "died"),
       "the source says so");
    diagnose(8000000000);
    ok(found(GROSR_VERDICT_HEALTHY, NULL, NULL), "not for 8 s");
    run("UPDATE GROSR_SESSION SET died = 0, detached = 1");
    diagnose(1000000000);
    ok(found(GROSR_VERDICT_DEADLOCK, "lock_cycle", cycle_text), "in a session whose recording was ended");
    run("UPDATE GROSR_SESSION SET detached = 0");
    diagnose(1000000000);
    ok(found(GROSR_VERDICT_HEALTHY, NULL, NULL), "not in one that closed by itself");
    run("UPDATE GROSR_SESSION SET end = NULL; DELETE FROM GROSR_META;"
        "INSERT INTO GROSR_QUEUE_SAMPLE VALUES (500, 0, 1, 1, 1), (9000000000, 0, 1, 1, 1)");
    diagnose(1000000000);
    ok(found(GROSR_VERDICT_DEADLOCK, "lock_cycle", cycle_text), "and in one that is being recorded");
    is(findings.finding->since_ns, 6000000000, "as of the latest time that is known");
    run("INSERT INTO GROSR_HOLD VALUES (3, 3, " LOCK(0) ", 2500000000, 2600000000)");
    diagnose(1000000000);
    ok(found(GROSR_VERDICT_STALLED, "lost_wakeup",
             "worker 1 and worker 2 wait for lock 0, which nobody is left to supply"),
       "a hold whose lock somebody else had later has lost its end");
    ok(strstr(findings.finding->evidence, "it was released"), "and the lock was released");
    end();
}

/* The event of a hold may have been lost. */
static void test_unknown_holder(void)
{
    begin();
    run("INSERT INTO GROSR_RESOURCE_KIND VALUES (6, 'lock', '');"
        "INSERT INTO GROSR_WAIT VALUES (0, 6, " LOCK(3) ", 1000000000, NULL, 1);"
                                                        "INSERT INTO GROSR_WAIT SELECT worker, 1, 0, 1000, "
                                                        "NULL, 1 FROM GROSR_WORKER WHERE worker > 0");
    diagnose(1000000000);
    ok(found(GROSR_VERDICT_STALLED, "holder_not_recorded",
             "worker 0 waits for lock 3; who has it is not in the trace"),
       "a lock that nobody is known to have had");
    run("INSERT INTO GROSR_HOLD VALUES (1, 6, " LOCK(3) ", 900, 950)");
    diagnose(1000000000);
    ok(found(GROSR_VERDICT_STALLED, "starved", NULL), "one that was released is another case");
    end();
}

static void test_two_sessions(void)
{
    begin();
    add_cycle();
    run("INSERT INTO GROSR_SESSION (session, pid, program, device, device_name, sms, max_warps_per_sm, lanes,"
        " first_worker, start_mono_ns, start_real_ns, end) VALUES (2, 101, 'other', 'host', 'cpu', 1, 4, 1, "
        "4, 0, 0,"
        " 10000000000);"
        "INSERT INTO GROSR_WORKER (worker, sm, start, session) VALUES (4, 0, 10, 2);"
        "INSERT INTO GROSR_WAIT VALUES (4, 3, " WORD(0) ", 1, NULL, 2);");
    diagnose(1000000000);
    ok(found(GROSR_VERDICT_DEADLOCK, "lock_cycle", NULL) && findings.findings == 1,
       "a session that closed adds nothing");
    run("UPDATE GROSR_SESSION SET died = 1 WHERE session = 2; INSERT INTO GROSR_RANGE VALUES (4, 7, 1, NULL, "
        "NULL)");
    diagnose(1000000000);
    ok(findings.findings == 2 && findings.finding[1].verdict == GROSR_VERDICT_STALLED,
       "two sessions make one diagnosis");
    end();
}

static void test_words(void)
{
    begin();
    run("INSERT INTO GROSR_WAIT VALUES (0, 3, " WORD(
        5) ", 2000000000, NULL, 1), (1, 1, 0, 2000000000, NULL, 1),"
           " (2, 1, 0, 2000000000, NULL, 1), (3, 1, 0, 2000000000, NULL, 1);"
           "INSERT INTO GROSR_QUEUE_SAMPLE VALUES (1500000000, 0, 1, 1, 0), (9900000000, 0, 1, 1, 0)");
    diagnose(1000000000);
    ok(found(GROSR_VERDICT_STALLED, "lost_wakeup",
             "worker 0 waits for word 5, which nobody is left to supply"),
       "a word that nobody writes, in a session that stands still");
    run("INSERT INTO GROSR_QUEUE_SAMPLE VALUES (9950000000, 0, 2, 2, 1)");
    diagnose(1000000000);
    ok(found(GROSR_VERDICT_HEALTHY, NULL, NULL), "not while the session moves");
    run("DELETE FROM GROSR_QUEUE_SAMPLE WHERE time = 9950000000;"
        "DELETE FROM GROSR_WAIT WHERE worker = 3;"
        "INSERT INTO GROSR_TASK (task, function, worker, enqueue, start) VALUES (4, 0, 3, 10, 2000000000)");
    diagnose(1000000000);
    ok(findings.verdict == GROSR_VERDICT_HEALTHY && findings.findings == 2,
       "and not while a task runs that might write it");
    ok(!strcmp(findings.finding[0].kind, "long_task") || !strcmp(findings.finding[1].kind, "long_task"),
       "which is remarked on");
    end();

    begin();
    run("INSERT INTO GROSR_WAIT VALUES (0, 3, " WORD(0) ", 20, NULL, 1), (1, 3, " WORD(
        1) ", 20, NULL, 1),"
           " (2, 3, " WORD(2) ", 20, NULL, 1), (3, 3, " WORD(3) ", 20, NULL, 1)");
    diagnose(1000000000);
    ok(found(GROSR_VERDICT_IDLE, NULL, NULL),
       "workers that all wait for one name, with nothing unfinished, have no work");
    run("INSERT INTO GROSR_RANGE VALUES (2, 7, 15, NULL, NULL)");
    diagnose(1000000000);
    is(findings.verdict, GROSR_VERDICT_STALLED, "unless one of them is in the middle of something");
    end();
}

static void test_queue(void)
{
    begin();
    run("INSERT INTO GROSR_WAIT VALUES (0, 2, 0, 2000000000, NULL, 1), (1, 2, 0, 2000000000, NULL, 1),"
        " (2, 2, 0, 2000000000, NULL, 1), (3, 2, 0, 2000000000, NULL, 1)");
    diagnose(1000000000);
    ok(found(GROSR_VERDICT_DEADLOCK, "queue_full_cycle",
             "4 workers (worker 0, worker 1, worker 2 and 1 more) wait for room in queue submit, which only "
             "they could "
             "make"),
       "every worker waits for room in the queue");
    run("DELETE FROM GROSR_WAIT WHERE worker = 3; INSERT INTO GROSR_WAIT VALUES (3, 1, 0, 2000000000, NULL, "
        "1)");
    diagnose(1000000000);
    is(findings.verdict, GROSR_VERDICT_HEALTHY, "one that looks for a task empties it");
    run("UPDATE GROSR_WORKER SET end = 2500000000; UPDATE GROSR_WAIT SET end = start + 1;"
        "INSERT INTO GROSR_WAIT VALUES (NULL, 2, 0, 3000000000, NULL, 1);"
        "INSERT INTO GROSR_QUEUE_SAMPLE VALUES (500000000, 0, 64, 0, 0), (9900000000, 0, 64, 0, 0)");
    diagnose(1000000000);
    is(findings.findings, 2,
       "a full queue without workers: the host that waits, and the tasks that nobody takes");
    ok(!strcmp(findings.finding[0].kind, "no_worker") &&
           !strcmp(findings.finding[1].kind, "stopped_consumer"),
       "by name");
    run("UPDATE GROSR_WORKER SET start = NULL, end = NULL");
    diagnose(1000000000);
    ok(findings.findings == 2 && !strcmp(findings.finding[0].kind, "stopped_consumer") &&
           !strcmp(findings.finding[1].kind, "not_reporting"),
       "not the tasks where the workers' events were not recorded, which is remarked");
    run("UPDATE GROSR_WORKER SET sm = NULL");
    diagnose(1000000000);
    is(findings.findings, 2, "but where none has begun");
    end();

    begin();
    run("INSERT INTO GROSR_WAIT SELECT worker, 1, 0, 2000000000, NULL, 1 FROM GROSR_WORKER;"
        "INSERT INTO GROSR_QUEUE_SAMPLE VALUES (1500000000, 0, 3, 1, 1), (9900000000, 0, 3, 1, 1)");
    diagnose(1000000000);
    ok(found(GROSR_VERDICT_STALLED, "queue_not_served", NULL), "tasks in a queue that nobody takes");
    run("DELETE FROM GROSR_QUEUE_SAMPLE;"
        "INSERT INTO GROSR_QUEUE_SAMPLE VALUES (1500000000, 0, 3, 3, 1), (9900000000, 0, 3, 3, 1)");
    diagnose(1000000000);
    ok(found(GROSR_VERDICT_HEALTHY, "results_not_collected", NULL),
       "results that nobody collects are remarked on");
    run("INSERT INTO GROSR_TASK VALUES (1, 0, 2, 10, 1000, 1400000000, NULL, 0)");
    diagnose(1000000000);
    ok(found(GROSR_VERDICT_STALLED, "dependency_never_met", NULL), "a suspended task that nobody resumes");
    run("INSERT INTO GROSR_TASK VALUES (1, 0, 1, NULL, 1450000000, 1460000000, 0, NULL)");
    diagnose(1000000000);
    ok(found(GROSR_VERDICT_HEALTHY, "results_not_collected", NULL), "not once it has resumed");
    run("INSERT INTO GROSR_TASK VALUES (2, 0, 2, 10, 1000, 1450000000, NULL, -1);"
        "UPDATE GROSR_WORKER SET tasks = 5, spawned = 2 WHERE worker = 0");
    diagnose(1000000000);
    ok(found(GROSR_VERDICT_HEALTHY, "results_not_collected", NULL),
       "one that waited for children that have run");
    run("UPDATE GROSR_WORKER SET tasks = 4 WHERE worker = 0");
    diagnose(1000000000);
    ok(found(GROSR_VERDICT_STALLED, "dependency_never_met", NULL), "and for one that has not");
    run("DELETE FROM GROSR_QUEUE_SAMPLE; INSERT INTO GROSR_QUEUE_SAMPLE VALUES (9900000000, 0, 3, 3, 3)");
    diagnose(1000000000);
    ok(found(GROSR_VERDICT_IDLE, NULL, NULL), "and nothing where all is done");
    end();
}

static void test_calls(void)
{
    begin();
    run("INSERT INTO GROSR_TASK (task, function, worker, enqueue, start) VALUES (4, 0, 0, 10, 1900000000);"
        "INSERT INTO GROSR_SYSCALL VALUES (0, 4, 3, 50, 2000000000, NULL, NULL, NULL, NULL, NULL, 6, 1),"
        " (0, 4, 3, 50, 1950000000, 1950000001, 1950000002, 1950000003, 8, 8, 6, 1);"
        "INSERT INTO GROSR_WAIT VALUES (0, 5, 3, 2000000000, NULL, 1), (1, 1, 0, 20, NULL, 1), (2, 1, 0, 20, "
        "NULL, 1),"
        " (3, 1, 0, 20, NULL, 1)");
    diagnose(1000000000);
    ok(found(GROSR_VERDICT_STALLED, "dead_proxy", NULL) &&
           strstr(findings.finding->summary, "; it has not taken the call up"),
       "a call that the proxy has not taken up");
    run("UPDATE GROSR_SYSCALL SET served = 2100000000 WHERE start = 2000000000");
    run("UPDATE GROSR_SESSION SET died = 0, detached = 1");
    diagnose(1000000000);
    is(findings.verdict, GROSR_VERDICT_HEALTHY, "one that is with it may be answered yet");
    run("DELETE FROM GROSR_SYSCALL");
    diagnose(1000000000);
    is(findings.verdict, GROSR_VERDICT_HEALTHY, "and so may one that has no row yet");
    run("UPDATE GROSR_SESSION SET died = 1, detached = 0");
    diagnose(1000000000);
    ok(found(GROSR_VERDICT_STALLED, "call_not_answered",
             "worker 0 waits for the reply in port 3, which nobody is left to give"),
       "but not if the process was killed long after");
    end();

    begin();
    run("INSERT INTO GROSR_HOLD SELECT worker, 4, worker, 1000000000, NULL FROM GROSR_WORKER;"
        "INSERT INTO GROSR_WAIT SELECT worker, 4, 0, 2000000000, NULL, 1 FROM GROSR_WORKER");
    diagnose(1000000000);
    ok(found(GROSR_VERDICT_DEADLOCK, "ports_exhausted", NULL), "ports that those hold who wait for one");
    end();
}

static void test_memory(void)
{
    begin();
    run("INSERT INTO GROSR_TASK (task, function, worker, enqueue, start)"
        " SELECT worker, 0, worker, 10, 1000000000 FROM GROSR_WORKER;"
        "INSERT INTO GROSR_HEAP_ERROR SELECT 2000000000, 1, 1, 4096, worker, 0, worker FROM GROSR_WORKER");
    diagnose(1000000000);
    ok(found(GROSR_VERDICT_DEADLOCK, "memory_deadlock",
             "4 workers (worker 0, worker 1, worker 2 and 1 more) wait for memory of the GPU's heap, which "
             "only they hold"),
       "tasks that asked for memory, while they hold it all");
    run("DELETE FROM GROSR_HEAP_ERROR WHERE worker = 3");
    diagnose(1000000000);
    ok(findings.verdict == GROSR_VERDICT_HEALTHY, "one that has not asked may free some");
    end();
}

static void test_rows(void)
{
    begin();
    add_cycle();
    run("UPDATE GROSR_NAME SET text = 'a \"b\" \\ ' || char(10) WHERE name = 7;"
        "INSERT INTO GROSR_FINDING (time, session, verdict, kind, workers, resources) VALUES (1, 1, 'old', "
        "'', '', '')");
    is(grosr_diagnose_store(db), 0, "findings are stored");
    ok(!strcmp(ask("SELECT count(*) || verdict || kind FROM findings"), "1deadlocklock_cycle"),
       "instead of those before");
    ok(!strcmp(ask("SELECT workers FROM findings"), "[\"worker 0\",\"worker 1\"]"),
       "workers are a JSON array");
    ok(!strcmp(ask("SELECT json_extract(cycle, '$[1]') FROM findings"), "a \"b\" \\ \n 1"),
       "whatever the names");
    ok(!strcmp(ask("SELECT time || ' ' || since || ' ' || since_ns || ' ' || session FROM findings"),
               "10000000000 3000000000 7000000000 1"),
       "with the session, and its times");
    ok(strstr(ask("SELECT advice FROM findings"), "one order") != NULL, "and advice");
    run("DELETE FROM GROSR_WAIT");
    is(grosr_diagnose_store(db), 0, "and stored again");
    ok(!strcmp(ask("SELECT count(*) FROM findings WHERE verdict <> 'healthy'"), "0"),
       "where nothing is stuck there is none");
    run("DROP VIEW waits");
    ok(grosr_diagnose_store(db) < 0 && strstr(grosr_error(), "waits"), "what cannot be read is an error");
    end();
}

static void test_slow(void)
{
    begin();
    run("INSERT INTO GROSR_QUEUE_SAMPLE VALUES (100, 0, 0, 0, 0), (9900000000, 0, 1, 1, 0);"
        "INSERT INTO GROSR_WAIT SELECT worker, 3, " LOCK(
            0) ", 9100000000, NULL, 1 FROM GROSR_WORKER WHERE worker < 3;"
               "INSERT INTO GROSR_HOLD VALUES (3, 3, " LOCK(0) ", 9950000000, NULL)");
    diagnose(1000000000);
    ok(found(GROSR_VERDICT_SLOW, "hot_lock", "most workers waited for lock 0 most of the time") &&
           findings.findings == 1,
       "a lock for which most workers wait");
    run("UPDATE GROSR_WAIT SET start = 9500000000");
    diagnose(1000000000);
    ok(found(GROSR_VERDICT_HEALTHY, NULL, NULL), "not for less than half of the time");
    run("DELETE FROM GROSR_WAIT WHERE worker > 0; UPDATE GROSR_WAIT SET start = 8500000000;"
        "WITH n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 14)"
        " INSERT INTO GROSR_HOLD SELECT 2, 3, " LOCK(0) ", 9000000000 + i * 10, 9000000005 + i * 10 FROM n");
    diagnose(1000000000);
    ok(found(GROSR_VERDICT_SLOW, "unfair_lock",
             "worker 0 waits for lock 0, which others get again and again"),
       "a lock that others get, again and again");
    run("DELETE FROM GROSR_HOLD WHERE start = 9000000000");
    diagnose(1000000000);
    ok(found(GROSR_VERDICT_HEALTHY, NULL, NULL), "not if they had it fifteen times");
    run("INSERT INTO GROSR_TASK (task, function, worker, enqueue, start) VALUES (4, 0, 3, 10, 9960000000)");
    diagnose(1000000000);
    ok(found(GROSR_VERDICT_SLOW, "priority_inversion",
             "worker 0 waits for lock 0, which a task of worker 3 holds that does not run"),
       "a lock whose holder runs another task");
    run("UPDATE GROSR_TASK SET start = 9940000000");
    diagnose(1000000000);
    ok(found(GROSR_VERDICT_HEALTHY, NULL, NULL), "not where the task acquired it");
    end();

    begin();
    run("INSERT INTO GROSR_TASK (task, function, worker, enqueue, start) VALUES (100, 0, 3, 10, 5000000000);"
        "WITH n (i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < 99)"
        " INSERT INTO GROSR_TASK SELECT i, 0, 2, 10, 1000 + i * 1000, 1900 + i * 1000, 0, NULL FROM n;"
        "INSERT INTO GROSR_WAIT SELECT worker, 1, 0, 101000, NULL, 1 FROM GROSR_WORKER WHERE worker < 3");
    diagnose(450000000);
    ok(found(GROSR_VERDICT_STALLED, "endless_task",
             "a task of function step does not end, and nothing else moves"),
       "a task that does not end though a hundred others did, for ten times the threshold");
    diagnose(1000000000);
    is(findings.verdict, GROSR_VERDICT_HEALTHY, "after five times the threshold it may be long work");
    ok(findings.findings == 1 &&
           strstr(findings.finding[0].evidence, "the 100 runs of step that have ended took 0.9 us at most"),
       "of which the remark says what is unusual");
    run("DELETE FROM GROSR_TASK WHERE task = 0");
    diagnose(450000000);
    is(findings.verdict, GROSR_VERDICT_HEALTHY, "nor do 99 others prove it");
    run("INSERT INTO GROSR_TASK VALUES (0, 0, 2, 10, 1000, 1900, 0, NULL);"
        "UPDATE GROSR_TASK SET end = start + 9000 WHERE task < 100 AND task % 8 = 0");
    diagnose(450000000);
    is(findings.verdict, GROSR_VERDICT_HEALTHY, "nor where one in eight was ten times as long");
    run("UPDATE GROSR_TASK SET end = start + 900 WHERE task < 100;"
        "UPDATE GROSR_TASK SET end = start + 60000000 WHERE task = 31");
    diagnose(450000000);
    is(findings.verdict, GROSR_VERDICT_HEALTHY, "nor if it was a hundredth as long as this");
    end();
}

/* Two locks in a cycle at 9 s, when the session was stopped: then all ends, in one way or another. */
static void begin_stopped(void)
{
    begin();
    add_cycle();
    run("UPDATE GROSR_SESSION SET died = 0, stopped = 9000000000;"
        "INSERT INTO GROSR_QUEUE_SAMPLE VALUES (500, 0, 0, 0, 0), (1000000000, 0, 2, 2, 0), (9100000000, 0, "
        "2, 2, 2);"
        "INSERT INTO GROSR_TASK VALUES (0, 0, 0, 10, 900000000, 9010000000, 125, NULL),"
        " (1, 0, 1, 10, 900000000, 9020000000, 125, NULL);"
        "UPDATE GROSR_WAIT SET end = 9005000000 WHERE worker = 1; DELETE FROM GROSR_WAIT WHERE worker = 2;"
        "UPDATE GROSR_HOLD SET end = 9006000000 WHERE worker = 1;"
        "INSERT INTO GROSR_WAIT VALUES (0, 1, 0, 9012000000, 9030000000, 1), (2, 1, 0, 20, 9030000000, 1);"
        "UPDATE GROSR_WAIT SET end = 9030000000 WHERE worker = 3; UPDATE GROSR_WORKER SET end = 9040000000;"
        "INSERT INTO GROSR_RING (ring, worker, capacity, written, read, dropped, overwritten, closed)"
        " SELECT worker, worker, 8, 5, 5, 0, 0, 1 FROM GROSR_WORKER");
}

static void test_stop(void)
{
    begin_stopped();
    diagnose(1000000000);
    ok(found(GROSR_VERDICT_DEADLOCK, "lock_cycle", cycle_text) && findings.findings == 1,
       "a cycle that the stop released");
    is(findings.finding->since_ns, 6000000000, "as of the stop");
    ok(strstr(findings.source, "as of when it was stopped"), "the source says so");
    ok(strstr(findings.state,
              "2 workers waited for something other than a task; 2 workers looked for tasks") &&
           strstr(findings.state, "2 submitted ones were not completed"),
       "what the workers were in is of then: %s", findings.state);
    is(grosr_diagnose_store(db), 0, "its findings are stored");
    ok(!strcmp(ask("SELECT count(*) || kind || time FROM findings"), "1lock_cycle9000000000"),
       "with that time");
    run("UPDATE GROSR_WAIT SET end = 8999999000 WHERE worker = 1 AND resource = 3;"
        "INSERT INTO GROSR_CLOCK (device_ns, host, bound_ns) VALUES (100, 100, 2000)");
    diagnose(1000000000);
    ok(found(GROSR_VERDICT_DEADLOCK, "lock_cycle", NULL), "though the device's clock is not exact");
    run("UPDATE GROSR_SESSION SET died = 1; UPDATE GROSR_WORKER SET end = NULL WHERE worker = 3");
    diagnose(1000000000);
    ok(found(GROSR_VERDICT_DEADLOCK, "lock_cycle", NULL) && findings.findings == 1,
       "once only, if it was killed before all its workers had ended");
    run("UPDATE GROSR_SESSION SET died = 0, stopped = 2500000000");
    diagnose(1000000000);
    is(findings.verdict, GROSR_VERDICT_HEALTHY, "not if it was stopped before it was stuck");
    run("UPDATE GROSR_SESSION SET stopped = NULL");
    diagnose(1000000000);
    ok(found(GROSR_VERDICT_HEALTHY, NULL, NULL) && !strcmp(findings.source, "the trace"),
       "nor if it was not stopped");
    end();

    begin_stopped(); /* all had been done at 8 s, and the stop was at 9.9 s */
    run("UPDATE GROSR_WAIT SET end = 4000000000 WHERE resource = 3; UPDATE GROSR_HOLD SET end = 4000000000;"
        "UPDATE GROSR_TASK SET end = 8000000000, status = 0; DELETE FROM GROSR_WAIT WHERE resource = 1;"
        "INSERT INTO GROSR_WAIT SELECT worker, 1, 0, 8000000001, 9930000000, 1 FROM GROSR_WORKER;"
        "UPDATE GROSR_WORKER SET end = 9940000000; UPDATE GROSR_SESSION SET stopped = 9900000000;"
        "UPDATE GROSR_QUEUE_SAMPLE SET time = 8000000010 WHERE completed = 2");
    diagnose(1000000000);
    ok(found(GROSR_VERDICT_HEALTHY, NULL, NULL) && !strcmp(findings.source, "the trace"),
       "a session without anything to do is not judged");
    run("DELETE FROM GROSR_META");
    diagnose(1000000000);
    ok(found(GROSR_VERDICT_HEALTHY, NULL, NULL) && !strcmp(findings.source, "the trace"),
       "nor while others are recorded");
    run("INSERT INTO GROSR_META VALUES ('complete', 1); UPDATE GROSR_QUEUE_SAMPLE SET enqueued = 3, dequeued "
        "= 3 WHERE "
        "completed = 2;"
        "INSERT INTO GROSR_TASK VALUES (2, 0, 1, 10, 9899000000, 9950000000, 125, NULL)");
    diagnose(1000000000);
    ok(found(GROSR_VERDICT_HEALTHY, NULL, NULL) && !strcmp(findings.source, "the trace"),
       "work that was under way when it was stopped is none");
    run("DELETE FROM GROSR_TASK WHERE task = 2;"
        "INSERT INTO GROSR_TASK VALUES (2, 0, 1, 10, 8000000000, 8000000001, NULL, -1);"
        "UPDATE GROSR_WORKER SET tasks = 3 WHERE worker = 0");
    diagnose(1000000000);
    ok(found(GROSR_VERDICT_HEALTHY, NULL, NULL), "nor are results that were collected at the last moment");
    run("UPDATE GROSR_WORKER SET spawned = 1 WHERE worker = 0");
    diagnose(1000000000);
    ok(found(GROSR_VERDICT_STALLED, "dependency_never_met", NULL),
       "a task that waits for one that never comes is");
    end();
}

/* System calls when the session was stopped at 9 s. */
static void test_stopped_calls(void)
{
    begin_stopped();
    run("DELETE FROM GROSR_WAIT WHERE worker < 2; DELETE FROM GROSR_HOLD; UPDATE GROSR_TASK SET end = "
        "1500000000 WHERE worker = 1;"
        "INSERT INTO GROSR_WAIT VALUES (1, 1, 0, 1500000001, 9030000000, 1), (0, 5, 3, 2000000000, "
        "9008000000, 1);"
        "INSERT INTO GROSR_SYSCALL VALUES (0, 0, 3, 50, 2000000000, 2000001000, 9004000000, 9008000000, 0, "
        "-125, 6, 1)");
    diagnose(1000000000);
    ok(found(GROSR_VERDICT_STALLED, "call_blocked", NULL), "a read that only the stop ended");
    ok(strstr(findings.finding->summary, "read of handle 6"), "by name");
    run("UPDATE GROSR_SYSCALL SET bytes = 5, result = 5");
    diagnose(1000000000);
    is(findings.verdict, GROSR_VERDICT_HEALTHY, "one that came back with bytes after it was of a slow disk");
    run("UPDATE GROSR_SYSCALL SET served = 9003000000");
    diagnose(1000000000);
    ok(found(GROSR_VERDICT_STALLED, "dead_proxy", NULL), "one that the proxy took up after it");
    run("UPDATE StringIds SET value = 'nanosleep'; UPDATE GROSR_SYSCALL SET served = 2000001000, result = "
        "-125");
    diagnose(1000000000);
    is(findings.verdict, GROSR_VERDICT_HEALTHY, "a task that sleeps is not stuck");
    run("DELETE FROM GROSR_WAIT WHERE resource = 5; INSERT INTO GROSR_WAIT VALUES (0, 1, 0, 2000001000, "
        "9030000000, 1);"
        "UPDATE GROSR_TASK SET end = 2000000500, status = NULL, next = 0 WHERE worker = 0");
    diagnose(1000000000);
    is(findings.verdict, GROSR_VERDICT_HEALTHY, "nor one that is suspended while it sleeps");
    run("DELETE FROM GROSR_SYSCALL");
    diagnose(1000000000);
    ok(found(GROSR_VERDICT_STALLED, "dependency_never_met", NULL), "but one that is suspended for nothing");
    end();
}

/* Sessions that have not ended. */
static int reached, reach_result;

static int reach(int64_t pid, int64_t start_mono_ns, int64_t start_real_ns, struct grosr_findings *all)
{
    struct grosr_findings one;

    reached += pid == 100 && start_mono_ns == 0 && start_real_ns == 0;
    if (reach_result != 1)
        return reach_result;
    grosr_findings_init(&one, all->threshold_ns);
    one.source = strdup("the living process");
    grosr_findings_add(&one, GROSR_VERDICT_STALLED, "hidden_wait", 2000000000, "it is stuck", NULL);
    grosr_findings_merge(all, &one);
    return 1;
}

static void diagnose_with_reach(int result)
{
    grosr_findings_free(&findings);
    grosr_findings_init(&findings, 1000000000);
    reached = 0;
    reach_result = result;
    is(grosr_diagnose_database(db, &findings, reach), result < 0 ? result : 0, "result %d", result);
    if (grosr_findings_settle(&findings))
        abort();
    printf("# %s: %s\n", grosr_verdict_name(findings.verdict), findings.source ? findings.source : "");
}

static void test_running(void)
{
    begin();
    add_cycle();
    run("DELETE FROM GROSR_META; UPDATE GROSR_SESSION SET died = 0, end = NULL;"
        "INSERT INTO GROSR_QUEUE_SAMPLE VALUES (500, 0, 1, 1, 1), (9000000000, 0, 1, 1, 1)");
    diagnose_with_reach(1);
    ok(found(GROSR_VERDICT_STALLED, "hidden_wait", "it is stuck") && findings.findings == 1 && reached == 1,
       "a session that is reached is judged there");
    diagnose_with_reach(0);
    ok(found(GROSR_VERDICT_DEADLOCK, "lock_cycle", cycle_text) && findings.findings == 2 && reached == 1,
       "one that is not, as far as it was recorded");
    ok(!strcmp(findings.finding[1].kind, "not_reached"), "which it says");
    diagnose_with_reach(-5);
    run("UPDATE GROSR_SESSION SET device = 'process'");
    diagnose_with_reach(1);
    ok(found(GROSR_VERDICT_STALLED, "hidden_wait", "it is stuck") && findings.findings == 1 && reached == 1,
       "a traced process that is reached");
    diagnose_with_reach(0);
    ok(found(GROSR_VERDICT_HEALTHY, "not_reached", "it is not known what process 100 is in now") &&
           reached == 1,
       "of one that is not, it is said that nothing is known");
    diagnose_with_reach(-5);
    run("UPDATE GROSR_SESSION SET end = 5");
    diagnose_with_reach(1);
    ok(found(GROSR_VERDICT_HEALTHY, NULL, NULL) && reached == 0, "one that has ended is not looked for");
    end();
}

int main(void)
{
    grosr_findings_init(&findings, 0);
    test_cycle();
    test_unknown_holder();
    test_stop();
    test_stopped_calls();
    test_running();
    test_two_sessions();
    test_words();
    test_queue();
    test_calls();
    test_memory();
    test_rows();
    test_slow();
    return tap_done();
}
