/*
 * What the questions that a diagnosis asks of a trace (schema/diagnose) cost, and the canned queries: time in
 * proportion to the trace. Of a trace with three times as many workers and rows none takes more than five
 * times as many steps of SQLite's machine, where the square would be nine times.
 *
 * Traces are made up, in memory (fill()): with the indexes of a closed trace, or without, as those that are
 * being recorded or whose recorder was killed. Each question is asked of one of them at least.
 */
#include "../../schema/schema.h"
#include "../../tracer/base/error.h"
#include "../../tracer/diagnose/trace_db.h"
#include "../../tracer/summary/summary.h"
#include "../tap.h"

#define LARGER    3u
#define FACTOR    5u
#define IS_LITTLE 3000u /* steps: plans are chosen, and tables opened, however little is in them */
#define COSTS_MAX 256u  /* questions and queries of a trace */

struct cost {
    char name[64];
    int64_t steps[2]; /* of the smaller trace, of the larger one */
};

static sqlite3 *db;
static struct cost costs[COSTS_MAX];
static unsigned cost_count, size_at;
static bool asked[COSTS_MAX]; /* as grosr_diagnose_queries */

static void run(const char *sql)
{
    char *error = NULL;

    if (sqlite3_exec(db, sql, NULL, NULL, &error) == SQLITE_OK)
        return;
    fprintf(stderr, "%s: %s\n", sql, error);
    abort();
}

static void add_cost(const char *name, int64_t steps)
{
    unsigned i = 0;

    while (i < cost_count && strcmp(costs[i].name, name) != 0)
        i++;
    if (i == COSTS_MAX)
        abort();
    if (i == cost_count) {
        costs[cost_count] = (struct cost){"", {0, 0}};
        snprintf(costs[cost_count++].name, sizeof(costs[0].name), "%s", name);
    }
    costs[i].steps[size_at] += steps;
}

/* The question that a statement asks: as it is in its file, or behind the tables as they were. */
static const char *question_of(const char *sql)
{
    if (!strchr(sql, ';'))
        return "no question";
    for (const struct grosr_canned_query *q = grosr_diagnose_queries; q->name; q++) {
        const char *text = q->sql;
        while (!strncmp(text, "--", 2))
            text += strcspn(text, "\n") + 1;
        text += strncmp(text, "WITH\n", 5) ? 0 : 5;
        size_t length = (size_t)(strrchr(text, ';') - text), all = (size_t)(strrchr(sql, ';') - sql);
        if (all >= length && !strncmp(sql + all - length, text, length)) {
            asked[q - grosr_diagnose_queries] = true;
            return q->name;
        }
    }
    return "no question";
}

static int add_statement(unsigned what, void *context, void *statement, void *ns)
{
    sqlite3_stmt *s = (sqlite3_stmt *)statement;
    char name[64];

    (void)what;
    (void)ns;
    snprintf(name, sizeof(name), "%s %s", context ? "query" : "diagnosis,",
             context ? (const char *)context : question_of(sqlite3_sql(s)));
    add_cost(name, sqlite3_stmt_status(s, SQLITE_STMTSTATUS_VM_STEP, 1));
    return 0;
}

