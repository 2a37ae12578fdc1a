/*
 * The events and counters of a GPU memory allocator become blocks, slabs and samples: whichever ring is read
 * first, whatever was lost, and in traces that were not closed or are of an older version.
 */
#include "../ask.h"
#include "../fixture.h"

#include "../../tracer/collect/source.h"
#include "../../tracer/summary/summary.h"

#include <unistd.h>

#define CLASS 3u

static char path[64];
static struct grosr_session *session;
static struct grosr_source *source;
static struct grosr_store *store;
static uint64_t origin, position[3];

static void begin(void)
{
    static const char *const functions[] = {"alpha", "beta"};
    struct grosr_session_options o = {.device = "host",
                                      .device_name = "test",
                                      .program = "test",
                                      .sms = 2,
                                      .max_warps_per_sm = 1,
                                      .lanes = 1,
                                      .device_clock_is_host = true,
                                      .workers = 2,
                                      .ring_events = 64,
                                      .host_ring_events = 64,
                                      .functions = functions,
                                      .function_count = 2,
                                      .heaps = 1};
    unlink(path);
    if (grosr_session_create(&session, &o) || grosr_source_open(&source, session, true, -1) ||
        grosr_store_create(&store, path) || grosr_source_begin(source, store)) {
        printf("Bail out! %s\n", grosr_error());
        exit(1);
    }
    origin = session->header.start_mono_ns;
    memset(position, 0, sizeof(position));
}

static void event(uint32_t ring, uint32_t kind, uint64_t payload, uint64_t time)
{
    struct grosr_pair e = grosr_event_pack(0, kind, origin + time, payload);
    if (grosr_source_build(source, ring, position[ring]++, &e, 1, origin))
        printf("# %s\n", grosr_error());
}

/* The payloads of schema/events.def. */
static uint64_t block(uint64_t bytes, uint64_t offset)
{
    return (uint64_t)CLASS << 50 | bytes << 34 | offset / 16;
}

static uint64_t slab(uint64_t chunk)
{
    return (uint64_t)CLASS << 48 | chunk;
}

static uint64_t large(uint64_t units, uint64_t chunk)
{
    return units << 28 | chunk;
}

static void task(uint32_t ring, uint32_t function, uint64_t number, uint64_t time)
{
    event(ring, GROSR_EV_HEAP_TASK, grosr_payload_task(function, number), time);
}

static struct grosr_heap_counters counters(uint64_t time, uint64_t used)
{
    struct grosr_heap_counters c = {.arena_bytes = 1 << 20,
                                    .chunk_bytes = 32768,
                                    .classes = CLASS + 1,
                                    .time_ns = origin + time,
                                    .free_chunks = 31,
                                    .slab_chunks = 1,
                                    .chunks_max = 2,
                                    .largest_bytes = 31 * 32768};
    c.class_[CLASS] = (struct grosr_heap_class){64, 512, 1, 1, used, used + 2, 2, 48 * (used + 2), 0};
    return c;
}

static void close_all(bool complete)
{
    struct grosr_ring_counts sum = {0};

    is(grosr_source_write_counters(source, store, true, &sum), 0, "the counters are written");
    is(grosr_source_finish(source, store), 0, "the source is finished");
    is(complete ? grosr_store_finish(store, NULL) : grosr_store_commit(store), 0, "the trace is");
    grosr_store_close(store);
    grosr_source_release(source);
    free(source);
}

static int64_t ask(const char *sql)
{
    return ask_trace(path, sql);
}

