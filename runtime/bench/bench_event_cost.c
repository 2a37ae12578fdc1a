/*
 * Experiment `trace`: what one event costs in situ. Warps do steps of work, each with an event after it or
 * none; what an event costs is how much longer a step takes. No recorder, the peer (bench_emit.h) and GROSR
 * at each level take turns, so that whatever else changes changes for all. A step has ended when what it
 * stored has arrived. The rings hold 1,024 events, so that a lap's end is part of every time.
 *
 * The grid: warps on each SM, the length of a step, and where the rings lie: in memory that the CPU shares,
 * as in use, or in device memory, where PCIe is no limit. With nobody reading, the oldest events are
 * overwritten; in host memory the same events are measured with readers too, which drop what finds its
 * ring full.
 *
 * Every thread's work, the number of every ring's events and the latest of them are checked.
 */
#include "bench.h"
#include "bench_rig.h"

#include "../../tracer/session/ring.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#define WARM_UP     2u
#define RING_EVENTS 1024u
#define PLACES_MAX  3u /* on the axis */
#define READERS     8u
#define AT_ONCE     256u
#define PAUSE_NS    100000u /* as the collector's between looks at the rings */
#define TIMEOUT_NS  60000000000u
#define CHECKED     16u /* of the latest events of a ring */

/* What is measured at each point of the grid; the first two are the baselines. */
enum { NOTHING, PEER, OFF, COUNTERS, SPANS, STATE, FULL, DRAINED, SERIES };

static const struct series {
    const char *name;
    enum grosr_bench_recorder recorder;
    enum grosr_level level;
    uint32_t events; /* a step */
} series[SERIES] = {
    [NOTHING] = {"no recorder", GROSR_BENCH_NOTHING, GROSR_LEVEL_OFF, 0},
    [PEER] = {"8-byte recorder, unbounded", GROSR_BENCH_PEER, GROSR_LEVEL_OFF, 0},
    [OFF] = {"GROSR at off", GROSR_BENCH_EVENT, GROSR_LEVEL_OFF, 0},
    [COUNTERS] = {"GROSR at counters", GROSR_BENCH_STATE, GROSR_LEVEL_COUNTERS, 0},
    [SPANS] = {"GROSR at spans", GROSR_BENCH_EVENT, GROSR_LEVEL_SPANS, 1},
    [STATE] = {"GROSR at spans, with state word", GROSR_BENCH_STATE, GROSR_LEVEL_SPANS, 1},
    [FULL] = {"GROSR at full, two events and state word", GROSR_BENCH_STATE, GROSR_LEVEL_FULL, 2},
    [DRAINED] = {"GROSR at spans, read meanwhile", GROSR_BENCH_EVENT, GROSR_LEVEL_SPANS, 1},
};

static const char *const length_name[GROSR_BENCH_LENGTHS] = {"short steps", "long steps"};

enum { HOST, DEVICE, MEMORIES };
static const char *const memory_name[MEMORIES] = {"host memory", "device memory"};

struct point {
    uint32_t place; /* on the axis */
    uint32_t memory;
    enum grosr_bench_length length;
};

struct trace_bench {
    const struct grosr_bench_options *options;
    struct grosr_bench_report *report;
    struct grosr_bench_rig *rig;
    struct grosr_session *session;
    bool cuda;
    uint32_t sms, place[PLACES_MAX], places; /* warps an SM; on the host device, threads */
    uint32_t steps;                          /* of a warp: those that are timed, and a lap before */
    uint32_t want[GROSR_BENCH_LENGTHS][GROSR_BENCH_SEEDS];
    double *sample[SERIES]; /* [repetitions], of a point */
    double *cost[SERIES][MEMORIES][GROSR_BENCH_LENGTHS][PLACES_MAX], *lost, *ratio; /* [repetitions] */
};

/* ---- readers ---- */

struct readers;

struct reader {
    struct readers *all;
    uint32_t index;
    pthread_t thread;
};

struct readers {
    struct grosr_session *session;
    uint32_t rings, threads;
    sys32 stop; /* the kernel has failed: rings will not be closed */
    struct reader reader[READERS];
};