/* `rows` rows of each kind over 10 s, of `workers` workers of which each waits at the end. */
static void fill(unsigned workers, unsigned rows)
{
    static const char schema[] =
        "INSERT INTO GROSR_RESOURCE_KIND VALUES (1, 'queue_not_empty', ''), (2, 'queue_not_full', ''),"
        " (3, 'named', ''), (4, 'syscall_port', ''), (5, 'syscall_reply', ''), (9, 'memory', '');"
        "INSERT INTO GROSR_SESSION (session, pid, program, device, device_name, sms, max_warps_per_sm,"
        " lanes, start_mono_ns, start_real_ns, end, died) VALUES (1, 100, 'prog', 'host', 'cpu', 1, 4, 1,"
        " 0, 0, 10000000000, 1);"
        "INSERT INTO GROSR_FUNCTION (function, name) VALUES (0, 'step'), (1, 'later');"
        "INSERT INTO GROSR_QUEUE VALUES (0, 'submit', 64, 1, 1);"
        "INSERT INTO GROSR_NAME VALUES (7, 'lock', NULL, 1), (8, 'word', NULL, 1);"
        "INSERT INTO StringIds VALUES (50, 'read');";
    static const char numbers[] =
        "CREATE TEMP TABLE n AS WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n LIMIT %u)"
        " SELECT i, i %% %u AS w, i * (9900000000 / %u) AS t, 9900000000 / %u AS step FROM n;"
        "CREATE TEMP TABLE w AS SELECT DISTINCT w FROM n;";
    /* What each worker has had, all through the trace. Everybody waits for words that nobody holds, and for
     * locks; who suspends a task resumes it. */
    static const char past[] =
        "INSERT INTO GROSR_WORKER (worker, sm, start) SELECT w, w %% 132, 10 FROM w;"
        "INSERT INTO GROSR_RING SELECT w, w, 4096, 1, 1, 0, 0, 0, 1, 0 FROM w;"
        "INSERT INTO GROSR_TASK SELECT i, i %% 2, w, t, t, t + step, 0, NULL FROM n;"
        "INSERT INTO GROSR_TASK SELECT i + 10000000, 0, w, NULL, t + 1, t + step, NULL, 1 FROM n;"
        "INSERT INTO GROSR_TASK SELECT i + 10000000, 1, w, NULL, t + step, t + step + 9, 0, NULL FROM n;"
        "INSERT INTO GROSR_WAIT SELECT w, 3, 8 << 32, t, t + %u * step, 1 FROM n;"
        "INSERT INTO GROSR_WAIT SELECT w, 3, (7 << 32) + i %% 4, t + 1, t + %u * step, 1 FROM n;"
        "INSERT INTO GROSR_HOLD SELECT w, 3, (7 << 32) + i %% 1000, t, t + step FROM n;"
        "INSERT INTO GROSR_RANGE SELECT w, 8, t, t + step, 0 FROM n;"
        "INSERT INTO GROSR_INSTANT SELECT w, t, 21, i, 1 FROM n;"
        "INSERT INTO GROSR_SYSCALL SELECT w, i, i %% 32, 50, t, t + 1, t + 2, t + 3, 0, 0, -1, 1 FROM n;"
        "INSERT INTO GROSR_QUEUE_SAMPLE SELECT t, 0, i, i, i FROM n;"
        "INSERT INTO GROSR_HEAP_ERROR (time, session, kind, value, worker, function, task) SELECT t, 1,"
        " 1, 64, w, 0, i FROM n WHERE i %% 16 = 0;";
    /* What each is in at the end: a task that has asked for memory, and waits for a word of its own or for
     * what a neighbour holds that others have had since. */
    static const char present[] =
        "INSERT INTO GROSR_TASK SELECT 20000000 + w, 0, w, NULL, 9910000000, NULL, NULL, NULL FROM w;"
        "INSERT INTO GROSR_WAIT SELECT w, 3, (8 << 32) + 100 + w, 9920000000, NULL, 1 FROM w WHERE w % 2;"
        "INSERT INTO GROSR_WAIT SELECT w, 3, (7 << 32) + 5000 + w + 1, 5000, NULL, 1 FROM w WHERE w % 2 ="
        " 0;"
        "INSERT INTO GROSR_HOLD SELECT w, 3, (7 << 32) + 5000 + w, 1000, NULL FROM w;"
        "INSERT INTO GROSR_RANGE SELECT w, 8, 2000, NULL, NULL FROM w;"
        "INSERT INTO GROSR_SYSCALL SELECT w, w, 32 + w, 50, 9930000000, NULL, NULL, NULL, 0, NULL, -1, 1"
        " FROM w;"
        "INSERT INTO GROSR_HEAP_ERROR (time, session, kind, value, worker, function, task) SELECT"
        " 9940000000, 1, 1, 64, w, 0, 20000000 + w FROM w;";
    /* A CUDA program's: calls, launches, graphs, ranges; and what tasks allocate, every third block of which
     * is not freed. */
    static const char cuda[] =
        "INSERT INTO GROSR_SESSION (session, pid, program, device, device_name, sms, max_warps_per_sm,"
        " lanes, start_mono_ns, start_real_ns, end) VALUES (2, 200, 'app', 'process', '', 0, 0, 0, 0, 0,"
        " 10000000000);"
        "INSERT INTO CUPTI_ACTIVITY_KIND_RUNTIME SELECT t, t + 9, i % 2, (200 << 24) + 200, i, 50, i % 5"
        " = 0 FROM n;"
        "INSERT INTO CUPTI_ACTIVITY_KIND_RUNTIME SELECT 9950000000, NULL, 0, (200 << 24) + w, w, 50, NULL"
        " FROM w;"
        "INSERT INTO CUPTI_ACTIVITY_KIND_KERNEL (start, end, deviceId, contextId, streamId,"
        " correlationId, globalPid, demangledName, shortName, gridX, gridY, gridZ, blockX, blockY, blockZ,"
        " staticSharedMemory, dynamicSharedMemory, registersPerThread) SELECT t + 20, t + 30, 0, 1, w, i,"
        " 200 << 24, 50, 50, 1, 1, 1, 32, 1, 1, 0, 0, 16 FROM n;"
        "INSERT INTO CUPTI_ACTIVITY_KIND_MEMCPY SELECT t, t + 9, 0, 1, w, i, 200 << 24, 64, 1, 1, 2, NULL"
        " FROM n;"
        "INSERT INTO CUPTI_ACTIVITY_KIND_MEMSET SELECT t, t + 9, 0, 1, w, i, 200 << 24, 0, 64, 2, NULL"
        " FROM n;"
        "INSERT INTO CUPTI_ACTIVITY_KIND_GRAPH_TRACE SELECT t, t + 9, 0, 1, w, i, 200 << 24, 1, 50 FROM"
        " n;"
        "INSERT INTO CUPTI_ACTIVITY_KIND_SYNCHRONIZATION SELECT t, t + 9, 0, 1, w, i, 200 << 24, 3, 0"
        " FROM n;"
        "INSERT INTO NVTX_EVENTS (start, end, eventType, text, globalTid, domainId) SELECT t, t + step,"
        " 59, 'range', (200 << 24) + 200, 0 FROM n;"
        "INSERT INTO GROSR_PENDING (session, kind, start, tid, nameId, correlationId, contextId,"
        " streamId, place) SELECT 2, 'kernel', 9960000000, w, 50, 20000000 + w, 1, w % 8, w FROM w;"
        "INSERT INTO GROSR_HEAP VALUES (0, 1, 0, 1 << 30, 65536, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0);"
        "INSERT INTO GROSR_HEAP_CLASS SELECT 0, w, 64, 1000, 1, 1, 1, 1, 1, 1, 0 FROM w WHERE w < 16;"
        "INSERT INTO GROSR_HEAP_SAMPLE SELECT t, 0, 9, 1, 1, 1, 64, 64, 64, 1, i, i, 0, 0 FROM n;"
        "INSERT INTO GROSR_HEAP_CLASS_SAMPLE SELECT t, 0, w % 16, 1, 1, i, i, 0 FROM n;"
        "INSERT INTO GROSR_HEAP_EVENT SELECT t, 1, 26, 64 * i, 64, 1, w, 0, i FROM n;"
        "INSERT INTO GROSR_HEAP_EVENT SELECT t + 5, 1, 27, 64 * i, NULL, 1, w, 0, i FROM n WHERE i % 3;"
        "INSERT INTO GROSR_COUNTER SELECT t, 8, w, i FROM n;"
        "INSERT INTO GROSR_LOSS SELECT w, i, t, 1, 'dropped' FROM n;"
        "INSERT INTO GROSR_PC_FUNCTION SELECT t, t + step, 2, 0, 1, 50, 50, 9, 0, 64, 1, 0, 9, 5, 50, 5,"
        " 50, 1, 2 FROM n;"
        "INSERT INTO GROSR_PC_SAMPLE SELECT t, t + step, 2, 0, 1, 50, 50, 16 * (i % 9), 50, 1, 1, 1, 50,"
        " 1, NULL FROM n;"
        "INSERT INTO GROSR_PC_BIN SELECT t, t + step, 2, 0, 1, 9, 0, 0, 0 FROM n;";
    char sql[4096];

    if (sqlite3_open(":memory:", &db) != SQLITE_OK)
        abort();
    run(grosr_sql_tables);
    run(grosr_sql_views);
    run(schema);
    snprintf(sql, sizeof(sql), numbers, rows, workers, rows, rows);
    run(sql);
    snprintf(sql, sizeof(sql), past, workers, workers);
    run(sql);
    run(present);
    run(cuda);
}