static void blocks(void)
{
    struct grosr_heap_counters c;

    begin();
    c = counters(100, 1);
    grosr_heap_publish(session, 0, &c);
    event(1, GROSR_EV_HEAP_TASK, grosr_payload_task(1, 7), 290); /* the ring of who frees is read first */
    event(1, GROSR_EV_FREE, block(0, 32768), 300);
    event(1, GROSR_EV_MALLOC, block(40, 32768), 310);
    event(1, GROSR_EV_LARGE_FREE, large(2, 4), 500);
    event(1, GROSR_EV_SLAB_RELEASE, slab(1), 600);
    task(0, 0, 5, 190);
    event(0, GROSR_EV_SLAB_ACQUIRE, slab(1), 195);
    event(0, GROSR_EV_MALLOC, block(50, 32768), 200);
    event(0, GROSR_EV_LARGE_MALLOC, large(9, 4), 210);
    task(0, 65535, GROSR_TASK_ID_MASK, 220);
    event(0, GROSR_EV_LARGE_MALLOC, large(1, 6), 230);
    event(0, GROSR_EV_HEAP_ERROR, UINT64_C(1) << 48 | 4096, 240);
    close_all(true);
    is(ask("SELECT count(*) FROM allocations"), 4, "a row for each block");
    is(ask("SELECT lifetime_ns FROM allocations WHERE requested_bytes = 50 AND offset = 32768 AND"
           " reserved_bytes = 64 AND task = 5 AND function = 'alpha' AND worker = 0 AND free_worker = 1 AND"
           " free_task = 7 AND free_function = 'beta' AND state = 'ended'"),
       100, "with its owner, and who freed it");
    is(ask("SELECT count(*) FROM allocations WHERE requested_bytes = 40 AND task = 7 AND end IS NULL AND"
           " state = 'open'"),
       1, "the next in its place was not freed");
    is(ask("SELECT reserved_bytes FROM allocations WHERE class IS NULL AND requested_bytes = 36864 AND"
           " offset = 131072 AND lifetime_ns = 290"),
       65536, "a large block has whole chunks of this heap's size");
    is(ask("SELECT reserved_bytes FROM allocations WHERE requested_bytes = 4096 AND task IS NULL AND"
           " function IS NULL AND state = 'open'"),
       32768, "one was allocated in no task");
    is(ask("SELECT lifetime_ns FROM slabs WHERE offset = 32768 AND class = 3 AND slot_bytes = 64"), 405,
       "the slab");
    is(ask("SELECT requested_bytes FROM heap_errors WHERE error = 'no memory' AND task IS NULL AND worker = "
           "0"),
       4096, "the error");
    is(ask("SELECT count(*) FROM GROSR_INSTANT"), 0, "none of these is an instant too");
    is(ask("SELECT used FROM GROSR_HEAP_CLASS WHERE class = 3"), 1, "the counters at the end");
    is(ask("SELECT arena_bytes FROM GROSR_HEAP WHERE session = 1 AND time = 100"), 1 << 20, "of the heap");
}

/* After lost records it is not known whose the events are, until the next HEAP_TASK. */
static void losses(void)
{
    begin();
    task(0, 0, 5, 100);
    event(0, GROSR_EV_MALLOC, block(16, 0), 110);
    event(0, GROSR_EV_LOST, 3, 120);
    event(0, GROSR_EV_MALLOC, block(17, 64), 130);
    task(0, 1, 6, 140);
    position[0] += 4;
    event(0, GROSR_EV_MALLOC, block(18, 128), 150);
    task(0, 1, 6, 160);
    event(0, GROSR_EV_MALLOC, block(19, 0), 170); /* the free of the first is among those lost */
    event(0, GROSR_EV_FREE, block(0, 192), 180);
    close_all(true);
    is(ask("SELECT count(*) FROM allocations WHERE requested_bytes IN (17, 18) AND task IS NULL AND"
           " function IS NULL"),
       2, "after a loss the owner is not known");
    is(ask("SELECT count(*) FROM allocations WHERE requested_bytes = 19 AND task = 6 AND state = 'open'"), 1,
       "later it is");
    is(ask("SELECT count(*) FROM allocations WHERE requested_bytes = 16 AND end IS NULL AND"
           " state = 'end lost'"),
       1, "a block whose memory was allocated anew had been freed");
    is(ask("SELECT end FROM allocations WHERE start IS NULL AND requested_bytes IS NULL AND offset = 192"),
       180, "of one only the free is known");
    is(ask("SELECT blocks FROM (SELECT count(*) AS blocks FROM allocations WHERE state = 'open')"), 3,
       "the others count as not freed");
}

/* A checkpoint has whose events follow. */
static void resumed(void)
{
    struct grosr_checkpoint checkpoint = {.bytes = NULL};
    struct grosr_rows *again;

    begin();
    task(0, 1, 6, 100);
    grosr_rows_save(source->rows, &checkpoint);
    is(grosr_rows_create(&again, session, &source->bases, &source->clock, store), 0, "another collector");
    is(grosr_rows_load(again, &checkpoint), 0, "loads the checkpoint");
    ok(!checkpoint.failed && checkpoint.at == checkpoint.size, "all of it");
    grosr_checkpoint_free(&checkpoint);
    grosr_rows_free(source->rows);
    source->rows = again;
    event(0, GROSR_EV_MALLOC, block(20, 0), 110);
    close_all(true);
    is(ask("SELECT task FROM allocations WHERE function = 'beta'"), 6, "and knows the task");
}