/* Reads every ring whose turn it is to the end of its writer. */
static void *read_rings(void *arg)
{
    const struct reader *me = (const struct reader *)arg;
    const struct readers *all = me->all;
    uint32_t mine = (all->rings - me->index + all->threads - 1) / all->threads, left = mine;
    struct grosr_ring_reader *reader = (struct grosr_ring_reader *)calloc(mine, sizeof(*reader));
    struct grosr_pair record[AT_ONCE];
    uint64_t first;

    if (!reader)
        abort(); /* the kernel runs */
    for (uint32_t i = 0; i < mine; i++)
        grosr_ring_reader_open(&reader[i], all->session, me->index + i * all->threads);
    while (left && !sys_load_relaxed(&all->stop)) {
        struct timespec pause = {0, PAUSE_NS};
        bool behind = false;
        left = 0;
        for (uint32_t i = 0; i < mine; i++) {
            behind |= grosr_ring_read(&reader[i], record, AT_ONCE, &first) == AT_ONCE;
            left += !grosr_ring_at_end(&reader[i]);
        }
        if (!behind)
            nanosleep(&pause, NULL);
    }
    free(reader);
    return NULL;
}

static void start_readers(struct readers *r, struct grosr_session *session, uint32_t rings)
{
    long cpus = sysconf(_SC_NPROCESSORS_ONLN);

    r->session = session;
    r->rings = rings;
    r->threads = cpus > (long)READERS ? READERS : cpus > 2 ? (uint32_t)cpus - 1 : 1;
    r->threads = r->threads < rings ? r->threads : rings;
    sys_store_relaxed(&r->stop, 0);
    for (uint32_t i = 0; i < r->threads; i++) {
        r->reader[i].all = r;
        r->reader[i].index = i;
        if (pthread_create(&r->reader[i].thread, NULL, read_rings, &r->reader[i]))
            abort(); /* the kernel would wait for nobody, but its rings would */
    }
}

/* They read to the end, unless the kernel failed. */
static void join_readers(struct readers *r, int err)
{
    sys_store_relaxed(&r->stop, err != 0);
    for (uint32_t i = 0; i < r->threads; i++)
        pthread_join(r->reader[i].thread, NULL);
}

/* ---- checks ---- */

static void check_results(const struct trace_bench *b, const struct grosr_bench_rig_run *run, uint32_t length)
{
    const uint32_t *got = grosr_bench_rig_results(b->rig);
    uint32_t lanes = b->report->device.lanes;

    for (uint32_t i = 0; i < run->blocks * run->warps_per_block * lanes; i++)
        grosr_bench_check(b->report, "thread", i, b->want[length][i % GROSR_BENCH_SEEDS], got[i]);
}

/* The latest events that the peer or GROSR left in a ring's memory. */
static void check_latest(const struct trace_bench *b, const struct series *s, uint32_t ring)
{
    uint32_t capacity = grosr_bench_rig_capacity(b->rig);
    const unsigned char *slots = b->session->base + b->session->ring[ring].slots_at;

    for (uint32_t step = b->steps > CHECKED ? b->steps - CHECKED : 0; step < b->steps; step++) {
        if (s->recorder == GROSR_BENCH_PEER) {
            grosr_bench_check(b->report, "8-byte event of step", step, step,
                              (uint32_t)((const uint64_t *)(const void *)slots)[step % capacity]);
            continue;
        }
        for (uint32_t k = 0; k < s->events; k++) {
            uint64_t position = (uint64_t)step * s->events + k;
            struct grosr_pair e =
                sys_load_pair_relaxed(&((const sys128 *)(const void *)slots)[position % capacity]);
            if (grosr_bench_check(b->report, "lap of event", position, (position / capacity + 1) & 0xff,
                                  (uint64_t)grosr_event_lap(e)))
                grosr_bench_check(b->report, "payload of event", position, step, grosr_event_payload(e));
        }
    }
}

