/*
 * Sampling GPUs on a thread beside the collector's (sampler.h).
 */
#include "sampler.h"

#include "../base/error.h"
#include "../nvidia/nvml.h"
#include "../nvidia/pm_sampling.h"

#include <errno.h>
#include <math.h>
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define GPUS_MAX      64u
#define QUEUE_SAMPLES 16384u     /* the writer comes twice a second, for 2000 a second and some of NVML's */
#define PM_SAMPLES    1024u      /* taken at once */
#define DRIFT_PPM     100u       /* by which two clocks are taken to differ at most */
#define FAR_NS        1000000000 /* a session's clock that is so far off is not that of the samples */
#define TOLD_MAX      4u         /* texts that wait for the writer */
#define TIMEOUT_NS    300000000u /* for the thread, at the end */

/* The counters' numbers: NVML's values of each GPU, then the metrics of PM sampling. */
#define SLOTS_PER_GPU 8u
#define PM_SLOT       (GPUS_MAX * SLOTS_PER_GPU)
#define SLOTS         (PM_SLOT + GROSR_PM_METRICS_COUNT)
static_assert(GROSR_NVML_VALUES_COUNT <= SLOTS_PER_GPU, "every value of a GPU has a slot");

struct sample {
    uint64_t host_ns;   /* of one with a device time: as well as is known without a clock map */
    uint64_t device_ns; /* 0: none */
    uint32_t slot;
    double value;
};

struct grosr_sampler {
    struct grosr_sampling sampling;

    pthread_mutex_t lock; /* held for copying only */
    pthread_cond_t changed;
    uint32_t holders; /* the thread and the writer; the last one frees */
    bool stop, ended;
    bool only_gpu;         /* all GPU clocks that sessions have are the one of the samples */
    uint32_t first, count; /* of queue */
    uint64_t lost;         /* there was no room in it */
    uint32_t told;
    char text[TOLD_MAX][256];
    struct sample queue[QUEUE_SAMPLES];

    /* The thread's. */
    grosr_nvml_device gpu[GPUS_MAX];
    uint32_t gpus;
    struct grosr_pm *pm; /* NULL: no PM sampling */
    bool pm_told_lost;
    uint64_t read_ns;         /* when PM samples were last read; 0: not yet */
    uint64_t begun_ns;        /* no interval began before */
    int64_t late_ns;          /* the greatest difference of the next two so far */
    int64_t latest, earliest; /* host time less device time is not greater, and not less */
    struct grosr_pm_sample pm_sample[PM_SAMPLES];

    /* The writer's. */
    int64_t offset;             /* host time less device time, where the clock map last placed one */
    uint64_t placed, estimated; /* PM samples, by the map and without it */
    uint64_t worst_ns;          /* bound of the former */
    bool stopped;
    bool named[SLOTS]; /* is in the file */
    bool told_lost, placing_told;
};

static void let_go(struct grosr_sampler *s)
{
    pthread_mutex_lock(&s->lock);
    bool last = --s->holders == 0;
    pthread_mutex_unlock(&s->lock);
    if (!last)
        return;
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->changed);
    free(s);
}

/* ---- the thread ---- */

static void put(struct grosr_sampler *s, struct sample sample)
{
    pthread_mutex_lock(&s->lock);
    if (s->count == QUEUE_SAMPLES)
        s->lost++;
    else
        s->queue[(s->first + s->count++) % QUEUE_SAMPLES] = sample;
    pthread_mutex_unlock(&s->lock);
}

static void __attribute__((format(printf, 2, 3))) tell(struct grosr_sampler *s, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    pthread_mutex_lock(&s->lock);
    if (s->told < TOLD_MAX)
        vsnprintf(s->text[s->told++], sizeof(s->text[0]), format, args);
    pthread_mutex_unlock(&s->lock);
    va_end(args);
}

static void find_gpus(struct grosr_sampler *s)
{
    int count = grosr_nvml_count();

    if (count <= 0)
        tell(s, "no counters of GPUs are recorded: %s", count ? grosr_nvml_absent() : "NVML shows none");
    for (uint32_t i = 0; (int)i < count && i < GPUS_MAX; i++) {
        s->gpu[i] = grosr_nvml_at(i);
        s->gpus = i + 1;
        if (!s->gpu[i])
            tell(s, "no counters of GPU %u are recorded: %s", i, grosr_nvml_absent());
    }
}