static void diagnose(void)
{
    struct grosr_findings findings;

    sqlite3_trace_v2(db, SQLITE_TRACE_PROFILE, add_statement, NULL);
    grosr_findings_init(&findings, 1000000000);
    if (grosr_diagnose_database(db, &findings, NULL) || grosr_findings_settle(&findings)) {
        fprintf(stderr, "%s\n", grosr_error());
        abort();
    }
    printf("# %u findings: %s\n", findings.findings, findings.state);
    grosr_findings_free(&findings);
    sqlite3_trace_v2(db, 0, NULL, NULL);
}

static void ask_canned(void)
{
    for (const struct grosr_canned_query *q = grosr_canned_queries; q->name; q++) {
        sqlite3_trace_v2(db, SQLITE_TRACE_PROFILE, add_statement, (void *)(uintptr_t)q->name);
        run(q->sql);
    }
    sqlite3_trace_v2(db, 0, NULL, NULL);
}

static void close_trace(void)
{
    run(grosr_sql_indexes);
    if (grosr_summary_store(db) != SQLITE_OK)
        abort();
    run("PRAGMA analysis_limit=1000; ANALYZE; INSERT OR REPLACE INTO GROSR_META VALUES ('complete', 1)");
}

/* `as_of` is no question, but what others are asked about. */
static void say_asked(void)
{
    for (unsigned q = 0; grosr_diagnose_queries[q].name; q++)
        ok(asked[q] || !strcmp(grosr_diagnose_queries[q].name, "as_of"), "the question %s was asked",
           grosr_diagnose_queries[q].name);
}