/* Every event is accounted for in the rings' counters, which reconcile. Adds up what was dropped. */
static void check_counters(const struct trace_bench *b, const struct series *s, bool drained, uint32_t rings,
                           uint64_t *dropped)
{
    struct grosr_bench_report *r = b->report;

    for (uint32_t i = 0; i < rings; i++) {
        struct grosr_ring_counts c;
        if (s->recorder == GROSR_BENCH_EVENT || s->recorder == GROSR_BENCH_STATE) {
            grosr_ring_count(b->session, i, &c);
            grosr_bench_check(r, "closed flag of ring", i, 1, c.closed);
            grosr_bench_check(r, "events written to ring", i, (uint64_t)b->steps * s->events, c.written);
            if (drained)
                grosr_bench_check(r, "events accounted for in ring", i, c.written,
                                  c.read + c.dropped + c.overwritten);
            else
                grosr_bench_check(r, "events dropped in ring", i, 0, c.dropped);
            *dropped += c.dropped;
        }
        if (!drained)
            check_latest(b, s, i);
    }
}

/* ---- measuring ---- */

/* One run of a series at a point: ns a step, the mean of all warps. */
static int time_once(struct trace_bench *b, uint32_t which, const struct point *p, double *ns, double *lost)
{
    const struct series *s = &series[which];
    uint32_t warps = b->place[p->place], most = GROSR_MAX_WORKERS / warps, rings;
    struct grosr_bench_rig_run run = {
        .recorder = s->recorder,
        .level = s->level,
        .in_device_memory = p->memory == DEVICE,
        .clear = which == DRAINED,
        .blocks = b->sms < most ? b->sms : most,
        .warps_per_block = warps,
        .steps = (uint32_t)b->options->tasks,
        .length = p->length,
    };
    struct readers readers;
    uint64_t dropped = 0;
    double sum = 0;
    int err;

    rings = run.blocks * run.warps_per_block;
    grosr_session_set_collector(b->session, which == DRAINED ? (uint32_t)getpid() : 0);
    if ((err = grosr_bench_rig_start(b->rig, &run)))
        return err;
    if (which == DRAINED)
        start_readers(&readers, b->session, rings);
    err = grosr_bench_rig_wait(b->rig, TIMEOUT_NS);
    if (which == DRAINED)
        join_readers(&readers, err);
    if (err)
        return err == -ETIMEDOUT ? grosr_fail(ETIMEDOUT, "a kernel did not end within %u s",
                                              (unsigned)(TIMEOUT_NS / 1000000000u))
                                 : err;
    for (uint32_t i = 0; i < rings; i++)
        sum += (double)grosr_bench_rig_spans(b->rig)[i];
    *ns = sum / rings / run.steps;
    check_results(b, &run, p->length);
    check_counters(b, s, which == DRAINED, rings, &dropped);
    *lost = (double)dropped / b->steps / rings;
    return 0;
}

static bool measured(const struct point *p, uint32_t which)
{
    return which != DRAINED || p->memory == HOST;
}

/* "GROSR at spans; short steps, host memory" */
static void series_name(char *to, size_t size, uint32_t which, const struct point *p)
{
    snprintf(to, size, "%s; %s, %s", series[which].name, length_name[p->length], memory_name[p->memory]);
}

static int time_point(struct trace_bench *b, const struct point *p)
{
    const struct grosr_bench_options *o = b->options;

    for (uint32_t i = 0; i < WARM_UP + o->repetitions; i++)
        for (uint32_t which = 0; which < SERIES; which++) {
            double ns = 0, lost = 0;
            char name[80];
            if (!measured(p, which))
                continue;
            series_name(name, sizeof(name), which, p);
            grosr_bench_begin_at(b->report, name, which <= PEER, GROSR_BENCH_WARPS, b->place[p->place]);
            grosr_bench_round(b->report, i, WARM_UP);
            int err = *o->stop ? -ECANCELED : time_once(b, which, p, &ns, &lost);
            if (err)
                return err;
            if (i < WARM_UP)
                continue;
            b->sample[which][i - WARM_UP] = which ? ns - b->sample[NOTHING][i - WARM_UP] : ns;
            if (which == DRAINED)
                b->lost[i - WARM_UP] = lost;
        }
    return 0;
}