static void read_gpus(struct grosr_sampler *s)
{
    double value[GROSR_NVML_VALUES_COUNT];

    for (uint32_t i = 0; i < s->gpus; i++) {
        if (!s->gpu[i])
            continue;
        uint64_t before = grosr_host_clock_ns();
        int code = grosr_nvml_sample(s->gpu[i], value);
        uint64_t time = before + (grosr_host_clock_ns() - before) / 2;
        if (code) {
            tell(s, "GPU %u is not sampled any more: NVML's code %d", i, code);
            s->gpu[i] = NULL;
        }
        for (uint32_t k = 0; k < GROSR_NVML_VALUES_COUNT; k++)
            if (!isnan(value[k]))
                put(s, (struct sample){time, 0, i * SLOTS_PER_GPU + k, value[k]});
    }
}

static void start_pm(struct grosr_sampler *s)
{
    char why[192];

    bool only = false;

    if (grosr_pm_start(&s->pm, s->sampling.gpu, GROSR_SAMPLER_PM_NS, &s->begun_ns, &only, why, sizeof(why)))
        tell(s, "the SMs of GPU %u are not sampled: %s", s->sampling.gpu, why);
    pthread_mutex_lock(&s->lock);
    s->only_gpu = s->pm && only;
    pthread_mutex_unlock(&s->lock);
}

/*
 * A read that was over at after_ns had a sample that ended at device_ns, by the GPU's clock: so that was
 * before. The read for which that says most counts, as long as the clocks have not drifted away since. What
 * is known from the other side is that no interval began before sampling did.
 */
static void compare_clocks(struct grosr_sampler *s, uint64_t after_ns, uint64_t device_ns)
{
    int64_t latest = (int64_t)(after_ns - device_ns);

    if (s->read_ns) {
        int64_t drift = (int64_t)((after_ns - s->read_ns) / 1000000 * DRIFT_PPM);
        s->latest = latest < s->latest + drift ? latest : s->latest + drift;
        s->earliest -= drift;
    } else {
        s->latest = latest;
        s->earliest = (int64_t)(s->begun_ns - s->pm_sample[0].start_ns);
    }
    s->read_ns = after_ns;
    s->late_ns = s->latest - s->earliest > s->late_ns ? s->latest - s->earliest : s->late_ns;
}

static void read_pm(struct grosr_sampler *s)
{
    char why[192];
    uint32_t count;
    bool lost;

    if (grosr_pm_read(s->pm, s->pm_sample, PM_SAMPLES, &count, &lost, why, sizeof(why))) {
        tell(s, "the SMs of GPU %u are not sampled any more: %s", s->sampling.gpu, why);
        grosr_pm_stop(s->pm);
        s->pm = NULL;
        return;
    }
    if (lost && !s->pm_told_lost)
        tell(s, "samples of GPU %u's SMs were lost: they were not read in time", s->sampling.gpu);
    s->pm_told_lost |= lost;
    if (count)
        compare_clocks(s, grosr_host_clock_ns(), s->pm_sample[count - 1].end_ns);
    for (uint32_t i = 0; i < count; i++)
        for (uint32_t k = 0; k < GROSR_PM_METRICS_COUNT; k++) {
            const struct grosr_pm_sample *p = &s->pm_sample[i];
            if (!isnan(p->value[k]))
                put(s, (struct sample){p->start_ns + (uint64_t)s->latest, p->start_ns, PM_SLOT + k,
                                       p->value[k]});
        }
}

/* Waits for a time of the host's clock; false: it is to stop. */
static bool wait_until(struct grosr_sampler *s, uint64_t until_ns)
{
    struct timespec until = {(time_t)(until_ns / 1000000000u), (long)(until_ns % 1000000000u)};

    pthread_mutex_lock(&s->lock);
    while (!s->stop && pthread_cond_timedwait(&s->changed, &s->lock, &until) != ETIMEDOUT)
        ;
    bool go_on = !s->stop;
    pthread_mutex_unlock(&s->lock);
    return go_on;
}