static void say(const char *what)
{
    for (unsigned i = 0; i < cost_count; i++) {
        const struct cost *c = &costs[i];
        ok(c->steps[1] <= IS_LITTLE || c->steps[1] <= (int64_t)FACTOR * c->steps[0],
           "%s, %s: %lld steps, and %lld with %u times as much", what, c->name, (long long)c->steps[0],
           (long long)c->steps[1], LARGER);
    }
    cost_count = 0;
}

/* A trace of that kind in both sizes; `change` makes it so. */
static void measure(const char *what, bool closed, const char *change)
{
    for (size_at = 0; size_at < 2; size_at++) {
        unsigned larger = size_at ? LARGER : 1;
        fill(64 * larger, 8000 * larger);
        run(change);
        if (closed)
            close_trace();
        diagnose();
        if (closed)
            ask_canned();
        sqlite3_close(db);
    }
    say(what);
}

int main(void)
{
    measure("killed", true, "");
    measure("stopped", true, "UPDATE GROSR_SESSION SET died = 0, stopped = 9990000000");
    measure("being recorded", false, "UPDATE GROSR_SESSION SET died = 0, end = NULL");
    measure("killed 10 s after the last event", true,
            "UPDATE GROSR_SESSION SET end = 20000000000; DELETE FROM GROSR_WAIT WHERE end IS NULL AND worker "
            "% 2");
    measure(
        "killed so, when all looked for tasks and some were not completed", true,
        "UPDATE GROSR_SESSION SET end = 20000000000; UPDATE GROSR_QUEUE_SAMPLE SET completed = completed - 1;"
        "DELETE FROM GROSR_TASK WHERE task >= 20000000; DELETE FROM GROSR_SYSCALL WHERE end IS NULL;"
        "DELETE FROM GROSR_RANGE WHERE end IS NULL; DELETE FROM GROSR_HOLD WHERE end IS NULL;"
        "DELETE FROM GROSR_WAIT WHERE end IS NULL;"
        "INSERT INTO GROSR_WAIT SELECT worker, 1, 0, 9920000000, NULL, 1 FROM GROSR_WORKER");
    say_asked();
    return tap_done();
}