static void samples(void)
{
    struct grosr_batch *batch = (struct grosr_batch *)calloc(1, sizeof(*batch));
    struct grosr_heap_counters c;

    begin();
    grosr_source_sample(source, batch, origin);
    is(batch->heaps, 0, "nothing published, no sample");
    for (uint64_t i = 0; i < 2; i++) {
        c = counters(100 + 10 * i, 1 + i);
        grosr_heap_publish(session, 0, &c);
        grosr_source_sample(source, batch, origin);
        grosr_source_sample(source, batch, origin);
    }
    is(batch->heaps, 2, "one sample of each copy");
    c = counters(130, 2);
    c.free_chunks--;
    grosr_heap_publish(session, 0, &c);
    grosr_source_sample(source, batch, origin);
    for (uint32_t i = 0; i < batch->heaps; i++)
        is(grosr_source_write_heap(source, store, &batch->heap[i]), 0, "sample %u is written", i);
    for (uint32_t i = 0; i < 2 * GROSR_BATCH_HEAPS; i++) {
        grosr_heap_publish(session, 0, &c);
        grosr_source_sample(source, batch, origin);
    }
    is(batch->heaps, GROSR_BATCH_HEAPS, "a batch holds no more than it has room for");
    close_all(true);
    free(batch);
    is(ask("SELECT count(*) FROM fragmentation"), 3, "a row for each sample");
    is(ask("SELECT used_bytes FROM fragmentation WHERE time = 110 AND requested_bytes = 96 AND live = 2 AND"
           " mallocs = 4 AND frees = 2 AND reserved_bytes = 32768 AND internal_fragmentation = 0.25"),
       128, "with its values");
    is(ask("SELECT count(*) FROM GROSR_HEAP_CLASS_SAMPLE"), 2, "and of classes where they had changed");
}

static int64_t provided(const char *sql)
{
    sqlite3 *db;
    sqlite3_stmt *row = NULL;
    int64_t value = -2;

    is(grosr_store_open_read(&db, path), 0, "the trace is opened");
    is(grosr_summary_provide(db), SQLITE_OK, "summaries are made for the reader");
    if (sqlite3_prepare_v2(db, sql, -1, &row, NULL) == SQLITE_OK && sqlite3_step(row) == SQLITE_ROW)
        value = sqlite3_column_int64(row, 0);
    sqlite3_finalize(row);
    sqlite3_close(db);
    return value;
}

/* In version 4 GROSR_ALLOCATION was another table, and was empty. */
static void unfinished(void)
{
    sqlite3 *db;
    char *error = NULL;

    begin();
    event(0, GROSR_EV_MALLOC, block(20, 0), 110);
    event(0, GROSR_EV_FREE, block(0, 0), 130);
    close_all(false);
    is(provided("SELECT lifetime_ns FROM allocations"), 20, "of a trace that was not closed");
    if (sqlite3_open(path, &db) != SQLITE_OK ||
        sqlite3_exec(db,
                     "DROP TABLE GROSR_ALLOCATION; DROP TABLE GROSR_HEAP_EVENT; DROP TABLE GROSR_SLAB;"
                     "CREATE TABLE GROSR_ALLOCATION (address INTEGER NOT NULL, worker INTEGER, task INTEGER,"
                     " requested_bytes INTEGER NOT NULL, reserved_bytes INTEGER NOT NULL, start INTEGER,"
                     " malloc_ns INTEGER, end INTEGER, free_ns INTEGER, free_worker INTEGER);"
                     "PRAGMA user_version = 4",
                     NULL, NULL, &error) != SQLITE_OK)
        ok(false, "an older trace: %s", error ? error : "it cannot be opened");
    sqlite3_free(error);
    sqlite3_close(db);
    is(provided("SELECT count(*) FROM allocations"), 0, "and of an older version");
}

int main(void)
{
    snprintf(path, sizeof(path), "/tmp/grosr-rows-heap-%d.db", (int)getpid());
    blocks();
    losses();
    resumed();
    samples();
    unfinished();
    unlink(path);
    return tap_done();
}