static void *sample_main(void *p)
{
    struct grosr_sampler *s = (struct grosr_sampler *)p;
    uint64_t next = grosr_host_clock_ns();

    if (s->sampling.what & GROSR_COUNTERS_PM)
        start_pm(s);
    if (s->sampling.what & GROSR_COUNTERS_NVML)
        find_gpus(s);
    do {
        if (s->pm)
            read_pm(s);
        read_gpus(s);
        /* What was missed while a call took long is not made up for. */
        uint64_t now = grosr_host_clock_ns();
        next += (now - next) / GROSR_SAMPLER_PERIOD_NS * GROSR_SAMPLER_PERIOD_NS + GROSR_SAMPLER_PERIOD_NS;
    } while (wait_until(s, next));
    if (s->pm)
        read_pm(s);
    grosr_pm_stop(s->pm);
    pthread_mutex_lock(&s->lock);
    s->ended = true;
    pthread_cond_broadcast(&s->changed);
    pthread_mutex_unlock(&s->lock);
    let_go(s);
    return NULL;
}

/* ---- the writer ---- */

int grosr_sampler_start(struct grosr_sampler **sampler, struct grosr_sampling sampling)
{
    struct grosr_sampler *s = (struct grosr_sampler *)calloc(1, sizeof(*s));
    pthread_condattr_t monotonic;
    pthread_attr_t detached;
    pthread_t thread;

    if (!s)
        return grosr_fail(ENOMEM, "out of memory for counters of GPUs");
    s->sampling = sampling;
    s->holders = 2;
    pthread_mutex_init(&s->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&s->changed, &monotonic);
    pthread_condattr_destroy(&monotonic);
    pthread_attr_init(&detached);
    pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
    int err = pthread_create(&thread, &detached, sample_main, s);
    pthread_attr_destroy(&detached);
    if (err) {
        s->holders = 1;
        let_go(s);
        return grosr_fail(EAGAIN, "cannot start the thread that samples GPUs");
    }
    *sampler = s;
    return 0;
}

static void name_of(uint32_t slot, char *text, size_t size, const char **unit)
{
    static const char *const values[][2] = {
#define X(member, name, unit) {name, unit},
        GROSR_NVML_VALUES(X)
#undef X
    };
    static const char *const metrics[][2] = {
#define X(metric, unit) {metric, unit},
        GROSR_PM_METRICS(X)
#undef X
    };

    if (slot >= PM_SLOT) {
        snprintf(text, size, "%s", metrics[slot - PM_SLOT][0]);
        *unit = metrics[slot - PM_SLOT][1];
        return;
    }
    snprintf(text, size, "GPU %u %s", slot / SLOTS_PER_GPU, values[slot % SLOTS_PER_GPU][0]);
    *unit = values[slot % SLOTS_PER_GPU][1];
}

/* A sample's host time. */
static uint64_t place(struct grosr_sampler *s, struct grosr_clock *clock, const struct sample *q)
{
    uint64_t host_ns, bound_ns, worst_ns = clock ? clock->worst_ns : 0;

    if (!q->device_ns)
        return q->host_ns;
    bool known = clock && !clock->is_host && grosr_clock_place(clock, q->device_ns, &host_ns, &bound_ns) &&
                 llabs((int64_t)(host_ns - q->host_ns)) < FAR_NS;
    if (clock)
        clock->worst_ns = worst_ns; /* that is said of the session's own times */
    if (known) {
        s->offset = (int64_t)(host_ns - q->device_ns);
        s->placed++;
        s->worst_ns = bound_ns > s->worst_ns ? bound_ns : s->worst_ns;
        return host_ns;
    }
    if (s->placed) /* the session has ended, and its map with it */
        return q->device_ns + (uint64_t)s->offset;
    s->estimated++;
    return q->host_ns;
}

static int write_sample(struct grosr_sampler *s, struct grosr_store *store, const struct grosr_bases *bases,
                        struct grosr_clock *clock, const struct sample *q)
{
    int64_t name = -1 - (int64_t)q->slot;
    const struct grosr_value values[] = {
        {.type = GROSR_VALUE_INTEGER, .integer = grosr_timeline(bases, place(s, clock, q))},
        {.type = GROSR_VALUE_INTEGER, .integer = name},
        {.type = GROSR_VALUE_REAL, .real = q->value}};
    int err = 0;

    if (!s->named[q->slot]) {
        char text[64];
        const char *unit;
        name_of(q->slot, text, sizeof(text), &unit);
        err = grosr_store_name(store, name, bases->session, text, unit);
        s->named[q->slot] = true;
    }
    return err ? err
               : grosr_store_execute(store, "INSERT INTO GROSR_COUNTER (time, name, value) VALUES (?,?,?)",
                                     values, 3, NULL);
}

