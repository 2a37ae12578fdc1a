/*
 * The whole path under load, in one process so that the sanitizers see all of it: producers, workers, the
 * collector's two threads and the file. At the end the file holds one row a task, and the counters of every
 * ring reconcile.
 */
#include "../ask.h"
#include "../runtime_suite.h"

#include "../../tracer/collect/collector.h"
#include "../../tracer/store/store.h"

#include <stdatomic.h>
#include <unistd.h>

static char path[64];
static volatile sig_atomic_t stop;
static struct grosr_collect_options wanted = {.path = path, .level = -1, .stop = &stop};
static struct grosr_collect_result collected;
static int collect_error;

static void *collect(void *arg)
{
    struct grosr_session *view;

    (void)arg;
    if (grosr_collector_find(&view, (uint32_t)getpid(), &stop)) {
        collect_error = -1;
        return NULL;
    }
    struct grosr_collect_options options = wanted;
    options.session = view;
    collect_error = grosr_collect(&options, &collected);
    if (collect_error)
        printf("# %s\n", grosr_error());
    grosr_session_close(view);
    return NULL;
}

static int64_t ask(const char *sql)
{
    return ask_trace(path, sql);
}

static void pass(uint32_t ring_events, enum grosr_overflow overflow, uint64_t tasks, bool lossless)
{
    struct grosr_options o = suite_options("host");
    struct suite_producer p[2];
    pthread_t thread[2], collector;
    struct grosr_ring_counts n, sum = {0};
    grosr *rt;

    o.workers = 3;
    o.queue_capacity = 1024;
    o.ring_events = ring_events;
    o.overflow = overflow;
    o.collector_pid = (uint32_t)getpid();
    pthread_create(&collector, NULL, collect, NULL);
    rt = suite_open(&o);
    for (int i = 0; i < 2; i++) {
        p[i] = (struct suite_producer){rt, 5 + (uint64_t)i, tasks / 2, 0};
        pthread_create(&thread[i], NULL, suite_produce, &p[i]);
    }
    for (int i = 0; i < 2; i++)
        pthread_join(thread[i], NULL);
    is(p[0].errors + p[1].errors, 0, "rings of %u: all results right", ring_events);
    is(grosr_finish(rt), 0, "finished");
    pthread_join(collector, NULL);
    is(collect_error, 0, "collected");
    const struct grosr_session *s = grosr_runtime_session(rt);
    for (uint32_t i = 0; i < s->header.rings; i++) {
        grosr_ring_count(s, i, &n);
        sum.written += n.written;
        sum.read += n.read;
        sum.dropped += n.dropped;
        sum.overwritten += n.overwritten;
    }
    ok(sum.written == sum.read + sum.dropped + sum.overwritten,
       "%" PRIu64 " written = %" PRIu64 " read + %" PRIu64 " dropped + %" PRIu64 " overwritten", sum.written,
       sum.read, sum.dropped, sum.overwritten);
    is(ask("SELECT count(*) FROM trace_health WHERE unaccounted <> 0 OR unbuilt <> 0 OR NOT closed"), 0,
       "every ring's counters in the file reconcile");
    is(ask("SELECT read FROM trace_health WHERE ring IS NULL"), sum.read, "and agree with the session's");
    if (lossless) {
        is(sum.dropped + sum.overwritten, 0, "nothing was lost");
        is(ask("SELECT count(*) FROM tasks"), tasks / 2 * 2, "one row a task");
        is(ask("SELECT count(DISTINCT task) FROM tasks"), tasks / 2 * 2, "each task once");
        is(ask("SELECT count(*) FROM tasks WHERE enqueue <= start AND start <= end AND status = 0"),
           tasks / 2 * 2, "enqueue <= start <= end");
        is(ask("SELECT count(*) FROM trace_health WHERE verdict <> 'complete'"), 0,
           "the verdict is: complete");
    } else {
        is(ask("SELECT sum(count) FROM GROSR_LOSS WHERE reason = 'overwritten'") <= (int64_t)sum.overwritten,
           1, "losses have their place");
    }
    grosr_close(rt);
}

/* The collector's writer stands still until BEHIND batches wait for it: from then on it spools them. */
#define BEHIND 20u
static _Atomic uint32_t ready;

static void hold_writer(const char *name)
{
    if (!strcmp(name, "collector.ready"))
        atomic_fetch_add(&ready, 1);
    while (!strcmp(name, "collector.write") && atomic_load(&ready) < BEHIND)
        usleep(200);
}

/* A recording whose writer is held up. Returns how many tasks ran. */
static uint64_t fall_behind(grosr **out)
{
    struct grosr_options o = suite_options("host");
    struct grosr_task task[64];
    uint64_t tasks = 0;
    pthread_t collector;
    grosr *rt;
    int err = 0;

    o.workers = 3;
    o.ring_events = 1024;
    o.overflow = GROSR_OVERFLOW_BLOCK;
    o.collector_pid = (uint32_t)getpid();
    for (int i = 0; i < 64; i++)
        task[i] = suite_task(GROSR_FN_ADD, 1, 2);
    atomic_store(&ready, 0);
    dev_point_hook_fn = hold_writer;
    pthread_create(&collector, NULL, collect, NULL);
    *out = rt = suite_open(&o);
    for (; !err && atomic_load(&ready) < BEHIND; tasks += 64) {
        err = grosr_submit(rt, task, 64, NULL, NULL);
        if (!err)
            err = grosr_drain(rt, 60000000000u);
    }
    is(err, 0, "%" PRIu64 " tasks, and %u batches wait for the writer", tasks, BEHIND);
    is(grosr_finish(rt), 0, "finished");
    pthread_join(collector, NULL);
    dev_point_hook_fn = NULL;
    is(collect_error, 0, "collected");
    return tasks;
}