static void report_point(struct trace_bench *b, const struct point *p)
{
    struct grosr_bench_report *report = b->report;
    uint32_t n = b->options->repetitions;
    double x = b->place[p->place];
    char name[80];

    for (uint32_t which = 0; which < SERIES; which++) {
        if (!measured(p, which))
            continue;
        if (which)
            memcpy(b->cost[which][p->memory][p->length][p->place], b->sample[which], n * sizeof(double));
        series_name(name, sizeof(name), which, p);
        report->unit = which ? GROSR_BENCH_EVENT_COST : GROSR_BENCH_LATENCY;
        grosr_bench_add_at(report, name, which <= PEER, GROSR_BENCH_WARPS, x, 0, b->sample[which], n);
    }
    if (measured(p, DRAINED)) {
        snprintf(name, sizeof(name), "lost of those read meanwhile; %s, %s", length_name[p->length],
                 memory_name[p->memory]);
        report->unit = GROSR_BENCH_SHARE;
        grosr_bench_add_at(report, name, false, GROSR_BENCH_WARPS, x, 0, b->lost, n);
    }
}

/* ---- over the grid ---- */

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return x < y ? -1 : x > y;
}

static double median(const double *samples, uint32_t n)
{
    double sorted[n];

    memcpy(sorted, samples, n * sizeof(*samples));
    qsort(sorted, n, sizeof(*sorted), compare);
    return sorted[n / 2];
}

/* What an event of the series costs at a point in repetition i, or how many times what the peer's costs there
 * at the median. */
static double cost_at(const struct trace_bench *b, uint32_t which, bool to_peer, const struct point *p,
                      uint32_t i)
{
    uint32_t n = b->options->repetitions;
    double cost = b->cost[which][p->memory][p->length][p->place][i];

    return to_peer ? cost / median(b->cost[PEER][p->memory][p->length][p->place], n) : cost;
}

/* The geometric mean over the points in memories from .. to - 1; NAN: at one of them an event cost nothing
 * that could be measured. */
static double mean(const struct trace_bench *b, uint32_t which, bool to_peer, uint32_t from, uint32_t to,
                   uint32_t i)
{
    double sum = 0;
    uint32_t points = 0;
    struct point p;

    for (p.memory = from; p.memory < to; p.memory++)
        for (uint32_t length = 0; length < GROSR_BENCH_LENGTHS; length++)
            for (p.place = 0; p.place < b->places; p.place++, points++) {
                p.length = (enum grosr_bench_length)length;
                double cost = cost_at(b, which, to_peer, &p, i);
                if (!(cost > 0))
                    return NAN;
                sum += log(cost);
            }
    return exp(sum / points);
}

/* A sample for each repetition that has a mean. */
static void report_mean(struct trace_bench *b, uint32_t which, bool to_peer, uint32_t from, uint32_t to)
{
    enum grosr_bench_unit unit = to_peer ? GROSR_BENCH_SLOWDOWN : GROSR_BENCH_EVENT_COST;
    uint32_t n = 0;
    char name[80];

    snprintf(name, sizeof(name), "%s%s; mean, %s", series[which].name, to_peer ? " / 8-byte" : "",
             to - from == MEMORIES ? "whole grid" : memory_name[from]);
    for (uint32_t i = 0; i < b->options->repetitions; i++) {
        b->ratio[n] = mean(b, which, to_peer, from, to, i);
        n += !isnan(b->ratio[n]);
    }
    if (n)
        grosr_bench_add_value(b->report, name, which == PEER, unit, b->ratio, n);
    else
        grosr_bench_add_unknown(b->report, name, which == PEER, unit,
                                "at some point of the grid an event cost nothing that could be measured");
}

static void report_means(struct trace_bench *b, uint32_t memories)
{
    static const uint32_t compared[] = {SPANS, STATE, DRAINED};

    for (uint32_t from = 0; from < memories; from++) {
        report_mean(b, PEER, false, from, from + 1);
        report_mean(b, SPANS, false, from, from + 1);
        for (uint32_t i = 0; i < sizeof(compared) / sizeof(compared[0]); i++)
            if (from == HOST || compared[i] != DRAINED)
                report_mean(b, compared[i], true, from, from + 1);
    }
    if (memories == MEMORIES)
        report_mean(b, SPANS, true, 0, MEMORIES);
}

