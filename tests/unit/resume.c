/*
 * Continuing a file whose collector was killed, with a backlog, open spans, waiting rows, and events that had
 * been read and not stored. A collector counts as killed when its file is closed without being finished.
 */
#include "../ask.h"
#include "../fixture.h"

#include "../../tracer/session/emit.h"
#include "../../tracer/collect/source.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static char path[64];
static struct grosr_session *session;
static struct grosr_emitter emitter[2];
static struct grosr_emit_ring emit_ring[2];
static struct grosr_store *store;
static struct grosr_source *source;
static struct grosr_batch batch;
static uint64_t origin, time_ns;

static void emit(uint32_t worker, uint32_t kind, uint64_t payload)
{
    grosr_emit_at(&emitter[worker], kind, payload, origin + (time_ns += 10));
}

static void run_task(uint32_t worker, uint64_t task)
{
    emit(worker, GROSR_EV_TASK_BEGIN, grosr_payload_task(0, task));
    emit(worker, GROSR_EV_TASK_END, grosr_payload_task(0, task));
}

/* Attaches as `record --attach` does. Whether it continues the file: 1, 0, or an error. */
static int attach(void)
{
    int64_t number;
    int err = grosr_source_open(&source, session, false, -1), continued = 0;

    if (!err)
        err = continued = grosr_store_continue(&store, path, session, &number);
    if (err == 1)
        err = grosr_source_resume(source, store, number);
    else if (!err)
        err = grosr_store_create(&store, path);
    if (!err && !continued)
        err = grosr_source_begin(source, store);
    return err ? err : continued;
}

/* Reads all that there is. */
static void drain(void)
{
    batch.events = batch.runs = batch.samples = batch.bytes = 0;
    grosr_source_drain(source, &batch);
}

/* What the batch has, as rows or in the backlog. */
static void store_batch(bool spool)
{
    for (uint32_t i = 0; i < batch.runs; i++) {
        const struct grosr_run *r = &batch.run[i];
        if (spool)
            grosr_store_put_chunk(store, r->ring, r->first, origin, batch.event + r->at, r->count);
        else
            grosr_source_build(source, r->ring, r->first, batch.event + r->at, r->count, origin);
        grosr_source_mark_stored(source, r, batch.event + r->at);
    }
}

static void commit(void)
{
    struct grosr_ring_counts sum = {0};

    ok(!grosr_source_write_counters(source, store, false, &sum) && !grosr_source_save(source, store) &&
           !grosr_store_commit(store),
       "committed");
}

static void die(void)
{
    grosr_store_close(store); /* rolls back what was not committed */
    grosr_source_release(source);
    free(source);
}

static void build_chunks(void)
{
    uint64_t first, drained_ns;
    uint32_t ring, count;
    struct grosr_pair *records;

    while (!grosr_store_take_chunk(store, &ring, &first, &drained_ns, &records, &count) && count) {
        if (records)
            grosr_source_build(source, ring, first, records, count, drained_ns);
        else
            grosr_rows_resume(source->rows, ring, first + count);
        free(records);
    }
}

static int64_t ask(const char *sql)
{
    return ask_trace(path, sql);
}

static void begin(void)
{
    session = fixture_session(2, 64, GROSR_OVERFLOW_DROP);
    origin = session->header.start_mono_ns;
    time_ns = 0;
    struct grosr_trace trace = grosr_session_trace(session, session->base);
    for (uint32_t i = 0; i < 2; i++)
        grosr_emit_open(&emitter[i], &emit_ring[i], &trace, i);
}

/* The run ends, and its last collector brings the file to its end. */
static void end(void)
{
    struct grosr_ring_counts sum = {0};

    for (uint32_t i = 0; i < 2; i++)
        grosr_emit_close(&emitter[i]);
    drain();
    store_batch(false);
    batch.events = 0;
    for (int i = 0; i < 4 && !grosr_source_is_over(source, i == 3); i++)
        grosr_source_drain(source, &batch);
    is(grosr_source_write_counters(source, store, true, &sum), 0, "the last counters");
    is(grosr_source_finish(source, store), 0, "finished");
    is(grosr_store_finish(store, NULL), 0, "closed");
    die();
    grosr_session_close(session);
    is(ask("SELECT count(*) FROM trace_health WHERE unaccounted <> 0 OR unbuilt <> 0"), 0,
       "the counters reconcile");
    is(ask("SELECT count(*) FROM GROSR_CHECKPOINT"), 0, "no checkpoint is left");
}

