/* Events become the right rows, with and without losses, and chunks put aside come back as they went. */
#include "../fixture.h"

#include "../../schema/schema.h"
#include "../../tracer/rows.h"
#include "../../tracer/store.h"

#include <errno.h>
#include <unistd.h>

static char path[64];
static struct grosr_session *session;
static struct grosr_store *store;
static struct grosr_rows *rows;
static struct grosr_clock clock_map;
static uint64_t origin, position[3], dropped_in_all;

static void begin(void)
{
    session = fixture_session(2, 64, GROSR_OVERFLOW_AUTO);
    origin = session->header.start_mono_ns;
    grosr_clock_init(&clock_map, session);
    if (grosr_store_create(&store, path, session) || grosr_rows_create(&rows, session, &clock_map, store)) {
        printf("Bail out! %s\n", grosr_error());
        exit(1);
    }
    memset(position, 0, sizeof(position));
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
    is(grosr_store_end_session(store, 1000, false, false), 0, "session ended");
    is(grosr_store_finish(store, NULL), 0, "store finished");
    grosr_store_close(store);
    grosr_rows_free(rows);
    grosr_session_close(session);
}

/* One integer of a query; NULL is -1. */
static int64_t ask(const char *sql)
{
    sqlite3 *db;
    sqlite3_stmt *q;
    int64_t value = INT64_MIN;

    if (grosr_store_open_read(&db, path)) {
        printf("# %s\n", grosr_error());
        return value;
    }
    if (sqlite3_prepare_v2(db, sql, -1, &q, NULL) == SQLITE_OK && sqlite3_step(q) == SQLITE_ROW)
        value = sqlite3_column_type(q, 0) == SQLITE_NULL ? -1 : sqlite3_column_int64(q, 0);
    else
        printf("# %s\n", sqlite3_errmsg(db));
    sqlite3_finalize(q);
    sqlite3_close(db);
    return value;
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
       "drops that no marker tells are at the end");
    is(ask("SELECT count FROM GROSR_LOSS WHERE reason = 'overwritten'"), 100, "a jump too");
    is(ask("SELECT start FROM tasks WHERE task = 20"), -1, "an end without a begin has no start");
    is(ask("SELECT count(*) FROM tasks WHERE end IS NULL"), 1001, "every begin without an end has its row");
    is(ask("SELECT enqueue FROM tasks WHERE task = 7"), -1, "an enqueue time that is not known is NULL");
}

static void chunks(void)
{
    struct grosr_pair records[100], *back;
    uint32_t ring, count;
    uint64_t first, drained, seed = 5;

    begin();
    for (int i = 0; i < 100; i++)
        records[i] = (struct grosr_pair){tap_random(&seed), tap_random(&seed)};
    is(grosr_store_put_chunk(store, 1, 77, 1234, records, 100), 0, "a chunk is put aside");
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
}

int main(void)
{
    snprintf(path, sizeof(path), "/tmp/grosr-rows-%d.db", (int)getpid());
    whole();
    losses();
    chunks();
    refusals();
    unlink(path);
    return tap_done();
}
