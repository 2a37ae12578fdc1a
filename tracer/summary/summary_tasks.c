/*
 * Summaries of tasks: how long runs took and how long they were queued, the longest, the gaps between the
 * runs of a worker, and tasks that suspend, from enqueue to end.
 */
#include "summary_parts.h"

#include <stdlib.h>

#define SPAWNED(t) ((t) >> 39 & 1) /* task numbers: tracer/session/event.h */
#define SPAWNER(t) ((t) >> 27 & 4095)

/* What `what`, `which` and `part` mean is in grosr-schema(5), SUMMARIES. */
static const char RUN[] = "run", QUEUED[] = "queued", LATENCY[] = "latency", FAILED[] = "failed",
                  SPAWN[] = "spawned", STOLEN[] = "stolen", SUSPENDED[] = "suspended", GAP[] = "gap";

struct chain {
    int64_t task, session, function, runs, enqueue, start, end, run_ns, suspended_ns;
};

/* The longest of them, in no order. */
struct longest {
    struct chain chain[SUMMARY_LONGEST];
    int n;
};

/* One run of a task, as far as a chain of runs needs it. */
struct run {
    int64_t function, session, sm, enqueue, start, end, status, next;
};

enum { TASK, FUNCTION, WORKER, ENQUEUE, START, END, STATUS, NEXT, COLUMNS }; /* of GROSR_TASK */

struct slow {
    int64_t run_ns, column[COLUMNS];
};

/* The longest runs, in no order. */
struct slowest {
    struct slow run[SUMMARY_LONGEST];
    int n, shortest; /* index of the one to be replaced next, once there are SUMMARY_LONGEST */
};

/* Order: longer first, then lower numbers, then earlier starts. */
static int compare_slow(const void *pa, const void *pb)
{
    const struct slow *a = (const struct slow *)pa, *b = (const struct slow *)pb;

    if (a->run_ns != b->run_ns)
        return a->run_ns > b->run_ns ? -1 : 1;
    for (int i = TASK; i <= START; i += START - TASK)
        if (a->column[i] != b->column[i])
            return a->column[i] < b->column[i] ? -1 : 1;
    return 0;
}

static void keep_if_slow(struct slowest *slowest, const struct slow *run)
{
    if (slowest->n < SUMMARY_LONGEST) {
        slowest->run[slowest->n++] = *run;
        if (slowest->n < SUMMARY_LONGEST)
            return;
    } else {
        if (compare_slow(run, &slowest->run[slowest->shortest]) >= 0)
            return;
        slowest->run[slowest->shortest] = *run;
    }
    slowest->shortest = 0;
    for (int i = 1; i < SUMMARY_LONGEST; i++)
        if (compare_slow(&slowest->run[i], &slowest->run[slowest->shortest]) > 0)
            slowest->shortest = i;
}

static void write_slowest(struct summary *s, struct slowest *slowest)
{
    sqlite3_stmt *out = summary_prepare(s, "INSERT INTO GROSR_TASK_SLOWEST VALUES (?,?,?,?,?,?,?,?)");

    qsort(slowest->run, (size_t)slowest->n, sizeof(slowest->run[0]), compare_slow);
    for (int i = 0; i < slowest->n; i++)
        summary_insert(s, out, slowest->run[i].column, COLUMNS);
    sqlite3_finalize(out);
}

struct runs {
    struct summary *summary;
    struct slowest slowest;
    int64_t count, suspended; /* runs, and those that ended with a suspension */
};

/* Counts one run. */
static void count_run(void *arg, const int64_t *cells)
{
    struct runs *runs = (struct runs *)arg;
    struct summary *s = runs->summary;
    struct slow run = {.column = {[TASK] = cells[TASK],
                                  [FUNCTION] = cells[FUNCTION],
                                  [WORKER] = cells[WORKER],
                                  [ENQUEUE] = summary_near(cells[ENQUEUE]),
                                  [START] = summary_near(cells[START]),
                                  [END] = summary_near(cells[END]),
                                  [STATUS] = cells[STATUS],
                                  [NEXT] = cells[NEXT]}};
    const int64_t *c = run.column;
    int64_t queued_ns = summary_difference(c[START], c[ENQUEUE]);
    const struct summary_worker *w = summary_worker(s, c[WORKER]);

    run.run_ns = summary_difference(c[END], c[START]);
    if (run.run_ns != GROSR_NULL)
        keep_if_slow(&runs->slowest, &run);
    summary_count(s, RUN, c[FUNCTION], 0, run.run_ns, 0);
    summary_count(s, QUEUED, c[FUNCTION], summary_time_bin(s, c[START]), queued_ns, 0);
    if (c[STATUS] != GROSR_NULL && c[STATUS])
        summary_count(s, FAILED, c[FUNCTION], c[STATUS], run.run_ns, 0);
    runs->count++;
    if (c[NEXT] != GROSR_NULL)
        runs->suspended++;
    else if (c[ENQUEUE] != GROSR_NULL && c[END] != GROSR_NULL)
        summary_count(s, LATENCY, c[FUNCTION], w ? w->sm : SUMMARY_UNKNOWN, c[END] - c[ENQUEUE], queued_ns);
    if (SPAWNED(c[TASK]) && c[ENQUEUE] != GROSR_NULL) {
        summary_count(s, SPAWN, c[FUNCTION], 0, queued_ns, 0);
        if (w && SPAWNER((uint64_t)c[TASK]) != (uint64_t)w->worker - (uint64_t)w->first_worker)
            summary_count(s, STOLEN, w->worker, w->sm, queued_ns, 0);
    }
}