static void behind(void)
{
    grosr *rt;
    uint64_t tasks = fall_behind(&rt);
    uint64_t spooled = (uint64_t)ask("SELECT value FROM GROSR_META WHERE key = 'chunk_events'");
    ok(spooled >= tasks, "%" PRIu64 " events were spooled", spooled);
    ok(ask("SELECT value FROM GROSR_META WHERE key = 'chunk_bytes'") * 2 < (int64_t)spooled * 16,
       "in less than half of their size");
    is(ask("SELECT count(*) FROM GROSR_CHUNK"), 0, "none is left");
    is(ask("SELECT count(*) FROM tasks WHERE enqueue <= start AND start <= end AND status = 0"), tasks,
       "one row a task, whole");
    is(ask("SELECT count(DISTINCT task) FROM tasks"), tasks, "each task once");
    is(ask("SELECT count(*) FROM trace_health WHERE verdict <> 'complete' OR unaccounted <> 0"), 0,
       "the verdict is: complete");
    grosr_close(rt);
}

/* So far behind that the oldest events are skipped: of 20 batches of 20 ms or more, 100 ms are kept. */
static void window(void)
{
    static const char in_rows[] =
        "WITH k AS (SELECT value FROM GROSR_META WHERE key = 'kept_from') SELECT count(*) FROM ("
        " SELECT start AS time FROM GROSR_TASK UNION ALL SELECT end FROM GROSR_TASK"
        " UNION ALL SELECT start FROM GROSR_WAIT WHERE worker IS NOT NULL"
        " UNION ALL SELECT end FROM GROSR_WAIT WHERE worker IS NOT NULL"
        " UNION ALL SELECT start FROM GROSR_IDLE UNION ALL SELECT end FROM GROSR_IDLE"
        " UNION ALL SELECT start FROM GROSR_WORKER UNION ALL SELECT end FROM GROSR_WORKER), k WHERE time >= "
        "k.value";
    grosr *rt;

    wanted.window_ns = 100000000;
    int64_t tasks = (int64_t)fall_behind(&rt), rows = ask("SELECT count(*) FROM tasks");
    wanted.window_ns = 0;
    ok(rows < tasks, "%" PRId64 " of them are kept", rows);
    is(ask("SELECT count(*) FROM tasks, GROSR_META WHERE key = 'kept_from' AND end < value"), 0, "the last");
    is(ask("SELECT count(*) FROM GROSR_CHUNK"), 0, "no backlog is left");
    int64_t read = ask("SELECT sum(read) FROM GROSR_RING"),
            host = ask("SELECT read FROM GROSR_RING WHERE worker IS NULL"),
            cut = ask("SELECT value FROM GROSR_META WHERE key = 'cut_events'"), kept = ask(in_rows);
    ok(kept + cut <= read && kept + cut + host >= read,
       "%" PRId64 " events read, %" PRId64 " of the host; %" PRId64 " left out, %" PRId64 " in rows", read,
       host, cut, kept);
    is(ask("SELECT sum(start IS NULL OR end IS NULL) FROM workers"), 0, "the workers' lives are known");
    is(ask("SELECT count(*) FROM trace_health WHERE verdict NOT LIKE 'complete from % s on' OR unaccounted "
           "<> 0"),
       0, "the verdict is: complete from then on");
    grosr_close(rt);
}

/* Results that nobody asks for are a stall; the recording ends, and the program continues. */
static void stall(void)
{
    struct grosr_options o = suite_options("host");
    struct grosr_task task[64];
    pthread_t collector;

    wanted.stall_ns = 200000000;
    o.workers = 3;
    o.collector_pid = (uint32_t)getpid();
    for (int i = 0; i < 64; i++)
        task[i] = suite_task(GROSR_FN_ADD, 1, 2);
    pthread_create(&collector, NULL, collect, NULL);
    grosr *rt = suite_open(&o);
    is(grosr_submit(rt, task, 64, NULL, NULL), 0, "tasks, whose results nobody asks for");
    pthread_join(collector, NULL);
    wanted.stall_ns = 0;
    is(collect_error, 0, "the recording ends");
    ok(collected.stalled && collected.detached, "with a stall: %s", collected.stall);
    is(ask("SELECT count(*) FROM tasks WHERE end IS NOT NULL"), 64, "which has all tasks");
    is(ask("SELECT count(*) FROM GROSR_NOTE WHERE topic = 'stall' AND text LIKE '% 64 submitted %'"), 1,
       "and has a note of it");
    is(grosr_submit(rt, task, 64, NULL, NULL), 0, "others");
    is(grosr_drain(rt, 60000000000u), 0, "continue");
    is(grosr_finish(rt), 0, "to the end");
    grosr_close(rt);
}

int main(void)
{
    uint64_t scale = GROSR_HOST_LANES == 1 ? 10 : 1;

    snprintf(path, sizeof(path), "/tmp/grosr-stress-%d.db", (int)getpid());
    pass(65536, GROSR_OVERFLOW_DROP, 2000 * scale, true);
    pass(64, GROSR_OVERFLOW_BLOCK, 1000 * scale, true);
    pass(32, GROSR_OVERFLOW_DROP, 2000 * scale, false);
    pass(32, GROSR_OVERFLOW_OVERWRITE, 2000 * scale, false);
    behind();
    window();
    stall();
    unlink(path);
    return tap_done();
}
