/*
 * What the collector does with events, step by step in one thread, each step's CPU time for itself: rings are
 * drained, and their events packed and stored; stored events are built into rows; the file is closed, with
 * its indexes. So a rate is what one core would do if it did nothing else; the collector has two threads for
 * the three steps. Beside it, the drained records written to a file as they are, and through LZ4; and rows
 * inserted one by one.
 *
 * The events are made up (bench_events.h), `one by one` and `by warps`.
 * What comes back from the file is compared with what went in, record by record, and the rows are counted.
 */
#include "bench_events.h"
#include "bench.h"

#include "../../tracer/clock/clock.h"
#include "../../tracer/base/error.h"
#include "../../tracer/session/ring.h"
#include "../../tracer/rows/rows.h"
#include "../../tracer/store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <lz4.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define RINGS         8u    /* workers' rings, by default */
#define RING_EVENTS   8192u /* in each ring, so the most in a chunk */
#define COMMIT_CHUNKS 64u

/* What is measured, a row of the report each. */
enum { STORED, COPIED, LZ4ED, BUILT, INSERTED, CLOSED, CHUNK_BYTES, LZ4_BYTES, SERIES };

static const struct {
    const char *name;
    bool baseline;
    enum grosr_bench_unit unit;
} series[SERIES] = {
    [STORED] = {"GROSR, drained, packed, stored", false, GROSR_BENCH_EVENTS},
    [COPIED] = {"drained, written as they are", true, GROSR_BENCH_EVENTS},
    [LZ4ED] = {"drained, through LZ4, written", true, GROSR_BENCH_EVENTS},
    [BUILT] = {"GROSR, built into rows", false, GROSR_BENCH_ROWS},
    [INSERTED] = {"SQLite, an INSERT a row", true, GROSR_BENCH_ROWS},
    [CLOSED] = {"GROSR, indexes and ANALYZE", false, GROSR_BENCH_ROWS},
    [CHUNK_BYTES] = {"GROSR, packed", false, GROSR_BENCH_BYTES},
    [LZ4_BYTES] = {"through LZ4", true, GROSR_BENCH_BYTES},
};

struct store_bench {
    const struct grosr_bench_options *options;
    struct grosr_bench_report *report;
    struct grosr_bench_events made;
    struct grosr_ring_reader *reader; /* [made.rings] */
    struct grosr_pair *drained;       /* [RING_EVENTS] */
    char path[128];                   /* of the file under way */
    struct grosr_store *store;        /* what it is to GROSR */
    int fd;                           /* and to the baselines */
    uint32_t chunks;                  /* since the last commit */
    uint64_t bytes;                   /* that the baseline has written */
    char packed[LZ4_COMPRESSBOUND(RING_EVENTS * sizeof(struct grosr_pair))];
    double *sample[SERIES];
    uint32_t round;
};

static void series_name(char *to, size_t size, int which, bool warps)
{
    const char *kind = warps ? ", by warps" : ", one by one";

    snprintf(to, size, "%s%s", series[which].name, which == INSERTED ? "" : kind);
}

/* What is wrong from here on, or fails, is this series'. */
static void begin(struct store_bench *s, int which)
{
    char name[80];

    series_name(name, sizeof(name), which, s->made.warps);
    grosr_bench_begin(s->report, name, series[which].baseline);
    grosr_bench_round(s->report, s->round, 0);
}