/* Takes what has come to be said; the number of texts. */
static uint32_t take_told(struct grosr_sampler *s, char text[TOLD_MAX][256])
{
    pthread_mutex_lock(&s->lock);
    uint32_t told = s->told;
    memcpy(text, s->text, sizeof(s->text));
    s->told = 0;
    if (s->stop && s->lost && !s->told_lost && told < TOLD_MAX) {
        snprintf(text[told++], sizeof(s->text[0]), "%llu values of counters were lost: they came too fast",
                 (unsigned long long)s->lost);
        s->told_lost = true;
    }
    pthread_mutex_unlock(&s->lock);
    return told;
}

/* Takes samples; how many. */
static uint32_t take_samples(struct grosr_sampler *s, struct sample *to, uint32_t most)
{
    pthread_mutex_lock(&s->lock);
    uint32_t n = s->count < most ? s->count : most;
    for (uint32_t i = 0; i < n; i++)
        to[i] = s->queue[(s->first + i) % QUEUE_SAMPLES];
    s->first = (s->first + n) % QUEUE_SAMPLES;
    s->count -= n;
    pthread_mutex_unlock(&s->lock);
    return n;
}

static int note(struct grosr_store *store, const struct grosr_bases *bases, const char *text)
{
    static const char topic[] = "counters";

    return grosr_store_note(store, grosr_timeline(bases, grosr_host_clock_ns()), bases->session, topic,
                            strlen(topic), text, strlen(text));
}

/* At the end: how the times of PM samples are known. */
static int note_placing(struct grosr_sampler *s, struct grosr_store *store, const struct grosr_bases *bases)
{
    char text[256];
    int err = 0;

    if (s->placed) {
        snprintf(text, sizeof(text), "%llu values of SMs are placed by a session's clock, within %.3f us",
                 (unsigned long long)s->placed, (double)s->worst_ns * 1e-3);
        err = note(store, bases, text);
    }
    if (!err && s->estimated) {
        pthread_mutex_lock(&s->lock);
        double late_ms = s->ended ? (double)s->late_ns * 1e-6 : NAN;
        pthread_mutex_unlock(&s->lock);
        snprintf(text, sizeof(text),
                 "%llu values of SMs are placed by when they were read: up to %.1f ms later than they were",
                 (unsigned long long)s->estimated, late_ms);
        err = note(store, bases, text);
    }
    return err;
}

int grosr_sampler_write(struct grosr_sampler *s, struct grosr_store *store, const struct grosr_bases *bases,
                        struct grosr_clock *clock, bool rows, void (*warned)(const char *text))
{
    char text[TOLD_MAX][256];
    struct sample taken[256];
    uint32_t told = take_told(s, text), n;
    int err = 0;

    for (uint32_t i = 0; !err && i < told; i++) {
        if (warned && !(s->sampling.what & GROSR_COUNTERS_DEFAULT))
            warned(text[i]);
        err = note(store, bases, text[i]);
    }
    while (!err && (n = take_samples(s, taken, sizeof(taken) / sizeof(taken[0]))) > 0)
        for (uint32_t i = 0; rows && !err && i < n; i++)
            err = write_sample(s, store, bases, clock, &taken[i]);
    if (err || !s->stopped || s->placing_told)
        return err;
    s->placing_told = true;
    return note_placing(s, store, bases);
}

bool grosr_sampler_has_only_gpu(struct grosr_sampler *s)
{
    pthread_mutex_lock(&s->lock);
    bool only = s->only_gpu;
    pthread_mutex_unlock(&s->lock);
    return only;
}

void grosr_sampler_stop(struct grosr_sampler *s)
{
    uint64_t until_ns = grosr_host_clock_ns() + TIMEOUT_NS;
    struct timespec until = {(time_t)(until_ns / 1000000000u), (long)(until_ns % 1000000000u)};

    if (!s)
        return;
    pthread_mutex_lock(&s->lock);
    s->stop = s->stopped = true;
    pthread_cond_broadcast(&s->changed);
    while (!s->ended && pthread_cond_timedwait(&s->changed, &s->lock, &until) != ETIMEDOUT)
        ;
    pthread_mutex_unlock(&s->lock);
}

void grosr_sampler_free(struct grosr_sampler *s)
{
    if (s)
        let_go(s);
}