/* ---- all ---- */

/* Where on the axis: 1, 8 and 32 warps an SM, or as many as were asked for at most. */
static void settle_places(struct trace_bench *b)
{
    static const uint32_t steps[] = {1, 8};
    const struct grosr_device_info *d = &b->report->device;
    uint32_t workers = b->options->workers, most;

    b->sms = b->cuda ? d->sms : 1;
    if (workers)
        most = workers > b->sms ? workers / b->sms : 1;
    else
        most = b->cuda ? 32 : d->default_workers;
    for (uint32_t i = 0; i < 2 && steps[i] < most; i++)
        b->place[b->places++] = steps[i];
    b->place[b->places++] = most;
}

static int make_room(struct trace_bench *b)
{
    uint32_t n = b->options->repetitions;
    bool all = (b->lost = grosr_bench_samples(n)) && (b->ratio = grosr_bench_samples(n));

    for (uint32_t which = 0; all && which < SERIES; which++) {
        all = (b->sample[which] = grosr_bench_samples(n)) != NULL;
        for (uint32_t i = 0; all && i < MEMORIES * GROSR_BENCH_LENGTHS * PLACES_MAX; i++)
            all = (b->cost[which][i / GROSR_BENCH_LENGTHS / PLACES_MAX][i / PLACES_MAX % GROSR_BENCH_LENGTHS]
                          [i % PLACES_MAX] = grosr_bench_samples(n)) != NULL;
    }
    return all ? 0 : -ENOMEM;
}

/* What each thread's work comes to. */
static void settle_results(struct trace_bench *b)
{
    for (uint32_t length = 0; length < GROSR_BENCH_LENGTHS; length++)
        for (uint32_t i = 0; i < GROSR_BENCH_SEEDS; i++) {
            b->want[length][i] = i;
            for (uint32_t step = 0; step < b->steps; step++)
                b->want[length][i] = grosr_bench_mix(b->want[length][i], GROSR_BENCH_ROUNDS(length));
        }
}

static void free_room(struct trace_bench *b)
{
    for (uint32_t which = 0; which < SERIES; which++) {
        free(b->sample[which]);
        for (uint32_t i = 0; i < MEMORIES * GROSR_BENCH_LENGTHS * PLACES_MAX; i++)
            free(b->cost[which][i / GROSR_BENCH_LENGTHS / PLACES_MAX][i / PLACES_MAX % GROSR_BENCH_LENGTHS]
                        [i % PLACES_MAX]);
    }
    free(b->lost);
    free(b->ratio);
}

int grosr_bench_event_cost(const struct grosr_bench_options *o, struct grosr_bench_report *report)
{
    struct trace_bench b = {.options = o, .report = report, .cuda = grosr_bench_on_cuda(report)};
    uint32_t memories = b.cuda ? MEMORIES : DEVICE;
    struct point p;
    int err;

    settle_places(&b);
    struct grosr_bench_rig_options rig = {
        .device = &report->device,
        .warps = b.sms * b.place[b.places - 1],
        .ring_events = RING_EVENTS,
        .overflow = GROSR_OVERFLOW_AUTO, /* overwrite, or drop while there are readers */
    };
    if (rig.warps > GROSR_MAX_WORKERS)
        rig.warps = GROSR_MAX_WORKERS;
    err = make_room(&b);
    if (!err)
        err = grosr_bench_rig_open(&b.rig, &rig);
    if (!err) {
        b.session = grosr_bench_rig_session(b.rig);
        b.steps = grosr_bench_rig_capacity(b.rig) + (uint32_t)o->tasks;
        settle_results(&b);
    }
    for (p.memory = 0; !err && p.memory < memories; p.memory++)
        for (uint32_t length = 0; !err && length < GROSR_BENCH_LENGTHS; length++)
            for (p.place = 0; !err && p.place < b.places; p.place++) {
                p.length = (enum grosr_bench_length)length;
                err = time_point(&b, &p);
                if (!err)
                    report_point(&b, &p);
            }
    if (!err)
        report_means(&b, memories);
    grosr_bench_rig_close(b.rig);
    free_room(&b);
    return err;
}