/* CPU time of this thread. */
static uint64_t cpu_ns(void)
{
    struct timespec t;

    clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* ---- what is done with drained records: 0 or a negative errno; none at the end ---- */

typedef int take_fn(struct store_bench *s, uint32_t ring, uint64_t first, uint32_t count);

static int commit_at(struct store_bench *s, uint32_t chunks)
{
    if (++s->chunks < chunks)
        return 0;
    s->chunks = 0;
    return grosr_store_commit(s->store);
}

static int store_them(struct store_bench *s, uint32_t ring, uint64_t first, uint32_t count)
{
    int err = count ? grosr_store_put_chunk(s->store, ring, first, s->made.near_ns, s->drained, count) : 0;
    return err ? err : commit_at(s, count ? COMMIT_CHUNKS : 0);
}

static int write_all(struct store_bench *s, const void *data, size_t bytes)
{
    s->bytes += bytes;
    if (write(s->fd, data, bytes) != (ssize_t)bytes)
        return grosr_fail(errno ? errno : EIO, "cannot write %s", s->path);
    return 0;
}

static int copy_them(struct store_bench *s, uint32_t ring, uint64_t first, uint32_t count)
{
    (void)ring, (void)first;
    return write_all(s, s->drained, count * sizeof(*s->drained));
}

static int lz4_them(struct store_bench *s, uint32_t ring, uint64_t first, uint32_t count)
{
    int bytes = 0;

    (void)ring, (void)first;
    if (count)
        bytes = LZ4_compress_default((const char *)s->drained, s->packed, (int)(count * sizeof(*s->drained)),
                                     (int)sizeof(s->packed));
    return write_all(s, s->packed, (size_t)bytes);
}

/*
 * Has all events go through the rings, once. *ns: CPU time of taking them out and of what is done with them;
 * writing them into the rings is not counted.
 */
static int pass_events(struct store_bench *s, take_fn *take, double *ns)
{
    uint64_t spent = 0, left = s->made.events, start, first;
    int err = 0;

    for (uint32_t i = 0; i < s->made.rings; i++) {
        s->made.ring[i].base = s->reader[i].position;
        s->made.ring[i].written = 0;
    }
    while (left && !err) {
        for (uint32_t i = 0; i < s->made.rings; i++)
            grosr_bench_events_write(&s->made, i);
        start = cpu_ns();
        for (uint32_t i = s->made.rings; i-- > 0 && !err;) { /* the host's first */
            uint32_t n = grosr_ring_read(&s->reader[i], s->drained, RING_EVENTS, &first);
            if (n)
                err = take(s, i, first - s->made.ring[i].base, n);
            left -= n;
        }
        spent += cpu_ns() - start;
        if (!err && *s->options->stop)
            err = -ECANCELED;
    }
    start = cpu_ns();
    if (!err)
        err = take(s, 0, 0, 0);
    *ns = (double)(spent + cpu_ns() - start);
    return err;
}

/* ---- the steps ---- */

static int baseline(struct store_bench *s, int which, take_fn *take, double *ns)
{
    int err;

    begin(s, which);
    s->bytes = 0;
    s->fd = open(s->path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (s->fd < 0)
        return grosr_fail(errno, "cannot create %s: %s", s->path, strerror(errno));
    err = pass_events(s, take, ns);
    close(s->fd);
    unlink(s->path);
    return err;
}

/* Compares stored records with those that were drained, number `first` of their ring and on. */
static void check_records(struct store_bench *s, const struct grosr_pair *records,
                          const struct grosr_pair *drained, uint32_t count, uint64_t first)
{
    begin(s, STORED);
    for (uint32_t i = 0; i < count; i++)
        if (grosr_bench_check(s->report, "low word of record", first + i, drained[i].lo, records[i].lo))
            grosr_bench_check(s->report, "high word of record", first + i, drained[i].hi, records[i].hi);
    begin(s, BUILT);
}

/* Builds rows of what is stored, and compares it. *ns: the building. */
static int build(struct store_bench *s, struct grosr_rows *rows, double *ns)
{
    struct grosr_ring_counts *final = (struct grosr_ring_counts *)calloc(s->made.rings, sizeof(*final));
    uint64_t spent = 0, events = 0;
    int err = final ? 0 : grosr_fail(ENOMEM, "out of memory");

    while (!err && events < s->made.events) {
        struct grosr_pair *records;
        uint64_t start = cpu_ns(), first, drained_ns;
        uint32_t ring, count;
        err = grosr_store_take_chunk(s->store, &ring, &first, &drained_ns, &records, &count);
        if (!err && !count)
            break;
        if (!err)
            err = grosr_rows_add(rows, ring, first, records, count, s->made.near_ns);
        if (!err)
            err = commit_at(s, COMMIT_CHUNKS);
        spent += cpu_ns() - start;
        if (!err)
            check_records(s, records, &s->made.ring[ring].event[first], count, first);
        free(records);
        events += count;
        if (!err && *s->options->stop)
            err = -ECANCELED;
    }
    if (!err)
        grosr_bench_check(s->report, "events that were stored", GROSR_BENCH_NO_INDEX, s->made.events, events);
    uint64_t start = cpu_ns();
    if (!err)
        err = grosr_rows_finish(rows, final);
    if (!err)
        err = commit_at(s, 0);
    *ns = (double)(spent + cpu_ns() - start);
    free(final);
    return err;
}

/* The answer to a query of one row and column. */
static int ask(sqlite3 *db, const char *sql, int64_t *value)
{
    sqlite3_stmt *q = NULL;
    bool known = sqlite3_prepare_v2(db, sql, -1, &q, NULL) == SQLITE_OK && sqlite3_step(q) == SQLITE_ROW;
    int err = known ? 0 : grosr_fail(EIO, "no answer to %s: %s", sql, sqlite3_errmsg(db));

    *value = known ? sqlite3_column_int64(q, 0) : 0;
    sqlite3_finalize(q);
    return err;
}

/* Looks into the closed file. */
static int check(struct store_bench *s, double *bytes)
{
    const struct {
        const char *sql;
        uint64_t expected;
    } facts[] = {
        {"SELECT count(*) FROM GROSR_TASK", s->options->tasks},
        {"SELECT count(DISTINCT task) FROM GROSR_TASK WHERE enqueue < start", s->options->tasks},
        {"SELECT sum(end - start) FROM GROSR_TASK", s->made.run_ns},
        {"SELECT count(*) FROM GROSR_WAIT WHERE start < end", s->made.waits},
        {"SELECT count(*) FROM GROSR_CHUNK", 0},
        {"SELECT count(*) FROM GROSR_LOSS", 0},
        {"SELECT value FROM GROSR_META WHERE key = 'chunk_events'", s->made.events},
    };
    sqlite3 *db;
    int64_t value;
    int err = grosr_store_open_read(&db, s->path);

    if (err)
        return err;
    for (size_t i = 0; !err && i < sizeof(facts) / sizeof(facts[0]); i++) {
        err = ask(db, facts[i].sql, &value);
        if (!err)
            grosr_bench_check(s->report, facts[i].sql, GROSR_BENCH_NO_INDEX, facts[i].expected,
                              (uint64_t)value);
    }
    if (!err)
        err = ask(db, "SELECT value FROM GROSR_META WHERE key = 'chunk_bytes'", &value);
    if (!err)
        *bytes = (double)value / (double)s->made.events;
    sqlite3_close(db);
    return err;
}

/* Drains and stores, builds rows, closes. */
static int store_all(struct store_bench *s, double *stored_ns, double *built_ns, double *closed_ns,
                     double *bytes)
{
    struct grosr_clock clock;
    struct grosr_rows *rows = NULL;
    struct grosr_bases bases;
    int err;

    begin(s, STORED);
    if ((err = grosr_store_create(&s->store, s->path)))
        return err;
    s->chunks = 0;
    grosr_clock_init(&clock, s->made.session);
    err = grosr_store_add_session(s->store, s->made.session, &bases);
    if (!err)
        err = grosr_rows_create(&rows, s->made.session, &bases, &clock, s->store);
    if (!err)
        err = pass_events(s, store_them, stored_ns);
    if (!err)
        begin(s, BUILT);
    if (!err)
        err = build(s, rows, built_ns);
    if (!err)
        begin(s, CLOSED);
    uint64_t start = cpu_ns();
    if (!err)
        err = grosr_store_finish(s->store, NULL);
    *closed_ns = (double)(cpu_ns() - start);
    grosr_rows_free(rows);
    grosr_store_close(s->store);
    if (!err)
        err = check(s, bytes);
    unlink(s->path);
    return err;
}

/* As many rows as there are tasks, into a table as GROSR_TASK is, a statement each. */
static int insert_rows(struct store_bench *s, double *ns)
{
    sqlite3 *db = NULL;
    sqlite3_stmt *insert = NULL;
    uint64_t start;
    int code;

    begin(s, INSERTED);
    start = cpu_ns();
    code = sqlite3_open(s->path, &db);
    if (code == SQLITE_OK)
        code =
            sqlite3_exec(db,
                         "PRAGMA page_size=8192; PRAGMA journal_mode=WAL; PRAGMA synchronous=NORMAL;"
                         "CREATE TABLE t (task INTEGER NOT NULL, function INTEGER, worker INTEGER,"
                         " enqueue INTEGER, start INTEGER, end INTEGER, status INTEGER, next INTEGER); BEGIN",
                         NULL, NULL, NULL);
    if (code == SQLITE_OK)
        code = sqlite3_prepare_v2(db, "INSERT INTO t VALUES (?,?,?,?,?,?,?,NULL)", -1, &insert, NULL);
    for (uint64_t i = 0; i < s->options->tasks && code == SQLITE_OK; i++) {
        const int64_t time = 1000000 + 137 * (int64_t)i;
        const int64_t values[] = {(int64_t)i,
                                  1 + (int64_t)i % 2,
                                  (int64_t)(i / GROSR_BENCH_GROUP) % (s->made.rings - 1),
                                  time - 20000,
                                  time,
                                  time + 40,
                                  0};
        for (int k = 0; k < 7; k++)
            sqlite3_bind_int64(insert, k + 1, values[k]);
        code = sqlite3_step(insert) == SQLITE_DONE ? SQLITE_OK : SQLITE_ERROR;
        sqlite3_reset(insert);
        if (code == SQLITE_OK && i % (COMMIT_CHUNKS * RING_EVENTS / 2) == 0)
            code = sqlite3_exec(db, "COMMIT; BEGIN", NULL, NULL, NULL);
    }
    if (code == SQLITE_OK)
        code = sqlite3_exec(db, "COMMIT", NULL, NULL, NULL);
    *ns = (double)(cpu_ns() - start);
    int err = code == SQLITE_OK ? 0 : grosr_fail(EIO, "cannot write %s: %s", s->path, sqlite3_errmsg(db));
    sqlite3_finalize(insert);
    sqlite3_close(db);
    unlink(s->path);
    return err;
}

/* One sample of everything. */
static int take_sample(struct store_bench *s, uint32_t i)
{
    const double events = (double)s->made.events * 1e9, tasks = (double)s->options->tasks * 1e9;
    const double rows = tasks + (double)s->made.waits * 1e9;
    double ns[SERIES], bytes = 0;
    int err;

    s->round = i;
    err = store_all(s, &ns[STORED], &ns[BUILT], &ns[CLOSED], &bytes);
    if (!err)
        err = baseline(s, COPIED, copy_them, &ns[COPIED]);
    if (!err)
        err = baseline(s, LZ4ED, lz4_them, &ns[LZ4ED]);
    if (!err)
        err = insert_rows(s, &ns[INSERTED]);
    if (err)
        return err;
    s->sample[STORED][i] = events / ns[STORED];
    s->sample[COPIED][i] = events / ns[COPIED];
    s->sample[LZ4ED][i] = events / ns[LZ4ED];
    s->sample[BUILT][i] = rows / ns[BUILT];
    s->sample[INSERTED][i] = tasks / ns[INSERTED];
    s->sample[CLOSED][i] = rows / ns[CLOSED];
    s->sample[CHUNK_BYTES][i] = bytes;
    s->sample[LZ4_BYTES][i] = (double)s->bytes / (double)s->made.events; /* LZ4's was the last */
    return 0;
}

static int open_all(struct store_bench *s)
{
    static const char *const functions[] = {NULL, "add", "mul"};
    struct grosr_session_options o = {
        .device = "host",
        .device_name = "made up",
        .program = "bench",
        .sms = 1,
        .max_warps_per_sm = s->made.rings - 1,
        .lanes = 1,
        .device_clock_is_host = true,
        .workers = s->made.rings - 1,
        .ring_events = RING_EVENTS,
        .host_ring_events = RING_EVENTS,
        .overflow = GROSR_OVERFLOW_BLOCK,
        .level = GROSR_LEVEL_SPANS,
        .functions = functions,
        .function_count = 3,
    };
    const char *folder = getenv("TMPDIR");

    snprintf(s->path, sizeof(s->path), "%s/grosr-bench-%d.db", folder ? folder : "/tmp", (int)getpid());
    s->reader = (struct grosr_ring_reader *)calloc(s->made.rings, sizeof(*s->reader));
    s->drained = (struct grosr_pair *)malloc(RING_EVENTS * sizeof(*s->drained));
    if (!s->reader || !s->drained)
        return grosr_fail(ENOMEM, "out of memory");
    for (int i = 0; i < SERIES; i++)
        if (!(s->sample[i] = grosr_bench_samples(s->options->repetitions)))
            return -ENOMEM;
    int err = grosr_session_create(&s->made.session, &o);
    for (uint32_t i = 0; i < s->made.rings && !err; i++)
        grosr_ring_reader_open(&s->reader[i], s->made.session, i);
    return err ? err : grosr_bench_events_make(&s->made);
}

static void close_all(struct store_bench *s)
{
    for (int i = 0; i < SERIES; i++)
        free(s->sample[i]);
    grosr_session_close(s->made.session);
    grosr_bench_events_free(&s->made);
    free(s->reader);
    free(s->drained);
    free(s);
}

static int measure(const struct grosr_bench_options *o, struct grosr_bench_report *report, bool warps)
{
    struct store_bench *s = (struct store_bench *)calloc(1, sizeof(*s));
    int err;

    if (!s)
        return grosr_fail(ENOMEM, "out of memory");
    s->options = o;
    s->report = report;
    s->made.tasks = o->tasks;
    s->made.warps = warps;
    s->made.rings = (o->workers ? o->workers : RINGS) + 1;
    err = open_all(s);
    for (uint32_t i = 0; i < o->repetitions && !err; i++)
        err = take_sample(s, i);
    for (int i = 0; i < SERIES && !err; i++) {
        char name[80];
        if (i == INSERTED && warps) /* the same rows */
            continue;
        series_name(name, sizeof(name), i, warps);
        grosr_bench_add_value(report, name, series[i].baseline, series[i].unit, s->sample[i], o->repetitions);
    }
    close_all(s);
    return err;
}

int grosr_bench_store(const struct grosr_bench_options *o, struct grosr_bench_report *report)
{
    int err = measure(o, report, false);
    return err ? err : measure(o, report, true);
}