static void open_spans(void)
{
    begin();
    is(attach(), 0, "a new file");
    commit();
    emit(0, GROSR_EV_TASK_BEGIN, grosr_payload_task(1, 7));
    emit(0, GROSR_EV_WAIT_BEGIN, grosr_payload_wait(GROSR_RES_NAMED, 3));
    /* It was spawned by worker 0, whose ring does not show that yet. */
    uint64_t spawned = GROSR_TASK_SPAWNED + 5;
    run_task(1, spawned);
    drain();
    store_batch(false);
    commit();
    die();
    is(attach(), 1, "another collector continues");
    emit(0, GROSR_EV_TASK_SPAWN, grosr_payload_task(1, spawned));
    emit(0, GROSR_EV_WAIT_END, grosr_payload_wait(GROSR_RES_NAMED, 3));
    emit(0, GROSR_EV_TASK_END, grosr_payload_task(0, 7));
    end();
    is(ask("SELECT count(*) FROM GROSR_TASK"), 2, "two tasks");
    is(ask("SELECT end - start FROM GROSR_TASK WHERE task = 7"), 60,
       "one was running when the collector died");
    is(ask("SELECT end - start FROM GROSR_WAIT"), 40, "and waiting");
    is(ask("SELECT count(*) FROM GROSR_TASK WHERE task <> 7 AND enqueue IS NOT NULL"), 1,
       "the row that waited for its enqueue time has it");
    is(ask("SELECT count(*) FROM GROSR_LOSS"), 0, "nothing was lost");
}

/* Spooled, then read and not stored, twice, so that two gaps lie between chunks. */
static void chunks(void)
{
    begin();
    attach();
    commit();
    run_task(0, 0);
    drain();
    store_batch(true);
    commit();
    for (uint64_t i = 1; i <= 2; i++) {
        run_task(0, 10 * i);
        run_task(0, 10 * i + 1);
        drain(); /* and dies before they are in the file */
        store_batch(true);
        die();
        is(attach(), 1, "another collector continues");
        uint64_t events;
        is(grosr_store_count_chunks(store, &events, NULL), 0, "with the backlog");
        ok(events >= 2, "%d events", (int)events);
        run_task(0, i);
        drain();
        store_batch(true);
        commit();
    }
    is(ask("SELECT count(*) FROM GROSR_TASK"), 0, "no row yet");
    build_chunks();
    run_task(0, 3);
    end();
    is(ask("SELECT count(*) FROM GROSR_TASK WHERE end > start"), 4, "the tasks that were stored");
    is(ask("SELECT count(DISTINCT task) FROM GROSR_TASK WHERE task IN (0, 1, 2, 3)"), 4, "are all rows");
    is(ask("SELECT sum(count) FROM GROSR_LOSS WHERE reason = 'unstored'"), 8, "the others are counted");
    is(ask("SELECT count(*) FROM GROSR_LOSS"), 2, "as two gaps");
    is(ask("SELECT max(position) - min(position) FROM GROSR_LOSS"), 6, "at their places");
    is(ask("SELECT unstored FROM trace_health WHERE ring = 0"), 8, "and in the counters");
}

/* While nobody collects, a full ring drops; what it dropped is in a marker behind the gap. */
static void dropped(void)
{
    begin();
    attach();
    commit();
    for (uint64_t i = 0; i < 100; i++)
        run_task(0, i);
    die();
    is(attach(), 1, "another collector continues");
    drain();
    store_batch(false);
    commit();
    for (uint64_t i = 100; i < 200; i++) /* the writer looks for room now and then */
        run_task(0, i);
    end();
    is(ask("SELECT dropped FROM trace_health WHERE ring = 0"),
       ask("SELECT sum(count) FROM GROSR_LOSS WHERE reason = 'dropped'"),
       "what was dropped is recorded as lost");
    is(ask("SELECT unstored + overwritten FROM trace_health WHERE ring = 0"), 0, "nothing else was lost");
    ok(ask("SELECT count(*) FROM GROSR_TASK WHERE task >= 100") > 0, "and recording continued");
}

static void not_ours(void)
{
    int64_t number;

    begin();
    attach();
    commit();
    sqlite3 *db;
    sqlite3_open(path, &db);
    sqlite3_exec(
        db,
        "INSERT INTO GROSR_SESSION SELECT 2, pid + 1, program, device, device_name, sms,"
        " max_warps_per_sm, lanes, 2, start_mono_ns, start_real_ns, NULL, 0, 0, NULL FROM GROSR_SESSION",
        NULL, NULL, NULL);
    sqlite3_close(db);
    die();
    is(grosr_store_continue(&store, path, session, &number), -EEXIST,
       "a file with others that are cut off: %s", grosr_error());
    session->header.start_mono_ns++;
    is(grosr_store_continue(&store, path, session, &number), 0, "a file of another session");
    unlink(path);
    is(grosr_store_continue(&store, path, session, &number), 0, "no file");
    grosr_session_close(session);
}

int main(void)
{
    batch.events_max = 1024;
    batch.runs_max = 256;
    batch.event = (struct grosr_pair *)malloc(batch.events_max * sizeof(*batch.event));
    batch.run = (struct grosr_run *)malloc(batch.runs_max * sizeof(*batch.run));
    snprintf(path, sizeof(path), "/tmp/grosr-resume-%d.db", (int)getpid());
    open_spans();
    chunks();
    dropped();
    not_ours();
    free(batch.event);
    free(batch.run);
    unlink(path);
    return tap_done();
}