/* Counts each run; returns whether there are tasks that suspend, and in *few whether they are few. */
static bool count_runs(struct summary *s, bool *few)
{
    struct runs runs = {.summary = s};

    summary_each(s, "task, function, worker, enqueue, start, end, status, next", "GROSR_TASK", count_run,
                 &runs);
    write_slowest(s, &runs.slowest);
    *few = runs.suspended < runs.count / 4;
    return runs.suspended != 0;
}

/* How much of the time from `from` to `to` a worker waited; `q` is at a row of the waits, which are in order
 * of worker and start. */
static int64_t waited(struct summary *s, sqlite3_stmt *q, bool *more, int64_t worker, int64_t from,
                      int64_t to)
{
    int64_t sum = 0;

    while (*more &&
           (summary_cell(q, 0) < worker || (summary_cell(q, 0) == worker && summary_time(q, 1) < to))) {
        int64_t start = summary_time(q, 1), end = summary_time(q, 2);
        if (summary_cell(q, 0) == worker) {
            int64_t until = end == GROSR_NULL || end > to ? to : end;
            if (start < from)
                start = from;
            sum = durations_sum(sum, until > start ? until - start : 0);
            if (end == GROSR_NULL || end > to)
                break;
        }
        *more = summary_row(s, q);
    }
    return sum;
}

/*
 * The busy time and the gaps of each worker. The lanes of a warp may run a task each at the same time: a
 * worker is busy while any of them runs. A gap is the time until the next task starts, less what the worker
 * waited.
 */
static void count_gaps(struct summary *s)
{
    sqlite3_stmt *q = summary_prepare(
        s, "SELECT worker, start, end FROM GROSR_TASK WHERE worker IS NOT NULL AND start IS NOT NULL"
           " ORDER BY worker, start");
    sqlite3_stmt *waits =
        summary_prepare(s, "SELECT worker, start, end FROM GROSR_WAIT WHERE worker IS NOT NULL"
                           " AND start IS NOT NULL ORDER BY worker, start");
    const struct summary_worker *w = NULL;
    bool more_waits = summary_row(s, waits);
    int64_t until = GROSR_NULL; /* the end of its busy time so far; GROSR_NULL: not known */

    while (summary_row(s, q)) {
        int64_t worker = summary_cell(q, 0), start = summary_time(q, 1), end = summary_time(q, 2);
        if (!w || w->worker != worker) {
            w = summary_worker(s, worker);
            until = GROSR_NULL;
            if (!w)
                continue;
        }
        if (until != GROSR_NULL && start >= until) {
            int64_t waited_ns = waited(s, waits, &more_waits, worker, until, start);
            summary_count(s, GAP, s->places[w->place].session, w->sm, start - until - waited_ns, waited_ns);
        }
        if (s->places[w->place].busy_ns)
            summary_spread(s, s->places[w->place].busy_ns,
                           until != GROSR_NULL && start < until ? until : start, end);
        if (end == GROSR_NULL || until == GROSR_NULL || end > until)
            until = end;
    }
    sqlite3_finalize(q);
    sqlite3_finalize(waits);
}

static void keep_if_long(struct longest *longest, const struct chain *chain)
{
    struct chain *place = &longest->chain[0];

    if (longest->n < SUMMARY_LONGEST) {
        longest->chain[longest->n++] = *chain;
        return;
    }
    for (int i = 1; i < SUMMARY_LONGEST; i++)
        if (longest->chain[i].end - longest->chain[i].enqueue < place->end - place->enqueue)
            place = &longest->chain[i];
    if (chain->end - chain->enqueue > place->end - place->enqueue)
        *place = *chain;
}

/* The runs of one number, by start; several sessions may have a task of that number. */
static void count_chains(struct summary *s, struct longest *longest, int64_t task, const struct run *runs,
                         int n)
{
    for (int first = 0; first < n; first++) {
        int last = first, i = first;
        struct chain chain = {.task = task, .session = runs[first].session, .function = runs[first].function};

        while (i > 0 && runs[i - 1].session != chain.session)
            i--;
        if (i > 0) /* a later run of a chain that has been counted */
            continue;
        for (i = first; i < n; i++) {
            if (runs[i].session != chain.session)
                continue;
            const struct run *before = &runs[last], *r = &runs[i];
            if (i > first && before->next >= 0) {
                int64_t away_ns = summary_difference(r->start, before->end);
                summary_count(s, SUSPENDED, before->function, 0, away_ns, 0);
                chain.suspended_ns = durations_sum(chain.suspended_ns, away_ns == GROSR_NULL ? 0 : away_ns);
            }
            int64_t run_ns = summary_difference(r->end, r->start);
            chain.run_ns = durations_sum(chain.run_ns, run_ns == GROSR_NULL ? 0 : run_ns);
            chain.runs++;
            last = i;
        }
        const struct run *from = &runs[first], *to = &runs[last];
        if (to->next != GROSR_NULL)
            summary_count(s, SUSPENDED, to->function, to->next == SUMMARY_UNKNOWN, GROSR_NULL, 0);
        if (from->next == GROSR_NULL || from->enqueue == GROSR_NULL || from->start == GROSR_NULL ||
            to->end == GROSR_NULL)
            continue;
        if (to->status != GROSR_NULL)
            summary_count(s, LATENCY, from->function, to->sm, to->end - from->enqueue,
                          from->start - from->enqueue);
        chain.enqueue = from->enqueue;
        chain.start = from->start;
        chain.end = to->end;
        keep_if_long(longest, &chain);
    }
}

/* Groups the runs of each task that suspends. If these tasks are few, only their rows are read. */
static void read_chains(struct summary *s, bool few)
{
    static const char all[] =
        "SELECT task, function, worker, enqueue, start, end, status, next FROM GROSR_TASK"
        " ORDER BY task, start";
    static const char some[] =
        "SELECT task, function, worker, enqueue, start, end, status, next FROM GROSR_TASK"
        " WHERE task IN (SELECT task FROM GROSR_TASK WHERE next IS NOT NULL)"
        " ORDER BY task, start";
    sqlite3_stmt *q = summary_prepare(s, few ? some : all);
    struct longest longest = {.n = 0};
    struct run *runs = NULL;
    int n = 0, room = 0;
    int64_t task = GROSR_NULL;

    while (summary_row(s, q)) {
        const struct summary_worker *w = summary_worker(s, summary_cell(q, 2));
        if (summary_cell(q, 0) != task) {
            count_chains(s, &longest, task, runs, n);
            task = summary_cell(q, 0);
            n = 0;
        }
        if (n == room) {
            struct run *more =
                (struct run *)realloc(runs, (size_t)(room = room ? 2 * room : 16) * sizeof(*more));
            if (!more) {
                summary_failed(s, SQLITE_NOMEM);
                break;
            }
            runs = more;
        }
        runs[n++] = (struct run){.function = summary_cell(q, 1),
                                 .session = w ? s->places[w->place].session : SUMMARY_UNKNOWN,
                                 .sm = w ? w->sm : SUMMARY_UNKNOWN,
                                 .enqueue = summary_time(q, 3),
                                 .start = summary_time(q, 4),
                                 .end = summary_time(q, 5),
                                 .status = summary_cell(q, 6),
                                 .next = summary_cell(q, 7)};
    }
    if (!s->code)
        count_chains(s, &longest, task, runs, n);
    free(runs);
    sqlite3_finalize(q);
    sqlite3_stmt *out = summary_prepare(s, "INSERT INTO GROSR_TASK_CHAIN VALUES (?,?,?,?,?,?,?,?,?)");
    for (int i = 0; i < longest.n; i++) {
        const struct chain *c = &longest.chain[i];
        summary_insert(s, out,
                       (const int64_t[]){c->task, c->session, c->function, c->runs, c->enqueue, c->start,
                                         c->end, c->run_ns, c->suspended_ns},
                       9);
    }
    sqlite3_finalize(out);
}

void summary_tasks(struct summary *s)
{
    bool few, suspend = count_runs(s, &few);

    count_gaps(s);
    if (suspend)
        read_chains(s, few);
}
